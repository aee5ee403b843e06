/* SPDX-License-Identifier: MIT */
/* What the specs of the SQLite driver share: one connection without a pool, on files in a folder of
   their own. */
#ifndef WEFT_SPEC_SQLITE_SUPPORT_H
#define WEFT_SPEC_SQLITE_SUPPORT_H

#include <limits.h>

#include "clock.h"
#include "decimal.h"
#include "dialect.h"
#include "driver.h"
#include "plan.h"
#include "spec.h"

enum { MS = 1000 * 1000, TEXT = WEFT_PLAN_RAW, READ = WEFT_PLAN_RAW | WEFT_PLAN_READ };

static struct weft_loop *loop;
static char folder[PATH_MAX];

/* ---- one statement ---- */

struct call {
  struct weft_op op;
  struct weft_rows *rows;
  struct weft_error err;
  bool done;
  int ended;             /* how often done was called */
  struct weft_hook hook; /* submits from within the loop */
  struct weft_conn *on;
  bool at_once;          /* was done when submit returned */
};

SPEC_UNUSED static void on_done(struct weft_op *op, struct weft_rows *rows,
                                const struct weft_error *err) {
  struct call *call = WEFT_CONTAINER(op, struct call, op);
  call->rows = rows;
  if (err) call->err = *err;
  call->ended++;
  call->done = true;
}

SPEC_UNUSED static void call_init(struct call *call, struct weft_plan *plan,
                                  const struct weft_value *params, uint32_t n) {
  memset(call, 0, sizeof *call);
  weft_list_init(&call->op.link);
  weft_list_init(&call->hook.link);
  call->op.plan = plan;
  call->op.params = params;
  call->op.nparams = n;
  call->op.repeat = 1;
  call->op.done = on_done;
}

SPEC_UNUSED static void call_release(struct call *call) {
  weft_rows_unref(call->rows);
  weft_plan_unref(call->op.plan);
  memset(call, 0, sizeof *call);
}

SPEC_UNUSED static void wait_for(const bool *done) {
  struct weft_error err;
  if (weft_loop_pump(loop, done, &err)) printf("# %s\n", err.message);
}

SPEC_UNUSED static void on_submit(struct weft_hook *hook) {
  struct call *call = WEFT_CONTAINER(hook, struct call, hook);
  call->on->driver->submit(call->on, &call->op);
  call->at_once = call->done;
}

/* Submits when the loop runs next. */
SPEC_UNUSED static void submit_later(struct weft_conn *c, struct call *call) {
  call->on = c;
  call->hook.run = on_submit;
  weft_loop_defer(loop, &call->hook);
}

SPEC_UNUSED static struct weft_plan *plan_of(const char *sql, uint32_t n, uint32_t flags) {
  return weft_plan_raw(&weft_dialect_sqlite, weft_slice_of(sql), n, flags);
}

/* As the main coroutine does: the loop does not run. */
SPEC_UNUSED static void run_params(struct call *call, struct weft_conn *c, const char *sql,
                                   uint32_t flags, const struct weft_value *params, uint32_t n) {
  call_init(call, plan_of(sql, n, flags), params, n);
  c->driver->submit(c, &call->op);
  call->at_once = call->done;
  wait_for(&call->done);
}

SPEC_UNUSED static void run(struct call *call, struct weft_conn *c, const char *sql) {
  run_params(call, c, sql, TEXT, NULL, 0);
}

/* Runs and drops the answer; the kind of its error. */
SPEC_UNUSED static int run_kind(struct weft_conn *c, const char *sql) {
  struct call call;
  run(&call, c, sql);
  int kind = call.err.kind;
  call_release(&call);
  return kind;
}

#define ok(c, sql) expect_int(run_kind(c, sql), WEFT_OK)

/* The only cell of a result as text. */
SPEC_UNUSED static const char *cell_of(const struct call *call) {
  static struct weft_buf text;
  weft_buf_release(&text);
  weft_buf_init(&text);
  if (call->err.kind != WEFT_OK) return call->err.message;
  if (!call->rows || call->rows->nrows != 1) return "(not one row)";
  if (call->rows->cells[0].type == WEFT_NULL) return "NULL";
  weft_value_text(&text, call->rows->cells[0]);
  return weft_buf_cstr(&text);
}

SPEC_UNUSED static const char *scalar(struct weft_conn *c, const char *sql) {
  struct call call;
  run_params(&call, c, sql, READ, NULL, 0);
  const char *text = cell_of(&call);
  call_release(&call);
  return text;
}

SPEC_UNUSED static struct weft_value scalar_param(struct weft_conn *c, const char *sql,
                                                  struct weft_value v, struct call *call) {
  run_params(call, c, sql, READ, &v, 1);
  return call->rows && call->rows->nrows == 1 ? call->rows->cells[0] : weft_null();
}

/* ---- one connection ---- */

SPEC_UNUSED static struct weft_settings *settings(const char *url, struct weft_error *err) {
  struct weft_settings *s = NULL;
  weft_error_clear(err);
  return weft_settings_new(weft_slice_of(url), NULL, 0, &s, err) ? NULL : s;
}

struct opened {
  struct weft_conn *conn;
  struct weft_settings *settings;
  struct weft_error err;
  bool done, reset, reset_ok;
};

SPEC_UNUSED static void on_open(struct weft_conn *c, const struct weft_error *err) {
  struct opened *o = c->owner;
  if (err) o->err = *err;
  o->done = true;
}

SPEC_UNUSED static void on_reset(struct weft_conn *c, bool ok_) {
  struct opened *o = c->owner;
  o->reset = true;
  o->reset_ok = ok_;
}

SPEC_UNUSED static bool open_url(struct opened *o, const char *url) {
  memset(o, 0, sizeof *o);
  o->settings = settings(url, &o->err);
  if (!o->settings) return false;
  o->conn = o->settings->driver->open(loop, o->settings, o, on_open);
  wait_for(&o->done);
  if (o->err.kind != WEFT_OK) o->conn = NULL;
  else o->conn->on_reset = on_reset;
  return o->conn != NULL;
}

SPEC_UNUSED static void shut(struct opened *o) {
  if (o->conn) o->conn->driver->close(o->conn);
  weft_settings_free(o->settings);
}

SPEC_UNUSED static const char *url_of(const char *file) {
  static char urls[4][PATH_MAX + 64];
  static int next;
  char *url = urls[next++ % 4];
  snprintf(url, sizeof urls[0], "sqlite:%s/%s", folder, file);
  return url;
}

/* ---- all of it ---- */

SPEC_UNUSED static bool support_begin(void) {
  struct weft_error err;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/weft-sqlite-XXXXXX", tmp ? tmp : P_tmpdir);
  return mkdtemp(folder) && weft_loop_new(NULL, &loop, &err) == 0;
}

/* The exit status. */
SPEC_UNUSED static int support_end(void) {
  describe("all") {
    it("leaves nothing behind") {
      expect_int(weft_loop_handles(loop), 0);
      expect_int(weft_rows_live(), 0);
    }
  }
  weft_loop_free(loop);
  char command[PATH_MAX + 16];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  if (system(command) != 0) return 1;
  return spec_end();
}

#endif
