/* SPDX-License-Identifier: MIT */
/* Levels: what an included association becomes for the tables that are known now. A level's query
   selects what was asked for and, behind it, the keys that joining needs and that were not. */
#include <stdio.h>
#include <stdlib.h>

#include "db_private.h"
#include "fetch_private.h"

#define BETWEEN WEFT_LIT("weft_between")

static bool is_column(const struct weft_item *it, struct weft_slice qualifier,
                      struct weft_slice name) {
  return it->expr->kind == WEFT_E_COLUMN && weft_slice_equal(it->expr->qualifier, qualifier) &&
         weft_slice_equal(it->expr->name, name);
}

static bool plain_column(const struct weft_item *it, struct weft_slice name) {
  return is_column(it, weft_slice(NULL, 0), name);
}

static bool shown_by_default(const struct weft_table *t, struct weft_slice name) {
  int at = weft_table_column(t, name);
  return at >= 0 && !t->columns[at].lazy;
}

/* The items that a query without SELECT shows. */
static uint32_t all_items(struct weft_arena *a, const struct weft_table *t, struct weft_item *out) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    if (t->columns[i].lazy) continue;
    out[n++] = (struct weft_item){.expr = weft_expr_column(a, t->columns[i].name)};
  }
  return n;
}

static struct weft_slice hidden_name(struct weft_arena *a, uint32_t number) {
  char text[24];
  int n = snprintf(text, sizeof text, "weft_k%u", (unsigned)number);
  return weft_slice(weft_arena_copy(a, text, (size_t)n), (size_t)n);
}

/* Where the result shows the wanted column: an item of its own or one that is there. */
static struct weft_slice place_for(struct weft_arena *a, struct weft_item *items, uint32_t *n,
                                   uint32_t shown, const struct fetch_wanted *w) {
  for (uint32_t i = w->qualifier.n ? shown : 0; i < *n; i++)
    if (is_column(&items[i], w->qualifier, w->column)) return weft_item_name(&items[i]);
  struct weft_item *it = &items[(*n)++];
  it->name = hidden_name(a, *n - shown);
  it->flags = 0;
  it->expr = w->qualifier.n ? weft_expr_joined(a, w->qualifier, w->column)
                            : weft_expr_column(a, w->column);
  return it->name;
}

static bool all_there(const struct weft_parts *p, const struct fetch_wanted *w, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    bool found = false;
    for (uint32_t k = 0; k < p->nselect && !found; k++)
      found = !w[i].qualifier.n && plain_column(&p->select[k], w[i].column);
    if (!found && (p->nselect || w[i].qualifier.n || !shown_by_default(p->table, w[i].column)))
      return false;
  }
  return true;
}

static struct weft_slice found_name(const struct weft_parts *p, struct weft_slice column) {
  for (uint32_t k = 0; k < p->nselect; k++)
    if (plain_column(&p->select[k], column)) return weft_item_name(&p->select[k]);
  return column;
}

struct weft_slice *fetch_names_below(struct weft_arena *a, const struct fetch_wanted *w,
                                     struct weft_level *const *levels, uint32_t n) {
  struct weft_slice *names = weft_arena_alloc(a, ((size_t)n * WEFT_KEY_COLUMNS + 1) * sizeof *names);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < levels[i]->nkey; k++)
      names[i * WEFT_KEY_COLUMNS + k] = weft_arena_slice(a, (w++)->result);
  return names;
}

/* Of such rows no column can be shown but those that were selected. */
static bool condensed(const struct weft_parts *p) {
  bool is = p->ngroup || p->distinct;
  for (uint32_t i = 0; i < p->nselect && !is; i++)
    is = p->select[i].expr->kind >= WEFT_E_COUNT && p->select[i].expr->kind <= WEFT_E_MAX;
  return is;
}

/* A SELECT of what p shows and of what is wanted beside it. */
static struct weft_query *select_more(struct weft_query *q, const struct weft_parts *p,
                                      struct fetch_wanted *w, uint32_t n, uint32_t *nshown) {
  struct weft_query *c = weft_query_begin(q, WEFT_C_SELECT);
  struct weft_arena *a = &c->arena;
  uint32_t room = (p->nselect ? p->nselect : p->table->ncolumns) + n;
  struct weft_item *items = weft_arena_alloc(a, room * sizeof *items);
  uint32_t nitems = p->nselect;
  for (uint32_t i = 0; i < p->nselect; i++)
    items[i] = (struct weft_item){.expr = weft_expr_copy(a, p->select[i].expr),
                                  .name = weft_arena_slice(a, p->select[i].name)};
  if (!p->nselect) nitems = all_items(a, p->table, items);
  *nshown = nitems;
  for (uint32_t i = 0; i < n; i++) w[i].result = place_for(a, items, &nitems, *nshown, &w[i]);
  c->items = items;
  c->nitems = nitems;
  return weft_query_end(c);
}

