/* SPDX-License-Identifier: MIT */
/* A transaction is a lease, a queue of calls, and what must be said before the next statement: BEGIN and
   the savepoints that were not sent yet.

   Invariants:
   - Only tx->current may use the connection; the next call of the queue becomes current when it left.
   - Control statements go in front of the current statement: together with it where the driver
     pipelines, else each after the answer to the one before, because a statement whose BEGIN failed
     would run by itself.
   - doom.kind is set as long as no statement can succeed: for ever when the connection is lost or BEGIN
     failed, until the rollback to a savepoint when the database waits for one.
   - The lease is given back once, when the transaction ended and every control statement was answered. */
#include <stdio.h>
#include <stdlib.h>

#include "db_private.h"

struct savepoint;

struct control {
  struct weft_op op;
  struct weft_tx *tx;
  struct savepoint *of; /* NULL: BEGIN */
  int64_t started;
  bool sent;
};

struct savepoint {
  int refs; /* the transaction's stack, control statements under way */
  struct control begin, end;
  struct savepoint *below;
  uint32_t number;
};

struct weft_tx {
  int refs; /* the owner, the lease, running calls, control statements under way */
  struct weft_db *db;
  struct weft_tx_options options;
  struct weft_lease lease;
  struct weft_list queue;
  struct weft_call *current;
  struct control begin;
  struct savepoint *top;
  uint32_t depth, unanswered;
  bool leased, granted; /* asked for; has it */
  bool ready;           /* current's operation waits to be sent */
  bool advancing, sending;
  bool lost, told, ended, owned, ddl;
  struct weft_error doom;
  struct weft_error reply; /* memory for weft_tx_answer */
};

struct weft_tx *weft_tx_new(struct weft_db *db, const struct weft_tx_options *o) {
  struct weft_tx *tx = weft_zalloc(sizeof *tx);
  tx->refs = 1;
  tx->owned = true;
  tx->db = weft_db_ref(db);
  tx->options = *o;
  tx->depth = 1;
  weft_list_init(&tx->queue);
  weft_list_init(&tx->lease.link);
  return tx;
}

struct weft_db *weft_tx_db(const struct weft_tx *tx) { return tx->db; }
uint32_t weft_tx_depth(const struct weft_tx *tx) { return tx->depth; }
enum weft_kind weft_tx_doom(const struct weft_tx *tx) { return tx->doom.kind; }
bool weft_tx_waiting(const struct weft_tx *tx) { return tx->leased && !tx->granted; }
bool weft_tx_is_session(const struct weft_tx *tx) { return tx->options.session; }
bool weft_tx_reads(const struct weft_tx *tx) { return tx->options.read_only; }
void weft_tx_note_ddl(struct weft_tx *tx) { tx->ddl = !tx->options.session; }

struct weft_tx *weft_tx_ref(struct weft_tx *tx) {
  tx->refs++;
  return tx;
}

static void savepoint_unref(struct savepoint *sp) {
  if (--sp->refs == 0) free(sp);
}

static struct savepoint *pop(struct weft_tx *tx) {
  struct savepoint *sp = tx->top;
  tx->top = sp->below;
  tx->depth--;
  return sp;
}

void weft_tx_unref(struct weft_tx *tx) {
  if (--tx->refs) return;
  while (tx->top) savepoint_unref(pop(tx));
  weft_db_unref(tx->db);
  free(tx);
}

/* ---- doom ---- */

static const char *what(const struct weft_tx *tx) {
  return tx->options.session ? "session" : "transaction";
}

static bool is_loss(enum weft_kind kind) {
  return kind == WEFT_DISCONNECT || kind == WEFT_CONNECT || kind == WEFT_AUTH ||
         kind == WEFT_CLOSED || kind == WEFT_POOL_TIMEOUT;
}

static void doom(struct weft_tx *tx, const struct weft_error *err) {
  if (tx->doom.kind == WEFT_OK) tx->doom = *err;
}

