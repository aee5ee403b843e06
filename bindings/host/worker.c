/* SPDX-License-Identifier: MIT */
/* A thread that serves. Its loop is turned one iteration at a time: what must not happen inside of a call back of the
   loop (closing a state) is done in between.

   Invariants: current is READY or NULL; starting is STARTING or NULL; every other site of the list is on its way out.
   Orders from other threads are bits that are set under the lock and taken by the thread. */
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "clock.h"

enum { ORDER_RELOAD = 1, ORDER_DRAIN = 2, ORDER_MEASURE = 4, ORDER_QUIT = 8 };
enum { LOG_BYTES = 32 * 1024, JOIN_SECONDS = 2, STUCK_LOOKS = 3, WATCH_SIGNAL = SIGURG };

const double worker_bounds[WORKER_BUCKETS - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

struct worker {
  uint32_t number;
  const struct worker_options *o;
  struct server *server;
  void (*tell)(void *ud, uint32_t number, enum worker_event what, const char *text);
  void *ud;
  pthread_t thread;
  bool started;
  uv_loop_t loop;
  uv_async_t wake;
  struct weft_loop *turns; /* of the HTTP server, on loop */
  struct weft_hook log_end;
  struct weft_http *http;
  struct weft_list sites; /* struct site.link */
  struct weft_budgets *budgets;
  struct site *current, *starting;
  bool draining, drained, http_closed, over;
  uint64_t slices, numbers;
  struct weft_buf log;
  int *listening; /* sockets that it accepts on by itself */
  size_t nlistening;

  pthread_mutex_t lock;
  uint32_t orders;        /* under the lock, as are: */
  int *fds;
  size_t nfds, fds_room;
  char *measured;         /* what the script said of its databases */
  bool unmeasured;        /* an order to measure is not yet carried out */
  bool closed;            /* http and wake are no more; */
  struct weft_http_stats last; /* what http had counted */

  uint64_t watched;       /* atomic: the slice that is overdue */
  uint64_t seen;          /* of the watchdog: */
  int64_t seen_since;
  int looks;

  uint64_t memory, reloads, stopped, answers[6], time_us, buckets[WORKER_BUCKETS]; /* atomic */
};

static _Thread_local struct worker *self; /* for the signal handler */

static void count(uint64_t *what, uint64_t n) { __atomic_add_fetch(what, n, __ATOMIC_RELAXED); }
static uint64_t counted(const uint64_t *what) { return __atomic_load_n(what, __ATOMIC_RELAXED); }

/* ---- requests ---- */

static void on_request(void *ud, struct weft_exchange *x) {
  struct worker *w = ud;
  if (w->current) {
    site_request(w->current, x);
    return;
  }
  weft_exchange_status(x, 503);
  weft_exchange_body_of(x, weft_slice(NULL, 0));
}

static int bucket_of(int64_t ns) {
  int i = 0;
  while (i < WORKER_BUCKETS - 1 && (double)ns / 1e9 > worker_bounds[i]) i++;
  return i;
}

static void flush_log(struct worker *w) {
  const char *p = w->log.p;
  size_t n = w->log.n;
  while (n > 0) {
    ssize_t sent = write(w->o->access_log, p, n);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) break; /* nobody reads the log: the requests matter more */
    p += sent;
    n -= (size_t)sent;
  }
  weft_buf_reset(&w->log);
}

static void on_ended(void *ud, const struct weft_exchange *x) {
  struct worker *w = ud;
  int64_t ns = weft_clock_ns() - weft_exchange_started(x);
  int class = weft_exchange_answered(x) / 100;
  if (class >= 1 && class <= 5) count(&w->answers[class], 1);
  count(&w->time_us, (uint64_t)(ns / 1000));
  count(&w->buckets[bucket_of(ns)], 1);
  if (w->o->access_log >= 0) {
    log_exchange(&w->log, x, w->o->log_json, ns);
    if (w->log.n > LOG_BYTES) flush_log(w);
    weft_loop_at_end(w->turns, &w->log_end);
  }
  exchange_ended(x);
}

