/* SPDX-License-Identifier: MIT */
/* Three-valued logic with a fourth answer, over one row. What two values are to each other is the
   dialect's to say (semantics.h); this file knows operators, operands and logic.

   On the left stands a cell or what a json path finds in one, on the right a cell or a parameter. A
   parameter has the type that the plan gives it; one that cannot be converted is not known, and
   neither is what other rows decide (joins, associations, sub-selects), nor any other tree. */
#include "eval.h"

#include "eval_path.h"

struct scope {
  const struct weft_dialect *dialect;
  const struct weft_table *table;
  const struct weft_value *row;
  struct weft_arena *arena; /* of what paths find */
};

/* The left side; likeness stands for the column that a path has not. */
struct left {
  struct weft_operand o;
  struct weft_table_column likeness;
};

static enum weft_truth opposite(enum weft_truth t) {
  if (t == WEFT_NULLISH || t == WEFT_UNKNOWABLE) return t;
  return t == WEFT_TRUE ? WEFT_FALSE : WEFT_TRUE;
}

static enum weft_truth untrue(enum weft_truth t) {
  return t == WEFT_UNKNOWABLE ? t : t == WEFT_TRUE ? WEFT_FALSE : WEFT_TRUE;
}

/* decides: the answer that settles it, FALSE for AND and TRUE for OR. */
static enum weft_truth settle(enum weft_truth decides, enum weft_truth a, enum weft_truth b) {
  if (a == decides || b == decides) return decides;
  if (a == WEFT_UNKNOWABLE || b == WEFT_UNKNOWABLE) return WEFT_UNKNOWABLE;
  if (a == WEFT_NULLISH || b == WEFT_NULLISH) return WEFT_NULLISH;
  return opposite(decides);
}

static enum weft_truth answer(enum weft_expr_kind kind, enum weft_ordering r) {
  if (r == WEFT_R_NULL) return WEFT_NULLISH;
  if (r == WEFT_R_UNKNOWN) return WEFT_UNKNOWABLE;
  if (kind == WEFT_E_EQ) return r == WEFT_R_SAME;
  if (kind == WEFT_E_NE) return r != WEFT_R_SAME;
  if (r == WEFT_R_OTHER) return WEFT_UNKNOWABLE;
  switch (kind) {
  case WEFT_E_LT:
    return r == WEFT_R_LESS;
  case WEFT_E_LE:
    return r != WEFT_R_MORE;
  case WEFT_E_GT:
    return r == WEFT_R_MORE;
  case WEFT_E_GE:
    return r != WEFT_R_LESS;
  default:
    return WEFT_UNKNOWABLE;
  }
}

/* ---- operands ---- */

static bool cell(const struct scope *s, const struct weft_expr *e, struct weft_operand *out) {
  if (e->kind != WEFT_E_COLUMN || e->qualifier.n || !s->table->known) return false;
  int i = weft_table_column(s->table, e->name);
  if (i < 0) return false;
  *out = (struct weft_operand){.column = &s->table->columns[i], .v = s->row[i]};
  return true;
}

/* What a path is compared as, by the parameter that it meets. */
static bool path_as(const struct weft_expr *right, enum weft_path_as *out) {
  if (right->kind != WEFT_E_VALUE && right->kind != WEFT_E_LIST) return false;
  switch (weft_json_class(right->value)) {
  case WEFT_JSON_CLASS_NUMBER:
    *out = WEFT_PATH_NUMBER;
    return true;
  case WEFT_JSON_CLASS_TEXT:
    *out = WEFT_PATH_TEXT;
    return true;
  case WEFT_JSON_CLASS_BOOL:
    *out = WEFT_PATH_BOOL;
    return true;
  default:
    return false;
  }
}

