-- Who administers a SQL Server: one row per principal and chain of roles. Before them stands one row of the result
-- `incomplete` for each thing that this login was not shown.
-- Versions: 2012 to 2025, Amazon RDS. Run it once, in any database, before mssql-database-administrators.sql.
-- Needs: VIEW ANY DEFINITION. Without it SQL Server filters its catalog and gives no error, so the query asks for its
-- own permission first (HAS_PERMS_BY_NAME), and then looks for ids that SQL Server knows and does not show.
-- An administrator holds a power (2.), itself or by a role, that no DENY takes away (3.), or may make itself one who
-- does (4.).
-- No rows: the fixed roles themselves (they are powers, in every server); rights that only observe.
-- Cannot see: who is in a Windows or Entra group; what a linked server, a startup procedure, an Agent job or a signed
-- module lets its users do. The ways through a database are in mssql-database-administrators.sql.
-- Leaves #server_administrators in the session, for that file: whoever holds everything needs no row for each database
-- that it owns.
-- https://learn.microsoft.com/sql/relational-databases/security/authentication-access/server-level-roles
-- https://learn.microsoft.com/sql/relational-databases/security/permissions-database-engine
SET NOCOUNT ON;

-- 1. The catalog, read once
-- Names get one collation here: SQL Server's own columns have several, and refuse to be compared. Principals are
-- matched by id and sid, never by name: a login may be called db_owner, and names that differ in case only may be two.

DECLARE @principals TABLE (
  principal_id int NOT NULL PRIMARY KEY,
  name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  -- S sql, U windows, G windows group, E X external, C certificate, K key, R role, ? hidden
  type char(1) COLLATE Latin1_General_BIN2 NOT NULL,
  sid varbinary(85) NULL,
  is_disabled int NOT NULL,
  is_fixed_role int NOT NULL, -- 0 for public
  owner_id int NULL
);
DECLARE @members TABLE (member_id int NOT NULL, role_id int NOT NULL, PRIMARY KEY (member_id, role_id));
DECLARE @permissions TABLE (
  class int NOT NULL, -- 100 the server, 101 a login or a role; the same type code means another thing in another class
  major_id int NOT NULL,
  grantee_id int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  state char(1) COLLATE Latin1_General_BIN2 NOT NULL, -- G granted, W granted with grant option, D denied
  permission_id int IDENTITY(1, 1) NOT NULL,
  UNIQUE CLUSTERED (grantee_id, permission_id)
);
DECLARE @databases TABLE (
  database_id int NOT NULL PRIMARY KEY,
  name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  owner_sid varbinary(85) NULL
);
DECLARE @linked TABLE (n int NOT NULL PRIMARY KEY, name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  logins int NOT NULL);
DECLARE @utc TABLE (principal_id int NOT NULL PRIMARY KEY, created_at datetime NULL, password_changed_at datetime NULL);
DECLARE @unseen TABLE (detail nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
DECLARE @added int, @step int;
DECLARE @me nvarchar(300) = QUOTENAME(SUSER_SNAME());
DECLARE @major int = CAST(LEFT(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), 2) AS int);
DECLARE @is_rds int = CASE WHEN DB_ID(N'rdsadmin') IS NULL THEN 0 ELSE 1 END;

-- One refused view (Amazon RDS refuses some) costs what it holds, not the report.
BEGIN TRY
  INSERT @principals
  SELECT
    principal_id, name, type, sid, ISNULL(CAST(is_disabled AS int), 0), CAST(is_fixed_role AS int), owning_principal_id
  FROM sys.server_principals;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.server_principals cannot be read: ' + ERROR_MESSAGE());
END CATCH;

BEGIN TRY
  -- sa, whatever its name
  INSERT @members SELECT member_principal_id, role_principal_id FROM sys.server_role_members UNION SELECT 1, 3;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.server_role_members cannot be read: ' + ERROR_MESSAGE());
END CATCH;

BEGIN TRY
  INSERT @permissions
  SELECT class, major_id, grantee_principal_id, permission_name, state
  FROM sys.server_permissions
  WHERE class IN (100, 101) AND state IN ('G', 'W', 'D');
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.server_permissions cannot be read: ' + ERROR_MESSAGE());
END CATCH;

BEGIN TRY
  INSERT @databases SELECT database_id, name, owner_sid FROM sys.databases;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.databases cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- The servers that somebody reaches under a log-in that is stored here.
BEGIN TRY
  INSERT @linked
  SELECT ROW_NUMBER() OVER (ORDER BY s.name), s.name, COUNT(*)
  FROM sys.linked_logins AS l
  JOIN sys.servers AS s ON s.server_id = l.server_id
  WHERE s.is_linked = 1 AND l.uses_self_credential = 0 AND l.remote_name IS NOT NULL
  GROUP BY s.name;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.linked_logins cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- A contained availability group (2022) has a master and a msdb of its own, with logins that only a session through its
