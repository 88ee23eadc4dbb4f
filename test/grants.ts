/**
 * Ways of being, or not being, an administrator: set up on a real server, reported by the real command, and backed by
 * logging in as the account and doing an administrative act, or being refused it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Server } from './servers.ts';

export const password = 'Of-every-account-0';

/** Columns of the report, as far as they are compared: all but those of the run and the server, and the times. */
export type Line = {
  scope?: string;
  principal: string;
  type?: string;
  through?: string;
  privileges: string;
  can_grant?: string;
  enabled?: string;
  authentication?: string;
  detail?: string;
};

/** A login and what it runs; the last statement is done (`ok`) or refused with one of the errors. */
export type Act = { as: string; run: string[]; ends: 'ok' | number[] };

export type Case = {
  what: string;
  /** Made with the password, before `setup`: `name` or `name@host`. */
  accounts?: string[];
  /** Run as root, in order. */
  setup?: string[];
  lines: Line[];
  acts?: Act[];
};

/** Errors by which a server says that the privilege is missing. */
export const refused = [1044, 1045, 1095, 1141, 1142, 1143, 1221, 1227, 1370, 1410, 1698, 3118, 3530, 3630, 3878, 4006];

const cli = path.join(import.meta.dirname, '..', 'cli.ts');
const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** `'user'@'host'` of `user@host` or of `user`, which is at any host. */
export function account(name: string): string {
  const at = name.lastIndexOf('@');
  return at < 0 ? `${quoted(name)}@'%'` : `${quoted(name.slice(0, at))}@${quoted(name.slice(at + 1))}`;
}

export async function setUp(server: Server, cases: Case[]) {
  for (const { what, accounts = [], setup = [] } of cases) {
    const statements = [...accounts.map(name => `CREATE USER ${account(name)} IDENTIFIED BY '${password}'`), ...setup];
    for (const statement of statements) {
      await server.query(statement).catch(error => {
        throw new Error(`${what}: ${statement}: ${error.message}`);
      });
    }
  }
}

/** What the command reports of the server, read as `auditor`. */
export async function report(server: Server, auditor = 'auditor') {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'grants-'));
  try {
    const database = {
      id: 'server',
      account: '111122223333',
      region: 'eu-central-1',
      engine: 'mysql',
      host: server.host,
      port: server.port,
      credentials: 'env:AUDITOR',
    };
    const inventory = path.join(folder, 'inventory.json');
    await writeFile(inventory, JSON.stringify({ databases: [database] }));
    const credential = JSON.stringify({ username: auditor, password, ca: server.ca });
    const args = [cli, '--local', '--inventory', inventory, '--out', folder, '--quiet'];
    const output = await new Promise<string>(resolve => {
      execFile(process.execPath, args, { env: { ...process.env, AUDITOR: credential } }, (error, stdout, stderr) =>
        resolve(`${error?.message ?? ''}${stdout}${stderr}`),
      );
    });
    const file = (await readdir(folder)).find(name => name.endsWith('.csv'));
    assert.ok(file, output);
    const [head, ...records] = readCsv(await readFile(path.join(folder, file), 'utf8'));
    return records.map(record => Object.fromEntries(record.map((field, i) => [head![i]!, field])));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** RFC 4180, field by field, without the mark in front of what a spreadsheet would run. */
export function readCsv(text: string): string[][] {
  const records: string[][] = [[]];
  for (const [, inQuotes, plain, end] of text
    .replace(/^\uFEFF/, '')
    .matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    records.at(-1)!.push((inQuotes?.replaceAll('""', '"') ?? plain!).replace(/^'(?=[=+\-@\t\r\n])/, ''));
    if (end === '\r\n') records.push([]);
  }
  return records.slice(0, -1);
}

/** A row of the report, or an expected one, as one line of text. */
const shown = (line: Required<Line>) =>
  [
    line.scope,
    line.principal,
    line.type,
    line.through,
    line.privileges,
    `can_grant=${line.can_grant}`,
    `enabled=${line.enabled}`,
    line.authentication,
    line.detail,
  ].join(' | ');

export const reported = (rows: Record<string, string>[]) =>
  rows.map(row => shown({ ...row, type: row.principal_type, through: row.granted_through } as Required<Line>)).sort();

export const expected = (lines: Line[], plugin: string) =>
  lines
    .map(line =>
      shown({
        scope: 'server',
        type: 'user',
        through: '',
        can_grant: 'no',
        enabled: line.type === 'role' ? 'no' : 'yes',
        authentication: line.type === 'role' ? '' : plugin,
        detail: '',
        ...line,
      }),
    )
    .sort();

/** Every row of the report is expected by a case, and every case's rows are there: nothing more, nothing less. */
export function compare(rows: Record<string, string>[], cases: Case[], plugin: string) {
  assert.deepEqual(
    reported(rows),
    expected(
      cases.flatMap(each => each.lines),
      plugin,
    ),
  );
}

/** Logs in as each account and does what its case says that it can, or cannot, do. */
export function actOut(server: () => Server, cases: Case[]) {
  for (const { what, acts = [] } of cases) {
    if (acts.length === 0) continue;
    test(what, async () => {
      for (const act of acts) await perform(server(), act);
    });
  }
}

export async function perform(server: Server, { as, run, ends }: Act) {
  const outcome = await attempt(server, as, run);
  const saying = `${as}: ${run.at(-1) ?? 'log in'}: ${outcome.message}`;
  if (ends === 'ok') assert.equal(outcome.errno, 0, saying);
  else assert.ok(ends.includes(outcome.errno), saying);
}

async function attempt(server: Server, as: string, run: string[]) {
  let connection: Awaited<ReturnType<Server['connect']>> | undefined;
  try {
    connection = await server.connect(as, password);
    for (const statement of run) await connection.query(statement);
    return { errno: 0, message: 'done' };
  } catch (error) {
    const { errno = -1, message } = error as { errno?: number; message: string };
    return { errno, message: `${errno} ${message}` };
  } finally {
    connection?.destroy();
  }
}

export { describe, test };
