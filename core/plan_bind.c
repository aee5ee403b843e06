/* SPDX-License-Identifier: MIT */
/* Values are gathered in the walk's order and then put into slots. What every look-up does, one
   integer into one integer slot, allocates nothing. */
#include <math.h>

#include "decimal.h"
#include "json.h"
#include "plan.h"

enum { SMALL = 32 };

struct gather {
  struct weft_value *v;
  uint32_t n, cap;
};

static void gather_visit(void *ud, const struct weft_query *c, const struct weft_expr *e,
                         struct weft_value v) {
  struct gather *g = ud;
  (void)c, (void)e;
  if (g->n < g->cap) g->v[g->n] = v;
  g->n++;
}

static int convert(const struct weft_slot *slot, struct weft_arena *arena, struct weft_value v,
                   struct weft_value *out, struct weft_error *err) {
  uint8_t to = slot->type.type;
  bool as_is = to == WEFT_ANY || v.type == WEFT_NULL ||
               (v.type == to && ((to == WEFT_INT && slot->type.size == 8) || to == WEFT_BOOL));
  if (as_is) {
    *out = v;
    return 0;
  }
  struct weft_error why;
  weft_error_clear(&why);
  if (!weft_value_convert(arena, v, &slot->type, out, &why)) return 0;
  if (!slot->column.n) return weft_fail(err, why.kind, "%s", why.message);
  int n = slot->column.n > 63 ? 63 : (int)slot->column.n;
  weft_fail(err, why.kind, "column '%.*s': %s", n, slot->column.p, why.message);
  if (!err) return -1;
  memcpy(err->column, slot->column.p, (size_t)n);
  err->column[n] = 0;
  return -1;
}

uint32_t weft_plan_runs(const struct weft_plan *p, const struct weft_query *q) {
  return p->flags & WEFT_PLAN_REPEAT ? weft_query_verb(q)->nrows : 1;
}

/* ---- inserts of many rows ---- */

struct cells {
  const struct weft_query *verb;
  uint32_t first, n;    /* their sources */
  const uint32_t *item; /* which column the k-th source is */
};

/* Every row leaves out the same columns, for the statement can say so only once. */
static int check_cells(const struct weft_query *verb, struct weft_error *err) {
  const struct weft_value *v = verb->values;
  for (uint32_t row = 1; row < verb->nrows; row++)
    for (uint32_t i = 0; i < verb->nitems; i++)
      if ((v[(size_t)row * verb->nitems + i].type == WEFT_ANY) != (v[i].type == WEFT_ANY))
        return weft_fail(err, WEFT_USAGE, "rows that are created together name the same columns");
  return 0;
}

static int cells_init(struct cells *c, const struct weft_plan *p, const struct weft_query *verb,
                      struct weft_arena *arena, struct weft_error *err) {
  uint32_t *item = weft_arena_alloc(arena, (verb->nitems + 1) * sizeof *item);
  if (check_cells(verb, err)) return -1;
  c->verb = verb;
  c->first = weft_query_verb(p->query)->source;
  c->n = 0;
  for (uint32_t i = 0; i < verb->nitems; i++)
    if (verb->values[i].type != WEFT_ANY) item[c->n++] = i;
  c->item = item;
  return 0;
}

static bool is_cell(const struct cells *c, uint32_t source) {
  return source >= c->first && source - c->first < c->n;
}

static struct weft_value cell(const struct cells *c, uint32_t row, uint32_t source) {
  return c->verb->values[(size_t)row * c->verb->nitems + c->item[source - c->first]];
}

/* A whole column as one list. */
static int bind_column(const struct weft_slot *slot, const struct cells *c,
                       struct weft_arena *arena, struct weft_value *out, struct weft_error *err) {
  uint32_t n = c->verb->nrows;
  struct weft_array *list = weft_arena_alloc(arena, sizeof *list + n * sizeof *list->v);
  list->n = n;
  list->elem = slot->type.type;
  for (uint32_t row = 0; row < n; row++)
    if (convert(slot, arena, cell(c, row, slot->source), &list->v[row], err)) return -1;
  *out = (struct weft_value){.type = WEFT_LIST, .u.array = list};
  return 0;
}

