/* SPDX-License-Identifier: MIT */
/* What the files of the pool share.
     pool.c          life, submitting, leases, what connections report
     pool_place.c    places: opening, states, closing of connections
     pool_wait.c     queues: who gets the next connection
     pool_time.c     one timer for every deadline
     pool_writers.c  the one writer of a file
     pool_budget.c   pools that share what they may open */
#ifndef WEFT_POOL_PRIVATE_H
#define WEFT_POOL_PRIVATE_H

#include "pool.h"

enum { POOL_MAX = 8, POOL_LIMIT = 1000, PIPELINE = 64, PIPELINE_SOLE = 128, PIPELINE_FULL = 8 };
#define POOL_MS INT64_C(1000000)
#define POOL_SHORT (2 * POOL_MS)     /* reads below it share, */
#define POOL_KEY (200 * POOL_MS)     /* so do look-ups by key: a busy machine is slow */
#define POOL_OLD (20 * POOL_MS)      /* a pipeline whose head is older takes no more if it can */
#define POOL_STUCK (100 * POOL_MS)   /* a dropped head may block a pipeline so long */
#define POOL_CLEANING (50 * POOL_MS)  /* a connection that is cleaned so long may as well be lost */
#define POOL_PATIENCE (5000 * POOL_MS) /* for cancellations and resets to be confirmed */
#define POOL_NEVER INT64_MAX

enum place_state {
  PLACE_EMPTY,
  PLACE_OPENING,
  PLACE_IDLE,
  PLACE_SHARED,    /* short reads in flight, or answers of dropped ones still to come */
  PLACE_ALONE,     /* one statement */
  PLACE_LEASED,
  PLACE_CLEANING,  /* rolling back, resetting, asked whether it lives */
  PLACE_CLOSING,   /* as soon as no call back of it is on the stack */
  PLACE_STATES
};

/* Where a connection may be. Its address is the connection's owner. */
struct place {
  struct weft_list link;  /* of pool->places[state] */
  struct weft_list dirty; /* of pool->dirty: to be flushed at the turn's end */
  struct weft_pool *pool;
  struct weft_conn *conn;
  struct weft_lease *lease;
  uint8_t state;
  bool quick;    /* the one statement is short: it does not count against the reserve */
  bool writer;   /* what runs here holds the place of the file's writer */
  bool session;  /* reset it when the lease ends */
  bool draining; /* takes no more short reads: somebody waits to have it alone */
  uint64_t opening;    /* number of the attempt, to know it again */
  int64_t expires_at;  /* end of its life */
  int64_t limit_at;    /* closed unless what it does has ended then; 0: none */
  int64_t dropped_at;  /* sent_at of the first dropped operation whose answer is still to come, */
  uint64_t dropped;    /* and its ticket */
  struct chore *chore; /* under way, or NULL */
};

struct weft_pool {
  struct weft_loop *loop;
  struct weft_settings *settings;
  const struct weft_driver *driver;
  struct weft_pool_options o;
  bool keep; /* the connection is the database (:memory:): never closed but with the pool */
  void (*event)(void *ud, enum weft_pool_event what, const struct weft_error *err);
  void *ud;
  struct file *file;    /* whose writers queue up, or NULL */
  struct place *place;  /* o.max of them */
  struct weft_list places[PLACE_STATES]; /* idle: last used first */
  uint32_t count[PLACE_STATES];
  uint32_t taken;       /* places given to statements and leases that are not short */
  /* Each in order of tickets. */
  struct weft_list quick, alone, leases;
  uint32_t nquick, nalone, nleases, nwriters;
  uint64_t own_tickets, *tickets;
  struct weft_list dirty;
  struct weft_hook flush, close;
  struct weft_timer *timer;
  int64_t timer_at;     /* POOL_NEVER: not running */
  int64_t retry_at;     /* no attempt to connect before it; 0: at once, or one is under way */
  int64_t grace_at;     /* closing: what is in flight ends then */
  struct weft_plan *rollback, *ping;
  uint64_t random;
  uint32_t failures;    /* attempts to connect that failed in a row */
  uint32_t depth;       /* the pool's functions on the stack */
  bool dispatching, again, closing, held;
  struct weft_list sharer, hunger; /* of the budget's pools, of its starved ones */
  struct weft_hook fed;            /* goes on when the budget has room again */
  struct weft_pool_stats stats;
};

