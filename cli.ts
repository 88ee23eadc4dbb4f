#!/usr/bin/env node
// The operator's command: has a report made, by the orchestrator Lambda or (`--local`) in this process, shows its progress
// and says where it is. `--help` and `--version` answer before anything heavy is loaded.

import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs as parseOptions } from 'node:util';
import type { Line, Manifest, ManifestDatabase, Summary } from './orchestrator.ts';

export const help = `Reports every administrator of the databases in the inventory, as audit evidence.

usage: npx tsx cli.ts [--profile NAME] [--region NAME] [--function NAME-or-ARN]
                      [--account ID ...] [--database ID ...] [--download DIR] [--json] [--quiet]
       npx tsx cli.ts --local --inventory FILE [--out DIR] [...]
       npx tsx cli.ts --compare OLD.csv NEW.csv [--json] [--unverified]
       npx tsx cli.ts --verify REPORT.csv
       npx tsx cli.ts --help | --version

  --profile NAME     the AWS profile to use (as AWS_PROFILE)
  --region NAME      the AWS region of the orchestrator (as AWS_REGION)
  --function NAME    the orchestrator's name or ARN (default db-admin-report-orchestrator)
  --account ID       only the databases of this account; may be repeated
  --database ID      only this database; may be repeated
  --download DIR     also fetch the report and its manifest into this folder
  --local            read the databases from this machine, without the Lambdas
  --inventory FILE   with --local: the inventory
  --out DIR          with --local: the folder for the report (default: the current one)
  --json             one JSON object on standard output, nothing else
  --quiet            no progress on standard error
  --compare OLD NEW  what changed between two reports
  --unverified       with --compare: even where a report is not as it was written
  --verify REPORT    check a report against the manifest beside it

exit:  0 complete · 3 some database incomplete or failed · 1 no report (or, with --download, not fetched)
       2 wrong usage · 130 interrupted
       compare: 0 no difference · 4 differences · 3 something not comparable · 1 not as written
       verify:  0 as written · 1 not

examples:
  npx tsx cli.ts --profile audit --region us-east-1 --download .
  npx tsx cli.ts --local --inventory inventory.json --out reports
`;

/** A command line as a value; `usage` says what is wrong with one that makes no sense. */
export type Command =
  | { command: 'help' | 'version' }
  | { command: 'usage'; fault: string }
  | { command: 'verify'; report: string }
  | { command: 'compare'; old: string; new: string; json: boolean; unverified: boolean }
  | ({ command: 'local'; inventory: string; out: string } & RunOptions)
  | ({ command: 'remote'; function: string; download?: string } & RunOptions);

type RunOptions = {
  profile?: string;
  region?: string;
  accounts: string[];
  databases: string[];
  json: boolean;
  quiet: boolean;
};

