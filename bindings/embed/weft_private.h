/* SPDX-License-Identifier: MIT */
/* What the files of the embedding share. */
#ifndef WEFT_PRIVATE_H
#define WEFT_PRIVATE_H

#include "weft.h"
#include "weft_lua.h"

struct weft_host {
  lua_State *L;
  struct weft_lua *w;
  struct weft_loop *loop;
  size_t memory, limit;    /* bytes of Lua; 0: no limit */
  size_t kept;             /* bytes in use after the last collection between two calls */
  double timeout;
  void (*log)(void *ud, const char *level, const char *line);
  void *log_ud;
  struct weft_buf warning; /* parts of one that is under way */
  struct weft_list calls;  /* in flight */
  uint64_t last;           /* number of the newest call */
  bool idle;               /* no call is in flight */
  bool closed, ending;
  int spawn, call, load;   /* registry references: core.spawn_apart, functions of lua/weft/embedded.lua */
};

/* ---- open.c ---- */
/* Makes require "weft" work and pushes that module. lua: the folder of its files, NULL: found. */
void weft_embed_open(lua_State *L, void *uv_loop, const char *lua);

/* ---- error.c ---- */
void weft_embed_fail(struct weft_host_error *err, const char *kind, const char *message);
/* Reads the error on top of from's stack. L: any state of the same Lua that runs nothing. Never raises. */
void weft_embed_read_error(lua_State *L, lua_State *from, struct weft_host_error *err);

/* ---- call.c ---- */
/* Every call in flight is told to end. */
void weft_embed_cancel_calls(struct weft_host *host);
/* Every call in flight ends now, with "closed". */
void weft_embed_end_calls(weft_host *host);

#endif
