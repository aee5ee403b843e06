/* SPDX-License-Identifier: MIT */
/* Parameters. A slot that knows its type is sent with that type's oid, in binary where the form is
   fixed and in text otherwise; a slot that does not is text with oid 0, so that the server infers.
   Text in text format ends at a zero byte in libpq, so that one inside is refused here rather than
   cut.

   Values are gathered in one buffer which may move: places in it are offsets until the end. */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "decimal.h"
#include "postgres_types.h"

enum { BORROWED = UINT32_MAX, KEEP = 1 << 20 };
/* One message of the protocol; the server's own limit is 1 GiB - 1. */
static const uint64_t MAX_BYTES = (1u << 30) - (1u << 16);

void weft_pg_params_init(struct weft_pg_params *e) {
  e->values = e->few_values;
  e->lengths = e->few_lengths;
  e->formats = e->few_formats;
  e->types = e->few_types;
  e->offsets = e->few_offsets;
  e->room = WEFT_PG_FEW;
  e->n = 0;
  weft_buf_init(&e->bytes);
}

static void free_many(struct weft_pg_params *e) {
  if (e->values == e->few_values) return;
  free(e->values);
  free(e->lengths);
  free(e->formats);
  free(e->types);
  free(e->offsets);
}

void weft_pg_params_release(struct weft_pg_params *e) {
  free_many(e);
  weft_buf_release(&e->bytes);
}

void weft_pg_params_done(struct weft_pg_params *e) {
  if (e->bytes.cap > KEEP) weft_buf_release(&e->bytes);
}

static void make_room(struct weft_pg_params *e, uint32_t n) {
  if (n <= e->room) return;
  free_many(e);
  e->values = weft_alloc(n * sizeof *e->values);
  e->lengths = weft_alloc(n * sizeof *e->lengths);
  e->formats = weft_alloc(n * sizeof *e->formats);
  e->types = weft_alloc(n * sizeof *e->types);
  e->offsets = weft_alloc(n * sizeof *e->offsets);
  e->room = n;
}

/* ---- binary ---- */
static void put16(struct weft_buf *b, int64_t v) {
  uint16_t be = htons((uint16_t)v);
  weft_buf_add(b, &be, sizeof be);
}

static void put32(struct weft_buf *b, int64_t v) {
  uint32_t be = htonl((uint32_t)v);
  weft_buf_add(b, &be, sizeof be);
}

static void put64(struct weft_buf *b, int64_t v) {
  uint64_t be = __builtin_bswap64((uint64_t)v);
  weft_buf_add(b, &be, sizeof be);
}

static bool put_float(struct weft_buf *b, double f, bool single) {
  if (single) {
    float small = (float)f;
    uint32_t bits;
    memcpy(&bits, &small, sizeof bits);
    if (isinf(small) && !isinf(f)) return false; /* the server refuses it in words */
    put32(b, bits);
  } else {
    int64_t bits;
    memcpy(&bits, &f, sizeof bits);
    put64(b, bits);
  }
  return true;
}

