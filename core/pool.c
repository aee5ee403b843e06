/* SPDX-License-Identifier: MIT */
/* Invariants:
   - An operation under the pool is either in a queue (op->conn NULL) or on a connection; op->pool
     is NULL again before its done is called. The same holds for leases and granted.
   - What a place does is its state; place_set is the only function that changes it.
   - A connection is closed only when none of its call backs is on the stack; until then its place
     is PLACE_CLOSING and counts against max.
   - The pool is freed when it is closed, has no connection and no waiter, and none of its
     functions is on the stack: user code may call back into it from anywhere. */
#include "pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "dialect.h"
#include "pool_private.h"

static struct weft_slice label(const struct weft_pool *p) { return p->settings->label; }

static bool nothing_left(const struct weft_pool *p) {
  return p->closing && p->count[PLACE_EMPTY] == p->o.max && wait_count(p) == 0;
}

void pool_leave(struct weft_pool *p) {
  if (--p->depth > 0 || !nothing_left(p)) return;
  weft_list_remove(&p->flush.link);
  weft_list_remove(&p->close.link);
  budget_leave(p);
  weft_timer_free(p->timer);
  weft_plan_unref(p->rollback);
  weft_plan_unref(p->ping);
  if (p->held) weft_loop_release(p->loop);
  free(p->place);
  free(p);
}

void pool_wants(struct weft_pool *p) {
  bool wants = p->count[PLACE_EMPTY] + p->count[PLACE_IDLE] < p->o.max || wait_count(p) > 0;
  if (wants == p->held) return;
  p->held = wants;
  if (wants) weft_loop_hold(p->loop);
  else weft_loop_release(p->loop);
}

void pool_serve(struct weft_pool *p) {
  if (p->file) writers_grant(p);
  wait_dispatch(p);
}

static void flush_dirty(struct weft_hook *hook) {
  struct weft_pool *p = WEFT_CONTAINER(hook, struct weft_pool, flush);
  pool_enter(p);
  for (struct weft_list *at; (at = weft_list_take(&p->dirty));) {
    struct place *place = WEFT_CONTAINER(at, struct place, dirty);
    if (place->conn && place->state != PLACE_CLOSING) p->driver->flush(place->conn);
  }
  pool_leave(p);
}

static struct weft_pool_options effective(const struct weft_settings *s,
                                          const struct weft_pool_options *given) {
  struct weft_pool_options o = given ? *given : (struct weft_pool_options){0};
  uint32_t most = s->driver->max_connections ? s->driver->max_connections(s) : 0;
  if (o.max == 0) o.max = POOL_MAX;
  if (o.max > POOL_LIMIT) o.max = POOL_LIMIT;
  if (most && o.max > most) o.max = most;
  if (most == 1) o.idle_ns = o.lifetime_ns = -1;
  if (o.wait_ns <= 0) o.wait_ns = 5000 * POOL_MS;
  if (o.idle_ns == 0) o.idle_ns = 60000 * POOL_MS;
  if (o.lifetime_ns == 0) o.lifetime_ns = 1800000 * POOL_MS;
  return o;
}

struct weft_pool *weft_pool_new(struct weft_loop *l, struct weft_settings *settings,
                                struct weft_writers *writers, const struct weft_pool_options *o,
                                void (*event)(void *ud, enum weft_pool_event what,
                                              const struct weft_error *err),
                                void *ud) {
  struct weft_pool *p = weft_zalloc(sizeof *p);
  const struct weft_driver *d = p->driver = settings->driver;
  p->loop = l;
  p->settings = settings;
  p->o = effective(settings, o);
  p->keep = d->max_connections && d->max_connections(settings) == 1;
  p->event = event;
  p->ud = ud;
  p->timer_at = POOL_NEVER;
  p->random = weft_clock_random() | 1;
  p->tickets = writers ? writers_tickets(writers) : &p->own_tickets;
  if (writers && (d->caps & WEFT_DRIVER_ONE_WRITER)) {
    struct weft_slice key = d->writer_key(settings);
    if (key.n > 0) p->file = writers_file(writers, key);
  }
  weft_list_init(&p->quick);
  weft_list_init(&p->alone);
  weft_list_init(&p->leases);
  weft_list_init(&p->dirty);
  weft_list_init(&p->flush.link);
  weft_list_init(&p->close.link);
  p->flush.run = flush_dirty;
  p->close.run = place_run_close;
  for (int i = 0; i < PLACE_STATES; i++) weft_list_init(&p->places[i]);
  p->place = weft_zalloc(p->o.max * sizeof *p->place);
  for (uint32_t i = 0; i < p->o.max; i++) {
    struct place *place = &p->place[i];
    place->pool = p;
    weft_list_init(&place->dirty);
    weft_list_push(&p->places[PLACE_EMPTY], &place->link);
  }
  p->count[PLACE_EMPTY] = p->o.max;
  p->timer = weft_timer_new(l, time_due, p);
  budget_join(p);
  return p;
}

