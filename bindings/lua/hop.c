/* SPDX-License-Identifier: MIT */
/* Hops: an association (or half of one that goes through a table) wired between two known tables. */
#include "weft_lua.h"

struct weft_association *weft_lua_to_hop(lua_State *L, struct weft_lua *w, int idx) {
  struct weft_association **a = lua_touserdata(L, idx);
  bool is = lua_type(L, idx) == LUA_TUSERDATA && weft_lua_is(L, w, idx, SLOT_MT_ASSOCIATION);
  return is ? *a : NULL;
}

static int association_gc(lua_State *L) {
  struct weft_association **a = lua_touserdata(L, 1);
  if (!a || !weft_lua_to_hop(L, weft_lua_self(L), 1)) return 0;
  weft_association_unref(*a);
  *a = NULL;
  return 0;
}

static struct weft_table *known_table(lua_State *L, struct weft_lua *w, int idx,
                                      struct lua_query **lq) {
  *lq = weft_lua_check_query(L, w, idx);
  struct weft_table *t = weft_relation_table((*lq)->model->relation);
  if (!t->known) weft_lua_usage(L, w, "the table of %s is not known", (*lq)->model->label);
  return t;
}

void weft_lua_key_numbers(lua_State *L, struct weft_lua *w, int idx, const struct weft_table *t,
                          uint32_t n, uint32_t *out) {
  for (uint32_t i = 0; i < n; i++) {
    struct weft_slice name;
    struct weft_error err;
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    name.p = luaL_checklstring(L, -1, &name.n);
    int at = weft_table_column(t, name);
    if (at < 0) {
      weft_table_unknown_column(t, name, &err);
      weft_lua_raise(L, w, &err, NULL);
    }
    out[i] = (uint32_t)at;
    lua_pop(L, 1);
  }
}

/* core.hop(name, from model, to model, from columns, to columns, many, apart): pairs of equal columns of two
   known tables; apart: no statement can compare them. */
static int l_hop(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *from, *to;
  struct weft_slice name;
  uint32_t keys[2][WEFT_KEY_COLUMNS];
  name.p = luaL_checklstring(L, 1, &name.n);
  struct weft_table *tf = known_table(L, w, 2, &from), *tt = known_table(L, w, 3, &to);
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checktype(L, 5, LUA_TTABLE);
  uint32_t n = (uint32_t)lua_rawlen(L, 4);
  if (n == 0 || n > WEFT_KEY_COLUMNS || lua_rawlen(L, 5) != n)
    return weft_lua_usage(L, w, "association '%s': a key of 1 to %d columns, as many on both sides",
                          name.p, WEFT_KEY_COLUMNS);
  weft_lua_key_numbers(L, w, 4, tf, n, keys[0]);
  weft_lua_key_numbers(L, w, 5, tt, n, keys[1]);
  struct weft_association **a = lua_newuserdatauv(L, sizeof(struct weft_association *), 0);
  *a = NULL;
  weft_lua_slot(L, w, SLOT_MT_ASSOCIATION);
  lua_setmetatable(L, -2);
  *a = weft_association_new(name, tf, tt, keys[0], keys[1], n, lua_toboolean(L, 6),
                            lua_toboolean(L, 7));
  return 1;
}

bool weft_lua_complete(const struct model *m) { return m->complete == weft_db_epoch(m->db) + 1; }

static int l_complete(lua_State *L) { /* core.complete(model, done): are (now, or with false no more) all associations known? */
  struct lua_query *lq = weft_lua_check_query(L, weft_lua_self(L), 1);
  if (lua_isboolean(L, 2)) lq->model->complete = lua_toboolean(L, 2) ? weft_db_epoch(lq->model->db) + 1 : 0;
  lua_pushboolean(L, weft_lua_complete(lq->model));
  return 1;
}

void weft_lua_open_hop(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__gc", association_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"hop", l_hop}, {"complete", l_complete}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_ASSOCIATION, "weft.hop", meta);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
