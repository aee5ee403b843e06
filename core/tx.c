/* SPDX-License-Identifier: MIT */
/* A transaction is a lease, a queue of calls, and what must be said before the next statement:
   BEGIN and the savepoints that were not sent yet.

   Invariants:
   - Only tx->current may use the connection; the next call of the queue becomes current when it
     left.
   - Control statements go in front of the current statement: together with it where the driver
     pipelines (it lets a statement fail with its BEGIN), else each after the answer to the one
     before, because a statement whose BEGIN failed would run by itself.
   - doom.kind is set as long as no statement can succeed: for ever when the connection is lost or
     BEGIN failed, until the rollback to a savepoint when the database waits for one.
   - The lease is given back once, when the transaction ended and every control statement was
     answered. */
#include <stdio.h>
#include <stdlib.h>

#include "tx_private.h"

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
bool weft_tx_left_open(const struct weft_tx *tx) {
  return tx->lease.conn && tx->lease.conn->tx != WEFT_TX_NONE;
}

bool weft_tx_is_session(const struct weft_tx *tx) { return tx->options.session; }
bool weft_tx_reads(const struct weft_tx *tx) { return tx->options.read_only; }
void weft_tx_note_ddl(struct weft_tx *tx) { tx->ddl = !tx->options.session; }

struct weft_tx *weft_tx_ref(struct weft_tx *tx) {
  tx->refs++;
  return tx;
}

void tx_savepoint_unref(struct savepoint *sp) {
  if (--sp->refs == 0) free(sp);
}

struct savepoint *tx_pop(struct weft_tx *tx) {
  struct savepoint *sp = tx->top;
  tx->top = sp->below;
  tx->depth--;
  return sp;
}

void weft_tx_unref(struct weft_tx *tx) {
  if (--tx->refs) return;
  while (tx->top) tx_savepoint_unref(tx_pop(tx));
  weft_db_unref(tx->db);
  free(tx);
}

/* ---- doom ---- */

const char *tx_word(const struct weft_tx *tx) {
  return tx->options.session ? "session" : "transaction";
}

static bool is_loss(enum weft_kind kind) {
  return kind == WEFT_DISCONNECT || kind == WEFT_CONNECT || kind == WEFT_CLOSED ||
         kind == WEFT_POOL_TIMEOUT;
}

void tx_doom(struct weft_tx *tx, const struct weft_error *err) {
  if (tx->doom.kind == WEFT_OK) tx->doom = *err;
}

static void lose(struct weft_tx *tx, const struct weft_error *err) {
  if (!tx->lost) tx->doom = *err;
  tx->lost = true;
}

const struct weft_error *tx_doomed(struct weft_tx *tx) {
  if (!tx->told) {
    tx->told = true;
    return &tx->doom;
  }
  tx->reply = tx->doom;
  tx->reply.outcome_unknown = false;
  tx->reply.constraint[0] = tx->reply.column[0] = 0;
  if (tx->lost)
    snprintf(tx->reply.message, sizeof tx->reply.message, "the %s was lost: %.*s", tx_word(tx),
             (int)sizeof tx->reply.message - 40, tx->doom.message);
  else
    snprintf(tx->reply.message, sizeof tx->reply.message, "the transaction already failed: %s",
             weft_kind_name(tx->doom.kind));
  return &tx->reply;
}

