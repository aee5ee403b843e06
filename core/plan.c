/* SPDX-License-Identifier: MIT */
/* The life of plans, and what they tell of their results. */
#include <stdlib.h>

#include "plan.h"

struct weft_plan *weft_plan_new(const struct weft_dialect *d, uint32_t flags) {
  static uint64_t counter;
  struct weft_plan *p = weft_zalloc(sizeof *p);
  weft_arena_init(&p->arena, NULL, 0);
  weft_list_init(&p->lru);
  p->refs = 1;
  p->flags = flags;
  p->id = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
  p->dialect = d;
  return p;
}

struct weft_plan *weft_plan_ref(struct weft_plan *p) {
  __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
  return p;
}

void weft_plan_unref(struct weft_plan *p) {
  if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL)) return;
  if (p->driver_free) p->driver_free(p->driver_data);
  weft_columns_unref(p->columns);
  weft_query_unref(p->query);
  weft_table_unref(p->table);
  weft_arena_release(&p->arena);
  free(p);
}

static size_t query_bytes(const struct weft_query *q) {
  size_t n = 0;
  for (; q; q = q->prev) {
    n += sizeof *q + 448 + q->arena.total;
    for (const struct weft_held *h = q->held; h; h = h->next) n += query_bytes(h->query);
  }
  return n;
}

size_t weft_plan_bytes(const struct weft_plan *p) {
  return sizeof *p + p->arena.total + query_bytes(p->query);
}

void weft_plan_measured(struct weft_plan *p, int64_t ns) {
  p->estimate_ns = p->runs ? p->estimate_ns + (ns - p->estimate_ns) / 8 : ns;
  if (p->runs < UINT32_MAX) p->runs++;
}

struct weft_plan *weft_plan_raw(const struct weft_dialect *d, struct weft_slice sql,
                                uint32_t nparams, uint32_t flags) {
  struct weft_plan *p = weft_plan_new(d, flags | WEFT_PLAN_RAW);
  struct weft_slot *slots = weft_arena_alloc(&p->arena, (nparams + 1) * sizeof *slots);
  for (uint32_t i = 0; i < nparams; i++)
    slots[i] = (struct weft_slot){
        .source = i, .type = {.type = WEFT_ANY, .precision = -1, .scale = -1}, .column = {"", 0}};
  p->slots = slots;
  p->nslots = p->nsources = nparams;
  p->sql = weft_slice(weft_arena_copy(&p->arena, sql.p, sql.n), sql.n);
  if (sql.n > WEFT_PLAN_LONG) p->flags |= WEFT_PLAN_VOLATILE;
  p->bytes = weft_plan_bytes(p);
  return p;
}

static bool is_aggregate(const struct weft_expr *e) {
  return e->kind >= WEFT_E_SUM && e->kind <= WEFT_E_MAX;
}

/* What result column i shows; NULL where the query does not say: all columns, a write's row, raw text. */
static const struct weft_expr *shown_expr(const struct weft_parts *p, uint32_t i) {
  if (p->verb) return p->verb->clause == WEFT_C_AGGREGATE && !i ? p->verb->items[0].expr : NULL;
  if (i < p->nselect) return p->select[i].expr;
  return !p->nselect && i < p->ngroup ? p->group[i].expr : NULL;
}

/* The column that result column i shows, plain or aggregated; NULL: none. Where the query does not say
   the name tells. */
static const struct weft_table_column *shown_column(const struct weft_plan *p,
                                                    const struct weft_parts *parts, uint32_t i,
                                                    struct weft_slice name) {
  const struct weft_query *verb = parts->verb;
  const struct weft_expr *e = shown_expr(parts, i);
  if (verb && (verb->clause == WEFT_C_COUNT || verb->clause == WEFT_C_EXISTS)) return NULL;
  if (e && e->kind != WEFT_E_RAW) return weft_parts_column(parts, is_aggregate(e) ? e->kids[0] : e);
  int at = weft_table_column(p->table, name);
  return at < 0 ? NULL : &p->table->columns[at];
}

void weft_shown_init(struct weft_shown *s, const struct weft_plan *p) {
  s->plan = p;
  s->parts = (struct weft_parts){0};
  weft_arena_init(&s->arena, s->scratch, sizeof s->scratch);
  if (p->query && p->table) weft_query_parts(p->query, &s->arena, &s->parts);
}

void weft_shown_release(struct weft_shown *s) { weft_arena_release(&s->arena); }

void weft_plan_present(const struct weft_plan *p, struct weft_columns *columns) {
  struct weft_shown s;
  columns->presented = true;
  if (!p->table) return;
  weft_shown_init(&s, p);
  for (uint32_t i = 0; i < columns->n; i++) {
    const struct weft_table_column *c = shown_column(p, &s.parts, i, columns->v[i].name);
    if (c) columns->v[i].as = c->as;
  }
  weft_shown_release(&s);
}

bool weft_shown_column(const struct weft_shown *s, uint32_t i, struct weft_slice name,
                       struct weft_column_type *out) {
  if (!s->plan->query || !s->plan->table) return false;
  const struct weft_expr *e = shown_expr(&s->parts, i);
  const struct weft_table_column *c =
      e && e->kind != WEFT_E_COLUMN ? NULL : shown_column(s->plan, &s->parts, i, name);
  bool path = e && e->kind == WEFT_E_PATH;
  if (c) *out = c->type;
  else if (path) *out = (struct weft_column_type){.type = WEFT_JSON, .precision = -1, .scale = -1};
  return c || path;
}

bool weft_shown_aggregate(const struct weft_shown *s, uint32_t i, struct weft_column_type *out) {
  const struct weft_expr *e = shown_expr(&s->parts, i);
  const struct weft_table_column *c =
      e && is_aggregate(e) ? weft_parts_column(&s->parts, e->kids[0]) : NULL;
  bool decimal = c && c->type.type == WEFT_DECIMAL;
  if (decimal) *out = c->type;
  if (decimal && e->kind == WEFT_E_AVG) out->scale = -1;
  return decimal;
}
