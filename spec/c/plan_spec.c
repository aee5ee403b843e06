/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "decimal.h"

#define PG (&weft_dialect_postgres)
#define LITE (&weft_dialect_sqlite)

static struct weft_query *find(struct weft_table *t, int64_t id) {
  return limit(where(from(t), op(WEFT_E_EQ, col("product_id"), num(id))), 1);
}

static struct weft_plan *get(struct weft_plans *c, struct weft_query *q) {
  struct weft_plan *p = NULL;
  struct weft_error err;
  weft_error_clear(&err);
  if (weft_plans_get(c, q, &p, &err)) printf("# %s\n", err.message);
  return p;
}

static void cache(struct weft_table *t) {
  struct weft_plans c;
  weft_plans_init(&c, PG, 1 << 20);
  struct weft_query *a = find(t, 1), *b = find(t, 2), *d = limit(find(t, 3), 2);
  it("renders a shape once") {
    struct weft_plan *p = get(&c, a);
    expect(p != NULL && get(&c, b) == p);
    expect(get(&c, d) != p);
    expect_int(c.misses, 2);
    expect_int(c.hits, 1);
  }
  it("keeps a plan that is in flight when it is cleared") {
    struct weft_plan *p = weft_plan_ref(get(&c, a));
    weft_plans_clear(&c);
    expect_int(c.bytes, 0);
    expect_int(p->refs, 1);
    expect(get(&c, b) != p);
    expect(strstr(p->sql.p, "\"product_id\" = $1 limit 1") != NULL);
    weft_plan_unref(p);
  }
  it("drops what was used longest ago") {
    weft_plans_clear(&c);
    size_t each = get(&c, a)->bytes;
    c.limit = each * 2 + each / 2;
    get(&c, d);
    get(&c, a);
    struct weft_query *e = limit(find(t, 3), 9);
    get(&c, e);
    expect_int(c.evictions, 1);
    uint64_t misses = c.misses;
    get(&c, a);
    expect_int(c.misses, misses);
    get(&c, d);
    expect_int(c.misses, misses + 1);
    weft_query_unref(e);
  }
  it("keeps one plan even when it is larger than the limit") {
    weft_plans_clear(&c);
    c.limit = 1;
    struct weft_plan *p = get(&c, a);
    expect(p && get(&c, b) == p);
  }
  weft_query_unref(a), weft_query_unref(b), weft_query_unref(d);
  weft_plans_release(&c);
}

static int bind(const struct weft_dialect *d, struct weft_query *q, struct weft_value *out,
                struct weft_error *err) {
  struct weft_plan *p = NULL;
  weft_error_clear(err);
  int rc = weft_plan_render(d, q, &p, err);
  if (!rc) rc = weft_plan_bind(p, q, &build_arena, out, err);
  weft_plan_unref(p);
  weft_query_unref(q);
  return rc;
}

