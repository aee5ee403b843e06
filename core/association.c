/* SPDX-License-Identifier: MIT */
#include "association.h"

#include <stdlib.h>

static uint64_t next_id(void) {
  static uint64_t counter;
  return __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
}

static const uint32_t *copy_key(struct weft_arena *a, const uint32_t *key, uint32_t n) {
  uint32_t *own = weft_arena_alloc(a, (n ? n : 1) * sizeof *own);
  if (n) memcpy(own, key, n * sizeof *own);
  return own;
}

struct weft_association *weft_association_new(struct weft_slice name, struct weft_table *from,
                                              struct weft_table *to, const uint32_t *from_key,
                                              const uint32_t *to_key, uint32_t nkey, bool many,
                                              bool remote) {
  struct weft_association *a = weft_zalloc(sizeof *a);
  weft_arena_init(&a->arena, NULL, 0);
  a->refs = 1;
  a->id = next_id();
  a->name = weft_arena_slice(&a->arena, name);
  a->from = weft_table_ref(from);
  a->to = weft_table_ref(to);
  a->many = many;
  a->remote = remote;
  a->nkey = nkey;
  a->from_key = copy_key(&a->arena, from_key, nkey);
  a->to_key = copy_key(&a->arena, to_key, nkey);
  return a;
}

struct weft_association *weft_association_ref(struct weft_association *a) {
  __atomic_add_fetch(&a->refs, 1, __ATOMIC_RELAXED);
  return a;
}

void weft_association_unref(struct weft_association *a) {
  if (!a || __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL)) return;
  weft_table_unref(a->from);
  weft_table_unref(a->to);
  weft_arena_release(&a->arena);
  free(a);
}
