/* SPDX-License-Identifier: MIT */
/* Feeds bytes to the parser as a connection does, in any pieces, and writes down what came of them. */
#ifndef HTTP_FEED_H
#define HTTP_FEED_H

#include "http_private.h"

struct feed {
  struct weft_http http;
  struct weft_buf in, log;
  struct weft_scan scan;
  struct weft_exchange *x; /* whose body is read */
  int refused;
  void (*check)(struct weft_exchange *x); /* of each whole request; may be NULL */
};

static inline void feed_init(struct feed *f) {
  *f = (struct feed){0};
  f->http.o = (struct weft_http_options){
      .max_target = 256, .max_head = 2048, .max_headers = 16, .max_body = 4096, .gzip_min = SIZE_MAX};
  weft_list_init(&f->http.free);
  f->http.held = 1; /* never frees itself */
  weft_buf_init(&f->in);
  weft_buf_init(&f->log);
}

static inline void feed_end(struct feed *f) {
  if (f->x) weft_exchange_finish(f->x);
  f->x = NULL;
  weft_exchange_free_all(&f->http);
  f->http.nfree = 0;
  weft_buf_release(&f->in);
  weft_buf_release(&f->log);
}

/* Another stream of bytes. */
static inline void feed_again(struct feed *f) {
  if (f->x) weft_exchange_finish(f->x);
  f->x = NULL;
  f->refused = 0;
  f->scan = (struct weft_scan){0};
  weft_buf_reset(&f->in);
  weft_buf_reset(&f->log);
}

static inline void feed_part(struct feed *f, struct weft_slice s) {
  weft_buf_char(&f->log, ' ');
  weft_buf_slice_add(&f->log, s);
}

static inline void feed_write(struct feed *f, struct weft_exchange *x) {
  weft_buf_slice_add(&f->log, x->method);
  feed_part(f, x->target);
  feed_part(f, x->path);
  feed_part(f, x->query.p ? x->query : WEFT_LIT("-"));
  feed_part(f, x->host);
  weft_buf_fmt(&f->log, " %d %d", x->version, x->keep_alive);
  for (size_t i = 0; i < x->nheaders; i++) {
    feed_part(f, x->headers[i].name);
    weft_buf_char(&f->log, '=');
    weft_buf_slice_add(&f->log, x->headers[i].value);
  }
  weft_buf_lit(&f->log, " [");
  weft_buf_slice_add(&f->log, weft_buf_slice(&x->body));
  weft_buf_lit(&f->log, "]\n");
}

static inline void feed_refuse(struct feed *f, int status) {
  f->refused = status;
  weft_buf_fmt(&f->log, "%d\n", status);
}

static inline size_t feed_head(struct feed *f) {
  ssize_t n = weft_scan_head(&f->scan, &f->http.o, f->in.p, f->in.n);
  if (n < 0) feed_refuse(f, (int)-n);
  if (n <= 0) return 0;
  f->scan = (struct weft_scan){0};
  f->x = weft_exchange_new(&f->http, NULL);
  weft_parse_head(f->x, f->in.p, (size_t)n);
  return (size_t)n;
}

static inline void feed_step(struct feed *f, size_t *used) {
  *used = f->x ? weft_parse_body(f->x, f->in.p, f->in.n) : feed_head(f);
  if (!f->x) return;
  if (f->x->refused) feed_refuse(f, f->x->refused);
  else if (!f->x->complete) return;
  else feed_write(f, f->x);
  if (f->check && !f->x->refused) f->check(f->x);
  weft_exchange_finish(f->x);
  f->x = NULL;
}

static inline void feed(struct feed *f, const char *p, size_t n) {
  size_t used = 1;
  if (f->refused) return;
  weft_buf_add(&f->in, p, n);
  while (!f->refused && f->in.n && used) {
    feed_step(f, &used);
    if (f->refused || !used) break;
    f->in.n -= used;
    memmove(f->in.p, f->in.p + used, f->in.n);
  }
}

#endif
