// The orchestrator: reads the inventory, has every database read by the worker of its account, gathers the rows and writes
// the report with its manifest. It runs as the hub account's Lambda (`handler`) and, for `--local`, inside the CLI (`run`).

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  backoff,
  type Database,
  type DatabaseResult,
  emptyRow,
  failed,
  isoSeconds,
  once,
  oneLine,
  pause,
  type Query,
  type Row,
  rowColumns,
  version,
  type WorkerAnswer,
} from './worker.ts';

/** What an operator asks for; `reportId` is a lower-case UUID, the filters are account ids and database ids. */
export type Request = { reportId: string; requestedBy: string; accounts?: string[]; databases?: string[] };

/** The outcome of a run: what `--json` prints. `report` and `manifest` are s3:// URLs, or file paths with `--local`. */
export type Summary = {
  report_id: string;
  status: 'complete' | 'incomplete' | 'failed';
  report: string | null;
  manifest: string | null;
  sha256: string | null;
  databases: { total: number; covered: number; incomplete: number; failed: number };
  administrators: number;
  rows: number;
  started_at: string;
  finished_at: string;
  failures: { database_id: string; detail: string }[];
};

/** A line of the orchestrator's stream. */
export type Line =
  | { type: 'started'; report_id: string; report: string; manifest: string; total: number }
  | {
      type: 'database';
      database_id: string;
      result: DatabaseResult['result'];
      detail: string;
      done: number;
      total: number;
    }
  | { type: 'heartbeat' }
  | ({ type: 'result' } & Summary)
  | { type: 'error'; message: string };

export type Manifest = {
  manifest_version: 1;
  report_id: string;
  generated_at: string;
  finished_at: string;
  tool_version: string;
  requested_by: string;
  request_id: string;
  control: string;
  inventory: { source: string; version: string; sha256: string };
  filter: { accounts: string[]; databases: string[] };
  excluded: string[];
  queries: Query[];
  databases: ManifestDatabase[];
  totals: {
    databases: number;
    covered: number;
    incomplete: number;
    failed: number;
    administrators: number;
    rows: number;
  };
  report: { location: string; bytes: number; sha256: string };
};

export type ManifestDatabase = Pick<Database, 'id' | 'account' | 'account_name' | 'region' | 'host' | 'port' | 'tls'> &
  Pick<
    DatabaseResult,
    'result' | 'detail' | 'duration_ms' | 'engine' | 'engine_version' | 'server_name' | 'server_id' | 'queries'
  > & {
    attempts: number;
    rows: number;
    administrators: number;
    worker_version: string;
  };

const defaultControl =
  'https://grc.strikegraph.com/organization/085c5b9b-eee0-49d0-9b07-296e3787734d/control/control_detail/176245';

// ── the inventory ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Faults of an input, each with its place; the message lists them all. */
export function faulty(what: string, faults: string[]): Error {
  return new Error(`${what}:\n${faults.map(fault => `  ${fault}`).join('\n')}`);
}

type Rule = { required?: boolean; says: string; holds: (value: unknown) => boolean };
const matching = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);

const rules: Record<string, Rule> = {
  id: {
    required: true,
    says: 'must be letters, digits, ".", "_" and "-", 128 at most',
    holds: matching(/^[A-Za-z0-9._-]{1,128}$/),
  },
  account: { required: true, says: 'must be 12 digits, in quotes', holds: matching(/^\d{12}$/) },
  account_name: { says: 'must be a text', holds: value => typeof value === 'string' },
  region: {
    required: true,
    says: 'must be an AWS region such as us-east-1',
    holds: matching(/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/),
  },
  engine: {
    required: true,
    says: 'must be "mysql" (MariaDB and Aurora too) or "mssql"',
    holds: matching(/^(mysql|mssql)$/),
  },
  host: {
    required: true,
    says: 'must be a host name or an address, without a port',
    holds: value =>
      typeof value === 'string' &&
      (net.isIP(value) !== 0 ||
        (value.length <= 253 &&
          /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(value))),
  },
  port: {
    says: 'must be a whole number from 1 to 65535',
    holds: value => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535,
  },
  credentials: {
    required: true,
    says: 'must be "ssm:/db-admin-report/NAME" or "secretsmanager:NAME" ("env:NAME" with --local alone)',
    holds: matching(
      /^(ssm:\/db-admin-report\/[A-Za-z0-9._/-]+|secretsmanager:[A-Za-z0-9/_+=.@!-]+|env:[A-Za-z_][A-Za-z0-9_]*)$/,
    ),
  },
  tls: { says: 'must be "verify", "trust" or "off"', holds: matching(/^(verify|trust|off)$/) },
  worker: {
    says: 'must be a function name that begins "db-admin-report-worker", or the whole ARN of such a function in the same account and region, without a version or alias',
    holds: matching(/^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?db-admin-report-worker[A-Za-z0-9_-]{0,42}$/),
  },
};

/**
 * The databases of an inventory, defaults filled in, in the order of the file. Throws with every fault and its place.
 * Format: design.md "Inventory"; `local` allows `env:` credentials.
 */
