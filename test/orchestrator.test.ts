// A run in this process, as `--local` makes it, with results that are made up: what is kept of them, and how it is written.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { columns, csvField, handler, type Line, localSurroundings, type Manifest, run } from '../orchestrator.ts';
import { type Database, type DatabaseResult, emptyRow, failed, type Row } from '../worker.ts';
import { readReport } from './command.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestrator-'));
after(() => fs.rmSync(folder, { recursive: true }));

const text = 'SELECT 1\n';
const query = { file: 'administrators.sql', sha256: createHash('sha256').update(text).digest('hex'), text };
const admin = (principal: string, row: Partial<Row> = {}): Row => ({
  ...emptyRow,
  ...{ result: 'admin', scope: 'server', principal, extent: 'part', enabled: 'yes', privileges: 'SUPER', ...row },
});
const entry = (id: string, more: object = {}) => ({
  ...{ id, account: '111122223333', region: 'us-east-1', engine: 'mysql', host: `${id}.example.com` },
  ...{ credentials: 'env:NONE', ...more },
});

type Answers = (database: Database) => Partial<DatabaseResult>;

/** Makes a report of what `answers` says of each database; `asked` is what it was asked for, pass by pass. */
async function report(entries: object[], answers: Answers, inventory: object = {}) {
  const out = fs.mkdtempSync(path.join(folder, 'out-'));
  const bytes = Buffer.from(JSON.stringify({ databases: entries, ...inventory }));
  const asked: [string, string[] | undefined][][] = [];
  const lines: Line[] = [];
  const surroundings = localSurroundings({ source: 'inventory.json', bytes }, out, async (databases, done) => {
    asked.push(databases.map(({ id, remaining }) => [id, remaining]));
    for (const database of databases) {
      const result = { ...failed(database, ''), queries: [query.sha256], ...answers(database) };
      done(result, { version: '1.0.0', queries: [query], attempts: 1 });
    }
  });
  const summary = await run({ reportId: randomUUID(), requestedBy: 'tester' }, surroundings, line => lines.push(line));
  const manifestBytes = fs.readFileSync(summary.manifest!);
  const manifest: Manifest = JSON.parse(manifestBytes.toString());
  const rows = await readReport(fs.readFileSync(summary.report!));
  return { out, summary, manifest, manifestBytes, rows, lines, asked, surroundings };
}

test('the columns: who and what first, the run last', () => {
  assert.equal(
    columns.join(' '),
    'account_id account_name database_id result scope principal extent enabled privileges granted_through can_grant owner principal_type authentication created_at password_changed_at detail engine engine_version region host port collected_at generated_at report_id',
  );
});

test('counts, the inventory and the SHA-256 of both files are in the manifest and the summary', async () => {
  const rows = [
    admin('a'),
    admin('a', { granted_through: 'r', extent: 'full' }),
    admin('a', { scope: 'database:x', extent: 'full' }),
    admin('b'),
  ];
  const made = await report([entry('one'), entry('two'), entry('down')], ({ id }) => {
    if (id === 'one') return { result: 'admin', rows, login: 'auditor', detail: 'a note' };
    return id === 'two' ? { result: 'none', login: 'auditor' } : { detail: 'no way', queries: [] };
  });
  const { summary, manifest, manifestBytes, lines } = made;
  const counts = { databases: 3, covered: 2, incomplete: 0, failed: 1, unlisted: 0, excluded: 0 };
  assert.deepEqual(manifest.totals, { ...counts, administrators: 3, full: 2, rows: 6 });
  assert.deepEqual(
    manifest.databases.map(({ id, login, detail, administrators, full }) => [id, login, detail, administrators, full]),
    [
      ['down', '', 'no way', 0, 0],
      ['one', 'auditor', 'a note', 3, 2],
      ['two', 'auditor', '', 0, 0],
    ],
  );
  assert.equal(createHash('sha256').update(manifest.inventory.text).digest('hex'), manifest.inventory.sha256);
  assert.equal(createHash('sha256').update(manifestBytes).digest('hex'), summary.manifest_sha256);
  assert.deepEqual(summary.failures, [{ database_id: 'down', result: 'failed', detail: 'no way' }]);
  assert.deepEqual([summary.status, summary.administrators, summary.full], ['incomplete', 3, 2]);
  const { type: _, ...started } = lines[0] as Extract<Line, { type: 'started' }>;
  assert.deepEqual(started.databases, ['one', 'two', 'down']);
  assert.deepEqual([started.report, started.manifest, started.total], [summary.report, summary.manifest, 3]);
  assert.deepEqual(lines[1], {
    ...{
      type: 'database',
      database_id: 'one',
      result: 'admin',
      detail: 'a note',
      administrators: 3,
      done: 1,
      total: 3,
    },
  });
  const local = 'with --local AWS is not asked for its list';
  assert.deepEqual(manifest.population, [
    {
      ...{ account: '111122223333', region: 'us-east-1', checked: false, detail: local },
      listed: 0,
      unlisted: 0,
      excluded: 0,
    },
  ]);
});

