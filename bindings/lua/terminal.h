/* SPDX-License-Identifier: MIT */
/* What terminal.c and write.c share: running a query and pushing its answer. */
#ifndef WEFT_TERMINAL_H
#define WEFT_TERMINAL_H

#include "weft_lua.h"

struct weft_plan;

enum answer {
  ANSWER_ROWS,
  ANSWER_FIRST, /* the row or nil */
  ANSWER_GET,   /* the row, or not_found */
  ANSWER_ONE,   /* the row, or not_found or many */
  ANSWER_SCALAR,
  ANSWER_EXISTS,
  ANSWER_JSON,
  ANSWER_PIECES, /* of JSON: the first one, and what gives the others */
  ANSWER_COUNT /* affected rows */
};

/* Goes on in k when every name that the query at 1 uses was looked up and what it includes is compiled: k may
   find another query there. May wait. */
int weft_lua_prepared(lua_State *L, struct weft_lua *w, struct lua_query *lq, lua_KFunction k);
/* Runs q (its reference is taken over) for the query lq at stack index 1, which is prepared. */
int weft_lua_run_query(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
                       const char *op, int mode, lua_KFunction k);
/* The usual continuation: pushes what mode says. */
int weft_lua_answer_k(lua_State *L, int status, lua_KContext ctx);
/* Is that number of rows an error for the mode? Then the error. */
bool weft_lua_count_wrong(int mode, uint32_t nrows);
void weft_lua_count_error(struct weft_error *err, int mode, uint32_t nrows);
/* Does touching a row's association raise? */
bool weft_lua_strict(const struct weft_query *q);
/* Is w->text, which is JSON, too long? Then the error. */
bool weft_lua_text_wrong(const struct weft_lua *w, struct weft_error *err);
/* Pushes w->text. */
void weft_lua_push_text(lua_State *L, struct weft_lua *w);
/* Goes on in k once the query at 1 is prepared and its table is known; may wait. The stack stays as it is but
   for the query. */
int weft_lua_with_table(lua_State *L, struct weft_lua *w, struct lua_query *lq, const char *op,
                        lua_KFunction k);
/* q (its reference is taken over) on the newest version of its table, which is known, owned; its plan.
   Raises what is wrong with it; runs nothing. */
struct weft_query *weft_lua_plan(lua_State *L, struct weft_lua *w, struct lua_query *lq,
                                 struct weft_query *q, const char *op, struct weft_plan **plan);
void weft_lua_push_scalar(lua_State *L, struct weft_lua *w, const struct weft_rows *rows);
struct weft_query *weft_lua_ordered(struct weft_query *q, const struct weft_table *t);
/* Fails with usage: name, which is to be written by the query at 1, is no column of t; an association perhaps. */
int weft_lua_no_column(lua_State *L, const struct weft_table *t, struct weft_slice name,
                       struct weft_error *err);
/* The rows at stack index 2 as the insert c. 1: they cannot be one statement. */
int weft_lua_many(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                  struct weft_query *c, struct weft_error *err);
/* Pushes the rest of the JSON of a tree from row on, as a function that gives one piece after another and nil behind
   the last. The tree is rows, or *tree, which is taken over; what is at keep stays. */
void weft_lua_push_pieces(lua_State *L, struct weft_lua *w, struct weft_rows *rows, struct weft_tree **tree,
                          uint32_t row, int keep);
/* Writes the first piece of a tree to w->text; more is to come from *row on when it is true. */
bool weft_lua_first_piece(struct weft_lua *w, const struct weft_tree *t, uint32_t *row);
void weft_lua_open_pieces(lua_State *L, struct weft_lua *w);
/* Adds core.seek (page.c) to the module table on top. */
void weft_lua_open_page(lua_State *L, struct weft_lua *w);
/* Adds the writes to the methods table on top. */
void weft_lua_open_write(lua_State *L, struct weft_lua *w);

#endif
