/* SPDX-License-Identifier: MIT */
/* coroutine.resume, wrap, close and status as Weft needs them: a yield of Weft's own inside a user's
   coroutine goes on up to the scheduler instead of ending that user's resume, and comes back the same
   way. Everything else is as in lcorolib. Wrapped once per state. */
#include "weft_lua.h"

/* Without a new key when co was parked before, if only with false: then it cannot fail. */
static void park(lua_State *L, struct weft_lua *w, lua_State *co, bool on) {
  weft_lua_slot(L, w, SLOT_PARKED);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lua_pushboolean(L, on);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* 1: parked, 0: was before, -1: never. */
static int parked(lua_State *L, struct weft_lua *w, int idx) {
  weft_lua_slot(L, w, SLOT_PARKED);
  lua_pushvalue(L, idx);
  int is = lua_rawget(L, -2) == LUA_TNIL ? -1 : lua_toboolean(L, -1);
  lua_pop(L, 2);
  return is;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx);

/* Resumes co with narg values that are on its stack. 1 with nres results on L's stack, 0 with an error
   there; or it yields L because Weft waits. */
static int go(lua_State *L, struct weft_lua *w, lua_State *co, int narg, bool wrap, int *nres) {
  struct frame f = {co, w->frame, lua_isyieldable(L) && (!w->frame || w->frame->yieldable)};
  w->frame = &f;
  int status = lua_resume(co, L, narg, nres);
  w->frame = f.prev;
  if (status == LUA_YIELD && w->suspending) {
    park(L, w, co, true);
    lua_yieldk(L, 0, wrap, resume_k); /* the longjmp leaves f behind, which is unlinked */
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    if (!lua_checkstack(L, *nres + 1)) {
      lua_pop(co, *nres);
      lua_pushliteral(L, "too many results to resume");
      return 0;
    }
    lua_xmove(co, L, *nres);
    return 1;
  }
  lua_xmove(co, L, 1);
  return 0;
}

static int finish(lua_State *L, lua_State *co, bool wrap, int ok, int nres) {
  if (!wrap) {
    lua_pushboolean(L, ok);
    lua_insert(L, ok ? -(nres + 1) : -2);
    return ok ? nres + 1 : 2;
  }
  if (ok) return nres;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_resetthread(co); /* closes its variables; the error may be replaced */
    if (lua_gettop(co) > 0) lua_pop(L, 1), lua_xmove(co, L, 1);
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static lua_State *target(lua_State *L, bool wrap) {
  return lua_tothread(L, wrap ? lua_upvalueindex(2) : 1);
}

static int resume_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  lua_State *co = target(L, ctx);
  int nres = 0;
  (void)status;
  park(L, w, co, false);
  int ok = go(L, w, co, 0, ctx, &nres);
  return finish(L, co, ctx, ok, nres);
}

static int start(lua_State *L, bool wrap) {
  struct weft_lua *w = weft_lua_self(L);
  lua_State *co = target(L, wrap);
  int narg = lua_gettop(L) - !wrap, nres = 0, ok;
  if (!co) return luaL_typeerror(L, 1, "coroutine");
  int known = parked(L, w, wrap ? lua_upvalueindex(2) : 1);
  if (known > 0) {
    lua_pushliteral(L, "cannot resume a coroutine that waits inside a call of Weft or is a task");
    return finish(L, co, wrap, 0, 1);
  }
  if (w->task && known < 0) park(L, w, co, false);
  if (!lua_checkstack(co, narg)) {
    lua_pushliteral(L, "too many arguments to resume");
    return finish(L, co, wrap, 0, 1);
  }
  lua_xmove(L, co, narg);
  ok = go(L, w, co, narg, wrap, &nres);
  return finish(L, co, wrap, ok, nres);
}

static int l_resume(lua_State *L) { return start(L, false); }
static int l_wrapped(lua_State *L) { return start(L, true); }

static int l_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushlightuserdata(L, weft_lua_self(L));
  lua_insert(L, -2);
  lua_pushcclosure(L, l_wrapped, 2);
  return 1;
}

static int l_status(lua_State *L) { /* upvalue 2: Lua's own */
  struct weft_lua *w = weft_lua_self(L);
  if (lua_isthread(L, 1) && lua_status(lua_tothread(L, 1)) == LUA_YIELD && parked(L, w, 1) > 0) {
    lua_pushliteral(L, "normal"); /* it runs something: a call of Weft */
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return 1;
}

static int l_close(lua_State *L) { /* upvalue 2: Lua's own */
  struct weft_lua *w = weft_lua_self(L);
  if (lua_isthread(L, 1) && parked(L, w, 1) > 0)
    return luaL_error(L, "cannot close a coroutine that waits inside a call of Weft or is a task");
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static void over(lua_State *L, struct weft_lua *w, const char *name, lua_CFunction f) {
  lua_pushlightuserdata(L, w);
  lua_getfield(L, -2, name);
  lua_pushcclosure(L, f, 2);
  lua_setfield(L, -2, name);
}

void weft_lua_open_coroutine(lua_State *L, struct weft_lua *w) {
  lua_newtable(L); /* weak: a parked coroutine that nobody holds may go */
  lua_newtable(L);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  weft_lua_set_slot(L, w, SLOT_PARKED);
  if (lua_getglobal(L, "coroutine") == LUA_TTABLE) {
    over(L, w, "resume", l_resume);
    over(L, w, "wrap", l_wrap);
    over(L, w, "status", l_status);
    over(L, w, "close", l_close);
  }
  lua_pop(L, 1);
}