/* A row has one value under each name. */
static int check_names(const struct weft_parts *p, struct weft_level *const *levels, uint32_t n,
                       struct weft_error *err) {
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < p->nselect; k++)
      if (weft_slice_equal(weft_item_name(&p->select[k]), levels[i]->name))
        return weft_fail(err, WEFT_USAGE, "select and include both give '%.*s'; select it by another name",
                         (int)levels[i]->name.n, levels[i]->name.p);
  return 0;
}

int fetch_select(struct weft_query *q, struct weft_level *const *levels, uint32_t nlevels,
                 struct fetch_wanted *w, uint32_t n, struct weft_query **out, uint32_t *nshown,
                 struct weft_error *err) {
  char scratch[1024];
  struct weft_arena arena;
  struct weft_parts p;
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_query_parts(q, &arena, &p);
  *nshown = UINT32_MAX;
  int status = check_names(&p, levels, nlevels, err);
  if (status == 0 && all_there(&p, w, n)) {
    for (uint32_t i = 0; i < n; i++) w[i].result = found_name(&p, w[i].column);
    *out = weft_query_ref(q);
  } else if (status == 0 && condensed(&p)) {
    status = weft_fail(err, WEFT_USAGE,
                       "include needs column '%.*s' of %.*s, which a query that groups or counts rows or "
                       "makes them distinct must select itself",
                       (int)w[0].column.n, w[0].column.p, (int)p.table->name.n, p.table->name.p);
  } else if (status == 0) {
    *out = select_more(q, &p, w, n, nshown);
  }
  weft_arena_release(&arena);
  return status;
}

bool fetch_is_limited(const struct weft_query *q) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_LIMIT || q->clause == WEFT_C_OFFSET) return true;
  return false;
}

static bool makes_rows(const struct weft_query *q) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_GROUP || q->clause == WEFT_C_DISTINCT) return true;
  return false;
}

static bool orders_by(const struct weft_query *q, struct weft_slice name) {
  for (; q; q = q->prev)
    for (uint32_t i = 0; q->clause == WEFT_C_ORDER && i < q->nitems; i++)
      if (plain_column(&q->items[i], name)) return true;
  return false;
}

struct weft_query *fetch_complete_order(struct weft_query *q) {
  const struct weft_table *t = q->table;
  if (!fetch_is_limited(q) || makes_rows(q)) return q;
  struct weft_query *c = weft_query_begin(q, WEFT_C_ORDER);
  struct weft_item *items = weft_arena_alloc(&c->arena, (t->nkey + 1) * sizeof *items);
  for (uint32_t i = 0; i < t->nkey; i++) {
    struct weft_slice name = t->columns[t->key[i]].name;
    if (!orders_by(q, name))
      items[c->nitems++] = (struct weft_item){.expr = weft_expr_column(&c->arena, name)};
  }
  c->items = items;
  if (c->nitems == 0) {
    weft_query_unref(c);
    return q;
  }
  weft_query_unref(q);
  return weft_query_end(c);
}

/* ---- levels ---- */

static int check(const struct weft_level_options *o, struct weft_error *err) {
  int n = (int)o->name.n;
  if (o->nkey == 0 || o->nkey > WEFT_KEY_COLUMNS)
    return weft_fail(err, WEFT_USAGE, "include '%.*s': a key of 1 to %d columns is expected", n, o->name.p,
                     WEFT_KEY_COLUMNS);
  if (o->passed && o->nbelow != 1)
    return weft_fail(err, WEFT_USAGE, "include '%.*s': its rows lead to one level", n, o->name.p);
  if (weft_query_verb(o->query))
    return weft_fail(err, WEFT_USAGE, "include '%.*s': a query that reads rows is expected", n,
                     o->name.p);
  for (const struct weft_query *q = o->query; q; q = q->prev)
    if (q->clause == WEFT_C_GROUP || q->clause == WEFT_C_HAVING || q->clause == WEFT_C_LOCK)
      return weft_fail(err, WEFT_USAGE, "include '%.*s' cannot group or lock rows", n, o->name.p);
  return 0;
}

static void keys(struct weft_level *l, const struct weft_level_options *o) {
  l->nkey = o->nkey;
  l->nbetween = o->nbetween;
  if (o->between) l->qualifier = BETWEEN;
  for (uint32_t i = 0; i < l->nkey; i++) {
    l->parent[i] = weft_arena_slice(&l->arena, o->parent[i]);
    l->column[i] = weft_arena_slice(&l->arena, o->asked[i]->name);
    l->side[i] = weft_key_side(o->asked[i]);
    weft_key_form(&o->parent_side[i], &l->side[i], &l->form[i]);
  }
}

/* The rows with the table between joined to them. Takes over q's reference. */
static struct weft_query *with_between(const struct weft_level *l,
                                       const struct weft_level_options *o, struct weft_query *q) {
  struct weft_query *c = weft_query_begin(q, WEFT_C_JOIN);
  weft_query_unref(q);
  struct weft_association *between = (struct weft_association *)(uintptr_t)o->between;
  static const struct weft_slice root;
  c->name = l->qualifier;
  c->on = &root;
  c->non = 1;
  weft_query_hold_join(c, between);
  if (o->guard) weft_query_hold(c, c->expr = weft_expr_copy(&c->arena, o->guard));
  return weft_query_end(c);
}

