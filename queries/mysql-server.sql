-- What server this is: MySQL, MariaDB or Aurora, of any version. Rows of a name and a value; a variable that this product lacks has no row (naming it in a SELECT would be an error).
--
-- It needs    no privilege: variables are readable by anyone.
-- version         contains MariaDB on MariaDB, and nothing of the kind elsewhere; version_comment is the packager's and tells nothing.
-- aurora_version  is there on Aurora MySQL alone, whose version is that of the MySQL it follows.
-- server_uuid     names a MySQL server; MariaDB has server_uid (from 10.5.26, 10.6.19, 10.11.9, 11.4.3); server_id is what is left.
-- Manual      https://dev.mysql.com/doc/refman/8.4/en/show-variables.html
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'aurora_version', 'hostname', 'server_uuid', 'server_uid', 'server_id')
