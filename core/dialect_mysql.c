/* SPDX-License-Identifier: MIT */
/* MySQL and MariaDB. Everything here is text that both read; what one of them says in its own way stands
   in a comment that only that one executes.

   A list is one JSON parameter, read by json_table in the type and the collation of the column, so that a
   comparison is the column's own and finds the column's index. */
#include "dialect_catalog.h"
#include "json.h"
#include "render.h"
#include "semantics.h"

#define UNSIZED .precision = -1, .scale = -1

/* ---- json paths ---- */

/* MariaDB compares keys as they are written: with the escapes that Weft writes, too. One that begins with -
   it never finds. */
static void step(struct weft_renderer *r, struct weft_buf *out, struct weft_value s) {
  if (s.type == WEFT_INT) {
    if (s.u.i == -1) weft_buf_lit(out, "[last]");
    else if (s.u.i < 0) weft_buf_fmt(out, "[last-%llu]", -1 - (unsigned long long)s.u.i);
    else weft_buf_fmt(out, "[%lld]", (long long)s.u.i);
    return;
  }
  if (s.n && s.u.s[0] == '-')
    weft_render_fail(r, WEFT_UNSUPPORTED, "a path with a key that begins with -");
  weft_buf_char(out, '.');
  weft_json_string(out, weft_slice(s.u.s, s.n));
}

static void extract(struct weft_renderer *r, const struct weft_expr *e) {
  struct weft_buf text;
  weft_buf_init(&text);
  weft_buf_char(&text, '$');
  for (uint32_t i = 0; i < e->npath; i++) step(r, &text, e->path[i]);
  weft_render_lit(r, "json_extract(");
  weft_render_operand(r, e->kids[0]);
  weft_render_lit(r, ", ");
  weft_render_literal(r, weft_buf_slice(&text));
  weft_render_lit(r, ")");
  weft_buf_release(&text);
}

/* What is found, between head and tail, where its type is one of these. */
static void typed(struct weft_renderer *r, const struct weft_expr *e, const char *types,
                  const char *head, const char *tail) {
  weft_render_lit(r, "(case when json_type(");
  extract(r, e);
  weft_buf_fmt(r->out, ") %s then %s", types, head);
  extract(r, e);
  weft_buf_fmt(r->out, "%s end)", tail);
}

static void path(struct weft_renderer *r, const struct weft_expr *e, enum weft_path_as as) {
  switch (as) {
    case WEFT_PATH_NUMBER:
      typed(r, e, "in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL')", "cast(json_unquote(",
            ") as decimal(65,30))");
      return;
    case WEFT_PATH_TEXT:
      typed(r, e, "= 'STRING'", "json_unquote(", ") collate utf8mb4_bin");
      return;
    case WEFT_PATH_BOOL: typed(r, e, "= 'BOOLEAN'", "json_unquote(", ") = 'true'"); return;
    case WEFT_PATH_JSON:
      weft_render_fail(r, WEFT_UNSUPPORTED, "MySQL cannot compare whole json values");
      return;
    default: typed(r, e, "<> 'NULL'", "", "");
  }
}

/* ---- lists ---- */

/* "latin1_swedish_ci" of "varchar(20) collate latin1_swedish_ci"; empty: none is said. It is the last word,
   since the labels of an enum may say anything. */
static struct weft_slice collation_of(const struct weft_table_column *c) {
  struct weft_slice word = WEFT_LIT(" collate "), d = c ? c->declared : weft_slice(NULL, 0);
  const char *blank = d.n ? memrchr(d.p, ' ', d.n) : NULL;
  if (!blank) return weft_slice(NULL, 0);
  size_t head = (size_t)(blank + 1 - d.p);
  bool said = head >= word.n && memcmp(blank + 1 - word.n, word.p, word.n) == 0;
  return said ? weft_slice(blank + 1, d.n - head) : weft_slice(NULL, 0);
}

static const char *element_type(const struct weft_column_type *type) {
  switch (type ? type->type : WEFT_ANY) {
    case WEFT_BOOL:
    case WEFT_INT: return "bigint";
    case WEFT_FLOAT: return type->size == 4 ? "float" : "double";
    case WEFT_DECIMAL: return "decimal(65,30)";
    case WEFT_DATE: return "date";
    case WEFT_TIME: return "time(6)";
    case WEFT_TIMESTAMP: return "datetime(6)";
    case WEFT_TIMESTAMPTZ: return "timestamp(6)";
    default: return "longtext";
  }
}

/* Where the column's character set is smaller than the list's, what it lacks would become a question mark:
   such an element equals nothing. */
static void narrow(struct weft_renderer *r, struct weft_slice collation, struct weft_slice set,
                   uint32_t source, struct weft_typed t) {
  int n = (int)set.n;
  weft_buf_fmt(r->out, "convert(weft_v using %.*s) collate %.*s from json_table(", n, set.p,
               (int)collation.n, collation.p);
  weft_render_param(r, source, t.type, t.column, WEFT_SLOT_JSON_TEXT);
  weft_buf_fmt(r->out,
               ", '$[*]' columns (weft_v longtext collate utf8mb4_bin path '$')) as weft_list"
               " where convert(convert(weft_v using %.*s) using utf8mb4) = weft_v",
               n, set.p);
}

