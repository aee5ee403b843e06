/* SPDX-License-Identifier: MIT */
/* Invariants:
   - When the loop blocks, no deferred item and no item of the turn's end is linked: a prepare
     handle runs them last before each wait. Items linked outside of Weft's own call backs start
     the idle handle, which forbids waiting until the prepare handle has seen them.
   - An item deferred while a round runs belongs to the next round. After too many rounds, or too
     long, the turn's end is run all the same and the loop polls without waiting, so that an item
     that defers itself for ever starves neither sockets nor flushes.
   - Every handle is unreferenced but the idle handle; the prepare handle is referenced while the
     loop is pumped or held. A handle's memory belongs to libuv from its close to its close call
     back.
   - now is read once per turn: whatever enters first after a wait refreshes it. */
#include "loop.h"

#include <netdb.h>
#include <stdlib.h>
#include <uv.h>

#include "arena.h"

enum { ROUNDS_MAX = 1000, ITEMS_PER_CLOCK = 16, DRAIN_NS = 10 * 1000 * 1000, MS = 1000 * 1000 };

struct weft_loop {
  uv_loop_t *uv;
  uv_prepare_t prepare; /* data: the loop */
  uv_idle_t idle;
  int64_t now;
  /* A timer's call back runs: libuv would call one that is due at once again and again. */
  bool in_timer;
  int64_t frozen; /* what the clock shows instead of the machine's time; 0: it goes */
  struct weft_list deferred, round, end;
  struct weft_list open; /* struct handle.link */
  long handles, works, closing, holds;
  uint32_t depth; /* Weft's call backs on the stack */
  bool stale, pumping, own;
  const bool *done; /* what the pump waits for */
};

/* What watches, timers and wakes have in common. */
struct handle {
  struct weft_list link;
  struct weft_loop *loop;
  void *ud;
};

struct weft_watch {
  struct handle h;
  uv_poll_t uv;
  int events;
  void (*cb)(void *ud, int events);
};

struct weft_timer {
  struct handle h;
  uv_timer_t uv;
  int64_t at; /* 0: not running */
  void (*cb)(void *ud);
};

struct weft_wake {
  struct handle h;
  uv_async_t uv;
  void (*cb)(void *ud);
};

struct weft_work {
  uv_work_t uv;
  struct weft_loop *loop;
  void (*fn)(void *ud);
  void (*done)(void *ud, bool cancelled);
  void *ud;
};

struct weft_resolve {
  struct weft_hook item; /* a host that is an address already */
  uv_getaddrinfo_t uv;
  struct weft_loop *loop;
  void (*cb)(void *ud, const char *const *addresses, size_t n, const struct weft_error *err);
  void *ud;
  char host[256];
};

/* ---- time and turns ---- */

static void enter(struct weft_loop *l) {
  l->depth++;
  if (l->stale) weft_loop_update_now(l);
}

static void leave(struct weft_loop *l) { l->depth--; }

int64_t weft_loop_clock(const struct weft_loop *l) {
  return l->frozen ? l->frozen : (int64_t)uv_hrtime();
}

void weft_loop_update_now(struct weft_loop *l) {
  l->now = weft_loop_clock(l);
  l->stale = false;
}

int64_t weft_loop_now(const struct weft_loop *l) {
  /* Outside of turns time passes unseen. */
  return l->stale || !weft_loop_running(l) ? weft_loop_clock(l) : l->now;
}

bool weft_loop_running(const struct weft_loop *l) { return l->pumping || l->depth > 0; }

