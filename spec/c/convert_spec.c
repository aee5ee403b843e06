/* SPDX-License-Identifier: MIT */
#include "decimal.h"
#include "json.h"
#include "spec.h"

enum { PG = 1 }; /* any oid will do */

static struct weft_arena arena;

static struct weft_value text(const char *s) {
  return weft_text(s, strlen(s));
}

static struct weft_value typed(enum weft_type type, const char *s) {
  struct weft_value v = text(s);
  v.type = (uint8_t)type;
  return v;
}

static struct weft_value decimal(const char *s) {
  struct weft_decimal *d = weft_arena_alloc(&arena, sizeof *d);
  expect_int(weft_decimal_parse(weft_slice_of(s), d), 0);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static struct weft_value time_of(enum weft_type type, const char *s) {
  struct weft_value v = weft_null();
  bool zone;
  expect_int(weft_time_parse(weft_slice_of(s), type, &zone, &v), 0);
  return v;
}

static struct weft_value array(enum weft_type type, uint32_t n, const struct weft_value *v) {
  struct weft_array *list = weft_arena_alloc(&arena, sizeof *list + n * sizeof *v);
  list->n = n;
  list->elem = WEFT_ANY;
  memcpy(list->v, v, n * sizeof *v);
  return (struct weft_value){.type = (uint8_t)type, .u.array = list};
}

/* "type:text" of the converted value, or "! message". */
static const char *convert(struct weft_value v, const struct weft_column_type *to) {
  static char out[2000];
  struct weft_value got;
  struct weft_error err = {0};
  struct weft_buf b;
  weft_buf_init(&b);
  if (weft_value_convert(&arena, v, to, &got, &err) == 0) {
    weft_buf_fmt(&b, "%s:", weft_type_name((enum weft_type)got.type));
    weft_value_text(&b, got);
  } else {
    expect_int(err.kind, WEFT_TYPE);
    weft_buf_fmt(&b, "! %s", err.message);
  }
  snprintf(out, sizeof out, "%s", weft_buf_cstr(&b));
  weft_buf_release(&b);
  return out;
}

struct row {
  struct weft_value in;
  const char *out;
};

static void rows_to(const struct weft_column_type *to, const struct row *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    it (rows[i].out) {
      expect_str(convert(rows[i].in, to), rows[i].out);
    }
  }
}

#define ROWS(to, ...)                                \
  do {                                               \
    const struct row rows[] = {__VA_ARGS__};         \
    rows_to((to), rows, sizeof rows / sizeof *rows); \
  } while (0)

static void numbers(void) {
  struct weft_column_type int4 = {.type = WEFT_INT, .size = 4}, int8 = {.type = WEFT_INT};
  struct weft_column_type f8 = {.type = WEFT_FLOAT, .size = 8},
                          f4 = {.type = WEFT_FLOAT, .size = 4};
  ROWS(&int4, {weft_null(), "null:"}, {weft_int(7), "integer:7"}, {text("12"), "integer:12"},
       {text("12.0"), "integer:12"}, {weft_float(12), "integer:12"},
       {decimal("12.00"), "integer:12"}, {weft_int(2147483647), "integer:2147483647"},
       {weft_int(-2147483648), "integer:-2147483648"},
       {weft_int(2147483648), "! out of range for integer (4 bytes)"},
       {text("-2147483649"), "! out of range for integer (4 bytes)"},
       {weft_float(12.5), "! integer expected, got a float with a fraction"},
       {weft_float(NAN), "! integer expected, got a float that is not finite"},
       {decimal("1.5"), "! integer expected, got a decimal that is no integer of 8 bytes"},
       {text("twelve"), "! integer expected, got text that is no number"},
       {text(""), "! integer expected, got text that is no number"},
       {text("1.5"), "! integer expected, got text that is no integer of 8 bytes"},
       {weft_bool(true), "! integer expected, got boolean"},
       {typed(WEFT_JSON, "12"), "! integer expected, got json"});
  ROWS(&int8, {weft_int(INT64_MIN), "integer:-9223372036854775808"},
       {weft_float(0x1p62), "integer:4611686018427387904"},
       {weft_float(0x1p63), "! out of range for integer (8 bytes)"},
       {text("9223372036854775808"), "! integer expected, got text that is no integer of 8 bytes"});
  ROWS(&f8, {weft_int(9007199254740992), "float:9007199254740992.0"},
       {weft_int(9007199254740993),
        "! float expected, got an integer with more digits than it keeps"},
       {weft_int(INT64_MAX), "! float expected, got an integer with more digits than it keeps"},
       {weft_int(INT64_MIN), "float:-9.223372036854776e+18"}, {text("0.1"), "float:0.1"},
       {decimal("0.10"), "float:0.1"},
       {decimal("0.12345678901234567890"),
        "! float expected, got a decimal with more digits than it keeps"},
       {weft_float(INFINITY), "float:inf"},
       {weft_float(NAN), "! float expected, got NaN, which cannot be stored"},
       {text("1e999"), "! float expected, got text that is no number"},
       {weft_bool(true), "! float expected, got boolean"});
  f8.oid = PG;
  ROWS(&f8, {weft_float(NAN), "float:nan"}, {text("NaN"), "float:nan"});
  ROWS(&f4, {weft_float(1.5), "float:1.5"}, {weft_int(16777216), "float:16777216.0"},
       {weft_int(16777217), "! float expected, got an integer with more digits than it keeps"},
       {weft_float(1e39), "! out of range for float (4 bytes)"});
}

