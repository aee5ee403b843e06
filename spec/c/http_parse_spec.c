/* SPDX-License-Identifier: MIT */
/* However bytes are cut into pieces, they are the same requests. What is refused is in http_strict_spec.lua. */
#include "http_feed.h"

#include "spec.h"

#define GET "GET /a?b HTTP/1.1\r\nHost: x\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
  const char *name, *bytes, *log;
} rows[] = {
    {"a request", GET "\r\n", "GET /a?b /a b x 11 1 host=x []\n"},
    {"two", GET "\r\n" GET "\r\n", "GET /a?b /a b x 11 1 host=x []\nGET /a?b /a b x 11 1 host=x []\n"},
    {"an empty line in front", "\r\n" GET "\r\n", "GET /a?b /a b x 11 1 host=x []\n"},
    {"an end of the connection", GET "Connection: close\r\n\r\n", "GET /a?b /a b x 11 0 host=x connection=close []\n"},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / / -  10 0 []\n"},
    {"names in capitals", GET "X-One_2: A\r\n\r\n", "GET /a?b /a b x 11 1 host=x x-one_2=A []\n"},
    {"values with spaces", GET "A: \t b c \t \r\nB:\r\n\r\n", "GET /a?b /a b x 11 1 host=x a=b c b= []\n"},
    {"a body", POST "Content-Length: 5\r\n\r\nhelloGET", "POST / / - x 11 1 host=x content-length=5 [hello]\n"},
    {"an empty body", POST "Content-Length: 0\r\n\r\n", "POST / / - x 11 1 host=x content-length=0 []\n"},
    {"chunks", CHUNKED "3\r\nabc\r\n00B;x=\"y z\"\r\n0123456789\n\r\n0;y\r\nT: u\r\n\r\n" GET "\r\n",
     "POST / / - x 11 1 host=x transfer-encoding=chunked [abc0123456789\n]\nGET /a?b /a b x 11 1 host=x []\n"},
    {"a body that is not all there", POST "Content-Length: 5\r\n\r\nhell", ""},
    {"a head that is not all there", GET "X: y\r\n", ""},
    {"a target that is just short enough",
     "GET /0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123 HTTP/1.0\r\n\r\n",
     NULL},
    {"a target that is too long",
     "GET /0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345 HTTP/1.0\r\n\r\n",
     "414\n"},
    {"a length that is too large", POST "Content-Length: 4097\r\n\r\n", "413\n"},
    {"chunks that are too large", CHUNKED "1000\r\n", ""},
    {"a chunk that is too large", CHUNKED "1001\r\n", "413\n"},
    {"something after a refusal", "GET / HTTP/3.0\r\n\r\n" GET "\r\n", "505\n"},
    {"nothing", "", ""},
};

static bool same(const struct weft_buf *a, const struct weft_buf *b) {
  return weft_slice_equal(weft_buf_slice(a), weft_buf_slice(b));
}

/* Each way to cut it in two, and one byte at a time. */
static bool same_in_pieces(struct feed *whole, struct feed *parts, const char *p, size_t n) {
  bool all = true;
  for (size_t cut = 0; cut <= n && all; cut++) {
    feed_again(parts);
    feed(parts, p, cut);
    feed(parts, p + cut, n - cut);
    all = same(&whole->log, &parts->log);
  }
  feed_again(parts);
  for (size_t i = 0; i < n; i++) feed(parts, p + i, 1);
  return all && same(&whole->log, &parts->log);
}

static void table(void) {
  struct feed whole, parts;
  feed_init(&whole);
  feed_init(&parts);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) it(rows[i].name) {
    size_t n = strlen(rows[i].bytes);
    feed_again(&whole);
    feed(&whole, rows[i].bytes, n);
    if (rows[i].log) expect_str(weft_buf_cstr(&whole.log), rows[i].log);
    else expect(whole.log.n > 256);
    expect(same_in_pieces(&whole, &parts, rows[i].bytes, n));
  }
  feed_end(&whole);
  feed_end(&parts);
}

static uint64_t random_state = 88172645463325252u;
static uint32_t below(uint32_t n) {
  random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32) % n;
}

/* Requests with a few bytes changed, by those that matter. */
static void mutate(char *p, size_t n) {
  static const char bytes[] = "\r\n\0 \t:;,0aA%/.\x80";
  for (uint32_t times = below(4); n && times-- > 0;) {
    size_t at = below((uint32_t)n);
    p[at] = bytes[below(sizeof bytes - 1)];
  }
}

static void mutants(void) {
  struct feed whole, parts;
  char text[4096];
  bool all = true;
  feed_init(&whole);
  feed_init(&parts);
  for (int round = 0; round < 20000 && all; round++) {
    const char *source = rows[below(sizeof rows / sizeof *rows)].bytes;
    size_t n = strlen(source);
    memcpy(text, source, n);
    mutate(text, n);
    feed_again(&whole);
    feed_again(&parts);
    feed(&whole, text, n);
    for (size_t at = 0; at < n;) {
      size_t step = 1 + below((uint32_t)(n - at));
      feed(&parts, text + at, step);
      at += step;
    }
    all = same(&whole.log, &parts.log);
    if (!all) printf("# %s| %s", weft_buf_cstr(&whole.log), weft_buf_cstr(&parts.log));
  }
  expect(all);
  feed_end(&whole);
  feed_end(&parts);
}

int main(void) {
  describe("the HTTP parser understands") table();
  describe("the HTTP parser") {
    it("finds the same in whatever pieces bytes come, also in nonsense") mutants();
  }
  return spec_end();
}
