/**
 * The AWS of the tests: Lambda, S3, Parameter Store and RDS on one loopback port, for the real SDK clients
 * (`AWS_ENDPOINT_URL`). Fill its maps, run the code, read its records:
 *
 *   const aws = await startAws();
 *   aws.callers.set('AKIAHUB', caller('111111111111', 'db-admin-report-orchestrator'));
 *   aws.functions.set('arn:aws:lambda:us-east-1:111111111111:function:db-admin-report-worker', {
 *     role: 'AKIAHUB', package: 'dist/worker', timeoutSeconds: 300, memoryMB: 512 });
 *   aws.faults.push({ on: 'PutObject *', times: 2, error: [503, 'SlowDown'] });
 *   spawn('node', ['cli.ts'], { env: aws.env('AKIAHUB', 'us-east-1') });
 *   aws.calls; aws.invocations; aws.logs; await aws.stop();
 *
 * Who calls is told by the access key; each account sees only its own, or what a resource policy opens to it. Errors and
 * limits are worded as AWS words them; signatures and encryption are not checked.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { createRuntime, type LambdaFunction, type Started } from './lambda-runtime.ts';

export type { Invocation, LambdaFunction, Run } from './lambda-runtime.ts';

/** A role with its policy: `allow` holds `action resource` with `*` as in IAM. */
export type Caller = { account: string; role: string; allow: string[]; expired?: boolean };

export type StoredObject = { version: string; body: Buffer; headers: Record<string, string>; modified: Date };
export type Bucket = {
  account: string;
  region: string;
  /** All versions of a key, the newest last. */
  objects: Map<string, StoredObject[]>;
  /** Role ARNs, or account ids, of other accounts that its policy lets in. */
  guests?: string[];
  /** `action resource`: what its policy denies to everybody. */
  deny?: string[];
  /** Its policy denies a put under this prefix that has no If-None-Match. */
  writeOnceUnder?: string;
};
export type Parameter = { value: string; type: 'String' | 'SecureString' };

/** What RDS has, with the names of its API: `DBInstances` is made of the first, `DBClusters` of the second. */
export type Rds = { instances: Record<string, unknown>[]; clusters: Record<string, unknown>[] };

/**
 * Something that goes wrong with the calls that `on` names (`Operation resource`, with `*`): `error` in place of doing
 * it, `functionError` in place of running the function, `delayMs` before it, `cut` of the connection: 'before' it is
 * done, 'after' it with no answer, after so many bytes of the answer, or of a stream once what was streamed matches.
 */
export type Fault = {
  on: string;
  times?: number;
  /** how many of these calls go well first */
  after?: number;
  error?: [status: number, code: string, message?: string];
  functionError?: [errorType: string, errorMessage: string];
  delayMs?: number;
  cut?: 'before' | 'after' | number | RegExp;
};

/** One request: `status` is 0 while, or for ever when, it has no answer. `attempt` is the SDK's own count. */
export type Call = {
  at: number;
  operation: string;
  resource: string;
  caller: string;
  region: string;
  attempt: number;
  status: number;
  code?: string;
};

export type Aws = Awaited<ReturnType<typeof startAws>>;

type Request = {
  method: string;
  url: URL;
  headers: IncomingHttpHeaders;
  body: Buffer;
  key: string;
  caller: Caller;
  region: string;
  fault?: Fault;
};
type Body = Buffer | AsyncIterable<Buffer>;
type Answer = { status: number; headers?: Record<string, string>; body?: Body };
type Operation = { operation: string; resource: string; perform: () => Answer | Promise<Answer> };

const REQUEST_LIMIT = 6_291_456; // 6 MB, and what Lambda itself adds to an answer
const RESPONSE_LIMIT = 6_291_556;

/** A role that may do everything, or what `allow` names. */
export function caller(account: string, role: string, allow = ['* *']): Caller {
  return { account, role, allow };
}