export function parseInventory(json: string, { local = false } = {}): Database[] {
  let root: unknown;
  try {
    root = parseJson(json.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw faulty('the inventory is refused', [(error as Error).message]);
  }
  if (!isObject(root)) throw faulty('the inventory is refused', ['must be an object with the field "databases"']);
  const faults = Object.keys(root)
    .filter(field => field !== 'databases')
    .map(field => `${field}: unknown field`);
  const list = root.databases;
  if (!Array.isArray(list)) faults.push('databases: must be a list');
  else if (list.length === 0) faults.push('databases: must name at least one database');
  const firstWith = new Map<string, number>();
  for (const [i, entry] of Array.isArray(list) ? list.entries() : []) {
    const place = `databases[${i}]`;
    if (!isObject(entry)) {
      faults.push(`${place}: must be an object`);
      continue;
    }
    for (const field of Object.keys(entry))
      if (!Object.hasOwn(rules, field)) faults.push(`${place}.${field}: unknown field`);
    for (const [field, { required, says, holds }] of Object.entries(rules)) {
      if (entry[field] === undefined) {
        if (required) faults.push(`${place}.${field}: is required; ${says}`);
      } else if (!holds(entry[field])) faults.push(`${place}.${field}: ${says}`);
    }
    const { id, account, region, credentials, worker } = entry;
    if (typeof id === 'string') {
      const first = firstWith.get(id);
      if (first !== undefined)
        faults.push(`${place}.id: ${JSON.stringify(id)} is already the id of databases[${first}]`);
      else firstWith.set(id, i);
    }
    if (!local && typeof credentials === 'string' && credentials.startsWith('env:'))
      faults.push(`${place}.credentials: "env:" is read with --local alone`);
    if (typeof worker === 'string' && worker.startsWith('arn:') && rules.worker!.holds(worker)) {
      const [, , , arnRegion, arnAccount] = worker.split(':');
      if (arnRegion !== region || arnAccount !== account)
        faults.push(`${place}.worker: the function must be in the database's own account and region`);
    }
  }
  if (faults.length > 0) throw faulty('the inventory is refused', faults);
  return (list as Partial<Database>[]).map(entry => ({
    account_name: '',
    port: entry.engine === 'mssql' ? 1433 : 3306,
    tls: 'verify',
    worker: 'db-admin-report-worker',
    ...(entry as Pick<Database, 'id' | 'account' | 'region' | 'engine' | 'host' | 'credentials'>),
  }));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isQuery = (value: unknown): value is Query =>
  isObject(value) && [value.file, value.sha256, value.text].every(each => typeof each === 'string');

/**
 * JSON.parse, but a fault has its line and column, and a field that stands twice in an object is one: JSON.parse keeps the
 * last silently, and with it only half of the databases.
 */
export function parseJson(json: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    findFault(json);
    throw error;
  }
  const strings = json.match(/"[^"\\]*(?:\\.[^"\\]*)*"[\t\n\r ]*:?/g) ?? [];
  const names = strings.filter(string => string.endsWith(':'));
  const escaped = names.some(name => name.includes('\\')); // V8 13.6 takes some of them for another
  const twice = names.length !== countFields(parsed);
  if (escaped || twice) findFault(json);
  if (twice) throw new Error('a field stands twice in one object');
  return parsed;
}

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, each) => sum + countFields(each), own);
}

/** Reads a JSON text up to its first fault, and throws it with its place. */
function findFault(json: string) {
  const token =
    /[\t\n\r ]*(?:([{}[\]:,])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)))/y;
  const whole = json.trimEnd().length;
  let at = 0;
  const fail = (what: string): never => {
    const position = at + /^[\t\n\r ]*/.exec(json.slice(at))![0].length;
    const before = json.slice(0, position).split('\n');
    throw new Error(
      `not JSON at line ${before.length}, column ${before.at(-1)!.length + 1}: ${position === json.length ? 'it ends too early' : what}`,
    );
  };
  const next = (what: string) => {
    token.lastIndex = at;
    const match = token.exec(json) ?? fail(what);
    return { end: token.lastIndex, mark: match[1], scalar: match[2] };
  };
  const accept = (mark: string, what = `expected "${mark}"`) => {
    const { end, mark: found } = at < whole ? next(what) : { end: at, mark: '' };
    if (found === mark) at = end;
    return found === mark;
  };
  const expect = (mark: string, what: string) => accept(mark, what) || fail(what);
  const value = () => {
    const { end, mark, scalar } = next('expected a value');
    if (scalar !== undefined || mark === '[' || mark === '{') at = end;
    else fail('expected a value');
    if (mark === '[') {
      if (accept(']', 'expected a value or "]"')) return;
      do value();
      while (accept(','));
      expect(']', 'expected "," or "]"');
    }
    if (mark === '{') {
      const names = new Set<string>();
      if (accept('}', 'expected a field name in double quotes')) return;
      do {
        const key = next('expected a field name in double quotes');
        if (!key.scalar?.startsWith('"')) fail('expected a field name in double quotes');
        const name: string = JSON.parse(key.scalar!);
        if (names.has(name)) fail(`the field "${name}" stands twice in one object`);
        names.add(name);
        at = key.end;
        expect(':', 'expected ":"');
        value();
      } while (accept(','));
      expect('}', 'expected "," or "}"');
    }
  };
  value();
  if (json.slice(at).trim() !== '') fail('expected nothing more');
}

/** Narrows the databases to those that a request names. Throws where it names one that the inventory lacks. */
function choose(databases: Database[], request: Request): Database[] {
  const { accounts = [], databases: ids = [] } = request;
  const faults = [
    ...accounts
      .filter(account => !databases.some(database => database.account === account))
      .map(account => `--account ${account}: the inventory has no database in it`),
    ...ids
      .filter(id => !databases.some(database => database.id === id))
      .map(id => `--database ${id}: the inventory has no such database`),
  ];
  const chosen = databases.filter(
    ({ account, id }) =>
      (accounts.length === 0 || accounts.includes(account)) && (ids.length === 0 || ids.includes(id)),
  );
  if (faults.length === 0 && chosen.length === 0)
    faults.push('no database is in both the accounts and the databases that were named');
  if (faults.length > 0) throw faulty('the request does not fit the inventory', faults);
  return chosen;
}

// ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What came with a result: which worker read it, and the texts of its queries. */
type Origin = { version: string; queries: Query[]; attempts: number };

/** What differs between the Lambda and `--local`. */
type Surroundings = {
  local: boolean;
  control: string;
  requestId: string;
  /** epoch ms by which the report must begin to be written */
  stop: number;
  inventory(): Promise<{ source: string; version: string; bytes: Uint8Array }>;
  /** Has the databases read, hands over each result; what it has not handed over when it resolves or at `stop` has failed. */
  collect(databases: Database[], done: (result: DatabaseResult, origin: Origin) => void): Promise<void>;
  /** The folder for files that are being written. */
  folder: string;
  /** Where a file of the report will be: a path below the prefix, with the day's folders, or below `--out`, without. */
  location(name: string, generatedAt: string): string;
  /** Puts a written file in its place for good; never overwrites. */
  put(file: string, location: string, sha256: string, contentType: string): Promise<void>;
};

/** Makes one report. Emits the lines of the stream but the last; resolves with the summary, throws where there is no report. */
export async function run(request: Request, surroundings: Surroundings, emit: (line: Line) => void): Promise<Summary> {
  const generatedAt = isoSeconds(new Date());
  const { source, version: inventoryVersion, bytes: inventoryBytes } = await surroundings.inventory();
  const all = parseInventory(Buffer.from(inventoryBytes).toString('utf8'), surroundings);
  const chosen = choose(all, request).sort(
    by(
      ({ account }) => account,
      ({ region }) => region,
      ({ id }) => id,
    ),
  );

  const name = `db-admins_${generatedAt.replace(/[-:]/g, '')}_${request.reportId}`;
  const report = surroundings.location(`${name}.csv`, generatedAt);
  const manifestLocation = surroundings.location(`${name}.manifest.json`, generatedAt);
  const partial = (ending: string) => path.join(surroundings.folder, `.${name}.${ending}.partial`);
  emit({ type: 'started', report_id: request.reportId, report, manifest: manifestLocation, total: chosen.length });

  const spool = makeSpool(partial('rows'));
  try {
    const texts = new Map<string, Query>(); // all that came, and those that ran on some database
    const queries = new Map<string, Query>();
    const entries = new Map<string, ManifestDatabase>();
    const waiting = new Map(chosen.map(database => [database.id, database]));
    const done = (given: DatabaseResult, origin: Origin) => {
      const database = waiting.get(given.id);
      if (!database) return; // answered already, or after the end
      waiting.delete(given.id);
      for (const query of origin.queries.filter(isQuery)) {
        if (!texts.has(query.sha256) && createHash('sha256').update(query.text).digest('hex') === query.sha256)
          texts.set(query.sha256, query);
      }
      const result = sound(given, database, texts);
      const rows = reportRows(result);
      const administrators = rows.filter(({ result }) => result === 'admin'); // sorted, so that one's rows are neighbours
      const isAnother = ({ scope, principal }: Row, i: number) =>
        scope !== administrators[i - 1]?.scope || principal !== administrators[i - 1]?.principal;
      spool.add(database.id, csvLines(request.reportId, generatedAt, database, result, rows));
      for (const sha256 of result.queries) queries.set(sha256, texts.get(sha256)!);
      entries.set(database.id, {
        id: database.id,
        account: database.account,
        account_name: database.account_name,
        region: database.region,
        host: database.host,
        port: database.port,
        tls: database.tls,
        result: result.result,
        detail: result.detail,
        attempts: origin.attempts,
        duration_ms: result.duration_ms,
        rows: rows.length,
        administrators: administrators.filter(isAnother).length,
        engine: result.engine,
        engine_version: result.engine_version,
        server_name: result.server_name,
        server_id: result.server_id,
        worker_version: origin.version,
        queries: result.queries,
      });
      const { id, result: outcome, detail } = result;
      emit({ type: 'database', database_id: id, result: outcome, detail, done: entries.size, total: chosen.length });
    };

    const ended = await Promise.race([
      surroundings.collect(chosen, done).then(() => 'the worker did not answer for it'),
      until(surroundings.stop).then(() => 'timed out: no answer before the orchestrator had to write the report'),
    ]);
    for (const database of [...waiting.values()])
      done(failed(database, ended), { version: '', queries: [], attempts: 0 });

    const csv = spool.write(
      partial('csv'),
      chosen.map(database => database.id),
    );

    const databases = chosen.map(database => entries.get(database.id)!);
    const count = (...results: string[]) => databases.filter(database => results.includes(database.result)).length;
    const sum = (of: (database: ManifestDatabase) => number) =>
      databases.reduce((total, database) => total + of(database), 0);
    const totals = {
      databases: databases.length,
      covered: count('admin', 'none'),
      incomplete: count('incomplete'),
      failed: count('failed'),
      administrators: sum(database => database.administrators),
      rows: sum(database => database.rows),
    };
    const finishedAt = isoSeconds(new Date());
    const manifest: Manifest = {
      manifest_version: 1,
      report_id: request.reportId,
      generated_at: generatedAt,
      finished_at: finishedAt,
      tool_version: version,
      requested_by: request.requestedBy,
      request_id: surroundings.requestId,
      control: surroundings.control,
      inventory: {
        source,
        version: inventoryVersion,
        sha256: createHash('sha256').update(inventoryBytes).digest('hex'),
      },
      filter: { accounts: request.accounts ?? [], databases: request.databases ?? [] },
      excluded: all.filter(database => !entries.has(database.id)).map(database => database.id),
      queries: [...queries.values()].sort(
        by(
          ({ file }) => file,
          ({ sha256 }) => sha256,
        ),
      ),
      databases,
      totals,
      report: { location: report, bytes: csv.bytes, sha256: csv.sha256 },
    };
    const manifestBytes = `${JSON.stringify(manifest, null, 2)}\n`;
    fs.writeFileSync(partial('manifest'), manifestBytes, { flag: 'wx', mode: 0o600, flush: true });
    await surroundings.put(csv.file, report, csv.sha256, 'text/csv; charset=utf-8');
    await surroundings.put(
      partial('manifest'),
      manifestLocation,
      createHash('sha256').update(manifestBytes).digest('hex'),
      'application/json',
    );
    return summarize(manifest, manifestLocation);
  } finally {
    spool.close();
    for (const ending of ['rows', 'csv', 'manifest']) fs.rmSync(partial(ending), { force: true });
  }
}

