/**
 * The command in front of a whole fleet: the real CLI, the built orchestrator and workers in processes of their own, the
 * real SDK, many accounts; AWS (aws.ts) and the databases (a SQL Server for the wire) are on loopback. Each scenario lets
 * something go wrong, and each asserts the same (`check`): every database of the inventory has its row, nothing ran twice
 * that must not, the exit code says what there is, and no secret is in any output.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { isPassing, type Manifest, type Summary } from '../orchestrator.ts';
import { type Database, type DatabaseResult, rowColumns, type WorkerEvent } from '../worker.ts';
import { type Aws, bucket, caller, crash, type LambdaFunction, type Run, startAws } from './aws.ts';
import { authority, certificate } from './certificates.ts';
import { type Ran, readReport, root, runCli } from './command.ts';
import { silent } from './fault-servers.ts';
import { type ResultSet, startTds, type TdsServer } from './tds-server.ts';

const [HUB, SHOP, BANK] = ['111111111111', '222222222222', '333333333333'];
const orchestrator = `arn:aws:lambda:us-east-1:${HUB}:function:db-admin-report-orchestrator`;
const hubRole = `arn:aws:iam::${HUB}:role/db-admin-report-orchestrator`;
const workerOf = (account: string, region: string, name = 'db-admin-report-worker') =>
  name.startsWith('arn:') ? name : `arn:aws:lambda:${region}:${account}:function:${name}`;

let folder: string;
let healthy: TdsServer;
let ca: string;

before(async () => {
  assert.ok(fs.existsSync(path.join(root, 'dist/worker/index.mjs')), 'npm run build comes first');
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fleet-'));
  const own = certificate({ authority: authority('Fleet authority'), names: ['localhost'] });
  ca = own.ca;
  healthy = await startTds({ certificate: own, answer: (sql, parameters) => answerSql(sql, parameters, ['sa']) });
});
after(async () => {
  await healthy?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

// ---- databases -----------------------------------------------------------------------------------------------------

const queryText = (file: string) => fs.readFileSync(path.join(root, 'dist/worker/queries', file), 'utf8');
const nvarchar = (names: readonly string[], rows: unknown[][]): ResultSet => ({
  columns: names.map(name => [name, 'nvarchar(max)']),
  rows,
});

/** What a SQL Server says with these administrators of the server and one database without any. */
function answerSql(sql: string, _parameters: object, administrators: string[]): ResultSet[] {
  switch (sql) {
    case queryText('mssql-server.sql'):
      return [
        nvarchar(
          ['engine', 'engine_version', 'server_name', 'server_id', 'refused'],
          [['mssql', '16.0', 'S', 'S', '']],
        ),
      ];
    case queryText('mssql-databases.sql'):
      return [
        nvarchar(
          ['name', 'procedure_name', 'readable', 'detail'],
          [['master', '[master].sys.sp_executesql', 'yes', '']],
        ),
      ];
    case queryText('mssql-server-administrators.sql'):
      return [
        nvarchar(
          rowColumns,
          administrators.map(name => Object.values(administrator(name))),
        ),
      ];
    default:
      return [nvarchar(rowColumns, [])];
  }
}

function administrator(principal: string): DatabaseResult['rows'][number] {
  return {
    ...{ result: 'admin', scope: 'server', principal, principal_type: 'sql login', granted_through: '' },
    ...{ privileges: 'sysadmin', can_grant: 'yes', enabled: 'yes', authentication: 'sql' },
    ...{ created_at: '2024-01-01T00:00:00Z', password_changed_at: '', detail: '' },
  };
}

/** An entry of the inventory: a SQL Server that is well, unless said otherwise. */
type Entry = Partial<Database> & Pick<Database, 'id' | 'account' | 'region'>;
function database(id: string, account: string, region: string, more: Partial<Database> = {}): Entry {
  const credentials = `ssm:/db-admin-report/${id}`;
  return { id, account, region, engine: 'mssql', host: 'localhost', port: healthy.port, credentials, ...more };
}

const secretOf = ({ id }: { id: string }) => `Pa55word-of-${id}-kept`;

/** A worker of the test's own that answers in the contract's shape: each database with so many administrators. */
function answering(count = 1, version = '1.0.0') {
  return ({ databases }: WorkerEvent) => {
    const results: DatabaseResult[] = databases.map(({ id }) => ({
      ...{ id, result: 'admin', detail: '', engine: 'mssql', engine_version: '16.0', server_name: 'S', server_id: 'S' },
      rows: Array.from({ length: count }, (_, n) => administrator(`login-${n}-of-${id}`)),
      ...{ collected_at: '2026-11-24T00:00:00Z', duration_ms: 1, queries: ['f00d'] },
    }));
    const queries = [{ file: 'mssql-server.sql', sha256: 'f00d', text: 'SELECT 1' }];
    return { version, queries, gzip: gzipSync(JSON.stringify(results)).toString('base64'), unanswered: [] };
  };
}

// ---- a fleet and a run ---------------------------------------------------------------------------------------------

type Fleet = { aws: Aws; databases: Entry[]; folder: string };
type FleetOptions = {
  orchestrator?: Partial<LambdaFunction>;
  /** For every worker; `workers` for those of one account alone. */
  worker?: Partial<LambdaFunction>;
  workers?: Record<string, Partial<LambdaFunction>>;
  inventory?: string;
  parametersPerSecond?: number;
};

