/* SPDX-License-Identifier: MIT */
#include "build.h"

#define PG (&weft_dialect_postgres)

static struct weft_query *eq(struct weft_query *q, const char *name, int64_t v) {
  return where(q, op(WEFT_E_EQ, col(name), num(v)));
}

static void life(struct weft_table *t) {
  it("shares what came before") {
    struct weft_query *base = eq(from(t), "stock", 1);
    struct weft_query *a = limit(weft_query_ref(base), 1);
    struct weft_query *b = limit(weft_query_ref(base), 2);
    expect(a->prev == base && b->prev == base);
    expect_int(base->refs, 3);
    weft_query_unref(base);
    weft_query_unref(a);
    expect_int(b->prev->refs, 1);
    weft_query_unref(b);
  }
  it("frees a long chain without recursion") {
    struct weft_query *q = from(t);
    for (int i = 0; i < 100000; i++) q = limit(q, i);
    expect_int(q->depth, 100001);
    weft_query_unref(q);
  }
  it("gives the table back") { expect_int(t->refs, 1); }
}

static void shapes(struct weft_table *t) {
  struct weft_table *other = products(PG);
  struct weft_query *a = limit(eq(eq(from(t), "stock", 1), "seller_id", 2), 5);
  struct weft_query *b = limit(eq(eq(from(t), "stock", 7), "seller_id", 8), 5);
  struct weft_query *c = limit(eq(eq(from(t), "stock", 1), "seller_id", 2), 6);
  struct weft_query *d = limit(eq(eq(from(other), "stock", 1), "seller_id", 2), 5);
  struct weft_query *e = number(weft_query_ref(b), WEFT_C_NOTE, WEFT_NOTE_BATCH_OFF);
  struct weft_query *f = offset(weft_query_ref(a), 3), *g = offset(weft_query_ref(b), 4);
  it("ignores values") { expect(a->shape == b->shape && weft_query_same_shape(a, b)); }
  it("knows limits") { expect(a->shape != c->shape && !weft_query_same_shape(a, c)); }
  it("knows the version of the table") {
    expect(a->shape != d->shape && !weft_query_same_shape(a, d));
  }
  it("ignores notes") { expect(a->shape == e->shape && weft_query_same_shape(a, e)); }
  it("ignores the number of an offset") { expect(f->shape == g->shape); }
  it("survives a rebase to the same table") {
    struct weft_query *r = weft_query_rebase(f, t);
    expect(weft_query_same_shape(r, f));
    weft_query_unref(r);
    r = weft_query_rebase(f, other);
    expect(r->table == other && !weft_query_same_shape(r, f));
    weft_query_unref(r);
  }
  weft_query_unref(a), weft_query_unref(b), weft_query_unref(c), weft_query_unref(d);
  weft_query_unref(e), weft_query_unref(f), weft_query_unref(g);
  weft_table_unref(other);
}

static void parts(struct weft_table *t) {
  it("gathers clauses in the order in which they were said") {
    struct weft_query *q = limit(eq(from(t), "stock", 1), 9);
    q = ITEMS(q, WEFT_C_SELECT, C("title"));
    q = ITEMS(order(q, col("price"), WEFT_ORDER_DESC), WEFT_C_SELECT, C("stock"));
    q = limit(eq(order(q, col("product_id"), 0), "seller_id", 2), 3);
    q = plain(number(q, WEFT_C_NOTE, WEFT_NOTE_BATCH_OFF), WEFT_C_COUNT);
    struct weft_parts p;
    weft_query_parts(q, &build_arena, &p);
    expect(p.verb == q);
    expect_int(p.where->kind, WEFT_E_AND);
    expect_mem(p.where->kids[0]->kids[0]->name.p, 5, "stock", 5);
    expect_int(p.limit, 3);
    expect_int(p.offset, -1);
    expect_int(p.norder, 2);
    expect_int(p.order[0].flags, WEFT_ORDER_DESC);
    expect_int(p.nselect, 1);
    expect_mem(p.select[0].expr->name.p, p.select[0].expr->name.n, "stock", 5);
    expect_int(p.notes, WEFT_NOTE_BATCH_OFF);
    weft_query_unref(q);
  }
  it("gives what verbs and conditions are not there as nothing") {
    struct weft_query *q = from(t);
    struct weft_parts p;
    weft_query_parts(q, &build_arena, &p);
    expect(!p.verb && !p.where && !p.having && !p.distinct && p.limit == -1);
    weft_query_unref(q);
  }
}

