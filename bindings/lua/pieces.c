/* SPDX-License-Identifier: MIT */
/* The JSON of rows in pieces, for those who pass it on and need not hold the whole: the first one as the answer of the
   query, the others when they are asked for. */
#include "terminal.h"
#include "tree.h"

enum { PIECE = 1 << 16 }; /* bytes that a piece has at least, but for the last one */

struct pieces {
  struct weft_tree *tree; /* owned; NULL: all was given. What is at user value 1 has its names. */
  uint32_t row;
};

static struct pieces *check(lua_State *L) {
  return weft_lua_is(L, weft_lua_self(L), 1, SLOT_MT_PIECES) ? lua_touserdata(L, 1) : NULL;
}

static void finish(struct pieces *p) {
  weft_tree_free(p->tree);
  p->tree = NULL;
}

static int l_gc(lua_State *L) {
  struct pieces *p = check(L);
  if (p) finish(p);
  return 0;
}

bool weft_lua_first_piece(struct weft_lua *w, const struct weft_tree *t, uint32_t *row) {
  *row = 0;
  weft_buf_reset(&w->text);
  return weft_json_tree_piece(&w->text, t, row, PIECE);
}

static int l_next(lua_State *L) {
  struct weft_lua *w = weft_lua_self(L);
  struct weft_lua_context context = {.op = "json"};
  struct weft_error err;
  struct pieces *p = check(L);
  if (!p || !p->tree) return 0;
  weft_buf_reset(&w->text);
  if (!weft_json_tree_piece(&w->text, p->tree, &p->row, PIECE)) finish(p);
  if (weft_lua_text_wrong(w, &err)) return weft_lua_raise(L, w, &err, &context);
  weft_lua_push_text(L, w);
  return 1;
}

void weft_lua_push_pieces(lua_State *L, struct weft_lua *w, struct weft_rows *rows, struct weft_tree **tree,
                          uint32_t row, int keep) {
  struct pieces *p = lua_newuserdatauv(L, sizeof *p, 1);
  *p = (struct pieces){NULL, row};
  weft_lua_slot(L, w, SLOT_MT_PIECES);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, keep);
  lua_setiuservalue(L, -2, 1);
  p->tree = tree ? *tree : weft_tree_new(weft_rows_ref(rows), 0);
  if (tree) *tree = NULL;
}

void weft_lua_open_pieces(lua_State *L, struct weft_lua *w) {
  static const luaL_Reg methods[] = {{"__gc", l_gc}, {"__close", l_gc}, {"__call", l_next}, {NULL, NULL}};
  weft_lua_metatable(L, w, SLOT_MT_PIECES, "weft.pieces", methods);
  lua_pop(L, 1);
}
