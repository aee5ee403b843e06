/* SPDX-License-Identifier: MIT */
/* The handle of a database: db:query, rows, execute, script, ping, stats, close. A handle is a userdata
   with one pointer, NULL when closed, and its name as the user value. */
#include "weft_lua.h"

#include <stdlib.h>

enum raw_mode { RAW_QUERY, RAW_ROWS, RAW_EXECUTE, RAW_OBJECTS };

struct weft_db *weft_lua_to_db(lua_State *L, struct weft_lua *w, int idx) {
  struct lua_db *d = lua_touserdata(L, idx);
  if (lua_type(L, idx) != LUA_TUSERDATA || !weft_lua_is(L, w, idx, SLOT_MT_DB))
    weft_lua_usage(L, w, "a database is expected, got %s (use db:query(...), with a colon)",
                   luaL_typename(L, idx));
  if (!d->db) {
    struct weft_error err;
    struct weft_lua_context context = {NULL, NULL, {NULL, 0}};
    lua_getiuservalue(L, idx, 1);
    context.database.p = lua_tolstring(L, -1, &context.database.n);
    weft_fail(&err, WEFT_CLOSED, "database '%s' is closed", context.database.p ? context.database.p : "");
    weft_lua_raise(L, w, &err, &context);
  }
  return d->db;
}

/* ---- results ---- */

static int doubled_name(const struct weft_rows *rows, struct weft_error *err) {
  for (uint32_t i = 1; i < rows->ncols; i++)
    for (uint32_t j = 0; j < i; j++)
      if (weft_slice_equal(rows->columns->v[i].name, rows->columns->v[j].name))
        return weft_fail(err, WEFT_USAGE,
                         "two columns of the result are called '%.*s': name one with \"as\", or use "
                         "db:rows",
                         (int)rows->columns->v[i].name.n, rows->columns->v[i].name.p);
  return 0;
}

static void push_arrays(lua_State *L, struct weft_lua *w, const struct weft_rows *rows) {
  lua_createtable(L, (int)rows->nrows, 0);
  for (uint32_t i = 0; i < rows->nrows; i++) {
    const struct weft_value *v = weft_rows_row(rows, i);
    lua_createtable(L, (int)rows->ncols, 0);
    for (uint32_t j = 0; j < rows->ncols; j++) {
      weft_lua_push(L, w, v[j], rows->columns->v[j].as);
      lua_rawseti(L, -2, (lua_Integer)j + 1);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  if (rows->nrows > 0) return;
  weft_lua_slot(L, w, SLOT_MT_ARRAY); /* as JSON it is [] too */
  lua_setmetatable(L, -2);
}

static void push_written(lua_State *L, const struct weft_rows *rows) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, rows->affected < 0 ? 0 : rows->affected);
  lua_setfield(L, -2, "affected");
  if (rows->last_id) {
    lua_pushinteger(L, rows->last_id);
    lua_setfield(L, -2, "last_id");
  }
}

/* The database's decimals option holds for raw statements as well. */
static void present(lua_State *L, const struct weft_rows *rows) {
  const struct lua_db *d = lua_touserdata(L, 1);
  for (uint32_t i = 0; rows->columns && d->decimals && i < rows->columns->n; i++)
    if (rows->columns->v[i].type == WEFT_DECIMAL) rows->columns->v[i].as = d->decimals;
}

static int raw_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_call *c = (struct lua_call *)ctx;
  struct weft_lua *w = c->w;
  struct weft_rows *rows = c->call.rows;
  struct weft_error err;
  (void)status;
  present(L, rows);
  if (c->mode == RAW_EXECUTE) {
    push_written(L, rows);
  } else if (!rows->columns) {
    lua_newtable(L);
  } else if (c->mode == RAW_ROWS) {
    push_arrays(L, w, rows);
  } else if (c->mode == RAW_OBJECTS) {
    weft_lua_push_objects(L, w, rows);
  } else if (doubled_name(rows, &err)) {
    weft_lua_push_error(L, w, &err, &c->context);
    weft_lua_call_done(c);
    return lua_error(L);
  } else {
    weft_lua_push_rows(L, w, rows, (struct weft_lua_look){0});
  }
  weft_lua_call_done(c);
  return 1;
}

/* ---- raw statements ---- */

static int raw(lua_State *L, const char *op, int mode) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_error err;
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  size_t n;
  int top = lua_gettop(L);
  if (lua_type(L, 2) != LUA_TSTRING)
    return weft_lua_usage(L, w, "%s takes SQL text and its parameters, got %s", op,
                          luaL_typename(L, 2));
  weft_lua_may_wait(L, w, false);
  const char *text = lua_tolstring(L, 2, &n);
  struct lua_call *c = weft_lua_call(w, op);
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(db)); /* outlives a close */
  c->mode = mode;
  uint32_t np = (uint32_t)(top - 2);
  struct weft_value *v = weft_arena_alloc(&c->call.arena, (np + 1) * sizeof *v);
  for (uint32_t i = 0; i < np; i++) {
    char what[32];
    snprintf(what, sizeof what, "parameter %u", i + 1);
    if (weft_lua_value(L, w, (int)i + 3, &c->call.arena, NULL, what, &v[i], &err)) {
      weft_lua_push_error(L, w, &err, &c->context);
      weft_lua_call_done(c);
      return lua_error(L);
    }
  }
  weft_db_raw(db, weft_lua_join(L, w, db, &c->call.level), weft_slice(text, n), v, np, &c->call);
  return weft_lua_await(L, c, raw_k);
}

