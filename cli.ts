#!/usr/bin/env node
// The operator's command: has a report made, by the orchestrator Lambda or (`--local`) in this process, shows its progress
// and says where it is; checks an inventory, verifies a report, compares two.

import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs as parseOptions } from 'node:util';
import { InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Inventory, Line, Manifest, ManifestDatabase, Summary } from './orchestrator.ts';
import {
  accountPattern,
  choose,
  columns,
  csvField,
  localSurroundings,
  makeS3Client,
  parseInventory,
  parseJson,
  run,
  s3Location,
  summarize,
  totalsOf,
} from './orchestrator.ts';
import type { AwsError, Database, Query } from './worker.ts';
import {
  awsClient,
  backoff,
  collect,
  isoSeconds,
  isPassing,
  memoize,
  oneLine,
  parameterStore,
  parseCredential,
  stripControls,
  trustAuthorities,
  version,
  within,
} from './worker.ts';

// Older ones have no tls.setDefaultCACertificates. The imports above run first: nothing in them may need a newer Node.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`Node ${process.versions.node} is too old: Node 22.19 or later is needed.
Run "npm ci" in the folder of cli.ts: it brings Node 24, which npx then uses. Or install it from https://nodejs.org
`);
  process.exit(1);
}

const seconds = 1000;
const limits = {
  silence: (Number(process.env.DB_ADMIN_REPORT_SILENCE_SECONDS) || 100) * seconds, // in the stream, which says something every 20 s
  run: 16 * 60 * seconds, // from a run's beginning a manifest is waited for after the stream broke: a minute more than Lambda's own
  ended: 5 * seconds, // the same where the orchestrator ended: what it wrote is there
  look: 10 * seconds, // from one look for the manifest to the next, at most
  draw: 200, // from one drawing of the live line to the next
  names: 8, // in one line of the summary
};

// ── the arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────
export const help = `Reports every administrator of the databases of an inventory, as evidence.

usage: npx tsx cli.ts [options]
       npx tsx cli.ts --local --inventory FILE [--out DIR] [options]
       npx tsx cli.ts --check INVENTORY.json
       npx tsx cli.ts --verify REPORT.csv [--manifest-sha256 HEX]
       npx tsx cli.ts --compare OLD.csv NEW.csv [--json] [--unverified]
       npx tsx cli.ts -h | --help | --version

  --profile NAME          the AWS profile (as AWS_PROFILE)
  --region NAME           the orchestrator's region (as AWS_REGION)
  --function NAME         the orchestrator's name or ARN
  --account ID            only the databases of this account; may be repeated
  --database ID           only this database; may be repeated
  --download DIR          also fetch the report and its manifest
  --local                 read the databases from here, without the Lambdas
  --inventory FILE        with --local: the inventory; - is standard input
  --out DIR               with --local: the report's folder (default: this one)
  --json                  one JSON object on standard output
  --quiet                 no progress on standard error
  --manifest-sha256 HEX   with --verify: what the run printed
  --unverified            with --compare: even a report that --verify refuses

exit: 0 complete, 3 something is incomplete, failed or unlisted, 1 no report (or
      not fetched), 2 wrong usage, 130 interrupted; --check and --verify: 0 fit,
      1 not; --compare: 0 same, 4 not, 3 not comparable in part, 1 refused
