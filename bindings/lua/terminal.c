/* SPDX-License-Identifier: MIT */
/* What runs a query: reads. Writes are in write.c. Each function leaves the query at index 1 of the stack
   until its answer was pushed: its user value is the model info that rows need. */
#include "terminal.h"

#include "plan.h"
#include "tree.h"

/* ---- running ---- */

/* The stack: what lua/weft made of the query on top. */
static int prepared_k(lua_State *L, int status, lua_KContext ctx) {
  lua_replace(L, 1);
  return ((lua_KFunction)ctx)(L, status, 0);
}

static bool is_prepared(lua_State *L, struct weft_lua *w, const struct lua_query *lq) {
  if (lq->q->loose) return false;
  if (!lq->includes) return true;
  const struct lua_level *root = weft_lua_push_levels(L, w, 1);
  if (root) lua_pop(L, 1);
  return root && weft_relation_table(lq->model->relation)->known && weft_lua_fresh(root);
}

int weft_lua_prepared(lua_State *L, struct weft_lua *w, struct lua_query *lq, lua_KFunction k) {
  if (is_prepared(L, w, lq)) return k(L, LUA_OK, 0);
  weft_lua_slot(L, w, SLOT_PREPARE);
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 1, (lua_KContext)k, prepared_k);
  return prepared_k(L, LUA_OK, (lua_KContext)k);
}

int weft_lua_run_query(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
                       const char *op, int mode, lua_KFunction k) {
  if (lq->includes && !weft_query_verb(q)) {
    if (weft_lua_push_levels(L, w, 1)) return weft_lua_run_fetch(L, w, lq, q, op, mode);
    weft_query_unref(q); /* finalized: the state is being closed */
    return luaL_error(L, "the query was not prepared");
  }
  struct lua_call *c = weft_lua_call(w, op);
  c->mode = mode;
  c->context = weft_lua_about(lq, op);
  c->model = lq->model;
  weft_db_query(lq->model->relation, weft_lua_join(L, w, lq->model->db, &c->call.level), q,
                &c->call);
  weft_query_unref(q); /* the call holds it */
  return weft_lua_await(L, c, k);
}

static int known(lua_State *L, struct weft_lua *w, struct lua_query *lq, const char *op, lua_KFunction k);

/* Another task's DDL may have made it unknown again meanwhile. */
static int known_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_call *c = (struct lua_call *)ctx;
  struct weft_lua *w = c->w;
  lua_KFunction k = c->after;
  const char *op = c->context.op;
  (void)status;
  weft_lua_call_done(c);
  return known(L, w, lua_touserdata(L, 1), op, k);
}

/* Goes on in k once the table of lq is known. */
static int known(lua_State *L, struct weft_lua *w, struct lua_query *lq, const char *op, lua_KFunction k) {
  struct weft_relation *r = lq->model->relation;
  if (weft_relation_table(r)->known) return k(L, LUA_OK, 0);
  struct lua_call *c = weft_lua_call(w, op);
  c->context = weft_lua_about(lq, op);
  c->after = k;
  weft_db_discover(r, weft_lua_join(L, w, lq->model->db, &c->call.level), &c->call);
  return weft_lua_await(L, c, known_k);
}

/* What is prepared has a table that is known. */
int weft_lua_with_table(lua_State *L, struct weft_lua *w, struct lua_query *lq, const char *op,
                        lua_KFunction k) {
  weft_lua_may_wait(L, w, false);
  if (!is_prepared(L, w, lq)) return weft_lua_prepared(L, w, lq, k);
  return known(L, w, lq, op, k);
}

bool weft_lua_count_wrong(int mode, uint32_t nrows) {
  return mode == ANSWER_ONE ? nrows != 1 : mode == ANSWER_GET && nrows == 0;
}

void weft_lua_count_error(struct weft_error *err, int mode, uint32_t nrows) {
  if (nrows > 1) weft_fail(err, WEFT_MANY, "one() found more than one row");
  else weft_fail(err, WEFT_NOT_FOUND, mode == ANSWER_ONE ? "one() found no row" : "no row has this key");
}

static int raise_count(lua_State *L, struct lua_call *c) {
  struct weft_error err;
  struct weft_lua *w = c->w;
  struct weft_lua_context context = c->context;
  weft_lua_count_error(&err, c->mode, c->call.rows->nrows);
  weft_lua_call_done(c);
  return weft_lua_raise(L, w, &err, &context);
}

