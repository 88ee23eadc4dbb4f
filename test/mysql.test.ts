// Who is an administrator of a MySQL server, and who is not: queries/mysql-administrators.sql on a real one.

import assert from 'node:assert/strict';
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
  moreHosts,
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
import { type Server, startMysql } from './servers.ts';

const plugin = 'caching_sha2_password';
const becomes = (name: string, proxies = 'off') =>
  `becomes ${name} where its login plugin maps it so; check_proxy_users is ${proxies}`;

/** Those who are there on every server, and the auditor. */
const base: Case = {
  what: 'the auditor, MySQL and its installer',
  accounts: ['auditor', 'victim', 'powerless'],
  setup: ["GRANT SELECT ON mysql.* TO auditor@'%'"],
  lines: [
    {
      principal: 'root@localhost',
      privileges: 'ALL PRIVILEGES',
      can_grant: 'yes',
      detail: 'becomes any account that its login plugin names',
    },
    {
      principal: 'mysql.session@localhost',
      privileges:
        'BACKUP_ADMIN; CLONE_ADMIN; CONNECTION_ADMIN; SESSION_VARIABLES_ADMIN; SHUTDOWN; SUPER; SYSTEM_VARIABLES_ADMIN',
      enabled: 'no',
      owner: 'MySQL',
      detail: 'locked; no password fits what is stored',
    },
  ],
  acts: [
    { as: 'powerless', run: ["ALTER USER victim@'%' IDENTIFIED BY 'x'"], ends: refused },
    { as: 'powerless', run: ['SET GLOBAL max_connections = 500'], ends: refused },
    { as: 'auditor', run: ['UPDATE mysql.user SET password_lifetime = NULL LIMIT 0'], ends: refused },
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
    "INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'",
    "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'",
    'SET GLOBAL check_proxy_users = ON',
    'SET GLOBAL caching_sha2_password_proxy_users = ON',
  ],
  lines: [],
};

const globalPrivileges: Case[] = [
  ...onBoth.globalPrivileges,
  holder('SUPER', 'g_super', 'SET GLOBAL max_connections = 500'),
  holder('CREATE TABLESPACE', 'g_tablespace', "CREATE UNDO TABLESPACE u1 ADD DATAFILE 'u1.ibu'"),
  holder('ROLE_ADMIN', 'g_role_admin', "GRANT any_role TO g_role_admin@'%'"),
  holder('SYSTEM_VARIABLES_ADMIN', 'g_variables', 'SET GLOBAL max_connections = 500'),
  holder('SESSION_VARIABLES_ADMIN', 'g_session', 'SET SESSION sql_log_bin = 0'),
  holder('BACKUP_ADMIN', 'g_backup', 'LOCK INSTANCE FOR BACKUP'),
  holder('REPLICATION_SLAVE_ADMIN', 'g_replication', 'STOP REPLICA'),
  holder('RESOURCE_GROUP_ADMIN', 'g_resource', 'CREATE RESOURCE GROUP rg1 TYPE = USER'),
  holder('INNODB_REDO_LOG_ENABLE', 'g_redo', 'ALTER INSTANCE ENABLE INNODB REDO_LOG'),
  {
    what: 'a role that ROLE_ADMIN may take',
    setup: ['CREATE ROLE any_role'],
    lines: [],
  },
  {
    what: 'BINLOG_ADMIN, CLONE_ADMIN, CONNECTION_ADMIN, ENCRYPTION_KEY_ADMIN',
    accounts: ['g_binlog', 'g_clone', 'g_connection', 'g_key'],
    setup: [
      "GRANT CONNECTION_ADMIN ON *.* TO g_connection@'%'",
      "GRANT BINLOG_ADMIN ON *.* TO g_binlog@'%'",
      "GRANT CLONE_ADMIN ON *.* TO g_clone@'%'",
      "GRANT ENCRYPTION_KEY_ADMIN ON *.* TO g_key@'%'",
    ],
    lines: [
      { principal: 'g_binlog@%', privileges: 'BINLOG_ADMIN' },
      { principal: 'g_clone@%', privileges: 'CLONE_ADMIN' },
      { principal: 'g_connection@%', privileges: 'CONNECTION_ADMIN' },
      { principal: 'g_key@%', privileges: 'ENCRYPTION_KEY_ADMIN' },
    ],
    acts: [
      { as: 'g_binlog', run: ["PURGE BINARY LOGS TO 'none'"], ends: 'ok' },
      { as: 'powerless', run: ["PURGE BINARY LOGS TO 'none'"], ends: refused },
    ],
  },
  {
    what: 'DROP ROLE drops locked accounts, whoever they are',
    accounts: ['g_drop_role'],
    setup: ['CREATE USER locked_victim ACCOUNT LOCK', "GRANT DROP ROLE ON *.* TO g_drop_role@'%'"],
    lines: [{ principal: 'g_drop_role@%', privileges: 'DROP ROLE' }],
    acts: [
      { as: 'powerless', run: ['DROP ROLE locked_victim'], ends: refused },
      { as: 'g_drop_role', run: ['DROP ROLE locked_victim'], ends: 'ok' },
    ],
  },
  {
    what: 'SET_ANY_DEFINER with CREATE ROUTINE acts as another account',
    accounts: ['g_definer'],
    setup: [
      "GRANT EXECUTE ON shop.* TO g_super@'%'",
      "GRANT SET_ANY_DEFINER ON *.* TO g_definer@'%'",
      "GRANT CREATE ROUTINE, EXECUTE ON shop.* TO g_definer@'%'",
    ],
    lines: [{ principal: 'g_definer@%', privileges: 'SET_ANY_DEFINER' }],
    acts: [
      {
        as: 'g_definer',
        run: ["CREATE DEFINER = 'g_super'@'%' PROCEDURE shop.p() SET GLOBAL max_connections = 500", 'CALL shop.p()'],
        ends: 'ok',
      },
    ],
  },
  {
    what: 'a dynamic privilege with grant option, which is its own',
    accounts: ['g_dynamic'],
    setup: ["GRANT BINLOG_ADMIN ON *.* TO g_dynamic@'%' WITH GRANT OPTION"],
    lines: [{ principal: 'g_dynamic@%', privileges: 'BINLOG_ADMIN', can_grant: 'yes' }],
    acts: [{ as: 'g_dynamic', run: ["GRANT BINLOG_ADMIN ON *.* TO victim@'%'"], ends: 'ok' }],
  },
  {
    what: 'ALL PRIVILEGES, without GRANT OPTION',
    accounts: ['g_all'],
    setup: ["GRANT ALL PRIVILEGES ON *.* TO g_all@'%'"],
    lines: [{ principal: 'g_all@%', privileges: 'ALL PRIVILEGES' }],
    acts: [
      {
        as: 'g_all',
        run: ["ALTER USER root@localhost IDENTIFIED BY 'x'", "ALTER USER root@localhost IDENTIFIED BY ''"],
        ends: 'ok',
      },
    ],
  },
];

/** Rights that make nobody an administrator, and what is refused to their holder. */
const notAdministrators: Case[] = [
  ...onBoth.notAdministrators,
  harmless(
    'PROCESS, SHOW DATABASES, REPLICATION CLIENT',
    'n_watch',
    ['PROCESS, SHOW DATABASES, REPLICATION CLIENT ON *.*'],
    'FLUSH LOGS',
  ),
  harmless('REPLICATION SLAVE', 'n_replica', ['REPLICATION SLAVE ON *.*'], 'STOP REPLICA'),
  harmless('CREATE ROLE', 'n_create_role', ['CREATE ROLE ON *.*'], "GRANT any_role TO n_create_role@'%'"),
  harmless('SYSTEM_USER', 'n_system_user', ['SYSTEM_USER ON *.*'], takeOver),
  harmless(
    'dynamic privileges that only show or concern the session itself',
    'n_dynamic',
    [
      'FLUSH_STATUS, SHOW_ROUTINE, XA_RECOVER_ADMIN, AUDIT_ABORT_EXEMPT, FIREWALL_EXEMPT, SENSITIVE_VARIABLES_OBSERVER, SERVICE_CONNECTION_ADMIN ON *.*',
    ],
    'SET GLOBAL max_connections = 500',
  ),
  harmless(
    'dynamic privileges that do nothing alone',
    'n_alone',
    [
      'ALLOW_NONEXISTENT_DEFINER, APPLICATION_PASSWORD_ADMIN, AUTHENTICATION_POLICY_ADMIN, PASSWORDLESS_USER_ADMIN, PERSIST_RO_VARIABLES_ADMIN ON *.*',
    ],
    'SET PERSIST_ONLY innodb_page_cleaners = 2',
  ),
  harmless(
    'what reads or runs everywhere',
    'n_everywhere',
    [
      'SELECT, EXECUTE, SHOW VIEW, LOCK TABLES, EVENT, TRIGGER, CREATE VIEW, CREATE ROUTINE, REFERENCES, CREATE TEMPORARY TABLES ON *.*',
    ],
    takeOver,
  ),
  harmless(
    'a migration: data and tables',
    'n_migration',
    ['SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON shop.*'],
    "GRANT SELECT ON shop.* TO victim@'%'",
  ),
  harmless('ALL on one table, with grant option', 'n_table', ['ALL ON shop.orders'], 'DROP DATABASE shop'),
  harmless(
    'time zones, help texts and statistics',
    'n_time_zone',
    ['INSERT, UPDATE, DELETE ON mysql.time_zone', 'UPDATE ON mysql.help_topic', 'DELETE ON mysql.innodb_table_stats'],
    takeOver,
  ),
  harmless(
    'reading and referring in mysql',
    'n_mysql_read',
    ['SELECT, REFERENCES, CREATE VIEW, SHOW VIEW, LOCK TABLES ON mysql.*'],
    takeOver,
  ),
  harmless('CREATE on a table that exists', 'n_create_table', ['CREATE ON mysql.user'], takeOver),
  harmless(
    'reading columns of mysql.user',
    'n_columns',
    ['SELECT (User, Host), REFERENCES (User) ON mysql.user'],
    takeOver,
  ),
  harmless('a routine to run', 'n_routine', ['EXECUTE ON PROCEDURE sys.ps_setup_show_enabled'], takeOver),
];

