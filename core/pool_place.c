/* SPDX-License-Identifier: MIT */
/* Places for connections: opening with backoff, the way from one use to the next, closing.

   A connection becomes idle only through place_clean (or when a pipeline has run dry), which lets
   nothing pass that is inside a transaction, has answers unread or a session to reset. */
#include <stdlib.h>

#include "dialect.h"
#include "pool_private.h"

enum { BACKOFF_MS = 50, BACKOFF_MAX_MS = 5000, IDLE_CHECK_MS = 5 };

static long live; /* for weft_pool_live */

long weft_pool_live(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

static void count_live(long n) { __atomic_fetch_add(&live, n, __ATOMIC_RELAXED); }

/* Is this a use that the reserve for short reads is kept from? */
static bool takes(const struct place *place) {
  return place->state == PLACE_LEASED || place->state == PLACE_CLEANING ||
         (place->state == PLACE_ALONE && !place->quick);
}

void place_set(struct place *place, enum place_state state) {
  struct weft_pool *p = place->pool;
  p->taken -= takes(place);
  budget_count(p, (place->state == PLACE_EMPTY) - (state == PLACE_EMPTY));
  p->count[place->state]--;
  weft_list_remove(&place->link);
  place->state = (uint8_t)state;
  p->count[state]++;
  p->taken += takes(place);
  if (state == PLACE_IDLE) weft_list_push_front(&p->places[state], &place->link);
  else weft_list_push(&p->places[state], &place->link);
  pool_wants(p);
}

/* xorshift64*: jitter needs no better. The result is below n. */
static uint64_t random_below(struct weft_pool *p, uint64_t n) {
  p->random ^= p->random >> 12;
  p->random ^= p->random << 25;
  p->random ^= p->random >> 27;
  return n ? (p->random * UINT64_C(2685821657736338717) >> 11) % n : 0;
}

static void tell(struct weft_pool *p, enum weft_pool_event what, const struct weft_error *err) {
  if (p->event) p->event(p->ud, what, err);
}

/* ---- opening ---- */

static void connect_failed(struct weft_pool *p, const struct weft_error *why) {
  struct weft_error err = *why; /* it may live in the connection that goes now */
  uint32_t doublings = p->failures < 7 ? p->failures : 7;
  int64_t most = (int64_t)BACKOFF_MS << doublings;
  if (most > BACKOFF_MAX_MS) most = BACKOFF_MAX_MS;
  if (p->closing) return;
  p->failures++;
  p->stats.failed++;
  p->retry_at = weft_loop_now(p->loop) + (int64_t)random_below(p, (uint64_t)(most * POOL_MS)) + 1;
  if (err.kind == WEFT_CONNECT) err.retryable = true;
  tell(p, WEFT_POOL_CONNECT, &err);
  bool others = p->count[PLACE_EMPTY] + p->count[PLACE_CLOSING] < p->o.max;
  if (!others) wait_fail_all(p, &err, false);
  pool_serve(p);
}

static void make_idle(struct place *place);

static void opened(struct weft_conn *c, const struct weft_error *err) {
  struct place *place = c->owner;
  struct weft_pool *p = place->pool;
  pool_enter(p);
  place->limit_at = 0;
  if (err) {
    place->conn = NULL;
    place_set(place, PLACE_EMPTY);
    connect_failed(p, err);
  } else {
    place->conn = c;
    c->on_ended = place_ended;
    c->on_room = place_room;
    c->on_reset = place_reset;
    c->on_lost = place_lost;
    p->failures = 0;
    p->retry_at = 0;
    p->stats.opened++;
    count_live(1);
    place->expires_at = POOL_NEVER;
    if (p->o.lifetime_ns > 0) { /* 90 to 110 % */
      uint64_t tenth = (uint64_t)p->o.lifetime_ns / 10;
      place->expires_at = c->opened_at + p->o.lifetime_ns - (int64_t)tenth +
                          (int64_t)random_below(p, 2 * tenth + 1);
      time_note(p, place->expires_at);
    }
    tell(p, WEFT_POOL_CONNECT, NULL);
    make_idle(place);
    pool_serve(p);
  }
  pool_leave(p);
}

void place_open(struct weft_pool *p) {
  struct place *place = WEFT_CONTAINER(p->places[PLACE_EMPTY].next, struct place, link);
  uint64_t opening = ++place->opening;
  int64_t now = weft_loop_now(p->loop);
  place->conn = NULL;
  p->retry_at = 0;
  place->limit_at = now + (p->o.wait_ns > POOL_PATIENCE ? p->o.wait_ns : POOL_PATIENCE);
  time_note(p, place->limit_at);
  place_set(place, PLACE_OPENING);
  struct weft_conn *c = p->driver->open(p->loop, p->settings, place, opened);
  /* It may have ended inside, and the place may even be in use for another attempt. */
  if (place->state == PLACE_OPENING && place->opening == opening) place->conn = c;
}

void place_overdue(struct place *place) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  struct weft_error err;
  weft_fail(
      &err, WEFT_CONNECT, "cannot connect to %.*s: no answer within %d s",
      (int)p->settings->label.n, p->settings->label.p,
      (int)((p->o.wait_ns > POOL_PATIENCE ? p->o.wait_ns : POOL_PATIENCE) / (1000 * POOL_MS)));
  place->conn = NULL;
  place->limit_at = 0;
  p->driver->close(c);
  place_set(place, PLACE_EMPTY);
  connect_failed(p, &err);
}

