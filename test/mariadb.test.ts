// Who is an administrator of a MariaDB server, and who is not: queries/mariadb-administrators.sql on real ones.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import {
  account,
  actOut,
  answerOf,
  asAccount,
  ask,
  type Case,
  compare,
  coveredHosts,
  crowd,
  denseLayers,
  denseLayersOfTheSame,
  harmless,
  holder,
  inMysql,
  matching,
  noMore,
  onBoth,
  password,
  perform,
  refused,
  report,
  rulesByBinaryLog,
  rulesByReplication,
  sameUnder,
  setPassword,
  setUp,
  takeOver,
  worlds,
} from './grants.ts';
import { type Server, startMariadb } from './servers.ts';

const plugin = 'mysql_native_password';
const query = 'mariadb-administrators.sql';
const becomes = (name: string) => `becomes ${name} where its login plugin maps it so`;

const all = 'ALL PRIVILEGES';

/** Those who are there on every server, and the auditor. */
const base: Case = {
  what: 'the auditor, MariaDB and its installer',
  accounts: ['auditor', 'victim', 'powerless'],
  setup: ["GRANT SELECT ON mysql.* TO auditor@'%'"],
  lines: [
    { principal: 'root@localhost', privileges: all, can_grant: 'yes' },
    {
      principal: 'mariadb.sys@localhost',
      privileges: 'DELETE ON mysql.global_priv',
      enabled: 'no',
      owner: 'MariaDB',
      detail: 'locked; no password',
    },
  ],
  acts: [
    { as: 'powerless', run: [takeOver], ends: refused },
    { as: 'powerless', run: ['SET GLOBAL general_log = OFF'], ends: refused },
    { as: 'auditor', run: ['DELETE FROM mysql.global_priv LIMIT 0'], ends: refused },
  ],
};

const company: Case = {
  what: 'what the cases below act on',
  setup: [
    'CREATE DATABASE shop',
    'CREATE TABLE shop.orders (id INT)',
    'CREATE DATABASE `my_shop`',
    'CREATE TABLE mysql.scratch (id INT)',
    'CREATE TABLE mysql.scratch2 (id INT)',
    'CREATE TABLE mysql.scratch3 (id INT)',
    'CREATE ROLE any_role',
  ],
  lines: [],
};