static void binding(struct weft_table *t) {
  struct weft_value v[8];
  struct weft_error err;
  it("gives a value its column's type") {
    expect_int(bind(PG, where(from(t), op(WEFT_E_EQ, col("stock"), txt("12"))), v, &err), 0);
    expect_int(v[0].type, WEFT_INT);
    expect_int(v[0].u.i, 12);
  }
  it("names the column of a value that does not fit, never the value") {
    expect_int(bind(PG, where(from(t), op(WEFT_E_EQ, col("stock"), txt("secret"))), v, &err), -1);
    expect_int(err.kind, WEFT_TYPE);
    expect_str(err.column, "stock");
    expect(strstr(err.message, "stock") && !strstr(err.message, "secret"));
  }
  it("compares with more digits than the column keeps, but does not store them") {
    expect_int(bind(PG, where(from(t), op(WEFT_E_LT, col("price"), txt("0.999"))), v, &err), 0);
    expect_int(v[0].type, WEFT_DECIMAL);
    expect_int(bind(PG, ITEMS(all(from(t), WEFT_C_DISTINCT), WEFT_C_COUNT, AS("x", null())), v,
                    &err), 0);
    expect_int(bind(PG, ITEMS(where(from(t), op(WEFT_E_EQ, col("stock"), num(1))), WEFT_C_UPDATE,
                              AS("price", txt("0.999"))), v, &err), -1);
    expect_int(err.kind, WEFT_TYPE);
  }
  it("fills the slots of another query of the same shape") {
    struct weft_plan *p = NULL;
    expr shared = op(WEFT_E_EQ, col("stock"), num(1));
    struct weft_query *first = where(from(t), either(shared, both(shared, col("active"))));
    struct weft_query *second =
        where(from(t), either(op(WEFT_E_EQ, col("stock"), num(5)),
                              both(op(WEFT_E_EQ, col("stock"), num(6)), col("active"))));
    expect(weft_query_same_shape(first, second));
    if (expect_int(weft_plan_render(PG, first, &p, &err), 0)) {
      expect_int(p->nslots, 2);
      expect_int(weft_plan_bind(p, second, &build_arena, v, &err), 0);
      expect_int(v[0].u.i, 5);
      expect_int(v[1].u.i, 6);
    }
    weft_plan_unref(p);
    weft_query_unref(first), weft_query_unref(second);
  }
  it("refuses rows that name different columns") {
    struct weft_query *q = weft_query_end(
        insert(from(t), WEFT_C_INSERT, true, "stock sku", 2, CELLS(I(1), DEFAULT, I(2), T("x"))));
    expect_int(bind(PG, q, v, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
  }
  it("binds one array per column for any number of rows, or one run per row") {
    static struct weft_value cells[2000];
    for (int i = 0; i < 1000; i++) cells[2 * i] = I(i), cells[2 * i + 1] = T("t");
    struct weft_query *many =
        weft_query_end(insert(from(t), WEFT_C_INSERT, true, "stock title", 1000, cells));
    struct weft_query *two =
        weft_query_end(insert(from(t), WEFT_C_INSERT, true, "stock title", 2, cells));
    struct weft_plan *p = NULL;
    expect(weft_query_same_shape(many, two));
    if (expect_int(weft_plan_render(PG, two, &p, &err), 0)) {
      expect_int(p->nslots, 2);
      expect_int(weft_plan_runs(p, many), 1);
      expect_int(weft_plan_bind(p, many, &build_arena, v, &err), 0);
      expect_int(v[0].u.array->n, 1000);
      expect_int(v[0].u.array->v[999].u.i, 999);
    }
    weft_plan_unref(p);
    if (expect_int(weft_plan_render(LITE, two, &p, &err), 0)) {
      expect_int(weft_plan_runs(p, many), 1000);
      struct weft_value *all_params = weft_arena_alloc(&build_arena, 2000 * sizeof *all_params);
      expect_int(weft_plan_bind(p, many, &build_arena, all_params, &err), 0);
      expect_int(all_params[1998].u.i, 999);
    }
    weft_plan_unref(p);
    weft_query_unref(many), weft_query_unref(two);
  }
}

static void flags(struct weft_table *t) {
  struct weft_query *q;
  struct weft_plan *p = NULL;
  it("a look-up by a whole unique key is known as one") {
    q = where(find(t, 1), op(WEFT_E_GT, col("stock"), num(0)));
    if (!weft_plan_render(PG, q, &p, NULL)) expect_int(p->flags, WEFT_PLAN_READ | WEFT_PLAN_KEY);
    weft_plan_unref(p), weft_query_unref(q);
    q = where(from(t), op(WEFT_E_GT, col("product_id"), num(0)));
    if (!weft_plan_render(PG, q, &p, NULL)) expect_int(p->flags, WEFT_PLAN_READ);
    weft_plan_unref(p), weft_query_unref(q);
    q = where(from(t), either(op(WEFT_E_EQ, col("product_id"), num(0)), col("active")));
    if (!weft_plan_render(PG, q, &p, NULL)) expect_int(p->flags, WEFT_PLAN_READ);
    weft_plan_unref(p), weft_query_unref(q);
  }
  it("no look-up is one when it joins; an association in a condition changes nothing") {
    struct weft_association *a = to_variants(t);
    q = join(find(t, 1), "variants", a);
    if (!weft_plan_render(PG, q, &p, NULL)) expect_int(p->flags, WEFT_PLAN_READ);
    weft_plan_unref(p), weft_query_unref(q);
    q = where(find(t, 1), some(a, NULL));
    if (!weft_plan_render(PG, q, &p, NULL)) expect_int(p->flags, WEFT_PLAN_READ | WEFT_PLAN_KEY);
    weft_plan_unref(p), weft_query_unref(q);
    build_forget();
  }
  it("raw text anywhere makes it raw") {
    q = where(find(t, 1), RAW0("true"));
    if (!weft_plan_render(PG, q, &p, NULL))
      expect_int(p->flags, WEFT_PLAN_READ | WEFT_PLAN_KEY | WEFT_PLAN_RAW);
    weft_plan_unref(p), weft_query_unref(q);
  }
  it("measures a running mean") {
    q = find(t, 1);
    if (!weft_plan_render(PG, q, &p, NULL)) {
      weft_plan_measured(p, 1000);
      expect_int(p->estimate_ns, 1000);
      weft_plan_measured(p, 9000);
      expect_int(p->estimate_ns, 2000);
      expect_int(p->runs, 2);
    }
    weft_plan_unref(p), weft_query_unref(q);
  }
}

static void presents(struct weft_query *q, int n, const uint32_t *as) {
  struct weft_column c[4] = {{.name = WEFT_LIT("title")}, {.name = WEFT_LIT("stock")},
                             {.name = WEFT_LIT("n")}, {.name = WEFT_LIT("x")}};
  struct weft_columns *columns = weft_columns_new(c, (uint32_t)n);
  struct weft_plan *p = NULL;
  if (expect_int(weft_plan_render(LITE, q, &p, NULL), 0)) weft_plan_present(p, columns);
  for (int i = 0; p && i < n; i++) expect_int(columns->v[i].as, as[i]);
  weft_columns_unref(columns);
  weft_plan_unref(p);
  weft_query_unref(q);
}

static void shown(struct weft_table *t) {
  struct weft_association *a = to_variants(t);
  t->columns[2].as = WEFT_AS_STRING;          /* title */
  a->to->columns[2].as = WEFT_AS_NUMBER;
  a->to->columns[4].as = WEFT_AS_EPOCH;       /* price */
  struct weft_query *q = join(from(t), "variants", a);
  it("a column as its own table says, whichever is joined") {
    presents(ITEMS(weft_query_ref(q), WEFT_C_SELECT, C("title"), AS("stock", joined("variants", "title")),
                   AS("n", one(WEFT_E_SUM, joined("variants", "price"))), AS("x", one(WEFT_E_SUM, col("price")))),
             4, (uint32_t[]){WEFT_AS_STRING, WEFT_AS_NUMBER, WEFT_AS_EPOCH, 0});
    presents(ITEMS(weft_query_ref(q), WEFT_C_GROUP, AS(NULL, joined("variants", "title"))), 1,
             (uint32_t[]){WEFT_AS_NUMBER});
    presents(weft_query_ref(q), 2, (uint32_t[]){WEFT_AS_STRING, 0});
  }
  it("the type of an aggregate of a joined decimal") {
    struct weft_column_type type;
    struct weft_plan *p = NULL;
    t->columns[4].type.type = WEFT_FLOAT;
    struct weft_query *sums = ITEMS(weft_query_ref(q), WEFT_C_SELECT, AS("a", one(WEFT_E_SUM, col("price"))),
                                    AS("b", one(WEFT_E_AVG, joined("variants", "price"))));
    if (expect_int(weft_plan_render(LITE, sums, &p, NULL), 0)) {
      struct weft_shown told;
      weft_shown_init(&told, p);
      expect(!weft_shown_aggregate(&told, 0, &type));
      expect(weft_shown_aggregate(&told, 1, &type) && type.type == WEFT_DECIMAL && type.scale == -1);
      expect(!weft_shown_aggregate(&told, 2, &type));
      weft_shown_release(&told);
    }
    weft_plan_unref(p), weft_query_unref(sums);
  }
  weft_query_unref(q);
  build_forget();
}

static void raw(void) {
  struct weft_plans c;
  struct weft_plan *p = NULL, *again = NULL;
  struct weft_error err;
  weft_plans_init(&c, PG, 1 << 20);
  weft_error_clear(&err);
  it("keeps raw text by its own text") {
    expect_int(weft_plans_raw(&c, WEFT_LIT("select ?"), 1, 0, &p, &err), 0);
    expect_int(weft_plans_raw(&c, WEFT_LIT("select ?"), 1, 0, &again, &err), 0);
    expect(p == again);
    expect_str(p->sql.p, "select $1");
    expect_int(p->flags, WEFT_PLAN_RAW | WEFT_PLAN_READ);
  }
  it("counts parameters, also of a text that it knows") {
    expect_int(weft_plans_raw(&c, WEFT_LIT("select ?"), 2, 0, &p, &err), -1);
    expect_str(err.message, "the statement takes 1 parameters, not 2");
    expect_int(weft_plans_raw(&c, WEFT_LIT("select ?, ?"), 0, 0, &p, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
  }
  it("refuses control statements unless they are allowed") {
    expect_int(weft_plans_raw(&c, WEFT_LIT("begin"), 0, WEFT_PLAN_CONTROL, &p, &err), 0);
    expect_int(p->flags, WEFT_PLAN_RAW | WEFT_PLAN_CONTROL);
    expect_int(weft_plans_raw(&c, WEFT_LIT("begin"), 0, 0, &p, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
    expect_int(weft_plans_raw(&c, WEFT_LIT("commit"), 0, 0, &p, &err), -1);
  }
  it("refuses nothing at all") {
    expect_int(weft_plans_raw(&c, WEFT_LIT(" -- "), 0, WEFT_PLAN_CONTROL, &p, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
  }
  weft_plans_release(&c);
}

static void encode(struct weft_slot slot, struct weft_value list, const char *want, size_t n) {
  struct weft_value out;
  struct weft_error err;
  weft_error_clear(&err);
  if (!want) {
    expect_int(weft_slot_encode(&slot, list, &build_arena, &out, &err), -1);
    expect_int(err.kind, WEFT_TYPE);
    expect(strstr(err.message, "in a list") != NULL);
  } else if (expect_int(weft_slot_encode(&slot, list, &build_arena, &out, &err), 0)) {
    expect_mem(out.u.s, out.n, want, n);
  }
}
#define ENCODE(form_, list, want) \
  encode((struct weft_slot){.form = form_}, (list)->value, "" want, sizeof(want) - 1)
#define REFUSE(form_, list) encode((struct weft_slot){.form = form_}, (list)->value, NULL, 0)

static struct weft_value decimal_of(const char *text) {
  struct weft_decimal *d = weft_arena_alloc(&build_arena, sizeof *d);
  weft_decimal_parse(weft_slice_of(text), d);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static void lists(void) {
  it("writes integers and text as JSON") {
    ENCODE(WEFT_SLOT_JSON, LIST(I(INT64_MIN), I(INT64_MAX), T("a\"\\\n"), weft_bool(true)),
           "[-9223372036854775808,9223372036854775807,\"a\\\"\\\\\\n\",1]");
  }
  it("writes fractions as integers and powers of two") {
    ENCODE(WEFT_SLOT_JSON_REAL, LIST(F(0.5), F(-2.25), F(3)),
           "[[1,2,1,1,1,1],[-9,4,1,1,1,1],3]");
    ENCODE(WEFT_SLOT_JSON_REAL, LIST(F(0x1p-100), F(0x1p70)),
           "[[1,4611686018427387904,274877906944,1,1,1],"
           "[1,1,1,1,4611686018427387904,256]]");
  }
  it("joins bytes and says where each is") {
    expr list = LIST(T("a\0b"), T(""), T("\xff"));
    ENCODE(WEFT_SLOT_JOINED, list, "\0a\0b\xff");
    ENCODE(WEFT_SLOT_SPANS, list, "[[2,3],[5,0],[5,1]]");
  }
  it("writes what json_table reads in the column's type") {
    struct weft_value bytes = T("\0'\xff"), at = I(1500000);
    bytes.type = WEFT_BYTES;
    at.type = WEFT_TIMESTAMPTZ;
    ENCODE(WEFT_SLOT_JSON_TEXT, LIST(I(INT64_MIN), F(0.1), F(1e300), T("a\""), weft_bool(true)),
           "[-9223372036854775808,0.1,1e+300,\"a\\\"\",1]");
    ENCODE(WEFT_SLOT_JSON_TEXT, list_of(1, &bytes), "[\"0027ff\"]");
    ENCODE(WEFT_SLOT_JSON_TEXT, list_of(1, &at), "[\"1970-01-01T00:00:01.500000\"]");
    ENCODE(WEFT_SLOT_JSON_TEXT, LIST(decimal_of("-12345678901234567890.5"), decimal_of("0.30")),
           "[-12345678901234567890.5,0.30]");
  }
  it("refuses what would not arrive as it is") {
    REFUSE(WEFT_SLOT_JSON_TEXT, LIST(F(INFINITY)));
    REFUSE(WEFT_SLOT_JSON_TEXT, LIST(T("\xff")));
    REFUSE(WEFT_SLOT_JSON_TEXT, LIST(decimal_of("1e-31")));
    REFUSE(WEFT_SLOT_JSON_TEXT, LIST(decimal_of("1e36")));
    REFUSE(WEFT_SLOT_JSON, LIST(T("a\0b")));
    REFUSE(WEFT_SLOT_JSON, LIST(T("\xff")));
    REFUSE(WEFT_SLOT_JSON_REAL, LIST(F(NAN)));
    REFUSE(WEFT_SLOT_JSON_REAL, LIST(F(1e-300)));
    REFUSE(WEFT_SLOT_JSON_REAL, LIST(F(1e300)));
    struct weft_value bytes = T("x");
    bytes.type = WEFT_BYTES;
    REFUSE(WEFT_SLOT_JSON_REAL, list_of(1, &bytes));
  }
}

int main(void) {
  struct weft_table *t = products(PG);
  describe("the plan cache") { cache(t); }
  describe("binding") { binding(t); }
  describe("a plan's flags") { flags(t); }
  describe("a plan shows") {
    struct weft_table *other = products(LITE);
    shown(other);
    weft_table_unref(other);
  }
  describe("raw statements") { raw(); }
  describe("a list as one parameter of SQLite") { lists(); }
  weft_table_unref(t);
  build_end();
  return spec_end();
}
