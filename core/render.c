/* SPDX-License-Identifier: MIT */
/* Expressions as SQL. Values never become text: each is a slot, numbered as it is written. Every
   name is quoted. What databases write differently goes through the dialect's hooks. */
#include "render.h"

#include <stdarg.h>
#include <stdio.h>

void weft_render_fail(struct weft_renderer *r, enum weft_kind kind, const char *fmt, ...) {
  char message[400];
  va_list args;
  if (r->failed) return;
  r->failed = true;
  va_start(args, fmt);
  vsnprintf(message, sizeof message, fmt, args);
  va_end(args);
  weft_fail(r->err, kind, "%s", message);
}

void weft_dialect_identifier(const struct weft_dialect *d, struct weft_buf *out,
                             struct weft_slice name) {
  weft_buf_char(out, d->quote);
  for (size_t i = 0; i < name.n; i++) {
    if (name.p[i] == d->quote) weft_buf_char(out, d->quote);
    weft_buf_char(out, name.p[i]);
  }
  weft_buf_char(out, d->quote);
}

void weft_render_name(struct weft_renderer *r, struct weft_slice name) {
  if (!name.n || memchr(name.p, 0, name.n))
    weft_render_fail(r, WEFT_USAGE, "a name is empty or holds a zero byte");
  weft_dialect_identifier(r->d, r->out, name);
}

void weft_render_literal(struct weft_renderer *r, struct weft_slice s) {
  bool escape = s.n && memchr(s.p, '\\', s.n) && r->d->escape_strings;
  if (escape) weft_render_lit(r, "E");
  weft_render_lit(r, "'");
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '\'' || (s.p[i] == '\\' && (escape || r->d->backslash_strings)))
      weft_buf_char(r->out, s.p[i]);
    weft_buf_char(r->out, s.p[i]);
  }
  weft_render_lit(r, "'");
}

void weft_render_table(struct weft_renderer *r, const struct weft_table *t) {
  if (t->schema.n) {
    weft_render_name(r, t->schema);
    weft_render_lit(r, ".");
  }
  weft_render_name(r, t->name);
}

const struct weft_table_column *weft_render_column(const struct weft_renderer *r,
                                                   struct weft_slice name) {
  int i = weft_table_column(r->parts->table, name);
  return i < 0 ? NULL : &r->parts->table->columns[i];
}

/* ---- columns ---- */

void weft_render_reference(struct weft_renderer *r, const struct weft_expr *column, bool always) {
  struct weft_slice table = r->qualify;
  if (!table.n && always) table = r->parts->table->name;
  if (column->qualifier.n) {
    uint32_t i = weft_parts_join(r->parts, column->qualifier);
    table = i < r->parts->njoins ? r->joined[i] : column->qualifier;
  }
  if (table.n) {
    weft_render_name(r, table);
    weft_render_lit(r, ".");
  }
  weft_render_name(r, column->name);
}

/* ---- parameters ---- */

static bool same_type(const struct weft_column_type *a, const struct weft_column_type *b) {
  return a->type == b->type && a->oid == b->oid && a->elem_oid == b->elem_oid &&
         a->size == b->size && a->precision == b->precision && a->scale == b->scale;
}

static uint32_t add_slot(struct weft_renderer *r, const struct weft_slot *slot) {
  if (r->d->numbered)
    for (uint32_t i = r->nslots; i-- > 0 && r->nslots - i < 8;)
      if (r->slots[i].source == slot->source && r->slots[i].form == slot->form &&
          same_type(&r->slots[i].type, &slot->type))
        return i;
  if (r->nslots == r->cap) {
    uint32_t cap = r->cap ? r->cap * 2 : 8;
    struct weft_slot *more = weft_arena_alloc(r->arena, cap * sizeof *more);
    if (r->nslots) memcpy(more, r->slots, r->nslots * sizeof *more);
    r->slots = more;
    r->cap = cap;
  }
  r->slots[r->nslots] = *slot;
  return r->nslots++;
}

void weft_render_param(struct weft_renderer *r, uint32_t source,
                       const struct weft_column_type *type, const struct weft_table_column *column,
                       enum weft_slot_form form) {
  static const struct weft_column_type any = {.type = WEFT_ANY, .precision = -1, .scale = -1};
  struct weft_slot slot = {.source = source, .form = (uint8_t)form, .type = type ? *type : any};
  if (column) slot.column = weft_arena_slice(r->arena, column->name);
  uint32_t i = add_slot(r, &slot);
  if (r->d->numbered) weft_buf_fmt(r->out, "$%u", i + 1);
  else weft_render_lit(r, "?");
}

