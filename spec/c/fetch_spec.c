/* SPDX-License-Identifier: MIT */
/* Trees against two scripted servers: the order of statements, the snapshots, who waits for whom. */
#include "fetch_support.h"

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
  facts_of_holding();
  build_end();
  return spec_end();
}
