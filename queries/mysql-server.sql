-- What server this is: MySQL, MariaDB or Aurora, of any version. Each row is a name and a value; a variable that this product lacks has no row,
-- where naming it in a SELECT would be an error.
--
-- It needs         no privilege: everybody may read variables.
-- version          contains MariaDB on MariaDB, and nothing of the kind elsewhere; version_comment is the packager's and tells nothing.
-- aurora_version   is there on Aurora MySQL alone, whose version is that of the MySQL it follows.
-- server_uuid      names a MySQL server, server_uid a MariaDB of the last years; server_id, which is often 1, is what an older one has.
-- Manual           https://dev.mysql.com/doc/refman/8.4/en/show-variables.html
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'aurora_version', 'hostname', 'server_uuid', 'server_uid', 'server_id')
