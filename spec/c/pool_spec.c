/* SPDX-License-Identifier: MIT */
/* The pool against a scripted server. Time is skipped, never waited for. */
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

/* ---- helpers ---- */

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

static void on_event(void *ud, enum weft_pool_event what, const struct weft_error *err) {
  (void)ud, (void)err;
  events[what]++;
}

static void set_true(void *ud) { *(bool *)ud = true; }

/* Lets everything happen that is due. */
static void turn(void) {
  bool done = false;
  struct weft_error err;
  struct weft_timer *t = weft_timer_new(loop, set_true, &done);
  weft_timer_start(t, weft_loop_now(loop));
  weft_loop_pump(loop, &done, &err);
  weft_timer_free(t);
}

static void skip(int64_t ns) {
  weft_loop_skip(loop, ns);
  turn();
}

static struct weft_plan *plan(const char *sql, uint32_t flags, int64_t estimate) {
  struct weft_plan *p = weft_plan_raw(&weft_dialect_sqlite, weft_slice_of(sql), 0, 0);
  p->flags = flags;
  p->estimate_ns = estimate;
  p->runs = estimate ? 1000000 : 0;
  return p;
}

static void start(uint32_t caps, uint32_t max) {
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

static void start_eager(uint32_t caps, uint32_t max) {
  start(caps, max);
  fake->eager = true;
}

/* Ends the pool; nothing may be left. */
static void stop(void) {
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

static struct weft_pool_stats stats(void) {
  struct weft_pool_stats s;
  weft_pool_stats(pool, &s);
  return s;
}

static void on_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct call *c = WEFT_CONTAINER(op, struct call, op);
  c->done++;
  c->order = ++ended;
  c->failed = err != NULL;
  if (err) c->err = *err;
  weft_rows_unref(rows);
}

static struct call *submit_until(int i, enum kind kind, int64_t deadline) {
  struct call *c = &calls[i];
  *c = (struct call){.op = {.plan = plans[kind], .repeat = 1, .done = on_done, .deadline = deadline}};
  weft_pool_submit(pool, &c->op);
  return c;
}

static struct call *submit(int i, enum kind kind) { return submit_until(i, kind, 0); }

static void on_granted(struct weft_lease *lease, const struct weft_error *err) {
  struct tenancy *t = WEFT_CONTAINER(lease, struct tenancy, lease);
  t->granted++;
  t->order = ++ended;
  if (err) t->err = *err;
}

static void on_lease_lost(struct weft_lease *lease, const struct weft_error *err) {
  (void)err;
  WEFT_CONTAINER(lease, struct tenancy, lease)->lost++;
}

static struct weft_lease *lease(int i, enum weft_lease_kind kind) {
  struct tenancy *t = &leases[i];
  *t = (struct tenancy){.lease = {.kind = (uint8_t)kind, .granted = on_granted, .lost = on_lease_lost}};
  weft_pool_lease(pool, &t->lease);
  return &t->lease;
}

static struct call *run_on(struct weft_lease *l, int i, struct weft_plan *p) {
  struct call *c = &calls[i];
  *c = (struct call){.op = {.plan = p, .repeat = 1, .flags = WEFT_OP_IN_TX, .done = on_done}};
  weft_lease_submit(l, &c->op, true);
  return c;
}

/* Opens whatever is being opened. */
static void connect(void) {
  while (weft_fake_open(fake)) continue;
}

static void answer_until(const int *n, int want) {
  for (int i = 0; *n < want && i < 10000; i++) {
    turn();
    connect();
    weft_fake_answer_all(fake);
  }
}

enum { PG = WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS, LITE = WEFT_DRIVER_ONE_WRITER | WEFT_DRIVER_CANCELS };

/* ---- opening ---- */

static void opening(void) {
  it("opens nothing before the first statement, then one connection, and uses it again") {
    start(PG, 4);
    turn();
    expect_int(fake->opening, 0);
    struct call *c = submit(0, KEY);
    expect_int(fake->opening, 1);
    connect();
    weft_fake_answer_all(fake);
    turn();
    weft_fake_answer_all(fake);
    expect_int(c->done, 1);
    for (int i = 0; i < 20; i++) {
      submit(1, i % 2 ? KEY : WRITE);
      turn();
      weft_fake_answer_all(fake);
      expect_int(calls[1].done, 1);
    }
    expect_int(fake->opened, 1);
    expect_int(stats().statements, 21);
    expect_int(events[WEFT_POOL_CONNECT], 1);
    stop();
  }
  it("never opens more than max for 1,000 statements, and closes none") {
    for (int kind = 0; kind < KINDS; kind++) {
      start_eager(PG, 4);
      for (int round = 0; round < 3; round++) {
        int want = ended + CALLS;
        for (int i = 0; i < CALLS; i++) submit(i, (enum kind)kind);
        answer_until(&ended, want);
        expect_int(ended, want);
      }
      expect(fake->most <= 4 && fake->most >= (kind == KEY || kind == SHORT ? 1u : 3u));
      expect_int(fake->opened, fake->most);
      expect_int(fake->closed, 0);
      stop();
    }
  }
  it("tells those who wait why connecting failed, when nothing else is open") {
    start(PG, 4);
    fake->dead = true;
    for (int i = 0; i < 3; i++) submit(i, KEY);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    for (int i = 0; i < 3; i++) {
      expect(calls[i].failed);
      expect_int(calls[i].err.kind, WEFT_CONNECT);
      expect(calls[i].err.retryable);
    }
    expect_int(leases[0].err.kind, WEFT_CONNECT);
    expect(!l->waiting);
    stop();
  }
  it("waits longer and longer between attempts, and whoever comes meanwhile waits for the next") {
    start(PG, 4);
    fake->dead = true;
    submit(0, KEY);
    connect();
    int64_t longest = 0;
    for (int n = 1; n < 12; n++) {
      struct call *c = submit(1, KEY);
      int64_t waited = 0;
      for (; !fake->opening && waited < 6 * S; waited += 10 * MS) skip(10 * MS);
      if (waited == 0) continue; /* full jitter may be nothing */
      expect(!c->done);
      expect(waited <= (INT64_C(50) << (n < 8 ? n : 8)) * MS);
      if (waited > longest) longest = waited;
      connect();
      expect(c->failed);
    }
    expect(longest > 200 * MS);
    fake->dead = false;
    submit(2, KEY);
    answer_until(&calls[2].done, 0);
    for (int64_t waited = 0; !fake->opening && waited < 6 * S; waited += 10 * MS) skip(10 * MS);
    connect();
    turn();
    weft_fake_answer_all(fake);
    expect(calls[2].done && !calls[2].failed);
    stop();
  }
  it("goes on waiting for another connection when one attempt fails") {
    start(PG, 4);
    submit(0, RAW);
    connect(); /* in flight on the first */
    struct call *c = submit(1, RAW);
    fake->dead = true;
    connect();
    expect_int(fake->refused, 1);
    expect(!c->done);
    weft_fake_answer_all(fake);
    expect(c->done || weft_fake_answer(weft_fake_conn(fake, 0)));
    expect(c->done && !c->failed);
    stop();
  }
  it("gives up an attempt that is not answered") {
    start(PG, 4);
    struct call *c = submit(0, KEY);
    skip(5 * S + MS);
    expect(c->failed);
    expect_int(c->err.kind, WEFT_CONNECT);
    expect_int(fake->opening, 0);
    stop();
  }
  it("asks whether a connection that was idle for long is still there") {
    start_eager(PG, 4);
    submit(0, WRITE);
    answer_until(&ended, 1);
    fake->silent_peer = true;
    skip(2 * S);
    submit(1, WRITE);
    answer_until(&ended, 2);
    expect(calls[1].done && !calls[1].failed);
    expect_int(fake->opened, 2);
    stop();
  }
}

/* ---- sharing ---- */

/* A hook that submits, so that it happens inside a turn. */
struct burst {
  struct weft_hook hook;
  int from, to;
  enum kind kind;
};

static void run_burst(struct weft_hook *hook) {
  struct burst *b = WEFT_CONTAINER(hook, struct burst, hook);
  for (int i = b->from; i < b->to; i++) submit(i, b->kind);
}

static void burst(int from, int to, enum kind kind) {
  struct burst b = {.hook.run = run_burst, .from = from, .to = to, .kind = kind};
  weft_list_init(&b.hook.link);
  weft_loop_defer(loop, &b.hook);
  turn();
}

/* One connection that is open and idle. */
static void open_one(void) {
  submit(CALLS - 1, KEY);
  connect();
  turn();
  weft_fake_answer_all(fake);
  ended = 0;
}

static void sharing(void) {
  it("sends the short reads of one turn through one connection in one flush") {
    start(PG, 4);
    open_one();
    uint32_t flushes = fake->flushes;
    burst(0, 8, KEY);
    expect_int(fake->flushes, flushes + 1);
    expect_int(fake->opened + fake->opening, 1);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 8);
    expect_int(stats().sharing, 1);
    weft_fake_answer_all(fake);
    for (int i = 0; i < 8; i++) expect_int(calls[i].order, i + 1);
    expect_int(stats().idle, 1);
    stop();
  }
  it("sends at once when nobody else can submit") {
    start(PG, 4);
    open_one();
    submit(0, KEY);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 1);
    weft_fake_answer_all(fake);
    stop();
  }
  it("opens another connection when a pipeline is long, and spreads") {
    start(PG, 4);
    open_one();
    burst(0, 9, KEY);
    expect_int(fake->opening, 1);
    connect();
    burst(9, 17, KEY);
    expect_int(weft_fake_conn(fake, 0)->inflight, 9);
    expect_int(weft_fake_conn(fake, 1)->inflight, 8);
    weft_fake_answer_all(fake);
    stop();
  }
  it("opens another one when the oldest statement of a pipeline is old") {
    start(PG, 4);
    open_one();
    submit(0, KEY);
    weft_loop_skip(loop, 21 * MS);
    submit(1, KEY);
    expect_int(fake->opening, 1);
    connect();
    submit(2, KEY);
    expect_int(weft_fake_conn(fake, 1)->inflight, 1);
    weft_fake_answer_all(fake);
    stop();
  }
  it("puts at most 64 on one connection, 128 where there is but one") {
    for (uint32_t max = 1; max <= 2; max++) {
      start(PG, max);
      open_one();
      burst(0, 300, KEY);
      if (max == 2) {
        connect();
        expect_int(weft_fake_conn(fake, 1)->inflight, 64);
      }
      expect_int(weft_fake_conn(fake, 0)->inflight, max == 1 ? 128 : 64);
      expect_int(stats().waiting, 172);
      answer_until(&ended, 300);
      expect_int(ended, 300);
      stop();
    }
  }
  static const struct {
    const char *fact;
    enum kind kind;
    bool shares;
  } who[] = {{"shares a look-up by key that was never measured", KEY, true},
             {"shares a read that is known to be short", SHORT, true},
             {"gives a long read a connection alone", LONG, false},
             {"gives a raw statement a connection alone", RAW, false},
             {"gives a write a connection alone", WRITE, false}};
  for (int k = 0; k < KINDS; k++)
    it(who[k].fact) {
      start(PG, 4);
      open_one();
      submit(0, who[k].kind);
      submit(1, KEY);
      expect_int(fake->opening, !who[k].shares);
      expect_int(calls[0].op.flags & WEFT_OP_SHARED, who[k].shares);
      expect_int(weft_fake_conn(fake, 0)->exclusive, !who[k].shares);
      answer_until(&ended, 2);
      stop();
    }
  it("never gives the last connection to those who do not share") {
    start(PG, 4);
    for (int i = 0; i < 10; i++) submit(i, RAW);
    connect();
    expect_int(fake->opened, 3);
    expect_int(stats().waiting, 7);
    for (int i = 10; i < 20; i++) submit(i, KEY);
    connect();
    turn();
    expect_int(fake->opened, 4);
    struct weft_conn *c = weft_fake_conn(fake, 3);
    while (weft_fake_answer(c)) continue;
    turn();
    while (weft_fake_answer(c)) continue;
    for (int i = 10; i < 20; i++) expect_int(calls[i].done, 1);
    expect_int(calls[0].done, 0);
    expect_int(stats().waiting, 7);
    answer_until(&ended, 20);
    expect_int(ended, 20);
    stop();
  }
  it("serves a long statement in spite of short ones that never end") {
    for (uint32_t max = 1; max <= 2; max++) {
      start(PG, max);
      open_one();
      for (int i = 0; i < 20; i++) submit(i, KEY);
      connect();
      turn();
      if (max == 2) {
        for (int i = 20; i < 40; i++) submit(i, KEY);
        turn();
      }
      struct call *c = submit(990, RAW);
      int left = 0;
      for (int n = 0; !c->done && n < 400; n++) { /* one is answered, one comes */
        for (uint32_t i = 0; i < max; i++) weft_fake_answer(weft_fake_conn(fake, i));
        submit(100 + n, KEY);
        turn();
        left = n;
      }
      expect(c->done);
      expect(left < 100);
      answer_until(&ended, 20 * (int)max + left + 2);
      expect_int(stats().waiting + stats().inflight, 0);
      stop();
    }
  }
}

