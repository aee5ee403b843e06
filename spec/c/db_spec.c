/* SPDX-License-Identifier: MIT */
#include "db_support.h"

static const char *const SHOP =
    "create table products (product_id integer primary key, title text not null, price decimal(10,2));"
    "create table pairs (a int, b text, note text, primary key (a, b));"
    "create table bare (x int);"
    "insert into products values (1, 'Lamp', 10.50), (2, 'Chair', 20), (3, 'Table', 300);"
    "insert into pairs values (1, 'x', 'first'), (1, 'y', 'second');";

static struct weft_query *where_title(struct weft_relation *r, const char *column, const char *title) {
  struct weft_query *root = weft_query_from(weft_relation_table(r));
  struct weft_query *c = weft_query_begin(root, WEFT_C_WHERE);
  struct weft_error err;
  weft_expr_binary(&c->arena, WEFT_E_EQ, weft_expr_column(&c->arena, weft_slice_of(column)),
                   weft_expr_value(&c->arena, weft_text(title, strlen(title))), &c->expr, &err);
  weft_query_unref(root);
  return weft_query_end(c);
}

static enum weft_kind find(struct world *w, struct weft_relation *r, const struct weft_value *keys,
                           uint32_t n, struct weft_call *call) {
  struct weft_query *base = weft_query_from(weft_relation_table(r));
  weft_call_init(call, note_finished, NULL);
  weft_db_find(r, NULL, base, keys, n, true, call);
  weft_query_unref(base);
  wait_for(w, call);
  return call->error.kind;
}

static void facts_of_opening(void) {
  struct world w;
  struct weft_call call;
  describe("a database") {
    it("connects nothing when it is opened") {
      struct weft_db_stats stats;
      if (!world_open(&w, "sqlite::memory:", NULL)) return;
      weft_db_stats(w.db, &stats);
      expect_int(stats.pool.open, 0);
      expect_mem(weft_db_name(w.db).p, weft_db_name(w.db).n, "shop", 4);
      world_close(&w);
    }
    it("refuses a wrong url") {
      struct weft_context *c;
      struct weft_db *db;
      struct weft_error err;
      weft_context_new(NULL, &c, &err);
      expect_int(weft_db_open(c, WEFT_LIT("x"), WEFT_LIT("sqlit:a.db"), NULL, &db, &err), -1);
      expect_int(err.kind, WEFT_USAGE);
      expect(strstr(err.message, "did you mean 'sqlite'?") != NULL);
      weft_context_free(c);
    }
    it("runs raw statements with parameters") {
      struct weft_value params[] = {weft_int(40), weft_text("ab", 2)};
      if (!world_open(&w, "sqlite::memory:", NULL)) return;
      weft_call_init(&call, note_finished, NULL);
      weft_db_raw(w.db, NULL, WEFT_LIT("select ? + 2, ?"), params, 2, &call);
      if (expect(wait_for(&w, &call)) && expect_int(call.error.kind, WEFT_OK)) {
        expect_int(weft_rows_row(call.rows, 0)[0].u.i, 42);
        expect_mem(weft_rows_row(call.rows, 0)[1].u.s, 2, "ab", 2);
      }
      weft_call_reset(&call);
      world_close(&w);
    }
    it("refuses control statements outside of sessions") {
      if (!world_open(&w, "sqlite::memory:", NULL)) return;
      expect_int(kind_in(&w, NULL, "begin"), WEFT_USAGE);
      expect_int(kind_in(&w, NULL, "select ?"), WEFT_USAGE);
      world_close(&w);
    }
    it("fails new calls after it was closed, and lives as long as it is referred to") {
      if (!world_open(&w, "sqlite::memory:", NULL)) return;
      expect_int(number_in(&w, NULL, "select 1"), 1);
      weft_db_ref(w.db);
      weft_db_close(w.db, 0);
      expect_int(kind_in(&w, NULL, "select 1"), WEFT_CLOSED);
      weft_db_close(w.db, 0);
      weft_db_unref(w.db);
      world_close(&w);
    }
    it("outlives its context when somebody still refers to it") {
      if (!world_open(&w, "sqlite::memory:", NULL)) return;
      struct weft_db *db = weft_db_ref(w.db);
      weft_context_free(w.context);
      expect_mem(weft_db_name(db).p, weft_db_name(db).n, "shop", 4);
      weft_db_unref(db);
    }
    it("runs scripts on a connection of their own") {
      if (!world_file(&w, NULL)) return;
      expect(script(&w, SHOP));
      expect_int(number_in(&w, NULL, "select count(*) from products"), 3);
      weft_call_init(&call, note_finished, NULL);
      weft_db_script(w.db, WEFT_LIT("create table t (x); nonsense; create table u (x)"), &call);
      wait_for(&w, &call);
      expect_int(call.error.kind, WEFT_SYNTAX);
      weft_call_reset(&call);
      world_close(&w);
    }
  }
}