struct seen {
  int64_t v[16];
  uint32_t n;
};

static void see(void *ud, const struct weft_query *c, const struct weft_expr *e,
                struct weft_value v) {
  struct seen *s = ud;
  (void)c, (void)e;
  if (s->n < 16) s->v[s->n] = v.type == WEFT_INT ? v.u.i : -1;
  s->n++;
}

static void walks(struct weft_table *t) {
  it("meets values from the root on, each once") {
    struct weft_query *q = eq(from(t), "stock", 1);
    q = where(q, either(op(WEFT_E_EQ, col("a"), num(2)), between(col("a"), num(3), num(4))));
    q = weft_query_end(updating(insert(offset(q, 5), WEFT_C_UPSERT, false, "stock sku title", 2,
                                       CELLS(I(6), DEFAULT, I(7), I(66), DEFAULT, I(77))),
                                1, (struct weft_item[]){item("stock", num(8))}));
    struct seen s = {.n = 0};
    weft_query_walk(q, see, &s);
    expect_int(s.n, 8);
    for (int i = 0; i < 8; i++) expect_int(s.v[i], i + 1);
    uint32_t nsources;
    struct weft_query *bare = weft_query_skeleton(q, &nsources);
    expect_int(nsources, 8);
    expect(weft_query_same_shape(q, bare));
    expect_int(bare->source, 5);
    expect_int(bare->updates[0].expr->source, 7);
    weft_query_unref(bare);
    weft_query_unref(q);
  }
  it("a skeleton shares what holds no value") {
    struct weft_query *q = eq(order(from(t), col("price"), 0), "stock", 1);
    uint32_t nsources;
    struct weft_query *bare = weft_query_skeleton(q, &nsources);
    expect(bare->prev == q->prev && bare != q);
    weft_query_unref(bare);
    weft_query_unref(q);
  }
}

/* ---- what clauses hold ---- */

static struct weft_query *numbers_in(struct weft_table *t, int64_t first, int64_t second, int64_t skip) {
  struct weft_query *q = ITEMS(eq(from(t), "stock", first), WEFT_C_SELECT, C("product_id"));
  q = offset(limit(eq(q, "seller_id", second), 9), skip);
  return q;
}

static void references(struct weft_table *t) {
  struct weft_association *a = associate("variants", t, "product_id", t, "seller_id");
  it("holds every association and query that it speaks of, once per clause") {
    struct weft_query *sub = numbers_in(t, 1, 2, 3);
    struct weft_query *q = where(from(t), both(one(WEFT_E_NOT, some(a, some(a, NULL))),
                                               op(WEFT_E_IN, col("product_id"), query(weft_query_ref(sub)))));
    expect_int(a->refs, 3);
    build_forget();
    expect_int(sub->refs, 2);
    weft_query_unref(sub);
    struct weft_query *same = weft_query_rebase(q, t);
    expect(weft_query_same_shape(q, same) && same->expr != q->expr);
    expect_int(a->refs, 5);
    weft_query_unref(q);
    weft_query_unref(same);
    expect_int(a->refs, 1);
  }
  it("holds what it joins, and tells joins apart") {
    struct weft_query *q = join(from(t), "variants", a), *left = join_as(from(t), "variants", NULL, a, true);
    struct weft_query *deep = join_as(weft_query_ref(q), "v.v", "variants", a, false);
    struct weft_query *copy = weft_query_rebase(deep, t);
    expect(!weft_query_same_shape(q, left) && q->shape != left->shape);
    expect(weft_query_same_shape(deep, copy));
    weft_query_unref(left), weft_query_unref(deep), weft_query_unref(copy), weft_query_unref(q);
    expect_int(a->refs, 1);
  }
  it("knows which deleted rows are meant") {
    struct weft_query *with = number(from(t), WEFT_C_DELETED, WEFT_DELETED_WITH);
    struct weft_query *only = number(from(t), WEFT_C_DELETED, WEFT_DELETED_ONLY);
    expect(with->shape != only->shape && !weft_query_same_shape(with, only));
    weft_query_unref(with), weft_query_unref(only);
  }
  it("walks into a query where it stands; an offset's clause is its own") {
    struct weft_query *sub = numbers_in(t, 2, 3, 4);
    struct weft_query *q = where(from(t), both(both(op(WEFT_E_EQ, col("stock"), num(1)),
                                                    op(WEFT_E_IN, col("product_id"), query(sub))),
                                               op(WEFT_E_EQ, col("stock"), num(5))));
    struct seen s = {.n = 0};
    q = offset(q, 6);
    weft_query_walk(q, see, &s);
    expect_int(s.n, 6);
    for (int i = 0; i < 6; i++) expect_int(s.v[i], i + 1);
    uint32_t nsources;
    struct weft_query *bare = weft_query_skeleton(q, &nsources);
    expect_int(nsources, 6);
    expect(weft_query_same_shape(q, bare));
    const struct weft_query *inner = bare->prev->expr->kids[1]->kids[1]->query;
    expect(inner != sub && inner->refs == 1);
    expect_int(inner->source, 3);
    expect_int(inner->prev->prev->expr->kids[1]->source, 2);
    expect_int(bare->prev->expr->kids[2]->kids[1]->source, 4);
    expect_int(bare->source, 5);
    weft_query_unref(bare), weft_query_unref(q);
  }
  it("shares what a skeleton need not copy") {
    struct weft_query *q = eq(where(from(t), some(a, NULL)), "stock", 1);
    uint32_t nsources;
    struct weft_query *bare = weft_query_skeleton(q, &nsources);
    expect(bare->prev == q->prev);
    weft_query_unref(bare), weft_query_unref(q);
    q = where(from(t), some(a, op(WEFT_E_EQ, col("stock"), num(1))));
    bare = weft_query_skeleton(q, &nsources);
    weft_query_unref(q);
    expect_int(a->refs, 2);
    weft_query_unref(bare);
    expect_int(a->refs, 1);
  }
  it("is not followed into a tree that is too deep") {
    expr e = some(a, NULL);
    for (int i = 0; i < 100000; i++) e = i % 2 ? both(e, col("active")) : either(e, col("active"));
    struct weft_query *q = where(from(t), e);
    expect_int(a->refs, 1);
    weft_query_unref(q);
  }
  weft_association_unref(a);
}

