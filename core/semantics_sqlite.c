/* SPDX-License-Identifier: MIT */
/* SQLite: values have types, columns have affinities. A comparison first applies the column's
   affinity to both sides, then orders by storage class: numbers, text, blobs; text by the column's
   collation.

   SQLite's own reading of decimal digits may be one unit in the last place off the nearest double.
   A number that travels as digits is therefore an interval here, unless a double holds it exactly.
 */
#include <math.h>

#include "buf.h"
#include "decimal.h"
#include "semantics.h"

enum affinity { BLOB, TEXT, NUMERIC, EITHER /* ANY: none in a strict table, else NUMERIC */ };
enum storage { NUMBER, STRING, BYTES, NOTHING, OPAQUE };

enum { LIKE_LIMIT = 50000 };

struct cell {
  enum storage storage;
  struct weft_value lo, hi; /* NUMBER: INT or FLOAT, equal where the number is known */
  struct weft_slice text;   /* STRING BYTES */
  char own[48];             /* of a text made here */
};

static bool mentions(struct weft_slice declared, const char *word) {
  size_t n = strlen(word);
  for (size_t i = 0; i + n <= declared.n; i++) {
    size_t k = 0;
    while (k < n && weft_ascii_lower((unsigned char)declared.p[i + k]) == (unsigned char)word[k])
      k++;
    if (k == n) return true;
  }
  return false;
}

/* The rules of the manual, in their order. INTEGER and REAL compare as NUMERIC. */
static enum affinity affinity_of(const struct weft_table_column *c) {
  if (!c) return BLOB;
  struct weft_slice d = c->declared;
  if (mentions(d, "int")) return NUMERIC;
  if (mentions(d, "char") || mentions(d, "clob") || mentions(d, "text")) return TEXT;
  if (d.n == 0 || mentions(d, "blob")) return BLOB;
  return d.n == 3 && mentions(d, "any") ? EITHER : NUMERIC;
}

static void set_number(struct cell *c, struct weft_value v) {
  c->storage = NUMBER;
  c->lo = c->hi = v;
}

/* f came from digits: what SQLite made of them is f or a neighbour. */
static void set_near(struct cell *c, double f) {
  set_number(c, weft_float(f));
  c->lo.u.f = nextafter(nextafter(f, -INFINITY), -INFINITY);
  c->hi.u.f = nextafter(nextafter(f, INFINITY), INFINITY);
}

/* Few digits, and a double holds them: then every algorithm finds that double. */
static bool exact(const struct weft_decimal *d, double f) {
  return d->hi == 0 && d->lo < 1000000000000000000u && weft_decimal_compare_float(d, f) == 0;
}

static void set_digits(struct cell *c, const struct weft_decimal *d) {
  double f = weft_decimal_to_float(d);
  if (exact(d, f)) set_number(c, weft_float(f));
  else set_near(c, f);
}

/* A parameter: bound as a number that reads back as d, or refused. */
static void set_decimal(struct cell *c, const struct weft_decimal *d) {
  struct weft_decimal back;
  int64_t i;
  double f = weft_decimal_to_float(d);
  if (weft_decimal_to_int(d, &i) == 0) set_number(c, weft_int(i));
  else if (weft_decimal_from_float(f, &back) || weft_decimal_compare(&back, d)) c->storage = OPAQUE;
  else set_number(c, weft_float(f));
}

/* A cell shown as a decimal without a declared scale was that integer, or the double whose shortest
   digits these are; the two may differ above 2^53. */
static void set_shown(struct cell *c, const struct weft_decimal *d) {
  struct weft_value f = weft_float(weft_decimal_to_float(d)), whole;
  set_number(c, f);
  if (weft_decimal_to_int(d, &whole.u.i) != 0) return;
  whole.type = WEFT_INT;
  if (weft_value_compare(whole, f) < 0) c->lo = whole;
  else c->hi = whole;
}

/* One shown with a declared scale may be stored with more digits than that. */
static void set_rounded(struct cell *c, const struct weft_operand *o) {
  int scale = o->column->type.scale;
  const struct weft_decimal *d = o->v.u.dec, half = {5, 0, (int16_t)(scale + 1), false};
  struct weft_decimal lo, hi;
  if (affinity_of(o->column) != NUMERIC) {
    c->storage = OPAQUE; /* was text */
  } else if (scale < 0) {
    set_shown(c, d);
  } else if (scale > 37 || weft_decimal_sub(d, &half, &lo) || weft_decimal_add(d, &half, &hi)) {
    c->storage = OPAQUE;
  } else {
    set_number(c, weft_float(nextafter(weft_decimal_to_float(&lo), -INFINITY)));
    c->hi = weft_float(nextafter(weft_decimal_to_float(&hi), INFINITY));
  }
}

