/* SPDX-License-Identifier: MIT */
/* Trees are built bottom up and never changed, so a node knows the depth below it. Folding happens
   here and nowhere else: whoever walks a finished tree meets TRUE and FALSE only at its root, no
   NULL beside a comparison, and no NULL inside a list. */
#include "expr.h"

static const struct weft_expr true_node = {.kind = WEFT_E_TRUE};
static const struct weft_expr false_node = {.kind = WEFT_E_FALSE};
static const struct weft_expr star_node = {.kind = WEFT_E_STAR};

const struct weft_expr *weft_expr_true(void) { return &true_node; }
const struct weft_expr *weft_expr_false(void) { return &false_node; }
const struct weft_expr *weft_expr_star(void) { return &star_node; }

static struct weft_expr *node(struct weft_arena *a, enum weft_expr_kind kind) {
  struct weft_expr *e = weft_arena_alloc(a, sizeof *e);
  memset(e, 0, sizeof *e);
  e->kind = (uint8_t)kind;
  return e;
}

static void adopt(struct weft_expr *e, const struct weft_expr *const *kids, uint32_t n) {
  uint16_t deepest = 0;
  for (uint32_t i = 0; i < n; i++)
    if (kids[i]->depth > deepest) deepest = kids[i]->depth;
  e->depth = deepest == UINT16_MAX ? deepest : (uint16_t)(deepest + 1);
  e->kids = kids;
  e->nkids = n;
}

static struct weft_expr *parent(struct weft_arena *a, enum weft_expr_kind kind,
                                const struct weft_expr *const *kids, uint32_t n) {
  struct weft_expr *e = node(a, kind);
  const struct weft_expr **own = weft_arena_alloc(a, (n ? n : 1) * sizeof *own);
  if (n) memcpy(own, kids, n * sizeof *own);
  adopt(e, own, n);
  return e;
}

const struct weft_expr *weft_expr_column(struct weft_arena *a, struct weft_slice name) {
  struct weft_expr *e = node(a, WEFT_E_COLUMN);
  e->name = weft_arena_slice(a, name);
  return e;
}

const struct weft_expr *weft_expr_joined(struct weft_arena *a, struct weft_slice qualifier,
                                         struct weft_slice name) {
  struct weft_expr *e = node(a, WEFT_E_COLUMN);
  e->name = weft_arena_slice(a, name);
  e->qualifier = weft_arena_slice(a, qualifier);
  return e;
}

static const struct weft_value *copy_values(struct weft_arena *a, const struct weft_value *v,
                                            uint32_t n) {
  struct weft_value *own = weft_arena_alloc(a, (n ? n : 1) * sizeof *own);
  for (uint32_t i = 0; i < n; i++) own[i] = weft_value_copy(a, v[i]);
  return own;
}

const struct weft_expr *weft_expr_path(struct weft_arena *a, const struct weft_expr *column,
                                       const struct weft_value *steps, uint32_t n) {
  struct weft_expr *e = parent(a, WEFT_E_PATH, &column, 1);
  e->path = copy_values(a, steps, n);
  e->npath = n;
  return e;
}

const struct weft_expr *weft_expr_value(struct weft_arena *a, struct weft_value v) {
  struct weft_expr *e = node(a, v.type == WEFT_LIST ? WEFT_E_LIST : WEFT_E_VALUE);
  e->value = weft_value_copy(a, v);
  return e;
}

const struct weft_expr *weft_expr_raw(struct weft_arena *a, struct weft_slice text,
                                      const struct weft_expr *const *params, uint32_t n) {
  struct weft_expr *e = parent(a, WEFT_E_RAW, params, n);
  e->name = weft_arena_slice(a, text);
  return e;
}

const struct weft_expr *weft_expr_tuple(struct weft_arena *a, const struct weft_expr *const *kids,
                                        uint32_t n) {
  return parent(a, WEFT_E_TUPLE, kids, n);
}

const struct weft_expr *weft_expr_some(struct weft_arena *a, struct weft_slice name,
                                       const struct weft_association *association, bool open,
                                       const struct weft_expr *condition) {
  if (!condition) condition = &true_node;
  if (association && condition->kind == WEFT_E_FALSE) return &false_node;
  struct weft_expr *e = parent(a, WEFT_E_SOME, &condition, 1);
  e->name = weft_arena_slice(a, name);
  e->association = association;
  e->open = open;
  return e;
}

