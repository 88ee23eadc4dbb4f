/**
 * Ways of being, or not being, an administrator: set up on a real server, reported by the real command, and backed by
 * logging in as the account and doing an administrative act, or being refused it.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2';
import { readReport, root, runCli, withoutMarks } from './command.ts';
import { random } from './fault-servers.ts';
import type { Options, Row, Server } from './servers.ts';

export const password = 'Of-every-account-0';

/** Columns of the report, as far as they are compared: all but those of the run and the server, and the times. */
export type Line = {
  scope?: string;
  principal: string;
  type?: string;
  extent?: string;
  through?: string;
  privileges: string;
  can_grant?: string;
  owner?: string;
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
  // What some servers let a right do: SUPER up to MariaDB 10.11, and FILE where triggers are files (the tests' servers write there).
  const [, major] = /^(\d+)\..*MariaDB/.exec(server.version) ?? [];
  for (const right of ['SUPER', 'PROXY ON g_super@%', 'PROXY ON w_static@%'])
    partial[Number(major) >= 11 ? 'add' : 'delete'](right);
  partial[major ? 'delete' : 'add']('FILE');
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
  const connection = await server.connect('auditor', password);
  try {
    return await answerOf(server, file, async sql => (await connection.query<RowDataPacket[]>(sql))[0]);
  } finally {
    connection.destroy();
  }
}

/** The settings of a session as one statement, as the worker sends them. */
export function joinSettings(text: string): string {
  const statements = text.replace(/^\s*--.*$/gm, '').split(';');
  return `SET ${statements.flatMap(each => each.trim().replace(/^SET /, '') || []).join(', ')}`;
}

/** What a file of queries/ answers in a session that was set up as the worker does it. */
export async function answerOf(server: Server, file: string, query: (sql: string) => Promise<Row[]>, explain = '') {
  await query(joinSettings(await queryText(`${server.engine}-session.sql`)));
  const answer = await query(explain + (await queryText(file)).replace(/^--.*\n/gm, ''));
  return answer.map(row => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? ''])));
}

/** A row of the report, or an expected one, as one line of text. */
const shown = (line: Required<Line>) =>
  [
    line.scope,
    line.principal,
    line.type,
    line.extent,
    line.through,
    line.privileges,
    `can_grant=${line.can_grant}`,
    `enabled=${line.enabled}`,
    line.owner,
    line.authentication,
    line.detail,
  ].join(' | ');

export const reported = (rows: Record<string, string>[]) =>
  rows.map(row => shown({ ...row, type: row.principal_type, through: row.granted_through } as Required<Line>)).sort();

/** Rights that reach a part only, wherever they are held; one other makes a row `full`. A case may say its own extent. */
export const partial = new Set([
  ...[
    'CREATE',
    'CREATE TABLESPACE',
    'DELETE',
    'DROP',
    'DROP ROLE',
    'FILE',
    'INDEX',
    'RELOAD',
    'SHUTDOWN',
    'GRANT OPTION ON',
  ],
  ...['BACKUP_ADMIN', 'CLONE_ADMIN', 'CONNECTION_ADMIN', 'ENCRYPTION_KEY_ADMIN', 'INNODB_REDO_LOG_ENABLE'],
  ...['RESOURCE_GROUP_ADMIN', 'SESSION_VARIABLES_ADMIN'],
  ...['BINLOG ADMIN', 'FEDERATED ADMIN', 'READ_ONLY ADMIN', 'REPLICATION MASTER ADMIN'],
]);
const extentOf = ({ privileges }: Line) =>
  privileges
    .split('; ')
    .every(
      right =>
        partial.has(right) || partial.has(right.replace(/( \(.*\))? ON .*/, '')) || /^GRANT OPTION ON /.test(right),
    )
    ? 'part'
    : 'full';

