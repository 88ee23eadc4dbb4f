// --verify and --compare, the manifest's schema, and that help and README tell of every flag.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { checkReport, help, options, readCsv } from '../cli.ts';
import { columns, csvLine, localSurroundings, type Manifest, type Request, run } from '../orchestrator.ts';
import { type Database, type DatabaseResult, failed, type Row, rowColumns } from '../worker.ts';
import { runCli } from './command.ts';
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
  const databases = entries.map(entry => ({
    account: '111122223333',
    region: 'us-east-1',
    engine: 'mysql',
    host: `${entry.id}.example.com`,
    credentials: 'env:NONE',
    ...entry,
  }));
  const bytes = Buffer.from(JSON.stringify({ databases }));
  const surroundings = localSurroundings({ source: 'inventory.json', bytes }, out, async (chosen, done) => {
    for (const database of chosen) {
      const result = { ...failed(database, ''), login: 'auditor', queries: [query.sha256], ...results[database.id] };
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
  extent: 'full',
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
  half: {
    ...{ result: 'incomplete', detail: 'GRANT SELECT ON mysql.user TO auditor' },
    rows: [admin('sa'), unseen('GRANT SELECT ON mysql.user TO auditor')],
  },
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
  assert.deepEqual(
    readCsv(rows.map(csvLine).join('')),
    rows.map(row => row.map(field => (/^[=+\-@\t\r\n]/.test(field) ? `'${field}` : field))),
  );
  assert.deepEqual(readCsv('a,\nc,"d\n""e"\n'), [
    ['a', ''],
    ['c', 'd\n"e'],
  ]);
  assert.deepEqual(readCsv(''), []);
  assert.deepEqual(readCsv('last'), [['last']]);
  assert.deepEqual(readCsv('last,'), [['last', '']]);
  for (const text of ['a"b,c\r\n"d"\r\n', 'a\rb\r\n', '"a"b\r\n', '"a', '"a""\r\n', ' "a,b"\r\n'])
    assert.throws(() => readCsv(text), /^Error: record 1 is not CSV/, JSON.stringify(text));
});

// ── --verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test('--verify: a report as it was written has a page that serves as the cover sheet of the evidence', async () => {
  const { code, stdout, stderr } = await runCli(['--verify', original]);
  assert.deepEqual([code, stderr], [0, '']);
  const { report, report_id, generated_at, finished_at, inventory } = readManifest(original);
  const manifestSha256 = sha256(fs.readFileSync(manifestOf(original)));
  const line = (name: string, fact: string) => `${name.padEnd(15)} ${fact}`;
  assert.equal(
    stdout,
    `The two files agree: ${original} and the manifest beside it

${line('Report', `${report_id}, for the control ${readManifest(original).control}`)}
${line('Made', `from ${generated_at} to ${finished_at}, by version 1.0.0 of this tool`)}
${line('Requested by', 'tester (as claimed)')}
${line('Written as', `${report.location}, ${report.bytes} bytes`)}
${line('SHA-256', report.sha256)}
${line('Its manifest', `${manifestSha256} (SHA-256; compare it with what the run printed)`)}
${line('Inventory', 'inventory.json')}
${line('Its SHA-256', inventory.sha256)}
${line('Asked for', 'the whole inventory')}
${line('Population', "0 of 2 accounts and regions compared with AWS's own list")}
${line('Databases', '3 of 5 covered, 1 incomplete, 1 failed, 0 unlisted, 0 excluded')}
${line('Administrators', '12, 12 of them full (16 rows)')}
${line('Queries', '1, each with its text in the manifest')}

By account:
  111122223333 (=shop "prod", EU): 3 of 4 covered, 0 incomplete, 1 failed, 0 unlisted, 0 excluded; administrators: 11, 11 of them full (14 rows)
  444455556666: 0 of 1 covered, 1 incomplete, 0 failed, 0 unlisted, 0 excluded; administrators: 1, 1 of them full (2 rows)

Failed:
  1 database of 111122223333, us-east-1: connection refused: nothing listens at that host and port: down

Incomplete:
  1 database of 444455556666, us-east-1: GRANT SELECT ON mysql.user TO auditor: half

Not compared with AWS's own list:
  ${readManifest(original).population[0]!.detail}: 111122223333 us-east-1, 444455556666 us-east-1

Read without checking which server it was:
  tls trust: orders

Databases outside RDS, and accounts that the inventory does not name, are for the inventory to name.
That nobody replaced both files is shown by the SHA-256 of the manifest, which the run printed and the
function's log keeps, and by the versions and the Object Lock of the bucket.
`,
  );
});