export const options = {
  profile: { type: 'string' },
  region: { type: 'string' },
  function: { type: 'string' },
  account: { type: 'string', multiple: true },
  database: { type: 'string', multiple: true },
  download: { type: 'string' },
  local: { type: 'boolean' },
  inventory: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  compare: { type: 'boolean' },
  unverified: { type: 'boolean' },
  verify: { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const;

/** Reads the arguments after the program's name. Pure: no file, no environment. */
export function parseArgs(argv: string[]): Command {
  const usage = (fault: string): Command => ({ command: 'usage', fault });
  let parsed: ReturnType<typeof parseOptions<{ options: typeof options; allowPositionals: true; tokens: true }>>;
  try {
    parsed = parseOptions({ args: argv, options, allowPositionals: true, tokens: true });
  } catch (error) {
    return usage((error as Error).message);
  }
  const { values, positionals, tokens } = parsed;
  if (values.help) return { command: 'help' };
  if (values.version) return { command: 'version' };

  const given = tokens.flatMap(token => (token.kind === 'option' ? [token.name] : []));
  const twice = given.find((name, i) => given.indexOf(name) !== i && name !== 'account' && name !== 'database');
  if (twice) return usage(`--${twice} is given twice`);
  const empty = Object.entries(values).find(
    ([, value]) => value === '' || (Array.isArray(value) && value.includes('')),
  );
  if (empty) return usage(`--${empty[0]} needs a value`);
  const only = (mode: string, ...allowed: string[]) => {
    const other = given.find(name => !allowed.includes(name));
    return other && usage(`--${other} does not go with ${mode}`);
  };
  const { json = false, quiet = false, unverified = false, profile, region, inventory } = values;

  if (values.verify) {
    if (positionals.length !== 1) return usage('--verify takes one report: --verify REPORT.csv');
    return only('--verify', 'verify') || { command: 'verify', report: positionals[0]! };
  }
  if (values.compare) {
    if (positionals.length !== 2) return usage('--compare takes two reports: --compare OLD.csv NEW.csv');
    return (
      only('--compare', 'compare', 'json', 'unverified') || {
        command: 'compare',
        old: positionals[0]!,
        new: positionals[1]!,
        json,
        unverified,
      }
    );
  }
  if (positionals.length > 0) return usage(`unexpected argument ${JSON.stringify(positionals[0])}`);
  const { account: accounts = [], database: databases = [] } = values;
  const odd = accounts.find(account => !/^\d{12}$/.test(account));
  if (odd !== undefined) return usage(`--account ${odd}: must be 12 digits`);
  const run = { profile, region, accounts, databases, json, quiet };
  const common = ['profile', 'region', 'account', 'database', 'json', 'quiet'];
  if (values.local) {
    const wrong = only('--local', 'local', 'inventory', 'out', ...common);
    if (wrong) return wrong;
    if (inventory === undefined) return usage('--local needs --inventory FILE');
    return { command: 'local', inventory, out: values.out ?? '.', ...run };
  }
  return (
    only('a run in AWS: add --local', 'function', 'download', ...common) || {
      command: 'remote',
      function: values.function ?? 'db-admin-report-orchestrator',
      download: values.download,
      ...run,
    }
  );
}

// ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A run's outcome: its summary, its manifest where it could be read, and why the report could not be fetched where it was to be. */
type Outcome = { summary: Summary; manifest?: Manifest; notes: string[]; undelivered?: string };

async function runLocal(
  command: Extract<Command, { command: 'local' }>,
  reportId: string,
  show: Progress,
): Promise<Outcome> {
  const [{ run, localSurroundings }, worker] = await Promise.all([import('./orchestrator.ts'), import('./worker.ts')]);
  fs.mkdirSync(command.out, { recursive: true });
  const surroundings = localSurroundings(command.inventory, command.out, async (databases, done) => {
    show.awaited(databases.map(database => database.id));
    const stored = worker.parameterStore(databases.filter(database => !database.credentials.startsWith('env:')));
    const queries = new Map<string, import('./worker.ts').Query>();
    // Nearly all that is allocated from here on is soon garbage. V8 would take 40 MB more for it, and be hardly faster.
    process.getBuiltinModule('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
    await worker.collect(databases, {
      credentials: async database =>
        database.credentials.startsWith('env:') ? fromEnvironment(database, worker.parseCredential) : stored(database),
      queries,
      done: result => done(result, { version: worker.version, queries: [...queries.values()], attempts: 1 }),
    });
  });
  const summary = await run(request(command, reportId), surroundings, show.line);
  return { summary, manifest: JSON.parse(fs.readFileSync(summary.manifest!, 'utf8')), notes: [] };
}

function fromEnvironment(
  database: import('./worker.ts').Database,
  parse: typeof import('./worker.ts').parseCredential,
) {
  const name = database.credentials.slice('env:'.length);
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`the environment has no variable ${name}: set it to {"username", "password"}`);
  return parse(value, database);
}

function request({ accounts, databases }: RunOptions, reportId: string) {
  return {
    reportId,
    requestedBy: `${userName()}@${os.hostname()}`,
    ...(accounts.length > 0 && { accounts }),
    ...(databases.length > 0 && { databases }),
  };
}

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** Where a run in AWS is: known to Ctrl-C, and to the wait for a manifest when the stream breaks. */
type Run = { started?: Extract<Line, { type: 'started' }> };

async function runRemote(
  command: Extract<Command, { command: 'remote' }>,
  reportId: string,
  show: Progress,
  run: Run,
): Promise<Outcome> {
  const lines = invoke(command.function, request(command, reportId));
  const begun = Date.now();
  let summary: Summary | undefined;
  let broken: BrokenStream | undefined;
  try {
    for await (const line of lines) {
      show.line(line);
      if (line.type === 'started') run.started = line;
      if (line.type === 'error') throw new Error(line.message);
      if (line.type === 'result') {
        const { type, ...result } = line;
        summary = result;
      }
    }
    if (!summary) broken = new BrokenStream('the orchestrator ended without a result', { cause: 'ended' });
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error;
    broken = error;
  }
  const ended = broken?.cause === 'ended';
  if (broken && !run.started) {
    throw new Error(
      ended
        ? broken.message
        : `${broken.message}, before the run was heard of: it may go on nevertheless, as report ${reportId}`,
    );
  }
  const notes: string[] = [];
  let manifest: Manifest | undefined;
  if (!summary) {
    const { manifest: location } = run.started!;
    process.stderr.write(`${broken!.message}; ${ended ? 'looking' : 'the run goes on. Waiting'} for ${location}\n`);
    manifest = await waitForManifest(location, ended ? Date.now() + 5_000 : begun + 16 * 60_000);
    const { summarize } = await import('./orchestrator.ts');
    summary = summarize(manifest, location);
  } else if (!command.json) {
    manifest = await readManifest(summary.manifest!).catch(error => {
      notes.push(
        `Note: the manifest could not be read (${(error as Error).message}), so TLS modes and worker versions are not shown.`,
      );
      return undefined;
    });
  }
  let undelivered: string | undefined;
  if (command.download) {
    try {
      const files = await download([summary.report!, summary.manifest!], command.download, summary.sha256!);
      notes.push(...files.map(file => `Downloaded: ${file}`));
    } catch (error) {
      undelivered = `the report could not be downloaded: ${inWords(error)}`;
    }
  } else notes.push(...[summary.report, summary.manifest].map(file => `Fetch:    aws s3 cp ${file} .`));
  return { summary, manifest, notes, undelivered };
}

/** A stream that stalled or was cut before its last line; the run itself goes on, unless the cause is 'ended'. */
class BrokenStream extends Error {}

/** Invokes the orchestrator, exactly once, and gives the lines of its answer as they come. */
async function* invoke(functionName: string, event: object): AsyncGenerator<Line> {
  const { LambdaClient, InvokeWithResponseStreamCommand } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({
    maxAttempts: 1, // the SDK's own retries would have the report made three times
    requestHandler: { connectionTimeout: 10_000, requestTimeout: 0 },
    ...(functionName.startsWith('arn:') && { region: functionName.split(':')[3] }),
  });
  const command = new InvokeWithResponseStreamCommand({ FunctionName: functionName, Payload: JSON.stringify(event) });
  const { EventStream } = await stalling(client.send(command), 'the orchestrator did not answer').catch(error => {
    const { code, message, $metadata } = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
    const mayRun = code === 'ECONNRESET' || code === 'EPIPE' || ($metadata?.httpStatusCode ?? 0) >= 500;
    throw mayRun ? new BrokenStream(`the orchestrator did not answer (${error.name}: ${message})`) : error;
  });
  const events = EventStream![Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { value, done } = await stalling(events.next(), 'the answer stalled').catch(error => {
      throw error instanceof BrokenStream
        ? error
        : new BrokenStream(`the answer broke off (${(error as Error).message})`);
    });
    if (done) throw new BrokenStream('the answer broke off');
    if (value.PayloadChunk) {
      text += decoder.decode(value.PayloadChunk.Payload, { stream: true });
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) yield parseLine(line);
    }
    if (value.InvokeComplete?.ErrorCode) {
      const { ErrorCode, ErrorDetails = '' } = value.InvokeComplete;
      const why = `the orchestrator failed (${ErrorCode}: ${ErrorDetails.slice(0, 500)}; its log has more)`;
      throw new BrokenStream(why, { cause: 'ended' });
    }
    if (value.InvokeComplete) return;
  }
}

function parseLine(line: string): Line {
  try {
    return JSON.parse(line);
  } catch {
    throw new BrokenStream(`the answer has a line that cannot be read (${line.slice(0, 100)})`);
  }
}

/** The orchestrator says something every 30 s at least: silence for much longer is a connection that was cut without a word. */
function stalling<T>(next: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BrokenStream(`${what} for ${stallSeconds} s`)), stallSeconds * 1000);
  });
  return Promise.race([next, silence]).finally(() => clearTimeout(timer));
}
const stallSeconds = 100;

async function waitForManifest(location: string, until: number): Promise<Manifest> {
  const { isPassing } = await import('./orchestrator.ts');
  for (let wait = 1; ; wait = Math.min(wait * 2, 10)) {
    try {
      return await readManifest(location);
    } catch (error) {
      const { name } = error as Error;
      const missing =
        /^(NoSuchKey|NotFound)$/.test(name) || (/AccessDenied|Forbidden/.test(name) && (await mayList(location)));
      if (Date.now() > until && missing)
        throw new Error(`${location} did not appear: the run ended without a report (the orchestrator's log says why)`);
      // The network that cut the stream may be gone for a while.
      if (!missing && (Date.now() > until || !isPassing(error)))
        throw new Error(`${location} cannot be read, look for it later: ${inWords(error)}`);
    }
    await new Promise(resolve => setTimeout(resolve, wait * 1000));
  }
}

/** S3 answers "access denied" for an object that is not there to whoever may list below a prefix only: listing tells the two apart. */
async function mayList(location: string): Promise<boolean> {
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const { s3Place } = await import('./orchestrator.ts');
  const { Bucket, Key } = s3Place(location);
  return (await makeS3Client()).send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 })).then(
    () => true,
    error => !/AccessDenied|Forbidden/.test(error.name),
  );
}

const readManifest = async (location: string): Promise<Manifest> =>
  JSON.parse(Buffer.from(await getObject(location)).toString('utf8'));

async function getObject(location: string): Promise<Uint8Array> {
  const [{ GetObjectCommand }, { s3Place }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('./orchestrator.ts'),
  ]);
  const { Body } = await (await makeS3Client()).send(new GetObjectCommand(s3Place(location)));
  return Body!.transformToByteArray();
}