/* ---- waiting ---- */

static void waiting(void) {
  it("serves statements and leases in the order in which they came") {
    start(PG, 2); /* one that is not shared */
    submit(0, RAW);
    connect();
    submit(1, WRITE);
    lease(0, WEFT_LEASE_WRITE);
    submit(2, RAW);
    lease(1, WEFT_LEASE_READ);
    answer_until(&leases[0].granted, 1);
    weft_lease_release(&leases[0].lease);
    answer_until(&leases[1].granted, 1);
    expect(calls[0].order < calls[1].order && calls[1].order < leases[0].order);
    expect(leases[0].order < calls[2].order && calls[2].order < leases[1].order);
    weft_lease_release(&leases[1].lease);
    stop();
  }
  it("fails who waited too long, and says what keeps it") {
    start(PG, 4);
    for (int i = 0; i < 3; i++) lease(i, WEFT_LEASE_WRITE);
    connect();
    struct call *c = submit(0, RAW);
    lease(3, WEFT_LEASE_WRITE);
    skip(4 * S);
    expect_int(c->done, 0);
    skip(S + 2 * MS);
    expect_int(c->err.kind, WEFT_POOL_TIMEOUT);
    expect_str(c->err.message, "no connection to fake://somewhere became free within 5 s "
                               "(max 4, 3 leased, 2 waiting)");
    expect_int(leases[3].err.kind, WEFT_POOL_TIMEOUT);
    expect_int(stats().waiting, 0);
    for (int i = 0; i < 4; i++) weft_lease_release(&leases[i].lease);
    stop();
  }
  it("fails a waiting statement at its deadline") {
    start(PG, 2);
    lease(0, WEFT_LEASE_WRITE);
    connect();
    struct call *c = submit_until(0, RAW, weft_loop_now(loop) + 100 * MS);
    skip(99 * MS);
    expect_int(c->done, 0);
    skip(2 * MS);
    expect_int(c->err.kind, WEFT_TIMEOUT);
    expect_int(fake->submitted, 0);
    weft_lease_release(&leases[0].lease);
    stop();
  }
  it("fails a statement whose deadline has passed before it began") {
    start(PG, 2);
    struct call *c = submit_until(0, KEY, weft_loop_now(loop) - 1);
    expect_int(c->err.kind, WEFT_TIMEOUT);
    expect_int(fake->opening, 0);
    stop();
  }
  it("gives up a waiting statement or lease at once") {
    start(PG, 2);
    lease(0, WEFT_LEASE_WRITE);
    connect();
    struct call *c = submit(0, RAW);
    lease(1, WEFT_LEASE_WRITE);
    weft_pool_abort(&c->op, WEFT_CANCELLED);
    expect_int(c->err.kind, WEFT_CANCELLED);
    weft_lease_release(&leases[1].lease);
    expect_int(leases[1].granted, 0);
    expect_int(stats().waiting, 0);
    weft_pool_abort(&c->op, WEFT_CANCELLED); /* it has ended: nothing */
    weft_lease_release(&leases[0].lease);
    stop();
  }
}