static void facts_of_relations(void) {
  struct world w;
  struct weft_call call;
  struct weft_value one = weft_int(1);
  describe("a relation") {
    if (!world_file(&w, NULL) || !expect(script(&w, SHOP))) return;
    it("is the same for equal options") {
      struct weft_override o = {.name = WEFT_LIT("price"), .as = WEFT_AS_NUMBER};
      struct weft_relation_options a = {.table = WEFT_LIT("products"), .overrides = &o, .noverrides = 1};
      struct weft_relation *r = relation(w.db, "products");
      expect(r == relation(w.db, "products"));
      expect(weft_db_relation(w.db, &a) == weft_db_relation(w.db, &a));
      expect(weft_db_relation(w.db, &a) != r);
      expect(weft_relation_db(r) == w.db);
    }
    it("discovers its table at the first query") {
      struct weft_relation *r = relation(w.db, "products");
      expect(!weft_relation_table(r)->known);
      struct weft_query *q = where_title(r, "title", "Chair");
      weft_call_init(&call, note_finished, NULL);
      weft_db_query(r, NULL, q, &call);
      wait_for(&w, &call);
      if (expect_int(call.error.kind, WEFT_OK)) {
        expect_int(call.rows->nrows, 1);
        expect_int(weft_rows_row(call.rows, 0)[0].u.i, 2);
      }
      struct weft_table *t = weft_relation_table(r);
      expect(t->known);
      expect_int(t->ncolumns, 3);
      expect_int(t->nkey, 1);
      expect_int(t->columns[2].type.type, WEFT_DECIMAL);
      weft_call_reset(&call);
      weft_query_unref(q);
    }
    it("names the nearest column when a query built before discovery was wrong") {
      weft_db_forget_tables(w.db);
      struct weft_relation *r = relation(w.db, "products");
      struct weft_query *q = where_title(r, "titel", "Chair");
      weft_call_init(&call, note_finished, NULL);
      weft_db_query(r, NULL, q, &call);
      wait_for(&w, &call);
      expect_int(call.error.kind, WEFT_USAGE);
      expect(strstr(call.error.message, "did you mean 'title'?") != NULL);
      weft_query_unref(q);
    }
    it("names the nearest table when there is none") {
      struct weft_relation *r = relation(w.db, "product");
      expect_int(find(&w, r, &one, 1, &call), WEFT_SYNTAX);
      expect(strstr(call.error.message, "no table 'product' in ") != NULL);
      expect(strstr(call.error.message, "did you mean 'products'?") != NULL);
    }
    it("keeps a table's identity when nothing changed") {
      struct weft_relation *r = relation(w.db, "products");
      find(&w, r, &one, 1, &call);
      weft_call_reset(&call);
      uint64_t id = weft_relation_table(r)->id;
      weft_db_forget_tables(w.db);
      expect(!weft_relation_table(r)->known);
      expect_int(find(&w, r, &one, 1, &call), WEFT_OK);
      weft_call_reset(&call);
      expect_int(weft_relation_table(r)->id, id);
    }
    it("discovers once for all who wait") {
      struct log log = {.n = 0};
      struct weft_call calls[5];
      struct weft_relation *r = relation(w.db, "products");
      weft_db_forget_tables(w.db);
      weft_context_on_event(w.context, log_event, &log);
      struct weft_query *base = weft_query_from(weft_relation_table(r));
      for (int i = 0; i < 5; i++) {
        weft_call_init(&calls[i], note_finished, NULL);
        weft_db_find(r, NULL, base, &one, 1, true, &calls[i]);
      }
      for (int i = 0; i < 5; i++) {
        wait_for(&w, &calls[i]);
        expect_int(calls[i].error.kind, WEFT_OK);
        weft_call_reset(&calls[i]);
      }
      weft_query_unref(base);
      weft_context_on_event(w.context, NULL, NULL);
      expect(log.n <= 6);
    }
    it("takes what a model says of columns and key") {
      struct weft_override o[] = {
          {.name = WEFT_LIT("price"), .as = WEFT_AS_NUMBER, .lazy = true}};
      struct weft_slice key = WEFT_LIT("title");
      struct weft_relation_options with = {.table = WEFT_LIT("products"),
                                           .overrides = o,
                                           .noverrides = 1,
                                           .key = &key,
                                           .nkey = 1};
      struct weft_relation *r = weft_db_relation(w.db, &with);
      struct weft_value lamp = weft_text("Lamp", 4);
      if (expect_int(find(&w, r, &lamp, 1, &call), WEFT_OK)) {
        expect_int(call.rows->nrows, 1);
        expect_int(call.rows->ncols, 2);
      }
      weft_call_reset(&call);
      expect_int(weft_relation_table(r)->columns[2].as, WEFT_AS_NUMBER);
      expect_int(weft_relation_table(r)->columns[0].key, 0);
    }
    it("refuses what a model says of a column that is not there") {
      struct weft_override o = {.name = WEFT_LIT("prize")};
      struct weft_slice key = WEFT_LIT("product");
      struct weft_relation_options a = {.table = WEFT_LIT("products"), .overrides = &o, .noverrides = 1};
      struct weft_relation_options b = {.table = WEFT_LIT("products"), .key = &key, .nkey = 1};
      expect_int(find(&w, weft_db_relation(w.db, &a), &one, 1, &call), WEFT_USAGE);
      expect(strstr(call.error.message, "'prize' of products") != NULL);
      expect(strstr(call.error.message, "did you mean 'price'?") != NULL);
      expect_int(find(&w, weft_db_relation(w.db, &b), &one, 1, &call), WEFT_USAGE);
    }
    it("runs once more when its table changed behind its back") {
      struct weft_relation *r = relation(w.db, "bare");
      struct weft_query *all = weft_query_from(weft_relation_table(r));
      weft_call_init(&call, note_finished, NULL);
      weft_db_query(r, NULL, all, &call);
      wait_for(&w, &call);
      expect_int(call.rows ? call.rows->ncols : 0, 1);
      weft_call_reset(&call);
      struct weft_context *other;
      struct weft_error err;
      weft_context_new(NULL, &other, &err);
      struct world w2 = {.context = other, .loop = weft_context_loop(other)};
      char url[80];
      snprintf(url, sizeof url, "sqlite:%s", w.path);
      w2.db = open_db(other, url, NULL);
      expect(script(&w2, "alter table bare rename column x to y; alter table bare add column z int"));
      weft_context_free(other);
      weft_db_query(r, NULL, all, &call);
      wait_for(&w, &call);
      if (expect_int(call.error.kind, WEFT_OK)) expect_int(call.rows->ncols, 2);
      weft_call_reset(&call);
      weft_query_unref(all);
    }
    it("reports a failure that another look cannot mend") {
      struct weft_relation *r = relation(w.db, "products");
      struct weft_query *root = weft_query_from(weft_relation_table(r));
      struct weft_query *c = weft_query_begin(root, WEFT_C_WHERE);
      c->expr = weft_expr_raw(&c->arena, WEFT_LIT("nothing > 1"), NULL, 0);
      struct weft_query *q = weft_query_end(c);
      weft_call_init(&call, note_finished, NULL);
      weft_db_query(r, NULL, q, &call);
      wait_for(&w, &call);
      expect_int(call.error.kind, WEFT_SYNTAX);
      expect(strstr(call.error.message, "nothing") != NULL);
      weft_query_unref(q);
      weft_query_unref(root);
    }
    it("is forgotten after DDL") {
      struct weft_relation *r = relation(w.db, "products");
      expect_int(find(&w, r, &one, 1, &call), WEFT_OK);
      weft_call_reset(&call);
      expect_int(kind_in(&w, NULL, " /* x */ alter table products add column stock int"), WEFT_OK);
      expect_int(find(&w, r, &one, 1, &call), WEFT_OK);
      expect_int(call.rows ? call.rows->ncols : 0, 4);
      weft_call_reset(&call);
    }
    it("is discovered alone") {
      struct weft_relation *r = relation(w.db, "pairs");
      weft_call_init(&call, note_finished, NULL);
      weft_db_discover(r, NULL, &call);
      wait_for(&w, &call);
      expect_int(call.error.kind, WEFT_OK);
      expect(call.rows == NULL);
      expect_int(weft_relation_table(r)->nkey, 2);
    }
    world_close(&w);
  }
}

