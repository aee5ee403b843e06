/* SPDX-License-Identifier: MIT */
/* A whole database of MySQL or MariaDB by information_schema. What one of them says in its own way stands in a
   comment that only that one executes. MariaDB opens a table for most of what it tells, and joins what it has read
   pair by pair: each of these views is read once, and what belongs together meets in the reader. */
#include "dialect_schema.h"

#include <stddef.h>

/* Long lists are not cut. */
#define SELECT "select /*+ set_var(group_concat_max_len = 4294967295) */ "
#define LIST(item, order) "concat('[', group_concat(" item " order by " order " separator ','), ']')"
#define HERE(column) column " = database()"
#define NAME(column) "replace(" column ", '`', '``')"

/* MariaDB tells of partitions alone whether there are any: create_options has the word. */
#define TABLES                                                                                     \
  "select t.table_name as id, t.table_name as name, 1 as `visible?`,"                              \
  " case when t.table_type like '%VIEW' then 'view' when t.create_options like '%partitioned%'"    \
  " then 'partitioned' else 'table' end as kind,"                                                  \
  " case when t.table_type not like '%VIEW' then nullif(t.table_comment, '') end as comment,"      \
  " t.engine, t.table_collation as collation, substring_index(t.table_collation, '_', 1) as charset," \
  " nullif(trim(replace(t.create_options, 'partitioned', '')), '') as create_options"              \
  " from information_schema.tables t where " HERE("t.table_schema") " and t.table_type <> 'SEQUENCE'"

#define DEFINITIONS                                                                                \
  "select table_name as owner, replace(view_definition, concat('`', " NAME("database()") ", '`.'), '') as definition" \
  " from information_schema.views where " HERE("table_schema")

/* MariaDB's json is longtext with a check of its own; the column's name stands in it between json_valid(` and `). */
#define JSON_COLUMNS                                                                               \
  "select '' as owner, '' as name where false"                                                     \
  " /*M! union all select table_name, replace(substring(check_clause, 13, char_length(check_clause) - 14), '``', '`')" \
  " from information_schema.check_constraints where " HERE("constraint_schema")                    \
  " and check_clause like 'json_valid(`%`)' */"

/* MariaDB tells the text of a default, MySQL its value, unless it is an expression. */
#define DEFAULT                                                                                    \
  "/*M! nullif(c.column_default, 'NULL') */"                                                       \
  " /*!80000 case when c.column_default is null or c.extra not like '%DEFAULT_GENERATED%' and"     \
  " c.data_type in ('int', 'bigint', 'smallint', 'tinyint', 'mediumint', 'decimal', 'float', 'double', 'bit')" \
  " or c.column_default like 'CURRENT_TIMESTAMP%' then c.column_default"                           \
  " when c.extra like '%DEFAULT_GENERATED%' then concat('(', c.column_default, ')')"               \
  " else quote(c.column_default) end */"

#define COLUMNS                                                                                    \
  "select c.table_name as owner, c.ordinal_position as number, c.column_name as name,"             \
  " c.column_type as type, c.is_nullable = 'YES' as `nullable?`, " DEFAULT                         \
  " as `default`, case when c.generation_expression = '' then null"                                \
  " when c.extra like '%VIRTUAL%' then 'virtual' when c.extra like '%STORED%' then 'stored' end as `generated`," \
  " nullif(c.generation_expression, '') as expression, c.extra like '%auto_increment%' as `auto_increment?`," \
  " c.collation_name as collation, nullif(c.column_comment, '') as comment,"                       \
  " c.extra like '%INVISIBLE%' as `hidden?`,"                                                      \
  " if(c.extra like '%on update%', substring(c.extra, locate('on update', lower(c.extra)) + 10), null) as on_update" \
  " from information_schema.columns c where " HERE("c.table_schema") " order by c.table_name, c.ordinal_position"

/* A unique key of plain columns; as long as text is whole in it. */
#define PLAIN "min(non_unique = 0 and sub_part is null and column_name is not null" \
  " and coalesce(collation, 'A') = 'A' and index_type = 'BTREE')"
#define KEYS                                                                                       \
  SELECT "table_name as owner, if(index_name = 'PRIMARY', null, index_name) as name,"              \
  " index_name = 'PRIMARY' as `primary?`, "                                                        \
  LIST("json_quote(column_name)", "seq_in_index") " as `columns[]`"                                \
  " from information_schema.statistics where " HERE("table_schema") " and non_unique = 0"          \
  " group by table_name, index_name having " PLAIN " order by table_name, index_name"

#define INDEXES                                                                                    \
  SELECT "table_name as owner, index_name as name, max(non_unique = 0) as `unique?`,"              \
  " lower(max(index_type)) as method, "                                                            \
  LIST("json_merge_patch('{}', json_object('column', column_name,"                                 \
       " 'order', case when collation = 'D' then 'desc' end, 'length', sub_part"                   \
       " /*!80013 , 'expression', expression */))", "seq_in_index") " as `parts[]`," \
  " nullif(max(index_comment), '') as comment from information_schema.statistics"                  \
  " where " HERE("table_schema") " group by table_name, index_name having not " PLAIN              \
  " order by table_name, index_name"

/* RESTRICT is what MariaDB tells of a key that says nothing, MySQL tells NO ACTION: to both they are one. Who may only
   read a table sees its keys, but not their rules. Keys and rules are put one below the other, then together by name:
   MariaDB would join them pair by pair. */
