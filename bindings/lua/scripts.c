/* SPDX-License-Identifier: MIT */
/* core.scripts(folder), core.files(folder): what a folder holds; core.real_path(path): what a path leads to. */
#include "weft_lua.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

struct listing {
  struct dirent **names;
  int n;
};

static int listing_gc(lua_State *L) {
  struct listing *list = lua_touserdata(L, 1);
  while (list->n > 0) free(list->names[--list->n]);
  free(list->names);
  list->names = NULL;
  return 0;
}

static size_t stem(const struct dirent *entry) { /* length without ".lua", 0: no script */
  size_t n = strlen(entry->d_name);
  bool is = n > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 4, ".lua") == 0;
  return is ? n - 4 : 0;
}

static int is_script(const struct dirent *entry) { return stem(entry) > 0; }

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int in_order(const struct dirent **a, const struct dirent **b) { /* whatever the locale */
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names in a folder, sorted; nil when there is no folder. `length`: how much of a name is told. */
static int push_names(lua_State *L, int (*filter)(const struct dirent *),
                      size_t (*length)(const struct dirent *)) {
  const char *folder = luaL_checkstring(L, 1);
  struct listing *list = lua_newuserdatauv(L, sizeof *list, 0);
  *list = (struct listing){NULL, 0};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, listing_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  int n = scandir(folder, &list->names, filter, in_order);
  if (n < 0) return 0;
  list->n = n;
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushlstring(L, list->names[i]->d_name, length(list->names[i]));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static size_t whole(const struct dirent *entry) { return strlen(entry->d_name); }

static int l_scripts(lua_State *L) { return push_names(L, is_script, stem); } /* *.lua, without that ending */
static int l_files(lua_State *L) { return push_names(L, is_visible, whole); } /* all that are not hidden */

static int l_real_path(lua_State *L) { /* without symbolic links, or nil when there is no such thing */
  char name[PATH_MAX];
  if (!realpath(luaL_checkstring(L, 1), name)) return 0;
  lua_pushstring(L, name);
  return 1;
}

void weft_lua_open_scripts(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"scripts", l_scripts}, {"files", l_files}, {"real_path", l_real_path}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
