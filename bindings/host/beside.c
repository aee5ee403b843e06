/* SPDX-License-Identifier: MIT */
/* HTTP in the state that asks for it, on its own loop: what the main thread answers beside the workers. */
#include "host.h"

#include <stdlib.h>

struct beside {
  struct site site;
  struct weft_http *http; /* NULL: closed, or about to be */
  bool closed;
  uint64_t numbers;
};

static void on_request(void *ud, struct weft_exchange *x) { site_request(&((struct beside *)ud)->site, x); }

static void on_ended(void *ud, const struct weft_exchange *x) {
  (void)ud;
  exchange_ended(x);
}

static void on_drained(void *ud, struct weft_exchange *x) {
  (void)ud;
  exchange_drained(x);
}

/* Inside of the loop it may take longer: what is left is for the finalizer, which comes before that of the loop, since
   the handle was made after weft.core. */
static int l_close(lua_State *L) {
  struct beside **box = luaL_checkudata(L, 1, "weft.beside"), *b = *box;
  if (!b) return 0;
  if (b->http) weft_http_free(b->http, &b->closed);
  b->http = NULL;
  if (!b->closed && !weft_loop_running(b->site.w->loop)) weft_loop_pump(b->site.w->loop, &b->closed, NULL);
  if (!b->closed) return 0;
  free(b);
  *box = NULL;
  return 0;
}

/* host.answer(fd, dispatch, failed): answers requests to a listening socket with dispatch(exchange), each in a task;
   failed(exchange, error) is told of those that were stopped. A handle with close(); nobody needs to hold it. */
int host_answer(lua_State *L) {
  struct weft_error err;
  int fd = (int)luaL_checkinteger(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  struct beside **box = lua_newuserdatauv(L, sizeof *box, 0), *b;
  *box = NULL;
  if (luaL_newmetatable(L, "weft.beside")) {
    static const luaL_Reg methods[] = {{"close", l_close}, {"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX);
  b = weft_zalloc(sizeof *b);
  b->site = (struct site){.L = L, .w = weft_lua_of(L), .phase = SITE_READY, .numbers = &b->numbers};
  exchange_open(L, b->site.w);
  lua_pushvalue(L, 2);
  b->site.dispatch = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, 3);
  b->site.failed = luaL_ref(L, LUA_REGISTRYINDEX);
  const struct weft_http_handler handler = {b, on_request, on_ended, on_drained};
  if (weft_http_new(b->site.w->loop, &(struct weft_http_options){.server = "weft"}, &handler, &b->http, &err)) {
    free(b);
    return weft_lua_raise(L, weft_lua_of(L), &err, NULL);
  }
  *box = b;
  if (weft_http_listen(b->http, fd, &err)) return weft_lua_raise(L, b->site.w, &err, NULL);
  return 1;
}
