/* SPDX-License-Identifier: MIT */
#include "key.h"

#include "decimal.h"
#include "spec.h"

#define UUID_LOW "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
#define UUID_UP "0A1B2C3D-4E5F-6789-ABCD-EF0123456789"
#define UUID_MIX "0a1B2c3D-4e5f-6789-abcd-ef0123456789"
#define NINES "99999999999999999999999999999999999999" /* 38 digits */

static struct weft_arena arena;

static struct weft_value text(const char *s) {
  return weft_text(s, strlen(s));
}

static struct weft_value typed(enum weft_type type, const char *s) {
  struct weft_value v = text(s);
  v.type = (uint8_t)type;
  return v;
}

static struct weft_value dec(const char *s) {
  struct weft_decimal *d = weft_arena_alloc(&arena, sizeof *d);
  expect_int(weft_decimal_parse(weft_slice_of(s), d), 0);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static struct weft_value when(enum weft_type type, const char *s) {
  struct weft_value v = weft_null();
  bool zone;
  expect_int(weft_time_parse(weft_slice_of(s), type, &zone, &v), 0);
  return v;
}

static struct weft_value list(enum weft_type type, struct weft_value a, struct weft_value b) {
  struct weft_array *v = weft_arena_alloc(&arena, sizeof *v + 2 * sizeof v->v[0]);
  *v = (struct weft_array){2, WEFT_ANY};
  v->v[0] = a;
  v->v[1] = b;
  return (struct weft_value){.type = (uint8_t)type, .u.array = v};
}

/* The sides that the facts speak of. */
static const struct weft_key_side
    ANY = {.type = {.type = WEFT_ANY}},
    OID = {.type = {.type = WEFT_ANY, .oid = 26}}, INT = {.type = {.type = WEFT_INT, .size = 8}},
    INT2 = {.type = {.type = WEFT_INT, .size = 2, .oid = 21}},
    FLOAT = {.type = {.type = WEFT_FLOAT, .size = 8}},
    FLOAT8 = {.type = {.type = WEFT_FLOAT, .size = 8, .oid = 701}},
    DEC = {.type = {.type = WEFT_DECIMAL, .precision = -1, .scale = -1, .oid = 1700}},
    MONEY = {.type = {.type = WEFT_DECIMAL, .precision = 10, .scale = 2, .oid = 1700}},
    BOOL = {.type = {.type = WEFT_BOOL}}, TEXT = {.type = {.type = WEFT_TEXT}},
    PGTEXT = {.type = {.type = WEFT_TEXT, .oid = 25}},
    CHAR = {.type = {.type = WEFT_TEXT, .oid = 1042}},
    NOCASE = {.type = {.type = WEFT_TEXT}, .collation = WEFT_COLLATE_NOCASE},
    RTRIM = {.type = {.type = WEFT_TEXT}, .collation = WEFT_COLLATE_RTRIM},
    BYTES = {.type = {.type = WEFT_BYTES}}, UUID = {.type = {.type = WEFT_UUID, .oid = 2950}},
    JSON = {.type = {.type = WEFT_JSON}}, INTERVAL = {.type = {.type = WEFT_INTERVAL}},
    DATE = {.type = {.type = WEFT_DATE}}, TIME = {.type = {.type = WEFT_TIME}},
    STAMP = {.type = {.type = WEFT_TIMESTAMP}},
    STAMP_UTC = {.type = {.type = WEFT_TIMESTAMP, .zone_utc = true}},
    STAMPTZ = {.type = {.type = WEFT_TIMESTAMPTZ}},
    ARRAY = {.type = {.type = WEFT_ARRAY, .elem = WEFT_INT}};

/* Key equality, checked both ways round; equal keys must hash alike. */
static bool equal(struct weft_key_side a, struct weft_value v, struct weft_key_side b,
                  struct weft_value w) {
  struct weft_key_form f, turned;
  struct weft_value x, y;
  weft_key_form(&a, &b, &f);
  weft_key_form(&b, &a, &turned);
  expect(f.type == turned.type && f.fold == turned.fold && f.trim == turned.trim);
  if (!weft_key_normal(&f, &arena, v, &x) || !weft_key_normal(&f, &arena, w, &y)) return false;
  bool same = weft_value_equal(x, y);
  expect(same == weft_value_equal(y, x));
  if (same) expect(weft_value_hash(7, x) == weft_value_hash(7, y));
  return same;
}

struct pair {
  const char *fact;
  struct weft_key_side a;
  struct weft_value v;
  struct weft_key_side b;
  struct weft_value w;
  bool equal;
};

static void check(const struct pair *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct pair *p = &rows[i];
    it (p->fact) expect_int(equal(p->a, p->v, p->b, p->w), p->equal);
  }
}

