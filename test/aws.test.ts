/** The AWS of the tests, seen by the real SDK clients: what the other tests rest on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { paginateDescribeDBClusters, paginateDescribeDBInstances, RDSClient } from '@aws-sdk/client-rds';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetParameterCommand, GetParametersCommand, SSMClient } from '@aws-sdk/client-ssm';
import { type Aws, bucket, caller, crash, type LambdaFunction, startAws } from './aws.ts';

const HUB = '111111111111';
const SHOP = '222222222222';
const hubRole = `arn:aws:iam::${HUB}:role/hub`;
const shopWorker = `arn:aws:lambda:eu-west-1:${SHOP}:function:worker`;

let aws: Aws;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aws-test-'));
  aws = await startAws();
});
after(async () => {
  await aws.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  for (const map of [aws.callers, aws.functions, aws.buckets, aws.parameters, aws.secrets, aws.rds, aws.logs])
    map.clear();
  for (const list of [aws.faults, aws.calls, aws.invocations]) list.length = 0;
  aws.callers.set('AKIAHUB', caller(HUB, 'hub'));
  aws.callers.set('AKIASHOP', caller(SHOP, 'shop'));
});

const settings = (key: string, region: string, maxAttempts?: number) => ({
  region,
  endpoint: aws.endpoint,
  credentials: { accessKeyId: key, secretAccessKey: 'x' },
  ...(maxAttempts && { maxAttempts }),
});
const lambda = (key = 'AKIAHUB', region = 'eu-west-1', maxAttempts = 1) =>
  new LambdaClient(settings(key, region, maxAttempts));
const s3 = (key = 'AKIAHUB', region = 'eu-west-1') => new S3Client(settings(key, region));
const ssm = (key = 'AKIASHOP', region = 'eu-west-1', maxAttempts = 1) =>
  new SSMClient(settings(key, region, maxAttempts));

async function invoke(name: string, event: unknown = {}, client = lambda()) {
  const { Payload, FunctionError } = await client.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
  );
  return { error: FunctionError, answer: JSON.parse(Buffer.from(Payload!).toString()) };
}

async function stream(name: string, event: unknown = {}, client = lambda()) {
  const { EventStream } = await client.send(
    new InvokeWithResponseStreamCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
  );
  const chunks: Uint8Array[] = [];
  for await (const { PayloadChunk, InvokeComplete } of EventStream!) {
    if (PayloadChunk) chunks.push(PayloadChunk.Payload!);
    if (InvokeComplete)
      return { text: Buffer.concat(chunks).toString(), chunks: chunks.length, complete: InvokeComplete };
  }
  return { text: Buffer.concat(chunks).toString(), chunks: chunks.length };
}

/** A package whose index.mjs holds this code. */
function packaged(code: string, options: Partial<LambdaFunction> = {}): LambdaFunction {
  const path = mkdtempSync(join(folder, 'package-'));
  writeFileSync(join(path, 'index.mjs'), code);
  return { role: 'AKIASHOP', package: path, timeoutSeconds: 5, memoryMB: 256, invokers: [hubRole], ...options };
}

function here(run: LambdaFunction['run'], options: Partial<LambdaFunction> = {}): LambdaFunction {
  return { role: 'AKIASHOP', run, invokers: [hubRole], ...options };
}

const fails = (name: string, message: RegExp) => (error: Error) => {
  assert.equal(error.name, name);
  assert.match(error.message, message);
  return true;
};

