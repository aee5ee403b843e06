/* SPDX-License-Identifier: MIT */
/* Invariants: cap is 0 or a power of two; used <= 3/4 cap, so that every probe meets an entry that
   was never used. An entry without value is free when its hash is FREE and was removed when it is
   GONE; probing passes over the removed ones. */
#include "map.h"

#include <stdlib.h>

#include "arena.h"
#include "hash.h"

enum { MAP_FIRST = 16, FREE = 0, GONE = 1, SEED_BYTES = 0x77656674, SEED_INT = 0x6d6170 };

void weft_map_init(struct weft_map *m) {
  *m = (struct weft_map){0};
}

void weft_map_release(struct weft_map *m) {
  free(m->entries);
  weft_map_init(m);
}

static uint64_t hash_of(struct weft_slice key) {
  return key.p ? weft_hash_bytes(SEED_BYTES, key.p, key.n) : weft_hash_mix(SEED_INT, key.n);
}

/* The empty slice may come without an address, which is the mark of an integer key. */
static struct weft_slice bytes_key(struct weft_slice key) {
  return key.p ? key : weft_slice("", 0);
}

static bool equal(struct weft_slice a, struct weft_slice b) {
  if (a.n != b.n || !a.p != !b.p) return false;
  return !a.p || a.n == 0 || memcmp(a.p, b.p, a.n) == 0;
}

static struct weft_map_entry *find(const struct weft_map *m, struct weft_slice key, uint64_t hash) {
  if (m->count == 0) return NULL;
  for (size_t mask = m->cap - 1, i = hash & mask;; i = (i + 1) & mask) {
    struct weft_map_entry *e = &m->entries[i];
    if (!e->value) {
      if (e->hash == FREE) return NULL;
    } else if (e->hash == hash && equal(e->key, key)) {
      return e;
    }
  }
}

/* Only when key is not there. A removed entry is used again. */
static void insert(struct weft_map *m, struct weft_slice key, uint64_t hash, void *value) {
  size_t mask = m->cap - 1, i = hash & mask;
  while (m->entries[i].value) i = (i + 1) & mask;
  m->used += m->entries[i].hash == FREE;
  m->count++;
  m->entries[i] = (struct weft_map_entry){key, hash, value};
}

/* Grows when full of living entries, else sweeps the removed ones out. */
static void rehash(struct weft_map *m) {
  struct weft_map old = *m;
  m->cap = old.cap == 0 ? MAP_FIRST : old.count * 2 >= old.cap ? old.cap * 2 : old.cap;
  m->entries = weft_zalloc(m->cap * sizeof *m->entries);
  m->count = m->used = 0;
  for (size_t i = 0; i < old.cap; i++) {
    struct weft_map_entry *e = &old.entries[i];
    if (e->value) insert(m, e->key, e->hash, e->value);
  }
  free(old.entries);
}

static void *get(const struct weft_map *m, struct weft_slice key) {
  struct weft_map_entry *e = find(m, key, hash_of(key));
  return e ? e->value : NULL;
}

static void *set(struct weft_map *m, struct weft_slice key, void *value) {
  uint64_t hash = hash_of(key);
  struct weft_map_entry *e = find(m, key, hash);
  if (e) {
    void *was = e->value;
    e->value = value;
    e->key = key; /* the old key may die with the old value */
    return was;
  }
  if ((m->used + 1) * 4 > m->cap * 3) rehash(m);
  insert(m, key, hash, value);
  return NULL;
}

static void *take(struct weft_map *m, struct weft_slice key) {
  struct weft_map_entry *e = find(m, key, hash_of(key));
  if (!e) return NULL;
  void *was = e->value;
  *e = (struct weft_map_entry){.hash = GONE};
  m->count--;
  return was;
}

static struct weft_slice int_key(uint64_t key) {
  return weft_slice(NULL, key);
}

void *weft_map_get(const struct weft_map *m, struct weft_slice key) {
  return get(m, bytes_key(key));
}

void *weft_map_set(struct weft_map *m, struct weft_slice key, void *value) {
  return set(m, bytes_key(key), value);
}

void *weft_map_remove(struct weft_map *m, struct weft_slice key) {
  return take(m, bytes_key(key));
}

void *weft_map_get_int(const struct weft_map *m, uint64_t key) {
  return get(m, int_key(key));
}

void *weft_map_set_int(struct weft_map *m, uint64_t key, void *value) {
  return set(m, int_key(key), value);
}

void *weft_map_remove_int(struct weft_map *m, uint64_t key) {
  return take(m, int_key(key));
}

struct weft_map_entry *weft_map_next(const struct weft_map *m, size_t *i) {
  while (*i < m->cap) {
    struct weft_map_entry *e = &m->entries[(*i)++];
    if (e->value) return e;
  }
  return NULL;
}
