/* SPDX-License-Identifier: MIT */
/* SQLite: which thread runs a statement, and what follows from how it ended.

   Invariants:
   - Operations run one after another, in order; run.op is the head of base.ops while it is carried
   out. Only turn() starts one, and never within itself: what call backs submit is picked up by the
   turn that is under way.
   - WORKING: the thread pool has db, run and run.st; this thread only sets stop and interrupts.
     WAITING: the timer will try run.op again. YIELDED: the hook goes on with the turn.
   - SQLite never sleeps: another process's lock is waited out by timer.
   - A transaction that SQLite rolled back by itself is FAILED: nothing runs until it is rolled back
   by name, or the rest of it would be committed one by one. */
#include <stdio.h>
#include <stdlib.h>

#include "../clock.h"
#include "../dialect.h"
#include "sqlite.h"

const struct weft_driver *weft_driver_sqlite(void);

enum {
  MS = 1000 * 1000,
  TURN = 2 * MS,        /* of one connection, then others have their turn */
  BUSY_FIRST = MS,
  BUSY_LAST = 50 * MS,
  ROWS_EXPECTED = 4096
};

static void turn(struct sqlite_conn *c);
static void try_open(struct sqlite_conn *c);

static struct sqlite_conn *of(struct weft_conn *base) {
  return WEFT_CONTAINER(base, struct sqlite_conn, base);
}

static int stop_kind(const struct sqlite_conn *c) {
  return __atomic_load_n(&c->stop, __ATOMIC_ACQUIRE);
}

static void set_stop(struct sqlite_conn *c, enum weft_kind why) {
  __atomic_store_n(&c->stop, (int)why, __ATOMIC_RELEASE);
}

static bool in_transaction(const struct sqlite_conn *c) { return !sqlite3_get_autocommit(c->db); }

/* ---- what watches the statement that runs ---- */

static int progress(void *ud) {
  struct sqlite_conn *c = ud;
  struct sqlite_run *r = &c->run;
  r->ticks++;
  if (stop_kind(c)) return 1;
  if (r->guard == GUARD_DEADLINE && weft_clock_ns() >= r->op->deadline) set_stop(c, WEFT_TIMEOUT);
  return r->guard == GUARD_MOVE || stop_kind(c);
}

/* ---- the end of an operation ---- */

/* All results of one plan share their columns; a changed schema brings new ones. */
static void share_columns(struct sqlite_statement *st, struct weft_plan *plan) {
  if (weft_columns_equal(st->columns, plan->columns)) {
    weft_columns_unref(st->columns);
    st->columns = plan->columns ? weft_columns_ref(plan->columns) : NULL;
  } else {
    weft_columns_unref(plan->columns);
    plan->columns = st->columns ? weft_columns_ref(st->columns) : NULL;
  }
}

static void note_transaction(struct sqlite_conn *c) {
  const struct sqlite_run *r = &c->run;
  bool open = in_transaction(c);
  bool ended = r->st && (r->st->kind == KIND_COMMIT || r->st->kind == KIND_ROLLBACK);
  if (r->in_tx && !open && !ended && r->rc != SQLITE_DONE) c->base.tx = WEFT_TX_FAILED;
  else if (c->base.tx != WEFT_TX_FAILED || ended) c->base.tx = open ? WEFT_TX_OPEN : WEFT_TX_NONE;
  c->wrote = open && (c->wrote || !r->st || (r->st->kind == KIND_WRITE && r->in_tx));
}

/* Ends run.op by run.rc, run.rows and run.err. */
static void finish(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  struct weft_op *op = r->op;
  struct sqlite_statement *st = r->st;
  struct weft_rows *rows = r->rows;
  note_transaction(c);
  /* A database in memory lives as long as its connection, whatever happened. */
  if (weft_sqlite_fatal(r->rc) && !c->config.memory) c->base.broken = true;
  if (st) {
    if (st->columns != op->plan->columns) share_columns(st, op->plan);
    if (rows)
      st->expected = rows->nrows < 1               ? 1
                     : rows->nrows > ROWS_EXPECTED ? ROWS_EXPECTED
                                                   : rows->nrows;
    if (st->passing) weft_sqlite_finalize(st);
  }
  r->op = NULL;
  r->st = NULL;
  r->rows = NULL;
  r->guard = GUARD_NONE;
  if (r->rc == SQLITE_DONE) {
    weft_conn_finish(&c->base, op, rows, NULL);
    return;
  }
  struct weft_error err = r->err; /* the next run has begun when finish returns */
  weft_rows_unref(rows);
  weft_conn_finish(&c->base, op, NULL, &err);
}

