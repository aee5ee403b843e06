/* SPDX-License-Identifier: MIT */
/* The levels of what queries include, as Lua sees them. */
#include "weft_lua.h"

#include <stdlib.h>

struct lua_level *weft_lua_to_level(lua_State *L, struct weft_lua *w, int idx) {
  bool is = lua_type(L, idx) == LUA_TUSERDATA && weft_lua_is(L, w, idx, SLOT_MT_LEVEL);
  return is ? lua_touserdata(L, idx) : NULL;
}

bool weft_lua_fresh(const struct lua_level *root) {
  if (root->level && !weft_level_fresh(root->level)) return false;
  for (uint32_t i = 0; i < root->nbelow; i++)
    if (!weft_level_fresh(root->below[i])) return false;
  return true;
}

/* A root that was finalized has no list at all. */
struct lua_level *weft_lua_push_levels(lua_State *L, struct weft_lua *w, int idx) {
  if (lua_getiuservalue(L, idx, 2) == LUA_TTABLE) {
    lua_getfield(L, -1, "levels");
    struct lua_level *root = weft_lua_to_level(L, w, -1);
    lua_remove(L, -2);
    if (root && root->below) return root;
  }
  lua_pop(L, 1);
  return NULL;
}

static int level_gc(lua_State *L) {
  struct lua_level *l = weft_lua_to_level(L, weft_lua_self(L), 1);
  if (!l) return 0;
  weft_level_unref(l->level);
  for (uint32_t i = 0; i < l->nbelow; i++) weft_level_unref(l->below[i]);
  free(l->below);
  memset(l, 0, sizeof *l);
  return 0;
}

/* Pushes a level whose user value holds the model info (or nil), and takes the levels of the list at
   below. */
static struct lua_level *push_level(lua_State *L, struct weft_lua *w, int info, int below) {
  uint32_t n = (uint32_t)lua_rawlen(L, below);
  struct lua_level *l = lua_newuserdatauv(L, sizeof *l, 1);
  memset(l, 0, sizeof *l);
  weft_lua_slot(L, w, SLOT_MT_LEVEL);
  lua_setmetatable(L, -2);
  lua_createtable(L, (int)n + 2, 0);
  if (info) lua_pushvalue(L, info);
  else lua_pushboolean(L, 0);
  lua_rawseti(L, -2, 1);
  lua_createtable(L, 0, (int)n);
  l->below = weft_alloc((n + 1) * sizeof *l->below);
  for (uint32_t i = 0; i < n; i++) {
    lua_rawgeti(L, below, (lua_Integer)i + 1);
    struct lua_level *b = weft_lua_to_level(L, w, -1);
    if (!b || !b->level) luaL_error(L, "levels are expected");
    l->below[l->nbelow++] = weft_level_ref(b->level);
    l->tells |= b->tells;
    lua_pushlstring(L, b->level->name.p, b->level->name.n);
    lua_pushboolean(L, 1);
    lua_rawset(L, -4);
    lua_rawseti(L, -3, (lua_Integer)i + 3);
  }
  lua_rawseti(L, -2, 2);
  lua_setiuservalue(L, -2, 1);
  return l;
}

/* The level on top only leads to the one below it: what is given are that one's rows. */
static void look_of_next(lua_State *L) {
  lua_getiuservalue(L, -1, 1);
  lua_rawgeti(L, -1, 3);
  lua_getiuservalue(L, -1, 1);
  lua_setiuservalue(L, -4, 1);
  lua_pop(L, 2);
}

/* The level on top has somebody who is told of its rows: the function `after` of the options at idx. */
static bool note_after(lua_State *L, int idx) {
  lua_getiuservalue(L, -1, 1);
  bool is = lua_getfield(L, idx, "after") == LUA_TFUNCTION;
  lua_setfield(L, -2, "after");
  lua_pop(L, 1);
  return is;
}

/* A level; what the query in options.guard (the options at idx) says holds for the rows in between. */
static int new_level(lua_State *L, struct weft_lua *w, int idx, struct weft_level_options *o,
                     struct weft_level **out, struct weft_error *err) {
  struct weft_arena arena;
  struct lua_query *guard = NULL;
  if (lua_istable(L, idx)) {
    lua_getfield(L, idx, "guard");
    guard = weft_lua_to_query(L, w, -1);
    lua_pop(L, 1); /* the options keep it */
  }
  weft_arena_init(&arena, NULL, 0);
  int rc = guard ? weft_query_condition(guard->q, &arena, &o->guard, err) : 0;
  if (rc == 0) rc = weft_level_new(o, out, err);
  weft_arena_release(&arena);
  return rc;
}

static void level_options(lua_State *L, int idx, struct weft_level_options *o) {
  o->limit = o->offset = -1;
  if (!lua_istable(L, idx)) return;
  lua_getfield(L, idx, "chunk");
  o->chunk = (uint32_t)lua_tointeger(L, -1);
  lua_getfield(L, idx, "between");
  o->nbetween = (uint32_t)lua_tointeger(L, -1);
  lua_getfield(L, idx, "passed");
  o->passed = lua_toboolean(L, -1);
  if (lua_getfield(L, idx, "limit") != LUA_TNIL) o->limit = lua_tointeger(L, -1);
  if (lua_getfield(L, idx, "offset") != LUA_TNIL) o->offset = lua_tointeger(L, -1);
  lua_pop(L, 5);
}

