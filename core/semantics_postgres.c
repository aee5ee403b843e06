/* SPDX-License-Identifier: MIT */
/* PostgreSQL: both sides have the column's type (a parameter of a model column is sent as that
   type), so that a comparison is one of that type's own operators. Text is compared by bytes where
   the collation is deterministic, and ordered by bytes only where it is "C". */
#include <math.h>

#include "buf.h"
#include "decimal.h"
#include "semantics.h"

enum oid {
  OID_NONE = 0,
  OID_NAME = 19,
  OID_TEXT = 25,
  OID_FLOAT4 = 700,
  OID_BPCHAR = 1042,
  OID_VARCHAR = 1043,
  NAME_BYTES = 64
};

/* NaN equals itself and is above all. */
static enum weft_ordering compare_float(double a, double b, bool single) {
  if (isnan(a) || isnan(b)) return weft_relation_of((isnan(a) != 0) - (isnan(b) != 0));
  return weft_relation_of_floats(a, b, single);
}

/* Where a numeric stands that does not fit a decimal: NaN above Infinity above all digits. */
static int special_rank(struct weft_value v) {
  struct weft_slice s = {v.u.s, v.n};
  if (v.type == WEFT_DECIMAL) return 0;
  if (v.type != WEFT_TEXT) return -2;
  if (weft_slice_equal(s, WEFT_LIT("NaN"))) return 2;
  if (weft_slice_equal(s, WEFT_LIT("Infinity"))) return 1;
  return weft_slice_equal(s, WEFT_LIT("-Infinity")) ? -1 : -2;
}

static enum weft_ordering compare_numeric(struct weft_value a, struct weft_value b) {
  if (a.type == WEFT_DECIMAL && b.type == WEFT_DECIMAL)
    return weft_relation_of(weft_decimal_compare(a.u.dec, b.u.dec));
  int x = special_rank(a), y = special_rank(b);
  return x == -2 || y == -2 ? WEFT_R_UNKNOWN : weft_relation_of_ints(x, y);
}

static struct weft_slice trim(struct weft_slice s) {
  while (s.n && s.p[s.n - 1] == ' ') s.n--;
  return s;
}

static bool plain_text(uint32_t oid) {
  return oid == OID_NONE || oid == OID_TEXT || oid == OID_VARCHAR;
}

static enum weft_ordering compare_text(const struct weft_table_column *c, struct weft_slice a,
                                       struct weft_slice b) {
  uint32_t oid = c->type.oid;
  bool equality = c->collation == WEFT_COLLATE_BINARY || c->collation == WEFT_COLLATE_EQUAL;
  bool order = c->collation == WEFT_COLLATE_BINARY;
  if (oid == OID_BPCHAR) {
    a = trim(a), b = trim(b);
  } else if (oid == OID_NAME) {
    equality &= a.n < NAME_BYTES && b.n < NAME_BYTES; /* the server cuts longer ones */
  } else if (!plain_text(oid)) {
    order = false; /* of an enum: by its declaration */
  }
  if (!equality) return WEFT_R_UNKNOWN;
  int way = weft_bytes_compare(a, b);
  return way && !order ? WEFT_R_OTHER : weft_relation_of(way);
}

/* Of two values of type, which is a column's or an array element's. */
static enum weft_ordering compare_values(const struct weft_table_column *c, enum weft_type type,
                                         uint32_t oid, struct weft_value a, struct weft_value b);

/* Element by element; NULL equals NULL here. What the order of arrays is worth is not known: their
   dimensions take part in it. */
static enum weft_ordering compare_array(const struct weft_table_column *c,
                                        const struct weft_array *a, const struct weft_array *b) {
  enum weft_ordering all = a->n == b->n ? WEFT_R_SAME : WEFT_R_OTHER;
  for (uint32_t i = 0; i < a->n && i < b->n; i++) {
    struct weft_value x = a->v[i], y = b->v[i];
    if (x.type == WEFT_NULL || y.type == WEFT_NULL) {
      if (x.type != y.type) return WEFT_R_OTHER;
      continue;
    }
    enum weft_type type = x.type == WEFT_ARRAY || y.type == WEFT_ARRAY ? WEFT_ARRAY : c->type.elem;
    enum weft_ordering r = compare_values(c, type, c->type.elem_oid, x, y);
    if (r == WEFT_R_UNKNOWN) all = r;
    else if (r != WEFT_R_SAME) return WEFT_R_OTHER;
  }
  return all;
}

static enum weft_ordering compare_values(const struct weft_table_column *c, enum weft_type type,
                                         uint32_t oid, struct weft_value a, struct weft_value b) {
  if (type == WEFT_DECIMAL) return compare_numeric(a, b);
  if (a.type != type || b.type != type) return WEFT_R_UNKNOWN;
  switch (type) {
  case WEFT_BOOL:
  case WEFT_INT:
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    return weft_relation_of_ints(a.u.i, b.u.i);
  case WEFT_FLOAT:
    return compare_float(a.u.f, b.u.f, oid == OID_FLOAT4 || c->type.size == 4);
  case WEFT_BYTES:
  case WEFT_UUID:
    return weft_relation_of(weft_bytes_compare(weft_slice(a.u.s, a.n), weft_slice(b.u.s, b.n)));
  case WEFT_TEXT: {
    struct weft_table_column as = *c;
    as.type.oid = oid;
    return compare_text(&as, weft_slice(a.u.s, a.n), weft_slice(b.u.s, b.n));
  }
  case WEFT_ARRAY:
    return compare_array(c, a.u.array, b.u.array);
  default:
    return WEFT_R_UNKNOWN; /* json has no equality, jsonb and interval their own */
  }
}

