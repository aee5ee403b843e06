/* SPDX-License-Identifier: MIT */
/* Invariants:
   - op->conn == c exactly while op is linked in c->ops; c->inflight is the length of that list.
   - done is called once per operation, after it was unlinked: its memory may be gone when it
     returns.
   - calls > 0 while a call back of this file is on the stack; whoever wants to close the
     connection then puts it off (pool.c), so that drivers may touch it after every function of
     this file. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "driver.h"

enum { HICCUP_NS = 2 * 1000 * 1000 };

void weft_conn_init(struct weft_conn *c, const struct weft_driver *d, struct weft_loop *l,
                    const struct weft_settings *s, void *owner,
                    void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  *c =
      (struct weft_conn){.driver = d, .loop = l, .settings = s, .owner = owner, .on_open = on_open};
  c->opened_at = weft_loop_clock(l);
  weft_list_init(&c->ops);
  weft_list_init(&c->link);
}

void weft_conn_opened(struct weft_conn *c, const struct weft_error *err) {
  int64_t now = weft_loop_clock(c->loop);
  if (c->state != WEFT_CONN_OPENING) return; /* closed meanwhile: nobody waits for the news */
  c->state = err ? WEFT_CONN_CLOSED : WEFT_CONN_READY;
  /* Opening took at least one round trip; operations correct the estimate downwards. */
  c->rtt = now - c->opened_at;
  c->opened_at = c->used_at = now;
  c->calls++;
  if (c->on_open) c->on_open(c, err);
  c->calls--;
}

void weft_conn_take(struct weft_conn *c, struct weft_op *op) {
  weft_list_remove(&op->link);
  weft_list_push(&c->ops, &op->link);
  c->inflight++;
  op->conn = c;
  op->state = WEFT_OP_SENT;
  op->sent_at = weft_loop_clock(c->loop);
}

static void unlink_op(struct weft_conn *c, struct weft_op *op) {
  weft_list_remove(&op->link);
  c->inflight--;
  op->conn = NULL;
}

/* The time at the database: since it was sent, without the way there and back, but not before the
   operation in front of it ended. */
static void measure(struct weft_conn *c, const struct weft_op *op, int64_t now) {
  int64_t whole = now - op->sent_at, behind = now - c->used_at, rtt = 0;
  if (c->driver->caps & WEFT_DRIVER_PIPELINES) {
    if (c->used_at <= op->sent_at && whole < c->rtt) c->rtt = whole;
    rtt = c->rtt;
  }
  int64_t spent = whole - rtt < behind ? whole - rtt : behind;
  /* One hiccup of a busy machine is no reason to call a short statement long; several runs are. */
  int64_t most = 8 * op->plan->estimate_ns + HICCUP_NS;
  if (op->plan->runs > 0 && op->why != WEFT_TIMEOUT && spent > most) spent = most;
  weft_plan_measured(op->plan, spent > 0 ? spent : 1);
}

static void end_op(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  op->state = WEFT_OP_DONE;
  op->pool = NULL;
  op->done(op, rows, err);
}

static void room(struct weft_conn *c) {
  if (c->on_room) c->on_room(c);
  c->calls--;
}

/* Who goes on in done with another statement must find the connection idle, but whoever waited is
   not served before done: short statements would nest. */
static void ended(struct weft_conn *c) {
  c->calls++;
  if (c->on_ended) c->on_ended(c);
}

void weft_conn_finish(struct weft_conn *c, struct weft_op *op, struct weft_rows *rows,
                      const struct weft_error *err) {
  int64_t now = weft_loop_clock(c->loop);
  if (rows && rows->columns && !rows->columns->presented)
    weft_plan_present(op->plan, rows->columns);
  if (!err || op->why == WEFT_TIMEOUT) measure(c, op, now); /* at least so long */
  c->used_at = now;
  unlink_op(c, op);
  ended(c);
  end_op(op, rows, err);
  room(c);
}

void weft_conn_drop(struct weft_conn *c, struct weft_op *op, const struct weft_error *err) {
  if (op->why == WEFT_TIMEOUT) measure(c, op, weft_loop_clock(c->loop));
  unlink_op(c, op);
  c->dropped++;
  c->calls++;
  end_op(op, NULL, err);
  c->calls--;
}

void weft_conn_drained(struct weft_conn *c) {
  c->dropped--;
  c->used_at = weft_loop_clock(c->loop);
  ended(c);
  room(c);
}

void weft_conn_reset_done(struct weft_conn *c, bool ok) {
  c->calls++;
  if (c->on_reset) c->on_reset(c, ok);
  c->calls--;
}