#define PAIRS(...)                            \
  do {                                        \
    const struct pair rows[] = {__VA_ARGS__}; \
    check(rows, sizeof rows / sizeof *rows);  \
  } while (0)

static void numbers(void) {
  PAIRS(
      {"1 is 1", INT, weft_int(1), INT, weft_int(1), true},
      {"1 is not 2", INT, weft_int(1), INT, weft_int(2), false},
      {"the integers at both ends differ", INT, weft_int(INT64_MAX), INT, weft_int(INT64_MIN),
       false},
      {"1 is the text 1", INT, weft_int(1), TEXT, text("1"), true},
      {"1 is the text 01", INT, weft_int(1), TEXT, text("01"), true},
      {"1 is the text +1", INT, weft_int(1), TEXT, text("+1"), true},
      {"1 is the text 1.0", INT, weft_int(1), TEXT, text("1.0"), true},
      {"10 is the text 1e1", INT, weft_int(10), TEXT, text("1e1"), true},
      {"1 is not text with a blank before it", INT, weft_int(1), TEXT, text(" 1"), false},
      {"1 is not text with a blank behind it", INT, weft_int(1), TEXT, text("1 "), false},
      {"1 is not the empty text", INT, weft_int(1), TEXT, text(""), false},
      {"1 is not 1 with a zero byte", INT, weft_int(1), TEXT, weft_text("1\0", 2), false},
      {"0 is the text -0", INT, weft_int(0), TEXT, text("-0"), true},
      {"2^63 in text is no integer's neighbour", INT, weft_int(INT64_MAX), TEXT,
       text("9223372036854775808"), false},
      {"the greatest integer is its text", INT, weft_int(INT64_MAX), TEXT,
       text("9223372036854775807"), true},
      {"1 is the decimal 1.00", INT, weft_int(1), DEC, dec("1.00"), true},
      {"1 is the float 1.0", INT, weft_int(1), FLOAT, weft_float(1), true},
      {"0 is the float -0.0", INT, weft_int(0), FLOAT, weft_float(-0.0), true},
      {"2^53+1 is not the float 2^53", INT, weft_int(9007199254740993), FLOAT,
       weft_float(9007199254740992.0), false},
      {"2^60 is the float 2^60", INT, weft_int((int64_t)1 << 60), FLOAT, weft_float(0x1p60), true},
      {"the least integer is its float", INT, weft_int(INT64_MIN), FLOAT, weft_float(-0x1p63),
       true},
      {"the greatest integer is not 2^63", INT, weft_int(INT64_MAX), FLOAT, weft_float(0x1p63),
       false},
      {"1.50 is 1.5", DEC, dec("1.50"), DEC, dec("1.5"), true},
      {"1.5 is the text 1.500", DEC, dec("1.5"), TEXT, text("1.500"), true},
      {"the decimal 0.1 is the float that is written so", DEC, dec("0.1"), FLOAT, weft_float(0.1),
       true},
      {"the text 0.1 is the float that is written so", TEXT, text("0.1"), FLOAT, weft_float(0.1),
       true},
      {"0.1 and its neighbour differ", FLOAT, weft_float(0.1), FLOAT,
       weft_float(0.10000000000000002), false},
      {"infinity is its text", FLOAT, weft_float(INFINITY), TEXT, text("Infinity"), true},
      {"infinities differ", FLOAT, weft_float(INFINITY), FLOAT, weft_float(-INFINITY), false},
      {"1e300 is itself", FLOAT, weft_float(1e300), FLOAT, weft_float(1e300), true},
      {"1e300 and 2e300 differ", FLOAT, weft_float(1e300), FLOAT, weft_float(2e300), false},
      {"38 digits are their text", DEC, dec(NINES), TEXT, text(NINES ".00"), true},
      {"76 digits are themselves", DEC, text(NINES NINES), DEC, text(NINES NINES), true},
      {"76 digits that share a double differ", DEC, text(NINES NINES), DEC,
       text(NINES "99999999999999999999999999999999999998"), false},
      {"76 digits of another scale are equal", DEC, text(NINES NINES ".50"), DEC,
       text(NINES NINES ".500"), true},
      {"a scale beyond 38 does not matter", DEC, dec("1"), DEC,
       text("1.00000000000000000000000000000000000000000000"), true},
      {"what is no number in a column of numbers is itself", INT, text("abc"), INT, text("abc"),
       true},
      {"what is no number is no number", INT, text("abc"), INT, weft_int(0), false},
      {"abc.0 is not abc", DEC, text("abc.0"), TEXT, text("abc"), false},
      {"an integer is no uuid", INT, weft_int(1), UUID, typed(WEFT_UUID, UUID_LOW), false});
  PAIRS({"true is 1", BOOL, weft_bool(true), INT, weft_int(1), true},
        {"false is 0", BOOL, weft_bool(false), INT, weft_int(0), true},
        {"true is not 2", BOOL, weft_bool(true), INT, weft_int(2), false},
        {"true is true", BOOL, weft_bool(true), BOOL, weft_bool(true), true},
        {"true is not false", BOOL, weft_bool(true), BOOL, weft_bool(false), false},
        {"5 in a column of booleans is itself", BOOL, weft_int(5), BOOL, weft_int(5), true},
        {"true is the text true", BOOL, weft_bool(true), TEXT, text("true"), true},
        {"false is the text false", BOOL, weft_bool(false), TEXT, text("false"), true},
        {"true is the text 1", BOOL, weft_bool(true), TEXT, text("1"), true},
        {"true is not the text yes", BOOL, weft_bool(true), TEXT, text("yes"), false});
}

