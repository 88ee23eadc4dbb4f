-- Every administrator of a MySQL 5.7 server and of its schemas: MySQL 5.7.6 and later, RDS for MySQL 5.7, Aurora MySQL 2. There are no roles, and
-- no WITH: read it from the inside out.
--
-- One row     is one administrator (an account) and one scope (the server, or a schema). granted_through names another grantee, whose grants hold
--             for it too.
-- It needs    SELECT ON mysql.*, and the settings of mysql-session.sql. The least is SELECT on mysql.user, db, tables_priv, columns_priv and
--             proxies_priv. With the least it does not see global privileges that are in force and no longer in the tables: information_schema
--             shows them only to a login that has SELECT ON mysql.*.
-- Not shown   A table that may not be read is an error (1142, 1143), never an empty answer. A name with a zero byte, at which the server cuts it,
--             gives an "incomplete" row.
-- Cannot see  what a stored routine, view or event does with its definer's rights; whom a login plugin maps or lets in (PAM, LDAP, IAM); which
--             of two host patterns a client comes from, where they overlap and neither covers the other.
-- Manual      https://dev.mysql.com/doc/refman/5.7/en/ privileges-provided.html, request-access.html, proxy-users.html
--
-- For a login that may not read the hashes, the worker puts this in the place of mysql.user:
-- without mysql.user.authentication_string: SELECT Host, User, Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv,
-- Reload_priv, Shutdown_priv, Process_priv, File_priv, Grant_priv, References_priv, Index_priv, Alter_priv, Show_db_priv, Super_priv,
-- Create_tmp_table_priv, Lock_tables_priv, Execute_priv, Repl_slave_priv, Repl_client_priv, Create_view_priv, Show_view_priv,
-- Create_routine_priv, Alter_routine_priv, Create_user_priv, Event_priv, Trigger_priv, Create_tablespace_priv, plugin, password_expired,
-- password_last_changed, password_lifetime, account_locked, NULL AS authentication_string FROM mysql.user
--
-- The key of an account is user@host (no host holds an @). Names are made utf8mb4_bin where they are read, and so are compared byte by byte; hosts
-- are made lower case; both are trimmed, since sql_mode may have PAD_CHAR_TO_FULL_LENGTH.

SELECT
  'admin' AS result,
  administrator.scope,
  administrator.name AS principal,
  administrator.extent,
  -- An account whose password has expired can log in, and must change it first.
  IF(locked OR login_plugin.name IS NULL AND account.name IS NOT NULL OR unusable OR from_nowhere, 'no', 'yes') AS enabled,
  administrator.privileges,
  administrator.granted_through,
  IF(administrator.grantable, 'yes', 'no') AS can_grant,
  -- By name, host and what the server is: anybody can take a name.
  CASE
    WHEN administrator.name IN ('mysql.session@localhost', 'mysql.sys@localhost') THEN 'MySQL'
    WHEN administrator.name LIKE 'mysql.pxc.%@localhost' AND @@version_comment LIKE '%Percona%' THEN 'Percona'
    WHEN @@basedir LIKE '/rdsdbbin/%' AND (
      administrator.name IN ('rdsadmin@localhost', 'rdsadmin@127.0.0.1')
        OR user_name IN ('rdsproxyadmin', 'rdsrepladmin', 'rdstopmgr', 'rdswriteforwarduser')
    ) THEN 'Amazon RDS'
    WHEN administrator.name = 'debian-sys-maint@localhost' AND LOWER(CONCAT(@@version_comment, VERSION())) REGEXP 'debian|ubuntu' THEN 'Debian'
    WHEN user_name LIKE 'cloudsql%' AND VERSION() LIKE '%-google%' THEN 'Google'
    WHEN administrator.name IN ('azure_superuser@localhost', 'azure_superuser@127.0.0.1') THEN 'Azure'
    ELSE ''
  END AS owner,
  'user' AS principal_type,
  account.plugin AS authentication,
  '' AS created_at,
  changed_at AS password_changed_at,
  CONCAT_WS('; ',
    IF(user_name = '', 'anonymous: logs in under any name', NULL),
    IF(locked, 'locked', NULL),
    IF(expired AND NOT locked, 'its password has expired and must be changed at the next login', NULL),
    IF(from_nowhere, CONCAT('no client comes from ', host_name), NULL),
    CASE
      WHEN account.name IS NULL THEN 'in force, but no longer in mysql.user'
      WHEN login_plugin.name IS NULL THEN CONCAT('its login plugin ', plugin, ' is not loaded')
      WHEN plugin = 'mysql_no_login' THEN 'mysql_no_login lets nobody in'
      WHEN plugin = 'AWSAuthenticationPlugin' THEN 'IAM decides who may log in (rds-db:connect)'
      WHEN plugin = 'auth_socket' THEN CONCAT('logs in as the operating system''s account ', COALESCE(NULLIF(hash, ''), user_name))
      WHEN unusable THEN 'no password fits what is stored'
      WHEN hash = '' AND plugin IN ('mysql_native_password', 'sha256_password', 'caching_sha2_password') THEN 'no password'
      WHEN hash IS NULL AND plugin IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
        THEN 'its hash was not shown: whether any password fits is not known'
    END,
    administrator.notes,
    IF(becomes_any, 'becomes any account that its login plugin names', NULL)
  ) AS detail
