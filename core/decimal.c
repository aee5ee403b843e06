/* SPDX-License-Identifier: MIT */
/* Invariants of every decimal that leaves this file: mantissa < 10^38, 0 <= scale <= 38, no
   negative zero. 10^38 < 2^127, so that twice a mantissa still fits 128 bits. */
#include "decimal.h"

#include <math.h>
#include <stdlib.h>

#include "buf.h"
#include "hash.h"
#include "text.h"

typedef unsigned __int128 u128; /* the language has no plain name for it */

static u128 mantissa(const struct weft_decimal *d) {
  return (u128)d->hi << 64 | d->lo;
}

static u128 pow10_of(int n) {
  static const uint64_t small[] = {1,
                                   10,
                                   100,
                                   1000,
                                   10000,
                                   100000,
                                   1000000,
                                   10000000,
                                   100000000,
                                   1000000000,
                                   10000000000,
                                   100000000000,
                                   1000000000000,
                                   10000000000000,
                                   100000000000000,
                                   1000000000000000,
                                   10000000000000000,
                                   100000000000000000,
                                   1000000000000000000,
                                   10000000000000000000u};
  return n < 20 ? small[n] : (u128)small[19] * small[n - 19];
}

static int put(struct weft_decimal *out, u128 m, int scale, bool neg) {
  if (m >= pow10_of(WEFT_DECIMAL_DIGITS) || scale < 0 || scale > WEFT_DECIMAL_DIGITS) return -1;
  out->lo = (uint64_t)m;
  out->hi = (uint64_t)(m >> 64);
  out->scale = (int16_t)scale;
  out->neg = neg && m != 0;
  return 0;
}

/* The same value with fewer zeros at the end: as few as scale allows. */
static struct weft_decimal stripped(const struct weft_decimal *d) {
  u128 m = mantissa(d);
  int scale = d->scale;
  while (scale > 0 && m % 10 == 0) m /= 10, scale--;
  struct weft_decimal s;
  put(&s, m, scale, d->neg);
  return s;
}

static const char *parse_exponent(const char *p, const char *end, int *e) {
  bool neg = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return NULL;
  for (*e = 0; p < end && *p >= '0' && *p <= '9'; p++)
    if (*e < 100000) *e = *e * 10 + (*p - '0');
  if (neg) *e = -*e;
  return p;
}

int weft_decimal_parse(struct weft_slice text, struct weft_decimal *out) {
  const char *p = text.p, *end = p + text.n;
  if (text.n == 0) return -1;
  bool neg = *p == '-', any = false, point = false;
  if (*p == '-' || *p == '+') p++;
  u128 m = 0, max = pow10_of(WEFT_DECIMAL_DIGITS);
  int64_t scale = 0;
  for (; p < end; p++) {
    if (*p == '.' && !point) {
      point = true;
    } else if (*p >= '0' && *p <= '9') {
      any = true;
      m = m * 10 + (unsigned)(*p - '0');
      scale += point;
      if (m >= max) return -1;
    } else {
      break;
    }
  }
  int e = 0;
  if (!any) return -1;
  if (p < end && (*p == 'e' || *p == 'E') && !(p = parse_exponent(p + 1, end, &e))) return -1;
  if (p != end) return -1;
  scale -= e;
  if (m == 0 && scale < 0) scale = 0;
  for (; scale < 0; scale++) {
    m *= 10;
    if (m >= max) return -1;
  }
  return scale > WEFT_DECIMAL_DIGITS ? -1 : put(out, m, (int)scale, neg);
}

void weft_decimal_from_int(int64_t i, struct weft_decimal *out) {
  put(out, i < 0 ? -(u128)i : (u128)i, 0, i < 0);
}

int weft_decimal_from_float(double f, struct weft_decimal *out) {
  char text[40];
  size_t n = weft_float_text(text, f);
  if (n > 2 && text[n - 1] == '0' && text[n - 2] == '.') n -= 2;
  return isfinite(f) ? weft_decimal_parse(weft_slice(text, n), out) : -1;
}

