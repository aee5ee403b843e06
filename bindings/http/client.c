/* SPDX-License-Identifier: MIT */
/* Invariants:
   - in holds what was received and not used. While a request is in the handler's hands, or the client takes nothing,
     nothing of it is used; reading stops when it holds HTTP_READ bytes.
   - out holds what is to be sent. It leaves when the turn ends, or before when it passes the high water.
   - Requests are taken one after another by `advance`, which runs only from an event of the socket or the end of a
     turn: a handler that answers at once returns into its loop, so that pipelined requests need no stack.
   - The phase and what is watched follow from the state, in `settle`. */
#include "http_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t pending(const struct weft_client *c) { return c->in.n - c->in_at; }
static bool handling(const struct weft_client *c) { return c->x && c->x->complete; }

static enum weft_phase phase_of(const struct weft_client *c) {
  if (c->linger) return PHASE_LINGER;
  if (c->blocked) return PHASE_WRITE;
  if (c->x) return c->x->complete ? PHASE_NONE : PHASE_BODY;
  if (pending(c)) return PHASE_HEAD;
  return c->http->draining ? PHASE_LINGER : PHASE_IDLE;
}

static void settle(struct weft_client *c) {
  if (c->fd < 0) return;
  if (!pending(c) && c->in.p) weft_http_spare_back(c->http, &c->in), c->in_at = 0;
  enum weft_phase phase = phase_of(c);
  if (phase != c->phase || c->renew) weft_phase_enter(c, phase);
  c->renew = false;
  bool room = c->linger || c->last || pending(c) < HTTP_READ;
  bool waits = c->blocked || (c->x && c->x->held);
  weft_watch_events(c->watch, (!c->eof && room ? WEFT_READABLE : 0) | (waits ? WEFT_WRITABLE : 0));
}

/* ---- the end ---- */

void weft_client_close(struct weft_client *c) {
  struct weft_http *h = c->http;
  if (c->fd < 0) return;
  weft_phase_enter(c, PHASE_NONE);
  weft_watch_free(c->watch);
  close(c->fd);
  c->fd = -1;
  weft_list_remove(&c->link);
  weft_list_push(&h->dead, &c->link);
  weft_buf_release(&c->in);
  weft_buf_release(&c->out);
  c->in_at = c->out_at = 0;
  HTTP_COUNT(h->count.open, -1);
  weft_loop_at_end(h->loop, &h->turn);
  struct weft_exchange *x = c->x;
  c->x = NULL;
  if (x) weft_exchange_lose(x);
}

void weft_client_abort(struct weft_client *c) {
  struct linger reset = {.l_onoff = 1};
  if (c->fd < 0) return;
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  weft_client_close(c);
}

/* A chunked body without its last chunk is seen to be cut; every other would look whole unless it is reset. */
void weft_client_cut(struct weft_client *c, bool chunked) {
  weft_client_flush(c);
  if (chunked && c->fd >= 0 && !c->blocked) weft_client_close(c);
  else weft_client_abort(c);
}

static void lost(struct weft_client *c) {
  HTTP_COUNT(c->http->count.resets, 1);
  weft_client_close(c);
}

/* All is sent. A socket that is closed while bytes arrive is reset, and the client might lose our last words. */
static void say_goodbye(struct weft_client *c) {
  if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
    weft_client_close(c);
    return;
  }
  c->linger = true;
  weft_buf_reset(&c->in);
  c->in_at = 0;
}

/* ---- sending ---- */

/* 1: all was taken, 0: the client takes no more, -1: it is gone. */
static int send_waiting(struct weft_client *c) {
  while (weft_client_waiting(c)) {
    ssize_t n = send(c->fd, c->out.p + c->out_at, weft_client_waiting(c), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    c->out_at += (size_t)n;
    c->renew |= c->blocked;
    HTTP_COUNT(c->http->count.bytes_out, (uint64_t)n);
  }
  return 1;
}

/* Sent bytes go when they are the larger part, so that each byte is moved once at most. */
static void compact(struct weft_client *c) {
  if (c->out_at < c->out.n - c->out_at) return;
  memmove(c->out.p, c->out.p + c->out_at, weft_client_waiting(c));
  c->out.n -= c->out_at;
  c->out_at = 0;
}

void weft_client_flush(struct weft_client *c) {
  if (c->fd < 0 || !weft_client_waiting(c)) return;
  int rc = send_waiting(c);
  if (rc < 0) {
    lost(c);
    return;
  }
  c->blocked = rc == 0;
  if (rc == 0) {
    compact(c);
    return;
  }
  weft_http_spare_back(c->http, &c->out);
  c->out_at = 0;
}

/* Only when the socket says that there is room: the other connections have their turn between two parts of a long
   response. Half of the high water is a distance that makes waking the writer worth it. */
static void wake_writer(struct weft_client *c) {
  struct weft_exchange *x = c->x;
  if (!x || !x->held || weft_client_waiting(c) > c->http->o.high_water / 2) return;
  x->held = false;
  if (x->file) weft_file_go_on(x);
  else c->http->handler.drained(c->http->handler.ud, x);
}

/* ---- requests ---- */

static bool ready(const struct weft_client *c) {
  return c->fd >= 0 && !c->last && !c->blocked && !handling(c) && weft_client_waiting(c) < c->http->o.high_water;
}

static void refuse(struct weft_client *c, struct weft_exchange *x, int status, const char *why) {
  static const struct {
    int status;
    const char *kind;
  } kinds[] = {{408, "timeout"}, {417, "unsupported"}, {501, "unsupported"}, {505, "unsupported"}};
  const char *kind = "usage";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].status == status) kind = kinds[i].kind;
  c->x = x;
  x->keep_alive = false;
  HTTP_COUNT(c->http->count.refused, 1);
  weft_respond_error(x, status, kind, why);
}

