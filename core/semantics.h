/* SPDX-License-Identifier: MIT */
/* What a database's operators answer for two values, without asking the database: the part of eval
   that differs between dialects, as one const struct each. Pure functions, any thread.

   Every function may say that it cannot know; none may guess. An answer that differs from the
   database's is a wrong row under a cross-database filter and a stale one in the cache. */
#ifndef WEFT_SEMANTICS_H
#define WEFT_SEMANTICS_H

#include "expr.h"

#pragma GCC visibility push(default)

/* The answer to a condition. WEFT_NULLISH is SQL's NULL; declared here so that eval.h and the
   dialects share it. */
enum weft_truth { WEFT_FALSE, WEFT_TRUE, WEFT_NULLISH, WEFT_UNKNOWABLE };

/* How one value stands to another. */
enum weft_ordering {
  WEFT_R_LESS,
  WEFT_R_SAME,
  WEFT_R_MORE,
  WEFT_R_OTHER, /* not equal; which comes first is not known */
  WEFT_R_NULL,  /* the database sees a NULL (SQLite stores NaN as one) */
  WEFT_R_UNKNOWN
};

/* One side of an operator; its value is not NULL. */
struct weft_operand {
  const struct weft_table_column *column; /* the column whose cell it is, or a likeness of one for
                                             what a json path finds; NULL: a parameter, already
                                             converted as the plan binds it */
  struct weft_value v;
  bool digits; /* a number that the database reads from decimal digits (of json) */
};

struct weft_semantics {
  /* At least one side is a cell. */
  enum weft_ordering (*compare)(const struct weft_operand *a, const struct weft_operand *b);
  /* LIKE ILIKE BEGINS ENDS CONTAINS; a parameter is text, or bytes beside a column of bytes. */
  enum weft_truth (*match)(enum weft_expr_kind kind, const struct weft_operand *a,
                           const struct weft_operand *pattern);
  /* A cell that stands where a condition is wanted. */
  enum weft_truth (*truth)(const struct weft_operand *cell);
  enum weft_collation path_collation; /* of text that a json path finds */
  bool json_escapes;                  /* keys are found that the stored json writes with escapes */
};

extern const struct weft_semantics weft_semantics_postgres;
extern const struct weft_semantics weft_semantics_sqlite;
extern const struct weft_semantics weft_semantics_mysql;

/* For the implementations. */

static inline enum weft_ordering weft_relation_of(int order) {
  return order < 0 ? WEFT_R_LESS : order > 0 ? WEFT_R_MORE : WEFT_R_SAME;
}
static inline enum weft_ordering weft_relation_of_ints(int64_t a, int64_t b) {
  return weft_relation_of((a > b) - (a < b));
}
/* -0.0 is 0; none of the two is NaN. A column of four bytes is widened, and a parameter rounded to it. */
static inline enum weft_ordering weft_relation_of_floats(double a, double b, bool single) {
  if (single) a = (float)a, b = (float)b;
  return weft_relation_of((a > b) - (a < b));
}
static inline struct weft_slice weft_operand_bytes(const struct weft_operand *o) {
  return weft_slice(o->v.u.s, o->v.n);
}
static inline unsigned char weft_ascii_lower(unsigned char c) {
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}
/* By bytes, the shorter first when one begins the other. */
int weft_bytes_compare(struct weft_slice a, struct weft_slice b);
bool weft_bytes_begin(struct weft_slice text, struct weft_slice part);
bool weft_bytes_end(struct weft_slice text, struct weft_slice part);
bool weft_bytes_contain(struct weft_slice text, struct weft_slice part);
bool weft_bytes_ascii(struct weft_slice s);

/* SQL's % and _ over valid UTF-8, _ being one code point. escape: the byte before a literal one, 0
   for none; fold: maps bytes on both sides, NULL for none. */
bool weft_like(struct weft_slice text, struct weft_slice pattern, char escape,
               unsigned char (*fold)(unsigned char));

#pragma GCC visibility pop

#endif
