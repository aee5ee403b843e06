/* SPDX-License-Identifier: MIT */
/* A whole PostgreSQL database by pg_catalog alone, of version 12 and later; what came after that is read
   through to_jsonb. Lists of columns are their numbers: whoever reads them knows the names, and the server
   need not look each up again. */
#include "dialect_schema.h"

#include <stddef.h>

#define OURS(n) n ".nspname not like 'pg\\_%' and " n ".nspname <> 'information_schema'"
#define NOT_OF_EXTENSION(oid, class)                                                               \
  "not exists (select 1 from pg_catalog.pg_depend e where e.refclassid ="                          \
  " 'pg_catalog.pg_extension'::pg_catalog.regclass and e.deptype = 'e'"                            \
  " and e.classid = 'pg_catalog." class "'::pg_catalog.regclass and e.objid = " oid ")"

/* Everything that has columns, but partitions: they are their parent's. Whoever reads the rows leaves out what
   belongs to no table that he knows. */
#define RELATIONS                                                                                  \
  "r as materialized (select c.*, n.nspname from pg_catalog.pg_class c"                            \
  " join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'f', 'v', 'm')" \
  " and not c.relispartition and c.relpersistence <> 't' and " OURS("n") ")"
#define COMMENT(id, class, part)                                                                   \
  " left join pg_catalog.pg_description m on m.objoid = " id " and m.objsubid = " part             \
  " and m.classoid = 'pg_catalog." class "'::pg_catalog.regclass"
#define OWN_TYPES(kind)                                                                            \
  " from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace"            \
  COMMENT("t.oid", "pg_type", "0")                                                                 \
  " where t.typtype = '" kind "' and " OURS("n") " and " NOT_OF_EXTENSION("t.oid", "pg_type")
#define NAMED_TYPE                                                                                 \
  "select t.oid::int8 as id, n.nspname::text as schema, t.typname::text as name,"                  \
  " pg_catalog.pg_type_is_visible(t.oid) as \"visible?\", m.description as comment,"
#define BY_NAME " order by n.nspname, t.typname"
#define ACTION(x)                                                                                  \
  "case " x " when 'a' then 'no action' when 'r' then 'restrict' when 'c' then 'cascade'"          \
  " when 'n' then 'set null' else 'set default' end"

#define TABLES                                                                                     \
  "with " RELATIONS " select r.oid::int8 as id, r.nspname::text as schema, r.relname::text as name," \
  " pg_catalog.pg_table_is_visible(r.oid) as \"visible?\","                                        \
  " case r.relkind when 'r' then 'table' when 'p' then 'partitioned' when 'f' then 'foreign'"      \
  " when 'v' then 'view' else 'materialized_view' end as kind, m.description as comment,"          \
  " r.reloptions as options, (select pg_catalog.array_agg(i.inhparent::int8 order by i.inhseqno)"  \
  " from pg_catalog.pg_inherits i where i.inhrelid = r.oid) as inherits,"                          \
  " case r.relkind when 'p' then pg_catalog.pg_get_partkeydef(r.oid) end as partition_by,"         \
  " case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end as definition"     \
  " from r" COMMENT("r.oid", "pg_class", "0") " where " NOT_OF_EXTENSION("r.oid", "pg_class")

/* Of a type and its modifier. */
#define TYPE_ID(oid, typmod) "((" oid "::int8 << 32) + " typmod ")"
#define COLLATION(x) "case when " x " not in (0, 100) then (select o.collname::text from"          \
  " pg_catalog.pg_collation o where o.oid = " x ") end as collation"

#define COLUMNS                                                                                    \
  "with " RELATIONS " select a.attrelid::int8 as owner, a.attnum::int8 as number,"                 \
  " a.attname::text as name, " TYPE_ID("a.atttypid", "a.atttypmod") " as type,"                    \
  " not a.attnotnull as \"nullable?\","                                                            \
  " case a.attgenerated when '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end as \"default\"," \
  " case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,"          \
  " case when a.attgenerated <> '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end as expression," \
  " case a.attidentity when 'a' then 'always' when 'd' then 'by default' end as identity,"         \
  COLLATION("a.attcollation") ", m.description as comment, not a.attislocal as \"inherited?\""    \
  " from r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0"                  \
  " and not a.attisdropped"                                                                        \
  " left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum"            \
  " and a.atthasdef" COMMENT("a.attrelid", "pg_class", "a.attnum") " order by a.attrelid, a.attnum"

