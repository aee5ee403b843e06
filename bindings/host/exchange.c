/* SPDX-License-Identifier: MIT */
/* A request and its response as a userdata: what lua/weft/app works on. Once the exchange has ended, what it was
   asked for is nil and what would be sent goes nowhere. */
#include "host.h"

static const char metatable_key = 0;

static struct exchange *check(lua_State *L) { /* upvalue 2 is the metatable */
  struct exchange *e = lua_touserdata(L, 1);
  bool is = lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1);
  if (is) {
    is = lua_rawequal(L, -1, lua_upvalueindex(2));
    lua_pop(L, 1);
  }
  if (!is) luaL_typeerror(L, 1, "exchange");
  return e;
}

static int push_slice(lua_State *L, struct weft_slice s) {
  if (s.p) lua_pushlstring(L, s.p, s.n);
  else lua_pushnil(L);
  return 1;
}

/* ---- the request ---- */

#define READER(name)                                                                                         \
  static int l_##name(lua_State *L) {                                                                        \
    struct exchange *e = check(L);                                                                           \
    return e->x ? push_slice(L, weft_exchange_##name(e->x)) : 0;                                             \
  }
READER(method)
READER(path)
READER(target)
READER(query)
READER(remote)
READER(scheme)
READER(host)
READER(id)

static int l_body(lua_State *L) {
  struct exchange *e = check(L);
  struct weft_slice body = e->x ? weft_exchange_body(e->x) : (struct weft_slice){0};
  lua_pushlstring(L, body.p ? body.p : "", body.n);
  return 1;
}

static int l_note(lua_State *L) { /* x:note(trace id): for the log */
  struct exchange *e = check(L);
  struct weft_slice note;
  note.p = luaL_checklstring(L, 2, &note.n);
  if (e->x) weft_exchange_note(e->x, note);
  return 0;
}

static int l_version(lua_State *L) {
  struct exchange *e = check(L);
  lua_pushstring(L, e->x && weft_exchange_version(e->x) == 10 ? "1.0" : "1.1");
  return 1;
}

static int l_header(lua_State *L) {
  struct exchange *e = check(L);
  struct weft_slice name;
  name.p = luaL_checklstring(L, 2, &name.n);
  return e->x ? push_slice(L, weft_exchange_header(e->x, name)) : 0;
}

static int l_headers(lua_State *L) {
  struct exchange *e = check(L);
  size_t n = e->x ? weft_exchange_nheaders(e->x) : 0;
  const struct weft_header *list = n ? weft_exchange_headers(e->x) : NULL;
  lua_createtable(L, 0, (int)n);
  for (size_t i = 0; i < n; i++) {
    lua_pushlstring(L, list[i].name.p, list[i].name.n);
    push_slice(L, weft_exchange_header(e->x, list[i].name)); /* joined: the same for each line of it */
    lua_rawset(L, -3);
  }
  return 1;
}

static int l_left(lua_State *L) { /* seconds until the deadline, or nil */
  struct exchange *e = check(L);
  if (!e->deadline) return 0;
  double left = (double)(e->deadline - weft_loop_clock(e->w->loop)) / 1e9;
  lua_pushnumber(L, left > 0 ? left : 0);
  return 1;
}

/* ---- the response ---- */

static int raise(lua_State *L, struct exchange *e, const struct weft_error *err) {
  return weft_lua_raise(L, e->w, err, NULL);
}

/* Status and headers from 2 and 3. */
static void head(lua_State *L, struct exchange *e) {
  struct weft_error err;
  lua_Integer status = luaL_checkinteger(L, 2);
  if (status < 100 || status > 599) weft_lua_usage(L, e->w, "a status is a number from 100 to 599");
  if (!e->x) return;
  if (weft_exchange_begun(e->x)) weft_lua_usage(L, e->w, "the response has begun already");
  weft_exchange_status(e->x, (int)status);
  if (lua_isnoneornil(L, 3)) return;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
  for (lua_Integer i = 1; i + 1 <= n; i += 2) {
    struct weft_slice name, value;
    lua_rawgeti(L, 3, i);
    lua_rawgeti(L, 3, i + 1);
    name.p = lua_tolstring(L, -2, &name.n);
    value.p = lua_tolstring(L, -1, &value.n);
    if (!name.p || !value.p) weft_lua_usage(L, e->w, "headers are a list of names and values");
    if (weft_exchange_add(e->x, name, value, &err)) raise(L, e, &err);
    lua_pop(L, 2);
  }
}

static int l_send(lua_State *L) { /* x:send(status, headers or nil, body or nil) */
  struct exchange *e = check(L);
  struct weft_slice body = {0};
  if (!lua_isnoneornil(L, 4)) body.p = luaL_checklstring(L, 4, &body.n);
  head(L, e);
  if (e->x) weft_exchange_body_of(e->x, body);
  return 0;
}

static int l_start(lua_State *L) { /* x:start(status, headers or nil) */
  struct exchange *e = check(L);
  head(L, e);
  if (e->x) weft_exchange_stream(e->x);
  return 0;
}

static int raise_gone(lua_State *L, struct exchange *e) {
  struct weft_error err;
  weft_fail(&err, WEFT_CLOSED, "the client is gone");
  return raise(L, e, &err);
}