-- listener sees. Earlier versions lack the columns, hence a text.
BEGIN TRY
  DECLARE @contained_groups nvarchar(max) = N'
    SELECT N''The contained availability group '' + QUOTENAME(name)
      + N'' has logins of its own, which only its listener shows: put its listener into the inventory''
    FROM sys.availability_groups
    WHERE is_contained = 1'
    + CASE WHEN COL_LENGTH('sys.dm_exec_sessions', 'contained_availability_group_id') IS NULL THEN N'' ELSE N'
      AND group_id NOT IN (
        SELECT contained_availability_group_id
        FROM sys.dm_exec_sessions
        WHERE session_id = @@SPID AND contained_availability_group_id IS NOT NULL
      )' END;
  IF @major >= 16 INSERT @unseen EXEC sys.sp_executesql @contained_groups;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'sys.availability_groups cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- The catalog has the server's local time. From 2022 the server tells its time zone, and with it whether it was summer
-- then. Earlier versions refuse the syntax, hence a text.
BEGIN TRY
  IF @major >= 16
    INSERT @utc EXEC sys.sp_executesql N'
      SELECT
        principal_id,
        CAST(create_date AT TIME ZONE CURRENT_TIMEZONE_ID() AT TIME ZONE ''UTC'' AS datetime),
        CAST(
          CAST(LOGINPROPERTY(name, ''PasswordLastSetTime'') AS datetime) AT TIME ZONE CURRENT_TIMEZONE_ID()
            AT TIME ZONE ''UTC''
          AS datetime)
      FROM sys.server_principals';
END TRY
BEGIN CATCH
  IF ERROR_NUMBER() <> 9820 -- a zone whose name AT TIME ZONE does not know
    INSERT @unseen VALUES (N'The times of the logins may be an hour out: ' + ERROR_MESSAGE());
END CATCH;

-- Otherwise today's offset is applied: where the zone has summer time, a time of the other half of the year is an hour
-- out. Both ends of the difference are one reading of the clock.
DECLARE @now datetimeoffset = SYSDATETIMEOFFSET();
DECLARE @offset int = DATEDIFF(minute, CAST(SWITCHOFFSET(@now, '+00:00') AS datetime2), CAST(@now AS datetime2));
BEGIN TRY
  IF NOT EXISTS (SELECT 1 FROM @utc)
    INSERT @utc
    SELECT principal_id, DATEADD(minute, -@offset, create_date),
      DATEADD(minute, -@offset, CAST(LOGINPROPERTY(name, 'PasswordLastSetTime') AS datetime))
    FROM sys.server_principals;
END TRY
BEGIN CATCH
  INSERT @unseen VALUES (N'The times of the logins cannot be read: ' + ERROR_MESSAGE());
END CATCH;

-- What this login was not shown

DECLARE @sees_all int = CASE
  WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DEFINITION') = 1 THEN 1
  WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY SECURITY DEFINITION') = 1 THEN 1 -- NULL before 2022
  ELSE 0
END;

-- My own token: a DENY that blinds this login is among its own permissions, which everybody sees.
DECLARE @mine TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @mine SELECT principal_id FROM @principals WHERE principal_id IN (2, SUSER_ID());
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

DECLARE @needed TABLE (permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY);
IF @sees_all = 0
BEGIN
  INSERT @unseen VALUES (N'The login ' + @me
    + N' is not shown every login, role and permission: GRANT VIEW ANY DEFINITION TO ' + @me + N';');
  INSERT @needed VALUES (N'VIEW ANY DEFINITION'), (N'VIEW ANY SECURITY DEFINITION'), (N'CONTROL SERVER');
END;

IF ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DATABASE'), 0) = 0
  AND ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY DATABASE'), 0) = 0
BEGIN
  INSERT @unseen VALUES (N'The login ' + @me + N' is not shown every database: GRANT VIEW ANY DATABASE TO ' + @me
    + N';');
  INSERT @needed VALUES (N'VIEW ANY DATABASE');
END;

INSERT @unseen
SELECT N'A DENY is stronger than any GRANT: REVOKE ' + d.permission_name + N' FROM ' + QUOTENAME(p.name) + N';'
FROM @permissions AS d
JOIN @mine AS mine ON mine.principal_id = d.grantee_id
JOIN @principals AS p ON p.principal_id = d.grantee_id
JOIN @needed AS n ON n.permission_name = d.permission_name
WHERE d.class = 100 AND d.state = 'D';

-- Ids are given in order, and SUSER_NAME answers to everybody: from 0 to a good way above the highest that is shown, an
-- id that it knows and that has no row is somebody hidden, and so is one that another row mentions.
DECLARE @ids TABLE (id int NOT NULL PRIMARY KEY);
DECLARE @highest int = (SELECT MAX(principal_id) FROM @principals) + 1000;
INSERT @ids VALUES (0);
SET @step = 1;
WHILE @step <= @highest
BEGIN
  INSERT @ids SELECT id + @step FROM @ids WHERE id + @step <= @highest;
  SET @step *= 2;
END;

