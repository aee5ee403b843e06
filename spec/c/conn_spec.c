/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include "driver/fake.h"
#include "spec.h"

enum { MS = 1000000 };

struct call {
  struct weft_op op;
  int done;
  bool failed;
  struct weft_error err;
};

static int order;

static void on_done(struct weft_op *op, struct weft_rows *rows, const struct weft_error *err) {
  struct call *c = WEFT_CONTAINER(op, struct call, op);
  c->done = ++order;
  c->failed = err != NULL;
  if (err) c->err = *err;
  weft_rows_unref(rows);
}

static struct call call(const char *sql, uint32_t plan_flags, uint32_t op_flags) {
  struct call c = {.op = {.repeat = 1, .flags = op_flags, .done = on_done}};
  c.op.plan = weft_plan_raw(&weft_dialect_sqlite, weft_slice_of(sql), 0, 0);
  c.op.plan->flags = plan_flags;
  return c;
}

static void end(struct call *c) { weft_plan_unref(c->op.plan); }

static struct weft_list replayed;
static int rooms, losses;

static void on_open(struct weft_conn *c, const struct weft_error *err) { (void)c, (void)err; }
static void on_room(struct weft_conn *c) { rooms += c->inflight == 0 ? 1 : 100; }
static void on_lost(struct weft_conn *c, struct weft_list *replay, const struct weft_error *err) {
  (void)err;
  losses += c->broken && c->inflight == 0;
  weft_list_splice(&replayed, replay);
}

static struct weft_conn *connect(struct weft_fake *f) {
  struct weft_conn *c = f->driver.open(f->loop, &f->settings, NULL, on_open);
  weft_fake_open(f);
  c->on_room = on_room;
  c->on_lost = on_lost;
  return c;
}

static void submit(struct weft_conn *c, struct call *call) {
  weft_list_init(&call->op.link);
  c->driver->submit(c, &call->op);
}

/* What a loss does to one statement. */
static const struct loss {
  const char *fact, *sql;
  uint32_t plan, op, why;
  bool sent, replayed;
  enum weft_kind kind;
  bool unknown, retryable;
} lost[] = {
    {"hands a read back to be replayed", "select", WEFT_PLAN_READ, 0, 0, true, true, 0, false,
     false},
    {"fails a read that was replayed before", "select", WEFT_PLAN_READ, WEFT_OP_REPLAYED, 0, true,
     false, WEFT_DISCONNECT, false, true},
    {"fails a raw read", "select", WEFT_PLAN_READ | WEFT_PLAN_RAW, 0, 0, true, false,
     WEFT_DISCONNECT, false, true},
    {"does not know what became of a write", "update", 0, 0, 0, true, false, WEFT_DISCONNECT, true,
     false},
    {"knows that a write that was not sent did not happen", "update", 0, 0, 0, false, false,
     WEFT_DISCONNECT, false, true},
    {"knows that a transaction's write was rolled back", "update", 0, WEFT_OP_IN_TX, 0, true, false,
     WEFT_DISCONNECT, false, false},
    {"fails a transaction's read", "select", WEFT_PLAN_READ, WEFT_OP_IN_TX, 0, true, false,
     WEFT_DISCONNECT, false, false},
    {"does not know what became of a COMMIT", "COMMIT", WEFT_PLAN_CONTROL, WEFT_OP_IN_TX, 0, true,
     false, WEFT_DISCONNECT, true, false},
    {"keeps the reason of an aborted statement", "update", 0, 0, WEFT_TIMEOUT, true, false,
     WEFT_TIMEOUT, true, false},
};

static void losing(struct weft_loop *l) {
  for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
    const struct loss *t = &lost[i];
    it(t->fact) {
      struct weft_fake *f = weft_fake_new(l, WEFT_DRIVER_PIPELINES);
      struct weft_conn *c = connect(f);
      struct call k = call(t->sql, t->plan, t->op);
      weft_list_init(&replayed);
      losses = 0;
      submit(c, &k);
      if (t->sent) c->driver->flush(c);
      k.op.why = t->why;
      weft_fake_lose(c);
      expect_int(losses, 1);
      expect_int(!weft_list_empty(&replayed), t->replayed);
      expect_int(k.done != 0, !t->replayed);
      if (k.done) {
        expect_int(k.err.kind, t->kind);
        expect_int(k.err.outcome_unknown, t->unknown);
        expect_int(k.err.retryable, t->retryable);
      }
      expect(k.op.conn == NULL);
      c->driver->close(c);
      end(&k);
      weft_fake_free(f);
    }
  }
}

