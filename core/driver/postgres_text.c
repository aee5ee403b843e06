/* SPDX-License-Identifier: MIT */
/* Types in the text form of datestyle ISO: for columns beside one that has no binary decoder, for
   the first run of a statement, and without prepared statements. Numeric is in postgres_number.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "postgres_types.h"

bool weft_pg_bool_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  *out = weft_bool(n == 1 && *p == 't');
  return n == 1 && (*p == 't' || *p == 'f');
}

bool weft_pg_int_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  *out = weft_int(0);
  return weft_int_parse(weft_slice(p, n), &out->u.i) == 0;
}

bool weft_pg_float_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  struct weft_slice s = {p, n};
  *out = weft_float(0);
  if (weft_slice_equal(s, WEFT_LIT("NaN"))) out->u.f = __builtin_nan("");
  else if (weft_slice_equal(s, WEFT_LIT("Infinity"))) out->u.f = __builtin_inf();
  else if (weft_slice_equal(s, WEFT_LIT("-Infinity"))) out->u.f = -__builtin_inf();
  else return weft_float_parse(s, &out->u.f) == 0;
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* bytea_output = escape: \\ and \ooo. */
static bool bytea_escaped(char *to, const char *p, const char *end, struct weft_value *out) {
  while (p < end) {
    if (*p != '\\') {
      *to++ = *p++;
    } else if (end - p >= 2 && p[1] == '\\') {
      *to++ = '\\';
      p += 2;
    } else {
      if (end - p < 4) return false;
      unsigned v = 0;
      for (int i = 1; i <= 3; i++) {
        if (p[i] < '0' || p[i] > '7') return false;
        v = v * 8 + (unsigned)(p[i] - '0');
      }
      *to++ = (char)v;
      p += 4;
    }
  }
  out->n = (uint32_t)(to - out->u.s);
  return true;
}

bool weft_pg_bytea_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  char *to = weft_arena_bytes(a, (size_t)n + 1);
  *out = (struct weft_value){.type = WEFT_BYTES, .u.s = to};
  if (n < 2 || p[0] != '\\' || p[1] != 'x') return bytea_escaped(to, p, p + n, out);
  if (n % 2) return false;
  out->n = n / 2 - 1;
  for (uint32_t i = 0; i < out->n; i++) {
    int hi = hex_digit(p[2 + 2 * i]), lo = hex_digit(p[3 + 2 * i]);
    if (hi < 0 || lo < 0) return false;
    to[i] = (char)(hi << 4 | lo);
  }
  return true;
}

/* ---- times ---- */
/* The server's form as weft_time_parse reads it: "44-03-15 BC" is year -0043, a year of five digits
   takes a sign, and seconds of an offset (those of local mean time) are handed back. */
static size_t iso_form(const char *p, uint32_t n, char out[64], int64_t *offset_us) {
  bool bc = n > 3 && memcmp(p + n - 3, " BC", 3) == 0;
  *offset_us = 0;
  if (bc) n -= 3;
  const char *dash = memchr(p, '-', n);
  if (!dash || n > 48) return 0;
  uint32_t year_len = (uint32_t)(dash - p), len = 0;
  long year = 0;
  for (uint32_t i = 0; i < year_len; i++) {
    if (p[i] < '0' || p[i] > '9' || i > 7) return 0;
    year = year * 10 + (p[i] - '0');
  }
  if (bc) year = 1 - year;
  len = (uint32_t)snprintf(out, 64,
                           year < 0      ? "-%04ld"
                           : year > 9999 ? "+%04ld"
                                         : "%04ld",
                           year < 0 ? -year : year);
  uint32_t rest = n - year_len;
  const char *sign = rest > 9 && p[n - 9] != '.' ? p + n - 9 : NULL; /* +hh:mm:ss */
  if (sign && (*sign == '+' || *sign == '-') && sign[3] == ':' && sign[6] == ':') {
    int64_t seconds = (sign[7] - '0') * 10 + (sign[8] - '0');
    *offset_us = (*sign == '-' ? -seconds : seconds) * 1000000;
    rest -= 3;
  }
  memcpy(out + len, dash, rest);
  return len + rest;
}

static bool infinite(const char *p, uint32_t n, enum weft_type type, struct weft_value *out) {
  bool neg = n && *p == '-';
  if (n - neg != 8 || memcmp(p + neg, "infinity", 8) != 0) return false;
  *out = (struct weft_value){.type = (uint8_t)type, .u.i = neg ? -WEFT_INFINITY : WEFT_INFINITY};
  return true;
}

/* What microseconds since 1970 cannot count stays text: by way of the same moment 400 years
   earlier, as in weft_pg_moment. */
