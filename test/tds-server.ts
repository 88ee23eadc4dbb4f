/**
 * A small SQL Server on loopback, for the wire alone: TDS 7.4 as the real `mssql` package and its driver speak it. It
 * understands no SQL: `answer` gets each statement and says what comes back. What it can do: PRELOGIN with every answer about
 * encryption, TLS inside PRELOGIN packets, LOGIN7, SQL batches, sp_executesql with parameters, several result sets, errors,
 * information messages, attention; and every fault in every place (see `Fault`).
 * The protocol: https://learn.microsoft.com/openspecs/windows_protocols/ms-tds
 */

import type net from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import tls from 'node:tls';
import { drip, type KeyAndCertificate, randomBytes, serve } from './fault-servers.ts';

export type ColumnType = 'nvarchar' | 'nvarchar(max)' | 'int' | 'bigint' | 'bit' | 'tinyint';
export type ResultSet = { columns: [name: string, type: ColumnType][]; rows: unknown[][] };
export type ServerMessage = { number: number; text: string; severity?: number; state?: number };

/**
 * Where it goes wrong: on accept, in place of the answer to PRELOGIN, to the TLS hello, to LOGIN7, to the driver's first batch
 * (its SET statements) or to a query, or after the first half of a query's answer. And how: silence, FIN, RST, random bytes,
 * well-framed packets of broken tokens, HTTP, the right answer at a byte a second, or rows without end.
 */
export type Fault = {
  at: 'accept' | 'prelogin' | 'tls' | 'login' | 'initial' | 'query' | 'result';
  how: 'stall' | 'close' | 'reset' | 'garbage' | 'malformed' | 'http' | 'drip' | 'endless';
};

export type Answer = {
  sets?: ResultSet[];
  info?: ServerMessage[];
  error?: ServerMessage;
  /** Milliseconds before the answer; an attention ends the wait. */
  delay?: number;
  /** For this statement alone. */
  fault?: Fault['how'];
  /** Leaves out the token that ends the answer. */
  unfinished?: boolean;
  /** Ends the connection after the answer, as SQL Server does after a severe error. */
  hangUp?: boolean;
  /** `fault` comes after the first half of the answer, not in place of it. */
  half?: boolean;
};

export type Login = {
  user: string;
  /** As it came over the wire, unscrambled: a test proves with it that a password was sent, or that none was. */
  password: string;
  application: string;
  server: string;
  database: string;
  readOnlyIntent: boolean;
  /** The TLS version, or null: the password came in the clear. */
  encrypted: string | null;
};

export type TdsEvent = { client: number } & (
  | { event: 'connect' }
  | { event: 'prelogin'; encryption: string }
  | { event: 'tls'; version: string | null; serverName: string | false }
  | ({ event: 'login' } & Login)
  | { event: 'initial'; sql: string }
  | { event: 'query'; sql: string; parameters: Record<string, unknown>; procedure?: string }
  | { event: 'attention' }
  | { event: 'close' }
);

export type TdsOptions = {
  certificate?: KeyAndCertificate;
  /** OpenSSL's list, for a certificate that its defaults refuse. */
  ciphers?: string;
  /** The answer about encryption; ON with a certificate, else NOT_SUP. */
  encryption?: 'OFF' | 'ON' | 'NOT_SUP' | 'REQ';
  /** Who may log in, with which password; all may where it is missing. */
  users?: Record<string, string>;
  /** Refuses every log-in with it. */
  loginError?: ServerMessage;
  /** Lets in, but sends the client to another server, as an availability group's listener does. */
  route?: { server: string; port: number };
  /** What a request that stalls answers to an attention. */
  attention?: 'acknowledged' | 'ignored' | 'malformed';
  /** The packet size that the client is told to use, whatever size that is. */
  packetSize?: string;
  version?: [major: number, minor: number, build: number];
  database?: string;
  fault?: Fault;
  /** Milliseconds between two bytes of a drip. */
  dripEvery?: number;
  answer?(sql: string, parameters: Record<string, unknown>, login: Login): Answer | ResultSet[] | Promise<Answer>;
};

export type TdsServer = { port: number; log: TdsEvent[]; stop(): Promise<void> };

const PACKET = { batch: 1, rpc: 3, response: 4, attention: 6, login: 16, prelogin: 18 };
const ENCRYPTION = ['OFF', 'ON', 'NOT_SUP', 'REQ'];
const COLLATION = Buffer.from('0904d00034', 'hex'); // SQL_Latin1_General_CP1_CI_AS

