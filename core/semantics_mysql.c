/* SPDX-License-Identifier: MIT */
/* MySQL compares a column with a parameter of the column's own type, as the plan binds it: numbers by
   value, times by instant, text by the column's collation. Only Unicode's binary collations are known
   here; those that pad compare as if spaces followed the shorter text. */
#include <math.h>

#include "buf.h"
#include "decimal.h"
#include "semantics.h"

static enum weft_ordering compare_float(double a, double b, bool single) {
  if (isnan(a) || isnan(b)) return WEFT_R_UNKNOWN;
  return weft_relation_of_floats(a, b, single);
}

/* The longer text's rest against spaces. */
static int compare_padded(struct weft_slice a, struct weft_slice b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n ? memcmp(a.p, b.p, n) : 0;
  struct weft_slice longer = a.n > b.n ? a : b;
  for (size_t i = n; i < longer.n && !order; i++)
    order = (longer.p == a.p && a.n > b.n ? 1 : -1) * ((unsigned char)longer.p[i] - ' ');
  return order;
}

static enum weft_ordering compare_text(enum weft_collation how, struct weft_slice a,
                                       struct weft_slice b) {
  if (how == WEFT_COLLATE_BINARY) return weft_relation_of(weft_bytes_compare(a, b));
  if (how == WEFT_COLLATE_RTRIM) return weft_relation_of(compare_padded(a, b));
  return WEFT_R_UNKNOWN;
}

/* An integer where the type is a decimal: unsigned 64 bits are shown as the smaller of the two. */
static bool as_decimal(struct weft_value v, struct weft_decimal *out) {
  if (v.type == WEFT_DECIMAL) *out = *v.u.dec;
  else if (v.type == WEFT_INT) weft_decimal_from_int(v.u.i, out);
  return v.type == WEFT_DECIMAL || v.type == WEFT_INT;
}

static enum weft_ordering compare_decimal(struct weft_value a, struct weft_value b) {
  struct weft_decimal x, y;
  if (!as_decimal(a, &x) || !as_decimal(b, &y)) return WEFT_R_UNKNOWN;
  return weft_relation_of(weft_decimal_compare(&x, &y));
}

static bool same_type(const struct weft_table_column *a, const struct weft_table_column *b) {
  return a->type.type == b->type.type && a->type.size == b->type.size && a->collation == b->collation;
}

/* An enum's place in its declaration orders it in some comparisons and its text in others. */
static bool labelled(const struct weft_table_column *c) {
  struct weft_slice d = c->declared;
  return (d.n > 5 && memcmp(d.p, "enum(", 5) == 0) || (d.n > 4 && memcmp(d.p, "set(", 4) == 0);
}

static enum weft_ordering compare_values(const struct weft_table_column *c, struct weft_value a,
                                         struct weft_value b) {
  enum weft_type type = c->type.type;
  if (type == WEFT_DECIMAL) return compare_decimal(a, b);
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
    return compare_float(a.u.f, b.u.f, c->type.size == 4);
  case WEFT_BYTES:
    return weft_relation_of(weft_bytes_compare(weft_slice(a.u.s, a.n), weft_slice(b.u.s, b.n)));
  case WEFT_UUID: /* ordered by parts that are not in the order of the text */
    return weft_slice_equal(weft_slice(a.u.s, a.n), weft_slice(b.u.s, b.n)) ? WEFT_R_SAME : WEFT_R_OTHER;
  case WEFT_TEXT:
    return compare_text((enum weft_collation)c->collation, weft_slice(a.u.s, a.n), weft_slice(b.u.s, b.n));
  default:
    return WEFT_R_UNKNOWN;
  }
}

static enum weft_ordering compare(const struct weft_operand *a, const struct weft_operand *b) {
  const struct weft_table_column *c = a->column ? a->column : b->column;
  if (a->column && b->column && (!same_type(a->column, b->column) || labelled(c) || labelled(b->column)))
    return WEFT_R_UNKNOWN;
  return compare_values(c, a->v, b->v);
}

/* The cell as its text, which is what patterns see. */
static bool as_text(const struct weft_operand *o, char room[WEFT_INT_TEXT], struct weft_slice *out) {
  *out = weft_operand_bytes(o);
  if (o->v.type == WEFT_INT || o->v.type == WEFT_BOOL)
    *out = weft_slice(room, weft_int_text(room, o->v.u.i));
  else if (o->v.type != WEFT_TEXT && o->v.type != WEFT_UUID) return false;
  return weft_utf8_valid(out->p, out->n);
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

/* A pattern that ends in the escape, or folds what is no ASCII, is the database's to judge. */
static enum weft_truth like(const struct weft_table_column *c, struct weft_slice text,
                            struct weft_slice pattern, bool fold) {
  bool binary = c->collation == WEFT_COLLATE_BINARY || c->collation == WEFT_COLLATE_RTRIM;
  if (pattern.n && pattern.p[pattern.n - 1] == '\\') return WEFT_UNKNOWABLE;
  if (!fold) return binary ? (enum weft_truth)weft_like(text, pattern, '\\', NULL) : WEFT_UNKNOWABLE;
  if (!weft_bytes_ascii(text) || !weft_bytes_ascii(pattern)) return WEFT_UNKNOWABLE;
  return weft_like(text, pattern, '\\', weft_ascii_lower);
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
  return a->v.type == WEFT_TEXT ? like(a->column, text, part, kind == WEFT_E_ILIKE) : WEFT_UNKNOWABLE;
}

static enum weft_truth truth(const struct weft_operand *cell) {
  bool whole = cell->v.type == WEFT_BOOL || cell->v.type == WEFT_INT;
  return whole ? (enum weft_truth)(cell->v.u.i != 0) : WEFT_UNKNOWABLE;
}

const struct weft_semantics weft_semantics_mysql = {
    .compare = compare,
    .match = match,
    .truth = truth,
    .path_collation = WEFT_COLLATE_RTRIM,
};