static int bind_many(const struct weft_plan *p, const struct weft_query *verb,
                     const struct weft_value *sources, struct weft_arena *arena,
                     struct weft_value *params, struct weft_error *err) {
  struct cells c;
  uint32_t runs = weft_plan_runs(p, verb);
  if (cells_init(&c, p, verb, arena, err)) return -1;
  for (uint32_t run = 0; run < runs; run++)
    for (uint32_t i = 0; i < p->nslots; i++, params++) {
      const struct weft_slot *slot = &p->slots[i];
      int failed = 0;
      if (slot->source == WEFT_SOURCE_ROWS) *params = weft_int(verb->nrows);
      else if (!is_cell(&c, slot->source))
        failed = convert(slot, arena, sources[slot->source], params, err);
      else if (slot->form == WEFT_SLOT_VALUE)
        failed = convert(slot, arena, cell(&c, run, slot->source), params, err);
      else failed = bind_column(slot, &c, arena, params, err);
      if (failed) return -1;
    }
  return 0;
}

int weft_plan_bind(const struct weft_plan *p, const struct weft_query *q, struct weft_arena *arena,
                   struct weft_value *params, struct weft_error *err) {
  struct weft_value small[SMALL];
  struct gather g = {small, 0, SMALL};
  if (p->nsources > SMALL) {
    g.v = weft_arena_alloc(arena, p->nsources * sizeof *g.v);
    g.cap = p->nsources;
  }
  weft_query_walk(q, gather_visit, &g);
  if (g.n != p->nsources) return weft_fail(err, WEFT_INTERNAL, "a query of another shape");
  const struct weft_query *verb = weft_query_verb(q);
  bool insert = verb && (verb->clause == WEFT_C_INSERT || verb->clause == WEFT_C_UPSERT);
  if (insert && verb->nrows > 1) return bind_many(p, verb, g.v, arena, params, err);
  for (uint32_t i = 0; i < p->nslots; i++)
    if (convert(&p->slots[i], arena, g.v[p->slots[i].source], &params[i], err)) return -1;
  return 0;
}

/* ---- lists that travel as JSON ---- */

static int refuse(const struct weft_slot *slot, const char *what, struct weft_error *err) {
  if (!slot->column.n) return weft_fail(err, WEFT_TYPE, "%s in a list", what);
  return weft_fail(err, WEFT_TYPE, "column '%.*s': %s in a list",
                   slot->column.n > 63 ? 63 : (int)slot->column.n, slot->column.p, what);
}

/* A power of two in pieces of at most 2^62. */
static void powers(struct weft_buf *out, int exponent, int pieces) {
  enum { STEP = 62 };
  for (; pieces > 0; pieces--) {
    int part = exponent > STEP ? STEP : exponent > 0 ? exponent : 0;
    weft_buf_fmt(out, ",%lld", 1ll << part);
    exponent -= part;
  }
}

/* f as [mantissa, three divisors, two factors], all of them integers below 2^63 and all but the
   first powers of two, so that every step is exact. */
static int real(const struct weft_slot *slot, struct weft_buf *out, double f,
                struct weft_error *err) {
  if (isnan(f)) return refuse(slot, "NaN", err);
  if (slot->form == WEFT_SLOT_JSON && isfinite(f)) { /* raw text, which reads plain numbers */
    weft_json_value(out, weft_float(f));
    return 0;
  }
  if (isinf(f)) {
    weft_buf_str(out, f > 0 ? "9e999" : "-9e999");
    return 0;
  }
  if (f == trunc(f) && fabs(f) < 0x1p63) {
    weft_buf_int(out, (int64_t)f);
    return 0;
  }
  int exponent;
  int64_t m = (int64_t)ldexp(frexp(f, &exponent), 53);
  for (exponent -= 53; m % 2 == 0; exponent++) m /= 2;
  if (exponent > 2 * 62 || exponent < -3 * 62)
    return refuse(slot, "a float that is too large or too small", err);
  weft_buf_fmt(out, "[%lld", (long long)m);
  powers(out, -exponent, 3);
  powers(out, exponent, 2);
  weft_buf_char(out, ']');
  return 0;
}

/* A decimal that a double keeps: another one would match what it does not equal. */
static int decimal(const struct weft_slot *slot, struct weft_buf *out,
                   const struct weft_decimal *d, struct weft_error *err) {
  struct weft_decimal back;
  int64_t i;
  if (!weft_decimal_to_int(d, &i)) {
    weft_buf_int(out, i);
    return 0;
  }
  double f = weft_decimal_to_float(d);
  if (weft_decimal_from_float(f, &back) || weft_decimal_compare(&back, d))
    return refuse(slot, "a decimal with more digits than a float keeps", err);
  return real(slot, out, f, err);
}

