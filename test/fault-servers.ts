/**
 * Servers on loopback that misbehave, for tests of what a database that is ill costs: itself only, within its limits, in
 * words. The first ones speak no protocol at all; those after them speak just enough of MySQL's to go wrong later on.
 * Each returns `{port, log, stop}`: `log` tells what clients did, `stop` leaves no open handle.
 */

import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { limits, rowColumns } from '../worker.ts';

/** Does something while the worker in this process has other limits. */
export async function withLimits<T>(changed: Partial<typeof limits>, body: () => Promise<T>): Promise<T> {
  const before = { ...limits };
  Object.assign(limits, changed);
  try {
    return await body();
  } finally {
    Object.assign(limits, before);
  }
}

/** What a client did, in order. `client` counts connections from 1. */
export type FaultEvent = { client: number; event: 'connect' | 'tls' | 'login' | 'query' | 'close' } & Record<
  string,
  unknown
>;
export type FaultServer = { port: number; log: FaultEvent[]; stop(): Promise<void> };

/** PEM texts of a server's key and certificate (with the chain). */
export type KeyAndCertificate = { key: string; cert: string };

/**
 * Listens on a free port of loopback. `talk` gets each connection and `note`, which adds to the log; what it throws ends
 * its connection only. `stop` destroys every connection and resolves when the port is free.
 */
