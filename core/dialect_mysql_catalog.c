/* SPDX-License-Identifier: MIT */
/* information_schema opens every table that it is not told to leave alone, of all schemas: each of its tables is asked
   for the schema and the table of a row that is known before anything is read, which counts as constants.

   MariaDB's json is longtext with a check that stands nowhere but among the constraints: they are looked at for a
   column that may be one. What only MariaDB has stands in a comment that only MariaDB executes, without marks. */
#include "dialect_catalog.h"

#define HERE(schema, table) schema " = p.s and " table " = p.t"
#define NAME(column) "replace(" column ", '`', '``')"

const char weft_mysql_catalog[] =
    "with p as (select coalesce(nullif(?, ''), database()) as s, ? as t) select c.column_name as name,"
    " concat(c.column_type, coalesce(concat(' collate ', c.collation_name), '')) as declared,"
    " 0 as oid, 0 as elem_oid, c.is_nullable = 'NO' as not_null,"
    " coalesce(c.column_default <> 'NULL', false) or c.extra like '%auto_increment%' as has_default,"
    " coalesce(c.generation_expression <> '', false) as `generated`,"
    " coalesce(k.place, 0) as key_position, coalesce(k.alone, false) as unique_alone,"
    " coalesce(c.collation_name, 'binary') as collation, -1 as typmod,"
    " case when c.data_type = 'longtext' and c.collation_name = 'utf8mb4_bin'"
    " /*M!100200 and exists(select 1 from p, information_schema.check_constraints j"
    " where " HERE("j.constraint_schema", "j.table_name")
    " and j.check_clause = concat('json_valid(`', " NAME("c.column_name") ", '`)')) */"
    " then 'json' else c.data_type end as kind"
    " from p join information_schema.columns c left join (select column_name,"
    " max(if(index_name = 'PRIMARY', seq_in_index, 0)) as place, max(alone) as alone"
    " from (select column_name, index_name, seq_in_index,"
    " non_unique = 0 and count(*) over (partition by index_name) = 1 as alone"
    " from p, information_schema.statistics where " HERE("table_schema", "table_name") ") i"
    " where column_name is not null group by column_name) k on k.column_name = c.column_name"
    " where " HERE("c.table_schema", "c.table_name") " order by c.ordinal_position";

#define LIST(item, order) "concat('[', group_concat(" item " order by " order " separator ','), ']')"

/* What is known of the tables is put one below the other and then together by name: a join of derived tables
   would compare every name with every other. A key is put at both of its ends in one pass, for what is named twice is
   read twice. A table of another schema is known by the columns that keys point at. */
const char weft_mysql_keys[] =
    "with f as (select u.constraint_name as name, u.table_name as here, u.column_name as from_column,"
    " u.ordinal_position as place, nullif(u.referenced_table_schema, database()) as there_schema,"
    " u.referenced_table_name as there, u.referenced_column_name as to_column,"
    " dense_rank() over (order by u.table_name, u.constraint_name) as number"
    " from information_schema.key_column_usage u"
    " where u.table_schema = database() and u.referenced_table_name is not null"
    " and (u.referenced_table_schema <> database() or u.referenced_table_name in"
    " (select table_name from information_schema.tables where table_schema = database()))),"
    " c as (select table_name as name, "
    LIST("json_array(column_name, is_nullable = 'NO')", "ordinal_position") " as list"
    " from information_schema.columns where table_schema = database() group by table_name),"
    " i as (select table_name as name, index_name, "
    LIST("json_quote(column_name)", "seq_in_index") " as list, min(column_name is not null) as plain"
    " from information_schema.statistics where table_schema = database() and non_unique = 0"
    " and sub_part is null group by table_name, index_name),"
    " u as (select name, max(if(index_name = 'PRIMARY', list, null)) as prime, "
    LIST("list", "index_name") " as list from i where plain group by name),"
    " e as (select if(near, '', coalesce(there_schema, '')) as `schema`, if(near, here, there) as at, number,"
    " group_concat(if(near, json_array(number, name, from_column, coalesce(there_schema, ''), there, to_column),"
    " null) order by place separator ',') as pairs,"
    " group_concat(json_array(to_column, false) order by place separator ',') as columns, "
    LIST("json_quote(to_column)", "place") " as list"
    " from f cross join (select true as near union all select false) n group by near, number, `schema`, at)"
    " select /*+ set_var(group_concat_max_len = 4294967295) */ `schema`, name as `table`,"
    " if(`schema` = '', max(list), " LIST("distinct columns", "columns") ") as columns,"
    " coalesce(max(prime), '[]') as `primary`,"
    " if(`schema` = '', coalesce(max(uniques), '[]'), " LIST("distinct far", "far") ") as uniques,"
    " coalesce(" LIST("pairs", "number") ", '[]') as `keys` from"
    " (select '' as `schema`, name, list, null as prime, null as uniques, null as columns, null as far,"
    " null as pairs, null as number, false as met from c"
    " union all select '', name, null, prime, list, null, null, null, null, false from u"
    " union all select `schema`, at, null, null, null, columns, list, pairs, number, true from e) t"
    " group by `schema`, name having max(met)";