void weft_lua_push_scalar(lua_State *L, struct weft_lua *w, const struct weft_rows *rows) {
  if (rows->nrows == 0 || rows->ncols == 0 || rows->cells[0].type == WEFT_NULL) lua_pushnil(L);
  else weft_lua_push(L, w, rows->cells[0], rows->columns->v[0].as);
}

bool weft_lua_text_wrong(const struct weft_lua *w, struct weft_error *err) {
  if (!weft_buf_failed(&w->text)) return false;
  weft_fail(err, WEFT_TYPE, "json: above 1 GiB of text; page() and each() give the rows part by part");
  return true;
}

/* The buffer stays, for the next text is about as long. Lua's memory error may come in between. */
void weft_lua_push_text(lua_State *L, struct weft_lua *w) {
  enum { KEEP = 1 << 20 };
  struct weft_buf *b = &w->text;
  lua_pushlstring(L, b->p ? b->p : "[]", b->p ? b->n : 2);
  if (b->cap > KEEP) weft_buf_release(b);
}

bool weft_lua_strict(const struct weft_query *q) {
  for (; q; q = q->prev)
    if (q->clause == WEFT_C_NOTE && q->number & WEFT_NOTE_STRICT) return true;
  return false;
}

static struct weft_lua_look look_of(lua_State *L) {
  const struct lua_query *lq = lua_touserdata(L, 1);
  struct weft_lua_look look = {.model = -1};
  look.strict = weft_lua_strict(lq->q);
  lua_getiuservalue(L, 1, 1);
  return look;
}

static int raise_text(lua_State *L, struct lua_call *c) {
  struct weft_error err;
  struct weft_lua *w = c->w;
  struct weft_lua_context context = c->context;
  weft_lua_text_wrong(w, &err);
  weft_lua_call_done(c);
  return weft_lua_raise(L, w, &err, &context);
}

/* The number of values pushed; 0: the text is too long. */
static int push_pieces(lua_State *L, struct weft_lua *w, struct weft_rows *rows) {
  const struct weft_tree flat = {.rows = rows};
  uint32_t row;
  bool more = weft_lua_first_piece(w, &flat, &row);
  if (weft_buf_failed(&w->text)) return 0;
  weft_lua_push_text(L, w);
  if (more) weft_lua_push_pieces(L, w, rows, NULL, row, 1);
  return 1 + more;
}

int weft_lua_answer_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_call *c = (struct lua_call *)ctx;
  int n = 1;
  struct weft_lua *w = c->w;
  struct weft_rows *rows = c->call.rows;
  (void)status;
  if (weft_lua_count_wrong(c->mode, rows->nrows)) return raise_count(L, c);
  switch (c->mode) {
    case ANSWER_ROWS: weft_lua_push_rows(L, w, rows, look_of(L)); break;
    case ANSWER_ONE:
    case ANSWER_GET:
    case ANSWER_FIRST:
      if (rows->nrows == 0) lua_pushnil(L);
      else weft_lua_push_row(L, w, rows, 0, look_of(L));
      break;
    case ANSWER_EXISTS:
      lua_pushboolean(L, rows->nrows > 0 && rows->cells[0].type != WEFT_NULL &&
                             rows->cells[0].u.i != 0);
      break;
    case ANSWER_SCALAR: weft_lua_push_scalar(L, w, rows); break;
    case ANSWER_JSON:
      weft_buf_reset(&w->text);
      weft_json_rows(&w->text, rows);
      if (weft_buf_failed(&w->text)) return raise_text(L, c);
      weft_lua_push_text(L, w);
      break;
    case ANSWER_PIECES:
      if (!(n = push_pieces(L, w, rows))) return raise_text(L, c);
      break;
    default: lua_pushinteger(L, rows->affected < 0 ? 0 : rows->affected);
  }
  weft_lua_call_done(c);
  return n;
}

/* ---- rows ---- */

static const struct weft_query *newest(const struct weft_query *q, enum weft_clause clause) {
  while (q && q->clause != clause) q = q->prev;
  return q;
}

static struct weft_query *limited(struct weft_query *q, int64_t n) {
  const struct weft_query *old = newest(q, WEFT_C_LIMIT);
  if (old && old->number <= n) return weft_query_ref(q);
  struct weft_query *c = weft_query_begin(q, WEFT_C_LIMIT);
  c->number = n;
  return weft_query_end(c);
}

