-- Every administrator of a MariaDB server and of its schemas: MariaDB 10.4 and later, RDS for MariaDB.
--
-- One row     is one administrator (an account or a role), one scope (the server, or a schema) and one chain of roles. A chain that adds no right
--             to what its principal holds directly or by a shorter chain has no row: the role that begins it stands in detail.
-- It needs    SELECT ON mysql.*, and the settings of mariadb-session.sql. The least is SELECT on mysql.global_priv (which holds the password
--             hashes), db, tables_priv, columns_priv, roles_mapping and proxies_priv. With the least it does not see rights that are in force
--             and no longer in the tables: information_schema shows them only to a login that has SELECT ON mysql.*.
-- Not shown   A table that may not be read is an error (1142, 1143), never an empty answer. A chain of more than 100 roles gives an "incomplete"
--             row.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, GSSAPI); which of
--             two host patterns a client comes from, where they overlap and neither covers the other.
-- Manual      https://mariadb.com/kb/en/ mysqlglobal_priv-table, grant, roles_overview, authentication-plugin-unix-socket

WITH RECURSIVE

-- Accounts and roles -----------------------------------------------------------------------------------------------------------------------
-- The key is user@host, of a role role@ (no host holds an @). Names are made utf8mb4_bin where they are read, and so are compared byte by byte;
-- hosts are made lower case, since the server takes them without regard to case. A temporary table with a text of more than 512 characters is a
-- file: what can be no longer is told so by a CAST.
account AS (
  SELECT
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
    CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
    CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
    COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 1 AS is_role
  FROM mysql.global_priv
),