/* ---- deadlines in flight ---- */

static void deadlines(void) {
  it("cancels a statement that is alone at the server and awaits its end") {
    start(PG, 4);
    open_one();
    struct call *c = submit_until(0, RAW, weft_loop_now(loop) + 50 * MS);
    skip(51 * MS);
    expect_int(fake->cancels, 1);
    expect_int(c->done, 0);
    expect_int(stats().idle, 0);
    weft_fake_answer_all(fake);
    expect_int(c->err.kind, WEFT_TIMEOUT);
    expect_int(stats().idle, 1);
    expect_int(fake->closed, 0);
    stop();
  }
  it("closes the connection when the server does not confirm") {
    start(PG, 4);
    open_one();
    struct call *c = submit_until(0, WRITE, weft_loop_now(loop) + 50 * MS);
    skip(51 * MS);
    skip(5 * S);
    expect_int(c->err.kind, WEFT_TIMEOUT);
    expect(c->err.outcome_unknown);
    expect_int(fake->closed, 1);
    stop();
  }
  it("cancels a short read that has its connection to itself") {
    start(PG, 4);
    open_one();
    submit_until(0, KEY, weft_loop_now(loop) + 50 * MS);
    skip(51 * MS);
    expect_int(fake->cancels, 1);
    expect_int(fake->dropped, 0);
    submit(1, KEY); /* must not join it */
    expect_int(fake->opening, 1);
    answer_until(&ended, 2);
    expect_int(calls[0].err.kind, WEFT_TIMEOUT);
    expect(!calls[1].failed);
    stop();
  }
  it("drops one of many and leaves the others alone") {
    start(PG, 4);
    open_one();
    submit(0, KEY);
    submit_until(1, KEY, weft_loop_now(loop) + 10 * MS);
    submit(2, KEY);
    turn();
    skip(11 * MS);
    expect_int(calls[1].err.kind, WEFT_TIMEOUT);
    expect_int(fake->cancels, 0);
    expect_int(fake->dropped, 1);
    weft_fake_answer_all(fake);
    expect(calls[0].done && !calls[0].failed && calls[2].done && !calls[2].failed);
    expect_int(stats().idle, 1);
    stop();
  }
  it("does not lend a connection whose dropped answer is still to come") {
    start(PG, 4);
    open_one();
    submit(0, KEY);
    submit_until(1, KEY, weft_loop_now(loop) + 10 * MS);
    turn();
    skip(11 * MS);
    weft_fake_answer(weft_fake_conn(fake, 0));
    expect_int(stats().inflight, 0);
    lease(0, WEFT_LEASE_WRITE);
    expect_int(leases[0].granted, 0);
    expect_int(fake->opening, 1);
    weft_fake_answer(weft_fake_conn(fake, 0));
    expect_int(leases[0].granted, 1);
    weft_lease_release(&leases[0].lease);
    stop();
  }
  it("closes a connection that a dropped statement blocks for 100 ms, and replays its reads") {
    start(PG, 1);
    open_one();
    submit_until(0, KEY, weft_loop_now(loop) + 10 * MS);
    for (int i = 1; i < 5; i++) submit(i, KEY);
    turn();
    skip(11 * MS);
    expect_int(calls[0].err.kind, WEFT_TIMEOUT);
    skip(50 * MS);
    expect_int(fake->closed, 0);
    skip(60 * MS);
    expect_int(fake->closed, 1);
    expect_int(events[WEFT_POOL_RETRY], 1);
    answer_until(&ended, 5);
    for (int i = 1; i < 5; i++) expect(calls[i].done == 1 && !calls[i].failed);
    expect_int(stats().replayed, 4);
    stop();
  }
  it("waits when the head is somebody's who is in time") {
    start(PG, 1);
    open_one();
    submit(0, KEY);
    turn();
    submit_until(1, KEY, weft_loop_now(loop) + 10 * MS);
    turn();
    skip(11 * MS);
    for (int i = 0; i < 5; i++) skip(100 * MS);
    expect_int(fake->closed, 0);
    weft_fake_answer_all(fake);
    expect(calls[0].done && !calls[0].failed);
    stop();
  }
  it("gives statements the pool's own timeout") {
    struct weft_pool_options o = {.max = 2, .statement_timeout_ns = 100 * MS};
    start(PG, 4);
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
    submit(0, RAW);
    connect();
    skip(101 * MS);
    weft_fake_answer_all(fake);
    expect_int(calls[0].err.kind, WEFT_TIMEOUT);
    stop();
  }
}

