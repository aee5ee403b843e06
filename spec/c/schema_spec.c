/* SPDX-License-Identifier: MIT */
/* Discovery against a scripted server: who waits for whom, and what happens when tables change. */
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"

static struct {
  struct world w;
  struct weft_fake *fake;
  int catalogs, statements;
  const char *column;         /* what the catalog says; NULL: no table */
  const char *only;           /* the only table there is */
  const char *listed;         /* what the list of tables says */
  enum weft_kind catalog_fails;
  const char *statement_fails; /* statements that contain it */
  const char *code;
} s;

static struct weft_rows *one_text(const char *text) {
  struct weft_column c = {.name = WEFT_LIT("name"), .type = WEFT_TEXT};
  struct weft_columns *columns = weft_columns_new(&c, 1);
  struct weft_rows *rows = weft_rows_new(columns, 1);
  weft_columns_unref(columns);
  *weft_rows_add(rows) = weft_text(text, strlen(text));
  return rows;
}

static int answer(void *ud, const struct weft_op *op, struct weft_rows **rows,
                  struct weft_error *err) {
  (void)ud;
  const char *sql = op->plan->sql.p;
  if (strcmp(sql, weft_dialect_sqlite.catalog) == 0) {
    s.catalogs++;
    if (s.catalog_fails) return weft_fail(err, s.catalog_fails, "no catalog today");
    struct weft_value name = op->params[1];
    bool there = s.column && (!s.only || (name.n == strlen(s.only) && !memcmp(name.u.s, s.only, name.n)));
    *rows = there ? catalog_rows(s.column) : weft_rows_new(NULL, 0);
    return 0;
  }
  if (strcmp(sql, weft_dialect_sqlite.tables) == 0) {
    *rows = one_text(s.listed ? s.listed : "other");
    return 0;
  }
  s.statements++;
  if (s.statement_fails && strstr(sql, s.statement_fails)) {
    weft_fail(err, WEFT_SYNTAX, "no such column");
    snprintf(err->code, sizeof err->code, "%s", s.code ? s.code : "");
    return -1;
  }
  return 0;
}

static struct weft_query *server_open(struct weft_relation **r, const struct weft_db_options *o) {
  struct weft_error err;
  memset(&s, 0, sizeof s);
  s.column = "id";
  if (!expect(weft_context_new(NULL, &s.w.context, &err) == 0)) return NULL;
  s.w.loop = weft_context_loop(s.w.context);
  s.fake = weft_fake_new(s.w.loop, WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS);
  s.fake->answer = answer;
  s.w.db = weft_db_new(s.w.context, WEFT_LIT("shop"), &s.fake->settings, o);
  *r = relation(s.w.db, "t");
  return weft_query_from(weft_relation_table(*r));
}

static void server_close(struct weft_query *q) {
  weft_query_unref(q);
  world_close(&s.w);
  weft_fake_free(s.fake);
}

static void answers(void) {
  while (weft_fake_open(s.fake)) continue;
  weft_fake_answer_all(s.fake);
}

static void start(struct weft_relation *r, struct weft_tx *tx, struct weft_query *q,
                  struct weft_call *call) {
  weft_call_init(call, note_finished, NULL);
  weft_db_query(r, tx, q, call);
}