test('--verify takes the SHA-256 that the run printed, and with it notices each change of the manifest', async () => {
  const printed = sha256(fs.readFileSync(manifestOf(original)));
  const { code, stdout } = await runCli(['--verify', original, '--manifest-sha256', printed.toUpperCase()]);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^Its manifest +${printed} \\(SHA-256; as the run printed it\\)$`, 'm'));
  const changes: ((it: Manifest) => unknown)[] = [
    it => Object.assign(it, { requested_by: 'somebody else' }),
    it => Object.assign(it.databases[2]!, { tls: 'verify' }),
    it => Object.assign(it, { population: [] }),
  ];
  for (const change of changes) {
    const copy = altered(same, change);
    assert.deepEqual((await checkReport(copy)).faults, []); // the two files agree
    const { code, stdout } = await runCli(['--verify', copy, '--manifest-sha256', printed]);
    assert.equal(code, 1);
    assert.match(
      stdout,
      new RegExp(`^NOT as written: .*\n {2}the SHA-256 of the manifest is [0-9a-f]{64}, the run printed ${printed}\n$`),
    );
  }
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
/** In place of the record that matches: what each of `become` makes of it. */
const record = (pattern: RegExp, ...become: ((line: string) => string)[]) => {
  return (text: string) => {
    const all = text.split(/(?<=\r\n)(?!d@%)/); // one name has a line end in it
    const i = all.findIndex(line => pattern.test(line));
    all.splice(i, 1, ...become.map(edit => edit(all[i]!)));
    return all.join('');
  };
};
const notUtf8 = (text: string) => {
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf('SUPER')]! ^= 0x80;
  return bytes;
};

const hash = 'the SHA-256 is *, the manifest says *';
const size = 'the size is * bytes, the manifest says *';
const tampered: [what: string, csv: (text: string) => string | Buffer, faults: string][] = [
  ['a flipped byte', text => text.replace('SUPER', 'SUPES'), hash],
  ['a flipped byte that leaves no text', notUtf8, hash],
  ['a lost line', record(/root_role/), `${hash}\n${size}\norders has 2 rows, the manifest says 3`],
  ['the only line of a database lost', record(/,quiet,/), `${hash}\n${size}\nquiet has 0 rows, the manifest says 1`],
  ['the last line cut', text => text.slice(0, -9), `${hash}\n${size}\na row is of another run than the manifest`],
  [
    'a line added in a spreadsheet',
    record(/,quiet,/, same, text => text.replace(',none,,,', ',admin,server,mallory@%,')),
    `${hash}
     ${size}
     quiet has 2 rows, the manifest says 1
     quiet is "none" in the manifest and has a row that is "admin"
     quiet has 1 administrators, the manifest says 0`,
  ],
  [
    'an administrator added where there are others',
    record(/root_role/, same, text => text.replace('dba@%', 'mallory@%')),
    `${hash}
     ${size}
     orders has 4 rows, the manifest says 3
     orders has 3 administrators, the manifest says 2
     orders has 3 full, the manifest says 2`,
  ],
  [
    'less power',
    record(/root_role|database:x/, text => text.replace(',full,', ',part,')),
    `${hash}\norders has 1 full, the manifest says 2`,
  ],
  ['line feeds alone, as some programs save', text => text.replaceAll('\r\n', '\n'), `${hash}\n${size}`],
  ['no byte order mark, as some programs save', text => text.slice(1), `${hash}\n${size}`],
  [
    'semicolons, as Excel saves in much of Europe',
    text => text.replaceAll(',', ';').replaceAll('"', ''),
    `the columns are not those of a report: account_id,*\n${hash}\n${size}`,
  ],
  ['quoted by another program', record(/,quiet,/, text => text.replace(',quiet,', ',"quiet",')), `${hash}\n${size}`],
  ['a formula let loose', record(/'=1\+1@%/, text => text.replace("'=1+1@%", '=1+1@%')), `${hash}\n${size}`],
];
for (const [what, csv, faults] of tampered)
  test(`--verify notices in the CSV: ${what}`, () => mustFind(altered(csv), faults));

const sealed: typeof tampered = [
  [
    'a host',
    record(/,quiet,/, text => text.replace('quiet.', 'loud.')),
    'quiet has 0 rows, the manifest says 1\nquiet is no database of the manifest',
  ],
  [
    'an account',
    record(/,quiet,/, text => text.replace('111122223333', '111122223339')),
    'quiet has 0 rows, the manifest says 1\nquiet is no database of the manifest',
  ],
  [
    'a database that nobody asked for',
    record(/,quiet,/, text => text.replaceAll('quiet', 'quieter')),
    'quiet has 0 rows, the manifest says 1\nquieter is no database of the manifest',
  ],
  [
    'a failure turned into nobody',
    record(/,down,/, text => text.replace(',failed,', ',none,')),
    'down is "failed" in the manifest and has a row that is "none"',
  ],
  [
    'a name where there is nobody',
    record(/,quiet,/, text => text.replace(',none,', ',admin,')),
    'quiet is "none" in the manifest and has a row that is "admin"\nquiet has 1 administrators, the manifest says 0',
  ],
];
for (const [what, csv, faults] of sealed)
  test(`--verify notices in a CSV whose size and SHA-256 were made to fit: ${what}`, () =>
    mustFind(altered(csv, undefined, true), faults));

const forged: [what: string, manifest: (manifest: Manifest) => unknown, faults: string][] = [
  ['a total', it => it.totals.failed--, 'totals.failed is 0, the databases add up to 1'],
  [
    'the rows',
    it => it.databases[3]!.rows++,
    'totals.rows is 16, the databases add up to 17\nquiet has 1 row, the manifest says 2',
  ],
  [
    'the administrators',
    it => it.databases[2]!.administrators--,
    'totals.administrators is 12, the databases add up to 11\norders has 2 administrators, the manifest says 1',
  ],
  [
    'how many are full',
    it => it.databases[2]!.full--,
    'totals.full is 12, the databases add up to 11\norders has 2 full, the manifest says 1',
  ],
  [
    'the text of a query',
    it => Object.assign(it.queries[0]!, { text: 'SELECT 2\n' }),
    'the text of the query administrators.sql has not the SHA-256 *',
  ],
  [
    'a query gone',
    it => it.queries.pop(),
    entries.map(({ id }) => `the text of a query that ran on ${id} is missing`).join('\n'),
  ],
  [
    'the text of the inventory',
    it => {
      it.inventory.text = it.inventory.text.replace('verify', 'off').replace('crm.example', 'crn.example');
    },
    'the text of the inventory has not its SHA-256\nthe databases and those left out are not what the filter makes of the inventory',
  ],
  [
    'what was left out',
    it => it.left_out.push('x'),
    'the databases and those left out are not what the filter makes of the inventory',
  ],
  [
    'the time of the run',
    it => Object.assign(it, { generated_at: '2026-12-31T00:00:00Z' }),
    'a row is of another run than the manifest',
  ],
  [
    'the queries of a database',
    it => Object.assign(it.databases[3]!, { queries: [] }),
    'quiet was read, and the manifest names no query',
  ],
  ['servers in the population', it => it.population[0]!.unlisted++, 'the population does not add up to 0 unlisted'],
  [
    'a database gone, with its row and its totals',
    it => {
      it.databases.splice(1, 1);
      Object.assign(it.totals, { databases: 4, failed: 0, rows: 15 });
    },
    'the databases and those left out are not what the filter makes of the inventory\ndown is no database of the manifest',
  ],
  [
    'no list of databases',
    it => Object.assign(it, { databases: undefined }),
    'the manifest is not as this tool writes one: *',
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
    /^NOT as written: .*\n {2}the SHA-256 is .*\n {2}the size is .*\n/,
    /^ {2}other has 0 rows, the manifest says 1$/m,
    /^ {2}crm is no database of the manifest$/m,
  ])
    assert.match(stdout, says);
  const unreadable = {
    '{"manifest_version": 1,': '*JSON*',
    '{"manifest_version": 2}': 'the manifest is not of version 1, which this tool reads',
    '{}': 'the manifest is not of version 1, which this tool reads',
    null: 'the manifest is not as this tool writes one: *',
    '{"manifest_version": 1, "manifest_version": 1}': '*"manifest_version"*twice*',
  };
  for (const [manifest, fault] of Object.entries(unreadable)) {
    fs.writeFileSync(manifestOf(copy), manifest);
    await mustFind(copy, fault);
  }
  fs.rmSync(manifestOf(copy));
  await mustFind(copy, '*.manifest.json cannot be read: there is no such file or folder');
  await mustFind(path.join(folder, 'no.csv'), '*no.csv cannot be read: *\n*no.manifest.json cannot be read: *');
  await mustFind(folder, `${folder} cannot be read: it is a folder\n${folder}.manifest.json cannot be read: *`);
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
    'no query that is known': [{ ...found(admin('x')), queries: [sha256('another'), 5] }, 0],
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
    admin('bob@%', { privileges: 'FILE; SUPER', can_grant: 'yes', owner: 'Debian' }),
    admin('carol@%', { enabled: 'no', detail: 'locked', extent: 'part' }),
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
    'server,bob@%,privileges,can_grant,owner',
    'server,carol@%,extent,enabled,detail',
    'server,dave@%,granted_through',
  ]);
  const [bob] = json.changed;
  assert.deepEqual([bob.account_id, bob.account_name, bob.database_id], ['111122223333', 'shop', 'crm']);
  assert.deepEqual([bob.old[0].privileges, bob.new[0].privileges], ['CREATE USER; SUPER', 'FILE; SUPER']);
  assert.equal(
    text.slice(text.indexOf('Administrators:')),
    `Administrators: 2 became, 1 ceased, 3 changed, 1 unchanged
Databases: 2 compared, 0 new, 0 gone, 0 not comparable

Became an administrator:
  111122223333 (shop), crm: same@%, database:x
    new  ALL (full)
  111122223333 (shop), crm: erin@%, server
    new  through ops: SUPER (full), may grant it, cannot log in

Ceased to be one:
  111122223333 (shop), crm: alice@%, server
    old  SUPER (full)

Changed:
  111122223333 (shop), crm: bob@%, server
    old  lost CREATE USER, can_grant no, owner ""
    new  gained FILE, can_grant yes, owner Debian
  111122223333 (shop), crm: carol@%, server
    old  extent full, enabled yes, detail ""
    new  extent part, enabled no, detail locked
  111122223333 (shop), crm: dave@%, server
    old  granted_through ops > root_role
    new  granted_through ""
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
    /^New databases.*:\n {2}111122223333, new: admin, 1 administrator\n/m,
    /^Gone databases.*:\n {2}111122223333, gone: admin, 2 administrators\n/m,
    /^Notes:\n {2}crm: host crm\.example\.com → elsewhere/m,
  ])
    assert.match(text, says);
});