DECLARE @hidden TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @hidden
SELECT mentioned.principal_id
FROM (
  SELECT member_id AS principal_id FROM @members
  UNION SELECT role_id FROM @members
  UNION SELECT grantee_id FROM @permissions
  UNION SELECT major_id FROM @permissions WHERE class = 101
  UNION SELECT owner_id FROM @principals WHERE owner_id IS NOT NULL
  UNION SELECT id FROM @ids WHERE SUSER_NAME(id) IS NOT NULL
) AS mentioned
LEFT JOIN @principals AS p ON p.principal_id = mentioned.principal_id
WHERE p.principal_id IS NULL;

IF @sees_all = 1
  INSERT @unseen
  SELECT
    N'The login or role ' + ISNULL(QUOTENAME(SUSER_NAME(principal_id)), N'with the id '
      + CAST(principal_id AS nvarchar(11))) + N' is hidden from ' + @me
    + N', what it holds is not shown: REVOKE VIEW DEFINITION ON LOGIN::'
      + ISNULL(QUOTENAME(SUSER_NAME(principal_id)), N'...') + N' FROM ' + @me
    + N'; (or ON SERVER ROLE::, or FROM the role that the DENY was given to)'
  FROM @hidden;

-- A hidden member of a role gets its row all the same.
INSERT @principals
SELECT principal_id, ISNULL(SUSER_NAME(principal_id), N'principal_id ' + CAST(principal_id AS nvarchar(11))), '?', NULL,
  0, 0, NULL
FROM @hidden;

-- 2. The powers
-- A permission that administers the server (full) or a part of it, and the one that covers it beside CONTROL SERVER,
-- which covers all: a DENY of either denies it. full: whoever has it has everything, or can give itself everything.
-- VIEW ..., CONNECT ANY DATABASE and SELECT ALL USER SECURABLES administer nothing and are not here.
DECLARE @administering TABLE (
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL,
  covered_by nvarchar(128) COLLATE Latin1_General_BIN2 NULL
);
INSERT @administering VALUES
  (N'CONTROL SERVER', N'full', NULL),                         -- everything; may act as any sysadmin
  (N'IMPERSONATE ANY LOGIN', N'full', NULL),                  -- the same by another name
  (N'ALTER ANY LOGIN', N'full', NULL),                        -- sets the passwords of nearly all who are administrators
  (N'ALTER ANY DATABASE', N'full', NULL),                     -- msdb's too, whose jobs run as SQL Server's agent
  (N'UNSAFE ASSEMBLY', N'full', NULL),                        -- code inside the server's process
  (N'EXTERNAL ACCESS ASSEMBLY', N'full', N'UNSAFE ASSEMBLY'), -- the same: no wall is left between the two
  (N'ADMINISTER BULK OPERATIONS', N'part', NULL),
  (N'ALTER ANY SERVER ROLE', N'part', NULL),                  -- adds itself to any role that is not fixed: see below
  (N'ALTER RESOURCES', N'part', NULL),
  (N'ALTER SERVER STATE', N'part', NULL),
  (N'ALTER SETTINGS', N'part', NULL),
  (N'ALTER TRACE', N'part', NULL),
  (N'AUTHENTICATE SERVER', N'part', NULL),
  (N'CREATE ANY DATABASE', N'part', N'ALTER ANY DATABASE'),
  (N'CREATE ANY EVENT SESSION', N'part', N'ALTER ANY EVENT SESSION'),
  (N'CREATE AVAILABILITY GROUP', N'part', N'ALTER ANY AVAILABILITY GROUP'),
  (N'CREATE ENDPOINT', N'part', N'ALTER ANY ENDPOINT'),
  (N'CREATE LOGIN', N'part', N'ALTER ANY LOGIN'),
  (N'CREATE SERVER ROLE', N'part', N'ALTER ANY SERVER ROLE'),
  (N'DROP ANY EVENT SESSION', N'part', N'ALTER ANY EVENT SESSION'),
  (N'SHUTDOWN', N'part', NULL);

-- What the fixed roles may do, which no catalog view tells: the page named above does. A role works while one of these
-- is not denied, and goes as far as they go.
DECLARE @fixed_roles TABLE (
  role_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (role_name, permission_name)
);
INSERT @fixed_roles VALUES
  (N'sysadmin', N'CONTROL SERVER'),
  -- and grants CONTROL SERVER to a second login: "should be treated as equivalent to the sysadmin role"
  (N'securityadmin', N'ALTER ANY LOGIN'),
  (N'serveradmin', N'ALTER ANY ENDPOINT'),
  (N'serveradmin', N'ALTER RESOURCES'),
  (N'serveradmin', N'ALTER SERVER STATE'),
  (N'serveradmin', N'ALTER SETTINGS'),
  (N'serveradmin', N'SHUTDOWN'),
  (N'setupadmin', N'ALTER ANY LINKED SERVER'),
  (N'processadmin', N'ALTER ANY CONNECTION'),
  (N'processadmin', N'ALTER SERVER STATE'),
  (N'diskadmin', N'ALTER RESOURCES'),
  (N'dbcreator', N'ALTER ANY DATABASE'),
  (N'bulkadmin', N'ADMINISTER BULK OPERATIONS'),
  (N'##MS_DatabaseManager##', N'ALTER ANY DATABASE'), -- this one and the next two since 2022
  (N'##MS_LoginManager##', N'ALTER ANY LOGIN'),
  (N'##MS_ServerStateManager##', N'ALTER SERVER STATE');