/* Digits of m without leading zeros, at the end of buf; returns where they begin. */
static char *digits_of(u128 m, char *end) {
  const uint64_t part = 10000000000000000000u;
  while (m >= part) {
    uint64_t low = (uint64_t)(m % part);
    m /= part;
    for (int i = 0; i < 19; i++, low /= 10) *--end = (char)('0' + low % 10);
  }
  uint64_t rest = (uint64_t)m;
  do *--end = (char)('0' + rest % 10);
  while (rest /= 10);
  return end;
}

size_t weft_decimal_text(char out[WEFT_DECIMAL_TEXT], const struct weft_decimal *d) {
  char digits[48], *end = digits + sizeof digits, *p = digits_of(mantissa(d), end);
  while (end - p <= d->scale) *--p = '0';
  size_t whole = (size_t)(end - p) - (size_t)d->scale, len = 0;
  if (d->neg) out[len++] = '-';
  memcpy(out + len, p, whole);
  len += whole;
  if (d->scale == 0) return len;
  out[len++] = '.';
  memcpy(out + len, p + whole, (size_t)d->scale);
  return len + (size_t)d->scale;
}

double weft_decimal_to_float(const struct weft_decimal *d) {
  static const double exact10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  double f;
  if (d->hi == 0 && d->lo <= (uint64_t)1 << 53 && d->scale <= 22) {
    f = (double)d->lo / exact10[d->scale]; /* both exact: one rounding */
  } else {
    char text[56], digits[48], *end = digits + sizeof digits, *p = digits_of(mantissa(d), end);
    size_t n = (size_t)(end - p);
    memcpy(text, p, n);
    text[n++] = 'e';
    n += weft_int_text(text + n, -d->scale);
    text[n] = 0;
    f = strtod(text, NULL); /* sees no point, hence no locale */
  }
  return d->neg ? -f : f;
}

int weft_decimal_to_int(const struct weft_decimal *d, int64_t *out) {
  u128 m = mantissa(d), unit = pow10_of(d->scale);
  if (d->scale) {
    if (m % unit) return -1;
    m /= unit;
  }
  if (m > (u128)INT64_MAX + d->neg) return -1;
  *out = (int64_t)(d->neg ? 0 - (uint64_t)m : (uint64_t)m);
  return 0;
}

/* By magnitude: whole parts, then the fractions at the largest scale. */
static int compare_size(const struct weft_decimal *a, const struct weft_decimal *b) {
  u128 x = mantissa(a), y = mantissa(b);
  if (a->scale != b->scale) {
    u128 ua = pow10_of(a->scale), ub = pow10_of(b->scale), wa = x / ua, wb = y / ub;
    if (wa != wb) return wa < wb ? -1 : 1;
    x = x % ua * pow10_of(WEFT_DECIMAL_DIGITS - a->scale);
    y = y % ub * pow10_of(WEFT_DECIMAL_DIGITS - b->scale);
  }
  return (x > y) - (x < y);
}

int weft_decimal_compare(const struct weft_decimal *a, const struct weft_decimal *b) {
  if (a->neg != b->neg) return a->neg ? -1 : 1;
  return a->neg ? -compare_size(a, b) : compare_size(a, b);
}

/* The fraction rest / 10^38 against m / 2^bits, bit by bit; both are below one. */
static int compare_fraction(u128 rest, uint64_t m, int bits) {
  const u128 one = pow10_of(WEFT_DECIMAL_DIGITS);
  for (int i = bits - 1; i >= 0; i--) {
    rest *= 2;
    unsigned bit = rest >= one, other = i < 64 ? (unsigned)(m >> i & 1) : 0;
    if (bit) rest -= one;
    if (bit != other) return bit ? 1 : -1;
  }
  return rest > 0;
}

/* |a| against f > 0, finite. */
static int compare_size_float(const struct weft_decimal *a, double f) {
  if (f >= 1e39) return -1;
  int e;
  uint64_t m = (uint64_t)ldexp(frexp(f, &e), 53); /* f = m * 2^(e - 53), and e <= 130 */
  e -= 53;
  u128 unit = pow10_of(a->scale), whole = mantissa(a) / unit, rest = mantissa(a) % unit;
  u128 other = e >= 0 ? (u128)m << e : e > -64 ? m >> -e : 0;
  if (whole != other) return whole < other ? -1 : 1;
  if (e >= 0) return rest > 0;
  if (e > -64) m &= ((uint64_t)1 << -e) - 1;
  return compare_fraction(rest * pow10_of(WEFT_DECIMAL_DIGITS - a->scale), m, -e);
}

