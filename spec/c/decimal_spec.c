/* SPDX-License-Identifier: MIT */
/* Besides table rows, random decimals are checked against 128-bit integers at a common scale. */
#include "decimal.h"

#include "hash.h"
#include "spec.h"
#include "value.h"

static uint64_t seed = 42;

static uint64_t random64(void) {
  return seed = weft_hash_mix(seed, 0x9e3779b97f4a7c15u);
}

static struct weft_decimal dec(const char *text) {
  struct weft_decimal d = {0};
  expect_int(weft_decimal_parse(weft_slice_of(text), &d), 0);
  return d;
}

/* The text of d, in one of a few buffers that take turns. */
static const char *text_of(const struct weft_decimal *d) {
  static char texts[4][WEFT_DECIMAL_TEXT + 1];
  static int turn;
  char *text = texts[turn++ % 4];
  text[weft_decimal_text(text, d)] = 0;
  return text;
}

static void texts(void) {
  static const struct {
    const char *in, *out;
  } rows[] = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.00", "0.00"},
      {"1.10", "1.10"},
      {"+7", "7"},
      {".5", "0.5"},
      {"5.", "5"},
      {"-.05", "-0.05"},
      {"1e3", "1000"},
      {"1.50e1", "15.0"},
      {"1.5E-3", "0.0015"},
      {"0e99999999999", "0"},
      {"00012", "12"},
      {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
      {"-0.99999999999999999999999999999999999999", "-0.99999999999999999999999999999999999999"},
      {"18446744073709551616", "18446744073709551616"},
      {"10000000000000000000", "10000000000000000000"},
      {"1e37", "10000000000000000000000000000000000000"},
      {"1e-38", "0.00000000000000000000000000000000000001"},
      {"", NULL},
      {"-", NULL},
      {".", NULL},
      {"1e", NULL},
      {"1e+", NULL},
      {"1e5x", NULL},
      {" 1", NULL},
      {"1 ", NULL},
      {"1.2.3", NULL},
      {"0x10", NULL},
      {"NaN", NULL},
      {"Infinity", NULL},
      {"1e38", NULL},
      {"1e-39", NULL},
      {"1e999999999999999999999", NULL},
      {"100000000000000000000000000000000000000", NULL},
      {"0.999999999999999999999999999999999999999", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      struct weft_decimal d;
      int rc = weft_decimal_parse(weft_slice_of(rows[i].in), &d);
      expect_int(rc, rows[i].out ? 0 : -1);
      if (rc == 0) expect_str(text_of(&d), rows[i].out);
    }
  }
}

static void floats(void) {
  static const struct {
    double f;
    const char *text;
  } rows[] = {{0.1, "0.1"},
              {3.0, "3"},
              {-2.5, "-2.5"},
              {1e21, "1000000000000000000000"},
              {1e-7, "0.0000001"},
              {-0.0, "0"},
              {0.1 + 0.2, "0.30000000000000004"},
              {1e38, NULL},
              {1e-300, NULL},
              {NAN, NULL},
              {INFINITY, NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].text ? rows[i].text : "a float that does not fit") {
      struct weft_decimal d;
      int rc = weft_decimal_from_float(rows[i].f, &d);
      expect_int(rc, rows[i].text ? 0 : -1);
      if (rc == 0 && expect_str(text_of(&d), rows[i].text))
        expect(weft_decimal_to_float(&d) == rows[i].f);
    }
  }
  it ("gives the nearest float of 38 digits") {
    struct weft_decimal d = dec("0.10000000000000000555111512312578270211");
    expect(weft_decimal_to_float(&d) == 0.1);
    d = dec("-99999999999999999999999999999999999999");
    expect(weft_decimal_to_float(&d) == -1e38);
    d = dec("9007199254740993");
    expect(weft_decimal_to_float(&d) == 9007199254740992.0);
  }
  it ("converts whole numbers within int64 only") {
    int64_t i;
    struct weft_decimal d = dec("-9223372036854775808.00");
    expect(weft_decimal_to_int(&d, &i) == 0 && i == INT64_MIN);
    d = dec("9223372036854775808");
    expect_int(weft_decimal_to_int(&d, &i), -1);
    d = dec("1.5");
    expect_int(weft_decimal_to_int(&d, &i), -1);
    weft_decimal_from_int(INT64_MIN, &d);
    expect_str(text_of(&d), "-9223372036854775808");
  }
}

