/* SPDX-License-Identifier: MIT */
/* What scripts and modules ask of the system beyond Lua's own libraries. core.readable waits for a file
   descriptor: a module that brings a client of its own needs nothing else of the core. */
#include "weft_lua.h"

#include <stdlib.h>

#include "clock.h"
#include "hash.h"

struct reading {
  struct wait wait;
  struct weft_lua *w;
  struct weft_watch *watch; /* freed in reading_k, or by the end of the loop */
  bool ready;
  bool deadline; /* the time that weft.timeout gave ends before the one that was asked for */
};

static void on_ready(void *ud, int events) {
  struct reading *r = ud;
  (void)events;
  r->ready = true;
  weft_watch_events(r->watch, 0);
  weft_lua_wake(r->w, &r->wait);
}

static void on_time(void *ud) {
  struct reading *r = ud;
  if (r->deadline) r->wait.why = WEFT_TIMEOUT;
  weft_lua_wake(r->w, &r->wait);
}

static void give_up(struct wait *wait, enum weft_kind why) {
  struct reading *r = WEFT_CONTAINER(wait, struct reading, wait);
  wait->why = why;
  weft_lua_wake(r->w, wait);
}

static int reading_k(lua_State *L, int status, lua_KContext ctx) {
  struct reading *r = (struct reading *)ctx;
  (void)status;
  weft_watch_free(r->watch);
  r->watch = NULL;
  if (r->wait.why != WEFT_OK) return weft_lua_given_up(L, r->w, &r->wait);
  lua_pushboolean(L, r->ready);
  return 1;
}

/* Whichever comes first: the seconds at 2, if there are any, or the deadline of the caller. */
static void start_timer(lua_State *L, struct reading *r) {
  struct weft_loop *loop = r->w->loop;
  int64_t at = 0, limit = weft_lua_deadline(r->w);
  weft_loop_update_now(loop);
  if (!lua_isnil(L, 2)) at = weft_loop_now(loop) + (int64_t)(lua_tonumber(L, 2) * 1e9);
  r->deadline = limit && (!at || limit < at);
  if (r->deadline) at = limit;
  if (!at) return;
  r->wait.timer = weft_timer_new(loop, on_time, r);
  weft_timer_start(r->wait.timer, at);
}

/* core.readable(fd, seconds or nil): true when there is something to read, false when the time is over. */
static int l_readable(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  lua_Integer fd = luaL_checkinteger(L, 1);
  lua_Number s = luaL_optnumber(L, 2, 0);
  if (!(s >= 0 && s < 1e9)) return weft_lua_usage(L, w, "readable takes seconds, 0 or more");
  lua_settop(L, 2);
  weft_lua_may_wait(L, w, false);
  struct reading *r = lua_newuserdatauv(L, sizeof *r, 0);
  memset(r, 0, sizeof *r);
  weft_lua_wait_init(&r->wait, give_up);
  r->w = w;
  r->watch = weft_watch_new(w->loop, (int)fd, on_ready, r);
  if (!r->watch) return weft_lua_usage(L, w, "readable takes an open descriptor that can be waited for");
  weft_watch_events(r->watch, WEFT_READABLE);
  start_timer(L, r);
  return weft_lua_wait(L, w, &r->wait, (lua_KContext)r, reading_k);
}

/* core.setenv(name, value or nil): for a program with one Lua state, while nothing else runs in it. */
static int l_setenv(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
  if (value) setenv(name, value, 1);
  else unsetenv(name);
  return 0;
}

static int l_wall_us(lua_State *L) { /* microseconds since 1970 */
  lua_pushinteger(L, weft_clock_wall_us());
  return 1;
}

/* core.random_hex(n): n bytes by chance as hexadecimal digits, not all of them 0: ids, no secrets. */
static int l_random_hex(lua_State *L) {
  char text[2 * 64 + 1];
  struct weft_lua *w = weft_lua_self(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n > 0 && n <= 64 && n % 8 == 0, 1, "8, 16 ... 64");
  if (!w->chance) w->chance = weft_clock_random() | 1;
  for (lua_Integer i = 0; i < 2 * n; i += 16) {
    uint64_t r = weft_hash_mix(w->chance, weft_hash_mix(w->chance, ++w->drawn)) | 1;
    for (int k = 0; k < 16; k++) text[i + k] = "0123456789abcdef"[r >> 4 * k & 15];
  }
  lua_pushlstring(L, text, (size_t)(2 * n));
  return 1;
}

void weft_lua_open_system(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"readable", l_readable}, {"setenv", l_setenv}, {"wall_us", l_wall_us},
                                       {"random_hex", l_random_hex}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
