-- Every administrator of a MySQL server and of its schemas: MySQL 8.0.16 and later, RDS for MySQL 8.0 and later, Aurora MySQL 3.
--
-- One row     is one administrator (an account or a role), one scope (the server, or a schema) and one chain of roles. A chain that adds no right
--             to what its principal holds directly or by a shorter chain has no row: the role that begins it stands in detail.
-- It needs    SELECT ON mysql.*, and the settings of mysql-session.sql. The least is SELECT on mysql.user (its column authentication_string, the
--             hashes, may be left out: then it is not known whether a password fits), global_grants, db, tables_priv, columns_priv, role_edges
--             and proxies_priv. With the least it does not see rights that are in force and no longer in the tables: information_schema shows
--             them only to a login that has SELECT ON mysql.*.
-- Not shown   A table that may not be read is an error (1142, 1143), never an empty answer. A name with a zero byte, at which the server cuts it,
--             and a chain of more than 100 roles give an "incomplete" row.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, LDAP, IAM); which
--             of two host patterns a client comes from, where they overlap and neither covers the other.
-- Manual      https://dev.mysql.com/doc/refman/8.4/en/ privileges-provided.html, partial-revokes.html, roles.html, request-access.html
--
-- For a login that may not read the hashes, the worker puts this in the place of mysql.user:
-- without mysql.user.authentication_string: SELECT Host, User, Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv,
-- Reload_priv, Shutdown_priv, Process_priv, File_priv, Grant_priv, References_priv, Index_priv, Alter_priv, Show_db_priv, Super_priv,
-- Create_tmp_table_priv, Lock_tables_priv, Execute_priv, Repl_slave_priv, Repl_client_priv, Create_view_priv, Show_view_priv,
-- Create_routine_priv, Alter_routine_priv, Create_user_priv, Event_priv, Trigger_priv, Create_tablespace_priv, Create_role_priv, Drop_role_priv,
-- plugin, password_expired, password_last_changed, password_lifetime, account_locked, User_attributes, NULL AS authentication_string
-- FROM mysql.user

WITH RECURSIVE

-- Accounts ---------------------------------------------------------------------------------------------------------------------------------
-- The key of an account is its name, user@host (no host holds an @). Names are made utf8mb4_bin where they are read, and so are compared byte by
-- byte; hosts are made lower case, since the server takes them without regard to case.
--
-- The roles of mandatory_roles, read as the server reads it: a comma ends an item, an @ its user; quotes of any of three kinds enclose all but
-- themselves; blanks outside of quotes are dropped.
mandatory_list AS (
  SELECT CONVERT(@@GLOBAL.mandatory_roles USING utf8mb4) COLLATE utf8mb4_bin AS rest
  UNION ALL
  SELECT SUBSTR(rest, CHAR_LENGTH(REGEXP_SUBSTR(rest, '^([^,''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*')) + 2)
  FROM mandatory_list
  WHERE rest <> ''
),
mandatory_role AS (
  SELECT DISTINCT CAST(CONCAT(user_name, '@', LOWER(IF(host_name = '', '%', host_name))) AS CHAR(384)) COLLATE utf8mb4_bin AS role
  FROM (
    SELECT
      REGEXP_REPLACE(user_part, '''([^'']*)''|"([^"]*)"|`([^`]*)`|[[:space:]]', '$1$2$3') AS user_name,
      REGEXP_REPLACE(SUBSTR(item, CHAR_LENGTH(user_part) + 2), '''([^'']*)''|"([^"]*)"|`([^`]*)`|[[:space:]]', '$1$2$3') AS host_name
    FROM (
      SELECT
        REGEXP_SUBSTR(rest, '^([^,''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*') AS item,
        REGEXP_SUBSTR(rest, '^([^,@''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*') AS user_part
      FROM mandatory_list
      WHERE rest <> ''
    ) AS mandatory_item
  ) AS mandatory_part
),
account AS (
  SELECT
    user_table.*,
    -- An account that can log in is a user, even one that is granted to others.
    made_as_role OR (locked AND (granted_to_others OR name IN (SELECT role FROM mandatory_role))) AS is_role,
    made_as_role OR granted_to_others OR member_of_others OR @@GLOBAL.mandatory_roles <> '' AS uses_roles
  FROM (
    SELECT
      CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
      CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
      CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
      -- In the order of static_privilege.
      CONCAT(
        Alter_priv, Alter_routine_priv, Create_priv, Create_routine_priv, Create_tmp_table_priv, Create_view_priv, Delete_priv, Drop_priv,
        Event_priv, Execute_priv, Index_priv, Insert_priv, Lock_tables_priv, References_priv, Select_priv, Show_view_priv, Trigger_priv,
        Update_priv, Create_role_priv, Create_tablespace_priv, Create_user_priv, Drop_role_priv, File_priv, Process_priv, Reload_priv,
        Repl_client_priv, Repl_slave_priv, Show_db_priv, Shutdown_priv, Super_priv, Grant_priv
      ) AS held,
      Grant_priv = 'Y' AS grantable,
      CONVERT(plugin USING utf8mb4) COLLATE utf8mb4_bin AS plugin,
      CONVERT(User_attributes->>'$.multi_factor_authentication[0].plugin' USING utf8mb4) COLLATE utf8mb4_bin AS second_plugin,
      CONVERT(User_attributes->>'$.multi_factor_authentication[1].plugin' USING utf8mb4) COLLATE utf8mb4_bin AS third_plugin,
      CONVERT(authentication_string USING utf8mb4) COLLATE utf8mb4_bin AS hash,
      -- No password can fit. (Empty means that none is needed, NULL that it was not shown; the last is what MySQL's own accounts are made with.)
      CASE plugin
        WHEN 'caching_sha2_password' THEN authentication_string <> '' AND (
          CHAR_LENGTH(authentication_string) < 70 OR authentication_string NOT LIKE '$%' OR authentication_string LIKE '%MUSTNEVERBRBEUSED'
        )
        WHEN 'sha256_password' THEN authentication_string <> '' AND authentication_string NOT LIKE '$5$%'
        WHEN 'mysql_native_password' THEN authentication_string <> '' AND authentication_string NOT REGEXP '^[*][0-9A-Fa-f]{40}$'
        ELSE FALSE
      END AS unusable,
      account_locked = 'Y' AS locked,
      -- By hand, or by age: the account's own number of days or, where it has none, the server's; 0 is never.
      password_expired = 'Y' OR (
        plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
          AND COALESCE(password_lifetime, @@GLOBAL.default_password_lifetime) > 0
          AND password_last_changed + INTERVAL COALESCE(password_lifetime, @@GLOBAL.default_password_lifetime) DAY < NOW()
      ) AS expired,
      -- What CREATE ROLE makes. It can be unlocked, and then log in.
      account_locked = 'Y' AND password_expired = 'Y' AND COALESCE(authentication_string, '') = '' AS made_as_role,
      DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL UNIX_TIMESTAMP(password_last_changed) SECOND), '%Y-%m-%dT%H:%i:%sZ') AS changed_at,
      User_attributes->'$.Restrictions' AS restrictions,
      (User, Host) IN (SELECT FROM_USER, FROM_HOST FROM mysql.role_edges) AS granted_to_others,
      (User, Host) IN (SELECT TO_USER, TO_HOST FROM mysql.role_edges) AS member_of_others
    FROM mysql.user
  ) AS user_table
),

