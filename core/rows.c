/* SPDX-License-Identifier: MIT */
/* Layout: one block holds the struct, room for the first cells and the arena's first memory. Cells
   that outgrow it move to a block of their own, which doubles. cap counts rows. What is made of other
   row sets never grows: its block ends with the parents, and its cells are in it unless it is a view,
   whose cells are its parent's. */
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
  c->first = NULL;
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
  if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL)) return;
  weft_columns_unref(c->first);
  free(c);
}

/* The first n columns, owned. They are remembered once; whoever wants another number makes his own. */
static struct weft_columns *columns_first(struct weft_columns *c, uint32_t n) {
  struct weft_columns *made, *none = NULL, *known = __atomic_load_n(&c->first, __ATOMIC_ACQUIRE);
  if (known && known->n == n) return weft_columns_ref(known);
  made = weft_columns_new(c->v, n);
  made->presented = c->presented;
  if (__atomic_compare_exchange_n(&c->first, &none, made, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    weft_columns_ref(made);
  return made;
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

static uint64_t most_rows(uint32_t ncols) {
  return ((uint64_t)1 << 31) / (ncols ? ncols : 1);
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
  r->zero_dates = 0;
  r->parents = NULL;
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
  if (!r->parents && !cells_inline(r)) free(r->cells);
  for (struct weft_rows **p = r->parents; p && *p; p++) weft_rows_unref(*p);
  weft_arena_release(&r->arena);
  weft_columns_unref(r->columns);
  free(r);
  __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}

/* Of nrows rows whose cells point into the n given row sets; room for cells of its own, or none. */
static struct weft_rows *derived(struct weft_columns *columns, uint32_t nrows, uint32_t ncols,
                                 size_t cells, struct weft_rows *const *parents, uint32_t n) {
  size_t size = cells * sizeof(struct weft_value);
  struct weft_rows *r = weft_alloc(sizeof *r + size + ((size_t)n + 1) * sizeof *r->parents);
  *r = (struct weft_rows){.refs = 1,
                          .nrows = nrows,
                          .ncols = ncols,
                          .cap = nrows,
                          .columns = columns ? weft_columns_ref(columns) : NULL,
                          .cells = (struct weft_value *)(r + 1),
                          .affected = parents[0]->affected,
                          .last_id = parents[0]->last_id,
                          .parents = (struct weft_rows **)((char *)(r + 1) + size)};
  for (uint32_t i = 0; i < n; i++) r->parents[i] = weft_rows_ref(parents[i]);
  r->parents[n] = NULL;
  weft_arena_init(&r->arena, NULL, 0);
  __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
  return r;
}

struct weft_rows *weft_rows_view(struct weft_rows *r, uint32_t first, uint32_t n) {
  struct weft_rows *v = derived(r->columns, n, r->ncols, 0, &r, 1);
  v->cells = r->cells + (size_t)first * r->ncols;
  return v;
}

/* Rows of another width (which equal columns rule out) are cut or filled up. */
static void copy_rows(struct weft_value *to, uint32_t ncols, const struct weft_rows *from) {
  if (from->ncols == ncols) {
    if (from->nrows && ncols) memcpy(to, from->cells, (size_t)from->nrows * ncols * sizeof *to);
    return;
  }
  uint32_t n = from->ncols < ncols ? from->ncols : ncols;
  for (uint32_t i = 0; i < from->nrows; i++, to += ncols) {
    for (uint32_t c = 0; c < n; c++) to[c] = weft_rows_row(from, i)[c];
    for (uint32_t c = n; c < ncols; c++) to[c] = weft_null();
  }
}

struct weft_rows *weft_rows_concat(struct weft_rows *const *v, uint32_t n) {
  uint32_t ncols = v[0]->ncols;
  uint64_t nrows = 0;
  for (uint32_t i = 0; i < n; i++) nrows += v[i]->nrows;
  if (nrows > most_rows(ncols)) return NULL;
  struct weft_rows *r = derived(v[0]->columns, (uint32_t)nrows, ncols, nrows * ncols, v, n);
  struct weft_value *at = r->cells;
  for (uint32_t i = 0; i < n; i++) {
    copy_rows(at, ncols, v[i]);
    at += (size_t)v[i]->nrows * ncols;
  }
  return r;
}

struct weft_rows *weft_rows_project(struct weft_rows *r, struct weft_columns *columns,
                                    const uint32_t *numbers) {
  uint32_t ncols = columns->n;
  struct weft_rows *p = derived(columns, r->nrows, ncols, (size_t)r->nrows * ncols, &r, 1);
  struct weft_value *at = p->cells;
  for (uint32_t i = 0; i < r->nrows; i++) {
    const struct weft_value *row = weft_rows_row(r, i);
    for (uint32_t c = 0; c < ncols; c++) *at++ = row[numbers[c]];
  }
  return p;
}

static bool grow(struct weft_rows *r) {
  uint64_t limit = most_rows(r->ncols);
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

struct weft_rows *weft_rows_first(struct weft_rows *r, uint32_t n) {
  enum { SMALL_ROW = 64 };
  uint32_t small[SMALL_ROW], *numbers = n > SMALL_ROW ? weft_alloc(n * sizeof *numbers) : small;
  struct weft_columns *columns = columns_first(r->columns, n);
  for (uint32_t i = 0; i < n; i++) numbers[i] = i;
  struct weft_rows *p = weft_rows_project(r, columns, numbers);
  weft_columns_unref(columns);
  if (numbers != small) free(numbers);
  return p;
}

size_t weft_rows_bytes(const struct weft_rows *r) {
  size_t cells = (size_t)r->cap * r->ncols * sizeof *r->cells;
  size_t bytes = sizeof *r + cells + r->arena.total;
  if (cells_inline(r))
    for (struct weft_rows **p = r->parents; p && *p; p++) bytes += weft_rows_bytes(*p);
  return bytes;
}

struct weft_value weft_value_present(struct weft_value v, uint32_t as,
                                     char scratch[WEFT_PRESENT_TEXT]) {
  switch (as) {
  case WEFT_AS_STRING:
    if (v.type == WEFT_DECIMAL) return weft_text(scratch, weft_decimal_text(scratch, v.u.dec));
    if (v.type == WEFT_INT) return weft_text(scratch, weft_int_text(scratch, v.u.i));
    if (v.type == WEFT_JSON) v.type = WEFT_TEXT;
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
