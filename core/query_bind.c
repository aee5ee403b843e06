/* SPDX-License-Identifier: MIT */
#include "query_bind.h"

#include "key.h"

/* ---- dotted names ---- */

static struct weft_slice text_of(struct weft_value v) { return weft_slice(v.u.s, v.n); }

/* May the path's first part be the name of an association of t? Then its steps are names, too. */
static bool may_lead_on(const struct weft_table *t, const struct weft_expr *path) {
  struct weft_slice name = path->kids[0]->name;
  return path->open && (!t->known || weft_table_column(t, name) < 0);
}

bool weft_expr_unbound(const struct weft_table *t, const struct weft_expr *e) {
  if (e->depth > WEFT_EXPR_DEPTH) return false;
  if (e->kind == WEFT_E_SOME) return !e->association;
  if (e->kind == WEFT_E_PATH) return may_lead_on(t, e);
  for (uint32_t i = 0; i < e->nkids; i++)
    if (weft_expr_unbound(t, e->kids[i])) return true;
  return false;
}

/* How many of the path's names make up that of a join, one after another with dots between; 0: they do not. */
static uint32_t prefix(const struct weft_expr *path, struct weft_slice join) {
  struct weft_slice name = path->kids[0]->name;
  for (uint32_t used = 0;; name = text_of(path->path[used++])) {
    if (join.n < name.n || memcmp(join.p, name.p, name.n) != 0) return 0;
    if (join.n == name.n) return used + 1;
    if (join.p[name.n] != '.' || used == path->npath) return 0;
    join = weft_slice(join.p + name.n + 1, join.n - name.n - 1);
  }
}

/* The joined column that the path names; NULL: it names none. */
static const struct weft_expr *joined_column(struct weft_arena *a, const struct weft_query *joins,
                                             const struct weft_expr *path) {
  for (const struct weft_query *q = joins; q; q = q->prev)
    if (q->clause == WEFT_C_JOIN && prefix(path, q->name) == path->npath)
      return weft_expr_joined(a, q->name, text_of(path->path[path->npath - 1]));
  return NULL;
}

/* The operand without its first name. */
static const struct weft_expr *rest_of(struct weft_arena *a, const struct weft_expr *path) {
  const struct weft_expr *column = weft_expr_column(a, text_of(path->path[0]));
  if (path->npath == 1) return column;
  struct weft_expr *rest =
      (struct weft_expr *)(uintptr_t)weft_expr_path(a, column, path->path + 1, path->npath - 1);
  rest->open = true;
  return rest;
}

static bool takes_path(const struct weft_expr *e) {
  return e->kind >= WEFT_E_EQ && e->kind <= WEFT_E_NOT_NULL && e->kids[0]->kind == WEFT_E_PATH;
}

/* Not open any more: the first part is a column. */
static const struct weft_expr *closed(struct weft_arena *a, const struct weft_expr *path) {
  struct weft_expr *copy = weft_arena_alloc(a, sizeof *copy);
  *copy = *path;
  copy->open = false;
  return copy;
}

/* e with other operands, folded. */
static const struct weft_expr *with_kids(struct weft_arena *a, const struct weft_expr *e,
                                         const struct weft_expr **kids) {
  if (e->kind == WEFT_E_AND || e->kind == WEFT_E_OR) return weft_expr_logic(a, e->kind, kids, e->nkids);
  if (e->kind == WEFT_E_NOT || e->kind == WEFT_E_UNTRUE) return weft_expr_unary(a, e->kind, kids[0]);
  struct weft_expr *copy = weft_arena_alloc(a, sizeof *copy);
  *copy = *e;
  copy->kids = kids;
  return copy;
}

/* e with another first operand; lists are folded once that is no open path. */
static const struct weft_expr *with_left(struct weft_arena *a, const struct weft_expr *e,
                                         const struct weft_expr *left) {
  const struct weft_expr *in;
  struct weft_error ignored;
  bool list = e->nkids == 2 && e->kids[1]->kind == WEFT_E_LIST;
  if (list && weft_expr_binary(a, e->kind, left, e->kids[1], &in, &ignored) == 0) return in;
  const struct weft_expr **kids = weft_arena_alloc(a, e->nkids * sizeof *kids);
  memcpy(kids, e->kids, e->nkids * sizeof *kids);
  kids[0] = left;
  return with_kids(a, e, kids);
}

const struct weft_expr *weft_expr_undot(struct weft_arena *a, const struct weft_table *t,
                                        const struct weft_query *joins, const struct weft_expr *e) {
  const struct weft_expr *path = takes_path(e) && e->kids[0]->open ? e->kids[0] : NULL;
  if (path && !may_lead_on(t, path)) return with_left(a, e, closed(a, path));
  if (path) {
    const struct weft_expr *column = joined_column(a, joins, path);
    if (column) return with_left(a, e, column);
    return weft_expr_some(a, path->kids[0]->name, NULL, true, with_left(a, e, rest_of(a, path)));
  }
  if (e->kind == WEFT_E_PATH && may_lead_on(t, e)) {
    const struct weft_expr *column = joined_column(a, joins, e);
    return column ? column : e;
  }
  if (e->kind == WEFT_E_SOME || e->kind == WEFT_E_QUERY || e->nkids == 0) return e;
  const struct weft_expr **kids = weft_arena_alloc(a, e->nkids * sizeof *kids);
  for (uint32_t i = 0; i < e->nkids; i++) kids[i] = weft_expr_undot(a, t, joins, e->kids[i]);
  return with_kids(a, e, kids);
}

