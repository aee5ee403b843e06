/* SPDX-License-Identifier: MIT */
/* What a host is like: JSON, errors, its life, its memory, its log. See support.h. */
#include "support.h"

/* ---- JSON in, JSON out ---- */

static void json_facts(void) {
  weft_host *host = make(plain());
  it("gives what it is given, exactly") {
    static const char *const texts[] = {"null", "true", "9007199254740993", "-9223372036854775808", "1.5", "\"\xc3\xa4 \\u0000\"",
                                        "[]", "{}", "[1,null,[]]", "{\"a\":{\"b\":[1.25]},\"n\":null}",
                                        "12345678901234567890.123456789"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_answer(host, "spec.echo", texts[i], texts[i]);
  }
  it("takes no text for nil and gives null for nothing") {
    expect_answer(host, "spec.echo", NULL, "null");
    expect_answer(host, "spec.nothing", "{}", "null");
    expect_answer(host, "whole", "7", "{\"whole\":7}");
  }
  it("hands a context over") {
    struct answer a = {0};
    struct weft_host_call_options o = {.size = sizeof o, .context = "{\"user\":7}", .context_len = 10};
    weft_host_call_with(host, &o, "spec.context", NULL, 0, note, &a);
    weft_host_wait(host, NULL);
    expect_str(a.json, "{\"user\":7}");
    expect_answer(host, "spec.context", NULL, "{\"service\":\"spec.context\"}");
  }
  it("writes a query's rows") {
    expect_int(weft_host_load(host, "setup.lua", NULL), 0);
    expect_answer(host, "spec.rows", NULL,
                  "[{\"thing_id\":1,\"name\":\"one\",\"price\":1.10},{\"thing_id\":2,\"name\":\"two\",\"price\":null}]");
  }
  it("lets scripts require what lies in the folder") expect_answer(host, "spec.helped", NULL, "\"helped\"");
  weft_host_free(host);
}

/* ---- errors ---- */

static const struct {
  const char *service, *input, *kind, *message;
} wrong[] = {
    {"spec.echo", "{", "type", "invalid JSON at offset 1"},
    {"spec.echo", "", "type", "invalid JSON"},
    {"spec.echo", "\"\xff\"", "type", "invalid JSON"},
    {"spec.ecko", "1", "usage", "did you mean 'spec.echo'?"},
    {"spek.echo", "1", "usage", "did you mean 'spec'?"},
    {"spec", "1", "usage", "is a table of services"},
    {"../spec", "1", "usage", "word of letters"},
    {"", "1", "usage", "called by their names"},
    {"spec.boom", NULL, "internal", "spec.lua"},
    {"spec.throws_nil", NULL, "internal", "nil"},
    {"spec.throws_table", NULL, "internal", "table"},
    {"spec.absent", NULL, "not_found", "no such thing"},
    {"spec.no_json", NULL, "usage", "a function has no JSON form"},
    {"spec.no_text", NULL, "type", "UTF-8"},
    {"spec.deep", NULL, "internal", "stack overflow"},
};

static void error_facts(void) {
  weft_host *host = make(plain());
  it("says what is wrong with a call, and goes on") {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
      struct answer a = ask(host, wrong[i].service, wrong[i].input);
      if (!expect_str(a.err.kind, wrong[i].kind) || !expect(strstr(a.err.message, wrong[i].message) != NULL))
        printf("  %s: %s\n", wrong[i].service, a.err.message);
    }
    expect_answer(host, "spec.echo", "1", "1");
  }
  it("tells what the database told") {
    expect_int(weft_host_load(host, "setup.lua", NULL), 0);
    struct answer a = ask(host, "spec.twice", NULL);
    expect_str(a.err.kind, "unique");
    expect_str(a.err.database, "memory");
    expect(a.err.code[0] != 0);
    expect(strstr(a.err.message, "'one'") == NULL);
    expect(!a.err.retryable && !a.err.outcome_unknown);
  }
  it("cuts a long message between characters") {
    struct answer a = ask(host, "spec.throws_long", NULL);
    expect_int(strlen(a.err.message) % 2, 0);
    expect(strlen(a.err.message) > 400);
  }
  weft_host_free(host);
}

