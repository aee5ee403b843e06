/* SPDX-License-Identifier: MIT */
/* What eval answers, as a table: one column, its cell, an operator, a value. That the databases
   answer alike is proven elsewhere, against the databases. */
#include "eval.h"

#include "decimal.h"
#include "spec.h"

#define I(x) \
  { .type = WEFT_INT, .u.i = (x) }
#define B(x) \
  { .type = WEFT_BOOL, .u.i = (x) }
#define F(x) \
  { .type = WEFT_FLOAT, .u.f = (x) }
#define S(x) \
  { .type = WEFT_TEXT, .n = sizeof(x) - 1, .u.s = "" x }
#define X(x) \
  { .type = WEFT_BYTES, .n = sizeof(x) - 1, .u.s = "" x }
#define J(x) \
  { .type = WEFT_JSON, .n = sizeof(x) - 1, .u.s = "" x }
#define D(lo, scale)                                              \
  {                                                               \
    .type = WEFT_DECIMAL, .u.dec = &(const struct weft_decimal) { \
      lo, 0, scale, 0                                             \
    }                                                             \
  }
#define V(how, x) ((struct weft_value)how(x))
#define NUL \
  { .type = WEFT_NULL }

enum { NO = WEFT_FALSE, YES = WEFT_TRUE, NULLISH = WEFT_NULLISH, DARK = WEFT_UNKNOWABLE };
#define EQ WEFT_E_EQ
#define NE WEFT_E_NE
#define LT WEFT_E_LT
#define LE WEFT_E_LE
#define GT WEFT_E_GT
#define GE WEFT_E_GE
#define LIKE WEFT_E_LIKE
#define ILIKE WEFT_E_ILIKE
#define BEGINS WEFT_E_BEGINS
#define ENDS WEFT_E_ENDS
#define CONTAINS WEFT_E_CONTAINS

/* PostgreSQL's columns, then SQLite's. */
enum column {
  P_INT,
  P_FLOAT4,
  P_FLOAT8,
  P_NUMERIC,
  P_C,
  P_TEXT,
  P_ICU,
  P_CHAR,
  P_BOOL,
  P_UUID,
  P_DATE,
  P_STAMP,
  P_BYTEA,
  P_INTS,
  P_JSON,
  P_OTHER,
  L_INT,
  L_REAL,
  L_NUMERIC,
  L_MONEY,
  L_TEXT,
  L_NOCASE,
  L_RTRIM,
  L_CUSTOM,
  L_BLOB,
  L_NONE,
  L_STRING,
  L_ANY,
  L_BOOL,
  L_JSON,
  COLUMNS
};

#define COLUMN(t, decl, how, ...)                                                       \
  {                                                                                     \
    .name = WEFT_LIT("c"), .declared = WEFT_LIT(decl), .collation = WEFT_COLLATE_##how, \
    .nullable = true, .type = {                                                         \
      .type = WEFT_##t,                                                                 \
      .precision = -1,                                                                  \
      __VA_ARGS__                                                                       \
    }                                                                                   \
  }