static bool aggregates(const struct weft_query *select) {
  for (uint32_t i = 0; select && i < select->nitems; i++) {
    const struct weft_expr *e = select->items[i].expr;
    if (e && e->kind >= WEFT_E_COUNT && e->kind <= WEFT_E_MAX) return true;
  }
  return false;
}

/* Ordered by the primary key when it has no order (and groups nothing). Owned. */
struct weft_query *weft_lua_ordered(struct weft_query *q, const struct weft_table *t) {
  if (newest(q, WEFT_C_ORDER) || newest(q, WEFT_C_GROUP) || newest(q, WEFT_C_DISTINCT) ||
      aggregates(newest(q, WEFT_C_SELECT)) || !t->nkey)
    return weft_query_ref(q);
  struct weft_query *c = weft_query_begin(q, WEFT_C_ORDER);
  struct weft_item *items = weft_arena_alloc(&c->arena, t->nkey * sizeof *items);
  memset(items, 0, t->nkey * sizeof *items);
  for (uint32_t i = 0; i < t->nkey; i++)
    items[i].expr = weft_expr_column(&c->arena, t->columns[t->key[i]].name);
  c->items = items;
  c->nitems = t->nkey;
  return weft_query_end(c);
}

static int begin(lua_State *L, lua_KFunction k) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  weft_lua_may_wait(L, w, false);
  return weft_lua_prepared(L, w, lq, k);
}

static int whole(lua_State *L, const char *op, int mode) {
  struct lua_query *lq = lua_touserdata(L, 1);
  return weft_lua_run_query(L, weft_lua_self(L), lq, weft_query_ref(weft_lua_current(lq)), op, mode,
                            weft_lua_answer_k);
}

static int all_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return whole(L, "all", ANSWER_ROWS);
}

static int json_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return whole(L, "json", ANSWER_JSON);
}

static int pieces_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return whole(L, "json", ANSWER_PIECES);
}

static int l_all(lua_State *L) { return begin(L, all_k); }
static int l_json(lua_State *L) { return begin(L, json_k); }
static int l_pieces(lua_State *L) { return begin(L, pieces_k); } /* core.json_pieces(query): a text, and what gives the rest */

static int first_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  struct weft_query *q =
      weft_lua_ordered(weft_lua_current(lq), weft_relation_table(lq->model->relation));
  struct weft_query *one = limited(q, 1);
  weft_query_unref(q);
  return weft_lua_run_query(L, w, lq, one, "first", ANSWER_FIRST, weft_lua_answer_k);
}

static int l_first(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  return weft_lua_with_table(L, w, weft_lua_check_query(L, w, 1), "first", first_k);
}

static int one_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_query *lq = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  return weft_lua_run_query(L, weft_lua_self(L), lq, limited(weft_lua_current(lq), 2), "one",
                            ANSWER_ONE, weft_lua_answer_k);
}

static int l_one(lua_State *L) { return begin(L, one_k); }

/* ---- by key ---- */

/* Text stays where Lua has it: the arguments are on the stack until the answer. */
static void key_value(lua_State *L, struct lua_call *c, int idx, struct weft_value *out) {
  struct weft_error err;
  size_t n;
  int type = lua_type(L, idx);
  if (type == LUA_TNUMBER && lua_isinteger(L, idx)) {
    *out = weft_int(lua_tointeger(L, idx));
    return;
  }
  if (type == LUA_TSTRING) {
    const char *s = lua_tolstring(L, idx, &n);
    *out = weft_text(s, n);
    return;
  }
  int rc = 0;
  if (type == LUA_TNIL)
    rc = weft_fail(&err, WEFT_USAGE, "%s: the key is nil", c->context.op);
  else if (lua_touserdata(L, idx) == c->w->null)
    rc = weft_fail(&err, WEFT_USAGE, "%s: a key is never NULL", c->context.op);
  else if (type == LUA_TTABLE)
    rc = weft_fail(&err, WEFT_USAGE, "%s takes the values of the key, got a table; use find_many for "
                                     "several keys, find_by or where for conditions", c->context.op);
  else
    rc = weft_lua_value(L, c->w, idx, &c->call.arena, NULL, "key", out, &err);
  if (rc) {
    struct weft_lua *w = c->w;
    struct weft_lua_context context = c->context;
    weft_lua_call_done(c);
    weft_lua_raise(L, w, &err, &context);
  }
}

