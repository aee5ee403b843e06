/* SPDX-License-Identifier: MIT */
/* One timer for everything that is due some day: deadlines of statements, waiting, idleness,
   lifetime, attempts to connect, confirmations.

   Invariant: the timer is due no later than the earliest of these. It is set only when something
   earlier comes, never because something ended; when it fires, everything is looked at and the
   next time is found. So an operation costs one comparison. */
#include "pool_private.h"

void time_note(struct weft_pool *p, int64_t at) {
  if (at >= p->timer_at) return;
  p->timer_at = at;
  weft_timer_start(p->timer, at);
}

/* ---- waiting ---- */

static int64_t op_until(const struct weft_op *op) {
  int64_t until = op->queued_at + op->pool->o.wait_ns;
  return op->deadline && op->deadline < until ? op->deadline : until;
}

static int64_t lease_until(const struct weft_lease *lease) {
  int64_t until = lease->queued_at + lease->pool->o.wait_ns;
  return lease->deadline && lease->deadline < until ? lease->deadline : until;
}

static void waited_out(struct weft_pool *p, bool writer, struct weft_error *err) {
  double s = (double)p->o.wait_ns / 1e9;
  int n = (int)p->settings->label.n;
  const char *label = p->settings->label.p;
  if (writer)
    weft_fail(err, WEFT_POOL_TIMEOUT,
              "the writer's place of %.*s did not become free within %g s (%u waiting)", n, label,
              s, p->nwriters);
  else
    weft_fail(err, WEFT_POOL_TIMEOUT,
              "no connection to %.*s became free within %g s (max %u, %u leased, %u waiting)", n,
              label, s, p->o.max, p->count[PLACE_LEASED], wait_count(p));
  err->retryable = true;
}

static void expire_ops(struct weft_pool *p, struct weft_list *queue, int64_t now, bool writer) {
  struct weft_list mine;
  weft_list_init(&mine);
  for (struct weft_list *at = queue->next, *next; at != queue; at = next) {
    struct weft_op *op = WEFT_CONTAINER(at, struct weft_op, link);
    next = at->next;
    if (op->pool != p || op_until(op) > now) continue;
    weft_list_remove(at);
    weft_list_push(&mine, at);
  }
  while (!weft_list_empty(&mine)) {
    struct weft_op *op = WEFT_CONTAINER(mine.next, struct weft_op, link);
    if (op->deadline && op->deadline <= now) {
      weft_pool_abort(op, WEFT_TIMEOUT);
      continue;
    }
    struct weft_error err;
    waited_out(p, writer, &err);
    p->stats.timeouts++;
    wait_leave_op(op);
    op->state = WEFT_OP_DONE;
    op->pool = NULL;
    op->done(op, NULL, &err);
  }
}

static void expire_leases(struct weft_pool *p, struct weft_list *queue, int64_t now, bool writer) {
  struct weft_list mine;
  weft_list_init(&mine);
  for (struct weft_list *at = queue->next, *next; at != queue; at = next) {
    struct weft_lease *lease = WEFT_CONTAINER(at, struct weft_lease, link);
    next = at->next;
    if (lease->pool != p || lease_until(lease) > now) continue;
    weft_list_remove(at);
    weft_list_push(&mine, at);
  }
  while (!weft_list_empty(&mine)) {
    struct weft_lease *lease = WEFT_CONTAINER(mine.next, struct weft_lease, link);
    struct weft_error err;
    if (lease->deadline && lease->deadline <= now)
      weft_fail(&err, WEFT_TIMEOUT, "the time was over before a connection became free");
    else waited_out(p, writer, &err);
    p->stats.timeouts++;
    wait_leave_lease(lease);
    pool_end_lease(lease, &err);
  }
}

static void expire_waiting(struct weft_pool *p, int64_t now) {
  if (p->file) {
    expire_ops(p, writers_ops(p), now, true);
    expire_leases(p, writers_leases(p), now, true);
  }
  expire_ops(p, &p->quick, now, false);
  expire_ops(p, &p->alone, now, false);
  expire_leases(p, &p->leases, now, false);
}

/* ---- places ---- */

static void expire_running(struct place *place, int64_t now) {
  struct weft_conn *c = place->conn;
  for (struct weft_list *at = c->ops.next; at != &c->ops;) {
    struct weft_op *op = WEFT_CONTAINER(at, struct weft_op, link);
    at = at->next;
    if (!op->deadline || op->deadline > now || op->why) continue;
    weft_pool_abort(op, WEFT_TIMEOUT);
    if (place->conn != c || place->state == PLACE_CLOSING) return;
    at = c->ops.next; /* user code ran */
  }
}

