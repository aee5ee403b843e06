/* SPDX-License-Identifier: MIT */
/* Tasks: coroutines that the loop resumes. weft.run, spawn, all, sleep, timeout.

   A live task is anchored in SLOT_TASKS by its number; its handle is a userdata that holds the struct,
   with the coroutine as user value. Results or the error stay on the coroutine's stack until somebody
   takes them. Cancellation is sticky: cancelled stays set and every later wait raises. */
#include "weft_lua.h"

#include <stdlib.h>

enum { IDLE_MOST = 1024 };

struct run { /* of one weft.run */
  uint32_t live;
  struct wait wait;
  struct weft_list failed; /* struct task.failed */
};

struct group { /* of one weft.all */
  uint32_t n, live;
  struct wait wait;
  struct task *first_failed;
  struct task *tasks[];
};

/* Holds the handle at idx; numbers are used again, so that the table does not grow. */
static void anchor(lua_State *L, struct weft_lua *w, struct task *t, int idx) {
  lua_pushvalue(L, idx);
  weft_lua_slot(L, w, SLOT_TASKS);
  lua_insert(L, -2);
  t->number = luaL_ref(L, -2);
  lua_pop(L, 1);
}

static void let_go(lua_State *L, struct weft_lua *w, struct task *t) {
  weft_lua_slot(L, w, SLOT_TASKS);
  luaL_unref(L, -1, t->number);
  t->number = LUA_NOREF;
  lua_pop(L, 1);
}

void weft_lua_push_task(lua_State *L, struct weft_lua *w, const struct task *t) {
  weft_lua_slot(L, w, SLOT_TASKS);
  lua_rawgeti(L, -1, t->number);
  lua_remove(L, -2);
}

/* ---- life ---- */

static void end_task(struct task *t, bool failure) {
  struct weft_lua *w = t->w;
  t->ended = true;
  t->failure = failure;
  t->waiting = NULL;
  weft_list_remove(&t->link);
  weft_list_remove(&t->item.link);
  w->ntasks--;
  free(t->lineage);
  t->lineage = NULL;
  t->nlineage = 0;
  if (!weft_list_empty(&t->waiters)) t->taken = true;
  while (!weft_list_empty(&t->waiters))
    weft_lua_wake(w, WEFT_CONTAINER(t->waiters.next, struct wait, link));
  if (t->group) {
    struct group *g = t->group;
    t->taken = true;
    if (failure && !g->first_failed) {
      g->first_failed = t;
      for (uint32_t i = 0; i < g->n; i++)
        if (g->tasks[i] && !g->tasks[i]->ended) weft_lua_cancel(g->tasks[i], WEFT_CANCELLED);
    }
    if (--g->live == 0) weft_lua_wake(w, &g->wait);
  }
  struct run *run = t->run;
  bool keep = run && failure && !t->taken && !t->dropped;
  if (t->on_end) t->on_end(t);
  if (keep) weft_list_push(&run->failed, &t->failed);
  else let_go(w->handlers, w, t);
  if (run && --run->live == 0) weft_lua_wake(w, &run->wait);
}

/* Is the error on top of the stack that somebody cancelled the task? */
static bool is_cancelled(lua_State *L, struct weft_lua *w) {
  if (!lua_istable(L, -1) || !weft_lua_is(L, w, lua_gettop(L), SLOT_MT_ERROR)) return false;
  lua_getfield(L, -1, "kind");
  const char *kind = lua_tostring(L, -1);
  bool is = kind && strcmp(kind, "cancelled") == 0;
  lua_pop(L, 1);
  return is;
}

static int body_k(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
  struct weft_lua *w = weft_lua_of(L);
  if (w->task && w->task->dropped) w->task->dropped = is_cancelled(L, w);
  return lua_error(L);
}

/* What a task's coroutine runs: fn and its arguments under pcall, so that an error closes the variables
   of fn before the task ends, and what closes them may wait. */
static int body(lua_State *L) {
  return body_k(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, body_k), 0);
}

