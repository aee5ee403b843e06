/* SPDX-License-Identifier: MIT */
/* Running operations, one after the other: prepared when they are first met, executed, stored, read. What
   cannot be prepared (control statements, scripts, what the server says so of) goes as text.

   Invariant: run.op is the operation under way; everything that ends it goes through settle, which lets the
   next one start only when run.op is done with. A step's end may lose the connection, and run.op with it. */
#include <stdio.h>
#include <stdlib.h>

#include "mysql.h"
#include "mysql_many.h"

static const struct weft_my_step prepare, execute, store, next;

/* ---- statements ---- */

static void free_statement(struct weft_my_statement *st) {
  if (st->wide) mysql_stmt_close(st->wide);
  if (st->stmt) mysql_stmt_close(st->stmt);
  weft_my_shape_free(st->shape);
  free(st);
}

static void forget(struct weft_my_conn *c, struct weft_my_statement *st) {
  if (st->kept) weft_statements_remove(&c->statements, &st->base);
  free_statement(st);
}

void weft_my_forget_all(struct weft_my_conn *c) {
  while (!weft_list_empty(&c->statements.lru))
    forget(c, WEFT_CONTAINER(c->statements.lru.next, struct weft_my_statement, base.link));
}

/* MariaDB looks the tables of a prepared statement over its catalog up once: it would not see new ones. */
static bool reads_catalog(const struct weft_plan *p) {
  return memmem(p->sql.p, p->sql.n, "information_schema", 18);
}

/* Plans are counted: their numbers leave the upper bits free. */
static uint64_t statement_id(const struct weft_my_run *r) { return r->op->plan->id | (uint64_t)r->list << 48; }

static uint32_t param_count(const struct weft_my_run *r) { return r->list ? r->list : r->op->plan->nslots; }

static void keep(struct weft_my_conn *c, struct weft_my_statement *st) {
  const struct weft_plan *p = c->run.op->plan;
  if (p->flags & WEFT_PLAN_VOLATILE || reads_catalog(p)) return;
  st->kept = true;
  struct weft_statement *oldest = weft_statements_add(&c->statements, &st->base, statement_id(&c->run));
  if (oldest) free_statement((struct weft_my_statement *)(void *)oldest);
}

/* An answer that comes without its fields gets a copy of the statement's, of every text that there is. The name
   alone is read again. */
static void forget_origins(MYSQL_FIELD *f, unsigned n) {
  for (; n; n--, f++) f->org_name = f->table = f->org_table = f->db = f->catalog = f->def = NULL;
}

static struct weft_my_shape *learn(const struct weft_my_conn *c, MYSQL_STMT *stmt) {
  MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
  if (!meta) return NULL;
  struct weft_my_shape *shape = weft_my_shape_new(meta, c->run.op->plan);
  forget_origins(stmt->fields, stmt->field_count);
  mysql_free_result(meta);
  return shape;
}

/* ---- the end ---- */

void weft_my_drop_run(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  weft_rows_unref(r->rows);
  if (r->st && !r->st->kept) free_statement(r->st);
  weft_arena_release(&r->arena);
  *r = (struct weft_my_run){0};
  weft_arena_init(&r->arena, NULL, 0);
}

static void count_rows(struct weft_my_run *r) {
  const struct weft_plan *p = r->op->plan;
  const struct weft_query *verb = p->query ? weft_query_verb(p->query) : NULL;
  if (!r->rows) r->rows = weft_rows_new(NULL, 0);
  else if (r->rows->ncols && !r->affected) r->affected = r->rows->nrows;
  /* A row that was there counts twice. */
  if (verb && verb->clause == WEFT_C_UPSERT) r->affected = r->op->repeat;
  r->rows->affected = p->flags & WEFT_PLAN_READ ? -1 : r->affected;
}

/* An error's answer does not tell: a deadlock has ended the transaction at the server. */
static enum weft_tx_state tx_state(const struct weft_my_conn *c) {
  const struct weft_my_run *r = &c->run;
  if (!(c->my->server_status & SERVER_STATUS_IN_TRANS)) return WEFT_TX_NONE;
  return r->stuck || (r->failed && r->err.kind == WEFT_DEADLOCK) ? WEFT_TX_FAILED : WEFT_TX_OPEN;
}