/* The list without its NULLs; *had tells whether there were any. Elements keep their memory. */
static struct weft_value without_null(struct weft_arena *a, struct weft_value list, bool *had) {
  const struct weft_array *from = list.u.array;
  uint32_t n = 0;
  for (uint32_t i = 0; i < from->n; i++) n += from->v[i].type != WEFT_NULL;
  *had = n < from->n;
  if (!*had) return list;
  struct weft_array *to = weft_arena_alloc(a, sizeof *to + n * sizeof *to->v);
  to->n = 0;
  to->elem = from->elem;
  for (uint32_t i = 0; i < from->n; i++)
    if (from->v[i].type != WEFT_NULL) to->v[to->n++] = from->v[i];
  list.u.array = to;
  return list;
}

static const struct weft_expr *member(struct weft_arena *a, enum weft_expr_kind kind,
                                      const struct weft_expr *x, struct weft_value list) {
  struct weft_expr *right = node(a, WEFT_E_LIST);
  right->value = list;
  return parent(a, kind, (const struct weft_expr *[]){x, right}, 2);
}

/* x IN list, folded; NOT_IN is its exact opposite, NULLs of the list included. An open path may speak of one
   row among several: it stays one condition until that is known. */
static const struct weft_expr *membership(struct weft_arena *a, enum weft_expr_kind kind,
                                          const struct weft_expr *x, struct weft_value list) {
  bool had, in = kind == WEFT_E_IN;
  list.type = WEFT_LIST;
  if (x->kind == WEFT_E_PATH && x->open) return member(a, kind, x, list);
  list = without_null(a, list, &had);
  const struct weft_expr *found = in ? &false_node : &true_node;
  if (list.u.array->n) found = member(a, kind, x, list);
  if (!had) return found;
  const struct weft_expr *null = weft_expr_unary(a, in ? WEFT_E_IS_NULL : WEFT_E_NOT_NULL, x);
  return weft_expr_logic(a, in ? WEFT_E_OR : WEFT_E_AND,
                         (const struct weft_expr *[]){found, null}, 2);
}

static const struct operator {
  const char *word;
  uint8_t kind;
} operators[] = {
    {"=", WEFT_E_EQ},           {"!=", WEFT_E_NE},         {"<", WEFT_E_LT},
    {"<=", WEFT_E_LE},          {">", WEFT_E_GT},          {">=", WEFT_E_GE},
    {"in", WEFT_E_IN},          {"not_in", WEFT_E_NOT_IN}, {"between", WEFT_E_BETWEEN},
    {"like", WEFT_E_LIKE},      {"ilike", WEFT_E_ILIKE},   {"begins_with", WEFT_E_BEGINS},
    {"ends_with", WEFT_E_ENDS}, {"contains", WEFT_E_CONTAINS},
    {"is_null", WEFT_E_IS_NULL}, {"not_null", WEFT_E_NOT_NULL},
};
enum { NOPERATORS = sizeof operators / sizeof *operators };

static const char *operator_word(enum weft_expr_kind kind) {
  for (size_t i = 0; i < NOPERATORS; i++)
    if (operators[i].kind == kind) return operators[i].word;
  return kind == WEFT_E_ADD ? "increment" : "?";
}

static const char *operator_name(const void *ud, size_t i, size_t *len) {
  (void)ud;
  *len = strlen(operators[i].word);
  return operators[i].word;
}

int weft_expr_operator(struct weft_slice word, enum weft_expr_kind *out, struct weft_error *err) {
  for (size_t i = 0; i < NOPERATORS; i++)
    if (weft_slice_equal(word, weft_slice_of(operators[i].word))) {
      *out = operators[i].kind;
      return 0;
    }
  size_t len;
  int n = word.n > 80 ? 80 : (int)word.n;
  const char *near = weft_nearest(word.p, word.n, NOPERATORS, operator_name, NULL, &len);
  if (near)
    return weft_fail(err, WEFT_USAGE, "unknown operator '%.*s'; did you mean '%.*s'?", n, word.p,
                     (int)len, near);
  return weft_fail(err, WEFT_USAGE,
                   "unknown operator '%.*s'; there are = != < <= > >= in not_in between like ilike "
                   "begins_with ends_with contains is_null not_null",
                   n, word.p);
}

static bool is_null_value(const struct weft_expr *e) {
  return e->kind == WEFT_E_VALUE && e->value.type == WEFT_NULL;
}

