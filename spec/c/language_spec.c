/* SPDX-License-Identifier: MIT */
/* What the renderer writes of several tables, run by a database: SQLite in memory, or the one whose URL is
   the first argument, and the name of its schema the second (spec/language_spec.lua gives them). Every
   query runs twice: the second time from its plan in the cache. */
#include "build.h"
#include "db_support.h"

static const char *const SHOP =
    "create table products (product_id integer primary key, seller_id integer, title text not null,"
    " price decimal(10,2));"
    "create table variants (variant_id integer primary key, product_id integer not null, sku text,"
    " stock integer, attrs json, deleted_at timestamp);"
    "create table images (image_id integer primary key, variant_id integer not null, url text not null);"
    "create table employees (id integer primary key, name text not null, boss_id integer, age integer);"
    "create table j1 (id integer primary key, up integer);"
    "insert into products values (1, 10, 'Lamp', 10.50), (2, 10, 'Chair', 20), (3, 20, 'Table', 300),"
    " (4, null, 'Sofa', 99);"
    "insert into variants values (1, 1, 'L-red', 0, '{\"size\": 1, \"a b\": \"x\"}', null),"
    " (2, 1, 'L-blue', 5, '{\"size\": 2}', null), (3, 2, 'C-oak', 7, null, null),"
    " (4, 3, 'T-oak', null, null, null), (5, 3, 'T-big', 9, '{\"a b\": \"y\"}', null),"
    " (6, 2, 'C-gone', 0, null, '2020-01-01 00:00:00'), (7, 4, 'S-gone', 3, null, '2021-01-01 00:00:00');"
    "insert into images values (1, 1, 'red.png'), (2, 1, 'red.jpg'), (3, 3, 'oak.png'), (4, 6, 'gone.png');"
    "insert into employees values (1, 'Ann', null, 60), (2, 'Bob', 1, 45), (3, 'Cid', 1, 30),"
    " (4, 'Dan', 2, 50), (5, 'Eve', 4, 20), (6, 'Fay', null, null);"
    "insert into j1 values (1, null), (2, 1), (3, 2);";

static struct world w;
static struct weft_relation *products_of, *variants_of, *images_of, *employees_of, *odd_of, *said_of;
static struct weft_association *variants, *product, *images, *reports, *boss, *odd_up, *said;

/* ---- running ---- */

static struct weft_relation *learn(const char *schema, const char *table, const char *soft) {
  struct weft_call call;
  struct weft_relation_options o = {.schema = weft_slice_of(schema), .table = weft_slice_of(table),
                                    .soft = weft_slice_of(soft)};
  struct weft_relation *r = weft_db_relation(w.db, &o);
  weft_call_init(&call, note_finished, NULL);
  weft_db_discover(r, NULL, &call);
  wait_for(&w, &call);
  if (call.error.kind) printf("# %s\n", call.error.message);
  weft_call_reset(&call);
  return r;
}

static struct weft_query *of(struct weft_relation *r) { return from(weft_relation_table(r)); }

/* A first column by rows, "1 2 3"; a count of changed rows as "3 changed"; an error as it is. */
static void answer(struct weft_query *q, char *out, size_t size) {
  struct weft_relation *all[] = {products_of, variants_of, images_of, employees_of, odd_of, said_of};
  struct weft_relation *r = all[0];
  struct weft_call call;
  struct weft_buf text;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (weft_relation_table(all[i]) == q->table) r = all[i];
  weft_buf_init(&text);
  weft_call_init(&call, note_finished, NULL);
  weft_db_query(r, NULL, q, &call);
  wait_for(&w, &call);
  if (call.error.kind) weft_buf_str(&text, call.error.message);
  else if (call.rows->ncols == 0) weft_buf_fmt(&text, "%lld changed", (long long)call.rows->affected);
  for (uint32_t i = 0; !call.error.kind && call.rows->ncols && i < call.rows->nrows; i++) {
    struct weft_value v = weft_rows_row(call.rows, i)[0];
    if (i) weft_buf_char(&text, ' ');
    if (v.type == WEFT_NULL) weft_buf_str(&text, "null");
    else weft_value_text(&text, v);
  }
  snprintf(out, size, "%s", weft_buf_cstr(&text));
  weft_buf_release(&text);
  weft_call_reset(&call);
}

