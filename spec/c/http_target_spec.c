/* SPDX-License-Identifier: MIT */
/* What is pure in bindings/http: targets, trusted networks, dates, Accept-Encoding, types of files. */
#include "http_feed.h"

#include "spec.h"

static const struct {
  const char *target, *path, *query, *host; /* path NULL: refused */
} targets[] = {
    {"/", "/", NULL, "h"},
    {"/a", "/a", NULL, "h"},
    {"/a/", "/a/", NULL, "h"},
    {"/a?b=c", "/a", "b=c", "h"},
    {"/a?", "/a", "", "h"},
    {"/a?b?c", "/a", "b?c", "h"},
    {"/?/../x", "/", "/../x", "h"},
    {"/a?%zz", "/a", "%zz", "h"},
    {"/.", "/", NULL, "h"},
    {"/..", "/", NULL, "h"},
    {"/a/.", "/a/", NULL, "h"},
    {"/a/..", "/", NULL, "h"},
    {"/a/b/..", "/a/", NULL, "h"},
    {"/a/./b", "/a/b", NULL, "h"},
    {"/a/../b", "/b", NULL, "h"},
    {"/a/b/../../c", "/c", NULL, "h"},
    {"/../../a", "/a", NULL, "h"},
    {"/a/../../b", "/b", NULL, "h"},
    {"/%2e", "/", NULL, "h"},
    {"/%2e%2e", "/", NULL, "h"},
    {"/a/%2E./b", "/b", NULL, "h"},
    {"/a/.%2e/b", "/b", NULL, "h"},
    {"/%252e%252e/a", "/%2e%2e/a", NULL, "h"},
    {"/...", "/...", NULL, "h"},
    {"/..a", "/..a", NULL, "h"},
    {"/a..", "/a..", NULL, "h"},
    {"/.a", "/.a", NULL, "h"},
    {"/.well-known/x", "/.well-known/x", NULL, "h"},
    {"//", "//", NULL, "h"},
    {"//a//b//", "//a//b//", NULL, "h"},
    {"/a//..", "/a/", NULL, "h"},
    {"//..", "/", NULL, "h"},
    {"/a%20b", "/a b", NULL, "h"},
    {"/a+b", "/a+b", NULL, "h"},
    {"/%c3%A4", "/\xc3\xa4", NULL, "h"},
    {"/%F0%9F%92%A9", "/\xf0\x9f\x92\xa9", NULL, "h"},
    {"/a%2fb", "/a%2Fb", NULL, "h"},
    {"/a%2F..%2f..%2fb", "/a%2F..%2F..%2Fb", NULL, "h"},
    {"/a%5cb", "/a\\b", NULL, "h"},
    {"/a%3fb", "/a?b", NULL, "h"},
    {"/a%23b", "/a#b", NULL, "h"},
    {"/a%25", "/a%", NULL, "h"},
    {"/a%0d%0a", "/a\r\n", NULL, "h"},
    {"http://x", "/", NULL, "x"},
    {"http://x/", "/", NULL, "x"},
    {"http://x:8/a/../b?c", "/b", "c", "x:8"},
    {"https://[::1]/a", "/a", NULL, "[::1]"},
    {"http://x?y", "/", "y", "x"},
    {"/%", NULL, NULL, NULL},
    {"/%1", NULL, NULL, NULL},
    {"/%g1", NULL, NULL, NULL},
    {"/%1g", NULL, NULL, NULL},
    {"/%00", NULL, NULL, NULL},
    {"/a/%", NULL, NULL, NULL},
    {"/%2/x", NULL, NULL, NULL},
    {"/%ff", NULL, NULL, NULL},
    {"/%c3/%a4", NULL, NULL, NULL},
    {"/%c0%ae", NULL, NULL, NULL},
    {"/%ed%a0%80", NULL, NULL, NULL},
    {"/%f4%90%80%80", NULL, NULL, NULL},
    {"/#a", NULL, NULL, NULL},
    {"/a\x7f", NULL, NULL, NULL},
    {"/\xc3\xa4", NULL, NULL, NULL},
    {"*", NULL, NULL, NULL},
    {"a", NULL, NULL, NULL},
    {"a/b", NULL, NULL, NULL},
    {"?a", NULL, NULL, NULL},
    {"http:/a", NULL, NULL, NULL},
    {"http://", NULL, NULL, NULL},
    {"http:///a", NULL, NULL, NULL},
    {"http://u@x/", NULL, NULL, NULL},
    {"HTTP://x/", NULL, NULL, NULL},
    {"ftp://x/", NULL, NULL, NULL},
    {"javascript:x", NULL, NULL, NULL},
};

static void read_targets(void) {
  struct feed f;
  feed_init(&f);
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) it(targets[i].target) {
    struct weft_exchange *x = weft_exchange_new(&f.http, NULL);
    x->target = weft_arena_slice(&x->arena, weft_slice_of(targets[i].target)); /* so that sanitizers see its end */
    x->host = WEFT_LIT("h");
    x->parser.method = HTTP_GET;
    int refused = weft_target_parse(x);
    expect_int(refused, targets[i].path ? 0 : 400);
    if (targets[i].path) {
      expect_mem(x->path.p, x->path.n, targets[i].path, strlen(targets[i].path));
      expect(targets[i].query ? x->query.p != NULL : x->query.p == NULL);
      if (targets[i].query) expect_mem(x->query.p, x->query.n, targets[i].query, strlen(targets[i].query));
      expect_mem(x->host.p, x->host.n, targets[i].host, strlen(targets[i].host));
    }
    weft_exchange_finish(x);
  }
  feed_end(&f);
}

