/* SPDX-License-Identifier: MIT */
/* What the specs of databases share: a context, calls that are waited for, tasks of one turn. */
#ifndef WEFT_SPEC_DB_SUPPORT_H
#define WEFT_SPEC_DB_SUPPORT_H

#include "db.h"
#include "spec.h"

struct world {
  struct weft_context *context;
  struct weft_loop *loop;
  struct weft_db *db;
  char path[64];
};

static int finished_calls; /* how often finished was called */

SPEC_UNUSED static void note_finished(struct weft_call *call) {
  (void)call;
  finished_calls++;
}

SPEC_UNUSED static bool pump(struct world *w, const bool *done) {
  struct weft_error err;
  return *done || weft_loop_pump(w->loop, done, &err) == 0;
}

/* Turns until call is done. */
SPEC_UNUSED static bool wait_for(struct world *w, struct weft_call *call) {
  return pump(w, &call->done);
}

struct turn {
  struct weft_hook hook;
  bool done;
};

static void turned(struct weft_hook *hook) { WEFT_CONTAINER(hook, struct turn, hook)->done = true; }

/* One turn of the loop: what was deferred happens. */
SPEC_UNUSED static void turn(struct world *w) {
  struct turn t = {.hook = {.run = turned}};
  weft_list_init(&t.hook.link);
  weft_loop_defer(w->loop, &t.hook);
  pump(w, &t.done);
}

SPEC_UNUSED static struct weft_db *open_db(struct weft_context *c, const char *url,
                                           const struct weft_db_options *o) {
  struct weft_db *db = NULL;
  struct weft_error err;
  if (weft_db_open(c, weft_slice_of("shop"), weft_slice_of(url), o, &db, &err))
    printf("cannot open %s: %s\n", url, err.message);
  return db;
}

SPEC_UNUSED static bool world_open(struct world *w, const char *url,
                                   const struct weft_db_options *o) {
  struct weft_error err;
  memset(w, 0, sizeof *w);
  if (!expect(weft_context_new(NULL, &w->context, &err) == 0)) return false;
  w->loop = weft_context_loop(w->context);
  w->db = open_db(w->context, url, o);
  return expect(w->db != NULL);
}

/* A file of its own, gone with the world. */
SPEC_UNUSED static bool world_file(struct world *w, const struct weft_db_options *o) {
  char url[80], path[64];
  snprintf(path, sizeof path, "/tmp/weft-spec-XXXXXX");
  int fd = mkstemp(path);
  if (!expect(fd >= 0)) return false;
  close(fd);
  snprintf(url, sizeof url, "sqlite:%s", path);
  bool ok = world_open(w, url, o);
  snprintf(w->path, sizeof w->path, "%s", path);
  return ok;
}

SPEC_UNUSED static void world_close(struct world *w) {
  static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
  struct weft_live live;
  weft_context_free(w->context);
  weft_live(&live);
  expect_int(live.contexts, 0);
  expect_int(live.databases, 0);
  expect_int(live.connections, 0);
  expect_int(live.leases, 0);
  expect_int(live.calls, 0);
  expect_int(live.rows, 0);
  for (int i = 0; w->path[0] && i < 4; i++) {
    char path[80];
    snprintf(path, sizeof path, "%s%s", w->path, ends[i]);
    unlink(path);
  }
}

/* Runs raw text and waits; the call's rows are kept until reset. */
SPEC_UNUSED static bool raw_in(struct world *w, struct weft_tx *tx, struct weft_call *call,
                               const char *text) {
  weft_call_init(call, note_finished, NULL);
  weft_db_raw(w->db, tx, weft_slice_of(text), NULL, 0, call);
  return wait_for(w, call) && call->error.kind == WEFT_OK;
}

/* The one integer that text selects, or -1 after a failure. */
SPEC_UNUSED static int64_t number_in(struct world *w, struct weft_tx *tx, const char *text) {
  struct weft_call call;
  int64_t n = -1;
  if (!raw_in(w, tx, &call, text)) printf("%s: %s\n", text, call.error.message);
  else if (call.rows && call.rows->nrows == 1) n = weft_rows_row(call.rows, 0)[0].u.i;
  weft_call_reset(&call);
  return n;
}

SPEC_UNUSED static enum weft_kind kind_in(struct world *w, struct weft_tx *tx, const char *text) {
  struct weft_call call;
  raw_in(w, tx, &call, text);
  weft_call_reset(&call);
  return call.error.kind;
}

SPEC_UNUSED static bool script(struct world *w, const char *text) {
  struct weft_call call;
  weft_call_init(&call, note_finished, NULL);
  weft_db_script(w->db, weft_slice_of(text), &call);
  wait_for(w, &call);
  if (call.error.kind) printf("%s: %s\n", text, call.error.message);
  weft_call_reset(&call);
  return call.error.kind == WEFT_OK;
}

/* A verb of transactions, waited for. */
SPEC_UNUSED static enum weft_kind verb(struct world *w, struct weft_tx *tx,
                                       void (*f)(struct weft_tx *, struct weft_call *),
                                       struct weft_error *err) {
  struct weft_call call;
  weft_call_init(&call, note_finished, NULL);
  f(tx, &call);
  wait_for(w, &call);
  if (err) *err = call.error;
  weft_call_reset(&call);
  return call.error.kind;
}

SPEC_UNUSED static struct weft_relation *relation(struct weft_db *db, const char *table) {
  return weft_db_relation(db, &(struct weft_relation_options){.table = weft_slice_of(table)});
}

/* What a catalog says of a table with one integer column, its key. */
SPEC_UNUSED static struct weft_rows *catalog_rows(const char *column) {
  struct weft_column c[12];
  memset(c, 0, sizeof c);
  for (int i = 0; i < 12; i++) c[i] = (struct weft_column){.name = WEFT_LIT("x"), .type = WEFT_ANY};
  struct weft_columns *columns = weft_columns_new(c, 12);
  struct weft_rows *rows = weft_rows_new(columns, 1);
  weft_columns_unref(columns);
  struct weft_value *v = weft_rows_add(rows);
  for (int i = 0; i < 12; i++) v[i] = weft_int(0);
  v[0] = weft_text(column, strlen(column));
  v[1] = weft_text("integer", 7);
  v[7] = weft_int(1);
  v[9] = weft_text("binary", 6);
  v[11] = weft_text("", 0);
  return rows;
}

/* Statements as the events tell them, one per line. */
struct log {
  char text[4096];
  int n, failed;
};

SPEC_UNUSED static void log_event(void *ud, enum weft_event what,
                                  const struct weft_event_info *info) {
  struct log *log = ud;
  size_t used = strlen(log->text);
  if (what != WEFT_EVENT_QUERY) return;
  log->n++;
  if (info->error) log->failed++;
  snprintf(log->text + used, sizeof log->text - used, "%.*s\n", (int)info->sql.n, info->sql.p);
}

#endif
