/* SPDX-License-Identifier: MIT */
/* A tree's levels of one database in one round trip, where the driver pipelines: BEGIN, the root, one
   statement per level, COMMIT. A level selects by a sub-select of the level above instead of by keys, so
   that nothing has to come back before it is sent; all of them read one snapshot.

   That pays where repeating the level above is cheap: by its key, or when it was measured to be short. It
   is right only where a repetition gives the same rows: no raw text, and a limit only under an order that
   the primary key makes complete. Everything else is fetched by keys (fetch.c), as is a tree whose flight
   failed for what may have changed meanwhile.

   When the driver had to ask one again, that one has not read the snapshot, and the tree is fetched by keys. */
#include "bundle.h"
#include "fetch_private.h"

static const int64_t SHORT_NS = 2000000; /* a root that takes less may be repeated */

struct fetch_flight {
  struct weft_bundle bundle; /* of whose operations mine is the part */
  struct weft_fetch *fetch;
};

/* ---- may it fly? ---- */

static bool has_raw(const struct weft_expr *e) {
  if (e->kind == WEFT_E_RAW) return true;
  for (uint32_t i = 0; i < e->nkids; i++)
    if (has_raw(e->kids[i])) return true;
  return false;
}

/* Does it give the same rows whenever it is repeated inside a snapshot? */
static bool repeatable(const struct weft_query *q) {
  bool limited = false, distinct = false;
  for (; q; q = q->prev) {
    if (q->clause == WEFT_C_GROUP || q->clause == WEFT_C_HAVING || q->clause == WEFT_C_LOCK) return false;
    limited |= q->clause == WEFT_C_LIMIT || q->clause == WEFT_C_OFFSET;
    distinct |= q->clause == WEFT_C_DISTINCT;
    if (q->expr && has_raw(q->expr)) return false;
    for (uint32_t i = 0; i < q->nitems; i++)
      if (q->items[i].expr && has_raw(q->items[i].expr)) return false;
    if (limited && (distinct || q->table->nkey == 0)) return false;
  }
  return true;
}

static uint32_t notes_of(const struct weft_query *q) {
  uint32_t notes = 0;
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_NOTE) notes |= (uint32_t)q->number;
  return notes;
}

static bool is_cheap(struct weft_db *db, struct weft_query *q, uint32_t notes) {
  struct weft_plan *plan;
  struct weft_error err;
  if (notes & WEFT_NOTE_KEYED) return false;
  if (notes & WEFT_NOTE_TOGETHER) return true;
  if (weft_plans_get(&db->plans, q, &plan, &err)) return false;
  return plan->flags & WEFT_PLAN_KEY || (plan->runs > 0 && plan->estimate_ns < SHORT_NS);
}

static bool flies(const struct weft_level *l, const struct weft_db *db) {
  return l->direct && weft_relation_db(l->relation) == db && repeatable(l->query);
}

/* Levels of db that do not fly would not read the snapshot of those that do. */
static bool all_fly(struct weft_level *const *levels, uint32_t n, const struct weft_db *db) {
  for (uint32_t i = 0; i < n; i++) {
    if (weft_relation_db(levels[i]->relation) != db) continue;
    if (!flies(levels[i], db) || !all_fly(levels[i]->below, levels[i]->nbelow, db)) return false;
  }
  return true;
}

bool fetch_may_fly(struct weft_fetch *f) {
  struct weft_db *db = weft_relation_db(f->relation);
  if (!(db->driver->caps & WEFT_DRIVER_PIPELINES) || db->closed) return false;
  for (uint32_t i = 0; i < f->nplaces; i++)
    if (f->places[i].db == db) return false;
  if (!fetch_any_of(f->levels, f->nlevels, db) || !all_fly(f->levels, f->nlevels, db) || !repeatable(f->query))
    return false;
  return is_cheap(db, f->query, notes_of(f->query));
}

/* ---- the statements ---- */

