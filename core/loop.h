/* SPDX-License-Identifier: MIT */
/* Waiting: sockets, timers, other threads, and the order of things within one turn. The only file of
   core that names libuv. Everything here belongs to the thread that runs the loop, except
   weft_wake_send.

   A turn: events are handled; deferred items run until none is left (they may defer more); then the
   items of the turn's end run, once each (batches close, sockets flush), and whatever they defer; then
   the loop waits. uv_run is never nested: weft_loop_pump fails while the loop runs. */
#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "list.h"

#pragma GCC visibility push(default)

struct weft_loop;
struct weft_watch;
struct weft_timer;
struct weft_wake;
struct weft_work;

/* uv_loop: an embedder's own uv_loop_t, or NULL. Handles of an idle loop are unreferenced: they do
   not keep an embedder's uv_run alive. */
int weft_loop_new(void *uv_loop, struct weft_loop **out, struct weft_error *err);
/* Closes what is left and waits for work on the thread pool to end. Not from a call back. */
void weft_loop_free(struct weft_loop *l);
void *weft_loop_uv(struct weft_loop *l); /* the uv_loop_t that it runs on */

int64_t weft_loop_now(const struct weft_loop *l); /* ns; of this turn's start */
void weft_loop_update_now(struct weft_loop *l);
int64_t weft_loop_clock(const struct weft_loop *l); /* the same scale, at this instant */
/* For specs: from the first call on, the loop's time moves only by these; timers that it passes fire in
   the next turn. */
void weft_loop_skip(struct weft_loop *l, int64_t ns);
bool weft_loop_running(const struct weft_loop *l);

/* While held, an embedder's uv_run does not end: something is in flight. Counted. */
void weft_loop_hold(struct weft_loop *l);
void weft_loop_release(struct weft_loop *l);

/* Turns until *done. WEFT_USAGE when the loop already runs (it is never nested). Runs deferred items
   and the turn's end before it first waits. */
int weft_loop_pump(struct weft_loop *l, const bool *done, struct weft_error *err);

/* Runs later in this turn (defer) or when no deferred item is left (at_end). A hook that is linked
   already stays where it is; weft_list_remove(&hook->link) takes it back. */
struct weft_hook {
  struct weft_list link; /* weft_list_init before first use */
  void (*run)(struct weft_hook *hook);
};
void weft_loop_defer(struct weft_loop *l, struct weft_hook *hook);
void weft_loop_at_end(struct weft_loop *l, struct weft_hook *hook);
/* Is another deferred item waiting? Then a look-up by key is worth holding back for a batch. */
bool weft_loop_busy(const struct weft_loop *l);

enum weft_events { WEFT_READABLE = 1, WEFT_WRITABLE = 2 };

/* Level-triggered, paused at first; events 0 pauses again. Changing the events costs system calls, so
   leave WEFT_READABLE on. An error on the fd is told as both events and pauses the watch. The watch must
   be freed before its fd is closed. NULL when the fd cannot be watched. */
struct weft_watch *weft_watch_new(struct weft_loop *l, int fd,
                                  void (*cb)(void *ud, int events), void *ud);
void weft_watch_events(struct weft_watch *w, int events);
void weft_watch_free(struct weft_watch *w); /* no call back after it; NULL is fine */

/* One shot. at: on the scale of weft_loop_now; an earlier at is as good as now. */
struct weft_timer *weft_timer_new(struct weft_loop *l, void (*cb)(void *ud), void *ud);
void weft_timer_start(struct weft_timer *t, int64_t at); /* replaces the time it had */
void weft_timer_stop(struct weft_timer *t);
void weft_timer_free(struct weft_timer *t);

/* fn runs on a thread of the pool, then done on the loop's thread. weft_work_cancel: when fn has not
   started it never will, and done is called with cancelled; true then. */
struct weft_work *weft_loop_work(struct weft_loop *l, void (*fn)(void *ud),
                                 void (*done)(void *ud, bool cancelled), void *ud);
bool weft_work_cancel(struct weft_work *w);

/* Name look-up off the loop. cb gets numeric addresses, best first (n > 0), or an error; the array is
   borrowed for the call. weft_loop_resolve_drop: cb will not be called. */
struct weft_resolve;
struct weft_resolve *weft_loop_resolve(struct weft_loop *l, const char *host,
                                       void (*cb)(void *ud, const char *const *addresses, size_t n,
                                                  const struct weft_error *err),
                                       void *ud);
void weft_loop_resolve_drop(struct weft_resolve *r);

/* weft_wake_send may be called from any thread; calls before cb runs count once. */
struct weft_wake *weft_wake_new(struct weft_loop *l, void (*cb)(void *ud), void *ud);
void weft_wake_send(struct weft_wake *w);
void weft_wake_free(struct weft_wake *w);

long weft_loop_handles(const struct weft_loop *l); /* open watches, timers, wakes, work (specs) */

#pragma GCC visibility pop

#endif