async function makeS3Client() {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const requestHandler = { connectionTimeout: 5_000, socketTimeout: 15_000 }; // else silence would be waited for without end
  return new S3Client({ maxAttempts: 3, followRegionRedirects: true, requestHandler });
}

/** In hexadecimal. The module is loaded when it is first needed: `--help` would take a third longer. */
const sha256Of = (bytes: string | Uint8Array) =>
  process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex');

/** Fetches a report and its manifest, checks the report's SHA-256, overwrites nothing. */
async function download(locations: string[], folder: string, sha256: string): Promise<string[]> {
  fs.mkdirSync(folder, { recursive: true });
  const files: string[] = [];
  for (const [i, location] of locations.entries()) {
    const bytes = await getObject(location);
    if (i === 0 && sha256Of(bytes) !== sha256)
      throw new Error(`${location} is not what the orchestrator wrote: its SHA-256 is not ${sha256}`);
    const file = path.join(folder, path.posix.basename(location));
    fs.writeFileSync(file, bytes, { flag: 'wx' });
    files.push(file);
  }
  return files;
}

/** What to do next, for what AWS and its SDK say. */
const remedies: [RegExp, string][] = [
  [/Region is missing/, 'no AWS region is known: use --region NAME, or set AWS_REGION'],
  [
    /UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|InvalidAccessKeyId/,
    'AWS does not know these credentials: correct them or log in again',
  ],
  [
    /AccessDenied|Forbidden/,
    "access denied: attach the hub's operator policy (output OperatorPolicyArn of its stack) to your role",
  ],
  [
    /ResourceNotFound/,
    'there is no such function here: deploy template.yaml with Role=hub, or correct --function, --region, --profile',
  ],
  [/NoSuchBucket/, 'the bucket does not exist'],
  [/TooManyRequests|Throttl/, 'AWS is throttling: nothing was run; try again in a minute'],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN/,
    'AWS could not be reached: check the network and --region',
  ],
  // Behind "access denied", whose message names a role that for many is called AWSReservedSSO_...
  [/sso|expired/i, 'the AWS session has expired or there is none: aws sso login (with --profile NAME if you use one)'],
  [
    /CredentialsProviderError|Could not load credentials|Could not resolve credentials/,
    'no AWS credentials: use --profile NAME or set AWS_PROFILE',
  ],
];

function inWords(error: unknown): string {
  const { name, message, code = '', path } = error as Error & { code?: string; path?: string };
  if (path !== undefined) return message; // a file, whatever its name reminds of
  if (name === 'Error' && !code && message !== 'Region is missing') return message; // one of our own
  const remedy = remedies.find(([pattern]) => pattern.test(`${name} ${code} ${message}`))?.[1];
  return remedy ? `${remedy}\n(${name}: ${message})` : message;
}

// ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────────────

type Progress = { line(line: Line): void; awaited(ids: string[]): void; end(): void };

/** Text from a server on one line, so that it cannot steer the terminal. */
const tame = (text: string) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ');

/** Progress on standard error: one live line on a terminal, a line per database elsewhere, nothing when quiet. */
function makeProgress(quiet: boolean): Progress {
  const { stderr } = process;
  const live = stderr.isTTY && !quiet;
  const waiting = new Set<string>();
  const failures = { failed: 0, incomplete: 0 };
  let done = 0;
  let total = 0;
  const draw = () => {
    const counts = `${done}/${total} databases${failures.incomplete ? `, ${failures.incomplete} incomplete` : ''}${failures.failed ? `, ${failures.failed} failed` : ''}`;
    const names =
      waiting.size > 0 ? `, awaiting ${[...waiting].slice(0, 5).join(', ')}${waiting.size > 5 ? ', …' : ''}` : '';
    stderr.write(`\r\x1b[2K${tame(counts + names).slice(0, (stderr.columns || 80) - 1)}`);
  };
  const timer = live ? setInterval(draw, 200).unref() : undefined;
  return {
    awaited: ids => {
      for (const id of ids) waiting.add(id);
    },
    line: line => {
      if (line.type === 'started') total = line.total;
      if (line.type === 'started' && !quiet && !live)
        stderr.write(`report ${line.report_id}: ${line.total} databases\n`);
      if (line.type !== 'database') return;
      done = line.done;
      waiting.delete(line.database_id);
      if (line.result === 'failed' || line.result === 'incomplete') failures[line.result]++;
      if (quiet || live) return;
      stderr.write(
        `[${line.done}/${line.total}] ${tame(`${line.database_id}: ${line.result}${line.detail && ` (${line.detail})`}`)}\n`,
      );
    },
    end: () => {
      clearInterval(timer);
      if (live) stderr.write('\r\x1b[2K');
    },
  };
}

/** The summary for people. */
function summaryText({ summary, manifest, notes }: Outcome): string {
  const { databases, failures } = summary;
  const unverified = manifest?.databases.filter(database => database.tls !== 'verify') ?? [];
  const incomplete = manifest?.databases.filter(database => database.result === 'incomplete') ?? [];
  const versions = Map.groupBy(
    manifest?.databases.filter(database => database.worker_version) ?? [],
    database => database.worker_version,
  );
  const list = (title: string, items: string[]) =>
    items.length > 0 ? [`${title}:`, ...items.map(item => `  ${tame(item)}`)] : [];
  const lines = [
    `${summary.status === 'complete' ? 'Complete' : 'INCOMPLETE'}: ${databases.covered} of ${databases.total} databases covered, ${databases.incomplete} incomplete, ${databases.failed} failed`,
    `Administrators: ${summary.administrators} (${summary.rows} rows)`,
    ...list(
      'Failed',
      failures.map(({ database_id, detail }) => `${database_id}: ${detail}`),
    ),
    ...list(
      'Incomplete',
      incomplete.map(({ id, detail }) => `${id}: ${detail}`),
    ),
    ...list(
      'Read without a verified server (tls)',
      unverified.map(({ id, tls }) => `${id}: ${tls}`),
    ),
    ...(versions.size > 1
      ? list(
          'Workers of unlike versions',
          [...versions].map(
            ([version, those]) => `${version}: ${[...new Set(those.map(({ account }) => account))].join(', ')}`,
          ),
        )
      : []),
    `Report:   ${summary.report}`,
    `Manifest: ${summary.manifest}`,
    `SHA-256:  ${summary.sha256}`,
    ...notes,
  ];
  return `${lines.join('\n')}\n`;
}

// ── evidence ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A report as it lies on disk: `faults` say what is not as it was written, `notes` what is only worth knowing. */
type Checked = {
  file: string;
  bytes?: Buffer;
  manifest?: Manifest;
  manifestSha256?: string;
  faults: string[];
  notes: string[];
};

/** What this needs of orchestrator.ts, with the place of each column in a row. */
async function csvFormat() {
  const { columns, csvField, csvLine, parseJson } = await import('./orchestrator.ts');
  const at = Object.fromEntries(columns.map((name, i) => [name, i])) as Record<(typeof columns)[number], number>;
  return { columns, csvField, csvLine, parseJson, at };
}
type Format = Awaited<ReturnType<typeof csvFormat>>;
type Column = Format['columns'][number];

