/* SPDX-License-Identifier: MIT */
/*
 * httpd ADDRESS [OPTION=NUMBER | trusted=ADDRESS | folder=PATH | threads=N]...: a server for the specs of
 * bindings/http.
 *
 * Prints the address it listens on and its process, then answers each line of stdin with one:
 *   stats      "connections requests refused bytes_in bytes_out timeouts resets open idle in_flight ended drained"
 *   drain      drains; "draining", and "drained" when no connection is left
 *   free       frees the server with whatever is open; "freed"
 *   finish     ends the exchanges that /hold keeps; how many
 *   quit       ends the program
 * Without commands on its standard input it ends with it. With threads each has a loop and a server of its own.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "http.h"
#include "json.h"
#include "list.h"
#include "loop.h"

enum { THREADS = 8, PIECE = 16 * 1024 };

struct server {
  struct weft_loop *loop;
  struct weft_http *http;
  struct weft_list jobs; /* of exchanges that are answered later */
  struct weft_buf body;
  uint64_t ended, drained;
  bool done, freed, closed;
  pthread_t thread;
  struct weft_wake *wake;
};

/* An exchange that is not answered at once. */
struct job {
  struct weft_list link;
  struct server *server;
  struct weft_exchange *x;
  struct weft_timer *timer;
  uint64_t left;
};

static struct weft_http_options options;
static const char *trusted[17], *folder = ".", *address;
static int threads = 1;
static struct server servers[THREADS];

static _Noreturn void die(const char *message) {
  fprintf(stderr, "httpd: %s\n", message);
  exit(1);
}

/* ---- handlers ---- */

static int64_t number(struct weft_exchange *x, const char *name, int64_t otherwise) {
  struct weft_slice query = weft_exchange_query(x);
  char text[256], *at = text;
  snprintf(text, sizeof text, "%.*s", (int)query.n, query.p ? query.p : "");
  for (char *part; (part = strsep(&at, "&"));) {
    size_t n = strlen(name);
    if (strncmp(part, name, n) == 0 && part[n] == '=') return strtoll(part + n + 1, NULL, 10);
  }
  return otherwise;
}

static void header(struct weft_exchange *x, const char *name, const char *value) {
  struct weft_error err;
  if (weft_exchange_add(x, weft_slice_of(name), weft_slice_of(value), &err) < 0) die(err.message);
}

static void member(struct weft_buf *b, const char *name, struct weft_slice value) {
  weft_buf_char(b, b->p[b->n - 1] == '{' ? ' ' : ',');
  weft_json_string(b, weft_slice_of(name));
  weft_buf_char(b, ':');
  if (value.p) weft_json_string(b, value);
  else weft_buf_lit(b, "null");
}

/* What was understood of a request, as JSON. */
static void echo(struct server *s, struct weft_exchange *x) {
  struct weft_buf *b = &s->body;
  const struct weft_header *h = weft_exchange_headers(x);
  weft_buf_reset(b);
  weft_buf_char(b, '{');
  member(b, "method", weft_exchange_method(x));
  member(b, "target", weft_exchange_target(x));
  member(b, "path", weft_exchange_path(x));
  member(b, "query", weft_exchange_query(x));
  member(b, "host", weft_exchange_host(x));
  member(b, "scheme", weft_exchange_scheme(x));
  member(b, "remote", weft_exchange_remote(x));
  member(b, "id", weft_exchange_id(x));
  member(b, "cookie", weft_exchange_header(x, WEFT_LIT("cookie")));
  member(b, "x-list", weft_exchange_header(x, WEFT_LIT("x-list")));
  member(b, "body", weft_exchange_body(x));
  weft_buf_fmt(b, ",\"version\":%d,\"headers\":[", weft_exchange_version(x));
  for (size_t i = 0; i < weft_exchange_nheaders(x); i++) {
    weft_buf_str(b, i ? ",[" : "[");
    weft_json_string(b, h[i].name);
    weft_buf_char(b, ',');
    weft_json_string(b, h[i].value);
    weft_buf_char(b, ']');
  }
  weft_buf_lit(b, "]}");
  header(x, "Content-Type", "application/json");
  weft_exchange_body_of(x, weft_buf_slice(b));
}

