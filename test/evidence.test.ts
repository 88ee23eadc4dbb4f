// --verify and --compare, the manifest's schema, and that help and README tell of every flag.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { checkReport, help, options, records } from '../cli.ts';
import { columns, csvLine, localSurroundings, type Manifest, type Request, run } from '../orchestrator.ts';
import { type Database, type DatabaseResult, failed, type Row, rowColumns } from '../worker.ts';
import { root, runCli } from './command.ts';
import { type Server, startMariadb, startMysql } from './servers.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'evidence-'));
const servers: Server[] = [];
after(async () => {
  await Promise.all(servers.map(server => server.stop()));
  fs.rmSync(folder, { recursive: true });
});

const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const manifestOf = (report: string) => report.replace(/\.csv$/, '.manifest.json');
const readManifest = (report: string): Manifest => JSON.parse(fs.readFileSync(manifestOf(report), 'utf8'));

// ── reports of made-up results, which orchestrator.ts writes as it writes a worker's ──────────────────────────────────

type Entry = Partial<Database> & { id: string };
type Results = Record<string, Partial<DatabaseResult>>;
const sql = 'SELECT 1\n';
const query = { file: 'administrators.sql', sha256: sha256(sql), text: sql };

async function makeReport(entries: Entry[], results: Results, request: Partial<Request> = {}): Promise<string> {
  const out = fs.mkdtempSync(path.join(folder, 'report-'));
  const inventory = path.join(out, 'inventory.json');
  const databases = entries.map(entry => ({
    account: '111122223333',
    region: 'us-east-1',
    engine: 'mysql',
    host: `${entry.id}.example.com`,
    credentials: 'env:NONE',
    ...entry,
  }));
  fs.writeFileSync(inventory, JSON.stringify({ databases }));
  const surroundings = localSurroundings(inventory, out, async (chosen, done) => {
    for (const database of chosen) {
      const result = { ...failed(database, ''), queries: [query.sha256], ...results[database.id] };
      done(result, { version: '1.0.0', queries: [query], attempts: 1 });
    }
  });
  const { report } = await run({ reportId: randomUUID(), requestedBy: 'tester', ...request }, surroundings, () => {});
  return report!;
}

const emptyRow = Object.fromEntries(rowColumns.map(column => [column, ''])) as Row;
const admin = (principal: string, row: Partial<Row> = {}): Row => ({
  ...emptyRow,
  result: 'admin',
  scope: 'server',
  principal,
  principal_type: 'user',
  privileges: 'SUPER',
  can_grant: 'no',
  enabled: 'yes',
  ...row,
});
const unseen = (detail: string): Row => ({ ...emptyRow, result: 'incomplete', scope: 'server', detail });
const found = (...rows: Row[]) => ({ result: rows.length > 0 ? ('admin' as const) : ('none' as const), rows });

// Names that servers accept, and that a CSV file, a spreadsheet or a terminal may stumble over.
const oddNames = ['=1+1@%', "'=1+1@%", '@localhost', 'a,"b"@%', 'c\r\nd@%', '\u202eevil@%', 'ü😀@%', 'x\ud800@%', '-'];
const entries: Entry[] = [
  { id: 'crm', account_name: '=shop "prod", EU' },
  { id: 'down' },
  { id: 'orders', tls: 'trust' },
  { id: 'quiet' },
  { id: 'half', account: '444455556666' },
];
const original = await makeReport(entries, {
  crm: found(...oddNames.map(name => admin(name))),
  down: { result: 'failed', detail: 'connection refused: nothing listens at that host and port' },
  orders: found(
    admin('dba@%', { detail: 'x' }),
    admin('dba@%', { granted_through: 'root_role' }),
    admin('dba@%', { scope: 'database:x' }),
  ),
  quiet: found(),
  half: { result: 'incomplete', rows: [admin('sa'), unseen('GRANT SELECT ON mysql.user TO auditor')] },
});

test('the records of a CSV file: what csvLine writes is read back, and nothing else is taken for it', () => {
  const parts = ['"', ',', '\r', '\n', '\r\n', '""', '=', "'", '@', ' ', 'ä', '😀', 'name', ''];
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % below;
  };
  const field = () => Array.from({ length: random(5) }, () => parts[random(parts.length)]).join('');
  const rows = Array.from({ length: 3000 }, () => Array.from({ length: 1 + random(6) }, field));
  const file = `\uFEFF${rows.map(csvLine).join('')}`;
  const read = [...records(Buffer.from(file))];
  assert.deepEqual(
    read.map(({ fields }) => fields),
    rows.map(row => row.map(field => (/^[=+\-@\t\r\n]/.test(field) ? `'${field}` : field))),
  );
  assert.equal(`\uFEFF${read.map(({ text }) => text).join('')}`, file);

  const fieldsOf = (text: string) => [...records(Buffer.from(text))].map(({ fields }) => fields);
  assert.deepEqual(fieldsOf('a,\nc,"d\n""e"\n'), [
    ['a', ''],
    ['c', 'd\n"e'],
  ]);
  assert.deepEqual(fieldsOf(''), []);
  assert.deepEqual(fieldsOf('last'), [['last']]);
  for (const text of ['a"b,c\r\n"d"\r\n', 'a\rb\r\n', '"a"b\r\n', '"a', '"a""\r\n', ' "a,b"\r\n'])
    assert.equal(fieldsOf(text)[0], undefined, JSON.stringify(text));
  const lines = [...records(Buffer.from('a\n"b\nc"\nd\n'))].map(({ line }) => line);
  assert.deepEqual(lines, [1, 2, 4]);
});

