/* SPDX-License-Identifier: MIT */
/* The rows of a create_many as one clause. One pass over each row: its keys come in the order in which
   those of the row before came, so that a key is nearly always found by one comparison of addresses
   (Lua keeps equal short strings once).

   Rows may name different columns. One that leaves out a column gets NULL there when that is what the
   column's default is; otherwise the rows cannot be one statement, and the caller groups them. */
#include "terminal.h"

#include <stdio.h>

struct column {
  struct weft_slice name; /* anchored by a Lua table of the list */
  uint32_t number;        /* in the table */
};

struct many {
  lua_State *L;
  struct weft_lua *w;
  const struct weft_table *t;
  struct weft_arena *arena;
  struct weft_error *err;
  struct column *columns; /* those named so far, in order of the table */
  uint32_t *guess;        /* k-th key of a row -> its column, as in the row before */
  uint32_t n;
};

enum { FOUND, ADDED, FAILED = -1, SAMPLE = 8 };

static int add(struct many *m, struct weft_slice name, uint32_t number) {
  uint32_t at = m->n++;
  for (; at > 0 && m->columns[at - 1].number > number; at--) m->columns[at] = m->columns[at - 1];
  m->columns[at] = (struct column){name, number};
  return ADDED;
}

/* The key below the top of the stack, the k-th of its row. */
static int find(struct many *m, uint32_t k, uint32_t *out) {
  struct weft_slice name;
  if (lua_type(m->L, -2) != LUA_TSTRING)
    return weft_fail(m->err, WEFT_USAGE, "keys are column names of %.*s; a list is given",
                     (int)m->t->name.n, m->t->name.p);
  name.p = lua_tolstring(m->L, -2, &name.n);
  if (k < m->n && m->columns[m->guess[k]].name.p == name.p) return *out = m->guess[k], FOUND;
  int number = weft_table_column(m->t, name);
  if (number < 0) return weft_lua_no_column(m->L, m->t, name, m->err);
  for (uint32_t i = 0; i < m->n; i++)
    if (m->columns[i].number == (uint32_t)number) {
      if (k < m->n) m->guess[k] = i;
      return *out = i, FOUND;
    }
  return add(m, name, (uint32_t)number);
}

static int value(struct many *m, const struct column *c, struct weft_value *out) {
  char what[80];
  const struct weft_column_type *to = &m->t->columns[c->number].type;
  int at = lua_gettop(m->L);
  if (weft_lua_value(m->L, m->w, at, m->arena, to, "", out, m->err) == 0) return 0;
  lua_settop(m->L, at); /* once more, to say which column it is */
  snprintf(what, sizeof what, "column '%.*s'", (int)(c->name.n > 60 ? 60 : c->name.n), c->name.p);
  return weft_lua_value(m->L, m->w, at, m->arena, to, what, out, m->err);
}

/* The row on top of the stack into v[m->n]. */
static int read_row(struct many *m, struct weft_value *v, bool *holes) {
  lua_State *L = m->L;
  uint32_t k = 0, i;
  for (uint32_t c = 0; c < m->n; c++) v[c] = (struct weft_value){.type = WEFT_ANY};
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1), k++) {
    int rc = find(m, k, &i);
    if (rc == FOUND) rc = value(m, &m->columns[i], &v[i]);
    if (rc != FOUND) return rc;
  }
  if (k < m->n) *holes = true;
  return FOUND;
}

static int push_row(struct many *m, uint32_t r) {
  if (lua_rawgeti(m->L, 2, (lua_Integer)r + 1) == LUA_TTABLE) return 0;
  return weft_fail(m->err, WEFT_USAGE, "create_many takes tables of column = value, got %s",
                   luaL_typename(m->L, -1));
}

static int read_rows(struct many *m, uint32_t nrows, struct weft_value **out, bool *holes) {
  size_t cells = (size_t)nrows * m->n;
  if (cells > UINT32_MAX / 2) return weft_fail(m->err, WEFT_USAGE, "create_many: too many values");
  struct weft_value *v = *out = weft_arena_alloc(m->arena, (cells + 1) * sizeof *v);
  *holes = false;
  for (uint32_t i = 0; i <= m->t->ncolumns; i++) m->guess[i] = 0;
  for (uint32_t r = 0; r < nrows; r++, v += m->n) {
    if (push_row(m, r)) return FAILED;
    int rc = read_row(m, v, holes);
    if (rc != FOUND) return rc;
    lua_pop(m->L, 1);
  }
  return FOUND;
}

/* All names of all rows. */
static int read_names(struct many *m, uint32_t nrows) {
  uint32_t unused;
  for (uint32_t r = 0; r < nrows; r++) {
    if (push_row(m, r)) return FAILED;
    for (lua_pushnil(m->L); lua_next(m->L, -2); lua_pop(m->L, 1))
      if (find(m, UINT32_MAX, &unused) == FAILED) return FAILED;
    lua_pop(m->L, 1);
  }
  return FOUND;
}

/* False: a column's default is not NULL, and some rows want it. */
static bool fill(const struct many *m, uint32_t nrows, struct weft_value *v) {
  for (uint32_t c = 0; c < m->n; c++) {
    const struct weft_table_column *column = &m->t->columns[m->columns[c].number];
    bool defaulted = column->has_default || column->generated || column->key;
    for (size_t at = c, end = (size_t)nrows * m->n; at < end; at += m->n) {
      if (v[at].type != WEFT_ANY) continue;
      if (defaulted) return false;
      v[at] = weft_null();
    }
  }
  return true;
}

int weft_lua_many(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                  struct weft_query *c, struct weft_error *err) {
  uint32_t nrows = (uint32_t)lua_rawlen(L, 2);
  struct many m = {.L = L, .w = w, .t = t, .arena = &c->arena, .err = err};
  struct weft_value *v;
  bool holes;
  int top = lua_gettop(L), rc;
  m.columns = weft_arena_alloc(m.arena, (t->ncolumns + 1) * sizeof *m.columns);
  m.guess = weft_arena_alloc(m.arena, (t->ncolumns + 1) * sizeof *m.guess);
  rc = read_names(&m, nrows < SAMPLE ? nrows : SAMPLE);
  if (rc == 0) rc = read_rows(&m, nrows, &v, &holes);
  if (rc == ADDED) {
    lua_settop(L, top);
    rc = read_names(&m, nrows);
    if (rc == 0) rc = read_rows(&m, nrows, &v, &holes);
  }
  if (rc) return -1;
  lua_settop(L, top);
  if (holes && !fill(&m, nrows, v)) return 1;
  struct weft_item *items = weft_arena_alloc(m.arena, (m.n + 1) * sizeof *items);
  memset(items, 0, (m.n + 1) * sizeof *items);
  for (uint32_t i = 0; i < m.n; i++) items[i].name = weft_arena_slice(m.arena, m.columns[i].name);
  c->items = items;
  c->nitems = m.n;
  c->nrows = nrows;
  c->values = v;
  return 0;
}