/* ---- making a host ---- */

static void refuses(struct weft_host_options o, const char *kind, const char *message) {
  struct weft_host_error err = {.kind = ""};
  o.error = &err;
  expect(weft_host_new(&o) == NULL);
  expect_str(err.kind, kind);
  if (!expect(strstr(err.message, message) != NULL)) printf("  %s\n", err.message);
}

static void life_facts(void) {
  it("says why a host cannot be made") {
    struct weft_host_options o = plain();
    o.folder = "/nonexistent";
    refuses(o, "internal", "there is no folder /nonexistent");
    o = plain();
    o.lua = "/nonexistent";
    refuses(o, "internal", "no Lua files of Weft in /nonexistent");
    o = plain();
    o.log = (void (*)(void *, const char *, const char *))abort;
    o.log_level = "loud";
    refuses(o, "usage", "unknown level 'loud'");
    o = plain();
    o.size = 0;
    refuses(o, "usage", "sizeof (struct weft_host_options)");
    o = plain();
    o.memory = 1000;
    refuses(o, "internal", "not enough memory");
  }
  it("takes an older program's options") {
    struct weft_host_options o = plain();
    o.size = offsetof(struct weft_host_options, log_level);
    o.log_level = (const char *)1;
    weft_host_free(make(o));
  }
  it("loads scripts, again when they have changed") {
    weft_host *host = make(plain());
    struct weft_host_error err;
    char path[600];
    snprintf(path, sizeof path, "%s/services/fresh.lua", folder);
    for (int i = 1; i <= 2; i++) {
      FILE *f = fopen(path, "w");
      fprintf(f, "return function() return %d end", i);
      fclose(f);
      expect_int(weft_host_load(host, i == 1 ? "services/fresh.lua" : path, &err), 0);
      expect_answer(host, "fresh", NULL, i == 1 ? "1" : "2");
    }
    remove(path);
    expect_int(weft_host_load(host, "services/fresh.lua", &err), -1);
    expect_str(err.kind, "usage");
    expect_int(weft_host_load(host, "services", &err), -1);
    expect_int(weft_host_load(host, "nothing.lua", NULL), -1);
    weft_host_free(host);
  }
  it("frees NULL") expect_int(weft_host_free(NULL), 0);
  it("tells its version") expect(strchr(weft_version(), '.') != NULL);
}

static void two_facts(void) {
  it("knows nothing of another host") {
    weft_host *a = make(plain()), *b = make(plain());
    expect_int(weft_host_load(a, "setup.lua", NULL), 0);
    expect_answer(a, "spec.keep", "\"a\"", "null");
    expect_answer(b, "spec.keep", "\"b\"", "null");
    expect_answer(a, "spec.kept", NULL, "\"a\"");
    expect_kind(b, "spec.rows", NULL, "usage"); /* its database in memory is another one */
    expect_int(weft_host_free(a), 0);
    expect_answer(b, "spec.kept", NULL, "\"b\"");
    weft_host_free(b);
  }
}

/* ---- memory ---- */