/* clang-format off */
static const struct weft_table_column columns[COLUMNS] = {
    [P_INT] = COLUMN(INT, "integer", BINARY, .size = 4, .oid = 23, .scale = -1),
    [P_FLOAT4] = COLUMN(FLOAT, "real", BINARY, .size = 4, .oid = 700, .scale = -1),
    [P_FLOAT8] = COLUMN(FLOAT, "double precision", BINARY, .size = 8, .oid = 701, .scale = -1),
    [P_NUMERIC] = COLUMN(DECIMAL, "numeric", BINARY, .oid = 1700, .scale = -1),
    [P_C] = COLUMN(TEXT, "text", BINARY, .oid = 25, .scale = -1),
    [P_TEXT] = COLUMN(TEXT, "text", EQUAL, .oid = 25, .scale = -1),
    [P_ICU] = COLUMN(TEXT, "text", UNKNOWN, .oid = 25, .scale = -1),
    [P_CHAR] = COLUMN(TEXT, "character(6)", BINARY, .oid = 1042, .scale = -1),
    [P_BOOL] = COLUMN(BOOL, "boolean", BINARY, .oid = 16, .scale = -1),
    [P_UUID] = COLUMN(UUID, "uuid", BINARY, .oid = 2950, .scale = -1),
    [P_DATE] = COLUMN(DATE, "date", BINARY, .oid = 1082, .scale = -1),
    [P_STAMP] = COLUMN(TIMESTAMPTZ, "timestamptz", BINARY, .oid = 1184, .scale = -1),
    [P_BYTEA] = COLUMN(BYTES, "bytea", BINARY, .oid = 17, .scale = -1),
    [P_INTS] = COLUMN(ARRAY, "integer[]", BINARY, .elem = WEFT_INT, .size = 4, .oid = 1007,
                      .elem_oid = 23, .scale = -1),
    [P_JSON] = COLUMN(JSON, "jsonb", BINARY, .oid = 3802, .scale = -1),
    [P_OTHER] = COLUMN(ANY, "inet", BINARY, .oid = 869, .scale = -1),
    [L_INT] = COLUMN(INT, "INTEGER", BINARY, .size = 8, .scale = -1),
    [L_REAL] = COLUMN(FLOAT, "REAL", BINARY, .size = 8, .scale = -1),
    [L_NUMERIC] = COLUMN(DECIMAL, "NUMERIC", BINARY, .scale = -1),
    [L_MONEY] = COLUMN(DECIMAL, "DECIMAL(10,2)", BINARY, .scale = 2),
    [L_TEXT] = COLUMN(TEXT, "TEXT", BINARY, .scale = -1),
    [L_NOCASE] = COLUMN(TEXT, "varchar(20)", NOCASE, .scale = -1),
    [L_RTRIM] = COLUMN(TEXT, "CLOB", RTRIM, .scale = -1),
    [L_CUSTOM] = COLUMN(TEXT, "TEXT", UNKNOWN, .scale = -1),
    [L_BLOB] = COLUMN(BYTES, "BLOB", BINARY, .scale = -1),
    [L_NONE] = COLUMN(ANY, "", BINARY, .scale = -1),
    [L_STRING] = COLUMN(ANY, "STRING", BINARY, .scale = -1),
    [L_ANY] = COLUMN(ANY, "ANY", BINARY, .scale = -1),
    [L_BOOL] = COLUMN(BOOL, "BOOLEAN", BINARY, .scale = -1),
    [L_JSON] = COLUMN(JSON, "JSON", BINARY, .scale = -1),
};
/* clang-format on */

static const struct weft_dialect *dialect_of(enum column c) {
  return c < L_INT ? &weft_dialect_postgres : &weft_dialect_sqlite;
}

static struct weft_table *table_of(enum column c) {
  return weft_table_new(WEFT_LIT(""), WEFT_LIT("t"), &columns[c], 1);
}

static struct weft_arena arena; /* of the trees */

static const struct weft_expr *cell_expr(void) {
  return weft_expr_column(&arena, WEFT_LIT("c"));
}

static enum weft_truth ask(enum column c, struct weft_value cell, const struct weft_expr *e) {
  struct weft_table *t = table_of(c);
  enum weft_truth got = weft_eval(dialect_of(c), t, e, &cell);
  weft_table_unref(t);
  return got;
}

static const struct weft_expr *binary(enum weft_expr_kind kind, struct weft_value v) {
  const struct weft_expr *e = NULL;
  struct weft_error err;
  if (weft_expr_binary(&arena, kind, cell_expr(), weft_expr_value(&arena, v), &e, &err))
    printf("%s\n", err.message);
  return e;
}

struct row {
  const char *fact;
  enum column column;
  struct weft_value cell;
  enum weft_expr_kind kind;
  struct weft_value value;
  int want;
};