static void nothing(void) {
  PAIRS({"NULL is not NULL", INT, weft_null(), INT, weft_null(), false},
        {"NULL is not NULL where nothing is declared", ANY, weft_null(), ANY, weft_null(), false},
        {"NULL is not the empty text", TEXT, weft_null(), TEXT, text(""), false},
        {"NaN is not NaN", FLOAT, weft_float(NAN), FLOAT, weft_float(NAN), false},
        {"NaN as text is not NaN beside a number", DEC, text("NaN"), DEC, text("NaN"), false},
        {"NaN is not NaN where nothing is declared", ANY, weft_float(NAN), ANY, weft_float(NAN),
         false});
}

static void texts(void) {
  PAIRS({"text is itself", TEXT, text("a"), PGTEXT, text("a"), true},
        {"case counts", TEXT, text("a"), TEXT, text("A"), false},
        {"the empty text is itself", TEXT, text(""), TEXT, text(""), true},
        {"a zero byte counts", TEXT, weft_text("a\0b", 3), TEXT, weft_text("a\0c", 3), false},
        {"text with a zero byte is itself", TEXT, weft_text("a\0b", 3), TEXT, weft_text("a\0b", 3),
         true},
        {"01 is not 1 between texts", TEXT, text("01"), TEXT, text("1"), false},
        {"spaces at the end count", TEXT, text("a"), TEXT, text("a "), false},
        {"case does not count beside NOCASE", NOCASE, text("Ab1"), PGTEXT, text("aB1"), true},
        {"NOCASE folds ASCII alone", NOCASE, text("\xC3\x84"), TEXT, text("\xC3\xA4"), false},
        {"NOCASE is no trim", NOCASE, text("a"), TEXT, text("A "), false},
        {"spaces at the end do not count beside RTRIM", RTRIM, text("a  "), TEXT, text("a"), true},
        {"other white space does", RTRIM, text("a\t"), TEXT, text("a"), false},
        {"spaces before do", RTRIM, text(" a"), TEXT, text("a"), false},
        {"spaces alone are the empty text beside RTRIM", RTRIM, text("   "), TEXT, text(""), true},
        {"the padding of char(n) does not count", CHAR, text("ab      "), PGTEXT, text("ab"), true},
        {"the padding of char(n) does not count in numbers", CHAR, text("12  "), INT, weft_int(12),
         true},
        {"char(n) beside NOCASE", CHAR, text("AB  "), NOCASE, text("ab"), true},
        {"bytes are bytes", BYTES, typed(WEFT_BYTES, "a"), BYTES, typed(WEFT_BYTES, "a"), true},
        {"bytes are no text", BYTES, typed(WEFT_BYTES, "a"), TEXT, text("a"), false},
        {"bytes are no text where nothing is declared", ANY, typed(WEFT_BYTES, "1"), ANY, text("1"),
         false},
        {"bytes are no number", ANY, typed(WEFT_BYTES, "1"), INT, weft_int(1), false},
        {"bytes in a text column are bytes", TEXT, typed(WEFT_BYTES, "a"), TEXT,
         typed(WEFT_BYTES, "a"), true},
        {"json is its text", JSON, typed(WEFT_JSON, "\"a\""), TEXT, text("\"a\""), true},
        {"an interval is its text", INTERVAL, typed(WEFT_INTERVAL, "1 day"), TEXT, text("1 day"),
         true},
        {"arrays are their elements", ARRAY, list(WEFT_ARRAY, weft_int(1), weft_int(2)), ARRAY,
         list(WEFT_ARRAY, weft_int(1), weft_int(2)), true},
        {"arrays that differ differ", ARRAY, list(WEFT_ARRAY, weft_int(1), weft_int(2)), ARRAY,
         list(WEFT_ARRAY, weft_int(1), weft_int(3)), false});
}

