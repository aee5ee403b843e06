/* SPDX-License-Identifier: MIT */
/* Receiving. Answers are matched to flights in order. An operation ends at its sync point (in plain
   mode at the end of its answer), when the state of the transaction is known.

   Starters run inside weft_conn_finish and may submit, flush and abort on this connection; the loop
   in weft_pg_receive therefore holds no flight across it. */
#include <stdlib.h>
#include <strings.h>

#include "postgres.h"

enum { SOLO = 64 };
static const int64_t SLOW_GROUP = 2000000;

static void lose(struct weft_pg_conn *c, const char *why) {
  struct weft_error err;
  if (why) weft_conn_fail(&c->base, &err, WEFT_DISCONNECT, "%s", why);
  else weft_pg_fail_lost(c, &err);
  weft_pg_lost(c, &err);
}

struct weft_pg_flight *weft_pg_current(struct weft_pg_conn *c) {
  for (struct weft_list *at = c->flights.next; at != &c->flights; at = at->next) {
    struct weft_pg_flight *f = WEFT_CONTAINER(at, struct weft_pg_flight, link);
    if (f->left) return f;
  }
  return NULL;
}

static void set_error(struct weft_pg_flight *f, const struct weft_error *err) {
  if (f->err) return; /* the first one counts */
  f->err = weft_alloc(sizeof *f->err);
  *f->err = *err;
}

/* ---- failed answers ---- */
/* The statement is unknown, known already, or its table has changed: none of these has run. */
static bool is_stale(const struct weft_error *err, const PGresult *res) {
  if (strcmp(err->code, "26000") == 0 || strcmp(err->code, "42P05") == 0) return true;
  const char *where = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
  return strcmp(err->code, "0A000") == 0 && where && strcmp(where, "RevalidateCachedQuery") == 0;
}

static void forget_statement(struct weft_pg_conn *c, const struct weft_pg_flight *f,
                             bool deallocate) {
  if (f->serial) weft_pg_forget(c, weft_pg_statement(c, f->plan, f->serial), deallocate);
}

static void failed_answer(struct weft_pg_conn *c, struct weft_pg_flight *f, const PGresult *res) {
  struct weft_error err;
  if (PQstatus(c->pg) == CONNECTION_BAD && !*PQresultErrorMessage(res)) {
    lose(c, NULL);
    return;
  }
  weft_pg_fail(&err, res, f->op, f->script);
  if (PQstatus(c->pg) == CONNECTION_BAD || weft_pg_is_fatal(res)) {
    weft_error_clear(&c->fatal);
    c->fatal = err;
    c->fatal.kind = WEFT_DISCONNECT;
    lose(c, NULL);
    return;
  }
  if (f->parse) {
    forget_statement(c, f, false);
  } else if (f->serial && is_stale(&err, res)) {
    f->stale = true;
    /* Whoever took the statement away, a pooler most likely, may do more than that. */
    if (strcmp(err.code, "26000") == 0) c->pooled = true;
    forget_statement(c, f, strcmp(err.code, "0A000") == 0);
  }
  if (!c->group_failed) c->group = err;
  c->group_failed = true;
  set_error(f, &err);
}

/* Not run because something before it in its group failed. */
static void skipped_answer(struct weft_pg_conn *c, struct weft_pg_flight *f) {
  if (f->parse) forget_statement(c, f, false);
  f->skipped = true;
  set_error(f, &c->group);
}

/* ---- good answers ---- */
static struct weft_pg_shape *shape_of(struct weft_pg_conn *c, struct weft_pg_flight *f,
                                      const PGresult *res) {
  if (f->shape) return f->shape;
  f->shape = weft_pg_learn(f->op->plan, res);
  struct weft_pg_statement *st = f->serial ? weft_pg_statement(c, f->plan, f->serial) : NULL;
  if (st && !st->shape) st->shape = weft_pg_shape_ref(f->shape);
  return f->shape;
}

static void take_rows(struct weft_pg_conn *c, struct weft_pg_flight *f, const PGresult *res) {
  struct weft_error err;
  if (PQresultMemorySize(res) > WEFT_PG_GREAT) c->base.broken = true;
  switch (weft_pg_rows(shape_of(c, f, res), res, &f->rows, &err)) {
  case 0:
    return;
  case 1:
    if (!(f->op->plan->flags & WEFT_PLAN_RAW) && !f->retried) {
      f->undecodable = true;
      return;
    }
    weft_fail(&err, WEFT_TYPE, "the columns of the result have changed; run it again");
    break;
  default:
    break;
  }
  set_error(f, &err);
}

static bool is_commit(const struct weft_plan *p) {
  return p->sql.n >= 3 &&
         (strncasecmp(p->sql.p, "com", 3) == 0 || strncasecmp(p->sql.p, "end", 3) == 0);
}

