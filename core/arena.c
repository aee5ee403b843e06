/* SPDX-License-Identifier: MIT */
/* Invariants: at..end is the free part of one block, or of the caller's first memory. Blocks double
   from 1 KB to 64 KB, which malloc serves from warm pages; what takes more than half a block gets a
   block of its own and leaves at..end alone. */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_MIN = 1024, BLOCK_MAX = 64 * 1024 };

struct weft_arena_block {
  struct weft_arena_block *next;
  size_t size;
};

_Static_assert(sizeof(struct weft_arena_block) % 8 == 0, "block data must be aligned");

static _Noreturn void out_of_memory(size_t size) {
  fprintf(stderr, "weft: out of memory (%zu bytes)\n", size);
  abort();
}

void *weft_alloc(size_t size) {
  void *p = malloc(size ? size : 1);
  if (!p) out_of_memory(size);
  return p;
}

void *weft_zalloc(size_t size) {
  void *p = calloc(1, size ? size : 1);
  if (!p) out_of_memory(size);
  return p;
}

void *weft_realloc(void *p, size_t size) {
  p = realloc(p, size ? size : 1);
  if (!p) out_of_memory(size);
  return p;
}

char *weft_strdup(struct weft_slice s) {
  char *p = weft_alloc(s.n + 1);
  if (s.n) memcpy(p, s.p, s.n);
  p[s.n] = 0;
  return p;
}

void weft_arena_init(struct weft_arena *a, void *first, size_t size) {
  a->at = first;
  a->end = first ? (char *)first + size : NULL;
  a->blocks = NULL;
  a->total = first ? size : 0;
}

void weft_arena_release(struct weft_arena *a) {
  struct weft_arena_block *b = a->blocks;
  while (b) {
    struct weft_arena_block *next = b->next;
    free(b);
    b = next;
  }
  weft_arena_init(a, NULL, 0);
}

/* A fresh block's data, or NULL. */
static char *add_block(struct weft_arena *a, size_t size) {
  struct weft_arena_block *b = malloc(sizeof *b + size);
  if (!b) return NULL;
  b->size = size;
  b->next = a->blocks;
  a->blocks = b;
  a->total += sizeof *b + size;
  return (char *)(b + 1);
}

static void *grow(struct weft_arena *a, size_t size) {
  size_t block = a->total < BLOCK_MIN ? BLOCK_MIN : a->total > BLOCK_MAX ? BLOCK_MAX : a->total;
  block -= sizeof(struct weft_arena_block);
  if (size > block / 2) return add_block(a, size);
  char *p = add_block(a, block);
  if (!p) return NULL;
  a->at = p + size;
  a->end = p + block;
  return p;
}

void *weft_arena_slow(struct weft_arena *a, size_t size, size_t align) {
  (void)align; /* a block's data is aligned for both callers */
  void *p = size <= PTRDIFF_MAX - 64 ? grow(a, size) : NULL;
  if (!p) out_of_memory(size);
  return p;
}

void *weft_arena_try(struct weft_arena *a, size_t size, size_t limit) {
  if (size > limit || size > PTRDIFF_MAX - 64) return NULL;
  size_t pad = -(size_t)a->at & 7, room = (size_t)(a->end - a->at);
  if (size > room || pad > room - size) return grow(a, size);
  return weft_arena_alloc(a, size);
}

char *weft_arena_copy(struct weft_arena *a, const void *p, size_t n) {
  char *copy = weft_arena_bytes(a, n + 1);
  if (n) memcpy(copy, p, n);
  copy[n] = 0;
  return copy;
}

struct weft_slice weft_arena_slice(struct weft_arena *a, struct weft_slice s) {
  return weft_slice(weft_arena_copy(a, s.p, s.n), s.n);
}
