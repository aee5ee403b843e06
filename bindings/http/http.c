/* SPDX-License-Identifier: MIT */
/* Invariants:
   - A client is freed only when the turn ends: whoever holds one checks fd >= 0.
   - held counts what may still come back to the server: exchanges in the handler's hands and works on the thread
     pool. After weft_http_free its memory goes with the last of them. */
#include "http_private.h"

#include <stdlib.h>

#include "clock.h"

#define SECOND INT64_C(1000000000)

static void defaults(struct weft_http_options *o) {
#define DEFAULT(field, value) \
  if (!o->field) o->field = (value)
  DEFAULT(server, "weft");
  DEFAULT(max_target, 8 * 1024);
  DEFAULT(max_head, 32 * 1024);
  DEFAULT(max_headers, 100);
  DEFAULT(max_body, 1024 * 1024);
  DEFAULT(max_connections, 16384);
  DEFAULT(max_in_flight, 1024);
  DEFAULT(head_ns, 10 * SECOND);
  DEFAULT(body_ns, 30 * SECOND);
  DEFAULT(idle_ns, 75 * SECOND);
  DEFAULT(write_ns, 30 * SECOND);
  DEFAULT(high_water, 256 * 1024);
  DEFAULT(gzip_min, 1024);
#undef DEFAULT
}

void weft_http_dirty(struct weft_client *c) {
  if (!weft_list_empty(&c->dirty)) return;
  weft_list_push(&c->http->dirty, &c->dirty);
  weft_loop_at_end(c->http->loop, &c->http->turn);
}

static void each_client(struct weft_http *h, void (*fn)(struct weft_client *c)) {
  for (int phase = 0; phase < PHASES; phase++) {
    struct weft_list all;
    weft_list_init(&all);
    weft_list_splice(&all, &h->phases[phase]);
    for (struct weft_list *at; (at = weft_list_take(&all));) {
      struct weft_client *c = WEFT_CONTAINER(at, struct weft_client, link);
      weft_list_push(&h->phases[phase], at);
      fn(c);
    }
  }
}

static void end_turn(struct weft_hook *hook) {
  struct weft_http *h = WEFT_CONTAINER(hook, struct weft_http, turn);
  struct weft_list now;
  if (h->idle_left) each_client(h, weft_client_drain);
  h->idle_left = false;
  weft_list_init(&now);
  weft_list_splice(&now, &h->dirty);
  for (struct weft_list *at; (at = weft_list_take(&now));)
    weft_client_turn(WEFT_CONTAINER(at, struct weft_client, dirty));
  for (struct weft_list *at; (at = weft_list_take(&h->dead));) {
    struct weft_client *c = WEFT_CONTAINER(at, struct weft_client, link);
    weft_list_remove(&c->dirty);
    free(c);
  }
  weft_http_check_drained(h);
}

int weft_http_new(struct weft_loop *loop, const struct weft_http_options *o, const struct weft_http_handler *handler,
                  struct weft_http **out, struct weft_error *err) {
  struct weft_http *h = weft_zalloc(sizeof *h);
  h->loop = loop;
  if (o) h->o = *o;
  defaults(&h->o);
  h->handler = *handler;
  if (weft_trusted_parse(&h->trusted, h->o.trusted, err) < 0) {
    free(h);
    return -1;
  }
  weft_head_server(h, h->o.server);
  h->o.server = NULL, h->o.trusted = NULL; /* they are the caller's */
  h->read = weft_alloc(HTTP_READ);
  for (int i = 0; i < PHASES; i++) weft_list_init(&h->phases[i]);
  weft_list_init(&h->listeners);
  weft_list_init(&h->dirty);
  weft_list_init(&h->dead);
  weft_list_init(&h->free);
  weft_list_init(&h->turn.link);
  h->turn.run = end_turn;
  h->timer = weft_timer_new(loop, weft_phase_sweep, h);
  h->ids[0] = weft_clock_random(), h->ids[1] = weft_clock_random();
  *out = h;
  return 0;
}

static void destroy(struct weft_http *h) {
  bool *closed = h->closed;
  weft_exchange_free_all(h);
  while (h->nspares) weft_buf_release(&h->spares[--h->nspares]);
  weft_zip_free(h->zip);
  free(h->trusted.networks);
  free(h->read);
  free(h);
  if (closed) *closed = true;
}

void weft_http_unref(struct weft_http *h) {
  h->held--;
  if (h->freed && h->held == 0) destroy(h);
}

void weft_http_free(struct weft_http *h, bool *closed) {
  h->closed = closed;
  h->drained = NULL;
  h->held++; /* nothing that ends below takes the server away */
  weft_listen_stop(h);
  each_client(h, weft_client_close);
  end_turn(&h->turn);
  weft_list_remove(&h->turn.link);
  weft_timer_free(h->timer);
  h->freed = true;
  weft_http_unref(h);
}

void weft_http_drain(struct weft_http *h, void (*done)(void *ud), void *ud) {
  h->draining = true;
  h->drained = done, h->drained_ud = ud;
  weft_listen_stop(h);
  h->idle_left = true; /* not now: a handler may have called, whose connection is in the middle of something */
  weft_loop_at_end(h->loop, &h->turn);
}

void weft_http_check_drained(struct weft_http *h) {
  void (*done)(void *ud) = h->drained;
  if (!h->draining || !done || atomic_load_explicit(&h->count.open, memory_order_relaxed) > 0) return;
  h->drained = NULL;
  done(h->drained_ud);
}

/* ---- buffers ---- */

struct weft_buf weft_http_spare(struct weft_http *h) {
  struct weft_buf b;
  if (h->nspares) return h->spares[--h->nspares];
  weft_buf_init(&b);
  return b;
}

void weft_http_spare_back(struct weft_http *h, struct weft_buf *b) {
  if (b->p && b->cap <= HTTP_SPARE && h->nspares < HTTP_SPARES) {
    weft_buf_reset(b);
    h->spares[h->nspares++] = *b;
    weft_buf_init(b);
  } else {
    weft_buf_release(b);
  }
}

/* ---- counters ---- */

void weft_http_stats(const struct weft_http *h, struct weft_http_stats *out) {
#define READ(field) out->field = atomic_load_explicit(&h->count.field, memory_order_relaxed)
  READ(connections);
  READ(requests);
  READ(refused);
  READ(bytes_in);
  READ(bytes_out);
  READ(timeouts);
  READ(resets);
  READ(open);
  READ(idle);
  READ(in_flight);
#undef READ
}