static void hello(struct server *s, struct weft_exchange *x) {
  (void)s;
  header(x, "Content-Type", "application/json");
  weft_exchange_body_of(x, WEFT_LIT("{\"message\":\"Hello, World!\"}"));
}

/* ?bytes=: as much text at once. ?type=1: of a type that is compressed. ?status= */
static void big(struct server *s, struct weft_exchange *x) {
  size_t n = (size_t)number(x, "bytes", 1000);
  weft_buf_reset(&s->body);
  char *p = weft_buf_room(&s->body, n + 1);
  for (size_t i = 0; i < n; i++) p[i] = (char)('a' + i % 26);
  weft_exchange_status(x, (int)number(x, "status", 200));
  if (number(x, "type", 0)) header(x, "Content-Type", "text/plain");
  if (number(x, "tag", 0)) header(x, "ETag", "\"one\"");
  weft_exchange_body_of(x, weft_slice(p, n));
}

static void end_job(struct job *j) {
  weft_exchange_set(j->x, NULL);
  weft_list_remove(&j->link);
  weft_timer_free(j->timer);
  free(j);
}

static struct job *new_job(struct server *s, struct weft_exchange *x, void (*cb)(void *ud)) {
  struct job *j = weft_zalloc(sizeof *j);
  j->server = s, j->x = x;
  if (cb) j->timer = weft_timer_new(s->loop, cb, j);
  weft_list_push(&s->jobs, &j->link);
  weft_exchange_set(x, j);
  return j;
}

static void pour(struct job *j) {
  static const char piece[PIECE] = "The same bytes again and again.";
  struct weft_exchange *x = j->x;
  while (j->left && !weft_exchange_gone(x)) {
    size_t n = j->left < PIECE ? j->left : PIECE;
    j->left -= n;
    if (!weft_exchange_write(x, weft_slice(piece, n)) && j->left) return;
  }
  end_job(j);
  weft_exchange_end(x);
}

/* ?bytes=, ?type=1: a stream that waits for the client. */
static void stream(struct server *s, struct weft_exchange *x) {
  struct job *j = new_job(s, x, NULL);
  j->left = (uint64_t)number(x, "bytes", 100000);
  if (number(x, "type", 0)) header(x, "Content-Type", "text/plain");
  weft_exchange_stream(x);
  pour(j);
}

static void slow_now(void *ud) {
  struct job *j = ud;
  struct weft_exchange *x = j->x;
  struct server *s = j->server;
  end_job(j);
  hello(s, x);
}

/* ?ms=: answers later */
static void slow(struct server *s, struct weft_exchange *x) {
  struct job *j = new_job(s, x, slow_now);
  weft_timer_start(j->timer, weft_loop_now(s->loop) + number(x, "ms", 10) * 1000000);
}

static void hold(struct server *s, struct weft_exchange *x) { new_job(s, x, NULL); }

static void drop(struct server *s, struct weft_exchange *x) {
  (void)s;
  weft_exchange_drop(x);
}

/* A response that ends in the middle. */
static void cut(struct server *s, struct weft_exchange *x) {
  (void)s;
  weft_exchange_stream(x);
  weft_exchange_write(x, WEFT_LIT("only so much"));
  weft_exchange_drop(x);
}

/* A handler that confuses the two ways to answer. */
static void confused(struct server *s, struct weft_exchange *x) {
  int64_t how = number(x, "how", 0);
  (void)s;
  if (how == 0) {
    weft_exchange_end(x);
  } else if (how == 1) {
    weft_exchange_write(x, WEFT_LIT("no stream before"));
    weft_exchange_end(x);
  } else {
    weft_exchange_stream(x);
    weft_exchange_body_of(x, WEFT_LIT("a body behind a stream"));
  }
}

static void stop_all(struct server *s, struct weft_exchange *x) {
  weft_http_drain(s->http, NULL, NULL);
  hello(s, x);
}

static void next_event(void *ud) {
  struct job *j = ud;
  struct weft_exchange *x = j->x;
  if (j->left-- == 0 || weft_exchange_gone(x)) {
    end_job(j);
    weft_exchange_end(x);
    return;
  }
  weft_exchange_write(x, WEFT_LIT("data: tick\n\n"));
  weft_timer_start(j->timer, weft_loop_now(j->server->loop) + 10 * 1000000);
}