// ── --verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test('--verify: a report as it was written', async () => {
  const { code, stdout, stderr } = await runCli(['--verify', original]);
  assert.deepEqual([code, stderr], [0, '']);
  const { report, report_id } = readManifest(original);
  for (const says of [
    /^As written: /,
    new RegExp(`^ +report +${report_id}, generated `, 'm'),
    new RegExp(`^ +file +${report.bytes} bytes, SHA-256 ${report.sha256}$`, 'm'),
    /^ +databases +5 asked for, each present: 3 covered, 1 incomplete, 1 failed$/m,
    /^ +not in full +down \(failed\), half \(incomplete\)$/m,
    /^ +tls not checked +orders \(trust\)$/m,
    /^ +administrators +12 \(/m,
    new RegExp(`^ +manifest +SHA-256 ${sha256(fs.readFileSync(manifestOf(original)))}$`, 'm'),
  ])
    assert.match(stdout, says);
  const renamed = path.join(folder, 'third-quarter.csv');
  fs.copyFileSync(original, renamed);
  fs.copyFileSync(manifestOf(original), manifestOf(renamed));
  assert.match((await runCli(['--verify', renamed])).stdout, /^As written: .*^Note: the file was renamed/ms);
});

/** A copy of the original, altered; with `seal`, the manifest's size and SHA-256 are made to fit again. */
function altered(csv: (text: string) => string | Buffer, manifest: (it: Manifest) => unknown = () => {}, seal = false) {
  const copy = path.join(fs.mkdtempSync(path.join(folder, 'altered-')), path.basename(original));
  const bytes = Buffer.from(csv(fs.readFileSync(original, 'utf8')) as string);
  fs.writeFileSync(copy, bytes);
  const value = readManifest(original);
  if (seal) Object.assign(value.report, { bytes: bytes.length, sha256: sha256(bytes) });
  manifest(value);
  fs.writeFileSync(manifestOf(copy), JSON.stringify(value, null, 2));
  return copy;
}

