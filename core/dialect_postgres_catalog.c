/* SPDX-License-Identifier: MIT */
/* One statement finds a table by schema or search path; to_regclass does what a name in a query
   does. It takes PostgreSQL 12 and later; what came after that is read through to_jsonb. A domain
   is followed to its base type; its length may be set on any level. */
#include "dialect_catalog.h"

#define RELATION                                                                                  \
  "pg_catalog.to_regclass(case when $1::text = '' then pg_catalog.quote_ident($2::text) else "    \
  "pg_catalog.quote_ident($1::text) || '.' || pg_catalog.quote_ident($2::text) end)"

/* Types whose equal values have equal bytes and whose order is the order of values. */
#define PLAIN "(16, 17, 20, 21, 23, 26, 700, 701, 1700, 1082, 1083, 1114, 1184, 2950)"

const char weft_postgres_catalog[] =
    "with recursive base as ("
    " select a.attnum, a.atttypid as typ, a.atttypmod as typmod, a.attnotnull as filled,"
    " false as defaulted from pg_catalog.pg_attribute a"
    " where a.attrelid = " RELATION " and a.attnum > 0 and not a.attisdropped"
    " union all"
    " select b.attnum, t.typbasetype, case when b.typmod >= 0 then b.typmod else t.typtypmod end,"
    " b.filled or t.typnotnull, b.defaulted or t.typdefault is not null"
    " from base b join pg_catalog.pg_type t on t.oid = b.typ and t.typtype = 'd'),"
    " db as materialized (select coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')"
    " as provider, d.datcollate as name from pg_catalog.pg_database d"
    " where d.datname = pg_catalog.current_database())"
    " select a.attname::text as name,"
    " pg_catalog.format_type(a.atttypid, a.atttypmod) as declared,"
    " t.oid::int8 as oid,"
    " (case when t.typcategory = 'A' then t.typelem else 0 end)::int8 as elem_oid,"
    " b.filled as not_null,"
    " b.defaulted or a.atthasdef and a.attgenerated = '' or a.attidentity <> '' as has_default,"
    " a.attgenerated <> '' as generated,"
    " coalesce((select k.place from pg_catalog.pg_index i cross join lateral"
    " pg_catalog.unnest(i.indkey::int2[]) with ordinality as k(attnum, place)"
    " where i.indrelid = a.attrelid and i.indisprimary and k.attnum = a.attnum"
    " and k.place <= i.indnkeyatts), 0)::int8 as key_position,"
    " exists(select 1 from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indisunique"
    " and i.indisvalid and i.indpred is null and i.indkey[0] = a.attnum and i.indnkeyatts = 1)"
    " as unique_alone,"
    " case when t.oid in " PLAIN " then 'binary'"
    " when t.typtype = 'e' then 'equal'"
    " when a.attcollation = 0 or t.oid = 1042 or t.typname = 'citext' or t.typcategory = 'A'"
    " then 'unknown'"
    " else (select case when not co.collisdeterministic then 'unknown'"
    " when co.collname in ('ucs_basic', 'pg_c_utf8') then 'binary'"
    " when case co.collprovider when 'd' then db.provider else co.collprovider::text end = 'c'"
    " and pg_catalog.lower(pg_catalog.replace(case co.collprovider when 'd' then db.name"
    " else co.collcollate end, '-', '')) in ('c', 'posix', 'c.utf8') then 'binary'"
    " else 'equal' end from pg_catalog.pg_collation co, db where co.oid = a.attcollation)"
    " end as collation,"
    " b.typmod::int8 as typmod,"
    " case when t.typtype = 'e' then 'enum' else t.typcategory::text end as kind"
    " from base b join pg_catalog.pg_type t on t.oid = b.typ and t.typtype <> 'd'"
    " join pg_catalog.pg_attribute a on a.attrelid = " RELATION " and a.attnum = b.attnum"
    " where (select c.relkind from pg_catalog.pg_class c where c.oid = " RELATION ")"
    " in ('r', 'p', 'v', 'm', 'f') order by a.attnum";