`;

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
  check: { type: 'boolean' },
  verify: { type: 'boolean' },
  'manifest-sha256': { type: 'string' },
  compare: { type: 'boolean' },
  unverified: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;
type Given = ReturnType<typeof parseOptions<{ options: typeof options; allowPositionals: true; tokens: true }>>;
type Option = keyof typeof options;

/** What the command may be told to do: the files that it takes, and the options that go with it. */
const ofRuns: Option[] = ['profile', 'region', 'account', 'database', 'json', 'quiet'];
const modes: Record<Exclude<Mode, 'help' | 'version'>, { takes: string[]; options: Option[] }> = {
  check: { takes: ['INVENTORY.json'], options: [] },
  verify: { takes: ['REPORT.csv'], options: ['manifest-sha256'] },
  compare: { takes: ['OLD.csv', 'NEW.csv'], options: ['json', 'unverified'] },
  local: { takes: [], options: ['inventory', 'out', ...ofRuns] },
  remote: { takes: [], options: ['function', 'download', ...ofRuns] },
};
type Mode = 'help' | 'version' | 'check' | 'verify' | 'compare' | 'local' | 'remote';

export type Command = { mode: Mode; files: string[] } & Given['values'];

/** Reads the arguments after the program's name; throws what is wrong with them. Pure: no file, no environment. */
export function parseArgs(argv: string[]): Command {
  let given: Given;
  try {
    given = parseOptions({ args: argv, options, allowPositionals: true, tokens: true });
  } catch (error) {
    throw new Error(optionFault(error as Error & { code: string }));
  }
  const { values, positionals: files } = given;
  if (values.help) return { mode: 'help', files: [] };
  if (values.version) return { mode: 'version', files: [] };
  const flags = given.tokens.flatMap(token => (token.kind === 'option' ? [token.name as Option] : []));
  const repeated = flags.find((name, i) => flags.indexOf(name) !== i && name !== 'account' && name !== 'database');
  if (repeated) throw new Error(`--${repeated} is given twice`);
  const empty = Object.entries(values).find(([, value]) => [value].flat().includes(''));
  if (empty) throw new Error(`--${empty[0]} needs a value`);

  const mode = (['check', 'verify', 'compare', 'local'] as const).find(name => values[name]) ?? 'remote';
  const { takes, options: allowed } = modes[mode];
  const other = flags.find(name => name !== mode && !allowed.includes(name));
  if (other)
    throw new Error(`--${other} does not go with ${mode === 'remote' ? 'a run in AWS: add --local' : `--${mode}`}`);
  if (takes.length === 0 && files.length > 0) throw new Error(`unexpected argument ${JSON.stringify(files[0])}`);
  if (files.length !== takes.length) throw new Error(`usage: --${mode} ${takes.join(' ')}`);
  const odd = values.account?.find(account => !accountPattern.test(account));
  if (odd !== undefined) throw new Error(`--account ${odd}: must be 12 digits`);
  if (mode === 'local' && values.inventory === undefined) throw new Error('--local needs --inventory FILE');
  if (values['manifest-sha256'] && !/^[0-9a-f]{64}$/i.test(values['manifest-sha256']))
    throw new Error('--manifest-sha256 must be 64 hexadecimal digits');
  const arnRegion = regionOf(values.function);
  if (values.region && arnRegion && values.region !== arnRegion)
    throw new Error(`--region ${values.region}: the function is in ${arnRegion}`);
  return { ...values, mode, files };
}

const regionOf = (functionName = '') => /^arn:[^:]*:lambda:([^:]+):/.exec(functionName)?.[1];

function optionFault({ code, message }: Error & { code: string }): string {
  const [, flag = ''] = /'(--?[^ ',]+)/.exec(message) ?? [];
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
    return `${flag} ${/does not take/.test(message) ? 'takes no value' : 'needs a value'}`;
  if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return message;
  const word = flag.replace(/^-+/, '');
  const most = Math.min(3, word.length / 2);
  const near = Object.keys(options).map(name => ({ name, distance: editDistance(word, name, most) }));
  const [nearest] = near.sort((one, other) => one.distance - other.distance);
  return `there is no option ${flag}${nearest!.distance <= most ? `: did you mean --${nearest!.name}?` : ''}`;
}

/** How many letters must be added, taken away or changed to make one word of another, where `most` or fewer do. */
function editDistance(from: string, to: string, most: number): number {
  if (most < 0) return Number.POSITIVE_INFINITY;
  if (from === '' || to === '') return from.length + to.length;
  const [rest, other] = [from.slice(1), to.slice(1)];
  if (from[0] === to[0]) return editDistance(rest, other, most);
  const [taken, added] = [editDistance(rest, to, most - 1), editDistance(from, other, most - 1)];
  return 1 + Math.min(taken, added, editDistance(rest, other, most - 1));
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
const fileFaults: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EACCES: 'permission denied',
  ENOSPC: 'the disk is full',
  EEXIST: 'it is there already',
};
const fileFault = ({ code = '', message }: NodeJS.ErrnoException) => fileFaults[code] ?? message;

const nameOfFile = (file: string) => (file === '-' ? 'standard input' : file);
async function readFile(file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = file === '-' ? await buffer(process.stdin) : fs.readFileSync(file);
  } catch (error) {
    throw new Error(`${nameOfFile(file)} cannot be read: ${fileFault(error as Error)}`);
  }
  if (bytes.length === 0) throw new Error(`${nameOfFile(file)} is empty`);
  return bytes;
}

/** Makes a folder where it is not there, and finds out whether a file can be written into it, before anything is run. */
function prepareFolder(folder: string) {
  // One by one: with `recursive` Node tries for ever to make /proc/x.
  const make = (one: string) => {
    if (fs.existsSync(one)) return;
    make(path.dirname(one));
    fs.mkdirSync(one);
  };
  make(path.resolve(folder));
  const probe = path.join(folder, `.db-admins_${crypto.randomUUID()}`);
  fs.writeFileSync(probe, '', { flag: 'wx' });
  fs.rmSync(probe);
}

const sha256Of = (bytes: string | Uint8Array) => crypto.hash('sha256', bytes);

// ── a run on this machine ─────────────────────────────────────────────────────────────────────────────────────────────
/** What came of a run: `notes` are further lines of the summary, `undelivered` says why the report was not downloaded. */
type Outcome = { summary: Summary; manifest?: Manifest; notes: string[]; undelivered?: string };

async function runLocal(command: Command, reportId: string, progress: Progress): Promise<Outcome> {
  const { inventory = '', out = '.' } = command;
  const bytes = await readFile(inventory);
  prepareFolder(out);
  const surroundings = localSurroundings({ source: nameOfFile(inventory), bytes }, out, async (databases, done) => {
    const stored = parameterStore(databases.filter(database => !database.credentials.startsWith('env:')));
    const queries = new Map<string, Query>();
    await collect(databases, {
      queries,
      credentials: async database =>
        database.credentials.startsWith('env:') ? credentialFromEnvironment(database) : stored(database),
      done: result => done(result, { version, queries: [...queries.values()], attempts: 1 }),
    });
  });
  const summary = await run(request(command, reportId), surroundings, progress.show);
  return { summary, manifest: JSON.parse(fs.readFileSync(summary.manifest!, 'utf8')), notes: [] };
}

function credentialFromEnvironment(database: Database) {
  const name = database.credentials.slice('env:'.length);
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`the environment has no variable ${name}: set it to {"username", "password"}`);
  return parseCredential(value, database);
}

/** Who asks is only claimed: CloudTrail knows. A container may run under a number that has no name. */
function request({ account, database }: Command, reportId: string) {
  const user = process.env.USER ?? process.env.USERNAME ?? process.getuid?.() ?? 'unknown';
  const filter = { ...(account && { accounts: account }), ...(database && { databases: database }) };
  return { reportId, requestedBy: `${user}@${os.hostname()}`, ...filter };
}

// ── a run in AWS ──────────────────────────────────────────────────────────────────────────────────────────────────────
/** How far a run in AWS is known to have come: for Ctrl-C, for errors, and for the wait when the stream breaks. */
type Begun = { invoked: boolean; started?: Extract<Line, { type: 'started' }> };

async function runRemote(command: Command, reportId: string, progress: Progress, begun: Begun): Promise<Outcome> {
  if (command.download) prepareFolder(command.download);
  const invokedAt = Date.now();
  let summary: Summary | undefined;
  let broken: BrokenStream | undefined;
  try {
    for await (const line of invoke(command.function, request(command, reportId))) {
      begun.invoked = true;
      progress.show(line);
      if (line.type === 'started') begun.started = line;
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
    begun.invoked = true;
  }
  const ended = broken?.cause === 'ended';
  if (broken && !begun.started) {
    if (ended) throw broken;
    throw new Error(`${broken.message}, before the run had begun: it may still run, as report ${reportId}`);
  }
  const notes: string[] = [];
  const location = summary?.manifest ?? begun.started!.manifest;
  let bytes: Buffer | undefined;
  if (!summary) {
    progress.say(`${broken!.message}; ${ended ? 'looking' : 'the run goes on. Waiting'} for ${location}`);
    bytes = await waitForManifest(location, ended ? Date.now() + limits.ended : invokedAt + limits.run);
  } else if (!command.json) {
    bytes = await getObject(location).catch(({ message }) => {
      notes.push(`Note: the manifest could not be read (${message}): what it alone knows is not shown.`);
      return undefined;
    });
  }
  const manifest: Manifest | undefined = bytes && JSON.parse(bytes.toString('utf8'));
  summary ??= summarize(manifest!, location, sha256Of(bytes!));
  const fetch = [summary.report!, summary.manifest!].map(file => `Fetch:           aws s3 cp ${file} .`);
  if (!command.download) return { summary, manifest, notes: [...notes, ...fetch] };
  try {
    const files = await download(summary, command.download);
    return { summary, manifest, notes: [...notes, ...files.map(file => `Downloaded:      ${file}`)] };
  } catch (error) {
    const undelivered = `the report could not be downloaded: ${explain(error)}`;
    return { summary, manifest, notes: [...notes, ...fetch], undelivered };
  }
}

/** A stream that was cut or went silent before its last line; the run itself goes on, unless the cause is 'ended'. */
class BrokenStream extends Error {}

/** Invokes the orchestrator, exactly once, and gives the lines of its answer as they come. */
async function* invoke(functionName = 'db-admin-report-orchestrator', event: object): AsyncGenerator<Line> {
  // The SDK's own retries would have the report made three times.
  const client = new LambdaClient(awsClient({ maxAttempts: 1, requestHandler: { requestTimeout: 0 } }));
  const command = new InvokeWithResponseStreamCommand({ FunctionName: functionName, Payload: JSON.stringify(event) });
  const { EventStream } = await withinSilence(client.send(command), 'the orchestrator did not answer').catch(error => {
    const { code, message, $metadata } = error as AwsError;
    const mayRun = code === 'ECONNRESET' || code === 'EPIPE' || ($metadata?.httpStatusCode ?? 0) >= 500;
    throw mayRun ? new BrokenStream(`the orchestrator did not answer (${error.name}: ${message})`) : error;
  });
  const events = EventStream![Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { value, done } = await withinSilence(events.next(), 'the answer stalled');
      if (done) throw new Error('before its end');
      if (value.PayloadChunk) {
        text += decoder.decode(value.PayloadChunk.Payload, { stream: true });
        const lines = text.split('\n');
        text = lines.pop()!;
        for (const line of lines) yield JSON.parse(line);
      }
      if (value.InvokeComplete?.ErrorCode) {
        const { ErrorCode, ErrorDetails = '' } = value.InvokeComplete;
        const why = `${ErrorCode}: ${oneLine(ErrorDetails, 500)}; its log has more`;
        throw new BrokenStream(`the orchestrator failed (${why})`, { cause: 'ended' });
      }
      if (value.InvokeComplete) return;
    }
  } catch (error) {
    if (error instanceof BrokenStream) throw error;
    throw new BrokenStream(`the answer broke off (${(error as Error).message})`);
  }
}

/** Silence for much longer than the orchestrator is ever silent is a connection that was cut without a word. */
const withinSilence = <T>(next: Promise<T>, what: string) =>
  within(next, limits.silence, () => new BrokenStream(`${what} for ${limits.silence / seconds} s`));

/** The manifest, as soon as it is listed: to whoever may not list, S3 says "access denied" of what is not there yet. */
async function waitForManifest(location: string, until: number): Promise<Buffer> {
  const { Bucket, Key } = s3Location(location);
  for (let looks = 0; ; looks++) {
    try {
      const { Contents = [] } = await s3Client().send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }));
      if (Contents.some(object => object.Key === Key)) return await getObject(location);
    } catch (error) {
      if (!isPassing(error) || Date.now() > until)
        throw new Error(`${location} cannot be read, look for it later: ${explain(error)}`);
    }
    if (Date.now() > until)
      throw new Error(`${location} did not appear: the run ended without a report (the orchestrator's log says why)`);
    await sleep(backoff(looks, 1 * seconds, limits.look));
  }
}

