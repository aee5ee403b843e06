/* SPDX-License-Identifier: MIT */
/* What users write as a condition becomes an expression in the clause's arena. Names are resolved by
   weft_query_check; here only the shape of the Lua values decides. A string is never SQL. */
#include "weft_lua.h"

#include <ctype.h>
#include <stdlib.h>

struct builder {
  lua_State *L;
  struct weft_lua *w;
  struct weft_arena *arena;
  const struct weft_table *table;
  const char *who;
  struct weft_error *err;
  int depth;
};

static int entry(struct builder *b, int idx, const struct weft_expr **out);

/* ---- operands ---- */

static bool is_word(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_' && !(s.p[i] & 0x80)) return false;
  return s.n > 0;
}

/* "attrs.color": the first segment a column of the table, the rest a path into its json. Where it may be no
   column the path is open: that of an association (query_bind.h). */
static int dotted(struct weft_arena *arena, const struct weft_table *table, struct weft_slice name,
                  const char *dot, const struct weft_expr **out, struct weft_error *err) {
  enum { STEPS = 32 };
  struct weft_value steps[STEPS];
  uint32_t n = 0;
  const char *end = name.p + name.n, *first = dot;
  while (dot < end) {
    if (n == STEPS)
      return weft_fail(err, WEFT_USAGE, "a dotted name has at most %d parts, '%.20s...' has more", STEPS + 1, name.p);
    const char *from = dot + 1, *to = memchr(from, '.', (size_t)(end - from));
    if (!to) to = end;
    steps[n++] = weft_text(weft_arena_copy(arena, from, (size_t)(to - from)), (size_t)(to - from));
    dot = to;
  }
  struct weft_slice word = weft_slice(name.p, (size_t)(first - name.p));
  struct weft_expr *path =
      (struct weft_expr *)(uintptr_t)weft_expr_path(arena, weft_expr_column(arena, word), steps, n);
  bool is_column = table && table->known && weft_table_column(table, word) >= 0;
  path->open = is_word(word) && !is_column; /* nobody else has seen it */
  *out = path;
  return 0;
}

static int name_operand(struct weft_arena *arena, const struct weft_table *table,
                        struct weft_slice name, const struct weft_expr **out, int *column,
                        struct weft_error *err) {
  const char *dot = memchr(name.p, '.', name.n);
  *column = table && table->known ? weft_table_column(table, name) : -1;
  if (dot && *column < 0) return dotted(arena, table, name, dot, out, err);
  *out = weft_expr_column(arena, name);
  return 0;
}

/* A mark is a table, and a table can be changed. */
static int spoilt(const char *what, struct weft_error *err) {
  return weft_fail(err, WEFT_USAGE, "a %s was changed after it was made", what);
}

static int path_operand(lua_State *L, struct weft_arena *arena, int idx,
                        const struct weft_expr **out, struct weft_error *err) {
  uint32_t n = (uint32_t)lua_rawlen(L, idx);
  for (uint32_t i = 1; i <= n || i <= 2; i++) {
    int type = lua_rawgeti(L, idx, i);
    bool good = type == LUA_TSTRING || (i > 1 && lua_isinteger(L, -1));
    lua_pop(L, 1);
    if (!good) return spoilt("weft.path", err);
  }
  struct weft_value *steps = weft_arena_alloc(arena, n * sizeof *steps);
  size_t len;
  lua_rawgeti(L, idx, 1);
  const char *column = lua_tolstring(L, -1, &len);
  const struct weft_expr *c = weft_expr_column(arena, weft_slice(column, len));
  lua_pop(L, 1);
  for (uint32_t i = 2; i <= n; i++) {
    lua_rawgeti(L, idx, i);
    if (lua_isinteger(L, -1)) {
      steps[i - 2] = weft_int(lua_tointeger(L, -1));
    } else {
      const char *s = lua_tolstring(L, -1, &len);
      steps[i - 2] = weft_text(weft_arena_copy(arena, s, len), len);
    }
    lua_pop(L, 1);
  }
  *out = weft_expr_path(arena, c, steps, n - 1);
  return 0;
}

