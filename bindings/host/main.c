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

#include "state.h"

struct command_line {
  int argc;
  char **argv;
};

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
  lua_pushcfunction(L, weft_state_traceback);                            /* handler */
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
  char path[PATH_MAX + 32];
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
  weft_home(home);
  const char *command = argc > 1 ? argv[1] : "--help";
  int status = 0;
  if (strcmp(command, "--version") == 0) {
    printf("weft %s (%s)\n", WEFT_VERSION, LUA_RELEASE);
  } else if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
    help(home);
    status = argc > 1 ? 0 : 2;
  } else {
    weft_state_open(L, home);
    if (strcmp(command, "run") != 0) {
      status = subcommand(L, home, argc, argv);
    } else if (argc < 3 || strcmp(argv[2], "--help") == 0) {
      fprintf(argc < 3 ? stderr : stdout, "usage: weft run script.lua [args]\n");
      status = argc < 3 ? 2 : 0;
    } else {
      status = run_file(L, argv[2], argc, argv, 3);
    }
  }
  lua_pushinteger(L, status);
  return 1;
}

int main(int argc, char **argv) {
  struct weft_memory memory = {0};
  lua_State *L = weft_state_new(&memory, NULL);
  if (!L) {
    fprintf(stderr, "weft: not enough memory\n");
    return 1;
  }
  struct command_line line = {argc, argv};
  lua_pushcfunction(L, program);
  lua_pushlightuserdata(L, &line);
  int status = 1;
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) status = (int)lua_tointeger(L, -1);
  else fprintf(stderr, "weft: %s\n", lua_tostring(L, -1));
  lua_close(L);
  weft_memory_release(&memory);
  return status;
}
