/* SPDX-License-Identifier: MIT */
/* Random interleavings of calls, transactions, batches, answers, losses and cancellations: whatever comes
   in whatever order, every call ends exactly once and nothing is left. */
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"

enum { CALLS = 24, TXS = 3, STEPS = 300, SEEDS = 300 };

struct one {
  struct weft_call call;
  struct weft_hook hook;
  int finished;
  bool used;
};

static struct run {
  struct world w;
  struct weft_fake *fake;
  struct weft_relation *relation;
  struct weft_query *query;
  struct one calls[CALLS];
  struct weft_tx *tx[TXS];
  uint64_t random;
  int started, ended, twice;
} r;

static uint32_t below(uint32_t n) {
  r.random ^= r.random << 13;
  r.random ^= r.random >> 7;
  r.random ^= r.random << 17;
  return (uint32_t)(r.random >> 11) % n;
}

static int answer(void *ud, const struct weft_op *op, struct weft_rows **rows,
                  struct weft_error *err) {
  (void)ud;
  if (strcmp(op->plan->sql.p, weft_dialect_sqlite.catalog) == 0) {
    *rows = catalog_rows("id");
    return 0;
  }
  bool control = op->plan->flags & WEFT_PLAN_CONTROL;
  if (below(control ? 40 : 8) == 0) {
    static const enum weft_kind kinds[] = {WEFT_UNIQUE, WEFT_SYNTAX, WEFT_SERIALIZATION, WEFT_TYPE};
    if (op->conn->tx == WEFT_TX_OPEN && below(2)) op->conn->tx = WEFT_TX_FAILED;
    return weft_fail(err, kinds[below(4)], "it failed");
  }
  if (strncmp(op->plan->sql.p, "ROLLBACK TO", 11) == 0) op->conn->tx = WEFT_TX_OPEN;
  return 0;
}

static void let_go(int i) {
  struct weft_tx *tx = r.tx[i];
  r.tx[i] = NULL;
  weft_tx_free(tx);
}

static void finished(struct weft_call *call) {
  struct one *o = WEFT_CONTAINER(call, struct one, call);
  r.ended++;
  if (++o->finished > 1) r.twice++;
  if (below(30) == 0) let_go(0); /* user code ends its transaction from here */
}

static struct one *take(void) {
  for (int tries = 0; tries < CALLS; tries++) {
    struct one *o = &r.calls[below(CALLS)];
    if (o->used && !o->call.done) continue;
    if (o->used) weft_call_reset(&o->call);
    weft_call_init(&o->call, finished, NULL);
    weft_list_init(&o->hook.link);
    o->used = true;
    o->finished = 0;
    if (below(6) == 0) o->call.deadline = weft_loop_now(r.w.loop) + (int64_t)below(4000000);
    r.started++;
    return o;
  }
  return NULL;
}

static struct weft_tx *some_tx(void) {
  static const struct weft_tx_options options[] = {
      {.isolation = WEFT_ISOLATION_DEFAULT}, {.read_only = true}, {.session = true}};
  uint32_t i = below(TXS);
  if (!r.tx[i]) r.tx[i] = weft_tx_new(r.w.db, &options[below(8) == 0 ? 2 : below(4) == 0]);
  return r.tx[i];
}

static void find_now(struct weft_hook *hook) {
  struct one *o = WEFT_CONTAINER(hook, struct one, hook);
  struct weft_value key = weft_int(below(5));
  weft_db_find(r.relation, NULL, r.query, &key, 1, true, &o->call);
}

static void act_on_tx(struct one *o) {
  static void (*const verbs[])(struct weft_tx *, struct weft_call *) = {
      weft_tx_savepoint, weft_tx_release, weft_tx_rollback_to, weft_tx_commit, weft_tx_rollback};
  struct weft_tx *tx = some_tx();
  uint32_t what = below(9);
  if (what < 5) verbs[what](tx, &o->call);
  else if (what == 5) weft_db_query(r.relation, tx, r.query, &o->call);
  else weft_db_raw(r.w.db, tx, below(2) ? WEFT_LIT("insert 1") : WEFT_LIT("select 1"), NULL, 0, &o->call);
}

