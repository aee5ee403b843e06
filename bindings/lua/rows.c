/* SPDX-License-Identifier: MIT */
/* Row sets as Lua tables. A row is a plain table of its columns that are not NULL; what else is known of
   it belongs to its result: one metatable per row set,
     [1]      the result, a userdata that holds the struct weft_rows
     __index  what API.md says of absent keys      __pairs  columns in order, then what was loaded
   with the result's user values: 1 the model info (or nil), 2 the rows by number, weakly.

   Keys are interned once per set of columns: SLOT_SHAPES maps a weft_columns to a table that is the list
   of its names and also maps each name to its number. */
#include "weft_lua.h"

#include <stdlib.h>

#include "decimal.h"

enum { MAX_SHAPES = 2000 };

struct result {
  struct weft_rows *rows;
};

static int shape_gc(lua_State *L) {
  struct weft_columns **c = lua_touserdata(L, 1);
  weft_columns_unref(*c);
  *c = NULL;
  return 0;
}

/* Pushes the keys table of columns. */
static void push_shape(lua_State *L, struct weft_lua *w, struct weft_columns *columns) {
  weft_lua_slot(L, w, SLOT_SHAPES);
  if (lua_rawgetp(L, -1, columns) == LUA_TTABLE) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  if (++w->nshapes > MAX_SHAPES) { /* forget all; live results keep what they need */
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->slots);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, SLOT_SHAPES);
    lua_remove(L, -2);
    w->nshapes = 1;
  }
  lua_createtable(L, (int)columns->n, (int)columns->n + 1);
  for (uint32_t i = 0; i < columns->n; i++) {
    lua_pushlstring(L, columns->v[i].name.p, columns->v[i].name.n);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_rawset(L, -3);
  }
  struct weft_columns **hold = lua_newuserdatauv(L, sizeof *hold, 0); /* its address stays taken */
  *hold = weft_columns_ref(columns);
  lua_newtable(L);
  lua_pushcfunction(L, shape_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, -2, &shape_gc); /* a key that no name can be */
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, columns);
  lua_remove(L, -2);
}

/* ---- building ---- */

/* Pushes the metatable of a result that owns rows. Stack use: 6. */
static void push_result(lua_State *L, struct weft_lua *w, struct weft_rows *rows, int model) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->slots);
  int slots = lua_gettop(L);
  lua_createtable(L, 1, 3);
  struct result *r = lua_newuserdatauv(L, sizeof *r, 2);
  r->rows = NULL;
  lua_rawgeti(L, slots, SLOT_MT_RESULT);
  lua_setmetatable(L, -2);
  r->rows = weft_rows_ref(rows);
  if (model) {
    lua_pushvalue(L, model);
    lua_setiuservalue(L, -2, 1);
  }
  lua_rawseti(L, -2, 1);
  lua_rawgeti(L, slots, SLOT_KEY_INDEX);
  lua_rawgeti(L, slots, SLOT_ROW_INDEX);
  lua_rawset(L, -3);
  lua_rawgeti(L, slots, SLOT_KEY_PAIRS);
  lua_rawgeti(L, slots, SLOT_ROW_PAIRS);
  lua_rawset(L, -3);
  lua_rawgeti(L, slots, SLOT_KEY_NAME);
  lua_rawgeti(L, slots, SLOT_ROW_NAME);
  lua_rawset(L, -3);
  lua_remove(L, slots);
}

static void push_cell(lua_State *L, struct weft_lua *w, struct weft_value v, uint32_t as,
                      struct weft_decimal *last, int last_at) {
  if (as) {
    weft_lua_push(L, w, v, as);
    return;
  }
  switch (v.type) {
    case WEFT_INT: lua_pushinteger(L, v.u.i); return;
    case WEFT_TEXT: lua_pushlstring(L, v.u.s ? v.u.s : "", v.n); return;
    case WEFT_DECIMAL:
      /* Prices repeat: an immutable value is made once per run of equal ones. */
      if (v.u.dec->lo != last->lo || v.u.dec->hi != last->hi || v.u.dec->scale != last->scale ||
          v.u.dec->neg != last->neg || lua_isnil(L, last_at)) {
        weft_lua_push_decimal(L, w, v.u.dec);
        lua_copy(L, -1, last_at);
        *last = *v.u.dec;
      } else {
        lua_pushvalue(L, last_at);
      }
      return;
    default: break;
  }
  weft_lua_push(L, w, v, as);
}

/* Pushes row i; the keys table is at keys. */
static void push_cells(lua_State *L, struct weft_lua *w, const struct weft_rows *rows, uint32_t i,
                       int keys, struct weft_decimal *last, int last_at) {
  const struct weft_value *v = weft_rows_row(rows, i);
  const struct weft_column *c = rows->columns->v;
  uint32_t n = rows->ncols;
  lua_createtable(L, 0, (int)n);
  for (uint32_t j = 0; j < n; j++) {
    if (v[j].type == WEFT_NULL) continue;
    lua_rawgeti(L, keys, (lua_Integer)j + 1);
    push_cell(L, w, v[j], c[j].as, last, last_at);
    lua_rawset(L, -3);
  }
}

