/* SPDX-License-Identifier: MIT */
/* Layout: one block holds the struct, room for the first cells and the arena's first memory. Cells
   that outgrow it move to a block of their own, which doubles. cap counts rows. */
#include "rows.h"

#include <stdlib.h>

#include "decimal.h"
#include "json_read.h"

enum {
  SMALL = 1024,         /* the usual block: a look-up by key with its text */
  INLINE_CELLS = 16384, /* bytes of cells that a hint may claim in the first block */
  UNHINTED = 384,       /* bytes of cells when nothing is expected */
  FIRST_TEXT = 384      /* bytes of text expected beside the cells of a small result */
};

static long live; /* for weft_rows_live, the one piece of state of the process */

struct weft_columns *weft_columns_new(const struct weft_column *v, uint32_t n) {
  size_t text = 0;
  for (uint32_t i = 0; i < n; i++) text += v[i].name.n + 1;
  struct weft_columns *c = weft_alloc(sizeof *c + n * sizeof *v + text);
  c->presented = false;
  c->refs = 1;
  c->n = n;
  char *at = (char *)(c->v + n);
  for (uint32_t i = 0; i < n; i++) {
    c->v[i] = v[i];
    c->v[i].name.p = at;
    if (v[i].name.n) memcpy(at, v[i].name.p, v[i].name.n);
    at[v[i].name.n] = 0;
    at += v[i].name.n + 1;
  }
  return c;
}

struct weft_columns *weft_columns_ref(struct weft_columns *c) {
  __atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
  return c;
}

void weft_columns_unref(struct weft_columns *c) {
  if (c && __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0) free(c);
}

bool weft_columns_equal(const struct weft_columns *a, const struct weft_columns *b) {
  if (a == b) return true;
  if (!a || !b || a->n != b->n) return false;
  for (uint32_t i = 0; i < a->n; i++) {
    const struct weft_column *x = &a->v[i], *y = &b->v[i];
    if (x->type != y->type || x->elem != y->elem || x->oid != y->oid || x->as != y->as)
      return false;
    if (!weft_slice_equal(x->name, y->name)) return false;
  }
  return true;
}

/* Bytes of the cells in the first block; whole rows. */
static size_t first_cells(size_t row, uint32_t expected) {
  if (row == 0) return 0;
  size_t rows = expected ? expected : UNHINTED / row + 1, most = INLINE_CELLS / row;
  return (rows < most ? rows : most) * row;
}

struct weft_rows *weft_rows_new(struct weft_columns *columns, uint32_t expected) {
  uint32_t ncols = columns ? columns->n : 0;
  size_t row = ncols * sizeof(struct weft_value);
  size_t cells = first_cells(row, expected);
  size_t size = sizeof(struct weft_rows) + cells;
  /* Up to 1 KB is one size class; beyond it text grows with the cells. */
  size += size + FIRST_TEXT <= SMALL ? SMALL - size : FIRST_TEXT + cells / 2;

  struct weft_rows *r = weft_alloc(size);
  r->refs = 1;
  r->nrows = 0;
  r->ncols = ncols;
  r->cap = row ? (uint32_t)(cells / row) : 0;
  r->columns = columns ? weft_columns_ref(columns) : NULL;
  r->cells = (struct weft_value *)(r + 1);
  r->affected = -1;
  r->last_id = 0;
  r->parent = NULL;
  char *text = (char *)(r + 1) + cells;
  weft_arena_init(&r->arena, text, (size_t)((char *)r + size - text));
  __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
  return r;
}

struct weft_rows *weft_rows_ref(struct weft_rows *r) {
  __atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
  return r;
}

static bool cells_inline(const struct weft_rows *r) {
  return (const void *)r->cells == (const void *)(r + 1);
}

void weft_rows_unref(struct weft_rows *r) {
  if (!r || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
  if (r->parent) weft_rows_unref(r->parent);
  else if (!cells_inline(r)) free(r->cells);
  weft_arena_release(&r->arena);
  weft_columns_unref(r->columns);
  free(r);
  __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}

struct weft_rows *weft_rows_view(struct weft_rows *r, uint32_t first, uint32_t n) {
  struct weft_rows *v = weft_alloc(sizeof *v);
  *v = (struct weft_rows){.refs = 1,
                          .nrows = n,
                          .ncols = r->ncols,
                          .cap = n,
                          .columns = r->columns ? weft_columns_ref(r->columns) : NULL,
                          .cells = r->cells + (size_t)first * r->ncols,
                          .affected = r->affected,
                          .parent = weft_rows_ref(r)};
  weft_arena_init(&v->arena, NULL, 0);
  __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
  return v;
}

static bool grow(struct weft_rows *r) {
  uint64_t limit = ((uint64_t)1 << 31) / (r->ncols ? r->ncols : 1);
  uint64_t cap = r->cap ? (uint64_t)r->cap * 2 : 8;
  if (cap > limit) cap = limit;
  if (r->nrows >= cap) return false;
  if (r->ncols) {
    size_t row = r->ncols * sizeof(struct weft_value);
    bool moved = !cells_inline(r);
    struct weft_value *cells = weft_realloc(moved ? r->cells : NULL, cap * row);
    if (!moved) memcpy(cells, r->cells, r->nrows * row);
    r->cells = cells;
  }
  r->cap = (uint32_t)cap;
  return true;
}

struct weft_value *weft_rows_add(struct weft_rows *r) {
  if (r->nrows == r->cap && !grow(r)) return NULL;
  struct weft_value *row = r->cells + (size_t)r->nrows++ * r->ncols;
  /* WEFT_NULL is zero; payloads of NULL cells are never read. */
  memset(row, 0, r->ncols * sizeof *row);
  return row;
}

size_t weft_rows_bytes(const struct weft_rows *r) {
  size_t cells = (size_t)r->cap * r->ncols * sizeof *r->cells;
  return sizeof *r + cells + r->arena.total;
}

struct weft_value weft_value_present(struct weft_value v, uint32_t as,
                                     char scratch[WEFT_PRESENT_TEXT]) {
  switch (as) {
  case WEFT_AS_STRING:
    if (v.type == WEFT_DECIMAL) return weft_text(scratch, weft_decimal_text(scratch, v.u.dec));
    if (v.type == WEFT_INT) return weft_text(scratch, weft_int_text(scratch, v.u.i));
    return v;
  case WEFT_AS_NUMBER:
    return v.type == WEFT_DECIMAL ? weft_float(weft_decimal_to_float(v.u.dec)) : v;
  case WEFT_AS_JSON:
    if (weft_is_text(v) && weft_json_valid(weft_slice(v.u.s, v.n))) v.type = WEFT_JSON;
    return v;
  case WEFT_AS_EPOCH:
  case WEFT_AS_US: break;
  default: return v;
  }
  if (v.type < WEFT_DATE || v.type > WEFT_TIMESTAMPTZ) return v;
  if (v.u.i == WEFT_INFINITY || v.u.i == -WEFT_INFINITY)
    return weft_text(scratch, weft_time_text(scratch, v));
  const int64_t second = 1000000;
  if (v.type == WEFT_DATE)
    return weft_int(as == WEFT_AS_US ? v.u.i * 86400 * second : v.u.i * 86400);
  if (as == WEFT_AS_US) return weft_int(v.u.i);
  return v.u.i % second == 0 ? weft_int(v.u.i / second) : weft_float((double)v.u.i / 1e6);
}

long weft_rows_live(void) {
  return __atomic_load_n(&live, __ATOMIC_RELAXED);
}
