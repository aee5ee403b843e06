/* SPDX-License-Identifier: MIT */
/* Trees against two scripted servers: every statement that fails, and every moment to give up. */
#include "fetch_support.h"

/* With the n-th answer a failure; false: there were fewer. */
static bool fails_at(const struct way *way, const struct tree_case *c, int n) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return false;
  levels_of(&s, c, v);
  s.per = 2;
  s.fails_at = n;
  start_way(&s, &f, way, c->root, v);
  answer_all(&s);
  bool failed = f.error.kind != WEFT_OK;
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  expect(failed == (f.tree == NULL));
  if (failed) expect_int(f.error.kind, WEFT_CHECK);
  if (failed) expect_str(f.error.message, "it failed");
  bool more = s.answers >= n;
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
  return more;
}

static void facts_of_failure(void) {
  describe("a statement that fails") {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) it(cases[k].name) {
        for (int i = 0; i < WAYS; i++) {
          int n = 1;
          while (n < 100 && fails_at(&ways[i], &cases[k], n)) n++;
          expect(n > 6 && n < 40);
        }
      }
    it("is told with its level, the root's with none") {
      struct servers s;
      struct weft_fetch f;
      static const char *const fails[] = {"0:begin", "0:shops", "0:items", "1:parts"};
      for (int n = 0; n < 4; n++) {
        if (!servers_open(&s, PIPELINED, NULL)) return;
        struct weft_level *items = items_and_parts(&s, 0, 1);
        weft_fetch_init(&f, note_fetched, NULL);
        s.fails = fails[n];
        start_fetch(&f, s.db[0], "shops", &items, 1);
        answer_all(&s);
        expect(f.done && f.failed == (n < 2 ? NULL : n == 2 ? items : items->below[0]));
        expect_clean(&f);
        weft_level_unref(items);
        servers_close(&s);
      }
    }
    it("is told when it could not even be sent, together or by keys") {
      struct servers s;
      struct weft_fetch f;
      for (int together = 0; together < 2; together++) {
        if (!servers_open(&s, PIPELINED, NULL)) return;
        struct weft_level *v[2] = {LEVEL(.db = s.db[0], .name = "items", .table = "items", .parent = "shop_id",
                                         .asked = "shop_id", .direct = true, .wants = "no number"),
                                   LEVEL(.db = s.db[0], .name = "owner", .table = "owners", .one = true,
                                         .parent = "owner_id", .asked = "owner_id", .direct = true)};
        start_way(&s, &f, &ways[2 * together], 0, v);
        answer_all(&s);
        expect(f.done && f.failed == v[0]);
        expect_int(f.error.kind, WEFT_TYPE);
        expect_clean(&f);
        unref_levels(v);
        servers_close(&s);
      }
    }
    it("is not followed by others, and those under way are given up") {
      struct weft_db_options wide = {.pool = {.max = 64}};
      struct servers s;
      struct weft_fetch f;
      if (!servers_open(&s, ONE_BY_ONE, &wide)) return;
      s.roots = 40;
      s.fails_at = 2;
      struct weft_level *owner = LEVEL(.db = s.db[1], .name = "owner", .table = "owners", .one = true,
                                       .parent = "owner_id", .asked = "owner_id", .chunk = 2);
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &owner, 1);
      answer_all(&s);
      expect(f.done && f.error.kind == WEFT_CHECK && f.failed == owner);
      expect_int(s.fake[1]->submitted, 8);
      expect_int(s.fake[1]->cancels, 7);
      expect_clean(&f);
      weft_level_unref(owner);
      servers_close(&s);
    }
  }
}

/* ---- giving up ---- */

static struct weft_fetch *doomed;
static int events, abort_at;

static void abort_event(void *ud, enum weft_event what, const struct weft_event_info *info) {
  (void)ud, (void)what, (void)info;
  if (++events == abort_at) weft_fetch_abort(doomed, WEFT_CANCELLED);
}

/* Given up after n events or steps; false: it ended before. */
static bool aborts_at(const struct way *way, bool inside, const struct tree_case *c, int n) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return false;
  levels_of(&s, c, v);
  s.per = 2;
  doomed = &f;
  events = 0;
  abort_at = inside ? n : 0;
  if (inside) weft_context_on_event(s.w.context, abort_event, NULL);
  start_way(&s, &f, way, c->root, v);
  for (int i = 1; !inside && i < n && !f.done; i++)
    if (!answer_one(&s)) turn(&s.w);
  bool ended = f.done;
  if (!inside) weft_fetch_abort(&f, WEFT_TIMEOUT);
  answer_all(&s);
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  if (!inside && !ended) expect_int(f.error.kind, WEFT_TIMEOUT);
  if (f.error.kind) expect(f.tree == NULL);
  bool more = inside ? events >= n : !ended;
  weft_context_on_event(s.w.context, NULL, NULL);
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
  return more;
}

