/* SPDX-License-Identifier: MIT */
/* A scripted server that hands back no rows of a write, as MySQL 8 does: they are read again. */
#include "build.h"
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"

static struct {
  struct world w;
  struct weft_fake *fake;
  struct weft_relation *r;
  char log[2048];        /* statements and their parameters, one per line */
  int64_t affected, id;  /* what a write says; the made keys count up from id */
  bool gone, select_fails;
} s;

static void note(const struct weft_op *op) {
  struct weft_buf text;
  weft_buf_init(&text);
  weft_buf_str(&text, op->plan->sql.p);
  for (uint32_t i = 0; i < op->nparams; i++) {
    weft_buf_str(&text, i ? ", " : " <- ");
    weft_value_text(&text, op->params[i]);
  }
  size_t used = strlen(s.log);
  snprintf(s.log + used, sizeof s.log - used, "%s\n", weft_buf_cstr(&text));
  weft_buf_release(&text);
}

static struct weft_rows *table_of(int n, const char *const *names) {
  struct weft_column c[12];
  memset(c, 0, sizeof c);
  for (int i = 0; i < n; i++) c[i] = (struct weft_column){.name = weft_slice_of(names[i]), .type = WEFT_ANY};
  struct weft_columns *columns = weft_columns_new(c, (uint32_t)n);
  struct weft_rows *rows = weft_rows_new(columns, 4);
  weft_columns_unref(columns);
  return rows;
}

static struct weft_rows *catalog(void) {
  static const char *const names[12] = {"", "", "", "", "", "", "", "", "", "", "", ""};
  struct weft_rows *rows = table_of(12, names);
  for (int k = 0; k < 2; k++) {
    struct weft_value *v = weft_rows_add(rows);
    for (int i = 0; i < 12; i++) v[i] = weft_int(0);
    v[0] = weft_text(k ? "n" : "id", k ? 1 : 2);
    v[1] = weft_text("int", 3);
    v[7] = weft_int(!k); /* the key */
    v[8] = weft_int(k);  /* unique */
    v[9] = weft_text("binary", 6);
    v[11] = weft_text("int", 3);
  }
  return rows;
}

/* The keys that the database made: of one row beside the answer, of several as rows. */
static struct weft_rows *written(const struct weft_op *op) {
  static const char *const names[] = {""};
  bool many = op->repeat > 1;
  struct weft_rows *rows = many ? table_of(1, names) : weft_rows_new(NULL, 0);
  for (uint32_t i = 0; many && i < op->repeat; i++) *weft_rows_add(rows) = weft_int(s.id + i);
  rows->last_id = s.id;
  rows->affected = s.affected;
  return rows;
}

static struct weft_rows *read_again(const struct weft_op *op) {
  static const char *const names[] = {"id", "n"};
  struct weft_rows *rows = table_of(2, names);
  if (s.gone) return rows;
  struct weft_value *v = weft_rows_add(rows);
  v[0] = op->params[0];
  v[1] = weft_int(5);
  return rows;
}

static int answer(void *ud, const struct weft_op *op, struct weft_rows **rows, struct weft_error *err) {
  (void)ud;
  const char *sql = op->plan->sql.p;
  if (strcmp(sql, weft_dialect_mysql.catalog) == 0) {
    *rows = catalog();
    return 0;
  }
  note(op);
  bool select = strncmp(sql, "select", 6) == 0;
  if (select && s.select_fails) return weft_fail(err, WEFT_DISCONNECT, "the line is cut");
  *rows = select ? read_again(op) : written(op);
  return 0;
}

static bool open_server(void) {
  struct weft_error err;
  memset(&s, 0, sizeof s);
  s.affected = 1;
  s.id = 7;
  if (!expect(weft_context_new(NULL, &s.w.context, &err) == 0)) return false;
  s.w.loop = weft_context_loop(s.w.context);
  s.fake = weft_fake_new(s.w.loop, 0);
  s.fake->driver.dialect = &weft_dialect_mysql;
  s.fake->answer = answer;
  s.fake->eager = true;
  s.w.db = weft_db_new(s.w.context, WEFT_LIT("shop"), &s.fake->settings, NULL);
  s.r = relation(s.w.db, "t");
  struct weft_call call;
  weft_call_init(&call, note_finished, NULL);
  weft_db_discover(s.r, NULL, &call);
  wait_for(&s.w, &call);
  weft_call_reset(&call);
  return expect(weft_relation_table(s.r)->known);
}

static void close_server(void) {
  build_end();
  world_close(&s.w);
  weft_fake_free(s.fake);
}

static struct weft_query *from_t(void) { return from(weft_relation_table(s.r)); }

