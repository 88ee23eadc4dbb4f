// The command line: what the arguments mean, what is said where, and with which exit code.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text as consume } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Command, parseArgs } from '../cli.ts';
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

const lines: [string, Partial<Command> | string][] = [
  ['', { mode: 'remote' }],
  ['--json --quiet', { mode: 'remote', json: true, quiet: true }],
  ['--profile audit --region eu-west-1', { mode: 'remote', profile: 'audit', region: 'eu-west-1' }],
  ['--function other --download d', { mode: 'remote', function: 'other', download: 'd' }],
  [
    '--account 111122223333 --account 444455556666 --database a --database=b',
    { mode: 'remote', account: ['111122223333', '444455556666'], database: ['a', 'b'] },
  ],
  ['--local --inventory i.json', { mode: 'local', local: true, inventory: 'i.json' }],
  ['--local --inventory - --out o', { mode: 'local', local: true, inventory: '-', out: 'o' }],
  ['--check i.json', { mode: 'check', check: true, files: ['i.json'] }],
  ['--check -', { mode: 'check', check: true, files: ['-'] }],
  ['--verify r.csv', { mode: 'verify', verify: true, files: ['r.csv'] }],
  [
    `--verify r.csv --manifest-sha256 ${'a0'.repeat(32)}`,
    { mode: 'verify', verify: true, files: ['r.csv'], 'manifest-sha256': 'a0'.repeat(32) },
  ],
  [
    '--compare a.csv b.csv --json --unverified',
    { mode: 'compare', compare: true, files: ['a.csv', 'b.csv'], json: true, unverified: true },
  ],
  ['--help --local', { mode: 'help' }],
  ['-h', { mode: 'help' }],
  ['--version', { mode: 'version' }],
  ['--local', '--local needs --inventory FILE'],
  ['--local --inventory i.json --function f', '--function does not go with --local'],
  ['--local --inventory i.json --download d', '--download does not go with --local'],
  ['--inventory i.json', '--inventory does not go with a run in AWS: add --local'],
  ['--out d', '--out does not go with a run in AWS: add --local'],
  ['--unverified', '--unverified does not go with a run in AWS: add --local'],
  ['--manifest-sha256 x', '--manifest-sha256 does not go with a run in AWS: add --local'],
  ['--account 123', '--account 123: must be 12 digits'],
  ['--region a --region b', '--region is given twice'],
  ['--database=', '--database needs a value'],
  ['--region', '--region needs a value'],
  ['--region --json', '--region needs a value'],
  ['--json=yes', '--json takes no value'],
  [
    '--region eu-west-1 --function arn:aws:lambda:us-east-1:111122223333:function:x',
    '--region eu-west-1: the function is in us-east-1',
  ],
  ['report', 'unexpected argument "report"'],
  ['--verify', 'usage: --verify REPORT.csv'],
  ['--verify a.csv b.csv', 'usage: --verify REPORT.csv'],
  ['--verify a.csv --json', '--json does not go with --verify'],
  ['--verify a.csv --manifest-sha256 abc', '--manifest-sha256 must be 64 hexadecimal digits'],
  ['--check', 'usage: --check INVENTORY.json'],
  ['--compare a.csv', 'usage: --compare OLD.csv NEW.csv'],
  ['--compare a.csv b.csv --quiet', '--quiet does not go with --compare'],
  ['--quite', 'there is no option --quite: did you mean --quiet?'],
  ['--regoin x', 'there is no option --regoin: did you mean --region?'],
  ['--accounts 111122223333', 'there is no option --accounts: did you mean --account?'],
  ['--frobnicate', 'there is no option --frobnicate'],
  ['-q', 'there is no option -q'],
];
for (const [line, expected] of lines) {
  test(`arguments: ${line || '(none)'}`, () => {
    const parse = () => ({ ...parseArgs(line.split(' ').filter(Boolean)) });
    if (typeof expected === 'string') assert.throws(parse, { message: expected });
    else assert.deepEqual(parse(), { files: [], ...expected });
  });
}