void weft_lua_push_row(lua_State *L, struct weft_lua *w, struct weft_rows *rows, uint32_t i,
                       int model) {
  struct weft_decimal last = {0};
  luaL_checkstack(L, 12, "a row");
  model = model ? lua_absindex(L, model) : 0;
  lua_pushnil(L);
  int last_at = lua_gettop(L);
  push_shape(L, w, rows->columns);
  push_cells(L, w, rows, i, last_at + 1, &last, last_at);
  push_result(L, w, rows, model);
  if (rows->nrows > 1) { /* its number must be found again */
    lua_rawgeti(L, -1, 1);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, last_at + 2);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
    lua_setiuservalue(L, -2, 2);
    lua_pop(L, 1);
  }
  lua_setmetatable(L, -2);
  lua_replace(L, last_at);
  lua_settop(L, last_at);
}

void weft_lua_push_rows(lua_State *L, struct weft_lua *w, struct weft_rows *rows, int model) {
  struct weft_decimal last = {0};
  luaL_checkstack(L, 16, "rows");
  model = model ? lua_absindex(L, model) : 0;
  lua_createtable(L, (int)rows->nrows, 0);
  if (rows->nrows == 0) return;
  int list = lua_gettop(L), last_at = list + 1, keys = list + 2, mt = list + 3, weak = list + 4;
  lua_pushnil(L);
  push_shape(L, w, rows->columns);
  push_result(L, w, rows, model);
  lua_createtable(L, (int)rows->nrows, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->slots);
  lua_rawgeti(L, -1, SLOT_WEAK);
  lua_setmetatable(L, weak);
  lua_pop(L, 1);
  for (uint32_t i = 0; i < rows->nrows; i++) {
    push_cells(L, w, rows, i, keys, &last, last_at);
    lua_pushvalue(L, mt);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawseti(L, weak, (lua_Integer)i + 1);
    lua_rawseti(L, list, (lua_Integer)i + 1);
  }
  lua_rawgeti(L, mt, 1);
  lua_pushvalue(L, weak);
  lua_setiuservalue(L, -2, 2);
  lua_settop(L, list);
}

/* ---- reading a row ---- */

static int result_gc(lua_State *L) {
  struct result *r = lua_touserdata(L, 1);
  weft_rows_unref(r->rows);
  r->rows = NULL;
  return 0;
}

/* Pushes the result userdata of the row at idx, or nothing. */
static struct result *push_result_of(lua_State *L, struct weft_lua *w, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return NULL;
  if (lua_rawgeti(L, -1, 1) != LUA_TUSERDATA ||
      !weft_lua_is(L, w, lua_gettop(L), SLOT_MT_RESULT)) {
    lua_pop(L, 2);
    return NULL;
  }
  lua_remove(L, -2);
  struct result *r = lua_touserdata(L, -1);
  if (r->rows) return r;
  lua_pop(L, 1);
  return NULL;
}

/* The number of the row at idx within its result (on top of the stack): by identity, because lists are
   sorted and spliced. The first question turns the weak list into a map beside it. */
static uint32_t number_of(lua_State *L, int idx, const struct result *r) {
  uint32_t found = 0;
  if (r->rows->nrows <= 1) return 0;
  int result = lua_gettop(L);
  if (lua_getiuservalue(L, result, 2) != LUA_TTABLE) return lua_pop(L, 1), 0;
  lua_pushvalue(L, idx);
  if (lua_rawget(L, -2) == LUA_TNUMBER) {
    found = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return found;
  }
  lua_pop(L, 1);
  for (uint32_t i = 0; i < r->rows->nrows; i++) {
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) == LUA_TTABLE) {
      if (lua_rawequal(L, -1, idx)) found = i;
      lua_pushinteger(L, i);
      lua_rawset(L, -3); /* row -> number */
    } else {
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return found;
}

bool weft_lua_row(lua_State *L, struct weft_lua *w, int idx, struct weft_rows **rows,
                  uint32_t *number) {
  idx = lua_absindex(L, idx);
  struct result *r = push_result_of(L, w, idx);
  if (!r) return false;
  *rows = r->rows;
  *number = number_of(L, idx, r);
  lua_pop(L, 1);
  return true;
}

static int loaded(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status, (void)ctx;
  return 1;
}

/* What lua/weft loads on touch: an association, a lazy column. May wait. */
static int load(lua_State *L, struct weft_lua *w, int info) {
  weft_lua_slot(L, w, SLOT_ASSOCIATION);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, info);
  lua_pushvalue(L, 2);
  lua_callk(L, 3, 1, 0, loaded);
  return 1;
}

