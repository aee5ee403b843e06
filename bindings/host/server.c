/* SPDX-License-Identifier: MIT */
/* Module weft.host: the server as a Lua script sees it. In the main state scripts/serve.lua makes one, asks it what
   has happened and tells it what to do; in the states of workers the functions give figures of the whole process.

   Messages come from the threads of workers, under the lock; everything else belongs to the main thread. */
#include "host.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "clock.h"

enum { ACCEPTS_PER_TURN = 64, PAUSE_MS = 100, SOCKETS_MAX = 8, SIGNALS_MAX = 8 };

static const char server_key = 0, number_key = 0;

struct message {
  struct weft_list link;
  uint32_t worker; /* 0: a signal */
  enum worker_event what;
  int signal;
  char *text;      /* or NULL */
};

struct acceptor {
  struct server *server;
  int fd;
  struct weft_watch *watch;
  struct weft_timer *pause; /* after too many descriptors were open */
};

struct server {
  struct weft_lua *w;
  struct worker_options o;
  uint32_t n, next;
  bool ready; /* atomic */
  struct worker **workers;
  struct acceptor sockets[SOCKETS_MAX];
  uint32_t nsockets;
  uv_signal_t *signals[SIGNALS_MAX];
  uint32_t nsignals;
  struct weft_wake *wake;
  pthread_mutex_t lock;
  struct weft_list messages; /* under the lock */
  struct wait wait;
  bool waits;
};

static struct server *known(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &server_key);
  struct server *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

void server_set(lua_State *L, struct server *s, uint32_t number) {
  lua_pushlightuserdata(L, s);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &server_key);
  lua_pushinteger(L, number);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &number_key);
}

static int l_worker(lua_State *L) { /* host.worker(): the number of the worker that runs here, 0: the main thread */
  lua_rawgetp(L, LUA_REGISTRYINDEX, &number_key);
  return 1;
}

static struct server *check(lua_State *L) {
  struct server **box = luaL_checkudata(L, 1, "weft.server");
  if (!*box) luaL_error(L, "the server is closed");
  return *box;
}

static struct worker *check_worker(lua_State *L, struct server *s, int idx) {
  lua_Integer i = luaL_checkinteger(L, idx);
  luaL_argcheck(L, i >= 1 && i <= (lua_Integer)s->n, idx, "there is no such worker");
  return s->workers[i - 1];
}

/* ---- messages ---- */

static void post(struct server *s, struct message m, const char *text) {
  struct message *copy = weft_alloc(sizeof *copy);
  *copy = m;
  copy->text = text ? weft_strdup(weft_slice_of(text)) : NULL;
  weft_list_init(&copy->link);
  pthread_mutex_lock(&s->lock);
  weft_list_push(&s->messages, &copy->link);
  pthread_mutex_unlock(&s->lock);
  weft_wake_send(s->wake);
}

static void on_tell(void *ud, uint32_t number, enum worker_event what, const char *text) {
  post(ud, (struct message){.worker = number, .what = what}, text);
}

static void on_signal(uv_signal_t *handle, int number) {
  post(handle->data, (struct message){.signal = number}, NULL);
}

static struct message *take_message(struct server *s) {
  pthread_mutex_lock(&s->lock);
  struct weft_list *l = weft_list_take(&s->messages);
  pthread_mutex_unlock(&s->lock);
  return l ? WEFT_CONTAINER(l, struct message, link) : NULL;
}

static void free_message(struct message *m) {
  free(m->text);
  free(m);
}

static void on_wake(void *ud) {
  struct server *s = ud;
  if (s->waits) weft_lua_wake(s->w, &s->wait);
}

static const char *signal_name(int number) {
  return number == SIGHUP ? "HUP" : number == SIGINT ? "INT" : number == SIGTERM ? "TERM" : "USR1";
}

static int push_message(lua_State *L, struct message *m) {
  static const char *const names[] = {"ready", "failed", "drained", "stuck"};
  lua_createtable(L, 0, 3);
  lua_pushstring(L, m->worker ? names[m->what] : "signal");
  lua_setfield(L, -2, "what");
  if (m->worker) lua_pushinteger(L, m->worker), lua_setfield(L, -2, "worker");
  lua_pushstring(L, m->worker ? m->text : signal_name(m->signal));
  lua_setfield(L, -2, "text");
  free_message(m);
  return 1;
}

static void give_up(struct wait *wait, enum weft_kind why) {
  struct server *s = WEFT_CONTAINER(wait, struct server, wait);
  wait->why = why;
  weft_lua_wake(s->w, wait);
}

static int next_k(lua_State *L, int status, lua_KContext ctx);