/* ---- loss ---- */

static void loss(void) {
  it("replays short reads elsewhere, once") {
    start(PG, 4);
    open_one();
    for (int i = 0; i < 4; i++) submit(i, KEY);
    turn();
    weft_fake_lose(weft_fake_conn(fake, 0));
    expect_int(ended, 0);
    turn();
    connect();
    turn();
    weft_fake_lose(weft_fake_conn(fake, 0));
    for (int i = 0; i < 4; i++) expect_int(calls[i].err.kind, WEFT_DISCONNECT);
    expect_int(events[WEFT_POOL_DISCONNECT], 2);
    stop();
  }
  it("fails a write with an unknown outcome") {
    start(PG, 4);
    open_one();
    struct call *c = submit(0, WRITE);
    weft_fake_lose(weft_fake_conn(fake, 0));
    expect_int(c->err.kind, WEFT_DISCONNECT);
    expect(c->err.outcome_unknown && !c->err.retryable);
    stop();
  }
  it("drops an idle connection in silence") {
    start(PG, 4);
    open_one();
    weft_fake_lose(weft_fake_conn(fake, 0));
    expect_int(events[WEFT_POOL_DISCONNECT], 0);
    turn();
    expect_int(stats().open, 0);
    submit(0, WRITE);
    answer_until(&ended, 1);
    expect(!calls[0].failed);
    stop();
  }
  it("tells the holder of a lease, whose statements fail from then on") {
    start(PG, 4);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    struct call *c = run_on(l, 0, plans[WRITE]);
    weft_fake_lose(l->conn);
    expect_int(leases[0].lost, 1);
    expect(l->conn == NULL);
    expect_int(c->err.kind, WEFT_DISCONNECT);
    expect(!c->err.outcome_unknown);
    expect_int(run_on(l, 1, plans[WRITE])->err.kind, WEFT_DISCONNECT);
    weft_lease_release(l);
    stop();
  }
}

