/* SPDX-License-Identifier: MIT */
/* Stopping code that runs too long. Nothing is paid while all is well: a hook is armed only on what is overdue,
   from a signal handler on the state's thread, on each coroutine of the chain that runs; coroutines made from
   then on inherit it. From the next instruction on,
   - where Lua can yield, the chain is left by a yield that nobody resumes: no pcall and no message handler sees it;
   - elsewhere (inside a sort comparator, a gsub call back, a handler of events) an error is raised, at each
     instruction anew, until the code is out of there.
   A task that goes on waiting in spite of its deadline is not resumed any more.
   The task's variables are closed (in a slice of their own, which may be overdue, too) and it ends with kind
   timeout. */
#include "weft_lua.h"

#include <signal.h>

void weft_lua_slice(struct weft_lua *w) { __atomic_add_fetch(w->slices, 1, __ATOMIC_RELEASE); }

static void remember_where(lua_State *L, struct weft_lua *w, struct task *t) {
  t->overdue = true;
  weft_lua_traceback(L, w->frame ? w->frame->co : t->co, 0);
  weft_lua_set_slot(L, w, SLOT_STOPPED);
}

static int remember(lua_State *L) {
  struct task *t = lua_touserdata(L, 1);
  remember_where(L, t->w, t);
  return 0;
}

void weft_lua_end_slice(struct task *t) {
  lua_State *L = t->w->handlers;
  t->overdue = true;
  lua_pushcfunction(L, remember);
  lua_pushlightuserdata(L, t);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

static void stop(lua_State *L, lua_Debug *ar) {
  struct weft_lua *w = weft_lua_of(L);
  struct task *t = w->task;
  (void)ar;
  if (w->callbacks > 0) luaL_error(L, "it ran too long and was stopped");
  if (!t) { /* the slice ended in the moment in which it was overdue */
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (!t->overdue) remember_where(L, w, t);
  if (!t->closing && w->frame->co == L && w->frame->yieldable && lua_isyieldable(L)) {
    w->suspending = true;
    lua_yield(L, 0);
    return;
  }
  luaL_error(L, "it ran too long without waiting and was stopped");
}

void weft_lua_stop_slice(struct weft_lua *w, uint64_t slice) {
  if ((!w->task && w->callbacks == 0) || __atomic_load_n(w->slices, __ATOMIC_ACQUIRE) != slice) return;
  if (w->callbacks > 0) lua_sethook(w->handlers, stop, LUA_MASKCOUNT, 1);
  for (const struct frame *f = w->frame; f; f = f->prev) lua_sethook(f->co, stop, LUA_MASKCOUNT, 1);
}

int weft_lua_call_back(struct weft_lua *w, int nargs, int nresults) {
  bool own = (*w->slices & 1) == 0; /* else the slice of a task in which something ended at once */
  if (own) weft_lua_slice(w);
  w->callbacks++;
  int status = lua_pcall(w->handlers, nargs, nresults, 0);
  w->callbacks--;
  if (own) weft_lua_slice(w);
  lua_sethook(w->handlers, NULL, 0, 0);
  return status;
}

static void close_variables(struct task *t) {
  lua_sethook(t->co, NULL, 0, 0);
  t->closing = true;
  weft_lua_slice(t->w);
  weft_lua_slice(t->w); /* a new one, still odd */
  lua_resetthread(t->co);
  lua_sethook(t->co, NULL, 0, 0);
  t->closing = false;
}

/* The answers that it was to go on with. */
static void drop_answers(struct task *t) {
  struct weft_lua *w = t->w;
  for (struct weft_list *l = w->calls.next, *next; l != &w->calls; l = next) {
    struct lua_call *c = WEFT_CONTAINER(l, struct lua_call, link);
    next = l->next;
    if (c->wait.task == t && c->wait.done) weft_lua_call_done(c);
  }
  weft_lua_drop_fetches(t);
}

static int push_stopped(lua_State *L) {
  struct weft_lua *w = lua_touserdata(L, 1);
  struct weft_error err;
  weft_fail(&err, WEFT_TIMEOUT, "it ran too long without waiting and was stopped");
  weft_lua_push_error(L, w, &err, NULL);
  weft_lua_slot(L, w, SLOT_STOPPED);
  lua_setfield(L, -2, "traceback");
  return 1;
}

void weft_lua_stopped(struct task *t) {
  close_variables(t);
  drop_answers(t);
  lua_settop(t->co, 0);
  lua_pushcfunction(t->co, push_stopped);
  lua_pushlightuserdata(t->co, t->w);
  lua_pcall(t->co, 1, 1, 0); /* its own error will do as well */
}
