/* SPDX-License-Identifier: MIT */
/* An insert of many rows: all or none. MariaDB takes the rows in bulk, as an array per column. Else the tuple
   of placeholders is repeated as often as there are rows, so that one statement does it. Where that would be too
   many parameters or bytes, several do, in a transaction of their own or a savepoint of the one that is open.

   Where the keys that the server makes are wanted and it does not hand rows back, rows go one by one: only
   then each key is known. */
#include "mysql_many.h"

#include <stdlib.h>

static const struct weft_slice word = {" values ", 8};
enum { PACKET = 4 << 20 }; /* bytes of parameters in one statement; servers take 16 MiB by default */

/* ---- the wide statement ---- */

static void add_tuple(struct weft_buf *b, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) weft_buf_str(b, i ? ", ?" : "(?");
  weft_buf_lit(b, ")");
}

/* Where the tuple stands in sql outside of quotes, or NULL. */
static const char *find_tuple(struct weft_slice sql, struct weft_slice tuple) {
  bool quoted = false;
  for (size_t i = 0; i + tuple.n <= sql.n; i++) {
    quoted ^= sql.p[i] == '`';
    if (!quoted && memcmp(sql.p + i, tuple.p, tuple.n) == 0) return sql.p + i;
  }
  return NULL;
}

/* The text for n rows in out; false when the statement has no such tuple. */
static bool widen(const struct weft_plan *p, uint32_t n, struct weft_buf *out) {
  struct weft_buf tuple;
  weft_buf_init(&tuple);
  weft_buf_add(&tuple, word.p, word.n);
  add_tuple(&tuple, p->nslots);
  const char *at = p->nslots ? find_tuple(p->sql, weft_buf_slice(&tuple)) : NULL;
  if (at) {
    const char *rest = at + tuple.n;
    weft_buf_add(out, p->sql.p, (size_t)(rest - p->sql.p));
    for (uint32_t i = 1; i < n; i++) {
      weft_buf_lit(out, ", ");
      weft_buf_add(out, tuple.p + word.n, tuple.n - word.n);
    }
    weft_buf_add(out, rest, (size_t)(p->sql.p + p->sql.n - rest));
  }
  weft_buf_release(&tuple);
  return at && !weft_buf_failed(out);
}

/* ---- how many at once ---- */

static size_t bytes_of(const struct weft_value *v, uint32_t n) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < n; i++) bytes += 16 + (weft_is_text(v[i]) ? v[i].n : 0);
  return bytes;
}

static bool one_by_one(const struct weft_my_run *r) {
  return !r->st->shape && !(r->op->plan->flags & WEFT_PLAN_NOROWS);
}

static uint32_t rows_at_once(const struct weft_my_run *r) {
  const struct weft_plan *p = r->op->plan;
  uint32_t left = r->op->repeat - r->at, most = p->nslots ? WEFT_MY_PARAMS / p->nslots : 1, n = 0;
  size_t bytes = 0;
  if (one_by_one(r)) return 1;
  if (most > left) most = left;
  for (; n < most && (n == 0 || bytes < PACKET); n++)
    bytes += bytes_of(r->op->params + (size_t)(r->at + n) * p->nslots, p->nslots);
  return n;
}

/* ---- steps ---- */

static void execute(struct weft_my_conn *c, MYSQL_STMT *stmt) {
  struct weft_my_run *r = &c->run;
  uint32_t n = r->op->plan->nslots;
  weft_my_execute(c, stmt, r->op->params + (size_t)r->at * n, r->rows_at_once * n);
}

/* Rows would come as one result for each. */
static bool in_bulk(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  const struct weft_value *params = r->op->params + (size_t)r->at * r->op->plan->nslots;
  return !r->st->shape && weft_my_execute_bulk(c, params, r->rows_at_once);
}

static int prepare_start(struct weft_my_conn *c) {
  return mysql_stmt_prepare_start(&c->ret, c->run.stmt, c->text, c->length);
}

static int prepare_cont(struct weft_my_conn *c, int events) {
  return mysql_stmt_prepare_cont(&c->ret, c->run.stmt, events);
}