test('Lambda: a function of another account is reached by its ARN, in its region, if both sides allow it', async () => {
  aws.functions.set(
    shopWorker,
    here((event, context) => ({ ...event, arn: context.invokedFunctionArn })),
  );
  assert.deepEqual(await invoke(shopWorker, { n: 1 }), { error: undefined, answer: { n: 1, arn: shopWorker } });
  assert.deepEqual((await invoke('worker', {}, lambda('AKIASHOP'))).answer, { arn: shopWorker });
  assert.deepEqual((await invoke(`${SHOP}:function:worker`)).answer, { arn: shopWorker });
  assert.equal(aws.invocations.length, 3);
  assert.deepEqual(aws.invocations[0]!.event, { n: 1 });

  await assert.rejects(
    invoke(shopWorker, {}, lambda('AKIAHUB', 'us-east-1')),
    fails('ResourceNotFoundException', /not reachable/),
  );
  await assert.rejects(invoke('worker'), fails('ResourceNotFoundException', /function:worker/)); // the hub's own
  await assert.rejects(
    invoke('worker', {}, lambda('AKIASHOP', 'us-east-1')),
    fails('ResourceNotFoundException', /us-east-1/),
  );
  await assert.rejects(invoke(`${shopWorker}:7`), fails('ResourceNotFoundException', /:7$/));
  await assert.rejects(invoke(`${shopWorker}s`), fails('AccessDeniedException', /no resource-based policy/));
  aws.callers.set('AKIAHUB', caller(HUB, 'hub', [`lambda:InvokeFunction arn:aws:lambda:*:*:function:other*`]));
  await assert.rejects(invoke(shopWorker), fails('AccessDeniedException', /no identity-based policy/));
  aws.callers.set('AKIAHUB', caller(HUB, 'another'));
  await assert.rejects(invoke(shopWorker), fails('AccessDeniedException', /another.* no resource-based policy/));
  await assert.rejects(invoke(shopWorker, {}, lambda('AKIANOBODY')), fails('UnrecognizedClientException', /invalid/));
  aws.callers.get('AKIAHUB')!.expired = true;
  await assert.rejects(invoke(shopWorker), fails('ExpiredTokenException', /expired/));
  assert.equal(aws.invocations.length, 3);
  assert.equal(aws.calls.length, 12);
});