int weft_decimal_compare_float(const struct weft_decimal *a, double f) {
  if (isnan(f)) return -1;
  if (isinf(f)) return f > 0 ? -1 : 1;
  bool zero = a->lo == 0 && a->hi == 0;
  if (f == 0) return zero ? 0 : a->neg ? -1 : 1;
  if (zero || a->neg != (f < 0)) return f < 0 ? 1 : -1;
  return a->neg ? -compare_size_float(a, -f) : compare_size_float(a, f);
}

/* Both mantissas at the larger scale; -1 when one would pass 128 bits. */
static int align(const struct weft_decimal *a, const struct weft_decimal *b, u128 *x, u128 *y) {
  *x = mantissa(a);
  *y = mantissa(b);
  int up = a->scale < b->scale ? b->scale - a->scale : a->scale - b->scale;
  u128 *small = a->scale < b->scale ? x : y;
  return __builtin_mul_overflow(*small, pow10_of(up), small) || *small >> 127 ? -1 : 0;
}

static int add_signed(const struct weft_decimal *a, const struct weft_decimal *b, bool b_neg,
                      struct weft_decimal *out) {
  u128 x, y;
  if (align(a, b, &x, &y) != 0) return -1;
  int scale = a->scale > b->scale ? a->scale : b->scale;
  if (a->neg == b_neg) return put(out, x + y, scale, a->neg);
  return x >= y ? put(out, x - y, scale, a->neg) : put(out, y - x, scale, b_neg);
}

/* Zeros at the end are given up only where the sum would not fit otherwise. */
static int add(const struct weft_decimal *a, const struct weft_decimal *b, bool b_neg,
               struct weft_decimal *out) {
  if (add_signed(a, b, b_neg, out) == 0) return 0;
  struct weft_decimal x = stripped(a), y = stripped(b);
  return add_signed(&x, &y, b_neg, out);
}

uint64_t weft_decimal_hash(uint64_t seed, const struct weft_decimal *d) {
  int64_t i;
  if (weft_decimal_to_int(d, &i) == 0) return weft_hash_mix(seed, (uint64_t)i);
  return weft_hash_number(seed, weft_decimal_to_float(d));
}

int weft_decimal_add(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out) {
  return add(a, b, b->neg, out);
}

int weft_decimal_sub(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out) {
  return add(a, b, !b->neg, out);
}

static int mul(const struct weft_decimal *a, const struct weft_decimal *b,
               struct weft_decimal *out) {
  u128 m;
  if (__builtin_mul_overflow(mantissa(a), mantissa(b), &m)) return -1;
  int scale = a->scale + b->scale;
  for (; scale > WEFT_DECIMAL_DIGITS && m % 10 == 0; scale--) m /= 10;
  for (; m >= pow10_of(WEFT_DECIMAL_DIGITS) && scale > 0 && m % 10 == 0; scale--) m /= 10;
  return put(out, m, scale, a->neg != b->neg);
}

int weft_decimal_mul(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out) {
  if (mul(a, b, out) == 0) return 0;
  struct weft_decimal x = stripped(a), y = stripped(b);
  return mul(&x, &y, out);
}

int weft_decimal_round(const struct weft_decimal *d, int scale, struct weft_decimal *out,
                       bool *exact) {
  u128 m = mantissa(d);
  *exact = true;
  if (scale < 0 || scale > WEFT_DECIMAL_DIGITS) return -1;
  if (scale >= d->scale) {
    if (__builtin_mul_overflow(m, pow10_of(scale - d->scale), &m)) return -1;
    return put(out, m, scale, d->neg);
  }
  u128 unit = pow10_of(d->scale - scale), rest = m % unit;
  *exact = rest == 0;
  return put(out, m / unit + (rest >= unit - rest), scale, d->neg);
}
