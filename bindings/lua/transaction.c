/* SPDX-License-Identifier: MIT */
/* Transactions as steps that lua/weft/transaction.lua puts together. An open one is found by lineage:
   whoever runs in the coroutine that opened it, in one that it resumed, or in a function of its weft.all. */
#include "weft_lua.h"

uint32_t weft_lua_level(lua_State *L, struct weft_lua *w, const struct lua_tx *tx) {
  uint32_t level = weft_lua_in_lineage(L, w, tx->owner);
  for (uint32_t i = 0; w->task && !level && i < w->task->nlineage; i++)
    if (w->task->lineage[i].tx == tx) level = w->task->lineage[i].level;
  while (level && level <= tx->nlevels && weft_lua_in_lineage(L, w, tx->levels[level - 1])) level++;
  return level;
}

/* The transaction or session of db that the running coroutine is in, and how deep; NULL outside. */
static struct lua_tx *innermost(lua_State *L, struct weft_lua *w, const struct weft_db *db,
                                uint32_t *level) {
  for (struct weft_list *l = w->txs.next; l != &w->txs; l = l->next) {
    struct lua_tx *tx = WEFT_CONTAINER(l, struct lua_tx, link);
    if (tx->db == db && (*level = weft_lua_level(L, w, tx)) > 0) return tx;
  }
  return NULL;
}

struct weft_tx *weft_lua_join(lua_State *L, struct weft_lua *w, struct weft_db *db,
                              uint32_t *level) {
  if (weft_list_empty(&w->txs)) return NULL;
  struct lua_tx *tx = innermost(L, w, db, level);
  return tx ? tx->tx : NULL;
}

static void forget(struct lua_tx *tx) {
  weft_list_remove(&tx->link);
  if (tx->tx) weft_tx_free(tx->tx);
  if (tx->db) weft_db_unref(tx->db);
  tx->tx = NULL;
  tx->db = NULL;
}

static int tx_gc(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_type(L, 1) != LUA_TUSERDATA || !weft_lua_is(L, w, 1, SLOT_MT_TX))
    return weft_lua_usage(L, w, "a transaction is expected");
  forget(lua_touserdata(L, 1));
  return 0;
}

uint32_t weft_lua_abandon(struct weft_lua *w, const struct task *t) {
  uint32_t n = 0;
  for (struct weft_list *l = w->txs.next, *next; l != &w->txs; l = next) {
    struct lua_tx *tx = WEFT_CONTAINER(l, struct lua_tx, link);
    next = l->next;
    if (tx->task != t) continue;
    forget(tx);
    n++;
  }
  return n;
}

static struct lua_tx *check_tx(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_type(L, 1) != LUA_TUSERDATA || !weft_lua_is(L, w, 1, SLOT_MT_TX))
    weft_lua_usage(L, w, "a transaction is expected");
  struct lua_tx *tx = lua_touserdata(L, 1);
  if (!tx->tx) weft_lua_usage(L, w, "the transaction has ended");
  return tx;
}

/* core.tx_new(db, isolation or nil, read_only, session, owner coroutine) */
static int l_new(lua_State *L) {
  static const char *const names[] = {"default", "read committed", "repeatable read",
                                      "serializable", "read uncommitted", NULL};
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  const char *isolation = luaL_optstring(L, 2, "default");
  struct weft_tx_options o = {.read_only = lua_toboolean(L, 3), .session = lua_toboolean(L, 4)};
  int i = 0;
  while (names[i] && strcmp(names[i], isolation)) i++;
  if (!names[i])
    return weft_lua_usage(L, w, "unknown isolation '%s'; one of read committed, repeatable read, "
                                "serializable, read uncommitted", isolation);
  o.isolation = (enum weft_isolation)i;
  weft_lua_may_wait(L, w, false);
  struct lua_tx *tx = lua_newuserdatauv(L, sizeof *tx, 2); /* holds owner and task */
  memset(tx, 0, sizeof *tx);
  weft_list_init(&tx->link);
  weft_lua_slot(L, w, SLOT_MT_TX);
  lua_setmetatable(L, -2);
  lua_pushthread(L);
  lua_setiuservalue(L, -2, 1);
  if (w->task) {
    weft_lua_push_task(L, w, w->task);
    lua_setiuservalue(L, -2, 2);
  }
  tx->db = weft_db_ref(db);
  tx->tx = weft_tx_new(db, &o);
  tx->owner = L;
  tx->task = w->task;
  tx->session = o.session;
  weft_list_push_front(&w->txs, &tx->link);
  return 1;
}

