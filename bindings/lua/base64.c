/* SPDX-License-Identifier: MIT */
/* core.base64(bytes) -> text; core.unbase64(text) -> bytes, or nil when the text is none. */
#include "text.h"
#include "weft_lua.h"

static int l_base64(lua_State *L) {
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, weft_base64_size(n));
  luaL_pushresultsize(&b, weft_base64_text(out, bytes, n));
  return 1;
}

static int l_unbase64(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, n);
  int64_t len = weft_base64_parse(weft_slice(text, n), out);
  luaL_pushresultsize(&b, len < 0 ? 0 : (size_t)len);
  if (len < 0) lua_pushnil(L);
  return 1;
}

void weft_lua_open_base64(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"base64", l_base64}, {"unbase64", l_unbase64}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
