/** The command as a user runs it, in a process of its own; and a reader of its reports that is not this project's. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { parseString } from 'fast-csv';

export const root = path.join(import.meta.dirname, '..');

/** What came of a command; `code` is null where a signal ended it. */
export type Ran = { code: number | null; stdout: string; stderr: string; ms: number };

type Settings = {
  /** All of its environment. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Ctrl-C is pressed when its standard error is like this. */
  interrupt?: RegExp;
};

export async function runCli(args: string[], { env, cwd = root, interrupt }: Settings = {}): Promise<Ran> {
  const started = Date.now();
  const child = spawn(process.execPath, [path.join(root, 'cli.ts'), ...args], { env, cwd });
  const ran: Ran = { code: null, stdout: '', stderr: '', ms: 0 };
  child.stdout.on('data', text => {
    ran.stdout += text;
  });
  child.stderr.on('data', text => {
    ran.stderr += text;
    if (interrupt?.test(ran.stderr)) child.kill('SIGINT');
  });
  ran.code = await new Promise(resolve => child.on('close', resolve));
  ran.ms = Date.now() - started;
  return ran;
}

/** The rows of a report's CSV, by column. */
export async function readReport(csv: string | Buffer): Promise<Record<string, string>[]> {
  const rows: Record<string, string>[] = [];
  for await (const row of parseString(String(csv).replace(/^\uFEFF/, ''), { headers: true })) rows.push(row);
  return rows;
}

/** A row without the mark in front of what a spreadsheet would run: the names as the server has them. */
export const withoutMarks = (row: Record<string, string>) =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, value.replace(/^'(?=[=+\-@\t\r\n])/, '')]));

/** Prints rows of cells in columns, for the scripts. */
export function printTable(table: string[][]) {
  const widths = table[0]!.map((_, column) => Math.max(...table.map(line => line[column]!.length)));
  const lines = table.map(line => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  console.log();
  for (const line of lines) console.log(line.trimEnd());
}