/* ---- types ---- */

static const struct named {
  const char *name;
  uint8_t type, size, unsigned_size; /* an unsigned integer needs the next larger size; a time may be a span */
} types[] = {
    {"tinyint", WEFT_INT, 2, 2},    {"smallint", WEFT_INT, 2, 4},    {"mediumint", WEFT_INT, 4, 4},
    {"int", WEFT_INT, 4, 8},        {"bigint", WEFT_INT, 8, 0},      {"year", WEFT_INT, 2, 2},
    {"bit", WEFT_INT, 8, 0},        {"float", WEFT_FLOAT, 4, 4},     {"double", WEFT_FLOAT, 8, 8},
    {"decimal", WEFT_DECIMAL, 65, 65}, {"char", WEFT_TEXT, 0, 0},      {"varchar", WEFT_TEXT, 0, 0},
    {"tinytext", WEFT_TEXT, 0, 0},  {"text", WEFT_TEXT, 0, 0},       {"mediumtext", WEFT_TEXT, 0, 0},
    {"longtext", WEFT_TEXT, 0, 0},  {"enum", WEFT_TEXT, 0, 0},       {"set", WEFT_TEXT, 0, 0},
    {"binary", WEFT_BYTES, 0, 0},   {"varbinary", WEFT_BYTES, 0, 0}, {"tinyblob", WEFT_BYTES, 0, 0},
    {"blob", WEFT_BYTES, 0, 0},     {"mediumblob", WEFT_BYTES, 0, 0}, {"longblob", WEFT_BYTES, 0, 0},
    {"json", WEFT_JSON, 0, 0},      {"uuid", WEFT_UUID, 0, 0},       {"date", WEFT_DATE, 0, 0},
    {"time", WEFT_TIME, 1, 1},      {"datetime", WEFT_TIMESTAMP, 0, 0},
    {"timestamp", WEFT_TIMESTAMPTZ, 0, 0},
};

static const struct named *find(struct weft_slice kind) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (weft_slice_equal(kind, weft_slice_of(types[i].name))) return &types[i];
  return NULL;
}

static bool says(struct weft_slice declared, const char *words) {
  return declared.n && memmem(declared.p, declared.n, words, strlen(words));
}

/* The number behind this byte of the declaration; -1: there is none. */
static int16_t number_behind(struct weft_slice s, char mark) {
  const char *p = s.n ? memchr(s.p, mark, s.n) : NULL, *end = s.p + s.n;
  int value = 0;
  if (!p) return -1;
  for (p++; p < end && *p >= '0' && *p <= '9' && value < 3000; p++) value = value * 10 + (*p - '0');
  return (int16_t)value;
}

/* 64 bits without a sign go beyond an integer. */
static void set_large(struct weft_column_type *out) {
  *out = (struct weft_column_type){.type = WEFT_DECIMAL, .precision = 20, .scale = 0};
}

void weft_mysql_column_type(const struct weft_catalog_type *t, struct weft_column_type *out) {
  const struct named *known = find(t->kind);
  struct weft_slice d = t->declared;
  *out = (struct weft_column_type){.type = WEFT_ANY, .precision = -1, .scale = -1};
  if (!known) return;
  bool bits = strcmp(known->name, "bit") == 0, is_unsigned = says(d, " unsigned");
  out->type = known->type;
  out->size = is_unsigned ? known->unsigned_size : known->size;
  out->utf8 = known->type == WEFT_TEXT;
  if (weft_slice_equal(d, WEFT_LIT("tinyint(1)"))) out->type = WEFT_BOOL, out->size = 0;
  else if (known->type == WEFT_INT && (bits ? number_behind(d, '(') > 63 : !out->size)) set_large(out);
  else if (known->type == WEFT_DECIMAL)
    out->precision = number_behind(d, '('), out->scale = number_behind(d, ',');
  else if (known->type == WEFT_TEXT && says(t->kind, "char")) out->precision = number_behind(d, '(');
}

/* ---- collations ---- */

static bool begins(struct weft_slice s, const char *with) {
  size_t n = strlen(with);
  return s.n >= n && memcmp(s.p, with, n) == 0;
}

static bool ends(struct weft_slice s, const char *with) {
  size_t n = strlen(with);
  return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

/* The binary ones of Unicode order by code point, which is the order of bytes; most of them as if spaces
   followed the shorter text. */
enum weft_collation weft_mysql_collation(struct weft_slice told, struct weft_slice name) {
  (void)name;
  if (weft_slice_equal(told, WEFT_LIT("binary"))) return WEFT_COLLATE_BINARY;
  if (!begins(told, "utf8") && !begins(told, "ascii")) return WEFT_COLLATE_UNKNOWN;
  if (ends(told, "_nopad_bin") || ends(told, "_0900_bin")) return WEFT_COLLATE_BINARY;
  return ends(told, "_bin") ? WEFT_COLLATE_RTRIM : WEFT_COLLATE_UNKNOWN;
}
