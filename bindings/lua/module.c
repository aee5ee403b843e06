/* SPDX-License-Identifier: MIT */
/* require "weft.core": the module table and what belongs to a Lua state. Everything long-lived has a
   reference in the registry (enum weft_lua_slot). The state's userdata was given its metatable first, so
   it is finalized last: every handle may still use it in its own __gc. */
#include "weft_lua.h"

#include <stdlib.h>

#include "clock.h"

static const char state_key = 0;

struct weft_lua *weft_lua_of(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  struct weft_lua *w = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return w;
}

void weft_lua_alive(lua_State *L, struct weft_lua *w) {
  struct weft_error err;
  if (w->context) return;
  weft_fail(&err, WEFT_CLOSED, "Weft is closed: the program ends");
  weft_lua_raise(L, w, &err, NULL);
}

bool weft_lua_is(lua_State *L, struct weft_lua *w, int idx, int slot) {
  if (!lua_getmetatable(L, idx)) return false;
  weft_lua_slot(L, w, slot);
  bool is = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is;
}

void weft_lua_functions(lua_State *L, struct weft_lua *w, const luaL_Reg *functions) {
  lua_pushlightuserdata(L, w);
  luaL_setfuncs(L, functions, 1);
}

void weft_lua_relieve(lua_State *L, const size_t *used, size_t most, size_t *kept) {
  if (!most || *used <= *kept + (most - *kept) / 2) return;
  lua_gc(L, LUA_GCCOLLECT, 0);
  *kept = *used;
}

void weft_lua_metatable(lua_State *L, struct weft_lua *w, int slot, const char *name,
                        const luaL_Reg *functions) {
  lua_newtable(L);
  if (functions) weft_lua_functions(L, w, functions);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, -1);
  weft_lua_set_slot(L, w, slot);
}

/* ---- functions of the module itself ---- */

static int l_live(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_live live;
  weft_live(&live);
  lua_newtable(L);
  const struct { const char *name; long n; } counts[] = {
      {"contexts", live.contexts - 1 /* this state's own */}, {"databases", live.databases},
      {"connections", live.connections}, {"leases", live.leases}, {"calls", live.calls},
      {"rows", live.rows}, {"tasks", w->ntasks}};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    lua_pushinteger(L, counts[i].n);
    lua_setfield(L, -2, counts[i].name);
  }
  return 1;
}

static int l_set_slot(lua_State *L) { /* core.hook(name, function or nil): what lua/weft lends to C */
  struct weft_lua *w = weft_lua_self(L);
  static const char *const names[] = {"event", "association", "row_methods", "wired", "unknown",
                                      "prepare", NULL};
  static const int slots[] = {SLOT_EVENTS, SLOT_ASSOCIATION, SLOT_ROW_METHODS, SLOT_WIRED,
                              SLOT_UNKNOWN, SLOT_PREPARE};
  int which = luaL_checkoption(L, 1, NULL, names);
  lua_settop(L, 2);
  weft_lua_set_slot(L, w, slots[which]);
  return 0;
}

static int l_prefix(lua_State *L) { /* core.prefix(path, of): source prefix of Weft's own Lua files */
  static const char *const parts[] = {"library", "program", NULL};
  struct weft_lua *w = weft_lua_self(L);
  size_t n;
  const char *p = luaL_checklstring(L, 1, &n);
  char *prefix = w->prefix[luaL_checkoption(L, 2, "library", parts)];
  if (n >= sizeof w->prefix[0]) n = sizeof w->prefix[0] - 1;
  memcpy(prefix, p, n);
  prefix[n] = 0;
  return 0;
}

static int l_clock(lua_State *L) { /* monotonic seconds */
  lua_pushnumber(L, (double)weft_clock_ns() / 1e9);
  return 1;
}

static const char *name_at(const void *ud, size_t i, size_t *len) {
  lua_State *L = (lua_State *)(uintptr_t)ud;
  lua_rawgeti(L, 2, (lua_Integer)i + 1);
  const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
  lua_pop(L, 1); /* the table anchors it */
  return s ? s : (*len = 0, "");
}