static bool far_text(struct weft_arena *a, const char *iso, size_t n, enum weft_type type,
                     struct weft_value *out) {
  const int64_t era = (int64_t)146097 * 86400 * 1000000;
  char early[64];
  bool zone;
  const char *dash = memchr(iso, '-', n);
  if (!dash || iso[0] != '+') return false;
  int len = snprintf(early, sizeof early, "+%ld%.*s", strtol(iso + 1, NULL, 10) - 400,
                     (int)(iso + n - dash), dash);
  if (weft_time_parse(weft_slice(early, (size_t)len), type, &zone, out) != 0) return false;
  return weft_pg_moment(a, type, out->u.i - WEFT_PG_US + era, out);
}

static bool moment(struct weft_arena *a, const char *p, uint32_t n, enum weft_type type,
                   struct weft_value *out) {
  char iso[64];
  int64_t offset;
  bool zone;
  if (infinite(p, n, type, out)) return true;
  size_t len = iso_form(p, n, iso, &offset);
  if (!len) return false;
  if (weft_time_parse(weft_slice(iso, len), type, &zone, out) != 0)
    return far_text(a, iso, len, type, out);
  out->u.i -= offset;
  return type != WEFT_TIMESTAMPTZ || zone;
}

bool weft_pg_date_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  return moment(a, p, n, WEFT_DATE, out);
}

bool weft_pg_timestamp_text(struct weft_arena *a, const char *p, uint32_t n,
                            struct weft_value *out) {
  return moment(a, p, n, WEFT_TIMESTAMP, out);
}

bool weft_pg_timestamptz_text(struct weft_arena *a, const char *p, uint32_t n,
                              struct weft_value *out) {
  return moment(a, p, n, WEFT_TIMESTAMPTZ, out);
}

bool weft_pg_time_text(struct weft_arena *a, const char *p, uint32_t n, struct weft_value *out) {
  (void)a;
  bool zone;
  return weft_time_parse(weft_slice(p, n), WEFT_TIME, &zone, out) == 0;
}

/* ---- arrays ---- */
struct scan {
  const struct weft_pg_type *elem;
  struct weft_arena *arena;
  const char *p, *end;
};

/* A quoted element; the bytes between the quotes, unescaped, go to the arena. */
static bool quoted(struct scan *s, struct weft_value *out) {
  const char *close = ++s->p;
  while (close < s->end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= s->end) return false;
  char *text = weft_arena_bytes(s->arena, (size_t)(close - s->p) + 1), *to = text;
  while (s->p < close) {
    if (*s->p == '\\') s->p++;
    *to++ = *s->p++;
  }
  s->p = close + 1;
  return s->elem->text(s->arena, text, (uint32_t)(to - text), out);
}

static bool plain(struct scan *s, struct weft_value *out) {
  const char *from = s->p;
  while (s->p < s->end && *s->p != ',' && *s->p != '}') s->p++;
  size_t n = (size_t)(s->p - from);
  *out = weft_null();
  if (n == 0) return false;
  if (n == 4 && memcmp(from, "NULL", 4) == 0) return true;
  return s->elem->text(s->arena, from, (uint32_t)n, out);
}

static bool level(struct scan *s, int depth, struct weft_value *out) {
  struct weft_buf items; /* of struct weft_value */
  bool nested = false, ok = false;
  if (depth == WEFT_PG_DIMS) return false;
  weft_buf_init(&items);
  s->p++; /* { */
  while (s->p < s->end && *s->p != '}') {
    struct weft_value v;
    if (*s->p == '{') {
      nested = true;
      if (!level(s, depth + 1, &v)) goto done;
    } else if (!(*s->p == '"' ? quoted(s, &v) : plain(s, &v))) {
      goto done;
    }
    weft_buf_add(&items, &v, sizeof v);
    if (s->p < s->end && *s->p == ',') s->p++;
  }
  if (s->p >= s->end || weft_buf_failed(&items)) goto done;
  s->p++; /* } */
  struct weft_array *array = weft_arena_alloc(s->arena, sizeof *array + items.n);
  array->n = (uint32_t)(items.n / sizeof array->v[0]);
  array->elem = nested ? WEFT_ARRAY : s->elem->type;
  if (items.n) memcpy(array->v, items.p, items.n);
  *out = (struct weft_value){.type = WEFT_ARRAY, .u.array = array};
  ok = true;
done:
  weft_buf_release(&items);
  return ok;
}

bool weft_pg_array_text(const struct weft_pg_type *elem, struct weft_arena *a, const char *p,
                        uint32_t n, struct weft_value *out) {
  struct scan s = {elem, a, p, p + n};
  if (n && *p == '[') { /* [0:2]={...}: bounds other than 1 */
    s.p = memchr(p, '=', n);
    if (!s.p) return false;
    s.p++;
  }
  return s.p < s.end && *s.p == '{' && level(&s, 0, out) && s.p == s.end;
}
