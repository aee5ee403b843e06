/* SPDX-License-Identifier: MIT */
/* Look-ups by key of tasks that run in the same turn. Tasks are deferred hooks of the loop here. */
#include "db_private.h"
#include "db_support.h"
#include "driver/fake.h"

enum { TASKS = 1300 };

struct task {
  struct weft_hook hook;
  struct weft_relation *relation;
  struct weft_query *base;
  struct weft_value key;
  bool batch;
  struct weft_call call;
};

static struct task tasks[TASKS];
static int tasks_left;
static bool all_done;

static void task_finished(struct weft_call *call) {
  (void)call;
  if (--tasks_left == 0) all_done = true;
}

static void run_task(struct weft_hook *hook) {
  struct task *t = WEFT_CONTAINER(hook, struct task, hook);
  weft_db_find(t->relation, NULL, t->base, &t->key, 1, t->batch, &t->call);
}

static void task_set(int i, struct weft_relation *r, struct weft_query *base, struct weft_value key) {
  struct task *t = &tasks[i];
  t->relation = r;
  t->base = base;
  t->key = key;
  t->batch = true;
  t->hook.run = run_task;
  weft_list_init(&t->hook.link);
  weft_call_init(&t->call, task_finished, t);
}

/* Lets the first n tasks run in one turn and waits for all. */
static bool run_tasks(struct world *w, int n) {
  tasks_left = n;
  all_done = false;
  for (int i = 0; i < n; i++) weft_loop_defer(w->loop, &tasks[i].hook);
  return expect(pump(w, &all_done));
}

static void drop_tasks(int n) {
  for (int i = 0; i < n; i++) weft_call_reset(&tasks[i].call);
}

static const struct weft_value *row_of(int i) {
  const struct weft_rows *rows = tasks[i].call.rows;
  return rows && rows->nrows == 1 ? weft_rows_row(rows, 0) : NULL;
}

static int statements(struct world *w, struct log *log, int n) {
  memset(log, 0, sizeof *log);
  weft_context_on_event(w->context, log_event, log);
  run_tasks(w, n);
  weft_context_on_event(w->context, NULL, NULL);
  return log->n;
}

static void learn(struct world *w, struct weft_relation *r) {
  struct weft_call call;
  weft_call_init(&call, note_finished, NULL);
  weft_db_discover(r, NULL, &call);
  wait_for(w, &call);
  expect_int(call.error.kind, WEFT_OK);
}

