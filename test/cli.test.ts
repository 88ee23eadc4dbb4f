// The command line: what the arguments mean, what is said where, and with which exit code.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type Command, help, parseArgs } from '../cli.ts';
import { caller, startAws } from './aws.ts';
import { root, runCli } from './command.ts';
import { silent } from './fault-servers.ts';

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-test-'));
  try {
    return await use(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function inventory(folder: string, databases: object[]): string {
  const file = path.join(folder, 'inventory.json');
  const common = {
    account: '111122223333',
    region: 'us-east-1',
    engine: 'mysql',
    host: '127.0.0.1',
    credentials: 'env:CREDENTIAL',
  };
  fs.writeFileSync(file, JSON.stringify({ databases: databases.map(database => ({ ...common, ...database })) }));
  return file;
}

const common = { profile: undefined, region: undefined, accounts: [], databases: [], json: false, quiet: false };
const remote = { command: 'remote', function: 'db-admin-report-orchestrator', download: undefined, ...common } as const;
const usage = (fault: string): Command => ({ command: 'usage', fault });

const lines: [string, Command][] = [
  ['', remote],
  ['--json --quiet', { ...remote, json: true, quiet: true }],
  ['--profile audit --region eu-west-1', { ...remote, profile: 'audit', region: 'eu-west-1' }],
  ['--function other --download d', { ...remote, function: 'other', download: 'd' }],
  [
    '--account 111122223333 --account 444455556666 --database a --database=b',
    { ...remote, accounts: ['111122223333', '444455556666'], databases: ['a', 'b'] },
  ],
  ['--local --inventory i.json', { command: 'local', inventory: 'i.json', out: '.', ...common }],
  [
    '--local --inventory i.json --out o --database a --json',
    { command: 'local', inventory: 'i.json', out: 'o', ...common, databases: ['a'], json: true },
  ],
  ['--verify r.csv', { command: 'verify', report: 'r.csv' }],
  ['--compare a.csv b.csv', { command: 'compare', old: 'a.csv', new: 'b.csv', json: false, unverified: false }],
  [
    '--compare a.csv b.csv --json --unverified',
    { command: 'compare', old: 'a.csv', new: 'b.csv', json: true, unverified: true },
  ],
  ['--help --local', { command: 'help' }],
  ['--version', { command: 'version' }],
  ['--local', usage('--local needs --inventory FILE')],
  ['--local --inventory i.json --function f', usage('--function does not go with --local')],
  ['--local --inventory i.json --download d', usage('--download does not go with --local')],
  ['--inventory i.json', usage('--inventory does not go with a run in AWS: add --local')],
  ['--out d', usage('--out does not go with a run in AWS: add --local')],
  ['--unverified', usage('--unverified does not go with a run in AWS: add --local')],
  ['--account 123', usage('--account 123: must be 12 digits')],
  ['--region a --region b', usage('--region is given twice')],
  ['--database=', usage('--database needs a value')],
  ['report', usage('unexpected argument "report"')],
  ['--verify', usage('--verify takes one report: --verify REPORT.csv')],
  ['--verify a.csv b.csv', usage('--verify takes one report: --verify REPORT.csv')],
  ['--verify a.csv --json', usage('--json does not go with --verify')],
  ['--compare a.csv', usage('--compare takes two reports: --compare OLD.csv NEW.csv')],
  ['--compare a.csv b.csv --quiet', usage('--quiet does not go with --compare')],
];
for (const [line, expected] of lines) {
  test(`arguments: ${line || '(none)'}`, () => assert.deepEqual(parseArgs(line.split(' ').filter(Boolean)), expected));
}

test('arguments: an unknown one is named', () => {
  const parsed = parseArgs(['--quite']);
  assert.equal(parsed.command, 'usage');
  assert.match(parsed.command === 'usage' ? parsed.fault : '', /--quite/);
});

test('--help is one screen, on standard output, exit 0', async () => {
  const { code, stdout, stderr } = await runCli(['--help']);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: help, stderr: '' });
  assert.ok(help.split('\n').length <= 45);
  assert.ok(help.split('\n').every(line => line.length <= 110));
});

test("--version is package.json's, and the worker's and the orchestrator's", async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.equal((await runCli(['--version'])).stdout, `${version}\n`);
  assert.equal((await import('../worker.ts')).version, version);
});

test('wrong usage: exit 2, nothing on standard output, the remedy on standard error', async () => {
  const { code, stdout, stderr } = await runCli(['--local']);
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 2, stdout: '', stderr: '--local needs --inventory FILE\nTry: npx tsx cli.ts --help\n' },
  );
});

test('an inventory that is refused: exit 1, every fault, no report; with --json one object', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a', port: 0 }, { id: 'a' }]);
    const { code, stdout, stderr } = await runCli(['--local', '--inventory', file, '--out', folder, '--json']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /databases\[0\]\.port: must be a whole number from 1 to 65535\n.*databases\[1\]\.id: "a" is already/s,
    );
    const { status, report, manifest, databases } = JSON.parse(stdout);
    assert.deepEqual(
      { status, report, manifest, databases },
      { status: 'failed', report: null, manifest: null, databases: { total: 0, covered: 0, incomplete: 0, failed: 0 } },
    );
    assert.deepEqual(fs.readdirSync(folder), ['inventory.json']);
  }));

