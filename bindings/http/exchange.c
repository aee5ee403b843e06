/* SPDX-License-Identifier: MIT */
/* Invariants: an exchange is its client's from the end of its head on, in the handler's hands once complete is set
   and ours is not, and ends once, in weft_exchange_finish. When the client goes first it is lost: client is NULL, and
   the handler still ends it. */
#include "http_private.h"

#include <stdlib.h>

#include "hash.h"

enum { KEPT_BODY = 16 * 1024, KEPT_HEAD = 4 * 1024 };

struct weft_exchange *weft_exchange_new(struct weft_http *h, struct weft_client *c) {
  struct weft_exchange *x;
  struct weft_list *at = weft_list_take(&h->free);
  struct weft_buf body, head;
  weft_buf_init(&body);
  weft_buf_init(&head);
  if (at) {
    x = WEFT_CONTAINER(at, struct weft_exchange, link);
    body = x->body, head = x->head;
    h->nfree--;
  } else {
    x = weft_alloc(sizeof *x);
  }
  memset(x, 0, offsetof(struct weft_exchange, first));
  weft_list_init(&x->link);
  weft_arena_init(&x->arena, x->first, sizeof x->first);
  x->body = body, x->head = head;
  x->http = h, x->client = c;
  x->status = 200;
  x->ours = true;
  if (c) x->remote = weft_slice_of(c->remote);
  h->held++;
  return x;
}

/* What one large request left behind is not kept for small ones. */
static void trim(struct weft_buf *b, size_t max) {
  if (b->cap > max || b->failed) weft_buf_release(b);
  else weft_buf_reset(b);
}

static void discard(struct weft_exchange *x) {
  weft_buf_release(&x->body);
  weft_buf_release(&x->head);
  free(x);
}

static void recycle(struct weft_exchange *x) {
  struct weft_http *h = x->http;
  weft_arena_release(&x->arena);
  weft_zip_free(x->zip);
  trim(&x->body, KEPT_BODY);
  trim(&x->head, KEPT_HEAD);
  if (h->nfree < HTTP_FREE && !h->freed) {
    weft_list_push_front(&h->free, &x->link);
    h->nfree++;
  } else {
    discard(x);
  }
  weft_http_unref(h);
}

void weft_exchange_free_all(struct weft_http *h) {
  for (struct weft_list *at; (at = weft_list_take(&h->free));)
    discard(WEFT_CONTAINER(at, struct weft_exchange, link));
}

void weft_exchange_hand_over(struct weft_exchange *x) {
  struct weft_http *h = x->http;
  x->ours = false;
  HTTP_COUNT(h->count.in_flight, 1);
  weft_forwarded(x);
  h->handler.request(h->handler.ud, x);
}

void weft_exchange_finish(struct weft_exchange *x) {
  struct weft_http *h = x->http;
  struct weft_client *c = x->client;
  if (!x->ours) HTTP_COUNT(h->count.in_flight, -1);
  if (c) weft_client_answered(c, x->keep_alive);
  if (h->handler.ended) h->handler.ended(h->handler.ud, x);
  recycle(x);
}

void weft_exchange_lose(struct weft_exchange *x) {
  struct weft_http *h = x->http;
  if (x->remote.p == x->client->remote) x->remote = weft_arena_slice(&x->arena, x->remote);
  x->client = NULL;
  if (x->ours) {
    weft_exchange_finish(x);
  } else if (x->file) {
    weft_file_lose(x);
  } else if (x->held) {
    x->held = false;
    if (!h->freed) h->handler.drained(h->handler.ud, x);
  }
}

void weft_exchange_drop(struct weft_exchange *x) {
  if (x->client && !x->answered) {
    weft_respond_error(x, 500, "internal", "the request was not answered");
    return;
  }
  struct weft_client *c = x->client;
  x->client = NULL;
  if (c) {
    c->x = NULL;
    weft_client_cut(c, x->chunked);
  }
  weft_exchange_finish(x);
}

/* ---- what the handler asks ---- */