static void lose(struct weft_tx *tx, const struct weft_error *err) {
  if (!tx->lost) tx->doom = *err;
  tx->lost = true;
}

/* The error of whoever comes after the failure; the first one to hear of it gets the failure itself. */
static const struct weft_error *doomed(struct weft_tx *tx) {
  if (!tx->told) {
    tx->told = true;
    return &tx->doom;
  }
  tx->reply = tx->doom;
  tx->reply.outcome_unknown = false;
  tx->reply.constraint[0] = tx->reply.column[0] = 0;
  if (tx->lost)
    snprintf(tx->reply.message, sizeof tx->reply.message, "the %s was lost: %.*s", what(tx),
             (int)sizeof tx->reply.message - 40, tx->doom.message);
  else
    snprintf(tx->reply.message, sizeof tx->reply.message, "the transaction already failed: %s",
             weft_kind_name(tx->doom.kind));
  return &tx->reply;
}

const struct weft_error *weft_tx_answer(struct weft_tx *tx, const struct weft_error *err) {
  if (!err) return tx->doom.kind && !tx->told ? doomed(tx) : NULL;
  if (!tx->lease.conn || is_loss(err->kind)) {
    lose(tx, err);
    tx->told = true;
    return err;
  }
  if (tx->doom.kind && (!tx->told || strcmp(err->code, "25P02") == 0)) return doomed(tx);
  if (!tx->options.session && tx->lease.conn->tx != WEFT_TX_OPEN && !tx->doom.kind) {
    doom(tx, err);
    tx->told = true;
  }
  return err;
}

/* ---- the lease ---- */

static void give_back(struct weft_tx *tx) {
  if (!tx->leased || tx->unanswered) return;
  tx->leased = false;
  if (tx->granted) weft_live_add(&weft_live_counts.leases, -1);
  tx->granted = false;
  weft_lease_release(&tx->lease);
  weft_db_rest(tx->db);
  weft_tx_unref(tx);
}

static void end_tx(struct weft_tx *tx) {
  if (tx->ended) return;
  tx->ended = true;
  weft_tx_ref(tx);
  if (tx->ddl) weft_db_forget_tables(tx->db);
  give_back(tx);
  weft_tx_unref(tx);
}

static void send(struct weft_tx *tx);

static void granted(struct weft_lease *lease, const struct weft_error *err) {
  struct weft_tx *tx = WEFT_CONTAINER(lease, struct weft_tx, lease);
  if (!err) {
    tx->granted = true;
    weft_live_add(&weft_live_counts.leases, 1);
    send(tx);
    return;
  }
  lose(tx, err);
  tx->leased = false;
  send(tx);
  weft_db_rest(tx->db);
  weft_tx_unref(tx);
}

static void lost(struct weft_lease *lease, const struct weft_error *err) {
  struct weft_tx *tx = WEFT_CONTAINER(lease, struct weft_tx, lease);
  weft_tx_ref(tx);
  lose(tx, err);
  send(tx);
  weft_tx_unref(tx);
}

static void acquire(struct weft_tx *tx) {
  struct weft_error err;
  if (tx->db->closed) {
    weft_call_closed(tx->db, &err);
    lose(tx, &err);
    return;
  }
  tx->lease.kind = tx->options.session     ? WEFT_LEASE_SESSION
                   : tx->options.read_only ? WEFT_LEASE_READ
                                           : WEFT_LEASE_WRITE;
  tx->lease.granted = granted;
  tx->lease.lost = lost;
  tx->leased = true;
  tx->db->busy++;
  weft_tx_ref(tx);
  weft_pool_lease(tx->db->pool, &tx->lease);
}

/* ---- sending ---- */

