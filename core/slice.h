/* SPDX-License-Identifier: MIT */
/* A borrowed run of bytes. Zero bytes inside are allowed; nothing is terminated. */
#ifndef WEFT_SLICE_H
#define WEFT_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct weft_slice {
  const char *p;
  size_t n;
};

/* The slice of a string literal, its length known at compile time. */
#define WEFT_LIT(s) ((struct weft_slice){"" s, sizeof(s) - 1})

static inline struct weft_slice weft_slice(const char *p, size_t n) {
  return (struct weft_slice){p, n};
}

/* A NULL string is the empty slice with p == NULL. */
static inline struct weft_slice weft_slice_of(const char *s) {
  return (struct weft_slice){s, s ? strlen(s) : 0};
}

static inline bool weft_slice_equal(struct weft_slice a, struct weft_slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
