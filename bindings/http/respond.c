/* SPDX-License-Identifier: MIT */
/* What a response says behind its head: all of a body at once, or pieces of it. */
#include "http_private.h"

#include <stdio.h>

static void whole(struct weft_exchange *x, struct weft_slice body) {
  struct weft_buf *out = weft_client_out(x->client);
  weft_head_write(x, out, (int64_t)body.n);
  if (!weft_head_bodiless(x)) weft_buf_slice_add(out, body), x->sent = body.n;
}

void weft_exchange_body_of(struct weft_exchange *x, struct weft_slice body) {
  if (x->answered) { /* after all that was said it would be no response */
    weft_exchange_drop(x);
    return;
  }
  if (x->client) {
    weft_zip_body(x, &body);
    whole(x, body);
  }
  weft_exchange_finish(x);
}

void weft_exchange_stream(struct weft_exchange *x) {
  if (!x->client || x->answered) return;
  weft_zip_stream(x);
  weft_head_write(x, weft_client_out(x->client), -1);
  weft_http_dirty(x->client);
}

void weft_respond_piece(struct weft_exchange *x, struct weft_slice piece) {
  struct weft_buf *out = weft_client_out(x->client);
  char size[24];
  if (!piece.n) return; /* an empty chunk would be the last */
  if (x->chunked) weft_buf_add(out, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", piece.n));
  weft_buf_slice_add(out, piece);
  if (x->chunked) weft_buf_lit(out, "\r\n");
  x->sent += piece.n;
}

/* Whether the writer may go on. What goes out is sent early when much of it waits. */
static bool room(struct weft_exchange *x) {
  struct weft_client *c = x->client;
  size_t high = x->http->o.high_water;
  if (weft_client_waiting(c) >= high && !c->blocked) weft_client_flush(c);
  if (!x->client || weft_client_waiting(c) < high) return true;
  return !(x->held = true);
}

bool weft_exchange_write(struct weft_exchange *x, struct weft_slice chunk) {
  weft_exchange_stream(x);
  if (!x->client || x->file || weft_head_bodiless(x)) return true;
  if (x->zip) weft_zip_write(x, chunk);
  else weft_respond_piece(x, chunk);
  weft_http_dirty(x->client);
  return room(x);
}

void weft_exchange_end(struct weft_exchange *x) {
  if (x->file) return; /* it ends by itself */
  if (!x->answered) {
    weft_exchange_body_of(x, weft_slice(NULL, 0));
    return;
  }
  if (x->client && x->zip && !weft_head_bodiless(x)) weft_zip_end(x);
  if (x->client && x->chunked) weft_buf_lit(weft_client_out(x->client), "0\r\n\r\n");
  weft_exchange_finish(x);
}

void weft_respond_error(struct weft_exchange *x, int status, const char *kind, const char *message) {
  char text[512];
  struct weft_slice id = weft_exchange_id(x);
  int n = snprintf(text, sizeof text, "{\"error\":{\"kind\":\"%s\",\"message\":\"%s\",\"request_id\":\"%.*s\"}}", kind,
                   message, (int)id.n, id.p);
  weft_exchange_status(x, status);
  weft_exchange_add(x, WEFT_LIT("Content-Type"), WEFT_LIT("application/json"), NULL);
  weft_exchange_body_of(x, weft_slice(text, (size_t)n));
}
