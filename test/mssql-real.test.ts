// The expectations of mssql-queries.test.ts on a real SQL Server, 2017 to 2025. TEST_MSSQL_URL names one that may be thrown away:
//
//   docker run --detach --publish 1433:1433 --env ACCEPT_EULA=Y --env MSSQL_SA_PASSWORD='Fx-1!fixture' mcr.microsoft.com/mssql/server:2022-latest
//   TEST_MSSQL_URL='mssql://sa:Fx-1!fixture@127.0.0.1:1433' node --test test/mssql-real.test.ts
//
// The test makes the fixture's logins, roles, users and databases there, reports on the server with the whole product, and removes them.
// Left out is what a lone server cannot be made to have: Windows accounts, a locked login, databases that were restored or whose state
// is not ONLINE or OFFLINE, names that end in a blank (SQL Server compares them as if they did not).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import mssql from 'mssql';
import { readReport, runCli, withoutMarks } from './command.ts';

type Options = Record<string, unknown> & { auth?: number; type?: string; since?: number };
type Fixture = {
  logins: [name: string, type: string, options: Options][];
  server_roles: Record<string, { members?: string[]; owner?: string }>;
  permissions: string[];
  databases: Record<
    string,
    {
      users: [name: string, login: string | null, options: Options][];
      roles: Record<string, { members?: string[]; owner?: string }>;
      permissions: string[];
      owner?: string;
      collation?: string;
      containment?: number;
      trustworthy?: number;
      chaining?: number;
      guest?: number;
      state?: string;
      schemas?: Record<string, string>;
      objects?: [string, number, string][];
    }
  >;
};
/** The columns of mssql-expected.json: scope, principal, extent, enabled, privileges, granted_through, can_grant, owner, principal_type, … */
type Expected = [...string[], string | number];

const url = process.env.TEST_MSSQL_URL;
const skip =
  !url && 'no SQL Server: set TEST_MSSQL_URL to mssql://user:password@host:port of one that may be thrown away';
const here = (name: string) => new URL(name, import.meta.url).pathname;
const fixture: Fixture = JSON.parse(fs.readFileSync(here('mssql-fixture.json'), 'utf8'));
const expected: { fixture: Expected[] } = JSON.parse(fs.readFileSync(here('mssql-expected.json'), 'utf8'));

const password = 'Fx-1!fixture';
const system = ['master', 'tempdb', 'model', 'msdb'];
const left = ['sys_locked', 'locked_out', 'trailing '];
const bracket = (name: string) => `[${name.replaceAll(']', ']]')}]`;
const text = (value: string) => `N'${value.replaceAll("'", "''")}'`;
const parameter = (value: string) => value.slice(1, -1).replaceAll(']]', ']');