const globalPrivileges: Case[] = [
  ...onBoth.globalPrivileges,
  holder('SUPER', 'g_super', 'SET GLOBAL general_log = OFF'),
  holder('CONNECTION ADMIN', 'g_connection', "SET GLOBAL init_connect = ''"),
  holder('FEDERATED ADMIN', 'g_federated', "CREATE OR REPLACE SERVER s1 FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')"),
  holder('READ_ONLY ADMIN', 'g_read_only', 'SET GLOBAL read_only = OFF'),
  holder('REPLICATION SLAVE ADMIN', 'g_slave', 'STOP SLAVE'),
  holder('REPLICATION MASTER ADMIN', 'g_master', 'SET GLOBAL gtid_domain_id = 0'),
  holder('BINLOG ADMIN', 'g_binlog', "PURGE BINARY LOGS TO 'none'"),
  {
    what: 'BINLOG REPLAY gets past the refusal',
    accounts: ['g_replay'],
    setup: ["GRANT BINLOG REPLAY ON *.* TO g_replay@'%'"],
    lines: [{ principal: 'g_replay@%', privileges: 'BINLOG REPLAY' }],
    acts: [
      { as: 'g_replay', run: ["BINLOG ''"], ends: [1149] },
      { as: 'powerless', run: ["BINLOG ''"], ends: refused },
    ],
  },
  {
    what: 'CREATE USER sets the password of root too',
    accounts: ['g_takes_root'],
    setup: [
      "CREATE USER other_root@localhost IDENTIFIED BY 'x'",
      'GRANT ALL ON *.* TO other_root@localhost WITH GRANT OPTION',
      "GRANT CREATE USER ON *.* TO g_takes_root@'%'",
    ],
    lines: [
      { principal: 'g_takes_root@%', privileges: 'CREATE USER' },
      { principal: 'other_root@localhost', privileges: all, can_grant: 'yes' },
    ],
    acts: [
      { as: 'g_takes_root', run: [`ALTER USER other_root@localhost IDENTIFIED BY '${password}'`], ends: 'ok' },
      { as: 'other_root', run: ["GRANT SELECT ON *.* TO victim@'%'"], ends: 'ok' },
    ],
  },
  {
    what: 'SET USER with CREATE ROUTINE acts as root',
    accounts: ['g_definer'],
    setup: ["GRANT SET USER ON *.* TO g_definer@'%'", "GRANT CREATE ROUTINE, EXECUTE ON shop.* TO g_definer@'%'"],
    lines: [{ principal: 'g_definer@%', privileges: 'SET USER' }],
    acts: [
      {
        as: 'g_definer',
        run: [`CREATE DEFINER = root@localhost PROCEDURE shop.p() ${setPassword}`, 'CALL shop.p()'],
        ends: 'ok',
      },
    ],
  },
  {
    what: 'ALL PRIVILEGES, without GRANT OPTION',
    accounts: ['g_all'],
    setup: ["GRANT ALL PRIVILEGES ON *.* TO g_all@'%'"],
    lines: [{ principal: 'g_all@%', privileges: all }],
    acts: [{ as: 'g_all', run: [setPassword], ends: 'ok' }],
  },
  {
    what: "an installer's root: all bits there are",
    setup: [
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_installed', '{\"access\":18446744073709551615}')",
      'FLUSH PRIVILEGES',
    ],
    lines: [{ principal: 'g_installed@10.0.0.1', privileges: all, can_grant: 'yes', detail: 'no password' }],
  },
  {
    what: 'SUPER of an older version means what was taken out of it since',
    setup: [
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_old', '{\"access\":32768}')",
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_old_replica', '{\"access\":557056}')",
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_105', '{\"access\":32768,\"version_id\":100512}')",
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_now', '{\"access\":32768,\"version_id\":110002}')",
      "INSERT INTO mysql.global_priv VALUES ('10.0.0.1', 'g_unknown', '{\"access\":1073741824}')",
      'FLUSH PRIVILEGES',
    ],
    lines: [],
  },
];

const notAdministrators: Case[] = [
  ...onBoth.notAdministrators,
  harmless(
    'what only shows',
    'n_watch',
    ['PROCESS, SHOW DATABASES, BINLOG MONITOR, SLAVE MONITOR ON *.*'],
    'FLUSH LOGS',
  ),
  harmless('REPLICATION SLAVE', 'n_replica', ['REPLICATION SLAVE ON *.*'], 'STOP SLAVE'),
  harmless(
    'CREATE TABLESPACE, for which there is no statement',
    'n_tablespace',
    ['CREATE TABLESPACE ON *.*'],
    takeOver,
  ),
  harmless(
    'what reads or runs everywhere',
    'n_everywhere',
    [
      'SELECT, EXECUTE, SHOW VIEW, LOCK TABLES, EVENT, TRIGGER, CREATE VIEW, CREATE ROUTINE, REFERENCES, CREATE TEMPORARY TABLES, DELETE HISTORY ON *.*',
    ],
    takeOver,
  ),
  harmless(
    'a migration: data and tables',
    'n_migration',
    ['SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON shop.*'],
    "GRANT SELECT ON shop.* TO victim@'%'",
  ),
  harmless('ALL on one table', 'n_table', ['ALL ON shop.orders'], 'DROP DATABASE shop'),
  harmless(
    'time zones, help texts and statistics',
    'n_time_zone',
    ['INSERT, UPDATE, DELETE ON mysql.time_zone', 'UPDATE ON mysql.help_topic', 'DELETE ON mysql.column_stats'],
    takeOver,
  ),
  harmless(
    'writing through the view mysql.user',
    'n_view',
    ['SELECT, INSERT, UPDATE ON mysql.user'],
    "UPDATE mysql.user SET Super_priv = 'Y' WHERE User = 'victim'",
    [1356], // a view that cannot be written to says so
  ),
  harmless('CREATE on a table that exists', 'n_create_table', ['CREATE ON mysql.global_priv'], takeOver),
  harmless('reading columns', 'n_columns', ['SELECT (User, Host), REFERENCES (User) ON mysql.global_priv'], takeOver),
];

const systemSchema: Case[] = [
  ...onBoth.systemSchema,
  inMysql('INSERT on mysql.global_priv', 't_user', ['INSERT ON mysql.global_priv'], 'INSERT ON mysql.global_priv', [
    "INSERT INTO mysql.global_priv VALUES ('nowhere', 'made_by_table', '{}')",
  ]),
  inMysql(
    'UPDATE on one column',
    't_column',
    ['UPDATE (Priv) ON mysql.global_priv'],
    'UPDATE (Priv) ON mysql.global_priv',
    ["UPDATE mysql.global_priv SET Priv = '{}' LIMIT 0"],
  ),
  inMysql(
    'columns and table of one table',
    't_columns',
    ['SELECT, DELETE, UPDATE (Priv, Host), INSERT (Host) ON mysql.global_priv'],
    'DELETE ON mysql.global_priv; INSERT (Host) ON mysql.global_priv; UPDATE (Host) ON mysql.global_priv; UPDATE (Priv) ON mysql.global_priv',
    ["DELETE FROM mysql.global_priv WHERE User = 'nobody'"],
  ),
  inMysql('deleting through the view mysql.user', 't_view', ['SELECT, DELETE ON mysql.user'], 'DELETE ON mysql.user', [
    "DELETE FROM mysql.user WHERE User = 'nobody'",
  ]),
  inMysql(
    'write on mysql.roles_mapping',
    't_roles',
    ['INSERT ON mysql.roles_mapping'],
    'INSERT ON mysql.roles_mapping',
    ["INSERT INTO mysql.roles_mapping VALUES ('nowhere', 'x', 'any_role', 'N')"],
  ),
  inMysql('write on mysql.proc injects routines', 't_proc', ['SELECT, UPDATE ON mysql.proc'], 'UPDATE ON mysql.proc', [
    "UPDATE mysql.proc SET definer = 'root@localhost' WHERE db = 'none'",
  ]),
  inMysql('write on mysql.plugin installs plugins', 't_plugin', ['INSERT ON mysql.plugin'], 'INSERT ON mysql.plugin', [
    "INSERT INTO mysql.plugin VALUES ('none', 'none.so')",
  ]),
  {
    what: 'two patterns: which of them wins is told by no rule that holds for all versions, so it is reported',
    accounts: ['p_nearer'],
    setup: [
      "GRANT INSERT ON `%`.* TO p_nearer@'%'",
      "GRANT SELECT ON `mys%`.* TO p_nearer@'%'",
      "GRANT any_role TO p_nearer@'%'",
    ],
    lines: [{ principal: 'p_nearer@%', privileges: 'INSERT ON %.*', detail: matching('%') }],
    acts: [{ as: 'p_nearer', run: ['SET ROLE any_role', 'CREATE USER made_by_p_nearer'], ends: refused }],
  },
];

const schemas: Case[] = [...onBoth.schemas];

const roles: Case[] = [
  {
    what: 'a role, its member, and one who is not',
    accounts: ['r_member', 'r_stranger'],
    setup: ['CREATE ROLE dba', 'GRANT CREATE USER ON *.* TO dba', "GRANT dba TO r_member@'%'"],
    lines: [
      { principal: 'dba', type: 'role', privileges: 'CREATE USER' },
      { principal: 'r_member@%', through: 'dba', privileges: 'CREATE USER' },
    ],
    acts: [
      { as: 'r_member', run: ['SET ROLE dba', setPassword], ends: 'ok' },
      { as: 'r_stranger', run: ['SET ROLE dba'], ends: [1959, ...refused] },
    ],
  },
  {
    what: 'roles within roles, none of them a default',
    accounts: ['r_deep'],
    setup: [
      'CREATE ROLE r_top',
      'CREATE ROLE r_middle',
      'CREATE ROLE r_bottom',
      'GRANT CREATE USER ON *.* TO r_top',
      'GRANT r_top TO r_middle',
      'GRANT r_middle TO r_bottom',
      "GRANT r_bottom TO r_deep@'%'",
    ],
    lines: [
      { principal: 'r_top', type: 'role', privileges: 'CREATE USER' },
      { principal: 'r_middle', type: 'role', through: 'r_top', privileges: 'CREATE USER' },
      { principal: 'r_bottom', type: 'role', through: 'r_middle > r_top', privileges: 'CREATE USER' },
      { principal: 'r_deep@%', through: 'r_bottom > r_middle > r_top', privileges: 'CREATE USER' },
    ],
    acts: [
      { as: 'r_deep', run: [takeOver], ends: refused },
      { as: 'r_deep', run: ['SET ROLE r_bottom', setPassword], ends: 'ok' },
    ],
  },
  {
    what: 'the creator of a role is its member, with admin option',
    accounts: ['r_creator'],
    setup: ["CREATE ROLE r_made WITH ADMIN r_creator@'%'", 'GRANT RELOAD ON *.* TO r_made'],
    lines: [
      { principal: 'r_made', type: 'role', privileges: 'RELOAD' },
      { principal: 'r_creator@%', through: 'r_made', privileges: 'RELOAD', can_grant: 'yes' },
    ],
    acts: [
      {
        as: 'r_creator',
        run: ["GRANT r_made TO victim@'%'", "REVOKE r_made FROM victim@'%'", 'SET ROLE r_made', 'FLUSH LOGS'],
        ends: 'ok',
      },
    ],
  },
  {
    what: 'two ways to one role are one row, which names the other',
    accounts: ['r_diamond'],
    setup: [
      ...['r_power', 'r_left', 'r_right'].map(role => `CREATE ROLE ${role}`),
      'GRANT FILE ON *.* TO r_power',
      'GRANT r_power TO r_left, r_right',
      "GRANT r_left TO r_diamond@'%'",
      "GRANT r_right TO r_diamond@'%'",
    ],
    lines: [
      { principal: 'r_power', type: 'role', privileges: 'FILE' },
      { principal: 'r_left', type: 'role', through: 'r_power', privileges: 'FILE' },
      { principal: 'r_right', type: 'role', through: 'r_power', privileges: 'FILE' },
      { principal: 'r_diamond@%', through: 'r_left > r_power', privileges: 'FILE', detail: noMore('r_right') },
    ],
  },
  {
    what: 'a user and a role of the same name: only the member of the role is an administrator',
    accounts: ['r_name', 'r_name_member'],
    setup: ['CREATE ROLE r_name', 'GRANT CREATE USER ON *.* TO r_name', "GRANT r_name TO r_name_member@'%'"],
    lines: [
      { principal: 'r_name', type: 'role', privileges: 'CREATE USER' },
      { principal: 'r_name_member@%', through: 'r_name', privileges: 'CREATE USER' },
    ],
    acts: [
      { as: 'r_name', run: [takeOver], ends: refused },
      { as: 'r_name_member', run: ['SET ROLE r_name', setPassword], ends: 'ok' },
    ],
  },
  {
    what: "a user's privileges on *.* are not those of the role of its name, but its schema grants are",
    accounts: ['r_namesake', 'r_namesake_member'],
    setup: [
      'CREATE ROLE r_namesake',
      "GRANT RELOAD ON *.* TO r_namesake@'%'",
      "GRANT UPDATE ON mysql.* TO r_namesake@'%'",
      "GRANT r_namesake TO r_namesake_member@'%'",
    ],
    lines: [
      { principal: 'r_namesake@%', privileges: 'RELOAD; UPDATE ON mysql.*' },
      {
        principal: 'r_namesake',
        type: 'role',
        privileges: 'UPDATE ON mysql.*',
        detail: 'granted to a user of the same name, whose schema grants hold for the role too',
      },
      {
        principal: 'r_namesake_member@%',
        through: 'r_namesake',
        privileges: 'UPDATE ON mysql.*',
        detail: 'granted to a user of the same name, whose schema grants hold for the role too',
      },
    ],
    acts: [
      { as: 'r_namesake_member', run: ['SET ROLE r_namesake', 'FLUSH LOGS'], ends: refused },
      { as: 'r_namesake_member', run: ['SET ROLE r_namesake', setPassword], ends: 'ok' },
    ],
  },
  {
    what: 'admin option on a harmless role is nothing',
    accounts: ['r_harmless'],
    setup: ["CREATE ROLE r_reader WITH ADMIN r_harmless@'%'", 'GRANT SELECT ON *.* TO r_reader'],
    lines: [],
    acts: [{ as: 'r_harmless', run: ['SET ROLE r_reader', takeOver], ends: refused }],
  },
  {
    what: 'a role of a schema, and of the schema mysql by a pattern',
    accounts: ['r_shop', 'r_pattern'],
    setup: [
      "CREATE ROLE r_shop_owner WITH ADMIN r_shop@'%'",
      'GRANT ALL ON shop.* TO r_shop_owner',
      "CREATE ROLE r_patterns WITH ADMIN r_pattern@'%'",
      'GRANT INSERT ON `my%`.* TO r_patterns',
    ],
    lines: [
      { scope: 'database:shop', principal: 'r_shop_owner', type: 'role', privileges: 'ALL PRIVILEGES ON shop.*' },
      {
        scope: 'database:shop',
        principal: 'r_shop@%',
        through: 'r_shop_owner',
        privileges: 'ALL PRIVILEGES ON shop.*',
        can_grant: 'yes',
      },
      { principal: 'r_patterns', type: 'role', privileges: 'INSERT ON my%.*', detail: matching('my%') },
      {
        principal: 'r_pattern@%',
        through: 'r_patterns',
        privileges: 'INSERT ON my%.*',
        can_grant: 'yes',
        detail: matching('my%'),
      },
    ],
    acts: [{ as: 'r_pattern', run: ['SET ROLE r_patterns', 'CREATE USER made_by_r_pattern'], ends: 'ok' }],
  },
  {
    what: 'roles in a circle, which no GRANT makes: whether the server follows it depends on where it starts',
    accounts: ['r_circle'],
    setup: [
      'CREATE ROLE r_c1',
      "CREATE ROLE r_c2 WITH ADMIN r_circle@'%'",
      'GRANT RELOAD ON *.* TO r_c1',
      'GRANT r_c1 TO r_c2',
      "INSERT INTO mysql.roles_mapping VALUES ('', 'r_c1', 'r_c2', 'N')",
    ],
    lines: [
      { principal: 'r_c1', type: 'role', privileges: 'RELOAD' },
      { principal: 'r_c2', type: 'role', through: 'r_c1', privileges: 'RELOAD' },
      { principal: 'r_circle@%', through: 'r_c2 > r_c1', privileges: 'RELOAD', can_grant: 'yes' },
    ],
  },
];

// This installation's root has no PROXY to grant.
const proxy = (user: string, proxiedHost: string, proxied: string, withGrant: number) =>
  `INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, With_grant) VALUES ('%', '${user}', '${proxiedHost}', '${proxied}', ${withGrant})`;

const logins: Case[] = [
  {
    what: 'locked',
    accounts: ['l_locked'],
    setup: ["GRANT SUPER ON *.* TO l_locked@'%'", "ALTER USER l_locked@'%' ACCOUNT LOCK"],
    lines: [{ principal: 'l_locked@%', privileges: 'SUPER', enabled: 'no', detail: 'locked' }],
    acts: [{ as: 'l_locked', run: [], ends: [4151] }],
  },
  {
    what: 'expired: logs in, and must change the password first',
    accounts: ['l_expired'],
    setup: ["GRANT SUPER ON *.* TO l_expired@'%'", "ALTER USER l_expired@'%' PASSWORD EXPIRE"],
    lines: [
      {
        principal: 'l_expired@%',
        privileges: 'SUPER',
        detail: 'its password has expired and must be changed at the next login',
      },
    ],
    acts: [
      { as: 'l_expired', run: ['SHOW DATABASES'], ends: [1820] },
      { as: 'l_expired', run: [`SET PASSWORD = PASSWORD('${password}1')`, 'SET GLOBAL general_log = OFF'], ends: 'ok' },
    ],
  },
  {
    what: 'a plugin that is not loaded',
    setup: [
      'INSERT INTO mysql.global_priv VALUES (\'%\', \'l_unloaded\', \'{"access":33554432,"version_id":110002,"plugin":"ed25519","authentication_string":"none"}\')',
      'FLUSH PRIVILEGES',
    ],
    lines: [
      {
        principal: 'l_unloaded@%',
        privileges: 'CREATE USER',
        enabled: 'no',
        authentication: 'ed25519',
        detail: 'its login plugin ed25519 is not loaded',
      },
    ],
    acts: [{ as: 'l_unloaded', run: [], ends: [1524, ...refused] }],
  },
  {
    what: 'a hash that no password fits',
    setup: [
      "CREATE USER l_hash IDENTIFIED VIA mysql_native_password USING 'invalid'",
      'GRANT CREATE USER ON *.* TO l_hash',
    ],
    lines: [
      {
        principal: 'l_hash@%',
        privileges: 'CREATE USER',
        enabled: 'no',
        detail: 'no password fits what is stored for mysql_native_password',
      },
    ],
    acts: [{ as: 'l_hash', run: [], ends: refused }],
  },
  {
    what: 'alternatives: one that fits nobody or one that does',
    setup: [
      `CREATE USER l_or IDENTIFIED VIA mysql_old_password USING '0123456789abcdef' OR mysql_native_password USING PASSWORD('${password}')`,
      "CREATE USER l_or_socket IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket",
      'GRANT CREATE USER ON *.* TO l_or, l_or_socket',
    ],
    lines: [
      { principal: 'l_or@%', privileges: 'CREATE USER', authentication: 'mysql_old_password or mysql_native_password' },
      {
        principal: 'l_or_socket@%',
        privileges: 'CREATE USER',
        authentication: 'mysql_native_password or unix_socket',
        detail:
          "no password fits what is stored for mysql_native_password; logs in as the operating system's account l_or_socket",
      },
    ],
  },
  {
    what: 'no password',
    setup: ['CREATE USER l_empty', 'GRANT CREATE USER ON *.* TO l_empty'],
    lines: [{ principal: 'l_empty@%', privileges: 'CREATE USER', detail: 'no password' }],
  },
  {
    what: "the operating system's account",
    setup: [
      'CREATE USER l_socket IDENTIFIED VIA unix_socket',
      "CREATE USER l_socket_as IDENTIFIED VIA unix_socket AS 'daemon'",
      'GRANT CREATE USER ON *.* TO l_socket, l_socket_as',
    ],
    lines: [
      {
        principal: 'l_socket@%',
        privileges: 'CREATE USER',
        authentication: 'unix_socket',
        detail: "logs in as the operating system's account l_socket",
      },
      {
        principal: 'l_socket_as@%',
        privileges: 'CREATE USER',
        authentication: 'unix_socket',
        detail: "logs in as the operating system's account daemon",
      },
    ],
  },
  {
    what: 'an anonymous account',
    setup: [`CREATE USER ''@'10.0.0.1' IDENTIFIED BY '${password}'`, "GRANT CREATE USER ON *.* TO ''@'10.0.0.1'"],
    lines: [{ principal: '@10.0.0.1', privileges: 'CREATE USER', detail: 'anonymous: logs in under any name' }],
  },
  {
    what: 'proxies: of an administrator, of a member of a role, of a schema administrator, of nobody of note, of everybody',
    accounts: ['x_proxy', 'x_proxy_member', 'x_proxy_schema', 'x_proxy_harmless', 'x_proxy_all'],
    setup: [
      proxy('x_proxy', '%', 'g_super', 0),
      proxy('x_proxy_member', '%', 'r_member', 0),
      proxy('x_proxy_schema', '%', 'd_all', 0),
      proxy('x_proxy_harmless', '%', 'powerless', 0),
      proxy('x_proxy_all', '', '', 1),
      'FLUSH PRIVILEGES',
    ],
    lines: [
      { principal: 'x_proxy@%', privileges: 'PROXY ON g_super@%', detail: becomes('g_super@%') },
      { principal: 'x_proxy_member@%', privileges: 'PROXY ON r_member@%', detail: becomes('r_member@%') },
      {
        scope: 'database:shop',
        principal: 'x_proxy_schema@%',
        privileges: 'PROXY ON d_all@%',
        detail: becomes('d_all@%'),
      },
      {
        principal: 'x_proxy_all@%',
        privileges: 'PROXY ON @',
        can_grant: 'yes',
        detail: 'becomes any account that its login plugin names',
      },
    ],
    acts: [{ as: 'x_proxy_all', run: ["GRANT PROXY ON g_super@'%' TO powerless@'%'"], ends: 'ok' }],
  },
];

/** Names that would break a list joined by commas, a line, a spreadsheet, or a comparison that folds letters. */
const names: Case[] = [
  ...[
    'a,b',
    "it's",
    'say "x"',
    'new\nline',
    'tab\there',
    'right‮left',
    '=cmd',
    '+1',
    '-1',
    'at@at',
    'back\\slash',
    'percent%',
    'semi; colon',
    'a > b',
    ' first blank',
    'last blank ',
    'x'.repeat(80),
    '田中',
    '山田',
  ].map(
    (name): Case => ({
      what: `the name ${JSON.stringify(name)}`,
      accounts: [`${name}@%`],
      setup: [`GRANT SUPER ON *.* TO ${account(`${name}@%`)}`],
      // A blank at the end is not kept.
      lines: [{ principal: `${name.trimEnd()}@%`, privileges: 'SUPER' }],
      acts: [{ as: name.trimEnd(), run: ['SET GLOBAL general_log = OFF'], ends: 'ok' }],
    }),
  ),
  {
    what: 'twins but for case and accents: one is an administrator',
    accounts: ['Ada', 'ada', 'àda', 'ADA'],
    setup: ["GRANT SUPER ON *.* TO 'Ada'@'%'", "GRANT RELOAD ON *.* TO 'àda'@'%'"],
    lines: [
      { principal: 'Ada@%', privileges: 'SUPER' },
      { principal: 'àda@%', privileges: 'RELOAD' },
    ],
    acts: [
      { as: 'Ada', run: ['SET GLOBAL general_log = OFF'], ends: 'ok' },
      { as: 'ada', run: ['SET GLOBAL general_log = OFF'], ends: refused },
      { as: 'ADA', run: ['SET GLOBAL general_log = OFF'], ends: refused },
      { as: 'àda', run: ['SET GLOBAL general_log = OFF'], ends: refused },
    ],
  },
  {
    what: 'a role with commas and quotes and an @, of twins',
    accounts: ['n_role_member'],
    setup: [
      "CREATE ROLE 'r,''1@x' WITH ADMIN n_role_member@'%'",
      "CREATE ROLE 'R,''1@x'",
      "GRANT RELOAD ON *.* TO 'R,''1@x'",
    ],
    lines: [{ principal: "R,'1@x", type: 'role', privileges: 'RELOAD' }],
    acts: [{ as: 'n_role_member', run: ["SET ROLE 'r,''1@x'", 'FLUSH LOGS'], ends: refused }],
  },
  {
    what: 'a host in capitals',
    setup: [
      `CREATE USER h_host@'DB1.Example.COM' IDENTIFIED BY '${password}'`,
      "GRANT SUPER ON *.* TO h_host@'db1.example.com'",
    ],
    lines: [{ principal: 'h_host@db1.example.com', privileges: 'SUPER' }],
  },
];

/** Whoever creates a role is its member, here root: that would be a row of root's for each of them. */
const lastly: Case = {
  what: 'the creator of the roles leaves them, but one, which adds nothing to what he has',
  setup: ["DELETE FROM mysql.roles_mapping WHERE User = 'root' AND Role <> 'dba'", 'FLUSH PRIVILEGES'],
  lines: [],
};

/** Root has created the role dba, and so is its member. */
const withCreator = (each: Case) =>
  each === base
    ? {
        ...base,
        lines: base.lines.map(line =>
          line.principal === 'root@localhost' ? { ...line, detail: noMore('dba') } : line,
        ),
      }
    : each;

/** What the two versions read SUPER of an older version as. */
const olderSuper = (version: string): Case => {
  const line = (name: string, privileges: string) => ({
    principal: `${name}@10.0.0.1`,
    privileges,
    detail: 'no password',
  });
  const split =
    'BINLOG ADMIN; BINLOG REPLAY; CONNECTION ADMIN; FEDERATED ADMIN; READ_ONLY ADMIN; REPLICATION SLAVE ADMIN; SET USER; SUPER';
  const withMaster = split.replace('REPLICATION SLAVE', 'REPLICATION MASTER ADMIN; REPLICATION SLAVE');
  const from11 = Number.parseInt(version, 10) >= 11;
  return {
    what: '',
    lines: [
      line('g_old', from11 ? withMaster : split),
      line('g_old_replica', withMaster),
      line('g_105', from11 ? withMaster : 'READ_ONLY ADMIN; SUPER'),
      line('g_now', 'SUPER'),
    ],
  };
};

const cases = [
  base,
  company,
  ...globalPrivileges,
  ...notAdministrators,
  ...systemSchema,
  ...schemas,
  ...roles,
  ...logins,
  ...names,
  lastly,
];

for (const suite of [undefined, 'sid']) {
  describe(`MariaDB ${suite ?? ''}: each way of being an administrator, and of not being one`, () => {
    let server: Server;
    let rows: Record<string, string>[];
    let whole: Case[];
    before(async () => {
      server = await startMariadb(suite ? { suite } : {});
      const [files] = await server.query("SELECT TRIM(TRAILING '/' FROM @@secure_file_priv) AS folder");
      await setUp(server, cases);
      for (const each of cases)
        for (const act of each.acts ?? [])
          act.run = act.run.map(run => run.replace(/'[^']*\/out'|'\{files\}\/out'/, `'${files!.folder}/out'`));
      whole = [...cases, olderSuper(server.version)].map(withCreator);
      rows = await report(server);
    });
    after(() => server?.stop());

    test('the whole report', () => compare(rows, whole, plugin));

    test('SUPER makes a routine that runs as root up to 10.11, and from 11 not', async () => {
      await server.query(`CREATE USER super_one@'%' IDENTIFIED BY '${password}'`);
      await server.query("GRANT SUPER ON *.* TO super_one@'%'");
      await server.query("GRANT CREATE ROUTINE, EXECUTE ON shop.* TO super_one@'%'");
      const connection = await server.connect('super_one', password);
      const made = await connection
        .query(`CREATE DEFINER = root@localhost PROCEDURE shop.of_root() ${setPassword}`)
        .then(() => connection.query('CALL shop.of_root()'))
        .then(
          () => true,
          ({ errno }) => assert.equal(errno, 1227),
        );
      connection.destroy();
      assert.equal(made === true, server.version.startsWith('10.'));
      const held = (await ask(server, query)).find(row => row.principal === 'super_one@%')!;
      assert.equal(held.extent, made ? 'full' : 'part');
      await server.query("DROP USER super_one@'%'");
    });

    test('times are UTC', async () => {
      await server.query("SET GLOBAL time_zone = '+05:30'");
      const again = await ask(server, query);
      await server.query("SET GLOBAL time_zone = 'SYSTEM'");
      const [now] = await server.query("SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ') AS now");
      const of = (list: typeof rows) => list.find(row => row.principal === 'g_super@%')!.password_changed_at!;
      assert.match(of(rows), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(of(again), of(rows));
      assert.ok(Math.abs(Date.parse(now!.now) - Date.parse(of(rows))) < 120_000, of(rows));
    });

    const settings: [string, string | number][] = [
      ...[
        'ANSI',
        'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE',
        'NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE',
        'PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION',
        'TRADITIONAL,ONLY_FULL_GROUP_BY',
        'ORACLE',
        'MSSQL',
        'EMPTY_STRING_IS_NULL',
      ].map((mode): [string, string] => ['sql_mode', mode]),
      ...[
        'SET NAMES utf8mb3',
        'SET NAMES latin1',
        'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci',
        'SET character_set_results = latin1',
        "SET SESSION sql_mode = 'ORACLE'",
      ].map((statement): [string, string] => ['init_connect', statement]),
      ...[
        'derived_merge=on',
        'derived_with_keys=off',
        'materialization=off',
        'semijoin=off',
        'join_cache_hashed=off',
        'join_cache_incremental=off',
        'optimize_join_buffer_size=off',
        'split_materialized=off',
        'condition_pushdown_for_derived=off',
        'subquery_cache=off',
        'in_to_exists=off',
      ].map((value): [string, string] => ['optimizer_switch', value]),
      ['group_concat_max_len', 4],
      ['sql_select_limit', 3],
      ['max_recursive_iterations', 2],
      ['max_join_size', 1],
      ['max_statement_time', 0.001],
      ['max_sort_length', 8],
      ['sort_buffer_size', 1024],
      ['join_buffer_size', 128],
      ['join_buffer_space_limit', 2048],
      ['join_cache_level', 0],
      ['tmp_table_size', 1024],
      ['tmp_memory_table_size', 0],
      ['max_heap_table_size', 16384],
      ['big_tables', 1],
      ['div_precision_increment', 0],
      ['optimizer_search_depth', 0],
      ['optimizer_prune_level', 0],
      ['optimizer_use_condition_selectivity', 1],
      ['use_stat_tables', 'NEVER'],
      ['time_zone', '-11:30'],
      ['lc_time_names', 'ja_JP'],
      ['collation_connection', 'utf8mb4_unicode_ci'],
      ['character_set_results', 'latin1'],
      ['default_regex_flags', 'DOTALL,EXTENDED'],
      ['tx_isolation', 'SERIALIZABLE'],
      ['max_allowed_packet', 16384],
    ];
    test("the server's own settings change nothing", () => sameUnder(server, query, settings));

    actOut(() => server, cases);
  });

  describe(`MariaDB ${suite ?? ''}: hosts`, () => {
    let server: Server;
    const covered: Case[] = [
      base,
      ...coveredHosts,
      {
        what: 'a role that is granted for every host, or for a network, is one at each, but not its admin option',
        accounts: ['c_role', 'c_role@localhost', 'c_netrole@127.0.0.0/255.0.0.0', 'c_netrole@127.0.0.1'],
        setup: [
          'CREATE ROLE c_power',
          'CREATE ROLE c_inner',
          'GRANT CREATE USER ON *.* TO c_inner',
          'GRANT c_inner TO c_power',
          "GRANT c_power TO c_role@'%' WITH ADMIN OPTION",
          "GRANT c_power TO c_netrole@'127.0.0.0/255.0.0.0'",
        ],
        lines: [
          { principal: 'c_inner', type: 'role', privileges: 'CREATE USER' },
          { principal: 'c_power', type: 'role', through: 'c_inner', privileges: 'CREATE USER' },
          { principal: 'c_role@%', through: 'c_power > c_inner', privileges: 'CREATE USER', can_grant: 'yes' },
          ...['c_role@localhost', 'c_netrole@127.0.0.0/255.0.0.0', 'c_netrole@127.0.0.1'].map(principal => ({
            principal,
            through: 'c_power > c_inner',
            privileges: 'CREATE USER',
          })),
        ],
        acts: [
          { as: 'c_role', run: [asAccount('c_role@localhost'), 'SET ROLE c_power', setPassword], ends: 'ok' },
          {
            as: 'c_role',
            run: [asAccount('c_role@localhost'), 'SET ROLE c_power', "GRANT c_power TO victim@'%'"],
            ends: [1698, ...refused],
          },
          { as: 'c_netrole', run: [asAccount('c_netrole@127.0.0.1'), 'SET ROLE c_power', setPassword], ends: 'ok' },
        ],
      },
      {
        what: 'an account that may open no connection, and a password that is too old',
        accounts: ['c_none', 'c_old', 'c_forever'],
        setup: [
          "GRANT CREATE USER ON *.* TO c_none@'%', c_old@'%', c_forever@'%'",
          "ALTER USER c_none@'%' WITH MAX_USER_CONNECTIONS -1",
          "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', 1600000000, '$.password_lifetime', 90) WHERE User = 'c_old'",
          "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', 1600000000, '$.password_lifetime', 0) WHERE User = 'c_forever'",
          'FLUSH PRIVILEGES',
        ],
        lines: [
          {
            principal: 'c_none@%',
            privileges: 'CREATE USER',
            enabled: 'no',
            detail: 'its MAX_USER_CONNECTIONS lets it open no connection',
          },
          {
            principal: 'c_old@%',
            privileges: 'CREATE USER',
            detail: 'its password has expired and must be changed at the next login',
          },
          { principal: 'c_forever@%', privileges: 'CREATE USER' },
        ],
        acts: [
          { as: 'c_none', run: [], ends: [1226] },
          { as: 'c_old', run: [setPassword], ends: [1820] },
          { as: 'c_forever', run: [setPassword], ends: 'ok' },
        ],
      },
      {
        what: 'two patterns, in the order of MariaDB alone',
        accounts: ['c_order'],
        setup: ["GRANT INSERT, UPDATE ON `mysq_`.* TO c_order@'%'", "GRANT SELECT ON `mysql%`.* TO c_order@'%'"],
        lines: [
          { principal: 'c_order@%', privileges: 'INSERT ON mysq_.*; UPDATE ON mysq_.*', detail: matching('mysq_') },
        ],
        acts: [{ as: 'c_order', run: [setPassword], ends: 'ok' }],
      },
    ];
    before(async () => {
      server = await startMariadb(suite ? { suite } : {});
      await setUp(server, covered);
      await server.query("DELETE FROM mysql.roles_mapping WHERE User = 'root'");
      await server.query('FLUSH PRIVILEGES');
    });
    after(() => server?.stop());

    test('the whole report', async () => compare(await report(server), covered, plugin));
    actOut(() => server, covered);

    test('without name resolution nobody comes from a host name', async () => {
      await server.query("CREATE USER c_name@'db1.example.com'");
      await server.query("GRANT CREATE USER ON *.* TO c_name@'db1.example.com'");
      await server.restart(['--skip-name-resolve']);
      const rows = await report(server);
      const of = (name: string) => rows.find(row => row.principal === name)!;
      assert.deepEqual(
        [of('c_name@db1.example.com').enabled, of('c_name@db1.example.com').detail],
        ['no', 'no client comes from db1.example.com; no password'],
      );
      assert.equal(of('root@localhost').enabled, 'yes');
    });
  });

  describe(`MariaDB ${suite ?? ''}: what everybody holds`, () => {
    let server: Server;
    const everybody = ['auditor@%', 'powerless@%', 'victim@%', 'e_locked@%', 'root@localhost', 'mariadb.sys@localhost'];
    const about = (principal: string) => {
      const detail =
        principal === 'mariadb.sys@localhost'
          ? ['locked', 'no password']
          : principal === 'e_locked@%'
            ? ['locked']
            : [];
      const owner = principal === 'mariadb.sys@localhost' ? 'MariaDB' : '';
      return { principal, owner, enabled: detail.length ? 'no' : 'yes', detail };
    };
    /** What everybody gets; root, who has it all without, is told through what. */
    const through = (chain: string, privileges: string, note: string, more: object = {}) =>
      everybody
        .filter(name => name !== 'root@localhost')
        .map(name => {
          const { detail, ...rest } = about(name);
          return { ...rest, through: chain, privileges, detail: [...detail, note].join('; '), ...more };
        });
    const own = (root: string) =>
      base.lines.map(line => (line.principal === 'root@localhost' && root ? { ...line, detail: noMore(root) } : line));
    const accounts: Case[] = [
      { ...base, lines: [] },
      { what: '', accounts: ['e_locked'], setup: ["ALTER USER e_locked@'%' ACCOUNT LOCK"], lines: [] },
    ];
    before(async () => {
      server = await startMariadb(suite ? { suite } : {});
      await setUp(server, accounts);
    });
    after(() => server?.stop());

    test('PUBLIC', async () => {
      await server.query('GRANT CREATE USER ON *.* TO PUBLIC');
      await server.query('GRANT ALL ON shop.* TO PUBLIC');
      const lines = [
        {
          principal: 'PUBLIC',
          type: 'role',
          privileges: 'CREATE USER',
          detail: 'what is granted to PUBLIC, everybody holds',
        },
        {
          scope: 'database:shop',
          principal: 'PUBLIC',
          type: 'role',
          privileges: 'ALL PRIVILEGES ON shop.*',
          detail: 'what is granted to PUBLIC, everybody holds',
        },
        ...through('PUBLIC', 'CREATE USER', 'PUBLIC is everybody'),
        ...through('PUBLIC', 'ALL PRIVILEGES ON shop.*', 'PUBLIC is everybody', { scope: 'database:shop' }),
      ];
      compare(await report(server), [...accounts, { what: '', lines: [...own('PUBLIC'), ...lines] }], plugin);
      await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
      await server
        .query('REVOKE ALL, GRANT OPTION FROM PUBLIC')
        .catch(() => server.query('REVOKE CREATE USER ON *.* FROM PUBLIC'));
      await server.query('REVOKE ALL ON shop.* FROM PUBLIC').catch(() => {});
    });

    test('PUBLIC and the schema mysql, by a pattern, and a role that PUBLIC has', async () => {
      await server.query('GRANT UPDATE ON `m%`.* TO PUBLIC');
      await server.query('CREATE ROLE e_role');
      await server.query('GRANT RELOAD ON *.* TO e_role');
      await server.query('GRANT e_role TO PUBLIC');
      await server.query("DELETE FROM mysql.roles_mapping WHERE User = 'root'");
      await server.query('FLUSH PRIVILEGES');
      const note = `PUBLIC is everybody; ${matching('m%')}`;
      const lines = [
        {
          principal: 'PUBLIC',
          type: 'role',
          privileges: 'UPDATE ON m%.*',
          detail: `what is granted to PUBLIC, everybody holds; ${matching('m%')}`,
        },
        ...through('PUBLIC', 'UPDATE ON m%.*', note),
        { principal: 'e_role', type: 'role', privileges: 'RELOAD' },
        {
          principal: 'PUBLIC',
          type: 'role',
          through: 'e_role',
          privileges: 'RELOAD',
          detail: 'what is granted to PUBLIC, everybody holds',
        },
        ...through('PUBLIC > e_role', 'RELOAD', 'PUBLIC is everybody'),
      ];
      compare(await report(server), [...accounts, { what: '', lines: [...own('PUBLIC'), ...lines] }], plugin);
      await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
      await perform(server, { as: 'powerless', run: ['FLUSH LOGS'], ends: 'ok' });
      await server.query('REVOKE UPDATE ON `m%`.* FROM PUBLIC');
      await server.query('DROP ROLE e_role');
    });

    test('a schema grant of an anonymous account', async () => {
      await server.query("CREATE USER ''@'%' ACCOUNT LOCK");
      await server.query("GRANT UPDATE ON mysql.* TO ''@'%'");
      const anonymous = 'granted to the anonymous account, whose schema grants hold for everybody from its hosts';
      const lines = [
        // The auditor has a grant of its own on mysql.*, which is nearer.
        ...through('@%', 'UPDATE ON mysql.*', anonymous).filter(line => line.principal !== 'auditor@%'),
        {
          principal: '@%',
          enabled: 'no',
          privileges: 'UPDATE ON mysql.*',
          detail: 'anonymous: logs in under any name; locked; no password',
        },
      ];
      compare(await report(server), [...accounts, { what: '', lines: [...own('@%'), ...lines] }], plugin);
      await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
      await server.query("DROP USER ''@'%'");
    });

    test('skip_grant_tables', async () => {
      await server.restart(['--skip-grant-tables']);
      const line = {
        principal: '@%',
        privileges: 'skip_grant_tables',
        can_grant: 'yes',
        authentication: '',
        detail:
          'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say',
      };
      compare(await report(server), [...accounts, { what: '', lines: [...own(''), line] }], plugin);
      await perform(server, { as: 'no such account', run: ['SELECT * FROM mysql.global_priv'], ends: 'ok' });
    });

    test('lower_case_table_names', async () => {
      await server.restart(['--lower-case-table-names=1']);
      await server.query("INSERT INTO mysql.db (Host, Db, User, Update_priv) VALUES ('%', 'MySQL', 'powerless', 'Y')");
      await server.query('FLUSH PRIVILEGES');
      const line = { principal: 'powerless@%', privileges: 'UPDATE ON mysql.*' };
      compare(await report(server), [...accounts, { what: '', lines: [...own(''), line] }], plugin);
      await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
    });
  });

  describe(`MariaDB ${suite ?? ''}: the tables changed by hand, and not yet read by the server`, () => {
    let server: Server;
    const inTables = 'in the tables, but not in force before FLUSH PRIVILEGES or a restart';
    const inForce = 'in force, but no longer in the tables';
    const changed: Case[] = [
      base,
      {
        what: 'accounts before and after the change',
        accounts: ['h_risen', 'h_fallen', 'h_gone', 'h_schema', 'h_part'],
        setup: [
          "GRANT UPDATE ON mysql.* TO h_schema@'%'",
          "DELETE FROM mysql.db WHERE User = 'h_schema'",
          "GRANT INSERT, UPDATE ON `m%`.* TO h_part@'%'",
          "UPDATE mysql.db SET Update_priv = 'N' WHERE User = 'h_part'",
          "GRANT SUPER, RELOAD ON *.* TO h_fallen@'%'",
          "GRANT SUPER ON *.* TO h_gone@'%' WITH GRANT OPTION",
          "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', 33554432 + 1024) WHERE User = 'h_risen'",
          "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', 64) WHERE User = 'h_fallen'",
          "DELETE FROM mysql.global_priv WHERE User = 'h_gone'",
          "INSERT INTO mysql.db (Host, Db, User, Insert_priv) VALUES ('%', 'mysql', 'h_nobody', 'Y')",
        ],
        lines: [
          {
            principal: 'h_risen@%',
            privileges: 'CREATE USER; GRANT OPTION',
            can_grant: 'yes',
            detail: `${inTables}: CREATE USER; ${inTables}: GRANT OPTION`,
          },
          {
            principal: 'h_schema@%',
            privileges: 'UPDATE ON mysql.*',
            detail: 'in force, but no longer in the tables: UPDATE ON mysql.*',
          },
          {
            principal: 'h_part@%',
            privileges: 'INSERT ON m%.*; UPDATE ON m%.*',
            detail: `in force, but no longer in the tables: UPDATE ON m%.*; ${matching('m%')}; ${matching('m%')}`,
          },
          { principal: 'h_fallen@%', privileges: 'RELOAD; SUPER', detail: `${inForce}: SUPER` },
          {
            principal: 'h_gone@%',
            privileges: 'GRANT OPTION; SUPER',
            can_grant: 'yes',
            authentication: '',
            detail: `in force, but no longer in mysql.global_priv; ${inForce}: GRANT OPTION; ${inForce}: SUPER`,
          },
        ],
        acts: [
          { as: 'h_risen', run: [takeOver], ends: refused },
          { as: 'h_schema', run: [`ALTER USER victim@'%' IDENTIFIED BY '${password}'`], ends: 'ok' },
          { as: 'h_fallen', run: ['SET GLOBAL general_log = OFF'], ends: 'ok' },
          { as: 'h_gone', run: ["GRANT SUPER ON *.* TO victim@'%'"], ends: 'ok' },
        ],
      },
    ];
    before(async () => {
      server = await startMariadb(suite ? { suite } : {});
      await setUp(server, changed);
    });
    after(() => server?.stop());

    test('the whole report', async () => compare(await report(server), changed, plugin));
    actOut(() => server, changed);

    test('an auditor whom the table has lost is told', async () => {
      await server.query("UPDATE mysql.global_priv SET User = 'auditor2' WHERE User = 'auditor'");
      assert.deepEqual(
        (await report(server)).filter(row => row.result === 'incomplete').map(row => row.detail),
        [
          'mysql.global_priv lacks auditor@%, who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES',
        ],
      );
    });
  });
}

describe('MariaDB: rights that are enough for everything', () => {
  test('a replica does what its source says, whoever has made it one', () => {
    return rulesByReplication(startMariadb, 'REPLICATION SLAVE ADMIN', port => [
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = 'feed', MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos`,
      'START SLAVE',
    ]);
  });

  test('who replays a binary log writes rows of mysql', () => rulesByBinaryLog(startMariadb, 'BINLOG REPLAY'));

  test('ALTER on mysql.global_priv gives everybody what the next reload reads', async () => {
    const server = await startMariadb();
    try {
      await setUp(server, [{ ...base, setup: [...base.setup!, "GRANT ALTER ON mysql.global_priv TO powerless@'%'"] }]);
      const priv = '{"access":33554432,"version_id":101100}';
      const run = [
        `ALTER TABLE mysql.global_priv DROP COLUMN Priv, ADD COLUMN Priv LONGTEXT NOT NULL DEFAULT '${priv}'`,
      ];
      await perform(server, { as: 'powerless', run, ends: 'ok' });
      await server.query('FLUSH PRIVILEGES');
      const connection = await server.connect('powerless', '');
      await connection.query(setPassword);
      connection.destroy();
    } finally {
      await server.stop();
    }
  });
});

describe('MariaDB: roles and accounts at random', () => {
  test('the report says of each account what the server says to it', () =>
    worlds(startMariadb, ['BINLOG ADMIN', 'CONNECTION ADMIN']));
});

describe('MariaDB: thousands of accounts', () => {
  let server: Server;
  before(async () => {
    server = await startMariadb();
  });
  after(() => server?.stop());

  /** The processor time that the server takes for a read, in ms: unlike a clock's it does not grow with the machine's load. */
  async function processorTime() {
    const [{ file }] = (await server.query('SELECT @@pid_file AS file')) as [{ file: string }];
    const stat = async () => {
      const fields = (await readFile(`/proc/${(await readFile(file, 'utf8')).trim()}/stat`, 'utf8'))
        .split(') ')[1]!
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    };
    const begun = await stat();
    await answerOf(server, query, sql => server.query(sql));
    return (await stat()) - begun;
  }

  // MariaDB's plans do not say how many rows a join through a buffer compares.
  test('four times the accounts take less than eight times as long, fresh and analyzed', {
    skip: process.platform !== 'linux' && 'needs /proc',
  }, async () => {
    const tables = 'ANALYZE TABLE mysql.global_priv, mysql.db, mysql.roles_mapping';
    await crowd(server, 1_500, 100);
    const few = [await processorTime()];
    await server.query(tables);
    few.push(await processorTime());
    await crowd(server, 6_000, 100);
    const many = [await processorTime()];
    await server.query(tables);
    many.push(await processorTime());
    assert.ok(Math.max(...many) < 8 * Math.min(...few), `${few} ms for 1,500 accounts, ${many} ms for 6,000`);
  });
});

describe('MariaDB: sight', () => {
  let server: Server;
  const tables = ['global_priv', 'db', 'tables_priv', 'columns_priv', 'roles_mapping', 'proxies_priv'];
  const seen: Case[] = [
    base,
    {
      what: 'one of each kind',
      accounts: ['w_static', 'w_schema', 'w_table', 'w_column', 'w_member', 'w_schema_member', 'w_proxy'],
      setup: [
        "GRANT SUPER ON *.* TO w_static@'%'",
        "GRANT INSERT ON mysql.* TO w_schema@'%'",
        "GRANT INSERT ON mysql.db TO w_table@'%'",
        "GRANT UPDATE (Priv) ON mysql.global_priv TO w_column@'%'",
        "CREATE ROLE w_role WITH ADMIN w_member@'%'",
        'GRANT RELOAD ON *.* TO w_role',
        proxy('w_proxy', '%', 'w_static', 0),
        'FLUSH PRIVILEGES',
      ],
      lines: [
        { principal: 'w_static@%', privileges: 'SUPER' },
        { principal: 'w_schema@%', privileges: 'INSERT ON mysql.*' },
        { principal: 'w_table@%', privileges: 'INSERT ON mysql.db' },
        { principal: 'w_column@%', privileges: 'UPDATE (Priv) ON mysql.global_priv' },
        { principal: 'w_role', type: 'role', privileges: 'RELOAD' },
        { principal: 'w_member@%', through: 'w_role', privileges: 'RELOAD', can_grant: 'yes' },
        { principal: 'w_proxy@%', privileges: 'PROXY ON w_static@%', detail: becomes('w_static@%') },
      ],
    },
  ];
  before(async () => {
    server = await startMariadb();
    await setUp(server, seen);
    await server.query(`CREATE USER a_least@'%' IDENTIFIED BY '${password}'`);
    for (const table of tables) {
      await server.query(`GRANT SELECT ON mysql.${table} TO a_least@'%'`);
      await server.query(`CREATE USER a_no_${table}@'%' IDENTIFIED BY '${password}'`);
      for (const other of tables)
        if (other !== table) await server.query(`GRANT SELECT ON mysql.${other} TO a_no_${table}@'%'`);
    }
    await server.query(`CREATE USER a_none@'%' IDENTIFIED BY '${password}'`);
    await server.query(`CREATE USER a_role@'%' IDENTIFIED BY '${password}'`);
    await server.query("CREATE ROLE a_other WITH ADMIN a_role@'%'");
    await server.query("CREATE ROLE a_reader WITH ADMIN a_role@'%'");
    await server.query('GRANT SELECT ON mysql.* TO a_reader');
  });
  after(() => server?.stop());

  /** Who may not read one table is told nothing but what to grant. */
  const isTold = async (auditor: string) => {
    const rows = await report(server, auditor);
    assert.deepEqual(
      rows.map(row => row.result),
      ['incomplete'],
    );
    assert.ok(rows[0]!.detail!.startsWith(`GRANT SELECT ON mysql.* TO '${auditor}'@'%'`), rows[0]!.detail);
  };

  test('all', async () => compare(await report(server), seen, plugin));
  test('the least', async () => compare(await report(server, 'a_least'), seen, plugin));
  test('through a role that is its default', async () => {
    await isTold('a_role');
    await server.query("SET DEFAULT ROLE a_reader FOR a_role@'%'");
    compare(await report(server, 'a_role'), seen, plugin);
  });

  for (const table of tables) test(`not mysql.${table}`, () => isTold(`a_no_${table}`));
  test('nothing at all', () => isTold('a_none'));

  test('roles in dense layers: one row for each that gets the right', async () => {
    const rows = await denseLayers(server);
    // Who creates a role is its member.
    const creator = rows.filter(row => row.principal === 'root@localhost');
    assert.deepEqual(
      creator.map(row => row.detail),
      [noMore('knot_0_a, knot_10_a, knot_10_b and 32 more')],
    );
    await denseLayersOfTheSame(server);
  });
});