void weft_pool_close(struct weft_pool *p, int64_t grace_ns) {
  struct weft_error err;
  pool_enter(p);
  p->closing = true;
  weft_fail(&err, WEFT_CLOSED, "the database is closed (%.*s)", (int)label(p).n, label(p).p);
  for (uint32_t i = 0; i < p->o.max; i++) {
    struct place *place = &p->place[i];
    if (place->state == PLACE_EMPTY) continue;
    if (grace_ns <= 0 || place->state == PLACE_IDLE || place->state == PLACE_OPENING)
      place_close(place);
  }
  wait_fail_all(p, &err, true);
  pool_serve(p); /* other pools' writers */
  if (grace_ns > 0) {
    p->grace_at = weft_loop_now(p->loop) + grace_ns;
    time_note(p, p->grace_at);
  }
  pool_leave(p);
}

void weft_pool_check(struct weft_pool *p) {
  if (p->keep || (p->driver->caps & WEFT_DRIVER_ONE_WRITER)) return; /* nobody at the other end */
  pool_enter(p);
  for (uint32_t i = 0; i < p->o.max; i++)
    if (p->place[i].state == PLACE_IDLE) place_check(&p->place[i]);
  pool_leave(p);
}

/* ---- statements ---- */

void pool_end_op(struct weft_op *op, enum weft_kind kind, const char *fmt, ...) {
  struct weft_error err;
  char text[sizeof err.message];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  weft_fail(&err, kind, "%s", text);
  op->state = WEFT_OP_DONE;
  op->pool = NULL;
  op->done(op, NULL, &err);
}

bool pool_quick(const struct weft_op *op) {
  enum { REFUSED = WEFT_PLAN_RAW | WEFT_PLAN_LOCKS | WEFT_PLAN_CONTROL | WEFT_PLAN_SCRIPT };
  const struct weft_plan *plan = op->plan;
  if ((plan->flags & (WEFT_PLAN_READ | REFUSED)) != WEFT_PLAN_READ) return false;
  return plan->flags & WEFT_PLAN_KEY
             ? plan->estimate_ns < POOL_KEY
             : plan->estimate_ns > 0 && plan->estimate_ns < POOL_SHORT;
}

static void prepare(struct weft_pool *p, struct weft_op *op) {
  op->pool = p;
  op->conn = NULL;
  op->state = WEFT_OP_NEW;
  op->why = WEFT_OK;
  op->ticket = 0;
  op->flags &= ~(uint32_t)(WEFT_OP_SHARED | WEFT_OP_WRITER | WEFT_OP_REPLAYED);
  weft_list_init(&op->link);
  if (op->deadline == 0 && p->o.statement_timeout_ns > 0)
    op->deadline = weft_loop_now(p->loop) + p->o.statement_timeout_ns;
}

/* op has what it needs but a connection. */
static void start(struct weft_pool *p, struct weft_op *op) {
  bool quick = pool_quick(op);
  bool first = quick ? p->nquick == 0 : p->nalone + p->nleases == 0;
  if (!first || !wait_place_op(p, op, quick)) wait_op(p, op, quick);
}

void pool_writer_op(struct weft_op *op) {
  struct weft_pool *p = op->pool;
  pool_enter(p);
  op->flags |= WEFT_OP_WRITER;
  start(p, op);
  pool_leave(p);
}

