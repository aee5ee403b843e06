/* SPDX-License-Identifier: MIT */
/* The SQLite driver on real files, one connection at a time, without a pool. */
#include <limits.h>
#include <sys/stat.h>

#include "clock.h"
#include "decimal.h"
#include "dialect.h"
#include "driver.h"
#include "plan.h"
#include "spec.h"

enum { MS = 1000 * 1000, TEXT = WEFT_PLAN_RAW, READ = WEFT_PLAN_RAW | WEFT_PLAN_READ };

#define LONG_READ \
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) select max(i) from n"

static struct weft_loop *loop;
static char folder[PATH_MAX];

/* ---- one statement ---- */

struct call {
  struct weft_op op;
  struct weft_rows *rows;
  struct weft_error err;
  bool done;
  struct weft_hook hook; /* submits from within the loop */
  struct weft_conn *on;
  bool at_once;          /* was done when submit returned */
};

static void on_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct call *call = WEFT_CONTAINER(op, struct call, op);
  call->rows = rows;
  if (err) call->err = *err;
  call->done = true;
}

static void call_init(struct call *call, struct weft_plan *plan, const struct weft_value *params, uint32_t n) {
  memset(call, 0, sizeof *call);
  weft_list_init(&call->op.link);
  weft_list_init(&call->hook.link);
  call->op.plan = plan;
  call->op.params = params;
  call->op.nparams = n;
  call->op.repeat = 1;
  call->op.done = on_done;
}

static void call_release(struct call *call) {
  weft_rows_unref(call->rows);
  weft_plan_unref(call->op.plan);
  memset(call, 0, sizeof *call);
}

static void wait_for(const bool *done) {
  struct weft_error err;
  if (weft_loop_pump(loop, done, &err)) printf("# %s\n", err.message);
}

static void on_submit(struct weft_hook *hook) {
  struct call *call = WEFT_CONTAINER(hook, struct call, hook);
  call->on->driver->submit(call->on, &call->op);
  call->at_once = call->done;
}

/* Submits when the loop runs next. */
static void submit_later(struct weft_conn *c, struct call *call) {
  call->on = c;
  call->hook.run = on_submit;
  weft_loop_defer(loop, &call->hook);
}

static struct weft_plan *plan_of(const char *sql, uint32_t n, uint32_t flags) {
  return weft_plan_raw(&weft_dialect_sqlite, weft_slice_of(sql), n, flags);
}

/* As the main coroutine does: the loop does not run. */
static void run_params(struct call *call, struct weft_conn *c, const char *sql, uint32_t flags,
                       const struct weft_value *params, uint32_t n) {
  call_init(call, plan_of(sql, n, flags), params, n);
  c->driver->submit(c, &call->op);
  call->at_once = call->done;
  wait_for(&call->done);
}

static void run(struct call *call, struct weft_conn *c, const char *sql) {
  run_params(call, c, sql, TEXT, NULL, 0);
}

/* Runs and drops the answer; the kind of its error. */
static int run_kind(struct weft_conn *c, const char *sql) {
  struct call call;
  run(&call, c, sql);
  int kind = call.err.kind;
  call_release(&call);
  return kind;
}

#define ok(c, sql) expect_int(run_kind(c, sql), WEFT_OK)

/* The only cell of a result as text. */
static const char *cell_of(const struct call *call) {
  static struct weft_buf text;
  weft_buf_release(&text);
  weft_buf_init(&text);
  if (call->err.kind != WEFT_OK) return call->err.message;
  if (!call->rows || call->rows->nrows != 1) return "(not one row)";
  if (call->rows->cells[0].type == WEFT_NULL) return "NULL";
  weft_value_text(&text, call->rows->cells[0]);
  return weft_buf_cstr(&text);
}

static const char *scalar(struct weft_conn *c, const char *sql) {
  struct call call;
  run_params(&call, c, sql, READ, NULL, 0);
  const char *text = cell_of(&call);
  call_release(&call);
  return text;
}

static struct weft_value scalar_param(struct weft_conn *c, const char *sql, struct weft_value v,
                                      struct call *call) {
  run_params(call, c, sql, READ, &v, 1);
  return call->rows && call->rows->nrows == 1 ? call->rows->cells[0] : weft_null();
}

/* ---- one connection ---- */

