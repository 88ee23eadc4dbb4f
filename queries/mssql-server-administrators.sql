-- The administrators of a SQL Server (2012 to 2025, Amazon RDS): one row per principal and chain of roles.
-- Run once, in any database. First the `incomplete` rows (what this login was not shown), then the `admin` rows.
-- Needs VIEW ANY DEFINITION, or from 2022 VIEW ANY SECURITY DEFINITION. Without it SQL Server filters its catalog and
-- gives
-- no error, so the query asks for its own permission first (HAS_PERMS_BY_NAME), and then looks for ids that the catalog
-- mentions
-- and does not show (a DENY VIEW DEFINITION on a single login).
-- An administrator holds a power (2.), itself or by a role, that no DENY takes away (3.), or may make itself one who
-- does (4.).
-- No rows: the fixed roles themselves (they are powers, in every server), rights that only observe.
-- Cannot see: who is in a Windows or Entra group; what a linked server, a startup procedure, an Agent job or a signed
-- module lets its users do. The ways through a database are in mssql-database-administrators.sql.
-- https://learn.microsoft.com/sql/relational-databases/security/authentication-access/server-level-roles
-- https://learn.microsoft.com/sql/relational-databases/security/permissions-database-engine
SET NOCOUNT ON;

-- 1. The catalog, read once
-- ---------------------------------------------------------------------------------------------
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
DECLARE @unseen TABLE (detail nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
DECLARE @added int, @step int;
DECLARE @me nvarchar(300) = QUOTENAME(SUSER_SNAME());

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

-- The catalog has the server's local time. Both ends of the difference are one reading of the clock.
DECLARE @now datetimeoffset = SYSDATETIMEOFFSET();
DECLARE @offset int = DATEDIFF(minute, CAST(SWITCHOFFSET(@now, '+00:00') AS datetime2), CAST(@now AS datetime2));
DECLARE @utc TABLE (principal_id int NOT NULL PRIMARY KEY, created_at datetime NULL, password_changed_at datetime NULL);

-- From 2022 the server tells its time zone, and with it whether it was summer then. Before, today's offset is applied:
-- where the zone has summer time, a time of the other half of the year is an hour out. Earlier versions refuse the
-- syntax, hence a text.
BEGIN TRY
  IF CAST(LEFT(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), 2) AS int) >= 16
    INSERT @utc EXEC sys.sp_executesql N'
      SELECT
        principal_id,
        CAST(create_date AT TIME ZONE CURRENT_TIMEZONE_ID() AT TIME ZONE ''UTC'' AS datetime),
        CAST(
          CAST(LOGINPROPERTY(name, ''PasswordLastSetTime'') AS datetime) AT TIME ZONE CURRENT_TIMEZONE_ID()
            AT TIME ZONE ''UTC''
          AS datetime)
      FROM sys.server_principals';
  ELSE
    INSERT @utc
    SELECT principal_id, DATEADD(minute, -@offset, create_date),
      DATEADD(minute, -@offset, CAST(LOGINPROPERTY(name, 'PasswordLastSetTime') AS datetime))
    FROM sys.server_principals;
END TRY
BEGIN CATCH
  IF ERROR_NUMBER() = 9820 -- a zone whose name AT TIME ZONE does not know
    INSERT @utc
    SELECT principal_id, DATEADD(minute, -@offset, create_date),
      DATEADD(minute, -@offset, CAST(LOGINPROPERTY(name, 'PasswordLastSetTime') AS datetime))
    FROM sys.server_principals;
END CATCH;

-- What this login was not shown
-- -------------------------------------------------------------------------------------------
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

IF @sees_all = 0
  INSERT @unseen VALUES (
    N'The login ' + @me + N' is not shown every login, role and permission: '
    + CASE WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY SECURITY DEFINITION') IS NULL
      THEN N'GRANT VIEW ANY DEFINITION TO ' ELSE N'GRANT VIEW ANY SECURITY DEFINITION TO ' END
    + @me + N';');

