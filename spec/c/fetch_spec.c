/* SPDX-License-Identifier: MIT */
/* Trees against two scripted servers: the order of statements, the snapshots, and every way to fail. */
#include "fetch_support.h"

/* shops -> items -> parts, each in the database whose number is given. */
static struct weft_level *items_and_parts(struct servers *s, int items, int parts) {
  return LEVEL(.db = s->db[items], .name = "items", .table = "items", .parent = "shop_id", .asked = "shop_id",
               .below = {LEVEL(.db = s->db[parts], .name = "parts", .table = "parts",
                               .parent = "item_id", .asked = "item_id")});
}

static bool answered(struct servers *s, const char *want) {
  bool same = expect_str(s->log, want);
  s->log[0] = 0;
  return same;
}

static void facts_of_order(void) {
  struct servers s;
  struct weft_fetch f;
  describe("a fetch") {
    it("reads the levels of one database in one snapshot") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 0);
      s.per = 2;
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &items, 1);
      answer_all(&s);
      if (expect(f.done && !f.running && !f.error.kind)) {
        expect_int(f.tree->rows->nrows, 3);
        expect_int(f.tree->rows->ncols, 2);
        expect_str(shown(f.tree->branches[0].links), "1(1 2) 2(3 4) 3(5 6)");
        struct weft_tree *t = f.tree->branches[0].tree;
        expect_int(t->rows->nrows, 6);
        expect_str(shown(t->branches[0].links), "1(1 2) 2(3 4) 3(5 6) 4(7 8) 5(9 10) 6(11 12)");
      }
      answered(&s, "0:begin 0:shops 0:items/3 0:parts/6 0:rollback");
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("opens no snapshot for a single level of a database") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *owner = LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id");
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owner, 1);
      answer_all(&s);
      expect(f.done && !f.error.kind);
      answered(&s, "0:shops 1:owners/3");
      expect_clean(&f);
      weft_level_unref(owner);
      servers_close(&s);
    }
    it("gives a snapshot back before it asks another database") {
      struct weft_live live;
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *v[] = {items_and_parts(&s, 0, 1),
                                LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                      .parent = "owner_id", .asked = "owner_id")};
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", v, 2);
      while (s.fake[1]->opening == 0 && answer_one(&s)) continue;
      weft_live(&live);
      expect_int(live.leases, 0);
      answered(&s, "0:begin 0:shops 0:items/3");
      answer_all(&s);
      expect(f.done && !f.error.kind);
      expect_clean(&f);
      weft_level_unref(v[0]);
      weft_level_unref(v[1]);
      servers_close(&s);
    }
    it("opens a new snapshot when a tree comes back to a database") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 0);
      struct weft_level *owners = LEVEL(.db = s.db[1], .name = "owners", .table = "shops",
                                        .parent = "owner_id", .asked = "owner_id", .below = {items});
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owners, 1);
      answer_all(&s);
      expect(f.done && !f.error.kind);
      answered(&s, "0:shops 1:shops/3 0:begin 0:items/3 0:parts/3 0:rollback");
      expect_clean(&f);
      weft_level_unref(owners);
      servers_close(&s);
    }
    it("sends all levels of a database together where it pays, and those of others behind") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      s.per = 2;
      struct weft_level *v[] = {
          LEVEL(.db = s.db[0], .name = "items", .table = "items", .parent = "shop_id", .asked = "shop_id",
                .direct = true,
                .below = {LEVEL(.db = s.db[0], .name = "parts", .table = "parts", .parent = "item_id",
                                .asked = "item_id", .direct = true)}),
          LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true, .parent = "owner_id",
                .asked = "owner_id")};
      weft_fetch_init(&f, note_fetched, NULL);
      start_flight(&f, s.db[0], "shops", v, 2);
      weft_fake_open(s.fake[0]);
      expect_int(s.fake[0]->submitted, 5);
      expect_int(s.fake[0]->flushes, 1);
      answer_all(&s);
      answered(&s, "0:begin 0:shops 0:items+1 0:parts+2 0:commit 1:owners/3");
      if (expect(f.done && !f.error.kind)) {
        struct weft_tree *t = f.tree->branches[0].tree;
        expect_str(shown(f.tree->branches[0].links), "1(1 2) 2(3 4) 3(5 6)");
        expect_str(shown(t->branches[0].links), "1(1 2) 2(3 4) 3(5 6) 4(7 8) 5(9 10) 6(11 12)");
      }
      expect_clean(&f);
      weft_level_unref(v[0]);
      weft_level_unref(v[1]);
      servers_close(&s);
    }
    it("sends none together when one of them cannot be: all read the same snapshot") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = LEVEL(.db = s.db[0], .name = "items", .table = "items", .parent = "shop_id",
                                       .asked = "shop_id", .direct = true,
                                       .below = {LEVEL(.db = s.db[0], .name = "parts", .table = "parts",
                                                       .parent = "item_id", .asked = "item_id")});
      weft_fetch_init(&f, note_fetched, NULL);
      start_flight(&f, s.db[0], "shops", &items, 1);
      answer_all(&s);
      expect(f.done && !f.error.kind);
      answered(&s, "0:begin 0:shops 0:items/3 0:parts/3 0:rollback");
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("asks for 1,200 keys in three statements") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      s.roots = 1200;
      struct weft_level *owner = LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id");
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owner, 1);
      answer_all(&s);
      answered(&s, "0:shops 1:owners/500 1:owners/500 1:owners/200");
      if (expect(f.done && !f.error.kind)) {
        expect_int(f.tree->branches[0].tree->rows->nrows, 1200);
        expect_int(f.tree->branches[0].links->start[1200], 1200);
        expect_int(f.tree->branches[0].links->child[1199], 1199);
      }
      expect_clean(&f);
      weft_level_unref(owner);
      servers_close(&s);
    }
    it("has at most eight statements of a level under way, and joins them in the order of their keys") {
      struct weft_db_options wide = {.pool = {.max = 64}};
      if (!servers_open(&s, ONE_BY_ONE, &wide)) return;
      s.roots = 40;
      struct weft_level *owner = LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id", .chunk = 2);
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owner, 1);
      while (weft_fake_open(s.fake[0])) continue;
      weft_fake_answer_all(s.fake[0]);
      for (int i = 0; i < 20 && !f.done; i++) {
        struct weft_live live;
        while (weft_fake_open(s.fake[1])) continue;
        weft_live(&live);
        expect_int(live.calls, i < 13 ? 8 : 20 - i);
        for (uint32_t k = s.fake[1]->open; k-- > 0;) /* the youngest connection first */
          if (weft_fake_answer(weft_fake_conn(s.fake[1], k))) break;
      }
      if (expect(f.done && !f.error.kind))
        for (uint32_t i = 0; i < 40; i++) expect_int(f.tree->branches[0].links->child[i], i);
      expect_int(s.fake[1]->submitted, 20);
      expect_clean(&f);
      weft_level_unref(owner);
      servers_close(&s);
    }
    it("asks for nothing below no rows") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 1);
      s.roots = 0;
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &items, 1);
      answer_all(&s);
      if (expect(f.done && !f.error.kind)) {
        expect_int(f.tree->branches[0].links->nparents, 0);
        expect_int(f.tree->branches[0].tree->rows->nrows, 0);
        expect_int(f.tree->branches[0].tree->branches[0].links->nparents, 0);
      }
      answered(&s, "0:begin 0:shops 0:rollback");
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("holds what it needs of its levels until it is reset") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 1);
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &items, 1);
      weft_level_unref(items);
      s.fails = "1:parts";
      answer_all(&s);
      if (expect(f.done && f.failed)) expect_mem(f.failed->name.p, f.failed->name.n, "parts", 5);
      expect_clean(&f);
      servers_close(&s);
    }
    it("fetches below rows that are there") {
      struct weft_column c = {.name = WEFT_LIT("shop_id"), .type = WEFT_ANY};
      struct weft_columns *columns = weft_columns_new(&c, 1);
      struct weft_rows *rows = weft_rows_new(columns, 3);
      weft_columns_unref(columns);
      for (int i = 0; i < 4; i++) weft_rows_add(rows)[0] = i == 1 ? weft_null() : weft_int(i % 3);
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 1);
      weft_fetch_init(&f, note_fetched, NULL);
      weft_fetch_below(&f, rows, &items, 1);
      weft_rows_unref(rows);
      answer_all(&s);
      answered(&s, "0:items/2 1:parts/2");
      if (expect(f.done && !f.error.kind))
        expect_str(shown(f.tree->branches[0].links), "1(1) 2() 3(2) 4(1)");
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
  }
}

