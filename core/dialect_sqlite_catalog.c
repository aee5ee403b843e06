/* SPDX-License-Identifier: MIT */
/* SQLite tells no column's collation by SQL. Where the table's own text speaks of none, all are
   binary; otherwise the catalog hands out that text and it is read here, with the lexer of raw
   statements. */
#include "dialect_catalog.h"
#include "render.h"

/* A rowid alias, the one INTEGER key without an index of its own, is not NULL and has a default. */
const char weft_sqlite_catalog[] =
    "with c as (select cid, name, type, \"notnull\" as filled, dflt_value, pk, hidden,"
    " pk = 1 and upper(type) = 'INTEGER'"
    " and (select max(pk) from pragma_table_xinfo(?2, nullif(?1, ''))) = 1"
    " and not exists(select 1 from pragma_index_list(?2, nullif(?1, '')) where origin = 'pk')"
    " as is_rowid from pragma_table_xinfo(?2, nullif(?1, '')) where hidden <> 1),"
    " s as (select coalesce((select sql from sqlite_temp_schema where ?1 in ('', 'temp')"
    " and type = 'table' and name = ?2 collate nocase),"
    " (select sql from sqlite_schema where ?1 in ('', 'main') and type = 'table'"
    " and name = ?2 collate nocase)) as sql)"
    " select name, type as declared, 0 as oid, 0 as elem_oid,"
    " filled or is_rowid or (pk and exists(select 1 from pragma_table_list l where l.name = ?2"
    " collate nocase and l.schema = coalesce(nullif(?1, ''), 'main') and l.wr)) as not_null,"
    " dflt_value is not null and hidden = 0 or is_rowid as has_default,"
    " hidden in (2, 3) as generated, pk as key_position,"
    " is_rowid or exists(select 1 from pragma_index_list(?2, nullif(?1, '')) i"
    " where i.\"unique\" and not i.partial and 1 = (select count(*) from"
    " pragma_index_xinfo(i.name, nullif(?1, '')) x where x.key)"
    " and exists(select 1 from pragma_index_xinfo(i.name, nullif(?1, '')) x"
    " where x.key and x.cid = c.cid)) as unique_alone,"
    " case when s.sql is null or s.sql like 'create virtual%' then 'unknown'"
    " when s.sql like '%collate%' then s.sql else 'binary' end as collation,"
    " -1 as typmod, '' as kind from c, s order by cid";

/* A key that names no columns of the other table means its primary key. Where no index of its own
   serves the primary key it is the rowid, which is never NULL. */
const char weft_sqlite_keys[] =
    "with t as materialized (select 'temp' as own, '' as schema, name from sqlite_temp_schema"
    " where type = 'table' union all select 'main', case when exists(select 1 from"
    " sqlite_temp_schema h where h.name = s.name collate nocase and h.type in ('table', 'view'))"
    " then 'main' else '' end, name from sqlite_schema s where type = 'table'),"
    " f as materialized (select t.own, t.name, p.schema, p.name as target, k.id, k.seq,"
    " k.\"from\" as here, k.\"to\" as there"
    " from t cross join pragma_foreign_key_list(t.name, t.own) k" /* cross: in this order */
    " cross join t p on p.own = t.own and p.name = k.\"table\" collate nocase),"
    " k as materialized (select own, name, json_group_array(json_array(id, null, here, schema,"
    " target, (select x.name from pragma_table_xinfo(target, own) x where"
    " case when there is null then x.pk = seq + 1 else x.name = there collate nocase end))) as list"
    " from (select * from f order by own, name, id, seq) group by own, name)"
    " select t.schema, t.name as \"table\","
    " (select json_group_array(json_array(c.name, c.\"notnull\" or (c.pk and not exists("
    "select 1 from pragma_index_list(t.name, t.own) where origin = 'pk'))))"
    " from pragma_table_xinfo(t.name, t.own) c where c.hidden <> 1) as columns,"
    " (select json_group_array(name) from (select c.name from pragma_table_xinfo(t.name, t.own) c"
    " where c.pk order by c.pk)) as \"primary\","
    " (select json_group_array(json((select json_group_array(x.name)"
    " from pragma_index_info(i.name, t.own) x))) from pragma_index_list(t.name, t.own) i"
    " where i.\"unique\" and not i.partial and not exists(select 1"
    " from pragma_index_info(i.name, t.own) x where x.name is null)) as uniques,"
    " coalesce(k.list, '[]') as keys from t left join k on k.own = t.own and k.name = t.name"
    " where (t.own, t.name) in (select own, name from f union select own, target from f)";

/* ---- types: by the words of the declaration, in SQLite's own order ---- */

static bool mentions(struct weft_slice declared, const char *word) {
  size_t n = strlen(word);
  for (size_t i = 0; i + n <= declared.n; i++) {
    size_t k = 0;
    while (k < n && (declared.p[i + k] & ~32) == word[k]) k++;
    if (k == n) return true;
  }
  return false;
}