static int never_begins(lua_State *L) { /* in place of body */
  struct weft_error err;
  weft_fail(&err, WEFT_CANCELLED, "the task was cancelled before it began");
  return weft_lua_raise(L, weft_lua_of(L), &err, NULL);
}

static void resume_task(struct weft_hook *item) {
  struct task *t = WEFT_CONTAINER(item, struct task, item);
  struct weft_lua *w = t->w;
  struct frame f = {t->co, NULL, true};
  struct frame *outer = w->frame; /* of a user's coroutine outside of tasks that pumps the loop */
  int nres = 0;
  if (!t->started && t->cancelled) {
    lua_settop(t->co, 0);
    lua_pushcfunction(t->co, never_begins);
    t->nargs = 0;
  }
  t->waiting = NULL;
  t->inlined = 0;
  w->frame = &f;
  w->task = t;
  weft_lua_slice(w);
  int status = LUA_OK;
  if (t->limit && weft_loop_now(w->loop) > t->limit) weft_lua_end_slice(t);
  else status = lua_resume(t->co, NULL, t->started ? 0 : t->nargs, &nres);
  t->started = true;
  if (t->overdue) weft_lua_stopped(t);
  weft_lua_slice(w);
  w->frame = outer;
  w->task = NULL;
  if (t->overdue) {
    w->suspending = false;
    end_task(t, true);
  } else if (status != LUA_YIELD) {
    t->nresults = status == LUA_OK ? nres : 1;
    end_task(t, status != LUA_OK);
  } else if (w->suspending) {
    w->suspending = false;
    if (t->waiting && t->waiting->done) weft_loop_defer(w->loop, &t->item);
  } else { /* a plain coroutine.yield of the task itself: let the others run */
    lua_pop(t->co, nres);
    weft_loop_defer(w->loop, &t->item);
  }
}

