/* SPDX-License-Identifier: MIT */
/* The MySQL driver's own header: what its files share. Nobody else includes it. Loop's thread only, but for
   connecting and killing, which run on the thread pool with what they were given.

   Connector/C's calls that wait come in two halves, X_start and X_cont; a step is such a pair and what follows
   it. At most one step is under way on a connection, and one operation; the others wait in base.ops. */
#ifndef WEFT_DRIVER_MYSQL_H
#define WEFT_DRIVER_MYSQL_H

#include <mysql.h>

#include "../driver.h"

enum { WEFT_MY_STATEMENTS = 256, WEFT_MY_PARAMS = 65535 };

/* What configure makes of url and options; lives in the settings' arena. */
struct weft_my_settings {
  const char *host, *user, *password, *database, *socket;
  const char *ca, *cert, *key, *program;
  unsigned port, timeout; /* timeout: seconds, of connecting */
  uint8_t ssl;            /* enum weft_my_ssl */
};
enum weft_my_ssl { WEFT_MY_SSL_DISABLE, WEFT_MY_SSL_PREFER, WEFT_MY_SSL_REQUIRE, WEFT_MY_SSL_VERIFY };
int weft_my_configure(struct weft_settings *s, struct weft_error *err);

/* How a column's cells are read. */
enum weft_my_read {
  WEFT_MY_INT,
  WEFT_MY_UNSIGNED, /* 64 bits: beyond an integer it is a decimal */
  WEFT_MY_BOOL,
  WEFT_MY_BITS,
  WEFT_MY_SINGLE,
  WEFT_MY_DOUBLE,
  WEFT_MY_TIME, /* DATE TIME TIMESTAMP TIMESTAMPTZ */
  WEFT_MY_DECIMAL,
  WEFT_MY_WHOLE, /* a sum of integers: a decimal without fraction */
  WEFT_MY_BYTES  /* and everything that is text */
};

struct weft_my_cell {
  union {
    int64_t i;
    float single;
    double number;
    MYSQL_TIME time;
    char bytes[128]; /* longer ones are fetched once more */
  } u;
  unsigned long length;
  my_bool null, cut;
};

/* How the result of one prepared statement becomes rows. */
struct weft_my_shape {
  struct weft_columns *columns;
  enum enum_field_types *types; /* that it was made for */
  uint8_t *read; /* enum weft_my_read, per column */
  MYSQL_BIND *binds;
  struct weft_my_cell *cells;
};

struct weft_my_statement {
  struct weft_statement base;
  MYSQL_STMT *stmt; /* NULL: it cannot be prepared, and goes as text */
  MYSQL_STMT *wide; /* an insert of `width` rows at once, NULL until needed */
  uint32_t width;
  struct weft_my_shape *shape; /* NULL until known, and without result */
  bool kept;                   /* in the connection's memory of statements */
};

struct weft_my_conn;

struct weft_my_step {
  int (*start)(struct weft_my_conn *c); /* the events that it waits for; 0: it is over */
  int (*cont)(struct weft_my_conn *c, int events);
  void (*over)(struct weft_my_conn *c);
};

/* The operation under way. */
struct weft_my_run {
  struct weft_op *op; /* NULL: none */
  struct weft_my_statement *st;
  MYSQL_STMT *stmt; /* st->stmt or st->wide */
  struct weft_rows *rows;
  struct weft_arena arena; /* parameters */
  MYSQL_BIND *params;
  uint32_t list; /* placeholders that its list goes as, 0: it has none, or is JSON */
  uint32_t at, rows_at_once; /* of a repeated insert: rows done; in the statement under way */
  uint32_t number;           /* of the statement in a script, from 1 */
  int64_t affected;
  bool framed;  /* a repeated insert has its own transaction or savepoint */
  bool retried;
  bool failed;  /* err says why; the frame is being rolled back */
  bool stuck;   /* that failed, too */
  struct weft_error err;
};

struct weft_my_kill;

struct weft_my_conn {
  struct weft_conn base;
  const struct weft_my_settings *set;
  MYSQL *my;
  struct weft_watch *watch;
  int events;
  const struct weft_my_step *step; /* under way, NULL: none */
  int ret;                         /* what its call returned, once it is over */
  my_bool flag;
  MYSQL_RES *result;
  const char *text; /* that is being sent as text */
  size_t length;
  void (*sent)(struct weft_my_conn *c); /* after text and all of its answers; ret: 0 or not */
  bool tls, resetting, lost;
  struct weft_my_run run;
  struct weft_statements statements;
  struct weft_my_kill *kill;
  struct weft_my_connect *connecting;
  struct weft_timer *timer; /* of a kill that must be repeated */
};

