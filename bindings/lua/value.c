/* SPDX-License-Identifier: MIT */
/* Cells to Lua values and back, and the marks of API.md "Values": weft.null, array, json, raw, path. A
   mark is a small table whose metatable says what it is; nothing else is ever taken for SQL. */
#include "weft_lua.h"

#include "clock.h"
#include "decimal.h"

static void push_time(lua_State *L, struct weft_value v) {
  char text[40];
  lua_pushlstring(L, text, weft_time_text(text, v));
}

static void push_array(lua_State *L, struct weft_lua *w, const struct weft_array *a) {
  luaL_checkstack(L, 6, "an array");
  lua_createtable(L, (int)a->n, 0);
  for (uint32_t i = 0; i < a->n; i++) {
    if (a->v[i].type == WEFT_NULL) weft_lua_slot(L, w, SLOT_NULL);
    else weft_lua_push(L, w, a->v[i], 0);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  weft_lua_slot(L, w, SLOT_MT_ARRAY);
  lua_setmetatable(L, -2);
}

void weft_lua_push(lua_State *L, struct weft_lua *w, struct weft_value v, uint32_t as) {
  struct weft_error err;
  char scratch[WEFT_PRESENT_TEXT];
  if (as) v = weft_value_present(v, as, scratch);
  switch (v.type) {
    case WEFT_BOOL: lua_pushboolean(L, (int)v.u.i); break;
    case WEFT_INT: lua_pushinteger(L, v.u.i); break;
    case WEFT_FLOAT: lua_pushnumber(L, v.u.f); break;
    case WEFT_DECIMAL: weft_lua_push_decimal(L, w, v.u.dec); break;
    case WEFT_JSON:
      if (weft_lua_decode(L, w, weft_slice(v.u.s, v.n), &err)) lua_pushlstring(L, v.u.s, v.n);
      break;
    case WEFT_TEXT:
    case WEFT_BYTES:
    case WEFT_UUID:
    case WEFT_INTERVAL: lua_pushlstring(L, v.u.s ? v.u.s : "", v.n); break;
    case WEFT_DATE:
    case WEFT_TIME:
    case WEFT_TIMESTAMP:
    case WEFT_TIMESTAMPTZ: push_time(L, v); break;
    case WEFT_ARRAY:
    case WEFT_LIST: push_array(L, w, v.u.array); break;
    default: lua_pushnil(L);
  }
}

/* A Lua sequence as an array; nil inside cannot be seen, weft.null can. */
static int array_value(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                       const struct weft_column_type *to, const char *what, struct weft_value *out,
                       struct weft_error *err, int depth) {
  size_t n = lua_rawlen(L, idx);
  if (n > 100 * 1000 * 1000) return weft_fail(err, WEFT_USAGE, "%s: the list is too long", what);
  if (depth > 100 || !lua_checkstack(L, 8))
    return weft_fail(err, WEFT_USAGE, "%s: nested too deep", what);
  struct weft_array *a =
      weft_arena_alloc(arena, sizeof *a + n * sizeof(struct weft_value));
  a->n = (uint32_t)n;
  a->elem = WEFT_ANY;
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    int rc;
    if (lua_istable(L, -1) && weft_lua_is(L, w, lua_gettop(L), SLOT_MT_ARRAY)) {
      rc = array_value(L, w, lua_gettop(L), arena, to, what, &a->v[i], err, depth + 1);
      a->elem = WEFT_ARRAY;
    } else {
      rc = weft_lua_value(L, w, lua_gettop(L), arena, NULL, what, &a->v[i], err);
    }
    lua_pop(L, 1);
    if (rc) return -1;
  }
  *out = (struct weft_value){.type = WEFT_ARRAY, .u.array = a};
  return 0;
}

static int json_value(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                      struct weft_value *out, struct weft_error *err) {
  struct weft_buf b;
  weft_buf_init(&b);
  int rc = weft_lua_encode(L, w, idx, &b, err);
  if (rc == 0)
    *out = (struct weft_value){
        .type = WEFT_JSON, .n = (uint32_t)b.n, .u.s = weft_arena_copy(arena, b.p, b.n)};
  weft_buf_release(&b);
  return rc;
}

static int table_value(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                       const struct weft_column_type *to, const char *what, struct weft_value *out,
                       struct weft_error *err) {
  if (weft_lua_is(L, w, idx, SLOT_MT_JSON)) {
    lua_rawgeti(L, idx, 1);
    int rc = json_value(L, w, lua_gettop(L), arena, out, err);
    lua_pop(L, 1);
    return rc;
  }
  bool array = weft_lua_is(L, w, idx, SLOT_MT_ARRAY);
  if (to && to->type == WEFT_ARRAY)
    return array_value(L, w, idx, arena, to, what, out, err, 0);
  if (to && to->type == WEFT_JSON) return json_value(L, w, idx, arena, out, err);
  if (array && !to) return array_value(L, w, idx, arena, to, what, out, err, 0);
  if (weft_lua_is(L, w, idx, SLOT_MT_RAW) || weft_lua_is(L, w, idx, SLOT_MT_PATH) ||
      weft_lua_is(L, w, idx, SLOT_MT_CONDITION) || weft_lua_is(L, w, idx, SLOT_MT_AGGREGATE))
    return weft_fail(err, WEFT_USAGE, "%s: an expression where a value is expected", what);
  if (to && to->type != WEFT_ANY)
    return weft_fail(err, WEFT_TYPE, "%s: a table where %s is expected", what,
                     weft_type_name(to->type));
  return json_value(L, w, idx, arena, out, err);
}

