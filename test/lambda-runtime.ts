/**
 * Lambda's execution environments on this machine: each a `node` process of its own that takes its events from the Lambda
 * Runtime API, one at a time, with a memory limit and a deadline, and is frozen (SIGSTOP) between them. What runs inside
 * is in lambda-bootstrap.ts. A function can also be a plain one of the test, which runs in the test's own process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

export type LambdaFunction = {
  /** The access key of its role: what the SDK inside it calls with. */
  role: string;
  /** The folder of a built package, run in processes of its own; or a function of the test. */
  package?: string;
  run?: Run;
  handler?: string;
  timeoutSeconds?: number;
  memoryMB?: number;
  env?: Record<string, string>;
  /** More invocations than this at once are throttled. */
  reservedConcurrency?: number;
  /** Its resource policy: role ARNs, or account ids, of other accounts. */
  invokers?: string[];
};

// biome-ignore lint/suspicious/noExplicitAny: a function reads whatever event it is sent
export type Run = (event: any, context: Context, stream: Stream) => unknown;
export type Context = { awsRequestId: string; invokedFunctionArn: string; getRemainingTimeInMillis: () => number };
export type Stream = { write: (text: string | Uint8Array) => void };
export type FunctionError = { errorType: string; errorMessage: string; trace?: string[] };

/** One run of a function. `answer` is all that it wrote, whoever read it, `memoryMB` is the most its process has held, `pid` is 0 for a function of the test. */
export type Invocation = {
  arn: string;
  requestId: string;
  caller: string;
  event: unknown;
  startedAt: number;
  endedAt?: number;
  error?: FunctionError;
  answer: string;
  pid: number;
  memoryMB: number;
};

/** An invocation under way: what it writes, as it comes, and how it ended. */
export type Started = {
  requestId: string;
  chunks: AsyncIterable<Buffer>;
  answered: Promise<FunctionError | undefined>;
};

type Delivery = {
  requestId: string;
  arn: string;
  event: Buffer;
  timeoutSeconds: number;
  onChunk: (chunk: Buffer) => void;
};

/** `answered`: the caller has all it will get; `released`: the environment takes another event. Neither rejects. */
type Delivered = { answered: Promise<FunctionError | undefined>; released: Promise<void> };

type Environment = {
  pid: number;
  alive: () => boolean;
  peakMemoryMB: () => number;
  deliver: (delivery: Delivery) => Delivered;
  stop: () => void;
};

const FREE_INIT_SECONDS = 10; // what a package takes longer to load is the first invocation's time
const RUNTIME = '/2018-06-01/runtime';

/** Runs functions; `envOf` gives what every process with that role and region gets beside its own variables. */
export function createRuntime(envOf: (role: string, region: string) => Record<string, string>) {
  const invocations: Invocation[] = [];
  const logs = new Map<string, string>(); // what each function's processes wrote, by ARN
  const deployed = new Map<LambdaFunction, { running: number; idle: Environment[]; taskRoot: string }>();
  const environments = new Set<Environment>();
  const unfinished = new Set<Promise<void>>();
  const folder = mkdtempSync(join(tmpdir(), 'lambda-'));
  const reaper = startReaper(folder);

  /** Runs the function to its end, whether or not anybody reads the answer; undefined when it is throttled. */
  function start(arn: string, target: LambdaFunction, event: Buffer, caller: string): Started | undefined {
    const deployment = deployed.get(target) ?? deploy(target);
    if (deployment.running >= (target.reservedConcurrency ?? 1000)) return undefined;
    deployment.running++;
    const record: Invocation = {
      ...{ arn, requestId: randomUUID(), caller, event: JSON.parse(event.toString()), startedAt: Date.now() },
      ...{ answer: '', pid: 0, memoryMB: 0 },
    };
    invocations.push(record);
    const queue = chunkQueue();
    const onChunk = (chunk: Buffer) => {
      record.answer += chunk.toString();
      queue.push(chunk);
    };
    const answered = Promise.withResolvers<FunctionError | undefined>();
    const work = async () => {
      const environment = deployment.idle.pop() ?? (await newEnvironment(arn, target, deployment.taskRoot));
      const { requestId } = record;
      record.pid = environment.pid;
      const run = environment.deliver({ requestId, arn, event, timeoutSeconds: target.timeoutSeconds ?? 3, onChunk });
      const error = await run.answered;
      Object.assign(record, { endedAt: Date.now(), ...(error && { error }) });
      queue.end();
      answered.resolve(error);
      await run.released;
      record.memoryMB = environment.peakMemoryMB();
      deployment.running--;
      if (environment.alive()) deployment.idle.push(environment);
      else discard(environment);
    };
    const done = work().finally(() => unfinished.delete(done));
    unfinished.add(done);
    return { requestId: record.requestId, chunks: queue.chunks(), answered: answered.promise };
  }

  function deploy(target: LambdaFunction) {
    const taskRoot = mkdtempSync(join(folder, 'task-'));
    // A copy outside this tree: a module that the package left behind is not to be found in our node_modules.
    if (target.package) cpSync(target.package, taskRoot, { recursive: true });
    const deployment = { running: 0, idle: [], taskRoot };
    deployed.set(target, deployment);
    return deployment;
  }

  async function newEnvironment(arn: string, target: LambdaFunction, taskRoot: string): Promise<Environment> {
    if (target.run) return environmentHere(target.run);
    const memoryMB = target.memoryMB ?? 128;
    const [, , , region, , , name] = arn.split(':');
    const env = {
      ...envOf(target.role, String(region)),
      AWS_SESSION_TOKEN: `session-of-${target.role}`,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: String(name),
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMB),
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: target.handler ?? 'index.handler',
      TMPDIR: mkdtempSync(join(folder, 'tmp-')), // each its own /tmp
      TZ: ':UTC',
      ...target.env,
    };
    const onLog = (text: string) => logs.set(arn, (logs.get(arn) ?? '') + text);
    const environment = await startEnvironment(memoryMB, env, onLog);
    environments.add(environment);
    reaper.stdin?.write(`${environment.pid}\n`);
    return environment;
  }

  function discard(environment: Environment): void {
    environments.delete(environment);
    reaper.stdin?.write(`-${environment.pid}\n`);
  }

  /** When every invocation has ended, those too whose caller went away. */
  async function settled(): Promise<void> {
    while (unfinished.size) await Promise.all(unfinished);
  }

  async function stop(): Promise<void> {
    for (const environment of environments) environment.stop();
    await settled();
    reaper.stdin?.end();
    await new Promise(resolve => reaper.once('exit', resolve));
  }

  return { start, settled, stop, invocations, logs };
}