/** Starts a server for TDS. `stop` ends every connection; nothing keeps the process alive after it. */
export async function startTds(options: TdsOptions): Promise<TdsServer> {
  const secureContext =
    options.certificate &&
    tls.createSecureContext({ ...options.certificate, ciphers: options.ciphers, maxVersion: 'TLSv1.2' });
  const server = await serve((socket, note) => converse(socket, note as Note, { ...options, secureContext }));
  return server as unknown as TdsServer;
}

type Note = (event: TdsEvent['event'], more?: Record<string, unknown>) => void;

async function converse(socket: net.Socket, note: Note, options: TdsOptions & { secureContext?: tls.SecureContext }) {
  const { fault, answer } = options;
  const link = openLink(socket);
  const goneWrong = async (at: Fault['at'], right: Buffer) =>
    fault?.at === at && (await misbehave(link, fault.how, right, options));

  if (await goneWrong('accept', Buffer.alloc(1))) return;

  const offered = preloginEncryption((await read(link)).body);
  note('prelogin', { encryption: offered });
  const encryption = options.encryption ?? (options.secureContext ? 'ON' : 'NOT_SUP');
  const preloginAnswer = prelogin(encryption, options.version ?? [16, 0, 1000]);
  if (await goneWrong('prelogin', packets(PACKET.response, preloginAnswer))) return;
  send(link, PACKET.response, preloginAnswer);

  if (['ON', 'REQ'].includes(encryption) && ['ON', 'REQ'].includes(offered)) {
    if (!options.secureContext) throw new Error('encryption needs a certificate');
    if (fault?.at === 'tls') {
      await read(link);
      // What is right here depends on the client's hello; the head of a record will do for a drip.
      if (await goneWrong('tls', packets(PACKET.prelogin, Buffer.from('160303ffff', 'hex')))) return;
    }
    const secure = await startTls(link, options.secureContext);
    note('tls', { version: secure.getProtocol(), serverName: secure.servername });
  }

  const login = { ...login7((await read(link)).body), encrypted: link.secure?.getProtocol() ?? null };
  note('login', login);
  const refused = options.loginError ?? refusal(login, options.users);
  const loginAnswer = refused
    ? Buffer.concat([message(0xaa, refused), done({ error: true })])
    : welcome(login, options);
  if (await goneWrong('login', packets(PACKET.response, loginAnswer))) return;
  send(link, PACKET.response, loginAnswer);
  if (refused) return void link.stream.end();

  for (let first = true; ; first = false) {
    const { type, body } = await read(link);
    if (type === PACKET.attention) {
      note('attention');
      send(link, PACKET.response, done({ attention: true }));
      continue;
    }
    if (type === PACKET.batch && (first || batch(body).startsWith('SET '))) {
      const sql = batch(body);
      note('initial', { sql });
      if (await goneWrong('initial', packets(PACKET.response, done({})))) return;
      send(link, PACKET.response, done({}));
      continue;
    }
    if (type !== PACKET.batch && type !== PACKET.rpc) return void link.stream.end();
    const request = type === PACKET.batch ? { sql: batch(body), parameters: {} } : rpc(body);
    note('query', request);
    const given = (await answer?.(request.sql, request.parameters, login)) ?? {
      error: { number: 2812, text: `No answer is known to: ${request.sql.slice(0, 300)}` },
    };
    const reply: Answer = Array.isArray(given) ? { sets: given } : given;
    const right = packets(PACKET.response, response(reply, type === PACKET.rpc));
    const how = reply.fault ?? (fault?.at === 'query' || fault?.at === 'result' ? fault.how : undefined);
    const half = how && (reply.fault ? reply.half : fault?.at === 'result') ? 8 + ((right.length - 8) >> 1) : 0;
    if (half) link.stream.write(right.subarray(0, half));
    // A server that hangs may still answer an attention: first its request's answer, cut short, then the attention's.
    const hangs = how === 'stall' && !half && options.attention !== 'ignored';
    const waits = hangs ? Number.POSITIVE_INFINITY : (reply.delay ?? 0);
    if (waits > 0 && (await attentionWithin(link, waits))) {
      note('attention');
      if (options.attention === 'malformed')
        link.stream.write(broken(packets(PACKET.response, message(0xab, { number: 1, text: '' }))));
      else {
        send(link, PACKET.response, done({}));
        send(link, PACKET.response, done({ attention: true }));
      }
      continue;
    }
    if (how) return void (await misbehave(link, how, right.subarray(half), options, () => note('attention')));
    link.stream.write(right);
    if (reply.hangUp) return void link.stream.end();
  }
}