static void set_stopped(const struct sqlite_conn *c, enum weft_kind why, struct weft_error *err) {
  const char *text = why == WEFT_TIMEOUT  ? "the statement did not end in time"
                     : why == WEFT_CLOSED ? "the connection was closed"
                                          : "the statement was cancelled";
  weft_conn_fail(&c->base, err, why, "%s", text);
}

/* ---- waiting for other processes ---- */

static void on_timer(void *ud) {
  struct sqlite_conn *c = ud;
  c->phase = PHASE_IDLE;
  if (c->opening) try_open(c);
  else turn(c);
}

static void wait_until(struct sqlite_conn *c, int64_t at) {
  if (!c->timer) c->timer = weft_timer_new(c->base.loop, on_timer, c);
  c->phase = PHASE_WAITING;
  weft_timer_start(c->timer, at);
}

/* False when the time for waiting is over; at once where waiting cannot help: inside a transaction
   that holds a lock which the other one may be waiting for. */
static bool wait_for_lock(struct sqlite_conn *c, int64_t deadline) {
  struct sqlite_run *r = &c->run;
  bool commit = r->st && r->st->kind == KIND_COMMIT;
  if (c->db && in_transaction(c) && !commit && sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE)
    return false;
  int64_t now = weft_clock_ns();
  if (!r->busy_since) r->busy_since = now;
  int64_t limit = r->busy_since + c->config.busy_ns;
  if (deadline && deadline < limit) limit = deadline;
  if (now >= limit || c->closing) return false;
  int64_t delay = r->tries < 6 ? (int64_t)BUSY_FIRST << r->tries : BUSY_LAST;
  if (delay > BUSY_LAST) delay = BUSY_LAST;
  r->tries++;
  delay = delay / 2 + (int64_t)(weft_clock_random() % (uint64_t)(delay / 2 + 1));
  wait_until(c, now + delay < limit ? now + delay : limit);
  return true;
}

static void set_locked(struct sqlite_conn *c, struct weft_error *err) {
  int64_t now = weft_clock_ns(), deadline = c->run.op ? c->run.op->deadline : 0;
  double waited = c->run.busy_since ? (double)(now - c->run.busy_since) / 1e9 : 0;
  char code[sizeof err->code];
  memcpy(code, err->code, sizeof code);
  weft_conn_fail(&c->base, err, deadline && now >= deadline ? WEFT_TIMEOUT : WEFT_LOCK_TIMEOUT,
                 "the database is locked by another connection (waited %.1f s)", waited);
  memcpy(err->code, code, sizeof code);
}

/* ---- running ---- */

static void dispatch(struct sqlite_conn *c);

/* What follows from run.rc. */
static void settle(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  int code = r->rc & 0xff, why = stop_kind(c);
  if (code == SQLITE_INTERRUPT || (code == SQLITE_BUSY && why)) {
    if (r->guard == GUARD_MOVE && !why) {
      weft_sqlite_was_long(c);
      dispatch(c);
      return;
    }
    set_stopped(c, why ? (enum weft_kind)why : WEFT_CANCELLED, &r->err);
  } else if (code == SQLITE_BUSY && (r->rc != SQLITE_BUSY_SNAPSHOT || !r->in_tx)) {
    if (wait_for_lock(c, r->op->deadline)) {
      r->op->state = WEFT_OP_QUEUED;
      if (r->st && r->st->passing) weft_sqlite_finalize(r->st);
      r->st = NULL;
      return;
    }
    set_locked(c, &r->err);
  }
  finish(c);
}

