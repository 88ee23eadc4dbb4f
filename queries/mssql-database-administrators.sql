-- Who administers one database of a SQL Server, and who comes from it to the whole server: one row per principal, scope
-- and chain of roles. Before them stands one row of the result `incomplete` for each thing that this login was not shown.
-- Versions: 2012 to 2025, Amazon RDS. Run it inside the database, by EXEC [name].sys.sp_executesql with this text, after
-- mssql-server-administrators.sql in the same session: an owner of the database who is in #server_administrators has no
-- row for that. Where the table is not there, it has one.
-- Needs: a way into the database (CONNECT ANY DATABASE, from 2014) and VIEW DEFINITION in it, which VIEW ANY DEFINITION
-- at the server implies. Without it SQL Server filters its catalog and gives no error, so the query asks for its own
-- permission first, here again, since a DENY in the database is stronger; then it looks for ids that are mentioned and
-- not shown.
-- An administrator holds a power (2.), itself or by a role, that no DENY takes away (3.), or may make itself one who
-- does (4.).
-- No rows: the fixed roles themselves (they are powers, in every database); rights on one table or schema, and rights
-- that only read or write data, unless they lead to the server; sysadmin (dbo everywhere, reported for the server).
-- Ways to the server, with the scope `server`, are explained where they are made, at the end of 2.
-- Cannot see: who is in a Windows or Entra group; what signed modules let their users do; chains of ownership to
-- databases other than master and msdb.
-- https://learn.microsoft.com/sql/relational-databases/security/authentication-access/database-level-roles
-- https://learn.microsoft.com/sql/relational-databases/security/trustworthy-database-property
-- https://learn.microsoft.com/sql/database-engine/configure-windows/cross-db-ownership-chaining-server-configuration-option
SET NOCOUNT ON;

-- 1. The catalog, read once
-- Names get one collation here: database, server and fixed columns have different ones, and refuse to be compared.
-- Principals are matched by id, users to logins by sid, never by name.

