/* SPDX-License-Identifier: MIT */
/* require "blank": makes a driver answer at once without a database, so that what is left of an operation
   is Weft's own work: build, plan, dispatch, and the way back. The driver's struct is constant; its
   page is made writable for this. Only for measuring, inside the program weft. */
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"

static void (*real_submit)(struct weft_conn *c, struct weft_op *op);
static void (*real_done)(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err);
static struct weft_rows *kept, *none;
static enum { PASS, KEEP, ROWS, NONE } mode;

static void keep_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  if (rows) {
    weft_rows_unref(kept);
    weft_rows_unref(none);
    kept = weft_rows_ref(rows);
    none = weft_rows_new(rows->columns, 0);
  }
  op->done = real_done;
  real_done(op, rows, err);
}

static void submit(struct weft_conn *c, struct weft_op *op) {
  if (mode == ROWS || mode == NONE) {
    weft_conn_take(c, op);
    weft_conn_finish(c, op, weft_rows_ref(mode == ROWS ? kept : none), NULL);
    return;
  }
  if (mode == KEEP) {
    real_done = op->done;
    op->done = keep_done;
  }
  real_submit(c, op);
}

static int l_install(lua_State *L) { /* install(path of driver_NAME.so, NAME) */
  void *so = dlopen(luaL_checkstring(L, 1), RTLD_NOW | RTLD_LOCAL);
  if (!so) return luaL_error(L, "%s", dlerror());
  const struct weft_driver *(*driver)(void);
  lua_pushfstring(L, "weft_driver_%s", luaL_checkstring(L, 2));
  *(void **)(void *)&driver = dlsym(so, lua_tostring(L, -1));
  if (!driver) return luaL_error(L, "no such driver");
  const struct weft_driver *d = driver();
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)d & ~(page - 1);
  size_t size = (uintptr_t)(d + 1) - at;
  if (mprotect((void *)at, size, PROT_READ | PROT_WRITE)) return luaL_error(L, "mprotect");
  void (*own)(struct weft_conn *, struct weft_op *) = submit;
  real_submit = d->submit;
  memcpy((char *)(uintptr_t)d + offsetof(struct weft_driver, submit), &own, sizeof own);
  return 0;
}

static int l_mode(lua_State *L) { /* mode "pass" | "keep" (the next answers) | "rows" | "none" */
  static const char *const names[] = {"pass", "keep", "rows", "none", NULL};
  int wanted = luaL_checkoption(L, 1, NULL, names);
  if (wanted >= ROWS && !kept) return luaL_error(L, "nothing was kept");
  mode = wanted;
  return 0;
}

int luaopen_blank(lua_State *L) {
  static const luaL_Reg functions[] = {{"install", l_install}, {"mode", l_mode}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