static bool found(const struct scope *s, const struct weft_expr *e, enum weft_path_as as,
                  struct left *out) {
  const struct weft_dialect *d = s->dialect;
  struct weft_value v = weft_null();
  bool digits = false;
  if (!cell(s, e->kids[0], &out->o)) return false;
  if (out->o.v.type != WEFT_NULL && !weft_eval_path(d, e, out->o.v, as, s->arena, &v, &digits))
    return false;
  out->likeness = (struct weft_table_column){.type = d->path_types[as],
                                             .collation = (uint8_t)d->semantics->path_collation};
  out->o = (struct weft_operand){.column = &out->likeness, .v = v, .digits = digits};
  /* A number of a type of its own has that type wherever it was stored. */
  if (d->path_types[as].type != WEFT_DECIMAL || v.type == WEFT_NULL) return true;
  return v.type != WEFT_FLOAT &&
         weft_value_convert(s->arena, v, &d->path_types[as], &out->o.v, NULL) == 0;
}

static bool is_match(enum weft_expr_kind kind) {
  return kind >= WEFT_E_LIKE && kind <= WEFT_E_CONTAINS;
}

static bool left_side(const struct scope *s, enum weft_expr_kind kind, const struct weft_expr *e,
                      const struct weft_expr *right, struct left *out) {
  enum weft_path_as as = WEFT_PATH_TEXT;
  if (e->kind != WEFT_E_PATH) return cell(s, e, &out->o);
  return (is_match(kind) || path_as(right, &as)) && found(s, e, as, out);
}

/* ---- operators ---- */

/* The left side meets p: a cell, or a parameter that takes its type here as in the plan. */
static enum weft_truth meet(const struct scope *s, enum weft_expr_kind kind,
                            const struct weft_operand *left, struct weft_operand p) {
  const struct weft_column_type *type = &left->column->type;
  const struct weft_semantics *semantics = s->dialect->semantics;
  char room[256];
  struct weft_arena arena;
  enum weft_truth t = WEFT_UNKNOWABLE;
  if (is_match(kind) && type->type != WEFT_BYTES) type = &s->dialect->text;
  weft_arena_init(&arena, room, sizeof room);
  if (p.column || weft_value_convert(&arena, p.v, type, &p.v, NULL) == 0) {
    if (p.v.type == WEFT_BYTES && (kind == WEFT_E_LIKE || kind == WEFT_E_ILIKE)) t = WEFT_UNKNOWABLE;
    else if (left->v.type == WEFT_NULL || p.v.type == WEFT_NULL) t = WEFT_NULLISH;
    else if (is_match(kind)) t = semantics->match(kind, left, &p);
    else t = answer(kind, semantics->compare(left, &p));
  }
  weft_arena_release(&arena);
  return t;
}

static enum weft_truth binary(const struct scope *s, enum weft_expr_kind kind,
                              const struct weft_expr *left, const struct weft_expr *right) {
  struct left a;
  struct weft_operand b;
  if (right->kind == WEFT_E_VALUE) b = (struct weft_operand){.v = right->value};
  else if (!cell(s, right, &b)) return WEFT_UNKNOWABLE;
  return left_side(s, kind, left, right, &a) ? meet(s, kind, &a.o, b) : WEFT_UNKNOWABLE;
}

/* Two integers of an integer column that differ. Lists of keys are long and mostly that. */
static bool other_integer(const struct weft_operand *x, struct weft_value v) {
  const struct weft_column_type *type = &x->column->type;
  if (type->type != WEFT_INT || x->v.type != WEFT_INT || v.type != WEFT_INT) return false;
  int64_t top = type->size == 2 ? INT16_MAX : type->size == 4 ? INT32_MAX : INT64_MAX;
  return x->v.u.i != v.u.i && v.u.i <= top && v.u.i >= -top - 1;
}

/* x = any element: the first that is equal settles it. An empty list holds nothing, NULL included.
 */