static inline struct weft_my_conn *weft_my_of(struct weft_conn *c) {
  return (struct weft_my_conn *)(void *)c;
}

/* ---- mysql.c: the life of a connection; steps ---- */
void weft_my_begin(struct weft_my_conn *c, const struct weft_my_step *step);
bool weft_my_watch(struct weft_my_conn *c); /* once connected */
/* Sends text, which may be several statements, and reads every answer; the first rows stay in run.rows
   when an operation is under way that is no script. */
void weft_my_send(struct weft_my_conn *c, const char *text, size_t length,
                  void (*sent)(struct weft_my_conn *c));
void weft_my_lost(struct weft_my_conn *c, const struct weft_error *err);
void weft_my_free(struct weft_my_conn *c);

/* ---- mysql_connect.c ---- */
void weft_my_connect(struct weft_my_conn *c);
void weft_my_stop_connecting(struct weft_my_conn *c);
void weft_my_settings_copy(const struct weft_my_settings *from, struct weft_arena *a,
                           struct weft_my_settings *to);
/* A handle with the settings' options, not connected; and the blocking call that connects it. */
MYSQL *weft_my_handle(const struct weft_my_settings *set);
bool weft_my_real_connect(MYSQL *my, const struct weft_my_settings *set);
extern const char weft_my_session[]; /* what every session begins with */

/* ---- mysql_run.c ---- */
void weft_my_submit(struct weft_conn *base, struct weft_op *op);
void weft_my_next(struct weft_my_conn *c);
void weft_my_forget_all(struct weft_my_conn *c);
/* The answer is here, and nothing else is to be waited for. */
void weft_my_finish(struct weft_my_conn *c);
void weft_my_drop_run(struct weft_my_conn *c);

/* ---- mysql_bind.c ---- */
/* rows * nslots parameters from params on as binds in arena. */
int weft_my_bind(const struct weft_op *op, const struct weft_value *params, uint32_t n,
                 struct weft_arena *arena, MYSQL_BIND **out, struct weft_error *err);
/* The same as one array per slot; 1 when the values of a slot are not of one type. */
int weft_my_bind_columns(const struct weft_op *op, const struct weft_value *params, uint32_t rows,
                         struct weft_arena *arena, MYSQL_BIND **out, struct weft_error *err);

/* ---- mysql_list.c ---- */
uint32_t weft_my_list_size(const struct weft_op *op); /* 0: none */
struct weft_slice weft_my_list_text(struct weft_slice sql, uint32_t size, struct weft_arena *arena);
const struct weft_value *weft_my_list_values(const struct weft_op *op, uint32_t size, struct weft_arena *arena);

/* ---- mysql_rows.c ---- */
struct weft_my_shape *weft_my_shape_new(MYSQL_RES *meta, const struct weft_plan *plan);
/* Is the result still of these types? A table may have changed: the server then prepares again by itself. */
bool weft_my_shape_fits(const struct weft_my_shape *s, const MYSQL_STMT *stmt);
void weft_my_shape_free(struct weft_my_shape *s); /* NULL is fine */
/* Adds the rows of a stored result to rows. */
int weft_my_fetch(const struct weft_my_shape *s, MYSQL_STMT *stmt, struct weft_rows *rows,
                  struct weft_error *err);
/* The same of a result in text. */
int weft_my_text_rows(MYSQL_RES *result, const struct weft_plan *plan, struct weft_rows **out,
                      struct weft_error *err);

/* ---- mysql_error.c ---- */
bool weft_my_is_loss(unsigned number);
/* What another connection of this thread left behind: OpenSSL would take it for the next one's failure. */
void weft_my_forget_tls_errors(void);
int weft_my_fail(struct weft_my_conn *c, struct weft_error *err, unsigned number,
                 const char *state, const char *message);
int weft_my_fail_connect(const struct weft_my_conn *c, struct weft_error *err, unsigned number,
                         const char *state, const char *message);

/* ---- mysql_cancel.c ---- */
void weft_my_abort(struct weft_conn *base, struct weft_op *op, enum weft_kind why);
bool weft_my_kill_waits(const struct weft_my_conn *c); /* it may still hit what comes next */
void weft_my_kill_detach(struct weft_my_conn *c); /* the answer is here, or the connection goes */
int weft_my_why(struct weft_error *err, enum weft_kind why);

#endif