void weft_pool_submit(struct weft_pool *p, struct weft_op *op) {
  pool_enter(p);
  prepare(p, op);
  if (p->closing) {
    pool_end_op(op, WEFT_CLOSED, "the database is closed (%.*s)", (int)label(p).n, label(p).p);
  } else if (op->deadline && op->deadline <= weft_loop_now(p->loop)) {
    pool_end_op(op, WEFT_TIMEOUT, "the time was over before the statement began");
  } else if (p->file && !(op->plan->flags & WEFT_PLAN_READ)) {
    if (writers_take_op(p, op)) pool_writer_op(op);
  } else {
    start(p, op);
  }
  pool_leave(p);
}

void pool_flush_later(struct place *place) {
  struct weft_pool *p = place->pool;
  if (!weft_loop_running(p->loop) && !weft_loop_busy(p->loop)) {
    p->driver->flush(place->conn); /* nobody else will submit before the loop waits */
    return;
  }
  if (weft_list_empty(&place->dirty)) weft_list_push(&p->dirty, &place->dirty);
  weft_loop_at_end(p->loop, &p->flush);
}

void pool_run(struct place *place, struct weft_op *op, bool quick) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  bool shared = quick && (p->driver->caps & WEFT_DRIVER_PIPELINES);
  c->exclusive = !shared;
  if (shared) {
    op->flags |= WEFT_OP_SHARED;
    op->ticket = ++*p->tickets; /* tells who is in front of whom */
    if (place->state != PLACE_SHARED) place_set(place, PLACE_SHARED);
  } else {
    place->quick = quick;
    place->writer = op->flags & WEFT_OP_WRITER;
    place_set(place, PLACE_ALONE);
  }
  p->stats.statements++;
  if (op->deadline) time_note(p, op->deadline);
  p->driver->submit(c, op);
  if (place->conn != c || place->state == PLACE_CLOSING || c->inflight == 0) return;
  if (shared) pool_flush_later(place);
  else p->driver->flush(c);
}

/* A statement whose neighbours are gone need not be spared: from here it has its connection alone
   and may be cancelled at the server. */
static void isolate(struct place *place, struct weft_op *op) {
  struct weft_conn *c = place->conn;
  if (c->inflight != 1 || c->dropped > 0 || !(place->pool->driver->caps & WEFT_DRIVER_CANCELS))
    return;
  op->flags &= ~(uint32_t)WEFT_OP_SHARED;
  c->exclusive = true;
  place->quick = true;
  place_set(place, PLACE_ALONE);
}

static void abort_running(struct weft_op *op, enum weft_kind why) {
  struct weft_conn *c = op->conn;
  struct place *place = c->owner;
  struct weft_pool *p = place->pool;
  int64_t now = weft_loop_now(p->loop);
  if (op->why) return; /* its end is awaited already */
  op->why = why;
  if (place->state == PLACE_SHARED) isolate(place, op);
  if (place->state == PLACE_SHARED) {
    if (c->dropped == 0) place->dropped_at = op->sent_at, place->dropped = op->ticket;
    if (!place->limit_at) place->limit_at = now + POOL_STUCK;
  } else if (!place->limit_at && !p->keep) {
    place->limit_at = now + POOL_PATIENCE;
  }
  if (place->limit_at) time_note(p, place->limit_at);
  p->driver->abort(c, op, why);
}

void weft_pool_abort(struct weft_op *op, enum weft_kind why) {
  struct weft_pool *p = op->pool;
  if (!p) return;
  pool_enter(p);
  if (why == WEFT_TIMEOUT) p->stats.timeouts++;
  if (op->conn) {
    abort_running(op, why);
  } else if (op->flags & WEFT_OP_LOST) {
    if (!op->why) op->why = why;
  } else {
    wait_leave_op(op);
    if (why == WEFT_TIMEOUT)
      pool_end_op(op, why, "the time was over before a connection became free");
    else pool_end_op(op, why, "%s", weft_kind_name(why));
    pool_serve(p);
  }
  pool_leave(p);
}

/* ---- leases ---- */

void pool_end_lease(struct weft_lease *lease, const struct weft_error *err) {
  lease->waiting = false;
  lease->pool = NULL;
  lease->granted(lease, err);
}

void pool_grant(struct place *place, struct weft_lease *lease) {
  struct weft_conn *c = place->conn;
  place->lease = lease;
  place->writer = lease->writer;
  place->session = lease->kind == WEFT_LEASE_SESSION;
  place_set(place, PLACE_LEASED);
  c->exclusive = true;
  lease->conn = c;
  lease->waiting = false;
  lease->granted(lease, NULL);
}

