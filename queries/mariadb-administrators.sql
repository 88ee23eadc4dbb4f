-- Every administrator of a MariaDB server and of its schemas: MariaDB 10.4 and later, RDS for MariaDB.
--
-- One row     is one administrator (an account or a role), one scope (the server, or a schema) and one chain of roles through which it holds the
--             privileges. What an account gets as a proxy has a row of its own.
-- It needs    SELECT ON mysql.*. The least is SELECT on mysql.global_priv (which holds the password hashes), db, tables_priv, columns_priv,
--             roles_mapping and proxies_priv; then it does not see what is in force without being in the tables (it sees that of global
--             privileges and of schema grants on mysql in information_schema, which shows those of others only to who has SELECT ON mysql.*).
-- Not shown   a table that may not be read is an error (1142, 1143), never an empty answer. Where roles are too entangled to follow, a row says so.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, GSSAPI); which of
--             two host patterns that overlap a client comes from; networks in hosts (10.0.0.0/255.0.0.0), which are compared as text.
-- Manual      https://mariadb.com/kb/en/ mysqlglobal_priv-table, grant, roles_overview, authentication-plugin-unix-socket
--
-- What stands in for a table that the auditor may not read. For mysql.global_priv: those whom the other tables name, of whose login nothing is
-- known.
-- without mysql.global_priv: SELECT Host, User, IF(Host = '', '{"is_role":true}', '{"unknown":true}') AS Priv FROM (SELECT Host, User FROM mysql.db UNION SELECT Host, User FROM mysql.tables_priv UNION SELECT Host, User FROM mysql.roles_mapping UNION SELECT '', Role FROM mysql.roles_mapping) AS grantee
-- without mysql.db: SELECT '' AS Host, '' AS Db, '' AS User, 'N' AS Select_priv, 'N' AS Insert_priv, 'N' AS Update_priv, 'N' AS Delete_priv, 'N' AS Create_priv, 'N' AS Drop_priv, 'N' AS Grant_priv, 'N' AS References_priv, 'N' AS Index_priv, 'N' AS Alter_priv, 'N' AS Create_tmp_table_priv, 'N' AS Lock_tables_priv, 'N' AS Create_view_priv, 'N' AS Show_view_priv, 'N' AS Create_routine_priv, 'N' AS Alter_routine_priv, 'N' AS Execute_priv, 'N' AS Event_priv, 'N' AS Trigger_priv FROM DUAL WHERE FALSE
-- without mysql.tables_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Table_priv FROM DUAL WHERE FALSE
-- without mysql.columns_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Column_name, '' AS Column_priv FROM DUAL WHERE FALSE
-- without mysql.roles_mapping: SELECT '' AS Host, '' AS User, '' AS Role, 'N' AS Admin_option FROM DUAL WHERE FALSE
-- without mysql.proxies_priv: SELECT '' AS Host, '' AS User, '' AS Proxied_host, '' AS Proxied_user, 0 AS With_grant FROM DUAL WHERE FALSE

-- The last two join by hash, not each row with each: a fraction of the time with a thousand accounts.
SET STATEMENT
  sql_mode = '',
  group_concat_max_len = 16777216,
  max_recursive_iterations = 1000,
  sql_big_selects = 1,
  optimizer_switch = 'derived_merge=off',
  join_cache_level = 4
FOR
WITH RECURSIVE

-- Accounts and roles -----------------------------------------------------------------------------------------------------------------------
-- The key is user@host, of a role role@ (no host holds an @). Names are made utf8mb4_bin where they are read, and so compared byte by byte
-- whatever the connection's collation; hosts are made lower case, since the server takes them without regard to case.
account AS (
  SELECT
    account_table.*,
    CONCAT(user_name, '@', host_name) AS name,
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
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
      COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 1 AS is_role,
      JSON_EXISTS(Priv, '$.unknown') AS not_shown,
      CAST(COALESCE(JSON_VALUE(Priv, '$.access'), 0) AS UNSIGNED) AS access,
      CAST(COALESCE(JSON_VALUE(Priv, '$.version_id'), 0) AS UNSIGNED) AS version_id,
      SUBSTRING_INDEX(VERSION(), '.', 1) * 100 + SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '.', 2), '.', -1) AS server_version,
      COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) = 1 AS locked,
      COALESCE(JSON_VALUE(Priv, '$.password_last_changed'), 1) = 0 AS expired,
      CAST(JSON_VALUE(Priv, '$.password_last_changed') AS UNSIGNED) AS changed_at
    FROM mysql.global_priv
  ) AS account_table
),

