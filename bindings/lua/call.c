/* SPDX-License-Identifier: MIT */
/* Calls of the core as Lua functions see them: taken from a list of spare ones, started, awaited, given
   back. */
#include "weft_lua.h"

#include <stdlib.h>

enum { SPARE_CALLS = 256 };

static void finished(struct weft_call *call) {
  struct lua_call *c = call->ud;
  weft_lua_wake(c->w, &c->wait);
}

static void cancel(struct wait *wait, enum weft_kind why) {
  weft_call_abort(wait->call, why);
}

struct lua_call *weft_lua_call(struct weft_lua *w, const char *op) {
  struct weft_list *l = weft_list_take(&w->spare);
  struct lua_call *c;
  if (l) {
    c = WEFT_CONTAINER(l, struct lua_call, link);
    w->nspare--;
  } else {
    c = weft_alloc(sizeof *c);
    c->w = w;
    weft_list_init(&c->link);
    weft_call_init(&c->call, finished, c);
  }
  weft_list_push_front(&w->calls, &c->link);
  weft_lua_wait_init(&c->wait, cancel);
  c->wait.call = &c->call;
  c->context = (struct weft_lua_context){.op = op};
  c->model = NULL;
  c->mode = 0;
  c->call.deadline = weft_lua_deadline(w);
  c->call.origin = *weft_lua_origin(w);
  return c;
}

void weft_lua_call_done(struct lua_call *c) {
  struct weft_lua *w = c->w;
  weft_list_remove(&c->link);
  weft_call_reset(&c->call);
  if (w->nspare < SPARE_CALLS) {
    weft_list_push_front(&w->spare, &c->link);
    w->nspare++;
  } else {
    free(c);
  }
}

static int failed(lua_State *L, struct lua_call *c) {
  struct weft_error err = c->call.error;
  struct weft_lua_context context = c->context;
  struct weft_lua *w = c->w;
  if (c->wait.why == WEFT_DEADLOCK)
    weft_fail(&err, WEFT_DEADLOCK, "this waits for a transaction whose task waits for this one");
  if (!context.database.n && c->call.db) context.database = weft_db_name(c->call.db);
  weft_lua_push_error(L, w, &err, &context);
  weft_lua_call_done(c);
  return lua_error(L);
}

/* The continuation of every wait for a call: c->wait.k is the real one. */
static int await_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_call *c = (struct lua_call *)ctx;
  if (c->call.error.kind != WEFT_OK) return failed(L, c);
  return c->k(L, status, ctx);
}

int weft_lua_await(lua_State *L, struct lua_call *c, lua_KFunction k) {
  c->k = k;
  return weft_lua_wait(L, c->w, &c->wait, (lua_KContext)c, await_k);
}
