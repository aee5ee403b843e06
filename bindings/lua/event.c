/* SPDX-License-Identifier: MIT */
/* Events of the core, handed to lua/weft/events.lua, and what its handlers may ask of the statement that they are
   told of. */
#include "weft_lua.h"

struct event {
  struct weft_lua *w;
  enum weft_event what;
  const struct weft_event_info *info;
};

static int dispatch(lua_State *L) {
  static const char *const names[] = {"query", "connect", "disconnect", "retry"};
  const struct event *e = lua_touserdata(L, 1);
  const struct weft_event_info *info = e->info;
  struct weft_lua *w = e->w;
  weft_lua_slot(L, w, SLOT_EVENTS);
  if (lua_isfunction(L, -1)) {
    struct weft_slice name = weft_db_name(info->db);
    lua_pushstring(L, names[e->what]);
    lua_createtable(L, 0, 12);
    lua_pushlstring(L, name.p, name.n), lua_setfield(L, -2, "database");
    if (info->sql.n) lua_pushlstring(L, info->sql.p, info->sql.n), lua_setfield(L, -2, "sql");
    lua_pushnumber(L, (double)info->ns / 1e9), lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, info->rows), lua_setfield(L, -2, "rows");
    lua_pushinteger(L, info->nparams), lua_setfield(L, -2, "parameters");
    if (info->zero_dates) lua_pushinteger(L, info->zero_dates), lua_setfield(L, -2, "zero_dates");
    if (info->op) lua_pushinteger(L, info->started_us), lua_setfield(L, -2, "started");
    if (info->origin.scope) lua_pushinteger(L, (lua_Integer)info->origin.scope), lua_setfield(L, -2, "scope");
    if (info->origin.span) lua_pushinteger(L, (lua_Integer)info->origin.span), lua_setfield(L, -2, "span");
    if (info->affected >= 0) lua_pushinteger(L, info->affected), lua_setfield(L, -2, "affected");
    if (info->error) {
      weft_lua_push_error(L, w, info->error, &(struct weft_lua_context){.database = name});
      lua_setfield(L, -2, "error");
    }
    lua_call(L, 2, 0);
  }
  return 0;
}

/* Events of the core become one call of lua/weft's dispatcher, which reports handlers that fail. It runs
   on a thread of its own: the core may be anywhere, and nothing there can yield, nor be jumped over. */
static void on_event(void *ud, enum weft_event what, const struct weft_event_info *info) {
  struct weft_lua *w = ud;
  lua_State *L = w->handlers;
  struct event e = {w, what, info};
  const struct weft_event_info *outer = w->told;
  int top = lua_gettop(L);
  if (!lua_checkstack(L, 4)) return;
  lua_pushcfunction(L, dispatch);
  lua_pushlightuserdata(L, &e);
  w->told = info;
  weft_lua_call_back(w, 1, 0);
  w->told = outer;
  lua_settop(L, top);
}

static int l_observe(lua_State *L) { /* core.observe(on): measure and report statements, or not */
  struct weft_lua *w = weft_lua_self(L);
  weft_lua_alive(L, w);
  weft_context_on_event(w->context, lua_toboolean(L, 1) ? on_event : NULL, w);
  return 0;
}

/* ---- who has asked ---- */

/* The call that runs op by itself; NULL: there is none, as of a statement that serves several. */
static const struct lua_call *call_of(const struct weft_lua *w, const struct weft_op *op) {
  for (const struct weft_list *l = w->calls.next; l != &w->calls; l = l->next) {
    const struct lua_call *c = WEFT_CONTAINER(l, struct lua_call, link);
    if (&c->call.op == op) return c;
  }
  return NULL;
}

/* The coroutine that waits for wait, or is in the middle of asking. */
static lua_State *asking(const struct weft_lua *w, const struct wait *wait) {
  if (wait->co) return wait->co;
  return w->frame ? w->frame->co : w->main;
}

/* Pushes "file:line" of the user's code, and the name by which it calls us; or two times nil. */
static void push_place(lua_State *L, struct weft_lua *w, lua_State *of) {
  lua_Debug ar;
  int level = weft_lua_user(of, w, &ar);
  if (level >= 0) lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  else lua_pushnil(L);
  if (level > 0 && lua_getstack(of, level - 1, &ar) && lua_getinfo(of, "n", &ar)) lua_pushstring(L, ar.name);
  else lua_pushnil(L);
}

static void push_context(lua_State *L, const struct weft_lua_context *c) {
  lua_pushstring(L, c->op);
  lua_pushstring(L, c->model);
}

/* core.caller(): of the look-up (a read with parameters) that the running event handler is told of: when it began (on
   the scale of core.clock), the place in the user's code, the name that is called there, what that came to ("find",
   "load" when an association was touched), the model, the association. Nothing for any other statement. */
static int l_caller(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  const struct weft_op *op = w->told ? w->told->op : NULL;
  if (!op || !(op->plan->flags & WEFT_PLAN_READ) || op->nparams == 0) return 0;
  const struct lua_call *c = call_of(w, op);
  lua_pushnumber(L, (double)w->told->began_ns / 1e9);
  if (c) {
    push_place(L, w, asking(w, &c->wait));
    push_context(L, &c->context);
    return 5;
  }
  const struct weft_level *level;
  const struct weft_lua_context *context;
  const struct wait *wait = weft_lua_fetch_of(w, op, &context, &level);
  if (!wait) return 0;
  push_place(L, w, asking(w, wait));
  push_context(L, context);
  if (level) lua_pushlstring(L, level->name.p, level->name.n);
  else lua_pushnil(L);
  return 6;
}

void weft_lua_open_event(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"observe", l_observe}, {"caller", l_caller}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
