/* SPDX-License-Identifier: MIT */
/* What the files of the server share.
     http.c       life, limits, what happens at the end of a turn, drain, counters
     phase.c      who waits for what since when: one timer for all
     listen.c     sockets: bind, names, accept
     client.c     a connection: receiving, one request after another, sending, closing
     exchange.c   a request with its response: life, what its handler may ask
     parse.c      bytes to requests: llhttp, and all that it lets through
     target.c     a request's target: forms, decoding, dot segments
     forwarded.c  whom proxies speak for
     head.c       the head of a response; reason.c its phrases
     respond.c    bodies: whole, in pieces
     zip.c        gzip
     file.c       files of the disk; file_type.c what they are by name */
#ifndef WEFT_HTTP_PRIVATE_H
#define WEFT_HTTP_PRIVATE_H

#include <llhttp.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "arena.h"
#include "buf.h"
#include "http.h"
#include "list.h"
#include "loop.h"

enum {
  HTTP_READ = 64 * 1024,    /* bytes of one read, and of what may wait unread behind a request */
  HTTP_SPARES = 32,         /* buffers kept for the next to need one */
  HTTP_SPARE = 64 * 1024,   /* larger ones are freed */
  HTTP_FREE = 256,          /* ended exchanges kept for the next requests */
  HTTP_BODY_STEP = 64 * 1024, /* of a body, after which its deadline begins anew */
  HTTP_ADDRESS = 46
};

/* What a connection waits for. Each has a list in the order of deadlines, since all wait equally long. */
enum weft_phase { PHASE_NONE, PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_WRITE, PHASE_LINGER, PHASES };