/** A hub and a worker for each account and region of the databases, with the roles and policies of template.yaml. */
async function startFleet(context: TestContext, databases: Entry[], options: FleetOptions = {}): Promise<Fleet> {
  const aws = await startAws(options);
  context.after(() => aws.stop());
  const operator = [
    `lambda:InvokeFunction ${orchestrator}`,
    's3:GetObject *:reports/reports/*',
    's3:ListBucket *:reports',
  ];
  const hub = [
    'lambda:InvokeFunction *:function:db-admin-report-worker*',
    ...['s3:GetObject *:reports/inventory.json', `ssm:GetParameter *:${HUB}:parameter/inventory`],
    ...['s3:PutObject *:reports/reports/*', 's3:GetObject *:reports/reports/*'],
  ];
  aws.callers.set('AKIAOPERATOR', caller(HUB, 'operator', operator));
  aws.callers.set('AKIAHUB', caller(HUB, 'db-admin-report-orchestrator', hub));
  aws.functions.set(orchestrator, {
    ...{ role: 'AKIAHUB', package: path.join(root, 'dist/orchestrator'), timeoutSeconds: 900, memoryMB: 512 },
    env: { INVENTORY: 's3://reports/inventory.json', REPORT_BUCKET: 'reports', REPORT_PREFIX: 'reports/' },
    ...options.orchestrator,
  });
  for (const [account, of] of Map.groupBy(databases, ({ account }) => account)) {
    const allow = ['parameter/db-admin-report/*', 'parameter/aws/reference/secretsmanager/*'].map(
      name => `ssm:GetParameter* *:${account}:${name}`,
    );
    const secrets = `secretsmanager:GetSecretValue *:${account}:secret:db-admin-report/*`;
    aws.callers.set(`AKIA${account}`, caller(account, 'worker', [...allow, secrets]));
    for (const arn of new Set(of.map(({ account, region, worker }) => workerOf(account, region, worker)))) {
      aws.functions.set(arn, {
        ...{ role: `AKIA${account}`, package: path.join(root, 'dist/worker'), timeoutSeconds: 300, memoryMB: 512 },
        ...{ invokers: [hubRole], ...options.worker, ...options.workers?.[account] },
      });
    }
  }
  for (const each of databases) {
    const { account, region, host, credentials = '' } = each;
    const value = JSON.stringify({ username: 'auditor', password: secretOf(each), host, ca });
    const [kind, name] = credentials.split(':') as [string, string];
    const place = (service: string) => `arn:aws:${service}:${region}:${account}:`;
    if (kind === 'ssm') aws.parameters.set(`${place('ssm')}parameter${name}`, { value, type: 'SecureString' });
    else aws.secrets.set(`${place('secretsmanager')}secret:${name}`, value);
  }
  const reports = bucket(HUB, 'us-east-1', { writeOnceUnder: 'reports/' });
  aws.buckets.set('reports', reports);
  const inventory = options.inventory ?? JSON.stringify({ databases });
  reports.objects.set('inventory.json', [
    { version: 'v1', body: Buffer.from(inventory), headers: {}, modified: new Date() },
  ]);
  aws.parameters.set(`arn:aws:ssm:us-east-1:${HUB}:parameter/inventory`, { value: inventory, type: 'String' });
  return { aws, databases, folder: fs.mkdtempSync(path.join(folder, 'run-')) };
}

type RunOptions = { region?: string; env?: Record<string, string | undefined>; interrupt?: RegExp };

/** Runs the command as the operator would. */
async function run({ aws, folder }: Fleet, args = ['--json'], options: RunOptions = {}): Promise<Ran> {
  const { region = 'us-east-1', env, interrupt } = options;
  const ran = await runCli(args, { env: { ...aws.env('AKIAOPERATOR', region), ...env }, cwd: folder, interrupt });
  await aws.settled();
  return ran;
}

type Results = Record<string, DatabaseResult['result']>;
type Report = { manifest: Manifest; rows: Record<string, string>[]; summary: Summary | undefined };

/**
 * What holds for every run that made a report. `results` names the databases that are not `admin`, `invoked` how often
 * the workers were run, by account (once where it is not named).
 */
async function check(
  { aws, databases }: Fleet,
  ran: Ran,
  { code, results = {}, invoked = {} }: { code: number; results?: Results; invoked?: Record<string, number> },
): Promise<Report> {
  const said = `${ran.stdout}${ran.stderr}`;
  assert.equal(ran.code, code, said);
  noSecret(aws, databases, said);
  assert.equal(aws.invocations.filter(({ arn }) => arn === orchestrator).length, 1, 'the orchestrator ran once');
  for (const [account, of] of Map.groupBy(databases, ({ account }) => account)) {
    const workers = new Set(of.map(({ account, region, worker }) => workerOf(account, region, worker))).size;
    const runs = aws.invocations.filter(({ arn }) => arn !== orchestrator && arn.includes(`:${account}:`)).length;
    assert.equal(runs, invoked[account] ?? workers, `runs of the workers of ${account}`);
  }

  const objects = aws.buckets.get('reports')!.objects;
  const keys = [...objects.keys()].filter(key => key !== 'inventory.json').sort();
  assert.equal(keys.length, 2, keys.join());
  assert.match(keys[0]!, /^reports\/\d{4}\/\d\d\/\d\d\/db-admins_\d{8}T\d{6}Z_[0-9a-f-]{36}\.csv$/);
  assert.equal(keys[1], keys[0]!.replace(/csv$/, 'manifest.json'));
  for (const key of keys) assert.equal(objects.get(key)!.length, 1, `${key} was written once`);
  const [csv, manifestFile] = [objects.get(keys[0]!)![0]!, objects.get(keys[1]!)![0]!];
  assert.ok(manifestFile.modified >= csv.modified);
  const manifest: Manifest = JSON.parse(manifestFile.body.toString());
  assert.equal(manifest.report.sha256, createHash('sha256').update(csv.body).digest('hex'));

  const rows = await readReport(csv.body);
  const ids = databases.map(({ id }) => id).sort();
  assert.deepEqual([...new Set(rows.map(row => row.database_id))].sort(), ids, 'every database has its row');
  assert.deepEqual(manifest.databases.map(({ id }) => id).sort(), ids);
  assert.equal(manifest.totals.rows, rows.length);
  const wanted = Object.fromEntries(ids.map(id => [id, results[id] ?? 'admin']));
  const got = manifest.databases.map(({ id, result }) => [id, result]).sort();
  assert.deepEqual(
    Object.fromEntries(got),
    wanted,
    JSON.stringify(
      manifest.databases.filter(({ detail }) => detail),
      null,
      1,
    ),
  );
  for (const { database_id, result, detail } of rows) {
    const expected = wanted[database_id!];
    if (expected !== 'incomplete') assert.equal(result, expected);
    if (expected === 'failed') assert.notEqual(detail, '');
  }
  if (!ran.stdout.startsWith('{')) return { manifest, rows, summary: undefined };
  const summary: Summary = JSON.parse(ran.stdout);
  assert.equal(summary.report, `s3://reports/${keys[0]}`);
  assert.equal(summary.manifest, `s3://reports/${keys[1]}`);
  assert.equal(summary.sha256, manifest.report.sha256);
  const count = (result: string) => Object.values(wanted).filter(each => each === result).length;
  const [failed, incomplete] = [count('failed'), count('incomplete')];
  assert.equal(summary.status, failed + incomplete === 0 ? 'complete' : 'incomplete');
  const covered = ids.length - failed - incomplete;
  assert.deepEqual(summary.databases, { total: ids.length, covered, incomplete, failed });
  assert.deepEqual(
    summary.failures.map(({ database_id }) => database_id).sort(),
    ids.filter(id => wanted[id] === 'failed'),
  );
  return { manifest, rows, summary };
}