void weft_my_finish(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  struct weft_op *op = r->op;
  struct weft_error err;
  struct weft_rows *rows = NULL;
  if (weft_my_kill_waits(c)) return;
  weft_my_kill_detach(c);
  c->base.tx = tx_state(c);
  /* A sleep() that was killed answers as if it had ended well. */
  bool failed = r->failed || (op->why && op->plan->flags & WEFT_PLAN_READ);
  if (failed && op->why) weft_my_why(&err, op->why);
  else if (failed) err = r->err;
  if (!failed) {
    count_rows(r);
    rows = weft_rows_ref(r->rows);
  }
  weft_my_drop_run(c);
  weft_conn_finish(&c->base, op, rows, failed ? &err : NULL);
  weft_my_next(c);
}

/* The operation failed for good. */
static void settle_failed(struct weft_my_conn *c) {
  c->run.failed = true;
  if (!c->run.framed) {
    weft_my_finish(c);
    return;
  }
  c->run.framed = false;
  weft_my_many_undo(c);
}

enum { SUBQUERY_OF_SEVERAL_ROWS = 1242, SIGNAL_WARN = 1642, SIGNAL_EXCEPTION = 1644 };

/* What the dialect's upsert raises where another unique key than the one in `on` met: it can say no words. */
static bool met_another_key(const struct weft_plan *p, unsigned number) {
  static const char upsert[] = " on duplicate key update ";
  return number == SUBQUERY_OF_SEVERAL_ROWS && !(p->flags & WEFT_PLAN_RAW) &&
         memmem(p->sql.p, p->sql.n, upsert, sizeof upsert - 1);
}

void weft_my_run_failed(struct weft_my_conn *c, unsigned number, const char *state,
                        const char *message) {
  weft_my_fail(c, &c->run.err, number, state, message);
  bool words_of_users = number >= SIGNAL_WARN && number <= SIGNAL_EXCEPTION;
  if (words_of_users) weft_value_cut(c->run.err.message, c->run.op->params, c->run.op->nparams);
  if (met_another_key(c->run.op->plan, number))
    weft_fail(&c->run.err, WEFT_UNIQUE, "a row is there already by another unique key than the one in `on`");
  if (weft_my_is_loss(number)) {
    struct weft_error err = c->run.err;
    weft_my_lost(c, &err);
    return;
  }
  settle_failed(c);
}

static void statement_failed(struct weft_my_conn *c) {
  MYSQL_STMT *stmt = c->run.stmt;
  weft_my_run_failed(c, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt));
}

/* ---- as text ---- */

static void add_place(struct weft_my_run *r) {
  size_t n = strlen(r->err.message);
  if (r->op->plan->flags & WEFT_PLAN_SCRIPT)
    snprintf(r->err.message + n, sizeof r->err.message - n, " (statement %u of the script)", r->number + 1);
}

static void text_sent(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  if (!c->ret && !r->failed) {
    if (!r->rows) r->affected = (int64_t)mysql_affected_rows(c->my);
    weft_my_finish(c);
    return;
  }
  unsigned number = mysql_errno(c->my);
  if (c->ret) weft_my_fail(c, &r->err, number, mysql_sqlstate(c->my), mysql_error(c->my));
  if (c->ret && weft_my_is_loss(number)) {
    struct weft_error err = r->err;
    weft_my_lost(c, &err);
    return;
  }
  add_place(r);
  r->failed = true;
  weft_my_finish(c);
}

static void send_text(struct weft_my_conn *c) {
  const struct weft_plan *p = c->run.op->plan;
  if (p->nslots) {
    weft_fail(&c->run.err, WEFT_UNSUPPORTED, "MySQL does not prepare this statement, so that it takes no parameters");
    settle_failed(c);
  } else {
    weft_my_send(c, p->sql.p, p->sql.n, text_sent);
  }
}

/* ---- prepared ---- */

static int prepare_start(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  struct weft_slice sql = r->op->plan->sql;
  if (r->list) sql = weft_my_list_text(sql, r->list, &r->arena);
  return mysql_stmt_prepare_start(&c->ret, c->run.stmt, sql.p, sql.n);
}

static int prepare_cont(struct weft_my_conn *c, int events) {
  return mysql_stmt_prepare_cont(&c->ret, c->run.stmt, events);
}

enum { UNPREPARABLE = 1295, UNKNOWN_STATEMENT = 1243, STALE_STATEMENT = 1615 };