struct weft_counters {
  _Atomic uint64_t connections, requests, refused, bytes_in, bytes_out, timeouts, resets;
  _Atomic uint32_t open, idle, in_flight;
};
/* Only the loop's thread writes. */
#define HTTP_COUNT(counter, by) \
  atomic_store_explicit(&(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + (by), memory_order_relaxed)

struct weft_network { /* addresses as IPv6, IPv4 mapped into it */
  uint8_t address[16];
  int bits;
};
struct weft_trusted {
  struct weft_network *networks;
  size_t n;
  bool local; /* whoever comes by a unix socket */
};

struct weft_http {
  struct weft_loop *loop;
  struct weft_http_options o;
  struct weft_http_handler handler;
  struct weft_trusted trusted;
  char *read;   /* HTTP_READ bytes */
  struct weft_list phases[PHASES];
  struct weft_timer *timer;
  int64_t timer_at; /* 0: not running */
  struct weft_list listeners;
  struct weft_list dirty; /* clients with bytes to send or to parse when the turn ends */
  struct weft_list dead;  /* closed clients, freed when the turn ends */
  struct weft_hook turn;
  struct weft_list free; /* exchanges */
  uint32_t nfree, nspares;
  struct weft_buf spares[HTTP_SPARES];
  uint64_t ids[2];  /* of the next request id */
  char common[192]; /* "Server: ...\r\nDate: ...\r\n" of this second */
  size_t ncommon, nserver;
  int64_t common_at, common_second; /* of the turn when it was checked */
  struct weft_zip *zip;             /* of whole bodies, made when first needed */
  uint32_t held;                    /* exchanges that are not ended, works on the thread pool */
  bool draining, freed, *closed;
  bool idle_left; /* those who were idle when draining began are still to be closed */
  void (*drained)(void *ud);
  void *drained_ud;
  struct weft_counters count;
};

/* How far a request's head was looked at. */
struct weft_scan {
  size_t at, line; /* the next byte; where its line began */
  uint32_t lines;
};

struct weft_client {
  struct weft_list link;  /* of http->phases[phase] or of http->dead */
  struct weft_list dirty; /* of http->dirty */
  struct weft_http *http;
  struct weft_watch *watch;
  struct weft_exchange *x; /* whose body is read, or who is in the handler's hands */
  struct weft_buf in, out;
  size_t in_at, out_at; /* the first byte that was not used, not sent */
  struct weft_scan scan;
  int64_t deadline, started; /* of the request whose head is read */
  int fd;                    /* -1: closed */
  uint8_t phase;
  bool renew;   /* the deadline of the phase begins anew: something moved */
  bool eof;     /* the client sends no more */
  bool blocked; /* the client takes no more */
  bool last;    /* no request is read any more: closed when all is sent */
  bool linger;  /* all is sent and said; what still comes is thrown away */
  bool served, local;
  char remote[HTTP_ADDRESS];
};

/* Bytes around the data of a chunked body, looked at as llhttp passes them. */
struct weft_framing {
  uint8_t line; /* 0: the end of a chunk's data, 1: a size, 2: trailers */
  uint8_t part; /* of the line */
  uint8_t digits;
  bool cr;
  uint32_t extension, trailers; /* bytes so far */
};

struct weft_exchange {
  struct weft_list link; /* of http->free */
  struct weft_http *http;
  struct weft_client *client; /* NULL: gone */
  struct weft_arena arena;
  /* the request */
  llhttp_t parser;
  const char *mark; /* what llhttp was given from here on was not looked at */
  struct weft_framing framing;
  struct weft_slice method, target, path, query, remote, scheme, host, id, note;
  struct weft_header *headers;
  size_t nheaders, headers_cap;
  struct weft_buf body;
  int64_t started;
  int refused; /* the status that the parser asks for; 0: none */
  const char *why;
  uint8_t version;
  bool keep_alive, complete, expects, head_request, proxied;
  /* the response */
  int status, answered;
  bool ours;    /* answered here, never in the handler's hands */
  bool chunked, typed, encoded, varies, compressible, held;
  struct weft_buf head; /* lines that were added */
  size_t etag;          /* where a tag's value is in it; 0: none */
  uint64_t sent;
  struct weft_zip *zip; /* of a stream */
  struct weft_file *file;
  void *ud;
  char first[2048]; /* of the arena */
};

/* ---- http.c ---- */
void weft_http_dirty(struct weft_client *c);
struct weft_buf weft_http_spare(struct weft_http *h);
void weft_http_spare_back(struct weft_http *h, struct weft_buf *b);
void weft_http_unref(struct weft_http *h); /* of held */
void weft_http_check_drained(struct weft_http *h);

/* ---- phase.c ---- */
void weft_phase_enter(struct weft_client *c, enum weft_phase phase);
void weft_phase_sweep(void *http);
void weft_phase_wake(struct weft_http *h, int64_t at); /* the sweep comes no later */

/* ---- listen.c ---- */
void weft_listen_stop(struct weft_http *h);
void weft_listen_resume(struct weft_http *h);

/* ---- client.c ---- */
void weft_client_turn(struct weft_client *c);    /* sends, goes on with what waits */
void weft_client_flush(struct weft_client *c);
void weft_client_overdue(struct weft_client *c);
void weft_client_close(struct weft_client *c);   /* at once; what it said last may be lost */
void weft_client_abort(struct weft_client *c);   /* so that the client sees that something is missing */
void weft_client_cut(struct weft_client *c, bool chunked); /* a response ends in its middle */
void weft_client_drain(struct weft_client *c);
void weft_client_answered(struct weft_client *c, bool keep_alive); /* its request has its whole response */
static inline size_t weft_client_waiting(const struct weft_client *c) { return c->out.n - c->out_at; }

struct weft_buf *weft_client_out(struct weft_client *c);

/* ---- exchange.c ---- */
struct weft_exchange *weft_exchange_new(struct weft_http *h, struct weft_client *c);
void weft_exchange_hand_over(struct weft_exchange *x);
void weft_exchange_finish(struct weft_exchange *x); /* the response is complete, or never will be */
void weft_exchange_lose(struct weft_exchange *x);   /* the client is gone */
void weft_exchange_free_all(struct weft_http *h);
struct weft_slice weft_http_pop(struct weft_slice *list); /* takes the last element of a, b, c off it */

/* ---- parse.c ---- */
/* Bytes of the head at p, 0: more are needed, negative: refused with that status. */
ssize_t weft_scan_head(struct weft_scan *s, const struct weft_http_options *o, const char *p, size_t n);
const char *weft_scan_why(int status);
/* A whole head. 0, or x->refused. */
int weft_parse_head(struct weft_exchange *x, const char *p, size_t n);
/* Bytes of the body; the count that was used, then x->complete or x->refused may be set. */
size_t weft_parse_body(struct weft_exchange *x, const char *p, size_t n);
int weft_refuse(struct weft_exchange *x, int status, const char *why); /* returns status */

/* ---- target.c ---- */
int weft_target_parse(struct weft_exchange *x); /* 0, or x->refused */
bool weft_target_host_valid(struct weft_slice host);

/* ---- forwarded.c ---- */
int weft_trusted_parse(struct weft_trusted *t, const char *const *list, struct weft_error *err);
void weft_forwarded(struct weft_exchange *x);
bool weft_forwarded_trusts(const struct weft_trusted *t, struct weft_slice address);

/* ---- head.c ---- */
/* length: of the body, -1: unknown. */
void weft_head_write(struct weft_exchange *x, struct weft_buf *out, int64_t length);
bool weft_head_bodiless(const struct weft_exchange *x); /* whatever is given as its body */
void weft_head_server(struct weft_http *h, const char *server);
void weft_head_date(char out[32], int64_t seconds);     /* "Sun, 06 Nov 1994 08:49:37 GMT" */
int64_t weft_head_read_date(struct weft_slice text); /* -1: it is none */

/* ---- respond.c ---- */
/* An answer of the server itself. */
void weft_respond_error(struct weft_exchange *x, int status, const char *kind, const char *message);
void weft_respond_piece(struct weft_exchange *x, struct weft_slice piece); /* of the body, as it goes over the wire */

/* ---- zip.c ---- */
struct weft_zip;
void weft_zip_vary(struct weft_exchange *x); /* the response depends on Accept-Encoding */
void weft_zip_body(struct weft_exchange *x, struct weft_slice *body); /* compresses it, or leaves it alone */
void weft_zip_stream(struct weft_exchange *x);
void weft_zip_write(struct weft_exchange *x, struct weft_slice chunk);
void weft_zip_flush(struct weft_exchange *x); /* nothing that was written is held back */
void weft_zip_end(struct weft_exchange *x);
void weft_zip_free(struct weft_zip *zip);
bool weft_zip_accepts(struct weft_slice accept_encoding);

/* ---- file.c ---- */
void weft_file_go_on(struct weft_exchange *x); /* there is room */
void weft_file_lose(struct weft_exchange *x);  /* the client is gone */
struct weft_slice weft_file_type(const char *path);

#endif
