/* SPDX-License-Identifier: MIT */
/* A Lua state as the `weft` program makes it: the standard libraries, weft.core and weft.host in package.preload,
   Weft's Lua files in package.path. One thread at a time. */
#ifndef WEFT_HOST_STATE_H
#define WEFT_HOST_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

int luaopen_weft_core(lua_State *L);
int luaopen_weft_host(lua_State *L);

/* The folder that holds lua/ and scripts/, found from where the program is; "" when there is none:
     ROOT/build/MODE/weft   ->  ROOT
     PREFIX/bin/weft        ->  PREFIX/share/weft */
void weft_home(char home[PATH_MAX]);

/* Memory of one state: what it uses, and how much it may. Asking for more fails in Lua as "not enough memory". */
enum { WEFT_MEMORY_CLASSES = 64 };
struct weft_memory {
  size_t used, most; /* bytes; most 0: no limit */
  size_t kept;       /* what was in use after weft_lua_relieve last collected */
  bool warning;      /* a text of warn() is not complete */
  struct block *spare[WEFT_MEMORY_CLASSES], *chunks; /* see memory.c */
  char *at;          /* what is left of the newest chunk */
  size_t left;
};
void *weft_memory_allocate(void *memory, void *p, size_t old, size_t size); /* a lua_Alloc */
/* Gives everything back, once the state is closed. */
void weft_memory_release(struct weft_memory *memory);

/* uv_loop: on which weft.core will run, NULL: one of its own. memory outlives the state. NULL: no memory. */
lua_State *weft_state_new(struct weft_memory *memory, void *uv_loop);
/* Opens libraries and paths; raises. */
void weft_state_open(lua_State *L, const char *home);
/* Message handler: the error with a traceback, as text; error tables of Weft stay what they are. */
int weft_state_traceback(lua_State *L);

#endif
