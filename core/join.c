/* SPDX-License-Identifier: MIT */
/* Invariants: a set numbers distinct keys from 0 in the order of their first occurrence; its slots are
   a power of two, at most half of them used, so that every probe ends. A key is its normal forms; the
   integer, which is its own, is handled without a call. */
#include "join.h"

#include <stdlib.h>

#include "hash.h"

enum { FIRST_SLOTS = 64, SEED = 0x6a6f696e };
static const uint32_t NONE = UINT32_MAX;
static const uint64_t MOST_LINKS = (uint64_t)1 << 31;

/* ---- sets ---- */

struct slot {
  uint32_t hash, number; /* number from 1; 0: free */
};

struct set {
  uint32_t width, n, mask; /* width: values of a key */
  struct weft_value *keys; /* n * width, room for (mask + 1) / 2 */
  struct slot *slots;
};

static void set_init(struct set *s, uint32_t width) {
  *s = (struct set){.width = width, .mask = FIRST_SLOTS - 1};
  s->slots = weft_zalloc(FIRST_SLOTS * sizeof *s->slots);
  s->keys = weft_alloc((size_t)FIRST_SLOTS / 2 * width * sizeof *s->keys);
}

static void set_release(struct set *s) {
  free(s->keys);
  free(s->slots);
}

static void set_grow(struct set *s) {
  size_t old = (size_t)s->mask + 1, size = old * 2;
  struct slot *slots = weft_zalloc(size * sizeof *slots);
  s->mask = (uint32_t)(size - 1);
  for (size_t i = 0; i < old; i++) {
    uint32_t at = s->slots[i].hash & s->mask;
    if (!s->slots[i].number) continue;
    while (slots[at].number) at = (at + 1) & s->mask;
    slots[at] = s->slots[i];
  }
  free(s->slots);
  s->slots = slots;
  s->keys = weft_realloc(s->keys, old * s->width * sizeof *s->keys);
}

static inline bool same(const struct weft_value *a, const struct weft_value *b, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (a[i].type == WEFT_INT && b[i].type == WEFT_INT ? a[i].u.i != b[i].u.i
                                                       : !weft_value_equal(a[i], b[i]))
      return false;
  }
  return true;
}

/* The slot of key, or the free one where it belongs. */
static inline struct slot *set_find(const struct set *s, const struct weft_value *key,
                                    uint32_t hash) {
  for (uint32_t at = hash & s->mask;; at = (at + 1) & s->mask) {
    struct slot *slot = &s->slots[at];
    if (!slot->number) return slot;
    if (slot->hash != hash) continue;
    if (same(s->keys + (size_t)(slot->number - 1) * s->width, key, s->width)) return slot;
  }
}

/* The key's number; it is s->n - 1 and *added when it was not there. */
static uint32_t set_add(struct set *s, const struct weft_value *key, uint32_t hash, bool *added) {
  struct slot *slot = set_find(s, key, hash);
  *added = !slot->number;
  if (slot->number) return slot->number - 1;
  if (s->n == (s->mask + 1) / 2) {
    set_grow(s);
    slot = set_find(s, key, hash);
  }
  memcpy(s->keys + (size_t)s->n * s->width, key, s->width * sizeof *key);
  *slot = (struct slot){hash, ++s->n};
  return s->n - 1;
}

/* ---- keys of rows ---- */

struct keying {
  const struct weft_keyed *side;
  const struct weft_key_form *forms;
  uint32_t nkey;
  struct weft_arena *arena;
};

/* false: the row's key equals none. */
static inline bool key_of(const struct keying *k, uint32_t row,
                          struct weft_value key[WEFT_KEY_COLUMNS], uint32_t *hash) {
  const struct weft_value *cells = weft_rows_row(k->side->rows, row);
  uint64_t h = SEED;
  for (uint32_t i = 0; i < k->nkey; i++) {
    struct weft_value v = cells[k->side->columns[i]];
    if (v.type == WEFT_INT) {
      key[i] = v;
      h = weft_hash_mix(h, (uint64_t)v.u.i); /* as weft_value_hash does */
      continue;
    }
    if (!weft_key_normal(&k->forms[i], k->arena, v, &key[i])) return false;
    h = weft_value_hash(h, key[i]);
  }
  *hash = (uint32_t)h;
  return true;
}

/* ---- join ---- */

struct weft_links *weft_links_new(uint32_t nparents, uint64_t n) {
  if (n >= MOST_LINKS) return NULL;
  struct weft_links *l = weft_alloc(sizeof *l + ((size_t)nparents + 1 + n) * sizeof(uint32_t));
  *l = (struct weft_links){nparents, (uint32_t *)(l + 1), (uint32_t *)(l + 1) + nparents + 1};
  return l;
}

void weft_links_free(struct weft_links *l) {
  free(l);
}