static struct weft_settings *settings(const char *url, struct weft_error *err) {
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

static void on_open(struct weft_conn *c, const struct weft_error *err) {
  struct opened *o = c->owner;
  if (err) o->err = *err;
  o->done = true;
}

static void on_reset(struct weft_conn *c, bool ok_) {
  struct opened *o = c->owner;
  o->reset = true;
  o->reset_ok = ok_;
}

static bool open_url(struct opened *o, const char *url) {
  memset(o, 0, sizeof *o);
  o->settings = settings(url, &o->err);
  if (!o->settings) return false;
  o->conn = o->settings->driver->open(loop, o->settings, o, on_open);
  wait_for(&o->done);
  if (o->err.kind != WEFT_OK) o->conn = NULL;
  else o->conn->on_reset = on_reset;
  return o->conn != NULL;
}

static void shut(struct opened *o) {
  if (o->conn) o->conn->driver->close(o->conn);
  weft_settings_free(o->settings);
}

static const char *url_of(const char *file) {
  static char urls[4][PATH_MAX + 64];
  static int next;
  char *url = urls[next++ % 4];
  snprintf(url, sizeof urls[0], "sqlite:%s/%s", folder, file);
  return url;
}

/* ---- facts ---- */

static void settings_facts(void) {
  describe("sqlite settings") {
    static const struct { const char *url; enum weft_kind kind; const char *part; } rows[] = {
        {"sqlite:x.db?jurnal=wal", WEFT_USAGE, "did you mean 'journal'?"},
        {"sqlite:x.db?journal=walrus", WEFT_USAGE, "journal of a sqlite database is one of wal, delete"},
        {"sqlite:x.db?mode=r", WEFT_USAGE, "ro, rw, rwc"},
        {"sqlite:x.db?busy_timeout=long", WEFT_USAGE, "busy_timeout is a number of seconds"},
        {"sqlite:x.db?busy_timeout=-1", WEFT_USAGE, "busy_timeout is a number of seconds"},
        {"sqlite:x.db?cache_size=1;drop", WEFT_USAGE, "cache_size"},
        {"sqlite:", WEFT_USAGE, "file"},
        {"sqlite:var/", WEFT_USAGE, "directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      it(rows[i].url) {
        struct weft_error err;
        expect(settings(rows[i].url, &err) == NULL);
        expect_int(err.kind, rows[i].kind);
        if (!expect(strstr(err.message, rows[i].part) != NULL)) printf("# %s\n", err.message);
      }
    it("takes every option") {
      struct weft_error err;
      struct weft_settings *s = settings("sqlite:x.db?mode=rwc&journal=wal&synchronous=off&busy_timeout=0.5"
                                         "&cache_size=-4000&foreign_keys=off", &err);
      if (!expect(s != NULL)) continue;
      expect_mem(s->label.p, s->label.n, "sqlite:x.db", 11);
      expect_int(s->driver->max_connections(s), 0);
      weft_settings_free(s);
    }
    it("gives a database in memory one connection and no queue of writers") {
      struct weft_error err;
      struct weft_settings *s = settings("sqlite::memory:", &err);
      if (!expect(s != NULL)) continue;
      expect_int(s->driver->max_connections(s), 1);
      expect_int(s->driver->writer_key(s).n, 0);
      weft_settings_free(s);
    }
    it("knows one file by many names") {
      struct weft_error err;
      struct weft_settings *a = settings("sqlite:var/x.db", &err), *b = settings("sqlite:./y/..//var/./x.db", &err);
      if (!expect(a && b)) continue;
      struct weft_slice x = a->driver->writer_key(a), y = b->driver->writer_key(b);
      expect_mem(x.p, x.n, y.p, y.n);
      expect(x.n > 8 && x.p[0] == '/');
      weft_settings_free(a);
      weft_settings_free(b);
    }
  }
}

static void open_facts(void) {
  describe("opening") {
    it("says that a directory is missing, and makes none") {
      struct opened o;
      expect(!open_url(&o, url_of("none/x.db")));
      expect_int(o.err.kind, WEFT_CONNECT);
      expect(strstr(o.err.message, "/none does not exist") != NULL);
      expect(strstr(o.err.message, "directory") != NULL);
      shut(&o);
      char path[PATH_MAX + 8];
      struct stat st;
      snprintf(path, sizeof path, "%s/none", folder);
      expect(stat(path, &st) != 0);
    }
    it("makes no file under mode=rw") {
      struct opened o;
      expect(!open_url(&o, url_of("absent.db?mode=rw")));
      expect_int(o.err.kind, WEFT_CONNECT);
      expect(strstr(o.err.message, "file does not exist") != NULL);
      shut(&o);
    }
    it("says that the path is a directory") {
      struct opened o;
      expect(!open_url(&o, url_of(".")));
      expect_int(o.err.kind, WEFT_CONNECT);
      expect(strstr(o.err.message, "is a directory") != NULL);
      shut(&o);
    }
    it("puts files that it creates into WAL mode, with foreign keys on") {
      struct opened o;
      if (!expect(open_url(&o, url_of("new.db")))) continue;
      expect_str(scalar(o.conn, "pragma journal_mode"), "wal");
      expect_str(scalar(o.conn, "pragma foreign_keys"), "1");
      shut(&o);
    }
    it("leaves other files as it finds them, unless told") {
      struct opened o;
      if (!expect(open_url(&o, url_of("old.db?journal=delete&foreign_keys=off")))) continue;
      ok(o.conn, "create table t(a)");
      expect_str(scalar(o.conn, "pragma foreign_keys"), "0");
      shut(&o);
      if (!expect(open_url(&o, url_of("old.db?cache_size=77&synchronous=normal")))) continue;
      expect_str(scalar(o.conn, "pragma journal_mode"), "delete");
      expect_str(scalar(o.conn, "pragma cache_size"), "77");
      expect_str(scalar(o.conn, "pragma synchronous"), "1");
      shut(&o);
      if (!expect(open_url(&o, url_of("old.db?journal=wal")))) continue;
      expect_str(scalar(o.conn, "pragma journal_mode"), "wal");
      shut(&o);
    }
    it("refuses to write under mode=ro") {
      struct opened o;
      if (!expect(open_url(&o, url_of("old.db?mode=ro")))) continue;
      expect_int(run_kind(o.conn, "insert into t values (1)"), WEFT_UNSUPPORTED);
      shut(&o);
    }
    it("names a file that is no database") {
      char path[PATH_MAX + 16];
      snprintf(path, sizeof path, "%s/garbage.db", folder);
      FILE *f = fopen(path, "w");
      for (int i = 0; i < 500; i++) fputs("this is not a database ", f);
      fclose(f);
      struct opened o;
      if (!expect(open_url(&o, url_of("garbage.db")))) continue;
      struct call call;
      run(&call, o.conn, "select * from t");
      expect_int(call.err.kind, WEFT_INTERNAL);
      expect(strstr(call.err.message, "not a database") != NULL);
      expect(strstr(call.err.message, "garbage.db") != NULL);
      expect(o.conn->broken);
      call_release(&call);
      shut(&o);
    }
  }
}

static void same_value(struct weft_conn *c, struct weft_value v) {
  struct call call;
  struct weft_value got = scalar_param(c, "select ?", v, &call);
  if (!expect_int(got.type, v.type)) printf("# %s\n", call.err.message);
  else if (weft_is_text(v)) expect_mem(got.u.s, got.n, v.u.s, v.n);
  else expect(weft_value_equal(got, v));
  call_release(&call);
}

static struct weft_value decimal_of(const char *text, struct weft_decimal *d) {
  weft_decimal_parse(weft_slice_of(text), d);
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static void value_facts(struct weft_conn *c) {
  describe("values") {
    it("come back as they went in") {
      static const int64_t ints[] = {0, 1, -1, INT32_MAX, INT64_MAX, INT64_MIN, 9007199254740993};
      for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) same_value(c, weft_int(ints[i]));
      static const double floats[] = {0.1, -0.5, 1e300, 5e-324, 1.0, INFINITY, -INFINITY};
      for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) same_value(c, weft_float(floats[i]));
      same_value(c, weft_null());
      same_value(c, weft_text("", 0));
      same_value(c, weft_text("a\0b", 3));
      same_value(c, weft_text("\xff\xfe broken \xc3", 11));
      same_value(c, weft_text("\xf0\x9f\xa6\x8a", 4));
      struct weft_value blob = weft_text("\0\1\2\xff", 4);
      blob.type = WEFT_BYTES;
      same_value(c, blob);
      blob.n = 0;
      same_value(c, blob);
    }
    it("carry 100 MB") {
      size_t n = 100 * 1000 * 1000;
      char *big = malloc(n);
      memset(big, 'x', n);
      big[n - 1] = 'y';
      same_value(c, weft_text(big, n));
      free(big);
    }
    it("that SQLite would change are refused") {
      struct call call;
      struct weft_decimal d;
      scalar_param(c, "select ?", weft_float(NAN), &call);
      expect_int(call.err.kind, WEFT_TYPE);
      call_release(&call);
      scalar_param(c, "select ?", decimal_of("1.2345678901234567890", &d), &call);
      expect_int(call.err.kind, WEFT_TYPE);
      expect(strstr(call.err.message, "lose digits") != NULL);
      expect(strstr(call.err.message, "1.23") == NULL);
      call_release(&call);
      scalar_param(c, "select ?", decimal_of("12345678901234567890", &d), &call);
      expect_int(call.err.kind, WEFT_TYPE);
      call_release(&call);
    }
    it("are numbers when they are decimals, and text when they are times") {
      struct call call;
      struct weft_decimal d;
      struct weft_value got = scalar_param(c, "select ?", decimal_of("9223372036854775807.00", &d), &call);
      expect(got.type == WEFT_INT && got.u.i == INT64_MAX);
      call_release(&call);
      got = scalar_param(c, "select ?", decimal_of("1.10", &d), &call);
      expect(got.type == WEFT_FLOAT && got.u.f == 1.1);
      call_release(&call);
      got = scalar_param(c, "select ?", (struct weft_value){.type = WEFT_DATE, .u.i = 1}, &call);
      expect(got.type == WEFT_TEXT && got.n == 10 && memcmp(got.u.s, "1970-01-02", 10) == 0);
      call_release(&call);
      got = scalar_param(c, "select typeof(?)", weft_bool(true), &call);
      expect(got.type == WEFT_TEXT && got.n == 7);
      call_release(&call);
    }
    it("are decoded by the declared type of their column, and never changed") {
      ok(c, "create table v(b boolean, d decimal(10,2), n numeric, j json, i integer, t text, z datetime)");
      ok(c, "insert into v values (1, 0.1, 12345.678, '{\"a\":[]}', 'word', '5', '2024-01-01 00:00:00'), "
            "(7, 'abc', 5, null, 5, x'00ff', 17)");
      struct call call;
      run_params(&call, c, "select * from v", READ, NULL, 0);
      if (!expect(call.rows && call.rows->nrows == 2 && call.rows->ncols == 7)) continue;
      static const uint8_t types[] = {WEFT_BOOL, WEFT_DECIMAL, WEFT_DECIMAL, WEFT_JSON, WEFT_TEXT,
                                      WEFT_TEXT, WEFT_TEXT, WEFT_INT, WEFT_TEXT, WEFT_DECIMAL,
                                      WEFT_NULL, WEFT_INT, WEFT_BYTES, WEFT_INT};
      static const char *const texts[] = {"true", "0.10", "12345.678", "{\"a\":[]}", "word", "5",
                                          "2024-01-01 00:00:00", "7", "abc", "5", "", "5", NULL, "17"};
      for (int i = 0; i < 14; i++) {
        struct weft_buf text;
        weft_buf_init(&text);
        weft_value_text(&text, call.rows->cells[i]);
        expect_int(call.rows->cells[i].type, types[i]);
        if (texts[i]) expect_str(weft_buf_cstr(&text), texts[i]);
        weft_buf_release(&text);
      }
      call_release(&call);
    }
    it("in a list are one parameter, however many they are") {
      enum { N = 70000 };
      struct weft_array *list = malloc(sizeof *list + N * sizeof *list->v);
      list->n = N;
      list->elem = WEFT_INT;
      for (int i = 0; i < N; i++) list->v[i] = weft_int(i);
      struct weft_value v = {.type = WEFT_LIST, .u.array = list};
      struct call call;
      struct weft_value got = scalar_param(c, "select count(*) from json_each(?)", v, &call);
      if (!expect(got.type == WEFT_INT && got.u.i == N)) printf("# %s\n", call.err.message);
      call_release(&call);
      free(list);
    }
    it("fill 2,000 columns, and one more is a clear error") {
      char *sql = malloc(1 << 16);
      int n = sprintf(sql, "select 1");
      for (int i = 1; i < 2000; i++) n += sprintf(sql + n, ", %d", i);
      struct call call;
      run_params(&call, c, sql, READ, NULL, 0);
      expect(call.rows && call.rows->ncols == 2000 && call.rows->cells[1999].u.i == 1999);
      call_release(&call);
      sprintf(sql + n, ", 2000");
      run_params(&call, c, sql, READ, NULL, 0);
      expect_int(call.err.kind, WEFT_SYNTAX);
      call_release(&call);
      free(sql);
    }
  }
}

static void error_facts(struct weft_conn *c) {
  describe("errors") {
    it("have tables to happen in") {
      ok(c, "create table p(id integer primary key, sku text unique, price int check (price < 100), "
            "title text not null default '', a int, b int, unique (a, b))");
      ok(c, "create table k(p int references p(id))");
      ok(c, "create table s(n int) strict");
      ok(c, "create unique index lower_sku on p(lower(sku))");
      ok(c, "insert into p(id, sku, a, b) values (1, 'x', 1, 1)");
    }
    static const struct {
      const char *sql;
      enum weft_kind kind;
      const char *code, *constraint, *column;
    } rows[] = {
        {"insert into p(sku) values ('x')", WEFT_UNIQUE, "2067", "lower_sku", ""},
        {"insert into p(id) values (1)", WEFT_UNIQUE, "1555", "p.id", "id"},
        {"insert into p(a, b) values (1, 1)", WEFT_UNIQUE, "2067", "p.a, p.b", ""},
        {"insert into p(price) values (100)", WEFT_CHECK, "275", "price < 100", ""},
        {"insert into p(title) values (null)", WEFT_NOT_NULL, "1299", "p.title", "title"},
        {"insert into p(id) values ('one')", WEFT_TYPE, "20", "", ""},
        {"insert into s values ('one')", WEFT_TYPE, "3091", "", "n"},
        {"insert into k values (5)", WEFT_FOREIGN_KEY, "787", "", ""},
        {"select * from nowhere", WEFT_SYNTAX, "1", "", ""},
        {"select nothing from p", WEFT_SYNTAX, "1", "", ""},
        {"select \"nothing\" from p", WEFT_SYNTAX, "1", "", ""},
        {"selec 1", WEFT_SYNTAX, "1", "", ""},
        {"select json('{')", WEFT_TYPE, "1", "", ""},
        {"select zeroblob(2000000000)", WEFT_TYPE, "18", "", ""},
        {"", WEFT_USAGE, "", "", ""},
        {" -- only words", WEFT_USAGE, "", "", ""},
        {"select 1; select 2", WEFT_USAGE, "", "", ""},
        {"select ?", WEFT_USAGE, "", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      it(rows[i].sql) {
        struct call call;
        run(&call, c, rows[i].sql);
        expect_int(call.err.kind, rows[i].kind);
        expect_str(call.err.code, rows[i].code);
        expect_str(call.err.constraint, rows[i].constraint);
        expect_str(call.err.column, rows[i].column);
        expect(call.rows == NULL);
        call_release(&call);
      }
    it("allow a comment behind a statement") {
      expect_str(scalar(c, "select 5; -- five\n /* or so */ "), "5");
    }
    it("never show a parameter's value") {
      struct call call;
      scalar_param(c, "select json_extract('{}', ?)", weft_text("s3cret", 6), &call);
      expect_int(call.err.kind, WEFT_TYPE);
      expect(strstr(call.err.message, "s3cret") == NULL);
      call_release(&call);
    }
  }
}

static void write_facts(struct weft_conn *c) {
  describe("writes") {
    it("count rows, and say which id was last") {
      struct call call;
      ok(c, "create table w(id integer primary key, n int unique)");
      run(&call, c, "insert into w(n) values (1), (2), (3)");
      expect_int(call.rows->affected, 3);
      expect_int(call.rows->last_id, 3);
      call_release(&call);
      run(&call, c, "update w set n = n + 10 where id > 1");
      expect_int(call.rows->affected, 2);
      expect_int(call.rows->last_id, 0);
      call_release(&call);
      run(&call, c, "create table w2(a)");
      expect_int(call.rows->affected, 0);
      call_release(&call);
      run(&call, c, "with x as (select 50 as n) insert into w(n) select n from x returning id, n");
      expect_int(call.rows->affected, 1);
      expect_int(call.rows->last_id, 4);
      expect_int(call.rows->nrows, 1);
      call_release(&call);
    }
    it("run an insert many times, all or nothing") {
      struct weft_value v[400];
      struct call call;
      for (int pass = 0; pass < 2; pass++) {
        if (pass) ok(c, "begin immediate");
        for (int i = 0; i < 400; i++) v[i] = weft_int(1000 * (pass + 1) + i);
        call_init(&call, plan_of("insert into w(n) values (?) returning n", 1, TEXT), v, 1);
        call.op.repeat = 400;
        c->driver->submit(c, &call.op);
        wait_for(&call.done);
        if (!expect_int(call.err.kind, WEFT_OK)) printf("# %s\n", call.err.message);
        if (!expect(call.rows && call.rows->nrows == 400)) continue;
        expect_int(call.rows->affected, 400);
        expect(call.rows->last_id > 0);
        expect_int(call.rows->cells[399].u.i, 1000 * (pass + 1) + 399);
        call_release(&call);
        v[399] = weft_int(1000);
        for (int i = 0; i < 399; i++) v[i] = weft_int(5000 + i);
        call_init(&call, plan_of("insert into w(n) values (?)", 1, TEXT), v, 1);
        call.op.repeat = 400;
        c->driver->submit(c, &call.op);
        wait_for(&call.done);
        expect_int(call.err.kind, WEFT_UNIQUE);
        call_release(&call);
        expect_str(scalar(c, "select count(*) from w where n >= 5000"), "0");
        expect_int(c->tx, pass ? WEFT_TX_OPEN : WEFT_TX_NONE);
        if (pass) ok(c, "commit");
      }
      expect_str(scalar(c, "select count(*) from w where n >= 1000"), "800");
    }
  }
}

static void transaction_facts(struct weft_conn *c) {
  describe("transactions") {
    it("are known to the connection") {
      ok(c, "create table tx(n int unique)");
      expect_int(c->tx, WEFT_TX_NONE);
      ok(c, "begin immediate");
      expect_int(c->tx, WEFT_TX_OPEN);
      ok(c, "insert into tx values (1)");
      ok(c, "savepoint a");
      ok(c, "rollback to a");
      expect_int(c->tx, WEFT_TX_OPEN);
      expect_int(run_kind(c, "insert into tx values (1)"), WEFT_UNIQUE);
      expect_int(c->tx, WEFT_TX_OPEN);
      ok(c, "commit");
      expect_int(c->tx, WEFT_TX_NONE);
    }
    it("that SQLite rolled back by itself take no more statements") {
      ok(c, "begin");
      ok(c, "insert into tx values (2)");
      expect_int(run_kind(c, "insert or rollback into tx values (1)"), WEFT_UNIQUE);
      expect_int(c->tx, WEFT_TX_FAILED);
      expect_int(run_kind(c, "insert into tx values (3)"), WEFT_USAGE);
      ok(c, "rollback");
      expect_int(c->tx, WEFT_TX_NONE);
      expect_str(scalar(c, "select count(*) from tx"), "1");
    }
    it("whose BEGIN failed run nothing") {
      struct call call;
      call_init(&call, plan_of("insert into tx values (4)", 0, TEXT), NULL, 0);
      call.op.flags = WEFT_OP_IN_TX;
      c->driver->submit(c, &call.op);
      wait_for(&call.done);
      expect_int(call.err.kind, WEFT_USAGE);
      call_release(&call);
      call_init(&call, plan_of("rollback", 0, TEXT | WEFT_PLAN_CONTROL), NULL, 0);
      call.op.flags = WEFT_OP_IN_TX;
      c->driver->submit(c, &call.op);
      wait_for(&call.done);
      expect_int(call.err.kind, WEFT_OK);
      call_release(&call);
    }
  }
}

static void statement_facts(struct weft_conn *c) {
  describe("prepared statements") {
    it("are kept, 200 of them") {
      struct weft_plan *plans[300];
      for (int i = 0; i < 300; i++) {
        char sql[32];
        snprintf(sql, sizeof sql, "select %d", i);
        plans[i] = plan_of(sql, 0, READ);
      }
      int wrong = 0;
      for (int k = 0; k < 600; k++) {
        struct call call;
        call_init(&call, weft_plan_ref(plans[k % 300]), NULL, 0);
        c->driver->submit(c, &call.op);
        wrong += !(call.done && call.rows && call.rows->cells[0].u.i == k % 300);
        call_release(&call);
      }
      expect_int(wrong, 0);
      for (int i = 0; i < 300; i++) weft_plan_unref(plans[i]);
    }
    it("share the columns of their results, and follow a changed schema") {
      ok(c, "create table cols(a int)");
      ok(c, "insert into cols values (1)");
      struct weft_plan *plan = plan_of("select * from cols", 0, READ);
      struct call one, two, three;
      struct call *calls[] = {&one, &two, &three};
      for (int i = 0; i < 3; i++) {
        if (i == 2) ok(c, "alter table cols add column b int default 7");
        call_init(calls[i], weft_plan_ref(plan), NULL, 0);
        c->driver->submit(c, &calls[i]->op);
        wait_for(&calls[i]->done);
        if (!expect(calls[i]->rows != NULL)) printf("# %s\n", calls[i]->err.message);
      }
      expect(one.rows->columns == two.rows->columns);
      expect_int(three.rows->ncols, 2);
      expect_int(three.rows->cells[1].u.i, 7);
      expect(three.rows->columns == plan->columns);
      expect_mem(plan->columns->v[1].name.p, plan->columns->v[1].name.n, "b", 1);
      for (int i = 0; i < 3; i++) call_release(calls[i]);
      weft_plan_unref(plan);
    }
    it("that pass by are finalized") {
      struct call call;
      run_params(&call, c, "select 1 /* once */", READ | WEFT_PLAN_VOLATILE, NULL, 0);
      expect_str(cell_of(&call), "1");
      call_release(&call);
    }
  }
}

static void script_facts(struct weft_conn *c) {
  describe("scripts") {
    it("run every statement") {
      struct call call;
      run_params(&call, c, "create table sc(a);\n insert into sc values (1), (2);; select * from sc;\n"
                           "update sc set a = 5; -- done\n", TEXT | WEFT_PLAN_SCRIPT, NULL, 0);
      expect_int(call.err.kind, WEFT_OK);
      if (!expect(call.rows != NULL)) continue;
      expect_int(call.rows->affected, 4);
      call_release(&call);
      expect_str(scalar(c, "select sum(a) from sc"), "10");
    }
    it("say where they failed") {
      struct call call;
      run_params(&call, c, "begin;\ninsert into sc values (3);\n\ninsert into nowhere values (1);\ncommit;",
                 TEXT | WEFT_PLAN_SCRIPT, NULL, 0);
      expect_int(call.err.kind, WEFT_SYNTAX);
      expect(strstr(call.err.message, "statement 3 (line 4)") != NULL);
      expect_int(c->tx, WEFT_TX_OPEN);
      call_release(&call);
      ok(c, "rollback");
    }
    it("with a zero byte are refused") {
      struct call call;
      struct weft_plan *plan = weft_plan_raw(&weft_dialect_sqlite, weft_slice("select 1;\0drop", 14), 0,
                                             TEXT | WEFT_PLAN_SCRIPT);
      call_init(&call, plan, NULL, 0);
      c->driver->submit(c, &call.op);
      wait_for(&call.done);
      expect_int(call.err.kind, WEFT_SYNTAX);
      call_release(&call);
    }
  }
}

static void reset_facts(struct opened *o) {
  describe("a reset") {
    it("leaves a fresh session") {
      struct weft_conn *c = o->conn;
      ok(c, "create table if not exists kept(a)");
      ok(c, "create temp table tmp(a)");
      ok(c, "create temp view tmpv as select * from tmp");
      ok(c, "attach ':memory:' as \"ot\"\"her\"");
      ok(c, "pragma foreign_keys=off");
      ok(c, "begin");
      ok(c, "insert into kept values (1)");
      o->reset = false;
      c->driver->reset(c);
      wait_for(&o->reset);
      expect(o->reset_ok);
      expect_int(c->tx, WEFT_TX_NONE);
      expect_str(scalar(c, "select count(*) from kept"), "0");
      expect_str(scalar(c, "pragma foreign_keys"), "1");
      expect_str(scalar(c, "select count(*) from temp.sqlite_schema"), "0");
      expect_str(scalar(c, "select count(*) from pragma_database_list where name not in ('main', 'temp')"), "0");
    }
  }
}

/* ---- a running loop ---- */

struct ticker {
  struct weft_timer *timer;
  int64_t last, gap;
  bool on;
};

static void on_tick(void *ud) {
  struct ticker *t = ud;
  int64_t now = weft_clock_ns();
  if (t->last && now - t->last > t->gap) t->gap = now - t->last;
  t->last = now;
  if (t->on) weft_timer_start(t->timer, now + MS);
}

static void ticker_start(struct ticker *t) {
  *t = (struct ticker){.on = true};
  t->timer = weft_timer_new(loop, on_tick, t);
  weft_timer_start(t->timer, 0);
}

static int64_t ticker_stop(struct ticker *t) {
  t->on = false;
  weft_timer_free(t->timer);
  return t->gap;
}

static void on_flag(void *ud) { *(bool *)ud = true; }

struct delayed {
  struct weft_timer *timer;
  struct call *call;
  struct weft_conn *conn;
  enum weft_kind why; /* WEFT_OK: submit; WEFT_CLOSED: close; else abort */
};

static void on_delay(void *ud) {
  struct delayed *d = ud;
  if (d->why == WEFT_OK) d->conn->driver->submit(d->conn, &d->call->op);
  else if (d->why == WEFT_CLOSED) d->conn->driver->close(d->conn);
  else if (!d->call->done) d->conn->driver->abort(d->conn, &d->call->op, d->why);
}

static void delay(struct delayed *d, int64_t ns, struct weft_conn *c, struct call *call, enum weft_kind why) {
  *d = (struct delayed){.call = call, .conn = c, .why = why};
  d->timer = weft_timer_new(loop, on_delay, d);
  weft_timer_start(d->timer, weft_clock_ns() + ns);
}

static void in_loop(struct weft_conn *c, struct call *call, struct weft_plan *plan) {
  call_init(call, weft_plan_ref(plan), NULL, 0);
  submit_later(c, call);
  wait_for(&call->done);
}

static const char *long_read(int n) {
  static char sql[256];
  snprintf(sql, sizeof sql, LONG_READ, n);
  return sql;
}

/* The longest gap in a timer of 1 ms while the statement runs for the first time; the best of some
   tries, for the machine is not ours alone. */
static int64_t gap_of(struct weft_conn *c, const char *sql, uint32_t flags, struct call *call) {
  struct ticker t;
  int64_t best = INT64_MAX;
  for (int i = 0; i < 8 && best >= 20 * MS; i++) {
    struct weft_plan *plan = plan_of(sql, 0, flags);
    if (i) call_release(call);
    ticker_start(&t);
    in_loop(c, call, plan);
    int64_t gap = ticker_stop(&t);
    if (gap < best) best = gap;
    weft_plan_unref(plan);
  }
  return best;
}

static void loop_facts(struct weft_conn *c) {
  describe("on a running loop") {
    it("a short read is done when submit returns") {
      struct weft_plan *plan = plan_of("select 1", 0, READ);
      struct call call;
      in_loop(c, &call, plan);
      expect(call.at_once);
      expect_str(cell_of(&call), "1");
      call_release(&call);
      weft_plan_unref(plan);
    }
    it("a long read never seen before holds nobody up") {
      struct call call;
      int64_t gap = gap_of(c, long_read(3000000), READ, &call);
      expect(!call.at_once);
      expect_str(cell_of(&call), "3000000");
      if (!expect(gap < 20 * MS)) printf("# gap of %.1f ms\n", (double)gap / 1e6);
      call_release(&call);
    }
    it("a read that was long goes to the thread pool, until it is short again") {
      struct weft_value n = weft_int(500000);
      struct weft_plan *plan = plan_of("with recursive n(i) as (select 1 union all select i + 1 from n "
                                       "where i < ?) select max(i) from n", 1, READ);
      int at_once = 0, first = -1;
      for (int i = 0; i < 60; i++) {
        struct call call;
        if (i == 1) n = weft_int(10);
        call_init(&call, weft_plan_ref(plan), &n, 1);
        submit_later(c, &call);
        wait_for(&call.done);
        expect(call.rows && call.rows->cells[0].u.i == n.u.i);
        at_once += call.at_once;
        if (call.at_once && first < 0) first = i;
        call_release(&call);
      }
      expect(first > 4);
      expect(at_once > 10);
      weft_plan_unref(plan);
    }
    it("the steps of many short runs are not taken for a long one") {
      struct weft_plan *plan = plan_of(long_read(1000), 0, READ);
      int later = 0;
      for (int i = 0; i < 200; i++) {
        struct call call;
        in_loop(c, &call, plan);
        later += !call.at_once;
        call_release(&call);
      }
      expect(later < 100); /* a busy machine makes some of them long */
      weft_plan_unref(plan);
    }
    it("a write goes to the thread pool, and within a transaction only at first") {
      ok(c, "create table lw(n)");
      struct weft_plan *plan = plan_of("insert into lw values (1)", 0, TEXT);
      struct call call;
      in_loop(c, &call, plan);
      expect(!call.at_once);
      call_release(&call);
      int at_once = 0;
      ok(c, "begin immediate");
      for (int i = 0; i < 40; i++) {
        in_loop(c, &call, plan);
        at_once += call.at_once;
        call_release(&call);
      }
      ok(c, "commit");
      expect(at_once > 10);
      expect_str(scalar(c, "select count(*) from lw"), "41");
      weft_plan_unref(plan);
    }
    it("statements wait for the one in front of them, in order") {
      struct call calls[5];
      call_init(&calls[0], plan_of(long_read(400000), 0, READ), NULL, 0);
      for (int i = 1; i < 5; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, i % 2 ? "insert into lw values (%d)" : "select count(*) + %d from lw", i);
        call_init(&calls[i], plan_of(sql, 0, TEXT), NULL, 0);
      }
      for (int i = 0; i < 5; i++) submit_later(c, &calls[i]);
      wait_for(&calls[4].done);
      for (int i = 0; i < 4; i++) expect(calls[i].done);
      expect_str(cell_of(&calls[2]), "44");
      expect_str(cell_of(&calls[4]), "47");
      for (int i = 0; i < 5; i++) call_release(&calls[i]);
    }
    it("a long script holds nobody up") {
      struct call call;
      char sql[512];
      snprintf(sql, sizeof sql, "create table if not exists x(a); %s; select 1;", long_read(1000000));
      expect(gap_of(c, sql, TEXT | WEFT_PLAN_SCRIPT, &call) < 20 * MS);
      expect_int(call.err.kind, WEFT_OK);
      call_release(&call);
    }
  }
}

static void abort_facts(struct weft_conn *c) {
  describe("giving up") {
    it("stops a running statement, with the kind that was told, and the connection goes on") {
      static const enum weft_kind kinds[] = {WEFT_TIMEOUT, WEFT_CANCELLED};
      for (int i = 0; i < 2; i++) {
        struct call call;
        struct delayed d;
        struct weft_plan *plan = plan_of(long_read(500000000), 0, READ);
        int64_t began = weft_clock_ns();
        delay(&d, 20 * MS, c, &call, kinds[i]);
        in_loop(c, &call, plan);
        expect_int(call.err.kind, kinds[i]);
        expect(weft_clock_ns() - began < 1000 * (int64_t)MS);
        expect_str(scalar(c, "select 7"), "7");
        weft_timer_free(d.timer);
        call_release(&call);
        weft_plan_unref(plan);
      }
    }
    it("ends a statement that waits behind another one at once") {
      struct call busy, queued;
      struct delayed d1, d2;
      call_init(&busy, plan_of(long_read(500000000), 0, READ), NULL, 0);
      call_init(&queued, plan_of("select 1", 0, READ), NULL, 0);
      submit_later(c, &busy);
      submit_later(c, &queued);
      delay(&d1, 10 * MS, c, &queued, WEFT_CANCELLED);
      delay(&d2, 30 * MS, c, &busy, WEFT_TIMEOUT);
      wait_for(&queued.done);
      expect(!busy.done);
      expect_int(queued.err.kind, WEFT_CANCELLED);
      wait_for(&busy.done);
      expect_int(busy.err.kind, WEFT_TIMEOUT);
      weft_timer_free(d1.timer);
      weft_timer_free(d2.timer);
      call_release(&busy);
      call_release(&queued);
    }
    it("minds the deadline where no timer can: on the main coroutine") {
      struct call call;
      call_init(&call, plan_of(long_read(500000000), 0, READ), NULL, 0);
      call.op.deadline = weft_clock_ns() + 20 * MS;
      int64_t began = weft_clock_ns();
      c->driver->submit(c, &call.op);
      expect(call.done);
      expect_int(call.err.kind, WEFT_TIMEOUT);
      expect(weft_clock_ns() - began < 1000 * (int64_t)MS);
      call_release(&call);
    }
  }
}

static void busy_facts(const char *file) {
  describe("another connection's lock") {
    struct opened a, b;
    struct call call, commit;
    struct delayed d;
    it("is waited out") {
      if (!expect(open_url(&a, url_of(file))) || !expect(open_url(&b, url_of(file)))) continue;
      ok(a.conn, "create table if not exists busy(n)");
      static const char *const texts[] = {"insert into busy values (1)", "begin immediate"};
      for (int i = 0; i < 2; i++) {
        ok(a.conn, "begin immediate");
        call_init(&call, plan_of(texts[i], 0, TEXT), NULL, 0);
        call_init(&commit, plan_of("commit", 0, TEXT), NULL, 0);
        delay(&d, 40 * MS, a.conn, &commit, WEFT_OK);
        submit_later(b.conn, &call);
        wait_for(&call.done);
        expect_int(call.err.kind, WEFT_OK);
        expect(commit.done);
        call_release(&call);
        call_release(&commit);
        weft_timer_free(d.timer);
      }
      ok(b.conn, "rollback");
      shut(&b);
    }
    it("is waited for no longer than busy_timeout, or the statement's deadline") {
      char name[64];
      snprintf(name, sizeof name, "%s%cbusy_timeout=0.05", file, strchr(file, '?') ? '&' : '?');
      if (!expect(open_url(&b, url_of(name)))) continue;
      ok(a.conn, "begin immediate");
      for (int i = 0; i < 2; i++) {
        int64_t began = weft_clock_ns();
        call_init(&call, plan_of("insert into busy values (2)", 0, TEXT), NULL, 0);
        if (i) call.op.deadline = began + 10 * MS;
        submit_later(b.conn, &call);
        wait_for(&call.done);
        int64_t took = weft_clock_ns() - began;
        expect_int(call.err.kind, WEFT_LOCK_TIMEOUT);
        expect_str(call.err.code, "5");
        expect(i ? took < 45 * MS : took >= 50 * MS);
        call_release(&call);
      }
      ok(a.conn, "rollback");
    }
    it("is given up when told") {
      ok(a.conn, "begin immediate");
      call_init(&call, plan_of("insert into busy values (3)", 0, TEXT), NULL, 0);
      delay(&d, 10 * MS, b.conn, &call, WEFT_CANCELLED);
      submit_later(b.conn, &call);
      wait_for(&call.done);
      expect_int(call.err.kind, WEFT_CANCELLED);
      call_release(&call);
      weft_timer_free(d.timer);
      ok(a.conn, "rollback");
      ok(b.conn, "insert into busy values (4)");
    }
    it("is a serialization failure for a transaction that has read something older") {
      if (strchr(file, '?')) continue; /* without WAL readers keep writers out */
      ok(b.conn, "begin");
      expect_str(scalar(b.conn, "select count(*) from busy"), "2");
      ok(a.conn, "insert into busy values (5)");
      run(&call, b.conn, "insert into busy values (6)");
      expect_int(call.err.kind, WEFT_SERIALIZATION);
      expect(call.err.retryable);
      call_release(&call);
      ok(b.conn, "rollback");
    }
    it("of a transaction of one's own is not waited for") {
      ok(b.conn, "begin");
      expect(atoi(scalar(b.conn, "select count(*) from busy")) >= 2);
      ok(a.conn, "begin immediate");
      expect_int(run_kind(b.conn, "insert into busy values (7)"), WEFT_LOCK_TIMEOUT);
      ok(b.conn, "rollback");
      ok(a.conn, "rollback");
      shut(&a);
      shut(&b);
    }
  }
}

static void close_facts(void) {
  describe("closing") {
    it("ends what runs, and answers for it") {
      struct opened o;
      if (!expect(open_url(&o, url_of("close.db")))) continue;
      struct call busy, queued;
      struct delayed d;
      call_init(&busy, plan_of(long_read(500000000), 0, READ), NULL, 0);
      call_init(&queued, plan_of("create table t(a)", 0, TEXT), NULL, 0);
      submit_later(o.conn, &busy);
      submit_later(o.conn, &queued);
      delay(&d, 20 * MS, o.conn, &busy, WEFT_CLOSED); /* closes */
      wait_for(&busy.done);
      o.conn = NULL;
      expect_int(busy.err.kind, WEFT_CLOSED);
      expect_int(queued.err.kind, WEFT_CLOSED);
      expect(!queued.err.outcome_unknown);
      weft_timer_free(d.timer);
      call_release(&busy);
      call_release(&queued);
      shut(&o);
    }
    it("while a file is being closed on a running loop leaves nothing open") {
      struct opened o;
      if (!expect(open_url(&o, url_of("close.db")))) continue;
      ok(o.conn, "create table if not exists t(a)");
      struct call call;
      struct delayed d;
      call_init(&call, plan_of("select 1", 0, READ), NULL, 0);
      delay(&d, 0, o.conn, &call, WEFT_CLOSED);
      struct ticker t;
      ticker_start(&t);
      while (t.gap == 0 || weft_loop_handles(loop) > 2) {
        bool turned = false;
        struct weft_timer *timer = weft_timer_new(loop, on_flag, &turned);
        weft_timer_start(timer, weft_clock_ns() + 5 * MS);
        wait_for(&turned);
        weft_timer_free(timer);
      }
      ticker_stop(&t);
      weft_timer_free(d.timer);
      o.conn = NULL;
      call_release(&call);
      shut(&o);
      expect_int(weft_loop_handles(loop), 0);
    }
  }
}

int main(void) {
  struct weft_error err;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/weft-sqlite-XXXXXX", tmp ? tmp : P_tmpdir);
  if (!mkdtemp(folder) || weft_loop_new(NULL, &loop, &err)) return 1;
  settings_facts();
  open_facts();
  static const char *const urls[] = {"memory", "file"};
  for (int i = 0; i < 2; i++)
    describe(urls[i]) {
      struct opened o;
      if (!open_url(&o, i ? url_of("all.db") : "sqlite::memory:")) return 1;
      value_facts(o.conn);
      error_facts(o.conn);
      write_facts(o.conn);
      transaction_facts(o.conn);
      statement_facts(o.conn);
      script_facts(o.conn);
      reset_facts(&o);
      if (i) loop_facts(o.conn);
      abort_facts(o.conn);
      shut(&o);
    }
  busy_facts("wal.db");
  busy_facts("delete.db?journal=delete");
  close_facts();
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