static void gives(struct weft_query *q, const char *want) {
  char got[400];
  for (int i = 0; i < 2; i++) {
    answer(q, got, sizeof got);
    expect_str(got, want);
  }
  weft_query_unref(q);
}

/* For what changes rows: once. */
static void changes(struct weft_query *q, const char *want) {
  char got[400];
  answer(q, got, sizeof got);
  expect_str(got, want);
  weft_query_unref(q);
}

static struct weft_query *by(struct weft_query *q, const char *name) { return order(q, col(name), 0); }
static struct weft_query *products_where(expr e) { return by(where(of(products_of), e), "product_id"); }
static struct weft_query *employees_where(expr e) { return by(where(of(employees_of), e), "id"); }
static expr eq(const char *name, expr v) { return op(WEFT_E_EQ, col(name), v); }
static expr more(const char *name, expr v) { return op(WEFT_E_GT, col(name), v); }
static expr not(expr e) { return one(WEFT_E_NOT, e); }
static expr untrue(expr e) { return one(WEFT_E_UNTRUE, e); }

/* ---- associations in conditions ---- */

static void facts_of_some(void) {
  it("finds rows with some row of an association") {
    gives(products_where(some(variants, eq("stock", num(0)))), "1");
    gives(products_where(some(variants, eq("stock", num(7)))), "2");
    gives(products_where(some(variants, NULL)), "1 2 3");
  }
  it("finds rows with none") {
    gives(products_where(not(some(variants, eq("stock", num(0))))), "2 3 4");
    gives(products_where(not(some(variants, NULL))), "4");
  }
  it("every row: none of which it is not true, NULL included") {
    gives(products_where(not(some(variants, untrue(more("stock", num(0)))))), "2 4");
    gives(products_where(not(some(variants, not(more("stock", num(0)))))), "2 3 4");
  }
  it("keeps parameters in their order around it") {
    gives(products_where(both(both(more("price", num(5)), some(variants, both(more("stock", num(4)),
                                                                    eq("sku", txt("L-blue"))))),
                              eq("title", txt("Lamp")))), "1");
  }
  it("says the same of one row or of two") {
    expr zero = some(variants, eq("stock", num(0))), five = some(variants, eq("stock", num(5)));
    gives(products_where(both(zero, five)), "1");
    gives(products_where(some(variants, both(eq("stock", num(0)), eq("stock", num(5))))), "");
  }
  it("goes on to further associations") {
    gives(products_where(some(variants, some(images, op(WEFT_E_ENDS, col("url"), txt(".png"))))), "1 2");
    gives(products_where(some(variants, both(some(images, eq("url", txt("red.jpg"))),
                                             eq("stock", num(0))))), "1");
    gives(products_where(some(variants, not(some(images, NULL)))), "1 3");
  }
  it("comes back to its own table") {
    gives(products_where(some(variants, some(product, more("price", num(200))))), "3");
  }
  it("gives lists, text and json the types of the other table's columns") {
    gives(products_where(some(variants, op(WEFT_E_IN, col("stock"), LIST(I(7), I(9))))), "2 3");
    gives(products_where(some(variants, op(WEFT_E_IN, col("sku"), LIST(T("L-red"), T("x"))))), "1");
    gives(products_where(some(variants, op(WEFT_E_LIKE, col("sku"), txt("%oak")))), "2 3");
    gives(products_where(some(variants, op(WEFT_E_EQ, PATH("attrs", T("size")), num(2)))), "1");
    gives(products_where(some(variants, op(WEFT_E_EQ, PATH("attrs", T("a b")), txt("y")))), "3");
    gives(products_where(some(variants, between(col("stock"), num(6), txt("8")))), "2");
  }
}

