// The orchestrator: reads the inventory, has every database read by the worker of its account, gathers the rows and writes
// the report with its manifest. It runs as the hub account's Lambda (`handler`) and, for `--local`, inside the CLI (`run`).

import { isUtf8 } from 'node:buffer';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type {
  AwsError,
  Database,
  DatabaseResult,
  LambdaContext,
  ListedServer,
  Query,
  Row,
  WorkerAnswer,
  WorkerEvent,
} from './worker.ts';
import {
  awsClient,
  backoff,
  emptyRow,
  failed,
  inParts,
  isoSeconds,
  isPassing,
  limited,
  memoize,
  mergeRows,
  oneLine,
  rowColumns,
  version,
} from './worker.ts';

const MB = 2 ** 20;
const seconds = 1000;
const limits = {
  batch: 100, // databases in one invocation: few enough for a worker's time and for the size of its answer
  invocations: 50, // at the same time
  perWorker: 5, // of these
  attempts: 3, // runs of a worker for one database, where it crashes, times out or its answer is cut
  refused: 30 * seconds, // of trying a call that Lambda does not take for a passing fault of its own or of the network
  notReady: 180 * seconds, // the same for a function that is not ready: AWS makes the network of one long unused anew
  worker: 285 * seconds, // from the invocation of a worker to its deadline; Lambda ends it at 300 s
  late: 15 * seconds, // after its deadline an answer may still arrive
  unpacked: 48 * MB, // of one answer; parsed, it takes five times as much of the function's 2,048 MB, one at a time
  rows: 144 * MB, // of all rows in the CSV, which is put together from a copy; 200,000 administrators need 70 MB
  reserve: 60 * seconds, // for writing the report before the function's end, or a third of its time where that is less
  inventory: 30 * seconds, // of trying to read it
  heartbeat: 20 * seconds, // networks cut a silent stream at 350 s
};

/** What an operator asks for; `reportId` is a lower-case UUID, the filters are account ids and database ids. */
export type Request = { reportId: string; requestedBy: string; accounts?: string[]; databases?: string[] };

/** What came of a database that was asked for, or of a server that AWS lists and that was not. */
export type Outcome = DatabaseResult['result'] | 'unlisted' | 'excluded';
type Counts = Record<'covered' | 'incomplete' | 'failed' | 'unlisted' | 'excluded', number>;

/** The outcome of a run: what `--json` prints. `report` and `manifest` are s3:// URLs, or file paths with `--local`. */
export type Summary = {
  report_id: string;
  status: 'complete' | 'incomplete' | 'failed';
  report: string | null;
  manifest: string | null;
  sha256: string | null;
  manifest_sha256: string | null;
  databases: { total: number; left_out: number } & Counts; // in all it is what was asked for: covered, incomplete, failed
  administrators: number;
  full: number;
  rows: number;
  started_at: string;
  finished_at: string;
  failures: { database_id: string; result: Outcome; detail: string }[]; // all that is failed, incomplete or unlisted
};

/** A line of the orchestrator's stream. */
export type Line =
  | { type: 'started'; report_id: string; report: string; manifest: string; total: number; databases: string[] }
  | ({ type: 'database'; database_id: string; done: number; total: number } & Found)
  | { type: 'heartbeat' }
  | ({ type: 'result' } & Summary)
  | { type: 'error'; message: string };

type Found = Pick<ManifestDatabase, 'result' | 'detail' | 'administrators'>;

export type Manifest = {
  manifest_version: 1;
  report_id: string;
  generated_at: string;
  finished_at: string;
  tool_version: string;
  requested_by: string;
  request_id: string;
  control: string;
  inventory: { source: string; version: string; sha256: string; text: string };
  filter: { accounts: string[]; databases: string[] };
  left_out: string[]; // ids of the databases that the filter left out
  population: ManifestPopulation[];
  queries: Query[];
  databases: ManifestDatabase[];
  totals: { databases: number; administrators: number; full: number; rows: number } & Counts;
  report: { location: string; bytes: number; sha256: string };
};

/** The database servers that AWS lists in an account and region, counted; where the list was not had, `detail` says why. */
export type ManifestPopulation = Place & { checked: boolean; detail: string } & Listed;
type Listed = Record<'listed' | 'unlisted' | 'excluded', number>;
type Place = Pick<Database, 'account' | 'region'>;

/** A database that was asked for, or a server that is `unlisted` or `excluded`: then `id` is AWS's, and `tls` is empty. */
export type ManifestDatabase = Server &
  Omit<DatabaseResult, 'id' | 'result' | 'rows' | 'collected_at' | 'remaining'> & {
    result: Outcome;
    attempts: number;
    rows: number;
    administrators: number;
    full: number; // those of the administrators with a row whose extent is full
    worker_version: string;
  };
type Server = Omit<Database, 'engine' | 'credentials' | 'worker' | 'remaining' | 'tls'> & { tls: Database['tls'] | '' };

const defaultControl =
  'https://grc.strikegraph.com/organization/085c5b9b-eee0-49d0-9b07-296e3787734d/control/control_detail/176245';

// ── the inventory ─────────────────────────────────────────────────────────────────────────────────────────────────────
export type Inventory = { databases: Database[]; excluded: { host: string; reason: string }[] };
export const idPattern = /^[A-Za-z0-9._-]{1,128}$/;
export const accountPattern = /^\d{12}$/;
/** AWS's words for parts of the world, then a direction: `us-esat-1` is a slip, and would fail only when the run is under way. */
const regionPattern =
  /^(af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov|us-iso[bf]?|eu-isoe|eusc-de)-(north|south|east|west|central|(north|south)(east|west))-\d{1,2}$/;
