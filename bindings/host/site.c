/* SPDX-License-Identifier: MIT */
/* Invariant: in_flight is the number of requests whose task has not ended. */
#include "host.h"

enum { LIMIT_NS = 1000 * 1000 * 1000 };

static void change(struct site *s, enum site_phase phase, const char *why) {
  s->phase = phase;
  if (s->changed) s->changed(s, why);
}

/* ---- requests ---- */

/* failed(exchange, error, rolled back, scope): logs it and answers when that is still possible. */
static int tell_failed(lua_State *L) { /* 1 site, 2 exchange, 3 error, 4 number, 5 scope */
  struct site *s = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->failed);
  lua_replace(L, 1);
  lua_call(L, 4, 0);
  return 0;
}

static void push_exchange(lua_State *L, struct task *t) {
  weft_lua_push_task(L, t->w, t);
  lua_getiuservalue(L, -1, 2);
  lua_remove(L, -2);
}

static void push_last(lua_State *L, struct task *t) { /* its last result, or its error */
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
}

static void report(struct site *s, struct task *t, uint32_t left_open) {
  lua_State *L = s->w->handlers;
  int top = lua_gettop(L);
  lua_pushcfunction(L, tell_failed);
  lua_pushlightuserdata(L, s);
  push_exchange(L, t);
  if (t->failure) push_last(L, t);
  else lua_pushnil(L);
  lua_pushinteger(L, left_open);
  lua_pushinteger(L, (lua_Integer)t->origin.scope);
  weft_lua_call_back(s->w, 5, 0); /* out of memory: the answer of its caller is all that can be done */
  lua_settop(L, top);
}

static void request_ended(struct task *t) {
  struct exchange *e = t->ud;
  struct site *s = e->site;
  uint32_t left_open = weft_lua_abandon(s->w, t);
  if (t->failure || left_open) report(s, t, left_open);
  exchange_abandon(e, 500);
  weft_lua_recycle(s->w->handlers, s->w, t);
  weft_lua_relieve(s->w->handlers, &s->memory.used, s->memory.most, &s->memory.kept);
  if (--s->in_flight == 0 && s->changed) s->changed(s, NULL);
}

/* The task's handle holds the exchange, and the core the handle while the task lives. */
static int begin_request(lua_State *L) { /* 1 site, 2 exchange of the server */
  struct site *s = lua_touserdata(L, 1);
  struct exchange *e = exchange_push(L, s, lua_touserdata(L, 2)); /* 3 */
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->dispatch);
  lua_pushvalue(L, 3);
  struct task *t = weft_lua_spawn(L, s->w, 1, false);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 2);
  t->origin.scope = ++*s->numbers;
  t->ud = e;
  t->on_end = request_ended;
  if (s->deadline_ns) {
    t->deadline = e->deadline = weft_loop_now(s->w->loop) + s->deadline_ns;
    t->limit = t->deadline + LIMIT_NS; /* who is told of a deadline may tidy up */
  }
  return 0;
}

void site_request(struct site *s, struct weft_exchange *x) {
  lua_State *L = s->w->handlers;
  lua_pushcfunction(L, begin_request);
  lua_pushlightuserdata(L, s);
  lua_pushlightuserdata(L, x);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) {
    s->in_flight++;
    return;
  }
  lua_pop(L, 1); /* no memory for a task */
  exchange_forget(x);
  weft_exchange_status(x, 503);
  weft_exchange_body_of(x, weft_slice(NULL, 0));
}

/* ---- life ---- */

static int field(lua_State *L, const char *name) {
  if (lua_getfield(L, -1, name) != LUA_TFUNCTION) luaL_error(L, "%s is no function", name);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int keep_functions(lua_State *L) { /* 1 site, 2 what the script's task returned */
  struct site *s = lua_touserdata(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  s->dispatch = field(L, "dispatch");
  s->failed = field(L, "failed");
  s->stop = field(L, "stop");
  s->measure = field(L, "measure");
  return 0;
}

static int show(lua_State *L) { /* an error as text; its __tostring is the app's */
  luaL_tolstring(L, 1, NULL);
  return 1;
}

static void started(struct task *t) {
  struct site *s = t->ud;
  lua_State *L = s->w->handlers;
  int top = lua_gettop(L);
  bool failure = t->failure;
  if (!failure) {
    lua_pushcfunction(L, keep_functions);
    lua_pushlightuserdata(L, s);
    push_last(L, t);
    failure = lua_pcall(L, 2, 0, 0) != LUA_OK;
  } else {
    push_last(L, t);
  }
  if (failure) {
    lua_pushcfunction(L, show);
    lua_insert(L, -2);
    bool shown = lua_pcall(L, 1, 1, 0) == LUA_OK;
    change(s, SITE_FAILED, shown ? lua_tostring(L, -1) : "an error that cannot be shown");
  } else {
    change(s, SITE_READY, NULL);
  }
  lua_settop(L, top);
}

static int begin(lua_State *L) { /* 1 site, 2 script, 3 options */
  struct site *s = lua_touserdata(L, 1);
  char home[PATH_MAX];
  weft_home(home);
  weft_state_open(L, home);
  luaL_requiref(L, "weft.core", luaopen_weft_core, 0);
  lua_pop(L, 1);
  s->w = weft_lua_of(L);
  s->w->slices = s->slices;
  weft_context_share(s->w->context, s->budgets);
  exchange_open(L, s->w);
  server_set(L, s->server, s->number);
  if (luaL_loadfile(L, lua_tostring(L, 2))) return lua_error(L);
  lua_call(L, 0, 1);
  lua_pushvalue(L, 3);
  struct task *t = weft_lua_spawn(L, s->w, 1, false);
  t->ud = s;
  t->on_end = started;
  return 0;
}

int site_start(struct site *s, const char *script, const char *options, struct weft_error *err) {
  s->L = weft_state_new(&s->memory, s->uv);
  if (!s->L) return weft_fail(err, WEFT_INTERNAL, "not enough memory for a Lua state");
  s->phase = SITE_STARTING;
  lua_pushcfunction(s->L, begin);
  lua_pushlightuserdata(s->L, s);
  lua_pushstring(s->L, script);
  lua_pushstring(s->L, options);
  if (lua_pcall(s->L, 3, 0, 0) == LUA_OK) return 0;
  weft_fail(err, WEFT_INTERNAL, "%s", lua_tostring(s->L, -1));
  site_close(s);
  return -1;
}

static void stopped(struct task *t) {
  struct site *s = t->ud;
  change(s, SITE_STOPPED, NULL);
}

static int begin_stop(lua_State *L) {
  struct site *s = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->stop);
  struct task *t = weft_lua_spawn(L, s->w, 0, false);
  t->ud = s;
  t->on_end = stopped;
  return 0;
}

void site_stop(struct site *s) {
  lua_State *L = s->w->handlers;
  s->phase = SITE_STOPPING;
  lua_pushcfunction(L, begin_stop);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return;
  lua_pop(L, 1);
  change(s, SITE_STOPPED, NULL);
}

void site_measure(struct site *s, void (*tell)(void *ud, const char *text), void *ud) {
  lua_State *L = s->w->handlers;
  int top = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->measure);
  bool ok = weft_lua_call_back(s->w, 0, 1) == LUA_OK && lua_type(L, -1) == LUA_TSTRING;
  tell(ud, ok ? lua_tostring(L, -1) : "{}");
  lua_settop(L, top);
}

void site_close(struct site *s) {
  if (s->L) lua_close(s->L);
  weft_memory_release(&s->memory);
  s->L = NULL;
  s->w = NULL;
}
