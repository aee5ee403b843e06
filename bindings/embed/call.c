/* SPDX-License-Identifier: MIT */
/* Calls. Each is a task of a function of lua/weft/embedded.lua, which takes and gives JSON text, and is told of the
   task's end in C, where nothing needs memory of Lua: whatever happens to the script, its call ends, once.

   A call that could not even begin ends from the loop, too. */
#include <stdlib.h>

#include "weft_private.h"

struct call {
  struct weft_list link;  /* host->calls */
  struct weft_host *host;
  struct task *task;      /* NULL: there is none (any more) */
  struct weft_hook late;  /* the end of one that could not begin */
  uint64_t number;
  weft_host_callback *callback;
  void *ud;
  struct weft_host_error error; /* why it could not begin */
};

/* What is asked for, all of it borrowed. */
struct request {
  struct call *call;
  int function;            /* reference */
  struct weft_slice texts[3]; /* its arguments; without p: nil */
  double timeout;
};

/* ---- the end ---- */

static void finish(struct call *c, struct weft_slice json, const struct weft_host_error *err) {
  struct weft_host *host = c->host;
  weft_list_remove(&c->link);
  weft_list_remove(&c->late.link);
  if (c->callback) c->callback(c->ud, json.p, json.n, err);
  free(c);
  host->idle = weft_list_empty(&host->calls);
  weft_loop_release(host->loop);
}

static void finish_closed(struct call *c) {
  struct weft_host_error err;
  weft_embed_fail(&err, "closed", "the host is closed");
  finish(c, weft_slice(NULL, 0), &err);
}

static void on_end(struct task *t) {
  struct call *c = t->ud;
  struct weft_host_error err;
  struct weft_slice json = {NULL, 0};
  c->task = NULL;
  if (!t->failure) {
    json.p = lua_tolstring(t->co, -1, &json.n);
    finish(c, json, NULL);
  } else if (c->host->closed) {
    finish_closed(c);
  } else {
    weft_embed_read_error(c->host->L, t->co, &err);
    finish(c, json, &err);
  }
}

static void end_late(struct weft_hook *late) {
  struct call *c = WEFT_CONTAINER(late, struct call, late);
  finish(c, weft_slice(NULL, 0), &c->error);
}

/* ---- the beginning ---- */

static int64_t deadline(const struct weft_host *host, double seconds) {
  if (!(seconds > 0 && seconds < 1e9)) return 0;
  weft_loop_update_now(host->loop);
  return weft_loop_now(host->loop) + (int64_t)(seconds * 1e9);
}

static int start(lua_State *L) { /* a request */
  const struct request *r = lua_touserdata(L, 1);
  struct call *c = r->call;
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->host->spawn);
  lua_rawgeti(L, LUA_REGISTRYINDEX, r->function);
  for (int i = 0; i < 3; i++)
    if (r->texts[i].p) lua_pushlstring(L, r->texts[i].p, r->texts[i].n);
    else lua_pushnil(L);
  lua_call(L, 4, 1);
  struct task *t = lua_touserdata(L, -1);
  t->deadline = deadline(c->host, r->timeout);
  t->on_end = on_end;
  t->ud = c;
  c->task = t;
  return 0;
}

static uint64_t begin(struct weft_host *host, struct request *r, weft_host_callback *callback, void *ud) {
  struct call *c = weft_zalloc(sizeof *c);
  lua_State *L = host->L;
  weft_lua_relieve(L, &host->memory, host->limit, &host->kept);
  *c = (struct call){.host = host, .number = ++host->last, .callback = callback, .ud = ud};
  weft_list_init(&c->link);
  weft_list_init(&c->late.link);
  c->late.run = end_late;
  weft_list_push(&host->calls, &c->link);
  host->idle = false;
  weft_loop_hold(host->loop);
  r->call = c;
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, r);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    weft_embed_read_error(L, L, &c->error);
    lua_pop(L, 1);
    weft_loop_defer(host->loop, &c->late);
  }
  return c->number;
}

