/* SPDX-License-Identifier: MIT */
/* Savepoints, commit, rollback: calls of a transaction that do not run a statement of the user's.
   Each is a step in the transaction's queue. Invariant: whatever becomes of it, a savepoint is gone
   from the stack after release and rollback_to, and the transaction has ended after commit and
   rollback. */
#include <stdlib.h>

#include "tx_private.h"

static void start(struct weft_tx *tx, struct weft_call *call,
                  int (*step)(struct weft_call *, struct weft_error *)) {
  weft_call_begin(call, tx->db, tx);
  call->step = step;
  weft_call_run(call);
}

/* Sends text instead of a planned query, without what would go in front of a statement. */
static void send_verb(struct weft_call *call, struct weft_plan *plan, bool flush,
                      void (*answered)(struct weft_call *, struct weft_rows *,
                                       const struct weft_error *)) {
  call->op.plan = plan;
  call->op.deadline = call->deadline;
  call->op.state = WEFT_OP_NEW;
  call->answered = answered;
  tx_submit(call->tx, call, flush);
}

static int savepoint_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  if (tx->options.session)
    return weft_fail(err, WEFT_USAGE, "a session has no savepoints");
  struct savepoint *sp = weft_zalloc(sizeof *sp);
  sp->refs = 1;
  sp->begin.of = sp->end.of = sp;
  sp->number = tx->depth++;
  sp->below = tx->top;
  tx->top = sp;
  weft_call_end(call, NULL, NULL);
  return 0;
}

void weft_tx_savepoint(struct weft_tx *tx, struct weft_call *call) {
  start(tx, call, savepoint_step);
}

static void released(struct weft_call *call, struct weft_rows *rows, const struct weft_error *err) {
  weft_rows_unref(rows);
  weft_call_end(call, NULL, err);
}

/* The savepoint is still there after it was rolled back to: it goes as well. */
static void send_release(struct weft_tx *tx, const struct weft_call *call, struct savepoint *sp) {
  struct weft_plan *plan;
  struct weft_error err;
  if (tx_savepoint_plan(tx, RELEASE, sp->number, &plan, &err)) tx_doom(tx, &err);
  else tx_send_control(tx, &sp->end, plan, call, 0, true);
}

static void rolled_back_to(struct weft_call *call, struct weft_rows *rows,
                           const struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct savepoint *sp = call->ride;
  weft_rows_unref(rows);
  if (!err && !tx->lost) {
    weft_error_clear(&tx->doom);
    tx->told = false;
    if (!sp->end.sent) send_release(tx, call, sp);
  }
  tx_savepoint_unref(sp);
  if (tx->ddl) weft_db_forget_tables(tx->db);
  if (!err && call->error.kind) err = &call->error; /* a release that could not be */
  weft_call_end(call, NULL, err);
}

static int send_rollback_to(struct weft_tx *tx, struct weft_call *call, struct savepoint *sp,
                            struct weft_error *err) {
  struct weft_plan *plan;
  call->ride = sp;
  if (tx_savepoint_plan(tx, ROLLBACK_TO, sp->number, &plan, err)) {
    tx_savepoint_unref(sp);
    return -1;
  }
  bool pipelined = tx_pipelines(tx);
  sp->refs++; /* the answer may come before submit returns */
  send_verb(call, plan, !pipelined, rolled_back_to);
  if (pipelined && tx->lease.conn && !tx->ended && !sp->end.sent) send_release(tx, call, sp);
  tx_savepoint_unref(sp);
  return 0;
}

static int rollback_to_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  if (!tx->top) return weft_fail(err, WEFT_USAGE, "the %s has no savepoint", tx_word(tx));
  struct savepoint *sp = tx_pop(tx);
  if (sp->begin.sent && !tx->lost) return send_rollback_to(tx, call, sp, err);
  tx_savepoint_unref(sp);
  weft_call_end(call, NULL, NULL);
  return 0;
}

