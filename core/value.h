/* SPDX-License-Identifier: MIT */
/* One typed cell: 16 bytes, passed by value. Text, bytes and everything else that does not fit are
   borrowed from an arena (a row set's, a query clause's); a value never owns memory.

   What the payload holds, by type:
     BOOL            u.i 0 or 1
     INT             u.i
     FLOAT           u.f
     DECIMAL         u.dec
     TEXT BYTES JSON UUID INTERVAL   u.s and n bytes; a UUID is its 36 lower-case characters; JSON is
                     its text as the database gave it; an INTERVAL is text as the database gave it
     DATE            u.i days since 1970-01-01; WEFT_INFINITY / -WEFT_INFINITY
     TIME            u.i microseconds since midnight
     TIMESTAMP, TIMESTAMPTZ   u.i microseconds since 1970-01-01 (UTC for TIMESTAMPTZ); +-WEFT_INFINITY
     ARRAY           u.array: elements of one type, any may be NULL; nested arrays are ARRAYs of ARRAYs
     LIST            u.array: the right side of IN; never a cell of a row */
#ifndef WEFT_VALUE_H
#define WEFT_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "error.h"
#include "text.h"

#pragma GCC visibility push(default)

enum weft_type {
  WEFT_NULL,
  WEFT_BOOL,
  WEFT_INT,
  WEFT_FLOAT,
  WEFT_DECIMAL,
  WEFT_TEXT,
  WEFT_BYTES,
  WEFT_JSON,
  WEFT_UUID,
  WEFT_DATE,
  WEFT_TIME,
  WEFT_TIMESTAMP,
  WEFT_TIMESTAMPTZ,
  WEFT_INTERVAL,
  WEFT_ARRAY,
  WEFT_LIST,
  WEFT_ANY, /* as a declared type only: the database did not say (SQLite) or Weft does not know */
  WEFT_TYPE_COUNT
};

#define WEFT_INFINITY INT64_MAX

struct weft_decimal;
struct weft_array;

struct weft_value {
  uint8_t type; /* enum weft_type */
  uint32_t n;   /* bytes of a text-like value */
  union {
    int64_t i;
    double f;
    const char *s;
    const struct weft_decimal *dec;
    const struct weft_array *array;
  } u;
};

struct weft_array {
  uint32_t n;
  uint8_t elem; /* enum weft_type; WEFT_ARRAY when nested, WEFT_ANY when unknown */
  struct weft_value v[];
};

static inline struct weft_value weft_null(void) { return (struct weft_value){.type = WEFT_NULL}; }
static inline struct weft_value weft_int(int64_t i) {
  return (struct weft_value){.type = WEFT_INT, .u.i = i};
}
static inline struct weft_value weft_bool(bool b) {
  return (struct weft_value){.type = WEFT_BOOL, .u.i = b};
}
static inline struct weft_value weft_float(double f) {
  return (struct weft_value){.type = WEFT_FLOAT, .u.f = f};
}
/* n above 4 GiB cannot be; callers cap before. */
static inline struct weft_value weft_text(const char *p, size_t n) {
  return (struct weft_value){.type = WEFT_TEXT, .n = (uint32_t)n, .u.s = p};
}
static inline bool weft_is_text(struct weft_value v) {
  return v.type == WEFT_TEXT || v.type == WEFT_BYTES || v.type == WEFT_JSON ||
         v.type == WEFT_UUID || v.type == WEFT_INTERVAL;
}

const char *weft_type_name(enum weft_type t); /* "integer", "text", "timestamptz" ... */

/* Equality of value and type, NULL equal to NULL; 1 and 1.0 and the decimal 1.00 are equal, -0.0
   equals 0, NaN equals NaN. For keys of joins, batches, caches; SQL's three-valued logic is eval's. */
bool weft_value_equal(struct weft_value a, struct weft_value b);
/* Equal values have equal hashes. */
uint64_t weft_value_hash(uint64_t seed, struct weft_value v);
/* <0 0 >0, total: NULL, booleans, numbers (by value), text-likes (by bytes), times, arrays. */
int weft_value_compare(struct weft_value a, struct weft_value b);

/* A deep copy whose memory is in arena. */
struct weft_value weft_value_copy(struct weft_arena *arena, struct weft_value v);

/* The value as the text users see (RFC 3339 times, plain numbers, shortest round-trip floats, bytes
   as they are, arrays as JSON); nothing for NULL. */
void weft_value_text(struct weft_buf *out, struct weft_value v);

/* What a column takes. size: bytes of integers and floats (2 4 8), 0 unknown. */
struct weft_column_type {
  uint8_t type;         /* enum weft_type; WEFT_ANY accepts everything */
  uint8_t elem;         /* of an array */
  uint8_t size; /* of an array: of its elements; of a decimal: digits that the database keeps as text
                   beyond a decimal's 38, 0 none; of a time: 0, or spans beyond a day are kept as text */
  bool utf8;            /* text is UTF-8 and nothing else */
  bool zone_utc;        /* a TIMESTAMP that is declared to be UTC takes values with a zone */
  int16_t precision, scale; /* of a decimal; -1 not declared. precision of text: its length limit */
  uint32_t clock;       /* of a timestamp: a number is a time in 1/clock s since 1970; 0: none is */
  uint32_t oid;         /* PostgreSQL's type, 0 elsewhere */
  uint32_t elem_oid;
};

/* v as the column's type when that is exact ("12" -> 12, 12.0 -> 12, "2024-02-29" -> a date), else
   WEFT_TYPE naming the type but never the value. NULL and WEFT_ANY pass unchanged. LIST converts
   each element. Integers out of the column's size, NaN where it cannot be, invalid UTF-8 and zero
   bytes in text fail (PostgreSQL text has neither). New memory comes from arena. */
int weft_value_convert(struct weft_arena *arena, struct weft_value v,
                       const struct weft_column_type *to, struct weft_value *out,
                       struct weft_error *err);

/* Where a server's message quotes one of these texts, the rest of the message goes. */
void weft_value_cut(char *message, const struct weft_value *params, uint32_t n);

/* Time text: 2024-02-29, 12:00:00 or 12:00:00.123456, 2024-02-29T12:00:00Z, infinity; years beyond
   0000 to 9999 carry a sign (+294276-12-31T..., -4712-...; 0000 is 1 BC). parse also takes a blank for
   the T, no seconds, 1 to 9 digits of fraction when exact in microseconds, zones as Z +hh +hh:mm +hhmm
   (the value is moved to UTC), and a date alone as its midnight; -1 for everything else. */
size_t weft_time_text(char out[40], struct weft_value v); /* DATE TIME TIMESTAMP TIMESTAMPTZ */
int weft_time_parse(struct weft_slice text, enum weft_type type, bool *had_zone,
                    struct weft_value *out);
/* MySQL's span of time, -838:59:59 to 838:59:59, with up to 6 digits of fraction. */
bool weft_time_is_span(struct weft_slice text);
/* A DATE, or the TIMESTAMP so many microseconds into its day; -1 where the calendar has no such day. */
int weft_time_of_day(unsigned year, unsigned month, unsigned day, enum weft_type type, int64_t us,
                     struct weft_value *out);

#pragma GCC visibility pop

#endif
