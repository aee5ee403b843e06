/* SPDX-License-Identifier: MIT */
/* What went wrong, as a value that the caller owns. There is no global last error.

   int f(..., struct weft_error *err) returns 0, or -1 after weft_fail. A message never holds a
   parameter's value, a password or a token: whoever formats one passes names and kinds only. */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)

/* The kinds of API.md, in its order. */
enum weft_kind {
  WEFT_OK,
  WEFT_USAGE,
  WEFT_VALIDATION,
  WEFT_MANY,
  WEFT_NOT_FOUND,
  WEFT_STALE,
  WEFT_UNIQUE,
  WEFT_FOREIGN_KEY,
  WEFT_NOT_NULL,
  WEFT_CHECK,
  WEFT_TYPE,
  WEFT_SYNTAX,
  WEFT_SERIALIZATION,
  WEFT_DEADLOCK,
  WEFT_LOCK_TIMEOUT,
  WEFT_TIMEOUT,
  WEFT_CANCELLED,
  WEFT_POOL_TIMEOUT,
  WEFT_CONNECT,
  WEFT_DISCONNECT,
  WEFT_AUTH,
  WEFT_THROTTLED,
  WEFT_CONDITION_FAILED,
  WEFT_UNSUPPORTED,
  WEFT_CLOSED,
  WEFT_INTERNAL,
  WEFT_KIND_COUNT
};

struct weft_error {
  enum weft_kind kind;
  bool retryable;       /* the same call may succeed if made again, and cannot have happened */
  bool outcome_unknown; /* the statement may or may not have been carried out */
  char code[16];        /* SQLSTATE or the database's own code, "" when there is none */
  char constraint[64];
  char column[64];
  char message[480];
};

/* The word of API.md: "usage", "not_found" ... */
const char *weft_kind_name(enum weft_kind kind);

/* Clears err, sets kind and message (cut at its capacity, never inside a UTF-8 sequence) and
   returns -1. serialization, deadlock, lock_timeout, throttled set retryable. err may be NULL. */
int weft_fail(struct weft_error *err, enum weft_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline void weft_error_clear(struct weft_error *err) {
  err->kind = WEFT_OK;
  err->retryable = err->outcome_unknown = false;
  err->code[0] = err->constraint[0] = err->column[0] = err->message[0] = 0;
}

/* The name nearest to word among n names (Damerau-Levenshtein, at most a third of its length
   away), or NULL. name(ud, i, &len) gives the i-th. For "did you mean". */
const char *weft_nearest(const char *word, size_t len, size_t n,
                         const char *(*name)(const void *ud, size_t i, size_t *len),
                         const void *ud, size_t *found_len);

#pragma GCC visibility pop

#endif
