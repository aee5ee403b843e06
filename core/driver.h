/* SPDX-License-Identifier: MIT */
/* The border between Weft and a database client library: an operation, a connection, and the dozen
   functions that a driver is. One loop's thread only; what a driver does on the thread pool it keeps to
   itself.

   An operation is one statement. Its starter owns the memory and keeps plan and params alive until
   done is called, exactly once, possibly before submit returns (SQLite, short reads). After done the
   operation is its starter's again.

   A connection runs its operations in the order in which they were submitted. Who may submit to it is
   the pool's business. When it breaks, the driver calls weft_conn_lost once; conn.c then fails or hands
   back what was in flight. */
#ifndef WEFT_DRIVER_H
#define WEFT_DRIVER_H

#include "loop.h"
#include "plan.h"

#pragma GCC visibility push(default)

struct weft_conn;
struct weft_driver;

enum weft_op_flags {
  WEFT_OP_SHARED = 1,    /* other tasks' statements are on this connection: never cancel at the server */
  WEFT_OP_NO_INLINE = 2, /* SQLite: go to the thread pool at once */
  WEFT_OP_REPLAYED = 4,  /* was lost once already */
  WEFT_OP_IN_TX = 8,     /* part of a transaction: its loss is known to be a rollback, except of COMMIT */
  WEFT_OP_WRITER = 16,   /* the pool's: it holds the place of the file's writer */
  WEFT_OP_CHAINED = 64,  /* it fails with the operation behind it, which is there already */
  WEFT_OP_LOST = 128,    /* its connection was lost; it is about to fail or to be replayed */
  WEFT_OP_READ_ONLY = 32 /* in a transaction that promised not to write; databases that know such
                            transactions see to it themselves */
};

enum weft_op_state { WEFT_OP_NEW, WEFT_OP_QUEUED, WEFT_OP_SENT, WEFT_OP_DROPPED, WEFT_OP_DONE };

struct weft_op {
  struct weft_list link;            /* the queue or connection that holds it */
  struct weft_plan *plan;           /* the starter's reference */
  const struct weft_value *params;  /* plan->nslots, or nslots * repeat */
  uint32_t nparams, repeat;         /* repeat: how often a repeated insert runs, else 1 */
  uint32_t flags, state;
  uint32_t why;                     /* enum weft_kind: it was aborted, its end is awaited */
  uint64_t ticket;                  /* place in the pool's queues */
  int64_t deadline;                 /* loop time, 0: none */
  int64_t queued_at, sent_at;
  struct weft_conn *conn;           /* while on one */
  struct weft_pool *pool;           /* while under one */
  void *driver_data;
  void (*done)(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err);
      /* rows: an owned reference (also of writes: affected, last_id), NULL when err */
};

/* Settings of one database, parsed and checked without I/O. */
struct weft_setting {
  const char *name;  /* "host" "port" "user" "password" "database" "path" "ssl" "application_name" ... */
  struct weft_slice value;
};
struct weft_settings {
  const struct weft_driver *driver;
  struct weft_arena arena;
  struct weft_setting *v;
  uint32_t n;
  void *data; /* what driver->configure made of it, in arena */
  struct weft_slice label; /* the url without password and token, for messages */
};
const struct weft_setting *weft_setting(const struct weft_settings *s, const char *name);

enum weft_conn_state { WEFT_CONN_OPENING, WEFT_CONN_READY, WEFT_CONN_CLOSING, WEFT_CONN_CLOSED };
enum weft_tx_state { WEFT_TX_NONE, WEFT_TX_OPEN, WEFT_TX_FAILED };

/* What all connections share; a driver's own struct begins with it. */
struct weft_conn {
  const struct weft_driver *driver;
  struct weft_loop *loop;
  const struct weft_settings *settings; /* outlives the connection */
  uint8_t state;        /* enum weft_conn_state */
  uint8_t tx;           /* enum weft_tx_state, as the database last said */
  bool broken;          /* finish what is in flight, then close: never reuse */
  bool exclusive;       /* leased: cancel may go to the server */
  uint16_t calls;       /* conn.c's call backs on the stack: close must wait for them */
  uint32_t inflight;    /* length of ops */
  uint32_t dropped;     /* answers still to come that belong to nobody any more */
  struct weft_list ops; /* struct weft_op.link, in order of submission */
  int64_t opened_at, used_at; /* used_at: when the newest operation ended */
  int64_t rtt;          /* at most a round trip, ns; not counted as time at the database */
  struct weft_list link; /* the pool's */
  void *owner;           /* the pool; its call backs: */
  void (*on_open)(struct weft_conn *c, const struct weft_error *err); /* err: it is closed already */
  void (*on_ended)(struct weft_conn *c); /* an operation is off the connection; its done comes next */
  void (*on_room)(struct weft_conn *c);  /* after done: others may have their turn */
  void (*on_reset)(struct weft_conn *c, bool ok);
  void (*on_lost)(struct weft_conn *c, struct weft_list *replay, const struct weft_error *err);
      /* replay: reads that may run again elsewhere; the owner resubmits or fails them */
};

enum weft_driver_caps {
  WEFT_DRIVER_PIPELINES = 1,  /* several operations in flight on one connection; one that was submitted
                                 together with a BEGIN that fails is not carried out */
  WEFT_DRIVER_ONE_WRITER = 2, /* a file (url scheme:path) whose writers queue up before they begin */
  WEFT_DRIVER_CANCELS = 4     /* a running statement of an exclusive connection can be stopped */
};

