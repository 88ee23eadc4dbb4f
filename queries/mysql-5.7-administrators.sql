-- Every administrator of a MySQL 5.7 server and of its schemas: MySQL 5.7.6 and later, RDS for MySQL 5.7, Aurora MySQL 2. There are no roles, and
-- no WITH: read it from the inside out.
--
-- One row     is one administrator (an account) and one scope (the server, or a schema). granted_through names another grantee, whose grants hold
--             for it too.
-- It needs    SELECT ON mysql.*. The least is SELECT on mysql.user, db, tables_priv, columns_priv and proxies_priv; then it does not see what is
--             in force without being in the tables (it sees that of global privileges in information_schema, which shows those of others to
--             nobody with less than SELECT ON mysql.*).
-- Not shown   a table that may not be read is an error (1142, 1143), never an empty answer. Where a name has a zero byte, at which the server
--             cuts it, a row says so.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, LDAP, IAM); which
--             of two host patterns that overlap a client comes from; networks in hosts (10.0.0.0/255.0.0.0), which are compared as text.
-- Manual      https://dev.mysql.com/doc/refman/5.7/en/ privileges-provided.html, request-access.html, proxy-users.html
--
-- What stands in for a table, or for the hashes in one, that the auditor may not read. For mysql.user: those whom the other tables name, of
-- whose login nothing is known.
-- without mysql.user: SELECT Host, User, 'N' AS Insert_priv, 'N' AS Update_priv, 'N' AS Delete_priv, 'N' AS Create_priv, 'N' AS Drop_priv, 'N' AS Reload_priv, 'N' AS Shutdown_priv, 'N' AS File_priv, 'N' AS Grant_priv, 'N' AS Alter_priv, 'N' AS Super_priv, 'N' AS Create_user_priv, 'N' AS Create_tablespace_priv, NULL AS plugin, '' AS authentication_string, 'N' AS password_expired, NULL AS password_last_changed, 'N' AS account_locked FROM (SELECT Host, User FROM mysql.db UNION SELECT Host, User FROM mysql.tables_priv) AS grantee
-- without mysql.user.authentication_string: SELECT Host, User, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Reload_priv, Shutdown_priv, File_priv, Grant_priv, Alter_priv, Super_priv, Create_user_priv, Create_tablespace_priv, plugin, password_expired, password_last_changed, account_locked, NULL AS authentication_string FROM mysql.user
-- without mysql.db: SELECT '' AS Host, '' AS Db, '' AS User, 'N' AS Select_priv, 'N' AS Insert_priv, 'N' AS Update_priv, 'N' AS Delete_priv, 'N' AS Create_priv, 'N' AS Drop_priv, 'N' AS Grant_priv, 'N' AS References_priv, 'N' AS Index_priv, 'N' AS Alter_priv, 'N' AS Create_tmp_table_priv, 'N' AS Lock_tables_priv, 'N' AS Create_view_priv, 'N' AS Show_view_priv, 'N' AS Create_routine_priv, 'N' AS Alter_routine_priv, 'N' AS Execute_priv, 'N' AS Event_priv, 'N' AS Trigger_priv FROM DUAL WHERE FALSE
-- without mysql.tables_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Table_priv FROM DUAL WHERE FALSE
-- without mysql.columns_priv: SELECT '' AS Host, '' AS Db, '' AS User, '' AS Table_name, '' AS Column_name, '' AS Column_priv FROM DUAL WHERE FALSE
-- without mysql.proxies_priv: SELECT '' AS Host, '' AS User, '' AS Proxied_host, '' AS Proxied_user, 0 AS With_grant FROM DUAL WHERE FALSE
--
-- The key of an account is user@host (no host holds an @). Names are made utf8mb4_bin where they are read, and so compared byte by byte; hosts
-- are made lower case; both are trimmed, since sql_mode may have PAD_CHAR_TO_FULL_LENGTH.

