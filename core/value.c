/* SPDX-License-Identifier: MIT */
/* Invariant: compare(a, b) == 0 exactly when equal(a, b), and then the hashes are the same. Numbers
   of different types meet by value, never through rounding; text-likes and times of different types
   are ordered by type after their payload. */
#include "value.h"

#include <math.h>

#include "decimal.h"
#include "hash.h"

const char *weft_type_name(enum weft_type t) {
  static const char *const names[WEFT_TYPE_COUNT] = {
      [WEFT_NULL] = "null",
      [WEFT_BOOL] = "boolean",
      [WEFT_INT] = "integer",
      [WEFT_FLOAT] = "float",
      [WEFT_DECIMAL] = "decimal",
      [WEFT_TEXT] = "text",
      [WEFT_BYTES] = "bytes",
      [WEFT_JSON] = "json",
      [WEFT_UUID] = "uuid",
      [WEFT_DATE] = "date",
      [WEFT_TIME] = "time",
      [WEFT_TIMESTAMP] = "timestamp",
      [WEFT_TIMESTAMPTZ] = "timestamptz",
      [WEFT_INTERVAL] = "interval",
      [WEFT_ARRAY] = "array",
      [WEFT_LIST] = "list",
      [WEFT_ANY] = "any",
  };
  return (unsigned)t < WEFT_TYPE_COUNT ? names[t] : "unknown";
}

enum rank { RANK_NULL, RANK_BOOL, RANK_NUMBER, RANK_TEXT, RANK_TIME, RANK_ARRAY };

static enum rank rank_of(enum weft_type t) {
  switch (t) {
  case WEFT_BOOL: return RANK_BOOL;
  case WEFT_INT:
  case WEFT_FLOAT:
  case WEFT_DECIMAL: return RANK_NUMBER;
  case WEFT_TEXT:
  case WEFT_BYTES:
  case WEFT_JSON:
  case WEFT_UUID:
  case WEFT_INTERVAL: return RANK_TEXT;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ: return RANK_TIME;
  case WEFT_ARRAY:
  case WEFT_LIST: return RANK_ARRAY;
  default: return RANK_NULL;
  }
}