test('Lambda: a function that fails answers 200 with what failed', async () => {
  aws.functions.set(
    shopWorker,
    here(() => crash()),
  );
  assert.deepEqual(await invoke(shopWorker), {
    error: 'Unhandled',
    answer: { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: exit status 1' },
  });
  aws.functions.set(
    shopWorker,
    here(() => sleep(10_000), { timeoutSeconds: 0.1 }),
  );
  assert.match(
    (await invoke(shopWorker)).answer.errorMessage,
    /^RequestId: \S+ Error: Task timed out after 0.10 seconds$/,
  );
  aws.functions.set(
    shopWorker,
    here(() => 'x'.repeat(6_291_554)),
  );
  assert.equal((await invoke(shopWorker)).error, undefined);
  aws.functions.set(
    shopWorker,
    here(() => 'x'.repeat(6_291_555)),
  );
  assert.equal((await invoke(shopWorker)).answer.errorType, 'Function.ResponseSizeTooLarge');
  await assert.rejects(invoke(shopWorker, 'x'.repeat(6_291_455)), fails('RequestEntityTooLargeException', /6291456/));
});

test('Lambda: the SDK by default runs a function three times for one call, and with one attempt once', async () => {
  const faults = [
    { error: [500, 'ServiceException'] },
    { error: [429, 'TooManyRequestsException'] },
    { cut: 'after' },
  ] as const;
  for (const fault of faults) {
    for (const [maxAttempts, expected] of [
      [3, 3],
      [1, 1],
    ] as const) {
      aws.calls.length = aws.invocations.length = 0;
      aws.functions.set(
        shopWorker,
        here(() => 1),
      );
      aws.faults.splice(0, 1, { on: `Invoke ${shopWorker}`, times: 3, ...(fault as object) });
      await assert.rejects(invoke(shopWorker, {}, lambda('AKIAHUB', 'eu-west-1', maxAttempts)));
      assert.equal(aws.calls.length, expected);
      assert.deepEqual(
        aws.calls.map(({ attempt }) => attempt),
        [1, 2, 3].slice(0, expected),
      );
      assert.equal(aws.invocations.length, 'cut' in fault ? expected : 0); // cut after the function has run
    }
  }
});

test('Lambda: faults by name, one at a time', async () => {
  aws.functions.set(
    shopWorker,
    here(() => ({ ok: true })),
  );
  aws.faults.push({ on: 'Invoke *', error: [409, 'ResourceConflictException', 'in the following state: Pending'] });
  aws.faults.push({ on: 'Invoke *', error: [502, 'ENINotReadyException'] });
  aws.faults.push({ on: 'Invoke *', functionError: ['Runtime.ExitError', 'Runtime exited'] });
  aws.faults.push({ on: 'Invoke *', cut: 'before' });
  aws.faults.push({ on: 'Invoke *', cut: 5 });
  aws.faults.push({ on: 'Invoke *', delayMs: 200 });
  await assert.rejects(invoke(shopWorker), fails('ResourceConflictException', /Pending/));
  await assert.rejects(invoke(shopWorker), fails('ENINotReadyException', /./));
  assert.equal((await invoke(shopWorker)).answer.errorType, 'Runtime.ExitError');
  await assert.rejects(invoke(shopWorker), { code: 'ECONNRESET' });
  await assert.rejects(invoke(shopWorker), { message: /^aborted/ });
  const asked = Date.now();
  assert.deepEqual((await invoke(shopWorker)).answer, { ok: true });
  assert.ok(Date.now() - asked >= 200);
  assert.deepEqual(
    aws.calls.map(({ status, code }) => code ?? status),
    ['ResourceConflictException', 'ENINotReadyException', 200, 0, 200, 200],
  );
});

test('Lambda: a stream comes in frames, ends with InvokeComplete, and without it when it is cut', async () => {
  const lines = async (_: unknown, _context: unknown, out: { write: (text: string) => void }) => {
    out.write('{"type":"started","name":"Zoë"}\n');
    await sleep(50);
    out.write('{"type":"result"}\n');
  };
  aws.functions.set(shopWorker, here(lines));
  const whole = await stream(shopWorker);
  assert.equal(whole.text, '{"type":"started","name":"Zoë"}\n{"type":"result"}\n');
  assert.deepEqual(whole.complete, {});
  assert.equal(whole.chunks, 4);

  aws.faults.push({ on: 'InvokeWithResponseStream *', cut: /started/ });
  await assert.rejects(stream(shopWorker), { message: /^aborted/ });
  await aws.settled();
  assert.match(aws.invocations.at(-1)!.answer, /result/); // the function ran on to its end all the same
  assert.equal(aws.invocations.at(-1)!.error, undefined);

  aws.functions.set(
    shopWorker,
    here(async (...args) => {
      await lines(...args);
      throw new TypeError('late');
    }),
  );
  const failed = await stream(shopWorker);
  assert.equal(failed.complete!.ErrorCode, 'Unhandled');
  assert.deepEqual(JSON.parse(failed.complete!.ErrorDetails!), { errorType: 'TypeError', errorMessage: 'late' });
});

test('Lambda: a package runs in its own process, is kept for the next event, frozen meanwhile', async () => {
  aws.functions.set(
    shopWorker,
    packaged(`
    let calls = 0, ticks = 0;
    setInterval(() => ticks++, 20);
    export const handler = async (event, context) => {
      console.log('event', event.n);
      return { calls: ++calls, ticks, left: context.getRemainingTimeInMillis(), id: context.awsRequestId,
        memory: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, key: process.env.AWS_ACCESS_KEY_ID, region: process.env.AWS_REGION };
    };`),
  );
  const first = (await invoke(shopWorker, { n: 1 })).answer;
  await sleep(600);
  const second = (await invoke(shopWorker, { n: 2 })).answer;
  assert.deepEqual([first.calls, second.calls], [1, 2]);
  assert.ok(second.ticks - first.ticks < 10, `frozen, yet ${second.ticks - first.ticks} ticks went by`);
  assert.ok(first.left > 4000 && first.left <= 5000);
  assert.deepEqual([first.memory, first.key, first.region], ['256', 'AKIASHOP', 'eu-west-1']);
  assert.deepEqual(
    aws.invocations.map(({ requestId }) => requestId),
    [first.id, second.id],
  );
  assert.equal(aws.invocations[0]!.pid, aws.invocations[1]!.pid);
  await aws.settled();
  assert.ok(aws.invocations[1]!.memoryMB > 20);
  assert.equal(aws.logs.get(shopWorker), 'event 1\nevent 2\n');
});

test('Lambda: one event an environment at a time, throttled beyond the reserved concurrency', async () => {
  aws.functions.set(
    shopWorker,
    packaged(`export const handler = () => new Promise(done => setTimeout(() => done(process.pid), 500));`, {
      reservedConcurrency: 2,
    }),
  );
  const all = await Promise.allSettled([1, 2, 3].map(() => invoke(shopWorker)));
  const pids = all.map(each => (each.status === 'fulfilled' ? each.value.answer : each.reason.name)).sort();
  assert.equal(pids[2], 'TooManyRequestsException');
  assert.notEqual(pids[0], pids[1]);
});

test('Lambda: a package that fails, dies, hangs, eats its memory or does not load', async () => {
  const outcome = async (code: string, options?: Partial<LambdaFunction>) => {
    aws.functions.set(shopWorker, packaged(code, options));
    const { error, answer } = await invoke(shopWorker);
    return `${error} ${answer.errorType}: ${answer.errorMessage}`.replace(/RequestId: \S+/, 'RequestId: ID');
  };
  assert.equal(
    await outcome(`export const handler = async () => { throw new RangeError('no') }`),
    'Unhandled RangeError: no',
  );
  assert.equal(
    await outcome(`export const handler = async () => process.exit(3)`),
    'Unhandled Runtime.ExitError: RequestId: ID Error: Runtime exited with error: exit status 3',
  );
  assert.match(
    await outcome(`export const handler = () => new Promise(() => setTimeout(() => { throw new Error('stray') }, 10))`),
    /exit status 129$/,
  );
  assert.match(aws.logs.get(shopWorker)!, /stray/);
  assert.equal(
    await outcome(`export const handler = () => new Promise(() => setInterval(() => {}, 1000))`, { timeoutSeconds: 1 }),
    'Unhandled Sandbox.Timedout: RequestId: ID Error: Task timed out after 1.00 seconds',
  );
  assert.match(
    await outcome(
      `const held = []; export const handler = () => new Promise(() => setInterval(() => held.push(Buffer.alloc(2e7, 1)), 20))`,
      { memoryMB: 128 },
    ),
    /^Unhandled Runtime.ExitError: .*signal: (killed|aborted)/,
  );
  assert.equal(await outcome(`throw new Error('not today')`), 'Unhandled Error: not today');
  assert.match(await outcome(`import 'mysql2'`), /Cannot find package/); // though this tree has it
  aws.functions.set(shopWorker, packaged(`export const handler = async () => 'well'`));
  assert.equal((await invoke(shopWorker)).answer, 'well');
});

test('Lambda: a streaming package', async () => {
  aws.functions.set(
    shopWorker,
    packaged(`
    export const handler = awslambda.streamifyResponse(async (event, out) => {
      out.write('first\\n');
      await new Promise(done => setTimeout(done, 300));
      if (event.fail) throw new Error('broken off');
      if (event.die) process.exit(1);
      out.write('second\\n');
      out.end();
    });`),
  );
  const whole = await stream(shopWorker);
  assert.deepEqual([whole.text, whole.complete], ['first\nsecond\n', {}]);
  const failed = await stream(shopWorker, { fail: true });
  assert.equal(failed.text, 'first\n');
  assert.equal(JSON.parse(failed.complete!.ErrorDetails!).errorMessage, 'broken off');
  const died = await stream(shopWorker, { die: true });
  assert.equal(died.text, 'first\n');
  assert.equal(JSON.parse(died.complete!.ErrorDetails!).errorType, 'Runtime.ExitError');
  const plain = await invoke(shopWorker).catch(error => error);
  assert.match(String(plain), /SyntaxError/); // invoked without streaming the whole text is the payload: no JSON here

  aws.faults.push({ on: 'InvokeWithResponseStream *', cut: /first/ });
  await assert.rejects(stream(shopWorker), { message: /^aborted/ });
  await aws.settled();
  assert.equal(aws.invocations.at(-1)!.answer, 'first\nsecond\n');
});

const reports = () => bucket(HUB, 'eu-west-1', { writeOnceUnder: 'reports/' });
const put = (options: object, client = s3()) =>
  client.send(
    new PutObjectCommand({ Bucket: 'reports', Key: 'reports/a b+ü.csv', Body: 'one', IfNoneMatch: '*', ...options }),
  );

test('S3: an object is written once, with its checksum verified', async () => {
  aws.buckets.set('reports', reports());
  const { VersionId, ETag } = await put({ ContentType: 'text/csv' });
  assert.equal(ETag, `"${createHash('md5').update('one').digest('hex')}"`);
  await assert.rejects(put({ Body: 'two' }), fails('PreconditionFailed', /did not hold/));
  await assert.rejects(put({ IfNoneMatch: undefined }), fails('AccessDenied', /explicit deny/));
  await assert.rejects(put({ Key: 'reports/b', ChecksumSHA256: 'AAAA' }), fails('BadDigest', /sha256/));
  await assert.rejects(
    s3().send(new CreateMultipartUploadCommand({ Bucket: 'reports', Key: 'reports/b' })),
    fails('AccessDenied', /CreateMultipartUpload/),
  );

  const file = join(folder, 'file');
  writeFileSync(file, 'x'.repeat(200_000));
  await put({ Key: 'reports/trailer', Body: createReadStream(file) }); // the SDK's default: aws-chunked, CRC32 at the end
  const ChecksumSHA256 = createHash('sha256').update('x'.repeat(200_000)).digest('base64');
  await put({ Key: 'reports/plain', Body: createReadStream(file), ContentLength: 200_000, ChecksumSHA256 });
  const objects = aws.buckets.get('reports')!.objects;
  assert.deepEqual([...objects.keys()], ['reports/a b+ü.csv', 'reports/trailer', 'reports/plain']);
  for (const key of ['reports/trailer', 'reports/plain']) assert.equal(objects.get(key)![0]!.body.length, 200_000);

  const read = await s3().send(new GetObjectCommand({ Bucket: 'reports', Key: 'reports/a b+ü.csv' }));
  assert.deepEqual(
    [await read.Body!.transformToString(), read.VersionId, read.ETag, read.ContentType],
    ['one', VersionId, ETag, 'text/csv'],
  );
  const head = await s3().send(new HeadObjectCommand({ Bucket: 'reports', Key: 'reports/plain' }));
  assert.equal(head.ContentLength, 200_000);
  const page = await s3().send(new ListObjectsV2Command({ Bucket: 'reports', Prefix: 'reports/', MaxKeys: 2 }));
  assert.deepEqual(
    [page.Contents!.map(({ Key }) => Key), page.IsTruncated],
    [['reports/a b+ü.csv', 'reports/plain'], true],
  );
});

test('S3: without a length, from elsewhere, closed, slow, cut', async () => {
  aws.buckets.set('reports', reports());
  const signed = { authorization: 'AWS4-HMAC-SHA256 Credential=AKIAHUB/20261124/eu-west-1/s3/aws4_request' };
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(9));
      controller.close();
    },
  });
  const unsized = await fetch(`${aws.endpoint}/reports/x`, {
    method: 'PUT',
    headers: signed,
    body,
    duplex: 'half',
  } as RequestInit);
  assert.equal(unsized.status, 411);

  const get = (Key: string, client = s3(), more = {}) =>
    client.send(new GetObjectCommand({ Bucket: 'reports', Key, ...more }));
  await put({ Key: 'reports/one' });
  await assert.rejects(get('reports/none'), fails('NoSuchKey', /./));
  await assert.rejects(get('reports/one', s3(), { VersionId: 'older' }), fails('NoSuchVersion', /./));
  await assert.rejects(s3().send(new HeadObjectCommand({ Bucket: 'reports', Key: 'reports/none' })), {
    name: 'NotFound',
  });
  await assert.rejects(s3().send(new GetObjectCommand({ Bucket: 'other', Key: 'x' })), fails('NoSuchBucket', /./));
  await assert.rejects(get('reports/one', s3('AKIAHUB', 'us-east-1')), fails('PermanentRedirect', /endpoint/));
  await assert.rejects(get('reports/one', s3('AKIASHOP')), fails('AccessDenied', /no resource-based policy/));
  aws.buckets.get('reports')!.guests = [`arn:aws:iam::${SHOP}:role/shop`];
  assert.equal((await get('reports/one', s3('AKIASHOP'))).ContentLength, 3);
  aws.callers.set('AKIAHUB', caller(HUB, 'hub', ['s3:GetObject *', 's3:PutObject *'])); // as the orchestrator's role
  await assert.rejects(get('reports/none'), fails('AccessDenied', /s3:ListBucket/));
  aws.buckets.get('reports')!.deny = ['s3:PutObject *'];
  await assert.rejects(put({ Key: 'reports/two' }), fails('AccessDenied', /explicit deny/));
  aws.buckets.get('reports')!.deny = [];

  aws.calls.length = 0;
  aws.faults.push({ on: 'PutObject *', times: 2, error: [503, 'SlowDown', 'Please reduce your request rate.'] });
  await put({ Key: 'reports/three' });
  assert.deepEqual(
    aws.calls.map(({ status }) => status),
    [503, 503, 200],
  );
  aws.faults.push({ on: 'PutObject *', error: [409, 'ConditionalRequestConflict'] });
  await assert.rejects(put({ Key: 'reports/four' }), { name: 'ConditionalRequestConflict' });
  aws.faults.push({ on: 'PutObject *', cut: 'after' });
  await assert.rejects(put({ Key: 'reports/five' }), fails('PreconditionFailed', /./)); // by the SDK's own second attempt
  aws.faults.push({ on: 'GetObject *', cut: 2 });
  const broken = await get('reports/one');
  await assert.rejects(broken.Body!.transformToString(), { message: /^aborted/ });
});