static int l_current(lua_State *L) { /* core.tx_current(db): the userdata's identity as a light one */
  struct weft_lua *w = weft_lua_self(L);
  uint32_t level;
  struct lua_tx *tx = innermost(L, w, weft_lua_to_db(L, w, 1), &level);
  if (!tx) return 0;
  lua_pushlightuserdata(L, tx);
  return 1;
}

static int l_level(lua_State *L) { /* core.tx_level(tx): inside how many of its levels, from 1; 0: outside */
  struct lua_tx *tx = check_tx(L);
  lua_pushinteger(L, weft_lua_level(L, weft_lua_self(L), tx));
  return 1;
}

static int l_id(lua_State *L) {
  lua_pushlightuserdata(L, check_tx(L));
  return 1;
}

/* What a function of the module asks of the core's transaction. */
struct verb {
  const char *op;
  void (*run)(struct weft_tx *, struct weft_call *);
  bool shielded; /* it must come to its end: neither cancelled nor timed out */
  bool opens, closes; /* a level */
  bool ends;
};

static int step_k(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status;
  weft_lua_call_done((struct lua_call *)ctx);
  return 0;
}

static int opened_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_tx *tx = lua_touserdata(L, 1);
  tx->levels[tx->nlevels++] = L;
  return step_k(L, status, ctx);
}

static int step(lua_State *L, const struct verb *v) {
  struct weft_lua *w = weft_lua_self(L);
  struct lua_tx *tx = check_tx(L);
  weft_lua_may_wait(L, w, v->shielded);
  if (v->opens && tx->nlevels == MAX_LEVELS)
    return weft_lua_usage(L, w, "transactions are nested deeper than %d", MAX_LEVELS);
  struct lua_call *c = weft_lua_call(w, v->op);
  if (v->shielded) {
    c->call.deadline = 0;
    c->wait.cancel = NULL;
  }
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(tx->db));
  if (!v->ends) c->call.level = weft_lua_level(L, w, tx);
  if (v->closes && tx->nlevels) tx->nlevels--; /* whatever becomes of the statement */
  if (v->ends) weft_list_remove(&tx->link);
  v->run(tx->tx, &c->call);
  return weft_lua_await(L, c, v->opens ? opened_k : step_k);
}

static int l_savepoint(lua_State *L) {
  static const struct verb v = {.op = "savepoint", .run = weft_tx_savepoint, .opens = true};
  return step(L, &v);
}

static int l_release(lua_State *L) {
  static const struct verb v = {"release", weft_tx_release, .shielded = true, .closes = true};
  return step(L, &v);
}

static int l_rollback_to(lua_State *L) {
  static const struct verb v = {"rollback", weft_tx_rollback_to, .shielded = true, .closes = true};
  return step(L, &v);
}

static int l_commit(lua_State *L) { /* a cancelled task does not begin to commit */
  static const struct verb v = {"commit", weft_tx_commit, .shielded = true, .ends = true};
  if (!check_tx(L)->session) weft_lua_may_wait(L, weft_lua_self(L), false);
  return step(L, &v);
}

static int l_rollback(lua_State *L) {
  static const struct verb v = {"rollback", weft_tx_rollback, .shielded = true, .ends = true};
  return step(L, &v);
}

static int l_end(lua_State *L) { /* core.tx_end(tx): forget it */
  lua_settop(L, 1);
  return tx_gc(L);
}

void weft_lua_open_transaction(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"__gc", tx_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"tx_new", l_new},           {"tx_current", l_current},   {"tx_id", l_id}, {"tx_level", l_level},
      {"tx_savepoint", l_savepoint}, {"tx_release", l_release}, {"tx_rollback_to", l_rollback_to},
      {"tx_commit", l_commit},     {"tx_rollback", l_rollback}, {"tx_end", l_end},
      {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_TX, "weft.tx", meta);
  lua_pop(L, 1);
  weft_lua_functions(L, w, functions);
}
