/* SPDX-License-Identifier: MIT */
/* Binary numeric and interval. A numeric is base-10000 digits, the first worth 10000^weight; a
   common one becomes a decimal by arithmetic, the others by way of their text, which is what
   numeric_out would have written. An interval becomes the text of intervalstyle postgres. */
#include <arpa/inet.h>
#include <stdio.h>

#include "decimal.h"
#include "postgres_types.h"

enum { NUMERIC_NEG = 0x4000, NUMERIC_NAN = 0xC000, NUMERIC_PINF = 0xD000, NUMERIC_NINF = 0xF000 };

typedef unsigned __int128 u128;

enum { SMALL_DIGITS = 18 };

struct numeric {
  int ndigits, weight, sign, scale;
  const char *digits;
};

static int at16(const char *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return ntohs(v);
}

static int digit_at(const struct numeric *x, int i) {
  return i >= 0 && i < x->ndigits ? at16(x->digits + 2 * i) : 0;
}

static u128 pow10_of(int n) {
  u128 v = 1;
  while (n-- > 0) v *= 10;
  return v;
}

/* The same where all of it fits 64 bits, as prices do. */
static bool tiny_numeric(const struct numeric *x, int shift, struct weft_decimal *d) {
  uint64_t m = 0, by = 1;
  for (int i = 0; i < x->ndigits; i++) m = m * 10000 + (unsigned)digit_at(x, i);
  for (int i = shift < 0 ? -shift : x->ndigits ? shift : 0; i > 0; i--) by *= 10;
  if (shift < 0 && m % by) return false;
  m = shift < 0 ? m / by : m * by;
  *d = (struct weft_decimal){m, 0, (int16_t)x->scale, x->sign == NUMERIC_NEG && m != 0};
  return true;
}

/* false: not by 128-bit arithmetic. */
static bool small_numeric(const struct numeric *x, struct weft_decimal *d) {
  int shift = 4 * (x->weight + 1 - x->ndigits) + x->scale; /* of the mantissa, in decimal places */
  if (x->scale > WEFT_DECIMAL_DIGITS || x->ndigits > 9 || shift < -3) return false;
  if (4 * x->ndigits + (shift > 0 ? shift : 0) > WEFT_DECIMAL_DIGITS) return false;
  if (4 * x->ndigits + (shift > 0 ? shift : 0) <= SMALL_DIGITS) return tiny_numeric(x, shift, d);
  u128 m = 0;
  for (int i = 0; i < x->ndigits; i++) m = m * 10000 + (unsigned)digit_at(x, i);
  if (shift >= 0) {
    m *= pow10_of(x->ndigits ? shift : 0);
  } else {
    u128 by = pow10_of(-shift);
    if (m % by) return false;
    m /= by;
  }
  *d = (struct weft_decimal){(uint64_t)m, (uint64_t)(m >> 64), (int16_t)x->scale,
                             x->sign == NUMERIC_NEG && m != 0};
  return true;
}

static size_t numeric_digits(const struct numeric *x, char *out) {
  char *p = out;
  if (x->sign == NUMERIC_NEG) *p++ = '-';
  if (x->weight < 0) *p++ = '0';
  for (int i = 0; i <= x->weight; i++) {
    int d = digit_at(x, i);
    char four[] = {(char)('0' + d / 1000), (char)('0' + d / 100 % 10), (char)('0' + d / 10 % 10),
                   (char)('0' + d % 10)};
    int skip = 0;
    if (i == 0) skip = d >= 1000 ? 0 : d >= 100 ? 1 : d >= 10 ? 2 : 3;
    memcpy(p, four + skip, (size_t)(4 - skip));
    p += 4 - skip;
  }
  if (x->scale == 0) return (size_t)(p - out);
  *p++ = '.';
  static const int tens[] = {1000, 100, 10, 1};
  for (int i = 0; i < x->scale; i++)
    *p++ = (char)('0' + digit_at(x, x->weight + 1 + i / 4) / tens[i % 4] % 10);
  return (size_t)(p - out);
}

