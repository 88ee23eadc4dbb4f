/**
 * What a person sees at the terminal: the summary, the live line, what is said when AWS refuses, when the stream breaks
 * and when the command is ended. AWS is an HTTP server on loopback that answers as it is told; the SDK and its
 * configuration files are real.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Line, localSurroundings, type Manifest, run, type Summary } from '../orchestrator.ts';
import { type Database, type DatabaseResult, emptyRow, failed } from '../worker.ts';
import { eventFrame } from './aws.ts';
import { authority, certificate } from './certificates.ts';
import { commandLine, killedLate, root, runCli } from './command.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'terminal-'));
after(() => fs.rmSync(folder, { recursive: true }));

// ── a run that the orchestrator made, to be streamed as it is wanted ──────────────────────────────────────────────────

type Results = Record<
  string,
  Partial<DatabaseResult> & Partial<Pick<Database, 'account' | 'account_name' | 'region' | 'tls'>>
>;
type Made = { lines: Line[]; summary: Summary; objects: Map<string, Buffer> };
const reportId = '11111111-2222-4333-8444-555555555555';

async function makeRun(results: Results, accounts?: string[]): Promise<Made> {
  const databases = Object.entries(results).map(
    ([id, { account = '111122223333', account_name, region = 'eu-west-1', tls }]) => ({
      ...{
        id,
        account,
        account_name,
        region,
        engine: 'mysql',
        host: `${id}.example.com`,
        credentials: 'env:NONE',
        tls,
      },
    }),
  );
  const bytes = Buffer.from(JSON.stringify({ databases }));
  const objects = new Map<string, Buffer>();
  const surroundings = {
    ...localSurroundings({ source: 's3://reports/inventory.json', bytes }, folder, async (asked, done) => {
      const query = {
        file: 'x.sql',
        text: 'SELECT 1',
        sha256: 'e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5',
      };
      for (const database of asked) {
        const rows = ['root', 'dba'].map(principal => ({
          ...emptyRow,
          result: 'admin',
          scope: 'server',
          principal,
          extent: 'full',
        }));
        const result = { ...failed(database, ''), result: 'admin' as const, rows, queries: [query.sha256] };
        done({ ...result, ...results[database.id] }, { version: '1.0.0', queries: [query], attempts: 1 });
      }
    }),
    location: (name: string) => `s3://reports/reports/${name}`,
    put: async (body: Buffer, location: string) => void objects.set(location, body),
  };
  const lines: Line[] = [];
  const summary = await run({ reportId, requestedBy: 'tester', accounts }, surroundings, line => lines.push(line));
  return { lines, summary, objects };
}

const gone = (account: string, account_name: string): Results[string] => ({
  ...{ account, account_name, result: 'failed', rows: [] },
  detail: `there is no worker arn:aws:lambda:eu-west-1:${account}:function:db-admin-report-worker: deploy template.yaml with Role=worker in account ${account}, eu-west-1`,
});

// ── an AWS that answers as it is told ─────────────────────────────────────────────────────────────────────────────────

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;
type Hub = { endpoint: string; requests: string[]; env(more?: NodeJS.ProcessEnv): NodeJS.ProcessEnv };

async function startHub(
  context: TestContext,
  answer: Answer,
  server: http.Server | https.Server = http.createServer(),
): Promise<Hub> {
  const requests: string[] = [];
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const [, region = '', service = ''] =
      /Credential=[^/]+\/\d+\/([^/]+)\/([^/]+)\//.exec(request.headers.authorization ?? '') ?? [];
    requests.push(`${service} ${region} ${request.method} ${request.url}`);
    request.resume().on('end', () => answer(request, response));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const endpoint = server instanceof https.Server ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  return { endpoint, requests, env: more => ({ ...awsEnv, AWS_ENDPOINT_URL: endpoint, ...more }) };
}

const awsEnv = {
  ...{ PATH: process.env.PATH, HOME: folder, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'eu-west-1' },
  ...{ AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'x' },
  ...{ AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' },
};

/** The orchestrator's stream and the bucket of a run; `stream` writes the lines, `list` may refuse or hide the manifest. */
function hubOf(
  { lines, summary, objects }: Made,
  options: {
    stream?: (send: (...lines: object[]) => void, response: ServerResponse) => unknown;
    list?: () => 'there' | 'not yet' | 'denied';
  } = {},
): Answer {
  const { list = () => 'there' } = options;
  return async ({ url = '' }, response) => {
    if (url.includes('response-streaming-invocations')) {
      response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
      const send = (...all: object[]) => {
        for (const line of all)
          response.write(
            eventFrame('PayloadChunk', 'application/octet-stream', Buffer.from(`${JSON.stringify(line)}\n`)),
          );
      };
      if (options.stream) return options.stream(send, response);
      send(...lines, { type: 'result', ...summary });
      return response.end(eventFrame('InvokeComplete', 'application/json', Buffer.from('{}')));
    }
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (searchParams.has('list-type')) {
      const found = list();
      if (found === 'denied') return refuse(403, 'AccessDenied', 'xml')({} as IncomingMessage, response);
      const key = found === 'there' ? `<Contents><Key>${searchParams.get('prefix')}</Key></Contents>` : '';
      return response.end(`<ListBucketResult>${key}</ListBucketResult>`);
    }
    const body = objects.get(`s3:/${decodeURIComponent(pathname)}`);
    return body ? response.end(body) : refuse(404, 'NoSuchKey', 'xml')({} as IncomingMessage, response);
  };
}