/* An order means nothing inside of IN, unless it decides what is limited. Takes over q's reference. */
static struct weft_query *without_order(struct weft_query *q) {
  if (fetch_is_limited(q)) return q;
  struct weft_query *c = weft_query_begin(q, WEFT_C_ORDER);
  weft_query_unref(q);
  c->all = true;
  return weft_query_end(c);
}

/* The keys of above's rows that l's rows are selected by. Owned. */
static struct weft_query *keys_above(struct weft_query *above, const struct weft_level *l) {
  struct weft_query *c = weft_query_begin(above, WEFT_C_SELECT);
  struct weft_item *items = weft_arena_alloc(&c->arena, l->nkey * sizeof *items);
  for (uint32_t i = 0; i < l->nkey; i++)
    items[i] = (struct weft_item){.expr = weft_expr_column(&c->arena, l->parent[i])};
  c->items = items;
  c->nitems = l->nkey;
  return without_order(weft_query_end(c));
}

/* Does e speak of no column but this one? */
static bool only_of(const struct weft_expr *e, struct weft_slice name) {
  switch (e->kind) {
    case WEFT_E_RAW:
    case WEFT_E_PATH:
    case WEFT_E_SOME:
    case WEFT_E_QUERY: return false;
    case WEFT_E_COLUMN: return !e->qualifier.n && weft_slice_equal(e->name, name);
    default: break;
  }
  for (uint32_t i = 0; i < e->nkids; i++)
    if (!only_of(e->kids[i], name)) return false;
  return true;
}

/* e with to in the place of every column. */
static const struct weft_expr *moved(struct weft_arena *a, const struct weft_expr *e,
                                     const struct weft_expr *to) {
  if (e->kind == WEFT_E_COLUMN) return to;
  if (e->nkids == 0) return e;
  struct weft_expr *copy = weft_arena_alloc(a, sizeof *copy);
  const struct weft_expr **kids = weft_arena_alloc(a, e->nkids * sizeof *kids);
  for (uint32_t i = 0; i < e->nkids; i++) kids[i] = moved(a, e->kids[i], to);
  *copy = *e;
  copy->kids = kids;
  return weft_expr_copy(a, copy);
}

/* What is said of the rows above by nothing but their key holds for the rows below by theirs: no sub-select
   is needed. Rows that belong to nobody may be found; joining leaves them out. NULL: more is said. */
static const struct weft_expr *said_by_key(struct weft_arena *a, const struct weft_query *above,
                                           const struct weft_level *l) {
  char scratch[1024];
  struct weft_arena arena;
  struct weft_parts p;
  const struct weft_expr *e = NULL;
  if (l->nkey != 1 || fetch_is_limited(above)) return NULL;
  weft_arena_init(&arena, scratch, sizeof scratch);
  weft_query_parts(above, &arena, &p);
  if (p.where && !p.njoins && only_of(p.where, l->parent[0]))
    e = moved(a, p.where, fetch_asked(a, l, 0));
  weft_arena_release(&arena);
  return e;
}

static int selected_above(struct weft_query *c, struct weft_query *above, const struct weft_level *l) {
  struct weft_query *keys = keys_above(above, l);
  const struct weft_expr *asked[WEFT_KEY_COLUMNS], *left;
  struct weft_error err;
  for (uint32_t i = 0; i < l->nkey; i++) asked[i] = fetch_asked(&c->arena, l, i);
  left = l->nkey == 1 ? asked[0] : weft_expr_tuple(&c->arena, asked, l->nkey);
  int status = weft_expr_binary(&c->arena, WEFT_E_IN, left, weft_expr_query(&c->arena, keys),
                                &c->expr, &err);
  if (status == 0) weft_query_hold(c, c->expr);
  weft_query_unref(keys);
  return status;
}

/* The rows of l below those of above. Owned; NULL when it cannot be said. */
static struct weft_query *level_below(struct weft_query *above, const struct weft_level *l) {
  struct weft_query *c = weft_query_begin(l->query, WEFT_C_WHERE);
  c->expr = said_by_key(&c->arena, above, l);
  if (c->expr || selected_above(c, above, l) == 0) return fetch_complete_order(weft_query_end(c));
  weft_query_unref(c);
  return NULL;
}

