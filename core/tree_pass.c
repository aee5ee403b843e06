/* SPDX-License-Identifier: MIT */
/* Rows that only lead to other rows are taken out of a tree. */
#include <stdlib.h>

#include "tree.h"

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* The rows that parent i reaches, in order, as often as it reaches them; returns their number. */
static uint32_t reached(const struct weft_links *near, const struct weft_links *far, uint32_t i,
                        uint32_t *out) {
  uint32_t n = 0;
  for (uint32_t k = near->start[i]; k < near->start[i + 1]; k++) {
    uint32_t between = near->child[k];
    for (uint32_t j = far->start[between]; j < far->start[between + 1]; j++) out[n++] = far->child[j];
  }
  qsort(out, n, sizeof *out, by_number);
  return n;
}

static uint32_t cut(uint32_t *v, uint32_t n, int64_t limit, int64_t offset) {
  uint32_t skip = offset > 0 ? (offset < n ? (uint32_t)offset : n) : 0;
  n -= skip;
  if (limit >= 0 && limit < n) n = (uint32_t)limit;
  memmove(v, v + skip, n * sizeof *v);
  return n;
}

static uint64_t total(const struct weft_links *near, const struct weft_links *far) {
  uint64_t n = 0;
  for (uint32_t k = 0; k < near->start[near->nparents]; k++)
    n += far->start[near->child[k] + 1] - far->start[near->child[k]];
  return n;
}

int weft_branch_pass(struct weft_branch *b, int64_t limit, int64_t offset) {
  struct weft_branch *inner = &b->tree->branches[0];
  struct weft_links *near = b->links, *far = inner->links;
  struct weft_links *links = weft_links_new(near->nparents, total(near, far));
  uint32_t at = 0;
  if (!links) return -1;
  for (uint32_t i = 0; i < near->nparents; i++) {
    links->start[i] = at;
    uint32_t n = reached(near, far, i, links->child + at);
    at += cut(links->child + at, n, limit, offset);
  }
  links->start[near->nparents] = at;
  struct weft_tree *passed = inner->tree;
  inner->tree = NULL;
  weft_links_free(near);
  weft_tree_free(b->tree);
  b->links = links;
  b->tree = passed;
  return 0;
}
