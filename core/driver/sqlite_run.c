/* SPDX-License-Identifier: MIT */
/* Preparing statements (on the loop's thread) and carrying them out (on any). A run ends with its
   statement reset, so that no read lock outlives it, and leaves a code, rows and an error behind;
   what follows from them is sqlite.c's business. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../clock.h"
#include "sqlite.h"

/* ---- what a text says ---- */

static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/* Behind what stands at p that is not a word, a bracket or a letter: a comment, a quoted run, one
   character. */
static const char *skip_one(const char *p) {
  if (p[0] == '-' && p[1] == '-') {
    while (*p && *p != '\n') p++;
  } else if (p[0] == '/' && p[1] == '*') {
    for (p += 2; *p && !(p[0] == '*' && p[1] == '/');) p++;
    if (*p) p += 2;
  } else if (*p == '\'' || *p == '"' || *p == '`' || *p == '[') {
    char end = *p == '[' ? ']' : *p;
    for (p++; *p && *p != end;) p++;
    if (*p) p++;
  } else {
    p++;
  }
  return p;
}

/* The next word outside of brackets at or behind *p, which moves behind it; empty at the end. */
static struct weft_slice next_word(const char **p) {
  const char *at = *p;
  for (int depth = 0; *at;) {
    if (is_letter(*at) || *at == '_') {
      const char *from = at;
      while (is_letter(*at) || *at == '_' || (*at >= '0' && *at <= '9')) at++;
      if (depth == 0) return *p = at, weft_slice(from, (size_t)(at - from));
    } else {
      depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
      at = skip_one(at);
    }
  }
  return *p = at, weft_slice(at, 0);
}

static bool is_word(struct weft_slice w, const char *name) {
  return w.n == strlen(name) && sqlite3_strnicmp(w.p, name, (int)w.n) == 0;
}

static bool inserts(const char *sql) {
  struct weft_slice w = next_word(&sql);
  bool with = is_word(w, "with");
  while (with && w.n && !is_word(w, "insert") && !is_word(w, "replace")) w = next_word(&sql);
  return is_word(w, "insert") || is_word(w, "replace");
}

/* All rows of a table are counted in one step of the virtual machine. */
static bool counts(struct weft_slice sql) {
  static const char call[] = "count(*)";
  for (const char *p = sql.p; (p = memchr(p, '(', (size_t)(sql.p + sql.n - p))); p++)
    if (p - sql.p >= 5 && sqlite3_strnicmp(p - 5, call, sizeof call - 1) == 0) return true;
  return false;
}

/* SQLite counts most of what has no columns as reading, COMMIT included. */
static enum sqlite_kind kind_of(sqlite3_stmt *stmt, const char *sql) {
  if (sqlite3_column_count(stmt) == 0) {
    struct weft_slice w = next_word(&sql);
    if (is_word(w, "begin")) return KIND_BEGIN;
    if (is_word(w, "commit") || is_word(w, "end")) return KIND_COMMIT;
    if (is_word(w, "rollback")) {
      while ((w = next_word(&sql)).n && !is_word(w, "to")) continue;
      return w.n ? KIND_CONTROL : KIND_ROLLBACK;
    }
    if (sqlite3_stmt_readonly(stmt)) return KIND_CONTROL;
  }
  return sqlite3_stmt_readonly(stmt) ? KIND_READ : KIND_WRITE;
}

/* ---- preparing ---- */

void weft_sqlite_finalize(struct sqlite_statement *st) {
  if (!st) return;
  sqlite3_finalize(st->stmt);
  weft_sqlite_finalize_wide(st);
  weft_columns_unref(st->columns);
  free(st->decoders);
  free(st);
}

void weft_sqlite_forget(struct sqlite_conn *c) {
  struct weft_list *lru = &c->statements.lru;
  while (!weft_list_empty(lru)) {
    struct weft_statement *st = WEFT_CONTAINER(lru->next, struct weft_statement, link);
    weft_list_remove(&st->link);
    weft_sqlite_finalize(WEFT_CONTAINER(st, struct sqlite_statement, base));
  }
  weft_statements_release(&c->statements);
  weft_statements_init(&c->statements, STATEMENTS);
}

/* SQLite prepares the first statement of a text and says nothing of the others. */
static bool alone(sqlite3 *db, const char *tail, const char *end) {
  sqlite3_stmt *more = NULL;
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK && !more && tail < end) {
    const char *from = tail;
    rc = sqlite3_prepare_v2(db, from, (int)(end - from), &more, &tail);
    if (tail == from) break;
  }
  sqlite3_finalize(more);
  return rc == SQLITE_OK && !more;
}