static void prepared(struct weft_my_conn *c) {
  struct weft_my_statement *st = c->run.st;
  if (!c->ret) {
    execute(c, st->wide);
    return;
  }
  unsigned number = mysql_stmt_errno(st->wide);
  st->width = 0;
  weft_my_run_failed(c, number, mysql_stmt_sqlstate(st->wide), mysql_stmt_error(st->wide));
}

static const struct weft_my_step prepare = {prepare_start, prepare_cont, prepared};

static void prepare_wide(struct weft_my_conn *c, struct weft_buf *text) {
  struct weft_my_run *r = &c->run;
  struct weft_my_statement *st = r->st;
  if (st->wide) mysql_stmt_close(st->wide);
  r->stmt = st->wide = mysql_stmt_init(c->my);
  if (!r->stmt) abort(); /* memory is out */
  st->width = r->rows_at_once;
  c->length = text->n;
  c->text = weft_arena_copy(&r->arena, text->p, text->n);
  weft_buf_release(text);
  weft_my_begin(c, &prepare);
}

static void some_rows(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  struct weft_buf text;
  if (r->rows_at_once > 1 && in_bulk(c)) return;
  if (r->rows_at_once > 1 && r->st->wide && r->st->width == r->rows_at_once) {
    execute(c, r->st->wide);
    return;
  }
  weft_buf_init(&text);
  if (r->rows_at_once > 1 && widen(r->op->plan, r->rows_at_once, &text)) {
    prepare_wide(c, &text);
    return;
  }
  weft_buf_release(&text);
  r->rows_at_once = 1;
  execute(c, r->st->stmt);
}

/* ---- the frame ---- */

static void framed(struct weft_my_conn *c) {
  if (c->ret) {
    weft_my_run_failed(c, mysql_errno(c->my), mysql_sqlstate(c->my), mysql_error(c->my));
    return;
  }
  c->run.framed = true;
  some_rows(c);
}

static void send(struct weft_my_conn *c, const char *text, void (*sent)(struct weft_my_conn *)) {
  weft_my_send(c, text, strlen(text), sent);
}

static bool in_transaction(const struct weft_my_conn *c) { return c->base.tx != WEFT_TX_NONE; }

static bool can_widen(const struct weft_plan *p) {
  struct weft_buf text;
  weft_buf_init(&text);
  bool can = widen(p, 1, &text);
  weft_buf_release(&text);
  return can;
}

void weft_my_many(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  r->at = 0;
  r->rows_at_once = can_widen(r->op->plan) ? rows_at_once(r) : 1;
  if (r->rows_at_once == r->op->repeat) some_rows(c);
  else send(c, in_transaction(c) ? "savepoint weft_repeat" : "start transaction", framed);
}

/* The key that the server made, for db_again.c. */
static void note_key(struct weft_my_run *r) {
  if (!one_by_one(r)) return;
  if (!r->rows->ncols) {
    const struct weft_column key = {.name = WEFT_LIT(""), .type = WEFT_INT};
    struct weft_columns *columns = weft_columns_new(&key, 1);
    int64_t first = r->rows->last_id;
    weft_rows_unref(r->rows);
    r->rows = weft_rows_new(columns, r->op->repeat);
    r->rows->last_id = first;
    weft_columns_unref(columns);
  }
  *weft_rows_add(r->rows) = weft_int(r->rows->last_id);
}

static void closed(struct weft_my_conn *c) {
  if (c->ret) weft_my_run_failed(c, mysql_errno(c->my), mysql_sqlstate(c->my), mysql_error(c->my));
  else weft_my_finish(c);
}

void weft_my_many_next(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  note_key(r);
  r->at += r->rows_at_once;
  if (r->at < r->op->repeat) {
    if (r->rows_at_once > 1) r->rows_at_once = rows_at_once(r);
    some_rows(c);
  } else if (r->framed) {
    send(c, in_transaction(c) ? "release savepoint weft_repeat" : "commit", closed);
  } else {
    weft_my_finish(c);
  }
}

static void undone(struct weft_my_conn *c) {
  if (c->ret && weft_my_is_loss(mysql_errno(c->my))) {
    struct weft_error err = c->run.err;
    weft_my_lost(c, &err);
    return;
  }
  c->run.stuck = c->ret;
  weft_my_finish(c);
}

void weft_my_many_undo(struct weft_my_conn *c) {
  send(c, in_transaction(c) ? "rollback to savepoint weft_repeat" : "rollback", undone);
}