static void not_prepared(struct weft_my_conn *c) {
  struct weft_my_statement *st = c->run.st;
  if (mysql_stmt_errno(st->stmt) != UNPREPARABLE) {
    statement_failed(c);
    return;
  }
  mysql_stmt_close(st->stmt);
  st->stmt = c->run.stmt = NULL;
  keep(c, st);
  send_text(c);
}

static void run_statement(struct weft_my_conn *c) {
  if (c->run.op->repeat > 1) weft_my_many(c);
  else weft_my_execute(c, c->run.st->stmt, c->run.op->params, param_count(&c->run));
}

static void prepared(struct weft_my_conn *c) {
  struct weft_my_statement *st = c->run.st;
  unsigned long takes;
  if (c->ret) {
    not_prepared(c);
    return;
  }
  st->shape = learn(c, st->stmt);
  keep(c, st);
  if ((takes = mysql_stmt_param_count(st->stmt)) != param_count(&c->run)) {
    weft_fail(&c->run.err, WEFT_USAGE, "the statement takes %lu parameters, and %u were given", takes,
              (unsigned)param_count(&c->run));
    settle_failed(c);
    return;
  }
  run_statement(c);
}

static void fresh(struct weft_my_run *r, MYSQL_STMT *stmt) {
  r->stmt = stmt;
  r->number = 0;
  weft_arena_release(&r->arena);
  weft_arena_init(&r->arena, NULL, 0);
}

/* rows: of arrays, 0 without them. */
static void bound(struct weft_my_conn *c, int failed, unsigned rows) {
  struct weft_my_run *r = &c->run;
  if (failed) {
    settle_failed(c);
    return;
  }
  mysql_stmt_attr_set(r->stmt, STMT_ATTR_ARRAY_SIZE, &rows);
  if (r->stmt->param_count && mysql_stmt_bind_param(r->stmt, r->params)) statement_failed(c);
  else weft_my_begin(c, &execute);
}

void weft_my_execute(struct weft_my_conn *c, MYSQL_STMT *stmt, const struct weft_value *params,
                     uint32_t n) {
  struct weft_my_run *r = &c->run;
  fresh(r, stmt);
  if (r->list) params = weft_my_list_values(r->op, r->list, &r->arena);
  bound(c, weft_my_bind(r->op, params, n, &r->arena, &r->params, &r->err), 0);
}

bool weft_my_execute_bulk(struct weft_my_conn *c, const struct weft_value *params, unsigned rows) {
  struct weft_my_run *r = &c->run;
  MYSQL_STMT *stmt = r->st->stmt;
  unsigned long can = 0; /* the upper half of what the server can */
  mariadb_get_infov(c->my, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &can);
  if (!(can & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32))) return false;
  fresh(r, stmt);
  int failed = weft_my_bind_columns(r->op, params, rows, &r->arena, &r->params, &r->err);
  if (failed > 0) return false;
  bound(c, failed, rows);
  return true;
}

static int execute_start(struct weft_my_conn *c) {
  return mysql_stmt_execute_start(&c->ret, c->run.stmt);
}

static int execute_cont(struct weft_my_conn *c, int events) {
  return mysql_stmt_execute_cont(&c->ret, c->run.stmt, events);
}

static void start(struct weft_my_conn *c);

/* The server forgot the statement, or its tables changed once too often: nothing was carried out. */
static bool again(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  unsigned number = mysql_stmt_errno(r->stmt);
  if ((number != UNKNOWN_STATEMENT && number != STALE_STATEMENT) || r->retried || r->framed) return false;
  bool kept = r->st->kept;
  forget(c, r->st);
  r->st = NULL;
  r->retried = kept;
  start(c);
  return true;
}

static void end_run(struct weft_my_conn *c) {
  if (c->run.op->repeat > 1) weft_my_many_next(c);
  else weft_my_finish(c);
}

static void executed(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  if (c->ret) {
    if (!again(c)) statement_failed(c);
    return;
  }
  if (mysql_stmt_field_count(r->stmt)) {
    weft_my_begin(c, &store);
    return;
  }
  uint64_t touched = mysql_stmt_affected_rows(r->stmt);
  r->affected += (int64_t)touched;
  if (!r->rows) r->rows = weft_rows_new(NULL, 0);
  r->rows->last_id = (int64_t)mysql_stmt_insert_id(r->stmt);
  end_run(c);
}