test('an inventory that is not there: exit 1, named', async () => {
  const { code, stderr } = await runCli(['--local', '--inventory', 'no-such-file.json']);
  assert.equal(code, 1);
  assert.match(stderr, /no-such-file\.json/);
});

test('a filter narrows the run and is recorded; a name that the inventory lacks is an error', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a' }, { id: 'b' }, { id: 'c', account: '444455556666' }]);
    const at = (...more: string[]) => runCli(['--local', '--inventory', file, '--out', folder, '--json', ...more]);
    const narrowed = await at('--account', '111122223333', '--database', 'b');
    assert.equal(narrowed.code, 3);
    const manifest = JSON.parse(fs.readFileSync(JSON.parse(narrowed.stdout).manifest, 'utf8'));
    assert.deepEqual(manifest.filter, { accounts: ['111122223333'], databases: ['b'] });
    assert.deepEqual(manifest.excluded, ['a', 'c']);
    assert.deepEqual(
      manifest.databases.map((database: { id: string }) => database.id),
      ['b'],
    );
    const wrong = await at('--database', 'x', '--account', '999999999999');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /--account 999999999999: .*\n.*--database x: the inventory has no such database/);
    const nobody = await at('--database', 'c', '--account', '111122223333');
    assert.equal(nobody.code, 1);
  }));

test('progress: a line per database on standard error, none with --quiet', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a' }, { id: 'b' }]);
    const loud = await runCli(['--local', '--inventory', file, '--out', folder]);
    assert.match(
      loud.stderr,
      /^report [0-9a-f-]{36}: 2 databases\n\[1\/2\] \w: failed \(.*\)\n\[2\/2\] \w: failed \(.*\)\n$/,
    );
    assert.match(loud.stdout, /INCOMPLETE: 0 of 2 databases covered, 0 incomplete, 2 failed/);
    assert.equal((await runCli(['--local', '--inventory', file, '--out', folder, '--quiet'])).stderr, '');
  }));

test('a report is never overwritten, and the same second makes two', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a' }]);
    await Promise.all([1, 2].map(() => runCli(['--local', '--inventory', file, '--out', folder])));
    assert.equal(fs.readdirSync(folder).filter(name => name.endsWith('.csv')).length, 2);
  }));

test('Ctrl-C stops at once, leaves no half report, exit 130', () =>
  inFolder(async folder => {
    const server = await silent();
    try {
      const file = inventory(folder, [{ id: 'a', port: server.port }]);
      const started = Date.now();
      const env = { ...process.env, CREDENTIAL: '{"username":"u","password":"p"}' };
      const { code, stderr } = await runCli(['--local', '--inventory', file, '--out', folder], {
        env,
        interrupt: /databases\n/,
      });
      assert.equal(code, 130);
      assert.match(stderr, /interrupted: there is no report/);
      assert.ok(Date.now() - started < 5_000);
      assert.deepEqual(fs.readdirSync(folder), ['inventory.json']);
    } finally {
      await server.stop();
    }
  }));

test("--local reads ssm: and secretsmanager: with the operator's own AWS configuration, of the database's account alone", () =>
  inFolder(async folder => {
    const aws = await startAws();
    try {
      aws.callers.set('AKIAOPERATOR', caller('111122223333', 'operator'));
      const value = '{"username":"u","password":"p","host":"127.0.0.1"}';
      aws.parameters.set('arn:aws:ssm:us-east-1:111122223333:parameter/db-admin-report/a', {
        value,
        type: 'SecureString',
      });
      aws.secrets.set('arn:aws:secretsmanager:eu-west-1:111122223333:secret:b', value);
      const closed = { port: 9 }; // whoever gets as far as that had a credential
      const file = inventory(folder, [
        { ...closed, id: 'ssm', credentials: 'ssm:/db-admin-report/a' },
        { ...closed, id: 'secret', credentials: 'secretsmanager:b', region: 'eu-west-1' },
        { ...closed, id: 'other-account', credentials: 'ssm:/db-admin-report/a', account: '444455556666' },
        { ...closed, id: 'other-region', credentials: 'ssm:/db-admin-report/a', region: 'eu-west-1' },
        { ...closed, id: 'other-host', credentials: 'ssm:/db-admin-report/a', host: '127.0.0.2' },
      ]);
      const env = aws.env('AKIAOPERATOR', 'us-west-2');
      const { code, stdout, stderr } = await runCli(['--local', '--inventory', file, '--out', folder, '--json'], {
        env,
      });
      assert.equal(code, 3, stderr);
      const details = Object.fromEntries(
        JSON.parse(stdout).failures.map((failure: { database_id: string; detail: string }) => [
          failure.database_id,
          failure.detail,
        ]),
      );
      assert.match(details.ssm, /^connection refused/);
      assert.match(details.secret, /^connection refused/);
      assert.match(details['other-account'], /was answered by 111122223333, the database is in 444455556666/);
      assert.match(details['other-region'], /there is no parameter \/db-admin-report\/a/);
      assert.match(details['other-host'], /is for the host 127\.0\.0\.1, the inventory says 127\.0\.0\.2/);
    } finally {
      await aws.stop();
    }
  }));