int weft_lua_value(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                   const struct weft_column_type *to, const char *what, struct weft_value *out,
                   struct weft_error *err) {
  size_t n;
  const char *s;
  const struct weft_decimal *d;
  switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN: *out = weft_bool(lua_toboolean(L, idx)); return 0;
    case LUA_TNUMBER:
      *out = lua_isinteger(L, idx) ? weft_int(lua_tointeger(L, idx))
                                   : weft_float(lua_tonumber(L, idx));
      return 0;
    case LUA_TSTRING:
      s = lua_tolstring(L, idx, &n);
      if (n > 0x7fffffff)
        return weft_fail(err, WEFT_TYPE, "%s: longer than 2 GiB", what);
      *out = weft_text(weft_arena_copy(arena, s, n), n);
      return 0;
    case LUA_TUSERDATA:
      if (lua_touserdata(L, idx) == w->null) {
        *out = weft_null();
        return 0;
      }
      if ((d = weft_lua_to_decimal(L, w, idx))) {
        struct weft_decimal *copy = weft_arena_alloc(arena, sizeof *copy);
        *copy = *d;
        *out = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = copy};
        return 0;
      }
      break;
    case LUA_TTABLE: return table_value(L, w, idx, arena, to, what, out, err);
    case LUA_TNIL:
    case LUA_TNONE:
      return weft_fail(err, WEFT_USAGE, "%s: nil is no value; say weft.null for NULL", what);
    default: break;
  }
  return weft_fail(err, WEFT_USAGE, "%s: a %s is no value", what, luaL_typename(L, idx));
}

/* ---- marks ---- */

static int mark(lua_State *L, int slot) { /* the table on top becomes one */
  weft_lua_slot(L, weft_lua_self(L), slot);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_array(lua_State *L) {
  if (!lua_istable(L, 1))
    return weft_lua_usage(L, weft_lua_self(L), "array takes a list, got %s", luaL_typename(L, 1));
  lua_settop(L, 1);
  return mark(L, SLOT_MT_ARRAY);
}

static int l_json(lua_State *L) {
  if (lua_isnone(L, 1)) return weft_lua_usage(L, weft_lua_self(L), "json takes a value");
  lua_settop(L, 1);
  lua_createtable(L, 1, 0);
  lua_insert(L, 1);
  lua_rawseti(L, 1, 1);
  return mark(L, SLOT_MT_JSON);
}

static int pack(lua_State *L, int slot) { /* all arguments, with n */
  int n = lua_gettop(L);
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  for (int i = n; i >= 1; i--) lua_rawseti(L, 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  return mark(L, slot);
}

static int l_raw(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_type(L, 1) != LUA_TSTRING)
    return weft_lua_usage(L, w, "raw takes SQL text and its parameters, got %s",
                          luaL_typename(L, 1));
  if (lua_tostring(L, 1)[strspn(lua_tostring(L, 1), " \t\r\n")] == 0)
    return weft_lua_usage(L, w, "raw: the SQL text is empty");
  for (int i = 2; i <= lua_gettop(L); i++)
    if (lua_isnil(L, i))
      return weft_lua_usage(L, w, "raw: parameter %d is nil; say weft.null for NULL", i - 1);
  return pack(L, SLOT_MT_RAW);
}

static int l_path(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  int n = lua_gettop(L);
  if (lua_type(L, 1) != LUA_TSTRING || n < 2)
    return weft_lua_usage(L, w, "path takes a column and at least one key, as in "
                                "weft.path(\"attrs\", \"color\")");
  for (int i = 2; i <= n; i++)
    if (lua_type(L, i) != LUA_TSTRING && !lua_isinteger(L, i))
      return weft_lua_usage(L, w, "path: key %d is a %s; keys are strings or integers", i - 1,
                            luaL_typename(L, i));
  return pack(L, SLOT_MT_PATH);
}

/* core.wall_clock(): one reading as a timestamp with zone (RFC 3339, UTC, 6 digits), and as microseconds
   since 1970. */
static int l_wall_clock(lua_State *L) {
  char text[40];
  struct weft_value v = {.type = WEFT_TIMESTAMPTZ, .u.i = weft_clock_wall_us()};
  lua_pushlstring(L, text, weft_time_text(text, v));
  lua_pushinteger(L, v.u.i);
  return 2;
}

static int l_now(lua_State *L) {
  l_wall_clock(L);
  lua_pop(L, 1);
  return 1;
}

static int l_null_tostring(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

void weft_lua_open_value(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg null_meta[] = {{"__tostring", l_null_tostring}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"array", l_array}, {"json", l_json}, {"raw", l_raw}, {"path", l_path}, {"now", l_now},
      {"wall_clock", l_wall_clock},
      {NULL, NULL}};
  static const struct { int slot; const char *name; } marks[] = {
      {SLOT_MT_ARRAY, "weft.array"},         {SLOT_MT_JSON, "weft.json"},
      {SLOT_MT_RAW, "weft.raw"},             {SLOT_MT_PATH, "weft.path"}};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    weft_lua_metatable(L, w, marks[i].slot, marks[i].name, NULL);
    lua_pushnil(L);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
  }
  lua_newuserdatauv(L, 1, 0); /* weft.null */
  w->null = lua_touserdata(L, -1);
  weft_lua_metatable(L, w, SLOT_MT_NULL, "weft.null", null_meta);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  weft_lua_set_slot(L, w, SLOT_NULL);
  lua_setfield(L, -2, "null");
  weft_lua_functions(L, w, functions);
}