/* ---- idleness and life ---- */

static void lives(void) {
  it("closes what was idle for long, the least used first") {
    start(PG, 4);
    open_one();
    submit(0, RAW);
    submit(1, RAW);
    connect();
    weft_fake_answer_all(fake);
    expect_int(stats().idle, 2);
    for (int i = 0; i < 6; i++) {
      skip(30 * S);
      submit(2, KEY);
      weft_fake_answer_all(fake);
    }
    expect_int(stats().idle, 1);
    skip(61 * S);
    expect_int(stats().open, 0);
    stop();
  }
  it("closes a connection at the end of its life, but not while it is in use") {
    start(PG, 4);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    for (int i = 0; i < 5; i++) skip(400 * S);
    expect_int(fake->closed, 0);
    run_on(l, 0, plans[WRITE]);
    weft_fake_answer_all(fake);
    weft_lease_release(l);
    turn();
    expect_int(fake->closed, 1);
    stop();
  }
  it("does not close all of them at once") {
    start(PG, 4);
    for (int i = 0; i < 3; i++) lease(i, WEFT_LEASE_READ);
    connect();
    for (int i = 0; i < 3; i++) weft_lease_release(&leases[i].lease);
    int different = 0;
    uint32_t open = fake->open;
    for (int i = 0; i < 800 && fake->open; i++) { /* in use often enough not to be idle for long */
      skip(5 * S / 2);
      if (fake->open < open) open = fake->open, different++;
      if (i % 10) continue;
      for (int k = 0; k < 3; k++) lease(k, WEFT_LEASE_READ);
      bool all = leases[0].granted && leases[1].granted && leases[2].granted;
      for (int k = 0; k < 3; k++) weft_lease_release(&leases[k].lease);
      if (!all) break;
    }
    expect(different >= 1);
    stop();
  }
}