static lua_State *take_coroutine(lua_State *L, struct weft_lua *w) { /* pushes it */
  weft_lua_slot(L, w, SLOT_IDLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  if (n > 0) {
    lua_rawgeti(L, -1, n);
    lua_pushnil(L);
    lua_rawseti(L, -3, n);
  } else {
    lua_newthread(L);
    weft_lua_slot(L, w, SLOT_PARKED);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  lua_remove(L, -2);
  return lua_tothread(L, -1);
}

/* The handle at idx has given its results away and nobody else holds it: its coroutine serves again. */
static void give_coroutine(lua_State *L, struct weft_lua *w, lua_State *co) {
  weft_lua_slot(L, w, SLOT_IDLE);
  size_t n = lua_rawlen(L, -1);
  if (n < IDLE_MOST && lua_status(co) == LUA_OK) {
    lua_settop(co, 0);
    lua_sethook(co, NULL, 0, 0); /* it may have become overdue in its last moment */
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_rawseti(L, -2, (lua_Integer)n + 1);
  }
  lua_pop(L, 1);
}

void weft_lua_recycle(lua_State *L, struct weft_lua *w, struct task *t) {
  lua_State *co = t->co;
  if (t->failure) return;
  weft_lua_push_task(L, w, t);
  if (lua_getiuservalue(L, -1, 1) == LUA_TTHREAD) {
    give_coroutine(L, w, co);
    lua_pushnil(L);
    lua_setiuservalue(L, -3, 1);
  }
  lua_pop(L, 2);
}

static void inherit_lineage(lua_State *L, struct weft_lua *w, struct task *t) {
  uint32_t n = 0;
  for (struct weft_list *l = w->txs.next; l != &w->txs; l = l->next) n++;
  if (!n) return;
  t->lineage = weft_alloc(n * sizeof *t->lineage);
  for (struct weft_list *l = w->txs.next; l != &w->txs; l = l->next) {
    struct lua_tx *tx = WEFT_CONTAINER(l, struct lua_tx, link);
    uint32_t level = weft_lua_level(L, w, tx);
    if (level) t->lineage[t->nlineage++] = (struct lineage){tx, level};
  }
}

struct task *weft_lua_spawn(lua_State *L, struct weft_lua *w, int nargs, bool inherit) {
  int base = lua_gettop(L) - nargs; /* of fn */
  weft_lua_alive(L, w);
  luaL_checkstack(L, 8, "a task");
  struct task *t = lua_newuserdatauv(L, sizeof *t, 2); /* the coroutine, the group */
  memset(t, 0, sizeof *t);
  t->w = w;
  t->number = LUA_NOREF;
  weft_list_init(&t->link);
  weft_list_init(&t->waiters);
  weft_list_init(&t->failed);
  weft_list_init(&t->item.link);
  t->item.run = resume_task;
  t->ended = true; /* until it has begun */
  weft_lua_slot(L, w, SLOT_MT_TASK);
  lua_setmetatable(L, -2);
  t->co = take_coroutine(L, w);
  lua_setiuservalue(L, -2, 1);
  lua_sethook(t->co, NULL, 0, 0); /* a new one has that of whoever spawns it, who may be overdue */
  if (!lua_checkstack(t->co, nargs + 2)) luaL_error(L, "too many arguments");
  anchor(L, w, t, -1);
  lua_insert(L, base);
  lua_pushcfunction(t->co, body);
  lua_xmove(L, t->co, nargs + 1);
  t->nargs = nargs + 1;
  t->ended = false;
  t->deadline = weft_lua_deadline(w);
  t->origin = *weft_lua_origin(w);
  if (w->task) {
    t->run = w->task->run;
    t->limit = w->task->limit;
  }
  if (t->run) t->run->live++;
  if (inherit) inherit_lineage(L, w, t);
  weft_list_push(&w->tasks, &t->link);
  w->ntasks++;
  weft_loop_defer(w->loop, &t->item);
  return t;
}

void weft_lua_cancel(struct task *t, enum weft_kind why) {
  if (t->ended || t->cancelled) return;
  t->cancelled = true;
  if (t->waiting && !t->waiting->done && t->waiting->cancel) t->waiting->cancel(t->waiting, why);
}

void weft_lua_close_tasks(struct weft_lua *w) {
  for (struct weft_list *l; (l = weft_list_take(&w->tasks));) {
    struct task *t = WEFT_CONTAINER(l, struct task, link);
    weft_list_remove(&t->item.link);
    if (t->waiting && t->waiting->timer) weft_timer_free(t->waiting->timer);
    if (t->waiting) t->waiting->task = NULL; /* its end resumes nobody */
    free(t->lineage);
    t->lineage = NULL;
    t->ended = true;
    w->ntasks--;
  }
}

/* ---- who waits for whom ---- */

static void cancel_run(struct wait *wait, enum weft_kind why);
static void cancel_group(struct wait *wait, enum weft_kind why);

/* Is `is` true of a task that at waits for, directly or through others? Looks at `left` tasks at most. */
static bool reaches(struct weft_lua *w, const struct wait *at,
                    bool (*is)(const struct task *, const void *), const void *ud, int *left) {
  if (!at || at->done || *left <= 0) return false;
  if (at->target) {
    --*left;
    return is(at->target, ud) || reaches(w, at->target->waiting, is, ud, left);
  }
  if (at->cancel == cancel_group) {
    const struct group *g = WEFT_CONTAINER(at, struct group, wait);
    for (uint32_t i = 0; i < g->n && --*left > 0; i++)
      if (!g->tasks[i]->ended &&
          (is(g->tasks[i], ud) || reaches(w, g->tasks[i]->waiting, is, ud, left)))
        return true;
  } else if (at->cancel == cancel_run) {
    const struct run *run = WEFT_CONTAINER(at, struct run, wait);
    for (struct weft_list *l = w->tasks.next; l != &w->tasks && --*left > 0; l = l->next) {
      const struct task *t = WEFT_CONTAINER(l, struct task, link);
      if (t->run == run && (is(t, ud) || reaches(w, t->waiting, is, ud, left))) return true;
    }
  }
  return false;
}

/* ---- handles ---- */

static struct task *check_task(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  if (lua_type(L, 1) != LUA_TUSERDATA || !weft_lua_is(L, w, 1, SLOT_MT_TASK))
    weft_lua_usage(L, w, "a task is expected, got %s (use task:await(), with a colon)",
                   luaL_typename(L, 1));
  return lua_touserdata(L, 1);
}

/* Results of an ended task onto L, or raises its error. */
static int give_results(lua_State *L, struct task *t) {
  t->taken = true;
  weft_list_remove(&t->failed);
  if (t->failure) {
    lua_pushvalue(t->co, -1);
    lua_xmove(t->co, L, 1);
    return lua_error(L);
  }
  int n = t->nresults, first = lua_gettop(t->co) - n + 1;
  luaL_checkstack(L, n + 1, "results of a task");
  if (!lua_checkstack(t->co, n)) return luaL_error(L, "too many results");
  for (int i = 0; i < n; i++) lua_pushvalue(t->co, first + i);
  lua_xmove(t->co, L, n);
  return n;
}

static void give_up(struct wait *wait, enum weft_kind why) {
  wait->why = why;
  weft_lua_wake(wait->task ? wait->task->w : NULL, wait);
}

static int await_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct wait *wait = (struct wait *)ctx;
  (void)status;
  if (wait->why != WEFT_OK) return weft_lua_given_up(L, w, wait);
  lua_settop(L, 1);
  return give_results(L, lua_touserdata(L, 1));
}

static void timer_wakes(void *ud) { /* a deadline that nothing else watches */
  struct wait *wait = ud;
  wait->why = WEFT_TIMEOUT;
  weft_lua_wake(wait->task ? wait->task->w : wait->target->w, wait);
}

static bool is_held_by(const struct task *t, const void *tx) {
  return t->waiting && weft_lua_held_up(t->waiting, tx);
}

static bool is_task(const struct task *t, const void *who) { return t == who; }

bool weft_lua_waits_for_task(struct weft_lua *w, const struct wait *at, const struct task *who) {
  int left = 10000;
  return reaches(w, at, is_task, who, &left);
}

/* Does t wait, directly or through others, for a transaction that cannot go on before t has ended? */
static bool waits_for_our_tx(lua_State *L, struct weft_lua *w, struct task *t) {
  const struct wait on_t = {.target = t};
  for (struct weft_list *l = w->txs.next; l != &w->txs; l = l->next) {
    struct lua_tx *tx = WEFT_CONTAINER(l, struct lua_tx, link);
    int left = 10000;
    if (tx->tx && reaches(w, &on_t, is_held_by, tx->tx, &left) &&
        (weft_lua_in_lineage(L, w, tx->owner) ||
         (w->task &&
          weft_lua_waits_for_task(w, tx->task ? tx->task->waiting : w->waiting, w->task))))
      return true;
  }
  return false;
}

static int l_await(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct task *t = check_task(L);
  lua_settop(L, 1);
  if (t->ended) return give_results(L, t);
  weft_lua_may_wait(L, w, false);
  if (w->task == t) return weft_lua_usage(L, w, "a task cannot await itself");
  if (waits_for_our_tx(L, w, t)) {
    struct weft_error err;
    weft_fail(&err, WEFT_DEADLOCK, "the awaited task waits for the transaction that is open here");
    return weft_lua_raise(L, w, &err, NULL);
  }
  struct wait *wait = lua_newuserdatauv(L, sizeof *wait, 0);
  weft_lua_wait_init(wait, give_up);
  wait->target = t;
  weft_list_push(&t->waiters, &wait->link);
  if (weft_lua_deadline(w)) {
    wait->timer = weft_timer_new(w->loop, timer_wakes, wait);
    weft_timer_start(wait->timer, weft_lua_deadline(w));
  }
  return weft_lua_wait(L, w, wait, (lua_KContext)wait, await_k);
}

/* core.waits_for_us(task): whether it waits, directly or through others, for the task that runs here. */
static int l_waits_for_us(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  const struct wait on_it = {.target = check_task(L)};
  lua_pushboolean(L, w->task && weft_lua_waits_for_task(w, &on_it, w->task));
  return 1;
}

static int l_cancel(lua_State *L) {
  struct task *t = check_task(L);
  t->dropped = !t->ended;
  weft_lua_cancel(t, WEFT_CANCELLED);
  return 0;
}

static int l_done(lua_State *L) {
  lua_pushboolean(L, check_task(L)->ended);
  return 1;
}

static int task_tostring(lua_State *L) {
  struct task *t = check_task(L);
  lua_pushfstring(L, "weft.task (%s)", !t->ended ? t->started ? "waiting" : "new"
                                       : t->failure ? "failed" : "ended");
  return 1;
}

/* ---- spawn, run, all, sleep, timeout ---- */

static void check_function(lua_State *L, struct weft_lua *w, int idx, const char *who) {
  if (lua_type(L, idx) == LUA_TFUNCTION) return;
  if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL) /* a service can be called */
    weft_lua_usage(L, w, "%s takes a function, got %s", who, luaL_typename(L, idx));
  lua_pop(L, 1);
}