const hostPattern = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;
type Rule = { says: string; holds(value: unknown): boolean; required: boolean };
const matching = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);
const required = (says: string, holds: Rule['holds']): Rule => ({ says, holds, required: true });
const optional = (says: string, holds: Rule['holds']): Rule => ({ says, holds, required: false });
const isPort = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535;
const hostRule = required(
  'must be a host name or an address alone; a named instance (host\\instance, host,port) is named by its fixed port, in "port"',
  host => matching(/^.{1,253}$/)(host) && (net.isIP(host as string) !== 0 || matching(hostPattern)(host)),
);
const databaseRules: Record<string, Rule> = {
  id: required('must be letters, digits, ".", "_" and "-", 128 at most', matching(idPattern)),
  account: required('must be 12 digits, in quotes', matching(accountPattern)),
  account_name: optional('must be a text of 256 characters at most', matching(/^.{0,256}$/su)),
  region: required('must be an AWS region such as us-east-1', matching(regionPattern)),
  engine: required('must be "mysql" (MariaDB and Aurora too) or "mssql"', matching(/^(mysql|mssql)$/)),
  host: hostRule,
  port: optional('must be a whole number from 1 to 65535', isPort),
  credentials: required(
    'must be "ssm:/db-admin-report/NAME" or "secretsmanager:NAME" ("env:NAME" with --local alone), NAME of 900 characters at most',
    matching(/^(ssm:\/db-admin-report\/[\w./-]{1,900}|secretsmanager:[\w/+=.@!-]{1,900}|env:[A-Za-z_]\w{0,899})$/),
  ),
  tls: optional('must be "verify", "trust" or "off"', matching(/^(verify|trust|off)$/)),
  worker: optional(
    'must be a function name that begins "db-admin-report-worker", or the whole ARN of such a function in the same account and region, without a version or alias',
    matching(/^(arn:aws[a-z-]{0,9}:lambda:[a-z0-9-]{1,30}:\d{12}:function:)?db-admin-report-worker[\w-]{0,42}$/),
  ),
};
const excludedRules: Record<string, Rule> = {
  host: hostRule,
  reason: required('must be a text of 1 to 500 characters', matching(/^(?=.*\S).{1,500}$/su)),
};

/** Faults of an input, each with its place; the message lists them all. */
export const faulty = (what: string, faults: string[]) =>
  new Error(`${what}:\n${faults.map(fault => `  ${fault}`).join('\n')}`);

/** The inventory with its defaults filled in. Throws with every fault and its place. `local` allows `env:` credentials. */
export function parseInventory(bytes: Uint8Array, { local = false } = {}): Inventory {
  const faults: string[] = [];
  let root: unknown;
  try {
    if (!isUtf8(bytes)) throw new Error('must be UTF-8: save it as such');
    root = parseJson(new TextDecoder().decode(bytes)); // without a byte order mark
    if (!isObject(root)) throw new Error('must be an object with the field "databases"');
  } catch (error) {
    throw faulty('the inventory is refused', [(error as Error).message]);
  }
  for (const field of Object.keys(root))
    if (field !== 'databases' && field !== 'excluded') faults.push(`${field}: unknown field`);
  const entries = listOf('databases', root.databases, databaseRules, faults);
  const exclusions = listOf('excluded', root.excluded === undefined ? [] : root.excluded, excludedRules, faults);
  if (Array.isArray(root.databases) && root.databases.length === 0)
    faults.push('databases: must name at least one database');
  const excludedAt = new Map(exclusions.map(([place, { host }]) => [String(host).toLowerCase(), place]));
  const firstWith = new Map<unknown, string>();
  for (const [place, entry] of entries) {
    const { id, account, region, host, credentials, worker } = entry;
    const first = firstWith.get(id);
    if (typeof id === 'string' && first) faults.push(`${place}.id: is already the id of ${first}`);
    else firstWith.set(id, place);
    if (!local && typeof credentials === 'string' && credentials.startsWith('env:'))
      faults.push(`${place}.credentials: "env:" is read with --local alone`);
    const exclusion = excludedAt.get(String(host).toLowerCase());
    if (exclusion) faults.push(`${place}.host: is in ${exclusion} too: it is either read or left out`);
    if (typeof worker === 'string' && worker.startsWith('arn:') && databaseRules.worker!.holds(worker)) {
      const [, , , arnRegion, arnAccount] = worker.split(':');
      if (arnRegion !== region || arnAccount !== account)
        faults.push(`${place}.worker: the function must be in the database's own account and region`);
    }
  }
  if (faults.length > 0) throw faulty('the inventory is refused', faults);
  const databases = entries.map(([, entry]) => ({
    account_name: '',
    port: entry.engine === 'mssql' ? 1433 : 3306,
    tls: 'verify' as const,
    worker: 'db-admin-report-worker',
    ...(entry as Pick<Database, 'id' | 'account' | 'region' | 'engine' | 'host' | 'credentials'>),
  }));
  return { databases, excluded: exclusions.map(([, entry]) => entry as Inventory['excluded'][number]) };
}

/** The entries of a list, each with its place; adds what breaks a rule to `faults`. */
function listOf(name: string, list: unknown, rules: Record<string, Rule>, faults: string[]) {
  if (!Array.isArray(list)) faults.push(`${name}: must be a list`);
  return (Array.isArray(list) ? list : []).flatMap((entry: unknown, i): [string, Record<string, unknown>][] => {
    const place = `${name}[${i}]${isObject(entry) && matching(idPattern)(entry.id) ? ` (${entry.id})` : ''}`;
    if (isObject(entry)) faults.push(...faultsOf(entry, rules).map(fault => `${place}.${fault}`));
    else faults.push(`${place}: must be an object`);
    return isObject(entry) ? [[place, entry]] : [];
  });
}

