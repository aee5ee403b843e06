/* SPDX-License-Identifier: MIT */
/* What trees hold: keys of every kind, limits, hidden columns, rows that only lead to others. On SQLite. */
#include "fetch_support.h"

#define SCHEMA \
  "create table shops (shop_id integer primary key, name text, owner_id text, area text, lot integer);" \
  "create table items (item_id integer primary key, shop_id integer, label text, rank integer);" \
  "create table parts (part_id integer primary key, item_id integer, word text);" \
  "create table lots (area text, lot integer, owner text, primary key (area, lot));" \
  "create table links (shop_id integer, tag_id text);" \
  "create table owners (owner_id integer primary key, name text);" \
  "create table tags (tag_id integer primary key, name text collate nocase);" \
  "insert into shops values (1, 'a', '1', 'x', 1), (2, 'b', '02', 'x', 2), (3, 'c', null, 'y', 1)," \
  "  (4, 'd', '1', null, 1), (5, 'e', '9', 'y', 2);" \
  "insert into items values (1, 1, 'q', 3), (2, 1, 'p', 1), (3, 2, 'r', 1), (4, null, 'none', 0)," \
  "  (5, 1, 'o', 2), (6, 4, 's', 1), (7, 77, 'lost', 0);" \
  "insert into parts values (1, 1, 'u'), (2, 1, 'v'), (3, 3, 'w'), (4, 6, 'z'), (5, 7, 'lost');" \
  "insert into lots values ('x', 1, 'L1'), ('x', 2, 'L2'), ('y', 2, 'L3'), ('z', 1, 'L4'), ('y', 9, 'L5');" \
  "insert into links values (1, '3'), (1, '1'), (2, '1'), (1, '3'), (4, '2'), (5, null), (5, '8');" \
  "insert into owners values (1, 'O1'), (2, 'O2');" \
  "insert into tags values (1, 'T1'), (2, 'T2'), (3, 'T3');"

struct shop {
  struct world w, other; /* other shares the context */
  struct weft_fetch f;
};

static void learn(struct world *w, const char *table) {
  struct weft_call call;
  weft_call_init(&call, note_finished, NULL);
  weft_db_discover(relation(w->db, table), NULL, &call);
  wait_for(w, &call);
  expect_int(call.error.kind, WEFT_OK);
}

static bool shop_open(struct shop *s) {
  static const char *const tables[] = {"shops", "items", "parts", "lots", "links", "owners", "tags"};
  if (!world_open(&s->w, "sqlite::memory:", NULL)) return false;
  s->other = s->w;
  s->other.db = open_db(s->w.context, "sqlite::memory:", NULL);
  for (int d = 0; d < 2; d++) {
    struct world *w = d ? &s->other : &s->w;
    if (!expect(script(w, SCHEMA))) return false;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) learn(w, tables[i]);
  }
  weft_fetch_init(&s->f, note_fetched, NULL);
  return true;
}

/* Ordered by the key unless q is given (which is taken over). Levels are given up. */
static bool fetch(struct shop *s, struct weft_query *q, struct weft_level *a, struct weft_level *b) {
  struct weft_relation *r = relation(s->w.db, "shops");
  if (!q) q = order(weft_query_from(r->table), col("shop_id"), 0);
  struct weft_level *v[] = {a, b};
  weft_fetch_query(&s->f, r, q, v, b ? 2 : 1);
  weft_query_unref(q);
  weft_level_unref(a);
  weft_level_unref(b);
  pump(&s->w, &s->f.done);
  if (s->f.error.kind) printf("%s\n", s->f.error.message);
  return expect(s->f.done && !s->f.error.kind);
}

static void shop_close(struct shop *s) {
  expect_clean(&s->f);
  build_end();
  world_close(&s->w);
}

static const char *json(struct shop *s) {
  static char text[4096];
  struct weft_buf b;
  weft_buf_init(&b);
  weft_json_tree(&b, s->f.tree);
  snprintf(text, sizeof text, "%.*s", (int)b.n, b.p);
  weft_buf_release(&b);
  return text;
}

static struct weft_query *select_name(struct shop *s) {
  struct weft_query *q = weft_query_from(relation(s->w.db, "shops")->table);
  return order(ITEMS(q, WEFT_C_SELECT, C("name")), col("shop_id"), 0);
}

static struct weft_level *items(struct shop *s, struct weft_level *below, int64_t most) {
  return LEVEL(.db = s->w.db, .name = "items", .table = "items", .parent = "shop_id", .asked = "shop_id",
               .select = "label", .limit = most, .below = {below});
}

