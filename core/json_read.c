/* SPDX-License-Identifier: MIT */
/* The reader. Between calls: at is behind the last event; stack[0..depth) are the open containers;
   state says what may come next. An error is for good: at == end + nothing is read again. */
#include "json_read.h"

#include "decimal.h"

enum state {
  WANT_VALUE,       /* after a key, a comma in an array, at the start */
  WANT_ITEM_OR_END, /* after '[' */
  WANT_KEY_OR_END,  /* after '{' */
  WANT_MORE,        /* after a value: comma, end of container, end of text */
  BROKEN
};

void weft_json_reader_init(struct weft_json_reader *r, struct weft_slice text) {
  r->start = r->at = text.n ? text.p : "";
  r->end = r->start + text.n;
  weft_buf_init(&r->scratch);
  r->depth = 0;
  r->state = WANT_VALUE;
  r->value = weft_null();
  r->text = weft_slice(NULL, 0);
}

void weft_json_reader_release(struct weft_json_reader *r) {
  weft_buf_release(&r->scratch);
}

static int broken(struct weft_json_reader *r, const char *what, struct weft_error *err) {
  r->state = BROKEN;
  return weft_fail(err, WEFT_TYPE, "invalid JSON at offset %zu: %s", (size_t)(r->at - r->start),
                   r->at == r->end ? "it ends too early" : what);
}

static void skip_space(struct weft_json_reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++;
}