/* Each type once, with what a domain is in the end. */
#define TYPES                                                                                      \
  "with recursive " RELATIONS ", used as materialized (select distinct a.atttypid as oid, a.atttypmod as typmod" \
  " from r join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0"                  \
  " and not a.attisdropped), base as (select u.oid as id, u.typmod as told, u.oid, u.typmod, false as filled" \
  " from used u union all select b.id, b.told, t.typbasetype,"                                     \
  " case when b.typmod >= 0 then b.typmod else t.typtypmod end, b.filled or t.typnotnull"          \
  " from base b join pg_catalog.pg_type t on t.oid = b.oid and t.typtype = 'd')"                   \
  " select " TYPE_ID("b.id", "b.told") " as id, pg_catalog.format_type(b.id, b.told) as type,"     \
  " t.oid::int8 as oid, (case t.typcategory when 'A' then t.typelem else 0 end)::int8 as elem_oid," \
  " b.typmod::int8 as typmod, case t.typtype when 'e' then 'enum' else t.typcategory::text end as category," \
  " case when b.id <> b.oid then b.id::int8 end as domain,"                                        \
  " case when b.id <> b.oid then pg_catalog.format_type(b.oid, b.typmod) end as base,"             \
  " case when coalesce(e.typtype, t.typtype) = 'e' then coalesce(e.oid, t.oid)::int8 end as enum," \
  " b.filled as \"not_null?\", " COLLATION("t.typcollation")                                       \
  " from base b join pg_catalog.pg_type t on t.oid = b.oid and t.typtype <> 'd'"                   \
  " left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'"

/* A column of a catalog that older servers do not have, without asking which one this is: inside of the
   subquery its name means the column where there is one, else the constant around it. */
#define MAYBE(column, type, from, shown)                                                           \
  "(select null::" type " as " column ") absent cross join lateral (select " shown ", " column     \
  " as maybe from pg_catalog." from ")"
#define INDEX                                                                                      \
  MAYBE("indnullsnotdistinct", "bool", "pg_index i",                                               \
        "i.indexrelid, i.indrelid, i.indkey::int2[], i.indoption::int2[], i.indclass::oid[],"      \
        " i.indcollation::oid[], i.indnatts, i.indnkeyatts, i.indisunique, i.indisvalid, i.indislive,"  \
        " i.indexprs, i.indpred") " i"
#define INCLUDED "case when i.indnatts > i.indnkeyatts then i.indkey[i.indnkeyatts:] end as include"

#define KEYS                                                                                       \
  "select c.conrelid::int8 as owner, c.conname::text as name, c.contype = 'p' as \"primary?\","    \
  " c.conkey as columns, " INCLUDED ", i.maybe as \"nulls_not_distinct?\","                        \
  " c.condeferrable as \"deferrable?\", c.condeferred as \"initially_deferred?\""                  \
  " from " INDEX " join pg_catalog.pg_constraint c on c.conindid = i.indexrelid"                   \
  " where c.contype in ('p', 'u') order by c.conrelid, c.conname"

/* The copies that partitions have of a key have a parent. */
#define FOREIGN_KEYS                                                                               \
  "select c.conrelid::int8 as owner, c.conname::text as name, c.conkey as columns,"                \
  " c.confrelid::int8 as target_id, n.nspname::text as schema, t.relname::text as \"table\","      \
  " c.confkey as target, " ACTION("c.confupdtype") " as on_update, " ACTION("c.confdeltype")       \
  " as on_delete, case c.confmatchtype when 'f' then 'full' end as match,"                         \
  " c.condeferrable as \"deferrable?\", c.condeferred as \"initially_deferred?\","                 \
  " not c.convalidated as \"not_valid?\", c.maybe as set_columns"                                  \
  " from " MAYBE("confdelsetcols", "int2[]", "pg_constraint c", "c.*") " c"                        \
  " join pg_catalog.pg_class t on t.oid = c.confrelid"                                             \
  " join pg_catalog.pg_namespace n on n.oid = t.relnamespace"                                      \
  " where c.contype = 'f' and c.conparentid = 0 order by c.conrelid, c.conname"

/* What a list of columns and their order does not say. */
#define SPECIAL                                                                                    \
  "i.indexprs is not null or not i.indcollation <@ array[0::oid, 100::oid]"                        \
  " or i.indclass && (select pg_catalog.array_agg(o.oid) from pg_catalog.pg_opclass o"             \
  " where not o.opcdefault)"
