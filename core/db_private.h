/* SPDX-License-Identifier: MIT */
/* What the files of the composition share: db.c (databases, relations), call.c (the life of a
   call), tx.c and tx_verbs.c (transactions), batch.c (look-ups by key), schema.c (what is known of
   tables), context.c.

   A call is in one place at a time (enum weft_place); whoever moves it says so there. Each place
   has one way out for a call that gives up, all of them in weft_call_abort. */
#ifndef WEFT_DB_PRIVATE_H
#define WEFT_DB_PRIVATE_H

#include "clock.h"
#include "db.h"

enum weft_place {
  WEFT_AT_REST,      /* not running, or in the middle of a step: nobody can give it up now */
  WEFT_AT_DISCOVERY, /* in relation->waiting */
  WEFT_AT_BATCH,     /* in a finder's held list, until the turn's end */
  WEFT_AT_FLIGHT,    /* rides on a merged statement: flight->callers */
  WEFT_AT_QUEUE,     /* in tx->queue */
  WEFT_AT_HEAD,      /* tx->current; its statement was not sent yet */
  WEFT_AT_BUNDLE,    /* several reads: ride is the bundle */
  WEFT_AT_POOL       /* op was submitted, to the pool or to a lease */
};

struct weft_context {
  int refs; /* the owner and every database */
  struct weft_loop *loop;
  struct weft_writers *writers;
  struct weft_budgets *budgets; /* the host's, or NULL */
  struct weft_list dbs;      /* open ones */
  struct weft_list retired;  /* settings of closed ones: their connections may still be ending */
  void (*event)(void *ud, enum weft_event what, const struct weft_event_info *info);
  void *ud;
  struct weft_timer *alarm;  /* for calls with a deadline that no pool watches */
  struct weft_list timed;
  int64_t alarm_at;          /* 0: not set */
  uint32_t ncalls;
  bool quiet;                /* no call is unfinished */
};

struct weft_db {
  int refs;
  bool closed;                    /* takes no new work */
  uint32_t busy; /* running calls and leases; the last one ends a closed database */
  struct weft_timer *grace;       /* or this does */
  struct weft_list link;          /* of context->dbs, until pool is gone */
  struct weft_context *context; /* owned reference */
  char *name, *label;
  const struct weft_driver *driver;
  const struct weft_dialect *dialect;
  struct weft_settings *settings;
  bool owns_settings;             /* they are retired when it closes */
  struct weft_pool *pool;         /* NULL when closed and at rest */
  struct weft_plans plans;
  struct weft_plan *catalog, *tables; /* NULL until first used */
  struct weft_list relations;
  struct weft_map finders;        /* base shape and relation -> struct weft_finder */
  uint64_t batches, batched;
  uint64_t epoch;                 /* of the schema, see weft_db_epoch */
};

struct weft_relation {
  struct weft_list link;
  struct weft_db *db;
  uint64_t hash;
  struct weft_relation_options o; /* in arena */
  struct weft_table *table;       /* owned; .known says whether it was discovered */
  struct weft_table *last;        /* owned; what it was before it was forgotten, or NULL */
  struct weft_call *probe;        /* the discovery under way, not in a transaction */
  bool again;                     /* the probe must ask once more */
  struct weft_list waiting;       /* struct weft_call.link */
  struct weft_arena arena;
};

/* ---- context.c ---- */
struct weft_live_counts { long contexts, databases, leases, calls; };
extern struct weft_live_counts weft_live_counts;
static inline void weft_live_add(long *what, long n) {
  __atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}
/* Calls with a deadline are aborted with WEFT_TIMEOUT when it passes, until they are unlinked. */
void weft_context_watch(struct weft_context *c, struct weft_call *call);
void weft_context_unref(struct weft_context *c);
void weft_context_retire(struct weft_context *c, struct weft_settings *settings);
/* A statement ended; started as weft_context_stamp gave it, not 0. */
void weft_context_report(struct weft_db *db, const struct weft_op *op, int64_t started,
                         const struct weft_origin *origin, const struct weft_rows *rows,
                         const struct weft_error *err);
/* 0 when nobody listens: then nothing is reported. */
static inline int64_t weft_context_stamp(const struct weft_context *c) {
  return c->event ? weft_clock_ns() : 0;
}

