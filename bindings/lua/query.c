/* SPDX-License-Identifier: MIT */
/* Queries as Lua sees them: an immutable userdata; each step makes a new one. A model (model.c) is a query
   without clauses. User value 1 is the model info, a table of lua/weft that every query of the model
   shares. */
#include "weft_lua.h"

#include <stdlib.h>

#include "query_bind.h"

struct lua_query *weft_lua_to_query(lua_State *L, struct weft_lua *w, int idx) {
  if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx)) return NULL;
  bool is = lua_rawgetp(L, -1, w) == LUA_TBOOLEAN; /* its mark */
  lua_pop(L, 2);
  return is ? lua_touserdata(L, idx) : NULL;
}

struct lua_query *weft_lua_check_query(lua_State *L, struct weft_lua *w, int idx) {
  struct lua_query *lq = weft_lua_to_query(L, w, idx);
  if (!lq) {
    weft_lua_usage(L, w, "a model or query is expected, got %s (call with a colon, as in "
                         "Model:where{...})", luaL_typename(L, idx));
    return NULL; /* not reached */
  }
  if (!lq->q) { /* finalized: the state is being closed */
    struct weft_error err;
    weft_fail(&err, WEFT_CLOSED, "the model is closed");
    weft_lua_raise(L, w, &err, NULL);
  }
  return lq;
}

struct lua_query *weft_lua_push_query(lua_State *L, int idx) {
  int like = lua_absindex(L, idx);
  const struct lua_query *old = lua_touserdata(L, like);
  struct lua_query *lq = lua_newuserdatauv(L, sizeof *lq, 2);
  *lq = (struct lua_query){.model = old->model, .includes = old->includes};
  lua_getiuservalue(L, like, 1);
  lua_setiuservalue(L, -2, 1);
  if (lq->includes) {
    lua_getiuservalue(L, like, 2);
    lua_setiuservalue(L, -2, 2);
  }
  lua_getmetatable(L, like);
  lua_setmetatable(L, -2);
  return lq;
}

struct weft_lua_context weft_lua_about(const struct lua_query *lq, const char *op) {
  return (struct weft_lua_context){
      .op = op, .model = lq->model->label, .database = weft_db_name(lq->model->db)};
}

/* A query without clauses follows its table; others are rebased when they run. */
struct weft_query *weft_lua_current(struct lua_query *lq) {
  struct weft_table *t = weft_relation_table(lq->model->relation);
  if (lq->q->clause == WEFT_C_FROM && lq->q->table->id != t->id) {
    struct weft_query *fresh = weft_query_from(t);
    weft_query_unref(lq->q);
    lq->q = fresh;
  }
  return lq->q;
}

/* ---- steps ---- */

struct step {
  lua_State *L;
  struct weft_lua *w;
  struct weft_query *c;      /* the clause that is built, held by the new userdata */
  struct lua_query *fresh;
  const struct weft_table *table;
  struct weft_arena *arena;
  struct weft_error err;
};

/* Pushes the new query below the arguments' copies stay where they are: it is on top afterwards. The
   userdata holds the clause from the beginning, so that an error leaks nothing. */
static void begin(lua_State *L, struct step *s, enum weft_clause clause) {
  s->L = L;
  s->w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, s->w, 1);
  struct weft_query *prev = weft_lua_current(lq);
  s->fresh = weft_lua_push_query(L, 1);
  lua_replace(L, 1); /* slot 1 is the receiver: the new query holds the old one */
  s->c = s->fresh->q = weft_query_begin(prev, clause);
  s->table = prev->table;
  s->arena = &s->c->arena;
}

static int fail(struct step *s) {
  struct weft_lua_context c = weft_lua_about(s->fresh, NULL);
  return weft_lua_raise(s->L, s->w, &s->err, &c);
}

/* What the clause's trees hold, and whether names of it wait to be looked up. */
static void settle(struct step *s) {
  struct weft_query *c = s->c;
  if (c->expr) {
    c->expr = weft_expr_merge(s->arena, c->expr);
    weft_query_hold(c, c->expr);
    c->loose |= weft_expr_unbound(s->table, c->expr);
  }
  for (uint32_t i = 0; i < c->nitems; i++)
    if (c->items[i].expr) c->loose |= weft_expr_unbound(s->table, c->items[i].expr);
}