static int write_k(lua_State *L, int status, lua_KContext ctx) {
  struct exchange *e = (struct exchange *)ctx;
  (void)status;
  e->held = false;
  if (e->wait.why != WEFT_OK) return weft_lua_given_up(L, e->w, &e->wait);
  return e->x && !weft_exchange_gone(e->x) ? 0 : raise_gone(L, e);
}

static void give_up(struct wait *wait, enum weft_kind why) {
  struct exchange *e = WEFT_CONTAINER(wait, struct exchange, wait);
  wait->why = why;
  weft_lua_wake(e->w, wait);
}

static void overdue(void *ud) { give_up(ud, WEFT_TIMEOUT); }

static int l_write(lua_State *L) { /* x:write(text): waits while too much waits for the client */
  struct exchange *e = check(L);
  struct weft_slice text;
  text.p = luaL_checklstring(L, 2, &text.n);
  weft_lua_may_wait(L, e->w, false);
  if (!e->x || weft_exchange_gone(e->x)) return raise_gone(L, e);
  if (e->held) return weft_lua_usage(L, e->w, "another task is writing this response");
  bool room = weft_exchange_write(e->x, text);
  weft_lua_wait_init(&e->wait, give_up);
  e->held = true;
  e->wait.done = room; /* others have their turn now and then all the same */
  int64_t deadline = weft_lua_deadline(e->w);
  if (deadline && !room) {
    e->wait.timer = weft_timer_new(e->w->loop, overdue, &e->wait);
    weft_timer_start(e->wait.timer, deadline);
  }
  return weft_lua_wait(L, e->w, &e->wait, (lua_KContext)e, write_k);
}

static int l_finish(lua_State *L) {
  struct exchange *e = check(L);
  if (e->x) weft_exchange_end(e->x);
  return 0;
}

static int l_file(lua_State *L) { /* x:file(path, headers or nil): false when there is no such plain file */
  struct exchange *e = check(L);
  struct weft_error err;
  const char *path = luaL_checkstring(L, 2);
  lua_pushinteger(L, 200);
  lua_insert(L, 2); /* 1 x, 2 status, 3 path, 4 headers */
  lua_settop(L, 4);
  lua_remove(L, 3);
  head(L, e);
  int rc = e->x ? weft_exchange_file(e->x, path, &err) : 0;
  if (rc && err.kind != WEFT_NOT_FOUND) return raise(L, e, &err);
  lua_pushboolean(L, rc == 0);
  return 1;
}

static int l_begun(lua_State *L) {
  struct exchange *e = check(L);
  lua_pushboolean(L, !e->x || weft_exchange_begun(e->x));
  return 1;
}

static int l_gone(lua_State *L) {
  struct exchange *e = check(L);
  lua_pushboolean(L, !e->x || weft_exchange_gone(e->x));
  return 1;
}

/* ---- life ----
   No finalizer: its task holds the userdata and lets go of the exchange when it ends (request_ended), and a state is
   closed when it has no request or after its server, which has told of the end of each. */

static void let_go(struct exchange *e) {
  if (e->x) weft_exchange_set(e->x, NULL);
  e->x = NULL;
}

void exchange_ended(const struct weft_exchange *x) {
  struct exchange *e = weft_exchange_get(x);
  if (!e) return;
  e->x = NULL;
  if (e->held) weft_lua_wake(e->w, &e->wait);
}

void exchange_drained(struct weft_exchange *x) {
  struct exchange *e = weft_exchange_get(x);
  if (e && e->held) weft_lua_wake(e->w, &e->wait);
}

void exchange_abandon(struct exchange *e, int status) {
  struct weft_exchange *x = e->x;
  if (!x) return;
  let_go(e);
  if (e->held) weft_lua_wake(e->w, &e->wait);
  if (weft_exchange_streaming(x)) {
    weft_exchange_drop(x);
  } else if (!weft_exchange_begun(x)) { /* else a file is still on its way */
    weft_exchange_status(x, status);
    weft_exchange_body_of(x, weft_slice(NULL, 0));
  }
}

void exchange_forget(struct weft_exchange *x) {
  struct exchange *e = weft_exchange_get(x);
  if (e) let_go(e);
}

struct exchange *exchange_push(lua_State *L, struct site *s, struct weft_exchange *x) {
  struct exchange *e = lua_newuserdatauv(L, sizeof *e, 0);
  memset(e, 0, sizeof *e);
  e->w = s->w;
  e->site = s;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setmetatable(L, -2);
  e->x = x;
  weft_exchange_set(x, e);
  return e;
}

void exchange_open(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg methods[] = {
      {"method", l_method}, {"path", l_path},     {"target", l_target},   {"query", l_query}, {"header", l_header},
      {"headers", l_headers}, {"body", l_body},   {"version", l_version}, {"remote", l_remote}, {"scheme", l_scheme},
      {"host", l_host},     {"id", l_id}, {"note", l_note},         {"left", l_left},       {"send", l_send},   {"start", l_start},
      {"write", l_write},   {"finish", l_finish}, {"file", l_file},       {"begun", l_begun}, {"gone", l_gone},
      {NULL, NULL}};
  lua_newtable(L);
  lua_pushlightuserdata(L, w);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 2);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pushliteral(L, "weft.exchange");
  lua_setfield(L, -2, "__name");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}
