/* SPDX-License-Identifier: MIT */
/* Calls that are in flight, on a loop of the host or of the program. See support.h. */
#include "support.h"

/* ---- callbacks ---- */

static void closes(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct answer *a = ud;
  note(ud, json, len, err);
  weft_host_close(a->host);
  a->result = (int)weft_host_call(a->host, "spec.echo", "1", 1, note, a);
}

static void frees(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct answer *a = ud;
  note(ud, json, len, err);
  a->result = weft_host_free(a->host);
}

static void waits(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct answer *a = ud;
  note(ud, json, len, err);
  expect(weft_host_call_wait(a->host, "spec.echo", "1", 1, NULL, &a->err) == NULL);
  expect_int(weft_host_load(a->host, "setup.lua", NULL), -1);
}

static void calls_again(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct answer *a = ud;
  (void)json, (void)len, (void)err;
  weft_host_call(a->host, "spec.echo", "\"again\"", 7, note, a);
}

static int from_c(lua_State *L) { /* a function of the program's own that tries to wait inside of a script */
  struct answer *a = lua_touserdata(L, lua_upvalueindex(1));
  expect(weft_host_call_wait(a->host, "spec.echo", "1", 1, NULL, &a->err) == NULL);
  expect_int(weft_host_free(a->host), -1);
  weft_host_call(a->host, "spec.echo", "\"inner\"", 7, note, a);
  lua_pushinteger(L, 42);
  return 1;
}

static void callback_facts(void) {
  weft_host *host = make(plain());
  struct answer a, b;
  it("comes later and once") {
    call(host, "spec.echo", "1", &a);
    call(host, "no.such", "1", &b);
    expect_int(a.times + b.times, 0);
    expect_int(weft_host_wait(host, NULL), 0);
    expect_int(a.times, 1);
    expect_int(b.times, 1);
    expect_str(b.err.kind, "usage");
  }
  it("may be left out") {
    expect(weft_host_call(host, "spec.echo", NULL, 0, NULL, NULL) != 0);
    expect_int(weft_host_wait(host, NULL), 0);
  }
  it("may call again") {
    memset(&a, 0, sizeof a);
    a.host = host;
    weft_host_call(host, "spec.echo", NULL, 0, calls_again, &a);
    weft_host_wait(host, NULL);
    expect_str(a.json, "\"again\"");
  }
  it("may not wait, nor free the host") {
    memset(&a, 0, sizeof a);
    a.host = host;
    weft_host_call(host, "spec.echo", NULL, 0, waits, &a);
    weft_host_wait(host, NULL);
    expect_str(a.err.kind, "usage");
    weft_host_call(host, "spec.echo", NULL, 0, frees, &a);
    weft_host_wait(host, NULL);
    expect_int(a.result, -1);
    expect_answer(host, "spec.echo", "1", "1");
  }
  it("is as true of the program's functions in scripts") {
    lua_State *L = weft_host_lua(host);
    memset(&a, 0, sizeof a);
    a.host = host;
    lua_pushlightuserdata(L, &a);
    lua_pushcclosure(L, from_c, 1);
    lua_setglobal(L, "from_c");
    expect_answer(host, "spec.c", NULL, "42");
    weft_host_wait(host, NULL);
    expect_str(a.json, "\"inner\"");
  }
  it("answers a thousand calls that are in flight together") {
    static struct answer many[1000];
    for (int i = 0; i < 1000; i++) call(host, "spec.sleep", "0.01", &many[i]);
    weft_host_wait(host, NULL);
    int good = 0;
    for (int i = 0; i < 1000; i++) good += many[i].times == 1 && strcmp(many[i].json, "0.01") == 0;
    expect_int(good, 1000);
  }
  it("may close the host: the others end with closed, and nothing begins any more") {
    memset(&a, 0, sizeof a);
    a.host = host;
    call(host, "spec.sleep", "1000", &b);
    weft_host_call(host, "spec.echo", NULL, 0, closes, &a);
    weft_host_wait(host, NULL);
    expect_int(a.result, 0);
    expect_int(a.times, 1);
    expect_str(b.err.kind, "closed");
    expect_kind(host, "spec.echo", "1", "closed");
  }
  weft_host_free(host);
}

/* ---- ends before the end ---- */