static int order_int(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

/* NaN equals NaN and sorts above all. */
static int order_float(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
  return (a > b) - (a < b);
}

static int order_int_float(int64_t i, double f) {
  if (isnan(f) || f >= 9223372036854775808.0) return -1;
  if (f < -9223372036854775808.0) return 1;
  int64_t whole = (int64_t)f;
  if (i != whole) return i < whole ? -1 : 1;
  double rest = f - (double)whole;
  return (rest < 0) - (rest > 0);
}

static int order_decimal(const struct weft_decimal *a, struct weft_value b) {
  if (b.type == WEFT_DECIMAL) return weft_decimal_compare(a, b.u.dec);
  if (b.type == WEFT_FLOAT) return weft_decimal_compare_float(a, b.u.f);
  struct weft_decimal i;
  weft_decimal_from_int(b.u.i, &i);
  return weft_decimal_compare(a, &i);
}

static int order_number(struct weft_value a, struct weft_value b) {
  if (a.type == WEFT_DECIMAL) return order_decimal(a.u.dec, b);
  if (b.type == WEFT_DECIMAL) return -order_decimal(b.u.dec, a);
  if (a.type == WEFT_INT)
    return b.type == WEFT_INT ? order_int(a.u.i, b.u.i) : order_int_float(a.u.i, b.u.f);
  return b.type == WEFT_INT ? -order_int_float(b.u.i, a.u.f) : order_float(a.u.f, b.u.f);
}

static int order_text(struct weft_value a, struct weft_value b) {
  uint32_t n = a.n < b.n ? a.n : b.n;
  int c = n ? memcmp(a.u.s, b.u.s, n) : 0;
  if (c == 0) c = order_int(a.n, b.n);
  return c ? c : order_int(a.type, b.type);
}

static int order_array(const struct weft_array *a, const struct weft_array *b) {
  uint32_t n = a->n < b->n ? a->n : b->n;
  for (uint32_t i = 0; i < n; i++) {
    int c = weft_value_compare(a->v[i], b->v[i]);
    if (c) return c;
  }
  return order_int(a->n, b->n);
}

int weft_value_compare(struct weft_value a, struct weft_value b) {
  enum rank rank = rank_of(a.type), other = rank_of(b.type);
  if (rank != other) return rank < other ? -1 : 1;
  switch (rank) {
  case RANK_BOOL: return order_int(a.u.i != 0, b.u.i != 0);
  case RANK_NUMBER: return order_number(a, b);
  case RANK_TEXT: return order_text(a, b);
  case RANK_TIME: return a.type == b.type ? order_int(a.u.i, b.u.i) : order_int(a.type, b.type);
  case RANK_ARRAY: {
    int c = order_array(a.u.array, b.u.array);
    return c ? c : order_int(a.type, b.type);
  }
  default: return 0;
  }
}

bool weft_value_equal(struct weft_value a, struct weft_value b) {
  if (a.type == b.type) {
    if (a.type == WEFT_INT) return a.u.i == b.u.i;
    if (weft_is_text(a)) return a.n == b.n && (a.n == 0 || memcmp(a.u.s, b.u.s, a.n) == 0);
  }
  return weft_value_compare(a, b) == 0;
}

static uint64_t hash_array(uint64_t seed, const struct weft_array *a) {
  uint64_t h = weft_hash_mix(seed, a->n);
  for (uint32_t i = 0; i < a->n; i++) h = weft_value_hash(h, a->v[i]);
  return h;
}

uint64_t weft_value_hash(uint64_t seed, struct weft_value v) {
  switch (v.type) {
  case WEFT_INT: return weft_hash_mix(seed, (uint64_t)v.u.i);
  case WEFT_FLOAT: return weft_hash_number(seed, v.u.f);
  case WEFT_DECIMAL: return weft_decimal_hash(seed, v.u.dec);
  case WEFT_BOOL: return weft_hash_mix(seed ^ WEFT_BOOL << 8, v.u.i != 0);
  case WEFT_ARRAY:
  case WEFT_LIST: return hash_array(seed ^ (uint64_t)v.type << 8, v.u.array);
  default: break;
  }
  if (weft_is_text(v)) return weft_hash_bytes(seed ^ (uint64_t)v.type << 8, v.u.s, v.n);
  if (rank_of(v.type) == RANK_TIME)
    return weft_hash_mix(seed ^ (uint64_t)v.type << 8, (uint64_t)v.u.i);
  return weft_hash_mix(seed ^ 0xff00, 0); /* NULL */
}

static const struct weft_array *copy_array(struct weft_arena *arena, const struct weft_array *a) {
  struct weft_array *copy = weft_arena_alloc(arena, sizeof *a + a->n * sizeof a->v[0]);
  copy->n = a->n;
  copy->elem = a->elem;
  for (uint32_t i = 0; i < a->n; i++) copy->v[i] = weft_value_copy(arena, a->v[i]);
  return copy;
}

struct weft_value weft_value_copy(struct weft_arena *arena, struct weft_value v) {
  if (weft_is_text(v)) {
    v.u.s = weft_arena_copy(arena, v.u.s, v.n);
  } else if (v.type == WEFT_DECIMAL) {
    struct weft_decimal *d = weft_arena_alloc(arena, sizeof *d);
    *d = *v.u.dec;
    v.u.dec = d;
  } else if (v.type == WEFT_ARRAY || v.type == WEFT_LIST) {
    v.u.array = copy_array(arena, v.u.array);
  }
  return v;
}

void weft_value_cut(char *text, const struct weft_value *params, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct weft_value v = params[i];
    size_t left = strlen(text);
    if (!weft_is_text(v) || v.n < 3 || !left) continue;
    size_t n = v.n < left ? v.n : left; /* a long value may have been cut by the server */
    if (n < v.n && n > 32) n = 32;
    char *at = memmem(text, left, v.u.s, n);
    if (at) memcpy(at, "...", at + 3 <= text + left ? 4 : 1);
  }
}
