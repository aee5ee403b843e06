/* SPDX-License-Identifier: MIT */
/* Marks: tables that stand for what cannot be said as plain values, read by condition.c. weft.any_of and its
   like, what is asked of an association's rows, aggregates. */
#include "weft_lua.h"

static int combine(lua_State *L, const char *kind) {
  struct weft_lua *w = weft_lua_self(L);
  if (!lua_istable(L, 1) || lua_gettop(L) != 1)
    return weft_lua_usage(L, w, "%s takes one table of conditions", kind);
  if (lua_rawlen(L, 1) == 0 && (lua_pushnil(L), lua_next(L, 1) == 0))
    return weft_lua_usage(L, w, "%s: an empty table is no condition", kind);
  lua_settop(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "of");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  weft_lua_slot(L, w, SLOT_MT_CONDITION);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_any_of(lua_State *L) { return combine(L, "any_of"); }
static int l_all_of(lua_State *L) { return combine(L, "all_of"); }
static int l_negate(lua_State *L) { return combine(L, "negate"); }

/* some(name, condition), none, every: marks of what is asked of an association's rows. */
static int quantify(lua_State *L, const char *kind) {
  struct weft_lua *w = weft_lua_self(L);
  bool bare = lua_isnoneornil(L, 2);
  if (lua_type(L, 1) != LUA_TSTRING || (!bare && !lua_istable(L, 2)) || lua_gettop(L) > 2)
    return weft_lua_usage(L, w, "%s takes the name of an association and a table of conditions", kind);
  if (bare && strcmp(kind, "every") == 0)
    return weft_lua_usage(L, w, "every takes a condition that every row must meet");
  if (!bare && lua_rawlen(L, 2) == 0 && (lua_pushnil(L), lua_next(L, 2) == 0))
    return weft_lua_usage(L, w, "%s: an empty table is no condition", kind);
  lua_settop(L, 2);
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "name");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "of");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  weft_lua_slot(L, w, SLOT_MT_CONDITION);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_some(lua_State *L) { return quantify(L, "some"); }
static int l_none(lua_State *L) { return quantify(L, "none"); }
static int l_every(lua_State *L) { return quantify(L, "every"); }

static int mark_aggregate(lua_State *L, enum weft_expr_kind kind, const char *who, bool optional) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_isnoneornil(L, 1) && !optional)
    return weft_lua_usage(L, w, "%s takes a column", who);
  lua_settop(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "of");
  weft_lua_slot(L, w, SLOT_MT_AGGREGATE);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_count(lua_State *L) { return mark_aggregate(L, WEFT_E_COUNT, "count", true); }
static int l_count_distinct(lua_State *L) {
  return mark_aggregate(L, WEFT_E_COUNT_DISTINCT, "count_distinct", false);
}
static int l_sum(lua_State *L) { return mark_aggregate(L, WEFT_E_SUM, "sum", false); }
static int l_avg(lua_State *L) { return mark_aggregate(L, WEFT_E_AVG, "avg", false); }
static int l_min(lua_State *L) { return mark_aggregate(L, WEFT_E_MIN, "min", false); }
static int l_max(lua_State *L) { return mark_aggregate(L, WEFT_E_MAX, "max", false); }

void weft_lua_open_mark(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {
      {"any_of", l_any_of}, {"all_of", l_all_of}, {"negate", l_negate}, {"some", l_some},
      {"none", l_none},     {"every", l_every},   {"count", l_count},   {"count_distinct", l_count_distinct},
      {"sum", l_sum},       {"avg", l_avg},       {"min", l_min},       {"max", l_max},
      {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_CONDITION, "weft.condition", NULL);
  lua_pop(L, 1);
  weft_lua_metatable(L, w, SLOT_MT_AGGREGATE, "weft.aggregate", NULL);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
