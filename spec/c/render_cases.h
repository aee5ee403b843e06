/* SPDX-License-Identifier: MIT */
/* The queries of render_spec, one function each. */
#ifndef WEFT_SPEC_RENDER_CASES_H
#define WEFT_SPEC_RENDER_CASES_H

#include "build.h"

#define Q(name, query) \
  static struct weft_query *name(struct weft_table *t) { return query; }

Q(rows, from(t))
Q(eq, where(from(t), op(WEFT_E_EQ, col("price"), num(5))))
Q(ne_text, where(from(t), op(WEFT_E_NE, col("title"), txt("a"))))
Q(order_ops, where(where(from(t), op(WEFT_E_LT, col("stock"), num(3))),
                   op(WEFT_E_GE, col("stock"), txt("1"))))
Q(null_eq, where(from(t), op(WEFT_E_EQ, col("sku"), null())))
Q(null_ne, where(from(t), op(WEFT_E_NE, col("sku"), null())))
Q(column_column, where(from(t), op(WEFT_E_GT, col("price"), col("weight"))))
Q(in_ints, where(from(t), op(WEFT_E_IN, col("seller_id"), LIST(I(1), I(2), I(9)))))
Q(in_text, where(from(t), op(WEFT_E_IN, col("title"), LIST(T("it's"), T("\"q\"\\"), T("\xc3\xa9")))))
Q(in_null, where(from(t), op(WEFT_E_EQ, col("seller_id"), LIST(I(1), NIL))))
Q(not_in_null, where(from(t), op(WEFT_E_NOT_IN, col("seller_id"), LIST(I(1), NIL))))
Q(in_nothing, where(from(t), op(WEFT_E_IN, col("seller_id"), list_of(0, NULL))))
Q(not_in_nothing, where(from(t), op(WEFT_E_NOT_IN, col("seller_id"), list_of(0, NULL))))
Q(not_in, where(from(t), op(WEFT_E_NOT_IN, col("stock"), LIST(I(0)))))
Q(in_prices, where(from(t), op(WEFT_E_IN, col("price"), LIST(F(0.1), I(7), T("19.99")))))
Q(in_floats, where(from(t), op(WEFT_E_IN, col("weight"), LIST(F(0.1), F(2.5), F(1e17), F(-1e-30)))))
Q(in_bytes, where(from(t), op(WEFT_E_IN, col("photo"), LIST(T("a\0b"), T(""), T("\xff")))))
Q(in_bools, where(from(t), op(WEFT_E_IN, col("active"), LIST(weft_bool(true)))))
Q(in_raw, where(from(t), op(WEFT_E_IN, col("seller_id"), RAW("select seller_id from products where stock > ?", num(5)))))
Q(between_prices, where(from(t), between(col("price"), num(1), val(F(9.99)))))
Q(like, where(from(t), op(WEFT_E_LIKE, col("title"), txt("A%"))))
Q(like_int, where(from(t), op(WEFT_E_LIKE, col("stock"), txt("1%"))))
Q(ilike, where(from(t), op(WEFT_E_ILIKE, col("title"), txt("a%"))))
Q(begins, where(from(t), op(WEFT_E_BEGINS, col("title"), txt("A"))))
Q(ends, where(from(t), op(WEFT_E_ENDS, col("title"), txt("s"))))
Q(contains, where(from(t), op(WEFT_E_CONTAINS, col("title"), txt("pp"))))
Q(begins_empty, where(from(t), op(WEFT_E_BEGINS, col("sku"), txt(""))))
Q(ends_empty, where(from(t), op(WEFT_E_ENDS, col("sku"), txt(""))))
Q(contains_empty, where(from(t), op(WEFT_E_CONTAINS, col("sku"), txt(""))))
Q(begins_int, where(from(t), op(WEFT_E_BEGINS, col("stock"), txt("1"))))
Q(begins_bytes, where(from(t), op(WEFT_E_BEGINS, col("photo"), txt("a"))))
Q(ends_bytes, where(from(t), op(WEFT_E_ENDS, col("photo"), val(T("\0b")))))
Q(contains_bytes, where(from(t), op(WEFT_E_CONTAINS, col("photo"), val(T("\0")))))
Q(logic, where(where(from(t), either(op(WEFT_E_LT, col("price"), num(5)),
                                     both(op(WEFT_E_EQ, col("active"), val(weft_bool(true))),
                                          op(WEFT_E_GT, col("stock"), num(0))))),
               one(WEFT_E_NOT, op(WEFT_E_EQ, col("title"), txt("x")))))