const struct weft_expr *fetch_asked(struct weft_arena *a, const struct weft_level *l, uint32_t i) {
  return l->qualifier.n ? weft_expr_joined(a, l->qualifier, l->column[i])
                        : weft_expr_column(a, l->column[i]);
}

/* A limit holds for each parent. Takes q's reference. */
static struct weft_query *parted(const struct weft_level *l, struct weft_query *q) {
  struct weft_query *c = weft_query_begin(q, WEFT_C_PER);
  struct weft_item *items = weft_arena_alloc(&c->arena, l->nkey * sizeof *items);
  weft_query_unref(q);
  for (uint32_t i = 0; i < l->nkey; i++)
    items[i] = (struct weft_item){.expr = fetch_asked(&c->arena, l, i)};
  c->items = items;
  c->nitems = l->nkey;
  return weft_query_end(c);
}

uint32_t fetch_wanted_below(struct fetch_wanted *w, struct weft_level *const *levels, uint32_t n) {
  uint32_t wanted = 0;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < levels[i]->nkey; k++)
      w[wanted++] = (struct fetch_wanted){
          .column = levels[i]->parent[k],
          .qualifier = k < levels[i]->nbetween ? BETWEEN : weft_slice(NULL, 0)};
  return wanted;
}

static void keep_names(struct weft_level *l, const struct fetch_wanted *w) {
  for (uint32_t i = 0; i < l->nkey; i++) l->result[i] = weft_arena_slice(&l->arena, (w++)->result);
  l->below_keys = fetch_names_below(&l->arena, w, l->below, l->nbelow);
}

/* Its own keys and those that the levels below ask for. */
static int select_keys(struct weft_level *l, const struct weft_level_options *o,
                       struct weft_error *err) {
  struct weft_arena arena;
  struct weft_query *q;
  if (weft_relation_current(o->relation, o->query, &q, err)) return -1;
  weft_arena_init(&arena, NULL, 0);
  struct fetch_wanted *w =
      weft_arena_alloc(&arena, (l->nkey + (size_t)o->nbelow * WEFT_KEY_COLUMNS) * sizeof *w);
  for (uint32_t i = 0; i < l->nkey; i++)
    w[i] = (struct fetch_wanted){.column = l->column[i], .qualifier = l->qualifier};
  uint32_t n = l->nkey + fetch_wanted_below(w + l->nkey, o->below, o->nbelow);
  if (o->between) q = with_between(l, o, q);
  int status = fetch_select(q, o->below, o->nbelow, w, n, &l->query, &l->nshown, err);
  if (status == 0) keep_names(l, w);
  weft_query_unref(q);
  weft_arena_release(&arena);
  return status;
}

int weft_level_new(const struct weft_level_options *o, struct weft_level **out,
                   struct weft_error *err) {
  if (check(o, err)) return -1;
  struct weft_level *l = weft_zalloc(sizeof *l);
  weft_arena_init(&l->arena, NULL, 0);
  l->refs = 1;
  l->name = weft_arena_slice(&l->arena, o->name);
  l->many = o->many;
  l->passed = o->passed;
  l->direct = o->direct && !o->passed;
  l->limit = o->limit;
  l->offset = o->offset;
  /* A composite key asks for more than its keys: another chunk could find the same rows again. */
  l->chunk = o->nkey > 1 ? UINT32_MAX : o->chunk ? o->chunk : WEFT_FETCH_CHUNK;
  l->relation = o->relation;
  l->epoch = weft_db_epoch(weft_db_ref(weft_relation_db(o->relation)));
  keys(l, o);
  l->below = weft_arena_alloc(&l->arena, (o->nbelow + 1) * sizeof *l->below);
  for (uint32_t i = 0; i < o->nbelow; i++) l->below[l->nbelow++] = weft_level_ref(o->below[i]);
  if (select_keys(l, o, err)) {
    weft_level_unref(l);
    return -1;
  }
  if (fetch_is_limited(l->query)) l->query = parted(l, fetch_complete_order(l->query));
  *out = l;
  return 0;
}

struct weft_level *weft_level_ref(struct weft_level *l) {
  l->refs++;
  return l;
}

void weft_level_unref(struct weft_level *l) {
  if (!l || --l->refs) return;
  for (uint32_t i = 0; i < l->nbelow; i++) weft_level_unref(l->below[i]);
  if (l->query) weft_query_unref(l->query);
  weft_db_unref(weft_relation_db(l->relation));
  weft_arena_release(&l->arena);
  free(l);
}

bool weft_level_fresh(const struct weft_level *l) {
  const struct weft_table *t = weft_relation_table(l->relation);
  if (weft_relation_db(l->relation)->closed || !t->known || l->query->table != t) return false;
  if (l->epoch != weft_db_epoch(weft_relation_db(l->relation))) return false;
  for (uint32_t i = 0; i < l->nbelow; i++)
    if (!weft_level_fresh(l->below[i])) return false;
  return true;
}
