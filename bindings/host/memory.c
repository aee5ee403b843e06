/* SPDX-License-Identifier: MIT */
/* The allocator of a Lua state. Tables, closures, rows and coroutines come and go by the thousand, all small, all on one
   thread, and Lua tells the size of what it gives back: a list of free blocks for each size is all that it takes. Blocks
   are cut from chunks, which go back to the system with the state. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 16, CHUNK = 32 * 1024 };

#if defined __SANITIZE_ADDRESS__
enum { SMALL = 0 }; /* each block is the sanitizer's, which watches it */
#else
enum { SMALL = STEP * WEFT_MEMORY_CLASSES };
#endif

struct block {
  struct block *next;
};

static size_t class_of(size_t size) { return (size - 1) / STEP; }

static void keep(struct weft_memory *m, void *p, size_t class) {
  struct block *block = p;
  block->next = m->spare[class];
  m->spare[class] = block;
}

/* A new chunk; what is left of the last one becomes a spare block. */
static bool refill(struct weft_memory *m) {
  struct block *chunk = malloc(CHUNK);
  if (!chunk) return false;
  if (m->left) keep(m, m->at, class_of(m->left));
  chunk->next = m->chunks;
  m->chunks = chunk;
  m->at = (char *)chunk + STEP;
  m->left = CHUNK - STEP;
  return true;
}

static void *take(struct weft_memory *m, size_t class) {
  struct block *block = m->spare[class];
  size_t size = (class + 1) * STEP;
  if (block) {
    m->spare[class] = block->next;
    return block;
  }
  if (m->left < size && !refill(m)) return NULL;
  block = (struct block *)(void *)m->at;
  m->at += size;
  m->left -= size;
  return block;
}

static void *get(struct weft_memory *m, size_t size) { return size <= SMALL ? take(m, class_of(size)) : malloc(size); }

static void put(struct weft_memory *m, void *p, size_t size) {
  if (size <= SMALL) keep(m, p, class_of(size));
  else free(p);
}

static void *resize(struct weft_memory *m, void *p, size_t old, size_t size) {
  if (old > SMALL && size > SMALL) return realloc(p, size);
  if (old <= SMALL && size <= SMALL && class_of(old) == class_of(size)) return p;
  void *q = get(m, size);
  if (!q) return NULL;
  memcpy(q, p, old < size ? old : size);
  put(m, p, old);
  return q;
}

void *weft_memory_allocate(void *ud, void *p, size_t old, size_t size) {
  struct weft_memory *m = ud;
  if (!p) old = 0; /* it tells the kind of object */
  if (size == 0) {
    if (p && old) put(m, p, old);
    m->used -= old;
    return NULL;
  }
  if (m->most && size > old && (size - old > m->most || m->used > m->most - (size - old))) return NULL;
  void *q = old ? resize(m, p, old, size) : get(m, size);
  if (q) m->used += size - old;
  return q;
}

void weft_memory_release(struct weft_memory *m) {
  for (struct block *chunk = m->chunks, *next; chunk; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
  memset(m->spare, 0, sizeof m->spare);
  m->chunks = NULL;
  m->left = 0;
}
