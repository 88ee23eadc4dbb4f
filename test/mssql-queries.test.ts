// The very queries/mssql-*.sql, executed on every version from 2012 to 2025 by a stand-in for SQL Server that emulates its
// catalog, and through the whole product over its TDS. What they must find is in mssql-expected.json, and nothing else may be found.
// On a real SQL Server: mssql-real.test.ts.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { readReport, runCli, withoutMarks } from './command.ts';

const standin = process.env.MSSQL_STANDIN;
const skip =
  !standin &&
  'no SQL Server: set MSSQL_STANDIN to the absolute path of a stand-in (the folder with catalog.py), or run mssql-real.test.ts with TEST_MSSQL_URL';

test('a SQL Server is at hand where the project is checked', { skip: !process.env.CI && skip }, () => {
  if (process.env.TEST_MSSQL_URL) return; // mssql-real.test.ts has it
  assert.ok(standin && fs.existsSync(path.join(standin, 'catalog.py')), `no catalog.py in MSSQL_STANDIN (${standin})`);
});

type Row = Record<string, string>;
type Fixture = {
  server: Record<string, unknown>;
  logins: [string, string, Record<string, unknown>][];
  server_roles: Record<string, { members?: string[] }>;
  permissions: string[];
  linked_servers?: Record<string, string>;
  databases: Record<
    string,
    {
      users: [string, string | null, Record<string, unknown>][];
      roles: Record<string, { members?: string[] }>;
      permissions: string[];
      owner?: string;
      dbo?: string;
    }
  >;
};
/** The columns below, and since which version (2012 is 11) */
type Expected = [...string[], number | string];

const here = (name: string) => new URL(name, import.meta.url).pathname;
const query = (name: string) => here(`../queries/mssql-${name}.sql`);
const readJson = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8'));

const fixture = here('mssql-fixture.json');
const rds = here('mssql-rds-fixture.json');
const expected: Record<'fixture' | 'rds', Expected[]> & { nobody: [string, string][] } = readJson(
  here('mssql-expected.json'),
);
const versions = [11, 12, 13, 14, 15, 16, 17];
const caseSensitive = 'Latin1_General_100_CS_AS';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'mssql-queries-'));
after(() => fs.rmSync(scratch, { recursive: true }));

/** A fixture with something changed, as a file. */
function changed(name: string, change: (fixture: Fixture) => void, base = fixture): string {
  const value: Fixture = readJson(base);
  change(value);
  const file = path.join(scratch, `${name}.json`);
  fs.writeFileSync(file, JSON.stringify(value));
  return file;
}

/** The rows of a query's result sets, run on the stand-in with options such as `--login`, `--major`, `--each-db`. */
async function run(file: string, ...options: string[]): Promise<Row[]> {
  const { stdout } = await promisify(execFile)(
    'python3',
    [path.join(standin!, 'catalog.py'), 'run', file, '--json', ...options],
    { maxBuffer: 2 ** 28 },
  );
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as { columns: [string][]; rows: string[][] })
    .flatMap(({ columns, rows }) => rows.map(row => Object.fromEntries(columns.map(([name], i) => [name, row[i]!]))));
}

const quoted = (text: string) => `N'${text.replaceAll("'", "''")}'`;
const readQuery = (name: string) => fs.readFileSync(query(name), 'utf8');

/** The administrators of the server, then those of each database that may be read: in one session, as the worker does it. */
async function administrators(...options: string[]): Promise<Row[]> {
  const databases = (await run(query('databases'), ...options)).filter(row => row.readable === 'yes');
  const statement = quoted(readQuery('database-administrators'));
  const file = path.join(fs.mkdtempSync(path.join(scratch, 'session-')), 'all.sql');
  const calls = databases.map(row => `EXEC ${row.procedure_name} ${statement};`);
  fs.writeFileSync(file, [readQuery('server-administrators'), ...calls].join('\n'));
  return run(file, ...options);
}

const columns = [
  'scope',
  'principal',
  'extent',
  'enabled',
  'privileges',
  'granted_through',
  'can_grant',
  'owner',
  'principal_type',
  'authentication',
];
const since = (row: Expected) => Number(row[columns.length] ?? 11);
const lines = (rows: Row[]) =>
  rows
    .filter(row => row.result === 'admin')
    .map(row => JSON.stringify(columns.map(column => row[column])))
    .sort();