async function getObject(location: string): Promise<Buffer> {
  const { Body } = await s3Client().send(new GetObjectCommand(s3Location(location)));
  return Buffer.from(await Body!.transformToByteArray());
}

const s3Client = memoize(() => makeS3Client(3));

/** Fetches a report and its manifest, checks the SHA-256 of both, overwrites nothing. */
async function download({ report, manifest, sha256, manifest_sha256 }: Summary, folder: string): Promise<string[]> {
  const save = async (location: string, written: string) => {
    const bytes = await getObject(location);
    if (sha256Of(bytes) !== written)
      throw new Error(`${location} is not what the orchestrator wrote: its SHA-256 is not ${written}`);
    const file = path.join(folder, path.posix.basename(location));
    fs.writeFileSync(file, bytes, { flag: 'wx' });
    return file;
  };
  return [await save(report!, sha256!), await save(manifest!, manifest_sha256!)];
}

// ── what AWS refuses ──────────────────────────────────────────────────────────────────────────────────────────────────
/** What to do next, by a pattern of what AWS and its SDK say: the first that fits. */
const remedies: Record<string, string> = {
  '(Region is missing|Could not (load|resolve) credentials).* no-such-profile':
    'the AWS configuration has no profile <profile>: "aws configure list-profiles" names those it has',
  'Region is missing': 'no AWS region is known: use --region NAME, or set AWS_REGION',
  'multi-factor authentication':
    'the profile <profile> wants an MFA code (mfa_serial), which is not asked for here: eval "$(aws configure export-credentials --profile <profile> --format env)", which asks for it, then this without --profile',
  'Could not load credentials.* credential_process':
    'the credential_process of the profile <profile> gave no credentials: run it by hand to see why',
  'login.cache|aws login': 'nobody is logged in with the profile <profile>: aws login --profile <profile>',
  'sts:AssumeRole': 'the profile <profile> may not assume its role: the policies of both must allow sts:AssumeRole',
  'KMSAccessDenied|kms:': '<role> may not use the KMS key: its own policy and that of the key must allow kms:Decrypt',
  'AccessDenied|Forbidden': "access denied: attach the hub's operator policy (output OperatorPolicyArn) to <role>",
  'TimeTooSkewed|Signature (expired|not yet current)': 'the clock of this machine is wrong: set it (it says <time>)',
  'InvalidSignature|SignatureDoesNotMatch': 'the secret key of the profile <profile> is wrong: correct it, or log in',
  'UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|OptInRequired|RegionDisabled':
    'AWS does not know these credentials (profile <profile>) in this region: correct them or log in again; a region that is off by default must be enabled in the account',
  ResourceNotFound:
    'there is no such function here: deploy template.yaml with Role=hub, or correct --function, --region, --profile (it was <profile>)',
  'TooManyRequests|Throttl': 'AWS is throttling: nothing was run; try again in a minute',
  'CERT|UNABLE_TO_':
    'the certificate that answered is not known here, as where a proxy opens TLS: name its authority in NODE_EXTRA_CA_CERTS=FILE.pem or AWS_CA_BUNDLE=FILE.pem',
  'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|ETIMEDOUT|TimeoutError':
    'AWS could not be reached: check the network, --region and HTTPS_PROXY (heeded by Node 22.21, 24.5 and later)',
  'text/html': 'a web page answered instead of AWS, as where a network filters: have AWS let through',
  // Behind "access denied", whose message names a role that for many is called AWSReservedSSO_...
  '[Ss][Ss][Oo]|[Ee]xpired': 'the AWS session of the profile <profile> has expired: aws sso login --profile <profile>',
  'Could not (load|resolve) credentials|CredentialsProviderError':
    'no AWS credentials (profile <profile>): choose another with --profile NAME or AWS_PROFILE, or log in',
};