static int l_nearest(lua_State *L) { /* core.nearest(word, names): the nearest name or nil */
  size_t len, found;
  const char *word = luaL_checklstring(L, 1, &len);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const char *near = weft_nearest(word, len, lua_rawlen(L, 2), name_at, L, &found);
  if (near) lua_pushlstring(L, near, found);
  else lua_pushnil(L);
  return 1;
}

static int state_gc(lua_State *L) {
  struct weft_lua *w = lua_touserdata(L, 1);
  if (!w->context) return 0;
  weft_context_on_event(w->context, NULL, NULL);
  if (w->callbacks == 0) { /* else os.exit was called by a handler: the core is in the middle of something */
    weft_lua_close_tasks(w);
    weft_context_free(w->context);
  }
  weft_buf_release(&w->text);
  w->context = NULL;
  w->loop = NULL;
  weft_lua_close_fetches(w);
  for (struct weft_list *l = w->calls.next, *next; l != &w->calls; l = next) {
    struct lua_call *c = WEFT_CONTAINER(l, struct lua_call, link);
    next = l->next;
    if (!c->call.running) weft_lua_call_done(c); /* of a task that did not end */
  }
  for (struct weft_list *l; (l = weft_list_take(&w->spare));)
    free(WEFT_CONTAINER(l, struct lua_call, link));
  return 0;
}

static const luaL_Reg functions[] = {{"live", l_live},       {"hook", l_set_slot},
                                     {"prefix", l_prefix},   {"clock", l_clock},
                                     {"nearest", l_nearest}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_weft_core(lua_State *L);

int luaopen_weft_core(lua_State *L) {
  struct weft_error err;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key) == LUA_TUSERDATA &&
      lua_getiuservalue(L, -1, 1) == LUA_TTABLE)
    return 1; /* the state has one: its functions would outlive their struct weft_lua */
  struct weft_lua *w = lua_newuserdatauv(L, sizeof *w, 1); /* holds the module table */
  memset(w, 0, sizeof *w);
  weft_list_init(&w->txs);
  weft_list_init(&w->tasks);
  weft_list_init(&w->spare);
  weft_list_init(&w->calls);
  weft_list_init(&w->fetches);
  weft_buf_init(&w->text);
  w->slices = &w->own_slices;
  lua_newtable(L);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_getfield(L, LUA_REGISTRYINDEX, WEFT_LUA_UV_LOOP);
  int rc = weft_context_new(lua_touserdata(L, -1), &w->context, &err);
  lua_pop(L, 1);
  if (rc) return luaL_error(L, "%s", err.message);
  w->loop = weft_context_loop(w->context);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  w->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);

  for (int i = 1; i < SLOT_COUNT; i++) {
    lua_pushboolean(L, 0);
    w->slot[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  w->handlers = lua_newthread(L);
  weft_lua_set_slot(L, w, SLOT_EVENT_THREAD);

  lua_newtable(L);
  weft_lua_functions(L, w, functions);
  weft_lua_open_error(L, w); /* each adds its names to the module table on top */
  weft_lua_open_value(L, w);
  weft_lua_open_decimal(L, w);
  weft_lua_open_base64(L, w);
  weft_lua_open_html(L, w);
  weft_lua_open_json(L, w);
  weft_lua_open_task(L, w);
  weft_lua_open_system(L, w);
  weft_lua_open_event(L, w);
  weft_lua_open_rows(L, w);
  weft_lua_open_database(L, w);
  weft_lua_open_catalog(L, w);
  weft_lua_open_transaction(L, w);
  weft_lua_open_query(L, w);
  weft_lua_open_model(L, w);
  weft_lua_open_mark(L, w);
  weft_lua_open_terminal(L, w);
  weft_lua_open_level(L, w);
  weft_lua_open_fetch(L, w);
  weft_lua_open_hop(L, w);
  weft_lua_open_bind(L, w);
  weft_lua_open_scripts(L, w);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  return 1;
}