static int store_start(struct weft_my_conn *c) {
  return mysql_stmt_store_result_start(&c->ret, c->run.stmt);
}

static int store_cont(struct weft_my_conn *c, int events) {
  return mysql_stmt_store_result_cont(&c->ret, c->run.stmt, events);
}

/* From what the answer itself said. */
static struct weft_my_shape *relearn(const struct weft_my_conn *c, MYSQL_STMT *stmt) {
  MYSQL_RES meta = {.fields = c->my->fields, .field_count = c->my->field_count};
  if (!meta.fields || meta.field_count != stmt->field_count) return learn(c, stmt);
  return weft_my_shape_new(&meta, c->run.op->plan);
}

/* The first result counts; those that a procedure gives beside it are read and let go. */
static int read_rows(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  struct weft_my_statement *st = r->st;
  if (r->number++) return 0;
  if (!st->shape || !weft_my_shape_fits(st->shape, r->stmt)) {
    weft_my_shape_free(st->shape);
    st->shape = relearn(c, r->stmt);
  }
  if (!r->rows) r->rows = weft_rows_new(st->shape->columns, (uint32_t)mysql_stmt_num_rows(r->stmt));
  return weft_my_fetch(st->shape, r->stmt, r->rows, &r->err);
}

static void stored(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  if (c->ret) {
    statement_failed(c);
    return;
  }
  if (read_rows(c)) r->failed = true;
  if (mysql_stmt_more_results(r->stmt)) {
    weft_my_begin(c, &next);
    return;
  }
  mysql_stmt_free_result(r->stmt);
  if (r->failed) settle_failed(c);
  else end_run(c);
}

static int next_start(struct weft_my_conn *c) { return mysql_stmt_next_result_start(&c->ret, c->run.stmt); }

static int next_cont(struct weft_my_conn *c, int events) {
  return mysql_stmt_next_result_cont(&c->ret, c->run.stmt, events);
}

static void have_next(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  if (c->ret > 0) {
    statement_failed(c);
  } else if (c->ret == 0 && mysql_stmt_field_count(r->stmt)) {
    weft_my_begin(c, &store);
  } else if (c->ret == 0 && mysql_stmt_more_results(r->stmt)) {
    weft_my_begin(c, &next);
  } else if (r->failed) {
    settle_failed(c);
  } else {
    end_run(c);
  }
}

static const struct weft_my_step prepare = {prepare_start, prepare_cont, prepared},
                                 execute = {execute_start, execute_cont, executed},
                                 store = {store_start, store_cont, stored},
                                 next = {next_start, next_cont, have_next};

/* ---- taking operations ---- */

static void start(struct weft_my_conn *c) {
  struct weft_my_run *r = &c->run;
  const struct weft_plan *p = r->op->plan;
  r->list = weft_my_list_size(r->op);
  if (p->sql.n == 0) {
    weft_my_finish(c);
  } else if (p->flags & (WEFT_PLAN_CONTROL | WEFT_PLAN_SCRIPT)) {
    weft_my_send(c, p->sql.p, p->sql.n, text_sent);
  } else if ((r->st = (struct weft_my_statement *)(void *)weft_statements_get(&c->statements, statement_id(r)))) {
    r->stmt = r->st->stmt;
    if (r->stmt) run_statement(c);
    else send_text(c);
  } else {
    r->st = weft_zalloc(sizeof *r->st);
    weft_list_init(&r->st->base.link);
    r->stmt = r->st->stmt = mysql_stmt_init(c->my);
    if (!r->stmt) abort(); /* memory is out */
    weft_my_begin(c, &prepare);
  }
}

void weft_my_next(struct weft_my_conn *c) {
  if (c->run.op || c->lost || weft_list_empty(&c->base.ops)) return;
  c->run.op = WEFT_CONTAINER(c->base.ops.next, struct weft_op, link);
  c->run.op->state = WEFT_OP_SENT;
  c->run.op->sent_at = weft_loop_clock(c->base.loop);
  start(c);
}

void weft_my_submit(struct weft_conn *base, struct weft_op *op) {
  struct weft_my_conn *c = weft_my_of(base);
  weft_conn_take(base, op);
  op->state = WEFT_OP_QUEUED;
  weft_my_next(c);
}