/** The summary of a run, from its manifest alone: so a CLI whose stream broke says the same as one whose stream did not. */
export function summarize(manifest: Manifest, location: string): Summary {
  const { databases: total, covered, incomplete, failed: lost, administrators, rows } = manifest.totals;
  return {
    report_id: manifest.report_id,
    status: incomplete + lost === 0 ? 'complete' : 'incomplete',
    report: manifest.report.location,
    manifest: location,
    sha256: manifest.report.sha256,
    databases: { total, covered, incomplete, failed: lost },
    administrators,
    rows,
    started_at: manifest.generated_at,
    finished_at: manifest.finished_at,
    failures: manifest.databases
      .filter(database => database.result === 'failed')
      .map(({ id, detail }) => ({ database_id: id, detail })),
  };
}

/**
 * A result as it may be believed: a worker of another version may answer in another shape, and must not be read as "nobody".
 * Texts are made well-formed, as the CSV will have them: half of a character sorts, and tells two names apart, in memory only.
 */
function sound(given: DatabaseResult, database: Database, texts: Map<string, Query>): DatabaseResult {
  const odd = (what: string) =>
    failed(database, `the worker answered ${what}: deploy this version of it in account ${database.account}`);
  const asText = (value: unknown) => (typeof value === 'string' ? value.toWellFormed() : '');
  if (!['admin', 'none', 'incomplete', 'failed'].includes(given.result))
    return odd(`with the result ${JSON.stringify(given.result)}`);
  if (!Array.isArray(given.rows) || !given.rows.every(isObject)) return odd('without rows');
  const rows: Row[] = [];
  for (const givenRow of given.rows) {
    const row = { ...emptyRow };
    for (const column of rowColumns) {
      const text: unknown = givenRow[column] ?? '';
      if (typeof text !== 'string') return odd('with a field that is no text');
      row[column] = text.toWellFormed();
    }
    rows.push(row);
  }
  if (given.result === 'admin' && given.rows.length === 0) return odd('"admin" and named nobody');
  if (given.result === 'none' && given.rows.length > 0) return odd('"none" and named somebody');
  if (rows.some(row => row.result !== 'admin' && row.result !== 'incomplete'))
    return odd('with a row that is neither an administrator nor incomplete');
  // What was read is kept, and never counts as read in full.
  const partly = rows.length > 0 && (given.result === 'failed' || rows.some(row => row.result === 'incomplete'));
  const queries: unknown[] = Array.isArray(given.queries) ? given.queries : [];
  return {
    id: database.id,
    result: partly ? 'incomplete' : given.result,
    detail: oneLine(asText(given.detail)).toWellFormed(),
    rows,
    engine: ['mysql', 'mariadb', 'mssql'].includes(given.engine) ? given.engine : database.engine,
    engine_version: asText(given.engine_version),
    server_name: asText(given.server_name),
    server_id: asText(given.server_id),
    collected_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(asText(given.collected_at))
      ? given.collected_at
      : isoSeconds(new Date()),
    duration_ms: Number.isFinite(given.duration_ms) ? Math.max(0, Math.round(given.duration_ms)) : 0,
    queries: (queries as string[]).filter(sha256 => texts.has(sha256)), // one without its text is no evidence
  };
}

/** Every database has at least one row, whatever happened to it. */
function reportRows({ result, detail, rows }: DatabaseResult): Row[] {
  const said = rows.length > 0 && (result !== 'incomplete' || rows.some(row => row.result === 'incomplete'));
  return [...rows, ...(said ? [] : [{ ...emptyRow, result, detail }])].sort(inOrder);
}

const inOrder = by<Row>(
  row => row.scope,
  row => row.principal,
  row => row.granted_through,
  row => row.result,
  row => row.detail,
);

/** Compares by several keys, each by code unit; a later one is asked for only where those before it are the same. */
function by<T>(...keys: ((item: T) => string)[]): (a: T, b: T) => number {
  return (a, b) => {
    for (const key of keys) {
      const [one, other] = [key(a), key(b)];
      if (one !== other) return one < other ? -1 : 1;
    }
    return 0;
  };
}

/** Resolves at `time` (epoch ms), or never where that is too far for a timer. */
function until(time: number): Promise<void> {
  const ms = time - Date.now();
  return ms > 0x7fffffff ? new Promise(() => {}) : new Promise(resolve => setTimeout(resolve, Math.max(0, ms)).unref());
}