static int l_query(lua_State *L) { return raw(L, "query", RAW_QUERY); }
static int l_rows(lua_State *L) { return raw(L, "rows", RAW_ROWS); }
static int l_execute(lua_State *L) { return raw(L, "execute", RAW_EXECUTE); }
static int l_objects(lua_State *L) { return raw(L, "schema", RAW_OBJECTS); } /* core.objects(db, sql, ...) */

/* core.verbatim(db, sql): the same as execute for a text without parameters, in which no mark means one. */
static int l_verbatim(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  weft_lua_may_wait(L, w, false);
  struct lua_call *c = weft_lua_call(w, "execute");
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(db));
  c->mode = RAW_EXECUTE;
  weft_db_verbatim(db, weft_lua_join(L, w, db, &c->call.level), weft_slice(text, n), &c->call);
  return weft_lua_await(L, c, raw_k);
}

static int nothing_k(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status;
  weft_lua_call_done((struct lua_call *)ctx);
  return 0;
}

static int l_script(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  size_t n;
  if (lua_type(L, 2) != LUA_TSTRING)
    return weft_lua_usage(L, w, "script takes SQL text, got %s", luaL_typename(L, 2));
  if (lua_gettop(L) > 2)
    return weft_lua_usage(L, w, "script takes no parameters: use execute for one statement");
  weft_lua_may_wait(L, w, false);
  const char *text = lua_tolstring(L, 2, &n);
  struct lua_call *c = weft_lua_call(w, "script");
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(db)); /* outlives a close */
  weft_db_script(db, weft_slice(text, n), &c->call);
  return weft_lua_await(L, c, nothing_k);
}

static int ping_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  weft_lua_call_done((struct lua_call *)ctx);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_ping(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  weft_lua_may_wait(L, w, false);
  struct lua_call *c = weft_lua_call(w, "ping");
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(db)); /* outlives a close */
  weft_db_raw(db, weft_lua_join(L, w, db, &c->call.level), WEFT_LIT("select 1"), NULL, 0, &c->call);
  return weft_lua_await(L, c, ping_k);
}

static int l_stats(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db_stats s;
  weft_db_stats(weft_lua_to_db(L, w, 1), &s);
  const struct { const char *name; uint64_t n; } v[] = {
      {"max", s.pool.max}, {"open", s.pool.open}, {"opening", s.pool.opening},
      {"idle", s.pool.idle}, {"leased", s.pool.leased}, {"sharing", s.pool.sharing},
      {"waiting", s.pool.waiting}, {"inflight", s.pool.inflight}, {"opened", s.pool.opened},
      {"closed", s.pool.closed}, {"failed", s.pool.failed}, {"waited", s.pool.waited},
      {"timeouts", s.pool.timeouts}, {"statements", s.pool.statements},
      {"replayed", s.pool.replayed}, {"plans", s.plans}, {"plan_hits", s.plan_hits},
      {"plan_misses", s.plan_misses}, {"plan_evictions", s.plan_evictions},
      {"plan_bytes", s.plan_bytes}, {"batches", s.batches}, {"batched", s.batched}};
  lua_createtable(L, 0, sizeof v / sizeof *v);
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    lua_pushinteger(L, (lua_Integer)v[i].n);
    lua_setfield(L, -2, v[i].name);
  }
  return 1;
}

/* Closing twice is fine; what runs may end within a second. */
static int l_close(lua_State *L) {
  struct lua_db *d = lua_touserdata(L, 1);
  struct weft_lua *w = weft_lua_self(L);
  if (lua_type(L, 1) != LUA_TUSERDATA || !weft_lua_is(L, w, 1, SLOT_MT_DB))
    return weft_lua_usage(L, w, "a database is expected, got %s (use db:close(), with a colon)",
                          luaL_typename(L, 1));
  struct weft_db *db = d->db;
  if (!db) return 0;
  d->db = NULL;
  weft_db_close(db, 1000000000);
  weft_db_unref(db);
  return 0;
}

static int db_gc(lua_State *L) {
  struct lua_db *d = lua_touserdata(L, 1);
  if (!d || !weft_lua_is(L, weft_lua_self(L), 1, SLOT_MT_DB)) return 0;
  if (d->db) weft_db_unref(d->db);
  d->db = NULL;
  return 0;
}

static int l_closed(lua_State *L) { /* core.closed(db) */
  struct weft_lua *w = weft_lua_self(L);
  const struct lua_db *d = lua_touserdata(L, 1);
  if (lua_type(L, 1) != LUA_TUSERDATA || !weft_lua_is(L, w, 1, SLOT_MT_DB))
    return weft_lua_usage(L, w, "a database is expected, got %s", luaL_typename(L, 1));
  lua_pushboolean(L, !d->db);
  return 1;
}

