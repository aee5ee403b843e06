/* SPDX-License-Identifier: MIT */
/* A pool against a scripted server, for the pool's specs. Time is skipped, never waited for. */
#ifndef WEFT_POOL_SUPPORT_H
#define WEFT_POOL_SUPPORT_H

#include "pool.h"

#include "driver/fake.h"
#include "spec.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
enum { CALLS = 1000 };
enum kind { KEY, SHORT, LONG, RAW, WRITE, KINDS };

static struct weft_loop *loop;
static struct weft_fake *fake;
static struct weft_pool *pool;
static struct weft_writers *writers;
static struct weft_plan *plans[KINDS];

struct call {
  struct weft_op op;
  int done; /* how often */
  int order;
  bool failed, again;
  struct weft_error err;
};
static struct call calls[CALLS];
static int ended;

struct tenancy {
  struct weft_lease lease;
  int granted, lost, order;
  struct weft_error err;
};
static struct tenancy leases[8];

static int events[3];

SPEC_UNUSED static void on_event(void *ud, enum weft_pool_event what,
                                 const struct weft_error *err) {
  (void)ud, (void)err;
  events[what]++;
}

SPEC_UNUSED static void set_true(void *ud) { *(bool *)ud = true; }

/* Lets everything happen that is due. */
SPEC_UNUSED static void turn(void) {
  bool done = false;
  struct weft_error err;
  struct weft_timer *t = weft_timer_new(loop, set_true, &done);
  weft_timer_start(t, weft_loop_now(loop));
  weft_loop_pump(loop, &done, &err);
  weft_timer_free(t);
}

SPEC_UNUSED static void skip(int64_t ns) {
  weft_loop_skip(loop, ns);
  turn();
}

SPEC_UNUSED static struct weft_plan *plan(const char *sql, uint32_t flags, int64_t estimate) {
  struct weft_plan *p = weft_plan_raw(&weft_dialect_sqlite, weft_slice_of(sql), 0, 0);
  p->flags = flags;
  p->estimate_ns = estimate;
  p->runs = estimate ? 1000000 : 0;
  return p;
}

SPEC_UNUSED static void start(uint32_t caps, uint32_t max) {
  struct weft_pool_options o = {.max = max};
  fake = weft_fake_new(loop, caps);
  plans[KEY] = plan("select key", WEFT_PLAN_READ | WEFT_PLAN_KEY, 0);
  plans[SHORT] = plan("select short", WEFT_PLAN_READ, MS / 10);
  plans[LONG] = plan("select long", WEFT_PLAN_READ, 100 * MS);
  plans[RAW] = plan("select raw", WEFT_PLAN_READ | WEFT_PLAN_RAW, MS / 10);
  plans[WRITE] = plan("update", 0, MS / 10);
  writers = weft_writers_new();
  pool = weft_pool_new(loop, &fake->settings, writers, &o, on_event, NULL);
  memset(calls, 0, sizeof calls);
  memset(leases, 0, sizeof leases);
  memset(events, 0, sizeof events);
  ended = 0;
}

SPEC_UNUSED static void start_eager(uint32_t caps, uint32_t max) {
  start(caps, max);
  fake->eager = true;
}

SPEC_UNUSED static struct weft_pool *reopen_with(struct weft_pool_options o) {
  weft_pool_close(pool, 0);
  return weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
}

/* Once more, after the server's limit or writer's key was set. */
SPEC_UNUSED static struct weft_pool *reopen(uint32_t max) {
  return reopen_with((struct weft_pool_options){.max = max});
}

/* Once more, and whoever waits does so for a minute. */
SPEC_UNUSED static struct weft_pool *reopen_patient(uint32_t max) {
  return reopen_with((struct weft_pool_options){.max = max, .wait_ns = 60 * S});
}

/* Ends the pool; nothing may be left. */
SPEC_UNUSED static void stop(void) {
  if (pool) weft_pool_close(pool, 0);
  pool = NULL;
  turn();
  expect_int(fake->open + fake->opening, 0);
  weft_writers_free(writers);
  weft_fake_free(fake);
  for (int i = 0; i < KINDS; i++) {
    expect_int(plans[i]->refs, 1);
    weft_plan_unref(plans[i]);
  }
  expect_int(weft_loop_handles(loop), 0);
}

