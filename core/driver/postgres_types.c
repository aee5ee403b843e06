/* SPDX-License-Identifier: MIT */
/* The table of types, and the binary form of all but numeric and interval. Everything on the wire
   is big-endian; times count from 2000-01-01. Lengths come from outside: each decoder checks its
   own. */
#include "postgres_types.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSONB_VERSION = 1 };

static uint16_t be16(const char *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return ntohs(v);
}

static uint32_t be32(const char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return ntohl(v);
}

static int64_t be64(const char *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return (int64_t)__builtin_bswap64(v);
}

static bool bytes(struct weft_arena *a, enum weft_type type, const char *p, uint32_t n,
                  struct weft_value *out) {
  *out = (struct weft_value){.type = (uint8_t)type, .n = n, .u.s = weft_pg_keep(a, p, n)};
  return true;
}

static bool as_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return bytes(a, WEFT_TEXT, p, n, out);
}

static bool as_json(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return bytes(a, WEFT_JSON, p, n, out);
}

static bool as_uuid(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return n == 36 && bytes(a, WEFT_UUID, p, n, out);
}

static bool as_interval(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return bytes(a, WEFT_INTERVAL, p, n, out);
}

static bool bytea_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return bytes(a, WEFT_BYTES, p, n, out);
}

static bool jsonb_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return n > 0 && *p == JSONB_VERSION && bytes(a, WEFT_JSON, p + 1, n - 1, out);
}

static bool bool_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  *out = weft_bool(n == 1 && *p != 0);
  return n == 1;
}

static bool int2_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 2) return false;
  *out = weft_int((int16_t)be16(p));
  return true;
}

static bool int4_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 4) return false;
  *out = weft_int((int32_t)be32(p));
  return true;
}

static bool oid_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 4) return false;
  *out = weft_int((int64_t)be32(p));
  return true;
}

static bool int8_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 8) return false;
  *out = weft_int(be64(p));
  return true;
}

/* The one byte of "char"; as text, the server writes what is not ASCII as \ooo. */
static bool char_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  if (n != 1) return false;
  unsigned char c = (unsigned char)*p;
  if (c < 128) return bytes(a, WEFT_TEXT, p, c != 0, out);
  char octal[] = {'\\', (char)('0' + c / 64), (char)('0' + c / 8 % 8), (char)('0' + c % 8)};
  return bytes(a, WEFT_TEXT, octal, sizeof octal, out);
}

static bool float8_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 8) return false;
  int64_t bits = be64(p);
  double f;
  memcpy(&f, &bits, sizeof f);
  *out = weft_float(f);
  return true;
}

static bool float4_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 4) return false;
  uint32_t bits = be32(p);
  float f;
  memcpy(&f, &bits, sizeof f);
  *out = weft_float(weft_float_of_single(f));
  return true;
}

static bool uuid_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  static const char hex[] = "0123456789abcdef";
  if (n != 16) return false;
  char *text = weft_arena_bytes(a, 36), *at = text;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = hex[(unsigned char)p[i] >> 4];
    *at++ = hex[p[i] & 15];
  }
  *out = (struct weft_value){.type = WEFT_UUID, .n = 36, .u.s = text};
  return true;
}

static bool date_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 4) return false;
  int32_t days = (int32_t)be32(p);
  *out = (struct weft_value){.type = WEFT_DATE, .u.i = (int64_t)days + WEFT_PG_DAYS};
  if (days == INT32_MAX) out->u.i = WEFT_INFINITY;
  if (days == INT32_MIN) out->u.i = -WEFT_INFINITY;
  return true;
}

static bool time_binary(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  if (n != 8) return false;
  *out = (struct weft_value){.type = WEFT_TIME, .u.i = be64(p)};
  return out->u.i >= 0 && out->u.i <= 86400000000;
}

/* The same moment 400 years (which repeat the calendar) earlier can be written; then the year is
   put right. */
static bool far_moment(struct weft_arena *a, enum weft_type type, int64_t since_2000,
                       struct weft_value *out) {
  const int64_t era = (int64_t)146097 * 86400 * 1000000;
  char early[40];
  struct weft_value v = {.type = (uint8_t)type, .u.i = since_2000 - era + WEFT_PG_US};
  size_t n = weft_time_text(early, v);
  const char *dash = memchr(early + 1, '-', n - 1);
  char *text = weft_arena_bytes(a, 48);
  int len = dash ? snprintf(text, 48, "+%ld%.*s", strtol(early, NULL, 10) + 400,
                            (int)(early + n - dash), dash)
                 : 0;
  *out = weft_text(text, (size_t)len);
  return len > 0;
}

bool weft_pg_moment(struct weft_arena *a, enum weft_type type, int64_t since_2000,
                    struct weft_value *out) {
  int64_t us;
  *out = (struct weft_value){.type = (uint8_t)type};
  if (since_2000 == INT64_MAX) out->u.i = WEFT_INFINITY;
  else if (since_2000 == INT64_MIN) out->u.i = -WEFT_INFINITY;
  else if (__builtin_add_overflow(since_2000, WEFT_PG_US, &us) || us == WEFT_INFINITY)
    return far_moment(a, type, since_2000, out);
  else out->u.i = us;
  return true;
}

static bool timestamp_binary(struct weft_arena *a, const char *p, uint32_t n,
                             struct weft_value *out) {
  return n == 8 && weft_pg_moment(a, WEFT_TIMESTAMP, be64(p), out);
}

static bool timestamptz_binary(struct weft_arena *a, const char *p, uint32_t n,
                               struct weft_value *out) {
  return n == 8 && weft_pg_moment(a, WEFT_TIMESTAMPTZ, be64(p), out);
}

