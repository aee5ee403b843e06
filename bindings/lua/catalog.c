/* SPDX-License-Identifier: MIT */
/* What the catalog of a database tells, as Lua tables: the statements of its dialect, their rows as plain
   objects, and Weft's own words for types. */
#include "weft_lua.h"

#include "dialect_schema.h"

/* ---- rows as objects ---- */

enum cell_kind { CELL_PLAIN, CELL_BOOL, CELL_LIST };

/* What the column's name says, see dialect_schema.h; *n is left as the length of the field's own name. */
static enum cell_kind kind_of(struct weft_slice name, size_t *n) {
  *n = name.n;
  if (name.n > 1 && name.p[name.n - 1] == '?') return *n = name.n - 1, CELL_BOOL;
  if (name.n > 2 && memcmp(name.p + name.n - 2, "[]", 2) == 0) return *n = name.n - 2, CELL_LIST;
  return CELL_PLAIN;
}

static bool is_false(struct weft_value v) {
  return (v.type == WEFT_BOOL || v.type == WEFT_INT) && v.u.i == 0;
}

static void push_cell(lua_State *L, struct weft_lua *w, struct weft_value v, enum cell_kind kind) {
  struct weft_error err;
  if (kind == CELL_BOOL) lua_pushboolean(L, 1);
  else if (kind != CELL_LIST || !weft_is_text(v) || weft_lua_decode(L, w, weft_slice(v.u.s, v.n), &err))
    weft_lua_push(L, w, v, 0);
}

void weft_lua_push_objects(lua_State *L, struct weft_lua *w, const struct weft_rows *rows) {
  enum { NAMES = 32 };
  enum cell_kind kinds[NAMES];
  uint32_t n = rows->ncols < NAMES ? rows->ncols : NAMES;
  int top = lua_gettop(L);
  luaL_checkstack(L, NAMES + 10, "a catalog");
  for (uint32_t j = 0; j < n; j++) {
    size_t length;
    kinds[j] = kind_of(rows->columns->v[j].name, &length);
    lua_pushlstring(L, rows->columns->v[j].name.p, length);
  }
  lua_createtable(L, (int)rows->nrows, 0);
  for (uint32_t i = 0; i < rows->nrows; i++) {
    const struct weft_value *v = weft_rows_row(rows, i);
    lua_createtable(L, 0, 8);
    for (uint32_t j = 0; j < n; j++) {
      if (v[j].type == WEFT_NULL || (kinds[j] == CELL_BOOL && is_false(v[j]))) continue;
      lua_pushvalue(L, top + 1 + (int)j);
      push_cell(L, w, v[j], kinds[j]);
      lua_rawset(L, -3);
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

static int all_k(lua_State *L, int status, lua_KContext ctx) {
  struct lua_call *c = (struct lua_call *)ctx;
  (void)status;
  lua_createtable(L, (int)c->call.nall, 0);
  for (uint32_t i = 0; i < c->call.nall; i++) {
    weft_lua_push_objects(L, c->w, c->call.all[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  weft_lua_call_done(c);
  return 1;
}

/* core.all_objects(db, texts): the rows of each, all of one snapshot. Not for inside of transactions. */
static int l_all_objects(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_db *db = weft_lua_to_db(L, w, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  uint32_t n = (uint32_t)lua_rawlen(L, 2);
  weft_lua_may_wait(L, w, false);
  struct lua_call *c = weft_lua_call(w, "schema");
  c->context.database = weft_arena_slice(&c->call.arena, weft_db_name(db)); /* outlives a close */
  const char **texts = weft_arena_alloc(&c->call.arena, (n + 1) * sizeof *texts);
  for (uint32_t i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    texts[i] = lua_tostring(L, -1); /* the list holds it */
    lua_pop(L, 1);
  }
  weft_db_read_all(db, texts, n, &c->call);
  return weft_lua_await(L, c, all_k);
}

/* ---- the dialect ---- */

static const struct weft_dialect *dialect_of(lua_State *L) {
  return weft_db_dialect(weft_lua_to_db(L, weft_lua_self(L), 1));
}

static int l_catalog(lua_State *L) { /* core.catalog(db, what): SQL text, nil where the dialect has none */
  static const char *const names[] = {"keys", "views", NULL};
  const struct weft_dialect *d = dialect_of(L);
  const char *const texts[] = {d->keys, d->views};
  lua_pushstring(L, texts[luaL_checkoption(L, 2, NULL, names)]); /* NULL is nil */
  return 1;
}

/* core.schema_parts(db): a list of { what, sql, one }. */
static int l_schema_parts(lua_State *L) {
  const struct weft_schema_part *p = dialect_of(L)->schema;
  lua_newtable(L);
  for (lua_Integer i = 1; p->what; p++, i++) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, p->what);
    lua_setfield(L, -2, "what");
    lua_pushstring(L, p->sql);
    lua_setfield(L, -2, "sql");
    lua_pushstring(L, p->one);
    lua_setfield(L, -2, "one");
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static const char *kind_name(uint8_t type) {
  switch (type) {
    case WEFT_BOOL: return "boolean";
    case WEFT_INT: return "integer";
    case WEFT_FLOAT: return "number";
    case WEFT_DECIMAL: return "decimal";
    case WEFT_TEXT: return "string";
    case WEFT_BYTES: return "bytes";
    case WEFT_JSON: return "json";
    case WEFT_UUID: return "uuid";
    case WEFT_DATE: return "date";
    case WEFT_TIME: return "time";
    case WEFT_TIMESTAMP: return "timestamp";
    case WEFT_TIMESTAMPTZ: return "timestamptz";
    case WEFT_INTERVAL: return "interval";
    case WEFT_ARRAY: return "array";
    default: return "any";
  }
}

static int64_t integer_field(lua_State *L, int idx, const char *name, int64_t absent) {
  int64_t n = lua_getfield(L, idx, name) == LUA_TNUMBER ? lua_tointeger(L, -1) : absent;
  lua_pop(L, 1);
  return n;
}

/* core.value_kind(db, type): the kind of value, and that of an array's elements; type is a row of the part "types",
   or no more than its `type`. */
static int l_value_kind(lua_State *L) {
  const struct weft_dialect *d = dialect_of(L);
  struct weft_catalog_type t = {.oid = (uint32_t)integer_field(L, 2, "oid", 0),
                                .elem_oid = (uint32_t)integer_field(L, 2, "elem_oid", 0),
                                .typmod = (int32_t)integer_field(L, 2, "typmod", -1)};
  struct weft_column_type out;
  lua_getfield(L, 2, "type");
  lua_getfield(L, 2, "category");
  t.declared.p = lua_tolstring(L, -2, &t.declared.n);
  t.kind.p = lua_tolstring(L, -1, &t.kind.n);
  if (!t.kind.p) t.kind = weft_slice("", 0);
  d->column_type(&t, &out);
  lua_pushstring(L, kind_name(out.type));
  lua_pushstring(L, out.type == WEFT_ARRAY ? kind_name(out.elem) : NULL);
  return 2;
}

void weft_lua_open_catalog(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"catalog", l_catalog},
                                       {"all_objects", l_all_objects},
                                       {"schema_parts", l_schema_parts},
                                       {"value_kind", l_value_kind},
                                       {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