enum { WEFT_DRIVER_ABI = 1 };

struct weft_driver {
  uint32_t abi;
  const char *name;                 /* "postgres" */
  const struct weft_dialect *dialect;
  uint32_t caps;
  /* Parses and checks s->v (filled from url and options), without I/O; sets s->data, s->label. */
  int (*configure)(struct weft_settings *s, struct weft_error *err);
  /* At most how many connections make sense: 1 for :memory:, 0 no limit; NULL: there is never one. And the identity
     of the file that writers queue for ("" none), of drivers with WEFT_DRIVER_ONE_WRITER. */
  uint32_t (*max_connections)(const struct weft_settings *s);
  struct weft_slice (*writer_key)(const struct weft_settings *s);
  /* Allocates the driver's struct and starts connecting; ends in weft_conn_opened, possibly before it
     returns. Name look-up and TLS never block the loop. */
  struct weft_conn *(*open)(struct weft_loop *l, const struct weft_settings *s, void *owner,
                            void (*on_open)(struct weft_conn *, const struct weft_error *));
  /* Takes op as the connection's newest. May finish it at once; may hold it until flush. */
  void (*submit)(struct weft_conn *c, struct weft_op *op);
  /* Sends what submit held back. Called at the turn's end, or at once when nobody else will submit. */
  void (*flush)(struct weft_conn *c);
  /* op's deadline passed or its task was cancelled: why is WEFT_TIMEOUT or WEFT_CANCELLED. The driver
     ends it by weft_conn_finish with that kind at once when it is safe (shared: its answer will be
     dropped), or after the server confirmed the cancellation (exclusive). */
  void (*abort)(struct weft_conn *c, struct weft_op *op, enum weft_kind why);
  /* Back to a fresh session (DISCARD ALL); ends in c->on_reset. */
  void (*reset)(struct weft_conn *c);
  /* Frees everything, answering for what is in flight by weft_conn_lost first; asynchronous parts end
     by themselves. c is gone for the caller. */
  void (*close)(struct weft_conn *c);
  /* May be NULL. Has the other side closed an idle connection? Asked before one that was idle for long
     is used again: a loop that did not run has not seen it. */
  bool (*alive)(struct weft_conn *c);
};

/* ---- what drivers call (conn.c) ---- */
void weft_conn_init(struct weft_conn *c, const struct weft_driver *d, struct weft_loop *l,
                    const struct weft_settings *s, void *owner,
                    void (*on_open)(struct weft_conn *, const struct weft_error *));
void weft_conn_opened(struct weft_conn *c, const struct weft_error *err);
/* Links op to c->ops and stamps it WEFT_OP_SENT now. A driver that holds it back sets WEFT_OP_QUEUED
   until the first byte goes out (then SENT and sent_at again): an operation that was never sent has no
   unknown outcome. */
void weft_conn_take(struct weft_conn *c, struct weft_op *op);
/* The end of op: unlinks it, measures its plan, calls on_ended, done, on_room. rows is handed over. Each
   may submit to c again before this returns; the connection is never closed inside. */
void weft_conn_finish(struct weft_conn *c, struct weft_op *op, struct weft_rows *rows,
                      const struct weft_error *err);
/* The end of an aborted operation on a shared connection, whose answer is still to come; and when that
   answer was read and thrown away. Until then the connection is not given to anybody alone. */
void weft_conn_drop(struct weft_conn *c, struct weft_op *op, const struct weft_error *err);
void weft_conn_drained(struct weft_conn *c);
/* The connection is dead. Every operation in flight: a read (WEFT_PLAN_READ, not RAW) that was not
   replayed before goes to on_lost's replay list; everything else fails with err (disconnect, timeout
   ...), outcome_unknown when it was sent and could have had an effect (a write outside a transaction, or
   COMMIT). The driver then waits for close(). */
void weft_conn_lost(struct weft_conn *c, const struct weft_error *err);
/* c->on_reset under the same guard. */
void weft_conn_reset_done(struct weft_conn *c, bool ok);
/* Like weft_fail, naming the connection's database by its label. */
int weft_conn_fail(const struct weft_conn *c, struct weft_error *err, enum weft_kind kind,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Per-connection memory of prepared statements: plan id -> driver's statement, least recently used
   first out. */
struct weft_statements {
  struct weft_map map;
  struct weft_list lru;
  uint32_t count, limit;
};
struct weft_statement {
  struct weft_list link;
  uint64_t plan; /* id */
};
void weft_statements_init(struct weft_statements *s, uint32_t limit);
struct weft_statement *weft_statements_get(struct weft_statements *s, uint64_t plan);
/* Adds; returns the one that must go (unlinked already) when the limit is passed, else NULL. */
struct weft_statement *weft_statements_add(struct weft_statements *s, struct weft_statement *st,
                                           uint64_t plan);
void weft_statements_remove(struct weft_statements *s, struct weft_statement *st);
void weft_statements_release(struct weft_statements *s); /* the map only; the driver freed the items */

/* ---- finding drivers (drivers.c) ---- */
/* "sqlite:..." "postgres://..." -> settings with the url's parts and the extra options. Opens
   weft/driver_NAME.so beside this module when it is not linked in. WEFT_USAGE on a wrong url, unknown
   scheme (nearest valid name) or unknown option. *out is owned. */
int weft_settings_new(struct weft_slice url, const struct weft_setting *options, uint32_t n,
                      struct weft_settings **out, struct weft_error *err);
void weft_settings_free(struct weft_settings *s);

#pragma GCC visibility pop

#endif
