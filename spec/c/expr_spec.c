/* SPDX-License-Identifier: MIT */
#include "build.h"

static expr a_eq(int64_t v) { return op(WEFT_E_EQ, col("a"), num(v)); }

static void folds(void) {
  it("AND of nothing is TRUE, OR of nothing FALSE") {
    expect_int(weft_expr_logic(&build_arena, WEFT_E_AND, NULL, 0)->kind, WEFT_E_TRUE);
    expect_int(weft_expr_logic(&build_arena, WEFT_E_OR, NULL, 0)->kind, WEFT_E_FALSE);
  }
  it("drops what changes nothing and stops at what decides") {
    expr x = a_eq(1);
    expect(both(x, weft_expr_true()) == x);
    expect(either(weft_expr_false(), x) == x);
    expect_int(both(x, weft_expr_false())->kind, WEFT_E_FALSE);
    expect_int(either(x, weft_expr_true())->kind, WEFT_E_TRUE);
  }
  it("takes the kids of the same operator in") {
    expr e = both(both(a_eq(1), a_eq(2)), both(a_eq(3), either(a_eq(4), a_eq(5))));
    expect_int(e->nkids, 4);
    expect_int(e->kids[3]->kind, WEFT_E_OR);
  }
  it("NOT of a constant is its opposite, NOT NOT nothing") {
    expr x = a_eq(1);
    expect_int(one(WEFT_E_NOT, weft_expr_true())->kind, WEFT_E_FALSE);
    expect_int(one(WEFT_E_NOT, weft_expr_false())->kind, WEFT_E_TRUE);
    expect(one(WEFT_E_NOT, one(WEFT_E_NOT, x)) == x);
    expect_int(one(WEFT_E_NOT, one(WEFT_E_IS_NULL, col("a")))->kind, WEFT_E_NOT_NULL);
  }
  it("equality with NULL is IS NULL") {
    expect_int(op(WEFT_E_EQ, col("a"), null())->kind, WEFT_E_IS_NULL);
    expect_int(op(WEFT_E_NE, col("a"), null())->kind, WEFT_E_NOT_NULL);
  }
}

static struct weft_association *variants, *others;

