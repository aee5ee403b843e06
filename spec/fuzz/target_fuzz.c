/* SPDX-License-Identifier: MIT */
/* A request's target and what proxies say: nothing leaves the root, and normalizing twice changes nothing. */
#include "../c/http_feed.h"

#include "fuzz.h"
#include "text.h"

static void normalize_again(struct feed *f, struct weft_slice path) {
  struct weft_exchange *x = weft_exchange_new(&f->http, NULL);
  x->target = path;
  x->parser.method = HTTP_GET;
  MUST(weft_target_parse(x) == 0 && weft_slice_equal(x->path, path));
  weft_exchange_finish(x);
}

/* Of characters that a target may hold as they are, and with no segment that only looks like dots when decoded. */
static bool plain(struct weft_slice path) {
  for (size_t i = 0; i < path.n; i++)
    if (path.p[i] <= ' ' || path.p[i] >= 127 || strchr("%?#", path.p[i])) return false;
  return path.n > 0 && path.p[0] == '/';
}

static bool leaves_root(struct weft_slice path) {
  bool at_end = path.n >= 3 && memcmp(path.p + path.n - 3, "/..", 3) == 0;
  return at_end || memmem(path.p, path.n, "/../", 4) != NULL;
}

static void read_target(struct feed *f, struct weft_slice text) {
  struct weft_exchange *x = weft_exchange_new(&f->http, NULL);
  x->target = weft_arena_slice(&x->arena, text);
  x->parser.method = HTTP_OPTIONS;
  if (text.n && weft_target_parse(x) == 0) {
    MUST(weft_utf8_valid(x->path.p, x->path.n) && !memchr(x->path.p, 0, x->path.n) && !leaves_root(x->path));
    MUST(x->path.n <= text.n || weft_slice_equal(x->path, WEFT_LIT("/")));
    if (plain(x->path)) normalize_again(f, x->path);
  }
  weft_exchange_finish(x);
}

static void read_forwarded(struct feed *f, struct weft_slice text) {
  struct weft_client client = {.http = &f->http, .remote = "127.0.0.1"};
  struct weft_exchange *x = weft_exchange_new(&f->http, &client);
  struct weft_header headers[] = {{WEFT_LIT("x-forwarded-for"), text},
                                  {WEFT_LIT("x-forwarded-host"), text},
                                  {WEFT_LIT("x-forwarded-proto"), text},
                                  {WEFT_LIT("x-request-id"), text}};
  x->headers = headers, x->nheaders = 4;
  weft_forwarded(x);
  MUST(x->remote.n > 0 && x->remote.n < HTTP_ADDRESS && weft_target_host_valid(x->host));
  MUST(weft_exchange_id(x).n > 0 && weft_exchange_id(x).n <= 128);
  weft_zip_accepts(text);
  weft_head_read_date(text);
  x->client = NULL;
  weft_exchange_finish(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct feed f;
  static const char *const trusted[] = {"127.0.0.0/8", "10.0.0.0/8", "fd00::/8", NULL};
  if (!f.http.trusted.n) {
    struct weft_error err;
    feed_init(&f);
    MUST(weft_trusted_parse(&f.http.trusted, trusted, &err) == 0);
  }
  struct weft_slice text = weft_slice((const char *)data, size);
  read_target(&f, text);
  read_forwarded(&f, text);
  return 0;
}
