/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <float.h>
#include <locale.h>
#include <time.h>

#include "decimal.h"
#include "hash.h"
#include "spec.h"

static uint64_t seed = 11;

static uint64_t random64(void) {
  return seed = weft_hash_mix(seed, 0x9e3779b97f4a7c15u);
}

static struct weft_value text(const char *s) {
  return weft_text(s, strlen(s));
}

static struct weft_value typed(enum weft_type type, struct weft_value v) {
  v.type = (uint8_t)type;
  return v;
}

static struct weft_value decimal(struct weft_arena *a, const char *s) {
  struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
  expect_int(weft_decimal_parse(weft_slice_of(s), d), 0);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static struct weft_value array(struct weft_arena *a, uint32_t n, const struct weft_value *v) {
  struct weft_array *list = weft_arena_alloc(a, sizeof *list + n * sizeof *v);
  list->n = n;
  list->elem = WEFT_ANY;
  memcpy(list->v, v, n * sizeof *v);
  return (struct weft_value){.type = WEFT_ARRAY, .u.array = list};
}

/* Ascending; each differs from the one before. */
static uint32_t ladder(struct weft_arena *a, struct weft_value *v) {
  struct weft_value pair[] = {weft_int(1), weft_null()}, other[] = {weft_int(1), weft_int(2)};
  struct weft_value all[] = {
      weft_null(),
      weft_bool(false),
      weft_bool(true),
      weft_float(-INFINITY),
      decimal(a, "-99999999999999999999999999999999999999"),
      weft_int(INT64_MIN),
      weft_float(-1.5),
      weft_int(-1),
      weft_float(0),
      weft_float(5e-324),
      decimal(a, "0.1"),
      weft_float(0.1), /* a little more */
      weft_int(1),
      weft_int(9007199254740992),
      weft_int(9007199254740993),
      weft_int(INT64_MAX),
      weft_float(0x1p63),
      decimal(a, "9223372036854775809"),
      weft_float(INFINITY),
      weft_float(NAN),
      text(""),
      text("A"),
      text("a"),
      typed(WEFT_BYTES, text("a")),
      text("ab"),
      text("\xC3\xA4"),
      typed(WEFT_DATE, weft_int(5)),
      typed(WEFT_DATE, weft_int(WEFT_INFINITY)),
      typed(WEFT_TIMESTAMP, weft_int(-5)),
      typed(WEFT_TIMESTAMPTZ, weft_int(-7)),
      array(a, 0, pair),
      array(a, 2, pair),
      array(a, 1, other + 1),
  };
  memcpy(v, all, sizeof all);
  return sizeof all / sizeof *all;
}

static void order(void) {
  struct weft_arena a;
  weft_arena_init(&a, NULL, 0);
  struct weft_value v[64];
  uint32_t n = ladder(&a, v);
  it ("is total over all types") {
    for (uint32_t i = 0; i < n; i++)
      for (uint32_t k = 0; k < n; k++) {
        int c = weft_value_compare(v[i], v[k]);
        if (!expect_int((c > 0) - (c < 0), (i > k) - (i < k))) printf("  at %u and %u\n", i, k);
        expect(weft_value_equal(v[i], v[k]) == (i == k));
      }
  }
  it ("copies deeply to equal values of equal hash") {
    struct weft_arena b;
    weft_arena_init(&b, NULL, 0);
    for (uint32_t i = 0; i < n; i++) {
      struct weft_value copy = weft_value_copy(&b, v[i]);
      expect(weft_value_equal(copy, v[i]));
      expect(weft_value_hash(5, copy) == weft_value_hash(5, v[i]));
      if (weft_is_text(copy)) expect(copy.u.s != v[i].u.s);
      for (uint32_t k = 0; k < i; k++)
        expect(weft_value_hash(5, v[k]) != weft_value_hash(5, v[i]) || v[i].type == WEFT_DECIMAL ||
               v[k].type == WEFT_DECIMAL);
    }
    weft_arena_release(&b);
  }
  weft_arena_release(&a);
}

static void equality(void) {
  struct weft_arena a;
  weft_arena_init(&a, NULL, 0);
  struct weft_value pairs[][2] = {
      {weft_int(1), weft_float(1)},
      {weft_int(1), decimal(&a, "1.00")},
      {weft_float(0.5), decimal(&a, "0.50")},
      {weft_float(-0.0), weft_int(0)},
      {weft_float(-0.0), weft_float(0)},
      {weft_float(NAN), weft_float(-NAN)},
      {weft_float(0x1p100), decimal(&a, "1267650600228229401496703205376")},
      {weft_int(INT64_MIN), weft_float(-0x1p63)},
      {weft_null(), weft_null()},
  };
  it ("meets numbers by value, with equal hashes") {
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
      expect(weft_value_equal(pairs[i][0], pairs[i][1]));
      expect(weft_value_equal(pairs[i][1], pairs[i][0]));
      expect(weft_value_hash(1, pairs[i][0]) == weft_value_hash(1, pairs[i][1]));
    }
  }
  it ("tells text from bytes, one from true, null from nothing else") {
    expect(!weft_value_equal(text("a"), typed(WEFT_BYTES, text("a"))));
    expect(!weft_value_equal(weft_int(1), weft_bool(true)));
    expect(!weft_value_equal(weft_null(), text("")));
    expect(!weft_value_equal(text("1"), weft_int(1)));
  }
  weft_arena_release(&a);
}