bool weft_loop_busy(const struct weft_loop *l) {
  return !weft_list_empty(&l->deferred) || !weft_list_empty(&l->round);
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

static void add_item(struct weft_loop *l, struct weft_list *to, struct weft_hook *item) {
  if (!weft_list_empty(&item->link)) return;
  weft_list_push(to, &item->link);
  if (l->depth == 0) uv_idle_start(&l->idle, on_idle);
}

void weft_loop_defer(struct weft_loop *l, struct weft_hook *item) {
  add_item(l, &l->deferred, item);
}

void weft_loop_at_end(struct weft_loop *l, struct weft_hook *item) { add_item(l, &l->end, item); }

static void run_items(struct weft_list *items) {
  for (struct weft_list *at; (at = weft_list_take(items));) {
    struct weft_hook *item = WEFT_CONTAINER(at, struct weft_hook, link);
    item->run(item);
  }
}

/* Rounds of deferred items until none is left; false when that takes too long. */
static bool run_rounds(struct weft_loop *l, uint64_t until) {
  uint32_t items = 0;
  for (uint32_t rounds = 0; !weft_list_empty(&l->deferred); rounds++) {
    if (rounds == ROUNDS_MAX) return false;
    weft_list_splice(&l->round, &l->deferred);
    for (struct weft_list *at; (at = weft_list_take(&l->round));) {
      struct weft_hook *item = WEFT_CONTAINER(at, struct weft_hook, link);
      item->run(item);
      if (++items % ITEMS_PER_CLOCK == 0 && uv_hrtime() > until) {
        weft_list_splice(&l->round, &l->deferred); /* the rest keeps its place in front */
        weft_list_splice(&l->deferred, &l->round);
        return weft_list_empty(&l->deferred);
      }
    }
  }
  return true;
}

static bool pending(const struct weft_loop *l) {
  return !weft_list_empty(&l->deferred) || !weft_list_empty(&l->end);
}

static void finish_turn(struct weft_loop *l) {
  if (!pending(l)) return;
  enter(l);
  uint64_t until = uv_hrtime() + DRAIN_NS;
  bool all = true;
  for (int passes = 0; all && pending(l); passes++) {
    all = run_rounds(l, until) && passes < ROUNDS_MAX;
    struct weft_list now; /* an item of the end that asks for the end again gets the next one */
    weft_list_init(&now);
    weft_list_splice(&now, &l->end);
    run_items(&now);
  }
  leave(l);
  uv_update_time(l->uv); /* the wait is computed from it */
}

static void on_prepare(uv_prepare_t *prepare) {
  struct weft_loop *l = prepare->data;
  finish_turn(l);
  l->stale = true;
  /* A timer or an item may have ended the pumping: uv_run would still wait once. */
  if (pending(l) || (l->done && *l->done)) uv_idle_start(&l->idle, on_idle);
  else uv_idle_stop(&l->idle);
}

static void reference(struct weft_loop *l) {
  if (l->pumping || l->holds > 0) uv_ref((uv_handle_t *)&l->prepare);
  else uv_unref((uv_handle_t *)&l->prepare);
}

void weft_loop_hold(struct weft_loop *l) {
  if (l->holds++ == 0) reference(l);
}

void weft_loop_release(struct weft_loop *l) {
  if (--l->holds == 0) reference(l);
}

int weft_loop_pump(struct weft_loop *l, const bool *done, struct weft_error *err) {
  if (weft_loop_running(l))
    return weft_fail(err, WEFT_USAGE, "this call would wait, and the loop is already running");
  if (*done) return 0;
  l->pumping = true;
  l->done = done;
  l->stale = true;
  reference(l);
  finish_turn(l);
  if (!pending(l)) uv_idle_stop(&l->idle); /* an active one would cost a turn that waits for nothing */
  while (!*done) uv_run(l->uv, UV_RUN_ONCE);
  finish_turn(l); /* what the last call backs deferred must not wait for the next pump */
  if (pending(l)) uv_idle_start(&l->idle, on_idle);
  l->pumping = false;
  l->done = NULL;
  reference(l);
  return 0;
}

/* ---- life ---- */

int weft_loop_new(void *uv_loop, struct weft_loop **out, struct weft_error *err) {
  struct weft_loop *l = weft_zalloc(sizeof *l);
  l->uv = uv_loop;
  if (!uv_loop) {
    l->own = true;
    l->uv = weft_alloc(sizeof *l->uv);
    int rc = uv_loop_init(l->uv);
    if (rc < 0) {
      free(l->uv);
      free(l);
      return weft_fail(err, WEFT_INTERNAL, "cannot start an event loop: %s", uv_strerror(rc));
    }
  }
  weft_list_init(&l->deferred);
  weft_list_init(&l->round);
  weft_list_init(&l->end);
  weft_list_init(&l->open);
  l->stale = true;
  uv_prepare_init(l->uv, &l->prepare);
  uv_idle_init(l->uv, &l->idle);
  l->prepare.data = l->idle.data = l;
  uv_prepare_start(&l->prepare, on_prepare);
  uv_unref((uv_handle_t *)&l->prepare);
  *out = l;
  return 0;
}

static void handle_add(struct weft_loop *l, struct handle *h, uv_handle_t *uv, void *ud) {
  h->loop = l;
  h->ud = ud;
  uv->data = h;
  uv_unref(uv);
  weft_list_push(&l->open, &h->link);
  l->handles++;
}

static void on_closed(uv_handle_t *uv) {
  struct handle *h = uv->data;
  h->loop->closing--;
  free(h);
}

static void handle_close(struct handle *h, uv_handle_t *uv) {
  weft_list_remove(&h->link);
  h->loop->handles--;
  h->loop->closing++;
  uv_close(uv, on_closed);
}

/* The uv handle lies right behind the common part, whatever its type. */
static uv_handle_t *handle_uv(struct handle *h) {
  _Static_assert(offsetof(struct weft_watch, uv) == sizeof(struct handle) &&
                     offsetof(struct weft_timer, uv) == sizeof(struct handle) &&
                     offsetof(struct weft_wake, uv) == sizeof(struct handle),
                 "one place");
  return (uv_handle_t *)(void *)(h + 1);
}

static void on_own_closed(uv_handle_t *uv) {
  struct weft_loop *l = uv->data;
  l->closing--;
}

void weft_loop_free(struct weft_loop *l) {
  if (!l) return;
  finish_turn(l);
  while (l->works > 0) uv_run(l->uv, UV_RUN_ONCE);
  while (!weft_list_empty(&l->open)) {
    struct handle *h = WEFT_CONTAINER(l->open.next, struct handle, link);
    handle_close(h, handle_uv(h));
  }
  l->closing += 2;
  uv_close((uv_handle_t *)&l->prepare, on_own_closed);
  uv_close((uv_handle_t *)&l->idle, on_own_closed);
  while (l->closing > 0) uv_run(l->uv, UV_RUN_ONCE);
  if (l->own) {
    uv_loop_close(l->uv);
    free(l->uv);
  }
  free(l);
}

void *weft_loop_uv(struct weft_loop *l) { return l->uv; }

long weft_loop_handles(const struct weft_loop *l) { return l->handles + l->works; }

/* ---- watches ---- */

static void on_poll(uv_poll_t *uv, int status, int events) {
  struct weft_watch *w = uv->data;
  int seen = 0;
  if (events & UV_READABLE) seen |= WEFT_READABLE;
  if (events & UV_WRITABLE) seen |= WEFT_WRITABLE;
  if (status < 0) {
    /* libuv has stopped the watch; reading or writing tells its owner what is wrong. */
    seen = WEFT_READABLE | WEFT_WRITABLE;
    w->events = 0;
  }
  struct weft_loop *l = w->h.loop;
  enter(l);
  w->cb(w->h.ud, seen);
  leave(l);
}

struct weft_watch *weft_watch_new(struct weft_loop *l, int fd, void (*cb)(void *ud, int events),
                                  void *ud) {
  struct weft_watch *w = weft_zalloc(sizeof *w);
  w->cb = cb;
  if (uv_poll_init(l->uv, &w->uv, fd) < 0) {
    free(w);
    return NULL;
  }
  handle_add(l, &w->h, (uv_handle_t *)&w->uv, ud);
  return w;
}

void weft_watch_events(struct weft_watch *w, int events) {
  if (w->events == events) return;
  w->events = events;
  int want =
      (events & WEFT_READABLE ? UV_READABLE : 0) | (events & WEFT_WRITABLE ? UV_WRITABLE : 0);
  if (want) uv_poll_start(&w->uv, want, on_poll);
  else uv_poll_stop(&w->uv);
}

void weft_watch_free(struct weft_watch *w) {
  if (w) handle_close(&w->h, (uv_handle_t *)&w->uv);
}

/* ---- timers ---- */

struct weft_timer *weft_timer_new(struct weft_loop *l, void (*cb)(void *ud), void *ud) {
  struct weft_timer *t = weft_zalloc(sizeof *t);
  t->cb = cb;
  uv_timer_init(l->uv, &t->uv);
  handle_add(l, &t->h, (uv_handle_t *)&t->uv, ud);
  return t;
}

static void on_timer(uv_timer_t *uv) {
  struct weft_timer *t = uv->data;
  struct weft_loop *l = t->h.loop;
  t->at = 0;
  enter(l);
  l->in_timer = true;
  t->cb(t->h.ud);
  l->in_timer = false;
  leave(l);
}

void weft_timer_start(struct weft_timer *t, int64_t at) {
  t->at = at > 0 ? at : 1;
  if (t->h.loop->frozen && at > t->h.loop->frozen) {
    uv_timer_stop(&t->uv); /* until weft_loop_skip passes it */
    return;
  }
  /* libuv counts whole milliseconds of the same clock: rounding up never fires early. */
  int64_t due = t->at / MS + (t->at % MS != 0), now = (int64_t)uv_now(t->h.loop->uv);
  if (t->h.loop->frozen) due = now;
  uv_timer_start(&t->uv, on_timer, due > now ? (uint64_t)(due - now) : t->h.loop->in_timer, 0);
}

void weft_loop_skip(struct weft_loop *l, int64_t ns) {
  l->frozen = weft_loop_clock(l) + ns;
  l->stale = true;
  for (struct weft_list *at = l->open.next; at != &l->open; at = at->next) {
    struct weft_timer *t = (struct weft_timer *)(void *)WEFT_CONTAINER(at, struct handle, link);
    if (handle_uv(&t->h)->type == UV_TIMER && t->at) weft_timer_start(t, t->at);
  }
}

void weft_timer_stop(struct weft_timer *t) {
  t->at = 0;
  uv_timer_stop(&t->uv);
}

void weft_timer_free(struct weft_timer *t) {
  if (t) handle_close(&t->h, (uv_handle_t *)&t->uv);
}

/* ---- other threads ---- */

static void on_wake(uv_async_t *uv) {
  struct weft_wake *w = uv->data;
  struct weft_loop *l = w->h.loop;
  enter(l);
  w->cb(w->h.ud);
  leave(l);
}

struct weft_wake *weft_wake_new(struct weft_loop *l, void (*cb)(void *ud), void *ud) {
  struct weft_wake *w = weft_zalloc(sizeof *w);
  w->cb = cb;
  uv_async_init(l->uv, &w->uv, on_wake);
  handle_add(l, &w->h, (uv_handle_t *)&w->uv, ud);
  return w;
}

void weft_wake_send(struct weft_wake *w) { uv_async_send(&w->uv); }

void weft_wake_free(struct weft_wake *w) {
  if (w) handle_close(&w->h, (uv_handle_t *)&w->uv);
}

static void on_work(uv_work_t *uv) {
  struct weft_work *w = uv->data;
  w->fn(w->ud);
}

static void on_worked(uv_work_t *uv, int status) {
  struct weft_work *w = uv->data;
  struct weft_loop *l = w->loop;
  l->works--;
  enter(l);
  w->done(w->ud, status == UV_ECANCELED);
  leave(l);
  free(w);
}

struct weft_work *weft_loop_work(struct weft_loop *l, void (*fn)(void *ud),
                                 void (*done)(void *ud, bool cancelled), void *ud) {
  struct weft_work *w = weft_zalloc(sizeof *w);
  w->uv.data = w;
  w->loop = l;
  w->fn = fn;
  w->done = done;
  w->ud = ud;
  l->works++;
  uv_queue_work(l->uv, &w->uv, on_work, on_worked);
  return w;
}

bool weft_work_cancel(struct weft_work *w) { return uv_cancel((uv_req_t *)&w->uv) == 0; }

/* ---- names ---- */

enum { ADDRESSES_MAX = 32 };

static void resolved(struct weft_resolve *r, int status, const struct addrinfo *list) {
  char text[ADDRESSES_MAX][NI_MAXHOST];
  const char *addresses[ADDRESSES_MAX];
  size_t n = 0;
  for (const struct addrinfo *a = list; a && n < ADDRESSES_MAX; a = a->ai_next) {
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text[n], NI_MAXHOST, NULL, 0, NI_NUMERICHOST) == 0) {
      addresses[n] = text[n];
      n++;
    }
  }
  struct weft_error err;
  if (n == 0)
    weft_fail(&err, WEFT_CONNECT, "cannot find host \"%s\": %s", r->host,
              status < 0 ? uv_strerror(status) : "it has no address");
  r->cb(r->ud, addresses, n, n == 0 ? &err : NULL);
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *list) {
  struct weft_resolve *r = uv->data;
  struct weft_loop *l = r->loop;
  l->works--;
  enter(l);
  if (r->cb) resolved(r, status, list);
  leave(l);
  uv_freeaddrinfo(list);
  free(r);
}