/* clang-format off */
static const struct row rows[] = {
    /* PostgreSQL: numbers */
    {"compares integers", P_INT, I(12), EQ, I(12), YES},
    {"answers null for a null cell", P_INT, NUL, EQ, I(12), NULLISH},
    {"takes the text of an integer for one", P_INT, I(12), EQ, S("12"), YES},
    {"takes a whole float for an integer", P_INT, I(12), GE, F(12.0), YES},
    {"knows nothing about a value that its column refuses", P_INT, I(12), LT, F(12.5), DARK},
    {"knows nothing about a value out of range", P_INT, I(12), LT, I(INT64_MAX), DARK},
    {"takes -0.0 for 0", P_FLOAT8, F(-0.0), EQ, F(0.0), YES},
    {"takes NaN for itself", P_FLOAT8, F(NAN), EQ, F(NAN), YES},
    {"sorts NaN above infinity", P_FLOAT8, F(NAN), GT, F(INFINITY), YES},
    {"rounds what a float4 column takes", P_FLOAT4, F((double)0.1f), EQ, F(0.1), YES},
    {"does not round what a float8 column takes", P_FLOAT8, F((double)0.1f), EQ, F(0.1), NO},
    {"ignores trailing zeros of a numeric", P_NUMERIC, D(110, 2), EQ, S("1.1"), YES},
    {"compares a numeric with an integer exactly", P_NUMERIC, D(9007199254740993, 0), GT,
     I(9007199254740992), YES},
    {"sorts a numeric NaN above all", P_NUMERIC, S("NaN"), GT, I(INT64_MAX), YES},
    {"takes a numeric NaN for itself", P_NUMERIC, S("NaN"), LE, S("NaN"), YES},
    {"sorts a numeric -Infinity below all", P_NUMERIC, S("-Infinity"), LT, I(INT64_MIN), YES},
    {"knows nothing about digits that fit no decimal", P_NUMERIC,
     S("123456789012345678901234567890123456789012345"), LT, I(1), DARK},
    /* PostgreSQL: text */
    {"compares text by bytes", P_C, S("a"), EQ, S("A"), NO},
    {"orders text of collation C by bytes", P_C, S("B"), LT, S("a"), YES},
    {"puts the shorter text first", P_C, S("a"), LT, S("aa"), YES},
    {"does not ignore trailing spaces", P_C, S("a "), EQ, S("a"), NO},
    {"knows equality under a deterministic collation", P_TEXT, S("a"), NE, S("b"), YES},
    {"does not know its order", P_TEXT, S("a"), LT, S("b"), DARK},
    {"knows that equal text is not less", P_TEXT, S("a"), LT, S("a"), NO},
    {"knows nothing under an unknown collation", P_ICU, S("a"), EQ, S("a"), DARK},
    {"ignores trailing spaces of char(n)", P_CHAR, S("ab    "), EQ, S("ab"), YES},
    {"matches char(n) without its padding", P_CHAR, S("ab    "), LIKE, S("a_"), YES},
    /* PostgreSQL: patterns */
    {"matches % and _", P_TEXT, S("abcd"), LIKE, S("a_%d"), YES},
    {"matches the whole text", P_TEXT, S("abcd"), LIKE, S("abc"), NO},
    {"comes back to the last %", P_TEXT, S("aXbXc"), LIKE, S("%X%Xc"), YES},
    {"takes a code point for _", P_TEXT, S("aéz"), LIKE, S("a_z"), YES},
    {"takes \\ for an escape", P_TEXT, S("a%"), LIKE, S("a\\%"), YES},
    {"takes an escaped % literally", P_TEXT, S("ab"), LIKE, S("a\\%"), NO},
    {"knows nothing when the escape stands last", P_TEXT, S("a"), LIKE, S("a\\"), DARK},
    {"takes two escapes for one", P_TEXT, S("a\\"), LIKE, S("a\\\\"), YES},
    {"respects case in like", P_TEXT, S("ABC"), LIKE, S("abc"), NO},
    {"folds case in ilike", P_TEXT, S("ABC"), ILIKE, S("a%c"), YES},
    {"does not fold beyond ASCII", P_TEXT, S("É"), ILIKE, S("é"), DARK},
    {"does not fold i where it may be Turkish", P_TEXT, S("I"), ILIKE, S("i"), DARK},
    {"folds i under collation C", P_C, S("I"), ILIKE, S("i"), YES},
    {"begins with bytes", P_TEXT, S("a%b"), BEGINS, S("a%"), YES},
    {"ends with bytes", P_TEXT, S("a%b"), ENDS, S("_b"), NO},
    {"contains bytes", P_TEXT, S("a%b"), CONTAINS, S("%"), YES},
    {"contains nothing", P_TEXT, S(""), CONTAINS, S(""), YES},
    {"answers null for a pattern over null", P_TEXT, NUL, CONTAINS, S("a"), NULLISH},
    {"matches the digits of an integer", P_INT, I(12), LIKE, S("1%"), YES},
    {"does not know the text of a float", P_FLOAT8, F(1.5), LIKE, S("1%"), DARK},
    {"compares bytes under any collation", P_ICU, S("abc"), BEGINS, S("ab"), YES},
    {"matches no pattern under an unknown collation", P_ICU, S("abc"), LIKE, S("ab%"), DARK},
    {"contains bytes in bytes", P_BYTEA, X("a\0b"), CONTAINS, S("\0"), YES},
    {"matches no pattern over bytes", P_BYTEA, X("ab"), LIKE, S("a_"), DARK},
    /* PostgreSQL: the rest */
    {"compares booleans", P_BOOL, B(1), EQ, B(0), NO},
    {"sorts false before true", P_BOOL, B(0), LT, B(1), YES},
    {"takes a uuid in capitals", P_UUID,
     {.type = WEFT_UUID, .n = 36, .u.s = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, EQ,
     S("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), YES},
    {"compares dates", P_DATE, {.type = WEFT_DATE, .u.i = 0}, LT, S("1970-01-02"), YES},
    {"sorts infinity last", P_DATE, {.type = WEFT_DATE, .u.i = WEFT_INFINITY}, GT, S("9999-12-31"), YES},
    {"compares instants, not their zones", P_STAMP, {.type = WEFT_TIMESTAMPTZ, .u.i = 0}, EQ,
     S("1970-01-01T02:00:00+02:00"), YES},
    {"orders bytes", P_BYTEA, X("a\0b"), GT, X("a\0a"), YES},
    {"knows nothing about json", P_JSON, J("1"), EQ, J("1"), DARK},
    {"answers null for json that is null", P_JSON, NUL, EQ, J("1"), NULLISH},
    {"knows nothing about types it does not know", P_OTHER, S("::1"), EQ, S("::1"), DARK},
    /* SQLite: affinities and storage classes */
    {"compares integers on SQLite", L_INT, I(12), EQ, S("12"), YES},
    {"compares an integer with a float exactly", L_NONE, I(9007199254740993), GT,
     F(9007199254740992.0), YES},
    {"sorts 2^63 above every integer", L_NONE, I(INT64_MAX), LT, F(0x1p63), YES},
    {"takes -0.0 for 0 on SQLite", L_REAL, F(-0.0), EQ, I(0), YES},
    {"sorts text above numbers", L_INT, S("abc"), GT, I(INT64_MAX), YES},
    {"sorts blobs above text", L_TEXT, X("a"), GT, S("zzz"), YES},
    {"does not convert where there is no affinity", L_NONE, I(12), EQ, S("12"), NO},
    {"converts the text to a number where there is", L_STRING, I(12), EQ, S(" 12.0 "), YES},
    {"keeps text that is no number", L_STRING, I(12), LT, S("0x10"), YES},
    {"does not know how ANY converts", L_ANY, I(12), EQ, S("12"), DARK},
    {"compares ANY where nothing converts", L_ANY, I(12), EQ, I(12), YES},
    {"takes the text of a number for a text column", L_TEXT, S("12"), EQ, I(12), YES},
    {"compares digits that a double holds", L_STRING, F(0.5), EQ, S("0.50"), YES},
    {"does not trust the last bit of other digits", L_STRING, F(0.1), EQ, S("0.1"), DARK},
    {"knows other digits from afar", L_STRING, F(0.2), GT, S("0.1"), YES},
    {"compares decimals", L_NUMERIC, D(11, 1), EQ, S("1.10"), YES},
    {"knows that a shown decimal lies above another", L_MONEY, D(499, 2), LT, S("5.00"), YES},
    {"does not know how far a shown decimal is from an integer of 2^63", L_MONEY,
     D(9223372036854775807, 0), NE, I(INT64_MAX), DARK},
    {"does not know the digits behind a shown decimal", L_MONEY, D(500, 2), EQ, S("5.00"), DARK},
    {"takes booleans for integers", L_BOOL, B(1), EQ, B(1), YES},
    {"knows nothing about json on SQLite", L_JSON, J("{}"), EQ, J("{}"), DARK},
    /* SQLite: collations */
    {"respects case under BINARY", L_TEXT, S("A"), EQ, S("a"), NO},
    {"folds ASCII under NOCASE", L_NOCASE, S("ABC"), EQ, S("abc"), YES},
    {"folds ASCII only", L_NOCASE, S("É"), EQ, S("é"), NO},
    {"orders by lower case under NOCASE", L_NOCASE, S("_"), LT, S("A"), YES},
    {"ignores trailing spaces under RTRIM", L_RTRIM, S("a  "), EQ, S("a"), YES},
    {"does not ignore leading ones", L_RTRIM, S(" a"), EQ, S("a"), NO},
    {"knows nothing under a custom collation", L_CUSTOM, S("a"), EQ, S("a"), DARK},
    {"still knows storage classes there", L_CUSTOM, X("a"), GT, S("a"), YES},
    {"sees zero bytes", L_TEXT, S("a\0b"), EQ, S("a\0c"), NO},
    /* SQLite: patterns */
    {"folds ASCII in like", L_TEXT, S("ABC"), LIKE, S("a_c"), YES},
    {"folds no more than that", L_TEXT, S("É"), LIKE, S("é"), NO},
    {"knows no escape", L_TEXT, S("a\\x"), LIKE, S("a\\_"), YES},
    {"likes the digits of an integer", L_NONE, I(123), LIKE, S("1%"), YES},
    {"does not know the digits of a float", L_NONE, F(1.5), LIKE, S("1%"), DARK},
    {"reads no pattern with a zero byte", L_TEXT, S("ab"), LIKE, S("a\0"), DARK},
    {"begins with bytes on SQLite", L_TEXT, S("Abc"), BEGINS, S("ab"), NO},
    {"ends with bytes on SQLite", L_TEXT, S("abc"), ENDS, S("bc"), YES},
    {"looks into blobs", L_BLOB, X("a\0c"), CONTAINS, X("\0"), YES},
    {"does not know whether like does", L_BLOB, X("abc"), LIKE, S("a%"), DARK},
    {"takes U+FFFE for another where SQLite does", L_TEXT, S("\xEF\xBF\xBE"), LIKE, S("x"), DARK},
    {"contains bytes on SQLite", L_TEXT, S("a%c"), CONTAINS, S("%"), YES},
};
/* clang-format on */

static struct weft_value list(uint32_t n, const struct weft_value *v) {
  struct weft_array *a = weft_arena_alloc(&arena, sizeof *a + n * sizeof *v);
  a->n = n;
  a->elem = WEFT_ANY;
  if (n) memcpy(a->v, v, n * sizeof *v);
  return (struct weft_value){.type = WEFT_LIST, .u.array = a};
}
#define LIST(...)                                                              \
  list(sizeof((struct weft_value[]){__VA_ARGS__}) / sizeof(struct weft_value), \
       (struct weft_value[]){__VA_ARGS__})

static struct weft_value ints(struct weft_value v) {
  struct weft_array *a = weft_arena_alloc(&arena, sizeof *a + v.u.array->n * sizeof *a->v);
  memcpy(a, v.u.array, sizeof *a + v.u.array->n * sizeof *a->v);
  a->elem = WEFT_INT;
  return (struct weft_value){.type = WEFT_ARRAY, .u.array = a};
}

static void membership(void) {
  struct weft_value two = weft_int(2), null = weft_null();
  it ("finds an element") {
    expect_int(ask(P_INT, two, binary(WEFT_E_IN, LIST(I(1), S("2")))), YES);
    expect_int(ask(L_INT, two, binary(WEFT_E_NOT_IN, LIST(I(1), I(2)))), NO);
  }
  it ("misses when no element is equal") {
    expect_int(ask(P_INT, two, binary(WEFT_E_IN, LIST(I(1), I(3)))), NO);
    expect_int(ask(L_INT, two, binary(WEFT_E_NOT_IN, LIST(I(1), I(3)))), YES);
  }
  it ("answers null for null in a list and not in it") {
    expect_int(ask(P_INT, null, binary(WEFT_E_IN, LIST(I(1)))), NULLISH);
    expect_int(ask(L_INT, null, binary(WEFT_E_NOT_IN, LIST(I(1)))), NULLISH);
  }
  it ("finds null where the list holds it") {
    expect_int(ask(P_INT, null, binary(WEFT_E_IN, LIST(I(1), NUL))), YES);
  }
  it ("finds nothing in an empty list") {
    expect_int(ask(P_INT, null, binary(WEFT_E_IN, list(0, NULL))), NO);
    expect_int(ask(P_INT, null, binary(WEFT_E_NOT_IN, list(0, NULL))), YES);
  }
  it ("finds an equal element beside one it cannot compare") {
    expect_int(ask(L_STRING, weft_float(0.1), binary(WEFT_E_IN, LIST(S("0.1"), S("x")))), DARK);
    expect_int(ask(L_STRING, weft_float(0.5), binary(WEFT_E_IN, LIST(S("0.1"), S("0.5")))), YES);
  }
  it ("takes floats of a list for what they are") {
    expect_int(ask(L_REAL, weft_float(0.1), binary(WEFT_E_IN, LIST(F(0.1)))), YES);
    expect_int(ask(L_REAL, weft_float(0.1), binary(WEFT_E_IN, LIST(S("0.1")))), YES);
  }
  it ("gives up when one element is refused") {
    expect_int(ask(P_INT, two, binary(WEFT_E_IN, LIST(S("x"), I(3)))), DARK);
  }
}

static void arrays(void) {
  struct weft_value a = ints(LIST(I(1), NUL)), b = ints(LIST(I(1), I(2)));
  it ("compares element by element, null equal to null") {
    expect_int(ask(P_INTS, a, binary(WEFT_E_EQ, a)), YES);
    expect_int(ask(P_INTS, a, binary(WEFT_E_NE, b)), YES);
    expect_int(ask(P_INTS, a, binary(WEFT_E_EQ, ints(LIST(I(1))))), NO);
  }
  it ("does not know their order") {
    expect_int(ask(P_INTS, a, binary(WEFT_E_LT, b)), DARK);
  }
}

static const struct weft_expr *path(struct weft_value a, struct weft_value b, uint32_t n) {
  return weft_expr_path(&arena, cell_expr(), (struct weft_value[]){a, b}, n);
}

static const struct weft_expr *beside(const struct weft_expr *x, enum weft_expr_kind kind,
                                      struct weft_value v) {
  const struct weft_expr *e = NULL;
  struct weft_error err;
  if (weft_expr_binary(&arena, kind, x, weft_expr_value(&arena, v), &e, &err))
    printf("%s\n", err.message);
  return e;
}

static void both(struct weft_value cell, const struct weft_expr *e, int want) {
  expect_int(ask(P_JSON, cell, e), want);
  expect_int(ask(L_JSON, cell, e), want);
}

static void paths(void) {
  struct weft_value a = S("a"), none = weft_null();
  struct weft_value doc = J("{\"b\":[1,9007199254740993],\"a\":\"x\",\"t\":true,\"n\":null}");
  const struct weft_expr *second = path(V(S, "b"), weft_int(1), 2);
  it ("finds keys and places") {
    both(doc, beside(path(a, none, 1), EQ, V(S, "x")), YES);
    both(doc, beside(second, GT, weft_int(9007199254740992)), YES);
    both(doc, beside(path(V(S, "t"), none, 1), EQ, weft_bool(true)), YES);
    both(doc, beside(path(a, none, 1), LIKE, V(S, "_")), YES);
    both(doc, beside(second, EQ, LIST(I(1), I(9007199254740993))), YES);
  }
  it ("finds null where nothing, null or another type stands") {
    both(doc, beside(path(V(S, "c"), none, 1), EQ, V(S, "x")), NULLISH);
    both(doc, beside(path(V(S, "n"), none, 1), EQ, V(S, "x")), NULLISH);
    both(doc, beside(path(a, none, 1), EQ, weft_int(1)), NULLISH);
    both(doc, beside(path(weft_int(0), none, 1), EQ, weft_int(1)), NULLISH);
    both(none, beside(path(a, none, 1), EQ, weft_int(1)), NULLISH);
    both(doc, weft_expr_unary(&arena, WEFT_E_IS_NULL, path(V(S, "n"), none, 1)), YES);
    both(doc, weft_expr_unary(&arena, WEFT_E_NOT_NULL, path(V(S, "b"), none, 1)), YES);
  }
  it ("does not know which of two equal keys counts") {
    both(V(J, "{\"a\":1,\"a\":2}"), beside(path(a, none, 1), EQ, weft_int(1)), DARK);
  }
  it ("does not know what stands at a place in a scalar") {
    both(V(J, "{\"a\":1}"), beside(path(a, weft_int(0), 2), EQ, weft_int(1)), DARK);
  }
  it ("knows nothing about text that is no json") {
    both(V(J, "{\"a\":1"), beside(path(a, none, 1), EQ, weft_int(1)), DARK);
    both(V(J, ""), beside(path(a, none, 1), EQ, weft_int(1)), DARK);
  }
  it ("does not count from the end") {
    both(V(J, "[1]"), beside(path(weft_int(-1), none, 1), EQ, weft_int(1)), DARK);
  }
  it ("reads numbers as the database does") {
    struct weft_value tenth = J("{\"a\":0.1}"), half = J("{\"a\":0.50}"), decimal = S("0.1");
    both(half, beside(path(a, none, 1), EQ, weft_float(0.5)), YES);
    both(half, beside(path(a, none, 1), LT, weft_float(0.6)), YES);
    expect_int(ask(P_JSON, tenth, beside(path(a, none, 1), EQ, weft_float(0.1))), YES);
    expect_int(ask(L_JSON, tenth, beside(path(a, none, 1), EQ, weft_float(0.1))), DARK);
    both(tenth, beside(path(a, none, 1), EQ, decimal), NULLISH);
  }
  it ("orders text only where it can") {
    expect_int(ask(P_JSON, doc, beside(path(a, none, 1), LT, V(S, "y"))), DARK);
    expect_int(ask(L_JSON, doc, beside(path(a, none, 1), LT, V(S, "y"))), YES);
  }
  it ("knows that SQLite does not see through escapes in keys") {
    struct weft_value escaped = J("{\"\\u0061\":1}");
    expect_int(ask(P_JSON, escaped, beside(path(a, none, 1), EQ, weft_int(1))), YES);
    expect_int(ask(L_JSON, escaped, beside(path(a, none, 1), EQ, weft_int(1))), DARK);
  }
}

/* A condition on one integer cell that has a given truth. */
static const struct weft_expr *made(enum weft_truth t) {
  const struct weft_expr *x = weft_expr_column(&arena, WEFT_LIT("c")), *e = NULL;
  struct weft_error err;
  switch (t) {
  case WEFT_TRUE:
    return binary(WEFT_E_EQ, weft_int(1));
  case WEFT_FALSE:
    return binary(WEFT_E_EQ, weft_int(2));
  case WEFT_UNKNOWABLE:
    return weft_expr_raw(&arena, WEFT_LIT("random() > 0"), NULL, 0);
  default:
    break;
  }
  if (weft_expr_binary(&arena, WEFT_E_EQ, weft_expr_column(&arena, WEFT_LIT("n")), x, &e, &err))
    printf("%s\n", err.message);
  return e;
}

static enum weft_truth ask_two(const struct weft_expr *e) {
  struct weft_table_column both[2] = {columns[P_INT], columns[P_INT]};
  both[1].name = WEFT_LIT("n");
  struct weft_table *t = weft_table_new(WEFT_LIT(""), WEFT_LIT("t"), both, 2);
  struct weft_value row[2] = {weft_int(1), weft_null()};
  enum weft_truth got = weft_eval(&weft_dialect_postgres, t, e, row);
  weft_table_unref(t);
  return got;
}

static void logic(void) {
  static const int and[4][4] = {{NO, NO, NO, NO},
                                {NO, YES, NULLISH, DARK},
                                {NO, NULLISH, NULLISH, DARK},
                                {NO, DARK, DARK, DARK}};
  static const int or [4][4] = {{NO, YES, NULLISH, DARK},
                                {YES, YES, YES, YES},
                                {NULLISH, YES, NULLISH, DARK},
                                {DARK, YES, DARK, DARK}};
  static const int not [4] = {YES, NO, NULLISH, DARK};
  it ("has four values") {
    for (int a = 0; a < 4; a++) {
      expect_int(ask_two(made(a)), a);
      expect_int(ask_two(weft_expr_unary(&arena, WEFT_E_NOT, made(a))), not [a]);
      for (int b = 0; b < 4; b++) {
        const struct weft_expr *kids[2] = {made(a), made(b)};
        expect_int(ask_two(weft_expr_logic(&arena, WEFT_E_AND, kids, 2)), and[a][b]);
        expect_int(ask_two(weft_expr_logic(&arena, WEFT_E_OR, kids, 2)), or [a][b]);
      }
    }
  }
  it ("knows constants") {
    expect_int(ask_two(weft_expr_true()), YES);
    expect_int(ask_two(weft_expr_false()), NO);
  }
}

static const struct weft_expr *between(struct weft_value lo, struct weft_value hi) {
  const struct weft_expr *e = NULL;
  struct weft_error err;
  if (weft_expr_between(&arena, cell_expr(), weft_expr_value(&arena, lo),
                        weft_expr_value(&arena, hi), &e, &err))
    printf("%s\n", err.message);
  return e;
}

static void shapes(void) {
  it ("takes both ends into between") {
    expect_int(ask(P_INT, weft_int(2), between(weft_int(2), weft_int(3))), YES);
    expect_int(ask(P_INT, weft_int(3), between(weft_int(2), weft_int(3))), YES);
    expect_int(ask(P_INT, weft_int(4), between(weft_int(2), weft_int(3))), NO);
    expect_int(ask(P_INT, weft_null(), between(weft_int(2), weft_int(3))), NULLISH);
  }
  it ("settles between by the end that it knows") {
    expect_int(ask(L_STRING, weft_float(0.1), between(weft_int(1), weft_text("0.1", 3))), NO);
    expect_int(ask(L_STRING, weft_float(0.1), between(weft_int(0), weft_text("0.1", 3))), DARK);
  }
  it ("knows null of every type") {
    const struct weft_expr *is = weft_expr_unary(&arena, WEFT_E_IS_NULL, cell_expr());
    const struct weft_expr *not = weft_expr_unary(&arena, WEFT_E_NOT_NULL, cell_expr());
    expect_int(ask(P_JSON, weft_null(), is), YES);
    expect_int(ask(P_OTHER, weft_text("::1", 3), not ), YES);
    expect_int(ask(L_CUSTOM, weft_null(), not ), NO);
  }
  it ("knows nothing about a value on the left, which has no column's type") {
    const struct weft_expr *e = NULL;
    struct weft_error err;
    expect_int(weft_expr_binary(&arena, WEFT_E_LT, weft_expr_value(&arena, weft_int(1)),
                                cell_expr(), &e, &err),
               0);
    expect_int(ask(P_INT, weft_int(2), e), DARK);
  }
  it ("takes a boolean column for a condition") {
    expect_int(ask(P_BOOL, weft_bool(true), cell_expr()), YES);
    expect_int(ask(L_BOOL, weft_null(), cell_expr()), NULLISH);
    expect_int(ask(P_INT, weft_int(1), cell_expr()), DARK);
    expect_int(ask(L_INT, weft_int(2), cell_expr()), YES);
  }
  it ("knows nothing about a column that is not there") {
    const struct weft_expr *x = weft_expr_column(&arena, WEFT_LIT("nowhere"));
    expect_int(ask(P_INT, weft_int(1), weft_expr_unary(&arena, WEFT_E_IS_NULL, x)), DARK);
  }
  it ("knows nothing about a table that is not known") {
    struct weft_table *t = weft_table_unknown(WEFT_LIT(""), WEFT_LIT("t"));
    struct weft_value cell = weft_int(1);
    expect_int(weft_eval(&weft_dialect_sqlite, t, binary(WEFT_E_EQ, cell), &cell), DARK);
    weft_table_unref(t);
  }
  it ("not true is true of false and of NULL, and knows what its condition does") {
    static const enum weft_truth pairs[][2] = {
        {WEFT_TRUE, WEFT_FALSE},   {WEFT_FALSE, WEFT_TRUE},
        {WEFT_NULLISH, WEFT_TRUE}, {WEFT_UNKNOWABLE, WEFT_UNKNOWABLE}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
      expect_int(ask_two(weft_expr_unary(&arena, WEFT_E_UNTRUE, made(pairs[i][0]))), pairs[i][1]);
  }
  it ("knows nothing about other rows, unless the rest decides") {
    const struct weft_expr *some = weft_expr_some(&arena, WEFT_LIT("x"), NULL, false, NULL);
    const struct weft_expr *joined = weft_expr_joined(&arena, WEFT_LIT("x"), WEFT_LIT("c"));
    struct weft_table *t = weft_table_unknown(WEFT_LIT(""), WEFT_LIT("t"));
    struct weft_query *q = weft_query_from(t);
    const struct weft_expr *in = NULL, *kids[2] = {some, made(WEFT_FALSE)};
    weft_expr_binary(&arena, WEFT_E_IN, cell_expr(), weft_expr_query(&arena, q), &in, NULL);
    expect_int(ask(P_INT, weft_int(1), some), DARK);
    expect_int(ask(P_INT, weft_int(1), weft_expr_unary(&arena, WEFT_E_NOT, some)), DARK);
    expect_int(ask(P_INT, weft_int(1), in), DARK);
    expect_int(ask(P_INT, weft_int(1), weft_expr_unary(&arena, WEFT_E_IS_NULL, joined)), DARK);
    expect_int(ask_two(weft_expr_logic(&arena, WEFT_E_AND, kids, 2)), NO);
    weft_query_unref(q);
    weft_table_unref(t);
  }
  it ("gives up on trees that are too deep") {
    const struct weft_expr *e = made(WEFT_TRUE);
    for (int i = 0; i < 2 * WEFT_EXPR_DEPTH; i++) {
      const struct weft_expr *kids[2] = {e, made(WEFT_FALSE)};
      e = weft_expr_logic(&arena, i % 2 ? WEFT_E_AND : WEFT_E_OR, kids, 2);
    }
    expect_int(ask_two(e), DARK);
  }
}

int main(void) {
  weft_arena_init(&arena, NULL, 0);
  describe ("eval") {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
      const struct row *r = &rows[i];
      it (r->fact) expect_int(ask(r->column, r->cell, binary(r->kind, r->value)), r->want);
    }
    describe ("of a list") membership();
    describe ("of arrays") arrays();
    describe ("of json paths") paths();
    describe ("of logic") logic();
    describe ("of a condition") shapes();
  }
  weft_arena_release(&arena);
  return spec_end();
}