const struct weft_error *weft_tx_answer(struct weft_tx *tx, const struct weft_error *err) {
  if (!err) return tx->doom.kind && !tx->told ? tx_doomed(tx) : NULL;
  if (!tx->lease.conn || is_loss(err->kind)) {
    lose(tx, err);
    tx->told = true;
    return err;
  }
  if (tx->doom.kind && (!tx->told || strcmp(err->code, "25P02") == 0)) return tx_doomed(tx);
  if (!tx->options.session && tx->lease.conn->tx != WEFT_TX_OPEN && !tx->doom.kind) {
    tx_doom(tx, err);
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

void tx_end(struct weft_tx *tx) {
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
  if (c->started) weft_context_report(tx->db, op, c->started, &c->origin, rows, err);
  weft_plan_unref(op->plan);
  weft_rows_unref(rows);
  tx->unanswered--;
  if (err && !tx->lease.conn) lose(tx, err);
  else if (err) tx_doom(tx, err);
  if (c->of) tx_savepoint_unref(c->of);
  send(tx);
  if (tx->ended) give_back(tx);
  weft_tx_unref(tx);
}

int tx_plan(struct weft_tx *tx, const char *text, struct weft_plan **out,
                   struct weft_error *err) {
  if (weft_plans_raw(&tx->db->plans, weft_slice_of(text), 0, WEFT_PLAN_CONTROL, out, err)) return -1;
  weft_plan_ref(*out);
  return 0;
}

int tx_savepoint_plan(struct weft_tx *tx, enum verb verb, uint32_t number,
                          struct weft_plan **out, struct weft_error *err) {
  static const char *const words[] = {"SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"};
  char text[48];
  snprintf(text, sizeof text, "%s weft_%u", words[verb], (unsigned)number);
  return tx_plan(tx, text, out, err);
}

static int begin_plan(struct weft_tx *tx, struct weft_plan **out, struct weft_error *err) {
  const char *text = tx->db->dialect->begin[tx->options.read_only][tx->options.isolation];
  if (text) return tx_plan(tx, text, out, err);
  return weft_fail(err, WEFT_UNSUPPORTED, "%s has no such isolation level", tx->db->dialect->name);
}

/* plan: an owned reference. */
void tx_send_control(struct weft_tx *tx, struct control *c, struct weft_plan *plan,
                     const struct weft_call *call, int64_t deadline, bool flush) {
  c->op = (struct weft_op){.plan = plan, .repeat = 1, .flags = WEFT_OP_IN_TX,
                           .deadline = deadline, .done = control_done};
  c->origin = call->origin;
  weft_list_init(&c->op.link);
  c->tx = weft_tx_ref(tx);
  if (c->of) c->of->refs++;
  c->sent = true;
  c->started = tx->options.quiet ? 0 : weft_context_stamp(tx->db->context);
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

/* Then a statement goes out with the control statements in front of it, and fails with BEGIN. */
bool tx_pipelines(const struct weft_tx *tx) {
  return tx->db->driver->caps & WEFT_DRIVER_PIPELINES;
}

void tx_submit(struct weft_tx *tx, struct weft_call *call, bool flush) {
  weft_list_remove(&call->timed);
  call->place = WEFT_AT_POOL;
  call->started = weft_context_stamp(tx->db->context);
  call->op.flags = tx->options.session ? 0 : WEFT_OP_IN_TX;
  if (tx->options.read_only) call->op.flags |= WEFT_OP_READ_ONLY;
  weft_lease_submit(&tx->lease, &call->op, flush);
}

/* One step towards the answer of tx->current; false: something must happen first. */
static bool send_one(struct weft_tx *tx) {
  struct weft_call *call = tx->current;
  if (tx->doom.kind) {
    tx->ready = false;
    weft_call_end(call, NULL, tx_doomed(tx));
    return true;
  }
  if (!tx->leased) {
    acquire(tx);
    return tx->granted || tx->doom.kind;
  }
  if (!tx->granted || (tx->unanswered && !tx_pipelines(tx))) return false;
  struct control *c = next_control(tx);
  if (!c) {
    tx->ready = false;
    tx_submit(tx, call, true);
    return true;
  }
  struct weft_plan *plan;
  struct weft_error err;
  if (c->of ? tx_savepoint_plan(tx, SAVEPOINT, c->of->number, &plan, &err)
            : begin_plan(tx, &plan, &err))
    tx_doom(tx, &err);
  else
    tx_send_control(tx, c, plan, call, call->deadline, !tx_pipelines(tx));
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
  call->place = WEFT_AT_HEAD;
  tx->ready = true;
  send(tx);
}

/* ---- the queue ---- */

/* A savepoint holds what is done inside of it and nothing else: whoever is outside waits. */
static bool held(const struct weft_tx *tx, const struct weft_call *call) {
  return call->level && call->level < tx->depth && !tx->ended;
}

static struct weft_list *eligible(struct weft_tx *tx) {
  for (struct weft_list *at = tx->queue.next; at != &tx->queue; at = at->next)
    if (!held(tx, WEFT_CONTAINER(at, struct weft_call, link))) return at;
  return NULL;
}

void weft_tx_next(struct weft_tx *tx) {
  struct weft_list *at;
  if (tx->advancing) return;
  tx->advancing = true;
  weft_tx_ref(tx);
  while (!tx->current && (at = eligible(tx))) {
    weft_list_remove(at);
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, link);
    struct weft_error err;
    tx->current = call;
    call->place = WEFT_AT_REST;
    if (!tx->ended) {
      weft_call_step(call);
    } else {
      weft_fail(&err, WEFT_USAGE, "the %s has ended", tx_word(tx));
      weft_call_end(call, NULL, &err);
    }
  }
  tx->advancing = false;
  if (!tx->owned && !tx->current) tx_end(tx);
  weft_tx_unref(tx);
}

void weft_tx_take(struct weft_tx *tx, struct weft_call *call) {
  call->place = WEFT_AT_QUEUE;
  if (tx->current || !tx->granted || held(tx, call)) weft_context_watch(tx->db->context, call);
  weft_list_push(&tx->queue, &call->link);
  weft_tx_next(tx);
}

void weft_tx_leave(struct weft_tx *tx, struct weft_call *call) {
  if (tx->current != call) return;
  tx->current = NULL;
  tx->ready = false;
}

/* Gives up what waits, and what runs. */
void tx_drop_all(struct weft_tx *tx) {
  bool was = tx->advancing;
  tx->advancing = true; /* one that goes must not let the next one begin */
  while (!weft_list_empty(&tx->queue))
    weft_call_abort(WEFT_CONTAINER(tx->queue.next, struct weft_call, link), WEFT_CANCELLED);
  if (tx->current) weft_call_abort(tx->current, WEFT_CANCELLED);
  tx->advancing = was;
}

/* ---- the end ---- */

void weft_tx_free(struct weft_tx *tx) {
  if (!tx) return;
  tx_drop_all(tx);
  weft_tx_disown(tx);
}

void weft_tx_disown(struct weft_tx *tx) {
  tx->owned = false;
  if (!tx->current && !tx->advancing) {
    tx_end(tx);
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