Q(raw, where(where(from(t), RAW("price > ? and stock > ?", num(18), num(0))),
             op(WEFT_E_EQ, col("seller_id"), num(1))))
Q(raw_comment, where(from(t), RAW0("stock >= 0 -- '?'")))

Q(path_number, where(from(t), op(WEFT_E_GT, PATH("attrs", T("size")), num(3))))
Q(path_text, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("color")), txt("red"))))
Q(path_bool, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("ok")), val(weft_bool(true)))))
Q(path_deep, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("items"), I(1), T("sku")), txt("b"))))
Q(path_odd, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("a.\"b'\\"), T("\xc3\xa9")), num(1))))
Q(path_last, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("list"), I(-1)), num(3))))
Q(path_in, where(from(t), op(WEFT_E_IN, PATH("attrs", T("color")), LIST(T("red"), T("blue")))))
Q(path_in_numbers, where(from(t), op(WEFT_E_IN, PATH("attrs", T("size")), LIST(I(4), F(2.5)))))
Q(path_null, where(from(t), op(WEFT_E_EQ, PATH("attrs", T("none")), null())))
Q(path_not_null, where(from(t), op(WEFT_E_NE, PATH("attrs", T("color")), null())))
Q(path_like, where(from(t), op(WEFT_E_BEGINS, PATH("attrs", T("color")), txt("r"))))
Q(path_between, where(from(t), between(PATH("attrs", T("size")), num(1), num(4))))
Q(path_select, order(ITEMS(from(t), WEFT_C_SELECT, C("product_id"),
                           AS("color", PATH("attrs", T("color"))),
                           AS(NULL, PATH("attrs", T("items"), I(0), T("sku")))),
                     PATH("attrs", T("size")), WEFT_ORDER_DESC | WEFT_NULLS_LAST))

Q(selected, ITEMS(from(t), WEFT_C_SELECT, C("product_id"), C("title"), AS("cost", col("price"))))
Q(paged, offset(limit(order(order(from(t), col("price"), WEFT_ORDER_DESC | WEFT_NULLS_LAST),
                            col("product_id"), 0), 2), 1))
Q(offset_only, offset(order(from(t), col("product_id"), WEFT_NULLS_FIRST), 3))
Q(distinct, plain(ITEMS(from(t), WEFT_C_SELECT, C("seller_id")), WEFT_C_DISTINCT))
Q(grouped, order(having(ITEMS(ITEMS(from(t), WEFT_C_GROUP, C("seller_id")), WEFT_C_SELECT,
                              C("seller_id"), AS("n", one(WEFT_E_COUNT, weft_expr_star())),
                              AS("total", one(WEFT_E_SUM, col("price"))),
                              AS("price", one(WEFT_E_MAX, col("price")))),
                        both(op(WEFT_E_GT, col("n"), txt("1")), op(WEFT_E_LT, col("price"), num(90)))),
                 col("n"), WEFT_ORDER_DESC))
Q(group_plain, ITEMS(from(t), WEFT_C_GROUP, C("seller_id"), C("active")))
Q(group_adds, ITEMS(ITEMS(ITEMS(from(t), WEFT_C_GROUP, C("active")), WEFT_C_SELECT, C("active")),
                    WEFT_C_SELECT, AS("k", one(WEFT_E_COUNT_DISTINCT, col("seller_id"))),
                    AS(NULL, one(WEFT_E_AVG, col("stock")))))
