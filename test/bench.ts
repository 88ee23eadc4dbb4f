/**
 * `npm run bench [-- NAME ...]`: what the product costs, its own processes and the database servers, against what else one
 * would use, measured side by side in one run on this machine. A ratio counts, an absolute time does not: contenders take
 * turns, round by round, and the median of the rounds is held against a bar. Prints a table for test/README.md; exit 1 when
 * a bar is missed. No part of `npm test`. With names, only those rows (`benches` at the end).
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { RowDataPacket } from 'mysql2';
import type { Manifest, Summary } from '../orchestrator.ts';
import { type DatabaseResult, limits, type Query, type Row, rowColumns, version, type WorkerEvent } from '../worker.ts';
import { bucket, caller, type LambdaFunction, startAws } from './aws.ts';
import { authority, certificate } from './certificates.ts';
import { commandLine, root } from './command.ts';
import { playing, type Recorded } from './fault-servers.ts';
import { joinSettings } from './grants.ts';
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

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'));
const running = new Set<ChildProcess>();
const stops: (() => unknown)[] = [];
process.on('exit', () => {
  for (const child of running) process.kill(-child.pid!, 'SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

// ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** CPU (user and system, all processes together) and wall time in ms. */
type Cost = { cpu: number; wall: number; stdout: string };

/** Bash knows what a command and all that it started have used; Node knows that of itself alone. */
const timed = `exec 4>&2; TIMEFORMAT='%3R %3U %3S'; { time "$@" 2>&4; } 2>&3`;

type Settings = { cwd?: string; env?: NodeJS.ProcessEnv; stdin?: string; exits?: number[] };