static enum weft_truth in_list(const struct scope *s, const struct weft_expr *e) {
  struct left x;
  const struct weft_expr *right = e->kids[1];
  if (right->kind != WEFT_E_LIST || !left_side(s, WEFT_E_IN, e->kids[0], right, &x))
    return WEFT_UNKNOWABLE;
  const struct weft_array *list = right->value.u.array;
  enum weft_truth t = WEFT_FALSE;
  for (uint32_t i = 0; i < list->n && t != WEFT_TRUE; i++) {
    if (other_integer(&x.o, list->v[i])) continue;
    t = settle(WEFT_TRUE, t, meet(s, WEFT_E_EQ, &x.o, (struct weft_operand){.v = list->v[i]}));
  }
  return t;
}

static enum weft_truth is_null(const struct scope *s, const struct weft_expr *x) {
  struct left a;
  bool known = x->kind == WEFT_E_PATH ? found(s, x, WEFT_PATH_BARE, &a) : cell(s, x, &a.o);
  return known ? (enum weft_truth)(a.o.v.type == WEFT_NULL) : WEFT_UNKNOWABLE;
}

static enum weft_truth bare_column(const struct scope *s, const struct weft_expr *e) {
  struct weft_operand o;
  if (!cell(s, e, &o)) return WEFT_UNKNOWABLE;
  return o.v.type == WEFT_NULL ? WEFT_NULLISH : s->dialect->semantics->truth(&o);
}

static enum weft_truth eval(const struct scope *s, const struct weft_expr *e);

static enum weft_truth logic(const struct scope *s, const struct weft_expr *e) {
  enum weft_truth decides = e->kind == WEFT_E_AND ? WEFT_FALSE : WEFT_TRUE, t = opposite(decides);
  for (uint32_t i = 0; i < e->nkids && t != decides; i++)
    t = settle(decides, t, eval(s, e->kids[i]));
  return t;
}

static enum weft_truth eval(const struct scope *s, const struct weft_expr *e) {
  switch ((enum weft_expr_kind)e->kind) {
  case WEFT_E_FALSE:
    return WEFT_FALSE;
  case WEFT_E_TRUE:
    return WEFT_TRUE;
  case WEFT_E_COLUMN:
    return bare_column(s, e);
  case WEFT_E_EQ:
  case WEFT_E_NE:
  case WEFT_E_LT:
  case WEFT_E_LE:
  case WEFT_E_GT:
  case WEFT_E_GE:
  case WEFT_E_LIKE:
  case WEFT_E_ILIKE:
  case WEFT_E_BEGINS:
  case WEFT_E_ENDS:
  case WEFT_E_CONTAINS:
    return binary(s, e->kind, e->kids[0], e->kids[1]);
  case WEFT_E_IN:
    return in_list(s, e);
  case WEFT_E_NOT_IN:
    return opposite(in_list(s, e));
  case WEFT_E_BETWEEN:
    return settle(WEFT_FALSE, binary(s, WEFT_E_GE, e->kids[0], e->kids[1]),
                  binary(s, WEFT_E_LE, e->kids[0], e->kids[2]));
  case WEFT_E_IS_NULL:
    return is_null(s, e->kids[0]);
  case WEFT_E_NOT_NULL:
    return opposite(is_null(s, e->kids[0]));
  case WEFT_E_AND:
  case WEFT_E_OR:
    return logic(s, e);
  case WEFT_E_NOT:
    return opposite(eval(s, e->kids[0]));
  case WEFT_E_UNTRUE:
    return untrue(eval(s, e->kids[0]));
  default:
    return WEFT_UNKNOWABLE;
  }
}

enum weft_truth weft_eval(const struct weft_dialect *d, const struct weft_table *table,
                          const struct weft_expr *e, const struct weft_value *row) {
  char room[256];
  struct weft_arena arena;
  if (!d->semantics || e->depth > WEFT_EXPR_DEPTH) return WEFT_UNKNOWABLE;
  weft_arena_init(&arena, room, sizeof room);
  enum weft_truth t = eval(&(struct scope){d, table, row, &arena}, e);
  weft_arena_release(&arena);
  return t;
}