/* "(10, 2)" */
static void digits(struct weft_slice declared, struct weft_column_type *out) {
  int16_t found[2] = {-1, -1};
  const char *p = declared.n ? memchr(declared.p, '(', declared.n) : NULL;
  const char *end = declared.p + declared.n;
  if (!p) return;
  for (int i = 0; i < 2 && p < end && *p != ')'; i++) {
    int value = 0, any = 0;
    for (p++; p < end && *p != ',' && *p != ')'; p++)
      if (*p >= '0' && *p <= '9' && value < 1000) value = value * 10 + (*p - '0'), any = 1;
    if (any) found[i] = (int16_t)value;
  }
  out->precision = found[0];
  out->scale = found[0] >= 0 && found[1] < 0 ? 0 : found[1];
}

void weft_sqlite_column_type(const struct weft_catalog_type *t, struct weft_column_type *out) {
  struct weft_slice d = t->declared;
  *out = (struct weft_column_type){.type = WEFT_ANY, .precision = -1, .scale = -1};
  bool other = mentions(d, "POINT") || mentions(d, "INTERVAL");
  if (mentions(d, "BOOL")) {
    out->type = WEFT_BOOL;
  } else if (mentions(d, "JSON")) {
    out->type = WEFT_JSON;
  } else if (mentions(d, "INT") && !other) {
    out->type = WEFT_INT;
    out->size = 8;
  } else if (mentions(d, "CHAR") || mentions(d, "CLOB") || mentions(d, "TEXT")) {
    out->type = WEFT_TEXT;
  } else if (mentions(d, "BLOB")) {
    out->type = WEFT_BYTES;
  } else if (mentions(d, "REAL") || mentions(d, "FLOA") || mentions(d, "DOUB")) {
    out->type = WEFT_FLOAT;
    out->size = 8;
  } else if (mentions(d, "DECIMAL") || mentions(d, "NUMERIC")) {
    out->type = WEFT_DECIMAL;
    digits(d, out);
  }
}

/* ---- collations ---- */

static bool same_fold(struct weft_slice a, struct weft_slice b) {
  if (a.n != b.n) return false;
  for (size_t i = 0; i < a.n; i++) {
    char x = a.p[i], y = b.p[i];
    if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
    if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
    if (x != y) return false;
  }
  return true;
}

/* Whether a token of the table's text, quoted or not, is this name. */
static bool names(int token, struct weft_slice piece, struct weft_slice name) {
  if (token == WEFT_TOKEN_WORD) return same_fold(piece, name);
  if (token != WEFT_TOKEN_QUOTED || piece.n < 2) return false;
  char close = piece.p[piece.n - 1];
  struct weft_buf plain;
  weft_buf_init(&plain);
  for (size_t i = 1; i + 1 < piece.n; i++) {
    weft_buf_char(&plain, piece.p[i]);
    if (close != ']' && piece.p[i] == close) i++; /* a doubled quote */
  }
  bool same = same_fold(weft_buf_slice(&plain), name);
  weft_buf_release(&plain);
  return same;
}

static enum weft_collation collation_named(int token, struct weft_slice piece) {
  if (names(token, piece, WEFT_LIT("binary"))) return WEFT_COLLATE_BINARY;
  if (names(token, piece, WEFT_LIT("nocase"))) return WEFT_COLLATE_NOCASE;
  if (names(token, piece, WEFT_LIT("rtrim"))) return WEFT_COLLATE_RTRIM;
  return WEFT_COLLATE_UNKNOWN;
}

/* create table t (NAME type ... COLLATE x ..., NAME ...): definitions are parted by commas at depth
   1, and a table constraint never begins with a column's name before the last column has come. */
enum weft_collation weft_sqlite_collation(struct weft_slice told, struct weft_slice name) {
  if (weft_slice_equal(told, WEFT_LIT("binary"))) return WEFT_COLLATE_BINARY;
  struct weft_slice piece;
  enum weft_collation found = WEFT_COLLATE_UNKNOWN;
  bool first = false, ours = false, collate = false;
  int token, depth = 0;
  size_t at = 0;
  while ((token = weft_token(&weft_dialect_sqlite, told, &at, &piece, NULL)) > 0) {
    if (token == WEFT_TOKEN_SPACE) continue;
    char c = token == WEFT_TOKEN_OTHER ? piece.p[0] : 0;
    if (c == '(' && ++depth == 1) {
      first = true;
      continue;
    }
    if (c == ')' && --depth == 0) break;
    if (c == ',' && depth == 1) {
      if (ours) break;
      first = true;
      continue;
    }
    if (depth == 1 && first) {
      ours = names(token, piece, name);
      if (ours) found = WEFT_COLLATE_BINARY;
    } else if (depth == 1 && ours) {
      if (collate) found = collation_named(token, piece);
      collate = token == WEFT_TOKEN_WORD && same_fold(piece, WEFT_LIT("collate"));
    }
    first = false;
  }
  return found;
}
