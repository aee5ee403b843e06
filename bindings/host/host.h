/* SPDX-License-Identifier: MIT */
/* What the files of the host share.

   A *site* is an app inside one Lua state: requests become tasks there. A *worker* is a thread with a loop, an HTTP
   server and its current site; when scripts change, a new site takes over and the old one ends with its last request.
   The *server* (module weft.host) lives in the main thread: it accepts, hands connections to workers, watches them,
   and tells a Lua script (scripts/serve.lua), which decides, what happens. */
#ifndef WEFT_HOST_H
#define WEFT_HOST_H

#include <stdatomic.h>

#include "http.h"
#include "state.h"
#include "weft_lua.h"

int luaopen_weft_core(lua_State *L);
int luaopen_weft_host(lua_State *L);
int host_last_words(lua_State *L); /* last_words.c */

/* ---- site.c ---- */
enum site_phase { SITE_STARTING, SITE_READY, SITE_FAILED, SITE_STOPPING, SITE_STOPPED };

struct server;
struct site {
  struct weft_list link;    /* of its worker */
  struct weft_memory memory;
  lua_State *L;
  struct weft_lua *w;
  enum site_phase phase;
  uint32_t in_flight;       /* requests that have a task */
  void *uv;                 /* the uv_loop_t */
  uint64_t *slices;         /* see struct weft_lua */
  struct weft_budgets *budgets; /* what the worker's sites may open together */
  uint64_t *numbers;        /* of requests, for scopes: counted up */
  int64_t deadline_ns;      /* for a request */
  int dispatch, failed, stop, measure; /* registry references: functions of scripts/app/worker.lua */
  void (*changed)(struct site *s, const char *why); /* the phase has; why: of a failure, or NULL */
  void *ud;
  struct server *server;    /* for the script's functions of weft.host, as is: */
  uint32_t number;          /* of the worker */
};
/* Runs `script`, which returns a function; that one is called in a task with `options` (text) and returns
   { dispatch, failed, stop, measure }: then the site is READY. -1: it could not even begin. */
int site_start(struct site *s, const char *script, const char *options, struct weft_error *err);
void site_request(struct site *s, struct weft_exchange *x);
/* Runs the script's stop in a task; STOPPED afterwards. To be called when in_flight is 0. */
void site_stop(struct site *s);
/* What the script's measure says, handed to tell. */
void site_measure(struct site *s, void (*tell)(void *ud, const char *text), void *ud);
/* Closes the state. Not from a call back of its loop. */
void site_close(struct site *s);

/* ---- exchange.c: the request and its response in Lua ---- */
struct exchange {
  struct weft_exchange *x; /* NULL: ended */
  struct weft_lua *w;
  struct site *site;
  int64_t deadline;        /* on the scale of weft_loop_now, 0: none */
  bool held;               /* its writer waits */
  struct wait wait;
};
void exchange_open(lua_State *L, struct weft_lua *w); /* makes the metatable */
struct exchange *exchange_push(lua_State *L, struct site *s, struct weft_exchange *x);
void exchange_forget(struct weft_exchange *x); /* Lua has nothing to do with it any more */
void exchange_ended(const struct weft_exchange *x);   /* for struct weft_http_handler */
void exchange_drained(struct weft_exchange *x);
/* Nobody in Lua answers it any more: ends it with status when nothing was sent, cuts it when the answer is not
   complete. */
void exchange_abandon(struct exchange *e, int status);

/* ---- server.c ---- */
/* Makes the server known to a state, for the functions of weft.host that ask it; the number of its worker, 0: none. */
void server_set(lua_State *L, struct server *s, uint32_t number);

/* ---- worker.c ---- */
enum worker_event { WORKER_READY, WORKER_FAILED, WORKER_DRAINED, WORKER_STUCK };

struct worker_options {
  struct weft_http_options http;
  size_t memory;       /* bytes of a Lua state; 0: no limit */
  int64_t deadline_ns; /* of a request; 0: none */
  int64_t slice_ns;    /* a task may run so long without waiting; 0: for ever */
  int access_log;      /* a descriptor, -1: none */
  bool log_json;
  char *script, *text; /* of site_start: script and options */
};

struct worker;
/* o is borrowed until worker_free. tell is called on the worker's thread; its text is borrowed. */
struct worker *worker_new(uint32_t number, const struct worker_options *o, struct server *server,
                          void (*tell)(void *ud, uint32_t number, enum worker_event what, const char *text), void *ud,
                          struct weft_error *err);
int worker_start(struct worker *w, struct weft_error *err);
/* Ends it at once when it has not ended by itself. false: it does not answer, and is left alone with its memory. */
bool worker_free(struct worker *w);

/* From any thread. */
void worker_take(struct worker *w, int fd); /* a connection that was accepted, or a socket to accept on */
void worker_reload(struct worker *w);       /* WORKER_READY or WORKER_FAILED */
void worker_drain(struct worker *w);        /* WORKER_DRAINED once its last request has been answered */
void worker_measure(struct worker *w);      /* its script shall say how its databases are: */
/* What it said last, malloced; NULL while the last order to measure is not yet carried out. */
char *worker_measured(struct worker *w);

void worker_watch(struct worker *w, int64_t now); /* the watchdog's look; one thread's */

enum { WORKER_BUCKETS = 12 };
extern const double worker_bounds[WORKER_BUCKETS - 1]; /* seconds; the last bucket has what is longer */
struct worker_stats {
  struct weft_http_stats http;
  uint64_t memory, reloads, stopped; /* bytes of Lua; slices that were stopped */
  uint64_t answers[6];               /* by class: [2] 2xx ... */
  uint64_t time_us, buckets[WORKER_BUCKETS]; /* of all requests; buckets are not cumulative */
};
void worker_stats(struct worker *w, struct worker_stats *out);

/* ---- machine.c ---- */
void host_machine(lua_State *L); /* adds functions to the module on top */

/* ---- beside.c ---- */
int host_answer(lua_State *L);

/* ---- log.c ---- */
/* Adds a line about an exchange that has ended after ns. */
void log_exchange(struct weft_buf *out, const struct weft_exchange *x, bool json, int64_t ns);

#endif
