/* SPDX-License-Identifier: MIT */
/* Models: a table of a database as Lua sees it, and a query without clauses on it. Scopes and methods come from
   a metatable of its own. */
#include "weft_lua.h"

#include <stdlib.h>

#include "eval.h"

static int query_gc(lua_State *L) {
  struct lua_query *lq = weft_lua_to_query(L, weft_lua_self(L), 1);
  if (!lq) return 0;
  if (lq->q) weft_query_unref(lq->q);
  lq->q = NULL;
  return 0;
}

static int query_tostring(lua_State *L) {
  struct lua_query *lq = weft_lua_check_query(L, weft_lua_self(L), 1);
  lua_pushfstring(L, "weft.%s %s", lq->q->clause == WEFT_C_FROM ? "model" : "query",
                  lq->model->label);
  return 1;
}

static int model_gc(lua_State *L) {
  struct model *m = lua_touserdata(L, 1);
  free(m->label);
  m->label = NULL;
  if (m->db) weft_db_unref(m->db);
  m->db = NULL;
  return 0;
}

static struct weft_slice *text_list(lua_State *L, int idx, const char *field, uint32_t *n) {
  *n = 0;
  if (lua_getfield(L, idx, field) != LUA_TTABLE) return NULL;
  size_t count = lua_rawlen(L, -1);
  struct weft_slice *v = lua_newuserdatauv(L, (count + 1) * sizeof *v, 0); /* stays on the stack */
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TSTRING);
    v[i].p = lua_tolstring(L, -1, &v[i].n); /* anchored by the list */
    lua_pop(L, 1);
  }
  *n = (uint32_t)count;
  return v;
}

static uint32_t as_of(lua_State *L, struct weft_lua *w, int idx) {
  static const struct { const char *word; uint32_t as; } words[] = {
      {"string", WEFT_AS_STRING}, {"number", WEFT_AS_NUMBER}, {"epoch", WEFT_AS_EPOCH},
      {"us", WEFT_AS_US}, {"json", WEFT_AS_JSON}};
  const char *s = lua_tostring(L, idx);
  for (size_t i = 0; s && i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i].word, s) == 0) return words[i].as;
  weft_lua_usage(L, w, "unknown column option '%s'; a column is shown as string, number, epoch, us or "
                       "json", s ? s : "?");
  return 0;
}

/* core.model(db, info): the model as a query. info: label, table, schema, alternatives, key (list),
   columns (list of {name, as = , lazy = }), decimals (as), zone_utc, soft_delete (a column), methods (what
   queries of it can do beyond the usual). */
static int l_model(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct weft_relation_options o = {0};
  o.key = text_list(L, 2, "key", &o.nkey);
  o.alternatives = text_list(L, 2, "alternatives", &o.nalternatives);
  lua_getfield(L, 2, "table");
  o.table.p = luaL_checklstring(L, -1, &o.table.n);
  if (lua_getfield(L, 2, "schema") == LUA_TSTRING) o.schema.p = lua_tolstring(L, -1, &o.schema.n);
  if (lua_getfield(L, 2, "columns") == LUA_TTABLE) {
    int columns = lua_gettop(L);
    uint32_t n = (uint32_t)lua_rawlen(L, columns);
    struct weft_override *v = lua_newuserdatauv(L, (n + 1) * sizeof *v, 0);
    memset(v, 0, (n + 1) * sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
      lua_rawgeti(L, columns, (lua_Integer)i + 1);
      lua_getfield(L, -1, "name");
      luaL_checktype(L, -1, LUA_TSTRING);
      v[i].name.p = lua_tolstring(L, -1, &v[i].name.n);
      if (lua_getfield(L, -2, "as") != LUA_TNIL) v[i].as = as_of(L, w, -1);
      lua_getfield(L, -3, "lazy");
      v[i].lazy = lua_toboolean(L, -1);
      lua_pop(L, 4);
    }
    o.overrides = v;
    o.noverrides = n;
  }
  if (lua_getfield(L, 2, "decimals") != LUA_TNIL) o.decimals = as_of(L, w, -1);
  if (lua_getfield(L, 2, "soft_delete") == LUA_TSTRING) o.soft.p = lua_tolstring(L, -1, &o.soft.n);
  lua_getfield(L, 2, "zone_utc");
  o.zone_utc = lua_toboolean(L, -1);
  lua_getfield(L, 2, "label");
  size_t len;
  const char *label = luaL_checklstring(L, -1, &len);
  struct model *m = lua_newuserdatauv(L, sizeof *m, 0);
  int held = lua_gettop(L);
  memset(m, 0, sizeof *m);
  lua_newtable(L);
  lua_pushcfunction(L, model_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable"); /* nobody else calls the finalizer */
  lua_setmetatable(L, -2);
  m->label = weft_strdup(weft_slice(label, len));
  m->db = weft_db_ref(db);
  m->relation = weft_db_relation(db, &o);
  struct lua_query *lq = lua_newuserdatauv(L, sizeof *lq, 2);
  *lq = (struct lua_query){.model = m};
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  lua_newtable(L); /* its own metatable */
  static const luaL_Reg meta[] = {
      {"__gc", query_gc}, {"__tostring", query_tostring}, {NULL, NULL}};
  weft_lua_functions(L, w, meta);
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, w);
  lua_pushliteral(L, "weft.query");
  lua_setfield(L, -2, "__name");
  lua_getfield(L, 2, "query_methods");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lq->q = weft_query_from(weft_relation_table(m->relation));
  lua_pushvalue(L, held); /* the info keeps the struct that all its queries point at */
  lua_setfield(L, 2, "model");
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, "core");
  return 1;
}