Q(for_update, lock(where(from(t), op(WEFT_E_EQ, col("product_id"), num(1))), "update skip locked"))
Q(locked_share, lock(where(from(t), op(WEFT_E_EQ, col("product_id"), num(1))), "no key update"))

Q(count, plain(where(order(from(t), col("price"), 0), op(WEFT_E_GT, col("stock"), num(0))),
               WEFT_C_COUNT))
Q(count_false, plain(where(from(t), weft_expr_false()), WEFT_C_COUNT))
Q(count_limit, plain(offset(limit(from(t), 3), 1), WEFT_C_COUNT))
Q(count_distinct, plain(plain(ITEMS(from(t), WEFT_C_SELECT, C("seller_id")), WEFT_C_DISTINCT),
                        WEFT_C_COUNT))
Q(count_groups, plain(having(ITEMS(ITEMS(from(t), WEFT_C_GROUP, C("seller_id")), WEFT_C_SELECT,
                                   AS("n", one(WEFT_E_COUNT, weft_expr_star()))),
                             op(WEFT_E_GT, col("n"), num(1))), WEFT_C_COUNT))
Q(exists, plain(where(from(t), op(WEFT_E_EQ, col("sku"), txt("S1"))), WEFT_C_EXISTS))
Q(sum, ITEMS(where(from(t), op(WEFT_E_GT, col("stock"), num(0))), WEFT_C_AGGREGATE,
             AS(NULL, one(WEFT_E_SUM, col("price")))))
Q(max_limit, ITEMS(limit(order(from(t), col("product_id"), 0), 2), WEFT_C_AGGREGATE,
                   AS(NULL, one(WEFT_E_MAX, col("price")))))
Q(sum_distinct, ITEMS(plain(ITEMS(from(t), WEFT_C_SELECT, C("stock")), WEFT_C_DISTINCT),
                      WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, col("stock")))))
Q(sum_path, ITEMS(from(t), WEFT_C_AGGREGATE, AS(NULL, one(WEFT_E_SUM, PATH("attrs", T("size"))))))

Q(create, weft_query_end(insert(from(t), WEFT_C_INSERT, false, "product_id title price stock active", 1,
                                CELLS(I(100), T("new"), T("1.50"), I(1), DEFAULT))))
Q(create_nothing, weft_query_end(insert(from(t), WEFT_C_INSERT, false, "", 1, NULL)))
Q(create_quiet, weft_query_end(insert(from(t), WEFT_C_INSERT, true, "product_id title stock", 1,
                                      CELLS(I(101), T("q"), I(1)))))
Q(create_many, weft_query_end(insert(from(t), WEFT_C_INSERT, false, "product_id title price stock", 3,
                                     CELLS(I(203), T("c"), T("3.50"), I(1), I(202), T("b"), NIL, I(2),
                                           I(201), T("a"), I(1), I(3)))))
Q(create_many_quiet, weft_query_end(insert(from(t), WEFT_C_INSERT, true, "product_id title stock", 2,
                                           CELLS(I(301), T("c"), I(1), I(302), T("b"), I(1)))))
Q(create_many_nothing, weft_query_end(insert(from(t), WEFT_C_INSERT, true, "stock", 2,
                                             CELLS(DEFAULT, DEFAULT))))
Q(upsert, weft_query_end(on(insert(from(t), WEFT_C_UPSERT, false, "product_id sku title stock", 1,
                                   CELLS(I(400), T("S1"), T("up"), I(4))), "sku")))
Q(upsert_key, weft_query_end(insert(from(t), WEFT_C_UPSERT, false, "product_id title stock", 1,
                                    CELLS(I(1), T("by key"), I(4)))))
Q(upsert_updates, weft_query_end(updating(
      on(insert(from(t), WEFT_C_UPSERT, false, "sku title stock", 1, CELLS(T("S1"), T("up"), I(4))), "sku"),
      2, (struct weft_item[]){item("stock", op(WEFT_E_ADD, col("stock"), num(10))),
                              item("title", txt("again"))})))
