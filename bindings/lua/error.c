/* SPDX-License-Identifier: MIT */
/* Error tables: what API.md "Errors" says. A usage error names the line of the user's code: the innermost
   Lua function that is not one of Weft's own files. */
#include "weft_lua.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_own(const struct weft_lua *w, const char *source) {
  for (int i = 0; i < 2; i++) {
    size_t n = strlen(w->prefix[i]);
    if (n && strncmp(source, w->prefix[i], n) == 0) return true;
  }
  return false;
}

int weft_lua_user(lua_State *L, struct weft_lua *w, lua_Debug *ar) {
  for (int level = 0; lua_getstack(L, level, ar); level++) {
    lua_getinfo(L, "Sl", ar);
    if (ar->currentline > 0 && !is_own(w, ar->source)) return level;
  }
  return -1;
}

void weft_lua_where(lua_State *L, struct weft_lua *w, char *out, size_t size) {
  lua_Debug ar;
  out[0] = 0;
  if (weft_lua_user(L, w, &ar) >= 0) snprintf(out, size, "%s:%d: ", ar.short_src, ar.currentline);
}

/* luaL_traceback walks the stack anew for each line, which takes seconds at the depth of an endless recursion. Of
   such a stack only the innermost lines are told. */
void weft_lua_traceback(lua_State *L, lua_State *of, int level) {
  enum { DEEP = 1000, SHOWN = 20 };
  lua_Debug ar;
  if (!lua_getstack(of, level + DEEP, &ar)) {
    luaL_traceback(L, of, NULL, level);
    return;
  }
  lua_pushliteral(L, "stack traceback:");
  for (int i = level; i < level + SHOWN && lua_getstack(of, i, &ar); i++) {
    lua_getinfo(of, "Sl", &ar);
    if (ar.currentline > 0) lua_pushfstring(L, "\n\t%s:%d:", ar.short_src, ar.currentline);
    else lua_pushfstring(L, "\n\t%s:", ar.short_src);
    lua_concat(L, 2);
  }
  lua_pushfstring(L, "\n\t...\t(more than %d levels)", DEEP);
  lua_concat(L, 2);
}

static int l_traceback(lua_State *L) { /* core.traceback(level): as debug.traceback counts, of any depth */
  weft_lua_traceback(L, L, (int)luaL_checkinteger(L, 1));
  return 1;
}

static void set_text(lua_State *L, const char *key, const char *text) {
  if (!text || !*text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

void weft_lua_push_error(lua_State *L, struct weft_lua *w, const struct weft_error *err,
                         const struct weft_lua_context *c) {
  luaL_checkstack(L, 6, "an error");
  lua_createtable(L, 0, 8);
  lua_pushstring(L, weft_kind_name(err->kind));
  lua_setfield(L, -2, "kind");
  if (err->kind == WEFT_USAGE) {
    char where[200];
    weft_lua_where(L, w, where, sizeof where);
    lua_pushfstring(L, "%s%s", where, err->message);
  } else {
    lua_pushstring(L, err->message);
  }
  lua_setfield(L, -2, "message");
  set_text(L, "code", err->code);
  set_text(L, "constraint", err->constraint);
  set_text(L, "column", err->column);
  lua_pushboolean(L, err->retryable);
  lua_setfield(L, -2, "retryable");
  lua_pushboolean(L, err->outcome_unknown);
  lua_setfield(L, -2, "outcome_unknown");
  if (c) {
    set_text(L, "op", c->op);
    set_text(L, "model", c->model);
    if (c->database.n) {
      lua_pushlstring(L, c->database.p, c->database.n);
      lua_setfield(L, -2, "database");
    }
  }
  weft_lua_slot(L, w, SLOT_MT_ERROR);
  lua_setmetatable(L, -2);
}

int weft_lua_raise(lua_State *L, struct weft_lua *w, const struct weft_error *err,
                   const struct weft_lua_context *c) {
  weft_lua_push_error(L, w, err, c);
  return lua_error(L);
}

int weft_lua_usage(lua_State *L, struct weft_lua *w, const char *fmt, ...) {
  struct weft_error err;
  char text[sizeof err.message];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  weft_fail(&err, WEFT_USAGE, "%s", text);
  return weft_lua_raise(L, w, &err, NULL);
}

/* One line: "unique: duplicate key ... (insert, product_service.Product, 23505)". */
static int l_tostring(lua_State *L) {
  luaL_Buffer b;
  static const char *const extra[] = {"op", "model", "database", "code", NULL};
  int open = 0;
  lua_settop(L, 1);
  lua_getfield(L, 1, "kind");
  lua_getfield(L, 1, "message");
  const char *kind = lua_tostring(L, 2), *message = lua_tostring(L, 3);
  lua_pushnil(L); /* 4: holds each extra */
  luaL_buffinit(L, &b);
  luaL_addstring(&b, kind ? kind : "error");
  luaL_addstring(&b, ": ");
  for (const char *s = message ? message : ""; *s; s++)
    luaL_addchar(&b, *s == '\n' || *s == '\r' ? ' ' : *s);
  for (int i = 0; extra[i]; i++) {
    if (i == 2 && open == 2) continue; /* the model names its database */
    lua_getfield(L, 1, extra[i]);
    if (lua_type(L, -1) != LUA_TSTRING) {
      lua_pop(L, 1);
      continue;
    }
    lua_replace(L, 4);
    luaL_addstring(&b, open ? ", " : " (");
    luaL_addstring(&b, lua_tostring(L, 4));
    open = i == 1 ? 2 : open ? open : 1;
  }
  if (open) luaL_addchar(&b, ')');
  luaL_pushresult(&b);
  return 1;
}

/* core.error{kind=, message=, ...}: lua/weft's own errors; level counts from the caller for usage. */
static int l_error(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "kind");
  if (lua_tostring(L, -1) && strcmp(lua_tostring(L, -1), "usage") == 0) {
    char where[200];
    weft_lua_where(L, w, where, sizeof where);
    lua_getfield(L, 1, "message");
    lua_pushfstring(L, "%s%s", where, lua_tostring(L, -1) ? lua_tostring(L, -1) : "");
    lua_setfield(L, 1, "message");
  }
  static const char *const flags[] = {"retryable", "outcome_unknown"};
  for (int i = 0; i < 2; i++) {
    lua_getfield(L, 1, flags[i]);
    lua_pushboolean(L, lua_toboolean(L, -1));
    lua_setfield(L, 1, flags[i]);
  }
  lua_settop(L, 1);
  weft_lua_slot(L, w, SLOT_MT_ERROR);
  lua_setmetatable(L, 1);
  return lua_error(L);
}

static int l_is_error(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  lua_pushboolean(L, lua_istable(L, 1) && weft_lua_is(L, w, 1, SLOT_MT_ERROR));
  return 1;
}

void weft_lua_open_error(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__tostring", l_tostring}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"error", l_error}, {"is_error", l_is_error}, {"traceback", l_traceback}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_ERROR, "weft.error", meta);
  lua_pushnil(L);
  lua_setfield(L, -2, "__index"); /* an error's fields are its own only */
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
  lua_createtable(L, WEFT_KIND_COUNT, 0);
  for (int kind = WEFT_OK + 1; kind < WEFT_KIND_COUNT; kind++) {
    lua_pushstring(L, weft_kind_name((enum weft_kind)kind));
    lua_rawseti(L, -2, kind);
  }
  lua_setfield(L, -2, "kinds");
}
