/* SPDX-License-Identifier: MIT */
/* Names of associations in a query become the hops that they stand for. What they are is known to Lua; what
   cannot be bound yet is asked for: an association that is not wired, or the keys of rows that live in
   another database. Nothing here waits: core.bind says what it needs, lua/weft gets it and asks again.

   Each expression and each join is bound in protected mode, in a stack frame of its own with the root's
   model info at 1 and the answers at 2. So whatever is raised comes out when the half-made query was let go,
   and what is needed stands on top of that frame when it is left. */
#include "query_bind.h"
#include "weft_lua.h"

enum { ROOT = 1, ANSWERS = 2 };
enum need { NEED_NOTHING, NEED_ASSOCIATION, NEED_KEYS, NEED_HOOKS, NEED_RAISE };

struct scope { /* whose names are meant */
  const struct weft_table *table;
  int info; /* stack index of its model info */
};

struct binder {
  lua_State *L;
  struct weft_lua *w;
  struct weft_error *err;
  const struct weft_table *table; /* of the root */
  int info, answers;              /* where the two are outside; answers 0: none can be had */
  uint32_t nanswers;              /* hops to other databases met so far */
  enum need need;                 /* then it is on top of the stack: two values, or what is raised */
  /* what is bound now: an expression of a clause, or a join behind prev, whose reference is held here */
  struct weft_query *clause, *prev;
  const struct weft_query *join;
  const struct weft_expr *expr;
  int status;
};

static int bind(struct binder *b, const struct scope *s, const struct weft_expr *e,
                const struct weft_expr **out);

static int closed(struct binder *b) {
  return weft_fail(b->err, WEFT_CLOSED, "the model is closed");
}

/* ---- what Lua knows ---- */

static int needs(struct binder *b, enum need need) {
  b->need = need;
  return weft_fail(b->err, WEFT_USAGE, "a name is not known yet");
}

/* Pushes the wired association, a table; -1 when it must be wired first. */
static int push_wired(struct binder *b, const struct scope *s, struct weft_slice name) {
  lua_State *L = b->L;
  if (!lua_checkstack(L, 20)) return weft_fail(b->err, WEFT_USAGE, "conditions are nested too deep");
  weft_lua_slot(L, b->w, SLOT_WIRED);
  lua_pushvalue(L, s->info);
  lua_pushlstring(L, name.p, name.n);
  lua_call(L, 2, 1);
  if (lua_istable(L, -1)) return 0;
  lua_pushvalue(L, s->info);
  lua_pushlstring(L, name.p, name.n);
  return needs(b, NEED_ASSOCIATION);
}

/* Pushes what the i-th hop of the wired association at idx leads to: the model, and its info. */
static struct lua_query *push_target(struct binder *b, int wired, lua_Integer i, lua_Integer nhops) {
  lua_getfield(b->L, wired, i < nhops ? "through" : "to");
  struct lua_query *lq = weft_lua_check_query(b->L, b->w, lua_gettop(b->L));
  lua_getiuservalue(b->L, -1, 1);
  return lq;
}

/* *apart: no statement can follow it. NULL: it is gone, the state is being closed. */
static struct weft_association *hop_at(struct binder *b, int wired, lua_Integer i, bool *apart) {
  lua_State *L = b->L;
  lua_getfield(L, wired, "apart");
  lua_rawgeti(L, -1, i);
  *apart = lua_toboolean(L, -1);
  lua_getfield(L, wired, "hops");
  lua_rawgeti(L, -1, i);
  struct weft_association *a = weft_lua_to_hop(L, b->w, -1);
  lua_pop(L, 4); /* the list keeps it */
  return a;
}

static lua_Integer count_hops(lua_State *L, int wired) {
  lua_getfield(L, wired, "hops");
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_pop(L, 1);
  return n;
}

/* What the definition's where says of the rows of t, AND e. */
static int with_where(struct binder *b, const struct weft_table *t, int wired,
                      const struct weft_expr *e, const struct weft_expr **out) {
  lua_State *L = b->L;
  struct weft_arena *a = &b->clause->arena;
  const struct weft_expr *more;
  int top = lua_gettop(L), rc = 0;
  *out = e;
  lua_getfield(L, wired, "definition");
  if (lua_getfield(L, -1, "where") != LUA_TNIL) {
    rc = weft_lua_condition(L, b->w, lua_gettop(L), a, t, "where", &more, b->err);
    if (rc == 0) *out = weft_expr_logic(a, WEFT_E_AND, (const struct weft_expr *[]){more, e}, 2);
  }
  lua_settop(L, top);
  return rc;
}