#define PARTS                                                                                      \
  "(select pg_catalog.json_agg(pg_catalog.json_strip_nulls(pg_catalog.json_build_object("          \
  "'column', a.attname, 'expression', case when k.attnum = 0 then"                                 \
  " pg_catalog.pg_get_indexdef(i.indexrelid, k.place::int, false) end,"                            \
  " 'opclass', case when not o.opcdefault then o.opcname end,"                                     \
  " 'collation', case when k.coll not in (0, 100, coalesce(a.attcollation, 0)) then l.collname end))" \
  " order by k.place) from rows from (pg_catalog.unnest(i.indkey), pg_catalog.unnest(i.indclass)," \
  " pg_catalog.unnest(i.indcollation)) with ordinality as k(attnum, class, coll, place)"           \
  " left join pg_catalog.pg_opclass o on o.oid = k.class"                                          \
  " left join pg_catalog.pg_collation l on l.oid = k.coll"                                         \
  " left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum"        \
  " where k.place <= i.indnkeyatts)"

#define INDEXES                                                                                    \
  "select i.indrelid::int8 as owner, x.relname::text as name, i.indisunique as \"unique?\","       \
  " am.amname::text as method, i.indkey[0:i.indnkeyatts - 1] as columns,"                          \
  " case when 0 <> any(i.indoption) then i.indoption end as orders,"                               \
  " case when " SPECIAL " then " PARTS "::text end as \"parts[]\", " INCLUDED ","                  \
  " pg_catalog.pg_get_expr(i.indpred, i.indrelid) as \"where\","                                   \
  " not i.indisvalid as \"invalid?\", x.reloptions as options, m.description as comment,"          \
  " i.maybe as \"nulls_not_distinct?\" from " INDEX                                                \
  " join pg_catalog.pg_class x on x.oid = i.indexrelid"                                            \
  " join pg_catalog.pg_namespace n on n.oid = x.relnamespace and " OURS("n")                       \
  " join pg_catalog.pg_am am on am.oid = x.relam" COMMENT("x.oid", "pg_class", "0")                \
  " where i.indislive and not x.relispartition and not exists (select 1 from pg_catalog.pg_constraint c" \
  " where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')) order by i.indrelid, x.relname"

#define CHECKS                                                                                     \
  "select c.conrelid::int8 as owner, c.conname::text as name,"                                     \
  " pg_catalog.pg_get_expr(c.conbin, c.conrelid) as expression, not c.convalidated as \"not_valid?\"," \
  " c.connoinherit as \"no_inherit?\" from pg_catalog.pg_constraint c"                             \
  " join pg_catalog.pg_namespace n on n.oid = c.connamespace"                                      \
  " where c.contype = 'c' and c.conrelid <> 0 and c.conislocal and " OURS("n")                     \
  " order by c.conrelid, c.conname"

#define EXCLUSIONS                                                                                 \
  "select c.conrelid::int8 as owner, c.conname::text as name,"                                     \
  " pg_catalog.pg_get_constraintdef(c.oid) as definition from pg_catalog.pg_constraint c"          \
  " where c.contype = 'x' and c.conparentid = 0 order by c.conrelid, c.conname"

#define PARTITIONS                                                                                 \
  "select i.inhparent::int8 as owner, c.oid::int8 as id, n.nspname::text as schema,"               \
  " c.relname::text as name, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound,"              \
  " case c.relkind when 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as partition_by"          \
  " from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid"                \
  " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                      \
  " where c.relispartition and c.relkind in ('r', 'p', 'f') order by c.oid"

#define TRIGGERS                                                                                   \
  "select g.tgrelid::int8 as owner, g.tgname::text as name,"                                       \
  " case when g.tgtype & 64 <> 0 then 'instead of' when g.tgtype & 2 <> 0 then 'before' else 'after' end" \
  " as timing, pg_catalog.concat_ws(' or ', case when g.tgtype & 4 <> 0 then 'insert' end,"        \
  " case when g.tgtype & 8 <> 0 then 'delete' end, case when g.tgtype & 16 <> 0 then 'update' end," \
  " case when g.tgtype & 32 <> 0 then 'truncate' end) as events,"                                  \
  " pg_catalog.pg_get_triggerdef(g.oid) as statement,"                                             \
  " case when f.prolang in (select l.oid from pg_catalog.pg_language l where l.lanispl)"           \
  " then pg_catalog.pg_get_functiondef(f.oid) end as \"function\" from pg_catalog.pg_trigger g"    \
  " join pg_catalog.pg_proc f on f.oid = g.tgfoid"                                                 \
  " where not g.tgisinternal order by g.tgrelid, g.tgname"