static void facts_of_keys(void) {
  struct shop s;
  describe("keys") {
    it("that are NULL lead nowhere, on either side") {
      if (!shop_open(&s)) return;
      if (fetch(&s, select_name(&s), items(&s, NULL, 0), NULL))
        expect_str(json(&s), "[{\"name\":\"a\",\"items\":[{\"label\":\"q\"},{\"label\":\"p\"},{\"label\":\"o\"}]},"
                             "{\"name\":\"b\",\"items\":[{\"label\":\"r\"}]},{\"name\":\"c\",\"items\":[]},"
                             "{\"name\":\"d\",\"items\":[{\"label\":\"s\"}]},{\"name\":\"e\",\"items\":[]}]");
      shop_close(&s);
    }
    it("of another database match by what they mean") {
      if (!shop_open(&s)) return;
      struct weft_level *owner = LEVEL(.db = s.other.db, .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id", .select = "name");
      if (fetch(&s, select_name(&s), owner, NULL))
        expect_str(json(&s), "[{\"name\":\"a\",\"owner\":{\"name\":\"O1\"}},"
                             "{\"name\":\"b\",\"owner\":{\"name\":\"O2\"}},{\"name\":\"c\"},"
                             "{\"name\":\"d\",\"owner\":{\"name\":\"O1\"}},{\"name\":\"e\"}]");
      shop_close(&s);
    }
    it("of several columns match as a whole") {
      if (!shop_open(&s)) return;
      struct weft_level *lot = LEVEL(.db = s.other.db, .name = "lot", .table = "lots", .one = true, .chunk = 1,
                                     .parent = "area lot", .asked = "area lot", .select = "owner");
      if (fetch(&s, select_name(&s), lot, NULL))
        expect_str(json(&s), "[{\"name\":\"a\",\"lot\":{\"owner\":\"L1\"}},{\"name\":\"b\",\"lot\":{\"owner\":\"L2\"}},"
                             "{\"name\":\"c\"},{\"name\":\"d\"},{\"name\":\"e\",\"lot\":{\"owner\":\"L3\"}}]");
      shop_close(&s);
    }
    it("that several parents share are asked for once") {
      struct log log = {.n = 0};
      if (!shop_open(&s)) return;
      struct weft_level *owner = LEVEL(.db = s.other.db, .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id", .chunk = 1);
      weft_context_on_event(s.w.context, log_event, &log);
      fetch(&s, NULL, owner, NULL);
      weft_context_on_event(s.w.context, NULL, NULL);
      expect_int(log.n, 1 + 3); /* '1', '02', '9' */
      expect_int(s.f.tree->branches[0].tree->rows->nrows, 2);
      expect_str(shown(s.f.tree->branches[0].links), "1(1) 2(2) 3() 4(1) 5()");
      shop_close(&s);
    }
    it("that are none at all leave the levels below empty") {
      if (!shop_open(&s)) return;
      struct weft_query *q = weft_query_from(relation(s.w.db, "shops")->table);
      struct weft_level *parts = LEVEL(.db = s.w.db, .name = "parts", .table = "parts", .parent = "item_id",
                                       .asked = "item_id");
      q = where(q, op(WEFT_E_EQ, col("shop_id"), num(3)));
      struct weft_level *owner = LEVEL(.db = s.other.db, .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id");
      if (fetch(&s, q, items(&s, parts, 0), owner))
        expect_str(json(&s), "[{\"shop_id\":3,\"name\":\"c\",\"owner_id\":null,\"area\":\"y\",\"lot\":1,\"items\":[]}]");
      shop_close(&s);
    }
  }
}

static void facts_of_columns(void) {
  struct shop s;
  describe("columns that only joining needs") {
    it("are taken away at every level") {
      if (!shop_open(&s)) return;
      struct weft_level *parts = LEVEL(.db = s.w.db, .name = "parts", .table = "parts", .parent = "item_id",
                                       .asked = "item_id", .select = "word");
      if (fetch(&s, select_name(&s), items(&s, parts, 0), NULL)) {
        expect_int(s.f.tree->rows->ncols, 1);
        expect_int(s.f.tree->branches[0].tree->rows->ncols, 1);
        expect_str(json(&s),
                   "[{\"name\":\"a\",\"items\":[{\"label\":\"q\",\"parts\":[{\"word\":\"u\"},{\"word\":\"v\"}]},"
                   "{\"label\":\"p\",\"parts\":[]},{\"label\":\"o\",\"parts\":[]}]},"
                   "{\"name\":\"b\",\"items\":[{\"label\":\"r\",\"parts\":[{\"word\":\"w\"}]}]},"
                   "{\"name\":\"c\",\"items\":[]},{\"name\":\"d\",\"items\":[{\"label\":\"s\",\"parts\":[{\"word\":\"z\"}]}]},"
                   "{\"name\":\"e\",\"items\":[]}]");
      }
      shop_close(&s);
    }
    it("stay when they were selected, under their alias too") {
      if (!shop_open(&s)) return;
      struct weft_query *q = weft_query_from(relation(s.w.db, "shops")->table);
      q = order(ITEMS(q, WEFT_C_SELECT, AS("id", col("shop_id"))), col("shop_id"), 0);
      if (fetch(&s, limit(q, 1), items(&s, NULL, 0), NULL))
        expect_str(json(&s), "[{\"id\":1,\"items\":[{\"label\":\"q\"},{\"label\":\"p\"},{\"label\":\"o\"}]}]");
      shop_close(&s);
    }
    it("stand behind what raw text selects") {
      if (!shop_open(&s)) return;
      struct weft_query *q = weft_query_from(relation(s.w.db, "shops")->table);
      q = order(ITEMS(q, WEFT_C_SELECT, item(NULL, RAW0("upper(name)")), C("lot")), col("shop_id"), 0);
      if (fetch(&s, limit(q, 1), items(&s, NULL, 0), NULL))
        expect_str(json(&s), "[{\"(upper(name))\":\"A\",\"lot\":1,\"items\":[{\"label\":\"q\"},"
                             "{\"label\":\"p\"},{\"label\":\"o\"}]}]");
      shop_close(&s);
    }
    it("cannot be added where rows are grouped, counted or made distinct") {
      if (!shop_open(&s)) return;
      struct weft_table *t = relation(s.w.db, "shops")->table;
      struct weft_query *bad[] = {
          plain(ITEMS(weft_query_from(t), WEFT_C_SELECT, C("name")), WEFT_C_DISTINCT),
          ITEMS(ITEMS(weft_query_from(t), WEFT_C_GROUP, C("name")), WEFT_C_SELECT, C("name")),
          ITEMS(weft_query_from(t), WEFT_C_SELECT, AS("n", one(WEFT_E_COUNT, weft_expr_star())))};
      struct weft_level *v = items(&s, NULL, 0);
      for (int i = 0; i < 3; i++) {
        weft_fetch_query(&s.f, relation(s.w.db, "shops"), bad[i], &v, 1);
        pump(&s.w, &s.f.done);
        expect_int(s.f.error.kind, WEFT_USAGE);
        weft_query_unref(bad[i]);
        weft_fetch_reset(&s.f);
        weft_fetch_init(&s.f, note_fetched, NULL);
      }
      weft_level_unref(v);
      shop_close(&s);
    }
  }
}

static void facts_of_limits(void) {
  struct shop s;
  describe("a limit") {
    it("holds for each parent") {
      if (!shop_open(&s)) return;
      if (fetch(&s, select_name(&s), items(&s, NULL, 2), NULL))
        expect_str(shown(s.f.tree->branches[0].links), "1(1 4) 2(2) 3() 4(3) 5()");
      shop_close(&s);
    }
    it("of none gives none") {
      if (!shop_open(&s)) return;
      struct spec_level l = {.db = s.w.db, .name = "items", .table = "items", .parent = "shop_id",
                             .asked = "shop_id"};
      struct weft_relation *r = relation(s.w.db, "items");
      struct weft_level_options o = {.name = WEFT_LIT("items"), .many = true, .relation = r, .nkey = 1,
                                     .parent = {WEFT_LIT("shop_id")}, .limit = -1, .offset = -1};
      struct weft_level *v;
      struct weft_error err;
      o.parent_side[0] = weft_key_side(NULL);
      o.asked[0] = spec_column(r, l.asked);
      o.query = limit(weft_query_from(r->table), 0);
      expect_int(weft_level_new(&o, &v, &err), 0);
      weft_query_unref(o.query);
      if (fetch(&s, select_name(&s), v, NULL)) expect_str(shown(s.f.tree->branches[0].links), "1() 2() 3() 4() 5()");
      shop_close(&s);
    }
  }
}

static struct weft_level *tags(struct shop *s, int64_t most, int64_t skip, struct weft_level *below) {
  struct weft_level *far = LEVEL(.db = s->other.db, .name = "tags", .table = "tags", .one = true, .chunk = 1u << 30,
                                 .parent = "tag_id", .asked = "tag_id", .select = "name", .below = {below});
  return LEVEL(.db = s->w.db, .name = "tags", .table = "links", .parent = "shop_id", .asked = "shop_id",
               .passed = true, .pass_limit = most, .pass_offset = skip, .below = {far});
}

static void facts_of_passing(void) {
  struct shop s;
  describe("rows that only lead to others") {
    it("are taken out, and each other row is met as often as they lead to it") {
      if (!shop_open(&s)) return;
      if (fetch(&s, select_name(&s), tags(&s, 0, 0, NULL), NULL))
        expect_str(json(&s), "[{\"name\":\"a\",\"tags\":[{\"name\":\"T1\"},{\"name\":\"T3\"},{\"name\":\"T3\"}]},"
                             "{\"name\":\"b\",\"tags\":[{\"name\":\"T1\"}]},{\"name\":\"c\",\"tags\":[]},"
                             "{\"name\":\"d\",\"tags\":[{\"name\":\"T2\"}]},{\"name\":\"e\",\"tags\":[]}]");
      shop_close(&s);
    }
    it("are limited together with the others") {
      if (!shop_open(&s)) return;
      if (fetch(&s, select_name(&s), tags(&s, 1, 1, NULL), NULL))
        expect_str(shown(s.f.tree->branches[0].links), "1(3) 2() 3() 4() 5()");
      shop_close(&s);
    }
    it("lead on below") {
      if (!shop_open(&s)) return;
      struct weft_level *owner = LEVEL(.db = s.w.db, .name = "owner", .table = "owners", .one = true,
                                       .parent = "tag_id", .asked = "owner_id", .select = "name");
      if (fetch(&s, limit(select_name(&s), 1), tags(&s, 0, 0, owner), NULL))
        expect_str(json(&s), "[{\"name\":\"a\",\"tags\":[{\"name\":\"T1\",\"owner\":{\"name\":\"O1\"}},"
                             "{\"name\":\"T3\"},{\"name\":\"T3\"}]}]");
      shop_close(&s);
    }
  }
}

static void facts_of_levels(void) {
  struct shop s;
  struct weft_error err;
  struct weft_level *l = NULL;
  describe("a level") {
    if (!shop_open(&s)) return;
    struct weft_relation *r = relation(s.w.db, "items");
    struct weft_level_options o = {.name = WEFT_LIT("items"), .many = true, .relation = r, .nkey = 1,
                                   .parent = {WEFT_LIT("shop_id")}, .limit = -1, .offset = -1};
    o.parent_side[0] = weft_key_side(NULL);
    o.asked[0] = spec_column(r, "shop_id");
    it("is refused for queries that are no rows, group or lock") {
      struct weft_query *bad[] = {plain(weft_query_from(r->table), WEFT_C_COUNT),
                                  ITEMS(weft_query_from(r->table), WEFT_C_GROUP, C("label")),
                                  lock(weft_query_from(r->table), "update"),
                                  plain(ITEMS(weft_query_from(r->table), WEFT_C_SELECT, C("label")), WEFT_C_DISTINCT)};
      for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.query = bad[i];
        expect_int(weft_level_new(&o, &l, &err), -1);
        expect_int(err.kind, WEFT_USAGE);
        weft_query_unref(bad[i]);
      }
    }
    it("is refused for more key columns than there may be, and when it passes to none") {
      o.query = weft_query_from(r->table);
      o.nkey = WEFT_KEY_COLUMNS + 1;
      expect_int(weft_level_new(&o, &l, &err), -1);
      expect_int(err.kind, WEFT_USAGE);
      o.nkey = 1;
      o.passed = true;
      expect_int(weft_level_new(&o, &l, &err), -1);
      expect_int(err.kind, WEFT_USAGE);
      o.passed = false;
      weft_query_unref(o.query);
    }
    it("is fresh until a table of it changes") {
      struct weft_level *parts = LEVEL(.db = s.w.db, .name = "parts", .table = "parts", .parent = "item_id",
                                       .asked = "item_id");
      l = items(&s, parts, 0);
      expect(weft_level_fresh(l));
      expect(script(&s.w, "alter table parts add column more"));
      expect(!weft_level_fresh(l));
      learn(&s.w, "items");
      learn(&s.w, "parts");
      expect(!weft_level_fresh(l));
      weft_level_unref(l);
    }
    shop_close(&s);
  }
}

int main(void) {
  facts_of_keys();
  facts_of_columns();
  facts_of_limits();
  facts_of_passing();
  facts_of_levels();
  return spec_end();
}
