/* SPDX-License-Identifier: MIT */
/* Writes: insert (create, create_many, upsert), update, delete, increment. The table is known before values
   are read, because a Lua table means json or an array according to its column. */
#include "terminal.h"

#include "plan.h"

#include <stdlib.h>

static int fail(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *c,
                const char *op, const struct weft_error *err) {
  struct weft_lua_context about = weft_lua_about(lq, op);
  weft_query_unref(c);
  return weft_lua_raise(L, w, err, &about);
}

struct named {
  struct weft_slice name; /* anchored by the Lua table */
  int column;             /* number in the table, or -1 */
};

int weft_lua_no_column(lua_State *L, const struct weft_table *t, struct weft_slice name,
                       struct weft_error *err) {
  lua_getiuservalue(L, 1, 1);
  bool is = lua_getfield(L, -1, "associations") == LUA_TTABLE;
  if (is) {
    lua_pushlstring(L, name.p, name.n);
    is = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  if (!is) return weft_table_unknown_column(t, name, err);
  return weft_fail(err, WEFT_USAGE, "'%.*s' is an association of %.*s, not a column: its rows are written by themselves",
                   (int)name.n, name.p, (int)t->name.n, t->name.p);
}

static int by_column(const void *a, const void *b) {
  const struct named *x = a, *y = b;
  if (x->column != y->column) return x->column < y->column ? -1 : 1;
  size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
  return memcmp(x->name.p, y->name.p, n);
}

/* The string keys of the table at idx in the order of the columns. */
static int names_of(lua_State *L, int idx, const struct weft_table *t, struct weft_arena *arena,
                    struct named **out, uint32_t *n, struct weft_error *err) {
  uint32_t count = 0, i = 0;
  idx = lua_absindex(L, idx);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) count++;
  *out = weft_arena_alloc(arena, (count + 1) * sizeof **out);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      lua_pop(L, 2);
      return weft_fail(err, WEFT_USAGE, "keys are column names of %.*s; a list is given",
                       (int)t->name.n, t->name.p);
    }
    (*out)[i].name.p = lua_tolstring(L, -2, &(*out)[i].name.n);
    (*out)[i].column = weft_table_column(t, (*out)[i].name);
    if ((*out)[i].column < 0) {
      lua_pop(L, 2);
      return weft_lua_no_column(L, t, (*out)[i].name, err);
    }
    i++;
  }
  qsort(*out, i, sizeof **out, by_column);
  *n = i;
  return 0;
}

static const char *column_text(char out[80], struct weft_slice name) {
  snprintf(out, 80, "column '%.*s'", (int)(name.n > 60 ? 60 : name.n), name.p);
  return out;
}

/* The value on top of the stack for a column, which an error names. */
static int named_value(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                       const struct named *c, struct weft_arena *arena, struct weft_value *out,
                       struct weft_error *err) {
  char what[80];
  int at = lua_gettop(L);
  const struct weft_column_type *to = &t->columns[c->column].type;
  if (weft_lua_value(L, w, at, arena, to, "", out, err) == 0) return 0;
  lua_settop(L, at); /* once more, for its text */
  return weft_lua_value(L, w, at, arena, to, column_text(what, c->name), out, err);
}

/* ---- assignments ---- */

/* The column and the number at idx added up. */
static int sum(lua_State *L, struct weft_lua *w, int idx, const struct weft_table_column *c,
               struct weft_arena *arena, const struct weft_expr **out, struct weft_error *err) {
  struct weft_value v;
  if (c->type.type == WEFT_TEXT) /* SQLite would make a number of it */
    return weft_fail(err, WEFT_USAGE, "increment: column '%.*s' holds text",
                     (int)(c->name.n > 60 ? 60 : c->name.n), c->name.p);
  if (weft_lua_value(L, w, idx, arena, NULL, "increment", &v, err)) return -1;
  return weft_expr_binary(arena, WEFT_E_ADD, weft_expr_column(arena, c->name),
                          weft_expr_value(arena, v), out, err);
}