/* Children by key: those of key number k are row[start[k] .. start[k + 1] - 1]. */
struct groups {
  struct set keys;
  uint32_t *start, *row;
  struct weft_arena arena; /* normal forms and the arrays */
};

static uint32_t *numbers(struct weft_arena *arena, size_t n) {
  return weft_arena_alloc(arena, n * sizeof(uint32_t));
}

/* Each child's key number, or NONE. */
static uint32_t *number_children(struct groups *g, const struct keying *k) {
  uint32_t n = k->side->rows->nrows, hash, *of = numbers(&g->arena, n);
  struct weft_value key[WEFT_KEY_COLUMNS];
  bool added;
  for (uint32_t i = 0; i < n; i++)
    of[i] = key_of(k, i, key, &hash) ? set_add(&g->keys, key, hash, &added) : NONE;
  return of;
}

/* Counts into the place behind, sums up, then fills: start[k + 1] ends where it should. */
static void group(struct groups *g, const struct weft_keyed *children,
                  const struct weft_key_form *forms, uint32_t nkey) {
  uint32_t n = children->rows->nrows;
  weft_arena_init(&g->arena, NULL, 0);
  set_init(&g->keys, nkey);
  const uint32_t *of = number_children(g, &(struct keying){children, forms, nkey, &g->arena});
  g->start = numbers(&g->arena, (size_t)g->keys.n + 2);
  g->row = numbers(&g->arena, n);
  memset(g->start, 0, ((size_t)g->keys.n + 2) * sizeof *g->start);
  for (uint32_t i = 0; i < n; i++)
    if (of[i] != NONE) g->start[of[i] + 2]++;
  for (uint32_t k = 0; k < g->keys.n; k++) g->start[k + 1] += g->start[k];
  for (uint32_t i = 0; i < n; i++)
    if (of[i] != NONE) g->row[g->start[of[i] + 1]++] = i;
}

static void groups_release(struct groups *g) {
  set_release(&g->keys);
  weft_arena_release(&g->arena);
}

/* Each parent's key number, or NONE where no child has that key. What a normal form needs is gone with
   the row. */
static uint32_t *number_parents(struct groups *g, const struct weft_keyed *parents,
                                const struct weft_key_form *forms) {
  uint32_t n = parents->rows->nrows, hash, *of = numbers(&g->arena, n);
  char first[512];
  struct weft_arena scratch;
  struct weft_value key[WEFT_KEY_COLUMNS];
  const struct keying k = {parents, forms, g->keys.width, &scratch};
  weft_arena_init(&scratch, first, sizeof first);
  for (uint32_t i = 0; i < n; i++) {
    of[i] = key_of(&k, i, key, &hash) ? set_find(&g->keys, key, hash)->number - 1 : NONE;
    if (scratch.at == first && !scratch.blocks) continue;
    weft_arena_release(&scratch);
    weft_arena_init(&scratch, first, sizeof first);
  }
  weft_arena_release(&scratch);
  return of;
}

static uint32_t count(const struct groups *g, uint32_t number, bool many) {
  if (number == NONE) return 0;
  return many ? g->start[number + 1] - g->start[number] : 1;
}

struct weft_links *weft_join(const struct weft_keyed *parents, const struct weft_keyed *children,
                             const struct weft_key_form *forms, uint32_t nkey, bool many) {
  struct groups g;
  uint32_t n = parents->rows->nrows, at = 0;
  uint64_t total = 0;
  group(&g, children, forms, nkey);
  const uint32_t *of = number_parents(&g, parents, forms);
  for (uint32_t i = 0; i < n; i++) total += count(&g, of[i], many);
  struct weft_links *l = weft_links_new(n, total);
  for (uint32_t i = 0; i < n && l; i++) {
    uint32_t links = count(&g, of[i], many);
    l->start[i] = at;
    for (uint32_t c = 0; c < links; c++) l->child[at++] = g.row[g.start[of[i]] + c];
  }
  if (l) l->start[n] = at;
  groups_release(&g);
  return l;
}

/* ---- what to ask for ---- */

enum { SPELLINGS = 2 * WEFT_KEY_SPELLINGS }; /* of the value as given and of its normal form */

struct chunk {
  uint32_t nkeys;
  struct set *lists; /* one per key column */
};

struct asking {
  struct keying parents;
  const struct weft_key_side *column;
  struct weft_arena *out, tmp;
  uint32_t limit, nchunks;
  struct set keys;
  struct origin {
    uint32_t row, chunk; /* where the key came first; NONE: it cannot be asked for */
  } *origins;            /* by key number */
  struct chunk *chunks;
};

struct spelt {
  uint32_t n[WEFT_KEY_COLUMNS];
  struct weft_value v[WEFT_KEY_COLUMNS][SPELLINGS];
};

static struct weft_value cell(const struct asking *a, uint32_t row, uint32_t i) {
  return weft_rows_row(a->parents.side->rows, row)[a->parents.side->columns[i]];
}

