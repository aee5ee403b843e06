/* SPDX-License-Identifier: MIT */
/* PostgreSQL. A cast written here never names a length or a precision: an explicit cast to
   varchar(3) would cut a value silently, and a condition would then match what it should not. */
#include "dialect_catalog.h"
#include "render.h"
#include "semantics.h"

enum { BYTEA = 17, NAME = 19, TEXT = 25, JSON = 114, VARCHAR = 1043, JSONB = 3802 };

#define UNSIZED .precision = -1, .scale = -1

/* ---- json paths ---- */

static void steps(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_table_column *c = weft_parts_column(r->parts, e->kids[0]);
  weft_render_operand(r, e->kids[0]);
  if (!c || c->type.oid != JSONB) weft_render_lit(r, "::jsonb");
  for (uint32_t i = 0; i < e->npath; i++) {
    weft_render_lit(r, " -> ");
    if (e->path[i].type == WEFT_INT) weft_buf_int(r->out, e->path[i].u.i);
    else weft_render_literal(r, weft_slice(e->path[i].u.s, e->path[i].n));
  }
}

static void typed(struct weft_renderer *r, const struct weft_expr *e, const char *type,
                  const char *as) {
  weft_render_lit(r, "(case when jsonb_typeof(");
  steps(r, e);
  weft_buf_fmt(r->out, ") = '%s' then (", type);
  steps(r, e);
  weft_buf_fmt(r->out, ")%s end)", as);
}

static void path(struct weft_renderer *r, const struct weft_expr *e, enum weft_path_as as) {
  switch (as) {
    case WEFT_PATH_NUMBER: typed(r, e, "number", "::numeric"); return;
    case WEFT_PATH_TEXT: typed(r, e, "string", " #>> '{}'"); return;
    case WEFT_PATH_BOOL: typed(r, e, "boolean", "::boolean"); return;
    case WEFT_PATH_JSON:
      weft_render_lit(r, "(");
      steps(r, e);
      weft_render_lit(r, ")");
      return;
    default:
      weft_render_lit(r, "nullif(");
      steps(r, e);
      weft_render_lit(r, ", 'null'::jsonb)");
  }
}

/* ---- operators ---- */

static const struct weft_column_type jsonb_type = {.type = WEFT_JSON, .oid = JSONB, UNSIZED};

/* json has no operators of its own. */
static const struct weft_column_type *column(struct weft_renderer *r, const struct weft_expr *e,
                                             const struct weft_table_column *c) {
  weft_render_reference(r, e, false);
  if (c->type.oid != JSON) return &c->type;
  weft_render_lit(r, "::jsonb");
  return &jsonb_type;
}

static void cast(struct weft_renderer *r, const struct weft_column_type *type,
                 struct weft_slice declared, const char *tail) {
  size_t before = r->out->n;
  weft_render_lit(r, "::");
  if (weft_postgres_type_name(r->out, type, declared)) weft_buf_str(r->out, tail);
  else if (!weft_buf_failed(r->out)) r->out->n = before;
}

static void list(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *right = e->kids[1];
  struct weft_typed t = weft_render_left(r, e->kids[0], right);
  struct weft_slice declared = t.column ? t.column->declared : weft_slice(NULL, 0);
  weft_buf_str(r->out, e->kind == WEFT_E_IN ? " = any(" : " <> all(");
  if (t.type && t.type->type == WEFT_ARRAY) { /* arrays of arrays are matrices: go as text */
    weft_render_lit(r, "select v");
    cast(r, t.type, declared, "");
    weft_render_lit(r, " from unnest(");
    weft_render_param(r, right->source, t.type, t.column, WEFT_SLOT_ARRAY_TEXT);
    weft_render_lit(r, "::text[]) as u(v)");
  } else {
    weft_render_param(r, right->source, t.type, t.column, WEFT_SLOT_ARRAY);
    if (t.type) cast(r, t.type, declared, "[]");
  }
  weft_render_lit(r, ")");
}

static bool is_text(const struct weft_table_column *c) {
  return c->type.oid == TEXT || c->type.oid == VARCHAR || c->type.oid == NAME;
}

static bool is_citext(const struct weft_table_column *c) {
  struct weft_slice d = c->declared, word = WEFT_LIT("citext");
  return d.n >= word.n && !memcmp(d.p + d.n - word.n, word.p, word.n);
}