/* pool.c */
static inline void pool_enter(struct weft_pool *p) { p->depth++; }
void pool_leave(struct weft_pool *p); /* frees a closed pool that has nothing left */
bool pool_quick(const struct weft_op *op); /* may share, as far as is known now */
void pool_end_op(struct weft_op *op, enum weft_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void pool_end_lease(struct weft_lease *lease, const struct weft_error *err);
/* Gives the connection of place (idle, or shared for a quick op of a pipelining driver) to op. */
void pool_run(struct place *place, struct weft_op *op, bool quick);
void pool_grant(struct place *place, struct weft_lease *lease);
void pool_flush_later(struct place *place);
void pool_serve(struct weft_pool *p); /* gives what has become free to those who wait */
void pool_wants(struct weft_pool *p); /* keeps the loop alive while something is under way */

/* pool_place.c */
void place_set(struct place *place, enum place_state state);
void place_open(struct weft_pool *p);
void place_close(struct place *place);    /* at once, or as soon as it may be */
/* Rolls back and resets as needed, then makes it idle; the caller serves who waits. */
void place_clean(struct place *place);
void place_check(struct place *place); /* an idle one: it is idle again when it has answered */
void place_lost(struct weft_conn *c, struct weft_list *replay, const struct weft_error *err);
void place_reset(struct weft_conn *c, bool ok);
void place_ended(struct weft_conn *c);
void place_room(struct weft_conn *c);
void place_overdue(struct place *place);  /* its limit has passed while opening */
void place_run_close(struct weft_hook *hook);
struct place *place_idle(struct weft_pool *p); /* a healthy idle one, or NULL */

/* pool_wait.c */
/* quick: pool_quick when it was submitted; what is learned of its plan meanwhile does not matter. */
void wait_op(struct weft_pool *p, struct weft_op *op, bool quick);
void wait_lease(struct weft_pool *p, struct weft_lease *lease);
void wait_leave_op(struct weft_op *op);       /* from whichever queue */
void wait_leave_lease(struct weft_lease *lease);
uint32_t wait_count(const struct weft_pool *p);
/* Runs it when a connection is free. */
bool wait_place_op(struct weft_pool *p, struct weft_op *op, bool quick);
bool wait_place_lease(struct weft_pool *p, struct weft_lease *lease);
void wait_dispatch(struct weft_pool *p);
void wait_fail_all(struct weft_pool *p, const struct weft_error *err, bool writers);

/* pool_time.c */
void time_note(struct weft_pool *p, int64_t at); /* something is due then */
void time_due(void *pool);
void time_expired_op(struct weft_op *op, int64_t now);

/* pool_budget.c */
void budget_join(struct weft_pool *p);
void budget_leave(struct weft_pool *p);
void budget_count(struct weft_pool *p, int more); /* places that are not empty */
bool budget_allows(struct weft_pool *p); /* to open another one; takes it away from another pool if need be */
bool budget_owes(const struct weft_pool *p); /* another pool waits for a connection to end here */

/* pool_writers.c */
struct file;
struct file *writers_file(struct weft_writers *w, struct weft_slice key);
/* True: the place is taken for op (lease); false: it was queued. */
bool writers_take_op(struct weft_pool *p, struct weft_op *op);
bool writers_take_lease(struct weft_pool *p, struct weft_lease *lease);
void writers_free(struct weft_pool *p);  /* the place is nobody's */
void writers_grant(struct weft_pool *p); /* to the next, if it is nobody's */
struct weft_list *writers_ops(struct weft_pool *p);    /* waiting, of all pools */
struct weft_list *writers_leases(struct weft_pool *p);
uint64_t *writers_tickets(struct weft_writers *w);
/* pool.c: the place of the writer is taken for it now. */
void pool_writer_op(struct weft_op *op);
void pool_writer_lease(struct weft_lease *lease);

#endif