const parameter = (name: string, account = SHOP, region = 'eu-west-1') =>
  `arn:aws:ssm:${region}:${account}:parameter/${name}`;

test('Parameter Store: ten names at most, answered in alphabetical order, unknown ones apart', async () => {
  for (const name of ['db/b', 'db/a', 'db/c'])
    aws.parameters.set(parameter(name), { value: `value of ${name}`, type: 'SecureString' });
  aws.parameters.set(parameter('db/a', HUB), { value: 'of the hub', type: 'String' });
  aws.secrets.set(`arn:aws:secretsmanager:eu-west-1:${SHOP}:secret:orders`, 'a secret');
  const get = (Names: string[], WithDecryption = true, client = ssm()) =>
    client.send(new GetParametersCommand({ Names, WithDecryption }));

  const reference = '/aws/reference/secretsmanager/orders';
  const { Parameters, InvalidParameters } = await get(['/db/c', '/db/zzz', '/db/a', `${reference}-none`, reference]);
  assert.deepEqual(
    Parameters!.map(({ Name }) => Name),
    [reference, '/db/a', '/db/c'],
  );
  assert.deepEqual(
    Parameters!.map(({ Value }) => Value),
    ['a secret', 'value of db/a', 'value of db/c'],
  );
  assert.deepEqual(
    Parameters!.map(({ ARN }) => ARN!.split(':')[4]),
    [SHOP, SHOP, SHOP],
  );
  assert.equal(Parameters![1]!.ARN, parameter('db/a'));
  assert.deepEqual(InvalidParameters, ['/db/zzz', `${reference}-none`]);

  assert.equal((await get(['/db/a'], true, ssm('AKIAHUB'))).Parameters![0]!.Value, 'of the hub');
  assert.deepEqual((await get(['/db/a'], true, ssm('AKIASHOP', 'us-east-1'))).InvalidParameters, ['/db/a']);
  assert.notEqual((await get(['/db/a'], false)).Parameters![0]!.Value, 'value of db/a');
  await assert.rejects(
    get(Array.from({ length: 11 }, (_, n) => `/db/${n}`)),
    fails('ValidationException', /less than or equal to 10/),
  );
  await assert.rejects(ssm().send(new GetParameterCommand({ Name: '/db/none' })), { name: 'ParameterNotFound' });

  aws.callers.set(
    'AKIASHOP',
    caller(SHOP, 'shop', [`ssm:GetParameter* ${parameter('db/*')}`, 'ssm:GetParameter* *:parameter/aws/*']),
  );
  await assert.rejects(
    get(['/db/a', '/other']),
    fails('AccessDeniedException', /parameter\/other because no identity/),
  ); // all, for one
  await assert.rejects(get(['/db/a', reference]), fails('ValidationException', /AWS dependency service/));
  assert.equal(
    (await ssm().send(new GetParameterCommand({ Name: '/db/a', WithDecryption: true }))).Parameter!.Value,
    'value of db/a',
  );
});