static int look_up(void *ud, struct weft_query *clause, const struct weft_expr *e,
                   const struct weft_expr **out, struct weft_error *err) {
  struct weft_association *a = ud;
  if (e->kind != WEFT_E_SOME) return 0;
  if (!a) return weft_fail(err, WEFT_USAGE, "nobody knows");
  *out = weft_expr_some(&clause->arena, e->name, a, e->open, e->kids[0]);
  return 0;
}

static void maps(struct weft_table *t) {
  struct weft_association *a = associate("variants", t, "product_id", t, "seller_id");
  struct weft_query *loose = where(from(t), open_some("variants", NULL, op(WEFT_E_EQ, col("stock"), num(1))));
  struct weft_query *out = NULL;
  struct weft_error err;
  loose = limit(eq(loose, "seller_id", 2), 3);
  it("is loose until every association was looked up") {
    expect(loose->loose && loose->prev->loose && !loose->prev->prev->prev->loose);
    expect_int(weft_query_check(loose->prev->prev, &err), 0);
    expect_int(weft_query_check_all(loose, &err), -1);
    expect_str(err.message, "unknown association 'variants' of products");
    struct weft_query *same = weft_query_rebase(loose, t);
    expect(same->loose);
    weft_query_unref(same);
  }
  it("becomes another with its expressions mapped") {
    expect_int(weft_query_map(loose, t, look_up, NULL, a, &out, &err), 0);
    expect(!out->loose && out->prev->prev->expr->association == a);
    expect_int(a->refs, 2);
    expect_int(weft_query_check_all(out, &err), 0);
    expect_int(out->number, 3);
    weft_query_unref(out);
    expect_int(a->refs, 1);
  }
  it("or fails as the map does") {
    expect_int(weft_query_map(loose, t, look_up, NULL, NULL, &out, &err), -1);
    expect_str(err.message, "nobody knows");
  }
  it("a query with a loose one inside is loose") {
    struct weft_query *sub = ITEMS(weft_query_ref(loose), WEFT_C_SELECT, C("stock"));
    struct weft_query *q = where(from(t), op(WEFT_E_IN, col("product_id"), query(sub)));
    expect(q->loose);
    expect_int(weft_query_check(q, &err), 0);
    weft_query_unref(q);
    build_forget();
  }
  weft_query_unref(loose);
  weft_association_unref(a);
}