const systemSchema: Case[] = [
  ...onBoth.systemSchema,
  inMysql('INSERT on mysql.user', 't_user', ['INSERT ON mysql.user'], 'INSERT ON mysql.user', [
    "INSERT INTO mysql.user (Host, User, ssl_cipher, x509_issuer, x509_subject) VALUES ('nowhere', 'made_by_table', '', '', '')",
  ]),
  inMysql(
    'UPDATE on one column of mysql.user',
    't_column',
    ['UPDATE (authentication_string) ON mysql.user'],
    'UPDATE (authentication_string) ON mysql.user',
    ['UPDATE mysql.user SET authentication_string = NULL LIMIT 0'],
  ),
  inMysql(
    'columns and table of one table',
    't_columns',
    ['SELECT, DELETE, UPDATE (Super_priv, Grant_priv), INSERT (Host) ON mysql.user'],
    'DELETE ON mysql.user; INSERT (Host) ON mysql.user; UPDATE (Grant_priv) ON mysql.user; UPDATE (Super_priv) ON mysql.user',
    ["UPDATE mysql.user SET Super_priv = 'Y' WHERE User = 'nobody'"],
  ),
  inMysql('write on mysql.role_edges', 't_edges', ['INSERT ON mysql.role_edges'], 'INSERT ON mysql.role_edges', [
    "INSERT INTO mysql.role_edges (FROM_HOST, FROM_USER, TO_HOST, TO_USER) VALUES ('nowhere', 'x', 'nowhere', 'y')",
  ]),
  inMysql(
    'write on mysql.global_grants',
    't_grants',
    ['UPDATE ON mysql.global_grants'],
    'UPDATE ON mysql.global_grants',
    ["UPDATE mysql.global_grants SET WITH_GRANT_OPTION = 'Y' LIMIT 0"],
  ),
  inMysql('write on mysql.plugin installs plugins', 't_plugin', ['INSERT ON mysql.plugin'], 'INSERT ON mysql.plugin', [
    "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
  ]),
  inMysql(
    'write on mysql.component installs components',
    't_component',
    ['INSERT ON mysql.component'],
    'INSERT ON mysql.component',
    ["INSTALL COMPONENT 'file://component_log_sink_json'"],
  ),
  {
    what: 'two patterns: the one whose wildcard comes later wins',
    accounts: ['p_nearer'],
    setup: ["GRANT INSERT ON `%`.* TO p_nearer@'%'", "GRANT SELECT ON `mys%`.* TO p_nearer@'%'"],
    lines: [],
    acts: [{ as: 'p_nearer', run: ['CREATE USER made_by_p_nearer'], ends: refused }],
  },
  {
    what: 'two patterns, with a role: then all patterns count together',
    accounts: ['p_with_role'],
    setup: [
      "GRANT INSERT ON `%`.* TO p_with_role@'%'",
      "GRANT SELECT ON `mys%`.* TO p_with_role@'%'",
      "GRANT any_role TO p_with_role@'%'",
    ],
    lines: [{ principal: 'p_with_role@%', privileges: 'INSERT ON %.*', detail: matching('%') }],
    acts: [
      { as: 'p_with_role', run: ['CREATE USER made_by_p_with_role'], ends: refused },
      { as: 'p_with_role', run: ['SET ROLE ALL', 'CREATE USER made_by_p_with_role'], ends: 'ok' },
    ],
  },
];

const schemas: Case[] = [
  ...onBoth.schemas,
  inMysql('ALL on sys', 'd_sys', ['ALL ON sys.*'], 'ALL PRIVILEGES ON sys.*', ['CREATE TABLE sys.made (id INT)'], {
    scope: 'database:sys',
  }),
];