/** An error in words for a person, with what to do next. */
function explain(error: unknown): string {
  type AnyError = AwsError & NodeJS.ErrnoException & { $response?: { headers?: Record<string, string> } };
  const { name, message, code = '', $metadata, $response, path: file } = error as AnyError;
  if (file !== undefined) return `${file} cannot be used: ${fileFault(error as Error)}`;
  if (name === 'Error' && !code && !$metadata && message !== 'Region is missing') return message; // one of our own
  const profile = process.env.AWS_PROFILE || 'default';
  const settings = profileSettings(profile) || (process.env.AWS_PROFILE ? 'no-such-profile' : '');
  const said = `${name} ${code} ${message} ${$response?.headers?.['content-type']} ${settings}`.replaceAll('\n', ' ');
  const [, remedy] = Object.entries(remedies).find(([pattern]) => new RegExp(pattern).test(said)) ?? [];
  if (!remedy) return message;
  const role = /assumed-role\/([^/]+)/.exec(message)?.[1];
  const words = remedy
    .replaceAll('<role>', role ? `the role ${role} (profile <profile>)` : 'the role of the profile <profile>')
    .replaceAll('<profile>', () => profile)
    .replace('<time>', isoSeconds(new Date()));
  return `${words}\n(${name}: ${message.split('\n')[0]})`;
}