static void facts_of_merging(void) {
  struct world w;
  struct log log;
  struct weft_db_stats before, after;
  describe("look-ups by key in one turn") {
    if (!world_file(&w, NULL) ||
        !expect(script(&w, "create table t (id integer primary key, name text);"
                           "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)"
                           " insert into t select i, 'row ' || i from n;"
                           "create table loose (code text collate nocase primary key);"
                           "insert into loose values ('A'), ('B');"
                           "create table named (code text primary key, n int);"
                           "insert into named values ('a', 1), ('b', 2);")))
      return;
    struct weft_relation *r = relation(w.db, "t");
    learn(&w, r);
    struct weft_query *base = weft_query_from(weft_relation_table(r));
    it("become one statement, distinct keys once") {
      for (int i = 0; i < 16; i++) task_set(i, r, base, weft_int(i / 2 + 1));
      weft_db_stats(w.db, &before);
      expect_int(statements(&w, &log, 16), 1);
      weft_db_stats(w.db, &after);
      expect_int(after.batches - before.batches, 1);
      expect_int(after.batched - before.batched, 16);
      for (int i = 0; i < 16; i++)
        if (expect_int(tasks[i].call.error.kind, WEFT_OK) && expect(row_of(i)))
          expect_int(row_of(i)[0].u.i, i / 2 + 1);
      drop_tasks(16);
    }
    it("give each caller its own row or none") {
      for (int i = 0; i < 4; i++) task_set(i, r, base, weft_int(i % 2 ? 5000 + i : i + 1));
      expect_int(statements(&w, &log, 4), 1);
      for (int i = 0; i < 4; i++) {
        if (!expect(tasks[i].call.rows)) continue;
        expect_int(tasks[i].call.rows->nrows, i % 2 ? 0 : 1);
        expect_int(tasks[i].call.rows->ncols, 2);
      }
      /* A row outlives the others. */
      struct weft_rows *kept = weft_rows_ref(tasks[2].call.rows);
      drop_tasks(4);
      expect_mem(weft_rows_row(kept, 0)[1].u.s, weft_rows_row(kept, 0)[1].n, "row 3", 5);
      weft_rows_unref(kept);
    }
    it("travel 500 keys at a time") {
      for (int i = 0; i < TASKS; i++) task_set(i, r, base, weft_int(i + 1));
      expect_int(statements(&w, &log, TASKS), 3);
      int found = 0;
      for (int i = 0; i < TASKS; i++) found += row_of(i) && row_of(i)[0].u.i == i + 1;
      expect_int(found, 1000);
      drop_tasks(TASKS);
    }
    it("run alone when one key is all there is") {
      for (int i = 0; i < 3; i++) task_set(i, r, base, weft_int(7));
      expect_int(statements(&w, &log, 3), 1);
      expect(strstr(log.text, " in ") == NULL);
      for (int i = 0; i < 3; i++) expect(row_of(i) && row_of(i)[0].u.i == 7);
      drop_tasks(3);
    }
    it("do not wait for others when nobody else is runnable") {
      task_set(0, r, base, weft_int(7));
      weft_db_stats(w.db, &before);
      expect_int(statements(&w, &log, 1), 1);
      weft_db_stats(w.db, &after);
      expect_int(after.batched, before.batched);
      drop_tasks(1);
      task_set(0, r, base, weft_int(7));
      tasks_left = 2;
      run_task(&tasks[0].hook); /* on the main coroutine: no loop runs */
      expect(tasks[0].call.done);
      drop_tasks(1);
    }
    it("stay apart when batching is off") {
      struct weft_query *c = weft_query_begin(base, WEFT_C_NOTE);
      c->number = WEFT_NOTE_BATCH_OFF;
      struct weft_query *off = weft_query_end(c);
      for (int i = 0; i < 4; i++) task_set(i, r, off, weft_int(i + 1));
      expect_int(statements(&w, &log, 4), 4);
      drop_tasks(4);
      for (int i = 0; i < 4; i++) {
        task_set(i, r, base, weft_int(i + 1));
        tasks[i].batch = false;
      }
      expect_int(statements(&w, &log, 4), 4);
      drop_tasks(4);
      weft_query_unref(off);
    }
    it("fail alone when a key has the wrong type") {
      for (int i = 0; i < 4; i++) task_set(i, r, base, weft_int(i + 1));
      task_set(2, r, base, weft_text("two", 3));
      expect_int(statements(&w, &log, 4), 1);
      expect_int(tasks[2].call.error.kind, WEFT_TYPE);
      expect(row_of(0) && row_of(1) && row_of(3));
      drop_tasks(4);
    }
    it("merge keys that were given as text") {
      task_set(0, r, base, weft_int(2));
      task_set(1, r, base, weft_text("2", 1));
      task_set(2, r, base, weft_text("3", 1));
      expect_int(statements(&w, &log, 3), 1);
      expect(row_of(1) && row_of(1)[0].u.i == 2 && row_of(2) && row_of(2)[0].u.i == 3);
      drop_tasks(3);
    }
    it("merge text keys that compare by bytes, and no others") {
      struct weft_relation *named = relation(w.db, "named"), *loose = relation(w.db, "loose");
      learn(&w, named);
      learn(&w, loose);
      struct weft_query *n = weft_query_from(weft_relation_table(named));
      struct weft_query *l = weft_query_from(weft_relation_table(loose));
      task_set(0, named, n, weft_text("a", 1));
      task_set(1, named, n, weft_text("b", 1));
      expect_int(statements(&w, &log, 2), 1);
      expect(row_of(0) && row_of(0)[1].u.i == 1 && row_of(1) && row_of(1)[1].u.i == 2);
      drop_tasks(2);
      task_set(0, loose, l, weft_text("a", 1));
      task_set(1, loose, l, weft_text("b", 1));
      expect_int(statements(&w, &log, 2), 2);
      expect(row_of(0) && row_of(1));
      drop_tasks(2);
      weft_query_unref(n);
      weft_query_unref(l);
    }
    it("merge only with equal select lists that hold the key") {
      struct weft_query *bases[2];
      for (int i = 0; i < 2; i++) {
        struct weft_query *c = weft_query_begin(base, WEFT_C_SELECT);
        struct weft_item *items = weft_arena_alloc(&c->arena, 2 * sizeof *items);
        memset(items, 0, 2 * sizeof *items);
        items[0].expr = weft_expr_column(&c->arena, WEFT_LIT("name"));
        items[1].expr = weft_expr_column(&c->arena, WEFT_LIT("id"));
        c->items = items;
        c->nitems = i ? 2 : 1;
        bases[i] = weft_query_end(c);
      }
      for (int i = 0; i < 8; i++) task_set(i, r, bases[i % 2], weft_int(i + 1));
      expect_int(statements(&w, &log, 8), 5);
      for (int i = 0; i < 8; i++)
        if (expect(row_of(i))) {
          char want[16];
          snprintf(want, sizeof want, "row %d", i + 1);
          expect_mem(row_of(i)[0].u.s, row_of(i)[0].n, want, strlen(want));
        }
      drop_tasks(8);
      weft_query_unref(bases[0]);
      weft_query_unref(bases[1]);
    }
    it("wait for the columns first, then merge") {
      weft_db_forget_tables(w.db);
      for (int i = 0; i < 8; i++) task_set(i, r, base, weft_int(i + 1));
      expect(statements(&w, &log, 8) <= 9);
      for (int i = 0; i < 8; i++) expect(row_of(i) && row_of(i)[0].u.i == i + 1);
      drop_tasks(8);
    }
    weft_query_unref(base);
    world_close(&w);
  }
}