/* ?n=: server-sent events, one each 10 ms */
static void events(struct server *s, struct weft_exchange *x) {
  struct job *j = new_job(s, x, next_event);
  j->left = (uint64_t)number(x, "n", 3);
  header(x, "Content-Type", number(x, "type", 0) ? "text/plain" : "text/event-stream");
  weft_exchange_stream(x);
  next_event(j);
}

static void status(struct server *s, struct weft_exchange *x) {
  (void)s;
  weft_exchange_status(x, (int)number(x, "is", 200));
  weft_exchange_body_of(x, WEFT_LIT("a body"));
}

static void file(struct server *s, struct weft_exchange *x) {
  char path[4096];
  struct weft_slice tail = weft_exchange_path(x);
  struct weft_error err;
  (void)s;
  snprintf(path, sizeof path, "%s/%.*s", folder, (int)tail.n - 6, tail.p + 6);
  if (weft_exchange_file(x, path, &err) == 0) return;
  weft_exchange_status(x, 404);
  weft_exchange_body_of(x, weft_slice_of(weft_kind_name(err.kind)));
}

static void request(void *ud, struct weft_exchange *x) {
  static const struct {
    struct weft_slice path;
    void (*run)(struct server *s, struct weft_exchange *x);
  } routes[] = {{WEFT_LIT("/hello"), hello}, {WEFT_LIT("/big"), big},   {WEFT_LIT("/stream"), stream},
                {WEFT_LIT("/slow"), slow},   {WEFT_LIT("/hold"), hold}, {WEFT_LIT("/drop"), drop},
                {WEFT_LIT("/cut"), cut},     {WEFT_LIT("/events"), events}, {WEFT_LIT("/status"), status},
                {WEFT_LIT("/confused"), confused}, {WEFT_LIT("/stop"), stop_all}};
  struct weft_slice path = weft_exchange_path(x);
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
    if (!weft_slice_equal(path, routes[i].path)) continue;
    routes[i].run(ud, x);
    return;
  }
  if (path.n > 6 && memcmp(path.p, "/file/", 6) == 0) file(ud, x);
  else echo(ud, x);
}

static void ended(void *ud, const struct weft_exchange *x) {
  struct server *s = ud;
  (void)x;
  s->ended++;
}

static void drained(void *ud, struct weft_exchange *x) {
  struct server *s = ud;
  s->drained++;
  struct job *j = weft_exchange_get(x);
  if (j) pour(j);
}

/* ---- commands ---- */

static void say_stats(struct server *s) {
  struct weft_http_stats t;
  weft_http_stats(s->http, &t);
  printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32
         " %" PRIu32 " %" PRIu64 " %" PRIu64 "\n",
         t.connections, t.requests, t.refused, t.bytes_in, t.bytes_out, t.timeouts, t.resets, t.open, t.idle,
         t.in_flight, s->ended, s->drained);
}

static int finish_held(struct server *s) {
  int n = 0;
  for (struct weft_list *at = s->jobs.next, *next; at != &s->jobs; at = next) {
    struct job *j = WEFT_CONTAINER(at, struct job, link);
    struct weft_exchange *x = j->x;
    next = at->next;
    if (weft_exchange_begun(x) || j->timer) continue;
    end_job(j);
    hello(s, x);
    n++;
  }
  return n;
}

static void say_drained(void *ud) {
  (void)ud;
  puts("drained");
}

static void command(struct server *s, const char *line) {
  if (strcmp(line, "stats") == 0) {
    say_stats(s);
  } else if (strcmp(line, "drain") == 0) {
    puts("draining");
    weft_http_drain(s->http, say_drained, NULL);
  } else if (strcmp(line, "finish") == 0) {
    printf("%d\n", finish_held(s));
  } else if (strcmp(line, "free") == 0) {
    weft_http_free(s->http, &s->closed);
    s->freed = true;
    puts("freed");
  } else {
    s->done = true;
  }
}

static void on_command(void *ud, int seen) {
  static char text[256];
  static size_t n;
  ssize_t got = read(0, text + n, sizeof text - 1 - n);
  (void)seen;
  if (got <= 0) {
    command(ud, "quit");
    return;
  }
  n += (size_t)got;
  for (char *end; (end = memchr(text, '\n', n));) {
    *end = 0;
    command(ud, text);
    n -= (size_t)(end + 1 - text);
    memmove(text, end + 1, n);
  }
}

