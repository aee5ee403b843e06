/* SPDX-License-Identifier: MIT */
/* Transactions against the scripted server, which shows every order of events, and against SQLite. */
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"

enum { PIPELINED = WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS };

/* A server in the manner of PostgreSQL: a failed statement fails the transaction. */
struct server {
  struct world w;
  struct weft_fake *fake;
  char log[1024];         /* statements as they are answered, separated by ";" */
  const char *fails;      /* statements that contain it fail as `kind` */
  enum weft_kind kind;
  bool forgiving;         /* a failed statement leaves the transaction as it is (SQLite) */
};

static int answer(void *ud, const struct weft_op *op, struct weft_rows **rows,
                  struct weft_error *err) {
  struct server *s = ud;
  const char *sql = op->plan->sql.p;
  size_t used = strlen(s->log);
  (void)rows;
  snprintf(s->log + used, sizeof s->log - used, "%s%s", used ? ";" : "", sql);
  if (s->fails && strstr(sql, s->fails)) {
    if (op->conn->tx == WEFT_TX_OPEN && !s->forgiving) op->conn->tx = WEFT_TX_FAILED;
    return weft_fail(err, s->kind, "it failed");
  }
  if (strncmp(sql, "ROLLBACK TO", 11) == 0) op->conn->tx = WEFT_TX_OPEN;
  return 0;
}

static bool server_open(struct server *s, uint32_t caps, const struct weft_db_options *o) {
  struct weft_error err;
  memset(s, 0, sizeof *s);
  s->kind = WEFT_UNIQUE;
  if (!expect(weft_context_new(NULL, &s->w.context, &err) == 0)) return false;
  s->w.loop = weft_context_loop(s->w.context);
  s->fake = weft_fake_new(s->w.loop, caps);
  s->fake->answer = answer;
  s->fake->ud = s;
  if (caps & WEFT_DRIVER_ONE_WRITER) s->fake->writer = "file";
  s->w.db = weft_db_new(s->w.context, WEFT_LIT("shop"), &s->fake->settings, o);
  return true;
}

static void server_close(struct server *s) {
  world_close(&s->w);
  weft_fake_free(s->fake);
}

static struct weft_tx *begin(struct server *s) {
  static const struct weft_tx_options o = {.isolation = WEFT_ISOLATION_DEFAULT};
  return weft_tx_new(s->w.db, &o);
}

static void start(struct server *s, struct weft_tx *tx, struct weft_call *call, const char *text) {
  weft_call_init(call, note_finished, NULL);
  weft_db_raw(s->w.db, tx, weft_slice_of(text), NULL, 0, call);
}

static void start_verb(struct weft_tx *tx, void (*f)(struct weft_tx *, struct weft_call *),
                       struct weft_call *call) {
  weft_call_init(call, note_finished, NULL);
  f(tx, call);
}

static void answers(struct server *s) {
  while (weft_fake_open(s->fake)) continue;
  weft_fake_answer_all(s->fake);
}

/* What was answered since the last time. */
static bool answered(struct server *s, const char *want) {
  bool same = expect_str(s->log, want);
  s->log[0] = 0;
  return same;
}

static void drop(struct weft_call *call) { weft_call_reset(call); }

