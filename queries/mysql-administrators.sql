-- Every administrator of a MySQL server and of its schemas: MySQL 8.0.16 and later, RDS for MySQL 8.0 and later, Aurora MySQL 3.
--
-- One row     is one administrator (an account or a role), one scope (the server, or a schema) and one chain of roles through which it holds the
--             privileges. What an account gets as a proxy has a row of its own.
-- It needs    SELECT ON mysql.*. The least is SELECT on mysql.user (its column authentication_string, the hashes, may be left out: then it is
--             not known whether a password fits), global_grants, db, tables_priv, columns_priv, role_edges and proxies_priv;
--             then it does not see what is in force without being in the tables (it sees that of global privileges and of schema grants on
--             mysql in information_schema, which shows the privileges of others to nobody with less than SELECT ON mysql.*).
-- Not shown   a table that may not be read is an error (1142, 1143), never an empty answer. Where roles are too entangled to follow,
--             or a name has a zero byte, at which the server cuts it, a row says so.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, LDAP, IAM); which
--             of two host patterns that overlap a client comes from; networks in hosts (10.0.0.0/8), which are compared as text.
-- Manual      https://dev.mysql.com/doc/refman/8.4/en/ privileges-provided.html, partial-revokes.html, roles.html, request-access.html
--
-- What stands in for a table, or for the hashes in one, that the auditor may not read. For mysql.user: those whom the other tables name, of
-- whose login nothing is known.
-- without mysql.user: SELECT Host, User, 'N' AS Insert_priv, 'N' AS Update_priv, 'N' AS Delete_priv, 'N' AS Create_priv, 'N' AS Drop_priv, 'N' AS Reload_priv, 'N' AS Shutdown_priv, 'N' AS File_priv, 'N' AS Grant_priv, 'N' AS Alter_priv, 'N' AS Super_priv, 'N' AS Create_user_priv, 'N' AS Create_tablespace_priv, 'N' AS Drop_role_priv, NULL AS plugin, '' AS authentication_string, 'N' AS password_expired, CAST(NULL AS DATETIME) AS password_last_changed, 'N' AS account_locked, CAST(NULL AS JSON) AS User_attributes FROM (SELECT HOST AS Host, USER AS User FROM mysql.global_grants UNION SELECT Host, User FROM mysql.db UNION SELECT Host, User FROM mysql.tables_priv UNION SELECT FROM_HOST, FROM_USER FROM mysql.role_edges UNION SELECT TO_HOST, TO_USER FROM mysql.role_edges) AS grantee
-- without mysql.user.authentication_string: SELECT Host, User, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Reload_priv, Shutdown_priv, File_priv, Grant_priv, Alter_priv, Super_priv, Create_user_priv, Create_tablespace_priv, Drop_role_priv, plugin, password_expired, password_last_changed, account_locked, User_attributes, NULL AS authentication_string FROM mysql.user
-- without mysql.global_grants: SELECT '' AS USER, '' AS HOST, '' AS PRIV, 'N' AS WITH_GRANT_OPTION FROM DUAL WHERE FALSE
-- without mysql.db: SELECT '' AS Host, '' AS Db, '' AS User, 'N' AS Select_priv, 'N' AS Insert_priv, 'N' AS Update_priv, 'N' AS Delete_priv, 'N' AS Create_priv, 'N' AS Drop_priv, 'N' AS Grant_priv, 'N' AS References_priv, 'N' AS Index_priv, 'N' AS Alter_priv, 'N' AS Create_tmp_table_priv, 'N' AS Lock_tables_priv, 'N' AS Create_view_priv, 'N' AS Show_view_priv, 'N' AS Create_routine_priv, 'N' AS Alter_routine_priv, 'N' AS Execute_priv, 'N' AS Event_priv, 'N' AS Trigger_priv FROM DUAL WHERE FALSE
-- without mysql.tables_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Table_priv FROM DUAL WHERE FALSE
-- without mysql.columns_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Column_name, '' AS Column_priv FROM DUAL WHERE FALSE
-- without mysql.role_edges: SELECT '' AS FROM_HOST, '' AS FROM_USER, '' AS TO_HOST, '' AS TO_USER, 'N' AS WITH_ADMIN_OPTION FROM DUAL WHERE FALSE
-- without mysql.proxies_priv: SELECT '' AS Host, '' AS User, '' AS Proxied_host, '' AS Proxied_user, 0 AS With_grant FROM DUAL WHERE FALSE

