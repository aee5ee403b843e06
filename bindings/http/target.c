/* SPDX-License-Identifier: MIT */
/* A target is a path with a query, a whole URL (http://host/path), or * (RFC 9112, 3.2). The path is decoded and its
   dot segments are resolved (RFC 3986, 5.2.4) in one pass over a copy, which never grows; only an encoded slash stays
   encoded, since decoding it would make two segments of one. */
#include "http_private.h"

#include "text.h"

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986, 3.2.2, with a port; no comma, by which two hosts would be one. */
static const bool of_host[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['$' ... '+'] = true, ['-'] = true,
    ['.'] = true,         [':'] = true,         [';'] = true,         ['='] = true, ['['] = true,         [']'] = true,
    ['_'] = true,         ['~'] = true,
};

bool weft_target_host_valid(struct weft_slice host) {
  for (size_t i = 0; i < host.n; i++)
    if (!of_host[(uint8_t)host.p[i]]) return false;
  return true;
}

/* One segment, decoded; its length, or -1. */
static ssize_t decode(char *out, const char *p, size_t n) {
  char *at = out;
  for (size_t i = 0; i < n; i++) {
    if (p[i] != '%') {
      *at++ = p[i];
      continue;
    }
    if (n - i < 3) return -1;
    int high = digit(p[i + 1]), low = digit(p[i + 2]), c = high * 16 + low;
    if (high < 0 || low < 0 || c == 0) return -1;
    if (c == '/') *at++ = '%', *at++ = '2', *at++ = 'F';
    else *at++ = (char)c;
    i += 2;
  }
  return at - out;
}

static bool is_dots(const char *p, ssize_t n, ssize_t dots) {
  return n == dots && p[0] == '.' && p[n - 1] == '.';
}

/* p begins with a slash. The normalized length, or -1. */
static ssize_t normalize(char *out, const char *p, size_t n) {
  char *at = out; /* out..at is whole segments, each with its slash in front */
  for (size_t i = 0; i < n;) {
    const char *end = memchr(p + i + 1, '/', n - i - 1);
    size_t length = end ? (size_t)(end - p) - i - 1 : n - i - 1;
    ssize_t decoded = decode(at + 1, p + i + 1, length);
    if (decoded < 0) return -1;
    i += length + 1;
    bool up = is_dots(at + 1, decoded, 2), here = is_dots(at + 1, decoded, 1);
    if (up)
      while (at > out && *--at != '/') continue;
    if (!up && !here) *at = '/', at += 1 + decoded;
    else if (i == n) *at++ = '/'; /* "/a/.." is the folder "/" */
  }
  return at - out;
}

static bool plain(struct weft_slice path) {
  for (size_t i = 0; i < path.n; i++) {
    char c = path.p[i];
    if (c == '%' || (c == '.' && path.p[i - 1] == '/')) return false;
  }
  return true;
}

static int set_path(struct weft_exchange *x, struct weft_slice path) {
  x->path = path;
  if (plain(path)) return 0;
  char *out = weft_arena_bytes(&x->arena, path.n + 1);
  ssize_t n = normalize(out, path.p, path.n);
  if (n < 0 || !weft_utf8_valid(out, (size_t)n)) return weft_refuse(x, 400, "the path is not valid");
  x->path = weft_slice(out, (size_t)n);
  return 0;
}

/* Visible ASCII only; a fragment is the client's own business. */
static bool characters_valid(struct weft_slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= ' ' || s.p[i] >= 127 || s.p[i] == '#') return false;
  return true;
}

/* Of "http://host/path?query"; the rest begins with the path. */
static int strip_authority(struct weft_exchange *x, struct weft_slice *rest) {
  size_t scheme = strncmp(rest->p, "http://", 7) == 0 ? 7 : strncmp(rest->p, "https://", 8) == 0 ? 8 : 0;
  if (!scheme) return weft_refuse(x, 400, "the target is not valid");
  const char *host = rest->p + scheme, *end = rest->p + rest->n, *at = host;
  while (at < end && *at != '/' && *at != '?') at++;
  x->host = weft_slice(host, (size_t)(at - host));
  if (!x->host.n || !weft_target_host_valid(x->host)) return weft_refuse(x, 400, "the target is not valid");
  *rest = weft_slice(at, (size_t)(end - at));
  return 0;
}

int weft_target_parse(struct weft_exchange *x) {
  struct weft_slice rest = x->target;
  if (!characters_valid(rest)) return weft_refuse(x, 400, "the target is not valid");
  if (weft_slice_equal(rest, WEFT_LIT("*"))) {
    x->path = rest;
    return x->parser.method == HTTP_OPTIONS ? 0 : weft_refuse(x, 400, "the target is not valid");
  }
  if (rest.p[0] != '/' && strip_authority(x, &rest)) return x->refused;
  const char *mark = memchr(rest.p, '?', rest.n);
  if (mark) {
    x->query = weft_slice(mark + 1, (size_t)(rest.p + rest.n - mark - 1));
    rest.n = (size_t)(mark - rest.p);
  }
  return set_path(x, rest.n ? rest : WEFT_LIT("/"));
}
