-- The databases of the server, one row each, for SQL Server 2012 and later; and which of them this login may read now.
-- readable 'yes': run mssql-database-administrators.sql in it with EXEC @procedure @statement, where @procedure is the
-- row's `procedure_name` (the server quotes the name: it may hold ], quotes, newlines) and @statement that file's text.
-- readable 'no': the report is incomplete, `detail` says why and what to do. No database is left out, system databases
-- and snapshots neither: whoever owns msdb or master owns the server.
-- Needs VIEW ANY DATABASE, which public has unless it was taken away: mssql-server-administrators.sql notices that.
-- https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-databases-transact-sql
SELECT
  found.name,
  QUOTENAME(found.name) + N'.sys.sp_executesql' AS procedure_name,
  CASE WHEN HAS_DBACCESS(found.name) = 1 THEN 'yes' ELSE 'no' END AS readable,
  CASE
    WHEN HAS_DBACCESS(found.name) = 1 THEN N''
    WHEN found.state <> 0 THEN
      N'The database ' + QUOTENAME(found.name) + N' is ' + found.state_desc COLLATE DATABASE_DEFAULT
      + CASE
          WHEN found.state = 1
            THEN N' (a restore is not finished, or this is a mirror or a log shipping copy:'
              + N' ask the server that holds the original)'
          WHEN found.state = 6 THEN N': ALTER DATABASE ' + QUOTENAME(found.name) + N' SET ONLINE;'
          ELSE N': see the error log of SQL Server'
        END
    WHEN found.user_access = 1 THEN
      N'The database ' + QUOTENAME(found.name) + N' is in SINGLE_USER mode, and somebody else uses it: ALTER DATABASE '
        + QUOTENAME(found.name) + N' SET MULTI_USER;'
    WHEN found.user_access = 2 THEN
      N'The database ' + QUOTENAME(found.name)
        + N' is in RESTRICTED_USER mode, open to its administrators alone: ALTER DATABASE ' + QUOTENAME(found.name)
        + N' SET MULTI_USER;'
    WHEN found.replica_id IS NOT NULL AND me.may_connect = 1 THEN
      N'The database ' + QUOTENAME(found.name)
        + N' is the secondary replica of an availability group and cannot be read here: put the address of the primary'
        + N' or of the listener into the inventory, or allow connections to the secondary (ALTER AVAILABILITY GROUP ...'
        + N' MODIFY REPLICA ON ... WITH (SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL));)'
    WHEN me.may_connect = 1 THEN
      N'The login ' + me.login_name + N' may connect to any database and still cannot enter ' + QUOTENAME(found.name)
        + N': USE ' + QUOTENAME(found.name) + N'; REVOKE CONNECT FROM ' + me.login_name
        + N'; (a DENY CONNECT stands there, for it or for a role that it is in)'
    WHEN me.may_connect = 0 THEN
      N'The login ' + me.login_name + N' may not enter ' + QUOTENAME(found.name) + N': GRANT CONNECT ANY DATABASE TO '
        + me.login_name
      + N'; or, for this one alone, USE ' + QUOTENAME(found.name) + N'; CREATE USER ' + me.login_name + N' FOR LOGIN '
        + me.login_name + N';'
    ELSE -- 2012 has no CONNECT ANY DATABASE
      N'The login ' + me.login_name + N' may not enter ' + QUOTENAME(found.name) + N': USE ' + QUOTENAME(found.name)
        + N'; CREATE USER ' + me.login_name + N' FOR LOGIN ' + me.login_name + N';'
  END AS detail
FROM sys.databases AS found
CROSS JOIN (
  SELECT QUOTENAME(SUSER_SNAME()) AS login_name, HAS_PERMS_BY_NAME(NULL, NULL, 'CONNECT ANY DATABASE') AS may_connect
) AS me
ORDER BY found.database_id;