DECLARE @principals TABLE (
  principal_id int NOT NULL PRIMARY KEY, -- below 0: logins and server roles, see below
  name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  -- S sql, U windows, G windows group, E X external, C certificate, K key, R role, A application role, ? hidden
  type char(1) COLLATE Latin1_General_BIN2 NOT NULL,
  sid varbinary(85) NULL,
  authentication_type int NULL, -- 0 none, 1 a login, 2 a password of its own (contained), 3 Windows, 4 external
  is_fixed_role int NOT NULL,
  owner_id int NULL
);
DECLARE @members TABLE (member_id int NOT NULL, role_id int NOT NULL, PRIMARY KEY (member_id, role_id));
DECLARE @permissions TABLE (
  -- 0 the database, 1 a table, 3 a schema, 4 a user or a role; the same type code means another thing in another class
  class int NOT NULL,
  major_id int NOT NULL,
  grantee_id int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  state char(1) COLLATE Latin1_General_BIN2 NOT NULL, -- G granted, W granted with grant option, D denied
  permission_id int IDENTITY(1, 1) NOT NULL,
  UNIQUE CLUSTERED (grantee_id, permission_id)
);
-- What leads to the server where the database does: schemas and objects that dbo owns
DECLARE @securables TABLE (
  class int NOT NULL,
  major_id int NOT NULL,
  name nvarchar(300) COLLATE Latin1_General_BIN2 NOT NULL,
  holds_jobs int NOT NULL, -- in msdb: whoever writes it writes the agent's jobs
  PRIMARY KEY (class, major_id)
);
DECLARE @utc TABLE (principal_id int NOT NULL PRIMARY KEY, created_at datetime NULL);
DECLARE @unseen TABLE (detail nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
-- Of the server
DECLARE @logins TABLE (
  principal_id int NOT NULL PRIMARY KEY, -- in the database
  login_id int NOT NULL,
  name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  type char(1) COLLATE Latin1_General_BIN2 NOT NULL,
  is_disabled int NOT NULL
);
DECLARE @server_members TABLE (member_id int NOT NULL, role_id int NOT NULL, PRIMARY KEY (member_id, role_id));
DECLARE @rights_on_logins TABLE (
  grantee_id int NOT NULL, target_id int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  state char(1) COLLATE Latin1_General_BIN2 NOT NULL
);
DECLARE @actors TABLE (principal_id int NOT NULL PRIMARY KEY); -- of the server
DECLARE @login_tokens TABLE (login_id int NOT NULL, holder_id int NOT NULL, PRIMARY KEY (login_id, holder_id));
DECLARE @server_permissions TABLE (
  grantee_id int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  state char(1) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (grantee_id, permission_name, state)
);
-- 1 may, 0 not granted, -1 denied
DECLARE @login_rights TABLE (
  login_id int NOT NULL, permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL, may int NOT NULL,
  PRIMARY KEY (login_id, permission_name)
);
DECLARE @added int, @step int, @dbo_sid varbinary(85), @contained_logins int = 0, @groups int = 0;
DECLARE @here nvarchar(300) = QUOTENAME(DB_NAME());
DECLARE @me nvarchar(300) = QUOTENAME(SUSER_SNAME());

-- One refused view (Amazon RDS refuses some, in msdb and rdsadmin) costs what it holds, not the report.
BEGIN TRY
  INSERT @principals
  SELECT principal_id, name, type, sid, authentication_type, CAST(is_fixed_role AS int), owning_principal_id
  FROM sys.database_principals;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (@here + N'.sys.database_principals cannot be read: ' + ERROR_MESSAGE());
END CATCH;
SELECT @dbo_sid = sid FROM @principals WHERE principal_id = 1;

-- dbo owns the database: that it is in db_owner as well adds nothing
BEGIN TRY
  INSERT @members
  SELECT DISTINCT member_principal_id, role_principal_id
  FROM sys.database_role_members
  WHERE member_principal_id <> 1;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (@here + N'.sys.database_role_members cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- Objects of one owner reach each other, also from database to database where both take part in that: master and msdb
-- do, unless somebody turned it off. Whoever makes objects that dbo owns reaches those of the other database.
DECLARE @owner_sid varbinary(85), @is_trustworthy int, @is_contained int, @chained_to nvarchar(128);
BEGIN TRY
  SELECT @owner_sid = owner_sid, @is_trustworthy = CAST(is_trustworthy_on AS int),
    @is_contained = CAST(containment AS int)
  FROM sys.databases
  WHERE database_id = DB_ID();

  SELECT TOP (1) @chained_to = other.name
  FROM sys.databases AS other
  JOIN sys.databases AS this ON this.database_id = DB_ID()
  JOIN sys.configurations AS everywhere ON everywhere.name = N'cross db ownership chaining'
  WHERE this.database_id NOT IN (1, 4) AND other.database_id IN (1, 4) AND other.owner_sid IN (@dbo_sid, @owner_sid)
    AND (CAST(everywhere.value_in_use AS int) = 1 OR (this.is_db_chaining_on = 1 AND other.is_db_chaining_on = 1))
  ORDER BY other.database_id DESC; -- 4 is msdb, 1 master
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.databases cannot be read from ' + @here + N': ' + ERROR_MESSAGE());
END CATCH;
IF @is_trustworthy IS NULL
  INSERT @unseen VALUES (N'sys.databases does not show ' + @here
    + N', so neither its owner nor TRUSTWORTHY: GRANT VIEW ANY DATABASE TO ' + @me + N';');

BEGIN TRY
  IF DB_ID() IN (1, 4) OR @chained_to IS NOT NULL
    INSERT @securables
    SELECT 3, schema_id, N'SCHEMA::' + QUOTENAME(name), CASE WHEN DB_ID() = 4 AND schema_id = 1 THEN 1 ELSE 0 END
    FROM sys.schemas
    WHERE principal_id = 1
    UNION ALL
    SELECT 1, o.object_id, N'OBJECT::' + QUOTENAME(o.name),
      CASE WHEN DB_ID() = 4 AND o.schema_id = 1 AND o.name IN (N'sysjobs', N'sysjobsteps', N'sysjobschedules',
        N'sysschedules', N'sysproxies', N'sysproxylogin', N'sysproxysubsystem', N'syssubsystems') THEN 1 ELSE 0 END
    FROM sys.objects AS o
    JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    WHERE ISNULL(o.principal_id, s.principal_id) = 1
      AND o.object_id IN (SELECT major_id FROM sys.database_permissions WHERE class = 1);

  INSERT @permissions
  SELECT p.class, p.major_id, p.grantee_principal_id, p.permission_name, p.state
  FROM sys.database_permissions AS p
  LEFT JOIN @securables AS s ON s.class = p.class AND s.major_id = p.major_id
  WHERE p.state IN ('G', 'W', 'D')
    AND (p.class IN (0, 4) OR (s.class IS NOT NULL
      AND p.permission_name IN (N'ALTER', N'CONTROL', N'TAKE OWNERSHIP', N'INSERT', N'UPDATE', N'DELETE')));
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (@here + N'.sys.database_permissions cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- The catalog has the server's local time: see mssql-server-administrators.sql.
BEGIN TRY
  IF CAST(LEFT(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), 2) AS int) >= 16
    INSERT @utc EXEC sys.sp_executesql N'
      SELECT principal_id, CAST(create_date AT TIME ZONE CURRENT_TIMEZONE_ID() AT TIME ZONE ''UTC'' AS datetime)
      FROM sys.database_principals';
END TRY
BEGIN CATCH
  IF ERROR_NUMBER() <> 9820 -- a zone whose name AT TIME ZONE does not know
    INSERT @unseen VALUES (N'The times of the users of ' + @here + N' may be an hour out: ' + ERROR_MESSAGE());
END CATCH;

DECLARE @now datetimeoffset = SYSDATETIMEOFFSET();
DECLARE @offset int = DATEDIFF(minute, CAST(SWITCHOFFSET(@now, '+00:00') AS datetime2), CAST(@now AS datetime2));
BEGIN TRY
  IF NOT EXISTS (SELECT 1 FROM @utc)
    INSERT @utc SELECT principal_id, DATEADD(minute, -@offset, create_date) FROM sys.database_principals;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'The times of the users of ' + @here + N' cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- What this login was not shown

DECLARE @sees_all int = CASE
  WHEN HAS_PERMS_BY_NAME(@here, 'DATABASE', 'VIEW DEFINITION') = 1 THEN 1
  WHEN HAS_PERMS_BY_NAME(@here, 'DATABASE', 'VIEW SECURITY DEFINITION') = 1 THEN 1 -- NULL before 2022
  ELSE 0
END;

IF @sees_all = 0
BEGIN
  -- My own token: a DENY that blinds this login is among its own permissions, which everybody sees.
  DECLARE @mine TABLE (principal_id int NOT NULL PRIMARY KEY);
  INSERT @mine SELECT principal_id FROM @principals WHERE principal_id IN (0, DATABASE_PRINCIPAL_ID());
  SET @added = 1;
  WHILE @added > 0
  BEGIN
    INSERT @mine
    SELECT DISTINCT m.role_id
    FROM @mine AS mine
    JOIN @members AS m ON m.member_id = mine.principal_id
    LEFT JOIN @mine AS known ON known.principal_id = m.role_id
    WHERE known.principal_id IS NULL;
    SET @added = @@ROWCOUNT;
  END;

  INSERT @unseen
  SELECT N'The login ' + @me + N' is not shown every user, role and permission of ' + @here
    + N', because of a DENY in it: USE ' + @here + N'; REVOKE ' + d.permission_name + N' FROM ' + QUOTENAME(p.name)
    + N';'
  FROM @permissions AS d
  JOIN @mine AS mine ON mine.principal_id = d.grantee_id
  JOIN @principals AS p ON p.principal_id = d.grantee_id
  WHERE d.class = 0 AND d.state = 'D'
    AND d.permission_name IN (N'VIEW DEFINITION', N'VIEW SECURITY DEFINITION', N'CONTROL');

  -- As guest it is no user of its own here, and what guest gets all get
  IF @@ROWCOUNT = 0
    INSERT @unseen VALUES (
      N'The login ' + @me + N' is not shown every user, role and permission of ' + @here
      + N': GRANT VIEW ANY DEFINITION TO ' + @me + N';'
      + CASE WHEN DATABASE_PRINCIPAL_ID() > 4 THEN N' or, for this database alone, USE ' + @here
        + N'; GRANT VIEW DEFINITION TO ' + QUOTENAME(USER_NAME()) + N';' ELSE N'' END);
END;

-- Ids that are mentioned and not shown: somebody is hidden. USER_NAME may still know the name, so a hidden member gets
-- its row.
DECLARE @hidden TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @hidden
SELECT mentioned.principal_id
FROM (
  SELECT member_id AS principal_id FROM @members
  UNION SELECT role_id FROM @members
  UNION SELECT grantee_id FROM @permissions
  UNION SELECT major_id FROM @permissions WHERE class = 4
  UNION SELECT owner_id FROM @principals WHERE owner_id IS NOT NULL
) AS mentioned
LEFT JOIN @principals AS p ON p.principal_id = mentioned.principal_id
WHERE p.principal_id IS NULL;

IF @@ROWCOUNT > 0
BEGIN
  IF @sees_all = 1
    INSERT @unseen
    SELECT
      N'The user or role ' + ISNULL(QUOTENAME(USER_NAME(principal_id)), N'with the id '
        + CAST(principal_id AS nvarchar(11))) + N' of ' + @here + N' is hidden from ' + @me
      + N', what it holds is not shown: USE ' + @here + N'; REVOKE VIEW DEFINITION ON USER::'
        + ISNULL(QUOTENAME(USER_NAME(principal_id)), N'...') + N' FROM ' + ISNULL(QUOTENAME(USER_NAME()), @me)
      + N'; (or ON ROLE::, or FROM the role that the DENY was given to)'
    FROM @hidden;

  INSERT @principals
  SELECT principal_id, ISNULL(USER_NAME(principal_id), N'principal_id ' + CAST(principal_id AS nvarchar(11))), '?',
    NULL, NULL, 0, NULL
  FROM @hidden;
END;

-- The logins behind the users. Who is dbo is decided in the database; after a restore the server's catalog (owner_sid)
-- may name another owner, who joins the principals with the id -1.
BEGIN TRY
  INSERT @principals
  SELECT -1, COALESCE(login.name, SUSER_SNAME(@owner_sid)), ISNULL(login.type COLLATE Latin1_General_BIN2, 'U'),
    @owner_sid, NULL, 0, NULL
  FROM (SELECT @owner_sid AS sid) AS owner
  LEFT JOIN sys.server_principals AS login ON login.sid = owner.sid
  WHERE owner.sid <> @dbo_sid AND COALESCE(login.name, SUSER_SNAME(@owner_sid)) IS NOT NULL;

  INSERT @logins
  SELECT p.principal_id, login.principal_id, login.name, login.type, ISNULL(CAST(login.is_disabled AS int), 0)
  FROM @principals AS p
  JOIN sys.server_principals AS login ON login.sid = p.sid
  WHERE p.type NOT IN ('R', 'A') AND login.type <> 'R';

  -- sa, whatever its name
  INSERT @server_members SELECT member_principal_id, role_principal_id FROM sys.server_role_members UNION SELECT 1, 3;

  -- Who may act as one of these logins, or set its password, may come to this database as its user. They, and the
  -- server roles that they hold that by, join the principals with the id -1000 - principal_id. A sysadmin is reported
  -- for the server, and so are they who may act as one.
  INSERT @rights_on_logins
  SELECT grantee_principal_id, major_id, permission_name, state
  FROM sys.server_permissions
  WHERE class = 101 AND state IN ('G', 'W', 'D') AND permission_name IN (N'IMPERSONATE', N'CONTROL', N'ALTER');

  IF EXISTS (
    SELECT 1
    FROM @rights_on_logins AS r
    JOIN @logins AS l ON l.login_id = r.target_id
    LEFT JOIN @server_members AS sysadmin ON sysadmin.member_id = r.target_id AND sysadmin.role_id = 3
    WHERE r.state <> 'D' AND sysadmin.member_id IS NULL
  )
  BEGIN
    INSERT @actors SELECT DISTINCT grantee_id FROM @rights_on_logins WHERE state <> 'D';
    SET @added = 1;
    WHILE @added > 0
    BEGIN
      INSERT @actors
      SELECT DISTINCT m.member_id
      FROM @actors AS a
      JOIN @server_members AS m ON m.role_id = a.principal_id
      LEFT JOIN @actors AS known ON known.principal_id = m.member_id
      WHERE known.principal_id IS NULL;
      SET @added = @@ROWCOUNT;
    END;

    INSERT @principals
    SELECT -1000 - actor.principal_id, actor.name, actor.type, actor.sid, NULL, 0, NULL
    FROM @actors AS a
    JOIN sys.server_principals AS actor ON actor.principal_id = a.principal_id;

    INSERT @members
    SELECT -1000 - m.member_id, -1000 - m.role_id
    FROM @server_members AS m
    JOIN @actors AS member ON member.principal_id = m.member_id
    JOIN @actors AS role ON role.principal_id = m.role_id;

    INSERT @logins
    SELECT -1000 - actor.principal_id, actor.principal_id, actor.name, actor.type,
      ISNULL(CAST(actor.is_disabled AS int), 0)
    FROM @actors AS a
    JOIN sys.server_principals AS actor ON actor.principal_id = a.principal_id
    WHERE actor.type <> 'R';
  END;

  -- Of the server, what concerns these logins. public, which has no row, is 2.
  INSERT @login_tokens SELECT DISTINCT login_id, login_id FROM @logins;
  SET @added = 1;
  WHILE @added > 0
  BEGIN
    INSERT @login_tokens
    SELECT DISTINCT t.login_id, m.role_id
    FROM @login_tokens AS t
    JOIN @server_members AS m ON m.member_id = t.holder_id
    LEFT JOIN @login_tokens AS known ON known.login_id = t.login_id AND known.holder_id = m.role_id
    WHERE known.login_id IS NULL;
    SET @added = @@ROWCOUNT;
  END;
  INSERT @login_tokens SELECT DISTINCT login_id, 2 FROM @logins;

  INSERT @server_permissions
  SELECT grantee_principal_id, permission_name COLLATE Latin1_General_BIN2, state COLLATE Latin1_General_BIN2
  FROM sys.server_permissions
  WHERE class = 100 AND state IN ('G', 'W', 'D')
    AND permission_name IN (N'CONNECT SQL', N'CONTROL SERVER', N'CONNECT ANY DATABASE', N'ALTER ANY DATABASE',
      N'AUTHENTICATE SERVER', N'IMPERSONATE ANY LOGIN', N'ALTER ANY LOGIN')
  UNION
  SELECT r.principal_id, gives.permission_name, 'G'
  FROM sys.server_principals AS r
  JOIN (VALUES
    (N'securityadmin' COLLATE Latin1_General_BIN2, N'ALTER ANY LOGIN'),
    (N'dbcreator', N'ALTER ANY DATABASE'),
    (N'##MS_LoginManager##', N'ALTER ANY LOGIN'),
    (N'##MS_DatabaseManager##', N'ALTER ANY DATABASE'),
    (N'##MS_DatabaseConnector##', N'CONNECT ANY DATABASE')
  ) AS gives (role_name, permission_name) ON gives.role_name = r.name COLLATE Latin1_General_BIN2
  WHERE r.is_fixed_role = 1;

  -- CONTROL SERVER covers them all; sysadmin ignores every DENY.
  INSERT @login_rights
  SELECT
    t.login_id,
    covered.permission_name,
    CASE
      WHEN MAX(CASE WHEN t.holder_id = 3 THEN 1 ELSE 0 END) = 1 THEN 1
      WHEN MAX(CASE WHEN p.state = 'D' THEN 1 ELSE 0 END) = 1 THEN -1
      ELSE MAX(CASE WHEN p.state IN ('G', 'W') THEN 1 ELSE 0 END)
    END
  FROM @login_tokens AS t
  CROSS JOIN (VALUES
    (N'CONNECT SQL' COLLATE Latin1_General_BIN2), (N'CONTROL SERVER'), (N'CONNECT ANY DATABASE'),
    (N'ALTER ANY DATABASE'), (N'AUTHENTICATE SERVER'), (N'IMPERSONATE ANY LOGIN'), (N'ALTER ANY LOGIN')
  ) AS covered (permission_name)
  LEFT JOIN @server_permissions AS p ON p.grantee_id = t.holder_id
    AND p.permission_name IN (covered.permission_name, N'CONTROL SERVER')
  GROUP BY t.login_id, covered.permission_name;

  SELECT @contained_logins = CAST(value_in_use AS int) FROM sys.configurations
    WHERE name = N'contained database authentication';
  SELECT @groups = COUNT(*) FROM sys.server_principals WHERE type IN ('G', 'X') AND is_disabled = 0;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'The catalog of the server cannot be read from ' + @here
    + N', so what its users'' logins may do is not known: ' + ERROR_MESSAGE());
END CATCH;

-- 2. The powers
-- A permission on the database that administers it (full) or a part of it. full: whoever has it has everything, or can
-- give itself everything. leads: what makes it a way to the server, where the database leads there (below): it is
-- everything, it makes objects that dbo owns, it takes the database over.
DECLARE @administering TABLE (
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL,
  leads nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL
);
INSERT @administering VALUES
  (N'CONTROL', N'full', N'everything'),
  (N'TAKE OWNERSHIP', N'full', N'takes'),
  (N'ADMINISTER DATABASE BULK OPERATIONS', N'part', N''),
  (N'ALTER', N'part', N'makes'),
  (N'ALTER ANY SCHEMA', N'part', N'makes'),
  (N'AUTHENTICATE', N'part', N''),
  (N'BACKUP DATABASE', N'part', N''),
  (N'BACKUP LOG', N'part', N''),
  (N'CREATE ANY DATABASE EVENT SESSION', N'part', N''),
  (N'CREATE USER', N'part', N''),
  (N'DROP ANY DATABASE EVENT SESSION', N'part', N'');

-- ALTER ANY ROLE, USER, ASSEMBLY, SECURITY POLICY, ...: whatever this version has, a part
INSERT @administering
SELECT DISTINCT p.permission_name, N'part', N''
FROM @permissions AS p
LEFT JOIN @administering AS known ON known.permission_name = p.permission_name
WHERE p.class = 0 AND p.permission_name LIKE N'ALTER ANY %' AND known.permission_name IS NULL;

-- The fixed roles that administer, by id, and what a DENY would have to name; db_securityadmin grants whatever it likes
-- to a second user.
DECLARE @fixed_roles TABLE (
  role_id int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL,
  leads nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  may_grant int NOT NULL
);
INSERT @fixed_roles VALUES
  (16384, N'CONTROL', N'full', N'everything', 1),   -- db_owner
  (16385, N'ALTER ANY USER', N'part', N'', 0),      -- db_accessadmin
  (16386, N'CONTROL', N'full', N'everything', 1),   -- db_securityadmin
  (16387, N'ALTER', N'part', N'makes', 0),          -- db_ddladmin
  (16389, N'BACKUP DATABASE', N'part', N'', 0),     -- db_backupoperator
  (16389, N'BACKUP LOG', N'part', N'', 0);

-- 16390 to 16393 are db_datareader, db_datawriter and what denies them: data only.
INSERT @unseen
SELECT DISTINCT N'The fixed database role ' + QUOTENAME(r.name) + N' of ' + @here
  + N' has members, and this query does not know what it may do: a newer version of this tool is needed'
FROM @principals AS r
JOIN @members AS m ON m.role_id = r.principal_id
LEFT JOIN @fixed_roles AS known ON known.role_id = r.principal_id
WHERE r.is_fixed_role = 1 AND known.role_id IS NULL AND r.principal_id NOT BETWEEN 16390 AND 16393;

-- Roles that come with a part of SQL Server. They have no fixed ids; in another database the names mean nothing.
DECLARE @product_roles TABLE (
  role_id int NOT NULL PRIMARY KEY,
  scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL,
  reason nvarchar(600) COLLATE Latin1_General_BIN2 NOT NULL
);
INSERT @product_roles
SELECT r.principal_id, known.scope, known.extent, known.reason
FROM @principals AS r
JOIN (VALUES
  (N'msdb' COLLATE Latin1_General_BIN2, N'db_ssisadmin' COLLATE Latin1_General_BIN2, N'server', N'full',
    N'; stores packages that run as SQL Server''s agent, a sysadmin'),
  (N'msdb', N'dc_admin', N'server', N'full', N'; sets up data collection that runs as SQL Server''s agent, a sysadmin'),
  (N'msdb', N'PolicyAdministratorRole', N'server', N'part', N'; sets policies that SQL Server enforces'),
  (N'msdb', N'SQLAgentOperatorRole', N'server', N'part', N'; starts and stops every job, but edits its own only'),
  (N'SSISDB', N'ssis_admin', N'database', N'part', N'; administers the catalog of Integration Services')
) AS known (database_name, role_name, scope, extent, reason) ON known.role_name = r.name
WHERE r.type = 'R' AND known.database_name = DB_NAME();

DECLARE @powers TABLE (
  power_id int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  holder_id int NOT NULL,
  scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,            -- database or server
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL,       -- what the report says
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NULL,                -- NULL for a way: it goes as far as its target's
  leads nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  reason nvarchar(600) COLLATE Latin1_General_BIN2 NOT NULL,          -- for the detail
  database_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL, -- what a DENY on the database would have to name
  -- to another principal: act as it, reset its password, join it
  way nvarchar(10) COLLATE Latin1_General_BIN2 NULL,
  target_id int NULL,
  -- what a DENY on that principal would have to name
  target_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL,
  may_grant int NOT NULL,
  UNIQUE (holder_id, power_id)
);

INSERT @powers
-- The owner
SELECT principal_id, N'database', N'OWNER', N'full', N'everything', N'', NULL, NULL, NULL, NULL, 1
FROM @principals
WHERE principal_id IN (1, -1)
UNION ALL
SELECT p.grantee_id, N'database', p.permission_name, a.extent, a.leads, N'', p.permission_name, NULL, NULL, NULL,
  CASE WHEN p.state = 'W' OR p.permission_name = N'CONTROL' THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @administering AS a ON a.permission_name = p.permission_name
WHERE p.class = 0 AND p.state IN ('G', 'W') AND p.grantee_id <> 1
UNION ALL
SELECT r.principal_id, N'database', r.name, f.extent, f.leads, N'', f.permission_name, NULL, NULL, NULL, f.may_grant
FROM @principals AS r
JOIN @fixed_roles AS f ON f.role_id = r.principal_id
UNION ALL
SELECT k.role_id, k.scope, r.name + CASE k.scope WHEN N'server' THEN N' IN DATABASE::' + @here ELSE N'' END, k.extent,
  N'', k.reason, NULL, NULL, NULL, NULL, CASE k.extent WHEN N'full' THEN 1 ELSE 0 END
FROM @product_roles AS k
JOIN @principals AS r ON r.principal_id = k.role_id
UNION ALL
-- Rights on one user: to act as it; nobody can act as a group or a certificate. On a role that is not fixed: to add
-- oneself. On an application role: to set its password.
SELECT
  p.grantee_id, N'database',
  p.permission_name + CASE target.type WHEN 'R' THEN N' ON ROLE::' WHEN 'A' THEN N' ON APPLICATION ROLE::'
    ELSE N' ON USER::' END + QUOTENAME(target.name),
  NULL, N'', N'',
  CASE WHEN p.permission_name <> N'ALTER' THEN N'CONTROL' WHEN target.type = 'A' THEN N'ALTER ANY APPLICATION ROLE'
    ELSE N'ALTER ANY ROLE' END,
  CASE WHEN target.type IN ('R', 'A') THEN N'join' ELSE N'act' END,
  p.major_id,
  CASE WHEN target.type IN ('R', 'A') THEN p.permission_name ELSE N'IMPERSONATE' END,
  CASE WHEN target.type IN ('R', 'A') OR p.state = 'W' THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @principals AS target ON target.principal_id = p.major_id
WHERE p.class = 4 AND p.state IN ('G', 'W')
  AND (
    (target.type IN ('S', 'U', 'E', '?') AND p.permission_name IN (N'IMPERSONATE', N'CONTROL'))
    OR (target.type IN ('R', 'A') AND p.permission_name IN (N'ALTER', N'CONTROL', N'TAKE OWNERSHIP'))
  )
UNION ALL
-- The same on all of them. ALTER on the database covers both.
SELECT p.grantee_id, N'database', p.permission_name, NULL, N'', N'',
  CASE target.type WHEN 'A' THEN N'ALTER ANY APPLICATION ROLE' ELSE N'ALTER ANY ROLE' END, N'join',
  target.principal_id, N'ALTER', 1
FROM @permissions AS p
JOIN @principals AS target ON target.is_fixed_role = 0 AND target.principal_id > 0
  AND ((target.type = 'R' AND p.permission_name IN (N'ALTER', N'ALTER ANY ROLE'))
    OR (target.type = 'A' AND p.permission_name IN (N'ALTER', N'ALTER ANY APPLICATION ROLE')))
WHERE p.class = 0 AND p.state IN ('G', 'W')
UNION ALL
-- A role's owner has CONTROL over it, and no DENY binds an owner. dbo and db_owner own most, which adds nothing.
SELECT owner_id, N'database', N'OWNER OF ROLE::' + QUOTENAME(name), NULL, N'', N'', NULL, N'join', principal_id, NULL, 1
FROM @principals
WHERE type = 'R' AND is_fixed_role = 0 AND principal_id <> 0 AND owner_id NOT IN (1, 16384);

-- Rights on one login, seen from here: on whoever it is in this database. Only CONTROL SERVER may set the password of
-- one who has it.
IF EXISTS (SELECT 1 FROM @actors)
  INSERT @powers
  SELECT -1000 - p.grantee_id, N'database', p.permission_name + N' ON LOGIN::' + QUOTENAME(target.name), NULL, N'', N'',
    covering.permission_name, covering.way, target.principal_id, covering.target_permission,
    CASE WHEN p.state = 'W' THEN 1 ELSE 0 END
  FROM @rights_on_logins AS p
  JOIN @logins AS target ON target.login_id = p.target_id
  JOIN (VALUES
    (N'IMPERSONATE' COLLATE Latin1_General_BIN2, N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
    (N'CONTROL', N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
    (N'CONTROL', N'reset', N'ALTER', N'ALTER ANY LOGIN'),
    (N'ALTER', N'reset', N'ALTER', N'ALTER ANY LOGIN')
  ) AS covering (granted, way, target_permission, permission_name) ON covering.granted = p.permission_name
  LEFT JOIN @login_tokens AS t ON t.login_id = p.target_id AND t.holder_id = 3
  LEFT JOIN @login_rights AS r ON r.login_id = p.target_id AND r.permission_name = N'CONTROL SERVER'
  WHERE p.state <> 'D' AND target.type IN ('S', 'U', 'E') AND t.login_id IS NULL
    AND (covering.way = N'act' OR (target.type = 'S' AND r.may < 1));

-- From here to the server?
-- TRUSTWORTHY lifts the wall round a database whose owner has AUTHENTICATE SERVER, as sysadmin and CONTROL SERVER have:
-- who acts as its owner, or as any of its users, does so at the server too.
DECLARE @trusted_because nvarchar(600);
SELECT @trusted_because = N'; the database is TRUSTWORTHY, and its owner ' + QUOTENAME(l.name)
  + CASE WHEN t.holder_id = 3 THEN N' is sysadmin' ELSE N' may authenticate at the server' END
  + N': what runs there may act at the server as anybody it is here'
FROM @logins AS l
JOIN @login_rights AS r ON r.login_id = l.login_id AND r.permission_name = N'AUTHENTICATE SERVER' AND r.may = 1
LEFT JOIN @login_tokens AS t ON t.login_id = l.login_id AND t.holder_id = 3
WHERE @is_trustworthy = 1 AND l.principal_id IN (1, -1);

-- master and msdb are the server: msdb's jobs run as SQL Server's agent, a sysadmin. So whoever makes or alters dbo's
-- objects there is an administrator of the server, and so is whoever does that in a database whose objects reach theirs.
DECLARE @made_because nvarchar(600) = CASE
  WHEN DB_ID() = 4 THEN N'; what is written there runs as SQL Server''s agent, a sysadmin'
  WHEN DB_ID() = 1 THEN N'; whoever controls ' + @here + N' controls the server'
  ELSE N'; what is made there reaches the objects of ' + QUOTENAME(@chained_to)
    + N', which has the same owner (ownership chaining)'
END;

IF @trusted_because IS NOT NULL OR @made_because IS NOT NULL OR EXISTS (SELECT 1 FROM @product_roles)
BEGIN
  INSERT @powers
  SELECT holder_id, N'server',
    privilege + CASE WHEN DB_ID() IN (1, 4) OR @trusted_because IS NULL OR leads <> N'everything' THEN N' IN DATABASE::'
      ELSE N' IN TRUSTWORTHY DATABASE::' END + @here,
    N'full', N'',
    CASE WHEN DB_ID() IN (1, 4) OR @trusted_because IS NULL OR leads <> N'everything' THEN @made_because
      ELSE @trusted_because END,
    database_permission, NULL, NULL, NULL, 1
  FROM @powers
  WHERE (leads = N'everything' AND (@trusted_because IS NOT NULL OR @made_because IS NOT NULL))
    OR (leads = N'makes' AND @made_because IS NOT NULL)
    OR (leads = N'takes' AND DB_ID() = 4);

  -- The same by a right on a schema or an object of dbo's; in msdb also by writing the tables of the jobs, or all tables
  INSERT @powers
  SELECT p.grantee_id, N'server', p.permission_name + ISNULL(N' ON ' + s.name, N'') + N' IN DATABASE::' + @here,
    N'full', N'', @made_because,
    CASE WHEN p.permission_name IN (N'INSERT', N'UPDATE', N'DELETE') THEN p.permission_name
      WHEN p.permission_name = N'ALTER' THEN N'ALTER ANY SCHEMA' ELSE N'CONTROL' END, NULL, NULL, NULL, 1
  FROM @permissions AS p
  LEFT JOIN @securables AS s ON s.class = p.class AND s.major_id = p.major_id
  WHERE p.state IN ('G', 'W') AND p.grantee_id <> 1
    AND (
      (s.class IS NOT NULL AND p.permission_name IN (N'ALTER', N'CONTROL'))
      OR (s.holds_jobs = 1 AND p.permission_name IN (N'TAKE OWNERSHIP', N'INSERT', N'UPDATE', N'DELETE'))
      OR (DB_ID() = 4 AND p.class = 0 AND p.permission_name IN (N'INSERT', N'UPDATE', N'DELETE'))
    )
  UNION ALL
  SELECT r.principal_id, N'server', r.name + N' IN DATABASE::' + @here, N'full', N'', @made_because,
    written.permission_name, NULL, NULL, NULL, 1
  FROM @principals AS r
  CROSS JOIN (VALUES (N'INSERT'), (N'UPDATE'), (N'DELETE')) AS written (permission_name)
  WHERE DB_ID() = 4 AND r.principal_id = 16391; -- db_datawriter

  -- Who acts here as a user that is an administrator's login is that login at the server. No power of the user's own:
  -- in brackets, and no row (5.)
  INSERT @powers
  SELECT DISTINCT l.principal_id, N'server', N'(' + r.permission_name + N' as the login ' + QUOTENAME(l.name) + N')',
    N'full', N'', N'', NULL, NULL, NULL, NULL, 1
  FROM @logins AS l
  JOIN @login_rights AS r ON r.login_id = l.login_id
  WHERE @trusted_because IS NOT NULL AND l.principal_id > 2 AND r.may = 1
    AND r.permission_name IN (N'ALTER ANY DATABASE', N'ALTER ANY LOGIN', N'CONTROL SERVER', N'IMPERSONATE ANY LOGIN');

  -- Rights on those who have one of these
  INSERT @powers
  SELECT holder_id, N'server', privilege + N' IN DATABASE::' + @here, NULL, N'', N'', database_permission, way,
    target_id, target_permission, may_grant
  FROM @powers
  WHERE scope = N'database' AND target_id IS NOT NULL;
END;

-- 3. Who holds them
-- A principal, and every role it is in however deep, public too: they have no row for public, all are in it.
DECLARE @tokens TABLE (principal_id int NOT NULL, holder_id int NOT NULL, PRIMARY KEY (principal_id, holder_id));
-- INFORMATION_SCHEMA, sys
INSERT @tokens SELECT principal_id, principal_id FROM @principals WHERE is_fixed_role = 0
  AND principal_id NOT IN (3, 4);
SET @added = 1;
WHILE @added > 0
BEGIN
  INSERT @tokens
  SELECT DISTINCT t.principal_id, m.role_id
  FROM @tokens AS t
  JOIN @members AS m ON m.member_id = t.holder_id
  LEFT JOIN @tokens AS known ON known.principal_id = t.principal_id AND known.holder_id = m.role_id
  WHERE known.principal_id IS NULL;
  SET @added = @@ROWCOUNT;
END;
INSERT @tokens SELECT DISTINCT principal_id, 0 FROM @tokens WHERE principal_id > 1;

-- A DENY wins against every GRANT, through whichever role either comes, and denies what the permission covers. dbo
-- ignores it, and a sysadmin is dbo. DENY ALTER ANY DATABASE at the server covers ALTER here.
DECLARE @denied TABLE (
  principal_id int NOT NULL, permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, permission_name)
);
INSERT @denied
SELECT DISTINCT d.principal_id, a.permission_name
FROM (
  SELECT t.principal_id, p.permission_name
  FROM @tokens AS t
  JOIN @permissions AS p ON p.grantee_id = t.holder_id
  WHERE p.state = 'D' AND t.principal_id > 1
    AND (p.class = 0 OR (p.class = 3 AND p.major_id = 1 AND p.permission_name IN (N'INSERT', N'UPDATE', N'DELETE')))
  UNION ALL
  SELECT t.principal_id, written.permission_name
  FROM @tokens AS t
  CROSS JOIN (VALUES (N'INSERT' COLLATE Latin1_General_BIN2), (N'UPDATE'), (N'DELETE')) AS written (permission_name)
  WHERE t.holder_id = 16393 -- db_denydatawriter
  UNION ALL
  SELECT l.principal_id, N'ALTER'
  FROM @logins AS l
  JOIN @login_rights AS r ON r.login_id = l.login_id
  WHERE r.permission_name = N'ALTER ANY DATABASE' AND r.may = -1 AND l.principal_id > 1
) AS d
JOIN (SELECT DISTINCT database_permission AS permission_name FROM @powers) AS a
  ON d.permission_name IN (a.permission_name, N'CONTROL')
  OR (d.permission_name = N'ALTER' AND (a.permission_name LIKE N'ALTER ANY %' OR a.permission_name = N'CREATE USER'))
  OR (d.permission_name = N'ALTER ANY USER' AND a.permission_name = N'CREATE USER')
LEFT JOIN @logins AS l ON l.principal_id = d.principal_id
LEFT JOIN @login_tokens AS sysadmin ON sysadmin.login_id = l.login_id AND sysadmin.holder_id = 3
WHERE sysadmin.login_id IS NULL AND a.permission_name IS NOT NULL
UNION
SELECT l.principal_id, r.permission_name
FROM @logins AS l
JOIN @login_rights AS r ON r.login_id = l.login_id
WHERE l.principal_id < -1 AND r.permission_name IN (N'IMPERSONATE ANY LOGIN', N'ALTER ANY LOGIN') AND r.may = -1;

DECLARE @denied_on TABLE (
  principal_id int NOT NULL, target_id int NOT NULL, permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, target_id, permission_name)
);
INSERT @denied_on
SELECT d.principal_id, d.target_id, covered.permission_name
FROM (
  SELECT t.principal_id, p.major_id AS target_id, p.permission_name
  FROM @tokens AS t
  JOIN @permissions AS p ON p.grantee_id = t.holder_id
  WHERE p.class = 4 AND p.state = 'D' AND t.principal_id > 1
  UNION ALL
  SELECT actor.principal_id, target.principal_id, r.permission_name
  FROM @logins AS actor
  JOIN @login_tokens AS t ON t.login_id = actor.login_id
  JOIN @rights_on_logins AS r ON r.grantee_id = t.holder_id
  JOIN @logins AS target ON target.login_id = r.target_id
  WHERE r.state = 'D' AND actor.principal_id < -1
) AS d
JOIN (VALUES (N'IMPERSONATE' COLLATE Latin1_General_BIN2), (N'ALTER'), (N'CONTROL'), (N'TAKE OWNERSHIP'))
  AS covered (permission_name) ON d.permission_name IN (covered.permission_name, N'CONTROL')
GROUP BY d.principal_id, d.target_id, covered.permission_name;

DECLARE @usable TABLE (principal_id int NOT NULL, power_id int NOT NULL, PRIMARY KEY (principal_id, power_id));
INSERT @usable
SELECT t.principal_id, w.power_id
FROM @tokens AS t
JOIN @powers AS w ON w.holder_id = t.holder_id
JOIN @principals AS p ON p.principal_id = t.principal_id
LEFT JOIN @denied AS d ON d.principal_id = t.principal_id AND d.permission_name = w.database_permission
LEFT JOIN @denied_on AS o ON o.principal_id = t.principal_id AND o.target_id = w.target_id
  AND o.permission_name = w.target_permission
WHERE d.principal_id IS NULL AND o.principal_id IS NULL
  -- a role does not log in: what public holds is its members' anyway
  AND (p.type <> 'R' OR t.holder_id <> 0 OR t.principal_id = 0);

-- 4. Who is an administrator, or may make itself one
-- A way may be found twice: to a part first, and in a later round to everything.
DECLARE @ways TABLE (principal_id int NOT NULL, power_id int NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL, PRIMARY KEY (principal_id, power_id, extent));
INSERT @ways
SELECT u.principal_id, u.power_id, w.extent
FROM @usable AS u
JOIN @powers AS w ON w.power_id = u.power_id
WHERE w.target_id IS NULL;

DECLARE @targets int = CASE WHEN EXISTS (SELECT 1 FROM @powers WHERE target_id IS NOT NULL) THEN 1 ELSE 0 END;
SET @added = @targets;
WHILE @added > 0
BEGIN
  INSERT @ways
  SELECT DISTINCT u.principal_id, u.power_id, its.extent
  FROM @usable AS u
  JOIN @powers AS w ON w.power_id = u.power_id
  JOIN @ways AS its ON its.principal_id = w.target_id
  JOIN @powers AS its_power ON its_power.power_id = its.power_id AND its_power.scope = w.scope
  LEFT JOIN @denied AS d ON d.principal_id = u.principal_id AND d.permission_name = its_power.database_permission
  LEFT JOIN @ways AS known ON known.principal_id = u.principal_id AND known.power_id = u.power_id
    AND known.extent = its.extent
  WHERE known.principal_id IS NULL
    AND u.principal_id <> w.target_id
    AND (w.way <> N'join' OR d.principal_id IS NULL); -- the joiner's own DENYs go on
  SET @added = @@ROWCOUNT;
END;

-- Who may pass it on: by the power itself, or by being able to become somebody who may.
DECLARE @granters TABLE (principal_id int NOT NULL, scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, scope));
INSERT @granters SELECT DISTINCT reached.principal_id, w.scope FROM @ways AS reached JOIN @powers AS w
  ON w.power_id = reached.power_id WHERE w.may_grant = 1;
