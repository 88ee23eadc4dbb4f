-- What the worker's session sets before it reads the administrators of a MariaDB server of any version: settings of the server, and statements
-- that it runs for every new session (init_connect), would otherwise change the answer, cut it without a word, or make it slow.
--
-- They are sent as one statement, so that a server is asked once. None needs a privilege, and nothing outside of this session changes. Where a
-- version lacks a setting, or a value of it, or asks for a privilege (1193, 1231, 1227), they are sent one by one, and that one is passed over.

-- Names come as they are; latin1 would show two Japanese names as one and the same ????.
SET NAMES utf8mb4 COLLATE utf8mb4_bin;
SET SESSION sql_mode = '';
SET SESSION group_concat_max_len = 16777216;
SET SESSION max_recursive_iterations = 1000;
SET SESSION sql_big_selects = 1;
SET SESSION max_statement_time = 60;
SET SESSION div_precision_increment = 4;
-- Memory: a sort takes whole names, and a temporary table has room, without which lists come back cut. More would be taken of the server at once.
SET SESSION max_sort_length = 4096;
SET SESSION sort_buffer_size = 1048576;
SET SESSION tmp_table_size = 16777216;
SET SESSION max_heap_table_size = 16777216;
-- Joins by hash, not each row with each.
SET SESSION join_cache_level = 4;
SET SESSION join_buffer_size = 262144;
SET SESSION join_buffer_space_limit = 33554432;
SET SESSION optimizer_switch = 'derived_merge=off,derived_with_keys=on,materialization=on,join_cache_hashed=on,optimize_join_buffer_size=on';
