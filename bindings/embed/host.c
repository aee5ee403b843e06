/* SPDX-License-Identifier: MIT */
/* The life of a host: a Lua state with a limit of memory, on a loop.

   Lua's main coroutine runs while the host is made, and never afterwards: what scripts do, they do in tasks, and C is
   what runs the loop. So the main stack is free whenever C has the word. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <lualib.h>

#include "weft_private.h"

static void say(struct weft_host *host, const char *level, const char *line) {
  if (host->log) host->log(host->log_ud, level, line);
}

/* ---- what Lua asks of its host ---- */

static void *allocate(void *ud, void *p, size_t old, size_t size) {
  struct weft_host *host = ud;
  if (!p) old = 0; /* it tells the kind of object */
  if (size == 0) {
    free(p);
    host->memory -= old;
    return NULL;
  }
  size_t room = host->limit > host->memory ? host->limit - host->memory : 0;
  if (host->limit && size > old && size - old > room) return NULL;
  void *q = realloc(p, size);
  if (q) host->memory += size - old;
  return q;
}

/* warn() as a line of the log. What begins with @ is a control message, which means nothing here. */
static void warning(void *ud, const char *text, int more) {
  struct weft_host *host = ud;
  if (host->warning.n == 0 && !more && *text == '@') return;
  weft_buf_str(&host->warning, text);
  if (more) return;
  say(host, "warn", weft_buf_cstr(&host->warning));
  weft_buf_release(&host->warning);
}

static int panic(lua_State *L) {
  void *host;
  lua_getallocf(L, &host);
  say(host, "error", "an error of Lua outside of any call: the process ends");
  return 0;
}

static int sink(lua_State *L) { /* of weft.log: line, level; upvalue 1: the host */
  say(lua_touserdata(L, lua_upvalueindex(1)), luaL_checkstring(L, 2), luaL_checkstring(L, 1));
  return 0;
}

/* ---- making one ---- */

static int field(lua_State *L, const char *name) { /* a reference to a field of the table on top */
  lua_getfield(L, -1, name);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void require(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

static void push_folder(lua_State *L, const char *folder) {
  char path[PATH_MAX];
  if (!realpath(folder ? folder : ".", path)) luaL_error(L, "there is no folder %s", folder ? folder : ".");
  lua_pushstring(L, path);
}

static int open_host(lua_State *L) { /* host, options */
  struct weft_host *host = lua_touserdata(L, 1);
  const struct weft_host_options *o = lua_touserdata(L, 2);
  luaL_openlibs(L);
  weft_embed_open(L, o->loop, o->lua);
  host->w = weft_lua_of(L);
  host->loop = host->w->loop;
  require(L, "weft.core");
  host->spawn = field(L, "spawn_apart");
  require(L, "weft.embedded");
  host->call = field(L, "call");
  host->load = field(L, "load");
  lua_getfield(L, -1, "open");
  push_folder(L, o->folder);
  lua_pushstring(L, o->log_level);
  lua_pushlightuserdata(L, host);
  lua_pushcclosure(L, sink, 1);
  if (!o->log) lua_pop(L, 1), lua_pushnil(L);
  lua_call(L, 3, 0);
  return 0;
}

/* What the caller's version of the struct has, and 0 for the rest. */
static bool take(struct weft_host_options *to, const struct weft_host_options *from) {
  memset(to, 0, sizeof *to);
  if (!from) return true;
  memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
  if (from->size >= offsetof(struct weft_host_options, folder)) return true;
  weft_embed_fail(from->error, "usage", "options.size is to be sizeof (struct weft_host_options)");
  return false;
}

static void drop(struct weft_host *host) {
  if (host->L) lua_close(host->L);
  weft_buf_release(&host->warning);
  free(host);
}

static struct weft_host *begin(const struct weft_host_options *o) {
  struct weft_host *host = weft_zalloc(sizeof *host);
  weft_list_init(&host->calls);
  weft_buf_init(&host->warning);
  host->idle = true;
  host->limit = o->memory;
  host->timeout = o->timeout;
  host->log = o->log;
  host->log_ud = o->log_ud;
  return host;
}

weft_host *weft_host_new(const struct weft_host_options *options) {
  struct weft_host_options o;
  if (!take(&o, options)) return NULL;
  struct weft_host *host = begin(&o);
  host->L = lua_newstate(allocate, host);
  if (!host->L) {
    weft_embed_fail(o.error, "internal", "not enough memory for a Lua state");
    drop(host);
    return NULL;
  }
  lua_atpanic(host->L, panic);
  lua_setwarnf(host->L, warning, host);
  lua_gc(host->L, LUA_GCGEN, 0, 0); /* rows are short-lived and what makes them is not */
  lua_pushcfunction(host->L, open_host);
  lua_pushlightuserdata(host->L, host);
  lua_pushlightuserdata(host->L, &o);
  if (lua_pcall(host->L, 2, 0, 0) == LUA_OK) return host;
  weft_embed_read_error(host->L, host->L, o.error);
  drop(host);
  return NULL;
}

/* ---- and ending it ---- */

void weft_host_close(weft_host *host) {
  if (!host || host->closed) return;
  host->closed = true;
  weft_embed_cancel_calls(host);
}

int weft_host_free(weft_host *host) {
  if (!host) return 0;
  if (host->ending || weft_loop_running(host->loop)) {
    say(host, "error", "weft_host_free inside of a callback or a script: nothing was freed");
    return -1;
  }
  host->closed = host->ending = true;
  weft_embed_end_calls(host);
  drop(host);
  return 0;
}

size_t weft_host_memory(const weft_host *host) { return host->memory; }

lua_State *weft_host_lua(weft_host *host) { return host->L; }
