/* SPDX-License-Identifier: MIT */
/* alone: it measures for how long nobody is held up. */
/* The SQLite driver on a running loop: what runs where, giving up, other connections' locks,
 * closing. */
#include <time.h>

#include "clock.h"
#include "sqlite_support.h"

#define LONG_READ                                                                               \
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) select max(i) " \
  "from n"

struct ticker {
  struct weft_timer *timer;
  int64_t last, gap;         /* by the clock */
  int64_t last_cpu, gap_cpu; /* of this thread: what others do to the machine does not count */
  bool on;
};

static void on_tick(void *ud) {
  struct ticker *t = ud;
  int64_t now = weft_clock_ns();
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  int64_t cpu = ts.tv_sec * 1000 * (int64_t)MS + ts.tv_nsec;
  if (t->last && now - t->last > t->gap) t->gap = now - t->last;
  if (t->last && cpu - t->last_cpu > t->gap_cpu) t->gap_cpu = cpu - t->last_cpu;
  t->last = now;
  t->last_cpu = cpu;
  if (t->on) weft_timer_start(t->timer, now + MS);
}

static void ticker_start(struct ticker *t) {
  *t = (struct ticker){.on = true};
  t->timer = weft_timer_new(loop, on_tick, t);
  weft_timer_start(t->timer, 0);
}

