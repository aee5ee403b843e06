/* SPDX-License-Identifier: MIT */
/* core.escape_html(text) -> text as it may stand between tags and in quotes. Bytes that are no UTF-8 become U+FFFD, so
   that none of them swallows what follows. */
#include "text.h"
#include "weft_lua.h"

static const char replacement[] = "\xEF\xBF\xBD";

/* What stands for a byte; NULL: itself, if it is ASCII. */
static const char *entity(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '`': return "&#96;";
    case '\0': return replacement;
    default: return NULL;
  }
}

/* How many bytes from p on stay as they are. */
static size_t plain(const char *p, size_t n) {
  size_t i = 0;
  while (i < n) {
    if ((unsigned char)p[i] < 0x80) {
      if (entity(p[i])) break;
      i++;
    } else {
      size_t length = weft_utf8_sequence(p + i, n - i);
      if (!length) break;
      i += length;
    }
  }
  return i;
}

static int l_escape_html(lua_State *L) {
  size_t n;
  const char *p = luaL_checklstring(L, 1, &n);
  size_t same = plain(p, n);
  luaL_Buffer b;
  lua_settop(L, 1);
  if (same == n) return 1;
  luaL_buffinitsize(L, &b, n + n / 8 + 32);
  for (;;) {
    luaL_addlstring(&b, p, same);
    p += same;
    n -= same;
    if (n == 0) break;
    luaL_addstring(&b, (unsigned char)*p < 0x80 ? entity(*p) : replacement);
    p++;
    n--;
    same = plain(p, n);
  }
  luaL_pushresult(&b);
  return 1;
}

void weft_lua_open_html(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"escape_html", l_escape_html}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
