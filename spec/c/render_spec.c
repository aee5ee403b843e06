/* SPDX-License-Identifier: MIT */
#include "render_expected.h"
#include "render_expected_mysql.h"
#include "render_show.h"

#define PG (&weft_dialect_postgres)
#define LITE (&weft_dialect_sqlite)
#define MY (&weft_dialect_mysql)

static const struct render_query *find_query(const char *name) {
  for (size_t i = 0; i < sizeof render_queries / sizeof *render_queries; i++)
    if (!strcmp(render_queries[i].name, name)) return &render_queries[i];
  return NULL;
}

static void compare(const struct weft_dialect *d, const char *name, const char *want,
                    const char *want_params) {
  struct weft_buf sql, params;
  weft_buf_init(&sql);
  weft_buf_init(&params);
  show_query(d, find_query(name), &sql, &params);
  expect_str(weft_buf_cstr(&sql), want);
  expect_str(weft_buf_cstr(&params), want_params);
  weft_buf_release(&sql);
  weft_buf_release(&params);
}

/* ---- what is refused ---- */

static struct weft_item twice[] = {{.flags = WEFT_NULLS_FIRST | WEFT_NULLS_LAST}};

Q(unknown_where, where(from(t), op(WEFT_E_EQ, col("titel"), num(1))))
Q(unknown_order, order(from(t), col("pric"), 0))
Q(unknown_select, ITEMS(from(t), WEFT_C_SELECT, C("nothing_like_it")))
Q(unknown_update, ITEMS(all(from(t), WEFT_C_LIMIT), WEFT_C_UPDATE, AS("titel", num(1))))
Q(no_condition, ITEMS(from(t), WEFT_C_UPDATE, AS("title", txt("x"))))
Q(delete_no_condition, plain(from(t), WEFT_C_DELETE))
Q(no_condition_limit, plain(limit(from(t), 1), WEFT_C_DELETE))
Q(negative_limit, limit(from(t), -1))
Q(negative_offset, offset(from(t), -1))
Q(wrong_lock, lock(from(t), "update; drop table x"))
Q(lock_group, lock(plain(from(t), WEFT_C_DISTINCT), "update"))
Q(zero_name, where(from(t), op(WEFT_E_EQ, weft_expr_column(&build_arena, WEFT_LIT("a\0b")), num(1))))
Q(empty_alias, ITEMS(from(t), WEFT_C_SELECT, AS("x", col(""))))
Q(raw_marks, where(from(t), RAW("a = ? and b = ?", num(1))))
Q(raw_more, where(from(t), RAW("a = ?", num(1), num(2))))
Q(raw_own, where(from(t), RAW0("a = $1 or a = ?1")))
Q(raw_open, where(from(t), RAW0("a = 'x")))
Q(mixed_path, where(from(t), op(WEFT_E_IN, PATH("attrs", T("x")), LIST(I(1), T("a")))))
Q(path_no_step, where(from(t), op(WEFT_E_EQ, path_of("attrs", 0, NULL), num(1))))
Q(path_float_step, where(from(t), op(WEFT_E_EQ, PATH("attrs", F(1.5)), num(1))))
Q(path_zero_step, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("a\0b")), num(1))))
Q(where_count, where(from(t), op(WEFT_E_GT, one(WEFT_E_COUNT, weft_expr_star()), num(1))))
Q(create_where, weft_query_end(insert(where(from(t), op(WEFT_E_EQ, col("stock"), num(1))),
                                      WEFT_C_INSERT, false, "stock", 1, CELLS(I(1)))))
Q(create_twice, weft_query_end(insert(from(t), WEFT_C_INSERT, false, "stock stock", 1,
                                      CELLS(I(1), I(1)))))
Q(update_group, ITEMS(ITEMS(where(from(t), op(WEFT_E_EQ, col("stock"), num(1))), WEFT_C_GROUP,
                            C("stock")), WEFT_C_UPDATE, AS("stock", num(1))))
Q(after_verb, plain(plain(from(t), WEFT_C_COUNT), WEFT_C_EXISTS))
Q(sum_group, ITEMS(ITEMS(from(t), WEFT_C_GROUP, C("stock")), WEFT_C_AGGREGATE,
                   AS(NULL, one(WEFT_E_SUM, col("price")))))