#define ACTION(rule) "replace(lower(ifnull(max(" rule "), 'no action')), 'restrict', 'no action') as " rule
#define FOREIGN_KEYS                                                                               \
  SELECT "owner, name, max(`columns[]`) as `columns[]`, max(`table`) as `table`,"                  \
  " nullif(max(target_schema), database()) as `schema`, max(target_schema) <> database() as `elsewhere?`," \
  " max(`target[]`) as `target[]`, " ACTION("on_update") ", " ACTION("on_delete") ", max(on_update) is null as `unruled?`" \
  " from (select table_name as owner, constraint_name as name, "                                   \
  LIST("json_quote(column_name)", "ordinal_position") " as `columns[]`,"                           \
  " max(referenced_table_name) as `table`, max(referenced_table_schema) as target_schema, "        \
  LIST("json_quote(referenced_column_name)", "ordinal_position") " as `target[]`,"                 \
  " null as on_update, null as on_delete from information_schema.key_column_usage"                 \
  " where " HERE("table_schema") " and referenced_table_name is not null"                          \
  " group by table_name, constraint_name"                                                          \
  " union all select table_name, constraint_name, null, null, null, null, update_rule, delete_rule" \
  " from information_schema.referential_constraints where " HERE("constraint_schema") ") k"        \
  " group by owner, name having max(`table`) is not null order by owner, name"

#define CHECKS                                                                                     \
  "select owner, name, expression, `column` from (select '' as owner, '' as name, '' as expression," \
  " '' as `column` where false"                                                                    \
  " /*M! union all select table_name, if(level = 'Column', null, constraint_name), check_clause,"  \
  " if(level = 'Column', constraint_name, null) from information_schema.check_constraints"         \
  " where " HERE("constraint_schema") " and not (level = 'Column' and"                             \
  " check_clause = concat('json_valid(`', " NAME("constraint_name") ", '`)')) */"                  \
  " /*!80016 union all select t.table_name, t.constraint_name, c.check_clause, null"               \
  " from information_schema.check_constraints c join information_schema.table_constraints t"       \
  " on t.constraint_schema = c.constraint_schema and t.constraint_name = c.constraint_name"        \
  " and t.constraint_type = 'CHECK' where " HERE("c.constraint_schema") " */) c order by owner, name, `column`"

#define PARTITIONS                                                                                 \
  "select table_name as owner, concat(table_name, '#', partition_name) as id, partition_name as name," \
  " max(partition_description) as bound, concat(max(partition_method), ' (', max(partition_expression), ')')" \
  " as parent_by from information_schema.partitions where " HERE("table_schema")                   \
  " and partition_name is not null group by table_name, partition_name, partition_ordinal_position" \
  " order by table_name, partition_ordinal_position"

#define TRIGGERS                                                                                   \
  "select event_object_table as owner, trigger_name as name, lower(action_timing) as timing,"      \
  " lower(event_manipulation) as events, action_statement as statement from information_schema.triggers" \
  " where " HERE("event_object_schema") " order by event_object_table, action_order, trigger_name"

/* MariaDB's. */
#define SEQUENCES                                                                                  \
  "select table_name as id, table_name as name, 1 as `visible?` from information_schema.tables"    \
  " where " HERE("table_schema") " and table_type = 'SEQUENCE' order by table_name"

/* No time and no number of MySQL's tells of every change, and MariaDB's times are whole seconds: what the
   views say is summed up where it is. */
#define STAMP(view, schema, items)                                                                 \
  "(select concat(count(*), ':', coalesce(sum(crc32(concat_ws('|', " items "))), 0))"              \
  " from information_schema." view " where " HERE(schema) ")"
#define VERSION                                                                                    \
  "select concat_ws(' ', "                                                                         \
  STAMP("tables", "table_schema", "table_name, table_type, engine, table_collation, table_comment, create_options") ", " \
  STAMP("columns", "table_schema", "table_name, ordinal_position, column_name, column_type, is_nullable," \
        " ifnull(column_default, ''), extra, generation_expression, ifnull(collation_name, ''), column_comment") ", " \
  STAMP("statistics", "table_schema", "table_name, index_name, seq_in_index, column_name, non_unique," \
        " ifnull(sub_part, ''), collation, index_type, index_comment /*!80013 , expression */") ", " \
  STAMP("key_column_usage", "table_schema", "table_name, constraint_name, ordinal_position, column_name," \
        " referenced_table_schema, referenced_table_name, referenced_column_name") ", "            \
  STAMP("referential_constraints", "constraint_schema", "table_name, constraint_name, update_rule, delete_rule") ", " \
  STAMP("check_constraints", "constraint_schema", "/*M! table_name, */ constraint_name, check_clause") ", " \
  STAMP("views", "table_schema", "table_name, view_definition") ", "                               \
  STAMP("triggers", "event_object_schema", "event_object_table, trigger_name, action_timing, event_manipulation," \
        " action_statement") ") as version"

const struct weft_schema_part weft_mysql_schema[] = {
    {"version", VERSION, NULL},
    {"tables", TABLES, NULL},
    {"definitions", DEFINITIONS, NULL},
    {"json_columns", JSON_COLUMNS, NULL},
    {"columns", COLUMNS, NULL},
    {"keys", KEYS, NULL},
    {"foreign_keys", FOREIGN_KEYS, NULL},
    {"indexes", INDEXES, NULL},
    {"checks", CHECKS, NULL},
    {"partitions", PARTITIONS, NULL},
    {"triggers", TRIGGERS, NULL},
    {"sequences", SEQUENCES, NULL},
    {NULL, NULL, NULL},
};
