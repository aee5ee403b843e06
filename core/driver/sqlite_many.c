/* SPDX-License-Identifier: MIT */
/* An insert of many rows: all or none, in a transaction of their own or a savepoint of the one that is
   open. A statement costs more to start and end than to insert a row, so that rows go many at a time:
   the tuple of placeholders is repeated 512, 256 ... 2 times, and the rows are cut into such numbers.
   The wider statements are prepared when first needed and stay with their statement.

   One that gives rows back runs once per row, for only this keeps their order. */
#include <stdlib.h>

#include "../buf.h"
#include "sqlite.h"

enum { WIDEST = 9 }; /* 2^9 rows */

void weft_sqlite_finalize_wide(struct sqlite_statement *st) {
  for (int k = 0; st->wide && k <= WIDEST; k++) sqlite3_finalize(st->wide[k]);
  free(st->wide);
  st->wide = NULL;
}

/* Where " values (?, ?)" stands in sql outside of quotes, or NULL. */
static const char *find_values(struct weft_slice sql, struct weft_slice values) {
  bool quoted = false;
  for (size_t i = 0; i + values.n <= sql.n; i++) {
    quoted ^= sql.p[i] == '"';
    if (!quoted && memcmp(sql.p + i, values.p, values.n) == 0) return sql.p + i;
  }
  return NULL;
}

/* The statement for 2^k rows, or NULL: then single rows it is. */
static sqlite3_stmt *widen(struct sqlite_conn *c, int k) {
  static const struct weft_slice word = {" values ", 8};
  const struct weft_plan *p = c->run.op->plan;
  struct weft_buf tuple, sql;
  sqlite3_stmt *stmt = NULL;
  weft_buf_init(&tuple);
  weft_buf_init(&sql);
  weft_buf_add(&tuple, word.p, word.n);
  for (uint32_t i = 0; i < p->nslots; i++) weft_buf_str(&tuple, i ? ", ?" : "(?");
  weft_buf_lit(&tuple, ")");
  const char *at = p->nslots ? find_values(p->sql, weft_buf_slice(&tuple)) : NULL;
  if (at) {
    const char *rest = at + tuple.n;
    weft_buf_add(&sql, p->sql.p, (size_t)(rest - p->sql.p));
    for (uint32_t i = 1; i < 1u << k; i++) {
      weft_buf_lit(&sql, ", ");
      weft_buf_add(&sql, tuple.p + word.n, tuple.n - word.n);
    }
    weft_buf_add(&sql, rest, (size_t)(p->sql.p + p->sql.n - rest));
    if (!weft_buf_failed(&sql))
      sqlite3_prepare_v3(c->db, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  }
  weft_buf_release(&tuple);
  weft_buf_release(&sql);
  return stmt;
}

/* The widest statement for at most left rows; *rows is how many it takes. */
static sqlite3_stmt *pick(struct sqlite_conn *c, uint32_t left, uint32_t *rows) {
  struct sqlite_statement *st = c->run.st;
  uint32_t n = c->run.op->plan->nslots;
  uint32_t most = (uint32_t)sqlite3_limit(c->db, SQLITE_LIMIT_VARIABLE_NUMBER, -1) / (n ? n : 1);
  *rows = 1;
  if (st->columns || st->passing) return st->stmt;
  for (int k = WIDEST; k > 0; k--) {
    if (1u << k > left || 1u << k > most) continue;
    if (!st->wide) st->wide = weft_zalloc((WIDEST + 1) * sizeof *st->wide);
    if (!st->wide[k]) st->wide[k] = widen(c, k);
    if (!st->wide[k]) break;
    *rows = 1u << k;
    return st->wide[k];
  }
  return st->stmt;
}

int weft_sqlite_run_many(struct sqlite_conn *c) {
  struct sqlite_run *r = &c->run;
  uint32_t n = r->op->plan->nslots, rows;
  int64_t affected = 0;
  if (weft_sqlite_exec(c, r->in_tx ? "savepoint weft_repeat" : "begin immediate")) return -1;
  for (uint32_t i = 0; i < r->op->repeat; i += rows) {
    sqlite3_int64 before = sqlite3_total_changes64(c->db);
    sqlite3_stmt *stmt = pick(c, r->op->repeat - i, &rows);
    if (weft_sqlite_run_once(c, stmt, r->op->params + (size_t)i * n, rows * n)) goto fail;
    weft_sqlite_count_changes(c, before, r->rows);
    affected += r->rows->affected;
  }
  if (weft_sqlite_exec(c, r->in_tx ? "release weft_repeat" : "commit")) goto fail;
  r->rows->affected = affected;
  return 0;
fail: /* run.rc and run.err stay those of the failure; where it has ended the transaction this does nothing */
  if (!sqlite3_get_autocommit(c->db))
    sqlite3_exec(c->db, r->in_tx ? "rollback to weft_repeat; release weft_repeat" : "rollback", NULL,
                 NULL, NULL);
  return -1;
}
