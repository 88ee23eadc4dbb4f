/**
 * The command in front of a whole fleet: the real CLI, the built orchestrator and workers in processes of their own, the
 * real SDK, many accounts; AWS (aws.ts) and the databases (a SQL Server for the wire) are on loopback. Each scenario lets
 * something go wrong, and each asserts the same (`check`): every database of the inventory has its row, nothing ran twice
 * that must not, the exit code says what there is, and no secret is in any output.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import type { Manifest, Summary } from '../orchestrator.ts';
import { type Database, type DatabaseResult, emptyRow, isPassing, rowColumns, type WorkerEvent } from '../worker.ts';
import { type Aws, bucket, caller, crash, type LambdaFunction, type Run, startAws } from './aws.ts';
import { authority, certificate } from './certificates.ts';
import { type Ran, readReport, root, runCli } from './command.ts';
import { dropping, refusing, silent } from './fault-servers.ts';
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
    ...{ result: 'admin', scope: 'server', principal, extent: 'full', enabled: 'yes', privileges: 'sysadmin' },
    ...{ granted_through: '', can_grant: 'yes', owner: '', principal_type: 'sql login', authentication: 'sql' },
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

const sql = 'SELECT 1';
const sqlSha256 = createHash('sha256').update(sql).digest('hex');

/** A worker of the test's own that answers in the contract's shape: each database with so many administrators. */
function answering(count = 1, version = '1.0.0') {
  return ({ databases }: WorkerEvent) => {
    const results: DatabaseResult[] = databases.map(({ id }) => ({
      ...{ id, result: 'admin', detail: '', engine: 'mssql', engine_version: '16.0', server_name: 'S', server_id: 'S' },
      login: 'auditor',
      rows: Array.from({ length: count }, (_, n) => administrator(`login-${n}-of-${id}`)),
      ...{ collected_at: '2026-11-24T00:00:00Z', duration_ms: 1, queries: [sqlSha256] },
    }));
    const queries = [{ file: 'mssql-server.sql', sha256: sqlSha256, text: sql }];
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

const orchestratorEnv = {
  ...{ INVENTORY: 's3://reports/inventory.json', REPORT_BUCKET: 'reports', REPORT_PREFIX: 'reports/' },
  AWS_LAMBDA_LOG_FORMAT: 'JSON', // as the template has it
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
    env: orchestratorEnv,
    ...options.orchestrator,
  });
  for (const [account, of] of Map.groupBy(databases, ({ account }) => account)) {
    const allow = ['parameter/db-admin-report/*', 'parameter/aws/reference/secretsmanager/*'].map(
      name => `ssm:GetParameter* *:${account}:${name}`,
    );
    const secrets = `secretsmanager:GetSecretValue *:${account}:secret:db-admin-report/*`;
    const lists = [`rds:DescribeDBInstances *:${account}:db:*`, `rds:DescribeDBClusters *:${account}:cluster:*`];
    aws.callers.set(`AKIA${account}`, caller(account, 'worker', [...allow, secrets, ...lists]));
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
/** What came of the servers that AWS lists and the inventory does not name, by AWS's identifier. */
type Others = Record<string, 'unlisted' | 'excluded'>;
type Report = { manifest: Manifest; rows: Record<string, string>[]; summary: Summary | undefined };

/**
 * What holds for every run that made a report. `results` names the databases that are not `admin`, `invoked` how often
 * the workers were run, by account (once where it is not named).
 */
async function check(
  { aws, databases }: Fleet,
  ran: Ran,
  {
    code,
    results = {},
    others = {},
    invoked = {},
  }: { code: number; results?: Results; others?: Others; invoked?: Record<string, number> },
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
  for (const { headers } of [csv, manifestFile]) assert.equal(headers['x-amz-sdk-checksum-algorithm'], 'SHA256');

  const rows = await readReport(csv.body);
  const ids = databases.map(({ id }) => id).sort();
  const all = [...ids, ...Object.keys(others)].sort();
  assert.deepEqual([...new Set(rows.map(row => row.database_id))].sort(), all, 'every database has its row');
  assert.equal(manifest.totals.rows, rows.length);
  const wanted: Record<string, string> = {
    ...Object.fromEntries(ids.map(id => [id, results[id] ?? 'admin'])),
    ...others,
  };
  const got = manifest.databases.map(({ id, result }) => [id, result]).sort();
  assert.equal(got.length, all.length);
  const details = manifest.databases.filter(({ detail }) => detail);
  assert.deepEqual(Object.fromEntries(got), wanted, JSON.stringify(details, null, 1));
  for (const { id, tls, attempts, rows } of manifest.databases)
    if (id in others) assert.deepEqual([tls, attempts, rows], ['', 0, 1]);
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
  assert.equal(summary.manifest_sha256, createHash('sha256').update(manifestFile.body).digest('hex'));
  const count = (result: string) => Object.values(wanted).filter(each => each === result).length;
  const [failed, incomplete, unlisted] = [count('failed'), count('incomplete'), count('unlisted')];
  assert.equal(summary.status, failed + incomplete + unlisted === 0 ? 'complete' : 'incomplete');
  const covered = ids.length - failed - incomplete;
  const left_out = manifest.left_out.length;
  const counts = { total: ids.length, covered, incomplete, failed, unlisted, excluded: count('excluded'), left_out };
  assert.deepEqual(summary.databases, counts);
  assert.deepEqual(
    summary.failures.map(({ database_id, result }) => [database_id, result]).sort(),
    all.map(id => [id, wanted[id]]).filter(([, result]) => /failed|incomplete|unlisted/.test(result!)),
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
  if (runs > 0) assert.match(ran.stderr, new RegExp(`report id: ${report_id}`));
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
    assert.match(ran.stdout, /^Complete\n/);
    assert.match(ran.stdout, /\nDatabases: +6 of 6 covered, 0 incomplete, 0 failed/);
    assert.match(ran.stdout, /\nAdministrators: +6, 6 of them full \(6 rows\)\n/);
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
      'DescribeDBClusters',
      'DescribeDBInstances',
      'GetObject',
      'GetParameters',
      'Invoke',
      'InvokeWithResponseStream',
      'PutObject',
    ]);
    assert.deepEqual(new Set(fleet.aws.calls.map(({ status }) => status)), new Set([200]));
  });

  test('an inventory in Parameter Store; one account, one database chosen', async context => {
    const env = { ...orchestratorEnv, INVENTORY: 'ssm:/inventory' };
    const fleet = await startFleet(context, six(), { ...quick, orchestrator: { env } });
    const ran = await run(fleet, ['--json', '--account', SHOP, '--database', 'orders', '--database', 'orders-eu']);
    const chosen = { ...fleet, databases: fleet.databases.filter(({ id }) => id.startsWith('orders')) };
    const { manifest } = await check(chosen, ran, { code: 0 });
    assert.deepEqual(manifest.filter, { accounts: [SHOP], databases: ['orders', 'orders-eu'] });
    assert.deepEqual(manifest.left_out.sort(), ['cards', 'hub-db', 'ledger', 'stock']);
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

  test('Lambda throttles one worker and has no network for another, for a minute: both are waited for', async context => {
    const fleet = await startFleet(context, six(), quick);
    const [throttled, pending] = [workerOf(SHOP, 'us-east-1'), workerOf(BANK, 'eu-west-1')];
    fleet.aws.faults.push({ on: `Invoke ${throttled}`, times: 9, error: [429, 'TooManyRequestsException'] });
    fleet.aws.faults.push({ on: `Invoke ${pending}`, times: 9, error: [502, 'ENINotReadyException'] });
    const report = await check(fleet, await run(fleet), { code: 0 });
    for (const arn of [throttled, pending]) {
      assert.equal(callsOf(fleet, 'Invoke', arn).length, 10);
      const { event } = fleet.aws.invocations.find(each => each.arn === arn)!;
      assert.equal((event as WorkerEvent).databases.length, 2, 'what was not run is not asked for in parts');
    }
    assert.deepEqual(new Set(Object.values(attemptsOf(report))), new Set([1]));
  });

  test('Lambda throttles until the time of the run is over: there is a report, and it says so', async context => {
    const fleet = await startFleet(context, six(), { ...quick, orchestrator: { timeoutSeconds: 15 } });
    fleet.aws.faults.push({ on: `Invoke *:${BANK}:*`, times: 1000, error: [429, 'TooManyRequestsException'] });
    const results: Results = { ledger: 'failed', cards: 'failed' };
    const report = await check(fleet, await run(fleet), { code: 3, results, invoked: { [BANK]: 0 } });
    assert.match(detailOf(report, 'ledger'), /worker .* was throttled until no time was left: raise its concurrency/);
    assert.equal(attemptsOf(report).ledger, 0);
    assert.equal(report.manifest.population[3]!.detail, detailOf(report, 'ledger'));
  });

  test('nothing listens where Lambda is, for a while: no run of the worker is counted', async context => {
    const fleet = await startFleet(context, six(), quick);
    const { port } = await refusing();
    const env = { ...orchestratorEnv, AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${port}` };
    Object.assign(fleet.aws.functions.get(orchestrator)!, { env });
    const real = Number(new URL(fleet.aws.endpoint).port);
    const way = net.createServer(socket => {
      const onwards = net.connect(real, '127.0.0.1').on('error', () => {});
      socket
        .on('error', () => {})
        .pipe(onwards)
        .pipe(socket);
    });
    context.after(() => way.close());
    setTimeout(() => way.listen(port, '127.0.0.1'), 4_000);
    const report = await check(fleet, await run(fleet), { code: 0 });
    assert.deepEqual(new Set(Object.values(attemptsOf(report))), new Set([1]));
  });

  test('connects to Lambda time out: what did not run is not counted as a run', async context => {
    const dropped = await dropping();
    context.after(() => dropped.stop());
    const env = { ...orchestratorEnv, AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${dropped.port}` };
    const fleet = await startFleet(context, six(), { ...quick, orchestrator: { env, timeoutSeconds: 30 } });
    const results: Results = Object.fromEntries(fleet.databases.map(({ id }) => [id, 'failed']));
    const invoked = { [HUB]: 0, [SHOP]: 0, [BANK]: 0 };
    const report = await check(fleet, await run(fleet), { code: 3, results, invoked });
    assert.match(detailOf(report, 'ledger'), /did not answer in time|no answer before the orchestrator/);
    assert.doesNotMatch(detailOf(report, 'ledger'), /asked for/);
    assert.deepEqual(new Set(Object.values(attemptsOf(report))), new Set([0]));
  });

  test('why Lambda refuses: a key, a region that is not enabled', async context => {
    const fleet = await startFleet(context, six(), quick);
    const error = (code: string, status = 403): [number, string, string] => [status, code, 'no'];
    fleet.aws.faults.push({ on: `Invoke ${workerOf(BANK, 'eu-west-1')}`, error: error('UnrecognizedClientException') });
    fleet.aws.faults.push({ on: `Invoke *:${HUB}:*`, error: error('KMSAccessDeniedException', 502) });
    fleet.aws.faults.push({ on: `Invoke *:${HUB}:*`, times: 9, error: error('KMSAccessDeniedException', 400) });
    const results: Results = { ledger: 'failed', cards: 'failed', 'hub-db': 'failed' };
    const report = await check(fleet, await run(fleet), { code: 3, results, invoked: { [BANK]: 0, [HUB]: 0 } });
    assert.match(detailOf(report, 'ledger'), /the hub's account must enable the region eu-west-1, too/);
    assert.match(detailOf(report, 'hub-db'), /cannot use its KMS key: correct the key/);
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
      assert.match(detailOf(report, id), /may not be invoked, or is not there: deploy .* \(AccessDeniedException: /);
    assert.match(
      detailOf(report, 'hub-db'),
      /^there is no worker .*: deploy template\.yaml with Role=worker in account 111111111111/,
    );
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
    assert.match(
      detailOf(report, 'ledger'),
      /the answer of the worker .* was cut, or unpacks to more than 48 MB; asked for 3 times/,
    );
  });

  test('a result without the texts of its queries is no evidence', async context => {
    const without =
      (queries: object[], named: string[]): Run =>
      event => {
        const answer = answering()(event);
        const results = JSON.parse(gunzipSync(Buffer.from(answer.gzip, 'base64')).toString());
        for (const result of results) result.queries = named;
        return { ...answer, queries, gzip: gzipSync(JSON.stringify(results)).toString('base64') };
      };
    const query = { file: 'x.sql', sha256: sqlSha256, text: sql };
    const fleet = await startFleet(context, six(), {
      ...quick,
      workers: {
        [HUB]: { run: without([query], []) },
        [SHOP]: { run: without([query], [sqlSha256, 'f00d']) },
        [BANK]: { run: without([{ ...query, sha256: 'beef' }], ['beef']) }, // another text's
      },
    });
    const results: Results = Object.fromEntries(fleet.databases.map(({ id }) => [id, 'failed']));
    const report = await check(fleet, await run(fleet), { code: 3, results });
    for (const { id } of fleet.databases)
      assert.match(detailOf(report, id), /without the text of a query that it ran: deploy the hub's version/);
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
    assert.match(detailOf(report, 'cards'), /version 0\.1\.0.*deploy the hub's version of it in account 333333333333/);
    assert.match(ran.stdout, /Workers of different versions:\n(.*\n)*? {2}0\.9\.0: 222222222222\n/);
    assert.match(
      ran.stdout,
      /^NOT COMPLETE\n\nFailed:\n {2}2 databases of 333333333333, eu-west-1: .*: cards, ledger\n/,
    );
  });

  test('results that make no sense are not read as "nobody"', async context => {
    const nonsense: Run = ({ databases }: WorkerEvent) => {
      const results = [
        {},
        { result: 'none', rows: [administrator('x')] },
        { result: 'admin', rows: [] },
        { result: 'admin', rows: [{ ...administrator('x'), principal: { toString: 1 } }] },
        { result: 'none', rows: [], queries: [sqlSha256], collected_at: {}, duration_ms: 'x', login: 7 },
      ].map((odd, n) => ({ id: databases[n]?.id, ...odd }));
      const gzip = gzipSync(JSON.stringify([...results, { id: 'stranger', result: 'admin', rows: [] }, null]));
      const queries = [null, { file: 'x.sql', sha256: sqlSha256, text: sql }];
      return { version: '1.0.0', queries, gzip: gzip.toString('base64'), unanswered: ['unheard-of'] };
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
    assert.match(detailOf(report, 'hangs'), /^timed out: the run had no time left/);
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
      /manifest\.json cannot be read, look for it later: the AWS session .*has expired: aws sso login/,
    );
    assert.equal(callsOf(fleet, 'GetObject', 'manifest.json').length, 1);
  });

  test("the orchestrator's last line is lost", async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: `InvokeWithResponseStream ${orchestrator}`, cut: /"done":6/ });
    const ran = await run(fleet, []);
    await check(fleet, ran, { code: 0 });
    assert.match(ran.stdout, /^Complete\n/);
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
    const kill = () => process.kill(fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!.pid, 'SIGKILL');
    const fleet = await startFleet(context, six(), { ...quick, workers: { [BANK]: { run: () => void kill() } } });
    const ran = await run(fleet);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /Runtime exited with error: signal: killed/);
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
    const counts = { covered: 1, incomplete: 0, failed: 0, unlisted: 0, excluded: 0, left_out: 500 };
    assert.deepEqual(summary.databases, { total: 1, ...counts });
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
    assert.match(ran.stderr, /s3:\/\/reports\/reports\/.*csv cannot be written \(AccessDenied: .*explicit deny/);
    assert.equal(callsOf(fleet, 'PutObject').length, 1);
  });

  test('S3 is busy for a while: the report is put as long as there is time', async context => {
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: 'PutObject *csv', times: 4, error: [503, 'SlowDown'] });
    fleet.aws.faults.push({ on: 'PutObject *csv', times: 3, error: [409, 'ConditionalRequestConflict'] });
    await check(fleet, await run(fleet), { code: 0 });
    assert.equal(callsOf(fleet, 'PutObject', '.csv').length, 8);
  });

  test('S3 is busy until the function must end: it says so in time', async context => {
    const fleet = await startFleet(context, six(), { ...quick, orchestrator: { timeoutSeconds: 20 } });
    fleet.aws.faults.push({ on: 'PutObject *', times: 1000, error: [503, 'SlowDown'] });
    const ran = await run(fleet);
    checkNone(fleet, ran);
    assert.match(ran.stderr, /csv cannot be written \(SlowDown/);
    const own = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
    assert.equal(own.error, undefined);
    assert.ok(own.endedAt! - own.startedAt > 5_000);
  });

  test('a key that may not be used is named, for the inventory and for the report', async context => {
    const denied = 'not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111111111111:key/k';
    const fleet = await startFleet(context, six(), quick);
    fleet.aws.faults.push({ on: 'GetObject *inventory.json', error: [403, 'AccessDenied', denied] });
    assert.match(
      (await run(fleet)).stderr,
      /kms:Decrypt.*Let the role db-admin-report-orchestrator use its KMS key \(InventoryKeyArn/,
    );
    fleet.aws.faults.push({ on: 'PutObject *', error: [403, 'AccessDenied', denied] });
    assert.match(
      (await run(fleet)).stderr,
      /Let the role db-admin-report-orchestrator use its KMS key \(.*ReportKeyArn/,
    );
  });

  test("the function's log has one JSON a line, and keeps what the stream's last line says", async context => {
    const fleet = await startFleet(context, six(), { ...quick, workers: { [BANK]: { invokers: [] } } });
    const ran = await run(fleet);
    const lines = fleet.aws.logs
      .get(orchestrator)!
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).message);
    assert.deepEqual(
      lines.map(({ type, database_id, result }) => [type, database_id ?? '', result ?? '']),
      [
        ['started', '', ''],
        ['database', 'ledger', 'failed'],
        ['database', 'cards', 'failed'],
        ['result', '', ''],
      ],
    );
    assert.equal(lines.at(-1).manifest_sha256, JSON.parse(ran.stdout).manifest_sha256);
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
    for (const field of ['id', 'region', 'port', 'colour']) {
      assert.ok(ran.stderr.includes(`databases[1] (a).${field}: `), ran.stderr);
    }
    assert.equal(fleet.aws.invocations.length, 1);
  });

  test('no inventory; a name that the inventory lacks; the orchestrator named as a worker', async context => {
    const fleet = await startFleet(context, six(), quick);
    const { objects } = fleet.aws.buckets.get('reports')!;
    const inventory = objects.get('inventory.json')!;
    objects.delete('inventory.json');
    const none = await run(fleet);
    assert.match(
      none.stderr,
      /the inventory s3:\/\/reports\/inventory\.json cannot be read \(AccessDenied: .*Put the inventory there/,
    );
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
    assert.match(bare.stderr, /no AWS credentials \(profile default\): choose another with --profile NAME/);
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
      [/it may still run, as report/, ({ aws }) => aws.faults.push({ ...fault, error: [500, 'ServiceException'] })],
      [/before the run had begun: it may still run/, ({ aws }) => aws.faults.push({ ...fault, cut: 'before' })],
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

/** An answer with so many administrators for each of these databases, each a row of 1 kB; made once, since it takes a while. */
function largeAnswer(count: Record<string, number>): string {
  const rows = Array.from({ length: Math.max(...Object.values(count)) }, (_, n) => ({
    ...administrator(`login-${n}`),
    detail: 'x'.repeat(600),
  }));
  const results = Object.entries(count).map(([id, most]) => {
    return { id, result: 'admin', rows: rows.slice(0, most), queries: [sqlSha256] };
  });
  return gzipSync(JSON.stringify(results)).toString('base64');
}
const withGzip = (gzip: string) => {
  return { version: '1.0.0', queries: [{ file: 'x.sql', sha256: sqlSha256, text: sql }], gzip, unanswered: [] };
};
const OTHER = '444444444444';

// These keep the test's own process busy: they run alone.
test('three answers of 45 MB unpacked at once are read, one of 95 MB costs only its own database', async context => {
  const accounts = [HUB, SHOP, BANK];
  const databases = accounts.map(account => database(`db-${account}`, account, 'us-east-1'));
  databases.push(database('large', OTHER, 'us-east-1'), database('small', OTHER, 'us-east-1'));
  const both = largeAnswer({ large: 95_000, small: 1 });
  const small = largeAnswer({ small: 1 });
  const workers: Record<string, Partial<LambdaFunction>> = {
    [OTHER]: {
      run: ({ databases }: WorkerEvent) => withGzip(databases.some(({ id }) => id === 'large') ? both : small),
    },
  };
  for (const account of accounts) {
    const answer = withGzip(largeAnswer({ [`db-${account}`]: 45_000 }));
    workers[account] = { run: () => answer };
  }
  const fleet = await startFleet(context, databases, { orchestrator: { memoryMB: 1024 }, workers }); // as the template has it
  const ran = await run(fleet);
  for (const each of fleet.aws.invocations) each.answer = ''; // the search for secrets unpacks every answer
  const report = await check(fleet, ran, { code: 3, results: { large: 'failed' }, invoked: { [OTHER]: 4 } });
  assert.match(detailOf(report, 'large'), /was cut, or unpacks to more than 48 MB/);
  assert.equal(report.manifest.totals.administrators, 135_001);
  const { memoryMB } = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
  context.diagnostic(`${Math.round(memoryMB)} MB of 1024`);
});

test('more rows than the function has memory for cost those that came last, not the report', async context => {
  const databases = Array.from({ length: 6 }, (_, n) => database(`db-${n}`, `${444444444440 + n}`, 'us-east-1'));
  const workers: Record<string, Partial<LambdaFunction>> = {};
  for (const { id, account } of databases) {
    const answer = withGzip(largeAnswer({ [id]: 45_000 }));
    workers[account] = { run: () => answer };
  }
  const fleet = await startFleet(context, databases, { orchestrator: { memoryMB: 1024 }, workers });
  const ran = await run(fleet);
  for (const each of fleet.aws.invocations) each.answer = '';
  assert.equal(ran.code, 3, ran.stderr);
  const { databases: counts, failures }: Summary = JSON.parse(ran.stdout);
  assert.ok(counts.covered >= 3 && counts.failed >= 1, JSON.stringify(counts));
  for (const { detail } of failures) assert.match(detail, /no room for its 45000 rows: read it in a run of its own/);
  const { memoryMB } = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
  context.diagnostic(`${Math.round(memoryMB)} MB of 1024`);
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

describe('a SQL Server that one invocation does not suffice for', { concurrency: 3 }, () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  /** Reads `count` of the databases that it is asked for, and names the others. */
  function reading(count: number, more: (remaining: string[]) => object = () => ({})): Run {
    return (event: WorkerEvent) => {
      const queries = [{ file: 'mssql-server.sql', sha256: sqlSha256, text: sql }];
      const results = event.databases.map(({ id, remaining: asked = names }) => {
        const remaining = asked.slice(count);
        const notRead = (name: string) => ({
          ...emptyRow,
          result: 'incomplete',
          scope: `database:${name}`,
          detail: `${name} was not read`,
        });
        return {
          ...{
            id,
            result: remaining.length > 0 ? 'incomplete' : 'admin',
            detail: '',
            engine: 'mssql',
            duration_ms: 10,
          },
          rows: [
            administrator('sa'), // of the server, in each answer
            ...asked.slice(0, count).map(name => ({ ...administrator('dbo'), scope: `database:${name}` })),
            ...remaining.map(notRead),
          ],
          ...{ login: 'auditor', queries: [sqlSha256], remaining },
          ...more(asked),
        };
      });
      return { version: '1.0.0', queries, gzip: gzipSync(JSON.stringify(results)).toString('base64'), unanswered: [] };
    };
  }
  const scopesOf = ({ rows }: Report, id: string) =>
    rows.filter(row => row.database_id === id).map(({ result, scope }) => `${result} ${scope}`);
  const allOf = (list: string[]) => list.map(name => `admin database:${name}`);

  test('it is asked for what remains, until all is read', async context => {
    const fleet = await startFleet(context, six(), { ...quick, workers: { [HUB]: { run: reading(2) } } });
    const ran = await run(fleet);
    const report = await check(fleet, ran, { code: 0, invoked: { [HUB]: 3 } });
    assert.deepEqual(scopesOf(report, 'hub-db'), [...allOf(names), 'admin server']);
    const { attempts, duration_ms, rows, administrators } = report.manifest.databases.find(
      ({ id }) => id === 'hub-db',
    )!;
    assert.deepEqual([attempts, duration_ms, rows, administrators], [3, 30, 6, 6]);
    const asked = fleet.aws.invocations.filter(({ arn }) => arn.includes('vpc-2'));
    const remaining = asked.map(({ event }) => (event as WorkerEvent).databases[0]!.remaining);
    assert.deepEqual(remaining, [undefined, ['c', 'd', 'e'], ['e']]);
    const { answer } = fleet.aws.invocations.find(({ arn }) => arn === orchestrator)!;
    assert.equal(answer.match(/"type":"database","database_id":"hub-db"/g)!.length, 1);
  });

  test('an answer that reads none of it ends it: what was not read is named', async context => {
    const stuck = reading(2);
    const none = reading(0);
    const run3: Run = (event: WorkerEvent, ...rest) => (event.databases[0]!.remaining ? none : stuck)(event, ...rest);
    const fleet = await startFleet(context, six(), { ...quick, workers: { [HUB]: { run: run3 } } });
    const ran = await run(fleet);
    const report = await check(fleet, ran, { code: 3, results: { 'hub-db': 'incomplete' }, invoked: { [HUB]: 2 } });
    const left = ['c', 'd', 'e'].map(name => `incomplete database:${name}`);
    assert.deepEqual(scopesOf(report, 'hub-db'), [...allOf(['a', 'b']), ...left, 'admin server']);
    assert.equal(detailOf(report, 'hub-db'), 'c was not read | d was not read | e was not read');
  });

  test('what was read stands where the next answer is a failure, a crash, or too late', async context => {
    const first =
      (next: Run): Run =>
      (event: WorkerEvent, ...rest) =>
        (event.databases[0]!.remaining ? next : reading(2))(event, ...rest);
    const refused: Run = ({ databases: [{ id }] }: { databases: [Database] }) => {
      const results = [{ id, result: 'failed', detail: 'login failed', rows: [], queries: [] }];
      return {
        version: '1.0.0',
        queries: [],
        gzip: gzipSync(JSON.stringify(results)).toString('base64'),
        unanswered: [],
      };
    };
    const databases = [HUB, SHOP, BANK].map(account => database(`db-${account}`, account, 'us-east-1'));
    const fleet = await startFleet(context, databases, {
      orchestrator: { timeoutSeconds: 20 },
      workers: {
        [HUB]: { run: first(refused) },
        [SHOP]: { run: first(crash) },
        [BANK]: { run: first(() => sleep(20_000)) },
      },
    });
    const results: Results = Object.fromEntries(databases.map(({ id }) => [id, 'incomplete']));
    const report = await check(fleet, await run(fleet), {
      code: 3,
      results,
      invoked: { [HUB]: 2, [SHOP]: 4, [BANK]: 2 },
    });
    const left = ['c', 'd', 'e'].map(name => `incomplete database:${name}`);
    for (const { id } of databases)
      assert.deepEqual(scopesOf(report, id), [...allOf(['a', 'b']), ...left, 'admin server']);
    assert.match(detailOf(report, `db-${HUB}`), /^login failed/);
    assert.match(detailOf(report, `db-${SHOP}`), /asked for 3 times/);
    assert.match(detailOf(report, `db-${BANK}`), /^timed out: no answer before the orchestrator/);
  });

  test('what remains and has no row of its own is not believed', async context => {
    const silently = reading(5, () => ({ remaining: ['f'] }));
    const fleet = await startFleet(context, six(), { ...quick, workers: { [HUB]: { run: silently } } });
    const report = await check(fleet, await run(fleet), { code: 3, results: { 'hub-db': 'failed' } });
    assert.match(detailOf(report, 'hub-db'), /a database was not read, and said so in no row/);
  });
});

describe('is the inventory whole', { concurrency: 3 }, () => {
  const instance = (id: string, host: string, more: object = {}) => ({
    ...{ DBInstanceIdentifier: id, Engine: 'sqlserver-se', EngineVersion: '16.00', DBInstanceStatus: 'available' },
    ...{ Endpoint: { Address: host, Port: 1433 }, ...more },
  });
  /** AWS lists what the inventory has, and these servers of BANK. */
  async function startListed(
    context: TestContext,
    instances: object[] = [],
    clusters: object[] = [],
    excluded: object[] = [],
    more: Entry[] = [],
  ) {
    const databases = [...six(), ...more];
    const inventory = JSON.stringify({ databases, excluded });
    const fleet = await startFleet(context, databases, { inventory });
    for (const [account, region] of [
      [HUB, 'us-east-1'],
      [SHOP, 'us-east-1'],
      [SHOP, 'eu-west-1'],
      [BANK, 'eu-west-1'],
    ])
      fleet.aws.rds.set(`${account} ${region}`, { instances: [instance('all', 'localhost')], clusters: [] });
    const bank = fleet.aws.rds.get(`${BANK} eu-west-1`)!;
    bank.instances.push(...(instances as typeof bank.instances));
    bank.clusters.push(...(clusters as typeof bank.clusters));
    return fleet;
  }
  const placeOf = ({ manifest }: Report, account: string, region = 'eu-west-1') => {
    const {
      account: _,
      region: __,
      ...place
    } = manifest.population.find(each => each.account === account && each.region === region)!;
    return place;
  };
  const checked = (listed: number, unlisted = 0, excluded = 0) => ({
    checked: true,
    detail: '',
    listed,
    unlisted,
    excluded,
  });

  test('all are in it: each account and region is asked once', async context => {
    const fleet = await startListed(context, [
      instance('postgres', 'p.example', { Engine: 'postgres' }),
      instance('going', 'g.example', { DBInstanceStatus: 'deleting' }),
    ]);
    const report = await check(fleet, await run(fleet), { code: 0 });
    assert.deepEqual(
      report.manifest.population,
      [
        [HUB, 'us-east-1'],
        [SHOP, 'eu-west-1'],
        [SHOP, 'us-east-1'],
        [BANK, 'eu-west-1'],
      ].map(([account, region]) => ({
        ...{ account, region },
        ...checked(1),
      })),
    );
    for (const operation of ['DescribeDBInstances', 'DescribeDBClusters'])
      assert.equal(callsOf(fleet, operation).length, 4, operation);
  });

  test('one is not: it has a row, and the report is not whole', async context => {
    const host = 'forgotten.abc.eu-west-1.rds.amazonaws.com';
    const fleet = await startListed(context, [instance('forgotten', host)]);
    const ran = await run(fleet);
    const report = await check(fleet, ran, { code: 3, others: { forgotten: 'unlisted' } });
    const row = report.rows.find(({ database_id }) => database_id === 'forgotten')!;
    const { account_id, region, engine, engine_version, port, result, scope, principal, detail } = row;
    assert.deepEqual(
      [account_id, region, engine, engine_version, row.host, port, result, scope, principal],
      [BANK, 'eu-west-1', 'mssql', '16.00', host, '1433', 'unlisted', '', ''],
    );
    assert.match(detail!, /the inventory does not: name one of its endpoints in "databases", or in "excluded"/);
    assert.deepEqual(placeOf(report, BANK), checked(2, 1));
    assert.deepEqual(report.rows.map(({ database_id }) => database_id).slice(-3), ['cards', 'forgotten', 'ledger']);
  });

  test('a member of a cluster is covered by each kind of endpoint', async context => {
    const member = (cluster: string) =>
      instance(`${cluster}-1`, `${cluster}-1.example`, { DBClusterIdentifier: cluster, Engine: 'aurora-mysql' });
    const cluster = (id: string, endpoints: object) => ({
      DBClusterIdentifier: id,
      Engine: 'aurora-mysql',
      ...endpoints,
    });
    const fleet = await startListed(context, ['writer', 'reader', 'custom', 'none'].map(member), [
      cluster('writer', { Endpoint: 'LocalHost', ReaderEndpoint: 'ro.example' }),
      cluster('reader', { Endpoint: 'rw.example', ReaderEndpoint: 'localhost' }),
      cluster('custom', { Endpoint: 'rw.example', CustomEndpoints: ['one.example', 'localhost'] }),
      cluster('none', { Endpoint: 'rw.example', ReaderEndpoint: 'ro.example', CustomEndpoints: ['one.example'] }),
    ]);
    const report = await check(fleet, await run(fleet), { code: 3, others: { 'none-1': 'unlisted' } });
    assert.deepEqual(placeOf(report, BANK), checked(5, 1));
  });

  test('one is left out on purpose: it has a row with the reason, and the report is whole', async context => {
    const excluded = [{ host: 'COPY.example.com', reason: 'a copy for tests, without data' }];
    const fleet = await startListed(context, [instance('copy', 'copy.example.com')], [], excluded);
    const report = await check(fleet, await run(fleet), { code: 0, others: { copy: 'excluded' } });
    const row = report.rows.find(({ database_id }) => database_id === 'copy')!;
    assert.deepEqual([row.result, row.detail], ['excluded', excluded[0]!.reason]);
    assert.deepEqual(placeOf(report, BANK), checked(2, 0, 1));
  });

  test('an identifier of AWS that is also an id of the inventory', async context => {
    const fleet = await startListed(context, [instance('ledger', 'other.example.com')]);
    const ran = await run(fleet, ['--json', '--download', 'here']);
    assert.equal(ran.code, 3, ran.stderr);
    const [csv] = fs.readdirSync(path.join(fleet.folder, 'here'));
    const rows = await readReport(fs.readFileSync(path.join(fleet.folder, 'here', csv!)));
    const own = rows.filter(({ database_id }) => database_id === 'ledger');
    assert.deepEqual(
      own.map(({ result, host }) => [result, host]),
      [
        ['unlisted', 'other.example.com'],
        ['admin', 'localhost'],
      ],
    );
    assert.equal((await run(fleet, ['--verify', path.join('here', csv!)])).code, 0);
  });

  test('denied in one account: the run goes on, and says so', async context => {
    const fleet = await startListed(context, [instance('forgotten', 'f.example')]);
    const bank = fleet.aws.callers.get(`AKIA${BANK}`)!;
    bank.allow = bank.allow.filter(allowed => !allowed.startsWith('rds:DescribeDBInstances'));
    const report = await check(fleet, await run(fleet), { code: 0 });
    const { checked: isChecked, detail } = placeOf(report, BANK);
    assert.equal(isChecked, false);
    assert.match(detail, /AccessDenied.*rds:DescribeDBInstances/);
    assert.deepEqual(placeOf(report, SHOP), checked(1));
  });

  test('no way to the API: no database is lost', async context => {
    const fleet = await startListed(context);
    fleet.aws.faults.push({ on: `Describe* *:${BANK}:*`, times: 100, delayMs: 60_000 });
    const report = await check(fleet, await run(fleet), { code: 0 });
    assert.equal(placeOf(report, BANK).checked, false);
    assert.match(placeOf(report, BANK).detail, /no answer within 10 s/);
    const { startedAt, endedAt } = fleet.aws.invocations.find(({ arn }) => arn.includes(BANK))!;
    assert.ok(endedAt! - startedAt < 20_000);
  });

  test('a thousand in pages, throttled in the middle', async context => {
    const instances = Array.from({ length: 1000 }, (_, n) => instance(`db-${n}`, `db-${n}.example.com`));
    const excluded = instances.slice(500).map(({ Endpoint }) => ({ host: Endpoint.Address, reason: 'a copy' }));
    const fleet = await startListed(context, instances, [], excluded);
    const throttling = { after: 4, times: 2, error: [400, 'Throttling', 'Rate exceeded'] as [number, string, string] };
    fleet.aws.faults.push({ on: `DescribeDBInstances *:${BANK}:*`, ...throttling });
    const others: Others = Object.fromEntries(
      instances.map(({ DBInstanceIdentifier: id }, n) => [id, n < 500 ? 'unlisted' : 'excluded']),
    );
    const report = await check(fleet, await run(fleet), { code: 3, others });
    assert.deepEqual(placeOf(report, BANK), checked(1001, 500, 500));
    assert.ok(callsOf(fleet, 'DescribeDBInstances', BANK).some(({ code }) => code === 'Throttling'));
  });

  test('a filtered run compares with the whole inventory, and says what it did not ask', async context => {
    const leftOut = [database('elsewhere', BANK, 'eu-west-1', { host: 'left-out.example.com' })];
    const fleet = await startListed(context, [instance('forgotten', 'f.example')], [], [], leftOut);
    const own = fleet.aws.rds.get(`${SHOP} eu-west-1`)!.instances;
    own.push(instance('other', 'o.example'), instance('known', 'left-out.example.com'));
    const ran = await run(fleet, ['--json', '--database', 'orders-eu']);
    const chosen = { ...fleet, databases: fleet.databases.filter(({ id }) => id === 'orders-eu') };
    const report = await check(chosen, ran, { code: 3, others: { other: 'unlisted' } });
    assert.deepEqual(placeOf(report, SHOP), checked(3, 1));
    const notAsked = { checked: false, detail: 'the filter left it out', listed: 0, unlisted: 0, excluded: 0 };
    assert.deepEqual(placeOf(report, SHOP, 'us-east-1'), notAsked);
    assert.deepEqual(placeOf(report, BANK), notAsked);
  });

  test('workers that do not list, that list nonsense, that crash', async context => {
    const listing =
      (population?: unknown): Run =>
      event => ({ ...answering()(event), population });
    const server = { id: 'x', engine: 'mysql', version: '8', host: 'x.example', port: 3306, covered_by: [] };
    const listingItsOwn: Run = (event, { invokedFunctionArn }) => {
      const id = `x-${invokedFunctionArn.split(':')[3]}`;
      return { ...answering()(event), population: { listed: [{ ...server, id }] } };
    };
    const odd = [
      { listed: [{ ...server, port: 70_000 }] },
      { listed: [{ ...server, id: 'a\nb' }] },
      { listed: [{ ...server, engine: 'postgres' }] },
      { listed: [{ ...server, covered_by: [null] }] },
      { listed: [{ ...server, host: 'x'.repeat(300) }] },
      { listed: [null] },
      { listed: 'all' },
      'none',
      { error: 7 },
    ];
    const accountOf = (n: number) => `${500000000000 + n}`;
    const databases = [...six(), ...odd.map((_, n) => database(`odd-${n}`, accountOf(n), 'us-east-1'))];
    const workers: Record<string, Partial<LambdaFunction>> = {
      [HUB]: { run: listing() },
      [SHOP]: { run: firstly(1, crash, listingItsOwn) },
      [BANK]: { run: crash },
    };
    for (const [n, population] of odd.entries()) workers[accountOf(n)] = { run: listing(population) };
    const fleet = await startFleet(context, databases, { workers });
    const ran = await run(fleet);
    const invoked = Object.fromEntries(
      [SHOP, BANK].map(account => [account, fleet.aws.invocations.filter(({ arn }) => arn.includes(account)).length]),
    );
    const results: Results = { ledger: 'failed', cards: 'failed' };
    const others: Others = { 'x-us-east-1': 'unlisted', 'x-eu-west-1': 'unlisted' };
    const report = await check(fleet, ran, { code: 3, results, others, invoked });
    assert.equal(
      placeOf(report, HUB, 'us-east-1').detail,
      `the worker (version 1.0.0) does not list database servers: deploy the hub's version of it in account ${HUB}`,
    );
    assert.match(placeOf(report, BANK).detail, /Runtime\.ExitError.*asked for 3 times/);
    for (const [n] of odd.entries())
      assert.match(placeOf(report, accountOf(n), 'us-east-1').detail, /answered with a list that cannot be read/);
    const asked = fleet.aws.invocations.filter(
      ({ arn, event }) => arn.includes(SHOP) && (event as WorkerEvent).population,
    );
    assert.equal(asked.length, 3, 'one for each region, and the one after the crash');
  });
});
