/* SPDX-License-Identifier: MIT */
/* Queries in a few words, for the specs of the language floor. Everything lives in one arena that
   build_end frees; the query functions take over the reference that they are given. */
#ifndef WEFT_SPEC_BUILD_H
#define WEFT_SPEC_BUILD_H

#include <stdarg.h>

#include "association.h"
#include "plan.h"
#include "spec.h"

#define BUILD SPEC_UNUSED static

static struct weft_arena build_arena;
static struct weft_error build_error;

typedef const struct weft_expr *expr;

BUILD struct weft_slice text_slice(const char *s) { return weft_slice_of(s); }

/* ---- expressions ---- */

BUILD expr col(const char *name) { return weft_expr_column(&build_arena, weft_slice_of(name)); }
BUILD expr val(struct weft_value v) { return weft_expr_value(&build_arena, v); }
BUILD expr num(int64_t i) { return val(weft_int(i)); }
BUILD expr txt(const char *s) { return val(weft_text(s, strlen(s))); }
BUILD expr null(void) { return val(weft_null()); }

BUILD expr list_of(int n, const struct weft_value *v) {
  struct weft_array *a = weft_arena_alloc(&build_arena, sizeof *a + (size_t)n * sizeof *a->v);
  a->n = (uint32_t)n;
  a->elem = WEFT_ANY;
  if (n) memcpy(a->v, v, (size_t)n * sizeof *v);
  return val((struct weft_value){.type = WEFT_LIST, .u.array = a});
}
#define LIST(...)                                                           \
  list_of((int)(sizeof((struct weft_value[]){__VA_ARGS__}) / sizeof(struct weft_value)), \
          (struct weft_value[]){__VA_ARGS__})
#define I(i) weft_int(i)
#define T(s) weft_text("" s, sizeof(s) - 1)
#define F(f) weft_float(f)
#define NIL weft_null()

/* NULL when it fails; the reason is in build_error. */
BUILD expr op(enum weft_expr_kind kind, expr l, expr r) {
  expr out = NULL;
  weft_error_clear(&build_error);
  return weft_expr_binary(&build_arena, kind, l, r, &out, &build_error) ? NULL : out;
}
BUILD expr one(enum weft_expr_kind kind, expr x) {
  return weft_expr_unary(&build_arena, kind, x);
}
BUILD expr between(expr x, expr lo, expr hi) {
  expr out = NULL;
  weft_error_clear(&build_error);
  return weft_expr_between(&build_arena, x, lo, hi, &out, &build_error) ? NULL : out;
}
BUILD expr both(expr a, expr b) {
  return weft_expr_logic(&build_arena, WEFT_E_AND, (expr[]){a, b}, 2);
}
BUILD expr either(expr a, expr b) {
  return weft_expr_logic(&build_arena, WEFT_E_OR, (expr[]){a, b}, 2);
}
BUILD expr path_of(const char *column, int n, const struct weft_value *steps) {
  return weft_expr_path(&build_arena, col(column), steps, (uint32_t)n);
}
#define PATH(column, ...)                                                                   \
  path_of(column, (int)(sizeof((struct weft_value[]){__VA_ARGS__}) / sizeof(struct weft_value)), \
          (struct weft_value[]){__VA_ARGS__})
BUILD expr raw_of(const char *text, int n, const expr *params) {
  return weft_expr_raw(&build_arena, weft_slice_of(text), params, (uint32_t)n);
}
#define RAW0(text) raw_of(text, 0, NULL)
#define RAW(text, ...) \
  raw_of(text, (int)(sizeof((expr[]){__VA_ARGS__}) / sizeof(expr)), (expr[]){__VA_ARGS__})

BUILD expr joined(const char *association, const char *name) {
  return weft_expr_joined(&build_arena, weft_slice_of(association), weft_slice_of(name));
}
/* condition NULL: any row */
BUILD expr some(struct weft_association *a, expr condition) {
  return weft_expr_some(&build_arena, a->name, a, false, condition);
}
/* As a dotted name says it; a NULL: not looked up. */
BUILD expr open_some(const char *name, struct weft_association *a, expr condition) {
  return weft_expr_some(&build_arena, weft_slice_of(name), a, true, condition);
}
/* q's reference is taken over, and given back by build_forget. */
static struct weft_query *build_queries[64];
static uint32_t build_nqueries;
BUILD expr query(struct weft_query *q) {
  if (build_nqueries < 64) build_queries[build_nqueries++] = q;
  return weft_expr_query(&build_arena, q);
}
static struct weft_association *build_associations[64];
static uint32_t build_nassociations;
/* Likewise: the reference is given back by build_forget. */
BUILD struct weft_association *lend(struct weft_association *a) {
  if (build_nassociations < 64) build_associations[build_nassociations++] = a;
  return a;
}
BUILD void build_forget(void) {
  while (build_nqueries) weft_query_unref(build_queries[--build_nqueries]);
  while (build_nassociations) weft_association_unref(build_associations[--build_nassociations]);
}
BUILD void build_end(void) {
  build_forget();
  weft_arena_release(&build_arena);
}
BUILD expr tuple(expr a, expr b) { return weft_expr_tuple(&build_arena, (expr[]){a, b}, 2); }

