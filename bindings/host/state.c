/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "weft_lua.h"


/* ---- where Weft's files are ---- */

/* Cuts the last `n` components off; false when there are fewer. */
static bool cut(char *path, int n) {
  while (n-- > 0) {
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    *slash = '\0';
  }
  return true;
}

static bool program_folder(char path[PATH_MAX]) {
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (n <= 0) return false;
  path[n] = '\0';
  return cut(path, 1);
}

void weft_home(char home[PATH_MAX]) {
  char exe[PATH_MAX], probe[PATH_MAX + 32];
  home[0] = '\0';
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0) return;
  exe[n] = '\0';
  for (int layout = 0; layout < 2; layout++) {
    char root[PATH_MAX];
    memcpy(root, exe, (size_t)n + 1);
    if (!cut(root, layout == 0 ? 3 : 2)) continue;
    const char *below = layout == 0 ? "" : "/share/weft";
    if (snprintf(home, PATH_MAX, "%s%s", root, below) >= PATH_MAX) continue;
    snprintf(probe, sizeof probe, "%s/lua/weft", home);
    if (access(probe, R_OK) == 0) return;
  }
  home[0] = '\0';
}

/* ROOT/build/MODE/lua or PREFIX/lib/weft/lua has Weft's own files compiled (scripts/dump.lua); one that is older than
   its source or of another Lua is passed over. */
static bool is_older(const char *a, const char *b) {
  struct stat x, y;
  if (stat(a, &x) || stat(b, &y)) return true;
  if (x.st_mtim.tv_sec != y.st_mtim.tv_sec) return x.st_mtim.tv_sec < y.st_mtim.tv_sec;
  return x.st_mtim.tv_nsec < y.st_mtim.tv_nsec;
}

static int find_dumped(lua_State *L) { /* upvalues: home, folder of the compiled files */
  const char *name = luaL_checkstring(L, 1);
  char source[PATH_MAX], dumped[PATH_MAX];
  if (strncmp(name, "weft", 4) != 0 || (name[4] && name[4] != '.')) return 0;
  const char *path = name[4] ? luaL_gsub(L, name, ".", "/") : "weft/init";
  if (snprintf(source, PATH_MAX, "%s/lua/%s.lua", lua_tostring(L, lua_upvalueindex(1)), path) >= PATH_MAX ||
      snprintf(dumped, PATH_MAX, "%s/%s.luac", lua_tostring(L, lua_upvalueindex(2)), path) >= PATH_MAX)
    return 0;
  if (is_older(dumped, source) || luaL_loadfilex(L, dumped, "b") != LUA_OK) return 0;
  lua_pushstring(L, source);
  return 2;
}

static bool dumped_folder(char path[PATH_MAX]) {
  static const char *const layouts[] = {"lua", "../lib/weft/lua"};
  char exe[PATH_MAX];
  if (!program_folder(exe)) return false;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
    if (snprintf(path, PATH_MAX, "%s/%s", exe, layouts[i]) < PATH_MAX && access(path, X_OK) == 0) return true;
  return false;
}

static void add_dumped(lua_State *L, const char *home) { /* behind package.preload */
  char folder[PATH_MAX];
  if (!dumped_folder(folder)) return;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, home);
  lua_pushstring(L, folder);
  lua_pushcclosure(L, find_dumped, 2);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

/* Modules that link a library of their own are where the drivers are: below the program, or beside its folder. */
static void set_cpath(lua_State *L) {
  char exe[PATH_MAX];
  if (!program_folder(exe)) return;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "cpath");
  lua_pushfstring(L, "%s/lib/?.so;%s/../lib/?.so;%s", exe, exe, lua_tostring(L, -1));
  lua_setfield(L, -3, "cpath");
  lua_pop(L, 2);
}

static void set_path(lua_State *L, const char *home) {
  set_cpath(L);
  if (!*home) return;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", home, home, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 2);
  add_dumped(L, home);
}

/* ---- the state ---- */

/* warn(): lines on stderr, always on; a text that begins with @ is a control message, which means nothing here. */
static void warning(void *ud, const char *text, int more) {
  bool *inside = ud;
  if (!*inside && !more && *text == '@') return;
  if (!*inside) fputs("Lua warning: ", stderr);
  fputs(text, stderr);
  *inside = more != 0;
  if (!more) fputc('\n', stderr);
}

lua_State *weft_state_new(struct weft_memory *memory, void *uv_loop) {
  lua_State *L = lua_newstate(weft_memory_allocate, memory);
  if (!L) {
    weft_memory_release(memory);
    return NULL;
  }
  memory->warning = false;
  lua_setwarnf(L, warning, &memory->warning);
  lua_pushlightuserdata(L, uv_loop);
  lua_setfield(L, LUA_REGISTRYINDEX, WEFT_LUA_UV_LOOP);
  /* Rows are short-lived and what makes them is not: young objects are collected without a look at the
     old ones. */
  lua_gc(L, LUA_GCGEN, 0, 0);
  return L;
}

void weft_state_open(lua_State *L, const char *home) {
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_weft_core);
  lua_setfield(L, -2, "weft.core");
  lua_pushcfunction(L, luaopen_weft_host);
  lua_setfield(L, -2, "weft.host");
  lua_pop(L, 1);
  set_path(L, home);
}

int weft_state_traceback(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (!text && !luaL_callmeta(L, 1, "__tostring"))
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  luaL_traceback(L, L, luaL_tolstring(L, text ? 1 : -1, NULL), 1);
  return 1;
}
