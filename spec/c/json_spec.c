/* SPDX-License-Identifier: MIT */
/* The reader is followed by echoing its events as text: what was read must be what is written. */
#include "json.h"

#include "hash.h"
#include "spec.h"

/* Reads text and writes it again without spaces; 0, or -1 and err. */
static int echo(struct weft_slice text, struct weft_buf *out, struct weft_error *err) {
  struct weft_json_reader r;
  weft_json_reader_init(&r, text);
  weft_buf_reset(out);
  bool comma = false, after_key = false;
  int event;
  while ((event = weft_json_read(&r, err)) > WEFT_JSON_END) {
    bool end = event == WEFT_JSON_ARRAY_END || event == WEFT_JSON_OBJECT_END;
    if (comma && !end && !after_key) weft_buf_char(out, ',');
    after_key = event == WEFT_JSON_KEY;
    comma = event != WEFT_JSON_ARRAY_BEGIN && event != WEFT_JSON_OBJECT_BEGIN;
    switch (event) {
    case WEFT_JSON_ARRAY_BEGIN: weft_buf_char(out, '['); break;
    case WEFT_JSON_ARRAY_END: weft_buf_char(out, ']'); break;
    case WEFT_JSON_OBJECT_BEGIN: weft_buf_char(out, '{'); break;
    case WEFT_JSON_OBJECT_END: weft_buf_char(out, '}'); break;
    case WEFT_JSON_KEY:
      weft_json_string(out, r.text);
      weft_buf_char(out, ':');
      break;
    case WEFT_JSON_STRING: weft_json_string(out, r.text); break;
    case WEFT_JSON_NUMBER:
      if (r.value.type == WEFT_NULL) weft_buf_slice_add(out, r.text);
      else weft_json_value(out, r.value);
      break;
    default: weft_json_value(out, r.value); break;
    }
  }
  weft_json_reader_release(&r);
  return event;
}

static void readings(void) {
  static const struct {
    const char *in, *out;
  } rows[] = {
      {"null", "null"},
      {" true ", "true"},
      {"false\n", "false"},
      {"0", "0"},
      {"-0", "-0"},
      {"-0.0", "-0.0"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775808", "9223372036854775808"},
      {"9007199254740993", "9007199254740993"},
      {"1.10", "1.10"},
      {"1E5", "1E5"},
      {"1e+400", "1e+400"},
      {"123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"},
      {"\"\"", "\"\""},
      {"[]", "[]"},
      {"{}", "{}"},
      {"[ [ ] , { } ]", "[[],{}]"},
      {"[1,\"a\",null,true,{\"k\":[{}]}]", "[1,\"a\",null,true,{\"k\":[{}]}]"},
      {"{\"a\" : 1 , \"a\" : 2}", "{\"a\":1,\"a\":2}"},
      {"\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"", "\"A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\"",
       "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\""},
      {"\"a plain text that is longer than eight bytes\\n\"",
       "\"a plain text that is longer than eight bytes\\n\""},
      {"\"\x7F\"", "\"\x7F\""},
  };
  struct weft_buf out;
  weft_buf_init(&out);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      struct weft_error err;
      expect_int(echo(weft_slice_of(rows[i].in), &out, &err), 0);
      expect_str(weft_buf_cstr(&out), rows[i].out);
    }
  }
  weft_buf_release(&out);
}

