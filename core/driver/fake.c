/* SPDX-License-Identifier: MIT */
/* Invariants: replies holds one entry per statement whose answer is still to come, in the order of
   submission; an entry's op is NULL when the statement was dropped. Entries behind `sent` were not
   flushed. A statement is answered only after it was sent. */
#include "fake.h"

#include <stdlib.h>
#include <strings.h>

#include "dialect.h"

struct reply {
  struct weft_list link;
  struct weft_op *op;
  bool sent;
  int64_t due;
};

struct fake_conn {
  struct weft_conn base;
  struct weft_fake *fake;
  struct weft_list of_fake;
  struct weft_list replies;
  struct weft_hook turn;
  struct weft_timer *timer;
  bool busy;
};

static struct fake_conn *of(struct weft_conn *c) { return (struct fake_conn *)(void *)c; }

static struct reply *first(const struct fake_conn *c) {
  return weft_list_empty(&c->replies) ? NULL : WEFT_CONTAINER(c->replies.next, struct reply, link);
}

static bool says(const struct weft_op *op, const char *word) {
  size_t n = strlen(word);
  return op->plan->sql.n >= n && strncasecmp(op->plan->sql.p, word, n) == 0;
}

static void follow_transaction(struct fake_conn *c, const struct weft_op *op) {
  if (says(op, "begin")) c->base.tx = WEFT_TX_OPEN;
  bool rollback = says(op, "rollback") && !says(op, "rollback to");
  if (says(op, "commit") || rollback) c->base.tx = WEFT_TX_NONE;
  c->fake->rollbacks += rollback;
}

static void answer(struct fake_conn *c) {
  struct weft_fake *f = c->fake;
  struct reply *r = first(c);
  struct weft_op *op = r->op;
  struct weft_rows *rows = NULL;
  struct weft_error err;
  weft_list_remove(&r->link);
  free(r);
  f->answered++;
  if (!op) {
    weft_conn_drained(&c->base);
    return;
  }
  int rc = 0;
  if (op->why) rc = weft_conn_fail(&c->base, &err, op->why, "the statement was cancelled");
  else if (f->answer) rc = f->answer(f->ud, op, &rows, &err);
  if (rc == 0) follow_transaction(c, op);
  if (rc == 0 && !rows) rows = weft_rows_new(NULL, 0);
  weft_conn_finish(&c->base, op, rc == 0 ? rows : NULL, rc == 0 ? NULL : &err);
}

/* Answers what is due; one at a time, for user code runs in between. */
static void answer_due(struct fake_conn *c) {
  if (c->busy) return;
  c->busy = true;
  for (struct reply *r; (r = first(c)) && r->sent && r->due <= weft_loop_now(c->base.loop);)
    answer(c);
  c->busy = false;
  struct reply *r = first(c);
  if (r && r->sent && c->fake->eager) weft_timer_start(c->timer, r->due);
}

static void on_turn(struct weft_hook *hook) {
  struct fake_conn *c = WEFT_CONTAINER(hook, struct fake_conn, turn);
  if (c->base.state == WEFT_CONN_OPENING) weft_fake_open(c->fake);
  else answer_due(c);
}

static void on_timer(void *ud) { answer_due(ud); }

static void submit(struct weft_conn *base, struct weft_op *op) {
  struct fake_conn *c = of(base);
  struct reply *r = weft_zalloc(sizeof *r);
  weft_conn_take(base, op);
  op->state = WEFT_OP_QUEUED;
  r->op = op;
  weft_list_push(&c->replies, &r->link);
  c->fake->submitted++;
  if (base->driver->caps & WEFT_DRIVER_PIPELINES) return;
  r->sent = true;
  op->state = WEFT_OP_SENT;
  r->due = weft_loop_now(base->loop) + c->fake->latency;
  if (c->fake->eager) answer_due(c);
}

static void flush(struct weft_conn *base) {
  struct fake_conn *c = of(base);
  int64_t now = weft_loop_now(base->loop);
  c->fake->flushes++;
  for (struct weft_list *at = c->replies.next; at != &c->replies; at = at->next) {
    struct reply *r = WEFT_CONTAINER(at, struct reply, link);
    if (r->sent) continue;
    r->sent = true;
    r->due = now + c->fake->latency;
    r->op->state = WEFT_OP_SENT;
    r->op->sent_at = weft_loop_clock(base->loop);
  }
  if (c->fake->eager) weft_loop_defer(base->loop, &c->turn);
}

static void abort_op(struct weft_conn *base, struct weft_op *op, enum weft_kind why) {
  struct fake_conn *c = of(base);
  struct weft_error err;
  struct reply *r = NULL;
  for (struct weft_list *at = c->replies.next; at != &c->replies; at = at->next)
    if (WEFT_CONTAINER(at, struct reply, link)->op == op)
      r = WEFT_CONTAINER(at, struct reply, link);
  weft_conn_fail(base, &err, why, "given up");
  if (!r->sent) {
    weft_list_remove(&r->link);
    free(r);
    weft_conn_finish(base, op, NULL, &err);
  } else if (op->flags & WEFT_OP_SHARED) {
    r->op = NULL;
    c->fake->dropped++;
    weft_conn_drop(base, op, &err);
  } else {
    c->fake->cancels++;
    r->due = 0;
    if (c->fake->eager) weft_loop_defer(base->loop, &c->turn);
  }
}

static void reset(struct weft_conn *base) {
  struct weft_fake *f = of(base)->fake;
  f->resets++;
  weft_conn_reset_done(base, !f->reset_fails);
}

