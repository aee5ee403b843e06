/* SPDX-License-Identifier: MIT */
/* Bytes to requests. llhttp does the parsing; here is what it lets through although two readers of the same bytes
   might then see different requests.

   A head is looked at byte by byte as it comes (weft_scan_head) and given to llhttp only when it is whole, as one
   piece, so that every name and value is one span of a copy that belongs to the exchange. A chunked body goes to
   llhttp as it comes; the bytes between the data, which llhttp passes without a word, are looked at by `frame`.
   However the bytes are cut into pieces, the result is the same. */
#include "http_private.h"

#include <stdlib.h>
#include <strings.h>

enum {
  REQUEST_LINE = 64, /* bytes of it beside the target */
  DIGITS = 32,       /* of a chunk's size, with zeros in front */
  EXTENSIONS = 4096, /* bytes of chunk extensions, in all of a body */
  TRAILERS = 8192,   /* bytes of trailers */
};

int weft_refuse(struct weft_exchange *x, int status, const char *why) {
  if (!x->refused) x->refused = status, x->why = why;
  return x->refused;
}

/* ---- the head, before llhttp ---- */

/* Control characters; CR and LF are looked at where they stand. */
static const uint8_t special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, [127] = 1,
};

const char *weft_scan_why(int status) {
  switch (status) {
  case 414: return "the target is too long";
  case 431: return "the head is too large";
  default: return "this is no HTTP request";
  }
}

/* Where the line that begins at s->line may reach. */
static size_t line_limit(const struct weft_scan *s, const struct weft_http_options *o) {
  size_t line = o->max_target + REQUEST_LINE;
  return s->lines == 0 && line < o->max_head ? line : o->max_head;
}

/* The line ends at s->at. An empty line ends the head; one before it is passed over (RFC 9112, 2.2). */
static ssize_t end_line(struct weft_scan *s, const struct weft_http_options *o) {
  bool empty = s->at == s->line;
  s->at += 2;
  s->line = s->at;
  if (empty && s->lines > 0) return (ssize_t)s->at;
  if (empty && s->at > 2) return -400;
  if (!empty && s->lines++ > o->max_headers) return -431;
  return 0;
}

ssize_t weft_scan_head(struct weft_scan *s, const struct weft_http_options *o, const char *p, size_t n) {
  for (;;) {
    size_t limit = line_limit(s, o), stop = n < limit ? n : limit;
    if (s->at == s->line && s->lines > 0 && s->at < stop && (p[s->at] == ' ' || p[s->at] == '\t')) return -400;
    while (s->at < stop && !special[(uint8_t)p[s->at]]) s->at++;
    if (s->at >= limit) return limit < o->max_head ? -414 : -431;
    if (s->at == n || (p[s->at] == '\r' && s->at + 1 == n)) return 0;
    if (p[s->at] != '\r' || p[s->at + 1] != '\n') return -400;
    ssize_t head = end_line(s, o);
    if (head) return head;
  }
}

/* ---- what llhttp tells ---- */

static struct weft_exchange *of(llhttp_t *parser) { return parser->data; }

static int halt(struct weft_exchange *x, int status, const char *why) {
  weft_refuse(x, status, why);
  return HPE_USER;
}

static int on_url(llhttp_t *parser, const char *p, size_t n) {
  struct weft_exchange *x = of(parser);
  if (x->target.p) return halt(x, 400, "the request line is malformed");
  x->target = weft_slice(p, n);
  return 0;
}

/* Trailers are checked by `frame` and dropped: nobody may rely on them. */
static bool in_head(const struct weft_exchange *x) { return !(x->parser.flags & F_TRAILING); }

static int on_field(llhttp_t *parser, const char *p, size_t n) {
  struct weft_exchange *x = of(parser);
  if (!in_head(x)) return 0;
  if (n == 0 || x->nheaders == x->headers_cap || p[n] != ':') return halt(x, 400, "a header is malformed");
  char *name = (char *)p; /* the exchange's own copy */
  for (size_t i = 0; i < n; i++) name[i] |= (name[i] >= 'A' && name[i] <= 'Z') << 5;
  x->headers[x->nheaders++] = (struct weft_header){{p, n}, {p + n, 0}};
  return 0;
}

static int on_value(llhttp_t *parser, const char *p, size_t n) {
  struct weft_exchange *x = of(parser);
  if (!in_head(x)) return 0;
  struct weft_slice *value = &x->headers[x->nheaders - 1].value;
  if (value->n && value->p + value->n != p) return halt(x, 400, "a header is malformed");
  *value = weft_slice(value->n ? value->p : p, value->n + n);
  return 0;
}