SET @added = @targets;
WHILE @added > 0
BEGIN
  INSERT @granters
  SELECT DISTINCT reached.principal_id, w.scope
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  JOIN @granters AS g ON g.principal_id = w.target_id AND g.scope = w.scope
  LEFT JOIN @granters AS known ON known.principal_id = reached.principal_id AND known.scope = w.scope
  WHERE known.principal_id IS NULL;
  SET @added = @@ROWCOUNT;
END;

-- 5. The rows
-- One row for each principal, scope and holder (itself or a role) that it has its powers by. 'full' sorts before 'part'.
DECLARE @lists TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL, scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL, may_grant int NOT NULL,
  privileges nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  reasons nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, holder_id, scope)
);
INSERT @lists
SELECT reached.principal_id, w.holder_id, w.scope, MIN(reached.extent),
  MAX(CASE WHEN w.may_grant = 1 OR g.principal_id IS NOT NULL THEN 1 ELSE 0 END), N'', N''
FROM @ways AS reached
JOIN @powers AS w ON w.power_id = reached.power_id
LEFT JOIN @granters AS g ON g.principal_id = w.target_id AND g.scope = w.scope
WHERE w.privilege NOT LIKE N'(%'
GROUP BY reached.principal_id, w.holder_id, w.scope;

