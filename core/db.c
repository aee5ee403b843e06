/* SPDX-License-Identifier: MIT */
/* Databases, relations, and how a query or a raw text becomes an operation.

   Invariants: a closed database has its pool, and its place in the context, as long as it is busy
   or until its grace has passed. A relation always has a table; it is replaced, never changed, so
   that whoever holds the old one may finish with it. */
#include "db_private.h"

#include <stdlib.h>

#include "hash.h"

enum { PLAN_BYTES = 4 * 1024 * 1024 };

/* ---- databases ---- */

static void pool_event(void *ud, enum weft_pool_event what, const struct weft_error *err) {
  static const enum weft_event names[] = {[WEFT_POOL_CONNECT] = WEFT_EVENT_CONNECT,
                                          [WEFT_POOL_DISCONNECT] = WEFT_EVENT_DISCONNECT,
                                          [WEFT_POOL_RETRY] = WEFT_EVENT_RETRY};
  struct weft_db *db = ud;
  struct weft_context *c = db->context;
  if (!c->event) return;
  struct weft_event_info info = {.db = db, .affected = -1, .error = err};
  c->event(c->ud, names[what], &info);
}

int weft_db_open(struct weft_context *c, struct weft_slice name, struct weft_slice url,
                 const struct weft_db_options *o, struct weft_db **out, struct weft_error *err) {
  struct weft_settings *settings;
  if (weft_settings_new(url, o ? o->settings : NULL, o ? o->nsettings : 0, &settings, err))
    return -1;
  *out = weft_db_new(c, name, settings, o);
  (*out)->owns_settings = true;
  return 0;
}

struct weft_db *weft_db_new(struct weft_context *c, struct weft_slice name,
                            struct weft_settings *settings, const struct weft_db_options *o) {
  static const struct weft_db_options none;
  if (!o) o = &none;
  struct weft_db *db = weft_zalloc(sizeof *db);
  db->refs = 1;
  db->context = c;
  c->refs++;
  db->name = weft_strdup(name);
  db->label = weft_strdup(settings->label);
  db->settings = settings;
  db->driver = settings->driver;
  db->dialect = settings->driver->dialect;
  weft_list_init(&db->relations);
  weft_map_init(&db->finders);
  weft_plans_init(&db->plans, db->dialect, o->plan_bytes ? o->plan_bytes : PLAN_BYTES);
  struct weft_pool_options pool = o->pool;
  if (c->budgets) pool.budget = weft_budgets_get(c->budgets, name);
  db->pool = weft_pool_new(c->loop, settings, c->writers, &pool, pool_event, db);
  weft_list_push(&c->dbs, &db->link);
  weft_live_add(&weft_live_counts.databases, 1);
  return db;
}

struct weft_db *weft_db_ref(struct weft_db *db) {
  db->refs++;
  return db;
}

void weft_db_unref(struct weft_db *db) {
  if (!db || --db->refs) return;
  weft_finders_release(db);
  for (struct weft_list *at; (at = weft_list_take(&db->relations));)
    weft_relation_free(WEFT_CONTAINER(at, struct weft_relation, link));
  weft_plans_release(&db->plans);
  if (db->catalog) weft_plan_unref(db->catalog);
  if (db->tables) weft_plan_unref(db->tables);
  weft_context_unref(db->context);
  free(db->name);
  free(db->label);
  free(db);
  weft_live_add(&weft_live_counts.databases, -1);
}

static void shut(void *ud) {
  struct weft_db *db = ud;
  struct weft_pool *pool = db->pool;
  weft_timer_free(db->grace);
  weft_list_remove(&db->link);
  if (db->owns_settings) weft_context_retire(db->context, db->settings);
  db->grace = NULL;
  db->pool = NULL;
  weft_pool_close(pool, 0);
  weft_db_unref(db);
}

void weft_db_rest(struct weft_db *db) {
  if (--db->busy == 0 && db->closed && db->pool) shut(db);
}

void weft_db_close(struct weft_db *db, int64_t grace_ns) {
  struct weft_loop *loop = db->context->loop;
  if (!db->closed) weft_finders_clear(db); /* what was held for a batch still goes out */
  db->closed = true;
  if (!db->pool) return;
  if (grace_ns <= 0 || db->busy == 0) {
    shut(db);
    return;
  }
  if (!db->grace) db->grace = weft_timer_new(loop, shut, db);
  weft_timer_start(db->grace, weft_loop_now(loop) + grace_ns);
}