/* Names are looked up at once where that needs no waiting, so that the caller's line is blamed. */
static int bind_now(struct step *s) {
  struct weft_query *q;
  const char *need;
  lua_settop(s->L, 1);
  lua_getiuservalue(s->L, 1, 1);
  int rc = weft_lua_bind_query(s->L, s->w, s->fresh, 2, 0, &need, &q, &s->err);
  if (rc && need && strcmp(need, "association") == 0 && weft_lua_complete(s->fresh->model)) {
    weft_lua_slot(s->L, s->w, SLOT_UNKNOWN); /* raises when there is no such association */
    lua_insert(s->L, -3);
    lua_call(s->L, 2, 0);
  }
  lua_settop(s->L, 1);
  if (rc) return need ? 1 : fail(s);
  weft_query_unref(s->fresh->q);
  s->fresh->q = q;
  return weft_query_check(q, &s->err) ? fail(s) : 1;
}

static int end(struct step *s) {
  settle(s);
  s->fresh->q = weft_query_end(s->c);
  if (s->table->known && s->fresh->q->loose) return bind_now(s);
  if (s->table->known && weft_query_check(s->fresh->q, &s->err)) return fail(s);
  lua_settop(s->L, 1);
  return 1;
}

static int condition_step(lua_State *L, enum weft_clause clause, const char *who) {
  struct step s;
  begin(L, &s, clause);
  /* having speaks of aliases as well: the check resolves them */
  if (weft_lua_condition(L, s.w, 2, s.arena, s.table, who, &s.c->expr, &s.err)) return fail(&s);
  return end(&s);
}

static int l_where(lua_State *L) { return condition_step(L, WEFT_C_WHERE, "where"); }
static int l_having(lua_State *L) { return condition_step(L, WEFT_C_HAVING, "having"); }

static int by_name(const void *a, const void *b) {
  const struct weft_item *x = a, *y = b;
  size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
  int c = memcmp(x->name.p, y->name.p, n);
  return c ? c : x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

/* The entries of the table at idx: positions, then alias = expression by name. */
static int table_items(struct step *s, int idx, struct weft_item **items, uint32_t *n) {
  lua_State *L = s->L;
  uint32_t positions = (uint32_t)lua_rawlen(L, idx), count = 0, i = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) count++;
  *items = weft_arena_alloc(s->arena, (count + 1) * sizeof **items);
  memset(*items, 0, (count + 1) * sizeof **items);
  for (; i < positions; i++) {
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    if (weft_lua_selectable(L, s->w, -1, s->arena, s->table, &(*items)[i].expr, &s->err)) return -1;
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    size_t len;
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    if (i >= count) return weft_fail(&s->err, WEFT_USAGE, "select: the list is being changed");
    const char *alias = lua_tolstring(L, -2, &len);
    if (memchr(alias, 0, len) || len == 0)
      return weft_fail(&s->err, WEFT_USAGE, "select: an alias is a name without zero bytes");
    (*items)[i].name = weft_arena_slice(s->arena, weft_slice(alias, len));
    if (weft_lua_selectable(L, s->w, -1, s->arena, s->table, &(*items)[i].expr, &s->err)) return -1;
    i++;
  }
  if (i != count) return weft_fail(&s->err, WEFT_USAGE, "select: a list has holes");
  qsort(*items + positions, i - positions, sizeof **items, by_name);
  *n = i;
  return 0;
}

static int items_step(lua_State *L, enum weft_clause clause, const char *who) {
  struct step s;
  struct weft_item *items;
  begin(L, &s, clause);
  int top = lua_gettop(L);
  if (top < 2) {
    weft_fail(&s.err, WEFT_USAGE, "%s takes column names", who);
    return fail(&s);
  }
  bool one_table = top == 2 && lua_istable(L, 2) && !lua_getmetatable(L, 2);
  lua_settop(L, top);
  if (one_table) {
    if (table_items(&s, 2, &items, &s.c->nitems)) return fail(&s);
  } else {
    s.c->nitems = (uint32_t)(top - 1);
    items = weft_arena_alloc(s.arena, s.c->nitems * sizeof *items);
    memset(items, 0, s.c->nitems * sizeof *items);
    for (int i = 2; i <= top; i++)
      if (weft_lua_selectable(L, s.w, i, s.arena, s.table, &items[i - 2].expr, &s.err))
        return fail(&s);
  }
  if (s.c->nitems == 0) {
    weft_fail(&s.err, WEFT_USAGE, "%s: an empty list names no column", who);
    return fail(&s);
  }
  s.c->items = items;
  return end(&s);
}