/** Does one of the wrong things in place of `right`, and keeps the connection as long as that takes. */
async function misbehave(
  link: Link,
  how: Fault['how'],
  right: Buffer,
  options: TdsOptions,
  onAttention?: () => void,
): Promise<true> {
  if (how === 'close') link.stream.end();
  if (how === 'reset') link.socket.resetAndDestroy();
  if (how === 'garbage') link.stream.write(randomBytes());
  if (how === 'http') link.stream.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  if (how === 'malformed') link.stream.write(broken(right));
  if (how === 'drip') drip(link.stream, right, options.dripEvery ?? 1000);
  if (how === 'endless') {
    const wide: ResultSet = { columns: [['c', 'nvarchar']], rows: [] };
    link.stream.write(packets(PACKET.response, columnMetadata(wide), { last: false }));
    const rows = packets(PACKET.response, row(wide, ['x'.repeat(200)]), { last: false });
    const timer = setInterval(() => link.stream.write(rows), 5);
    link.socket.once('close', () => clearInterval(timer));
  }
  while (true) if ((await read(link)).type === PACKET.attention) onAttention?.();
}

/** An answer whose packet is framed well, but after its first token every byte is turned round: lengths run past the end. */
const broken = (answer: Buffer) => Buffer.from(answer.map((byte, index) => (index < 9 ? byte : byte ^ 0xff)));

// --- packets, plain and inside TLS ---

type Link = {
  socket: net.Socket;
  /** What is written to and read from now: the socket, or TLS over it. */
  stream: Duplex;
  secure?: tls.TLSSocket;
  received: Buffer;
  ended: boolean;
  wake(): void;
};

function openLink(socket: net.Socket): Link {
  const link: Link = { socket, stream: socket, received: Buffer.alloc(0), ended: false, wake() {} };
  listen(link);
  return link;
}

function listen(link: Link) {
  const end = () => {
    link.ended = true;
    link.wake();
  };
  link.stream.on('data', (bytes: Buffer) => {
    link.received = link.received.length ? Buffer.concat([link.received, bytes]) : bytes;
    link.wake();
  });
  link.stream.on('end', end).on('close', end).on('error', end);
}

/** Resolves when `count` bytes are there; throws when they cannot come any more. */
async function until(link: Link, count: number) {
  while (link.received.length < count) {
    if (link.ended) throw new Error('the client has gone');
    await new Promise<void>(resolve => {
      link.wake = resolve;
    });
  }
}

/** One whole message of the client, its packets put together. */
async function read(link: Link): Promise<{ type: number; body: Buffer }> {
  const parts: Buffer[] = [];
  while (true) {
    await until(link, 8);
    const [type, status, length] = [link.received[0]!, link.received[1]!, link.received.readUInt16BE(2)];
    if (length < 8) throw new Error('no TDS');
    await until(link, length);
    parts.push(link.received.subarray(8, length));
    link.received = link.received.subarray(length);
    if (status & 1) return { type, body: Buffer.concat(parts) };
  }
}

/** Whether the client sends an attention within so many milliseconds. It is taken off the line. */
async function attentionWithin(link: Link, milliseconds: number): Promise<boolean> {
  const came = until(link, 8).then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    if (Number.isFinite(milliseconds)) timer = setTimeout(resolve, milliseconds, false);
  });
  const first = await Promise.race([came, late]).finally(() => clearTimeout(timer));
  came.catch(() => {});
  if (!first || link.received[0] !== PACKET.attention) return false;
  await read(link);
  return true;
}