/* "7:5 8:5", or the error. */
static void run(struct weft_query *q, char *out, size_t size) {
  struct weft_call call;
  *out = 0;
  weft_call_init(&call, note_finished, NULL);
  weft_db_query(s.r, NULL, q, &call);
  wait_for(&s.w, &call);
  if (call.error.kind) snprintf(out, size, "%s", weft_kind_name(call.error.kind));
  for (uint32_t i = 0; call.rows && i < call.rows->nrows; i++) {
    const struct weft_value *v = weft_rows_row(call.rows, i);
    size_t used = strlen(out);
    if (call.rows->ncols == 2)
      snprintf(out + used, size - used, "%s%lld:%lld", i ? " " : "", (long long)v[0].u.i, (long long)v[1].u.i);
  }
  weft_call_reset(&call);
  weft_query_unref(q);
}

#define INSERT "insert into `t` "
#define RETURNING " /*M!100500 returning `id`, `n` */"
#define SELECT "select `id`, `n` from `t` where `id` = ? <- "

static void expect_run(struct weft_query *q, const char *got, const char *log) {
  char out[256];
  run(q, out, sizeof out);
  expect_str(out, got);
  expect_str(s.log, log);
}

static struct weft_query *created(const char *columns, int n, const struct weft_value *cells) {
  return weft_query_end(insert(from_t(), WEFT_C_INSERT, false, columns, n, cells));
}

static struct weft_query *updated(const char *name, int64_t to) {
  static const struct weft_slice back[] = {{"id", 2}, {"n", 1}};
  struct weft_query *q = where(where(from_t(), op(WEFT_E_EQ, col("n"), num(4))), op(WEFT_E_EQ, col("id"), num(3)));
  q = step(q, WEFT_C_UPDATE);
  struct weft_item *items = weft_arena_alloc(&q->arena, sizeof *items);
  *items = item(name, weft_expr_copy(&q->arena, num(to)));
  q->items = items;
  q->nitems = 1;
  q->on = back;
  q->non = 2;
  return weft_query_end(q);
}

static void facts_of_inserts(void) {
  it("is found by the key that the database made") {
    if (open_server())
      expect_run(created("n", 1, CELLS(I(5))), "7:5", INSERT "(`n`) values (?)" RETURNING " <- 5\n" SELECT "7\n");
    close_server();
  }
  it("is found by the key that it was given") {
    if (open_server())
      expect_run(created("id n", 1, CELLS(I(9), I(5))), "9:5",
                 INSERT "(`id`, `n`) values (?, ?)" RETURNING " <- 9, 5\n" SELECT "9\n");
    close_server();
  }
  it("stands in the order of the rows given") {
    if (open_server())
      expect_run(created("n", 2, CELLS(I(5), I(6))), "7:5 8:5",
                 INSERT "(`n`) values (?)" RETURNING " <- 5, 6\n" SELECT "7\n" SELECT "8\n");
    close_server();
  }
  it("is found by the columns of an upsert") {
    if (open_server()) {
      run(weft_query_end(on(insert(from_t(), WEFT_C_UPSERT, false, "n", 1, CELLS(I(5))), "n")), (char[64]){0}, 64);
      expect(strstr(s.log, "\nselect `id`, `n` from `t` where `n` = ? <- 5\n") != NULL);
    }
    close_server();
  }
  it("is not read when nobody wants it") {
    if (open_server())
      expect_run(weft_query_end(insert(from_t(), WEFT_C_INSERT, true, "n", 1, CELLS(I(5)))), "",
                 INSERT "(`n`) values (?) <- 5\n");
    close_server();
  }
}

static void facts_of_updates(void) {
  it("is found by the key in the condition, not by what was changed") {
    if (open_server())
      expect_run(updated("n", 8), "3:5", "update `t` set `n` = ? where `n` = ? and `id` = ? <- 8, 4, 3\n" SELECT "3\n");
    close_server();
  }
  it("is found by its new key") {
    if (open_server())
      expect_run(updated("id", 11), "11:5", "update `t` set `id` = ? where `n` = ? and `id` = ? <- 11, 4, 3\n" SELECT "11\n");
    close_server();
  }
  it("is none where none was changed, and none that is gone") {
    if (open_server()) {
      s.affected = 0;
      expect_run(updated("n", 8), "", "update `t` set `n` = ? where `n` = ? and `id` = ? <- 8, 4, 3\n");
      s.affected = 1;
      s.gone = true;
      char out[64];
      run(updated("n", 8), out, sizeof out);
      expect_str(out, "");
    }
    close_server();
  }
}

static void facts_of_failures(void) {
  it("is not had when the select fails") {
    if (open_server()) {
      s.select_fails = true;
      char out[64];
      run(created("n", 3, CELLS(I(1), I(2), I(3))), out, sizeof out);
      expect_str(out, "disconnect");
    }
    close_server();
  }
  it("is not had when its key cannot be told") {
    if (open_server()) {
      s.id = 0;
      char out[64];
      run(created("n", 1, CELLS(I(1))), out, sizeof out);
      expect_str(out, "unsupported");
    }
    close_server();
  }
}

int main(void) {
  describe("a row that an insert does not hand back") { facts_of_inserts(); }
  describe("a row that an update does not hand back") { facts_of_updates(); }
  describe("a written row") { facts_of_failures(); }
  return spec_end();
}
