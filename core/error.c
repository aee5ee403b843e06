/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *weft_kind_name(enum weft_kind kind) {
  static const char *const names[WEFT_KIND_COUNT] = {
      [WEFT_OK] = "ok",
      [WEFT_USAGE] = "usage",
      [WEFT_VALIDATION] = "validation",
      [WEFT_MANY] = "many",
      [WEFT_NOT_FOUND] = "not_found",
      [WEFT_STALE] = "stale",
      [WEFT_UNIQUE] = "unique",
      [WEFT_FOREIGN_KEY] = "foreign_key",
      [WEFT_NOT_NULL] = "not_null",
      [WEFT_CHECK] = "check",
      [WEFT_TYPE] = "type",
      [WEFT_SYNTAX] = "syntax",
      [WEFT_SERIALIZATION] = "serialization",
      [WEFT_DEADLOCK] = "deadlock",
      [WEFT_LOCK_TIMEOUT] = "lock_timeout",
      [WEFT_TIMEOUT] = "timeout",
      [WEFT_CANCELLED] = "cancelled",
      [WEFT_POOL_TIMEOUT] = "pool_timeout",
      [WEFT_CONNECT] = "connect",
      [WEFT_DISCONNECT] = "disconnect",
      [WEFT_AUTH] = "auth",
      [WEFT_THROTTLED] = "throttled",
      [WEFT_CONDITION_FAILED] = "condition_failed",
      [WEFT_UNSUPPORTED] = "unsupported",
      [WEFT_CLOSED] = "closed",
      [WEFT_INTERNAL] = "internal",
  };
  return (unsigned)kind < WEFT_KIND_COUNT ? names[kind] : "internal";
}

int weft_fail(struct weft_error *err, enum weft_kind kind, const char *fmt, ...) {
  if (!err) return -1;
  /* Formatted aside, for the arguments may be parts of *err. One byte more than fits tells whether
     the cut is inside a sequence. */
  char text[sizeof err->message + 1];
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  size_t n = len < 0 ? 0 : (size_t)len;
  if (n >= sizeof err->message) {
    n = sizeof err->message - 1;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
  }
  weft_error_clear(err);
  memcpy(err->message, text, n);
  err->message[n] = 0;
  err->kind = kind;
  err->retryable = kind == WEFT_SERIALIZATION || kind == WEFT_DEADLOCK || kind == WEFT_LOCK_TIMEOUT ||
                   kind == WEFT_THROTTLED;
  return -1;
}

enum { NEAREST_MAX = 64 };

static bool same(char a, char b) {
  return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned min3(unsigned a, unsigned b, unsigned c) {
  unsigned m = a < b ? a : b;
  return m < c ? m : c;
}

/* Optimal string alignment: an exchange of neighbours counts one. Letters that differ in case only
   are the same. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb) {
  unsigned char rows[3][NEAREST_MAX + 1];
  unsigned char *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= nb; j++) last[j] = (unsigned char)j;
  memcpy(before, last, nb + 1);
  for (size_t i = 1; i <= na; i++) {
    row[0] = (unsigned char)i;
    for (size_t j = 1; j <= nb; j++) {
      unsigned d = min3(last[j] + 1u, row[j - 1] + 1u, last[j - 1] + !same(a[i - 1], b[j - 1]));
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) &&
          before[j - 2] + 1u < d)
        d = before[j - 2] + 1u;
      row[j] = (unsigned char)d;
    }
    unsigned char *free_row = before;
    before = last, last = row, row = free_row;
  }
  return last[nb];
}

const char *weft_nearest(const char *word, size_t len, size_t n,
                         const char *(*name)(const void *ud, size_t i, size_t *len), const void *ud,
                         size_t *found_len) {
  if (len == 0 || len > NEAREST_MAX) return NULL;
  unsigned best = len < 2 ? 1 : (unsigned)(len < 6 ? 2 : len / 3 + 1); /* first distance too far */
  const char *found = NULL;
  for (size_t i = 0; i < n; i++) {
    size_t nlen = 0;
    const char *s = name(ud, i, &nlen);
    if (!s || nlen == 0 || nlen > NEAREST_MAX) continue;
    if ((nlen > len ? nlen - len : len - nlen) >= best) continue;
    unsigned d = distance(word, len, s, nlen);
    if (d >= best) continue;
    best = d;
    found = s;
    if (found_len) *found_len = nlen;
  }
  return found;
}
