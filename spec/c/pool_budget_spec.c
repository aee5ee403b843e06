/* SPDX-License-Identifier: MIT */
/* Two pools that share what they may have open, as an app and the one that takes its place. */
#include "pool_support.h"

static struct weft_pool *older, *newer;
static struct weft_budgets *budgets;

static void begin(uint32_t caps, uint32_t max) {
  start(caps, max);
  weft_pool_close(pool, 0);
  budgets = weft_budgets_new();
  struct weft_pool_options o = {.max = max, .budget = weft_budgets_get(budgets, WEFT_LIT("shop"))};
  older = weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
  newer = weft_pool_new(loop, &fake->settings, writers, &o, NULL, NULL);
}

static void end(void) {
  weft_pool_close(older, 0);
  weft_pool_close(newer, 0);
  turn();
  pool = NULL;
  stop();
  weft_budgets_free(budgets);
}

static void use(struct weft_pool *p, int first, int n, enum kind kind) {
  pool = p;
  for (int i = first; i < first + n; i++) submit(i, kind);
}

static void sharing(void) {
  it("gives an idle connection's place to the pool that needs one") {
    begin(PG, 3);
    use(older, 0, 1, KEY);
    use(older, 1, 2, RAW);
    answer_until(&ended, 3);
    expect_int(fake->open, 3);
    use(newer, 3, 1, KEY);
    use(newer, 4, 2, RAW);
    answer_until(&ended, 6);
    for (int i = 3; i < 6; i++) expect(calls[i].done == 1 && !calls[i].failed);
    expect_int(fake->most, 3);
    end();
  }
  it("waits for what is in use, and then comes first") {
    begin(PG, 1);
    use(older, 0, 1, RAW);
    connect();
    use(newer, 1, 1, RAW);
    use(older, 2, 1, RAW); /* waits in the pool that has the connection */
    turn();
    expect_int(fake->opening, 0);
    answer_until(&ended, 3);
    expect_int(calls[1].order, 2);
    expect_int(calls[2].order, 3);
    expect_int(fake->most, 1);
    end();
  }
  it("has pipelines run dry") {
    begin(PG, 1);
    use(older, 0, 3, KEY);
    connect();
    use(newer, 3, 1, KEY);
    use(older, 4, 1, KEY); /* would keep it busy */
    answer_until(&ended, 5);
    for (int i = 0; i < 5; i++) expect(calls[i].done == 1 && !calls[i].failed);
    expect_int(fake->most, 1);
    end();
  }
  it("goes on when the other pool is closed, whatever it was doing") {
    begin(PG, 2);
    use(older, 0, 1, KEY);
    use(older, 1, 1, RAW);
    connect();
    use(newer, 2, 1, KEY);
    use(newer, 3, 1, RAW);
    turn();
    expect_int(fake->opening, 0);
    weft_pool_close(older, 0);
    expect(calls[0].failed && calls[1].failed);
    answer_until(&ended, 4);
    expect(!calls[2].failed && !calls[3].failed);
    expect_int(fake->most, 2);
    older = weft_pool_new(loop, &fake->settings, writers, NULL, NULL, NULL);
    end();
  }
  it("never passes the budget with both at work") {
    begin(PG, 3);
    fake->eager = true;
    for (int round = 0; round < 50; round++) {
      use(round % 2 ? older : newer, round * 8, 4, round % 3 ? RAW : KEY);
      use(round % 2 ? newer : older, round * 8 + 4, 4, LONG);
      if (round % 5 == 0) turn();
    }
    answer_until(&ended, 400);
    expect_int(ended, 400);
    expect(fake->most <= 3);
    end();
  }
}

static void facts(void) {
  describe("pools with one budget") {
    sharing();
  }
}

int main(void) { return pool_facts(facts); }
