/* SPDX-License-Identifier: MIT */
#include "pool_support.h"

/* ---- one writer ---- */

static void writing(void) {
  it("lets one write at a time, and reads go on") {
    start(LITE, 4);
    fake->writer = "file";
    pool = reopen(4);
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
    for (int i = 0; i < 2; i++)
      p[i] = weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
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
    pool = reopen(2);
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
    pool = reopen(4);
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
    pool = reopen(2);
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
    pool = reopen(4);
    for (int i = 0; i < 10; i++) submit(i, (enum kind)(i % KINDS));
    connect();
    expect_int(stats().max, 1);
    answer_until(&ended, 10);
    expect_int(fake->opened, 1);
    stop();
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
  pool = reopen(max);
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

static void facts(void) {
  describe("writers") {
    writing();
  }
  describe("at random") {
    anything();
  }
}

int main(void) { return pool_facts(facts); }
