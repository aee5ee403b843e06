/* SPDX-License-Identifier: MIT */
/* Giving operations up: the server is asked to stop by another connection, which the thread pool opens. The
   operation ends when its answer is here and that connection is closed, because only then no later statement
   can be hit. The pool's patience bounds that wait. */
#include "mysql.h"

#include <stdio.h>
#include <stdlib.h>

struct weft_my_kill {
  struct weft_arena arena;
  struct weft_my_settings set;
  struct weft_my_conn *conn; /* NULL: the connection is gone */
  unsigned long thread;
  bool ended;
  int tries;
};

int weft_my_why(struct weft_error *err, enum weft_kind why) {
  return weft_fail(err, why, why == WEFT_TIMEOUT ? "the statement ran out of time" : "cancelled");
}

static void run(void *ud) {
  struct weft_my_kill *k = ud;
  MYSQL *my = weft_my_handle(&k->set);
  char text[64];
  snprintf(text, sizeof text, "kill query %lu", k->thread);
  if (weft_my_real_connect(my, &k->set)) mysql_query(my, text);
  mysql_close(my);
  mysql_thread_end();
}

static void free_kill(struct weft_my_kill *k) {
  weft_arena_release(&k->arena);
  free(k);
}

static void ended(void *ud, bool cancelled);

static void ask(struct weft_my_conn *c, struct weft_my_kill *k) {
  k->ended = false;
  weft_loop_work(c->base.loop, run, ended, k);
}

/* It may have overtaken its statement, which then runs on undisturbed. */
static void ask_again(void *ud) {
  struct weft_my_conn *c = ud;
  if (c->kill && c->kill->ended) ask(c, c->kill);
}

static void ended(void *ud, bool cancelled) {
  struct weft_my_kill *k = ud;
  struct weft_my_conn *c = k->conn;
  (void)cancelled;
  k->ended = true;
  if (!c) {
    free_kill(k);
    return;
  }
  if (!c->step) { /* the answer waited for this */
    weft_my_finish(c);
    return;
  }
  if (!c->timer) c->timer = weft_timer_new(c->base.loop, ask_again, c);
  int64_t wait = (int64_t)50000000 << (k->tries < 5 ? k->tries++ : 5);
  weft_timer_start(c->timer, weft_loop_clock(c->base.loop) + wait);
}

bool weft_my_kill_waits(const struct weft_my_conn *c) { return c->kill && !c->kill->ended; }

void weft_my_kill_detach(struct weft_my_conn *c) {
  struct weft_my_kill *k = c->kill;
  c->kill = NULL;
  if (c->timer) weft_timer_stop(c->timer);
  if (!k) return;
  k->conn = NULL;
  if (k->ended) free_kill(k);
}

static void kill_running(struct weft_my_conn *c) {
  if (c->kill) return;
  struct weft_my_kill *k = weft_zalloc(sizeof *k);
  weft_arena_init(&k->arena, NULL, 0);
  weft_my_settings_copy(c->set, &k->arena, &k->set);
  k->conn = c;
  k->thread = mysql_thread_id(c->my);
  c->kill = k;
  ask(c, k);
}

void weft_my_abort(struct weft_conn *base, struct weft_op *op, enum weft_kind why) {
  struct weft_my_conn *c = weft_my_of(base);
  struct weft_error err;
  if (op == c->run.op) {
    kill_running(c);
    return;
  }
  weft_my_why(&err, why);
  weft_conn_finish(base, op, NULL, &err);
}
