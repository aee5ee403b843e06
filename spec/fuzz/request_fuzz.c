/* SPDX-License-Identifier: MIT */
/* A stream of requests: whole and in pieces it is the same, and what is accepted is what it should be. The first four
   bytes say how it is cut. */
#include "../c/http_feed.h"

#include "fuzz.h"
#include "text.h"

static uint32_t cut(uint32_t *state, uint32_t n) {
  *state = *state * 1664525u + 1013904223u;
  return 1 + (uint32_t)((uint64_t)(*state >> 8) * n >> 24);
}

static bool visible(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (((uint8_t)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127) return false;
  return true;
}

static void check(struct weft_exchange *x) {
  size_t hosts = 0, lengths = 0, codings = 0;
  for (size_t i = 0; i < x->nheaders; i++) {
    struct weft_header *h = &x->headers[i];
    MUST(h->name.n > 0 && visible(h->name) && visible(h->value) && !memchr(h->name.p, ' ', h->name.n));
    hosts += weft_slice_equal(h->name, WEFT_LIT("host"));
    lengths += weft_slice_equal(h->name, WEFT_LIT("content-length"));
    codings += weft_slice_equal(h->name, WEFT_LIT("transfer-encoding"));
  }
  MUST(hosts == 1 || (hosts == 0 && x->version == 10));
  MUST(lengths + codings <= 1);
  MUST(lengths || codings || !x->body.n);
  MUST(x->body.n <= x->http->o.max_body && x->target.n <= x->http->o.max_target);
  MUST(x->path.n > 0 && weft_utf8_valid(x->path.p, x->path.n) && !memchr(x->path.p, 0, x->path.n));
  MUST(x->path.p[0] == '/' || weft_slice_equal(x->path, WEFT_LIT("*")));
  MUST(!memmem(x->path.p, x->path.n, "/../", 4) && !memmem(x->path.p, x->path.n, "/./", 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct feed whole, parts;
  if (!whole.check) {
    feed_init(&whole);
    feed_init(&parts);
    whole.check = check;
  }
  uint32_t state;
  if (size < sizeof state) return 0;
  memcpy(&state, data, sizeof state);
  const char *p = (const char *)data + sizeof state;
  size_t n = size - sizeof state;
  feed_again(&whole);
  feed_again(&parts);
  feed(&whole, p, n);
  for (size_t at = 0; at < n;) {
    size_t step = cut(&state, (uint32_t)(n - at));
    feed(&parts, p + at, step);
    at += step;
  }
  MUST(weft_slice_equal(weft_buf_slice(&whole.log), weft_buf_slice(&parts.log)));
  return 0;
}