struct weft_slice weft_db_name(const struct weft_db *db) { return weft_slice_of(db->name); }
struct weft_slice weft_db_label(const struct weft_db *db) { return weft_slice_of(db->label); }
const struct weft_dialect *weft_db_dialect(const struct weft_db *db) { return db->dialect; }
struct weft_context *weft_db_context(const struct weft_db *db) { return db->context; }

void weft_db_stats(const struct weft_db *db, struct weft_db_stats *out) {
  *out = (struct weft_db_stats){.plan_hits = db->plans.hits,
                                .plan_misses = db->plans.misses,
                                .plan_evictions = db->plans.evictions,
                                .batches = db->batches,
                                .batched = db->batched,
                                .plan_bytes = db->plans.bytes};
  for (const struct weft_list *at = db->plans.lru.next; at != &db->plans.lru; at = at->next)
    out->plans++;
  if (db->pool) weft_pool_stats(db->pool, &out->pool);
}

void weft_db_check(struct weft_db *db) {
  if (db->pool) weft_pool_check(db->pool);
}

/* ---- relations ---- */

static uint64_t hash_slice(uint64_t h, struct weft_slice s) { return weft_hash_bytes(h, s.p, s.n); }

static uint64_t options_hash(const struct weft_relation_options *o) {
  uint64_t h = hash_slice(hash_slice(1, o->schema), o->table);
  for (uint32_t i = 0; i < o->noverrides; i++) {
    const struct weft_override *v = &o->overrides[i];
    h = weft_hash_mix(hash_slice(h, v->name), (uint64_t)v->as << 1 | v->lazy);
  }
  for (uint32_t i = 0; i < o->nkey; i++) h = hash_slice(h, o->key[i]);
  for (uint32_t i = 0; i < o->nalternatives; i++) h = hash_slice(h, o->alternatives[i]);
  return weft_hash_mix(hash_slice(h, o->soft), o->decimals << 1 | o->zone_utc);
}

static bool options_equal(const struct weft_relation_options *a,
                          const struct weft_relation_options *b) {
  if (!weft_slice_equal(a->schema, b->schema) || !weft_slice_equal(a->table, b->table) ||
      a->noverrides != b->noverrides || a->nkey != b->nkey ||
      a->nalternatives != b->nalternatives || a->decimals != b->decimals ||
      a->zone_utc != b->zone_utc || !weft_slice_equal(a->soft, b->soft))
    return false;
  for (uint32_t i = 0; i < a->noverrides; i++) {
    const struct weft_override *x = &a->overrides[i], *y = &b->overrides[i];
    if (!weft_slice_equal(x->name, y->name) || x->as != y->as || x->lazy != y->lazy)
      return false;
  }
  for (uint32_t i = 0; i < a->nalternatives; i++)
    if (!weft_slice_equal(a->alternatives[i], b->alternatives[i])) return false;
  for (uint32_t i = 0; i < a->nkey; i++)
    if (!weft_slice_equal(a->key[i], b->key[i])) return false;
  return true;
}

static void copy_options(struct weft_arena *a, const struct weft_relation_options *from,
                         struct weft_relation_options *to) {
  struct weft_override *overrides = weft_arena_alloc(a, from->noverrides * sizeof *overrides);
  struct weft_slice *key = weft_arena_alloc(a, from->nkey * sizeof *key);
  *to = *from;
  to->schema = weft_arena_slice(a, from->schema);
  to->table = weft_arena_slice(a, from->table);
  to->soft = weft_arena_slice(a, from->soft);
  for (uint32_t i = 0; i < from->noverrides; i++) {
    overrides[i] = from->overrides[i];
    overrides[i].name = weft_arena_slice(a, from->overrides[i].name);
  }
  for (uint32_t i = 0; i < from->nkey; i++) key[i] = weft_arena_slice(a, from->key[i]);
  struct weft_slice *names = weft_arena_alloc(a, from->nalternatives * sizeof *names);
  for (uint32_t i = 0; i < from->nalternatives; i++)
    names[i] = weft_arena_slice(a, from->alternatives[i]);
  to->overrides = overrides;
  to->key = key;
  to->alternatives = names;
}

