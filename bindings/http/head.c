/* SPDX-License-Identifier: MIT */
#include "http_private.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "clock.h"

/* ---- headers of the handler ---- */

static bool is_name(struct weft_slice s, struct weft_slice name) {
  return s.n == name.n && strncasecmp(s.p, name.p, name.n) == 0;
}

static bool ours(struct weft_slice name) {
  static const struct weft_slice names[] = {
      WEFT_LIT("connection"), WEFT_LIT("content-length"), WEFT_LIT("date"),    WEFT_LIT("keep-alive"),
      WEFT_LIT("server"),     WEFT_LIT("trailer"),        WEFT_LIT("upgrade"), WEFT_LIT("transfer-encoding")};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is_name(name, names[i])) return true;
  return false;
}

static const bool token[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#' ... '\''] = true,
    ['*'] = true,         ['+'] = true,         ['-'] = true,         ['.'] = true, ['^' ... '`'] = true,
    ['|'] = true,         ['~'] = true,
};

static bool name_valid(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!token[(uint8_t)s.p[i]]) return false;
  return s.n > 0;
}

static bool value_valid(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (((uint8_t)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127) return false;
  return true;
}

static bool begins(struct weft_slice s, const char *word) {
  size_t n = strlen(word);
  return s.n >= n && strncasecmp(s.p, word, n) == 0;
}

/* Events stay as they are: a compressor would hold them back. */
static bool compressible(struct weft_slice type) {
  static const char *const types[] = {"text/",           "application/json", "application/javascript",
                                      "application/xml", "image/svg+xml",    "application/manifest+json",
                                      "application/wasm"};
  if (begins(type, "text/event-stream")) return false;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (begins(type, types[i])) return true;
  return type.n && (memmem(type.p, type.n, "+json", 5) || memmem(type.p, type.n, "+xml", 4));
}

int weft_exchange_add(struct weft_exchange *x, struct weft_slice name, struct weft_slice value,
                      struct weft_error *err) {
  if (x->answered) return weft_fail(err, WEFT_USAGE, "headers cannot be added: the head has left");
  if (!name_valid(name) || !value_valid(value))
    return weft_fail(err, WEFT_USAGE, "a header's name or value holds a character that may not stand there");
  if (ours(name))
    return weft_fail(err, WEFT_USAGE, "the header %.*s is set by the server", (int)(name.n < 64 ? name.n : 64), name.p);
  if (is_name(name, WEFT_LIT("content-type"))) x->typed = true, x->compressible = compressible(value);
  if (is_name(name, WEFT_LIT("content-encoding"))) x->encoded = true;
  if (is_name(name, WEFT_LIT("etag"))) x->etag = x->head.n + name.n + 2;
  char *at = weft_buf_room(&x->head, name.n + value.n + 4);
  if (!at) return weft_fail(err, WEFT_USAGE, "the head of the response is too large");
  memcpy(at, name.p, name.n);
  memcpy(at + name.n, ": ", 2);
  if (value.n) memcpy(at + name.n + 2, value.p, value.n);
  memcpy(at + name.n + 2 + value.n, "\r\n", 2);
  x->head.n += name.n + value.n + 4;
  return 0;
}

void weft_exchange_status(struct weft_exchange *x, int status) {
  x->status = status >= 200 && status <= 999 ? status : 500;
}

/* ---- the head ---- */

void weft_head_server(struct weft_http *h, const char *server) {
  h->nserver = 0;
  if (!*server || !value_valid(weft_slice_of(server))) return;
  h->nserver = (size_t)snprintf(h->common, sizeof h->common, "Server: %.100s\r\n", server);
}

static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void weft_head_date(char out[32], int64_t seconds) {
  time_t second = (time_t)seconds;
  struct tm t = {0};
  gmtime_r(&second, &t);
  snprintf(out, 32, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * t.tm_wday, (unsigned)t.tm_mday % 100,
           months + 3 * t.tm_mon, (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
           (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
}

/* The form that everybody writes today; what servers have said themselves comes back in it. */
int64_t weft_head_read_date(struct weft_slice text) {
  struct tm t = {0};
  char copy[32], month[4];
  if (text.n != 29) return -1;
  memcpy(copy, text.p, 29);
  copy[29] = 0;
  int end = 0;
  if (sscanf(copy, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &t.tm_year, &t.tm_hour, &t.tm_min,
             &t.tm_sec, &end) != 6 || end != 29)
    return -1;
  const char *at = strstr(months, month);
  if (!at || strlen(month) != 3 || (at - months) % 3) return -1;
  t.tm_mon = (int)(at - months) / 3;
  t.tm_year -= 1900;
  return (int64_t)timegm(&t);
}

/* The date is that of the turn, made once a second. */
static void refresh(struct weft_http *h) {
  int64_t now = weft_loop_now(h->loop);
  if (now == h->common_at) return;
  h->common_at = now;
  int64_t second = weft_clock_wall_us() / 1000000;
  if (second == h->common_second) return;
  h->common_second = second;
  char *at = h->common + h->nserver;
  memcpy(at, "Date: ", 6);
  weft_head_date(at + 6, second);
  at += 6 + strlen(at + 6);
  memcpy(at, "\r\n", 2);
  h->ncommon = (size_t)(at + 2 - h->common);
}

static void write_status(struct weft_buf *out, int status) {
  const char *reason = weft_http_reason(status);
  if (status == 200) {
    weft_buf_lit(out, "HTTP/1.1 200 OK\r\n");
    return;
  }
  weft_buf_lit(out, "HTTP/1.1 ");
  weft_buf_int(out, status);
  weft_buf_char(out, ' ');
  weft_buf_str(out, reason);
  weft_buf_lit(out, "\r\n");
}

bool weft_head_bodiless(const struct weft_exchange *x) {
  return x->head_request || x->status == 204 || x->status == 304;
}

/* 204 and 304 say nothing about a length. */
static void write_length(struct weft_exchange *x, struct weft_buf *out, int64_t length) {
  if (x->status == 204 || x->status == 304) return;
  if (length >= 0) {
    weft_buf_lit(out, "Content-Length: ");
    weft_buf_int(out, length);
    weft_buf_lit(out, "\r\n");
  } else if (x->version == 11) {
    x->chunked = !x->head_request;
    weft_buf_lit(out, "Transfer-Encoding: chunked\r\n");
  } else if (!x->head_request) {
    x->keep_alive = false; /* the end of the connection is the end of the body */
  }
}

void weft_head_write(struct weft_exchange *x, struct weft_buf *out, int64_t length) {
  struct weft_http *h = x->http;
  refresh(h);
  x->answered = x->status;
  if (h->draining) x->keep_alive = false;
  write_status(out, x->status);
  weft_buf_add(out, h->common, h->ncommon);
  weft_buf_slice_add(out, weft_buf_slice(&x->head));
  write_length(x, out, length);
  if (!x->keep_alive) weft_buf_lit(out, "Connection: close\r\n");
  else if (x->version == 10) weft_buf_lit(out, "Connection: keep-alive\r\n");
  weft_buf_lit(out, "\r\n");
}