/** A refusal in Lambda's words, or in those of S3 and STS. */
function refuse(status: number, code: string, kind: 'json' | 'xml' = 'json', message = 'no'): Answer {
  const error = `<Code>${code}</Code><Message>${message}</Message>`;
  const xml = `<ErrorResponse><Error>${error}</Error>${error}</ErrorResponse>`;
  return (_, response) => {
    response.writeHead(status, {
      'content-type': kind === 'xml' ? 'text/xml' : 'application/json',
      ...(kind === 'json' && { 'x-amzn-errortype': code }),
    });
    response.end(kind === 'xml' ? xml : JSON.stringify({ message }));
  };
}

/** The command as a process of its own, to be ended or watched. */
function start(args: string[], env: NodeJS.ProcessEnv) {
  const child = spawn(...commandLine(args, { runner: 'node' }), { env, cwd: root, ...killedLate });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', text => {
      said[stream] += text;
    });
  return { child, said, closed: once(child, 'close') as Promise<[number | null, string | null]> };
}

// ── the summary ───────────────────────────────────────────────────────────────────────────────────────────────────────

const app = (count: number, more: Results[string] = {}): Results =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`app${String(n).padStart(3, '0')}`, more]));

test('the summary of a run in which two accounts have no worker', async context => {
  const made = await makeRun({
    ...app(50, { account_name: 'shop-prod' }),
    ...Object.fromEntries(
      ['orders', 'billing', 'crm', 'stock', 'web', 'a1', 'a2', 'a3', 'a4'].map(id => [
        id,
        gone('444455556666', 'bank'),
      ]),
    ),
    hr: gone('777788889999', ''),
    ledger: { result: 'incomplete', detail: 'GRANT SELECT ON mysql.* TO auditor', tls: 'off' },
  });
  const hub = await startHub(context, hubOf(made));
  const { code, stdout, stderr } = await runCli([], { env: hub.env() });
  assert.equal(code, 3, stderr);
  const { summary } = made;
  assert.equal(
    stdout.replace(/Took: .*/, 'Took: …'),
    `NOT COMPLETE

Failed:
  9 databases of 444455556666 (bank), eu-west-1: ${gone('444455556666', '').detail}: a1, a2, a3, a4, billing, crm, orders, stock, and 1 more
  1 database of 777788889999, eu-west-1: ${gone('777788889999', '').detail}: hr

Incomplete:
  1 database of 111122223333, eu-west-1: GRANT SELECT ON mysql.* TO auditor: ledger

Not compared with AWS's own list:
  with --local AWS is not asked for its list: 111122223333 eu-west-1, 444455556666 eu-west-1, 777788889999 eu-west-1

Read without checking which server it was:
  tls off: ledger

Databases:       50 of 61 covered, 1 incomplete, 10 failed, 0 unlisted, 0 excluded
Administrators:  102, 102 of them full (113 rows)
Took: …
Report:          ${summary.report}
  SHA-256:       ${summary.sha256}
Manifest:        ${summary.manifest}
  SHA-256:       ${summary.manifest_sha256}
Fetch:           aws s3 cp ${summary.report} .
Fetch:           aws s3 cp ${summary.manifest} .
`,
  );
  assert.match(stderr, /^report [0-9a-f-]{36}: 61 databases\n/);
  assert.match(stderr, /^\[\d+\/61\] app007: 2 administrators$/m);
  assert.match(stderr, /^\[\d+\/61\] hr: failed \(there is no worker .*\)$/m);
  assert.match(stderr, /^\[\d+\/61\] ledger: incomplete, 2 administrators \(GRANT SELECT .*\)$/m);
});