static bool identical(struct weft_value a, struct weft_value b) {
  return a.type == b.type && weft_value_equal(a, b);
}

/* A key that was met before may be written differently, and be found differently then. */
static bool written_alike(const struct asking *a, uint32_t row, uint32_t other) {
  for (uint32_t i = 0; i < a->parents.nkey; i++)
    if (!identical(cell(a, row, i), cell(a, other, i))) return false;
  return true;
}

/* false: no row of such columns can have the key. */
static bool spell(const struct asking *a, uint32_t row, const struct weft_value *key,
                  struct spelt *s) {
  for (uint32_t i = 0; i < a->parents.nkey; i++) {
    struct weft_value v = cell(a, row, i), *at = s->v[i];
    s->n[i] = weft_key_spellings(&a->column[i], a->out, v, at);
    if (!identical(v, key[i])) {
      v = weft_value_copy(a->out, key[i]); /* the normal form's own memory is in tmp */
      s->n[i] += weft_key_spellings(&a->column[i], a->out, v, at + s->n[i]);
    }
    if (s->n[i] == 0) return false;
  }
  return true;
}

/* The number of a chunk that has room for one more key. */
static uint32_t room(struct asking *a) {
  struct chunk *last = a->nchunks ? &a->chunks[a->nchunks - 1] : NULL;
  if (last && last->nkeys < a->limit) return a->nchunks - 1;
  uint32_t nkey = a->parents.nkey;
  last = &a->chunks[a->nchunks++];
  *last = (struct chunk){0, weft_arena_alloc(&a->tmp, nkey * sizeof *last->lists)};
  for (uint32_t i = 0; i < nkey; i++) set_init(&last->lists[i], 1);
  return a->nchunks - 1;
}

static void add_spelt(struct asking *a, struct chunk *c, const struct spelt *s) {
  bool added;
  for (uint32_t i = 0; i < a->parents.nkey; i++)
    for (uint32_t k = 0; k < s->n[i]; k++)
      set_add(&c->lists[i], &s->v[i][k], (uint32_t)weft_value_hash(SEED, s->v[i][k]), &added);
}

static void ask(struct asking *a, uint32_t row) {
  struct weft_value key[WEFT_KEY_COLUMNS];
  struct spelt s;
  uint32_t hash;
  bool added;
  if (!key_of(&a->parents, row, key, &hash)) return;
  struct origin *o = &a->origins[set_add(&a->keys, key, hash, &added)];
  if (!added && (o->chunk == NONE || written_alike(a, row, o->row))) return;
  bool found = spell(a, row, key, &s);
  if (added) {
    *o = (struct origin){row, found ? room(a) : NONE};
    if (found) a->chunks[o->chunk].nkeys++;
  }
  if (found) add_spelt(a, &a->chunks[o->chunk], &s);
}

static struct weft_value list_of(struct weft_arena *arena, const struct set *s, uint8_t elem) {
  struct weft_array *list = weft_arena_alloc(arena, sizeof *list + s->n * sizeof list->v[0]);
  list->n = s->n;
  list->elem = elem;
  memcpy(list->v, s->keys, s->n * sizeof list->v[0]);
  return (struct weft_value){.type = WEFT_LIST, .u.array = list};
}

/* Closes the chunks. */
static struct weft_key_chunk *lists(struct asking *a) {
  struct weft_key_chunk *out = weft_arena_alloc(a->out, a->nchunks * sizeof *out);
  for (uint32_t c = 0; c < a->nchunks; c++) {
    out[c].nkeys = a->chunks[c].nkeys;
    for (uint32_t i = 0; i < a->parents.nkey; i++) {
      struct set *s = &a->chunks[c].lists[i];
      out[c].list[i] = list_of(a->out, s, a->column[i].type.type);
      set_release(s);
    }
  }
  return out;
}

void weft_join_keys(const struct weft_keyed *parents, const struct weft_key_form *forms,
                    const struct weft_key_side *column, uint32_t nkey, uint32_t chunk,
                    struct weft_arena *arena, struct weft_key_chunk **out, uint32_t *n) {
  uint32_t nrows = parents->rows->nrows;
  struct asking a = {.column = column, .out = arena, .limit = chunk};
  weft_arena_init(&a.tmp, NULL, 0);
  a.parents = (struct keying){parents, forms, nkey, &a.tmp};
  a.origins = weft_arena_alloc(&a.tmp, nrows * sizeof *a.origins);
  a.chunks = weft_arena_alloc(&a.tmp, ((size_t)nrows / chunk + 1) * sizeof *a.chunks);
  set_init(&a.keys, nkey);
  for (uint32_t i = 0; i < nrows; i++) ask(&a, i);
  *out = lists(&a);
  *n = a.nchunks;
  set_release(&a.keys);
  weft_arena_release(&a.tmp);
}