static void facts_of_places(void) {
  struct servers s;
  struct weft_fetch f;
  static const struct weft_tx_options o = {.read_only = false};
  describe("a fetch inside of a transaction") {
    it("runs there, and leaves it open") {
      struct weft_call call;
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 1);
      struct weft_tx *tx = weft_tx_new(s.db[0], &o);
      struct weft_fetch_place place = {.db = s.db[0], .tx = tx, .level = 1};
      weft_fetch_init(&f, note_fetched, NULL);
      f.places = &place;
      f.nplaces = 1;
      start_fetch(&f, s.db[0], "shops", &items, 1);
      answer_all(&s);
      expect(f.done && !f.error.kind);
      answered(&s, "0:begin 0:shops 0:items/3 1:parts/3");
      weft_fetch_reset(&f);
      weft_call_init(&call, note_finished, NULL);
      weft_tx_commit(tx, &call);
      answer_all(&s);
      expect(call.done && !call.error.kind);
      answered(&s, "0:COMMIT");
      weft_tx_free(tx);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("holds the transaction until it ended") {
      if (!servers_open(&s, PIPELINED, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 1, 0);
      struct weft_tx *tx = weft_tx_new(s.db[0], &o);
      struct weft_fetch_place place = {.db = s.db[0], .tx = tx, .level = 1};
      weft_fetch_init(&f, note_fetched, NULL);
      f.places = &place;
      f.nplaces = 1;
      start_fetch(&f, s.db[1], "shops", &items, 1);
      weft_tx_free(tx);
      answer_all(&s);
      expect(f.done);
      expect_int(f.error.kind, WEFT_USAGE); /* it has ended */
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
  }
}

/* ---- every point of failure ---- */

struct tree_case {
  const char *name;
  int items, parts, root;
};
static const struct tree_case cases[] = {
    {"one database", 0, 0, 0}, {"there and back", 1, 0, 0}, {"two levels elsewhere", 1, 1, 0}};

/* shops -> items -> parts and shops -> owners, in chunks of two; levels are given to out. */
static void levels_of(struct servers *s, const struct tree_case *c, struct weft_level *out[2]) {
  out[0] = LEVEL(.db = s->db[c->items], .name = "items", .table = "items", .parent = "shop_id",
                 .asked = "shop_id", .chunk = 2, .direct = true,
                 .below = {LEVEL(.db = s->db[c->parts], .name = "parts", .table = "parts", .direct = true,
                                 .parent = "item_id", .asked = "item_id", .chunk = 2)});
  out[1] = LEVEL(.db = s->db[1], .name = "owner", .table = "owners", .parent = "owner_id",
                 .asked = "owner_id", .one = true);
}

static void unref_levels(struct weft_level *v[2]) {
  weft_level_unref(v[0]);
  weft_level_unref(v[1]);
}

/* How a fetch is driven. */
struct way {
  uint32_t caps;
  bool eager; /* answers come by themselves */
  bool together;
};
static const struct way ways[] = {{PIPELINED, false, false},
                                  {PIPELINED, true, false},
                                  {PIPELINED, false, true},
                                  {PIPELINED, true, true},
                                  {ONE_BY_ONE, false, false},
                                  {ONE_BY_ONE, true, false},
                                  {WEFT_DRIVER_ONE_WRITER, false, false},
                                  {WEFT_DRIVER_ONE_WRITER, true, false}};
enum { WAYS = sizeof ways / sizeof *ways };

static void start_way(struct servers *s, struct weft_fetch *f, const struct way *way, int db,
                      struct weft_level *v[2]) {
  s->fake[0]->eager = s->fake[1]->eager = way->eager;
  finished_fetches = 0;
  weft_fetch_init(f, note_fetched, NULL);
  if (way->together) start_flight(f, s->db[db], "shops", v, 2);
  else start_fetch(f, s->db[db], "shops", v, 2);
}

/* With the n-th answer a failure; false: there were fewer. */
static bool fails_at(const struct way *way, const struct tree_case *c, int n) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return false;
  levels_of(&s, c, v);
  s.per = 2;
  s.fails_at = n;
  start_way(&s, &f, way, c->root, v);
  answer_all(&s);
  bool failed = f.error.kind != WEFT_OK;
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  expect(failed == (f.tree == NULL));
  if (failed) expect_int(f.error.kind, WEFT_CHECK);
  if (failed) expect_str(f.error.message, "it failed");
  bool more = s.answers >= n;
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
  return more;
}

static void facts_of_failure(void) {
  describe("a statement that fails") {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) it(cases[k].name) {
        for (int i = 0; i < WAYS; i++) {
          int n = 1;
          while (n < 100 && fails_at(&ways[i], &cases[k], n)) n++;
          expect(n > 6 && n < 40);
        }
      }
    it("is told with its level, the root's with none") {
      struct servers s;
      struct weft_fetch f;
      static const char *const fails[] = {"0:begin", "0:shops", "0:items", "1:parts"};
      for (int n = 0; n < 4; n++) {
        if (!servers_open(&s, PIPELINED, NULL)) return;
        struct weft_level *items = items_and_parts(&s, 0, 1);
        weft_fetch_init(&f, note_fetched, NULL);
        s.fails = fails[n];
        start_fetch(&f, s.db[0], "shops", &items, 1);
        answer_all(&s);
        expect(f.done && f.failed == (n < 2 ? NULL : n == 2 ? items : items->below[0]));
        expect_clean(&f);
        weft_level_unref(items);
        servers_close(&s);
      }
    }
    it("is told when it could not even be sent, together or by keys") {
      struct servers s;
      struct weft_fetch f;
      for (int together = 0; together < 2; together++) {
        if (!servers_open(&s, PIPELINED, NULL)) return;
        struct weft_level *v[2] = {LEVEL(.db = s.db[0], .name = "items", .table = "items", .parent = "shop_id",
                                         .asked = "shop_id", .direct = true, .wants = "no number"),
                                   LEVEL(.db = s.db[0], .name = "owner", .table = "owners", .one = true,
                                         .parent = "owner_id", .asked = "owner_id", .direct = true)};
        start_way(&s, &f, &ways[2 * together], 0, v);
        answer_all(&s);
        expect(f.done && f.failed == v[0]);
        expect_int(f.error.kind, WEFT_TYPE);
        expect_clean(&f);
        unref_levels(v);
        servers_close(&s);
      }
    }
    it("is not followed by others, and those under way are given up") {
      struct weft_db_options wide = {.pool = {.max = 64}};
      struct servers s;
      struct weft_fetch f;
      if (!servers_open(&s, ONE_BY_ONE, &wide)) return;
      s.roots = 40;
      s.fails_at = 2;
      struct weft_level *owner = LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id", .chunk = 2);
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owner, 1);
      answer_all(&s);
      expect(f.done && f.error.kind == WEFT_CHECK && f.failed == owner);
      expect_int(s.fake[1]->submitted, 8);
      expect_int(s.fake[1]->cancels, 7);
      expect_clean(&f);
      weft_level_unref(owner);
      servers_close(&s);
    }
  }
}

