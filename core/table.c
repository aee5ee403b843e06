/* SPDX-License-Identifier: MIT */
/* A table lives in one arena; its columns are sorted as the database has them. Ids are never
   reused, so that a shape that mixes one in cannot meet another version of the table. */
#include "table.h"

#include <stdlib.h>

static uint64_t next_id(void) {
  static uint64_t counter;
  return __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
}

static struct weft_table *table_new(struct weft_slice schema, struct weft_slice name) {
  struct weft_table *t = weft_zalloc(sizeof *t);
  weft_arena_init(&t->arena, NULL, 0);
  t->refs = 1;
  t->soft = -1;
  t->id = next_id();
  t->name = weft_arena_slice(&t->arena, name);
  t->schema = schema.n ? weft_arena_slice(&t->arena, schema) : (struct weft_slice){"", 0};
  return t;
}

struct weft_table *weft_table_new(struct weft_slice schema, struct weft_slice name,
                                  const struct weft_table_column *columns, uint32_t n) {
  struct weft_table *t = table_new(schema, name);
  t->known = true;
  t->ncolumns = n;
  t->columns = weft_arena_alloc(&t->arena, (n ? n : 1) * sizeof *columns);
  for (uint32_t i = 0; i < n; i++) {
    t->columns[i] = columns[i];
    t->columns[i].name = weft_arena_slice(&t->arena, columns[i].name);
    t->columns[i].declared = weft_arena_slice(&t->arena, columns[i].declared);
    if (columns[i].key) t->nkey++;
  }
  t->key = weft_arena_alloc(&t->arena, (t->nkey ? t->nkey : 1) * sizeof *t->key);
  uint32_t found = 0;
  for (unsigned place = 1; place < 256 && found < t->nkey; place++)
    for (uint32_t i = 0; i < n; i++)
      if (columns[i].key == place) t->key[found++] = i;
  return t;
}

struct weft_table *weft_table_unknown(struct weft_slice schema, struct weft_slice name) {
  return table_new(schema, name);
}

struct weft_table *weft_table_ref(struct weft_table *t) {
  __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
  return t;
}

void weft_table_unref(struct weft_table *t) {
  if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL)) return;
  weft_arena_release(&t->arena);
  free(t);
}

int weft_table_column(const struct weft_table *t, struct weft_slice name) {
  for (uint32_t i = 0; i < t->ncolumns; i++)
    if (weft_slice_equal(t->columns[i].name, name)) return (int)i;
  return -1;
}

static const char *column_name(const void *ud, size_t i, size_t *len) {
  const struct weft_table *t = ud;
  *len = t->columns[i].name.n;
  return t->columns[i].name.p;
}

/* Names come from outside: a message shows no more of one than it can bear. */
static int shown(struct weft_slice s) { return s.n > 80 ? 80 : (int)s.n; }

int weft_table_unknown_column(const struct weft_table *t, struct weft_slice name,
                              struct weft_error *err) {
  size_t len;
  const char *near = weft_nearest(name.p, name.n, t->ncolumns, column_name, t, &len);
  const char *dot = near || !name.n ? NULL : memchr(name.p, '.', name.n);
  if (dot) near = weft_nearest(name.p, (size_t)(dot - name.p), t->ncolumns, column_name, t, &len);
  if (near)
    return weft_fail(err, WEFT_USAGE, "unknown column '%.*s' of %.*s; did you mean '%.*s'?",
                     shown(name), name.p, shown(t->name), t->name.p, (int)len, near);
  return weft_fail(err, WEFT_USAGE, "unknown column '%.*s' of %.*s", shown(name), name.p,
                   shown(t->name), t->name.p);
}