/* core/driver/mysql_list.c knows this text of integers. */
static void elements(struct weft_renderer *r, uint32_t source, struct weft_typed t) {
  const char *type = element_type(t.type);
  struct weft_slice collation = collation_of(t.column);
  const char *bar = collation.n ? memchr(collation.p, '_', collation.n) : NULL;
  struct weft_slice set = bar ? weft_slice(collation.p, (size_t)(bar - collation.p)) : collation;
  bool text = strcmp(type, "longtext") == 0 && collation.n;
  if (text && !weft_slice_equal(set, WEFT_LIT("utf8mb4"))) {
    narrow(r, collation, set, source, t);
    return;
  }
  bool bytes = t.type && t.type->type == WEFT_BYTES, uuid = t.type && t.type->type == WEFT_UUID;
  weft_buf_fmt(r->out, "%s from json_table(",
               bytes ? "unhex(weft_v)" : uuid ? "cast(weft_v as uuid)" : "weft_v");
  weft_render_param(r, source, t.type, t.column, WEFT_SLOT_JSON_TEXT);
  weft_buf_fmt(r->out, ", '$[*]' columns (weft_v %s%s%.*s path '$')) as weft_list", type,
               text ? " collate " : "", text ? (int)collation.n : 0, collation.p);
}

static void list(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *right = e->kids[1];
  struct weft_typed t = weft_render_left(r, e->kids[0], right);
  if (e->kids[0]->kind == WEFT_E_PATH) t.column = NULL;
  weft_buf_str(r->out, e->kind == WEFT_E_IN ? " in (select " : " not in (select ");
  elements(r, right->source, t);
  weft_render_lit(r, ")");
}

/* ---- operators ---- */

static void left_text(struct weft_renderer *r, const struct weft_expr *x) {
  if (x->kind == WEFT_E_PATH) path(r, x, WEFT_PATH_TEXT);
  else weft_render_operand(r, x);
}

/* As bytes of UTF-8, which is what a parameter is. */
static void binary(struct weft_renderer *r, const struct weft_expr *x, bool bytes) {
  if (bytes) {
    weft_render_operand(r, x);
    return;
  }
  weft_render_lit(r, "cast(convert(");
  left_text(r, x);
  weft_render_lit(r, " using utf8mb4) as binary)");
}

static void right_binary(struct weft_renderer *r, const struct weft_expr *v, struct weft_typed t) {
  weft_render_lit(r, "cast(");
  weft_render_right(r, v, t);
  weft_render_lit(r, " as binary)");
}

static void exact(struct weft_renderer *r, const struct weft_expr *e, const struct weft_expr *x,
                  struct weft_typed t) {
  bool bytes = t.type->type == WEFT_BYTES;
  const char *call = e->kind == WEFT_E_BEGINS ? "left(" : e->kind == WEFT_E_ENDS ? "right(" : "locate(";
  weft_buf_str(r->out, call);
  if (e->kind == WEFT_E_CONTAINS) {
    right_binary(r, e->kids[1], t);
    weft_render_lit(r, ", ");
    binary(r, x, bytes);
    weft_render_lit(r, ") > 0");
    return;
  }
  binary(r, x, bytes);
  weft_render_lit(r, ", length(");
  weft_render_right(r, e->kids[1], t);
  weft_render_lit(r, ")) = ");
  right_binary(r, e->kids[1], t);
}

/* Case is folded and nothing else, whatever the column's collation folds. */
static void fold_like(struct weft_renderer *r, const struct weft_expr *x, const struct weft_expr *v,
                      struct weft_typed t) {
  weft_render_lit(r, "lower(convert(");
  left_text(r, x);
  weft_render_lit(r, " using utf8mb4)) collate utf8mb4_bin like lower(");
  weft_render_right(r, v, t);
  weft_render_lit(r, ")");
}

static void match(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *x = weft_render_resolve(r, e->kids[0]), *v = e->kids[1];
  struct weft_typed t = weft_render_type(r, x);
  bool bytes = t.type && t.type->type == WEFT_BYTES;
  if (!bytes) t.type = &r->d->text;
  if (e->kind == WEFT_E_ILIKE && bytes) weft_render_fail(r, WEFT_UNSUPPORTED, "ilike on bytes");
  if (e->kind == WEFT_E_ILIKE) {
    fold_like(r, x, v, t);
  } else if (e->kind == WEFT_E_LIKE) {
    left_text(r, x);
    weft_render_lit(r, " like ");
    weft_render_right(r, v, t);
  } else {
    exact(r, e, x, t);
  }
}

/* ---- writes ---- */

/* MySQL lets any unique key meet. A row that is met through another key than the one that was named is not
   the one that is meant: then the statement fails, as it does on the other databases. */
