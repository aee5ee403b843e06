/* SPDX-License-Identifier: MIT */
/* What the programs of spec/embed share. PROGRAM FOLDER LUA: FOLDER is a copy of spec/embed/app, LUA what options.lua is,
   "" for NULL. */
#ifndef WEFT_SPEC_EMBED_H
#define WEFT_SPEC_EMBED_H

#include <pthread.h>
#include <uv.h>
#include <weft.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "../c/spec.h"

static const char *folder, *lua;

SPEC_UNUSED static struct weft_host_options plain(void) {
  return (struct weft_host_options){.size = sizeof(struct weft_host_options), .folder = folder, .lua = lua};
}

/* A host that must come to be. */
SPEC_UNUSED static weft_host *make(struct weft_host_options o) {
  struct weft_host_error err;
  o.error = &err;
  weft_host *host = weft_host_new(&o);
  if (!expect(host != NULL)) printf("%s: %s\n", err.kind, err.message), exit(1);
  return host;
}

/* What a call has come to: callbacks write it down. */
struct answer {
  int times;
  char json[4096];
  struct weft_host_error err;
  weft_host *host;  /* for callbacks that do something with it */
  int result;
};

SPEC_UNUSED static void note(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct answer *a = ud;
  a->times++;
  a->json[0] = a->err.kind[0] = 0;
  if (json) expect_int(strlen(json), len);
  if (json) snprintf(a->json, sizeof a->json, "%s", json);
  if (err) a->err = *err;
  expect((json == NULL) == (err != NULL));
}

SPEC_UNUSED static uint64_t call(weft_host *host, const char *service, const char *input, struct answer *a) {
  memset(a, 0, sizeof *a);
  a->host = host;
  return weft_host_call(host, service, input, input ? strlen(input) : 0, note, a);
}

SPEC_UNUSED static struct answer ask(weft_host *host, const char *service, const char *input) {
  struct answer a = {0};
  size_t len = 0;
  char *json = weft_host_call_wait(host, service, input, input ? strlen(input) : 0, &len, &a.err);
  if (json) expect_int(strlen(json), len);
  if (json) snprintf(a.json, sizeof a.json, "%s", json);
  free(json);
  return a;
}

#define expect_answer(host, service, input, want) expect_str(ask(host, service, input).json, want)
#define expect_kind(host, service, input, want) expect_str(ask(host, service, input).err.kind, want)

/* Something else that the loop has to do: it ticks until an answer is there, if one is given, else for ever. */
struct clock {
  uv_timer_t timer;
  int ticks;
  struct answer *until;
  weft_host *close;
};

SPEC_UNUSED static void tick(uv_timer_t *timer) {
  struct clock *c = timer->data;
  c->ticks++;
  if (c->close && c->ticks == 10) weft_host_close(c->close);
  if (c->until && c->until->times) uv_close((uv_handle_t *)timer, NULL);
}

SPEC_UNUSED static void start_clock(uv_loop_t *loop, struct clock *c, struct answer *until) {
  memset(c, 0, sizeof *c);
  uv_timer_init(loop, &c->timer);
  c->timer.data = c;
  c->until = until;
  uv_timer_start(&c->timer, tick, 1, 1);
}

SPEC_UNUSED static void arguments(int argc, char **argv) {
  folder = argc > 2 ? argv[1] : ".";
  lua = argc > 2 && *argv[2] ? argv[2] : NULL;
}

#endif
