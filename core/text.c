/* SPDX-License-Identifier: MIT */
/* Numbers and UTF-8 as text. Nothing here depends on the locale: strtod and snprintf see no decimal
   point, or theirs is replaced. */
#include "text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "buf.h"

/* Powers of ten that a double holds exactly. */
static const double exact10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* f = whole / 10^places with whole below 10^15: such a quotient is the shortest text, for two texts
   of 15 digits are never the same double. Returns places, or -1. */
static int short_decimal(double f, uint64_t *whole) {
  if (!(f >= 1e-5 && f < 1e15)) return -1;
  for (int places = 0; places <= 20; places++) {
    double scaled = f * exact10[places];
    if (scaled >= 1e15) return -1;
    *whole = (uint64_t)(scaled + 0.5);
    if ((double)*whole / exact10[places] == f) return places;
  }
  return -1;
}

/* The same for 16 and 17 digits, in integers: f = m / 2^s, and a text reads back as f when it is
   less than half of 1 / 2^s away. m = 2^52, whose lower neighbour is nearer, has a short decimal
   here. */
static int long_decimal(double f, uint64_t *whole) {
  int e, before = 1; /* digits before the point, fewer than none below 0.1 */
  uint64_t m = (uint64_t)ldexp(frexp(f, &e), 53);
  int s = 53 - e;
  if (!(f >= 1e-5 && f < 1e15) || m == (uint64_t)1 << 52) return -1;
  while (f >= exact10[before]) before++;
  while (before <= 1 && before > -4 && f * exact10[1 - before] < 1) before--;
  for (int digits = 16; digits <= 17; digits++) {
    int places = digits - before;
    unsigned __int128 unit = (unsigned __int128)(uint64_t)exact10[places > 19 ? 19 : places];
    for (int i = 19; i < places; i++) unit *= 10;
    unsigned __int128 exact = unit * m, half = (unsigned __int128)1 << (s - 1);
    unsigned __int128 rest = exact & (half * 2 - 1);
    *whole = (uint64_t)(exact >> s);
    bool up = rest > half || (rest == half && (*whole & 1)); /* ties to even, like printf */
    *whole += up;
    if ((up ? half * 2 - rest : rest) * 2 < unit) return places;
  }
  return -1;
}

/* whole / 10^places with at least one digit on either side of the point. */
static size_t put_decimal(char *out, uint64_t whole, int places) {
  char digits[48];
  size_t n = weft_int_text(digits, (int64_t)whole), k = (size_t)places, len = 0;
  if (n <= k) {
    memset(out, '0', k - n + 2);
    out[1] = '.';
    len = k - n + 2;
    memcpy(out + len, digits, n);
    return len + n;
  }
  memcpy(out, digits, n - k);
  len = n - k;
  out[len++] = '.';
  if (k == 0) out[len++] = '0';
  memcpy(out + len, digits + n - k, k);
  return len + k;
}

/* Whatever the locale writes between two digits is the point; whole numbers get ".0". */
static size_t plain_point(char *out, const char *text) {
  size_t len = 0;
  bool whole = true;
  for (const char *p = text; *p; p++) {
    bool known = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
    if (!known && len && out[len - 1] == '.') continue;
    if (!known || *p == 'e') whole = false;
    out[len++] = known ? *p : '.';
  }
  if (whole) out[len++] = '.', out[len++] = '0';
  return len;
}

size_t weft_float_text(char out[40], double f) {
  if (isnan(f)) return memcpy(out, "nan", 3), 3;
  size_t len = 0;
  if (signbit(f)) out[len++] = '-', f = -f;
  if (isinf(f)) return memcpy(out + len, "inf", 3), len + 3;
  if (f == 0) return memcpy(out + len, "0.0", 3), len + 3;
  uint64_t whole;
  int places = short_decimal(f, &whole);
  if (places < 0) places = long_decimal(f, &whole);
  if (places >= 0) return len + put_decimal(out + len, whole, places);
  char text[40];
  /* Subnormals have fewer than 15 digits to give. */
  for (int digits = f < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, f);
    if (digits == 17 || strtod(text, NULL) == f) break;
  }
  return len + plain_point(out + len, text);
}

