/* SPDX-License-Identifier: MIT */
/* Invariants: n <= cap <= limit; the block has one byte more than cap, for a zero byte. A buffer
   that failed has n == cap == 0 although p may be set, so that every later addition takes the slow
   path and fails again. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 255, BUF_LIMIT = 1024 * 1024 * 1024 - 1 };

void weft_buf_init(struct weft_buf *b) {
  *b = (struct weft_buf){.limit = BUF_LIMIT};
}

void weft_buf_release(struct weft_buf *b) {
  free(b->p);
  b->p = NULL;
  b->n = b->cap = 0;
  b->failed = false;
}

static char *fail(struct weft_buf *b) {
  b->failed = true;
  b->n = b->cap = 0;
  return NULL;
}

/* Doubles, but never past the limit. */
static char *grow(struct weft_buf *b, size_t need) {
  size_t cap = b->cap < BUF_FIRST / 2 ? BUF_FIRST : b->cap * 2 + 1;
  if (cap < need) cap = need;
  if (cap > b->limit) cap = b->limit;
  char *p = realloc(b->p, cap + 1);
  if (!p) return fail(b);
  b->p = p;
  b->cap = cap;
  return p + b->n;
}

char *weft_buf_room_slow(struct weft_buf *b, size_t n) {
  if (b->failed || n > b->limit || b->n > b->limit - n) return fail(b);
  return grow(b, b->n + n);
}

void weft_buf_str(struct weft_buf *b, const char *s) {
  weft_buf_add(b, s, strlen(s));
}

size_t weft_int_text(char out[WEFT_INT_TEXT], int64_t v) {
  static const char pairs[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
      "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
      "9293949596979899";
  char digits[WEFT_INT_TEXT], *end = digits + sizeof digits, *p = end;
  uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
  for (; u >= 100; u /= 100) memcpy(p -= 2, pairs + u % 100 * 2, 2);
  if (u >= 10) memcpy(p -= 2, pairs + u * 2, 2);
  else *--p = (char)('0' + u);
  if (v < 0) *--p = '-';
  memcpy(out, p, (size_t)(end - p));
  return (size_t)(end - p);
}

void weft_buf_int(struct weft_buf *b, int64_t v) {
  char text[WEFT_INT_TEXT];
  weft_buf_add(b, text, weft_int_text(text, v));
}

void weft_buf_fmt(struct weft_buf *b, const char *fmt, ...) {
  size_t room = b->p ? b->cap - b->n + 1 : 0;
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int len = vsnprintf(room ? b->p + b->n : NULL, room, fmt, args);
  va_end(args);
  if (len < 0 || b->failed || (size_t)len > b->limit || b->n > b->limit - (size_t)len) {
    fail(b);
  } else if ((size_t)len < room) {
    b->n += (size_t)len;
  } else if (grow(b, b->n + (size_t)len)) {
    vsnprintf(b->p + b->n, (size_t)len + 1, fmt, again);
    b->n += (size_t)len;
  }
  va_end(again);
}

const char *weft_buf_cstr(struct weft_buf *b) {
  if (b->failed || !b->p) return "";
  b->p[b->n] = 0;
  return b->p;
}
