/* SPDX-License-Identifier: MIT */
/* A whole SQLite database: pragmas as table functions, joined to the list of what there is. What no pragma
   tells (checks, names of constraints, generated expressions) is in the text of the create statements. */
#include "dialect_schema.h"

#include <stddef.h>

/* Shadow tables are a virtual table's own affair: part "tables" leaves them out, whoever reads the rows of the
   others drops those of tables that he does not know. */
#define LISTED "l.schema = 'main' and l.type <> 'shadow' and l.name not like 'sqlite\\_%' escape '\\'"
#define TABLES "t as (select name from sqlite_schema where type = 'table')"

#define COLUMNS                                                                                    \
  " x.cid as number, x.name, x.type, not x.\"notnull\" as \"nullable?\","                        \
  " case when x.hidden < 2 then x.dflt_value end as \"default\","                                 \
  " case x.hidden when 2 then 'virtual' when 3 then 'stored' end as generated,"                  \
  " nullif(x.pk, 0) as key, x.hidden = 1 as \"hidden?\""

/* An index tells of its key columns only; -2 is an expression. */
#define PARTS                                                                                      \
  "(select json_group_array(json(part)) from (select json_patch('{}', json_object('column', x.name," \
  " 'order', case when x.\"desc\" then 'desc' end, 'collation', x.coll)) as part"                \
  " from pragma_index_xinfo(s.name, 'main') x where x.key order by x.seqno))"

const struct weft_schema_part weft_sqlite_schema[] = {
    {"version", "select schema_version as version from pragma_schema_version", NULL},
    {"tables",
     "with l as materialized (select * from pragma_table_list l where " LISTED ")"
     " select s.name as id, s.name, 1 as \"visible?\", l.type as kind, l.wr as \"without_rowid?\","
     " l.strict as \"strict?\", s.sql from sqlite_schema s join l on l.name = s.name"
     " where s.type in ('table', 'view') order by s.rowid",
     NULL},
    {"columns",
     "with " TABLES " select t.name as owner," COLUMNS
     " from t cross join pragma_table_xinfo(t.name, 'main') x",
     NULL},
    {"view_columns",
     "select s.name as owner," COLUMNS
     " from sqlite_schema s cross join pragma_table_xinfo(s.name, 'main') x where s.type = 'view'",
     "select ?1 as owner," COLUMNS " from pragma_table_xinfo(?1, 'main') x"},
    {"keys",
     "with " TABLES " select t.name as owner, i.origin = 'pk' as \"primary?\","
     " (select json_group_array(name) from (select x.name from pragma_index_info(i.name, 'main') x"
     " order by x.seqno)) as \"columns[]\""
     " from t cross join pragma_index_list(t.name, 'main') i where i.origin in ('pk', 'u')"
     " order by t.name, i.seq desc",
     NULL},
    {"foreign_keys",
     "with " TABLES " select owner, \"columns[]\", \"target[]\", \"table\", on_update, on_delete from ("
     "select k.owner, k.id, json_group_array(k.here) as \"columns[]\","
     " json_group_array(k.there) as \"target[]\", k.\"table\", lower(k.on_update) as on_update,"
     " lower(k.on_delete) as on_delete"
     " from (select t.name as owner, k.id, k.\"from\" as here, k.\"to\" as there, k.\"table\","
     " k.on_update, k.on_delete from t cross join pragma_foreign_key_list(t.name, 'main') k"
     " order by t.name, k.id, k.seq) k group by k.owner, k.id) order by owner, id desc",
     NULL},
    {"indexes",
     "select s.tbl_name as owner, s.name, s.sql like 'create unique %' as \"unique?\", " PARTS
     " as \"parts[]\", s.sql from sqlite_schema s where s.type = 'index' and s.sql is not null"
     " order by s.tbl_name, s.name",
     NULL},
    {"triggers",
     "select tbl_name as owner, name, sql as statement from sqlite_schema where type = 'trigger'"
     " order by rowid",
     NULL},
    {NULL, NULL, NULL},
};
