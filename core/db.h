/* SPDX-License-Identifier: MIT */
/* Composition: a named database is a pool, a dialect, a plan cache and what is known of its tables.
   A context is everything of one loop: its databases, the writers of files. One thread.

   Opening a database connects nothing and reads nothing; the first statement connects; the first query
   of a table discovers its columns. */
#ifndef WEFT_DB_H
#define WEFT_DB_H

#include "pool.h"

#pragma GCC visibility push(default)

struct weft_context;
struct weft_db;
struct weft_tx;
struct weft_relation;
struct weft_call;

enum weft_event {
  WEFT_EVENT_QUERY,      /* a statement ended: op, sql, time, rows, error */
  WEFT_EVENT_CONNECT,
  WEFT_EVENT_DISCONNECT,
  WEFT_EVENT_RETRY
};
/* On whose behalf something is asked: numbers of the caller's, which events hand back; 0: none. */
struct weft_origin {
  uint64_t scope, span;
};
struct weft_event_info {
  struct weft_db *db;
  struct weft_slice sql;
  int64_t began_ns;      /* by weft_clock_ns */
  int64_t ns;            /* from submission to answer */
  int64_t started_us;    /* since 1970, by the clock on the wall when it ended */
  struct weft_origin origin; /* of the first of the calls that it serves */
  const struct weft_op *op;  /* NULL: it is no statement's end */
  uint32_t rows, nparams, zero_dates;
  int64_t affected;
  const struct weft_error *error;
};

/* uv_loop: see weft_loop_new. event may be NULL (then nothing is measured for it). */
int weft_context_new(void *uv_loop, struct weft_context **out, struct weft_error *err);
void weft_context_on_event(struct weft_context *c,
                           void (*event)(void *ud, enum weft_event what,
                                         const struct weft_event_info *info),
                           void *ud);
struct weft_loop *weft_context_loop(struct weft_context *c);
/* Databases of one name have max connections together in all contexts with these budgets, which are the caller's. */
void weft_context_share(struct weft_context *c, struct weft_budgets *budgets);
/* Closes every database; waits for what must end. No call may be unfinished but those it fails. */
void weft_context_free(struct weft_context *c);

/* ---- databases ---- */
struct weft_db_options {
  struct weft_pool_options pool;
  const struct weft_setting *settings; /* beyond the url */
  uint32_t nsettings;
  size_t plan_bytes;                   /* 0: 4 MiB */
};
/* No I/O. The result is owned by the context until weft_db_close. */
int weft_db_open(struct weft_context *c, struct weft_slice name, struct weft_slice url,
                 const struct weft_db_options *o, struct weft_db **out, struct weft_error *err);
/* New calls fail with WEFT_CLOSED; running ones may end until grace_ns passed. The struct goes when its
   last reference goes. */
void weft_db_close(struct weft_db *db, int64_t grace_ns);
struct weft_db *weft_db_ref(struct weft_db *db);
void weft_db_unref(struct weft_db *db);
struct weft_slice weft_db_name(const struct weft_db *db);
struct weft_slice weft_db_label(const struct weft_db *db);
const struct weft_dialect *weft_db_dialect(const struct weft_db *db);
struct weft_context *weft_db_context(const struct weft_db *db);

struct weft_db_stats {
  struct weft_pool_stats pool;
  uint64_t plan_hits, plan_misses, plan_evictions, batches, batched;
  size_t plan_bytes, plans;
};
void weft_db_stats(const struct weft_db *db, struct weft_db_stats *out);
void weft_db_check(struct weft_db *db); /* weft_pool_check */