-- ALTER ANY CREDENTIAL, LINKED SERVER, ENDPOINT, CONNECTION, ...: whatever this version has, a part
INSERT @administering
SELECT named.permission_name, N'part',
  CASE WHEN named.permission_name LIKE N'ALTER ANY EVENT SESSION _%' THEN N'ALTER ANY EVENT SESSION' END
FROM (
  SELECT permission_name FROM @permissions WHERE class = 100 AND permission_name LIKE N'ALTER ANY %'
  UNION SELECT permission_name FROM @fixed_roles
) AS named
LEFT JOIN @administering AS known ON known.permission_name = named.permission_name
WHERE known.permission_name IS NULL;

-- A fixed role of a version to come, with somebody in it, is not guessed at. The ones that read or connect are
-- harmless.
INSERT @unseen
SELECT DISTINCT N'The fixed server role ' + QUOTENAME(r.name)
  + N' has members, and this query does not know what it may do: a newer version of this tool is needed'
FROM @principals AS r
JOIN @members AS m ON m.role_id = r.principal_id
LEFT JOIN @fixed_roles AS known ON known.role_name = r.name
WHERE r.is_fixed_role = 1 AND known.role_name IS NULL
  AND r.name NOT LIKE N'##MS[_]%Reader##' AND r.name <> N'##MS_DatabaseConnector##';

DECLARE @powers TABLE (
  power_id int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  holder_id int NOT NULL,
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL,     -- what the report says
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NULL,              -- NULL for a way: it goes as far as its target's
  server_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL, -- what a DENY at the server would have to name
  -- to another principal: act as it, reset its password, join it
  way nvarchar(10) COLLATE Latin1_General_BIN2 NULL,
  target_id int NULL,
  -- what a DENY on that principal would have to name
  target_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL,
  may_grant int NOT NULL,
  UNIQUE (holder_id, power_id)
);

INSERT @powers
SELECT p.grantee_id, p.permission_name, a.extent, p.permission_name, NULL, NULL, NULL,
  CASE WHEN p.state = 'W' OR p.permission_name IN (N'CONTROL SERVER', N'IMPERSONATE ANY LOGIN') THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @administering AS a ON a.permission_name = p.permission_name
WHERE p.class = 100 AND p.state IN ('G', 'W');

-- Every member of a fixed role may add others to it.
INSERT @powers
SELECT r.principal_id, r.name, a.extent, f.permission_name, NULL, NULL, NULL, 1
FROM @principals AS r
JOIN @fixed_roles AS f ON f.role_name = r.name
JOIN @administering AS a ON a.permission_name = f.permission_name
WHERE r.is_fixed_role = 1;

-- Rights on one login: to act as it (nobody can act as a group or a certificate), or to set its password. CONTROL gives
-- both.
INSERT @powers
SELECT p.grantee_id, p.permission_name + N' ON LOGIN::' + QUOTENAME(target.name), NULL, covering.permission_name,
  covering.way, p.major_id, covering.target_permission,
  CASE WHEN p.state = 'W' THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @principals AS target ON target.principal_id = p.major_id