/** The faults of a report, each on a line, are these and no others; `*` stands for anything. */
async function mustFind(report: string, expected: string) {
  const { faults } = await checkReport(report);
  const lines = expected.split('\n').flatMap(line => line.trim() || []);
  const fits = faults.map((fault, i) => {
    const pattern = (lines[i] ?? '').split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${pattern.join('.*')}$`, 's').test(fault);
  });
  assert.ok(fits.every(Boolean) && faults.length === lines.length, `found:\n${faults.join('\n')}`);
}

const same = (text: string) => text;
const lines = (edit: (lines: string[]) => void) => (text: string) => {
  const all = [...records(Buffer.from(text))].map(record => record.text);
  edit(all);
  return `\uFEFF${all.join('')}`;
};
/** In place of the line that matches: what each of `become` makes of it. */
const line = (pattern: RegExp, ...become: ((line: string) => string)[]) =>
  lines(all => {
    const i = all.findIndex(line => pattern.test(line));
    all.splice(i, 1, ...become.map(edit => edit(all[i]!)));
  });
const notUtf8 = (text: string) => {
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf('SUPER')]! ^= 0x80;
  return bytes;
};

const tampered: [what: string, csv: (text: string) => string | Buffer, faults: string][] = [
  ['a flipped byte', text => text.replace('SUPER', 'SUPES'), 'the SHA-256 is *, the manifest says *'],
  [
    'a flipped byte that leaves no text',
    notUtf8,
    `the SHA-256 is *, the manifest says *
     the file is not UTF-8: another program saved it`,
  ],
  [
    'a lost line',
    line(/root_role/),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     orders has 2 rows, the manifest says 3
     the report has 15 rows, the manifest says 16`,
  ],
  [
    'the only line of a database lost',
    line(/,quiet,/),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     quiet was asked for and is not in the report
     the report has 15 rows, the manifest says 16`,
  ],
  [
    'the last line cut',
    text => text.slice(0, -9),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     line 18: has no end: the file was cut, or another program saved it
     line 18: has 22 fields, not 23
     half has 1 rows, the manifest says 2
     half has 0 administrators, the manifest says 1`,
  ],
  [
    'a line added in a spreadsheet',
    line(/,quiet,/, same, text => text.replace(',none,,,', ',admin,server,mallory@%,')),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     line 17: the result "admin" does not go with quiet, which is "none"
     quiet has 2 rows, the manifest says 1
     quiet is "none" and has 2 rows: it must have one
     quiet has 1 administrators, the manifest says 0
     the report has 17 rows, the manifest says 16`,
  ],
  [
    'an administrator added where there are others',
    line(/root_role/, same, text => text.replace('dba@%', 'mallory@%')),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     orders has 4 rows, the manifest says 3
     orders has 3 administrators, the manifest says 2
     the report has 17 rows, the manifest says 16`,
  ],
  [
    'line feeds alone, as some programs save',
    text => text.replaceAll('\r\n', '\n'),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     lines 1-7, 9-18: ends in a line feed alone: another program saved the file`,
  ],
  [
    'no byte order mark, as some programs save',
    text => text.slice(1),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     the byte order mark at the start is lost: another program saved the file`,
  ],
  [
    'semicolons, as Excel saves in much of Europe',
    text => text.replaceAll(',', ';').replaceAll('"', ''),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     lines 1-18: has 1 fields, not 23
     line 1: column 1 is "report_id;generated_at;*", not report_id
     crm was asked for and is not in the report
     down was asked for and is not in the report
     orders was asked for and is not in the report
     quiet was asked for and is not in the report
     half was asked for and is not in the report
     the report has 17 rows, the manifest says 16`,
  ],
  [
    'quoted by another program',
    line(/,quiet,/, text => text.replace(',quiet,', ',"quiet",')),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     line 16: is not quoted as this tool quotes: another program wrote it`,
  ],
  [
    'a formula let loose',
    line(/'=1\+1@%/, text => text.replace("'=1+1@%", '=1+1@%')),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     line *: is not quoted as this tool quotes: another program wrote it`,
  ],
  [
    'a quote added',
    line(/,quiet,/, text => text.replace(',quiet,', ',"quiet,')),
    `the SHA-256 is *, the manifest says *
     the size is * bytes, the manifest says *
     line 16: is no record of RFC 4180: a quote or a return is out of place
     quiet was asked for and is not in the report
     half was asked for and is not in the report
     the report has 14 rows, the manifest says 16`,
  ],
  [
    'a column renamed',
    text => text.replace('enabled', 'Enabled'),
    `the SHA-256 is *, the manifest says *
     line 1: column 18 is "Enabled", not enabled`,
  ],
  [
    'emptied',
    () => '',
    `the SHA-256 is *, the manifest says *
     the size is 0 bytes, the manifest says *
     the byte order mark at the start is lost: another program saved the file
     crm was asked for and is not in the report
     down was asked for and is not in the report
     orders was asked for and is not in the report
     quiet was asked for and is not in the report
     half was asked for and is not in the report
     the report has 0 rows, the manifest says 16`,
  ],
];
for (const [what, csv, faults] of tampered)
  test(`--verify notices in the CSV: ${what}`, () => mustFind(altered(csv), faults));

const sealed: typeof tampered = [
  [
    'another order',
    lines(all => all.splice(-2, 2, all.at(-1)!, all.at(-2)!)),
    'line 18: is out of order: rows are sorted by account, region, database, scope, principal and chain',
  ],
  ['the report of a row', line(/,quiet,/, text => text.replace(/^[^,]*/, 'x')), 'line 16: report_id is "x", not *-*'],
  ['the time of a row', line(/,quiet,/, text => text.replace(/,\d{4}/, ',1999')), 'line 16: generated_at is "1999-*'],
  [
    'a host',
    line(/,quiet,/, text => text.replace('quiet.', 'loud.')),
    'line 16: host of quiet is "loud.example.com", not quiet.example.com',
  ],
  [
    'an account',
    line(/,quiet,/, text => text.replace('111122223333', '111122223339')),
    'line 16: account_id of quiet is "111122223339", not 111122223333',
  ],
  [
    'an account name that needs quotes and a guard',
    line(/,crm,/, text => text.replace('EU', 'US')),
    `line 2: account_name of crm is "'=shop \\"prod\\", US", not "'=shop ""prod"", EU"`,
  ],
  [
    'why it failed',
    line(/,down,/, text => text.replace('refused', 'lost')),
    'line 12: detail of down is "connection lost: *", not connection refused: *',
  ],
  [
    'when it was read',
    line(/root_role/, text => text.replace(/Z,\r\n$/, 'X,\r\n')),
    'line 15: collected_at of orders is "*X", not *Z',
  ],
  [
    'a name where there is nobody',
    line(/,quiet,/, text => text.replace('none,,,', 'none,,me,')),
    'line 16: a row that is "none" names nobody, and this one has principal',
  ],
  [
    'a database that nobody asked for',
    line(/,quiet,/, text => text.replaceAll('quiet', 'quieter')),
    `line 16: "quieter" was not asked for
     quiet was asked for and is not in the report`,
  ],
  [
    'what could not be read',
    line(/,incomplete,/, text => text.replace(',incomplete,', ',admin,')),
    `half is "incomplete", and no row says what could not be read
     half has 2 administrators, the manifest says 1`,
  ],
];
for (const [what, csv, faults] of sealed)
  test(`--verify notices in a CSV whose size and SHA-256 were made to fit: ${what}`, () =>
    mustFind(altered(csv, undefined, true), faults));

const forged: [what: string, manifest: (manifest: Manifest) => unknown, faults: string][] = [
  ['a total', it => it.totals.failed--, 'the manifest: totals.failed is 0, its databases add up to 1'],
  [
    'the rows',
    it => it.totals.rows++,
    `the manifest: totals.rows is 17, its databases add up to 16
     the report has 16 rows, the manifest says 17`,
  ],
  [
    'the administrators',
    it => it.databases[2]!.administrators--,
    `the manifest: totals.administrators is 12, its databases add up to 11
     orders has 2 administrators, the manifest says 1`,
  ],
  [
    'the text of a query',
    it => Object.assign(it.queries[0]!, { text: 'SELECT 2\n' }),
    'the manifest: the text of the query "administrators.sql" has not the SHA-256 *',
  ],
  ['a query twice', it => it.queries.push(it.queries[0]!), 'the manifest: the query * is listed twice'],
  [
    'a query gone',
    it => it.queries.pop(),
    entries.map(({ id }) => `the manifest: the text of the query * of ${id} is missing`).join('\n'),
  ],
  [
    'a query that did not run',
    it => it.queries.push({ file: 'x', text: 'x', sha256: sha256('x') }),
    `the manifest: the query ${sha256('x')} ran on none of the databases`,
  ],
  ['what was left out', it => it.excluded.push('x'), 'the manifest: databases are excluded, and there is no filter'],
  [
    'the accounts of the filter',
    it => {
      it.filter.accounts = ['111122223333'];
      it.excluded = ['half'];
    },
    `the manifest: half stands twice among the databases that were asked for and those that were excluded
     the manifest: half is in no account of the filter`,
  ],
  [
    'the databases of the filter',
    it => {
      it.filter.databases = ['crm', 'down', 'orders', 'half', 'x'];
    },
    `the manifest: quiet is no database of the filter
     the manifest: x of the filter is neither asked for nor excluded`,
  ],
  ['another order', it => it.databases.push(it.databases.shift()!), 'the manifest: crm is out of order'],
  [
    'a database twice',
    it => {
      it.databases.splice(1, 0, it.databases[1]!);
      Object.assign(it.totals, { databases: 6, failed: 2, rows: 17 });
    },
    `the manifest: down stands twice among the databases that were asked for and those that were excluded
     the report has 16 rows, the manifest says 17`,
  ],
  [
    'the time of its end',
    it => Object.assign(it, { finished_at: '1999-01-01T00:00:00Z' }),
    'the manifest: finished_at is before generated_at',
  ],
  [
    'where it was written',
    it => Object.assign(it.report, { location: 's3://bucket/x.csv' }),
    'the manifest: report.location does not end in db-admins_*.csv, as its own ids demand',
  ],
];
for (const [what, manifest, faults] of forged)
  test(`--verify notices in the manifest: ${what}`, () => mustFind(altered(same, manifest), faults));

test('--verify notices: the manifest of another report, or none that it can read', async () => {
  const other = await makeReport([{ id: 'other' }], { other: found() });
  const copy = altered(same);
  fs.copyFileSync(manifestOf(other), manifestOf(copy));
  const { code, stdout } = await runCli(['--verify', copy]);
  assert.equal(code, 1);
  for (const says of [
    /^NOT as written: /,
    /^ {2}the file's name is that of another report: the manifest's is db-admins_/m,
    /^ {2}lines 2-\d.*: "crm" was not asked for$/m,
    /^ {2}other was asked for and is not in the report$/m,
  ])
    assert.match(stdout, says);
  await mustFind(
    altered(same, it => Object.assign(it, { report_id: randomUUID(), generated_at: '2026-01-01T00:00:00Z' })),
    `the file's name is that of another report: the manifest's is db-admins_20260101T000000Z_*.csv
     the manifest: report.location does not end in *.csv, as its own ids demand
     lines 2-7, 9-18: report_id is *, not *
     lines 2-7, 9-18: generated_at is *, not 2026-01-01T00:00:00Z`,
  );
  const unreadable = {
    '{"manifest_version": 1,': '*.manifest.json is not JSON at line 1, column 24: it ends too early',
    '{"manifest_version": 2}': '*: manifest_version is 2; this version of the tool reads manifests of version 1',
    '{}': '*: manifest_version is missing; this version of the tool reads manifests of version 1',
    null: '*: manifest_version is missing; *',
    '{"manifest_version": 1, "manifest_version": 1}': '*: the field "manifest_version" stands twice in one object',
  };
  for (const [manifest, fault] of Object.entries(unreadable)) {
    fs.writeFileSync(manifestOf(copy), manifest);
    await mustFind(copy, fault);
  }
  fs.rmSync(manifestOf(copy));
  await mustFind(copy, '*.manifest.json cannot be read: there is no such file');
  await mustFind(path.join(folder, 'no.csv'), '*no.csv cannot be read: *\n*no.manifest.json cannot be read: *');
  await mustFind(manifestOf(original), '*.manifest.json is no report: the name of a report ends in .csv');
});

test('--verify: as written, whatever a worker answered; and what it read in part is not covered', async () => {
  const two = (...names: string[]) => found(...names.map(name => admin(name)));
  const answers: Record<string, [answer: object, covered: number]> = {
    'halves of characters, which sort otherwise in a file': [two('x\ud800', 'x\ue000'), 1],
    'halves of characters, which are one in a file': [two('x\ud800', 'x\ud801'), 1],
    'a row that says that it is incomplete': [found(admin('x'), unseen('GRANT')), 0],
    'failed, with rows': [{ ...found(admin('x')), result: 'failed' }, 0],
    'no texts': [
      { ...found(), engine: null, engine_version: 8, server_name: {}, collected_at: null, duration_ms: -1.5 },
      1,
    ],
    'a query without its text': [{ ...found(admin('x')), queries: [sha256('another'), 5] }, 1],
    'a detail with a half at its cut': [{ result: 'failed', detail: `${'x'.repeat(999)}😀` }, 0],
  };
  for (const [what, [answer, covered]] of Object.entries(answers)) {
    const report = await makeReport([{ id: 'one' }], { one: answer });
    assert.deepEqual((await checkReport(report)).faults, [], what);
    assert.equal(readManifest(report).totals.covered, covered, what);
    assert.ok(isManifest(readManifest(report)), `${what}: ${JSON.stringify(isManifest.errors)}`);
  }
});

// ── the manifest's schema ─────────────────────────────────────────────────────────────────────────────────────────────

const schema = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'manifest.schema.json'), 'utf8'));
const isManifest = new Ajv2020({ allErrors: true, strict: true }).compile(schema);