bool weft_pg_numeric_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
  *out = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
  if (weft_decimal_parse(weft_slice(p, n), d) == 0) return true;
  *out = weft_text(weft_pg_keep(a, p, n), n);
  return true;
}

bool weft_pg_numeric_binary(struct weft_arena *a, const char *p, uint32_t n,
                            struct weft_value *out) {
  if (n < 8) return false;
  struct numeric x = {at16(p), (int16_t)at16(p + 2), at16(p + 4), at16(p + 6), p + 8};
  if (x.sign == NUMERIC_NAN) return *out = weft_text("NaN", 3), true;
  if (x.sign == NUMERIC_PINF) return *out = weft_text("Infinity", 8), true;
  if (x.sign == NUMERIC_NINF) return *out = weft_text("-Infinity", 9), true;
  if (n != 8 + 2 * (uint32_t)x.ndigits || (x.sign && x.sign != NUMERIC_NEG)) return false;
  for (int i = 0; i < x.ndigits; i++)
    if (digit_at(&x, i) > 9999) return false;
  struct weft_decimal small;
  if (small_numeric(&x, &small)) {
    struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
    *d = small;
    *out = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
    return true;
  }
  size_t most = 4 + 4 * (size_t)(x.weight < 0 ? 0 : x.weight + 1) + (size_t)x.scale;
  char *text = weft_arena_bytes(a, most);
  size_t len = numeric_digits(&x, text);
  struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
  *out = weft_text(text, len);
  if (weft_decimal_parse(weft_slice(text, len), d) == 0)
    *out = (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
  return true;
}

struct interval_text {
  char *p;
  bool any, before; /* something was written; the last part was negative */
};

static void interval_part(struct interval_text *t, int64_t v, const char *unit) {
  if (v == 0) return;
  t->p += sprintf(t->p, "%s%s%lld %s%s", t->any ? " " : "", t->before && v > 0 ? "+" : "",
                  (long long)v, unit, v == 1 ? "" : "s");
  t->any = true;
  t->before = v < 0;
}

static void interval_clock(struct interval_text *t, int64_t us) {
  if (us == 0 && t->any) return;
  uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us, part = size % 1000000;
  uint64_t seconds = size / 1000000;
  t->p += sprintf(t->p, "%s%s%02llu:%02u:%02u", t->any ? " " : "",
                  us < 0      ? "-"
                  : t->before ? "+"
                              : "",
                  (unsigned long long)(seconds / 3600), (unsigned)(seconds / 60 % 60),
                  (unsigned)(seconds % 60));
  if (part == 0) return;
  t->p += sprintf(t->p, ".%06u", (unsigned)part);
  while (t->p[-1] == '0') t->p--;
}

static int64_t at32(const char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return (int32_t)ntohl(v);
}

bool weft_pg_interval_binary(struct weft_arena *a, const char *p, uint32_t n,
                             struct weft_value *out) {
  if (n != 16) return false;
  int64_t us = (int64_t)((uint64_t)at32(p) << 32 | (uint32_t)at32(p + 4));
  int64_t days = at32(p + 8), months = at32(p + 12);
  char *text = weft_arena_bytes(a, 128);
  struct interval_text t = {.p = text};
  if (us == INT64_MAX && days == INT32_MAX && months == INT32_MAX) {
    t.p += sprintf(t.p, "infinity");
  } else if (us == INT64_MIN && days == INT32_MIN && months == INT32_MIN) {
    t.p += sprintf(t.p, "-infinity");
  } else {
    interval_part(&t, months / 12, "year");
    interval_part(&t, months % 12, "mon");
    interval_part(&t, days, "day");
    interval_clock(&t, us);
  }
  *out = (struct weft_value){.type = WEFT_INTERVAL, .n = (uint32_t)(t.p - text), .u.s = text};
  return true;
}
