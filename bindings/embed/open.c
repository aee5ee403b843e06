/* SPDX-License-Identifier: MIT */
/* Weft in a Lua state: where its files are, and require "weft".

   They are looked for from the file that this code is in, a library or a program, upwards:
     PREFIX/lib/libweft.so           ->  PREFIX/share/weft/lua
     ROOT/build/MODE/lib/libweft.so  ->  ROOT/lua                                                   */
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "weft_private.h"

int luaopen_weft_core(lua_State *L);

const char *weft_version(void) { return WEFT_VERSION; }

static bool cut(char *path) { /* its last part, off */
  char *slash = strrchr(path, '/');
  if (!slash || slash == path) return false;
  *slash = 0;
  return true;
}

static bool own_folder(char out[PATH_MAX]) {
  Dl_info info;
  struct link_map *map = NULL;
  if (!dladdr1(__extension__(void *) own_folder, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) return false;
  return realpath(map->l_name[0] ? map->l_name : "/proc/self/exe", out) && cut(out);
}

static bool has_lua(const char *folder) {
  char probe[PATH_MAX + 32];
  snprintf(probe, sizeof probe, "%s/weft/init.lua", folder);
  return access(probe, R_OK) == 0;
}

static bool find_lua(char out[PATH_MAX]) {
  static const char *const below[] = {"share/weft/lua", "lua"};
  enum { UPWARDS = 4 };
  char at[PATH_MAX];
  if (!own_folder(at)) return false;
  for (int level = 0; level < UPWARDS; level++) {
    for (int i = 0; i < 2; i++)
      if (snprintf(out, PATH_MAX, "%s/%s", at, below[i]) < PATH_MAX && has_lua(out)) return true;
    if (!cut(at)) return false;
  }
  return false;
}

static void prepend(lua_State *L, const char *field) { /* what stands on top, to a field of the table below it */
  lua_pushliteral(L, ";");
  lua_getfield(L, -3, field);
  lua_concat(L, 3);
  lua_setfield(L, -2, field);
}

static void set_paths(lua_State *L, const char *lua) {
  char found[PATH_MAX], own[PATH_MAX];
  if (lua_getglobal(L, "package") != LUA_TTABLE)
    luaL_error(L, "Weft needs the standard libraries: luaL_openlibs first");
  if (lua && !has_lua(lua)) luaL_error(L, "there are no Lua files of Weft in %s", lua);
  if (!lua && find_lua(found)) lua = found;
  if (lua) {
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", lua, lua);
    prepend(L, "path");
  }
  if (own_folder(own)) {
    lua_pushfstring(L, "%s/?.so", own);
    prepend(L, "cpath");
  }
  lua_pop(L, 1);
}

static bool is_open(lua_State *L) { /* pushes the module then */
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  bool is = lua_getfield(L, -1, "weft") == LUA_TTABLE;
  lua_remove(L, -2);
  if (!is) lua_pop(L, 1);
  return is;
}

void weft_embed_open(lua_State *L, void *uv_loop, const char *lua) {
  luaL_checkstack(L, 8, "weft");
  if (is_open(L)) return;
  lua_pushlightuserdata(L, uv_loop);
  lua_setfield(L, LUA_REGISTRYINDEX, WEFT_LUA_UV_LOOP);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_weft_core);
  lua_setfield(L, -2, "weft.core");
  lua_pop(L, 1);
  set_paths(L, lua);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "weft");
  lua_call(L, 1, 2);
  if (!weft_lua_of(L)) /* the weft.lua of an app's folder, which says where its databases are */
    luaL_error(L, "require \"weft\" found %s, which is not Weft: LUA_PATH (or options.lua) says where Weft's Lua files are",
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
}

int weft_open_on(lua_State *L, struct uv_loop_s *loop) {
  weft_embed_open(L, loop, NULL);
  return 1;
}

int weft_open(lua_State *L) { return weft_open_on(L, NULL); }
