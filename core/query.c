/* SPDX-License-Identifier: MIT */
/* A clause is one malloc: the struct, then the first bytes of its arena. The chain owns itself
   through prev; the root alone owns the table. A shape is final at weft_query_end and mixes in the
   shape below, so that two chains of equal shape have equal shapes at every step. NOTEs are no
   part of it. */
#include "query.h"

#include <stdlib.h>

#include "hash.h"

enum { FIRST = 448, CHAIN = 64 };

static struct weft_query *clause_new(enum weft_clause clause) {
  struct weft_query *c = weft_alloc(sizeof *c + FIRST);
  memset(c, 0, sizeof *c);
  c->refs = 1;
  c->clause = (uint8_t)clause;
  weft_arena_init(&c->arena, c + 1, FIRST);
  return c;
}

struct weft_query *weft_query_from(struct weft_table *table) {
  struct weft_query *c = clause_new(WEFT_C_FROM);
  c->table = weft_table_ref(table);
  c->depth = 1;
  c->shape = weft_hash_mix(table->id, WEFT_C_FROM);
  return c;
}

struct weft_query *weft_query_ref(struct weft_query *q) {
  __atomic_add_fetch(&q->refs, 1, __ATOMIC_RELAXED);
  return q;
}

void weft_query_unref(struct weft_query *q) {
  while (q && __atomic_sub_fetch(&q->refs, 1, __ATOMIC_ACQ_REL) == 0) {
    struct weft_query *prev = q->prev;
    if (!prev) weft_table_unref(q->table);
    weft_arena_release(&q->arena);
    free(q);
    q = prev;
  }
}

struct weft_query *weft_query_begin(struct weft_query *prev, enum weft_clause clause) {
  struct weft_query *c = clause_new(clause);
  c->prev = weft_query_ref(prev);
  c->table = prev->table;
  c->depth = prev->depth + 1;
  c->conditioned = prev->conditioned || clause == WEFT_C_WHERE;
  return c;
}

static bool is_insert(const struct weft_query *c) {
  return c->clause == WEFT_C_INSERT || c->clause == WEFT_C_UPSERT;
}

static uint64_t items_shape(uint64_t h, const struct weft_item *items, uint32_t n) {
  h = weft_hash_mix(h, n);
  for (uint32_t i = 0; i < n; i++) {
    h = weft_hash_bytes(h ^ items[i].flags, items[i].name.p, items[i].name.n);
    if (items[i].expr) h = weft_expr_shape(h, items[i].expr);
  }
  return h;
}

static uint64_t names_shape(uint64_t h, const struct weft_query *c) {
  h = weft_hash_mix(h, c->non);
  for (uint32_t i = 0; i < c->non; i++) h = weft_hash_bytes(h, c->on[i].p, c->on[i].n);
  return h;
}

/* Which cells of the first row are left to the database. */
static uint64_t cells_shape(uint64_t h, const struct weft_query *c) {
  h = weft_hash_mix(h, (uint64_t)c->quiet | (uint64_t)(c->nrows > 1) << 1);
  if (c->nrows)
    for (uint32_t i = 0; i < c->nitems; i++)
      if (c->values[i].type == WEFT_ANY) h = weft_hash_mix(h, i + 1);
  h = weft_hash_mix(names_shape(h, c), c->updates != NULL);
  return items_shape(h, c->updates, c->nupdates);
}

struct weft_query *weft_query_end(struct weft_query *c) {
  uint64_t h = c->prev->shape;
  if (c->clause != WEFT_C_NOTE) {
    h = weft_hash_mix(h, c->clause | (uint64_t)c->all << 8);
    if (c->expr) h = weft_expr_shape(h, c->expr);
    if (c->nitems) h = items_shape(h, c->items, c->nitems);
    if (c->clause == WEFT_C_LIMIT) h = weft_hash_mix(h, (uint64_t)c->number);
    if (c->name.n) h = weft_hash_bytes(h, c->name.p, c->name.n);
    if (is_insert(c)) h = cells_shape(h, c);
    else if (c->non) h = names_shape(h, c);
  }
  c->shape = h;
  return c;
}

static bool same_items(const struct weft_item *a, const struct weft_item *b, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (a[i].flags != b[i].flags || !weft_slice_equal(a[i].name, b[i].name)) return false;
    if ((a[i].expr == NULL) != (b[i].expr == NULL)) return false;
    if (a[i].expr && !weft_expr_same_shape(a[i].expr, b[i].expr)) return false;
  }
  return true;
}