FROM (
  -- Who holds what: the grantee itself, and who may become it as its proxy.
  SELECT
    name,
    scope,
    granted_through,
    IF(MAX(extent = 'full'), 'full', 'part') AS extent,
    -- All that the server has, or all but three.
    IF(
      granted_through = '' AND scope = 'server' AND SUM(is_global AND privilege <> 'GRANT OPTION') >= 25,
      CONCAT_WS(' but ', 'ALL PRIVILEGES', MAX(NULLIF(lacking, ''))),
      GROUP_CONCAT(DISTINCT IF(extent = 'none', NULL, privilege) ORDER BY privilege SEPARATOR '; ')
    ) AS privileges,
    MAX(grantable) AS grantable,
    MAX(in_tables) AS in_tables,
    MAX(privilege = 'PROXY ON @') AS becomes_any,
    GROUP_CONCAT(DISTINCT IF(extent = 'none', NULL, note) ORDER BY note SEPARATOR '; ') AS notes
  FROM (
    SELECT
      getter.name,
      held.scope,
      IF(getter.proxied = '', held.via, '') AS granted_through,
      IF(getter.proxied = '', held.privilege, CONCAT('PROXY ON ', getter.proxied)) AS privilege,
      held.extent,
      IF(getter.proxied = '', held.is_global, FALSE) AS is_global,
      IF(getter.proxied = '', held.lacking, NULL) AS lacking,
      IF(getter.proxied = '', held.grantable, getter.grantable) AS grantable,
      held.in_tables,
      IF(
        getter.proxied = '',
        held.note,
        CONCAT('becomes ', getter.proxied, ' where its login plugin maps it so; check_proxy_users is ', IF(@@GLOBAL.check_proxy_users, 'on', 'off'))
      ) AS note
    FROM (

      -- Global privileges: in the tables or, where somebody has changed these by hand since the server read them, in force. How far each goes:
      -- `full` is enough for everything, `part` a part of it, `none` only shows, concerns the session itself or does nothing alone. A privilege
      -- that is not known here is a part.
      SELECT
        name,
        '' AS via,
        'server' AS scope,
        privilege,
        CASE
          WHEN privilege IN ('ALTER', 'CREATE USER', 'GRANT OPTION', 'INSERT', 'SUPER', 'UPDATE') THEN 'full'
          -- It writes a trigger of root's into the data folder, where the server lets it write there.
          WHEN privilege = 'FILE' THEN IF(
            VERSION() LIKE '5.%' AND LEFT(@@datadir, CHAR_LENGTH(@@secure_file_priv)) = @@secure_file_priv, 'full', 'part'
          )
          WHEN privilege IN (
            'ALTER ROUTINE', 'CREATE ROUTINE', 'CREATE TEMPORARY TABLES', 'CREATE VIEW', 'EVENT', 'EXECUTE', 'LOCK TABLES', 'PROCESS', 'REFERENCES',
            'REPLICATION CLIENT', 'REPLICATION SLAVE', 'SELECT', 'SHOW DATABASES', 'SHOW VIEW', 'TRIGGER', 'USAGE',
            -- Aurora's own
            'INVOKE COMPREHEND', 'INVOKE LAMBDA', 'INVOKE SAGEMAKER', 'LOAD FROM S3', 'SELECT INTO S3'
          ) THEN 'none'
          ELSE 'part'
        END AS extent,
        TRUE AS is_global,
        MAX(lacking) AS lacking,
        MAX(grantable) AS grantable,
        MAX(in_tables) AS in_tables,
        IF(MAX(in_tables), NULL, CONCAT('in force, but no longer in the tables: ', privilege)) AS note
      FROM (
        SELECT
          name,
          CONVERT(word.privilege USING utf8mb4) COLLATE utf8mb4_bin AS privilege,
          IF(
            CHAR_LENGTH(REPLACE(LEFT(held, 28), 'Y', '')) > 3,
            NULL,
            CONCAT_WS(', ',
              IF(SUBSTR(held, 1, 1) = 'N', 'ALTER', NULL),
              IF(SUBSTR(held, 2, 1) = 'N', 'ALTER ROUTINE', NULL),
              IF(SUBSTR(held, 3, 1) = 'N', 'CREATE', NULL),
              IF(SUBSTR(held, 4, 1) = 'N', 'CREATE ROUTINE', NULL),
              IF(SUBSTR(held, 5, 1) = 'N', 'CREATE TABLESPACE', NULL),
              IF(SUBSTR(held, 6, 1) = 'N', 'CREATE TEMPORARY TABLES', NULL),
              IF(SUBSTR(held, 7, 1) = 'N', 'CREATE USER', NULL),
              IF(SUBSTR(held, 8, 1) = 'N', 'CREATE VIEW', NULL),
              IF(SUBSTR(held, 9, 1) = 'N', 'DELETE', NULL),
              IF(SUBSTR(held, 10, 1) = 'N', 'DROP', NULL),
              IF(SUBSTR(held, 11, 1) = 'N', 'EVENT', NULL),
              IF(SUBSTR(held, 12, 1) = 'N', 'EXECUTE', NULL),
              IF(SUBSTR(held, 13, 1) = 'N', 'FILE', NULL),
              IF(SUBSTR(held, 14, 1) = 'N', 'INDEX', NULL),
              IF(SUBSTR(held, 15, 1) = 'N', 'INSERT', NULL),
              IF(SUBSTR(held, 16, 1) = 'N', 'LOCK TABLES', NULL),
              IF(SUBSTR(held, 17, 1) = 'N', 'PROCESS', NULL),
              IF(SUBSTR(held, 18, 1) = 'N', 'REFERENCES', NULL),
              IF(SUBSTR(held, 19, 1) = 'N', 'RELOAD', NULL),
              IF(SUBSTR(held, 20, 1) = 'N', 'REPLICATION CLIENT', NULL),
              IF(SUBSTR(held, 21, 1) = 'N', 'REPLICATION SLAVE', NULL),
              IF(SUBSTR(held, 22, 1) = 'N', 'SELECT', NULL),
              IF(SUBSTR(held, 23, 1) = 'N', 'SHOW DATABASES', NULL),
              IF(SUBSTR(held, 24, 1) = 'N', 'SHOW VIEW', NULL),
              IF(SUBSTR(held, 25, 1) = 'N', 'SHUTDOWN', NULL),
              IF(SUBSTR(held, 26, 1) = 'N', 'SUPER', NULL),
              IF(SUBSTR(held, 27, 1) = 'N', 'TRIGGER', NULL),
              IF(SUBSTR(held, 28, 1) = 'N', 'UPDATE', NULL)
            )
          ) AS lacking,
          SUBSTR(held, 29, 1) = 'Y' AS grantable,
          TRUE AS in_tables
        FROM (
          SELECT DISTINCT
            CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
            CONCAT(
              Alter_priv, Alter_routine_priv, Create_priv, Create_routine_priv, Create_tablespace_priv, Create_tmp_table_priv, Create_user_priv,
              Create_view_priv, Delete_priv, Drop_priv, Event_priv, Execute_priv, File_priv, Index_priv, Insert_priv, Lock_tables_priv,
              Process_priv, References_priv, Reload_priv, Repl_client_priv, Repl_slave_priv, Select_priv, Show_db_priv, Show_view_priv,
              Shutdown_priv, Super_priv, Trigger_priv, Update_priv, Grant_priv
            ) AS held
          FROM mysql.user
        ) AS user_table
        JOIN (
          SELECT 1 AS place, 'ALTER' AS privilege
          UNION ALL SELECT 2, 'ALTER ROUTINE'
          UNION ALL SELECT 3, 'CREATE'
          UNION ALL SELECT 4, 'CREATE ROUTINE'
          UNION ALL SELECT 5, 'CREATE TABLESPACE'
          UNION ALL SELECT 6, 'CREATE TEMPORARY TABLES'
          UNION ALL SELECT 7, 'CREATE USER'
          UNION ALL SELECT 8, 'CREATE VIEW'
          UNION ALL SELECT 9, 'DELETE'
          UNION ALL SELECT 10, 'DROP'
          UNION ALL SELECT 11, 'EVENT'
          UNION ALL SELECT 12, 'EXECUTE'
          UNION ALL SELECT 13, 'FILE'
          UNION ALL SELECT 14, 'INDEX'
          UNION ALL SELECT 15, 'INSERT'
          UNION ALL SELECT 16, 'LOCK TABLES'
          UNION ALL SELECT 17, 'PROCESS'
          UNION ALL SELECT 18, 'REFERENCES'
          UNION ALL SELECT 19, 'RELOAD'
          UNION ALL SELECT 20, 'REPLICATION CLIENT'
          UNION ALL SELECT 21, 'REPLICATION SLAVE'
          UNION ALL SELECT 22, 'SELECT'
          UNION ALL SELECT 23, 'SHOW DATABASES'
          UNION ALL SELECT 24, 'SHOW VIEW'
          UNION ALL SELECT 25, 'SHUTDOWN'
          UNION ALL SELECT 26, 'SUPER'
          UNION ALL SELECT 27, 'TRIGGER'
          UNION ALL SELECT 28, 'UPDATE'
          UNION ALL SELECT 29, 'GRANT OPTION'
        ) AS word ON SUBSTR(held, place, 1) = 'Y'
        UNION ALL
        -- GRANT OPTION is no row there, but IS_GRANTABLE with every privilege. GRANTEE is 'user'@'host', and its tail all after the last @. It is
        -- cut at 81 characters: whose rights those are, the tables say.
        SELECT
          CONVERT(
            CONCAT(SUBSTR(GRANTEE, 2, CHAR_LENGTH(GRANTEE) - tail - 3), '@', LOWER(SUBSTR(GRANTEE, -tail + 1, tail - 2))) USING utf8mb4
          ) COLLATE utf8mb4_bin,
          CONVERT(IF(is_option, 'GRANT OPTION', PRIVILEGE_TYPE) USING utf8mb4) COLLATE utf8mb4_bin,
          NULL,
          IS_GRANTABLE = 'YES',
          FALSE
        FROM (
          SELECT GRANTEE, CHAR_LENGTH(SUBSTRING_INDEX(GRANTEE, '@', -1)) AS tail, PRIVILEGE_TYPE, IS_GRANTABLE
          FROM information_schema.USER_PRIVILEGES
          WHERE GRANTEE LIKE '%\''
        ) AS user_privilege
        JOIN (SELECT FALSE AS is_option UNION ALL SELECT TRUE) AS either
          ON NOT is_option OR IS_GRANTABLE = 'YES'
      ) AS global_privilege
      GROUP BY name, privilege

      UNION ALL

      -- Grants on schemas. A schema's name is a pattern there, in which a backslash takes the meaning from % and _ (0x5C is a backslash; 0x5C25
      -- and 0x5C5F are one before % and _). A grant holds for the account that it names, and for every other one of the same user, or of any user
      -- where it names nobody, whose host its own host covers. A session is governed by one: that with the most specific host, then schema, then
      -- user: a network before a name, that before a pattern, and of patterns the one whose first wildcard comes later. It is the greatest text
      -- of specificity (7 characters), everything and grantable (1 each), which of seven privileges (7), whether the name is a pattern (1), the
      -- name's length (3), the name, the grantee. Writing in the schema mysql makes an administrator of the server; all privileges or the grant
      -- option on a schema, one of that schema.
      SELECT
        name,
        IF(grantee = name, '', grantee),
        IF(reach = 'mysql', 'server', CONCAT('database:', object_name)),
        CONCAT(IF(everything, 'ALL PRIVILEGES', word.privilege), ' ON ', object_name, '.*'),
        IF(word.privilege IN ('ALL PRIVILEGES', 'ALTER', 'INSERT', 'UPDATE'), 'full', 'part'),
        FALSE,
        NULL,
        grantable,
        TRUE,
        NULLIF(CONCAT_WS('; ',
          IF(is_pattern, CONCAT(object_name, ' is a pattern of schema names', IF(reach = 'mysql', ', which mysql matches', '')), NULL),
          CASE
            WHEN grantee = name THEN NULL
            WHEN grantee LIKE '@%' THEN 'granted to the anonymous account, whose schema grants hold for everybody from its hosts'
            ELSE 'granted to the same user from more hosts, which holds for this one too'
          END
        ), '')
      FROM (
        SELECT
          name,
          reach,
          SUBSTR(winner, 8, 1) = '1' AS everything,
          SUBSTR(winner, 9, 1) = '1' AS grantable,
          SUBSTR(winner, 10, 7) AS held,
          SUBSTR(winner, 17, 1) = '1' AS is_pattern,
          SUBSTR(winner, 21, SUBSTR(winner, 18, 3)) AS object_name,
          SUBSTR(winner, 21 + SUBSTR(winner, 18, 3)) AS grantee
        FROM (
          SELECT
            name,
            reach,
            MAX(CONCAT(
              LPAD(specificity, 7, '0'), everything, grantable, held, first_wildcard < 128, LPAD(CHAR_LENGTH(object_name), 3, '0'), object_name,
              grantee_user, '@', grantee_host
            )) AS winner
          FROM (
            SELECT
              CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
              CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS goes_as,
              CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
            FROM mysql.user
            UNION ALL
            SELECT
              CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin,
              '',
              CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin
            FROM mysql.user
            WHERE User <> ''
          ) AS client
          JOIN (
            SELECT DISTINCT
              grantee_user,
              grantee_host,
              first_wildcard,
              IF(first_wildcard < 128, written, REPLACE(REPLACE(written, _utf8mb4 0x5C25, '%'), _utf8mb4 0x5C5F, '_')) AS object_name,
              -- An escape of its own, since the backslash is none under NO_BACKSLASH_ESCAPES.
              'mysql' LIKE REPLACE(REPLACE(written, '|', '||'), _utf8mb4 0x5C, '|') ESCAPE '|' AS covers_mysql,
              1000 * CASE
              WHEN grantee_host = '' THEN 0
              WHEN grantee_host LIKE '%/%' THEN 200
              ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
            END + 2 * first_wildcard + (grantee_user <> '') AS specificity,
              held,
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
                  CONCAT(Alter_priv, Create_priv, Delete_priv, Drop_priv, Index_priv, Insert_priv, Update_priv) AS held,
                  'N' NOT IN (
                    Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, References_priv, Index_priv, Alter_priv,
                    Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv,
                    Execute_priv, Event_priv, Trigger_priv
                  ) AS everything,
                  Grant_priv = 'Y' AS grantable
                FROM mysql.db
              ) AS row_of_db
            ) AS row_with_wildcard
          ) AS db_grant ON grantee_user = goes_as
          JOIN (SELECT 'mysql' AS reach UNION ALL SELECT 'schema') AS reaching ON reach = 'schema' OR covers_mysql
          WHERE name = CONCAT(grantee_user, '@', grantee_host) OR (
            grantee_host = ''
            OR host_name LIKE grantee_host
            OR INET_ATON(REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0')) & INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1))
              = IF(grantee_host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)), NULL)
            OR (
              host_name IN ('localhost', '127.0.0.1', '::1')
                AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host)
            )
          )
          GROUP BY name, reach, IF(reach = 'schema', object_name, '')
        ) AS governed
      ) AS decided
      JOIN (
        SELECT 0 AS place, 'ALL PRIVILEGES' AS privilege
        UNION ALL SELECT 1, 'ALTER'
        UNION ALL SELECT 2, 'CREATE'
        UNION ALL SELECT 3, 'DELETE'
        UNION ALL SELECT 4, 'DROP'
        UNION ALL SELECT 5, 'INDEX'
        UNION ALL SELECT 6, 'INSERT'
        UNION ALL SELECT 7, 'UPDATE'
        UNION ALL SELECT 8, 'GRANT OPTION'
      ) AS word ON CASE
        WHEN place = 0 THEN reach = 'schema' AND everything
        WHEN place = 8 THEN grantable AND (reach = 'schema' OR LOCATE('Y', held) > 0)
        ELSE reach = 'mysql' AND SUBSTR(held, place, 1) = 'Y'
      END
      -- What writes in mysql is of the server, and not of the schema again. (A pattern that covers mysql among others has a row of each.)
      WHERE NOT (reach = 'schema' AND object_name = 'mysql' AND NOT is_pattern AND LOCATE('Y', held) > 0)

      UNION ALL

      -- Grants on tables and columns of the schema mysql: of accounts and grants and of code, and others of the server's own. Those of time zones,
      -- help texts and statistics give no power, nor do tables that somebody else made there; and a table that exists cannot be created.
      SELECT
        name,
        IF(name = grantee, '', grantee),
        'server',
        CONCAT(word.privilege, IF(column_name = '', '', CONCAT(' (', column_name, ')')), ' ON mysql.', object_name),
        CASE
          WHEN object_name IN ('columns_priv', 'db', 'event', 'func', 'plugin', 'proc', 'proxies_priv', 'tables_priv', 'user')
            THEN IF(word.privilege IN ('ALTER', 'INSERT', 'UPDATE'), 'full', 'part')
          WHEN object_name IN (
            'audit_log_filter', 'audit_log_user', 'engine_cost', 'firewall_users', 'firewall_whitelist', 'general_log', 'gtid_executed',
            'ndb_binlog_index', 'procs_priv', 'server_cost', 'servers', 'slave_master_info', 'slave_relay_log_info', 'slave_worker_info', 'slow_log'
          ) THEN 'part'
          ELSE 'none'
        END,
        FALSE,
        NULL,
        grantable,
        TRUE,
        IF(name = grantee, NULL, 'granted to the same user from more hosts, which holds for this one too')
      FROM (
        SELECT
          client.name,
          far.grantee,
          far.object_name,
          far.column_name,
          far.privileges,
          far.grantable,
          far.specificity,
          (
            SELECT MAX(CASE
              WHEN near.Host = '' THEN 0
              WHEN near.Host LIKE '%/%' THEN 200
              ELSE LEAST(COALESCE(NULLIF(LOCATE('%', near.Host), 0), 128), COALESCE(NULLIF(LOCATE('_', near.Host), 0), 128))
            END)
            FROM mysql.tables_priv AS near
            WHERE near.User = far.raw_user AND near.Table_name = far.object_name AND near.Db = far.raw_db AND (
              near.Host = ''
              OR host_name LIKE near.Host
              OR INET_ATON(REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0')) & INET_ATON(SUBSTRING_INDEX(near.Host, '/', -1))
                = IF(near.Host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(near.Host, '/', 1)), NULL)
              OR (
                host_name IN ('localhost', '127.0.0.1', '::1')
                  AND ('localhost' LIKE near.Host OR '127.0.0.1' LIKE near.Host OR '::1' LIKE near.Host)
              )
            )
          ) AS most_specific
        FROM (
          SELECT
            CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
            CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS goes_as,
            CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
          FROM mysql.user
        ) AS client
        JOIN (
          SELECT
            table_row.*,
            CONCAT(grantee_user, '@', grantee_host) AS grantee,
            CASE
              WHEN grantee_host = '' THEN 0
              WHEN grantee_host LIKE '%/%' THEN 200
              ELSE LEAST(COALESCE(NULLIF(LOCATE('%', grantee_host), 0), 128), COALESCE(NULLIF(LOCATE('_', grantee_host), 0), 128))
            END AS specificity
          FROM (
            SELECT
              User AS raw_user,
              Db AS raw_db,
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
              User,
              Db,
              CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin,
              CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin,
              CONVERT(TRIM(Table_name) USING utf8mb4) COLLATE utf8mb4_bin,
              CONVERT(TRIM(Column_name) USING utf8mb4) COLLATE utf8mb4_bin,
              UPPER(CONVERT(Column_priv USING utf8mb4)),
              FALSE
            FROM mysql.columns_priv
            WHERE IF(@@lower_case_table_names = 0, TRIM(Db), LOWER(TRIM(Db))) = 'mysql'
          ) AS table_row
        ) AS far ON grantee_user = goes_as
        WHERE name = grantee OR (
          grantee_host = ''
          OR host_name LIKE grantee_host
          OR INET_ATON(REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0')) & INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1))
            = IF(grantee_host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)), NULL)
          OR (
            host_name IN ('localhost', '127.0.0.1', '::1')
              AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host)
          )
        )
      ) AS compared
      JOIN (
        SELECT 'ALTER' AS privilege
        UNION ALL SELECT 'DELETE'
        UNION ALL SELECT 'DROP'
        UNION ALL SELECT 'INDEX'
        UNION ALL SELECT 'INSERT'
        UNION ALL SELECT 'UPDATE'
      ) AS word ON FIND_IN_SET(word.privilege, privileges) > 0
      WHERE specificity >= COALESCE(most_specific, 0)

      UNION ALL

      SELECT name, '', 'server', 'PROXY ON @', 'full', FALSE, NULL, With_grant > 0, TRUE, NULL
      FROM (
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
          CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS goes_as,
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
        FROM mysql.user
        UNION ALL
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin,
          '',
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin
        FROM mysql.user
        WHERE User <> ''
      ) AS client
      JOIN (
        SELECT DISTINCT
          CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
          With_grant
        FROM mysql.proxies_priv
        WHERE TRIM(Proxied_user) = '' AND TRIM(Proxied_host) = ''
      ) AS proxy ON grantee_user = goes_as
      WHERE name = CONCAT(grantee_user, '@', grantee_host) OR (
        grantee_host = ''
        OR host_name LIKE grantee_host
        OR INET_ATON(REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0')) & INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1))
          = IF(grantee_host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)), NULL)
        OR (
          host_name IN ('localhost', '127.0.0.1', '::1')
            AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host)
        )
      )

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
          WHERE GRANTEE LIKE '%\''
        ) AS user_privilege
      ) AS known
      UNION ALL
      SELECT proxied, name, proxied, With_grant > 0
      FROM (
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
          CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS goes_as,
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name
        FROM mysql.user
        UNION ALL
        SELECT
          CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin,
          '',
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin
        FROM mysql.user
        WHERE User <> ''
      ) AS client
      JOIN (
        SELECT DISTINCT
          CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_user,
          CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS grantee_host,
          CONVERT(CONCAT(TRIM(Proxied_user), '@', LOWER(TRIM(Proxied_host))) USING utf8mb4) COLLATE utf8mb4_bin AS proxied,
          With_grant
        FROM mysql.proxies_priv
      ) AS proxy ON grantee_user = goes_as
      WHERE name = CONCAT(grantee_user, '@', grantee_host) OR (
        grantee_host = ''
        OR host_name LIKE grantee_host
        OR INET_ATON(REPLACE(SUBSTRING_INDEX(host_name, '/', 1), '%', '0')) & INET_ATON(SUBSTRING_INDEX(grantee_host, '/', -1))
          = IF(grantee_host LIKE '%/%', INET_ATON(SUBSTRING_INDEX(grantee_host, '/', 1)), NULL)
        OR (
          host_name IN ('localhost', '127.0.0.1', '::1')
            AND ('localhost' LIKE grantee_host OR '127.0.0.1' LIKE grantee_host OR '::1' LIKE grantee_host)
        )
      )
    ) AS getter ON getter.holder = held.name AND (getter.proxied = '' OR (held.via = '' AND held.extent <> 'none'))
  ) AS got
  GROUP BY name, scope, granted_through
  HAVING MAX(extent <> 'none')
) AS administrator
LEFT JOIN (
  SELECT
    CONVERT(CONCAT(TRIM(User), '@', LOWER(TRIM(Host))) USING utf8mb4) COLLATE utf8mb4_bin AS name,
    CONVERT(TRIM(User) USING utf8mb4) COLLATE utf8mb4_bin AS user_name,
    CONVERT(LOWER(TRIM(Host)) USING utf8mb4) COLLATE utf8mb4_bin AS host_name,
    -- The server compares a network with the client's address under the mask; without name resolution it knows no name but localhost.
    CASE
      WHEN Host LIKE '%/%' THEN COALESCE(
        INET_ATON(SUBSTRING_INDEX(Host, '/', 1)) <> INET_ATON(SUBSTRING_INDEX(Host, '/', 1)) & INET_ATON(SUBSTRING_INDEX(Host, '/', -1)), TRUE
      )
      WHEN @@GLOBAL.skip_name_resolve THEN LOWER(TRIM(Host)) REGEXP '[^0-9a-f.:%_]' AND 'localhost' NOT LIKE TRIM(Host)
      ELSE FALSE
    END AS from_nowhere,
    CONVERT(TRIM(plugin) USING utf8mb4) COLLATE utf8mb4_bin AS plugin,
    CONVERT(authentication_string USING utf8mb4) COLLATE utf8mb4_bin AS hash,
    account_locked = 'Y' AS locked,
    -- By hand, or by age: the account's own number of days or, where it has none, the server's; 0 is never.
    password_expired = 'Y' OR (
      TRIM(plugin) IN ('caching_sha2_password', 'sha256_password', 'mysql_native_password')
        AND COALESCE(password_lifetime, @@GLOBAL.default_password_lifetime) > 0
        AND password_last_changed + INTERVAL COALESCE(password_lifetime, @@GLOBAL.default_password_lifetime) DAY < NOW()
    ) AS expired,
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
  AND NOT (SELECT MAX(CONCAT(TRIM(User), '@', TRIM(Host)) = CURRENT_USER()) FROM mysql.user)

UNION ALL

-- In some of its tables the server cuts a name at a zero byte; what stands there is then another account's, or nobody's.
SELECT
  'incomplete', 'server', '', '', '', '', '', '', '', '', '', '', '',
  CONCAT('the name ', REPLACE(name, CHAR(0 USING utf8mb4), '[zero byte]'), ' is cut in some tables of mysql: what the account holds cannot be told')
FROM (SELECT CONVERT(CONCAT(User, '@', Host) USING utf8mb4) COLLATE utf8mb4_bin AS name FROM mysql.user) AS named
WHERE LOCATE(CHAR(0 USING utf8mb4), name) > 0

-- A server-wide sql_select_limit would cut the list without a word; a LIMIT of the statement's own is stronger.
LIMIT 18446744073709551615
