/* SPDX-License-Identifier: MIT */
#include "pool_support.h"

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
    pool = reopen_patient(4); /* the longest of these waits is as long as the pool's own */
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
  it("lets a statement share that was short when it came") {
    start(PG, 4);
    for (int i = 0; i < 3; i++) submit(i, RAW);
    connect();
    submit(3, SHORT);
    plans[SHORT]->estimate_ns = 100 * MS; /* learned while it waits */
    connect();
    turn();
    expect_int(weft_fake_conn(fake, 3)->inflight, 1);
    answer_until(&ended, 4);
    stop();
  }
  it("shares a look-up by key in spite of a slow machine") {
    start(PG, 4);
    open_one();
    plans[KEY]->estimate_ns = 100 * MS;
    submit(0, KEY);
    expect_int(stats().sharing, 1);
    weft_fake_answer_all(fake);
    plans[KEY]->estimate_ns = 300 * MS;
    submit(1, KEY);
    expect_int(stats().sharing, 0);
    weft_fake_answer_all(fake);
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

static void facts(void) {
  describe("opening") {
    opening();
  }
  describe("sharing") {
    sharing();
  }
  describe("waiting") {
    waiting();
  }
}

int main(void) { return pool_facts(facts); }