static void facts_of_self(void) {
  it("tells a table from itself") {
    gives(employees_where(some(reports, more("age", num(40)))), "1 2");
    gives(employees_where(some(boss, eq("name", txt("Ann")))), "2 3");
    gives(employees_where(not(some(reports, NULL))), "3 5 6");
    gives(employees_where(both(more("age", num(40)), some(boss, more("age", num(50))))), "2");
  }
  it("however deep") {
    gives(employees_where(some(reports, some(reports, some(reports, eq("name", txt("Eve")))))), "1");
    gives(employees_where(some(boss, both(some(boss, eq("age", num(60))), more("age", num(40))))), "4");
    gives(employees_where(not(some(boss, not(some(boss, NULL))))), "1 4 5 6");
  }
  it("also when it has the name that an inner one would get") {
    gives(by(where(of(odd_of), some(odd_up, NULL)), "id"), "2 3");
    gives(by(where(of(odd_of), some(odd_up, some(odd_up, eq("id", num(1))))), "id"), "3");
    gives(order(join(of(odd_of), "up", odd_up), joined("up", "id"), WEFT_ORDER_DESC), "3 2");
  }
}

static void facts_of_schemas(void) {
  it("is said with its schema, and meant without") {
    gives(by(where(of(said_of), some(said, more("age", num(40)))), "id"), "2 3 4 5");
    gives(by(where(join(of(said_of), "boss", said), op(WEFT_E_EQ, joined("boss", "id"), num(1))), "id"), "2 3");
    changes(ITEMS(where(of(said_of), some(said, eq("id", num(4)))), WEFT_C_UPDATE, AS("age", num(20))),
            "1 changed");
  }
}

static void facts_of_untrue(void) {
  it("holds where a condition is false or NULL") {
    gives(employees_where(untrue(more("age", num(40)))), "3 5 6");
    gives(employees_where(not(more("age", num(40)))), "3 5");
    gives(employees_where(not(untrue(more("age", num(40))))), "1 2 4");
    gives(employees_where(untrue(some(boss, NULL))), "1 6");
    gives(employees_where(both(untrue(either(more("age", num(40)), eq("name", txt("Eve")))),
                               more("id", num(3)))), "6");
  }
}

/* ---- joins ---- */

static void facts_of_joins(void) {
  it("repeats a row for each match, parameters on both sides in order") {
    struct weft_query *q = join(where(of(products_of), more("price", num(5))), "variants", variants);
    q = where(q, op(WEFT_E_LT, joined("variants", "stock"), num(8)));
    q = where(q, op(WEFT_E_NE, col("title"), txt("Sofa")));
    gives(order(q, joined("variants", "sku"), WEFT_ORDER_DESC), "1 1 2");
  }
  it("counts, tests and adds up the joined rows") {
    struct weft_query *q = join(of(products_of), "variants", variants);
    gives(plain(weft_query_ref(q), WEFT_C_COUNT), "5");
    gives(plain(offset(limit(weft_query_ref(q), 4), 2), WEFT_C_COUNT), "3");
    gives(ITEMS(weft_query_ref(q), WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, joined("variants", "stock")))),
          "21");
    gives(ITEMS(where(weft_query_ref(q), eq("title", txt("Lamp"))), WEFT_C_AGGREGATE,
                AS(NULL, one(WEFT_E_MAX, joined("variants", "sku")))), "L-red");
    gives(ITEMS(limit(order(weft_query_ref(q), joined("variants", "variant_id"), 0), 2), WEFT_C_AGGREGATE,
                AS(NULL, one(WEFT_E_SUM, joined("variants", "stock")))), "5");
    gives(ITEMS(plain(ITEMS(q, WEFT_C_SELECT, AS(NULL, joined("variants", "stock"))), WEFT_C_DISTINCT),
                WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_COUNT, joined("variants", "stock")))), "4");
  }
  it("selects, groups and orders by either side") {
    struct weft_query *q = join(of(products_of), "variants", variants);
    gives(order(ITEMS(weft_query_ref(q), WEFT_C_SELECT, AS(NULL, joined("variants", "sku")), C("title")),
                joined("variants", "sku"), 0), "C-oak L-blue L-red T-big T-oak");
    gives(order(having(ITEMS(ITEMS(weft_query_ref(q), WEFT_C_GROUP, C("product_id")), WEFT_C_SELECT,
                             C("product_id"), AS("n", one(WEFT_E_COUNT, joined("variants", "variant_id")))),
                       more("n", num(1))), col("product_id"), 0), "1 3");
    gives(order(ITEMS(q, WEFT_C_SELECT, AS("code", joined("variants", "sku")),
                      AS("sku", col("title"))), col("code"), WEFT_ORDER_DESC),
          "T-oak T-big L-red L-blue C-oak");
  }
  it("keeps rows without a match on the left") {
    struct weft_query *q = join_as(of(products_of), "variants", NULL, variants, true);
    gives(by(weft_query_ref(q), "product_id"), "1 1 2 3 3 4");
    gives(where(q, one(WEFT_E_IS_NULL, joined("variants", "variant_id"))), "4");
  }
  it("joins once what is joined twice") {
    struct weft_query *q = join_as(of(products_of), "variants", NULL, variants, true);
    gives(plain(join(q, "variants", variants), WEFT_C_COUNT), "5");
  }
  it("joins further, and a table to itself") {
    struct weft_query *q = join(of(products_of), "variants", variants);
    q = join_as(q, "variants.images", "variants", images, false);
    gives(order(where(q, op(WEFT_E_ENDS, joined("variants.images", "url"), txt(".png"))),
                joined("variants.images", "image_id"), WEFT_ORDER_DESC), "2 1");
    q = join_as(join(of(employees_of), "boss", boss), "boss.boss", "boss", boss, false);
    gives(by(where(where(q, op(WEFT_E_EQ, joined("boss.boss", "name"), txt("Ann"))),
                   op(WEFT_E_GT, col("age"), joined("boss", "age"))), "id"), "4");
  }
  it("beside associations in conditions") {
    struct weft_query *q = join(of(employees_of), "boss", boss);
    q = where(q, both(some(reports, more("age", num(10))), op(WEFT_E_EQ, joined("boss", "id"), num(1))));
    gives(q, "2");
  }
  it("with json paths of either side") {
    struct weft_query *q = join(of(products_of), "variants", variants);
    expr size = weft_expr_path(&build_arena, joined("variants", "attrs"), (struct weft_value[]){T("a b")}, 1);
    gives(where(q, op(WEFT_E_EQ, size, txt("x"))), "1");
  }
}

