/**
 * The program inside an execution environment: loads the package's handler, then takes one event after the other from the
 * Lambda Runtime API. It behaves as Lambda's own client for Node.js does, which is not used since it needs a native module
 * (github.com/aws/aws-lambda-nodejs-runtime-interface-client).
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import type { FunctionError } from './lambda-runtime.ts';

type Handler = (event: unknown, ...rest: unknown[]) => unknown;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');

/** What a streaming handler may use of its stream: Lambda hands over these names bound to a request, not a Writable. */
const STREAM_METHODS = [
  ...['write', 'end', 'cork', 'uncork', 'destroy', 'on', 'once', 'off', 'emit', 'addListener', 'removeListener'],
  ...['removeAllListeners', 'listeners', 'listenerCount', 'eventNames', 'setMaxListeners', 'getMaxListeners'],
];
const STREAM_PROPERTIES = [
  ...['writable', 'writableEnded', 'writableFinished', 'writableNeedDrain', 'writableHighWaterMark'],
  ...['writableLength', 'writableCorked', 'writableObjectMode', 'destroyed'],
];

const RUNTIME = '/2018-06-01/runtime';
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function toApi(method: string, path: string, headers: Record<string, string | string[]> = {}) {
  const [hostname, port] = String(process.env.AWS_LAMBDA_RUNTIME_API).split(':');
  const out = request({ agent, hostname, port, method, path: RUNTIME + path, headers });
  const reply = new Promise<{ headers: IncomingMessage['headers']; body: Buffer }>((resolve, reject) => {
    out.on('error', reject);
    out.on('response', async answer => resolve({ headers: answer.headers, body: await buffer(answer) }));
  });
  return { out, reply };
}

function post(path: string, body: string): Promise<unknown> {
  const { out, reply } = toApi('POST', path, { 'Content-Type': 'application/json' });
  out.end(body);
  return reply;
}

function formatError(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}

async function loadHandler(): Promise<Handler> {
  const [file, name] = String(process.env._HANDLER).split('.') as [string, string];
  const module = await import(pathToFileURL(`${process.env.LAMBDA_TASK_ROOT}/${file}.mjs`).href);
  if (typeof module[name] !== 'function') throw new Error(`${process.env._HANDLER} is undefined or not exported`);
  return module[name];
}

async function runOne(handler: Handler & { [STREAMING]?: string }): Promise<void> {
  const asked = toApi('GET', '/invocation/next');
  asked.out.end();
  const { headers, body } = await asked.reply;
  const awsRequestId = String(headers['lambda-runtime-aws-request-id']);
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = {
    awsRequestId,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (handler[STREAMING]) return await runStreaming(handler, JSON.parse(body.toString()), context);
  try {
    const result = await handler(JSON.parse(body.toString()), context);
    await post(`/invocation/${awsRequestId}/response`, JSON.stringify(result === undefined ? null : result));
  } catch (error) {
    console.error('Invoke Error', error);
    await post(`/invocation/${awsRequestId}/error`, JSON.stringify(formatError(error)));
  }
}

async function runStreaming(handler: Handler, event: unknown, context: { awsRequestId: string }): Promise<void> {
  const { out, reply } = toApi('POST', `/invocation/${context.awsRequestId}/response`, {
    'Lambda-Runtime-Function-Response-Mode': 'streaming',
    'Transfer-Encoding': 'chunked',
    Trailer: ['Lambda-Runtime-Function-Error-Type', 'Lambda-Runtime-Function-Error-Body'],
  });
  const request = out as unknown as Record<string, unknown>;
  const stream: Record<string, unknown> = { setContentType() {} };
  for (const name of STREAM_METHODS) stream[name] = (request[name] as () => unknown).bind(out);
  for (const name of STREAM_PROPERTIES) Object.defineProperty(stream, name, { get: () => request[name] });
  try {
    if ((await handler(event, stream, context)) !== undefined) console.warn('Streaming handlers ignore return values.');
    await reply; // a handler that never ends its stream runs into its deadline, as in Lambda
    if (!out.writableFinished) throw new Error('Response stream is not finished.');
  } catch (error) {
    console.error('Invoke Error', error);
    const formatted = formatError(error);
    out.addTrailers({
      'Lambda-Runtime-Function-Error-Type': formatted.errorType,
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(formatted)).toString('base64'),
    });
    out.end();
    await reply;
  }
}

// Lambda's JSON log format: a line for each call; what is logged alone stays what it is, the rest becomes a text.
if (process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON') {
  console.log = (...parts: unknown[]) => {
    const message = parts.length === 1 ? parts[0] : format(...parts);
    process.stdout.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level: 'INFO', message })}\n`);
  };
}
process.on('uncaughtException', error => {
  console.error('Uncaught Exception', error);
  process.exit(129);
});
process.on('unhandledRejection', error => {
  console.error('Unhandled Promise Rejection', error);
  process.exit(128);
});
Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Handler) => Object.assign(handler, { [STREAMING]: 'response' }),
    HttpResponseStream: {
      from(stream: { write: (data: unknown) => void }, prelude: unknown) {
        stream.write(JSON.stringify(prelude));
        stream.write(new Uint8Array(8));
        return stream;
      },
    },
  },
});
const handler = await loadHandler().catch(async error => {
  console.error('Init Error', error);
  await post('/init/error', JSON.stringify(formatError(error)));
  return process.exit(1);
});
while (true) await runOne(handler);