static void facts_of_order(void) {
  struct server s;
  struct weft_call a, b, c;
  describe("a transaction") {
    it("sends BEGIN together with the first statement") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      expect_int(s.fake->opening, 0);
      start(&s, tx, &a, "insert 1");
      expect(weft_tx_waiting(tx));
      weft_fake_open(s.fake);
      expect(!weft_tx_waiting(tx));
      expect_int(s.fake->submitted, 2);
      expect_int(s.fake->flushes, 1);
      answers(&s);
      expect(a.done);
      answered(&s, "begin immediate;insert 1");
      start_verb(tx, weft_tx_commit, &b);
      answers(&s);
      expect(b.done && b.error.kind == WEFT_OK);
      answered(&s, "COMMIT");
      weft_tx_free(tx);
      drop(&a);
      server_close(&s);
    }
    it("waits for the answer to BEGIN where the driver does not pipeline") {
      if (!server_open(&s, WEFT_DRIVER_CANCELS, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      weft_fake_open(s.fake);
      expect_int(s.fake->submitted, 1);
      weft_fake_answer(weft_fake_conn(s.fake, 0));
      expect_int(s.fake->submitted, 2);
      answers(&s);
      expect(a.done);
      weft_tx_free(tx);
      answers(&s);
      drop(&a);
      server_close(&s);
    }
    it("runs its statements one after another") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      start(&s, tx, &b, "insert 2");
      start_verb(tx, weft_tx_commit, &c);
      weft_fake_open(s.fake);
      expect_int(s.fake->submitted, 2);
      weft_fake_answer(weft_fake_conn(s.fake, 0));
      weft_fake_answer(weft_fake_conn(s.fake, 0));
      expect(a.done && !b.done);
      expect_int(s.fake->submitted, 3);
      answers(&s);
      expect(b.done && c.done && c.error.kind == WEFT_OK);
      answered(&s, "begin immediate;insert 1;insert 2;COMMIT");
      drop(&a);
      drop(&b);
      start(&s, tx, &a, "insert 3");
      expect(a.done && a.error.kind == WEFT_USAGE);
      expect_str(a.error.message, "the transaction has ended");
      weft_tx_free(tx);
      server_close(&s);
    }
    it("ends without any I/O when no statement ran") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      expect_int(verb(&s.w, tx, weft_tx_savepoint, NULL), WEFT_OK);
      expect_int(verb(&s.w, tx, weft_tx_release, NULL), WEFT_OK);
      expect_int(verb(&s.w, tx, weft_tx_commit, NULL), WEFT_OK);
      expect_int(s.fake->opening + s.fake->submitted, 0);
      weft_tx_free(tx);
      tx = begin(&s);
      expect_int(verb(&s.w, tx, weft_tx_rollback, NULL), WEFT_OK);
      expect_int(s.fake->opening + s.fake->submitted, 0);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("is rolled back in the background when it is let go") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      weft_tx_free(tx);
      answers(&s);
      expect_int(s.fake->rollbacks, 1);
      start(&s, NULL, &b, "select 2");
      answers(&s);
      expect(b.done && b.error.kind == WEFT_OK);
      expect_int(s.fake->opened, 1);
      drop(&a);
      drop(&b);
      server_close(&s);
    }
    it("lends the connection of a session and has it reset") {
      struct weft_tx_options o = {.session = true};
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = weft_tx_new(s.w.db, &o);
      start(&s, tx, &a, "set x = 1");
      start(&s, tx, &b, "select 1");
      answers(&s);
      expect(a.done && a.error.kind == WEFT_OK && b.done && b.error.kind == WEFT_OK);
      answered(&s, "set x = 1;select 1");
      expect_int(verb(&s.w, tx, weft_tx_savepoint, NULL), WEFT_USAGE);
      expect_int(verb(&s.w, tx, weft_tx_commit, NULL), WEFT_OK);
      expect_int(s.fake->resets, 1);
      weft_tx_free(tx);
      drop(&a);
      drop(&b);
      server_close(&s);
    }
  }
}