/* ---- life ---- */

static void open_server(struct server *s, int fd) {
  static const struct weft_http_handler handler = {.request = request, .ended = ended, .drained = drained};
  struct weft_http_handler own = handler;
  struct weft_error err;
  own.ud = s;
  weft_list_init(&s->jobs);
  weft_buf_init(&s->body);
  if (weft_loop_new(NULL, &s->loop, &err) < 0 || weft_http_new(s->loop, &options, &own, &s->http, &err) < 0 ||
      weft_http_listen(s->http, fd, &err) < 0)
    die(err.message);
}

static void close_server(struct server *s) {
  struct weft_error err;
  if (!s->freed) weft_http_free(s->http, &s->closed);
  while (!weft_list_empty(&s->jobs)) {
    struct job *j = WEFT_CONTAINER(s->jobs.next, struct job, link);
    struct weft_exchange *x = j->x;
    end_job(j);
    weft_exchange_drop(x);
  }
  if (weft_loop_pump(s->loop, &s->closed, &err) < 0) die(err.message);
  weft_loop_free(s->loop);
  weft_buf_release(&s->body);
}

static void stop(void *ud) { ((struct server *)ud)->done = true; }

static void *serve(void *ud) {
  struct server *s = ud;
  struct weft_error err;
  if (weft_loop_pump(s->loop, &s->done, &err) < 0) die(err.message);
  return NULL;
}

static void option(char *word) {
  static const struct {
    const char *name;
    size_t at, size;
  } fields[] = {
#define FIELD(name) {#name, offsetof(struct weft_http_options, name), sizeof options.name}
      FIELD(max_target), FIELD(max_head),   FIELD(max_headers), FIELD(max_body), FIELD(max_connections),
      FIELD(head_ns),    FIELD(body_ns),    FIELD(idle_ns),     FIELD(write_ns), FIELD(max_in_flight),
      FIELD(high_water), FIELD(gzip_min),
#undef FIELD
  };
  static size_t n;
  char *value = strchr(word, '=');
  if (!value) die("an option is NAME=VALUE");
  *value++ = 0;
  int64_t v = strtoll(value, NULL, 10);
  if (strcmp(word, "trusted") == 0 && n < 16) {
    trusted[n++] = value;
    options.trusted = trusted;
    return;
  }
  if (strcmp(word, "folder") == 0) {
    folder = value;
    return;
  }
  if (strcmp(word, "threads") == 0 && v >= 1 && v <= THREADS) {
    threads = (int)v;
    return;
  }
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (strcmp(word, fields[i].name) == 0) {
      memcpy((char *)&options + fields[i].at, &v, fields[i].size);
      return;
    }
  die("unknown option");
}

int main(int argc, char **argv) {
  struct weft_error err;
  int fds[THREADS];
  char name[256];
  if (argc < 2) die("usage: httpd ADDRESS [NAME=VALUE]...");
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 2; i < argc; i++) option(argv[i]);
  address = argv[1];
  for (int i = 0; i < threads; i++) {
    if (weft_http_bind(address, threads > 1, 0, &fds[i], &err) < 0) die(err.message);
    weft_http_name(fds[i], name, sizeof name);
    address = name;
    open_server(&servers[i], fds[i]);
  }
  printf("%s %d\n", name, (int)getpid());
  for (int i = 1; i < threads; i++) {
    servers[i].wake = weft_wake_new(servers[i].loop, stop, &servers[i]);
    pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
  }
  struct weft_watch *commands = weft_watch_new(servers[0].loop, 0, on_command, &servers[0]);
  if (!commands) die("the standard input cannot be watched");
  weft_watch_events(commands, WEFT_READABLE);
  serve(&servers[0]);
  weft_watch_free(commands);
  for (int i = 0; i < threads; i++) {
    if (i) {
      weft_wake_send(servers[i].wake);
      pthread_join(servers[i].thread, NULL);
      weft_wake_free(servers[i].wake);
    }
    close_server(&servers[i]);
    close(fds[i]);
  }
  return 0;
}