export async function serve(
  talk: (
    socket: net.Socket,
    note: (event: FaultEvent['event'], more?: Record<string, unknown>) => void,
  ) => void | Promise<void>,
): Promise<FaultServer> {
  const log: FaultEvent[] = [];
  const sockets = new Set<net.Socket>();
  let clients = 0;
  const server = net.createServer(socket => {
    const client = ++clients;
    const note = (event: FaultEvent['event'], more: Record<string, unknown> = {}) => {
      log.push({ client, event, ...more });
    };
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {}); // a client may reset whenever it likes
    socket.on('close', () => {
      sockets.delete(socket);
      note('close');
    });
    note('connect');
    Promise.resolve()
      .then(() => talk(socket, note))
      .catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    log,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Accepts and never says a word. */
export const silent = () => serve(socket => void socket.resume());

/** A port on which nobody listens: connects are refused. */
export async function refusing(): Promise<FaultServer> {
  const server = await serve(() => {});
  await server.stop();
  return { ...server, stop: async () => {} };
}

/**
 * Drops the packets of a connect, as a security group does: its queue of connections is short and full, and nobody takes one
 * from it. In a process of its own, since Node accepts whenever it is not busy.
 */
export async function dropping(): Promise<FaultServer> {
  const blocked = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ['-e', blocked], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [digits] = await once(child.stdout, 'data');
  const port = Number(digits);
  const waiting: net.Socket[] = [];
  for (let full = false; !full; ) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    waiting.push(socket);
    full = await Promise.race([once(socket, 'connect').then(() => false), pause(250).then(() => true)]);
    if (waiting.length > 100) throw new Error('this system takes any number of connections');
  }
  return {
    port,
    log: [],
    async stop() {
      for (const socket of waiting) socket.destroy();
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Accepts and resets at once. */
export const resetting = () => serve(socket => void socket.resetAndDestroy());

/** Accepts and closes politely at once. */
export const closing = () => serve(socket => void socket.end());

/** Numbers of 32 bits that look random, the same in each run (a linear congruence). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state;
  };
}

/** Bytes of no protocol, the same in each run. */
export function randomBytes(count = 512, seed = 1): Buffer {
  const next = random(seed);
  return Buffer.from(Array.from({ length: count }, () => next() >>> 16)); // a byte takes the lowest eight bits
}

/** Random bytes, then nothing. */
export const garbage = (seed = 1) =>
  serve(socket => {
    socket.resume();
    socket.write(randomBytes(512, seed));
  });

/** A web server that was mistaken for a database. */
export const http = () =>
  serve(socket => {
    socket.resume();
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });

/** Sends `bytes` one by one, so that no time-out between two bytes ever fires. */
export function drip(stream: Duplex, bytes: Buffer, every: number) {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < bytes.length) stream.write(bytes.subarray(sent, ++sent));
  }, every);
  stream.once('close', () => clearInterval(timer));
}

// MySQL's protocol, as far as is needed: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html

const CLIENT_CONNECT_WITH_DB = 0x8;
const CLIENT_SSL = 0x800;
/** LONG_PASSWORD, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS */
const CAPABILITIES = 0x0018a20d;
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const END_OF_LIST = Buffer.from([0xfe, 0, 0, 2, 0]);

export const packet = (sequence: number, payload: Buffer) =>
  Buffer.concat([
    Buffer.from([payload.length & 255, (payload.length >> 8) & 255, payload.length >> 16, sequence & 255]),
    payload,
  ]);

/** A string with its length in front: one byte up to 250, else two after a mark. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = bytes.length < 251 ? [bytes.length] : [0xfc, bytes.length & 255, bytes.length >> 8];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function greeting(capabilities: number): Buffer {
  const head = Buffer.from('\x0a8.4.99-fault\0', 'latin1');
  const rest = Buffer.alloc(44);
  rest.writeUInt32LE(7, 0); // thread id
  rest.fill('saltsalt', 4, 12);
  rest.writeUInt16LE(capabilities & 0xffff, 13);
  rest[15] = 255; // utf8mb4
  rest.writeUInt16LE(2, 16); // autocommit
  rest.writeUInt16LE(capabilities >>> 16, 18);
  rest[20] = 21;
  rest.fill('saltsaltsalt', 31, 43);
  return packet(0, Buffer.concat([head, rest, Buffer.from('mysql_native_password\0')]));
}

function failure(sequence: number, number: number, state: string, message: string): Buffer {
  const head = Buffer.from([0xff, number & 255, number >> 8]);
  return packet(sequence, Buffer.concat([head, Buffer.from(`${state}${message}`)]));
}

const columnDefinition = (name: string) =>
  Buffer.concat([
    ...['def', '', '', '', name, ''].map(text),
    Buffer.from([0x0c, 255, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0]), // utf8mb4, VAR_STRING
  ]);

/** The head of a result with one column `c`: count, definition, end of the list. */
const resultHead = (sequence: number) => [
  packet(sequence, Buffer.from([1])),
  packet(sequence + 1, columnDefinition('c')),
  packet(sequence + 2, END_OF_LIST),
];

/** A whole result of texts. */
function result(columns: readonly string[], rows: string[][]): Buffer {
  const list = [
    ...columns.map(columnDefinition),
    END_OF_LIST,
    ...rows.map(row => Buffer.concat(row.map(text))),
    END_OF_LIST,
  ];
  return Buffer.concat([Buffer.from([columns.length]), ...list].map((payload, i) => packet(i + 1, payload)));
}

type Command = { socket: net.Socket; sql: string };

/**
 * A MySQL server that lets everybody in and gives each query to `onQuery`, which answers from sequence 1 or does not.
 * With a certificate it offers TLS; `onLogin` may answer the log-in in its own way (and returns true if it did).
 */
function mysql(options: {
  certificate?: KeyAndCertificate;
  onQuery?(command: Command): void;
  onLogin?(socket: net.Socket, sequence: number, user: string): boolean;
}): Promise<FaultServer> {
  const secureContext = options.certificate && tls.createSecureContext(options.certificate);
  return serve((plain, note) => {
    let socket: net.Socket = plain;
    let buffer = Buffer.alloc(0);
    let loggedIn = false;

    const onPacket = (sequence: number, payload: Buffer) => {
      if (!loggedIn && payload.length === 32 && secureContext) {
        plain.removeListener('data', onData);
        plain.pause();
        plain.unshift(buffer); // the client's hello may have come with the request
        buffer = Buffer.alloc(0);
        const secure = new tls.TLSSocket(plain, { isServer: true, secureContext });
        secure.on('error', () => plain.destroy());
        secure.on('secure', () => note('tls', { version: secure.getProtocol() }));
        secure.on('data', onData);
        socket = secure;
        return;
      }
      if (!loggedIn) {
        const flags = payload.readUInt32LE(0);
        const end = payload.indexOf(0, 32);
        const user = payload.toString('utf8', 32, end);
        const password = payload.subarray(end + 2, end + 2 + payload[end + 1]!);
        const database = flags & CLIENT_CONNECT_WITH_DB;
        note('login', { user, password: password.toString('hex'), database: !!database, encrypted: socket !== plain });
        loggedIn = true;
        if (!options.onLogin?.(socket, sequence + 1, user)) socket.write(packet(sequence + 1, OK));
        return;
      }
      if (payload[0] === 1) return void socket.end(); // COM_QUIT
      const sql = payload.toString('utf8', 1);
      note('query', { sql });
      options.onQuery?.({ socket, sql });
    };

    const onData = (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes]);
      while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUIntLE(0, 3)) {
        const length = buffer.readUIntLE(0, 3);
        const [sequence, payload] = [buffer[3]!, buffer.subarray(4, 4 + length)];
        buffer = buffer.subarray(4 + length);
        onPacket(sequence, payload);
      }
    };

    plain.on('data', onData);
    plain.write(greeting(options.certificate ? CAPABILITIES | CLIENT_SSL : CAPABILITIES));
  });
}