test('the schema of the manifest describes every field, and every manifest keeps to it', () => {
  type Node = { description?: string; properties?: Record<string, Node>; items?: Node; [keyword: string]: unknown };
  const walk = (node: Node, place: string) => {
    assert.ok(node.description !== undefined || /\[\]$/.test(place), `${place} has no description`);
    for (const [name, field] of Object.entries(node.properties ?? {})) walk(field, `${place}.${name}`);
    if (node.items) walk(node.items, `${place}[]`);
    if (!node.properties) return;
    assert.equal(node.additionalProperties, false, place);
    assert.deepEqual(node.required, Object.keys(node.properties), place);
  };
  walk(schema, 'manifest');
  assert.ok(isManifest(readManifest(original)), JSON.stringify(isManifest.errors));
});

test('what the schema of the manifest refuses, --verify refuses: each field gone, of another type, or new', async () => {
  const whole = readManifest(original);
  whole.excluded = ['x'];
  whole.filter = { accounts: ['111122223333'], databases: ['crm'] };
  type Node = Record<string, unknown>;
  type Change = (holder: Node, name: string) => void;
  const changes: Record<string, Change> = {
    gone: (holder, name) => delete holder[name],
    'of another type': (holder, name) => {
      holder[name] = typeof holder[name] === 'number' ? '1' : 1.5;
    },
    new: (holder, name) => {
      holder[`${name}_`] = '';
    },
  };
  const places: string[][] = [];
  const visit = (node: unknown, place: string[]) => {
    if (typeof node !== 'object' || node === null) return;
    for (const [name, inner] of Object.entries(Array.isArray(node) ? node.slice(0, 1) : node)) {
      if (!Array.isArray(node)) places.push([...place, name]);
      visit(inner, [...place, name]);
    }
  };
  visit(whole, []);
  assert.ok(places.length > 50, `${places.length} fields`);
  for (const place of places.filter(([name]) => name !== 'manifest_version')) {
    for (const [how, change] of Object.entries(changes)) {
      const manifest = structuredClone(whole);
      const holder = place.slice(0, -1).reduce<Node>((node, step) => node[step] as Node, manifest);
      change(holder, place.at(-1)!);
      assert.equal(isManifest(manifest), false, `the schema takes ${place.join('.')} ${how}`);
      const copy = altered(same);
      fs.writeFileSync(manifestOf(copy), JSON.stringify(manifest));
      const { faults } = await checkReport(copy);
      const dotted = place.join('.').replaceAll('.0.', '[0].');
      assert.ok(faults.length === 1 && faults[0]!.includes(dotted), `${dotted} ${how}: ${faults.join('\n')}`);
    }
  }
});