async function measure([command, args]: [string, string[]], settings: Settings = {}): Promise<Cost> {
  const stdin = settings.stdin === undefined ? 'ignore' : fs.openSync(settings.stdin, 'r');
  const child = spawn('bash', ['-c', timed, 'bench', command, ...args], {
    cwd: settings.cwd ?? folder,
    detached: true, // a group of its own, so that all of it can be ended
    stdio: [stdin, 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...settings.env },
  });
  running.add(child);
  if (typeof stdin === 'number') fs.closeSync(stdin);
  const said = ['', '', '', ''];
  for (const i of [1, 2, 3]) {
    child.stdio[i]!.on('data', text => {
      said[i] += text;
    });
  }
  const [code] = await once(child, 'close');
  running.delete(child);
  const [, stdout = '', stderr = '', times = ''] = said;
  if (!(settings.exits ?? [0]).includes(code)) {
    throw new Error(`${command} ${args.join(' ').slice(0, 300)}: exit ${code}\n${(stderr + stdout).slice(-2000)}`);
  }
  const [wall = Number.NaN, user = Number.NaN, system = Number.NaN] = times.split(' ').map(Number);
  return { cpu: 1000 * (user + system), wall: 1000 * wall, stdout };
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

async function clock(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

// ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const table = [['what', 'against', 'measured', 'bar', 'aim', '']];

/** Holds a figure against its bar and its aim, if it has them; `more` where more is better. */
function judge(
  what: string,
  against: string,
  figure: number,
  unit: '×' | 'MB' | 'ms' | 's' | 'rows' | 'databases',
  { bar, aim, more = false }: { bar?: number; aim: number; more?: boolean },
) {
  const digits = figure < 10 && ['×', 's', 'MB'].includes(unit) ? 2 : 0;
  const meets = (limit: number) => (more ? figure >= limit : figure <= limit);
  const verdict = meets(aim) ? 'aim reached' : bar === undefined ? '' : meets(bar) ? 'within the bar' : 'MISSED';
  const measured = `${figure.toFixed(digits)} ${unit}${more && unit === '×' ? ' less' : ''}`;
  table.push([what, against, measured, bar === undefined ? 'reported' : `${bar} ${unit}`, `${aim} ${unit}`, verdict]);
  console.log(`    → ${table.at(-1)!.join(' | ')}`);
}

const note = (text: string) => console.log(`    ${text}`);
const ms = (value: number) => `${value.toFixed(value < 100 ? 1 : 0)} ms`;

// ── the command, on servers of this machine ───────────────────────────────────────────────────────────────────────────

const own = certificate({ authority: authority('Bench'), names: ['localhost'], addresses: ['127.0.0.1'] });
const login = { user: 'auditor', password: 'The-auditor-of-1000' };
const credential = JSON.stringify({ username: login.user, password: login.password, host: '127.0.0.1', ca: own.ca });
const kinds: Record<string, () => Promise<Server>> = {
  'MySQL 9.7': () => startMysql({ suite: 'sid', certificate: own }),
  'MariaDB 10.5': () => startMariadb({ suite: 'bullseye', certificate: own }),
  'MariaDB 10.11': () => startMariadb({ suite: 'bookworm', certificate: own }),
  'MariaDB 11.8': () => startMariadb({ suite: 'trixie', certificate: own }),
};

/** A server of a kind, with the auditor's account and what these statements make. */
async function serve(kind: string, statements: string[] = []): Promise<Server> {
  const server = await kinds[kind]!();
  stops.push(server.stop);
  await server.query(`CREATE USER ${login.user}@'%' IDENTIFIED BY '${login.password}'`);
  await server.query(`GRANT SELECT ON mysql.* TO ${login.user}@'%'`);
  for (const statement of statements) await server.query(statement);
  return server;
}

type Entry = { engine?: Server['engine'] | 'mssql'; port: number; tls?: 'off' };
type Reported = Cost & { manifest: Manifest };

/**
 * One run of the command with `--local`. By Node alone unless asked otherwise: what npx and tsx take is the same for one
 * database and for a thousand. Without `whole` a database may have been read in part or not at all.
 */
async function report(
  entries: Entry[],
  { whole = true, runner = 'node' as 'node' | 'npx tsx', change = '' } = {},
): Promise<Reported> {
  const out = path.join(folder, randomUUID());
  const databases = entries.map(({ engine, port, tls }, i) => ({
    ...{ id: `db-${String(i).padStart(5, '0')}`, engine: engine === 'mssql' ? 'mssql' : 'mysql', tls },
    ...{ host: '127.0.0.1', port, account: '111122223333', region: 'us-east-1', credentials: 'env:BENCH_LOGIN' },
  }));
  fs.mkdirSync(out);
  const inventory = path.join(out, 'inventory.json');
  fs.writeFileSync(inventory, JSON.stringify({ databases }));
  const args = ['--local', '--inventory', inventory, '--out', out, '--json', '--quiet'];
  const cost = await measure(commandLine(args, { runner }), {
    cwd: root,
    env: {
      BENCH_LOGIN: credential,
      ...(change && { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(change)}` }),
    },
    exits: whole ? [0] : [0, 3],
  });
  const manifest: Manifest = JSON.parse(fs.readFileSync(JSON.parse(cost.stdout).manifest, 'utf8'));
  if (whole) assert.equal(manifest.totals.covered, entries.length);
  fs.rmSync(out, { recursive: true });
  return { ...cost, manifest };
}

/** Sets limits of the worker in a process of the command: its own code, other numbers. */
const withLimits = (changes: Partial<typeof limits>) =>
  `import { limits } from ${JSON.stringify(pathToFileURL(path.join(root, 'worker.ts')).href)};
Object.assign(limits, ${JSON.stringify(changes)});`;

/** What a server has, 65 accounts: applications with their schema, people who read, administrators, directly and by a role. */
const people = [
  'CREATE ROLE administers',
  'GRANT CREATE USER, RELOAD ON *.* TO administers',
  ...Array.from({ length: 20 }, (_, i) => [
    `CREATE DATABASE shop${i}`,
    `CREATE USER app${i}@'10.0.%' IDENTIFIED BY 'an-Application-${i}'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON shop${i}.* TO app${i}@'10.0.%'`,
    `CREATE USER reader${i}@'%' IDENTIFIED BY 'a-Reader-${i}'`,
    `GRANT SELECT ON *.* TO reader${i}@'%'`,
  ]).flat(),
  ...Array.from({ length: 8 }, (_, i) => [
    `CREATE USER admin${i}@'%' IDENTIFIED BY 'an-Admin-${i}'`,
    `GRANT ALL ON *.* TO admin${i}@'%' WITH GRANT OPTION`,
    `CREATE USER oncall${i}@'%' IDENTIFIED BY 'On-call-${i}'`,
    `GRANT administers TO oncall${i}@'%'`,
    `CREATE USER owner${i}@'%' IDENTIFIED BY 'an-Owner-${i}'`,
    `GRANT ALL ON shop${i}.* TO owner${i}@'%'`,
  ]).flat(),
];

/**
 * A MySQL and a MariaDB with these people, the statements with which the command reads them, and the files of these as a
 * script. `players` give the same answers, and take none of the processors' time for finding them.
 */
type Pair = {
  servers: Server[];
  players: Target[];
  statements: Record<string, string[]>;
  scripts: Record<string, string>;
};
type Target = Pick<Server, 'engine' | 'port'>;
let pair: Promise<Pair> | undefined;
function thePair(): Promise<Pair> {
  pair ??= startPair();
  return pair;
}

async function startPair(): Promise<Pair> {
  const servers = await Promise.all(['MySQL 9.7', 'MariaDB 10.11'].map(kind => serve(kind, people)));
  const statements: Pair['statements'] = {};
  const scripts: Pair['scripts'] = {};
  const players: Pair['players'] = [];
  const { manifest } = await report(servers);
  for (const [i, { queries }] of manifest.databases.entries()) {
    const server = servers[i]!;
    const connection = await server.connect(login.user, login.password);
    statements[server.engine] = [];
    scripts[server.engine] = path.join(folder, `${server.engine}.sql`);
    const recorded: Recorded[] = [];
    for (const sha256 of queries) {
      const { file, text } = manifest.queries.find(query => query.sha256 === sha256)!;
      const statement = /-session\.sql$/.test(file) ? joinSettings(text) : text;
      const [rows, fields] = await connection.query<RowDataPacket[][]>({ sql: statement, rowsAsArray: true });
      if (fields) recorded.push({ sql: statement, columns: fields.map(({ name }) => name), rows: rows.map(texts) });
      statements[server.engine]!.push(statement);
      fs.appendFileSync(scripts[server.engine]!, `${text.replace(/;\s*$/, '')};\n`);
    }
    await connection.end();
    const player = await playing(own, recorded);
    stops.push(player.stop);
    players.push({ engine: server.engine, port: player.port });
    const all = statements[server.engine]!;
    note(`${server.engine} ${server.version}: ${all.length} statements, ${Buffer.byteLength(all.join(''))} bytes`);
  }
  assert.deepEqual((await report(players)).manifest.totals, manifest.totals, 'players answer as servers do');
  return { servers, players, statements, scripts };
}

const texts = (row: unknown[]) => row.map(value => String(value ?? ''));

/** `count` ports that lead to the servers in turn: many hosts, so that no TLS session is taken up again. */
async function listen(count: number, servers: Target[]) {
  const ports: { port: number; kind: Server['engine'] }[] = [];
  for (let i = 0; i < count; i++) {
    const to = servers[i % servers.length]!;
    const listener = net.createServer({ noDelay: true }, client => {
      const server = net.connect({ port: to.port, host: '127.0.0.1', noDelay: true });
      client.pipe(server).pipe(client);
      client.on('error', () => {}).on('close', () => server.destroy());
      server.on('error', () => client.destroy());
    });
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    stops.push(() => listener.close());
    ports.push({ port: (listener.address() as net.AddressInfo).port, kind: to.engine });
  }
  return ports;
}

// ── MySQL and MariaDB: the client's side ──────────────────────────────────────────────────────────────────────────────

/** CPU of one database: the command, bare sockets, a script with mysql2, and MariaDB's client under xargs. */
async function client() {
  const { servers, players, statements, scripts } = await thePair();
  const real = await listen(1000, servers);
  const many = real.slice(0, 300);
  const few = many.slice(0, 2); // one of each kind: what is left of the start-up when it is taken off
  const script = (name: string, databases: typeof many) => {
    const file = path.join(folder, `task-${databases.length}.json`);
    const { concurrency } = limits;
    const hosts = databases.map(database => ({ ...database, host: '127.0.0.1' }));
    const task: Task = { ...login, ca: own.ca, concurrency, statements, databases: hosts };
    fs.writeFileSync(file, JSON.stringify(task));
    return () => measure([process.execPath, [path.join(import.meta.dirname, name), file]]);
  };
  const outcomes = await takeTurns(5, {
    product: () => report(many) as Promise<Cost>,
    productStart: () => report(few) as Promise<Cost>,
    floor: script('bench-floor.ts', many),
    floorStart: script('bench-floor.ts', few),
    mysql2: script('bench-mysql2.ts', many),
    mysql2Start: script('bench-mysql2.ts', few),
  });
  for (const { floor, mysql2 } of outcomes) assert.equal(floor.stdout, mysql2.stdout, 'as many rows came to both');
  const each = (name: 'product' | 'floor' | 'mysql2') =>
    outcomes.map(outcome => (outcome[name].cpu - outcome[`${name}Start`].cpu) / (many.length - few.length));
  const [product, floor, mysql2] = [each('product'), each('floor'), each('mysql2')];
  note(`start-up off: command ${ms(median(product))}, sockets ${ms(median(floor))}, mysql2 ${ms(median(mysql2))}`);
  const ratio = (others: number[]) => median(product.map((cost, i) => cost / others[i]!));
  const what = 'CPU of the client, one MySQL or MariaDB';
  judge(what, 'a bare mysql2 script', ratio(mysql2), '×', { bar: 1.15, aim: 1 });
  judge(what, 'bare net and tls sockets', ratio(floor), '×', { aim: 1.6 });

  const { command, args, environment } = await mariadbClient();
  const options = ['--protocol=tcp', '--host=localhost', `--user=${login.user}`, '--default-character-set=utf8mb4'];
  const loop = [...args, ...options, '--comments', '--batch', '--ssl', '--skip-ssl-verify-server-cert'];
  const shell: [string, string[]] = ['xargs', ['-P', String(limits.concurrency), '-n', '2', command, ...loop]];
  const beside = async (against: string, ports: typeof real, bar?: number) => {
    const stdin = path.join(folder, randomUUID());
    const lines = ports.map(({ port, kind }) => `--port=${port} "--execute=source ${scripts[kind]}"\n`);
    fs.writeFileSync(stdin, lines.join(''));
    const outcomes = await takeTurns(2, {
      product: () => report(ports) as Promise<Cost>,
      shell: () => measure(shell, { stdin, env: { ...environment, MYSQL_PWD: login.password } }),
    });
    note(outcomes.map(({ product, shell }) => `command ${ms(product.cpu)}, xargs ${ms(shell.cpu)}`).join('; '));
    const less = median(outcomes.map(({ product, shell }) => shell.cpu / product.cpu));
    judge(`CPU of the client, ${ports.length} databases`, against, less, '×', { bar, aim: 12, more: true });
  };
  const xargs = `xargs -P${limits.concurrency} mariadb --ssl, the same files`;
  await beside(xargs, await listen(1000, players), 8);
  await beside(`${xargs}; the servers at work on the same processors`, real);
}

/** A thousand databases with the documented command, against the servers that have nothing to do but the queries. */
async function local() {
  const { servers, statements } = await thePair();
  const count = 1000;
  const databases = Array.from({ length: count }, (_, i) => servers[i % servers.length]!);
  /** As many connections as the command reads by, which stay, and all statements as often as it sends them. */
  const alone = async () => {
    const lane = async (first: number) => {
      const server = databases[first]!;
      const connection = await server.connect(login.user, login.password);
      for (let i = first; i < count; i += limits.concurrency) {
        for (const statement of statements[server.engine]!) await connection.query(statement);
      }
      await connection.end();
    };
    await Promise.all(Array.from({ length: limits.concurrency }, (_, first) => lane(first)));
  };
  const outcomes = await takeTurns(4, {
    product: async () => (await report(databases, { runner: 'npx tsx' })).wall,
    servers: () => clock(alone),
  });
  note(outcomes.map(({ product, servers }) => `command ${ms(product)}, servers ${ms(servers)}`).join('; '));
  judge(
    `npx tsx cli.ts --local, ${count} databases on two servers`,
    "the servers' own time for the same queries",
    median(outcomes.map(({ product, servers }) => product / servers)),
    '×',
    { bar: 1.3, aim: 1.1 },
  );
}

// ── MySQL and MariaDB: the server's side ──────────────────────────────────────────────────────────────────────────────

/** CPU that a server has used, in ms, to a hundredth of a second. */
async function serverCpu(server: Server): Promise<number> {
  const [row] = await server.query('SELECT @@pid_file AS file');
  const stat = fs.readFileSync(`/proc/${fs.readFileSync(row!.file, 'utf8').trim()}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12])); // utime and stime, in ticks of 10 ms
}

/** What one read costs the database server. One after the other: no server is read by two at a time. */
async function production() {
  const { servers } = await thePair();
  const times = 50;
  const oneByOne = withLimits({ concurrency: 1 });
  for (const server of servers) {
    const reads = Array.from({ length: times }, () => server);
    const accounts = await server.query('SELECT User, Host FROM mysql.user');
    const spent = async (work: () => Promise<unknown>) => {
      const before = await serverCpu(server);
      await work();
      return ((await serverCpu(server)) - before) / times;
    };
    const showGrants = async () => {
      for (let i = 0; i < times; i++) {
        const connection = await server.connect(login.user, login.password);
        for (const { User, Host } of accounts) {
          // MariaDB's roles have no host.
          await connection.query(`SHOW GRANTS FOR ${Host ? '?@?' : '?'}`, [User, Host]);
        }
        await connection.end();
      }
    };
    const outcomes = await takeTurns(3, {
      product: () => spent(() => report(reads, { change: oneByOne })),
      grants: () => spent(showGrants),
    });
    const of = (name: 'product' | 'grants') => median(outcomes.map(outcome => outcome[name]));
    note(`${server.engine}: ${ms(of('product'))}, SHOW GRANTS ${ms(of('grants'))}, ${accounts.length} accounts`);
    judge(`CPU of the ${server.engine} server, one read, ${accounts.length} accounts`, '–', of('product'), 'ms', {
      aim: 15,
    });
    const ratio = median(outcomes.map(({ product, grants }) => product / grants));
    judge('the same', 'SHOW GRANTS for each account', ratio, '×', { aim: 1 });
  }
}

/** Makes as many accounts, each with rights on a schema and one of the roles; one role in twenty administers accounts. */
async function grow(server: Server, from: number, to: number, roles: number) {
  const numbers = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i);
  const chunks = (all: number[]) => numbers(0, Math.ceil(all.length / 500)).map(i => all.slice(500 * i, 500 * (i + 1)));
  const name = (i: number) => `u${i}@'${['%', '10.0.%', 'localhost'][i % 3]}'`;
  if (from === 0) {
    for (const chunk of chunks(numbers(0, roles))) {
      await server.query(`CREATE ROLE ${chunk.map(i => `r${i}`).join()}`);
      await server.query(
        `GRANT CREATE USER ON *.* TO ${chunk
          .filter(i => i % 20 === 0)
          .map(i => `r${i}`)
          .join()}`,
      );
    }
  }
  for (const chunk of chunks(numbers(from, to))) {
    await server.query(`CREATE USER ${chunk.map(name).join()}`);
    for (const [role, members] of Map.groupBy(chunk, i => i % roles)) {
      await server.query(`GRANT r${role} TO ${members.map(name).join()}`);
    }
  }
  await server.query(`INSERT IGNORE INTO mysql.db (Host, Db, User, Select_priv, Insert_priv)
    SELECT Host, CONCAT('schema_of_', User), User, 'Y', 'Y' FROM mysql.user WHERE User LIKE 'u%' AND Host <> ''`);
  await server.query('FLUSH PRIVILEGES');
}

/** Milliseconds of one read, as the manifest has it, the quicker of two; without end where it failed. */
async function readTime(server: Server): Promise<number> {
  const { manifest } = await report([server, server], { whole: false, change: withLimits({ concurrency: 1 }) });
  const times = manifest.databases.map(({ result, detail, duration_ms }) => {
    if (result === 'admin') return duration_ms;
    note(`${result}: ${detail}`);
    return Number.POSITIVE_INFINITY;
  });
  return Math.min(...times);
}

async function analyze(server: Server) {
  const tables = await server.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'mysql' AND table_type = 'BASE TABLE' AND table_name NOT LIKE '%\\_log'",
  );
  await server.query(`ANALYZE TABLE ${tables.map(({ name }) => `mysql.\`${name}\``).join()}`);
}

/** How one read grows with the accounts, whatever the optimizer knows of the tables. */
async function growth() {
  for (const kind of Object.keys(kinds)) {
    const worst = new Map<number, number>();
    for (const roles of [20, 500]) {
      const server = await serve(kind);
      let from = 0;
      for (const accounts of [100, 1000, 5000, 10_000]) {
        await grow(server, from, accounts, roles);
        from = accounts;
        const fresh = await readTime(server);
        await analyze(server);
        const analyzed = await readTime(server);
        worst.set(accounts, Math.max(worst.get(accounts) ?? 0, fresh, analyzed));
        note(`${kind}, ${accounts} accounts, ${roles} roles: ${ms(fresh)}, after ANALYZE TABLE ${ms(analyzed)}`);
      }
      await server.stop();
    }
    const at = (accounts: number) => worst.get(accounts)!;
    judge(`one read of 10000 accounts, ${kind}`, '–', at(10_000) / 1000, 's', { bar: 5, aim: 2 });
    judge('the same', 'one read of 5000', at(10_000) / at(5000), '×', { bar: 3, aim: 2 });
  }
}

/** The same with the server's own optimizer switches turned to the other side, one by one. */
async function switches() {
  for (const kind of Object.keys(kinds)) {
    const server = await serve(kind);
    await grow(server, 0, 5000, 500);
    const [row] = await server.query('SELECT @@GLOBAL.optimizer_switch AS switches');
    const all = new Map<string, string>(row!.switches.split(',').map((text: string) => text.split('=')));
    const usual = await readTime(server);
    let worst = 0;
    for (const name of ['block_nested_loop', 'materialization', 'hypergraph_optimizer', 'derived_merge']) {
      if (!all.has(name)) continue;
      const other = all.get(name) === 'on' ? 'off' : 'on';
      const set = await server.query(`SET GLOBAL optimizer_switch = '${name}=${other}'`).then(
        () => true,
        () => false,
      );
      const time = set ? await readTime(server) : 0;
      note(`${kind}, ${name}=${other}: ${set ? ms(time) : 'not of this server'}, by default ${ms(usual)}`);
      worst = Math.max(worst, time);
      await server.query('SET GLOBAL optimizer_switch = DEFAULT');
    }
    await server.stop();
    const ratio = Number.isFinite(usual) ? worst / usual : usual;
    judge(`5000 accounts under other optimizer switches, ${kind}`, 'its default', ratio, '×', {
      bar: 2,
      aim: 1.2,
    });
  }
}

/** The query for MySQL 5.7, which no machine here has, on the newest. */
async function older() {
  const server = await serve('MySQL 9.7');
  await grow(server, 0, 5000, 20);
  const { manifest } = await report([server]);
  const session = manifest.queries.find(({ file }) => file.endsWith('-session.sql'))?.text ?? '';
  const ask = (file: string) => async () => {
    const connection = await server.connect(login.user, login.password);
    await connection.query(joinSettings(session));
    const query = connection.query(fs.readFileSync(path.join(root, 'queries', file), 'utf8'));
    const failed = query.then(
      () => '',
      error => error.message,
    );
    const time = await clock(() => failed);
    connection.destroy();
    if (await failed) note(`${file}: ${await failed}`);
    return (await failed) ? Number.POSITIVE_INFINITY : time;
  };
  const outcomes = await takeTurns(3, {
    old: ask('mysql-5.7-administrators.sql'),
    usual: ask('mysql-administrators.sql'),
  });
  await server.stop();
  const ratio = median(outcomes.map(({ old, usual }) => old / usual));
  note(outcomes.map(({ old, usual }) => `${ms(old)}, the other ${ms(usual)}`).join('; '));
  judge("5000 accounts, MySQL 5.7's query on 9.7", 'the other query', ratio, '×', { bar: 2, aim: 1 });
}

/** Roles in layers, each role a member of every role of the next, and every one administers: as many chains as there can be. */
async function layers() {
  const [depth, width, accounts] = [25, 4, 500];
  for (const kind of ['MySQL 9.7', 'MariaDB 10.11']) {
    const names = (layer: number) => Array.from({ length: width }, (_, i) => `l${layer}_${i}`);
    const users = Array.from({ length: accounts }, (_, i) => `u${i}@'%'`);
    const statements = [`CREATE USER ${users.join()}`];
    for (let layer = 0; layer < depth; layer++) {
      statements.push(`CREATE ROLE ${names(layer).join()}`);
      if (layer === 0) for (const role of names(0)) statements.push(`GRANT ${role} TO ${users.join()}`);
      else for (const role of names(layer)) statements.push(`GRANT ${role} TO ${names(layer - 1).join()}`);
      statements.push(`GRANT CREATE USER, RELOAD ON *.* TO ${names(layer).join()}`);
    }
    const server = await serve(kind, statements);
    const { manifest, wall } = await report([server], { whole: false });
    await server.stop();
    const what = `${accounts} accounts in ${depth} layers of ${width} roles that all administer, ${kind}`;
    const [{ result, detail }] = manifest.databases as [Manifest['databases'][number]];
    const { administrators, rows } = manifest.totals;
    note(`${result}, ${administrators} administrators in ${rows} rows, ${ms(wall)} ${detail}`);
    // Each account is one, whatever the list costs.
    const isWhole = result === 'admin' && administrators >= accounts;
    judge(what, '–', isWhole ? rows : Number.POSITIVE_INFINITY, 'rows', { bar: 5000, aim: 1000 });
  }
}

// ── SQL Server ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A SQL Server: its wire is real (TDS), its answers are made up. `delay` is what a database takes to compile the query. */
async function serveMssql(count: number, delay = 0) {
  const set = (columns: readonly string[], rows: string[][]): ResultSet => ({
    columns: columns.map(name => [name, 'nvarchar']),
    rows,
  });
  const administrators = (scope: string) =>
    set(
      rowColumns,
      madeUpRows(5).map(row => rowColumns.map(column => (column === 'scope' ? scope : row[column]))),
    );
  const text = (file: string) => fs.readFileSync(path.join(root, 'queries', file), 'utf8');
  const about = {
    engine: 'mssql',
    engine_version: '16.0.4135.4',
    server_name: 'BENCH',
    server_id: 'BENCH',
    refused: '',
  };
  const names = ['master', ...Array.from({ length: count - 1 }, (_, i) => `shop${i}`)];
  const procedure = (name: string) => `[${name}].sys.sp_executesql`;
  const listed = names.map(name => [name, procedure(name), 'yes', '']);
  const answers = new Map([
    [text('mssql-server.sql'), set(Object.keys(about), [Object.values(about)])],
    [text('mssql-databases.sql'), set(['name', 'procedure_name', 'readable', 'detail'], listed)],
    [text('mssql-server-administrators.sql'), administrators('server')],
  ]);
  const databases = new Map(names.map(name => [procedure(name), administrators(`database:${name}`)]));
  const server = await startTds({
    answer: (sql, parameters) => {
      const database = databases.get(String(parameters['@procedure']));
      return database ? { sets: [database], delay } : [answers.get(sql) ?? set(rowColumns, [])];
    },
  });
  stops.push(server.stop);
  return server;
}

/** One server of 500 databases against servers of 5. Without TLS: many hand-shakes would outweigh what is compared. */
async function mssql() {
  const [one, five, many] = await Promise.all([serveMssql(1), serveMssql(5), serveMssql(500)]);
  const visits = 100;
  const read = (server: typeof one, times: number) => async () => {
    const entries = Array.from({ length: times }, (): Entry => ({ engine: 'mssql', port: server.port, tls: 'off' }));
    const { cpu } = await report(entries, { change: withLimits({ concurrency: 1 }) });
    server.log.length = 0; // it keeps every statement
    return cpu;
  };
  // What a start and the first reads cost, and the log-ins to the small ones, is taken off. A hundred servers of 5, since
  // what four databases cost is lost in what a process costs; one after the other, as the 500 are.
  const outcomes = await takeTurns(5, {
    once: read(many, 1),
    thrice: read(many, 3),
    ones: read(one, visits),
    fives: read(five, visits),
  });
  const each = outcomes.map(({ once, thrice, ones, fives }) => ({
    many: (thrice - once) / (2 * 500),
    five: (fives - ones) / (4 * visits),
  }));
  const of = (size: 'five' | 'many') => median(each.map(costs => costs[size]));
  note(`CPU a database: ${ms(of('five'))} of 5 (${visits} servers), ${ms(of('many'))} of 500`);
  const ratio = median(each.map(({ many, five }) => many / five));
  judge('one SQL Server of 500 databases, CPU a database', 'one of 5', ratio, '×', { bar: 1.2, aim: 1 });
}

/** A SQL Server for which the time of one invocation does not suffice. A tenth of the time, and of what a database takes. */
async function budget() {
  const [count, database, compile] = [500, limits.database / 10, 60];
  const server = await serveMssql(count, compile);
  const entries: Entry[] = [{ engine: 'mssql', port: server.port, tls: 'off' }];
  const { manifest, wall } = await report(entries, { whole: false, change: withLimits({ database }) });
  const logins = server.log.filter(({ event }) => event === 'login').length;
  const asked = server.log.map(event => (event.event === 'query' ? event.parameters['@procedure'] : undefined));
  const read = new Set(asked.filter(procedure => procedure !== undefined)).size;
  const [{ result, detail }] = manifest.databases as [Manifest['databases'][number]];
  note(`${(wall / 1000).toFixed(0)} s, ${logins} log-ins, ${read} databases asked: ${result} ${detail}`);
  judge(
    `a SQL Server of ${count} databases that takes ${(count * compile) / database} × the time of an invocation: read`,
    '–',
    result === 'admin' ? read : 0,
    'databases',
    { bar: count, aim: count, more: true },
  );
}

// ── through AWS ───────────────────────────────────────────────────────────────────────────────────────────────────────

const hub = '111122223333';
const arnOf = (account: string, name: string) => `arn:aws:lambda:us-east-1:${account}:function:${name}`;
const template = fs.readFileSync(path.join(root, 'template.yaml'), 'utf8');
const orchestratorMemory = Number(/Timeout: 900\s+MemorySize: (\d+)/.exec(template)![1]);

/** Administrators as a server has them, in the order in which the report has them. */
function madeUpRows(count: number): Row[] {
  const empty = Object.fromEntries(rowColumns.map(column => [column, ''])) as Row;
  const privileges = ['ALTER; CREATE; CREATE USER; DELETE; DROP; GRANT OPTION; INSERT; SUPER; UPDATE', 'sysadmin'];
  const details = [
    '',
    '',
    "the provider's own account",
    'locked, and its password has expired',
    'a "break-glass" account',
  ];
  return Array.from({ length: count }, (_, i) => ({
    ...empty,
    ...{ result: 'admin', scope: i < count / 5 ? 'database:shop' : 'server', extent: i % 2 ? 'part' : 'full' },
    ...{ principal: `administrator${String(i).padStart(4, '0')}@10.0.%`, principal_type: 'user' },
    ...{ granted_through: i % 3 === 0 ? 'on_call > account_admin' : '', privileges: privileges[i % 2]! },
    ...{ can_grant: i % 2 ? 'yes' : 'no', enabled: i % 7 ? 'yes' : 'no', authentication: 'caching_sha2_password' },
    ...{ password_changed_at: '2026-03-04T05:06:07Z', detail: details[i % details.length]! },
  }));
}

/**
 * The command, the orchestrator's package in test/aws.ts with the memory of its Lambda, and in each account the worker that
 * is given. Gives the time of the run and the most memory that the orchestrator held.
 */
async function runInAws(
  databases: { id: string; account: string; host: string; port?: number }[],
  worker: Partial<LambdaFunction>,
) {
  const aws = await startAws();
  stops.push(() => aws.stop());
  const orchestrator = arnOf(hub, 'db-admin-report-orchestrator');
  aws.callers.set('AKIAOPERATOR', caller(hub, 'operator'));
  aws.callers.set('AKIAHUB', caller(hub, 'db-admin-report-orchestrator'));
  aws.functions.set(orchestrator, {
    ...{ role: 'AKIAHUB', package: path.join(root, 'dist/orchestrator'), timeoutSeconds: 900 },
    memoryMB: orchestratorMemory,
    env: { INVENTORY: 's3://reports/inventory.json', REPORT_BUCKET: 'reports', REPORT_PREFIX: 'reports/' },
  });
  const entries = databases.map(database => ({
    ...{ region: 'us-east-1', engine: 'mysql', credentials: `ssm:/db-admin-report/${database.id}` },
    ...database,
  }));
  for (const { account, id } of entries) {
    aws.callers.set(`AKIA${account}`, caller(account, 'worker'));
    aws.functions.set(arnOf(account, 'db-admin-report-worker'), {
      ...{ role: `AKIA${account}`, timeoutSeconds: 300, invokers: [hub], ...worker },
    });
    const arn = `arn:aws:ssm:us-east-1:${account}:parameter/db-admin-report/${id}`;
    aws.parameters.set(arn, { value: credential, type: 'SecureString' });
  }
  const reports = bucket(hub, 'us-east-1', { writeOnceUnder: 'reports/' });
  const body = Buffer.from(JSON.stringify({ databases: entries }));
  reports.objects.set('inventory.json', [{ version: '1', body, headers: {}, modified: new Date() }]);
  aws.buckets.set('reports', reports);
  const env = aws.env('AKIAOPERATOR', 'us-east-1');
  const cost = await measure(commandLine(['--json', '--quiet']), { cwd: root, env, exits: [0, 3] });
  const summary: Summary = JSON.parse(cost.stdout);
  const { covered, failed, incomplete } = summary.databases;
  note(`${covered} covered, ${incomplete} incomplete, ${failed} failed: ${summary.failures[0]?.detail ?? ''}`);
  const wall = covered === databases.length ? cost.wall : Number.POSITIVE_INFINITY;
  await aws.settled();
  const { memoryMB } = aws.invocations.find(({ arn }) => arn === orchestrator)!;
  return { wall, memoryMB, summary };
}

/** The most memory of the orchestrator; the workers' answers are made up in content, not in form. */
async function memory() {
  const rows = madeUpRows(100);
  const text = 'SELECT 1';
  const query: Query = { file: 'made-up.sql', sha256: createHash('sha256').update(text).digest('hex'), text };
  const answer = ({ databases }: WorkerEvent) => {
    const results = databases.map(
      ({ id }): DatabaseResult => ({
        ...{ id, result: 'admin', detail: '', rows, login: 'auditor', engine: 'mysql', engine_version: '8.4.6' },
        ...{ server_name: `ip-${id}`, server_id: id, collected_at: '2026-11-24T02:15:00Z', duration_ms: 1234 },
        queries: [query.sha256],
      }),
    );
    const gzip = gzipSync(JSON.stringify(results), { level: 1 }).toString('base64');
    return { version, queries: [query], gzip, unanswered: [], population: { listed: [] } };
  };
  const databases = Array.from({ length: 2000 }, (_, i) => ({
    ...{ id: `db-${i}`, account: String(100_000_000_000 + (i % 200)), host: `db-${i}.example.com` },
  }));
  const { wall, memoryMB, summary } = await runInAws(databases, { run: answer });
  assert.equal(summary.administrators, databases.length * rows.length);
  note(`${(wall / 1000).toFixed(1)} s`);
  const what = `memory of the orchestrator, ${databases.length} databases in 200 accounts, ${summary.administrators} administrators`;
  judge(what, 'its memory in AWS', memoryMB, 'MB', { bar: orchestratorMemory, aim: orchestratorMemory / 2 });
}

/** The whole way: the command, both packages, real servers. */
async function fleet() {
  const { servers } = await thePair();
  const databases = Array.from({ length: 400 }, (_, i) => ({
    ...{ id: `db-${i}`, account: String(222_200_000_000 + (i % 20)), host: '127.0.0.1' },
    port: servers[i % servers.length]!.port,
  }));
  const { wall } = await runInAws(databases, { package: path.join(root, 'dist/worker'), memoryMB: 512 });
  const what = `npx tsx cli.ts, ${databases.length} databases in 20 accounts, built packages`;
  judge(what, '–', wall / 1000, 's', { bar: 60, aim: 30 });
}

/** What Lambda gets, unpacked; without source maps. */
async function packages() {
  for (const [name, bar, aim] of [
    ['worker', 4, 3],
    ['orchestrator', 1, 0.7],
  ] as const) {
    const files = fs.readdirSync(path.join(root, 'dist', name), { recursive: true, withFileTypes: true });
    const counted = files.filter(file => file.isFile() && !file.name.endsWith('.map'));
    const bytes = counted.reduce((sum, file) => sum + fs.statSync(path.join(file.parentPath, file.name)).size, 0);
    judge(`dist/${name}, without source maps`, '–', bytes / 1e6, 'MB', { bar, aim });
  }
}

// ── all of it ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const benches: Record<string, () => Promise<void>> = {
  ...{ packages, memory, mssql, budget, fleet, client, local, production, growth, switches, older, layers },
};

const wanted = process.argv.slice(2);
const unknown = wanted.find(name => !Object.hasOwn(benches, name));
if (unknown) {
  console.error(`no row ${unknown}; there are: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const began = performance.now();
const elapsed = () => `${((performance.now() - began) / 1000).toFixed(0)} s`;
console.log(`${os.availableParallelism()} processors, Node ${process.version}`);
try {
  for (const [name, bench] of Object.entries(benches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`  ${name} (after ${elapsed()})`);
    await bench();
  }
} finally {
  await Promise.allSettled(stops.map(stop => stop()));
}

table.splice(
  1,
  0,
  table[0]!.map(() => '---'),
);
console.log(`\n${table.map(line => `| ${line.join(' | ')} |`).join('\n')}`);
const missed = table.filter(line => line.includes('MISSED')).length;
console.log(`\n${missed === 0 ? 'No bar is missed' : `MISSED: ${missed}`}; it took ${elapsed()}`);
process.exit(missed === 0 ? 0 : 1);