static void refusals(void) {
  static const struct {
    const char *in, *says;
  } rows[] = {
      {"", "offset 0: it ends too early"},
      {"   ", "offset 3: it ends too early"},
      {"nul", "offset 3: it ends too early"},
      {"nulL", "offset 3: unknown word"},
      {"True", "offset 0: value expected"},
      {"NaN", "offset 0: value expected"},
      {"Infinity", "offset 0: value expected"},
      {"-Infinity", "offset 1: digit expected"},
      {"01", "offset 1: leading zero"},
      {"-", "offset 1: it ends too early"},
      {"+1", "offset 0: value expected"},
      {".5", "offset 0: value expected"},
      {"1.", "offset 2: it ends too early"},
      {"1.e5", "offset 2: digit expected"},
      {"1e", "offset 2: it ends too early"},
      {"1 2", "offset 2: text after the value"},
      {"{} x", "offset 3: text after the value"},
      {"[1,]", "offset 3: value expected"},
      {"[,1]", "offset 1: value expected"},
      {"[1 2]", "offset 3: ',' or ']' expected"},
      {"[1}", "offset 2: ',' or ']' expected"},
      {"{\"a\":1,}", "offset 7: key expected"},
      {"{a:1}", "offset 1: key expected"},
      {"{\"a\" 1}", "offset 5: ':' expected"},
      {"{\"a\":}", "offset 5: value expected"},
      {"{\"a\":1]", "offset 6: ',' or '}' expected"},
      {"]", "offset 0: value expected"},
      {"\"a", "offset 2: it ends too early"},
      {"\"a\\", "offset 3: it ends too early"},
      {"\"\\x\"", "offset 1: unknown escape"},
      {"\"\\u12g4\"", "offset 1: \\u needs four hexadecimal digits"},
      {"\"\\ud800\"", "offset 1: lone surrogate"},
      {"\"\\ud800\\u0041\"", "offset 1: lone surrogate"},
      {"\"\\udc00\"", "offset 1: lone surrogate"},
      {"\"a\nb\"", "offset 2: control character in a string"},
      {"\"\xff\"", "offset 1: invalid UTF-8"},
      {"\"\xC3\"", "offset 1: invalid UTF-8"},
      {"\"\xED\xA0\x80\"", "offset 1: invalid UTF-8"},
      {"\"\xC0\x80\"", "offset 1: invalid UTF-8"},
      {"'a'", "offset 0: value expected"},
      {"// x\n1", "offset 0: value expected"},
  };
  struct weft_buf out;
  weft_buf_init(&out);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].in) {
      struct weft_error err = {0};
      expect_int(echo(weft_slice_of(rows[i].in), &out, &err), -1);
      expect_int(err.kind, WEFT_TYPE);
      expect_str(err.message + strlen("invalid JSON at "), rows[i].says);
    }
  }
  it ("refuses a zero byte outside and inside of strings") {
    expect_int(echo(WEFT_LIT("1\0"), &out, NULL), -1);
    expect_int(echo(WEFT_LIT("\"\0\""), &out, NULL), -1);
    expect_int(echo(WEFT_LIT("\"\\\0\""), &out, NULL), -1);
  }
  it ("goes 200 deep and no deeper") {
    char text[402];
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    expect_int(echo(weft_slice(text, 400), &out, NULL), 0);
    memset(text, '[', 201);
    memset(text + 201, ']', 201);
    struct weft_error err;
    expect_int(echo(weft_slice(text, 402), &out, &err), -1);
    expect(strstr(err.message, "nested too deep") != NULL);
  }
  it ("fails again when read on") {
    struct weft_json_reader r;
    weft_json_reader_init(&r, WEFT_LIT("[x]"));
    weft_json_read(&r, NULL);
    for (int i = 0; i < 5; i++) expect_int(weft_json_read(&r, NULL), -1);
    weft_json_reader_release(&r);
  }
  it ("stays at the end") {
    struct weft_json_reader r;
    weft_json_reader_init(&r, WEFT_LIT("1"));
    expect_int(weft_json_read(&r, NULL), WEFT_JSON_NUMBER);
    for (int i = 0; i < 5; i++) expect_int(weft_json_read(&r, NULL), WEFT_JSON_END);
    weft_json_reader_release(&r);
  }
  weft_buf_release(&out);
}