SPEC_UNUSED static struct weft_pool_stats stats(void) {
  struct weft_pool_stats s;
  weft_pool_stats(pool, &s);
  return s;
}

SPEC_UNUSED static void on_done(struct weft_op *op, struct weft_rows *rows,
                                const struct weft_error *err) {
  struct call *c = WEFT_CONTAINER(op, struct call, op);
  c->done++;
  c->order = ++ended;
  c->failed = err != NULL;
  if (err) c->err = *err;
  weft_rows_unref(rows);
}

SPEC_UNUSED static struct call *submit_until(int i, enum kind kind, int64_t deadline) {
  struct call *c = &calls[i];
  *c = (struct call){
      .op = {.plan = plans[kind], .repeat = 1, .done = on_done, .deadline = deadline}};
  weft_pool_submit(pool, &c->op);
  return c;
}

SPEC_UNUSED static struct call *submit(int i, enum kind kind) { return submit_until(i, kind, 0); }

SPEC_UNUSED static void on_granted(struct weft_lease *lease, const struct weft_error *err) {
  struct tenancy *t = WEFT_CONTAINER(lease, struct tenancy, lease);
  t->granted++;
  t->order = ++ended;
  if (err) t->err = *err;
}

SPEC_UNUSED static void on_lease_lost(struct weft_lease *lease, const struct weft_error *err) {
  (void)err;
  WEFT_CONTAINER(lease, struct tenancy, lease)->lost++;
}

SPEC_UNUSED static struct weft_lease *lease(int i, enum weft_lease_kind kind) {
  struct tenancy *t = &leases[i];
  *t = (struct tenancy){
      .lease = {.kind = (uint8_t)kind, .granted = on_granted, .lost = on_lease_lost}};
  weft_pool_lease(pool, &t->lease);
  return &t->lease;
}

SPEC_UNUSED static struct call *run_on(struct weft_lease *l, int i, struct weft_plan *p) {
  struct call *c = &calls[i];
  *c = (struct call){.op = {.plan = p, .repeat = 1, .flags = WEFT_OP_IN_TX, .done = on_done}};
  weft_lease_submit(l, &c->op, true);
  return c;
}

/* Opens whatever is being opened. */
SPEC_UNUSED static void connect(void) {
  while (weft_fake_open(fake)) continue;
}

SPEC_UNUSED static void answer_until(const int *n, int want) {
  for (int i = 0; *n < want && i < 10000; i++) {
    turn();
    connect();
    weft_fake_answer_all(fake);
  }
}

enum {
  PG = WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS,
  LITE = WEFT_DRIVER_ONE_WRITER | WEFT_DRIVER_CANCELS
};

/* A hook that submits, so that it happens inside a turn. */
struct burst {
  struct weft_hook hook;
  int from, to;
  enum kind kind;
};

SPEC_UNUSED static void run_burst(struct weft_hook *hook) {
  struct burst *b = WEFT_CONTAINER(hook, struct burst, hook);
  for (int i = b->from; i < b->to; i++) submit(i, b->kind);
}

SPEC_UNUSED static void burst(int from, int to, enum kind kind) {
  struct burst b = {.hook.run = run_burst, .from = from, .to = to, .kind = kind};
  weft_list_init(&b.hook.link);
  weft_loop_defer(loop, &b.hook);
  turn();
}

/* One connection that is open and idle. */
SPEC_UNUSED static void open_one(void) {
  submit(CALLS - 1, KEY);
  connect();
  turn();
  weft_fake_answer_all(fake);
  ended = 0;
}

/* Runs the facts of one file. */
SPEC_UNUSED static int pool_facts(void (*facts)(void)) {
  struct weft_error err;
  weft_loop_new(NULL, &loop, &err);
  weft_loop_skip(loop, 0); /* time stands still from here */
  describe("pool") { facts(); }
  weft_loop_free(loop);
  return spec_end();
}

#endif
