/* SPDX-License-Identifier: MIT */
/* Queries whose rows come with others below them: the wait for a whole tree, and the tree as Lua tables or
   JSON. */
#include "terminal.h"

#include <stdlib.h>

struct lua_fetch {
  struct weft_fetch fetch;
  struct wait wait;
  struct weft_lua *w;
  struct weft_list link; /* w->fetches */
  struct lua_fetch **box; /* on the stack, so that what Lua raises loses nothing; NULL: collected */
  struct weft_lua_context context;
  struct weft_rows *rows; /* whose keys are read; owned, NULL: those of a query */
  int mode;
  bool again;  /* it is the second try */
  bool waited; /* somebody waits for it */
  struct weft_query *query; /* owned; of a query, to try it again */
};

/* ---- a tree as Lua tables ---- */

/* Each parent of the list at list gets its rows of the list on top, which then is their result's own. */
static void link_rows(lua_State *L, struct weft_lua *w, int list, const struct weft_branch *b) {
  const struct weft_links *links = b->links;
  int kids = lua_gettop(L), name = kids + 1;
  lua_pushlstring(L, b->name.p, b->name.n);
  for (uint32_t i = 0; i < links->nparents; i++) {
    uint32_t from = links->start[i], n = links->start[i + 1] - from;
    if (n == 0 && !b->many) continue;
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    lua_pushvalue(L, name);
    if (b->many) {
      lua_createtable(L, (int)n, 0);
      for (uint32_t k = 0; k < n; k++) {
        lua_rawgeti(L, kids, (lua_Integer)links->child[from + k] + 1);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
      }
      if (n == 0) {
        weft_lua_slot(L, w, SLOT_MT_ARRAY);
        lua_setmetatable(L, -2);
      }
    } else {
      lua_rawgeti(L, kids, (lua_Integer)links->child[from] + 1);
    }
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  lua_settop(L, kids);
}

/* Somebody is to be told of the rows of the list on top: into the list at told, with a list of its own. */
static void tell_later(lua_State *L, int told, int values, uint32_t nrows) {
  int rows = lua_gettop(L);
  if (nrows == 0 || lua_getfield(L, values, "after") == LUA_TNIL) {
    lua_settop(L, rows);
    return;
  }
  lua_rawseti(L, told, (lua_Integer)lua_rawlen(L, told) + 1);
  lua_createtable(L, (int)nrows, 0);
  for (uint32_t i = 1; i <= nrows; i++) {
    lua_rawgeti(L, rows, i);
    lua_rawseti(L, -2, i);
  }
  lua_rawseti(L, told, (lua_Integer)lua_rawlen(L, told) + 1);
}

/* The branches of t below the rows in the list at list; values: the index of the level's user value; told: of
   the list of who is told of rows and these, 0: nobody is. */
static void push_below(lua_State *L, struct weft_lua *w, const struct weft_tree *t, int list,
                       int values, bool strict, int told) {
  luaL_checkstack(L, 12, "a tree of rows");
  for (uint32_t i = 0; i < t->nbranches; i++) {
    const struct weft_branch *b = &t->branches[i];
    int top = lua_gettop(L);
    lua_rawgeti(L, values, (lua_Integer)i + 3);
    lua_getiuservalue(L, -1, 1);
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    weft_lua_push_rows(L, w, b->tree->rows,
                       (struct weft_lua_look){.model = top + 3, .included = top + 4, .strict = strict,
                                              .more = b->tree->nbranches, .below = true});
    link_rows(L, w, list, b);
    push_below(L, w, b->tree, lua_gettop(L), top + 2, strict, told);
    if (told) tell_later(L, told, top + 2, b->tree->rows->nrows);
    if (b->tree->rows->nrows) {
      weft_lua_slot(L, w, SLOT_WEAK);
      lua_setmetatable(L, -2);
    }
    lua_settop(L, top);
  }
}

/* Pushes the list of the root's rows; the query is at 1, the root level at level. */
static void push_tree(lua_State *L, struct weft_lua *w, const struct weft_tree *t, int level,
                      int told) {
  bool strict = weft_lua_strict(((struct lua_query *)lua_touserdata(L, 1))->q);
  lua_getiuservalue(L, level, 1);
  int values = lua_gettop(L);
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, values, 2);
  weft_lua_push_rows(L, w, t->rows,
                     (struct weft_lua_look){.model = values + 1, .included = values + 2,
                                            .strict = strict, .more = t->nbranches});
  push_below(L, w, t, values + 3, values, strict, told);
}

/* Pushes the list that push_below fills; 0 when no level below root has somebody who is told. */
static int push_told(lua_State *L, const struct lua_level *root) {
  if (!root->tells) return 0;
  lua_newtable(L);
  return lua_gettop(L);
}