/* ---- sub-selects ---- */

static struct weft_query *ids_of(struct weft_relation *r, const char *column, expr e) {
  return ITEMS(where(of(r), e), WEFT_C_SELECT, C(column));
}

static void facts_of_queries(void) {
  it("are looked into by in, parameters in order") {
    expr in = op(WEFT_E_IN, col("product_id"), query(ids_of(variants_of, "product_id", more("stock", num(4)))));
    gives(products_where(both(both(more("price", num(15)), in), op(WEFT_E_NE, col("title"), txt("x")))), "2 3");
    gives(products_where(op(WEFT_E_NOT_IN, col("product_id"),
                            query(ids_of(variants_of, "product_id", eq("stock", num(0)))))), "2 3 4");
  }
  it("have limits and offsets of their own") {
    struct weft_query *q = by(ids_of(variants_of, "product_id", more("variant_id", num(1))), "variant_id");
    expr in = op(WEFT_E_IN, col("product_id"), query(offset(limit(q, 2), 1)));
    gives(offset(products_where(both(in, more("price", num(1)))), 1), "3");
    gives(products_where(both(in, more("price", num(1)))), "2 3");
  }
  it("take several columns at once") {
    struct weft_query *q = ITEMS(where(of(products_of), more("price", num(50))), WEFT_C_SELECT, C("product_id"),
                                 C("title"));
    gives(products_where(both(eq("seller_id", num(20)),
                              op(WEFT_E_IN, tuple(col("product_id"), col("title")), query(q)))), "3");
  }
  it("of their own table, with associations inside") {
    expr in = op(WEFT_E_IN, col("boss_id"),
                 query(ids_of(employees_of, "id", both(some(boss, NULL), more("age", num(40))))));
    gives(employees_where(in), "4 5");
    gives(employees_where(both(in, some(reports, eq("age", num(20))))), "4");
    gives(employees_where(some(boss, op(WEFT_E_IN, col("id"),
                                        query(ids_of(employees_of, "id", some(boss, eq("id", num(2)))))))), "5");
  }
}

/* ---- a limit for each part ---- */