static int raw_operand(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                       const struct weft_expr **out, struct weft_error *err) {
  lua_getfield(L, idx, "n");
  lua_Integer count = lua_tointeger(L, -1);
  uint32_t n = (uint32_t)count - 1;
  size_t len;
  if (lua_rawgeti(L, idx, 1) != LUA_TSTRING || count < 1 || count > (lua_Integer)lua_rawlen(L, idx))
    return lua_pop(L, 2), spoilt("weft.raw", err);
  const char *text = lua_tolstring(L, -1, &len);
  const struct weft_expr **kids = weft_arena_alloc(arena, (n + 1) * sizeof *kids);
  for (uint32_t i = 0; i < n; i++) {
    struct weft_value v;
    char what[40];
    snprintf(what, sizeof what, "parameter %u of raw", i + 1);
    lua_rawgeti(L, idx, (lua_Integer)i + 2);
    int rc = weft_lua_value(L, w, lua_gettop(L), arena, NULL, what, &v, err);
    lua_pop(L, 1);
    if (rc) return lua_pop(L, 2), -1;
    kids[i] = weft_expr_value(arena, v);
  }
  *out = weft_expr_raw(arena, weft_slice(text, len), kids, n);
  lua_pop(L, 2);
  return 0;
}

int weft_lua_operand(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                     const struct weft_table *table, const struct weft_expr **out, int *column,
                     struct weft_error *err) {
  size_t n;
  idx = lua_absindex(L, idx);
  *column = -1;
  if (lua_type(L, idx) == LUA_TSTRING) {
    const char *s = lua_tolstring(L, idx, &n);
    return name_operand(arena, table, weft_slice(s, n), out, column, err);
  }
  if (lua_istable(L, idx)) {
    if (weft_lua_is(L, w, idx, SLOT_MT_PATH)) return path_operand(L, arena, idx, out, err);
    if (weft_lua_is(L, w, idx, SLOT_MT_RAW)) return raw_operand(L, w, idx, arena, out, err);
  }
  return weft_fail(err, WEFT_USAGE, "a column name, weft.path or weft.raw is expected, got %s",
                   luaL_typename(L, idx));
}

static int aggregate(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                     const struct weft_table *table, const struct weft_expr **out,
                     struct weft_error *err) {
  const struct weft_expr *x = weft_expr_star();
  int column;
  lua_getfield(L, idx, "kind");
  lua_Integer n = lua_tointeger(L, -1);
  enum weft_expr_kind kind = (enum weft_expr_kind)n;
  if (n < WEFT_E_COUNT || n > WEFT_E_MAX) return lua_pop(L, 1), spoilt("weft aggregate", err);
  if (lua_getfield(L, idx, "of") != LUA_TNIL &&
      weft_lua_operand(L, w, -1, arena, table, &x, &column, err))
    return lua_pop(L, 2), -1;
  lua_pop(L, 2);
  *out = weft_expr_unary(arena, kind, x);
  return 0;
}

int weft_lua_selectable(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                        const struct weft_table *table, const struct weft_expr **out,
                        struct weft_error *err) {
  int column;
  idx = lua_absindex(L, idx);
  if (lua_istable(L, idx) && weft_lua_is(L, w, idx, SLOT_MT_AGGREGATE))
    return aggregate(L, w, idx, arena, table, out, err);
  return weft_lua_operand(L, w, idx, arena, table, out, &column, err);
}

/* ---- values ---- */

static int value(struct builder *b, int idx, const struct weft_column_type *to, const char *what,
                 const struct weft_expr **out) {
  struct weft_value v;
  int column;
  if (lua_istable(b->L, idx) && (weft_lua_is(b->L, b->w, idx, SLOT_MT_RAW) ||
                                 weft_lua_is(b->L, b->w, idx, SLOT_MT_PATH)))
    return weft_lua_operand(b->L, b->w, idx, b->arena, b->table, out, &column, b->err);
  if (weft_lua_value(b->L, b->w, idx, b->arena, to, what, &v, b->err)) return -1;
  *out = weft_expr_value(b->arena, v);
  return 0;
}

/* A sequence without holes as a LIST; it may say its length in n. */
static int list(struct builder *b, int idx, const struct weft_column_type *to, const char *what,
                const struct weft_expr **out) {
  lua_State *L = b->L;
  size_t n = lua_rawlen(L, idx), count = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) count++;
  lua_pushliteral(L, "n"); /* as lists of pluck and find_many have */
  if (lua_rawget(L, idx) == LUA_TNUMBER && lua_tointeger(L, -1) == (lua_Integer)n) count--;
  lua_pop(L, 1);
  if (count != n)
    return weft_fail(b->err, WEFT_USAGE, "%s: a list without holes and other keys is expected; say "
                                         "weft.null for NULL, weft.json(...) for a JSON value", what);
  struct weft_array *a = weft_arena_alloc(b->arena, sizeof *a + n * sizeof(struct weft_value));
  a->n = (uint32_t)n;
  a->elem = WEFT_ANY;
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    int rc = weft_lua_value(L, b->w, lua_gettop(L), b->arena, to, what, &a->v[i], b->err);
    lua_pop(L, 1);
    if (rc) return -1;
  }
  *out = weft_expr_value(b->arena, (struct weft_value){.type = WEFT_LIST, .u.array = a});
  return 0;
}