static int l_info(lua_State *L) { /* core.info(query): the model info */
  weft_lua_check_query(L, weft_lua_self(L), 1);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

static int l_is_query(lua_State *L) {
  lua_pushboolean(L, weft_lua_to_query(L, weft_lua_self(L), 1) != NULL);
  return 1;
}

/* Pushes the description of this version of the table that the model info has, or nothing. */
static bool described(lua_State *L, int info, const struct weft_table *t) {
  if (lua_getfield(L, info, "described") == LUA_TTABLE) {
    lua_getfield(L, -1, "id");
    bool same = (uint64_t)lua_tointeger(L, -1) == t->id;
    lua_pop(L, 1);
    if (same) return true;
  }
  lua_pop(L, 1);
  return false;
}

/* core.table(model): what is known of its table: columns (names in order), types, key; nil before. The same
   table each time, until the schema changes: only to be read. */
static int l_table(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  if (!t->known) return 0;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  if (described(L, 2, t)) return 1;
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, (lua_Integer)t->id);
  lua_setfield(L, -2, "id");
  lua_pushlstring(L, t->name.p, t->name.n);
  lua_setfield(L, -2, "name");
  lua_createtable(L, (int)t->ncolumns, 0);
  lua_createtable(L, 0, (int)t->ncolumns);
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    const struct weft_table_column *c = &t->columns[i];
    lua_pushlstring(L, c->name.p, c->name.n);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, (lua_Integer)i + 1);
    lua_createtable(L, 0, 6);
    lua_pushstring(L, weft_type_name((enum weft_type)c->type.type)), lua_setfield(L, -2, "type");
    lua_pushlstring(L, c->declared.p, c->declared.n), lua_setfield(L, -2, "declared");
    lua_pushboolean(L, c->nullable), lua_setfield(L, -2, "nullable");
    lua_pushboolean(L, c->has_default), lua_setfield(L, -2, "has_default");
    lua_pushboolean(L, c->generated), lua_setfield(L, -2, "generated");
    lua_rawset(L, -3);
  }
  lua_setfield(L, -3, "types");
  lua_setfield(L, -2, "columns");
  lua_createtable(L, (int)t->nkey, 0);
  for (uint32_t i = 0; i < t->nkey; i++) {
    struct weft_slice name = t->columns[t->key[i]].name;
    lua_pushlstring(L, name.p, name.n);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "key");
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, "described");
  return 1;
}

/* core.eval(query, row): the query's conditions over a row read with all its columns, in memory: true,
   false, nil (NULL), or "unknowable" when only the database can tell. */
static int l_eval(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  struct weft_rows *rows;
  uint32_t number;
  struct weft_parts parts;
  struct weft_arena arena;
  if (!weft_lua_row(L, w, 2, &rows, &number) || !t->known || rows->ncols != t->ncolumns)
    return weft_lua_usage(L, w, "eval takes a query and a row with all columns of its table");
  weft_arena_init(&arena, NULL, 0);
  weft_query_parts(weft_lua_current(lq), &arena, &parts);
  enum weft_truth truth =
      parts.where ? weft_eval(weft_db_dialect(lq->model->db), t, parts.where, weft_rows_row(rows, number))
                  : WEFT_TRUE;
  weft_arena_release(&arena);
  if (truth == WEFT_NULLISH) lua_pushnil(L);
  else if (truth == WEFT_UNKNOWABLE) lua_pushliteral(L, "unknowable");
  else lua_pushboolean(L, truth == WEFT_TRUE);
  return 1;
}

void weft_lua_open_model(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"model", l_model}, {"info", l_info}, {"is_query", l_is_query},
                                       {"table", l_table}, {"eval", l_eval}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
