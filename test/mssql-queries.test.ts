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
  databases: Record<string, { users?: [string, string | null, Record<string, unknown>][] }>;
};
/** scope, principal, principal_type, granted_through, privileges, can_grant, enabled, authentication, since */
type Expected = [string, string, string, string, string, string, string, string, number?];

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

async function administrators(...options: string[]): Promise<Row[]> {
  return (
    await Promise.all([
      run(query('server-administrators'), ...options),
      run(query('database-administrators'), '--each-db', ...options),
    ])
  ).flat();
}

const columns = [
  'scope',
  'principal',
  'principal_type',
  'granted_through',
  'privileges',
  'can_grant',
  'enabled',
  'authentication',
];
const lines = (rows: Row[]) =>
  rows
    .filter(row => row.result === 'admin')
    .map(row => JSON.stringify(columns.map(column => row[column])))
    .sort();
const wanted = (rows: Expected[], major: number) =>
  rows
    .filter(([, , , , , , , , since = 0]) => since <= major)
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
      assert.match(detail('NT AUTHORITY\\SYSTEM'), /Windows itself.*Amazon/);
      assert.match(detail('NT SERVICE\\SQLWriter'), /service.*Amazon/);
      assert.match(detail('rdsa_built_in'), /built-in sa/);
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
    [
      'aud_nothing',
      16,
      /GRANT VIEW ANY SECURITY DEFINITION TO \[aud_nothing\]/,
      ['shop'],
      /VIEW ANY SECURITY DEFINITION/,
    ],
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

  test('an administrator who is hidden from the auditor is still named, where a fixed role gives it away', async () => {
    const rows = await run(query('server-administrators'), '--fixture', fixture, '--login', 'aud_hidden_login');
    const [hidden] = rows.filter(row => row.principal === 'sys_direct');
    assert.deepEqual([hidden!.granted_through, hidden!.privileges], ['sysadmin', 'sysadmin']);
    assert.match(hidden!.detail!, /hidden from this login/);
    assert.match(
      incomplete(rows)
        .map(row => row.detail)
        .join(),
      /\[control_direct\] is hidden/,
    );
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

    /** What the report makes of the expected rows: the same scope, principal and chain is one row. */
    const places = (rows: Expected[], major: number) => [
      ...new Set(
        rows
          .filter(([, , , , , , , , since = 0]) => since <= major)
          .map(([scope, principal, type, chain]) => JSON.stringify([scope, principal, type, chain])),
      ),
    ];

    for (const [major, collation] of [
      [11, ''],
      [17, caseSensitive],
    ] as const) {
      test(`version ${major}: the report has every administrator and names every database that was not read`, async () => {
        const { code, rows } = await report(fixture, { major, collation });
        const admins = rows.filter(row => row.result === 'admin');
        assert.deepEqual(
          admins.map(row => JSON.stringify([row.scope, row.principal, row.principal_type, row.granted_through])).sort(),
          places(expected.fixture, major).sort(),
        );
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

    test('hundreds of databases over one connection', async () => {
      const file = changed('many', ({ databases }) => {
        for (const name of ['offline', 'restoring', 'suspect', 'pending', 'single', 'replica']) delete databases[name];
        for (let i = 0; i < 200; i++) {
          databases[`tenant ${i}`] = {
            ...databases.restored,
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
        200,
      );
    });
  });
});
