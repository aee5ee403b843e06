/* SPDX-License-Identifier: MIT */
/* A clause is one malloc: the struct, then the first bytes of its arena. The chain owns itself
   through prev, and what its expressions point at through held; the root alone owns the table. A
   shape is final at weft_query_end and mixes in the shape below, so that two chains of equal shape
   have equal shapes at every step. NOTEs are no part of it. */
#include "query.h"

#include <stdlib.h>

#include "association.h"
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

static void release(struct weft_held *held) {
  for (; held; held = held->next) {
    weft_association_unref(held->association);
    weft_query_unref(held->query);
  }
}

void weft_query_unref(struct weft_query *q) {
  while (q && __atomic_sub_fetch(&q->refs, 1, __ATOMIC_ACQ_REL) == 0) {
    struct weft_query *prev = q->prev;
    release(q->held);
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
  c->loose = prev->loose;
  return c;
}

/* ---- references ---- */

/* Takes over the references. */
static void hold(struct weft_query *c, struct weft_association *a, struct weft_query *q) {
  struct weft_held *h = weft_arena_alloc(&c->arena, sizeof *h);
  *h = (struct weft_held){c->held, a, q};
  c->held = h;
}

/* Who holds a reference may change the count of what it sees as const. */
static struct weft_query *taken_query(const struct weft_query *q) {
  return weft_query_ref((struct weft_query *)(uintptr_t)q);
}

static struct weft_association *taken(const struct weft_association *a) {
  return weft_association_ref((struct weft_association *)(uintptr_t)a);
}

static void hold_expr(struct weft_query *c, const struct weft_expr *e) {
  if (e->kind == WEFT_E_QUERY) hold(c, NULL, taken_query(e->query));
  if (e->kind == WEFT_E_SOME && e->association) hold(c, taken(e->association), NULL);
  for (uint32_t i = 0; i < e->nkids; i++) hold_expr(c, e->kids[i]);
}

/* Nobody follows a tree that is too deep, and it may be too deep to be walked. */
void weft_query_hold(struct weft_query *c, const struct weft_expr *e) {
  if (e->depth > WEFT_EXPR_DEPTH) return;
  hold_expr(c, e);
  c->loose |= weft_expr_loose(e);
}

void weft_query_hold_join(struct weft_query *c, struct weft_association *a) {
  c->association = weft_association_ref(a);
  hold(c, c->association, NULL);
}

/* ---- shapes ---- */

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

/* Whose number is part of the text. */
static bool numbered(const struct weft_query *c) {
  return c->clause == WEFT_C_LIMIT || c->clause == WEFT_C_JOIN || c->clause == WEFT_C_DELETED;
}

struct weft_query *weft_query_end(struct weft_query *c) {
  uint64_t h = c->prev->shape;
  if (c->clause != WEFT_C_NOTE) {
    h = weft_hash_mix(h, c->clause | (uint64_t)c->all << 8);
    if (c->expr) h = weft_expr_shape(h, c->expr);
    if (c->nitems) h = items_shape(h, c->items, c->nitems);
    if (numbered(c)) h = weft_hash_mix(h, (uint64_t)c->number);
    if (c->association) h = weft_hash_mix(h, c->association->id);
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
  if (numbered(a) && a->number != b->number) return false;
  if (a->association != b->association) return false;
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
  if (e->kind == WEFT_E_QUERY) weft_query_walk(e->query, visit, ud);
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

/* How a clause is copied: as it is, without what its parameters hold, or mapped. */
struct copier {
  bool strip;
  weft_expr_map *map; /* NULL: none */
  weft_join_map *join;
  void *ud;
  struct weft_error *err;
  bool failed;
};

static struct weft_query *stripped(const struct weft_query *q);

/* The copy's own nodes are still nobody else's: the cast writes to what was allocated above. */
static void strip_queries(struct weft_query *c, const struct weft_expr *e) {
  if (e->kind == WEFT_E_QUERY) {
    struct weft_query *bare = stripped(e->query);
    ((struct weft_expr *)(uintptr_t)e)->query = bare;
    hold(c, NULL, bare);
  }
  if (e->kind == WEFT_E_SOME && e->association) hold(c, taken(e->association), NULL);
  for (uint32_t i = 0; i < e->nkids; i++) strip_queries(c, e->kids[i]);
}

static const struct weft_expr *copy_expr(struct copier *how, struct weft_query *c,
                                         const struct weft_expr *e) {
  if (how->strip) {
    e = weft_expr_skeleton(&c->arena, e);
    strip_queries(c, e);
    return e;
  }
  const struct weft_expr *mapped = e;
  if (how->map && !how->failed) how->failed = how->map(how->ud, c, e, &mapped, how->err) != 0;
  e = weft_expr_copy(&c->arena, how->failed ? e : mapped);
  weft_query_hold(c, e);
  return e;
}

static const struct weft_item *copy_items(struct copier *how, struct weft_query *c,
                                          const struct weft_item *from, uint32_t n) {
  if (!from) return NULL;
  struct weft_item *to = weft_arena_alloc(&c->arena, (n ? n : 1) * sizeof *to);
  for (uint32_t i = 0; i < n; i++) {
    to[i] = (struct weft_item){.flags = from[i].flags};
    if (from[i].name.p) to[i].name = weft_arena_slice(&c->arena, from[i].name);
    if (from[i].expr) to[i].expr = copy_expr(how, c, from[i].expr);
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

static void copy_names(struct weft_query *to, const struct weft_query *from) {
  struct weft_slice *on = weft_arena_alloc(&to->arena, (from->non + 1) * sizeof *on);
  for (uint32_t i = 0; i < from->non; i++) on[i] = weft_arena_slice(&to->arena, from->on[i]);
  to->on = on;
  to->non = from->non;
  if (from->name.n) to->name = weft_arena_slice(&to->arena, from->name);
}

/* Takes over prev's reference. */
static struct weft_query *copy_clause(struct copier *how, struct weft_query *prev,
                                      const struct weft_query *from) {
  struct weft_query *c = weft_query_begin(prev, from->clause);
  weft_query_unref(prev);
  c->all = from->all;
  c->quiet = from->quiet;
  c->nitems = from->nitems;
  c->nupdates = from->nupdates;
  c->number = from->number;
  copy_names(c, from);
  if (from->association) weft_query_hold_join(c, from->association);
  if (from->expr) c->expr = copy_expr(how, c, from->expr);
  c->items = copy_items(how, c, from->items, from->nitems);
  c->updates = copy_items(how, c, from->updates, from->nupdates);
  if (is_insert(from)) copy_cells(c, from, how->strip);
  if (!how->map) c->loose = from->loose;
  return weft_query_end(c);
}

/* Takes over prev's reference. A join that failed is left out of what nobody will see. */
static struct weft_query *map_join(struct copier *how, struct weft_query *prev,
                                   const struct weft_query *join) {
  struct weft_query *to =
      how->failed ? NULL : how->join(how->ud, weft_query_ref(prev), join, how->err);
  how->failed |= to == NULL;
  if (!to) return prev;
  weft_query_unref(prev);
  return to;
}

static struct weft_query *copy_query(struct copier *how, const struct weft_query *q,
                                     struct weft_table *table) {
  const struct weft_query *small[CHAIN], **own, **v = chain(q, small, &own);
  struct weft_query *to = weft_query_from(table);
  for (uint32_t i = 1; i < q->depth; i++) {
    bool loose_join = how->join && v[i]->clause == WEFT_C_JOIN && !v[i]->association;
    to = loose_join ? map_join(how, to, v[i]) : copy_clause(how, to, v[i]);
  }
  free(own);
  return to;
}

struct weft_query *weft_query_rebase(const struct weft_query *q, struct weft_table *table) {
  return copy_query(&(struct copier){0}, q, table);
}

int weft_query_map(const struct weft_query *q, struct weft_table *table, weft_expr_map *map,
                   weft_join_map *join, void *ud, struct weft_query **out, struct weft_error *err) {
  struct copier how = {.map = map, .join = join, .ud = ud, .err = err};
  struct weft_query *to = copy_query(&how, q, table);
  if (how.failed) weft_query_unref(to);
  else *out = to;
  return how.failed ? -1 : 0;
}

/* ---- skeletons ---- */

static void count_visit(void *ud, const struct weft_query *c, const struct weft_expr *e,
                        struct weft_value v) {
  (void)c, (void)e, (void)v;
  ++*(uint32_t *)ud;
}

/* Clauses up to the first that holds a value are shared. A source that is not known yet is UINT32_MAX. */
static struct weft_query *stripped(const struct weft_query *q) {
  const struct weft_query *small[CHAIN], **own, **v = chain(q, small, &own);
  uint32_t shared = 0, found = 0;
  while (shared < q->depth) {
    walk_clause(v[shared], count_visit, &found);
    if (found) break;
    shared++;
  }
  struct weft_query *to = taken_query(v[shared - 1]);
  for (uint32_t i = shared; i < q->depth; i++) {
    to = copy_clause(&(struct copier){.strip = true}, to, v[i]);
    to->source = UINT32_MAX;
  }
  free(own);
  return to;
}

/* What holds a value was copied, and the copy is nobody else's yet. */
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
  struct weft_query *to = stripped(q);
  *nsources = 0;
  weft_query_walk(to, number_visit, nsources);
  return to;
}