/* ---- giving up ---- */

static struct weft_fetch *doomed;
static int events, abort_at;

static void abort_event(void *ud, enum weft_event what, const struct weft_event_info *info) {
  (void)ud, (void)what, (void)info;
  if (++events == abort_at) weft_fetch_abort(doomed, WEFT_CANCELLED);
}

/* Given up after n events or steps; false: it ended before. */
static bool aborts_at(const struct way *way, bool inside, const struct tree_case *c, int n) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return false;
  levels_of(&s, c, v);
  s.per = 2;
  doomed = &f;
  events = 0;
  abort_at = inside ? n : 0;
  if (inside) weft_context_on_event(s.w.context, abort_event, NULL);
  start_way(&s, &f, way, c->root, v);
  for (int i = 1; !inside && i < n && !f.done; i++)
    if (!answer_one(&s)) turn(&s.w);
  bool ended = f.done;
  if (!inside) weft_fetch_abort(&f, WEFT_TIMEOUT);
  answer_all(&s);
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  if (!inside && !ended) expect_int(f.error.kind, WEFT_TIMEOUT);
  if (f.error.kind) expect(f.tree == NULL);
  bool more = inside ? events >= n : !ended;
  weft_context_on_event(s.w.context, NULL, NULL);
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
  return more;
}