const wanted = (rows: Expected[], major: number) =>
  rows
    .filter(row => since(row) <= major)
    .map(row => JSON.stringify(row.slice(0, columns.length)))
    .sort();
const incomplete = (rows: Row[]) => rows.filter(row => row.result === 'incomplete');

describe('queries/mssql-*.sql', { skip, concurrency: 2 }, () => {
  test('the fixture holds more than 80 principals, and every near miss is one of them', () => {
    const { logins, databases }: Fixture = readJson(fixture);
    assert.ok(logins.length + Object.values(databases).flatMap(({ users = [] }) => users).length > 160);
    const text = fs.readFileSync(fixture, 'utf8');
    const built = ['guest', 'public', 'sys', 'dbo'];
    for (const [, name] of expected.nobody) {
      assert.ok(built.includes(name) || text.includes(JSON.stringify(name)), `${name} is not in the fixture`);
    }
  });

  for (const major of versions) {
    for (const collation of [undefined, caseSensitive]) {
      test(`version ${major}${collation ? ', case-sensitive' : ''}: every administrator, and nobody else`, async () => {
        const options = [
          '--fixture',
          fixture,
          '--major',
          String(major),
          ...(collation ? ['--collation', collation] : []),
        ];
        const rows = await administrators(...options);
        assert.deepEqual(lines(rows), wanted(expected.fixture, major));
        assert.deepEqual(incomplete(rows), []);
        const near = new Set(expected.nobody.map(entry => JSON.stringify(entry)));
        assert.deepEqual(
          rows.filter(row => near.has(JSON.stringify([row.scope, row.principal]))),
          [],
        );
        for (const row of rows) {
          assert.equal(
            Object.values(row).every(value => typeof value === 'string'),
            true,
            JSON.stringify(row),
          );
          assert.doesNotMatch(row.detail!, /[\r\n]/);
        }
      });
    }
  }

  for (const collation of ['Turkish_CI_AS', 'Japanese_BIN']) {
    test(`a server with the collation ${collation}`, async () => {
      const rows = await administrators('--fixture', fixture, '--major', '13', '--collation', collation);
      assert.deepEqual(lines(rows), wanted(expected.fixture, 13));
    });
  }

  test('names that differ in case only are two logins, two users, two roles', async () => {
    const file = changed('case', ({ logins, databases }) => {
      logins.push(['SYS_DIRECT', 'S', {}]);
      databases.shop!.users!.push(['LEAD', null, {}]);
    });
    const rows = await administrators('--fixture', file, '--collation', caseSensitive);
    assert.deepEqual(lines(rows), wanted(expected.fixture, 16));
  });

  for (const major of [11, 15]) {
    test(`Amazon RDS, version ${major}: the customer's administrators and Amazon's, each with whose it is`, async () => {
      const rows = await administrators('--fixture', rds, '--major', String(major));
      assert.deepEqual(lines(rows), wanted(expected.rds, major));
      const detail = (principal: string) =>
        rows.find(row => row.scope === 'server' && row.principal === principal)!.detail!;
      assert.match(detail('rdsa'), /Amazon RDS's own/);
      assert.match(detail('NT AUTHORITY\\SYSTEM'), /Windows itself/);
      assert.match(detail('NT SERVICE\\SQLWriter'), /a Windows service/);
      assert.match(detail('rdsa_built_in'), /built-in sa/);
      // Each of its rows says so, and no database of its has one for that.
      assert.match(detail('admin'), /owner of 1 database(;|$)/);
      const [database] = await run(
        query('database-administrators'),
        '--fixture',
        rds,
        '--db',
        'rdsadmin',
        '--login',
        'rdsa',
      );
      assert.match(database!.detail!, /Amazon RDS itself/);
      assert.match(rows.find(row => row.principal === 'AD\\Developers')!.detail!, /members are kept in the directory/);
    });
  }

  test('what public is granted every login holds, but whom it is denied to', async () => {
    const rows = await run(query('server-administrators'), '--fixture', fixture, '--variant', 'public');
    const through = rows.filter(row => row.granted_through === 'public').map(row => row.principal);
    const { logins }: Fixture = readJson(fixture);
    // denied ALTER ANY LINKED SERVER, or CONTROL SERVER, which covers it
    const not = ['harmless', 'security_denied_all', 'control_denied', 'control_denied_by_role'];
    assert.deepEqual(
      through.sort(),
      logins
        .map(([name]) => name)
        .filter(name => !not.includes(name))
        .sort(),
    );
    assert.deepEqual(
      rows.filter(row => row.principal === 'public').map(row => [row.principal_type, row.privileges, row.enabled]),
      [['role', 'ALTER ANY LINKED SERVER', 'no']],
    );
  });

  test('every database has its line, and the ones that cannot be read say why', async () => {
    const { databases }: Fixture = readJson(fixture);
    const rows = await run(query('databases'), '--fixture', fixture);
    assert.deepEqual(rows.map(row => row.name).sort(), Object.keys(databases).sort());
    const unread = Object.fromEntries(rows.filter(row => row.readable === 'no').map(row => [row.name, row.detail]));
    assert.deepEqual(Object.keys(unread), ['offline', 'restoring', 'suspect', 'pending', 'single', 'replica']);
    assert.match(unread.offline!, /\[offline\] is OFFLINE: ALTER DATABASE \[offline\] SET ONLINE/);
    assert.match(unread.restoring!, /\[restoring\] is RESTORING/);
    assert.match(unread.suspect!, /\[suspect\] is SUSPECT/);
    assert.match(unread.pending!, /\[pending\] is RECOVERY_PENDING/);
    assert.match(unread.single!, /\[single\] is in SINGLE_USER mode/);
    assert.match(unread.replica!, /\[replica\] is the secondary replica/);
    const hostile = rows.find(row => row.name === 'a]b\'c"d')!;
    assert.equal(hostile.procedure_name, '[a]]b\'c"d].sys.sp_executesql');
  });

  // login, version, what the server's rows must say, the databases that must be named and what for
  const auditors: [string, number, RegExp | null, string[], RegExp?][] = [
    ['auditor', 16, null, []],
    ['aud_security', 16, null, []],
    ['aud_security', 17, null, []],
    ['aud_sysadmin', 11, null, []],
    ['aud_nothing', 15, /GRANT VIEW ANY DEFINITION TO \[aud_nothing\]/, ['shop', 'crm'], /GRANT VIEW ANY DEFINITION/],
    ['aud_nothing', 16, /GRANT VIEW ANY DEFINITION TO \[aud_nothing\]/, ['shop'], /GRANT VIEW ANY DEFINITION/],
    ['aud_definition_only', 11, null, ['shop', 'crm', 'model'], /: USE \[\w+\]; CREATE USER \[aud_definition_only\]/],
    [
      'aud_definition_only',
      12,
      null,
      ['shop', 'crm', 'model'],
      /GRANT CONNECT ANY DATABASE TO \[aud_definition_only\]/,
    ],
    ['aud_denied_database', 16, null, ['crm'], /USE \[crm\]; REVOKE CONNECT FROM/],
    ['aud_denied_in_shop', 13, null, ['shop'], /USE \[shop\]; REVOKE VIEW DEFINITION FROM \[aud_denied_in_shop\]/],
    ['aud_hidden_login', 14, /\[sys_direct\] is hidden.*REVOKE VIEW DEFINITION ON LOGIN::\[sys_direct\]/, []],
    ['aud_no_databases', 12, /GRANT VIEW ANY DATABASE.*REVOKE VIEW ANY DATABASE FROM \[aud_no_databases\]/, []],
  ];
  for (const [login, major, server, databases, statement] of auditors) {
    test(`${login} on version ${major} ${server || databases.length ? 'is told what is missing' : 'sees everything'}`, async () => {
      const options = ['--fixture', fixture, '--login', login, '--major', String(major)];
      const rows = incomplete(await administrators(...options));
      const closed = (await run(query('databases'), ...options)).filter(row => row.readable === 'no');
      const said = (scope: string) =>
        rows
          .filter(row => row.scope === scope)
          .map(row => row.detail)
          .join(' ');
      if (server) assert.match(said('server'), server);
      else assert.equal(said('server'), '');
      for (const name of databases) {
        assert.match(closed.find(row => row.name === name)?.detail ?? said(`database:${name}`), statement!);
      }
      if (!server && !databases.length) assert.deepEqual(rows, []);
    });
  }

  /** What the report tells of one principal: extent, privileges and whose account it is, by scope and chain. */
  const of = (rows: Row[], principal: string) =>
    rows
      .filter(row => row.result === 'admin' && row.principal === principal)
      .map(row => [row.scope, row.granted_through, row.extent, row.privileges, row.owner].join('|'));

  test('an owner who is an administrator of the whole server has no row for each database', async () => {
    const file = changed(
      'owners',
      ({ databases }) => {
        databases.shop!.owner = 'rdsa';
        databases.orders = { ...databases.orders!, owner: 'helper', dbo: 'deputy' };
        databases.process = { ...databases.shop!, users: [], owner: 'app' };
        databases.copy = { ...databases.process, dbo: 'report' };
      },
      rds,
    );
    const rows = await administrators('--fixture', file, '--login', 'rdsa');
    const owners = rows.filter(row => /OWNER/.test(row.privileges!)).map(row => `${row.scope} ${row.principal}`);
    assert.deepEqual(owners.sort(), [
      'database:copy app', // by sys.databases
      'database:copy report', // who is dbo there
      'database:orders helper', // deputy, who is dbo there, is an administrator of the server
      'database:process app',
      'server admin', // of a role
    ]);
    assert.match(rows.find(row => row.principal === 'rdsa')!.detail!, /owner of 2 databases/);
    // Where the session does not know the server's administrators, owners have their rows.
    const alone = await run(query('database-administrators'), '--fixture', file, '--db', 'shop', '--login', 'rdsa');
    assert.deepEqual(of(alone, 'rdsa'), ['database:shop||full|OWNER|Amazon RDS']);
  });

  test('an owner of msdb who is no administrator of the server becomes one by it', async () => {
    const file = changed('msdb', ({ databases }) => Object.assign(databases.msdb!, { owner: 'helper' }), rds);
    assert.deepEqual(of(await administrators('--fixture', file), 'helper'), [
      'database:msdb||full|OWNER|',
      'server||full|OWNER IN DATABASE::[msdb]|',
    ]);
  });

  test('whose account it is, on a German Windows too; a name alone proves nothing', async () => {
    const file = changed('whose', ({ logins, server_roles, databases }) => {
      const added: Fixture['logins'] = [
        ['NT-AUTORITÄT\\SYSTEM', 'U', { sid: '0x010100000000000512000000' }],
        ['VORDEFINIERT\\Administratoren', 'G', { sid: '0x01020000000000052000000020020000' }],
        ['NT SERVICE\\Winmgmt', 'U', {}],
        ['NT SERVICE\\MSSQL$PROD', 'U', { sid: `0x010600000000000550000000${'AB'.repeat(20)}` }],
        ['NT SERVICE\\HealthService', 'U', {}],
        ['NT AUTHORITY\\Authenticated Users', 'G', {}],
        ['##MS_PolicyTsqlExecutionLogin##', 'S', { disabled: 1 }],
        ['##MS_PolicyEventProcessingLogin##', 'S', {}],
        ['##MS_Policy##', 'S', { disabled: 1 }],
        ['rdsa', 'S', {}],
      ];
      logins.push(...added);
      server_roles.sysadmin!.members!.push(...added.map(([name]) => name));
      databases.msdb!.users.push(['MS_DataCollectorInternalUser', null, { auth: 0 }]);
      databases.msdb!.roles.dc_admin!.members!.push('MS_DataCollectorInternalUser');
      databases.shop!.users.push(['MS_DataCollectorInternalUser', null, { auth: 0 }]);
      databases.shop!.roles.db_owner!.members!.push('MS_DataCollectorInternalUser');
    });
    const rows = await administrators('--fixture', file, '--collation', caseSensitive);
    const owner = (principal: string) => rows.find(row => row.principal === principal)!.owner;
    for (const [principal, wanted] of [
      ['NT-AUTORITÄT\\SYSTEM', 'Windows'],
      ['VORDEFINIERT\\Administratoren', ''],
      ['NT SERVICE\\Winmgmt', 'Windows'],
      ['NT SERVICE\\MSSQL$PROD', 'SQL Server'],
      ['NT SERVICE\\HealthService', ''],
      ['NT AUTHORITY\\Authenticated Users', ''],
      ['##MS_PolicyTsqlExecutionLogin##', 'SQL Server'],
      ['##MS_PolicyEventProcessingLogin##', ''],
      ['##MS_Policy##', ''],
      ['rdsa', ''],
      ['sa', ''],
    ] as const) {
      assert.equal(owner(principal), wanted, principal);
    }
    assert.deepEqual(of(rows, 'MS_DataCollectorInternalUser'), [
      'server|dc_admin|full|dc_admin IN DATABASE::[msdb]|SQL Server',
      'database:shop|db_owner|full|db_owner|',
    ]);
  });

  test('a right over roles goes as far as they do, less what is denied to whoever joins them', async () => {
    const by = async (name: string, ...permissions: string[]) => {
      const file = changed(
        name,
        fixture => {
          fixture.permissions = fixture.permissions.filter(permission => !/\[deputies\]/.test(permission));
          fixture.permissions.push('GRANT ALTER TRACE TO [deputies]', ...permissions);
        },
        rds,
      );
      return of(await run(query('server-administrators'), '--fixture', file), 'helper');
    };
    const any = 'GRANT ALTER ANY SERVER ROLE TO [helper]';
    const more = 'GRANT ALTER ANY LOGIN TO [deputies]';
    assert.deepEqual(await by('role-part', any), ['server||part|ALTER ANY SERVER ROLE|']);
    assert.deepEqual(await by('role-full', any, more), ['server||full|ALTER ANY SERVER ROLE|']);
    assert.deepEqual(await by('role-denied', any, more, 'DENY ALTER ANY LOGIN TO [helper]'), [
      'server||part|ALTER ANY SERVER ROLE|',
    ]);
    assert.deepEqual(await by('role-one', 'GRANT ALTER ON SERVER ROLE::[deputies] TO [helper]', more), [
      'server||full|ALTER ON SERVER ROLE::[deputies]|',
    ]);
  });

  test('ownership chains: by the setting of the server too, and not where msdb and master take no part', async () => {
    const limited = (rows: Row[]) => of(rows, 'trusty_limited').filter(line => line.startsWith('server'));
    const everywhere = changed('chains', ({ server }) => {
      server.configurations = { 'cross db ownership chaining': 1 };
    });
    assert.deepEqual(limited(await run(query('database-administrators'), '--fixture', everywhere, '--db', 'trusty')), [
      'server|db_ddladmin|full|db_ddladmin IN DATABASE::[trusty]|',
    ]);
    const apart = changed('apart', ({ databases }) => {
      for (const name of ['master', 'msdb']) Object.assign(databases[name]!, { chaining: 0 });
    });
    const rows = await run(query('database-administrators'), '--fixture', apart, '--db', 'chained');
    assert.deepEqual(
      rows.filter(row => row.scope === 'server'),
      [],
    );
  });

  test('a contained availability group has logins of its own: incomplete, with what to do', async () => {
    const file = changed('contained', ({ server }) => Object.assign(server, { hadr: 1, contained_ag: 1 }));
    const said = async (major: string) =>
      incomplete(await run(query('server-administrators'), '--fixture', file, '--major', major)).map(row => row.detail);
    assert.deepEqual(await said('15'), []);
    assert.deepEqual(await said('16'), [
      'The contained availability group [AG1] has logins of its own, which only its listener shows: put its listener into the inventory',
    ]);
  });

  test('the log-ins of linked servers are told once, in the first row of the server', async () => {
    const file = changed('linked', value => {
      value.linked_servers = { WAREHOUSE: 'sa', 'HR]': 'loader' };
    });
    const rows = await run(query('server-administrators'), '--fixture', file);
    assert.match(
      rows[0]!.detail!,
      /stored log-ins, by which others act at linked servers: 1 to \[HR\]\]\], 1 to \[WAREHOUSE\]$/,
    );
    assert.equal(rows.filter(row => /linked servers/.test(row.detail!)).length, 1);
  });

  test('on Amazon RDS a database that Amazon keeps closed is no fault; every other one has a statement that can be run', async () => {
    const rows = await run(query('databases'), '--fixture', rds, '--login', 'poor_auditor');
    assert.deepEqual(
      rows.map(row => [row.name, row.readable, row.detail]),
      [
        ['master', 'yes', ''],
        ['tempdb', 'yes', ''],
        ['model', 'provider', "The database [model] is Amazon RDS's own and closed to all, the master user included"],
        ['msdb', 'yes', ''],
        [
          'rdsadmin',
          'provider',
          "The database [rdsadmin] is Amazon RDS's own and closed to all, the master user included",
        ],
        ...['shop', 'orders'].map(name => [
          name,
          'no',
          `The login [poor_auditor] may not enter [${name}]: USE [${name}]; CREATE USER [poor_auditor] FOR LOGIN [poor_auditor];`,
        ]),
      ],
    );
    const elsewhere = changed('elsewhere', ({ databases }) => delete databases.rdsadmin, rds);
    const model = (await run(query('databases'), '--fixture', elsewhere, '--login', 'poor_auditor'))[2]!;
    assert.deepEqual([model.name, model.readable], ['model', 'no']);
  });

  test('rights that the newest versions have, a part; a permission of a fixed role that stands twice', async () => {
    const file = changed('newer', ({ permissions, databases }) => {
      permissions.push('GRANT CONNECT ANY DATABASE TO [##MS_DatabaseConnector##]');
      databases.shop!.permissions.push('GRANT ADMINISTER DATABASE BULK OPERATIONS TO [views]');
    });
    const rows = await run(query('database-administrators'), '--fixture', file, '--db', 'shop');
    assert.deepEqual(incomplete(rows), []);
    assert.deepEqual(of(rows, 'views'), ['database:shop||part|ADMINISTER DATABASE BULK OPERATIONS|']);
    // The stand-in does not know DROP ANY EVENT SESSION.
    const renamed = path.join(scratch, 'renamed.sql');
    const text = readQuery('server-administrators');
    const [from, to] = [
      'SELECT class, major_id, grantee_principal_id, permission_name, state\n',
      "N'DROP ANY EVENT SESSION'",
    ];
    assert.ok(text.includes(from));
    const other = `CASE permission_name WHEN N'ALTER TRACE' THEN ${to} ELSE permission_name END`;
    fs.writeFileSync(renamed, text.replace(from, from.replace('permission_name', other)));
    assert.deepEqual(of(await run(renamed, '--fixture', fixture), 'alter_trace'), [
      'server||part|DROP ANY EVENT SESSION|',
    ]);
  });

  for (const name of ['server-administrators', 'database-administrators']) {
    test(`${name}: a view that is refused costs what it holds, and is named`, async () => {
      const parts = readQuery(name).split('BEGIN TRY\n');
      assert.ok(parts.length > 5);
      for (let i = 1; i < parts.length; i++) {
        const file = path.join(scratch, `${name}-${i}.sql`);
        const broken = parts.with(i, `RAISERROR(N'view %d is refused', 16, 1, ${i});\n${parts[i]}`);
        fs.writeFileSync(file, broken.join('BEGIN TRY\n'));
        for (const major of ['11', '17']) {
          const rows = await run(file, '--fixture', rds, '--db', 'shop', '--login', 'rdsa', '--major', major);
          const said = incomplete(rows)
            .map(row => row.detail)
            .join('\n');
          assert.ok(said.includes(`view ${i} is refused`), `${major} ${i}: ${said}`);
        }
      }
    });
  }

  test('a time zone that AT TIME ZONE does not know: the offset of today, as before 2022', async () => {
    const file = changed('zone', ({ server }) => Object.assign(server, { tz_name: 'Nowhere Time' }));
    const rows = await run(query('server-administrators'), '--fixture', file, '--major', '17');
    assert.deepEqual(incomplete(rows), []);
    const sa = rows.find(row => row.principal === 'sa')!;
    assert.deepEqual([sa.created_at, sa.password_changed_at], ['2019-03-02T14:31:15Z', '2019-04-01T14:31:15Z']);
  });

  test('an administrator who is hidden from the auditor is still named, where a fixed role gives it away', async () => {
    const rows = await run(query('server-administrators'), '--fixture', fixture, '--login', 'aud_hidden_login');
    const [hidden] = rows.filter(row => row.principal === 'sys_direct');
    assert.deepEqual([hidden!.granted_through, hidden!.privileges], ['sysadmin', 'sysadmin']);
    assert.match(hidden!.detail!, /hidden from this login/);
    const said = incomplete(rows).map(row => row.detail);
    assert.match(said.join(), /\[control_direct\] is hidden/);
    assert.equal(said.length, 2);
  });

  test('a login that no row mentions is hidden where SUSER_NAME knows its id, whatever the permissions say', async () => {
    // The stand-in mentions everybody whom it hides, so the query is made to read a catalog without one login.
    const file = path.join(scratch, 'unmentioned.sql');
    const text = readQuery('server-administrators')
      .replace('FROM sys.server_principals;', "FROM sys.server_principals WHERE name <> N'shutdown';")
      .replace(
        "state IN ('G', 'W', 'D');",
        "state IN ('G', 'W', 'D') AND SUSER_NAME(grantee_principal_id) <> N'shutdown';",
      );
    fs.writeFileSync(file, text);
    const [said, ...more] = incomplete(await run(file, '--fixture', fixture));
    assert.match(said!.detail!, /The login or role \[shutdown\] is hidden from \[auditor\]/);
    assert.deepEqual(more, []);
  });

  test('a fixed role that the query does not know makes the server incomplete, not short', async () => {
    const file = changed('unknown', value => {
      Object.assign((value as unknown as { server_roles: object }).server_roles, {
        '##MS_ServerPerformanceStateReader##': { members: ['harmless'] },
      });
    });
    assert.deepEqual(incomplete(await run(query('server-administrators'), '--fixture', file)), []);
    const older = path.join(scratch, 'older.sql');
    const text = fs.readFileSync(query('server-administrators'), 'utf8');
    fs.writeFileSync(older, text.replace("NOT LIKE N'##MS[_]%Reader##'", "NOT LIKE N'##MS[_]%[^e]StateReader##'"));
    const details = incomplete(await run(older, '--fixture', file)).map(row => row.detail);
    assert.match(details.join(), /##MS_ServerPerformanceStateReader##.*newer version/);
  });

  test('times are UTC: by the zone where the server tells it, by the offset of today before', async () => {
    // The stand-in's clock stands in November, at UTC-5. sa was made at 09:31:15 of a winter day of its, and its password
    // set at the same hour of a summer day, when the clock was at UTC-4.
    for (const [major, summer] of [
      [15, 0],
      [16, 1],
    ] as const) {
      const rows = await run(query('server-administrators'), '--fixture', fixture, '--major', String(major));
      const sa = rows.find(row => row.principal === 'sa')!;
      assert.equal(sa.created_at, '2019-03-02T14:31:15Z');
      assert.equal(sa.password_changed_at, `2019-04-01T${14 - summer}:31:15Z`);
      const [certificate] = rows.filter(row => row.principal === '##MS_PolicySigningCertificate##');
      assert.equal(certificate!.password_changed_at, '');
    }
  });

  test('states that pass are told: locked out, expired, to be changed', async () => {
    const rows = await run(query('server-administrators'), '--fixture', fixture);
    const of = (name: string) => rows.find(row => row.principal === name)!;
    assert.deepEqual([of('sys_locked').enabled, of('sys_locked').detail], ['no', 'locked out']);
    assert.match(of('sys_expired').detail!, /expired.*must change/);
    assert.equal(of('sys_disabled').detail, 'disabled');
    assert.equal(of('control_denied_connect').detail, 'denied to connect');
  });

  test('what server it is, and one that is another product is refused in words', async () => {
    const [one] = await run(query('server'), '--fixture', fixture, '--major', '11');
    assert.deepEqual(
      [one!.engine, one!.engine_version, one!.server_name, one!.refused],
      ['mssql', '11.0.7507.2', 'FIXTURE', ''],
    );
    const azure = changed('azure', ({ server }) => Object.assign(server, { engine_edition: 5, edition: 'SQL Azure' }));
    const [other] = await run(query('server'), '--fixture', azure);
    assert.match(other!.refused!, /this is SQL Azure, not SQL Server/);
  });

  describe('through the whole product', () => {
    /** Serves a fixture over TDS, runs `cli.ts --local` on it and gives the report's rows. */
    async function report(file: string, { login = 'auditor', major = 16, collation = '' } = {}) {
      const options = ['--fixture', file, '--major', String(major), ...(collation ? ['--collation', collation] : [])];
      const server = spawn('python3', [path.join(standin!, 'catalog.py'), 'serve', ...options], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const out = fs.mkdtempSync(path.join(scratch, 'report-'));
      try {
        const [line] = (await once(createInterface(server.stdout!), 'line')) as [string];
        const [port, certificate] = line.split(/ (.*)/s) as [string, string];
        const inventory = path.join(out, 'inventory.json');
        const database = { id: 'fixture', account: '111122223333', region: 'us-east-1', engine: 'mssql' };
        const where = { host: '127.0.0.1', port: Number(port), credentials: 'env:MSSQL_FIXTURE' };
        fs.writeFileSync(inventory, JSON.stringify({ databases: [{ ...database, ...where }] }));
        const ca = fs.readFileSync(certificate, 'utf8');
        const credential = JSON.stringify({ username: login, password: 'Fx-1!fixture', ca });
        const { code, stdout, stderr } = await runCli(['--local', '--inventory', inventory, '--out', out, '--json'], {
          env: { ...process.env, MSSQL_FIXTURE: credential },
        });
        assert.ok(code === 0 || code === 3, `exit ${code}: ${stderr}`);
        const rows = await readReport(fs.readFileSync(JSON.parse(stdout).report));
        return { code, rows: rows.map(withoutMarks) };
      } finally {
        server.kill();
        await once(server, 'close');
      }
    }

    /** What the report makes of the expected rows: the same scope, principal and chain is one row, and `full` wins. */
    const merged = (rows: Expected[], major: number) => {
      const extents = new Map<string, string>();
      for (const row of rows.filter(row => since(row) <= major)) {
        const [scope, principal, extent, , , chain, , owner, type] = row as string[];
        const place = JSON.stringify([scope, principal, type, chain, owner]);
        if (extents.get(place) !== 'full') extents.set(place, extent!);
      }
      return [...extents].map(pair => pair.join(' ')).sort();
    };

    for (const [major, collation] of [
      [11, ''],
      [17, caseSensitive],
    ] as const) {
      test(`version ${major}: the report has every administrator and names every database that was not read`, async () => {
        const { code, rows } = await report(fixture, { major, collation });
        const admins = rows.filter(row => row.result === 'admin');
        const place = ({ scope, principal, principal_type, granted_through, owner }: Row) =>
          JSON.stringify([scope, principal, principal_type, granted_through, owner]);
        assert.deepEqual(admins.map(row => `${place(row)} ${row.extent}`).sort(), merged(expected.fixture, major));
        assert.equal(code, 3);
        assert.deepEqual(
          rows
            .filter(row => row.result === 'incomplete')
            .map(row => row.scope)
            .sort(),
          ['offline', 'pending', 'replica', 'restoring', 'single', 'suspect'].map(name => `database:${name}`),
        );
        assert.equal(new Set(rows.map(row => row.engine_version)).size, 1);
      });
    }

    test('Amazon RDS: the databases that Amazon keeps closed are told, and the report is whole', async () => {
      const { code, rows } = await report(rds, { major: 15 });
      assert.equal(code, 0, JSON.stringify(rows.filter(row => row.result !== 'admin')));
      const told = rows.filter(row => row.scope === 'server' && /closed to all/.test(row.detail!));
      assert.equal(told.length, 1);
      assert.match(
        told[0]!.detail!,
        /\[model\] is Amazon RDS's own and closed.*\[rdsadmin\] is Amazon RDS's own and closed/,
      );
      const master = rows.filter(row => row.scope === 'server' && row.principal === 'admin' && !row.granted_through);
      assert.deepEqual(
        master.map(row => [row.extent, row.owner, row.detail!.match(/owner of \d+ databases?/)?.[0]]),
        [['full', '', 'owner of 1 database']],
      );
    });

    test('a hundred databases over one connection', async () => {
      const file = changed('many', ({ databases }) => {
        for (const name of ['offline', 'restoring', 'suspect', 'pending', 'single', 'replica']) delete databases[name];
        for (let i = 0; i < 100; i++) {
          databases[`tenant ${i}`] = {
            ...databases.restored!,
            users: [
              ['auditor', 'auditor', {}],
              ['multi', 'multi', {}],
            ],
          };
        }
      });
      const { code, rows } = await report(file);
      assert.equal(code, 0);
      assert.equal(
        rows.filter(row => row.scope!.startsWith('database:tenant') && row.principal === 'multi').length,
        100,
      );
    });
  });
});
