/* SPDX-License-Identifier: MIT */
/* What a row has become since it was read: the values of its table against the cells of its result. A
   column that the result has not counts when the user set it. */
#include "weft_lua.h"

static int l_row_original(lua_State *L) { /* core.row_original(row, column): as it was read, or nil */
  struct weft_lua *w = weft_lua_self(L);
  struct weft_rows *rows;
  uint32_t i;
  size_t n;
  const char *key = luaL_checklstring(L, 2, &n);
  if (!weft_lua_row(L, w, 1, &rows, &i)) return weft_lua_usage(L, w, "a row is expected");
  for (uint32_t j = 0; j < rows->ncols; j++) {
    if (!weft_slice_equal(rows->columns->v[j].name, weft_slice(key, n))) continue;
    weft_lua_push(L, w, weft_rows_row(rows, i)[j], rows->columns->v[j].as);
    return 1;
  }
  return 0;
}

/* Equal, or json and arrays of the same text. */
static bool same_values(lua_State *L, struct weft_lua *w, int a, int b) {
  struct weft_buf both;
  struct weft_error err;
  bool tables = lua_istable(L, a) && lua_istable(L, b); /* whose own __eq has no say, and may raise */
  if (tables ? lua_rawequal(L, a, b) : lua_compare(L, a, b, LUA_OPEQ)) return true;
  if (!tables) return false;
  weft_buf_init(&both);
  bool same = weft_lua_encode(L, w, a, &both, &err) == 0;
  size_t n = both.n;
  same = same && weft_lua_encode(L, w, b, &both, &err) == 0 && both.n == 2 * n &&
         memcmp(both.p, both.p + n, n) == 0;
  weft_buf_release(&both);
  return same;
}

bool weft_lua_changed(lua_State *L, struct weft_lua *w, int idx, struct weft_value v, uint32_t as) {
  if (lua_isnil(L, idx)) return v.type != WEFT_NULL;
  if (v.type == WEFT_NULL) return lua_touserdata(L, idx) != w->null || lua_isnil(L, idx);
  if (v.type == WEFT_INT && !as) return !lua_isinteger(L, idx) || lua_tointeger(L, idx) != v.u.i;
  weft_lua_push(L, w, v, as);
  bool same = same_values(L, w, -1, idx);
  if (v.type == WEFT_FLOAT && v.u.f != v.u.f) { /* NaN stays NaN */
    lua_Number now = lua_tonumber(L, idx);
    same = lua_type(L, idx) == LUA_TNUMBER && now != now;
  }
  lua_pop(L, 1);
  return !same;
}

/* The name and value on top were changed: into the list at 3 and the map at 4. */
static void note_change(lua_State *L, struct weft_lua *w) {
  if (lua_isnil(L, -1)) lua_pop(L, 1), weft_lua_slot(L, w, SLOT_NULL);
  lua_pushvalue(L, -2);
  lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
  lua_rawset(L, 4);
}

/* Columns of the table that the result has not: set by the user, or loaded later as the map at 2 says. */
static void more_changes(lua_State *L, struct weft_lua *w, struct weft_rows *rows) {
  if (!weft_lua_push_info(L, w, 1)) return;
  lua_getfield(L, -1, "core");
  struct lua_query *lq = weft_lua_to_query(L, w, -1);
  if (!lq) return;
  const struct weft_table *t = weft_relation_table(lq->model->relation);
  weft_lua_push_shape(L, w, rows->columns);
  int shape = lua_gettop(L);
  for (uint32_t j = 0; t->known && j < t->ncolumns; j++) {
    lua_settop(L, shape);
    lua_pushlstring(L, t->columns[j].name.p, t->columns[j].name.n);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, shape) != LUA_TNIL) continue;
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    int was = lua_istable(L, 2) ? lua_rawget(L, 2) : (lua_pop(L, 1), lua_pushnil(L), LUA_TNIL);
    lua_pushvalue(L, -2);
    int is = lua_rawget(L, 1);
    if (was == LUA_TNIL && is == LUA_TNIL) continue;
    if (is == LUA_TNIL ? lua_touserdata(L, -2) == w->null : same_values(L, w, -2, -1)) continue;
    lua_remove(L, -2);
    note_change(L, w);
  }
}

/* core.row_changes(row, loaded): a list of the changed columns, and a map of their values (NULL:
   weft.null). loaded: the values of columns that were read after the row, or nil. */
static int l_row_changes(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_rows *rows;
  uint32_t i;
  if (!weft_lua_row(L, w, 1, &rows, &i))
    return weft_lua_usage(L, w, "changed takes a row, got %s", luaL_typename(L, 1));
  const struct weft_value *v = weft_rows_row(rows, i);
  luaL_checkstack(L, 12, "a row");
  lua_settop(L, 2);
  lua_newtable(L);
  lua_newtable(L);
  for (uint32_t j = 0; j < rows->ncols; j++) {
    const struct weft_column *c = &rows->columns->v[j];
    lua_settop(L, 4);
    lua_pushlstring(L, c->name.p, c->name.n);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    if (weft_lua_changed(L, w, lua_gettop(L), v[j], c->as)) note_change(L, w);
  }
  lua_settop(L, 4);
  more_changes(L, w, rows);
  lua_settop(L, 4);
  return 2;
}

/* core.row_become(row, stored, included): row takes stored's columns; included: what came with it still belongs
   to it. */
static int l_row_become(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_rows *rows;
  uint32_t i;
  lua_settop(L, 3);
  if (!lua_istable(L, 1) || !weft_lua_row(L, w, 2, &rows, &i))
    return weft_lua_usage(L, w, "a row is expected");
  weft_lua_keep_look(L, w, 1, 2, lua_toboolean(L, 3));
  for (uint32_t j = 0; j < rows->ncols; j++) {
    struct weft_slice name = rows->columns->v[j].name;
    lua_pushlstring(L, name.p, name.n);
    lua_pushvalue(L, -1);
    lua_rawget(L, 2);
    lua_rawset(L, 1);
  }
  lua_getmetatable(L, 2);
  lua_setmetatable(L, 1);
  lua_settop(L, 1);
  return 1;
}

void weft_lua_open_change(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"row_original", l_row_original},
                                       {"row_changes", l_row_changes},
                                       {"row_become", l_row_become},
                                       {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