test('--compare: what a filter left out is not gone', async () => {
  const both = { crm: found(admin('a')), other: found(admin('a')) };
  const { code, json } = await compareReports(both, both, undefined, { databases: ['crm'] });
  assert.equal(code, 3);
  assert.deepEqual(json.counts, { ...nothing, compared_databases: 1, unchanged: 1, not_comparable: 1 });
  assert.match(json.not_comparable[0].why, /^left out of the new report, by --account or --database$/);
});

test('--compare: a database whose id was renamed is found by the own id of its server', async () => {
  const old = {
    crm: { ...found(admin('a'), admin('b')), server_id: 'S1' },
    x: { ...found(admin('a')), server_id: 'S2' },
  };
  const now = {
    'crm-eu': { ...found(admin('a'), admin('c')), server_id: 'S1' },
    y: { ...found(admin('a')), server_id: 'S3' },
  };
  const { code, json, text } = await compareReports(old, now);
  assert.equal(code, 4);
  const counts = { compared_databases: 1, unchanged: 1, became: 1, ceased: 1, new_databases: 1, gone_databases: 1 };
  assert.deepEqual(json.counts, { ...nothing, ...counts });
  assert.deepEqual([json.became[0].database_id, json.became[0].principal], ['crm-eu', 'c']);
  assert.equal(json.ceased[0].principal, 'b');
  assert.match(text, /^ {2}crm-eu: database_id crm → crm-eu, /m);
  assert.deepEqual([json.gone_databases[0].database_id, json.new_databases[0].database_id], ['x', 'y']);

  const twins = { a: { ...found(admin('a')), server_id: 'S' }, b: { ...found(), server_id: 'S' } };
  const later = { c: { ...found(admin('a')), server_id: 'S' } };
  assert.deepEqual((await compareReports(twins, later)).json.counts, {
    ...nothing,
    new_databases: 1,
    gone_databases: 2,
  });
});