static void on_drained(void *ud, struct weft_exchange *x) {
  (void)ud;
  exchange_drained(x);
}

/* ---- sites ---- */

static void site_changed(struct site *s, const char *why) {
  struct worker *w = s->ud;
  if (s == w->current && !w->drained) return; /* it has no request right now, and goes on */
  if (s == w->starting && s->phase == SITE_READY) {
    w->current = s;
    w->starting = NULL;
    count(&w->reloads, 1);
    w->tell(w->ud, w->number, WORKER_READY, NULL);
  } else if (s == w->starting && s->phase == SITE_FAILED) {
    w->starting = NULL;
    w->tell(w->ud, w->number, WORKER_FAILED, why);
  }
  uv_async_send(&w->wake); /* what is out may be closed between two turns */
}

static void start_site(struct worker *w) {
  struct weft_error err;
  struct site *s = weft_zalloc(sizeof *s);
  s->memory.most = w->o->memory;
  s->uv = &w->loop;
  s->slices = &w->slices;
  s->budgets = w->budgets;
  s->numbers = &w->numbers;
  s->deadline_ns = w->o->deadline_ns;
  s->server = w->server;
  s->number = w->number;
  s->changed = site_changed;
  s->ud = w;
  if (site_start(s, w->o->script, w->o->text, &err)) {
    free(s);
    w->tell(w->ud, w->number, WORKER_FAILED, err.message);
    return;
  }
  w->starting = s;
  weft_list_push(&w->sites, &s->link);
}

static void retire_sites(struct worker *w) {
  uint64_t memory = 0;
  for (struct weft_list *l = w->sites.next, *next; l != &w->sites; l = next) {
    struct site *s = WEFT_CONTAINER(l, struct site, link);
    next = l->next;
    bool out = s != w->starting && (s != w->current || w->drained);
    if (out && s->phase == SITE_READY && s->in_flight == 0) site_stop(s);
    if (s->phase == SITE_FAILED || s->phase == SITE_STOPPED) {
      if (s == w->current) w->current = NULL;
      weft_list_remove(&s->link);
      site_close(s);
      free(s);
    } else {
      memory += s->memory.used;
    }
  }
  __atomic_store_n(&w->memory, memory, __ATOMIC_RELAXED);
}

/* ---- orders ---- */

static void keep_measured(void *ud, const char *text) {
  struct worker *w = ud;
  pthread_mutex_lock(&w->lock);
  free(w->measured);
  w->measured = weft_strdup(weft_slice_of(text));
  w->unmeasured = false;
  pthread_mutex_unlock(&w->lock);
}

static void http_drained(void *ud) {
  struct worker *w = ud;
  w->drained = true;
  uv_async_send(&w->wake);
}