struct weft_slice weft_exchange_method(const struct weft_exchange *x) { return x->method; }
struct weft_slice weft_exchange_target(const struct weft_exchange *x) { return x->target; }
struct weft_slice weft_exchange_path(const struct weft_exchange *x) { return x->path; }
struct weft_slice weft_exchange_query(const struct weft_exchange *x) { return x->query; }
size_t weft_exchange_nheaders(const struct weft_exchange *x) { return x->nheaders; }
const struct weft_header *weft_exchange_headers(const struct weft_exchange *x) { return x->headers; }
struct weft_slice weft_exchange_body(const struct weft_exchange *x) { return weft_buf_slice(&x->body); }
int weft_exchange_version(const struct weft_exchange *x) { return x->version; }
struct weft_slice weft_exchange_remote(const struct weft_exchange *x) { return x->remote; }
struct weft_slice weft_exchange_scheme(const struct weft_exchange *x) { return x->scheme; }
struct weft_slice weft_exchange_host(const struct weft_exchange *x) { return x->host; }
int64_t weft_exchange_started(const struct weft_exchange *x) { return x->started; }
bool weft_exchange_begun(const struct weft_exchange *x) { return x->answered != 0; }
bool weft_exchange_streaming(const struct weft_exchange *x) { return x->answered && !x->file; }
bool weft_exchange_gone(const struct weft_exchange *x) { return !x->client; }
int weft_exchange_answered(const struct weft_exchange *x) { return x->answered; }
uint64_t weft_exchange_sent(const struct weft_exchange *x) { return x->sent; }
void weft_exchange_set(struct weft_exchange *x, void *ud) { x->ud = ud; }
void *weft_exchange_get(const struct weft_exchange *x) { return x->ud; }

static struct weft_slice join(struct weft_exchange *x, struct weft_slice name, size_t n) {
  struct weft_slice between = weft_slice_equal(name, WEFT_LIT("cookie")) ? WEFT_LIT("; ") : WEFT_LIT(", ");
  char *text = weft_arena_bytes(&x->arena, n), *at = text;
  for (size_t i = 0; i < x->nheaders; i++) {
    if (!weft_slice_equal(x->headers[i].name, name)) continue;
    if (at > text) memcpy(at, between.p, 2), at += 2;
    memcpy(at, x->headers[i].value.p, x->headers[i].value.n);
    at += x->headers[i].value.n;
  }
  return weft_slice(text, (size_t)(at - text));
}

struct weft_slice weft_exchange_header(struct weft_exchange *x, struct weft_slice name) {
  struct weft_slice found = {NULL, 0};
  size_t lines = 0, bytes = 0;
  for (size_t i = 0; i < x->nheaders; i++) {
    if (!weft_slice_equal(x->headers[i].name, name)) continue;
    found = x->headers[i].value;
    bytes += found.n + 2;
    lines++;
  }
  return lines > 1 ? join(x, name, bytes) : found;
}

struct weft_slice weft_http_pop(struct weft_slice *list) {
  const char *comma = list->n ? memrchr(list->p, ',', list->n) : NULL;
  struct weft_slice last = *list;
  if (comma) last = weft_slice(comma + 1, (size_t)(list->p + list->n - comma - 1));
  list->n = comma ? (size_t)(comma - list->p) : 0;
  while (last.n && (*last.p == ' ' || *last.p == '\t')) last.p++, last.n--;
  while (last.n && (last.p[last.n - 1] == ' ' || last.p[last.n - 1] == '\t')) last.n--;
  return last;
}

/* ---- request ids ---- */

static bool id_valid(struct weft_slice s) {
  if (s.n < 1 || s.n > 128) return false;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!word && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

static struct weft_slice new_id(struct weft_exchange *x) {
  struct weft_http *h = x->http;
  char *text = weft_arena_bytes(&x->arena, 32);
  uint64_t half[2] = {weft_hash_mix(h->ids[0], h->ids[1]), weft_hash_mix(h->ids[1] ^ h->ids[0] >> 1, h->ids[0])};
  h->ids[1]++;
  for (int i = 0; i < 32; i++) text[i] = "0123456789abcdef"[half[i / 16] >> (i % 16 * 4) & 15];
  return weft_slice(text, 32);
}

struct weft_slice weft_exchange_id(struct weft_exchange *x) {
  if (x->id.p) return x->id;
  if (x->proxied) {
    struct weft_slice given = weft_exchange_header(x, WEFT_LIT("x-request-id"));
    if (id_valid(given)) return x->id = given;
  }
  return x->id = new_id(x);
}

void weft_exchange_note(struct weft_exchange *x, struct weft_slice note) {
  x->note = weft_arena_slice(&x->arena, note);
}

struct weft_slice weft_exchange_noted(const struct weft_exchange *x) { return x->note; }