static void float_texts(void) {
  static const struct {
    double f;
    const char *text;
  } rows[] = {
      {0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-3, "-3.0"},
      {0.1, "0.1"},
      {12.34, "12.34"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1e-5, "0.00001"},
      {1e-6, "1e-06"},
      {0.00012, "0.00012"},
      {123456789.125, "123456789.125"},
      {1e14, "100000000000000.0"},
      {999999999999999, "999999999999999.0"},
      {1e15, "1e+15"},
      {4503599627370497, "4503599627370497.0"},
      {2251799813685249.5, "2251799813685249.5"},
      {1e300, "1e+300"},
      {DBL_MAX, "1.7976931348623157e+308"},
      {DBL_MIN, "2.2250738585072014e-308"},
      {5e-324, "5e-324"},
      {NAN, "nan"},
      {INFINITY, "inf"},
      {-INFINITY, "-inf"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].text) {
      char got[40];
      double back;
      size_t n = weft_float_text(got, rows[i].f);
      expect_mem(got, n, rows[i].text, strlen(rows[i].text));
      expect_int(weft_float_parse(weft_slice(got, n), &back), 0);
      expect(back == rows[i].f || isnan(rows[i].f));
    }
  }
}

static bool round_trips(double f) {
  char got[40];
  double back = 0;
  size_t n = weft_float_text(got, f);
  return weft_float_parse(weft_slice(got, n), &back) == 0 && memcmp(&back, &f, 8) == 0;
}

static void random_floats(void) {
  it ("of any bits come back from their text") {
    for (int i = 0; i < 100000; i++) {
      uint64_t bits = random64();
      double f;
      memcpy(&f, &bits, 8);
      if (!isnan(f) && !expect(round_trips(f))) break;
    }
  }
  it ("of usual size have no shorter text that reads back") {
    for (int i = 0; i < 200000; i++) {
      char got[40], want[40];
      double f = (double)(random64() >> 11) * pow(10, (double)(random64() % 19) - 20);
      size_t n = weft_float_text(got, f);
      int digits = 15;
      do snprintf(want, sizeof want, "%.*g", digits, f);
      while (strtod(want, NULL) != f && ++digits < 18);
      if (!strchr(want, 'e') && strchr(want, '.') && !expect_mem(got, n, want, strlen(want))) break;
      if (!expect(round_trips(f))) break;
    }
  }
  it ("with few digits have the text that they were made of") {
    for (int i = 0; i < 100000; i++) {
      char want[40], got[40];
      int places = 1 + (int)(random64() % 4);
      uint64_t m = random64() % 1000000000 * 10 + 1 + random64() % 9; /* no zero at the end */
      double f = (double)m / pow(10, places);
      int len = snprintf(want, sizeof want, "%.*f", places, f);
      size_t n = weft_float_text(got, f);
      if (!expect_mem(got, n, want, (size_t)len) || !expect(round_trips(f))) break;
    }
  }
  it ("do not depend on the locale") {
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
    for (size_t i = 0; i < 4; i++)
      if (setlocale(LC_ALL, locales[i])) break;
    expect(round_trips(0.1 + 0.2) && round_trips(1e300) && round_trips(1.5e-300));
    setlocale(LC_ALL, "C");
  }
}