int weft_expr_binary(struct weft_arena *a, enum weft_expr_kind kind, const struct weft_expr *left,
                     const struct weft_expr *right, const struct weft_expr **out,
                     struct weft_error *err) {
  bool list = right->kind == WEFT_E_LIST;
  bool member = kind == WEFT_E_IN || kind == WEFT_E_NOT_IN;
  bool query = member && right->kind == WEFT_E_QUERY;
  if (!query && (right->kind == WEFT_E_QUERY || left->kind == WEFT_E_TUPLE))
    return weft_fail(err, WEFT_USAGE, "several columns, and a query, are compared by in and not_in "
                                      "alone, one with the other");
  if (member && right->kind == WEFT_E_VALUE && right->value.type == WEFT_ARRAY) list = true;
  if (is_null_value(right)) {
    if (kind != WEFT_E_EQ && kind != WEFT_E_NE)
      return weft_fail(err, WEFT_USAGE, "operator '%s' cannot take null; use is_null or not_null",
                       operator_word(kind));
    *out = weft_expr_unary(a, kind == WEFT_E_EQ ? WEFT_E_IS_NULL : WEFT_E_NOT_NULL, left);
    return 0;
  }
  if (list && (member || kind == WEFT_E_EQ || kind == WEFT_E_NE)) {
    bool in = kind == WEFT_E_IN || kind == WEFT_E_EQ;
    *out = membership(a, in ? WEFT_E_IN : WEFT_E_NOT_IN, left, right->value);
    return 0;
  }
  if (list) return weft_fail(err, WEFT_USAGE, "operator '%s' takes no list", operator_word(kind));
  if (member && right->kind != WEFT_E_RAW && right->kind != WEFT_E_QUERY)
    return weft_fail(err, WEFT_USAGE, "operator '%s' needs a list", operator_word(kind));
  *out = parent(a, kind, (const struct weft_expr *[]){left, right}, 2);
  return 0;
}

int weft_expr_between(struct weft_arena *a, const struct weft_expr *x, const struct weft_expr *lo,
                      const struct weft_expr *hi, const struct weft_expr **out,
                      struct weft_error *err) {
  if (is_null_value(lo) || is_null_value(hi) || lo->kind == WEFT_E_LIST || hi->kind == WEFT_E_LIST)
    return weft_fail(err, WEFT_USAGE, "operator 'between' needs two values, none of them null");
  *out = parent(a, WEFT_E_BETWEEN, (const struct weft_expr *[]){x, lo, hi}, 3);
  return 0;
}

static bool never_null(const struct weft_expr *x) {
  return x->kind == WEFT_E_TRUE || x->kind == WEFT_E_FALSE || x->kind == WEFT_E_SOME ||
         x->kind == WEFT_E_IS_NULL || x->kind == WEFT_E_NOT_NULL || x->kind == WEFT_E_UNTRUE;
}

/* Is something said of rows by a dotted name? Until it was looked up, its operators are not those of the row. */
static bool names_rows(const struct weft_expr *e) {
  if (e->kind == WEFT_E_PATH || e->kind == WEFT_E_SOME) return e->open;
  if (e->depth > WEFT_EXPR_DEPTH) return false;
  for (uint32_t i = 0; i < e->nkids; i++)
    if (names_rows(e->kids[i])) return true;
  return false;
}

const struct weft_expr *weft_expr_unary(struct weft_arena *a, enum weft_expr_kind kind,
                                        const struct weft_expr *x) {
  if (kind == WEFT_E_UNTRUE && never_null(x)) kind = WEFT_E_NOT; /* which databases plan better */
  if (kind == WEFT_E_NOT && !names_rows(x)) switch (x->kind) {
      case WEFT_E_TRUE: return &false_node;
      case WEFT_E_FALSE: return &true_node;
      case WEFT_E_NOT: return x->kids[0];
      case WEFT_E_IS_NULL: return parent(a, WEFT_E_NOT_NULL, x->kids, 1);
      case WEFT_E_NOT_NULL: return parent(a, WEFT_E_IS_NULL, x->kids, 1);
      default: break;
    }
  return parent(a, kind, &x, 1);
}

/* Kids of the same operator are taken in, so that a chain of steps stays one flat node. */
const struct weft_expr *weft_expr_logic(struct weft_arena *a, enum weft_expr_kind kind,
                                        const struct weft_expr *const *kids, uint32_t n) {
  const struct weft_expr *zero = kind == WEFT_E_AND ? &false_node : &true_node;
  const struct weft_expr *one = kind == WEFT_E_AND ? &true_node : &false_node;
  uint32_t total = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (kids[i]->kind == zero->kind) return zero;
    if (kids[i]->kind != one->kind) total += kids[i]->kind == kind ? kids[i]->nkids : 1;
  }
  if (total == 0) return one;
  const struct weft_expr **flat = weft_arena_alloc(a, total * sizeof *flat);
  uint32_t at = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (kids[i]->kind == one->kind) continue;
    bool same = kids[i]->kind == kind;
    memcpy(flat + at, same ? kids[i]->kids : &kids[i], (same ? kids[i]->nkids : 1) * sizeof *flat);
    at += same ? kids[i]->nkids : 1;
  }
  if (total == 1 && !(kind == WEFT_E_OR && names_rows(flat[0]))) return flat[0];
  struct weft_expr *e = node(a, kind);
  adopt(e, flat, total);
  return e;
}