/* Calls the functions of the list at told, from the i-th on, with their rows; then returns what is on top. */
static int tell(lua_State *L, int status, lua_KContext i) {
  (void)status;
  while (lua_rawgeti(L, -2, i) != LUA_TNIL) {
    lua_rawgeti(L, -3, i + 1);
    i += 2;
    lua_callk(L, 1, 0, i, tell);
  }
  lua_pop(L, 1);
  return 1;
}

/* Returns what is on top, once everybody in the list at told (0: nobody) knows. */
static int told_and(lua_State *L, int told) {
  if (!told) return 1;
  lua_pushvalue(L, told);
  lua_insert(L, -2);
  return tell(L, LUA_OK, 1);
}

/* ---- running ---- */

static void release(struct lua_fetch *c) {
  if (c->box) *c->box = NULL;
  weft_list_remove(&c->link);
  weft_fetch_reset(&c->fetch);
  weft_rows_unref(c->rows);
  if (c->query) weft_query_unref(c->query);
  free(c);
}

/* What is waited for is left to weft_lua_close_fetches: the state is being closed. */
static int box_gc(lua_State *L) {
  struct lua_fetch **box = lua_touserdata(L, 1), *c;
  if (!box || !weft_lua_is(L, weft_lua_self(L), 1, SLOT_MT_FETCH) || !(c = *box)) return 0;
  c->box = NULL;
  *box = NULL;
  if (!c->waited) release(c);
  return 0;
}

void weft_lua_close_fetches(struct weft_lua *w) {
  for (struct weft_list *l = w->fetches.next, *next; l != &w->fetches; l = next) {
    struct lua_fetch *c = WEFT_CONTAINER(l, struct lua_fetch, link);
    next = l->next;
    if (!c->fetch.running) release(c);
  }
}

void weft_lua_drop_fetches(const struct task *t) {
  for (struct weft_list *l = t->w->fetches.next, *next; l != &t->w->fetches; l = next) {
    struct lua_fetch *c = WEFT_CONTAINER(l, struct lua_fetch, link);
    next = l->next;
    if (c->waited && c->wait.task == t && c->wait.done) release(c);
  }
}

const struct wait *weft_lua_fetch_of(const struct weft_lua *w, const struct weft_op *op,
                                     const struct weft_lua_context **context, const struct weft_level **level) {
  for (const struct weft_list *l = w->fetches.next; l != &w->fetches; l = l->next) {
    const struct lua_fetch *c = WEFT_CONTAINER(l, struct lua_fetch, link);
    if (!weft_fetch_runs(&c->fetch, op)) continue;
    *context = &c->context;
    *level = c->rows ? c->fetch.levels[0] : NULL;
    return &c->wait;
  }
  return NULL;
}

static void finished(struct weft_fetch *f) {
  struct lua_fetch *c = f->ud;
  weft_lua_wake(c->w, &c->wait);
}

static void moved(struct weft_fetch *f) {
  struct lua_fetch *c = f->ud;
  weft_lua_find_deadlock(c->w, &c->wait, c->wait.task);
}

static void cancel(struct wait *wait, enum weft_kind why) { weft_fetch_abort(wait->fetch, why); }

static void note_place(lua_State *L, struct weft_lua *w, struct weft_fetch *f, struct weft_db *db) {
  struct weft_fetch_place place = {.db = db};
  for (uint32_t i = 0; i < f->nplaces; i++)
    if (f->places[i].db == db) return;
  if (weft_list_empty(&w->txs)) return;
  place.tx = weft_lua_join(L, w, db, &place.level);
  if (!place.tx) return;
  struct weft_fetch_place *more = weft_arena_alloc(&f->arena, (f->nplaces + 1) * sizeof *more);
  if (f->nplaces) memcpy(more, f->places, f->nplaces * sizeof *more);
  more[f->nplaces++] = place;
  f->places = more;
}

static void note_places(lua_State *L, struct weft_lua *w, struct weft_fetch *f,
                        struct weft_level *const *levels, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    note_place(L, w, f, weft_relation_db(levels[i]->relation));
    note_places(L, w, f, levels[i]->below, levels[i]->nbelow);
  }
}

static int new_box(lua_State *L) { /* the light userdata w */
  struct lua_fetch **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  weft_lua_slot(L, lua_touserdata(L, 1), SLOT_MT_FETCH);
  lua_setmetatable(L, -2);
  return 1;
}