/* The left side of a text operator. exact: its bytes count, whatever its collation says. */
static void text(struct weft_renderer *r, const struct weft_expr *x, bool exact) {
  const struct weft_table_column *c = weft_parts_column(r->parts, x);
  if (x->kind == WEFT_E_PATH) {
    path(r, x, WEFT_PATH_TEXT);
    return;
  }
  weft_render_operand(r, x);
  if (!c || (!is_text(c) && (exact || !is_citext(c)))) weft_render_lit(r, "::text");
  bool known = c && (c->collation == WEFT_COLLATE_BINARY || c->collation == WEFT_COLLATE_EQUAL);
  if (exact && !known) weft_render_lit(r, " collate \"C\"");
}

static void bytes(struct weft_renderer *r, const struct weft_expr *e, struct weft_typed t) {
  const struct weft_expr *x = e->kids[0], *v = e->kids[1];
  switch (e->kind) {
    case WEFT_E_BEGINS:
      weft_render_lit(r, "substring(");
      weft_render_operand(r, x);
      weft_render_lit(r, " from 1 for length(");
      weft_render_right(r, v, t);
      weft_render_lit(r, ")) = ");
      weft_render_right(r, v, t);
      break;
    case WEFT_E_ENDS:
      weft_render_lit(r, "substring(");
      weft_render_operand(r, x);
      weft_render_lit(r, " from greatest(length(");
      weft_render_operand(r, x);
      weft_render_lit(r, ") - length(");
      weft_render_right(r, v, t);
      weft_render_lit(r, "), 0) + 1) = ");
      weft_render_right(r, v, t);
      break;
    case WEFT_E_CONTAINS:
      weft_render_lit(r, "position(");
      weft_render_right(r, v, t);
      weft_render_lit(r, " in ");
      weft_render_operand(r, x);
      weft_render_lit(r, ") > 0");
      break;
    case WEFT_E_LIKE:
      weft_render_operand(r, x);
      weft_render_lit(r, " like ");
      weft_render_right(r, v, t);
      break;
    default: weft_render_fail(r, WEFT_UNSUPPORTED, "ilike on bytes");
  }
}

static void match(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *x = weft_render_resolve(r, e->kids[0]), *v = e->kids[1];
  const struct weft_table_column *c = weft_parts_column(r->parts, x);
  struct weft_typed t = {&r->d->text, c};
  bool exact = e->kind != WEFT_E_LIKE && e->kind != WEFT_E_ILIKE;
  if (c && c->type.oid == BYTEA) {
    bytes(r, e, (struct weft_typed){&c->type, c});
    return;
  }
  if (e->kind == WEFT_E_CONTAINS) weft_render_lit(r, "strpos(");
  if (e->kind == WEFT_E_ENDS) weft_render_lit(r, "right(");
  text(r, x, exact);
  switch (e->kind) {
    case WEFT_E_LIKE: weft_render_lit(r, " like "); break;
    case WEFT_E_ILIKE: weft_render_lit(r, " ilike "); break;
    case WEFT_E_BEGINS: weft_render_lit(r, " ^@ "); break;
    case WEFT_E_ENDS: weft_render_lit(r, ", length("); break;
    default: weft_render_lit(r, ", ");
  }
  weft_render_right(r, v, t);
  if (e->kind == WEFT_E_CONTAINS) weft_render_lit(r, ") > 0");
  if (e->kind != WEFT_E_ENDS) return;
  weft_render_lit(r, ")) = ");
  weft_render_right(r, v, t);
}

/* ---- many rows: one array per column ---- */

static void row_source(struct weft_renderer *r, const struct weft_query *verb, uint32_t k,
                       const struct weft_table_column *c) {
  bool array = c->type.type == WEFT_ARRAY;
  size_t before = r->out->n;
  if (k) weft_render_lit(r, ", ");
  weft_render_param(r, verb->source + k, &c->type, c,
                    array ? WEFT_SLOT_ARRAY_TEXT : WEFT_SLOT_ARRAY);
  if (array) weft_render_lit(r, "::text[]");
  else {
    before = r->out->n;
    cast(r, &c->type, c->declared, "[]");
    if (r->out->n == before)
      weft_render_fail(r, WEFT_UNSUPPORTED, "many rows with column '%.*s': its type is not known",
                       c->name.n > 80 ? 80 : (int)c->name.n, c->name.p);
  }
}