static int l_spawn(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  check_function(L, w, 1, "spawn");
  weft_lua_spawn(L, w, lua_gettop(L) - 1, false);
  return 1;
}

static int run_k(lua_State *L, int status, lua_KContext ctx) {
  struct run *run = (struct run *)ctx;
  struct weft_lua *w = weft_lua_self(L);
  struct task *t = lua_touserdata(L, 2);
  (void)status;
  weft_list_remove(&t->failed);
  struct weft_list *l = weft_list_take(&run->failed);
  struct task *lost = l ? WEFT_CONTAINER(l, struct task, failed) : NULL;
  for (struct weft_list *m; (m = weft_list_take(&run->failed));)
    let_go(L, w, WEFT_CONTAINER(m, struct task, failed));
  if (lost && !t->failure) {
    lua_pushvalue(lost->co, -1);
    lua_xmove(lost->co, L, 1);
    let_go(L, w, lost);
    return lua_error(L);
  }
  if (lost) let_go(L, w, lost);
  let_go(L, w, t);
  return give_results(L, t);
}

static void leave_run(struct task *t) {
  if (t->run) t->run->live--;
  t->run = NULL;
}

/* core.spawn_apart(fn): a task that outlives whoever starts it, of no weft.run and without its deadlines. */
static int l_spawn_apart(lua_State *L) {
  struct task *t = weft_lua_spawn(L, weft_lua_self(L), lua_gettop(L) - 1, false);
  leave_run(t);
  t->deadline = t->limit = 0;
  return 1;
}