static void strings(void) {
  static const struct {
    struct weft_slice in;
    const char *out;
  } rows[] = {
      {{"", 0}, "\"\""},
      {{NULL, 0}, "\"\""},
      {{"a\0b", 3}, "\"a\\u0000b\""},
      {{"0123456789\"0123456789", 21}, "\"0123456789\\\"0123456789\""},
      {{"\x01\x1f\x7f", 3}, "\"\\u0001\\u001f\x7f\""},
      {{"\xff", 1}, "\"\xEF\xBF\xBD\""},
      {{"a\xC3", 2}, "\"a\xEF\xBF\xBD\""},
      {{"\xE2\x82z", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBDz\""},
      {{"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9}, "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
      {{"\xF4\x90\x80\x80", 4}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {{"</script>", 9}, "\"</script>\""},
  };
  struct weft_buf out;
  weft_buf_init(&out);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    it (rows[i].out) {
      weft_buf_reset(&out);
      weft_json_string(&out, rows[i].in);
      expect_str(weft_buf_cstr(&out), rows[i].out);
    }
  }
  it ("encodes bytes as base64 of any length") {
    static const char *const want[] = {"\"\"",         "\"AA==\"",     "\"AAE=\"",    "\"AAEC\"",
                                       "\"AAECAw==\"", "\"AAECAwQ=\"", "\"AAECAwQF\""};
    for (uint32_t n = 0; n < 7; n++) {
      weft_buf_reset(&out);
      weft_json_value(&out, (struct weft_value){.type = WEFT_BYTES, .n = n, .u.s = "\0\1\2\3\4\5"});
      expect_str(weft_buf_cstr(&out), want[n]);
    }
  }
  it ("writes what JSON has no word for as null") {
    weft_buf_reset(&out);
    weft_json_value(&out, weft_float(NAN));
    weft_json_value(&out, weft_float(-INFINITY));
    weft_json_value(&out, weft_null());
    expect_str(weft_buf_cstr(&out), "nullnullnull");
  }
  weft_buf_release(&out);
}

static uint64_t seed = 7;

static uint64_t random_below(uint64_t n) {
  seed = weft_hash_mix(seed, 0x2545f4914f6cdd1du);
  return seed % n;
}

static void random_string(struct weft_buf *out) {
  static const char *const parts[] = {"a",
                                      "plain text ",
                                      "\"",
                                      "\\",
                                      "\n",
                                      "\x01",
                                      "\xC3\xA4",
                                      "\xE2\x82\xAC",
                                      "\xF0\x9F\x98\x80",
                                      "/",
                                      "0123456789abcdef"};
  struct weft_buf text;
  weft_buf_init(&text);
  for (uint64_t n = random_below(6); n > 0; n--)
    weft_buf_str(&text, parts[random_below(sizeof parts / sizeof *parts)]);
  weft_json_string(out, weft_buf_slice(&text));
  weft_buf_release(&text);
}

static void random_document(struct weft_buf *out, int depth) {
  uint64_t kind = random_below(depth > 4 ? 6 : 8), n = random_below(5);
  switch (kind) {
  case 0: weft_buf_lit(out, "null"); break;
  case 1: weft_buf_str(out, n & 1 ? "true" : "false"); break;
  case 2: weft_buf_int(out, (int64_t)(random_below(UINT64_MAX) >> random_below(64))); break;
  case 3: weft_buf_fmt(out, "-%d.%03de-%d", (int)n, (int)random_below(1000), (int)n); break;
  case 4:
  case 5: random_string(out); break;
  default:
    weft_buf_char(out, kind == 6 ? '[' : '{');
    for (uint64_t i = 0; i < n; i++) {
      if (i) weft_buf_char(out, ',');
      if (kind == 7) random_string(out), weft_buf_char(out, ':');
      random_document(out, depth + 1);
    }
    weft_buf_char(out, kind == 6 ? ']' : '}');
  }
}

/* In memory of exactly its size, so that a sanitizer sees one byte too much. */
static int echo_exact(const char *p, size_t n, struct weft_buf *out) {
  char *copy = malloc(n ? n : 1);
  if (n) memcpy(copy, p, n);
  int rc = echo(weft_slice(copy, n), out, NULL);
  free(copy);
  return rc;
}

static void random_documents(void) {
  struct weft_buf doc, out;
  weft_buf_init(&doc);
  weft_buf_init(&out);
  it ("come back as they were written") {
    for (int i = 0; i < 5000; i++) {
      weft_buf_reset(&doc);
      random_document(&doc, 0);
      if (!expect_int(echo_exact(doc.p, doc.n, &out), 0) || !expect_mem(out.p, out.n, doc.p, doc.n))
        break;
    }
  }
  it ("are errors when cut anywhere") {
    for (int i = 0; i < 300; i++) {
      weft_buf_reset(&doc);
      weft_buf_char(&doc, '[');
      random_document(&doc, 0);
      weft_buf_char(&doc, ']');
      bool refused = true;
      for (size_t n = 0; n < doc.n; n++) refused &= echo_exact(doc.p, n, &out) == -1;
      if (!expect(refused)) break;
    }
  }
  it ("do no harm with any byte changed") {
    for (int i = 0; i < 20000; i++) {
      weft_buf_reset(&doc);
      random_document(&doc, 0);
      for (uint64_t n = random_below(4); n > 0; n--)
        doc.p[random_below(doc.n)] = (char)random_below(256);
      int rc = echo_exact(doc.p, doc.n, &out);
      if (!expect(rc == 0 || rc == -1)) break;
    }
  }
  weft_buf_release(&doc);
  weft_buf_release(&out);
}

int main(void) {
  describe ("json reader") readings();
  describe ("json reader refuses") refusals();
  describe ("json writer") strings();
  describe ("random documents") random_documents();
  return spec_end();
}