#define ENUMS                                                                                      \
  NAMED_TYPE " (select pg_catalog.array_agg(l.enumlabel::text order by l.enumsortorder)"           \
  " from pg_catalog.pg_enum l where l.enumtypid = t.oid) as \"values\"" OWN_TYPES("e") BY_NAME

#define DOMAINS                                                                                    \
  NAMED_TYPE " pg_catalog.format_type(t.typbasetype, t.typtypmod) as type,"                        \
  " not t.typnotnull as \"nullable?\", t.typdefault as \"default\","                               \
  " coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', c.conname,"          \
  " 'expression', pg_catalog.pg_get_expr(c.conbin, 0)) order by c.conname)"                        \
  " from pg_catalog.pg_constraint c where c.contypid = t.oid and c.contype = 'c')::text, '[]') as \"checks[]\"" \
  OWN_TYPES("d") BY_NAME

#define ROW_TYPES                                                                                  \
  NAMED_TYPE " coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname," \
  " 'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) order by a.attnum)"                   \
  " from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0"                 \
  " and not a.attisdropped)::text, '[]') as \"attributes[]\"" OWN_TYPES("c")                       \
  " and exists (select 1 from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind = 'c')" \
  BY_NAME

/* Those of identity columns are the columns' own affair. */
#define SEQUENCES                                                                                  \
  "select t.oid::int8 as id, n.nspname::text as schema, t.relname::text as name,"                  \
  " pg_catalog.pg_table_is_visible(t.oid) as \"visible?\","                                        \
  " pg_catalog.format_type(s.seqtypid, null) as type, s.seqstart as start, s.seqincrement as increment," \
  " s.seqmin as min, s.seqmax as max, s.seqcycle as \"cycle?\", d.refobjid::int8 as owner,"        \
  " d.refobjsubid::int8 as number from pg_catalog.pg_sequence s"                                   \
  " join pg_catalog.pg_class t on t.oid = s.seqrelid"                                              \
  " join pg_catalog.pg_namespace n on n.oid = t.relnamespace"                                      \
  " left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"    \
  " and d.objid = t.oid and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"             \
  " and d.refobjsubid > 0 and d.deptype in ('a', 'i')"                                             \
  " where t.relpersistence <> 't' and " OURS("n") " and d.deptype is distinct from 'i'"            \
  " and " NOT_OF_EXTENSION("t.oid", "pg_class") BY_RELATION

#define BY_RELATION " order by n.nspname, t.relname"

/* Any change of a catalog's row makes a new one, with another xmin; any removal makes the list shorter. What the
   server itself came with is below FIRST_USER; reading it, too, costs less than a condition where most is not. */
#define FIRST_USER "16384"
#define STAMP(catalog, where)                                                                      \
  "(select pg_catalog.hash_array_extended(pg_catalog.array_agg(c.xmin), 0) from pg_catalog." catalog \
  " c where " where ")"
#define VERSION                                                                                    \
  "select array[" STAMP("pg_class", "true") ", " STAMP("pg_attribute", "true") ", "              \
  STAMP("pg_constraint", "c.oid >= " FIRST_USER) ", "                                              \
  STAMP("pg_index", "c.indexrelid >= " FIRST_USER) ", "                                            \
  STAMP("pg_type", "c.oid >= " FIRST_USER " and c.typtype in ('e', 'd')") ", "                     \
  STAMP("pg_enum", "true") ", " STAMP("pg_sequence", "true") ", "                                  \
  STAMP("pg_description", "c.objoid >= " FIRST_USER) ", "                                          \
  STAMP("pg_rewrite", "c.ev_class >= " FIRST_USER) ", "                                            \
  STAMP("pg_trigger", "not c.tgisinternal") ", " STAMP("pg_namespace", "c.oid >= " FIRST_USER)     \
  "]::text as version"

const struct weft_schema_part weft_postgres_schema[] = {
    {"version", VERSION, NULL},
    {"tables", TABLES, NULL},
    {"columns", COLUMNS, NULL},
    {"types", TYPES, NULL},
    {"keys", KEYS, NULL},
    {"foreign_keys", FOREIGN_KEYS, NULL},
    {"indexes", INDEXES, NULL},
    {"checks", CHECKS, NULL},
    {"exclusions", EXCLUSIONS, NULL},
    {"partitions", PARTITIONS, NULL},
    {"triggers", TRIGGERS, NULL},
    {"enums", ENUMS, NULL},
    {"domains", DOMAINS, NULL},
    {"row_types", ROW_TYPES, NULL},
    {"sequences", SEQUENCES, NULL},
    {NULL, NULL, NULL},
};