static bool plain_table(struct builder *b, int idx) { /* a list: no mark that says otherwise */
  lua_State *L = b->L;
  return lua_istable(L, idx) &&
         (!lua_getmetatable(L, idx) ||
          (lua_pop(L, 1), weft_lua_is(L, b->w, idx, SLOT_MT_ARRAY)));
}

/* left op (the value at idx). */
static int compare(struct builder *b, const struct weft_expr *left, int column,
                   enum weft_expr_kind kind, int idx, const char *what,
                   const struct weft_expr **out) {
  const struct weft_column_type *to = column >= 0 ? &b->table->columns[column].type : NULL;
  const struct weft_expr *right = NULL, *low = NULL;
  lua_State *L = b->L;
  bool array_column = to && to->type == WEFT_ARRAY;
  if (kind == WEFT_E_IS_NULL || kind == WEFT_E_NOT_NULL) {
    if (!lua_isnoneornil(L, idx) && lua_touserdata(L, idx) != b->w->null)
      return weft_fail(b->err, WEFT_USAGE, "%s: is_null and not_null take no value", what);
    *out = weft_expr_unary(b->arena, kind, left);
    return 0;
  }
  if (lua_isnoneornil(L, idx))
    return weft_fail(b->err, WEFT_USAGE, "%s: the value is nil; say weft.null for NULL", what);
  if (kind == WEFT_E_BETWEEN) {
    if (!plain_table(b, idx) || lua_rawlen(L, idx) != 2)
      return weft_fail(b->err, WEFT_USAGE, "%s: between takes a list of two values", what);
    lua_rawgeti(L, idx, 1);
    lua_rawgeti(L, idx, 2);
    int top = lua_gettop(L), rc = value(b, top - 1, to, what, &low);
    if (rc == 0) rc = value(b, top, to, what, &right);
    lua_pop(L, 2);
    return rc ? -1 : weft_expr_between(b->arena, left, low, right, out, b->err);
  }
  bool in = kind == WEFT_E_IN || kind == WEFT_E_NOT_IN;
  if (in && !plain_table(b, idx))
    return weft_fail(b->err, WEFT_USAGE, "%s: in and not_in take a list", what);
  if ((kind == WEFT_E_EQ || kind == WEFT_E_NE) && plain_table(b, idx) && !array_column) {
    kind = kind == WEFT_E_EQ ? WEFT_E_IN : WEFT_E_NOT_IN;
    in = true;
  }
  if (in ? list(b, idx, to, what, &right) : value(b, idx, to, what, &right)) return -1;
  return weft_expr_binary(b->arena, kind, left, right, out, b->err);
}

static const char *describe(struct builder *b, int idx, char out[80]) {
  if (lua_type(b->L, idx) == LUA_TSTRING) snprintf(out, 80, "column '%s'", lua_tostring(b->L, idx));
  else snprintf(out, 80, "%s", b->who);
  return out;
}

/* name, operator and value at three stack places (value may be none). */
static int triplet(struct builder *b, int name, int op, int val, const struct weft_expr **out) {
  const struct weft_expr *left;
  enum weft_expr_kind kind;
  int column;
  size_t n;
  char what[80];
  if (weft_lua_operand(b->L, b->w, name, b->arena, b->table, &left, &column, b->err)) return -1;
  describe(b, name, what);
  if (lua_type(b->L, op) != LUA_TSTRING)
    return weft_fail(b->err, WEFT_USAGE, "%s: an operator is expected, got %s; write %s(column, "
                                         "operator, value)", what, luaL_typename(b->L, op), b->who);
  const char *s = lua_tolstring(b->L, op, &n);
  if (weft_expr_operator(weft_slice(s, n), &kind, b->err)) return -1;
  return compare(b, left, column, kind, val, what, out);
}

/* ---- tables ---- */

static int by_bytes(const void *a, const void *b) {
  const struct weft_slice *x = a, *y = b;
  size_t n = x->n < y->n ? x->n : y->n;
  int c = memcmp(x->p, y->p, n);
  return c ? c : x->n < y->n ? -1 : x->n > y->n;
}