// ── --compare ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Compares two reports of the databases `crm` and, where given, others; both as text and as JSON. */
async function compareReports(
  old: Results,
  now: Results,
  oldRequest?: Partial<Request>,
  newRequest?: Partial<Request>,
) {
  const entriesOf = (results: Results, request?: Partial<Request>) =>
    Object.entries({ ...results, ...(request && { ...old, ...now }) }).map(([id, { engine_version }]) => ({
      id,
      ...(id === 'crm' && { account_name: 'shop' }),
      ...(engine_version === 'moved' && { host: 'elsewhere.example.com' }),
    }));
  const before = await makeReport(entriesOf(old, oldRequest), old, oldRequest);
  const later = await makeReport(entriesOf(now, newRequest), now, newRequest);
  return { before, later, ...(await compareFiles(before, later)) };
}

async function compareFiles(...args: string[]) {
  const [text, json] = await Promise.all([runCli(['--compare', ...args]), runCli(['--compare', ...args, '--json'])]);
  assert.equal(text.code, json.code);
  return { code: text.code, stderr: text.stderr, text: text.stdout, json: json.stdout && JSON.parse(json.stdout) };
}

const nothing = {
  ...{ compared_databases: 0, unchanged: 0, became: 0, ceased: 0, changed: 0 },
  ...{ new_databases: 0, gone_databases: 0, not_comparable: 0 },
};