/* One pair of columns; the tables are known. */
BUILD struct weft_association *associate(const char *name, struct weft_table *from_table,
                                         const char *from_column, struct weft_table *to_table,
                                         const char *to_column) {
  uint32_t f = (uint32_t)weft_table_column(from_table, weft_slice_of(from_column));
  uint32_t t = (uint32_t)weft_table_column(to_table, weft_slice_of(to_column));
  return weft_association_new(weft_slice_of(name), from_table, to_table, &f, &t, 1, true, false);
}

/* ---- clauses ---- */

BUILD struct weft_query *step(struct weft_query *q, enum weft_clause clause) {
  struct weft_query *c = weft_query_begin(q, clause);
  weft_query_unref(q);
  return c;
}
BUILD struct weft_query *from(struct weft_table *t) { return weft_query_from(t); }
BUILD struct weft_query *where(struct weft_query *q, expr e) {
  q = step(q, WEFT_C_WHERE);
  q->expr = e ? e : weft_expr_false();
  weft_query_hold(q, q->expr);
  return weft_query_end(q);
}
BUILD struct weft_query *having(struct weft_query *q, expr e) {
  q = step(q, WEFT_C_HAVING);
  q->expr = e;
  weft_query_hold(q, e);
  return weft_query_end(q);
}
BUILD struct weft_item item(const char *name, expr e) {
  return (struct weft_item){.name = weft_slice_of(name), .expr = e};
}
BUILD struct weft_query *with_items(struct weft_query *q, enum weft_clause clause, int n,
                                    const struct weft_item *items) {
  q = step(q, clause);
  struct weft_item *own = weft_arena_alloc(&q->arena, (size_t)(n + 1) * sizeof *own);
  if (n) memcpy(own, items, (size_t)n * sizeof *own);
  q->items = own;
  q->nitems = (uint32_t)n;
  return weft_query_end(q);
}
#define ITEMS(q, clause, ...)                                                            \
  with_items(q, clause, (int)(sizeof((struct weft_item[]){__VA_ARGS__}) / sizeof(struct weft_item)), \
             (struct weft_item[]){__VA_ARGS__})
#define C(name) item(NULL, col(name))
#define AS(name, e) item(name, e)
BUILD struct weft_query *order(struct weft_query *q, expr e, uint32_t flags) {
  struct weft_item it = {.expr = e, .flags = flags};
  return with_items(q, WEFT_C_ORDER, 1, &it);
}
BUILD struct weft_query *number(struct weft_query *q, enum weft_clause clause, int64_t n) {
  q = step(q, clause);
  q->number = n;
  return weft_query_end(q);
}
BUILD struct weft_query *limit(struct weft_query *q, int64_t n) {
  return number(q, WEFT_C_LIMIT, n);
}
BUILD struct weft_query *offset(struct weft_query *q, int64_t n) {
  return number(q, WEFT_C_OFFSET, n);
}
/* on: NULL, or what the other side is joined as */
BUILD struct weft_query *join_if(struct weft_query *q, const char *name, const char *to,
                                 struct weft_association *a, bool left, const struct weft_expr *e) {
  q = step(q, WEFT_C_JOIN);
  struct weft_slice *names = weft_arena_alloc(&q->arena, sizeof *names);
  *names = weft_slice_of(to);
  q->name = weft_slice_of(name);
  q->on = names;
  q->non = to ? 1 : 0;
  q->number = left;
  weft_query_hold_join(q, a);
  if (e) weft_query_hold(q, q->expr = weft_expr_copy(&q->arena, e));
  return weft_query_end(q);
}
BUILD struct weft_query *join_as(struct weft_query *q, const char *name, const char *to,
                                 struct weft_association *a, bool left) {
  return join_if(q, name, to, a, left, NULL);
}
BUILD struct weft_query *join(struct weft_query *q, const char *name, struct weft_association *a) {
  return join_as(q, name, NULL, a, false);
}
BUILD struct weft_query *plain(struct weft_query *q, enum weft_clause clause) {
  return weft_query_end(step(q, clause));
}
BUILD struct weft_query *all(struct weft_query *q, enum weft_clause clause) {
  q = step(q, clause);
  q->all = true;
  return weft_query_end(q);
}
BUILD struct weft_query *lock(struct weft_query *q, const char *name) {
  q = step(q, WEFT_C_LOCK);
  q->name = weft_slice_of(name);
  return weft_query_end(q);
}