static void overloaded(struct weft_client *c, struct weft_exchange *x) {
  HTTP_COUNT(c->http->count.refused, 1);
  weft_exchange_add(x, WEFT_LIT("Retry-After"), WEFT_LIT("1"), NULL);
  weft_respond_error(x, 503, "throttled", "too many requests are being handled");
}

static void hand_over(struct weft_client *c, struct weft_exchange *x) {
  struct weft_http *h = c->http;
  HTTP_COUNT(h->count.requests, 1);
  if (atomic_load_explicit(&h->count.in_flight, memory_order_relaxed) >= h->o.max_in_flight) {
    overloaded(c, x);
    return;
  }
  weft_exchange_hand_over(x);
}

static struct weft_exchange *begin(struct weft_client *c) {
  struct weft_exchange *x = weft_exchange_new(c->http, c);
  x->started = c->started;
  c->scan = (struct weft_scan){0};
  return x;
}

static size_t take_body(struct weft_client *c, const char *p, size_t n) {
  struct weft_exchange *x = c->x;
  size_t steps = x->body.n / HTTP_BODY_STEP, used = weft_parse_body(x, p, n);
  c->renew |= x->body.n / HTTP_BODY_STEP != steps;
  if (x->refused) refuse(c, x, x->refused, x->why);
  else if (x->complete) hand_over(c, x);
  return used;
}

/* The client waits for a word before it sends the body. */
static void invite(struct weft_client *c) {
  weft_buf_lit(weft_client_out(c), "HTTP/1.1 100 Continue\r\n\r\n");
  weft_http_dirty(c);
}

static size_t take_head(struct weft_client *c, const char *p, size_t n) {
  if (c->scan.at == 0) c->started = weft_loop_now(c->http->loop);
  ssize_t head = weft_scan_head(&c->scan, &c->http->o, p, n);
  if (head == 0) return 0;
  struct weft_exchange *x = begin(c);
  if (head < 0) {
    refuse(c, x, (int)-head, weft_scan_why((int)-head));
    return n;
  }
  if (weft_parse_head(x, p, (size_t)head)) {
    refuse(c, x, x->refused, x->why);
    return n;
  }
  c->x = x;
  if (x->complete) hand_over(c, x);
  else if (x->expects && n == (size_t)head) invite(c);
  return (size_t)head;
}

/* Uses what it can; the bytes that were used. */
static size_t advance(struct weft_client *c, const char *p, size_t n) {
  size_t at = 0;
  while (at < n && ready(c)) {
    size_t used = c->x ? take_body(c, p + at, n - at) : take_head(c, p + at, n - at);
    if (used == 0) break;
    at += used;
  }
  return at;
}

static void advance_waiting(struct weft_client *c) {
  if (!pending(c) || !ready(c)) return;
  size_t used = advance(c, c->in.p + c->in_at, pending(c));
  if (c->fd < 0) return;
  c->in_at += used;
}

/* ---- receiving ---- */

static void keep(struct weft_client *c, const char *p, size_t n) {
  if (!n || c->fd < 0 || c->last) return;
  if (!c->in.p) c->in = weft_http_spare(c->http);
  if (c->in_at && c->in_at >= pending(c)) {
    memmove(c->in.p, c->in.p + c->in_at, pending(c));
    c->in.n -= c->in_at;
    c->in_at = 0;
  }
  weft_buf_add(&c->in, p, n);
  if (weft_buf_failed(&c->in)) lost(c);
}

static void received(struct weft_client *c, const char *p, size_t n) {
  HTTP_COUNT(c->http->count.bytes_in, n);
  if (c->linger || c->last) return;
  if (pending(c)) {
    keep(c, p, n);
    advance_waiting(c);
  } else {
    size_t used = advance(c, p, n);
    keep(c, p + used, n - used);
  }
}