test('--compare: who became, ceased to be or changed as an administrator', async () => {
  const before = found(
    admin('alice@%'),
    admin('bob@%', { privileges: 'CREATE USER; SUPER' }),
    admin('carol@%'),
    admin('dave@%', { granted_through: 'ops > root_role' }),
    admin('same@%', { detail: 'the same' }),
  );
  const now = found(
    admin('bob@%', { privileges: 'FILE; SUPER', can_grant: 'yes' }),
    admin('carol@%', { enabled: 'no', detail: 'locked' }),
    admin('dave@%'),
    admin('erin@%', { can_grant: 'yes', enabled: 'no', granted_through: 'ops' }),
    admin('same@%', { detail: 'the same' }),
    admin('same@%', { scope: 'database:x', privileges: 'ALL' }),
  );
  const { code, stderr, text, json } = await compareReports(
    { crm: before, quiet: found() },
    { crm: now, quiet: found() },
  );
  assert.deepEqual([code, stderr], [4, '']);
  assert.deepEqual(json.counts, { ...nothing, compared_databases: 2, unchanged: 1, became: 2, ceased: 1, changed: 3 });
  const who = (list: { scope: string; principal: string; fields: string[] }[]) =>
    list.map(({ scope, principal, fields }) => [scope, principal, ...fields].join());
  assert.deepEqual(who(json.became), ['database:x,same@%', 'server,erin@%']);
  assert.deepEqual(who(json.ceased), ['server,alice@%']);
  assert.deepEqual(who(json.changed), [
    'server,bob@%,privileges,can_grant',
    'server,carol@%,enabled,detail',
    'server,dave@%,granted_through',
  ]);
  const [bob] = json.changed;
  assert.deepEqual([bob.account_id, bob.account_name, bob.database_id], ['111122223333', 'shop', 'crm']);
  assert.deepEqual([bob.old[0].privileges, bob.new[0].privileges], ['CREATE USER; SUPER', 'FILE; SUPER']);
  assert.equal(
    text.slice(text.indexOf('Administrators:')),
    `Administrators: 2 became, 1 ceased, 3 changed, 1 unchanged
Databases: 2 compared, 0 new, 0 gone, 0 not comparable

111122223333 shop, crm
  became   same@%, database:x
           ALL
  became   erin@%, server
           through ops: SUPER, may grant it, cannot log in
  ceased   alice@%, server
           SUPER
  changed  bob@%, server
           privileges gained FILE lost CREATE USER
           can_grant no → yes
  changed  carol@%, server
           enabled yes → no
           detail "" → locked
  changed  dave@%, server
           lost: through ops > root_role: SUPER
           gained: SUPER
`,
  );
});

test('--compare: databases that are new, gone, moved or not read in full are named and are no changes', async () => {
  const reports = {
    old: {
      crm: found(admin('a')),
      gone: found(admin('a'), admin('b')),
      half: { ...found(admin('a'), unseen('GRANT SELECT')), result: 'incomplete' as const },
      down: found(admin('a')),
    },
    now: {
      crm: { ...found(admin('a')), engine_version: 'moved' },
      new: found(admin('a')),
      half: found(admin('a'), admin('b')),
      down: { result: 'failed' as const, detail: 'connection refused' },
    },
  };
  const { code, text, json } = await compareReports(reports.old, reports.now);
  assert.equal(code, 3);
  const counts = { compared_databases: 1, unchanged: 1, new_databases: 1, gone_databases: 1, not_comparable: 2 };
  assert.deepEqual(json.counts, { ...nothing, ...counts });
  const place = { account_id: '111122223333', account_name: '' };
  assert.deepEqual(json.new_databases, [{ ...place, database_id: 'new', result: 'admin', administrators: 1 }]);
  assert.deepEqual(json.gone_databases, [{ ...place, database_id: 'gone', result: 'admin', administrators: 2 }]);
  assert.deepEqual(json.not_comparable, [
    { ...place, database_id: 'down', why: 'failed in the new report: connection refused' },
    { ...place, database_id: 'half', why: 'incomplete in the old report: GRANT SELECT' },
  ]);
  assert.deepEqual(json.notes, ['crm: host crm.example.com → elsewhere.example.com, engine_version  → moved']);
  for (const says of [
    /^Not comparable.*:\n {2}111122223333, down: failed in the new report: connection refused\n/m,
    /^New databases.*:\n {2}111122223333, new: admin, administrators: 1\n/m,
    /^Gone databases.*:\n {2}111122223333, gone: admin, administrators: 2\n/m,
    /^Notes:\n {2}crm: host crm\.example\.com → elsewhere/m,
  ])
    assert.match(text, says);
});

