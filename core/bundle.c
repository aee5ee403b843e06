/* SPDX-License-Identifier: MIT */
/* Invariants: operations end in their order, COMMIT last, unless the driver had to ask one again. Nothing is
   sent after the first failure. landed is the last thing that happens: the memory may be gone then. */
#include "bundle.h"

static void ended(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err);

void weft_bundle_add(struct weft_bundle *b, struct weft_plan *plan, const struct weft_value *params,
                     void *mine) {
  struct weft_bundle_op *o = &b->ops[b->n++];
  *o = (struct weft_bundle_op){.bundle = b, .mine = mine};
  o->op = (struct weft_op){.plan = plan, .params = params, .nparams = plan->nslots, .repeat = 1,
                           .done = ended};
  weft_list_init(&o->op.link);
}

/* A text without parameters that was never refused. */
static void add_text(struct weft_bundle *b, const char *text, void *mine) {
  struct weft_plan *plan;
  struct weft_error err;
  if (weft_plans_raw(&b->db->plans, weft_slice_of(text), 0, WEFT_PLAN_CONTROL, &plan, &err) == 0)
    weft_bundle_add(b, weft_plan_ref(plan), NULL, mine);
}

void weft_bundle_init(struct weft_bundle *b, struct weft_db *db, struct weft_arena *arena,
                      uint32_t max) {
  *b = (struct weft_bundle){.db = db};
  b->ops = weft_arena_alloc(arena, (max + 2) * sizeof *b->ops);
  add_text(b, db->dialect->begin[1][WEFT_REPEATABLE_READ], NULL);
}

void weft_bundle_forget(struct weft_bundle *b) {
  for (uint32_t i = 0; i < b->n; i++)
    if (b->ops[i].op.plan) weft_plan_unref(b->ops[i].op.plan);
  b->n = 0;
}

static void land(struct weft_bundle *b) {
  struct weft_db *db = b->db;
  if (b->leased) weft_lease_release(&b->lease);
  weft_bundle_forget(b);
  b->landed(b);
  weft_db_rest(db);
  weft_db_unref(db);
}

static bool may_send(const struct weft_bundle *b) {
  if (b->nsent == b->n || b->error.kind) return false;
  return b->nended == b->nsent || b->db->driver->caps & WEFT_DRIVER_PIPELINES;
}

/* Reads that nobody bundled for being short: what else runs on the loop need not find that out. */
static void send(struct weft_bundle *b) {
  struct weft_bundle_op *o = &b->ops[b->nsent++];
  bool last = b->nsent == b->n;
  o->op.flags = WEFT_OP_IN_TX | WEFT_OP_READ_ONLY | (o->mine ? WEFT_OP_NO_INLINE : 0) | (last ? 0 : WEFT_OP_CHAINED);
  o->op.deadline = b->deadline;
  o->started = weft_context_stamp(b->db->context);
  weft_lease_submit(&b->lease, &o->op, last);
}

/* Operations may end while others are being handed over. */
static void go_on(struct weft_bundle *b) {
  if (b->holding) return;
  b->holding = true;
  while (may_send(b)) send(b);
  b->holding = false;
  if (b->nended == b->nsent) land(b);
}

static void ended(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct weft_bundle_op *o = WEFT_CONTAINER(op, struct weft_bundle_op, op);
  struct weft_bundle *b = o->bundle;
  if (o->mine && o->started) weft_context_report(b->db, op, o->started, &b->origin, rows, err);
  weft_plan_unref(op->plan);
  op->plan = NULL;
  o->ended = true;
  b->nended++;
  if (err && !b->error.kind) {
    b->error = *err;
    b->failed = o->mine;
  }
  if (o == &b->ops[b->n - 1] && b->nended < b->n) b->torn = true;
  if (o->mine && !err) b->answered(b, o->mine, rows);
  else weft_rows_unref(rows);
  go_on(b);
}

static void granted(struct weft_lease *lease, const struct weft_error *err) {
  struct weft_bundle *b = WEFT_CONTAINER(lease, struct weft_bundle, lease);
  if (err) {
    b->leased = false;
    b->error = *err;
  } else {
    b->granted = true;
  }
  go_on(b);
}

void weft_bundle_start(struct weft_bundle *b, int64_t deadline, const struct weft_origin *origin) {
  add_text(b, "commit", NULL);
  b->deadline = deadline;
  b->origin = *origin;
  weft_db_ref(b->db);
  b->db->busy++;
  b->leased = true;
  b->lease = (struct weft_lease){.kind = WEFT_LEASE_READ, .deadline = deadline, .granted = granted};
  weft_list_init(&b->lease.link);
  weft_pool_lease(b->db->pool, &b->lease);
}

void weft_bundle_abort(struct weft_bundle *b, enum weft_kind why) {
  bool holding = b->holding;
  if (!b->granted)
    weft_fail(&b->error, why, "%s while it waited for a connection",
              why == WEFT_TIMEOUT ? "timed out" : "cancelled");
  b->holding = true;
  for (uint32_t i = 0; i < b->nsent; i++)
    if (!b->ops[i].ended) weft_pool_abort(&b->ops[i].op, why);
  b->holding = holding;
  go_on(b);
}

bool weft_bundle_waits_for(const struct weft_bundle *b, const struct weft_tx *tx) {
  return !b->granted && weft_tx_blocks(tx, b->db, false, false);
}

/* ---- raw reads ---- */

struct raw_reads {
  struct weft_bundle bundle;
  struct weft_call *call;
};

static void raw_answered(struct weft_bundle *b, void *mine, struct weft_rows *rows) {
  (void)b;
  *(struct weft_rows **)mine = rows;
}

static void raw_landed(struct weft_bundle *b) {
  struct raw_reads *r = WEFT_CONTAINER(b, struct raw_reads, bundle);
  weft_call_end(r->call, NULL, b->error.kind ? &b->error : NULL);
}

void weft_db_read_all(struct weft_db *db, const char *const *texts, uint32_t n,
                      struct weft_call *call) {
  if (weft_call_admit(call, db, NULL)) return;
  struct raw_reads *r = weft_arena_alloc(&call->arena, sizeof *r);
  call->all = weft_arena_alloc(&call->arena, n * sizeof *call->all);
  call->nall = n;
  *r = (struct raw_reads){.call = call};
  weft_bundle_init(&r->bundle, db, &call->arena, n);
  r->bundle.answered = raw_answered;
  r->bundle.landed = raw_landed;
  for (uint32_t i = 0; i < n; i++) {
    call->all[i] = NULL;
    add_text(&r->bundle, texts[i], &call->all[i]);
  }
  call->place = WEFT_AT_BUNDLE;
  call->ride = &r->bundle;
  weft_bundle_start(&r->bundle, call->deadline, &call->origin);
}