int weft_int_parse(struct weft_slice text, int64_t *out) {
  const char *p = text.p, *end = p + text.n;
  if (text.n == 0) return -1;
  bool neg = *p == '-';
  if (*p == '-' || *p == '+') p++;
  if (p == end) return -1;
  uint64_t u = 0;
  for (; p < end; p++) {
    unsigned digit = (unsigned)(unsigned char)*p - '0';
    if (digit > 9 || __builtin_mul_overflow(u, (uint64_t)10, &u) ||
        __builtin_add_overflow(u, (uint64_t)digit, &u))
      return -1;
  }
  if (u > (uint64_t)INT64_MAX + neg) return -1;
  *out = (int64_t)(neg ? 0 - u : u);
  return 0;
}

/* A decimal number taken apart: the digits without leading zeros and the power of ten of the last.
 */
enum { SIGNIFICANT = 800 }; /* more digits than any double, or middle between two, needs */

struct parts {
  bool neg, any;
  size_t n;  /* digits kept */
  bool lost; /* a digit other than 0 was dropped */
  int64_t e10;
  char digits[SIGNIFICANT + 40];
};

static void take_digit(struct parts *d, char c, bool fraction) {
  d->any = true;
  if (d->n == 0 && c == '0') {
    d->e10 -= fraction;
  } else if (d->n < SIGNIFICANT) {
    d->digits[d->n++] = c;
    d->e10 -= fraction;
  } else {
    d->lost |= c != '0';
    d->e10 += !fraction;
  }
}

static int take_exponent(struct parts *d, const char *p, const char *end) {
  bool neg = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return -1;
  int64_t e = 0;
  for (; p < end; p++) {
    if (*p < '0' || *p > '9') return -1;
    if (e < 100000000) e = e * 10 + (*p - '0');
  }
  d->e10 += neg ? -e : e;
  return 0;
}

static int take_apart(struct weft_slice text, struct parts *d) {
  const char *p = text.p, *end = p + text.n;
  d->neg = d->any = d->lost = false;
  d->n = 0;
  d->e10 = 0;
  if (p < end && (*p == '-' || *p == '+')) d->neg = *p++ == '-';
  for (; p < end && *p >= '0' && *p <= '9'; p++) take_digit(d, *p, false);
  if (p < end && *p == '.')
    for (p++; p < end && *p >= '0' && *p <= '9'; p++) take_digit(d, *p, true);
  if (!d->any) return -1;
  if (p < end && (*p == 'e' || *p == 'E')) return take_exponent(d, p + 1, end);
  return p == end ? 0 : -1;
}

static int special_float(struct weft_slice text, double *out) {
  static const struct {
    const char *word;
    double f;
  } words[] = {
      {"inf", INFINITY},   {"infinity", INFINITY},   {"+inf", INFINITY},      {"nan", NAN},
      {"-inf", -INFINITY}, {"-infinity", -INFINITY}, {"+infinity", INFINITY},
  };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (text.n != strlen(words[i].word) || strncasecmp(text.p, words[i].word, text.n)) continue;
    *out = words[i].f;
    return 0;
  }
  return -1;
}

int weft_float_parse(struct weft_slice text, double *out) {
  struct parts d;
  if (text.n == 0) return -1;
  if (take_apart(text, &d) != 0) return special_float(text, out);
  double f = 0;
  if (d.n > 0 && d.n <= 15 && d.e10 >= -22 && d.e10 <= 22) {
    /* Both operands are exact, so that one rounding gives the nearest double. */
    uint64_t whole = 0;
    for (size_t i = 0; i < d.n; i++) whole = whole * 10 + (uint64_t)(d.digits[i] - '0');
    f = d.e10 < 0 ? (double)whole / exact10[-d.e10] : (double)whole * exact10[d.e10];
  } else if (d.n > 0) {
    if (d.lost) d.digits[d.n++] = '1', d.e10--; /* above the middle, if it looked like the middle */
    snprintf(d.digits + d.n, 32, "e%lld", (long long)d.e10);
    f = strtod(d.digits, NULL);
    if (isinf(f)) return -1;
  }
  *out = d.neg ? -f : f;
  return 0;
}