static void act(void) {
  uint32_t what = below(20);
  struct weft_conn *c = weft_fake_conn(r.fake, below(3));
  struct one *o = what < 9 ? take() : NULL;
  if (what < 9 && !o) return;
  switch (what) {
    case 0: weft_db_query(r.relation, NULL, r.query, &o->call); break;
    case 1: weft_db_raw(r.w.db, NULL, below(2) ? WEFT_LIT("insert 1") : WEFT_LIT("create t"), NULL, 0, &o->call); break;
    case 2:
      if (below(8) == 0) weft_db_script(r.w.db, WEFT_LIT("a; b"), &o->call);
      else weft_db_discover(r.relation, NULL, &o->call);
      break;
    case 3: case 4: weft_loop_defer(r.w.loop, &o->hook); o->hook.run = find_now; break;
    case 5: case 6: case 7: case 8: act_on_tx(o); break;
    case 9:
      if (r.calls[what = below(CALLS)].used)
        weft_call_abort(&r.calls[what].call, below(2) ? WEFT_TIMEOUT : WEFT_CANCELLED);
      break;
    case 10:
      let_go((int)below(TXS));
      break;
    case 11: if (c && below(4) == 0) weft_fake_lose(c); break;
    case 12: weft_fake_open(r.fake); break;
    case 13: turn(&r.w); break;
    case 14: r.fake->dead = below(4) == 0; break;
    default: if (c) weft_fake_answer(c);
  }
}

static bool run(uint64_t seed, uint32_t caps, bool eager) {
  struct weft_db_options o = {.pool = {.max = 1 + seed % 4, .wait_ns = 3000000}};
  struct weft_error err;
  memset(&r, 0, sizeof r);
  r.random = seed * 2654435761u + 1;
  if (weft_context_new(NULL, &r.w.context, &err)) return false;
  r.w.loop = weft_context_loop(r.w.context);
  r.fake = weft_fake_new(r.w.loop, caps);
  r.fake->answer = answer;
  r.fake->eager = eager;
  if (caps & WEFT_DRIVER_ONE_WRITER) r.fake->writer = "file";
  r.w.db = weft_db_new(r.w.context, WEFT_LIT("shop"), &r.fake->settings, &o);
  r.relation = relation(r.w.db, "t");
  r.query = weft_query_from(weft_relation_table(r.relation));
  for (int i = 0; i < STEPS; i++) act();
  turn(&r.w);
  weft_db_ref(r.w.db);
  weft_db_close(r.w.db, below(2) ? 1000000 : 0);
  for (int i = 0; i < 20; i++) {
    weft_fake_open(r.fake);
    weft_fake_answer_all(r.fake);
    turn(&r.w);
  }
  bool late = below(2);
  for (int i = 0; i < TXS && !late; i++) let_go(i);
  weft_context_free(r.w.context);
  for (int i = 0; i < TXS && late; i++) let_go(i);
  weft_db_unref(r.w.db);
  for (int i = 0; i < CALLS; i++)
    if (r.calls[i].used) weft_call_reset(&r.calls[i].call);
  weft_query_unref(r.query);
  weft_fake_free(r.fake);
  struct weft_live live;
  weft_live(&live);
  long left = live.contexts + live.databases + live.connections + live.leases + live.calls + live.rows;
  bool good = r.started == r.ended && r.twice == 0 && left == 0;
  if (!good)
    printf("seed %d caps %u eager %d: %d started, %d ended, %d twice; live %ld %ld %ld %ld %ld %ld\n",
           (int)seed, (unsigned)caps, eager, r.started, r.ended, r.twice, live.contexts, live.databases,
           live.connections, live.leases, live.calls, live.rows);
  return good;
}

int main(int argc, char **argv) {
  static const uint32_t caps[] = {WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS, WEFT_DRIVER_CANCELS,
                                  WEFT_DRIVER_ONE_WRITER};
  int from = argc > 1 ? atoi(argv[1]) : 1, to = argc > 1 ? from + 1 : SEEDS;
  describe("whatever comes in whatever order") {
    it("every call ends once and nothing is left") {
      bool good = true;
      for (int seed = from; seed < to && good; seed++)
        for (int k = 0; k < 6 && good; k++) good = run((uint64_t)seed, caps[k / 2], k % 2);
      expect(good);
    }
  }
  return spec_end();
}
