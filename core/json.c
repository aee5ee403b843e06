/* SPDX-License-Identifier: MIT */
/* The writer: one pass over cells into the buffer. Names of columns are escaped once per row set. */
#include "json.h"

#include <math.h>

#include "decimal.h"
#include "text.h"

static void put_escape(struct weft_buf *out, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  switch (c) {
  case '"':
  case '\\': e[1] = (char)c; break;
  case '\b': e[1] = 'b'; break;
  case '\f': e[1] = 'f'; break;
  case '\n': e[1] = 'n'; break;
  case '\r': e[1] = 'r'; break;
  case '\t': e[1] = 't'; break;
  default: weft_buf_add(out, e, 6); return;
  }
  weft_buf_add(out, e, 2);
}

void weft_json_string(struct weft_buf *out, struct weft_slice s) {
  const char *p = s.n ? s.p : "", *end = p + s.n, *stop = weft_json_plain(p, end);
  if (stop == end) {
    char *at = weft_buf_room(out, s.n + 2);
    if (!at) return;
    at[0] = '"';
    memcpy(at + 1, p, s.n);
    at[s.n + 1] = '"';
    out->n += s.n + 2;
    return;
  }
  weft_buf_char(out, '"');
  for (;; stop = weft_json_plain(p, end)) {
    weft_buf_add(out, p, (size_t)(stop - p));
    if (stop == end) break;
    unsigned char c = (unsigned char)*stop;
    if (c >= 0x80) weft_buf_lit(out, "\xEF\xBF\xBD");
    else put_escape(out, c);
    p = stop + 1;
  }
  weft_buf_char(out, '"');
}

static void put_base64(struct weft_buf *out, const char *bytes, size_t n) {
  char *at = weft_buf_room(out, weft_base64_size(n) + 2);
  if (!at) return;
  at[0] = '"';
  size_t len = weft_base64_text(at + 1, bytes, n);
  at[len + 1] = '"';
  out->n += len + 2;
}

static void put_array(struct weft_buf *out, const struct weft_array *a) {
  weft_buf_char(out, '[');
  for (uint32_t i = 0; i < a->n; i++) {
    if (i) weft_buf_char(out, ',');
    weft_json_value(out, a->v[i]);
  }
  weft_buf_char(out, ']');
}

/* The types whose text is short: written in place. */
static void put_short(struct weft_buf *out, struct weft_value v) {
  char *at = weft_buf_room(out, WEFT_DECIMAL_TEXT), *p = at;
  if (!at) return;
  switch (v.type) {
  case WEFT_INT: p += weft_int_text(p, v.u.i); break;
  case WEFT_BOOL: p += v.u.i ? (memcpy(p, "true", 4), 4) : (memcpy(p, "false", 5), 5); break;
  case WEFT_FLOAT:
    if (isfinite(v.u.f)) p += weft_float_text(p, v.u.f);
    else p += (memcpy(p, "null", 4), 4);
    break;
  case WEFT_DECIMAL: p += weft_decimal_text(p, v.u.dec); break;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    *p++ = '"';
    p += weft_time_text(p, v);
    *p++ = '"';
    break;
  default: p += (memcpy(p, "null", 4), 4); break;
  }
  out->n += (size_t)(p - at);
}

void weft_json_value(struct weft_buf *out, struct weft_value v) {
  switch (v.type) {
  case WEFT_TEXT:
  case WEFT_UUID:
  case WEFT_INTERVAL: weft_json_string(out, weft_slice(v.u.s, v.n)); break;
  case WEFT_JSON: weft_buf_add(out, v.u.s, v.n); break;
  case WEFT_BYTES: put_base64(out, v.u.s, v.n); break;
  case WEFT_ARRAY:
  case WEFT_LIST: put_array(out, v.u.array); break;
  default: put_short(out, v); break;
  }
}

static void first_name(struct weft_buf *out, struct weft_slice name, bool first,
                       struct weft_json_name *known) {
  size_t start = out->n;
  weft_buf_char(out, first ? '{' : ',');
  weft_json_string(out, name);
  weft_buf_char(out, ':');
  if (known) *known = (struct weft_json_name){start, out->n - start};
}

static inline void known_name(struct weft_buf *out, const struct weft_json_name *known) {
  char *at = weft_buf_room(out, known->n);
  if (!at) return;
  memcpy(at, out->p + known->at, known->n);
  out->n += known->n;
}

void weft_json_name(struct weft_buf *out, struct weft_slice name, bool first,
                    struct weft_json_name *known) {
  if (known->n) known_name(out, known);
  else first_name(out, name, first, known);
}

/* The first row makes all names known that there is room for; known[0] stands for them. */
static inline void put_columns(struct weft_buf *out, const struct weft_rows *rows, uint32_t i,
                               struct weft_json_name *known) {
  const struct weft_value *row = weft_rows_row(rows, i);
  uint32_t n = rows->ncols, room = known ? WEFT_JSON_NAMES : 0;
  uint32_t copied = n && known && known->n ? room : 0;
  if (n == 0) weft_buf_char(out, '{');
  for (uint32_t c = 0; c < n; c++) {
    const struct weft_column *column = &rows->columns->v[c];
    if (c < copied) known_name(out, &known[c]);
    else first_name(out, column->name, c == 0, c < room ? &known[c] : NULL);
    if (column->as == WEFT_AS_IS) {
      weft_json_value(out, row[c]);
    } else {
      char scratch[WEFT_PRESENT_TEXT];
      weft_json_value(out, weft_value_present(row[c], column->as, scratch));
    }
  }
}

void weft_json_columns(struct weft_buf *out, const struct weft_rows *rows, uint32_t i,
                       struct weft_json_name *known) {
  put_columns(out, rows, i, known);
}

void weft_json_row(struct weft_buf *out, const struct weft_rows *rows, uint32_t i) {
  put_columns(out, rows, i, NULL);
  weft_buf_char(out, '}');
}

void weft_json_rows(struct weft_buf *out, const struct weft_rows *rows) {
  struct weft_json_name known[WEFT_JSON_NAMES];
  known->n = 0;
  weft_buf_char(out, '[');
  for (uint32_t i = 0; i < rows->nrows; i++) {
    if (i) weft_buf_char(out, ',');
    put_columns(out, rows, i, known);
    weft_buf_char(out, '}');
  }
  weft_buf_char(out, ']');
}
