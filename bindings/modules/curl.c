/* SPDX-License-Identifier: MIT */
/* require "weft.curl": an HTTP client over libcurl for Weft's own needs.

   curl.new(options) -> client; client:request { method=, url=, headers=, body=, timeout= } -> { status, headers,
   body }. Nothing blocks: the sockets of a transfer are in an epoll descriptor of its own, which is what the
   caller's task waits for (core.readable); the main coroutine turns the loop meanwhile.

   Invariants: a transfer is one request at a time and keeps its connection for the next one. A client's idle
   transfers are in its user value, newest last; one that is at work is on its request's stack alone, and one
   whose request did not end well is closed, connection and all. Nothing here is shared between Lua states. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>

enum { IDLE_MAX = 8, EVENTS = 8 };

/* Upvalues of every function. */
enum { UP_READABLE = 1, UP_ERROR, UP_CLIENT, UP_TRANSFER, UPVALUES = UP_TRANSFER };

struct client {
  double timeout, connect_timeout; /* seconds, 0: none */
  size_t max_body;
  bool proxy; /* those of the environment are used */
};

struct text {
  char *p;
  size_t n, room;
};

struct transfer {
  CURLM *multi;
  CURL *easy;
  int epoll;
  long wait_ms; /* until libcurl wants to be called without an event, -1: never */
  bool begun, ended, too_large;
  CURLcode result;
  size_t max_body;
  struct curl_slist *lines; /* headers that are sent */
  struct text head, body;
  char why[CURL_ERROR_SIZE];
};

/* ---- what is received ---- */

static bool add(struct text *t, const char *p, size_t n) {
  if (n > t->room - t->n) {
    size_t room = t->room ? t->room : 1024;
    while (room - t->n < n) room *= 2;
    char *more = realloc(t->p, room);
    if (!more) return false;
    t->p = more;
    t->room = room;
  }
  memcpy(t->p + t->n, p, n);
  t->n += n;
  return true;
}

static void clear(struct text *t) {
  free(t->p);
  *t = (struct text){NULL, 0, 0};
}

static size_t on_body(char *p, size_t size, size_t n, void *ud) {
  struct transfer *t = ud;
  size_t bytes = size * n;
  t->too_large = bytes > t->max_body - t->body.n;
  return !t->too_large && add(&t->body, p, bytes) ? bytes : 0;
}

/* A status line begins a new head: that of an interim answer is forgotten. */
static size_t on_header(char *p, size_t size, size_t n, void *ud) {
  struct transfer *t = ud;
  size_t bytes = size * n;
  if (bytes > 5 && memcmp(p, "HTTP/", 5) == 0) t->head.n = 0;
  t->too_large = bytes > t->max_body;
  return !t->too_large && add(&t->head, p, bytes) ? bytes : 0;
}

/* ---- what libcurl waits for ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *known) {
  struct transfer *t = ud;
  struct epoll_event e = {.data.fd = fd};
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, &e);
    curl_multi_assign(t->multi, fd, NULL);
    return 0;
  }
  e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
  int rc = epoll_ctl(t->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
  curl_multi_assign(t->multi, fd, t);
  return rc;
}

static int on_timer(CURLM *multi, long ms, void *ud) {
  (void)multi;
  ((struct transfer *)ud)->wait_ms = ms;
  return 0;
}

static void note_end(struct transfer *t) {
  int left;
  for (CURLMsg *m; (m = curl_multi_info_read(t->multi, &left));)
    if (m->msg == CURLMSG_DONE) {
      t->ended = true;
      t->result = m->data.result;
    }
}

static void act(struct transfer *t, curl_socket_t fd, int what) {
  int running;
  if (fd == CURL_SOCKET_TIMEOUT) t->wait_ms = -1;
  if (curl_multi_socket_action(t->multi, fd, what, &running) != CURLM_OK) {
    t->ended = true;
    t->result = CURLE_FAILED_INIT;
  }
  note_end(t);
}

static void act_on_events(struct transfer *t) {
  struct epoll_event e[EVENTS];
  int n = epoll_wait(t->epoll, e, EVENTS, 0);
  for (int i = 0; i < n && !t->ended; i++) {
    int what = (e[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (e[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (e[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    act(t, e[i].data.fd, what);
  }
}

/* ---- transfers ---- */