static void facts_of_failure(void) {
  struct server s;
  struct weft_call a, b, c;
  struct weft_error err;
  describe("a transaction that fails") {
    it("fails with BEGIN what came with it") {
      uint32_t caps[] = {PIPELINED, WEFT_DRIVER_CANCELS};
      for (int i = 0; i < 2; i++) {
        if (!server_open(&s, caps[i], NULL)) return;
        s.fails = "begin";
        s.kind = WEFT_LOCK_TIMEOUT;
        struct weft_tx *tx = begin(&s);
        start(&s, tx, &a, "insert 1");
        start(&s, tx, &b, "insert 2");
        answers(&s);
        expect(a.done && a.error.kind == WEFT_LOCK_TIMEOUT);
        expect_str(a.error.message, "it failed");
        expect(b.done && b.error.kind == WEFT_LOCK_TIMEOUT);
        expect_str(b.error.message, "the transaction already failed: lock_timeout");
        start_verb(tx, weft_tx_commit, &c);
        answers(&s);
        expect(c.done && c.error.kind == WEFT_LOCK_TIMEOUT);
        weft_tx_free(tx);
        server_close(&s);
      }
    }
    it("refuses statements until a savepoint is rolled back to") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      s.fails = "bad";
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      expect_int(verb(&s.w, tx, weft_tx_savepoint, NULL), WEFT_OK);
      expect_int(weft_tx_depth(tx), 2);
      start(&s, tx, &b, "insert bad");
      answers(&s);
      drop(&a);
      expect_int(b.error.kind, WEFT_UNIQUE);
      expect_int(weft_tx_doom(tx), WEFT_UNIQUE);
      start(&s, tx, &c, "insert 2");
      expect(c.done && c.error.kind == WEFT_UNIQUE);
      expect_str(c.error.message, "the transaction already failed: unique");
      start_verb(tx, weft_tx_rollback_to, &c);
      answers(&s);
      expect(c.done && c.error.kind == WEFT_OK);
      expect_int(weft_tx_doom(tx), WEFT_OK);
      expect_int(weft_tx_depth(tx), 1);
      start(&s, tx, &a, "insert 3");
      start_verb(tx, weft_tx_commit, &b);
      answers(&s);
      expect(a.error.kind == WEFT_OK && b.done && b.error.kind == WEFT_OK);
      answered(&s, "begin immediate;insert 1;SAVEPOINT weft_1;insert bad;ROLLBACK TO SAVEPOINT weft_1;"
                   "RELEASE SAVEPOINT weft_1;insert 3;COMMIT");
      drop(&a);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("rolls back instead of committing, and says why") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      s.fails = "bad";
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert bad");
      start_verb(tx, weft_tx_commit, &b);
      answers(&s);
      expect(b.done && b.error.kind == WEFT_UNIQUE && !b.error.outcome_unknown);
      expect_str(b.error.message, "the transaction already failed: unique");
      answered(&s, "begin immediate;insert bad;ROLLBACK");
      weft_tx_free(tx);
      server_close(&s);
    }
    it("rolls a savepoint back instead of releasing it") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      s.fails = "bad";
      struct weft_tx *tx = begin(&s);
      expect_int(verb(&s.w, tx, weft_tx_savepoint, NULL), WEFT_OK);
      start(&s, tx, &a, "insert bad");
      start_verb(tx, weft_tx_release, &b);
      answers(&s);
      expect(b.done && b.error.kind == WEFT_UNIQUE);
      expect_int(weft_tx_doom(tx), WEFT_OK);
      start(&s, tx, &a, "insert 2");
      start_verb(tx, weft_tx_commit, &b);
      answers(&s);
      expect(a.error.kind == WEFT_OK && b.error.kind == WEFT_OK);
      drop(&a);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("is sound after a failed statement where the database says so") {
      if (!server_open(&s, WEFT_DRIVER_CANCELS, NULL)) return;
      s.fails = "bad";
      s.forgiving = true;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert bad");
      answers(&s);
      expect_int(a.error.kind, WEFT_UNIQUE);
      expect_int(weft_tx_doom(tx), WEFT_OK);
      start_verb(tx, weft_tx_commit, &b);
      answers(&s);
      expect_int(b.error.kind, WEFT_OK);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("sends savepoints only in front of statements") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      for (int i = 0; i < 3; i++) expect_int(verb(&s.w, tx, weft_tx_savepoint, NULL), WEFT_OK);
      expect_int(verb(&s.w, tx, weft_tx_rollback_to, NULL), WEFT_OK);
      expect_int(weft_tx_depth(tx), 3);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      answered(&s, "begin immediate;SAVEPOINT weft_1;SAVEPOINT weft_2;insert 1");
      start_verb(tx, weft_tx_release, &b);
      answers(&s);
      start_verb(tx, weft_tx_rollback_to, &c);
      answers(&s);
      answered(&s, "RELEASE SAVEPOINT weft_2;ROLLBACK TO SAVEPOINT weft_1;RELEASE SAVEPOINT weft_1");
      expect_int(weft_tx_depth(tx), 1);
      expect_int(verb(&s.w, tx, weft_tx_release, &err), WEFT_USAGE);
      weft_tx_free(tx);
      answers(&s);
      drop(&a);
      server_close(&s);
    }
  }
}