/* ---- leases ---- */

static void leasing(void) {
  struct weft_plan *begin = plan("begin", WEFT_PLAN_CONTROL, 0);
  it("rolls back what its holder left open") {
    start(PG, 2);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    run_on(l, 0, begin);
    weft_fake_answer_all(fake);
    expect_int(l->conn->tx, WEFT_TX_OPEN);
    weft_lease_release(l);
    lease(1, WEFT_LEASE_WRITE);
    expect_int(leases[1].granted, 0);
    weft_fake_answer_all(fake);
    expect_int(fake->rollbacks, 1);
    expect_int(leases[1].granted, 1);
    expect_int(leases[1].lease.conn->tx, WEFT_TX_NONE);
    weft_lease_release(&leases[1].lease);
    stop();
  }
  it("gives up statements that its holder left in flight") {
    start(PG, 2);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    run_on(l, 0, begin);
    run_on(l, 1, plans[WRITE]);
    weft_lease_release(l);
    answer_until(&ended, 3);
    expect_int(calls[1].err.kind, WEFT_CANCELLED);
    expect_int(stats().idle, 1);
    stop();
  }
  it("resets a session's connection, and closes it when that fails") {
    for (int fails = 0; fails < 2; fails++) {
      start(PG, 2);
      fake->reset_fails = fails;
      lease(0, WEFT_LEASE_SESSION);
      connect();
      weft_lease_release(&leases[0].lease);
      turn();
      expect_int(fake->resets, 1);
      expect_int(fake->closed, fails);
      expect_int(stats().idle, !fails);
      stop();
    }
  }
  it("does not roll back or reset without a reason") {
    start(PG, 2);
    lease(0, WEFT_LEASE_WRITE);
    connect();
    weft_lease_release(&leases[0].lease);
    expect_int(fake->submitted + fake->resets, 0);
    expect_int(stats().idle, 1);
    stop();
  }
  it("sends BEGIN together with the statement behind it") {
    start(PG, 2);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    calls[0] = (struct call){.op = {.plan = begin, .repeat = 1, .done = on_done}};
    weft_lease_submit(l, &calls[0].op, false);
    expect_int(weft_fake_sent(l->conn), 0);
    run_on(l, 1, plans[WRITE]);
    expect_int(weft_fake_sent(l->conn), 2);
    expect_int(fake->flushes, 1);
    weft_fake_answer_all(fake);
    weft_lease_release(l);
    weft_fake_answer_all(fake);
    stop();
  }
  weft_plan_unref(begin);
}

/* ---- one writer ---- */