/* core.spawn_background(fn): the same, and nobody waits for its end. */
static int l_spawn_background(lua_State *L) {
  l_spawn_apart(L);
  ((struct task *)lua_touserdata(L, -1))->background = true;
  return 1;
}

static void cancel_run(struct wait *wait, enum weft_kind why) {
  struct run *run = WEFT_CONTAINER(wait, struct run, wait);
  struct weft_lua *w = wait->task->w;
  for (struct weft_list *l = w->tasks.next, *next; l != &w->tasks; l = next) {
    struct task *t = WEFT_CONTAINER(l, struct task, link);
    next = l->next;
    if (t->run == run) weft_lua_cancel(t, why);
  }
}

static int l_run(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  check_function(L, w, 1, "run");
  weft_lua_may_wait(L, w, false);
  int nargs = lua_gettop(L) - 1;
  struct run *run = lua_newuserdatauv(L, sizeof *run, 0);
  memset(run, 0, sizeof *run);
  weft_list_init(&run->failed);
  weft_lua_wait_init(&run->wait, cancel_run);
  lua_insert(L, 1);
  struct task *t = weft_lua_spawn(L, w, nargs, true); /* 1 run, 2 handle */
  leave_run(t);
  t->run = run;
  run->live = 1;
  return weft_lua_wait(L, w, &run->wait, (lua_KContext)run, run_k);
}