export function bucket(account: string, region: string, options: Partial<Bucket> = {}): Bucket {
  return { account, region, objects: new Map(), ...options };
}

/** For a `run`: ends as a process does that dies. */
export function crash(): never {
  return raise('Runtime.ExitError', 'Runtime exited with error: exit status 1');
}

function raise(name: string, message: string): never {
  throw Object.assign(new Error(message), { name });
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

type Refusal = Error & { refusal: { status: number; code: string; headers: Record<string, string> } };
function refuse(status: number, code: string, message = code, headers: Record<string, string> = {}): never {
  throw Object.assign(new Error(message), { refusal: { status, code, headers } }) satisfies Refusal;
}

/** Throws unless the caller's own policy and, across accounts, the resource's let it. */
function authorize(request: Request, action: string, resource: string, account: string, guests: string[] = []): void {
  const { caller } = request;
  const identity = caller.allow.some(allowed => matches(allowed, `${action} ${resource}`));
  const invited =
    guests.includes(`arn:aws:iam::${caller.account}:role/${caller.role}`) || guests.includes(caller.account);
  if (caller.account === account ? identity || invited : identity && invited) return;
  denied(
    request,
    action,
    resource,
    `because no ${identity ? 'resource' : 'identity'}-based policy allows the ${action} action`,
  );
}

function denied({ caller }: Request, action: string, resource: string, why: string): never {
  const user = `arn:aws:sts::${caller.account}:assumed-role/${caller.role}/session`;
  refuse(403, 'AccessDenied', `User: ${user} is not authorized to perform: ${action} on resource: ${resource} ${why}`);
}

/** Starts everything; `parametersPerSecond` is Parameter Store's limit for an account and region. */
export async function startAws({ parametersPerSecond = 40 } = {}) {
  const callers = new Map<string, Caller>();
  const functions = new Map<string, LambdaFunction>(); // by unqualified ARN
  const buckets = new Map<string, Bucket>(); // by name
  const parameters = new Map<string, Parameter>(); // by ARN
  const rds = new Map<string, Rds>(); // by `account region`
  const secrets = new Map<string, string>(); // Secrets Manager's, by ARN without its six random characters
  const faults: Fault[] = [];
  const calls: Call[] = [];
  const runtime = createRuntime((role, region) => env(role, region));

  // ---- Lambda ------------------------------------------------------------------------------------------------------

  function lambda(request: Request): Operation {
    const [, name, path] = /^\/[^/]+\/functions\/([^/]+)\/(.+)$/.exec(request.url.pathname) ?? [];
    const operation = { invocations: 'Invoke', 'response-streaming-invocations': 'InvokeWithResponseStream' }[
      path ?? ''
    ];
    const [arn, qualifier] = functionArn(decodeURIComponent(name ?? ''), request);
    const perform = async () => {
      const [, , , region, account] = arn.split(':') as [string, string, string, string, string];
      const target = functions.get(arn);
      if (region !== request.region) {
        const message = `Functions from '${region}' are not reachable in this region ('${request.region}')`;
        refuse(404, 'ResourceNotFoundException', message);
      }
      authorize(request, 'lambda:InvokeFunction', arn, account, target?.invokers);
      if (!target || qualifier) {
        refuse(404, 'ResourceNotFoundException', `Function not found: ${arn}${qualifier ? `:${qualifier}` : ''}`);
      }
      if (request.body.length > REQUEST_LIMIT) {
        const message = `Request must be smaller than ${REQUEST_LIMIT} bytes for the InvokeFunction operation`;
        refuse(413, 'RequestEntityTooLargeException', message);
      }
      try {
        JSON.parse(request.body.toString());
      } catch {
        refuse(400, 'InvalidRequestContentException', 'Could not parse request body into json');
      }
      const { functionError } = request.fault ?? {};
      const pretended = functionError && { role: target.role, run: () => raise(...functionError) };
      const started = runtime.start(arn, pretended ?? target, request.body, request.key);
      if (!started) refuse(429, 'TooManyRequestsException', 'Rate Exceeded.');
      const headers = { 'x-amzn-requestid': started.requestId, 'x-amz-executed-version': '$LATEST' };
      return operation === 'Invoke' ? buffered(started, headers) : streamed(started, headers, request.fault?.cut);
    };
    if (!operation) refuse(501, 'NotImplemented', request.url.pathname);
    return { operation, resource: arn, perform };
  }

  /** A name, `account:function:name` or an ARN, each with or without a qualifier → [unqualified ARN, qualifier]. */
  function functionArn(name: string, request: Request): [string, string | undefined] {
    const [, region = request.region, account = request.caller.account, plain, qualifier] =
      /^(?:arn:aws:lambda:([^:]+):)?(?:(\d+):function:)?([^:]+)(?::(.+))?$/.exec(name) ?? [];
    const asked = qualifier ?? request.url.searchParams.get('Qualifier') ?? '$LATEST';
    return [`arn:aws:lambda:${region}:${account}:function:${plain}`, asked === '$LATEST' ? undefined : asked];
  }

  async function buffered(started: Started, headers: Record<string, string>): Promise<Answer> {
    let error = await started.answered;
    let body = await buffer(started.chunks as AsyncIterable<Buffer<ArrayBuffer>>);
    if (!error && body.length > RESPONSE_LIMIT) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${RESPONSE_LIMIT} bytes).`;
      error = { errorType: 'Function.ResponseSizeTooLarge', errorMessage };
    }
    if (error) body = Buffer.from(JSON.stringify(error));
    const failed: Record<string, string> = error ? { 'x-amz-function-error': 'Unhandled' } : {};
    return { status: 200, headers: { ...headers, ...failed, 'content-type': 'application/json' }, body };
  }

  function streamed(started: Started, headers: Record<string, string>, cut: Fault['cut']): Answer {
    async function* events(): AsyncGenerator<Buffer> {
      let text = '';
      for await (const chunk of started.chunks) {
        // A frame knows nothing of lines or characters: the halves keep the reader from relying on it.
        const half = Math.ceil(chunk.length / 2);
        for (const part of [chunk.subarray(0, half), chunk.subarray(half)]) {
          if (part.length) yield eventFrame('PayloadChunk', 'application/octet-stream', part);
        }
        text += chunk;
        if (cut instanceof RegExp && cut.test(text)) throw new Error('cut');
      }
      const error = await started.answered;
      const complete = error ? { ErrorCode: 'Unhandled', ErrorDetails: JSON.stringify(error) } : {};
      yield eventFrame('InvokeComplete', 'application/json', Buffer.from(JSON.stringify(complete)));
    }
    const type = { 'content-type': 'application/vnd.amazon.eventstream' };
    return { status: 200, headers: { ...headers, ...type }, body: events() };
  }

  // ---- S3 ----------------------------------------------------------------------------------------------------------

  function s3(request: Request): Operation {
    const [name, ...rest] = request.url.pathname.slice(1).split('/').map(decodeURIComponent) as [string, ...string[]];
    const key = rest.join('/');
    const query = request.url.searchParams;
    const operation = operationOf();
    const object = `arn:aws:s3:::${name}/${key}`;
    const perform = (): Answer => {
      const found = buckets.get(name) ?? refuse(404, 'NoSuchBucket', 'The specified bucket does not exist');
      if (found.region !== request.region) {
        const message = 'The bucket you are attempting to access must be addressed using the specified endpoint.';
        refuse(301, 'PermanentRedirect', message, { 'x-amz-bucket-region': found.region });
      }
      switch (operation) {
        case 'PutObject':
          return put(found);
        case 'GetObject':
        case 'HeadObject':
          return get(found);
        case 'ListObjectsV2':
          return list(found);
        default:
          return refuse(403, 'AccessDenied', `${operation} is not for this project`);
      }
    };
    return { operation, resource: key ? object : `arn:aws:s3:::${name}`, perform };

    function operationOf(): string {
      if (request.method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'PostObject';
      if (request.method === 'PUT') return query.has('uploadId') ? 'UploadPart' : key ? 'PutObject' : 'CreateBucket';
      if (request.method === 'GET') return key ? 'GetObject' : query.has('list-type') ? 'ListObjectsV2' : 'ListObjects';
      if (request.method === 'HEAD') return key ? 'HeadObject' : 'HeadBucket';
      return 'DeleteObject';
    }

    function mayI(action: string, resource: string, found: Bucket): void {
      if (found.deny?.some(pattern => matches(pattern, `${action} ${resource}`))) {
        denied(request, action, resource, 'with an explicit deny in a resource-based policy');
      }
      authorize(request, action, resource, found.account, found.guests);
    }

    function put(found: Bucket): Answer {
      mayI('s3:PutObject', object, found);
      const condition = request.headers['if-none-match'];
      if (found.writeOnceUnder !== undefined && key.startsWith(found.writeOnceUnder) && condition !== '*') {
        denied(request, 's3:PutObject', object, 'with an explicit deny in a resource-based policy');
      }
      const { body, checksums } = readUpload(request);
      if (condition === '*' && found.objects.has(key)) {
        refuse(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
      }
      const { 'content-type': type = 'binary/octet-stream', 'content-disposition': disposition } = request.headers;
      const algorithm = request.headers['x-amz-sdk-checksum-algorithm'];
      const meta = Object.entries(request.headers).filter(([name]) => name.startsWith('x-amz-meta-'));
      const headers = {
        etag: `"${digest('md5', body).toString('hex')}"`,
        'content-type': type,
        ...(disposition && { 'content-disposition': disposition }),
        ...(algorithm && { 'x-amz-sdk-checksum-algorithm': String(algorithm) }),
        ...Object.fromEntries(meta as [string, string][]),
        ...checksums,
      };
      const version = randomUUID().replaceAll('-', '');
      found.objects.set(key, [...(found.objects.get(key) ?? []), { version, body, headers, modified: new Date() }]);
      return { status: 200, headers: { etag: headers.etag, 'x-amz-version-id': version, ...checksums } };
    }

    function get(found: Bucket): Answer {
      const wanted = query.get('versionId');
      mayI(wanted ? 's3:GetObjectVersion' : 's3:GetObject', object, found);
      const versions = found.objects.get(key);
      const stored = wanted ? versions?.find(({ version }) => version === wanted) : versions?.at(-1);
      if (!stored) {
        mayI('s3:ListBucket', `arn:aws:s3:::${name}`, found); // who may not list is not told that there is nothing
        refuse(404, wanted ? 'NoSuchVersion' : 'NoSuchKey', 'The specified key does not exist.');
      }
      const headers = {
        ...stored.headers,
        'x-amz-version-id': stored.version,
        'last-modified': stored.modified.toUTCString(),
        'content-length': String(stored.body.length),
      };
      return { status: 200, headers, body: stored.body };
    }

    function list(found: Bucket): Answer {
      mayI('s3:ListBucket', `arn:aws:s3:::${name}`, found);
      const prefix = query.get('prefix') ?? '';
      const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
      const keys = [...found.objects.keys()].filter(each => each.startsWith(prefix) && each > after).sort();
      const page = keys.slice(0, Number(query.get('max-keys') ?? 1000));
      const more = page.length < keys.length;
      const contents = page.map(each => {
        const { body, headers, modified } = found.objects.get(each)!.at(-1)!;
        const fields = { Key: each, LastModified: modified.toISOString(), ETag: headers.etag, Size: body.length };
        return element(
          'Contents',
          Object.entries(fields).map(([name, value]) => element(name, escapeXml(value))),
        );
      });
      const fields = [
        ...[element('Name', name), element('Prefix', escapeXml(prefix)), element('KeyCount', page.length)],
        ...[element('IsTruncated', more), more ? element('NextContinuationToken', escapeXml(page.at(-1))) : ''],
      ];
      const body = Buffer.from(element('ListBucketResult', [...fields, ...contents]));
      return { status: 200, headers: { 'content-type': 'application/xml' }, body };
    }
  }

  // ---- Parameter Store ---------------------------------------------------------------------------------------------

  const tokens = new Map<string, { left: number; at: number }>();

  function ssm(request: Request): Operation {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const { caller, region } = request;
    const input = JSON.parse(request.body.toString()) as { Name?: string; Names?: string[]; WithDecryption?: boolean };
    const names = input.Names ?? [String(input.Name)];
    const arnOf = (name: string) =>
      name.startsWith('arn:') ? name : `arn:aws:ssm:${region}:${caller.account}:parameter/${name.replace(/^\//, '')}`;
    const perform = (): Answer => {
      throttle();
      if (operation === 'GetParameters') {
        if (names.length < 1 || names.length > 10) {
          const constraint = 'Member must have length less than or equal to 10';
          refuse(
            400,
            'ValidationException',
            `1 validation error detected: Value at 'names' failed to satisfy constraint: ${constraint}`,
          );
        }
        if (new Set(names).size < names.length) refuse(400, 'ValidationException', 'Duplicate names in the request');
        for (const name of names) authorize(request, 'ssm:GetParameters', arnOf(name), caller.account);
        const read = names.map(name => readParameter(name)).filter(parameter => parameter !== undefined);
        const found = read.sort((one, other) => (one.Name < other.Name ? -1 : 1)); // never the order of the question
        const invalid = names.filter(name => !found.some(parameter => parameter.Name === name));
        return json({ Parameters: found, InvalidParameters: invalid });
      }
      if (operation !== 'GetParameter') refuse(400, 'UnknownOperationException', operation);
      authorize(request, 'ssm:GetParameter', arnOf(names[0] as string), caller.account);
      return json({ Parameter: readParameter(names[0] as string) ?? refuse(400, 'ParameterNotFound', ' ') });
    };
    return { operation, resource: names.map(arnOf).join(','), perform };

    function throttle(): void {
      const bucket = `${caller.account} ${region}`;
      const { left, at } = tokens.get(bucket) ?? { left: parametersPerSecond, at: Date.now() };
      const refilled = Math.min(parametersPerSecond, left + ((Date.now() - at) / 1000) * parametersPerSecond);
      tokens.set(bucket, { left: Math.max(0, refilled - 1), at: Date.now() });
      if (refilled < 1) refuse(400, 'ThrottlingException', 'Rate exceeded');
    }

    function readParameter(name: string): { Name: string; [field: string]: unknown } | undefined {
      const secret = /^\/aws\/reference\/secretsmanager\/(.+)$/.exec(name)?.[1];
      if (secret) return readSecret(name, secret);
      const ARN = arnOf(name);
      const found = parameters.get(ARN);
      if (!found) return undefined;
      const Value = found.type === 'String' || input.WithDecryption ? found.value : 'AQICAHh-not-decrypted';
      return { Name: name, ARN, Type: found.type, Value, Version: 1, DataType: 'text', LastModifiedDate: 1790000000 };
    }

    /** Through to Secrets Manager, with the caller's own right; a secret that is denied fails the whole request. */
    function readSecret(name: string, secret: string): { Name: string; [field: string]: unknown } | undefined {
      if (!input.WithDecryption) {
        if (operation === 'GetParameters') return undefined;
        refuse(400, 'ValidationException', 'WithDecryption flag must be True for retrieving a Secret Manager secret.');
      }
      const arn = `arn:aws:secretsmanager:${region}:${caller.account}:secret:${secret}`;
      if (!caller.allow.some(allowed => matches(allowed, `secretsmanager:GetSecretValue ${arn}-AbCdEf`))) {
        refuse(400, 'ValidationException', 'An error occurred while calling one AWS dependency service.');
      }
      const Value = secrets.get(arn);
      if (Value === undefined) return undefined;
      const SourceResult = JSON.stringify({ ARN: `${arn}-AbCdEf`, name: secret, secretString: Value });
      return { Name: name, ARN: `${arn}-AbCdEf`, Type: 'SecureString', Value, Version: 0, SourceResult };
    }
  }

  // ---- RDS: the Query protocol, a form in and XML out, a hundred at a time ------------------------------------------

  function describe(request: Request): Operation {
    const { caller, region, body } = request;
    const form = new URLSearchParams(body.toString());
    const operation = form.get('Action') ?? '';
    const kind = { DescribeDBInstances: 'DBInstance', DescribeDBClusters: 'DBCluster' }[operation];
    if (!kind) refuse(400, 'InvalidAction', `Could not find operation ${operation}`);
    const resource = `arn:aws:rds:${region}:${caller.account}:${kind === 'DBInstance' ? 'db' : 'cluster'}:*`;
    const perform = (): Answer => {
      authorize(request, `rds:${operation}`, resource, caller.account);
      const found = rds.get(`${caller.account} ${region}`);
      const all = (kind === 'DBInstance' ? found?.instances : found?.clusters) ?? [];
      const from = Number(form.get('Marker') ?? 0);
      const size = Number(form.get('MaxRecords') ?? 100);
      const items = all.slice(from, from + size).map(item => element(kind, rdsFields(item)));
      const marker = from + size < all.length ? element('Marker', from + size) : '';
      const result = element(`${operation}Result`, [marker, element(`${kind}s`, items)]);
      const xml = element(`${operation}Response`, [result, element('ResponseMetadata', element('RequestId', '1'))]);
      return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(xml) };
    };
    return { operation, resource, perform };
  }

  // ---- the port ----------------------------------------------------------------------------------------------------

  const services: Record<string, (request: Request) => Operation> = { lambda, s3, ssm, rds: describe };

  const server = createServer(async (incoming, response) => {
    const [, key = '', region = '', service = ''] =
      /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)\/aws4_request/.exec(incoming.headers.authorization ?? '') ?? [];
    const call: Call = {
      ...{ at: Date.now(), operation: '', resource: '', caller: key, region, status: 0 },
      attempt: Number(/attempt=(\d+)/.exec(String(incoming.headers['amz-sdk-request']))?.[1] ?? 1),
    };
    calls.push(call);
    let fault: Fault | undefined;
    let answer: Answer;
    try {
      const body = await buffer(incoming);
      const url = new URL(incoming.url ?? '', 'http://localhost');
      const known = callers.get(key);
      const request: Request = {
        ...{ method: incoming.method ?? '', url, headers: incoming.headers, body, key, region },
        caller: known ?? caller('', '', []),
      };
      const { operation, resource, perform } = (services[service] ?? refuse(400, 'UnknownService', service))(request);
      Object.assign(call, { operation, resource });
      fault = takeFault(`${operation} ${resource}`);
      if (fault?.delayMs) await sleep(fault.delayMs, undefined, { ref: false });
      if (fault?.cut === 'before') return void incoming.socket.destroy();
      if (fault?.error) refuse(...fault.error);
      request.fault = fault;
      if (!known) refuse(403, 'UnknownKey', 'The security token included in the request is invalid.');
      if (known.expired) refuse(403, 'ExpiredToken', 'The security token included in the request is expired');
      verifyHash(request);
      answer = await perform();
    } catch (error) {
      if (!('refusal' in (error as Refusal))) {
        if (!incoming.complete) return; // the client went away
        console.error(error); // a bug of this file: say so where a developer sees it
      }
      answer = errorAnswer(service, error as Refusal, call);
    }
    call.status = answer.status;
    await send(response, incoming.method === 'HEAD', answer, fault?.cut);
  });

  function takeFault(what: string): Fault | undefined {
    const fault = faults.find(({ on, times = 1 }) => times > 0 && matches(on, what));
    if (fault?.after) {
      fault.after--;
      return undefined;
    }
    if (fault) fault.times = (fault.times ?? 1) - 1;
    return fault;
  }

  server.keepAliveTimeout = 20_000; // about AWS's own
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  /** The environment of a process that works with this key, here and nowhere else. */
  function env(key: string, region: string): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      AWS_ACCESS_KEY_ID: key,
      AWS_SECRET_ACCESS_KEY: `secret-of-${key}`,
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    };
  }

  async function stop(): Promise<void> {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
    await runtime.stop();
  }

  const { invocations, logs, settled } = runtime;
  const records = { calls, invocations, logs };
  return { callers, functions, buckets, parameters, secrets, rds, faults, ...records, endpoint, env, settled, stop };
}