void weft_tx_rollback_to(struct weft_tx *tx, struct weft_call *call) {
  start(tx, call, rollback_to_step);
}

static int release_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct weft_plan *plan;
  if (!tx->top) return weft_fail(err, WEFT_USAGE, "the %s has no savepoint", tx_word(tx));
  struct savepoint *sp = tx_pop(tx);
  if (sp->begin.sent && !tx->lost && tx->doom.kind) {
    call->error = *tx_doomed(tx);
    return send_rollback_to(tx, call, sp, err);
  }
  bool sent = sp->begin.sent;
  uint32_t number = sp->number;
  tx_savepoint_unref(sp);
  if (!sent || tx->lost) {
    weft_call_end(call, NULL, sent ? tx_doomed(tx) : NULL);
    return 0;
  }
  if (tx_savepoint_plan(tx, RELEASE, number, &plan, err)) return -1;
  send_verb(call, plan, true, released);
  return 0;
}

void weft_tx_release(struct weft_tx *tx, struct weft_call *call) {
  start(tx, call, release_step);
}

/* ---- the end ---- */

static void end_both(struct weft_tx *tx, struct weft_call *call, const struct weft_error *err) {
  tx_end(tx);
  weft_call_end(call, NULL, err);
}

static void committed(struct weft_call *call, struct weft_rows *rows,
                      const struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  weft_rows_unref(rows);
  if (err) {
    call->error = *err;
    err = &call->error;
    /* A connection that is lost says so itself. After a COMMIT that was stopped nobody knows. */
    if ((err->kind == WEFT_TIMEOUT || err->kind == WEFT_CANCELLED) && !tx->options.read_only &&
        tx->lease.conn && tx->lease.conn->tx == WEFT_TX_NONE)
      call->error.outcome_unknown = true;
    if (err->outcome_unknown) call->error.retryable = false;
  }
  end_both(tx, call, err);
}

/* The rollback in place of a commit that could not be: call->error says why. */
static void commit_refused(struct weft_call *call, struct weft_rows *rows,
                           const struct weft_error *err) {
  (void)err;
  weft_rows_unref(rows);
  end_both(call->tx, call, &call->error);
}

static int commit_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct weft_plan *plan;
  bool failed = tx->doom.kind != WEFT_OK;
  if (tx->options.session || (!tx->begin.sent && !failed)) {
    end_both(tx, call, NULL);
    return 0;
  }
  if (failed) call->error = *tx_doomed(tx);
  if (failed && (tx->lost || !tx->begin.sent || tx->lease.conn->tx == WEFT_TX_NONE)) {
    end_both(tx, call, &call->error);
    return 0;
  }
  if (tx_plan(tx, failed ? "ROLLBACK" : "COMMIT", &plan, err)) return -1;
  send_verb(call, plan, true, failed ? commit_refused : committed);
  return 0;
}

void weft_tx_commit(struct weft_tx *tx, struct weft_call *call) { start(tx, call, commit_step); }

/* Whatever became of ROLLBACK: the lease is given back, and the pool makes sure. */
static void rolled_back(struct weft_call *call, struct weft_rows *rows,
                        const struct weft_error *err) {
  (void)err;
  weft_rows_unref(rows);
  end_both(call->tx, call, NULL);
}

static int rollback_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct weft_plan *plan;
  bool nothing = tx->options.session || !tx->begin.sent || tx->lost ||
                 (tx->doom.kind && tx->lease.conn->tx == WEFT_TX_NONE);
  if (nothing) {
    end_both(tx, call, NULL);
    return 0;
  }
  if (tx_plan(tx, "ROLLBACK", &plan, err)) return -1;
  send_verb(call, plan, true, rolled_back);
  return 0;
}

void weft_tx_rollback(struct weft_tx *tx, struct weft_call *call) {
  weft_tx_ref(tx);
  tx_drop_all(tx);
  start(tx, call, rollback_step);
  weft_tx_unref(tx);
}