const helpText = `Reports every administrator of the databases of an inventory, as evidence.

usage: npx tsx cli.ts [options]
       npx tsx cli.ts --local --inventory FILE [--out DIR] [options]
       npx tsx cli.ts --check INVENTORY.json
       npx tsx cli.ts --verify REPORT.csv [--manifest-sha256 HEX]
       npx tsx cli.ts --compare OLD.csv NEW.csv [--json] [--unverified]
       npx tsx cli.ts -h | --help | --version

  --profile NAME          the AWS profile (as AWS_PROFILE)
  --region NAME           the orchestrator's region (as AWS_REGION)
  --function NAME         the orchestrator's name or ARN
  --account ID            only the databases of this account; may be repeated
  --database ID           only this database; may be repeated
  --download DIR          also fetch the report and its manifest
  --local                 read the databases from here, without the Lambdas
  --inventory FILE        with --local: the inventory; - is standard input
  --out DIR               with --local: the report's folder (default: this one)
  --json                  one JSON object on standard output
  --quiet                 no progress on standard error
  --manifest-sha256 HEX   with --verify: what the run printed
  --unverified            with --compare: even a report that --verify refuses

exit: 0 complete, 3 something is incomplete, failed or unlisted, 1 no report (or
      not fetched), 2 wrong usage, 130 interrupted; --check and --verify: 0 fit,
      1 not; --compare: 0 same, 4 not, 3 not comparable in part, 1 refused
`;

test('--help is one screen of 80 columns and 30 lines, on standard output, exit 0', async () => {
  const { code, stdout, stderr } = await runCli(['--help']);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: helpText, stderr: '' });
  assert.ok(helpText.split('\n').length <= 30);
  assert.ok(helpText.split('\n').every(line => line.length <= 80));
  assert.equal((await runCli(['-h'])).stdout, helpText);
});

test("--version is package.json's, and the worker's and the orchestrator's", async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.equal((await runCli(['--version'])).stdout, `${version}\n`);
  assert.equal((await import('../worker.ts')).version, version);
  assert.equal((await runCli(['--version'], { cli: path.join(root, 'cli') })).stdout, `${version}\n`); // without the .ts
});

test('wrong usage: exit 2, nothing on standard output, the remedy on standard error', async () => {
  const { code, stdout, stderr } = await runCli(['--local']);
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 2, stdout: '', stderr: '--local needs --inventory FILE\nTry: npx tsx cli.ts --help\n' },
  );
});

const noDatabases = { total: 0, covered: 0, incomplete: 0, failed: 0, unlisted: 0, excluded: 0, left_out: 0 };

test('an inventory that is refused: exit 1, every fault, no report; with --json one object', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a', port: 0 }, { id: 'a' }]);
    const { code, stdout, stderr } = await runCli(['--local', '--inventory', file, '--out', folder, '--json']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /databases\[0\].*\.port: must be a whole number from 1 to 65535\n.*databases\[1\].*\.id: is already/s,
    );
    const { status, report, manifest, databases } = JSON.parse(stdout);
    assert.deepEqual(
      { status, report, manifest, databases },
      { status: 'failed', report: null, manifest: null, databases: noDatabases },
    );
    assert.deepEqual(fs.readdirSync(folder), ['inventory.json']);
  }));

test('a file that cannot be read is said in words, without the id of a run that never was', () =>
  inFolder(async folder => {
    const empty = path.join(folder, 'empty.json');
    fs.writeFileSync(empty, '');
    const cases: [args: string[], said: string][] = [
      [['--local', '--inventory', 'no.json'], 'no.json cannot be read: there is no such file or folder\n'],
      [['--check', 'no.json'], 'no.json cannot be read: there is no such file or folder\n'],
      [['--local', '--inventory', folder], `${folder} cannot be read: it is a folder\n`],
      [['--check', `${empty}/x`], `${empty}/x cannot be read: a part of its path is no folder\n`],
      [['--local', '--inventory', empty], `${empty} is empty\n`],
      [['--check', empty], `${empty} is empty\n`],
      [
        ['--local', '--inventory', inventory(folder, [{ id: 'a' }]), '--out', '/proc/x'],
        '/proc/x cannot be used: there is no such file or folder\n',
      ],
      [['--download', `${empty}/x`], `${empty}/x cannot be used: a part of its path is no folder\n`],
    ];
    for (const [args, said] of cases) {
      const { code, stdout, stderr } = await runCli(args);
      assert.deepEqual([code, stdout, stderr], [1, '', said]);
    }
  }));

test('what cannot be written to a full disk is not a success', async () => {
  const child = spawn('sh', ['-c', 'npx tsx cli.ts --version > /dev/full'], { cwd: root });
  let said = '';
  child.stderr.on('data', text => {
    said += text;
  });
  assert.deepEqual(await once(child, 'close'), [1, null]);
  assert.equal(said, 'standard output cannot be written: the disk is full\n');
});