static void control_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct control *c = WEFT_CONTAINER(op, struct control, op);
  struct weft_tx *tx = c->tx;
  weft_context_report(tx->db, op, c->started, rows, err);
  weft_plan_unref(op->plan);
  weft_rows_unref(rows);
  tx->unanswered--;
  if (err && !tx->lease.conn) lose(tx, err);
  else if (err) doom(tx, err);
  if (c->of) savepoint_unref(c->of);
  send(tx);
  if (tx->ended) give_back(tx);
  weft_tx_unref(tx);
}

static int plan_of(struct weft_tx *tx, const char *text, struct weft_plan **out,
                   struct weft_error *err) {
  if (weft_plans_raw(&tx->db->plans, weft_slice_of(text), 0, true, out, err)) return -1;
  weft_plan_ref(*out);
  return 0;
}

enum verb { SAVEPOINT, RELEASE, ROLLBACK_TO };

static int savepoint_plan(struct weft_tx *tx, enum verb verb, uint32_t number,
                          struct weft_plan **out, struct weft_error *err) {
  static const char *const words[] = {"SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"};
  char text[48];
  snprintf(text, sizeof text, "%s weft_%u", words[verb], (unsigned)number);
  return plan_of(tx, text, out, err);
}

static int begin_plan(struct weft_tx *tx, struct weft_plan **out, struct weft_error *err) {
  const char *text = tx->db->dialect->begin[tx->options.read_only][tx->options.isolation];
  if (text) return plan_of(tx, text, out, err);
  return weft_fail(err, WEFT_UNSUPPORTED, "%s has no such isolation level", tx->db->dialect->name);
}

/* plan: an owned reference. */
static void send_control(struct weft_tx *tx, struct control *c, struct weft_plan *plan,
                         int64_t deadline, bool flush) {
  c->op = (struct weft_op){.plan = plan, .repeat = 1, .flags = WEFT_OP_IN_TX,
                           .deadline = deadline, .done = control_done};
  weft_list_init(&c->op.link);
  c->tx = weft_tx_ref(tx);
  if (c->of) c->of->refs++;
  c->sent = true;
  c->started = weft_context_stamp(tx->db->context);
  tx->unanswered++;
  weft_lease_submit(&tx->lease, &c->op, flush);
}

static struct control *next_control(struct weft_tx *tx) {
  struct savepoint *first = NULL;
  if (tx->options.session) return NULL;
  if (!tx->begin.sent) return &tx->begin;
  for (struct savepoint *sp = tx->top; sp && !sp->begin.sent; sp = sp->below) first = sp;
  return first ? &first->begin : NULL;
}

static bool pipelines(const struct weft_tx *tx) {
  return tx->db->driver->caps & WEFT_DRIVER_PIPELINES;
}

/* May a statement go out before the control statement in front of it was answered? BEGIN itself fails on
   a PostgreSQL standby that is asked for SERIALIZABLE; the statement would then run outside. */
static bool together(const struct weft_tx *tx) {
  return pipelines(tx) && tx->options.isolation != WEFT_SERIALIZABLE;
}

static void submit(struct weft_tx *tx, struct weft_call *call, bool flush) {
  weft_list_remove(&call->timed);
  call->place = WEFT_AT_POOL;
  call->started = weft_context_stamp(tx->db->context);
  call->op.flags = tx->options.session ? 0 : WEFT_OP_IN_TX;
  weft_lease_submit(&tx->lease, &call->op, flush);
}

/* One step towards the answer of tx->current; false: something must happen first. */
static bool send_one(struct weft_tx *tx) {
  struct weft_call *call = tx->current;
  if (tx->doom.kind) {
    tx->ready = false;
    weft_call_end(call, NULL, doomed(tx));
    return true;
  }
  if (!tx->leased) {
    acquire(tx);
    return tx->granted || tx->doom.kind;
  }
  if (!tx->granted || (tx->unanswered && !together(tx))) return false;
  struct control *c = next_control(tx);
  if (!c) {
    tx->ready = false;
    submit(tx, call, true);
    return true;
  }
  struct weft_plan *plan;
  struct weft_error err;
  if (c->of ? savepoint_plan(tx, SAVEPOINT, c->of->number, &plan, &err)
            : begin_plan(tx, &plan, &err))
    doom(tx, &err);
  else
    send_control(tx, c, plan, call->deadline, !together(tx));
  return true;
}