static void writing(void) {
  it("lets one write at a time, and reads go on") {
    start(LITE, 4);
    fake->writer = "file";
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = 4}, NULL, NULL);
    for (int i = 0; i < 5; i++) submit(i, WRITE);
    connect();
    expect_int(fake->submitted, 1);
    expect_int(fake->opened, 1);
    expect_int(stats().waiting, 4);
    submit(5, KEY);
    submit(6, LONG);
    connect();
    expect_int(fake->submitted, 3);
    answer_until(&ended, 7);
    for (int i = 1; i < 5; i++) expect(calls[i].order > calls[i - 1].order);
    stop();
  }
  it("queues writers of one file across pools, in order") {
    start(LITE, 4);
    fake->writer = "file";
    weft_pool_close(pool, 0);
    struct weft_pool_options o = {.max = 4};
    struct weft_pool *p[2];
    for (int i = 0; i < 2; i++) p[i] = weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
    for (int i = 0; i < 6; i++) {
      pool = p[i % 2];
      if (i == 2) lease(0, WEFT_LEASE_WRITE);
      else submit(i, WRITE);
    }
    answer_until(&leases[0].granted, 1);
    expect_int(calls[0].order, 1);
    expect_int(calls[1].order, 2);
    expect_int(calls[3].done, 0);
    weft_lease_release(&leases[0].lease);
    answer_until(&ended, 6);
    for (int i = 4; i < 6; i++) expect(calls[i].order > calls[i - 1].order);
    weft_pool_close(p[0], 0);
    pool = p[1];
    stop();
  }
  it("passes the place on when a waiting or running writer is given up") {
    start(LITE, 2);
    fake->writer = "file";
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = 2}, NULL, NULL);
    for (int i = 0; i < 4; i++) submit(i, WRITE);
    weft_pool_abort(&calls[2].op, WEFT_CANCELLED); /* queues for the place */
    weft_pool_abort(&calls[0].op, WEFT_CANCELLED); /* has it, waits for a connection */
    connect();
    weft_pool_abort(&calls[1].op, WEFT_CANCELLED); /* runs */
    answer_until(&ended, 4);
    for (int i = 0; i < 3; i++) expect_int(calls[i].err.kind, WEFT_CANCELLED);
    expect(!calls[3].failed);
    stop();
  }
  it("fails a writer that waits too long for its place") {
    start(LITE, 4);
    fake->writer = "file";
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = 4}, NULL, NULL);
    lease(0, WEFT_LEASE_WRITE);
    connect();
    submit(0, WRITE);
    lease(1, WEFT_LEASE_WRITE);
    skip(5 * S + 2 * MS);
    expect_int(calls[0].err.kind, WEFT_POOL_TIMEOUT);
    expect(strstr(calls[0].err.message, "writer's place") != NULL);
    expect_int(leases[1].err.kind, WEFT_POOL_TIMEOUT);
    weft_lease_release(&leases[0].lease);
    stop();
  }
  it("runs reads that end at once on one connection, however many there are") {
    start_eager(LITE, 4);
    for (int i = 0; i < CALLS; i++) {
      submit(i, i % 2 ? KEY : LONG);
      expect_int(calls[i].done, 1);
    }
    expect_int(fake->opened, 1);
    stop();
  }
  it("runs a thousand waiting writes one after another without nesting them") {
    start(LITE, 2);
    fake->writer = "file";
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = 2}, NULL, NULL);
    for (int i = 0; i < CALLS; i++) submit(i, WRITE);
    fake->eager = true;
    connect();
    expect_int(ended, CALLS);
    for (int i = 1; i < CALLS; i++) expect(calls[i].order == calls[i - 1].order + 1);
    stop();
  }
  it("keeps to the driver's number of connections") {
    start(LITE, 4);
    fake->limit = 1;
    weft_pool_close(pool, 0);
    pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = 4}, NULL, NULL);
    for (int i = 0; i < 10; i++) submit(i, (enum kind)(i % KINDS));
    connect();
    expect_int(stats().max, 1);
    answer_until(&ended, 10);
    expect_int(fake->opened, 1);
    stop();
  }
}

/* ---- closing ---- */

static void close_inside(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  on_done(op, rows, err);
  if (pool) weft_pool_close(pool, 0);
  pool = NULL;
}

static void closing(void) {
  it("fails what waits and what comes, and ends what is in flight") {
    start(PG, 2);
    lease(0, WEFT_LEASE_WRITE);
    connect();
    submit(0, RAW);
    submit(1, KEY);
    connect();
    weft_pool_close(pool, 0);
    pool = NULL;
    expect_int(calls[0].err.kind, WEFT_CLOSED);
    expect(calls[1].failed);
    expect_int(leases[0].lost, 1);
    weft_lease_release(&leases[0].lease);
    stop();
  }
  it("lets what is in flight end within its grace") {
    start(PG, 4);
    submit(0, WRITE);
    submit(1, WRITE);
    connect();
    weft_pool_close(pool, S);
    submit(2, WRITE);
    expect_int(calls[2].err.kind, WEFT_CLOSED);
    weft_fake_answer(weft_fake_conn(fake, 0));
    expect(calls[0].done && !calls[0].failed);
    skip(S + 2 * MS);
    expect(calls[1].failed);
    pool = NULL;
    stop();
  }
  it("may be closed by the end of its own statement") {
    for (int shared = 0; shared < 2; shared++) {
      start(PG, 2);
      open_one();
      for (int i = 0; i < 3; i++) {
        struct call *c = &calls[i];
        *c = (struct call){.op = {.plan = plans[shared ? KEY : WRITE], .repeat = 1, .done = close_inside}};
        weft_pool_submit(pool, &c->op);
      }
      turn();
      weft_fake_answer(weft_fake_conn(fake, 0));
      turn();
      for (int i = 0; i < 3; i++) expect_int(calls[i].done, 1);
      stop();
    }
  }
}