Q(upsert_nothing, weft_query_end(updating(
      on(insert(from(t), WEFT_C_UPSERT, false, "sku title stock", 1, CELLS(T("S1"), T("up"), I(4))), "sku"),
      0, NULL)))
Q(upsert_many, weft_query_end(updating(
      on(insert(from(t), WEFT_C_UPSERT, false, "sku title stock", 2,
                CELLS(T("S1"), T("up"), I(4), T("S900"), T("down"), I(5))), "sku"),
      1, (struct weft_item[]){item("stock", op(WEFT_E_ADD, col("stock"), num(10)))})))
Q(update, ITEMS(where(from(t), op(WEFT_E_EQ, col("product_id"), num(1))), WEFT_C_UPDATE,
                AS("title", txt("t")), AS("stock", op(WEFT_E_ADD, col("stock"), num(-1))),
                AS("sku", null())))
Q(update_all, all(from(t), WEFT_C_DELETE))
Q(update_limit, ITEMS(limit(order(where(from(t), op(WEFT_E_GT, col("stock"), num(0))), col("price"), 0), 1),
                      WEFT_C_UPDATE, AS("stock", num(0))))
Q(update_raw, ITEMS(where(from(t), RAW("stock > ?", num(1))), WEFT_C_UPDATE,
                    AS("stock", RAW("stock * ?", num(2)))))
Q(delete_some, plain(where(from(t), op(WEFT_E_IN, col("product_id"), LIST(I(1), I(2)))), WEFT_C_DELETE))
Q(delete_said, plain(where(from(t), op(WEFT_E_NOT_IN, col("product_id"), list_of(0, NULL))),
                     WEFT_C_DELETE))

Q(some_row, where(from(t), both(op(WEFT_E_GT, col("price"), num(1)),
                                some(to_variants(t), both(op(WEFT_E_GT, col("stock"), num(3)),
                                                          op(WEFT_E_EQ, col("sku"), txt("S")))))))
Q(some_any, where(from(t), some(to_variants(t), NULL)))
Q(some_none, where(from(t), one(WEFT_E_NOT, some(to_variants(t), op(WEFT_E_EQ, col("stock"), num(0))))))
Q(some_every, where(from(t), one(WEFT_E_NOT, some(to_variants(t), one(WEFT_E_UNTRUE, op(WEFT_E_GT, col("stock"),
                                                                                        num(0)))))))
Q(some_typed, where(from(t), some(to_variants(t), both(both(op(WEFT_E_IN, col("stock"), LIST(I(1))),
                                                            op(WEFT_E_BEGINS, col("title"), txt("a"))),
                                                       either(op(WEFT_E_EQ, PATH("attrs", T("a b")), num(1)),
                                                              op(WEFT_E_IN, PATH("attrs", T("c")), LIST(T("x"))))))))
Q(some_self, where(from(t), both(some(to_parts(t), some(to_parts(t), op(WEFT_E_LT, col("stock"), num(1)))),
                                 some(to_parts(t), op(WEFT_E_LT, col("price"), col("weight"))))))
Q(untrue_or, where(from(t), both(one(WEFT_E_UNTRUE, either(op(WEFT_E_EQ, col("sku"), txt("a")), col("active"))),
                                 op(WEFT_E_EQ, col("stock"), num(2)))))
Q(joined_rows, where(join(where(from(t), op(WEFT_E_EQ, PATH("attrs", T("a b")), num(1))), "variants",
                          to_variants(t)), op(WEFT_E_IN, joined("variants", "sku"), LIST(T("X")))))
Q(joined_if, ITEMS(where(join_if(from(t), "variants", NULL, to_variants(t), true,
                                 both(op(WEFT_E_EQ, col("stock"), num(1)), some(to_parts(t), op(WEFT_E_EQ, col("sku"), txt("a"))))),
                         op(WEFT_E_EQ, col("stock"), num(2))), WEFT_C_SELECT, C("title")))
