/* SPDX-License-Identifier: MIT */
/* A stand-in of the AWS Lambda Runtime API (2018-06-01), as its public specification says, for specs:
   runtime_api PORTFILE writes its port there and serves until its standard input ends.

   For the runtime: GET /2018-06-01/runtime/invocation/next waits for an event; POST .../invocation/ID/response and
   .../ID/error answer 202, or 400 for an id that is not under way; POST .../init/error is refused with 403 once the
   runtime has asked for an event. For the spec: POST /test/event queues one (headers lambda-runtime-* go out with
   it) and tells its id; GET /test/result/ID and /test/init wait for what the runtime sent; GET /test/count tells how
   many connections and requests there were. POST /test/raw sets the bytes that GET /raw is answered with: "x-hold: 1"
   keeps the request waiting behind them, "x-close: 1" ends the connection. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEERS = 64, EVENTS = 256, ROOM = 16 << 20, HEAD = 16384 };

enum wait { NOTHING, FOR_EVENT, FOR_RESULT, FOR_INIT, FOR_EVER };

struct peer {
  int fd;
  char *in;
  size_t n;
  enum wait waits;
  int event; /* whose result */
};

struct event {
  char *body, *headers, *result, *how; /* how: headers that tell of the result */
  size_t nbody, nresult;
  bool sent;
};

static struct peer peers[PEERS];
static struct event events[EVENTS], init;
static int nevents, next_event, asked, connections, requests;
static char *raw;
static size_t nraw;
static bool raw_hold, raw_close;

static char *copy(const char *p, size_t n) {
  char *to = malloc(n + 1);
  if (!to) abort();
  memcpy(to, p, n);
  to[n] = 0;
  return to;
}

static void end(struct peer *p) {
  close(p->fd);
  free(p->in);
  *p = (struct peer){.fd = -1};
}

static void put(struct peer *p, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t sent = send(p->fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    n -= (size_t)sent;
  }
}

static void answer(struct peer *p, const char *status, const char *headers, const char *body, size_t n) {
  char head[HEAD];
  int len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Type: application/json\r\n%s\r\n",
                     status, n, headers);
  p->waits = NOTHING;
  put(p, head, (size_t)len);
  put(p, body, n);
}

static void accepted(struct peer *p) { answer(p, "202 Accepted", "", "{\"status\":\"OK\"}", 15); }

static void refuse(struct peer *p, const char *status, const char *type) {
  char body[200];
  int n = snprintf(body, sizeof body, "{\"errorMessage\":\"refused\",\"errorType\":\"%s\"}", type);
  answer(p, status, "", body, (size_t)n);
}

/* ---- what waits ---- */

static void try_event(struct peer *p) {
  if (next_event == nevents) return;
  struct event *e = &events[next_event];
  char headers[HEAD];
  snprintf(headers, sizeof headers, "Lambda-Runtime-Aws-Request-Id: id-%d\r\n%s", next_event, e->headers);
  next_event++;
  e->sent = true;
  answer(p, "200 OK", headers, e->body, e->nbody);
}

static void try_result(struct peer *p, const struct event *e) {
  if (e->result) answer(p, "200 OK", e->how, e->result, e->nresult);
}

static void try_again(struct peer *p) {
  if (p->waits == FOR_EVENT) try_event(p);
  else if (p->waits == FOR_RESULT) try_result(p, &events[p->event]);
  else if (p->waits == FOR_INIT) try_result(p, &init);
}

/* ---- requests ---- */

struct request {
  const char *method, *path, *head, *body;
  size_t nbody;
};

