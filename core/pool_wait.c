/* SPDX-License-Identifier: MIT */
/* Who gets which connection, and when another one is opened.

   Invariants: each queue is in order of tickets, and tickets are handed out once, so that
   statements and leases that want a connection alone are served in the order in which they came.
   Short reads (quick) have a queue of their own because they do not wait behind those. When a
   connection could serve either, the older one goes first. */
#include "pool_private.h"

static struct weft_op *first_op(struct weft_list *queue) {
  return weft_list_empty(queue) ? NULL : WEFT_CONTAINER(queue->next, struct weft_op, link);
}

static struct weft_lease *first_lease(struct weft_pool *p) {
  return weft_list_empty(&p->leases) ? NULL
                                     : WEFT_CONTAINER(p->leases.next, struct weft_lease, link);
}

static bool pipelines(const struct weft_pool *p) { return p->driver->caps & WEFT_DRIVER_PIPELINES; }

/* One connection is kept for those who share. */
static uint32_t most_taken(const struct weft_pool *p) { return p->o.max > 1 ? p->o.max - 1 : 1; }

uint32_t wait_count(const struct weft_pool *p) {
  return p->nquick + p->nalone + p->nleases + p->nwriters;
}

/* ---- queues ---- */

static void queued(struct weft_pool *p, int64_t at, int64_t deadline) {
  time_note(p, at + p->o.wait_ns);
  if (deadline) time_note(p, deadline);
  pool_wants(p);
}

/* From the tail: older tickets come back only from the writers' queue and from lost connections. */
static void insert_op(struct weft_list *queue, struct weft_op *op) {
  struct weft_list *at = queue;
  while (at->prev != queue && WEFT_CONTAINER(at->prev, struct weft_op, link)->ticket > op->ticket)
    at = at->prev;
  weft_list_insert_before(at, &op->link);
}

static void want_more(struct weft_pool *p);

void wait_op(struct weft_pool *p, struct weft_op *op, bool quick) {
  op->state = WEFT_OP_QUEUED;
  if (op->ticket == 0) {
    op->ticket = ++*p->tickets;
    op->queued_at = weft_loop_now(p->loop);
    p->stats.waited++;
  }
  /* The queue must be known from op alone. */
  if (quick) op->flags |= WEFT_OP_SHARED, p->nquick++;
  else p->nalone++;
  insert_op(quick ? &p->quick : &p->alone, op);
  queued(p, op->queued_at, op->deadline);
  want_more(p);
}

void wait_lease(struct weft_pool *p, struct weft_lease *lease) {
  struct weft_list *at = &p->leases;
  if (lease->ticket == 0) {
    lease->ticket = ++*p->tickets;
    lease->queued_at = weft_loop_now(p->loop);
    p->stats.waited++;
  }
  lease->waiting = true;
  while (at->prev != &p->leases &&
         WEFT_CONTAINER(at->prev, struct weft_lease, link)->ticket > lease->ticket)
    at = at->prev;
  weft_list_insert_before(at, &lease->link);
  p->nleases++;
  queued(p, lease->queued_at, lease->deadline);
  want_more(p);
}

static void unqueue_op(struct weft_op *op) {
  struct weft_pool *p = op->pool;
  bool at_writers = p->file && !(op->flags & WEFT_OP_WRITER) && !(op->plan->flags & WEFT_PLAN_READ);
  weft_list_remove(&op->link);
  if (at_writers) p->nwriters--;
  else if (op->flags & WEFT_OP_SHARED) p->nquick--;
  else p->nalone--;
  op->flags &= ~(uint32_t)WEFT_OP_SHARED;
}

void wait_leave_op(struct weft_op *op) {
  struct weft_pool *p = op->pool;
  bool writer = op->flags & WEFT_OP_WRITER;
  unqueue_op(op);
  op->flags &= ~(uint32_t)WEFT_OP_WRITER;
  if (writer) writers_free(p);
  pool_wants(p);
}

static bool at_writers(const struct weft_lease *lease) {
  return lease->pool->file && lease->kind == WEFT_LEASE_WRITE && !lease->writer;
}

void wait_leave_lease(struct weft_lease *lease) {
  struct weft_pool *p = lease->pool;
  bool writer = lease->writer;
  weft_list_remove(&lease->link);
  if (at_writers(lease)) p->nwriters--;
  else p->nleases--;
  lease->writer = false;
  if (writer) writers_free(p);
  pool_wants(p);
}

static void fail_ops(struct weft_pool *p, struct weft_list *queue, const struct weft_error *err) {
  struct weft_list mine;
  weft_list_init(&mine);
  for (struct weft_list *at = queue->next, *next; at != queue; at = next) {
    struct weft_op *op = WEFT_CONTAINER(at, struct weft_op, link);
    next = at->next;
    if (op->pool != p) continue;
    weft_list_remove(at);
    weft_list_push(&mine, at);
  }
  while (!weft_list_empty(&mine)) {
    struct weft_op *op = first_op(&mine);
    wait_leave_op(op);
    op->state = WEFT_OP_DONE;
    op->pool = NULL;
    op->done(op, NULL, err);
  }
}

