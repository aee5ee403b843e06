/* SPDX-License-Identifier: MIT */
/* What terminal.c and write.c share: running a query and pushing its answer. */
#ifndef WEFT_TERMINAL_H
#define WEFT_TERMINAL_H

#include "weft_lua.h"

enum answer {
  ANSWER_ROWS,
  ANSWER_FIRST, /* the row or nil */
  ANSWER_GET,   /* the row, or not_found */
  ANSWER_ONE,   /* the row, or not_found or many */
  ANSWER_SCALAR,
  ANSWER_EXISTS,
  ANSWER_JSON,
  ANSWER_COUNT /* affected rows */
};

/* Runs q (its reference is taken over) for the query lq at stack index 1. */
int weft_lua_run_query(lua_State *L, struct weft_lua *w, struct lua_query *lq, struct weft_query *q,
                       const char *op, int mode, lua_KFunction k);
/* The usual continuation: pushes what mode says. */
int weft_lua_answer_k(lua_State *L, int status, lua_KContext ctx);
/* Goes on in k once the table of lq is known; may wait. The stack stays as it is. */
int weft_lua_with_table(lua_State *L, struct weft_lua *w, struct lua_query *lq, const char *op,
                        lua_KFunction k);
void weft_lua_push_scalar(lua_State *L, struct weft_lua *w, const struct weft_rows *rows);
struct weft_query *weft_lua_ordered(struct weft_query *q, const struct weft_table *t);
/* The rows at stack index 2 as the insert c. 1: they cannot be one statement. */
int weft_lua_many(lua_State *L, struct weft_lua *w, const struct weft_table *t,
                  struct weft_query *c, struct weft_error *err);
/* Adds core.seek (page.c) to the module table on top. */
void weft_lua_open_page(lua_State *L, struct weft_lua *w);
/* Adds the writes to the methods table on top. */
void weft_lua_open_write(lua_State *L, struct weft_lua *w);

#endif
