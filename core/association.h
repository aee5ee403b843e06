/* SPDX-License-Identifier: MIT */
/* One hop from the rows of one table to those rows of another that belong to them: pairs of columns
   that are equal. What a program calls an association is one hop, or two through a table in between.
   Reference-counted and immutable; it names columns of the versions of both tables that were known
   when it was wired. */
#ifndef WEFT_ASSOCIATION_H
#define WEFT_ASSOCIATION_H

#include "table.h"

#pragma GCC visibility push(default)

struct weft_association {
  int refs;                      /* atomic */
  uint64_t id;                   /* unique in the process: part of the shape of what uses it */
  struct weft_slice name;        /* "variants" */
  struct weft_table *from, *to;  /* owned references */
  bool many;                     /* a row of from may have several of to */
  bool remote;                   /* to is a table of another database: no statement can name both */
  uint32_t nkey;
  const uint32_t *from_key, *to_key; /* numbers of columns, nkey each, pairwise equal */
  struct weft_arena arena;
};

/* Copies everything and takes references on both tables. */
struct weft_association *weft_association_new(struct weft_slice name, struct weft_table *from,
                                              struct weft_table *to, const uint32_t *from_key,
                                              const uint32_t *to_key, uint32_t nkey, bool many,
                                              bool remote);
struct weft_association *weft_association_ref(struct weft_association *a);
void weft_association_unref(struct weft_association *a); /* NULL is fine */

#pragma GCC visibility pop

#endif