-- What makes somebody an administrator whom another may become
DECLARE @target_has TABLE (
  principal_id int NOT NULL, scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL, n int NOT NULL,
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, scope, n)
);
IF @targets > 0
  INSERT @target_has
  SELECT one.principal_id, one.scope,
    ROW_NUMBER() OVER (PARTITION BY one.principal_id, one.scope ORDER BY one.privilege), one.privilege
  FROM (
    SELECT DISTINCT reached.principal_id, w.scope, w.privilege
    FROM @ways AS reached
    JOIN @powers AS w ON w.power_id = reached.power_id
    WHERE reached.principal_id IN (SELECT target_id FROM @powers WHERE target_id IS NOT NULL)
  ) AS one;

-- The texts of a row are put together piece by piece: 2012 has no STRING_AGG, and FOR XML refuses control characters,
-- which names may hold.
DECLARE @pieces TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL, scope nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL,
  column_name nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL, n int NOT NULL,
  piece nvarchar(1000) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, holder_id, scope, column_name, n)
);
INSERT @pieces
SELECT one.principal_id, one.holder_id, one.scope, one.column_name,
  ROW_NUMBER() OVER (PARTITION BY one.principal_id, one.holder_id, one.scope, one.column_name
    ORDER BY one.about, one.place),
  one.piece