static enum weft_json_class scalar_class(enum weft_type type) {
  switch (type) {
    case WEFT_NULL: return WEFT_JSON_CLASS_NONE;
    case WEFT_BOOL: return WEFT_JSON_CLASS_BOOL;
    case WEFT_INT:
    case WEFT_FLOAT:
    case WEFT_DECIMAL: return WEFT_JSON_CLASS_NUMBER;
    case WEFT_JSON:
    case WEFT_ARRAY: return WEFT_JSON_CLASS_JSON;
    default: return WEFT_JSON_CLASS_TEXT;
  }
}

enum weft_json_class weft_json_class(struct weft_value v) {
  if (v.type != WEFT_LIST) return scalar_class(v.type);
  const struct weft_array *list = v.u.array;
  enum weft_json_class found = WEFT_JSON_CLASS_NONE;
  for (uint32_t i = 0; i < list->n; i++) {
    enum weft_json_class one = scalar_class(list->v[i].type);
    if (i && one != found) return WEFT_JSON_CLASS_MIXED;
    found = one;
  }
  return found;
}

/* ---- what is said of one row ---- */

/* Conditions in which a SOME may stand. */
static bool holds_conditions(const struct weft_expr *e) {
  return e->kind == WEFT_E_AND || e->kind == WEFT_E_OR || e->kind == WEFT_E_NOT ||
         e->kind == WEFT_E_UNTRUE || e->kind == WEFT_E_SOME;
}

static bool holds_open(const struct weft_expr *e) {
  if (!holds_conditions(e) || e->depth > WEFT_EXPR_DEPTH) return false;
  if (e->kind == WEFT_E_SOME && e->open) return true;
  for (uint32_t i = 0; i < e->nkids; i++)
    if (holds_open(e->kids[i])) return true;
  return false;
}

static bool same_row(const struct weft_expr *a, const struct weft_expr *b) {
  return b->kind == WEFT_E_SOME && b->open && a->association == b->association &&
         weft_slice_equal(a->name, b->name);
}

/* The open SOME first, and those of the n kids behind it that speak of the same row, which leave. */
static const struct weft_expr *join_rows(struct weft_arena *a, const struct weft_expr *first,
                                         const struct weft_expr **kids, uint32_t *n) {
  const struct weft_expr **said = weft_arena_alloc(a, (*n + 1) * sizeof *said);
  uint32_t nsaid = 0, left = 0;
  said[nsaid++] = first->kids[0];
  for (uint32_t i = 0; i < *n; i++)
    if (same_row(first, kids[i])) said[nsaid++] = kids[i]->kids[0];
    else kids[left++] = kids[i];
  *n = left;
  if (nsaid == 1) return first;
  return weft_expr_some(a, first->name, first->association, true,
                        weft_expr_logic(a, WEFT_E_AND, said, nsaid));
}

static const struct weft_expr *merge_kids(struct weft_arena *a, const struct weft_expr *e) {
  const struct weft_expr **kids = weft_arena_alloc(a, e->nkids * sizeof *kids);
  for (uint32_t i = 0; i < e->nkids; i++) kids[i] = weft_expr_merge(a, e->kids[i]);
  switch (e->kind) {
    case WEFT_E_SOME: return weft_expr_some(a, e->name, e->association, e->open, kids[0]);
    case WEFT_E_AND:
    case WEFT_E_OR: return weft_expr_logic(a, e->kind, kids, e->nkids);
    default: return weft_expr_unary(a, e->kind, kids[0]);
  }
}

const struct weft_expr *weft_expr_merge(struct weft_arena *a, const struct weft_expr *e) {
  if (!holds_open(e)) return e;
  if (e->kind == WEFT_E_AND) {
    uint32_t n = e->nkids;
    const struct weft_expr **kids = weft_arena_alloc(a, n * sizeof *kids);
    memcpy(kids, e->kids, n * sizeof *kids);
    for (uint32_t i = 0; i < n; i++) {
      if (kids[i]->kind != WEFT_E_SOME || !kids[i]->open) continue;
      uint32_t rest = n - i - 1;
      kids[i] = join_rows(a, kids[i], kids + i + 1, &rest);
      n = i + 1 + rest;
    }
    e = weft_expr_logic(a, WEFT_E_AND, kids, n);
  }
  return merge_kids(a, e);
}

const char *weft_expr_aggregate(enum weft_expr_kind kind) {
  switch (kind) {
    case WEFT_E_COUNT:
    case WEFT_E_COUNT_DISTINCT: return "count";
    case WEFT_E_SUM: return "sum";
    case WEFT_E_AVG: return "avg";
    case WEFT_E_MIN: return "min";
    case WEFT_E_MAX: return "max";
    default: return NULL;
  }
}