/* The value on top of the stack: a plain one, weft.raw(...) or core.plus(...). */
static int assigned(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                    const struct named *c, struct weft_arena *arena, const struct weft_expr **out,
                    struct weft_error *err) {
  struct weft_value v;
  int unused, top = lua_gettop(L);
  if (lua_istable(L, -1) && weft_lua_is(L, w, top, SLOT_MT_RAW))
    return weft_lua_operand(L, w, -1, arena, t, out, &unused, err);
  if (lua_istable(L, -1) && weft_lua_is(L, w, top, SLOT_MT_PLUS)) {
    lua_rawgeti(L, -1, 1);
    int rc = sum(L, w, lua_gettop(L), &t->columns[c->column], arena, out, err);
    lua_pop(L, 1);
    return rc;
  }
  if (named_value(L, w, t, c, arena, &v, err)) return -1;
  *out = weft_expr_value(arena, v);
  return 0;
}

/* name = what is assigned. */
static int assignments(lua_State *L, struct weft_lua *w, int idx, const struct weft_table *t,
                       struct weft_arena *arena, struct weft_item **items, uint32_t *n,
                       struct weft_error *err) {
  struct named *names;
  idx = lua_absindex(L, idx);
  if (names_of(L, idx, t, arena, &names, n, err)) return -1;
  *items = weft_arena_alloc(arena, (*n + 1) * sizeof **items);
  memset(*items, 0, (*n + 1) * sizeof **items);
  for (uint32_t i = 0; i < *n; i++) {
    struct weft_item *item = &(*items)[i];
    item->name = weft_arena_slice(arena, names[i].name);
    lua_pushlstring(L, names[i].name.p, names[i].name.n);
    lua_rawget(L, idx);
    int rc = assigned(L, w, t, &names[i], arena, &item->expr, err);
    lua_pop(L, 1);
    if (rc) return -1;
  }
  return 0;
}

static bool said_all(lua_State *L, int options) {
  lua_getfield(L, options, "all");
  bool all = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return all;
}

/* The names in options.returning, of core.update. */
static void returning(lua_State *L, struct weft_query *c) {
  lua_getfield(L, 3, "returning");
  uint32_t n = lua_istable(L, -1) ? (uint32_t)lua_rawlen(L, -1) : 0;
  struct weft_slice *names = weft_arena_alloc(&c->arena, (n + 1) * sizeof *names);
  for (uint32_t i = 0; i < n; i++) {
    size_t len;
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    const char *name = lua_tolstring(L, -1, &len);
    names[i] = weft_arena_slice(&c->arena, weft_slice(name, name ? len : 0));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  c->on = names;
  c->non = n;
}

/* Of the query at 1, the values at 2 and the options at 3. */
static struct weft_query *update_clause(lua_State *L, struct weft_lua *w, struct lua_query *lq) {
  const struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_error err;
  struct weft_item *items;
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), WEFT_C_UPDATE);
  int rc = assignments(L, w, 2, t, &c->arena, &items, &c->nitems, &err);
  if (rc == 0 && c->nitems == 0)
    rc = weft_fail(&err, WEFT_USAGE, "update: an empty table changes nothing");
  if (rc) fail(L, w, lq, c, "update", &err);
  c->items = items;
  c->all = said_all(L, 3);
  returning(L, c);
  return weft_query_end(c);
}

static int update_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  struct weft_query *c = update_clause(L, w, lq);
  return weft_lua_run_query(L, w, lq, c, "update", c->non ? ANSWER_FIRST : ANSWER_COUNT,
                            weft_lua_answer_k);
}

/* core.update(query, values, returning): the changed row with these columns, or nil when none changed. */
static int l_update_row(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_createtable(L, 0, 1);
  lua_insert(L, 3);
  lua_setfield(L, 3, "returning");
  return weft_lua_with_table(L, w, lq, "update", update_k);
}