/** MySQL's greeting, one byte each `every` ms: 79 bytes, so over a minute with the default. */
export const drippingGreeting = (every = 1000) =>
  serve(socket => {
    socket.resume();
    drip(socket, greeting(CAPABILITIES | CLIENT_SSL), every);
  });

/** Greets as MySQL with TLS on offer, then says nothing more: the TLS hand-shake or the log-in is never answered. */
export const greetingThenSilent = () =>
  serve(socket => {
    socket.resume();
    socket.write(greeting(CAPABILITIES | CLIENT_SSL));
  });

/** Offers no TLS. Whether a log-in (with what of a password) arrived all the same is in the log. It is then let in. */
export const withoutTls = () => mysql({ onQuery: ({ socket }) => void socket.write(packet(1, OK)) });

/** Lets in, then never answers a query. */
export const stallingOnQuery = (certificate?: KeyAndCertificate) => mysql({ certificate });

/** Ends every query at once, as a server does whose max_execution_time is short. */
export const endingQueries = (certificate?: KeyAndCertificate) => {
  const message = 'Query execution was interrupted, maximum statement execution time exceeded';
  return mysql({ certificate, onQuery: ({ socket }) => void socket.write(failure(1, 3024, '#HY000', message)) });
};

/** A MySQL 5.7 in which nobody is an administrator: it has no recursive queries, and so no setting for them. */
export const older = (certificate?: KeyAndCertificate) =>
  mysql({
    certificate,
    onQuery({ socket, sql }) {
      if (/^SET [^;]*cte_max_recursion_depth/.test(sql))
        socket.write(failure(1, 1193, '#HY000', "Unknown system variable 'cte_max_recursion_depth'"));
      else if (sql.startsWith('SET')) socket.write(packet(1, OK));
      else if (/^SHOW GLOBAL VARIABLES/m.test(sql))
        socket.write(result(['Variable_name', 'Value'], [['version', '5.7.44-log']]));
      else socket.write(result(rowColumns, []));
    },
  });

/** A statement that answers with rows, and its answer as texts. */
export type Recorded = { sql: string; columns: string[]; rows: string[][] };

/** What is left of a statement without its comments and its end: clients send more or less of these. */
const bare = (sql: string) =>
  sql
    .replace(/^\s*--.*$/gm, '')
    .trim()
    .replace(/;$/, '');

/** No fault: for test/bench.ts, a server that costs next to nothing. It gives the answers that were recorded, and takes any SET. */
export function playing(certificate: KeyAndCertificate, recorded: Recorded[]) {
  const answers = new Map(recorded.map(({ sql, columns, rows }) => [bare(sql), result(columns, rows)]));
  return mysql({
    certificate,
    onQuery({ socket, sql }) {
      const statement = bare(sql);
      if (statement.startsWith('SET ')) return void socket.write(packet(1, OK));
      const answer = answers.get(statement) ?? failure(1, 1105, '#HY000', 'a statement that was not recorded');
      socket.write(answer);
    },
  });
}

