/* SPDX-License-Identifier: MIT */
/* Weft for C programs: services (Lua scripts over databases) are called with JSON and answer with JSON.

     #include <weft.h>                        cc app.c $(pkg-config --cflags --libs weft)

     struct weft_host_error err;
     struct weft_host_options options = {.size = sizeof options, .folder = "shop", .error = &err};
     weft_host *host = weft_host_new(&options);
     char *json = weft_host_call_wait(host, "product_detail", "{\"product_id\":17}", 17, NULL, &err);
     free(json);
     weft_host_free(host);

   A host is a Lua state with its own databases, connections and scripts, on one event loop. Hosts know nothing of each
   other. One host belongs to one thread at a time: every function is to be called there, and so are its callbacks. Two
   hosts may live in two threads. Nothing here exits, prints, or changes the folder or the signals of the process.

   The loop is the host's own (weft_host_call_wait and weft_host_wait run it), or the program's: then calls go on while
   that one runs, and they keep uv_run from returning until they have ended. Weft never runs a loop inside itself, so
   what waits (new, load, call_wait, wait, free) must not be called inside uv_run or from a script: where Weft can tell,
   from its own callbacks and scripts, it refuses with "usage". */
#ifndef WEFT_H
#define WEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct lua_State; /* <lua.h> and <uv.h> are needed by those who use them */
struct uv_loop_s;

typedef struct weft_host weft_host;

/* Why something failed: plain text, to be copied as it is. No message holds a parameter's value. */
struct weft_host_error {
  char kind[24];        /* "usage" "not_found" "unique" "timeout" "closed" ..., as in Lua; an error of a script that is
                           not Weft's is "internal", and so is a full memory, whose code is "memory" */
  char message[480];
  char code[16];        /* SQLSTATE or the database's own code, "" when there is none; so are the others */
  char database[64];
  char constraint[64];
  char column[64];
  bool retryable;       /* the same call may succeed if made again, and cannot have happened */
  bool outcome_unknown; /* a statement may or may not have been carried out */
};

/* What is 0 or NULL takes the default. Texts are copied. */
struct weft_host_options {
  size_t size;                   /* sizeof (struct weft_host_options), so that programs outlive additions */
  struct weft_host_error *error; /* says why weft_host_new returned NULL; may be NULL */
  const char *folder;  /* holds weft.lua, models/, services/; relative paths in weft.lua begin here. Default: "." */
  const char *lua;     /* folder of Weft's Lua files. Default: found from where this library is, else from LUA_PATH */
  struct uv_loop_s *loop; /* the program's own, which outlives the host. Default: one of the host */
  size_t memory;       /* bytes that Lua may have, rows on their way and connections not counted. A call that wants more
                          fails alone; what scripts keep stays, and a host that is full of it is of no use any more.
                          Default: no limit */
  double timeout;      /* seconds for each call: then its waits fail with "timeout" (a script that does not wait holds
                          its thread for as long as it likes). Default: no limit */
  void (*log)(void *ud, const char *level, const char *line); /* see weft.log: a line of JSON. Default: no log */
  void *log_ud;
  const char *log_level; /* "debug" "info" "warn" "error". Default: "warn" */
};

/* Reads weft.lua and connects to nothing. NULL: see options->error. options may be NULL. */
weft_host *weft_host_new(const struct weft_host_options *options);

/* Loads a script of the folder now: below services/ the service of that name (again: its new text), elsewhere one
   that is run, as "setup.lua". May wait. -1: see *err, which may be NULL here and everywhere. */
int weft_host_load(weft_host *host, const char *script, struct weft_host_error *err);

/* The end of a call: json (with a zero byte behind it, gone after the callback) or, when that is NULL, err. It may do
   anything but wait: call, cancel, close. */
typedef void weft_host_callback(void *ud, const char *json, size_t len, const struct weft_host_error *err);

/* Calls weft.services' "product_detail" or "cart.add" in a task of its own, with what json says (NULL: nil); callback
   (may be NULL) comes once, later, from the loop. Returns a number for weft_host_cancel; 0, and callback never comes,
   when the host is closed. */
uint64_t weft_host_call(weft_host *host, const char *service, const char *json, size_t len,
                        weft_host_callback *callback, void *ud);

struct weft_host_call_options {
  size_t size;         /* sizeof (struct weft_host_call_options) */
  double timeout;      /* seconds, in place of the host's */
  const char *context; /* JSON text: the service's second argument */
  size_t context_len;
};
uint64_t weft_host_call_with(weft_host *host, const struct weft_host_call_options *options, const char *service,
                             const char *json, size_t len, weft_host_callback *callback, void *ud);

/* The same for a program that blocks: runs the loop until the call has ended. Text with a zero byte behind it, to be
   freed by free(), its length in *out_len (may be NULL); or NULL and *err. */
char *weft_host_call_wait(weft_host *host, const char *service, const char *json, size_t len, size_t *out_len,
                          struct weft_host_error *err);

/* The call ends with "cancelled" as soon as its statement can be given up. One that has ended is no mistake. */
void weft_host_cancel(weft_host *host, uint64_t call);

/* Runs the loop until no call is in flight. */
int weft_host_wait(weft_host *host, struct weft_host_error *err);

/* No call begins any more, those in flight end with "closed", by and by. From anywhere on the thread: what a signal's
   callback on the program's own loop does, before uv_run returns and the host is freed. */
void weft_host_close(weft_host *host);

/* Frees everything; calls in flight end with "closed" at once, transactions are rolled back. Runs the loop while things
   close. -1, and nothing was done, from the host's own callbacks and scripts. NULL is fine. */
int weft_host_free(weft_host *host);

size_t weft_host_memory(const weft_host *host); /* bytes that Lua has now */

/* The host's Lua state, for functions of the program's own: between calls, its stack as it was. */
struct lua_State *weft_host_lua(weft_host *host);

/* For programs that own their state (with the standard libraries open): makes require "weft" work there, and returns 1
   with that module on the stack; a lua_CFunction. Raises Lua errors. weft_open_on: on the program's own loop. */
int weft_open(struct lua_State *L);
int weft_open_on(struct lua_State *L, struct uv_loop_s *loop);

const char *weft_version(void); /* "0.1.0" */

/* Drivers are shared objects beside the library, opened when their first URL is used. libweft.a holds them, too: what
   the linker is told of (-Wl,-u,weft_driver_sqlite -lsqlite3) is part of the program. */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
