/* SPDX-License-Identifier: MIT */
/* Row sets as Lua tables. A row is a plain table of its columns that are not NULL; what else is known of
   it belongs to its result: one metatable per row set,
     [1]      the result, a userdata that holds the struct weft_rows
     __index  what API.md says of absent keys      __pairs  columns in order, then what was loaded
   with the result's user values: 1 the model info (or nil), 2 the rows by number, weakly, 3 the set of
   names of associations that were included, so that a missing one is known to be missing. A row that
   came alone is copied into its result instead.

   Keys are interned once per set of columns: SLOT_SHAPES maps a weft_columns to a table that is the list
   of its names and also maps each name to its number. */
#include "weft_lua.h"

#include <stdlib.h>
#include <strings.h>

#include "decimal.h"

enum { MAX_SHAPES = 2000, SINGLE_BYTES = 4096, NAMES_MAX = 64 };

struct result {
  struct weft_rows *rows; /* NULL once collected */
  bool strict;            /* nothing is loaded on touch */
};

struct single { /* a result that holds its only row itself */
  struct result result;
  struct weft_rows own;
  struct weft_value cells[];
};

static int shape_gc(lua_State *L) {
  struct weft_columns **c = lua_touserdata(L, 1);
  weft_columns_unref(*c);
  *c = NULL;
  return 0;
}

void weft_lua_push_shape(lua_State *L, struct weft_lua *w, struct weft_columns *columns) {
  weft_lua_slot(L, w, SLOT_SHAPES);
  if (lua_rawgetp(L, -1, columns) == LUA_TTABLE) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  if (++w->nshapes > MAX_SHAPES) { /* forget all; live results keep what they need */
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    weft_lua_set_slot(L, w, SLOT_SHAPES);
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
  *hold = NULL;
  lua_newtable(L);
  lua_pushcfunction(L, shape_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *hold = weft_columns_ref(columns);
  lua_rawsetp(L, -2, &shape_gc); /* a key that no name can be */
  lua_pushvalue(L, -1);
  lua_rawsetp(L, -3, columns);
  lua_remove(L, -2);
}

/* ---- building ---- */

/* Pushes the metatable of the result on top, which it takes. */
static void push_metatable(lua_State *L, struct weft_lua *w) {
  lua_createtable(L, 1, 2);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1);
  weft_lua_slot(L, w, SLOT_KEY_INDEX);
  weft_lua_slot(L, w, SLOT_ROW_INDEX);
  lua_rawset(L, -3);
  weft_lua_slot(L, w, SLOT_KEY_PAIRS);
  weft_lua_slot(L, w, SLOT_ROW_PAIRS);
  lua_rawset(L, -3);
}

/* What the result on top knows of its rows beside their cells. */
static void set_look(lua_State *L, struct result *r, const struct weft_lua_look *look) {
  r->strict = look->strict;
  if (look->model) {
    lua_pushvalue(L, look->model);
    lua_setiuservalue(L, -2, 1);
  }
  if (look->included) {
    lua_pushvalue(L, look->included);
    lua_setiuservalue(L, -2, 3);
  }
}

/* Pushes the metatable of a result that shares rows. */
static void push_result(lua_State *L, struct weft_lua *w, struct weft_rows *rows,
                        const struct weft_lua_look *look) {
  struct result *r = lua_newuserdatauv(L, sizeof *r, 3);
  r->rows = NULL;
  weft_lua_slot(L, w, SLOT_MT_RESULT);
  lua_setmetatable(L, -2);
  r->rows = weft_rows_ref(rows);
  set_look(L, r, look);
  push_metatable(L, w);
}

/* Bytes that the cells of a row point at; SIZE_MAX when they cannot be copied plainly. */
static size_t row_bytes(const struct weft_value *v, uint32_t n) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (weft_is_text(v[i])) bytes += v[i].n;
    else if (v[i].type == WEFT_DECIMAL) bytes += sizeof(struct weft_decimal);
    else if (v[i].type == WEFT_ARRAY) return SIZE_MAX;
  }
  return bytes;
}

/* The result of one row, copied into a userdata that needs no finalizer: what a look-up by key gives
   back is held by Lua's own memory alone. The keys table at keys keeps the columns. */