/* ---- relations: a table as a model sees it ---- */
struct weft_override {          /* what a model says of one column beyond what was discovered */
  struct weft_slice name;
  uint32_t as;                  /* enum weft_as */
  bool lazy;
};
struct weft_relation_options {
  struct weft_slice schema, table;  /* table may be "schema.table" only through schema */
  const struct weft_override *overrides;
  uint32_t noverrides;
  const struct weft_slice *key;     /* primary_key of the model, none: as discovered */
  uint32_t nkey;
  const struct weft_slice *alternatives; /* names to look for, in this order, when table is not there */
  uint32_t nalternatives;
  uint32_t decimals;                /* enum weft_as of decimals that no override speaks of */
  bool zone_utc;                    /* timestamps without zone are UTC */
  struct weft_slice soft;           /* the column that says when a row was deleted; empty: none */
};
/* Cached by its options (equal options give the same relation). Owned by db, good as long as db. */
struct weft_relation *weft_db_relation(struct weft_db *db, const struct weft_relation_options *o);
/* The newest table of the relation: .known is false until it was discovered. Borrowed. */
struct weft_table *weft_relation_table(struct weft_relation *r);
struct weft_db *weft_relation_db(struct weft_relation *r);
/* Everything that was learned of tables is dropped and learned again when needed (after DDL). */
void weft_db_forget_tables(struct weft_db *db);
/* Grows with each of these: what was learned at an older epoch may be wrong. */
uint64_t weft_db_epoch(const struct weft_db *db);

/* ---- calls ---- */
enum { WEFT_CALL_MEMORY = 384 };
struct weft_call {
  struct weft_op op;
  struct weft_db *db;             /* reference while running */
  struct weft_tx *tx;             /* NULL outside */
  struct weft_relation *relation;
  struct weft_query *query;       /* reference while running */
  struct weft_rows *rows;         /* the answer, owned by the caller after finished */
  struct weft_rows **all;         /* or the answers, NULL where there is none (weft_db_read_all) */
  uint32_t nall;
  struct weft_error error;        /* kind WEFT_OK when it went well */
  bool running, done;
  uint32_t level;                 /* savepoints that the caller is inside of, from 1; 0: it does not say.
                                     A call of fewer than are open waits until they are closed. */
  int64_t deadline;               /* set before the start; loop time; 0: the database's default; as is: */
  struct weft_origin origin;
  void (*finished)(struct weft_call *call); /* once; possibly before the start returns */
  void *ud;
  struct weft_list link;          /* of a batch, or waiting for discovery */
  struct weft_value key[4];       /* of a look-up; longer keys live in arena */
  struct weft_value *keys;
  uint32_t nkeys;
  struct weft_hook later;         /* takes a turn of the loop */
  int (*step)(struct weft_call *call, struct weft_error *err); /* what to do after discovery */
  /* where it is and what its place needs to know, see db_private.h */
  uint8_t place;
  bool batch, retried, ddl;
  uint32_t slot;
  int64_t started;
  uint64_t version;               /* id of the table that the plan was made for */
  void *ride;
  struct weft_again *again;       /* reads what a write did not hand back, see db_again.c */
  struct weft_list timed;
  void (*answered)(struct weft_call *call, struct weft_rows *rows, const struct weft_error *err);
  struct weft_arena arena;        /* parameters; of use before the start, too */
  char memory[WEFT_CALL_MEMORY];
};
/* For memory that never held a call; sets finished and ud. */
void weft_call_init(struct weft_call *call, void (*finished)(struct weft_call *), void *ud);
/* Frees rows and the arena; not while running. The call may be started again. */
void weft_call_reset(struct weft_call *call);
/* Gives up; finished is called with why, at once or when the server confirmed. */
void weft_call_abort(struct weft_call *call, enum weft_kind why);

/* Runs query (its verb included) on relation's database. Discovers the table first where needed, checks
   the columns, plans, binds, submits. tx: NULL, or the transaction of that database. */
void weft_db_query(struct weft_relation *r, struct weft_tx *tx, struct weft_query *query,
                   struct weft_call *call);
/* Look-up by primary key on top of base (a query without conditions: selects, notes). values: nkeys of
   one row. rows has one row or none. Joins a batch when other tasks are runnable (see batch.c). */
