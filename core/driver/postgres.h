/* SPDX-License-Identifier: MIT */
/* The PostgreSQL driver's own header: what its files share. Nobody else includes it. Loop's thread
   only.

   What was sent is a list of flights, in order. A flight's answers come in order, too; in pipeline
   mode a sync point ends a group of flights, in plain mode the end of the answer ends the one
   flight there is. A flight keeps its own state, because an operation that was given up belongs to
   its starter again while its answer is still to come: then flight->op is NULL.

   base.ops holds operations in order of submission; the newest `held` of them are not sent yet, and
   flush has allowed the oldest `ready` of those. */
#ifndef WEFT_DRIVER_POSTGRES_H
#define WEFT_DRIVER_POSTGRES_H

#include <libpq-fe.h>

#include "../driver.h"
#include "postgres_types.h"

enum { WEFT_PG_KEYWORDS = 24, WEFT_PG_STATEMENTS = 256, WEFT_PG_NAME = 32 };
/* libpq's buffers only grow: after so great a statement or answer the connection is not used again.
 */
enum { WEFT_PG_GREAT = 64 << 20 };
static const int64_t WEFT_PG_SECOND = 1000000000;

/* What configure makes of url and options; lives in the settings' arena. */
struct weft_pg_settings {
  const char *keywords[WEFT_PG_KEYWORDS],
      *values[WEFT_PG_KEYWORDS]; /* for libpq, NULL-terminated */
  int n;
  const char *host; /* to look up; NULL: a socket, or libpq's default */
  bool prepare;
  int64_t timeout_ns;
};
int weft_pg_configure(struct weft_settings *s, struct weft_error *err);

/* What the database said about a statement's result. Belongs to a plan and to the statements that
   were prepared from it. */
struct weft_pg_shape {
  int refs;
  bool binary; /* every column has a binary decoder */
  struct weft_columns *columns;
  struct weft_pg_column v[];
};

struct weft_pg_statement {
  struct weft_statement base;
  struct weft_pg_shape *shape; /* NULL until its first answer on this connection */
  uint32_t serial;             /* names it */
};

enum weft_pg_kind {
  WEFT_PG_OPERATION,
  WEFT_PG_DEALLOCATE,
  WEFT_PG_ROLLBACK, /* the steps of a reset */
  WEFT_PG_DISCARD,
  WEFT_PG_SETTLE /* the session's settings */
};

struct weft_pg_flight {
  struct weft_list link;
  struct weft_op *op;          /* NULL: given up, or the driver's own */
  struct weft_pg_shape *shape; /* of the answer, when it cannot be another; else NULL */
  struct weft_rows *rows;      /* the answer, kept until the sync point */
  struct weft_error *err;
  uint64_t plan;   /* id */
  uint32_t serial; /* of the prepared statement, 0: none */
  uint32_t left;   /* answers to come before the sync point */
  uint8_t kind;
  uint8_t why;              /* enum weft_kind: must be cancelled */
  bool sync, parse, script; /* sync: a sync point follows; parse: the first answer is Parse's */
  bool undecodable, stale;  /* must be asked again: as text; with a new statement */
  bool skipped;             /* something before it in its group failed */
  bool dropped;             /* op was given up, and counts in base.dropped */
  bool retried, maybe_hit;  /* maybe_hit: a cancel request may have met it instead of another */
};

struct weft_pg_cancel {
  PGcancel *request;
  struct weft_pg_conn *conn; /* NULL: the connection is gone */
  struct weft_pg_flight *flight;
  int tries;
  bool ended;
};

struct weft_pg_conn {
  struct weft_conn base;
  const struct weft_pg_settings *set;
  PGconn *pg;
  struct weft_watch *watch;
  struct weft_timer *timer; /* of connecting; then of a cancel request that must be repeated */
  struct weft_resolve *resolve;
  struct weft_hook failed; /* tells that opening failed */
  struct weft_arena addresses_memory;
  const char **addresses;
  size_t naddresses, address;
  int events; /* that the watch waits for */

  struct weft_list flights, spare;
  struct weft_list *first_held; /* &op->link; meaningless when held is 0 */
  uint32_t held, ready;
  bool pipeline; /* libpq's mode */
  bool sending, copying, lost;
  bool pooled;      /* others may use the session between two groups: nothing is prepared */
  bool open_group;  /* sent, but no sync point behind it yet */
  uint32_t group_n; /* operations in it, and the time they are expected to take */
  int64_t group_ns;
  uint32_t solo;     /* so many of the next operations get a sync point of their own */
  bool group_failed; /* group holds why the rest of the group is skipped */
  uint8_t silent;    /* empty answers in a row: libpq and this file would disagree */
  bool resetting, rolling_back, discarding, settling; /* to do once nothing is in flight */

