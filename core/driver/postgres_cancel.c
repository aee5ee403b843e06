/* SPDX-License-Identifier: MIT */
/* Giving operations up. On a shared connection the starter hears at once and the answer is dropped
   when it comes, for a cancel request would hit whichever statement is running. On an exclusive one
   the server is asked to stop, once the operation is the one that runs; it ends when its answer is
   here and the request's connection is closed, because only then no later statement can be hit. The
   pool's patience bounds that wait.

   PQcancel blocks, therefore it runs on the thread pool; it has its own copy of what it needs, so
   that the connection may go meanwhile. */
#include <stdlib.h>

#include "postgres.h"

int weft_pg_why(struct weft_error *err, enum weft_kind why) {
  return weft_fail(err, why, why == WEFT_TIMEOUT ? "the statement ran out of time" : "cancelled");
}

static void run(void *ud) {
  struct weft_pg_cancel *k = ud;
  char text[256];
  PQcancel(k->request, text, sizeof text);
}

static void ended(void *ud, bool cancelled);

static void ask(struct weft_pg_conn *c, struct weft_pg_cancel *k) {
  k->request = PQgetCancel(c->pg);
  k->ended = k->request == NULL;
  if (k->request) weft_loop_work(c->base.loop, run, ended, k);
}

/* The request may have overtaken its statement, which then runs on undisturbed. */
static void ask_again(void *ud) {
  struct weft_pg_conn *c = ud;
  if (c->cancel && c->cancel->ended) ask(c, c->cancel);
}

static void ended(void *ud, bool cancelled) {
  struct weft_pg_cancel *k = ud;
  struct weft_pg_conn *c = k->conn;
  (void)cancelled;
  PQfreeCancel(k->request);
  k->request = NULL;
  k->ended = true;
  if (!c) {
    free(k);
    return;
  }
  weft_pg_receive(c);
  if (c->lost || c->cancel != k) return;
  if (!c->timer) c->timer = weft_timer_new(c->base.loop, ask_again, c);
  int64_t wait = (int64_t)50000000 << (k->tries < 5 ? k->tries++ : 5);
  weft_timer_start(c->timer, weft_loop_clock(c->base.loop) + wait);
}

bool weft_pg_cancel_waits(const struct weft_pg_conn *c) {
  return c->cancel && !c->cancel->ended && c->cancel->flight->left == 0;
}

void weft_pg_cancel_over(struct weft_pg_conn *c, const struct weft_pg_flight *f) {
  if (!c->cancel || c->cancel->flight != f) return;
  if (c->timer) weft_timer_stop(c->timer);
  free(c->cancel);
  c->cancel = NULL;
}

void weft_pg_cancel_detach(struct weft_pg_conn *c) {
  struct weft_pg_cancel *k = c->cancel;
  c->cancel = NULL;
  if (c->timer) weft_timer_stop(c->timer);
  if (!k) return;
  k->conn = NULL;
  if (k->ended) free(k);
}

static struct weft_pg_flight *next_flight(struct weft_pg_conn *c, struct weft_pg_flight *f) {
  return f->link.next == &c->flights ? NULL
                                     : WEFT_CONTAINER(f->link.next, struct weft_pg_flight, link);
}

void weft_pg_maybe_cancel(struct weft_pg_conn *c) {
  struct weft_pg_flight *f = weft_pg_current(c);
  /* The answer to BEGIN stays in the server's buffer until the statement that came with it has
   * ended. */
  while (f && !f->why && !f->sync) f = next_flight(c, f);
  if (!f || !f->why || c->cancel || c->lost) return;
  if (c->events & WEFT_WRITABLE) return; /* it is not even sent; asked again when it is */
  struct weft_pg_cancel *k = weft_zalloc(sizeof *k);
  k->conn = c;
  k->flight = f;
  c->cancel = k;
  for (struct weft_list *at = f->link.next; at != &c->flights; at = at->next)
    WEFT_CONTAINER(at, struct weft_pg_flight, link)->maybe_hit = true;
  ask(c, k);
}

void weft_pg_abort(struct weft_conn *base, struct weft_op *op, enum weft_kind why) {
  struct weft_pg_conn *c = weft_pg_of(base);
  struct weft_pg_flight *f = op->driver_data;
  struct weft_error err;
  weft_pg_why(&err, why);
  if (op->state == WEFT_OP_QUEUED) {
    weft_pg_unhold(c, op);
    weft_conn_finish(base, op, NULL, &err);
  } else if (!f) {
    return; /* it ends in this very turn */
  } else if ((op->flags & WEFT_OP_SHARED) || !base->exclusive) {
    f->op = NULL;
    f->dropped = true;
    op->driver_data = NULL;
    weft_conn_drop(base, op, &err);
  } else {
    f->why = (uint8_t)why;
    weft_pg_maybe_cancel(c);
  }
}