void weft_db_find(struct weft_relation *r, struct weft_tx *tx, struct weft_query *base,
                  const struct weft_value *values, uint32_t nkeys, bool batch,
                  struct weft_call *call);
/* Only discovers. rows is NULL in the end. */
void weft_db_discover(struct weft_relation *r, struct weft_tx *tx, struct weft_call *call);
/* Raw text; marks as in weft_dialect_raw. Control statements are refused unless tx is a session. */
void weft_db_raw(struct weft_db *db, struct weft_tx *tx, struct weft_slice text,
                 const struct weft_value *params, uint32_t n, struct weft_call *call);
/* The same without parameters or marks. */
void weft_db_verbatim(struct weft_db *db, struct weft_tx *tx, struct weft_slice text, struct weft_call *call);
/* Reads without parameters or marks that see one snapshot, in as few round trips as the driver can. All is
   lost when one of them fails. */
void weft_db_read_all(struct weft_db *db, const char *const *texts, uint32_t n,
                      struct weft_call *call);
/* Many statements, no parameters, a connection of its own that is reset afterwards. */
void weft_db_script(struct weft_db *db, struct weft_slice text, struct weft_call *call);
/* The plan of a query without running it (table must be known: discover first). Borrowed until the next
   call on db. */
int weft_db_plan(struct weft_relation *r, struct weft_query *query, struct weft_plan **out,
                 struct weft_error *err);

/* ---- transactions and sessions: one connection, one statement after another ---- */
enum weft_isolation {
  WEFT_ISOLATION_DEFAULT,
  WEFT_READ_COMMITTED,
  WEFT_REPEATABLE_READ,
  WEFT_SERIALIZABLE,
  WEFT_READ_UNCOMMITTED
};
struct weft_tx_options {
  enum weft_isolation isolation;
  bool read_only;
  bool quiet;   /* its frame is Weft's own affair: no event tells of BEGIN */
  bool session; /* not a transaction: a lent connection; control statements allowed */
};
/* No I/O: the connection is leased and BEGIN sent together with the first statement. */
struct weft_tx *weft_tx_new(struct weft_db *db, const struct weft_tx_options *o);
struct weft_db *weft_tx_db(const struct weft_tx *tx);
uint32_t weft_tx_depth(const struct weft_tx *tx); /* 1: no savepoint */
/* The lost connection or the failed statement that dooms it; WEFT_OK while it is sound. */
enum weft_kind weft_tx_doom(const struct weft_tx *tx);
bool weft_tx_waiting(const struct weft_tx *tx); /* for a connection or the writer's place */
/* Each ends in call->finished. savepoint travels with the next statement; release and rollback_to end
   the newest one. A transaction that ran no statement commits without any I/O. */
void weft_tx_savepoint(struct weft_tx *tx, struct weft_call *call);
void weft_tx_release(struct weft_tx *tx, struct weft_call *call);
void weft_tx_rollback_to(struct weft_tx *tx, struct weft_call *call);
/* COMMIT; on WEFT_TX_FAILED the server rolls back instead and the call fails. Ends the transaction and
   gives the connection back either way. For a session: gives it back, reset. */
void weft_tx_commit(struct weft_tx *tx, struct weft_call *call);
void weft_tx_rollback(struct weft_tx *tx, struct weft_call *call);
/* Forgets it; rolls back in the background when it was not ended. */
void weft_tx_free(struct weft_tx *tx);
/* Is call held up by tx: queued for the connection or writer's place that tx occupies? */
bool weft_call_waits_for(const struct weft_call *call, const struct weft_tx *tx);

/* Alive in the process, for specs: contexts, databases, connections, leases, calls, row sets. */
struct weft_live { long contexts, databases, connections, leases, calls, rows; };
void weft_live(struct weft_live *out);

#pragma GCC visibility pop

#endif