function packets(type: number, body: Buffer, { last = true } = {}): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < body.length; at += 4088) {
    const part = body.subarray(at, at + 4088);
    const head = Buffer.from([
      type,
      last && at + 4088 >= body.length ? 1 : 0,
      0,
      0,
      0,
      51,
      (parts.length + 1) & 255,
      0,
    ]);
    head.writeUInt16BE(part.length + 8, 2);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

const send = (link: Link, type: number, body: Buffer) => void link.stream.write(packets(type, body));

/**
 * The TLS hand-shake goes to and fro inside PRELOGIN packets; after it the packets go inside TLS. The client's first byte that
 * begins no packet but a TLS record shows that it has the last of the hand-shake.
 */
async function startTls(link: Link, secureContext: tls.SecureContext): Promise<tls.TLSSocket> {
  const { socket } = link;
  const [inner, wire] = duplexPair();
  const secure = new tls.TLSSocket(inner, { isServer: true, secureContext });
  let wrapped = true;
  let arrived = link.received;
  let leaving: Buffer[] = [];

  wire.on('data', (bytes: Buffer) => {
    if (!wrapped) return void socket.write(bytes);
    // One answer for one message: what TLS writes in one go, in however many pieces, is one flight.
    if (leaving.push(bytes) === 1) {
      setImmediate(() => {
        socket.write(packets(PACKET.prelogin, Buffer.concat(leaving)));
        leaving = [];
      });
    }
  });
  const onData = (bytes: Buffer) => {
    arrived = Buffer.concat([arrived, bytes]);
    while (wrapped && arrived[0] === PACKET.prelogin && arrived.length >= 4) {
      const length = arrived.readUInt16BE(2);
      if (arrived.length < length) return;
      wire.write(arrived.subarray(8, length));
      arrived = arrived.subarray(length);
    }
    if (arrived.length === 0 || arrived[0] === PACKET.prelogin) return;
    wrapped = false;
    wire.write(arrived);
    arrived = Buffer.alloc(0);
  };
  socket.removeAllListeners('data');
  socket.on('data', bytes => (wrapped ? onData(bytes) : wire.write(bytes)));
  socket.on('end', () => wire.end()).on('close', () => secure.destroy());
  secure.on('close', () => socket.destroy());
  wire.on('end', () => socket.end()).on('error', () => socket.destroy());
  onData(Buffer.alloc(0));

  link.received = Buffer.alloc(0);
  link.stream = secure;
  link.secure = secure;
  await new Promise((resolve, reject) => {
    secure.once('secure', resolve);
    secure.once('error', reject); // a client that does not like the certificate, say
    socket.once('close', reject);
  });
  listen(link);
  return secure;
}

// --- what clients send ---

const utf16 = (value: string) => Buffer.from(value, 'utf16le');

function preloginEncryption(body: Buffer): string {
  for (let at = 0; body[at] !== 0xff; at += 5) {
    if (body[at] === 1) return ENCRYPTION[body[body.readUInt16BE(at + 1)]!] ?? 'unknown';
  }
  return 'none';
}

function login7(body: Buffer): Omit<Login, 'encrypted'> {
  const field = (index: number) => {
    const [offset, length] = [body.readUInt16LE(36 + 4 * index), body.readUInt16LE(38 + 4 * index)];
    return body.subarray(offset, offset + 2 * length);
  };
  const [user, scrambled, application, server, database] = [1, 2, 3, 4, 8].map(field) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const password = Buffer.from(scrambled.map(byte => ((byte ^ 0xa5) >> 4) | (((byte ^ 0xa5) << 4) & 0xf0)));
  return {
    user: user.toString('utf16le'),
    password: password.toString('utf16le'),
    application: application.toString('utf16le'),
    server: server.toString('utf16le'),
    database: database.toString('utf16le'),
    readOnlyIntent: (body[26]! & 0x20) !== 0,
  };
}

/** What follows ALL_HEADERS, whose length stands in front. */
const withoutHeaders = (body: Buffer) => body.subarray(body.readUInt32LE(0));

const batch = (body: Buffer) => withoutHeaders(body).toString('utf16le');

/** A call of sp_executesql: its statement and its parameters by name, with the @. */
function rpc(body: Buffer): { sql: string; parameters: Record<string, unknown>; procedure: string } {
  const bytes = withoutHeaders(body);
  let at = 0;
  const take = (count: number) => {
    at += count;
    return bytes.subarray(at - count, at);
  };
  const count = take(2).readUInt16LE();
  const procedure = count === 0xffff ? `#${take(2).readUInt16LE()}` : take(2 * count).toString('utf16le');
  take(2); // options
  const values: [string, unknown][] = [];
  while (at < bytes.length) {
    const name = take(2 * take(1)[0]!).toString('utf16le');
    take(1); // status
    values.push([name, parameter(take)]);
  }
  if (procedure !== '#10' && procedure !== 'sp_executesql')
    return { sql: '', parameters: Object.fromEntries(values), procedure };
  const [statement, , ...rest] = values;
  return { sql: String(statement?.[1]), parameters: Object.fromEntries(rest), procedure: 'sp_executesql' };
}

function parameter(take: (count: number) => Buffer): unknown {
  const type = take(1)[0]!;
  const characters = { 231: 'utf16le', 167: 'latin1' }[type] as BufferEncoding | undefined;
  if (characters) {
    const most = take(2).readUInt16LE();
    take(5); // collation
    if (most !== 0xffff) {
      const length = take(2).readUInt16LE();
      return length === 0xffff ? null : take(length).toString(characters);
    }
    const total = take(8);
    if (total.every(byte => byte === 0xff)) return null;
    const chunks: Buffer[] = [];
    for (let length = take(4).readUInt32LE(); length > 0; length = take(4).readUInt32LE()) chunks.push(take(length));
    return Buffer.concat(chunks).toString(characters);
  }
  if (![0x26, 0x68, 0x6d].includes(type)) throw new Error(`parameters of type 0x${type.toString(16)} are not known`);
  take(1);
  const value = take(take(1)[0]!);
  if (value.length === 0) return null;
  if (type === 0x68) return value[0] !== 0;
  if (type === 0x6d) return value.length === 8 ? value.readDoubleLE() : value.readFloatLE();
  return value.length === 8 ? Number(value.readBigInt64LE()) : value.readIntLE(0, value.length);
}

// --- what the server sends ---

const shortText = (value: string) => Buffer.concat([Buffer.from([value.length]), utf16(value)]);
const longText = (value: string) => Buffer.concat([uint16(value.length), utf16(value)]);
const sized = (token: number, body: Buffer) => Buffer.concat([Buffer.from([token]), uint16(body.length), body]);

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function prelogin(encryption: string, [major, minor, build]: [number, number, number]): Buffer {
  const version = Buffer.from([major, minor, build >> 8, build & 255, 0, 0]);
  const options: [number, Buffer][] = [
    [0, version],
    [1, Buffer.from([ENCRYPTION.indexOf(encryption)])],
    [2, Buffer.from([0])],
    [3, Buffer.alloc(0)],
    [4, Buffer.from([0])],
  ];
  const heads: Buffer[] = [];
  let offset = 5 * options.length + 1;
  for (const [token, value] of options) {
    heads.push(Buffer.from([token, offset >> 8, offset & 255, 0, value.length]));
    offset += value.length;
  }
  return Buffer.concat([...heads, Buffer.from([0xff]), ...options.map(([, value]) => value)]);
}

function refusal(login: Omit<Login, 'encrypted'>, users?: Record<string, string>): ServerMessage | undefined {
  if (!users || (Object.hasOwn(users, login.user) && users[login.user] === login.password)) return undefined;
  return { number: 18456, text: `Login failed for user '${login.user}'.`, severity: 14 };
}

function welcome(login: Omit<Login, 'encrypted'>, options: TdsOptions): Buffer {
  const [major, minor, build] = options.version ?? [16, 0, 1000];
  const database = login.database || options.database || 'master';
  const change = (type: number, next: Buffer, previous: Buffer) =>
    sized(0xe3, Buffer.concat([Buffer.from([type]), next, previous]));
  const program = Buffer.concat([
    Buffer.from([1, 0x74, 0, 0, 4]),
    shortText('Microsoft SQL Server\0\0'),
    Buffer.from([major, minor, build >> 8, build & 255]),
  ]);
  const tokens = [
    change(1, shortText(database), shortText('master')),
    message(0xab, { number: 5701, text: `Changed database context to '${database}'.`, severity: 10, state: 2 }),
    change(7, Buffer.concat([Buffer.from([5]), COLLATION]), Buffer.from([0])),
    change(2, shortText('us_english'), shortText('')),
    sized(0xad, program),
    change(4, shortText(options.packetSize ?? '4096'), shortText('4096')),
  ];
  if (options.route) {
    const { server, port } = options.route;
    const target = Buffer.concat([Buffer.from([0]), uint16(port), longText(server)]);
    tokens.push(change(20, Buffer.concat([uint16(target.length), target]), Buffer.from([0, 0])));
  }
  return Buffer.concat([...tokens, done({})]);
}

function message(token: number, { number, text, severity = 16, state = 1 }: ServerMessage): Buffer {
  const head = Buffer.concat([uint32(number), Buffer.from([state, severity])]);
  return sized(token, Buffer.concat([head, longText(text), shortText('TDS-TEST'), shortText(''), uint32(1)]));
}

function done({ token = 0xfd, more = false, error = false, count = -1, attention = false, command = 0xc1 }): Buffer {
  const status = (more ? 1 : 0) | (error ? 2 : 0) | (count >= 0 ? 0x10 : 0) | (attention ? 0x20 : 0);
  return Buffer.concat([Buffer.from([token]), uint16(status), uint16(command), uint32(Math.max(count, 0)), uint32(0)]);
}

/** The tokens of an answer. A call of a procedure has a status and one DONE more at its end than a batch. */
function response({ sets = [], info = [], error, unfinished }: Answer, procedure: boolean): Buffer {
  const tokens = info.map(note => message(0xab, { severity: 0, ...note }));
  for (const [index, set] of sets.entries()) {
    const more = procedure || index + 1 < sets.length || error !== undefined;
    tokens.push(columnMetadata(set), ...set.rows.map(values => row(set, values)));
    tokens.push(done({ token: procedure ? 0xff : 0xfd, more, count: set.rows.length }));
  }
  if (error) tokens.push(message(0xaa, error));
  if (procedure) tokens.push(Buffer.from([0x79, 0, 0, 0, 0]), done({ token: 0xfe, error: !!error, command: 0xe0 }));
  else if (error || sets.length === 0) tokens.push(done({ error: !!error }));
  return Buffer.concat(unfinished ? tokens.slice(0, -1) : tokens);
}

const TYPES: Record<ColumnType, { info: Buffer; bytes(value: never): Buffer; absent: Buffer }> = {
  nvarchar: {
    info: Buffer.concat([Buffer.from([0xe7]), uint16(8000), COLLATION]),
    bytes: (value: string) => Buffer.concat([uint16(2 * value.length), utf16(value)]),
    absent: Buffer.from([0xff, 0xff]),
  },
  'nvarchar(max)': {
    info: Buffer.concat([Buffer.from([0xe7, 0xff, 0xff]), COLLATION]),
    bytes: (value: string) => partlyLengthPrefixed(utf16(value)),
    absent: Buffer.alloc(8, 0xff),
  },
  int: { info: Buffer.from([0x26, 4]), bytes: (value: number) => integer(4, value), absent: Buffer.from([0]) },
  bigint: { info: Buffer.from([0x26, 8]), bytes: (value: number) => integer(8, value), absent: Buffer.from([0]) },
  tinyint: { info: Buffer.from([0x26, 1]), bytes: (value: number) => integer(1, value), absent: Buffer.from([0]) },
  bit: {
    info: Buffer.from([0x68, 1]),
    bytes: (value: boolean) => Buffer.from([1, value ? 1 : 0]),
    absent: Buffer.from([0]),
  },
};

function integer(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = size;
  bytes.writeBigInt64LE(BigInt(value), 1);
  return bytes.subarray(0, 1 + size);
}

/** A value of a (max) type: its length, then chunks, then an empty one. */
function partlyLengthPrefixed(bytes: Buffer): Buffer {
  const parts = [uint32(bytes.length), uint32(0)];
  for (let at = 0; at < bytes.length; at += 4000) {
    const chunk = bytes.subarray(at, at + 4000);
    parts.push(uint32(chunk.length), chunk);
  }
  return Buffer.concat([...parts, uint32(0)]);
}

function columnMetadata({ columns }: ResultSet): Buffer {
  const each = columns.map(([name, type]) => Buffer.concat([uint32(0), uint16(9), TYPES[type].info, shortText(name)]));
  return Buffer.concat([Buffer.from([0x81]), uint16(columns.length), ...each]);
}

/** A ROW token; an NBCROW, with a bit for each NULL, where there are many of these, as SQL Server has it. */
function row({ columns }: ResultSet, values: unknown[]): Buffer {
  if (values.length !== columns.length)
    throw new Error(`a row of ${values.length} values for ${columns.length} columns`);
  const bytes = values.map((value, index) => {
    const type = TYPES[columns[index]![1]];
    return value === null || value === undefined ? null : type.bytes(value as never);
  });
  if (bytes.filter(value => value === null).length <= 1) {
    return Buffer.concat([
      Buffer.from([0xd1]),
      ...bytes.map((value, index) => value ?? TYPES[columns[index]![1]].absent),
    ]);
  }
  const bitmap = Buffer.alloc(Math.ceil(columns.length / 8));
  for (const [index, value] of bytes.entries()) if (value === null) bitmap[index >> 3]! |= 1 << (index & 7);
  return Buffer.concat([Buffer.from([0xd2]), bitmap, ...bytes.filter(value => value !== null)]);
}