/* ---- other databases ---- */

/* Pushes a query on the model at model whose condition is e: its rows' keys are wanted. */
static int ask_keys(struct binder *b, int model, const struct weft_association *hop,
                    const struct weft_expr *e) {
  struct lua_query *asked = weft_lua_push_query(b->L, model);
  struct weft_query *c = weft_query_begin(weft_lua_current(lua_touserdata(b->L, model)), WEFT_C_WHERE);
  c->expr = weft_expr_copy(&c->arena, e);
  weft_query_hold(c, c->expr);
  asked->q = weft_query_end(c);
  lua_createtable(b->L, (int)hop->nkey, 0);
  for (uint32_t i = 0; i < hop->nkey; i++) {
    struct weft_slice name = hop->to->columns[hop->to_key[i]].name;
    lua_pushlstring(b->L, name.p, name.n);
    lua_rawseti(b->L, -2, (lua_Integer)i + 1);
  }
  return needs(b, NEED_KEYS);
}

/* The rows that hop leads to, for which e holds, live elsewhere: their keys stand for them. */
static int elsewhere(struct binder *b, int model, const struct weft_association *hop,
                     const struct weft_expr *e, const struct weft_expr **out) {
  lua_State *L = b->L;
  struct weft_rows *rows;
  uint32_t number;
  lua_Integer index = ++b->nanswers;
  *out = weft_expr_false();
  if (e->kind == WEFT_E_FALSE) return 0;
  if (!lua_istable(L, ANSWERS) || lua_rawgeti(L, ANSWERS, index) != LUA_TTABLE)
    return ask_keys(b, model, hop, e);
  lua_rawgeti(L, -1, 1);
  if (!weft_lua_row(L, b->w, lua_gettop(L), &rows, &number)) return 0;
  return weft_hop_among(&b->clause->arena, hop, rows, out, b->err);
}

/* ---- expressions ---- */

/* What before_query of the scope's model says of its rows, AND e. */
static int hooked(struct binder *b, const struct scope *s, const struct weft_expr *e,
                  const struct weft_expr **out) {
  lua_State *L = b->L;
  struct weft_arena *a = &b->clause->arena;
  const struct weft_expr *more;
  int top = lua_gettop(L);
  *out = e;
  lua_getfield(L, s->info, "before_query");
  bool is = lua_toboolean(L, -1);
  lua_settop(L, top);
  if (!is) return 0;
  lua_pushvalue(L, s->info);
  if (lua_istable(L, ANSWERS)) lua_rawget(L, ANSWERS);
  struct lua_query *lq = weft_lua_to_query(L, b->w, -1); /* answers keeps it */
  lua_settop(L, top);
  if (!lq) return lua_pushvalue(L, s->info), lua_pushnil(L), needs(b, NEED_HOOKS);
  if (weft_query_condition(lq->q, a, &more, b->err) || bind(b, s, more, &more)) return -1;
  *out = weft_expr_logic(a, WEFT_E_AND, (const struct weft_expr *[]){more, e}, 2);
  return 0;
}

/* The i-th hop and those behind it: is there a row at their end for which e holds? */
static int bind_hops(struct binder *b, int wired, lua_Integer i, lua_Integer nhops,
                     const struct weft_expr *e, const struct weft_expr **out) {
  const struct weft_expr *inner;
  bool apart;
  if (!lua_checkstack(b->L, 20)) return weft_fail(b->err, WEFT_USAGE, "conditions are nested too deep");
  struct weft_association *hop = hop_at(b, wired, i, &apart);
  if (!hop) return closed(b);
  struct lua_query *target = push_target(b, wired, i, nhops);
  int info = lua_gettop(b->L);
  const struct scope s = {weft_relation_table(target->model->relation), info};
  int rc = i < nhops ? bind_hops(b, wired, i + 1, nhops, e, &inner)
                     : with_where(b, s.table, wired, e, &inner) || bind(b, &s, inner, &inner);
  if (rc == 0 && apart) rc = elsewhere(b, info - 1, hop, inner, out);
  else if (rc == 0 && (rc = hooked(b, &s, inner, &inner)) == 0)
    *out = weft_expr_some(&b->clause->arena, hop->name, hop, false, inner);
  if (rc) return -1;
  lua_settop(b->L, info - 2);
  return 0;
}

static int bind_some(struct binder *b, const struct scope *s, const struct weft_expr *e,
                     const struct weft_expr **out) {
  if (push_wired(b, s, e->name)) return -1;
  int wired = lua_gettop(b->L);
  if (bind_hops(b, wired, 1, count_hops(b->L, wired), e->kids[0], out)) return -1;
  lua_settop(b->L, wired - 1);
  return 0;
}

