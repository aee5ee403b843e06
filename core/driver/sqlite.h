/* SPDX-License-Identifier: MIT */
/* The SQLite driver's own header: what its files share. Nobody else includes it.

   A connection is used by one thread at a time: by the loop's, or, while phase is WORKING, by one
   job on the thread pool. The job touches db, run, scratch and its statement; only stop is both
   threads'. */
#ifndef WEFT_DRIVER_SQLITE_H
#define WEFT_DRIVER_SQLITE_H

#include <sqlite3.h>

#include "../driver.h"

enum {
  STEPS = 20000, /* virtual machine steps between two calls of the progress handler */
  STATEMENTS = 200
};

/* What configure makes of url and options; lives in the settings' arena. */
struct sqlite_config {
  const char *path; /* absolute, or ":memory:" */
  struct weft_slice writer;
  int flags;        /* of sqlite3_open_v2 */
  bool memory, foreign_keys;
  const char *journal, *synchronous, *cache_size; /* NULL: as found */
  int64_t busy_ns;  /* how long other processes are waited out */
};

enum sqlite_kind {
  KIND_READ,     /* may be dropped half way and run again */
  KIND_WRITE,
  KIND_BEGIN,
  KIND_COMMIT,
  KIND_ROLLBACK, /* of the whole transaction */
  KIND_CONTROL   /* savepoints, attach, pragmas without an answer */
};

/* How a column's cells are read. */
enum sqlite_read { READ_STORED, READ_BOOL, READ_DECIMAL, READ_JSON, READ_FLOAT };
struct sqlite_decoder {
  uint8_t how;
  int16_t scale; /* of a decimal, -1 not declared */
};

struct sqlite_statement {
  struct weft_statement base;
  sqlite3_stmt *stmt;
  sqlite3_stmt **wide;             /* of 2^k rows, see sqlite_many.c; NULL without any */
  struct weft_columns *columns;    /* owned; NULL without any */
  struct sqlite_decoder *decoders; /* columns->n */
  int reprepared;                  /* SQLite's count when columns was made */
  uint32_t expected;               /* rows of the last run */
  uint8_t kind;                    /* enum sqlite_kind */
  bool insert;
  bool passing;                    /* not in the cache, finalized after its run */
  bool counts;                     /* may be one long step that the progress handler does not see */
};

/* What the progress handler does with the statement that runs. */
enum sqlite_guard {
  GUARD_NONE,
  GUARD_MOVE,    /* a read on a running loop: drop it, it goes on on the thread pool */
  GUARD_DEADLINE /* nobody else can watch the clock */
};

/* The statement that is being carried out: the head of the connection's operations. */
struct sqlite_run {
  struct weft_op *op;          /* NULL: none */
  struct sqlite_statement *st; /* NULL for a script */
  struct weft_rows *rows;
  struct weft_error err;
  int rc;            /* SQLITE_DONE, or what failed */
  bool in_tx;        /* a transaction was open when it began */
  uint8_t guard;
  uint32_t ticks;    /* calls of the progress handler */
  int64_t took;
  int64_t busy_since; /* 0: was not busy */
  uint32_t tries;
  size_t at;          /* of a script: where its next statement begins */
  uint32_t count;     /* of a script: statements done */
};

enum sqlite_phase {
  PHASE_IDLE,
  PHASE_WAITING, /* for a lock, by timer */
  PHASE_YIELDED, /* others have their turn first */
  PHASE_WORKING
};

struct sqlite_conn {
  struct weft_conn base;
  struct weft_settings settings; /* copies, for a job may outlast what the owner gave */
  struct sqlite_config config;
  sqlite3 *db;
  struct weft_statements statements;
  struct weft_arena scratch; /* of the run: parameters that are made here */
  struct weft_timer *timer;  /* made when first needed */
  struct weft_work *work;
  struct sqlite_run run;
  int stop;        /* enum weft_kind: why the running statement must end; atomic */
  uint8_t phase;
  bool wrote;      /* in the open transaction */
  bool turning;    /* the loop's thread is inside; who closes then leaves freeing to it */
  bool closing, resetting, opening;
  struct weft_hook later; /* goes on with the turn; frees what could not be opened */
};

/* ---- sqlite_config.c ---- */
int weft_sqlite_configure(struct weft_settings *s, struct weft_error *err);
/* Opens config's file and sets it up. SQLITE_BUSY: *err is set, try again later. */
int weft_sqlite_open(const struct weft_conn *c, const struct sqlite_config *config, sqlite3 **out,
                     struct weft_error *err);
/* The settings that a session may have changed. */
int weft_sqlite_setup(sqlite3 *db, const struct sqlite_config *config);
/* Takes away what a session left, in place: a database in memory would go with its handle. */
bool weft_sqlite_clean(sqlite3 *db, const struct sqlite_config *config);

/* ---- sqlite_error.c ---- */
/* The failure rc of db as an error. running: not while preparing. Returns -1. */
int weft_sqlite_fail(const struct weft_conn *c, sqlite3 *db, int rc, bool running,
                     struct weft_error *err);
/* SQLite will not be able to go on with this connection after rc. */
bool weft_sqlite_fatal(int rc);

/* ---- sqlite_value.c ---- */
/* Binds n parameters. Their text must live until the statement was reset, and so must scratch,
   which holds the text of lists. */
int weft_sqlite_bind(sqlite3_stmt *stmt, const struct weft_value *v, uint32_t n,
                     const struct weft_plan *plan, struct weft_arena *scratch,
                     struct weft_error *err);
/* The columns of the result of stmt (the plan's statement) and how to read them; *out is owned,
   *decoders malloc'ed. Both NULL without columns. */
void weft_sqlite_columns(sqlite3_stmt *stmt, const struct weft_plan *plan,
                         struct weft_columns **out, struct sqlite_decoder **decoders);
/* Adds the row that stmt stands on. */
int weft_sqlite_row(const struct sqlite_statement *st, struct weft_rows *rows,
                    struct weft_error *err);

/* ---- sqlite_route.c ---- */
/* Whether c->run may run on the loop's thread. */
bool weft_sqlite_inline(struct sqlite_conn *c);
/* After a run. Reads that were long go to the thread pool until several in a row were short. */
void weft_sqlite_learn(struct sqlite_conn *c, bool pooled);
void weft_sqlite_was_long(struct sqlite_conn *c); /* a read that the progress handler stopped */

/* ---- sqlite_run.c ---- */
/* The plan's statement, prepared when this connection does not know it yet. Returns SQLite's code,
   err set unless SQLITE_OK. */
int weft_sqlite_statement(struct sqlite_conn *c, struct weft_plan *plan,
                          struct sqlite_statement **out, struct weft_error *err);
void weft_sqlite_finalize(struct sqlite_statement *st);
void weft_sqlite_forget(struct sqlite_conn *c); /* finalizes all; the cache is empty */
/* Carries c->run out on whatever thread this is; sets run.rc, rows, err, took. */
void weft_sqlite_execute(struct sqlite_conn *c);
/* Parts of it: 0, or -1 with run.rc and run.err set. stmt is run.st's or a wider one of it. */
int weft_sqlite_run_once(struct sqlite_conn *c, sqlite3_stmt *stmt, const struct weft_value *params,
                         uint32_t n);
int weft_sqlite_exec(struct sqlite_conn *c, const char *sql);
void weft_sqlite_count_changes(struct sqlite_conn *c, sqlite3_int64 before, struct weft_rows *rows);

/* ---- sqlite_many.c ---- */
int weft_sqlite_run_many(struct sqlite_conn *c);
void weft_sqlite_finalize_wide(struct sqlite_statement *st);

#endif