static void fail_leases(struct weft_pool *p, struct weft_list *queue,
                        const struct weft_error *err) {
  struct weft_list mine;
  weft_list_init(&mine);
  for (struct weft_list *at = queue->next, *next; at != queue; at = next) {
    struct weft_lease *lease = WEFT_CONTAINER(at, struct weft_lease, link);
    next = at->next;
    if (lease->pool != p) continue;
    weft_list_remove(at);
    weft_list_push(&mine, at);
  }
  while (!weft_list_empty(&mine)) {
    struct weft_lease *lease = WEFT_CONTAINER(mine.next, struct weft_lease, link);
    wait_leave_lease(lease);
    pool_end_lease(lease, err);
  }
}

/* May free the place of the writer; the caller serves who waits. */
void wait_fail_all(struct weft_pool *p, const struct weft_error *err, bool writers) {
  struct weft_error why = *err;
  if (writers && p->file) { /* first: who leaves the place would hand it to them */
    fail_ops(p, writers_ops(p), &why);
    fail_leases(p, writers_leases(p), &why);
  }
  fail_ops(p, &p->quick, &why);
  fail_ops(p, &p->alone, &why);
  fail_leases(p, &p->leases, &why);
}

/* ---- choosing ---- */

static uint32_t load(const struct place *place) {
  return place->conn->inflight + place->conn->dropped;
}

static bool old(const struct place *place, int64_t now) {
  const struct weft_conn *c = place->conn;
  if (c->dropped > 0 && now - place->dropped_at > POOL_OLD) return true;
  if (weft_list_empty(&c->ops)) return false;
  return now - WEFT_CONTAINER(c->ops.next, struct weft_op, link)->sent_at > POOL_OLD;
}

/* The connection that this turn has filled last, while it has room: what joins the others there costs neither a
   system call nor a wake-up of its own. */
static struct place *filling(struct weft_pool *p) {
  if (weft_list_empty(&p->dirty)) return NULL;
  struct place *place = WEFT_CONTAINER(p->dirty.prev, struct place, dirty);
  bool open = place->conn && place->state == PLACE_SHARED && !place->draining && !place->conn->broken;
  return open && load(place) < PIPELINE_FULL && !old(place, weft_loop_now(p->loop)) ? place : NULL;
}

/* The shared connection with the fewest operations, young ones first. */
static struct place *best_shared(struct weft_pool *p, bool *good) {
  uint32_t most = p->o.max == 1 ? PIPELINE_SOLE : PIPELINE, best_load = 0;
  struct place *best = NULL;
  bool best_old = false;
  *good = false;
  if (p->count[PLACE_SHARED] == 0) return NULL;
  if ((best = filling(p))) {
    *good = true;
    return best;
  }
  int64_t now = weft_loop_now(p->loop);
  struct weft_list *list = &p->places[PLACE_SHARED];
  for (struct weft_list *at = list->next; at != list; at = at->next) {
    struct place *place = WEFT_CONTAINER(at, struct place, link);
    uint32_t n = load(place);
    bool is_old = old(place, now);
    if (place->draining || place->conn->broken || n >= most) continue;
    if (best && (is_old > best_old || (is_old == best_old && n >= best_load))) continue;
    best = place, best_load = n, best_old = is_old;
  }
  *good = best && !best_old && best_load < PIPELINE_FULL;
  return best;
}

static struct place *choose_shared(struct weft_pool *p) {
  bool good;
  struct place *best = best_shared(p, &good);
  if (good) return best;
  struct place *idle = place_idle(p);
  if (idle || !best) return idle;
  if (p->count[PLACE_EMPTY] > 0 && p->count[PLACE_OPENING] == 0 && !p->closing && !p->failures && budget_allows(p)) {
    place_open(p); /* for those to come; may be open at once */
    idle = place_idle(p);
    if (!idle) idle = best_shared(p, &good);
    return idle;
  }
  return best;
}

static struct place *choose_alone(struct weft_pool *p, bool quick) {
  return quick || p->taken < most_taken(p) ? place_idle(p) : NULL;
}

static struct place *choose(struct weft_pool *p, bool quick) {
  return quick && pipelines(p) ? choose_shared(p) : choose_alone(p, quick);
}

bool wait_place_op(struct weft_pool *p, struct weft_op *op, bool quick) {
  struct place *place = choose(p, quick);
  if (place) pool_run(place, op, quick);
  return place != NULL;
}

bool wait_place_lease(struct weft_pool *p, struct weft_lease *lease) {
  struct place *place = choose_alone(p, false);
  if (place) pool_grant(place, lease);
  return place != NULL;
}