static int gather(struct builder *b, int idx, struct weft_slice **names, uint32_t *nnames) {
  lua_State *L = b->L;
  size_t n = 0, array = lua_rawlen(L, idx);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) n++;
  *names = weft_arena_alloc(b->arena, (n + 1) * sizeof **names);
  *nnames = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      struct weft_slice *s = &(*names)[(*nnames)++];
      s->p = lua_tolstring(L, -2, &s->n);
    } else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 ||
               (size_t)lua_tointeger(L, -2) > array) {
      lua_pop(L, 2);
      return weft_fail(b->err, WEFT_USAGE, "%s: keys are column names; a %s is none", b->who,
                       "number or other value");
    }
  }
  qsort(*names, *nnames, sizeof **names, by_bytes);
  return 0;
}

/* All entries of a table (positions, then names in order) as kids. */
static int entries(struct builder *b, int idx, const struct weft_expr ***out, uint32_t *n) {
  lua_State *L = b->L;
  struct weft_slice *names;
  uint32_t nnames, positions = (uint32_t)lua_rawlen(L, idx);
  if (gather(b, idx, &names, &nnames)) return -1;
  if (nnames + positions == 0)
    return weft_fail(b->err, WEFT_USAGE, "%s: an empty table is no condition", b->who);
  const struct weft_expr **kids = weft_arena_alloc(b->arena, (nnames + positions) * sizeof *kids);
  for (uint32_t i = 0; i < positions; i++) {
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    int rc = entry(b, lua_gettop(L), &kids[i]);
    lua_pop(L, 1);
    if (rc) return -1;
  }
  for (uint32_t i = 0; i < nnames; i++) {
    const struct weft_expr *left;
    int column;
    char what[80];
    lua_pushlstring(L, names[i].p, names[i].n);
    lua_pushvalue(L, -1);
    lua_rawget(L, idx);
    int top = lua_gettop(L);
    describe(b, top - 1, what);
    int rc = name_operand(b->arena, b->table, names[i], &left, &column, b->err) ||
             compare(b, left, column, WEFT_E_EQ, top, what, &kids[positions + i]);
    lua_pop(L, 2);
    if (rc) return -1;
  }
  *out = kids;
  *n = nnames + positions;
  return 0;
}

/* some, none, every: names inside of it are those of the association's table, which is not known here. */
static int quantified(struct builder *b, int idx, const char *kind, int of,
                      const struct weft_expr **out) {
  const struct weft_table *outer = b->table;
  const struct weft_expr *x = weft_expr_true();
  struct weft_slice path;
  if (lua_getfield(b->L, idx, "name") != LUA_TSTRING) return lua_pop(b->L, 1), spoilt("weft condition", b->err);
  path.p = lua_tolstring(b->L, -1, &path.n);
  if (path.n == 0) return lua_pop(b->L, 1), weft_fail(b->err, WEFT_USAGE, "%s: no path of associations", kind);
  b->table = NULL;
  int rc = lua_isnil(b->L, of) ? 0 : entry(b, of, &x);
  b->table = outer;
  lua_pop(b->L, 1); /* the mark keeps it */
  if (rc) return -1;
  bool every = strcmp(kind, "every") == 0;
  if (every) x = weft_expr_unary(b->arena, WEFT_E_UNTRUE, x);
  for (size_t end = path.n; end > 0;) { /* from the last name to the first */
    size_t from = end;
    while (from > 0 && path.p[from - 1] != '.') from--;
    if (from == end) return weft_fail(b->err, WEFT_USAGE, "%s: no path of associations", kind);
    x = weft_expr_some(b->arena, weft_slice(path.p + from, end - from), NULL, false, x);
    end = from > 0 ? from - 1 : 0;
  }
  *out = every || strcmp(kind, "none") == 0 ? weft_expr_unary(b->arena, WEFT_E_NOT, x) : x;
  return 0;
}

static int combined(struct builder *b, int idx, const struct weft_expr **out) {
  lua_State *L = b->L;
  const struct weft_expr **kids;
  uint32_t n;
  const char *who = b->who;
  lua_getfield(L, idx, "kind");
  const char *kind = lua_tostring(L, -1);
  lua_getfield(L, idx, "of");
  int of = lua_gettop(L), rc;
  bool quantifies = kind && (strcmp(kind, "some") == 0 || strcmp(kind, "none") == 0 ||
                             strcmp(kind, "every") == 0);
  if (!kind || (!lua_istable(L, of) && !quantifies)) return spoilt("weft condition", b->err);
  b->who = kind;
  if (quantifies) {
    rc = quantified(b, idx, kind, of, out);
  } else if (strcmp(kind, "negate") == 0) {
    const struct weft_expr *x;
    rc = entry(b, of, &x);
    if (rc == 0) *out = weft_expr_unary(b->arena, WEFT_E_NOT, x);
  } else {
    rc = entries(b, of, &kids, &n);
    if (rc == 0)
      *out = weft_expr_logic(b->arena, strcmp(kind, "any_of") == 0 ? WEFT_E_OR : WEFT_E_AND, kids, n);
  }
  b->who = who;
  lua_pop(L, 2);
  return rc;
}