static void uuids(void) {
  struct weft_value low = typed(WEFT_UUID, UUID_LOW);
  PAIRS(
      {"a uuid is itself", UUID, low, UUID, low, true},
      {"a uuid is its text", UUID, low, TEXT, text(UUID_LOW), true},
      {"a uuid is its text in capitals", UUID, low, TEXT, text(UUID_UP), true},
      {"a uuid is its text without dashes", UUID, low, TEXT,
       text("0A1B2C3D4E5F6789ABCDEF0123456789"), true},
      {"a uuid is its text in braces", UUID, low, TEXT, text("{" UUID_MIX "}"), true},
      {"a uuid is its padded text", UUID, low, CHAR, text(UUID_UP "    "), true},
      {"a uuid is its text where nothing is declared", ANY, text(UUID_MIX), UUID, low, true},
      {"text in the shape of a uuid has no case", TEXT, text(UUID_UP), TEXT, text(UUID_MIX), true},
      {"nor where nothing is declared", ANY, text(UUID_UP), ANY, text(UUID_LOW), true},
      {"a uuid and text where one side is not declared", ANY, low, TEXT, text(UUID_UP), true},
      {"32 digits without dashes are plain text", TEXT, text("0A1B2C3D4E5F6789ABCDEF0123456789"),
       TEXT, text("0a1b2c3d4e5f6789abcdef0123456789"), false},
      {"a letter beyond f makes it plain text", TEXT, text("0A1B2C3D-4E5F-6789-ABCD-EF012345678G"),
       TEXT, text("0a1b2c3d-4e5f-6789-abcd-ef012345678g"), false},
      {"a dash in another place makes it plain text", TEXT,
       text("0A1B2C3D4-E5F-6789-ABCD-EF0123456789"), TEXT,
       text("0a1b2c3d4-e5f-6789-abcd-ef0123456789"), false},
      {"one digit more does", TEXT, text(UUID_UP "0"), TEXT, text(UUID_LOW "0"), false},
      {"two uuids differ", UUID, low, TEXT, text("0a1b2c3d-4e5f-6789-abcd-ef0123456780"), false},
      {"what is no uuid is itself", ANY, text("abc"), UUID, low, false});
}