Q(not_selected, ITEMS(plain(ITEMS(from(t), WEFT_C_SELECT, C("stock")), WEFT_C_DISTINCT),
                      WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, col("price")))))
Q(nulls_twice, (twice[0].expr = col("price"), with_items(from(t), WEFT_C_ORDER, 1, twice)))
Q(sum_star, ITEMS(from(t), WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, weft_expr_star()))))

static struct weft_association *remote(struct weft_table *t) {
  struct weft_association *a = to_variants(t);
  a->remote = true;
  return a;
}

Q(not_joined, where(join(from(t), "variants", to_variants(t)),
                    op(WEFT_E_EQ, joined("varants", "sku"), txt("x"))))
Q(nothing_joined, order(from(t), joined("variants", "sku"), 0))
Q(joined_column, ITEMS(join(from(t), "variants", to_variants(t)), WEFT_C_SELECT,
                       AS(NULL, joined("variants", "skuu"))))
Q(joined_names, ITEMS(join(from(t), "variants", to_variants(t)), WEFT_C_SELECT, C("sku"),
                      AS(NULL, joined("variants", "sku"))))
Q(joined_below, join_as(from(t), "variants.parts", "variants", to_variants(t), false))
Q(join_remote, join(from(t), "variants", remote(t)))
Q(join_update, ITEMS(where(join(from(t), "variants", to_variants(t)), op(WEFT_E_EQ, col("stock"), num(1))),
                     WEFT_C_UPDATE, AS("stock", num(1))))
Q(join_delete, all(join(from(t), "variants", to_variants(t)), WEFT_C_DELETE))
Q(join_create, weft_query_end(insert(join(from(t), "variants", to_variants(t)), WEFT_C_INSERT, false,
                                     "stock", 1, CELLS(I(1)))))
Q(some_unknown, where(from(t), one(WEFT_E_NOT, open_some("varants", NULL, op(WEFT_E_EQ, col("any"), num(1))))))
Q(some_column, where(from(t), some(to_variants(t), op(WEFT_E_EQ, col("titel"), num(1)))))
Q(some_outer, where(join(from(t), "variants", to_variants(t)),
                    some(to_parts(t), op(WEFT_E_EQ, joined("variants", "sku"), txt("x")))))
Q(some_count, having(ITEMS(from(t), WEFT_C_GROUP, C("sku")),
                     some(to_parts(t), op(WEFT_E_EQ, one(WEFT_E_COUNT, weft_expr_star()), num(1)))))
Q(some_remote, where(from(t), some(remote(t), NULL)))
Q(query_width, where(from(t), op(WEFT_E_IN, col("sku"), query(ITEMS(from(t), WEFT_C_SELECT, C("sku"), C("title"))))))
Q(query_rows, where(from(t), op(WEFT_E_IN, tuple(col("sku"), col("title")), query(from(t)))))
Q(query_verb, where(from(t), op(WEFT_E_IN, col("sku"), query(plain(from(t), WEFT_C_COUNT)))))
Q(query_column, where(from(t), op(WEFT_E_IN, col("sku"), query(ITEMS(from(t), WEFT_C_SELECT, C("skuu"))))))
Q(per_distinct, ITEMS(plain(from(t), WEFT_C_DISTINCT), WEFT_C_PER, C("sku")))
Q(per_group, ITEMS(ITEMS(from(t), WEFT_C_PER, C("sku")), WEFT_C_GROUP, C("sku")))
Q(per_having, ITEMS(having(from(t), col("active")), WEFT_C_PER, C("sku")))
Q(per_column, ITEMS(from(t), WEFT_C_PER, C("skuu")))
Q(per_raw, limit(ITEMS(ITEMS(from(t), WEFT_C_SELECT, AS(NULL, RAW0("1"))), WEFT_C_PER, C("sku")), 1))
Q(per_sum, ITEMS(limit(ITEMS(from(t), WEFT_C_PER, C("sku")), 1), WEFT_C_AGGREGATE,
                 AS(NULL, one(WEFT_E_SUM, col("stock")))))