/* ---- what a head says about itself ---- */

static bool same_word(struct weft_slice s, const char *word) {
  return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static bool digits(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9') return false;
  return s.n > 0;
}

struct seen {
  uint32_t hosts, lengths, codings;
};

static void trim(struct weft_slice *s) {
  while (s->n && (s->p[s->n - 1] == ' ' || s->p[s->n - 1] == '\t')) s->n--;
}

static int look_at(struct weft_exchange *x, struct weft_header *h, struct seen *seen) {
  trim(&h->value);
  if (h->name.n == 4 && memcmp(h->name.p, "host", 4) == 0) {
    x->host = h->value;
    if (seen->hosts++ || !weft_target_host_valid(h->value)) return weft_refuse(x, 400, "the Host header is not valid");
  } else if (weft_slice_equal(h->name, WEFT_LIT("content-length"))) {
    if (seen->lengths++ || !digits(h->value)) return weft_refuse(x, 400, "the Content-Length header is not valid");
  } else if (weft_slice_equal(h->name, WEFT_LIT("transfer-encoding"))) {
    if (seen->codings++) return weft_refuse(x, 400, "the Transfer-Encoding header is doubled");
    if (!same_word(h->value, "chunked")) return weft_refuse(x, 501, "this transfer coding is not supported");
  } else if (weft_slice_equal(h->name, WEFT_LIT("expect"))) {
    if (!same_word(h->value, "100-continue")) return weft_refuse(x, 417, "this expectation is not supported");
    x->expects = x->version == 11;
  }
  return 0;
}

static int check_head(struct weft_exchange *x) {
  struct seen seen = {0};
  for (size_t i = 0; i < x->nheaders; i++)
    if (look_at(x, &x->headers[i], &seen)) return x->refused;
  if (seen.codings && (seen.lengths || x->version == 10))
    return weft_refuse(x, 400, "the length of the body is ambiguous");
  if (!seen.hosts && x->version == 11) return weft_refuse(x, 400, "the Host header is missing");
  if (x->parser.method == HTTP_CONNECT) return weft_refuse(x, 501, "this method is not supported");
  if (seen.lengths && x->parser.content_length > x->http->o.max_body)
    return weft_refuse(x, 413, "the body is too large");
  return weft_target_parse(x);
}

static int on_head(llhttp_t *parser) {
  struct weft_exchange *x = of(parser);
  x->keep_alive = llhttp_should_keep_alive(parser);
  if (check_head(x)) return -1;
  parser->upgrade = 0; /* HTTP goes on, whatever the client would like to speak instead */
  return 0;
}

static int on_chunk(llhttp_t *parser) {
  struct weft_exchange *x = of(parser);
  if (parser->content_length > x->http->o.max_body - x->body.n) return halt(x, 413, "the body is too large");
  return 0;
}

/* ---- the bytes around chunks ---- */

enum { AT_START, IN_DIGITS, IN_EXTENSION, IN_TRAILER };

static bool hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool frame_end(struct weft_framing *f) {
  if (f->line == 1 && f->part == AT_START) return false;
  f->line += f->line < 2;
  f->part = AT_START;
  f->cr = false;
  f->digits = 0;
  return true;
}

static bool frame_byte(struct weft_framing *f, char c) {
  if (f->cr) return c == '\n' && frame_end(f);
  if (c == '\r') return f->cr = true;
  if (special[(uint8_t)c] || f->line == 0) return false;
  if (f->line == 2) {
    if (f->part == AT_START && (c == ' ' || c == '\t')) return false;
    f->part = IN_TRAILER;
    return ++f->trailers <= TRAILERS;
  }
  if (f->part != IN_EXTENSION && hexadecimal(c)) {
    f->part = IN_DIGITS;
    return ++f->digits <= DIGITS;
  }
  if (f->part == AT_START || (f->part == IN_DIGITS && c != ';')) return false;
  f->part = IN_EXTENSION;
  return ++f->extension <= EXTENSIONS;
}

/* Looks at what llhttp has passed since the last call, up to end. */
static int frame(struct weft_exchange *x, const char *end) {
  for (; x->mark < end; x->mark++)
    if (!frame_byte(&x->framing, *x->mark)) return weft_refuse(x, 400, "the chunks of the body are malformed");
  return 0;
}

static int on_body(llhttp_t *parser, const char *p, size_t n) {
  struct weft_exchange *x = of(parser);
  if (frame(x, p)) return HPE_USER;
  x->framing = (struct weft_framing){.extension = x->framing.extension};
  x->mark = p + n;
  weft_buf_add(&x->body, p, n);
  if (weft_buf_failed(&x->body)) return halt(x, 413, "the body is too large");
  return 0;
}

static int on_complete(llhttp_t *parser) {
  of(parser)->complete = true;
  return HPE_PAUSED; /* what follows belongs to the next request */
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_chunk_header = on_chunk,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- the whole ---- */

static bool token(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((s.p[i] < 'A' || s.p[i] > 'Z') && s.p[i] != '-' && s.p[i] != '_') return false;
  return s.n > 0;
}

static int check_version(struct weft_exchange *x, struct weft_slice version) {
  if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0) return weft_refuse(x, 400, "this is no HTTP request");
  if (memcmp(version.p + 5, "1.0", 3) == 0) return x->version = 10, 0;
  if (memcmp(version.p + 5, "1.1", 3) == 0) return x->version = 11, 0;
  return weft_refuse(x, 505, "this version of HTTP is not supported");
}

/* METHOD SP target SP HTTP/1.1, with these spaces and no others. */
static int check_request_line(struct weft_exchange *x, struct weft_slice line) {
  const char *first = memchr(line.p, ' ', line.n), *last = memrchr(line.p, ' ', line.n);
  if (!first || first == last) return weft_refuse(x, 400, "the request line is malformed");
  x->method = weft_slice(line.p, (size_t)(first - line.p));
  x->target = weft_slice(first + 1, (size_t)(last - first - 1));
  if (!x->target.n || memchr(x->target.p, ' ', x->target.n) || !token(x->method))
    return weft_refuse(x, 400, "the request line is malformed");
  if (check_version(x, weft_slice(last + 1, (size_t)(line.p + line.n - last - 1)))) return x->refused;
  if (x->target.n > x->http->o.max_target) return weft_refuse(x, 414, "the target is too long");
  return 0;
}

static size_t count_lines(const char *p, const char *end) {
  size_t lines = 0;
  for (; (p = memchr(p, '\n', (size_t)(end - p))); p++) lines++;
  return lines;
}

/* What llhttp made of the request line must be what it is. */
static int compare_target(struct weft_exchange *x, struct weft_slice target) {
  if (x->target.p != target.p || x->target.n != target.n) return weft_refuse(x, 400, "the request line is malformed");
  return 0;
}

static int refuse_by_llhttp(struct weft_exchange *x, enum llhttp_errno rc) {
  if (rc == HPE_INVALID_METHOD) return weft_refuse(x, 501, "this method is not supported");
  if (rc == HPE_INVALID_URL) return weft_refuse(x, 400, "the target is not valid");
  return weft_refuse(x, 400, "the request is malformed");
}

int weft_parse_head(struct weft_exchange *x, const char *p, size_t n) {
  while (p[0] == '\r') p += 2, n -= 2;
  char *copy = weft_arena_bytes(&x->arena, n);
  memcpy(copy, p, n);
  const char *line_end = memchr(copy, '\r', n);
  if (check_request_line(x, weft_slice(copy, (size_t)(line_end - copy)))) return x->refused;
  x->headers_cap = count_lines(line_end + 2, copy + n);
  x->headers = weft_arena_alloc(&x->arena, x->headers_cap * sizeof *x->headers);
  llhttp_init(&x->parser, HTTP_REQUEST, &settings);
  x->parser.data = x;
  x->framing.line = 1;
  struct weft_slice target = x->target;
  x->target = weft_slice(NULL, 0);
  enum llhttp_errno rc = llhttp_execute(&x->parser, copy, n);
  if (x->refused) return x->refused;
  if (rc != HPE_OK && !(rc == HPE_PAUSED && x->complete)) return refuse_by_llhttp(x, rc);
  x->head_request = x->parser.method == HTTP_HEAD;
  return compare_target(x, target);
}

size_t weft_parse_body(struct weft_exchange *x, const char *p, size_t n) {
  x->mark = p;
  enum llhttp_errno rc = llhttp_execute(&x->parser, p, n);
  const char *end = rc == HPE_OK ? p + n : llhttp_get_error_pos(&x->parser);
  if (!x->refused && rc != HPE_OK && !(rc == HPE_PAUSED && x->complete))
    weft_refuse(x, 400, "the body is malformed");
  if (!x->refused) frame(x, end);
  return (size_t)(end - p);
}