uint64_t weft_host_call_with(weft_host *host, const struct weft_host_call_options *options, const char *service,
                             const char *json, size_t len, weft_host_callback *callback, void *ud) {
  struct weft_host_call_options o = {0};
  if (host->closed) return 0;
  if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
  struct request r = {.function = host->call, .timeout = o.timeout > 0 ? o.timeout : host->timeout};
  r.texts[0] = weft_slice(service, strlen(service));
  r.texts[1] = weft_slice(json, len);
  r.texts[2] = weft_slice(o.context, o.context_len);
  return begin(host, &r, callback, ud);
}

uint64_t weft_host_call(weft_host *host, const char *service, const char *json, size_t len,
                        weft_host_callback *callback, void *ud) {
  return weft_host_call_with(host, NULL, service, json, len, callback, ud);
}

void weft_host_cancel(weft_host *host, uint64_t number) {
  for (struct weft_list *l = host->calls.next; l != &host->calls; l = l->next) {
    struct call *c = WEFT_CONTAINER(l, struct call, link);
    if (c->number != number) continue;
    if (c->task) weft_lua_cancel(c->task, WEFT_CANCELLED);
    return;
  }
}

/* ---- waiting ---- */

struct waiting {
  bool done;
  int rc;
  struct weft_buf json; /* with its zero byte */
  struct weft_host_error *err;
};

static void waited(void *ud, const char *json, size_t len, const struct weft_host_error *err) {
  struct waiting *w = ud;
  w->done = true;
  w->rc = err ? -1 : 0;
  if (err && w->err) *w->err = *err;
  if (!err) weft_buf_add(&w->json, json, len + 1);
}

/* Where nothing may wait? */
static bool refused(const struct weft_host *host, struct weft_host_error *err) {
  if (host->closed) {
    weft_embed_fail(err, "closed", "the host is closed");
  } else if (weft_loop_running(host->loop)) {
    weft_embed_fail(err, "usage", "this call would wait, and the loop is already running: use weft_host_call");
  } else {
    return false;
  }
  return true;
}

static int wait_for(struct weft_host *host, struct request *r, struct waiting *w) {
  weft_buf_init(&w->json);
  if (refused(host, w->err)) return -1;
  begin(host, r, waited, w);
  weft_loop_pump(host->loop, &w->done, NULL);
  if (w->rc == 0 && weft_buf_failed(&w->json)) {
    weft_embed_fail(w->err, "type", "the answer is above 1 GiB of text");
    weft_buf_release(&w->json);
    return -1;
  }
  return w->rc;
}

char *weft_host_call_wait(weft_host *host, const char *service, const char *json, size_t len, size_t *out_len,
                          struct weft_host_error *err) {
  struct request r = {.function = host->call, .timeout = host->timeout};
  struct waiting w = {.err = err};
  r.texts[0] = weft_slice(service, strlen(service));
  r.texts[1] = weft_slice(json, len);
  if (wait_for(host, &r, &w)) return NULL;
  if (out_len) *out_len = w.json.n - 1;
  return w.json.p;
}

int weft_host_load(weft_host *host, const char *script, struct weft_host_error *err) {
  struct request r = {.function = host->load};
  struct waiting w = {.err = err};
  r.texts[0] = weft_slice(script, strlen(script));
  int rc = wait_for(host, &r, &w);
  weft_buf_release(&w.json);
  return rc;
}

int weft_host_wait(weft_host *host, struct weft_host_error *err) {
  if (host->idle) return 0;
  if (weft_loop_running(host->loop)) return refused(host, err), -1;
  weft_loop_pump(host->loop, &host->idle, NULL);
  return 0;
}

/* ---- the end of all ---- */

void weft_embed_cancel_calls(struct weft_host *host) {
  for (struct weft_list *l = host->calls.next; l != &host->calls; l = l->next) {
    struct call *c = WEFT_CONTAINER(l, struct call, link);
    if (c->task) weft_lua_cancel(c->task, WEFT_CANCELLED);
  }
}

void weft_embed_end_calls(struct weft_host *host) {
  while (!weft_list_empty(&host->calls)) {
    struct call *c = WEFT_CONTAINER(host->calls.next, struct call, link);
    if (c->task) c->task->on_end = NULL;
    finish_closed(c);
  }
}