static int prepare(struct sqlite_conn *c, struct weft_plan *plan, unsigned flags,
                   sqlite3_stmt **out, struct weft_error *err) {
  struct weft_slice sql = plan->sql;
  const char *tail = NULL;
  sqlite3_stmt *stmt = NULL;
  if (sql.n >= INT_MAX || memchr(sql.p, 0, sql.n)) {
    weft_conn_fail(&c->base, err, WEFT_SYNTAX, "the statement %s",
                   sql.n >= INT_MAX ? "is too long" : "holds a zero byte");
    return SQLITE_ERROR;
  }
  int rc = sqlite3_prepare_v3(c->db, sql.p, (int)sql.n + 1, flags, &stmt, &tail);
  if (rc != SQLITE_OK) {
    weft_sqlite_fail(&c->base, c->db, rc, false, err);
    return rc;
  }
  if (stmt && alone(c->db, tail, sql.p + sql.n)) {
    *out = stmt;
    return SQLITE_OK;
  }
  weft_conn_fail(&c->base, err, WEFT_USAGE,
                 stmt ? "this is more than one statement (a script runs many)"
                      : "the statement is empty");
  sqlite3_finalize(stmt);
  return SQLITE_ERROR;
}

int weft_sqlite_statement(struct sqlite_conn *c, struct weft_plan *plan,
                          struct sqlite_statement **out, struct weft_error *err) {
  struct weft_statement *known = weft_statements_get(&c->statements, plan->id);
  if (known) {
    *out = WEFT_CONTAINER(known, struct sqlite_statement, base);
    return SQLITE_OK;
  }
  bool passing = plan->flags & WEFT_PLAN_VOLATILE;
  sqlite3_stmt *stmt;
  int rc = prepare(c, plan, passing ? 0 : SQLITE_PREPARE_PERSISTENT, &stmt, err);
  if (rc != SQLITE_OK) return rc;
  struct sqlite_statement *st = weft_zalloc(sizeof *st);
  st->stmt = stmt;
  st->passing = passing;
  st->expected = 1;
  st->kind = (uint8_t)kind_of(stmt, plan->sql.p);
  st->counts = st->kind == KIND_READ && counts(plan->sql);
  st->insert = st->kind == KIND_WRITE && inserts(plan->sql.p);
  weft_sqlite_columns(stmt, plan, &st->columns, &st->decoders);
  *out = st;
  if (passing) return SQLITE_OK;
  struct weft_statement *old = weft_statements_add(&c->statements, &st->base, plan->id);
  if (old) weft_sqlite_finalize(WEFT_CONTAINER(old, struct sqlite_statement, base));
  return SQLITE_OK;
}

/* ---- one run ---- */

static int fail(struct sqlite_conn *c, int rc) {
  c->run.rc = rc;
  return weft_sqlite_fail(&c->base, c->db, rc, true, &c->run.err);
}

/* After a change of the schema SQLite prepares by itself, and the result may have other columns.
   The statement's own columns are put right here; the plan's follow on the loop's thread. */
static void follow_schema(struct sqlite_conn *c, struct sqlite_statement *st, int reprepared) {
  struct weft_columns *columns;
  struct sqlite_decoder *decoders;
  st->reprepared = reprepared;
  weft_sqlite_columns(st->stmt, c->run.op->plan, &columns, &decoders);
  free(st->decoders);
  st->decoders = decoders;
  if (weft_columns_equal(columns, st->columns)) {
    weft_columns_unref(columns);
    return;
  }
  weft_columns_unref(st->columns);
  st->columns = columns;
  weft_rows_unref(c->run.rows);
  c->run.rows = weft_rows_new(columns, 1);
}

/* Steps to the end. Returns 0, or -1 with run.rc and run.err set. */
static int step_all(struct sqlite_conn *c, struct sqlite_statement *st, sqlite3_stmt *stmt) {
  struct sqlite_run *r = &c->run;
  /* A look-up by a whole key need not ask whether there is a second row. */
  bool one =
      (r->op->plan->flags & (WEFT_PLAN_KEY | WEFT_PLAN_READ)) == (WEFT_PLAN_KEY | WEFT_PLAN_READ);
  int rc = sqlite3_step(stmt);
  int reprepared = sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (stmt == st->stmt && reprepared != st->reprepared) follow_schema(c, st, reprepared);
  while (rc == SQLITE_ROW) {
    if (r->rows->ncols && weft_sqlite_row(st, r->rows, &r->err)) {
      r->rc = SQLITE_TOOBIG;
      return -1;
    }
    if (one) return 0;
    rc = sqlite3_step(stmt);
  }
  return rc == SQLITE_DONE ? 0 : fail(c, rc);
}

