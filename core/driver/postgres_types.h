/* SPDX-License-Identifier: MIT */
/* PostgreSQL's types and Weft's values: what comes (binary and text) and what goes. No connection
   and no client library is needed here.

   A type is found by its oid. A column whose type is not in the table is asked for as text and
   becomes a TEXT cell; a statement whose columns all have a binary decoder is asked for in binary.
   Both ways give the same cells. */
#ifndef WEFT_POSTGRES_TYPES_H
#define WEFT_POSTGRES_TYPES_H

#include "plan.h"

enum weft_pg_oid {
  PG_BOOL = 16,
  PG_BYTEA = 17,
  PG_CHAR = 18,
  PG_NAME = 19,
  PG_INT8 = 20,
  PG_INT2 = 21,
  PG_INT4 = 23,
  PG_TEXT = 25,
  PG_OID = 26,
  PG_XID = 28,
  PG_CID = 29,
  PG_JSON = 114,
  PG_FLOAT4 = 700,
  PG_FLOAT8 = 701,
  PG_UNKNOWN = 705,
  PG_BPCHAR = 1042,
  PG_VARCHAR = 1043,
  PG_DATE = 1082,
  PG_TIME = 1083,
  PG_TIMESTAMP = 1114,
  PG_TIMESTAMPTZ = 1184,
  PG_INTERVAL = 1186,
  PG_NUMERIC = 1700,
  PG_CSTRING = 2275,
  PG_VOID = 2278,
  PG_UUID = 2950,
  PG_JSONB = 3802
};

/* Times count from 2000-01-01. */
enum { WEFT_PG_DAYS = 10957, WEFT_PG_DIMS = 6 /* an array has at most */ };
static const int64_t WEFT_PG_US = 946684800000000;

/* False when the bytes are not what the type says; then nothing of *out counts. Memory comes from
   the arena, never from p. */
typedef bool weft_pg_decode(struct weft_arena *a, const char *p, uint32_t n,
                            struct weft_value *out);

struct weft_pg_type {
  uint32_t oid, array_oid;
  uint8_t type; /* enum weft_type of its cells */
  weft_pg_decode *binary, *text;
};

/* How the cells of one column are read. */
struct weft_pg_column {
  const struct weft_pg_type *type; /* of the elements, when array; NULL: unknown, text only */
  bool array;
};

struct weft_pg_column weft_pg_column(uint32_t oid);
uint32_t weft_pg_array_oid(uint32_t elem_oid); /* 0: not known */

bool weft_pg_array_binary(const struct weft_pg_type *elem, struct weft_arena *a, const char *p,
                          uint32_t n, struct weft_value *out);
bool weft_pg_array_text(const struct weft_pg_type *elem, struct weft_arena *a, const char *p,
                        uint32_t n, struct weft_value *out);

static inline const char *weft_pg_keep(struct weft_arena *a, const char *p, uint32_t n) {
  return n ? memcpy(weft_arena_bytes(a, n), p, n) : "";
}

static inline bool weft_pg_cell(struct weft_pg_column c, bool binary, struct weft_arena *a,
                                const char *p, uint32_t n, struct weft_value *out) {
  if (c.array)
    return binary ? weft_pg_array_binary(c.type, a, p, n, out)
                  : weft_pg_array_text(c.type, a, p, n, out);
  if (c.type) return binary ? c.type->binary(a, p, n, out) : c.type->text(a, p, n, out);
  *out = weft_text(weft_pg_keep(a, p, n), n);
  return !binary;
}

/* Longer decoders, in files of their own. */
weft_pg_decode weft_pg_numeric_binary, weft_pg_interval_binary;
weft_pg_decode weft_pg_bool_text, weft_pg_int_text, weft_pg_float_text, weft_pg_bytea_text,
    weft_pg_numeric_text, weft_pg_date_text, weft_pg_time_text, weft_pg_timestamp_text,
    weft_pg_timestamptz_text;
/* A time beyond what microseconds since 1970 can count stays text. */
bool weft_pg_moment(struct weft_arena *a, enum weft_type type, int64_t since_2000,
                    struct weft_value *out);

/* ---- parameters ---- */
enum { WEFT_PG_FEW = 16, WEFT_PG_MAX_PARAMS = 65535 };

/* The parameters of one statement as libpq takes them; reused by the next. Text may be borrowed
   from the values. */
struct weft_pg_params {
  int n;
  const char **values;
  int *lengths, *formats;
  uint32_t *types, *offsets;
  uint32_t room; /* how many fit */
  struct weft_buf bytes;
  uint64_t total; /* bytes of text and bytes, borrowed ones included */
  const char *few_values[WEFT_PG_FEW];
  int few_lengths[WEFT_PG_FEW], few_formats[WEFT_PG_FEW];
  uint32_t few_types[WEFT_PG_FEW], few_offsets[WEFT_PG_FEW];
};

void weft_pg_params_init(struct weft_pg_params *e);
void weft_pg_params_release(struct weft_pg_params *e);
/* slots may be fewer than n: what has none is for the server to infer. WEFT_USAGE beyond 65535
   parameters, WEFT_TYPE for a zero byte in text or more than the protocol can carry. */
int weft_pg_encode(struct weft_pg_params *e, const struct weft_slot *slots, uint32_t nslots,
                   const struct weft_value *values, uint32_t n, struct weft_error *err);
/* After the statement is sent: a great value's memory is not kept. */
void weft_pg_params_done(struct weft_pg_params *e);

/* ---- messages (postgres_message.c) ---- */
enum weft_kind weft_pg_kind_of(const char *sqlstate);
/* One line of a text, without libpq's prefixes. */
void weft_pg_tidy(const char *message, char *out, size_t size);
/* Takes from message what may be a value: what a class of SQLSTATE quotes, and the parameters. */
void weft_pg_scrub(char *message, const char *sqlstate, const struct weft_value *params,
                   uint32_t n);

#endif