/** A message of application/vnd.amazon.eventstream: lengths, their CRC, headers, payload, CRC of it all. */
export function eventFrame(eventType: string, contentType: string, payload: Buffer): Buffer {
  const headers = Object.entries({ ':event-type': eventType, ':content-type': contentType, ':message-type': 'event' });
  const headerBytes = Buffer.concat(
    headers.flatMap(([name, value]) => {
      const length = Buffer.from([7, value.length >> 8, value.length & 255]); // 7: a string
      return [Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)];
    }),
  );
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + headerBytes.length + payload.length, 0);
  prelude.writeUInt32BE(headerBytes.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, headerBytes, payload, Buffer.alloc(4)]);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}

/** Sends the answer, or of it what a cut lets through. */
async function send(response: ServerResponse, headOnly: boolean, answer: Answer, cut: Fault['cut']): Promise<void> {
  const { status, headers = {}, body = Buffer.alloc(0) } = answer;
  if (cut === 'after') {
    if (!Buffer.isBuffer(body)) for await (const _ of body);
    return void response.socket?.destroy();
  }
  if (Buffer.isBuffer(body)) headers['content-length'] ??= String(body.length);
  response.writeHead(status, { 'x-amzn-requestid': randomUUID(), ...headers });
  let left = typeof cut === 'number' ? cut : Number.POSITIVE_INFINITY;
  try {
    for await (const part of Buffer.isBuffer(body) ? [body] : body) {
      if (!headOnly) response.write(part.subarray(0, left));
      left -= part.length;
      if (left <= 0) throw new Error('cut');
    }
    response.end();
  } catch {
    await sleep(20); // what was written is to arrive before the end of the connection does
    response.socket?.destroy();
  }
}