static void numbers(void) {
  static const struct {
    const char *in;
    double f;
    bool ok;
  } rows[] = {
      {"1", 1, true},
      {"+1.5", 1.5, true},
      {".5", .5, true},
      {"5.", 5, true},
      {"1e5", 1e5, true},
      {"1E-5", 1e-5, true},
      {"0000000000000000000000000000000000000012", 12, true},
      {"0.000000000000000000000000000000000000000000012", 1.2e-44, true},
      {"9007199254740993", 9007199254740992, true},
      {"9007199254740992999999", 9007199254740992999999.0, true},
      {"1e-400", 0, true},
      {"0e400", 0, true},
      {"-Infinity", -INFINITY, true},
      {"1e400", 0, false},
      {"1e99999999999999", 0, false},
      {"", 0, false},
      {"-", 0, false},
      {".", 0, false},
      {"e5", 0, false},
      {"1e", 0, false},
      {"1 ", 0, false},
      {"0x10", 0, false},
      {"1,5", 0, false},
      {"infinite", 0, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      double f = 0;
      expect_int(weft_float_parse(weft_slice_of(rows[i].in), &f), rows[i].ok ? 0 : -1);
      if (rows[i].ok) expect(f == rows[i].f);
    }
  }
  it ("rounds a middle of 800 digits by what follows it") {
    char digits[1202] = "9007199254740993."; /* between two doubles; the even one is below */
    memset(digits + 17, '0', 1183);
    double f;
    weft_float_parse(weft_slice(digits, 1200), &f);
    expect(f == 9007199254740992.0);
    digits[1199] = '1';
    weft_float_parse(weft_slice(digits, 1200), &f);
    expect(f == 9007199254740994.0);
  }
  it ("reads integers within 64 bits only") {
    int64_t i = 0;
    expect(weft_int_parse(WEFT_LIT("-9223372036854775808"), &i) == 0 && i == INT64_MIN);
    expect(weft_int_parse(WEFT_LIT("9223372036854775807"), &i) == 0 && i == INT64_MAX);
    expect(weft_int_parse(WEFT_LIT("+0012"), &i) == 0 && i == 12);
    static const char *const wrong[] = {"",
                                        "-",
                                        "+",
                                        "1.0",
                                        " 1",
                                        "1 ",
                                        "0x1",
                                        "1e3",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999999"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
      expect_int(weft_int_parse(weft_slice_of(wrong[k]), &i), -1);
  }
}

static void times(void) {
  static const struct {
    enum weft_type type;
    const char *in, *out; /* NULL: refused */
    bool zone;
  } rows[] = {
      {WEFT_DATE, "2024-02-29", "2024-02-29", false},
      {WEFT_DATE, "1970-01-01", "1970-01-01", false},
      {WEFT_DATE, "0001-01-01", "0001-01-01", false},
      {WEFT_DATE, "0000-02-29", "0000-02-29", false},
      {WEFT_DATE, "-0044-03-15", "-0044-03-15", false},
      {WEFT_DATE, "-4712-01-01", "-4712-01-01", false},
      {WEFT_DATE, "+10000-01-01", "+10000-01-01", false},
      {WEFT_DATE, "+5874897-12-31", "+5874897-12-31", false},
      {WEFT_DATE, "infinity", "infinity", false},
      {WEFT_DATE, "-infinity", "-infinity", false},
      {WEFT_DATE, "1900-02-29", NULL, false},
      {WEFT_DATE, "2000-02-29", "2000-02-29", false},
      {WEFT_DATE, "2023-04-31", NULL, false},
      {WEFT_DATE, "2023-13-01", NULL, false},
      {WEFT_DATE, "2023-00-01", NULL, false},
      {WEFT_DATE, "2023-01-00", NULL, false},
      {WEFT_DATE, "10000-01-01", NULL, false},
      {WEFT_DATE, "2023-1-1", NULL, false},
      {WEFT_DATE, "2023-01-01 ", NULL, false},
      {WEFT_DATE, "2023-01-01T00:00:00", NULL, false},
      {WEFT_DATE, "today", NULL, false},
      {WEFT_DATE, "", NULL, false},
      {WEFT_TIME, "00:00:00", "00:00:00", false},
      {WEFT_TIME, "23:59:59.999999", "23:59:59.999999", false},
      {WEFT_TIME, "24:00:00", "24:00:00", false},
      {WEFT_TIME, "12:30", "12:30:00", false},
      {WEFT_TIME, "12:30:15.5", "12:30:15.500000", false},
      {WEFT_TIME, "24:00:01", NULL, false},
      {WEFT_TIME, "12:60:00", NULL, false},
      {WEFT_TIME, "12:00:60", NULL, false},
      {WEFT_TIME, "12", NULL, false},
      {WEFT_TIME, "12:00:00Z", NULL, false},
      {WEFT_TIMESTAMP, "2024-02-29T12:00:00", "2024-02-29T12:00:00", false},
      {WEFT_TIMESTAMP, "2024-02-29 12:00:00.25", "2024-02-29T12:00:00.250000", false},
      {WEFT_TIMESTAMP, "2024-02-29", "2024-02-29T00:00:00", false},
      {WEFT_TIMESTAMP, "1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999", false},
      {WEFT_TIMESTAMP, "-0001-12-31T23:59:59.999999", "-0001-12-31T23:59:59.999999", false},
      {WEFT_TIMESTAMP, "2024-02-29T12:00:00Z", "2024-02-29T12:00:00", true},
      {WEFT_TIMESTAMP, "2024-02-29T24:00:00", NULL, false},
      {WEFT_TIMESTAMP, "infinity", "infinity", false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z", true},
      {WEFT_TIMESTAMPTZ, "2024-02-29t12:00:00z", "2024-02-29T12:00:00Z", true},
      {WEFT_TIMESTAMPTZ, "2024-03-01T01:30:00+02", "2024-02-29T23:30:00Z", true},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00-05:30", "2024-02-29T17:30:00Z", true},
      {WEFT_TIMESTAMPTZ, "2024-02-29 12:00:00.123456+0530", "2024-02-29T06:30:00.123456Z", true},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00", "2024-02-29T12:00:00Z", false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00.123456000Z", "2024-02-29T12:00:00.123456Z", true},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00.1234567Z", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00.1234560000Z", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00.Z", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00+", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00+2", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00+16:00", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00+02:", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29T", NULL, false},
      {WEFT_TIMESTAMPTZ, "2024-02-29Z", NULL, false},
      {WEFT_TIMESTAMPTZ, "+294247-01-01T00:00:00Z", "+294247-01-01T00:00:00Z", true},
      {WEFT_TIMESTAMPTZ, "+294248-01-01T00:00:00Z", NULL, false},
      {WEFT_TIMESTAMPTZ, "+9999999-01-01T00:00:00Z", NULL, false},
      {WEFT_INT, "1", NULL, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      struct weft_value v;
      bool zone = false;
      int rc = weft_time_parse(weft_slice_of(rows[i].in), rows[i].type, &zone, &v);
      expect_int(rc, rows[i].out ? 0 : -1);
      if (rc != 0) continue;
      char got[40];
      size_t n = weft_time_text(got, v);
      expect_mem(got, n, rows[i].out, strlen(rows[i].out));
      expect_int(v.type, rows[i].type);
      expect_int(zone, rows[i].zone);
    }
  }
}