static struct weft_query *per(struct weft_query *q, const char *column) {
  return ITEMS(q, WEFT_C_PER, C(column));
}

static void facts_of_parts(void) {
  it("limits each part by itself, in the query's order") {
    struct weft_query *q = order(per(of(variants_of), "product_id"), col("sku"), WEFT_ORDER_DESC);
    gives(limit(weft_query_ref(q), 1), "1 3 4");
    gives(plain(limit(weft_query_ref(q), 1), WEFT_C_COUNT), "3");
    gives(plain(limit(weft_query_ref(q), 0), WEFT_C_EXISTS), weft_db_dialect(w.db)->numbered ? "false" : "0");
    gives(plain(q, WEFT_C_COUNT), "5");
  }
  it("skips as many in each part, parameters in order") {
    struct weft_query *q = where(per(of(variants_of), "product_id"), more("variant_id", num(0)));
    gives(offset(limit(weft_query_ref(q), 1), 1), "2 5");
    gives(offset(limit(weft_query_ref(q), 1), 2), "");
    gives(offset(q, 1), "2 5");
  }
  it("by the primary key without an order, by an alias, inside a sub-select") {
    struct weft_query *q = where(of(employees_of), more("boss_id", num(0)));
    gives(limit(per(ITEMS(q, WEFT_C_SELECT, C("name"), C("boss_id")), "boss_id"), 1), "Bob Dan Eve");
    q = ITEMS(of(variants_of), WEFT_C_SELECT, C("product_id"), AS("s", col("sku")));
    q = limit(order(per(q, "product_id"), col("s"), 0), 1);
    gives(where(of(products_of), op(WEFT_E_IN, tuple(col("product_id"), txt("L-blue")), query(q))), "1");
  }
  it("of joined rows") {
    struct weft_query *q = ITEMS(join(of(products_of), "variants", variants), WEFT_C_SELECT,
                                 AS(NULL, joined("variants", "sku")), C("product_id"));
    q = order(per(q, "product_id"), joined("variants", "sku"), 0);
    gives(limit(q, 1), "L-blue C-oak T-big");
  }
}

/* ---- rows that count as deleted ---- */

static struct weft_query *deleted(struct weft_query *q, enum weft_deleted which) {
  return number(q, WEFT_C_DELETED, which);
}

static void facts_of_deleted(void) {
  it("leaves them out of every read unless they are asked for") {
    gives(by(of(variants_of), "variant_id"), "1 2 3 4 5");
    gives(plain(of(variants_of), WEFT_C_COUNT), "5");
    gives(by(deleted(of(variants_of), WEFT_DELETED_ONLY), "variant_id"), "6 7");
    gives(plain(deleted(of(variants_of), WEFT_DELETED_WITH), WEFT_C_COUNT), "7");
    gives(by(where(deleted(of(variants_of), WEFT_DELETED_ONLY), either(eq("stock", num(0)), eq("sku", txt("L-red")))),
             "variant_id"), "6");
    gives(ITEMS(of(variants_of), WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, col("stock")))), "21");
    gives(deleted(deleted(of(variants_of), WEFT_DELETED_ONLY), WEFT_DELETED_WITHOUT), "1 2 3 4 5");
  }
  it("and out of sub-selects") {
    gives(products_where(op(WEFT_E_IN, col("product_id"), query(ids_of(variants_of, "product_id",
                                                                      eq("stock", num(3)))))), "");
    gives(products_where(op(WEFT_E_IN, col("product_id"),
                            query(deleted(ids_of(variants_of, "product_id", eq("stock", num(3))),
                                          WEFT_DELETED_WITH)))), "4");
  }
}

/* ---- writes ---- */