FROM (
  SELECT DISTINCT reached.principal_id, w.holder_id, w.scope, N'privileges' AS column_name, w.privilege AS about,
    0 AS place, N'; ' + w.privilege AS piece
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  WHERE w.privilege NOT LIKE N'(%'
  UNION ALL
  SELECT DISTINCT reached.principal_id, w.holder_id, w.scope, N'reasons', N'', 0, w.reason
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  WHERE w.reason <> N''
  UNION ALL
  SELECT DISTINCT reached.principal_id, w.holder_id, w.scope, N'reasons', w.way + target.name, t.n,
    CASE WHEN t.n > 1 THEN N', '
      ELSE CASE WHEN w.way = N'act' THEN N'; may act as ' WHEN w.way = N'reset' OR target.type = 'A'
        THEN N'; may set the password of ' ELSE N'; may add itself to ' END + QUOTENAME(target.name) + N', which has '
      END + t.privilege
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  JOIN @principals AS target ON target.principal_id = w.target_id
  JOIN @target_has AS t ON t.principal_id = w.target_id AND t.scope = w.scope
) AS one;

SET @added = 1;
SET @step = 1;
WHILE @added > 0
BEGIN
  UPDATE l
  SET privileges = l.privileges + ISNULL(a.piece, N''), reasons = l.reasons + ISNULL(b.piece, N'')
  FROM @lists AS l
  LEFT JOIN @pieces AS a ON a.principal_id = l.principal_id AND a.holder_id = l.holder_id AND a.scope = l.scope
    AND a.column_name = N'privileges' AND a.n = @step
  LEFT JOIN @pieces AS b ON b.principal_id = l.principal_id AND b.holder_id = l.holder_id AND b.scope = l.scope
    AND b.column_name = N'reasons' AND b.n = @step
  WHERE a.n IS NOT NULL OR b.n IS NOT NULL;
  SET @added = @@ROWCOUNT;
  SET @step += 1;