static void end_facts(void) {
  struct answer a, b, c;
  it("cancels what sleeps, what a database does, and what has not begun") {
    weft_host *host = make(plain());
    call(host, "spec.echo", "1", &c);
    weft_host_wait(host, NULL);
    uint64_t sleeping = call(host, "spec.sleep", "1000", &a), asking = call(host, "spec.server_sleep", "1000", &b);
    expect_answer(host, "spec.sleep", "0.05", "0.05");
    weft_host_cancel(host, sleeping);
    weft_host_cancel(host, asking);
    weft_host_cancel(host, call(host, "spec.echo", "1", &c));
    weft_host_cancel(host, 999999);
    weft_host_wait(host, NULL);
    weft_host_cancel(host, sleeping);
    expect_str(a.err.kind, "cancelled");
    expect_str(b.err.kind, "cancelled");
    expect_str(c.err.kind, "cancelled");
    weft_host_free(host);
  }
  it("ends calls that take too long with timeout") {
    struct weft_host_options o = plain();
    o.timeout = 0.3;
    weft_host *host = make(o);
    expect_kind(host, "spec.sleep", "1000", "timeout");
    expect_kind(host, "spec.server_sleep", "1000", "timeout");
    expect_answer(host, "spec.sleep", "0.001", "0.001");
    struct weft_host_call_options longer = {.size = sizeof longer, .timeout = 100};
    memset(&a, 0, sizeof a);
    weft_host_call_with(host, &longer, "spec.sleep", "0.1", 3, note, &a);
    weft_host_wait(host, NULL);
    expect_str(a.json, "0.1");
    weft_host_free(host);
  }
  it("is freed in the middle of calls, which end with closed") {
    weft_host *host = make(plain());
    ask(host, "spec.notes", NULL);
    call(host, "spec.server_sleep", "1000", &a);
    call(host, "spec.write_and_wait", NULL, &b);
    call(host, "spec.swallow", NULL, &c);
    expect_answer(host, "spec.sleep", "0.05", "0.05");
    struct answer late;
    call(host, "spec.echo", "1", &late);
    expect_int(weft_host_free(host), 0);
    expect_int(a.times + b.times + c.times + late.times, 4);
    expect_str(a.err.kind, "closed");
    expect_str(b.err.kind, "closed");
    expect_str(c.err.kind, "closed");
    expect_str(late.err.kind, "closed");
    host = make(plain());
    expect_answer(host, "spec.count", NULL, "0"); /* the transaction was rolled back */
    weft_host_free(host);
  }
  it("is freed in the middle of a statement that a thread is busy with") {
    weft_host *host = make(plain());
    call(host, "spec.long", NULL, &a);
    expect_answer(host, "spec.sleep", "0.02", "0.02");
    expect_int(weft_host_free(host), 0);
    expect_int(a.times, 1);
  }
}

/* ---- a loop of one's own ---- */

static void ticks_during(const char *service, const char *input) {
  uv_loop_t loop;
  struct clock clock;
  struct answer a;
  struct weft_host_options o = plain();
  o.loop = &loop;
  uv_loop_init(&loop);
  weft_host *host = make(o);
  call(host, service, input, &a);
  start_clock(&loop, &clock, &a);
  expect_int(uv_run(&loop, UV_RUN_DEFAULT), 0);
  expect_int(a.times, 1);
  if (!expect_str(a.err.kind, "")) printf("  %s\n", a.err.message);
  if (!expect(clock.ticks >= 3)) printf("  %s: %d ticks\n", service, clock.ticks);
  expect_int(weft_host_free(host), 0);
  expect_int(uv_loop_close(&loop), 0);
}

static void loop_facts(void) {
  it("ticks while a service waits for a database") {
    ticks_during("spec.server_sleep", "0.2");
    ticks_during("spec.long", NULL);
    ticks_during("spec.sleep", "0.1");
  }
  it("ends by itself when no call is in flight, and its other handles go on in call_wait") {
    uv_loop_t loop;
    struct clock clock;
    struct answer a;
    struct weft_host_options o = plain();
    o.loop = &loop;
    uv_loop_init(&loop);
    weft_host *host = make(o);
    call(host, "spec.server_sleep", "0.01", &a);
    expect_int(uv_run(&loop, UV_RUN_DEFAULT), 0); /* the connection is open and does not hold it */
    expect_int(a.times, 1);
    expect_int(uv_run(&loop, UV_RUN_DEFAULT), 0);
    start_clock(&loop, &clock, NULL);
    expect_answer(host, "spec.sleep", "0.1", "0.1");
    expect(clock.ticks >= 3);
    clock.until = &a;
    uv_run(&loop, UV_RUN_DEFAULT);
    weft_host_free(host);
    expect_int(uv_loop_close(&loop), 0);
  }
  it("returns soon after a callback of its own has closed the host") {
    uv_loop_t loop;
    struct clock clock;
    struct answer a, b;
    struct weft_host_options o = plain();
    o.loop = &loop;
    uv_loop_init(&loop);
    weft_host *host = make(o);
    call(host, "spec.sleep", "1000", &a);
    call(host, "spec.server_sleep", "1000", &b);
    start_clock(&loop, &clock, &b);
    clock.close = host;
    expect_int(uv_run(&loop, UV_RUN_DEFAULT), 0);
    expect_str(a.err.kind, "closed");
    expect_str(b.err.kind, "closed");
    weft_host_free(host);
    expect_int(uv_loop_close(&loop), 0);
  }
  it("is shared by two hosts") {
    uv_loop_t loop;
    struct answer a, b;
    struct weft_host_options o = plain();
    o.loop = &loop;
    uv_loop_init(&loop);
    weft_host *one = make(o), *two = make(o);
    call(one, "spec.sleep", "0.02", &a);
    call(two, "spec.sleep", "0.01", &b);
    weft_host_free(two);
    uv_run(&loop, UV_RUN_DEFAULT);
    expect_str(a.json, "0.02");
    expect_str(b.err.kind, "closed");
    weft_host_free(one);
    expect_int(uv_loop_close(&loop), 0);
  }
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  describe("a callback") callback_facts();
  describe("a call") end_facts();
  describe("a loop") loop_facts();
  return spec_end();
}