/* The connection of the first database goes away after n steps; given up at the event-th event, or not. */
static void loses_at(const struct way *way, int n, int event) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return;
  levels_of(&s, &cases[0], v);
  doomed = &f;
  abort_at = 0;
  weft_context_on_event(s.w.context, abort_event, NULL);
  start_way(&s, &f, way, 0, v);
  for (int i = 1; i < n && !f.done; i++)
    if (!answer_one(&s)) turn(&s.w);
  events = 0;
  abort_at = event;
  struct weft_conn *c = weft_fake_conn(s.fake[0], 0);
  if (c) weft_fake_lose(c);
  answer_all(&s);
  weft_context_on_event(s.w.context, NULL, NULL);
  answer_all(&s);
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  expect(f.error.kind ? f.tree == NULL : f.tree != NULL);
  struct weft_db_stats stats;
  weft_db_stats(s.db[0], &stats);
  expect_int(stats.pool.leased + stats.pool.inflight + stats.pool.waiting, 0);
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
}

static void fired(void *ud) { *(bool *)ud = true; }

/* Time passes, and what is due by then happens. */
static void skip(struct world *w, int64_t ns) {
  bool done = false;
  struct weft_timer *t = weft_timer_new(w->loop, fired, &done);
  weft_timer_start(t, weft_loop_now(w->loop) + ns);
  weft_loop_skip(w->loop, ns);
  pump(w, &done);
  weft_timer_free(t);
}