static void close_transfer(struct transfer *t) {
  if (t->begun) curl_multi_remove_handle(t->multi, t->easy);
  if (t->easy) curl_easy_cleanup(t->easy);
  if (t->multi) curl_multi_cleanup(t->multi); /* calls on_socket for what is left */
  if (t->epoll >= 0) close(t->epoll);
  curl_slist_free_all(t->lines);
  clear(&t->head);
  clear(&t->body);
  memset(t, 0, sizeof *t);
  t->epoll = -1;
}

static int transfer_gc(lua_State *L) {
  close_transfer(lua_touserdata(L, 1));
  return 0;
}

static struct transfer *new_transfer(lua_State *L) { /* pushes it */
  struct transfer *t = lua_newuserdatauv(L, sizeof *t, 0);
  memset(t, 0, sizeof *t);
  t->epoll = epoll_create1(EPOLL_CLOEXEC);
  t->multi = curl_multi_init();
  t->easy = curl_easy_init();
  lua_pushvalue(L, lua_upvalueindex(UP_TRANSFER));
  lua_setmetatable(L, -2);
  if (t->epoll < 0 || !t->multi || !t->easy) luaL_error(L, "cannot start an HTTP client: %s", strerror(errno));
  curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
  curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
  return t;
}

static struct transfer *take_transfer(lua_State *L) { /* an idle one of the client at 1, or a new one; pushed */
  lua_getiuservalue(L, 1, 1);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_rawgeti(L, -1, n);
  struct transfer *t = lua_touserdata(L, -1);
  if (!t) {
    lua_pop(L, 2);
    return new_transfer(L);
  }
  lua_pushnil(L);
  lua_rawseti(L, -3, n);
  lua_remove(L, -2);
  return t;
}

static void keep_transfer(lua_State *L, struct transfer *t, int idx) {
  lua_getiuservalue(L, 1, 1);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  if (n < IDLE_MAX) {
    lua_pushvalue(L, idx);
    lua_rawseti(L, -2, n + 1);
  } else {
    close_transfer(t);
  }
  lua_pop(L, 1);
}

/* ---- failures ---- */

/* Raises { kind, message, retryable, outcome_unknown } as one of Weft's errors. */
static int fail(lua_State *L, const char *kind, const char *message, bool sent) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, "request");
  lua_setfield(L, -2, "op");
  lua_pushboolean(L, strcmp(kind, "connect") == 0);
  lua_setfield(L, -2, "retryable");
  lua_pushboolean(L, sent);
  lua_setfield(L, -2, "outcome_unknown");
  lua_pushvalue(L, lua_upvalueindex(UP_ERROR));
  lua_insert(L, -2);
  lua_call(L, 1, 0);
  return 0;
}

static int usage(lua_State *L, const char *fmt, const char *word) {
  return fail(L, "usage", lua_pushfstring(L, fmt, word), false);
}

static const char *kind_of(CURLcode code) {
  switch (code) {
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
    return "usage";
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_CONNECT:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
    return "connect";
  case CURLE_OPERATION_TIMEDOUT:
    return "timeout";
  case CURLE_OUT_OF_MEMORY:
  case CURLE_FAILED_INIT:
    return "internal";
  default:
    return "disconnect";
  }
}

