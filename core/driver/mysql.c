/* SPDX-License-Identifier: MIT */
/* The MySQL driver: its vtable, the life of a connection, and the steps by which it waits. See mysql.h for
   the map.

   A lost connection keeps its memory until close: nothing is watched, and its socket is shut, so that what
   Connector/C still has to say goodbye with cannot block. */
#include "mysql.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

const struct weft_driver *weft_driver_mysql(void) __attribute__((visibility("default")));

static const struct weft_driver driver;

/* ---- steps ---- */

static int events_of(int status) {
  return (status & MYSQL_WAIT_READ ? WEFT_READABLE : 0) |
         (status & MYSQL_WAIT_WRITE ? WEFT_WRITABLE : 0);
}

/* An idle socket is watched for its end; whoever waits to write is, as a rule, told at once. */
static void wait_for(struct weft_my_conn *c, int events) {
  if (!events) events = WEFT_READABLE;
  if (!c->watch || c->events == events) return;
  c->events = events;
  weft_watch_events(c->watch, events);
}

static void went_on(struct weft_my_conn *c, int status) {
  if (status) {
    wait_for(c, events_of(status));
    return;
  }
  const struct weft_my_step *step = c->step;
  c->step = NULL;
  wait_for(c, WEFT_READABLE);
  step->over(c);
}

void weft_my_begin(struct weft_my_conn *c, const struct weft_my_step *step) {
  c->step = step;
  if (c->tls) weft_my_forget_tls_errors();
  went_on(c, step->start(c));
}

static void ready(void *ud, int events) {
  struct weft_my_conn *c = ud;
  struct weft_error err;
  if (c->step) {
    int status = (events & WEFT_READABLE ? MYSQL_WAIT_READ : 0) |
                 (events & WEFT_WRITABLE ? MYSQL_WAIT_WRITE : 0);
    if (c->tls) weft_my_forget_tls_errors();
    went_on(c, c->step->cont(c, status));
    return;
  }
  /* A server that speaks unasked says that it goes. */
  weft_conn_fail(&c->base, &err, WEFT_DISCONNECT, "the server closed the connection");
  weft_my_lost(c, &err);
}

bool weft_my_watch(struct weft_my_conn *c) {
  c->tls = mysql_get_ssl_cipher(c->my) != NULL;
  c->watch = weft_watch_new(c->base.loop, (int)mysql_get_socket(c->my), ready, c);
  wait_for(c, WEFT_READABLE);
  return c->watch != NULL;
}

/* ---- text: one or several statements, all of whose answers are read ---- */

static const struct weft_my_step query, store, next;

static int query_start(struct weft_my_conn *c) {
  return mysql_real_query_start(&c->ret, c->my, c->text, c->length);
}

static int query_cont(struct weft_my_conn *c, int events) {
  return mysql_real_query_cont(&c->ret, c->my, events);
}

static void answered(struct weft_my_conn *c) {
  if (c->ret) c->sent(c);
  else weft_my_begin(c, &store);
}

static int store_start(struct weft_my_conn *c) {
  return mysql_store_result_start(&c->result, c->my);
}

static int store_cont(struct weft_my_conn *c, int events) {
  return mysql_store_result_cont(&c->result, c->my, events);
}

static int keep_rows(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  if (!r->op || r->rows || r->op->plan->flags & WEFT_PLAN_SCRIPT) return 0;
  return weft_my_text_rows(c->result, r->op->plan, &r->rows, &r->err);
}

static void stored(struct weft_my_conn *c) {
  c->ret = !c->result && mysql_errno(c->my);
  if (c->result && keep_rows(c)) c->run.failed = true;
  mysql_free_result(c->result);
  c->result = NULL;
  c->run.number++;
  if (c->ret || !mysql_more_results(c->my)) c->sent(c);
  else weft_my_begin(c, &next);
}

static int next_start(struct weft_my_conn *c) { return mysql_next_result_start(&c->ret, c->my); }

static int next_cont(struct weft_my_conn *c, int events) {
  return mysql_next_result_cont(&c->ret, c->my, events);
}

static const struct weft_my_step query = {query_start, query_cont, answered},
                                 store = {store_start, store_cont, stored},
                                 next = {next_start, next_cont, answered};

void weft_my_send(struct weft_my_conn *c, const char *text, size_t length,
                  void (*sent)(struct weft_my_conn *c)) {
  c->text = text;
  c->length = length;
  c->run.number = 0;
  c->sent = sent;
  weft_my_begin(c, &query);
}