JOIN (VALUES
  (N'IMPERSONATE' COLLATE Latin1_General_BIN2, N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
  (N'CONTROL', N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
  (N'CONTROL', N'reset', N'ALTER', N'ALTER ANY LOGIN'),
  (N'ALTER', N'reset', N'ALTER', N'ALTER ANY LOGIN')
) AS covering (granted, way, target_permission, permission_name) ON covering.granted = p.permission_name
WHERE p.class = 101 AND p.state IN ('G', 'W') AND target.type IN ('S', 'U', 'E', '?');

-- Rights on a role that is not fixed: to add oneself. Its owner has CONTROL over it, and no DENY binds an owner.
-- sysadmin owns most of them, which adds nothing: not repeated.
INSERT @powers
SELECT p.grantee_id, p.permission_name + N' ON SERVER ROLE::' + QUOTENAME(target.name), NULL,
  CASE WHEN p.permission_name = N'ALTER' THEN N'ALTER ANY SERVER ROLE' ELSE N'CONTROL SERVER' END, N'join',
  p.major_id, p.permission_name, 1
FROM @permissions AS p
JOIN @principals AS target ON target.principal_id = p.major_id
WHERE p.class = 101 AND p.state IN ('G', 'W') AND target.type = 'R'
  AND p.permission_name IN (N'ALTER', N'CONTROL', N'TAKE OWNERSHIP');

INSERT @powers
SELECT p.grantee_id, p.permission_name, NULL, p.permission_name, N'join', target.principal_id, N'ALTER', 1
FROM @permissions AS p
JOIN @principals AS target ON target.type = 'R' AND target.is_fixed_role = 0 AND target.principal_id <> 2
WHERE p.class = 100 AND p.state IN ('G', 'W') AND p.permission_name = N'ALTER ANY SERVER ROLE';

-- 3. Who holds them
-- A principal, and every role it is in however deep, public too: they have no row for public, all are in it.
DECLARE @tokens TABLE (principal_id int NOT NULL, holder_id int NOT NULL, PRIMARY KEY (principal_id, holder_id));
INSERT @tokens SELECT principal_id, principal_id FROM @principals WHERE is_fixed_role = 0;
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
INSERT @tokens
SELECT p.principal_id, 2
FROM @principals AS p
LEFT JOIN @tokens AS known ON known.principal_id = p.principal_id AND known.holder_id = 2
WHERE p.is_fixed_role = 0 AND known.principal_id IS NULL;

DECLARE @sysadmins TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @sysadmins SELECT principal_id FROM @tokens WHERE holder_id = 3;

INSERT @powers
SELECT r.owner_id, N'OWNER OF SERVER ROLE::' + QUOTENAME(r.name), NULL, NULL, N'join', r.principal_id, NULL, 1
FROM @principals AS r
LEFT JOIN @sysadmins AS s ON s.principal_id = r.owner_id
WHERE r.type = 'R' AND r.is_fixed_role = 0 AND r.principal_id <> 2 AND r.owner_id IS NOT NULL
  AND s.principal_id IS NULL;

-- A DENY wins against every GRANT, through whichever role either comes, and denies what the permission covers. sysadmin
-- ignores it.
DECLARE @denied TABLE (
  principal_id int NOT NULL, permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, permission_name)
);
INSERT @denied
SELECT DISTINCT t.principal_id, a.permission_name
FROM @tokens AS t
JOIN @permissions AS d ON d.grantee_id = t.holder_id
JOIN @administering AS a ON d.permission_name IN (a.permission_name, a.covered_by, N'CONTROL SERVER')
LEFT JOIN @sysadmins AS s ON s.principal_id = t.principal_id
WHERE d.class = 100 AND d.state = 'D' AND s.principal_id IS NULL;

DECLARE @denied_on TABLE (
  principal_id int NOT NULL, target_id int NOT NULL, permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, target_id, permission_name)
);
INSERT @denied_on
SELECT DISTINCT t.principal_id, d.major_id, covered.permission_name
FROM @tokens AS t
JOIN @permissions AS d ON d.grantee_id = t.holder_id
JOIN (VALUES (N'IMPERSONATE' COLLATE Latin1_General_BIN2), (N'ALTER'), (N'CONTROL'), (N'TAKE OWNERSHIP')) AS covered (permission_name)
  ON d.permission_name IN (covered.permission_name, N'CONTROL')
LEFT JOIN @sysadmins AS s ON s.principal_id = t.principal_id
WHERE d.class = 101 AND d.state = 'D' AND s.principal_id IS NULL;

DECLARE @usable TABLE (principal_id int NOT NULL, power_id int NOT NULL, PRIMARY KEY (principal_id, power_id));
INSERT @usable
SELECT t.principal_id, w.power_id
FROM @tokens AS t
JOIN @powers AS w ON w.holder_id = t.holder_id
JOIN @principals AS p ON p.principal_id = t.principal_id
LEFT JOIN @denied AS d ON d.principal_id = t.principal_id AND d.permission_name = w.server_permission
LEFT JOIN @denied_on AS o ON o.principal_id = t.principal_id AND o.target_id = w.target_id
  AND o.permission_name = w.target_permission
WHERE d.principal_id IS NULL AND o.principal_id IS NULL
  -- a role does not log in: what public holds is its members' anyway
  AND (p.type <> 'R' OR t.holder_id <> 2 OR t.principal_id = 2);

-- 4. Who is an administrator, or may make itself one
-- A way may be found twice: to a part first, and in a later round to everything.
DECLARE @ways TABLE (principal_id int NOT NULL, power_id int NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL, PRIMARY KEY (principal_id, power_id, extent));
INSERT @ways
SELECT u.principal_id, u.power_id, w.extent
FROM @usable AS u
JOIN @powers AS w ON w.power_id = u.power_id
WHERE w.target_id IS NULL;

-- Only CONTROL SERVER may set the password of one who has it, or of a sysadmin.
DECLARE @untouchable TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @untouchable
SELECT principal_id FROM @sysadmins
UNION
SELECT reached.principal_id FROM @ways AS reached JOIN @powers AS w ON w.power_id = reached.power_id
  WHERE w.server_permission = N'CONTROL SERVER';

