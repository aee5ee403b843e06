/* SPDX-License-Identifier: MIT */
/* Whom proxies speak for. X-Forwarded-* is what anybody may send; it counts only from a trusted peer, and of its list
   only as far as trusted proxies have written it, from the right. */
#include "http_private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

static int read_address(uint8_t out[16], const char *text, bool *four) {
  struct in_addr a;
  *four = inet_pton(AF_INET, text, &a) == 1;
  if (!*four) return inet_pton(AF_INET6, text, out) == 1 ? 0 : -1;
  memset(out, 0, 10);
  memset(out + 10, 255, 2);
  memcpy(out + 12, &a, 4);
  return 0;
}

static int read_network(struct weft_network *network, const char *text) {
  char address[HTTP_ADDRESS];
  const char *slash = strchr(text, '/');
  size_t n = slash ? (size_t)(slash - text) : strlen(text);
  bool four;
  if (n >= sizeof address) return -1;
  memcpy(address, text, n);
  address[n] = 0;
  if (read_address(network->address, address, &four) < 0) return -1;
  char *end = NULL;
  long bits = slash ? strtol(slash + 1, &end, 10) : four ? 32 : 128;
  if (slash && (end == slash + 1 || *end || slash[1] < '0' || slash[1] > '9')) return -1;
  if (bits < 0 || bits > (four ? 32 : 128)) return -1;
  network->bits = (int)bits + (four ? 96 : 0);
  return 0;
}

int weft_trusted_parse(struct weft_trusted *t, const char *const *list, struct weft_error *err) {
  size_t n = 0;
  while (list && list[n]) n++;
  *t = (struct weft_trusted){.networks = n ? weft_alloc(n * sizeof *t->networks) : NULL};
  for (size_t i = 0; i < n; i++) {
    if (strcmp(list[i], "unix") == 0) {
      t->local = true;
    } else if (read_network(&t->networks[t->n++], list[i]) < 0) {
      free(t->networks);
      return weft_fail(err, WEFT_USAGE, "a trusted proxy is an address, a block like 10.0.0.0/8 or unix, not '%s'",
                       list[i]);
    }
  }
  return 0;
}

static bool within(const struct weft_network *network, const uint8_t address[16]) {
  int whole = network->bits / 8, rest = network->bits % 8;
  if (memcmp(network->address, address, (size_t)whole) != 0) return false;
  return !rest || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool weft_forwarded_trusts(const struct weft_trusted *t, struct weft_slice text) {
  char copy[HTTP_ADDRESS];
  uint8_t address[16];
  bool four;
  if (text.n >= sizeof copy) return false;
  memcpy(copy, text.p, text.n);
  copy[text.n] = 0;
  if (read_address(address, copy, &four) < 0) return false;
  for (size_t i = 0; i < t->n; i++)
    if (within(&t->networks[i], address)) return true;
  return false;
}

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80"; p NULL: none of them. */
static struct weft_slice address_of(struct weft_slice s) {
  char copy[HTTP_ADDRESS];
  uint8_t address[16];
  bool four;
  const char *end = s.n ? memchr(s.p, s.p[0] == '[' ? ']' : ':', s.n) : NULL;
  if (s.n && s.p[0] == '[' && end) s = weft_slice(s.p + 1, (size_t)(end - s.p - 1));
  else if (end && memrchr(s.p, ':', s.n) == end) s.n = (size_t)(end - s.p);
  if (s.n >= sizeof copy) return weft_slice(NULL, 0);
  memcpy(copy, s.p, s.n);
  copy[s.n] = 0;
  return read_address(address, copy, &four) < 0 ? weft_slice(NULL, 0) : s;
}

/* The nearest address that is no trusted proxy, or the farthest that proxies vouch for. */
static void set_remote(struct weft_exchange *x) {
  struct weft_slice list = weft_exchange_header(x, WEFT_LIT("x-forwarded-for"));
  while (list.n) {
    struct weft_slice address = address_of(weft_http_pop(&list));
    if (!address.p) return;
    x->remote = address;
    if (!weft_forwarded_trusts(&x->http->trusted, address)) return;
  }
}

static void set_scheme_and_host(struct weft_exchange *x) {
  struct weft_slice scheme = weft_exchange_header(x, WEFT_LIT("x-forwarded-proto"));
  struct weft_slice host = weft_exchange_header(x, WEFT_LIT("x-forwarded-host"));
  scheme = weft_http_pop(&scheme);
  host = weft_http_pop(&host);
  if (scheme.n == 5 && strncasecmp(scheme.p, "https", 5) == 0) x->scheme = WEFT_LIT("https");
  if (host.n && weft_target_host_valid(host)) x->host = host;
}

void weft_forwarded(struct weft_exchange *x) {
  const struct weft_trusted *t = &x->http->trusted;
  x->scheme = WEFT_LIT("http");
  if (!x->client || (!t->n && !t->local)) return;
  x->proxied = x->client->local ? t->local : weft_forwarded_trusts(t, x->remote);
  if (!x->proxied) return;
  set_remote(x);
  set_scheme_and_host(x);
}
