/**
 * The floor of test/bench.ts: what a client on bare `net` and `tls` sockets costs that logs in over verified TLS, sends the
 * statements and throws the answers away, its packets made by hand. Prints how many rows came.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { Task } from './bench.ts';

const task: Task = JSON.parse(fs.readFileSync(process.argv[2]!, 'utf8'));
const secureContext = tls.createSecureContext({ ca: task.ca, minVersion: 'TLSv1.2' });
const hash = (algorithm: string, ...parts: Buffer[]) =>
  parts.reduce((sum, part) => sum.update(part), createHash(algorithm)).digest();
const xor = (a: Buffer, b: Buffer) => a.map((byte, i) => byte ^ b[i]!);

const password = Buffer.from(task.password);
const sha1 = hash('sha1', password);
const sha256 = hash('sha256', password);
const proofs: Record<string, (scramble: Buffer) => Buffer> = {
  mysql_native_password: scramble => xor(sha1, hash('sha1', scramble, hash('sha1', sha1))) as Buffer,
  caching_sha2_password: scramble => xor(sha256, hash('sha256', hash('sha256', sha256), scramble)) as Buffer,
};

function packet(sequence: number, ...parts: Buffer[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(
    parts.reduce((sum, part) => sum + part.length, 0),
    0,
    3,
  );
  head[3] = sequence;
  return Buffer.concat([head, ...parts]);
}

const zero = Buffer.alloc(1);
// LONG_PASSWORD, PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH; packets of 16 MB; utf8mb4_bin
const capabilities = Buffer.alloc(32);
capabilities.writeUInt32LE(0x1 | 0x200 | 0x800 | 0x2000 | 0x8000 | 0x80000);
capabilities.writeUInt32LE(0xffffff, 4);
capabilities[8] = 46;
const sslRequest = packet(1, capabilities);
const account = Buffer.concat([capabilities, Buffer.from(`${task.user}\0`)]);
const quit = packet(0, Buffer.from([1]));
const queries = new Map(
  Object.entries(task.statements).map(([kind, statements]) => [
    kind,
    statements.map(sql => packet(0, Buffer.from([3]), Buffer.from(sql))),
  ]),
);

let rows = 0;

/** One database, from its connect to the end of its connection. */
function read({ host, port, kind }: Task['databases'][number]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true });
    let stream: net.Socket = socket;
    let rest: Buffer = Buffer.alloc(0);
    let next = greeting;
    const waiting = [...queries.get(kind)!];
    let columns = -1;

    function take(chunk: Buffer) {
      rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      let at = 0;
      for (;;) {
        if (rest.length < at + 4) break;
        const end = at + 4 + rest.readUIntLE(at, 3);
        if (rest.length < end) break;
        if (rest[at + 4] === 0xff) return stream.destroy(new Error(rest.toString('utf8', at + 7, end)));
        next(rest, at + 4, end);
        at = end;
      }
      rest = rest.subarray(at);
    }

    function greeting(bytes: Buffer, start: number, end: number) {
      const scrambleAt = bytes.indexOf(0, start) + 5;
      const pluginAt = scrambleAt + 8 + 19 + 13 - 1; // after capabilities, charset, status and the rest of the scramble
      const scramble = Buffer.concat([
        bytes.subarray(scrambleAt, scrambleAt + 8),
        bytes.subarray(pluginAt - 12, pluginAt),
      ]);
      const plugin = bytes.toString('latin1', pluginAt + 1, end - 1);
      const proof = proofs[plugin]!(scramble);
      const login = packet(2, account, Buffer.from([proof.length]), proof, Buffer.from(`${plugin}\0`));
      socket.write(sslRequest);
      socket.removeListener('data', take);
      stream = tls.connect({ socket, host, secureContext }, () => stream.write(login));
      stream.on('data', take).on('error', reject).on('close', resolve);
      next = answer;
    }

    function answer(bytes: Buffer, start: number) {
      const kind = bytes[start];
      if (kind === 0) ask();
      else if (kind === 1 && bytes[start + 1] === 4) stream.write(packet(bytes[start - 1]! + 1, password, zero));
      else if (kind !== 1) stream.destroy(new Error(`the server asks for another way to log in (${kind})`));
    }

    function ask() {
      const query = waiting.shift();
      next = result;
      columns = -1;
      if (query) stream.write(query);
      else stream.end(quit);
    }

    function result(bytes: Buffer, start: number) {
      if (columns === -1 && bytes[start] === 0)
        ask(); // a SET has no rows
      else if (columns === -1)
        columns = bytes[start]! + 1; // as many descriptions follow, and their end
      else if (columns > 0) columns--;
      else if (bytes[start] === 0xfe) ask();
      else rows++;
    }

    socket.on('data', take).on('error', reject);
  });
}

let i = 0;
const lane = async () => {
  while (i < task.databases.length) await read(task.databases[i++]!);
};
await Promise.all(Array.from({ length: task.concurrency }, lane));
console.log(rows);