static void send(struct weft_tx *tx) {
  if (tx->sending) return;
  tx->sending = true;
  weft_tx_ref(tx);
  while (tx->ready && send_one(tx)) continue;
  tx->sending = false;
  weft_tx_unref(tx);
}

void weft_tx_send(struct weft_tx *tx, struct weft_call *call) {
  (void)call; /* it is tx->current */
  tx->ready = true;
  send(tx);
}

/* ---- the queue ---- */

void weft_tx_next(struct weft_tx *tx) {
  struct weft_list *at;
  if (tx->advancing) return;
  tx->advancing = true;
  weft_tx_ref(tx);
  while (!tx->current && (at = weft_list_take(&tx->queue))) {
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, link);
    struct weft_error err;
    tx->current = call;
    call->place = WEFT_AT_HEAD;
    if (!tx->ended) {
      weft_call_step(call);
    } else {
      weft_fail(&err, WEFT_USAGE, "the %s has ended", what(tx));
      weft_call_end(call, NULL, &err);
    }
  }
  tx->advancing = false;
  if (!tx->owned && !tx->current) end_tx(tx);
  weft_tx_unref(tx);
}

void weft_tx_take(struct weft_tx *tx, struct weft_call *call) {
  call->place = WEFT_AT_QUEUE;
  if (tx->current || !tx->granted) weft_context_watch(tx->db->context, call);
  weft_list_push(&tx->queue, &call->link);
  weft_tx_next(tx);
}

void weft_tx_leave(struct weft_tx *tx, struct weft_call *call) {
  if (tx->current != call) return;
  tx->current = NULL;
  tx->ready = false;
}

/* Gives up what waits, and what runs. */
static void drop_all(struct weft_tx *tx) {
  bool was = tx->advancing;
  tx->advancing = true; /* one that goes must not let the next one begin */
  while (!weft_list_empty(&tx->queue))
    weft_call_abort(WEFT_CONTAINER(tx->queue.next, struct weft_call, link), WEFT_CANCELLED);
  if (tx->current) weft_call_abort(tx->current, WEFT_CANCELLED);
  tx->advancing = was;
}

/* ---- savepoints ---- */

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
  submit(call->tx, call, flush);
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
static void send_release(struct weft_tx *tx, struct savepoint *sp) {
  struct weft_plan *plan;
  struct weft_error err;
  if (savepoint_plan(tx, RELEASE, sp->number, &plan, &err)) doom(tx, &err);
  else send_control(tx, &sp->end, plan, 0, true);
}

static void rolled_back_to(struct weft_call *call, struct weft_rows *rows,
                           const struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct savepoint *sp = call->ride;
  weft_rows_unref(rows);
  if (!err && !tx->lost) {
    weft_error_clear(&tx->doom);
    tx->told = false;
    if (!sp->end.sent) send_release(tx, sp);
  }
  savepoint_unref(sp);
  if (tx->ddl) weft_db_forget_tables(tx->db);
  if (!err && call->error.kind) err = &call->error; /* a release that could not be */
  weft_call_end(call, NULL, err);
}

static int send_rollback_to(struct weft_tx *tx, struct weft_call *call, struct savepoint *sp,
                            struct weft_error *err) {
  struct weft_plan *plan;
  call->ride = sp;
  if (savepoint_plan(tx, ROLLBACK_TO, sp->number, &plan, err)) {
    savepoint_unref(sp);
    return -1;
  }
  bool pipelined = pipelines(tx);
  sp->refs++; /* the answer may come before submit returns */
  send_verb(call, plan, !pipelined, rolled_back_to);
  if (pipelined && tx->lease.conn && !tx->ended && !sp->end.sent) send_release(tx, sp);
  savepoint_unref(sp);
  return 0;
}