static int fail_transfer(lua_State *L, struct transfer *t) {
  long sent = 0;
  curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
  const char *kind = kind_of(t->result);
  if (t->too_large || (sent > 0 && t->result == CURLE_UNSUPPORTED_PROTOCOL)) kind = "unsupported"; /* no HTTP */
  const char *why = t->too_large ? "the answer is larger than max_body"
                    : t->why[0]  ? t->why
                                 : curl_easy_strerror(t->result);
  lua_pushstring(L, why); /* it outlives the transfer */
  close_transfer(t);
  return fail(L, kind, lua_tostring(L, -1), sent > 0);
}

/* ---- the answer ---- */

/* Adds `name: value` to the table on top; lines of one name are joined. */
static void add_line(lua_State *L, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  if (!colon) return;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (const char *p = line; p < colon; p++) luaL_addchar(&b, (char)tolower((unsigned char)*p));
  luaL_pushresult(&b);
  const char *value = colon + 1, *end = line + n;
  while (value < end && (*value == ' ' || *value == '\t')) value++;
  while (end > value && isspace((unsigned char)end[-1])) end--;
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) == LUA_TSTRING) {
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, value, (size_t)(end - value));
    lua_concat(L, 3);
  } else {
    lua_pop(L, 1);
    lua_pushlstring(L, value, (size_t)(end - value));
  }
  lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const struct text *head) {
  lua_newtable(L);
  for (size_t at = 0; at < head->n;) {
    const char *line = head->p + at, *end = memchr(line, '\n', head->n - at);
    size_t n = end ? (size_t)(end - line) : head->n - at;
    if (memcmp(line, "HTTP/", n < 5 ? n : 5) != 0) add_line(L, line, n);
    at += n + 1;
  }
}

static int answer(lua_State *L, struct transfer *t) { /* the client at 1, the transfer at 3 */
  long status = 0;
  curl_multi_remove_handle(t->multi, t->easy);
  t->begun = false;
  if (t->result != CURLE_OK) return fail_transfer(L, t);
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, status);
  lua_setfield(L, -2, "status");
  push_headers(L, &t->head);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, t->body.p ? t->body.p : "", t->body.n);
  lua_setfield(L, -2, "body");
  keep_transfer(L, t, 3);
  clear(&t->head);
  clear(&t->body);
  return 1;
}

/* ---- the request ---- */

static int waited(lua_State *L, int status, lua_KContext ctx);

/* Goes on until libcurl waits for something. */
static int go_on(lua_State *L, struct transfer *t) {
  while (!t->ended && t->wait_ms == 0) act(t, CURL_SOCKET_TIMEOUT, 0);
  if (t->ended) return answer(L, t);
  lua_settop(L, 3);
  lua_pushvalue(L, lua_upvalueindex(UP_READABLE));
  lua_pushinteger(L, t->epoll);
  if (t->wait_ms > 0) lua_pushnumber(L, (double)t->wait_ms / 1e3);
  else lua_pushnil(L);
  return waited(L, lua_pcallk(L, 2, 1, 0, (lua_KContext)t, waited), (lua_KContext)t);
}

static int waited(lua_State *L, int status, lua_KContext ctx) {
  struct transfer *t = (struct transfer *)ctx;
  if (status != LUA_OK && status != LUA_YIELD) { /* cancelled, or the time of weft.timeout is over */
    close_transfer(t);
    return lua_error(L);
  }
  if (lua_toboolean(L, -1)) act_on_events(t);
  else act(t, CURL_SOCKET_TIMEOUT, 0);
  return go_on(L, t);
}

static double seconds_field(lua_State *L, int idx, const char *name, double otherwise) {
  if (lua_getfield(L, idx, name) == LUA_TNIL) return lua_pop(L, 1), otherwise;
  double s = lua_isboolean(L, -1) && !lua_toboolean(L, -1) ? 0 : lua_tonumber(L, -1);
  bool fine = (lua_type(L, -1) == LUA_TNUMBER && s > 0 && s < 1e6) || (s == 0 && lua_isboolean(L, -1));
  if (!fine) usage(L, "%s is a number of seconds above 0, or false", name);
  lua_pop(L, 1);
  return s;
}