static void facts_of_loss(void) {
  struct server s;
  struct weft_call a, b, c;
  describe("a transaction whose connection is lost") {
    it("fails what was in flight and everything later") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      start(&s, tx, &b, "insert 2");
      weft_fake_open(s.fake);
      weft_fake_lose(weft_fake_conn(s.fake, 0));
      expect(a.done && a.error.kind == WEFT_DISCONNECT && !a.error.outcome_unknown);
      expect(b.done && b.error.kind == WEFT_DISCONNECT);
      expect_int(weft_tx_doom(tx), WEFT_DISCONNECT);
      start(&s, tx, &c, "insert 3");
      expect(c.done && c.error.kind == WEFT_DISCONNECT);
      expect(strstr(c.error.message, "the transaction was lost: ") == c.error.message);
      start_verb(tx, weft_tx_rollback_to, &c);
      expect_int(c.error.kind, WEFT_USAGE);
      start_verb(tx, weft_tx_commit, &c);
      expect(c.done && c.error.kind == WEFT_DISCONNECT && !c.error.outcome_unknown);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("is doomed while nothing runs, too") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      weft_fake_lose(weft_fake_conn(s.fake, 0));
      expect_int(weft_tx_doom(tx), WEFT_DISCONNECT);
      start_verb(tx, weft_tx_rollback, &b);
      expect(b.done && b.error.kind == WEFT_OK);
      weft_tx_free(tx);
      drop(&a);
      server_close(&s);
    }
    it("does not know the outcome of a COMMIT in flight") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      start_verb(tx, weft_tx_commit, &b);
      weft_fake_lose(weft_fake_conn(s.fake, 0));
      expect(b.done && b.error.kind == WEFT_DISCONNECT && b.error.outcome_unknown);
      expect(!b.error.retryable);
      weft_tx_free(tx);
      drop(&a);
      server_close(&s);
    }
    it("ends well when only the rollback was lost") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      start_verb(tx, weft_tx_rollback, &b);
      weft_fake_lose(weft_fake_conn(s.fake, 0));
      expect(b.done && b.error.kind == WEFT_OK);
      weft_tx_free(tx);
      drop(&a);
      server_close(&s);
    }
    it("fails when the database is closed under it") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      start(&s, tx, &b, "insert 2");
      start(&s, tx, &c, "insert 3");
      weft_db_close(s.w.db, 0);
      expect(b.done && b.error.kind != WEFT_OK);
      expect(c.done && c.error.kind != WEFT_OK);
      start_verb(tx, weft_tx_commit, &b);
      expect(b.done && b.error.kind != WEFT_OK);
      weft_tx_free(tx);
      drop(&a);
      server_close(&s);
    }
    it("outlives its context") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      drop(&a);
      weft_context_free(s.w.context);
      expect_int(weft_tx_doom(tx) != WEFT_OK, 1);
      weft_call_init(&b, note_finished, NULL);
      b.deadline = 1;
      weft_tx_commit(tx, &b);
      expect(b.done && b.error.kind != WEFT_OK);
      weft_tx_free(tx);
      weft_fake_free(s.fake);
    }
    it("gets no connection in time") {
      struct weft_db_options o = {.pool = {.max = 1, .wait_ns = 20000000}};
      if (!server_open(&s, PIPELINED, &o)) return;
      struct weft_tx *tx = begin(&s), *tx2 = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      start(&s, tx2, &b, "insert 2");
      start(&s, tx2, &c, "insert 3");
      expect(weft_tx_waiting(tx2));
      wait_for(&s.w, &c);
      expect_int(b.error.kind, WEFT_POOL_TIMEOUT);
      expect_int(c.error.kind, WEFT_POOL_TIMEOUT);
      expect(!weft_tx_waiting(tx2));
      weft_tx_free(tx2);
      weft_tx_free(tx);
      answers(&s);
      drop(&a);
      server_close(&s);
    }
  }
}