static int all_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  struct group *g = (struct group *)ctx;
  (void)status;
  if (w->task && w->task->cancelled) {
    g->wait.why = WEFT_CANCELLED;
    return weft_lua_given_up(L, w, &g->wait);
  }
  if (g->first_failed) { /* its handle is in the list at index 2 */
    lua_pushvalue(g->first_failed->co, -1);
    lua_xmove(g->first_failed->co, L, 1);
    return lua_error(L);
  }
  lua_createtable(L, (int)g->n, 1);
  for (uint32_t i = 0; i < g->n; i++) {
    struct task *t = g->tasks[i];
    if (t->nresults > 0) {
      lua_pushvalue(t->co, lua_gettop(t->co) - t->nresults + 1);
      lua_xmove(t->co, L, 1);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_State *co = t->co;
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, 1);
    lua_pop(L, 1);
    give_coroutine(L, w, co);
  }
  lua_pushinteger(L, g->n);
  lua_setfield(L, -2, "n");
  return 1;
}

static void cancel_group(struct wait *wait, enum weft_kind why) {
  struct group *g = WEFT_CONTAINER(wait, struct group, wait);
  for (uint32_t i = 0; i < g->n; i++) weft_lua_cancel(g->tasks[i], why);
}

static int l_all(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  if (!lua_istable(L, 1)) return weft_lua_usage(L, w, "all takes a list of functions");
  uint32_t n = (uint32_t)lua_rawlen(L, 1);
  for (uint32_t i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    check_function(L, w, -1, "all takes a list of functions; an entry");
    lua_pop(L, 1);
  }
  weft_lua_may_wait(L, w, false);
  lua_settop(L, 1);
  lua_createtable(L, (int)n, 0); /* 2: the handles */
  struct group *g = lua_newuserdatauv(L, sizeof *g + n * sizeof *g->tasks, 1); /* 3 */
  memset(g, 0, sizeof *g + n * sizeof *g->tasks);
  lua_pushvalue(L, 2); /* group and tasks hold each other, should memory run out below */
  lua_setiuservalue(L, 3, 1);
  weft_lua_wait_init(&g->wait, cancel_group);
  for (uint32_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    struct task *t = weft_lua_spawn(L, w, 0, true);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, 2);
    t->group = g;
    g->tasks[i] = t;
    g->n = g->live = i + 1;
    lua_rawseti(L, 2, (lua_Integer)i + 1);
  }
  if (n == 0) g->wait.done = true;
  return weft_lua_wait(L, w, &g->wait, (lua_KContext)g, all_k);
}

struct sleep {
  struct wait wait;
  struct weft_lua *w;
  bool deadline; /* it ends at the deadline, not at its own end */
};

static void sleep_over(void *ud) {
  struct sleep *s = ud;
  if (s->deadline) s->wait.why = WEFT_TIMEOUT;
  weft_lua_wake(s->w, &s->wait);
}

static int sleep_k(lua_State *L, int status, lua_KContext ctx) {
  struct sleep *s = (struct sleep *)ctx;
  (void)status;
  return s->wait.why == WEFT_OK ? 0 : weft_lua_given_up(L, s->w, &s->wait);
}

static int64_t seconds(lua_State *L, struct weft_lua *w, int idx, const char *who) {
  lua_Number s = lua_tonumber(L, idx);
  if (lua_type(L, idx) != LUA_TNUMBER || !(s >= 0 && s < 1e9))
    weft_lua_usage(L, w, "%s takes seconds, 0 or more", who);
  return (int64_t)(s * 1e9);
}

static int l_sleep(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  int64_t ns = seconds(L, w, 1, "sleep"), limit = weft_lua_deadline(w);
  weft_lua_may_wait(L, w, false);
  struct sleep *s = lua_newuserdatauv(L, sizeof *s, 0);
  memset(s, 0, sizeof *s);
  weft_lua_wait_init(&s->wait, give_up);
  s->w = w;
  weft_loop_update_now(w->loop);
  int64_t at = weft_loop_now(w->loop) + ns;
  s->deadline = limit && limit < at;
  s->wait.timer = weft_timer_new(w->loop, sleep_over, s);
  weft_timer_start(s->wait.timer, s->deadline ? limit : at);
  return weft_lua_wait(L, w, &s->wait, (lua_KContext)s, sleep_k);
}

