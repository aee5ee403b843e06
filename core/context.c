/* SPDX-License-Identifier: MIT */
/* Invariants: a call is linked in context->timed only while no pool watches its deadline. The
   counters of weft_live are the one piece of state of the process here, and only specs read them.

   The settings of a closed database stay until the loop is gone: connections that are still ending
   look at them. */
#include <stdlib.h>

#include "clock.h"
#include "db_private.h"

struct weft_live_counts weft_live_counts;

static long counted(long *what) { return __atomic_load_n(what, __ATOMIC_RELAXED); }

void weft_live(struct weft_live *out) {
  struct weft_live_counts *c = &weft_live_counts;
  *out = (struct weft_live){.contexts = counted(&c->contexts),
                            .databases = counted(&c->databases),
                            .connections = weft_pool_live(),
                            .leases = counted(&c->leases),
                            .calls = counted(&c->calls),
                            .rows = weft_rows_live()};
}

/* ---- deadlines outside of pools ---- */

static void set_alarm(struct weft_context *c, int64_t at) {
  if (c->alarm_at && c->alarm_at <= at) return;
  c->alarm_at = at;
  weft_timer_start(c->alarm, at);
}

static void ring(void *ud) {
  struct weft_context *c = ud;
  struct weft_list due, *at;
  int64_t now = weft_loop_now(c->loop);
  c->alarm_at = 0;
  weft_list_init(&due);
  weft_list_splice(&due, &c->timed);
  while ((at = weft_list_take(&due))) {
    struct weft_call *call = WEFT_CONTAINER(at, struct weft_call, timed);
    if (call->deadline <= now) {
      weft_call_abort(call, WEFT_TIMEOUT);
    } else {
      weft_list_push(&c->timed, at);
      set_alarm(c, call->deadline);
    }
  }
}

void weft_context_watch(struct weft_context *c, struct weft_call *call) {
  if (!call->deadline || !c->loop) return;
  if (!c->alarm) c->alarm = weft_timer_new(c->loop, ring, c);
  weft_list_remove(&call->timed);
  weft_list_push(&c->timed, &call->timed);
  set_alarm(c, call->deadline);
}

/* ---- events ---- */

void weft_context_report(struct weft_db *db, const struct weft_op *op, int64_t started,
                         const struct weft_origin *origin, const struct weft_rows *rows,
                         const struct weft_error *err) {
  struct weft_context *c = db->context;
  if (!c->event) return;
  int64_t ns = weft_clock_ns() - started;
  struct weft_event_info info = {.db = db,
                                 .op = op,
                                 .sql = op->plan->sql,
                                 .began_ns = started,
                                 .ns = ns,
                                 .started_us = weft_clock_wall_us() - ns / 1000,
                                 .origin = *origin,
                                 .rows = rows ? rows->nrows : 0,
                                 .nparams = op->nparams,
                                 .zero_dates = rows ? rows->zero_dates : 0,
                                 .affected = rows ? rows->affected : -1,
                                 .error = err};
  c->event(c->ud, WEFT_EVENT_QUERY, &info);
}

void weft_context_on_event(struct weft_context *c,
                           void (*event)(void *ud, enum weft_event what,
                                         const struct weft_event_info *info),
                           void *ud) {
  c->event = event;
  c->ud = ud;
}

/* ---- life ---- */

int weft_context_new(void *uv_loop, struct weft_context **out, struct weft_error *err) {
  struct weft_loop *loop;
  if (weft_loop_new(uv_loop, &loop, err)) return -1;
  struct weft_context *c = weft_zalloc(sizeof *c);
  c->refs = 1;
  c->loop = loop;
  c->writers = weft_writers_new();
  c->quiet = true;
  weft_list_init(&c->dbs);
  weft_list_init(&c->retired);
  weft_list_init(&c->timed);
  weft_live_add(&weft_live_counts.contexts, 1);
  *out = c;
  return 0;
}

struct retired {
  struct weft_list link;
  struct weft_settings *settings;
};

void weft_context_retire(struct weft_context *c, struct weft_settings *settings) {
  struct retired *r = weft_alloc(sizeof *r);
  r->settings = settings;
  weft_list_push(&c->retired, &r->link);
}

struct weft_loop *weft_context_loop(struct weft_context *c) { return c->loop; }

void weft_context_share(struct weft_context *c, struct weft_budgets *budgets) { c->budgets = budgets; }

void weft_context_unref(struct weft_context *c) {
  if (--c->refs == 0) free(c);
}

void weft_context_free(struct weft_context *c) {
  if (!c) return;
  while (!weft_list_empty(&c->dbs))
    weft_db_close(WEFT_CONTAINER(c->dbs.next, struct weft_db, link), 0);
  /* Closing failed what was unfinished, except for what a thread is busy with. */
  if (!c->quiet && !weft_loop_running(c->loop)) weft_loop_pump(c->loop, &c->quiet, NULL);
  weft_timer_free(c->alarm);
  c->alarm = NULL;
  weft_loop_free(c->loop);
  c->loop = NULL;
  for (struct weft_list *at; (at = weft_list_take(&c->retired));) {
    struct retired *r = WEFT_CONTAINER(at, struct retired, link);
    weft_settings_free(r->settings);
    free(r);
  }
  weft_writers_free(c->writers);
  weft_live_add(&weft_live_counts.contexts, -1);
  weft_context_unref(c);
}
