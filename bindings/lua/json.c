/* SPDX-License-Identifier: MIT */
/* weft.encode and weft.decode: JSON text and Lua tables, exact both ways. Rows keep the order of their
   columns and say their NULLs, other tables are arrays (sequences, weft.array, lists that count their holes
   in n) or objects in key order. What would be lost (other keys beside a sequence, NaN) raises. */
#include "weft_lua.h"

#include <math.h>
#include <stdlib.h>

#include "decimal.h"

enum { MAX_DEPTH = 200 };

struct encoder {
  lua_State *L;
  struct weft_lua *w;
  struct weft_buf *out;
  struct weft_error *err;
  int depth, rc;
};

static int encode(struct encoder *e, int idx);

static int encode_array(struct encoder *e, int idx, int64_t n) {
  weft_buf_char(e->out, '[');
  for (int64_t i = 1; i <= n && !weft_buf_failed(e->out); i++) {
    if (i > 1) weft_buf_char(e->out, ',');
    lua_rawgeti(e->L, idx, (lua_Integer)i);
    if (lua_isnil(e->L, -1)) weft_buf_lit(e->out, "null");
    else if (encode(e, lua_gettop(e->L))) return -1;
    lua_pop(e->L, 1);
  }
  weft_buf_char(e->out, ']');
  return 0;
}

/* The length of the table at idx as an array, -1 when it is an object. A list with holes says n, as
   table.pack does. */
static int64_t array_length(struct encoder *e, int idx, bool marked) {
  lua_State *L = e->L;
  int64_t length = (int64_t)lua_rawlen(L, idx), n = length;
  lua_pushliteral(L, "n");
  lua_rawget(L, idx);
  bool counted = lua_isinteger(L, -1) && lua_tointeger(L, -1) >= length;
  if (counted) n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (marked) return n;
  if (n == 0) return -1;
  int64_t positions = 0, others = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n) positions++;
    else others++;
  }
  if (positions == 0) return -1;
  return others == counted ? n : -1; /* an object will say what is wrong with it */
}

static int compare_keys(const void *a, const void *b) {
  const struct weft_slice *x = a, *y = b;
  size_t n = x->n < y->n ? x->n : y->n;
  int c = memcmp(x->p, y->p, n);
  return c ? c : x->n < y->n ? -1 : x->n > y->n;
}

/* Keys of the table at idx, sorted by bytes; they stay anchored by the table. Those for which skip
   answers true are left out. The result is a userdata left on the stack. */
static struct weft_slice *sorted_keys(struct encoder *e, int idx, uint32_t *n,
                                      const struct weft_rows *skip) {
  lua_State *L = e->L;
  uint32_t count = 0, i = 0;
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) count++;
  struct weft_slice *keys = lua_newuserdatauv(L, (count + 1) * sizeof *keys, 0);
  for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      weft_fail(e->err, WEFT_USAGE, "encode: a table has both a sequence and other keys, or a key "
                                    "that is a %s", luaL_typename(L, -2));
      lua_pop(L, 2);
      return NULL;
    }
    if (i >= count) { /* making keys may have run a finalizer that adds some */
      weft_fail(e->err, WEFT_USAGE, "encode: the table is being changed");
      lua_pop(L, 2);
      return NULL;
    }
    keys[i].p = lua_tolstring(L, -2, &keys[i].n);
    bool column = false;
    for (uint32_t c = 0; skip && c < skip->ncols && !column; c++)
      column = weft_slice_equal(skip->columns->v[c].name, keys[i]);
    if (!column) i++;
  }
  qsort(keys, i, sizeof *keys, compare_keys);
  *n = i;
  return keys;
}

static void member_name(struct encoder *e, struct weft_slice key, bool *first) {
  if (!*first) weft_buf_char(e->out, ',');
  *first = false;
  weft_json_string(e->out, key);
  weft_buf_char(e->out, ':');
}