/** Faults in the order in which they are found; one that many lines share is named once, with all of its lines. */
function makeFaults() {
  const found = new Map<string, [from: number, to: number][]>();
  return {
    add(what: string, line?: number) {
      const ranges = found.get(what) ?? [];
      found.set(what, ranges);
      if (line === undefined) return;
      const last = ranges.at(-1);
      if (last && line <= last[1] + 1) last[1] = line;
      else ranges.push([line, line]);
    },
    list: () =>
      [...found].map(([what, ranges]) => {
        const lines = ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(', ');
        return (lines && `${/\D/.test(lines) ? 'lines' : 'line'} ${lines}: ${what}`) || what;
      }),
  };
}
type Faults = ReturnType<typeof makeFaults>;

const quote = (value: string) => JSON.stringify(value);
const markLength = (bytes: Buffer) => (bytes.subarray(0, 3).equals(Buffer.from('\uFEFF')) ? 3 : 0);

/**
 * The records of a CSV file (RFC 4180) from one place in it to another, strictly read. `line` is a record's first line,
 * `text` the record with its line end; `fields` is missing where the text is no record: a quote or a return out of place.
 */
export function* records(bytes: Buffer, start = markLength(bytes), stop = bytes.length) {
  for (let line = 1, end = start; start < stop; start = end) {
    let lines = 0;
    for (let quoted = false, open = true; open && end < stop; end++) {
      if (bytes[end] === 0x22) quoted = !quoted;
      else if (bytes[end] === 0x0a) {
        lines++;
        open = quoted;
      }
    }
    const text = bytes.toString('utf8', start, end);
    yield { line, start, end, text, fields: fieldsOf(text.replace(/\r?\n$/, '')) };
    line += lines;
  }
}

const csvFieldPattern = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|$)/y;