/* ---- between two uses ---- */

static void give_up_writer(struct place *place) {
  if (place->writer) writers_free(place->pool);
  place->writer = false;
}

static void make_idle(struct place *place) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  place->limit_at = place->dropped_at = 0;
  place->draining = place->session = false;
  c->exclusive = false;
  if (c->broken || p->closing || c->used_at >= place->expires_at) {
    place_close(place);
    return;
  }
  place_set(place, PLACE_IDLE);
  place->quick = false; /* not before: it says how the old state was counted */
  if (p->o.idle_ns > 0) time_note(p, c->used_at + p->o.idle_ns);
  give_up_writer(place);
}

/* After a use: it may be another pool's turn. */
static void rest(struct place *place) {
  if (budget_owes(place->pool)) place_close(place);
  else make_idle(place);
}

/* A statement of the pool's own. Outlives its place when the driver is still busy with it while the
   connection is closed. */
struct chore {
  struct weft_op op;
  struct weft_plan *plan;
  struct place *place;
};

static void chore_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct chore *r = WEFT_CONTAINER(op, struct chore, op);
  struct place *place = r->place;
  bool failed = err != NULL;
  weft_rows_unref(rows);
  weft_plan_unref(r->plan);
  free(r);
  if (!place) return;
  struct weft_pool *p = place->pool;
  pool_enter(p);
  place->chore = NULL;
  if (place->state == PLACE_CLEANING) {
    if (failed || place->conn->tx != WEFT_TX_NONE) place_close(place);
    else place_clean(place);
  }
  pool_serve(p);
  pool_leave(p);
}

static void run_chore(struct place *place, struct weft_plan **plan, struct weft_slice sql) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  struct chore *r = place->chore = weft_zalloc(sizeof *r);
  if (!*plan) *plan = weft_plan_raw(p->driver->dialect, sql, 0, WEFT_PLAN_CONTROL);
  r->place = place;
  r->plan = weft_plan_ref(*plan);
  r->op =
      (struct weft_op){.plan = r->plan, .repeat = 1, .flags = WEFT_OP_IN_TX, .done = chore_done};
  weft_list_init(&r->op.link);
  p->driver->submit(c, &r->op);
  if (place->conn == c && place->state == PLACE_CLEANING && c->inflight > 0) p->driver->flush(c);
}

static void begin_cleaning(struct place *place) {
  struct weft_pool *p = place->pool;
  if (place->state != PLACE_CLEANING) place_set(place, PLACE_CLEANING);
  if (place->limit_at) return;
  place->limit_at = weft_loop_now(p->loop) + POOL_PATIENCE;
  time_note(p, place->limit_at);
}

void place_clean(struct place *place) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  if (c->broken || p->closing) {
    if (c->inflight == 0 || p->closing) place_close(place);
    return;
  }
  if (c->tx == WEFT_TX_NONE && !place->session && c->inflight + c->dropped == 0) {
    rest(place);
    return;
  }
  begin_cleaning(place);
  if (c->inflight + c->dropped > 0) return;
  if (c->tx != WEFT_TX_NONE) {
    run_chore(place, &p->rollback, WEFT_LIT("rollback"));
  } else {
    place->session = false;
    if (p->driver->reset) p->driver->reset(c);
    else rest(place);
  }
}

void place_check(struct place *place) {
  struct weft_pool *p = place->pool;
  bool (*alive)(struct weft_conn *) = p->driver->alive;
  if (alive && !alive(place->conn)) {
    place_close(place);
    return;
  }
  begin_cleaning(place);
  run_chore(place, &p->ping, WEFT_LIT("select 1"));
}

void place_reset(struct weft_conn *c, bool ok) {
  struct place *place = c->owner;
  struct weft_pool *p = place->pool;
  pool_enter(p);
  if (place->state == PLACE_CLEANING) {
    if (ok) place_clean(place);
    else place_close(place);
  }
  pool_serve(p);
  pool_leave(p);
}

static bool awaits_aborted(const struct weft_conn *c) {
  for (const struct weft_list *at = c->ops.next; at != &c->ops; at = at->next)
    if (WEFT_CONTAINER(at, struct weft_op, link)->why) return true;
  return false;
}