static bool same_names(const struct weft_query *a, const struct weft_query *b) {
  if (a->non != b->non) return false;
  for (uint32_t i = 0; i < a->non; i++)
    if (!weft_slice_equal(a->on[i], b->on[i])) return false;
  return true;
}

static bool same_insert(const struct weft_query *a, const struct weft_query *b) {
  if (a->quiet != b->quiet || (a->nrows > 1) != (b->nrows > 1) || !a->nrows != !b->nrows)
    return false;
  if (!same_names(a, b) || a->nupdates != b->nupdates || !a->updates != !b->updates) return false;
  if (a->nrows)
    for (uint32_t i = 0; i < a->nitems; i++)
      if ((a->values[i].type == WEFT_ANY) != (b->values[i].type == WEFT_ANY)) return false;
  return same_items(a->updates, b->updates, a->nupdates);
}

static bool same_clause(const struct weft_query *a, const struct weft_query *b) {
  if (a->shape != b->shape || a->clause != b->clause || a->table != b->table) return false;
  if (a->nitems != b->nitems || a->all != b->all || !a->expr != !b->expr) return false;
  if (a->expr && !weft_expr_same_shape(a->expr, b->expr)) return false;
  if (!same_items(a->items, b->items, a->nitems)) return false;
  if (a->clause == WEFT_C_LIMIT && a->number != b->number) return false;
  if (!weft_slice_equal(a->name, b->name)) return false;
  return is_insert(a) ? same_insert(a, b) : same_names(a, b);
}

static const struct weft_query *skip_notes(const struct weft_query *q) {
  while (q && q->clause == WEFT_C_NOTE) q = q->prev;
  return q;
}

bool weft_query_same_shape(const struct weft_query *a, const struct weft_query *b) {
  for (;; a = a->prev, b = b->prev) {
    a = skip_notes(a);
    b = skip_notes(b);
    if (a == b) return true;
    if (!a || !b || !same_clause(a, b)) return false;
  }
}

const struct weft_query *weft_query_verb(const struct weft_query *q) {
  q = skip_notes(q);
  return q && q->clause >= WEFT_C_COUNT ? q : NULL;
}

/* The clauses of q, root first. Long chains are rare and pay for a malloc; *own is to be freed. */
static const struct weft_query **chain(const struct weft_query *q, const struct weft_query **small,
                                       const struct weft_query ***own) {
  *own = q->depth > CHAIN ? weft_alloc(q->depth * sizeof **own) : NULL;
  const struct weft_query **v = *own ? *own : small;
  for (uint32_t i = q->depth; i > 0; q = q->prev) v[--i] = q;
  return v;
}

static void walk_expr(const struct weft_query *c, const struct weft_expr *e,
                      weft_query_visit *visit, void *ud) {
  if (e->kind == WEFT_E_VALUE || e->kind == WEFT_E_LIST) visit(ud, c, e, e->value);
  for (uint32_t i = 0; i < e->nkids; i++) walk_expr(c, e->kids[i], visit, ud);
}

static void walk_items(const struct weft_query *c, const struct weft_item *items, uint32_t n,
                       weft_query_visit *visit, void *ud) {
  for (uint32_t i = 0; i < n; i++)
    if (items[i].expr) walk_expr(c, items[i].expr, visit, ud);
}

static void walk_clause(const struct weft_query *c, weft_query_visit *visit, void *ud) {
  if (c->expr) walk_expr(c, c->expr, visit, ud);
  walk_items(c, c->items, c->nitems, visit, ud);
  if (c->clause == WEFT_C_OFFSET) visit(ud, c, NULL, weft_int(c->number));
  if (!is_insert(c)) return;
  if (c->nrows)
    for (uint32_t i = 0; i < c->nitems; i++)
      if (c->values[i].type != WEFT_ANY) visit(ud, c, NULL, c->values[i]);
  walk_items(c, c->updates, c->nupdates, visit, ud);
}

void weft_query_walk(const struct weft_query *q, weft_query_visit *visit, void *ud) {
  const struct weft_query *small[CHAIN], **own, **v = chain(q, small, &own);
  for (uint32_t i = 0; i < q->depth; i++) walk_clause(v[i], visit, ud);
  free(own);
}