static void job(void *ud) {
  struct sqlite_conn *c = ud;
  int64_t began = weft_clock_ns();
  if (stop_kind(c)) {
    c->run.rc = SQLITE_INTERRUPT;
    return;
  }
  weft_sqlite_execute(c);
  c->run.took = weft_clock_ns() - began;
}

static void destroy(struct sqlite_conn *c);

static void worked(void *ud, bool cancelled) {
  struct sqlite_conn *c = ud;
  c->phase = PHASE_IDLE;
  c->work = NULL;
  c->turning = true;
  if (cancelled) c->run.rc = SQLITE_INTERRUPT;
  else weft_sqlite_learn(c, true);
  settle(c);
  c->turning = false;
  if (c->closing) destroy(c);
  else turn(c);
}

static void dispatch(struct sqlite_conn *c) {
  c->run.guard = GUARD_NONE;
  c->phase = PHASE_WORKING;
  c->work = weft_loop_work(c->base.loop, job, worked, c);
}

static void run_inline(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  bool write = r->st && r->st->kind == KIND_WRITE;
  if (r->st && r->st->kind == KIND_READ && weft_loop_running(c->base.loop)) r->guard = GUARD_MOVE;
  else if (r->op->deadline) r->guard = GUARD_DEADLINE;
  int64_t began = write ? weft_clock_ns() : 0;
  weft_sqlite_execute(c);
  if (write) {
    r->took = weft_clock_ns() - began;
    weft_sqlite_learn(c, false);
  }
  settle(c);
}

/* Whether the transaction that the operation belongs to is not there any more. True: run is set to
   its end. */
static bool no_transaction(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  int kind = r->st ? r->st->kind : KIND_WRITE;
  bool failed = c->base.tx == WEFT_TX_FAILED;
  if (!failed && (!(r->op->flags & WEFT_OP_IN_TX) || r->in_tx || kind == KIND_BEGIN)) return false;
  if (kind == KIND_ROLLBACK) {
    r->rows = weft_rows_new(NULL, 0);
    r->rc = SQLITE_DONE;
    return true;
  }
  r->rc = SQLITE_ABORT;
  weft_conn_fail(&c->base, &r->err, WEFT_USAGE, failed
                     ? "the transaction has failed and was rolled back; nothing more can run in it"
                     : "the transaction did not begin");
  return true;
}

static bool wrong_count(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  uint32_t given = r->op->repeat > 1 ? r->op->plan->nslots : r->op->nparams;
  uint32_t wanted = (uint32_t)sqlite3_bind_parameter_count(r->st->stmt);
  if (given == wanted) return false;
  r->rc = SQLITE_RANGE;
  weft_conn_fail(&c->base, &r->err, WEFT_USAGE, "the statement takes %u parameters, not %u", wanted,
                 given);
  return true;
}

static bool writes_in_read_only(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  if (!(r->op->flags & WEFT_OP_READ_ONLY) || r->st->kind != KIND_WRITE) return false;
  r->rc = SQLITE_READONLY;
  weft_conn_fail(&c->base, &r->err, WEFT_UNSUPPORTED, "a read_only transaction cannot write");
  return true;
}

/* Carries run.op out, from the beginning or after a wait. */
static void attempt(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  struct weft_plan *plan = r->op->plan;
  r->in_tx = in_transaction(c);
  r->guard = GUARD_NONE;
  if (!(plan->flags & WEFT_PLAN_SCRIPT)) {
    r->rc = weft_sqlite_statement(c, plan, &r->st, &r->err);
    if (r->rc != SQLITE_OK) {
      settle(c);
      return;
    }
    if (r->st->columns != plan->columns) share_columns(r->st, plan);
    if (wrong_count(c) || writes_in_read_only(c)) {
      finish(c);
      return;
    }
  }
  if (no_transaction(c)) finish(c);
  else if (weft_sqlite_inline(c)) run_inline(c);
  else dispatch(c);
}

static void start(struct sqlite_conn *c, struct weft_op *op) {
  struct sqlite_run *r = &c->run;
  *r = (struct sqlite_run){.op = op};
  weft_error_clear(&r->err);
  if (stop_kind(c)) set_stop(c, WEFT_OK);
}

static void finish_reset(struct sqlite_conn *c);