/** What is refused for the same reason in each service's own words. */
const WORDS: Record<string, Record<string, [status: number, code: string]>> = {
  AccessDenied: { lambda: [403, 'AccessDeniedException'], ssm: [400, 'AccessDeniedException'] },
  UnknownKey: {
    lambda: [403, 'UnrecognizedClientException'],
    s3: [403, 'InvalidAccessKeyId'],
    ssm: [400, 'UnrecognizedClientException'],
    rds: [403, 'InvalidClientTokenId'],
  },
  ExpiredToken: {
    lambda: [403, 'ExpiredTokenException'],
    s3: [400, 'ExpiredToken'],
    ssm: [400, 'ExpiredTokenException'],
  },
};

function errorAnswer(service: string, error: Partial<Refusal> & Error, call: Call): Answer {
  const { status = 500, code = 'InternalFailure', headers = {} } = error.refusal ?? {};
  const [ownStatus, ownCode] = WORDS[code]?.[service] ?? [status, code];
  call.code = ownCode;
  if (service === 's3') {
    const xml = element('Error', [element('Code', ownCode), element('Message', escapeXml(error.message))]);
    return { status: ownStatus, headers: { ...headers, 'content-type': 'application/xml' }, body: Buffer.from(xml) };
  }
  if (service === 'rds') {
    const fields = [element('Type', 'Sender'), element('Code', ownCode), element('Message', escapeXml(error.message))];
    const xml = element('ErrorResponse', [element('Error', fields), element('RequestId', '1')]);
    return { status: ownStatus, headers: { 'content-type': 'text/xml' }, body: Buffer.from(xml) };
  }
  if (service === 'ssm') return json({ __type: ownCode, message: error.message }, ownStatus);
  return json({ Type: 'User', message: error.message }, ownStatus, { ...headers, 'x-amzn-errortype': ownCode });
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.1', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function element(name: string, content: unknown): string {
  return `<${name}>${Array.isArray(content) ? content.join('') : content}</${name}>`;
}