WITH RECURSIVE

-- Accounts ---------------------------------------------------------------------------------------------------------------------------------
-- The key of an account is its name, user@host (no host holds an @). Names are made utf8mb4_bin where they are read, and so compared byte by
-- byte whatever the connection's collation; hosts are made lower case, since the server takes them without regard to case.
user_table AS (
  SELECT
    CONVERT(CONCAT(User, '@', LOWER(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS name,
    CONVERT(User USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
    CONVERT(LOWER(Host) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
    CONCAT_WS(',',
      IF(Alter_priv = 'Y', 'ALTER', NULL),
      IF(Create_priv = 'Y', 'CREATE', NULL),
      IF(Create_tablespace_priv = 'Y', 'CREATE TABLESPACE', NULL),
      IF(Create_user_priv = 'Y', 'CREATE USER', NULL),
      IF(Delete_priv = 'Y', 'DELETE', NULL),
      IF(Drop_priv = 'Y', 'DROP', NULL),
      IF(Drop_role_priv = 'Y', 'DROP ROLE', NULL),
      IF(File_priv = 'Y', 'FILE', NULL),
      IF(Grant_priv = 'Y', 'GRANT OPTION', NULL),
      IF(Insert_priv = 'Y', 'INSERT', NULL),
      IF(Reload_priv = 'Y', 'RELOAD', NULL),
      IF(Shutdown_priv = 'Y', 'SHUTDOWN', NULL),
      IF(Super_priv = 'Y', 'SUPER', NULL),
      IF(Update_priv = 'Y', 'UPDATE', NULL)
    ) AS privileges,
    Grant_priv = 'Y' AS grantable,
    CONVERT(plugin USING utf8mb4) COLLATE utf8mb4_bin AS plugin,
    CONVERT(authentication_string USING utf8mb4) COLLATE utf8mb4_bin AS hash,
    -- No password can fit. (Empty means that none is needed, NULL that it was not shown; the last is what MySQL's own accounts are made with.)
    CASE plugin
      WHEN 'mysql_no_login' THEN TRUE
      WHEN 'caching_sha2_password' THEN authentication_string <> '' AND (
        CHAR_LENGTH(authentication_string) < 70 OR authentication_string NOT LIKE '$%' OR authentication_string LIKE '%MUSTNEVERBRBEUSED'
      )
      WHEN 'sha256_password' THEN authentication_string <> '' AND authentication_string NOT LIKE '$5$%'
      WHEN 'mysql_native_password' THEN authentication_string <> '' AND authentication_string NOT REGEXP '^[*][0-9A-Fa-f]{40}$'
      ELSE FALSE
    END AS unusable,
    account_locked = 'Y' AS locked,
    password_expired = 'Y' AS expired,
    -- What CREATE ROLE makes. It can be unlocked, and then log in.
    account_locked = 'Y' AND password_expired = 'Y' AND COALESCE(authentication_string, '') = '' AS made_as_role,
    DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL UNIX_TIMESTAMP(password_last_changed) SECOND), '%Y-%m-%dT%H:%i:%sZ') AS changed_at,
    User_attributes AS attributes
  FROM mysql.user
),
role_edge AS (
  SELECT
    CONVERT(CONCAT(FROM_USER, '@', LOWER(FROM_HOST)) USING utf8mb4) COLLATE utf8mb4_bin AS role,
    CONVERT(CONCAT(TO_USER, '@', LOWER(TO_HOST)) USING utf8mb4) COLLATE utf8mb4_bin AS member,
    WITH_ADMIN_OPTION = 'Y' AS admin_option
  FROM mysql.role_edges
),
-- mandatory_roles, read as the server reads it: a comma ends an item, an @ its user; quotes of any of three kinds enclose all but themselves;
-- blanks outside of quotes are dropped.
mandatory_list AS (
  SELECT CONVERT(@@GLOBAL.mandatory_roles USING utf8mb4) COLLATE utf8mb4_bin AS rest
  UNION ALL
  SELECT SUBSTR(rest, CHAR_LENGTH(REGEXP_SUBSTR(rest, '^([^,''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*')) + 2)
  FROM mandatory_list
  WHERE rest <> ''
),
mandatory_item AS (
  SELECT
    REGEXP_SUBSTR(rest, '^([^,''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*') AS item,
    REGEXP_SUBSTR(rest, '^([^,@''"`]|''[^'']*''|"[^"]*"|`[^`]*`)*') AS user_part
  FROM mandatory_list
  WHERE rest <> ''
),
mandatory_part AS (
  SELECT
    REGEXP_REPLACE(user_part, '''([^'']*)''|"([^"]*)"|`([^`]*)`|[[:space:]]', '$1$2$3') AS user_name,
    REGEXP_REPLACE(SUBSTR(item, CHAR_LENGTH(user_part) + 2), '''([^'']*)''|"([^"]*)"|`([^`]*)`|[[:space:]]', '$1$2$3') AS host_name
  FROM mandatory_item
),
mandatory_role AS (
  SELECT DISTINCT CONCAT(user_name, '@', LOWER(IF(host_name = '', '%', host_name))) COLLATE utf8mb4_bin AS role
  FROM mandatory_part
),
account AS (
  SELECT
    user_table.*,
    granted.role IS NOT NULL AS granted_to_others,
    -- An account that can log in is a user, even one that is granted to others.
    made_as_role OR (locked AND (granted.role IS NOT NULL OR mandatory_role.role IS NOT NULL)) AS is_role,
    made_as_role OR granted.role IS NOT NULL OR granting.member IS NOT NULL OR @@GLOBAL.mandatory_roles <> '' AS uses_roles
  FROM user_table
  LEFT JOIN (SELECT DISTINCT role FROM role_edge) AS granted ON granted.role = name
  LEFT JOIN (SELECT DISTINCT member FROM role_edge) AS granting ON granting.member = name
  LEFT JOIN mandatory_role ON mandatory_role.role = name
),

-- Privileges granted to an account or a role itself ------------------------------------------------------------------------------------------
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
    CONVERT(static.privilege USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
    grantable,
    TRUE AS in_tables,
    FALSE AS enforced,
    -- A partial revoke takes the schema mysql away from a privilege on *.*, which then reaches no account and no plugin; on other schemas it
    -- does not matter here.
    static.privilege IN ('ALTER', 'CREATE', 'DELETE', 'DROP', 'INSERT', 'UPDATE') AND COALESCE(
      JSON_CONTAINS(attributes->'$.Restrictions', JSON_OBJECT('Database', 'mysql', 'Privileges', JSON_ARRAY(static.privilege))), FALSE
    ) AS kept_out_of_mysql
  FROM user_table
  JOIN JSON_TABLE(CONCAT('["', REPLACE(privileges, ',', '","'), '"]'), '$[*]' COLUMNS (privilege VARCHAR(32) PATH '$')) AS static
  WHERE privileges <> ''
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
      WHEN NOT MAX(enforced) AND MAX(MAX(enforced)) OVER (PARTITION BY name)
        THEN CONCAT('in the tables, but not in force before FLUSH PRIVILEGES or a restart: ', privilege)
    END AS note
  FROM global_privilege
  GROUP BY name, privilege
  HAVING NOT MAX(kept_out_of_mysql)
),

-- Grants on schemas, and on tables and columns of the schema mysql. A schema's name is a pattern there, in which a backslash takes the meaning
-- from % and _ (0x5C is a backslash; 0x5C25 and 0x5C5F are one before % and _); with partial_revokes it is a plain name.
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
  -- In force on the schema mysql, whatever the table says by now.
  SELECT in_force_user, in_force_host, in_force_schema, in_force_privilege, FALSE, in_force_grantable, FALSE
  FROM (
    SELECT
      CONVERT(CAST(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3) AS CHAR(128)) USING utf8mb4) COLLATE utf8mb4_bin AS in_force_user,
      CONVERT(CAST(LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2)) AS CHAR(255)) USING utf8mb4) COLLATE utf8mb4_bin AS in_force_host,
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
    IF(@@GLOBAL.partial_revokes, 0, REGEXP_INSTR(REPLACE(REPLACE(written, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx'), '[%_]')) AS first_wildcard,
    -- An escape of its own, since the backslash is none under NO_BACKSLASH_ESCAPES.
    IF(
      @@GLOBAL.partial_revokes,
      written = 'mysql',
      'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|'
    ) AS covers_mysql
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
    END + 2 * COALESCE(NULLIF(first_wildcard, 0), 128) + (grantee_user <> '') AS specificity,
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
-- was granted on a schema to bob@% or to ''@% holds for bob@localhost too, unless something nearer does. With a role active, and for a role, it
-- is of the grants to the very account the one that names the schema, else the first pattern in the order of bytes. (The account's and its
-- roles' are then searched as one; here each one's own, so that with several patterns somebody may be named who is none, but nobody is missed.)
governed AS (
  SELECT
    account.name,
    account.name = grantee AS own,
    (account.name = grantee AND (is_role OR uses_roles) AND IF(first_wildcard = 0, '', object_name) = first_on_mysql)
      OR (NOT is_role AND specificity = MAX(IF(covers_mysql, specificity, 0)) OVER (PARTITION BY account.name)) AS decides_mysql,
    (account.name = grantee AND (is_role OR uses_roles))
      OR (NOT is_role AND specificity = MAX(specificity) OVER (PARTITION BY account.name, kind, object_name)) AS decides_object,
    object_grant.*
  FROM account
  JOIN (SELECT FALSE AS anonymous UNION ALL SELECT TRUE) AS whose
    ON NOT anonymous OR user_name <> ''
  JOIN object_grant
    ON grantee_user = IF(anonymous, '', user_name)
  WHERE account.name = grantee
    OR (NOT is_role AND host_name LIKE IF(grantee_host = '', '%', grantee_host) AND (NOT anonymous OR kind = 'schema'))
),
-- Writing in the schema mysql makes an administrator of the server (but time zones, help texts and statistics give no power); all privileges or
-- the grant option on a schema, one of that schema.
object_right AS (
  SELECT
    name,
    IF(own, '', grantee) AS via,
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
          'help_category', 'help_keyword', 'help_relation', 'help_topic', 'innodb_index_stats', 'innodb_table_stats'
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
    'ALTER ROUTINE', 'EXECUTE', 'EVENT', 'TRIGGER', 'PROCESS', 'SHOW DATABASES', 'REPLICATION CLIENT', 'REPLICATION SLAVE', 'CREATE ROLE',
    'ALLOW_NONEXISTENT_DEFINER', 'APPLICATION_PASSWORD_ADMIN', 'AUDIT_ABORT_EXEMPT', 'AUTHENTICATION_POLICY_ADMIN', 'FIREWALL_EXEMPT',
    'FIREWALL_USER', 'FLUSH_OPTIMIZER_COSTS', 'FLUSH_PRIVILEGES', 'FLUSH_STATUS', 'FLUSH_TABLES', 'FLUSH_USER_RESOURCES', 'NDB_STORED_USER',
    'OPTIMIZE_LOCAL_TABLE', 'PASSWORDLESS_USER_ADMIN', 'PERSIST_RO_VARIABLES_ADMIN', 'RESOURCE_GROUP_USER', 'SENSITIVE_VARIABLES_OBSERVER',
    'SERVICE_CONNECTION_ADMIN', 'SHOW_ROUTINE', 'SKIP_QUERY_REWRITE', 'SYSTEM_USER', 'TABLE_ENCRYPTION_ADMIN', 'TP_CONNECTION_ADMIN',
    'TRANSACTION_GTID_TAG', 'XA_RECOVER_ADMIN'
  )
  UNION ALL
  SELECT name, via, scope, CONCAT(CONVERT(word.privilege USING utf8mb4) COLLATE utf8mb4_bin, on_object), grantable, in_tables, note
  FROM object_right
  JOIN JSON_TABLE(CONCAT('["', REPLACE(privileges, ',', '","'), '"]'), '$[*]' COLUMNS (privilege VARCHAR(32) PATH '$')) AS word
  -- tables_priv and columns_priv have other words too, that write nothing; and a table that exists cannot be created.
  WHERE reach <> 'table' OR word.privilege IN ('ALTER', 'DELETE', 'DROP', 'INSERT', 'UPDATE')
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
-- A member may activate every role granted to it, and all that is granted to those, default or not; everybody who logs in may activate the
-- mandatory ones; a proxy becomes the other account.
step AS (
  SELECT
    role AS from_name,
    member AS to_name,
    'role' AS kind,
    admin_option AS may_grant,
    -- Of a role, how many it is a member of: so many ways lead through it.
    IF(member IN (SELECT role FROM role_edge), COUNT(*) OVER (PARTITION BY member), 1) AS ways
  FROM role_edge
  UNION ALL
  SELECT mandatory_role.role, name, 'everybody', FALSE, 1
  FROM mandatory_role
  JOIN user_table ON NOT made_as_role
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
    CONCAT(chain.name, IF(chain.granted_through = '', '', ' > '), chain.granted_through),
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
        WHEN 'everybody' THEN CONCAT_WS('; ', 'mandatory_roles gives the role to everybody', note)
        ELSE note
      END AS note
    FROM chain
  ) AS attained
  GROUP BY name, scope, granted_through, path, kind
)

SELECT /*+ SET_VAR(sql_mode = 0) SET_VAR(group_concat_max_len = 16777216) SET_VAR(cte_max_recursion_depth = 100000) SET_VAR(sql_big_selects = 1) */
  IF(administrator.name IS NULL, 'incomplete', 'admin') AS result,
  administrator.scope,
  administrator.name AS principal,
  CASE WHEN is_role THEN 'role' WHEN administrator.name IS NOT NULL THEN 'user' END AS principal_type,
  administrator.granted_through,
  IF(administrator.name IS NULL, NULL, administrator.privileges) AS privileges,
  CASE WHEN administrator.name IS NULL THEN NULL WHEN administrator.grantable THEN 'yes' ELSE 'no' END AS can_grant,
  -- A role cannot log in. An account whose password has expired can, and must change it first.
  CASE
    WHEN administrator.name IS NULL THEN NULL
    WHEN account.plugin IS NULL THEN 'yes'
    WHEN locked OR login_plugin.name IS NULL OR unusable THEN 'no'
    ELSE 'yes'
  END AS enabled,
  IF(
    is_role,
    '',
    CONCAT_WS(
      ' and ', plugin, attributes->>'$.multi_factor_authentication[0].plugin', attributes->>'$.multi_factor_authentication[1].plugin'
    )
  ) AS authentication,
  '' AS created_at,
  IF(is_role, '', changed_at) AS password_changed_at,
  IF(
    administrator.name IS NULL,
    'the roles are too entangled to follow every chain of them: some administrators may be missing, and chains of those that are listed',
    CONCAT_WS('; ',
      CASE
        WHEN administrator.name IN ('mysql.session@localhost', 'mysql.sys@localhost', 'mysql.infoschema@localhost') THEN 'MySQL''s own account'
        WHEN user_name IN ('rdsadmin', 'rdsrepladmin') THEN 'Amazon RDS''s own account'
        WHEN user_name = 'rds_superuser_role' THEN 'Amazon RDS''s role for the master user'
        WHEN user_name = 'debian-sys-maint' THEN 'the maintenance account of Debian''s package'
        WHEN user_name = '' THEN 'anonymous: logs in under any name'
      END,
      IF(granted_to_others AND NOT is_role, 'an account that others hold as a role', NULL),
      IF(locked AND NOT is_role, 'locked', NULL),
      IF(expired AND NOT locked, 'its password has expired and must be changed at the next login', NULL),
      CASE
        WHEN account.name IS NULL THEN 'in force, but no longer in mysql.user'
        WHEN plugin IS NULL THEN 'mysql.user was not shown: whether it can log in is not known'
        WHEN login_plugin.name IS NULL THEN CONCAT('its login plugin ', plugin, ' is not loaded')
        WHEN plugin = 'mysql_no_login' THEN 'mysql_no_login lets nobody in'
        WHEN plugin = 'AWSAuthenticationPlugin' THEN 'IAM decides who may log in (rds-db:connect)'
        WHEN plugin = 'auth_socket' THEN CONCAT('logs in as the operating system''s account ', COALESCE(NULLIF(hash, ''), user_name))
        WHEN unusable THEN 'no password fits what is stored'
        WHEN is_role THEN NULL
        WHEN hash = '' AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password') THEN 'no password'
        WHEN hash IS NULL AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
          THEN 'its hash was not shown: whether any password fits is not known'
      END,
      administrator.notes,
      -- Only Aurora has this account, a role.
      IF(
        administrator.scope = 'server' AND EXISTS (SELECT 1 FROM mysql.user WHERE User = 'AWS_LAMBDA_ACCESS')
          AND administrator.privileges REGEXP '(^|; )(ALTER|CREATE|DELETE|DROP|INSERT|UPDATE)( [(]| ON |;|$)',
        'Aurora refuses changes of mysql''s tables, which may close the way through them',
        NULL
      )
    )
  ) AS detail
FROM administrator
LEFT JOIN account ON account.name = administrator.name
LEFT JOIN (
  SELECT CONVERT(PLUGIN_NAME USING utf8mb4) COLLATE utf8mb4_bin AS name
  FROM information_schema.PLUGINS
  WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'
) AS login_plugin ON login_plugin.name = plugin
-- A grant whose account is gone is nobody's, unless the server still enforces it.
WHERE account.name IS NOT NULL OR administrator.name IS NULL OR NOT administrator.in_tables

UNION ALL

SELECT
  'admin', 'server', '@%', 'user', '', 'skip_grant_tables', 'yes', 'yes', '', '', '',
  'the server runs with skip_grant_tables: whoever reaches it is an administrator, without a password; the other rows are what its tables say'
FROM DUAL
WHERE CURRENT_USER() = 'skip-grants user@skip-grants host'

UNION ALL

SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '',
  CONCAT('mysql.user lacks ', CURRENT_USER(), ', who asks: the tables are not what the server enforces; run FLUSH PRIVILEGES')
FROM DUAL
WHERE CURRENT_USER() <> 'skip-grants user@skip-grants host'
  AND (SELECT MAX(plugin IS NOT NULL) AND NOT MAX(CONCAT(User, '@', Host) = CURRENT_USER()) FROM mysql.user)

UNION ALL

-- In some of its tables the server cuts a name at a zero byte; what stands there is then another account's, or nobody's.
SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '',
  CONCAT('the name ', REPLACE(name, CHAR(0 USING utf8mb4), '[zero byte]'), ' is cut in some tables of mysql: what the account holds cannot be told')
FROM user_table
WHERE LOCATE(CHAR(0 USING utf8mb4), name) > 0

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