static int l_select(lua_State *L) { return items_step(L, WEFT_C_SELECT, "select"); }
static int l_group(lua_State *L) { return items_step(L, WEFT_C_GROUP, "group"); }

/* order(column, "asc" | "desc", "nulls first" | "nulls last") */
static int l_order(lua_State *L) {
  struct step s;
  begin(L, &s, WEFT_C_ORDER);
  struct weft_item *item = weft_arena_alloc(s.arena, sizeof *item);
  memset(item, 0, sizeof *item);
  if (lua_gettop(L) > 4) {
    weft_fail(&s.err, WEFT_USAGE, "order takes a column, a direction and where NULLs go; call it "
                                  "once per column");
    return fail(&s);
  }
  lua_settop(L, 4);
  if (weft_lua_selectable(L, s.w, 2, s.arena, s.table, &item->expr, &s.err)) return fail(&s);
  static const struct { const char *word; uint32_t flags; int place; } words[] = {
      {"asc", 0, 3}, {"desc", WEFT_ORDER_DESC, 3}, {"nulls first", WEFT_NULLS_FIRST, 4},
      {"nulls last", WEFT_NULLS_LAST, 4}};
  for (int i = 3; i <= 4; i++) {
    bool found = lua_isnil(L, i);
    for (size_t k = 0; !found && k < sizeof words / sizeof *words; k++)
      if (words[k].place == i && lua_type(L, i) == LUA_TSTRING &&
          strcmp(lua_tostring(L, i), words[k].word) == 0) {
        item->flags |= words[k].flags;
        found = true;
      }
    if (!found) {
      weft_fail(&s.err, WEFT_USAGE, i == 3 ? "order: the direction is \"asc\" or \"desc\""
                                           : "order: say \"nulls first\" or \"nulls last\"");
      return fail(&s);
    }
  }
  s.c->items = item;
  s.c->nitems = 1;
  return end(&s);
}

/* join("variants"), join("variants.images"): each name on the way is joined once. "left" keeps rows without a
   match. */
static struct weft_query *join_part(struct weft_query *prev, struct weft_slice path, size_t parent,
                                    bool left) {
  struct weft_query *c = weft_query_begin(prev, WEFT_C_JOIN);
  struct weft_slice *on = weft_arena_alloc(&c->arena, sizeof *on);
  weft_query_unref(prev);
  *on = weft_arena_slice(&c->arena, weft_slice(path.p, parent));
  c->name = weft_arena_slice(&c->arena, path);
  c->on = on;
  c->non = 1;
  c->number = left;
  c->loose = true;
  return weft_query_end(c);
}

static int join_step(lua_State *L, bool left) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_slice path;
  if (lua_type(L, 2) != LUA_TSTRING || lua_gettop(L) != 2)
    return weft_lua_usage(L, w, "join takes the name of an association, or a path of names");
  path.p = lua_tolstring(L, 2, &path.n);
  struct step s = {.L = L, .w = w, .fresh = weft_lua_push_query(L, 1)};
  s.fresh->q = weft_query_ref(weft_lua_current(lq));
  s.table = s.fresh->q->table;
  lua_replace(L, 1);
  size_t parent = 0;
  for (size_t i = 0; i <= path.n; i++) {
    if (i < path.n && path.p[i] != '.') continue;
    if (i == parent + (parent > 0) || i == 0)
      return weft_lua_usage(L, w, "join: '%s' is no path of associations", path.p);
    s.fresh->q = join_part(s.fresh->q, weft_slice(path.p, i), parent, left);
    parent = i;
  }
  if (s.table->known) return bind_now(&s);
  lua_settop(L, 1);
  return 1;
}

static int l_join(lua_State *L) { return join_step(L, false); }
static int l_left_join(lua_State *L) { return join_step(L, true); }

static int number_step(lua_State *L, enum weft_clause clause, const char *who) {
  struct step s;
  int exact;
  begin(L, &s, clause);
  s.c->number = lua_tointegerx(L, 2, &exact);
  if (!exact || lua_type(L, 2) != LUA_TNUMBER || s.c->number < 0) {
    weft_fail(&s.err, WEFT_USAGE, "%s takes a whole number, 0 or more", who);
    return fail(&s);
  }
  return end(&s);
}

static int l_limit(lua_State *L) { return number_step(L, WEFT_C_LIMIT, "limit"); }
static int l_offset(lua_State *L) { return number_step(L, WEFT_C_OFFSET, "offset"); }

