/* SPDX-License-Identifier: MIT */
/* Waiting and waking. One code path: inside a task the coroutine yields to the scheduler and is resumed
   in the turn in which its wait is done; on the main coroutine the loop is pumped, never nested. A wait
   that ended at once does not yield; but a task that had many of them in a row lets the others run. */
#include "weft_lua.h"

enum { INLINE_RUN = 128 };

void weft_lua_wait_init(struct wait *wait, void (*cancel)(struct wait *, enum weft_kind)) {
  memset(wait, 0, sizeof *wait);
  weft_list_init(&wait->link);
  wait->cancel = cancel;
}

bool weft_lua_in_lineage(lua_State *L, struct weft_lua *w, const lua_State *owner) {
  if (owner == L) return true;
  for (const struct frame *f = w->frame; f; f = f->prev)
    if (f->co == owner) return true;
  return !w->task && owner == w->main;
}

void weft_lua_may_wait(lua_State *L, struct weft_lua *w, bool shielded) {
  weft_lua_alive(L, w);
  if (w->task && w->callbacks == 0) {
    if (w->frame->co != L)
      weft_lua_usage(L, w, "this call may wait, and nothing can wait in a coroutine that is being "
                           "closed, or that a coroutine.resume from before require \"weft\" runs");
    if (!lua_isyieldable(L) || !w->frame->yieldable)
      weft_lua_usage(L, w, "this call may wait, and nothing can wait inside a sort comparator, a "
                           "gsub callback, a require body or a finalizer");
    if (w->task->cancelled && !shielded) {
      struct weft_error err;
      weft_fail(&err, WEFT_CANCELLED, "the task was cancelled");
      weft_lua_raise(L, w, &err, NULL);
    }
  } else if (w->callbacks || weft_loop_running(w->loop)) {
    weft_lua_usage(L, w, "this call may wait, and nothing can wait inside an event handler");
  }
}

void weft_lua_wake(struct weft_lua *w, struct wait *wait) {
  if (wait->done) return;
  wait->done = true;
  weft_list_remove(&wait->link);
  if (wait->timer) {
    weft_timer_free(wait->timer);
    wait->timer = NULL;
  }
  if (wait->task) weft_loop_defer(w->loop, &wait->task->item);
}

int weft_lua_given_up(lua_State *L, struct weft_lua *w, const struct wait *wait) {
  struct weft_error err;
  weft_fail(&err, wait->why, "%s", wait->why == WEFT_TIMEOUT ? "the time given by weft.timeout is over"
                                                            : "the task was cancelled");
  return weft_lua_raise(L, w, &err, NULL);
}

/* A wait that waits for itself through others: the statement wants what a transaction holds, and that
   transaction's task awaits the one who runs the statement. */
static bool awaits(struct weft_lua *w, const struct lua_tx *tx, const struct task *who) {
  return weft_lua_waits_for_task(w, tx->task ? tx->task->waiting : w->waiting, who);
}

bool weft_lua_held_up(const struct wait *wait, const struct weft_tx *tx) {
  return (wait->call && weft_call_waits_for(wait->call, tx)) ||
         (wait->fetch && weft_fetch_waits_for(wait->fetch, tx));
}

void weft_lua_find_deadlock(struct weft_lua *w, struct wait *wait, const struct task *who) {
  if (!(wait->call || wait->fetch) || !wait->cancel || !who) return;
  for (struct weft_list *l = w->txs.next; l != &w->txs; l = l->next) {
    struct lua_tx *tx = WEFT_CONTAINER(l, struct lua_tx, link);
    if (tx->tx && weft_lua_held_up(wait, tx->tx) && awaits(w, tx, who)) {
      wait->why = WEFT_DEADLOCK;
      wait->cancel(wait, WEFT_DEADLOCK);
      return;
    }
  }
}

int weft_lua_wait(lua_State *L, struct weft_lua *w, struct wait *wait, lua_KContext ctx,
                  lua_KFunction k) {
  struct weft_error err;
  struct task *t = w->task;
  if (!wait->done) weft_lua_find_deadlock(w, wait, t);
  bool turn = wait->done && t && ++t->inlined > INLINE_RUN && !t->cancelled;
  wait->co = L;
  if (t && (turn || !wait->done)) {
    wait->task = t;
    t->waiting = turn ? NULL : wait;
    w->suspending = true;
    if (turn) weft_loop_defer(w->loop, &t->item);
    return lua_yieldk(L, 0, ctx, k);
  }
  if (!wait->done) {
    w->waiting = wait;
    int rc = weft_loop_pump(w->loop, &wait->done, &err);
    w->waiting = NULL;
    if (rc) return weft_lua_raise(L, w, &err, NULL);
  }
  return k(L, LUA_OK, ctx);
}
