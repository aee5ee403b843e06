/* SPDX-License-Identifier: MIT */
/* gzip, for bodies whose type is worth it and clients that ask for it. Whole bodies share one compressor of the
   server; a stream has its own, which gives out what it holds at the end of each turn, so that pieces that are written
   together are compressed together and none is held back. */
#include "http_private.h"

#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

enum { LEVEL = 4, GZIP = 13 + 16, MEMORY = 7 }; /* 96 KB for each stream; more gains little below a megabyte */

/* Streams and the server's compressor: what was written and not given out yet is in z. */
struct weft_zip {
  z_stream z;
  bool holds;
};

static struct weft_zip *zip_new(void) {
  struct weft_zip *zip = weft_zalloc(sizeof *zip);
  if (deflateInit2(&zip->z, LEVEL, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK) return zip;
  free(zip);
  return NULL;
}

void weft_zip_free(struct weft_zip *zip) {
  if (!zip) return;
  deflateEnd(&zip->z);
  free(zip);
}

/* ---- whether ---- */

/* ";q=0.5": the weight is not zero. */
static bool wanted(struct weft_slice parameters) {
  const char *q = memmem(parameters.p, parameters.n, "q=", 2), *end = parameters.p + parameters.n;
  if (!q) return true;
  for (q += 2; q < end; q++)
    if (*q >= '1' && *q <= '9') return true;
  return false;
}

bool weft_zip_accepts(struct weft_slice list) {
  bool any = false;
  while (list.n) {
    struct weft_slice coding = weft_http_pop(&list), rest = coding;
    while (rest.n && *rest.p != ';' && *rest.p != ' ' && *rest.p != '\t') rest.p++, rest.n--;
    coding.n -= rest.n;
    if (coding.n == 4 && strncasecmp(coding.p, "gzip", 4) == 0) return wanted(rest);
    if (coding.n == 1 && *coding.p == '*') any = wanted(rest);
  }
  return any;
}

/* Another body than without compression is no longer byte for byte what a strong tag names. */
static void weaken(struct weft_exchange *x) {
  if (!x->etag || x->head.p[x->etag] != '"' || !weft_buf_room(&x->head, 2)) return;
  char *at = x->head.p + x->etag;
  memmove(at + 2, at, x->head.n - x->etag);
  memcpy(at, "W/", 2);
  x->head.n += 2;
}

void weft_zip_vary(struct weft_exchange *x) {
  if (!x->varies) weft_exchange_add(x, WEFT_LIT("Vary"), WEFT_LIT("Accept-Encoding"), NULL);
  x->varies = true;
}

/* Says in the head that it depends. */
static bool decide(struct weft_exchange *x) {
  if (!x->compressible || x->encoded || x->http->o.gzip_min == SIZE_MAX || x->status == 204 || x->status == 304)
    return false;
  weft_zip_vary(x);
  return weft_zip_accepts(weft_exchange_header(x, WEFT_LIT("accept-encoding")));
}

static void say(struct weft_exchange *x) {
  weaken(x);
  weft_exchange_add(x, WEFT_LIT("Content-Encoding"), WEFT_LIT("gzip"), NULL);
}

/* ---- whole bodies ---- */

void weft_zip_body(struct weft_exchange *x, struct weft_slice *body) {
  struct weft_http *h = x->http;
  if (body->n < h->o.gzip_min || !decide(x)) return;
  if (!h->zip) h->zip = zip_new();
  if (!h->zip || body->n > UINT32_MAX) return;
  z_stream *z = &h->zip->z;
  size_t bound = deflateBound(z, body->n);
  char *out = weft_arena_try(&x->arena, bound, SIZE_MAX);
  if (!out) return;
  z->next_in = (Bytef *)body->p, z->avail_in = (uInt)body->n;
  z->next_out = (Bytef *)out, z->avail_out = (uInt)bound;
  int rc = deflate(z, Z_FINISH);
  size_t n = bound - z->avail_out;
  deflateReset(z);
  if (rc != Z_STREAM_END || n >= body->n) return;
  *body = weft_slice(out, n);
  say(x);
}

/* ---- streams ---- */

void weft_zip_stream(struct weft_exchange *x) {
  if (!decide(x) || (x->zip = zip_new()) == NULL) return;
  say(x);
}

static void run(struct weft_exchange *x, struct weft_slice chunk, int flush) {
  z_stream *z = &x->zip->z;
  char out[16 * 1024];
  z->next_in = (Bytef *)chunk.p, z->avail_in = (uInt)chunk.n;
  do {
    z->next_out = (Bytef *)out, z->avail_out = sizeof out;
    deflate(z, flush);
    weft_respond_piece(x, weft_slice(out, sizeof out - z->avail_out));
  } while (z->avail_out == 0);
  x->zip->holds = flush == Z_NO_FLUSH;
}

void weft_zip_write(struct weft_exchange *x, struct weft_slice chunk) {
  while (chunk.n) {
    size_t n = chunk.n < 1 << 20 ? chunk.n : 1 << 20;
    run(x, weft_slice(chunk.p, n), Z_NO_FLUSH);
    chunk.p += n, chunk.n -= n;
  }
}

void weft_zip_flush(struct weft_exchange *x) {
  if (x->zip->holds) run(x, weft_slice(NULL, 0), Z_SYNC_FLUSH);
}

void weft_zip_end(struct weft_exchange *x) { run(x, weft_slice(NULL, 0), Z_FINISH); }