/* Plans q as the next operation; false: it cannot be. */
static bool add(struct fetch_flight *fl, struct fetch_part *part, struct weft_query *q) {
  struct weft_arena *a = &fl->fetch->arena;
  struct weft_plan *plan;
  struct weft_error err;
  if (weft_plans_get(&fl->bundle.db->plans, q, &plan, &err)) return false;
  struct weft_value *params = weft_arena_alloc(a, (plan->nslots + 1) * sizeof *params);
  if (weft_plan_bind(plan, q, a, params, &err)) return false;
  weft_bundle_add(&fl->bundle, weft_plan_ref(plan), params, part);
  return true;
}

/* The statements of the levels below p, whose query is q. */
static bool add_below(struct fetch_flight *fl, struct fetch_part *p, struct weft_query *q,
                      struct weft_level *const *levels, uint32_t n) {
  p->flown = weft_arena_alloc(&fl->fetch->arena, (n + 1) * sizeof *p->flown);
  for (uint32_t i = 0; i < n; i++) {
    p->flown[i] = NULL;
    if (!flies(levels[i], fl->bundle.db)) continue;
    struct fetch_part *below = p->flown[i] = fetch_part_new(fl->fetch, p, i);
    struct weft_query *own = level_below(q, levels[i]);
    if (!own) return false;
    bool added = add(fl, below, own) &&
                 add_below(fl, below, own, levels[i]->below, levels[i]->nbelow);
    weft_query_unref(own);
    if (!added) return false;
  }
  return true;
}

static uint32_t count(struct weft_level *const *levels, uint32_t n) {
  uint32_t total = n;
  for (uint32_t i = 0; i < n; i++) total += count(levels[i]->below, levels[i]->nbelow);
  return total;
}

/* ---- the flight ---- */

static void answered(struct weft_bundle *b, void *part, struct weft_rows *rows) {
  (void)b;
  fetch_part_rows(part, rows);
}

/* What failed may have been told of an older schema: by keys it is asked again, each level by itself. */
static void landed(struct weft_bundle *b) {
  struct weft_fetch *f = WEFT_CONTAINER(b, struct fetch_flight, bundle)->fetch;
  bool again = b->torn || b->error.kind == WEFT_SYNTAX || strcmp(b->error.code, "0A000") == 0;
  f->flight = NULL;
  fetch_landed(f, again, b->error.kind ? &b->error : NULL, b->failed);
}

bool fetch_fly(struct weft_fetch *f, struct fetch_part *root) {
  struct fetch_flight *fl = weft_arena_alloc(&f->arena, sizeof *fl);
  fl->fetch = f;
  weft_bundle_init(&fl->bundle, weft_relation_db(f->relation), &f->arena, count(f->levels, f->nlevels) + 1);
  if (!add(fl, root, f->query) || !add_below(fl, root, f->query, f->levels, f->nlevels)) {
    weft_bundle_forget(&fl->bundle);
    root->flown = NULL;
    return false;
  }
  fl->bundle.answered = answered;
  fl->bundle.landed = landed;
  f->flight = fl;
  f->nrunning++;
  weft_bundle_start(&fl->bundle, f->deadline, &f->origin);
  return true;
}

bool fetch_flight_runs(const struct fetch_flight *fl, const struct weft_op *op) {
  for (uint32_t i = 0; i < fl->bundle.n; i++)
    if (&fl->bundle.ops[i].op == op) return true;
  return false;
}

void fetch_flight_abort(struct fetch_flight *fl, enum weft_kind why) {
  weft_bundle_abort(&fl->bundle, why);
}

bool fetch_flight_waits_for(const struct fetch_flight *fl, const struct weft_tx *tx) {
  return weft_bundle_waits_for(&fl->bundle, tx);
}