struct weft_typed weft_render_type(const struct weft_renderer *r, const struct weft_expr *e) {
  e = weft_render_resolve(r, e);
  struct weft_typed t = {NULL, NULL};
  switch (e->kind) {
    case WEFT_E_COLUMN:
      t.column = weft_parts_column(r->parts, e);
      if (t.column) t.type = &t.column->type;
      break;
    case WEFT_E_COUNT:
    case WEFT_E_COUNT_DISTINCT: t.type = &r->d->count; break;
    case WEFT_E_MIN:
    case WEFT_E_MAX:
      t.column = weft_parts_column(r->parts, e->kids[0]);
      if (t.column) t.type = &t.column->type;
      break;
    default: break;
  }
  return t;
}

/* ---- operands ---- */

const struct weft_expr *weft_render_resolve(const struct weft_renderer *r,
                                            const struct weft_expr *e) {
  if (!r->aliases || e->kind != WEFT_E_COLUMN || e->qualifier.n) return e;
  for (uint32_t i = 0; i < r->parts->nselect; i++)
    if (weft_slice_equal(r->parts->select[i].name, e->name)) return r->parts->select[i].expr;
  return e;
}

static void aggregate(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *x = e->kids[0];
  bool count = e->kind == WEFT_E_COUNT || e->kind == WEFT_E_COUNT_DISTINCT;
  weft_buf_str(r->out, weft_expr_aggregate(e->kind));
  weft_render_lit(r, "(");
  if (e->kind == WEFT_E_COUNT_DISTINCT) weft_render_lit(r, "distinct ");
  if (x->kind == WEFT_E_STAR && e->kind == WEFT_E_COUNT) weft_render_lit(r, "*");
  else if (x->kind == WEFT_E_STAR)
    weft_render_fail(r, WEFT_USAGE, "%s needs a column", weft_expr_aggregate(e->kind));
  else if (x->kind == WEFT_E_PATH && !count) r->d->path(r, x, WEFT_PATH_NUMBER);
  else weft_render_operand(r, x);
  weft_render_lit(r, ")");
}

/* A mark takes the next kid; everything else is the user's text as it is. */
static void raw(struct weft_renderer *r, const struct weft_expr *e) {
  struct weft_slice piece;
  struct weft_error err;
  uint32_t used = 0;
  size_t at = 0;
  int token;
  weft_error_clear(&err);
  r->flags |= WEFT_PLAN_RAW;
  weft_render_lit(r, "(");
  while ((token = weft_token(r->d, e->name, &at, &piece, &err)) > 0) {
    if (token == WEFT_TOKEN_MARKS) weft_render_lit(r, "?");
    else if (token == WEFT_TOKEN_OWN)
      weft_render_fail(r, WEFT_USAGE, "weft.raw takes ? marks, not '%.*s'",
                       piece.n > 40 ? 40 : (int)piece.n, piece.p);
    else if (token != WEFT_TOKEN_MARK) weft_buf_slice_add(r->out, piece);
    else if (used++ < e->nkids)
      weft_render_right(r, e->kids[used - 1], (struct weft_typed){NULL, NULL});
  }
  /* A line comment would swallow what follows. */
  if (e->name.n && (memmem(e->name.p, e->name.n, "--", 2) ||
                    (r->d->hash_comments && memchr(e->name.p, '#', e->name.n))))
    weft_render_lit(r, "\n");
  weft_render_lit(r, ")");
  if (token < 0) weft_render_fail(r, err.kind, "%s", err.message);
  if (used != e->nkids)
    weft_render_fail(r, WEFT_USAGE, "weft.raw has %u marks and %u parameters", used, e->nkids);
}

static void tuple(struct weft_renderer *r, const struct weft_expr *e) {
  for (uint32_t i = 0; i < e->nkids; i++) {
    weft_buf_str(r->out, i ? ", " : "(");
    weft_render_operand(r, e->kids[i]);
  }
  weft_render_lit(r, ")");
}