Q(joined_left, order(ITEMS(where(join_as(from(t), "variants", NULL, to_variants(t), true),
                                 one(WEFT_E_IS_NULL, joined("variants", "sku"))), WEFT_C_SELECT, C("title"),
                           AS(NULL, joined("variants", "stock")), AS("code", joined("variants", "sku"))),
                     col("code"), WEFT_ORDER_DESC))
Q(joined_deep, ITEMS(where(join_as(join(from(t), "parts", to_parts(t)), "parts.parts", "parts", to_parts(t), false),
                           both(op(WEFT_E_EQ, joined("parts.parts", "title"), txt("a")),
                                some(to_parts(t), op(WEFT_E_EQ, col("title"), txt("b"))))),
                     WEFT_C_SELECT, AS(NULL, joined("parts.parts", "title"))))
Q(joined_groups, order(having(ITEMS(ITEMS(join(from(t), "variants", to_variants(t)), WEFT_C_GROUP, C("title"),
                                          AS(NULL, joined("variants", "sku"))), WEFT_C_SELECT, C("title"),
                                    AS("n", one(WEFT_E_SUM, joined("variants", "price")))),
                              op(WEFT_E_GT, col("n"), num(3))), joined("variants", "sku"), 0))
Q(joined_count, plain(join(from(t), "variants", to_variants(t)), WEFT_C_COUNT))
Q(joined_sum, ITEMS(plain(ITEMS(join(from(t), "variants", to_variants(t)), WEFT_C_SELECT,
                                AS("p", joined("variants", "price"))), WEFT_C_DISTINCT), WEFT_C_AGGREGATE,
                    AS(NULL, one(WEFT_E_SUM, joined("variants", "price")))))
Q(in_query, where(from(t), both(op(WEFT_E_IN, col("product_id"),
                                   query(offset(limit(ITEMS(where(from(t), op(WEFT_E_GT, col("stock"), num(7))),
                                                            WEFT_C_SELECT, C("seller_id")), 5), 2))),
                                op(WEFT_E_EQ, col("title"), txt("t")))))
Q(in_query_two, where(from(t), op(WEFT_E_NOT_IN, tuple(col("product_id"), col("sku")),
                                  query(ITEMS(where(from(t), some(to_parts(t), NULL)), WEFT_C_SELECT, C("seller_id"),
                                              C("sku"))))))
Q(per_part, limit(ITEMS(ITEMS(order(where(from(t), op(WEFT_E_GT, col("stock"), num(1))), col("cost"),
                                    WEFT_ORDER_DESC), WEFT_C_SELECT, C("title"), AS("cost", col("price"))),
                        WEFT_C_PER, C("seller_id")), 3))
Q(per_part_key, offset(limit(ITEMS(from(t), WEFT_C_PER, C("seller_id"), C("active")), 3), 4))
Q(per_unlimited, ITEMS(from(t), WEFT_C_PER, C("seller_id")))
Q(per_count, plain(offset(ITEMS(ITEMS(from(t), WEFT_C_SELECT, C("title")), WEFT_C_PER, C("seller_id")), 4),
                   WEFT_C_COUNT))
Q(soft_rows, (t->soft = 12, where(from(t), either(op(WEFT_E_EQ, col("stock"), num(1)), col("active")))))
Q(soft_only, (t->soft = 12, number(plain(from(t), WEFT_C_DISTINCT), WEFT_C_DELETED, WEFT_DELETED_ONLY)))
Q(soft_with, (t->soft = 12, number(from(t), WEFT_C_DELETED, WEFT_DELETED_WITH)))
Q(soft_count, (t->soft = 12, plain(limit(from(t), 2), WEFT_C_COUNT)))
Q(soft_exists, (t->soft = 12, plain(from(t), WEFT_C_EXISTS)))
Q(soft_update, (t->soft = 12, ITEMS(limit(where(from(t), op(WEFT_E_EQ, col("stock"), num(1))), 1), WEFT_C_UPDATE,
                                    AS("stock", num(2)))))