SET @added = 1;
WHILE @added > 0
BEGIN
  INSERT @ways
  SELECT DISTINCT u.principal_id, u.power_id, its.extent
  FROM @usable AS u
  JOIN @powers AS w ON w.power_id = u.power_id
  JOIN @principals AS target ON target.principal_id = w.target_id
  JOIN @ways AS its ON its.principal_id = w.target_id
  JOIN @powers AS its_power ON its_power.power_id = its.power_id
  LEFT JOIN @untouchable AS safe ON safe.principal_id = w.target_id
  LEFT JOIN @sysadmins AS above ON above.principal_id = w.target_id
  LEFT JOIN @denied AS d ON d.principal_id = u.principal_id AND d.permission_name = its_power.server_permission
  LEFT JOIN @ways AS known ON known.principal_id = u.principal_id AND known.power_id = u.power_id
    AND known.extent = its.extent
  WHERE known.principal_id IS NULL
    AND u.principal_id <> w.target_id
    AND (
      w.way = N'act'
      OR (w.way = N'reset' AND target.type = 'S' AND safe.principal_id IS NULL)
      -- the joiner's own DENYs go on
      OR (w.way = N'join' AND (d.principal_id IS NULL OR above.principal_id IS NOT NULL))
    );
  SET @added = @@ROWCOUNT;
END;

-- Who may pass it on: by the power itself, or by being able to become somebody who may.
DECLARE @granters TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @granters SELECT DISTINCT reached.principal_id FROM @ways AS reached JOIN @powers AS w
  ON w.power_id = reached.power_id WHERE w.may_grant = 1;
SET @added = 1;
WHILE @added > 0
BEGIN
  INSERT @granters
  SELECT DISTINCT reached.principal_id
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  JOIN @granters AS g ON g.principal_id = w.target_id
  LEFT JOIN @granters AS known ON known.principal_id = reached.principal_id
  WHERE known.principal_id IS NULL;
  SET @added = @@ROWCOUNT;
END;

-- 5. The rows
-- One row for each principal and each holder (itself or a role) that it has its powers by. 'full' sorts before 'part'.
DECLARE @lists TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL,
  extent nvarchar(4) COLLATE Latin1_General_BIN2 NOT NULL, may_grant int NOT NULL,
  privileges nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  becomes nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, holder_id)
);
INSERT @lists
SELECT reached.principal_id, w.holder_id, MIN(reached.extent),
  MAX(CASE WHEN w.may_grant = 1 OR g.principal_id IS NOT NULL THEN 1 ELSE 0 END), N'', N''
FROM @ways AS reached
JOIN @powers AS w ON w.power_id = reached.power_id
LEFT JOIN @granters AS g ON g.principal_id = w.target_id
GROUP BY reached.principal_id, w.holder_id;

-- What makes somebody an administrator whom another may become
DECLARE @targets TABLE (principal_id int NOT NULL, n int NOT NULL,
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL, PRIMARY KEY (principal_id, n));
INSERT @targets
SELECT one.principal_id, ROW_NUMBER() OVER (PARTITION BY one.principal_id ORDER BY one.privilege), one.privilege
FROM (
  SELECT DISTINCT reached.principal_id, w.privilege
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  WHERE reached.principal_id IN (SELECT target_id FROM @powers WHERE target_id IS NOT NULL)
) AS one;

-- T-SQL of 2012 has no STRING_AGG, and FOR XML refuses control characters, which names may hold: the texts of a row are
-- put together piece by piece.
DECLARE @pieces TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL,
  column_name nvarchar(10) COLLATE Latin1_General_BIN2 NOT NULL, n int NOT NULL,
  piece nvarchar(1000) COLLATE Latin1_General_BIN2 NOT NULL,
  PRIMARY KEY (principal_id, holder_id, column_name, n)
);
INSERT @pieces
SELECT one.principal_id, one.holder_id, one.column_name,
  ROW_NUMBER() OVER (PARTITION BY one.principal_id, one.holder_id, one.column_name ORDER BY one.about, one.place),
  one.piece
FROM (
  SELECT DISTINCT reached.principal_id, w.holder_id, N'privileges' AS column_name, w.privilege AS about, 0 AS place,
    N'; ' + w.privilege AS piece
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  UNION ALL
  SELECT DISTINCT reached.principal_id, w.holder_id, N'becomes', w.way + target.name, t.n,
    CASE WHEN t.n > 1 THEN N', '
      ELSE CASE w.way WHEN N'act' THEN N'; may act as ' WHEN N'reset' THEN N'; may set the password of '
        ELSE N'; may add itself to ' END + QUOTENAME(target.name) + N', which has ' END + t.privilege
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  JOIN @principals AS target ON target.principal_id = w.target_id
  JOIN @targets AS t ON t.principal_id = w.target_id
  UNION ALL
  SELECT l.principal_id, l.holder_id, N'becomes', N'~', d.n,
    CASE WHEN d.n > 1 THEN N', ' ELSE N'; denied to it: ' END + d.permission_name
  FROM @lists AS l
  JOIN (
    SELECT principal_id, permission_name, ROW_NUMBER() OVER (PARTITION BY principal_id ORDER BY permission_name) AS n
    FROM @denied
  ) AS d ON d.principal_id = l.principal_id
) AS one;

