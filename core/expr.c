/* SPDX-License-Identifier: MIT */
/* Trees are built bottom up and never changed, so a node knows the depth below it. Folding happens
   here and nowhere else: whoever walks a finished tree meets TRUE and FALSE only at its root, no
   NULL beside a comparison, and no NULL inside a list. */
#include "expr.h"

#include "hash.h"

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

/* x IN list, folded; NOT_IN is its exact opposite, NULLs of the list included. */
static const struct weft_expr *membership(struct weft_arena *a, enum weft_expr_kind kind,
                                          const struct weft_expr *x, struct weft_value list) {
  bool had, in = kind == WEFT_E_IN;
  list.type = WEFT_LIST;
  list = without_null(a, list, &had);
  const struct weft_expr *found = in ? &false_node : &true_node;
  if (list.u.array->n) {
    struct weft_expr *right = node(a, WEFT_E_LIST);
    right->value = list;
    found = parent(a, kind, (const struct weft_expr *[]){x, right}, 2);
  }
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
  if (member && right->kind != WEFT_E_RAW)
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

const struct weft_expr *weft_expr_unary(struct weft_arena *a, enum weft_expr_kind kind,
                                        const struct weft_expr *x) {
  if (kind == WEFT_E_NOT) switch (x->kind) {
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
  if (total == 1) return flat[0];
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

static bool is_parameter(const struct weft_expr *e) {
  return e->kind == WEFT_E_VALUE || e->kind == WEFT_E_LIST;
}

static bool beside_path(const struct weft_expr *e) {
  return e->nkids > 1 && e->kids[0]->kind == WEFT_E_PATH && e->kind >= WEFT_E_EQ &&
         e->kind <= WEFT_E_BETWEEN;
}

uint64_t weft_expr_shape(uint64_t seed, const struct weft_expr *e) {
  uint64_t h = weft_hash_mix(seed, e->kind | (uint64_t)e->nkids << 8);
  if (e->depth > WEFT_EXPR_DEPTH) return h;
  if (e->kind == WEFT_E_COLUMN || e->kind == WEFT_E_RAW)
    h = weft_hash_bytes(h, e->name.p, e->name.n);
  for (uint32_t i = 0; i < e->npath; i++) h = weft_value_hash(h, e->path[i]);
  for (uint32_t i = 0; i < e->nkids; i++) h = weft_expr_shape(h, e->kids[i]);
  if (beside_path(e))
    for (uint32_t i = 1; i < e->nkids; i++)
      if (is_parameter(e->kids[i])) h = weft_hash_mix(h, weft_json_class(e->kids[i]->value));
  return h;
}

static bool same_step(struct weft_value a, struct weft_value b) {
  return a.type == b.type && weft_value_equal(a, b);
}

bool weft_expr_same_shape(const struct weft_expr *a, const struct weft_expr *b) {
  if (a == b) return true;
  if (a->kind != b->kind || a->nkids != b->nkids || a->npath != b->npath) return false;
  if (a->depth > WEFT_EXPR_DEPTH) return false;
  if (a->kind == WEFT_E_VALUE || a->kind == WEFT_E_LIST) return true;
  if (!weft_slice_equal(a->name, b->name)) return false;
  for (uint32_t i = 0; i < a->npath; i++)
    if (!same_step(a->path[i], b->path[i])) return false;
  for (uint32_t i = 0; i < a->nkids; i++)
    if (!weft_expr_same_shape(a->kids[i], b->kids[i])) return false;
  if (beside_path(a))
    for (uint32_t i = 1; i < a->nkids; i++)
      if (is_parameter(a->kids[i]) &&
          weft_json_class(a->kids[i]->value) != weft_json_class(b->kids[i]->value))
        return false;
  return true;
}

/* What is left of a value when only its type matters. A list keeps one element (two of different
   types when it is mixed), because weft_json_class looks there. */
static struct weft_value bare(struct weft_arena *a, struct weft_value v) {
  struct weft_value out = {.type = v.type};
  if (weft_is_text(v)) out.u.s = "";
  if (v.type == WEFT_DECIMAL) out.type = WEFT_INT;
  if (v.type != WEFT_LIST && v.type != WEFT_ARRAY) return out;
  const struct weft_array *from = v.u.array;
  enum weft_json_class class = v.type == WEFT_LIST ? weft_json_class(v) : WEFT_JSON_CLASS_NONE;
  struct weft_array *to = weft_arena_alloc(a, sizeof *to + 2 * sizeof *to->v);
  to->n = class == WEFT_JSON_CLASS_NONE ? 0 : class == WEFT_JSON_CLASS_MIXED ? 2 : 1;
  to->elem = from->elem;
  to->v[0] = to->n == 1 ? bare(a, from->v[0]) : weft_int(0);
  to->v[1] = weft_text("", 0);
  out.u.array = to;
  return out;
}

static const struct weft_expr *copy(struct weft_arena *a, const struct weft_expr *e, bool strip) {
  struct weft_expr *c = node(a, e->kind);
  c->depth = e->depth;
  if (e->name.p) c->name = weft_arena_slice(a, e->name);
  if (is_parameter(e)) c->value = strip ? bare(a, e->value) : weft_value_copy(a, e->value);
  if (e->npath) c->path = copy_values(a, e->path, e->npath);
  c->npath = e->npath;
  const struct weft_expr **kids = weft_arena_alloc(a, (e->nkids ? e->nkids : 1) * sizeof *kids);
  for (uint32_t i = 0; i < e->nkids; i++) kids[i] = copy(a, e->kids[i], strip);
  c->kids = kids;
  c->nkids = e->nkids;
  return c;
}

const struct weft_expr *weft_expr_copy(struct weft_arena *a, const struct weft_expr *e) {
  return copy(a, e, false);
}

const struct weft_expr *weft_expr_skeleton(struct weft_arena *a, const struct weft_expr *e) {
  return copy(a, e, true);
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
