/* SPDX-License-Identifier: MIT */
/* SQLite's codes as kinds. Extended codes come first in the table, for the search stops at the
   first row whose code is the whole code or its low byte. */
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

static const struct {
  int code;
  enum weft_kind kind;
} kinds[] = {
    {SQLITE_CONSTRAINT_UNIQUE, WEFT_UNIQUE},
    {SQLITE_CONSTRAINT_PRIMARYKEY, WEFT_UNIQUE},
    {SQLITE_CONSTRAINT_ROWID, WEFT_UNIQUE},
    {SQLITE_CONSTRAINT_FOREIGNKEY, WEFT_FOREIGN_KEY},
    {SQLITE_CONSTRAINT_NOTNULL, WEFT_NOT_NULL},
    {SQLITE_CONSTRAINT_DATATYPE, WEFT_TYPE},
    {SQLITE_BUSY_SNAPSHOT, WEFT_SERIALIZATION},
    {SQLITE_CONSTRAINT, WEFT_CHECK}, /* CHECK, and what triggers and virtual tables refuse */
    {SQLITE_ERROR, WEFT_SYNTAX},
    {SQLITE_MISMATCH, WEFT_TYPE},
    {SQLITE_TOOBIG, WEFT_TYPE},
    {SQLITE_BUSY, WEFT_LOCK_TIMEOUT},
    {SQLITE_LOCKED, WEFT_LOCK_TIMEOUT},
    {SQLITE_READONLY, WEFT_UNSUPPORTED},
    {SQLITE_PERM, WEFT_AUTH},
    {SQLITE_AUTH, WEFT_AUTH},
    {SQLITE_CANTOPEN, WEFT_CONNECT},
    {SQLITE_INTERRUPT, WEFT_CANCELLED},
};

static enum weft_kind kind_of(int rc) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].code == rc || kinds[i].code == (rc & 0xff)) return kinds[i].kind;
  return WEFT_INTERNAL;
}

bool weft_sqlite_fatal(int rc) {
  switch (rc & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
    case SQLITE_MISUSE:
    case SQLITE_CANTOPEN: return true;
    default: return false;
  }
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

static void copy(char *out, size_t cap, const char *p, size_t n) {
  if (n >= cap) n = cap - 1;
  memcpy(out, p, n);
  out[n] = 0;
}

/* "UNIQUE constraint failed: products.sku", "... failed: t.a, t.b", "... failed: index 'name'". */
static void name_constraint(struct weft_error *err, const char *message) {
  const char *at = strstr(message, "constraint failed: ");
  if (!at) return;
  at += strlen("constraint failed: ");
  size_t n = strlen(at);
  if (begins(at, "index '") && n > 8) {
    copy(err->constraint, sizeof err->constraint, at + 7, n - 8);
    return;
  }
  copy(err->constraint, sizeof err->constraint, at, n);
  const char *dot = strchr(at, '.');
  if (err->kind != WEFT_CHECK && dot && !strstr(at, ", "))
    copy(err->column, sizeof err->column, dot + 1, strlen(dot + 1));
}

/* "cannot store TEXT value in INT column t.a" of a strict table. */
static void name_column(struct weft_error *err, const char *message) {
  const char *at = strstr(message, " column "), *dot = at ? strchr(at, '.') : NULL;
  if (dot) copy(err->column, sizeof err->column, dot + 1, strlen(dot + 1));
}

/* Functions fail with the code of a wrong statement; what they dislike is a value. */
static bool about_a_value(const char *message) {
  return begins(message, "malformed JSON") || begins(message, "integer overflow") ||
         begins(message, "JSON path error") || begins(message, "JSON cannot hold");
}

/* While a statement runs, what follows "near" is a piece of a parameter (a json path, a full text
   query), not of the statement. */
static int visible(const char *message, bool running) {
  const char *near = running ? strstr(message, " near ") : NULL;
  return (int)(near ? (size_t)(near - message) : strlen(message));
}

int weft_sqlite_fail(const struct weft_conn *c, sqlite3 *db, int rc, bool running,
                     struct weft_error *err) {
  /* The handle's message is of its latest failure, which rc need not be. */
  bool own = db && (sqlite3_errcode(db) & 0xff) == (rc & 0xff);
  const char *message = own ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  char text[400];
  int n = visible(message, running && (rc & 0xff) == SQLITE_ERROR);
  snprintf(text, sizeof text, "%.*s", n, message);
  enum weft_kind kind = kind_of(rc);
  if (kind == WEFT_SYNTAX && about_a_value(text)) kind = WEFT_TYPE;
  weft_conn_fail(c, err, kind, "%s", text);
  if (kind == WEFT_TYPE) name_column(err, text);
  else name_constraint(err, text);
  snprintf(err->code, sizeof err->code, "%d", rc);
  return -1;
}
