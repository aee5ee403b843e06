/* SPDX-License-Identifier: MIT */
/* From SQLSTATE to kind by one table; and messages that hold no value. */
#include <ctype.h>

#include "postgres_types.h"

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
    {"P", WEFT_CHECK},        /* raised by the application's own functions */
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

void weft_pg_scrub(char *message, const char *sqlstate, const struct weft_value *params,
                   uint32_t n) {
  if (strncmp(sqlstate, "22", 2) == 0) {
    char *colon = strstr(message, ": ");
    if (colon) *colon = 0;
    drop_quoted(message);
  }
  if (!names_only(sqlstate)) weft_value_cut(message, params, n);
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