/* The value of a header as a copy, or NULL. */
static char *header(const struct request *r, const char *name) {
  size_t n = strlen(name);
  for (const char *line = strstr(r->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
      const char *value = line + 3 + n + strspn(line + 3 + n, " ");
      return copy(value, strcspn(value, "\r"));
    }
  return NULL;
}

static char *runtime_headers(const struct request *r) {
  char out[HEAD] = "";
  size_t used = 0;
  for (const char *line = strstr(r->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, "lambda-runtime-", 15) == 0)
      used += (size_t)snprintf(out + used, sizeof out - used, "%.*s\r\n", (int)strcspn(line + 2, "\r"), line + 2);
  return copy(out, used);
}

static void keep_result(struct event *e, const struct request *r, const char *kind) {
  char how[HEAD];
  char *type = header(r, "lambda-runtime-function-error-type"), *content = header(r, "content-type");
  int n = snprintf(how, sizeof how, "X-Kind: %s\r\nX-Error-Type: %s\r\nX-Content-Type: %s\r\n", kind, type ? type : "",
                   content ? content : "");
  free(type);
  free(content);
  e->how = copy(how, (size_t)n);
  e->result = copy(r->body, r->nbody);
  e->nresult = r->nbody;
}

static void finish_event(struct peer *p, const struct request *r, const char *rest) {
  int id = -1, used = 0;
  bool fine = sscanf(rest, "id-%d%n", &id, &used) == 1 && id >= 0 && id < nevents && events[id].sent &&
              !events[id].result;
  const char *what = rest + used;
  if (!fine) return refuse(p, "400 Bad Request", "InvalidRequestID");
  if (strcmp(what, "/response") == 0) {
    if (r->nbody > 6 * 1024 * 1024) return refuse(p, "413 Payload Too Large", "RequestEntityTooLarge");
    keep_result(&events[id], r, "response");
  } else if (strcmp(what, "/error") == 0) {
    keep_result(&events[id], r, "error");
  } else {
    return refuse(p, "404 Not Found", "NotFound");
  }
  accepted(p);
}

static bool under_way(void) {
  return next_event > 0 && !events[next_event - 1].result;
}

static void runtime(struct peer *p, const struct request *r, const char *rest) {
  bool post = strcmp(r->method, "POST") == 0;
  if (!post && strcmp(rest, "invocation/next") == 0) {
    if (under_way()) return refuse(p, "403 Forbidden", "InvalidStateTransition");
    asked = 1;
    p->waits = FOR_EVENT;
  } else if (post && strncmp(rest, "invocation/", 11) == 0) {
    finish_event(p, r, rest + 11);
  } else if (post && strcmp(rest, "init/error") == 0) {
    if (asked) return refuse(p, "403 Forbidden", "InvalidStateTransition");
    keep_result(&init, r, "init");
    accepted(p);
  } else {
    refuse(p, "404 Not Found", "NotFound");
  }
}

static void set_raw(struct peer *p, const struct request *r) {
  char *hold = header(r, "x-hold"), *closing = header(r, "x-close");
  free(raw);
  raw = copy(r->body, r->nbody);
  nraw = r->nbody;
  raw_hold = hold != NULL;
  raw_close = closing != NULL;
  free(hold);
  free(closing);
  accepted(p);
}

static void queue(struct peer *p, const struct request *r) {
  char id[32];
  if (nevents == EVENTS) return refuse(p, "507 Full", "Full");
  events[nevents].body = copy(r->body, r->nbody);
  events[nevents].nbody = r->nbody;
  events[nevents].headers = runtime_headers(r);
  int n = snprintf(id, sizeof id, "id-%d", nevents++);
  answer(p, "200 OK", "", id, (size_t)n);
}

static void send_raw(struct peer *p) {
  put(p, raw, nraw);
  if (raw_close) return end(p);
  p->waits = raw_hold ? FOR_EVER : NOTHING;
}

static void echo(struct peer *p, const struct request *r) {
  char *head = copy(r->head, (size_t)(r->body - r->head));
  for (char *c = head; *c; c++)
    if (*c == '\r') *c = ' ';
  char *text = malloc(strlen(head) + r->nbody + 1);
  if (!text) abort();
  size_t n = strlen(head);
  memcpy(text, head, n);
  memcpy(text + n, r->body, r->nbody);
  answer(p, "200 OK", "X-Two: a\r\nX-Two: b\r\n", text, n + r->nbody);
  free(head);
  free(text);
}

static void test(struct peer *p, const struct request *r, const char *rest) {
  char text[64];
  if (strcmp(rest, "event") == 0) queue(p, r);
  else if (strcmp(rest, "raw") == 0) set_raw(p, r);
  else if (strcmp(rest, "init") == 0) p->waits = FOR_INIT;
  else if (strcmp(rest, "count") == 0)
    answer(p, "200 OK", "", text, (size_t)snprintf(text, sizeof text, "%d %d", connections, requests));
  else if (sscanf(rest, "result/id-%d", &p->event) == 1 && p->event >= 0 && p->event < nevents) p->waits = FOR_RESULT;
  else refuse(p, "404 Not Found", "NotFound");
}

static void handle(struct peer *p, const struct request *r) {
  static const char api[] = "/2018-06-01/runtime/";
  requests++;
  if (strncmp(r->path, api, sizeof api - 1) == 0) runtime(p, r, r->path + sizeof api - 1);
  else if (strncmp(r->path, "/test/", 6) == 0) test(p, r, r->path + 6);
  else if (strcmp(r->path, "/raw") == 0) send_raw(p);
  else if (strcmp(r->path, "/echo") == 0) echo(p, r);
  else refuse(p, "404 Not Found", "NotFound");
}

/* Takes one whole request off p->in; false when there is none yet. */
static bool take(struct peer *p) {
  p->in[p->n] = 0;
  char *stop = strstr(p->in, "\r\n\r\n");
  if (!stop || p->waits != NOTHING) return false;
  size_t nhead = (size_t)(stop - p->in) + 4;
  char *head = copy(p->in, nhead), method[16] = "", path[1024] = "";
  struct request r = {.method = method, .path = path, .head = head};
  char *length = header(&r, "content-length");
  r.nbody = length ? (size_t)atoll(length) : 0;
  free(length);
  bool whole = p->n >= nhead + r.nbody && sscanf(head, "%15s %1023s", method, path) == 2;
  if (whole) {
    char *all = copy(p->in, nhead + r.nbody);
    r.head = all;
    r.body = all + nhead;
    p->n -= nhead + r.nbody;
    memmove(p->in, p->in + nhead + r.nbody, p->n);
    handle(p, &r);
    free(all);
  }
  free(head);
  return whole && p->fd >= 0;
}

static void receive(struct peer *p) {
  ssize_t n = recv(p->fd, p->in + p->n, ROOM - 1 - p->n, 0);
  if (n <= 0) return end(p);
  p->n += (size_t)n;
  while (take(p)) continue;
}

static void admit(int listener) {
  int fd = accept(listener, NULL, NULL), on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (int i = 0; fd >= 0 && i < PEERS; i++)
    if (peers[i].fd < 0) {
      connections++;
      peers[i] = (struct peer){.fd = fd, .in = malloc(ROOM)};
      if (!peers[i].in) abort();
      return;
    }
  if (fd >= 0) close(fd);
}

static int listen_at(const char *portfile) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  FILE *f = fopen(portfile, "w");
  if (fd < 0 || !f || bind(fd, (struct sockaddr *)&at, len) || listen(fd, 64) ||
      getsockname(fd, (struct sockaddr *)&at, &len))
    exit(1);
  fprintf(f, "%d\n", ntohs(at.sin_port));
  fclose(f);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < PEERS; i++) peers[i].fd = -1;
  int listener = listen_at(argv[1]);
  for (;;) {
    struct pollfd fds[PEERS + 2] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    for (int i = 0; i < PEERS; i++) fds[i + 2] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
    if (poll(fds, PEERS + 2, -1) < 0) return 1;
    char c;
    if (fds[0].revents && read(0, &c, 1) <= 0) return 0;
    for (int i = 0; i < PEERS; i++)
      if (fds[i + 2].revents && peers[i].fd >= 0) receive(&peers[i]);
    if (fds[1].revents) admit(listener);
    for (int i = 0; i < PEERS; i++)
      while (peers[i].fd >= 0 && peers[i].waits != NOTHING) {
        try_again(&peers[i]);
        if (peers[i].waits != NOTHING || !take(&peers[i])) break;
      }
  }
}