static void facts_of_giving_up(void) {
  describe("a fetch that is given up") {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) it(cases[k].name) {
        for (int i = 0; i < WAYS; i++)
          for (int inside = 0; inside < 2; inside++) {
            int n = 1;
            while (n < 100 && aborts_at(&ways[i], inside, &cases[k], n)) n++;
            expect(n < 100);
          }
      }
    it("while its connection is lost") {
      for (int n = 1; n < 40; n++)
        for (int at = 0; at < 6; at++)
          for (int i = 0; i < WAYS; i++) loses_at(&ways[i], n, at);
    }
    it("says so once, also when it is given up again") {
      struct servers s;
      struct weft_fetch f;
      if (!servers_open(&s, ONE_BY_ONE, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 0);
      finished_fetches = 0;
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &items, 1);
      weft_fetch_abort(&f, WEFT_CANCELLED);
      weft_fetch_abort(&f, WEFT_TIMEOUT);
      answer_all(&s);
      expect_int(finished_fetches, 1);
      expect_int(f.error.kind, WEFT_CANCELLED);
      weft_fetch_abort(&f, WEFT_TIMEOUT);
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("times out at its deadline, whatever it waits for") {
      for (int n = 0; n < 9; n++) {
        struct servers s;
        struct weft_fetch f;
        struct weft_level *v[2];
        if (!servers_open(&s, n % 2 ? PIPELINED : ONE_BY_ONE, NULL)) return;
        levels_of(&s, &cases[1], v);
        weft_loop_skip(s.w.loop, 1);
        weft_fetch_init(&f, note_fetched, NULL);
        f.deadline = weft_loop_now(s.w.loop) + 1000000000;
        start_fetch(&f, s.db[0], "shops", v, 2);
        for (int i = 0; i < n; i++) answer_one(&s);
        bool ended = f.done;
        skip(&s.w, 2000000000);
        answer_all(&s);
        expect(f.done && !ended);
        expect_int(f.error.kind, WEFT_TIMEOUT);
        expect_clean(&f);
        unref_levels(v);
        servers_close(&s);
      }
    }
    it("ends with its context") {
      for (int n = 0; n < 12; n++) {
        struct servers s;
        struct weft_fetch f;
        struct weft_level *v[2];
        if (!servers_open(&s, n % 2 ? PIPELINED : ONE_BY_ONE, NULL)) return;
        levels_of(&s, &cases[n % 3], v);
        weft_fetch_init(&f, note_fetched, NULL);
        start_fetch(&f, s.db[0], "shops", v, 2);
        for (int i = 0; i < n; i++) answer_one(&s);
        unref_levels(v);
        bool ended = f.done;
        weft_context_free(s.w.context);
        expect(f.done && (ended || f.error.kind));
        expect_clean(&f);
        for (int i = 0; i < 2; i++) weft_fake_free(s.fake[i]);
      }
    }
  }
}