test('the summary of a healthy run of 60 databases is its totals', async context => {
  const made = await makeRun(app(60, { account_name: 'shop-prod' }));
  const hub = await startHub(context, hubOf(made));
  const { code, stdout } = await runCli(['--quiet'], { env: hub.env() });
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^Complete\n\nNot compared with AWS's own list:\n.*\n\nDatabases: +60 of 60 covered, 0 incomplete, 0 failed, /,
  );
});

test('what a filter left out is said, and why', async context => {
  const hub = await startHub(
    context,
    hubOf(await makeRun({ ...app(5), ...{ a: { account: '444455556666' } } }, ['444455556666'])),
  );
  const { stdout } = await runCli(['--quiet'], { env: hub.env() });
  assert.match(
    stdout,
    /^Complete\n[\s\S]*^Left out: 5 of 6, by --account 444455556666:\n {2}app000, app001, app002, app003, app004\n/m,
  );
});

test('with --json one object, whatever the manifest; without the manifest the totals and the failures', async context => {
  const made = await makeRun({ ...app(2), hr: gone('777788889999', '') });
  const hub = await startHub(context, hubOf(made));
  const { stdout } = await runCli(['--json', '--quiet'], { env: hub.env(), runner: 'node' });
  assert.deepEqual(JSON.parse(stdout), made.summary);
  made.objects.delete(made.summary.manifest!);
  const { code, stdout: text } = await runCli(['--quiet'], { env: hub.env(), runner: 'node' });
  assert.equal(code, 3);
  assert.match(text, /^NOT COMPLETE\n\nFailed, incomplete or unlisted:\n {2}hr: failed: there is no worker/);
  assert.match(text, /^Note: the manifest could not be read \(.*\): what it alone knows is not shown\.$/m);
});