SET @added = 1;
SET @step = 1;
WHILE @added > 0
BEGIN
  UPDATE l
  SET privileges = l.privileges + ISNULL(a.piece, N''), becomes = l.becomes + ISNULL(b.piece, N'')
  FROM @lists AS l
  LEFT JOIN @pieces AS a ON a.principal_id = l.principal_id AND a.holder_id = l.holder_id AND a.n = @step
    AND a.column_name = N'privileges'
  LEFT JOIN @pieces AS b ON b.principal_id = l.principal_id AND b.holder_id = l.holder_id AND b.n = @step
    AND b.column_name = N'becomes'
  WHERE a.n IS NOT NULL OR b.n IS NOT NULL;
  SET @added = @@ROWCOUNT;
  SET @step += 1;
END;

-- What is told of the whole server, in its first row
DECLARE @notes nvarchar(max) = N'';
SET @step = 1;
WHILE @step <= (SELECT COUNT(*) FROM @linked)
BEGIN
  SELECT @notes += CASE @step WHEN 1 THEN N'; stored log-ins, by which others act at linked servers: ' ELSE N', ' END
    + CAST(logins AS nvarchar(11)) + N' to ' + QUOTENAME(name)
  FROM @linked
  WHERE n = @step;
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
INSERT @chains SELECT DISTINCT principal_id, 2, 1, N'public' FROM @lists WHERE principal_id <> 2;

-- CONNECT SQL: its own, or by CONTROL SERVER, which covers it; a DENY of either shuts out all but sysadmin.
DECLARE @connects TABLE (principal_id int NOT NULL PRIMARY KEY, is_granted int NOT NULL, is_denied int NOT NULL);
INSERT @connects
SELECT t.principal_id, MAX(CASE WHEN p.state IN ('G', 'W') THEN 1 ELSE 0 END),
  MAX(CASE WHEN p.state = 'D' THEN 1 ELSE 0 END)
FROM @tokens AS t
JOIN @permissions AS p ON p.grantee_id = t.holder_id
WHERE p.class = 100 AND p.permission_name IN (N'CONNECT SQL', N'CONTROL SERVER')
GROUP BY t.principal_id;
DELETE @connects WHERE principal_id IN (SELECT principal_id FROM @sysadmins);
INSERT @connects SELECT principal_id, 1, 0 FROM @sysadmins;

DECLARE @windows_only int = CAST(SERVERPROPERTY('IsIntegratedSecurityOnly') AS int);

-- For mssql-database-administrators.sql, in the same session
IF OBJECT_ID(N'tempdb..#server_administrators') IS NOT NULL DROP TABLE #server_administrators;
SELECT DISTINCT p.sid
INTO #server_administrators
FROM @lists AS l
JOIN @principals AS p ON p.principal_id = l.principal_id
WHERE l.extent = N'full' AND p.type <> 'R' AND p.sid IS NOT NULL;