/* ---- who holds what ---- */

/* Two fetches in opposite directions over pools of one connection, in a random order of events: neither
   ever holds a lease while it waits in the other database, so both end. */
static bool opposite(uint64_t seed, const struct way *way) {
  enum { N = 6 };
  struct weft_db_options sole = {.pool = {.max = 1}};
  struct servers s;
  struct weft_fetch f[N];
  struct weft_level *v[2][2];
  int left = 4000;
  if (!servers_open(&s, way->caps, &sole)) return false;
  for (int d = 0; d < 2; d++) {
    v[d][0] = LEVEL(.db = s.db[d], .name = "items", .table = "items", .parent = "shop_id", .asked = "shop_id",
                    .direct = true,
                    .below = {LEVEL(.db = s.db[!d], .name = "parts", .table = "parts", .parent = "item_id",
                                    .asked = "item_id",
                                    .below = {LEVEL(.db = s.db[!d], .name = "shops", .table = "shops",
                                                    .parent = "part_id", .asked = "shop_id")})});
    v[d][1] = LEVEL(.db = s.db[!d], .name = "owner", .table = "owners", .one = true, .parent = "owner_id",
                    .asked = "owner_id");
  }
  for (int i = 0; i < N; i++) {
    start_way(&s, &f[i], way, i % 2, v[i % 2]);
  }
  bool all = false;
  while (!all && left-- > 0) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    struct weft_fake *fake = s.fake[seed >> 40 & 1];
    struct weft_conn *c = weft_fake_conn(fake, 0);
    if (seed >> 41 & 1) turn(&s.w);
    else if (c) weft_fake_answer(c);
    else weft_fake_open(fake);
    all = true;
    for (int i = 0; i < N; i++) all &= f[i].done;
  }
  bool ok = all;
  for (int i = 0; i < N; i++) ok &= !f[i].error.kind;
  answer_all(&s);
  for (int i = 0; i < N; i++) weft_fetch_abort(&f[i], WEFT_CANCELLED);
  answer_all(&s);
  for (int i = 0; i < N; i++) weft_fetch_reset(&f[i]);
  for (int d = 0; d < 2; d++) unref_levels(v[d]);
  servers_close(&s);
  return ok;
}

static void facts_of_holding(void) {
  describe("fetches in opposite directions") {
    it("never wait for each other") {
      for (uint64_t seed = 1; seed <= 200; seed++)
        if (!expect(opposite(seed, &ways[seed % 3 * 2]))) break;
    }
  }
}

int main(void) {
  facts_of_order();
  facts_of_places();
  facts_of_failure();
  facts_of_giving_up();
  facts_of_holding();
  build_end();
  return spec_end();
}
