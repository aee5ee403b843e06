/* SPDX-License-Identifier: MIT */
/* The expression tree: one enum, one node struct, folding constructors. A tree lives in the arena of
   the query clause that holds it, is immutable once built, and has four uses: rendered to SQL,
   compiled to DynamoDB expressions, evaluated against rows, asked whether a write can touch a result.

   Constructors fold: AND of nothing is TRUE, OR of nothing FALSE, NOT of a constant its opposite,
   IN of an empty list FALSE, IN of a list with NULL becomes (IN the others) OR IS NULL, EQ NULL is
   IS_NULL, NE NULL is NOT_NULL. A comparison of order or LIKE with NULL fails as WEFT_USAGE. */
#ifndef WEFT_EXPR_H
#define WEFT_EXPR_H

#include "table.h"

#pragma GCC visibility push(default)

enum weft_expr_kind {
  WEFT_E_FALSE,
  WEFT_E_TRUE,
  /* operands */
  WEFT_E_COLUMN, /* name; qualifier: of which joined association, empty: of the query's own table */
  WEFT_E_PATH,   /* kid 0 a column that holds json; path: list of text and integer steps */
  WEFT_E_VALUE,  /* a parameter: value. Beside a path its JSON type matters to the shape; no more */
  WEFT_E_LIST,   /* a parameter that is a whole list: value.type == WEFT_LIST, no NULL inside */
  WEFT_E_RAW,    /* text of weft.raw with ? marks, kids are its parameters in order */
  WEFT_E_STAR,   /* of count(*) */
  WEFT_E_QUERY,  /* a sub-select: the right side of IN; query */
  WEFT_E_TUPLE,  /* several operands: the left side of IN (WEFT_E_QUERY) */
  /* conditions on kids 0 and 1 */
  WEFT_E_EQ,
  WEFT_E_NE,
  WEFT_E_LT,
  WEFT_E_LE,
  WEFT_E_GT,
  WEFT_E_GE,
  WEFT_E_LIKE,  /* the database's own */
  WEFT_E_ILIKE, /* folds case */
  WEFT_E_BEGINS,
  WEFT_E_ENDS,
  WEFT_E_CONTAINS, /* these three compare bytes on every database */
  WEFT_E_IN,       /* kid 1 is a LIST */
  WEFT_E_NOT_IN,
  WEFT_E_BETWEEN, /* kids 0, 1, 2 */
  WEFT_E_IS_NULL, /* kid 0 */
  WEFT_E_NOT_NULL,
  WEFT_E_UNTRUE, /* kid 0, a condition, is false or NULL: two-valued where NOT is three-valued */
  /* There is a row of the association for which kid 0 holds, a condition over the association's table
     (TRUE: any row). Two-valued. association is NULL until name was looked up: such a tree is loose and
     cannot be rendered. */
  WEFT_E_SOME,
  /* logic */
  WEFT_E_AND,
  WEFT_E_OR,
  WEFT_E_NOT,
  /* aggregates of kid 0 */
  WEFT_E_COUNT,
  WEFT_E_COUNT_DISTINCT,
  WEFT_E_SUM,
  WEFT_E_AVG,
  WEFT_E_MIN,
  WEFT_E_MAX,
  /* of an update: kid 0 + kid 1 */
  WEFT_E_ADD,
  WEFT_E_KIND_COUNT
};

enum { WEFT_EXPR_DEPTH = 500 }; /* deeper trees are refused by weft_query_check */

struct weft_association;
struct weft_query;

struct weft_expr {
  uint8_t kind;             /* enum weft_expr_kind */
  bool open;                /* said by a dotted name. SOME: those of one AND speak of the same row. PATH: its first
                               part may be an association */
  uint16_t depth;           /* of the tree below, sticks at 65535 */
  uint32_t nkids;
  struct weft_slice name;   /* COLUMN: its name. RAW: the text. SOME: the association's */
  union {
    struct weft_value value;     /* VALUE, LIST */
    struct weft_slice qualifier; /* COLUMN */
  };
  union {
    const struct weft_value *path; /* PATH: TEXT or INT steps */
    const struct weft_association *association; /* SOME; the clause holds the reference */
    const struct weft_query *query;             /* QUERY; likewise */
  };
  uint32_t npath;
  uint32_t source;          /* VALUE, LIST of a plan's own query: its place in weft_query_walk */
  const struct weft_expr *const *kids;
};

/* Constructors; memory from arena, text is copied. Those that cannot fail return the node. */
const struct weft_expr *weft_expr_true(void);
const struct weft_expr *weft_expr_false(void);
const struct weft_expr *weft_expr_column(struct weft_arena *a, struct weft_slice name);
const struct weft_expr *weft_expr_joined(struct weft_arena *a, struct weft_slice qualifier,
                                         struct weft_slice name);
