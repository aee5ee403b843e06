/* SPDX-License-Identifier: MIT */
/* What the dialects' semantics have in common: bytes and patterns. */
#include "semantics.h"

int weft_bytes_compare(struct weft_slice a, struct weft_slice b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n ? memcmp(a.p, b.p, n) : 0;
  return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool weft_bytes_begin(struct weft_slice text, struct weft_slice part) {
  return part.n == 0 || (part.n <= text.n && memcmp(text.p, part.p, part.n) == 0);
}

bool weft_bytes_end(struct weft_slice text, struct weft_slice part) {
  return part.n == 0 || (part.n <= text.n && memcmp(text.p + text.n - part.n, part.p, part.n) == 0);
}

bool weft_bytes_contain(struct weft_slice text, struct weft_slice part) {
  return part.n == 0 || (part.n <= text.n && memmem(text.p, text.n, part.p, part.n));
}

bool weft_bytes_ascii(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] >= 0x80) return false;
  return true;
}

static size_t after_char(struct weft_slice s, size_t i) {
  do i++;
  while (i < s.n && ((unsigned char)s.p[i] & 0xC0) == 0x80);
  return i;
}

/* The last % is the only place to come back to: whatever an earlier one could still swallow, the
   last one can swallow too. Literals are compared by bytes, since in UTF-8 no character begins
   inside another. */
bool weft_like(struct weft_slice text, struct weft_slice pattern, char escape,
               unsigned char (*fold)(unsigned char)) {
  size_t t = 0, p = 0, star = SIZE_MAX, mark = 0;
  while (t < text.n) {
    if (p < pattern.n) {
      char c = pattern.p[p];
      if (c == '%') {
        star = ++p;
        mark = t;
        continue;
      }
      if (c == '_') {
        t = after_char(text, t);
        p++;
        continue;
      }
      bool escaped = escape && c == escape && p + 1 < pattern.n;
      unsigned char want = (unsigned char)pattern.p[p + escaped], got = (unsigned char)text.p[t];
      if (want == got || (fold && fold(want) == fold(got))) {
        p += 1u + escaped;
        t++;
        continue;
      }
    }
    if (star == SIZE_MAX) return false;
    p = star;
    t = mark = after_char(text, mark);
  }
  while (p < pattern.n && pattern.p[p] == '%') p++;
  return p == pattern.n;
}