static void associations(void) {
  expr x = a_eq(1), y = a_eq(2);
  it("SOME of FALSE is FALSE, of nothing any row") {
    expect_int(some(variants, weft_expr_false())->kind, WEFT_E_FALSE);
    expect_int(some(variants, NULL)->kids[0]->kind, WEFT_E_TRUE);
    expect_int(some(variants, x)->depth, 2);
  }
  it("not true of a constant is the other one") {
    expect_int(one(WEFT_E_UNTRUE, weft_expr_true())->kind, WEFT_E_FALSE);
    expect_int(one(WEFT_E_UNTRUE, weft_expr_false())->kind, WEFT_E_TRUE);
  }
  it("not true of what is never NULL is its opposite, and of nothing else") {
    expect_int(one(WEFT_E_UNTRUE, some(variants, x))->kind, WEFT_E_NOT);
    expect_int(one(WEFT_E_UNTRUE, one(WEFT_E_IS_NULL, col("a")))->kind, WEFT_E_NOT_NULL);
    expect_int(one(WEFT_E_UNTRUE, one(WEFT_E_UNTRUE, x))->kind, WEFT_E_NOT);
    expect_int(one(WEFT_E_UNTRUE, one(WEFT_E_NOT, x))->kind, WEFT_E_UNTRUE);
    expect_int(one(WEFT_E_UNTRUE, x)->kind, WEFT_E_UNTRUE);
  }
  it("is loose until it was looked up, however deep") {
    expr loose = open_some("variants", NULL, x);
    expect(!weft_expr_loose(some(variants, x)) && weft_expr_loose(loose));
    expect(weft_expr_loose(some(variants, one(WEFT_E_NOT, either(y, loose)))));
    expect(!weft_expr_loose(both(x, y)));
  }
  it("several in one AND speak of one row, in the place of the first") {
    expr e = both(both(open_some("v", variants, x), y), both(open_some("v", variants, y), a_eq(3)));
    e = weft_expr_merge(&build_arena, e);
    expect_int(e->nkids, 3);
    expect_int(e->kids[0]->kind, WEFT_E_SOME);
    expect(e->kids[0]->open && e->kids[0]->association == variants);
    expect_int(e->kids[0]->kids[0]->nkids, 2);
    e = weft_expr_merge(&build_arena, both(open_some("v", NULL, x), open_some("v", NULL, y)));
    expect_int(e->kind, WEFT_E_SOME);
  }
  it("unless they have other names, stand in an OR, or were said by a function") {
    expr a = open_some("v", variants, x), b = open_some("w", others, y), c = some(variants, y);
    expect_int(weft_expr_merge(&build_arena, both(a, b))->nkids, 2);
    expect_int(weft_expr_merge(&build_arena, both(a, c))->nkids, 2);
    expect_int(weft_expr_merge(&build_arena, either(a, open_some("v", variants, y)))->kind, WEFT_E_OR);
    expect(weft_expr_merge(&build_arena, both(c, x)) != NULL);
  }
  it("also below others, and inside one another") {
    expr url = open_some("images", others, x), alt = open_some("images", others, y);
    expr e = both(open_some("v", variants, url), open_some("v", variants, alt));
    e = weft_expr_merge(&build_arena, one(WEFT_E_NOT, either(e, x)));
    expect_int(e->kind, WEFT_E_NOT);
    expr v = e->kids[0]->kids[0];
    if (expect_int(v->kind, WEFT_E_SOME) && expect_int(v->kids[0]->kind, WEFT_E_SOME))
      expect_int(v->kids[0]->kids[0]->kind, WEFT_E_AND);
  }
  it("leaves a tree without them as it is") {
    expr e = both(x, one(WEFT_E_NOT, some(variants, y)));
    expect(weft_expr_merge(&build_arena, e) == e);
  }
  it("refuses to compare a query, or several columns, but by in") {
    struct weft_query *q = weft_query_from(variants->to);
    expr inner = query(q), two = tuple(col("a"), col("b"));
    expect_int(op(WEFT_E_IN, two, inner)->kind, WEFT_E_IN);
    expect(op(WEFT_E_EQ, col("a"), inner) == NULL);
    expect(op(WEFT_E_EQ, two, num(1)) == NULL);
    expect(op(WEFT_E_IN, two, LIST(I(1))) == NULL);
    expect_int(build_error.kind, WEFT_USAGE);
  }
  it("a query is as deep as what it holds") {
    struct weft_query *q = where(weft_query_from(variants->to), both(either(both(x, y), x), y));
    expect_int(query(q)->depth, q->expr->depth + 1);
  }
}

static void lists(void) {
  it("IN nothing is FALSE, NOT IN nothing TRUE") {
    expect_int(op(WEFT_E_IN, col("a"), list_of(0, NULL))->kind, WEFT_E_FALSE);
    expect_int(op(WEFT_E_NOT_IN, col("a"), list_of(0, NULL))->kind, WEFT_E_TRUE);
  }
  it("NULL in a list is OR IS NULL") {
    expr e = op(WEFT_E_IN, col("a"), LIST(NIL, I(1), NIL, I(2)));
    expect_int(e->kind, WEFT_E_OR);
    expect_int(e->kids[0]->kind, WEFT_E_IN);
    expect_int(e->kids[0]->kids[1]->value.u.array->n, 2);
    expect_int(e->kids[1]->kind, WEFT_E_IS_NULL);
  }
  it("NULL in a NOT IN list is AND NOT NULL") {
    expr e = op(WEFT_E_NOT_IN, col("a"), LIST(NIL, I(1)));
    expect_int(e->kind, WEFT_E_AND);
    expect_int(e->kids[1]->kind, WEFT_E_NOT_NULL);
  }
  it("a list of NULLs alone is IS NULL") {
    expect_int(op(WEFT_E_IN, col("a"), LIST(NIL))->kind, WEFT_E_IS_NULL);
    expect_int(op(WEFT_E_NOT_IN, col("a"), LIST(NIL, NIL))->kind, WEFT_E_NOT_NULL);
  }
  it("equality with a list is IN") {
    expect_int(op(WEFT_E_EQ, col("a"), LIST(I(1)))->kind, WEFT_E_IN);
    expect_int(op(WEFT_E_NE, col("a"), LIST(I(1)))->kind, WEFT_E_NOT_IN);
  }
  it("copies what a list holds") {
    char text[] = "abc";
    struct weft_value v = weft_text(text, 3);
    expr e = list_of(1, &v);
    text[0] = 'X';
    expect_mem(e->value.u.array->v[0].u.s, 3, "abc", 3);
  }
}