int weft_sqlite_run_once(struct sqlite_conn *c, sqlite3_stmt *stmt, const struct weft_value *params,
                         uint32_t n) {
  struct sqlite_run *r = &c->run;
  if (weft_sqlite_bind(stmt, params, n, r->op->plan, &c->scratch, &r->err)) {
    r->rc = SQLITE_MISMATCH;
    weft_arena_release(&c->scratch);
    return -1;
  }
  /* The progress handler counts from the statement's steps of all its runs. */
  sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
  int failed = step_all(c, r->st, stmt);
  sqlite3_reset(stmt);
  if (c->scratch.blocks) weft_arena_release(&c->scratch);
  return failed;
}

/* Changes of the statements since before, not those of the schema. */
void weft_sqlite_count_changes(struct sqlite_conn *c, sqlite3_int64 before, struct weft_rows *rows) {
  rows->affected = sqlite3_total_changes64(c->db) == before ? 0 : sqlite3_changes64(c->db);
  if (c->run.st && c->run.st->insert) rows->last_id = sqlite3_last_insert_rowid(c->db);
}

int weft_sqlite_exec(struct sqlite_conn *c, const char *sql) {
  int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? 0 : fail(c, rc);
}

static int run_statement(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  const struct weft_op *op = r->op;
  r->rows = weft_rows_new(r->st->columns, op->repeat > 1 ? op->repeat : r->st->expected);
  if (op->repeat > 1) return weft_sqlite_run_many(c);
  sqlite3_int64 before = r->st->kind == KIND_WRITE ? sqlite3_total_changes64(c->db) : 0;
  if (weft_sqlite_run_once(c, r->st->stmt, op->params, op->nparams)) return -1;
  if (r->st->kind == KIND_WRITE) weft_sqlite_count_changes(c, before, r->rows);
  return 0;
}

/* ---- scripts ---- */

static int script_failed(struct sqlite_conn *c, int rc, bool running) {
  struct sqlite_run *r = &c->run;
  struct weft_error inner;
  unsigned line = 1;
  const char *sql = r->op->plan->sql.p;
  weft_sqlite_fail(&c->base, c->db, rc, running, &inner);
  /* Blank lines in front of a statement are not its own. */
  size_t at = r->at;
  while (sql[at] == ' ' || (sql[at] >= '\t' && sql[at] <= '\r')) at++;
  for (size_t i = 0; i < at; i++) line += sql[i] == '\n';
  r->err = inner;
  snprintf(r->err.message, sizeof r->err.message, "statement %u (line %u): %.420s", r->count + 1,
           line, inner.message);
  r->rc = rc;
  return -1;
}

/* Each statement of the text in turn; where another process holds a lock, the run goes on from
 * there. */
static int run_script(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  struct weft_slice sql = r->op->plan->sql;
  if (sql.n >= INT_MAX) {
    r->rc = SQLITE_TOOBIG;
    return weft_conn_fail(&c->base, &r->err, WEFT_SYNTAX, "the script is too long");
  }
  if (!r->rows) {
    r->rows = weft_rows_new(NULL, 0);
    r->rows->affected = 0;
  }
  while (r->at < sql.n) {
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    if (__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE))
      return script_failed(c, SQLITE_INTERRUPT, true);
    int rc = sqlite3_prepare_v2(c->db, sql.p + r->at, (int)(sql.n - r->at) + 1, &stmt, &tail);
    if (rc != SQLITE_OK) return script_failed(c, rc, false);
    if (stmt) {
      sqlite3_int64 before = sqlite3_total_changes64(c->db);
      while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) continue;
      if (rc != SQLITE_DONE) script_failed(c, rc, true);
      sqlite3_finalize(stmt);
      if (rc != SQLITE_DONE) return -1;
      if (sqlite3_total_changes64(c->db) != before) r->rows->affected += sqlite3_changes64(c->db);
      r->count++;
    }
    if (tail == sql.p + r->at) break; /* a zero byte: nothing behind it was read */
    r->at = (size_t)(tail - sql.p);
  }
  if (r->at >= sql.n) return 0;
  r->rc = SQLITE_ERROR;
  return weft_conn_fail(&c->base, &r->err, WEFT_SYNTAX, "the script holds a zero byte");
}

void weft_sqlite_execute(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  r->rc = SQLITE_DONE;
  r->ticks = 0;
  if ((r->st ? run_statement(c) : run_script(c)) == 0) return;
  if (r->st) { /* a script's counts go on after a wait */
    weft_rows_unref(r->rows);
    r->rows = NULL;
  }
}