static bool plain_base(const struct weft_query *q, bool *batch) {
  for (; q; q = q->prev) {
    if (q->clause == WEFT_C_NOTE && q->number & WEFT_NOTE_BATCH_OFF) *batch = false;
    else if (q->clause != WEFT_C_FROM && q->clause != WEFT_C_SELECT && q->clause != WEFT_C_NOTE)
      return false;
  }
  return true;
}

/* find on a query that has conditions: one more of them. */
static int find_where(lua_State *L, int mode) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_error err;
  uint32_t n = (uint32_t)lua_gettop(L) - 1;
  if (n != t->nkey || n == 0)
    return weft_lua_usage(L, w, "find takes %d key value(s) of %s, got %d", (int)t->nkey,
                          lq->model->label, (int)n);
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), WEFT_C_WHERE);
  const struct weft_expr **kids = weft_arena_alloc(&c->arena, n * sizeof *kids);
  for (uint32_t i = 0; i < n; i++) {
    struct weft_value v;
    if (weft_lua_value(L, w, (int)i + 2, &c->arena, NULL, "find: the key", &v, &err) ||
        weft_expr_binary(&c->arena, WEFT_E_EQ,
                         weft_expr_column(&c->arena, t->columns[t->key[i]].name),
                         weft_expr_value(&c->arena, v), &kids[i], &err)) {
      struct weft_lua_context about = weft_lua_about(lq, mode == ANSWER_GET ? "get" : "find");
      weft_query_unref(c);
      return weft_lua_raise(L, w, &err, &about);
    }
  }
  c->expr = weft_expr_logic(&c->arena, WEFT_E_AND, kids, n);
  return weft_lua_run_query(L, w, lq, weft_query_end(c), "find", mode, weft_lua_answer_k);
}

static int find_where_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return find_where(L, ANSWER_FIRST);
}

static int get_where_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return find_where(L, ANSWER_GET);
}

static int find(lua_State *L, const char *op, int mode) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_query *base = weft_lua_current(lq);
  struct weft_value inline_keys[4], *keys = inline_keys;
  bool batch = true;
  int n = lua_gettop(L) - 1;
  weft_lua_may_wait(L, w, false);
  if (n < 1) return weft_lua_usage(L, w, "%s takes the values of the key", op);
  if (lq->includes || !plain_base(base, &batch)) {
    for (int i = 2; i <= n + 1; i++)
      if (lua_isnil(L, i) || lua_touserdata(L, i) == w->null)
        return weft_lua_usage(L, w, "%s: the key is nil", op);
    return weft_lua_with_table(L, w, lq, op, mode == ANSWER_GET ? get_where_k : find_where_k);
  }
  struct lua_call *c = weft_lua_call(w, op);
  c->mode = mode;
  c->context = weft_lua_about(lq, op);
  c->model = lq->model;
  if (n > 4) keys = weft_arena_alloc(&c->call.arena, (size_t)n * sizeof *keys);
  for (int i = 0; i < n; i++) key_value(L, c, i + 2, &keys[i]);
  weft_db_find(lq->model->relation, weft_lua_join(L, w, lq->model->db, &c->call.level), base, keys, (uint32_t)n,
               batch && w->task, &c->call);
  return weft_lua_await(L, c, weft_lua_answer_k);
}

static int l_find(lua_State *L) { return find(L, "find", ANSWER_FIRST); }
static int l_get(lua_State *L) { return find(L, "get", ANSWER_GET); }

/* ---- aggregates ---- */

static int verb(lua_State *L, enum weft_clause clause, const char *op, int mode) {
  struct lua_query *lq = lua_touserdata(L, 1);
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), clause);
  return weft_lua_run_query(L, weft_lua_self(L), lq, weft_query_end(c), op, mode, weft_lua_answer_k);
}

static int count_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return verb(L, WEFT_C_COUNT, "count", ANSWER_SCALAR);
}

static int exists_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return verb(L, WEFT_C_EXISTS, "exists", ANSWER_EXISTS);
}

static int scalar(lua_State *L, lua_KFunction k) {
  weft_lua_bare(L, weft_lua_self(L));
  return begin(L, k);
}

static int l_count(lua_State *L) { return scalar(L, count_k); }
static int l_exists(lua_State *L) { return scalar(L, exists_k); }