void pool_writer_lease(struct weft_lease *lease) {
  struct weft_pool *p = lease->pool;
  pool_enter(p);
  lease->writer = true;
  if (p->nalone + p->nleases > 0 || !wait_place_lease(p, lease)) wait_lease(p, lease);
  pool_leave(p);
}

void weft_pool_lease(struct weft_pool *p, struct weft_lease *lease) {
  struct weft_error err;
  pool_enter(p);
  lease->pool = p;
  lease->conn = NULL;
  lease->ticket = 0;
  lease->waiting = true;
  lease->writer = false;
  weft_list_init(&lease->link);
  if (p->closing) {
    weft_fail(&err, WEFT_CLOSED, "the database is closed (%.*s)", (int)label(p).n, label(p).p);
    pool_end_lease(lease, &err);
  } else if (p->file && lease->kind == WEFT_LEASE_WRITE) {
    if (writers_take_lease(p, lease)) pool_writer_lease(lease);
  } else if (p->nalone + p->nleases > 0 || !wait_place_lease(p, lease)) {
    wait_lease(p, lease);
  }
  pool_leave(p);
}

void weft_lease_submit(struct weft_lease *lease, struct weft_op *op, bool flush) {
  struct weft_conn *c = lease->conn;
  struct weft_pool *p = lease->pool;
  struct place *place = c ? c->owner : NULL;
  if (!place || place->state != PLACE_LEASED) {
    pool_end_op(op, WEFT_DISCONNECT, "the connection was lost");
    return;
  }
  pool_enter(p);
  prepare(p, op);
  p->stats.statements++;
  if (op->deadline) time_note(p, op->deadline);
  p->driver->submit(c, op);
  if (place->conn == c && place->state == PLACE_LEASED && c->inflight > 0) {
    if (flush) {
      p->driver->flush(c);
    } else {
      if (weft_list_empty(&place->dirty)) weft_list_push(&p->dirty, &place->dirty);
      weft_loop_at_end(p->loop, &p->flush);
    }
  }
  pool_leave(p);
}

/* What its holder left in flight is nobody's business any more. */
static void abort_rest(struct place *place) {
  struct weft_conn *c = place->conn;
  for (struct weft_list *at = c->ops.next; at != &c->ops;) {
    struct weft_op *op = WEFT_CONTAINER(at, struct weft_op, link);
    at = at->next;
    if (op->why) continue;
    abort_running(op, WEFT_CANCELLED);
    if (place->conn != c || place->state == PLACE_CLOSING) return;
    at = c->ops.next; /* user code ran */
  }
  if (c->inflight > 0) place->pool->driver->flush(c);
}

void weft_lease_release(struct weft_lease *lease) {
  struct weft_pool *p = lease->pool;
  if (!p) return;
  pool_enter(p);
  struct weft_conn *c = lease->conn;
  lease->pool = NULL;
  lease->conn = NULL;
  if (lease->waiting) {
    lease->waiting = false;
    lease->pool = p;
    wait_leave_lease(lease);
    lease->pool = NULL;
    pool_serve(p);
  } else if (c) {
    struct place *place = c->owner;
    place->lease = NULL;
    if (place->state == PLACE_LEASED) {
      place_set(place, PLACE_CLEANING);
      abort_rest(place);
    }
    if (place->state == PLACE_CLEANING) place_clean(place);
    pool_serve(p);
  }
  pool_leave(p);
}

void weft_pool_stats(const struct weft_pool *p, struct weft_pool_stats *out) {
  *out = p->stats;
  out->max = p->o.max;
  out->opening = p->count[PLACE_OPENING];
  out->open = p->o.max - p->count[PLACE_EMPTY] - p->count[PLACE_OPENING];
  out->idle = p->count[PLACE_IDLE];
  out->leased = p->count[PLACE_LEASED];
  out->sharing = p->count[PLACE_SHARED];
  out->waiting = wait_count(p);
  out->inflight = 0;
  for (uint32_t i = 0; i < p->o.max; i++)
    if (p->place[i].conn) out->inflight += p->place[i].conn->inflight;
}