struct weft_relation *weft_db_relation(struct weft_db *db, const struct weft_relation_options *o) {
  uint64_t hash = options_hash(o);
  for (struct weft_list *at = db->relations.next; at != &db->relations; at = at->next) {
    struct weft_relation *r = WEFT_CONTAINER(at, struct weft_relation, link);
    if (r->hash == hash && options_equal(&r->o, o)) return r;
  }
  struct weft_relation *r = weft_zalloc(sizeof *r);
  weft_arena_init(&r->arena, NULL, 0);
  r->db = db;
  r->hash = hash;
  copy_options(&r->arena, o, &r->o);
  r->table = weft_table_unknown(r->o.schema, r->o.table);
  weft_list_init(&r->waiting);
  weft_list_push(&db->relations, &r->link);
  return r;
}

struct weft_table *weft_relation_table(struct weft_relation *r) { return r->table; }
struct weft_db *weft_relation_db(struct weft_relation *r) { return r->db; }

uint64_t weft_db_epoch(const struct weft_db *db) { return db->epoch; }

void weft_db_forget_tables(struct weft_db *db) {
  db->epoch++;
  weft_finders_clear(db);
  for (struct weft_list *at = db->relations.next; at != &db->relations; at = at->next)
    weft_relation_forget(WEFT_CONTAINER(at, struct weft_relation, link));
  weft_plans_clear(&db->plans);
}

/* ---- queries ---- */

int weft_relation_current(struct weft_relation *r, struct weft_query *q, struct weft_query **out,
                          struct weft_error *err) {
  if (q->table == r->table) {
    *out = weft_query_ref(q);
    return 0;
  }
  struct weft_query *fresh = weft_query_rebase(q, r->table);
  if (weft_query_check_all(fresh, err)) {
    weft_query_unref(fresh);
    return -1;
  }
  *out = fresh;
  return 0;
}

int weft_db_plan(struct weft_relation *r, struct weft_query *query, struct weft_plan **out,
                 struct weft_error *err) {
  struct weft_query *q;
  if (weft_relation_current(r, query, &q, err)) return -1;
  int status = weft_plans_get(&r->db->plans, q, out, err);
  weft_query_unref(q);
  return status;
}

int weft_query_step(struct weft_call *call, struct weft_error *err) {
  struct weft_relation *r = call->relation;
  struct weft_query *q;
  struct weft_plan *plan;
  if (!r->table->known) {
    weft_schema_discover(call);
    return 0;
  }
  if (weft_relation_current(r, call->query, &q, err)) return -1;
  weft_query_unref(call->query);
  call->query = q;
  if (weft_plans_get(&r->db->plans, q, &plan, err)) return -1;
  if (plan->flags & WEFT_PLAN_LOCKS && (!call->tx || weft_tx_is_session(call->tx)))
    return weft_fail(err, WEFT_USAGE, "lock: rows are locked inside a transaction only");
  uint32_t runs = weft_plan_runs(plan, q), n = plan->nslots * runs;
  struct weft_value *params = weft_arena_alloc(&call->arena, n * sizeof *params);
  if (weft_plan_bind(plan, q, &call->arena, params, err)) return -1;
  call->version = r->table->id;
  call->op.plan = weft_plan_ref(plan);
  call->op.params = params;
  call->op.nparams = n;
  call->op.repeat = runs;
  weft_call_submit(call);
  return 0;
}

void weft_db_query(struct weft_relation *r, struct weft_tx *tx, struct weft_query *query,
                   struct weft_call *call) {
  if (weft_call_admit(call, r->db, tx)) return;
  call->relation = r;
  call->query = weft_query_ref(query);
  call->step = weft_query_step;
  weft_call_run(call);
}