static void facts_of_writes(void) {
  it("change rows that an association decides on") {
    changes(ITEMS(where(of(products_of), both(some(variants, eq("stock", num(0))), more("price", num(1)))),
                  WEFT_C_UPDATE, AS("title", txt("Lamp!"))), "1 changed");
    gives(ids_of(products_of, "title", eq("product_id", num(1))), "Lamp!");
    changes(ITEMS(where(of(employees_of), some(boss, eq("name", txt("Ann")))), WEFT_C_UPDATE,
                  AS("age", op(WEFT_E_ADD, col("age"), num(1)))), "2 changed");
    gives(by(ids_of(employees_of, "age", op(WEFT_E_EQ, col("boss_id"), num(1))), "id"), "46 31");
    changes(ITEMS(limit(by(where(of(employees_of), some(reports, NULL)), "id"), 1), WEFT_C_UPDATE,
                  AS("age", num(61))), "1 changed");
    gives(ids_of(employees_of, "age", eq("id", num(1))), "61");
  }
  it("delete rows that none belongs to") {
    changes(plain(where(of(employees_of), both(not(some(reports, NULL)), more("id", num(4)))), WEFT_C_DELETE),
            "2 changed");
    gives(by(of(employees_of), "id"), "1 2 3 4");
  }
  it("spare what is deleted already") {
    changes(ITEMS(all(of(variants_of), WEFT_C_NOTE), WEFT_C_UPDATE, AS("stock", num(1))),
            "update of variants without a condition changes every row: pass { all = true } if you mean it");
    changes(ITEMS(where(of(variants_of), more("variant_id", num(4))), WEFT_C_UPDATE, AS("stock", num(1))),
            "1 changed");
    changes(plain(where(of(variants_of), eq("variant_id", num(7))), WEFT_C_DELETE), "0 changed");
    changes(plain(where(deleted(of(variants_of), WEFT_DELETED_WITH), eq("variant_id", num(7))), WEFT_C_DELETE),
            "1 changed");
  }
}

static void found_by_key(int64_t id, int64_t rows) {
  struct weft_call call;
  struct weft_query *base = of(variants_of);
  struct weft_value key = weft_int(id);
  weft_call_init(&call, note_finished, NULL);
  weft_db_find(variants_of, NULL, base, &key, 1, true, &call);
  wait_for(&w, &call);
  expect_int(call.error.kind, WEFT_OK);
  if (call.rows) expect_int(call.rows->nrows, rows);
  weft_query_unref(base);
  weft_call_reset(&call);
}

/* schema: the one that the tables are in. */
static void wire(const char *schema) {
  products_of = learn(NULL, "products", NULL);
  variants_of = learn(NULL, "variants", "deleted_at");
  images_of = learn(NULL, "images", NULL);
  employees_of = learn(NULL, "employees", NULL);
  odd_of = learn(NULL, "j1", NULL);
  said_of = learn(schema, "employees", NULL);
  struct weft_table *p = weft_relation_table(products_of), *v = weft_relation_table(variants_of);
  struct weft_table *e = weft_relation_table(employees_of), *o = weft_relation_table(odd_of);
  variants = associate("variants", p, "product_id", v, "product_id");
  product = associate("product", v, "product_id", p, "product_id");
  images = associate("images", v, "variant_id", weft_relation_table(images_of), "variant_id");
  reports = associate("reports", e, "id", e, "boss_id");
  boss = associate("boss", e, "boss_id", e, "id");
  odd_up = associate("up", o, "up", o, "id");
  o = weft_relation_table(said_of);
  said = associate("boss", o, "boss_id", o, "id");
}

static void unwire(void) {
  struct weft_association *a[] = {variants, product, images, reports, boss, odd_up, said};
  build_end();
  for (size_t i = 0; i < sizeof a / sizeof *a; i++) weft_association_unref(a[i]);
}

int main(int argc, char **argv) {
  if (!world_open(&w, argc > 1 ? argv[1] : "sqlite::memory:", NULL) || !script(&w, SHOP)) return 1;
  wire(argc > 2 ? argv[2] : "main");
  describe("a condition on an association") { facts_of_some(); }
  describe("a table that belongs to itself") { facts_of_self(); }
  describe("a table of a schema") { facts_of_schemas(); }
  describe("not true") { facts_of_untrue(); }
  describe("a join") { facts_of_joins(); }
  describe("queries in a condition") { facts_of_queries(); }
  describe("a limit for each part") { facts_of_parts(); }
  describe("rows that count as deleted") {
    facts_of_deleted();
    it("are not found by their key") {
      found_by_key(5, 1);
      found_by_key(6, 0);
    }
  }
  describe("writes") { facts_of_writes(); }
  unwire();
  world_close(&w);
  return spec_end();
}