static int l_distinct(lua_State *L) {
  struct step s;
  begin(L, &s, WEFT_C_DISTINCT);
  return end(&s);
}

static int l_lock(lua_State *L) {
  static const char *const modes[] = {"update",           "share",             "no key update",
                                      "update skip locked", "update nowait",   "share skip locked",
                                      "share nowait",     "key share",         NULL};
  struct step s;
  begin(L, &s, WEFT_C_LOCK);
  const char *mode = lua_isnoneornil(L, 2) ? "update" : lua_tostring(L, 2);
  for (int i = 0; modes[i] && mode; i++)
    if (strcmp(modes[i], mode) == 0) {
      s.c->name = weft_slice_of(modes[i]);
      return end(&s);
    }
  weft_fail(&s.err, WEFT_USAGE, "lock takes \"update\", \"share\", \"no key update\" or \"key "
                                "share\", with \"skip locked\" or \"nowait\" behind update and share");
  return fail(&s);
}

static int l_batch(lua_State *L) { /* batch(false): this look-up never joins a batch */
  struct step s;
  begin(L, &s, WEFT_C_NOTE);
  if (lua_type(L, 2) != LUA_TBOOLEAN) {
    weft_fail(&s.err, WEFT_USAGE, "batch takes true or false");
    return fail(&s);
  }
  s.c->number = lua_toboolean(L, 2) ? 0 : WEFT_NOTE_BATCH_OFF;
  return end(&s);
}

static int l_strict(lua_State *L) { /* strict(): touching what was not included raises */
  struct step s;
  begin(L, &s, WEFT_C_NOTE);
  s.c->number = WEFT_NOTE_STRICT;
  return end(&s);
}

static int l_fetch(lua_State *L) { /* fetch("together" | "keyed"): how included levels are asked for */
  struct step s;
  begin(L, &s, WEFT_C_NOTE);
  const char *how = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(how, "together") == 0) s.c->number = WEFT_NOTE_TOGETHER;
  else if (strcmp(how, "keyed") == 0) s.c->number = WEFT_NOTE_KEYED;
  else {
    weft_fail(&s.err, WEFT_USAGE, "fetch takes \"together\" or \"keyed\"");
    return fail(&s);
  }
  return end(&s);
}

struct lua_query *weft_lua_bare(lua_State *L, struct weft_lua *w) {
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  if (!lq->includes) return lq;
  struct lua_query *bare = weft_lua_push_query(L, 1);
  bare->q = weft_query_ref(lq->q);
  bare->includes = false;
  lua_replace(L, 1);
  return bare;
}

static int l_with(lua_State *L) { /* core.with(query, included): the same with another table of includes */
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  lua_settop(L, 2);
  struct lua_query *fresh = weft_lua_push_query(L, 1);
  fresh->q = weft_query_ref(weft_lua_current(lq));
  fresh->includes = lua_istable(L, 2);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 2);
  return 1;
}

static int l_included(lua_State *L) { /* core.included(query): what core.with gave it, or nil */
  weft_lua_check_query(L, weft_lua_self(L), 1);
  lua_getiuservalue(L, 1, 2);
  return 1;
}

static int deleted_step(lua_State *L, enum weft_deleted which) {
  struct step s;
  begin(L, &s, WEFT_C_DELETED);
  s.c->number = which;
  return end(&s);
}

static int l_with_deleted(lua_State *L) { return deleted_step(L, WEFT_DELETED_WITH); }
static int l_only_deleted(lua_State *L) { return deleted_step(L, WEFT_DELETED_ONLY); }

void weft_lua_open_query(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg steps[] = {
      {"where", l_where},   {"having", l_having}, {"select", l_select},     {"group", l_group},
      {"order", l_order},   {"limit", l_limit},   {"offset", l_offset},     {"distinct", l_distinct},
      {"lock", l_lock},     {"batch", l_batch},   {"with_deleted", l_with_deleted},
      {"only_deleted", l_only_deleted},           {"strict", l_strict},     {"join", l_join},
      {"left_join", l_left_join},                 {"fetch", l_fetch},       {NULL, NULL}};
  static const luaL_Reg functions[] = {{"with", l_with}, {"included", l_included}, {NULL, NULL}};
  lua_newtable(L);
  weft_lua_functions(L, w, steps);
  lua_setfield(L, -2, "query_methods"); /* terminal.c adds to it */
  weft_lua_functions(L, w, functions);
}