IF @sees_all = 0
  INSERT @unseen
  SELECT N'A DENY is stronger than any GRANT: REVOKE ' + d.permission_name + N' FROM ' + QUOTENAME(p.name) + N';'
  FROM @permissions AS d
  JOIN @mine AS mine ON mine.principal_id = d.grantee_id
  JOIN @principals AS p ON p.principal_id = d.grantee_id
  WHERE d.class = 100 AND d.state = 'D'
    AND d.permission_name IN (N'VIEW ANY DEFINITION', N'VIEW ANY SECURITY DEFINITION', N'CONTROL SERVER');

IF ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DATABASE'), 0) = 0
  AND ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY DATABASE'), 0) = 0
BEGIN
  INSERT @unseen VALUES (N'The login ' + @me + N' is not shown every database: GRANT VIEW ANY DATABASE TO ' + @me
    + N';');
  INSERT @unseen
  SELECT N'A DENY is stronger than any GRANT: REVOKE VIEW ANY DATABASE FROM ' + QUOTENAME(p.name) + N';'
  FROM @permissions AS d
  JOIN @mine AS mine ON mine.principal_id = d.grantee_id
  JOIN @principals AS p ON p.principal_id = d.grantee_id
  WHERE d.class = 100 AND d.state = 'D' AND d.permission_name = N'VIEW ANY DATABASE';
END;

-- Ids that are mentioned and not shown: somebody is hidden. SUSER_NAME still knows the name, so a hidden member gets
-- its row.
DECLARE @hidden TABLE (principal_id int NOT NULL PRIMARY KEY);
INSERT @hidden
SELECT mentioned.principal_id
FROM (
  SELECT member_id AS principal_id FROM @members
  UNION SELECT role_id FROM @members
  UNION SELECT grantee_id FROM @permissions
  UNION SELECT major_id FROM @permissions WHERE class = 101
  UNION SELECT owner_id FROM @principals WHERE owner_id IS NOT NULL
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

INSERT @principals
SELECT principal_id, ISNULL(SUSER_NAME(principal_id), N'principal_id ' + CAST(principal_id AS nvarchar(11))), '?', NULL,
  0, 0, NULL
FROM @hidden;

-- 2. The powers
-- -------------------------------------------------------------------------------------------------------------
-- A permission that administers the server or a part of it, and the one that covers it beside CONTROL SERVER, which
-- covers all: a DENY of either denies it. VIEW ..., CONNECT ANY DATABASE and SELECT ALL USER SECURABLES administer
-- nothing and are not here.
DECLARE @administering TABLE (
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  covered_by nvarchar(128) COLLATE Latin1_General_BIN2 NULL
);
INSERT @administering VALUES
  (N'CONTROL SERVER', NULL),               -- everything; may act as any sysadmin
  (N'IMPERSONATE ANY LOGIN', NULL),        -- the same by another name
  (N'ALTER ANY LOGIN', NULL),              -- creates logins, sets the passwords of all but sysadmin and CONTROL SERVER
  (N'ALTER ANY SERVER ROLE', NULL),        -- adds itself to any role that is not fixed
  (N'ALTER ANY DATABASE', NULL),
  (N'ALTER SETTINGS', NULL),
  (N'SHUTDOWN', NULL),
  (N'UNSAFE ASSEMBLY', NULL),              -- code inside the server's process
  (N'EXTERNAL ACCESS ASSEMBLY', N'UNSAFE ASSEMBLY'),
  -- a part only
  (N'ADMINISTER BULK OPERATIONS', NULL),
  (N'ALTER RESOURCES', NULL),
  (N'ALTER SERVER STATE', NULL),
  (N'ALTER TRACE', NULL),
  (N'AUTHENTICATE SERVER', NULL),
  (N'CREATE ANY DATABASE', N'ALTER ANY DATABASE'),
  (N'CREATE ANY EVENT SESSION', N'ALTER ANY EVENT SESSION'),
  (N'CREATE AVAILABILITY GROUP', N'ALTER ANY AVAILABILITY GROUP'),
  (N'CREATE ENDPOINT', N'ALTER ANY ENDPOINT'),
  (N'CREATE LOGIN', N'ALTER ANY LOGIN'),
  (N'CREATE SERVER ROLE', N'ALTER ANY SERVER ROLE');

-- ALTER ANY CREDENTIAL, LINKED SERVER, ENDPOINT, CONNECTION, ...: whatever this version has
INSERT @administering
SELECT DISTINCT p.permission_name, CASE WHEN p.permission_name LIKE N'ALTER ANY EVENT SESSION _%'
  THEN N'ALTER ANY EVENT SESSION' END
FROM @permissions AS p
LEFT JOIN @administering AS known ON known.permission_name = p.permission_name
WHERE p.class = 100 AND p.permission_name LIKE N'ALTER ANY %' AND known.permission_name IS NULL;

-- What the fixed roles may do, which no catalog view tells: the page named above does. A role works while one of these
-- is not denied.
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

INSERT @administering
SELECT DISTINCT f.permission_name, NULL
FROM @fixed_roles AS f
LEFT JOIN @administering AS known ON known.permission_name = f.permission_name
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
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL,       -- what the report says
  server_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL,   -- what a DENY at the server would have to name
  -- to another principal: act as it, reset its password, join it
  way nvarchar(10) COLLATE Latin1_General_BIN2 NULL,
  target_id int NULL,
  -- what a DENY on that principal would have to name
  target_permission nvarchar(128) COLLATE Latin1_General_BIN2 NULL,
  may_grant int NOT NULL,
  UNIQUE (holder_id, power_id)
);