test('an administrator is of full or of partial extent: another answer is not read as less', async () => {
  const { manifest } = await report([entry('one')], () => ({ result: 'admin', rows: [admin('a', { extent: '' })] }));
  assert.match(manifest.databases[0]!.detail, /an administrator of neither full nor partial extent: deploy/);
});

test('what remains of a large server is asked for in further passes, and is one result', async () => {
  const names = ['a', 'b', 'c'];
  const answers: Answers = ({ id, remaining: asked = names }) => {
    if (id === 'other') return { result: 'none' };
    const remaining = asked.slice(1);
    const unread = remaining.map(name => ({
      ...emptyRow,
      result: 'incomplete',
      scope: `database:${name}`,
      detail: name,
    }));
    const rows = [admin('sa'), admin('dbo', { scope: `database:${asked[0]}` }), ...unread];
    return { result: remaining.length > 0 ? 'incomplete' : 'admin', rows, remaining, duration_ms: 5 };
  };
  const { asked, rows, manifest, summary } = await report([entry('large'), entry('other')], answers);
  assert.deepEqual(asked, [
    [
      ['large', undefined],
      ['other', undefined],
    ],
    [['large', ['b', 'c']]],
    [['large', ['c']]],
  ]);
  assert.deepEqual(
    rows.map(({ result, scope, principal }) => `${result} ${scope} ${principal}`),
    ['admin database:a dbo', 'admin database:b dbo', 'admin database:c dbo', 'admin server sa', 'none  '],
  );
  assert.deepEqual([manifest.databases[0]!.attempts, manifest.databases[0]!.duration_ms], [3, 15]);
  assert.equal(summary.status, 'complete');
});

test('the two files are whole, and never written over others', async () => {
  const { out, summary, surroundings } = await report([entry('one')], () => ({ result: 'none' }));
  assert.equal(fs.readdirSync(out).length, 2);
  const before = fs.readFileSync(summary.report!);
  await assert.rejects(surroundings.put(Buffer.from('x'), summary.report!, '', ''), { code: 'EEXIST' });
  assert.deepEqual(fs.readFileSync(summary.report!), before);
  await assert.rejects(surroundings.put(Buffer.from('x'), path.join(out, 'nowhere', 'a.csv'), '', ''), {
    code: 'ENOENT',
  });
});

test('a field that a spreadsheet would run is guarded, behind control characters too', () => {
  for (const start of ['=', '+', '-', '@', '\0=', '\u0001\u0002@', '\u0085-', '\0\t+']) {
    const guarded = csvField(`${start}1`);
    assert.equal(guarded.replace(/^"|"$/g, ''), `'${start}1`, JSON.stringify(start));
  }
  for (const start of ['\t', '\r', '\n']) assert.match(csvField(`${start}x`), /^"?'[\t\r\n]x"?$/);
  for (const text of ['a=1', '\0a', ' =1', "'=1", '']) assert.equal(csvField(text), text);
  assert.notEqual(csvField('\0=1'), csvField('=1'));
});

test('an event that is not one of the command is refused with every fault', async () => {
  const context = { invokedFunctionArn: '', awsRequestId: '', getRemainingTimeInMillis: () => 900_000 };
  const answer = async (event: unknown) => {
    let written = '';
    const stream = { write: (chunk: string) => (written += chunk), end: () => {} };
    await handler(event, stream, context);
    return JSON.parse(written);
  };
  const refused = await answer({ reportId: 'X', accounts: ['1'], databases: 'all', more: 1 });
  assert.equal(refused.type, 'error');
  assert.deepEqual(refused.message.split('\n').slice(1), [
    '  more: unknown field',
    '  reportId: must be a lower-case UUID',
    '  requestedBy: is required; must be a text',
    '  accounts: must be a list of account ids',
    '  databases: must be a list of database ids',
  ]);
  assert.match((await answer(null)).message, /the event is refused:\n {2}must be an object/);
});
