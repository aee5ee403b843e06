/* SPDX-License-Identifier: MIT */
/* The life of a call. Invariants: between weft_call_begin and weft_call_end it is running, holds a
   reference on its database (and transaction), and call->place says who can reach it; finished is
   called once, as the last thing, when the call is linked nowhere any more. */
#include "bundle.h"

void weft_call_init(struct weft_call *call, void (*finished)(struct weft_call *), void *ud) {
  memset(call, 0, offsetof(struct weft_call, memory));
  call->finished = finished;
  call->ud = ud;
  weft_list_init(&call->op.link);
  weft_list_init(&call->link);
  weft_list_init(&call->timed);
  weft_list_init(&call->later.link);
  weft_arena_init(&call->arena, call->memory, sizeof call->memory);
}

void weft_call_reset(struct weft_call *call) {
  weft_rows_unref(call->rows);
  for (uint32_t i = 0; i < call->nall; i++) weft_rows_unref(call->all[i]);
  call->rows = NULL;
  call->nall = 0;
  call->level = 0;
  weft_arena_release(&call->arena);
  weft_arena_init(&call->arena, call->memory, sizeof call->memory);
}

/* The arena stays: the caller may have made its parameters there. */
void weft_call_begin(struct weft_call *call, struct weft_db *db, struct weft_tx *tx) {
  call->db = weft_db_ref(db);
  call->tx = tx ? weft_tx_ref(tx) : NULL;
  call->relation = NULL;
  call->query = NULL;
  call->rows = NULL;
  weft_error_clear(&call->error);
  call->running = true;
  call->done = false;
  call->place = WEFT_AT_REST;
  call->batch = call->retried = call->ddl = false;
  call->step = NULL;
  call->ride = NULL;
  call->again = NULL;
  call->version = 0;
  call->answered = weft_call_answered;
  call->op.plan = NULL;
  call->op.params = NULL;
  call->op.nparams = 0;
  call->op.repeat = 1;
  call->op.done = weft_call_done;
  db->context->ncalls++;
  db->context->quiet = false;
  db->busy++;
  weft_live_add(&weft_live_counts.calls, 1);
}

int weft_call_closed(const struct weft_db *db, struct weft_error *err) {
  return weft_fail(err, WEFT_CLOSED, "database '%s' is closed", db->name);
}

/* A transaction that has its connection may go on. */
int weft_call_admit(struct weft_call *call, struct weft_db *db, struct weft_tx *tx) {
  struct weft_error err;
  weft_call_begin(call, db, tx);
  if (!db->closed || tx) return 0;
  weft_call_closed(db, &err);
  weft_call_end(call, NULL, &err);
  return -1;
}

void weft_call_step(struct weft_call *call) {
  struct weft_error err;
  if (call->step(call, &err)) weft_call_end(call, NULL, &err);
}

void weft_call_run(struct weft_call *call) {
  if (call->tx) weft_tx_take(call->tx, call);
  else weft_call_step(call);
}

void weft_call_submit(struct weft_call *call) {
  struct weft_op *op = &call->op;
  op->flags = 0;
  op->state = WEFT_OP_NEW;
  op->deadline = call->deadline;
  if (call->tx) {
    weft_tx_send(call->tx, call);
    return;
  }
  struct weft_db *db = call->db;
  weft_list_remove(&call->timed);
  if (!db->pool) { /* closed while the call waited for something else */
    struct weft_error err;
    weft_call_closed(db, &err);
    call->place = WEFT_AT_REST;
    call->answered(call, NULL, &err);
    return;
  }
  call->place = WEFT_AT_POOL;
  call->started = weft_context_stamp(db->context);
  weft_pool_submit(db->pool, op);
}