static void push_single(lua_State *L, struct weft_lua *w, const struct weft_rows *rows, uint32_t i,
                        size_t bytes, int keys, const struct weft_lua_look *look) {
  const struct weft_value *v = weft_rows_row(rows, i);
  uint32_t n = rows->ncols;
  struct single *s = lua_newuserdatauv(L, sizeof *s + n * sizeof *v + bytes, 3);
  memset(&s->own, 0, sizeof s->own);
  s->result.rows = &s->own;
  s->own.refs = s->own.nrows = 1;
  s->own.ncols = n;
  s->own.columns = rows->columns;
  s->own.cells = s->cells;
  memcpy(s->cells, v, n * sizeof *v);
  char *at = (char *)(s->cells + n);
  for (uint32_t k = 0; k < n; k++) { /* decimals first: they are aligned */
    if (v[k].type != WEFT_DECIMAL) continue;
    memcpy(at, v[k].u.dec, sizeof *v[k].u.dec);
    s->cells[k].u.dec = (const struct weft_decimal *)(const void *)at;
    at += sizeof *v[k].u.dec;
  }
  for (uint32_t k = 0; k < n; k++) {
    if (!weft_is_text(v[k])) continue;
    if (v[k].n) memcpy(at, v[k].u.s, v[k].n);
    s->cells[k].u.s = at;
    at += v[k].n;
  }
  weft_lua_slot(L, w, SLOT_MT_SINGLE);
  lua_setmetatable(L, -2);
  set_look(L, &s->result, look);
  lua_pushvalue(L, keys);
  lua_setiuservalue(L, -2, 2);
  push_metatable(L, w);
}

static void push_cell(lua_State *L, struct weft_lua *w, struct weft_value v, uint32_t as) {
  if (as) weft_lua_push(L, w, v, as);
  else if (v.type == WEFT_INT) lua_pushinteger(L, v.u.i);
  else if (v.type == WEFT_TEXT) lua_pushlstring(L, v.u.s ? v.u.s : "", v.n);
  else weft_lua_push(L, w, v, 0);
}

static bool same_decimal(struct weft_value a, struct weft_value b) {
  return a.type == WEFT_DECIMAL && b.type == WEFT_DECIMAL && a.u.dec->lo == b.u.dec->lo &&
         a.u.dec->hi == b.u.dec->hi && a.u.dec->scale == b.u.dec->scale &&
         a.u.dec->neg == b.u.dec->neg;
}

/* Pushes row i with room for more fields; the keys table is at keys, its first ones are at names, one each,
   on the stack. The row before is at before, or there is none (0): prices repeat, and what became of one
   is there. */
static void push_cells(lua_State *L, struct weft_lua *w, const struct weft_rows *rows, uint32_t i,
                       uint32_t more, int keys, int names, uint32_t nnames, int before) {
  const struct weft_value *v = weft_rows_row(rows, i);
  const struct weft_column *c = rows->columns->v;
  uint32_t n = rows->ncols;
  lua_createtable(L, 0, (int)(n + more));
  for (uint32_t j = 0; j < n; j++) {
    if (v[j].type == WEFT_NULL) continue;
    if (j < nnames) lua_pushvalue(L, names + (int)j);
    else lua_rawgeti(L, keys, (lua_Integer)j + 1);
    if (before && v[j].type == WEFT_DECIMAL && same_decimal(v[j], (v - n)[j])) {
      lua_pushvalue(L, -1);
      lua_rawget(L, before);
    } else {
      push_cell(L, w, v[j], c[j].as);
    }
    lua_rawset(L, -3);
  }
}

static void absolute(lua_State *L, struct weft_lua_look *look) {
  if (look->model) look->model = lua_absindex(L, look->model);
  if (look->included) look->included = lua_absindex(L, look->included);
}