static int l_dialect(lua_State *L) { /* core.dialect(db) */
  lua_pushstring(L, weft_db_dialect(weft_lua_to_db(L, weft_lua_self(L), 1))->name);
  return 1;
}

static int l_check(lua_State *L) { /* core.check(db): whether its idle connections still live */
  weft_db_check(weft_lua_to_db(L, weft_lua_self(L), 1));
  return 0;
}

static int l_forget(lua_State *L) { /* core.forget_tables(db): after its schema changed */
  weft_db_forget_tables(weft_lua_to_db(L, weft_lua_self(L), 1));
  return 0;
}

static int l_epoch(lua_State *L) { /* core.epoch(db): grows when its schema may have changed */
  lua_pushinteger(L, (lua_Integer)weft_db_epoch(weft_lua_to_db(L, weft_lua_self(L), 1)));
  return 1;
}

static int db_tostring(lua_State *L) {
  struct lua_db *d = lua_touserdata(L, 1);
  if (!d || !weft_lua_is(L, weft_lua_self(L), 1, SLOT_MT_DB))
    return weft_lua_usage(L, weft_lua_self(L), "a database is expected");
  if (!d->db) return lua_pushliteral(L, "weft.database (closed)"), 1;
  struct weft_slice n = weft_db_name(d->db), l = weft_db_label(d->db);
  lua_pushliteral(L, "weft.database ");
  lua_pushlstring(L, n.p, n.n);
  lua_pushliteral(L, " (");
  lua_pushlstring(L, l.p, l.n);
  lua_pushliteral(L, ")");
  lua_concat(L, 5);
  return 1;
}

/* ---- opening ---- */

static int64_t number_field(lua_State *L, struct weft_lua *w, int idx, const char *key) {
  lua_getfield(L, idx, key); /* seconds -> ns; 0 when absent */
  lua_Number n = lua_tonumber(L, -1);
  if (!lua_isnil(L, -1) && (lua_type(L, -1) != LUA_TNUMBER || !(n > -1e9 && n < 1e9)))
    weft_lua_usage(L, w, "pool option '%s' takes a number of seconds", key);
  lua_pop(L, 1);
  return (int64_t)(n * 1e9);
}

/* core.open(name, url, options, pool): options: map of text, pool: {max, wait, idle, lifetime,
   statement_timeout, decimals}. No I/O. */
static int l_open(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_error err;
  struct weft_setting settings[64];
  struct weft_db_options o = {.settings = settings};
  size_t nn, un;
  const char *name = luaL_checklstring(L, 1, &nn), *url = luaL_checklstring(L, 2, &un);
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  weft_lua_alive(L, w);
  for (lua_pushnil(L); lua_next(L, 3) && o.nsettings < 64; lua_pop(L, 1)) {
    size_t n;
    luaL_checktype(L, -2, LUA_TSTRING); /* text stays where it is: lua/weft made it so */
    luaL_checktype(L, -1, LUA_TSTRING);
    settings[o.nsettings].name = lua_tostring(L, -2);
    const char *v = lua_tolstring(L, -1, &n);
    settings[o.nsettings++].value = weft_slice(v, n);
  }
  lua_settop(L, 4);
  lua_getfield(L, 4, "max");
  o.pool.max = (uint32_t)lua_tointeger(L, -1);
  o.pool.wait_ns = number_field(L, w, 4, "wait");
  o.pool.idle_ns = number_field(L, w, 4, "idle");
  o.pool.lifetime_ns = number_field(L, w, 4, "lifetime");
  o.pool.statement_timeout_ns = number_field(L, w, 4, "statement_timeout");
  lua_getfield(L, 4, "decimals");
  const char *as = lua_tostring(L, -1);
  uint32_t decimals = !as ? 0 : strcmp(as, "string") == 0 ? WEFT_AS_STRING : WEFT_AS_NUMBER;
  struct lua_db *d = lua_newuserdatauv(L, sizeof *d, 1);
  d->db = NULL;
  d->decimals = decimals;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  weft_lua_slot(L, w, SLOT_MT_DB);
  lua_setmetatable(L, -2);
  if (weft_db_open(w->context, weft_slice(name, nn), weft_slice(url, un), &o, &d->db, &err))
    return weft_lua_raise(L, w, &err, &(struct weft_lua_context){.database = {name, nn}});
  weft_db_ref(d->db);
  return 1;
}

void weft_lua_open_database(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"query", l_query},     {"rows", l_rows},
                                  {"execute", l_execute}, {"script", l_script},
                                  {"ping", l_ping},       {"stats", l_stats},
                                  {"close", l_close},     {"__close", l_close},
                                  {"__gc", db_gc},        {"__tostring", db_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"open", l_open}, {"dialect", l_dialect}, {"closed", l_closed}, {"forget_tables", l_forget},
      {"epoch", l_epoch}, {"objects", l_objects}, {"check", l_check},
      {"verbatim", l_verbatim},
      {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_DB, "weft.database", meta);
  lua_setfield(L, -2, "database_methods"); /* lua/weft adds transaction and session */
  weft_lua_functions(L, w, functions);
}