static int aggregate(lua_State *L, enum weft_expr_kind kind, const char *op) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  struct weft_lua_context about = weft_lua_about(lq, op);
  struct weft_error err;
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), WEFT_C_AGGREGATE);
  struct weft_item *item = weft_arena_alloc(&c->arena, sizeof *item);
  const struct weft_expr *x;
  memset(item, 0, sizeof *item);
  if (lua_isnoneornil(L, 2) || weft_lua_selectable(L, w, 2, &c->arena, c->prev->table, &x, &err)) {
    if (lua_isnoneornil(L, 2)) weft_fail(&err, WEFT_USAGE, "%s takes a column", op);
    weft_query_unref(c);
    return weft_lua_raise(L, w, &err, &about);
  }
  item->expr = weft_expr_unary(&c->arena, kind, x);
  c->items = item;
  c->nitems = 1;
  c = weft_query_end(c);
  if (c->prev->table->known && weft_query_check(c, &err)) {
    weft_query_unref(c);
    return weft_lua_raise(L, w, &err, &about);
  }
  return weft_lua_run_query(L, w, lq, c, op, ANSWER_SCALAR, weft_lua_answer_k);
}

static int sum_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return aggregate(L, WEFT_E_SUM, "sum");
}

static int avg_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return aggregate(L, WEFT_E_AVG, "avg");
}

static int min_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return aggregate(L, WEFT_E_MIN, "min");
}

static int max_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return aggregate(L, WEFT_E_MAX, "max");
}

static int l_sum(lua_State *L) { return scalar(L, sum_k); }
static int l_avg(lua_State *L) { return scalar(L, avg_k); }
static int l_min(lua_State *L) { return scalar(L, min_k); }
static int l_max(lua_State *L) { return scalar(L, max_k); }

/* ---- without running ---- */

struct weft_query *weft_lua_plan(lua_State *L, struct weft_lua *w, struct lua_query *lq,
                                 struct weft_query *q, const char *op, struct weft_plan **plan) {
  struct weft_lua_context about = weft_lua_about(lq, op);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_error err;
  const struct weft_query *root = q;
  while (root->prev) root = root->prev;
  if (root->table->id != t->id) {
    struct weft_query *old = q;
    q = weft_query_rebase(old, t);
    weft_query_unref(old);
  }
  if (weft_query_check_all(q, &err) || weft_db_plan(lq->model->relation, q, plan, &err)) {
    weft_query_unref(q);
    weft_lua_raise(L, w, &err, &about);
  }
  return q;
}

static int sql_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  struct weft_lua_context about = weft_lua_about(lq, "sql");
  struct weft_plan *plan;
  struct weft_error err;
  struct weft_arena arena;
  (void)status, (void)ctx;
  struct weft_query *q =
      weft_lua_plan(L, w, lq, weft_query_ref(weft_lua_current(lq)), "sql", &plan);
  weft_arena_init(&arena, NULL, 0);
  struct weft_value *v = weft_arena_alloc(&arena, (plan->nslots + 1) * sizeof *v);
  lua_pushlstring(L, plan->sql.p, plan->sql.n);
  int rc = weft_plan_bind(plan, q, &arena, v, &err);
  if (rc == 0) {
    lua_createtable(L, (int)plan->nslots, 0);
    for (uint32_t i = 0; i < plan->nslots; i++) {
      if (v[i].type == WEFT_NULL) weft_lua_slot(L, w, SLOT_NULL);
      else weft_lua_push(L, w, v[i], 0);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
  }
  weft_arena_release(&arena);
  weft_query_unref(q);
  return rc ? weft_lua_raise(L, w, &err, &about) : 2;
}

static int l_sql(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  return weft_lua_with_table(L, w, weft_lua_check_query(L, w, 1), "sql", sql_k);
}

static int discover_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  lua_settop(L, 1);
  return 1;
}

static int l_discover(lua_State *L) { /* core.discover(model): learns its table; returns the model */
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  weft_lua_may_wait(L, w, false);
  return known(L, w, lq, "discover", discover_k);
}

void weft_lua_open_terminal(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg methods[] = {
      {"all", l_all},     {"first", l_first}, {"one", l_one}, {"find", l_find},     {"get", l_get},
      {"count", l_count}, {"sum", l_sum},     {"avg", l_avg}, {"min", l_min},       {"max", l_max},
      {"json", l_json},   {"sql", l_sql},     {"exists", l_exists}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"discover", l_discover}, {"json_pieces", l_pieces}, {NULL, NULL}};
  lua_getfield(L, -1, "query_methods");
  weft_lua_functions(L, w, methods);
  weft_lua_open_write(L, w);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
  weft_lua_open_page(L, w);
  weft_lua_open_pieces(L, w);
}
