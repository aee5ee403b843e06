/* SPDX-License-Identifier: MIT */
/*
 * The `weft` program: a Lua interpreter with weft.core inside. It knows `run`, `--version` and
 * `--help`; every other subcommand is scripts/NAME.lua, opened only when it is called.
 *
 * Where the Lua files are follows from where the program is (never from the working folder):
 *   ROOT/build/MODE/weft   ->  ROOT/lua, ROOT/scripts
 *   PREFIX/bin/weft        ->  PREFIX/share/weft/lua, PREFIX/share/weft/scripts
 */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_weft_core(lua_State *L);

struct command_line {
  int argc;
  char **argv;
};

/* Cuts the last `n` components off; false when there are fewer. */
static bool cut(char *path, int n) {
  while (n-- > 0) {
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    *slash = '\0';
  }
  return true;
}

/* The folder that holds lua/ and scripts/, or an empty string when neither layout is there. */
static void find_home(char home[PATH_MAX]) {
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

/* ROOT/build/MODE/lua has Weft's own files compiled (scripts/dump.lua); one that is older than its source
   or of another Lua is passed over. */
static bool is_newer(const char *a, const char *b) {
  struct stat x, y;
  if (stat(a, &x) || stat(b, &y)) return false;
  if (x.st_mtim.tv_sec != y.st_mtim.tv_sec) return x.st_mtim.tv_sec > y.st_mtim.tv_sec;
  return x.st_mtim.tv_nsec > y.st_mtim.tv_nsec;
}

static int find_dumped(lua_State *L) { /* upvalues: home, folder of the program */
  const char *name = luaL_checkstring(L, 1);
  char source[PATH_MAX], dumped[PATH_MAX];
  if (strncmp(name, "weft", 4) != 0 || (name[4] && name[4] != '.')) return 0;
  const char *path = name[4] ? luaL_gsub(L, name, ".", "/") : "weft/init";
  if (snprintf(source, PATH_MAX, "%s/lua/%s.lua", lua_tostring(L, lua_upvalueindex(1)), path) >= PATH_MAX ||
      snprintf(dumped, PATH_MAX, "%s/lua/%s.luac", lua_tostring(L, lua_upvalueindex(2)), path) >= PATH_MAX)
    return 0;
  if (!is_newer(dumped, source) || luaL_loadfilex(L, dumped, "b") != LUA_OK) return 0;
  lua_pushstring(L, source);
  return 2;
}

static void add_dumped(lua_State *L, const char *home) { /* behind package.preload */
  char exe[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0) return;
  exe[n] = '\0';
  if (!cut(exe, 1)) return;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushstring(L, home);
  lua_pushstring(L, exe);
  lua_pushcclosure(L, find_dumped, 2);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

static void set_path(lua_State *L, const char *home) {
  if (!*home) return;
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", home, home, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 2);
  add_dumped(L, home);
}

/* The first comment line `-- weft NAME ...` of a script is its line in the help. */
static void help_line(const char *folder, const char *file) {
  char path[PATH_MAX], line[256];
  if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path) return;
  FILE *f = fopen(path, "r");
  if (!f) return;
  for (int i = 0; i < 5 && fgets(line, sizeof line, f); i++)
    if (strncmp(line, "-- weft ", 8) == 0) {
      printf("  %s", line + 3);
      break;
    }
  fclose(f);
}

static void help(const char *home) {
  printf("usage: weft COMMAND ...\n\n"
         "  weft run script.lua [args]: runs a Lua script; \"weft\" is there to be required\n");
  char folder[PATH_MAX];
  struct dirent **names;
  int n = -1;
  if (*home && snprintf(folder, sizeof folder, "%s/scripts", home) < (int)sizeof folder)
    n = scandir(folder, &names, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    const char *dot = strrchr(names[i]->d_name, '.');
    if (dot && strcmp(dot, ".lua") == 0) help_line(folder, names[i]->d_name);
    free(names[i]);
  }
  if (n >= 0) free(names);
  printf("  weft --version\n  weft --help\n");
}

static int traceback(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (!text && !luaL_callmeta(L, 1, "__tostring"))
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  luaL_traceback(L, L, luaL_tolstring(L, text ? 1 : -1, NULL), 1);
  return 1;
}

static int finish(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "weft.core") != LUA_TTABLE) return 0;
  lua_getfield(L, -1, "finish");
  lua_call(L, 0, 0);
  return 0;
}

/* Runs a file with argv[first..] as its arguments; `arg` is what plain lua would have set. */
static int run_file(lua_State *L, const char *path, int argc, char **argv, int first) {
  lua_createtable(L, argc - first, 2);
  lua_pushstring(L, argv[0]);
  lua_rawseti(L, -2, -1);
  lua_pushstring(L, path);
  lua_rawseti(L, -2, 0);
  for (int i = first; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - first + 1);
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, traceback);                             /* handler */
  int status = luaL_loadfile(L, path);                         /* handler chunk */
  if (status == LUA_OK) {
    luaL_checkstack(L, argc - first, "too many arguments to script");
    for (int i = first; i < argc; i++) lua_pushstring(L, argv[i]);
    int handler = lua_gettop(L) - (argc - first) - 1;
    status = lua_pcall(L, argc - first, 0, handler);
    if (status == LUA_OK) { /* tasks that the script spawned and did not await */
      lua_pushcfunction(L, finish);
      status = lua_pcall(L, 0, 0, handler);
    }
  }
  if (status == LUA_OK) return 0;
  fprintf(stderr, "weft: %s\n", lua_tostring(L, -1));
  return 1;
}

static int subcommand(lua_State *L, const char *home, int argc, char **argv) {
  const char *name = argv[1];
  char path[PATH_MAX];
  bool plain = *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
  int n = snprintf(path, sizeof path, "%s/scripts/%s.lua", home, name);
  if (plain && *home && n < (int)sizeof path && access(path, R_OK) == 0)
    return run_file(L, path, argc, argv, 2);
  fprintf(stderr, "weft: there is no command '%s'; `weft --help` lists them\n", name);
  return 2;
}

/* Everything that may raise runs inside one protected call. The value is the exit status. */
static int program(lua_State *L) {
  struct command_line *line = lua_touserdata(L, 1);
  int argc = line->argc;
  char **argv = line->argv, home[PATH_MAX];
  find_home(home);
  const char *command = argc > 1 ? argv[1] : "--help";
  int status = 0;
  if (strcmp(command, "--version") == 0) {
    printf("weft %s (%s)\n", WEFT_VERSION, LUA_RELEASE);
  } else if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
    help(home);
    status = argc > 1 ? 0 : 2;
  } else {
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_weft_core);
    lua_setfield(L, -2, "weft.core");
    lua_pop(L, 1);
    set_path(L, home);
    if (strcmp(command, "run") != 0) {
      status = subcommand(L, home, argc, argv);
    } else if (argc < 3) {
      fprintf(stderr, "usage: weft run script.lua [args]\n");
      status = 2;
    } else {
      status = run_file(L, argv[2], argc, argv, 3);
    }
  }
  lua_pushinteger(L, status);
  return 1;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "weft: not enough memory\n");
    return 1;
  }
  /* Rows are short-lived and what makes them is not: young objects are collected without a look at the
     old ones. */
  lua_gc(L, LUA_GCGEN, 0, 0);
  struct command_line line = {argc, argv};
  lua_pushcfunction(L, program);
  lua_pushlightuserdata(L, &line);
  int status = 1;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) status = (int)lua_tointeger(L, -1);
  else fprintf(stderr, "weft: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return status;
}
