/** What the pages of docs/ have people type: taken out of the page and run, with an `aws` that answers from files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { checkRequest, parseInventory, run } from '../orchestrator.ts';
import { failed } from '../worker.ts';
import { root, runCli } from './command.ts';
import { mariadbClient, type Server, startMariadb } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'deploy-test-'));
let server: Server | undefined;
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** The blocks of a page that are fenced as bash: what is to be run as it stands. */
const blocks = (page: string) =>
  [...readFileSync(join(root, 'docs', page), 'utf8').matchAll(/^```bash\n(.*?)^```$/gms)].map(([, block]) => block!);
const blockWith = (page: string, text: string): string => {
  const [block, ...others] = blocks(page).filter(each => each.includes(text));
  assert.ok(block && others.length === 0, `${page} has ${others.length + (block ? 1 : 0)} blocks with ${text}`);
  return block;
};

/**
 * A stand-in for the AWS CLI: writes each call, with the file that it is given, to calls.jsonl, and answers with the file
 * that is named like the command, the profile and the region; where there is none, as where access is denied.
 */
const standIn = `#!${process.execPath}
const fs = require('node:fs');
const [service, command, ...rest] = process.argv.slice(2);
const options = Object.fromEntries(rest.flatMap((word, i) => (word.startsWith('--') ? [[word.slice(2), rest[i + 1]]] : [])));
const file = (options.value ?? '').startsWith('file://') ? fs.readFileSync(options.value.slice(7), 'utf8') : '';
fs.appendFileSync('calls.jsonl', JSON.stringify({ command: service + ' ' + command, options, file, words: rest }) + '\\n');
const answer = ['answers', command, options.profile, options.region].join('-') + '.json';
if (!fs.existsSync(answer)) {
  console.error('An error occurred (AccessDenied) when calling ' + command);
  process.exit(254);
}
process.stdout.write(fs.readFileSync(answer));
`;
function workFolder(files: Record<string, unknown>): string {
  const cwd = mkdtempSync(join(folder, 'work-'));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content));
  writeFileSync(join(cwd, 'aws'), standIn);
  chmodSync(join(cwd, 'aws'), 0o755);
  return cwd;
}
function bash(cwd: string, script: string) {
  const env = { ...process.env, PATH: `${cwd}${delimiter}${process.env.PATH}` };
  // Bash takes Node's pipe for a log-in from elsewhere, and then ~/.bashrc might put the machine's own aws in front.
  return spawnSync('bash', ['--norc', '-c', script], { cwd, env, encoding: 'utf8' });
}
const read = (cwd: string, file: string) => readFileSync(join(cwd, file), 'utf8');
const calls = (cwd: string) =>
  read(cwd, 'calls.jsonl')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));

// In the shape of AWS's own answers (Amazon RDS API Reference, DBCluster and DBInstance), some of the fields.
const account = '111122223333';
const name = (host: string, region = 'us-east-1') => `${host}.abcdefgh.${region}.rds.amazonaws.com`;
const cluster = (id: string, engine: string, more = {}) => ({
  DBClusterIdentifier: id,
  DBClusterArn: `arn:aws:rds:us-east-1:${account}:cluster:${id}`,
  Engine: engine,
  Status: 'available',
  Endpoint: name(`${id}.cluster`),
  ReaderEndpoint: name(`${id}.cluster-ro`),
  Port: 3306,
  DBClusterMembers: [
    { DBInstanceIdentifier: `${id}-2`, IsClusterWriter: false },
    { DBInstanceIdentifier: `${id}-1`, IsClusterWriter: true },
  ],
  ...more,
});
const instance = (id: string, engine: string, more = {}) => ({
  DBInstanceIdentifier: id,
  DBInstanceArn: `arn:aws:rds:us-east-1:${account}:db:${id}`,
  Engine: engine,
  DBInstanceStatus: 'available',
  Endpoint: { Address: name(id), Port: engine.includes('sqlserver') ? 1433 : 3306, HostedZoneId: 'Z2R2ITUGPM61AM' },
  ...more,
});
const clusters = [
  cluster('shop', 'aurora-mysql', { CustomEndpoints: [name('reports.cluster-custom')] }),
  cluster('ledger', 'mysql', { StorageType: 'io1' }), // a Multi-AZ DB cluster
  cluster('dr', 'aurora-mysql', { DBClusterMembers: [{ DBInstanceIdentifier: 'dr-1', IsClusterWriter: false }] }),
  cluster('headless', 'aurora-mysql', { DBClusterMembers: [] }),
  cluster('v1', 'aurora-mysql', { DBClusterMembers: [], EngineMode: 'serverless', ReaderEndpoint: undefined }),
  cluster('old', 'aurora-mysql', { Status: 'deleting' }),
  cluster('graph', 'neptune'),
  cluster('people', 'aurora-postgresql'),
];
const instances = [
  ...['shop-1', 'shop-2', 'dr-1'].map(id => instance(id, 'aurora-mysql', { DBClusterIdentifier: id.slice(0, -2) })),
  instance('ledger-1', 'mysql', { DBClusterIdentifier: 'ledger' }),
  instance('orders', 'mysql', { MultiAZ: true, ReadReplicaDBInstanceIdentifiers: ['orders-copy'] }),
  instance('orders-copy', 'mysql', { ReadReplicaSourceDBInstanceIdentifier: 'orders' }),
  instance('wiki', 'mariadb', { Endpoint: { Address: name('wiki'), Port: 3307 } }),
  instance('billing', 'sqlserver-se'),
  instance('erp', 'custom-sqlserver-ee'),
  instance('new', 'mysql', { DBInstanceStatus: 'creating', Endpoint: undefined }),
  instance('gone', 'mysql', { DBInstanceStatus: 'deleting' }),
  instance('search', 'postgres'),
];