test('control characters of a server steer no terminal: in progress, in the summary, in what a function says of itself', async context => {
  const evil = 'a\u001b[2J\u009b1A\u202eb\r\nc';
  const made = await makeRun({ a: { result: 'failed', rows: [], detail: evil } });
  const tame = (text: string) => assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  const manifest: Manifest = JSON.parse(String(made.objects.get(made.summary.manifest!)));
  manifest.databases[0]!.detail = evil; // the orchestrator's own care aside
  made.objects.set(made.summary.manifest!, Buffer.from(JSON.stringify(manifest)));
  for (const line of made.lines) if (line.type === 'database') line.detail = evil;
  const hub = await startHub(context, hubOf(made));
  const shown = await runCli([], { env: hub.env(), runner: 'node' });
  assert.match(shown.stdout, /a \[2J 1A b c: a\n/);
  tame(shown.stdout + shown.stderr);
  const dying = await startHub(
    context,
    hubOf(made, {
      stream: (_, response) =>
        response.end(
          eventFrame(
            'InvokeComplete',
            'application/json',
            Buffer.from(JSON.stringify({ ErrorCode: 'Unhandled', ErrorDetails: evil })),
          ),
        ),
    }),
  );
  const died = await runCli([], { env: dying.env(), runner: 'node' });
  assert.match(died.stderr, /^the orchestrator failed \(Unhandled: a \[2J 1A b c; its log has more\)\n/);
  tame(died.stderr);
});

// ── the live line ─────────────────────────────────────────────────────────────────────────────────────────────────────

test('on a terminal one live line: time, how many, which failed last, what is awaited; never wider than it', async context => {
  const made = await makeRun({ ...app(12), hr: gone('777788889999', '') });
  const isDone = (line: Line) => line.type === 'database' && /hr|app00[0-8]/.test(line.database_id);
  const lines = made.lines.filter(isDone).map((line, n) => ({ ...line, done: n + 1 }));
  const hub = await startHub(
    context,
    hubOf(made, {
      stream: async (send, response) => {
        send(made.lines[0]!, ...lines);
        await sleep(1500);
        send({ type: 'result', ...made.summary });
        response.end(eventFrame('InvokeComplete', 'application/json', Buffer.from('{}')));
      },
    }),
  );
  const onTerminal = async (columns: number, more = '') => {
    const command = `stty cols ${columns} rows 24; "${process.execPath}" cli.ts ${more} >/dev/null`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: root,
      env: hub.env({ TERM: 'xterm', NO_COLOR: '1' }),
      ...killedLate,
    });
    let text = '';
    child.stdout.on('data', data => {
      text += data;
    });
    await once(child, 'close');
    return text;
  };
  const wide = await onTerminal(200);
  assert.match(
    wide,
    /\r\x1b\[2K0:0\d 10\/13 databases, 1 failed or incomplete, last hr, awaiting app009, app010, app011/,
  );
  assert.ok(wide.endsWith('\r\x1b[2K'), 'the line is gone at the end');
  assert.doesNotMatch(wide, /\n/);
  const narrow = await onTerminal(40);
  const drawn = narrow.split('\r\x1b[2K');
  assert.ok(drawn.length > 3);
  for (const line of drawn) assert.ok(line.length < 40, line);
  assert.equal(await onTerminal(80, '--quiet'), '');
});

// ── ended from outside, cut, silent ───────────────────────────────────────────────────────────────────────────────────

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`${signal}: exit 130, and where the report of the run will be, which goes on`, async context => {
    const made = await makeRun(app(2));
    const hub = await startHub(context, hubOf(made, { stream: send => send(made.lines[0]!) }));
    const { child, said, closed } = start([], hub.env());
    while (!said.stderr.includes('2 databases')) await sleep(20);
    child.kill(signal);
    assert.deepEqual(await closed, [130, null]);
    assert.match(
      said.stderr,
      /^interrupted: the run goes on, as report [0-9a-f-]{36}; its report will be s3:\/\/reports\/.*\.csv, whole when its manifest is beside it$/m,
    );
  });

test('a stream that goes silent: the manifest is waited for, whether S3 hides that it is not there or not', async context => {
  const made = await makeRun(app(2));
  let looks = 0;
  const hub = await startHub(
    context,
    hubOf(made, {
      stream: send => send(...made.lines.slice(0, 2)),
      list: () => (++looks < 3 ? 'not yet' : 'there'),
    }),
  );
  const { code, stdout, stderr } = await runCli(['--json'], {
    env: hub.env({ DB_ADMIN_REPORT_SILENCE_SECONDS: '1' }),
    runner: 'node',
  });
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^the answer stalled for 1 s; the run goes on\. Waiting for s3:\/\/reports\/.*\.manifest\.json$/m,
  );
  assert.deepEqual(JSON.parse(stdout), made.summary);
  assert.equal(hub.requests.filter(request => request.includes('streaming')).length, 1, 'the run was triggered once');
  assert.equal(looks, 3);
});