test('--compare: what a filter left out is not gone', async () => {
  const both = { crm: found(admin('a')), other: found(admin('a')) };
  const { code, json } = await compareReports(both, both, undefined, { databases: ['crm'] });
  assert.equal(code, 3);
  assert.deepEqual(json.counts, { ...nothing, compared_databases: 1, unchanged: 1, not_comparable: 1 });
  assert.match(
    json.not_comparable[0].why,
    /^left out of the new report, which was narrowed by --account or --database$/,
  );
});

test('--compare: no difference; the same report; swapped; odd names', async () => {
  const odd = { crm: found(...oddNames.map(name => admin(name))) };
  const { code, before, later, text, json } = await compareReports(odd, odd);
  assert.equal(code, 0, text);
  assert.deepEqual(json.counts, { ...nothing, compared_databases: 1, unchanged: 8 }); // =… and '=… are one in a CSV
  assert.deepEqual(json.old, { report: before, ...idsOf(before), faults: [] });
  assert.deepEqual(json.new, { report: later, ...idsOf(later), faults: [] });
  assert.deepEqual((await compareFiles(before, before)).json.notes, ['both are the same report']);
  const dated = altered(same, it => Object.assign(it, { generated_at: '2099-01-01T00:00:00Z' }));
  const swapped = await compareFiles(dated, original, '--unverified');
  assert.ok(swapped.json.notes.includes('the old report is the later one: are they swapped?'), swapped.text);
});

const idsOf = (report: string) => {
  const { report_id, generated_at } = readManifest(report);
  return { report_id, generated_at };
};

test('--compare refuses a report that is not as written, unless --unverified, and never reads half of one', async () => {
  const spreadsheet = altered(line(/root_role/, text => text.replace('root_role', 'harmless')));
  const refused = await compareFiles(original, spreadsheet);
  assert.deepEqual([refused.code, refused.text], [1, '']);
  assert.match(refused.stderr, /^NOT as written: .*^ {2}the SHA-256 is .*unless with --unverified\.$/ms);
  assert.deepEqual(Object.keys(refused.json), ['old', 'new']);
  assert.equal(refused.json.old.faults.length, 0);
  assert.match(refused.json.new.faults[0], /^the SHA-256 is/);

  const compared = await compareFiles(original, spreadsheet, '--unverified');
  assert.equal(compared.code, 4);
  assert.match(compared.text, /^ +NOT as written, and compared all the same:\n +the SHA-256 is/m);
  assert.deepEqual(
    compared.json.changed.map(({ principal, fields }: { principal: string; fields: string[] }) => [
      principal,
      ...fields,
    ]),
    [['dba@%', 'granted_through']],
  );

  fs.rmSync(manifestOf(spreadsheet));
  const alone = await compareFiles(original, spreadsheet, '--unverified');
  assert.equal(alone.code, 4);
  assert.deepEqual({ ...alone.json.new, faults: 1 }, { report: spreadsheet, ...idsOf(original), faults: 1 });

  for (const [csv, why] of [
    [line(/quiet/, text => text.replace(',', '')), /line 16 is no row of a report$/m],
    [line(/quiet/, text => text.replace('none', 'nobody')), /line 16 has the result "nobody"$/m],
    [line(/report_id/, text => text.replace('scope', 'where')), /line 1 does not have the columns of a report$/m],
    [() => '', /it is empty$/m],
  ] as const) {
    const { code, stderr, text } = await compareFiles(altered(csv), original, '--unverified');
    assert.deepEqual([code, text], [1, '']);
    assert.match(stderr, why);
  }
  assert.equal((await compareFiles(original, path.join(folder, 'no.csv'), '--unverified')).code, 1);
});

// ── real servers, on both sides of a change ───────────────────────────────────────────────────────────────────────────

