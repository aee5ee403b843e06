/* SPDX-License-Identifier: MIT */
/* The PostgreSQL driver: its vtable and the life of a connection. See postgres.h for the map.

   A lost connection keeps its memory until close: libpq's buffers and socket stay, nothing is
   watched. */
#include "postgres.h"

#include <stdlib.h>

#include "clock.h"

const struct weft_driver *weft_driver_postgres(void) __attribute__((visibility("default")));

static const struct weft_driver driver;

struct weft_pg_conn *weft_pg_new(struct weft_loop *l, const struct weft_settings *s, void *owner,
                                 void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  struct weft_pg_conn *c = weft_zalloc(sizeof *c);
  weft_conn_init(&c->base, &driver, l, s, owner, on_open);
  c->set = s->data;
  c->pooled = !c->set->prepare;
  c->nonce = (uint32_t)weft_clock_random();
  weft_list_init(&c->failed.link);
  weft_list_init(&c->flights);
  weft_list_init(&c->spare);
  weft_arena_init(&c->addresses_memory, NULL, 0);
  weft_buf_init(&c->evicted);
  weft_statements_init(&c->statements, WEFT_PG_STATEMENTS);
  weft_pg_params_init(&c->params);
  return c;
}

static void free_flights(struct weft_list *list) {
  for (struct weft_list *at; (at = weft_list_take(list));) {
    struct weft_pg_flight *f = WEFT_CONTAINER(at, struct weft_pg_flight, link);
    weft_rows_unref(f->rows);
    weft_pg_shape_unref(f->shape);
    free(f->err);
    free(f);
  }
}

void weft_pg_free(struct weft_pg_conn *c) {
  weft_list_remove(&c->failed.link);
  weft_pg_stop_connecting(c);
  weft_pg_cancel_detach(c);
  free_flights(&c->flights);
  free_flights(&c->spare);
  weft_pg_forget_all(c);
  weft_statements_release(&c->statements);
  weft_buf_release(&c->evicted);
  weft_pg_params_release(&c->params);
  weft_arena_release(&c->addresses_memory);
  PQfinish(c->pg);
  free(c);
}

/* What is in flight belongs to its starters from here: no flight may outlive that. */
void weft_pg_lost(struct weft_pg_conn *c, const struct weft_error *err) {
  if (c->lost) return;
  c->lost = true;
  if (c->base.state == WEFT_CONN_OPENING) {
    weft_pg_fail_open(c, err);
    return;
  }
  weft_watch_free(c->watch);
  c->watch = NULL;
  weft_pg_cancel_detach(c);
  free_flights(&c->flights);
  c->held = c->ready = 0;
  weft_conn_lost(&c->base, err);
}

void weft_pg_watch(struct weft_pg_conn *c, int events) {
  if (!c->watch || c->events == events) return;
  c->events = events;
  weft_watch_events(c->watch, events);
}

void weft_pg_look_at_session(struct weft_pg_conn *c) {
  const char *dates = PQparameterStatus(c->pg, "DateStyle");
  const char *intervals = PQparameterStatus(c->pg, "IntervalStyle");
  bool other = dates && strncmp(dates, "ISO", 3) != 0;
  /* A pooler lends sessions: what it does not restore is not changed. */
  if (c->set->prepare && intervals && strcmp(intervals, "postgres") != 0) other = true;
  c->settling = other;
}

static struct weft_conn *
open_connection(struct weft_loop *l, const struct weft_settings *s, void *owner,
                void (*on_open)(struct weft_conn *, const struct weft_error *)) {
  struct weft_pg_conn *c = weft_pg_new(l, s, owner, on_open);
  weft_pg_connect(c);
  return &c->base;
}

static void close_connection(struct weft_conn *base) {
  struct weft_pg_conn *c = weft_pg_of(base);
  struct weft_error err;
  if (base->state == WEFT_CONN_READY && !weft_list_empty(&base->ops)) {
    weft_conn_fail(base, &err, WEFT_DISCONNECT, "the connection was closed");
    weft_pg_lost(c, &err);
  }
  base->state = WEFT_CONN_CLOSED;
  weft_pg_free(c);
}

static const struct weft_driver driver = {
    .abi = WEFT_DRIVER_ABI,
    .name = "postgres",
    .dialect = &weft_dialect_postgres,
    .caps = WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS,
    .configure = weft_pg_configure,
    .open = open_connection,
    .submit = weft_pg_submit,
    .flush = weft_pg_flush,
    .abort = weft_pg_abort,
    .reset = weft_pg_reset,
    .alive = weft_pg_alive,
    .close = close_connection,
};

const struct weft_driver *weft_driver_postgres(void) {
  return &driver;
}