/* ---- call.c ---- */
/* Marks it running. */
void weft_call_begin(struct weft_call *call, struct weft_db *db, struct weft_tx *tx);
/* The same for new work. -1: the database is closed and the call has finished with that. */
int weft_call_admit(struct weft_call *call, struct weft_db *db, struct weft_tx *tx);
int weft_call_closed(const struct weft_db *db,
                     struct weft_error *err); /* -1, says that it is closed */
/* Its step, now or when its transaction comes to it. */
void weft_call_run(struct weft_call *call);
/* Runs step again, at the place where the call is. */
void weft_call_step(struct weft_call *call);
/* op.plan (an owned reference), op.params, op.nparams are set: submits. */
void weft_call_submit(struct weft_call *call);
/* The end, wherever it was: unlinked, finished. rows is handed over. */
void weft_call_end(struct weft_call *call, struct weft_rows *rows, const struct weft_error *err);
/* op.done of every call: reports, asks the transaction, goes on in call->answered. */
void weft_call_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err);
/* call->answered of ordinary statements. */
void weft_call_answered(struct weft_call *call, struct weft_rows *rows,
                        const struct weft_error *err);

/* ---- schema.c ---- */
/* Learns the relation's table, then runs the call's step again; fails it when there is none. Inside
   a transaction on its connection, else in company of all calls that wait for the same relation. */
void weft_schema_discover(struct weft_call *call);
/* The statement failed with err: may that be because the table changed behind our back? Then looks
   it up again and, when it did change, runs the call's step once more. True: it is taken care of.
 */
bool weft_schema_suspect(struct weft_call *call, const struct weft_error *err);
void weft_relation_forget(struct weft_relation *r);
void weft_relation_free(struct weft_relation *r);
/* Does the statement's first word say that it changes tables? */
bool weft_schema_is_ddl(struct weft_slice text);

/* ---- batch.c ---- */
int weft_find_step(struct weft_call *call, struct weft_error *err);
/* A caller gives up: the others go on without it. */
void weft_batch_leave(struct weft_call *call);
void weft_flight_leave(struct weft_call *call);
/* Everything that is held goes out, every finder is forgotten. */
void weft_finders_clear(struct weft_db *db);
void weft_finders_release(struct weft_db *db);
const struct weft_op *weft_flight_op(const struct weft_call *call);

/* ---- db.c ---- */
/* A database of settings that the caller keeps until the context is gone (specs). */
struct weft_db *weft_db_new(struct weft_context *c, struct weft_slice name,
                            struct weft_settings *settings, const struct weft_db_options *o);
/* What kept the database busy has ended; closes it for good when it is to be closed. */
void weft_db_rest(struct weft_db *db);
/* The query on the newest version of the relation's table, checked when it was built on another. Owned. */
int weft_relation_current(struct weft_relation *r, struct weft_query *q, struct weft_query **out,
                          struct weft_error *err);
int weft_query_step(struct weft_call *call, struct weft_error *err);

/* ---- db_again.c ---- */
/* rows is the answer to a write whose row is wanted, and the database did not hand it back: reads it, as the
   rest of the call. True: it is taken care of, rows too. */
bool weft_again(struct weft_call *call, struct weft_rows *rows);
/* The call ends. */
void weft_again_end(struct weft_call *call);

/* ---- tx.c ---- */
void weft_tx_take(struct weft_tx *tx, struct weft_call *call);
void weft_tx_send(struct weft_tx *tx, struct weft_call *call);
/* What a statement's answer means for the transaction: the error to report instead, or err. */
const struct weft_error *weft_tx_answer(struct weft_tx *tx, const struct weft_error *err);
/* The call leaves (finished by the caller of this); what stands behind it may run. */
void weft_tx_leave(struct weft_tx *tx, struct weft_call *call);
void weft_tx_next(struct weft_tx *tx);
struct weft_tx *weft_tx_ref(struct weft_tx *tx);
void weft_tx_unref(struct weft_tx *tx);
/* The owner goes; the transaction ends when the calls that it has are done. */
void weft_tx_disown(struct weft_tx *tx);
bool weft_tx_is_session(const struct weft_tx *tx);
/* Is the connection inside a transaction, as the database last said? */
bool weft_tx_left_open(const struct weft_tx *tx);
bool weft_tx_reads(const struct weft_tx *tx);
/* Does tx alone hold what somebody in db's queues waits for? writes: wants the writer's place.
   shares: is served by connections that others use as well. */
bool weft_tx_blocks(const struct weft_tx *tx, const struct weft_db *db, bool writes, bool shares);
void weft_tx_note_ddl(struct weft_tx *tx);

#endif