-- Privileges granted to an account or a role itself ------------------------------------------------------------------------------------------
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
    grantable,
    in_tables,
    CASE
      WHEN NOT in_tables
        THEN CONCAT('in force, but no longer in the tables: ', privilege)
      WHEN NOT enforced AND MAX(enforced) OVER (PARTITION BY name)
        THEN CONCAT('in the tables, but not in force before FLUSH PRIVILEGES or a restart: ', privilege)
    END AS note
  FROM (
    SELECT name, privilege, MAX(grantable) AS grantable, MAX(in_tables) AS in_tables, MAX(enforced) AS enforced
    FROM (
      SELECT
        name,
        CONVERT(bits.privilege USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
        effective_access >> 10 & 1 AS grantable,
        TRUE AS in_tables,
        FALSE AS enforced
      FROM account
      JOIN (
        SELECT 1 AS bit, 'INSERT' AS privilege
        UNION ALL SELECT 2, 'UPDATE'
        UNION ALL SELECT 3, 'DELETE'
        UNION ALL SELECT 4, 'CREATE'
        UNION ALL SELECT 5, 'DROP'
        UNION ALL SELECT 6, 'RELOAD'
        UNION ALL SELECT 7, 'SHUTDOWN'
        UNION ALL SELECT 9, 'FILE'
        UNION ALL SELECT 10, 'GRANT OPTION'
        UNION ALL SELECT 13, 'ALTER'
        UNION ALL SELECT 15, 'SUPER'
        UNION ALL SELECT 25, 'CREATE USER'
        UNION ALL SELECT 30, 'SET USER'
        UNION ALL SELECT 31, 'FEDERATED ADMIN'
        UNION ALL SELECT 32, 'CONNECTION ADMIN'
        UNION ALL SELECT 33, 'READ_ONLY ADMIN'
        UNION ALL SELECT 34, 'REPLICATION SLAVE ADMIN'
        UNION ALL SELECT 35, 'REPLICATION MASTER ADMIN'
        UNION ALL SELECT 36, 'BINLOG ADMIN'
        UNION ALL SELECT 37, 'BINLOG REPLAY'
        -- Versions to come.
        UNION ALL SELECT 40, 'privilege 40'
        UNION ALL SELECT 41, 'privilege 41'
        UNION ALL SELECT 42, 'privilege 42'
        UNION ALL SELECT 43, 'privilege 43'
        UNION ALL SELECT 44, 'privilege 44'
      ) AS bits
        ON effective_access >> bits.bit & 1
          AND (bits.bit < 30 OR server_version >= 1005)
          AND (bits.bit < 40 OR (server_version >= 1200 AND effective_access <> ~0))
      UNION ALL
      SELECT name, privilege, grantable, FALSE, TRUE
      FROM in_force
    ) AS held
    GROUP BY name, privilege
  ) AS compared
),
-- Grants on schemas, and on tables and columns of the schema mysql. A schema's name is a pattern there, in which a backslash takes the meaning
-- from % and _ (0x5C is a backslash; 0x5C25 and 0x5C5F are one before % and _).
schema_grant AS (
  SELECT
    CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
    CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
    IF(@@lower_case_table_names = 0, CONVERT(Db USING utf8mb4), LOWER(CONVERT(Db USING utf8mb4))) COLLATE utf8mb4_bin AS written,
    CONCAT_WS(',',
      IF(Alter_priv = 'Y', 'ALTER', NULL),
      IF(Create_priv = 'Y', 'CREATE', NULL),
      IF(Delete_priv = 'Y', 'DELETE', NULL),
      IF(Drop_priv = 'Y', 'DROP', NULL),
      IF(Insert_priv = 'Y', 'INSERT', NULL),
      IF(Update_priv = 'Y', 'UPDATE', NULL)
    ) AS privileges,
    'N' NOT IN (
      Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, References_priv, Index_priv, Alter_priv,
      Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Execute_priv,
      Event_priv, Trigger_priv
    ) AS everything,
    Grant_priv = 'Y' AS grantable,
    TRUE AS in_tables
  FROM mysql.db
  UNION ALL
  -- In force on the schema mysql, whatever the table says by now. (With sql_mode ORACLE an empty SUBSTR is NULL.)
  SELECT in_force_user, in_force_host, in_force_schema, in_force_privilege, FALSE, in_force_grantable, FALSE
  FROM (
    SELECT
      CONVERT(
        CAST(COALESCE(RTRIM(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3)), '') AS CHAR(128)) USING utf8mb4
      ) COLLATE utf8mb4_bin AS in_force_user,
      CONVERT(CAST(COALESCE(LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2)), '') AS CHAR(255)) USING utf8mb4) COLLATE utf8mb4_bin AS in_force_host,
      CONVERT(TABLE_SCHEMA USING utf8mb4) COLLATE utf8mb4_bin AS in_force_schema,
      CONVERT(PRIVILEGE_TYPE USING utf8mb4) COLLATE utf8mb4_bin AS in_force_privilege,
      IS_GRANTABLE = 'YES' AS in_force_grantable
    FROM (
      SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE
      FROM information_schema.SCHEMA_PRIVILEGES
      WHERE 'mysql' LIKE TABLE_SCHEMA AND PRIVILEGE_TYPE IN ('ALTER', 'CREATE', 'DELETE', 'DROP', 'INSERT', 'UPDATE')
    ) AS schema_privilege
  ) AS in_force_on_mysql
  WHERE NOT EXISTS (
    SELECT 1
    FROM mysql.db
    WHERE CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin = in_force_user
      AND CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin = in_force_host
      AND IF(@@lower_case_table_names = 0, CONVERT(Db USING utf8mb4), LOWER(CONVERT(Db USING utf8mb4))) COLLATE utf8mb4_bin = in_force_schema
      AND 'Y' = CASE in_force_privilege
        WHEN 'ALTER' THEN Alter_priv
        WHEN 'CREATE' THEN Create_priv
        WHEN 'DELETE' THEN Delete_priv
        WHEN 'DROP' THEN Drop_priv
        WHEN 'INSERT' THEN Insert_priv
        WHEN 'UPDATE' THEN Update_priv
      END
  )
),
schema_object AS (
  SELECT
    schema_grant.*,
    REGEXP_INSTR(REPLACE(REPLACE(written, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx'), '[%_]') AS first_wildcard,
    -- An escape of its own, since the backslash is none under NO_BACKSLASH_ESCAPES.
    'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|' AS covers_mysql
  FROM schema_grant
),
object_grant AS (
  SELECT
    object.*,
    CONCAT(grantee_user, '@', grantee_host) AS grantee,
    -- The server takes the grant with the most specific host, then schema, then user: a network before a name, that before a pattern, and of
    -- patterns the one whose first wildcard comes later.
    1000 * CASE
      WHEN grantee_host = '' THEN 0
      WHEN grantee_host LIKE '%/%' THEN 200
      ELSE COALESCE(NULLIF(REGEXP_INSTR(grantee_host, '[%_]'), 0), 128)
    END + 2 * COALESCE(NULLIF(first_wildcard, 0), 128) + (grantee_user <> '') AS specificity
  FROM (
    SELECT
      'schema' AS kind,
      grantee_user,
      grantee_host,
      IF(first_wildcard > 0, written, REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')) AS object_name,
      '' AS column_name,
      privileges,
      everything,
      grantable,
      in_tables,
      first_wildcard,
      covers_mysql
    FROM schema_object
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
      0,
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
      0,
      FALSE
    FROM mysql.columns_priv
    WHERE IF(@@lower_case_table_names = 0, Db, LOWER(Db)) = 'mysql'
  ) AS object
),
-- A session is governed by one grant: the most specific of those whose host covers it and whose user is its own or, for schemas, nobody. So what
-- was granted on a schema to bob@% or to ''@% holds for bob@localhost too, unless something nearer does. The same search is made for an active
-- role and for PUBLIC, with an empty host, which % covers: so a role has the schema grants of a user bob@% of its name.
governed AS (
  SELECT
    account.name,
    account.is_role,
    account.name = grantee AS own,
    specificity = MAX(IF(covers_mysql, specificity, 0)) OVER (PARTITION BY account.name) AS decides_mysql,
    specificity = MAX(specificity) OVER (PARTITION BY account.name, kind, object_name) AS decides_object,
    object_grant.*
  FROM account
  JOIN (SELECT FALSE AS anonymous UNION ALL SELECT TRUE) AS whose
    ON NOT anonymous OR (user_name <> '' AND NOT is_role)
  JOIN object_grant
    ON grantee_user = IF(anonymous, '', user_name)
  WHERE account.name = grantee
    OR (host_name LIKE grantee_host AND IF(anonymous OR is_role, kind = 'schema', TRUE))
),
-- Writing in the schema mysql makes an administrator of the server (but time zones, help texts and statistics give no power, and through the
-- view mysql.user one can only delete); all privileges or the grant option on a schema, one of that schema.
object_right AS (
  SELECT
    name,
    IF(own OR is_role, '', grantee) AS via,
    IF(reach = 'schema', CONCAT('database:', object_name), 'server') AS scope,
    CASE reach
      WHEN 'mysql' THEN CONCAT(privileges, IF(grantable, ',GRANT OPTION', ''))
      WHEN 'schema' THEN CONCAT_WS(',', IF(everything, 'ALL PRIVILEGES', NULL), IF(grantable, 'GRANT OPTION', NULL))
      ELSE privileges
    END AS privileges,
    CASE
      WHEN kind = 'schema' THEN CONCAT(' ON ', object_name, '.*')
      WHEN column_name = '' THEN CONCAT(' ON mysql.', object_name)
      ELSE CONCAT(' (', column_name, ') ON mysql.', object_name)
    END AS on_object,
    reach,
    object_name,
    grantable,
    in_tables,
    NULLIF(CONCAT_WS('; ',
      IF(in_tables, NULL, CONCAT('in force, but no longer in the tables: ', privileges, ' ON ', object_name, '.*')),
      IF(first_wildcard > 0, CONCAT(object_name, ' is a pattern of schema names', IF(reach = 'mysql', ', which mysql matches', '')), NULL),
      CASE
        WHEN own THEN NULL
        WHEN is_role THEN 'granted to a user of the same name, whose schema grants hold for the role too'
        WHEN grantee_user = '' THEN 'granted to the anonymous account, whose schema grants hold for everybody from its hosts'
        ELSE 'granted to the same user from more hosts, which holds for this one too'
      END
    ), '') AS note
  FROM (
    SELECT
      governed.*,
      CASE
        WHEN kind = 'schema' AND covers_mysql AND privileges <> '' AND decides_mysql THEN 'mysql'
        WHEN kind = 'schema' AND (everything OR grantable) AND decides_object THEN 'schema'
        WHEN kind = 'table' AND privileges <> '' AND decides_object AND object_name NOT LIKE 'time|_zone%' ESCAPE '|' AND object_name NOT IN (
          'help_category', 'help_keyword', 'help_relation', 'help_topic', 'innodb_index_stats', 'innodb_table_stats',
          'index_stats', 'table_stats', 'column_stats'
        ) THEN 'table'
      END AS reach
    FROM governed
  ) AS reaching
  WHERE reach IS NOT NULL
),
direct_right AS (
  SELECT name, '' AS via, 'server' AS scope, privilege, grantable, in_tables, note
  FROM global_right
  -- These only show, concern the session itself, or do nothing alone. A privilege that is not known here counts.
  WHERE privilege NOT IN (
    'USAGE', 'SELECT', 'REFERENCES', 'INDEX', 'CREATE TEMPORARY TABLES', 'LOCK TABLES', 'CREATE VIEW', 'SHOW VIEW', 'CREATE ROUTINE',
    'ALTER ROUTINE', 'EXECUTE', 'EVENT', 'TRIGGER', 'DELETE HISTORY', 'DELETE VERSIONING ROWS', 'CREATE TABLESPACE', 'PROCESS', 'SHOW DATABASES',
    'REPLICATION CLIENT', 'BINLOG MONITOR', 'REPLICATION SLAVE', 'SLAVE MONITOR', 'REPLICA MONITOR', 'SHOW CREATE ROUTINE'
  )
  UNION ALL
  SELECT name, via, scope, CONCAT(word.privilege, on_object), grantable, in_tables, note
  FROM object_right
  JOIN (
    SELECT 'ALL PRIVILEGES' AS privilege
    UNION ALL SELECT 'ALTER'
    UNION ALL SELECT 'CREATE'
    UNION ALL SELECT 'DELETE'
    UNION ALL SELECT 'DROP'
    UNION ALL SELECT 'GRANT OPTION'
    UNION ALL SELECT 'INSERT'
    UNION ALL SELECT 'UPDATE'
  ) AS word ON FIND_IN_SET(word.privilege, privileges) > 0
  -- A table that exists cannot be created.
  WHERE IF(reach = 'table', word.privilege <> 'CREATE' AND (object_name <> 'user' OR word.privilege = 'DELETE'), TRUE)
  UNION ALL
  SELECT
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin,
    '',
    'server',
    'PROXY ON @',
    With_grant > 0,
    TRUE,
    'becomes any account that its login plugin names'
  FROM mysql.proxies_priv
  WHERE Proxied_user = '' AND Proxied_host = ''
),

-- Roles and proxies: from those who hold a right down to those who get it ----------------------------------------------------------------------
-- A member may activate every role granted to it, with all that is granted to that one, default or not; PUBLIC is everybody; a proxy becomes
-- the other account.
step AS (
  SELECT
    CONVERT(CONCAT(Role, '@') USING utf8mb4) COLLATE utf8mb4_bin AS from_name,
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS to_name,
    'role' AS kind,
    Admin_option = 'Y' AS may_grant,
    -- Of a role (it has no host), how many it is a member of: so many ways lead through it.
    IF(Host = '', COUNT(*) OVER (PARTITION BY User, Host), 1) AS ways
  FROM mysql.roles_mapping
  UNION ALL
  SELECT 'PUBLIC@', CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin, 'everybody', FALSE, 1
  FROM mysql.global_priv
  WHERE COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) <> 1
  UNION ALL
  SELECT
    CONVERT(CONCAT(Proxied_user, '@', LOWER(Proxied_host)) USING utf8mb4) COLLATE utf8mb4_bin,
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin,
    'proxy',
    With_grant > 0,
    1
  FROM mysql.proxies_priv
),
holder AS (
  SELECT
    name,
    via,
    scope,
    GROUP_CONCAT(DISTINCT privilege ORDER BY privilege SEPARATOR '; ') AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    GROUP_CONCAT(DISTINCT note ORDER BY note SEPARATOR '; ') AS note
  FROM direct_right
  GROUP BY name, via, scope
),
-- A chain that could take more than 10,000 ways, or is 100 roles long, ends in a row without a name, which becomes an "incomplete" one.
chain AS (
  SELECT
    name,
    via,
    scope,
    privileges,
    grantable,
    in_tables,
    note,
    CAST('' AS CHAR(9)) AS kind,
    CAST(CONCAT(',', HEX(name), ',') AS CHAR(60000)) AS path,
    CAST('' AS CHAR(30000)) COLLATE utf8mb4_bin AS granted_through,
    CAST('' AS CHAR(400)) COLLATE utf8mb4_bin AS proxied,
    1 AS ways,
    0 AS length
  FROM holder
  UNION ALL
  SELECT
    IF(chain.ways * step.ways > 10000 OR chain.length = 100, NULL, step.to_name),
    chain.via,
    chain.scope,
    chain.privileges,
    IF(step.kind = 'proxy', step.may_grant, chain.grantable OR step.may_grant),
    chain.in_tables,
    chain.note,
    step.kind,
    CONCAT(chain.path, HEX(step.to_name), ','),
    CONCAT(TRIM(TRAILING '@' FROM chain.name), IF(chain.granted_through = '', '', ' > '), chain.granted_through),
    IF(step.kind = 'proxy', chain.name, ''),
    chain.ways * step.ways,
    chain.length + 1
  FROM chain
  JOIN step ON step.from_name = chain.name
  WHERE chain.via = ''
    AND chain.kind <> 'proxy'
    AND (chain.kind <> 'everybody' OR step.kind = 'proxy')
    AND LOCATE(CONCAT(',', HEX(step.to_name), ','), chain.path) = 0
),
administrator AS (
  SELECT
    name,
    scope,
    granted_through,
    -- What comes by one path is one holder's, and the same each time; a proxy, which has a row of its own here, may become several.
    IF(kind = 'proxy', GROUP_CONCAT(DISTINCT CONCAT('PROXY ON ', proxied) ORDER BY proxied SEPARATOR '; '), MAX(privileges)) AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    GROUP_CONCAT(DISTINCT note ORDER BY note SEPARATOR '; ') AS notes
  FROM (
    SELECT
      name,
      scope,
      CASE WHEN name IS NULL OR kind = 'proxy' THEN '' WHEN via <> '' THEN via ELSE granted_through END AS granted_through,
      -- Names joined can look alike; what tells one chain from another is its path.
      IF(name IS NULL OR kind = 'proxy' OR granted_through = '', via, path) AS path,
      IF(kind = 'proxy', kind, '') AS kind,
      privileges,
      proxied,
      grantable,
      in_tables,
      CASE kind
        WHEN 'proxy' THEN CONCAT('becomes ', proxied, ' where its login plugin maps it so or check_proxy_users is on')
        WHEN 'everybody' THEN CONCAT_WS('; ', 'PUBLIC is everybody', note)
        ELSE note
      END AS note
    FROM chain
  ) AS attained
  GROUP BY name, scope, granted_through, path, kind
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
  IF(administrator.name IS NULL, 'incomplete', 'admin') AS result,
  administrator.scope,
  IF(is_role, user_name, administrator.name) AS principal,
  CASE WHEN is_role THEN 'role' WHEN administrator.name IS NOT NULL THEN 'user' END AS principal_type,
  administrator.granted_through,
  IF(administrator.name IS NULL, NULL, administrator.privileges) AS privileges,
  CASE WHEN administrator.name IS NULL THEN NULL WHEN administrator.grantable THEN 'yes' ELSE 'no' END AS can_grant,
  -- A role cannot log in. An account whose password has expired can, and must change it first.
  CASE WHEN administrator.name IS NULL THEN NULL WHEN is_role OR locked OR (NOT not_shown AND NOT possible) THEN 'no' ELSE 'yes' END AS enabled,
  IF(not_shown, '', plugins) AS authentication,
  '' AS created_at,
  IF(is_role OR expired, '', DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL changed_at SECOND), '%Y-%m-%dT%H:%i:%sZ')) AS password_changed_at,
  IF(
    administrator.name IS NULL,
    'the roles are too entangled to follow every chain of them: some administrators may be missing, and chains of those that are listed',
    CONCAT_WS('; ',
      CASE
        WHEN administrator.name = 'mariadb.sys@localhost' THEN 'MariaDB''s own account'
        WHEN user_name IN ('rdsadmin', 'rdsrepladmin') THEN 'Amazon RDS''s own account'
        WHEN user_name = 'debian-sys-maint' THEN 'the maintenance account of Debian''s package'
        WHEN administrator.name = 'PUBLIC@' THEN 'what is granted to PUBLIC, everybody holds'
        WHEN user_name = '' THEN 'anonymous: logs in under any name'
      END,
      IF(locked, 'locked', NULL),
      IF(expired AND NOT locked AND NOT is_role, 'its password has expired and must be changed at the next login', NULL),
      CASE
        WHEN account.name IS NULL THEN 'in force, but no longer in mysql.global_priv'
        WHEN not_shown THEN 'mysql.global_priv was not shown: whether it can log in is not known'
        ELSE login.note
      END,
      administrator.notes
    )
  ) AS detail
FROM administrator
LEFT JOIN account ON account.name = administrator.name
LEFT JOIN login ON login.name = administrator.name
-- A grant whose account is gone is nobody's, unless the server still enforces it.
WHERE account.name IS NOT NULL OR administrator.name IS NULL OR NOT administrator.in_tables

UNION ALL

SELECT
  'admin', 'server', '@%', 'user', '', 'skip_grant_tables', 'yes', 'yes', '', '', '',
  'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say'
FROM DUAL
WHERE CURRENT_USER() = '@' AND NOT EXISTS (SELECT 1 FROM mysql.global_priv WHERE User = '' AND Host = '')

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '',
  CONCAT('mysql.global_priv lacks ', CURRENT_USER(), ', who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES')
FROM DUAL
WHERE CURRENT_USER() <> '@'
  AND (SELECT NOT MAX(JSON_EXISTS(Priv, '$.unknown')) AND NOT MAX(CONCAT(User, '@', Host) = CURRENT_USER()) FROM mysql.global_priv)

UNION ALL

-- Under this sql_mode, which works before SET STATEMENT does, '' means NULL everywhere above.
SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '',
  CONCAT(
    'sql_mode has EMPTY_STRING_IS_NULL, with which the catalog cannot be read in full: ',
    'SET GLOBAL sql_mode = REPLACE(@@GLOBAL.sql_mode, ''EMPTY_STRING_IS_NULL'', '''')'
  )
FROM DUAL
WHERE '' IS NULL

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