static void go_on(struct weft_hook *hook) {
  struct sqlite_conn *c = WEFT_CONTAINER(hook, struct sqlite_conn, later);
  c->phase = PHASE_IDLE;
  turn(c);
}

/* Runs operations until one takes longer, none is left, or others should have the thread. */
static void turn(struct sqlite_conn *c) {
  if (c->turning || c->phase != PHASE_IDLE) return;
  c->turning = true;
  int64_t began = 0;
  while (c->phase == PHASE_IDLE && !weft_list_empty(&c->base.ops)) {
    struct weft_op *op = WEFT_CONTAINER(c->base.ops.next, struct weft_op, link);
    if (began && c->base.used_at - began > TURN && weft_loop_running(c->base.loop)) {
      c->phase = PHASE_YIELDED;
      c->later.run = go_on;
      weft_loop_defer(c->base.loop, &c->later);
      break;
    }
    if (op->state == WEFT_OP_QUEUED) {
      op->state = WEFT_OP_SENT;
      op->sent_at = weft_clock_ns();
    }
    if (!began) began = op->sent_at;
    if (c->run.op != op) start(c, op);
    attempt(c);
  }
  c->turning = false;
  if (c->resetting && c->phase == PHASE_IDLE) finish_reset(c);
}

static void submit(struct weft_conn *base, struct weft_op *op) {
  struct sqlite_conn *c = of(base);
  weft_conn_take(base, op);
  if (c->turning || c->phase != PHASE_IDLE) op->state = WEFT_OP_QUEUED;
  else turn(c);
}

static void flush(struct weft_conn *base) { (void)base; }

static void stop_work(struct sqlite_conn *c, enum weft_kind why) {
  if (!stop_kind(c)) set_stop(c, why);
  if (!weft_work_cancel(c->work)) sqlite3_interrupt(c->db);
}

static void abort_op(struct weft_conn *base, struct weft_op *op, enum weft_kind why) {
  struct sqlite_conn *c = of(base);
  struct weft_error err;
  if (op->conn != base) return;
  if (op != c->run.op) {
    set_stopped(c, why, &err);
    weft_conn_finish(base, op, NULL, &err);
    turn(c);
  } else if (c->phase == PHASE_WORKING) {
    stop_work(c, why);
  } else if (c->phase == PHASE_WAITING) {
    weft_timer_stop(c->timer);
    c->phase = PHASE_IDLE;
    c->run.rc = SQLITE_INTERRUPT;
    set_stopped(c, why, &c->run.err);
    c->turning = true;
    finish(c);
    c->turning = false;
    turn(c);
  }
}

/* ---- a fresh session ---- */

/* A file is opened anew, which leaves nothing of the session behind. The new handle reads first: a
   connection that closes while no other one is there would copy the whole log back. */
static bool reopen(struct sqlite_conn *c) {
  sqlite3 *db;
  struct weft_error err;
  if (weft_sqlite_open(&c->base, &c->config, &db, &err) != SQLITE_OK) return false;
  sqlite3_exec(db, "select 1 from sqlite_schema limit 1", NULL, NULL, NULL);
  weft_sqlite_forget(c);
  sqlite3_close(c->db);
  c->db = db;
  sqlite3_progress_handler(db, STEPS, progress, c);
  return true;
}

static void finish_reset(struct sqlite_conn *c) {
  bool ok = true;
  c->resetting = false;
  if (in_transaction(c)) ok = sqlite3_exec(c->db, "rollback", NULL, NULL, NULL) == SQLITE_OK;
  if (ok) ok = c->config.memory ? weft_sqlite_clean(c->db, &c->config) : reopen(c);
  c->base.tx = WEFT_TX_NONE;
  c->wrote = false;
  weft_conn_reset_done(&c->base, ok);
}

static void reset(struct weft_conn *base) {
  struct sqlite_conn *c = of(base);
  c->resetting = true;
  turn(c);
}

/* ---- opening and closing ---- */

static void close_handle(void *ud) {
  struct sqlite_conn *c = ud;
  weft_sqlite_forget(c);
  weft_statements_release(&c->statements);
  sqlite3_close(c->db);
}

