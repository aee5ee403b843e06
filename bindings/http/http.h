/* SPDX-License-Identifier: MIT */
/* An HTTP/1.1 server (RFC 9110, RFC 9112) on one loop: connections, parsing, responses. It knows nothing of Lua.
   Everything belongs to the thread of the loop, except weft_http_stats and the sockets of weft_http_bind. What is said
   in one turn of the loop leaves when it ends.

   A connection has one request at a time in the handler's hands; what the client sent behind it waits in the
   connection (and, past some KB, in the kernel), so that answers leave in the order of the requests. A request is
   handed over when its body is there. It is parsed strictly, and what would make two readers of the same bytes see
   different requests is refused with 400 and the end of the connection: obs-fold, a missing or doubled Host, a doubled
   Content-Length or one beside Transfer-Encoding, bare CR or LF, NUL, whitespace before a colon.

   What is refused here never reaches the handler: 400 (not HTTP, bad target), 408 (slow), 413, 414, 431 (too
   large), 417, 501 (transfer coding, method), 503 with Retry-After (too many in flight), 505.

   An exchange is a request with its response. It stays valid until its response has ended or it was dropped by
   weft_exchange_drop, even when the client is gone: writing then does nothing and weft_exchange_gone says so. */
#ifndef WEFT_HTTP_H
#define WEFT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "slice.h"

struct weft_loop;
struct weft_http;
struct weft_exchange;

/* 0 takes the default, which is given behind each. */
struct weft_http_options {
  const char *server;        /* the Server header: "weft"; "": none */
  size_t max_target;         /* bytes of the request line's target: 8 KiB; 414 */
  size_t max_head;           /* bytes of the whole head: 32 KiB; 431 */
  uint32_t max_headers;      /* 100; 431 */
  size_t max_body;           /* 1 MiB; 413 */
  uint32_t max_connections;  /* 16384: further ones are closed at once */
  uint32_t max_in_flight;    /* requests in the handler's hands: 1024; 503 with Retry-After */
  int64_t head_ns;           /* from a request's first byte to the end of its head: 10 s; 408 */
  int64_t body_ns;           /* for each 64 KiB of a body: 30 s; 408 */
  int64_t idle_ns;           /* of a connection between requests: 75 s; negative: for ever */
  int64_t write_ns;          /* without a byte taken by a client that has some to take: 30 s; closed */
  size_t high_water;         /* bytes of a response that wait for the client before writers are held: 256 KiB */
  size_t gzip_min;           /* smallest body that is compressed when asked for: 1024; SIZE_MAX: none ever */
  const char *const *trusted; /* proxies whose X-Forwarded-For, -Proto and -Host count: addresses, CIDR blocks, or
                                 "unix" for whoever comes by a unix socket; NULL-terminated; NULL: none */
};

struct weft_http_handler {
  void *ud;
  /* A request is there. Its response may be given at once or later. */
  void (*request)(void *ud, struct weft_exchange *x);
  /* The exchange has ended, whichever way (also one that was refused here, status then set, and one whose client
     went): for the access log. x is valid during the call. May be NULL. */
  void (*ended)(void *ud, const struct weft_exchange *x);
  /* An exchange whose writer was held has room again, or its client is gone. */
  void (*drained)(void *ud, struct weft_exchange *x);
};

int weft_http_new(struct weft_loop *loop, const struct weft_http_options *o, const struct weft_http_handler *handler,
                  struct weft_http **out, struct weft_error *err);
/* Closes what is open at once; exchanges that are still held become gone, and `ended` is told when they end. *closed is
   set when the last of them has been ended and the thread pool is done with the files: the loop must turn so long. Not
   from a call back of the server. */
void weft_http_free(struct weft_http *h, bool *closed);

/* ---- where connections come from ---- */

/* A listening socket for "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" (both families),
   "unix:/run/app.sock"; port 0 takes a free one, backlog 0 the system's. shared: with SO_REUSEPORT, so that others may
   listen beside it. A unix socket that nobody listens on any more is taken over. */
int weft_http_bind(const char *address, bool shared, int backlog, int *fd, struct weft_error *err);
/* "127.0.0.1:8080", as a socket is bound; weft_http_bind takes it again. */
void weft_http_name(int fd, char *out, size_t size);
/* Accepts on the socket until weft_http_drain. fd stays the caller's. */
int weft_http_listen(struct weft_http *h, int fd, struct weft_error *err);
/* Takes a connection that somebody else has accepted; fd is the server's from now on. */
void weft_http_take(struct weft_http *h, int fd);
/* Stops listening (after it has accepted who waits for that), closes idle connections, ends the others after their
   current request (which says Connection: close); a connection that was never asked anything has two seconds for it.
   done, which may be NULL, is called once when none is left. */
void weft_http_drain(struct weft_http *h, void (*done)(void *ud), void *ud);