static bool alive(struct weft_conn *base) { return !of(base)->fake->silent_peer; }

static void destroy(struct fake_conn *c) {
  for (struct weft_list *at; (at = weft_list_take(&c->replies));)
    free(WEFT_CONTAINER(at, struct reply, link));
  weft_list_remove(&c->turn.link);
  weft_list_remove(&c->of_fake);
  weft_timer_free(c->timer);
  free(c);
}

static void close_conn(struct weft_conn *base) {
  struct fake_conn *c = of(base);
  struct weft_error err;
  weft_conn_fail(base, &err, WEFT_DISCONNECT, "the connection was closed");
  if (base->inflight) weft_conn_lost(base, &err);
  if (base->state == WEFT_CONN_OPENING) c->fake->opening--;
  else c->fake->open--;
  c->fake->closed++;
  base->state = WEFT_CONN_CLOSED;
  destroy(c);
}

static struct weft_conn *open_conn(struct weft_loop *l, const struct weft_settings *s, void *owner,
                                   void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  struct weft_fake *f = s->data;
  struct fake_conn *c = weft_zalloc(sizeof *c);
  weft_conn_init(&c->base, &f->driver, l, s, owner, on_open);
  c->fake = f;
  weft_list_init(&c->replies);
  weft_list_init(&c->of_fake);
  weft_list_push(&f->conns, &c->of_fake);
  weft_list_init(&c->turn.link);
  c->turn.run = on_turn;
  c->timer = weft_timer_new(l, on_timer, c);
  f->opening++;
  if (f->eager && (f->driver.caps & WEFT_DRIVER_ONE_WRITER) && !f->dead) weft_fake_open(f);
  else if (f->eager) weft_loop_defer(l, &c->turn);
  return &c->base;
}

static int configure(struct weft_settings *s, struct weft_error *err) {
  (void)s, (void)err;
  return 0;
}

static uint32_t max_connections(const struct weft_settings *s) {
  return ((const struct weft_fake *)s->data)->limit;
}

static struct weft_slice writer_key(const struct weft_settings *s) {
  return weft_slice_of(((const struct weft_fake *)s->data)->writer);
}

struct weft_fake *weft_fake_new(struct weft_loop *l, uint32_t caps) {
  struct weft_fake *f = weft_zalloc(sizeof *f);
  f->loop = l;
  f->refusal = WEFT_CONNECT;
  f->driver = (struct weft_driver){WEFT_DRIVER_ABI,
                                   "fake",
                                   &weft_dialect_sqlite,
                                   caps,
                                   configure,
                                   max_connections,
                                   writer_key,
                                   open_conn,
                                   submit,
                                   flush,
                                   abort_op,
                                   reset,
                                   close_conn,
                                   alive};
  f->settings.driver = &f->driver;
  f->settings.data = f;
  f->settings.label = WEFT_LIT("fake://somewhere");
  weft_arena_init(&f->settings.arena, NULL, 0);
  weft_list_init(&f->conns);
  return f;
}

void weft_fake_free(struct weft_fake *f) {
  weft_arena_release(&f->settings.arena);
  free(f);
}

bool weft_fake_open(struct weft_fake *f) {
  for (struct weft_list *at = f->conns.next; at != &f->conns; at = at->next) {
    struct fake_conn *c = WEFT_CONTAINER(at, struct fake_conn, of_fake);
    struct weft_error err;
    if (c->base.state != WEFT_CONN_OPENING) continue;
    f->opening--;
    if (f->dead) {
      f->refused++;
      weft_conn_fail(&c->base, &err, f->refusal, "connection refused");
      weft_conn_opened(&c->base, &err);
      destroy(c);
    } else {
      f->opened++;
      if (++f->open > f->most) f->most = f->open;
      weft_conn_opened(&c->base, NULL);
    }
    return true;
  }
  return false;
}

struct weft_conn *weft_fake_conn(struct weft_fake *f, uint32_t i) {
  for (struct weft_list *at = f->conns.next; at != &f->conns; at = at->next) {
    struct fake_conn *c = WEFT_CONTAINER(at, struct fake_conn, of_fake);
    if (c->base.state == WEFT_CONN_READY && i-- == 0) return &c->base;
  }
  return NULL;
}

bool weft_fake_answer(struct weft_conn *base) {
  struct fake_conn *c = of(base);
  struct reply *r = first(c);
  if (!r || !r->sent) return false;
  answer(c);
  return true;
}

void weft_fake_answer_all(struct weft_fake *f) {
  for (bool more = true; more;) {
    struct weft_conn *c;
    more = false;
    for (uint32_t i = 0; !more && (c = weft_fake_conn(f, i)); i++) more = weft_fake_answer(c);
  }
}

void weft_fake_lose(struct weft_conn *base) {
  struct fake_conn *c = of(base);
  struct weft_error err;
  weft_conn_fail(base, &err, WEFT_DISCONNECT, "the server went away");
  for (struct weft_list *at; (at = weft_list_take(&c->replies));)
    free(WEFT_CONTAINER(at, struct reply, link));
  base->dropped = 0;
  weft_conn_lost(base, &err);
}

uint32_t weft_fake_sent(const struct weft_conn *base) {
  const struct fake_conn *c = (const struct fake_conn *)(const void *)base;
  uint32_t n = 0;
  for (const struct weft_list *at = c->replies.next; at != &c->replies; at = at->next)
    n += WEFT_CONTAINER(at, struct reply, link)->sent;
  return n;
}
