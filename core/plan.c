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

size_t weft_plan_bytes(const struct weft_plan *p) {
  size_t n = sizeof *p + p->arena.total;
  for (const struct weft_query *q = p->query; q; q = q->prev) n += sizeof *q + 448 + q->arena.total;
  return n;
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

/* The table's column that result column i shows, plain or aggregated; -1: none. Where the query does not
   say (all columns, a write's row, raw text) the name tells. */
static int shown_column(const struct weft_plan *p, const struct weft_parts *parts, uint32_t i,
                        struct weft_slice name) {
  const struct weft_query *verb = parts->verb;
  const struct weft_expr *e = NULL;
  if (!verb && i < parts->nselect) e = parts->select[i].expr;
  else if (verb && verb->clause == WEFT_C_AGGREGATE) e = verb->items[0].expr;
  else if (verb && (verb->clause == WEFT_C_COUNT || verb->clause == WEFT_C_EXISTS)) return -1;
  if (!e || e->kind == WEFT_E_RAW) return weft_table_column(p->table, name);
  if (e->kind >= WEFT_E_SUM && e->kind <= WEFT_E_MAX) e = e->kids[0];
  return e->kind == WEFT_E_COLUMN ? weft_table_column(p->table, e->name) : -1;
}

void weft_plan_present(const struct weft_plan *p, struct weft_columns *columns) {
  char scratch[512];
  struct weft_arena arena;
  struct weft_parts parts = {0};
  columns->presented = true;
  if (!p->table) return;
  weft_arena_init(&arena, scratch, sizeof scratch);
  if (p->query) weft_query_parts(p->query, &arena, &parts);
  for (uint32_t i = 0; i < columns->n; i++) {
    int at = shown_column(p, &parts, i, columns->v[i].name);
    if (at >= 0) columns->v[i].as = p->table->columns[at].as;
  }
  weft_arena_release(&arena);
}

bool weft_plan_aggregate(const struct weft_plan *p, uint32_t i, struct weft_column_type *out) {
  char scratch[512];
  struct weft_arena arena;
  struct weft_parts parts;
  const struct weft_expr *e = NULL;
  if (!p->query || !p->table) return false;
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_query_parts(p->query, &arena, &parts);
  bool alone = parts.verb && parts.verb->clause == WEFT_C_AGGREGATE;
  if (alone) e = i ? NULL : parts.verb->items[0].expr;
  else if (!parts.verb && i < parts.nselect) e = parts.select[i].expr;
  int at = -1;
  if (e && e->kind >= WEFT_E_SUM && e->kind <= WEFT_E_MAX && e->kids[0]->kind == WEFT_E_COLUMN)
    at = weft_table_column(p->table, e->kids[0]->name);
  if (at >= 0) *out = p->table->columns[at].type;
  if (at >= 0 && e->kind == WEFT_E_AVG) out->scale = -1;
  weft_arena_release(&arena);
  return at >= 0 && out->type == WEFT_DECIMAL;
}