-- Privileges on *.* --------------------------------------------------------------------------------------------------------------------------
-- The bits of Priv.access, and since which version there are those of later ones.
privilege_bit (bit, since, privilege) AS (
  VALUES
    (0, 0, 'SELECT'), (1, 0, 'INSERT'), (2, 0, 'UPDATE'), (3, 0, 'DELETE'), (4, 0, 'CREATE'), (5, 0, 'DROP'), (6, 0, 'RELOAD'), (7, 0, 'SHUTDOWN'),
    (8, 0, 'PROCESS'), (9, 0, 'FILE'), (10, 0, 'GRANT OPTION'), (11, 0, 'REFERENCES'), (12, 0, 'INDEX'), (13, 0, 'ALTER'), (14, 0, 'SHOW DATABASES'),
    (15, 0, 'SUPER'), (16, 0, 'CREATE TEMPORARY TABLES'), (17, 0, 'LOCK TABLES'), (18, 0, 'EXECUTE'), (19, 0, 'REPLICATION SLAVE'),
    (20, 0, 'BINLOG MONITOR'), (21, 0, 'CREATE VIEW'), (22, 0, 'SHOW VIEW'), (23, 0, 'CREATE ROUTINE'), (24, 0, 'ALTER ROUTINE'),
    (25, 0, 'CREATE USER'), (26, 0, 'EVENT'), (27, 0, 'TRIGGER'), (28, 0, 'CREATE TABLESPACE'), (29, 0, 'DELETE HISTORY'), (30, 1005, 'SET USER'),
    (31, 1005, 'FEDERATED ADMIN'), (32, 1005, 'CONNECTION ADMIN'), (33, 1005, 'READ_ONLY ADMIN'), (34, 1005, 'REPLICATION SLAVE ADMIN'),
    (35, 1005, 'REPLICATION MASTER ADMIN'), (36, 1005, 'BINLOG ADMIN'), (37, 1005, 'BINLOG REPLAY'), (38, 1005, 'SLAVE MONITOR'),
    (39, 1103, 'SHOW CREATE ROUTINE'), (40, 1200, 'privilege 40'), (41, 1200, 'privilege 41'), (42, 1200, 'privilege 42'),
    (43, 1200, 'privilege 43'), (44, 1200, 'privilege 44')
),
-- What an account or a role holds itself.
global_access AS (
  SELECT
    access_of_row.*,
    CASE
      -- What an installation gives root.
      WHEN access = ~0 THEN ~0
      -- The server rejects privileges that did not exist in the version that wrote the row.
      WHEN version_id < 100502 AND access >> 30 <> 0 THEN 0
      -- In a row that was written before a version took privileges out of SUPER, SUPER still means them: bits 30 to 37 in 11, 33 in 10.11, all
      -- but 35 in 10.5, and that with REPLICATION SLAVE.
      WHEN access & (1 << 15) = 0 THEN access
      WHEN server_version >= 1100 AND version_id < 110000 THEN access | (255 << 30)
      WHEN server_version >= 1005 AND version_id < 100502 THEN access | (223 << 30) | IF(access & (1 << 19), 1 << 35, 0)
      WHEN server_version >= 1011 AND version_id < 101100 THEN access | (1 << 33)
      ELSE access
    END AS effective_access
  FROM (
    SELECT
      CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
      CAST(JSON_VALUE(Priv, '$.access') AS UNSIGNED) AS access,
      CAST(COALESCE(JSON_VALUE(Priv, '$.version_id'), 0) AS UNSIGNED) AS version_id,
      SUBSTRING_INDEX(VERSION(), '.', 1) * 100 + SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '.', 2), '.', -1) AS server_version
    FROM mysql.global_priv
    WHERE JSON_VALUE(Priv, '$.access') <> 0
  ) AS access_of_row
),
-- What the server enforces; the tables say otherwise where somebody has changed them by hand since it read them. It lists no roles; GRANT OPTION
-- is no row there, but IS_GRANTABLE with every privilege; and it keeps the blanks at the end of a name, which the tables lose. GRANTEE is
-- 'user'@'host', and its tail all after the last @.
in_force AS (
  SELECT
    CONVERT(
      CAST(CONCAT(RTRIM(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3)), '@', LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2))) AS CHAR(384))
      USING utf8mb4
    ) COLLATE utf8mb4_bin AS name,
    CONVERT(IF(is_option, 'GRANT OPTION', PRIVILEGE_TYPE) USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
    IS_GRANTABLE = 'YES' AS grantable
  FROM (
    SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, PRIVILEGE_TYPE, IS_GRANTABLE
    FROM information_schema.USER_PRIVILEGES
  ) AS user_privilege
  JOIN (SELECT FALSE AS is_option UNION ALL SELECT TRUE) AS either
    ON NOT is_option OR IS_GRANTABLE = 'YES'
),
global_right AS (
  SELECT
    name,
    privilege,
    shown,
    grantable,
    in_tables,
    CASE
      WHEN NOT in_tables
        THEN CONCAT('in force, but no longer in the tables: ', privilege)
      WHEN NOT enforced AND MAX(enforced) OVER (PARTITION BY name)
        THEN CONCAT('in the tables, but not in force before FLUSH PRIVILEGES or a restart: ', privilege)
    END AS note
  FROM (
    SELECT
      name, privilege, COALESCE(MAX(shown), privilege) AS shown, MAX(grantable) AS grantable, MAX(in_tables) AS in_tables, MAX(enforced) AS enforced
    FROM (
      SELECT
        name,
        CONVERT(privilege USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
        COALESCE(all_but_few, CONVERT(privilege USING utf8mb4) COLLATE utf8mb4_bin) AS shown,
        effective_access >> 10 & 1 AS grantable,
        TRUE AS in_tables,
        FALSE AS enforced
      FROM (
        SELECT
          global_access.*,
          -- Who holds all that this version has, or all but three.
          (
            SELECT CAST(IF(
              COUNT(*) > 3,
              NULL,
              CONCAT_WS(' but ', 'ALL PRIVILEGES', GROUP_CONCAT(privilege ORDER BY privilege SEPARATOR ', '))
            ) AS CHAR(128)) COLLATE utf8mb4_bin
            FROM privilege_bit
            WHERE bit <> 10 AND bit < 40 AND since <= server_version AND NOT effective_access >> bit & 1
          ) AS all_but_few
        FROM global_access
      ) AS counted
      JOIN (
        SELECT bit, since, privilege FROM privilege_bit
        -- All that can be granted on a schema, on every schema: no more than its parts, but what is held on one schema adds nothing to it.
        UNION ALL SELECT NULL, 0, 'ALL PRIVILEGES'
      ) AS either_bit
        ON IF(
          bit IS NULL,
          effective_access & 233257023 = 233257023,
          effective_access >> bit & 1 AND since <= server_version AND (bit < 40 OR effective_access <> ~0)
        )
      UNION ALL
      SELECT name, privilege, NULL, grantable, FALSE, TRUE
      FROM in_force
    ) AS held
    GROUP BY name, privilege
  ) AS compared
),

-- Grants on schemas, and on tables and columns of the schema mysql -----------------------------------------------------------------------------
-- A schema's name is a pattern there, in which a backslash takes the meaning from % and _ (0x5C is a backslash; 0x5C25 and 0x5C5F are one before
-- % and _).
db_table AS (
  SELECT
    CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
    CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
    IF(@@lower_case_table_names = 0, CONVERT(Db USING utf8mb4), LOWER(CONVERT(Db USING utf8mb4))) COLLATE utf8mb4_bin AS written,
    CONCAT_WS(',',
      IF(Alter_priv = 'Y', 'ALTER', NULL),
      IF(Create_priv = 'Y', 'CREATE', NULL),
      IF(Delete_priv = 'Y', 'DELETE', NULL),
      IF(Drop_priv = 'Y', 'DROP', NULL),
      IF(Index_priv = 'Y', 'INDEX', NULL),
      IF(Insert_priv = 'Y', 'INSERT', NULL),
      IF(Update_priv = 'Y', 'UPDATE', NULL)
    ) AS privileges,
    'N' NOT IN (
      Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, References_priv, Index_priv, Alter_priv,
      Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Execute_priv,
      Event_priv, Trigger_priv
    ) AS everything,
    Grant_priv = 'Y' AS grantable
  FROM mysql.db
),
-- In force on the schema mysql, whatever the table says by now.
db_in_force AS (
  SELECT
    CONVERT(CAST(RTRIM(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3)) AS CHAR(128)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
    CONVERT(CAST(LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2)) AS CHAR(255)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
    CONVERT(TABLE_SCHEMA USING utf8mb4) COLLATE utf8mb4_bin AS written,
    CONVERT(PRIVILEGE_TYPE USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
    IS_GRANTABLE = 'YES' AS grantable
  FROM (
    SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE
    FROM information_schema.SCHEMA_PRIVILEGES
    WHERE 'mysql' LIKE TABLE_SCHEMA AND PRIVILEGE_TYPE IN ('ALTER', 'CREATE', 'DELETE', 'DROP', 'INDEX', 'INSERT', 'UPDATE')
  ) AS schema_privilege
),
schema_grant AS (
  SELECT
    merged.*,
    REPLACE(REPLACE(written, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx') REGEXP '[%_]' AS is_pattern,
    -- An escape of its own, so that no mode takes the meaning from the backslash.
    'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|' AS covers_mysql,
    everything OR grantable OR REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_') IN (
      SELECT REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_') FROM db_table WHERE everything OR grantable
    ) AS has_administrator
  FROM (
    SELECT grantee_user, grantee_host, written, privileges, everything, grantable, TRUE AS in_tables
    FROM db_table
    UNION ALL
    SELECT
      db_in_force.grantee_user, db_in_force.grantee_host, db_in_force.written, db_in_force.privilege, FALSE, db_in_force.grantable, FALSE
    FROM db_in_force
    LEFT JOIN db_table
      ON db_table.grantee_user = db_in_force.grantee_user
        AND db_table.grantee_host = db_in_force.grantee_host
        AND db_table.written = db_in_force.written
        AND FIND_IN_SET(db_in_force.privilege, db_table.privileges) > 0
    WHERE db_table.written IS NULL
  ) AS merged
),
object_grant AS (
  SELECT
    object.*,
    CONCAT(grantee_user, '@', grantee_host) AS grantee,
    -- The server takes the grant with the most specific host, then schema, then user: a name before a pattern, that before %. In which order it
    -- takes two patterns is its own affair, and another one in each version: whichever writes is reported.
    CASE WHEN grantee_host IN ('', '%') THEN 0 WHEN grantee_host REGEXP '[%_/]' THEN 1 ELSE 2 END AS host_rank,
    IF(is_pattern, 0, 2) + (grantee_user <> '') AS object_rank
  FROM (
    SELECT
      'schema' AS kind,
      grantee_user,
      grantee_host,
      IF(is_pattern, written, REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')) AS object_name,
      '' AS column_name,
      privileges,
      everything,
      grantable,
      in_tables,
      is_pattern,
      covers_mysql
    FROM schema_grant
    -- Other grants neither reach mysql nor stand before one that makes an administrator of their schema.
    WHERE covers_mysql OR has_administrator
    UNION ALL
    SELECT
      'table',
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(Table_name USING utf8mb4) COLLATE utf8mb4_bin,
      '',
      UPPER(CONVERT(Table_priv USING utf8mb4)),
      FALSE,
      FIND_IN_SET('Grant', Table_priv) > 0,
      TRUE,
      FALSE,
      FALSE
    FROM mysql.tables_priv
    WHERE IF(@@lower_case_table_names = 0, Db, LOWER(Db)) = 'mysql'
    UNION ALL
    SELECT
      'table',
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(Table_name USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(Column_name USING utf8mb4) COLLATE utf8mb4_bin,
      UPPER(CONVERT(Column_priv USING utf8mb4)),
      FALSE,
      FALSE,
      TRUE,
      FALSE,
      FALSE
    FROM mysql.columns_priv
    WHERE IF(@@lower_case_table_names = 0, Db, LOWER(Db)) = 'mysql'
    UNION ALL
    SELECT
      'role',
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(CONCAT(Role, '@') USING utf8mb4) COLLATE utf8mb4_bin,
      '',
      '',
      FALSE,
      Admin_option = 'Y',
      TRUE,
      FALSE,
      FALSE
    FROM mysql.roles_mapping
    UNION ALL
    SELECT
      'proxy',
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin,
      CONVERT(CONCAT(Proxied_user, '@', LOWER(Proxied_host)) USING utf8mb4) COLLATE utf8mb4_bin,
      '',
      '',
      FALSE,
      With_grant > 0,
      TRUE,
      FALSE,
      FALSE
    FROM mysql.proxies_priv
  ) AS object
),
-- For whom a grant holds: for the account that it names, and for every other one of the same user, or of any user where it names nobody, whose
-- host its own host covers (bob@% for bob@localhost; ''@10.0.0.0/255.0.0.0 for all of 10.1.2.3). The admin option of a role is the named account's
-- alone. Of schema grants a session is governed by one, the most specific of those that hold for it. A role and PUBLIC are looked for with an empty
-- host, which % covers: so a role has the schema grants of a user bob@% of its name.
governed AS (
  SELECT
    client.name,
    is_role,
    kind = 'proxy' OR kind = 'role' OR (
      host_rank = MAX(IF(kind = 'table' OR covers_mysql, host_rank, -1)) OVER (PARTITION BY client.name, kind, IF(kind = 'table', object_name, ''))
        AND object_rank = MAX(IF(kind = 'table' OR covers_mysql, object_rank, -1)) OVER (
          PARTITION BY client.name, kind, IF(kind = 'table', object_name, ''), grantee_host
        )
    ) AS decides_mysql,
    host_rank = MAX(host_rank) OVER (PARTITION BY client.name, kind, object_name)
      AND object_rank = MAX(object_rank) OVER (PARTITION BY client.name, kind, object_name, grantee_host) AS decides_object,
    own, kind, grantee, grantee_user, object_name, column_name, privileges, everything, grantable, in_tables, is_pattern, covers_mysql
  FROM (
    -- One short column to compare: the digest of the account's own name, of its user, or of nobody. 10.1.% is looked for in a network by its
    -- first address.
    SELECT
      name, host_name, is_role,
      UNHEX(SHA1(CONCAT(way, CASE way WHEN 1 THEN name WHEN 2 THEN user_name ELSE '' END))) AS goes_as,
      host_name IN ('localhost', '127.0.0.1', '::1') AS loopback,
      INET_ATON(IF(host_name IN ('localhost', '::1'), '127.0.0.1', REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0'))) AS address
    FROM account
    JOIN (SELECT 1 AS way UNION ALL SELECT 2 UNION ALL SELECT 3) AS ways
      ON way < 3 OR (NOT is_role AND user_name <> '')
  ) AS client
  JOIN (
    SELECT
      object_grant.*,
      own,
      UNHEX(SHA1(CASE WHEN own THEN CONCAT(1, grantee) WHEN grantee_user <> '' THEN CONCAT(2, grantee_user) ELSE '3' END)) AS goes_to,
      -- A network is written 10.0.0.0/255.0.0.0.
      INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)) AS network,
      IF(grantee_host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1)), NULL) AS mask
    FROM object_grant
    JOIN (SELECT TRUE AS own UNION ALL SELECT FALSE) AS whose
      ON own
        OR (grantee_user = '' AND kind IN ('proxy', 'schema'))
        OR (grantee_user <> '' AND (grantee_host IN ('localhost', '127.0.0.1', '::1') OR grantee_host REGEXP '[%_/]'))
  ) AS granted ON goes_to = goes_as
  WHERE own OR (
    grantee <> name AND (NOT is_role OR kind = 'schema') AND (
      host_name LIKE grantee_host
      OR address & mask = network
      -- A client on loopback is taken for localhost, 127.0.0.1 or ::1, whichever there is.
      OR (loopback AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host))
    )
  )
  UNION ALL
  SELECT * FROM governed WHERE FALSE
),
-- Writing in the schema mysql makes an administrator of the server; all privileges or the grant option on a schema, one of that schema.
object_right AS (
  SELECT
    name,
    IF(own OR is_role, '', grantee) AS via,
    CAST(IF(reach = 'schema', CONCAT('database:', object_name), 'server') AS CHAR(80)) AS scope,
    reach,
    CAST(IF(reach = 'table', object_name, '') AS CHAR(64)) AS table_name,
    CASE reach
      WHEN 'schema' THEN CONCAT_WS(',', IF(everything, 'ALL PRIVILEGES', NULL), IF(grantable, 'GRANT OPTION', NULL))
      WHEN 'mysql' THEN CONCAT(privileges, IF(grantable, ',GRANT OPTION', ''))
      WHEN 'proxy' THEN 'PROXY'
      ELSE privileges
    END AS privileges,
    CASE
      WHEN kind = 'schema' THEN CONCAT(' ON ', object_name, '.*')
      WHEN kind = 'proxy' THEN ' ON @'
      WHEN column_name = '' THEN CONCAT(' ON mysql.', object_name)
      ELSE CONCAT(' (', column_name, ') ON mysql.', object_name)
    END AS on_object,
    everything,
    grantable,
    in_tables,
    CAST(NULLIF(CONCAT_WS('; ',
      IF(in_tables, NULL, CONCAT('in force, but no longer in the tables: ', privileges, ' ON ', object_name, '.*')),
      IF(is_pattern, CONCAT(object_name, ' is a pattern of schema names', IF(reach = 'mysql', ', which mysql matches', '')), NULL),
      CASE
        WHEN own THEN NULL
        WHEN is_role THEN 'granted to a user of the same name, whose schema grants hold for the role too'
        WHEN grantee_user = '' AND kind = 'proxy' THEN 'granted to the anonymous account, and so to everybody from its hosts'
        WHEN grantee_user = '' THEN 'granted to the anonymous account, whose schema grants hold for everybody from its hosts'
        ELSE 'granted to the same user from more hosts, which holds for this one too'
      END
    ), '') AS CHAR(512)) AS note
  FROM (
    SELECT
      governed.*,
      CASE
        WHEN kind = 'schema' AND covers_mysql AND privileges <> '' AND decides_mysql THEN 'mysql'
        WHEN kind = 'schema' AND (everything OR grantable) AND decides_object THEN 'schema'
        WHEN kind = 'table' AND decides_mysql THEN 'table'
        WHEN kind = 'proxy' AND object_name = '@' THEN 'proxy'
      END AS reach
    FROM governed
  ) AS reaching
  WHERE reach IS NOT NULL
),

-- Each right, and how far it goes ----------------------------------------------------------------------------------------------------------------
-- `full`: everything in the scope, or enough to give itself everything. `part`: a part of it. `none`: it only shows, concerns the session
-- itself, or does nothing alone. A privilege that is not known here is a part.
direct_right AS (
  SELECT
    held.*,
    CASE reach
      WHEN 'server' THEN CASE
        WHEN privilege IN (
          'ALTER', 'BINLOG REPLAY', 'CONNECTION ADMIN', 'CREATE USER', 'GRANT OPTION', 'INSERT', 'REPLICATION SLAVE ADMIN', 'SET USER', 'UPDATE'
        ) THEN 'full'
        -- Up to 10.11 it makes routines that run as root; from 11 it is a few variables.
        WHEN privilege = 'SUPER' THEN IF(VERSION() LIKE '10.%', 'full', 'part')
        -- It writes a trigger of root's into the data folder, where the server lets it write there.
        WHEN privilege = 'FILE' THEN IF(LEFT(@@datadir, CHAR_LENGTH(@@secure_file_priv)) = @@secure_file_priv, 'full', 'part')
        WHEN privilege IN (
          'ALL PRIVILEGES', 'ALTER ROUTINE', 'BINLOG MONITOR', 'CREATE ROUTINE', 'CREATE TABLESPACE', 'CREATE TEMPORARY TABLES', 'CREATE VIEW',
          'DELETE HISTORY', 'DELETE VERSIONING ROWS', 'EVENT', 'EXECUTE', 'LOCK TABLES', 'PROCESS', 'REFERENCES', 'REPLICA MONITOR',
          'REPLICATION CLIENT', 'REPLICATION SLAVE', 'SELECT', 'SHOW CREATE ROUTINE', 'SHOW DATABASES', 'SHOW VIEW', 'SLAVE MONITOR', 'TRIGGER',
          'USAGE'
        ) THEN 'none'
        ELSE 'part'
      END
      WHEN 'schema' THEN IF(privilege = 'ALL PRIVILEGES', 'full', 'part')
      WHEN 'proxy' THEN 'full'
      WHEN 'mysql' THEN IF(privilege IN ('ALTER', 'INSERT', 'UPDATE'), 'full', 'part')
      -- The server's own tables: of accounts and grants and of code, and others. Those of time zones, help texts and statistics give no power,
      -- nor do tables that somebody else made there; a table that exists cannot be created; through the view user one can only delete.
      WHEN 'table' THEN CASE
        WHEN privilege NOT IN ('ALTER', 'DELETE', 'DROP', 'INDEX', 'INSERT', 'UPDATE') THEN 'none'
        WHEN table_name IN (
          'columns_priv', 'db', 'event', 'func', 'global_priv', 'plugin', 'proc', 'proxies_priv', 'roles_mapping', 'tables_priv'
        ) THEN IF(privilege IN ('ALTER', 'INSERT', 'UPDATE'), 'full', 'part')
        WHEN table_name = 'user' THEN IF(privilege = 'DELETE', 'part', 'none')
        WHEN table_name IN (
          'general_log', 'gtid_slave_pos', 'procs_priv', 'servers', 'slow_log', 'transaction_registry'
        ) THEN 'part'
        ELSE 'none'
      END
    END AS extent
  FROM (
    SELECT
      name, CAST('' AS CHAR(384)) AS via, CAST('server' AS CHAR(80)) AS scope, 'server' AS reach, '' AS table_name, privilege, '' AS on_object, shown,
      grantable, in_tables, note
    FROM global_right
    UNION ALL
    SELECT
      name, via, scope, reach, table_name, word.privilege, on_object,
      CAST(CONCAT(IF(everything, 'ALL PRIVILEGES', word.privilege), on_object) AS CHAR(512)), grantable, in_tables, note
    FROM object_right
    JOIN (
      SELECT privilege FROM privilege_bit UNION ALL SELECT 'ALL PRIVILEGES' UNION ALL SELECT 'PROXY'
    ) AS word ON FIND_IN_SET(word.privilege, privileges) > 0
  ) AS held
),

-- Roles: from those who hold a right down to those who get it ------------------------------------------------------------------------------------
-- A member may activate every role granted to it, with all that is granted to that one, default or not; PUBLIC is everybody. What a role is a
-- member of has no host.
role_edge AS (
  SELECT
    CONVERT(CONCAT(Role, '@') USING utf8mb4) COLLATE utf8mb4_bin AS role,
    CONVERT(CONCAT(User, '@') USING utf8mb4) COLLATE utf8mb4_bin AS member,
    Admin_option = 'Y' AS admin_option,
    TRUE AS to_role
  FROM mysql.roles_mapping
  WHERE Host = ''
),
step AS (
  SELECT CAST(object_name AS CHAR(129)) COLLATE utf8mb4_bin AS role, name AS member, own AND grantable AS admin_option, FALSE AS to_everybody
  FROM governed
  WHERE kind = 'role'
  UNION ALL
  SELECT 'PUBLIC@', name, FALSE, TRUE
  FROM account
  WHERE NOT is_role
),
-- Which role that holds anything leads to which, and in how many steps: UNION ends circles, and keeps one row where many ways are equally long.
-- Roles that hold the same have the same digest in `holding`; one with grants on schemas or tables is like no other.
reach AS (
  SELECT
    CONCAT(user_name, '@') AS source, UNHEX(SHA1(IF(special, role.name, effective_access))) AS holding, CONCAT(user_name, '@') AS name, 0 AS length,
    FALSE AS admin_option
  FROM (
    SELECT account.*, name IN (SELECT name FROM governed WHERE kind IN ('schema', 'table')) AS special
    FROM account
    WHERE is_role
  ) AS role
  LEFT JOIN global_access ON global_access.name = role.name
  WHERE special OR effective_access IS NOT NULL
  UNION
  SELECT source, holding, member, length + 1, reach.admin_option OR role_edge.admin_option
  FROM reach
  JOIN role_edge ON role_edge.role = reach.name
  WHERE length < 100 AND to_role AND member <> source
),
-- The last step of the shortest way from one role to another; of several the first by name.
last_step AS (
  SELECT
    source, MAX(holding) AS holding, member AS name, role_edge.role, MIN(length) + 1 AS length,
    MAX(reach.admin_option OR role_edge.admin_option) AS admin_option,
    ROW_NUMBER() OVER (PARTITION BY source, member ORDER BY MIN(length), role_edge.role) AS place
  FROM reach
  JOIN role_edge ON role_edge.role = reach.name
  WHERE to_role AND member <> source
  GROUP BY source, member, role_edge.role
),
chain AS (
  SELECT source, name, 0 AS length, FALSE AS admin_option, CAST('' AS CHAR(4000)) COLLATE utf8mb4_bin AS roles
  FROM reach
  WHERE length = 0
  UNION ALL
  SELECT
    last_step.source, last_step.name, last_step.length, last_step.admin_option,
    CONCAT_WS(' > ', TRIM(TRAILING '@' FROM last_step.role), NULLIF(LEFT(roles, 3600), ''))
  FROM chain
  JOIN last_step ON last_step.source = chain.source AND last_step.role = chain.name
  WHERE place = 1
),
-- Of the chains from a role to others that hold the same the nearest: the rest adds nothing. Two, since one may begin at the member itself.
-- (Without the chain's text, of which the server would make files.)
arrival AS (
  SELECT
    source, member, step.role, length + 1 AS length, way.admin_option OR step.admin_option AS admin_option, to_everybody
  FROM (
    SELECT source, name, length, admin_option, ROW_NUMBER() OVER (PARTITION BY name, holding, admin_option ORDER BY length, source) AS place
    FROM (
      SELECT source, holding, name, length, admin_option FROM reach WHERE length = 0
      UNION ALL
      SELECT source, holding, name, length, admin_option FROM last_step WHERE place = 1
    ) AS each_way
  ) AS way
  JOIN step ON step.role = way.name
  WHERE way.place <= 2 AND member <> source
),
-- What everybody has: its own rights, those through roles, and as a proxy those of the other account, which it becomes.
attained AS (
  SELECT
    IF(itself, name, member) AS name,
    name AS source,
    scope, privilege, on_object, extent, shown, in_tables, note,
    grantable OR COALESCE(admin_option, FALSE) AS grantable,
    IF(itself, IF(via = '', 0, 1), length) AS length,
    IF(itself, via, role) AS role,
    COALESCE(to_everybody, FALSE) AS to_everybody,
    FALSE AS by_proxy
  FROM direct_right
  JOIN (SELECT TRUE AS itself UNION ALL SELECT FALSE) AS whose
  LEFT JOIN arrival ON arrival.source = direct_right.name AND NOT itself AND via = ''
  WHERE (itself OR arrival.source IS NOT NULL) AND (extent <> 'none' OR privilege = 'ALL PRIVILEGES')
  UNION ALL
  SELECT
    governed.name, governed.name, scope, 'PROXY', CONCAT(' ON ', object_name), extent, CONCAT('PROXY ON ', object_name), TRUE,
    CAST(CONCAT(
      'becomes ', object_name, ' where its login plugin maps it so',
      IF(grantee_user = '', '; granted to the anonymous account, and so to everybody from its hosts', '')
    ) AS CHAR(512)),
    governed.grantable, 0, '', FALSE, TRUE
  FROM attained
  JOIN governed ON object_name = attained.name AND kind = 'proxy'
  WHERE NOT by_proxy AND extent <> 'none'
),
-- Which of them adds something to what a principal has by a shorter chain, or has everywhere.
ranked AS (
  SELECT
    attained.*,
    ROW_NUMBER() OVER (PARTITION BY name, privilege, scope, on_object ORDER BY length, source, role) AS place,
    MIN(IF(on_object = '', length, NULL)) OVER (PARTITION BY name, privilege) AS length_everywhere
  FROM attained
),
graded AS (
  SELECT
    name, scope, source, role,
    MIN(length) AS length,
    IF(MAX(extent = 'full'), 'full', 'part') AS extent,
    IF(MAX(shown = 'ALL PRIVILEGES'), 'ALL PRIVILEGES', GROUP_CONCAT(DISTINCT shown ORDER BY shown SEPARATOR '; ')) AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    MAX(to_everybody) AS to_everybody,
    MAX(privilege = 'PROXY' AND on_object = ' ON @') AS becomes_any,
    GROUP_CONCAT(DISTINCT note ORDER BY note SEPARATOR '; ') AS notes,
    MAX(place = 1 AND (length = 0 OR on_object = '' OR COALESCE(length_everywhere > length, TRUE))) AS adds_right
  FROM ranked
  WHERE extent <> 'none'
  GROUP BY name, scope, source, role
),
-- What adds nothing, not even that it may be granted, has no row: the role that begins its chain stands in the first row of its principal, if no
-- other row begins with it.
placed AS (
  SELECT
    judged.*,
    IF(adds, ROW_NUMBER() OVER (PARTITION BY name ORDER BY adds DESC, scope <> 'server', length, scope, source, role), 1) AS row_of_name,
    NOT MAX(adds) OVER (PARTITION BY name, role) AS unused
  FROM (
    SELECT
      graded.*,
      adds_right OR (
        grantable
          AND 1 = ROW_NUMBER() OVER (PARTITION BY name, scope, grantable ORDER BY length, source, role)
          AND COALESCE(length <= MIN(IF(grantable AND scope = 'server', length, NULL)) OVER (PARTITION BY name), TRUE)
      ) AS adds
    FROM graded
  ) AS judged
),
administrator AS (
  SELECT
    name,
    MAX(IF(adds, scope, NULL)) AS scope,
    MAX(IF(adds, extent, NULL)) AS extent,
    MAX(IF(adds, privileges, NULL)) AS privileges,
    MAX(IF(adds, source, NULL)) AS source,
    MAX(IF(adds, role, NULL)) AS role,
    MAX(IF(adds, grantable, FALSE)) AS grantable,
    MAX(in_tables) AS in_tables,
    MAX(IF(adds, to_everybody, FALSE)) AS to_everybody,
    MAX(becomes_any) AS becomes_any,
    MAX(IF(adds, notes, NULL)) AS notes,
    CONCAT(
      'the same, or less, through ', GROUP_CONCAT(DISTINCT IF(unused AND unused_place <= 3, TRIM(TRAILING '@' FROM role), NULL) ORDER BY role SEPARATOR ', '),
      IF(MAX(IF(unused, unused_place, 0)) > 3, CONCAT(' and ', MAX(IF(unused, unused_place, 0)) - 3, ' more'), '')
    ) AS unused_roles
  FROM (
    SELECT placed.*, DENSE_RANK() OVER (PARTITION BY name, unused ORDER BY role) AS unused_place
    FROM placed
  ) AS counted
  GROUP BY name, row_of_name
),
-- Ways to log in: one, or the alternatives in auth_or, of which {} stands for the one outside.
login AS (
  SELECT
    name,
    GROUP_CONCAT(plugin ORDER BY place SEPARATOR ' or ') AS plugins,
    MAX(loaded AND NOT unusable) AS possible,
    GROUP_CONCAT(CASE
      WHEN NOT loaded THEN CONCAT('its login plugin ', plugin, ' is not loaded')
      WHEN unusable THEN CONCAT('no password fits what is stored for ', plugin)
      WHEN plugin = 'unix_socket' THEN CONCAT('logs in as the operating system''s account ', IF(hash = '', user_name, hash))
      WHEN hash = '' AND plugin IN ('mysql_native_password', 'mysql_old_password') THEN 'no password'
    END ORDER BY place SEPARATOR '; ') AS note
  FROM (
    SELECT
      way.*,
      login_plugin.name IS NOT NULL AS loaded,
      CASE plugin
        WHEN 'mysql_native_password' THEN hash <> '' AND hash NOT REGEXP '^[*][0-9A-Fa-f]{40}$'
        WHEN 'mysql_old_password' THEN hash <> '' AND hash NOT REGEXP '^[0-9A-Fa-f]{16}$'
        WHEN 'ed25519' THEN CHAR_LENGTH(hash) <> 43
        WHEN 'parsec' THEN hash = 'invalid'
        ELSE FALSE
      END AS unusable
    FROM (
      SELECT
        CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
        CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
        place,
        CAST(COALESCE(
          NULLIF(COALESCE(JSON_VALUE(Priv, CONCAT('$.auth_or[', place, '].plugin')), JSON_VALUE(Priv, '$.plugin')), ''),
          'mysql_native_password'
        ) AS CHAR(64)) AS plugin,
        CAST(COALESCE(
          IF(
            JSON_EXISTS(Priv, CONCAT('$.auth_or[', place, '].plugin')),
            JSON_VALUE(Priv, CONCAT('$.auth_or[', place, '].authentication_string')),
            JSON_VALUE(Priv, '$.authentication_string')
          ),
          ''
        ) AS CHAR(255)) AS hash
      FROM mysql.global_priv
      JOIN (
        SELECT 0 AS place UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
      ) AS places ON place = 0 OR place < JSON_LENGTH(Priv, '$.auth_or')
      WHERE COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) <> 1
    ) AS way
    LEFT JOIN (
      SELECT CONVERT(PLUGIN_NAME USING utf8mb4) COLLATE utf8mb4_bin AS name
      FROM information_schema.PLUGINS
      WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'
    ) AS login_plugin ON login_plugin.name = plugin
  ) AS checked
  GROUP BY name
)

SELECT
  'admin' AS result,
  administrator.scope,
  IF(is_role, user_name, administrator.name) AS principal,
  administrator.extent,
  -- A role cannot log in. An account whose password has expired can, and must change it first.
  IF(is_role OR locked OR NOT possible OR no_connections OR from_nowhere, 'no', 'yes') AS enabled,
  administrator.privileges,
  IF(administrator.source = administrator.name, administrator.role, CONCAT_WS(' > ', TRIM(TRAILING '@' FROM administrator.role), NULLIF(roles, '')))
    AS granted_through,
  IF(administrator.grantable, 'yes', 'no') AS can_grant,
  -- By name, host and what the server is: anybody can take a name.
  CASE
    WHEN administrator.name = 'mariadb.sys@localhost' THEN 'MariaDB'
    WHEN @@basedir LIKE '/rdsdbbin/%' AND (
      administrator.name IN ('rdsadmin@localhost', 'rdsadmin@127.0.0.1') OR user_name IN ('rdsproxyadmin', 'rdsrepladmin', 'rdstopmgr')
    ) THEN 'Amazon RDS'
    WHEN administrator.name IN ('debian-sys-maint@localhost', 'mysql@localhost') AND CONCAT(@@version_comment, VERSION()) REGEXP '(?i)deb|ubuntu'
      THEN 'Debian'
    WHEN administrator.name IN ('azure_superuser@localhost', 'azure_superuser@127.0.0.1') THEN 'Azure'
    ELSE ''
  END AS owner,
  IF(is_role, 'role', 'user') AS principal_type,
  login.plugins AS authentication,
  '' AS created_at,
  IF(is_role OR changed_at = 0, '', DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL changed_at SECOND), '%Y-%m-%dT%H:%i:%sZ')) AS password_changed_at,
  CONCAT_WS('; ',
    CASE
      WHEN administrator.name = 'PUBLIC@' THEN 'what is granted to PUBLIC, everybody holds'
      WHEN user_name = '' THEN 'anonymous: logs in under any name'
    END,
    IF(locked, 'locked', NULL),
    IF(expired AND NOT locked AND NOT is_role, 'its password has expired and must be changed at the next login', NULL),
    IF(no_connections, 'its MAX_USER_CONNECTIONS lets it open no connection', NULL),
    IF(from_nowhere, CONCAT('no client comes from ', host_name), NULL),
    IF(account.name IS NULL, 'in force, but no longer in mysql.global_priv', login.note),
    IF(administrator.to_everybody, 'PUBLIC is everybody', NULL),
    administrator.notes,
    administrator.unused_roles,
    IF(becomes_any, 'becomes any account that its login plugin names', NULL)
  ) AS detail
