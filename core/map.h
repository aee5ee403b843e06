/* SPDX-License-Identifier: MIT */
/* Open-addressed hash map from byte strings or 64-bit integers to pointers. Keys are borrowed:
   they must outlive their entry (usually they live in the value). One thread at a time. */
#ifndef WEFT_MAP_H
#define WEFT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#pragma GCC visibility push(default)

struct weft_map_entry {
  struct weft_slice key; /* of an integer key: p == NULL and n is the integer */
  uint64_t hash;
  void *value; /* NULL: never used or removed (hash tells which) */
};

struct weft_map {
  struct weft_map_entry *entries;
  size_t count, used, cap; /* used counts removed ones too */
};

void weft_map_init(struct weft_map *m);
void weft_map_release(struct weft_map *m);

void *weft_map_get(const struct weft_map *m, struct weft_slice key);
/* Sets and returns the value that was there (NULL: none). value must not be NULL. */
void *weft_map_set(struct weft_map *m, struct weft_slice key, void *value);
void *weft_map_remove(struct weft_map *m, struct weft_slice key);

void *weft_map_get_int(const struct weft_map *m, uint64_t key);
void *weft_map_set_int(struct weft_map *m, uint64_t key, void *value);
void *weft_map_remove_int(struct weft_map *m, uint64_t key);

/* for (size_t i = 0; (e = weft_map_next(m, &i));) — order is arbitrary; removing e is allowed. */
struct weft_map_entry *weft_map_next(const struct weft_map *m, size_t *i);

#pragma GCC visibility pop

#endif