static void random_times(void) {
  it ("come back from their text, days one after another") {
    struct weft_value v = {.type = WEFT_DATE}, back;
    bool zone;
    char got[40];
    for (int64_t day = -1100000; day < 4000000; day += 1 + (int64_t)(random64() % 50)) {
      v.u.i = day;
      size_t n = weft_time_text(got, v);
      if (!expect_int(weft_time_parse(weft_slice(got, n), WEFT_DATE, &zone, &back), 0)) break;
      if (!expect_int(back.u.i, day)) break;
    }
  }
  it ("of all microseconds that there are come back") {
    struct weft_value v = {.type = WEFT_TIMESTAMPTZ}, back;
    bool zone;
    char got[40];
    for (int i = 0; i < 100000; i++) {
      v.u.i = (int64_t)random64() >> random64() % 40;
      if (i < 2) v.u.i = i ? INT64_MAX - 1 : -INT64_MAX + 1;
      size_t n = weft_time_text(got, v);
      if (!expect(n <= 40)) break;
      if (!expect_int(weft_time_parse(weft_slice(got, n), v.type, &zone, &back), 0)) break;
      if (!expect_int(back.u.i, v.u.i)) break;
    }
  }
  it ("agree with the calendar of the C library") {
    struct weft_value v = {.type = WEFT_TIMESTAMP};
    for (int i = 0; i < 2000; i++) {
      time_t t = (time_t)(random64() % 253402300800u); /* to the year 9999 */
      struct tm tm;
      char want[40], got[40];
      gmtime_r(&t, &tm);
      size_t len = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
      v.u.i = t * 1000000;
      size_t n = weft_time_text(got, v);
      if (!expect_mem(got, n, want, len)) break;
    }
  }
}