test('--compare: another server under the same id, and another text of a query, are noted', async () => {
  const { before, later } = await compareReports(
    { crm: { ...found(), server_id: 'S1' } },
    { crm: { ...found(), server_id: 'S2' } },
  );
  const manifest = readManifest(later);
  const text = 'SELECT 2\n';
  manifest.queries = [{ ...query, text, sha256: sha256(text) }];
  manifest.databases[0]!.queries = [sha256(text)];
  fs.writeFileSync(manifestOf(later), JSON.stringify(manifest));
  const { code, json } = await compareFiles(before, later);
  assert.equal(code, 0);
  assert.deepEqual(json.notes, [
    'the query administrators.sql is not the same in both: what it finds may differ for that alone',
    'crm: another server than before (its own id S1 → S2)',
  ]);
});

test('--compare: an unlisted server is not comparable, and no new administrator when it is listed', async () => {
  const before = await makeReport([{ id: 'crm' }], { crm: found(admin('a')) });
  const manifest = readManifest(before);
  const row = (id: string, result: string, host: string) =>
    csvLine(
      columns.map(
        column =>
          ({
            account_id: '111122223333',
            database_id: id,
            result,
            host,
            port: '3306',
            region: 'us-east-1',
            detail: 'why',
            report_id: manifest.report_id,
            generated_at: manifest.generated_at,
          })[column as string] ?? '',
      ),
    );
  const server = (id: string, result: 'unlisted' | 'excluded', host: string) => ({
    ...readManifest(before).databases[0]!,
    ...{
      id,
      account_name: '',
      host,
      port: 3306,
      tls: '' as const,
      result,
      detail: 'why',
      rows: 1,
      administrators: 0,
      full: 0,
      queries: [],
    },
  });
  const rows = row('shop', 'unlisted', 'shop.rds') + row('test', 'excluded', 'test.rds');
  const csv = Buffer.from(fs.readFileSync(before, 'utf8') + rows);
  manifest.databases.push(server('shop', 'unlisted', 'shop.rds'), server('test', 'excluded', 'test.rds'));
  Object.assign(manifest.totals, { unlisted: 1, excluded: 1, rows: 3 });
  Object.assign(manifest.population[0]!, { unlisted: 1, excluded: 1 });
  Object.assign(manifest.report, { bytes: csv.length, sha256: sha256(csv) });
  fs.writeFileSync(before, csv);
  fs.writeFileSync(manifestOf(before), JSON.stringify(manifest));
  assert.deepEqual((await checkReport(before)).faults, []);

  const listed = { crm: found(admin('a')), shop: found(admin('b')) };
  const after = await makeReport([{ id: 'crm' }, { id: 'shop', host: 'shop.rds' }], listed);
  const { code, json } = await compareFiles(before, after);
  assert.equal(code, 3);
  assert.deepEqual(json.counts, {
    ...nothing,
    compared_databases: 1,
    unchanged: 1,
    new_databases: 1,
    not_comparable: 1,
  });
  assert.equal(json.not_comparable[0].why, 'unlisted in the old report: why');
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
  const spreadsheet = altered(record(/root_role/, text => text.replace('root_role', 'harmless')));
  const refused = await compareFiles(original, spreadsheet);
  assert.deepEqual([refused.code, refused.text], [1, '']);
  assert.match(refused.stderr, /^NOT as written: .*^ {2}the SHA-256 is .*--unverified compares what can be read\.$/ms);
  assert.deepEqual(Object.keys(refused.json), ['old', 'new']);
  assert.equal(refused.json.old.faults.length, 0);
  assert.match(refused.json.new.faults[0], /^the SHA-256 is/);

  const compared = await compareFiles(original, spreadsheet, '--unverified');
  assert.equal(compared.code, 4);
  assert.match(compared.text, /^ +compared although --verify refuses it: the SHA-256 is/m);
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
    [record(/,quiet,/, text => text.replace(',', '')), / {2}record 15 has 24 fields, not 25$/m],
    [record(/report_id/, text => text.replace('scope', 'where')), / {2}the columns are not those of a report: /m],
    [() => '', / {2}.*\.csv is empty$/m],
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
  assert.deepEqual([now.databases.total, now.databases.covered, now.databases.failed], [3, 2, 1]);
  const { code, json, text } = await compareFiles(before.report, now.report);
  assert.equal(code, 4, text);
  type Entry = { database_id: string; principal: string; fields: string[] };
  const who = (list: Entry[]) =>
    list.map(({ database_id, principal, fields }) => [database_id, principal, ...fields.slice(0, 1)].join(' '));
  assert.deepEqual(who(json.became), ['orders mallory@%', 'ledger mallory@%']);
  assert.deepEqual(who(json.ceased), ['orders bob@%', 'orders dba@%', 'ledger bob@%', 'ledger dba']);
  const dropped = 'ledger root@localhost detail'; // in MariaDB who makes a role holds it: its chain added nothing
  assert.deepEqual(who(json.changed), ['orders alice@% enabled', 'ledger alice@% enabled', dropped]);
  assert.deepEqual(
    json.not_comparable.map(({ database_id }: Entry) => database_id),
    ['crm'],
  );
  assert.match(json.not_comparable[0].why, /^failed in the new report: connection refused/);
  assert.match(text, /^Became an administrator:\n {2}111122223333, orders: mallory@%, server\n/m);
});

// ── the command line, told everywhere the same ────────────────────────────────────────────────────────────────────────

test('every flag is in --help, and it tells of no other', () => {
  const told = [...help.matchAll(/(?<![\w-])--([a-z][a-z0-9-]*)/g)].map(([, name]) => name!);
  assert.deepEqual([...new Set(told)].sort(), Object.keys(options).sort());
});