static void times(void) {
  struct weft_value day = when(WEFT_DATE, "2024-02-29");
  struct weft_value noon = when(WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00Z");
  struct weft_value naive = when(WEFT_TIMESTAMP, "2024-02-29T12:00:00");
  struct weft_value midnight = when(WEFT_TIMESTAMP, "2024-02-29T00:00:00");
  PAIRS({"a date is itself", DATE, day, DATE, day, true},
        {"a date is its text", DATE, day, TEXT, text("2024-02-29"), true},
        {"a date is its text where nothing is declared", DATE, day, ANY, text("2024-02-29"), true},
        {"a date is no midnight", DATE, day, STAMP, midnight, false},
        {"a date is no midnight with a zone", DATE, day, STAMPTZ,
         when(WEFT_TIMESTAMPTZ, "2024-02-29"), false},
        {"a time without zone is itself", STAMP, naive, STAMP, naive, true},
        {"a time without zone is UTC beside one with a zone", STAMP, naive, STAMPTZ, noon, true},
        {"a time without zone is its text", STAMP, naive, TEXT, text("2024-02-29 12:00"), true},
        {"a time without zone is no text with a zone", STAMP, naive, TEXT,
         text("2024-02-29T12:00:00Z"), false},
        {"unless it is declared to be UTC", STAMP_UTC, naive, TEXT,
         text("2024-02-29T13:00:00+01:00"), true},
        {"a time is its text in any zone", STAMPTZ, noon, TEXT, text("2024-02-29T13:00:00+01:00"),
         true},
        {"a time is SQLite's text", STAMPTZ, noon, ANY, text("2024-02-29 12:00:00"), true},
        {"a microsecond counts", STAMPTZ, noon, TEXT, text("2024-02-29T12:00:00.000001Z"), false},
        {"infinity is itself", STAMPTZ, when(WEFT_TIMESTAMPTZ, "infinity"), TEXT, text("infinity"),
         true},
        {"a time of day is its text", TIME, when(WEFT_TIME, "12:00:00"), TEXT, text("12:00"), true},
        {"no time is its count", DATE, day, INT, weft_int(day.u.i), false},
        {"what is no time is itself", STAMPTZ, text("soon"), TEXT, text("soon"), true});
}

static void undeclared(void) {
  PAIRS({"1 is the text 1", ANY, weft_int(1), ANY, text("1"), true},
        {"-20 is its text", ANY, weft_int(-20), ANY, text("-20"), true},
        {"1 is the text 1 beside declared text", ANY, weft_int(1), TEXT, text("1"), true},
        {"1.0 is the text 1", ANY, weft_float(1), PGTEXT, text("1"), true},
        {"1 is not the text 01", ANY, weft_int(1), ANY, text("01"), false},
        {"0 is not the text -0", ANY, weft_int(0), ANY, text("-0"), false},
        {"1 is not the text +1", ANY, weft_int(1), ANY, text("+1"), false},
        {"the text 01 is not the text 1", ANY, text("01"), ANY, text("1"), false},
        {"1.5 is no text", ANY, weft_float(1.5), ANY, text("1.5"), false},
        {"true is 1", ANY, weft_bool(true), ANY, weft_int(1), true},
        {"1 is 1.0 and 1.00", ANY, weft_float(1), ANY, dec("1.00"), true},
        {"0.5 is 0.50", ANY, weft_float(0.5), ANY, dec("0.50"), true},
        {"text is itself", ANY, text("a"), ANY, text("a"), true},
        {"a number beside a column of numbers reads all text", ANY, text("01"), INT, weft_int(1),
         true},
        {"19 digits are read", ANY, weft_int(INT64_MIN), ANY, text("-9223372036854775808"), true},
        {"20 digits are text", ANY, text("9223372036854775808"), ANY, text("9223372036854775808"),
         true});
}

static void integers(void) {
  it ("leaves an integer alone under every form") {
    for (int t = 0; t < WEFT_TYPE_COUNT; t++) {
      struct weft_key_form f = {(uint8_t)t, true, true};
      struct weft_value out;
      expect(weft_key_normal(&f, NULL, weft_int(-7), &out));
      expect(out.type == WEFT_INT && out.u.i == -7);
    }
  }
  it ("borrows text that is as it should be") {
    struct weft_key_form f = {WEFT_TEXT, true, true};
    struct weft_value in = text("plain"), out;
    expect(weft_key_normal(&f, NULL, in, &out) && out.u.s == in.u.s);
    f = (struct weft_key_form){WEFT_UUID, false, false};
    in = typed(WEFT_UUID, UUID_LOW);
    expect(weft_key_normal(&f, NULL, in, &out) && out.u.s == in.u.s);
  }
  it ("knows a column, and nothing") {
    struct weft_table_column c = {.type = {.type = WEFT_TEXT, .oid = 25},
                                  .collation = WEFT_COLLATE_NOCASE};
    struct weft_key_side s = weft_key_side(&c);
    expect(s.type.type == WEFT_TEXT && s.type.oid == 25 && s.collation == WEFT_COLLATE_NOCASE);
    s = weft_key_side(NULL);
    expect(s.type.type == WEFT_ANY && s.type.oid == 0 && s.collation == WEFT_COLLATE_BINARY);
  }
}

/* "type:text type:text" of all spellings. */
static const char *spell(struct weft_key_side column, struct weft_value v) {
  static char out[600];
  struct weft_value found[WEFT_KEY_SPELLINGS];
  struct weft_buf b;
  weft_buf_init(&b);
  uint32_t n = weft_key_spellings(&column, &arena, v, found);
  for (uint32_t i = 0; i < n; i++) {
    weft_buf_fmt(&b, "%s%s:", i ? " " : "", weft_type_name((enum weft_type)found[i].type));
    weft_value_text(&b, found[i]);
  }
  snprintf(out, sizeof out, "%s", weft_buf_cstr(&b));
  weft_buf_release(&b);
  return out;
}

static void spellings(void) {
  const struct {
    const char *fact;
    struct weft_key_side column;
    struct weft_value v;
    const char *out;
  } rows[] = {
      {"an integer", INT, weft_int(1), "integer:1"},
      {"text that is an integer", INT, text("01"), "integer:1"},
      {"a decimal that is an integer", INT, dec("1.00"), "integer:1"},
      {"a boolean in an integer column", INT, weft_bool(true), "integer:1"},
      {"nothing for a fraction in an integer column", INT, dec("1.5"), ""},
      {"nothing for text in an integer column", INT, text("abc"), ""},
      {"nothing for what the column is too small for", INT2, weft_int(40000), ""},
      {"nothing for NULL", TEXT, weft_null(), ""},
      {"nothing for NaN", FLOAT8, weft_float(NAN), ""},
      {"nothing for NaN in text", FLOAT8, text("NaN"), ""},
      {"an integer that a float cannot hold", FLOAT, weft_int(9007199254740993), ""},
      {"a decimal in a float column", FLOAT, dec("0.10"), "float:0.1"},
      {"more digits than the column has", MONEY, dec("1.005"), ""},
      {"an integer in a decimal column", MONEY, weft_int(3), "decimal:3"},
      {"76 digits", DEC, text(NINES NINES), "text:" NINES NINES},
      {"an integer in a text column", TEXT, weft_int(1), "text:1"},
      {"a whole float in a text column", TEXT, weft_float(1), "text:1.0 text:1"},
      {"a whole decimal in a text column", TEXT, dec("1.00"), "text:1.00 text:1"},
      {"a boolean in a text column", TEXT, weft_bool(false), "text:0 text:false"},
      {"text", PGTEXT, text("Abc"), "text:Abc"},
      {"text of digits in a text column", TEXT, text("01"), "text:01"},
      {"a uuid in a text column", TEXT, typed(WEFT_UUID, UUID_LOW),
       "text:" UUID_LOW " text:" UUID_UP},
      {"a uuid in mixed case in a text column", TEXT, text(UUID_MIX),
       "text:" UUID_MIX " text:" UUID_LOW " text:" UUID_UP},
      {"a uuid in capitals in a text column", TEXT, text(UUID_UP),
       "text:" UUID_UP " text:" UUID_LOW},
      {"a uuid's text in a uuid column", UUID, text(UUID_MIX), "uuid:" UUID_LOW},
      {"nothing for other text in a uuid column", UUID, text("abc"), ""},
      {"nothing for an integer in a uuid column", UUID, weft_int(1), ""},
      {"text with a zero byte that the database cannot hold", PGTEXT, weft_text("a\0b", 3), ""},
      {"nothing for bytes in a text column", TEXT, typed(WEFT_BYTES, "a"), ""},
      {"nothing for text in a column of bytes", BYTES, text("a"), ""},
      {"bytes in a column of bytes", BYTES, typed(WEFT_BYTES, "a"), "bytes:a"},
      {"nothing for a date where times are", STAMP, when(WEFT_DATE, "2024-02-29"), ""},
      {"nothing for midnight where dates are", DATE, when(WEFT_TIMESTAMP, "2024-02-29"), ""},
      {"a time with a zone where there is none", STAMP,
       when(WEFT_TIMESTAMPTZ, "2024-02-29T12:00:00Z"), "timestamp:2024-02-29T12:00:00"},
      {"a time in a text column", TEXT, when(WEFT_DATE, "2024-02-29"), "text:2024-02-29"},
      {"an integer in a boolean column", BOOL, weft_int(1), "boolean:true"},
      {"text of an integer in a boolean column", BOOL, text("0"), "boolean:false"},
      {"nothing for 2 in a boolean column", BOOL, weft_int(2), ""},
      {"an integer where nothing is declared", ANY, weft_int(1), "integer:1 text:1"},
      {"text of an integer where nothing is declared", ANY, text("1"), "text:1 integer:1"},
      {"other text where nothing is declared", ANY, text("01"), "text:01"},
      {"true where nothing is declared", ANY, weft_bool(true), "integer:1 text:1"},
      {"a whole float where nothing is declared", ANY, weft_float(1), "float:1.0 integer:1 text:1"},
      {"a uuid where nothing is declared", ANY, typed(WEFT_UUID, UUID_LOW),
       "text:" UUID_LOW " text:" UUID_UP},
      {"bytes where nothing is declared", ANY, typed(WEFT_BYTES, "1"), "bytes:1"},
      {"a value as it is where only the database knows the type", OID, weft_int(1), "integer:1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    it (rows[i].fact) expect_str(spell(rows[i].column, rows[i].v), rows[i].out);
}

int main(void) {
  describe ("keys that are numbers") numbers();
  describe ("keys that are nothing") nothing();
  describe ("keys that are text") texts();
  describe ("keys that are uuids") uuids();
  describe ("keys that are times") times();
  describe ("keys of columns without type") undeclared();
  describe ("a normal form") integers();
  describe ("what is looked for") spellings();
  weft_arena_release(&arena);
  return spec_end();
}