describe('docs/deploy.md', () => {
  const makeInventory = blockWith('deploy.md', 'describe-db-clusters');
  const accounts = 'shop-prod us-east-1 vpc-1 subnet-1\nlegacy eu-west-1 vpc-2 subnet-2,subnet-3\n';
  const answers = {
    'answers-describe-db-clusters-shop-prod-us-east-1.json': { DBClusters: clusters },
    'answers-describe-db-instances-shop-prod-us-east-1.json': { DBInstances: instances },
    'answers-describe-db-clusters-legacy-eu-west-1.json': { DBClusters: [] },
    'answers-describe-db-instances-legacy-eu-west-1.json': {
      DBInstances: [
        {
          ...instance('orders', 'mysql'),
          DBInstanceArn: 'arn:aws:rds:eu-west-1:444455556666:db:orders',
          Endpoint: { Address: name('orders', 'eu-west-1'), Port: 3306 },
        },
      ],
    },
  };

  test('an inventory is made of what RDS has', () => {
    const cwd = workFolder({ 'accounts.txt': accounts, ...answers });
    const { status, stderr } = bash(cwd, makeInventory);
    assert.deepEqual([status, stderr, existsSync(join(cwd, 'failed.txt'))], [0, '', false]);
    const { databases } = parseInventory(readFileSync(join(cwd, 'inventory.json')));
    assert.deepEqual(
      databases.map(({ id, account, region, engine, host, port }) =>
        [id, account, region, engine, host, port].join(' '),
      ),
      [
        `legacy-orders 444455556666 eu-west-1 mysql ${name('orders', 'eu-west-1')} 3306`,
        `shop-prod-shop ${account} us-east-1 mysql ${name('shop.cluster')} 3306`,
        `shop-prod-ledger ${account} us-east-1 mysql ${name('ledger.cluster')} 3306`,
        `shop-prod-dr ${account} us-east-1 mysql ${name('dr.cluster-ro')} 3306`,
        `shop-prod-v1 ${account} us-east-1 mysql ${name('v1.cluster')} 3306`,
        `shop-prod-orders ${account} us-east-1 mysql ${name('orders')} 3306`,
        `shop-prod-orders-copy ${account} us-east-1 mysql ${name('orders-copy')} 3306`,
        `shop-prod-wiki ${account} us-east-1 mysql ${name('wiki')} 3307`,
        `shop-prod-billing ${account} us-east-1 mssql ${name('billing')} 1433`,
        `shop-prod-erp ${account} us-east-1 mssql ${name('erp')} 1433`,
      ],
    );
    for (const { id, account_name, credentials } of databases) {
      assert.ok(id.startsWith(`${account_name}-`), id);
      assert.equal(credentials, `ssm:/db-admin-report/${id}`);
    }
  });

  test('an account whose servers cannot be listed is named, not left out silently', () => {
    const { 'answers-describe-db-instances-legacy-eu-west-1.json': _, ...others } = answers;
    const cwd = workFolder({ 'accounts.txt': accounts, ...others });
    bash(cwd, makeInventory);
    assert.equal(read(cwd, 'failed.txt'), 'legacy eu-west-1\n');
  });

  test('a server is left out on purpose', () => {
    const cwd = workFolder({ 'inventory.json': read(root, 'inventory.example.json') });
    assert.equal(bash(cwd, blockWith('deploy.md', '.excluded +=')).status, 0);
    const { databases, excluded } = parseInventory(readFileSync(join(cwd, 'inventory.json')));
    assert.equal(databases.length, 2);
    assert.deepEqual(
      excluded.map(({ host }) => host.split('.')[0]),
      ['staging', 'load-test'],
    );
  });

  test('credentials are made from an inventory, each with a password that nobody has seen', () => {
    const databases = Array.from({ length: 40 }, (_, i) => ({
      id: `shop-prod-db${i}`,
      account,
      account_name: 'shop-prod',
      region: 'us-east-1',
      engine: 'mysql',
      host: name(`db${i}`),
      credentials: `ssm:/db-admin-report/shop-prod-db${i}`,
    }));
    databases[7]!.region = 'eu-west-1'; // where the stand-in refuses
    const answer = { 'answers-put-parameter-shop-prod-us-east-1.json': { Version: 1, Tier: 'Standard' } };
    const cwd = workFolder({ 'inventory.json': { databases }, ...answer });
    const { status } = bash(cwd, blockWith('deploy.md', 'put-parameter'));
    assert.deepEqual([status, read(cwd, 'failed.txt')], [0, 'ssm:/db-admin-report/shop-prod-db7\n']);
    const made = calls(cwd);
    assert.deepEqual(
      made.map(({ options, file }) => [options.name, options.type, JSON.parse(file).host]),
      databases.map(({ credentials, host }) => [credentials.slice('ssm:'.length), 'SecureString', host]),
    );
    const credentials = made.map(({ file }) => JSON.parse(file));
    assert.equal(new Set(credentials.map(({ password }) => password)).size, 40);
    for (const { username, password } of credentials) {
      assert.equal(username, 'db_admin_report');
      assert.match(password, /^[0-9a-f]{40}-Aa1$/);
    }
    for (const { words } of made) assert.ok(!/-Aa1/.test(words.join(' ')), 'a password on a command line');
    assert.ok(!readdirSync(cwd).includes('credential.json'), 'a password is left behind');
  });

  test('a schedule sends the event that the orchestrator takes', () => {
    const arn = `arn:aws:lambda:us-east-1:${account}:function:db-admin-report-orchestrator`;
    const cwd = workFolder({
      'answers-put-rule-audit-us-east-1.json': `arn:aws:events:us-east-1:${account}:rule/db-admin-report-quarterly\n`,
      'answers-get-function-audit-us-east-1.json': `${arn}\n`,
      'answers-add-permission-audit-us-east-1.json': '',
      'answers-put-targets-audit-us-east-1.json': '',
    });
    const { status, stderr } = bash(cwd, blockWith('deploy.md', 'put-targets'));
    assert.deepEqual([status, stderr], [0, '']);
    const [rule, , permission, targets] = calls(cwd).map(({ options }) => options);
    assert.match(permission['source-arn'], new RegExp(`:rule/${rule.name}$`));
    const [{ Arn, InputTransformer }] = JSON.parse(targets.targets);
    assert.equal(Arn, arn);
    // As EventBridge does it: the value of a path stands where its name stood, as JSON.
    const event = {
      id: '7bf73129-1428-4cd3-a780-95db273d1602',
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
    };
    assert.deepEqual(InputTransformer.InputPathsMap, { id: '$.id' });
    const sent = JSON.parse(InputTransformer.InputTemplate.replace('<id>', JSON.stringify(event.id)));
    assert.equal(checkRequest(sent).reportId, event.id);
  });
});

