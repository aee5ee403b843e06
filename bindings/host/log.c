/* SPDX-License-Identifier: MIT */
/* The access log: a line for each exchange. What came from the client is written as it was sent, but for bytes that
   could end a field, a line or a terminal's patience: these as %XX. */
#include "host.h"

#include <stdio.h>
#include <time.h>

static void add_sent(struct weft_buf *out, struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') weft_buf_fmt(out, "%%%02X", c);
    else weft_buf_char(out, (char)c);
  }
  if (s.n == 0) weft_buf_char(out, '-');
}

/* It is made when first asked for. */
static struct weft_slice id_of(const struct weft_exchange *x) {
  return weft_exchange_id((struct weft_exchange *)(uintptr_t)x);
}

static void add_time(struct weft_buf *out) {
  char text[32];
  struct tm tm;
  time_t now = time(NULL);
  gmtime_r(&now, &tm);
  weft_buf_add(out, text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm));
}

static void add_field(struct weft_buf *out, const char *name, struct weft_slice value) {
  weft_buf_fmt(out, ",\"%s\":\"", name);
  add_sent(out, value);
  weft_buf_char(out, '"');
}

static void add_json(struct weft_buf *out, const struct weft_exchange *x, int64_t ns) {
  weft_buf_lit(out, "{\"time\":\"");
  add_time(out);
  weft_buf_char(out, '"');
  add_field(out, "remote", weft_exchange_remote(x));
  add_field(out, "method", weft_exchange_method(x));
  add_field(out, "target", weft_exchange_target(x));
  weft_buf_fmt(out, ",\"status\":%d,\"bytes\":%llu,\"ms\":%.3f", weft_exchange_answered(x),
               (unsigned long long)weft_exchange_sent(x), (double)ns / 1e6);
  add_field(out, "id", id_of(x));
  if (weft_exchange_noted(x).p) add_field(out, "trace_id", weft_exchange_noted(x));
  weft_buf_lit(out, "}\n");
}

static void add_readable(struct weft_buf *out, const struct weft_exchange *x, int64_t ns) {
  add_time(out);
  weft_buf_char(out, ' ');
  add_sent(out, weft_exchange_remote(x));
  weft_buf_char(out, ' ');
  add_sent(out, weft_exchange_method(x));
  weft_buf_char(out, ' ');
  add_sent(out, weft_exchange_target(x));
  weft_buf_fmt(out, " %d %llu B %.3f ms ", weft_exchange_answered(x), (unsigned long long)weft_exchange_sent(x),
               (double)ns / 1e6);
  add_sent(out, id_of(x));
  weft_buf_char(out, '\n');
}

void log_exchange(struct weft_buf *out, const struct weft_exchange *x, bool json, int64_t ns) {
  if (json) add_json(out, x, ns);
  else add_readable(out, x, ns);
}