/* Pushes its box. query: owned, NULL: none. */
static struct lua_fetch *fetch_new(lua_State *L, struct weft_lua *w, const struct lua_level *root,
                                   struct weft_query *query, struct weft_lua_context context, int mode) {
  lua_pushcfunction(L, new_box);
  lua_pushlightuserdata(L, w);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    if (query) weft_query_unref(query);
    lua_error(L);
  }
  struct lua_fetch **box = lua_touserdata(L, -1), *c = weft_alloc(sizeof *c);
  *box = c;
  c->box = box;
  weft_fetch_init(&c->fetch, finished, c);
  c->fetch.moved = moved;
  weft_lua_wait_init(&c->wait, cancel);
  weft_list_push(&w->fetches, &c->link);
  c->wait.fetch = &c->fetch;
  c->w = w;
  c->mode = mode;
  c->rows = NULL;
  c->again = c->waited = false;
  c->query = query;
  c->context = context;
  c->fetch.deadline = weft_lua_deadline(w);
  c->fetch.origin = *weft_lua_origin(w);
  note_places(L, w, &c->fetch, root->below, root->nbelow);
  return c;
}

static int await(lua_State *L, struct lua_fetch *c, lua_KFunction k) {
  c->waited = true;
  return weft_lua_wait(L, c->w, &c->wait, (lua_KContext)c, k);
}

static struct lua_fetch *answered(lua_KContext ctx) {
  struct lua_fetch *c = (struct lua_fetch *)ctx;
  c->waited = false;
  return c;
}

/* A failure below the root says of which include and database it is. */
static int raise_failed(lua_State *L, struct lua_fetch *c) {
  struct weft_lua *w = c->w;
  struct weft_lua_context context = c->context;
  struct weft_error err = c->fetch.error, own = err;
  const struct weft_level *failed = c->fetch.failed;
  if (failed) {
    weft_fail(&err, own.kind, "'%.*s' of %s: %s", (int)failed->name.n, failed->name.p,
              context.model ? context.model : "rows", own.message);
    err.retryable = own.retryable;
    err.outcome_unknown = own.outcome_unknown;
    memcpy(err.code, own.code, sizeof err.code);
    context.database = weft_db_name(weft_relation_db(failed->relation));
  }
  if (c->wait.why == WEFT_DEADLOCK)
    weft_fail(&err, WEFT_DEADLOCK, "this waits for a transaction whose task waits for this one");
  weft_lua_push_error(L, w, &err, &context);
  release(c);
  return lua_error(L);
}

static int raise_count(lua_State *L, struct lua_fetch *c, uint32_t nrows) {
  struct weft_error err;
  struct weft_lua_context context = c->context;
  struct weft_lua *w = c->w;
  weft_lua_count_error(&err, c->mode, nrows);
  release(c);
  return weft_lua_raise(L, w, &err, &context);
}

static int run(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
               const char *op, int mode, bool again);

/* The stack: the query that is prepared anew, then its op and mode. */
static int again_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_query *lq = lua_touserdata(L, 1);
  const char *op = lua_touserdata(L, 2);
  int mode = (int)lua_tointeger(L, 3);
  (void)status, (void)ctx;
  if (!weft_lua_push_levels(L, w, 1)) return luaL_error(L, "the query was not prepared");
  return run(L, w, lq, weft_query_ref(weft_lua_current(lq)), op, mode, true);
}

/* The tables were forgotten: levels are made of what they are now. */
static int try_again(lua_State *L, struct lua_fetch *c) {
  struct weft_lua *w = c->w;
  void *op = (void *)(uintptr_t)c->context.op;
  int mode = c->mode;
  weft_lua_push_query(L, 1)->q = weft_query_ref(c->query);
  lua_replace(L, 1);
  release(c);
  lua_settop(L, 1);
  lua_pushlightuserdata(L, op);
  lua_pushinteger(L, mode);
  return weft_lua_prepared(L, w, lua_touserdata(L, 1), again_k);
}

/* The text of the whole tree or its first piece, and what gives the rest; the number of values. */
static int answer_text(lua_State *L, struct lua_fetch *c, int level) {
  struct weft_lua *w = c->w;
  struct weft_lua_context context = c->context;
  struct weft_error err;
  uint32_t row;
  bool more = false;
  weft_buf_reset(&w->text);
  if (c->mode == ANSWER_JSON) weft_json_tree(&w->text, c->fetch.tree);
  else more = weft_lua_first_piece(w, c->fetch.tree, &row);
  if (weft_lua_text_wrong(w, &err)) {
    release(c);
    return weft_lua_raise(L, w, &err, &context);
  }
  weft_lua_push_text(L, w);
  if (more) weft_lua_push_pieces(L, w, NULL, &c->fetch.tree, row, level);
  release(c);
  return 1 + more;
}

/* The stack: the query at 1, the root level on top. */
static int fetched_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_fetch *c = answered(ctx);
  struct weft_lua *w = c->w;
  const struct weft_tree *t = c->fetch.tree;
  int level = lua_gettop(L), told;
  (void)status;
  if (c->fetch.error.kind && !c->again && weft_fetch_suspect(&c->fetch)) return try_again(L, c);
  if (c->fetch.error.kind) return raise_failed(L, c);
  if (weft_lua_count_wrong(c->mode, t->rows->nrows)) return raise_count(L, c, t->rows->nrows);
  if (c->mode == ANSWER_JSON || c->mode == ANSWER_PIECES) return answer_text(L, c, level);
  told = push_told(L, lua_touserdata(L, level));
  push_tree(L, w, t, level, told);
  if (c->mode != ANSWER_ROWS) lua_rawgeti(L, -1, 1);
  release(c);
  return told_and(L, told);
}