static void free_conn(struct sqlite_conn *c) {
  free((char *)(uintptr_t)c->settings.label.p);
  free(c);
}

static void closed(void *ud, bool cancelled) {
  if (cancelled) close_handle(ud);
  free_conn(ud);
}

/* The last connection of a file writes its log back, with fsync: not on a running loop. */
static void destroy(struct sqlite_conn *c) {
  weft_timer_free(c->timer);
  weft_list_remove(&c->later.link);
  if (c->db && !c->config.memory && weft_loop_running(c->base.loop)) {
    weft_loop_work(c->base.loop, close_handle, closed, c);
    return;
  }
  close_handle(c);
  free_conn(c);
}

static void reap(struct weft_hook *hook) {
  destroy(WEFT_CONTAINER(hook, struct sqlite_conn, later));
}

static void try_open(struct sqlite_conn *c) {
  struct weft_error err;
  int rc = weft_sqlite_open(&c->base, &c->config, &c->db, &err);
  c->opening = (rc & 0xff) == SQLITE_BUSY && wait_for_lock(c, 0);
  if (c->opening) return;
  if (rc == SQLITE_OK) {
    sqlite3_progress_handler(c->db, STEPS, progress, c);
    weft_conn_opened(&c->base, NULL);
    return;
  }
  weft_conn_opened(&c->base, &err);
  /* Who opened it may still hold what open returned. */
  c->later.run = reap;
  weft_loop_defer(c->base.loop, &c->later);
}

static struct weft_conn *open_conn(struct weft_loop *l, const struct weft_settings *s, void *owner,
                                   void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  struct sqlite_conn *c = weft_zalloc(sizeof *c);
  weft_conn_init(&c->base, weft_driver_sqlite(), l, &c->settings, owner, on_open);
  c->config = *(const struct sqlite_config *)s->data;
  c->settings.label = weft_slice(weft_strdup(s->label), s->label.n);
  weft_statements_init(&c->statements, STATEMENTS);
  weft_arena_init(&c->scratch, NULL, 0);
  weft_list_init(&c->later.link);
  try_open(c);
  return &c->base;
}

/* A job that is under way still reads its operation's parameters: that one operation is answered
   when the job has ended, all others now. */
static void close_conn(struct weft_conn *base) {
  struct sqlite_conn *c = of(base);
  struct weft_op *op = c->phase == PHASE_WORKING ? c->run.op : NULL;
  struct weft_error err;
  if (base->state == WEFT_CONN_CLOSED) return;
  c->closing = true;
  if (op) {
    weft_list_remove(&op->link);
    base->inflight--;
    stop_work(c, WEFT_CLOSED);
  }
  set_stopped(c, WEFT_CLOSED, &err);
  if (base->inflight) weft_conn_lost(base, &err);
  base->on_open = NULL;
  base->on_ended = NULL;
  base->on_room = NULL;
  base->on_reset = NULL;
  base->on_lost = NULL;
  base->state = WEFT_CONN_CLOSED;
  if (op) {
    weft_list_push(&base->ops, &op->link);
    base->inflight++;
  } else {
    destroy(c);
  }
}

/* ---- the driver ---- */

static uint32_t max_connections(const struct weft_settings *s) {
  const struct sqlite_config *config = s->data;
  return config->memory ? 1 : 0;
}

static struct weft_slice writer_key(const struct weft_settings *s) {
  const struct sqlite_config *config = s->data;
  return config->writer;
}

static const struct weft_driver driver = {
    .abi = WEFT_DRIVER_ABI,
    .name = "sqlite",
    .dialect = &weft_dialect_sqlite,
    .caps = WEFT_DRIVER_ONE_WRITER | WEFT_DRIVER_CANCELS,
    .configure = weft_sqlite_configure,
    .max_connections = max_connections,
    .writer_key = writer_key,
    .open = open_conn,
    .submit = submit,
    .flush = flush,
    .abort = abort_op,
    .reset = reset,
    .close = close_conn,
};

__attribute__((visibility("default"))) const struct weft_driver *weft_driver_sqlite(void) {
  return &driver;
}