test('reports of real servers: as written, and compared across a change', { timeout: 120_000 }, async () => {
  const [mysql, mariadb, doomed] = await Promise.all([startMysql(), startMariadb(), startMariadb()]);
  servers.push(mysql, mariadb, doomed);
  const database = (id: string, { port }: Server, account: string) => ({
    ...{ id, account, region: 'eu-west-1', engine: 'mysql', host: '127.0.0.1', port },
    credentials: `env:${id.toUpperCase()}`,
  });
  const inventory = path.join(folder, 'inventory.json');
  const all = { orders: mysql, ledger: mariadb, crm: doomed };
  const [shop, finance] = ['111122223333', '444455556666'];
  const databases = [
    database('orders', mysql, shop),
    database('ledger', mariadb, finance),
    database('crm', doomed, shop),
  ];
  fs.writeFileSync(inventory, JSON.stringify({ databases }));
  const env = { ...process.env };
  for (const [id, server] of Object.entries(all)) {
    await server.query("CREATE USER auditor@'%' IDENTIFIED BY 'Secret of the auditor 1'");
    await server.query("GRANT SELECT ON mysql.* TO auditor@'%'");
    await server.query("CREATE USER alice@'%' IDENTIFIED BY 'x'");
    await server.query("GRANT ALL ON *.* TO alice@'%'");
    await server.query('CREATE ROLE dba');
    await server.query('GRANT CREATE USER ON *.* TO dba');
    await server.query("CREATE USER bob@'%' IDENTIFIED BY 'x'");
    await server.query("GRANT dba TO bob@'%'");
    const value = { username: 'auditor', password: 'Secret of the auditor 1', ca: server.ca };
    env[id.toUpperCase()] = JSON.stringify(value);
  }
  const makeOne = async () => {
    const { stdout, stderr } = await runCli(['--local', '--inventory', inventory, '--out', folder, '--json'], { env });
    const summary = JSON.parse(stdout);
    assert.ok(summary.report, stderr);
    const { code, stdout: said } = await runCli(['--verify', summary.report]);
    assert.equal(code, 0, said);
    const manifest = readManifest(summary.report);
    assert.ok(isManifest(manifest), JSON.stringify(isManifest.errors));
    return { ...summary, manifest };
  };
  const before = await makeOne();
  assert.equal(before.status, 'complete', JSON.stringify(before));
  const again = await makeOne();
  const unchanged = await compareFiles(before.report, again.report);
  assert.equal(unchanged.code, 0, unchanged.text);
  assert.equal(unchanged.json.counts.unchanged, before.administrators);

  for (const server of [mysql, mariadb]) {
    await server.query("CREATE USER mallory@'%' IDENTIFIED BY 'x'");
    await server.query("GRANT SUPER ON *.* TO mallory@'%' WITH GRANT OPTION");
    await server.query('DROP ROLE dba');
    await server.query("ALTER USER alice@'%' ACCOUNT LOCK");
  }
  await doomed.stop();
  const now = await makeOne();
  assert.deepEqual(now.databases, { total: 3, covered: 2, incomplete: 0, failed: 1 });
  const { code, json, text } = await compareFiles(before.report, now.report);
  assert.equal(code, 4, text);
  type Entry = { database_id: string; principal: string; fields: string[] };
  const who = (list: Entry[]) =>
    list.map(({ database_id, principal, fields }) => [database_id, principal, ...fields.slice(0, 1)].join(' '));
  assert.deepEqual(who(json.became), ['orders mallory@%', 'ledger mallory@%']);
  assert.deepEqual(who(json.ceased), ['orders bob@%', 'orders dba@%', 'ledger bob@%', 'ledger dba']);
  const dropped = 'ledger root@localhost granted_through'; // in MariaDB who makes a role holds it
  assert.deepEqual(who(json.changed), ['orders alice@% enabled', 'ledger alice@% enabled', dropped]);
  assert.deepEqual(
    json.not_comparable.map(({ database_id }: Entry) => database_id),
    ['crm'],
  );
  assert.match(json.not_comparable[0].why, /^failed in the new report: connection refused/);
  assert.match(text, /^111122223333, orders\n {2}became {3}mallory@%, server\n/m);
});

// ── the command line, told everywhere the same ────────────────────────────────────────────────────────────────────────

test('every flag is in --help and in the README, and they tell of no other', () => {
  const flagsIn = (text: string) => [
    ...new Set([...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, name]) => name!)),
  ];
  const known = Object.keys(options).sort();
  assert.deepEqual(flagsIn(help).sort(), known);
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8').replaceAll('\\\n', ' ');
  const mentioned = flagsIn(readme);
  assert.deepEqual(
    known.filter(flag => !mentioned.includes(flag)),
    [],
    'the README does not tell of them',
  );
  // Other programs have flags of their own: ours are in commands that name it, and at the head of a table's row or an item.
  const ours = readme.match(/^.*cli\.ts.*$|^(\| |[-*] )`--.*$/gm)?.join('\n') ?? '';
  assert.deepEqual(
    flagsIn(ours).filter(flag => !known.includes(flag)),
    [],
    'the README tells of them, and there are none',
  );
});

test('every column of the report is in the README', () => {
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  assert.deepEqual(
    columns.filter(column => !readme.includes(`\`${column}\``)),
    [],
  );
});
