/**
 * Ways of being, or not being, an administrator: set up on a real server, reported by the real command, and backed by
 * logging in as the account and doing an administrative act, or being refused it.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { RowDataPacket } from 'mysql2';
import { readReport, root, runCli, withoutMarks } from './command.ts';
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
    const { stdout, stderr } = await runCli(['--local', '--inventory', inventory, '--out', folder, '--quiet'], {
      env: { ...process.env, AUDITOR: credential },
    });
    const file = (await readdir(folder)).find(name => name.endsWith('.csv'));
    assert.ok(file, stdout + stderr);
    return (await readReport(await readFile(path.join(folder, file)))).map(withoutMarks);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The text of a file of queries/. */
export const queryText = (file: string) => readFile(path.join(root, 'queries', file), 'utf8');

/** What a file of queries/ answers the auditor, who logs in anew. */
export async function ask(server: Server, file: string): Promise<Record<string, string>[]> {
  const connection = await server.connect('auditor', password, { charset: 'UTF8MB4_BIN' });
  const [answer] = await connection.query<RowDataPacket[]>(await queryText(file));
  await connection.end();
  return answer.map(row => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? ''])));
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

// ── cases that are the same on MySQL and MariaDB ────────────────────────────────────────────────────────────────────────

export const pattern = (name: string) => `${name} is a pattern of schema names`;
export const matching = (name: string) => `${pattern(name)}, which mysql matches`;
export const moreHosts = 'granted to the same user from more hosts, which holds for this one too';
export const takeOver = "ALTER USER victim@'%' IDENTIFIED BY 'x'";
export const setPassword = `ALTER USER victim@'%' IDENTIFIED BY '${password}'`;

const grantsTo = (name: string, grants: string[]) =>
  grants.map(grant => (/^(GRANT|REVOKE) /.test(grant) ? grant : `GRANT ${grant} TO ${account(name)}`));

/** One privilege on *.*, and a statement that needs it. */
export const holder = (privilege: string, name: string, statement: string, more: Partial<Line> = {}): Case => ({
  what: `${privilege} on *.*`,
  accounts: [name],
  setup: grantsTo(name, [`${privilege} ON *.*`]),
  lines: [{ principal: `${name}@%`, privileges: privilege, ...more }],
  acts: [
    { as: name, run: [statement], ends: 'ok' },
    { as: 'powerless', run: [statement], ends: refused },
  ],
});

/** Grants that make nobody an administrator, and an administrator's statement that is refused. */
export const harmless = (what: string, name: string, grants: string[], tries: string, ends = refused): Case => ({
  what,
  accounts: [name],
  setup: grantsTo(name, grants),
  lines: [],
  acts: [{ as: name, run: [tries], ends }],
});

/** Grants on schemas and tables, and what they let their holder do. */
export const inMysql = (
  what: string,
  name: string,
  grants: string[],
  privileges: string,
  acts: string[],
  more: Partial<Line> = {},
): Case => ({
  what,
  accounts: [name],
  setup: grantsTo(name, grants),
  lines: [{ principal: `${name}@%`, privileges, ...more }],
  acts: acts.map(act => ({ as: name, run: [act], ends: 'ok' })),
});