static void run_numeric(struct weft_hook *item) {
  struct weft_resolve *r = WEFT_CONTAINER(item, struct weft_resolve, item);
  const char *address = r->host;
  r->loop->works--;
  r->cb(r->ud, &address, 1, NULL);
  free(r);
}

/* A host that cannot be looked up at all is told in the same way as one that is not found. */
static void run_impossible(struct weft_hook *item) {
  struct weft_resolve *r = WEFT_CONTAINER(item, struct weft_resolve, item);
  r->loop->works--;
  resolved(r, UV_EAI_NONAME, NULL);
  free(r);
}

static bool numeric(const char *host) {
  unsigned char address[16];
  return uv_inet_pton(AF_INET, host, address) == 0 || uv_inet_pton(AF_INET6, host, address) == 0;
}

struct weft_resolve *weft_loop_resolve(struct weft_loop *l, const char *host,
                                       void (*cb)(void *ud, const char *const *addresses, size_t n,
                                                  const struct weft_error *err),
                                       void *ud) {
  struct weft_resolve *r = weft_zalloc(sizeof *r);
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  size_t len = strlen(host);
  weft_list_init(&r->item.link);
  r->uv.data = r;
  r->loop = l;
  r->cb = cb;
  r->ud = ud;
  memcpy(r->host, host, len < sizeof r->host ? len : sizeof r->host - 1);
  l->works++;
  if (numeric(host) && len < sizeof r->host) r->item.run = run_numeric;
  else if (len >= sizeof r->host ||
           uv_getaddrinfo(l->uv, &r->uv, on_resolved, host, NULL, &hints) < 0)
    r->item.run = run_impossible;
  if (r->item.run) weft_loop_defer(l, &r->item);
  return r;
}

void weft_loop_resolve_drop(struct weft_resolve *r) {
  if (r->item.run) {
    weft_list_remove(&r->item.link);
    r->loop->works--;
    free(r);
    return;
  }
  r->cb = NULL;
  uv_cancel((uv_req_t *)&r->uv);
}