/* ---- joins ---- */

bool weft_query_joins(const struct weft_query *q, struct weft_slice name) {
  while (q && !(q->clause == WEFT_C_JOIN && weft_slice_equal(q->name, name))) q = q->prev;
  return q != NULL;
}

struct weft_query *weft_query_join_hop(struct weft_query *prev, const struct weft_query *join,
                                       struct weft_slice name, struct weft_slice parent,
                                       struct weft_association *hop) {
  struct weft_query *c = weft_query_begin(prev, WEFT_C_JOIN);
  struct weft_slice *on = weft_arena_alloc(&c->arena, sizeof *on);
  *on = weft_arena_slice(&c->arena, parent);
  c->name = weft_arena_slice(&c->arena, name);
  weft_query_unref(prev);
  c->on = on;
  c->non = 1;
  c->number = join->number;
  c->all = !weft_slice_equal(name, join->name);
  weft_query_hold_join(c, hop);
  return c;
}

/* ---- keys of other databases ---- */

/* The hop's key column number i is one of n cells, as it may spell them; as they are, and without the spaces
   that do not count on either side. */
static const struct weft_expr *one_of(struct weft_arena *a, const struct weft_association *hop, uint32_t i,
                                      const struct weft_rows *rows, uint32_t first, uint32_t n) {
  const struct weft_table_column *column = &hop->from->columns[hop->from_key[i]];
  struct weft_key_side side = weft_key_side(column), far = weft_key_side(&hop->to->columns[hop->to_key[i]]);
  struct weft_key_form form;
  weft_key_form(&side, &far, &form);
  struct weft_array *list =
      weft_arena_alloc(a, sizeof *list + (size_t)n * 2 * WEFT_KEY_SPELLINGS * sizeof list->v[0]);
  const struct weft_expr *x = weft_expr_column(a, column->name), *in;
  struct weft_error ignored;
  list->n = 0;
  list->elem = column->type.type;
  for (uint32_t r = first; r < first + n; r++) {
    struct weft_value v = weft_rows_row(rows, r)[i], trimmed;
    list->n += weft_key_spellings(&side, a, v, &list->v[list->n]);
    if (form.trim && v.type == WEFT_TEXT && weft_key_normal(&form, a, v, &trimmed) && trimmed.n != v.n)
      list->n += weft_key_spellings(&side, a, trimmed, &list->v[list->n]);
  }
  if (list->n == 0) return weft_expr_false();
  const struct weft_expr *right =
      weft_expr_value(a, (struct weft_value){.type = WEFT_LIST, .u.array = list});
  return weft_expr_binary(a, WEFT_E_IN, x, right, &in, &ignored) ? weft_expr_false() : in;
}

/* The whole key is that of one of the rows. */
static const struct weft_expr *one_row(struct weft_arena *a, const struct weft_association *hop,
                                       const struct weft_rows *rows) {
  const struct weft_expr **keys = weft_arena_alloc(a, (rows->nrows + (size_t)1) * sizeof *keys);
  const struct weft_expr **parts = weft_arena_alloc(a, hop->nkey * sizeof *parts);
  for (uint32_t r = 0; r < rows->nrows; r++) {
    for (uint32_t i = 0; i < hop->nkey; i++)
      parts[i] = one_of(a, hop, i, rows, r, 1);
    keys[r] = weft_expr_logic(a, WEFT_E_AND, parts, hop->nkey);
  }
  return weft_expr_logic(a, WEFT_E_OR, keys, rows->nrows);
}

int weft_hop_among(struct weft_arena *a, const struct weft_association *hop,
                   const struct weft_rows *rows, const struct weft_expr **out,
                   struct weft_error *err) {
  const struct weft_expr **kids = weft_arena_alloc(a, (hop->nkey + (size_t)1) * sizeof *kids);
  if (hop->nkey > 1 && rows->nrows > WEFT_BIND_PAIRS)
    return weft_fail(err, WEFT_UNSUPPORTED,
                     "the condition through '%.*s' matches more than %d composite keys of another "
                     "database: narrow it, or start from the other side",
                     (int)hop->name.n, hop->name.p, WEFT_BIND_PAIRS);
  for (uint32_t i = 0; i < hop->nkey; i++) {
    struct weft_slice column = hop->from->columns[hop->from_key[i]].name;
    kids[i] = weft_expr_unary(a, WEFT_E_NOT_NULL, weft_expr_column(a, column));
  }
  kids[hop->nkey] = hop->nkey > 1 ? one_row(a, hop, rows)
                                  : one_of(a, hop, 0, rows, 0, rows->nrows);
  *out = weft_expr_logic(a, WEFT_E_AND, kids, hop->nkey + 1);
  return 0;
}