const roles: Case[] = [
  {
    what: 'a role, its member, and one who is not',
    accounts: ['r_member', 'r_stranger'],
    setup: ['CREATE ROLE dba', 'GRANT SUPER ON *.* TO dba', "GRANT dba TO r_member@'%'"],
    lines: [
      { principal: 'dba@%', type: 'role', privileges: 'SUPER' },
      { principal: 'r_member@%', through: 'dba@%', privileges: 'SUPER' },
    ],
    acts: [
      { as: 'r_member', run: ['SET ROLE dba', 'SET GLOBAL max_connections = 500'], ends: 'ok' },
      { as: 'r_stranger', run: ['SET ROLE dba'], ends: refused },
    ],
  },
  {
    what: 'roles within roles, none of them a default',
    accounts: ['r_deep'],
    setup: [
      'CREATE ROLE r_top, r_middle, r_bottom',
      'GRANT CREATE USER ON *.* TO r_top',
      'GRANT r_top TO r_middle',
      'GRANT r_middle TO r_bottom',
      "GRANT r_bottom TO r_deep@'%'",
    ],
    lines: [
      { principal: 'r_top@%', type: 'role', privileges: 'CREATE USER' },
      { principal: 'r_middle@%', type: 'role', through: 'r_top@%', privileges: 'CREATE USER' },
      { principal: 'r_bottom@%', type: 'role', through: 'r_middle@% > r_top@%', privileges: 'CREATE USER' },
      { principal: 'r_deep@%', through: 'r_bottom@% > r_middle@% > r_top@%', privileges: 'CREATE USER' },
    ],
    acts: [
      { as: 'r_deep', run: ['SET ROLE NONE', takeOver], ends: refused },
      { as: 'r_deep', run: ['SET ROLE r_bottom', setPassword], ends: 'ok' },
    ],
  },
  {
    what: 'two ways to one role are one row, which names the other',
    accounts: ['r_diamond'],
    setup: [
      'CREATE ROLE r_power, r_left, r_right',
      'GRANT FILE ON *.* TO r_power',
      'GRANT r_power TO r_left, r_right',
      "GRANT r_left, r_right TO r_diamond@'%'",
    ],
    lines: [
      { principal: 'r_power@%', type: 'role', privileges: 'FILE' },
      { principal: 'r_left@%', type: 'role', through: 'r_power@%', privileges: 'FILE' },
      { principal: 'r_right@%', type: 'role', through: 'r_power@%', privileges: 'FILE' },
      {
        principal: 'r_diamond@%',
        through: 'r_left@% > r_power@%',
        privileges: 'FILE',
        detail: noMore('r_right@%'),
      },
    ],
  },
  {
    what: 'what is held directly and through a role; the grant option comes with the role',
    accounts: ['r_both'],
    setup: [
      'CREATE ROLE r_giver',
      'GRANT CREATE USER ON *.* TO r_giver WITH GRANT OPTION',
      "GRANT RELOAD ON *.* TO r_both@'%'",
      "GRANT r_giver TO r_both@'%'",
    ],
    lines: [
      { principal: 'r_giver@%', type: 'role', privileges: 'CREATE USER; GRANT OPTION', can_grant: 'yes' },
      { principal: 'r_both@%', privileges: 'RELOAD' },
      { principal: 'r_both@%', through: 'r_giver@%', privileges: 'CREATE USER; GRANT OPTION', can_grant: 'yes' },
    ],
    acts: [{ as: 'r_both', run: ['SET ROLE ALL', "GRANT CREATE USER ON *.* TO victim@'%'"], ends: 'ok' }],
  },
  {
    what: 'a member with admin option may pass the role on',
    accounts: ['r_admin'],
    setup: [
      'CREATE ROLE r_passed',
      'GRANT SHUTDOWN ON *.* TO r_passed',
      "GRANT r_passed TO r_admin@'%' WITH ADMIN OPTION",
    ],
    lines: [
      { principal: 'r_passed@%', type: 'role', privileges: 'SHUTDOWN' },
      { principal: 'r_admin@%', through: 'r_passed@%', privileges: 'SHUTDOWN', can_grant: 'yes' },
    ],
    acts: [{ as: 'r_admin', run: ["GRANT r_passed TO victim@'%'", "REVOKE r_passed FROM victim@'%'"], ends: 'ok' }],
  },
  {
    what: 'admin option on a harmless role is nothing',
    accounts: ['r_harmless'],
    setup: [
      'CREATE ROLE r_reader',
      'GRANT SELECT ON *.* TO r_reader',
      "GRANT r_reader TO r_harmless@'%' WITH ADMIN OPTION",
    ],
    lines: [],
    acts: [{ as: 'r_harmless', run: ['SET ROLE ALL', takeOver], ends: refused }],
  },
  {
    what: 'a role is a name and a host',
    accounts: ['r_host'],
    setup: [
      'CREATE ROLE r_same',
      'CREATE ROLE r_same@localhost',
      'GRANT SUPER ON *.* TO r_same',
      "GRANT r_same@localhost TO r_host@'%'",
    ],
    lines: [{ principal: 'r_same@%', type: 'role', privileges: 'SUPER' }],
    acts: [{ as: 'r_host', run: ['SET ROLE ALL', 'SET GLOBAL max_connections = 500'], ends: refused }],
  },
  {
    what: "a role has only its own host's schema grants",
    accounts: ['r_host_schema'],
    setup: [
      'CREATE ROLE r_schema_host',
      'CREATE ROLE r_schema_host@localhost',
      'GRANT UPDATE ON mysql.* TO r_schema_host',
      "GRANT r_schema_host@localhost TO r_host_schema@'%'",
    ],
    lines: [{ principal: 'r_schema_host@%', type: 'role', privileges: 'UPDATE ON mysql.*' }],
    acts: [{ as: 'r_host_schema', run: ['SET ROLE ALL', takeOver], ends: refused }],
  },
  {
    what: 'an account as a role',
    accounts: ['r_boss', 'r_deputy'],
    setup: ["GRANT CREATE USER ON *.* TO r_boss@'%'", "GRANT r_boss@'%' TO r_deputy@'%'"],
    lines: [
      { principal: 'r_boss@%', privileges: 'CREATE USER', detail: 'an account that others hold as a role' },
      { principal: 'r_deputy@%', through: 'r_boss@%', privileges: 'CREATE USER' },
    ],
    acts: [{ as: 'r_deputy', run: ["SET ROLE r_boss@'%'", setPassword], ends: 'ok' }],
  },
  {
    what: 'a role of a schema, and of the schema mysql by a pattern',
    accounts: ['r_shop', 'r_pattern'],
    setup: [
      'CREATE ROLE r_shop_owner, r_patterns',
      'GRANT ALL ON shop.* TO r_shop_owner',
      "GRANT r_shop_owner TO r_shop@'%'",
      'GRANT INSERT ON `my%`.* TO r_patterns',
      "GRANT r_patterns TO r_pattern@'%'",
    ],
    lines: [
      { scope: 'database:shop', principal: 'r_shop_owner@%', type: 'role', privileges: 'ALL PRIVILEGES ON shop.*' },
      {
        scope: 'database:shop',
        principal: 'r_shop@%',
        through: 'r_shop_owner@%',
        privileges: 'ALL PRIVILEGES ON shop.*',
      },
      { principal: 'r_patterns@%', type: 'role', privileges: 'INSERT ON my%.*', detail: matching('my%') },
      { principal: 'r_pattern@%', through: 'r_patterns@%', privileges: 'INSERT ON my%.*', detail: matching('my%') },
    ],
    acts: [{ as: 'r_pattern', run: ['SET ROLE ALL', 'CREATE USER made_by_r_pattern'], ends: 'ok' }],
  },
  {
    what: 'roles in a circle, which no GRANT makes',
    accounts: ['r_circle'],
    setup: [
      'CREATE ROLE r_c1, r_c2',
      'GRANT SUPER ON *.* TO r_c1',
      'GRANT r_c1 TO r_c2',
      "INSERT INTO mysql.role_edges (FROM_HOST, FROM_USER, TO_HOST, TO_USER) VALUES ('%', 'r_c2', '%', 'r_c1')",
      'FLUSH PRIVILEGES',
      "GRANT r_c2 TO r_circle@'%'",
    ],
    lines: [
      { principal: 'r_c1@%', type: 'role', privileges: 'SUPER' },
      { principal: 'r_c2@%', type: 'role', through: 'r_c1@%', privileges: 'SUPER' },
      { principal: 'r_circle@%', through: 'r_c2@% > r_c1@%', privileges: 'SUPER' },
    ],
    acts: [{ as: 'r_circle', run: ['SET ROLE ALL', 'SET GLOBAL max_connections = 500'], ends: 'ok' }],
  },
];