function fieldsOf(record: string): string[] | undefined {
  if (!/["\r\n]/.test(record)) return record.split(',');
  csvFieldPattern.lastIndex = 0;
  for (const fields: string[] = []; ; ) {
    const match = csvFieldPattern.exec(record);
    if (!match) return undefined;
    const [, quoted, plain, end] = match;
    fields.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === '') return fields;
  }
}

/** Compares a report's CSV with the manifest beside it, and each with itself. Reads nothing else. */
export async function checkReport(file: string): Promise<Checked> {
  const faults = makeFaults();
  const notes: string[] = [];
  const read = (name: string) => {
    try {
      return fs.readFileSync(name);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      faults.add(`${name} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : message}`);
      return undefined;
    }
  };
  const format = await csvFormat();
  const bytes = read(file);
  const manifestFile = file.replace(/\.csv$/, '.manifest.json');
  if (manifestFile === file) faults.add(`${file} is no report: the name of a report ends in .csv`);
  const manifestBytes = manifestFile === file ? undefined : read(manifestFile);
  const manifest = manifestBytes && parseManifest(manifestBytes, manifestFile, format, faults);
  if (manifest) {
    const name = `db-admins_${manifest.generated_at.replace(/[-:]/g, '')}_${manifest.report_id}.csv`;
    const given = path.basename(file);
    if (given !== name && /^db-admins_\d{8}T\d{6}Z_[0-9a-f-]{36}\.csv$/.test(given))
      faults.add(`the file's name is that of another report: the manifest's is ${name}`);
    else if (given !== name) notes.push(`the file was renamed: it was written as ${name}`);
    if (manifest.report.location.split(/[\\/]/).at(-1) !== name)
      faults.add(`the manifest: report.location does not end in ${name}, as its own ids demand`);
    checkManifest(manifest, faults);
    if (bytes) checkFile(bytes, manifest, format, faults);
  }
  const manifestSha256 = manifestBytes && sha256Of(manifestBytes);
  return { file, bytes, manifest, manifestSha256, faults: faults.list(), notes };
}

/** What a manifest's field must be: a text (of a pattern), a whole number, a list of such things, an object of them. */
type Shape<T> = T extends string
  ? '' | RegExp
  : T extends number
    ? 0
    : T extends (infer Item)[]
      ? [Shape<Item>]
      : { [Field in keyof T]: Shape<T[Field]> };

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const digest = /^[0-9a-f]{64}$/;
/** test/manifest.schema.json says what each field means. */
const manifestShape: Shape<Manifest> = {
  manifest_version: 0,
  report_id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  generated_at: time,
  finished_at: time,
  tool_version: '',
  requested_by: '',
  request_id: '',
  control: '',
  inventory: { source: '', version: '', sha256: digest },
  filter: { accounts: [''], databases: [''] },
  excluded: [''],
  queries: [{ file: '', sha256: digest, text: '' }],
  databases: [
    {
      id: '',
      account: /^\d{12}$/,
      account_name: '',
      region: '',
      host: '',
      port: 0,
      tls: /^(verify|trust|off)$/,
      result: /^(admin|none|incomplete|failed)$/,
      detail: '',
      attempts: 0,
      duration_ms: 0,
      rows: 0,
      administrators: 0,
      engine: /^(mysql|mariadb|mssql)$/,
      engine_version: '',
      server_name: '',
      server_id: '',
      worker_version: '',
      queries: [digest],
    },
  ],
  totals: { databases: 0, covered: 0, incomplete: 0, failed: 0, administrators: 0, rows: 0 },
  report: { location: '', bytes: 0, sha256: digest },
};

function misshapen(value: unknown, shape: unknown, place: string): string[] {
  if (shape === 0) return Number.isSafeInteger(value) && Number(value) >= 0 ? [] : [`${place} must be a whole number`];
  if (shape === '') return typeof value === 'string' ? [] : [`${place} must be a text`];
  if (shape instanceof RegExp)
    return typeof value === 'string' && shape.test(value) ? [] : [`${place} may not be ${JSON.stringify(value)}`];
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${place} must be a list`];
    return value.flatMap((item, i) => misshapen(item, shape[0], `${place}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} must be an object`];
  const [known, there] = [shape as Record<string, unknown>, value as Record<string, unknown>];
  return [...new Set([...Object.keys(known), ...Object.keys(there)])].flatMap(name => {
    const inner = place ? `${place}.${name}` : name;
    if (!Object.hasOwn(there, name)) return [`${inner} is missing`];
    return Object.hasOwn(known, name) ? misshapen(there[name], known[name], inner) : [`${inner} is an unknown field`];
  });
}

function parseManifest(bytes: Buffer, file: string, { parseJson }: Format, faults: Faults): Manifest | undefined {
  let parsed: Manifest | null;
  try {
    parsed = parseJson(bytes.toString('utf8')) as Manifest | null;
  } catch (error) {
    faults.add(`${file} is ${(error as Error).message}`);
    return undefined;
  }
  const version = JSON.stringify(parsed?.manifest_version) ?? 'missing';
  const odd =
    version === '1'
      ? misshapen(parsed, manifestShape, '').map(fault => `the manifest: ${fault}`)
      : [`${file}: manifest_version is ${version}; this version of the tool reads manifests of version 1`];
  for (const fault of odd) faults.add(fault);
  return odd.length > 0 ? undefined : parsed!;
}

function twice(names: string[]): string[] {
  const seen = new Set<string>();
  return names.filter(name => seen.size === seen.add(name).size);
}

/** The manifest against itself: its queries, its databases and what was left out, its totals. */
function checkManifest(manifest: Manifest, faults: Faults) {
  const { databases, queries, excluded, filter, totals } = manifest;
  const fault = (what: string) => faults.add(`the manifest: ${what}`);
  if (manifest.finished_at < manifest.generated_at) fault('finished_at is before generated_at');

  for (const { file, sha256, text } of queries)
    if (sha256Of(text) !== sha256) fault(`the text of the query ${quote(file)} has not the SHA-256 ${sha256}`);
  for (const sha256 of twice(queries.map(query => query.sha256))) fault(`the query ${sha256} is listed twice`);
  const texts = new Set(queries.map(query => query.sha256));
  for (const { id, queries } of databases)
    for (const sha256 of queries) if (!texts.has(sha256)) fault(`the text of the query ${sha256} of ${id} is missing`);
  const ran = new Set(databases.flatMap(database => database.queries));
  for (const sha256 of texts) if (!ran.has(sha256)) fault(`the query ${sha256} ran on none of the databases`);

  const ids = new Set(databases.map(database => database.id));
  for (const id of twice([...databases.map(database => database.id), ...excluded]))
    fault(`${id} stands twice among the databases that were asked for and those that were excluded`);
  for (const [i, { account, region, id }] of databases.entries()) {
    const next = databases[i + 1];
    if (next && isAfter([account, region, id], [next.account, next.region, next.id]))
      fault(`${next.id} is out of order`);
    if (filter.accounts.length > 0 && !filter.accounts.includes(account)) fault(`${id} is in no account of the filter`);
    if (filter.databases.length > 0 && !filter.databases.includes(id)) fault(`${id} is no database of the filter`);
  }
  for (const id of filter.databases)
    if (!ids.has(id) && !excluded.includes(id)) fault(`${id} of the filter is neither asked for nor excluded`);
  if (filter.accounts.length + filter.databases.length === 0 && excluded.length > 0)
    fault('databases are excluded, and there is no filter');

  const count = (...results: string[]) => databases.filter(database => results.includes(database.result)).length;
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const added: Manifest['totals'] = {
    databases: databases.length,
    covered: count('admin', 'none'),
    incomplete: count('incomplete'),
    failed: count('failed'),
    administrators: sum(databases.map(database => database.administrators)),
    rows: sum(databases.map(database => database.rows)),
  };
  for (const name of Object.keys(added) as (keyof typeof added)[])
    if (totals[name] !== added[name])
      fault(`totals.${name} is ${totals[name]}, its databases add up to ${added[name]}`);
}

/** A field that begins like this got a `'` from this tool, or had it by itself: the CSV does not tell. */
const guarded = /^'[=+\-@\t\r\n]/;

/** Whether keys come after others, each by code unit: not where the first that differ are guarded, which hides what was sorted. */
function isAfter(keys: string[], next: string[]): boolean {
  const i = keys.findIndex((key, i) => key !== next[i]);
  return i >= 0 && !guarded.test(keys[i]!) && !guarded.test(next[i]!) && keys[i]! > next[i]!;
}

/** A database that was asked for: the fields that its rows begin with, and what is found of it in the CSV. */
type Asked = {
  database: ManifestDatabase;
  begin: string[];
  rows: number;
  incomplete: number;
  administrators: Set<string>;
  collected_at?: string;
};

/** The CSV against the manifest: the file as a whole, its rows, and what they add up to. */
function checkFile(bytes: Buffer, manifest: Manifest, format: Format, faults: Faults) {
  const { columns, csvField, csvLine, at } = format;
  const { report_id, generated_at, databases, excluded, report } = manifest;
  const sha256 = sha256Of(bytes);
  if (sha256 !== report.sha256) faults.add(`the SHA-256 is ${sha256}, the manifest says ${report.sha256}`);
  if (bytes.length !== report.bytes) faults.add(`the size is ${bytes.length} bytes, the manifest says ${report.bytes}`);
  if (!isUtf8(bytes)) faults.add('the file is not UTF-8: another program saved it');
  if (markLength(bytes) === 0) faults.add('the byte order mark at the start is lost: another program saved the file');

  const asked = new Map<string, Asked>();
  for (const database of databases) {
    const { account, account_name, region, id, engine, engine_version, host, port } = database;
    const run = [report_id, generated_at];
    const server = [...run, account, account_name, region, id, engine, engine_version, host, `${port}`];
    const begin = server.map(field => csvField(field.toWellFormed()));
    asked.set(id, { database, begin, rows: 0, incomplete: 0, administrators: new Set() });
  }
  const sortColumns = [at.account_id, at.region, at.database_id, at.scope, at.principal, at.granted_through];
  let rows = -1;
  let before: string[] = [];
  for (const { line, text, fields } of records(bytes)) {
    const fault = (what: string) => faults.add(what, line);
    rows++;
    if (!text.endsWith('\n')) fault('has no end: the file was cut, or another program saved it');
    else if (!text.endsWith('\r\n')) fault('ends in a line feed alone: another program saved the file');
    else if (fields && text !== csvLine(fields)) fault('is not quoted as this tool quotes: another program wrote it');
    if (!fields) fault('is no record of RFC 4180: a quote or a return is out of place');
    else if (fields.length !== columns.length) fault(`has ${fields.length} fields, not ${columns.length}`);
    const odd = rows === 0 && fields ? columns.findIndex((column, i) => column !== fields[i]) : -1;
    if (odd >= 0) fault(`column ${odd + 1} is ${quote(fields?.[odd] ?? '')}, not ${columns[odd]}`);
    if (rows === 0 || fields?.length !== columns.length) continue;
    const keys = sortColumns.map(i => fields[i]!);
    if (isAfter(before, keys))
      fault('is out of order: rows are sorted by account, region, database, scope, principal and chain');
    before = keys;
    const id = fields[at.database_id]!;
    const entry = asked.get(id);
    if (entry) checkRow(fields, entry, format, fault);
    else fault(`${quote(id)} was not asked for${excluded.includes(id) ? ': the filter left it out' : ''}`);
  }
  checkCounts([...asked.values()], Math.max(0, rows), manifest, faults);
}

/** What each result of a database lets its rows be. */
const rowResults = { admin: ['admin'], none: ['none'], failed: ['failed'], incomplete: ['admin', 'incomplete'] };

function checkRow(fields: string[], asked: Asked, { columns, csvField, at }: Format, fault: (what: string) => void) {
  const { database, begin } = asked;
  const { id } = database;
  const mustBe = (said: string, i: number) => {
    const whose = i < at.account_id ? '' : ` of ${id}`;
    if (csvField(fields[i]!) !== said) fault(`${columns[i]}${whose} is ${quote(fields[i]!)}, not ${said || '""'}`);
  };
  for (const [i, said] of begin.entries()) mustBe(said, i);
  asked.collected_at ??= csvField(fields[at.collected_at]!);
  mustBe(asked.collected_at, at.collected_at);
  const result = fields[at.result]!;
  asked.rows++;
  if (!rowResults[database.result].includes(result))
    fault(`the result ${quote(result)} does not go with ${id}, which is ${quote(database.result)}`);
  if (result === 'incomplete') asked.incomplete++;
  if (result === 'admin') asked.administrators.add(JSON.stringify([fields[at.scope], fields[at.principal]]));
  if (result !== 'none' && result !== 'failed') return;
  const filled = columns.slice(at.scope, at.collected_at).filter(column => fields[at[column]] !== '');
  if (filled.length > 0) fault(`a row that is ${quote(result)} names nobody, and this one has ${filled.join(', ')}`);
  mustBe(csvField(database.detail.toWellFormed()), at.detail);
}

function checkCounts(asked: Asked[], allRows: number, { totals }: Manifest, faults: Faults) {
  for (const { database, rows, incomplete, administrators } of asked) {
    const { id, result } = database;
    if (rows === 0) faults.add(`${id} was asked for and is not in the report`);
    else if (rows !== database.rows) faults.add(`${id} has ${rows} rows, the manifest says ${database.rows}`);
    if (rows > 1 && (result === 'none' || result === 'failed'))
      faults.add(`${id} is ${quote(result)} and has ${rows} rows: it must have one`);
    if (rows > 0 && result === 'incomplete' && incomplete === 0)
      faults.add(`${id} is "incomplete", and no row says what could not be read`);
    if (rows > 0 && !agrees(database.administrators, administrators))
      faults.add(`${id} has ${administrators.size} administrators, the manifest says ${database.administrators}`);
  }
  if (allRows !== totals.rows) faults.add(`the report has ${allRows} rows, the manifest says ${totals.rows}`);
}

/** `=x` and `'=x` are two names and look alike in the CSV: each that looks so may stand for both. */
const agrees = (said: number, names: Set<string>) =>
  said === names.size ||
  (said > names.size && said <= names.size + [...names].filter(name => guarded.test(JSON.parse(name)[1])).length);

async function verify(file: string): Promise<number> {
  const { manifest, manifestSha256, faults, notes } = await checkReport(file);
  const lines = [
    `${faults.length > 0 ? 'NOT as written' : 'As written'}: ${file}`,
    ...faults.map(fault => `  ${fault}`),
  ];
  if (manifest && faults.length === 0) {
    const { report_id, requested_by, request_id, inventory, filter, excluded, totals, report } = manifest;
    const narrowed = [
      ...filter.accounts.map(account => `--account ${account}`),
      ...filter.databases.map(id => `--database ${id}`),
    ];
    const unread = manifest.databases.filter(({ result }) => result === 'incomplete' || result === 'failed');
    const unchecked = manifest.databases.filter(({ tls }) => tls !== 'verify');
    const facts = {
      report: `${report_id}, generated ${manifest.generated_at}, finished ${manifest.finished_at}`,
      tool: `version ${manifest.tool_version}, for the control ${manifest.control}`,
      'requested by': `${requested_by} (as claimed)${request_id && `, Lambda request ${request_id}`}`,
      inventory: `${inventory.source}${inventory.version && `, version ${inventory.version}`}, SHA-256 ${inventory.sha256}`,
      'asked for': narrowed.length > 0 ? `${narrowed.join(' ')}; left out: ${excluded.length}` : 'the whole inventory',
      file: `${report.bytes} bytes, SHA-256 ${report.sha256}`,
      databases: `${totals.databases} asked for, each present: ${totals.covered} covered, ${totals.incomplete} incomplete, ${totals.failed} failed`,
      ...(unread.length > 0 && { 'not in full': unread.map(({ id, result }) => `${id} (${result})`).join(', ') }),
      ...(unchecked.length > 0 && { 'tls not checked': unchecked.map(({ id, tls }) => `${id} (${tls})`).join(', ') }),
      rows: `${totals.rows}, each of this run and of a database that was asked for, in order`,
      administrators: `${totals.administrators} (distinct database, scope and principal)`,
      queries: `${manifest.queries.length}, the text of each with its SHA-256`,
      manifest: `SHA-256 ${manifestSha256}`,
    };
    lines.push(...Object.entries(facts).map(([name, fact]) => `  ${name.padEnd(15)} ${fact}`));
    lines.push(
      'The two files agree. That nobody replaced both is for their bucket to show: its versions, its Object Lock.',
    );
  }
  lines.push(...notes.map(note => `Note: ${note}`));
  process.stdout.write(`${lines.map(tame).join('\n')}\n`);
  return faults.length > 0 ? 1 : 0;
}

/** One database in a report; `blocks` is where its rows are, so that one database at a time is in memory. */
type Listed = Place & {
  result: string;
  why: string;
  server: Record<(typeof serverColumns)[number], string>;
  blocks: [start: number, end: number][];
};
type Place = { account_id: string; account_name: string; database_id: string };
type Side = Checked & { bytes: Buffer; report_id: string; generated_at: string; databases: Map<string, Listed> };

/** A row of an administrator but for the run's own columns, and for who and where. Fields are as they stand in the CSV. */
type Held = Record<(typeof heldColumns)[number], string>;
const heldColumns = [
  'granted_through',
  'privileges',
  'can_grant',
  'enabled',
  'principal_type',
  'authentication',
  'created_at',
  'password_changed_at',
  'detail',
] as const satisfies Column[];
const serverColumns = [
  'account_name',
  'region',
  'host',
  'port',
  'engine',
  'engine_version',
] as const satisfies Column[];

/** An administrator who is not the same in both: the rows that have no equal in the other, and the columns that tell. */
type Change = Place & { scope: string; principal: string; fields: string[]; old: Held[]; new: Held[] };

/** What `--compare --json` prints. Nobody in the databases that are named apart counts as a change. */
type Comparison = Lists & {
  old: Report;
  new: Report;
  notes: string[];
  counts: Record<'compared_databases' | 'unchanged' | keyof Lists, number>;
};
type Lists = {
  became: Change[];
  ceased: Change[];
  changed: Change[];
  new_databases: Apart[];
  gone_databases: Apart[];
  not_comparable: (Place & { why: string })[];
};
type Report = { report: string; report_id: string; generated_at: string; faults: string[] };
type Apart = Place & { result: string; administrators: number };

const asReport = ({ file, manifest, faults, ...read }: Checked & Partial<Side>): Report => {
  const { report_id = '', generated_at = '' } = read.report_id ? read : (manifest ?? {});
  return { report: file, report_id, generated_at, faults };
};

async function compare({ json, unverified, ...files }: Extract<Command, { command: 'compare' }>): Promise<number> {
  const [old, newer] = [await checkReport(files.old), await checkReport(files.new)];
  const refused = [old, newer].filter(({ faults, bytes }) => !bytes || (faults.length > 0 && !unverified));
  if (refused.length > 0) {
    const lines = refused.flatMap(({ file, faults }) => [
      `NOT as written: ${file}`,
      ...faults.map(fault => `  ${fault}`),
    ]);
    if (refused.every(({ bytes }) => bytes)) lines.push('Nothing is compared, unless with --unverified.');
    process.stderr.write(`${lines.map(tame).join('\n')}\n`);
    if (json) process.stdout.write(`${JSON.stringify({ old: asReport(old), new: asReport(newer) })}\n`);
    return 1;
  }
  const format = await csvFormat();
  const comparison = compareSides(readSide(old, format), readSide(newer, format), format);
  process.stdout.write(json ? `${JSON.stringify(comparison)}\n` : comparisonText(comparison));
  const { became, ceased, changed, new_databases, gone_databases, not_comparable } = comparison.counts;
  return became + ceased + changed > 0 ? 4 : new_databases + gone_databases + not_comparable > 0 ? 3 : 0;
}

/** Where each database's rows are in a report. Throws at what it cannot read: a row that is left out would be a change. */
function readSide(checked: Checked, { columns, at }: Format): Side {
  const { file, manifest } = checked;
  const bytes = checked.bytes!;
  const databases = new Map<string, Listed>();
  let { report_id = '', generated_at = '' } = manifest ?? {};
  let header = '';
  for (const { line, start, end, fields } of records(bytes)) {
    const unreadable = (why: string) => new Error(`${file} cannot be compared: line ${line} ${why}`);
    if (fields?.length !== columns.length) throw unreadable('is no row of a report');
    if (header === '') {
      header = fields.join();
      if (header !== columns.join()) throw unreadable('does not have the columns of a report');
      continue;
    }
    const value = (column: Column) => fields[at[column]]!;
    const [account_id, account_name, database_id] = [value('account_id'), value('account_name'), value('database_id')];
    const result = value('result');
    if (!Object.hasOwn(rowResults, result)) throw unreadable(`has the result ${quote(result)}`);
    if (report_id === '') [report_id, generated_at] = [value('report_id'), value('generated_at')];
    const key = JSON.stringify([account_id, database_id]);
    const server = Object.fromEntries(serverColumns.map(column => [column, value(column)])) as Listed['server'];
    const fresh: Listed = { account_id, account_name, database_id, result, why: '', server, blocks: [] };
    const database = databases.get(key) ?? fresh;
    databases.set(key, database);
    if (result === 'incomplete' || result === 'failed') {
      database.result = result;
      database.why += `${database.why && ' | '}${value('detail') || 'no reason given'}`;
    }
    const block = database.blocks.at(-1);
    if (block?.[1] === start) block[1] = end;
    else database.blocks.push([start, end]);
  }
  if (header === '') throw new Error(`${file} cannot be compared: it is empty`);
  return { ...checked, bytes, report_id, generated_at, databases };
}

function compareSides(before: Side, after: Side, format: Format): Comparison {
  const [new_databases, gone_databases, not_comparable]: [Apart[], Apart[], Lists['not_comparable']] = [[], [], []];
  const lists: Lists = { became: [], ceased: [], changed: [], new_databases, gone_databases, not_comparable };
  const notes = notesOn(before, after);
  let [compared_databases, unchanged] = [0, 0];
  for (const key of [...new Set([...before.databases.keys(), ...after.databases.keys()])].sort()) {
    const [old, now] = [before.databases.get(key), after.databases.get(key)];
    const { account_id, account_name, database_id } = (now ?? old)!;
    const place = { account_id, account_name, database_id };
    if (!old || !now) {
      const [side, other, database] = old ? [before, after, old] : [after, before, now!];
      if (other.manifest?.excluded.includes(database_id)) {
        const why = `left out of the ${old ? 'new' : 'old'} report, which was narrowed by --account or --database`;
        lists.not_comparable.push({ ...place, why });
        continue;
      }
      const { size } = administrators(side, database, format);
      lists[old ? 'gone_databases' : 'new_databases'].push({ ...place, result: database.result, administrators: size });
      continue;
    }
    const unread = [
      ...(old.why ? [`${old.result} in the old report: ${old.why}`] : []),
      ...(now.why ? [`${now.result} in the new report: ${now.why}`] : []),
    ];
    if (unread.length > 0) {
      lists.not_comparable.push({ ...place, why: unread.join('; ') });
      continue;
    }
    compared_databases++;
    const moved = serverColumns.filter(column => old.server[column] !== now.server[column]);
    const changes = moved.map(column => `${column} ${old.server[column]} → ${now.server[column]}`);
    if (changes.length > 0) notes.push(`${database_id}: ${changes.join(', ')}`);
    const [had, has] = [administrators(before, old, format), administrators(after, now, format)];
    for (const person of [...new Set([...had.keys(), ...has.keys()])].sort()) {
      const [was, is] = [had.get(person) ?? [], has.get(person) ?? []];
      const [lost, come] = [without(was, is), without(is, was)];
      if (lost.length + come.length === 0) {
        unchanged++;
        continue;
      }
      const kind = was.length === 0 ? 'became' : is.length === 0 ? 'ceased' : 'changed';
      const fields = new Set(kind === 'changed' ? sameChain(lost, come).flatMap(pair => differing(...pair)) : []);
      const [scope, principal] = JSON.parse(person);
      lists[kind].push({ ...place, scope, principal, fields: [...fields], old: lost, new: come });
    }
  }
  const sizes = Object.fromEntries(Object.entries(lists).map(([name, { length }]) => [name, length]));
  const counts = { compared_databases, unchanged, ...sizes } as Comparison['counts'];
  return { old: asReport(before), new: asReport(after), ...lists, notes, counts };
}

/** What may explain a difference, or take its worth away. */
function notesOn(before: Side, after: Side): string[] {
  const notes: string[] = [];
  if (before.report_id === after.report_id) notes.push('both are the same report');
  if (before.generated_at > after.generated_at) notes.push('the old report is the later one: are they swapped?');
  const texts = (side: Side) => Map.groupBy(side.manifest?.queries ?? [], query => query.file);
  const newTexts = texts(after);
  for (const [file, queries] of texts(before)) {
    const known = new Set(queries.map(query => query.sha256));
    if (newTexts.get(file)?.some(query => !known.has(query.sha256)))
      notes.push(`the query ${file} is not the same in both: what it finds may differ for that alone`);
  }
  const servers = new Map(before.manifest?.databases.map(database => [database.id, database.server_id]));
  for (const { id, server_id } of after.manifest?.databases ?? []) {
    const old = servers.get(id);
    if (old && server_id && old !== server_id)
      notes.push(`${id}: another server than before (its id ${old} → ${server_id})`);
  }
  return notes;
}

/** The rows of a database's administrators, by scope and principal. */
function administrators({ bytes }: Side, { blocks }: Listed, { at }: Format): Map<string, Held[]> {
  const found = new Map<string, Held[]>();
  for (const [start, end] of blocks) {
    for (const { fields = [] } of records(bytes, start, end)) {
      if (fields[at.result] !== 'admin') continue;
      const key = JSON.stringify([fields[at.scope], fields[at.principal]]);
      const held = {} as Held;
      for (const column of heldColumns) held[column] = fields[at[column]]!;
      const rows = found.get(key);
      if (rows) rows.push(held);
      else found.set(key, [held]);
    }
  }
  return found;
}

const isSame = (row: Held, other: Held) => heldColumns.every(column => row[column] === other[column]);
const without = (rows: Held[], others: Held[]) => rows.filter(row => !others.some(other => isSame(row, other)));
const differing = (was?: Held, is?: Held): (keyof Held)[] =>
  was && is ? heldColumns.filter(column => was[column] !== is[column]) : ['granted_through'];

/** Rows side by side where both reports have the chain of roles; a row whose chain only one of them has, alone. */
function sameChain(old: Held[], now: Held[]): [was: Held | undefined, is: Held | undefined][] {
  const left = [...now];
  const pairs = old.map((was): [Held, Held | undefined] => {
    const i = left.findIndex(is => is.granted_through === was.granted_through);
    return [was, i < 0 ? undefined : left.splice(i, 1)[0]];
  });
  return [...pairs, ...left.map((is): [undefined, Held] => [undefined, is])];
}

/** A comparison for people. */
function comparisonText(comparison: Comparison): string {
  const { counts, not_comparable, new_databases, gone_databases, notes } = comparison;
  const name = ({ account_id, account_name, database_id }: Place) =>
    `${account_id}${account_name && ` ${account_name}`}, ${database_id}`;
  const lines: string[] = [];
  for (const side of ['old', 'new'] as const) {
    const { report, report_id, generated_at, faults } = comparison[side];
    lines.push(`${side}: ${report}`, `     generated ${generated_at}, report ${report_id}`);
    if (faults.length > 0)
      lines.push('     NOT as written, and compared all the same:', ...faults.map(fault => `       ${fault}`));
  }
  lines.push(
    '',
    `Administrators: ${counts.became} became, ${counts.ceased} ceased, ${counts.changed} changed, ${counts.unchanged} unchanged`,
    `Databases: ${counts.compared_databases} compared, ${counts.new_databases} new, ${counts.gone_databases} gone, ${counts.not_comparable} not comparable`,
  );
  const changes = (['became', 'ceased', 'changed'] as const).flatMap(kind =>
    comparison[kind].map(change => ({ kind, change, where: name(change) })),
  );
  const groups = Map.groupBy(changes, ({ where }) => where);
  for (const where of [...groups.keys()].sort()) {
    lines.push('', where);
    for (const { kind, change } of groups.get(where)!) {
      lines.push(`  ${kind.padEnd(7)}  ${change.principal}, ${change.scope}`);
      const rows = sameChain(change.old, change.new).flatMap(([was, is]) => rowText(kind, was, is));
      lines.push(...rows.map(line => `           ${line}`));
    }
  }
  const apart = ({ result, administrators, ...place }: Apart) =>
    `${name(place)}: ${result}, administrators: ${administrators}`;
  const lists = {
    'Not comparable, since not read in full:': not_comparable.map(database => `${name(database)}: ${database.why}`),
    'New databases, whose administrators are no changes:': new_databases.map(apart),
    'Gone databases, whose administrators are no changes:': gone_databases.map(apart),
    'Notes:': notes,
  };
  for (const [title, items] of Object.entries(lists))
    if (items.length > 0) lines.push('', title, ...items.map(item => `  ${item}`));
  return `${lines.map(tame).join('\n')}\n`;
}

function rowText(kind: string, was?: Held, is?: Held): string[] {
  const { privileges, granted_through, can_grant, enabled } = (is ?? was)!;
  const through = granted_through && `through ${granted_through}: `;
  if (!was || !is) {
    const alone = kind === 'changed' ? (is ? 'gained: ' : 'lost: ') : '';
    const more = `${can_grant === 'yes' ? ', may grant it' : ''}${enabled === 'no' ? ', cannot log in' : ''}`;
    return [`${alone}${through}${privileges}${more}`];
  }
  return differing(was, is).map(column => {
    if (column !== 'privileges') return `${through}${column} ${was[column] || '""'} → ${is[column] || '""'}`;
    const [old, now] = [was.privileges.split('; '), is.privileges.split('; ')];
    const parts = { gained: now.filter(one => !old.includes(one)), lost: old.filter(one => !now.includes(one)) };
    return `${through}privileges${Object.entries(parts)
      .map(([how, list]) => (list.length > 0 ? ` ${how} ${list.join('; ')}` : ''))
      .join('')}`;
  });
}

// ── main ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function main(argv: string[]): Promise<number> {
  const command = parseArgs(argv);
  switch (command.command) {
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'version':
      process.stdout.write(
        `${JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8')).version}\n`,
      );
      return 0;
    case 'usage':
      process.stderr.write(`${command.fault}\nTry: npx tsx cli.ts --help\n`);
      return 2;
    case 'verify':
      return verify(command.report);
    case 'compare':
      return compare(command).catch(error => {
        process.stderr.write(`${tame(error.message)}\n`);
        return 1;
      });
    case 'local':
    case 'remote':
      return report(command);
  }
}