/* The root level is on top of the stack. */
static int run(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
               const char *op, int mode, bool again) {
  const struct lua_level *root = lua_touserdata(L, -1);
  struct lua_fetch *c = fetch_new(L, w, root, q, weft_lua_about(lq, op), mode);
  lua_insert(L, -2);
  c->again = again;
  note_place(L, w, &c->fetch, lq->model->db);
  weft_fetch_query(&c->fetch, lq->model->relation, q, root->below, root->nbelow);
  return await(L, c, fetched_k);
}

int weft_lua_run_fetch(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
                       const char *op, int mode) {
  return run(L, w, lq, q, op, mode, false);
}

/* ---- below rows that are there ---- */

/* The keys that the levels take from the tables of the list at 1, one row each. Text is copied: the tables may
   get other values while it is waited for. */
static int read_keys(lua_State *L, struct weft_lua *w, struct weft_rows *rows, struct weft_error *err) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, 1, i) != LUA_TTABLE)
      return weft_fail(err, WEFT_USAGE, "a list of tables is expected, entry %d is a %s", (int)i,
                       luaL_typename(L, -1));
    struct weft_value *cells = weft_rows_add(rows);
    if (!cells) return weft_fail(err, WEFT_USAGE, "too many rows");
    for (uint32_t k = 0; k < rows->ncols; k++) {
      struct weft_slice name = rows->columns->v[k].name;
      lua_pushlstring(L, name.p, name.n);
      int type = lua_rawget(L, -2), rc = 0;
      if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TUSERDATA)
        rc = weft_lua_value(L, w, lua_gettop(L), &rows->arena, NULL, name.p, &cells[k], err);
      else if (type != LUA_TNIL)
        rc = weft_fail(err, WEFT_USAGE, "the key '%s' is a %s", name.p, lua_typename(L, type));
      if (rc) return -1;
      cells[k] = weft_value_copy(&rows->arena, cells[k]);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return 0;
}

static struct weft_columns *key_columns(const struct lua_level *root) {
  struct weft_column *v = weft_alloc((root->nbelow * WEFT_KEY_COLUMNS + 1) * sizeof *v);
  uint32_t n = 0;
  for (uint32_t i = 0; i < root->nbelow; i++)
    for (uint32_t k = 0; k < root->below[i]->nkey; k++) {
      uint32_t at = 0;
      while (at < n && !weft_slice_equal(v[at].name, root->below[i]->parent[k])) at++;
      if (at == n) v[n++] = (struct weft_column){.name = root->below[i]->parent[k], .type = WEFT_ANY};
    }
  struct weft_columns *columns = weft_columns_new(v, n);
  free(v);
  return columns;
}

static int loaded_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_fetch *c = answered(ctx);
  (void)status;
  if (c->fetch.error.kind) return raise_failed(L, c);
  lua_settop(L, 5); /* the box */
  lua_getiuservalue(L, 2, 1);
  int told = push_told(L, weft_lua_to_level(L, c->w, 2));
  push_below(L, c->w, c->fetch.tree, 1, 6, lua_toboolean(L, 4), told);
  release(c);
  lua_pushnil(L);
  return told_and(L, told);
}

/* core.load(list, root, label, strict): loads what the root's levels say below the tables of the list, which
   get it as fields. label: how errors call the tables. */
static int l_load(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_error err;
  lua_settop(L, 4);
  luaL_checktype(L, 1, LUA_TTABLE);
  const struct lua_level *root = weft_lua_to_level(L, w, 2);
  if (!root || !root->below) return luaL_error(L, "levels are expected");
  struct weft_lua_context context = {.op = "load", .model = lua_tostring(L, 3)};
  weft_lua_may_wait(L, w, false);
  struct lua_fetch *c = fetch_new(L, w, root, NULL, context, ANSWER_ROWS);
  struct weft_columns *columns = key_columns(root);
  c->rows = weft_rows_new(columns, (uint32_t)lua_rawlen(L, 1));
  weft_columns_unref(columns);
  if (read_keys(L, w, c->rows, &err)) {
    release(c);
    return weft_lua_raise(L, w, &err, &context);
  }
  weft_fetch_below(&c->fetch, c->rows, root->below, root->nbelow);
  return await(L, c, loaded_k);
}

void weft_lua_open_fetch(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg box[] = {{"__gc", box_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"load", l_load}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_FETCH, "weft.fetch", box);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