static void guard(struct weft_renderer *r, const struct weft_slice *on, uint32_t non) {
  weft_render_lit(r, "if(");
  for (uint32_t i = 0; i < non; i++) {
    if (i) weft_render_lit(r, " and ");
    weft_render_name(r, on[i]);
    weft_render_lit(r, " <=> values(");
    weft_render_name(r, on[i]);
    weft_render_lit(r, ")");
  }
  weft_render_lit(r, ", ");
}

/* Other databases refuse what no two rows could meet by, MySQL inserts without a word. Of keys of several columns, and
   of views, nothing is known here. */
static void check_target(struct weft_renderer *r, const struct weft_slice *on, uint32_t non) {
  const struct weft_table *t = r->parts->table;
  int at = non == 1 && t->nkey > 0 ? weft_table_column(t, on[0]) : -1;
  if (at < 0 || t->columns[at].unique || (t->nkey == 1 && t->columns[at].key)) return;
  weft_render_fail(r, WEFT_SYNTAX, "upsert: on names '%.*s', which is no unique key", (int)on[0].n, on[0].p);
}

static void conflict(struct weft_renderer *r, const struct weft_slice *on, uint32_t non,
                     const struct weft_item *set, uint32_t n) {
  check_target(r, on, non);
  weft_render_lit(r, " on duplicate key update ");
  for (uint32_t i = 0; i < n || !i; i++) {
    struct weft_slice name = n ? set[i].name : on[0];
    if (i) weft_render_lit(r, ", ");
    weft_render_name(r, name);
    weft_render_lit(r, " = ");
    if (!i) guard(r, on, non);
    if (!n) {
      weft_render_name(r, name);
    } else if (set[i].expr) {
      weft_render_assigned(r, &set[i]);
    } else {
      weft_render_lit(r, "values(");
      weft_render_name(r, name);
      weft_render_lit(r, ")");
    }
    if (!i) weft_render_lit(r, ", (select null union all select null))");
  }
}

/* ---- locks ---- */

static void lock(struct weft_renderer *r, struct weft_slice name) {
  struct weft_slice skip = WEFT_LIT(" skip locked"), nowait = WEFT_LIT(" nowait");
  bool shared = memmem(name.p, name.n, "share", 5);
  const char *wait = memmem(name.p, name.n, skip.p, skip.n)       ? skip.p
                     : memmem(name.p, name.n, nowait.p, nowait.n) ? nowait.p
                                                                  : "";
  if (!shared) weft_buf_fmt(r->out, " for update%s", wait);
  else if (!*wait) weft_render_lit(r, " lock in share mode");
  else weft_buf_fmt(r->out, " /*!80000 for share%s *//*M!100600 lock in share mode%s */", wait, wait);
}

#define LEVEL(name, mode) "set transaction isolation level " name "; start transaction" mode
#define BEGIN(mode)                                                                          \
  {                                                                                          \
    "start transaction" mode, LEVEL("read committed", mode), LEVEL("repeatable read", mode), \
        LEVEL("serializable", mode), LEVEL("read uncommitted", mode)                         \
  }

static const char *const controls[] = {"xa", "lock", "unlock", "handler", NULL};

const struct weft_dialect weft_dialect_mysql = {
    .name = "mysql",
    .quote = '`',
    .quotes = "'\"`",
    .backslash_strings = true,
    .hash_comments = true,
    .controls = controls,
    .returning = {" /*M!100500 returning ", " */"},
    .row_values = true,
    .row_locks = true,
    .repeats_inserts = true,
    .limits_writes = true,
    .derives_limits = true,
    .max_params = 65535,
    .max_columns = 4096,
    .truth = {"false", "true"},
    .no_limit = "limit 18446744073709551615",
    .no_columns = " () values ()",
    .count = {.type = WEFT_INT, .size = 8, UNSIZED},
    .text = {.type = WEFT_TEXT, UNSIZED},
    .path_types = {[WEFT_PATH_BARE] = {.type = WEFT_ANY, UNSIZED},
                   [WEFT_PATH_NUMBER] = {.type = WEFT_DECIMAL, UNSIZED},
                   [WEFT_PATH_TEXT] = {.type = WEFT_TEXT, UNSIZED},
                   [WEFT_PATH_BOOL] = {.type = WEFT_BOOL, UNSIZED},
                   [WEFT_PATH_JSON] = {.type = WEFT_JSON, UNSIZED}},
    .list = list,
    .path = path,
    .match = match,
    .conflict = conflict,
    .lock = lock,
    .sub_update = ", (select 1) as weft_one",
    .sub_delete = " using ",
    .begin = {BEGIN(""), BEGIN(" read only")},
    .catalog = weft_mysql_catalog,
    .tables = "select table_name from information_schema.tables"
              " where table_schema = coalesce(nullif(?, ''), database())",
    .keys = weft_mysql_keys,
    .views = "select '', table_name from information_schema.tables"
             " where table_schema = database() and table_type = 'VIEW'",
    .schema = weft_mysql_schema,
    .column_type = weft_mysql_column_type,
    .collation = weft_mysql_collation,
    .semantics = &weft_semantics_mysql,
};