// ── the CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const columns = [
  'report_id',
  'generated_at',
  'account_id',
  'account_name',
  'region',
  'database_id',
  'engine',
  'engine_version',
  'host',
  'port',
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
  'collected_at',
  'detail',
] as const;

const needsQuotes = /[",\r\n]/;
const formula = /^[=+\-@\t\r\n]/;
const needsCare = new RegExp(`${needsQuotes.source}|${formula.source}`);

/** A field of RFC 4180. What a spreadsheet would run as a formula gets a `'` in front (OWASP "CSV injection"). */
export function csvField(value: string): string {
  if (!needsCare.test(value)) return value;
  const tame = formula.test(value) ? `'${value}` : value;
  return needsQuotes.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}

/** A record of RFC 4180, with its line end. */
export const csvLine = (fields: readonly string[]) => `${fields.map(csvField).join(',')}\r\n`;

function csvLines(
  reportId: string,
  generatedAt: string,
  database: Database,
  result: DatabaseResult,
  rows: Row[],
): string {
  const { account, account_name, region, id, host, port } = database;
  const server = [
    reportId,
    generatedAt,
    account,
    account_name,
    region,
    id,
    result.engine,
    result.engine_version,
    host,
    String(port),
  ];
  const start = server.map(csvField).join(',');
  const collectedAt = csvField(result.collected_at);
  let lines = '';
  for (const row of rows) {
    lines += start;
    for (const column of rowColumns) {
      if (column === 'detail') lines += `,${collectedAt}`;
      lines += `,${csvField(column === 'detail' ? oneLine(row.detail) : row[column])}`;
    }
    lines += '\r\n';
  }
  return lines;
}

/** Writes to an open file in larger pieces: a file system call a database would cost as much as its rows. */
function inPieces(file: number, written: (piece: Buffer) => void = () => {}) {
  let blocks: Buffer[] = [];
  let size = 0;
  const flush = () => {
    const piece = Buffer.concat(blocks, size);
    fs.writeFileSync(file, piece); // at the file's end, and whole, which writeSync does not promise
    written(piece);
    blocks = [];
    size = 0;
  };
  const add = (block: Buffer) => {
    blocks.push(block);
    size += block.length;
    if (size > 65_536) flush();
  };
  return { add, flush };
}

/** Rows come in any order of databases and leave in the report's: they wait on disk, so that memory does not grow with them. */
function makeSpool(file: string) {
  const waiting = fs.openSync(file, 'wx+', 0o600);
  const arriving = inPieces(waiting);
  const blocks = new Map<string, { offset: number; length: number }>();
  let end = 0;
  return {
    add(id: string, lines: string) {
      const block = Buffer.from(lines);
      blocks.set(id, { offset: end, length: block.length });
      end += block.length;
      arriving.add(block);
    },
    write(target: string, order: string[]) {
      arriving.flush();
      const out = fs.openSync(target, 'wx', 0o600);
      const hash = createHash('sha256');
      let bytes = 0;
      const leaving = inPieces(out, piece => {
        hash.update(piece);
        bytes += piece.length;
      });
      try {
        leaving.add(Buffer.from(`\uFEFF${csvLine(columns)}`));
        for (const id of order) {
          const { offset, length } = blocks.get(id)!;
          const block = Buffer.allocUnsafe(length);
          if (fs.readSync(waiting, block, 0, length, offset) !== length)
            throw new Error(`cannot read back the rows of ${id}`);
          leaving.add(block);
        }
        leaving.flush();
        fs.fsyncSync(out);
      } finally {
        fs.closeSync(out);
      }
      return { file: target, bytes, sha256: hash.digest('hex') };
    },
    close: () => fs.closeSync(waiting),
  };
}

// ── on one machine ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The surroundings of `--local`: an inventory file, this process as the worker, a folder for the report. */
export function localSurroundings(inventoryFile: string, out: string, collect: Surroundings['collect']): Surroundings {
  return {
    local: true,
    control: process.env.CONTROL || defaultControl,
    requestId: '',
    stop: Number.MAX_SAFE_INTEGER,
    inventory: async () => ({ source: inventoryFile, version: '', bytes: fs.readFileSync(inventoryFile) }),
    collect,
    folder: out,
    location: name => path.join(out, name),
    put: async (file, location) => {
      try {
        fs.linkSync(file, location); // fails where the name is taken, as a rename would not
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
        fs.copyFileSync(file, location, fs.constants.COPYFILE_EXCL); // a file system without links
      }
    },
  };
}

// ── the Lambda ────────────────────────────────────────────────────────────────────────────────────────────────────────

type LambdaContext = { invokedFunctionArn: string; awsRequestId: string; getRemainingTimeInMillis(): number };
type ResponseStream = { write(chunk: string): unknown; end(): unknown };
type Awslambda = {
  streamifyResponse(
    handler: (event: unknown, stream: ResponseStream, context: LambdaContext) => Promise<void>,
  ): unknown;
};

/** Streams the lines of a run, each JSON and a line feed: `started`, then `database` and `heartbeat`, last `result` or `error`. */
async function streamRun(event: unknown, write: (line: string) => void, context: LambdaContext): Promise<void> {
  const emit = (line: Line) => {
    const json = JSON.stringify(line);
    write(`${json}\n`);
    const fine =
      line.type === 'heartbeat' || (line.type === 'database' && (line.result === 'admin' || line.result === 'none'));
    if (!fine) console.log(json); // the function's log tells of a run whose stream nobody saw to its end
  };
  const heartbeat = setInterval(() => emit({ type: 'heartbeat' }), 20_000);
  try {
    const request = checkRequest(event);
    emit({ type: 'result', ...(await run(request, await lambdaSurroundings(request, context), emit)) });
  } catch (error) {
    emit({ type: 'error', message: (error as Error).message });
  } finally {
    clearInterval(heartbeat);
  }
}

async function streamed(event: unknown, stream: ResponseStream, context: LambdaContext): Promise<void> {
  await streamRun(event, line => stream.write(line), context);
  stream.end();
}

async function buffered(event: unknown, context: LambdaContext): Promise<string> {
  let lines = '';
  await streamRun(
    event,
    line => {
      lines += line;
    },
    context,
  );
  return lines;
}

// The SDK makes an empty `awslambda` everywhere: its mere presence says nothing.
const { awslambda } = globalThis as { awslambda?: Partial<Awslambda> };
/** Lambda's entry: `{reportId, requestedBy, accounts?, databases?}`; its answer is streamed where Lambda can. */
export const handler = awslambda?.streamifyResponse?.(streamed) ?? buffered;

function checkRequest(event: unknown): Request {
  const names = (value: unknown, pattern: RegExp) =>
    value === undefined || (Array.isArray(value) && value.every(matching(pattern)));
  const { reportId, requestedBy, accounts, databases, ...others } = isObject(event) ? event : {};
  const faults = [
    ...(matching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)(reportId)
      ? []
      : ['reportId: must be a lower-case UUID']),
    ...(typeof requestedBy === 'string' ? [] : ['requestedBy: must be a text']),
    ...(names(accounts, /^\d{12}$/) ? [] : ['accounts: must be a list of account ids']),
    ...(names(databases, /./) ? [] : ['databases: must be a list of database ids']),
    ...Object.keys(others).map(field => `${field}: unknown field`),
  ];
  if (faults.length > 0) throw faulty('the event is refused', faults);
  return { reportId, requestedBy, accounts, databases } as Request;
}