void weft_lua_push_row(lua_State *L, struct weft_lua *w, struct weft_rows *rows, uint32_t i,
                       struct weft_lua_look look) {
  luaL_checkstack(L, 12, "a row");
  absolute(L, &look);
  weft_lua_push_shape(L, w, rows->columns);
  int keys = lua_gettop(L);
  push_cells(L, w, rows, i, look.more, keys, 0, 0, 0);
  size_t bytes = row_bytes(weft_rows_row(rows, i), rows->ncols);
  if (bytes <= SINGLE_BYTES) {
    push_single(L, w, rows, i, bytes, keys, &look);
  } else {
    push_result(L, w, rows, &look);
    if (rows->nrows > 1) { /* its number must be found again */
      lua_rawgeti(L, -1, 1);
      lua_createtable(L, 0, 1);
      lua_pushvalue(L, keys + 1);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
      lua_setiuservalue(L, -2, 2);
      lua_pop(L, 1);
    }
  }
  lua_setmetatable(L, -2);
  lua_remove(L, keys);
}

void weft_lua_push_rows(lua_State *L, struct weft_lua *w, struct weft_rows *rows,
                        struct weft_lua_look look) {
  uint32_t nnames = rows->ncols < NAMES_MAX ? rows->ncols : NAMES_MAX;
  luaL_checkstack(L, 16 + NAMES_MAX, "rows");
  absolute(L, &look);
  lua_createtable(L, (int)rows->nrows, 0);
  if (rows->nrows == 0) { /* as JSON it is [] too */
    weft_lua_slot(L, w, SLOT_MT_ARRAY);
    lua_setmetatable(L, -2);
    return;
  }
  int list = lua_gettop(L), keys = list + 1, mt = list + 2, weak = list + 3,
      before = list + 4, names = list + 5;
  weft_lua_push_shape(L, w, rows->columns);
  push_result(L, w, rows, &look);
  if (look.below) {
    lua_pushvalue(L, list); /* whoever links the rows makes it weak */
  } else {
    lua_createtable(L, (int)rows->nrows, 0);
    weft_lua_slot(L, w, SLOT_WEAK);
    lua_setmetatable(L, weak);
  }
  lua_pushnil(L);
  for (uint32_t j = 0; j < nnames; j++) lua_rawgeti(L, keys, (lua_Integer)j + 1);
  for (uint32_t i = 0; i < rows->nrows; i++) {
    push_cells(L, w, rows, i, look.more, keys, names, nnames, i ? before : 0);
    lua_pushvalue(L, -1);
    lua_replace(L, before);
    lua_pushvalue(L, mt);
    lua_setmetatable(L, -2);
    if (!look.below) {
      lua_pushvalue(L, -1);
      lua_rawseti(L, weak, (lua_Integer)i + 1);
    }
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
  if (!r || !weft_lua_is(L, weft_lua_self(L), 1, SLOT_MT_RESULT)) return 0;
  weft_rows_unref(r->rows);
  r->rows = NULL;
  return 0;
}

/* Pushes the result userdata of the row at idx, or nothing. */
static struct result *push_result_of(lua_State *L, struct weft_lua *w, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return NULL;
  if (lua_rawgeti(L, -1, 1) != LUA_TUSERDATA ||
      !(weft_lua_is(L, w, lua_gettop(L), SLOT_MT_SINGLE) ||
        weft_lua_is(L, w, lua_gettop(L), SLOT_MT_RESULT))) {
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

/* Pushes field[key] of the table at idx, key being at 2; false, nothing pushed, when there is none. */
static bool push_member(lua_State *L, int idx, const char *field) {
  if (lua_getfield(L, idx, field) != LUA_TTABLE) return lua_pop(L, 1), false;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) == LUA_TNIL) return lua_pop(L, 2), false;
  lua_remove(L, -2);
  return true;
}

/* Pushes the method called like the key at 2: the model's, or what every row can do; or nil. */
static int push_method(lua_State *L, struct weft_lua *w, int info) {
  if (push_member(L, info, "methods")) return 1;
  weft_lua_slot(L, w, SLOT_ROW_METHODS);
  lua_pushvalue(L, 2);
  return lua_istable(L, -2) ? (lua_rawget(L, -2), 1) : (lua_pushnil(L), 1);
}

/* ctx: the index of the model info when a method is meant if nothing was loaded. */
static int loaded(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  if (!ctx || !lua_isnil(L, -1)) return 1;
  if (push_member(L, (int)ctx, "associations")) return 0; /* there is one, and no row of it */
  return push_method(L, weft_lua_self(L), (int)ctx);
}

/* What lua/weft loads on touch: a lazy column, an association, perhaps one that is still to be discovered.
   absent: it was included, and there was none. May wait. */
static int load(lua_State *L, struct weft_lua *w, const struct result *r, int info, bool absent,
                bool or_method) {
  lua_KContext ctx = or_method ? info : 0;
  weft_lua_slot(L, w, SLOT_ASSOCIATION);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, info);
  lua_pushvalue(L, 2);
  lua_pushboolean(L, r->strict);
  lua_pushboolean(L, absent);
  lua_callk(L, 5, 1, ctx, loaded);
  return loaded(L, LUA_OK, ctx);
}