/* e is of the scope, undotted and merged. */
static int bind_merged(struct binder *b, const struct scope *s, const struct weft_expr *e,
                       const struct weft_expr **out) {
  struct weft_arena *a = &b->clause->arena;
  *out = e;
  if (e->kind == WEFT_E_SOME) return e->association ? 0 : bind_some(b, s, e, out);
  if (e->nkids == 0 || !weft_expr_loose(e)) return 0;
  const struct weft_expr **kids = weft_arena_alloc(a, e->nkids * sizeof *kids);
  for (uint32_t i = 0; i < e->nkids; i++)
    if (bind_merged(b, s, e->kids[i], &kids[i])) return -1;
  if (e->kind == WEFT_E_AND || e->kind == WEFT_E_OR) {
    *out = weft_expr_logic(a, e->kind, kids, e->nkids);
  } else if (e->kind == WEFT_E_NOT || e->kind == WEFT_E_UNTRUE) {
    *out = weft_expr_unary(a, e->kind, kids[0]);
  } else {
    struct weft_expr *copy = weft_arena_alloc(a, sizeof *copy);
    *copy = *e;
    copy->kids = kids;
    *out = copy;
  }
  return 0;
}

static int bind(struct binder *b, const struct scope *s, const struct weft_expr *e,
                const struct weft_expr **out) {
  struct weft_arena *a = &b->clause->arena;
  if (e->depth > WEFT_EXPR_DEPTH) return *out = e, 0;
  e = weft_expr_undot(a, s->table, s->info == ROOT ? b->clause->prev : NULL, e);
  return bind_merged(b, s, weft_expr_merge(a, e), out);
}

static int bind_root(struct binder *b) {
  return bind(b, &(struct scope){b->table, ROOT}, b->expr, &b->expr);
}

/* ---- joins ---- */

/* What must hold of the rows that the i-th hop leads to, said by the join in b->clause. */
static int join_condition(struct binder *b, int wired, lua_Integer i, lua_Integer nhops) {
  const struct weft_expr *e = weft_expr_true();
  struct lua_query *target = push_target(b, wired, i, nhops);
  const struct scope s = {weft_relation_table(target->model->relation), lua_gettop(b->L)};
  if (i == nhops && (with_where(b, s.table, wired, e, &e) || bind(b, &s, e, &e))) return -1;
  if (hooked(b, &s, e, &e)) return -1;
  if (e->kind != WEFT_E_TRUE) weft_query_hold(b->clause, b->clause->expr = weft_expr_copy(&b->clause->arena, e));
  lua_settop(b->L, s.info - 2);
  return 0;
}

/* Pushes the info of the model that a join's parent is: of the root, or of a join before it. */
static int push_parent(struct binder *b, struct weft_slice path) {
  lua_State *L = b->L;
  lua_pushvalue(L, ROOT);
  while (path.n) {
    const char *dot = memchr(path.p, '.', path.n);
    struct weft_slice first = weft_slice(path.p, dot ? (size_t)(dot - path.p) : path.n);
    if (push_wired(b, &(struct scope){NULL, lua_gettop(L)}, first)) return -1;
    push_target(b, lua_gettop(L), 1, 1);
    path = dot ? weft_slice(dot + 1, path.n - first.n - 1) : weft_slice(NULL, 0);
  }
  return 0;
}

/* What a table in between is joined as. */
static struct weft_slice between_name(struct weft_arena *a, struct weft_slice path) {
  char *name = weft_arena_bytes(a, path.n + 1);
  memcpy(name, path.p, path.n);
  name[path.n] = '>';
  return weft_slice(name, path.n + 1);
}

static int bind_hops_joined(struct binder *b, int wired) {
  lua_Integer nhops = count_hops(b->L, wired);
  struct weft_slice parent = b->join->on[0];
  for (lua_Integer i = 1; i <= nhops; i++) {
    bool apart;
    struct weft_association *hop = hop_at(b, wired, i, &apart);
    if (!hop) return closed(b);
    if (apart)
      return weft_fail(b->err, WEFT_UNSUPPORTED,
                       "'%.*s' cannot be joined: its rows live in another database, or have keys of another "
                       "type; include and weft.some work across them",
                       (int)b->join->name.n, b->join->name.p);
    struct weft_slice name = i < nhops ? between_name(&b->prev->arena, b->join->name) : b->join->name;
    b->clause = b->prev = weft_query_join_hop(b->prev, b->join, name, parent, hop);
    if (join_condition(b, wired, i, nhops)) return -1;
    weft_query_end(b->clause);
    parent = name;
  }
  return 0;
}