describe('a real SQL Server', { skip, concurrency: false }, () => {
  let pool: mssql.ConnectionPool;
  let major: number;
  const undo: [sql: string, database: string][] = [];
  const refused: string[] = [];
  const made = new Set<string>(); // logins, server roles, users, database roles
  const databases = new Set<string>();

  /** Runs a statement in a database; a refusal is kept for the test of the set-up. `back` undoes it. */
  async function run(sql: string, database = 'master', back?: string): Promise<boolean> {
    try {
      await pool.request().batch(`EXEC ${bracket(database)}.sys.sp_executesql ${text(sql)}`);
      if (back && system.includes(database)) undo.push([back, database]); // another database goes as a whole
      return true;
    } catch (error) {
      refused.push(`${database}: ${sql}: ${(error as Error).message}`);
      return false;
    }
  }

  /** A permission of the fixture is T-SQL. It is run where everybody that it names was made. */
  async function grant(permission: string, known: Set<string>, database = 'master') {
    const names = permission.match(/\[(?:[^\]]|\]\])*\]/g)!.map(parameter);
    const newer = /CREATE LOGIN|SECURITY DEFINITION/.test(permission) && major < 16;
    if (newer || /ENDPOINT::/.test(permission) || !names.every(name => known.has(name))) return;
    await run(permission.replace('ON OBJECT::', 'ON OBJECT::dbo.'), database);
  }

  async function makeLogins() {
    for (const [name, type, { since = 0, disabled, noconnect }] of fixture.logins) {
      if (since > major || left.includes(name) || name.startsWith('##') || !'SCK'.includes(type) || name === 'sa')
        continue;
      const login = bracket(name);
      const key = { C: 'CERTIFICATE', K: 'ASYMMETRIC KEY' }[type];
      if (type === 'C') {
        await run(
          `CREATE CERTIFICATE ${login} ENCRYPTION BY PASSWORD = '${password}' WITH SUBJECT = 'fixture'`,
          'master',
          `DROP CERTIFICATE ${login}`,
        );
      } else if (type === 'K') {
        await run(
          `CREATE ASYMMETRIC KEY ${login} WITH ALGORITHM = RSA_2048 ENCRYPTION BY PASSWORD = '${password}'`,
          'master',
          `DROP ASYMMETRIC KEY ${login}`,
        );
      }
      const how = key ? `FROM ${key} ${login}` : `WITH PASSWORD = '${password}', CHECK_POLICY = OFF`;
      if (!(await run(`CREATE LOGIN ${login} ${how}`, 'master', `DROP LOGIN ${login}`))) continue;
      made.add(name);
      if (disabled) await run(`ALTER LOGIN ${login} DISABLE`);
      if (noconnect) await run(`REVOKE CONNECT SQL FROM ${login}`);
    }
  }

  async function makeServerRoles() {
    const fixed = (name: string) => /^##|admin$|^dbcreator$/.test(name) && !(name in { login_admins: 1 });
    for (const [name, { owner }] of Object.entries(fixture.server_roles)) {
      if (fixed(name)) continue;
      const authorization = owner ? ` AUTHORIZATION ${bracket(owner)}` : '';
      if (
        await run(`CREATE SERVER ROLE ${bracket(name)}${authorization}`, 'master', `DROP SERVER ROLE ${bracket(name)}`)
      )
        made.add(name);
    }
    for (const [name, { members = [] }] of Object.entries(fixture.server_roles)) {
      if (name.startsWith('##') && major < 16) continue;
      for (const member of members.filter(member => made.has(member))) {
        const role = `ALTER SERVER ROLE ${bracket(name)}`;
        await run(`${role} ADD MEMBER ${bracket(member)}`, 'master', `${role} DROP MEMBER ${bracket(member)}`);
      }
    }
  }

  async function makeUsers(database: string) {
    const { users, roles, permissions, schemas = {}, objects = [] } = fixture.databases[database]!;
    const known = new Set(['dbo', 'public', ...objects.map(([name]) => name), ...Object.keys(schemas)]);
    for (const [name, login, { auth, type, noconnect, denyconnect }] of users) {
      if (left.includes(name) || (login !== null && !made.has(login)) || type === 'U' || type === 'G') continue;
      const user = bracket(name);
      const drop = type === 'A' ? `DROP APPLICATION ROLE ${user}` : `DROP USER ${user}`;
      let create = `CREATE USER ${user} WITHOUT LOGIN`;
      if (login !== null) create = `CREATE USER ${user} FOR LOGIN ${bracket(login)}`;
      else if (type === 'A') create = `CREATE APPLICATION ROLE ${user} WITH PASSWORD = '${password}'`;
      else if (auth === 2) create = `CREATE USER ${user} WITH PASSWORD = '${password}'`;
      else if (type === 'C') {
        await run(
          `CREATE CERTIFICATE ${user} ENCRYPTION BY PASSWORD = '${password}' WITH SUBJECT = 'fixture'`,
          database,
        );
        create = `CREATE USER ${user} FROM CERTIFICATE ${user}`;
      } else if (type === 'K') {
        await run(
          `CREATE ASYMMETRIC KEY ${user} WITH ALGORITHM = RSA_2048 ENCRYPTION BY PASSWORD = '${password}'`,
          database,
        );
        create = `CREATE USER ${user} FROM ASYMMETRIC KEY ${user}`;
      } else if (auth === 1) {
        await run(`CREATE LOGIN ${user} WITH PASSWORD = '${password}', CHECK_POLICY = OFF`);
        create = `CREATE USER ${user} FOR LOGIN ${user}`;
      }
      if (await run(create, database, drop)) known.add(name);
      if (auth === 1) await run(`DROP LOGIN ${user}`); // an orphan now
      if (noconnect) await run(`REVOKE CONNECT FROM ${user}`, database);
      if (denyconnect) await run(`DENY CONNECT TO ${user}`, database);
    }
    const given = (role: string) =>
      /^db_/.test(role) || (database === 'msdb' && /^(SQLAgent|PolicyAdm|DatabaseMail|dc_)/.test(role));
    for (const [name, { owner }] of Object.entries(roles)) {
      const authorization = owner ? ` AUTHORIZATION ${bracket(owner)}` : '';
      if (
        given(name) ||
        (await run(`CREATE ROLE ${bracket(name)}${authorization}`, database, `DROP ROLE ${bracket(name)}`))
      ) {
        known.add(name);
      }
    }
    for (const [name, { members = [] }] of Object.entries(roles)) {
      for (const member of members.filter(member => known.has(member) && !given(member))) {
        const role = `ALTER ROLE ${bracket(name)}`;
        await run(`${role} ADD MEMBER ${bracket(member)}`, database, `${role} DROP MEMBER ${bracket(member)}`);
      }
    }
    for (const [name, owner] of Object.entries(schemas)) {
      await run(
        `CREATE SCHEMA ${bracket(name)} AUTHORIZATION ${bracket(owner)}`,
        database,
        `DROP SCHEMA ${bracket(name)}`,
      );
    }
    for (const [name] of objects.filter(([name]) => database !== 'msdb' || !name.startsWith('sys'))) {
      const table = `dbo.${bracket(name)}`;
      await run(`CREATE TABLE ${table} (id int)`, database, `DROP TABLE ${table}`);
    }
    for (const permission of permissions) await grant(permission, known, database);
    for (const name of known) made.add(name);
  }

  async function makeDatabases() {
    for (const [name, database] of Object.entries(fixture.databases)) {
      if (name !== 'model' && system.includes(name)) await makeUsers(name);
      if (system.includes(name)) continue;
      const own = 'dbo' in database || 'dbo_sid' in database || 'single_user' in database || 'secondary' in database;
      if (own || (database.state && database.state !== 'OFFLINE')) continue;
      const it = bracket(name);
      const containment = database.containment ? ' CONTAINMENT = PARTIAL' : '';
      const collate = database.collation ? ` COLLATE ${database.collation}` : '';
      const back = `IF DATABASEPROPERTYEX(${text(name)}, 'Status') = 'ONLINE' ALTER DATABASE ${it} SET SINGLE_USER WITH ROLLBACK IMMEDIATE; DROP DATABASE ${it}`;
      if (!(await run(`CREATE DATABASE ${it}${containment}${collate}`, 'master', back))) continue;
      databases.add(name);
      if (database.owner && database.owner !== 'sa')
        await run(`ALTER AUTHORIZATION ON DATABASE::${it} TO ${bracket(database.owner)}`);
      if (database.trustworthy) await run(`ALTER DATABASE ${it} SET TRUSTWORTHY ON`);
      if (database.chaining) await run(`ALTER DATABASE ${it} SET DB_CHAINING ON`);
      if (database.guest) await run('GRANT CONNECT TO guest', name);
      await makeUsers(name);
      if (database.state) await run(`ALTER DATABASE ${it} SET OFFLINE WITH ROLLBACK IMMEDIATE`);
    }
  }

  before(async () => {
    const { hostname, port, username, password: secret } = new URL(url!);
    const settings: mssql.config = {
      server: hostname,
      port: Number(port || 1433),
      user: decodeURIComponent(username),
      password: decodeURIComponent(secret),
      database: 'master',
      requestTimeout: 120_000,
      pool: { max: 1, min: 1 },
      options: { trustServerCertificate: true },
    };
    for (let tries = 30; ; tries--) {
      try {
        pool = await new mssql.ConnectionPool(settings).connect();
        break;
      } catch (error) {
        if (tries === 0) throw error; // a container takes a minute to be ready
        await sleep(3000);
      }
    }
    const asked = await pool.request().query(`
      SELECT
        CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,
        (SELECT CAST(value_in_use AS int) FROM sys.configurations WHERE name = N'contained database authentication') AS contained,
        (SELECT COUNT(*) FROM sys.server_principals WHERE name IN (N'auditor', N'sys_direct')) AS taken`);
    const { version, contained, taken } = asked.recordset[0];
    assert.equal(taken, 0, 'the fixture is on this server already: take a fresh one');
    major = Number.parseInt(version, 10);
    await run(
      "EXEC sp_configure 'contained database authentication', 1; RECONFIGURE",
      'master',
      `EXEC sp_configure 'contained database authentication', ${contained}; RECONFIGURE`,
    );
    await makeLogins();
    await makeServerRoles();
    const known = new Set([...made, 'sa', 'public']);
    for (const permission of fixture.permissions) await grant(permission, known);
    await makeDatabases();
  });

  after(async () => {
    const failed: string[] = [];
    for (const [sql, database] of undo.reverse()) {
      await pool
        .request()
        .batch(`EXEC ${bracket(database)}.sys.sp_executesql ${text(sql)}`)
        .catch(error => failed.push(`${sql}: ${error.message}`));
    }
    await pool.close();
    assert.deepEqual(failed, [], 'left behind on the server');
  });

  test('takes the fixture as it is written', () => {
    assert.deepEqual(refused, []);
  });

  test('every administrator of the fixture is reported, and nobody else', async () => {
    const out = fs.mkdtempSync(path.join(os.tmpdir(), 'mssql-real-'));
    try {
      const { hostname, port } = new URL(url!);
      const inventory = path.join(out, 'inventory.json');
      const database = { id: 'real', account: '111122223333', region: 'us-east-1', engine: 'mssql', tls: 'trust' };
      const where = { host: hostname, port: Number(port || 1433), credentials: 'env:MSSQL_FIXTURE' };
      fs.writeFileSync(inventory, JSON.stringify({ databases: [{ ...database, ...where }] }));
      const { stdout, stderr } = await runCli(
        ['--local', '--inventory', inventory, '--out', out, '--json', '--quiet'],
        { env: { ...process.env, MSSQL_FIXTURE: JSON.stringify({ username: 'auditor', password }) } },
      );
      assert.ok(stdout, stderr);
      const rows = (await readReport(fs.readFileSync(JSON.parse(stdout).report))).map(withoutMarks);

      const incomplete = rows.filter(row => row.result !== 'admin').map(row => `${row.scope}: ${row.detail}`);
      assert.equal(incomplete.length, 1, incomplete.join('\n'));
      assert.match(incomplete[0]!, /^database:offline: .*OFFLINE/);

      // the server's own accounts have their rows too; sa, and so dbo, may be enabled or not
      const scopes = new Set(['server', ...[...databases, 'master', 'tempdb', 'msdb'].map(name => `database:${name}`)]);
      const ours = (scope: string, principal: string) =>
        scopes.has(scope) &&
        made.has(principal) &&
        !['dbo', ...(databases.has(scope.slice(9)) ? [] : ['public'])].includes(principal);
      const found = rows
        .filter(row => row.result === 'admin' && ours(row.scope!, row.principal!))
        .map(row =>
          [row.scope, row.principal, row.principal_type, row.granted_through, row.enabled, row.extent].join('|'),
        );
      // The worker makes one row of the same scope, principal and chain, and `full` wins.
      const wanted = new Map<string, string>();
      for (const row of expected.fixture.filter(row => Number(row[10] ?? 11) <= major)) {
        const [scope, principal, extent, enabled, , chain, , , type] = row as string[];
        if (!ours(scope!, principal!)) continue;
        const place = [scope, principal, type, chain, enabled].join('|');
        if (wanted.get(place) !== 'full') wanted.set(place, extent!);
      }
      assert.deepEqual(found.sort(), [...wanted].map(pair => pair.join('|')).sort());
    } finally {
      fs.rmSync(out, { recursive: true });
    }
  });
});