static void facts_of_find(void) {
  struct world w;
  struct weft_call call;
  describe("a look-up by key") {
    if (!world_file(&w, NULL) || !expect(script(&w, SHOP))) return;
    struct weft_relation *products = relation(w.db, "products"), *pairs = relation(w.db, "pairs");
    struct weft_value one = weft_int(1), many = weft_int(99);
    it("gives one row or none") {
      if (expect_int(find(&w, products, &one, 1, &call), WEFT_OK)) {
        expect_int(call.rows->nrows, 1);
        expect_mem(weft_rows_row(call.rows, 0)[1].u.s, weft_rows_row(call.rows, 0)[1].n, "Lamp", 4);
      }
      weft_call_reset(&call);
      if (expect_int(find(&w, products, &many, 1, &call), WEFT_OK)) expect_int(call.rows->nrows, 0);
      weft_call_reset(&call);
    }
    it("converts the key to its column's type") {
      struct weft_value text = weft_text("2", 1), bad = weft_text("two", 3);
      if (expect_int(find(&w, products, &text, 1, &call), WEFT_OK)) expect_int(call.rows->nrows, 1);
      weft_call_reset(&call);
      expect_int(find(&w, products, &bad, 1, &call), WEFT_TYPE);
      expect_str(call.error.column, "product_id");
      expect(strstr(call.error.message, "two") == NULL);
    }
    it("takes composite keys") {
      struct weft_value keys[] = {weft_int(1), weft_text("y", 1)};
      if (expect_int(find(&w, pairs, keys, 2, &call), WEFT_OK)) {
        expect_int(call.rows->nrows, 1);
        expect_mem(weft_rows_row(call.rows, 0)[2].u.s, weft_rows_row(call.rows, 0)[2].n, "second", 6);
      }
      weft_call_reset(&call);
    }
    it("refuses a wrong number of keys") {
      struct weft_value keys[] = {weft_int(1), weft_int(2)};
      expect_int(find(&w, products, keys, 2, &call), WEFT_USAGE);
      expect_str(call.error.message, "find of products takes 1 key (product_id), got 2");
      expect_int(find(&w, pairs, keys, 1, &call), WEFT_USAGE);
      expect_str(call.error.message, "find of pairs takes 2 keys (a, b), got 1");
      expect_int(find(&w, relation(w.db, "bare"), keys, 1, &call), WEFT_USAGE);
      expect_str(call.error.message, "bare has no primary key");
    }
    it("builds one plan for one shape") {
      struct weft_db_stats before, after;
      find(&w, products, &one, 1, &call);
      weft_call_reset(&call);
      weft_db_stats(w.db, &before);
      for (int i = 0; i < 20; i++) {
        find(&w, products, &one, 1, &call);
        weft_call_reset(&call);
      }
      weft_db_stats(w.db, &after);
      expect_int(after.plan_misses, before.plan_misses);
      expect(after.plans > 0);
    }
    it("keeps the base's own parameters apart from the key") {
      struct weft_query *root = weft_query_from(weft_relation_table(products));
      struct weft_query *c = weft_query_begin(root, WEFT_C_SELECT);
      const struct weft_expr *seven = weft_expr_value(&c->arena, weft_int(7));
      struct weft_item *items = weft_arena_alloc(&c->arena, 2 * sizeof *items);
      items[0] = (struct weft_item){.expr = weft_expr_column(&c->arena, WEFT_LIT("title"))};
      items[1] = (struct weft_item){.name = WEFT_LIT("n"),
                                    .expr = weft_expr_raw(&c->arena, WEFT_LIT("? + 1"), &seven, 1)};
      c->items = items;
      c->nitems = 2;
      struct weft_query *base = weft_query_end(c);
      weft_call_init(&call, note_finished, NULL);
      weft_db_find(products, NULL, base, &one, 1, true, &call);
      wait_for(&w, &call);
      if (expect_int(call.error.kind, WEFT_OK)) {
        expect_int(call.rows->nrows, 1);
        expect_int(weft_rows_row(call.rows, 0)[1].u.i, 8);
      }
      weft_call_reset(&call);
      weft_query_unref(base);
      weft_query_unref(root);
    }
    world_close(&w);
  }
}

static void facts_of_events(void) {
  struct world w;
  describe("events") {
    it("tell every statement, those of transactions too") {
      struct log log = {.n = 0};
      struct weft_tx_options o = {.read_only = false};
      if (!world_file(&w, NULL) || !expect(script(&w, SHOP))) return;
      weft_context_on_event(w.context, log_event, &log);
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(number_in(&w, tx, "select 5"), 5);
      expect_int(verb(&w, tx, weft_tx_commit, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect_int(kind_in(&w, NULL, "select nonsense from nowhere"), WEFT_SYNTAX);
      expect_str(log.text, "begin immediate\nselect 5\nCOMMIT\nselect nonsense from nowhere\n");
      expect_int(log.failed, 1);
      world_close(&w);
    }
  }
}

int main(void) {
  facts_of_opening();
  facts_of_relations();
  facts_of_find();
  facts_of_events();
  return spec_end();
}