static int model_method(lua_State *L, struct weft_lua *w, int info) { /* key at 2 */
  static const char *const fields[] = {"associations", "methods", NULL};
  for (int i = 0; fields[i]; i++) {
    lua_getfield(L, info, fields[i]);
    if (lua_istable(L, -1)) {
      lua_pushvalue(L, 2);
      if (lua_rawget(L, -2) != LUA_TNIL) {
        if (i == 1) return 1;
        return load(L, w, info);
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  weft_lua_slot(L, w, SLOT_ROW_METHODS);
  lua_pushvalue(L, 2);
  return lua_istable(L, -2) ? (lua_rawget(L, -2), 1) : (lua_pushnil(L), 1);
}

/* row[key] for a key that the table does not hold. */
static int row_index(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct result *r = push_result_of(L, w, 1);
  if (!r || lua_type(L, 2) != LUA_TSTRING) return 0;
  int result = lua_gettop(L);
  push_shape(L, w, r->rows->columns);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 0; /* a column: it is NULL */
  if (lua_getiuservalue(L, result, 1) != LUA_TTABLE) return 0;
  int info = lua_gettop(L);
  lua_getfield(L, info, "core");
  struct lua_query *lq = lua_touserdata(L, -1);
  size_t n;
  const char *key = lua_tolstring(L, 2, &n);
  struct weft_table *t = lq ? weft_relation_table(lq->model->relation) : NULL;
  if (t && t->known && weft_table_column(t, weft_slice(key, n)) >= 0) {
    lua_getfield(L, info, "lazy");
    if (lua_istable(L, -1) && (lua_pushvalue(L, 2), lua_rawget(L, -2)) != LUA_TNIL)
      return load(L, w, info);
    return weft_lua_usage(L, w, "column '%s' of %s was not selected by the query of this row", key,
                          lq->model->label);
  }
  return model_method(L, w, info);
}

/* for k, v in pairs(row): columns that are not NULL in their order, then whatever else the table holds. */
static int next_of(lua_State *L) { /* upvalues: w, keys, stage, number of keys */
  struct weft_lua *w = weft_lua_self(L);
  (void)w;
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)), n = lua_tointeger(L, lua_upvalueindex(4));
  lua_settop(L, 2);
  while (i < n) {
    lua_rawgeti(L, lua_upvalueindex(2), ++i);
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 1) != LUA_TNIL) return 2;
    lua_pop(L, 2);
  }
  if (i == n) lua_pushnil(L), lua_replace(L, 2); /* from here by next */
  lua_pushinteger(L, n + 1);
  lua_replace(L, lua_upvalueindex(3));
  while (lua_next(L, 1)) {
    lua_pushvalue(L, -2);
    if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL) return lua_pop(L, 1), 2;
    lua_pop(L, 2);
  }
  return 0;
}