/* The table of the rows above when options.of (the options at idx) says it, or NULL. */
static const struct weft_table *table_above(lua_State *L, struct weft_lua *w, int idx) {
  if (!lua_istable(L, idx)) return NULL;
  lua_getfield(L, idx, "of");
  const struct lua_query *of = weft_lua_to_query(L, w, -1);
  lua_pop(L, 1); /* the options keep it */
  return of ? weft_relation_table(of->model->relation) : NULL;
}

/* The columns of hop, or of the lists at parent and asked (names in the rows above, perhaps of the table above,
   and in t). */
static void level_keys(lua_State *L, struct weft_lua *w, const struct weft_association *hop, int parent,
                       int asked, const struct weft_table *above, const struct weft_table *t,
                       struct weft_level_options *o) {
  uint32_t numbers[WEFT_KEY_COLUMNS] = {0};
  o->nkey = hop ? hop->nkey : (uint32_t)lua_rawlen(L, parent);
  if (o->nkey == 0 || o->nkey > WEFT_KEY_COLUMNS || (!hop && lua_rawlen(L, asked) != o->nkey))
    weft_lua_usage(L, w, "a key of 1 to %d columns is expected, as many on both sides", WEFT_KEY_COLUMNS);
  if (!hop) weft_lua_key_numbers(L, w, asked, t, o->nkey, numbers);
  for (uint32_t i = 0; i < o->nkey; i++) {
    const struct weft_table_column *from = hop ? &hop->from->columns[hop->from_key[i]] : NULL;
    o->asked[i] = hop ? &hop->to->columns[hop->to_key[i]] : &t->columns[numbers[i]];
    if (hop) {
      o->parent[i] = from->name;
    } else {
      lua_rawgeti(L, parent, (lua_Integer)i + 1);
      o->parent[i].p = luaL_checklstring(L, -1, &o->parent[i].n);
      lua_pop(L, 1); /* the list anchors it */
      int at = above ? weft_table_column(above, o->parent[i]) : -1;
      if (at >= 0) from = &above->columns[at];
    }
    o->parent_side[i] = weft_key_side(from);
  }
}

/* NULL: what stands there is no hop. */
static const struct weft_association *check_hop(lua_State *L, struct weft_lua *w, int idx) {
  struct weft_error err;
  const struct weft_association *hop = weft_lua_to_hop(L, w, idx);
  if (hop || !lua_isuserdata(L, idx)) return hop;
  weft_fail(&err, WEFT_CLOSED, "the model is closed");
  weft_lua_raise(L, w, &err, NULL);
  return NULL; /* not reached */
}

/* core.level(query, name, many, below, hop or parent columns, between or asked columns, options): the query's
   rows below those of the table that hop comes from, or below any rows with such columns. below: a list of
   levels in the order of their names. options: chunk, passed, limit, offset; between: so many of the parent columns
   are those of the table between the rows above and theirs; after: a function that gets the list of the rows once
   everything is linked; guard: a query of the table in between, whose conditions hold there; of: a
   query of the model that the rows above are of. */
static int l_level(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_level_options o = {.many = lua_toboolean(L, 3), .relation = lq->model->relation};
  struct weft_error err;
  o.name.p = luaL_checklstring(L, 2, &o.name.n);
  luaL_checktype(L, 4, LUA_TTABLE);
  lua_settop(L, 7);
  level_options(L, 7, &o);
  lua_getiuservalue(L, 1, 1);
  struct lua_level *l = push_level(L, w, 8, 4);
  if (o.passed && l->nbelow == 1) look_of_next(L);
  else if (lua_istable(L, 7)) l->tells |= note_after(L, 7);
  o.below = l->below;
  o.nbelow = l->nbelow;
  o.query = weft_lua_current(lq);
  const struct weft_association *hop = check_hop(L, w, 5);
  if (hop) o.between = check_hop(L, w, 6);
  o.direct = hop && !hop->remote;
  level_keys(L, w, hop, 5, 6, table_above(L, w, 7), weft_relation_table(o.relation), &o);
  struct weft_lua_context about = weft_lua_about(lq, NULL);
  if (new_level(L, w, 7, &o, &l->level, &err)) return weft_lua_raise(L, w, &err, &about);
  return 1;
}

static int l_levels(lua_State *L) { /* core.levels(list): the root above levels in order */
  luaL_checktype(L, 1, LUA_TTABLE);
  push_level(L, weft_lua_self(L), 0, 1);
  return 1;
}

static int l_fresh(lua_State *L) { /* core.fresh(level): does it, with those below, fit the tables as they are now? */
  const struct lua_level *root = weft_lua_to_level(L, weft_lua_self(L), 1);
  lua_pushboolean(L, root && root->below && weft_lua_fresh(root));
  return 1;
}

void weft_lua_open_level(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__gc", level_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"level", l_level}, {"levels", l_levels}, {"fresh", l_fresh}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_LEVEL, "weft.level", meta);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
