/* SPDX-License-Identifier: MIT */
/* Connecting: the name is looked up off the loop, then libpq connects to one address after the
   other without blocking. host stays beside hostaddr, because that is what a certificate is checked
   against.

   libpq may close and open sockets in any call of PQconnectPoll, therefore the watch never lives
   across one. A failure is told from the loop, so that open never frees what its caller is about to
   get. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "postgres.h"

static void start(struct weft_pg_conn *c);

static void tell_failure(struct weft_hook *hook) {
  struct weft_pg_conn *c = WEFT_CONTAINER(hook, struct weft_pg_conn, failed);
  weft_conn_opened(&c->base, &c->group);
  weft_pg_free(c);
}

/* group holds the failure until it is told. */
void weft_pg_fail_open(struct weft_pg_conn *c, const struct weft_error *err) {
  weft_pg_stop_connecting(c);
  c->lost = true;
  c->group = *err;
  c->failed.run = tell_failure;
  weft_loop_defer(c->base.loop, &c->failed);
}

void weft_pg_stop_connecting(struct weft_pg_conn *c) {
  if (c->resolve) weft_loop_resolve_drop(c->resolve);
  weft_watch_free(c->watch);
  weft_timer_free(c->timer);
  c->resolve = NULL;
  c->watch = NULL;
  c->timer = NULL;
}

static void timed_out(void *ud) {
  struct weft_pg_conn *c = ud;
  struct weft_error err;
  weft_conn_fail(&c->base, &err, WEFT_CONNECT, "no connection within %.3g s",
                 (double)c->set->timeout_ns / 1e9);
  err.retryable = true;
  weft_pg_fail_open(c, &err);
}

/* The server's last words reach an idle connection as a notice; the others are of no interest. */
static void notice(void *ud, const PGresult *res) {
  struct weft_pg_conn *c = ud;
  if (!weft_pg_is_fatal(res)) return;
  weft_pg_fail(&c->fatal, res, NULL, false);
  c->fatal.kind = WEFT_DISCONNECT;
}

void weft_pg_opened(struct weft_pg_conn *c) {
  if (c->base.state == WEFT_CONN_OPENING) weft_conn_opened(&c->base, NULL);
}

static void connected(struct weft_pg_conn *c) {
  weft_timer_free(c->timer);
  c->timer = NULL;
  PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
  PQsetnonblocking(c->pg, 1);
  c->watch = weft_watch_new(c->base.loop, PQsocket(c->pg), weft_pg_ready, c);
  if (!c->watch) {
    struct weft_error err;
    weft_conn_fail(&c->base, &err, WEFT_CONNECT, "the socket cannot be watched");
    weft_pg_fail_open(c, &err);
    return;
  }
  weft_pg_watch(c, WEFT_READABLE);
  weft_pg_look_at_session(c);
  if (c->settling) weft_pg_pump(c);
  else weft_pg_opened(c);
}

static void failed(struct weft_pg_conn *c) {
  struct weft_error err;
  weft_pg_fail_connect(c, &err);
  PQfinish(c->pg);
  c->pg = NULL;
  if (err.kind == WEFT_CONNECT && !*err.code && c->address + 1 < c->naddresses) {
    c->address++;
    start(c);
    return;
  }
  weft_pg_fail_open(c, &err);
}

static void poll_ready(void *ud, int events);

static void advance(struct weft_pg_conn *c) {
  weft_watch_free(c->watch);
  c->watch = NULL;
  PostgresPollingStatusType status = PQconnectPoll(c->pg);
  if (status == PGRES_POLLING_OK) {
    connected(c);
    return;
  }
  if (status != PGRES_POLLING_FAILED)
    c->watch = weft_watch_new(c->base.loop, PQsocket(c->pg), poll_ready, c);
  if (!c->watch) {
    failed(c);
    return;
  }
  weft_watch_events(c->watch, status == PGRES_POLLING_READING ? WEFT_READABLE : WEFT_WRITABLE);
}

static void poll_ready(void *ud, int events) {
  (void)events;
  advance(ud);
}

static void start(struct weft_pg_conn *c) {
  const char *keywords[WEFT_PG_KEYWORDS + 2], *values[WEFT_PG_KEYWORDS + 2];
  int n = c->set->n;
  memcpy(keywords, c->set->keywords, (size_t)n * sizeof *keywords);
  memcpy(values, c->set->values, (size_t)n * sizeof *values);
  if (c->naddresses) {
    keywords[n] = "hostaddr";
    values[n++] = c->addresses[c->address];
  }
  keywords[n] = values[n] = NULL;
  c->pg = PQconnectStartParams(keywords, values, 0);
  if (!c->pg) abort(); /* memory is out */
  PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
  PQsetNoticeReceiver(c->pg, notice, c);
  if (PQstatus(c->pg) == CONNECTION_BAD) {
    failed(c);
    return;
  }
  /* As if PQconnectPoll had said that it waits for writing. */
  c->watch = weft_watch_new(c->base.loop, PQsocket(c->pg), poll_ready, c);
  if (c->watch) weft_watch_events(c->watch, WEFT_WRITABLE);
  else failed(c);
}

static void resolved(void *ud, const char *const *addresses, size_t n,
                     const struct weft_error *err) {
  struct weft_pg_conn *c = ud;
  c->resolve = NULL;
  if (err) {
    struct weft_error why;
    weft_conn_fail(&c->base, &why, WEFT_CONNECT, "%s", err->message);
    why.retryable = true;
    weft_pg_fail_open(c, &why);
    return;
  }
  c->addresses = weft_arena_alloc(&c->addresses_memory, n * sizeof *c->addresses);
  for (size_t i = 0; i < n; i++)
    c->addresses[i] = weft_arena_copy(&c->addresses_memory, addresses[i], strlen(addresses[i]));
  c->naddresses = n;
  start(c);
}

static bool numeric(const char *host) {
  struct in6_addr address;
  return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

void weft_pg_connect(struct weft_pg_conn *c) {
  const char *host = c->set->host;
  c->timer = weft_timer_new(c->base.loop, timed_out, c);
  weft_timer_start(c->timer, weft_loop_clock(c->base.loop) + c->set->timeout_ns);
  if (!host) start(c);
  else if (numeric(host)) resolved(c, &host, 1, NULL);
  else c->resolve = weft_loop_resolve(c->base.loop, host, resolved, c);
}