/** What the AWS configuration says of a profile: the SDK does not tell why one gives no credentials. */
function profileSettings(profile: string): string {
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = process.env;
  const home = path.join(os.homedir(), '.aws');
  const files = [AWS_CONFIG_FILE || `${home}/config`, AWS_SHARED_CREDENTIALS_FILE || `${home}/credentials`];
  const text = files.map(file => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')).join('\n');
  const sections = text.split(/^\s*\[\s*(?:profile\s+)?/m);
  return sections.filter(section => section.split(']')[0]!.trim() === profile).join('\n');
}

// ── what is shown of a run ────────────────────────────────────────────────────────────────────────────────────────────
/** Lines for a terminal: names and messages come from servers, and may not steer it. */
const asText = (lines: string[]) => `${lines.map(stripControls).join('\n').trimEnd()}\n`;
const writeLines = (lines: string[]) => process.stdout.write(asText(lines));
const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`;
const duration = (ms: number) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / seconds) % 60).padStart(2, '0')}`;
const accountOf = ({ account, account_name }: Pick<ManifestDatabase, 'account' | 'account_name'>) =>
  `${account}${account_name && ` (${account_name})`}`;
const names = (list: string[], most = limits.names) =>
  `${list.slice(0, most).join(', ')}${list.length > most ? `, and ${list.length - most} more` : ''}`;
const sections = (lists: Record<string, string[]>) =>
  Object.entries(lists).flatMap(([title, lines]) =>
    lines.length > 0 ? [`${title}:`, ...lines.map(line => `  ${line}`), ''] : [],
  );
const idOf = ({ id }: { id: string }) => id;
type Pair = [shared: string, name: string];
/** A line for each group of pairs: how many they are, what they share, the first of their names. */
const grouped = (pairs: Pair[], things = '', most?: number) =>
  [...Map.groupBy(pairs, ([shared]) => shared)].map(([shared, of]) => {
    const those = names([...new Set(of.map(([, name]) => name))], most);
    return `${things && `${count(of.length, things)} of `}${shared}: ${those}`;
  });

type Progress = { show(line: Line): void; say(text: string): void; end(): void };

/** On standard error: one live line on a terminal, a line per database elsewhere, nothing when quiet. No colours. */
function makeProgress(quiet = false): Progress {
  const { stderr } = process;
  const live = stderr.isTTY && process.env.TERM !== 'dumb' && !quiet;
  const began = Date.now();
  const awaited = new Set<string>();
  let counts = 'waiting for the orchestrator';
  let failures = 0;
  let lastFailure = '';
  const clear = () => live && stderr.write('\r\x1b[2K');
  const draw = () => {
    const lost = failures > 0 ? `, ${failures} failed or incomplete, last ${lastFailure}` : '';
    const left = awaited.size > 0 ? `, awaiting ${names([...awaited])}` : '';
    const line = stripControls(`${duration(Date.now() - began)} ${counts}${lost}${left}`);
    stderr.write(`\r\x1b[2K${line.slice(0, (stderr.columns || 80) - 1)}`);
  };
  const timer = live ? setInterval(draw, limits.draw).unref() : undefined;
  const say = (text: string) => {
    clear();
    stderr.write(asText([text]));
  };
  const lineOf = (line: Line): string | undefined => {
    if (line.type === 'started') {
      counts = `0/${line.total} databases`;
      for (const id of line.databases) awaited.add(id);
      return `report ${line.report_id}: ${count(line.total, 'database')}`;
    }
    if (line.type !== 'database') return undefined;
    const { database_id, result, detail, administrators, done, total } = line;
    counts = `${done}/${total} databases`;
    awaited.delete(database_id);
    const found = count(administrators, 'administrator');
    if (result === 'admin' || result === 'none') return `[${done}/${total}] ${database_id}: ${found}`;
    failures++;
    lastFailure = database_id;
    return `[${done}/${total}] ${database_id}: ${result}${result === 'failed' ? '' : `, ${found}`} (${detail})`;
  };
  return {
    say,
    show: line => {
      const text = lineOf(line);
      if (text && !quiet && !live) say(text);
    },
    end: () => {
      clearInterval(timer);
      clear();
    },
  };
}

/** What the totals do not tell of a report: what it does not cover, and what it rests on. */
function caveats({ databases, population, left_out, filter }: Manifest, most?: number): string[] {
  const list = (pairs: Pair[], things = '') => grouped(pairs, things, most);
  const because = (wanted: string) => {
    const those = databases.filter(({ result }) => result === wanted);
    const pairs = those.map(
      (each): Pair => [
        `${accountOf(each)}, ${each.region}: ${each.detail.replaceAll(each.host || ' ', '<host>')}`,
        each.id,
      ],
    );
    return list(pairs, 'database');
  };
  const asked = databases.filter(wasAsked);
  const read = asked.filter(({ worker_version }) => worker_version !== '');
  const versions = grouped(read.map(each => [each.worker_version, accountOf(each)]));
  const unchecked = population.filter(({ checked }) => !checked);
  const unverified = asked.filter(({ tls }) => tls !== 'verify');
  const leftOut = `Left out: ${left_out.length} of ${left_out.length + asked.length}, by ${filterText(filter)}`;
  return sections({
    Failed: because('failed'),
    Incomplete: because('incomplete'),
    'Unlisted: AWS has them, the inventory does not': because('unlisted'),
    'Excluded on purpose': because('excluded'),
    [leftOut]: left_out.length > 0 ? [names(left_out, most)] : [],
    "Not compared with AWS's own list": list(unchecked.map(each => [each.detail, `${each.account} ${each.region}`])),
    'Read without checking which server it was': list(unverified.map(({ tls, id }) => [`tls ${tls}`, id])),
    'Workers of different versions': versions.length > 1 ? versions : [],
    'One server under several ids': sharedPlaces(asked),
  });
}

const filterText = ({ accounts, databases }: Manifest['filter']) =>
  [...accounts.map(account => `--account ${account}`), ...databases.map(id => `--database ${id}`)].join(' ');

const totalsText = ({ covered, databases, incomplete, failed, unlisted, excluded, ...counts }: Manifest['totals']) => [
  `${covered} of ${databases} covered, ${incomplete} incomplete, ${failed} failed, ${unlisted} unlisted, ${excluded} excluded`,
  `${counts.administrators}, ${counts.full} of them full (${count(counts.rows, 'row')})`,
];

function summaryLines({ summary, manifest, notes }: Outcome): string[] {
  const { started_at, finished_at } = summary;
  const totals = { ...summary, ...summary.databases, databases: summary.databases.total };
  const failures = summary.failures.map(each => `${each.database_id}: ${each.result}: ${each.detail}`);
  return [
    summary.status === 'complete' ? 'Complete' : 'NOT COMPLETE',
    '',
    ...(manifest ? caveats(manifest) : sections({ 'Failed, incomplete or unlisted': failures })),
    `Databases:       ${totalsText(totals)[0]}`,
    `Administrators:  ${totalsText(totals)[1]}`,
    `Took:            ${duration(Date.parse(finished_at) - Date.parse(started_at))}, from ${started_at} to ${finished_at}`,
    `Report:          ${summary.report}`,
    `  SHA-256:       ${summary.sha256}`,
    `Manifest:        ${summary.manifest}`,
    `  SHA-256:       ${summary.manifest_sha256}`,
    ...notes,
  ];
}

// ── --check ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async function checkInventory(file: string): Promise<number> {
  const bytes = await readFile(file);
  let inventory: Inventory;
  try {
    inventory = parseInventory(bytes, { local: true });
  } catch (error) {
    writeLines([`NOT FIT: ${nameOfFile(file)}`, ...(error as Error).message.split('\n').slice(1)]);
    return 1;
  }
  const { databases, excluded } = inventory;
  const groups = databases.map((each): Pair => [`${accountOf(each)}, ${each.region}, ${each.worker}`, each.id]);
  const local = databases.filter(({ credentials }) => credentials.startsWith('env:')).map(idOf);
  writeLines([
    `Fit for a run: ${nameOfFile(file)}`,
    `SHA-256: ${sha256Of(bytes)}`,
    '',
    ...grouped(groups.sort(), 'database'),
    `${count(databases.length, 'database')}, ${excluded.length} excluded`,
    '',
    ...sections({
      Excluded: excluded.map(({ host, reason }) => `${host}: ${reason}`),
      'One server under several ids': sharedPlaces(databases),
      'For --local alone, since their credentials are "env:"': local.length > 0 ? [names(local)] : [],
    }),
  ]);
  return 0;
}

/** Hosts and ports that stand in several entries: one server is then in the report several times. */
const sharedPlaces = (databases: Pick<Database, 'id' | 'host' | 'port'>[]) =>
  [...Map.groupBy(databases, ({ host, port }) => `${host.toLowerCase()}:${port}`)]
    .filter(([, of]) => of.length > 1)
    .map(([place, of]) => `${place}: ${names(of.map(idOf))}`);

// ── --verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────
type Column = (typeof columns)[number];
type ReportRow = Record<Column, string>;

/** A report as it lies on disk; `faults` say where it and its manifest do not agree. */
type Checked = { file: string; rows: ReportRow[]; manifest?: Manifest; manifestSha256: string; faults: string[] };

/** The records of a CSV file (RFC 4180). */
export function readCsv(text: string): string[][] {
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  const records: string[][] = [];
  let record: string[] = [];
  while (field.lastIndex < text.length || record.length > 0) {
    const match = field.exec(text);
    if (!match) throw new Error(`record ${records.length + 1} is not CSV: a quote or a return is out of place`);
    const [, quoted, plain, end] = match;
    record.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}

/** The rows of a report. Throws at the first that is none: one that is left out would be somebody who is not shown. */
function readRows(bytes: Buffer): ReportRow[] {
  const [header = [], ...records] = readCsv(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  if (header.join() !== columns.join()) throw new Error(`the columns are not those of a report: ${columns.join()}`);
  return records.map((record, i) => {
    if (record.length !== columns.length)
      throw new Error(`record ${i + 2} has ${count(record.length, 'field')}, not ${columns.length}`);
    return Object.fromEntries(columns.map((column, at) => [column, record[at]])) as ReportRow;
  });
}

/** Compares a report's CSV with the manifest beside it, and that with the SHA-256 that a run printed. */
export async function checkReport(file: string, manifestSha256?: string): Promise<Checked> {
  const checked: Checked = { file, rows: [], manifestSha256: '', faults: [] };
  const { faults } = checked;
  const attempt = async <T>(work: () => T | Promise<T>) => {
    try {
      return await work();
    } catch (error) {
      const odd = error instanceof TypeError ? 'the manifest is not as this tool writes one: ' : '';
      faults.push(`${odd}${(error as Error).message}`);
      return undefined;
    }
  };
  const bytes = await attempt(() => readFile(file));
  const manifestBytes = await attempt(() => readFile(file.replace(/(\.csv)?$/, '.manifest.json')));
  const rows = bytes && (await attempt(() => readRows(bytes)));
  checked.rows = rows ?? [];
  if (!bytes || !manifestBytes) return checked;
  checked.manifestSha256 = sha256Of(manifestBytes);
  if (manifestSha256 !== undefined && checked.manifestSha256 !== manifestSha256)
    faults.push(`the SHA-256 of the manifest is ${checked.manifestSha256}, the run printed ${manifestSha256}`);
  await attempt(() => {
    const manifest = parseJson(manifestBytes.toString('utf8')) as Manifest;
    if (manifest.manifest_version !== 1) throw new Error('the manifest is not of version 1, which this tool reads');
    faults.push(...disagreements(bytes, rows, manifest));
    checked.manifest = manifest;
  });
  return checked;
}

/** A field that begins like this got a `'` from this tool, or had it by itself: the CSV does not tell. */
const guarded = /^'[=+\-@\t\r\n]/;
const wasAsked = ({ result }: { result: string }) => result !== 'unlisted' && result !== 'excluded';

/** Where the rows of a report, its manifest and the inventory in it do not agree. */
function* disagreements(bytes: Buffer, rows: ReportRow[] | undefined, manifest: Manifest): Generator<string> {
  const { databases, inventory, filter, left_out, totals, population, report } = manifest;
  const sha256 = sha256Of(bytes);
  if (sha256 !== report.sha256) yield `the SHA-256 is ${sha256}, the manifest says ${report.sha256}`;
  if (bytes.length !== report.bytes) yield `the size is ${bytes.length} bytes, the manifest says ${report.bytes}`;
  for (const { file, sha256, text } of manifest.queries)
    if (sha256Of(text) !== sha256) yield `the text of the query ${file} has not the SHA-256 ${sha256}`;
  const texts = new Set(manifest.queries.map(({ sha256 }) => sha256));
  for (const { id, queries } of databases)
    if (!queries.every(sha256 => texts.has(sha256))) yield `the text of a query that ran on ${id} is missing`;
  if (sha256Of(inventory.text) !== inventory.sha256) yield 'the text of the inventory has not its SHA-256';
  const listed = parseInventory(Buffer.from(inventory.text), { local: true }).databases;
  const chosen = choose(listed, filter.accounts, filter.databases);
  const placesOf = (those: (Database | ManifestDatabase)[]) =>
    JSON.stringify(those.map(({ id, account, region, host, port }) => [id, account, region, host, port]).sort());
  const left = listed.filter(each => !chosen.includes(each)).map(idOf);
  if (placesOf(databases.filter(wasAsked)) !== placesOf(chosen) || left.join() !== left_out.join())
    yield 'the databases and those left out are not what the filter makes of the inventory';
  const sums = totalsOf(databases);
  for (const name of Object.keys(sums) as (keyof typeof sums)[])
    if (totals[name] !== sums[name]) yield `totals.${name} is ${totals[name]}, the databases add up to ${sums[name]}`;
  for (const name of ['unlisted', 'excluded'] as const)
    if (population.reduce((sum, place) => sum + place[name], 0) !== sums[name])
      yield `the population does not add up to ${sums[name]} ${name}`;
  if (!rows) return;
  if (rows.some(row => row.report_id !== manifest.report_id || row.generated_at !== manifest.generated_at))
    yield 'a row is of another run than the manifest';
  const recordKey = (...fields: string[]) => fields.map(csvField).join();
  const found = Map.groupBy(rows, row => recordKey(row.account_id, row.region, row.database_id, row.host, row.port));
  for (const { account, region, id, host, port, result, ...said } of databases) {
    const key = recordKey(account, region, id, host, String(port));
    const own = found.get(key) ?? [];
    found.delete(key);
    if (own.length !== said.rows) yield `${id} has ${count(own.length, 'row')}, the manifest says ${said.rows}`;
    const wasRead = result === 'none' || own.some(row => row.result === 'admin');
    if (wasRead && said.queries.length === 0) yield `${id} was read, and the manifest names no query`;
    const odd = own.find(row => row.result !== result && !(result === 'incomplete' && row.result === 'admin'));
    if (odd) yield `${id} is "${result}" in the manifest and has a row that is "${odd.result}"`;
    for (const what of ['administrators', 'full'] as const) {
      const those = own.filter(row => row.result === 'admin' && (what !== 'full' || row.extent === 'full'));
      const distinct = [...new Map(those.map(row => [JSON.stringify([row.scope, row.principal]), row])).values()];
      // `=x` and `'=x` are two names and look alike in the CSV: each that looks so may stand for both.
      const most = distinct.length + distinct.filter(({ principal }) => guarded.test(principal)).length;
      if (said[what] < distinct.length || said[what] > most)
        yield `${id} has ${distinct.length} ${what}, the manifest says ${said[what]}`;
    }
  }
  for (const [first] of found.values()) yield `${first!.database_id} is no database of the manifest`;
}

async function verify(file: string, manifestSha256?: string): Promise<number> {
  const checked = await checkReport(file, manifestSha256?.toLowerCase());
  const { manifest, faults } = checked;
  const agree = manifest && faults.length === 0;
  writeLines(agree ? coverSheet(checked, manifest, manifestSha256 !== undefined) : refusal(checked));
  return agree ? 0 : 1;
}

const refusal = ({ file, faults }: Checked) => [`NOT as written: ${file}`, ...faults.map(fault => `  ${fault}`)];

/** What an auditor asks of evidence, on a page: who, when, from what, how much, and what it does not cover. */
function coverSheet({ file, manifestSha256 }: Checked, manifest: Manifest, pinned: boolean): string[] {
  const { report, inventory, totals, population, databases } = manifest;
  const facts: Record<string, string> = {
    Report: `${manifest.report_id}, for the control ${manifest.control}`,
    Made: `from ${manifest.generated_at} to ${manifest.finished_at}, by version ${manifest.tool_version} of this tool`,
    'Requested by': `${manifest.requested_by} (as claimed)${manifest.request_id && `, Lambda request ${manifest.request_id}`}`,
    'Written as': `${report.location}, ${report.bytes} bytes`,
    'SHA-256': report.sha256,
    'Its manifest': `${manifestSha256} (SHA-256; ${pinned ? 'as the run printed it' : 'compare it with what the run printed'})`,
    Inventory: `${inventory.source}${inventory.version && `, version ${inventory.version}`}`,
    'Its SHA-256': inventory.sha256,
    'Asked for': filterText(manifest.filter) || 'the whole inventory',
    Population: `${population.filter(({ checked }) => checked).length} of ${population.length} accounts and regions compared with AWS's own list`,
    Databases: totalsText(totals)[0]!,
    Administrators: totalsText(totals)[1]!,
    Queries: `${manifest.queries.length}, each with its text in the manifest`,
  };
  const byAccount = [...Map.groupBy(databases, ({ account }) => account).values()].map(of => {
    const named = of.find(({ account_name }) => account_name !== '') ?? of[0]!;
    return `${accountOf(named)}: ${totalsText(totalsOf(of)).join('; administrators: ')}`;
  });
  return [
    `The two files agree: ${file} and the manifest beside it`,
    '',
    ...Object.entries(facts).map(([name, fact]) => `${name.padEnd(15)} ${fact}`),
    '',
    ...sections({ 'By account': byAccount }),
    ...caveats(manifest, Number.POSITIVE_INFINITY),
    'Databases outside RDS, and accounts that the inventory does not name, are for the inventory to name.',
    'That nobody replaced both files is shown by the SHA-256 of the manifest, which the run printed and the',
    "function's log keeps, and by the versions and the Object Lock of the bucket.",
  ];
}

// ── --compare ─────────────────────────────────────────────────────────────────────────────────────────────────────────
/** The columns that tell rows of one administrator apart, and those of a server that may explain a difference. */
const heldColumns = [
  ...['granted_through', 'extent', 'privileges', 'can_grant', 'enabled', 'owner', 'principal_type', 'authentication'],
  ...['created_at', 'password_changed_at', 'detail'],
] as Column[];
const serverColumns = ['database_id', 'account_name', 'region', 'host', 'port', 'engine', 'engine_version'] as Column[];
type Place = Pick<ReportRow, 'account_id' | 'account_name' | 'database_id'>;
/** An administrator who is not the same in both: the rows that have no equal in the other, and the columns that tell. */
type Change = Place & { scope: string; principal: string; fields: Column[]; old: ReportRow[]; new: ReportRow[] };
type Apart = Place & { result: string; administrators: number };

async function compare({ files: [old = '', newer = ''], json, unverified }: Command): Promise<number> {
  const [before, after] = [await checkReport(old), await checkReport(newer)];
  const refused = [before, after].filter(({ faults, rows }) => faults.length > 0 && !(unverified && rows.length > 0));
  if (refused.length > 0) {
    const lines = [...refused.flatMap(refusal), 'Nothing was compared. --unverified compares what can be read.'];
    process.stderr.write(asText(lines));
    if (json) process.stdout.write(`${JSON.stringify({ old: about(before), new: about(after) })}\n`);
    return 1;
  }
  const comparison = compareReports(before, after);
  if (json) process.stdout.write(`${JSON.stringify(comparison)}\n`);
  else writeLines(comparisonLines(comparison));
  const { became, ceased, changed, new_databases, gone_databases, not_comparable } = comparison.counts;
  return became + ceased + changed > 0 ? 4 : new_databases + gone_databases + not_comparable > 0 ? 3 : 0;
}

const about = ({ file, rows, manifest, faults }: Checked) => {
  const { report_id = '', generated_at = '' } = manifest ?? rows[0] ?? {};
  return { report: file, report_id, generated_at, faults };
};
const keyOf = ({ account_id, database_id }: ReportRow) => `${account_id} ${database_id}`;
const placeOf = ({ account_id, account_name, database_id }: ReportRow) => ({ account_id, account_name, database_id });
const without = (rows: ReportRow[], others: ReportRow[]) =>
  rows.filter(row => !others.some(other => heldColumns.every(column => row[column] === other[column])));
function peopleOf(rows: ReportRow[]): Map<string, ReportRow[]> {
  const admins = rows.filter(({ result }) => result === 'admin');
  return Map.groupBy(admins, ({ scope, principal }) => JSON.stringify([scope, principal]));
}

const unreadIn = (side: string, rows: ReportRow[]) =>
  rows
    .filter(({ result }) => result === 'failed' || result === 'incomplete')
    .map(({ result, detail }) => `${result} in the ${side} report: ${detail}`);

/** The databases of both reports side by side: by account and id, and by the server's own id where one went and another came. */
function pairDatabases(before: Checked, after: Checked): [old: ReportRow[], now: ReportRow[]][] {
  const had = Map.groupBy(before.rows.filter(wasAsked), keyOf);
  const has = Map.groupBy(after.rows.filter(wasAsked), keyOf);
  const lone = ({ manifest }: Checked, here: typeof had, there: typeof had) => {
    const asked = manifest?.databases.filter(wasAsked) ?? [];
    const servers = asked.map(each => ({ key: `${each.account} ${each.id}`, id: each.server_id }));
    return Map.groupBy(servers, ({ key, id }) => (here.has(key) && !there.has(key) ? id : ''));
  };
  const came = lone(after, has, had);
  for (const [id, [gone, ...others]] of lone(before, had, has)) {
    const [now, ...more] = came.get(id) ?? [];
    if (id === '' || !gone || !now || others.length + more.length > 0) continue;
    had.set(now.key, had.get(gone.key)!);
    had.delete(gone.key);
  }
  const keys = [...new Set([...had.keys(), ...has.keys()])].sort();
  return keys.map(key => [had.get(key) ?? [], has.get(key) ?? []]);
}

/** What `--compare --json` prints. Nobody in the databases that are named apart counts as a change. */
function compareReports(before: Checked, after: Checked) {
  const changes: Record<'became' | 'ceased' | 'changed', Change[]> = { became: [], ceased: [], changed: [] };
  const [new_databases, gone_databases]: Apart[][] = [[], []] as const;
  const not_comparable: (Place & { why: string })[] = [];
  const notes = notesOn(before, after);
  let [compared_databases, unchanged] = [0, 0];
  for (const [old, now] of pairDatabases(before, after)) {
    const first = (now[0] ?? old[0])!;
    const place = placeOf(first);
    const [had, has] = [peopleOf(old), peopleOf(now)];
    const why = [...unreadIn('old', old), ...unreadIn('new', now)].join('; ');
    if (old.length === 0 || now.length === 0) {
      const [side, { manifest }] = old.length === 0 ? ['old', before] : ['new', after];
      const result = [...old, ...now].find(row => row.result !== 'admin')?.result ?? 'admin';
      const alone = { ...place, result, administrators: had.size + has.size };
      if (manifest?.left_out.includes(first.database_id))
        not_comparable.push({ ...place, why: `left out of the ${side} report, by --account or --database` });
      else if (side === 'old') new_databases.push(alone);
      else gone_databases.push(alone);
      continue;
    }
    if (why) {
      not_comparable.push({ ...place, why });
      continue;
    }
    compared_databases++;
    const moved = serverColumns.filter(column => old[0]![column] !== first[column]);
    const moves = moved.map(column => `${column} ${old[0]![column]} → ${first[column]}`);
    if (moves.length > 0) notes.push(`${first.database_id}: ${moves.join(', ')}`);
    for (const person of [...new Set([...had.keys(), ...has.keys()])].sort()) {
      const [was, is] = [had.get(person) ?? [], has.get(person) ?? []];
      const [lost, come] = [without(was, is), without(is, was)];
      const differ = (column: Column) =>
        lost.map(row => row[column]).join('\n') !== come.map(row => row[column]).join('\n');
      const [scope, principal] = JSON.parse(person);
      const change = { ...place, scope, principal, fields: heldColumns.filter(differ), old: lost, new: come };
      if (lost.length + come.length === 0) unchanged++;
      else if (was.length === 0) changes.became.push({ ...change, fields: [] });
      else if (is.length === 0) changes.ceased.push({ ...change, fields: [] });
      else changes.changed.push(change);
    }
  }
  for (const [side, { rows }] of Object.entries({ old: before, new: after }))
    for (const row of rows.filter(({ result }) => result === 'unlisted'))
      not_comparable.push({ ...placeOf(row), why: `unlisted in the ${side} report: ${row.detail}` });
  const lists = { ...changes, new_databases, gone_databases, not_comparable };
  const sizes = Object.fromEntries(Object.entries(lists).map(([name, { length }]) => [name, length]));
  const counts = { compared_databases, unchanged, ...(sizes as Record<keyof typeof lists, number>) };
  return { old: about(before), new: about(after), ...lists, notes, counts };
}

/** What may explain a difference, or take its worth away. */
function notesOn(before: Checked, after: Checked): string[] {
  const notes: string[] = [];
  const [old, now] = [about(before), about(after)];
  if (old.report_id === now.report_id) notes.push('both are the same report');
  if (old.generated_at > now.generated_at) notes.push('the old report is the later one: are they swapped?');
  const texts = Map.groupBy(before.manifest?.queries ?? [], ({ file }) => file);
  for (const { file, sha256 } of after.manifest?.queries ?? [])
    if (texts.get(file)?.every(query => query.sha256 !== sha256))
      notes.push(`the query ${file} is not the same in both: what it finds may differ for that alone`);
  for (const { account, id, server_id } of after.manifest?.databases ?? []) {
    const was = before.manifest?.databases.find(each => each.account === account && each.id === id)?.server_id;
    if (was && server_id && was !== server_id)
      notes.push(`${id}: another server than before (its own id ${was} → ${server_id})`);
  }
  return notes;
}

type Comparison = ReturnType<typeof compareReports>;

function comparisonLines({ counts, notes, not_comparable, ...comparison }: Comparison): string[] {
  const apartText = (each: Apart) => `${nameOf(each)}: ${each.result}, ${count(each.administrators, 'administrator')}`;
  const sides = (['old', 'new'] as const).flatMap(side => {
    const { report, report_id, generated_at, faults } = comparison[side];
    const odd = faults.map(fault => `     compared although --verify refuses it: ${fault}`);
    return [`${side}: ${report}`, `     generated ${generated_at}, report ${report_id}`, ...odd];
  });
  return [
    ...sides,
    '',
    `Administrators: ${counts.became} became, ${counts.ceased} ceased, ${counts.changed} changed, ${counts.unchanged} unchanged`,
    `Databases: ${counts.compared_databases} compared, ${counts.new_databases} new, ${counts.gone_databases} gone, ${counts.not_comparable} not comparable`,
    '',
    ...sections({
      'Became an administrator': comparison.became.flatMap(changeLines),
      'Ceased to be one': comparison.ceased.flatMap(changeLines),
      Changed: comparison.changed.flatMap(changeLines),
      'Not comparable': not_comparable.map(each => `${nameOf(each)}: ${each.why}`),
      'New databases, whose administrators are no changes': comparison.new_databases.map(apartText),
      'Gone databases, whose administrators are no changes': comparison.gone_databases.map(apartText),
      Notes: notes,
    }),
  ];
}

const nameOf = ({ account_id, account_name, database_id }: Place) =>
  `${accountOf({ account: account_id, account_name })}, ${database_id}`;

/** Who it is, and each row: what makes them an administrator, or where a row differs from that in the other report. */
function changeLines({ fields, old, new: now, ...change }: Change): string[] {
  const textOf = (row: ReportRow, others: ReportRow[], verb: string) => {
    const { granted_through, privileges, extent, can_grant, enabled } = row;
    const more = `${can_grant === 'yes' ? ', may grant it' : ''}${enabled === 'no' ? ', cannot log in' : ''}`;
    if (others.length === 0)
      return `${granted_through && `through ${granted_through}: `}${privileges} (${extent})${more}`;
    const kept = others.flatMap(other => other.privileges.split('; '));
    const alone = privileges.split('; ').filter(one => !kept.includes(one));
    const differing = fields.filter(field => field !== 'privileges').map(field => `${field} ${row[field] || '""'}`);
    return [...(alone.length > 0 ? [`${verb} ${alone.join('; ')}`] : []), ...differing].join(', ');
  };
  return [
    `${nameOf(change)}: ${change.principal}, ${change.scope}`,
    ...old.map(row => `  old  ${textOf(row, now, 'lost')}`),
    ...now.map(row => `  new  ${textOf(row, old, 'gained')}`),
  ];
}

// ── main ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
async function main(argv: string[]): Promise<number> {
  let command: Command;
  try {
    command = parseArgs(argv);
  } catch (error) {
    process.stderr.write(asText([(error as Error).message, 'Try: npx tsx cli.ts --help']));
    return 2;
  }
  const { mode, files } = command;
  if (mode === 'check') return checkInventory(files[0]!);
  if (mode === 'verify') return verify(files[0]!, command['manifest-sha256']);
  if (mode === 'compare') return compare(command);
  if (mode === 'local' || mode === 'remote') return makeReport(command);
  process.stdout.write(mode === 'help' ? help : `${version}\n`);
  return 0;
}

async function makeReport(command: Command): Promise<number> {
  const { env } = process;
  if (command.profile) env.AWS_PROFILE = command.profile;
  // The SDK for JavaScript ignores AWS_DEFAULT_REGION; a function's ARN names its region.
  const region = command.region || regionOf(command.function) || env.AWS_REGION || env.AWS_DEFAULT_REGION;
  if (region) env.AWS_REGION = region;
  else delete env.AWS_REGION; // an empty one hides the profile's
  const local = command.mode === 'local';
  const reportId = crypto.randomUUID();
  const startedAt = isoSeconds(new Date());
  const progress = makeProgress(command.quiet);
  const begun: Begun = { invoked: false };
  const interrupted = () => {
    progress.end();
    const place = begun.started?.report ?? 'in the bucket of the hub';
    const goesOn = `the run goes on, as report ${reportId}; its report will be ${place}, whole when its manifest is beside it`;
    process.stderr.write(`interrupted: ${local ? 'there is no report' : goesOn}\n`);
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupted);
  try {
    await trustAuthorities();
    const made = await (local ? runLocal(command, reportId, progress) : runRemote(command, reportId, progress, begun));
    progress.end();
    if (command.json) process.stdout.write(`${JSON.stringify(made.summary)}\n`);
    else writeLines(summaryLines(made));
    if (made.undelivered) process.stderr.write(asText(made.undelivered.split('\n')));
    return made.undelivered ? 1 : made.summary.status === 'complete' ? 0 : 3;
  } catch (error) {
    progress.end();
    const id = begun.invoked ? [`report id: ${reportId}`] : []; // of a run that may have been
    process.stderr.write(asText([...explain(error).split('\n'), ...id]));
    if (command.json) process.stdout.write(`${JSON.stringify(noReport(reportId, startedAt))}\n`);
    return 1;
  }
}

const noReport = (report_id: string, started_at: string): Summary => ({
  ...{ report_id, status: 'failed', report: null, manifest: null, sha256: null, manifest_sha256: null },
  databases: { total: 0, covered: 0, incomplete: 0, failed: 0, unlisted: 0, excluded: 0, left_out: 0 },
  ...{ administrators: 0, full: 0, rows: 0, started_at, finished_at: isoSeconds(new Date()), failures: [] },
});

// Run as a command, not imported; by a symbolic link too, and without the ".ts".
const [, typed = ''] = process.argv;
if ([typed, `${typed}.ts`].some(file => fs.existsSync(file) && fs.realpathSync(file) === import.meta.filename)) {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // the reader went away, or see below
  // Drivers and the SDK talk here: past --quiet, and into the live line.
  for (const name of ['log', 'info', 'warn', 'error', 'trace'] as const) console[name] = () => {};
  const code = await main(process.argv.slice(2)).catch(error => {
    process.stderr.write(asText(explain(error).split('\n')));
    return 1;
  });
  process.stdout.write('', (error?: NodeJS.ErrnoException | null) => {
    const unsaid = error && error.code !== 'EPIPE';
    if (unsaid) process.stderr.write(`standard output cannot be written: ${fileFault(error)}\n`);
    process.exitCode = unsaid ? code || 1 : code;
    // For a socket that a driver forgot. At once it may wait for ever, for V8's own threads (nodejs/node#54918).
    setTimeout(() => process.exit(), 1 * seconds).unref();
  });
}