static const struct {
  const char *network, *address;
  bool within;
} networks[] = {
    {"10.0.0.0/8", "10.255.1.2", true},       {"10.0.0.0/8", "11.0.0.1", false},
    {"10.1.2.3", "10.1.2.3", true},           {"10.1.2.3", "10.1.2.4", false},
    {"10.1.2.3/31", "10.1.2.2", true},        {"10.1.2.3/31", "10.1.2.4", false},
    {"192.168.16.0/20", "192.168.31.255", true}, {"192.168.16.0/20", "192.168.32.0", false},
    {"0.0.0.0/0", "1.2.3.4", true},           {"0.0.0.0/0", "::1", false},
    {"::/0", "1.2.3.4", true},                {"::1", "::1", true},
    {"::1", "::2", false},                    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false}, {"::ffff:10.0.0.0/104", "10.9.9.9", true},
    {"10.0.0.0/8", "nonsense", false},        {"10.0.0.0/8", "", false},
    {"10.0.0.0/8", "010.0.0.1", false},       {"10.0.0.0/8", "10.0.0.1.", false},
};

static void trust(void) {
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) it(networks[i].network) {
    const char *list[] = {networks[i].network, NULL};
    struct weft_trusted t;
    struct weft_error err;
    if (!expect_int(weft_trusted_parse(&t, list, &err), 0)) continue;
    expect(weft_forwarded_trusts(&t, weft_slice_of(networks[i].address)) == networks[i].within);
    free(t.networks);
  }
}

static void dates(void) {
  static const int64_t times[] = {0, 784111777, 951782400, 4102444799, 1};
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    char text[32];
    weft_head_date(text, times[i]);
    expect_int(strlen(text), 29);
    expect_int(weft_head_read_date(weft_slice_of(text)), times[i]);
    if (i == 1) expect_str(text, "Sun, 06 Nov 1994 08:49:37 GMT");
  }
  static const char *const bad[] = {"", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Now 1994 08:49:37 GMT",
                                    "Sun, 06 nNo 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                    "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT "};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_int(weft_head_read_date(weft_slice_of(bad[i])), -1);
}

static void types(void) {
  static const char *const rows[][2] = {{"/a/b.html", "text/html; charset=utf-8"},
                                        {"/a.html/b", "application/octet-stream"},
                                        {"/a/.html", "text/html; charset=utf-8"},
                                        {"x.tar.gz", "application/gzip"},
                                        {"x.SVG", "image/svg+xml"},
                                        {"x.", "application/octet-stream"},
                                        {"", "application/octet-stream"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct weft_slice type = weft_file_type(rows[i][0]);
    expect_mem(type.p, type.n, rows[i][1], strlen(rows[i][1]));
  }
}

static bool add_refused(struct weft_exchange *x, const char *name, const char *value) {
  struct weft_error err;
  return weft_exchange_add(x, weft_slice_of(name), weft_slice_of(value), &err) == -1 && err.kind == WEFT_USAGE;
}

static void headers(void) {
  static const char *const bad_names[] = {"", "a b", "a:", "a\r\n", "\xc3\xa4", "a(", "a,"};
  static const char *const bad_values[] = {"a\r\nb: c", "a\nb", "a\rb", "\x01", "\x7f"};
  static const char *const ours[] = {"Date",       "server", "CONTENT-LENGTH", "transfer-encoding", "Connection",
                                     "Keep-Alive", "Upgrade", "Trailer"};
  struct feed f;
  struct weft_error err;
  feed_init(&f);
  struct weft_exchange *x = weft_exchange_new(&f.http, NULL);
  for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) expect(add_refused(x, bad_names[i], "x"));
  for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++) expect(add_refused(x, "X-A", bad_values[i]));
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) expect(add_refused(x, ours[i], "x"));
  expect_int(weft_exchange_add(x, WEFT_LIT("X-Nul"), weft_slice("a\0b", 3), &err), -1);
  expect_int(x->head.n, 0);
  expect_int(weft_exchange_add(x, WEFT_LIT("X-A"), WEFT_LIT(""), &err), 0);
  expect_int(weft_exchange_add(x, WEFT_LIT("X-A"), WEFT_LIT("\xc3\xa4\t!"), &err), 0);
  expect_str(weft_buf_cstr(&x->head), "X-A: \r\nX-A: \xc3\xa4\t!\r\n");
  weft_exchange_finish(x);
  feed_end(&f);
}

int main(void) {
  describe("a target") read_targets();
  describe("a trusted network") trust();
  describe("a response") {
    it("has dates that come back") dates();
    it("has a type by the name of its file") types();
    it("takes no header that would make two of one, or that is the server's") headers();
  }
  return spec_end();
}