static void memory_facts(void) {
  it("fails the call that wants too much, and no other") {
    struct weft_host_options o = plain();
    o.memory = 3 << 20;
    weft_host *host = make(o);
    struct answer eats, sleeps;
    for (int i = 0; i < 5; i++) {
      call(host, "spec.sleep", "0.01", &sleeps);
      call(host, "spec.eat", NULL, &eats);
      weft_host_wait(host, NULL);
      expect_str(eats.err.kind, "internal");
      expect_str(eats.err.code, "memory");
      expect_str(sleeps.json, "0.01");
      expect(weft_host_memory(host) <= o.memory);
    }
    weft_host_free(host);
  }
  it("is rid of what such a call has left when the next one begins") {
    struct weft_host_options o = plain();
    o.memory = 8 << 20;
    weft_host *host = make(o);
    struct answer eats, makes;
    for (int i = 0; i < 3; i++) {
      call(host, "spec.fill", NULL, &eats);
      weft_host_wait(host, NULL);
      expect_str(eats.err.code, "memory");
      call(host, "spec.buffer", NULL, &makes); /* a text of its own, made in a buffer */
      weft_host_wait(host, NULL);
      expect_str(makes.json, "1000000");
    }
    weft_host_free(host);
  }
  it("ends every call while a script keeps all there is") {
    struct weft_host_options o = plain();
    o.memory = 2 << 20;
    weft_host *host = make(o);
    struct answer a;
    expect_kind(host, "spec.hoard", NULL, "internal");
    for (int i = 0; i < 200; i++) {
      call(host, i % 2 ? "spec.hoard" : "spec.echo", "[1]", &a);
      weft_host_wait(host, NULL);
      expect_int(a.times, 1);
    }
    weft_host_free(host);
  }
  it("never ends the process, whatever the limit") {
    int made = 0;
    for (size_t limit = 20000; limit < 700000; limit += 4999) {
      struct weft_host_error err = {.kind = ""};
      struct weft_host_options o = plain();
      o.memory = limit;
      o.error = &err;
      weft_host *host = weft_host_new(&o);
      if (!host) {
        if (!expect_str(err.code, "memory")) printf("  %s: %s\n", err.kind, err.message);
        continue;
      }
      made++;
      weft_host_load(host, "setup.lua", NULL);
      static const char *const services[] = {"spec.echo", "spec.rows", "spec.boom", "spec.eat", "spec.sleep"};
      for (int i = 0; i < 5; i++) {
        struct answer a;
        call(host, services[i], "0.0001", &a);
        weft_host_wait(host, NULL);
        expect_int(a.times, 1);
      }
      weft_host_free(host);
    }
    expect(made > 50);
  }
}

/* ---- the log ---- */

struct lines {
  int n;
  char all[20000];
};

static void write_line(void *ud, const char *level, const char *line) {
  struct lines *l = ud;
  size_t at = strlen(l->all);
  l->n++;
  snprintf(l->all + at, sizeof l->all - at, "%s %s\n", level, line);
}

static void log_facts(void) {
  struct lines lines = {0};
  struct weft_host_options o = plain();
  o.log = write_line;
  o.log_ud = &lines;
  weft_host *host = make(o);
  it("tells of mistakes in scripts, with their place") {
    ask(host, "spec.boom", NULL);
    expect_int(lines.n, 1);
    expect(strncmp(lines.all, "error {", 7) == 0);
    expect(strstr(lines.all, "\"service\":\"spec.boom\"") != NULL);
    expect(strstr(lines.all, "stack traceback") != NULL);
  }
  it("does not tell of what scripts say to their callers") {
    ask(host, "spec.absent", NULL);
    expect_int(lines.n, 1);
  }
  it("tells of warnings") {
    memset(&lines, 0, sizeof lines);
    ask(host, "spec.cries", NULL);
    expect_str(lines.all, "warn all is lost\n");
  }
  weft_host_free(host);
  it("tells of a full memory") {
    memset(&lines, 0, sizeof lines);
    o.memory = 3 << 20;
    host = make(o);
    ask(host, "spec.eat", NULL);
    expect(strstr(lines.all, "not enough memory") != NULL);
    weft_host_free(host);
  }
  it("tells of statements when it is asked to, without their values") {
    memset(&lines, 0, sizeof lines);
    o.log_level = "debug";
    host = make(o);
    ask(host, "spec.server_sleep", "0.0123");
    expect(strstr(lines.all, "debug {") != NULL && strstr(lines.all, "pg_sleep") != NULL);
    expect(strstr(lines.all, "0.0123") == NULL);
    weft_host_free(host);
  }
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  describe("a host's JSON") json_facts();
  describe("a host") error_facts();
  describe("a host") life_facts();
  describe("a host") two_facts();
  describe("the limit of memory") memory_facts();
  describe("the log") log_facts();
  return spec_end();
}