async function lambdaSurroundings(request: Request, context: LambdaContext): Promise<Surroundings> {
  const setting = (name: string) => {
    const value = process.env[name];
    if (!value) throw new Error(`the function's environment lacks ${name}: deploy template.yaml again`);
    return value;
  };
  const remaining = context.getRemainingTimeInMillis();
  const reserve = Math.min(60_000, Math.ceil(remaining / 3)); // timers take whole milliseconds
  const deadline = Date.now() + remaining - reserve;
  const inventory = setting('INVENTORY');
  const bucket = setting('REPORT_BUCKET');
  const prefix = process.env.REPORT_PREFIX || 'reports/';
  if (!prefix.endsWith('/')) throw new Error(`REPORT_PREFIX must end in "/": ${prefix}`);
  const { S3Client } = await import('@aws-sdk/client-s3');
  const s3 = new S3Client({
    maxAttempts: 1, // a stream is sent once: withRetries opens the file anew
    followRegionRedirects: true,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 10_000 }, // of silence: a large report may take longer
  });
  return {
    local: false,
    control: process.env.CONTROL || defaultControl,
    requestId: context.awsRequestId,
    stop: deadline + reserve / 4, // what workers answer at their deadline is still on its way
    inventory: () => readInventory(inventory, s3),
    collect: (databases, done) =>
      invokeWorkers(request.reportId, databases, done, deadline, context.invokedFunctionArn),
    folder: os.tmpdir(),
    location: (name, generatedAt) => `s3://${bucket}/${prefix}${generatedAt.slice(0, 10).replaceAll('-', '/')}/${name}`,
    put: (file, location, sha256, contentType) => putObject(s3, file, location, sha256, contentType),
  };
}

/** Runs a call again, three times at the most, where AWS or the network had a passing fault. */
async function withRetries<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === 3 || !isPassing(error)) throw error;
      await pause(backoff(attempt));
    }
  }
}

type AwsError = Error & {
  code?: string;
  $metadata?: { httpStatusCode?: number };
  $retryable?: { throttling?: boolean };
};

/** Whether AWS or the network had a passing fault. */
export function isPassing(error: unknown): boolean {
  const { name, code = '', $metadata, $retryable } = error as AwsError;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status >= 500 || status === 429 || status === 409 || $retryable) return true;
  return (
    name === 'TimeoutError' ||
    /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ENETDOWN)$/.test(code) ||
    /Throttl|TooManyRequests|SlowDown/.test(name)
  );
}

/** The bucket and the key of an s3:// URL; of another one they are empty. */
export const s3Place = (url: string) => {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
  return { Bucket: bucket, Key: key };
};

