/* SPDX-License-Identifier: MIT */
/* Keyset pages: a query in an order that is unique, after where the page before has ended. */
#include "terminal.h"

/* core.seek(query, values or nil, backwards): the query in its order, which the primary key ends, after
   values, read backwards when asked; the names of the columns that order it; its limit and offset, or nil
   (the offset speaks of the first page only). The table must be known. */
struct order_list {
  struct weft_item items[32];
  uint32_t n;
  int64_t limit, offset;
};

static bool ordered_by(const struct order_list *o, struct weft_slice name) {
  for (uint32_t i = 0; i < o->n; i++)
    if (weft_slice_equal(o->items[i].expr->name, name)) return true;
  return false;
}

/* A page ends where its last row says: the row must have the columns of the order. */
static int check_selected(const struct weft_parts *p, struct weft_slice name,
                          struct weft_error *err) {
  for (uint32_t i = 0; i < p->nselect; i++)
    if (p->select[i].expr->kind == WEFT_E_COLUMN && !p->select[i].name.n &&
        weft_slice_equal(p->select[i].expr->name, name))
      return 0;
  if (p->nselect == 0) return 0;
  return weft_fail(err, WEFT_USAGE, "page: the rows are ordered by '%.*s': select it too",
                   (int)name.n, name.p);
}

static int read_order(const struct weft_parts *p, const struct weft_table *t, struct order_list *o,
                      struct weft_error *err) {
  if (t->nkey == 0)
    return weft_fail(err, WEFT_USAGE, "page: the table has no primary key to continue from");
  if (p->ngroup) return weft_fail(err, WEFT_USAGE, "page: groups have no key to continue from");
  if (p->njoins) return weft_fail(err, WEFT_USAGE, "page: joined rows have no key to continue from");
  for (uint32_t i = 0; i < p->norder; i++) {
    if (o->n >= 24 || p->order[i].expr->kind != WEFT_E_COLUMN)
      return weft_fail(err, WEFT_USAGE, "page: a page is ordered by columns only");
    if (check_selected(p, p->order[i].expr->name, err)) return -1;
    o->items[o->n++] = p->order[i]; /* text lives in the query's clauses */
  }
  if (o->n + t->nkey > sizeof o->items / sizeof *o->items)
    return weft_fail(err, WEFT_USAGE, "page: the key and the order have too many columns");
  for (uint32_t k = 0; k < t->nkey; k++)
    if (check_selected(p, t->columns[t->key[k]].name, err)) return -1;
  return 0;
}

static int full_order(struct weft_query *q, const struct weft_table *t, struct order_list *o,
                      struct weft_error *err) {
  struct weft_arena arena;
  struct weft_parts parts;
  weft_arena_init(&arena, NULL, 0);
  weft_query_parts(q, &arena, &parts);
  o->n = 0;
  o->limit = parts.limit;
  o->offset = parts.offset;
  int rc = read_order(&parts, t, o, err);
  weft_arena_release(&arena);
  return rc;
}

static struct weft_query *page_query(struct weft_query *q, const struct weft_table *t,
                                     struct order_list *o, bool backwards) {
  struct weft_query *c = weft_query_begin(q, WEFT_C_ORDER);
  for (uint32_t k = 0; k < t->nkey; k++) {
    struct weft_slice name = t->columns[t->key[k]].name;
    if (!ordered_by(o, name))
      o->items[o->n++] = (struct weft_item){.expr = weft_expr_column(&c->arena, name)};
  }
  if (backwards)
    for (uint32_t i = 0; i < o->n; i++) {
      uint32_t f = o->items[i].flags;
      o->items[i].flags = (f ^ WEFT_ORDER_DESC) & WEFT_ORDER_DESC;
      if (f & WEFT_NULLS_FIRST) o->items[i].flags |= WEFT_NULLS_LAST;
      if (f & WEFT_NULLS_LAST) o->items[i].flags |= WEFT_NULLS_FIRST;
    }
  struct weft_item *items = weft_arena_alloc(&c->arena, o->n * sizeof *items);
  for (uint32_t i = 0; i < o->n; i++)
    items[i] = (struct weft_item){.expr = weft_expr_copy(&c->arena, o->items[i].expr),
                                  .flags = o->items[i].flags};
  c->items = items;
  c->nitems = o->n;
  c->all = true; /* this order replaces those below */
  return weft_query_end(c);
}

static struct weft_query *without_offset(struct weft_query *q) { /* takes q's reference */
  struct weft_query *c = weft_query_begin(q, WEFT_C_OFFSET);
  weft_query_unref(q);
  return weft_query_end(c);
}

static void push_count(lua_State *L, int64_t n) {
  if (n < 0) lua_pushnil(L);
  else lua_pushinteger(L, n);
}

/* The condition that c's rows come after the cursor at 2. */
static int after_cursor(lua_State *L, struct weft_lua *w, struct weft_query *c, const struct weft_table *t,
                        const struct weft_query *ordered, bool nulls_large, struct weft_error *err) {
  struct weft_value *v = weft_arena_alloc(&c->arena, ordered->nitems * sizeof *v);
  if (lua_rawlen(L, 2) != ordered->nitems)
    return weft_fail(err, WEFT_USAGE, "page: the cursor belongs to another order");
  for (uint32_t i = 0; i < ordered->nitems; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    if (weft_lua_value(L, w, -1, &c->arena, NULL, "page: the cursor", &v[i], err)) return -1;
    lua_pop(L, 1);
  }
  return weft_query_after(&c->arena, t, nulls_large, ordered->items, ordered->nitems, v, &c->expr, err);
}

static int l_seek(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_lua_context about = weft_lua_about(lq, "page");
  struct weft_error err;
  struct order_list o;
  lua_settop(L, 3);
  struct weft_query *q = weft_lua_current(lq);
  if (full_order(q, t, &o, &err)) return weft_lua_raise(L, w, &err, &about);
  struct lua_query *page = weft_lua_push_query(L, 1); /* 4 */
  const struct weft_query *ordered = page->q = page_query(q, t, &o, lua_toboolean(L, 3));
  lua_createtable(L, (int)o.n, 0); /* 5: names */
  for (uint32_t i = 0; i < ordered->nitems; i++) {
    struct weft_slice name = ordered->items[i].expr->name;
    lua_pushlstring(L, name.p, name.n);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  if (lua_istable(L, 2)) {
    struct weft_query *c = weft_query_begin(page->q, WEFT_C_WHERE);
    weft_query_unref(page->q);
    page->q = c; /* which holds ordered */
    if (after_cursor(L, w, c, t, ordered, weft_db_dialect(lq->model->db)->nulls_large, &err))
      return weft_lua_raise(L, w, &err, &about);
    weft_query_end(c);
    if (o.offset > 0) page->q = without_offset(c);
  }
  push_count(L, o.limit);
  push_count(L, o.offset);
  return 4;
}

/* core.limit(query): how many rows it asks for at most, or nil. */
static int l_limit(lua_State *L) {
  const struct lua_query *lq = weft_lua_check_query(L, weft_lua_self(L), 1);
  struct weft_arena arena;
  struct weft_parts parts;
  weft_arena_init(&arena, NULL, 0);
  weft_query_parts(lq->q, &arena, &parts);
  weft_arena_release(&arena);
  push_count(L, parts.limit);
  return 1;
}

void weft_lua_open_page(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"seek", l_seek}, {"limit", l_limit}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