test('whoever may not list the bucket is told so, and does not wait for what cannot be seen', async context => {
  const made = await makeRun(app(2));
  const hub = await startHub(
    context,
    hubOf(made, {
      stream: (send, response) => {
        send(made.lines[0]!);
        setTimeout(() => response.destroy(), 100);
      },
      list: () => 'denied',
    }),
  );
  const { code, stderr } = await runCli([], { env: hub.env(), runner: 'node' });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^s3:\/\/reports\/.*\.manifest\.json cannot be read, look for it later: access denied: attach the hub's operator policy/m,
  );
  assert.match(stderr, /^report id: [0-9a-f-]{36}$/m);
});

test('a report that cannot be downloaded: how to fetch it is said all the same', async context => {
  const made = await makeRun(app(2));
  made.objects.set(made.summary.report!, Buffer.from('altered'));
  const hub = await startHub(context, hubOf(made));
  const { code, stdout, stderr } = await runCli(['--download', path.join(folder, 'new', 'deep'), '--quiet'], {
    env: hub.env(),
    runner: 'node',
  });
  assert.equal(code, 1);
  assert.match(stderr, /^the report could not be downloaded: s3:.*\.csv is not what the orchestrator wrote/);
  assert.match(stdout, new RegExp(`^Fetch: +aws s3 cp ${made.summary.report} \\.$`, 'm'));
});

test('--download finds out before the run whether it can write', async context => {
  const hub = await startHub(context, hubOf(await makeRun(app(1))));
  const { code, stderr } = await runCli(['--download', '/proc/x'], { env: hub.env(), runner: 'node' });
  assert.deepEqual(
    [code, stderr, hub.requests.length],
    [1, '/proc/x cannot be used: there is no such file or folder\n', 0],
  );
});

// ── what AWS refuses ──────────────────────────────────────────────────────────────────────────────────────────────────