static const char *text_field(lua_State *L, const char *name, size_t *n) { /* stays on the stack; NULL: absent */
  int type = lua_getfield(L, 2, name);
  if (type != LUA_TNIL && type != LUA_TSTRING) usage(L, "request: %s is text", name);
  const char *p = lua_tolstring(L, -1, n);
  if (p && strcmp(name, "body") != 0 && strlen(p) != *n) usage(L, "request: %s holds a zero byte", name);
  return p;
}

static void add_header(lua_State *L, struct transfer *t, const char *line, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (line[i] == '\r' || line[i] == '\n' || !line[i]) usage(L, "request: a header holds a line's end", NULL);
  struct curl_slist *more = curl_slist_append(t->lines, line);
  if (!more) luaL_error(L, "not enough memory");
  t->lines = more;
}

static void set_headers(lua_State *L, struct transfer *t) {
  add_header(L, t, "Expect:", 7); /* a server that does not answer it would cost a second */
  if (lua_getfield(L, 2, "headers") == LUA_TNIL) return;
  if (!lua_istable(L, -1)) usage(L, "request: headers is a table, name = value", NULL);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 2)) {
    size_t n, nv;
    if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1)) usage(L, "request: headers are text", NULL);
    lua_tolstring(L, -1, &nv);
    const char *line = lua_pushfstring(L, nv ? "%s: %s" : "%s;", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_tolstring(L, -1, &n);
    add_header(L, t, line, n);
  }
}

static void set_method(lua_State *L, CURL *easy) {
  size_t n;
  const char *method = text_field(L, "method", &n);
  size_t nbody = 0;
  const char *body = text_field(L, "body", &nbody);
  if (!method) method = body ? "POST" : "GET";
  for (const char *p = method; *p; p++)
    if (!isalpha((unsigned char)*p)) usage(L, "request: a method is a word", NULL);
  if (body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)nbody);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body); /* borrowed: the request's table is at 2 */
  } else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
  }
  if (strcmp(method, "HEAD") == 0) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_times(lua_State *L, const struct client *c, CURL *easy) {
  double timeout = seconds_field(L, 2, "timeout", c->timeout);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ceil(timeout * 1e3));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ceil(c->connect_timeout * 1e3));
}

static void set_always(struct transfer *t, const struct client *c) {
  CURL *easy = t->easy;
  curl_easy_reset(easy); /* the connection stays */
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "weft/" WEFT_VERSION);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->why);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  if (!c->proxy) curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static void set_trust(lua_State *L, CURL *easy) {
  if (lua_getiuservalue(L, 1, 2) == LUA_TSTRING) curl_easy_setopt(easy, CURLOPT_CAINFO, lua_tostring(L, -1));
  lua_pop(L, 1);
}

static struct client *check_client(lua_State *L) {
  bool is = lua_getmetatable(L, 1) && lua_rawequal(L, -1, lua_upvalueindex(UP_CLIENT));
  if (!is) usage(L, "a client of weft.curl is expected (use client:request, with a colon)", NULL);
  lua_settop(L, 2);
  return lua_touserdata(L, 1);
}

static int l_request(lua_State *L) {
  const struct client *c = check_client(L);
  size_t n;
  if (!lua_istable(L, 2)) return usage(L, "request takes a table, as { url = ... }", NULL);
  struct transfer *t = take_transfer(L); /* 3; what fails below leaves it to the collector */
  t->ended = t->too_large = false;
  t->wait_ms = -1;
  t->why[0] = 0;
  t->max_body = c->max_body;
  curl_slist_free_all(t->lines);
  t->lines = NULL;
  set_always(t, c);
  set_trust(L, t->easy);
  const char *url = text_field(L, "url", &n);
  if (!url) return usage(L, "request: a url is needed", NULL);
  curl_easy_setopt(t->easy, CURLOPT_URL, url);
  set_method(L, t->easy);
  set_headers(L, t);
  set_times(L, c, t->easy);
  curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
  t->begun = curl_multi_add_handle(t->multi, t->easy) == CURLM_OK; /* asks for a call at once by on_timer */
  if (!t->begun) return luaL_error(L, "cannot start a request");
  return go_on(L, t);
}