/* What may stand behind update, increment and delete. hooks and force mean something to lua/weft only. */
static void options(lua_State *L, struct weft_lua *w, int idx, const char *who) {
  static const char *const known[] = {"all", "hooks", "force"};
  bool delete = strcmp(who, "delete") == 0;
  lua_settop(L, idx);
  if (lua_isnil(L, idx)) {
    lua_newtable(L);
    lua_replace(L, idx);
  }
  if (!lua_istable(L, idx)) weft_lua_usage(L, w, "%s: options are a table, as { all = true }", who);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    bool found = false;
    for (int i = 0; i < 2 + delete; i++) found = found || strcmp(name, known[i]) == 0;
    if (!found)
      weft_lua_usage(L, w, "%s: unknown option; there are all = true and hooks = false%s", who,
                     delete ? ", and force = true" : "");
  }
}

static int l_update(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  if (!lua_istable(L, 2)) return weft_lua_usage(L, w, "update takes a table of column = value");
  options(L, w, 3, "update");
  return weft_lua_with_table(L, w, lq, "update", update_k);
}

static struct weft_query *delete_clause(lua_State *L, struct lua_query *lq, int options_at) {
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), WEFT_C_DELETE);
  c->all = said_all(L, options_at);
  return weft_query_end(c);
}

static int delete_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_query *lq = lua_touserdata(L, 1);
  (void)status, (void)ctx;
  return weft_lua_run_query(L, weft_lua_self(L), lq, delete_clause(L, lq, 2), "delete", ANSWER_COUNT,
                            weft_lua_answer_k);
}

static int l_delete(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  options(L, w, 2, "delete");
  weft_lua_may_wait(L, w, false);
  return weft_lua_prepared(L, w, lq, delete_k);
}

static int check_write_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  bool delete = lua_isnil(L, 2);
  const char *op = delete ? "delete" : "update";
  struct weft_plan *plan;
  struct weft_error err;
  struct weft_arena arena;
  (void)status, (void)ctx;
  struct weft_query *q = delete ? delete_clause(L, lq, 3) : update_clause(L, w, lq);
  q = weft_lua_plan(L, w, lq, q, op, &plan);
  weft_arena_init(&arena, NULL, 0);
  struct weft_value *v = weft_arena_alloc(&arena, (plan->nslots + 1) * sizeof *v);
  int rc = weft_plan_bind(plan, q, &arena, v, &err);
  weft_arena_release(&arena);
  if (rc) return fail(L, w, lq, q, op, &err);
  weft_query_unref(q);
  return 0;
}

/* core.check_write(query, values or nil, options): raises what update, or delete without values, would raise
   before a database is asked; runs nothing. */
static int l_check_write(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  options(L, w, 3, lua_isnil(L, 2) ? "delete" : "update");
  return weft_lua_with_table(L, w, lq, "update", check_write_k);
}

/* increment(column, by = 1, { all = true }) */
static int increment_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  const struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_error err;
  size_t n;
  (void)status, (void)ctx;
  const char *s = lua_tolstring(L, 2, &n);
  struct weft_query *c = weft_query_begin(weft_lua_current(lq), WEFT_C_UPDATE);
  struct weft_item *item = weft_arena_alloc(&c->arena, sizeof *item);
  memset(item, 0, sizeof *item);
  int column = weft_table_column(t, weft_slice(s, n));
  int rc = column < 0 ? weft_lua_no_column(L, t, weft_slice(s, n), &err)
                      : sum(L, w, 3, &t->columns[column], &c->arena, &item->expr, &err);
  if (rc) return fail(L, w, lq, c, "increment", &err);
  item->name = weft_arena_slice(&c->arena, weft_slice(s, n));
  c->items = item;
  c->nitems = 1;
  c->all = said_all(L, 4);
  return weft_lua_run_query(L, w, lq, weft_query_end(c), "increment", ANSWER_COUNT,
                            weft_lua_answer_k);
}