void weft_call_end(struct weft_call *call, struct weft_rows *rows, const struct weft_error *err) {
  struct weft_db *db = call->db;
  struct weft_tx *tx = call->tx;
  struct weft_context *c = db->context;
  weft_list_remove(&call->link);
  weft_list_remove(&call->timed);
  if (call->op.plan) weft_plan_unref(call->op.plan);
  if (call->query) weft_query_unref(call->query);
  weft_again_end(call);
  call->op.plan = NULL;
  call->query = NULL;
  call->db = NULL;
  call->tx = NULL;
  call->rows = rows;
  if (err && err != &call->error) call->error = *err;
  if (!err) weft_error_clear(&call->error);
  call->place = WEFT_AT_REST;
  call->running = false;
  call->done = true;
  if (--c->ncalls == 0) c->quiet = true;
  weft_live_add(&weft_live_counts.calls, -1);
  if (tx) weft_tx_leave(tx, call);
  call->finished(call); /* its memory may be gone now */
  if (tx) {
    weft_tx_next(tx);
    weft_tx_unref(tx);
  }
  weft_db_rest(db);
  weft_db_unref(db);
}

void weft_call_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct weft_call *call = WEFT_CONTAINER(op, struct weft_call, op);
  if (call->started) weft_context_report(call->db, op, call->started, &call->origin, rows, err);
  weft_plan_unref(op->plan);
  op->plan = NULL;
  call->place = WEFT_AT_REST;
  if (call->tx) err = weft_tx_answer(call->tx, err);
  if (err && rows) {
    weft_rows_unref(rows);
    rows = NULL;
  }
  call->answered(call, rows, err);
}

void weft_call_answered(struct weft_call *call, struct weft_rows *rows,
                        const struct weft_error *err) {
  if (call->ddl) {
    if (call->tx) weft_tx_note_ddl(call->tx);
    weft_db_forget_tables(call->db);
  }
  if (err ? weft_schema_suspect(call, err) : weft_again(call, rows)) return;
  weft_call_end(call, rows, err);
}

static const char *waited_for(const struct weft_call *call) {
  switch (call->place) {
    case WEFT_AT_DISCOVERY: return "the columns of its table";
    case WEFT_AT_BATCH:
    case WEFT_AT_FLIGHT: return "a look-up shared with others";
    default: return "its turn in the transaction";
  }
}

void weft_call_abort(struct weft_call *call, enum weft_kind why) {
  struct weft_error err;
  if (!call->running) return;
  switch (call->place) {
    case WEFT_AT_POOL: weft_pool_abort(&call->op, why); return;
    case WEFT_AT_BUNDLE: weft_bundle_abort(call->ride, why); return;
    case WEFT_AT_REST: return; /* in the middle of being started or answered */
    default: break;
  }
  weft_fail(&err, why, "%s while it waited for %s",
            why == WEFT_TIMEOUT ? "timed out" : "cancelled", waited_for(call));
  if (call->place == WEFT_AT_FLIGHT) weft_flight_leave(call);
  else if (call->place == WEFT_AT_BATCH) weft_batch_leave(call);
  weft_call_end(call, NULL, &err);
}

/* ---- who waits for whom ---- */

/* The operation whose place in a queue holds call up, or NULL. */
static const struct weft_op *held_op(const struct weft_call *call) {
  switch (call->place) {
    case WEFT_AT_POOL: return &call->op;
    case WEFT_AT_FLIGHT: return weft_flight_op(call);
    case WEFT_AT_DISCOVERY: return call->relation->probe ? &call->relation->probe->op : NULL;
    default: return NULL;
  }
}

bool weft_call_waits_for(const struct weft_call *call, const struct weft_tx *tx) {
  if (!call->running || call->tx == tx) return false;
  if (call->place == WEFT_AT_BUNDLE) return weft_bundle_waits_for(call->ride, tx);
  if (call->tx && weft_tx_waiting(call->tx))
    return weft_tx_blocks(tx, call->db, !weft_tx_reads(call->tx), false);
  const struct weft_op *op = held_op(call);
  if (!op || op->state != WEFT_OP_QUEUED || !op->plan) return false;
  return weft_tx_blocks(tx, call->db, !(op->plan->flags & WEFT_PLAN_READ),
                        op->flags & WEFT_OP_SHARED);
}