void weft_render_operand(struct weft_renderer *r, const struct weft_expr *e) {
  bool aliases = r->aliases;
  e = weft_render_resolve(r, e);
  r->aliases = false; /* inside an alias' expression names are columns again */
  switch (e->kind) {
    case WEFT_E_COLUMN: weft_render_reference(r, e, false); break;
    case WEFT_E_PATH: r->d->path(r, e, WEFT_PATH_BARE); break;
    case WEFT_E_VALUE:
    case WEFT_E_LIST: weft_render_right(r, e, (struct weft_typed){NULL, NULL}); break;
    case WEFT_E_RAW: raw(r, e); break;
    case WEFT_E_QUERY: weft_render_query(r, e->query); break;
    case WEFT_E_TUPLE: tuple(r, e); break;
    case WEFT_E_COUNT:
    case WEFT_E_COUNT_DISTINCT:
    case WEFT_E_SUM:
    case WEFT_E_AVG:
    case WEFT_E_MIN:
    case WEFT_E_MAX: aggregate(r, e); break;
    case WEFT_E_ADD:
      weft_render_operand(r, e->kids[0]);
      weft_render_lit(r, " + ");
      weft_render_right(r, e->kids[1], weft_render_type(r, e->kids[0]));
      break;
    case WEFT_E_STAR: weft_render_lit(r, "*"); break;
    default: r->aliases = aliases; weft_render_condition(r, e);
  }
  r->aliases = aliases;
}

void weft_render_right(struct weft_renderer *r, const struct weft_expr *e, struct weft_typed as) {
  if (e->kind == WEFT_E_VALUE) weft_render_param(r, e->source, as.type, as.column, WEFT_SLOT_VALUE);
  else if (e->kind == WEFT_E_LIST)
    weft_render_param(r, e->source, as.type, as.column,
                      r->d->numbered ? WEFT_SLOT_ARRAY : WEFT_SLOT_JSON);
  else weft_render_operand(r, e);
}

/* ---- conditions ---- */

enum weft_path_as weft_render_path_as(struct weft_renderer *r, const struct weft_expr *right) {
  if (right->kind != WEFT_E_VALUE && right->kind != WEFT_E_LIST) return WEFT_PATH_BARE;
  switch (weft_json_class(right->value)) {
    case WEFT_JSON_CLASS_NUMBER: return WEFT_PATH_NUMBER;
    case WEFT_JSON_CLASS_TEXT: return WEFT_PATH_TEXT;
    case WEFT_JSON_CLASS_BOOL: return WEFT_PATH_BOOL;
    case WEFT_JSON_CLASS_JSON: return WEFT_PATH_JSON;
    default:
      weft_render_fail(r, WEFT_USAGE, "a list for a path holds values of one JSON type");
      return WEFT_PATH_BARE;
  }
}

static const char *comparison(enum weft_expr_kind kind) {
  static const char *const signs[] = {" = ", " <> ", " < ", " <= ", " > ", " >= "};
  return signs[kind - WEFT_E_EQ];
}

/* A value may be compared with a column that could not store it: what is between 0.99 and 1.00 is
   below 1.00. */
static const struct weft_column_type *unlimited(struct weft_renderer *r,
                                                const struct weft_column_type *type) {
  if (!type || type->type != WEFT_DECIMAL || type->precision < 0) return type;
  struct weft_column_type *free_type = weft_arena_alloc(r->arena, sizeof *free_type);
  *free_type = *type;
  free_type->precision = free_type->scale = -1;
  return free_type;
}

struct weft_typed weft_render_left(struct weft_renderer *r, const struct weft_expr *x,
                                   const struct weft_expr *right) {
  x = weft_render_resolve(r, x);
  struct weft_typed t = weft_render_type(r, x);
  if (x->kind == WEFT_E_PATH) {
    enum weft_path_as as = weft_render_path_as(r, right);
    r->d->path(r, x, as);
    if (as != WEFT_PATH_BARE) t.type = &r->d->path_types[as];
  } else if (x->kind == WEFT_E_COLUMN && t.column && r->d->column) {
    t.type = r->d->column(r, x, t.column);
  } else {
    weft_render_operand(r, x);
  }
  t.type = unlimited(r, t.type);
  return t;
}