/* By how much: the value at idx, 1 when there is none. */
static void check_by(lua_State *L, struct weft_lua *w, int idx) {
  if (lua_isnoneornil(L, idx)) {
    if (lua_gettop(L) < idx) lua_settop(L, idx);
    lua_pushinteger(L, 1);
    lua_replace(L, idx);
  }
  if (lua_type(L, idx) != LUA_TNUMBER && !weft_lua_to_decimal(L, w, idx))
    weft_lua_usage(L, w, "increment takes a number or a decimal, got %s", luaL_typename(L, idx));
}

/* core.plus(by): assigned to a column, what it holds and that much more. */
static int l_plus(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  check_by(L, w, 1);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  weft_lua_slot(L, w, SLOT_MT_PLUS);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_increment(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  if (lua_type(L, 2) != LUA_TSTRING)
    return weft_lua_usage(L, w, "increment takes a column and by how much");
  check_by(L, w, 3);
  options(L, w, 4, "increment");
  return weft_lua_with_table(L, w, lq, "increment", increment_k);
}

/* ---- inserts ---- */

/* One cell of an only row: a value, weft.null, or an expression; a column that the row leaves out is its
   default. */
static int cell(lua_State *L, struct weft_lua *w, int row, const struct weft_table *t,
                const struct named *c, struct weft_arena *arena, struct weft_value *out,
                struct weft_item *item, struct weft_error *err) {
  int rc = 0, unused;
  *out = (struct weft_value){.type = WEFT_ANY};
  lua_pushlstring(L, c->name.p, c->name.n);
  int type = lua_rawget(L, row);
  if (type == LUA_TTABLE && weft_lua_is(L, w, lua_gettop(L), SLOT_MT_RAW))
    rc = weft_lua_operand(L, w, -1, arena, t, &item->expr, &unused, err);
  else if (type != LUA_TNIL)
    rc = named_value(L, w, t, c, arena, out, err);
  lua_pop(L, 1);
  return rc;
}

static bool has_item(const struct weft_query *c, struct weft_slice name) {
  for (uint32_t i = 0; i < c->nitems; i++)
    if (weft_slice_equal(c->items[i].name, name)) return true;
  return false;
}

/* on = "sku" or a list, update = a table of assignments. A row without its key would be a new one each time. */
static int conflict(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                    struct weft_query *c, struct weft_error *err) {
  size_t n;
  lua_getfield(L, 3, "on");
  uint32_t count = lua_istable(L, -1) ? (uint32_t)lua_rawlen(L, -1) : 1;
  if (count == 0) return weft_fail(err, WEFT_USAGE, "upsert: on is an empty list");
  struct weft_slice *on = weft_arena_alloc(&c->arena, (count + 1) * sizeof *on);
  for (uint32_t i = 0; i < count; i++) {
    if (lua_istable(L, -1)) lua_rawgeti(L, -1, (lua_Integer)i + 1);
    else lua_pushvalue(L, -1);
    const char *s = lua_tolstring(L, -1, &n);
    if (lua_type(L, -1) != LUA_TSTRING)
      return weft_fail(err, WEFT_USAGE, "upsert: on names the columns of a unique key");
    if (weft_table_column(t, weft_slice(s, n)) < 0)
      return weft_lua_no_column(L, t, weft_slice(s, n), err);
    if (!has_item(c, weft_slice(s, n)))
      return weft_fail(err, WEFT_USAGE, "upsert: on names '%s', of which no value is given", s);
    on[i] = weft_arena_slice(&c->arena, weft_slice(s, n));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  c->on = on;
  c->non = count;
  lua_getfield(L, 3, "update");
  struct weft_item *updates = NULL;
  int rc = 0;
  if (!lua_isnil(L, -1) && !lua_istable(L, -1))
    return weft_fail(err, WEFT_USAGE, "upsert: update is a table of column = value, got %s",
                     luaL_typename(L, -1));
  if (!lua_isnil(L, -1))
    rc = assignments(L, w, lua_gettop(L), t, &c->arena, &updates, &c->nupdates, err);
  c->updates = updates;
  lua_pop(L, 1);
  return rc;
}

/* The rows at index 2 (a list) as a clause. 1: rows that cannot be one statement. */
static int insert_clause(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                         struct weft_query *c, struct weft_error *err) {
  struct named *names;
  c->nrows = (uint32_t)lua_rawlen(L, 2);
  if (c->nrows > 1) return weft_lua_many(L, w, t, c, err);
  if (lua_rawgeti(L, 2, 1) != LUA_TTABLE || c->nrows == 0)
    return weft_fail(err, WEFT_USAGE, "create takes tables of column = value, got %s",
                     luaL_typename(L, -1));
  if (names_of(L, -1, t, &c->arena, &names, &c->nitems, err)) return -1;
  lua_pop(L, 1);
  struct weft_item *items = weft_arena_alloc(&c->arena, (c->nitems + 1) * sizeof *items);
  memset(items, 0, (c->nitems + 1) * sizeof *items);
  for (uint32_t i = 0; i < c->nitems; i++)
    items[i].name = weft_arena_slice(&c->arena, names[i].name);
  c->items = items;
  struct weft_value *v = weft_arena_alloc(&c->arena, (c->nitems + 1) * sizeof *v);
  c->values = v;
  lua_rawgeti(L, 2, 1);
  int row = lua_gettop(L);
  for (uint32_t i = 0; i < c->nitems; i++)
    if (cell(L, w, row, t, &names[i], &c->arena, v++, &items[i], err)) return -1;
  lua_pop(L, 1);
  return 0;
}

static int insert_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  const struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_error err;
  (void)status, (void)ctx;
  lua_getfield(L, 3, "on");
  bool upsert = !lua_isnil(L, -1);
  lua_getfield(L, 3, "quiet");
  bool quiet = lua_toboolean(L, -1);
  lua_settop(L, 3);
  const struct weft_query *root = weft_lua_current(lq);
  while (root->prev) root = root->prev; /* conditions mean nothing to an insert */
  struct weft_query *c = weft_query_begin((struct weft_query *)(uintptr_t)root,
                                          upsert ? WEFT_C_UPSERT : WEFT_C_INSERT);
  c->quiet = quiet;
  int rc = insert_clause(L, w, t, c, &err);
  if (rc > 0) {
    weft_query_unref(c);
    return 0;
  }
  if (rc || (upsert && conflict(L, w, t, c, &err)))
    return fail(L, w, lq, c, upsert ? "upsert" : "create", &err);
  return weft_lua_run_query(L, w, lq, weft_query_end(c), upsert ? "upsert" : "create",
                            quiet ? ANSWER_COUNT : ANSWER_ROWS, weft_lua_answer_k);
}

/* core.insert(model, rows, { quiet, on, update }): rows as stored, or their number, or nothing when the
   rows cannot be one statement: then lua/weft groups them by their columns. */
static int l_insert(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_bare(L, w);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  return weft_lua_with_table(L, w, lq, "create", insert_k);
}

void weft_lua_open_write(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg methods[] = {
      {"update", l_update}, {"delete", l_delete}, {"increment", l_increment}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"insert", l_insert},
                                       {"update", l_update_row},
                                       {"check_write", l_check_write},
                                       {"plus", l_plus},
                                       {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_PLUS, "weft.plus", NULL);
  lua_pop(L, 1);
  weft_lua_functions(L, w, methods);
  lua_insert(L, -2); /* the module table is below */
  weft_lua_functions(L, w, functions);
  lua_insert(L, -2);
}