test('Parameter Store: throttled beyond its rate, by account and region', async () => {
  const get = (key: string, attempts: number) =>
    ssm(key, 'eu-west-1', attempts).send(new GetParametersCommand({ Names: ['/x'] }));
  const client = ssm();
  const burst = Array.from({ length: 200 }, () => client.send(new GetParametersCommand({ Names: ['/x'] })));
  const throttled = (await Promise.allSettled(burst)).filter(each => each.status === 'rejected');
  assert.ok(throttled.length > 5, `${throttled.length} throttled`);
  assert.equal(throttled[0]!.reason.name, 'ThrottlingException');
  await get('AKIAHUB', 1);
  aws.faults.push({ on: 'GetParameters *', times: 2, error: [400, 'ThrottlingException', 'Rate exceeded'] });
  aws.calls.length = 0;
  await get('AKIAHUB', 3);
  assert.deepEqual(
    aws.calls.map(({ attempt, status }) => `${attempt}: ${status}`),
    ['1: 400', '2: 400', '3: 200'],
  );
});

test('Lambda: a test that is killed leaves no frozen process behind', async () => {
  const { package: path } = packaged(`export const handler = async () => process.pid;`);
  const script = `
    import { startAws, caller } from ${JSON.stringify(join(import.meta.dirname, 'aws.ts'))};
    import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
    const aws = await startAws();
    aws.callers.set('AKIASHOP', caller('${SHOP}', 'shop'));
    aws.functions.set('${shopWorker}', { role: 'AKIASHOP', package: ${JSON.stringify(path)} });
    Object.assign(process.env, aws.env('AKIASHOP', 'eu-west-1'));
    await new LambdaClient().send(new InvokeCommand({ FunctionName: 'worker', Payload: '{}' }));
    await aws.settled();
    console.log(aws.invocations[0].pid);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await once(child.stdout, 'data');
  const pid = Number(String(output));
  assert.ok(pid > 0);
  assert.ok(process.kill(pid, 0)); // it is there, frozen
  child.kill('SIGKILL');
  for (let tries = 0; existsSync(`/proc/${pid}`); tries++) {
    assert.ok(tries < 100, `${pid} is still there`);
    await sleep(50);
  }
});

test('RDS: pages of instances and clusters of the own account and region; denied and throttled as the real one words it', async () => {
  const client = (key = 'AKIASHOP', maxAttempts = 1) => new RDSClient(settings(key, 'eu-west-1', maxAttempts));
  const instances = Array.from({ length: 250 }, (_, n) => ({
    ...{ DBInstanceIdentifier: `db-${n}`, Engine: 'mysql', EngineVersion: '8.4.7', DBInstanceStatus: 'available' },
    Endpoint: { Address: `db-${n}.rds.example`, Port: 3306 },
  }));
  const cluster = { DBClusterIdentifier: 'c', Engine: 'aurora-mysql', CustomEndpoints: ['one.example', 'a&b.example'] };
  aws.rds.set(`${SHOP} eu-west-1`, { instances, clusters: [cluster] });
  const pages: number[] = [];
  for await (const { DBInstances } of paginateDescribeDBInstances({ client: client() }, {})) {
    pages.push(DBInstances!.length);
    assert.equal(DBInstances![0]!.Endpoint!.Port, 3306);
  }
  assert.deepEqual(pages, [100, 100, 50]);
  for await (const { DBClusters } of paginateDescribeDBClusters({ client: client() }, {}))
    assert.deepEqual(DBClusters![0]!.CustomEndpoints, cluster.CustomEndpoints);
  const none = await paginateDescribeDBInstances({ client: client('AKIAHUB') }, {}).next();
  assert.deepEqual(none.value!.DBInstances ?? [], []);

  const first = (key: string, maxAttempts = 1) =>
    paginateDescribeDBInstances({ client: client(key, maxAttempts) }, {}).next();
  aws.callers.get('AKIAHUB')!.allow = ['rds:DescribeDBClusters *'];
  await assert.rejects(first('AKIAHUB'), fails('AccessDenied', /not authorized to perform: rds:DescribeDBInstances/));
  await assert.rejects(first('AKIANOBODY'), fails('InvalidClientTokenId', /invalid/));
  aws.faults.push({ on: 'DescribeDBInstances *', times: 2, error: [400, 'Throttling', 'Rate exceeded'] });
  aws.calls.length = 0;
  assert.equal((await first('AKIASHOP', 3)).value!.DBInstances!.length, 100);
  assert.deepEqual(
    aws.calls.map(({ code }) => code),
    ['Throttling', 'Throttling', undefined],
  );
});