/* Names of the columns whose numbers are in a list, in its order. */
#define NAMES(relation, numbers, last)                                                             \
  "(select pg_catalog.json_agg(a.attname order by k.place)"                                        \
  " from pg_catalog.unnest(" numbers ") with ordinality as k(number, place)"                       \
  " join pg_catalog.pg_attribute a on a.attrelid = " relation " and a.attnum = k.number"           \
  " where k.place <= " last ")"
#define SHOWN "case when pg_catalog.pg_table_is_visible(t.oid) then '' else n.nspname::text end"
#define INDEX_NAMES NAMES("i.indrelid", "i.indkey::int2[]", "i.indnkeyatts")

/* A key of a partitioned table has copies for every partition: they have a parent. */
const char weft_postgres_keys[] =
    "with f as materialized (select c.*, " SHOWN " as schema, t.relname::text as name"
    " from pg_catalog.pg_constraint c join pg_catalog.pg_class s on s.oid = c.conrelid"
    " join pg_catalog.pg_class t on t.oid = c.confrelid"
    " join pg_catalog.pg_namespace n on n.oid = t.relnamespace"
    " where c.contype = 'f' and c.conparentid = 0 and not s.relispartition"
    " and not pg_catalog.pg_is_other_temp_schema(s.relnamespace)),"
    " r as materialized (select t.oid, " SHOWN " as schema, t.relname::text as name"
    " from pg_catalog.pg_class t join pg_catalog.pg_namespace n on n.oid = t.relnamespace"
    " where t.oid in (select conrelid from f union select confrelid from f)),"
    " k as materialized (select f.conrelid, pg_catalog.json_agg(pg_catalog.json_build_array("
    "f.oid::int8, f.conname, a.attname, f.schema, f.name, b.attname) order by f.oid, p.place) as list"
    " from f cross join lateral rows from (pg_catalog.unnest(f.conkey), pg_catalog.unnest(f.confkey))"
    " with ordinality as p(here, there, place)"
    " join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = p.here"
    " join pg_catalog.pg_attribute b on b.attrelid = f.confrelid and b.attnum = p.there"
    " group by f.conrelid)"
    " select r.schema, r.name,"
    " (select pg_catalog.json_agg(pg_catalog.json_build_array(a.attname,"
    " a.attnotnull or t.typnotnull) order by a.attnum)::text from pg_catalog.pg_attribute a"
    " join pg_catalog.pg_type t on t.oid = a.atttypid"
    " where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped) as columns,"
    " coalesce((select " INDEX_NAMES "::text from pg_catalog.pg_index i"
    " where i.indrelid = r.oid and i.indisprimary), '[]') as \"primary\","
    " coalesce((select pg_catalog.json_agg(" INDEX_NAMES ")::text from pg_catalog.pg_index i"
    " where i.indrelid = r.oid and i.indisunique and i.indisvalid and not i.indisexclusion"
    " and i.indpred is null and i.indexprs is null), '[]') as uniques,"
    " coalesce(k.list::text, '[]') as keys from r left join k on k.conrelid = r.oid";

