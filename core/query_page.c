/* SPDX-License-Identifier: MIT */
/* The condition of a keyset page, from the last order item to the first: a row comes after the
   cursor when its first item does, or equals it and the rest comes after. Where NULL cannot follow,
   "at or after" is said as well, because that is a range which an index serves. */
#include "query.h"

struct page {
  struct weft_arena *a;
  struct weft_error *err;
  const struct weft_expr *x, *v; /* the item's operand and the cursor's value */
  bool desc, nulls_last, nullable;
};

static int compare(struct page *p, enum weft_expr_kind up, enum weft_expr_kind down,
                   const struct weft_expr **out) {
  return weft_expr_binary(p->a, p->desc ? down : up, p->x, p->v, out, p->err);
}

/* Equal to NULL and then after, or not NULL where NULLs come first. */
static const struct weft_expr *after_null(struct page *p, const struct weft_expr *rest) {
  const struct weft_expr *is = weft_expr_unary(p->a, WEFT_E_IS_NULL, p->x);
  const struct weft_expr *tie =
      weft_expr_logic(p->a, WEFT_E_AND, (const struct weft_expr *[]){is, rest}, 2);
  if (p->nulls_last) return tie;
  const struct weft_expr *beyond = weft_expr_unary(p->a, WEFT_E_NOT_NULL, p->x);
  return weft_expr_logic(p->a, WEFT_E_OR, (const struct weft_expr *[]){beyond, tie}, 2);
}

static int after_value(struct page *p, const struct weft_expr *rest,
                       const struct weft_expr **out) {
  const struct weft_expr *beyond, *level;
  bool null_follows = p->nullable && p->nulls_last;
  if (compare(p, WEFT_E_GT, WEFT_E_LT, &beyond)) return -1;
  if (null_follows) {
    const struct weft_expr *null = weft_expr_unary(p->a, WEFT_E_IS_NULL, p->x);
    if (compare(p, WEFT_E_EQ, WEFT_E_EQ, &level)) return -1;
    level = weft_expr_logic(p->a, WEFT_E_AND, (const struct weft_expr *[]){level, rest}, 2);
    *out =
        weft_expr_logic(p->a, WEFT_E_OR, (const struct weft_expr *[]){beyond, null, level}, 3);
    return 0;
  }
  if (rest->kind == WEFT_E_FALSE) {
    *out = beyond;
    return 0;
  }
  if (compare(p, WEFT_E_GE, WEFT_E_LE, &level)) return -1;
  beyond = weft_expr_logic(p->a, WEFT_E_OR, (const struct weft_expr *[]){beyond, rest}, 2);
  *out = weft_expr_logic(p->a, WEFT_E_AND, (const struct weft_expr *[]){level, beyond}, 2);
  return 0;
}

static bool nullable(const struct weft_table *table, const struct weft_expr *x) {
  bool own = x->kind == WEFT_E_COLUMN && !x->qualifier.n;
  int i = own ? weft_table_column(table, x->name) : -1;
  return i < 0 || table->columns[i].nullable;
}

int weft_query_after(struct weft_arena *a, const struct weft_table *table, bool nulls_large,
                     const struct weft_item *order, uint32_t n, const struct weft_value *values,
                     const struct weft_expr **out, struct weft_error *err) {
  const struct weft_expr *rest = weft_expr_false();
  for (uint32_t i = n; i-- > 0;) {
    struct page p = {.a = a, .err = err, .x = order[i].expr};
    p.desc = order[i].flags & WEFT_ORDER_DESC;
    p.nulls_last = nulls_large != p.desc;
    if (order[i].flags & WEFT_NULLS_FIRST) p.nulls_last = false;
    if (order[i].flags & WEFT_NULLS_LAST) p.nulls_last = true;
    p.nullable = nullable(table, p.x);
    if (p.x->kind == WEFT_E_PATH)
      return weft_fail(err, WEFT_USAGE, "pages cannot be ordered by a path");
    if (values[i].type == WEFT_NULL) {
      rest = after_null(&p, rest);
      continue;
    }
    p.v = weft_expr_value(a, values[i]);
    if (after_value(&p, rest, &rest)) return -1;
  }
  *out = rest;
  return 0;
}