static bool same_type(const struct weft_table_column *a, const struct weft_table_column *b) {
  return a->type.type == b->type.type && a->type.oid == b->type.oid &&
         a->type.size == b->type.size && a->type.elem == b->type.elem &&
         a->type.elem_oid == b->type.elem_oid && a->collation == b->collation;
}

static enum weft_ordering compare(const struct weft_operand *a, const struct weft_operand *b) {
  const struct weft_table_column *c = a->column ? a->column : b->column;
  if (a->column && b->column && !same_type(a->column, b->column)) return WEFT_R_UNKNOWN;
  enum weft_type type = c->type.type;
  return compare_values(c, type, c->type.oid, a->v, b->v);
}

/* I may become a dotless i where the language is Turkish. */
static unsigned char lower_but_i(unsigned char c) {
  return c == 'I' ? c : weft_ascii_lower(c);
}

static enum weft_truth like(enum weft_collation collation, struct weft_slice text,
                            struct weft_slice pattern, bool fold) {
  size_t tail = 0;
  while (tail < pattern.n && pattern.p[pattern.n - 1 - tail] == '\\') tail++;
  if (tail % 2) return WEFT_UNKNOWABLE; /* an error, if the server comes as far as that */
  if (!fold) return weft_like(text, pattern, '\\', NULL);
  if (!weft_bytes_ascii(text) || !weft_bytes_ascii(pattern)) return WEFT_UNKNOWABLE;
  bool found = weft_like(text, pattern, '\\', weft_ascii_lower);
  bool known =
      collation == WEFT_COLLATE_BINARY || weft_like(text, pattern, '\\', lower_but_i) == found;
  return known ? found : WEFT_UNKNOWABLE;
}

/* The cell as ::text writes it, which is what patterns see; false where that is not known. */
static bool as_text(const struct weft_operand *o, char room[WEFT_INT_TEXT],
                    struct weft_slice *out) {
  *out = weft_slice(o->v.u.s, o->v.n);
  switch (o->v.type) {
  case WEFT_TEXT:
    if (o->column->type.oid == OID_BPCHAR) *out = trim(*out);
    return o->column->type.type == WEFT_TEXT && weft_utf8_valid(out->p, out->n);
  case WEFT_UUID:
    return true;
  case WEFT_BOOL:
    *out = o->v.u.i ? WEFT_LIT("true") : WEFT_LIT("false");
    return true;
  case WEFT_INT:
    *out = weft_slice(room, weft_int_text(room, o->v.u.i));
    return true;
  default:
    return false;
  }
}

static enum weft_truth match_bytes(enum weft_expr_kind kind, struct weft_slice text,
                                   struct weft_slice part) {
  switch (kind) {
  case WEFT_E_BEGINS:
    return weft_bytes_begin(text, part);
  case WEFT_E_ENDS:
    return weft_bytes_end(text, part);
  case WEFT_E_CONTAINS:
    return weft_bytes_contain(text, part);
  default:
    return WEFT_UNKNOWABLE;
  }
}

static enum weft_truth match(enum weft_expr_kind kind, const struct weft_operand *a,
                             const struct weft_operand *pattern) {
  char room[WEFT_INT_TEXT];
  struct weft_slice text, part = weft_operand_bytes(pattern);
  if (pattern->column) return WEFT_UNKNOWABLE;
  if (a->v.type == WEFT_BYTES && pattern->v.type == WEFT_BYTES)
    return match_bytes(kind, weft_operand_bytes(a), part);
  if (pattern->v.type != WEFT_TEXT || !as_text(a, room, &text)) return WEFT_UNKNOWABLE;
  if (kind != WEFT_E_LIKE && kind != WEFT_E_ILIKE) return match_bytes(kind, text, part);
  /* What is no text is cast, and then has the database's collation. */
  enum weft_collation collation =
      a->v.type == WEFT_TEXT ? (enum weft_collation)a->column->collation : WEFT_COLLATE_EQUAL;
  if (collation != WEFT_COLLATE_BINARY && collation != WEFT_COLLATE_EQUAL) return WEFT_UNKNOWABLE;
  return like(collation, text, part, kind == WEFT_E_ILIKE);
}

static enum weft_truth truth(const struct weft_operand *cell) {
  return cell->v.type == WEFT_BOOL ? (enum weft_truth)(cell->v.u.i != 0) : WEFT_UNKNOWABLE;
}

const struct weft_semantics weft_semantics_postgres = {
    .compare = compare,
    .match = match,
    .truth = truth,
    .path_collation = WEFT_COLLATE_EQUAL,
    .json_escapes = true,
};