static void operations(struct weft_loop *l) {
  struct weft_fake *f = weft_fake_new(l, WEFT_DRIVER_PIPELINES);
  struct weft_conn *c = connect(f);
  it("keeps its operations in the order of submission and unlinks them before done") {
    struct call a = call("select", WEFT_PLAN_READ, 0), b = call("select", WEFT_PLAN_READ, 0);
    submit(c, &a);
    submit(c, &b);
    expect_int(c->inflight, 2);
    expect_int(a.op.state, WEFT_OP_QUEUED);
    c->driver->flush(c);
    expect_int(a.op.state, WEFT_OP_SENT);
    expect(a.op.conn == c);
    order = rooms = 0;
    weft_fake_answer(c);
    weft_fake_answer(c);
    expect_int(a.done, 1);
    expect_int(b.done, 2);
    expect_int(c->inflight, 0);
    expect_int(rooms, 101); /* one while the other was in flight */
    expect(a.op.conn == NULL);
    end(&a);
    end(&b);
  }
  it("counts a dropped statement until its answer has come") {
    struct call a = call("select", WEFT_PLAN_READ, WEFT_OP_SHARED);
    submit(c, &a);
    c->driver->flush(c);
    c->driver->abort(c, &a.op, WEFT_TIMEOUT);
    expect(a.failed);
    expect_int(a.err.kind, WEFT_TIMEOUT);
    expect_int(c->dropped, 1);
    expect_int(c->inflight, 0);
    weft_fake_answer(c);
    expect_int(c->dropped, 0);
    end(&a);
  }
  it("measures the time at the database without the round trip") {
    struct call a = call("select", WEFT_PLAN_READ, 0), b = call("select", WEFT_PLAN_READ, 0);
    c->rtt = INT64_C(3600) * 1000 * MS;
    submit(c, &a);
    c->driver->flush(c);
    weft_loop_skip(l, 20 * MS);
    weft_fake_answer(c); /* 20 ms away */
    expect(a.op.plan->estimate_ns < 2 * MS);
    submit(c, &b);
    c->driver->flush(c);
    weft_loop_skip(l, 50 * MS);
    weft_fake_answer(c);
    expect_near(b.op.plan->estimate_ns / (double)MS, 30, 5);
    end(&a);
    end(&b);
  }
  it("does not count the statements in front") {
    struct call a = call("select", WEFT_PLAN_READ, 0), b = call("select", WEFT_PLAN_READ, 0);
    submit(c, &a);
    submit(c, &b);
    c->driver->flush(c);
    weft_loop_skip(l, 500 * MS);
    weft_fake_answer(c);
    weft_loop_skip(l, MS);
    weft_fake_answer(c);
    expect(a.op.plan->estimate_ns > 400 * MS);
    expect(b.op.plan->estimate_ns < 5 * MS);
    end(&a);
    end(&b);
  }
  it("forgives a short statement one slow run, not several") {
    struct call a = call("select", WEFT_PLAN_READ, 0);
    a.op.plan->estimate_ns = MS / 10;
    a.op.plan->runs = 10;
    for (int i = 0; i < 8; i++) {
      submit(c, &a);
      c->driver->flush(c);
      weft_loop_skip(l, 100 * MS);
      weft_fake_answer(c);
      if (i == 0) expect(a.op.plan->estimate_ns < MS);
    }
    expect(a.op.plan->estimate_ns > 2 * MS);
    end(&a);
  }
  it("names its database in errors") {
    struct weft_error err;
    expect_int(weft_conn_fail(c, &err, WEFT_SYNTAX, "near %s", "x"), -1);
    expect_str(err.message, "near x (fake://somewhere)");
  }
  c->driver->close(c);
  weft_fake_free(f);
}

static void statements(void) {
  struct weft_statements s;
  struct weft_statement v[4];
  it("remembers prepared statements and lets the oldest go") {
    weft_statements_init(&s, 3);
    for (int i = 0; i < 3; i++) expect(weft_statements_add(&s, &v[i], 10 + (uint64_t)i) == NULL);
    expect(weft_statements_get(&s, 10) == &v[0]);
    expect(weft_statements_get(&s, 99) == NULL);
    expect(weft_statements_add(&s, &v[3], 13) == &v[1]);
    expect(weft_statements_get(&s, 11) == NULL);
    expect(weft_statements_get(&s, 10) == &v[0]);
    expect_int(s.count, 3);
    weft_statements_remove(&s, &v[0]);
    expect(weft_statements_get(&s, 10) == NULL);
    expect_int(s.count, 2);
    weft_statements_release(&s);
  }
}