static void comparisons(void) {
  static const struct {
    const char *a, *b;
    int order;
  } rows[] = {
      {"1.10", "1.1", 0},
      {"-1", "1", -1},
      {"-1", "-2", 1},
      {"0.00", "0", 0},
      {"99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001", 1},
      {"1.0000000000000000000000000000000000001", "1", 1},
      {"-0.5", "0", -1},
      {"12.34", "12.35", -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].a) {
      struct weft_decimal a = dec(rows[i].a), b = dec(rows[i].b);
      expect_int(weft_decimal_compare(&a, &b), rows[i].order);
      expect_int(weft_decimal_compare(&b, &a), -rows[i].order);
      if (rows[i].order == 0) expect(weft_decimal_hash(9, &a) == weft_decimal_hash(9, &b));
    }
  }
}

static void float_comparisons(void) {
  static const struct {
    const char *a;
    double f;
    int order;
  } rows[] = {
      {"0.5", 0.5, 0},
      {"0.1", 0.1, -1}, /* the double is a little more than a tenth */
      {"0.3", 0.3, 1},
      {"9007199254740993", 9007199254740992.0, 1},
      {"0", 0.0, 0},
      {"0.00", -0.0, 0},
      {"-1.5", -1.5, 0},
      {"-1.5", -1.25, -1},
      {"-1.5", 1.5, -1},
      {"1", INFINITY, -1},
      {"1", -INFINITY, 1},
      {"1", NAN, -1},
      {"0", 5e-324, -1},
      {"-0.00000000000000000000000000000000000001", -5e-324, -1},
      {"99999999999999999999999999999999999999", 1e38,
       1}, /* 1e38 is 99999999999999997748809823456034029568 */
      {"99999999999999997748809823456034029568", 1e38, 0},
      {"99999999999999999999999999999999999999", 1e300, -1},
      {"0.00000000000000000000000000000000000000", 1e-300, -1},
      {"18446744073709551616", 18446744073709551616.0, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].a) {
      struct weft_decimal a = dec(rows[i].a);
      expect_int(weft_decimal_compare_float(&a, rows[i].f), rows[i].order);
      struct weft_value v = {.type = WEFT_DECIMAL, .u.dec = &a}, f = weft_float(rows[i].f);
      expect_int(weft_value_compare(f, v), -rows[i].order);
      if (rows[i].order == 0) expect(weft_value_hash(3, f) == weft_value_hash(3, v));
    }
  }
}

static void arithmetic(void) {
  static const struct {
    const char *a, *b, *sum, *difference, *product;
  } rows[] = {
      {"1.10", "2.2", "3.30", "-1.10", "2.420"},
      {"-0.5", "0.5", "0.0", "-1.0", "-0.25"},
      {"99999999999999999999999999999999999999", "1", NULL,
       "99999999999999999999999999999999999998", "99999999999999999999999999999999999999"},
      {"-99999999999999999999999999999999999999", "1.0", "-99999999999999999999999999999999999998",
       NULL, "-99999999999999999999999999999999999999"},
      {"12345678901234567890.00", "10000000000000000000.00", "22345678901234567890.00",
       "2345678901234567890.00", NULL},
      {"1e30", "0.000000001", NULL, NULL, "1000000000000000000000.000000000"},
      {"1.0000000000000000000000000", "1.0000000000000000000000000", "2.0000000000000000000000000",
       "0.0000000000000000000000000", "1.00000000000000000000000000000000000"},
      {"0.00000000000000000001", "0.00000000000000000001", "0.00000000000000000002",
       "0.00000000000000000000", NULL},
      {"0", "-5", "-5", "5", "0"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].a) {
      struct weft_decimal a = dec(rows[i].a), b = dec(rows[i].b), out;
      const char *got = weft_decimal_add(&a, &b, &out) == 0 ? text_of(&out) : NULL;
      expect_str(got, rows[i].sum);
      got = weft_decimal_sub(&a, &b, &out) == 0 ? text_of(&out) : NULL;
      expect_str(got, rows[i].difference);
      got = weft_decimal_mul(&a, &b, &out) == 0 ? text_of(&out) : NULL;
      if (i != 6) expect_str(got, rows[i].product);
      if (i == 6 && expect(got != NULL)) { /* how many zeros stay is not promised */
        struct weft_decimal one = dec("1");
        expect_int(weft_decimal_compare(&out, &one), 0);
      }
    }
  }
}