static const struct weft_pg_type types[] = {
    {PG_INT4, 1007, WEFT_INT, int4_binary, weft_pg_int_text},
    {PG_TEXT, 1009, WEFT_TEXT, as_text, as_text},
    {PG_INT8, 1016, WEFT_INT, int8_binary, weft_pg_int_text},
    {PG_VARCHAR, 1015, WEFT_TEXT, as_text, as_text},
    {PG_NUMERIC, 1231, WEFT_DECIMAL, weft_pg_numeric_binary, weft_pg_numeric_text},
    {PG_TIMESTAMPTZ, 1185, WEFT_TIMESTAMPTZ, timestamptz_binary, weft_pg_timestamptz_text},
    {PG_TIMESTAMP, 1115, WEFT_TIMESTAMP, timestamp_binary, weft_pg_timestamp_text},
    {PG_BOOL, 1000, WEFT_BOOL, bool_binary, weft_pg_bool_text},
    {PG_INT2, 1005, WEFT_INT, int2_binary, weft_pg_int_text},
    {PG_FLOAT8, 1022, WEFT_FLOAT, float8_binary, weft_pg_float_text},
    {PG_FLOAT4, 1021, WEFT_FLOAT, float4_binary, weft_pg_float_text},
    {PG_UUID, 2951, WEFT_UUID, uuid_binary, as_uuid},
    {PG_JSONB, 3807, WEFT_JSON, jsonb_binary, as_json},
    {PG_JSON, 199, WEFT_JSON, as_json, as_json},
    {PG_BYTEA, 1001, WEFT_BYTES, bytea_binary, weft_pg_bytea_text},
    {PG_BPCHAR, 1014, WEFT_TEXT, as_text, as_text},
    {PG_DATE, 1182, WEFT_DATE, date_binary, weft_pg_date_text},
    {PG_TIME, 1183, WEFT_TIME, time_binary, weft_pg_time_text},
    {PG_INTERVAL, 1187, WEFT_INTERVAL, weft_pg_interval_binary, as_interval},
    {PG_NAME, 1003, WEFT_TEXT, as_text, as_text},
    {PG_OID, 1028, WEFT_INT, oid_binary, weft_pg_int_text},
    {PG_CHAR, 1002, WEFT_TEXT, char_binary, as_text},
    {PG_XID, 1011, WEFT_INT, oid_binary, weft_pg_int_text},
    {PG_CID, 1012, WEFT_INT, oid_binary, weft_pg_int_text},
    {PG_UNKNOWN, 0, WEFT_TEXT, as_text, as_text},
    {PG_CSTRING, 1263, WEFT_TEXT, as_text, as_text},
    {PG_VOID, 0, WEFT_TEXT, as_text, as_text},
};
enum { NTYPES = sizeof types / sizeof *types };

struct weft_pg_column weft_pg_column(uint32_t oid) {
  for (size_t i = 0; oid && i < NTYPES; i++) {
    if (types[i].oid == oid) return (struct weft_pg_column){&types[i], false};
    if (types[i].array_oid == oid) return (struct weft_pg_column){&types[i], true};
  }
  return (struct weft_pg_column){NULL, false};
}

uint32_t weft_pg_array_oid(uint32_t elem_oid) {
  for (size_t i = 0; i < NTYPES; i++)
    if (types[i].oid == elem_oid) return types[i].array_oid;
  return 0;
}

/* ---- arrays ---- */
struct reader {
  const struct weft_pg_type *elem;
  struct weft_arena *arena;
  const char *p, *end;
  uint32_t dims[WEFT_PG_DIMS];
  uint32_t ndims;
};

static bool read_level(struct reader *r, uint32_t level, struct weft_value *out) {
  uint32_t n = r->dims[level];
  bool inner = level + 1 == r->ndims;
  struct weft_array *array = weft_arena_alloc(r->arena, sizeof *array + n * sizeof array->v[0]);
  array->n = n;
  array->elem = inner ? r->elem->type : WEFT_ARRAY;
  *out = (struct weft_value){.type = WEFT_ARRAY, .u.array = array};
  for (uint32_t i = 0; i < n; i++) {
    if (!inner) {
      if (!read_level(r, level + 1, &array->v[i])) return false;
      continue;
    }
    if (r->end - r->p < 4) return false;
    int32_t size = (int32_t)be32(r->p);
    r->p += 4;
    array->v[i] = weft_null();
    if (size == -1) continue;
    if (size < 0 || size > r->end - r->p) return false;
    if (!r->elem->binary(r->arena, r->p, (uint32_t)size, &array->v[i])) return false;
    r->p += size;
  }
  return true;
}

/* dimensions, has-null flag, element type, then length and lower bound of each dimension. */
bool weft_pg_array_binary(const struct weft_pg_type *elem, struct weft_arena *a, const char *p,
                          uint32_t n, struct weft_value *out) {
  struct reader r = {.elem = elem, .arena = a, .p = p + 12, .end = p + n};
  if (n < 12 || be32(p + 8) != elem->oid) return false;
  r.ndims = be32(p);
  if (r.ndims > WEFT_PG_DIMS || (size_t)(r.end - r.p) < 8 * (size_t)r.ndims) return false;
  uint64_t total = 1, most = n / 4; /* every element takes four bytes at least */
  for (uint32_t i = 0; i < r.ndims; i++, r.p += 8) {
    r.dims[i] = be32(r.p);
    total *= r.dims[i];
    if (total > most || r.dims[i] == 0) return false;
  }
  if (r.ndims == 0) {
    r.ndims = 1;
    r.dims[0] = 0;
  }
  return read_level(&r, 0, out) && r.p == r.end;
}