Q(per_delete, all(limit(ITEMS(from(t), WEFT_C_PER, C("sku")), 1), WEFT_C_DELETE))
Q(only_deleted, number(from(t), WEFT_C_DELETED, WEFT_DELETED_ONLY))

static const struct refused {
  struct render_query query;
  const char *message; /* part of it */
} refused[] = {
    {CASE(unknown_where), "unknown column 'titel' of products; did you mean 'title'?"},
    {CASE(unknown_order), "unknown column 'pric' of products; did you mean 'price'?"},
    {CASE(unknown_select), "unknown column 'nothing_like_it' of products"},
    {CASE(unknown_update), "did you mean 'title'?"},
    {CASE(no_condition), "update of products without a condition changes every row: pass { all = "
                         "true } if you mean it"},
    {CASE(delete_no_condition), "delete of products without a condition"},
    {CASE(no_condition_limit), "without a condition"},
    {CASE(negative_limit), "limit must be 0 or more"},
    {CASE(negative_offset), "offset must be 0 or more"},
    {CASE(wrong_lock), "unknown lock 'update; drop table x'"},
    {CASE(lock_group), "cannot be locked"},
    {CASE(zero_name), "zero byte"},
    {CASE(empty_alias), "needs a name"},
    {CASE(raw_marks), "weft.raw has 2 marks and 1 parameters"},
    {CASE(raw_more), "weft.raw has 1 marks and 2 parameters"},
    {CASE(raw_own), "weft.raw takes ? marks"},
    {CASE(raw_open), "ends inside a quote"},
    {CASE(mixed_path), "one JSON type"},
    {CASE(path_no_step), "at least one step"},
    {CASE(path_float_step), "not float"},
    {CASE(path_zero_step), "zero byte"},
    {CASE(where_count), "belongs in having"},
    {CASE(create_where), "create takes no condition"},
    {CASE(create_twice), "column 'stock' is given twice"},
    {CASE(update_group), "update takes no group"},
    {CASE(after_verb), "nothing can follow"},
    {CASE(sum_group), "a grouped query selects its aggregates"},
    {CASE(not_selected), "takes a column that they select"},
    {CASE(nulls_twice), "not both"},
    {CASE(sum_star), "sum needs a column"},
    {CASE(not_joined), "'varants' is not joined to products; did you mean 'variants'?"},
    {CASE(nothing_joined), "'variants' is not joined to products"},
    {CASE(joined_column), "unknown column 'skuu' of product_variants; did you mean 'sku'?"},
    {CASE(joined_names), "two selected columns are called 'sku'"},
    {CASE(joined_below), "'variants' is not joined to products"},
    {CASE(join_update), "write through where(...) on the association"},
    {CASE(join_delete), "write through where(...) on the association"},
    {CASE(join_create), "create takes no join"},
    {CASE(some_unknown), "unknown association 'varants' of products"},
    {CASE(some_column), "unknown column 'titel' of product_variants; did you mean 'title'?"},
    {CASE(some_outer), "'variants' is not joined to products"},
    {CASE(some_count), "belongs in having"},
    {CASE(query_width), "a query that selects 2 columns is compared with 1"},
    {CASE(query_rows), "a query that selects 12 columns is compared with 2"},
    {CASE(query_verb), "a query inside a condition selects rows"},
    {CASE(query_column), "unknown column 'skuu' of products"},
    {CASE(per_distinct), "takes no distinct, group or having"},
    {CASE(per_group), "takes no distinct, group or having"},
    {CASE(per_having), "takes no distinct, group or having"},
    {CASE(per_column), "unknown column 'skuu' of products"},
    {CASE(only_deleted), "the model of products has no soft_delete"},
};

static const struct refused unsupported[] = {
    {CASE(join_remote), "live in different databases; include(...) and weft.some(...)"},
    {CASE(some_remote), "live in different databases"},
    {CASE(per_raw), "raw text that has no name"},
    {CASE(per_sum), "an aggregate of rows with a limit for each part"},
    {CASE(per_delete), "delete with a limit for each part"},
};