static void set_float(struct cell *c, double f, bool digits) {
  if (isnan(f)) c->storage = NOTHING;
  else if (digits) set_near(c, f);
  else set_number(c, weft_float(f));
}

static void store(struct cell *c, const struct weft_operand *o) {
  c->text = (struct weft_slice){0};
  c->storage = OPAQUE;
  switch ((enum weft_type)o->v.type) {
  case WEFT_NULL:
    c->storage = NOTHING;
    return;
  case WEFT_BOOL:
    set_number(c, weft_int(o->v.u.i != 0));
    return;
  case WEFT_INT:
    set_number(c, o->v);
    return;
  case WEFT_FLOAT:
    set_float(c, o->v.u.f, o->digits);
    return;
  case WEFT_DECIMAL:
    if (o->digits) set_digits(c, o->v.u.dec);
    else if (o->column) set_rounded(c, o);
    else set_decimal(c, o->v.u.dec);
    return;
  case WEFT_TEXT:
  case WEFT_UUID:
  case WEFT_INTERVAL:
    c->storage = STRING;
    break;
  case WEFT_BYTES:
    c->storage = BYTES;
    break;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    c->storage = STRING;
    c->text = weft_slice(c->own, weft_time_text(c->own, o->v));
    return;
  default:
    return;
  }
  c->text = weft_operand_bytes(o);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Text that is a number and nothing else becomes that number. */
static void to_number(struct cell *c) {
  struct weft_slice s = c->text;
  while (s.n && is_space(*s.p)) s.p++, s.n--;
  while (s.n && is_space(s.p[s.n - 1])) s.n--;
  size_t sign = s.n && (*s.p == '-' || *s.p == '+');
  char first = s.n > sign ? s.p[sign] : 'x'; /* the words inf and nan are no numbers here */
  int64_t i;
  double f;
  struct weft_decimal d;
  if (first != '.' && (first < '0' || first > '9')) return;
  if (weft_int_parse(s, &i) == 0) set_number(c, weft_int(i));
  else if (weft_float_parse(s, &f) != 0) return;
  else if (weft_decimal_parse(s, &d) == 0) set_digits(c, &d);
  else set_near(c, f);
}

/* How SQLite writes a float differs from version to version. */
static void to_text(struct cell *c) {
  if (c->lo.type != WEFT_INT || c->hi.type != WEFT_INT || c->lo.u.i != c->hi.u.i) {
    c->storage = OPAQUE;
    return;
  }
  c->storage = STRING;
  c->text = weft_slice(c->own, weft_int_text(c->own, c->lo.u.i));
}

/* Folds ASCII and, like SQLite, stops at a zero byte that both have. */
static int compare_nocase(struct weft_slice a, struct weft_slice b) {
  size_t n = a.n < b.n ? a.n : b.n;
  for (size_t i = 0; i < n; i++) {
    int x = weft_ascii_lower((unsigned char)a.p[i]), y = weft_ascii_lower((unsigned char)b.p[i]);
    if (x != y) return x - y;
    if (x == 0) break;
  }
  return (a.n > b.n) - (a.n < b.n);
}

static struct weft_slice trim(struct weft_slice s) {
  while (s.n && s.p[s.n - 1] == ' ') s.n--;
  return s;
}

static enum weft_ordering compare_text(enum weft_collation how, struct weft_slice a,
                                       struct weft_slice b) {
  switch (how) {
  case WEFT_COLLATE_BINARY:
    return weft_relation_of(weft_bytes_compare(a, b));
  case WEFT_COLLATE_NOCASE:
    return weft_relation_of(compare_nocase(a, b));
  case WEFT_COLLATE_RTRIM:
    return weft_relation_of(weft_bytes_compare(trim(a), trim(b)));
  case WEFT_COLLATE_EQUAL:
    return weft_slice_equal(a, b) ? WEFT_R_SAME : WEFT_R_OTHER;
  default:
    return WEFT_R_UNKNOWN;
  }
}

static enum weft_ordering compare_numbers(const struct cell *a, const struct cell *b) {
  if (weft_value_compare(a->hi, b->lo) < 0) return WEFT_R_LESS;
  if (weft_value_compare(a->lo, b->hi) > 0) return WEFT_R_MORE;
  bool points = weft_value_equal(a->lo, a->hi) && weft_value_equal(b->lo, b->hi);
  return points ? WEFT_R_SAME : WEFT_R_UNKNOWN;
}

static enum weft_ordering compare_as(enum affinity how, enum weft_collation collation,
                                     const struct weft_operand *x, const struct weft_operand *y) {
  struct cell a, b;
  store(&a, x);
  store(&b, y);
  if (how == NUMERIC && a.storage == STRING) to_number(&a);
  if (how == NUMERIC && b.storage == STRING) to_number(&b);
  if (how == TEXT && a.storage == NUMBER) to_text(&a);
  if (how == TEXT && b.storage == NUMBER) to_text(&b);
  if (a.storage == NOTHING || b.storage == NOTHING) return WEFT_R_NULL;
  if (a.storage == OPAQUE || b.storage == OPAQUE) return WEFT_R_UNKNOWN;
  if (a.storage != b.storage) return a.storage < b.storage ? WEFT_R_LESS : WEFT_R_MORE;
  if (a.storage == NUMBER) return compare_numbers(&a, &b);
  if (a.storage == STRING) return compare_text(collation, a.text, b.text);
  return weft_relation_of(weft_bytes_compare(a.text, b.text));
}

/* Two columns compare as numbers if one is numeric, else as they are; a parameter takes the
 * column's. */
static enum affinity common(const struct weft_operand *x, const struct weft_operand *y) {
  enum affinity a = affinity_of(x->column), b = affinity_of(y->column);
  if (!x->column) return b;
  if (!y->column) return a;
  if (a == NUMERIC || b == NUMERIC) return NUMERIC;
  return a == EITHER || b == EITHER ? EITHER : BLOB;
}

static enum weft_ordering compare(const struct weft_operand *x, const struct weft_operand *y) {
  enum affinity how = common(x, y);
  const struct weft_table_column *c = x->column ? x->column : y->column;
  if (how != EITHER) return compare_as(how, c->collation, x, y);
  enum weft_ordering strict = compare_as(BLOB, c->collation, x, y);
  return compare_as(NUMERIC, c->collation, x, y) == strict ? strict : WEFT_R_UNKNOWN;
}

/* LIKE reads code points as SQLite does: two of them, and what is not UTF-8, it takes for U+FFFD.
 */
static bool readable(struct weft_slice s) {
  if (s.n && memchr(s.p, 0, s.n)) return false;
  if (!weft_utf8_valid(s.p, s.n)) return false;
  for (size_t i = 0; i + 2 < s.n; i++)
    if (memcmp(s.p + i, "\xEF\xBF", 2) == 0 && (unsigned char)s.p[i + 2] >= 0xBD) return false;
  return true;
}

/* Patterns see text; an integer's is its digits, a float's depends on the version. Whether LIKE
   looks into blobs does too; the others do. */
static bool as_text(struct cell *c, const struct weft_operand *o, bool like) {
  store(c, o);
  if (c->storage == NUMBER) to_text(c);
  return c->storage == STRING || (c->storage == BYTES && !like);
}

static enum weft_truth match(enum weft_expr_kind kind, const struct weft_operand *a,
                             const struct weft_operand *pattern) {
  struct cell text, part;
  bool like = kind == WEFT_E_LIKE || kind == WEFT_E_ILIKE;
  if (!as_text(&text, a, like) || !as_text(&part, pattern, like)) return WEFT_UNKNOWABLE;
  switch (kind) {
  case WEFT_E_LIKE:
  case WEFT_E_ILIKE:
    if (part.text.n > LIKE_LIMIT || !readable(text.text) || !readable(part.text))
      return WEFT_UNKNOWABLE;
    return weft_like(text.text, part.text, 0, weft_ascii_lower);
  case WEFT_E_BEGINS:
    return weft_bytes_begin(text.text, part.text);
  case WEFT_E_ENDS:
    return weft_bytes_end(text.text, part.text);
  case WEFT_E_CONTAINS:
    return weft_bytes_contain(text.text, part.text);
  default:
    return WEFT_UNKNOWABLE;
  }
}

static enum weft_truth truth(const struct weft_operand *o) {
  struct cell c;
  store(&c, o);
  if (c.storage == NOTHING) return WEFT_NULLISH;
  if (c.storage != NUMBER) return WEFT_UNKNOWABLE;
  struct cell zero;
  set_number(&zero, weft_int(0));
  enum weft_ordering r = compare_numbers(&c, &zero);
  return r == WEFT_R_UNKNOWN ? WEFT_UNKNOWABLE : (enum weft_truth)(r != WEFT_R_SAME);
}

const struct weft_semantics weft_semantics_sqlite = {
    .compare = compare,
    .match = match,
    .truth = truth,
    .path_collation = WEFT_COLLATE_BINARY,
};