/* Might a foreign key make an association of that name, which goes before a method? */
static bool like_a_key(const struct weft_table *t, struct weft_slice key) {
  static const char *const endings[] = {"_id", "id", "_fk", "fk", "_uuid", "uuid"};
  for (uint32_t i = 0; t && i < t->ncolumns; i++) {
    struct weft_slice name = t->columns[i].name;
    if (name.n <= key.n || strncasecmp(name.p, key.p, key.n) != 0) continue;
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
      if (name.n - key.n == strlen(endings[k]) &&
          strncasecmp(name.p + key.n, endings[k], name.n - key.n) == 0)
        return true;
  }
  return false;
}

/* row[key] for a key that is no column. */
static int beyond_columns(lua_State *L, struct weft_lua *w, const struct result *r, int result,
                          int info, struct lua_query *lq) {
  size_t n;
  const char *key = lua_tolstring(L, 2, &n);
  bool absent = lua_getiuservalue(L, result, 3) == LUA_TTABLE &&
                (lua_pushvalue(L, 2), lua_rawget(L, -2)) != LUA_TNIL;
  if (push_member(L, info, "associations")) return load(L, w, r, info, absent, false);
  if (absent) return 0;
  bool discovered = !lq || weft_lua_complete(lq->model);
  struct weft_table *t = lq ? weft_relation_table(lq->model->relation) : NULL;
  if (!discovered && like_a_key(t, weft_slice(key, n))) return load(L, w, r, info, false, true);
  push_method(L, w, info);
  return discovered || !lua_isnil(L, -1) ? 1 : load(L, w, r, info, false, false);
}

/* row[key] for a key that the table does not hold. */
static int row_index(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct result *r = push_result_of(L, w, 1);
  if (!r || lua_type(L, 2) != LUA_TSTRING) return 0;
  int result = lua_gettop(L);
  weft_lua_push_shape(L, w, r->rows->columns);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 0; /* a column: it is NULL */
  if (lua_getiuservalue(L, result, 1) != LUA_TTABLE) return 0;
  int info = lua_gettop(L);
  lua_getfield(L, info, "core");
  struct lua_query *lq = weft_lua_to_query(L, w, -1);
  size_t n;
  const char *key = lua_tolstring(L, 2, &n);
  struct weft_table *t = lq ? weft_relation_table(lq->model->relation) : NULL;
  if (t && t->known && weft_table_column(t, weft_slice(key, n)) >= 0) {
    if (push_member(L, info, "lazy")) return load(L, w, r, info, false, false);
    return weft_lua_usage(L, w, "column '%s' of %s was not selected by the query of this row", key,
                          lq->model->label);
  }
  return beyond_columns(L, w, r, result, info, lq);
}

/* for k, v in pairs(row): columns that are not NULL in their order, then whatever else the table holds. */
static int next_of(lua_State *L) { /* upvalues: w, keys, stage, number of keys */
  struct weft_lua *w = weft_lua_self(L);
  (void)w;
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)), n = lua_tointeger(L, lua_upvalueindex(4));
  luaL_checktype(L, 1, LUA_TTABLE);
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
  weft_lua_push_shape(L, w, r->rows->columns);
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

static bool has(lua_State *L, int table, int key) {
  lua_pushvalue(L, key);
  bool found = lua_rawget(L, table) != LUA_TNIL;
  lua_pop(L, 1);
  return found;
}

/* Appends row i to the list on top when it lives, is not the one at 1, has no field called like the string at 2
   (nil: any), and is no key of the table at 4 (nil: none). The rows by number are below the list. */