Q(soft_delete, (t->soft = 12, all(from(t), WEFT_C_DELETE)))
Q(soft_create, (t->soft = 12, weft_query_end(insert(from(t), WEFT_C_INSERT, true, "title", 1, CELLS(T("x"))))))
Q(soft_joined, (t->soft = 12, ITEMS(join(from(t), "parts", to_parts(t)), WEFT_C_SELECT, C("title"))))
Q(soft_flag, (t->soft = 7, where(from(t), either(op(WEFT_E_EQ, col("stock"), num(1)), some(to_parts(t), NULL)))))
Q(soft_flag_only, (t->soft = 7, plain(number(from(t), WEFT_C_DELETED, WEFT_DELETED_ONLY), WEFT_C_COUNT)))
Q(update_some, ITEMS(where(from(t), some(to_variants(t), op(WEFT_E_EQ, col("stock"), num(0)))), WEFT_C_UPDATE,
                     AS("stock", num(1))))
Q(delete_none, plain(where(from(t), one(WEFT_E_NOT, some(to_parts(t), NULL))), WEFT_C_DELETE))

#define CASE(name) {#name, name}
static const struct render_query {
  const char *name;
  struct weft_query *(*build)(struct weft_table *t);
} render_queries[] = {
    CASE(rows), CASE(eq), CASE(ne_text), CASE(order_ops), CASE(null_eq), CASE(null_ne),
    CASE(column_column), CASE(in_ints), CASE(in_text), CASE(in_null), CASE(not_in_null),
    CASE(in_nothing), CASE(not_in_nothing), CASE(not_in), CASE(in_prices), CASE(in_floats),
    CASE(in_bytes), CASE(in_bools), CASE(in_raw), CASE(between_prices), CASE(like),
    CASE(like_int), CASE(ilike), CASE(begins), CASE(ends), CASE(contains), CASE(begins_empty),
    CASE(ends_empty), CASE(contains_empty), CASE(begins_int), CASE(begins_bytes),
    CASE(ends_bytes), CASE(contains_bytes), CASE(logic), CASE(raw), CASE(raw_comment),
    CASE(path_number), CASE(path_text), CASE(path_bool), CASE(path_deep), CASE(path_odd),
    CASE(path_last), CASE(path_in), CASE(path_in_numbers), CASE(path_null), CASE(path_not_null),
    CASE(path_like), CASE(path_between), CASE(path_select), CASE(selected), CASE(paged),
    CASE(offset_only), CASE(distinct), CASE(grouped), CASE(group_plain), CASE(group_adds),
    CASE(for_update), CASE(locked_share), CASE(count), CASE(count_false), CASE(count_limit),
    CASE(count_distinct), CASE(count_groups), CASE(exists), CASE(sum), CASE(max_limit),
    CASE(sum_distinct), CASE(sum_path), CASE(create), CASE(create_nothing), CASE(create_quiet),
    CASE(create_many), CASE(create_many_quiet), CASE(create_many_nothing), CASE(upsert),
    CASE(upsert_key), CASE(upsert_updates), CASE(upsert_nothing), CASE(upsert_many),
    CASE(update), CASE(update_all), CASE(update_limit), CASE(update_raw), CASE(delete_some),
    CASE(delete_said),
    CASE(some_row), CASE(some_any), CASE(some_none), CASE(some_every), CASE(some_typed),
    CASE(some_self), CASE(untrue_or), CASE(joined_rows), CASE(joined_if), CASE(joined_left), CASE(joined_deep),
    CASE(joined_groups), CASE(joined_count), CASE(joined_sum), CASE(in_query),
    CASE(in_query_two), CASE(per_part), CASE(per_part_key), CASE(per_unlimited),
    CASE(per_count), CASE(soft_rows), CASE(soft_only), CASE(soft_with), CASE(soft_count),
    CASE(soft_exists), CASE(soft_update), CASE(soft_delete), CASE(soft_create),
    CASE(soft_joined), CASE(soft_flag), CASE(soft_flag_only), CASE(update_some), CASE(delete_none)};

#endif