static void facts_of_waiting(void) {
  struct weft_relation *r;
  struct weft_query *q;
  struct weft_call a, b, c;
  describe("discovery") {
    it("is shared by all who wait for it") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      start(r, NULL, q, &b);
      weft_call_init(&c, note_finished, NULL);
      weft_db_discover(r, NULL, &c);
      answers();
      expect(a.done && b.done && c.done);
      expect_int(a.error.kind + b.error.kind + c.error.kind, WEFT_OK);
      expect_int(s.catalogs, 1);
      expect_int(s.statements, 2);
      weft_call_reset(&a);
      weft_call_reset(&b);
      server_close(q);
    }
    it("fails all who wait for it, and is tried again") {
      if (!(q = server_open(&r, NULL))) return;
      s.catalog_fails = WEFT_DISCONNECT;
      start(r, NULL, q, &a);
      start(r, NULL, q, &b);
      answers();
      expect_int(a.error.kind, WEFT_DISCONNECT);
      expect_int(b.error.kind, WEFT_DISCONNECT);
      s.catalog_fails = WEFT_OK;
      start(r, NULL, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_OK);
      weft_call_reset(&a);
      server_close(q);
    }
    it("looks for the alternatives of a name in their order") {
      struct weft_slice names[] = {WEFT_LIT("tt"), WEFT_LIT("ttt")};
      struct weft_relation_options o = {.table = WEFT_LIT("x"), .alternatives = names, .nalternatives = 2};
      if (!(q = server_open(&r, NULL))) return;
      s.only = "ttt";
      struct weft_relation *x = weft_db_relation(s.w.db, &o);
      weft_call_init(&a, note_finished, NULL);
      weft_db_discover(x, NULL, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_OK);
      expect_int(s.catalogs, 3);
      expect_mem(weft_relation_table(x)->name.p, weft_relation_table(x)->name.n, "ttt", 3);
      s.only = "none";
      weft_db_forget_tables(s.w.db);
      weft_db_discover(x, NULL, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_USAGE);
      expect(strstr(a.error.message, "no table 'x'") != NULL);
      server_close(q);
    }
    it("finds the column that marks deleted rows, or blames the model") {
      struct weft_relation_options o = {.table = WEFT_LIT("t"), .soft = WEFT_LIT("id")};
      if (!(q = server_open(&r, NULL))) return;
      struct weft_relation *soft = weft_db_relation(s.w.db, &o);
      expect(soft != r && soft == weft_db_relation(s.w.db, &o));
      expect_int(weft_relation_table(soft)->soft, -1);
      weft_call_init(&a, note_finished, NULL);
      weft_db_discover(soft, NULL, &a);
      answers();
      expect_int(a.error.kind, WEFT_OK);
      expect_int(weft_relation_table(soft)->soft, 0);
      o.soft = WEFT_LIT("idd");
      weft_db_discover(weft_db_relation(s.w.db, &o), NULL, &a);
      answers();
      expect_int(a.error.kind, WEFT_USAGE);
      expect_str(a.error.message,
                 "unknown column 'idd' of t in the model's soft_delete; did you mean 'id'?");
      weft_db_discover(r, NULL, &a);
      answers();
      expect_int(weft_relation_table(r)->soft, -1);
      server_close(q);
    }
    it("goes on when who asked first gives up") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      start(r, NULL, q, &b);
      weft_call_abort(&a, WEFT_CANCELLED);
      expect(a.done && a.error.kind == WEFT_CANCELLED);
      answers();
      expect(b.done && b.error.kind == WEFT_OK);
      weft_call_reset(&b);
      server_close(q);
    }
    it("does not hold a call beyond its deadline") {
      if (!(q = server_open(&r, NULL))) return;
      weft_call_init(&a, note_finished, NULL);
      a.deadline = weft_loop_now(s.w.loop) + 3000000;
      weft_db_query(r, NULL, q, &a);
      wait_for(&s.w, &a);
      expect_int(a.error.kind, WEFT_TIMEOUT);
      expect(strstr(a.error.message, "columns of its table") != NULL);
      answers();
      server_close(q);
    }
    it("asks again when tables changed while it was under way") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      while (weft_fake_open(s.fake)) continue;
      weft_db_forget_tables(s.w.db);
      answers();
      expect(a.done && a.error.kind == WEFT_OK);
      expect_int(s.catalogs, 2);
      weft_call_reset(&a);
      server_close(q);
    }
    it("runs inside a transaction on its connection, even when another asks outside") {
      struct weft_db_options o = {.pool = {.max = 1}};
      struct weft_tx_options t = {.isolation = WEFT_ISOLATION_DEFAULT};
      if (!(q = server_open(&r, &o))) return;
      struct weft_tx *tx = weft_tx_new(s.w.db, &t);
      weft_call_init(&a, note_finished, NULL);
      weft_db_raw(s.w.db, tx, WEFT_LIT("insert 1"), NULL, 0, &a);
      answers();
      weft_call_reset(&a);
      start(r, NULL, q, &b); /* waits for the only connection */
      expect(weft_call_waits_for(&b, tx));
      start(r, tx, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_OK && !b.done);
      expect_int(s.catalogs, 1);
      weft_tx_free(tx);
      answers();
      expect(b.done && b.error.kind == WEFT_OK);
      weft_call_reset(&a);
      weft_call_reset(&b);
      server_close(q);
    }
    it("fails a statement of a transaction when there is no such table") {
      struct weft_tx_options t = {.isolation = WEFT_ISOLATION_DEFAULT};
      if (!(q = server_open(&r, NULL))) return;
      s.column = NULL;
      s.listed = "tt";
      struct weft_tx *tx = weft_tx_new(s.w.db, &t);
      start(r, tx, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_SYNTAX);
      expect_str(a.error.message, "no table 't' in fake://somewhere");
      weft_tx_free(tx);
      answers();
      server_close(q);
    }
    it("fails with the database that is closed") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      weft_db_close(s.w.db, 0);
      expect(a.done && a.error.kind == WEFT_CLOSED);
      server_close(q);
    }
  }
}