SELECT
  N'incomplete' AS result, N'server' AS scope, N'' AS principal, N'' AS extent, N'' AS enabled, N'' AS privileges,
  N'' AS granted_through, N'' AS can_grant, N'' AS owner, N'' AS principal_type, N'' AS authentication,
  N'' AS created_at, N'' AS password_changed_at,
  REPLACE(REPLACE(detail, NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @unseen;

SELECT
  N'admin' AS result,
  N'server' AS scope,
  p.name AS principal,
  l.extent,
  CASE
    WHEN p.type IN ('C', 'K', 'R') OR p.is_disabled = 1 OR state.is_locked = 1 OR (p.type = 'S' AND @windows_only = 1)
      THEN N'no'
    WHEN p.type <> '?' AND (ISNULL(k.is_granted, 0) = 0 OR k.is_denied = 1) THEN N'no'
    ELSE N'yes'
  END AS enabled,
  STUFF(l.privileges, 1, 2, N'') AS privileges,
  c.chain AS granted_through,
  CASE WHEN l.may_grant = 1 THEN N'yes' ELSE N'no' END AS can_grant,
  -- On Amazon RDS sa, the machine and its Windows are Amazon's.
  CASE
    WHEN @is_rds = 1 AND ((p.type = 'S' AND (p.name = N'rdsa' OR p.sid = 0x01)) OR windows.account <> N'')
      THEN N'Amazon RDS'
    WHEN windows.account = N'service' THEN N'SQL Server'
    WHEN windows.account = N'administrators' THEN N'' -- its members are the company's people
    WHEN windows.account <> N'' THEN N'Windows'
    WHEN p.type IN ('C', 'K') AND p.name LIKE N'##MS[_]%##' THEN N'SQL Server'
    -- its own two are disabled: one who can log in is somebody else
    WHEN p.type = 'S' AND p.is_disabled = 1
      AND p.name IN (N'##MS_PolicyEventProcessingLogin##', N'##MS_PolicyTsqlExecutionLogin##') THEN N'SQL Server'
    ELSE N''
  END AS owner,
  word.principal_type,
  word.authentication,
  ISNULL(CONVERT(nvarchar(19), utc.created_at, 126) + N'Z', N'') AS created_at,
  ISNULL(CONVERT(nvarchar(19), utc.password_changed_at, 126) + N'Z', N'') AS password_changed_at,
  REPLACE(REPLACE(ISNULL(STUFF(
    CASE
      WHEN @is_rds = 1 AND p.type = 'S' AND p.name = N'rdsa' THEN N'; Amazon RDS''s own administrator'
      WHEN p.sid = 0x01 THEN N'; the built-in sa'
      WHEN windows.account = N'administrators' THEN N'; every administrator of the Windows machine'
      WHEN windows.account = N'system' THEN N'; an account of Windows itself'
      WHEN windows.account <> N'' THEN N'; the account of a Windows service'
      WHEN p.principal_id = 2 THEN N'; every login is in it'
      WHEN p.type = '?' THEN N'; hidden from this login: whether it is a login, and whether it can log in, is not known'
      ELSE N''
    END
    + CASE WHEN p.type IN ('G', 'X') THEN N'; its members are kept in the directory, not in the server' ELSE N'' END
    + CASE WHEN p.type IN ('C', 'K') THEN N'; cannot log in: modules signed with its key have its power' ELSE N'' END
    + CASE WHEN p.is_disabled = 1 THEN N'; disabled' ELSE N'' END
    + CASE WHEN state.is_locked = 1 THEN N'; locked out' ELSE N'' END
    + CASE WHEN state.is_expired = 1 THEN N'; its password is expired' ELSE N'' END
    + CASE WHEN state.must_change = 1 THEN N'; must change its password at the next login' ELSE N'' END
    + CASE WHEN p.type = 'S' AND @windows_only = 1 THEN N'; the server takes Windows logins alone' ELSE N'' END
    + CASE
        WHEN p.type IN ('C', 'K', 'R', '?') THEN N''
        WHEN k.is_denied = 1 THEN N'; denied to connect'
        WHEN ISNULL(k.is_granted, 0) = 0 THEN N'; has no CONNECT SQL'
        ELSE N''
      END
    + CASE owned.databases WHEN 0 THEN N'' WHEN 1 THEN N'; owner of 1 database'
        ELSE N'; owner of ' + CAST(owned.databases AS nvarchar(11)) + N' databases' END
    + l.becomes
    + CASE WHEN ROW_NUMBER() OVER (ORDER BY p.name, c.chain) = 1 THEN @notes ELSE N'' END,
    1, 2, N''), N''), NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @lists AS l
JOIN @chains AS c ON c.principal_id = l.principal_id AND c.holder_id = l.holder_id
JOIN @principals AS p ON p.principal_id = l.principal_id
JOIN (VALUES
  ('S' COLLATE Latin1_General_BIN2, N'sql login', N'sql'),
  ('U', N'windows login', N'windows'),
  ('G', N'windows group', N'windows'),
  ('E', N'external login', N'external'),
  ('X', N'external group', N'external'),
  ('C', N'certificate login', N'certificate'),
  ('K', N'asymmetric key login', N'asymmetric key'),
  ('R', N'role', N''),
  ('?', N'', N'')
) AS word (type, principal_type, authentication) ON word.type = p.type
LEFT JOIN @utc AS utc ON utc.principal_id = p.principal_id
LEFT JOIN @connects AS k ON k.principal_id = p.principal_id
OUTER APPLY (
  SELECT
    CAST(LOGINPROPERTY(p.name, 'IsLocked') AS int) AS is_locked,
    CAST(LOGINPROPERTY(p.name, 'IsExpired') AS int) AS is_expired,
    CAST(LOGINPROPERTY(p.name, 'IsMustChange') AS int) AS must_change
) AS state
CROSS APPLY (SELECT COUNT(*) AS databases FROM @databases AS d WHERE d.owner_sid = p.sid) AS owned
-- Windows's own names are translated, its sids are not: S-1-5-18 to -20, S-1-5-32-544, S-1-5-80-... for services.
CROSS APPLY (
  SELECT CASE
    WHEN p.type NOT IN ('U', 'G') THEN N''
    WHEN p.sid IN (0x010100000000000512000000, 0x010100000000000513000000, 0x010100000000000514000000)
      OR UPPER(p.name) IN (N'NT AUTHORITY\SYSTEM', N'NT AUTHORITY\LOCAL SERVICE', N'NT AUTHORITY\NETWORK SERVICE')
      THEN N'system'
    WHEN p.sid = 0x01020000000000052000000020020000 OR UPPER(p.name) = N'BUILTIN\ADMINISTRATORS'
      THEN N'administrators'
    WHEN SUBSTRING(p.sid, 1, 12) <> 0x010600000000000550000000 AND UPPER(p.name) NOT LIKE N'NT SERVICE\%' THEN N''
    WHEN UPPER(p.name) LIKE N'%\WINMGMT' THEN N'instrumentation'
    WHEN UPPER(p.name) LIKE N'%\MSSQLSERVER' OR UPPER(p.name) LIKE N'%\MSSQL$%'
      OR UPPER(p.name) LIKE N'%\SQLSERVERAGENT' OR UPPER(p.name) LIKE N'%\SQLAGENT$%'
      OR UPPER(p.name) LIKE N'%\SQLWRITER' OR UPPER(p.name) LIKE N'%\SQLTELEMETRY%' THEN N'service'
    ELSE N''
  END AS account
) AS windows
ORDER BY p.name, c.chain;