static int timeout_k(lua_State *L, int status, lua_KContext ctx) {
  struct weft_lua *w = weft_lua_self(L);
  (void)ctx;
  if (w->task) w->task->deadline = lua_tointeger(L, 1);
  else w->deadline = lua_tointeger(L, 1);
  return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L) - 1 : lua_error(L);
}

static int l_timeout(lua_State *L) { /* timeout(s, fn, ...) */
  struct weft_lua *w = weft_lua_self(L);
  int64_t ns = seconds(L, w, 1, "timeout"), old = weft_lua_deadline(w);
  check_function(L, w, 2, "timeout");
  weft_lua_alive(L, w);
  weft_loop_update_now(w->loop);
  int64_t at = weft_loop_now(w->loop) + ns;
  if (old && old < at) at = old;
  lua_pushinteger(L, old);
  lua_replace(L, 1);
  if (w->task) w->task->deadline = at;
  else w->deadline = at;
  return timeout_k(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, timeout_k), 0);
}

/* A task that is left, one of those that end by themselves before others; these are told to end. */
static struct task *left(const struct weft_lua *w) {
  for (struct weft_list *l = w->tasks.next; l != &w->tasks; l = l->next) {
    struct task *t = WEFT_CONTAINER(l, struct task, link);
    if (!t->background) return t;
  }
  struct task *t = WEFT_CONTAINER(w->tasks.next, struct task, link);
  weft_lua_cancel(t, WEFT_CANCELLED);
  return t;
}

/* core.finish(): runs what tasks are left; raises the first error that nobody took. The program calls it
   when its script has ended. */
static int l_finish(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  lua_settop(L, 0);
  weft_lua_may_wait(L, w, false);
  lua_pushnil(L); /* 1: the error */
  while (!weft_list_empty(&w->tasks)) {
    const struct task *t = left(w);
    weft_lua_push_task(L, w, t); /* 2 */
    lua_getfield(L, 2, "await");
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK && lua_isnil(L, 1) && !t->background && !t->dropped) lua_replace(L, 1);
    lua_settop(L, 1);
  }
  return lua_isnil(L, 1) ? 0 : lua_error(L);
}

static int l_scope(lua_State *L) { /* core.scope(): the number of what the running task works for, or nil */
  const struct weft_lua *w = weft_lua_self(L);
  if (!w->task || !w->task->origin.scope) return 0;
  lua_pushinteger(L, (lua_Integer)w->task->origin.scope);
  return 1;
}

/* core.span(number or nothing): the number that what runs, and what it spawns from now on, hands to events; the
   former one is returned. */
static int l_span(lua_State *L) {
  struct weft_origin *origin = weft_lua_origin(weft_lua_self(L));
  lua_Integer before = (lua_Integer)origin->span;
  if (!lua_isnoneornil(L, 1)) origin->span = (uint64_t)luaL_checkinteger(L, 1);
  lua_pushinteger(L, before);
  return 1;
}

/* Whether a call may wait here (core.waits()): lua/weft asks before it starts what it cannot undo. */
static int l_may_wait(lua_State *L) {
  weft_lua_may_wait(L, weft_lua_self(L), false);
  return 0;
}

void weft_lua_open_task(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg meta[] = {{"await", l_await}, {"cancel", l_cancel}, {"done", l_done},
                                  {"__tostring", task_tostring}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"spawn", l_spawn},   {"run", l_run},
                                       {"all", l_all},       {"sleep", l_sleep},
                                       {"timeout", l_timeout}, {"may_wait", l_may_wait}, {"finish", l_finish},
                                       {"spawn_apart", l_spawn_apart}, {"spawn_background", l_spawn_background},
                                       {"waits_for_us", l_waits_for_us}, {"scope", l_scope}, {"span", l_span},
                                       {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_TASK, "weft.task", meta);
  lua_pop(L, 1);
  lua_newtable(L);
  weft_lua_set_slot(L, w, SLOT_TASKS);
  lua_createtable(L, IDLE_MOST, 0); /* it never grows: tasks end where nothing may fail */
  weft_lua_set_slot(L, w, SLOT_IDLE);
  weft_lua_open_coroutine(L, w);
  weft_lua_functions(L, w, functions);
}