/* server:next(): waits for what happens next: { what = "ready" | "failed" | "drained" | "stuck" | "signal",
   worker = n, text = }. */
static int l_next(lua_State *L) {
  struct server *s = check(L);
  weft_lua_may_wait(L, s->w, false);
  struct message *m = take_message(s);
  if (m) return push_message(L, m);
  if (s->waits) return luaL_error(L, "another task waits for this server");
  weft_lua_wait_init(&s->wait, give_up);
  s->waits = true;
  return weft_lua_wait(L, s->w, &s->wait, (lua_KContext)s, next_k);
}

static int next_k(lua_State *L, int status, lua_KContext ctx) {
  struct server *s = (struct server *)ctx;
  (void)status;
  s->waits = false;
  if (s->wait.why != WEFT_OK) return weft_lua_given_up(L, s->w, &s->wait);
  return l_next(L);
}

/* ---- connections ---- */

static void resume_accepting(void *ud) {
  struct acceptor *a = ud;
  weft_watch_events(a->watch, WEFT_READABLE);
}

static void pause_accepting(struct acceptor *a) {
  struct weft_loop *l = a->server->w->loop;
  weft_watch_events(a->watch, 0);
  if (!a->pause) a->pause = weft_timer_new(l, resume_accepting, a);
  weft_timer_start(a->pause, weft_loop_now(l) + PAUSE_MS * INT64_C(1000000));
}

/* False: nobody waits any more, or nobody can be let in. */
static bool accept_one(struct acceptor *a) {
  struct server *s = a->server;
  int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) worker_take(s->workers[s->next++ % s->n], fd);
  return fd >= 0 || errno == EINTR || errno == ECONNABORTED;
}

static void on_readable(void *ud, int events) {
  struct acceptor *a = ud;
  (void)events;
  for (int i = 0; i < ACCEPTS_PER_TURN; i++)
    if (!accept_one(a)) {
      if (errno != EAGAIN) pause_accepting(a);
      return;
    }
}

static int l_accept(lua_State *L) { /* server:accept(fd): connections of this socket go to the workers in turn */
  struct server *s = check(L);
  int fd = (int)luaL_checkinteger(L, 2);
  luaL_argcheck(L, s->nsockets < SOCKETS_MAX, 2, "too many sockets");
  struct acceptor *a = &s->sockets[s->nsockets++];
  *a = (struct acceptor){.server = s, .fd = fd, .watch = weft_watch_new(s->w->loop, fd, on_readable, a)};
  if (!a->watch) return luaL_error(L, "this socket cannot be watched");
  weft_watch_events(a->watch, WEFT_READABLE);
  return 0;
}

static int l_give(lua_State *L) { /* server:give(worker, fd): it accepts on this socket by itself */
  struct server *s = check(L);
  worker_take(check_worker(L, s, 2), (int)luaL_checkinteger(L, 3));
  return 0;
}

/* What the kernel has accepted already would be reset when the socket is closed. */
static void stop_accepting(struct server *s) {
  for (uint32_t i = 0; i < s->nsockets; i++) {
    while (accept_one(&s->sockets[i])) continue;
    weft_watch_free(s->sockets[i].watch);
    weft_timer_free(s->sockets[i].pause);
    close(s->sockets[i].fd);
  }
  s->nsockets = 0;
}

static int l_bind(lua_State *L) { /* host.bind(address, shared): descriptor and name of a listening socket */
  struct weft_error err;
  int fd;
  char name[256];
  if (weft_http_bind(luaL_checkstring(L, 1), lua_toboolean(L, 2), 1024, &fd, &err))
    return weft_lua_raise(L, weft_lua_of(L), &err, NULL);
  weft_http_name(fd, name, sizeof name);
  lua_pushinteger(L, fd);
  lua_pushstring(L, name);
  return 2;
}

/* ---- orders ---- */

static int l_reload(lua_State *L) { /* server:reload(worker) */
  struct server *s = check(L);
  worker_reload(check_worker(L, s, 2));
  return 0;
}

static int l_drain(lua_State *L) { /* server:drain(): no new connections; each worker ends with its last request */
  struct server *s = check(L);
  stop_accepting(s);
  for (uint32_t i = 0; i < s->n; i++) worker_drain(s->workers[i]);
  return 0;
}

static int l_watch(lua_State *L) { /* server:watch(): looks after tasks that run too long; to be called again and again */
  struct server *s = check(L);
  int64_t now = weft_clock_ns();
  for (uint32_t i = 0; i < s->n; i++) worker_watch(s->workers[i], now);
  return 0;
}

static void no_signal(uv_handle_t *handle) { free(handle); }

