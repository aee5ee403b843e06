/* SPDX-License-Identifier: MIT */
/* SQLite. A list is one JSON parameter; its elements come out of json_each without affinity, so
   that `x in (...)` applies x's affinity and collation to them exactly as `x = ?` does.

   A path whose steps are plain names and numbers is json_extract's; any other key is compared with
   json_each's key, because SQLite's path language cannot write every key and does not see through
   escapes in the stored text. */
#include "dialect_catalog.h"
#include "render.h"
#include "semantics.h"

#define UNSIZED .precision = -1, .scale = -1

/* ---- json paths ---- */

static bool plain_step(struct weft_value s) {
  if (s.type == WEFT_INT) return true;
  for (uint32_t i = 0; i < s.n; i++) {
    char c = s.u.s[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return s.n > 0;
}

static const char *const type_tests[WEFT_PATH_COUNT] = {
    [WEFT_PATH_NUMBER] = " in ('integer', 'real')",
    [WEFT_PATH_TEXT] = " = 'text'",
    [WEFT_PATH_BOOL] = " in ('true', 'false')",
};

static void json_call(struct weft_renderer *r, const char *name, const struct weft_expr *e) {
  weft_buf_fmt(r->out, "%s(", name);
  weft_render_operand(r, e->kids[0]);
  weft_render_lit(r, ", '$");
  for (uint32_t i = 0; i < e->npath; i++) {
    struct weft_value s = e->path[i];
    if (s.type != WEFT_INT) weft_buf_fmt(r->out, ".%.*s", (int)s.n, s.u.s);
    else if (s.u.i < 0) weft_buf_fmt(r->out, "[#%lld]", (long long)s.u.i);
    else weft_buf_fmt(r->out, "[%lld]", (long long)s.u.i);
  }
  weft_render_lit(r, "')");
}

static void plain_path(struct weft_renderer *r, const struct weft_expr *e, const char *test) {
  if (!test) {
    json_call(r, "json_extract", e);
    return;
  }
  weft_render_lit(r, "(case when ");
  json_call(r, "json_type", e);
  weft_buf_fmt(r->out, "%s then ", test);
  json_call(r, "json_extract", e);
  weft_render_lit(r, " end)");
}

/* One json_each per step. Scalars inside are kept from being read as JSON text. The column is
   qualified: json_each has columns called value, type, json ... */
static void stepwise_path(struct weft_renderer *r, const struct weft_expr *e, const char *test) {
  uint32_t n = e->npath;
  if (test)
    weft_buf_fmt(r->out, "(select case when weft_%u.type%s then weft_%u.value end", n, test, n);
  else weft_buf_fmt(r->out, "(select weft_%u.value", n);
  weft_render_lit(r, " from json_each(");
  weft_render_reference(r, e->kids[0], true);
  weft_render_lit(r, ") as weft_1");
  for (uint32_t i = 1; i < n; i++)
    weft_buf_fmt(r->out,
                 ", json_each(case when weft_%u.type in ('object', 'array') then weft_%u.value end)"
                 " as weft_%u",
                 i, i, i + 1);
  for (uint32_t i = 0; i < n; i++) {
    struct weft_value s = e->path[i];
    weft_buf_fmt(r->out, "%sweft_%u.key = ", i ? " and " : " where ", i + 1);
    if (s.type == WEFT_TEXT) weft_render_literal(r, weft_slice(s.u.s, s.n));
    else weft_buf_int(r->out, s.u.i);
    if (s.type == WEFT_INT && s.u.i < 0)
      weft_render_fail(r, WEFT_UNSUPPORTED,
                       "a path with a place from the end beside a key that is no plain name");
  }
  weft_render_lit(r, " limit 1)");
}

static void path(struct weft_renderer *r, const struct weft_expr *e, enum weft_path_as as) {
  bool plain = true;
  for (uint32_t i = 0; i < e->npath; i++) plain = plain && plain_step(e->path[i]);
  if (as == WEFT_PATH_JSON)
    weft_render_fail(r, WEFT_UNSUPPORTED, "SQLite cannot compare whole json values");
  if (plain) plain_path(r, e, type_tests[as]);
  else stepwise_path(r, e, type_tests[as]);
}

/* ---- operators ---- */

static enum weft_slot_form form_of(const struct weft_column_type *type) {
  if (!type) return WEFT_SLOT_JSON_REAL;
  switch (type->type) {
    case WEFT_INT:
    case WEFT_BOOL:
    case WEFT_TEXT:
    case WEFT_JSON: return WEFT_SLOT_JSON;
    case WEFT_BYTES: return WEFT_SLOT_JOINED;
    default: return WEFT_SLOT_JSON_REAL;
  }
}

/* Reading digits, SQLite may miss the nearest double: a fraction travels as integers that it
   divides, which is exact because the divisors are powers of two. */
static void list(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *right = e->kids[1];
  struct weft_typed t = weft_render_left(r, e->kids[0], right);
  enum weft_slot_form form = form_of(t.type);
  weft_buf_str(r->out, e->kind == WEFT_E_IN ? " in (select " : " not in (select ");
  switch (form) {
    case WEFT_SLOT_JSON: weft_render_lit(r, "value"); break;
    case WEFT_SLOT_JOINED:
      weft_render_lit(r, "substr(");
      weft_render_param(r, right->source, t.type, t.column, WEFT_SLOT_JOINED);
      weft_render_lit(r, ", json_extract(value, '$[0]'), json_extract(value, '$[1]'))");
      form = WEFT_SLOT_SPANS;
      break;
    default:
      weft_render_lit(r, "case type when 'array' then json_extract(value, '$[0]') * 1.0 / "
                         "json_extract(value, '$[1]') / json_extract(value, '$[2]') / "
                         "json_extract(value, '$[3]') * json_extract(value, '$[4]') * "
                         "json_extract(value, '$[5]') else value end");
  }
  weft_render_lit(r, " from json_each(");
  weft_render_param(r, right->source, t.type, t.column, form);
  weft_render_lit(r, "))");
}

static void left_text(struct weft_renderer *r, const struct weft_expr *x) {
  if (x->kind == WEFT_E_PATH) path(r, x, WEFT_PATH_TEXT);
  else weft_render_operand(r, x);
}

static void blob(struct weft_renderer *r, const struct weft_expr *x) {
  weft_render_lit(r, "cast(");
  left_text(r, x);
  weft_render_lit(r, " as blob)");
}

static void blob_right(struct weft_renderer *r, const struct weft_expr *e, struct weft_typed t) {
  weft_render_lit(r, "cast(");
  weft_render_right(r, e, t);
  weft_render_lit(r, " as blob)");
}

/* LIKE folds ASCII already, so that it is ILIKE as well. The others compare blobs: no collation, no
   case, and bytes stay bytes. substr of an empty blob is NULL, which ifnull mends. */
static void match(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *x = weft_render_resolve(r, e->kids[0]), *v = e->kids[1];
  struct weft_typed t = weft_render_type(r, x);
  if (!t.type || t.type->type != WEFT_BYTES) t.type = &r->d->text;
  switch (e->kind) {
    case WEFT_E_BEGINS:
      weft_render_lit(r, "ifnull(substr(");
      blob(r, x);
      weft_render_lit(r, ", 1, length(");
      blob_right(r, v, t);
      weft_render_lit(r, ")), ");
      blob(r, x);
      weft_render_lit(r, ") = ");
      blob_right(r, v, t);
      break;
    case WEFT_E_ENDS:
      weft_render_lit(r, "ifnull(substr(");
      blob(r, x);
      weft_render_lit(r, ", length(");
      blob(r, x);
      weft_render_lit(r, ") - length(");
      blob_right(r, v, t);
      weft_render_lit(r, ") + 1), ");
      blob(r, x);
      weft_render_lit(r, ") = ");
      blob_right(r, v, t);
      break;
    case WEFT_E_CONTAINS:
      weft_render_lit(r, "instr(");
      blob(r, x);
      weft_render_lit(r, ", ");
      blob_right(r, v, t);
      weft_render_lit(r, ") > 0");
      break;
    default:
      left_text(r, x);
      weft_render_lit(r, " like ");
      weft_render_right(r, v, t);
  }
}

#define SAME(text) \
  { text, text, text, text, text }

const struct weft_dialect weft_dialect_sqlite = {
    .name = "sqlite",
    .quote = '"',
    .quotes = "'\"[`",
    .named_parameters = true,
    .returning = {" returning ", ""},
    .update_returning = true,
    .nulls_order = true,
    .row_values = true,
    .row_by_row = true,
    .repeats_inserts = true,
    .max_params = 32766,
    .max_columns = 2000,
    .no_columns = " default values",
    .truth = {"0", "1"},
    .no_limit = "limit -1",
    .count = {.type = WEFT_INT, .size = 8, UNSIZED},
    .text = {.type = WEFT_TEXT, UNSIZED},
    .path_types = {[WEFT_PATH_BARE] = {.type = WEFT_ANY, UNSIZED},
                   [WEFT_PATH_NUMBER] = {.type = WEFT_ANY, UNSIZED},
                   [WEFT_PATH_TEXT] = {.type = WEFT_TEXT, UNSIZED},
                   [WEFT_PATH_BOOL] = {.type = WEFT_BOOL, UNSIZED},
                   [WEFT_PATH_JSON] = {.type = WEFT_JSON, UNSIZED}},
    .list = list,
    .path = path,
    .match = match,
    .begin = {SAME("begin immediate"), SAME("begin deferred")},
    .catalog = weft_sqlite_catalog,
    .tables = "select name from pragma_table_list"
              " where schema = case ?1 when '' then 'main' else ?1 end"
              " and substr(name, 1, 7) <> 'sqlite_'",
    .keys = weft_sqlite_keys,
    .views = "select '', name from sqlite_schema where type = 'view'",
    .schema = weft_sqlite_schema,
    .column_type = weft_sqlite_column_type,
    .collation = weft_sqlite_collation,
    .semantics = &weft_semantics_sqlite,
};
