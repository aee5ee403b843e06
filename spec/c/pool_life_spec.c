/* SPDX-License-Identifier: MIT */
#include "pool_support.h"

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

/* ---- after a freeze ---- */

static void checking(void) {
  it("uses an idle connection again once it has answered") {
    start(PG, 4);
    open_one();
    weft_pool_check(pool);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 1);
    submit(0, WRITE);
    turn();
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 1);
    expect_int(fake->opening, 0);
    answer_until(&ended, 1);
    expect(!calls[0].failed);
    expect_int(stats().opened, 1);
    stop();
  }
  it("replaces one that is gone before a statement is sent") {
    start(PG, 4);
    open_one();
    weft_pool_check(pool);
    submit(0, WRITE);
    weft_fake_lose(weft_fake_conn(fake, 0));
    answer_until(&ended, 1);
    expect(!calls[0].failed);
    expect_int(stats().opened, 2);
    stop();
  }
  it("closes at once what is known to be closed") {
    start(PG, 4);
    open_one();
    fake->silent_peer = true;
    weft_pool_check(pool);
    turn();
    expect_int(stats().open, 0);
    stop();
  }
  it("opens another connection when no answer comes soon, and closes the silent one") {
    start(PG, 4);
    open_one();
    weft_pool_check(pool);
    submit(0, WRITE);
    skip(51 * MS);
    expect_int(fake->opening, 1);
    connect();
    turn();
    expect_int(weft_fake_sent(weft_fake_conn(fake, 1)), 1);
    skip(5 * S);
    expect_int(fake->closed, 1);
    expect_int(calls[0].done, 0);
    answer_until(&ended, 1);
    expect(!calls[0].failed);
    stop();
  }
  it("leaves alone what is in use, and files") {
    start(PG, 4);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    weft_pool_check(pool);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 0);
    weft_lease_release(l);
    stop();
    start(LITE, 4);
    open_one();
    weft_pool_check(pool);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 0);
    stop();
  }
  it("may be asked for twice, and ends with the pool") {
    start(PG, 4);
    open_one();
    weft_pool_check(pool);
    weft_pool_check(pool);
    expect_int(weft_fake_sent(weft_fake_conn(fake, 0)), 1);
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
  it("waits for a connection that is being cleaned rather than open another, for a while") {
    start(PG, 4);
    struct weft_lease *l = lease(0, WEFT_LEASE_WRITE);
    connect();
    run_on(l, 0, begin);
    weft_fake_answer_all(fake);
    weft_lease_release(l);
    submit(1, RAW);
    expect_int(fake->opening, 0);
    skip(51 * MS);
    expect_int(fake->opening, 1);
    weft_fake_answer_all(fake);
    expect(calls[1].done && !calls[1].failed);
    stop();
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
        *c = (struct call){
            .op = {.plan = plans[shared ? KEY : WRITE], .repeat = 1, .done = close_inside}};
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

static void facts(void) {
  describe("deadlines") {
    deadlines();
  }
  describe("loss") {
    loss();
  }
  describe("a check") {
    checking();
  }
  describe("life") {
    lives();
  }
  describe("leases") {
    leasing();
  }
  describe("closing") {
    closing();
  }
}

int main(void) { return pool_facts(facts); }