/* insert(q, WEFT_C_INSERT, quiet, "a b c", rows, cells...) */
BUILD struct weft_query *insert(struct weft_query *q, enum weft_clause clause, bool quiet,
                                const char *columns, int rows, const struct weft_value *cells) {
  q = step(q, clause);
  struct weft_item *items = weft_arena_alloc(&q->arena, 64 * sizeof *items);
  for (const char *p = columns; *p; p += strspn(p, " ")) {
    size_t n = strcspn(p, " ");
    items[q->nitems++] = (struct weft_item){.name = {p, n}};
    p += n;
  }
  q->items = items;
  q->nrows = (uint32_t)rows;
  q->quiet = quiet;
  size_t n = (size_t)rows * q->nitems;
  struct weft_value *own = weft_arena_alloc(&q->arena, (n + 1) * sizeof *own);
  if (n) memcpy(own, cells, n * sizeof *own);
  q->values = own;
  return q; /* weft_query_end is the caller's, after on and updates */
}
#define CELLS(...) ((struct weft_value[]){__VA_ARGS__})
#define DEFAULT ((struct weft_value){.type = WEFT_ANY})

BUILD struct weft_query *on(struct weft_query *q, const char *column) {
  struct weft_slice *names = weft_arena_alloc(&q->arena, sizeof *names);
  *names = weft_slice_of(column);
  q->on = names;
  q->non = 1;
  return q;
}
BUILD struct weft_query *updating(struct weft_query *q, int n, const struct weft_item *items) {
  struct weft_item *own = weft_arena_alloc(&q->arena, (size_t)(n + 1) * sizeof *own);
  if (n) memcpy(own, items, (size_t)n * sizeof *own);
  q->updates = own;
  q->nupdates = (uint32_t)n;
  return q;
}

/* ---- the table of the specs, as each database would describe it ---- */

struct build_column {
  const char *name, *postgres, *sqlite, *mysql, *kind; /* kind: of mysql */
  uint32_t oid, elem;
  uint8_t key;
  bool nullable, unique, lazy;
};

static const struct build_column build_columns[] = {
    {"product_id", "bigint", "INTEGER", "bigint(20)", "bigint", 20, 0, 1, false, true, false},
    {"seller_id", "integer", "INT", "int(11)", "int", 23, 0, 0, true, false, false},
    {"title", "text", "TEXT", "text collate utf8mb4_bin", "text", 25, 0, 0, false, false, false},
    {"sku", "character varying(40)", "varchar(40)", "varchar(40) collate latin1_swedish_ci", "varchar", 1043, 0, 0, true, true, false},
    {"price", "numeric(10,2)", "decimal(10,2)", "decimal(10,2)", "decimal", 1700, 0, 0, true, false, false},
    {"weight", "double precision", "double", "double", "double", 701, 0, 0, true, false, false},
    {"stock", "integer", "INT", "int(11)", "int", 23, 0, 0, false, false, false},
    {"active", "boolean", "boolean", "tinyint(1)", "tinyint", 16, 0, 0, true, false, false},
    {"attrs", "jsonb", "json", "longtext collate utf8mb4_bin", "json", 3802, 0, 0, true, false, false},
    {"body", "text", "TEXT", "mediumtext collate utf8mb4_general_ci", "mediumtext", 25, 0, 0, true, false, true},
    {"photo", "bytea", "BLOB", "blob", "blob", 17, 0, 0, true, false, false},
    {"tags", "text[]", "", "point", "point", 1009, 25, 0, true, false, false},
    {"created_at", "timestamp with time zone", "datetime", "timestamp(6)", "timestamp", 1184, 0, 0, true, false, false},
};

BUILD struct weft_table *products(const struct weft_dialect *d) {
  struct weft_table_column c[sizeof build_columns / sizeof *build_columns];
  uint32_t n = sizeof c / sizeof *c;
  for (uint32_t i = 0; i < n; i++) {
    const struct build_column *b = &build_columns[i];
    const char *declared = d->numbered ? b->postgres : d->row_locks ? b->mysql : b->sqlite;
    int32_t typmod = b->oid == 1700 ? 655366 : b->oid == 1043 ? 44 : -1;
    struct weft_catalog_type t = {weft_slice_of(declared), b->oid, b->elem, typmod,
                                  weft_slice_of(d->numbered || !d->row_locks ? "" : b->kind)};
    c[i] = (struct weft_table_column){.name = weft_slice_of(b->name),
                                      .declared = weft_slice_of(declared),
                                      .nullable = b->nullable,
                                      .key = b->key,
                                      .unique = b->unique,
                                      .lazy = b->lazy};
    d->column_type(&t, &c[i].type);
  }
  return weft_table_new(weft_slice("", 0), WEFT_LIT("products"), c, n);
}

/* From t's rows to those of a table with the same columns that marks deleted rows in created_at. */
BUILD struct weft_association *to_variants(struct weft_table *t) {
  struct weft_table *to =
      weft_table_new(t->schema, WEFT_LIT("product_variants"), t->columns, t->ncolumns);
  to->soft = weft_table_column(to, WEFT_LIT("created_at"));
  struct weft_association *a = lend(associate("variants", t, "product_id", to, "product_id"));
  weft_table_unref(to);
  return a;
}
/* From t's rows to others of t. */
BUILD struct weft_association *to_parts(struct weft_table *t) {
  return lend(associate("parts", t, "product_id", t, "seller_id"));
}

#endif
