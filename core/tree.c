/* SPDX-License-Identifier: MIT */
/* The writer goes down the tree once to make room for the places where each part's names were written,
   then row by row: a part that is met under thousands of parents escapes its names once. */
#include "tree.h"

#include <stdlib.h>

#include "json.h"

struct weft_tree *weft_tree_new(struct weft_rows *rows, uint32_t n) {
  struct weft_tree *t = weft_zalloc(sizeof *t + n * sizeof *t->branches);
  t->rows = rows;
  t->nbranches = n;
  t->branches = (struct weft_branch *)(t + 1);
  return t;
}

void weft_tree_free(struct weft_tree *t) {
  if (!t) return;
  for (uint32_t i = 0; i < t->nbranches; i++) {
    weft_links_free(t->branches[i].links);
    weft_tree_free(t->branches[i].tree);
  }
  weft_rows_unref(t->rows);
  free(t);
}

/* A tree while it is written. */
struct part {
  const struct weft_tree *tree;
  struct weft_json_name *columns, *names; /* of the columns, of the branches */
  struct part *parts;                     /* one per branch */
};

static void *zeros(struct weft_arena *arena, size_t size) {
  return memset(weft_arena_alloc(arena, size), 0, size);
}

static void prepare(struct weft_arena *arena, const struct weft_tree *t, struct part *p) {
  uint32_t n = t->nbranches, known = t->rows ? t->rows->ncols : 0;
  if (known > WEFT_JSON_NAMES) known = WEFT_JSON_NAMES;
  *p = (struct part){.tree = t};
  p->columns = zeros(arena, (known + (size_t)n + 1) * sizeof *p->columns);
  p->names = p->columns + known;
  p->parts = zeros(arena, (n + (size_t)1) * sizeof *p->parts);
  for (uint32_t i = 0; i < n; i++)
    if (t->branches[i].tree) prepare(arena, t->branches[i].tree, &p->parts[i]);
}

static void put_row(struct weft_buf *out, const struct part *p, uint32_t row);

static void put_list(struct weft_buf *out, const struct part *p, const uint32_t *rows, uint32_t n) {
  weft_buf_char(out, '[');
  for (uint32_t i = 0; i < n && !weft_buf_failed(out); i++) {
    if (i) weft_buf_char(out, ',');
    put_row(out, p, rows ? rows[i] : i);
  }
  weft_buf_char(out, ']');
}

/* first: of the object, which has no columns then; that is too rare to be remembered. */
static void put_branch(struct weft_buf *out, const struct part *p, uint32_t branch, uint32_t row,
                       bool first) {
  const struct weft_branch *b = &p->tree->branches[branch];
  const struct weft_links *l = b->links;
  const uint32_t *child = l ? l->child + l->start[row] : NULL;
  uint32_t n = l ? l->start[row + 1] - l->start[row] : 0;
  struct weft_json_name once = {0};
  weft_json_name(out, b->name, first, first ? &once : &p->names[branch]);
  if (b->many) put_list(out, &p->parts[branch], child, n);
  else put_row(out, &p->parts[branch], *child);
}

static bool absent(const struct weft_branch *b, uint32_t row) {
  return !b->many && (!b->links || b->links->start[row] == b->links->start[row + 1]);
}

static void put_row(struct weft_buf *out, const struct part *p, uint32_t row) {
  const struct weft_tree *t = p->tree;
  bool first = t->rows->ncols == 0;
  if (!first) weft_json_columns(out, t->rows, row, p->columns);
  for (uint32_t i = 0; i < t->nbranches; i++) {
    if (absent(&t->branches[i], row)) continue;
    put_branch(out, p, i, row, first);
    first = false;
  }
  if (first) weft_buf_char(out, '{');
  weft_buf_char(out, '}');
}

bool weft_json_tree_piece(struct weft_buf *out, const struct weft_tree *t, uint32_t *row, size_t size) {
  uint32_t n = t->rows ? t->rows->nrows : 0, i = *row;
  struct weft_arena arena;
  struct part root;
  weft_arena_init(&arena, NULL, 0);
  prepare(&arena, t, &root); /* names are known by where they are in out */
  if (i == 0) weft_buf_char(out, '[');
  for (; i < n && (i == *row || out->n < size) && !weft_buf_failed(out); i++) {
    if (i) weft_buf_char(out, ',');
    put_row(out, &root, i);
  }
  bool more = i < n && !weft_buf_failed(out);
  if (!more) weft_buf_char(out, ']');
  weft_arena_release(&arena);
  *row = i;
  return more;
}

void weft_json_tree(struct weft_buf *out, const struct weft_tree *t) {
  uint32_t row = 0;
  weft_json_tree_piece(out, t, &row, SIZE_MAX);
}