static bool put_uuid(struct weft_buf *b, struct weft_value v) {
  char out[16];
  int half = 0, high = 0;
  if (v.n != 36) return false;
  for (uint32_t i = 0; i < v.n; i++) {
    char c = v.u.s[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (c == '-' && (i == 8 || i == 13 || i == 18 || i == 23)) continue;
    if (digit < 0 || half == 32) return false;
    if (half % 2) out[half / 2] = (char)(high << 4 | digit);
    high = digit;
    half++;
  }
  if (half != 32) return false;
  weft_buf_add(b, out, sizeof out);
  return true;
}

static bool put_date(struct weft_buf *b, int64_t days) {
  if (days == WEFT_INFINITY || days == -WEFT_INFINITY)
    return put32(b, days > 0 ? INT32_MAX : INT32_MIN), true;
  days -= WEFT_PG_DAYS;
  if (days >= INT32_MAX || days <= INT32_MIN) return false;
  return put32(b, days), true;
}

static bool put_moment(struct weft_buf *b, int64_t us) {
  if (us == WEFT_INFINITY || us == -WEFT_INFINITY)
    return put64(b, us > 0 ? INT64_MAX : INT64_MIN), true;
  if (__builtin_sub_overflow(us, WEFT_PG_US, &us)) return false;
  return put64(b, us), true;
}

static bool put_int(struct weft_buf *b, uint32_t oid, int64_t i) {
  switch (oid) {
  case PG_INT2:
    return i >= INT16_MIN && i <= INT16_MAX ? put16(b, i), true : false;
  case PG_INT4:
    return i >= INT32_MIN && i <= INT32_MAX ? put32(b, i), true : false;
  case PG_INT8:
    return put64(b, i), true;
  case PG_OID:
    return i >= 0 && i <= UINT32_MAX ? put32(b, i), true : false;
  case PG_FLOAT4:
    return put_float(b, (double)i, true);
  case PG_FLOAT8:
    return put_float(b, (double)i, false);
  default:
    return false;
  }
}

/* A type whose binary form is the text itself. */
static bool text_is_binary(uint32_t oid, uint8_t type) {
  if (oid == PG_BYTEA) return type == WEFT_BYTES || type == WEFT_TEXT;
  return (oid == PG_TEXT || oid == PG_VARCHAR || oid == PG_BPCHAR || oid == PG_JSON) &&
         (type == WEFT_TEXT || type == WEFT_JSON || type == WEFT_UUID || type == WEFT_INTERVAL);
}

/* false: this value has no binary form for that oid; nothing was written then. */
static bool put_binary(struct weft_buf *b, uint32_t oid, struct weft_value v) {
  switch (v.type) {
  case WEFT_INT:
    return put_int(b, oid, v.u.i);
  case WEFT_BOOL:
    return oid == PG_BOOL ? weft_buf_char(b, v.u.i != 0), true : false;
  case WEFT_FLOAT:
    if (oid != PG_FLOAT4 && oid != PG_FLOAT8) return false;
    return put_float(b, v.u.f, oid == PG_FLOAT4);
  case WEFT_DATE:
    return oid == PG_DATE && put_date(b, v.u.i);
  case WEFT_TIME:
    return oid == PG_TIME ? put64(b, v.u.i), true : false;
  case WEFT_TIMESTAMP:
    return oid == PG_TIMESTAMP && put_moment(b, v.u.i);
  case WEFT_TIMESTAMPTZ:
    return oid == PG_TIMESTAMPTZ && put_moment(b, v.u.i);
  default:
    break;
  }
  if (oid == PG_UUID && (v.type == WEFT_UUID || v.type == WEFT_TEXT)) return put_uuid(b, v);
  if (!text_is_binary(oid, v.type)) return false;
  weft_buf_add(b, v.u.s, v.n);
  return true;
}

static bool put_elements(struct weft_buf *b, uint32_t oid, const struct weft_array *a,
                         const uint32_t *dims, uint32_t ndims) {
  if (a->n != dims[0]) return false;
  for (uint32_t i = 0; i < a->n; i++) {
    struct weft_value v = a->v[i];
    if (ndims > 1) {
      if (v.type != WEFT_ARRAY || !put_elements(b, oid, v.u.array, dims + 1, ndims - 1))
        return false;
    } else if (v.type == WEFT_NULL) {
      put32(b, -1);
    } else {
      size_t at = b->n;
      put32(b, 0);
      if (!put_binary(b, oid, v) || weft_buf_failed(b)) return false;
      uint32_t size = htonl((uint32_t)(b->n - at - 4));
      memcpy(b->p + at, &size, sizeof size);
    }
  }
  return true;
}

static bool put_array(struct weft_buf *b, uint32_t oid, const struct weft_array *a) {
  uint32_t dims[WEFT_PG_DIMS], ndims = 0;
  size_t start = b->n;
  for (const struct weft_array *at = a; at && ndims < WEFT_PG_DIMS && at->n;) {
    dims[ndims++] = at->n;
    at = at->v[0].type == WEFT_ARRAY ? at->v[0].u.array : NULL;
    if (at && at->n == 0) return false;
  }
  put32(b, ndims);
  put32(b, 1); /* there may be NULLs */
  put32(b, oid);
  for (uint32_t i = 0; i < ndims; i++) {
    put32(b, dims[i]);
    put32(b, 1);
  }
  if (ndims == 0 || put_elements(b, oid, a, dims, ndims)) return true;
  if (!weft_buf_failed(b)) b->n = start;
  return false;
}

/* ---- text ---- */
/* Weft writes years before 1 as -0043; the server wants "0044-03-15 BC". */
static void put_time(struct weft_buf *b, struct weft_value v) {
  char text[40];
  size_t n = weft_time_text(text, v), skip = text[0] == '+';
  bool early = n && text[0] == '-' && text[1] != 'i', zero = n > 5 && memcmp(text, "0000-", 5) == 0;
  if (v.type == WEFT_TIME || !(early || zero)) {
    weft_buf_add(b, text + skip, n - skip);
    return;
  }
  const char *dash = memchr(text + 1, '-', n - 1);
  weft_buf_fmt(b, "%04ld%.*s BC", 1 - strtol(text, NULL, 10), (int)(text + n - dash), dash);
}

static void put_hex(struct weft_buf *b, struct weft_value v) {
  static const char hex[] = "0123456789abcdef";
  weft_buf_lit(b, "\\x");
  char *p = weft_buf_room(b, 2 * (size_t)v.n);
  if (!p) return;
  for (uint32_t i = 0; i < v.n; i++) {
    *p++ = hex[(unsigned char)v.u.s[i] >> 4];
    *p++ = hex[v.u.s[i] & 15];
  }
  b->n += 2 * (size_t)v.n;
}

static void put_float_text(struct weft_buf *b, double f) {
  char text[40];
  if (isnan(f)) weft_buf_lit(b, "NaN");
  else if (isinf(f)) weft_buf_str(b, f > 0 ? "Infinity" : "-Infinity");
  else if (f == trunc(f) && fabs(f) < 1e15) weft_buf_fmt(b, "%.0f", f); /* good for integers too */
  else weft_buf_add(b, text, weft_float_text(text, f));
}

static void put_literal(struct weft_buf *b, const struct weft_array *a);

static void put_text(struct weft_buf *b, struct weft_value v) {
  char text[WEFT_DECIMAL_TEXT];
  switch (v.type) {
  case WEFT_BOOL:
    weft_buf_char(b, v.u.i ? 't' : 'f');
    break;
  case WEFT_INT:
    weft_buf_int(b, v.u.i);
    break;
  case WEFT_FLOAT:
    put_float_text(b, v.u.f);
    break;
  case WEFT_DECIMAL:
    weft_buf_add(b, text, weft_decimal_text(text, v.u.dec));
    break;
  case WEFT_BYTES:
    put_hex(b, v);
    break;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    put_time(b, v);
    break;
  case WEFT_ARRAY:
  case WEFT_LIST:
    put_literal(b, v.u.array);
    break;
  default:
    weft_buf_add(b, v.u.s, v.n);
  }
}

static void put_quoted(struct weft_buf *b, const char *p, size_t n) {
  weft_buf_char(b, '"');
  for (size_t from = 0, i = 0; i <= n; i++) {
    if (i < n && p[i] != '"' && p[i] != '\\') continue;
    weft_buf_add(b, p + from, i - from);
    if (i < n) weft_buf_char(b, '\\');
    from = i;
  }
  weft_buf_char(b, '"');
}

static void put_literal(struct weft_buf *b, const struct weft_array *a) {
  weft_buf_char(b, '{');
  for (uint32_t i = 0; i < a->n; i++) {
    struct weft_value v = a->v[i];
    if (i) weft_buf_char(b, ',');
    if (v.type == WEFT_NULL) {
      weft_buf_lit(b, "NULL");
    } else if (v.type == WEFT_BYTES) {
      weft_buf_lit(b, "\"\\");
      put_hex(b, v);
      weft_buf_char(b, '"');
    } else if (weft_is_text(v)) {
      put_quoted(b, v.u.s, v.n);
    } else {
      put_text(b, v);
    }
  }
  weft_buf_char(b, '}');
}

static bool has_zero(struct weft_value v) {
  if (v.type == WEFT_ARRAY || v.type == WEFT_LIST) {
    for (uint32_t i = 0; i < v.u.array->n; i++)
      if (has_zero(v.u.array->v[i])) return true;
    return false;
  }
  return weft_is_text(v) && v.type != WEFT_BYTES && v.n && memchr(v.u.s, 0, v.n) != NULL;
}

/* Bytes that v takes at most twice over, so that no buffer is filled in vain. */
static uint64_t size_of(struct weft_value v) {
  uint64_t n = 8;
  if (v.type == WEFT_ARRAY || v.type == WEFT_LIST)
    for (uint32_t i = 0; i < v.u.array->n; i++) n += size_of(v.u.array->v[i]);
  return n + (weft_is_text(v) ? v.n : 0);
}

/* ---- one parameter ---- */
static int encode_text(struct weft_pg_params *e, int i, struct weft_value v,
                       struct weft_error *err) {
  if (has_zero(v))
    return weft_fail(err, WEFT_TYPE, "parameter %d: text cannot hold a zero byte on PostgreSQL",
                     i + 1);
  e->offsets[i] = (uint32_t)e->bytes.n;
  put_text(&e->bytes, v);
  weft_buf_char(&e->bytes, 0);
  return 0;
}

static bool encode_binary(struct weft_pg_params *e, int i, const struct weft_column_type *t,
                          struct weft_value v) {
  size_t start = e->bytes.n;
  e->formats[i] = 1;
  if (text_is_binary(t->oid, v.type)) {
    e->values[i] = v.n ? v.u.s : "";
    e->lengths[i] = (int)v.n;
    return true;
  }
  bool many = v.type == WEFT_LIST || v.type == WEFT_ARRAY, ok;
  if (many) {
    uint32_t elem = v.type == WEFT_LIST ? t->oid : t->elem_oid;
    ok = elem && e->types[i] && put_array(&e->bytes, elem, v.u.array);
  } else {
    ok = put_binary(&e->bytes, t->oid, v);
  }
  if (ok) {
    e->offsets[i] = (uint32_t)start;
    e->lengths[i] = (int)(e->bytes.n - start);
  }
  return ok;
}

/* A list stands for an array of the column's type. */
static uint32_t type_of(const struct weft_slot *slot) {
  switch (slot->form) {
  case WEFT_SLOT_ARRAY:
    return weft_pg_array_oid(slot->type.oid);
  case WEFT_SLOT_ARRAY_TEXT:
    return weft_pg_array_oid(PG_TEXT);
  default:
    return slot->type.oid;
  }
}

/* A list of arrays, each as the text of its literal. */
static void encode_literals(struct weft_pg_params *e, int i, const struct weft_array *list) {
  struct weft_buf *b = &e->bytes, literal;
  weft_buf_init(&literal);
  e->offsets[i] = (uint32_t)b->n;
  weft_buf_char(b, '{');
  for (uint32_t k = 0; k < list->n; k++) {
    if (k) weft_buf_char(b, ',');
    if (list->v[k].type == WEFT_NULL) {
      weft_buf_lit(b, "NULL");
      continue;
    }
    weft_buf_reset(&literal);
    put_text(&literal, list->v[k]);
    put_quoted(b, literal.p ? literal.p : "", literal.n);
  }
  weft_buf_add(b, "}", 2); /* with the zero byte */
  weft_buf_release(&literal);
}

static int encode_one(struct weft_pg_params *e, int i, const struct weft_slot *slot,
                      struct weft_value v, struct weft_error *err) {
  e->offsets[i] = BORROWED;
  e->values[i] = NULL;
  e->lengths[i] = e->formats[i] = 0;
  e->types[i] = slot ? type_of(slot) : 0;
  if (v.type == WEFT_NULL) return 0;
  if (slot && slot->form == WEFT_SLOT_ARRAY_TEXT && v.type == WEFT_LIST && !has_zero(v)) {
    encode_literals(e, i, v.u.array);
    return 0;
  }
  if (slot && slot->type.oid && encode_binary(e, i, &slot->type, v)) return 0;
  e->formats[i] = 0;
  return encode_text(e, i, v, err);
}

int weft_pg_encode(struct weft_pg_params *e, const struct weft_slot *slots, uint32_t nslots,
                   const struct weft_value *values, uint32_t n, struct weft_error *err) {
  if (n > WEFT_PG_MAX_PARAMS)
    return weft_fail(err, WEFT_USAGE, "%u parameters; PostgreSQL takes at most %d in one statement",
                     n, WEFT_PG_MAX_PARAMS);
  make_room(e, n);
  e->n = (int)n;
  e->total = 0;
  weft_buf_reset(&e->bytes);
  for (uint32_t i = 0; i < n; i++) {
    if (values[i].type >= WEFT_TEXT) e->total += size_of(values[i]);
    if (e->total > MAX_BYTES) goto too_long;
    if (encode_one(e, (int)i, i < nslots ? &slots[i] : NULL, values[i], err) != 0) return -1;
    if (weft_buf_failed(&e->bytes) || e->bytes.n > MAX_BYTES) goto too_long;
  }
  for (uint32_t i = 0; i < n; i++)
    if (e->offsets[i] != BORROWED) e->values[i] = e->bytes.p + e->offsets[i];
  return 0;
too_long:
  weft_buf_release(&e->bytes);
  return weft_fail(err, WEFT_TYPE, "the parameters are longer than 1 GiB, PostgreSQL's limit");
}
