/* SPDX-License-Identifier: MIT */
/* Rows and, below them, the rows of each included association, linked by number: what Lua tables and
   JSON are made of without either knowing how it was fetched. Immutable once built, owned by whoever
   holds the root. */
#ifndef WEFT_TREE_H
#define WEFT_TREE_H

#include "join.h"

#pragma GCC visibility push(default)

struct weft_tree;

struct weft_branch {
  struct weft_slice name;   /* of the association; whoever made the tree keeps it */
  bool many;                /* an array, else one object, absent when there is none */
  struct weft_links *links; /* from the rows above to tree->rows; owned; NULL: no children */
  struct weft_tree *tree;   /* owned */
};

struct weft_tree {
  struct weft_rows *rows;   /* owned reference */
  uint32_t nbranches;
  struct weft_branch *branches; /* in the order of their names' bytes */
};

/* Takes over rows (may be NULL until set) and makes room for n branches, all zero. */
struct weft_tree *weft_tree_new(struct weft_rows *rows, uint32_t n);
void weft_tree_free(struct weft_tree *t); /* with everything below; NULL is fine */

/* The rows of the one branch below b's take the place of b's rows: of each parent in the order of their
   numbers, one as often as rows between lead to it (as in a join), those from offset on and at most limit (-1: no
   limit, no offset). -1 when there would be 2^31 links. */
int weft_branch_pass(struct weft_branch *b, int64_t limit, int64_t offset);

/* The array of all rows of the root, each with its branches behind its columns: the bytes that encoding
   the tables of the same tree gives. */
void weft_json_tree(struct weft_buf *out, const struct weft_tree *t);
/* The same text in pieces: what is to come from row `*row` on (0: from the beginning), until out, which is empty, has
   `size` bytes, one row at least; *row moves on. False when nothing is left. */
bool weft_json_tree_piece(struct weft_buf *out, const struct weft_tree *t, uint32_t *row, size_t size);

#pragma GCC visibility pop

#endif