-- Privileges on *.* --------------------------------------------------------------------------------------------------------------------------
-- The first 18 can be granted on a schema too: who has them all on *.* has ALL PRIVILEGES on each schema.
static_privilege AS (
  SELECT place - 1 AS place, privilege
  FROM JSON_TABLE(
    '["ALL PRIVILEGES", "ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "CREATE VIEW", "DELETE", "DROP",
      "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES", "SELECT", "SHOW VIEW", "TRIGGER", "UPDATE", "CREATE ROLE",
      "CREATE TABLESPACE", "CREATE USER", "DROP ROLE", "FILE", "PROCESS", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE",
      "SHOW DATABASES", "SHUTDOWN", "SUPER", "GRANT OPTION"]',
    '$[*]' COLUMNS (place FOR ORDINALITY, privilege VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')
  ) AS listed
),
-- What the server enforces; the tables say otherwise where somebody has changed them by hand since it read them. GRANT OPTION is no row there,
-- but IS_GRANTABLE with every static privilege (their names have no _). GRANTEE is 'user'@'host', and its tail all after the last @.
in_force AS (
  SELECT
    CONVERT(
      CAST(CONCAT(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3), '@', LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2))) AS CHAR(384))
      USING utf8mb4
    ) COLLATE utf8mb4_bin AS name,
    CONVERT(IF(is_option, 'GRANT OPTION', PRIVILEGE_TYPE) USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
    IS_GRANTABLE = 'YES' AS grantable
  FROM (
    SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, PRIVILEGE_TYPE, IS_GRANTABLE
    FROM information_schema.USER_PRIVILEGES
  ) AS user_privilege
  JOIN (SELECT FALSE AS is_option UNION ALL SELECT TRUE) AS either
    ON NOT is_option OR (IS_GRANTABLE = 'YES' AND PRIVILEGE_TYPE NOT LIKE '%|_%' ESCAPE '|')
),
global_privilege AS (
  SELECT
    name,
    privilege,
    grantable,
    TRUE AS in_tables,
    FALSE AS enforced,
    -- A partial revoke takes the schema mysql away from a privilege on *.*, which then reaches no account and no plugin; on other schemas it
    -- does not matter here.
    privilege IN ('ALTER', 'CREATE', 'DELETE', 'DROP', 'INDEX', 'INSERT', 'UPDATE') AND COALESCE(
      JSON_CONTAINS(restrictions, JSON_OBJECT('Database', 'mysql', 'Privileges', JSON_ARRAY(privilege))), FALSE
    ) AS kept_out_of_mysql
  FROM account
  JOIN static_privilege ON IF(place = 0, LEFT(held, 18) = REPEAT('Y', 18) AND restrictions IS NULL, SUBSTR(held, place, 1) = 'Y')
  WHERE LOCATE('Y', held) > 0
  UNION ALL
  SELECT
    CONVERT(CONCAT(USER, '@', LOWER(HOST)) USING utf8mb4) COLLATE utf8mb4_bin,
    CONVERT(PRIV USING utf8mb4) COLLATE utf8mb4_bin,
    WITH_GRANT_OPTION = 'Y',
    TRUE,
    FALSE,
    FALSE
  FROM mysql.global_grants
  UNION ALL
  SELECT name, privilege, grantable, FALSE, TRUE, FALSE
  FROM in_force
),
global_right AS (
  SELECT
    name,
    privilege,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    CASE
      WHEN NOT MAX(in_tables)
        THEN CONCAT('in force, but no longer in the tables: ', privilege)
      WHEN NOT MAX(enforced) AND MAX(MAX(enforced)) OVER (PARTITION BY name ORDER BY MAX(enforced) DESC ROWS UNBOUNDED PRECEDING)
        THEN CONCAT('in the tables, but not in force before FLUSH PRIVILEGES or a restart: ', privilege)
    END AS note
  FROM global_privilege
  GROUP BY name, privilege
  HAVING NOT MAX(kept_out_of_mysql)
),
-- Who holds all that the server has, or all but three: its static privileges, and the dynamic ones that anybody on it holds.
all_privileges AS (
  SELECT
    name,
    CONCAT_WS(' but ', 'ALL PRIVILEGES', GROUP_CONCAT(server_privilege.privilege ORDER BY server_privilege.privilege SEPARATOR ', ')) AS shown
  FROM account
  LEFT JOIN (
    SELECT place, privilege FROM static_privilege WHERE privilege NOT IN ('ALL PRIVILEGES', 'GRANT OPTION')
    UNION ALL
    SELECT DISTINCT 0, CONVERT(PRIV USING utf8mb4) COLLATE utf8mb4_bin FROM mysql.global_grants
  ) AS server_privilege ON IF(
    place > 0,
    SUBSTR(held, place, 1) = 'N',
    CONCAT(name, ' ', privilege) NOT IN (
      SELECT CONVERT(CONCAT(USER, '@', LOWER(HOST), ' ', PRIV) USING utf8mb4) COLLATE utf8mb4_bin FROM mysql.global_grants
    )
  )
  WHERE CHAR_LENGTH(REPLACE(LEFT(held, 30), 'Y', '')) <= 3 AND restrictions IS NULL
  GROUP BY name
  HAVING COUNT(server_privilege.privilege) <= 3
),