static int encode_member(struct encoder *e, int idx, struct weft_slice key, bool *first) {
  member_name(e, key, first);
  lua_pushlstring(e->L, key.p, key.n);
  lua_rawget(e->L, idx);
  if (lua_isnil(e->L, -1)) weft_buf_lit(e->out, "null");
  else if (encode(e, lua_gettop(e->L))) return -1;
  lua_pop(e->L, 1);
  return 0;
}

/* Is the text behind from what the table of the cell v gives? */
static bool same_text(struct encoder *e, size_t from, struct weft_value v, uint32_t as) {
  struct weft_error err;
  struct weft_buf b;
  if (weft_buf_failed(e->out)) return false;
  weft_buf_init(&b);
  weft_lua_push(e->L, e->w, v, as);
  bool same = lua_istable(e->L, -1) && weft_lua_encode(e->L, e->w, -1, &b, &err) == 0 &&
              b.n == e->out->n - from && memcmp(b.p, e->out->p + from, b.n) == 0;
  lua_pop(e->L, 1);
  weft_buf_release(&b);
  return same;
}

/* A column of a row: what was read is written as :json() writes it, to the byte. */
static int encode_cell(struct encoder *e, int idx, struct weft_column c, struct weft_value v,
                       bool *first) {
  char scratch[WEFT_PRESENT_TEXT];
  member_name(e, c.name, first);
  lua_pushlstring(e->L, c.name.p, c.name.n);
  lua_rawget(e->L, idx);
  int at = lua_gettop(e->L);
  size_t from = e->out->n;
  bool table = lua_istable(e->L, at); /* written once, then compared: rows in rows would double the work */
  bool changed = table || weft_lua_changed(e->L, e->w, at, v, c.as);
  if (changed && encode(e, at)) return -1;
  if (table && same_text(e, from, v, c.as)) {
    e->out->n = from;
    changed = false;
  }
  lua_pop(e->L, 1);
  if (!changed) weft_json_value(e->out, c.as ? weft_value_present(v, c.as, scratch) : v);
  return 0;
}

static int encode_object(struct encoder *e, int idx, const struct weft_rows *rows, uint32_t row) {
  bool first = true;
  uint32_t n;
  weft_buf_char(e->out, '{');
  for (uint32_t i = 0; rows && i < rows->ncols; i++)
    if (encode_cell(e, idx, rows->columns->v[i], weft_rows_row(rows, row)[i], &first)) return -1;
  struct weft_slice *keys = sorted_keys(e, idx, &n, rows);
  if (!keys) return -1;
  for (uint32_t i = 0; i < n; i++)
    if (encode_member(e, idx, keys[i], &first)) return -1;
  lua_pop(e->L, 1);
  weft_buf_char(e->out, '}');
  return 0;
}

static int encode_table(struct encoder *e, int idx) {
  lua_State *L = e->L;
  struct weft_rows *rows;
  uint32_t number;
  int64_t n;
  if (!lua_checkstack(L, 10) || ++e->depth > MAX_DEPTH)
    return weft_fail(e->err, WEFT_USAGE, "encode: nested deeper than %d, or a cycle", MAX_DEPTH);
  int rc;
  if (weft_lua_is(L, e->w, idx, SLOT_MT_JSON)) {
    lua_rawgeti(L, idx, 1);
    rc = lua_isnil(L, -1) ? (weft_buf_lit(e->out, "null"), 0) : encode(e, lua_gettop(L));
    lua_pop(L, 1);
  } else if (weft_lua_is(L, e->w, idx, SLOT_MT_ARRAY)) {
    rc = encode_array(e, idx, array_length(e, idx, true));
  } else if (weft_lua_row(L, e->w, idx, &rows, &number)) {
    rc = encode_object(e, idx, rows, number);
  } else {
    n = array_length(e, idx, false);
    rc = n >= 0 ? encode_array(e, idx, n) : encode_object(e, idx, NULL, 0);
  }
  e->depth--;
  return rc;
}

