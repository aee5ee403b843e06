/* SPDX-License-Identifier: MIT */
/* The SQLite driver while the loop does not run: settings, values, errors, transactions. */
#include <sys/stat.h>

#include "decimal.h"
#include "sqlite_support.h"

static void settings_facts(void) {
  describe("sqlite settings") {
    static const struct { const char *url; enum weft_kind kind; const char *part;
    } rows[] = {
        {"sqlite:x.db?jurnal=wal", WEFT_USAGE, "did you mean 'journal'?"},
        {"sqlite:x.db?journal=walrus", WEFT_USAGE,
         "journal of a sqlite database is one of wal, delete"},
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
      struct weft_settings *s =
          settings("sqlite:x.db?mode=rwc&journal=wal&synchronous=off&busy_timeout=0.5"
                   "&cache_size=-4000&foreign_keys=off",
                   &err);
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
      struct weft_settings *a = settings("sqlite:var/x.db", &err),
                           *b = settings("sqlite:./y/..//var/./x.db", &err);
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
      for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        same_value(c, weft_float(floats[i]));
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
      struct weft_value got =
          scalar_param(c, "select ?", decimal_of("9223372036854775807.00", &d), &call);
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
      ok(c, "create table v(b boolean, d decimal(10,2), n numeric, j json, i integer, t text, z "
            "datetime)");
      ok(c, "insert into v values (1, 0.1, 12345.678, '{\"a\":[]}', 'word', '5', '2024-01-01 "
            "00:00:00'), "
            "(7, 'abc', 5, null, 5, x'00ff', 17)");
      struct call call;
      run_params(&call, c, "select * from v", READ, NULL, 0);
      if (!expect(call.rows && call.rows->nrows == 2 && call.rows->ncols == 7)) continue;
      static const uint8_t types[] = {WEFT_BOOL, WEFT_DECIMAL, WEFT_DECIMAL, WEFT_JSON, WEFT_TEXT,
                                      WEFT_TEXT, WEFT_TEXT, WEFT_INT, WEFT_TEXT, WEFT_DECIMAL,
                                      WEFT_NULL, WEFT_INT, WEFT_BYTES, WEFT_INT};
      static const char *const texts[] = {
          "true", "0.10", "12345.678", "{\"a\":[]}", "word", "5",  "2024-01-01 00:00:00",
          "7",    "abc",  "5",         "",           "5",    NULL, "17"};
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
      ok(c,
         "create table p(id integer primary key, sku text unique, price int check (price < 100), "
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
      run_params(&call, c,
                 "create table sc(a);\n insert into sc values (1), (2);; select * from sc;\n"
                 "update sc set a = 5; -- done\n",
                 TEXT | WEFT_PLAN_SCRIPT, NULL, 0);
      expect_int(call.err.kind, WEFT_OK);
      if (!expect(call.rows != NULL)) continue;
      expect_int(call.rows->affected, 4);
      call_release(&call);
      expect_str(scalar(c, "select sum(a) from sc"), "10");
    }
    it("say where they failed") {
      struct call call;
      run_params(&call, c,
                 "begin;\ninsert into sc values (3);\n\ninsert into nowhere values (1);\ncommit;",
                 TEXT | WEFT_PLAN_SCRIPT, NULL, 0);
      expect_int(call.err.kind, WEFT_SYNTAX);
      expect(strstr(call.err.message, "statement 3 (line 4)") != NULL);
      expect_int(c->tx, WEFT_TX_OPEN);
      call_release(&call);
      ok(c, "rollback");
    }
    it("with a zero byte are refused") {
      struct call call;
      struct weft_plan *plan = weft_plan_raw(
          &weft_dialect_sqlite, weft_slice("select 1;\0drop", 14), 0, TEXT | WEFT_PLAN_SCRIPT);
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
      expect_str(
          scalar(c, "select count(*) from pragma_database_list where name not in ('main', 'temp')"),
          "0");
    }
  }
}

int main(void) {
  if (!support_begin()) return 1;
  settings_facts();
  open_facts();
  static const char *const names[] = {"memory", "file"};
  for (int i = 0; i < 2; i++)
    describe(names[i]) {
      struct opened o;
      if (!open_url(&o, i ? url_of("all.db") : "sqlite::memory:")) return 1;
      value_facts(o.conn);
      error_facts(o.conn);
      write_facts(o.conn);
      transaction_facts(o.conn);
      statement_facts(o.conn);
      script_facts(o.conn);
      reset_facts(&o);
      shut(&o);
    }
  return support_end();
}
