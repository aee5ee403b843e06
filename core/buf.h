/* SPDX-License-Identifier: MIT */
/* A growing run of bytes. Failure is sticky: add freely, ask weft_buf_failed once. It fails only
   when it would pass its limit (default 1 GiB - 1, SQLite's and PostgreSQL's own) or memory is out;
   what was in it is lost then. */
#ifndef WEFT_BUF_H
#define WEFT_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#pragma GCC visibility push(default)

struct weft_buf {
  char *p; /* NULL while empty */
  size_t n, cap, limit;
  bool failed;
};

void weft_buf_init(struct weft_buf *b);
void weft_buf_release(struct weft_buf *b); /* frees; the buffer is empty and usable again */
static inline void weft_buf_reset(struct weft_buf *b) { b->n = 0, b->failed = false; }
static inline bool weft_buf_failed(const struct weft_buf *b) { return b->failed; }
static inline struct weft_slice weft_buf_slice(const struct weft_buf *b) {
  return (struct weft_slice){b->p, b->n};
}

/* Room for n more bytes at p + n; NULL when it fails. Add to b->n what was used. */
char *weft_buf_room_slow(struct weft_buf *b, size_t n);
static inline char *weft_buf_room(struct weft_buf *b, size_t n) {
  return b->cap - b->n >= n && b->p ? b->p + b->n : weft_buf_room_slow(b, n);
}

static inline void weft_buf_add(struct weft_buf *b, const void *p, size_t n) {
  char *at = weft_buf_room(b, n);
  if (at && n) memcpy(at, p, n), b->n += n;
}
static inline void weft_buf_char(struct weft_buf *b, char c) { weft_buf_add(b, &c, 1); }
static inline void weft_buf_slice_add(struct weft_buf *b, struct weft_slice s) {
  weft_buf_add(b, s.p, s.n);
}
#define weft_buf_lit(b, s) weft_buf_add((b), "" s, sizeof(s) - 1)
void weft_buf_str(struct weft_buf *b, const char *s);
void weft_buf_int(struct weft_buf *b, int64_t v);
enum { WEFT_INT_TEXT = 24 };
size_t weft_int_text(char out[WEFT_INT_TEXT], int64_t v); /* returns the length; no zero byte */
void weft_buf_fmt(struct weft_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text with a zero byte behind it (not counted in n); "" when empty or failed. */
const char *weft_buf_cstr(struct weft_buf *b);

#pragma GCC visibility pop

#endif