SELECT
  'admin' AS result,
  administrator.scope,
  administrator.name AS principal,
  'user' AS principal_type,
  administrator.granted_through,
  -- This server cuts what GROUP_CONCAT joins at group_concat_max_len (1,024) bytes: then the last is taken off, which may be half.
  IF(
    LENGTH(administrator.privileges) < @@group_concat_max_len,
    administrator.privileges,
    CONCAT(
      LEFT(
        administrator.privileges,
        CHAR_LENGTH(administrator.privileges) - CHAR_LENGTH(SUBSTRING_INDEX(administrator.privileges, '; ', -1))
      ),
      '... and more'
    )
  ) AS privileges,
  IF(administrator.grantable, 'yes', 'no') AS can_grant,
  -- An account whose password has expired can log in, and must change it first.
  CASE
    WHEN account.plugin IS NULL THEN 'yes'
    WHEN locked OR login_plugin.name IS NULL OR unusable THEN 'no'
    ELSE 'yes'
  END AS enabled,
  account.plugin AS authentication,
  '' AS created_at,
  changed_at AS password_changed_at,
  CONCAT_WS('; ',
    CASE
      WHEN administrator.name IN ('mysql.session@localhost', 'mysql.sys@localhost') THEN 'MySQL''s own account'
      WHEN user_name IN ('rdsadmin', 'rdsrepladmin') THEN 'Amazon RDS''s own account'
      WHEN user_name = 'debian-sys-maint' THEN 'the maintenance account of Debian''s package'
      WHEN user_name = '' THEN 'anonymous: logs in under any name'
    END,
    IF(locked, 'locked', NULL),
    IF(expired AND NOT locked, 'its password has expired and must be changed at the next login', NULL),
    CASE
      WHEN account.name IS NULL THEN 'in force, but no longer in mysql.user'
      WHEN plugin IS NULL THEN 'mysql.user was not shown: whether it can log in is not known'
      WHEN login_plugin.name IS NULL THEN CONCAT('its login plugin ', plugin, ' is not loaded')
      WHEN plugin = 'mysql_no_login' THEN 'mysql_no_login lets nobody in'
      WHEN plugin = 'AWSAuthenticationPlugin' THEN 'IAM decides who may log in (rds-db:connect)'
      WHEN plugin = 'auth_socket' THEN CONCAT('logs in as the operating system''s account ', COALESCE(NULLIF(hash, ''), user_name))
      WHEN unusable THEN 'no password fits what is stored'
      WHEN hash = '' AND plugin IN ('mysql_native_password', 'sha256_password', 'caching_sha2_password') THEN 'no password'
      WHEN hash IS NULL AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
        THEN 'its hash was not shown: whether any password fits is not known'
    END,
    administrator.notes
  ) AS detail