static void refuse(const struct refused *f, enum weft_kind kind) {
  struct weft_table *t = products(PG);
  struct weft_query *q = f->query.build(t);
  struct weft_plan *p = NULL;
  struct weft_error err;
  weft_error_clear(&err);
  bool skip = f->query.build == lock_group; /* SQLite has no locks to refuse */
  for (int i = 0; i < 2 - skip; i++) {
    expect_int(weft_plan_render(i ? LITE : PG, q, &p, &err), -1);
    expect_int(err.kind, kind);
    if (!strstr(err.message, f->message) && f->query.build != raw_own)
      expect_str(err.message, f->message);
  }
  weft_query_unref(q);
  build_forget();
  weft_table_unref(t);
}

static void deep(void) {
  struct weft_table *t = products(PG);
  expr e = op(WEFT_E_EQ, col("stock"), num(1));
  for (int i = 0; i < 200000; i++) e = i % 2 ? both(e, col("active")) : either(e, col("active"));
  struct weft_query *q = where(from(t), e);
  struct weft_error err;
  weft_error_clear(&err);
  expect_int(weft_query_check(q, &err), -1);
  expect_int(err.kind, WEFT_USAGE);
  weft_query_unref(q);
  weft_table_unref(t);
}

/* SQLite takes no expression deeper than 1,000: the parentheses of a wide one nest by halves. */
static void wide(void) {
  struct weft_table *t = products(LITE);
  expr kids[5000];
  for (int i = 0; i < 5000; i++) kids[i] = op(WEFT_E_EQ, col("stock"), num(i));
  struct weft_query *q = where(from(t), weft_expr_logic(&build_arena, WEFT_E_OR, kids, 5000));
  struct weft_plan *p = NULL;
  if (expect_int(weft_plan_render(LITE, q, &p, NULL), 0)) {
    int depth = 0, deepest = 0;
    for (const char *s = p->sql.p; *s; s++) {
      depth += (*s == '(') - (*s == ')');
      if (depth > deepest) deepest = depth;
    }
    expect(deepest < 10);
    expect_int(depth, 0);
    expect_int(p->nslots, 5000);
  }
  weft_plan_unref(p);
  weft_query_unref(q);
  weft_table_unref(t);
}

static void hostile_names(void) {
  struct weft_table *t = weft_table_unknown(WEFT_LIT("s\"c"), WEFT_LIT("t\"; drop table x; --"));
  struct weft_query *q = where(from(t), op(WEFT_E_EQ, col("a\" or 1=1 --"), num(1)));
  struct weft_plan *p = NULL;
  if (expect_int(weft_plan_render(PG, q, &p, NULL), 0))
    expect_str(p->sql.p, "select * from \"s\"\"c\".\"t\"\"; drop table x; --\" where "
                         "\"a\"\" or 1=1 --\" = $1");
  weft_plan_unref(p);
  weft_query_unref(q);
  weft_table_unref(t);
}

int main(void) {
  describe("rendering") {
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
      it(expected[i].name) {
        const struct expected *e = &expected[i];
        const struct expected_mysql *m = &expected_mysql[i];
        compare(PG, e->name, e->postgres, e->params);
        compare(LITE, e->name, e->sqlite, e->sqlite_params ? e->sqlite_params : e->params);
        expect_str(m->name, e->name);
        compare(MY, e->name, m->sql, m->params ? m->params : e->params);
      }
    it("has an expectation for every query") {
      expect_int(sizeof expected / sizeof *expected,
                 sizeof render_queries / sizeof *render_queries);
      expect_int(sizeof expected_mysql / sizeof *expected_mysql,
                 sizeof render_queries / sizeof *render_queries);
    }
    it("writes a wide condition as a shallow tree") { wide(); }
    it("quotes whatever a name holds") { hostile_names(); }
  }
  describe("rendering refuses") {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
      it(refused[i].query.name) { refuse(&refused[i], WEFT_USAGE); }
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
      it(unsupported[i].query.name) { refuse(&unsupported[i], WEFT_UNSUPPORTED); }
    it("deep nesting") { deep(); }
  }
  build_end();
  return spec_end();
}