static void take_tag(struct weft_pg_flight *f, PGresult *res) {
  struct weft_error err;
  const struct weft_plan *p = f->op->plan;
  if ((p->flags & WEFT_PLAN_CONTROL) && strcmp(PQcmdStatus(res), "ROLLBACK") == 0 && is_commit(p)) {
    weft_fail(&err, WEFT_USAGE, "the transaction had failed before: it was rolled back");
    memcpy(err.code, "25P02", 6);
    set_error(f, &err);
    return;
  }
  weft_rows_unref(f->rows);
  f->rows = weft_pg_no_rows(res);
}

static void good_answer(struct weft_pg_conn *c, struct weft_pg_flight *f, PGresult *res) {
  if (f->parse || !f->op) return;
  if (PQresultStatus(res) == PGRES_TUPLES_OK && !f->script) take_rows(c, f, res);
  else take_tag(f, res);
}

/* ---- COPY, which is not supported: its protocol is ended properly ---- */
static void refuse_copy(struct weft_pg_conn *c, struct weft_pg_flight *f, ExecStatusType status) {
  struct weft_error err;
  weft_fail(&err, WEFT_UNSUPPORTED, "COPY from stdin and to stdout are not supported");
  set_error(f, &err);
  if (c->pipeline) lose(c, "COPY inside a pipeline ended the connection");
  else if (status == PGRES_COPY_OUT) c->copying = true;
  else PQputCopyEnd(c->pg, "not supported");
}

/* false: more is to come. */
static bool drain_copy(struct weft_pg_conn *c) {
  char *row;
  int n;
  while ((n = PQgetCopyData(c->pg, &row, 1)) > 0) PQfreemem(row);
  if (n == 0) return false;
  c->copying = false;
  return true;
}

/* ---- ends ---- */
static void update_tx(struct weft_pg_conn *c) {
  switch (PQtransactionStatus(c->pg)) {
  case PQTRANS_IDLE:
    c->base.tx = WEFT_TX_NONE;
    break;
  case PQTRANS_INTRANS:
    c->base.tx = WEFT_TX_OPEN;
    break;
  case PQTRANS_INERROR:
    c->base.tx = WEFT_TX_FAILED;
    break;
  default:
    break; /* more is in flight: the end of that will tell */
  }
}

static void chore_done(struct weft_pg_conn *c, const struct weft_pg_flight *f) {
  bool ok = f->err == NULL;
  switch (f->kind) {
  case WEFT_PG_ROLLBACK:
    c->rolling_back = false;
    return;
  case WEFT_PG_DISCARD:
    c->discarding = false;
    weft_pg_forget_all(c);
    weft_pg_look_at_session(c);
    break;
  case WEFT_PG_SETTLE:
    c->settling = false;
    break;
  default:
    return;
  }
  if (ok && c->settling) return;
  if (c->base.state == WEFT_CONN_OPENING) {
    if (ok) weft_pg_opened(c);
    else weft_pg_fail_open(c, f->err);
  } else if (c->resetting) {
    c->resetting = c->settling = false;
    weft_conn_reset_done(&c->base, ok);
  }
}

/* Has the operation not run, though nothing is wrong with it? */
static bool runs_again(const struct weft_pg_conn *c, const struct weft_pg_flight *f) {
  const struct weft_op *op = f->op;
  if (f->undecodable) return true; /* a read */
  if (f->why || !f->err || (op->plan->flags & WEFT_PLAN_CONTROL)) return false;
  if ((op->flags & WEFT_OP_IN_TX) || c->base.tx != WEFT_TX_NONE) return false;
  if (f->skipped && (op->flags & WEFT_OP_SHARED) && (op->plan->flags & WEFT_PLAN_READ)) return true;
  if (f->maybe_hit && strcmp(f->err->code, "57014") == 0) return true;
  return f->stale && (!f->retried || c->pooled);
}

static void finish(struct weft_pg_conn *c, struct weft_pg_flight *f) {
  struct weft_op *op = f->op;
  struct weft_error *err = f->err;
  struct weft_rows *rows = f->rows;
  if (err && f->why && (f->stale || f->skipped || strcmp(err->code, "57014") == 0))
    weft_pg_why(err, f->why); /* it did not run to its end */
  if (err) weft_rows_unref(rows), rows = NULL;
  else if (!rows) rows = weft_rows_new(NULL, 0);
  f->err = NULL;
  f->rows = NULL;
  weft_pg_recycle(c, f);
  op->driver_data = NULL;
  weft_conn_finish(&c->base, op, rows, err);
  free(err);
}

static void settle(struct weft_pg_conn *c, struct weft_pg_flight *f) {
  weft_list_remove(&f->link);
  weft_pg_cancel_over(c, f);
  if (f->kind != WEFT_PG_OPERATION) {
    chore_done(c, f);
    weft_pg_recycle(c, f);
  } else if (!f->op) {
    bool dropped = f->dropped;
    weft_pg_recycle(c, f);
    if (dropped) weft_conn_drained(&c->base);
  } else if (runs_again(c, f)) {
    struct weft_op *op = f->op;
    weft_pg_recycle(c, f);
    weft_pg_hold_again(c, op);
  } else {
    finish(c, f);
  }
}