/* ---- a scripted server: failures and callers that leave ---- */

static struct {
  struct world w;
  struct weft_fake *fake;
  int singles, merged;
  enum weft_kind fails; /* merged statements */
} s;

static int answer(void *ud, const struct weft_op *op, struct weft_rows **out,
                  struct weft_error *err) {
  struct weft_column id = {.name = WEFT_LIT("id"), .type = WEFT_INT};
  (void)ud;
  if (!op->plan->table) {
    *out = catalog_rows("id");
    return 0;
  }
  bool many = op->params[0].type == WEFT_LIST;
  if (many) s.merged++;
  else s.singles++;
  if (many && s.fails) return weft_fail(err, s.fails, "the list is bad");
  struct weft_columns *columns = weft_columns_new(&id, 1);
  *out = weft_rows_new(columns, 1);
  weft_columns_unref(columns);
  uint32_t n = many ? op->params[0].u.array->n : 1;
  for (uint32_t i = n; i-- > 0;) /* not in the order of the keys */
    *weft_rows_add(*out) = many ? op->params[0].u.array->v[i] : op->params[0];
  return 0;
}

static struct weft_query *server_open(struct weft_relation **r) {
  struct weft_error err;
  memset(&s, 0, sizeof s);
  if (!expect(weft_context_new(NULL, &s.w.context, &err) == 0)) return NULL;
  s.w.loop = weft_context_loop(s.w.context);
  s.fake = weft_fake_new(s.w.loop, WEFT_DRIVER_PIPELINES | WEFT_DRIVER_CANCELS);
  s.fake->answer = answer;
  s.fake->eager = true;
  s.w.db = weft_db_new(s.w.context, WEFT_LIT("shop"), &s.fake->settings, NULL);
  *r = relation(s.w.db, "t");
  learn(&s.w, *r);
  return weft_query_from(weft_relation_table(*r));
}

static void server_close(struct weft_query *base) {
  weft_query_unref(base);
  world_close(&s.w);
  weft_fake_free(s.fake);
}

struct leaver {
  struct weft_hook hook;
  int n;
  enum weft_kind why;
};

static void leave(struct weft_hook *hook) {
  struct leaver *l = WEFT_CONTAINER(hook, struct leaver, hook);
  for (int i = 0; i < l->n; i++) weft_call_abort(&tasks[i].call, l->why);
}

static void close_db(struct weft_hook *hook) {
  (void)hook;
  weft_db_close(s.w.db, 0);
}

