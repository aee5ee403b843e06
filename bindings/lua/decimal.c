/* SPDX-License-Identifier: MIT */
/* weft.decimal: an immutable userdata that holds the struct itself. Exact against integers and decimals;
   a float operand raises usage, because a float is not what it prints as. */
#include "weft_lua.h"

#include "decimal.h"

/* Prices repeat, and a decimal never changes: one that was met lately is handed out again. */
void weft_lua_push_decimal(lua_State *L, struct weft_lua *w, const struct weft_decimal *d) {
  uint32_t at = (uint32_t)(d->lo ^ d->hi ^ (uint64_t)d->scale << 5) % DECIMALS;
  struct weft_decimal *known = &w->decimals[at];
  weft_lua_slot(L, w, SLOT_DECIMALS);
  if (known->lo == d->lo && known->hi == d->hi && known->scale == d->scale && known->neg == d->neg) {
    lua_rawgeti(L, -1, (lua_Integer)at + 1);
    lua_replace(L, -2);
    return;
  }
  struct weft_decimal *copy = lua_newuserdatauv(L, sizeof *copy, 0);
  *copy = *d;
  weft_lua_slot(L, w, SLOT_MT_DECIMAL);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, (lua_Integer)at + 1);
  lua_replace(L, -2);
  *known = *d;
}

const struct weft_decimal *weft_lua_to_decimal(lua_State *L, struct weft_lua *w, int idx) {
  if (lua_type(L, idx) != LUA_TUSERDATA) return NULL;
  return weft_lua_is(L, w, idx, SLOT_MT_DECIMAL) ? lua_touserdata(L, idx) : NULL;
}

static void operand(lua_State *L, struct weft_lua *w, int idx, struct weft_decimal *out) {
  const struct weft_decimal *d = weft_lua_to_decimal(L, w, idx);
  if (d) *out = *d;
  else if (lua_isinteger(L, idx)) weft_decimal_from_int(lua_tointeger(L, idx), out);
  else if (lua_type(L, idx) == LUA_TNUMBER)
    weft_lua_usage(L, w, "a decimal and a float do not mix: make the float a decimal or the "
                         "decimal a number (:tonumber()) first");
  else weft_lua_usage(L, w, "a decimal and a %s do not mix", luaL_typename(L, idx));
}

static int arithmetic(lua_State *L, int (*f)(const struct weft_decimal *,
                                             const struct weft_decimal *, struct weft_decimal *)) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_decimal a, b, r;
  operand(L, w, 1, &a);
  operand(L, w, 2, &b);
  if (f(&a, &b, &r)) {
    struct weft_error err;
    weft_fail(&err, WEFT_TYPE, "the result has more than %d digits", WEFT_DECIMAL_DIGITS);
    return weft_lua_raise(L, w, &err, NULL);
  }
  weft_lua_push_decimal(L, w, &r);
  return 1;
}

static int l_add(lua_State *L) { return arithmetic(L, weft_decimal_add); }
static int l_sub(lua_State *L) { return arithmetic(L, weft_decimal_sub); }
static int l_mul(lua_State *L) { return arithmetic(L, weft_decimal_mul); }

static int compare(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_decimal a, b;
  operand(L, w, 1, &a);
  operand(L, w, 2, &b);
  return weft_decimal_compare(&a, &b);
}

static int l_eq(lua_State *L) { /* Lua asks only for two userdata */
  struct weft_lua *w = weft_lua_self(L);
  const struct weft_decimal *a = weft_lua_to_decimal(L, w, 1), *b = weft_lua_to_decimal(L, w, 2);
  lua_pushboolean(L, a && b && weft_decimal_compare(a, b) == 0);
  return 1;
}
static int l_lt(lua_State *L) { return lua_pushboolean(L, compare(L) < 0), 1; }
static int l_le(lua_State *L) { return lua_pushboolean(L, compare(L) <= 0), 1; }

static int l_unm(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_decimal a;
  operand(L, w, 1, &a);
  a.neg = !a.neg && (a.lo || a.hi);
  weft_lua_push_decimal(L, w, &a);
  return 1;
}

static const struct weft_decimal *self(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  const struct weft_decimal *d = weft_lua_to_decimal(L, w, 1);
  if (!d) weft_lua_usage(L, w, "a decimal is expected, got %s", luaL_typename(L, 1));
  return d;
}

static int l_tostring(lua_State *L) {
  char text[WEFT_DECIMAL_TEXT];
  lua_pushlstring(L, text, weft_decimal_text(text, self(L)));
  return 1;
}

static int l_tonumber(lua_State *L) {
  const struct weft_decimal *d = self(L);
  int64_t i;
  if (weft_decimal_to_int(d, &i) == 0) lua_pushinteger(L, i);
  else lua_pushnumber(L, weft_decimal_to_float(d));
  return 1;
}

static int l_round(lua_State *L) { /* :round(scale), half away from zero */
  struct weft_lua *w = weft_lua_self(L);
  struct weft_decimal r;
  bool exact;
  int whole = lua_isnoneornil(L, 2);
  lua_Integer scale = whole ? 0 : lua_tointegerx(L, 2, &whole);
  if (!whole || scale < 0 || scale > WEFT_DECIMAL_DIGITS ||
      weft_decimal_round(self(L), (int)scale, &r, &exact))
    return weft_lua_usage(L, w, "a decimal has a scale of 0 to %d", WEFT_DECIMAL_DIGITS);
  weft_lua_push_decimal(L, w, &r);
  return 1;
}

/* weft.decimal "1.10" */
static int l_decimal(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_decimal d;
  size_t n;
  const char *s;
  if (weft_lua_to_decimal(L, w, 1)) return lua_settop(L, 1), 1;
  if (lua_type(L, 1) == LUA_TSTRING) {
    s = lua_tolstring(L, 1, &n);
    if (weft_decimal_parse(weft_slice(s, n), &d))
      return weft_lua_usage(L, w, "decimal takes digits with an optional sign, point and exponent, "
                                  "at most %d digits", WEFT_DECIMAL_DIGITS);
  } else if (lua_isinteger(L, 1)) {
    weft_decimal_from_int(lua_tointeger(L, 1), &d);
  } else if (lua_type(L, 1) == LUA_TNUMBER) {
    return weft_lua_usage(L, w, "decimal takes text or an integer: a float is not what it prints "
                                "as (use a string)");
  } else {
    return weft_lua_usage(L, w, "decimal takes text or an integer, got %s", luaL_typename(L, 1));
  }
  weft_lua_push_decimal(L, w, &d);
  return 1;
}

void weft_lua_open_decimal(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {
      {"__add", l_add},           {"__sub", l_sub},       {"__mul", l_mul}, {"__unm", l_unm},
      {"__eq", l_eq},             {"__lt", l_lt},         {"__le", l_le},
      {"__tostring", l_tostring}, {"tonumber", l_tonumber}, {"round", l_round},
      {NULL, NULL}};
  static const luaL_Reg functions[] = {{"decimal", l_decimal}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_DECIMAL, "weft.decimal", meta);
  lua_pop(L, 1);
  lua_createtable(L, DECIMALS, 0);
  weft_lua_set_slot(L, w, SLOT_DECIMALS);
  for (int i = 0; i < DECIMALS; i++) w->decimals[i].scale = -1;
  weft_lua_functions(L, w, functions);
}