static void facts_of_giving_up(void) {
  struct server s;
  struct weft_call a, b, c;
  describe("giving up inside a transaction") {
    it("takes a call out of the queue, or stops it at the server") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      start(&s, tx, &b, "insert 2");
      weft_fake_open(s.fake);
      weft_call_abort(&b, WEFT_CANCELLED);
      expect(b.done && b.error.kind == WEFT_CANCELLED);
      weft_call_abort(&a, WEFT_TIMEOUT);
      expect(!a.done);
      expect_int(s.fake->cancels, 1);
      answers(&s);
      expect(a.done && a.error.kind == WEFT_TIMEOUT);
      start_verb(tx, weft_tx_rollback, &c);
      answers(&s);
      expect(c.done && c.error.kind == WEFT_OK);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("lets the transaction go on when a call gave up waiting for the connection") {
      struct weft_db_options o = {.pool = {.max = 1}};
      if (!server_open(&s, PIPELINED, &o)) return;
      struct weft_tx *tx = begin(&s), *tx2 = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      weft_call_init(&b, note_finished, NULL);
      b.deadline = weft_loop_now(s.w.loop) + 5000000;
      weft_db_raw(s.w.db, tx2, WEFT_LIT("insert 2"), NULL, 0, &b);
      expect(weft_call_waits_for(&b, tx));
      expect(!weft_call_waits_for(&b, tx2));
      wait_for(&s.w, &b);
      expect_int(b.error.kind, WEFT_TIMEOUT);
      start(&s, tx2, &c, "insert 3");
      weft_tx_free(tx);
      answers(&s);
      expect(c.done && c.error.kind == WEFT_OK);
      weft_tx_free(tx2);
      answers(&s);
      drop(&a);
      drop(&c);
      server_close(&s);
    }
    it("drops what waits when the transaction rolls back") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      struct weft_call d;
      start(&s, tx, &a, "insert 1");
      start(&s, tx, &b, "insert 2");
      start(&s, tx, &c, "insert 3");
      weft_fake_open(s.fake);
      start_verb(tx, weft_tx_rollback, &d);
      expect(b.done && b.error.kind == WEFT_CANCELLED && c.done && !a.done && !d.done);
      answers(&s);
      expect(a.done && a.error.kind == WEFT_CANCELLED && d.done && d.error.kind == WEFT_OK);
      expect(strstr(s.log, "insert 2") == NULL && strstr(s.log, "ROLLBACK") != NULL);
      weft_tx_free(tx);
      server_close(&s);
    }
    it("drops everything when it is let go") {
      if (!server_open(&s, PIPELINED, NULL)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      start(&s, tx, &b, "insert 2");
      weft_fake_open(s.fake);
      weft_tx_free(tx);
      expect(b.done && b.error.kind == WEFT_CANCELLED);
      answers(&s);
      expect(a.done && a.error.kind == WEFT_CANCELLED);
      answers(&s);
      expect_int(s.fake->rollbacks, 1);
      server_close(&s);
    }
    it("tells who waits for whom") {
      struct weft_db_options o = {.pool = {.max = 1}};
      if (!server_open(&s, PIPELINED, &o)) return;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      answers(&s);
      start(&s, NULL, &b, "select 1");
      expect(weft_call_waits_for(&b, tx));
      expect(!weft_call_waits_for(&a, tx));
      weft_tx_free(tx);
      answers(&s);
      expect(b.done && !weft_call_waits_for(&b, tx));
      drop(&a);
      drop(&b);
      server_close(&s);
    }
    it("tells who waits for the writer's place") {
      if (!server_open(&s, WEFT_DRIVER_ONE_WRITER, NULL)) return;
      s.fake->eager = true;
      struct weft_tx *tx = begin(&s);
      start(&s, tx, &a, "insert 1");
      expect(a.done);
      start(&s, NULL, &b, "update 2");
      start(&s, NULL, &c, "select 1");
      expect(!b.done && weft_call_waits_for(&b, tx));
      expect(c.done);
      expect_int(verb(&s.w, tx, weft_tx_commit, NULL), WEFT_OK);
      wait_for(&s.w, &b);
      expect_int(b.error.kind, WEFT_OK);
      weft_tx_free(tx);
      drop(&a);
      drop(&b);
      drop(&c);
      server_close(&s);
    }
  }
}