static void facts_of_change(void) {
  struct weft_relation *r;
  struct weft_query *q;
  struct weft_call a;
  struct weft_value one = weft_int(1);
  describe("a table that changed behind our back") {
    it("is looked up again, and the statement runs once more") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      answers();
      weft_call_reset(&a);
      s.statement_fails = "\"id\"";
      s.column = "code";
      start(r, NULL, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_OK);
      expect_int(s.catalogs, 2);
      expect_int(s.statements, 3);
      weft_call_reset(&a);
      server_close(q);
    }
    it("is looked up again after a failed look-up by key") {
      if (!(q = server_open(&r, NULL))) return;
      weft_call_init(&a, note_finished, NULL);
      weft_db_find(r, NULL, q, &one, 1, true, &a);
      answers();
      weft_call_reset(&a);
      s.statement_fails = "\"id\"";
      s.column = "code";
      weft_db_find(r, NULL, q, &one, 1, true, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_OK);
      weft_call_reset(&a);
      server_close(q);
    }
    it("fails with what was said at first when it is what it was") {
      if (!(q = server_open(&r, NULL))) return;
      s.statement_fails = "select";
      s.code = "42703";
      start(r, NULL, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_SYNTAX);
      expect_str(a.error.code, "42703");
      expect_int(s.catalogs, 2);
      expect_int(s.statements, 1);
      server_close(q);
    }
    it("is left alone inside a transaction") {
      struct weft_tx_options t = {.isolation = WEFT_ISOLATION_DEFAULT};
      if (!(q = server_open(&r, NULL))) return;
      s.statement_fails = "select";
      struct weft_tx *tx = weft_tx_new(s.w.db, &t);
      start(r, tx, q, &a);
      answers();
      expect(a.done && a.error.kind == WEFT_SYNTAX);
      expect_int(s.catalogs, 1);
      weft_tx_free(tx);
      answers();
      server_close(q);
    }
  }
}

static void facts_of_ddl(void) {
  static const struct { const char *text; bool ddl; } texts[] = {
      {"create table t (x)", true},     {"  ALTER table t add x", true},
      {"-- why\ndrop table t", true},   {"/* so */ /* so */drop view v", true},
      {"insert into t values (1)", false}, {"created", false}, {"", false},
      {"update t set x = 'create'", false}, {"/* create", false}};
  describe("DDL") {
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
      it(texts[i].text) expect_int(weft_schema_is_ddl(weft_slice_of(texts[i].text)), texts[i].ddl);
  }
}

static void facts_of_grace(void) {
  struct weft_relation *r;
  struct weft_query *q;
  struct weft_call a, b;
  describe("a database that is closed with grace") {
    it("lets calls and transactions end, and takes no new ones") {
      struct weft_tx_options t = {.isolation = WEFT_ISOLATION_DEFAULT};
      if (!(q = server_open(&r, NULL))) return;
      struct weft_tx *tx = weft_tx_new(s.w.db, &t);
      weft_call_init(&a, note_finished, NULL);
      weft_db_raw(s.w.db, tx, WEFT_LIT("insert 1"), NULL, 0, &a);
      answers();
      weft_call_reset(&a);
      start(r, NULL, q, &b);
      weft_db_ref(s.w.db);
      weft_db_close(s.w.db, 1000000000);
      start(r, NULL, q, &a);
      expect(a.done && a.error.kind == WEFT_CLOSED);
      answers();
      expect(b.done && b.error.kind == WEFT_OK);
      weft_call_reset(&b);
      weft_db_raw(s.w.db, tx, WEFT_LIT("insert 2"), NULL, 0, &b);
      answers();
      expect_int(b.error.kind, WEFT_OK);
      weft_call_reset(&b);
      weft_tx_commit(tx, &b);
      answers();
      expect(b.done && b.error.kind == WEFT_OK);
      turn(&s.w);
      expect_int(s.fake->open, 0);
      weft_tx_free(tx);
      weft_db_unref(s.w.db);
      server_close(q);
    }
    it("fails them when the grace has passed") {
      if (!(q = server_open(&r, NULL))) return;
      start(r, NULL, q, &a);
      while (weft_fake_open(s.fake)) continue;
      weft_db_close(s.w.db, 5000000);
      expect(!a.done);
      wait_for(&s.w, &a);
      expect(a.error.kind == WEFT_CLOSED || a.error.kind == WEFT_DISCONNECT);
      server_close(q);
    }
  }
}

int main(void) {
  facts_of_waiting();
  facts_of_change();
  facts_of_ddl();
  facts_of_grace();
  return spec_end();
}
