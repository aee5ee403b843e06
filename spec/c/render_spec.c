/* SPDX-License-Identifier: MIT */
#include "render_expected.h"
#include "render_show.h"

#define PG (&weft_dialect_postgres)
#define LITE (&weft_dialect_sqlite)

static const struct render_query *find_query(const char *name) {
  for (size_t i = 0; i < sizeof render_queries / sizeof *render_queries; i++)
    if (!strcmp(render_queries[i].name, name)) return &render_queries[i];
  return NULL;
}

static void compare(const struct weft_dialect *d, const struct expected *e) {
  struct weft_buf sql, params;
  const char *want = d == PG || !e->sqlite_params ? e->params : e->sqlite_params;
  weft_buf_init(&sql);
  weft_buf_init(&params);
  show_query(d, find_query(e->name), &sql, &params);
  expect_str(weft_buf_cstr(&sql), d == PG ? e->postgres : e->sqlite);
  expect_str(weft_buf_cstr(&params), want);
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
};

static void refuse(const struct refused *f) {
  struct weft_table *t = products(PG);
  struct weft_query *q = f->query.build(t);
  struct weft_plan *p = NULL;
  struct weft_error err;
  weft_error_clear(&err);
  bool skip = f->query.build == lock_group; /* SQLite has no locks to refuse */
  for (int i = 0; i < 2 - skip; i++) {
    expect_int(weft_plan_render(i ? LITE : PG, q, &p, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
    if (!strstr(err.message, f->message) && f->query.build != raw_own)
      expect_str(err.message, f->message);
  }
  weft_query_unref(q);
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
        compare(PG, &expected[i]);
        compare(LITE, &expected[i]);
      }
    it("has an expectation for every query") {
      expect_int(sizeof expected / sizeof *expected,
                 sizeof render_queries / sizeof *render_queries);
    }
    it("writes a wide condition as a shallow tree") { wide(); }
    it("quotes whatever a name holds") { hostile_names(); }
  }
  describe("rendering refuses") {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
      it(refused[i].query.name) { refuse(&refused[i]); }
    it("deep nesting") { deep(); }
  }
  build_end();
  return spec_end();
}