/* ---- back to a fresh session ---- */

static int reset_start(struct weft_my_conn *c) {
  return mysql_reset_connection_start(&c->ret, c->my);
}

static int reset_cont(struct weft_my_conn *c, int events) {
  return mysql_reset_connection_cont(&c->ret, c->my, events);
}

static void reset_over(struct weft_my_conn *c) {
  bool ok = !c->ret;
  c->resetting = false;
  c->base.tx = WEFT_TX_NONE;
  if (!ok) c->base.broken = true;
  weft_conn_reset_done(&c->base, ok);
}

static void was_reset(struct weft_my_conn *c) {
  if (c->ret) reset_over(c);
  else weft_my_send(c, weft_my_session, strlen(weft_my_session), reset_over);
}

static const struct weft_my_step reset_step = {reset_start, reset_cont, was_reset};

static void reset(struct weft_conn *base) {
  struct weft_my_conn *c = weft_my_of(base);
  if (c->lost) {
    weft_conn_reset_done(base, false);
    return;
  }
  weft_my_forget_all(c); /* the server forgets its statements, too */
  c->resetting = true;
  weft_my_begin(c, &reset_step);
}

/* ---- life ---- */

static struct weft_conn *
open_connection(struct weft_loop *l, const struct weft_settings *s, void *owner,
                void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  struct weft_my_conn *c = weft_zalloc(sizeof *c);
  weft_conn_init(&c->base, &driver, l, s, owner, on_open);
  c->set = s->data;
  weft_statements_init(&c->statements, WEFT_MY_STATEMENTS);
  weft_arena_init(&c->run.arena, NULL, 0);
  weft_my_connect(c);
  return &c->base;
}

/* Shuts the socket and lets the call that is suspended run to its failure: what it holds would leak, and what
   it uses would be freed under it. */
static void hang_up(struct weft_my_conn *c) {
  const struct weft_my_step *step = c->step;
  c->step = NULL;
  weft_watch_free(c->watch);
  c->watch = NULL;
  if (c->my && c->my->net.pvio) shutdown((int)mysql_get_socket(c->my), SHUT_RDWR); /* else it is closed */
  if (!step) return;
  while (step->cont(c, MYSQL_WAIT_TIMEOUT)) continue;
  mysql_free_result(c->result);
  c->result = NULL;
}

void weft_my_lost(struct weft_my_conn *c, const struct weft_error *err) {
  if (c->lost) return;
  c->lost = true;
  hang_up(c);
  weft_my_kill_detach(c);
  weft_my_drop_run(c);
  weft_conn_lost(&c->base, err);
}

/* The handle goes before its statements: they would talk to the server. */
void weft_my_free(struct weft_my_conn *c) {
  weft_my_stop_connecting(c);
  weft_my_kill_detach(c);
  weft_timer_free(c->timer);
  if (c->step) hang_up(c);
  weft_watch_free(c->watch);
  if (c->my) mysql_close(c->my);
  weft_my_drop_run(c);
  weft_my_forget_all(c);
  weft_statements_release(&c->statements);
  weft_arena_release(&c->run.arena);
  free(c);
}

static void close_connection(struct weft_conn *base) {
  struct weft_my_conn *c = weft_my_of(base);
  struct weft_error err;
  if (base->state == WEFT_CONN_READY && !weft_list_empty(&base->ops)) {
    weft_conn_fail(base, &err, WEFT_DISCONNECT, "the connection was closed");
    weft_my_lost(c, &err);
  }
  base->state = WEFT_CONN_CLOSED;
  weft_my_free(c);
}

static bool alive(struct weft_conn *base) {
  struct weft_my_conn *c = weft_my_of(base);
  char byte;
  return c->my->net.pvio &&
         recv((int)mysql_get_socket(c->my), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

static void flush(struct weft_conn *c) { (void)c; }

static const struct weft_driver driver = {
    .abi = WEFT_DRIVER_ABI,
    .name = "mysql",
    .dialect = &weft_dialect_mysql,
    .caps = WEFT_DRIVER_CANCELS,
    .configure = weft_my_configure,
    .open = open_connection,
    .submit = weft_my_submit,
    .flush = flush,
    .abort = weft_my_abort,
    .reset = reset,
    .close = close_connection,
    .alive = alive,
};

const struct weft_driver *weft_driver_mysql(void) { return &driver; }