/* What json_table reads into decimal(65,30) without a loss. */
static int digits(const struct weft_slot *slot, struct weft_buf *out, struct weft_value v,
                  struct weft_error *err) {
  enum { WHOLE = 35, FRACTION = 30 };
  size_t from = out->n;
  weft_value_text(out, v);
  if (weft_buf_failed(out)) return 0;
  const char *text = out->p + from, *point = memchr(text, '.', out->n - from);
  size_t n = out->n - from - (*text == '-'), fraction = point ? (size_t)(out->p + out->n - point) - 1 : 0;
  size_t whole = point ? n - fraction - 1 : n;
  return whole > WHOLE || fraction > FRACTION ? refuse(slot, "a decimal of that many digits", err) : 0;
}

static void hexadecimal(struct weft_buf *out, struct weft_value v) {
  weft_buf_char(out, '"');
  for (uint32_t i = 0; i < v.n; i++) weft_buf_fmt(out, "%02x", (unsigned char)v.u.s[i]);
  weft_buf_char(out, '"');
}

static void local_time(struct weft_buf *out, struct weft_value v) {
  char text[40];
  v.type = WEFT_TIMESTAMP;
  weft_json_string(out, weft_slice(text, weft_time_text(text, v)));
}

static int as_text(const struct weft_slot *slot, struct weft_buf *out, struct weft_value v,
                   struct weft_error *err) {
  if (v.type == WEFT_DECIMAL) return digits(slot, out, v, err);
  if (v.type == WEFT_FLOAT && !isfinite(v.u.f)) return refuse(slot, "a float that is no number", err);
  if (v.type == WEFT_BYTES) hexadecimal(out, v);
  else if (v.type == WEFT_TIMESTAMPTZ) local_time(out, v);
  else weft_json_value(out, v);
  return 0;
}

static bool own_text(uint8_t type) {
  return type == WEFT_DECIMAL || type == WEFT_FLOAT || type == WEFT_BYTES || type == WEFT_TIMESTAMPTZ;
}

static int element(const struct weft_slot *slot, struct weft_buf *out, struct weft_value v,
                   struct weft_error *err) {
  if (slot->form == WEFT_SLOT_JSON_TEXT && own_text(v.type)) return as_text(slot, out, v, err);
  switch (v.type) {
    case WEFT_BOOL:
    case WEFT_INT: weft_buf_int(out, v.u.i); return 0;
    case WEFT_FLOAT: return real(slot, out, v.u.f, err);
    case WEFT_DECIMAL: return decimal(slot, out, v.u.dec, err);
    case WEFT_BYTES: return refuse(slot, "bytes", err);
    case WEFT_TEXT:
    case WEFT_JSON:
    case WEFT_UUID:
    case WEFT_INTERVAL:
      if (v.n && memchr(v.u.s, 0, v.n)) return refuse(slot, "text with a zero byte", err);
      if (!weft_utf8_valid(v.u.s, v.n)) return refuse(slot, "text that is not UTF-8", err);
      weft_json_string(out, weft_slice(v.u.s, v.n));
      return 0;
    case WEFT_ARRAY:
    case WEFT_LIST: return refuse(slot, "a list", err);
    default: weft_json_value(out, v); return 0; /* null, and times as their text */
  }
}

/* A byte before the first keeps the blob from being empty; places count from 1. */
static void span(struct weft_buf *out, struct weft_value v, size_t *at) {
  weft_buf_fmt(out, "[%zu,%u]", *at, v.n);
  *at += v.n;
}

int weft_slot_encode(const struct weft_slot *slot, struct weft_value list, struct weft_arena *arena,
                     struct weft_value *out, struct weft_error *err) {
  struct weft_buf text;
  size_t at = 2;
  int failed = 0;
  if (list.type != WEFT_LIST && list.type != WEFT_ARRAY)
    return weft_fail(err, WEFT_INTERNAL, "a slot for a list holds %s", weft_type_name(list.type));
  weft_buf_init(&text);
  weft_buf_char(&text, slot->form == WEFT_SLOT_JOINED ? 0 : '[');
  for (uint32_t i = 0; i < list.u.array->n && !failed; i++) {
    struct weft_value v = list.u.array->v[i];
    if (slot->form == WEFT_SLOT_JOINED) {
      weft_buf_add(&text, v.u.s, v.n);
      continue;
    }
    if (i) weft_buf_char(&text, ',');
    if (slot->form == WEFT_SLOT_SPANS) span(&text, v, &at);
    else failed = element(slot, &text, v, err);
  }
  if (slot->form != WEFT_SLOT_JOINED) weft_buf_char(&text, ']');
  if (!failed && weft_buf_failed(&text)) failed = refuse(slot, "too much", err);
  if (!failed) {
    *out = weft_text(weft_arena_copy(arena, text.p, text.n), text.n);
    if (slot->form == WEFT_SLOT_JOINED) out->type = WEFT_BYTES;
  }
  weft_buf_release(&text);
  return failed ? -1 : 0;
}
