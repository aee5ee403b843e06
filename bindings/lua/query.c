/* SPDX-License-Identifier: MIT */
/* Queries as Lua sees them: an immutable userdata; each step makes a new one. A model is a query without
   clauses; scopes and methods come from a metatable of its own. User value 1 is the model info, a table
   of lua/weft that every query of the model shares. */
#include "weft_lua.h"

#include <stdlib.h>

#include "eval.h"

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

static struct lua_query *push_new(lua_State *L, int like) {
  like = lua_absindex(L, like);
  struct lua_query *lq = lua_newuserdatauv(L, sizeof *lq, 1);
  lq->q = NULL;
  lq->model = ((struct lua_query *)lua_touserdata(L, like))->model;
  lua_getiuservalue(L, like, 1);
  lua_setiuservalue(L, -2, 1);
  lua_getmetatable(L, like);
  lua_setmetatable(L, -2);
  return lq;
}

struct weft_lua_context weft_lua_about(const struct lua_query *lq, const char *op) {
  return (struct weft_lua_context){
      .op = op, .model = lq->model->label, .database = weft_db_name(lq->model->db)};
}

void weft_lua_push_query(lua_State *L, struct weft_lua *w, int idx, struct weft_query *q) {
  (void)w;
  push_new(L, idx)->q = q;
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

static int query_gc(lua_State *L) {
  struct lua_query *lq = weft_lua_to_query(L, weft_lua_self(L), 1);
  if (!lq) return 0;
  if (lq->q) weft_query_unref(lq->q);
  lq->q = NULL;
  return 0;
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
  s->fresh = push_new(L, 1);
  lua_replace(L, 1); /* slot 1 is the receiver: the new query holds the old one */
  s->c = s->fresh->q = weft_query_begin(prev, clause);
  s->table = prev->table;
  s->arena = &s->c->arena;
}

static int fail(struct step *s) {
  struct weft_lua_context c = weft_lua_about(s->fresh, NULL);
  return weft_lua_raise(s->L, s->w, &s->err, &c);
}

static int end(struct step *s) {
  s->fresh->q = weft_query_end(s->c);
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

static int query_tostring(lua_State *L) {
  struct lua_query *lq = weft_lua_check_query(L, weft_lua_self(L), 1);
  lua_pushfstring(L, "weft.%s %s", lq->q->clause == WEFT_C_FROM ? "model" : "query",
                  lq->model->label);
  return 1;
}

/* ---- models ---- */

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
   columns (list of {name, as = , lazy = }), decimals (as), zone_utc, methods (what queries of it can do beyond the usual). */
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
  struct lua_query *lq = lua_newuserdatauv(L, sizeof *lq, 1);
  lq->model = m;
  lq->q = NULL;
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

/* core.table(model): what is known of its table: columns (names in order), types, key; nil before. */
static int l_table(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_table *t = weft_relation_table(lq->model->relation);
  if (!t->known) return 0;
  lua_createtable(L, 0, 4);
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

/* ---- marks for conditions and aggregates ---- */

static int combine(lua_State *L, const char *kind) {
  struct weft_lua *w = weft_lua_self(L);
  if (!lua_istable(L, 1) || lua_gettop(L) != 1)
    return weft_lua_usage(L, w, "%s takes one table of conditions", kind);
  if (lua_rawlen(L, 1) == 0 && (lua_pushnil(L), lua_next(L, 1) == 0))
    return weft_lua_usage(L, w, "%s: an empty table is no condition", kind);
  lua_settop(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "of");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  weft_lua_slot(L, w, SLOT_MT_CONDITION);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_any_of(lua_State *L) { return combine(L, "any_of"); }
static int l_all_of(lua_State *L) { return combine(L, "all_of"); }
static int l_negate(lua_State *L) { return combine(L, "negate"); }

static int mark_aggregate(lua_State *L, enum weft_expr_kind kind, const char *who, bool optional) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_isnoneornil(L, 1) && !optional)
    return weft_lua_usage(L, w, "%s takes a column", who);
  lua_settop(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "of");
  weft_lua_slot(L, w, SLOT_MT_AGGREGATE);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_count(lua_State *L) { return mark_aggregate(L, WEFT_E_COUNT, "count", true); }
static int l_count_distinct(lua_State *L) {
  return mark_aggregate(L, WEFT_E_COUNT_DISTINCT, "count_distinct", false);
}
static int l_sum(lua_State *L) { return mark_aggregate(L, WEFT_E_SUM, "sum", false); }
static int l_avg(lua_State *L) { return mark_aggregate(L, WEFT_E_AVG, "avg", false); }
static int l_min(lua_State *L) { return mark_aggregate(L, WEFT_E_MIN, "min", false); }
static int l_max(lua_State *L) { return mark_aggregate(L, WEFT_E_MAX, "max", false); }

void weft_lua_open_query(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg steps[] = {
      {"where", l_where},   {"having", l_having}, {"select", l_select},     {"group", l_group},
      {"order", l_order},   {"limit", l_limit},   {"offset", l_offset},     {"distinct", l_distinct},
      {"lock", l_lock},     {"batch", l_batch},   {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"model", l_model},   {"info", l_info},     {"is_query", l_is_query}, {"table", l_table},
      {"eval", l_eval},
      {"any_of", l_any_of}, {"all_of", l_all_of}, {"negate", l_negate},     {"count", l_count},
      {"count_distinct", l_count_distinct},       {"sum", l_sum},           {"avg", l_avg},
      {"min", l_min},       {"max", l_max},       {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_CONDITION, "weft.condition", NULL);
  lua_pop(L, 1);
  weft_lua_metatable(L, w, SLOT_MT_AGGREGATE, "weft.aggregate", NULL);
  lua_pop(L, 1);
  lua_newtable(L);
  weft_lua_functions(L, w, steps);
  lua_setfield(L, -2, "query_methods"); /* terminal.c adds to it */
  weft_lua_functions(L, w, functions);
}