/** Frozen processes would outlive a test that is killed: this one ends them, and removes the folder, once we are gone. */
function startReaper(folder: string): ChildProcess {
  const script = `trap '' INT TERM HUP; pids=' '
    while read -r pid; do case $pid in
      -*) pids=$(echo "$pids" | sed "s/ \${pid#-} / /");;
      *) pids="$pids$pid ";;
    esac; done
    kill -9 $pids 2>/dev/null; rm -rf "$0"`;
  return spawn('sh', ['-c', script, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
}

/** Holds all that nobody has read yet: a caller that goes away does not hold a function up. */
function chunkQueue() {
  const waiting: Buffer[] = [];
  let ended = false;
  let wake = () => {};
  async function* chunks(): AsyncGenerator<Buffer> {
    while (true) {
      while (waiting.length) yield waiting.shift()!;
      if (ended) return;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  }
  return {
    chunks,
    push: (chunk: Buffer) => {
      waiting.push(chunk);
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
  };
}

function timedOut({ requestId, timeoutSeconds }: Delivery): FunctionError {
  const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${timeoutSeconds.toFixed(2)} seconds`;
  return { errorType: 'Sandbox.Timedout', errorMessage };
}

/** A function of the test, run here: it has a deadline, and no process to crash, freeze or limit. */
function environmentHere(run: Run): Environment {
  async function deliver(delivery: Delivery): Promise<FunctionError | undefined> {
    const deadline = Date.now() + delivery.timeoutSeconds * 1000;
    const context: Context = {
      awsRequestId: delivery.requestId,
      invokedFunctionArn: delivery.arn,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    let over = false;
    const stream: Stream = { write: text => over || delivery.onChunk(Buffer.from(text as string)) };
    const work = async () => {
      const result = await run(JSON.parse(delivery.event.toString()), context, stream);
      if (result !== undefined) stream.write(JSON.stringify(result));
      return undefined;
    };
    const limit = Promise.withResolvers<FunctionError>();
    const timer = setTimeout(() => limit.resolve(timedOut(delivery)), delivery.timeoutSeconds * 1000);
    try {
      return await Promise.race([work(), limit.promise]);
    } catch (error) {
      return { errorType: (error as Error).name, errorMessage: (error as Error).message };
    } finally {
      over = true;
      clearTimeout(timer);
    }
  }
  return {
    ...{ pid: 0, alive: () => true, peakMemoryMB: () => 0, stop: () => {} },
    deliver(delivery) {
      const answered = deliver(delivery);
      return { answered, released: answered.then(() => {}) };
    },
  };
}

/** Starts a process for the package of `env`'s LAMBDA_TASK_ROOT; its first event waits until its modules are loaded. */
async function startEnvironment(
  memoryMB: number,
  env: Record<string, string>,
  onLog: (text: string) => void,
): Promise<Environment> {
  type Running = Delivery & {
    answer: (error?: FunctionError) => void;
    release: () => void;
    handedOver?: true;
    timer?: NodeJS.Timeout;
  };
  let next: ServerResponse | undefined; // the runtime's question for an event, held open while there is none
  let running: Running | undefined;
  let ended = false;
  let failure: FunctionError | undefined; // why the process ended, where more is known than its exit code
  let peak = 0;

  const api = createServer((question, reply) => {
    answerRuntime(question, reply).catch(() => {}); // the process died in the middle of it: 'close' below says so
  });
  api.keepAliveTimeout = 0; // an event may take longer than any pause that HTTP allows
  await new Promise<void>(resolve => api.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(api.address() as AddressInfo).port}`;

  async function answerRuntime(question: IncomingMessage, reply: ServerResponse): Promise<void> {
    const path = question.url ?? '';
    if (path === `${RUNTIME}/invocation/next`) {
      next = reply;
      if (running?.handedOver) finish(running);
      if (running) handOver(running);
      else child.kill('SIGSTOP');
    } else if (path.endsWith('/response')) {
      const error = await receive(question);
      reply.writeHead(202).end();
      running?.answer(error);
    } else {
      const error = JSON.parse((await buffer(question)).toString()) as FunctionError;
      reply.writeHead(202).end();
      if (path === `${RUNTIME}/init/error`) failure = error;
      else running?.answer(error);
    }
  }

  const heap = `--max-old-space-size=${Math.floor(memoryMB * 0.9)}`;
  const child = spawn(process.execPath, [heap, join(import.meta.dirname, 'lambda-bootstrap.ts')], {
    cwd: env.LAMBDA_TASK_ROOT,
    env: { ...env, AWS_LAMBDA_RUNTIME_API: address },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', text => onLog(String(text)));
  child.stderr.on('data', text => onLog(String(text)));
  const initTimer = setTimeout(() => running && startClock(running), FREE_INIT_SECONDS * 1000);
  const watch = setInterval(watchMemory, 100);

  child.on('close', (code, signal) => {
    ended = true;
    clearTimeout(initTimer);
    clearInterval(watch);
    api.closeAllConnections();
    api.close();
    if (!running) return;
    const how = signal ? `signal: ${signal === 'SIGKILL' ? 'killed' : 'aborted'}` : `exit status ${code}`;
    const ending = code === 0 ? 'without providing a reason' : `with error: ${how}`;
    const errorMessage = `RequestId: ${running.requestId} Error: Runtime exited ${ending}`;
    running.answer(failure ?? { errorType: 'Runtime.ExitError', errorMessage });
    finish(running);
  });

  function startClock(delivery: Running): void {
    delivery.timer ??= setTimeout(() => end(timedOut(delivery)), delivery.timeoutSeconds * 1000);
  }

  function handOver(delivery: Running): void {
    const { requestId, arn, event, timeoutSeconds } = delivery;
    clearTimeout(initTimer);
    startClock(delivery);
    delivery.handedOver = true;
    child.kill('SIGCONT');
    next?.writeHead(200, {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': requestId,
      'Lambda-Runtime-Invoked-Function-Arn': arn,
      'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeoutSeconds * 1000),
    });
    next?.end(event);
    next = undefined;
  }

  /** Passes an answer on as it comes; an error that breaks a stream off comes in its trailers. */
  async function receive(question: IncomingMessage): Promise<FunctionError | undefined> {
    for await (const chunk of question) running?.onChunk(chunk as Buffer);
    const trailer = question.trailers['lambda-runtime-function-error-body'];
    return trailer ? (JSON.parse(Buffer.from(trailer, 'base64').toString()) as FunctionError) : undefined;
  }

  function finish(delivery: Running): void {
    clearTimeout(delivery.timer);
    watchMemory();
    delivery.release();
    running = undefined;
  }

  function watchMemory(): void {
    const { residentMB, peakMB } = memoryOf(child.pid);
    peak = Math.max(peak, peakMB);
    if (residentMB > memoryMB) end(undefined); // Lambda says no more than "signal: killed"
  }

  function end(why: FunctionError | undefined): void {
    ended = true;
    failure ??= why;
    child.kill('SIGKILL');
  }

  return {
    pid: child.pid!,
    alive: () => !ended,
    peakMemoryMB: () => peak,
    stop: () => end(undefined),
    deliver(delivery) {
      const answered = Promise.withResolvers<FunctionError | undefined>();
      const released = Promise.withResolvers<void>();
      running = { ...delivery, answer: answered.resolve, release: released.resolve };
      if (next) handOver(running);
      return { answered: answered.promise, released: released.promise };
    },
  };
}

/** A process's resident memory now and at its highest; zeros where there is no /proc, so no limit either. */
function memoryOf(pid: number | undefined): { residentMB: number; peakMB: number } {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {}
  const megabytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { residentMB: megabytes('VmRSS'), peakMB: megabytes('VmHWM') };
}