static int row_pairs(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct result *r = push_result_of(L, w, 1);
  if (!r) return weft_lua_usage(L, w, "pairs: this is no row");
  lua_pushlightuserdata(L, w);
  push_shape(L, w, r->rows->columns);
  lua_pushinteger(L, 0);
  lua_pushinteger(L, r->rows->ncols);
  lua_pushcclosure(L, next_of, 4);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

static struct result *check_row(lua_State *L, const char *who) {
  struct weft_lua *w = weft_lua_self(L);
  struct result *r = push_result_of(L, w, 1);
  if (!r) weft_lua_usage(L, w, "%s takes a row, got %s", who, luaL_typename(L, 1));
  return r;
}

static int l_columns(lua_State *L) { /* weft.columns(row): names in order */
  struct result *r = check_row(L, "columns");
  lua_createtable(L, (int)r->rows->ncols, 0);
  for (uint32_t i = 0; i < r->rows->ncols; i++) {
    const struct weft_slice name = r->rows->columns->v[i].name;
    lua_pushlstring(L, name.p, name.n);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int l_row_info(lua_State *L) { /* core.row_info(row): the model info, or nil when it is no row */
  struct weft_lua *w = weft_lua_self(L);
  if (!push_result_of(L, w, 1)) return 0;
  lua_getiuservalue(L, -1, 1);
  return 1;
}

static int l_row_model(lua_State *L) { /* weft.model_of(row) */
  check_row(L, "model_of");
  if (lua_getiuservalue(L, -1, 1) != LUA_TTABLE) return 0;
  lua_getfield(L, -1, "core");
  return 1;
}

static int l_row_siblings(lua_State *L) { /* core.row_siblings(row): the rows of its result still alive */
  struct result *r = check_row(L, "siblings");
  int result = lua_gettop(L);
  lua_newtable(L);
  lua_Integer n = 0;
  if (lua_getiuservalue(L, result, 2) == LUA_TTABLE && r->rows->nrows > 1) {
    for (uint32_t i = 0; i < r->rows->nrows; i++) {
      if (lua_rawgeti(L, -1, (lua_Integer)i + 1) == LUA_TTABLE) lua_rawseti(L, -3, ++n);
      else lua_pop(L, 1);
    }
    lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
  }
  return 1;
}

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

bool weft_lua_changed(lua_State *L, struct weft_lua *w, int idx, struct weft_value v, uint32_t as) {
  if (lua_isnil(L, idx)) return v.type != WEFT_NULL;
  if (v.type == WEFT_NULL) return lua_touserdata(L, idx) != w->null || lua_isnil(L, idx);
  if (v.type == WEFT_INT && !as) return !lua_isinteger(L, idx) || lua_tointeger(L, idx) != v.u.i;
  weft_lua_push(L, w, v, as);
  bool same = lua_compare(L, -1, idx, LUA_OPEQ);
  if (v.type == WEFT_FLOAT && v.u.f != v.u.f) { /* NaN stays NaN */
    lua_Number now = lua_tonumber(L, idx);
    same = lua_type(L, idx) == LUA_TNUMBER && now != now;
  }
  if (!same && lua_istable(L, -1) && lua_istable(L, idx)) { /* json, arrays: by their text */
    struct weft_buf a, b;
    struct weft_error err;
    weft_buf_init(&a);
    weft_buf_init(&b);
    same = weft_lua_encode(L, w, -1, &a, &err) == 0 && weft_lua_encode(L, w, idx, &b, &err) == 0 &&
           weft_slice_equal(weft_buf_slice(&a), weft_buf_slice(&b));
    weft_buf_release(&a);
    weft_buf_release(&b);
  }
  lua_pop(L, 1);
  return !same;
}

/* core.row_changes(row): a list of the changed columns, and a map of their values (NULL: weft.null);
   keys that are no column of the row but one of its table count as changed too. */
static int l_row_changes(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_rows *rows;
  uint32_t i;
  if (!weft_lua_row(L, w, 1, &rows, &i))
    return weft_lua_usage(L, w, "changed takes a row, got %s", luaL_typename(L, 1));
  const struct weft_value *v = weft_rows_row(rows, i);
  lua_settop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  lua_Integer n = 0;
  for (uint32_t j = 0; j < rows->ncols; j++) {
    const struct weft_column *c = &rows->columns->v[j];
    lua_pushlstring(L, c->name.p, c->name.n);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    if (weft_lua_changed(L, w, lua_gettop(L), v[j], c->as)) {
      if (lua_isnil(L, -1)) lua_pop(L, 1), weft_lua_slot(L, w, SLOT_NULL);
      lua_pushvalue(L, -2);
      lua_rawseti(L, 2, ++n);
      lua_rawset(L, 3);
    } else {
      lua_pop(L, 2);
    }
  }
  return 2;
}

static int l_row_become(lua_State *L) { /* core.row_become(row, stored): row takes stored's columns */
  struct weft_lua *w = weft_lua_self(L);
  struct weft_rows *rows;
  uint32_t i;
  lua_settop(L, 2);
  if (!weft_lua_row(L, w, 2, &rows, &i)) return weft_lua_usage(L, w, "a row is expected");
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

void weft_lua_open_rows(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__gc", result_gc}, {"__close", result_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"columns", l_columns},           {"model_of", l_row_model},
      {"row_info", l_row_info},         {"row_siblings", l_row_siblings},
      {"row_original", l_row_original}, {"row_changes", l_row_changes},
      {"row_become", l_row_become},     {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_RESULT, "weft.result", meta);
  lua_pop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->slots);
  lua_newtable(L);
  lua_rawseti(L, -2, SLOT_SHAPES);
  lua_newtable(L); /* of the lists of siblings */
  lua_pushliteral(L, "kv");
  lua_setfield(L, -2, "__mode");
  lua_rawseti(L, -2, SLOT_WEAK);
  lua_pushlightuserdata(L, w);
  lua_pushcclosure(L, row_index, 1);
  lua_rawseti(L, -2, SLOT_ROW_INDEX);
  lua_pushlightuserdata(L, w);
  lua_pushcclosure(L, row_pairs, 1);
  lua_rawseti(L, -2, SLOT_ROW_PAIRS);
  lua_pushliteral(L, "__index");
  lua_rawseti(L, -2, SLOT_KEY_INDEX);
  lua_pushliteral(L, "__pairs");
  lua_rawseti(L, -2, SLOT_KEY_PAIRS);
  lua_pushliteral(L, "__name");
  lua_rawseti(L, -2, SLOT_KEY_NAME);
  lua_pushliteral(L, "weft.row");
  lua_rawseti(L, -2, SLOT_ROW_NAME);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