/* Counters since the start and gauges; readable from any thread. */
struct weft_http_stats {
  uint64_t connections, requests, refused, bytes_in, bytes_out, timeouts, resets;
  uint32_t open, idle, in_flight;
};
void weft_http_stats(const struct weft_http *h, struct weft_http_stats *out);

/* ---- the request; slices live as long as the exchange ---- */

struct weft_header {
  struct weft_slice name; /* lower case */
  struct weft_slice value;
};
struct weft_slice weft_exchange_method(const struct weft_exchange *x);
struct weft_slice weft_exchange_target(const struct weft_exchange *x); /* as it was sent */
/* Decoded and normalized (RFC 3986, 6.2.2): "." and ".." are resolved, "//" stays; never leaves the root. A target
   whose path holds %00, a bad escape, no UTF-8, or an encoded slash inside of a segment that changes it ("%2f") keeps
   the latter encoded or is refused with 400. */
struct weft_slice weft_exchange_path(const struct weft_exchange *x);
struct weft_slice weft_exchange_query(const struct weft_exchange *x); /* behind the ?, as sent; p NULL: none */
size_t weft_exchange_nheaders(const struct weft_exchange *x);
const struct weft_header *weft_exchange_headers(const struct weft_exchange *x);
/* Values of several lines of one name are joined by ", " ("; " for cookie). p NULL: there is none. name: lower case.
   Underscores are no hyphens: x_a is not x-a. */
struct weft_slice weft_exchange_header(struct weft_exchange *x, struct weft_slice name);
struct weft_slice weft_exchange_body(const struct weft_exchange *x);
int weft_exchange_version(const struct weft_exchange *x); /* 10 or 11 */
/* The client's address without port, and what it reached, after trusted proxies. */
struct weft_slice weft_exchange_remote(const struct weft_exchange *x);
struct weft_slice weft_exchange_scheme(const struct weft_exchange *x); /* http or https */
struct weft_slice weft_exchange_host(const struct weft_exchange *x);
/* X-Request-Id of a trusted proxy when it is 1..128 of [A-Za-z0-9._-], else 32 hexadecimal digits of our own. */
struct weft_slice weft_exchange_id(struct weft_exchange *x);
/* A word of the handler's about it, for logs; copied. p NULL: none. */
void weft_exchange_note(struct weft_exchange *x, struct weft_slice note);
struct weft_slice weft_exchange_noted(const struct weft_exchange *x);
int64_t weft_exchange_started(const struct weft_exchange *x); /* weft_clock_ns at its first byte */

/* ---- the response ----
   status, any headers, then one of: body_of (all of it, at once), stream ... write ... end, or file. Each of body_of,
   end, file and drop ends the exchange, which may be gone when the call returns.

   Date, Server, Connection and Content-Length or Transfer-Encoding are set here; a header of these names, or with a
   byte that may not stand in one, is refused (-1, usage). A body whose Content-Type is worth it is compressed, with
   Content-Encoding and Vary, unless the handler has set Content-Encoding; a strong ETag becomes a weak one then. HEAD,
   204 and 304 send no body, whatever is given. */
void weft_exchange_status(struct weft_exchange *x, int status);
int weft_exchange_add(struct weft_exchange *x, struct weft_slice name, struct weft_slice value, struct weft_error *err);
void weft_exchange_body_of(struct weft_exchange *x, struct weft_slice body); /* copied; the response is complete */
void weft_exchange_stream(struct weft_exchange *x);
/* Copied and sent by the end of the turn. False: the writer should wait for `drained`, which comes in another turn. */
bool weft_exchange_write(struct weft_exchange *x, struct weft_slice chunk);
void weft_exchange_end(struct weft_exchange *x);
/* Sends a file of the disk: type by extension unless it is said, ETag, Last-Modified, If-None-Match,
   If-Modified-Since, Range (one) with If-Range, compressed by what lies beside it (file.gz, not older) or on its way.
   Another status than 200 is sent with all of the file. The response is complete when ended is called. -1, not_found:
   no such plain file, nothing was sent. Whether the path may be asked for is the caller's business. */
int weft_exchange_file(struct weft_exchange *x, const char *path, struct weft_error *err);
bool weft_exchange_begun(const struct weft_exchange *x); /* the head has left: status and headers are said */
bool weft_exchange_streaming(const struct weft_exchange *x); /* a stream has begun and was not ended */
bool weft_exchange_gone(const struct weft_exchange *x);  /* nobody reads it any more */
/* Ends it, whatever it sent so far: 500 when that is nothing; a connection in the middle of a response is cut. */
void weft_exchange_drop(struct weft_exchange *x);
int weft_exchange_answered(const struct weft_exchange *x); /* the status that was sent, 0: none */
uint64_t weft_exchange_sent(const struct weft_exchange *x); /* bytes of its body */
/* A pointer of the handler's, NULL at first. */
void weft_exchange_set(struct weft_exchange *x, void *ud);
void *weft_exchange_get(const struct weft_exchange *x);

const char *weft_http_reason(int status); /* "Not Found"; "" when there is none */

#endif