async function readInventory(
  source: string,
  s3: S3Client,
): Promise<{ source: string; version: string; bytes: Uint8Array }> {
  try {
    if (source.startsWith('ssm:')) {
      const { SSMClient, GetParameterCommand } = await import('@aws-sdk/client-ssm');
      const ssm = new SSMClient({
        maxAttempts: 5,
        requestHandler: { connectionTimeout: 5_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
      });
      const { Parameter } = await ssm.send(
        new GetParameterCommand({ Name: source.slice('ssm:'.length), WithDecryption: true }),
      );
      return { source, version: String(Parameter?.Version ?? ''), bytes: Buffer.from(Parameter?.Value ?? '') };
    }
    if (!s3Place(source).Bucket) throw new Error('INVENTORY must be s3://BUCKET/KEY or ssm:/NAME');
    const { GetObjectCommand } = await import('@aws-sdk/client-s3');
    return await withRetries(async () => {
      const { Body, VersionId } = await s3.send(new GetObjectCommand(s3Place(source)));
      return { source, version: VersionId ?? '', bytes: await Body!.transformToByteArray() };
    });
  } catch (error) {
    const { name, message } = error as Error;
    throw new Error(
      `the inventory ${source} cannot be read: ${name}: ${message}. Put it there, and let the role db-admin-report-orchestrator read it (template.yaml, InventoryLocation)`,
      { cause: error },
    );
  }
}

/** One request with its length, never over an object that is there; a 412 after an own try is no fault where the object is ours. */
async function putObject(
  s3: S3Client,
  file: string,
  location: string,
  sha256: string,
  contentType: string,
): Promise<void> {
  const { PutObjectCommand, HeadObjectCommand, GetObjectCommand } = await import('@aws-sdk/client-s3');
  const checksum = Buffer.from(sha256, 'hex').toString('base64');
  let tries = 0;
  try {
    await withRetries(async () => {
      tries++;
      await s3.send(
        new PutObjectCommand({
          ...s3Place(location),
          Body: fs.createReadStream(file), // opened again for each try: a stream can be sent once only
          ContentLength: fs.statSync(file).size,
          ContentType: contentType,
          ChecksumSHA256: checksum,
          IfNoneMatch: '*',
        }),
      );
    });
  } catch (error) {
    const { name, message, $metadata } = error as AwsError;
    if ($metadata?.httpStatusCode === 412 && tries > 1) {
      const there = await withRetries(() =>
        s3.send(new HeadObjectCommand({ ...s3Place(location), ChecksumMode: 'ENABLED' })),
      );
      if (there.ChecksumSHA256 === checksum) return;
      const { Body } = await withRetries(() => s3.send(new GetObjectCommand(s3Place(location))));
      if (
        createHash('sha256')
          .update(await Body!.transformToByteArray())
          .digest('hex') === sha256
      )
        return;
    }
    const next = /AccessDenied|NoSuchBucket/.test(name)
      ? '. Deploy template.yaml with Role=hub again: the role db-admin-report-orchestrator needs s3:PutObject and s3:GetObject there'
      : $metadata?.httpStatusCode === 412
        ? '. Another object has that name: run again'
        : '';
    throw new Error(`${location} cannot be written: ${name}: ${message}${next}`, { cause: error });
  }
}

// ── workers in other accounts ─────────────────────────────────────────────────────────────────────────────────────────

const batchLimits = {
  /** databases in one invocation: few enough to answer well inside an answer's size and the worker's time */
  databases: 100,
  /** invocations at the same time, in all and of one worker */
  invocations: 50,
  perWorker: 5,
  /** times that a database is asked for, where a worker crashes, times out or answers in pieces */
  attempts: 3,
  /** bytes of an unpacked answer: one that is larger counts as cut, and is asked for in parts */
  unpacked: 96 * 1024 * 1024,
  /** of a worker, from its invocation, ms; Lambda ends it at 300 s */
  worker: 285_000,
  /** how long a function that is not ready yet is waited for, ms: the network of one long unused is made anew */
  notReady: 180_000,
};

type Batch = { arn: string; databases: Database[]; attempt: number };

/** One invocation, when there is a place for it; the payload is made, and its time begins, only then. */
type Invoke = (arn: string, payload: () => object, ms: () => number) => Promise<InvokeCommandOutput>;

/** Invokes each database's worker, by its whole ARN and in its region, and hands over every result that comes back. */
async function invokeWorkers(
  reportId: string,
  databases: Database[],
  done: (result: DatabaseResult, origin: Origin) => void,
  stop: number,
  ownArn: string,
): Promise<void> {
  const partition = ownArn.split(':')[1];
  const arnOf = ({ worker, region, account }: Database) =>
    worker.startsWith('arn:') ? worker : `arn:${partition}:lambda:${region}:${account}:function:${worker}`;
  const workers = Map.groupBy(databases, arnOf);
  for (const arn of workers.keys())
    if (ownArn === arn || ownArn.startsWith(`${arn}:`))
      throw new Error(`the inventory names the orchestrator itself as a worker: ${arn}`);
  const clientOf = once(makeLambdaClient);
  const overall = limited(batchLimits.invocations);
  const invoke: Invoke = (arn, payload, ms) =>
    overall(async () => {
      // A function that is run again goes on where it was frozen: what is left of an earlier run ends here.
      if (Date.now() >= stop) throw Object.assign(new Error('no time was left'), { name: 'TimeoutError' });
      const { InvokeCommand } = await import('@aws-sdk/client-lambda');
      const command = new InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(payload()) });
      return (await clientOf(arn.split(':')[3]!)).send(command, { abortSignal: AbortSignal.timeout(ms()) });
    });
  await Promise.all(
    [...workers].flatMap(([arn, list]) => {
      const own = limited(batchLimits.perWorker);
      const ask = async (batch: Batch): Promise<unknown> =>
        Promise.all((await own(() => invokeBatch(reportId, batch, invoke, done, stop))).map(ask));
      return inParts(list, batchLimits.databases).map(part => ask({ arn, databases: part, attempt: 1 }));
    }),
  );
}

/** Runs at most `count` at the same time; the others wait their turn. */
function limited(count: number) {
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (count === 0) await new Promise<void>(resolve => waiting.push(resolve));
    else count--;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else count++;
    }
  };
}

async function makeLambdaClient(region: string): Promise<LambdaClient> {
  const { LambdaClient } = await import('@aws-sdk/client-lambda');
  return new LambdaClient({
    region,
    maxAttempts: 1, // an invocation that was cut may still run: what is safe to repeat is decided below
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: 0,
      httpsAgent: { maxSockets: 2 * batchLimits.invocations },
    },
  });
}

