/* SPDX-License-Identifier: MIT */
/* What the trees of expr.h are as parts of queries, and with queries in them: their shape, their copies.
   Trees deeper than WEFT_EXPR_DEPTH have a shape that tells little, and no query may hold them. */
#include "association.h"
#include "hash.h"
#include "query.h"

static uint16_t deepest(const struct weft_item *items, uint32_t n, uint16_t depth) {
  for (uint32_t i = 0; i < n; i++)
    if (items[i].expr && items[i].expr->depth > depth) depth = items[i].expr->depth;
  return depth;
}

/* As deep as what the query's clauses hold, and one more. */
const struct weft_expr *weft_expr_query(struct weft_arena *a, const struct weft_query *query) {
  struct weft_expr *e = weft_arena_alloc(a, sizeof *e);
  uint16_t depth = 0;
  for (const struct weft_query *c = query; c; c = c->prev) {
    if (c->expr && c->expr->depth > depth) depth = c->expr->depth;
    depth = deepest(c->items, c->nitems, depth);
  }
  memset(e, 0, sizeof *e);
  e->kind = WEFT_E_QUERY;
  e->depth = depth == UINT16_MAX ? depth : (uint16_t)(depth + 1);
  e->query = query;
  return e;
}

bool weft_expr_loose(const struct weft_expr *e) {
  if (e->depth > WEFT_EXPR_DEPTH) return false;
  if (e->kind == WEFT_E_QUERY) return e->query->loose;
  if (e->kind == WEFT_E_SOME && !e->association) return true;
  for (uint32_t i = 0; i < e->nkids; i++)
    if (weft_expr_loose(e->kids[i])) return true;
  return false;
}

static bool is_parameter(const struct weft_expr *e) {
  return e->kind == WEFT_E_VALUE || e->kind == WEFT_E_LIST;
}

static bool beside_path(const struct weft_expr *e) {
  return e->nkids > 1 && e->kids[0]->kind == WEFT_E_PATH && e->kind >= WEFT_E_EQ &&
         e->kind <= WEFT_E_BETWEEN;
}

static uint64_t own_shape(uint64_t h, const struct weft_expr *e) {
  switch (e->kind) {
    case WEFT_E_RAW: return weft_hash_bytes(h, e->name.p, e->name.n);
    case WEFT_E_QUERY: return weft_hash_mix(h, e->query->shape);
    case WEFT_E_COLUMN:
      h = weft_hash_bytes(h, e->name.p, e->name.n);
      return e->qualifier.n ? weft_hash_bytes(h, e->qualifier.p, e->qualifier.n) : h;
    case WEFT_E_SOME:
      h = weft_hash_bytes(h, e->name.p, e->name.n);
      return weft_hash_mix(h, e->association ? e->association->id : 0);
    default: return h;
  }
}

uint64_t weft_expr_shape(uint64_t seed, const struct weft_expr *e) {
  uint64_t h = weft_hash_mix(seed, e->kind | (uint64_t)e->nkids << 8);
  if (e->depth > WEFT_EXPR_DEPTH) return h;
  h = own_shape(h, e);
  for (uint32_t i = 0; i < e->npath; i++) h = weft_value_hash(h, e->path[i]);
  for (uint32_t i = 0; i < e->nkids; i++) h = weft_expr_shape(h, e->kids[i]);
  if (beside_path(e))
    for (uint32_t i = 1; i < e->nkids; i++)
      if (is_parameter(e->kids[i])) h = weft_hash_mix(h, weft_json_class(e->kids[i]->value));
  return h;
}

static bool same_own(const struct weft_expr *a, const struct weft_expr *b) {
  if (!weft_slice_equal(a->name, b->name)) return false;
  switch (a->kind) {
    case WEFT_E_COLUMN: return weft_slice_equal(a->qualifier, b->qualifier);
    case WEFT_E_SOME: return a->association == b->association;
    case WEFT_E_QUERY: return weft_query_same_shape(a->query, b->query);
    default: return true;
  }
}

static bool same_step(struct weft_value a, struct weft_value b) {
  return a.type == b.type && weft_value_equal(a, b);
}

bool weft_expr_same_shape(const struct weft_expr *a, const struct weft_expr *b) {
  if (a == b) return true;
  if (a->kind != b->kind || a->nkids != b->nkids || a->npath != b->npath) return false;
  if (a->depth > WEFT_EXPR_DEPTH) return false;
  if (a->kind == WEFT_E_VALUE || a->kind == WEFT_E_LIST) return true;
  if (!same_own(a, b)) return false;
  for (uint32_t i = 0; i < a->npath; i++)
    if (!same_step(a->path[i], b->path[i])) return false;
  for (uint32_t i = 0; i < a->nkids; i++)
    if (!weft_expr_same_shape(a->kids[i], b->kids[i])) return false;
  if (beside_path(a))
    for (uint32_t i = 1; i < a->nkids; i++)
      if (is_parameter(a->kids[i]) &&
          weft_json_class(a->kids[i]->value) != weft_json_class(b->kids[i]->value))
        return false;
  return true;
}

/* What is left of a value when only its type matters. A list keeps one element (two of different
   types when it is mixed), because weft_json_class looks there. */
static struct weft_value bare(struct weft_arena *a, struct weft_value v) {
  struct weft_value out = {.type = v.type};
  if (weft_is_text(v)) out.u.s = "";
  if (v.type == WEFT_DECIMAL) out.type = WEFT_INT;
  if (v.type != WEFT_LIST && v.type != WEFT_ARRAY) return out;
  const struct weft_array *from = v.u.array;
  enum weft_json_class class = v.type == WEFT_LIST ? weft_json_class(v) : WEFT_JSON_CLASS_NONE;
  struct weft_array *to = weft_arena_alloc(a, sizeof *to + 2 * sizeof *to->v);
  to->n = class == WEFT_JSON_CLASS_NONE ? 0 : class == WEFT_JSON_CLASS_MIXED ? 2 : 1;
  to->elem = from->elem;
  to->v[0] = to->n == 1 ? bare(a, from->v[0]) : weft_int(0);
  to->v[1] = weft_text("", 0);
  out.u.array = to;
  return out;
}

static const struct weft_value *copy_path(struct weft_arena *a, const struct weft_expr *e) {
  struct weft_value *own = weft_arena_alloc(a, (e->npath ? e->npath : 1) * sizeof *own);
  for (uint32_t i = 0; i < e->npath; i++) own[i] = weft_value_copy(a, e->path[i]);
  return own;
}

static const struct weft_expr *copy(struct weft_arena *a, const struct weft_expr *e, bool strip) {
  struct weft_expr *c = weft_arena_alloc(a, sizeof *c);
  const struct weft_expr **kids = weft_arena_alloc(a, (e->nkids ? e->nkids : 1) * sizeof *kids);
  *c = *e;
  if (e->name.p) c->name = weft_arena_slice(a, e->name);
  if (is_parameter(e)) c->value = strip ? bare(a, e->value) : weft_value_copy(a, e->value);
  if (e->kind == WEFT_E_PATH) c->path = copy_path(a, e);
  if (e->kind == WEFT_E_COLUMN && e->qualifier.n) c->qualifier = weft_arena_slice(a, e->qualifier);
  for (uint32_t i = 0; i < e->nkids; i++) kids[i] = copy(a, e->kids[i], strip);
  c->kids = kids;
  return c;
}

const struct weft_expr *weft_expr_copy(struct weft_arena *a, const struct weft_expr *e) {
  return copy(a, e, false);
}

const struct weft_expr *weft_expr_skeleton(struct weft_arena *a, const struct weft_expr *e) {
  return copy(a, e, true);
}