/* ---- clients ---- */

static const char *const options[] = {"timeout", "connect_timeout", "max_body", "proxy", "ca"};

static void check_options(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    bool known = false;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
      known |= lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), options[i]) == 0;
    if (!known) usage(L, "curl.new knows no option %s", luaL_tolstring(L, -2, NULL));
  }
}

static int l_new(lua_State *L) {
  if (lua_isnoneornil(L, 1)) lua_settop(L, 0), lua_newtable(L);
  if (!lua_istable(L, 1)) return usage(L, "curl.new takes a table of options", NULL);
  lua_settop(L, 1);
  check_options(L);
  struct client *c = lua_newuserdatauv(L, sizeof *c, 2); /* idle transfers; the file of certificates */
  *c = (struct client){.timeout = seconds_field(L, 1, "timeout", 30),
                       .connect_timeout = seconds_field(L, 1, "connect_timeout", 10)};
  lua_getfield(L, 1, "max_body");
  lua_Number most = luaL_optnumber(L, -1, 64.0 * 1024 * 1024);
  if (!(most >= 0 && most < 1e15)) return usage(L, "max_body is a number of bytes", NULL);
  c->max_body = (size_t)most;
  c->proxy = lua_getfield(L, 1, "proxy") == LUA_TNIL || lua_toboolean(L, -1);
  lua_settop(L, 2);
  int type = lua_getfield(L, 1, "ca");
  if (type != LUA_TNIL && type != LUA_TSTRING) return usage(L, "ca is the path of a file", NULL);
  lua_setiuservalue(L, 2, 2);
  lua_newtable(L);
  lua_setiuservalue(L, 2, 1);
  lua_pushvalue(L, lua_upvalueindex(UP_CLIENT));
  lua_setmetatable(L, 2);
  return 1;
}

static int l_close(lua_State *L) { /* its idle connections; what is under way goes on */
  check_client(L);
  lua_getiuservalue(L, 1, 1);
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
    lua_rawgeti(L, -1, i);
    close_transfer(lua_touserdata(L, -1));
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  return 0;
}

/* libcurl's own start is once for a process, whatever thread comes first. */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static void functions_with_upvalues(lua_State *L, const luaL_Reg *functions) { /* upvalues at 1.., table on top */
  for (int i = 1; i <= UPVALUES; i++) lua_pushvalue(L, i);
  luaL_setfuncs(L, functions, UPVALUES);
}

__attribute__((visibility("default"))) int luaopen_weft_curl(lua_State *L);

int luaopen_weft_curl(lua_State *L) {
  static const luaL_Reg of_client[] = {{"request", l_request}, {"close", l_close}, {"__close", l_close}, {NULL, NULL}};
  static const luaL_Reg of_module[] = {{"new", l_new}, {NULL, NULL}};
  pthread_once(&once, start);
  lua_settop(L, 0);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "weft.core");
  lua_call(L, 1, 1);
  lua_getfield(L, 1, "readable");
  lua_getfield(L, 1, "error");
  lua_remove(L, 1);
  lua_newtable(L); /* UP_CLIENT */
  lua_newtable(L); /* UP_TRANSFER */
  lua_pushcfunction(L, transfer_gc);
  lua_setfield(L, UP_TRANSFER, "__gc");
  lua_pushvalue(L, UP_CLIENT);
  functions_with_upvalues(L, of_client);
  lua_setfield(L, UP_CLIENT, "__index");
  lua_pushliteral(L, "weft.curl");
  lua_setfield(L, UP_CLIENT, "__name");
  lua_newtable(L);
  functions_with_upvalues(L, of_module);
  return 1;
}