void place_ended(struct weft_conn *c) {
  struct place *place = c->owner;
  struct weft_pool *p = place->pool;
  pool_enter(p);
  switch (place->state) {
  case PLACE_SHARED:
    if (c->inflight + c->dropped == 0) rest(place);
    else if (c->dropped == 0) place->limit_at = place->dropped_at = 0;
    break;
  case PLACE_ALONE:
    if (c->inflight == 0) place_clean(place);
    break;
  case PLACE_LEASED:
    if (place->limit_at && !awaits_aborted(c)) place->limit_at = 0;
    break;
  case PLACE_CLEANING: /* the end of a chore is told by its done */
    if (c->inflight == 0 && !place->chore) place_clean(place);
    break;
  default:
    break;
  }
  pool_leave(p);
}

void place_room(struct weft_conn *c) {
  struct weft_pool *p = ((struct place *)c->owner)->pool;
  pool_enter(p);
  pool_serve(p);
  pool_leave(p);
}

/* The most recently used, so that others may grow idle enough to be closed. */
struct place *place_idle(struct weft_pool *p) {
  while (p->count[PLACE_IDLE] > 0) {
    struct place *place = WEFT_CONTAINER(p->places[PLACE_IDLE].next, struct place, link);
    struct weft_conn *c = place->conn;
    bool (*alive)(struct weft_conn *) = p->driver->alive;
    if (!alive || weft_loop_now(p->loop) - c->used_at < IDLE_CHECK_MS * POOL_MS || alive(c))
      return place;
    place_close(place);
  }
  return NULL;
}

/* ---- closing ---- */

static void lease_lost(struct place *place, const struct weft_error *err) {
  struct weft_lease *lease = place->lease;
  place->lease = NULL;
  if (!lease) return;
  lease->conn = NULL;
  lease->pool = NULL;
  if (lease->lost) lease->lost(lease, err);
}

static void close_now(struct place *place) {
  struct weft_pool *p = place->pool;
  struct weft_conn *c = place->conn;
  c->broken = true;
  if (c->state != WEFT_CONN_OPENING) {
    p->stats.closed++;
    count_live(-1);
  }
  /* A driver may answer later for what a thread is busy with: the pool may be gone by then. */
  for (struct weft_list *at = c->ops.next; at != &c->ops; at = at->next)
    WEFT_CONTAINER(at, struct weft_op, link)->pool = NULL;
  p->driver->close(c);
  if (place->chore) place->chore->place = NULL;
  place->chore = NULL;
  place->conn = NULL;
  place->limit_at = 0;
  weft_list_remove(&place->dirty);
  place_set(place, PLACE_EMPTY);
  give_up_writer(place);
  if (!place->lease) return;
  struct weft_error err; /* nothing was in flight: nobody has told its holder */
  weft_fail(&err, p->closing ? WEFT_CLOSED : WEFT_DISCONNECT, "the connection was closed");
  lease_lost(place, &err);
}

void place_close(struct place *place) {
  struct weft_pool *p = place->pool;
  if (place->state == PLACE_CLOSING || place->state == PLACE_EMPTY) return;
  if (place->state == PLACE_OPENING && !place->conn) return; /* closed when it is open */
  place_set(place, PLACE_CLOSING);
  if (place->conn->calls > 0) {
    place->conn->broken = true;
    weft_loop_defer(p->loop, &p->close);
    return;
  }
  close_now(place);
  pool_serve(p);
}

void place_run_close(struct weft_hook *hook) {
  struct weft_pool *p = WEFT_CONTAINER(hook, struct weft_pool, close);
  pool_enter(p);
  for (uint32_t i = 0; i < p->o.max; i++) {
    struct place *place = &p->place[i];
    if (place->state != PLACE_CLOSING) continue;
    if (place->conn->calls > 0) weft_loop_defer(p->loop, &p->close);
    else close_now(place);
  }
  pool_serve(p);
  pool_leave(p);
}

static void replay(struct weft_pool *p, struct weft_op *op, const struct weft_error *err) {
  op->flags = (op->flags & ~(uint32_t)(WEFT_OP_SHARED | WEFT_OP_LOST)) | WEFT_OP_REPLAYED;
  op->pool = p;
  if (op->why || p->closing) {
    struct weft_error why = *err;
    if (op->why) weft_fail(&why, op->why, "%s", weft_kind_name(op->why));
    op->state = WEFT_OP_DONE;
    op->pool = NULL;
    op->done(op, NULL, &why);
    return;
  }
  p->stats.replayed++;
  if (op->ticket == 0) op->ticket = 1; /* before all who came later */
  op->queued_at = weft_loop_now(p->loop);
  wait_op(p, op, pool_quick(op));
}

void place_lost(struct weft_conn *c, struct weft_list *ops, const struct weft_error *err) {
  struct place *place = c->owner;
  struct weft_pool *p = place->pool;
  bool idle = place->state == PLACE_IDLE;
  pool_enter(p);
  place_close(place); /* its call back is on the stack: later */
  if (!p->closing && !idle) tell(p, WEFT_POOL_DISCONNECT, err);
  if (!weft_list_empty(ops)) tell(p, WEFT_POOL_RETRY, err);
  for (struct weft_list *at; (at = weft_list_take(ops));)
    replay(p, WEFT_CONTAINER(at, struct weft_op, link), err);
  lease_lost(place, err);
  pool_leave(p);
}