/** What holds for a run that made none. */
function checkNone({ aws, databases }: Fleet, ran: Ran, { ran: runs = 1 } = {}): void {
  assert.equal(ran.code, 1, `${ran.stdout}${ran.stderr}`);
  noSecret(aws, databases, `${ran.stdout}${ran.stderr}`);
  assert.equal(aws.invocations.filter(({ arn }) => arn === orchestrator).length, runs);
  assert.deepEqual([...aws.buckets.get('reports')!.objects.keys()], ['inventory.json']);
  const { status, report, report_id } = JSON.parse(ran.stdout);
  assert.deepEqual([status, report], ['failed', null]);
  assert.match(ran.stderr, new RegExp(`report id: ${report_id}`));
}

/** No password and no key of AWS in what was said, logged, sent to a function, answered by it or stored. */
function noSecret({ buckets, logs, invocations }: Aws, databases: Entry[], said: string): void {
  const stored = [...buckets.get('reports')!.objects.values()].flat().map(({ body }) => body.toString());
  const unpacked = invocations.flatMap(({ answer }) => {
    const gzip = /"gzip":"([^"]+)"/.exec(answer)?.[1];
    const bytes = Buffer.from(gzip ?? '', 'base64');
    return gzip ? gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString() : []; // even if it was cut
  });
  const places = {
    said,
    logs: [...logs.values()].join(),
    sent: JSON.stringify(invocations),
    ...{ stored: stored.join(), unpacked: unpacked.join() },
  };
  const secrets = [...databases.map(secretOf), 'secret-of-AKIA', 'session-of-AKIA', 'PRIVATE KEY'];
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} is in ${place}`);
  }
}

const callsOf = ({ aws }: Fleet, operation: string, resource = '') =>
  aws.calls.filter(call => call.operation === operation && call.resource.includes(resource));
const detailOf = ({ manifest }: Report, id: string) => manifest.databases.find(each => each.id === id)!.detail;
const attemptsOf = ({ manifest }: Report) =>
  Object.fromEntries(manifest.databases.map(({ id, attempts }) => [id, attempts]));

/** Three accounts, two regions. */
const six = () => [
  database('orders', SHOP, 'us-east-1'),
  database('stock', SHOP, 'us-east-1'),
  database('orders-eu', SHOP, 'eu-west-1'),
  database('ledger', BANK, 'eu-west-1'),
  database('cards', BANK, 'eu-west-1', { credentials: 'secretsmanager:db-admin-report/cards' }),
  database('hub-db', HUB, 'us-east-1', { worker: workerOf(HUB, 'us-east-1', 'db-admin-report-worker-vpc-2') }),
];
/** The same with workers that only answer: for scenarios that are not about workers. */
const quick = { worker: { run: answering() } };

/** Runs `usual`, but `first` for the first so many invocations. */
function firstly(times: number, first: Run, usual: Run = answering()): Run {
  let count = 0;
  return (...args) => (count++ < times ? first : usual)(...args);
}

function slowly(ms: number): Run {
  return async event => {
    await sleep(ms);
    return answering()(event);
  };
}

// ---- scenarios -----------------------------------------------------------------------------------------------------

describe('a fleet', { concurrency: 3 }, () => {
  test('three accounts in two regions', async context => {
    const fleet = await startFleet(context, six());
    const logins = () => healthy.log.filter(({ event }) => event === 'login').length;
    const before = logins();
    const ran = await run(fleet, ['--download', 'here']);
    const report = await check(fleet, ran, { code: 0 });
    assert.equal(logins() - before >= 6, true);
    assert.equal(report.rows.length, 6);
    assert.equal(report.rows[0]!.principal, 'sa');
    assert.deepEqual(
      report.rows.map(row => `${row.account_id} ${row.region} ${row.database_id}`),
      [
        ...['111111111111 us-east-1 hub-db', '222222222222 eu-west-1 orders-eu', '222222222222 us-east-1 orders'],
        ...['222222222222 us-east-1 stock', '333333333333 eu-west-1 cards', '333333333333 eu-west-1 ledger'],
      ],
    );
    assert.match(
      ran.stdout,
      /^Complete: 6 of 6 databases covered, 0 incomplete, 0 failed\nAdministrators: 6 \(6 rows\)\n/,
    );
    assert.match(ran.stdout, /\nReport: +s3:\/\/reports\/reports\/20.*csv\n/);
    assert.match(ran.stderr, /^report [0-9a-f-]{36}: 6 databases\n\[1\/6\] [\s\S]*\[6\/6\] /);
    const [csv] = fs.readdirSync(path.join(fleet.folder, 'here'));
    const verified = await run(fleet, ['--verify', path.join('here', csv!)]);
    assert.equal(verified.code, 0, verified.stderr);
    for (const { caller, region, resource } of callsOf(fleet, 'Invoke')) {
      assert.equal(caller, 'AKIAHUB');
      assert.equal(region, resource.split(':')[3]);
    }
    assert.deepEqual([...new Set(fleet.aws.calls.map(({ operation }) => operation))].sort(), [
      'GetObject',
      'GetParameters',
      'Invoke',
      'InvokeWithResponseStream',
      'PutObject',
    ]);
    assert.deepEqual(new Set(fleet.aws.calls.map(({ status }) => status)), new Set([200]));
  });

  test('an inventory in Parameter Store; one account, one database chosen', async context => {
    const env = { INVENTORY: 'ssm:/inventory', REPORT_BUCKET: 'reports' };
    const fleet = await startFleet(context, six(), { ...quick, orchestrator: { env } });
    const ran = await run(fleet, ['--json', '--account', SHOP, '--database', 'orders', '--database', 'orders-eu']);
    const chosen = { ...fleet, databases: fleet.databases.filter(({ id }) => id.startsWith('orders')) };
    const { manifest } = await check(chosen, ran, { code: 0 });
    assert.deepEqual(manifest.filter, { accounts: [SHOP], databases: ['orders', 'orders-eu'] });
    assert.deepEqual(manifest.excluded.sort(), ['cards', 'hub-db', 'ledger', 'stock']);
    assert.equal(manifest.inventory.source, 'ssm:/inventory');
  });

  test('throttling everywhere', async context => {
    const fleet = await startFleet(context, six());
    fleet.aws.faults.push({ on: `Invoke *:${SHOP}:*`, times: 3, error: [429, 'TooManyRequestsException'] });
    fleet.aws.faults.push({ on: 'GetParameters *', times: 4, error: [400, 'ThrottlingException', 'Rate exceeded'] });
    fleet.aws.faults.push({ on: 'GetObject *inventory*', error: [503, 'SlowDown'] });
    fleet.aws.faults.push({ on: 'PutObject *csv', times: 2, error: [503, 'SlowDown'] });
    await check(fleet, await run(fleet), { code: 0 });
    assert.equal(callsOf(fleet, 'PutObject', '.csv').length, 3);
  });

  test('a worker that is not ready yet', async context => {
    const fleet = await startFleet(context, six(), quick);
    const pending = 'The function is currently in the following state: Pending';
    fleet.aws.faults.push({ on: `Invoke *:${SHOP}:*`, times: 2, error: [409, 'ResourceConflictException', pending] });
    fleet.aws.faults.push({ on: `Invoke *:${BANK}:*`, times: 2, error: [502, 'ENINotReadyException'] });
    await check(fleet, await run(fleet), { code: 0 });
  });

  test('a worker that crashes once', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({
      on: `Invoke ${workerOf(SHOP, 'us-east-1')}`,
      functionError: ['Runtime.ExitError', 'Runtime exited with error: signal: killed'],
    });
    const report = await check(fleet, await run(fleet), { code: 0, invoked: { [SHOP]: 4 } }); // 1, its halves, eu-west-1
    assert.deepEqual(attemptsOf(report), { orders: 2, stock: 2, 'orders-eu': 1, ledger: 1, cards: 1, 'hub-db': 1 });
  });

  test('a worker that crashes twice, and one database that always brings it down', async context => {
    const poisoned: Run = (event: WorkerEvent) =>
      event.databases.some(({ id }) => id === 'ledger') ? crash() : answering()(event);
    const fleet = await startFleet(context, six(), {
      ...quick,
      workers: { [HUB]: { run: firstly(2, crash) }, [BANK]: { run: poisoned } },
    });
    const ran = await run(fleet);
    const report = await check(fleet, ran, {
      code: 3,
      results: { ledger: 'failed' },
      invoked: { [HUB]: 3, [BANK]: 4 },
    });
    assert.match(detailOf(report, 'ledger'), /Runtime\.ExitError.*3 times/);
    assert.equal(attemptsOf(report)['hub-db'], 3);
    assert.equal(attemptsOf(report).cards, 2);
  });

  test('among thirty databases one that always brings its worker down costs only itself', async context => {
    const databases = Array.from({ length: 30 }, (_, n) => database(`db-${n}`, BANK, 'eu-west-1'));
    const poisoned: Run = (event: WorkerEvent) =>
      event.databases.some(({ id }) => id === 'db-17') ? crash() : answering()(event);
    const fleet = await startFleet(context, databases, { worker: { run: poisoned } });
    const ran = await run(fleet);
    const invoked = fleet.aws.invocations.length - 1;
    await check(fleet, ran, { code: 3, results: { 'db-17': 'failed' }, invoked: { [BANK]: invoked } });
    assert.ok(invoked < 20, `${invoked} invocations`);
  });

  test('the parts of a batch that failed are asked for side by side', async context => {
    const tooLarge: Run = event => ({ ...answering()(event), padding: 'x'.repeat(7_000_000) });
    const partly: Run = async ({ databases: [first, ...others], ...event }: WorkerEvent) => {
      await sleep(600);
      return { ...answering()({ ...event, databases: [first!] }), unanswered: others.map(({ id }) => id) };
    };
    const workers = {
      [HUB]: { run: firstly(1, crash, slowly(600)) },
      [SHOP]: { run: firstly(1, tooLarge, slowly(600)) },
      [BANK]: { run: firstly(1, crash, partly) },
    };
    const databases = Object.keys(workers).flatMap(account =>
      Array.from({ length: 9 }, (_, n) => database(`db-${account}-${n}`, account, 'us-east-1')),
    );
    const fleet = await startFleet(context, databases, { workers });
    const ran = await run(fleet);
    await check(fleet, ran, { code: 0, invoked: { [HUB]: 4, [SHOP]: 4, [BANK]: 10 } }); // 9, then 3 of 3, of 2, of 1
    const sizeOf = (event: unknown) => (event as WorkerEvent).databases.length;
    const again = fleet.aws.invocations.filter(({ arn, event }) => arn !== orchestrator && sizeOf(event) < 9);
    for (const [what, parts] of Map.groupBy(again, ({ arn, event }) => `${arn}, ${sizeOf(event)} databases`)) {
      const lastStart = Math.max(...parts.map(({ startedAt }) => startedAt));
      const firstEnd = Math.min(...parts.map(({ endedAt }) => endedAt!));
      assert.ok(lastStart < firstEnd, `${what}: one began ${lastStart - firstEnd} ms after another had ended`);
    }
  });

  test('a worker that times out', async context => {
    const never = () => sleep(60_000, undefined, { ref: false });
    const fleet = await startFleet(context, six(), {
      worker: { run: answering(), timeoutSeconds: 0.5 },
      workers: { [HUB]: { run: firstly(1, never) }, [BANK]: { run: never } },
    });
    const results: Results = { ledger: 'failed', cards: 'failed' };
    const report = await check(fleet, await run(fleet), { code: 3, results, invoked: { [HUB]: 2, [BANK]: 5 } });
    assert.match(detailOf(report, 'cards'), /Task timed out after 0\.50 seconds/);
  });

  test('access denied in one account, no function in two others', async context => {
    const fleet = await startFleet(context, [...six(), database('lost', '444444444444', 'us-east-1')], {
      ...quick,
      workers: { [BANK]: { run: answering(), invokers: [] } },
    });
    fleet.aws.functions.delete(workerOf('444444444444', 'us-east-1'));
    fleet.aws.functions.delete(workerOf(HUB, 'us-east-1', 'db-admin-report-worker-vpc-2'));
    const results: Results = { ledger: 'failed', cards: 'failed', lost: 'failed', 'hub-db': 'failed' };
    const invoked = { [BANK]: 0, [HUB]: 0, '444444444444': 0 };
    const report = await check(fleet, await run(fleet), { code: 3, results, invoked });
    for (const id of ['ledger', 'cards', 'lost'])
      assert.match(detailOf(report, id), /may not be invoked, or is not there/);
    assert.match(detailOf(report, 'hub-db'), /there is no worker arn:aws:lambda:us-east-1:111111111111:function/);
    for (const account of Object.keys(invoked)) assert.equal(callsOf(fleet, 'Invoke', `:${account}:`).length, 1);
  });

  test('answers that are cut', async context => {
    const half = (event: WorkerEvent) => {
      const answer = answering(50)(event);
      return { ...answer, gzip: answer.gzip.slice(0, answer.gzip.length / 2) };
    };
    const fleet = await startFleet(context, six(), { ...quick, workers: { [HUB]: { run: firstly(1, half) } } });
    fleet.aws.faults.push({ on: `Invoke ${workerOf(SHOP, 'eu-west-1')}`, cut: 100 });
    fleet.aws.faults.push({ on: `Invoke ${workerOf(SHOP, 'us-east-1')}`, cut: 'after' });
    await check(fleet, await run(fleet), { code: 0, invoked: { [HUB]: 2, [SHOP]: 5 } });
  });

  test('an answer that unpacks to gigabytes costs only the database behind it', async context => {
    const part = gzipSync(Buffer.alloc(2 ** 26, ' '));
    const bomb = Buffer.concat(Array.from({ length: 32 }, () => part)).toString('base64'); // 2 GiB from 2 MB
    const exploding: Run = (event: WorkerEvent) => ({
      ...answering()(event),
      ...(event.databases.some(({ id }) => id === 'ledger') && { gzip: bomb }),
    });
    const fleet = await startFleet(context, six(), { ...quick, workers: { [BANK]: { run: exploding } } });
    const ran = await run(fleet);
    // The search for secrets unpacks every answer.
    for (const each of fleet.aws.invocations) if (each.answer.includes(bomb)) each.answer = '';
    const report = await check(fleet, ran, { code: 3, results: { ledger: 'failed' }, invoked: { [BANK]: 4 } });
    assert.match(detailOf(report, 'ledger'), /the answer of the worker .* was cut; asked for 3 times/);
  });

  test('workers of other versions', async context => {
    const fleet = await startFleet(context, six(), {
      ...quick,
      workers: {
        [SHOP]: { run: answering(1, '0.9.0') },
        [BANK]: { run: ({ databases }) => ({ version: '0.1.0', results: databases }) },
      },
    });
    const ran = await run(fleet, []);
    const report = await check(fleet, ran, { code: 3, results: { ledger: 'failed', cards: 'failed' } });
    assert.match(detailOf(report, 'cards'), /version 0\.1\.0.*deploy this version of it in account 333333333333/);
    assert.match(ran.stdout, /Workers of unlike versions:\n(.*\n)*? {2}0\.9\.0: 222222222222\n/);
    assert.match(ran.stdout, /^INCOMPLETE: 4 of 6[\s\S]*Failed:\n {2}cards: [\s\S]*ledger: /);
  });

  test('results that make no sense are not read as "nobody"', async context => {
    const nonsense: Run = ({ databases }: WorkerEvent) => {
      const results = [
        {},
        { result: 'none', rows: [administrator('x')] },
        { result: 'admin', rows: [] },
        { result: 'admin', rows: [{ ...administrator('x'), principal: { toString: 1 } }] },
        { result: 'none', rows: [], queries: [null], collected_at: {}, duration_ms: 'x' },
      ].map((odd, n) => ({ id: databases[n]?.id, ...odd }));
      const gzip = gzipSync(JSON.stringify([...results, { id: 'stranger', result: 'admin', rows: [] }, null]));
      return { version: '1.0.0', queries: [null], gzip: gzip.toString('base64'), unanswered: ['unheard-of'] };
    };
    const databases = ['a', 'b', 'c', 'd', 'e', 'f'].map(id => database(id, BANK, 'eu-west-1'));
    const fleet = await startFleet(context, databases, { worker: { run: nonsense } });
    await check(fleet, await run(fleet), {
      code: 3,
      results: { a: 'failed', b: 'failed', c: 'failed', d: 'failed', e: 'none', f: 'failed' },
    });
  });

  test('a hanging database beside healthy ones, with a short deadline', async context => {
    const hanging = await silent();
    context.after(() => hanging.stop());
    const databases = [...six(), database('hangs', BANK, 'eu-west-1', { engine: 'mysql', port: hanging.port })];
    const fleet = await startFleet(context, databases, { worker: { timeoutSeconds: 33 } });
    const ran = await run(fleet);
    const report = await check(fleet, ran, { code: 3, results: { hangs: 'failed' } });
    assert.match(detailOf(report, 'hangs'), /timed out/);
    for (const { arn, startedAt, endedAt, error } of fleet.aws.invocations) {
      assert.equal(error, undefined);
      if (arn !== orchestrator) assert.ok(endedAt! - startedAt < 33_000); // none was ended by its own limit
    }
    const { answer } = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
    assert.match(answer, /\n\{"type":"heartbeat"\}\n/);
  });

  test('a worker that hangs when the orchestrator must end', async context => {
    const fleet = await startFleet(context, six(), {
      orchestrator: { timeoutSeconds: 12 },
      worker: { run: answering(), timeoutSeconds: 300 },
      workers: { [BANK]: { run: firstly(1, () => sleep(20_000)), timeoutSeconds: 15 } },
    });
    const ran = await run(fleet);
    const report = await check(fleet, ran, { code: 3, results: { ledger: 'failed', cards: 'failed' } });
    assert.match(detailOf(report, 'ledger'), /timed out: no answer before the orchestrator had to write the report/);
    const own = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
    assert.equal(own.error, undefined);
  });

  test('an answer at the deadline is in the report, one that comes while it is written is not', async context => {
    const hanging = await silent();
    context.after(() => hanging.stop());
    const answersAt = (afterDeadline: number) => ({
      run: async (event: WorkerEvent) => {
        await sleep(event.deadline + afterDeadline - Date.now());
        return answering()(event);
      },
    });
    const hangs = database('hangs', '444444444444', 'us-east-1', { engine: 'mysql', port: hanging.port });
    const fleet = await startFleet(context, [...six(), hangs], {
      orchestrator: { timeoutSeconds: 7.5 }, // it waits for 625 ms after the deadline, a quarter of its reserve
      workers: { [HUB]: { run: answering() }, [SHOP]: answersAt(100), [BANK]: answersAt(1300) },
    });
    fleet.aws.faults.push({ on: 'PutObject *csv', delayMs: 1000 });
    const results: Results = { hangs: 'failed', ledger: 'failed', cards: 'failed' };
    const report = await check(fleet, await run(fleet), { code: 3, results });
    assert.match(detailOf(report, 'hangs'), /^timed out: the worker had to answer/);
    for (const id of ['ledger', 'cards'])
      assert.match(detailOf(report, id), /no answer before the orchestrator had to/);
    const own = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
    assert.equal(own.error, undefined);
    assert.equal(own.answer.match(/"type":"database"/g)!.length, 7);
    for (const { endedAt } of fleet.aws.invocations) assert.ok(endedAt! <= own.endedAt!);
  });

  test('a denied Parameter Store batch, a denied secret, a missing and a broken credential', async context => {
    const databases = Array.from({ length: 14 }, (_, n) => database(`db-${n + 10}`, SHOP, 'us-east-1'));
    databases.push(
      database('denied', SHOP, 'us-east-1', { credentials: 'ssm:/db-admin-report/others/denied' }),
      database('secret', SHOP, 'us-east-1', { credentials: 'secretsmanager:of-somebody-else' }),
      database('missing', SHOP, 'us-east-1', { credentials: 'ssm:/db-admin-report/nowhere' }),
      database('broken', SHOP, 'us-east-1'),
      database('elsewhere', SHOP, 'us-east-1', { host: '127.0.0.1' }),
    );
    const fleet = await startFleet(context, databases);
    const { parameters, callers } = fleet.aws;
    const place = `arn:aws:ssm:us-east-1:${SHOP}:parameter/db-admin-report`;
    parameters.delete(`${place}/nowhere`);
    parameters.set(`${place}/broken`, { value: `{"password": "${secretOf({ id: 'broken' })}`, type: 'SecureString' });
    const elsewhere = { username: 'auditor', password: secretOf({ id: 'elsewhere' }), host: 'localhost', ca };
    parameters.set(`${place}/elsewhere`, { value: JSON.stringify(elsewhere), type: 'SecureString' });
    const own = databases.filter(({ id }) => id !== 'denied').map(({ id }) => `ssm:GetParameters ${place}/${id}`);
    callers.get(`AKIA${SHOP}`)!.allow = [
      ...own,
      `ssm:GetParameters ${place}/nowhere`,
      'ssm:GetParameters *:parameter/aws/*',
    ];
    const results: Results = {
      ...{ denied: 'failed', secret: 'failed', missing: 'failed', broken: 'failed', elsewhere: 'failed' },
    };
    const report = await check(fleet, await run(fleet), { code: 3, results });
    assert.match(detailOf(report, 'denied'), /others\/denied.*AccessDenied.*allow ssm:GetParameters/);
    assert.match(detailOf(report, 'secret'), /of-somebody-else/);
    assert.match(detailOf(report, 'missing'), /there is no parameter \/db-admin-report\/nowhere/);
    assert.match(detailOf(report, 'broken'), /is not JSON/);
    assert.match(detailOf(report, 'elsewhere'), /is for the host localhost, the inventory says 127\.0\.0\.1/);
  });

  test('Parameter Store at two calls a second', async context => {
    const databases = Array.from({ length: 60 }, (_, n) => database(`db-${n}`, SHOP, 'us-east-1'));
    const fleet = await startFleet(context, databases, { parametersPerSecond: 2 });
    await check(fleet, await run(fleet), { code: 0 });
    assert.ok(callsOf(fleet, 'GetParameters').some(({ code }) => code === 'ThrottlingException'));
  });

  test('answers larger than their limit', async context => {
    const random = (count: number) => {
      const hash = (n: number) => createHash('sha512').update(`${n}`).digest('base64');
      return Array.from({ length: count }, (_, n) => hash(n));
    };
    const own = certificate({ authority: authority('Large authority'), names: ['localhost'] });
    const large = await startTds({
      certificate: own,
      answer: (sql, parameters) => answerSql(sql, parameters, random(40_000)),
    });
    const huge = await startTds({
      certificate: own,
      answer: (sql, parameters) => answerSql(sql, parameters, random(80_000)),
    });
    context.after(() => Promise.all([large.stop(), huge.stop()]));
    const at = (id: string, { port }: TdsServer) => database(id, BANK, 'eu-west-1', { port, tls: 'trust' });
    const databases = [
      at('large-1', large),
      at('large-2', large),
      at('huge', huge),
      database('small', BANK, 'eu-west-1'),
    ];
    const fleet = await startFleet(context, databases, { worker: { memoryMB: 1769 } });
    const ran = await run(fleet);
    const invoked = fleet.aws.invocations.length - 1;
    assert.ok(invoked > 1 && invoked < 5, `${invoked} invocations`);
    const report = await check(fleet, ran, { code: 3, results: { huge: 'failed' }, invoked: { [BANK]: invoked } });
    assert.match(detailOf(report, 'huge'), /too large: 80000 rows/);
    assert.equal(report.rows.length, 80_002);
    for (const { arn, answer, error, memoryMB } of fleet.aws.invocations) {
      context.diagnostic(`${arn}: ${answer.length} bytes, ${Math.round(memoryMB)} MB`);
      assert.deepEqual([error, answer.length < 6_000_000], [undefined, true]);
    }
  });

  test('a worker that says more than Lambda lets through is asked for less at once', async context => {
    const verbose: Run = (event: WorkerEvent) => ({
      ...answering()(event),
      padding: 'x'.repeat(2_200_000 * event.databases.length),
    });
    const databases = Array.from({ length: 9 }, (_, n) => database(`db-${n}`, BANK, 'eu-west-1'));
    const fleet = await startFleet(context, databases, { worker: { run: verbose } });
    await check(fleet, await run(fleet), { code: 0, invoked: { [BANK]: 13 } }); // 9, then 3 of 3, then 9 of 1
  });

  test('the stream is cut after the run began', async context => {
    const fleet = await startFleet(context, six(), {
      worker: { run: slowly(3000) },
    });
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: /"started".*\n/ });
    const ran = await run(fleet);
    await check(fleet, ran, { code: 0 });
    assert.match(ran.stderr, /the run goes on\. Waiting for s3:\/\/reports\/reports\/.*manifest\.json/);
    assert.equal(callsOf(fleet, 'InvokeWithResponseStream').length, 1);
  });

  test('S3 fails while the command waits for the manifest: it waits on, and ends as it would have', async context => {
    const fleet = await startFleet(context, six(), { ...quick, workers: { [BANK]: { invokers: [] } } });
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: /"started".*\n/ });
    // Three each: the SDK's own tries hide two.
    fleet.aws.faults.push({ on: 'GetObject *manifest.json', times: 3, cut: 'before' });
    fleet.aws.faults.push({ on: 'GetObject *manifest.json', times: 3, error: [503, 'ServiceUnavailable'] });
    const ran = await run(fleet);
    await check(fleet, ran, { code: 3, results: { ledger: 'failed', cards: 'failed' }, invoked: { [BANK]: 0 } });
    assert.equal(callsOf(fleet, 'GetObject', 'manifest.json').length, 7);
  });

  test('a network that is gone is waited for, whatever it is called; a file that is missing is not', () => {
    const passes = (code: string) => isPassing(Object.assign(new Error(code), { code }));
    for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN'])
      assert.ok(passes(code), code);
    assert.ok(!passes('ENOENT'));
  });

  test('the session expires while the command waits for the manifest: it says so and ends', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: /"started".*\n/ });
    // Twice, so that a command that waits on is found out soon.
    fleet.aws.faults.push({ on: 'GetObject *manifest.json', times: 2, error: [400, 'ExpiredToken'] });
    const ran = await run(fleet);
    await check(fleet, { ...ran, stdout: '' }, { code: 1 }); // the run went on
    assert.match(
      ran.stderr,
      /manifest\.json cannot be read, look for it later: the AWS session has expired.* aws sso login/,
    );
    assert.equal(callsOf(fleet, 'GetObject', 'manifest.json').length, 1);
  });

  test("the orchestrator's last line is lost", async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: /"done":6/ });
    const ran = await run(fleet, []);
    await check(fleet, ran, { code: 0 });
    assert.match(ran.stdout, /^Complete: 6 of 6/);
  });

  test("the orchestrator's whole answer is lost: it is not asked again, and the report can be found", async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: 'after' });
    const ran = await run(fleet);
    assert.equal(ran.code, 1);
    assert.equal(callsOf(fleet, 'InvokeWithResponseStream').length, 1);
    const { manifest } = await check(fleet, { ...ran, stdout: '' }, { code: 1 });
    assert.match(ran.stderr, new RegExp(manifest.report_id));
    assert.equal(JSON.parse(ran.stdout).report_id, manifest.report_id);
  });

  test('the orchestrator dies: the wait for a report that will not come is short', async context => {
    const fleet = await startFleet(context, six(), {
      ...quick,
      orchestrator: { timeoutSeconds: 2 },
      workers: { [BANK]: { run: () => sleep(10_000), timeoutSeconds: 20 } },
    });
    fleet.aws.faults.push({ on: 'PutObject *', times: 10, delayMs: 4000 });
    const ran = await run(fleet);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /Task timed out after 2\.00 seconds/);
    assert.ok(ran.ms < 40_000, `${ran.ms} ms`);
    assert.equal(callsOf(fleet, 'InvokeWithResponseStream').length, 1);
  });

  test("from another region, by the function's ARN, in silence", async context => {
    const fleet = await startFleet(context, six(), quick);
    const args = ['--function', orchestrator, '--quiet', '--download', 'here'];
    const ran = await run(fleet, args, { region: 'eu-west-1' });
    await check(fleet, ran, { code: 0 });
    assert.equal(ran.stderr, '');
    assert.equal(fs.readdirSync(path.join(fleet.folder, 'here')).length, 2);
  });

  test('a second run finds the processes of the first, and nothing of it in them', async context => {
    const fleet = await startFleet(context, six());
    assert.equal((await run(fleet)).code, 0);
    const first = fleet.aws.invocations.splice(0);
    const parameters = fleet.aws.parameters;
    for (const [arn, { value }] of parameters)
      parameters.set(arn, { value: value.replace('auditor', 'another'), type: 'SecureString' });
    const ran = await run(fleet);
    assert.equal(ran.code, 0, ran.stderr);
    const pids = (list: typeof first) => list.map(({ pid }) => pid).sort();
    assert.deepEqual(pids(fleet.aws.invocations), pids(first));
    assert.ok(healthy.log.some(each => each.event === 'login' && each.user === 'another'));
    assert.equal(fleet.aws.buckets.get('reports')!.objects.size, 5);
    noSecret(fleet.aws, fleet.databases, ran.stdout + ran.stderr);
  });

  test('what waited for its turn when a run had to end is not done in the next run', async context => {
    // A worker is asked for 5 x 100 at once: the process is frozen with a batch waiting, and wakes for the second run.
    const databases = Array.from({ length: 501 }, (_, n) => database(`db-${n}`, SHOP, 'us-east-1'));
    const fleet = await startFleet(context, databases, {
      orchestrator: { timeoutSeconds: 4.5 },
      worker: { run: firstly(5, slowly(3800), slowly(500)) },
    });
    const results: Results = Object.fromEntries(databases.map(({ id }) => [id, 'failed']));
    await check(fleet, await run(fleet), { code: 3, results, invoked: { [SHOP]: 5 } });
    const [first] = fleet.aws.invocations.splice(0);
    const ran = await run(fleet, ['--json', '--database', 'db-7']);
    assert.equal(ran.code, 0, ran.stderr);
    const summary: Summary = JSON.parse(ran.stdout);
    assert.deepEqual(summary.databases, { total: 1, covered: 1, incomplete: 0, failed: 0 });
    const [second, ...workers] = fleet.aws.invocations;
    assert.equal(second!.pid, first!.pid);
    assert.deepEqual(
      workers.map(({ event }) => (event as WorkerEvent).reportId),
      [summary.report_id],
    );
  });

  test('interrupted, the run goes on', async context => {
    const fleet = await startFleet(context, six(), {
      worker: { run: slowly(1500) },
    });
    const ran = await run(fleet, [], { interrupt: /6 databases/ });
    await check(fleet, ran, { code: 130 });
    assert.match(ran.stderr, /interrupted: the run goes on.*its report will be s3:\/\/reports\/reports\/.*csv/);
  });

  test('the bucket is closed', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.buckets.get('reports')!.deny = ['s3:PutObject *'];
    const ran = await run(fleet);
    checkNone(fleet, ran);
    assert.match(ran.stderr, /s3:\/\/reports\/reports\/.*csv cannot be written: AccessDenied: .*explicit deny/);
    assert.equal(callsOf(fleet, 'PutObject').length, 1);
  });

  test('S3 fails at the wrong moments', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: 'GetObject *inventory.json', cut: 100 });
    fleet.aws.faults.push({ on: 'PutObject *csv', error: [409, 'ConditionalRequestConflict'] });
    fleet.aws.faults.push({ on: 'PutObject *csv', cut: 'after' }); // it is there, and the next try is told so with a 412
    fleet.aws.faults.push({ on: 'PutObject *manifest.json', cut: 'before' });
    fleet.aws.faults.push({ on: 'PutObject *manifest.json', cut: 'after' });
    fleet.aws.faults.push({ on: 'HeadObject *manifest.json', error: [500, 'InternalError'] });
    await check(fleet, await run(fleet), { code: 0 });
  });

  test('a report that is there already is never overwritten', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: 'PutObject *csv', error: [412, 'PreconditionFailed'] });
    const ran = await run(fleet);
    checkNone(fleet, ran);
    assert.match(ran.stderr, /PreconditionFailed/);
  });

  test('an inventory with faults', async context => {
    const faulty = JSON.stringify({
      databases: [database('a', SHOP, 'us-east-1'), { ...database('a', BANK, 'mars'), port: 70_000, colour: 'blue' }],
    });
    const fleet = await startFleet(context, six(), { ...quick, inventory: faulty });
    const ran = await run(fleet);
    checkNone(fleet, ran);
    for (const place of ['databases[1].id', 'databases[1].region', 'databases[1].port', 'databases[1].colour']) {
      assert.ok(ran.stderr.includes(`${place}: `), ran.stderr);
    }
    assert.equal(fleet.aws.invocations.length, 1);
  });

  test('no inventory; a name that the inventory lacks; the orchestrator named as a worker', async context => {
    const fleet = await startFleet(context, six(), quick);
    const { objects } = fleet.aws.buckets.get('reports')!;
    const inventory = objects.get('inventory.json')!;
    objects.delete('inventory.json');
    const none = await run(fleet);
    assert.match(none.stderr, /the inventory s3:\/\/reports\/inventory\.json cannot be read: AccessDenied/);
    objects.set('inventory.json', inventory);
    const unknown = await run(fleet, ['--json', '--database', 'nowhere']);
    assert.match(unknown.stderr, /--database nowhere: the inventory has no such database/);
    checkNone(fleet, unknown, { ran: 2 });

    const ownArn = workerOf(HUB, 'us-east-1', 'db-admin-report-worker-and-hub');
    fleet.aws.functions.set(ownArn, fleet.aws.functions.get(orchestrator)!);
    fleet.aws.callers.get('AKIAOPERATOR')!.allow = ['* *'];
    const worker = { databases: [database('loop', HUB, 'us-east-1', { worker: ownArn })] };
    objects.set('inventory.json', [{ ...inventory[0]!, body: Buffer.from(JSON.stringify(worker)) }]);
    const loop = await run(fleet, ['--json', '--function', ownArn]);
    assert.match(loop.stderr, /the inventory names the orchestrator itself as a worker/);
    assert.equal(loop.code, 1);
    assert.equal(callsOf(fleet, 'Invoke').length, 0);
  });

  test('no credentials, no region', async context => {
    const fleet = await startFleet(context, six(), quick);
    const bare = await run(fleet, ['--json'], { env: { AWS_ACCESS_KEY_ID: undefined } });
    checkNone(fleet, bare, { ran: 0 });
    assert.match(bare.stderr, /no AWS credentials: use --profile NAME/);
    const nowhere = await run(fleet, ['--json'], { env: { AWS_REGION: undefined } });
    checkNone(fleet, nowhere, { ran: 0 });
    assert.match(nowhere.stderr, /no AWS region is known: use --region NAME/);
    assert.equal(fleet.aws.calls.length, 0);
  });

  test('what AWS refuses the operator is said with what to do next, after one call', async context => {
    const operator = ({ aws }: Fleet) => aws.callers.get('AKIAOPERATOR')!;
    const fault = { on: 'InvokeWithResponseStream *' };
    const cases: [RegExp, (fleet: Fleet) => unknown][] = [
      [/access denied: attach the hub's operator policy/, fleet => Object.assign(operator(fleet), { allow: [] })],
      [/there is no such function here/, ({ aws }) => aws.functions.delete(orchestrator)],
      [/aws sso login/, fleet => Object.assign(operator(fleet), { expired: true })],
      [/AWS does not know these credentials/, ({ aws }) => aws.callers.delete('AKIAOPERATOR')],
      [
        /AWS is throttling: nothing was run/,
        ({ aws }) => aws.faults.push({ ...fault, error: [429, 'TooManyRequestsException'] }),
      ],
      [/it may go on nevertheless/, ({ aws }) => aws.faults.push({ ...fault, error: [500, 'ServiceException'] })],
      [/before the run was heard of/, ({ aws }) => aws.faults.push({ ...fault, cut: 'before' })],
    ];
    for (const [said, spoil] of cases) {
      const fleet = await startFleet(context, six(), quick);
      spoil(fleet);
      const ran = await run(fleet);
      checkNone(fleet, ran, { ran: 0 });
      assert.match(ran.stderr, said);
      assert.equal(fleet.aws.calls.length, 1);
    }
  });
});

test('400 databases over 20 accounts with 200 administrators each', async context => {
  const databases = Array.from({ length: 400 }, (_, n) =>
    database(`db-${n}`, `${500000000000 + (n % 20)}`, ['us-east-1', 'eu-west-1'][n % 2]!),
  );
  const fleet = await startFleet(context, databases, { worker: { run: answering(200) } });
  const ran = await run(fleet);
  const { manifest, rows } = await check(fleet, ran, { code: 0 });
  assert.equal(rows.length, 80_000);
  assert.equal(manifest.totals.administrators, 80_000);
  assert.equal(new Set(rows.map(row => `${row.database_id} ${row.principal}`)).size, 80_000);
  const own = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
  context.diagnostic(`${own.endedAt! - own.startedAt} ms, ${Math.round(own.memoryMB)} MB of 512`);
  assert.ok(own.endedAt! - own.startedAt < 60_000);
  assert.equal(own.error, undefined);
});