-- Grants on schemas, and on tables and columns of the schema mysql -----------------------------------------------------------------------------
-- A schema's name is a pattern there, in which a backslash takes the meaning from % and _ (0x5C is a backslash; 0x5C25 and 0x5C5F are one before
-- % and _); with partial_revokes it is a plain name.
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
    CONVERT(CAST(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3) AS CHAR(128)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
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
    IF(@@GLOBAL.partial_revokes, 0, REGEXP_INSTR(REPLACE(REPLACE(written, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx'), '[%_]')) AS first_wildcard,
    -- An escape of its own, since the backslash is none under NO_BACKSLASH_ESCAPES.
    IF(
      @@GLOBAL.partial_revokes,
      written = 'mysql',
      'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|'
    ) AS covers_mysql,
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
    -- The server takes the grant with the most specific host, then schema, then user: a network before a name, that before a pattern, and of
    -- patterns the one whose first wildcard comes later.
    1000 * CASE
      WHEN grantee_host = '' THEN 0
      WHEN grantee_host LIKE '%/%' THEN 200
      ELSE COALESCE(NULLIF(REGEXP_INSTR(grantee_host, '[%_]'), 0), 128)
    END + 2 * COALESCE(NULLIF(first_wildcard, 0), 128) + (grantee_user <> '') AS specificity,
    -- Before 8.4 the order of the schemas is not kept where the host is an address or a network: then any grant that matches may decide.
    kind = 'schema' AND INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)) IS NOT NULL
      AND SUBSTRING_INDEX(VERSION(), '.', 1) + 0 < 9 AND VERSION() NOT LIKE '8.4.%' AS in_no_order,
    MIN(IF(covers_mysql, IF(first_wildcard = 0, '', object_name), NULL)) OVER (PARTITION BY grantee_user, grantee_host) AS first_on_mysql
  FROM (
    SELECT
      'schema' AS kind,
      grantee_user,
      grantee_host,
      IF(
        first_wildcard > 0 OR @@GLOBAL.partial_revokes,
        written,
        REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')
      ) AS object_name,
      '' AS column_name,
      privileges,
      everything,
      grantable,
      in_tables,
      first_wildcard,
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
      0,
      FALSE
    FROM mysql.proxies_priv
  ) AS object
),
-- For whom a grant holds: for the account that it names, and for every other one of the same user, or of any user where it names nobody, whose
-- host its own host covers (bob@% for bob@localhost; ''@10.0.0.0/8 for all of 10.1.2.3). A role has its own grants alone. A session is governed by
-- one schema grant: the most specific of those that hold for it. With a role active, and for a role, it is of the grants to the very account the
-- one that names the schema, else the first pattern in the order of bytes. (The account's and its roles' are then searched as one; here each
-- one's own, so that with several patterns somebody may be named who is none, but nobody is missed.)
governed AS (
  SELECT /*+ NO_MERGE(client, granted) */
    client.name,
    (own AND (is_role OR uses_roles) AND IF(first_wildcard = 0, '', object_name) = first_on_mysql) OR (NOT is_role AND (
      in_no_order OR specificity = MAX(IF(covers_mysql, specificity, 0)) OVER (PARTITION BY client.name)
    )) AS decides_mysql,
    (own AND (is_role OR uses_roles)) OR (NOT is_role AND (
      in_no_order OR specificity = MAX(specificity) OVER (PARTITION BY client.name, kind, object_name)
    )) AS decides_object,
    granted.*
  FROM (
    -- One column to compare: the account's own name, its user, or nobody. 10.1.% is looked for in a network by its first address.
    SELECT
      name, host_name, is_role, uses_roles,
      CONCAT(way, CASE way WHEN 1 THEN name WHEN 2 THEN user_name ELSE '' END) AS goes_as,
      host_name IN ('localhost', '127.0.0.1', '::1') AS loopback,
      INET_ATON(IF(host_name IN ('localhost', '::1'), '127.0.0.1', REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0'))) AS address
    FROM account
    JOIN (SELECT 1 AS way UNION ALL SELECT 2 UNION ALL SELECT 3) AS ways
      ON way = 1 OR (NOT is_role AND (way = 2 OR user_name <> ''))
  ) AS client
  JOIN (
    SELECT
      object_grant.*,
      own,
      CASE WHEN own THEN CONCAT(1, grantee) WHEN grantee_user <> '' THEN CONCAT(2, grantee_user) ELSE '3' END AS goes_to,
      -- A network is written 10.0.0.0/255.0.0.0 or 10.0.0.0/8.
      INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)) AS network,
      CASE
        WHEN grantee_host LIKE '%/%.%' THEN INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1))
        WHEN grantee_host LIKE '%/%' THEN (4294967295 << (32 - SUBSTRING_INDEX(grantee_host, '/', -1))) & 4294967295
      END AS mask
    FROM object_grant
    JOIN (SELECT TRUE AS own UNION ALL SELECT FALSE) AS whose
      ON own
        OR (grantee_user = '' AND kind <> 'table')
        OR (grantee_user <> '' AND (grantee_host IN ('', 'localhost', '127.0.0.1', '::1') OR grantee_host REGEXP '[%_/]'))
  ) AS granted ON goes_to = goes_as
  WHERE own OR (
    grantee <> name AND (
      grantee_host = ''
      OR host_name LIKE grantee_host
      OR address & mask = network
      -- A client on loopback is taken for localhost, 127.0.0.1 or ::1, whichever there is.
      OR (loopback AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host))
    )
  )
),
-- Writing in the schema mysql makes an administrator of the server; all privileges or the grant option on a schema, one of that schema.
object_right AS (
  SELECT
    name,
    IF(own, '', grantee) AS via,
    IF(reach = 'schema', CONCAT('database:', object_name), 'server') AS scope,
    reach,
    IF(reach = 'table', object_name, '') AS table_name,
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
    NULLIF(CONCAT_WS('; ',
      IF(in_tables, NULL, CONCAT('in force, but no longer in the tables: ', privileges, ' ON ', object_name, '.*')),
      IF(first_wildcard > 0, CONCAT(object_name, ' is a pattern of schema names', IF(reach = 'mysql', ', which mysql matches', '')), NULL),
      CASE
        WHEN own THEN NULL
        WHEN grantee_user = '' AND kind = 'proxy' THEN 'granted to the anonymous account, and so to everybody from its hosts'
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
        WHEN kind = 'table' AND decides_object THEN 'table'
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
          'ALTER', 'CREATE USER', 'GRANT OPTION', 'INSERT', 'SUPER', 'UPDATE',
          'BINLOG_ADMIN', 'REPLICATION_SLAVE_ADMIN', 'ROLE_ADMIN', 'SET_ANY_DEFINER', 'SET_USER_ID',
          'SYSTEM_VARIABLES_ADMIN' -- init_connect runs as whoever logs in
        ) THEN 'full'
        WHEN privilege IN (
          'ALL PRIVILEGES', 'ALTER ROUTINE', 'CREATE ROLE', 'CREATE ROUTINE', 'CREATE TEMPORARY TABLES', 'CREATE VIEW', 'EVENT', 'EXECUTE',
          'LOCK TABLES', 'PROCESS', 'REFERENCES', 'REPLICATION CLIENT', 'REPLICATION SLAVE', 'SELECT', 'SHOW DATABASES', 'SHOW VIEW', 'TRIGGER',
          'USAGE', 'ALLOW_NONEXISTENT_DEFINER', 'APPLICATION_PASSWORD_ADMIN', 'AUDIT_ABORT_EXEMPT', 'AUTHENTICATION_POLICY_ADMIN', 'FIREWALL_EXEMPT',
          'FIREWALL_USER', 'FLUSH_OPTIMIZER_COSTS', 'FLUSH_PRIVILEGES', 'FLUSH_STATUS', 'FLUSH_TABLES', 'FLUSH_USER_RESOURCES',
          'NDB_STORED_USER', 'OPTIMIZE_LOCAL_TABLE', 'PASSWORDLESS_USER_ADMIN', 'PERSIST_RO_VARIABLES_ADMIN', 'RESOURCE_GROUP_USER',
          'SENSITIVE_VARIABLES_OBSERVER', 'SERVICE_CONNECTION_ADMIN', 'SHOW_ROUTINE', 'SKIP_QUERY_REWRITE', 'SYSTEM_USER',
          'TABLE_ENCRYPTION_ADMIN', 'TP_CONNECTION_ADMIN', 'TRANSACTION_GTID_TAG', 'XA_RECOVER_ADMIN'
        ) THEN 'none'
        ELSE 'part'
      END
      WHEN 'schema' THEN IF(privilege = 'ALL PRIVILEGES', 'full', 'part')
      WHEN 'proxy' THEN 'full'
      WHEN 'mysql' THEN IF(privilege IN ('ALTER', 'INSERT', 'UPDATE'), 'full', 'part')
      -- The server's own tables: of accounts and grants and of code, and others. Those of time zones, help texts and statistics give no power,
      -- nor do tables that somebody else made there; and a table that exists cannot be created.
      WHEN 'table' THEN CASE
        WHEN privilege NOT IN ('ALTER', 'DELETE', 'DROP', 'INDEX', 'INSERT', 'UPDATE') THEN 'none'
        WHEN table_name IN (
          'columns_priv', 'component', 'db', 'func', 'global_grants', 'plugin', 'proxies_priv', 'role_edges', 'tables_priv', 'user'
        ) THEN IF(privilege IN ('ALTER', 'INSERT', 'UPDATE'), 'full', 'part')
        WHEN table_name IN (
          'audit_log_filter', 'audit_log_user', 'default_roles', 'engine_cost', 'firewall_group_allowlist', 'firewall_groups',
          'firewall_membership', 'firewall_users', 'firewall_whitelist', 'general_log', 'gtid_executed', 'ndb_binlog_index',
          'password_history', 'procs_priv', 'replication_asynchronous_connection_failover',
          'replication_asynchronous_connection_failover_managed', 'replication_group_configuration_version',
          'replication_group_member_actions', 'server_cost', 'servers', 'slave_master_info', 'slave_relay_log_info', 'slave_worker_info',
          'slow_log'
        ) THEN 'part'
        ELSE 'none'
      END
    END AS extent
  FROM (
    SELECT
      global_right.name, '' AS via, 'server' AS scope, 'server' AS reach, '' AS table_name, privilege, '' AS on_object,
      COALESCE(all_privileges.shown, privilege) AS shown, grantable, in_tables, note
    FROM global_right
    LEFT JOIN all_privileges ON all_privileges.name = global_right.name
    UNION ALL
    SELECT
      name, via, scope, reach, table_name, word.privilege, on_object,
      CONCAT(IF(everything, 'ALL PRIVILEGES', word.privilege), on_object), grantable, in_tables, note
    FROM object_right
    JOIN (
      SELECT privilege FROM static_privilege UNION ALL SELECT 'PROXY'
    ) AS word ON FIND_IN_SET(word.privilege, privileges) > 0
  ) AS held
),

-- Roles: from those who hold a right down to those who get it ------------------------------------------------------------------------------------
-- A member may activate every role granted to it, and all that is granted to those, default or not; everybody who logs in may activate the
-- mandatory ones.
role_edge AS (
  SELECT
    role, member, admin_option,
    (TO_USER, TO_HOST) IN (SELECT FROM_USER, FROM_HOST FROM mysql.role_edges) OR member IN (SELECT role FROM mandatory_role) AS to_role
  FROM (
    SELECT
      CONVERT(CONCAT(FROM_USER, '@', LOWER(FROM_HOST)) USING utf8mb4) COLLATE utf8mb4_bin AS role,
      CONVERT(CONCAT(TO_USER, '@', LOWER(TO_HOST)) USING utf8mb4) COLLATE utf8mb4_bin AS member,
      WITH_ADMIN_OPTION = 'Y' AS admin_option,
      TO_USER, TO_HOST
    FROM mysql.role_edges
  ) AS edge
),
step AS (
  SELECT role, member, admin_option, FALSE AS to_everybody
  FROM role_edge
  UNION ALL
  SELECT mandatory_role.role, CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin, FALSE, TRUE
  FROM mandatory_role
  JOIN mysql.user ON NOT (account_locked = 'Y' AND password_expired = 'Y' AND COALESCE(authentication_string, '') = '')
),
-- The roles that hold anything. Those that hold the same have the same digest in `holding`; one with other grants than static privileges is like no
-- other. (A list of texts without a width would be read again for each role.)
role_holding AS (
  SELECT
    granted_role.name,
    CAST(UNHEX(SHA2(CONCAT_WS(' ', held, restrictions, list, IF(special, granted_role.name, '')), 256)) AS BINARY(32)) AS holding
  FROM (
    SELECT
      name, held, restrictions,
      LOWER(REPLACE(name, '''', '')) IN (
        SELECT CAST(LOWER(REPLACE(grantee, '''', '')) AS CHAR(384))
        FROM (
          SELECT CONCAT(USER, '@', HOST) AS grantee FROM mysql.global_grants
          UNION ALL SELECT CONCAT(User, '@', Host) FROM mysql.db
          UNION ALL SELECT CONCAT(User, '@', Host) FROM mysql.tables_priv
          UNION ALL SELECT CONCAT(User, '@', Host) FROM mysql.columns_priv
          UNION ALL SELECT GRANTEE FROM information_schema.SCHEMA_PRIVILEGES
        ) AS holder
      ) AS special
    FROM account
    WHERE granted_to_others OR @@GLOBAL.mandatory_roles <> ''
  ) AS granted_role
  LEFT JOIN (
    SELECT name, GROUP_CONCAT(privilege, grantable ORDER BY privilege) AS list FROM in_force WHERE privilege <> 'USAGE' GROUP BY name
  ) AS in_force_now ON in_force_now.name = granted_role.name
  WHERE LOCATE('Y', held) > 0 OR special OR list IS NOT NULL
),
-- Which of them leads to which, and in how many steps: UNION ends circles, and keeps one row where many ways are equally long.
reach AS (
  SELECT name AS source, holding, name, 0 AS length, FALSE AS admin_option
  FROM role_holding
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
  SELECT source, holding, name, 0 AS length, FALSE AS admin_option, CAST('' AS CHAR(4000)) COLLATE utf8mb4_bin AS roles
  FROM reach
  WHERE length = 0
  UNION ALL
  SELECT
    last_step.source, last_step.holding, last_step.name, last_step.length, last_step.admin_option,
    CONCAT_WS(' > ', last_step.role, NULLIF(LEFT(roles, 3600), ''))
  FROM chain
  JOIN last_step ON last_step.source = chain.source AND last_step.role = chain.name
  WHERE place = 1
),
-- Of the chains from a role to others that hold the same the nearest: the rest adds nothing. Two, since one may begin at the member itself.
arrival AS (
  SELECT
    source, member, step.role, length + 1 AS length, way.admin_option OR step.admin_option AS admin_option, to_everybody, roles
  FROM (
    SELECT chain.*, ROW_NUMBER() OVER (PARTITION BY name, holding, admin_option ORDER BY length, source) AS place
    FROM chain
  ) AS way
  JOIN step ON step.role = way.name
  WHERE way.place <= 2 AND member <> source
),
-- What everybody has: its own rights, those through roles, and as a proxy those of the other account, which it becomes.
attained AS (
  SELECT /*+ NO_MERGE(arrival) */
    IF(itself, name, member) AS name,
    name AS source,
    scope, privilege, on_object, extent, shown, in_tables, note,
    grantable OR COALESCE(admin_option, FALSE) AS grantable,
    IF(itself, IF(via = '', 0, 1), length) AS length,
    IF(itself, via, role) AS role,
    CAST(IF(itself, via, CONCAT_WS(' > ', role, NULLIF(roles, ''))) AS CHAR(4000)) COLLATE utf8mb4_bin AS granted_through,
    COALESCE(to_everybody, FALSE) AS to_everybody,
    FALSE AS by_proxy
  FROM direct_right
  JOIN (SELECT TRUE AS itself UNION ALL SELECT FALSE) AS whose
  LEFT JOIN arrival ON arrival.source = direct_right.name AND NOT itself AND via = ''
  WHERE (itself OR arrival.source IS NOT NULL) AND (extent <> 'none' OR privilege = 'ALL PRIVILEGES')
  UNION ALL
  SELECT
    governed.name, governed.name, scope, 'PROXY', CONCAT(' ON ', object_name), extent, CONCAT('PROXY ON ', object_name), TRUE,
    CONCAT(
      'becomes ', object_name, ' where its login plugin maps it so; check_proxy_users is ', IF(@@GLOBAL.check_proxy_users, 'on', 'off'),
      IF(grantee_user = '', '; granted to the anonymous account, and so to everybody from its hosts', '')
    ),
    governed.grantable, 0, '', '', FALSE, TRUE
  FROM attained
  JOIN governed ON object_name = attained.name AND kind = 'proxy'
  WHERE NOT by_proxy AND extent <> 'none'
),
-- Which of them adds something to what a principal has by a shorter chain, or has everywhere by one that is no longer. (A window that only grows
-- needs no copy of its rows.)
ranked AS (
  SELECT
    attained.*,
    ROW_NUMBER() OVER (PARTITION BY name, privilege, scope, on_object ORDER BY length, source, role) AS place,
    MAX(on_object = '') OVER (PARTITION BY name, privilege ORDER BY length, on_object <> '' ROWS UNBOUNDED PRECEDING) AS held_everywhere
  FROM attained
),
graded AS (
  SELECT
    name, scope, source, role,
    MAX(granted_through) AS granted_through,
    MIN(length) AS length,
    IF(MAX(extent = 'full'), 'full', 'part') AS extent,
    IF(MAX(shown = 'ALL PRIVILEGES'), 'ALL PRIVILEGES', GROUP_CONCAT(DISTINCT shown ORDER BY shown SEPARATOR '; ')) AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    MAX(to_everybody) AS to_everybody,
    MAX(privilege = 'PROXY' AND on_object = ' ON @') AS becomes_any,
    GROUP_CONCAT(DISTINCT note ORDER BY note SEPARATOR '; ') AS notes,
    MAX(place = 1 AND (length = 0 OR on_object = '' OR NOT held_everywhere)) AS adds_right
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
    MAX(IF(adds, granted_through, NULL)) AS granted_through,
    MAX(IF(adds, grantable, FALSE)) AS grantable,
    MAX(in_tables) AS in_tables,
    MAX(IF(adds, to_everybody, FALSE)) AS to_everybody,
    MAX(becomes_any) AS becomes_any,
    MAX(IF(adds, notes, NULL)) AS notes,
    CONCAT(
      'the same, or less, through ', GROUP_CONCAT(DISTINCT IF(unused AND unused_place <= 3, role, NULL) ORDER BY role SEPARATOR ', '),
      IF(MAX(IF(unused, unused_place, 0)) > 3, CONCAT(' and ', MAX(IF(unused, unused_place, 0)) - 3, ' more'), '')
    ) AS unused_roles
  FROM (
    SELECT placed.*, DENSE_RANK() OVER (PARTITION BY name, unused ORDER BY role) AS unused_place
    FROM placed
  ) AS counted
  GROUP BY name, row_of_name
),
login_plugin AS (
  SELECT CONVERT(PLUGIN_NAME USING utf8mb4) COLLATE utf8mb4_bin AS plugin_name
  FROM information_schema.PLUGINS
  WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'
)

SELECT
  'admin' AS result,
  administrator.scope,
  administrator.name AS principal,
  administrator.extent,
  -- A role cannot log in. An account whose password has expired can, and must change it first.
  IF(locked OR unusable OR plugin_not_loaded IS NOT NULL OR lets_nobody_in OR from_nowhere, 'no', 'yes') AS enabled,
  administrator.privileges,
  administrator.granted_through,
  IF(administrator.grantable, 'yes', 'no') AS can_grant,
  -- By name, host and what the server is: anybody can take a name.
  CASE
    WHEN administrator.name IN ('mysql.infoschema@localhost', 'mysql.session@localhost', 'mysql.sys@localhost') THEN 'MySQL'
    WHEN administrator.name REGEXP '^mysql_innodb_cluster_[0-9]+@'
      AND EXISTS (SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'group_replication' AND PLUGIN_STATUS = 'ACTIVE') THEN 'MySQL'
    WHEN administrator.name LIKE 'mysql.pxc.%@localhost' AND @@version_comment LIKE '%Percona%' THEN 'Percona'
    WHEN @@basedir LIKE '/rdsdbbin/%' AND (
      administrator.name IN ('rdsadmin@localhost', 'rdsadmin@127.0.0.1') OR user_name LIKE 'AWS|_%|_ACCESS' ESCAPE '|' OR user_name IN (
        'rds_superuser_role', 'rdsgrprepladmin', 'rdsproxyadmin', 'rdsrepladmin', 'rdsrepladmin_priv_checks_user', 'rdstopmgr',
        'rdswriteforwarduser'
      )
    ) THEN 'Amazon RDS'
    WHEN administrator.name = 'debian-sys-maint@localhost' AND CONCAT(@@version_comment, VERSION()) REGEXP 'debian|ubuntu' THEN 'Debian'
    WHEN user_name LIKE 'cloudsql%' AND VERSION() LIKE '%-google%' THEN 'Google'
    WHEN administrator.name IN ('azure_superuser@localhost', 'azure_superuser@127.0.0.1') THEN 'Azure'
    WHEN user_name IN ('ociadmin', 'ocirpl') AND VERSION() LIKE '%-cloud%' THEN 'Oracle'
    ELSE ''
  END AS owner,
  IF(is_role, 'role', 'user') AS principal_type,
  IF(is_role, '', CONCAT_WS(' and ', plugin, second_plugin, third_plugin)) AS authentication,
  '' AS created_at,
  IF(is_role, '', changed_at) AS password_changed_at,
  CONCAT_WS('; ',
    IF(user_name = '', 'anonymous: logs in under any name', NULL),
    IF(granted_to_others AND NOT is_role, 'an account that others hold as a role', NULL),
    IF(locked AND NOT is_role, 'locked', NULL),
    IF(expired AND NOT locked, 'its password has expired and must be changed at the next login', NULL),
    IF(from_nowhere AND NOT is_role, CONCAT('no client comes from ', host_name), NULL),
    CASE
      WHEN account.name IS NULL THEN 'in force, but no longer in mysql.user'
      WHEN plugin_not_loaded IS NOT NULL THEN CONCAT('its login plugin ', plugin_not_loaded, ' is not loaded')
      WHEN lets_nobody_in THEN 'mysql_no_login lets nobody in'
      WHEN plugin = 'AWSAuthenticationPlugin' THEN 'IAM decides who may log in (rds-db:connect)'
      WHEN plugin = 'auth_socket' THEN CONCAT('logs in as the operating system''s account ', COALESCE(NULLIF(hash, ''), user_name))
      WHEN unusable THEN 'no password fits what is stored'
      WHEN is_role THEN NULL
      WHEN hash = '' AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password') THEN 'no password'
      WHEN hash IS NULL AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
        THEN 'its hash was not shown: whether any password fits is not known'
    END,
    IF(administrator.to_everybody, 'mandatory_roles gives the role to everybody', NULL),
    administrator.notes,
    administrator.unused_roles,
    -- Only Aurora has this account, a role.
    IF(
      administrator.scope = 'server' AND EXISTS (SELECT 1 FROM mysql.user WHERE User = 'AWS_LAMBDA_ACCESS')
        AND administrator.privileges REGEXP '(^|; )(ALL PRIVILEGES|ALTER|CREATE|DELETE|DROP|INDEX|INSERT|UPDATE)( [(]| ON | but |;|$)',
      'Aurora refuses changes of mysql''s tables, which may close the way through them',
      NULL
    ),
    IF(becomes_any, 'becomes any account that its login plugin names', NULL)
  ) AS detail
FROM administrator
LEFT JOIN (
  SELECT
    account.*,
    CASE
      WHEN first_loaded.plugin_name IS NULL THEN plugin
      WHEN second_loaded.plugin_name IS NULL THEN second_plugin
      WHEN third_loaded.plugin_name IS NULL THEN third_plugin
    END AS plugin_not_loaded,
    'mysql_no_login' IN (plugin, COALESCE(second_plugin, ''), COALESCE(third_plugin, '')) AS lets_nobody_in,
    -- The server compares a network with the client's address under the mask; without name resolution it knows no name but localhost.
    CASE
      WHEN host_name LIKE '%/%' THEN COALESCE(
        INET_ATON(SUBSTRING_INDEX(host_name, '/', 1)) <> INET_ATON(SUBSTRING_INDEX(host_name, '/', 1)) & IF(
          host_name LIKE '%/%.%',
          INET_ATON(SUBSTRING_INDEX(host_name, '/', -1)),
          (4294967295 << (32 - SUBSTRING_INDEX(host_name, '/', -1))) & 4294967295
        ),
        TRUE
      )
      WHEN @@GLOBAL.skip_name_resolve THEN host_name REGEXP '[^0-9a-f.:%_]' AND 'localhost' NOT LIKE host_name
      ELSE FALSE
    END AS from_nowhere
  FROM account
  LEFT JOIN login_plugin AS first_loaded ON first_loaded.plugin_name = plugin
  LEFT JOIN login_plugin AS second_loaded ON second_loaded.plugin_name = second_plugin
  LEFT JOIN login_plugin AS third_loaded ON third_loaded.plugin_name = third_plugin
) AS account ON account.name = administrator.name
-- A grant whose account is gone is nobody's, unless the server still enforces it.
WHERE account.name IS NOT NULL OR NOT administrator.in_tables

UNION ALL

SELECT
  'admin', 'server', '@%', 'full', 'yes', 'skip_grant_tables', '', 'yes', '', 'user', '', '', '',
  'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say'
FROM DUAL
WHERE CURRENT_USER() = 'skip-grants user@skip-grants host'

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  CONCAT('mysql.user lacks ', CURRENT_USER(), ', who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES')
FROM DUAL
WHERE CURRENT_USER() <> 'skip-grants user@skip-grants host'
  AND NOT (SELECT MAX(CONCAT(User, '@', Host) = CURRENT_USER()) FROM mysql.user)

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  'a chain of more than 100 roles was not followed to its end: some administrators may be missing'
FROM DUAL
WHERE 100 = (SELECT MAX(shortest) FROM (SELECT MIN(length) AS shortest FROM reach GROUP BY source, name) AS reached)

UNION ALL

-- In some of its tables the server cuts a name at a zero byte; what stands there is then another account's, or nobody's.
SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  CONCAT('the name ', REPLACE(name, CHAR(0 USING utf8mb4), '[zero byte]'), ' is cut in some tables of mysql: what the account holds cannot be told')
FROM (SELECT CONVERT(CONCAT(User, '@', Host) USING utf8mb4) COLLATE utf8mb4_bin AS name FROM mysql.user) AS named
WHERE LOCATE(CHAR(0 USING utf8mb4), name) > 0

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