const struct weft_expr *weft_expr_path(struct weft_arena *a, const struct weft_expr *column,
                                       const struct weft_value *steps, uint32_t n);
const struct weft_expr *weft_expr_value(struct weft_arena *a, struct weft_value v); /* LIST too */
const struct weft_expr *weft_expr_raw(struct weft_arena *a, struct weft_slice text,
                                      const struct weft_expr *const *params, uint32_t n);
const struct weft_expr *weft_expr_star(void);
/* EQ .. CONTAINS, IN, NOT_IN, ADD. EQ and NE against a list are IN and NOT_IN; the right side of IN
   may be raw text or a QUERY (a sub-select). */
int weft_expr_binary(struct weft_arena *a, enum weft_expr_kind kind, const struct weft_expr *left,
                     const struct weft_expr *right, const struct weft_expr **out,
                     struct weft_error *err);
int weft_expr_between(struct weft_arena *a, const struct weft_expr *x, const struct weft_expr *lo,
                      const struct weft_expr *hi, const struct weft_expr **out,
                      struct weft_error *err);
/* Several columns as one operand, and a sub-select of as many. Neither takes a reference: whoever puts the
   tree into a clause calls weft_query_hold (query.h). */
const struct weft_expr *weft_expr_tuple(struct weft_arena *a, const struct weft_expr *const *kids,
                                        uint32_t n);
const struct weft_expr *weft_expr_query(struct weft_arena *a, const struct weft_query *query);
/* SOME; association may be NULL (loose), condition NULL is TRUE. FALSE when condition is FALSE, once the
   association is known. No reference is taken, as above. */
const struct weft_expr *weft_expr_some(struct weft_arena *a, struct weft_slice name,
                                       const struct weft_association *association, bool open,
                                       const struct weft_expr *condition);
/* e with the open SOMEs of one name that stand in one AND made one SOME over the AND of their conditions,
   at every depth: what one where(...) says of an association it says of one row. e itself when there are
   none. */
const struct weft_expr *weft_expr_merge(struct weft_arena *a, const struct weft_expr *e);
/* Does it hold a SOME that was not looked up? */
bool weft_expr_loose(const struct weft_expr *e);
/* IS_NULL NOT_NULL UNTRUE NOT COUNT COUNT_DISTINCT SUM AVG MIN MAX. */
const struct weft_expr *weft_expr_unary(struct weft_arena *a, enum weft_expr_kind kind,
                                        const struct weft_expr *x);
/* AND, OR of n kids. What an OR says of rows by dotted names stays an OR, even of one kid: they are rows of
   its own. */
const struct weft_expr *weft_expr_logic(struct weft_arena *a, enum weft_expr_kind kind,
                                        const struct weft_expr *const *kids, uint32_t n);

/* "=" "!=" "<" "<=" ">" ">=" "in" "not_in" "between" "like" "ilike" "begins_with" "ends_with"
   "contains" "is_null" "not_null" -> kind; WEFT_USAGE with the nearest valid word otherwise. */
int weft_expr_operator(struct weft_slice word, enum weft_expr_kind *out, struct weft_error *err);

/* "count" "sum" "avg" "min" "max"; NULL for what is no aggregate. */
const char *weft_expr_aggregate(enum weft_expr_kind kind);

/* The hash of the tree without the values of its parameters, and equality of the same notion. Trees
   of equal shape render to the same SQL with the same parameters in order. A parameter's type counts
   only where it changes the SQL: beside a path. */
uint64_t weft_expr_shape(uint64_t seed, const struct weft_expr *e);
bool weft_expr_same_shape(const struct weft_expr *a, const struct weft_expr *b);

/* A deep copy into another arena. */
const struct weft_expr *weft_expr_copy(struct weft_arena *a, const struct weft_expr *e);
/* The same without what its parameters hold (types stay): what a plan keeps. Every node is its own,
   also where e shares some. */
const struct weft_expr *weft_expr_skeleton(struct weft_arena *a, const struct weft_expr *e);

/* What kind of JSON value a parameter is compared with beside a path. */
enum weft_json_class {
  WEFT_JSON_CLASS_NONE, /* NULL, or a list of nothing */
  WEFT_JSON_CLASS_NUMBER,
  WEFT_JSON_CLASS_TEXT,
  WEFT_JSON_CLASS_BOOL,
  WEFT_JSON_CLASS_JSON,
  WEFT_JSON_CLASS_MIXED /* a list of several */
};
enum weft_json_class weft_json_class(struct weft_value v);

#pragma GCC visibility pop

#endif
