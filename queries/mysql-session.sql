-- What the worker's session sets before it reads the administrators of a MySQL server of any version: settings of the server, and statements
-- that it runs for every new session (init_connect), would otherwise change the answer, cut it without a word, or make it slow.
--
-- They are sent as one statement, so that a server is asked once. None needs a privilege, and nothing outside of this session changes. Where a
-- version lacks a setting, or a value of it, or asks for a privilege (1193, 1231, 1227), they are sent one by one, and that one is passed over.

-- Names come as they are; latin1 would show two Japanese names as one and the same ????.
SET NAMES utf8mb4 COLLATE utf8mb4_bin;
SET SESSION sql_mode = '';
-- GROUP_CONCAT cuts at 1,024 bytes.
SET SESSION group_concat_max_len = 16777216;
SET SESSION cte_max_recursion_depth = 100000;
SET SESSION sql_big_selects = 1;
SET SESSION max_execution_time = 60000;
SET SESSION div_precision_increment = 4;
-- Memory: a sort takes whole names.
SET SESSION max_sort_length = 4096;
SET SESSION sort_buffer_size = 8388608;
SET SESSION tmp_table_size = 67108864;
SET SESSION max_heap_table_size = 67108864;
-- A table that grows out of the memory for all sessions is lost (error 1146, bug 112704): on the disk from the start where there is little of it.
SET SESSION big_tables = @@GLOBAL.internal_tmp_mem_storage_engine = 'MEMORY' OR @@GLOBAL.temptable_max_ram < 1073741824;
-- Joins by hash, in memory, not each row with each.
SET SESSION join_buffer_size = 16777216;
SET SESSION optimizer_switch = CONCAT(
  'block_nested_loop=on,materialization=on', IF(@@optimizer_switch LIKE '%hypergraph_optimizer%', ',hypergraph_optimizer=off', '')
);