static int rollback_to_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  if (!tx->top) return weft_fail(err, WEFT_USAGE, "the %s has no savepoint", what(tx));
  struct savepoint *sp = pop(tx);
  if (sp->begin.sent && !tx->lost) return send_rollback_to(tx, call, sp, err);
  savepoint_unref(sp);
  weft_call_end(call, NULL, NULL);
  return 0;
}

void weft_tx_rollback_to(struct weft_tx *tx, struct weft_call *call) {
  start(tx, call, rollback_to_step);
}

static int release_step(struct weft_call *call, struct weft_error *err) {
  struct weft_tx *tx = call->tx;
  struct weft_plan *plan;
  if (!tx->top) return weft_fail(err, WEFT_USAGE, "the %s has no savepoint", what(tx));
  struct savepoint *sp = pop(tx);
  if (sp->begin.sent && !tx->lost && tx->doom.kind) {
    call->error = *doomed(tx);
    return send_rollback_to(tx, call, sp, err);
  }
  bool sent = sp->begin.sent;
  uint32_t number = sp->number;
  savepoint_unref(sp);
  if (!sent || tx->lost) {
    weft_call_end(call, NULL, sent ? doomed(tx) : NULL);
    return 0;
  }
  if (savepoint_plan(tx, RELEASE, number, &plan, err)) return -1;
  send_verb(call, plan, true, released);
  return 0;
}

void weft_tx_release(struct weft_tx *tx, struct weft_call *call) {
  start(tx, call, release_step);
}

/* ---- the end ---- */

static void end_both(struct weft_tx *tx, struct weft_call *call, const struct weft_error *err) {
  end_tx(tx);
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
  if (failed) call->error = *doomed(tx);
  if (failed && (tx->lost || !tx->begin.sent || tx->lease.conn->tx == WEFT_TX_NONE)) {
    end_both(tx, call, &call->error);
    return 0;
  }
  if (plan_of(tx, failed ? "ROLLBACK" : "COMMIT", &plan, err)) return -1;
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
  if (plan_of(tx, "ROLLBACK", &plan, err)) return -1;
  send_verb(call, plan, true, rolled_back);
  return 0;
}

void weft_tx_rollback(struct weft_tx *tx, struct weft_call *call) {
  weft_tx_ref(tx);
  drop_all(tx);
  start(tx, call, rollback_step);
  weft_tx_unref(tx);
}

void weft_tx_free(struct weft_tx *tx) {
  if (!tx) return;
  drop_all(tx);
  weft_tx_disown(tx);
}

void weft_tx_disown(struct weft_tx *tx) {
  tx->owned = false;
  if (!tx->current && !tx->advancing) {
    end_tx(tx);
    weft_tx_next(tx); /* fails what came meanwhile */
  }
  weft_tx_unref(tx);
}

/* ---- who waits for whom ---- */

static bool same_writer(const struct weft_db *a, const struct weft_db *b) {
  if (!(a->driver->caps & b->driver->caps & WEFT_DRIVER_ONE_WRITER)) return false;
  struct weft_slice x = a->driver->writer_key(a->settings), y = b->driver->writer_key(b->settings);
  return x.n > 0 && weft_slice_equal(x, y);
}

bool weft_tx_blocks(const struct weft_tx *tx, const struct weft_db *db, bool writes, bool shares) {
  struct weft_pool_stats s;
  if (!tx->granted || !tx->db->pool || !db->pool) return false;
  if (writes && !tx->options.read_only && same_writer(tx->db, db)) return true;
  if (tx->db != db) return false;
  weft_pool_stats(db->pool, &s);
  if (s.leased > 1) return false; /* the others will end */
  return s.max == 1 || (s.max == 2 && !shares); /* one is kept for those who share */
}