/* What is still asked may be answered; half a request cannot. */
static void ended(struct weft_client *c) {
  c->eof = true;
  if (c->linger || (!c->x && !pending(c) && !weft_client_waiting(c))) {
    weft_client_close(c);
    return;
  }
  weft_http_dirty(c);
}

static void receive(struct weft_client *c) {
  ssize_t n = recv(c->fd, c->http->read, HTTP_READ, 0);
  if (n > 0) received(c, c->http->read, (size_t)n);
  else if (n == 0) ended(c);
  else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) lost(c);
}

/* After the end of its input: a request that is not whole never will be, and after the last one all is said. */
static void after_eof(struct weft_client *c) {
  if (c->fd < 0 || !c->eof || !ready(c)) return;
  if (c->x || pending(c)) refuse(c, c->x ? c->x : begin(c), 400, "the request ends early");
  c->last = true;
}

void weft_client_turn(struct weft_client *c) {
  if (c->x && c->x->zip && !c->x->file) weft_zip_flush(c->x);
  weft_client_flush(c);
  if (c->fd < 0) return;
  advance_waiting(c);
  after_eof(c);
  if (c->fd >= 0 && c->last && !c->x && !c->linger) {
    if (weft_client_waiting(c) && !c->blocked) weft_client_flush(c);
    if (c->fd >= 0 && !weft_client_waiting(c)) say_goodbye(c);
  }
  settle(c);
}

static void on_event(void *ud, int events) {
  struct weft_client *c = ud;
  if (events & WEFT_READABLE) receive(c);
  if (c->fd >= 0 && (events & WEFT_WRITABLE)) {
    weft_client_flush(c);
    wake_writer(c);
    if (c->fd >= 0) weft_http_dirty(c);
  }
  settle(c);
}

/* ---- what others tell it ---- */

struct weft_buf *weft_client_out(struct weft_client *c) {
  if (!c->out.p) c->out = weft_http_spare(c->http);
  return &c->out;
}

void weft_client_answered(struct weft_client *c, bool keep_alive) {
  c->x = NULL;
  c->served = c->renew = true;
  if (!keep_alive || c->http->draining) c->last = true;
  weft_http_dirty(c);
}

void weft_client_overdue(struct weft_client *c) {
  bool asked = c->phase == PHASE_HEAD || c->phase == PHASE_BODY;
  if (c->phase != PHASE_LINGER) HTTP_COUNT(c->http->count.timeouts, c->phase != PHASE_IDLE);
  if (!asked) {
    if (c->phase == PHASE_WRITE) weft_client_abort(c);
    else weft_client_close(c);
    return;
  }
  refuse(c, c->x ? c->x : begin(c), 408, "the request came too slowly");
  settle(c);
}

/* A connection whose request is under way may not be cut: what was accepted is answered. */
void weft_client_drain(struct weft_client *c) {
  if (c->fd < 0 || c->x || c->phase != PHASE_IDLE) return;
  receive(c);
  if (c->fd < 0) return;
  settle(c);
  if (c->served && !c->x && !pending(c) && !weft_client_waiting(c)) c->last = true, weft_http_dirty(c);
}

/* ---- the beginning ---- */

static void name_peer(struct weft_client *c) {
  struct sockaddr_storage a = {0};
  socklen_t n = sizeof a;
  getpeername(c->fd, (struct sockaddr *)&a, &n);
  const struct sockaddr_in6 *six = (const void *)&a;
  if (a.ss_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)&a)->sin_addr, c->remote, sizeof c->remote);
  else if (a.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
    inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], c->remote, sizeof c->remote);
  else if (a.ss_family == AF_INET6)
    inet_ntop(AF_INET6, &six->sin6_addr, c->remote, sizeof c->remote);
  else
    memcpy(c->remote, "unix", 5), c->local = true;
}

void weft_http_take(struct weft_http *h, int fd) {
  if (atomic_load_explicit(&h->count.open, memory_order_relaxed) >= h->o.max_connections) {
    close(fd);
    return;
  }
  struct weft_client *c = weft_zalloc(sizeof *c);
  int one = 1;
  ioctl(fd, FIONBIO, &one);
  c->http = h, c->fd = fd;
  c->watch = weft_watch_new(h->loop, fd, on_event, c);
  if (!c->watch) {
    close(fd);
    free(c);
    return;
  }
  weft_list_init(&c->link);
  weft_list_init(&c->dirty);
  weft_buf_init(&c->in);
  weft_buf_init(&c->out);
  name_peer(c);
  if (!c->local) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  HTTP_COUNT(h->count.open, 1);
  HTTP_COUNT(h->count.connections, 1);
  c->renew = true;
  settle(c);
}