/* Calls one of the two for every column that is given; the result is their number. */
static uint32_t each_given(struct weft_renderer *r, const struct weft_query *verb, bool sources) {
  uint32_t k = 0;
  for (uint32_t i = 0; i < verb->nitems; i++) {
    const struct weft_table_column *c = weft_render_column(r, verb->items[i].name);
    if (verb->values[i].type == WEFT_ANY) continue;
    if (!c) {
      weft_render_fail(r, WEFT_USAGE, "many rows need a table whose columns are known");
      return k;
    }
    if (sources) {
      row_source(r, verb, k++, c);
      continue;
    }
    weft_buf_fmt(r->out, "%su.c%u", k ? ", " : "", k + 1);
    k++;
    if (c->type.type == WEFT_ARRAY) cast(r, &c->type, c->declared, "");
  }
  return k;
}

static void rows(struct weft_renderer *r, const struct weft_query *verb) {
  bool given = false;
  for (uint32_t i = 0; i < verb->nitems; i++) given = given || verb->values[i].type != WEFT_ANY;
  weft_render_lit(r, " select ");
  if (!given) {
    weft_render_lit(r, "from generate_series(1, ");
    weft_render_param(r, WEFT_SOURCE_ROWS, &r->d->count, NULL, WEFT_SLOT_VALUE);
    weft_render_lit(r, ")");
    return;
  }
  uint32_t n = each_given(r, verb, false);
  weft_render_lit(r, " from unnest(");
  each_given(r, verb, true);
  weft_buf_str(r->out, verb->quiet ? ") as u(" : ") with ordinality as u(");
  for (uint32_t i = 0; i < n; i++) weft_buf_fmt(r->out, "%sc%u", i ? ", " : "", i + 1);
  weft_buf_str(r->out, verb->quiet ? ")" : ", n) order by u.n");
}

#define BEGIN(mode)                                                                         \
  {                                                                                         \
    "begin" mode, "begin isolation level read committed" mode,                              \
        "begin isolation level repeatable read" mode, "begin isolation level serializable" mode, \
        "begin isolation level read uncommitted" mode                                       \
  }

static const char *const controls[] = {"load", NULL};
static const char *const locals[] = {"declare", "fetch", "move", "close", NULL};
static const char *const local_sets[] = {"local", "constraints", "transaction", NULL};

const struct weft_dialect weft_dialect_postgres = {
    .name = "postgres",
    .quote = '"',
    .numbered = true,
    .quotes = "'\"",
    .dollar_quotes = true,
    .escape_strings = true,
    .nested_comments = true,
    .controls = controls,
    .locals = locals,
    .local_sets = local_sets,
    .returning = {" returning ", ""},
    .update_returning = true,
    .nulls_order = true,
    .row_values = true,
    .array_query = true,
    .row_locks = true,
    .nulls_large = true,
    .max_params = 65535,
    .max_columns = 1600,
    .no_columns = " default values",
    .truth = {"false", "true"},
    .count = {.type = WEFT_INT, .size = 8, .oid = 20, UNSIZED},
    .text = {.type = WEFT_TEXT, .oid = TEXT, UNSIZED},
    .path_types = {[WEFT_PATH_BARE] = {.type = WEFT_ANY, UNSIZED},
                   [WEFT_PATH_NUMBER] = {.type = WEFT_DECIMAL, .oid = 1700, UNSIZED},
                   [WEFT_PATH_TEXT] = {.type = WEFT_TEXT, .oid = TEXT, UNSIZED},
                   [WEFT_PATH_BOOL] = {.type = WEFT_BOOL, .oid = 16, UNSIZED},
                   [WEFT_PATH_JSON] = {.type = WEFT_JSON, .oid = JSONB, UNSIZED}},
    .list = list,
    .path = path,
    .match = match,
    .column = column,
    .rows = rows,
    .begin = {BEGIN(""), BEGIN(" read only")},
    .catalog = weft_postgres_catalog,
    .tables = "select c.relname::text from pg_catalog.pg_class c "
              "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
              "where c.relkind in ('r', 'p', 'v', 'm', 'f') and case when $1::text = '' "
              "then pg_catalog.pg_table_is_visible(c.oid) and n.nspname <> 'pg_catalog' "
              "else n.nspname = $1::text end",
    .keys = weft_postgres_keys,
    .views = "select case when pg_catalog.pg_table_is_visible(c.oid) then '' else n.nspname::text end,"
             " c.relname::text from pg_catalog.pg_class c"
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('v', 'm')"
             " and n.nspname not in ('pg_catalog', 'information_schema')",
    .schema = weft_postgres_schema,
    .column_type = weft_postgres_column_type,
    .collation = weft_postgres_collation,
    .semantics = &weft_semantics_postgres,
};