FROM administrator
LEFT JOIN (
  SELECT
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
    CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
    CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
    COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 1 AS is_role,
    COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) = 1 AS locked,
    COALESCE(JSON_VALUE(Priv, '$.max_user_connections'), 0) < 0 AS no_connections,
    CAST(JSON_VALUE(Priv, '$.password_last_changed') AS UNSIGNED) AS changed_at,
    -- By hand, or by age: the account's own number of days or, where it has none, the server's; 0 is never.
    COALESCE(JSON_VALUE(Priv, '$.password_last_changed'), 1) = 0 OR (
      IF(COALESCE(JSON_VALUE(Priv, '$.password_lifetime'), -1) < 0, @@GLOBAL.default_password_lifetime, JSON_VALUE(Priv, '$.password_lifetime')) > 0
        AND JSON_VALUE(Priv, '$.password_last_changed') + 86400 * IF(
          COALESCE(JSON_VALUE(Priv, '$.password_lifetime'), -1) < 0, @@GLOBAL.default_password_lifetime, JSON_VALUE(Priv, '$.password_lifetime')
        ) < UNIX_TIMESTAMP()
    ) AS expired,
    -- The server compares a network with the client's address under the mask; without name resolution it knows no name but localhost.
    CASE
      WHEN Host LIKE '%/%' THEN COALESCE(
        INET_ATON(SUBSTRING_INDEX(Host, '/', 1)) <> INET_ATON(SUBSTRING_INDEX(Host, '/', 1)) & INET_ATON(SUBSTRING_INDEX(Host, '/', -1)), TRUE
      )
      WHEN @@GLOBAL.skip_name_resolve THEN LOWER(Host) REGEXP '[^0-9a-f.:%_]' AND 'localhost' NOT LIKE Host
      ELSE FALSE
    END AS from_nowhere
  FROM mysql.global_priv
) AS account ON account.name = administrator.name
LEFT JOIN login ON login.name = administrator.name
LEFT JOIN chain ON chain.source = administrator.source AND chain.name = administrator.role
-- A grant whose account is gone is nobody's, unless the server still enforces it.
WHERE account.name IS NOT NULL OR NOT administrator.in_tables

UNION ALL

SELECT
  'admin', 'server', '@%', 'full', 'yes', 'skip_grant_tables', '', 'yes', '', 'user', '', '', '',
  'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say'
FROM DUAL
WHERE CURRENT_USER() = '@' AND NOT EXISTS (SELECT 1 FROM mysql.global_priv WHERE User = '' AND Host = '')

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  CONCAT('mysql.global_priv lacks ', CURRENT_USER(), ', who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES')
FROM DUAL
WHERE CURRENT_USER() <> '@' AND NOT (SELECT MAX(CONCAT(User, '@', Host) = CURRENT_USER()) FROM mysql.global_priv)

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  'a chain of more than 100 roles was not followed to its end: some administrators may be missing'
FROM DUAL
WHERE 100 = (SELECT MAX(shortest) FROM (SELECT MIN(length) AS shortest FROM reach GROUP BY source, name) AS reached)

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