export const expected = (lines: Line[], plugin: string) =>
  lines
    .map(line =>
      shown({
        scope: 'server',
        type: 'user',
        extent: extentOf(line),
        through: '',
        can_grant: 'no',
        owner: '',
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

/**
 * Under each setting of the server the auditor, for whom init_connect runs as for everybody without SUPER, gets the same
 * rows; where the server refuses instead, its words name the setting.
 */
export async function sameUnder(server: Server, file: string, settings: [name: string, value: string | number][]) {
  const answer = reported(await ask(server, file));
  const differing: string[] = [];
  for (const [name, value] of settings) {
    await server.query(`SET GLOBAL ${name} = ?`, [value]);
    try {
      assert.deepEqual(reported(await ask(server, file)), answer);
    } catch (error) {
      const { message } = error as Error;
      if (!message.includes(name)) differing.push(`${name} = ${value}: ${message.slice(0, 600)}`);
    } finally {
      await server.query(`SET GLOBAL ${name} = DEFAULT`);
    }
  }
  assert.deepEqual(differing, []);
}

/** A role of the dense layers, as the report names it; and the chain of those of side a, from the first level down to the last. */
const knot = (server: Server, level: number, side: 'a' | 'b') =>
  `knot_${level}_${side}${server.engine === 'mysql' ? '@%' : ''}`;
const knots = (server: Server, first: number, last: number) =>
  Array.from({ length: first - last + 1 }, (_, i) => knot(server, first - i, 'a')).join(' > ');

/** Roles in dense layers, where the first holds a right: one row for each that gets it. Gives the whole report. */
export async function denseLayers(server: Server) {
  for (let level = 0; level < 18; level++) {
    for (const side of ['a', 'b']) await server.query(`CREATE ROLE knot_${level}_${side}`);
    if (level === 0) continue;
    for (const side of ['a', 'b'])
      await server.query(`GRANT knot_${level - 1}_${side} TO knot_${level}_a, knot_${level}_b`);
  }
  await server.query('GRANT SUPER ON *.* TO knot_0_a');
  const rows = await report(server);
  const found = rows.filter(row => row.principal!.startsWith('knot_'));
  assert.equal(found.length, 35);
  const last = found.find(row => row.principal === knot(server, 17, 'b'))!;
  assert.deepEqual([last.granted_through, last.detail], [knots(server, 16, 0), noMore(knot(server, 16, 'b'))]);
  assert.ok(rows.every(row => row.result === 'admin'));
  return rows;
}

/** The dense layers, where each role holds the same: of those the nearest is enough; one that holds more adds its chain. */
export async function denseLayersOfTheSame(server: Server) {
  for (let level = 0; level < 17; level++) await server.query(`GRANT SUPER ON *.* TO knot_${level}_a, knot_${level}_b`);
  await server.query('GRANT SUPER ON *.* TO knot_17_b');
  await server.query('GRANT CREATE USER ON *.* TO knot_5_b');
  const held = (await report(server)).filter(row => row.principal === knot(server, 17, 'b'));
  assert.deepEqual(
    held.map(row => [row.granted_through, row.privileges]),
    [
      ['', 'SUPER'],
      [`${knots(server, 16, 6)} > ${knot(server, 5, 'b')}`, 'CREATE USER; SUPER'],
    ],
  );
}

/** Which of these rights an account has by the server's own word; MariaDB has one role active at a time. */
async function toldBy(server: Server, user: string, rights: string[]): Promise<string[]> {
  const connection = await server.connect(user, password);
  const ask = async (sql: string) => (await connection.query<RowDataPacket[]>(sql))[0].map(row => Object.values(row));
  const roles =
    server.engine === 'mysql'
      ? ['ALL']
      : (await ask('SELECT ROLE_NAME FROM information_schema.APPLICABLE_ROLES')).flat();
  const found = new Set<string>();
  for (const role of ['NONE', ...new Set<string>(roles)]) {
    await connection.query(`SET ROLE ${role}`).catch(error => {
      if (error.errno !== 1959) throw error; // reached through another role or PUBLIC: not to be activated by itself
    });
    for (const [line] of await ask('SHOW GRANTS')) {
      const [, list = ''] = /^GRANT (.*?) ON \*\.\* TO/.exec(line) ?? [];
      for (const right of list.split(/, ?/)) if (rights.includes(right)) found.add(right);
    }
  }
  await connection.end();
  return [...found].sort();
}

/**
 * Roles, accounts and grants at random, the same in each run. What the report says of each account must be what the server
 * says to that account itself (SHOW GRANTS), whichever of its roles it activates.
 */
export async function worlds(start: (options: Options) => Promise<Server>, more: string[]) {
  const count = 40;
  const rights = ['SUPER', 'CREATE USER', 'FILE', 'RELOAD', 'SHUTDOWN', ...more];
  const next = random(1);
  const below = (limit: number) => (next() >>> 8) % limit;
  const one = (list: string[]) => list[below(list.length)]!;
  const each = (most: number, make: (i: number) => string) =>
    Array.from({ length: below(most + 1) }, (_, i) => make(i));
  const server = await start({});
  const isMysql = server.engine === 'mysql';
  let administrators = 0;
  try {
    for (let world = 0; world < count; world++) {
      const roles = ['w_role', ...each(6, i => `w_role${i}`)];
      const users = ['w_user', ...each(4, i => `w_user${i}`)];
      const everybody = one(isMysql && below(4) === 0 ? users : roles);
      const made = [
        ...roles.map(role => `CREATE ROLE ${role}`),
        ...users.map(user => `CREATE USER ${user} IDENTIFIED BY '${password}'`),
        ...each(5, () => `GRANT ${one(rights)} ON *.* TO ${one(roles)}`),
        ...each(3, () => `GRANT ${one(rights)} ON *.* TO ${one(users)}`),
        ...each(12, () => `GRANT ${one(roles)} TO ${one(roles)}${below(4) ? '' : ' WITH ADMIN OPTION'}`),
        ...each(6, () => `GRANT ${one(roles)} TO ${one(users)}`),
        ...(isMysql ? each(2, () => `GRANT ${one(users)} TO ${one([...roles, ...users])}`) : []),
        ...each(1, () => (isMysql ? `SET GLOBAL mandatory_roles = '${everybody}'` : `GRANT ${everybody} TO PUBLIC`)),
      ];
      for (const statement of made) {
        await server.query(statement).catch(error => {
          if (![1961, 4027].includes(error.errno)) throw error; // a role in a circle
        });
      }
      const rows = await answerOf(server, `${server.engine}-administrators.sql`, sql => server.query(sql));
      for (const user of users) {
        const said = rows.filter(row => row.principal === `${user}@%`).flatMap(row => row.privileges!.split('; '));
        const expected = await toldBy(server, user, rights);
        const what = `world ${world}, ${user}: ${made.join('; ')}`;
        assert.deepEqual([...new Set(said.filter(right => rights.includes(right)))].sort(), expected, what);
        if (expected.length > 0) administrators++;
      }
      if (isMysql) await server.query("SET GLOBAL mandatory_roles = ''");
      await server.query(`DROP USER ${users.join()}`);
      await server.query(`DROP ROLE ${roles.join()}`);
    }
  } finally {
    await server.stop();
  }
  assert.ok(administrators > count, `${administrators} administrators in ${count} worlds`);
}

/** Many accounts, each with grants of its own and two of the roles, at more hosts than one; written into the tables at once. */
export async function crowd(server: Server, accounts: number, roles: number) {
  const rows = (count: number, line: (i: number) => unknown[]) => Array.from({ length: count }, (_, i) => line(i + 1));
  const insert = async (table: string, columns: string, values: unknown[][]) => {
    const names = columns.split(',').length;
    for (let i = 0; i < values.length; i += 500) {
      const some = values.slice(i, i + 500);
      const marks = some.map(() => `(${Array(names).fill('?').join(',')})`).join(',');
      await server.query(`INSERT IGNORE INTO mysql.${table} (${columns}) VALUES ${marks}`, some.flat());
    }
  };
  const mysql = server.engine === 'mysql';
  const roleHost = mysql ? '%' : '';
  const host = (i: number) => (i % 10 ? '%' : 'localhost');
  const holds = (role: number) => role % 5 < 2; // the other roles hold nothing themselves
  if (mysql) {
    const columns =
      'User,Host,ssl_cipher,x509_issuer,x509_subject,account_locked,password_expired,Create_user_priv,Select_priv';
    const user = (name: string, at: string, locked: string, power: boolean, reads = true) => [
      ...[name, at, '', '', '', locked, locked],
      ...[power ? 'Y' : 'N', reads ? 'Y' : 'N'],
    ];
    await insert(
      'user',
      columns,
      rows(accounts, i => user(`u${Math.ceil(i / 2)}`, host(i), 'N', i % 50 === 0)),
    );
    await insert(
      'user',
      columns,
      rows(roles, i => user(`role${i}`, '%', 'Y', i % 5 === 0, holds(i))),
    );
  } else {
    const priv = (power: boolean, more: object) => JSON.stringify({ access: power ? 33554432 : 1, ...more });
    const none = (i: number) => (holds(i) ? {} : { access: 0 });
    await insert('global_priv', 'User,Host,Priv', [
      ...rows(accounts, i => [`u${Math.ceil(i / 2)}`, host(i), priv(i % 50 === 0, { version_id: 101100 })]),
      ...rows(roles, i => [`role${i}`, '', priv(i % 5 === 0, { version_id: 101100, is_role: true, ...none(i) })]),
    ]);
  }
  const [table, columns] = mysql
    ? ['role_edges', 'FROM_USER,FROM_HOST,TO_USER,TO_HOST']
    : ['roles_mapping', 'Role,User,Host'];
  const edge = (role: number, name: string, at: string) =>
    mysql ? [`role${role}`, '%', name, at] : [`role${role}`, name, at];
  for (const step of [1, 7]) {
    await insert(
      table!,
      columns!,
      rows(accounts, i => edge(1 + ((i * step) % roles), `u${Math.ceil(i / 2)}`, host(i))),
    );
  }
  await insert(
    table!,
    columns!,
    rows(roles / 2, i => edge(i, `role${i * 2}`, roleHost)),
  );
  const grant = 'Select_priv,Insert_priv,Update_priv,Grant_priv';
  await insert('db', `User,Host,Db,${grant}`, [
    ...rows(accounts, i => [`u${Math.ceil(i / 2)}`, host(i), `app${i}`, 'Y', 'Y', 'Y', i % 10 ? 'N' : 'Y']),
    ...rows(roles, i => [`role${i}`, roleHost, `app${i}`, 'Y', 'Y', 'Y', 'N']).filter((_, i) => holds(i + 1)),
  ]);
  await server.query('FLUSH PRIVILEGES');
}

/** Who may make the server a replica makes it one of a source of their own, where an administrator is then made. */
export async function rulesByReplication(
  start: (options: Options) => Promise<Server>,
  right: string,
  follow: (port: number, log: string, position: number) => string[],
) {
  const source = await start({ arguments: ['--log-bin=source', '--server-id=2'] });
  const server = await start({});
  try {
    await source.query(`CREATE USER feed IDENTIFIED BY '${password}'`);
    await source.query('GRANT REPLICATION SLAVE ON *.* TO feed');
    const [at] = await source.query(source.engine === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
    await server.query(`CREATE USER holder IDENTIFIED BY '${password}'`);
    await server.query(`GRANT ${right} ON *.* TO holder`);
    await perform(server, { as: 'holder', run: follow(source.port, at!.File, at!.Position), ends: 'ok' });
    await source.query(`CREATE USER ruler IDENTIFIED BY '${password}'`);
    await source.query('GRANT ALL ON *.* TO ruler WITH GRANT OPTION');
    for (
      let tries = 0;
      tries < 100 && !(await server.query("SELECT 1 FROM mysql.user WHERE User = 'ruler'")).length;
      tries++
    )
      await setTimeout(100);
    await setTimeout(500);
    await perform(server, { as: 'ruler', run: ['GRANT ALL ON *.* TO holder WITH GRANT OPTION'], ends: 'ok' });
  } finally {
    await server.stop();
    await source.stop();
  }
}

/** Who may replay a binary log writes what rows they like, in mysql's tables too, whatever their privileges on these. */
export async function rulesByBinaryLog(
  start: (options: Options) => Promise<Server>,
  right: string,
  own: string[] = [],
) {
  const source = await start({ arguments: ['--log-bin=source', '--server-id=2', '--binlog-format=ROW'] });
  const server = await start({ arguments: own });
  try {
    await server.query(`CREATE USER holder IDENTIFIED BY '${password}'`);
    await server.query(`GRANT ${right} ON *.* TO holder`);
    await server.query('CREATE USER victim');
    await source.query("INSERT INTO mysql.db (Host, Db, User, Update_priv) VALUES ('%', 'mysql', 'holder', 'Y')");
    const [at] = await source.query(source.engine === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
    const [{ folder }] = (await source.query('SELECT @@datadir AS folder')) as [{ folder: string }];
    const log = await readFile(path.join(folder, at!.File));
    // What BINLOG takes of it: the description of the format, the names of tables, and rows that are written, by two numbers.
    const events: Buffer[] = [];
    for (let place = 4; place < log.length; place += log.readUInt32LE(place + 9)) {
      if ([15, 19, 23, 30].includes(log[place + 4]!))
        events.push(log.subarray(place, place + log.readUInt32LE(place + 9)));
    }
    const run = [`BINLOG '${Buffer.concat(events).toString('base64')}'`];
    await perform(server, { as: 'holder', run, ends: 'ok' });
    await server.query('FLUSH PRIVILEGES');
    await perform(server, { as: 'holder', run: [setPassword], ends: 'ok' });
  } finally {
    await server.stop();
    await source.stop();
  }
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
export const noMore = (roles: string) => `the same, or less, through ${roles}`;
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

/** What shows that a login is the account that it should be: an error where it is another. */
export const asAccount = (name: string) => `SELECT IF(CURRENT_USER() = '${name}', 1, (SELECT 1 UNION SELECT 2))`;

/** Grants that hold for more accounts than the one that they name. The tests' clients come from 127.0.0.1, which is localhost. */
export const coveredHosts: Case[] = [
  {
    what: 'a network covers an address in it',
    accounts: [
      'c_net@127.0.0.0/255.0.0.0',
      'c_net@127.0.0.1',
      'c_net@10.1.2.3',
      'c_net@10.%',
      'c_net@10.0.0.0/255.0.0.0',
    ],
    setup: [
      "GRANT UPDATE ON mysql.* TO c_net@'127.0.0.0/255.0.0.0'",
      "GRANT INSERT ON mysql.db TO c_net@'10.0.0.0/255.0.0.0'",
    ],
    lines: [
      { principal: 'c_net@127.0.0.0/255.0.0.0', privileges: 'UPDATE ON mysql.*' },
      {
        principal: 'c_net@127.0.0.1',
        through: 'c_net@127.0.0.0/255.0.0.0',
        privileges: 'UPDATE ON mysql.*',
        detail: moreHosts,
      },
      { principal: 'c_net@10.0.0.0/255.0.0.0', privileges: 'INSERT ON mysql.db' },
      ...['c_net@10.1.2.3', 'c_net@10.%'].map(principal => ({
        principal,
        through: 'c_net@10.0.0.0/255.0.0.0',
        privileges: 'INSERT ON mysql.db',
        detail: moreHosts,
      })),
    ],
    acts: [{ as: 'c_net', run: [asAccount('c_net@127.0.0.1'), setPassword], ends: 'ok' }],
  },
  {
    what: 'a network that nobody can come from, since its address has bits beyond its mask',
    accounts: ['c_bits@127.0.0.1/255.0.0.0'],
    setup: ["GRANT UPDATE ON mysql.* TO c_bits@'127.0.0.1/255.0.0.0'"],
    lines: [
      {
        principal: 'c_bits@127.0.0.1/255.0.0.0',
        privileges: 'UPDATE ON mysql.*',
        enabled: 'no',
        detail: 'no client comes from 127.0.0.1/255.0.0.0',
      },
    ],
    acts: [{ as: 'c_bits', run: [], ends: refused }],
  },
  {
    what: "localhost's schema grants are those of 127.0.0.1",
    accounts: ['c_loop@localhost', 'c_loop@127.0.0.1'],
    setup: ['GRANT UPDATE ON mysql.* TO c_loop@localhost'],
    lines: [
      { principal: 'c_loop@localhost', privileges: 'UPDATE ON mysql.*' },
      {
        principal: 'c_loop@127.0.0.1',
        through: 'c_loop@localhost',
        privileges: 'UPDATE ON mysql.*',
        detail: moreHosts,
      },
    ],
    acts: [{ as: 'c_loop', run: [setPassword], ends: 'ok' }],
  },
  {
    what: 'an owner is not one by its name alone',
    accounts: ['debian-sys-maint@localhost', 'debian-sys-maint', 'rdsadmin@localhost', 'azure_superuser'],
    setup: [
      "GRANT CREATE USER ON *.* TO 'debian-sys-maint'@localhost, 'debian-sys-maint'@'%', rdsadmin@localhost, azure_superuser@'%'",
    ],
    lines: [
      { principal: 'debian-sys-maint@localhost', privileges: 'CREATE USER', owner: 'Debian' },
      { principal: 'debian-sys-maint@%', privileges: 'CREATE USER' },
      { principal: 'rdsadmin@localhost', privileges: 'CREATE USER' },
      { principal: 'azure_superuser@%', privileges: 'CREATE USER' },
    ],
  },
];

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
    holder('INDEX', 'g_index', 'CREATE INDEX made_by_index ON mysql.scratch2 (id)'),
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
    inMysql('INDEX on mysql.*', 'm_index', ['INDEX ON mysql.*'], 'INDEX ON mysql.*', [
      'CREATE INDEX made_by_m_index ON mysql.scratch2 (id)',
    ]),
    inMysql('INDEX on a table of grants', 't_index', ['INDEX ON mysql.db'], 'INDEX ON mysql.db', [
      'CREATE INDEX made_by_t_index ON mysql.db (Db)',
      'DROP INDEX made_by_t_index ON mysql.db',
    ]),
    harmless(
      'a table that the company made in mysql',
      't_company',
      ['SELECT, INSERT, UPDATE, DELETE, ALTER, DROP ON mysql.scratch'],
      takeOver,
    ),
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
      'ALL PRIVILEGES ON mysql.*',
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
      { extent: 'part' },
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
      'ALL PRIVILEGES ON m%.*',
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
      'ALL PRIVILEGES ON my_shop.*',
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