static void misuse(void) {
  static const enum weft_expr_kind kinds[] = {WEFT_E_LT,   WEFT_E_LE,    WEFT_E_GT,
                                              WEFT_E_GE,   WEFT_E_LIKE,  WEFT_E_ILIKE,
                                              WEFT_E_ENDS, WEFT_E_BEGINS, WEFT_E_CONTAINS,
                                              WEFT_E_IN,   WEFT_E_NOT_IN, WEFT_E_ADD};
  it("order and text operators refuse NULL") {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
      expect(op(kinds[i], col("a"), null()) == NULL);
      expect_int(build_error.kind, WEFT_USAGE);
    }
    expect_str((op(WEFT_E_LT, col("a"), null()), build_error.message),
               "operator '<' cannot take null; use is_null or not_null");
    expect(between(col("a"), num(1), null()) == NULL);
  }
  it("a list is for IN alone, and IN takes a list") {
    expect(op(WEFT_E_LT, col("a"), LIST(I(1))) == NULL);
    expect(op(WEFT_E_LIKE, col("a"), LIST(I(1))) == NULL);
    expect(op(WEFT_E_IN, col("a"), num(1)) == NULL);
    expect_str(build_error.message, "operator 'in' needs a list");
    expect(between(col("a"), num(1), LIST(I(1))) == NULL);
  }
  it("finds the operator of a word, or the nearest") {
    enum weft_expr_kind kind;
    struct weft_error err;
    expect_int(weft_expr_operator(WEFT_LIT("begins_with"), &kind, &err), 0);
    expect_int(kind, WEFT_E_BEGINS);
    expect_int(weft_expr_operator(WEFT_LIT("begin_with"), &kind, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
    expect_str(err.message, "unknown operator 'begin_with'; did you mean 'begins_with'?");
    expect_int(weft_expr_operator(WEFT_LIT("; drop table"), &kind, &err), -1);
    expect_int(weft_expr_operator(WEFT_LIT(""), &kind, &err), -1);
  }
}

static const struct pair {
  const char *fact;
  bool same;
} pairs[] = {{"values do not matter to the shape", true},
             {"nor do their types", true},
             {"nor the length of a list", true},
             {"columns do", false},
             {"operators do", false},
             {"raw text does", false},
             {"raw parameters do not", true},
             {"beside a path the JSON type does", false},
             {"numbers are one JSON type", true},
             {"steps of a path do", false},
             {"a step 1 is not a step '1'", false},
             {"a list beside a path has the type of its elements", false},
             {"the nesting does", false},
             {"values below an association do not", true},
             {"associations do", false},
             {"names of associations do", false},
             {"whose column it is does", false},
             {"values of a query inside do not", true},
             {"its limit does", false},
             {"its columns do", false}};

static expr inner(const char *column, int64_t v, int64_t n) {
  struct weft_query *q = where(weft_query_from(variants->to), op(WEFT_E_EQ, col(column), num(v)));
  return op(WEFT_E_IN, col("a"), query(limit(q, n)));
}

static void build_pair(size_t i, expr *a, expr *b) {
  expr x = col("a"), p = PATH("a", T("k"));
  switch (i) {
    case 0: *a = op(WEFT_E_EQ, x, num(1)), *b = op(WEFT_E_EQ, x, num(2)); break;
    case 1: *a = op(WEFT_E_EQ, x, num(1)), *b = op(WEFT_E_EQ, x, txt("x")); break;
    case 2: *a = op(WEFT_E_IN, x, LIST(I(1))), *b = op(WEFT_E_IN, x, LIST(I(1), T("b"))); break;
    case 3: *a = op(WEFT_E_EQ, x, num(1)), *b = op(WEFT_E_EQ, col("b"), num(1)); break;
    case 4: *a = op(WEFT_E_EQ, x, num(1)), *b = op(WEFT_E_NE, x, num(1)); break;
    case 5: *a = RAW0("a"), *b = RAW0("b"); break;
    case 6: *a = RAW("? = 1", num(1)), *b = RAW("? = 1", null()); break;
    case 7: *a = op(WEFT_E_EQ, p, num(1)), *b = op(WEFT_E_EQ, p, txt("1")); break;
    case 8: *a = op(WEFT_E_EQ, p, num(1)), *b = op(WEFT_E_EQ, p, val(F(1.5))); break;
    case 9: *a = p, *b = PATH("a", T("k"), T("l")); break;
    case 10: *a = PATH("a", I(1)), *b = PATH("a", T("1")); break;
    case 11: *a = op(WEFT_E_IN, p, LIST(I(1))), *b = op(WEFT_E_IN, p, LIST(T("1"))); break;
    case 13: *a = some(variants, a_eq(1)), *b = some(variants, a_eq(2)); break;
    case 14: *a = some(variants, x), *b = some(others, x); break;
    case 15: *a = open_some("x", NULL, x), *b = open_some("y", NULL, x); break;
    case 16: *a = joined("v", "a"), *b = joined("w", "a"); break;
    case 17: *a = inner("sku", 1, 5), *b = inner("sku", 2, 5); break;
    case 18: *a = inner("sku", 1, 5), *b = inner("sku", 1, 6); break;
    case 19: *a = inner("sku", 1, 5), *b = inner("title", 1, 5); break;
    default:
      *a = both(a_eq(1), either(a_eq(2), a_eq(3)));
      *b = either(both(a_eq(1), a_eq(2)), a_eq(3));
  }
}

static void shapes(void) {
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    it(pairs[i].fact) {
      expr a, b;
      build_pair(i, &a, &b);
      expect_int(weft_expr_same_shape(a, b), pairs[i].same);
      expect_int(weft_expr_shape(7, a) == weft_expr_shape(7, b), pairs[i].same);
      expr bare = weft_expr_skeleton(&build_arena, a);
      expect(weft_expr_same_shape(a, bare));
      expect(weft_expr_shape(7, a) == weft_expr_shape(7, bare));
      expr copy = weft_expr_copy(&build_arena, b);
      expect(weft_expr_same_shape(b, copy));
      expect(weft_expr_shape(7, b) == weft_expr_shape(7, copy));
    }
  it("a skeleton keeps no value") {
    expr e = weft_expr_skeleton(&build_arena, op(WEFT_E_EQ, col("a"), txt("secret")));
    expect_int(e->kids[1]->value.n, 0);
    e = weft_expr_skeleton(&build_arena, op(WEFT_E_IN, col("a"), LIST(T("secret"), T("too"))));
    expect_int(e->kids[1]->value.u.array->n, 1);
    expect_int(e->kids[1]->value.u.array->v[0].n, 0);
  }
}

int main(void) {
  struct weft_table *t = products(&weft_dialect_postgres);
  variants = associate("variants", t, "product_id", t, "seller_id");
  others = associate("variants", t, "product_id", t, "seller_id");
  describe("an expression folds") { folds(); }
  describe("an association in a condition") { associations(); }
  describe("a list") { lists(); }
  describe("misuse") { misuse(); }
  describe("a shape") { shapes(); }
  build_end();
  weft_association_unref(variants), weft_association_unref(others);
  weft_table_unref(t);
  return spec_end();
}