static int hex4(const char *p, const char *end) {
  int v = 0;
  if (end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1;
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

static void put_utf8(struct weft_buf *b, int c) {
  char s[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--, c >>= 6) s[i] = (char)(0x80 | (c & 0x3F));
  s[0] = (char)(lead[n] | c);
  weft_buf_add(b, s, n);
}

/* At the backslash; leaves at behind the escape. */
static int read_escape(struct weft_json_reader *r, struct weft_error *err) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *p = r->at + 1;
  const char *known = p < r->end && *p ? strchr(from, *p) : NULL;
  if (known) {
    weft_buf_char(&r->scratch, to[known - from]);
    r->at = p + 1;
    return 0;
  }
  if (p == r->end) return r->at = p, broken(r, "", err);
  if (*p != 'u') return broken(r, "unknown escape", err);
  int c = hex4(p + 1, r->end), low = -1;
  if (c < 0) return broken(r, "\\u needs four hexadecimal digits", err);
  p += 5;
  if (c >= 0xD800 && c <= 0xDBFF) {
    if (r->end - p >= 6 && p[0] == '\\' && p[1] == 'u') low = hex4(p + 2, r->end);
    if (low < 0xDC00 || low > 0xDFFF) return broken(r, "lone surrogate", err);
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    p += 6;
  } else if (c >= 0xDC00 && c <= 0xDFFF) {
    return broken(r, "lone surrogate", err);
  }
  put_utf8(&r->scratch, c);
  r->at = p;
  return 0;
}

/* Bytes from p that stand for themselves; stops at a quote, a backslash, a control character, an
   invalid sequence and the end. */
const char *weft_json_plain(const char *p, const char *end) {
  while (p < end) {
    if (end - p >= 8) {
      uint64_t w;
      memcpy(&w, p, 8);
      const uint64_t ones = 0x0101010101010101u, high = ones << 7;
      uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
      uint64_t special = ((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high;
      if (special == 0) {
        p += 8;
        continue;
      }
    }
    unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c == '"' || c == '\\') break;
    size_t n = c < 0x80 ? 1 : weft_utf8_sequence(p, (size_t)(end - p));
    if (n == 0) break;
    p += n;
  }
  return p;
}

/* Text without escapes is a slice of the document. */
static int read_string(struct weft_json_reader *r, struct weft_error *err) {
  const char *run = ++r->at;
  weft_buf_reset(&r->scratch);
  bool escaped = false;
  for (;;) {
    r->at = weft_json_plain(r->at, r->end);
    if (r->at == r->end) return broken(r, "", err);
    if (*r->at == '"') break;
    if (*r->at != '\\')
      return broken(
          r, (unsigned char)*r->at < 0x20 ? "control character in a string" : "invalid UTF-8", err);
    weft_buf_add(&r->scratch, run, (size_t)(r->at - run));
    escaped = true;
    if (read_escape(r, err) != 0) return -1;
    run = r->at;
  }
  r->text = weft_slice(run, (size_t)(r->at - run));
  if (escaped) {
    weft_buf_slice_add(&r->scratch, r->text);
    if (weft_buf_failed(&r->scratch)) return broken(r, "string too long", err);
    r->text = weft_slice(r->scratch.p ? r->scratch.p : "", r->scratch.n);
  }
  r->at++;
  return 0;
}

static bool is_digit(const struct weft_json_reader *r) {
  return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static int read_digits(struct weft_json_reader *r, struct weft_error *err) {
  if (!is_digit(r)) return broken(r, "digit expected", err);
  while (is_digit(r)) r->at++;
  return 0;
}

static int read_number(struct weft_json_reader *r, struct weft_error *err) {
  const char *start = r->at;
  bool whole = true;
  if (*r->at == '-') r->at++;
  if (r->at < r->end && *r->at == '0') {
    r->at++;
    if (is_digit(r)) return broken(r, "leading zero", err);
  } else if (read_digits(r, err) != 0) {
    return -1;
  }
  if (r->at < r->end && *r->at == '.') {
    whole = false;
    r->at++;
    if (read_digits(r, err) != 0) return -1;
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    whole = false;
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
    if (read_digits(r, err) != 0) return -1;
  }
  r->text = weft_slice(start, (size_t)(r->at - start));
  r->value = weft_null();
  int64_t i;
  /* "-0" is no integer: its sign would be lost. */
  if (whole && !(*start == '-' && start[1] == '0') && weft_int_parse(r->text, &i) == 0)
    r->value = weft_int(i);
  return WEFT_JSON_NUMBER;
}

static int read_word(struct weft_json_reader *r, const char *word, enum weft_json_event event,
                     struct weft_value value, struct weft_error *err) {
  size_t n = strlen(word);
  for (size_t i = 0; i < n; i++, r->at++)
    if (r->at == r->end || *r->at != word[i]) return broken(r, "unknown word", err);
  r->value = value;
  return (int)event;
}

static int open_container(struct weft_json_reader *r, struct weft_error *err) {
  if (r->depth == (int)sizeof r->stack) return broken(r, "nested too deep", err);
  bool array = *r->at == '[';
  r->stack[r->depth++] = (uint8_t)*r->at++;
  r->state = array ? WANT_ITEM_OR_END : WANT_KEY_OR_END;
  return array ? WEFT_JSON_ARRAY_BEGIN : WEFT_JSON_OBJECT_BEGIN;
}

static int close_container(struct weft_json_reader *r) {
  r->at++;
  r->state = WANT_MORE;
  return r->stack[--r->depth] == '[' ? WEFT_JSON_ARRAY_END : WEFT_JSON_OBJECT_END;
}

static int read_value(struct weft_json_reader *r, struct weft_error *err) {
  if (r->at == r->end) return broken(r, "", err);
  if (*r->at == '[' || *r->at == '{') return open_container(r, err);
  r->state = WANT_MORE;
  switch (*r->at) {
  case '"': return read_string(r, err) == 0 ? WEFT_JSON_STRING : -1;
  case 'n': return read_word(r, "null", WEFT_JSON_NULL, weft_null(), err);
  case 't': return read_word(r, "true", WEFT_JSON_BOOL, weft_bool(true), err);
  case 'f': return read_word(r, "false", WEFT_JSON_BOOL, weft_bool(false), err);
  default: break;
  }
  if (*r->at == '-' || is_digit(r)) return read_number(r, err);
  return broken(r, "value expected", err);
}

static int read_key(struct weft_json_reader *r, struct weft_error *err) {
  if (r->at == r->end || *r->at != '"') return broken(r, "key expected", err);
  if (read_string(r, err) != 0) return -1;
  skip_space(r);
  if (r->at == r->end || *r->at != ':') return broken(r, "':' expected", err);
  r->at++;
  r->state = WANT_VALUE;
  return WEFT_JSON_KEY;
}

/* After a value. */
static int read_more(struct weft_json_reader *r, struct weft_error *err) {
  if (r->depth == 0)
    return r->at == r->end ? WEFT_JSON_END : broken(r, "text after the value", err);
  bool array = r->stack[r->depth - 1] == '[';
  if (r->at < r->end && *r->at == (array ? ']' : '}')) return close_container(r);
  if (r->at == r->end || *r->at != ',')
    return broken(r, array ? "',' or ']' expected" : "',' or '}' expected", err);
  r->at++;
  skip_space(r);
  return array ? read_value(r, err) : read_key(r, err);
}

int weft_json_read(struct weft_json_reader *r, struct weft_error *err) {
  skip_space(r);
  bool more = r->at < r->end;
  switch (r->state) {
  case WANT_VALUE: return read_value(r, err);
  case WANT_ITEM_OR_END: return more && *r->at == ']' ? close_container(r) : read_value(r, err);
  case WANT_KEY_OR_END: return more && *r->at == '}' ? close_container(r) : read_key(r, err);
  case WANT_MORE: return read_more(r, err);
  default: return broken(r, "read on after an error", err);
  }
}

bool weft_json_valid(struct weft_slice text) {
  struct weft_json_reader r;
  struct weft_error err;
  int event;
  weft_json_reader_init(&r, text);
  do event = weft_json_read(&r, &err);
  while (event > WEFT_JSON_END);
  weft_json_reader_release(&r);
  return event == WEFT_JSON_END;
}
