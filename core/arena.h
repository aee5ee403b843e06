/* SPDX-License-Identifier: MIT */
/* What dies together lives together: bump allocation, freed as a whole. One thread at a time.

   Allocation never returns NULL: running out of memory aborts, as in Lua without a handler. Sizes
   chosen by outside data go through weft_arena_try. */
#ifndef WEFT_ARENA_H
#define WEFT_ARENA_H

#include <stddef.h>

#include "slice.h"

#pragma GCC visibility push(default)

struct weft_arena_block;

struct weft_arena {
  char *at, *end;                 /* free room of the newest block */
  struct weft_arena_block *blocks; /* owned, newest first */
  size_t total;                   /* bytes of all blocks, the first memory included */
};

/* An arena that owns nothing yet. first/size: memory of the caller used before any malloc, may be
   NULL; it must live as long as the arena. */
void weft_arena_init(struct weft_arena *a, void *first, size_t size);
void weft_arena_release(struct weft_arena *a);

void *weft_arena_slow(struct weft_arena *a, size_t size, size_t align);

static inline void *weft_arena_alloc(struct weft_arena *a, size_t size) {
  size_t pad = -(size_t)a->at & 7, room = (size_t)(a->end - a->at);
  if (size > room || pad > room - size) return weft_arena_slow(a, size, 8);
  char *p = a->at + pad;
  a->at = p + size;
  return p;
}

/* Unaligned bytes, for text. */
static inline char *weft_arena_bytes(struct weft_arena *a, size_t size) {
  if (size > (size_t)(a->end - a->at)) return weft_arena_slow(a, size, 1);
  char *p = a->at;
  a->at += size;
  return p;
}

/* NULL when size is above limit or memory is out. */
void *weft_arena_try(struct weft_arena *a, size_t size, size_t limit);

/* A copy with a zero byte behind it. */
char *weft_arena_copy(struct weft_arena *a, const void *p, size_t n);
struct weft_slice weft_arena_slice(struct weft_arena *a, struct weft_slice s);

/* malloc and friends that abort when memory is out. */
void *weft_alloc(size_t size);
void *weft_zalloc(size_t size);
void *weft_realloc(void *p, size_t size);
char *weft_strdup(struct weft_slice s);

#pragma GCC visibility pop

#endif