void weft_db_find(struct weft_relation *r, struct weft_tx *tx, struct weft_query *base,
                  const struct weft_value *values, uint32_t nkeys, bool batch,
                  struct weft_call *call) {
  enum { INLINE_KEYS = sizeof call->key / sizeof call->key[0] };
  if (weft_call_admit(call, r->db, tx)) return;
  call->relation = r;
  call->query = weft_query_ref(base);
  call->step = weft_find_step;
  call->batch = batch && !tx;
  call->keys = nkeys <= INLINE_KEYS ? call->key
                                    : weft_arena_alloc(&call->arena, nkeys * sizeof *call->keys);
  call->nkeys = nkeys;
  for (uint32_t i = 0; i < nkeys; i++)
    call->keys[i] = values[i].type == WEFT_INT ? values[i]
                                               : weft_value_copy(&call->arena, values[i]);
  weft_call_run(call);
}

/* ---- raw text ---- */

static int raw_step(struct weft_call *call, struct weft_error *err) {
  (void)err;
  weft_call_submit(call);
  return 0;
}

static uint32_t allowed(const struct weft_call *call) {
  if (!call->tx) return 0;
  return weft_tx_is_session(call->tx) ? WEFT_PLAN_CONTROL : WEFT_PLAN_LOCAL;
}

/* plan: an owned reference. */
static void raw_begin(struct weft_call *call, struct weft_slice text, struct weft_plan *plan) {
  call->op.plan = plan;
  call->ddl = !(plan->flags & WEFT_PLAN_READ) && weft_schema_is_ddl(text);
  call->step = raw_step;
}

static int raw_prepare(struct weft_call *call, struct weft_slice text,
                       const struct weft_value *params, uint32_t n, struct weft_error *err) {
  struct weft_plan *plan;
  if (weft_plans_raw(&call->db->plans, text, n, allowed(call), &plan, err)) return -1;
  struct weft_value *copies = weft_arena_alloc(&call->arena, n * sizeof *copies);
  for (uint32_t i = 0; i < n; i++) {
    static const struct weft_column_type any = {.type = WEFT_ANY};
    const struct weft_column_type *type = i < plan->nslots ? &plan->slots[i].type : &any;
    struct weft_value v = weft_value_copy(&call->arena, params[i]);
    if (weft_value_convert(&call->arena, v, type, &copies[i], err)) return -1;
  }
  raw_begin(call, text, weft_plan_ref(plan));
  call->op.params = copies;
  call->op.nparams = n;
  return 0;
}

void weft_db_raw(struct weft_db *db, struct weft_tx *tx, struct weft_slice text,
                 const struct weft_value *params, uint32_t n, struct weft_call *call) {
  struct weft_error err;
  if (weft_call_admit(call, db, tx)) return;
  if (raw_prepare(call, text, params, n, &err)) weft_call_end(call, NULL, &err);
  else weft_call_run(call);
}

void weft_db_verbatim(struct weft_db *db, struct weft_tx *tx, struct weft_slice text, struct weft_call *call) {
  struct weft_error err;
  struct weft_plan *plan;
  if (weft_call_admit(call, db, tx)) return;
  if (weft_plans_verbatim(&db->plans, text, allowed(call), &plan, &err)) {
    weft_call_end(call, NULL, &err);
    return;
  }
  raw_begin(call, text, plan);
  weft_call_run(call);
}

static void script_answered(struct weft_call *call, struct weft_rows *rows,
                            const struct weft_error *err) {
  struct weft_error open;
  weft_db_forget_tables(call->db);
  if (!err && weft_tx_left_open(call->tx)) {
    weft_fail(&open, WEFT_USAGE, "the script left a transaction open, and it was rolled back: end it "
                                 "with commit, or use transaction");
    weft_rows_unref(rows);
    rows = NULL;
    err = &open;
  }
  weft_call_end(call, rows, err);
}

static int script_step(struct weft_call *call, struct weft_error *err) {
  (void)err;
  call->answered = script_answered;
  weft_call_submit(call);
  return 0;
}

void weft_db_script(struct weft_db *db, struct weft_slice text, struct weft_call *call) {
  static const struct weft_tx_options session = {.session = true};
  struct weft_tx *tx = weft_tx_new(db, &session);
  weft_call_begin(call, db, tx);
  call->op.plan =
      weft_plan_raw(db->dialect, text, 0, WEFT_PLAN_RAW | WEFT_PLAN_VOLATILE | WEFT_PLAN_SCRIPT);
  call->step = script_step;
  weft_call_run(call);
  weft_tx_disown(tx);
}
