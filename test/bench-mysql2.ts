/** For test/bench.ts: the script that one would write with `mysql2` alone, the same statements. Prints how many rows came. */
import fs from 'node:fs';
import net from 'node:net';
import mysql from 'mysql2/promise';
import type { Task } from './bench.ts';

const task: Task = JSON.parse(fs.readFileSync(process.argv[2]!, 'utf8'));
const ssl = { ca: task.ca, rejectUnauthorized: true, verifyIdentity: true };
let rows = 0;

async function read({ host, port, kind }: Task['databases'][number]) {
  const connection = await mysql.createConnection({
    stream: () => net.connect({ host, port, noDelay: true }),
    host: 'localhost', // the driver checks no address against a certificate
    port,
    user: task.user,
    password: task.password,
    ssl,
  });
  for (const statement of task.statements[kind]!) {
    const [answer] = await connection.query<mysql.RowDataPacket[]>(statement);
    if (Array.isArray(answer)) rows += answer.length; // a SET has none
  }
  await connection.end();
}

let i = 0;
const lane = async () => {
  while (i < task.databases.length) await read(task.databases[i++]!);
};
await Promise.all(Array.from({ length: task.concurrency }, lane));
console.log(rows);