describe('docs/audit.md', () => {
  const password = 'audit-1';

  test('what it has auditors run holds for a real report, and fails for a changed one', async () => {
    server = await startMariadb();
    await server.query(`CREATE USER auditor@'%' IDENTIFIED BY '${password}'`);
    await server.query("GRANT SELECT ON mysql.* TO auditor@'%'");
    await server.query("CREATE USER dora@'%' IDENTIFIED BY 'x'");
    await server.query("GRANT ALL ON *.* TO dora@'%'");
    const where = { account, region: 'us-east-1', engine: 'mysql', credentials: 'env:AUDITOR' };
    const databases = [
      { id: 'orders', ...where, host: server.host, port: server.port },
      { id: 'down', ...where, host: server.host, port: 1 },
    ];
    const cwd = workFolder({ 'inventory.json': { databases } });
    const AUDITOR = JSON.stringify({ username: 'auditor', password, ca: server.ca });
    const args = ['--local', '--inventory', join(cwd, 'inventory.json'), '--out', cwd, '--quiet'];
    const ran = await runCli(args, { env: { ...process.env, AUDITOR } });
    assert.equal(ran.code, 3, ran.stderr);
    const csv = readdirSync(cwd).find(file => file.endsWith('.csv'))!;
    const script = blocks('audit.md').join('\n').replace('REPORT.csv', csv);

    const { stdout, stderr } = bash(cwd, `set -e\n${script}`);
    assert.equal(stderr, '');
    for (const expected of [
      `${csv}: OK`,
      'every database was asked for or left out',
      'down\tfailed\tconnection refused',
      'the rows agree with the manifest',
      `111122223333 us-east-1 orders admin {'administrators': `,
    ])
      assert.ok(stdout.includes(expected), `${expected}\n\n${stdout}`);
    const [stated, computed] = stdout.match(/^[0-9a-f]{64}(?=( {2}-)?$)/gm)!;
    assert.equal(stated, computed, 'the SHA-256 of the inventory');
    assert.match(stdout, new RegExp(`^${account}\tus-east-1\tchecked: false\t0 listed`, 'm'));
    // All files of queries are this repository's.
    assert.equal(spawnSync('sha256sum', ['--check', join(cwd, 'texts')], { cwd: root }).status, 0);
    assert.equal(read(cwd, 'texts').trim().split('\n').length, 3);

    // Re-performance: the same administrators.
    const client = await mariadbClient();
    const { queries } = JSON.parse(read(cwd, csv.replace('.csv', '.manifest.json')));
    const textOf = (name: string) => queries.find(({ file }: { file: string }) => file === name).text;
    const again = spawnSync(
      client.command,
      [
        ...client.args,
        '--batch',
        '--force',
        '--default-character-set=utf8mb4',
        '--socket',
        server.socket,
        '--user=root',
      ],
      {
        input: textOf('mariadb-session.sql') + textOf('mariadb-administrators.sql'),
        env: { ...client.environment, MYSQL_PWD: server.root.password },
        encoding: 'utf8',
      },
    );
    assert.match(again.stdout, /\tdora@%\t/, again.stderr);

    // One row is taken out of the CSV.
    const rows = read(cwd, csv).split('\r\n');
    writeFileSync(join(cwd, csv), rows.filter(row => !row.includes('dora@%')).join('\r\n'));
    const changed = bash(cwd, script);
    assert.match(changed.stdout, /: FAILED$/m);
    assert.match(changed.stderr, /AssertionError/);
    assert.doesNotMatch(changed.stdout, /the rows agree/);
  });

  test('it shows the servers that AWS lists and the inventory does not', async () => {
    const database = { account, region: 'us-east-1', engine: 'mysql', credentials: 'ssm:/db-admin-report/orders' };
    const inventory = {
      databases: [{ id: 'orders', ...database, host: name('orders') }],
      excluded: [{ host: name('staging').toUpperCase(), reason: 'test data only' }],
    };
    const cwd = workFolder({ 'inventory.json': inventory });
    const server = (id: string) => ({ id, engine: 'mysql' as const, version: '8.4.7', host: name(id), port: 3306 });
    const listed = ['orders', 'staging', 'forgotten'].map(id => ({ ...server(id), covered_by: [name(id)] }));
    const surroundings: Parameters<typeof run>[1] = {
      ...{ local: false, control: '', requestId: '', writeAt: Date.now() + 60_000 },
      inventory: async () => ({ source: '', version: '', bytes: readFileSync(join(cwd, 'inventory.json')) }),
      location: file => join(cwd, file),
      put: async (bytes, location) => writeFileSync(location, bytes),
      collect: async (databases, done, takeList) => {
        takeList(databases[0]!, listed);
        for (const each of databases)
          done(failed(each, 'connection refused'), { version: '1.0.0', queries: [], attempts: 1 });
      },
    };
    const { report } = await run({ reportId: crypto.randomUUID(), requestedBy: 'tester' }, surroundings, () => {});
    const script = blocks('audit.md').join('\n').replace('REPORT.csv', basename(report!));
    const { stdout, stderr } = bash(cwd, `set -e\n${script}`);
    assert.equal(stderr, '');
    assert.match(stdout, new RegExp(`^${account}\tus-east-1\tchecked: true\t3 listed\t1 unlisted\t1 excluded\t$`, 'm'));
    assert.match(stdout, new RegExp(`^unlisted\t${account}\tus-east-1\tforgotten\t${name('forgotten')}\t`, 'm'));
    assert.match(stdout, /^excluded\t.*\tstaging\t.*\ttest data only$/m);
    assert.match(stdout, /^every database was asked for or left out$/m);
    assert.match(stdout, /^the rows agree with the manifest$/m);
  });
});