static bool is_listening(int fd) {
  int on = 0;
  socklen_t size = sizeof on;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

static void listen_on(struct worker *w, int fd) {
  struct weft_error err;
  w->listening = weft_realloc(w->listening, (w->nlistening + 1) * sizeof *w->listening);
  w->listening[w->nlistening++] = fd;
  if (weft_http_listen(w->http, fd, &err)) w->tell(w->ud, w->number, WORKER_FAILED, err.message);
}

/* Left open, they would let connections in that nobody answers. */
static void stop_listening(struct worker *w) {
  while (w->nlistening) close(w->listening[--w->nlistening]);
}

static void take(struct worker *w, int fd) {
  if (w->draining) close(fd);
  else if (is_listening(fd)) listen_on(w, fd);
  else weft_http_take(w->http, fd);
}

static void take_waiting(struct worker *w) {
  pthread_mutex_lock(&w->lock);
  int *fds = w->fds;
  size_t n = w->nfds;
  w->fds = NULL;
  w->nfds = w->fds_room = 0;
  pthread_mutex_unlock(&w->lock);
  for (size_t i = 0; i < n; i++) take(w, fds[i]);
  free(fds);
}

static void on_wake(uv_async_t *wake) { take_waiting(wake->data); }

static void drain(struct worker *w) {
  if (w->draining) return;
  take_waiting(w); /* they came before the order */
  w->draining = true;
  weft_http_drain(w->http, http_drained, w);
  stop_listening(w);
}

static void obey(struct worker *w) {
  pthread_mutex_lock(&w->lock);
  uint32_t orders = w->orders;
  if (w->starting) orders &= ~(uint32_t)ORDER_RELOAD; /* once more, when that has ended */
  w->orders &= ~orders;
  pthread_mutex_unlock(&w->lock);
  if (orders & ORDER_RELOAD && !w->draining) start_site(w);
  if (orders & ORDER_MEASURE) {
    if (w->current) site_measure(w->current, keep_measured, w);
    else keep_measured(w, "{}");
  }
  if (orders & ORDER_DRAIN) drain(w);
  if (orders & ORDER_QUIT) w->over = true;
}

static void on_log_end(struct weft_hook *hook) { flush_log(WEFT_CONTAINER(hook, struct worker, log_end)); }

/* ---- the thread ---- */

static void close_down(struct worker *w) {
  pthread_mutex_lock(&w->lock);
  weft_http_stats(w->http, &w->last);
  w->closed = true;
  w->unmeasured = false;
  pthread_mutex_unlock(&w->lock);
  weft_http_free(w->http, &w->http_closed);
  stop_listening(w);
  while (!w->http_closed) uv_run(&w->loop, UV_RUN_ONCE);
  for (struct weft_list *l; (l = weft_list_take(&w->sites));) {
    struct site *s = WEFT_CONTAINER(l, struct site, link);
    site_close(s);
    free(s);
  }
  weft_budgets_free(w->budgets);
  if (w->log.n) flush_log(w);
  weft_list_remove(&w->log_end.link);
  weft_loop_free(w->turns);
  uv_close((uv_handle_t *)&w->wake, NULL);
  uv_run(&w->loop, UV_RUN_DEFAULT);
}

static void *serve(void *ud) {
  struct worker *w = ud;
  self = w;
  start_site(w);
  while (!w->over && !(w->drained && weft_list_empty(&w->sites))) {
    uv_run(&w->loop, UV_RUN_ONCE);
    obey(w);
    retire_sites(w);
  }
  close_down(w);
  w->tell(w->ud, w->number, WORKER_DRAINED, NULL);
  return NULL;
}

static void on_signal(int number) {
  (void)number;
  int saved = errno;
  struct worker *w = self;
  if (w)
    for (struct weft_list *l = w->sites.next; l != &w->sites; l = l->next) {
      struct site *s = WEFT_CONTAINER(l, struct site, link);
      if (s->w) weft_lua_stop_slice(s->w, __atomic_load_n(&w->watched, __ATOMIC_ACQUIRE));
    }
  errno = saved;
}

/* A thread of a server takes none of the process' signals but the watchdog's. */
int worker_start(struct worker *w, struct weft_error *err) {
  sigset_t all, before;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(WATCH_SIGNAL, &action, NULL);
  sigfillset(&all);
  sigdelset(&all, WATCH_SIGNAL);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(&w->thread, NULL, serve, w);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (rc) return weft_fail(err, WEFT_INTERNAL, "cannot start a thread: %s", strerror(rc));
  w->started = true;
  return 0;
}

static int open_loop(struct worker *w, struct weft_error *err) {
  const struct weft_http_handler handler = {w, on_request, on_ended, on_drained};
  if (uv_loop_init(&w->loop)) return weft_fail(err, WEFT_INTERNAL, "cannot start an event loop");
  uv_async_init(&w->loop, &w->wake, on_wake);
  w->wake.data = w;
  weft_list_init(&w->log_end.link);
  w->log_end.run = on_log_end;
  /* Made before the loops of sites, whose turns end before it then: libuv runs the newest prepare handle first, and
     what the tasks of a turn answer leaves in that turn. */
  if (weft_loop_new(&w->loop, &w->turns, err)) return -1;
  return weft_http_new(w->turns, &w->o->http, &handler, &w->http, err);
}

struct worker *worker_new(uint32_t number, const struct worker_options *o, struct server *server,
                          void (*tell)(void *ud, uint32_t number, enum worker_event what, const char *text), void *ud,
                          struct weft_error *err) {
  struct worker *w = weft_zalloc(sizeof *w);
  w->number = number;
  w->o = o;
  w->server = server;
  w->tell = tell;
  w->ud = ud;
  weft_list_init(&w->sites);
  w->budgets = weft_budgets_new();
  weft_buf_init(&w->log);
  pthread_mutex_init(&w->lock, NULL);
  if (open_loop(w, err)) {
    free(w);
    return NULL;
  }
  return w;
}

static void order(struct worker *w, uint32_t what) {
  pthread_mutex_lock(&w->lock);
  w->orders |= what;
  if (!w->closed) uv_async_send(&w->wake);
  pthread_mutex_unlock(&w->lock);
}

void worker_reload(struct worker *w) { order(w, ORDER_RELOAD); }
void worker_drain(struct worker *w) { order(w, ORDER_DRAIN); }

void worker_measure(struct worker *w) {
  pthread_mutex_lock(&w->lock);
  w->unmeasured = !w->closed;
  pthread_mutex_unlock(&w->lock);
  order(w, ORDER_MEASURE);
}

char *worker_measured(struct worker *w) {
  pthread_mutex_lock(&w->lock);
  char *text = w->unmeasured ? NULL : weft_strdup(weft_slice_of(w->measured ? w->measured : "{}"));
  pthread_mutex_unlock(&w->lock);
  return text;
}

void worker_take(struct worker *w, int fd) {
  pthread_mutex_lock(&w->lock);
  if (w->nfds == w->fds_room) {
    w->fds_room = w->fds_room ? 2 * w->fds_room : 16;
    w->fds = weft_realloc(w->fds, w->fds_room * sizeof *w->fds);
  }
  w->fds[w->nfds++] = fd;
  if (!w->closed) uv_async_send(&w->wake);
  pthread_mutex_unlock(&w->lock);
}

bool worker_free(struct worker *w) {
  struct timespec until;
  order(w, ORDER_QUIT);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += JOIN_SECONDS;
  if (!w->started) close_down(w);
  else if (pthread_timedjoin_np(w->thread, NULL, &until)) return false;
  uv_loop_close(&w->loop);
  for (size_t i = 0; i < w->nfds; i++) close(w->fds[i]);
  free(w->fds);
  free(w->listening);
  free(w->measured);
  weft_buf_release(&w->log);
  pthread_mutex_destroy(&w->lock);
  free(w);
  return true;
}

/* ---- from outside ---- */

void worker_watch(struct worker *w, int64_t now) {
  uint64_t slice = __atomic_load_n(&w->slices, __ATOMIC_ACQUIRE);
  if (slice % 2 == 0 || slice != w->seen) {
    w->seen = slice;
    w->seen_since = now;
    w->looks = 0;
    return;
  }
  if (!w->o->slice_ns || now - w->seen_since < w->o->slice_ns) return;
  w->seen_since = now;
  if (w->looks++ == 0) count(&w->stopped, 1);
  if (w->looks == STUCK_LOOKS) w->tell(w->ud, w->number, WORKER_STUCK, NULL);
  __atomic_store_n(&w->watched, slice, __ATOMIC_RELEASE);
  pthread_kill(w->thread, WATCH_SIGNAL);
}

void worker_stats(struct worker *w, struct worker_stats *out) {
  pthread_mutex_lock(&w->lock);
  if (w->closed) out->http = w->last;
  else weft_http_stats(w->http, &out->http);
  pthread_mutex_unlock(&w->lock);
  out->memory = counted(&w->memory);
  out->reloads = counted(&w->reloads);
  out->stopped = counted(&w->stopped);
  out->time_us = counted(&w->time_us);
  for (int i = 0; i < 6; i++) out->answers[i] = counted(&w->answers[i]);
  for (int i = 0; i < WORKER_BUCKETS; i++) out->buckets[i] = counted(&w->buckets[i]);
}