const logins: Case[] = [
  {
    what: 'locked',
    accounts: ['l_locked'],
    setup: ["GRANT SUPER ON *.* TO l_locked@'%'", "ALTER USER l_locked@'%' ACCOUNT LOCK"],
    lines: [{ principal: 'l_locked@%', privileges: 'SUPER', enabled: 'no', detail: 'locked' }],
    acts: [{ as: 'l_locked', run: [], ends: [3118] }],
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
  },
  {
    what: 'a plugin that lets nobody in',
    setup: ['CREATE USER l_nobody IDENTIFIED WITH mysql_no_login', 'GRANT SUPER ON *.* TO l_nobody'],
    lines: [
      {
        principal: 'l_nobody@%',
        privileges: 'SUPER',
        enabled: 'no',
        authentication: 'mysql_no_login',
        detail: 'mysql_no_login lets nobody in',
      },
    ],
    acts: [{ as: 'l_nobody', run: [], ends: refused }],
  },
  {
    what: 'a plugin that is not loaded',
    accounts: ['l_unloaded'],
    setup: [
      "GRANT SUPER ON *.* TO l_unloaded@'%'",
      "UPDATE mysql.user SET plugin = 'AWSAuthenticationPlugin', authentication_string = 'RDS' WHERE User = 'l_unloaded'",
      'FLUSH PRIVILEGES',
    ],
    lines: [
      {
        principal: 'l_unloaded@%',
        privileges: 'SUPER',
        enabled: 'no',
        authentication: 'AWSAuthenticationPlugin',
        detail: 'its login plugin AWSAuthenticationPlugin is not loaded',
      },
    ],
    acts: [{ as: 'l_unloaded', run: [], ends: [1524, ...refused] }],
  },
  {
    what: 'a hash that no password fits',
    accounts: ['l_hash'],
    setup: [
      "GRANT SUPER ON *.* TO l_hash@'%'",
      "UPDATE mysql.user SET authentication_string = 'none' WHERE User = 'l_hash'",
      'FLUSH PRIVILEGES',
    ],
    lines: [{ principal: 'l_hash@%', privileges: 'SUPER', enabled: 'no', detail: 'no password fits what is stored' }],
    acts: [{ as: 'l_hash', run: [], ends: refused }],
  },
  {
    what: 'no password',
    setup: ['CREATE USER l_empty', 'GRANT SUPER ON *.* TO l_empty'],
    lines: [{ principal: 'l_empty@%', privileges: 'SUPER', detail: 'no password' }],
  },
  {
    what: "the operating system's account",
    setup: [
      'CREATE USER l_socket IDENTIFIED WITH auth_socket',
      "CREATE USER l_socket_as IDENTIFIED WITH auth_socket AS 'daemon'",
      'GRANT SUPER ON *.* TO l_socket, l_socket_as',
    ],
    lines: [
      {
        principal: 'l_socket@%',
        privileges: 'SUPER',
        authentication: 'auth_socket',
        detail: "logs in as the operating system's account l_socket",
      },
      {
        principal: 'l_socket_as@%',
        privileges: 'SUPER',
        authentication: 'auth_socket',
        detail: "logs in as the operating system's account daemon",
      },
    ],
  },
  {
    what: 'two factors',
    setup: [
      `CREATE USER l_two IDENTIFIED WITH caching_sha2_password BY '${password}' AND IDENTIFIED WITH auth_socket`,
      'GRANT SUPER ON *.* TO l_two',
    ],
    lines: [{ principal: 'l_two@%', privileges: 'SUPER', authentication: 'caching_sha2_password and auth_socket' }],
  },
  {
    what: 'a role that has been unlocked and given a password is a user',
    setup: [
      'CREATE ROLE l_role',
      'GRANT SUPER ON *.* TO l_role',
      `ALTER USER l_role IDENTIFIED BY '${password}' ACCOUNT UNLOCK`,
    ],
    lines: [{ principal: 'l_role@%', privileges: 'SUPER' }],
    acts: [{ as: 'l_role', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' }],
  },
  {
    what: 'an anonymous account',
    setup: [`CREATE USER ''@'10.0.0.1' IDENTIFIED BY '${password}'`, "GRANT SUPER ON *.* TO ''@'10.0.0.1'"],
    lines: [{ principal: '@10.0.0.1', privileges: 'SUPER', detail: 'anonymous: logs in under any name' }],
  },
  {
    what: 'proxies: of an administrator, of a member of a role, of a schema administrator, of nobody of note',
    accounts: ['x_proxy', 'x_proxy_member', 'x_proxy_schema', 'x_proxy_harmless', 'x_proxy_admin'],
    setup: [
      "GRANT PROXY ON g_super@'%' TO x_proxy@'%'",
      "GRANT PROXY ON r_member@'%' TO x_proxy_member@'%'",
      "GRANT PROXY ON d_all@'%' TO x_proxy_schema@'%'",
      "GRANT PROXY ON victim@'%' TO x_proxy_harmless@'%'",
      "GRANT PROXY ON g_super@'%' TO x_proxy_admin@'%' WITH GRANT OPTION",
      "GRANT RELOAD ON *.* TO x_proxy_admin@'%'",
    ],
    lines: [
      { principal: 'x_proxy@%', privileges: 'PROXY ON g_super@%', detail: becomes('g_super@%', 'on') },
      { principal: 'x_proxy_member@%', privileges: 'PROXY ON r_member@%', detail: becomes('r_member@%', 'on') },
      {
        scope: 'database:shop',
        principal: 'x_proxy_schema@%',
        privileges: 'PROXY ON d_all@%',
        detail: becomes('d_all@%', 'on'),
      },
      {
        principal: 'x_proxy_admin@%',
        privileges: 'GRANT OPTION; PROXY ON g_super@%; RELOAD',
        can_grant: 'yes',
        detail: becomes('g_super@%', 'on'),
      },
    ],
    acts: [
      { as: 'x_proxy', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' },
      { as: 'x_proxy_harmless', run: ['SET GLOBAL max_connections = 500'], ends: refused },
    ],
  },
  {
    what: 'a proxy for everybody',
    accounts: ['x_proxy_all'],
    setup: ["GRANT PROXY ON ''@'' TO x_proxy_all@'%' WITH GRANT OPTION"],
    lines: [
      {
        principal: 'x_proxy_all@%',
        privileges: 'GRANT OPTION; PROXY ON @',
        can_grant: 'yes',
        detail: 'becomes any account that its login plugin names',
      },
    ],
    acts: [
      {
        as: 'x_proxy_all',
        run: ["GRANT PROXY ON g_super@'%' TO victim@'%'"],
        ends: 'ok',
      },
    ],
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
    ' blanks ',
    'x'.repeat(32),
    '田中',
    '山田',
  ].map(
    (name): Case => ({
      what: `the name ${JSON.stringify(name)}`,
      accounts: [`${name}@%`],
      setup: [`GRANT SUPER ON *.* TO ${account(`${name}@%`)}`],
      lines: [{ principal: `${name.trim()}@%`, privileges: 'SUPER' }],
      acts: [{ as: name.trim(), run: ['SET GLOBAL max_connections = 500'], ends: 'ok' }],
    }),
  ),
  {
    what: 'twins but for case and accents: one is an administrator',
    accounts: ['Ada', 'ada', 'àda', 'ADA'],
    setup: ["GRANT SUPER ON *.* TO 'Ada'@'%'", "GRANT CREATE USER ON *.* TO 'àda'@'%'"],
    lines: [
      { principal: 'Ada@%', privileges: 'SUPER' },
      { principal: 'àda@%', privileges: 'CREATE USER' },
    ],
    acts: [
      { as: 'Ada', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' },
      { as: 'ada', run: ['SET GLOBAL max_connections = 500'], ends: refused },
      { as: 'ADA', run: ['SET GLOBAL max_connections = 500'], ends: refused },
      { as: 'àda', run: ['SET GLOBAL max_connections = 500'], ends: refused },
    ],
  },
  {
    what: 'a role with commas and quotes, of twins',
    accounts: ['n_role_member'],
    setup: ["CREATE ROLE 'r,''1', 'R,''1'", "GRANT SUPER ON *.* TO 'R,''1'", "GRANT 'r,''1' TO n_role_member@'%'"],
    lines: [{ principal: "R,'1@%", type: 'role', privileges: 'SUPER' }],
    acts: [{ as: 'n_role_member', run: ['SET ROLE ALL', 'SET GLOBAL max_connections = 500'], ends: refused }],
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
];

describe('MySQL: each way of being an administrator, and of not being one', () => {
  let server: Server;
  let rows: Record<string, string>[];
  before(async () => {
    server = await startMysql();
    const [files] = await server.query('SELECT @@secure_file_priv AS folder');
    for (const each of cases)
      for (const act of each.acts ?? []) act.run = act.run.map(run => run.replace('{files}', files!.folder));
    await setUp(server, cases);
    rows = await report(server);
  });
  after(() => server?.stop());

  test('the whole report', () => compare(rows, cases, plugin));

  test('times are UTC', async () => {
    await server.query("SET GLOBAL time_zone = '+05:30'");
    const again = await report(server);
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
      'REAL_AS_FLOAT,ALLOW_INVALID_DATES,TIME_TRUNCATE_FRACTIONAL',
    ].map((mode): [string, string] => ['sql_mode', mode]),
    ...[
      'SET NAMES utf8mb3',
      'SET NAMES latin1',
      'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci',
      'SET character_set_results = latin1',
      "SET SESSION sql_mode = 'ANSI_QUOTES'",
    ].map((statement): [string, string] => ['init_connect', statement]),
    ...[
      'block_nested_loop=off',
      'hash_join=off',
      'materialization=off',
      'semijoin=off',
      'derived_merge=off',
      'derived_condition_pushdown=off',
      'condition_fanout_filter=off',
      'subquery_to_derived=on',
      'hypergraph_optimizer=on',
      'use_invisible_indexes=on',
    ].map((value): [string, string] => ['optimizer_switch', value]),
    ['group_concat_max_len', 4],
    ['sql_select_limit', 3],
    ['cte_max_recursion_depth', 2],
    ['max_join_size', 1],
    ['max_execution_time', 1],
    ['max_sort_length', 8],
    ['sort_buffer_size', 32768],
    ['join_buffer_size', 128],
    ['read_rnd_buffer_size', 1],
    ['tmp_table_size', 1024],
    ['max_heap_table_size', 16384],
    ['temptable_max_ram', 2097152],
    ['temptable_max_mmap', 0],
    ['internal_tmp_mem_storage_engine', 'MEMORY'],
    ['big_tables', 1],
    ['div_precision_increment', 0],
    ['regexp_stack_limit', 8000],
    ['regexp_time_limit', 32],
    ['eq_range_index_dive_limit', 0],
    ['optimizer_search_depth', 0],
    ['optimizer_prune_level', 0],
    ['range_optimizer_max_mem_size', 1],
    ['windowing_use_high_precision', 0],
    ['information_schema_stats_expiry', 0],
    ['time_zone', '-11:30'],
    ['lc_time_names', 'ja_JP'],
    ['collation_connection', 'utf8mb4_0900_as_cs'],
    ['character_set_results', 'latin1'],
    ['default_collation_for_utf8mb4', 'utf8mb4_general_ci'],
    ['transaction_isolation', 'SERIALIZABLE'],
    ['max_allowed_packet', 16384],
  ];
  for (const file of ['mysql-administrators.sql', 'mysql-5.7-administrators.sql']) {
    test(`the server's own settings change nothing in ${file}`, () => sameUnder(server, file, settings));
  }

  test('the query for MySQL 5.7 finds the same, where there are no roles, dynamic privileges and further factors', async () => {
    const old: Case[] = cases
      .filter(
        ({ setup = [] }) =>
          !/ROLE|_ADMIN|SET_ANY|INNODB|r_boss|any_role|role_edges|global_grants|component| AND IDENTIFIED/.test(
            setup.join(),
          ),
      )
      .map(each => ({
        ...each,
        lines: each.lines
          .filter(line => line.principal !== 'x_proxy_member@%')
          .map(line => ({
            ...line,
            privileges: line.privileges
              .split('; ')
              .filter(name => !/^\w+_\w+$|^(CREATE|DROP) ROLE$/.test(name))
              .join('; '),
          })),
      }));
    const known = new Set(old.flatMap(({ lines }) => lines.map(line => line.principal)));
    const answer = (await ask(server, 'mysql-5.7-administrators.sql'))
      .filter(row => known.has(row.principal!))
      // A pattern that covers mysql among others has a row of each.
      .filter(row => row.scope !== 'database:m%')
      .map(row => ({
        ...row,
        privileges: row
          .privileges!.split('; ')
          .filter(name => !/^\w+_\w+$|^(CREATE|DROP) ROLE$/.test(name))
          .join('; '),
        detail: row
          .detail!.split('; ')
          .filter(part => !/^in force, but no longer in the tables/.test(part))
          .join('; '),
      }));
    compare(answer, old, plugin);
    assert.ok(known.size > 70);
  });

  actOut(() => server, cases);

  test('an expired password can be changed, and then the account has its privileges', async () => {
    const connection = await server.connect('l_expired', password, { flags: ['CAN_HANDLE_EXPIRED_PASSWORDS'] });
    await connection.query(`ALTER USER USER() IDENTIFIED BY '${password}1'`);
    await connection.query('SET GLOBAL max_connections = 500');
    await connection.end();
  });

  test('CONNECTION_ADMIN ends the sessions of others', async () => {
    const other = await server.connect('victim', password);
    await perform(server, { as: 'powerless', run: [`KILL ${other.threadId}`], ends: refused });
    await perform(server, { as: 'g_connection', run: [`KILL ${other.threadId}`], ends: 'ok' });
    other.destroy();
  });
});

describe('MySQL: hosts', () => {
  let server: Server;
  const proxied = (through: string) => `${becomes('c_boss@%', 'on')}${through ? `; ${through}` : ''}`;
  const covered: Case[] = [
    base,
    ...coveredHosts,
    {
      what: 'a proxy for every host is one at each',
      accounts: ['c_boss', 'c_proxy', 'c_proxy@localhost'],
      setup: [
        'SET GLOBAL check_proxy_users = ON',
        'SET GLOBAL caching_sha2_password_proxy_users = ON',
        "GRANT CREATE USER ON *.* TO c_boss@'%'",
        "GRANT PROXY ON c_boss@'%' TO c_proxy@'%'",
      ],
      lines: [
        { principal: 'c_boss@%', privileges: 'CREATE USER' },
        { principal: 'c_proxy@%', privileges: 'PROXY ON c_boss@%', detail: proxied('') },
        { principal: 'c_proxy@localhost', privileges: 'PROXY ON c_boss@%', detail: proxied('') },
      ],
      acts: [{ as: 'c_proxy', run: [asAccount('c_boss@%'), setPassword], ends: 'ok' }],
    },
    {
      what: 'a network with the length of its mask',
      accounts: ['c_cidr@127.0.0.0/8', 'c_cidr@127.0.0.1'],
      setup: ["GRANT UPDATE ON mysql.* TO c_cidr@'127.0.0.0/8'"],
      lines: [
        { principal: 'c_cidr@127.0.0.0/8', privileges: 'UPDATE ON mysql.*' },
        {
          principal: 'c_cidr@127.0.0.1',
          through: 'c_cidr@127.0.0.0/8',
          privileges: 'UPDATE ON mysql.*',
          detail: moreHosts,
        },
      ],
      acts: [{ as: 'c_cidr', run: [asAccount('c_cidr@127.0.0.1'), setPassword], ends: 'ok' }],
    },
    {
      what: 'further factors, and a password that is too old',
      accounts: ['c_factor', 'c_no_login', 'c_old', 'c_forever'],
      setup: [
        "GRANT CREATE USER ON *.* TO c_factor@'%', c_no_login@'%', c_old@'%', c_forever@'%'",
        `UPDATE mysql.user SET User_attributes = '{"multi_factor_authentication": [{"plugin": "authentication_fido", "passwordless": 0, "authentication_string": "", "requires_registration": 0}]}' WHERE User = 'c_factor'`,
        `UPDATE mysql.user SET User_attributes = '{"multi_factor_authentication": [{"plugin": "mysql_no_login", "passwordless": 0, "authentication_string": "", "requires_registration": 0}]}' WHERE User = 'c_no_login'`,
        "UPDATE mysql.user SET password_last_changed = '2020-01-01', password_lifetime = 90 WHERE User = 'c_old'",
        "UPDATE mysql.user SET password_last_changed = '2020-01-01', password_lifetime = 0 WHERE User = 'c_forever'",
        "INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'",
        'FLUSH PRIVILEGES',
      ],
      lines: [
        {
          principal: 'c_factor@%',
          privileges: 'CREATE USER',
          enabled: 'no',
          authentication: `${plugin} and authentication_fido`,
          detail: 'its login plugin authentication_fido is not loaded',
        },
        {
          principal: 'c_no_login@%',
          privileges: 'CREATE USER',
          enabled: 'no',
          authentication: `${plugin} and mysql_no_login`,
          detail: 'mysql_no_login lets nobody in',
        },
        {
          principal: 'c_old@%',
          privileges: 'CREATE USER',
          detail: 'its password has expired and must be changed at the next login',
        },
        { principal: 'c_forever@%', privileges: 'CREATE USER' },
      ],
      acts: [
        { as: 'c_factor', run: [], ends: [1524, 4052, 2059, ...refused] },
        { as: 'c_no_login', run: [], ends: [1524, 4052, 2059, ...refused] },
        { as: 'c_old', run: [], ends: [1862] },
        { as: 'c_forever', run: [setPassword], ends: 'ok' },
      ],
    },
  ];
  before(async () => {
    server = await startMysql();
    await setUp(server, covered);
  });
  after(() => server?.stop());

  test('the whole report', async () => compare(await report(server), covered, plugin));
  actOut(() => server, covered);

  test('a proxy of nobody in particular is everybody', async () => {
    await server.query("CREATE USER ''@'%' ACCOUNT LOCK");
    await server.query("GRANT PROXY ON c_boss@'%' TO ''@'%'");
    const note = 'granted to the anonymous account, and so to everybody from its hosts';
    // The auditor, logging in anew, would become the boss too.
    const rows = await answerOf(server, 'mysql-administrators.sql', sql => server.query(sql));
    const found = rows.find(row => row.principal === 'powerless@%')!;
    assert.deepEqual([found.extent, found.privileges, found.detail], ['full', 'PROXY ON c_boss@%', proxied(note)]);
    await perform(server, { as: 'powerless', run: [asAccount('c_boss@%'), setPassword], ends: 'ok' });
    await server.query("DROP USER ''@'%'");
  });

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

describe('MySQL: the tables changed by hand, and not yet read by the server', () => {
  let server: Server;
  const changed: Case[] = [
    base,
    {
      what: 'accounts before the change',
      accounts: ['h_risen', 'h_fallen', 'h_gone', 'h_dynamic', 'h_schema', 'h_part'],
      setup: [
        "GRANT UPDATE ON mysql.* TO h_schema@'%'",
        "DELETE FROM mysql.db WHERE User = 'h_schema'",
        "GRANT INSERT, UPDATE ON `m%`.* TO h_part@'%'",
        "UPDATE mysql.db SET Update_priv = 'N' WHERE User = 'h_part'",
        "GRANT SUPER, RELOAD ON *.* TO h_fallen@'%'",
        "GRANT SUPER ON *.* TO h_gone@'%'",
        "GRANT BINLOG_ADMIN ON *.* TO h_dynamic@'%' WITH GRANT OPTION",
        "UPDATE mysql.user SET Super_priv = 'Y', Grant_priv = 'Y' WHERE User = 'h_risen'",
        "UPDATE mysql.user SET Super_priv = 'N' WHERE User = 'h_fallen'",
        "DELETE FROM mysql.user WHERE User = 'h_gone'",
        "DELETE FROM mysql.global_grants WHERE USER = 'h_dynamic'",
        "INSERT INTO mysql.global_grants (USER, HOST, PRIV, WITH_GRANT_OPTION) VALUES ('h_nobody', '%', 'ROLE_ADMIN', 'N')",
      ],
      lines: [
        {
          principal: 'h_risen@%',
          privileges: 'GRANT OPTION; SUPER',
          can_grant: 'yes',
          detail:
            'in the tables, but not in force before FLUSH PRIVILEGES or a restart: GRANT OPTION; ' +
            'in the tables, but not in force before FLUSH PRIVILEGES or a restart: SUPER',
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
        {
          principal: 'h_fallen@%',
          privileges: 'RELOAD; SUPER',
          detail: 'in force, but no longer in the tables: SUPER',
        },
        {
          principal: 'h_gone@%',
          privileges: 'SUPER',
          authentication: '',
          detail: 'in force, but no longer in mysql.user; in force, but no longer in the tables: SUPER',
        },
        {
          principal: 'h_dynamic@%',
          privileges: 'BINLOG_ADMIN',
          can_grant: 'yes',
          detail: 'in force, but no longer in the tables: BINLOG_ADMIN',
        },
      ],
      acts: [
        { as: 'h_risen', run: ['SET GLOBAL max_connections = 500'], ends: refused },
        { as: 'h_schema', run: [setPassword], ends: 'ok' },
        { as: 'h_fallen', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' },
        { as: 'h_gone', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' },
        { as: 'h_dynamic', run: ["GRANT BINLOG_ADMIN ON *.* TO victim@'%'"], ends: 'ok' },
      ],
    },
  ];
  before(async () => {
    server = await startMysql();
    await setUp(server, changed);
  });
  after(() => server?.stop());

  test('the whole report', async () => compare(await report(server), changed, plugin));

  test('an auditor whom the table has lost is told', async () => {
    await server.query(
      "INSERT INTO mysql.user SELECT * FROM (SELECT * FROM mysql.user WHERE User = 'auditor') AS a ON DUPLICATE KEY UPDATE User = 'auditor2'",
    );
    const rows = await report(server);
    await server.query("UPDATE mysql.user SET User = 'auditor' WHERE User = 'auditor2'");
    assert.deepEqual(
      rows.filter(row => row.result === 'incomplete').map(row => row.detail),
      ['mysql.user lacks auditor@%, who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES'],
    );
  });
  actOut(() => server, changed);
});

describe('MySQL: partial revokes', () => {
  let server: Server;
  const revoked: Case[] = [
    base,
    {
      what: 'everything written, but not in mysql',
      accounts: ['v_data'],
      setup: [
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP ON *.* TO v_data@'%'",
        "REVOKE INSERT, UPDATE, DELETE, CREATE, ALTER, DROP ON mysql.* FROM v_data@'%'",
      ],
      lines: [],
      acts: [{ as: 'v_data', run: [takeOver], ends: refused }],
    },
    {
      what: 'all but one of them',
      accounts: ['v_update'],
      setup: [
        "GRANT INSERT, UPDATE, DELETE ON *.* TO v_update@'%'",
        "REVOKE INSERT, DELETE ON mysql.* FROM v_update@'%'",
      ],
      lines: [{ principal: 'v_update@%', privileges: 'UPDATE' }],
      acts: [{ as: 'v_update', run: [setPassword], ends: 'ok' }],
    },
    {
      what: 'a restriction on another schema is no help',
      accounts: ['v_other'],
      setup: ["GRANT INSERT ON *.* TO v_other@'%'", "REVOKE INSERT ON sys.* FROM v_other@'%'"],
      lines: [{ principal: 'v_other@%', privileges: 'INSERT' }],
      acts: [{ as: 'v_other', run: ['CREATE USER made_by_v_other'], ends: 'ok' }],
    },
    {
      what: 'restrictions on several schemas, mysql among them',
      accounts: ['v_several'],
      setup: [
        "GRANT INSERT, UPDATE ON *.* TO v_several@'%'",
        "REVOKE INSERT ON sys.* FROM v_several@'%'",
        "REVOKE INSERT, UPDATE ON mysql.* FROM v_several@'%'",
      ],
      lines: [],
      acts: [{ as: 'v_several', run: [takeOver], ends: refused }],
    },
    {
      what: 'CREATE USER and SUPER stay',
      accounts: ['v_all'],
      setup: ["GRANT ALL ON *.* TO v_all@'%'", "REVOKE ALL ON mysql.* FROM v_all@'%'"],
      lines: [
        {
          principal: 'v_all@%',
          privileges:
            'AUDIT_ADMIN; BACKUP_ADMIN; BINLOG_ADMIN; BINLOG_ENCRYPTION_ADMIN; CLONE_ADMIN; CONNECTION_ADMIN; ' +
            'CREATE TABLESPACE; CREATE USER; CREATE_SPATIAL_REFERENCE_SYSTEM; DROP ROLE; ENCRYPTION_KEY_ADMIN; FILE; ' +
            'GROUP_REPLICATION_ADMIN; GROUP_REPLICATION_STREAM; INNODB_REDO_LOG_ARCHIVE; INNODB_REDO_LOG_ENABLE; ' +
            'MANAGE_DATA_MASKING_POLICY; RELOAD; REPLICATION_APPLIER; REPLICATION_SLAVE_ADMIN; RESOURCE_GROUP_ADMIN; ' +
            'ROLE_ADMIN; SESSION_VARIABLES_ADMIN; SET_ANY_DEFINER; SHUTDOWN; SUPER; SYSTEM_VARIABLES_ADMIN; TELEMETRY_LOG_ADMIN',
        },
      ],
      acts: [{ as: 'v_all', run: ['SET GLOBAL max_connections = 500'], ends: 'ok' }],
    },
    {
      what: 'a role gives back what was revoked',
      accounts: ['v_role'],
      setup: [
        "GRANT UPDATE ON *.* TO v_role@'%'",
        "REVOKE UPDATE ON mysql.* FROM v_role@'%'",
        'CREATE ROLE v_giver',
        'GRANT UPDATE ON mysql.* TO v_giver',
        "GRANT v_giver TO v_role@'%'",
      ],
      lines: [
        { principal: 'v_giver@%', type: 'role', privileges: 'UPDATE ON mysql.*' },
        { principal: 'v_role@%', through: 'v_giver@%', privileges: 'UPDATE ON mysql.*' },
      ],
      acts: [
        { as: 'v_role', run: [takeOver], ends: refused },
        { as: 'v_role', run: ['SET ROLE ALL', setPassword], ends: 'ok' },
      ],
    },
    {
      what: 'a pattern is a plain name here',
      accounts: ['v_pattern', 'v_pattern_all', 'v_named'],
      setup: [
        "GRANT INSERT, UPDATE ON `%`.* TO v_pattern@'%'",
        "GRANT ALL ON `m%`.* TO v_pattern_all@'%'",
        "GRANT UPDATE ON mysql.* TO v_named@'%'",
      ],
      lines: [
        { scope: 'database:m%', principal: 'v_pattern_all@%', privileges: 'ALL PRIVILEGES ON m%.*' },
        { principal: 'v_named@%', privileges: 'UPDATE ON mysql.*' },
      ],
      acts: [
        { as: 'v_pattern', run: [takeOver], ends: refused },
        { as: 'v_pattern_all', run: [takeOver], ends: refused },
        { as: 'v_pattern_all', run: ['CREATE DATABASE `m%`'], ends: 'ok' },
      ],
    },
  ];
  before(async () => {
    server = await startMysql({ arguments: ['--partial_revokes=ON'] });
    await setUp(server, revoked);
  });
  after(() => server?.stop());

  test('the whole report', async () => compare(await report(server), revoked, plugin));
  actOut(() => server, revoked);
});

describe('MySQL: what everybody holds', () => {
  let server: Server;
  const everybody = [
    'auditor@%',
    'powerless@%',
    'victim@%',
    'e_member@%',
    'e_locked@%',
    'root@localhost',
    'mysql.infoschema@localhost',
    'mysql.session@localhost',
    'mysql.sys@localhost',
  ];
  const about = (principal: string) => {
    const own = /^mysql\./.test(principal);
    const detail = own ? ['locked', 'no password fits what is stored'] : principal === 'e_locked@%' ? ['locked'] : [];
    return { principal, owner: own ? 'MySQL' : '', enabled: detail.length ? 'no' : 'yes', detail };
  };
  /** What everybody gets through a role; who has it all without it is told which role that is, in a row of its own. */
  const through = (role: string, privileges: string, without = ['root@localhost']) =>
    everybody
      .filter(name => !without.includes(name))
      .map(name => {
        const { detail, ...rest } = about(name);
        const note = [...detail, 'mandatory_roles gives the role to everybody'].join('; ');
        return { ...rest, through: role, privileges, detail: note };
      });
  const own = (root = '', session = ''): Case['lines'] =>
    base.lines.map(line => {
      const note = line.principal === 'root@localhost' ? root : session;
      const parts = line.detail!.split('; ');
      const place = line.principal === 'root@localhost' ? parts.length - 1 : parts.length;
      return { ...line, detail: (note ? parts.toSpliced(place, 0, noMore(note)) : parts).join('; ') };
    });
  const mandatory: Case[] = [
    { ...base, lines: [] },
    {
      what: 'accounts and roles',
      accounts: ['e_member', 'e_locked'],
      setup: [
        "ALTER USER e_locked@'%' ACCOUNT LOCK",
        'CREATE ROLE e_role, e_inner, e_outer, e_not, e_reader',
        "CREATE ROLE 'e,comma', 'it''s', 'e_host'@'localhost'",
        'GRANT SUPER ON *.* TO e_role, e_not, e_host@localhost',
        "GRANT SHUTDOWN ON *.* TO 'e,comma'",
        "GRANT RELOAD ON *.* TO 'it''s'",
        'GRANT FILE ON *.* TO e_inner',
        'GRANT e_inner TO e_role, e_outer',
        "GRANT e_role TO e_member@'%'",
      ],
      lines: [
        { principal: 'e_role@%', type: 'role', privileges: 'SUPER' },
        { principal: 'e_role@%', type: 'role', through: 'e_inner@%', privileges: 'FILE' },
        { principal: 'e_inner@%', type: 'role', privileges: 'FILE' },
        { principal: 'e_outer@%', type: 'role', through: 'e_inner@%', privileges: 'FILE' },
        { principal: 'e_not@%', type: 'role', privileges: 'SUPER' },
        { principal: 'e_host@localhost', type: 'role', privileges: 'SUPER' },
        { principal: 'e,comma@%', type: 'role', privileges: 'SHUTDOWN' },
        { principal: "it's@%", type: 'role', privileges: 'RELOAD' },
      ],
    },
  ];
  before(async () => {
    server = await startMysql();
    await setUp(server, mandatory);
  });
  after(() => server?.stop());

  const asSet = (value: string, lines: Case['lines'], what: string) =>
    test(`mandatory_roles = ${value}`, async () => {
      await server.query('SET GLOBAL mandatory_roles = ?', [value]);
      compare(await report(server), [...mandatory, { what, lines }], plugin);
    });

  const member = [
    { principal: 'e_member@%', through: 'e_role@%', privileges: 'SUPER' },
    { principal: 'e_member@%', through: 'e_role@% > e_inner@%', privileges: 'FILE' },
  ];
  asSet('', [...own(), ...member], 'none');
  asSet(
    'e_role',
    [
      ...own('e_role@%'),
      ...through('e_role@%', 'SUPER', ['root@localhost', 'mysql.session@localhost']),
      ...through('e_role@% > e_inner@%', 'FILE'),
    ],
    'one, with another in it: the session account has SUPER without it',
  );
  asSet(
    'e_outer',
    [...own('e_outer@%'), ...member.slice(0, 1), ...through('e_outer@% > e_inner@%', 'FILE')],
    'one that holds nothing itself, and that nobody has otherwise',
  );
  asSet(
    '`e,comma`@`%` , "e_reader"',
    [
      ...own('e,comma@%', 'e,comma@%'),
      ...member,
      ...through('e,comma@%', 'SHUTDOWN', ['root@localhost', 'mysql.session@localhost']),
    ],
    'a comma in a name',
  );
  asSet('"it\'s"@"%",no_such_role', [...own("it's@%"), ...member, ...through("it's@%", 'RELOAD')], 'a quote in a name');
  asSet(
    " e_host @ 'localhost' ",
    [
      ...own('e_host@localhost', 'e_host@localhost'),
      ...member.slice(1),
      ...through('e_host@localhost', 'SUPER', ['root@localhost', 'mysql.session@localhost']),
    ],
    'a host',
  );
  asSet('`,e_not,`', [...own(), ...member], 'a name within a name');

  test('the accounts can do so', async () => {
    await server.query('SET GLOBAL mandatory_roles = "e_role"');
    await perform(server, {
      as: 'powerless',
      run: ['SET ROLE NONE', 'SET GLOBAL max_connections = 500'],
      ends: refused,
    });
    await perform(server, { as: 'powerless', run: ['SET ROLE ALL', 'SET GLOBAL max_connections = 500'], ends: 'ok' });
    await server.query('SET GLOBAL mandatory_roles = "`,e_not,`"');
    await perform(server, {
      as: 'powerless',
      run: ['SET ROLE ALL', 'SET GLOBAL max_connections = 500'],
      ends: refused,
    });
  });

  test('of roles that hold the same, the account itself may be the nearest: the next one is followed, too', async () => {
    await server.query(`CREATE USER e_a@'%' IDENTIFIED BY '${password}'`);
    await server.query('CREATE ROLE e_b, e_both');
    await server.query("GRANT RELOAD ON *.* TO e_a@'%', e_b");
    await server.query("GRANT e_a@'%', e_b TO e_both WITH ADMIN OPTION");
    await server.query("SET GLOBAL mandatory_roles = 'e_both'");
    const rows = (await report(server)).filter(({ principal }) => principal === 'e_a@%');
    assert.deepEqual(
      rows.map(({ granted_through, privileges, can_grant }) => [granted_through, privileges, can_grant]),
      [
        ['', 'RELOAD', 'no'],
        ['e_both@% > e_b@%', 'RELOAD', 'yes'],
      ],
    );
    await perform(server, { as: 'e_a', run: ['SET ROLE ALL', "GRANT e_b TO powerless@'%'"], ends: 'ok' });
    await server.query("SET GLOBAL mandatory_roles = ''");
    await server.query("DROP USER e_a@'%', e_b, e_both");
  });

  test('a schema grant of an anonymous account is everybody’s from its hosts', async () => {
    await server.query("SET GLOBAL mandatory_roles = ''");
    await server.query("CREATE USER ''@'%' ACCOUNT LOCK");
    await server.query("GRANT UPDATE ON mysql.* TO ''@'%'");
    const anonymous = 'granted to the anonymous account, whose schema grants hold for everybody from its hosts';
    // The auditor has a grant of its own on mysql.*, which is nearer.
    const lines = everybody
      .filter(name => name !== 'auditor@%' && name !== 'root@localhost')
      .map(name => {
        const { detail, ...rest } = about(name);
        return { ...rest, through: '@%', privileges: 'UPDATE ON mysql.*', detail: [...detail, anonymous].join('; ') };
      });
    lines.push({
      principal: '@%',
      owner: '',
      enabled: 'no',
      through: '',
      privileges: 'UPDATE ON mysql.*',
      detail: 'anonymous: logs in under any name; locked; no password',
    });
    compare(await report(server), [...mandatory, { what: '', lines: [...own('@%'), ...member, ...lines] }], plugin);
    await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
    await server.query("DROP USER ''@'%'");
  });

  test('skip_grant_tables, over the socket: MySQL takes no connections over the network then', async () => {
    await server.restart(['--skip-grant-tables']);
    const line = {
      principal: '@%',
      privileges: 'skip_grant_tables',
      can_grant: 'yes',
      authentication: '',
      detail:
        'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say',
    };
    const answer = await answerOf(server, 'mysql-administrators.sql', sql => server.query(sql));
    compare(answer, [...mandatory, { what: '', lines: [...own(), ...member, line] }], plugin);
  });
});

describe("MySQL: the accounts of Amazon RDS and Aurora, as Amazon's guides show them", () => {
  let server: Server;
  const master =
    'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE USER';
  const held =
    'ALTER; CONNECTION_ADMIN; CREATE; CREATE USER; DELETE; DROP; GRANT OPTION; INDEX; INSERT; RELOAD; ROLE_ADMIN; SET_ANY_DEFINER; UPDATE';
  const closed = "Aurora refuses changes of mysql's tables, which may close the way through them";
  const amazon: Case[] = [
    base,
    {
      what: "Amazon's own account, the role of the master user, the master user, one whom IAM lets in",
      accounts: ['rdsadmin@localhost', 'rdsadmin', 'admin', 'iam_admin'],
      setup: [
        "GRANT SUPER ON *.* TO rdsadmin@'%'",
        'GRANT ALL ON *.* TO rdsadmin@localhost WITH GRANT OPTION',
        'CREATE ROLE rds_superuser_role',
        `GRANT ${master} ON *.* TO rds_superuser_role WITH GRANT OPTION`,
        'GRANT APPLICATION_PASSWORD_ADMIN, CONNECTION_ADMIN, ROLE_ADMIN, SET_ANY_DEFINER, XA_RECOVER_ADMIN ON *.* TO rds_superuser_role WITH GRANT OPTION',
        "GRANT rds_superuser_role TO admin@'%' WITH ADMIN OPTION",
        "GRANT CREATE USER ON *.* TO iam_admin@'%'",
        "UPDATE mysql.user SET plugin = 'AWSAuthenticationPlugin', authentication_string = 'RDS' WHERE User = 'iam_admin'",
        'FLUSH PRIVILEGES',
      ],
      lines: [
        {
          principal: 'rdsadmin@localhost',
          privileges: 'ALL PRIVILEGES',
          can_grant: 'yes',
          owner: 'Amazon RDS',
        },
        // Anybody can take a name: only Amazon's own host makes it Amazon's.
        { principal: 'rdsadmin@%', privileges: 'SUPER' },
        {
          principal: 'rds_superuser_role@%',
          type: 'role',
          privileges: held,
          can_grant: 'yes',
          owner: 'Amazon RDS',
        },
        { principal: 'admin@%', through: 'rds_superuser_role@%', privileges: held, can_grant: 'yes' },
        {
          // The plugin is there on RDS; here it is not.
          principal: 'iam_admin@%',
          privileges: 'CREATE USER',
          enabled: 'no',
          authentication: 'AWSAuthenticationPlugin',
          detail: 'its login plugin AWSAuthenticationPlugin is not loaded',
        },
      ],
      acts: [{ as: 'admin', run: ['SET ROLE ALL', 'CREATE USER made_by_master'], ends: 'ok' }],
    },
  ];
  before(async () => {
    server = await startMysql({ arguments: ['--basedir=/rdsdbbin/mysql-8.0.36.R1'] });
    await setUp(server, amazon);
  });
  after(() => server?.stop());

  test('RDS', async () => compare(await report(server), amazon, plugin));
  actOut(() => server, amazon);
  test('Aurora: its roles hold nothing, and the ways through the tables may be closed', async () => {
    await server.query('CREATE ROLE AWS_LAMBDA_ACCESS, AWS_LOAD_S3_ACCESS, AWS_SELECT_S3_ACCESS');
    await server.query("GRANT AWS_LAMBDA_ACCESS TO admin@'%'");
    const lines = amazon
      .flatMap(each => each.lines)
      .map(line =>
        /\b(INSERT|ALL)\b/.test(line.privileges)
          ? { ...line, detail: [closed, line.detail].filter(Boolean).join('; ') }
          : line,
      );
    compare(await report(server), [{ what: '', lines }], plugin);
  });
});

describe('MySQL: sight', () => {
  let server: Server;
  const tables = ['user', 'global_grants', 'db', 'tables_priv', 'columns_priv', 'role_edges', 'proxies_priv'];
  const seen: Case[] = [
    base,
    {
      what: 'one of each kind',
      accounts: ['w_static', 'w_dynamic', 'w_schema', 'w_table', 'w_column', 'w_member', 'w_proxy'],
      setup: [
        "GRANT SUPER ON *.* TO w_static@'%'",
        "GRANT ROLE_ADMIN ON *.* TO w_dynamic@'%'",
        "GRANT INSERT ON mysql.* TO w_schema@'%'",
        "GRANT INSERT ON mysql.user TO w_table@'%'",
        "GRANT UPDATE (plugin) ON mysql.user TO w_column@'%'",
        'CREATE ROLE w_role',
        'GRANT ROLE_ADMIN ON *.* TO w_role',
        "GRANT w_role TO w_member@'%'",
        "GRANT PROXY ON w_static@'%' TO w_proxy@'%'",
      ],
      lines: [
        { principal: 'w_static@%', privileges: 'SUPER' },
        { principal: 'w_dynamic@%', privileges: 'ROLE_ADMIN' },
        { principal: 'w_schema@%', privileges: 'INSERT ON mysql.*' },
        { principal: 'w_table@%', privileges: 'INSERT ON mysql.user' },
        { principal: 'w_column@%', privileges: 'UPDATE (plugin) ON mysql.user' },
        { principal: 'w_role@%', type: 'role', privileges: 'ROLE_ADMIN' },
        { principal: 'w_member@%', through: 'w_role@%', privileges: 'ROLE_ADMIN' },
        { principal: 'w_proxy@%', privileges: 'PROXY ON w_static@%', detail: becomes('w_static@%') },
      ],
    },
  ];
  before(async () => {
    server = await startMysql();
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
    await server.query('CREATE ROLE a_reader');
    await server.query('GRANT SELECT ON mysql.* TO a_reader');
    await server.query("GRANT a_reader TO a_role@'%'");
  });
  after(() => server?.stop());

  test('all', async () => compare(await report(server), seen, plugin));
  test('the least', async () => compare(await report(server, 'a_least'), seen, plugin));
  test('through a role that is no default', async () => compare(await report(server, 'a_role'), seen, plugin));

  /** Who may not read one table is told nothing but what to grant. */
  const isTold = async (auditor: string) => {
    const rows = await report(server, auditor);
    assert.deepEqual(
      rows.map(row => row.result),
      ['incomplete'],
    );
    assert.ok(rows[0]!.detail!.startsWith(`GRANT SELECT ON mysql.* TO '${auditor}'@'%'`), rows[0]!.detail);
  };
  for (const table of tables) test(`not mysql.${table}`, () => isTold(`a_no_${table}`));

  test('not the hashes: all is read but what password fits', async () => {
    const columns = (await server.query('SHOW COLUMNS FROM mysql.user'))
      .map(column => column.Field)
      .filter(name => name !== 'authentication_string');
    await server.query(`CREATE USER a_no_hash@'%' IDENTIFIED BY '${password}'`);
    for (const table of tables.slice(1)) await server.query(`GRANT SELECT ON mysql.${table} TO a_no_hash@'%'`);
    await server.query(`GRANT SELECT (${columns.join(', ')}) ON mysql.user TO a_no_hash@'%'`);
    const rows = await report(server, 'a_no_hash');
    assert.deepEqual(new Set(rows.map(row => row.result)), new Set(['admin']));
    const notShown = '; its hash was not shown: whether any password fits is not known';
    const withoutNote = rows.map(row => ({ ...row, detail: `; ${row.detail}`.replace(notShown, '').slice(2) }));
    assert.match(rows.find(row => row.principal === 'root@localhost')!.detail!, /its hash was not shown/);
    const unseen = (line: Case['lines'][0]) => ({
      ...line,
      detail: line.detail && `; ${line.detail}`.replace(/; no password( fits what is stored)?(?=;|$)/, '').slice(2),
    });
    const lines = seen.flatMap(each => each.lines).map(unseen);
    compare(withoutNote, [{ what: '', lines }], plugin);
  });

  test('not a column', async () => {
    await server.query(`CREATE USER a_no_column@'%' IDENTIFIED BY '${password}'`);
    for (const table of tables.slice(1)) await server.query(`GRANT SELECT ON mysql.${table} TO a_no_column@'%'`);
    await server.query("GRANT SELECT (User, Host) ON mysql.user TO a_no_column@'%'");
    await isTold('a_no_column');
  });

  test('nothing at all', () => isTold('a_none'));

  test('a name that the server cuts', async () => {
    await server.query(`CREATE USER 'ghost\\0x'@'%' IDENTIFIED BY '${password}'`);
    await server.query("GRANT w_role TO 'ghost\\0x'@'%'");
    const login = { as: 'ghost', run: ['SET ROLE w_role', "GRANT w_role TO victim@'%'"], ends: 'ok' as const };
    await perform(server, login);
    await server.query("REVOKE w_role FROM victim@'%'");
    const detail = 'the name ghost[zero byte]x@% is cut in some tables of mysql: what the account holds cannot be told';
    const incomplete = (rows: Record<string, string>[]) =>
      rows.filter(row => row.result === 'incomplete').map(row => row.detail);
    assert.deepEqual(incomplete(await report(server)), [detail]);
    assert.deepEqual(incomplete(await ask(server, 'mysql-5.7-administrators.sql')), [detail]);
    await server.query("DROP USER 'ghost\\0x'@'%'");
  });

  test('roles in dense layers: one row for each that gets the right', async () => {
    await denseLayers(server);
    // Followed from the one that holds something, not from each to each, which is hundreds of ways.
    const [plan] = await answerOf(server, 'mysql-administrators.sql', sql => server.query(sql), 'EXPLAIN ANALYZE ');
    const steps = [...plan!.EXPLAIN!.matchAll(/-> (.*reach.*) .*actual time=\S+ rows=(\S+) loops=(\S+)\)/g)];
    assert.ok(steps.length > 0);
    for (const [step, , count, loops] of steps) assert.ok(Number(count) * Number(loops) < 300, step);
    await denseLayersOfTheSame(server);
  });

  test('a chain of more than 100 roles is told', async () => {
    for (let i = 0; i < 102; i++) {
      await server.query(`CREATE ROLE long_${i}`);
      await server.query(i ? `GRANT long_${i - 1} TO long_${i}` : 'GRANT SUPER ON *.* TO long_0');
    }
    const rows = await report(server);
    assert.deepEqual(
      rows.filter(row => row.result === 'incomplete').map(row => row.detail),
      ['a chain of more than 100 roles was not followed to its end: some administrators may be missing'],
    );
    assert.ok(rows.some(row => row.principal === 'long_100@%'));
  });
});

describe('MySQL: rights that are enough for everything', () => {
  test('a replica does what its source says, whoever has made it one', () => {
    return rulesByReplication(startMysql, 'REPLICATION_SLAVE_ADMIN', (port, log, position) => [
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${port}, SOURCE_USER = 'feed', SOURCE_PASSWORD = '${password}', SOURCE_SSL = 1, SOURCE_LOG_FILE = '${log}', SOURCE_LOG_POS = ${position}`,
      'START REPLICA',
    ]);
  });

  test('who replays a binary log writes rows of mysql, where GTIDs are not demanded of everybody', () =>
    rulesByBinaryLog(startMysql, 'BINLOG_ADMIN', ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF']));

  test('ALTER on mysql.user gives everybody what the next reload reads', async () => {
    const server = await startMysql();
    try {
      await setUp(server, [{ ...base, setup: [...base.setup!, "GRANT ALTER ON mysql.user TO powerless@'%'"] }]);
      const column =
        "Create_user_priv ENUM('N', 'Y') CHARACTER SET utf8mb3 NOT NULL DEFAULT 'Y' AFTER Alter_routine_priv";
      const run = [`ALTER TABLE mysql.user DROP COLUMN Create_user_priv, ADD COLUMN ${column}`];
      await perform(server, { as: 'powerless', run, ends: 'ok' });
      await server.query('FLUSH PRIVILEGES');
      await perform(server, { as: 'powerless', run: [setPassword], ends: 'ok' });
    } finally {
      await server.stop();
    }
  });
});

describe('MySQL: roles and accounts at random', () => {
  test('the report says of each account what the server says to it', () =>
    worlds(startMysql, ['ROLE_ADMIN', 'CONNECTION_ADMIN']));
});

describe('MySQL: thousands of accounts', () => {
  let server: Server;
  const accounts = 3_000;
  before(async () => {
    server = await startMysql();
    await crowd(server, accounts, 100);
  });
  after(() => server?.stop());

  // The plan does not show what the server makes before it begins.
  async function rowsRead() {
    const [status] = await server.query("SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'");
    return Number(status!.Value);
  }

  for (const state of ['fresh', 'analyzed'])
    for (const file of ['mysql-administrators.sql', 'mysql-5.7-administrators.sql']) {
      test(`no step of ${file} joins each row with each, ${state}`, async () => {
        if (state === 'analyzed') await server.query('ANALYZE TABLE mysql.user, mysql.db, mysql.role_edges');
        const begun = await rowsRead();
        const [plan] = await answerOf(server, file, sql => server.query(sql), 'EXPLAIN ANALYZE ');
        const read = (await rowsRead()) - begun;
        assert.ok(read < 100 * accounts, `${read} rows read`);
        const steps = [...plan!.EXPLAIN!.matchAll(/-> (.*?) .*actual time=\S+ rows=(\S+) loops=(\S+)\)/g)];
        assert.ok(steps.length > 50);
        for (const [step, , rows, loops] of steps) assert.ok(Number(rows) * Number(loops) < 60 * accounts, step);
      });
    }
});