function inParts<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));
}

/** One invocation, again where it serves; resolves with the batches that are to be asked for anew. */
async function invokeBatch(
  reportId: string,
  batch: Batch,
  invoke: Invoke,
  done: (result: DatabaseResult, origin: Origin) => void,
  stop: number,
): Promise<Batch[]> {
  const { arn, databases, attempt } = batch;
  const giveUp = (why: string) => {
    for (const database of databases) done(failed(database, why), { version: '', queries: [], attempts: attempt });
    return [];
  };
  let notReadySince: number | undefined; // not from the start: it may have waited for a place
  for (let tries = 0; ; tries++) {
    let why = '';
    let answered: ReturnType<typeof unpack>;
    try {
      const deadline = () => Math.min(Date.now() + batchLimits.worker, stop);
      const output = await invoke(
        arn,
        () => ({ reportId, databases, deadline: deadline() }),
        () => Math.max(1, deadline() - Date.now() + 15_000),
      );
      const payload = Buffer.from(output.Payload ?? []).toString('utf8');
      if (output.FunctionError) why = `the worker ${arn} failed: ${oneLine(payload, 300)}`;
      else {
        answered = unpack(payload);
        why = `the answer of the worker ${arn} was cut`;
      }
    } catch (error) {
      const { name, code = '', message, $metadata } = error as AwsError;
      why = invocationInWords(name, message, arn);
      const notRun = $metadata?.httpStatusCode !== undefined || /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN)$/.test(code);
      if (notRun) {
        const pending = notReady.test(name) || /state: Pending/.test(message);
        if (pending) notReadySince ??= Date.now();
        const again = pending ? Date.now() - notReadySince! < batchLimits.notReady : isPassing(error) && tries < 5;
        if (!again || Date.now() >= stop) return giveUp(why);
        await pause(Math.min(backoff(tries, 1_000), Math.max(0, stop - Date.now())));
        continue;
      }
    }
    if (answered) return takeAnswer(answered, batch, done);
    // A crash, a time-out or a cut answer: again, in parts and at last each alone, so that a database that brings a worker
    // down costs only itself.
    if (attempt >= batchLimits.attempts || Date.now() + 5_000 > stop)
      return giveUp(`${why}; asked for ${attempt} times`);
    await pause(backoff(attempt));
    const size = attempt + 1 === batchLimits.attempts ? 1 : Math.floor(Math.sqrt(databases.length));
    return inParts(databases, size).map(part => ({ arn, databases: part, attempt: attempt + 1 }));
  }
}

/** Names of errors that say that a function cannot run yet (client-lambda's exceptions; the 409 while it is Pending). */
const notReady =
  /^(ENINotReadyException|ResourceNotReadyException|ResourceConflictException|CodeArtifactUserPendingException|EC2ThrottledException)$/;

function invocationInWords(name: string, message: string, arn: string): string {
  const [, , , region, account] = arn.split(':');
  const deploy = `deploy template.yaml with Role=worker in account ${account}, ${region}`;
  const what = /AccessDenied/.test(name)
    ? `the worker ${arn} may not be invoked, or is not there: ${deploy} and with this hub's HubAccountId`
    : /ResourceNotFound/.test(name)
      ? `there is no worker ${arn}: ${deploy}`
      : /AbortError|TimeoutError/.test(name)
        ? `the worker ${arn} did not answer in time`
        : `the worker ${arn} could not be invoked`;
  return `${what} (${name}: ${oneLine(message, 300)})`;
}

/** The answer with its results, or undefined where it is cut. */
function unpack(payload: string): (WorkerAnswer & { results: DatabaseResult[] }) | undefined {
  try {
    const answered = JSON.parse(payload);
    if (!isObject(answered) || typeof answered.gzip !== 'string') return { ...(answered as WorkerAnswer), results: [] };
    const json = gunzipSync(Buffer.from(answered.gzip, 'base64'), { maxOutputLength: batchLimits.unpacked });
    const results = JSON.parse(json.toString('utf8'));
    return {
      ...(answered as WorkerAnswer),
      results: Array.isArray(results) ? (results.filter(isObject) as DatabaseResult[]) : [],
    };
  } catch {
    return undefined;
  }
}

/** Hands over what an answer holds; what it names as unanswered, or leaves out, is asked for again or has failed. */
function takeAnswer(
  { version: workerVersion, queries, unanswered, results }: WorkerAnswer & { results: DatabaseResult[] },
  { arn, databases, attempt }: Batch,
  done: (result: DatabaseResult, origin: Origin) => void,
): Batch[] {
  const asked = new Map(databases.map(database => [database.id, database]));
  const origin = {
    version: String(workerVersion ?? ''),
    queries: Array.isArray(queries) ? queries : [],
    attempts: attempt,
  };
  for (const result of results) if (asked.delete(result.id)) done(result, origin);
  const later = (Array.isArray(unanswered) ? unanswered : []).flatMap(id => asked.get(id) ?? []);
  const again = later.length < databases.length ? later : []; // nothing was answered: asking again would have no end
  for (const database of again) asked.delete(database.id);
  for (const database of asked.values()) {
    done(
      failed(
        database,
        `the worker ${arn} (version ${origin.version || 'unknown'}) left it out of its answer: deploy this version of it in account ${database.account}`,
      ),
      origin,
    );
  }
  return again.length > 0 ? [{ arn, databases: again, attempt }] : [];
}