/* ---- loss ---- */

static bool replayable(const struct weft_conn *c, const struct weft_op *op) {
  return c->on_lost && (op->plan->flags & (WEFT_PLAN_READ | WEFT_PLAN_RAW)) == WEFT_PLAN_READ &&
         !(op->flags & (WEFT_OP_REPLAYED | WEFT_OP_IN_TX));
}

static bool is_commit(const struct weft_plan *p) {
  return (p->flags & WEFT_PLAN_CONTROL) && p->sql.n >= 3 &&
         (strncasecmp(p->sql.p, "com", 3) == 0 || strncasecmp(p->sql.p, "end", 3) == 0);
}

static void fail_lost(struct weft_op *op, const struct weft_error *why) {
  struct weft_error err = *why;
  bool in_tx = op->flags & WEFT_OP_IN_TX;
  if (op->why) /* what its starter asked for; the loss came on top */
    weft_fail(&err, op->why, "%s before the statement's end was known (%s)",
              op->why == WEFT_TIMEOUT ? "the time was over" : "cancelled", why->message);
  bool effect = in_tx ? is_commit(op->plan) : !(op->plan->flags & WEFT_PLAN_READ);
  err.outcome_unknown = effect && op->state != WEFT_OP_QUEUED;
  err.retryable = !in_tx && !err.outcome_unknown;
  end_op(op, NULL, &err);
}

void weft_conn_lost(struct weft_conn *c, const struct weft_error *err) {
  struct weft_list replay, failed;
  struct weft_error why = *err; /* it may live in the connection */
  weft_list_init(&replay);
  weft_list_init(&failed);
  if (c->state == WEFT_CONN_READY) c->state = WEFT_CONN_CLOSING;
  c->broken = true;
  for (struct weft_list *at; (at = c->ops.next) != &c->ops;) {
    struct weft_op *op = WEFT_CONTAINER(at, struct weft_op, link);
    unlink_op(c, op);
    op->flags |= WEFT_OP_LOST;
    weft_list_push(replayable(c, op) ? &replay : &failed, &op->link);
  }
  c->calls++;
  /* The owner goes first: the starters of failed ones must not meet a dead connection. */
  if (c->on_lost) c->on_lost(c, &replay, &why);
  for (struct weft_list *at; (at = weft_list_take(&failed));)
    fail_lost(WEFT_CONTAINER(at, struct weft_op, link), &why);
  c->calls--;
}

int weft_conn_fail(const struct weft_conn *c, struct weft_error *err, enum weft_kind kind,
                   const char *fmt, ...) {
  char text[sizeof err->message];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  struct weft_slice label = c->settings ? c->settings->label : weft_slice(NULL, 0);
  if (label.n == 0) return weft_fail(err, kind, "%s", text);
  return weft_fail(err, kind, "%s (%.*s)", text, (int)label.n, label.p);
}

/* ---- prepared statements ---- */

void weft_statements_init(struct weft_statements *s, uint32_t limit) {
  weft_map_init(&s->map);
  weft_list_init(&s->lru);
  s->count = 0;
  s->limit = limit;
}

struct weft_statement *weft_statements_get(struct weft_statements *s, uint64_t plan) {
  struct weft_list *last = s->lru.prev;
  if (last != &s->lru) { /* the same statement again needs no look-up */
    struct weft_statement *st = WEFT_CONTAINER(last, struct weft_statement, link);
    if (st->plan == plan) return st;
  }
  struct weft_statement *st = weft_map_get_int(&s->map, plan);
  if (!st) return NULL;
  weft_list_remove(&st->link);
  weft_list_push(&s->lru, &st->link);
  return st;
}

struct weft_statement *weft_statements_add(struct weft_statements *s, struct weft_statement *st,
                                           uint64_t plan) {
  st->plan = plan;
  weft_list_init(&st->link);
  weft_list_push(&s->lru, &st->link);
  weft_map_set_int(&s->map, plan, st);
  s->count++;
  if (s->count <= s->limit) return NULL;
  struct weft_statement *oldest = WEFT_CONTAINER(s->lru.next, struct weft_statement, link);
  weft_statements_remove(s, oldest);
  return oldest;
}

void weft_statements_remove(struct weft_statements *s, struct weft_statement *st) {
  weft_map_remove_int(&s->map, st->plan);
  weft_list_remove(&st->link);
  s->count--;
}

void weft_statements_release(struct weft_statements *s) {
  weft_map_release(&s->map);
  weft_list_init(&s->lru);
  s->count = 0;
}