static int l_signals(lua_State *L) { /* server:signals("INT", "TERM", "HUP"): they become messages */
  static const char *const names[] = {"HUP", "INT", "TERM", "USR1", NULL};
  static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
  struct server *s = check(L);
  for (int i = 2; i <= lua_gettop(L); i++) {
    int number = numbers[luaL_checkoption(L, i, NULL, names)];
    if (s->nsignals == SIGNALS_MAX) return luaL_error(L, "too many signals");
    uv_signal_t *handle = weft_zalloc(sizeof *handle);
    uv_signal_init(weft_loop_uv(s->w->loop), handle);
    handle->data = s;
    uv_signal_start(handle, on_signal, number);
    uv_unref((uv_handle_t *)handle);
    s->signals[s->nsignals++] = handle;
  }
  return 0;
}

/* ---- figures ---- */

static void set_integer(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static void push_list(lua_State *L, const uint64_t *list, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, (lua_Integer)list[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_stats(lua_State *L, struct worker *w) {
  struct worker_stats t;
  worker_stats(w, &t);
  lua_createtable(L, 0, 20);
  set_integer(L, "connections", t.http.connections);
  set_integer(L, "requests", t.http.requests);
  set_integer(L, "refused", t.http.refused);
  set_integer(L, "bytes_in", t.http.bytes_in);
  set_integer(L, "bytes_out", t.http.bytes_out);
  set_integer(L, "timeouts", t.http.timeouts);
  set_integer(L, "resets", t.http.resets);
  set_integer(L, "open", t.http.open);
  set_integer(L, "idle", t.http.idle);
  set_integer(L, "in_flight", t.http.in_flight);
  set_integer(L, "memory", t.memory);
  set_integer(L, "loads", t.reloads);
  set_integer(L, "stopped", t.stopped);
  lua_pushnumber(L, (double)t.time_us / 1e6);
  lua_setfield(L, -2, "seconds");
  push_list(L, t.answers + 1, 5);
  lua_setfield(L, -2, "answers");
  push_list(L, t.buckets, WORKER_BUCKETS);
  lua_setfield(L, -2, "buckets");
}

/* host.stats(): a list of tables, one for each worker, nil outside of a server; its field `bounds` has the upper bounds
   of the buckets of durations in seconds. */
static int l_stats(lua_State *L) {
  struct server *s = known(L);
  if (!s) return 0;
  lua_createtable(L, (int)s->n, 1);
  for (uint32_t i = 0; i < s->n; i++) {
    push_stats(L, s->workers[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_createtable(L, WORKER_BUCKETS - 1, 0);
  for (int i = 0; i < WORKER_BUCKETS - 1; i++) {
    lua_pushnumber(L, worker_bounds[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "bounds");
  return 1;
}

static int l_measure(lua_State *L) { /* host.measure(): every worker's script shall say how its databases are */
  struct server *s = known(L);
  for (uint32_t i = 0; s && i < s->n; i++) worker_measure(s->workers[i]);
  return 0;
}

static int l_measured(lua_State *L) { /* host.measured(): what they said, a list of texts; false for who has not yet */
  struct server *s = known(L);
  lua_newtable(L);
  for (uint32_t i = 0; s && i < s->n; i++) {
    char *text = worker_measured(s->workers[i]);
    if (text) lua_pushstring(L, text);
    else lua_pushboolean(L, 0);
    free(text);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int l_set_ready(lua_State *L) { /* host.set_ready(on): what /readyz says in every worker */
  struct server *s = known(L);
  if (s) __atomic_store_n(&s->ready, lua_toboolean(L, 1), __ATOMIC_RELAXED);
  return 0;
}

static int l_ready(lua_State *L) {
  const struct server *s = known(L);
  lua_pushboolean(L, s && __atomic_load_n(&s->ready, __ATOMIC_RELAXED));
  return 1;
}

/* ---- life ---- */

static lua_Integer whole(lua_State *L, const char *name, lua_Integer otherwise) {
  lua_getfield(L, 1, name);
  lua_Integer n = luaL_optinteger(L, -1, otherwise);
  lua_pop(L, 1);
  return n;
}

static int64_t seconds(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  double s = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  return (int64_t)(s * 1e9);
}

static char *text(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  struct weft_slice s;
  s.p = luaL_checklstring(L, -1, &s.n);
  char *copy = weft_strdup(s);
  lua_pop(L, 1);
  return copy;
}

static const char **trusted(lua_State *L) {
  lua_getfield(L, 1, "trusted");
  lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
  const char **list = n ? weft_zalloc((size_t)(n + 1) * sizeof *list) : NULL;
  for (lua_Integer i = 0; i < n; i++) {
    lua_rawgeti(L, -1, i + 1);
    list[i] = weft_strdup(weft_slice_of(luaL_checkstring(L, -1)));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return list;
}

static void read_options(lua_State *L, struct worker_options *o) {
  o->http = (struct weft_http_options){
      .server = "weft",
      .max_target = (size_t)whole(L, "max_target", 0),
      .max_head = (size_t)whole(L, "max_head", 0),
      .max_headers = (uint32_t)whole(L, "max_headers", 0),
      .max_body = (size_t)whole(L, "max_body", 0),
      .max_connections = (uint32_t)whole(L, "max_connections", 0),
      .max_in_flight = (uint32_t)whole(L, "max_in_flight", 0),
      .head_ns = seconds(L, "head_timeout"),
      .body_ns = seconds(L, "body_timeout"),
      .idle_ns = seconds(L, "idle_timeout"),
      .write_ns = seconds(L, "write_timeout"),
      .gzip_min = (size_t)whole(L, "gzip_min", 0)};
  o->memory = (size_t)whole(L, "memory", 0);
  o->deadline_ns = seconds(L, "deadline");
  o->slice_ns = seconds(L, "slice");
  o->access_log = (int)whole(L, "access_log", -1);
  lua_getfield(L, 1, "log_json");
  o->log_json = lua_toboolean(L, -1);
  lua_pop(L, 1);
  o->script = text(L, "script");
  o->text = text(L, "text");
  o->http.trusted = trusted(L);
}

static int close_server(lua_State *L) { /* server:close(): false when a worker does not answer */
  struct server **box = luaL_checkudata(L, 1, "weft.server"), *s = *box;
  bool all = true;
  if (!s) return 0;
  *box = NULL;
  server_set(L, NULL, 0);
  stop_accepting(s);
  for (uint32_t i = 0; i < s->n; i++) all = worker_free(s->workers[i]) && all;
  for (uint32_t i = 0; i < s->nsignals; i++) uv_close((uv_handle_t *)s->signals[i], no_signal);
  lua_pushboolean(L, all);
  if (!all) return 1; /* its thread may still look at the server */
  weft_wake_free(s->wake);
  for (struct message *m; (m = take_message(s));) free_message(m);
  for (const char *const *t = s->o.http.trusted; t && *t; t++) free((char *)(uintptr_t)*t);
  free((void *)(uintptr_t)s->o.http.trusted);
  free(s->o.script);
  free(s->o.text);
  free(s->workers);
  pthread_mutex_destroy(&s->lock);
  free(s);
  return 1;
}

/* host.server { workers =, script =, text =, ... }: starts the workers, which know all of each other. */
static int l_server(lua_State *L) {
  struct weft_error err;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer n = whole(L, "workers", 1);
  luaL_argcheck(L, n >= 1 && n <= 1024, 1, "from 1 to 1024 workers");
  struct server **box = lua_newuserdatauv(L, sizeof *box, 0), *s;
  *box = NULL;
  luaL_setmetatable(L, "weft.server");
  *box = s = weft_zalloc(sizeof *s);
  s->w = weft_lua_of(L);
  pthread_mutex_init(&s->lock, NULL);
  weft_list_init(&s->messages);
  s->wake = weft_wake_new(s->w->loop, on_wake, s);
  s->workers = weft_zalloc((size_t)n * sizeof *s->workers);
  read_options(L, &s->o);
  server_set(L, s, 0);
  for (; s->n < (uint32_t)n; s->n++) {
    s->workers[s->n] = worker_new(s->n + 1, &s->o, s, on_tell, s, &err);
    if (!s->workers[s->n]) return weft_lua_raise(L, s->w, &err, NULL);
  }
  for (uint32_t i = 0; i < s->n; i++)
    if (worker_start(s->workers[i], &err)) return weft_lua_raise(L, s->w, &err, NULL);
  return 1;
}

int luaopen_weft_host(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", l_next},     {"accept", l_accept},   {"give", l_give},
                                     {"reload", l_reload}, {"drain", l_drain},     {"watch", l_watch},
                                     {"signals", l_signals}, {"close", close_server}, {"__gc", close_server},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"bind", l_bind},           {"server", l_server},
                                       {"stats", l_stats},         {"measure", l_measure},
                                       {"measured", l_measured},   {"worker", l_worker},
                                       {"ready", l_ready},         {"set_ready", l_set_ready},
                                       {"answer", host_answer},    {"last_words", host_last_words},
                                       {NULL, NULL}};
  luaL_requiref(L, "weft.core", luaopen_weft_core, 0);
  luaL_newmetatable(L, "weft.server");
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  host_machine(L);
  return 1;
}
