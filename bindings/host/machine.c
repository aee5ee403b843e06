/* SPDX-License-Identifier: MIT */
/* What scripts of the host ask of the machine: functions of weft.host. */
#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what a folder of scripts looks like ---- */

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * UINT64_C(0x100000001b3); }

static bool is_script(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && (!strcmp(dot, ".lua") || !strcmp(dot, ".html") || !strcmp(dot, ".sql"));
}

static uint64_t stamp(const char *folder, int depth) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  DIR *dir = depth > 0 ? opendir(folder) : NULL;
  char path[PATH_MAX];
  struct stat st;
  uint64_t sum = 0; /* entries come in any order */
  for (const struct dirent *d; dir && (d = readdir(dir));) {
    if (d->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, d->d_name) >= (int)sizeof path) continue;
    if (stat(path, &st)) continue;
    uint64_t own = h;
    for (const char *p = d->d_name; *p; p++) own = mix(own, (unsigned char)*p);
    if (S_ISDIR(st.st_mode)) sum += mix(own, stamp(path, depth - 1));
    else if (is_script(d->d_name))
      sum += mix(mix(mix(own, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec), (uint64_t)st.st_size);
  }
  if (dir) closedir(dir);
  return mix(h, sum);
}

static int l_stamp(lua_State *L) { /* host.stamp(folder): a number that changes with its scripts and pages */
  lua_pushinteger(L, (lua_Integer)stamp(luaL_checkstring(L, 1), 16));
  return 1;
}

static int l_real(lua_State *L) { /* host.real(path): the whole path */
  char real[PATH_MAX];
  lua_pushstring(L, realpath(luaL_checkstring(L, 1), real) ? real : lua_tostring(L, 1));
  return 1;
}

static int l_append(lua_State *L) { /* host.append(file): a descriptor, or nil and why not */
  int fd = open(luaL_checkstring(L, 1), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) return luaL_fileresult(L, 0, lua_tostring(L, 1));
  lua_pushinteger(L, fd);
  return 1;
}

static int l_pid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

static int l_processors(lua_State *L) { /* host.processors(): those that this process may use */
  cpu_set_t set;
  lua_pushinteger(L, sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1);
  return 1;
}

static int l_chdir(lua_State *L) { /* host.chdir(folder): true, or nil and why not */
  if (chdir(luaL_checkstring(L, 1)) == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return luaL_fileresult(L, 0, lua_tostring(L, 1));
}

static int l_exit(lua_State *L) { /* host.exit(status): ends the process while threads of it may still be at work */
  int status = (int)luaL_checkinteger(L, 1);
  fflush(NULL);
  _exit(status);
}

void host_machine(lua_State *L) {
  static const luaL_Reg functions[] = {{"stamp", l_stamp}, {"real", l_real},             {"append", l_append}, {"pid", l_pid},
                                       {"chdir", l_chdir}, {"processors", l_processors}, {"exit", l_exit},     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