INSERT @powers
SELECT p.grantee_id, p.permission_name, p.permission_name, NULL, NULL, NULL,
  CASE WHEN p.state = 'W' OR p.permission_name IN (N'CONTROL SERVER', N'IMPERSONATE ANY LOGIN') THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @administering AS a ON a.permission_name = p.permission_name
WHERE p.class = 100 AND p.state IN ('G', 'W');

-- Every member of a fixed role may add others to it.
INSERT @powers
SELECT r.principal_id, r.name, f.permission_name, NULL, NULL, NULL, 1
FROM @principals AS r
JOIN @fixed_roles AS f ON f.role_name = r.name
WHERE r.is_fixed_role = 1;

-- Rights on one login: to act as it (nobody can act as a group or a certificate), or to set its password. CONTROL gives
-- both.
INSERT @powers
SELECT p.grantee_id, p.permission_name + N' ON LOGIN::' + QUOTENAME(target.name), covering.permission_name,
  covering.way, p.major_id, covering.target_permission,
  CASE WHEN p.state = 'W' THEN 1 ELSE 0 END
FROM @permissions AS p
JOIN @principals AS target ON target.principal_id = p.major_id
JOIN (VALUES
  (N'IMPERSONATE', N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
  (N'CONTROL', N'act', N'IMPERSONATE', N'IMPERSONATE ANY LOGIN'),
  (N'CONTROL', N'reset', N'ALTER', N'ALTER ANY LOGIN'),
  (N'ALTER', N'reset', N'ALTER', N'ALTER ANY LOGIN')
) AS covering (granted, way, target_permission, permission_name) ON covering.granted = p.permission_name
WHERE p.class = 101 AND p.state IN ('G', 'W') AND target.type IN ('S', 'U', 'E', '?');

-- Rights on a role that is not fixed: to add oneself. Its owner has CONTROL over it, and no DENY binds an owner.
-- sysadmin owns most of them, which adds nothing: not repeated.
INSERT @powers
SELECT p.grantee_id, p.permission_name + N' ON SERVER ROLE::' + QUOTENAME(target.name),
  CASE WHEN p.permission_name = N'ALTER' THEN N'ALTER ANY SERVER ROLE' ELSE N'CONTROL SERVER' END, N'join', p.major_id,
    p.permission_name, 1
FROM @permissions AS p
JOIN @principals AS target ON target.principal_id = p.major_id
WHERE p.class = 101 AND p.state IN ('G', 'W') AND target.type = 'R'
  AND p.permission_name IN (N'ALTER', N'CONTROL', N'TAKE OWNERSHIP');

-- 3. Who holds them
-- -----------------------------------------------------------------------------------------------------------
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
SELECT r.owner_id, N'OWNER OF SERVER ROLE::' + QUOTENAME(r.name), NULL, N'join', r.principal_id, NULL, 1
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
JOIN (VALUES (N'IMPERSONATE'), (N'ALTER'), (N'CONTROL'), (N'TAKE OWNERSHIP')) AS covered (permission_name)
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
-- ----------------------------------------------------------------------------
DECLARE @ways TABLE (principal_id int NOT NULL, power_id int NOT NULL, PRIMARY KEY (principal_id, power_id));
INSERT @ways
SELECT u.principal_id, u.power_id
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
  SELECT DISTINCT u.principal_id, u.power_id
  FROM @usable AS u
  JOIN @powers AS w ON w.power_id = u.power_id
  JOIN @principals AS target ON target.principal_id = w.target_id
  JOIN @ways AS its ON its.principal_id = w.target_id
  JOIN @powers AS its_power ON its_power.power_id = its.power_id
  LEFT JOIN @untouchable AS safe ON safe.principal_id = w.target_id
  LEFT JOIN @sysadmins AS above ON above.principal_id = w.target_id
  LEFT JOIN @denied AS d ON d.principal_id = u.principal_id AND d.permission_name = its_power.server_permission
  LEFT JOIN @ways AS known ON known.principal_id = u.principal_id AND known.power_id = u.power_id
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
-------------------------------------------------------------------------------------------------------------------------
--
-- T-SQL of 2012 has no STRING_AGG, and FOR XML refuses control characters, which names may hold: lists are put together
-- in rounds.

-- Everything that makes a principal an administrator, for the sentence about one who may become it
DECLARE @all_of TABLE (principal_id int NOT NULL, n int NOT NULL,
  privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL, PRIMARY KEY (principal_id, n));
INSERT @all_of
SELECT distinct_ones.principal_id,
  ROW_NUMBER() OVER (PARTITION BY distinct_ones.principal_id ORDER BY distinct_ones.privilege), distinct_ones.privilege
FROM (
  SELECT DISTINCT reached.principal_id, w.privilege
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  WHERE reached.principal_id IN (SELECT target_id FROM @powers WHERE target_id IS NOT NULL)
) AS distinct_ones;

DECLARE @summary TABLE (principal_id int NOT NULL PRIMARY KEY,
  privileges nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
INSERT @summary SELECT principal_id, privilege FROM @all_of WHERE n = 1;
SET @added = 1;
SET @step = 1;
WHILE @added > 0
BEGIN
  SET @step += 1;
  UPDATE s
  SET privileges = s.privileges + N', ' + a.privilege
  FROM @summary AS s
  JOIN @all_of AS a ON a.principal_id = s.principal_id AND a.n = @step;
  SET @added = @@ROWCOUNT;
END;

-- The privileges of one principal by one holder (itself or a role)
DECLARE @held TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL, n int NOT NULL,
    privilege nvarchar(700) COLLATE Latin1_General_BIN2 NOT NULL,
  may_grant int NOT NULL, becomes nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
    PRIMARY KEY (principal_id, holder_id, n)
);
INSERT @held
SELECT
  one.principal_id, one.holder_id,
    ROW_NUMBER() OVER (PARTITION BY one.principal_id, one.holder_id ORDER BY one.privilege), one.privilege,
    one.may_grant,
  ISNULL(N'; ' + CASE one.way WHEN N'act' THEN N'may act as ' WHEN N'reset' THEN N'may set the password of '
    ELSE N'may add itself to ' END + QUOTENAME(target.name) + N', which has ' + s.privileges, N'')
FROM (
  SELECT reached.principal_id, w.holder_id, w.privilege, w.target_id, MIN(w.way) AS way,
    MAX(CASE WHEN w.may_grant = 1 OR g.principal_id IS NOT NULL THEN 1 ELSE 0 END) AS may_grant
  FROM @ways AS reached
  JOIN @powers AS w ON w.power_id = reached.power_id
  LEFT JOIN @granters AS g ON g.principal_id = w.target_id
  GROUP BY reached.principal_id, w.holder_id, w.privilege, w.target_id
) AS one
LEFT JOIN @principals AS target ON target.principal_id = one.target_id
LEFT JOIN @summary AS s ON s.principal_id = one.target_id;

DECLARE @lists TABLE (
  principal_id int NOT NULL, holder_id int NOT NULL, privileges nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  may_grant int NOT NULL, becomes nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
    PRIMARY KEY (principal_id, holder_id)
);
INSERT @lists SELECT principal_id, holder_id, privilege, may_grant, becomes FROM @held WHERE n = 1;
SET @added = 1;
SET @step = 1;
WHILE @added > 0
BEGIN
  SET @step += 1;
  UPDATE l
  SET
    privileges = l.privileges + N'; ' + h.privilege,
    may_grant = CASE WHEN h.may_grant = 1 THEN 1 ELSE l.may_grant END,
    becomes = l.becomes + h.becomes
  FROM @lists AS l
  JOIN @held AS h ON h.principal_id = l.principal_id AND h.holder_id = l.holder_id AND h.n = @step;
  SET @added = @@ROWCOUNT;
END;

-- What is denied to an administrator, for its detail
DECLARE @denials TABLE (principal_id int NOT NULL, n int NOT NULL,
  permission_name nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL, PRIMARY KEY (principal_id, n));
INSERT @denials
SELECT d.principal_id, ROW_NUMBER() OVER (PARTITION BY d.principal_id ORDER BY d.permission_name), d.permission_name
FROM @denied AS d
WHERE d.principal_id IN (SELECT principal_id FROM @ways);

DECLARE @denied_list TABLE (principal_id int NOT NULL PRIMARY KEY,
  permissions nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
INSERT @denied_list SELECT principal_id, permission_name FROM @denials WHERE n = 1;
SET @added = 1;
SET @step = 1;
WHILE @added > 0
BEGIN
  SET @step += 1;
  UPDATE l
  SET permissions = l.permissions + N', ' + d.permission_name
  FROM @denied_list AS l
  JOIN @denials AS d ON d.principal_id = l.principal_id AND d.n = @step;
  SET @added = @@ROWCOUNT;
END;

-- Every chain of roles from an administrator outwards
DECLARE @chains TABLE (principal_id int NOT NULL, holder_id int NOT NULL, step int NOT NULL,
  chain nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL);
INSERT @chains SELECT DISTINCT principal_id, principal_id, 0, N'' FROM @ways;
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
INSERT @chains
SELECT DISTINCT reached.principal_id, 2, 1, N'public'
FROM @ways AS reached
WHERE reached.principal_id <> 2;

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
DECLARE @is_rds int = CASE WHEN DB_ID(N'rdsadmin') IS NULL THEN 0 ELSE 1 END;

SELECT
  N'incomplete' AS result, N'server' AS scope, N'' AS principal, N'' AS principal_type, N'' AS granted_through,
    N'' AS privileges,
  N'' AS can_grant, N'' AS enabled, N'' AS authentication, N'' AS created_at, N'' AS password_changed_at,
  REPLACE(REPLACE(detail, NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @unseen;

SELECT
  N'admin' AS result,
  N'server' AS scope,
  p.name AS principal,
  CASE p.type
    WHEN 'S' THEN N'sql login'
    WHEN 'U' THEN N'windows login'
    WHEN 'G' THEN N'windows group'
    WHEN 'E' THEN N'external login'
    WHEN 'X' THEN N'external group'
    WHEN 'C' THEN N'certificate login'
    WHEN 'K' THEN N'asymmetric key login'
    WHEN 'R' THEN N'role'
    ELSE N''
  END AS principal_type,
  c.chain AS granted_through,
  l.privileges,
  CASE WHEN l.may_grant = 1 THEN N'yes' ELSE N'no' END AS can_grant,
  CASE
    WHEN p.type IN ('C', 'K', 'R') OR p.is_disabled = 1 OR state.is_locked = 1 OR (p.type = 'S' AND @windows_only = 1)
      THEN N'no'
    WHEN p.type <> '?' AND (ISNULL(k.is_granted, 0) = 0 OR k.is_denied = 1) THEN N'no'
    ELSE N'yes'
  END AS enabled,
  CASE
    WHEN p.type = 'S' THEN N'sql'
    WHEN p.type IN ('U', 'G') THEN N'windows'
    WHEN p.type IN ('E', 'X') THEN N'external'
    WHEN p.type = 'C' THEN N'certificate'
    WHEN p.type = 'K' THEN N'asymmetric key'
    ELSE N''
  END AS authentication,
  ISNULL(CONVERT(nvarchar(19), utc.created_at, 126) + N'Z', N'') AS created_at,
  ISNULL(CONVERT(nvarchar(19), utc.password_changed_at, 126) + N'Z', N'') AS password_changed_at,
  REPLACE(REPLACE(ISNULL(STUFF(
    CASE
      WHEN p.sid = 0x01 THEN N'; the built-in sa'
      WHEN p.sid = 0x01020000000000052000000020020000 OR p.name = N'BUILTIN\Administrators'
        THEN N'; every administrator of the Windows machine'
      WHEN @is_rds = 1 AND p.name = N'rdsa' THEN N'; Amazon RDS''s own administrator'
      WHEN p.type IN ('U', 'G') AND UPPER(p.name) LIKE N'NT SERVICE\%'
        THEN N'; the account of a Windows service (SQL Server''s own, its agent''s or a part of it)' + CASE
        WHEN @is_rds = 1 THEN N', on Amazon RDS Amazon''s' ELSE N'' END
      WHEN p.type IN ('U', 'G') AND UPPER(p.name) LIKE N'NT AUTHORITY\%' THEN N'; an account of Windows itself' + CASE
        WHEN @is_rds = 1 THEN N', on Amazon RDS Amazon''s' ELSE N'' END
      WHEN p.type IN ('C', 'K') AND p.name LIKE N'##MS[_]%##' THEN N'; made by SQL Server''s installation'
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
    + l.becomes
    + ISNULL(N'; denied to it: ' + x.permissions, N''),
    1, 2, N''), N''), NCHAR(13), N' '), NCHAR(10), N' ') AS detail
FROM @lists AS l
JOIN @chains AS c ON c.principal_id = l.principal_id AND c.holder_id = l.holder_id
JOIN @principals AS p ON p.principal_id = l.principal_id
LEFT JOIN @utc AS utc ON utc.principal_id = p.principal_id
LEFT JOIN @connects AS k ON k.principal_id = p.principal_id
LEFT JOIN @denied_list AS x ON x.principal_id = p.principal_id
OUTER APPLY (
  SELECT
    CAST(LOGINPROPERTY(p.name, 'IsLocked') AS int) AS is_locked,
    CAST(LOGINPROPERTY(p.name, 'IsExpired') AS int) AS is_expired,
    CAST(LOGINPROPERTY(p.name, 'IsMustChange') AS int) AS must_change
) AS state
ORDER BY p.name, c.chain;
