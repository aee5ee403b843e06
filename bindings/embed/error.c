/* SPDX-License-Identifier: MIT */
/* Errors of Lua as a plain struct. */
#include "weft_private.h"

/* Cut at its capacity, never inside a UTF-8 sequence. */
static void copy(char *to, size_t size, const char *from) {
  size_t n = strlen(from);
  if (n >= size) {
    n = size - 1;
    while (n > 0 && ((unsigned char)from[n] & 0xC0) == 0x80) n--;
  }
  memcpy(to, from, n);
  to[n] = 0;
}

void weft_embed_fail(struct weft_host_error *err, const char *kind, const char *message) {
  if (!err) return;
  memset(err, 0, sizeof *err);
  copy(err->kind, sizeof err->kind, kind);
  copy(err->message, sizeof err->message, message);
}

static const char *text(lua_State *L, const char *field) { /* leaves it on the stack */
  return lua_getfield(L, 2, field) == LUA_TSTRING ? lua_tostring(L, -1) : "";
}

static bool flag(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  return lua_toboolean(L, -1);
}

static void read_table(lua_State *L, struct weft_host_error *err) {
  weft_embed_fail(err, text(L, "kind"), text(L, "message"));
  copy(err->code, sizeof err->code, text(L, "code"));
  copy(err->database, sizeof err->database, text(L, "database"));
  copy(err->constraint, sizeof err->constraint, text(L, "constraint"));
  copy(err->column, sizeof err->column, text(L, "column"));
  err->retryable = flag(L, "retryable");
  err->outcome_unknown = flag(L, "outcome_unknown");
}

static int read(lua_State *L) { /* the struct, the error */
  struct weft_host_error *err = lua_touserdata(L, 1);
  if (lua_istable(L, 2) && *text(L, "kind") && *text(L, "message")) read_table(L, err);
  else weft_embed_fail(err, "internal", luaL_tolstring(L, 2, NULL));
  return 0;
}

/* Lua says so itself, or somebody in front of it: "error loading module ...: not enough memory". */
static bool is_full(const char *message) {
  static const char full[] = "not enough memory";
  size_t n = strlen(message), m = sizeof full - 1;
  return n >= m && strcmp(message + n - m, full) == 0;
}

void weft_embed_read_error(lua_State *L, lua_State *from, struct weft_host_error *err) {
  int top = lua_gettop(L), status = LUA_ERRMEM;
  struct weft_host_error unused;
  if (!err) err = &unused;
  if (lua_checkstack(L, 4) && lua_checkstack(from, 1)) {
    lua_pushvalue(from, -1);
    if (from != L) lua_xmove(from, L, 1);
    lua_pushcfunction(L, read);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, err);
    lua_insert(L, -2);
    status = lua_pcall(L, 2, 0, 0);
  }
  lua_settop(L, top);
  if (status != LUA_OK || is_full(err->message)) { /* what goes wrong while an error is read is the same */
    weft_embed_fail(err, "internal", "not enough memory: the host's limit, or the machine's");
    copy(err->code, sizeof err->code, "memory");
  }
}