/** Answers a query with a column definition whose length runs past its packet. */
export const malformedAnswer = (certificate?: KeyAndCertificate) =>
  mysql({
    certificate,
    onQuery: ({ socket }) =>
      void socket.write(
        Buffer.concat([packet(1, Buffer.from([2])), packet(2, Buffer.from([0xfd, 0xff, 0xff, 0xff, 1]))]),
      ),
  });

/** Answers with a row each `every` ms, for ever: a limit on the time between two packets never fires. */
export const endlessResult = (certificate?: KeyAndCertificate, every = 5) =>
  mysql({
    certificate,
    onQuery({ socket }) {
      socket.write(Buffer.concat(resultHead(1)));
      let sequence = 4;
      const timer = setInterval(() => socket.write(packet(sequence++, text('x'.repeat(200)))), every);
      socket.once('close', () => clearInterval(timer));
    },
  });

/** Sends without a pause, for as long as the client takes it, what belongs to one packet: it would never be whole. */
function flood(socket: net.Socket) {
  const chunk = Buffer.alloc(65_536, 'x');
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  const endless = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0]), chunk.subarray(0, 0xff)]);
  socket.on('drain', more).write(endless);
  more();
}

/** Greets without an end. */
export const floodingGreeting = () => serve(socket => flood(socket));

/** Answers a query with packets as large as they can be, for ever. */
export const floodingAnswer = (certificate?: KeyAndCertificate) =>
  mysql({ certificate, onQuery: ({ socket }) => flood(socket) });

/** Closes in the middle of a row, having sent one whole. */
export const closingInResult = (certificate?: KeyAndCertificate) =>
  mysql({
    certificate,
    onQuery({ socket }) {
      const half = packet(5, text('half of a row')).subarray(0, 9);
      socket.end(Buffer.concat([...resultHead(1), packet(4, text('a row')), half]));
    },
  });

/** Refuses before the greeting, as a server with all its connections taken does. */
export const tooManyConnections = () =>
  serve(socket => void socket.end(failure(0, 1040, '#08004', 'Too many connections')));

/** Refuses before the greeting, as a server does to a host that failed too often. */
export const hostBlocked = () =>
  serve(socket => {
    const remedy = "unblock with 'mysqladmin flush-hosts'";
    // Before the hand-shake an error has no SQL state: the client's capabilities are not known yet.
    socket.end(failure(0, 1129, '', `Host '127.0.0.1' is blocked because of many connection errors; ${remedy}`));
  });

/** Refuses every password. How often one was tried is the count of `login` in the log. */
export const accessDenied = (certificate?: KeyAndCertificate) =>
  mysql({
    certificate,
    onLogin(socket, sequence, user) {
      const message = `Access denied for user '${user}'@'127.0.0.1' (using password: YES)`;
      socket.end(failure(sequence, 1045, '#28000', message));
      return true;
    },
  });

/** Takes the log-in, and with it what proves the password, and hangs up. */
export const closingAfterLogin = (certificate?: KeyAndCertificate) =>
  mysql({
    certificate,
    onLogin(socket) {
      socket.destroy();
      return true;
    },
  });

/**
 * A name server on loopback. `answer` gives the addresses of a name (none: it has none of that family), or the word for what
 * goes wrong. Returns what it was asked for, in order.
 */
export async function nameServer(answer: (name: string, family: 4 | 6) => string[] | 'silent' | 'busy' | 'unknown') {
  const asked: string[] = [];
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join('.').toLowerCase();
    const family = query.readUInt16BE(at + 1) === 28 ? 6 : 4;
    asked.push(name);
    const given = answer(name, family);
    if (given === 'silent') return;
    const addresses = Array.isArray(given) ? given : [];
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (given === 'busy' ? 2 : given === 'unknown' ? 3 : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map(address => {
      const bytes = Buffer.from(address.split('.').map(Number)); // IPv4 alone: that is what the tests have servers on
      const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, bytes.length]);
      return Buffer.concat([record, bytes]);
    });
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...records]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    async stop() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
