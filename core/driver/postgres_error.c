/* SPDX-License-Identifier: MIT */
/* From libpq's results and messages to errors. The server's detail, hint and context are never
   used, for they quote rows; its primary message is, without the parts that may. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

static const char *field(const PGresult *res, int code) {
  const char *p = PQresultErrorField(res, code);
  return p ? p : "";
}

bool weft_pg_is_fatal(const PGresult *res) {
  const char *state = field(res, PG_DIAG_SQLSTATE),
             *severity = field(res, PG_DIAG_SEVERITY_NONLOCALIZED);
  return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 ||
         weft_pg_kind_of(state) == WEFT_DISCONNECT;
}

/* 57014 says only that somebody or something cancelled. */
static enum weft_kind kind_of_error(const char *state, const char *message) {
  if (strcmp(state, "57014") == 0 && strstr(message, "user request")) return WEFT_CANCELLED;
  return weft_pg_kind_of(state);
}

static int line_of(struct weft_slice sql, long position) {
  int line = 1;
  for (size_t i = 0; i < sql.n && position > 1; i++) {
    if ((sql.p[i] & 0xC0) != 0x80) position--; /* the server counts characters */
    line += sql.p[i] == '\n';
  }
  return line;
}

static void add_position(char *message, size_t size, const PGresult *res, const struct weft_op *op,
                         bool script) {
  long at = strtol(field(res, PG_DIAG_STATEMENT_POSITION), NULL, 10);
  size_t n = strlen(message);
  if (at <= 0 || !op || n + 40 > size || !(op->plan->flags & (WEFT_PLAN_RAW | WEFT_PLAN_SCRIPT)))
    return;
  if (script) snprintf(message + n, size - n, " (line %d)", line_of(op->plan->sql, at));
  else snprintf(message + n, size - n, " (at character %ld)", at);
}

static void copy(char *to, size_t size, const char *from) {
  snprintf(to, size, "%s", from);
}

int weft_pg_fail(struct weft_error *err, const PGresult *res, const struct weft_op *op,
                 bool script) {
  char message[sizeof err->message];
  const char *state = field(res, PG_DIAG_SQLSTATE), *primary = field(res, PG_DIAG_MESSAGE_PRIMARY);
  if (!*primary) primary = PQresultErrorMessage(res);
  weft_pg_tidy(primary, message, sizeof message);
  enum weft_kind kind = kind_of_error(state, message);
  weft_pg_scrub(message, state, op ? op->params : NULL, op ? op->nparams : 0);
  add_position(message, sizeof message, res, op, script);
  weft_fail(err, kind, "%s", message);
  copy(err->code, sizeof err->code, state);
  copy(err->constraint, sizeof err->constraint, field(res, PG_DIAG_CONSTRAINT_NAME));
  copy(err->column, sizeof err->column, field(res, PG_DIAG_COLUMN_NAME));
  return -1;
}

/* While connecting messages are verbose, "FATAL:  28P01: password authentication failed ...", with
   the first word in the server's language. */
static const char *find_state(const char *text, char code[6]) {
  for (const char *at = text; (at = strstr(at, ":  ")); at += 3) {
    size_t n = 3;
    while (n < 8 && (isdigit((unsigned char)at[n]) || isupper((unsigned char)at[n]))) n++;
    if (n < 8 || at[8] != ':' || at[9] != ' ') continue;
    memcpy(code, at + 3, 5);
    return at + 10;
  }
  return text;
}

int weft_pg_fail_connect(const struct weft_pg_conn *c, struct weft_error *err) {
  char message[sizeof err->message], code[6] = "";
  const char *text = find_state(PQerrorMessage(c->pg), code), *why = strstr(text, " failed: ");
  /* The label says where to. */
  if (why && strncmp(text, "connection to server", 20) == 0) text = why + sizeof " failed: " - 1;
  weft_pg_tidy(text, message, sizeof message);
  bool refused = weft_pg_kind_of(code) == WEFT_AUTH ||
                 strstr(message, "password authentication failed") ||
                 strstr(message, "no password supplied");
  weft_conn_fail(&c->base, err, refused ? WEFT_AUTH : WEFT_CONNECT, "cannot connect%s%s",
                 *message ? ": " : "", message);
  copy(err->code, sizeof err->code, code);
  err->retryable = !refused;
  return -1;
}

int weft_pg_fail_lost(const struct weft_pg_conn *c, struct weft_error *err) {
  char text[sizeof err->message];
  if (c->fatal.kind != WEFT_OK) {
    *err = c->fatal;
    return -1;
  }
  weft_pg_tidy(c->pg ? PQerrorMessage(c->pg) : "", text, sizeof text);
  return weft_conn_fail(&c->base, err, WEFT_DISCONNECT, "%s",
                        *text ? text : "the connection was lost");
}
