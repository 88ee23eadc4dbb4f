-- Which databases does the server have, and which of them may this login read now? One row each.
-- Versions: 2012 to 2025, Amazon RDS.
-- readable `yes`: run mssql-database-administrators.sql in it with EXEC @procedure @statement, where @procedure is the
-- row's procedure_name (the server quotes the name: it may hold ], quotes, newlines) and @statement is that file's text.
-- readable `no`: the report is incomplete, `detail` says why and what to do.
-- readable `provider`: Amazon RDS keeps it closed to everybody, its master user included; `detail` says so. Not a fault.
-- No database is left out, system databases and snapshots neither: whoever owns msdb or master owns the server.
-- Needs: VIEW ANY DATABASE, which public has unless it was taken away: mssql-server-administrators.sql notices that.
-- Cannot see: databases of other servers of an availability group.
-- https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-databases-transact-sql
SELECT
  found.name,
  QUOTENAME(found.name) + N'.sys.sp_executesql' AS procedure_name,
  CASE
    WHEN found.is_open = 1 THEN 'yes'
    WHEN found.state = 0 AND found.database_id IN (found.rdsadmin_id, found.model_of_rds) THEN 'provider'
    ELSE 'no'
  END AS readable,
  CASE
    WHEN found.is_open = 1 THEN N''
    WHEN found.state <> 0 THEN
      N'The database ' + found.quoted + N' is ' + found.state_desc COLLATE DATABASE_DEFAULT
      + CASE
          WHEN found.state = 1
            THEN N' (a restore is not finished, or this is a mirror or a log shipping copy:'
              + N' ask the server that holds the original)'
          WHEN found.state = 6 THEN N': ALTER DATABASE ' + found.quoted + N' SET ONLINE;'
          ELSE N': see the error log of SQL Server'
        END
    WHEN found.database_id IN (found.rdsadmin_id, found.model_of_rds) THEN
      N'The database ' + found.quoted + N' is Amazon RDS''s own and closed to all, the master user included'
    WHEN found.user_access = 1 THEN
      N'The database ' + found.quoted + N' is in SINGLE_USER mode, and somebody else uses it: ALTER DATABASE '
        + found.quoted + N' SET MULTI_USER;'
    WHEN found.user_access = 2 THEN
      N'The database ' + found.quoted + N' is in RESTRICTED_USER mode, open to its administrators alone: ALTER DATABASE '
        + found.quoted + N' SET MULTI_USER;'
    WHEN found.replica_id IS NOT NULL AND me.may_connect = 1 THEN
      N'The database ' + found.quoted
        + N' is the secondary replica of an availability group and cannot be read here: put the address of the primary'
        + N' or of the listener into the inventory, or let the secondary take every connection (ALTER AVAILABILITY'
        + N' GROUP ... MODIFY REPLICA ON ... WITH (SECONDARY_ROLE (ALLOW_CONNECTIONS = ALL)); READ_ONLY lets in only'
        + N' those who ask for read-only intent, which this tool does not)'
    WHEN me.may_connect = 1 THEN
      N'The login ' + me.login_name + N' may connect to any database and still cannot enter ' + found.quoted
        + N': USE ' + found.quoted + N'; REVOKE CONNECT FROM ' + me.login_name
        + N'; (a DENY CONNECT stands there, for it or for a role that it is in)'
    -- 2012 has no CONNECT ANY DATABASE, and on Amazon RDS nobody can grant it.
    WHEN me.may_connect IS NULL OR found.rdsadmin_id IS NOT NULL THEN
      N'The login ' + me.login_name + N' may not enter ' + found.quoted + N': USE ' + found.quoted
        + N'; CREATE USER ' + me.login_name + N' FOR LOGIN ' + me.login_name + N';'
    ELSE
      N'The login ' + me.login_name + N' may not enter ' + found.quoted + N': GRANT CONNECT ANY DATABASE TO '
        + me.login_name + N'; or, for this one alone, USE ' + found.quoted + N'; CREATE USER ' + me.login_name
        + N' FOR LOGIN ' + me.login_name + N';'
  END AS detail
FROM (
  SELECT
    database_id, name, QUOTENAME(name) AS quoted, state, state_desc, user_access, replica_id,
    ISNULL(HAS_DBACCESS(name), 0) AS is_open,
    DB_ID(N'rdsadmin') AS rdsadmin_id, -- exists on Amazon RDS alone
    CASE WHEN DB_ID(N'rdsadmin') IS NOT NULL THEN 3 END AS model_of_rds
  FROM sys.databases
) AS found
CROSS JOIN (
  SELECT QUOTENAME(SUSER_SNAME()) AS login_name, HAS_PERMS_BY_NAME(NULL, NULL, 'CONNECT ANY DATABASE') AS may_connect
) AS me
ORDER BY found.database_id;