FROM (
  -- Who holds what: the grantee itself, and who may become it as its proxy.
  SELECT
    name,
    scope,
    granted_through,
    GROUP_CONCAT(DISTINCT privilege ORDER BY privilege SEPARATOR '; ') AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    GROUP_CONCAT(DISTINCT note ORDER BY note SEPARATOR '; ') AS notes
  FROM (
    SELECT
      getter.name,
      held.scope,
      IF(getter.proxied = '', held.via, '') AS granted_through,
      IF(getter.proxied = '', held.privilege, CONCAT('PROXY ON ', getter.proxied)) AS privilege,
      IF(getter.proxied = '', held.grantable, getter.grantable) AS grantable,
      held.in_tables,
      IF(
        getter.proxied = '',
        held.note,
        CONCAT('becomes ', getter.proxied, ' where its login plugin maps it so or check_proxy_users is on')
      ) AS note
    FROM (

      -- Global privileges: in the tables or, where somebody has changed these by hand since the server read them, in force. Those that only
      -- show, concern the session itself or do nothing alone are left out; a privilege that is not known here counts.
      SELECT
        name,
        '' AS via,
        'server' AS scope,
        privilege,
        MAX(grantable) AS grantable,
        MAX(in_tables) AS in_tables,
        IF(MAX(in_tables), NULL, CONCAT('in force, but no longer in the tables: ', privilege)) AS note
      FROM (
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
          CONVERT(word.privilege USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
          Grant_priv = 'Y' AS grantable,
          TRUE AS in_tables
        FROM mysql.user
        JOIN (
          SELECT 'ALTER' AS privilege
          UNION ALL SELECT 'CREATE'
          UNION ALL SELECT 'CREATE TABLESPACE'
          UNION ALL SELECT 'CREATE USER'
          UNION ALL SELECT 'DELETE'
          UNION ALL SELECT 'DROP'
          UNION ALL SELECT 'FILE'
          UNION ALL SELECT 'GRANT OPTION'
          UNION ALL SELECT 'INSERT'
          UNION ALL SELECT 'RELOAD'
          UNION ALL SELECT 'SHUTDOWN'
          UNION ALL SELECT 'SUPER'
          UNION ALL SELECT 'UPDATE'
        ) AS word ON 'Y' = CASE word.privilege
          WHEN 'ALTER' THEN Alter_priv
          WHEN 'CREATE' THEN Create_priv
          WHEN 'CREATE TABLESPACE' THEN Create_tablespace_priv
          WHEN 'CREATE USER' THEN Create_user_priv
          WHEN 'DELETE' THEN Delete_priv
          WHEN 'DROP' THEN Drop_priv
          WHEN 'FILE' THEN File_priv
          WHEN 'GRANT OPTION' THEN Grant_priv
          WHEN 'INSERT' THEN Insert_priv
          WHEN 'RELOAD' THEN Reload_priv
          WHEN 'SHUTDOWN' THEN Shutdown_priv
          WHEN 'SUPER' THEN Super_priv
          WHEN 'UPDATE' THEN Update_priv
        END
        UNION ALL
        -- GRANT OPTION is no row there, but IS_GRANTABLE with every privilege. GRANTEE is 'user'@'host', and its tail all after the last @.
        SELECT
          CONVERT(
            CONCAT(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3), '@', LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2))) USING utf8mb4
          ) COLLATE utf8mb4_bin,
          CONVERT(IF(is_option, 'GRANT OPTION', PRIVILEGE_TYPE) USING utf8mb4) COLLATE utf8mb4_bin,
          IS_GRANTABLE = 'YES',
          FALSE
        FROM (
          SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, PRIVILEGE_TYPE, IS_GRANTABLE
          FROM information_schema.USER_PRIVILEGES
        ) AS user_privilege
        JOIN (SELECT FALSE AS is_option UNION ALL SELECT TRUE) AS either
          ON NOT is_option OR IS_GRANTABLE = 'YES'
      ) AS global_privilege
      WHERE privilege NOT IN (
        'USAGE', 'SELECT', 'REFERENCES', 'INDEX', 'CREATE TEMPORARY TABLES', 'LOCK TABLES', 'CREATE VIEW', 'SHOW VIEW', 'CREATE ROUTINE',
        'ALTER ROUTINE', 'EXECUTE', 'EVENT', 'TRIGGER', 'PROCESS', 'SHOW DATABASES', 'REPLICATION CLIENT', 'REPLICATION SLAVE',
        -- Aurora's own
        'LOAD FROM S3', 'SELECT INTO S3', 'INVOKE LAMBDA', 'INVOKE SAGEMAKER', 'INVOKE COMPREHEND'
      )
      GROUP BY name, privilege

      UNION ALL

      -- Grants on schemas. A schema's name is a pattern there, in which a backslash takes the meaning from % and _ (0x5C is a backslash; 0x5C25
      -- and 0x5C5F are one before % and _). A session is governed by one grant: the most specific of those whose host covers it and whose user
      -- is its own or nobody. So what was granted to bob@% or to ''@% holds for bob@localhost too, unless something nearer does. Writing in the
      -- schema mysql makes an administrator of the server; all privileges or the grant option on a schema, one of that schema.
      SELECT
        name,
        IF(grantee = name, '', grantee),
        IF(writes_mysql, 'server', CONCAT('database:', object_name)),
        CONCAT(word.privilege, ' ON ', object_name, '.*'),
        grantable,
        TRUE,
        NULLIF(CONCAT_WS('; ',
          IF(first_wildcard < 128, CONCAT(object_name, ' is a pattern of schema names', IF(writes_mysql, ', which mysql matches', '')), NULL),
          CASE
            WHEN grantee = name THEN NULL
            WHEN grantee_user = '' THEN 'granted to the anonymous account, whose schema grants hold for everybody from its hosts'
            ELSE 'granted to the same user from more hosts, which holds for this one too'
          END
        ), '')
      FROM (
        SELECT
          name, grantee, grantee_user, first_wildcard, object_name, privileges, everything, grantable,
          covers_mysql AND privileges <> '' AND NOT MAX(nearer_covers_mysql) AS writes_mysql,
          (everything OR grantable) AND NOT MAX(nearer_is_same) AS administers_schema
        FROM (
          SELECT
            account.name,
            CONCAT(far.grantee_user, '@', far.grantee_host) AS grantee,
            far.grantee_user,
            far.first_wildcard,
            far.object_name,
            far.covers_mysql,
            far.privileges,
            far.everything,
            far.grantable,
            COALESCE(near.covers_mysql, FALSE) AS nearer_covers_mysql,
            COALESCE(near.object_name = far.object_name, FALSE) AS nearer_is_same
          FROM (
            SELECT
              CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
              CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
              CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
            FROM mysql.user
          ) AS account
          JOIN (SELECT FALSE AS anonymous UNION ALL SELECT TRUE) AS whose
            ON NOT whose.anonymous OR account.user_name <> ''
          JOIN (
            SELECT
              grantee_user,
              grantee_host,
              first_wildcard,
              IF(first_wildcard < 128, written, REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')) AS object_name,
              -- An escape of its own, since the backslash is none under NO_BACKSLASH_ESCAPES.
              'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|' AS covers_mysql,
              -- The server takes the grant with the most specific host, then schema, then user: a network before a name, that before a
              -- pattern, and of patterns the one whose first wildcard comes later.
              1000 * CASE
                WHEN grantee_host = '' THEN 0
                WHEN grantee_host LIKE '%/%' THEN 200
                ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
              END + 2 * first_wildcard + (grantee_user <> '') AS specificity,
              privileges,
              everything,
              grantable
            FROM (
              SELECT
                row_of_db.*,
                LEAST(COALESCE(NULLIF(LOCATE('%', unescaped), 0), 128), COALESCE(NULLIF(LOCATE('_', unescaped), 0), 128)) AS first_wildcard
              FROM (
                SELECT
                  CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
                  CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
                  CONVERT(IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) USING utf8mb4) COLLATE utf8mb4_bin AS written,
                  REPLACE(
                    REPLACE(CONVERT(TRIM(Db) USING utf8mb4) COLLATE utf8mb4_bin, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx'
                  ) AS unescaped,
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
                    Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv,
                    Execute_priv, Event_priv, Trigger_priv
                  ) AS everything,
                  Grant_priv = 'Y' AS grantable
                FROM mysql.db
              ) AS row_of_db
            ) AS row_with_wildcard
          ) AS far
            ON far.grantee_user = IF(whose.anonymous, '', account.user_name) AND (
              account.name = CONCAT(far.grantee_user, '@', far.grantee_host)
              OR account.host_name LIKE IF(far.grantee_host = '', '%', far.grantee_host)
            )
          JOIN (SELECT FALSE AS anonymous UNION ALL SELECT TRUE) AS nearer_whose
          LEFT JOIN (
            SELECT
              grantee_user,
              grantee_host,
              first_wildcard,
              IF(first_wildcard < 128, written, REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')) AS object_name,
              'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|' AS covers_mysql,
              1000 * CASE
                WHEN grantee_host = '' THEN 0
                WHEN grantee_host LIKE '%/%' THEN 200
                ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
              END + 2 * first_wildcard + (grantee_user <> '') AS specificity
            FROM (
              SELECT
                row_of_db.*,
                LEAST(COALESCE(NULLIF(LOCATE('%', unescaped), 0), 128), COALESCE(NULLIF(LOCATE('_', unescaped), 0), 128)) AS first_wildcard
              FROM (
                SELECT
                  CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
                  CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
                  CONVERT(IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) USING utf8mb4) COLLATE utf8mb4_bin AS written,
                  REPLACE(
                    REPLACE(CONVERT(TRIM(Db) USING utf8mb4) COLLATE utf8mb4_bin, _utf8mb4 0x5C25, 'xx'), _utf8mb4 0x5C5F, 'xx'
                  ) AS unescaped
                FROM mysql.db
              ) AS row_of_db
            ) AS row_with_wildcard
          ) AS near
            ON near.grantee_user = IF(nearer_whose.anonymous, '', account.user_name)
              AND account.host_name LIKE IF(near.grantee_host = '', '%', near.grantee_host)
              AND near.specificity > far.specificity
          WHERE far.privileges <> '' OR far.grantable
        ) AS compared
        GROUP BY name, grantee, grantee_user, first_wildcard, object_name, covers_mysql, privileges, everything, grantable
      ) AS governed
      JOIN (
        SELECT 'ALL PRIVILEGES' AS privilege
        UNION ALL SELECT 'ALTER'
        UNION ALL SELECT 'CREATE'
        UNION ALL SELECT 'DELETE'
        UNION ALL SELECT 'DROP'
        UNION ALL SELECT 'GRANT OPTION'
        UNION ALL SELECT 'INSERT'
        UNION ALL SELECT 'UPDATE'
      ) AS word ON CASE word.privilege
        WHEN 'ALL PRIVILEGES' THEN everything AND NOT writes_mysql
        WHEN 'GRANT OPTION' THEN grantable
        ELSE writes_mysql AND FIND_IN_SET(word.privilege, privileges) > 0
      END
      WHERE writes_mysql OR administers_schema

      UNION ALL

      -- Grants on tables and columns of the schema mysql; time zones, help texts and statistics give no power.
      SELECT
        account.name,
        IF(far.grantee_host = account.host_name, '', CONCAT(far.grantee_user, '@', far.grantee_host)),
        'server',
        CONCAT(word.privilege, IF(far.column_name = '', '', CONCAT(' (', far.column_name, ')')), ' ON mysql.', far.object_name),
        far.grantable,
        TRUE,
        IF(far.grantee_host = account.host_name, NULL, 'granted to the same user from more hosts, which holds for this one too')
      FROM (
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
          CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
        FROM mysql.user
      ) AS account
      JOIN (
        SELECT
          table_row.*,
          CASE
            WHEN grantee_host = '' THEN 0
            WHEN grantee_host LIKE '%/%' THEN 200
            ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
          END AS specificity
        FROM (
          SELECT
            CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
            CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
            CONVERT(TRIM(Table_name) USING utf8mb4) COLLATE utf8mb4_bin AS object_name,
            '' AS column_name,
            UPPER(CONVERT(Table_priv USING utf8mb4)) AS privileges,
            FIND_IN_SET('Grant', Table_priv) > 0 AS grantable
          FROM mysql.tables_priv
          WHERE IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) = 'mysql'
          UNION ALL
          SELECT
            CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(TRIM(Table_name) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(TRIM(Column_name) USING utf8mb4) COLLATE utf8mb4_bin,
            UPPER(CONVERT(Column_priv USING utf8mb4)),
            FALSE
          FROM mysql.columns_priv
          WHERE IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) = 'mysql'
        ) AS table_row
      ) AS far
        ON far.grantee_user = account.user_name
          AND (far.grantee_host = account.host_name OR account.host_name LIKE IF(far.grantee_host = '', '%', far.grantee_host))
      JOIN (
        SELECT 'ALTER' AS privilege
        UNION ALL SELECT 'DELETE'
        UNION ALL SELECT 'DROP'
        UNION ALL SELECT 'INSERT'
        UNION ALL SELECT 'UPDATE'
      ) AS word ON FIND_IN_SET(word.privilege, far.privileges) > 0
      LEFT JOIN (
        SELECT
          table_row.*,
          CASE
            WHEN grantee_host = '' THEN 0
            WHEN grantee_host LIKE '%/%' THEN 200
            ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
          END AS specificity
        FROM (
          SELECT
            CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
            CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
            CONVERT(TRIM(Table_name) USING utf8mb4) COLLATE utf8mb4_bin AS object_name,
            '' AS column_name,
            UPPER(CONVERT(Table_priv USING utf8mb4)) AS privileges,
            FIND_IN_SET('Grant', Table_priv) > 0 AS grantable
          FROM mysql.tables_priv
          WHERE IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) = 'mysql'
          UNION ALL
          SELECT
            CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(TRIM(Table_name) USING utf8mb4) COLLATE utf8mb4_bin,
            CONVERT(TRIM(Column_name) USING utf8mb4) COLLATE utf8mb4_bin,
            UPPER(CONVERT(Column_priv USING utf8mb4)),
            FALSE
          FROM mysql.columns_priv
          WHERE IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) = 'mysql'
        ) AS table_row
      ) AS near
        ON near.grantee_user = account.user_name
          AND near.object_name = far.object_name
          AND account.host_name LIKE IF(near.grantee_host = '', '%', near.grantee_host)
          AND near.specificity > far.specificity
      WHERE near.object_name IS NULL
        AND far.object_name NOT LIKE 'time|_zone%' ESCAPE '|'
        AND far.object_name NOT IN (
          'help_category', 'help_keyword', 'help_relation', 'help_topic', 'innodb_index_stats', 'innodb_table_stats'
        )

      UNION ALL

      SELECT
        CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin,
        '',
        'server',
        'PROXY ON @',
        With_grant > 0,
        TRUE,
        'becomes any account that its login plugin names'
      FROM mysql.proxies_priv
      WHERE TRIM(Proxied_user) = '' AND TRIM(Proxied_host) = ''

    ) AS held
    JOIN (
      SELECT name AS holder, name, '' AS proxied, FALSE AS grantable
      FROM (
        SELECT CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name
        FROM mysql.user
        UNION
        SELECT
          CONVERT(
            CONCAT(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3), '@', LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2))) USING utf8mb4
          ) COLLATE utf8mb4_bin
        FROM (
          SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail
          FROM information_schema.USER_PRIVILEGES
        ) AS user_privilege
      ) AS known
      UNION ALL
      SELECT
        CONVERT(CONCAT(TRIM(Proxied_user), '@', LOWER(TRIM(Proxied_host))) USING utf8mb4) COLLATE utf8mb4_bin,
        CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin,
        CONVERT(CONCAT(TRIM(Proxied_user), '@', LOWER(TRIM(Proxied_host))) USING utf8mb4) COLLATE utf8mb4_bin,
        With_grant > 0
      FROM mysql.proxies_priv
    ) AS getter ON getter.holder = held.name AND (getter.proxied = '' OR held.via = '')
  ) AS got
  GROUP BY name, scope, granted_through
) AS administrator
LEFT JOIN (
  SELECT
    CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
    CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
    CONVERT(TRIM(plugin) USING utf8mb4) COLLATE utf8mb4_bin AS plugin,
    CONVERT(authentication_string USING utf8mb4) COLLATE utf8mb4_bin AS hash,
    account_locked = 'Y' AS locked,
    password_expired = 'Y' AS expired,
    DATE_FORMAT(DATE_ADD('1970-01-01', INTERVAL UNIX_TIMESTAMP(password_last_changed) SECOND), '%Y-%m-%dT%H:%i:%sZ') AS changed_at,
    -- No password can fit. (Empty means that none is needed, NULL that it was not shown; the last is what MySQL's own accounts are made with.)
    CASE TRIM(plugin)
      WHEN 'mysql_no_login' THEN TRUE
      WHEN 'mysql_native_password' THEN authentication_string <> '' AND authentication_string NOT REGEXP '^[*][0-9A-Fa-f]{40}$'
      WHEN 'sha256_password' THEN authentication_string <> '' AND authentication_string NOT LIKE '$5$%'
      WHEN 'caching_sha2_password' THEN authentication_string <> '' AND (
        CHAR_LENGTH(authentication_string) < 70 OR authentication_string LIKE '%MUSTNEVERBRBEUSED'
      )
      ELSE FALSE
    END AS unusable
  FROM mysql.user
) AS account ON account.name = administrator.name
LEFT JOIN (
  SELECT CONVERT(PLUGIN_NAME USING utf8mb4) COLLATE utf8mb4_bin AS name
  FROM information_schema.PLUGINS
  WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'
) AS login_plugin ON login_plugin.name = account.plugin
-- A grant whose account is gone is nobody's, unless the server still enforces it.
WHERE account.name IS NOT NULL OR NOT administrator.in_tables

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
  AND (SELECT MAX(plugin IS NOT NULL) AND (NOT MAX(CONCAT(TRIM(User), '@', TRIM(Host)) = CURRENT_USER())) FROM mysql.user)

UNION ALL

-- In some of its tables the server cuts a name at a zero byte; what stands there is then another account's, or nobody's.
SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '',
  CONCAT('the name ', REPLACE(name, CHAR(0 USING utf8mb4), '[zero byte]'), ' is cut in some tables of mysql: what the account holds cannot be told')
FROM (SELECT CONVERT(CONCAT(User, '@', Host) USING utf8mb4) COLLATE utf8mb4_bin AS name FROM mysql.user) AS named
WHERE LOCATE(CHAR(0 USING utf8mb4), name) > 0

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