async function report(command: Extract<Command, { command: 'local' | 'remote' }>): Promise<number> {
  const { env } = process;
  if (command.profile) env.AWS_PROFILE = command.profile;
  // The SDK for JavaScript ignores AWS_DEFAULT_REGION; a function's ARN names a region where nothing else does.
  const [, arnRegion] = /^arn:[^:]*:lambda:([^:]+):/.exec(command.command === 'remote' ? command.function : '') ?? [];
  const region = command.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || (command.profile ? '' : arnRegion);
  if (region) env.AWS_REGION = region;
  else delete env.AWS_REGION; // an empty one hides the profile's
  const reportId = crypto.randomUUID();
  const startedAt = now();
  const show = makeProgress(command.quiet);
  const run: Run = {};
  const interrupted = () => {
    show.end();
    if (command.command === 'local') removePartial(command.out, reportId);
    process.stderr.write(
      command.command === 'local'
        ? 'interrupted: there is no report\n'
        : `interrupted: the run goes on, as report ${reportId}; its report will be ${run.started?.report ?? 'in the central bucket'}, whole when its manifest is beside it\n`,
    );
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupted);
  try {
    const outcome = await (command.command === 'local'
      ? runLocal(command, reportId, show)
      : runRemote(command, reportId, show, run));
    show.end();
    process.stdout.write(command.json ? `${JSON.stringify(outcome.summary)}\n` : summaryText(outcome));
    if (outcome.undelivered) {
      process.stderr.write(`${outcome.undelivered.split('\n').map(tame).join('\n')}\n`);
      return 1;
    }
    return outcome.summary.status === 'complete' ? 0 : 3;
  } catch (error) {
    show.end();
    process.stderr.write(`${inWords(error).split('\n').map(tame).join('\n')}\nreport id: ${reportId}\n`);
    if (command.json) process.stdout.write(`${JSON.stringify(noReport(reportId, startedAt))}\n`);
    return 1;
  }
}

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;

/** The JSON of a run without a report; why is on standard error. */
const noReport = (report_id: string, started_at: string): Summary => ({
  report_id,
  status: 'failed',
  report: null,
  manifest: null,
  sha256: null,
  databases: { total: 0, covered: 0, incomplete: 0, failed: 0 },
  administrators: 0,
  rows: 0,
  started_at,
  finished_at: now(),
  failures: [],
});

/** Interrupted, a run leaves no half of a report; its files begin with a dot until they are whole. */
function removePartial(folder: string, reportId: string) {
  for (const file of fs.readdirSync(folder)) {
    if (file.startsWith('.db-admins_') && file.includes(reportId)) fs.rmSync(path.join(folder, file), { force: true });
  }
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === import.meta.filename) {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // the reader went away
  // Drivers and the SDK talk here: past --quiet, and into the live line.
  for (const name of ['log', 'info', 'warn', 'error', 'trace'] as const) console[name] = () => {};
  const code = await main(process.argv.slice(2));
  process.stdout.write('', () => process.exit(code)); // a socket that a driver forgot must not keep the process alive
}