/* ---- urls ---- */

static void refused(const char *url, const char *word) {
  struct weft_settings *s = NULL;
  struct weft_error err;
  weft_error_clear(&err);
  int rc = weft_settings_new(weft_slice_of(url), NULL, 0, &s, &err);
  expect_int(rc, -1);
  if (rc == 0) weft_settings_free(s);
  expect_int(err.kind, WEFT_USAGE);
  if (!strstr(err.message, word)) expect_str(err.message, word);
  expect(!strstr(err.message, "s3cret"));
}

static void urls(void) {
  static const char *const wrong[][2] = {
      {"", "begins with its kind"},
      {"products.db", "begins with its kind"},
      {"sqllite:x.db", "did you mean 'sqlite'"},
      {"postgre://h/db", "did you mean 'postgres'"},
      {"oracle://h/db", "unknown database 'oracle'"},
      {"sqlite+tcp:x", "only +unix"},
      {"sqlite:", "names no file"},
      {"post gres://x", "letters and digits"},
      {"postgres:app:s3cret@h/db", "begins with postgres://"},
      {"postgres://app:s3cret@h:port/db", "port"},
      {"postgres://app:s3cret@h:0/db", "port"},
      {"postgres://app:s3cret@h:70000/db", "port"},
      {"postgres://app:s3cret%2@h/db", "hex digits"},
      {"postgres://app:s3cret%00@h/db", "zero byte"},
      {"postgres://[::1/db", "IPv6"},
      {"postgres://h/db?s3cret", "name=value"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    it(wrong[i][0][0] ? wrong[i][0] : "(empty)") refused(wrong[i][0], wrong[i][1]);
  static const struct {
    const char *url, *name, *value, *label;
  } right[] = {
      {"sqlite:var/product.db", "path", "var/product.db", "sqlite:"},
      {"sqlite::memory:", "path", ":memory:", "sqlite:"},
      {"sqlite:///var/x.db", "path", "/var/x.db", "sqlite:"},
      {"postgres://app:s3cret@127.0.0.1:5432/seller", "database", "seller", "127.0.0.1:5432"},
      {"postgres://app:s3cret@127.0.0.1:5432/seller", "password", "s3cret", "127.0.0.1:5432"},
      {"postgresql://a%40b@[::1]:5433/x", "user", "a@b", "postgres"},
      {"postgres://[::1]:5433/x", "host", "::1", "postgres"},
      {"postgres://h/x?application_name=my%20app", "application_name", "my app", "postgres"},
  };
  for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
    it(right[i].url) {
      struct weft_settings *s = NULL;
      struct weft_error err;
      weft_error_clear(&err);
      int rc = weft_settings_new(weft_slice_of(right[i].url), NULL, 0, &s, &err);
      expect_str(err.message, "");
      if (!expect_int(rc, 0)) continue;
      const struct weft_setting *v = weft_setting(s, right[i].name);
      if (expect(v != NULL))
        expect_mem(v->value.p, v->value.n, right[i].value, strlen(right[i].value));
      char label[200];
      snprintf(label, sizeof label, "%.*s", (int)s->label.n, s->label.p);
      expect(strstr(label, right[i].label) != NULL);
      expect(strstr(label, "s3cret") == NULL);
      weft_settings_free(s);
    }
  it("lets an option win over the url") {
    struct weft_settings *s = NULL;
    struct weft_error err;
    struct weft_setting o = {"port", WEFT_LIT("6000")};
    if (!expect_int(weft_settings_new(WEFT_LIT("postgres://h:5432/x"), &o, 1, &s, &err), 0))
      continue;
    expect_mem(weft_setting(s, "port")->value.p, 4, "6000", 4);
    weft_settings_free(s);
  }
}

int main(void) {
  struct weft_loop *l = NULL;
  struct weft_error err;
  weft_loop_new(NULL, &l, &err);
  weft_loop_skip(l, 0); /* time stands still from here */
  describe("connection") {
    operations(l);
    describe("lost") {
      losing(l);
    }
    describe("statements") {
      statements();
    }
  }
  describe("url") {
    urls();
  }
  weft_loop_free(l);
  return spec_end();
}