/* The time of a group is shared out evenly, as nobody knows better: conn.c counts from used_at. A
   slow one may hold a statement that is not short; apart they will show which. */
static int64_t share_of_group(struct weft_pg_conn *c) {
  int64_t now = weft_loop_clock(c->base.loop), from = c->base.used_at, n = 0;
  for (struct weft_list *at = c->flights.next; at != &c->flights; at = at->next) {
    const struct weft_pg_flight *f = WEFT_CONTAINER(at, struct weft_pg_flight, link);
    if (f->op && f->op->sent_at > from && n == 0) from = f->op->sent_at;
    n++;
    if (f->sync) break;
  }
  if (n < 2) return 0;
  int64_t spent = now - from - c->base.rtt;
  if (spent > SLOW_GROUP && !c->pooled) c->solo = SOLO;
  return spent > n ? spent / n : 1;
}

static void group_ends(struct weft_pg_conn *c) {
  int64_t share = share_of_group(c);
  c->group_failed = false;
  update_tx(c);
  for (bool last = false; !last && !c->lost;) {
    if (weft_list_empty(&c->flights)) {
      lose(c, "the server sent a sync point too many");
      return;
    }
    struct weft_pg_flight *f = WEFT_CONTAINER(c->flights.next, struct weft_pg_flight, link);
    if (f->left) {
      lose(c, "the server left an answer out");
      return;
    }
    last = f->sync;
    if (share) c->base.used_at = weft_loop_clock(c->base.loop) - share;
    settle(c, f);
  }
}

/* No result: in plain mode the answer's end. */
static void silence(struct weft_pg_conn *c) {
  struct weft_pg_flight *f = WEFT_CONTAINER(c->flights.next, struct weft_pg_flight, link);
  if (PQstatus(c->pg) == CONNECTION_BAD) {
    lose(c, NULL);
  } else if (c->pipeline) {
    if (++c->silent > 4) lose(c, "the server and its client library disagree");
  } else {
    f->left = 0;
    if (weft_pg_cancel_waits(c)) return;
    c->group_failed = false;
    update_tx(c);
    settle(c, f);
  }
}

static void answer(struct weft_pg_conn *c, PGresult *res) {
  ExecStatusType status = PQresultStatus(res);
  c->silent = 0;
  if (status == PGRES_PIPELINE_SYNC) {
    group_ends(c);
    return;
  }
  struct weft_pg_flight *f = weft_pg_current(c);
  if (!f) {
    lose(c, "the server sent an answer too many");
    return;
  }
  switch (status) {
  case PGRES_COPY_IN:
  case PGRES_COPY_OUT:
  case PGRES_COPY_BOTH:
    refuse_copy(c, f, status);
    return;
  case PGRES_BAD_RESPONSE:
  case PGRES_FATAL_ERROR:
    failed_answer(c, f, res);
    break;
  case PGRES_PIPELINE_ABORTED:
    skipped_answer(c, f);
    break;
  default:
    good_answer(c, f, res);
  }
  if (c->lost || f->script) return;
  f->parse = false;
  f->left--;
}

void weft_pg_receive(struct weft_pg_conn *c) {
  while (!c->lost && !weft_list_empty(&c->flights)) {
    if (c->copying && !drain_copy(c)) break;
    if (PQisBusy(c->pg) || weft_pg_cancel_waits(c)) break;
    PGresult *res = PQgetResult(c->pg);
    if (res) answer(c, res);
    else silence(c);
    PQclear(res);
  }
  if (c->lost) return;
  weft_pg_maybe_cancel(c); /* before anything more is sent */
  weft_pg_pump(c);
}

/* An idle connection's end comes behind the server's last words, which are a notice. */
bool weft_pg_alive(struct weft_conn *base) {
  PGconn *pg = weft_pg_of(base)->pg;
  if (!PQconsumeInput(pg)) return false;
  PQisBusy(pg); /* reads notices */
  return PQconsumeInput(pg);
}

void weft_pg_ready(void *ud, int events) {
  struct weft_pg_conn *c = ud;
  bool idle = weft_list_empty(&c->flights);
  if ((events & WEFT_READABLE) && !(idle ? weft_pg_alive(&c->base) : PQconsumeInput(c->pg))) {
    lose(c, NULL);
    return;
  }
  /* An error on the socket paused the watch; if it was none for libpq, the end is still to be seen.
   */
  bool paused = events & WEFT_WRITABLE && !(c->events & WEFT_WRITABLE);
  if (idle) PQisBusy(c->pg); /* reads notices */
  weft_pg_receive(c);
  if (c->lost || !c->watch) return;
  if (paused) weft_watch_events(c->watch, c->events);
  for (PGnotify *n; (n = PQnotifies(c->pg));) PQfreemem(n);
}