static void compare(struct weft_renderer *r, const struct weft_expr *e) {
  struct weft_typed t = weft_render_left(r, e->kids[0], e->kids[1]);
  weft_buf_str(r->out, comparison(e->kind));
  weft_render_right(r, e->kids[1], t);
}

static void between(struct weft_renderer *r, const struct weft_expr *e) {
  const struct weft_expr *x = weft_render_resolve(r, e->kids[0]);
  if (x->kind == WEFT_E_PATH &&
      weft_render_path_as(r, e->kids[1]) != weft_render_path_as(r, e->kids[2]))
    weft_render_fail(r, WEFT_USAGE, "between on a path needs two values of one JSON type");
  struct weft_typed t = weft_render_left(r, x, e->kids[1]);
  weft_render_lit(r, " between ");
  weft_render_right(r, e->kids[1], t);
  weft_render_lit(r, " and ");
  weft_render_right(r, e->kids[2], t);
}

static void member(struct weft_renderer *r, const struct weft_expr *e) {
  if (e->kids[1]->kind == WEFT_E_LIST) {
    r->d->list(r, e);
    return;
  }
  bool array = r->d->array_query && e->kind == WEFT_E_IN && e->kids[0]->kind != WEFT_E_TUPLE &&
               e->kids[1]->kind == WEFT_E_QUERY;
  weft_render_operand(r, e->kids[0]);
  if (array) weft_render_lit(r, " = any(array");
  else weft_buf_str(r->out, e->kind == WEFT_E_IN ? " in " : " not in ");
  weft_render_operand(r, e->kids[1]);
  if (array) weft_render_lit(r, ")");
}

/* Databases limit how deep a chain of operators nests: a long one is written as a balanced tree. */
static void chain(struct weft_renderer *r, const struct weft_expr *const *kids, uint32_t n,
                  const char *word) {
  enum { FLAT = 50 };
  if (n > FLAT) {
    weft_render_lit(r, "(");
    chain(r, kids, n / 2, word);
    weft_render_lit(r, ")");
    weft_buf_str(r->out, word);
    weft_render_lit(r, "(");
    chain(r, kids + n / 2, n - n / 2, word);
    weft_render_lit(r, ")");
    return;
  }
  for (uint32_t i = 0; i < n; i++) {
    bool logic = kids[i]->kind == WEFT_E_AND || kids[i]->kind == WEFT_E_OR;
    if (i) weft_buf_str(r->out, word);
    if (logic) weft_render_lit(r, "(");
    weft_render_condition(r, kids[i]);
    if (logic) weft_render_lit(r, ")");
  }
}

void weft_render_condition(struct weft_renderer *r, const struct weft_expr *e) {
  switch (e->kind) {
    case WEFT_E_FALSE:
    case WEFT_E_TRUE: weft_buf_str(r->out, r->d->truth[e->kind == WEFT_E_TRUE]); break;
    case WEFT_E_EQ:
    case WEFT_E_NE:
    case WEFT_E_LT:
    case WEFT_E_LE:
    case WEFT_E_GT:
    case WEFT_E_GE: compare(r, e); break;
    case WEFT_E_LIKE:
    case WEFT_E_ILIKE:
    case WEFT_E_BEGINS:
    case WEFT_E_ENDS:
    case WEFT_E_CONTAINS: r->d->match(r, e); break;
    case WEFT_E_IN:
    case WEFT_E_NOT_IN: member(r, e); break;
    case WEFT_E_BETWEEN: between(r, e); break;
    case WEFT_E_IS_NULL:
    case WEFT_E_NOT_NULL:
      weft_render_operand(r, e->kids[0]);
      weft_buf_str(r->out, e->kind == WEFT_E_IS_NULL ? " is null" : " is not null");
      break;
    case WEFT_E_AND: chain(r, e->kids, e->nkids, " and "); break;
    case WEFT_E_OR: chain(r, e->kids, e->nkids, " or "); break;
    case WEFT_E_NOT:
      weft_render_lit(r, "not (");
      weft_render_condition(r, e->kids[0]);
      weft_render_lit(r, ")");
      break;
    case WEFT_E_UNTRUE:
      weft_render_lit(r, "(");
      weft_render_condition(r, e->kids[0]);
      weft_render_lit(r, ") is not true");
      break;
    case WEFT_E_SOME: weft_render_some(r, e); break;
    default: weft_render_operand(r, e);
  }
}