  struct weft_statements statements;
  uint32_t nonce, serial;
  struct weft_buf evicted; /* uint32_t serials to deallocate */
  struct weft_pg_cancel *cancel;
  struct weft_pg_params params;
  struct weft_error group, fatal; /* fatal: the server's last words, kind WEFT_OK if none */
};

static inline struct weft_pg_conn *weft_pg_of(struct weft_conn *c) {
  return (struct weft_pg_conn *)c;
}

/* ---- postgres.c: the life of a connection ---- */
struct weft_pg_conn *weft_pg_new(struct weft_loop *l, const struct weft_settings *s, void *owner,
                                 void (*on_open)(struct weft_conn *, const struct weft_error *));
void weft_pg_free(struct weft_pg_conn *c);
void weft_pg_lost(struct weft_pg_conn *c, const struct weft_error *err);
void weft_pg_watch(struct weft_pg_conn *c, int events);
/* Does the session write times in another form than this driver reads? Then settling is due. */
void weft_pg_look_at_session(struct weft_pg_conn *c);

/* ---- postgres_connect.c ---- */
void weft_pg_connect(struct weft_pg_conn *c);
void weft_pg_opened(struct weft_pg_conn *c); /* connected and settled */
void weft_pg_fail_open(struct weft_pg_conn *c, const struct weft_error *err);
void weft_pg_stop_connecting(struct weft_pg_conn *c);

/* ---- postgres_send.c ---- */
void weft_pg_submit(struct weft_conn *base, struct weft_op *op);
void weft_pg_flush(struct weft_conn *base);
void weft_pg_pump(struct weft_pg_conn *c); /* sends what may be sent now */
/* Holds an operation once more that was sent but not run; it comes before those that never were. */
void weft_pg_hold_again(struct weft_pg_conn *c, struct weft_op *op);
void weft_pg_unhold(struct weft_pg_conn *c, struct weft_op *op); /* was never sent */
void weft_pg_recycle(struct weft_pg_conn *c, struct weft_pg_flight *f);
void weft_pg_reset(struct weft_conn *base);

/* ---- postgres_statement.c ---- */
struct weft_pg_shape *weft_pg_shape_ref(struct weft_pg_shape *s); /* NULL is fine */
void weft_pg_shape_unref(struct weft_pg_shape *s);
/* The shape of a fresh answer: the plan's when it is the same, else a new one, which the plan gets.
 */
struct weft_pg_shape *weft_pg_learn(struct weft_plan *plan, const PGresult *res);
struct weft_pg_statement *weft_pg_prepare(struct weft_pg_conn *c, uint64_t plan);
/* Is the statement still the one of that serial? */
struct weft_pg_statement *weft_pg_statement(struct weft_pg_conn *c, uint64_t plan, uint32_t serial);
void weft_pg_forget(struct weft_pg_conn *c, struct weft_pg_statement *st, bool deallocate);
void weft_pg_forget_all(struct weft_pg_conn *c);
void weft_pg_name(const struct weft_pg_conn *c, uint32_t serial, char out[WEFT_PG_NAME]);

/* ---- postgres_receive.c ---- */
void weft_pg_ready(void *ud, int events); /* of the watch */
bool weft_pg_alive(struct weft_conn *base); /* of an idle one */
void weft_pg_receive(struct weft_pg_conn *c);
/* The first flight whose answers are not all here; NULL: all are. */
struct weft_pg_flight *weft_pg_current(struct weft_pg_conn *c);

/* ---- postgres_rows.c ---- */
/* 0; 1 when the answer must be asked for again as text; -1. */
int weft_pg_rows(const struct weft_pg_shape *s, const PGresult *res, struct weft_rows **out,
                 struct weft_error *err);
struct weft_rows *weft_pg_no_rows(PGresult *res);

/* ---- postgres_cancel.c ---- */
void weft_pg_abort(struct weft_conn *base, struct weft_op *op, enum weft_kind why);
void weft_pg_maybe_cancel(struct weft_pg_conn *c);
bool weft_pg_cancel_waits(
    const struct weft_pg_conn *c); /* the answer is here, the cancel call runs */
void weft_pg_cancel_over(struct weft_pg_conn *c, const struct weft_pg_flight *f);
void weft_pg_cancel_detach(struct weft_pg_conn *c); /* the connection goes */
int weft_pg_why(struct weft_error *err, enum weft_kind why);

/* ---- postgres_error.c ---- */
/* op (may be NULL): its parameters do not appear in the message. */
int weft_pg_fail(struct weft_error *err, const PGresult *res, const struct weft_op *op,
                 bool script);
bool weft_pg_is_fatal(const PGresult *res); /* the connection ends with it */
/* From PQerrorMessage: why connecting failed; why the connection broke. */
int weft_pg_fail_connect(const struct weft_pg_conn *c, struct weft_error *err);
int weft_pg_fail_lost(const struct weft_pg_conn *c, struct weft_error *err);

#endif