static const struct named {
  uint32_t oid;
  uint8_t type, size;
  const char *name;
} types[] = {
    {16, WEFT_BOOL, 0, "boolean"},
    {17, WEFT_BYTES, 0, "bytea"},
    {18, WEFT_TEXT, 0, "\"char\""},
    {19, WEFT_TEXT, 0, "name"},
    {20, WEFT_INT, 8, "bigint"},
    {21, WEFT_INT, 2, "smallint"},
    {23, WEFT_INT, 4, "integer"},
    {25, WEFT_TEXT, 0, "text"},
    {26, WEFT_ANY, 0, "oid"},
    {114, WEFT_JSON, 0, "json"},
    {700, WEFT_FLOAT, 4, "real"},
    {701, WEFT_FLOAT, 8, "double precision"},
    {1042, WEFT_TEXT, 0, "bpchar"},
    {1043, WEFT_TEXT, 0, "varchar"},
    {1082, WEFT_DATE, 0, "date"},
    {1083, WEFT_TIME, 0, "time"},
    {1114, WEFT_TIMESTAMP, 0, "timestamp"},
    {1184, WEFT_TIMESTAMPTZ, 0, "timestamptz"},
    {1186, WEFT_INTERVAL, 0, "interval"},
    {1266, WEFT_ANY, 0, "timetz"},
    {1560, WEFT_ANY, 0, "\"bit\""},
    {1562, WEFT_ANY, 0, "varbit"},
    {1700, WEFT_DECIMAL, 0, "numeric"},
    {2950, WEFT_UUID, 0, "uuid"},
    {3802, WEFT_JSON, 0, "jsonb"},
};

static const struct named *find(uint32_t oid) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].oid == oid) return &types[i];
  return NULL;
}

void weft_postgres_column_type(const struct weft_catalog_type *t, struct weft_column_type *out) {
  const struct named *known = find(t->oid), *elem = find(t->elem_oid);
  *out = (struct weft_column_type){.type = WEFT_ANY, .precision = -1, .scale = -1, .oid = t->oid,
                                   .elem_oid = t->elem_oid};
  if (known) {
    out->type = known->type;
    out->size = known->size;
  } else if (t->elem_oid) {
    out->type = WEFT_ARRAY;
    out->elem = elem ? elem->type : WEFT_ANY;
    out->size = elem ? elem->size : 0;
  } else if (weft_slice_equal(t->kind, WEFT_LIT("enum")) ||
             weft_slice_equal(t->kind, WEFT_LIT("S"))) {
    out->type = WEFT_TEXT;
  }
  if (t->typmod < 4) return;
  uint32_t mod = (uint32_t)t->typmod - 4;
  if (t->oid == 1042 || t->oid == 1043) out->precision = mod > INT16_MAX ? -1 : (int16_t)mod;
  int scale = (int)((mod & 0x7ff) ^ 1024) - 1024;
  if (t->oid != 1700 || scale < 0) return;
  out->precision = (int16_t)(mod >> 16);
  out->scale = (int16_t)scale;
}

/* declared without "(10,2)", when nothing else stands in it than a name may need. */
static bool stripped(struct weft_buf *out, struct weft_slice declared) {
  bool quoted = false;
  size_t before = out->n;
  for (size_t i = 0; i < declared.n; i++) {
    char c = declared.p[i];
    if (c == '"') quoted = !quoted;
    if (!quoted && c == '(') {
      while (i < declared.n && declared.p[i] != ')') i++;
      continue;
    }
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c && strchr("_ .[]\"$", c)) || (c & 0x80);
    if (!quoted && !word) {
      out->n = before;
      return false;
    }
    weft_buf_char(out, c);
  }
  if (quoted) out->n = before;
  return !quoted && declared.n > 0;
}

bool weft_postgres_type_name(struct weft_buf *out, const struct weft_column_type *type,
                             struct weft_slice declared) {
  const struct named *known = find(type->oid), *elem = find(type->elem_oid);
  if (known) {
    weft_buf_str(out, known->name);
    return true;
  }
  if (elem && type->type == WEFT_ARRAY) {
    weft_buf_str(out, elem->name);
    weft_buf_lit(out, "[]");
    return true;
  }
  return stripped(out, declared);
}

enum weft_collation weft_postgres_collation(struct weft_slice told, struct weft_slice name) {
  (void)name;
  if (weft_slice_equal(told, WEFT_LIT("binary"))) return WEFT_COLLATE_BINARY;
  if (weft_slice_equal(told, WEFT_LIT("equal"))) return WEFT_COLLATE_EQUAL;
  return WEFT_COLLATE_UNKNOWN;
}