static void add_sibling(lua_State *L, uint32_t i) {
  if (lua_rawgeti(L, -2, (lua_Integer)i + 1) == LUA_TTABLE && !lua_rawequal(L, -1, 1) &&
      (lua_isnil(L, 2) || !has(L, lua_gettop(L), 2)) && (lua_isnil(L, 4) || !has(L, 4, lua_gettop(L))))
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  else
    lua_pop(L, 1);
}

/* core.row_siblings(row, field, limit, without): the row, then those behind it in its result, then those before it,
   the nearest first: that live, have no such field yet and are no keys of without; at most limit in all. All but
   the row may be left out. */
static int l_row_siblings(lua_State *L) {
  lua_settop(L, 4);
  struct result *r = check_row(L, "siblings");
  size_t limit = (size_t)luaL_optinteger(L, 3, LUA_MAXINTEGER);
  uint32_t at = number_of(L, 1, r);
  if (lua_getiuservalue(L, -1, 2) != LUA_TTABLE) lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  for (uint32_t i = at + 1; i < r->rows->nrows && lua_rawlen(L, -1) < limit; i++) add_sibling(L, i);
  for (uint32_t i = at; i > 0 && lua_rawlen(L, -1) < limit; i--) add_sibling(L, i - 1);
  return 1;
}

/* core.row_copy(row): another table of the same row, with the fields that it has now. */
static int l_row_copy(lua_State *L) {
  struct result *r = check_row(L, "copy");
  int result = lua_gettop(L);
  uint32_t number = number_of(L, 1, r);
  lua_createtable(L, 0, (int)r->rows->ncols + 1);
  for (lua_pushnil(L); lua_next(L, 1);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_getmetatable(L, 1);
  lua_setmetatable(L, -2);
  if (r->rows->nrows > 1 && lua_getiuservalue(L, result, 2) == LUA_TTABLE) {
    lua_pushvalue(L, result + 1);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
  }
  lua_settop(L, result + 1);
  return 1;
}

void weft_lua_keep_look(lua_State *L, struct weft_lua *w, int from, int to, bool included) {
  int top = lua_gettop(L);
  const struct result *was = push_result_of(L, w, from);
  struct result *is = was ? push_result_of(L, w, to) : NULL;
  if (is) is->strict = was->strict;
  if (is && included) {
    lua_getiuservalue(L, -2, 3);
    lua_setiuservalue(L, -2, 3);
  }
  lua_settop(L, top);
}

bool weft_lua_push_info(lua_State *L, struct weft_lua *w, int idx) {
  if (!push_result_of(L, w, idx)) return false;
  lua_getiuservalue(L, -1, 1);
  lua_remove(L, -2);
  return lua_istable(L, -1) || (lua_pop(L, 1), false);
}

void weft_lua_open_rows(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__gc", result_gc}, {"__close", result_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"columns", l_columns},           {"model_of", l_row_model},
      {"row_info", l_row_info},         {"row_siblings", l_row_siblings},
      {"row_copy", l_row_copy},
      {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_RESULT, "weft.result", meta);
  lua_pop(L, 1);
  weft_lua_metatable(L, w, SLOT_MT_SINGLE, "weft.result", NULL);
  lua_pop(L, 1);
  lua_newtable(L);
  weft_lua_set_slot(L, w, SLOT_SHAPES);
  lua_newtable(L); /* of the lists of siblings */
  lua_pushliteral(L, "kv");
  lua_setfield(L, -2, "__mode");
  weft_lua_set_slot(L, w, SLOT_WEAK);
  lua_pushlightuserdata(L, w);
  lua_pushcclosure(L, row_index, 1);
  weft_lua_set_slot(L, w, SLOT_ROW_INDEX);
  lua_pushlightuserdata(L, w);
  lua_pushcclosure(L, row_pairs, 1);
  weft_lua_set_slot(L, w, SLOT_ROW_PAIRS);
  lua_pushliteral(L, "__index");
  weft_lua_set_slot(L, w, SLOT_KEY_INDEX);
  lua_pushliteral(L, "__pairs");
  weft_lua_set_slot(L, w, SLOT_KEY_PAIRS);
  weft_lua_functions(L, w, functions);
  weft_lua_open_change(L, w);
}