/* ---- serving ---- */

static bool serve_op(struct weft_pool *p, struct weft_op *op) {
  bool quick = op && (op->flags & WEFT_OP_SHARED);
  struct place *place = op ? choose(p, quick) : NULL;
  if (!place) return false;
  unqueue_op(op);
  pool_wants(p);
  pool_run(place, op, quick);
  return true;
}

static bool serve_alone(struct weft_pool *p) {
  struct weft_op *op = first_op(&p->alone);
  struct weft_lease *lease = first_lease(p);
  if (!lease || (op && op->ticket < lease->ticket)) return serve_op(p, op);
  struct place *place = choose_alone(p, false);
  if (!place) return false;
  weft_list_remove(&lease->link);
  p->nleases--;
  pool_wants(p);
  pool_grant(place, lease);
  return true;
}

static bool serve_one(struct weft_pool *p) {
  struct weft_op *quick = first_op(&p->quick), *alone = first_op(&p->alone);
  struct weft_lease *lease = first_lease(p);
  uint64_t ticket = alone ? alone->ticket : UINT64_MAX;
  if (lease && lease->ticket < ticket) ticket = lease->ticket;
  if (quick && quick->ticket < ticket) return serve_op(p, quick) || serve_alone(p);
  return serve_alone(p) || serve_op(p, first_op(&p->quick));
}

/* ---- growing and draining ---- */

/* Those who want a connection alone could wait for ever while short reads come and come:
   connections that nobody else needs to share stop taking them. */
static void drain(struct weft_pool *p, uint32_t want) {
  uint32_t draining = 0, shared = p->count[PLACE_SHARED], keep = p->o.max == 1 ? 0 : 1;
  struct weft_list *list = &p->places[PLACE_SHARED];
  for (struct weft_list *at = list->next; at != list; at = at->next)
    draining += WEFT_CONTAINER(at, struct place, link)->draining;
  while (draining < want && draining + keep < shared) {
    struct place *least = NULL;
    for (struct weft_list *at = list->next; at != list; at = at->next) {
      struct place *place = WEFT_CONTAINER(at, struct place, link);
      if (!place->draining && (!least || load(place) < load(least))) least = place;
    }
    if (!least) return;
    least->draining = true;
    draining++;
  }
}

/* Connections that are being rolled back or reset, which is sooner done than connecting; those for
   whom it has taken long already are not counted. */
static uint32_t soon_free(struct weft_pool *p) {
  uint32_t n = 0;
  struct weft_list *list = &p->places[PLACE_CLEANING];
  if (p->count[PLACE_CLEANING] == 0) return 0;
  int64_t now = weft_loop_now(p->loop);
  for (struct weft_list *at = list->next; at != list; at = at->next) {
    struct place *place = WEFT_CONTAINER(at, struct place, link);
    int64_t until = place->limit_at - POOL_PATIENCE + POOL_CLEANING;
    if (!place->limit_at || until <= now) continue;
    time_note(p, until);
    n++;
  }
  return n;
}

/* Opens what the waiting ones need, within max and not before a failed attempt may be repeated. */
static void want_more(struct weft_pool *p) {
  uint32_t room = most_taken(p) > p->taken ? most_taken(p) - p->taken : 0;
  uint32_t alone = p->nalone + p->nleases < room ? p->nalone + p->nleases : room;
  uint32_t want =
      alone + (pipelines(p) ? (p->nquick + PIPELINE_FULL - 1) / PIPELINE_FULL : p->nquick);
  if (p->closing || want == 0) return;
  uint32_t soon = soon_free(p);
  want = want > soon ? want - soon : 0;
  if (p->failures > 0 && want > 0) {
    if (p->retry_at > weft_loop_now(p->loop)) {
      time_note(p, p->retry_at);
      want = 0;
    } else {
      want = 1; /* one attempt tells whether the server is back */
    }
  }
  bool was = p->dispatching, again = p->again;
  p->dispatching = true; /* what opens at once is served by the caller, not inside */
  p->again = false;
  while (p->count[PLACE_OPENING] < want && p->count[PLACE_EMPTY] > 0 && !p->again && budget_allows(p)) place_open(p);
  p->dispatching = was;
  if (p->again && !was) wait_dispatch(p);
  else p->again |= again;
  if (alone > p->count[PLACE_OPENING] && p->count[PLACE_EMPTY] == 0)
    drain(p, alone - p->count[PLACE_OPENING]);
}

void wait_dispatch(struct weft_pool *p) {
  if (p->dispatching) {
    p->again = true;
    return;
  }
  if (wait_count(p) == p->nwriters) return;
  p->dispatching = true;
  do {
    p->again = false;
    while (serve_one(p)) continue;
    want_more(p);
  } while (p->again);
  p->dispatching = false;
}
