/** The command as it is typed, wherever it is typed: each engine is read by each way to start it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { rowColumns } from '../worker.ts';
import { authority, certificate } from './certificates.ts';
import { readReport, root, runCli } from './command.ts';
import { startMariadb, startMysql } from './servers.ts';
import { type ResultSet, startTds } from './tds-server.ts';

const login = { username: 'auditor', password: 'The-auditor-1' };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'command-'));
const stops: (() => unknown)[] = [() => fs.rmSync(folder, { recursive: true })];
let inventory: string;
let env: NodeJS.ProcessEnv;

before(async () => {
  const own = certificate({ authority: authority('Command'), names: ['localhost'], addresses: ['127.0.0.1'] });
  const servers = await Promise.all([startMysql({ certificate: own }), startMariadb({ certificate: own })]);
  for (const server of servers) {
    stops.push(server.stop);
    await server.query(`CREATE USER auditor@'%' IDENTIFIED BY '${login.password}'`);
    await server.query("GRANT SELECT ON mysql.* TO auditor@'%'");
  }
  const mssql = await startTds({ certificate: own, answer: sql => [answerSql(sql)] });
  stops.push(mssql.stop);

  const databases = [...servers, { engine: 'mssql', port: mssql.port }].map(({ engine, port }) => ({
    ...{ id: engine, engine: engine === 'mssql' ? 'mssql' : 'mysql', host: '127.0.0.1', port },
    ...{ account: '111122223333', region: 'us-east-1', credentials: 'env:CREDENTIAL' },
  }));
  inventory = path.join(folder, 'inventory.json');
  fs.writeFileSync(inventory, JSON.stringify({ databases }));
  env = { ...process.env, CREDENTIAL: JSON.stringify({ ...login, ca: own.ca }) };
});
after(() => Promise.all(stops.reverse().map(stop => stop())));

/** A SQL Server with one administrator, as the files of queries/ ask for it. */
function answerSql(sql: string): ResultSet {
  const query = (file: string) => fs.readFileSync(path.join(root, 'queries', file), 'utf8');
  const set = (columns: readonly string[], ...rows: string[][]): ResultSet => ({
    columns: columns.map(name => [name, 'nvarchar']),
    rows,
  });
  if (sql === query('mssql-server.sql')) {
    const about = { engine: 'mssql', engine_version: '16.0', server_name: 'S', server_id: 'S', refused: '' };
    return set(Object.keys(about), Object.values(about));
  }
  if (sql === query('mssql-databases.sql')) {
    return set(['name', 'procedure_name', 'readable', 'detail'], ['master', '[master].sys.sp_executesql', 'yes', '']);
  }
  const sa: Record<string, string> = {
    result: 'admin',
    scope: 'server',
    principal: 'sa',
    extent: 'full',
    enabled: 'yes',
  };
  const more: Record<string, string> = { privileges: 'sysadmin', can_grant: 'yes', principal_type: 'sql login' };
  return set(
    rowColumns,
    rowColumns.map(column => ({ ...sa, ...more })[column] ?? ''),
  );
}

const project = path.join(folder, 'project');
fs.symlinkSync(root, project);
const link = path.join(folder, 'report.ts');
fs.symlinkSync(path.join(root, 'cli.ts'), link);
const ways: Record<string, Parameters<typeof runCli>[1]> = {
  'npx tsx cli.ts': {},
  'node cli.ts': { runner: 'node' },
  'npx tsx ../cli.ts, from a folder of the project': { cwd: path.join(root, 'test') },
  'npx --prefix PROJECT tsx PROJECT/cli.ts, from elsewhere': { cwd: folder },
  'a symbolic link to the project': { cwd: folder, cli: path.join(project, 'cli.ts') },
  'a symbolic link to cli.ts': { cwd: folder, cli: link },
  'a symbolic link, by Node alone': { cwd: folder, cli: link, runner: 'node' },
};
for (const [way, settings] of Object.entries(ways)) {
  test(`all three engines: ${way}`, async () => {
    const ran = await runCli(['--local', '--inventory', inventory, '--out', folder, '--json'], { ...settings, env });
    assert.equal(ran.code, 0, ran.stderr + ran.stdout);
    const rows = await readReport(fs.readFileSync(JSON.parse(ran.stdout).report));
    const found = new Set(rows.filter(row => row.result === 'admin').map(row => row.database_id));
    assert.deepEqual([...found].sort(), ['mariadb', 'mssql', 'mysql']);
  });
}

test('the lock file holds tedious at 20.3.9 or later: 19 can be talked into sending a password in the clear', () => {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const versions = Object.keys(packages)
    .filter(name => /(^|\/)node_modules\/tedious$/.test(name))
    .map(name => packages[name].version);
  assert.equal(versions.length, 1, versions.join(' and '));
  const [major, minor, patch] = versions[0].split('.').map(Number);
  assert.ok(major * 1e6 + minor * 1e3 + patch >= 20_003_009, versions[0]);
});
