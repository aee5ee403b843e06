/* SPDX-License-Identifier: MIT */
/* A tree's levels of one database in one round trip, where the driver pipelines: BEGIN, the root, one
   statement per level, COMMIT. A level selects by a sub-select of the level above instead of by keys, so
   that nothing has to come back before it is sent; all of them read one snapshot.

   That pays where repeating the level above is cheap: by its key, or when it was measured to be short. It
   is right only where a repetition gives the same rows: no raw text, and a limit only under an order that
   the primary key makes complete. Everything else is fetched by keys (fetch.c), as is a tree whose flight
   failed for what may have changed meanwhile.

   Invariants: the operations end in their order, COMMIT last, unless the driver had to ask one again;
   that one has not read the snapshot, and the tree is fetched by keys. The lease is given back, and the
   parts are told, when the last operation has ended. */
#include "db_private.h"
#include "fetch_private.h"

static const int64_t SHORT_NS = 2000000; /* a root that takes less may be repeated */

struct flight_op {
  struct weft_op op;
  struct fetch_flight *flight;
  struct fetch_part *part; /* NULL: BEGIN, COMMIT */
  int64_t started;
  bool ended;
};

struct fetch_flight {
  struct weft_fetch *fetch;
  struct weft_db *db;
  struct weft_lease lease;
  struct flight_op *ops;
  uint32_t nops, nended;
  bool leased, granted; /* asked for a connection; has had it */
  bool torn;
  struct weft_error error; /* of the first operation that failed */
  struct fetch_part *failed;
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

static void ended(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err);

/* Plans q as the next operation; false: it cannot be. */
static bool add(struct fetch_flight *fl, struct fetch_part *part, struct weft_query *q) {
  struct flight_op *o = &fl->ops[fl->nops];
  struct weft_arena *a = &fl->fetch->arena;
  struct weft_plan *plan;
  struct weft_error err;
  if (weft_plans_get(&fl->db->plans, q, &plan, &err)) return false;
  struct weft_value *params = weft_arena_alloc(a, (plan->nslots + 1) * sizeof *params);
  if (weft_plan_bind(plan, q, a, params, &err)) return false;
  *o = (struct flight_op){.flight = fl, .part = part};
  o->op = (struct weft_op){.plan = weft_plan_ref(plan), .params = params, .nparams = plan->nslots,
                           .repeat = 1, .done = ended};
  fl->nops++;
  return true;
}

static bool add_frame(struct fetch_flight *fl, const char *text) {
  struct flight_op *o = &fl->ops[fl->nops];
  struct weft_plan *plan;
  struct weft_error err;
  if (weft_plans_raw(&fl->db->plans, weft_slice_of(text), 0, true, &plan, &err)) return false;
  *o = (struct flight_op){.flight = fl};
  o->op = (struct weft_op){.plan = weft_plan_ref(plan), .repeat = 1, .done = ended};
  fl->nops++;
  return true;
}

/* The statements of the levels below p, whose query is q. */
static bool add_below(struct fetch_flight *fl, struct fetch_part *p, struct weft_query *q,
                      struct weft_level *const *levels, uint32_t n) {
  p->flown = weft_arena_alloc(&fl->fetch->arena, (n + 1) * sizeof *p->flown);
  for (uint32_t i = 0; i < n; i++) {
    p->flown[i] = NULL;
    if (!flies(levels[i], fl->db)) continue;
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

static bool add_all(struct fetch_flight *fl, struct fetch_part *root) {
  struct weft_fetch *f = fl->fetch;
  fl->ops = weft_arena_alloc(&f->arena, (count(f->levels, f->nlevels) + 3) * sizeof *fl->ops);
  return add_frame(fl, fl->db->dialect->begin[1][WEFT_REPEATABLE_READ]) && add(fl, root, f->query) &&
         add_below(fl, root, f->query, f->levels, f->nlevels) && add_frame(fl, "commit");
}

/* ---- the flight ---- */

static void forget(struct fetch_flight *fl) {
  for (uint32_t i = 0; i < fl->nops; i++)
    if (fl->ops[i].op.plan) weft_plan_unref(fl->ops[i].op.plan);
  fl->nops = 0;
}

/* Nothing is in the air any more. What failed may have been told of an older schema: by keys it is asked
   again, each level by itself. */
static void landed(struct fetch_flight *fl) {
  struct weft_fetch *f = fl->fetch;
  struct weft_db *db = fl->db;
  bool again = fl->torn || fl->error.kind == WEFT_SYNTAX || strcmp(fl->error.code, "0A000") == 0;
  if (fl->leased) weft_lease_release(&fl->lease);
  forget(fl);
  f->flight = NULL;
  fetch_landed(f, again, fl->error.kind ? &fl->error : NULL, fl->failed);
  weft_db_rest(db);
  weft_db_unref(db);
}

static void ended(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct flight_op *o = WEFT_CONTAINER(op, struct flight_op, op);
  struct fetch_flight *fl = o->flight;
  if (o->part) weft_context_report(fl->db, op, o->started, rows, err);
  weft_plan_unref(op->plan);
  op->plan = NULL;
  o->ended = true;
  fl->nended++;
  if (err && !fl->error.kind) {
    fl->error = *err;
    fl->failed = o->part;
  }
  if (o == &fl->ops[fl->nops - 1] && fl->nended < fl->nops) fl->torn = true;
  if (o->part && !err) fetch_part_rows(o->part, rows);
  else weft_rows_unref(rows);
  if (fl->nended == fl->nops) landed(fl);
}

/* Once a connection is there. Operations may end while others are still being handed over. */
static void granted(struct weft_lease *lease, const struct weft_error *err) {
  struct fetch_flight *fl = WEFT_CONTAINER(lease, struct fetch_flight, lease);
  struct weft_fetch *f = fl->fetch;
  uint32_t n = fl->nops;
  if (err) {
    fl->leased = false;
    fl->error = *err;
    landed(fl);
    return;
  }
  fl->granted = true;
  f->nrunning++;
  for (uint32_t i = 0; i < n; i++) {
    struct weft_op *op = &fl->ops[i].op;
    op->flags = WEFT_OP_IN_TX | WEFT_OP_READ_ONLY | (i + 1 < n ? WEFT_OP_CHAINED : 0);
    op->deadline = f->deadline;
    weft_list_init(&op->link);
    fl->ops[i].started = weft_context_stamp(fl->db->context);
    weft_lease_submit(lease, op, i + 1 == n);
  }
  fetch_leave(f);
}

bool fetch_fly(struct weft_fetch *f, struct fetch_part *root) {
  struct weft_db *db = weft_relation_db(f->relation);
  struct fetch_flight *fl = weft_arena_alloc(&f->arena, sizeof *fl);
  *fl = (struct fetch_flight){.fetch = f, .db = db};
  if (!add_all(fl, root)) {
    forget(fl);
    root->flown = NULL;
    return false;
  }
  f->flight = fl;
  f->nrunning++;
  weft_db_ref(db);
  db->busy++;
  fl->leased = true;
  fl->lease = (struct weft_lease){.kind = WEFT_LEASE_READ, .deadline = f->deadline, .granted = granted};
  weft_list_init(&fl->lease.link);
  weft_pool_lease(db->pool, &fl->lease);
  return true;
}

void fetch_flight_abort(struct fetch_flight *fl, enum weft_kind why) {
  struct weft_fetch *f = fl->fetch;
  if (!fl->granted) {
    weft_fail(&fl->error, why, "%s while it waited for a connection",
              why == WEFT_TIMEOUT ? "timed out" : "cancelled");
    landed(fl);
    return;
  }
  f->nrunning++;
  for (uint32_t i = 0; i < fl->nops && f->flight == fl; i++)
    if (!fl->ops[i].ended) weft_pool_abort(&fl->ops[i].op, why);
  fetch_leave(f);
}

bool fetch_flight_waits_for(const struct fetch_flight *fl, const struct weft_tx *tx) {
  return !fl->granted && weft_tx_blocks(tx, fl->db, false, false);
}