static void utf8(void) {
  static const struct {
    struct weft_slice s;
    bool ok;
  } rows[] = {
      {{"", 0}, true},
      {{"plain text, longer than a word", 30}, true},
      {{"a\0b", 3}, true},
      {{"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 12345678", 18}, true},
      {{"\xEF\xBF\xBF\xF4\x8F\xBF\xBF", 7}, true},
      {{"\x80", 1}, false},
      {{"12345678\xC3", 9}, false},
      {{"\xC1\x81", 2}, false},
      {{"\xE0\x9F\xBF", 3}, false},
      {{"\xED\xBF\xBF", 3}, false},
      {{"\xF0\x8F\xBF\xBF", 4}, false},
      {{"\xF4\x90\x80\x80", 4}, false},
      {{"\xF8\x88\x80\x80\x80", 5}, false},
      {{"\xE2\x82", 2}, false},
      {{"\xE2\x28\xA1", 3}, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_int(weft_utf8_valid(rows[i].s.p, rows[i].s.n), rows[i].ok);
}

int main(void) {
  describe ("value order") order();
  describe ("value equality") equality();
  describe ("float text") float_texts();
  describe ("random floats") random_floats();
  describe ("number text") numbers();
  describe ("time text") times();
  describe ("random times") random_times();
  describe ("utf-8")
    it ("knows every kind of wrong sequence") utf8();
  it ("names every type") {
    for (int t = 0; t < WEFT_TYPE_COUNT; t++) expect(weft_type_name((enum weft_type)t)[0] != 0);
    expect_str(weft_type_name(WEFT_TIMESTAMPTZ), "timestamptz");
    expect_str(weft_type_name(WEFT_TYPE_COUNT), "unknown");
  }
  return spec_end();
}
