/* SPDX-License-Identifier: MIT */
/* A C program whose business is in Lua scripts (app/services) over a database (app/weft.lua). It asks them twice: as a
   program that blocks, and as one that has an event loop with other things to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>
#include <weft.h>

static void print_log(void *ud, const char *level, const char *line) {
  (void)level;
  fprintf(ud, "%s\n", line);
}

static void show(const char *service, const char *json, const struct weft_host_error *err) {
  if (json) printf("%-15s %s\n", service, json);
  else printf("%-15s %s: %s\n", service, err->kind, err->message);
}

/* A host with at most 8 MiB of Lua, its tables made. loop: NULL for one of its own. */
static weft_host *open_warehouse(uv_loop_t *loop) {
  struct weft_host_error err;
  struct weft_host_options options = {.size = sizeof options,
                                      .error = &err,
                                      .folder = "app",
                                      .loop = loop,
                                      .memory = 8 << 20,
                                      .timeout = 5,
                                      .log = print_log,
                                      .log_ud = stderr};
  weft_host *host = weft_host_new(&options);
  if (host && weft_host_load(host, "setup.lua", &err) == 0 && weft_host_load(host, "services/stock.lua", &err) == 0)
    return host;
  show("cannot start:", NULL, &err);
  exit(1);
}

/* ---- a program that blocks ---- */

static void ask(weft_host *host, const char *service, const char *input) {
  struct weft_host_error err;
  char *json = weft_host_call_wait(host, service, input, strlen(input), NULL, &err);
  show(service, json, &err);
  free(json);
}

static void blocking(void) {
  weft_host *host = open_warehouse(NULL);
  ask(host, "stock.list", "{}");
  ask(host, "stock.take", "{\"sku\":\"LAMP\",\"n\":2}");
  ask(host, "stock.take", "{\"sku\":\"DESK\",\"n\":2}");
  ask(host, "stock.forecast", "{}"); /* fails alone: */
  ask(host, "stock.list", "{}");
  weft_host_free(host);
}

/* ---- a program with a loop ---- */

struct program {
  uv_loop_t loop;
  uv_timer_t clock;
  int ticks, calls;
};

static void tick(uv_timer_t *clock) {
  struct program *p = clock->data;
  p->ticks++;
  if (p->calls == 0) uv_close((uv_handle_t *)clock, NULL); /* then uv_run has nothing left to do */
}

struct question {
  struct program *program;
  const char *service;
};

static void answered(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct question *q = ud;
  (void)len;
  show(q->service, json, err);
  q->program->calls--;
}

static void on_a_loop(void) {
  struct program p = {.calls = 3};
  struct question questions[3] = {{&p, "stock.count"}, {&p, "stock.list"}, {&p, "stock.lend"}};
  uv_loop_init(&p.loop);
  weft_host *host = open_warehouse(&p.loop);
  uv_timer_init(&p.loop, &p.clock);
  p.clock.data = &p;
  uv_timer_start(&p.clock, tick, 0, 5);
  for (int i = 0; i < 3; i++) weft_host_call(host, questions[i].service, NULL, 0, answered, &questions[i]);
  uv_run(&p.loop, UV_RUN_DEFAULT);
  printf("the clock %s meanwhile\n", p.ticks > 5 ? "ticked" : "stood still");
  weft_host_free(host);
  uv_loop_close(&p.loop);
}

int main(void) {
  blocking();
  on_a_loop();
  return 0;
}