/* One condition: a mark, {column, operator, value}, or a table of entries that all hold. */
static int entry(struct builder *b, int idx, const struct weft_expr **out) {
  lua_State *L = b->L;
  const struct weft_expr **kids;
  uint32_t n;
  if (!lua_istable(L, idx))
    return weft_fail(b->err, WEFT_USAGE, "%s: a condition is expected, got %s", b->who,
                     luaL_typename(L, idx));
  if (!lua_checkstack(L, 16) || ++b->depth > 100)
    return weft_fail(b->err, WEFT_USAGE, "%s: conditions are nested deeper than 100", b->who);
  int rc, top = lua_gettop(L);
  if (weft_lua_is(L, b->w, idx, SLOT_MT_RAW)) {
    rc = raw_operand(L, b->w, idx, b->arena, out, b->err);
  } else if (weft_lua_is(L, b->w, idx, SLOT_MT_CONDITION)) {
    rc = combined(b, idx, out);
  } else if (!plain_table(b, idx)) {
    rc = weft_fail(b->err, WEFT_USAGE, "%s: a condition is expected, got another object of Weft",
                   b->who);
  } else {
    lua_rawgeti(L, idx, 1);
    bool path = lua_istable(L, -1) && weft_lua_is(L, b->w, top + 1, SLOT_MT_PATH);
    if (lua_type(L, -1) == LUA_TSTRING || path) {
      lua_rawgeti(L, idx, 2);
      lua_rawgeti(L, idx, 3);
      if (lua_rawlen(L, idx) > 3)
        rc = weft_fail(b->err, WEFT_USAGE, "%s: a condition is {column, operator, value}", b->who);
      else
        rc = triplet(b, top + 1, top + 2, top + 3, out);
    } else {
      lua_pop(L, 1);
      rc = entries(b, idx, &kids, &n);
      if (rc == 0) *out = weft_expr_logic(b->arena, WEFT_E_AND, kids, n);
    }
  }
  lua_settop(L, top);
  b->depth--;
  return rc;
}

/* where(t, { "status", "token" }): keys that must be there. */
static int present(struct builder *b, int idx, int names) {
  lua_State *L = b->L;
  if (lua_isnoneornil(L, names)) return 0;
  if (!lua_istable(L, names))
    return weft_fail(b->err, WEFT_USAGE, "%s: the second argument names keys that must be present",
                     b->who);
  for (size_t i = 1; i <= lua_rawlen(L, names); i++) {
    lua_rawgeti(L, names, (lua_Integer)i);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, idx) == LUA_TNIL)
      return weft_fail(b->err, WEFT_USAGE, "%s: key '%s' must be present and is nil", b->who,
                       lua_tostring(L, -2) ? lua_tostring(L, -2) : "?");
    lua_pop(L, 2);
  }
  return 0;
}

int weft_lua_condition(lua_State *L, struct weft_lua *w, int idx, struct weft_arena *arena,
                       const struct weft_table *table, const char *who,
                       const struct weft_expr **out, struct weft_error *err) {
  struct builder b = {.L = L, .w = w, .arena = arena, .table = table, .who = who, .err = err};
  int top = lua_gettop(L), n = top - idx + 1;
  if (n < 1)
    return weft_fail(err, WEFT_USAGE, "%s takes a condition: a table, or a column, an operator and "
                                      "a value", who);
  bool path = lua_istable(L, idx) && weft_lua_is(L, w, idx, SLOT_MT_PATH);
  if (lua_type(L, idx) == LUA_TSTRING || path) {
    if (n > 3) return weft_fail(err, WEFT_USAGE, "%s takes a column, an operator and a value", who);
    if (n == 1)
      return weft_fail(err, WEFT_USAGE, "%s: a string is a column, never SQL: give an operator and "
                                        "a value, or use weft.raw", who);
    lua_settop(L, idx + 2);
    return triplet(&b, idx, idx + 1, idx + 2, out);
  }
  if (lua_istable(L, idx)) {
    if (n > 2 || (n == 2 && !plain_table(&b, idx)))
      return weft_fail(err, WEFT_USAGE, "%s: too many arguments", who);
    if (present(&b, idx, idx + 1)) return -1;
    return entry(&b, idx, out);
  }
  return weft_fail(err, WEFT_USAGE, "%s takes a table or a column name, got %s", who,
                   luaL_typename(L, idx));
}
