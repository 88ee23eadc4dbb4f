/** The command as a user runs it, in a process of its own; and a reader of its reports that is not this project's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import path from 'node:path';
import { parseString } from 'fast-csv';

export const root = path.join(import.meta.dirname, '..');

/** For `spawn`: a child that hangs fails its own test alone; one that is left over keeps its test file from ending. */
export const killedLate = { timeout: 180_000, killSignal: 'SIGKILL' } as const;

/** What came of a command; `code` is what a shell shows: 128 and the signal's number where a signal ended it. */
export type Ran = { code: number; stdout: string; stderr: string; ms: number };

type Settings = {
  /** All of its environment; by default this process's own. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  runner?: 'npx tsx' | 'node';
  /** The cli.ts that is named, such as a symbolic link. */
  cli?: string;
  /** Ctrl-C is pressed when its standard error is like this. */
  interrupt?: RegExp;
};

/**
 * The command as it is typed in the folder `cwd`. `npx tsx cli.ts` is what the README says, so it is what the tests run,
 * though `--version` takes 0.57 s that way and 0.1 s with `node cli.ts` (2 cores, Node 24): the 100 runs of
 * test/fleet.test.ts take 71 s instead of 57 s. Outside the project npx finds tsx by `--prefix` alone.
 */
export function commandLine(args: string[], settings: Settings = {}): [command: string, args: string[]] {
  const { cwd = root, runner = 'npx tsx', cli = path.join(root, 'cli.ts') } = settings;
  const file = path.relative(cwd, cli);
  if (runner === 'node') return [process.execPath, [file, ...args]];
  const isOutside = path.relative(root, cwd).startsWith('..');
  return ['npx', [...(isOutside ? ['--prefix', root] : []), 'tsx', file, ...args]];
}

export async function runCli(args: string[], settings: Settings = {}): Promise<Ran> {
  const { env = process.env, cwd = root, interrupt } = settings;
  const started = Date.now();
  // A process group of its own, since Ctrl-C in a terminal reaches npx, tsx and Node alike.
  const child = spawn(...commandLine(args, settings), { env, cwd, detached: true });
  const hanging = setTimeout(() => process.kill(-child.pid!, killedLate.killSignal), killedLate.timeout);
  const ran: Ran = { code: 0, stdout: '', stderr: '', ms: 0 };
  let pressing: NodeJS.Timeout | undefined;
  child.stdout.on('data', text => {
    ran.stdout += text;
  });
  child.stderr.on('data', text => {
    ran.stderr += text;
    // Not at once: tsx kills a process that is too busy to take the signal within 60 ms, as one that loads a driver is.
    if (interrupt?.test(ran.stderr)) pressing ??= setTimeout(() => process.kill(-child.pid!, 'SIGINT'), 300);
  });
  const [code, signal] = (await once(child, 'close')) as [number, null] | [null, NodeJS.Signals];
  clearTimeout(pressing);
  clearTimeout(hanging);
  ran.code = code ?? 128 + constants.signals[signal!];
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