test('an inventory on standard input, for a check and for a run', () =>
  inFolder(async folder => {
    const text = fs.readFileSync(inventory(folder, [{ id: 'a' }]));
    const piped = async (...args: string[]) => {
      const child = spawn('npx', ['tsx', 'cli.ts', ...args], { cwd: root });
      child.stdin.end(text);
      const [stdout] = await Promise.all([consume(child.stdout), once(child, 'close')]);
      return stdout;
    };
    assert.match(await piped('--check', '-'), /^Fit for a run: standard input\n/);
    const summary = JSON.parse(await piped('--local', '--inventory', '-', '--out', folder, '--json'));
    const manifest = JSON.parse(fs.readFileSync(summary.manifest, 'utf8'));
    assert.deepEqual([manifest.inventory.source, manifest.inventory.text], ['standard input', String(text)]);
  }));

test('--check says what is in an inventory, and what is odd in it', () =>
  inFolder(async folder => {
    const file = inventory(folder, [
      { id: 'a', account_name: 'shop-prod', credentials: 'ssm:/db-admin-report/a' },
      { id: 'b', account_name: 'shop-prod', credentials: 'ssm:/db-admin-report/b', host: 'DB.example.com' },
      { id: 'c', account: '444455556666', host: 'db.example.com' },
      { id: 'd', account: '444455556666', engine: 'mssql', worker: 'db-admin-report-worker-vpc2' },
    ]);
    const { code, stdout, stderr } = await runCli(['--check', file]);
    assert.deepEqual([code, stderr], [0, '']);
    const sha256 = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    assert.equal(
      stdout,
      `Fit for a run: ${file}
SHA-256: ${sha256}

2 databases of 111122223333 (shop-prod), us-east-1, db-admin-report-worker: a, b
1 database of 444455556666, us-east-1, db-admin-report-worker: c
1 database of 444455556666, us-east-1, db-admin-report-worker-vpc2: d
4 databases, 0 excluded

One server under several ids:
  db.example.com:3306: b, c

For --local alone, since their credentials are "env:":
  c, d
`,
    );
  }));

test('--check names every fault of an inventory, with its place and its id', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a', port: 0 }, { id: 'b', tls: 'on', colour: 'red' }, { id: 'a' }]);
    const { code, stdout, stderr } = await runCli(['--check', file]);
    assert.deepEqual([code, stderr], [1, '']);
    assert.match(stdout, new RegExp(`^NOT FIT: ${file}\n`));
    for (const fault of [
      /databases\[0\] \(a\)\.port: must be/,
      /databases\[1\] \(b\)\.tls: must be/,
      /colour: unknown field/,
    ])
      assert.match(stdout, fault);
    assert.match(stdout, /^ {2}databases\[2\] \(a\)\.id: is already the id of databases\[0\]/m);
  }));

test('a filter narrows the run and is recorded; a name that the inventory lacks is an error', () =>
  inFolder(async folder => {
    const file = inventory(folder, [{ id: 'a' }, { id: 'b' }, { id: 'c', account: '444455556666' }]);
    const at = (...more: string[]) => runCli(['--local', '--inventory', file, '--out', folder, '--json', ...more]);
    const narrowed = await at('--account', '111122223333', '--database', 'b');
    assert.equal(narrowed.code, 3);
    const manifest = JSON.parse(fs.readFileSync(JSON.parse(narrowed.stdout).manifest, 'utf8'));
    assert.deepEqual(manifest.filter, { accounts: ['111122223333'], databases: ['b'] });
    assert.deepEqual(manifest.left_out, ['a', 'c']);
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
    assert.match(
      loud.stdout,
      /^NOT COMPLETE\n\nFailed:\n {2}2 databases of 111122223333, us-east-1: .* no variable CREDENTIAL.*: a, b\n/,
    );
    assert.match(loud.stdout, /\nDatabases: +0 of 2 covered, 0 incomplete, 2 failed/);
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
      const out = path.join(folder, 'new', 'deep');
      const started = Date.now();
      const env = { ...process.env, CREDENTIAL: '{"username":"u","password":"p"}' };
      const { code, stderr } = await runCli(['--local', '--inventory', file, '--out', out], {
        env,
        runner: 'node', // tsx kills a process that is too busy to say so
        interrupt: /1 database\n/,
      });
      assert.equal(code, 130);
      assert.match(stderr, /interrupted: there is no report/);
      assert.ok(Date.now() - started < 10_000, 'before the connect has timed out');
      assert.deepEqual(fs.readdirSync(out), []);
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
