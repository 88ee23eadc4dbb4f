-- What server is this? One row. `refused` is empty, or says why the other queries must not run here.
-- Versions: every product that speaks TDS, so that a wrong one can be refused in words.
-- Needs: nothing but the login. Cannot see: whether it is on Amazon RDS (mssql-databases.sql does).
-- server_id: SQL Server has no identifier of its own; machine and instance name is what a DBA knows it by.
-- https://learn.microsoft.com/sql/t-sql/functions/serverproperty-transact-sql
SELECT
  N'mssql' AS engine,
  property.product_version AS engine_version,
  property.edition,
  property.engine_edition,
  property.major_version,
  property.server_name,
  COALESCE(property.machine_name + ISNULL(N'\' + property.instance_name, N''), property.server_name) AS server_id,
  CASE
    WHEN property.engine_edition IN (5, 6, 11, 12)
      THEN N'this is ' + property.edition
        + N', not SQL Server: it keeps its administrators in another catalog, which these queries do not read'
    WHEN property.major_version < 11
      THEN N'SQL Server ' + property.product_version
        + N' is older than 2012 (11.0), the first version that these queries know'
    ELSE N''
  END AS refused
FROM (
  -- SERVERPROPERTY answers sql_variant; ProductMajorVersion is NULL on old builds, so the version is cut from its text.
  SELECT
    CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS product_version,
    CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS edition,
    CAST(SERVERPROPERTY('EngineEdition') AS int) AS engine_edition,
    CAST(LEFT(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)),
      CHARINDEX(N'.', CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))) - 1) AS int) AS major_version,
    CAST(SERVERPROPERTY('ServerName') AS nvarchar(256)) AS server_name,
    CAST(SERVERPROPERTY('MachineName') AS nvarchar(128)) AS machine_name,
    CAST(SERVERPROPERTY('InstanceName') AS nvarchar(128)) AS instance_name
) AS property;