/* ---- anything at any time ---- */

static uint64_t dice_state;
static uint32_t dice(uint32_t n) {
  dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(dice_state >> 33) % n;
}

static void random_step(int *next) {
  uint32_t what = dice(100), open = fake->open;
  struct weft_conn *c = open ? weft_fake_conn(fake, dice(open)) : NULL;
  int i = *next % CALLS;
  if (what < 40 && (calls[i].done || !calls[i].op.plan)) {
    int64_t deadline = dice(4) ? 0 : weft_loop_now(loop) + (int64_t)dice(300) * MS;
    submit_until(i, (enum kind)dice(KINDS), deadline);
    ++*next;
  } else if (what < 65) {
    if (c) weft_fake_answer(c);
  } else if (what < 70) {
    struct call *k = &calls[dice(CALLS)];
    if (k->op.plan && !k->done) weft_pool_abort(&k->op, WEFT_CANCELLED);
  } else if (what < 72) {
    if (c) weft_fake_lose(c);
  } else if (what < 80) {
    weft_fake_open(fake);
  } else if (what < 81) {
    fake->dead = !dice(3);
  } else if (what < 90) {
    int k = (int)dice(8);
    struct weft_lease *l = &leases[k].lease;
    struct call *mine = &calls[CALLS - 8 + k];
    bool free = mine->done || !mine->op.plan;
    if (l->conn && free && dice(2)) run_on(l, CALLS - 8 + k, plans[WRITE]);
    else if (l->pool) weft_lease_release(l);
    else lease(k, (enum weft_lease_kind)dice(3));
  } else if (what < 95) {
    weft_loop_skip(loop, (int64_t)dice(400) * MS);
  } else {
    turn();
  }
}

static void stress(uint32_t caps, uint32_t max, uint64_t seed) {
  start(caps, max);
  fake->writer = "file";
  weft_pool_close(pool, 0);
  pool = weft_pool_new(loop, &fake->settings, writers, &(struct weft_pool_options){.max = max}, NULL, NULL);
  dice_state = seed;
  for (int k = 0, next = 0; k < 4000; k++) {
    if (next % CALLS >= CALLS - 8) next = 0;
    random_step(&next);
    struct weft_pool_stats s = stats();
    if (!expect(s.open + s.opening <= max && fake->open + fake->opening <= max)) break;
  }
  fake->dead = false;
  for (int i = 0; i < 8; i++) weft_lease_release(&leases[i].lease);
  for (int i = 0; i < 300; i++) {
    connect();
    weft_fake_answer_all(fake);
    skip(100 * MS);
  }
  for (int i = 0; i < CALLS; i++)
    if (calls[i].op.plan) expect_int(calls[i].done, 1);
  struct weft_pool_stats s = stats();
  expect_int(s.waiting + s.inflight + s.leased + s.sharing, 0);
  for (int kind = 0; kind < KINDS; kind++) { /* it still works */
    struct call *c = submit(kind, (enum kind)kind);
    answer_until(&c->done, 1);
    expect(!c->failed);
  }
  stop();
}

static void anything(void) {
  static const uint32_t caps[] = {PG, LITE, WEFT_DRIVER_PIPELINES};
  static const uint32_t max[] = {1, 2, 4};
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++)
      it("ends every statement once whatever happens, and is in order afterwards")
        for (uint64_t seed = 1; seed <= 5; seed++) stress(caps[i], max[k], seed);
}

int main(void) {
  struct weft_error err;
  weft_loop_new(NULL, &loop, &err);
  weft_loop_skip(loop, 0); /* time stands still from here */
  describe("pool") {
    describe("opening") { opening(); }
    describe("sharing") { sharing(); }
    describe("waiting") { waiting(); }
    describe("deadlines") { deadlines(); }
    describe("loss") { loss(); }
    describe("life") { lives(); }
    describe("leases") { leasing(); }
    describe("writers") { writing(); }
    describe("closing") { closing(); }
    describe("at random") { anything(); }
  }
  weft_loop_free(loop);
  return spec_end();
}