export const onBoth: Record<'globalPrivileges' | 'notAdministrators' | 'systemSchema' | 'schemas', Case[]> = {
  globalPrivileges: [
    holder('CREATE USER', 'g_create_user', setPassword),
    holder('RELOAD', 'g_reload', 'FLUSH LOGS'),
    holder('FILE', 'g_file', "SELECT 'x' INTO OUTFILE '{files}/out'"),
    holder('INSERT', 'g_insert', 'CREATE USER made_by_insert'),
    holder('UPDATE', 'g_update', setPassword),
    holder('DELETE', 'g_delete', 'DELETE FROM mysql.scratch'),
    holder('CREATE', 'g_create', 'CREATE TABLE mysql.made_by_create (id INT)'),
    holder('ALTER', 'g_alter', "ALTER TABLE mysql.scratch2 COMMENT = 'altered'"),
    holder('DROP', 'g_drop', 'DROP TABLE mysql.scratch3'),
    {
      what: 'GRANT OPTION on *.* gives away what it holds',
      accounts: ['g_grant'],
      setup: ["GRANT PROCESS ON *.* TO g_grant@'%' WITH GRANT OPTION"],
      lines: [{ principal: 'g_grant@%', privileges: 'GRANT OPTION', can_grant: 'yes' }],
      acts: [{ as: 'g_grant', run: ["GRANT PROCESS ON *.* TO victim@'%'"], ends: 'ok' }],
    },
  ],
  notAdministrators: [
    harmless('SELECT on *.*', 'n_select', ['SELECT ON *.*'], takeOver),
    harmless('SELECT on mysql.*', 'n_select_mysql', ['SELECT ON mysql.*'], takeOver),
    harmless(
      'an application: its data, no more',
      'n_application',
      ['SELECT, INSERT, UPDATE, DELETE ON shop.*'],
      'DROP TABLE shop.orders',
    ),
    harmless(
      'all of a schema but one privilege',
      'n_all_but_one',
      ['ALL ON shop.*', "REVOKE EVENT ON shop.* FROM n_all_but_one@'%'"],
      "GRANT SELECT ON shop.* TO victim@'%'",
    ),
    harmless(
      'a pattern with an escape, that does not match mysql',
      'n_escaped',
      ['INSERT, UPDATE, DELETE ON `my\\_%`.*'],
      takeOver,
    ),
    harmless(
      'a schema whose name only looks like mysql',
      'n_like',
      ['INSERT, UPDATE, DELETE ON `MYSQL`.*', 'UPDATE ON `mysql2`.*'],
      takeOver,
    ),
  ],
  systemSchema: [
    inMysql('INSERT on mysql.* makes accounts', 'm_insert', ['INSERT ON mysql.*'], 'INSERT ON mysql.*', [
      'CREATE USER made_by_m_insert',
    ]),
    inMysql('UPDATE on mysql.* sets passwords', 'm_update', ['UPDATE ON mysql.*'], 'UPDATE ON mysql.*', [setPassword]),
    inMysql('DELETE on mysql.*', 'm_delete', ['DELETE ON mysql.*'], 'DELETE ON mysql.*', ['DELETE FROM mysql.scratch']),
    inMysql(
      'CREATE, ALTER, DROP on mysql.*',
      'm_ddl',
      ['CREATE, ALTER, DROP ON mysql.*'],
      'ALTER ON mysql.*; CREATE ON mysql.*; DROP ON mysql.*',
      ['CREATE TABLE mysql.made_by_ddl (id INT)', 'DROP TABLE mysql.made_by_ddl'],
    ),
    inMysql(
      'ALL on mysql.* with grant option',
      'm_all',
      ["GRANT ALL ON mysql.* TO m_all@'%' WITH GRANT OPTION"],
      'ALTER ON mysql.*; CREATE ON mysql.*; DELETE ON mysql.*; DROP ON mysql.*; GRANT OPTION ON mysql.*; INSERT ON mysql.*; UPDATE ON mysql.*',
      ["GRANT INSERT ON mysql.* TO victim@'%'", "REVOKE INSERT ON mysql.* FROM victim@'%'"],
      { can_grant: 'yes' },
    ),
    inMysql(
      'reading mysql.* with grant option: of that schema only',
      'm_grant',
      ["GRANT SELECT ON mysql.* TO m_grant@'%' WITH GRANT OPTION"],
      'GRANT OPTION ON mysql.*',
      ["GRANT SELECT ON mysql.* TO victim@'%'"],
      { scope: 'database:mysql', can_grant: 'yes' },
    ),
    inMysql('write on mysql.db', 't_db', ['INSERT ON mysql.db'], 'INSERT ON mysql.db', [
      "INSERT INTO mysql.db (Host, Db, User) VALUES ('nowhere', 'x', 'made_by_table')",
    ]),
    inMysql(
      'DROP and ALTER on one table',
      't_drop',
      ['DROP, ALTER ON mysql.servers'],
      'ALTER ON mysql.servers; DROP ON mysql.servers',
      ["ALTER TABLE mysql.servers COMMENT = 'altered'"],
    ),
    inMysql('the pattern %', 'p_all', ['INSERT ON `%`.*'], 'INSERT ON %.*', ['CREATE USER made_by_p_all'], {
      detail: matching('%'),
    }),
    inMysql('the pattern m%', 'p_m', ['UPDATE ON `m%`.*'], 'UPDATE ON m%.*', [setPassword], { detail: matching('m%') }),
    inMysql('the pattern _ysql', 'p_one', ['DELETE ON `_ysql`.*'], 'DELETE ON _ysql.*', ['DELETE FROM mysql.scratch'], {
      detail: matching('_ysql'),
    }),
    inMysql(
      'everything on the pattern m%: of the server, and so of each schema',
      'p_everything',
      ['ALL ON `m%`.*'],
      'ALTER ON m%.*; CREATE ON m%.*; DELETE ON m%.*; DROP ON m%.*; INSERT ON m%.*; UPDATE ON m%.*',
      ['CREATE USER made_by_p_everything'],
      { detail: matching('m%') },
    ),
    {
      what: 'everything on %, but mysql itself is named for reading: the name wins',
      accounts: ['p_shadowed'],
      setup: ["GRANT ALL ON `%`.* TO p_shadowed@'%'", "GRANT SELECT ON mysql.* TO p_shadowed@'%'"],
      lines: [
        { scope: 'database:%', principal: 'p_shadowed@%', privileges: 'ALL PRIVILEGES ON %.*', detail: pattern('%') },
      ],
      acts: [
        { as: 'p_shadowed', run: ['CREATE USER made_by_p_shadowed'], ends: refused },
        { as: 'p_shadowed', run: ['CREATE TABLE shop.made_by_p_shadowed (id INT)'], ends: 'ok' },
      ],
    },
    {
      what: "a schema grant for every host holds for the same user's account at one host",
      accounts: ['s_wide', 's_wide@localhost'],
      setup: ["GRANT UPDATE ON mysql.* TO s_wide@'%'"],
      lines: [
        { principal: 's_wide@%', privileges: 'UPDATE ON mysql.*' },
        { principal: 's_wide@localhost', through: 's_wide@%', privileges: 'UPDATE ON mysql.*', detail: moreHosts },
      ],
      acts: [{ as: 's_wide', run: [setPassword], ends: 'ok' }],
    },
    {
      what: 'unless that has a grant of its own, which is nearer',
      accounts: ['s_nearer', 's_nearer@localhost'],
      setup: ["GRANT UPDATE ON mysql.* TO s_nearer@'%'", 'GRANT SELECT ON mysql.* TO s_nearer@localhost'],
      lines: [{ principal: 's_nearer@%', privileges: 'UPDATE ON mysql.*' }],
      acts: [{ as: 's_nearer', run: [takeOver], ends: refused }],
    },
    {
      what: 'and never the other way round',
      accounts: ['s_narrow', 's_narrow@10.%'],
      setup: ["GRANT UPDATE ON mysql.* TO s_narrow@'10.%'"],
      lines: [{ principal: 's_narrow@10.%', privileges: 'UPDATE ON mysql.*' }],
      acts: [{ as: 's_narrow', run: [takeOver], ends: refused }],
    },
    {
      what: 'tables likewise',
      accounts: ['s_table', 's_table@localhost', 's_table_own', 's_table_own@localhost'],
      setup: [
        "GRANT INSERT ON mysql.db TO s_table@'%'",
        "GRANT INSERT ON mysql.db TO s_table_own@'%'",
        'GRANT SELECT ON mysql.db TO s_table_own@localhost',
      ],
      lines: [
        { principal: 's_table@%', privileges: 'INSERT ON mysql.db' },
        { principal: 's_table@localhost', through: 's_table@%', privileges: 'INSERT ON mysql.db', detail: moreHosts },
        { principal: 's_table_own@%', privileges: 'INSERT ON mysql.db' },
      ],
      acts: [
        { as: 's_table', run: ["INSERT INTO mysql.db (Host, Db, User) VALUES ('nowhere', 'y', 'x')"], ends: 'ok' },
        {
          as: 's_table_own',
          run: ["INSERT INTO mysql.db (Host, Db, User) VALUES ('nowhere', 'z', 'x')"],
          ends: refused,
        },
      ],
    },
  ],
  schemas: [
    inMysql(
      'ALL on a schema',
      'd_all',
      ['ALL ON shop.*'],
      'ALL PRIVILEGES ON shop.*',
      ['CREATE TABLE shop.made_by_d_all (id INT)'],
      { scope: 'database:shop' },
    ),
    inMysql(
      'reading a schema with grant option',
      'd_grant',
      ["GRANT SELECT ON shop.* TO d_grant@'%' WITH GRANT OPTION"],
      'GRANT OPTION ON shop.*',
      ["GRANT SELECT ON shop.* TO victim@'%'"],
      { scope: 'database:shop', can_grant: 'yes' },
    ),
    inMysql(
      'ALL with grant option on a schema with an escaped name',
      'd_escaped',
      ["GRANT ALL ON `my\\_shop`.* TO d_escaped@'%' WITH GRANT OPTION"],
      'ALL PRIVILEGES ON my_shop.*; GRANT OPTION ON my_shop.*',
      ["GRANT SELECT ON `my\\_shop`.* TO victim@'%'", 'CREATE TABLE my_shop.made (id INT)'],
      { scope: 'database:my_shop', can_grant: 'yes' },
    ),
    inMysql(
      'ALL on a schema whose name was not escaped',
      'd_pattern',
      ['ALL ON `my_shop`.*'],
      'ALL PRIVILEGES ON my_shop.*',
      ['CREATE TABLE my_shop.made_too (id INT)'],
      {
        scope: 'database:my_shop',
        detail: pattern('my_shop'),
      },
    ),
    inMysql(
      'ALL on a schema named as text can be',
      'd_odd',
      ['ALL ON `od|d "\'`.*'],
      'ALL PRIVILEGES ON od|d "\'.*',
      ['CREATE DATABASE `od|d "\'`'],
      {
        scope: 'database:od|d "\'',
      },
    ),
  ],
};