static void joined_parts(struct weft_table *t) {
  struct weft_association *a = associate("variants", t, "product_id", t, "seller_id");
  it("joins are in order and once, a limit's parts and deleted rows as last said") {
    struct weft_query *q = join_as(from(t), "a", NULL, a, true);
    q = join_as(join(join(q, "b", a), "a", a), "b", NULL, a, true);
    q = ITEMS(ITEMS(q, WEFT_C_PER, C("stock")), WEFT_C_PER, C("title"), C("sku"));
    q = number(number(q, WEFT_C_DELETED, WEFT_DELETED_ONLY), WEFT_C_DELETED, WEFT_DELETED_WITH);
    struct weft_parts p;
    weft_query_parts(q, &build_arena, &p);
    expect_int(p.njoins, 2);
    expect_mem(p.joins[0]->name.p, p.joins[0]->name.n, "a", 1);
    expect(p.joins[0]->number == 0 && p.joins[1]->number == 0);
    expect_int(p.nper, 2);
    expect_int(p.deleted, WEFT_DELETED_WITH);
    expect(weft_parts_column(&p, joined("a", "stock")) == &t->columns[6]);
    expect(!weft_parts_column(&p, joined("c", "stock")) && !weft_parts_column(&p, joined("a", "x")));
    weft_query_unref(q);
  }
  weft_association_unref(a);
}

static void checks(struct weft_table *t) {
  struct weft_error err;
  it("blames an unknown column at once") {
    struct weft_query *q = eq(from(t), "titel", 1);
    expect_int(weft_query_check(q, &err), -1);
    expect_str(err.message, "unknown column 'titel' of products; did you mean 'title'?");
    weft_query_unref(q);
  }
  it("believes everything of a table that is not known yet") {
    struct weft_table *unknown = weft_table_unknown(weft_slice("", 0), WEFT_LIT("products"));
    struct weft_query *q = eq(from(unknown), "titel", 1), *known;
    expect_int(weft_query_check(q, &err), 0);
    known = weft_query_rebase(q, t);
    expect_int(weft_query_check_all(known, &err), -1);
    weft_query_unref(known);
    weft_query_unref(q);
    weft_table_unref(unknown);
  }
  it("lets a grouped query order by an alias that is still to come") {
    struct weft_query *q = order(ITEMS(from(t), WEFT_C_GROUP, C("stock")), col("n"), 0);
    expect_int(weft_query_check(q, &err), 0);
    expect_int(weft_query_check_all(q, &err), -1);
    q = ITEMS(q, WEFT_C_SELECT, AS("n", one(WEFT_E_COUNT, weft_expr_star())));
    expect_int(weft_query_check_all(q, &err), 0);
    weft_query_unref(q);
  }
}

static void pages(struct weft_table *t) {
  struct weft_item by[] = {{.expr = col("price"), .flags = WEFT_ORDER_DESC},
                           {.expr = col("product_id")}};
  struct weft_error err;
  expr e = NULL;
  it("a page begins behind the cursor") {
    struct weft_value at[] = {F(2.5), I(7)};
    expect_int(weft_query_after(&build_arena, t, false, by, 2, at, &e, &err), 0);
    expect_int(e->kind, WEFT_E_OR); /* price may be NULL, and NULLs come last */
    expect_int(weft_query_after(&build_arena, t, true, by, 2, at, &e, &err), 0);
    expect_int(e->kind, WEFT_E_AND); /* they came first: price <= 2.5 and (...) */
    expect_int(e->kids[0]->kind, WEFT_E_LE);
  }
  it("also behind a NULL") {
    struct weft_value at[] = {NIL, I(7)};
    expect_int(weft_query_after(&build_arena, t, false, by, 2, at, &e, &err), 0);
    expect_int(e->kind, WEFT_E_AND);
    expect_int(e->kids[0]->kind, WEFT_E_IS_NULL);
  }
  it("not by a path") {
    struct weft_item path[] = {{.expr = PATH("attrs", T("x"))}};
    struct weft_value at[] = {I(7)};
    expect_int(weft_query_after(&build_arena, t, false, path, 1, at, &e, &err), -1);
    expect_int(err.kind, WEFT_USAGE);
  }
}

int main(void) {
  struct weft_table *t = products(PG);
  describe("a query") { life(t); }
  describe("its shape") { shapes(t); }
  describe("its parts") {
    parts(t);
    joined_parts(t);
  }
  describe("its values") { walks(t); }
  describe("a clause") { references(t); }
  describe("a query that speaks of associations") { maps(t); }
  describe("a check") { checks(t); }
  describe("keyset") { pages(t); }
  weft_table_unref(t);
  build_end();
  return spec_end();
}