size_t weft_utf8_sequence(const char *text, size_t n) {
  const unsigned char *p = (const unsigned char *)text;
  if (n == 0) return 0;
  if (p[0] < 0x80) return 1;
  if (p[0] < 0xC2 || p[0] > 0xF4 || n < 2 || (p[1] & 0xC0) != 0x80) return 0;
  if (p[0] < 0xE0) return 2;
  if (n < 3 || (p[2] & 0xC0) != 0x80) return 0;
  if (p[0] < 0xF0) {
    if (p[0] == 0xE0 && p[1] < 0xA0) return 0; /* overlong */
    if (p[0] == 0xED && p[1] > 0x9F) return 0; /* surrogates */
    return 3;
  }
  if (n < 4 || (p[3] & 0xC0) != 0x80) return 0;
  if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
  return 4;
}

bool weft_utf8_valid(const char *p, size_t n) {
  size_t i = 0;
  while (i < n) {
    uint64_t word;
    if (n - i >= 8 && (memcpy(&word, p + i, 8), (word & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    size_t len = weft_utf8_sequence(p + i, n - i);
    if (len == 0) return false;
    i += len;
  }
  return true;
}

/* Does near read back as f, and not only because a tie is broken in its favour? */
static bool reads_back(double near, float f) {
  float below = nextafterf(f, -INFINITY), above = nextafterf(f, INFINITY);
  if ((float)near != f) return false;
  if (isinf(below) || isinf(above)) return true;
  return near > ((double)f + below) / 2 && near < ((double)f + above) / 2;
}

double weft_float_of_single(float f) {
  static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
  double size = fabs((double)f);
  if (!isfinite(f) || size == 0) return (double)f;
  if (size >= 1e-3 && size < 16777216) { /* fewer digits are tried first */
    for (int places = 0; places < 8; places++) {
      double near = nearbyint(size * tens[places]) / tens[places];
      if (reads_back(near, (float)size)) return f < 0 ? -near : near;
    }
  }
  char text[32];
  double near = f;
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, (double)f);
    near = strtod(text, NULL);
    if (reads_back(near, f)) break;
  }
  return near;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t weft_base64_text(char *out, const char *bytes, size_t n) {
  const unsigned char *p = (const unsigned char *)bytes;
  char *q = out;
  for (; n >= 3; p += 3, n -= 3, q += 4) {
    uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    for (int i = 0; i < 4; i++) q[i] = base64[v >> (18 - 6 * i) & 63];
  }
  if (n) {
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    for (int i = 0; i < 4; i++) q[i] = (size_t)i <= n ? base64[v >> (18 - 6 * i) & 63] : '=';
    q += 4;
  }
  return (size_t)(q - out);
}

int64_t weft_base64_parse(struct weft_slice text, char *out) {
  int8_t value[256];
  size_t n = text.n, len = 0;
  uint32_t bits = 0;
  memset(value, -1, sizeof value);
  for (int i = 0; i < 64; i++) value[(unsigned char)base64[i]] = (int8_t)i;
  if (n % 4) return -1;
  for (int i = 0; i < 2 && n > 0 && text.p[n - 1] == '='; i++) n--;
  for (size_t i = 0; i < n; i++) {
    int v = value[(unsigned char)text.p[i]];
    if (v < 0) return -1;
    bits = bits << 6 | (uint32_t)v;
    if (i % 4) out[len++] = (char)(bits >> (6 - 2 * (i % 4)));
  }
  bool rest = n % 4 && bits & (n % 4 == 2 ? 15 : 3); /* bits that belong to no byte */
  return rest || n % 4 == 1 ? -1 : (int64_t)len;
}