static void decimals(void) {
  static const char digits40[] = "1234567890123456789012345678901234567890";
  struct weft_column_type any = {.type = WEFT_DECIMAL, .precision = -1, .scale = -1};
  struct weft_column_type money = {.type = WEFT_DECIMAL, .precision = 6, .scale = 2};
  ROWS(&any, {decimal("1.10"), "decimal:1.10"}, {weft_int(-5), "decimal:-5"},
       {weft_float(0.1), "decimal:0.1"}, {weft_float(3), "decimal:3"},
       {text("1e3"), "decimal:1000"},
       {weft_float(1e300), "! decimal expected, got a float beyond 38 digits"},
       {weft_float(NAN), "! decimal expected, got a float that is not finite"},
       {text(digits40), "! decimal expected, got text with more than 38 digits"},
       {text("NaN"), "! decimal expected, got text that is no number"},
       {text("1,5"), "! decimal expected, got text that is no number"},
       {weft_bool(true), "! decimal expected, got boolean"});
  ROWS(&money, {decimal("1234.56"), "decimal:1234.56"}, {decimal("1.100"), "decimal:1.100"},
       {decimal("1.105"), "! more digits than decimal(6, 2) keeps"},
       {weft_float(0.005), "! more digits than decimal(6, 2) keeps"},
       {weft_int(9999), "decimal:9999"}, {weft_int(-10000), "! out of range for decimal(6, 2)"},
       {text("10000.00"), "! out of range for decimal(6, 2)"});
  any.oid = PG;
  ROWS(&any, {text(digits40), "text:1234567890123456789012345678901234567890"},
       {text("NaN"), "text:NaN"}, {text("-Infinity"), "text:-Infinity"},
       {text("1e5000"), "text:1e5000"},
       {text("1e"), "! decimal expected, got text that is no number"},
       {text(""), "! decimal expected, got text that is no number"});
}

