/* SPDX-License-Identifier: MIT */
/* Row sets of any two databases joined by equal keys: a hash table over the children, probed by the
   parents in their order. Nothing is copied: the result is row numbers. One thread. */
#ifndef WEFT_JOIN_H
#define WEFT_JOIN_H

#include "key.h"
#include "rows.h"

#pragma GCC visibility push(default)

enum { WEFT_KEY_COLUMNS = 16 }; /* of a composite key, at most */

/* How one side's rows are keyed. */
struct weft_keyed {
  const struct weft_rows *rows;
  uint32_t columns[WEFT_KEY_COLUMNS]; /* numbers of the result's columns */
};

/* Which children belong to which parent: parent i's are child[start[i] .. start[i + 1] - 1], in the order
   of the children's rows. One malloc. */
struct weft_links {
  uint32_t nparents;
  uint32_t *start, *child;
};
/* Room for n links, to be filled by the caller; NULL when n is 2^31 or more. */
struct weft_links *weft_links_new(uint32_t nparents, uint64_t n);
void weft_links_free(struct weft_links *l); /* NULL is fine */

/* forms: one per key column, nkey of them. many: false keeps the first child of each parent only. A
   parent whose key has a NULL has no children. NULL when there would be 2^31 links or more. */
struct weft_links *weft_join(const struct weft_keyed *parents, const struct weft_keyed *children,
                             const struct weft_key_form *forms, uint32_t nkey, bool many);

/* The distinct keys of rows, as what has to be asked for: chunks of at most `chunk` distinct keys, in
   the order of their first occurrence. A chunk has one LIST per key column (distinct values in the
   column's type, every spelling, no NULL), which may be longer by spellings; of a composite key the
   lists together ask for a superset. column: the children's, nkey of them. Memory from arena; text
   that needs no change is the parents' own. Keys that no such column can hold are left out; *n may
   be 0. */
struct weft_key_chunk {
  struct weft_value list[WEFT_KEY_COLUMNS];
  uint32_t nkeys; /* distinct ones in it */
};
void weft_join_keys(const struct weft_keyed *parents, const struct weft_key_form *forms,
                    const struct weft_key_side *column, uint32_t nkey, uint32_t chunk,
                    struct weft_arena *arena, struct weft_key_chunk **out, uint32_t *n);

#pragma GCC visibility pop

#endif