/* A dropped statement still blocks those behind it: nothing has come for so long, and none of the
   living was sent before it. */
static void check_stuck(struct place *place, int64_t now) {
  struct weft_conn *c = place->conn;
  if (c->dropped == 0) {
    place->limit_at = 0;
    return;
  }
  const struct weft_op *head =
      weft_list_empty(&c->ops) ? NULL : WEFT_CONTAINER(c->ops.next, struct weft_op, link);
  int64_t since = place->limit_at - POOL_STUCK;
  if (c->used_at > since) since = c->used_at;
  if (now - since >= POOL_STUCK && (!head || head->ticket > place->dropped)) place_close(place);
  else place->limit_at = since + POOL_STUCK > now ? since + POOL_STUCK : now + POOL_STUCK;
}

static void look_at(struct place *place, int64_t now) {
  const struct weft_pool *p = place->pool;
  switch (place->state) {
  case PLACE_OPENING:
    if (!place->limit_at || place->limit_at > now) break;
    if (place->conn) place_overdue(place);
    else place->limit_at = 0;
    break;
  case PLACE_IDLE:
    if (place->expires_at <= now ||
        (p->o.idle_ns > 0 && place->conn->used_at + p->o.idle_ns <= now))
      place_close(place);
    break;
  case PLACE_SHARED:
  case PLACE_ALONE:
  case PLACE_LEASED:
  case PLACE_CLEANING:
    expire_running(place, now);
    if (!place->limit_at || place->limit_at > now) break;
    if (place->state == PLACE_SHARED) check_stuck(place, now);
    else if (place->state != PLACE_IDLE) place_close(place);
    break;
  default:
    break;
  }
}

/* ---- the next time ---- */

static int64_t sooner(int64_t a, int64_t b) { return b && b < a ? b : a; }

static int64_t next_of_place(const struct place *place) {
  const struct weft_pool *p = place->pool;
  int64_t at = POOL_NEVER;
  if (place->state == PLACE_EMPTY || place->state == PLACE_CLOSING) return at;
  at = sooner(at, place->limit_at);
  if (place->state == PLACE_OPENING) return at;
  if (place->state == PLACE_IDLE) {
    at = sooner(at, place->expires_at);
    return p->o.idle_ns > 0 ? sooner(at, place->conn->used_at + p->o.idle_ns) : at;
  }
  const struct weft_list *ops = &place->conn->ops;
  for (const struct weft_list *op = ops->next; op != ops; op = op->next) {
    const struct weft_op *o = WEFT_CONTAINER(op, struct weft_op, link);
    if (!o->why) at = sooner(at, o->deadline);
  }
  return at;
}

static int64_t next_of_ops(const struct weft_pool *p, const struct weft_list *queue, int64_t at) {
  for (const struct weft_list *l = queue->next; l != queue; l = l->next) {
    const struct weft_op *op = WEFT_CONTAINER(l, struct weft_op, link);
    if (op->pool == p) at = sooner(at, op_until(op));
  }
  return at;
}

static int64_t next_of_leases(const struct weft_pool *p, const struct weft_list *queue,
                              int64_t at) {
  for (const struct weft_list *l = queue->next; l != queue; l = l->next) {
    const struct weft_lease *lease = WEFT_CONTAINER(l, struct weft_lease, link);
    if (lease->pool == p) at = sooner(at, lease_until(lease));
  }
  return at;
}

static int64_t next_time(struct weft_pool *p, int64_t now) {
  int64_t at = sooner(POOL_NEVER, p->grace_at);
  for (uint32_t i = 0; i < p->o.max; i++) at = sooner(at, next_of_place(&p->place[i]));
  at = next_of_ops(p, &p->quick, at);
  at = next_of_ops(p, &p->alone, at);
  at = next_of_leases(p, &p->leases, at);
  if (p->file) {
    at = next_of_ops(p, writers_ops(p), at);
    at = next_of_leases(p, writers_leases(p), at);
  }
  /* When an attempt was due and none was made, nobody wants one. */
  return wait_count(p) > 0 && p->retry_at > now ? sooner(at, p->retry_at) : at;
}

void time_due(void *pool) {
  struct weft_pool *p = pool;
  int64_t now = weft_loop_now(p->loop);
  pool_enter(p);
  p->timer_at = POOL_NEVER;
  for (uint32_t i = 0; i < p->o.max; i++) look_at(&p->place[i], now);
  expire_waiting(p, now);
  if (p->grace_at && p->grace_at <= now) {
    p->grace_at = 0;
    for (uint32_t i = 0; i < p->o.max; i++) place_close(&p->place[i]);
  }
  pool_serve(p);
  time_note(p, next_time(p, now));
  pool_leave(p);
}