static void texts(void) {
  struct weft_column_type pg = {.type = WEFT_TEXT, .oid = PG}, lite = {.type = WEFT_TEXT};
  struct weft_column_type any = {.type = WEFT_ANY}, unknown = {.type = WEFT_ANY, .oid = PG};
  struct weft_value zero = weft_text("a\0b", 3), wrong = text("\xff");
  ROWS(&pg, {text("\xC3\xA4"), "text:\xC3\xA4"}, {weft_int(12), "text:12"},
       {decimal("1.10"), "text:1.10"}, {weft_float(1.5), "text:1.5"},
       {time_of(WEFT_DATE, "2024-02-29"), "text:2024-02-29"}, {typed(WEFT_JSON, "[]"), "text:[]"},
       {zero, "! text expected, got text with a zero byte"},
       {wrong, "! text expected, got text that is not UTF-8"},
       {weft_bool(true), "! text expected, got boolean"});
  ROWS(&unknown, {zero, "! any expected, got text with a zero byte"}, {weft_int(1), "integer:1"});
  it ("lets SQLite keep any bytes") {
    struct weft_value out;
    expect_int(weft_value_convert(&arena, zero, &lite, &out, NULL), 0);
    expect_mem(out.u.s, out.n, "a\0b", 3);
    expect_int(weft_value_convert(&arena, wrong, &any, &out, NULL), 0);
    expect_mem(out.u.s, out.n, "\xff", 1);
  }
  struct weft_column_type bytes = {.type = WEFT_BYTES, .oid = PG},
                          interval = {.type = WEFT_INTERVAL};
  ROWS(&bytes, {text("ab"), "bytes:ab"}, {weft_int(1), "! bytes expected, got integer"});
  ROWS(&interval, {text("1 day"), "interval:1 day"},
       {weft_int(1), "! interval expected, got integer"});
  struct weft_column_type boolean = {.type = WEFT_BOOL};
  ROWS(&boolean, {weft_bool(true), "boolean:true"}, {weft_int(0), "boolean:false"},
       {text("true"), "boolean:true"}, {text("false"), "boolean:false"},
       {weft_int(2), "! boolean expected, got an integer other than 0 and 1"},
       {text("yes"), "! boolean expected, got text other than true and false"},
       {weft_float(1), "! boolean expected, got float"});
  struct weft_column_type uuid = {.type = WEFT_UUID};
  const char *good = "uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  ROWS(&uuid, {text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), good},
       {text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), good},
       {text("{a0eebc999c0b4ef8bb6d6bb9bd380a11}"), good},
       {text("a0eebc999c0b4ef8bb6d6bb9bd380a11"), good},
       {text("a0eebc99-9c0b-4ef8-bb6d6bb9bd380a11-"), "! uuid expected, got text that is no uuid"},
       {text("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "! uuid expected, got text that is no uuid"},
       {text("g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "! uuid expected, got text that is no uuid"},
       {text("{}"), "! uuid expected, got text that is no uuid"},
       {weft_int(1), "! uuid expected, got integer"});
}

static void times(void) {
  struct weft_column_type date = {.type = WEFT_DATE}, stamp = {.type = WEFT_TIMESTAMP};
  struct weft_column_type utc = {.type = WEFT_TIMESTAMP, .zone_utc = true};
  struct weft_column_type tz = {.type = WEFT_TIMESTAMPTZ}, clock = {.type = WEFT_TIME};
  ROWS(&date, {text("2024-02-29"), "date:2024-02-29"}, {text("infinity"), "date:infinity"},
       {time_of(WEFT_TIMESTAMP, "2024-02-29T00:00:00"), "date:2024-02-29"},
       {time_of(WEFT_TIMESTAMP, "-infinity"), "date:-infinity"},
       {time_of(WEFT_TIMESTAMP, "2024-02-29T00:00:01"), "! date expected, got timestamp"},
       {text("2024-02-30"), "! date expected, got text that is no date"},
       {weft_int(5), "! date expected, got integer"});
  ROWS(&stamp, {text("2024-02-29 12:00:00"), "timestamp:2024-02-29T12:00:00"},
       {time_of(WEFT_DATE, "1900-01-01"), "timestamp:1900-01-01T00:00:00"},
       {time_of(WEFT_DATE, "infinity"), "timestamp:infinity"},
       {time_of(WEFT_DATE, "+5000000-01-01"), "! out of range for timestamp"},
       {text("2024-02-29T12:00:00Z"), "! timestamp expected, got text with a time zone"},
       {time_of(WEFT_TIMESTAMPTZ, "2024-02-29"), "! timestamp expected, got timestamptz"});
  ROWS(&utc, {text("2024-02-29T12:00:00+02"), "timestamp:2024-02-29T10:00:00"},
       {time_of(WEFT_TIMESTAMPTZ, "2024-02-29"), "timestamp:2024-02-29T00:00:00"});
  ROWS(&tz, {text("2024-02-29T12:00:00+02"), "timestamptz:2024-02-29T10:00:00Z"},
       {text("2024-02-29"), "timestamptz:2024-02-29T00:00:00Z"},
       {time_of(WEFT_TIMESTAMP, "2024-02-29"), "timestamptz:2024-02-29T00:00:00Z"},
       {text("12:00:00"), "! timestamptz expected, got text that is no timestamptz"});
  ROWS(&clock, {text("12:00"), "time:12:00:00"},
       {text("noon"), "! time expected, got text that is no time"},
       {time_of(WEFT_DATE, "2024-02-29"), "! time expected, got date"});
}

static void containers(void) {
  struct weft_column_type json = {.type = WEFT_JSON, .oid = PG};
  struct weft_value mixed[] = {weft_int(1), text("2"), weft_null()},
                    bad[] = {weft_int(1), text("x")};
  struct weft_value one = array(WEFT_ARRAY, 3, mixed), nested[] = {one, weft_null(), one};
  ROWS(&json, {typed(WEFT_JSON, "{}"), "json:{}"}, {text("{\"a\": 1.10}"), "json:{\"a\": 1.10}"},
       {weft_int(5), "json:5"}, {weft_bool(true), "json:true"}, {decimal("1.10"), "json:1.10"},
       {one, "json:[1,\"2\",null]"}, {text("{"), "! json expected, got text that is no JSON"},
       {text("hello"), "! json expected, got text that is no JSON"},
       {weft_float(NAN), "! json expected, got a float that is not finite"});
  struct weft_column_type ints = {.type = WEFT_ARRAY, .elem = WEFT_INT, .size = 4, .oid = PG};
  ROWS(&ints, {one, "array:[1,2,null]"},
       {array(WEFT_ARRAY, 3, nested), "array:[[1,2,null],null,[1,2,null]]"},
       {array(WEFT_LIST, 3, mixed), "array:[1,2,null]"}, {array(WEFT_ARRAY, 0, mixed), "array:[]"},
       {array(WEFT_LIST, 3, nested), "list:[[1,2,null],null,[1,2,null]]"},
       {array(WEFT_ARRAY, 2, bad), "! integer expected, got text that is no number"},
       {typed(WEFT_JSON, "[1, [2, null], 3.0]"), "array:[1,[2,null],3]"},
       {typed(WEFT_JSON, "[2147483648]"), "! out of range for integer (4 bytes)"},
       {typed(WEFT_JSON, "[{}]"), "! array expected, got json with an object"},
       {typed(WEFT_JSON, "{}"), "! array expected, got json that is no array"},
       {weft_int(1), "! array expected, got integer"});
  struct weft_column_type floats = {.type = WEFT_ARRAY, .elem = WEFT_FLOAT, .size = 8, .oid = PG};
  ROWS(&floats, {typed(WEFT_JSON, "[1.5, 1e300, \"2\"]"), "array:[1.5,1e+300,2.0]"});
  struct weft_column_type texts_ = {.type = WEFT_ARRAY, .elem = WEFT_TEXT, .oid = PG};
  ROWS(&texts_, {typed(WEFT_JSON, "[\"a\\n\"]"), "array:[\"a\\n\"]"},
       {typed(WEFT_JSON, "[\"\\u0000\"]"), "! text expected, got text with a zero byte"});
  struct weft_column_type int8 = {.type = WEFT_INT}, any = {.type = WEFT_ANY};
  ROWS(&int8, {array(WEFT_LIST, 3, mixed), "list:[1,2,null]"},
       {array(WEFT_LIST, 2, bad), "! integer expected, got text that is no number"});
  ROWS(&any, {array(WEFT_LIST, 3, mixed), "list:[1,\"2\",null]"},
       {weft_bool(false), "boolean:false"});
}

int main(void) {
  weft_arena_init(&arena, NULL, 0);
  describe ("to numbers") numbers();
  describe ("to decimals") decimals();
  describe ("to text and the like") texts();
  describe ("to times") times();
  describe ("to json and arrays") containers();
  weft_arena_release(&arena);
  return spec_end();
}
