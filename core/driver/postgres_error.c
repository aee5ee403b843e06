/* SPDX-License-Identifier: MIT */
/* From SQLSTATE to kind by one table; and messages that hold no value. The server's detail, hint and
   context are never used, for they quote rows; its primary message is, without the parts that may. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

/* The longest prefix wins; the more exact ones stand first. */
static const struct rule {
  const char *state;
  enum weft_kind kind;
} rules[] = {
    {"23505", WEFT_UNIQUE},
    {"23P01", WEFT_UNIQUE}, /* an exclusion constraint */
    {"23503", WEFT_FOREIGN_KEY},
    {"23001", WEFT_FOREIGN_KEY}, /* restrict */
    {"23502", WEFT_NOT_NULL},
    {"23514", WEFT_CHECK},
    {"44000", WEFT_CHECK}, /* with check option of a view */
    {"23", WEFT_CHECK},
    {"22", WEFT_TYPE},
    {"42501", WEFT_AUTH},
    {"42804", WEFT_TYPE}, /* datatype_mismatch */
    {"42846", WEFT_TYPE},
    {"42", WEFT_SYNTAX},
    {"3D000", WEFT_CONNECT},
    {"3F000", WEFT_SYNTAX},
    {"40001", WEFT_SERIALIZATION},
    {"40P01", WEFT_DEADLOCK},
    {"40", WEFT_SERIALIZATION},
    {"55P03", WEFT_LOCK_TIMEOUT},
    {"57014", WEFT_TIMEOUT},
    {"57P", WEFT_DISCONNECT},
    {"25P03", WEFT_DISCONNECT}, /* idle in transaction for too long */
    {"08", WEFT_DISCONNECT},
    {"28", WEFT_AUTH},
    {"53300", WEFT_THROTTLED},
    {"53", WEFT_THROTTLED},
    {"0A000", WEFT_UNSUPPORTED},
    {"25006", WEFT_UNSUPPORTED}, /* read only */
    {"25", WEFT_USAGE},
    {"3B", WEFT_USAGE}, /* savepoints */
    {"2D", WEFT_USAGE},
    {"26", WEFT_USAGE},
    {"54", WEFT_UNSUPPORTED}, /* a limit of the program was passed */
    {"P", WEFT_CHECK}, /* raised by the application's own functions */
    {"55", WEFT_USAGE},
    {"2", WEFT_USAGE},
};

enum weft_kind weft_pg_kind_of(const char *sqlstate) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strncmp(sqlstate, rules[i].state, strlen(rules[i].state)) == 0) return rules[i].kind;
  return WEFT_INTERNAL;
}

/* Quoted parts of a message about a bad value are values (or a type's name, which is no loss). */
static void drop_quoted(char *text) {
  char *to = text;
  for (char *p = text; *p;) {
    char *close = *p == '"' ? strchr(p + 1, '"') : NULL;
    if (close) {
      p = close + 1;
      if (to > text && to[-1] == ' ' && *p == ' ') p++;
    } else if (*p == '"') {
      break;
    } else {
      *to++ = *p++;
    }
  }
  while (to > text && to[-1] == ' ') to--;
  *to = 0;
}

/* Classes whose messages name constraints, tables, columns and states, never a value. */
static bool names_only(const char *sqlstate) {
  static const char classes[] = "08 23 25 26 28 40 42 53 54 55 57 58 ";
  char class[4] = {sqlstate[0], sqlstate[0] ? sqlstate[1] : 0, ' ', 0};
  return strlen(class) == 3 && strstr(classes, class);
}

/* Where a parameter is quoted in a message of another class, the rest of the message goes. */
static void cut_parameters(char *text, const struct weft_op *op) {
  for (uint32_t i = 0; op && i < op->nparams; i++) {
    struct weft_value v = op->params[i];
    size_t left = strlen(text);
    if (!weft_is_text(v) || v.n < 3 || !left) continue;
    size_t n = v.n < left ? v.n : left; /* a long value may have been cut by the server */
    if (n < v.n && n > 32) n = 32;
    char *at = memmem(text, left, v.u.s, n);
    if (at) memcpy(at, "...", at + 3 <= text + left ? 4 : 1);
  }
}

void weft_pg_scrub(char *message, const char *sqlstate, const struct weft_op *op) {
  if (strncmp(sqlstate, "22", 2) == 0) {
    char *colon = strstr(message, ": ");
    if (colon) *colon = 0;
    drop_quoted(message);
  }
  if (!names_only(sqlstate)) cut_parameters(message, op);
}

void weft_pg_tidy(const char *message, char *out, size_t size) {
  static const char *const prefixes[] = {"FATAL:  ", "ERROR:  ", "PANIC:  "};
  size_t line = strcspn(message, "\n");
  for (size_t i = 0; i < 3; i++) {
    const char *at = memmem(message, line, prefixes[i], strlen(prefixes[i]));
    if (!at) continue;
    at += strlen(prefixes[i]);
    line -= (size_t)(at - message);
    message = at;
  }
  size_t n = 0;
  while (isspace((unsigned char)*message)) message++;
  for (; *message && *message != '\n' && n + 1 < size; message++)
    out[n++] = isspace((unsigned char)*message) ? ' ' : *message;
  while (n && out[n - 1] == ' ') n--;
  out[n] = 0;
}

static const char *field(const PGresult *res, int code) {
  const char *p = PQresultErrorField(res, code);
  return p ? p : "";
}

bool weft_pg_is_fatal(const PGresult *res) {
  const char *state = field(res, PG_DIAG_SQLSTATE), *severity = field(res, PG_DIAG_SEVERITY_NONLOCALIZED);
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
  if (at <= 0 || !op || n + 40 > size || !(op->plan->flags & (WEFT_PLAN_RAW | WEFT_PLAN_SCRIPT))) return;
  if (script) snprintf(message + n, size - n, " (line %d)", line_of(op->plan->sql, at));
  else snprintf(message + n, size - n, " (at character %ld)", at);
}

static void copy(char *to, size_t size, const char *from) { snprintf(to, size, "%s", from); }

int weft_pg_fail(struct weft_error *err, const PGresult *res, const struct weft_op *op, bool script) {
  char message[sizeof err->message];
  const char *state = field(res, PG_DIAG_SQLSTATE), *primary = field(res, PG_DIAG_MESSAGE_PRIMARY);
  if (!*primary) primary = PQresultErrorMessage(res);
  weft_pg_tidy(primary, message, sizeof message);
  enum weft_kind kind = kind_of_error(state, message);
  weft_pg_scrub(message, state, op);
  add_position(message, sizeof message, res, op, script);
  weft_fail(err, kind, "%s", message);
  copy(err->code, sizeof err->code, state);
  copy(err->constraint, sizeof err->constraint, field(res, PG_DIAG_CONSTRAINT_NAME));
  copy(err->column, sizeof err->column, field(res, PG_DIAG_COLUMN_NAME));
  return -1;
}

/* While connecting messages are verbose, "FATAL:  28P01: password authentication failed ...", with the
   first word in the server's language. */
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
  return weft_conn_fail(&c->base, err, WEFT_DISCONNECT, "%s", *text ? text : "the connection was lost");
}