/* The connection of the first database goes away after n steps; given up at the event-th event, or not. */
static void loses_at(const struct way *way, int n, int event) {
  struct servers s;
  struct weft_fetch f;
  struct weft_level *v[2];
  if (!servers_open(&s, way->caps, NULL)) return;
  levels_of(&s, &cases[0], v);
  doomed = &f;
  abort_at = 0;
  weft_context_on_event(s.w.context, abort_event, NULL);
  start_way(&s, &f, way, 0, v);
  for (int i = 1; i < n && !f.done; i++)
    if (!answer_one(&s)) turn(&s.w);
  events = 0;
  abort_at = event;
  struct weft_conn *c = weft_fake_conn(s.fake[0], 0);
  if (c) weft_fake_lose(c);
  answer_all(&s);
  weft_context_on_event(s.w.context, NULL, NULL);
  answer_all(&s);
  expect(f.done && !f.running);
  expect_int(finished_fetches, 1);
  expect(f.error.kind ? f.tree == NULL : f.tree != NULL);
  struct weft_db_stats stats;
  weft_db_stats(s.db[0], &stats);
  expect_int(stats.pool.leased + stats.pool.inflight + stats.pool.waiting, 0);
  expect_clean(&f);
  unref_levels(v);
  servers_close(&s);
}

static void fired(void *ud) { *(bool *)ud = true; }

/* Time passes, and what is due by then happens. */
static void skip(struct world *w, int64_t ns) {
  bool done = false;
  struct weft_timer *t = weft_timer_new(w->loop, fired, &done);
  weft_timer_start(t, weft_loop_now(w->loop) + ns);
  weft_loop_skip(w->loop, ns);
  pump(w, &done);
  weft_timer_free(t);
}

static void facts_of_giving_up(void) {
  describe("a fetch that is given up") {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) it(cases[k].name) {
        for (int i = 0; i < WAYS; i++)
          for (int inside = 0; inside < 2; inside++) {
            int n = 1;
            while (n < 100 && aborts_at(&ways[i], inside, &cases[k], n)) n++;
            expect(n < 100);
          }
      }
    it("while its connection is lost") {
      for (int n = 1; n < 40; n++)
        for (int at = 0; at < 6; at++)
          for (int i = 0; i < WAYS; i++) loses_at(&ways[i], n, at);
    }
    it("says so once, also when it is given up again") {
      struct servers s;
      struct weft_fetch f;
      if (!servers_open(&s, ONE_BY_ONE, NULL)) return;
      struct weft_level *items = items_and_parts(&s, 0, 0);
      finished_fetches = 0;
      weft_fetch_init(&f, note_fetched, NULL);
      start_fetch(&f, s.db[0], "shops", &items, 1);
      weft_fetch_abort(&f, WEFT_CANCELLED);
      weft_fetch_abort(&f, WEFT_TIMEOUT);
      answer_all(&s);
      expect_int(finished_fetches, 1);
      expect_int(f.error.kind, WEFT_CANCELLED);
      weft_fetch_abort(&f, WEFT_TIMEOUT);
      expect_clean(&f);
      weft_level_unref(items);
      servers_close(&s);
    }
    it("times out at its deadline, whatever it waits for") {
      for (int n = 0; n < 9; n++) {
        struct servers s;
        struct weft_fetch f;
        struct weft_level *v[2];
        if (!servers_open(&s, n % 2 ? PIPELINED : ONE_BY_ONE, NULL)) return;
        levels_of(&s, &cases[1], v);
        weft_loop_skip(s.w.loop, 1);
        weft_fetch_init(&f, note_fetched, NULL);
        f.deadline = weft_loop_now(s.w.loop) + 1000000000;
        start_fetch(&f, s.db[0], "shops", v, 2);
        for (int i = 0; i < n; i++) answer_one(&s);
        bool ended = f.done;
        skip(&s.w, 2000000000);
        answer_all(&s);
        expect(f.done && !ended);
        expect_int(f.error.kind, WEFT_TIMEOUT);
        expect_clean(&f);
        unref_levels(v);
        servers_close(&s);
      }
    }
    it("ends with its context") {
      for (int n = 0; n < 12; n++) {
        struct servers s;
        struct weft_fetch f;
        struct weft_level *v[2];
        if (!servers_open(&s, n % 2 ? PIPELINED : ONE_BY_ONE, NULL)) return;
        levels_of(&s, &cases[n % 3], v);
        weft_fetch_init(&f, note_fetched, NULL);
        start_fetch(&f, s.db[0], "shops", v, 2);
        for (int i = 0; i < n; i++) answer_one(&s);
        unref_levels(v);
        bool ended = f.done;
        weft_context_free(s.w.context);
        expect(f.done && (ended || f.error.kind));
        expect_clean(&f);
        for (int i = 0; i < 2; i++) weft_fake_free(s.fake[i]);
      }
    }
  }
}

int main(void) {
  facts_of_failure();
  facts_of_giving_up();
  build_end();
  return spec_end();
}