END;

-- Every chain of roles from an administrator outwards
DECLARE @chains TABLE (principal_id int NOT NULL, holder_id int NOT NULL, step int NOT NULL,
  chain nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
INSERT @chains SELECT DISTINCT principal_id, principal_id, 0, N'' FROM @lists;
SET @added = 1;
SET @step = 0;
WHILE @added > 0
BEGIN
  INSERT @chains
  SELECT c.principal_id, m.role_id, @step + 1, CASE WHEN @step = 0 THEN N'' ELSE c.chain + N' > ' END + r.name
  FROM @chains AS c
  JOIN @members AS m ON m.member_id = c.holder_id
  JOIN @principals AS r ON r.principal_id = m.role_id
  WHERE c.step = @step;
  SET @added = @@ROWCOUNT;
  SET @step += 1;
END;
INSERT @chains SELECT DISTINCT principal_id, 0, 1, N'public' FROM @lists WHERE principal_id > 0;

-- CONNECT: its own, by a role, by CONTROL, which covers it, or by CONNECT ANY DATABASE; a DENY shuts out all but dbo.
DECLARE @enters TABLE (principal_id int NOT NULL PRIMARY KEY, is_granted int NOT NULL, is_denied int NOT NULL);
INSERT @enters
SELECT
  t.principal_id,
  MAX(CASE WHEN p.state IN ('G', 'W') OR t.holder_id IN (16384, 16385) OR t.principal_id <= 1 THEN 1 ELSE 0 END),
  MAX(CASE WHEN p.state = 'D' AND t.principal_id > 1 THEN 1 ELSE 0 END)
FROM @tokens AS t
LEFT JOIN (
  SELECT grantee_id, state FROM @permissions WHERE class = 0 AND permission_name IN (N'CONNECT', N'CONTROL')
) AS p ON p.grantee_id = t.holder_id
GROUP BY t.principal_id;

DECLARE @guest_enters int = ISNULL((SELECT is_granted - is_denied FROM @enters WHERE principal_id = 2), 0);
DECLARE @windows_only int = CAST(SERVERPROPERTY('IsIntegratedSecurityOnly') AS int);
DECLARE @is_rds int = CASE WHEN DB_ID(N'rdsadmin') IS NULL THEN 0 ELSE 1 END;

DECLARE @server_administrators TABLE (sid varbinary(85) NOT NULL PRIMARY KEY);
IF OBJECT_ID(N'tempdb..#server_administrators') IS NOT NULL
  INSERT @server_administrators SELECT sid FROM #server_administrators;

SELECT
  N'incomplete' AS result, N'database:' + DB_NAME() AS scope, N'' AS principal, N'' AS extent, N'' AS enabled,
  N'' AS privileges, N'' AS granted_through, N'' AS can_grant, N'' AS owner, N'' AS principal_type,
  N'' AS authentication, N'' AS created_at, N'' AS password_changed_at,
  REPLACE(REPLACE(detail, NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @unseen;

-- Who each of them is, and what keeps it from logging in as things stand: '' nothing, NULL that it is a role
DECLARE @persons TABLE (
  principal_id int NOT NULL PRIMARY KEY,
  login_name nvarchar(128) COLLATE Latin1_General_BIN2 NULL,
  identity_in_words nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  obstacle nvarchar(400) COLLATE Latin1_General_BIN2 NULL,
  owner nvarchar(20) COLLATE Latin1_General_BIN2 NOT NULL -- as in mssql-server-administrators.sql
);
INSERT @persons
SELECT
  p.principal_id,
  l.name,
  CASE
    WHEN p.type = '?' THEN N'; hidden from this login: whether it is a user, and whether it can log in, is not known'
    WHEN p.principal_id = 1 THEN N'; the owner of the database, dbo in it'
      + CASE WHEN l.name IS NULL
          THEN N': ' + COALESCE(QUOTENAME(SUSER_SNAME(p.sid)) + N', which has no login of its own',
            N'a login that is gone (sid ' + CONVERT(nvarchar(200), p.sid, 1) + N')')
          ELSE N''
        END
      + CASE WHEN @owner_sid <> @dbo_sid
          THEN N'; sys.databases names another owner: '
            + COALESCE(QUOTENAME(SUSER_SNAME(@owner_sid)), N'a login that is gone (sid '
            + CONVERT(nvarchar(200), @owner_sid, 1) + N')')
          ELSE N''
        END
    WHEN p.principal_id = -1
      THEN N'; the owner of the database by sys.databases, not by the database itself, as after a restore'
    WHEN p.principal_id = 0 THEN N'; every user of the database is in it' + CASE WHEN @guest_enters = 1
      THEN N', and by guest every login' ELSE N'' END
    WHEN p.principal_id = 2 THEN CASE WHEN @guest_enters = 1
      THEN N'; every login that is no user of the database comes in as guest' ELSE N'; nobody comes in as guest' END
    WHEN l.name <> p.name THEN N'; the user ' + QUOTENAME(p.name) + N' is the login ' + QUOTENAME(l.name)
    WHEN l.name IS NOT NULL OR p.type NOT IN ('S', 'U', 'G', 'E', 'X') THEN N''
    WHEN p.authentication_type = 2 THEN N'; a contained user: logs in to this database with a password of its own'
    WHEN p.type IN ('G', 'X') THEN N'; has no login of its own'
    WHEN p.type <> 'S' THEN N'; has no login of its own: may come in through a group'
    WHEN p.authentication_type = 0 THEN N''
    ELSE ISNULL(N'; the login ' + QUOTENAME(SUSER_SNAME(p.sid)) + N', whose state is hidden', N'')
  END + CASE WHEN p.type IN ('G', 'X') THEN N'; its members are kept in the directory, not in the server' ELSE N'' END,
  CASE
    WHEN p.type = 'R' THEN NULL
    WHEN p.type = '?' THEN N''
    WHEN p.type = 'A' THEN N'; cannot log in: a session that knows its password becomes it'
    WHEN p.type IN ('C', 'K') OR l.type IN ('C', 'K')
      THEN N'; cannot log in: modules signed with its key have its power'
    WHEN l.is_disabled = 1 THEN N'; its login is disabled'
    WHEN CAST(LOGINPROPERTY(l.name, 'IsLocked') AS int) = 1 THEN N'; its login is locked out'
    WHEN l.type = 'S' AND @windows_only = 1 THEN N'; the server takes Windows logins alone'
    WHEN entrance.may < 1 THEN N'; its login may not connect to the server'
    WHEN e.is_denied = 1 THEN N'; denied to connect to the database'
    WHEN e.is_granted = 0 AND ISNULL(entry.may, 0) < 1 THEN N'; may not connect to the database'
    WHEN l.name IS NOT NULL OR p.principal_id = 2 THEN N''
    WHEN p.authentication_type = 2 THEN CASE WHEN @contained_logins = 1 AND @is_contained > 0 THEN N''
      ELSE N'; the server does not let contained users in (contained database authentication is 0)' END
    WHEN p.type IN ('U', 'G', 'E', 'X') THEN CASE WHEN @groups > 0 OR (@contained_logins = 1 AND @is_contained > 0)
      THEN N'' ELSE N'; the server has no login for a group' END
    WHEN p.authentication_type = 0 THEN N'; a user without login: can only be impersonated'
    WHEN SUSER_SNAME(p.sid) IS NULL THEN CASE p.principal_id WHEN 1 THEN N'; nobody can log in as it'
      ELSE N'; orphaned: no login has its sid (' + CONVERT(nvarchar(200), p.sid, 1) + N')' END
    ELSE N''
  END,
  CASE
    WHEN @is_rds = 1 AND ((l.type = 'S' AND (l.name = N'rdsa' OR p.sid = 0x01)) OR windows.account <> N'')
      THEN N'Amazon RDS'
    WHEN windows.account = N'service' THEN N'SQL Server'
    WHEN windows.account = N'administrators' THEN N'' -- its members are the company's people
    WHEN windows.account <> N'' THEN N'Windows'
    WHEN p.type IN ('C', 'K') AND p.name LIKE N'##MS[_]%##' THEN N'SQL Server'
    WHEN l.type = 'S' AND l.is_disabled = 1
      AND l.name IN (N'##MS_PolicyEventProcessingLogin##', N'##MS_PolicyTsqlExecutionLogin##') THEN N'SQL Server'
    WHEN DB_ID() = 4 AND p.type = 'S' AND p.authentication_type = 0 AND p.name = N'MS_DataCollectorInternalUser'
      THEN N'SQL Server'
    ELSE N''
  END
FROM @principals AS p
LEFT JOIN @enters AS e ON e.principal_id = p.principal_id
LEFT JOIN @logins AS l ON l.principal_id = p.principal_id
LEFT JOIN @login_rights AS entrance ON entrance.login_id = l.login_id AND entrance.permission_name = N'CONNECT SQL'
LEFT JOIN @login_rights AS entry ON entry.login_id = l.login_id AND entry.permission_name = N'CONNECT ANY DATABASE'
CROSS APPLY (SELECT UPPER(ISNULL(l.name, p.name)) AS name, ISNULL(l.type, p.type) AS type) AS known
-- Windows's own names are translated, its sids are not: S-1-5-18 to -20, S-1-5-32-544, S-1-5-80-... for services.
CROSS APPLY (
  SELECT CASE
    WHEN known.type NOT IN ('U', 'G') THEN N''
    WHEN p.sid IN (0x010100000000000512000000, 0x010100000000000513000000, 0x010100000000000514000000)
      OR known.name IN (N'NT AUTHORITY\SYSTEM', N'NT AUTHORITY\LOCAL SERVICE', N'NT AUTHORITY\NETWORK SERVICE')
      THEN N'system'
    WHEN p.sid = 0x01020000000000052000000020020000 OR known.name = N'BUILTIN\ADMINISTRATORS' THEN N'administrators'
    WHEN SUBSTRING(p.sid, 1, 12) <> 0x010600000000000550000000 AND known.name NOT LIKE N'NT SERVICE\%' THEN N''
    WHEN known.name LIKE N'%\WINMGMT' THEN N'instrumentation'
    WHEN known.name LIKE N'%\MSSQLSERVER' OR known.name LIKE N'%\MSSQL$%' OR known.name LIKE N'%\SQLSERVERAGENT'
      OR known.name LIKE N'%\SQLAGENT$%' OR known.name LIKE N'%\SQLWRITER' OR known.name LIKE N'%\SQLTELEMETRY%'
      THEN N'service'
    ELSE N''
  END AS account
) AS windows
WHERE p.principal_id IN (SELECT principal_id FROM @lists);

-- Where a login is known it is named: for the server, and as the owner, whom nobody knows as dbo.
SELECT
  N'admin' AS result,
  CASE l.scope WHEN N'server' THEN N'server' ELSE N'database:' + DB_NAME() COLLATE Latin1_General_BIN2 END AS scope,
  CASE
    WHEN p.principal_id = 1 THEN COALESCE(who.login_name, SUSER_SNAME(p.sid), p.name)
    WHEN l.scope = N'server' THEN ISNULL(who.login_name, p.name)
    ELSE p.name
  END AS principal,
  l.extent,
  CASE who.obstacle WHEN N'' THEN N'yes' ELSE N'no' END AS enabled,
  STUFF(l.privileges, 1, 2, N'') AS privileges,
  c.chain AS granted_through,
  CASE l.may_grant WHEN 1 THEN N'yes' ELSE N'no' END AS can_grant,
  who.owner,
  CASE WHEN p.principal_id < 0 OR (who.login_name IS NOT NULL AND (l.scope = N'server' OR p.principal_id = 1))
    THEN word.as_login ELSE word.as_user END AS principal_type,
  CASE
    WHEN p.type IN ('S', 'U', 'G', 'E', 'X') AND p.authentication_type = 0 THEN N'none'
    WHEN p.authentication_type = 2 THEN N'contained password'
    ELSE word.authentication
  END AS authentication,
  CASE WHEN l.scope = N'server' OR p.principal_id = 1 THEN N''
    ELSE ISNULL(CONVERT(nvarchar(19), utc.created_at, 126) + N'Z', N'') END AS created_at,
  N'' AS password_changed_at,
  REPLACE(REPLACE(ISNULL(STUFF(
    who.identity_in_words + ISNULL(who.obstacle, N'') + l.reasons
    + CASE WHEN @is_rds = 1 AND DB_NAME() = N'rdsadmin' THEN N'; a database of Amazon RDS itself' ELSE N'' END,
    1, 2, N''), N''), NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @lists AS l
JOIN @chains AS c ON c.principal_id = l.principal_id AND c.holder_id = l.holder_id
JOIN @principals AS p ON p.principal_id = l.principal_id
JOIN @persons AS who ON who.principal_id = l.principal_id
LEFT JOIN @logins AS its ON its.principal_id = l.principal_id
JOIN (VALUES
  ('S' COLLATE Latin1_General_BIN2, N'sql login', N'database user', N'sql'),
  ('U', N'windows login', N'windows user', N'windows'),
  ('G', N'windows group', N'windows group', N'windows'),
  ('E', N'external login', N'external user', N'external'),
  ('X', N'external group', N'external group', N'external'),
  ('C', N'certificate login', N'certificate user', N'certificate'),
  ('K', N'asymmetric key login', N'asymmetric key user', N'asymmetric key'),
  ('A', N'', N'application role', N''),
  ('R', N'role', N'role', N''),
  ('?', N'', N'', N'')
) AS word (type, as_login, as_user, authentication) ON word.type = ISNULL(its.type, p.type)
LEFT JOIN @utc AS utc ON utc.principal_id = p.principal_id
-- guest is shut: what public holds is no power of it
WHERE NOT (p.principal_id = 2 AND c.holder_id = 0 AND @guest_enters < 1)
  -- an owner who is an administrator of the whole server: its row there says of how many databases
  AND NOT (p.principal_id IN (1, -1) AND p.sid IN (SELECT sid FROM @server_administrators))
  -- at the server a role of the database is no principal
  AND NOT (l.scope = N'server' AND p.type = 'R')
  -- a sysadmin needs nobody
  AND NOT (p.principal_id < -1 AND EXISTS (SELECT 1 FROM @login_tokens AS t WHERE t.holder_id = 3
    AND t.login_id = its.login_id))
  AND p.principal_id NOT IN (SELECT role_id FROM @product_roles)
ORDER BY scope, principal, granted_through;