static void facts_of_sqlite(void) {
  struct world w;
  struct weft_tx_options o = {.isolation = WEFT_ISOLATION_DEFAULT};
  struct weft_error err;
  struct weft_call call;
  describe("a transaction of SQLite") {
    if (!world_file(&w, NULL) || !expect(script(&w, "create table t (x int unique)"))) return;
    it("commits and rolls back") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "insert into t values (1)"), WEFT_OK);
      expect_int(number_in(&w, NULL, "select count(*) from t"), 0);
      expect_int(verb(&w, tx, weft_tx_commit, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect_int(number_in(&w, NULL, "select count(*) from t"), 1);
      tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "insert into t values (2)"), WEFT_OK);
      expect_int(number_in(&w, tx, "select count(*) from t"), 2);
      expect_int(verb(&w, tx, weft_tx_rollback, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect_int(number_in(&w, NULL, "select count(*) from t"), 1);
    }
    it("goes on after a failed statement") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "insert into t values (3)"), WEFT_OK);
      expect_int(kind_in(&w, tx, "insert into t values (1)"), WEFT_UNIQUE);
      expect_int(weft_tx_doom(tx), WEFT_OK);
      expect_int(kind_in(&w, tx, "insert into t values (4)"), WEFT_OK);
      expect_int(verb(&w, tx, weft_tx_commit, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect_int(number_in(&w, NULL, "select count(*) from t"), 3);
    }
    it("is doomed when SQLite rolled it back by itself") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "insert into t values (5)"), WEFT_OK);
      expect_int(kind_in(&w, tx, "insert or rollback into t values (1)"), WEFT_UNIQUE);
      expect_int(weft_tx_doom(tx), WEFT_UNIQUE);
      expect_int(kind_in(&w, tx, "insert into t values (6)"), WEFT_UNIQUE);
      expect_int(verb(&w, tx, weft_tx_commit, &err), WEFT_UNIQUE);
      weft_tx_free(tx);
      expect_int(number_in(&w, NULL, "select count(*) from t"), 3);
    }
    it("keeps what a savepoint released and drops what one rolled back") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      verb(&w, tx, weft_tx_savepoint, NULL);
      expect_int(kind_in(&w, tx, "insert into t values (10)"), WEFT_OK);
      expect_int(verb(&w, tx, weft_tx_release, NULL), WEFT_OK);
      verb(&w, tx, weft_tx_savepoint, NULL);
      expect_int(kind_in(&w, tx, "insert into t values (11)"), WEFT_OK);
      verb(&w, tx, weft_tx_savepoint, NULL);
      expect_int(kind_in(&w, tx, "insert into t values (12)"), WEFT_OK);
      expect_int(verb(&w, tx, weft_tx_release, NULL), WEFT_OK);
      expect_int(verb(&w, tx, weft_tx_rollback_to, NULL), WEFT_OK);
      expect_int(kind_in(&w, tx, "insert into t values (13)"), WEFT_OK);
      expect_int(verb(&w, tx, weft_tx_commit, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect_int(number_in(&w, NULL, "select sum(x) from t where x >= 10"), 23);
    }
    it("refuses control statements") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "commit"), WEFT_USAGE);
      weft_tx_free(tx);
    }
    it("finds a table that it created itself, and forgets it when it is rolled back") {
      struct weft_db_options sole = {.pool = {.max = 1}};
      struct world m;
      if (!world_open(&m, "sqlite::memory:", &sole)) return;
      struct weft_relation *r = relation(m.db, "fresh");
      struct weft_query *q = weft_query_from(weft_relation_table(r));
      struct weft_tx *tx = weft_tx_new(m.db, &o);
      expect_int(kind_in(&m, tx, "create table fresh (id integer primary key)"), WEFT_OK);
      expect_int(kind_in(&m, tx, "insert into fresh values (7)"), WEFT_OK);
      weft_call_init(&call, note_finished, NULL);
      weft_db_query(r, tx, q, &call);
      wait_for(&m, &call);
      if (expect_int(call.error.kind, WEFT_OK)) expect_int(call.rows->nrows, 1);
      weft_call_reset(&call);
      expect(weft_relation_table(r)->known);
      expect_int(verb(&m, tx, weft_tx_rollback, NULL), WEFT_OK);
      weft_tx_free(tx);
      expect(!weft_relation_table(r)->known);
      weft_db_query(r, NULL, q, &call);
      wait_for(&m, &call);
      expect_int(call.error.kind, WEFT_SYNTAX);
      expect(strstr(call.error.message, "no table 'fresh' in ") != NULL);
      weft_query_unref(q);
      weft_context_free(m.context);
    }
    it("finds rows by key") {
      struct weft_tx *tx = weft_tx_new(w.db, &o);
      expect_int(kind_in(&w, tx, "create table keyed (id integer primary key, s text)"), WEFT_OK);
      expect_int(kind_in(&w, tx, "insert into keyed values (1, 'a'), (2, 'b')"), WEFT_OK);
      struct weft_relation *r = relation(w.db, "keyed");
      struct weft_query *base = weft_query_from(weft_relation_table(r));
      struct weft_value two = weft_int(2);
      weft_call_init(&call, note_finished, NULL);
      weft_db_find(r, tx, base, &two, 1, true, &call);
      wait_for(&w, &call);
      if (expect_int(call.error.kind, WEFT_OK)) expect_int(call.rows->nrows, 1);
      weft_call_reset(&call);
      weft_query_unref(base);
      expect_int(verb(&w, tx, weft_tx_commit, NULL), WEFT_OK);
      weft_tx_free(tx);
    }
    world_close(&w);
  }
}

int main(void) {
  facts_of_order();
  facts_of_failure();
  facts_of_loss();
  facts_of_giving_up();
  facts_of_sqlite();
  return spec_end();
}