const config = path.join(folder, 'config');
fs.writeFileSync(
  config,
  `[profile base]
aws_access_key_id = AKIABASE
aws_secret_access_key = x
[profile role]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = base
region = eu-west-1
[profile mfa]
role_arn = arn:aws:iam::111122223333:role/audit
source_profile = base
mfa_serial = arn:aws:iam::111122223333:mfa/ann
[profile process]
credential_process = /bin/false
[profile login]
login_session = arn:aws:iam::111122223333:user/ann
[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = audit
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
[profile empty]
output = json
`,
);
const byProfile = { AWS_CONFIG_FILE: config, AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
const user = 'User: arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_audit/ann';
const page: Answer = (_, response) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Blocked</html>');
const blocked: Answer = (_, response) =>
  response.writeHead(403, { 'content-type': 'text/html' }).end('<html>Blocked</html>');

type Refusal = [what: string, said: RegExp, answer: Answer | undefined, args?: string[], env?: NodeJS.ProcessEnv];
const refusals: Refusal[] = [
  [
    'a profile that wants an MFA code',
    /^the profile mfa wants an MFA code \(mfa_serial\).*aws configure export-credentials --profile mfa /,
    undefined,
    ['--profile', 'mfa'],
    byProfile,
  ],
  [
    'an unknown profile',
    /^the AWS configuration has no profile nope: "aws configure list-profiles"/,
    undefined,
    ['--profile', 'nope'],
    byProfile,
  ],
  [
    'an unknown profile, and no region',
    /^the AWS configuration has no profile nope: /,
    undefined,
    ['--profile', 'nope'],
    { ...byProfile, AWS_REGION: '' },
  ],
  [
    'a profile without a region',
    /^no AWS region is known: use --region NAME/,
    undefined,
    ['--profile', 'base'],
    { ...byProfile, AWS_REGION: '' },
  ],
  [
    'a credential_process that fails',
    /^the credential_process of the profile process gave no credentials: run it by hand/,
    undefined,
    ['--profile', 'process'],
    byProfile,
  ],
  [
    'aws login without a log-in',
    /^nobody is logged in with the profile login: aws login --profile login\n/,
    undefined,
    ['--profile', 'login'],
    byProfile,
  ],
  [
    'an SSO session that has expired',
    /^the AWS session of the profile sso has expired: aws sso login --profile sso\n/,
    undefined,
    ['--profile', 'sso'],
    byProfile,
  ],
  [
    'a profile without credentials',
    /^no AWS credentials \(profile empty\): choose another with --profile NAME or AWS_PROFILE/,
    undefined,
    ['--profile', 'empty'],
    byProfile,
  ],
  [
    'a role that may not be assumed',
    /^the profile role may not assume its role: .* sts:AssumeRole\n\(AccessDenied: User: .*role\/audit\)/,
    refuse(
      403,
      'AccessDenied',
      'xml',
      'User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/audit',
    ),
    ['--profile', 'role'],
    byProfile,
  ],
  [
    'a clock that is late',
    /^the clock of this machine is wrong: set it \(it says \d{4}-/,
    refuse(
      403,
      'InvalidSignatureException',
      'json',
      'Signature expired: 20261130T100000Z is now earlier than 20261130T110000Z',
    ),
  ],
  [
    'a clock that is early',
    /^the clock of this machine is wrong/,
    refuse(
      403,
      'InvalidSignatureException',
      'json',
      'Signature not yet current: 20261130T130000Z is still later than 20261130T110000Z',
    ),
  ],
  ['a clock that S3 finds wrong', /^the clock of this machine is wrong/, refuse(403, 'RequestTimeTooSkewed')],
  [
    'a wrong secret key',
    /^the secret key of the profile default is wrong/,
    refuse(403, 'InvalidSignatureException', 'json', 'The request signature we calculated does not match'),
  ],
  [
    'a function that may not be invoked',
    /^access denied: attach the hub's operator policy .* to the role AWSReservedSSO_audit \(profile default\)\n/,
    refuse(403, 'AccessDeniedException', 'json', `${user} is not authorized to perform: lambda:InvokeFunction`),
  ],
  [
    'a key that may not be used',
    /^the role AWSReservedSSO_audit \(profile default\) may not use the KMS key: .*kms:Decrypt\n/,
    refuse(403, 'AccessDeniedException', 'json', `${user} is not authorized to perform: kms:Decrypt`),
  ],
  [
    'credentials that are unknown, or a region that is off',
    /^AWS does not know these credentials \(profile default\) in this region: .* off by default must be enabled/,
    refuse(403, 'UnrecognizedClientException'),
  ],
  [
    'a function that is not there',
    /^there is no such function here: deploy template\.yaml with Role=hub/,
    refuse(404, 'ResourceNotFoundException'),
  ],
  ['throttling', /^AWS is throttling: nothing was run/, refuse(429, 'TooManyRequestsException')],
  ['a page of a filtering network', /^a web page answered instead of AWS/, page],
  ['a page of a filtering network that refuses', /^a web page answered instead of AWS/, blocked],
  [
    'a network without AWS',
    /^AWS could not be reached: check the network, --region and HTTPS_PROXY \(heeded by Node 22\.21, 24\.5 and later\)\n/,
    undefined,
    [],
    { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
  ],
];
for (const [what, said, answer, args = [], env] of refusals)
  test(`what to do is said: ${what}`, async context => {
    const hub = await startHub(context, answer ?? page);
    const { code, stdout, stderr } = await runCli(args, { env: hub.env(env), runner: 'node' });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, said);
    assert.doesNotMatch(stderr, /report id|hidden field/);
    assert.equal(hub.requests.length, answer ? 1 : 0, 'one call, where one could be made at all');
  });

test('the command ends, though V8 still compiles and wants memory: process.exit would wait for it for ever', async context => {
  // Read as AWS's binary stream, the page says that 1 GB follows. With process.exit a quarter of these runs hung.
  const hub = await startHub(context, page);
  const env = hub.env();
  for (let wave = 0; wave < 5; wave++) {
    const ends = Array.from({ length: 4 }, () => {
      const child = spawn(process.execPath, ['--always-sparkplug', 'cli.ts', '--quiet'], {
        ...{ cwd: root, env, ...killedLate, stdio: 'ignore', timeout: 20_000 },
      });
      return once(child, 'close');
    });
    for (const end of await Promise.all(ends)) assert.deepEqual(end, [1, null]);
  }
});

test('a certificate that is not known here, as of a proxy: its authority can be named', async context => {
  const own = certificate({ authority: authority('Corporate proxy'), names: ['localhost'] });
  const hub = await startHub(
    context,
    refuse(404, 'ResourceNotFoundException'),
    https.createServer({ key: own.key, cert: own.cert }),
  );
  const unknown = await runCli([], { env: hub.env(), runner: 'node' });
  assert.match(
    unknown.stderr,
    /^the certificate that answered is not known here.*NODE_EXTRA_CA_CERTS=FILE\.pem or AWS_CA_BUNDLE=FILE\.pem\n/,
  );
  const bundle = path.join(folder, 'bundle.pem');
  fs.writeFileSync(bundle, own.ca);
  for (const name of ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'])
    assert.match(
      (await runCli([], { env: hub.env({ [name]: bundle }), runner: 'node' })).stderr,
      /^there is no such function here/,
    );
});

test("the region of a function's ARN is used, whatever the profile and the environment say", async context => {
  const made = await makeRun(app(1));
  const hub = await startHub(context, hubOf(made));
  const arn = 'arn:aws:lambda:eu-west-3:111122223333:function:db-admin-report-orchestrator';
  for (const env of [
    { ...byProfile, AWS_PROFILE: 'base', AWS_REGION: undefined },
    { AWS_REGION: 'us-east-1' },
    { AWS_REGION: '' },
  ]) {
    hub.requests.length = 0;
    const { code, stderr } = await runCli(['--function', arn, '--quiet'], { env: hub.env(env), runner: 'node' });
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      hub.requests.map(request => request.split(' ').slice(0, 2).join(' ')),
      ['lambda eu-west-3', 's3 eu-west-3'],
    );
  }
  hub.requests.length = 0;
  await runCli(['--quiet'], {
    env: hub.env({ AWS_REGION: undefined, AWS_DEFAULT_REGION: 'us-west-2' }),
    runner: 'node',
  });
  assert.match(hub.requests[0]!, /^lambda us-west-2 /);
});

// ── an old Node ───────────────────────────────────────────────────────────────────────────────────────────────────────

for (const version of ['20.20.2', '22.10.0', '22.18.0'])
  test(`Node ${version} is told which one is needed, before anything else`, { timeout: 300_000 }, async () => {
    const place = path.join(root, '.servers', `node-${version}`);
    const node = path.join(place, `node_modules/node-linux-${process.arch}/bin/node`);
    if (!fs.existsSync(node)) {
      const npm = spawn(
        'npm',
        ['install', '--prefix', place, '--ignore-scripts', `node-linux-${process.arch}@${version}`],
        { stdio: 'ignore', ...killedLate },
      );
      assert.deepEqual(await once(npm, 'close'), [0, null]);
    }
    const child = spawn(node, [path.join(root, 'node_modules/tsx/dist/cli.mjs'), 'cli.ts', '--help'], {
      cwd: root,
      ...killedLate,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', text => {
        said += text;
      });
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.equal(
      said,
      `Node ${version} is too old: Node 22.19 or later is needed.
Run "npm ci" in the folder of cli.ts: it brings Node 24, which npx then uses. Or install it from https://nodejs.org
`,
    );
  });