/* ---- copies ---- */

typedef const struct weft_expr *copier(struct weft_arena *a, const struct weft_expr *e);

static const struct weft_item *copy_items(struct weft_arena *a, const struct weft_item *from,
                                          uint32_t n, copier *copy) {
  if (!from) return NULL;
  struct weft_item *to = weft_arena_alloc(a, (n ? n : 1) * sizeof *to);
  for (uint32_t i = 0; i < n; i++) {
    to[i] = (struct weft_item){.flags = from[i].flags};
    if (from[i].name.p) to[i].name = weft_arena_slice(a, from[i].name);
    if (from[i].expr) to[i].expr = copy(a, from[i].expr);
  }
  return to;
}

/* A skeleton keeps two rows at most, and of their cells only what is left to the database. */
static void copy_cells(struct weft_query *to, const struct weft_query *from, bool strip) {
  to->nrows = strip && from->nrows > 2 ? 2 : from->nrows;
  size_t n = (size_t)to->nrows * from->nitems;
  struct weft_value *cells = weft_arena_alloc(&to->arena, (n ? n : 1) * sizeof *cells);
  for (size_t i = 0; i < n; i++) {
    bool any = from->values[i].type == WEFT_ANY;
    if (!strip && !any) cells[i] = weft_value_copy(&to->arena, from->values[i]);
    else cells[i] = any ? from->values[i] : weft_null();
  }
  to->values = cells;
}

static struct weft_query *copy_clause(struct weft_query *prev, const struct weft_query *from,
                                      bool strip) {
  copier *copy = strip ? weft_expr_skeleton : weft_expr_copy;
  struct weft_query *c = weft_query_begin(prev, from->clause);
  struct weft_arena *a = &c->arena;
  weft_query_unref(prev);
  c->all = from->all;
  c->quiet = from->quiet;
  c->nitems = from->nitems;
  c->non = from->non;
  c->nupdates = from->nupdates;
  c->number = from->number;
  if (from->expr) c->expr = copy(a, from->expr);
  c->items = copy_items(a, from->items, from->nitems, copy);
  c->updates = copy_items(a, from->updates, from->nupdates, copy);
  if (from->name.n) c->name = weft_arena_slice(a, from->name);
  if (is_insert(from)) copy_cells(c, from, strip);
  struct weft_slice *on = weft_arena_alloc(a, (c->non ? c->non : 1) * sizeof *on);
  for (uint32_t i = 0; i < c->non; i++) on[i] = weft_arena_slice(a, from->on[i]);
  c->on = on;
  return weft_query_end(c);
}

struct weft_query *weft_query_rebase(const struct weft_query *q, struct weft_table *table) {
  const struct weft_query *small[CHAIN], **own, **v = chain(q, small, &own);
  struct weft_query *to = weft_query_from(table);
  for (uint32_t i = 1; i < q->depth; i++) to = copy_clause(to, v[i], false);
  free(own);
  return to;
}

static void count_visit(void *ud, const struct weft_query *c, const struct weft_expr *e,
                        struct weft_value v) {
  (void)c, (void)e, (void)v;
  ++*(uint32_t *)ud;
}

/* The skeleton's own nodes are still nobody else's: the cast writes to what was allocated above. */
static void number_visit(void *ud, const struct weft_query *c, const struct weft_expr *e,
                         struct weft_value v) {
  uint32_t *next = ud;
  struct weft_query *clause = (struct weft_query *)(uintptr_t)c;
  (void)v;
  if (e) ((struct weft_expr *)(uintptr_t)e)->source = *next;
  else if (clause->source == UINT32_MAX) clause->source = *next;
  ++*next;
}

struct weft_query *weft_query_skeleton(const struct weft_query *q, uint32_t *nsources) {
  const struct weft_query *small[CHAIN], **own, **v = chain(q, small, &own);
  uint32_t shared = 0, held = 0;
  while (shared < q->depth) {
    walk_clause(v[shared], count_visit, &held);
    if (held) break;
    shared++;
  }
  struct weft_query *to = (struct weft_query *)(uintptr_t)v[shared - 1];
  weft_query_ref(to);
  *nsources = 0;
  for (uint32_t i = shared; i < q->depth; i++) {
    to = copy_clause(to, v[i], true);
    to->source = UINT32_MAX;
    walk_clause(to, number_visit, nsources);
  }
  free(own);
  return to;
}