static void rounding(void) {
  static const struct {
    const char *in;
    int scale;
    const char *out;
    bool exact;
  } rows[] = {
      {"1.25", 1, "1.3", false},
      {"-1.25", 1, "-1.3", false},
      {"1.24", 1, "1.2", false},
      {"1.20", 1, "1.2", true},
      {"1.2", 3, "1.200", true},
      {"0.5", 0, "1", false},
      {"-0.4", 0, "0", false},
      {"9.99", 1, "10.0", false},
      {"1", 38, NULL, true},
      {"0", 38, "0.00000000000000000000000000000000000000", true},
      {"0.99999999999999999999999999999999999999", 0, "1", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      struct weft_decimal d = dec(rows[i].in), out;
      bool exact = false;
      int rc = weft_decimal_round(&d, rows[i].scale, &out, &exact);
      expect_int(rc, rows[i].out ? 0 : -1);
      if (rc == 0) expect_str(text_of(&out), rows[i].out);
      expect_int(exact, rows[i].exact);
    }
  }
}

/* A number of at most 18 digits, its value times 10^9 beside it. */
static struct weft_decimal small(__int128 *nano) {
  int64_t m = (int64_t)(random64() >> (random64() % 40 + 5)) * (random64() & 1 ? 1 : -1);
  int scale = (int)(random64() % 10);
  struct weft_decimal d;
  weft_decimal_from_int(m, &d);
  d.scale = (int16_t)scale;
  *nano = m;
  for (int i = scale; i < 9; i++) *nano *= 10;
  return d;
}

static bool is_nano(const struct weft_decimal *d, __int128 nano, int power) {
  __int128 v = (__int128)(((unsigned __int128)d->hi << 64) | d->lo);
  for (int i = d->scale; i < power; i++) v *= 10;
  return (d->neg ? -v : v) == nano;
}

static void random_small(void) {
  for (int i = 0; i < 50000; i++) {
    __int128 x, y;
    struct weft_decimal a = small(&x), b = small(&y), out;
    bool ok = weft_decimal_add(&a, &b, &out) == 0 && is_nano(&out, x + y, 9);
    ok &= weft_decimal_sub(&a, &b, &out) == 0 && is_nano(&out, x - y, 9);
    ok &= weft_decimal_compare(&a, &b) == (x > y) - (x < y);
    ok &= x != y || weft_decimal_hash(1, &a) == weft_decimal_hash(1, &b);
    /* A product of two small ones has at most 36 digits, hence always fits. */
    ok &=
        weft_decimal_mul(&a, &b, &out) == 0 && out.neg == (x != 0 && y != 0 && (x < 0) != (y < 0));
    if (!expect(ok)) {
      printf("  %s and %s\n", text_of(&a), text_of(&b));
      return;
    }
  }
}

static void random_text(void) {
  for (int i = 0; i < 50000; i++) {
    char text[60];
    size_t n = 0, digits = 1 + random64() % 38, point = random64() % (digits + 1);
    if (random64() & 1) text[n++] = '-';
    for (size_t k = 0; k < digits; k++) {
      if (k == point) {
        if (k == 0) text[n++] = '0';
        text[n++] = '.';
      }
      text[n++] = (char)('0' + ((k == 0 && point != 0) || k + 1 == digits) + random64() % 9);
    }
    struct weft_decimal d, back;
    char out[WEFT_DECIMAL_TEXT];
    bool ok = weft_decimal_parse(weft_slice(text, n), &d) == 0;
    size_t len = ok ? weft_decimal_text(out, &d) : 0;
    if (!expect_mem(out, len, text, n)) return;
    /* The nearest double: no neighbour is nearer. */
    double f = weft_decimal_to_float(&d);
    int order = weft_decimal_compare_float(&d, f);
    double other = nextafter(f, order > 0 ? INFINITY : -INFINITY);
    if (order != 0 && !expect(weft_decimal_compare_float(&d, other) == -order)) return;
    if (weft_decimal_from_float(f, &back) == 0 && !expect(weft_decimal_to_float(&back) == f))
      return;
  }
}

int main(void) {
  describe ("decimal text") texts();
  describe ("decimal and float") floats();
  describe ("decimal order") comparisons();
  describe ("decimal order against floats") float_comparisons();
  describe ("decimal arithmetic") arithmetic();
  describe ("decimal rounding") rounding();
  describe ("random decimals") {
    it ("agree with integers at a common scale") random_small();
    it ("of up to 38 digits survive text and enclose their float") random_text();
  }
  return spec_end();
}