static int encode(struct encoder *e, int idx) {
  lua_State *L = e->L;
  const struct weft_decimal *d;
  char text[WEFT_DECIMAL_TEXT];
  size_t n;
  switch (lua_type(L, idx)) {
    case LUA_TNIL: weft_buf_lit(e->out, "null"); return 0;
    case LUA_TBOOLEAN:
      if (lua_toboolean(L, idx)) weft_buf_lit(e->out, "true");
      else weft_buf_lit(e->out, "false");
      return 0;
    case LUA_TNUMBER:
      if (!isfinite(lua_tonumber(L, idx)))
        return weft_fail(e->err, WEFT_USAGE, "encode: NaN and infinities have no JSON form");
      weft_json_value(e->out, lua_isinteger(L, idx) ? weft_int(lua_tointeger(L, idx))
                                                    : weft_float(lua_tonumber(L, idx)));
      return 0;
    case LUA_TSTRING: {
      const char *s = lua_tolstring(L, idx, &n);
      if (!weft_utf8_valid(s, n))
        return weft_fail(e->err, WEFT_TYPE, "encode: text that is not UTF-8 has no JSON form");
      weft_json_string(e->out, weft_slice(s, n));
      return 0;
    }
    case LUA_TTABLE: return encode_table(e, idx);
    case LUA_TUSERDATA:
      if (lua_touserdata(L, idx) == e->w->null) {
        weft_buf_lit(e->out, "null");
        return 0;
      }
      if ((d = weft_lua_to_decimal(L, e->w, idx))) {
        weft_buf_add(e->out, text, weft_decimal_text(text, d));
        return 0;
      }
      break;
    default: break;
  }
  return weft_fail(e->err, WEFT_USAGE, "encode: a %s has no JSON form", luaL_typename(L, idx));
}

static int encode_body(lua_State *L) { /* the encoder, the value, whether to push the text */
  struct encoder *e = lua_touserdata(L, 1);
  bool push = lua_toboolean(L, 3);
  e->rc = encode(e, 2);
  if (e->rc == 0 && weft_buf_failed(e->out))
    e->rc = weft_fail(e->err, WEFT_TYPE, "encode: above 1 GiB of text");
  lua_settop(L, 0);
  if (e->rc == 0 && push) lua_pushlstring(L, e->out->p, e->out->n);
  return lua_gettop(L);
}

/* Under pcall, because a Lua error (memory, a C stack too deep) must not leave the text behind. */
static int protected_encode(lua_State *L, struct weft_lua *w, int idx, struct weft_buf *out, bool push,
                            struct weft_error *err) {
  struct encoder e = {.L = L, .w = w, .out = out, .err = err};
  idx = lua_absindex(L, idx);
  if (!lua_checkstack(L, 4)) return weft_fail(err, WEFT_USAGE, "encode: nested too deep");
  lua_pushcfunction(L, encode_body);
  lua_pushlightuserdata(L, &e);
  lua_pushvalue(L, idx);
  lua_pushboolean(L, push);
  if (lua_pcall(L, 3, LUA_MULTRET, 0) == LUA_OK) return e.rc;
  weft_buf_release(out);
  return lua_error(L);
}

int weft_lua_encode(lua_State *L, struct weft_lua *w, int idx, struct weft_buf *out,
                    struct weft_error *err) {
  return protected_encode(L, w, idx, out, false, err);
}

/* A float when nothing is lost by it, else a decimal that keeps every digit. */
static int push_number(lua_State *L, struct weft_lua *w, const struct weft_json_reader *r,
                       struct weft_error *err) {
  struct weft_decimal exact, back;
  double f;
  bool decimal = r->value.type != WEFT_INT && weft_decimal_parse(r->text, &exact) == 0;
  bool finite = weft_float_parse(r->text, &f) == 0 && isfinite(f);
  if (r->value.type == WEFT_INT)
    lua_pushinteger(L, r->value.u.i);
  else if (finite && (!decimal || (weft_decimal_from_float(f, &back) == 0 &&
                                   weft_decimal_compare(&back, &exact) == 0)))
    lua_pushnumber(L, f);
  else if (decimal)
    weft_lua_push_decimal(L, w, &exact);
  else
    return weft_fail(err, WEFT_TYPE, "JSON: a number beyond what a float or a decimal holds");
  return 0;
}