static int bind_join(struct binder *b) {
  struct weft_slice last = b->join->name, parent = b->join->on[0];
  if (parent.n) last = weft_slice(last.p + parent.n + 1, last.n - parent.n - 1);
  if (push_parent(b, parent)) return -1;
  if (push_wired(b, &(struct scope){NULL, lua_gettop(b->L)}, last)) return -1;
  return bind_hops_joined(b, lua_gettop(b->L));
}

/* ---- protected mode ---- */

static int frame(lua_State *L) { /* root, answers or nil, binder */
  struct binder *b = lua_touserdata(L, 3);
  b->status = b->join ? bind_join(b) : bind_root(b);
  return b->need ? 2 : 0;
}

static int bind_protected(struct binder *b) {
  lua_State *L = b->L;
  if (!lua_checkstack(L, 8)) return weft_fail(b->err, WEFT_USAGE, "conditions are nested too deep");
  lua_pushcfunction(L, frame);
  lua_pushvalue(L, b->info);
  if (b->answers) lua_pushvalue(L, b->answers);
  else lua_pushnil(L);
  lua_pushlightuserdata(L, b);
  if (lua_pcall(L, 3, LUA_MULTRET, 0) == LUA_OK) return b->status;
  b->need = NEED_RAISE;
  return weft_fail(b->err, WEFT_INTERNAL, "see the stack");
}

static int map(void *ud, struct weft_query *clause, const struct weft_expr *e,
               const struct weft_expr **out, struct weft_error *err) {
  struct binder *b = ud;
  (void)err;
  if (clause->clause == WEFT_C_JOIN) return *out = e, 0; /* is bound */
  b->clause = clause;
  b->join = NULL;
  b->expr = e;
  int rc = bind_protected(b);
  *out = b->expr;
  return rc;
}

static struct weft_query *map_join(void *ud, struct weft_query *prev, const struct weft_query *join,
                                   struct weft_error *err) {
  struct binder *b = ud;
  (void)err;
  if (weft_query_joins(prev, join->name)) return prev; /* joined twice is joined */
  b->prev = prev;
  b->join = join;
  if (bind_protected(b) == 0) return b->prev;
  weft_query_unref(b->prev);
  return NULL;
}

/* ---- Lua ---- */

int weft_lua_bind_query(lua_State *L, struct weft_lua *w, struct lua_query *lq, int info, int answers,
                        const char **need, struct weft_query **out, struct weft_error *err) {
  static const char *const needed[] = {NULL, "association", "keys", "hooks", NULL};
  struct weft_table *t = weft_relation_table(lq->model->relation);
  struct binder b = {.L = L, .w = w, .err = err, .table = t, .info = info, .answers = answers};
  int rc = weft_query_map(lq->q, t, map, map_join, &b, out, err);
  *need = needed[b.need];
  if (b.need == NEED_RAISE) return lua_error(L);
  if (b.need == NEED_KEYS) lua_pushinteger(L, b.nanswers); /* and the number that the answer gets */
  return rc;
}

/* core.bind(query, answers): the query with its names bound; or nil, "association", the model info and the
   name that must be wired; or nil, "keys", a query, a list of columns and the number in answers under which
   the query's rows, with these columns, are expected; or nil, "hooks" and the info of a model: what its hooks make
   of its query is expected in answers under it. The table must be known. */
static int l_bind(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = weft_lua_check_query(L, w, 1);
  struct weft_lua_context about = weft_lua_about(lq, NULL);
  struct weft_error err;
  const char *need;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, 1);
  struct lua_query *bound = weft_lua_push_query(L, 1);
  int rc = weft_lua_bind_query(L, w, lq, 3, 2, &need, &bound->q, &err);
  if (rc == 0 && weft_query_check_all(bound->q, &err) == 0) return 1;
  if (!need) return weft_lua_raise(L, w, &err, &about);
  lua_pushnil(L);
  lua_replace(L, 3);
  lua_pushstring(L, need);
  lua_replace(L, 4);
  return lua_gettop(L) - 2;
}

static int l_loose(lua_State *L) { /* core.loose(query): must its names be bound before it runs? */
  lua_pushboolean(L, weft_lua_check_query(L, weft_lua_self(L), 1)->q->loose);
  return 1;
}

void weft_lua_open_bind(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"bind", l_bind}, {"loose", l_loose}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
