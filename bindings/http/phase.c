/* SPDX-License-Identifier: MIT */
/* Invariants: each client is in the list of its phase, which is in the order of deadlines because all in it wait
   equally long and who begins goes to its tail. The timer, when it runs, fires no later than the earliest deadline;
   it is not moved when a deadline is, so that a request costs no timer: it fires, looks, and is set anew. */
#include "http_private.h"

#define NEVER INT64_MAX
#define LINGER_NS INT64_C(2000000000)

static int64_t patience(const struct weft_http *h, enum weft_phase phase) {
  switch (phase) {
  case PHASE_IDLE: return h->o.idle_ns < 0 ? NEVER : h->o.idle_ns;
  case PHASE_HEAD: return h->o.head_ns;
  case PHASE_BODY: return h->o.body_ns;
  case PHASE_WRITE: return h->o.write_ns;
  case PHASE_LINGER: return LINGER_NS;
  default: return NEVER;
  }
}

void weft_phase_wake(struct weft_http *h, int64_t at) {
  if (h->timer_at && h->timer_at <= at) return;
  h->timer_at = at;
  weft_timer_start(h->timer, at);
}

void weft_phase_enter(struct weft_client *c, enum weft_phase phase) {
  struct weft_http *h = c->http;
  if ((c->phase == PHASE_IDLE) != (phase == PHASE_IDLE)) HTTP_COUNT(h->count.idle, phase == PHASE_IDLE ? 1 : -1);
  c->phase = (uint8_t)phase;
  weft_list_remove(&c->link);
  weft_list_push(&h->phases[phase], &c->link);
  int64_t wait = patience(h, phase);
  c->deadline = wait == NEVER ? NEVER : weft_loop_now(h->loop) + wait;
  if (wait != NEVER) weft_phase_wake(h, c->deadline);
}

static struct weft_client *first(struct weft_http *h, int phase) {
  if (weft_list_empty(&h->phases[phase])) return NULL;
  return WEFT_CONTAINER(h->phases[phase].next, struct weft_client, link);
}

void weft_phase_sweep(void *http) {
  struct weft_http *h = http;
  int64_t now = weft_loop_now(h->loop), next = NEVER;
  h->timer_at = 0;
  weft_listen_resume(h);
  for (int phase = PHASE_IDLE; phase < PHASES; phase++) {
    struct weft_client *c;
    while ((c = first(h, phase)) && c->deadline <= now) weft_client_overdue(c);
    if (c && c->deadline < next) next = c->deadline;
  }
  if (next != NEVER) weft_phase_wake(h, next);
}