static void facts_of_failure(void) {
  struct weft_relation *r;
  describe("a merged look-up") {
    it("hands each key its row whatever the order of the answer") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      for (int i = 0; i < 9; i++) task_set(i, r, base, weft_int(100 - i));
      run_tasks(&s.w, 9);
      expect_int(s.merged, 1);
      for (int i = 0; i < 9; i++) expect(row_of(i) && row_of(i)[0].u.i == 100 - i);
      drop_tasks(9);
      server_close(base);
    }
    it("runs each key by itself when the statement failed") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      s.fails = WEFT_TYPE;
      for (int i = 0; i < 5; i++) task_set(i, r, base, weft_int(i));
      run_tasks(&s.w, 5);
      expect_int(s.merged, 1);
      expect_int(s.singles, 5);
      for (int i = 0; i < 5; i++) expect(row_of(i) && row_of(i)[0].u.i == i);
      drop_tasks(5);
      server_close(base);
    }
    it("fails everyone when the failure would be everyone's") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      s.fails = WEFT_TIMEOUT;
      for (int i = 0; i < 5; i++) task_set(i, r, base, weft_int(i));
      run_tasks(&s.w, 5);
      expect_int(s.singles, 0);
      for (int i = 0; i < 5; i++) expect_int(tasks[i].call.error.kind, WEFT_TIMEOUT);
      server_close(base);
    }
    it("goes on without a caller that gave up while it was held") {
      struct weft_query *base = server_open(&r);
      struct leaver leaver = {.hook = {.run = leave}, .n = 2, .why = WEFT_CANCELLED};
      if (!base) return;
      weft_list_init(&leaver.hook.link);
      for (int i = 0; i < 4; i++) task_set(i, r, base, weft_int(i));
      tasks_left = 4;
      all_done = false;
      for (int i = 0; i < 4; i++) weft_loop_defer(s.w.loop, &tasks[i].hook);
      weft_loop_defer(s.w.loop, &leaver.hook);
      pump(&s.w, &all_done);
      expect_int(tasks[0].call.error.kind, WEFT_CANCELLED);
      expect_int(tasks[1].call.error.kind, WEFT_CANCELLED);
      expect(row_of(2) && row_of(3));
      expect_int(s.merged, 1);
      drop_tasks(4);
      server_close(base);
    }
    it("sends nothing when everybody gave up") {
      struct weft_query *base = server_open(&r);
      struct leaver leaver = {.hook = {.run = leave}, .n = 3, .why = WEFT_CANCELLED};
      if (!base) return;
      weft_list_init(&leaver.hook.link);
      for (int i = 0; i < 3; i++) task_set(i, r, base, weft_int(i));
      tasks_left = 3;
      all_done = false;
      for (int i = 0; i < 3; i++) weft_loop_defer(s.w.loop, &tasks[i].hook);
      weft_loop_defer(s.w.loop, &leaver.hook);
      pump(&s.w, &all_done);
      expect_int(s.merged + s.singles, 0);
      server_close(base);
    }
    it("drops only the caller whose deadline passed in flight") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      s.fake->latency = 40000000;
      for (int i = 0; i < 4; i++) task_set(i, r, base, weft_int(i));
      tasks[1].call.deadline = weft_loop_now(s.w.loop) + 5000000;
      run_tasks(&s.w, 4);
      expect_int(tasks[1].call.error.kind, WEFT_TIMEOUT);
      expect(row_of(0) && row_of(2) && row_of(3));
      expect_int(s.merged, 1);
      expect_int(s.singles, 0);
      drop_tasks(4);
      server_close(base);
    }
    it("gives the statement up when all deadlines passed") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      s.fake->latency = 60000000;
      for (int i = 0; i < 3; i++) {
        task_set(i, r, base, weft_int(i));
        tasks[i].call.deadline = weft_loop_now(s.w.loop) + (i + 1) * 4000000;
      }
      run_tasks(&s.w, 3);
      for (int i = 0; i < 3; i++) expect_int(tasks[i].call.error.kind, WEFT_TIMEOUT);
      server_close(base);
    }
    it("fails with the database that is closed") {
      struct weft_query *base = server_open(&r);
      if (!base) return;
      s.fake->latency = 60000000;
      for (int i = 0; i < 3; i++) task_set(i, r, base, weft_int(i));
      tasks_left = 3;
      all_done = false;
      for (int i = 0; i < 3; i++) weft_loop_defer(s.w.loop, &tasks[i].hook);
      struct weft_hook closer = {.run = close_db};
      weft_list_init(&closer.link);
      weft_loop_defer(s.w.loop, &closer);
      pump(&s.w, &all_done);
      for (int i = 0; i < 3; i++) expect(tasks[i].call.error.kind != WEFT_OK);
      server_close(base);
    }
  }
}

int main(void) {
  facts_of_merging();
  facts_of_failure();
  return spec_end();
}