/** A list of texts is one of members, an object is nested. */
function rdsFields(item: Record<string, unknown>): string[] {
  return Object.entries(item).map(([name, value]) => {
    if (Array.isArray(value))
      return element(
        name,
        value.map(each => element('member', escapeXml(each))),
      );
    if (typeof value === 'object') return element(name, rdsFields(value as Record<string, unknown>));
    return element(name, escapeXml(value));
  });
}

function escapeXml(value: unknown): string {
  return String(value).replace(/[<>&"]/g, character => `&#${character.charCodeAt(0)};`);
}

function digest(algorithm: string, data: Buffer): Buffer {
  return createHash(algorithm).update(data).digest();
}

/** The hash that is signed with the request, unless the client chose to sign none. */
function verifyHash({ headers, body }: Request): void {
  const claimed = String(headers['x-amz-content-sha256']);
  if (/^[0-9a-f]{64}$/.test(claimed) && claimed !== digest('sha256', body).toString('hex')) {
    refuse(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
}

const CHECKSUMS: Record<string, (data: Buffer) => string> = {
  'content-md5': data => digest('md5', data).toString('base64'),
  'x-amz-checksum-sha1': data => digest('sha1', data).toString('base64'),
  'x-amz-checksum-sha256': data => digest('sha256', data).toString('base64'),
  'x-amz-checksum-crc32': data => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(data));
    return bytes.toString('base64');
  },
};

/** What a put carries, with every checksum verified: S3 wants the length first, in one header or the other. */
function readUpload({ headers, body }: Request): { body: Buffer; checksums: Record<string, string> } {
  const chunked = String(headers['x-amz-content-sha256']).startsWith('STREAMING-');
  const length = chunked ? headers['x-amz-decoded-content-length'] : headers['content-length'];
  if (length === undefined) refuse(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  const { data, trailers } = chunked ? decodeAwsChunked(body) : { data: body, trailers: {} };
  if (data.length !== Number(length)) {
    refuse(400, 'IncompleteBody', 'The request body terminated unexpectedly');
  }
  const claimed = Object.entries({ ...headers, ...trailers } as Record<string, string>).filter(
    ([name]) => name === 'content-md5' || /^x-amz-checksum-(?!algorithm|mode|type)/.test(name),
  );
  for (const [name, value] of claimed) {
    const compute = CHECKSUMS[name] ?? refuse(501, 'NotImplemented', name);
    if (compute(data) !== value) refuse(400, 'BadDigest', `The ${name} you specified did not match what we received.`);
  }
  return { body: data, checksums: Object.fromEntries(claimed.filter(([name]) => name !== 'content-md5')) };
}

/** `hex-length CRLF data CRLF … 0 CRLF name:value CRLF … CRLF` */
function decodeAwsChunked(body: Buffer): { data: Buffer; trailers: Record<string, string> } {
  const data: Buffer[] = [];
  let at = 0;
  while (true) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.subarray(at, lineEnd).toString(), 16);
    if (lineEnd < 0 || Number.isNaN(length)) refuse(400, 'IncompleteBody', 'The request body terminated unexpectedly');
    at = lineEnd + 2;
    if (length === 0) break;
    data.push(body.subarray(at, at + length));
    at += length + 2;
  }
  const lines = body.subarray(at).toString().split('\r\n').filter(Boolean);
  const trailers = lines.map(line => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  return { data: Buffer.concat(data), trailers: Object.fromEntries(trailers) };
}