static void ticker_stop(struct ticker *t) {
  t->on = false;
  weft_timer_free(t->timer);
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

static void delay(struct delayed *d, int64_t ns, struct weft_conn *c, struct call *call,
                  enum weft_kind why) {
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

/* Runs a statement that was never seen before beside a timer of 1 ms. */
static void no_gap(struct weft_conn *c, const char *sql, uint32_t flags, struct call *call) {
  struct ticker t;
  struct weft_plan *plan = plan_of(sql, 0, flags);
  ticker_start(&t);
  in_loop(c, call, plan);
  ticker_stop(&t);
  weft_plan_unref(plan);
  expect(!call->at_once);
  if (!expect(t.gap_cpu < 20 * MS && t.gap < 200 * MS))
    printf("# gap of %.1f ms, %.1f ms of it busy\n", (double)t.gap / 1e6, (double)t.gap_cpu / 1e6);
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
      no_gap(c, long_read(3000000), READ, &call);
      expect_str(cell_of(&call), "3000000");
      call_release(&call);
    }
    it("a read that was long goes to the thread pool, until it is short again") {
      struct weft_value n = weft_int(500000);
      struct weft_plan *plan =
          plan_of("with recursive n(i) as (select 1 union all select i + 1 from n "
                  "where i < ?) select max(i) from n",
                  1, READ);
      int at_once = 0, first = -1;
      for (int i = 0; i < 1000 && at_once < 10; i++) {
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
      expect_int(at_once, 10);
      weft_plan_unref(plan);
    }
    it("counting a whole table, which is one step, goes to the thread pool first") {
      struct weft_plan *plan = plan_of("select COUNT(*) from sqlite_schema", 0, READ);
      int at_once = 0;
      for (int i = 0; i < 1000 && at_once < 10; i++) {
        struct call call;
        in_loop(c, &call, plan);
        expect(i || !call.at_once);
        at_once += call.at_once;
        call_release(&call);
      }
      expect_int(at_once, 10);
      weft_plan_unref(plan);
    }
    it("the steps of many short runs are not taken for a long one") {
      int best = 100;
      for (int k = 0; k < 10 && best > 0; k++) { /* a busy machine makes some of them long */
        struct weft_plan *plan = plan_of(long_read(100), 0, READ);
        int later = 0;
        for (int i = 0; i < 100; i++) {
          struct call call;
          in_loop(c, &call, plan);
          later += !call.at_once;
          call_release(&call);
        }
        if (later < best) best = later;
        weft_plan_unref(plan);
      }
      expect_int(best, 0);
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
      for (int i = 0; i < 1000 && at_once < 10; i++) {
        in_loop(c, &call, plan);
        at_once += call.at_once;
        call_release(&call);
      }
      ok(c, "commit");
      expect_int(at_once, 10);
      ok(c, "delete from lw");
      weft_plan_unref(plan);
    }
    it("statements wait for the one in front of them, in order") {
      struct call calls[5];
      call_init(&calls[0], plan_of(long_read(400000), 0, READ), NULL, 0);
      for (int i = 1; i < 5; i++) {
        char sql[64];
        snprintf(sql, sizeof sql,
                 i % 2 ? "insert into lw values (%d)" : "select count(*) + %d from lw", i);
        call_init(&calls[i], plan_of(sql, 0, TEXT), NULL, 0);
      }
      for (int i = 0; i < 5; i++) submit_later(c, &calls[i]);
      wait_for(&calls[4].done);
      for (int i = 0; i < 4; i++) expect(calls[i].done);
      expect_str(cell_of(&calls[2]), "3");
      expect_str(cell_of(&calls[4]), "6");
      for (int i = 0; i < 5; i++) call_release(&calls[i]);
    }
    it("a long script holds nobody up") {
      struct call call;
      char sql[512];
      snprintf(sql, sizeof sql, "create table if not exists x(a); %s; select 1;",
               long_read(1000000));
      no_gap(c, sql, TEXT | WEFT_PLAN_SCRIPT, &call);
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

/* xorshift: the same run each time. */
static uint32_t next_random(void) {
  static uint32_t x = 2463534242u;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return x;
}

static void storm_facts(struct weft_conn *c) {
  describe("hundreds of statements, each given up at a random time,") {
    it("end once each, and leave the connection usable") {
      enum { N = 400 };
      static struct call calls[N];
      static struct delayed aborts[N];
      ok(c, "create table storm(n)");
      for (int i = 0; i < N; i++) {
        static const char *const texts[] = {"insert into storm values (1)",
                                            "select count(*) from storm", "begin", "rollback",
                                            "select 1"};
        uint32_t pick = next_random() % 8;
        call_init(&calls[i],
                  plan_of(pick < 5 ? texts[pick] : long_read(1000 << pick), 0, pick ? READ : TEXT),
                  NULL, 0);
        submit_later(c, &calls[i]);
        delay(&aborts[i], next_random() % 400 * MS, c, &calls[i],
              next_random() % 2 ? WEFT_TIMEOUT : WEFT_CANCELLED);
      }
      int wrong = 0, given_up = 0;
      for (int i = 0; i < N; i++) wait_for(&calls[i].done);
      for (int i = 0; i < N; i++) {
        enum weft_kind kind = calls[i].err.kind;
        given_up += kind == WEFT_TIMEOUT || kind == WEFT_CANCELLED;
        wrong += calls[i].ended != 1 || (kind == WEFT_OK) != (calls[i].rows != NULL);
        weft_timer_free(aborts[i].timer);
        call_release(&calls[i]);
      }
      expect_int(wrong, 0);
      expect(given_up > 0);
      run_kind(c, "rollback");
      expect_int(c->tx, WEFT_TX_NONE);
      expect_str(scalar(c, "select 7"), "7");
      expect_int(c->inflight, 0);
    }
  }
}

static void writers_facts(void) {
  describe("three connections that write at once") {
    it("all get through") {
      enum { N = 60 };
      static struct call calls[N];
      struct opened o[3];
      for (int i = 0; i < 3; i++)
        if (!expect(open_url(&o[i], url_of("writers.db?synchronous=off")))) return;
      ok(o[0].conn, "create table t(n)");
      for (int i = 0; i < N; i++) {
        call_init(&calls[i], plan_of("insert into t select 1", 0, TEXT), NULL, 0);
        submit_later(o[i % 3].conn, &calls[i]);
      }
      for (int i = 0; i < N; i++) wait_for(&calls[i].done);
      expect_str(scalar(o[1].conn, "select count(*) from t"), "60");
      for (int i = 0; i < N; i++) call_release(&calls[i]);
      for (int i = 0; i < 3; i++) shut(&o[i]);
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
        expect_int(call.err.kind, i ? WEFT_TIMEOUT : WEFT_LOCK_TIMEOUT);
        expect(i || took >= 50 * MS);
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
  if (!support_begin()) return 1;
  struct opened o;
  if (!open_url(&o, url_of("loop.db"))) return 1;
  loop_facts(o.conn);
  abort_facts(o.conn);
  storm_facts(o.conn);
  shut(&o);
  if (!open_url(&o, "sqlite::memory:")) return 1;
  describe("in memory") {
    abort_facts(o.conn);
    storm_facts(o.conn);
  }
  shut(&o);
  busy_facts("wal.db");
  busy_facts("delete.db?journal=delete");
  writers_facts();
  close_facts();
  return support_end();
}