/* Reads one value whose first event is ev; pushes it. */
static int decode(lua_State *L, struct weft_lua *w, struct weft_json_reader *r, int ev,
                  struct weft_error *err) {
  if (!lua_checkstack(L, 6)) return weft_fail(err, WEFT_TYPE, "JSON: nested too deep");
  switch (ev) {
    case WEFT_JSON_NULL: weft_lua_slot(L, w, SLOT_NULL); return 0;
    case WEFT_JSON_BOOL: lua_pushboolean(L, (int)r->value.u.i); return 0;
    case WEFT_JSON_NUMBER: return push_number(L, w, r, err);
    case WEFT_JSON_STRING: lua_pushlstring(L, r->text.p, r->text.n); return 0;
    case WEFT_JSON_ARRAY_BEGIN:
      lua_newtable(L);
      weft_lua_slot(L, w, SLOT_MT_ARRAY);
      lua_setmetatable(L, -2);
      for (lua_Integer i = 1; (ev = weft_json_read(r, err)) != WEFT_JSON_ARRAY_END; i++) {
        if (ev < 0 || decode(L, w, r, ev, err)) return -1;
        lua_rawseti(L, -2, i);
      }
      return 0;
    case WEFT_JSON_OBJECT_BEGIN:
      lua_newtable(L);
      while ((ev = weft_json_read(r, err)) != WEFT_JSON_OBJECT_END) {
        if (ev < 0) return -1;
        lua_pushlstring(L, r->text.p, r->text.n); /* the key */
        ev = weft_json_read(r, err);
        if (ev < 0 || decode(L, w, r, ev, err)) return -1;
        lua_rawset(L, -3);
      }
      return 0;
    default: return -1;
  }
}

struct reading { /* what a Lua error must not leave behind: the reader's scratch */
  struct weft_json_reader reader;
  struct weft_lua *w;
  struct weft_error *err;
  int rc;
};

static int decode_body(lua_State *L) {
  struct reading *g = lua_touserdata(L, 1);
  lua_settop(L, 0);
  int ev = weft_json_read(&g->reader, g->err);
  g->rc = ev < 0 ? -1 : decode(L, g->w, &g->reader, ev, g->err);
  if (g->rc == 0 && weft_json_read(&g->reader, g->err) != WEFT_JSON_END) g->rc = -1;
  if (g->rc) return 0;
  lua_settop(L, 1);
  return 1;
}

int weft_lua_decode(lua_State *L, struct weft_lua *w, struct weft_slice text,
                    struct weft_error *err) {
  struct reading g = {.w = w, .err = err, .rc = -1};
  weft_json_reader_init(&g.reader, text);
  lua_pushcfunction(L, decode_body);
  lua_pushlightuserdata(L, &g);
  int status = lua_pcall(L, 1, 1, 0);
  weft_json_reader_release(&g.reader);
  if (status != LUA_OK) {
    lua_pop(L, 1);
    return weft_fail(err, WEFT_INTERNAL, "out of memory while reading JSON");
  }
  if (g.rc) lua_pop(L, 1);
  return g.rc;
}

static int l_encode(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_error err;
  struct weft_buf b;
  if (lua_isnone(L, 1)) return weft_lua_usage(L, w, "encode takes a value");
  weft_buf_init(&b);
  int rc = protected_encode(L, w, 1, &b, true, &err);
  weft_buf_release(&b);
  return rc ? weft_lua_raise(L, w, &err, NULL) : 1;
}

static int l_decode(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_error err;
  size_t n;
  if (lua_type(L, 1) != LUA_TSTRING)
    return weft_lua_usage(L, w, "decode takes JSON text, got %s", luaL_typename(L, 1));
  const char *s = lua_tolstring(L, 1, &n);
  if (weft_lua_decode(L, w, weft_slice(s, n), &err)) return weft_lua_raise(L, w, &err, NULL);
  return 1;
}

void weft_lua_open_json(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};
  weft_lua_functions(L, w, functions);
}