function faultsOf(entry: Record<string, unknown>, rules: Record<string, Rule>): string[] {
  const unknown = Object.keys(entry).filter(field => !Object.hasOwn(rules, field));
  const broken = Object.entries(rules).flatMap(([field, { says, holds, required }]) => {
    if (entry[field] === undefined) return required ? [`${field}: is required; ${says}`] : [];
    return holds(entry[field]) ? [] : [`${field}: ${says}`];
  });
  return [...unknown.map(field => `${field}: unknown field`), ...broken];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A name with its colon, another string, or the begin or end of an object or a list. */
const jsonToken = /("[^"\\]*(?:\\.[^"\\]*)*")[\t\n\r ]*:|"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/g;

/** JSON.parse keeps the last of two equal names in an object silently, and with it half of the databases: here it is a fault. */
export function parseJson(json: string): unknown {
  const parsed = JSON.parse(json);
  const open: Set<string>[] = []; // the names so far of each object or list that is open here
  for (const { 0: token, 1: name, index } of json.matchAll(jsonToken)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (name) {
      const { size } = open.at(-1)!;
      if (open.at(-1)!.add(JSON.parse(name)).size > size) continue;
      const lines = json.slice(0, index).split('\n');
      const place = `line ${lines.length} column ${lines.at(-1)!.length + 1}`;
      throw new Error(`the name ${name} stands twice in one object (${place})`);
    }
  }
  return parsed;
}

/** Narrows the databases to those that a request names. Throws where it names one that the inventory lacks. */
export function choose(databases: Database[], accounts: string[], ids: string[]): Database[] {
  const chosen = databases.filter(
    ({ account, id }) =>
      (accounts.length === 0 || accounts.includes(account)) && (ids.length === 0 || ids.includes(id)),
  );
  const lacks = (field: 'account' | 'id') => (name: string) => !databases.some(database => database[field] === name);
  const faults = [
    ...accounts.filter(lacks('account')).map(account => `--account ${account}: the inventory has no database in it`),
    ...ids.filter(lacks('id')).map(id => `--database ${id}: the inventory has no such database`),
  ];
  if (faults.length === 0 && chosen.length === 0)
    faults.push('no database is in both the accounts and the databases that were named');
  if (faults.length > 0) throw faulty('the request does not fit the inventory', faults);
  return chosen;
}

// ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────────
/** What came with a result: which worker read it, the texts of its queries, and how often a worker was run for it. */
type Origin = { version: string; queries: Query[]; attempts: number };
const noOrigin: Origin = { version: '', queries: [], attempts: 0 };

/** Takes a result; answers with the database, or none, of which a part is to be asked for again. */
type Done = (result: DatabaseResult, origin: Origin) => Database[];

/** Takes the list of the database servers of an account and region, or in words why there is none. */
type TakeList = (place: Place, list: ListedServer[] | string) => void;
const placeOf = ({ account, region }: Place) => `${account}, ${region}`;

/** What differs between the Lambda and `--local`. */
type Surroundings = {
  local: boolean;
  requestId: string;
  writeAt: number; // epoch ms by which the report must begin to be written
  inventory(): Promise<{ source: string; version: string; bytes: Uint8Array }>;
  collect(databases: Database[], done: Done, takeList: TakeList): Promise<void>; // what is not handed over by then has failed
  /** Where a file of the report will be: a path below the prefix, with the day's folders, or below `--out`, without. */
  location(name: string, generatedAt: string): string;
  put(bytes: Buffer, location: string, sha256: string, contentType: string): Promise<void>; // for good; overwrites nothing
};

/** Makes one report. Emits the lines of the stream but the last; resolves with the summary, throws where there is no report. */
export async function run(request: Request, surroundings: Surroundings, emit: (line: Line) => void): Promise<Summary> {
  const { reportId: report_id, accounts = [], databases: ids = [] } = request;
  const generated_at = isoSeconds(new Date());
  const { bytes, ...origin } = await surroundings.inventory();
  const inventory = parseInventory(bytes, surroundings);
  const chosen = choose(inventory.databases, accounts, ids);
  const name = `db-admins_${generated_at.replace(/[-:]/g, '')}_${report_id}`;
  const report = surroundings.location(`${name}.csv`, generated_at);
  const manifestLocation = surroundings.location(`${name}.manifest.json`, generated_at);
  const names = { report_id, report, manifest: manifestLocation };
  emit({ type: 'started', ...names, total: chosen.length, databases: chosen.map(({ id }) => id) });

  const { parts, queries, lists } = await gather(chosen, surroundings, [generated_at, report_id], emit);
  const { population, others } = compareLists(inventory, chosen, lists, surroundings.local);
  for (const [server, result] of others) parts.push(partOf(server, result, 0, '', [generated_at, report_id]));
  const order = by<ManifestDatabase>('account', 'region', 'id', 'tls', 'host', 'port'); // the others have no `tls`
  parts.sort((one, other) => order(one.entry, other.entry));
  const csv = Buffer.concat([Buffer.from(`\uFEFF${csvLine(columns)}`), ...parts.map(part => part.csv)]);
  const databases = parts.map(part => part.entry);
  const manifest: Manifest = {
    manifest_version: 1,
    report_id,
    generated_at,
    finished_at: isoSeconds(new Date()),
    tool_version: version,
    requested_by: request.requestedBy,
    request_id: surroundings.requestId,
    control: process.env.CONTROL || defaultControl,
    inventory: { ...origin, sha256: crypto.hash('sha256', bytes), text: Buffer.from(bytes).toString('utf8') },
    filter: { accounts, databases: ids },
    left_out: inventory.databases.filter(database => !chosen.includes(database)).map(({ id }) => id),
    population,
    queries,
    databases,
    totals: totalsOf(databases),
    report: { location: report, bytes: csv.length, sha256: crypto.hash('sha256', csv) },
  };
  const manifestBytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  const manifestSha256 = crypto.hash('sha256', manifestBytes);
  await surroundings.put(csv, report, manifest.report.sha256, 'text/csv; charset=utf-8');
  await surroundings.put(manifestBytes, manifestLocation, manifestSha256, 'application/json'); // last: now the report is whole
  return summarize(manifest, manifestLocation, manifestSha256);
}

/** A database or a server of the report, with its rows as they will stand in the CSV. */
type Part = { entry: ManifestDatabase; csv: Buffer };
type Lists = Map<string, ListedServer[] | string>;
type Run = [generatedAt: string, reportId: string];
type AnyResult = Omit<DatabaseResult, 'result'> & { result: Outcome };
/** A database that is waited for; `read` is what an answer had that left databases of a large server for the next. */
type Pending = { asked: Database; attempts: number; version: string; read?: DatabaseResult };

/** Has the databases read, and keeps what comes of each, the texts of the queries that ran, and AWS's lists of servers. */
async function gather(chosen: Database[], surroundings: Surroundings, run: Run, emit: (line: Line) => void) {
  const parts: Part[] = [];
  const texts = new Map<string, Query>(); // by SHA-256
  const ran = new Set<string>();
  const lists: Lists = new Map();
  const pending = new Map(chosen.map(asked => [asked.id, { asked, attempts: 0, version: '' } as Pending]));
  let bytes = 0;
  const done: Done = (given, origin) => {
    const before = pending.get(given.id);
    if (!before) return []; // answered already, or after the end
    const { asked, read } = before;
    const attempts = before.attempts + origin.attempts;
    const version = origin.version || before.version;
    for (const query of origin.queries.filter(isQuery))
      if (!texts.has(query.sha256) && crypto.hash('sha256', query.text) === query.sha256)
        texts.set(query.sha256, query);
    const result = mergeResults(read, validateResult(given, asked, texts), asked);
    const remaining = result.remaining ?? [];
    if (remaining.length > 0 && remaining.length < (asked.remaining?.length ?? Number.POSITIVE_INFINITY)) {
      const again = { ...asked, remaining };
      pending.set(asked.id, { asked: again, attempts, version, read: result });
      return [again];
    }
    pending.delete(asked.id);
    let part = partOf(asked, result, attempts, version, run);
    if (bytes + part.csv.length > limits.rows) {
      const why = `the report has no room for its ${result.rows.length} rows: read it in a run of its own (--database ${asked.id})`;
      part = partOf(asked, failed(asked, why), attempts, version, run);
    }
    bytes += part.csv.length;
    parts.push(part);
    for (const sha256 of part.entry.queries) ran.add(sha256);
    const { result: outcome, detail, administrators } = part.entry;
    const counts = { administrators, done: parts.length, total: chosen.length };
    emit({ type: 'database', database_id: asked.id, result: outcome, detail, ...counts });
    return [];
  };

  const late = 'timed out: no answer before the orchestrator had to write the report';
  const takeList: TakeList = (place, list) => lists.set(placeOf(place), list);
  const ended = await Promise.race([
    surroundings.collect(chosen, done, takeList).then(() => 'the worker did not answer for it'),
    sleep(surroundings.writeAt - Date.now(), late, { ref: false }),
  ]);
  for (const { asked } of [...pending.values()]) done(failed(asked, ended), noOrigin);
  const queries = [...ran].map(sha256 => texts.get(sha256)!).sort(by<Query>('file', 'sha256'));
  return { parts, queries, lists };
}

/** Compares AWS's lists with the whole inventory: what is known of each account and region, and the servers that are not in it. */
function compareLists(inventory: Inventory, chosen: Database[], lists: Lists, local: boolean) {
  const hosts = new Set(inventory.databases.map(({ host }) => host.toLowerCase()));
  const reasons = new Map(inventory.excluded.map(({ host, reason }) => [host.toLowerCase(), reason]));
  const asked = new Set(chosen.map(placeOf));
  const others: [Server, AnyResult][] = [];
  const population = [...Map.groupBy(inventory.databases, placeOf)].map(([key, databases]): ManifestPopulation => {
    const { account, region } = databases[0]!;
    const counts = { listed: 0, unlisted: 0, excluded: 0 };
    let list = lists.get(key) ?? 'no worker answered in time';
    if (!asked.has(key)) list = 'the filter left it out';
    if (local) list = 'with --local AWS is not asked for its list';
    if (typeof list === 'string') return { account, region, checked: false, detail: list, ...counts };
    const account_name = databases.find(database => database.account_name)?.account_name ?? '';
    for (const { id, engine, version: engine_version, host, port, covered_by } of list) {
      counts.listed++;
      const endpoints = [host, ...covered_by].map(each => each.toLowerCase());
      if (endpoints.some(each => hosts.has(each))) continue;
      const excluded = endpoints.find(each => reasons.has(each));
      const result = excluded === undefined ? 'unlisted' : 'excluded';
      counts[result]++;
      const detail = excluded === undefined ? unlistedDetail : reasons.get(excluded)!;
      const server: Server = { id, account, account_name, region, host, port, tls: '' };
      others.push([server, { ...failed({ id, engine }, detail), result, engine_version }]);
    }
    return { account, region, checked: true, detail: '', ...counts };
  });
  return { population: population.sort(by<ManifestPopulation>('account', 'region')), others };
}

const unlistedDetail =
  'AWS lists this database server, the inventory does not: name one of its endpoints in "databases", or in "excluded" with the reason';

/** The entry of the manifest and the lines of the CSV. Every database has at least one row, whatever happened to it. */
function partOf(server: Server, given: AnyResult, attempts: number, worker_version: string, run: Run): Part {
  const { id, account, account_name, region, host, port, tls } = server;
  const { id: _, rows: found, collected_at, remaining, ...result } = given;
  const said = found.length > 0 && (result.result !== 'incomplete' || found.some(row => row.result === 'incomplete'));
  const rows = said ? [...found] : [...found, { ...emptyRow, result: result.result, detail: result.detail }];
  rows.sort(by<Row>('scope', 'principal', 'granted_through', 'result', 'detail'));
  const administrators = rows.filter(row => row.result === 'admin');
  const distinct = (list: Row[]) =>
    new Set(list.map(({ scope, principal }) => JSON.stringify([scope, principal]))).size;
  const entry = {
    ...{ id, account, account_name, region, host, port, tls, ...result, attempts, rows: rows.length },
    administrators: distinct(administrators),
    full: distinct(administrators.filter(({ extent }) => extent === 'full')),
    worker_version,
  };
  const { engine, engine_version } = entry;
  const before = [account, account_name, id].map(csvField).join();
  const after = csvLine([engine, engine_version, region, host, `${port}`, collected_at, ...run]);
  let csv = '';
  for (const row of rows) {
    csv += before;
    for (const column of rowColumns) csv += `,${csvField(column === 'detail' ? oneLine(row.detail) : row[column])}`;
    csv += `,${after}`;
  }
  return { entry, csv: Buffer.from(csv) };
}

export function totalsOf(databases: ManifestDatabase[]): Manifest['totals'] {
  const count = (...results: Outcome[]) => databases.filter(({ result }) => results.includes(result)).length;
  const sum = (of: 'administrators' | 'full' | 'rows') => databases.reduce((total, each) => total + each[of], 0);
  const [covered, incomplete, lost] = [count('admin', 'none'), count('incomplete'), count('failed')];
  return {
    ...{ databases: covered + incomplete + lost, covered, incomplete, failed: lost },
    ...{ unlisted: count('unlisted'), excluded: count('excluded') },
    ...{ administrators: sum('administrators'), full: sum('full'), rows: sum('rows') },
  };
}

/** The summary of a run, from its manifest alone: so a CLI whose stream broke says the same as one whose stream did not. */
export function summarize(manifest: Manifest, location: string, manifestSha256: string): Summary {
  const { report_id, generated_at: started_at, finished_at, left_out, report } = manifest;
  const { databases: total, administrators, full, rows, ...counts } = manifest.totals;
  const wanting: Outcome[] = ['failed', 'incomplete', 'unlisted'];
  const failures = manifest.databases.filter(database => wanting.includes(database.result));
  return {
    report_id,
    status: failures.length === 0 ? 'complete' : 'incomplete',
    report: report.location,
    manifest: location,
    sha256: report.sha256,
    manifest_sha256: manifestSha256,
    databases: { total, ...counts, left_out: left_out.length },
    ...{ administrators, full, rows, started_at, finished_at },
    failures: failures.map(({ id, result, detail }) => ({ database_id: id, result, detail })),
  };
}

/** Compares by several fields, each by code unit. */
function by<T>(...fields: (keyof T)[]): (one: T, other: T) => number {
  return (one, other) => {
    const field = fields.find(each => one[each] !== other[each]);
    return field === undefined ? 0 : one[field] < other[field] ? -1 : 1;
  };
}

// ── what a worker answers, as it may be believed ──────────────────────────────────────────────────────────────────────
const engines = ['mysql', 'mariadb', 'mssql'];
const isTime = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const isQuery = (value: unknown): value is Query =>
  isObject(value) && [value.file, value.sha256, value.text].every(each => typeof each === 'string');

/** A worker of another version may answer in another shape, and must not be read as "nobody". Texts become what UTF-8 can hold. */
function validateResult(given: DatabaseResult, asked: Database, texts: Map<string, Query>): DatabaseResult {
  const refuse = (what: string) =>
    failed(asked, `the worker answered ${what}: deploy the hub's version of it in account ${asked.account}`);
  const asText = (value: unknown) => (typeof value === 'string' ? value.toWellFormed() : '');
  if (!['admin', 'none', 'incomplete', 'failed'].includes(given.result))
    return refuse(`with the result ${JSON.stringify(given.result)}`);
  if (!Array.isArray(given.rows) || !given.rows.every(isObject)) return refuse('without rows');
  const rows: Row[] = [];
  for (const givenRow of given.rows) {
    const row = { ...emptyRow };
    for (const column of rowColumns) {
      const text: unknown = givenRow[column] ?? '';
      if (typeof text !== 'string') return refuse('with a field that is no text');
      row[column] = text.toWellFormed();
    }
    rows.push(row);
  }
  const missing = rows.filter(row => row.result === 'incomplete');
  if (given.result === 'admin' && rows.length === 0) return refuse('"admin" and named nobody');
  if (given.result === 'none' && rows.length > 0) return refuse('"none" and named somebody');
  for (const { result, extent } of rows) {
    if (result !== 'admin' && result !== 'incomplete')
      return refuse('with a row that is neither an administrator nor incomplete');
    if (result === 'admin' && extent !== 'full' && extent !== 'part')
      return refuse('with an administrator of neither full nor partial extent');
  }
  const queries = Array.isArray(given.queries) ? given.queries.filter(sha256 => texts.has(sha256)) : [];
  const wasRead = given.result === 'admin' || given.result === 'none' || rows.length > 0;
  if (wasRead && (queries.length === 0 || queries.length < given.queries.length))
    return refuse('without the text of a query that it ran');
  const remaining: unknown[] = Array.isArray(given.remaining) ? given.remaining : [];
  const scopes = new Set(missing.map(({ scope }) => scope));
  if (!remaining.every(name => scopes.has(`database:${name}`)))
    return refuse('that a database was not read, and said so in no row');
  return {
    id: asked.id,
    // What was read is kept, and never counts as read in full.
    result: missing.length > 0 || (given.result === 'failed' && rows.length > 0) ? 'incomplete' : given.result,
    detail: oneLine(asText(given.detail)).toWellFormed(),
    rows,
    login: asText(given.login),
    engine: engines.includes(given.engine) ? given.engine : asked.engine,
    engine_version: asText(given.engine_version),
    server_name: asText(given.server_name),
    server_id: asText(given.server_id),
    collected_at: isTime(given.collected_at) ? given.collected_at : isoSeconds(new Date()),
    duration_ms: Number.isFinite(given.duration_ms) ? Math.max(0, Math.round(given.duration_ms)) : 0,
    queries,
    remaining: remaining.map(String),
  };
}

/** What was read before, and what an answer for its remaining databases adds. Where that is a failure, what was read stands. */
function mergeResults(read: DatabaseResult | undefined, next: DatabaseResult, asked: Database): DatabaseResult {
  if (!read) return next;
  if (next.result === 'failed') return { ...read, detail: oneLine(`${next.detail} | ${read.detail}`), remaining: [] };
  const scopes = new Set(['server', ...(asked.remaining ?? []).map(name => `database:${name}`)]); // what is read again
  const kept = read.rows.filter(row => row.result !== 'incomplete' || !scopes.has(row.scope));
  const rows = mergeRows([...kept, ...next.rows]);
  const missing = rows.filter(row => row.result === 'incomplete');
  return {
    ...next,
    result: missing.length > 0 ? 'incomplete' : rows.length > 0 ? 'admin' : 'none',
    detail: missing.length > 0 ? oneLine(missing.map(row => row.detail).join(' | ')) : next.detail,
    rows,
    duration_ms: read.duration_ms + next.duration_ms,
    queries: [...new Set([...read.queries, ...next.queries])],
  };
}

/** The database servers that AWS lists, each once, or in words why they are not known. */
function validateList(given: unknown, worker: string, account: string): ListedServer[] | string {
  const isListed = (server: unknown) =>
    isObject(server) &&
    Array.isArray(server.covered_by) &&
    [server.id, server.version, server.host, ...server.covered_by].every(matching(/^\P{Cc}{0,255}$/u)) &&
    engines.includes(server.engine as string) &&
    (server.port === 0 || isPort(server.port)); // 0 while it is being created
  if (isObject(given) && typeof given.error === 'string') return oneLine(given.error);
  if (isObject(given) && Array.isArray(given.listed) && given.listed.every(isListed)) {
    const listed = given.listed as ListedServer[]; // what changes between two pages may stand on both
    return [...new Map(listed.map(server => [`${server.id} ${server.host}:${server.port}`, server])).values()];
  }
  const what = given === undefined ? 'does not list database servers' : 'answered with a list that cannot be read';
  return `the worker (version ${worker}) ${what}: deploy the hub's version of it in account ${account}`;
}

// ── the CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────
export const columns = [
  'account_id',
  'account_name',
  'database_id',
  ...rowColumns, // result, scope, principal, extent, … detail
  'engine',
  'engine_version',
  'region',
  'host',
  'port',
  'collected_at',
  'generated_at',
  'report_id',
] as const;

const needsQuotes = /[",\r\n]/;
const formula = /^[\t\r\n]|^[\u0000-\u001f\u007f-\u009f]*[=+\-@]/; // a spreadsheet passes over control characters
const needsCare = new RegExp(`${needsQuotes.source}|${formula.source}`);

/** A field of RFC 4180. What a spreadsheet would run as a formula gets a `'` in front (OWASP "CSV injection"). */
export function csvField(value: string): string {
  if (!needsCare.test(value)) return value;
  const guarded = formula.test(value) ? `'${value}` : value;
  return needsQuotes.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

export const csvLine = (fields: readonly string[]) => `${fields.map(csvField).join(',')}\r\n`;

// ── on one machine ────────────────────────────────────────────────────────────────────────────────────────────────────
/** The surroundings of `--local`: an inventory that was read, this process as the worker, a folder for the report. */
export function localSurroundings(
  inventory: { source: string; bytes: Uint8Array },
  out: string,
  collect: (databases: Database[], done: (...given: Parameters<Done>) => void) => Promise<void>,
): Surroundings {
  return {
    local: true,
    requestId: '',
    writeAt: Date.now() + 0x7fffffff - 1_000, // a timer's longest, 24 days
    inventory: async () => ({ version: '', ...inventory }),
    collect: async (databases, done) => {
      for (let asked = databases; asked.length > 0; ) {
        const again: Database[] = [];
        await collect(asked, (result, origin) => void again.push(...done(result, origin)));
        asked = again;
      }
    },
    location: name => path.join(out, name),
    put: async (bytes, location) => {
      try {
        fs.writeFileSync(location, bytes, { flag: 'wx', mode: 0o600, flush: true }); // Ctrl-C is heard only after it
      } catch (error) {
        if ((error as AwsError).code !== 'EEXIST') fs.rmSync(location, { force: true }); // a part, where the disk is full
        throw error;
      }
    },
  };
}

// ── the Lambda ────────────────────────────────────────────────────────────────────────────────────────────────────────
type ResponseStream = { write(chunk: string): unknown; end(): unknown };
type Handler = (event: unknown, stream: ResponseStream, context: LambdaContext) => Promise<void>;

/** Streams the lines of a run, each JSON and a line feed: `started`, then `database` and `heartbeat`, last `result` or `error`. */
const streamRun: Handler = async (event, stream, context) => {
  let heartbeat: NodeJS.Timeout | undefined;
  const emit = (line: Line) => {
    if (line.type === 'started') heartbeat = setInterval(() => emit({ type: 'heartbeat' }), limits.heartbeat);
    stream.write(`${JSON.stringify(line)}\n`);
    const read = line.type === 'database' && (line.result === 'admin' || line.result === 'none');
    // The function's log tells of a run whose stream nobody saw to its end. Lambda makes one line of JSON of it.
    if (line.type !== 'heartbeat' && !read) console.log(line);
  };
  try {
    const request = checkRequest(event);
    emit({ type: 'result', ...(await run(request, lambdaSurroundings(request, context), emit)) });
  } catch (error) {
    emit({ type: 'error', message: (error as Error).message });
  } finally {
    clearInterval(heartbeat);
    stream.end();
  }
};

// The SDK makes an empty `awslambda` everywhere: its mere presence says nothing.
const { awslambda } = globalThis as { awslambda?: { streamifyResponse?(handler: Handler): Handler } };
/** Lambda's entry: `{reportId, requestedBy, accounts?, databases?}`; its answer is streamed. */
export const handler = awslambda?.streamifyResponse?.(streamRun) ?? streamRun;
const areAll = (pattern: RegExp) => (value: unknown) => Array.isArray(value) && value.every(matching(pattern));
const requestRules: Record<string, Rule> = {
  reportId: required('must be a lower-case UUID', matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
  requestedBy: required('must be a text', matching(/^/)),
  accounts: optional('must be a list of account ids', areAll(accountPattern)),
  databases: optional('must be a list of database ids', areAll(idPattern)),
};

export function checkRequest(event: unknown): Request {
  const faults = isObject(event) ? faultsOf(event, requestRules) : ['must be an object'];
  if (faults.length > 0) throw faulty('the event is refused', faults);
  return event as Request;
}

function lambdaSurroundings(request: Request, context: LambdaContext): Surroundings {
  const { INVENTORY = '', REPORT_BUCKET = '', REPORT_PREFIX = 'reports/' } = process.env;
  if (!INVENTORY || !REPORT_BUCKET || !REPORT_PREFIX.endsWith('/'))
    throw new Error('INVENTORY, REPORT_BUCKET or REPORT_PREFIX (it ends in "/") is missing: deploy the template again');
  const time = context.getRemainingTimeInMillis();
  const reserve = Math.min(limits.reserve, Math.ceil(time / 3)); // timers take whole milliseconds
  const deadline = Date.now() + time - reserve; // of the workers
  const s3 = makeS3Client();
  return {
    local: false,
    requestId: context.awsRequestId,
    writeAt: deadline + reserve / 4, // what workers answer at their deadline is still on its way
    inventory: () => readInventory(INVENTORY, s3),
    collect: invokeWorkers(request.reportId, deadline, context.invokedFunctionArn),
    location: (name, generatedAt) =>
      `s3://${REPORT_BUCKET}/${REPORT_PREFIX}${generatedAt.slice(0, 10).replaceAll('-', '/')}/${name}`,
    put: putObject(s3, deadline + Math.floor(reserve * 0.9)), // the last tenth is for saying that it failed
  };
}

/** Runs a call again as long as AWS or the network has a passing fault and there is time (`end` is in epoch ms). */
async function retry<T>(call: () => Promise<T>, end: number): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const wait = backoff(tries, 500, 5 * seconds);
      if (!isPassing(error) || Date.now() + wait > end) throw error;
      await sleep(wait);
    }
  }
}

export const makeS3Client = (maxAttempts = 1) => {
  const requestHandler = { requestTimeout: 0, socketTimeout: 15 * seconds }; // of silence: a large report may take longer
  return new S3Client({ ...awsClient({ maxAttempts, requestHandler }), followRegionRedirects: true });
};

/** The bucket and the key of an s3:// URL; of another one they are empty. */
export const s3Location = (url: string) => {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
  return { Bucket: bucket, Key: key };
};

const remedies: Record<string, string> = {
  'kms|KMS':
    'Let the role db-admin-report-orchestrator use its KMS key (InventoryKeyArn, ReportKeyArn; the policy of the key)',
  '^PreconditionFailed': 'Another object has that name: run again',
  '^(AccessDenied|NoSuch|ParameterNotFound)': 'Put the inventory there, or deploy template.yaml as hub again',
};

function refused(what: string, error: unknown): Error {
  const said = `${(error as Error).name}: ${oneLine((error as Error).message, 300)}`;
  const [, remedy] = Object.entries(remedies).find(([pattern]) => new RegExp(pattern).test(said)) ?? [];
  return new Error(`${what} (${said})${remedy ? `. ${remedy}` : ''}`, { cause: error });
}

async function readInventory(source: string, s3: S3Client): ReturnType<Surroundings['inventory']> {
  const end = Date.now() + limits.inventory;
  const place = s3Location(source);
  try {
    if (source.startsWith('ssm:')) {
      const ssm = new SSMClient(awsClient({ maxAttempts: 1 }));
      const command = new GetParameterCommand({ Name: source.slice('ssm:'.length), WithDecryption: true });
      const { Parameter } = await retry(() => ssm.send(command), end);
      return { source, version: String(Parameter?.Version ?? ''), bytes: Buffer.from(Parameter?.Value ?? '') };
    }
    if (!place.Bucket) throw new Error('INVENTORY must be s3://BUCKET/KEY or ssm:/NAME');
    return await retry(async () => {
      const { Body, VersionId } = await s3.send(new GetObjectCommand(place));
      return { source, version: VersionId ?? '', bytes: await Body!.transformToByteArray() };
    }, end);
  } catch (error) {
    throw refused(`the inventory ${source} cannot be read`, error);
  }
}

/** Puts in one request, never over an object that is there; where one is, an own try that was cut may have left it. */
function putObject(s3: S3Client, end: number): Surroundings['put'] {
  return async (bytes, location, sha256, ContentType) => {
    const place = s3Location(location);
    const ChecksumSHA256 = Buffer.from(sha256, 'hex').toString('base64');
    const whole = { Body: bytes, ContentLength: bytes.length, ContentType, ChecksumSHA256 };
    const send = () =>
      // Buckets with Object Lock ask for the algorithm's name.
      s3.send(new PutObjectCommand({ ...place, ...whole, ChecksumAlgorithm: 'SHA256', IfNoneMatch: '*' }), {
        abortSignal: AbortSignal.timeout(Math.max(1, end - Date.now())),
      });
    try {
      await retry(send, end);
    } catch (error) {
      if ((error as AwsError).$metadata?.httpStatusCode === 412) {
        const head = () => s3.send(new HeadObjectCommand({ ...place, ChecksumMode: 'ENABLED' }));
        const there = await retry(head, end).catch(() => undefined);
        if (there?.ChecksumSHA256 === ChecksumSHA256) return;
      }
      throw refused(`${location} cannot be written`, error);
    }
  };
}

// ── workers in other accounts ─────────────────────────────────────────────────────────────────────────────────────────
type Batch = { arn: string; databases: Database[]; runs: number }; // `runs` of the worker that gave no answer

/** Invokes each database's worker, by its whole ARN and in its region, and hands over every result that comes back. */
const invokeWorkers =
  (reportId: string, deadline: number, ownArn: string): Surroundings['collect'] =>
  async (databases, done, takeList) => {
    const partition = ownArn.split(':')[1];
    const arnOf = ({ worker, region, account }: Database) =>
      worker.startsWith('arn:') ? worker : `arn:${partition}:lambda:${region}:${account}:function:${worker}`;
    const workers = Map.groupBy(databases, arnOf);
    for (const arn of workers.keys())
      if (ownArn === arn || ownArn.startsWith(`${arn}:`))
        throw new Error(`the inventory names the orchestrator itself as a worker: ${arn}`);
    const settings = { maxAttempts: 1, requestHandler: { requestTimeout: 0 } }; // what was cut may still run
    const clientOf = memoize((region: string) => new LambdaClient(awsClient({ region, ...settings })));
    const invocations = limited(limits.invocations);
    const listing = new Set<string>(); // accounts and regions whose list of servers is being asked for, or came

    /** One invocation, again while Lambda does not take it; resolves with the batches that are to be asked for anew. */
    async function invoke({ arn, databases, runs }: Batch): Promise<Batch[]> {
      const [, , , region = '', account = ''] = arn.split(':');
      const place = { account, region };
      const asksForList = !listing.has(placeOf(place));
      if (asksForList) listing.add(placeOf(place));
      const answerList = (list: ListedServer[] | string, isFinal = false) => {
        if (!asksForList) return;
        takeList(place, list);
        if (!isFinal) listing.delete(placeOf(place)); // the next invocation asks again
      };
      const giveUp = (why: string, attempts: number) => {
        answerList(why);
        for (const database of databases) done(failed(database, why), { ...noOrigin, attempts });
        return [];
      };
      const send = () => {
        const now = Date.now();
        // A function that is run again goes on where it was frozen: what is left of an earlier run ends here.
        if (now >= deadline) throw Object.assign(new Error('no time was left'), { code: 'NOT_RUN' });
        const end = Math.min(now + limits.worker, deadline);
        const event: WorkerEvent = { reportId, databases, deadline: end, ...(asksForList && { population: true }) };
        const command = new InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(event) });
        return clientOf(region).send(command, { abortSignal: AbortSignal.timeout(end - now + limits.late) });
      };

      let refusedSince: number | undefined; // not from the start: it may have waited for its turn
      for (let tries = 0; ; tries++) {
        let why: string;
        let answer: ReturnType<typeof unpack>;
        try {
          const { Payload, FunctionError } = await invocations(async () => send());
          const payload = Buffer.from(Payload ?? []).toString('utf8');
          if (!FunctionError) answer = unpack(payload);
          why = FunctionError
            ? `the worker ${arn} failed: ${oneLine(payload, 300)}`
            : `the answer of the worker ${arn} was cut, or unpacks to more than ${limits.unpacked / MB} MB`;
        } catch (error) {
          why = invocationInWords(error as AwsError, arn);
          if (didNotRun(error as AwsError)) {
            refusedSince ??= Date.now();
            const wait = backoff(tries, seconds, 10 * seconds); // shorter than an idle connection lives
            const end = Math.min(deadline, refusedSince + patienceWith(error as AwsError));
            if (!isPassing(error) || Date.now() + wait > end) return giveUp(why, runs);
            await sleep(wait);
            continue;
          }
        }
        if (answer) {
          answerList(validateList(answer.population, answer.version, account), answer.population !== undefined);
          return takeAnswer(answer, { arn, databases, runs });
        }
        // A crash, a time-out or a cut answer: again in parts, at last each alone, so that an ill database costs only itself.
        const counted = runs + 1;
        if (counted === limits.attempts || Date.now() + 5 * seconds > deadline)
          return giveUp(`${why}; asked for ${counted} times`, counted);
        answerList(why);
        await sleep(backoff(counted));
        const size = counted + 1 === limits.attempts ? 1 : Math.floor(Math.sqrt(databases.length));
        return inParts(databases, size).map(part => ({ arn, databases: part, runs: counted }));
      }
    }

    /** Hands over what an answer holds; what it names as unanswered is asked for again, what it leaves out has failed. */
    function takeAnswer({ version, queries, unanswered, results }: Answer, { arn, databases, runs }: Batch): Batch[] {
      const origin = { version, queries, attempts: runs + 1 };
      const missing = new Map(databases.map(database => [database.id, database]));
      const again: Batch[] = [];
      for (const result of results) {
        if (!missing.delete(result.id)) continue;
        again.push(...done(result, origin).map(rest => ({ arn, databases: [rest], runs: 0 })));
      }
      const later = [...missing.values()].filter(({ id }) => unanswered.includes(id));
      if (later.length > 0 && later.length < databases.length) {
        again.push({ arn, databases: later, runs }); // where all are unanswered, asking again would have no end
        for (const { id } of later) missing.delete(id);
      }
      for (const database of missing.values()) {
        const why = `the worker ${arn} (version ${version}) left it out of its answer: deploy the hub's version of it in account ${database.account}`;
        done(failed(database, why), origin);
      }
      return again;
    }

    await Promise.all(
      [...workers].flatMap(([arn, list]) => {
        const invocationsOfIt = limited(limits.perWorker);
        const ask = async (batch: Batch): Promise<unknown> =>
          Promise.all((await invocationsOfIt(() => invoke(batch))).map(ask));
        return inParts(list, limits.batch).map(part => ask({ arn, databases: part, runs: 0 }));
      }),
    );
  };

type Answer = Omit<WorkerAnswer, 'gzip' | 'population'> & { results: DatabaseResult[]; population: unknown };

/** The answer with its results, each field of the right type; undefined where it is cut. */
function unpack(payload: string): Answer | undefined {
  const asList = (value: unknown) => (Array.isArray(value) ? value : []);
  try {
    const { version = 'unknown', queries, unanswered, gzip, population } = Object(JSON.parse(payload));
    const json = gzip && gunzipSync(Buffer.from(gzip, 'base64'), { maxOutputLength: limits.unpacked }).toString('utf8');
    const results = asList(json && JSON.parse(json)).filter(isObject) as DatabaseResult[];
    const texts = { version: oneLine(String(version), 50), queries: asList(queries), unanswered: asList(unanswered) };
    return { ...texts, results, population };
  } catch {
    return undefined;
  }
}

/** Whether the function was not run: Lambda refused the call, or there was no connection to Lambda. */
const didNotRun = ({ code = '', message, $metadata: { httpStatusCode = 0 } = {} }: AwsError) =>
  httpStatusCode >= 400 ||
  /^(NOT_RUN|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ENETDOWN)$/.test(code) ||
  message.includes('did not establish a connection'); // the SDK's words for a connect that timed out

/** How long a call that Lambda refuses is tried again. */
function patienceWith({ name, message }: AwsError): number {
  const notReady = /^(ENINotReady|ResourceNotReady|ResourceConflict|CodeArtifactUserPending|EC2Throttled)Exception$/;
  if (notReady.test(name) || message.includes('state: Pending')) return limits.notReady;
  return /Throttl|TooManyRequests/.test(name) ? Number.POSITIVE_INFINITY : limits.refused;
}

function invocationInWords({ name, message }: AwsError, arn: string): string {
  const [, , , region, account] = arn.split(':');
  const deploy = `deploy template.yaml with Role=worker in account ${account}, ${region}`;
  const words: Record<string, string> = {
    '^KMS': `the worker ${arn} cannot use its KMS key: correct the key's policy in account ${account}`,
    '^AccessDenied': `the worker ${arn} may not be invoked, or is not there: ${deploy}, with this hub's HubAccountId`,
    '^ResourceNotFound': `there is no worker ${arn}: ${deploy}`,
    '^(UnrecognizedClient|InvalidClientTokenId)': `the hub's account must enable the region ${region}, too`,
    '^TooManyRequests|Throttl': `the worker ${arn} was throttled until no time was left: raise its concurrency`,
    '^(AbortError|TimeoutError)': `the worker ${arn} did not answer in time`,
    '': `the worker ${arn} could not be invoked`,
  };
  const [, said] = Object.entries(words).find(([pattern]) => new RegExp(pattern).test(name))!;
  return `${said} (${name}: ${oneLine(message, 300)})`;
}
