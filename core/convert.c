/* SPDX-License-Identifier: MIT */
/* A value as another type, when nothing of it changes. Every failure is WEFT_TYPE and names types
   only, for a message must not hold a value. A column without oid is not PostgreSQL's: its text may
   hold any bytes, but its floats no NaN (SQLite would store NULL). */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "decimal.h"
#include "json.h"

static int refuse(const struct weft_column_type *to, const char *got, struct weft_error *err) {
  return weft_fail(err, WEFT_TYPE, "%s expected, got %s", weft_type_name(to->type), got);
}

static int refuse_type(const struct weft_column_type *to, struct weft_value v,
                       struct weft_error *err) {
  return refuse(to, weft_type_name(v.type), err);
}

static struct weft_slice text_of(struct weft_value v) {
  return weft_slice(v.u.s, v.n);
}

static struct weft_value keep_text(struct weft_arena *arena, enum weft_type type,
                                   struct weft_slice s) {
  struct weft_value v = weft_text(weft_arena_copy(arena, s.p, s.n), s.n);
  v.type = (uint8_t)type;
  return v;
}

static struct weft_value keep_decimal(struct weft_arena *arena, const struct weft_decimal *d) {
  struct weft_decimal *copy = weft_arena_alloc(arena, sizeof *copy);
  *copy = *d;
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = copy};
}

static int fit_int(int64_t i, const struct weft_column_type *to, struct weft_value *out,
                   struct weft_error *err) {
  int64_t top = to->size > 0 && to->size < 8 ? ((int64_t)1 << (to->size * 8 - 1)) - 1 : INT64_MAX;
  if (i > top || i < -top - 1)
    return weft_fail(err, WEFT_TYPE, "out of range for integer (%d bytes)", to->size);
  *out = weft_int(i);
  return 0;
}

static int to_int(struct weft_value v, const struct weft_column_type *to, struct weft_value *out,
                  struct weft_error *err) {
  struct weft_decimal d;
  int64_t i;
  switch (v.type) {
  case WEFT_INT: return fit_int(v.u.i, to, out, err);
  case WEFT_FLOAT:
    if (!isfinite(v.u.f)) return refuse(to, "a float that is not finite", err);
    if (v.u.f != trunc(v.u.f)) return refuse(to, "a float with a fraction", err);
    if (v.u.f < -9223372036854775808.0 || v.u.f >= 9223372036854775808.0)
      return weft_fail(err, WEFT_TYPE, "out of range for integer (8 bytes)");
    return fit_int((int64_t)v.u.f, to, out, err);
  case WEFT_DECIMAL:
    if (weft_decimal_to_int(v.u.dec, &i) != 0)
      return refuse(to, "a decimal that is no integer of 8 bytes", err);
    return fit_int(i, to, out, err);
  case WEFT_TEXT:
    if (weft_int_parse(text_of(v), &i) == 0) return fit_int(i, to, out, err);
    if (weft_decimal_parse(text_of(v), &d) != 0) return refuse(to, "text that is no number", err);
    if (weft_decimal_to_int(&d, &i) != 0)
      return refuse(to, "text that is no integer of 8 bytes", err);
    return fit_int(i, to, out, err);
  default: return refuse_type(to, v, err);
  }
}

static int fit_float(double f, const struct weft_column_type *to, struct weft_value *out,
                     struct weft_error *err) {
  if (isnan(f) && to->oid == 0) return refuse(to, "NaN, which cannot be stored", err);
  if (to->size == 4 && isfinite(f) && fabs(f) > (double)FLT_MAX)
    return weft_fail(err, WEFT_TYPE, "out of range for float (4 bytes)");
  *out = weft_float(f);
  return 0;
}

static int to_float(struct weft_value v, const struct weft_column_type *to, struct weft_value *out,
                    struct weft_error *err) {
  struct weft_decimal back;
  double f;
  switch (v.type) {
  case WEFT_FLOAT: return fit_float(v.u.f, to, out, err);
  case WEFT_INT:
    f = to->size == 4 ? (double)(float)v.u.i : (double)v.u.i;
    if (f >= 9223372036854775808.0 || (int64_t)f != v.u.i)
      return refuse(to, "an integer with more digits than it keeps", err);
    return fit_float(f, to, out, err);
  case WEFT_DECIMAL:
    f = weft_decimal_to_float(v.u.dec);
    if (weft_decimal_from_float(f, &back) != 0 || weft_decimal_compare(&back, v.u.dec) != 0)
      return refuse(to, "a decimal with more digits than it keeps", err);
    return fit_float(f, to, out, err);
  case WEFT_TEXT:
    if (weft_float_parse(text_of(v), &f) != 0) return refuse(to, "text that is no number", err);
    return fit_float(f, to, out, err);
  default: return refuse_type(to, v, err);
  }
}

/* Declared precision and scale, as in decimal(10, 2). */
static int check_digits(const struct weft_decimal *d, const struct weft_column_type *to,
                        struct weft_error *err) {
  struct weft_decimal kept;
  bool exact = true;
  if (to->precision <= 0) return 0;
  int scale = to->scale > 0 ? to->scale : 0;
  if (d->scale > scale && (weft_decimal_round(d, scale, &kept, &exact) != 0 || !exact))
    return weft_fail(err, WEFT_TYPE, "more digits than decimal(%d, %d) keeps", to->precision,
                     scale);
  int whole = to->precision - scale;
  int digits = (whole < 0 ? 0 : whole) + d->scale;
  if (digits >= WEFT_DECIMAL_DIGITS) return 0;
  unsigned __int128 limit = 1, size = (unsigned __int128)d->hi << 64 | d->lo;
  while (digits-- > 0) limit *= 10;
  if (size < limit) return 0;
  return weft_fail(err, WEFT_TYPE, "out of range for decimal(%d, %d)", to->precision, scale);
}

static size_t skip_digits(struct weft_slice s, size_t i) {
  while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
  return i;
}

static bool is_sign(struct weft_slice s, size_t i) {
  return i < s.n && (s.p[i] == '-' || s.p[i] == '+');
}

/* A number of any length. */
static bool is_number(struct weft_slice s) {
  size_t start = is_sign(s, 0), i = skip_digits(s, start), digits = i - start;
  if (i < s.n && s.p[i] == '.') {
    start = i + 1;
    i = skip_digits(s, start);
    digits += i - start;
  }
  if (digits == 0) return false;
  if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
    start = i + 1 + is_sign(s, i + 1);
    i = skip_digits(s, start);
    if (i == start) return false;
  }
  return i == s.n;
}

/* PostgreSQL keeps what a decimal of 38 digits cannot say, and NaN and the infinities: as text. MySQL has
   decimals of 65 digits. */
static int long_decimal(struct weft_value v, const struct weft_column_type *to,
                        struct weft_value *out, struct weft_error *err) {
  double f;
  bool number = is_number(text_of(v));
  bool special = !number && weft_float_parse(text_of(v), &f) == 0;
  if (!number && !(special && to->oid)) return refuse(to, "text that is no number", err);
  if (to->oid == 0 && !to->size) return refuse(to, "text with more than 38 digits", err);
  *out = v;
  return 0;
}

static int to_decimal(struct weft_arena *arena, struct weft_value v,
                      const struct weft_column_type *to, struct weft_value *out,
                      struct weft_error *err) {
  struct weft_decimal d;
  switch (v.type) {
  case WEFT_DECIMAL: *out = v; return check_digits(v.u.dec, to, err);
  case WEFT_INT: weft_decimal_from_int(v.u.i, &d); break;
  case WEFT_FLOAT:
    if (weft_decimal_from_float(v.u.f, &d) != 0)
      return refuse(to, isfinite(v.u.f) ? "a float beyond 38 digits" : "a float that is not finite",
                    err);
    break;
  case WEFT_TEXT:
    if (weft_decimal_parse(text_of(v), &d) != 0) return long_decimal(v, to, out, err);
    break;
  default: return refuse_type(to, v, err);
  }
  if (check_digits(&d, to, err) != 0) return -1;
  *out = keep_decimal(arena, &d);
  return 0;
}

static int to_bool(struct weft_value v, const struct weft_column_type *to, struct weft_value *out,
                   struct weft_error *err) {
  if (v.type == WEFT_BOOL) return *out = v, 0;
  if (v.type == WEFT_INT) {
    if (v.u.i != 0 && v.u.i != 1) return refuse(to, "an integer other than 0 and 1", err);
    return *out = weft_bool(v.u.i), 0;
  }
  if (v.type != WEFT_TEXT) return refuse_type(to, v, err);
  bool yes = weft_slice_equal(text_of(v), WEFT_LIT("true"));
  if (!yes && !weft_slice_equal(text_of(v), WEFT_LIT("false")))
    return refuse(to, "text other than true and false", err);
  return *out = weft_bool(yes), 0;
}

/* PostgreSQL's text is UTF-8 without zero bytes, MySQL's is UTF-8. */
static int check_text(struct weft_value v, const struct weft_column_type *to,
                      struct weft_error *err) {
  if ((to->oid == 0 && !to->utf8) || v.n == 0) return 0;
  if (to->oid && memchr(v.u.s, 0, v.n)) return refuse(to, "text with a zero byte", err);
  return weft_utf8_valid(v.u.s, v.n) ? 0 : refuse(to, "text that is not UTF-8", err);
}

static int to_text(struct weft_arena *arena, struct weft_value v, const struct weft_column_type *to,
                   struct weft_value *out, struct weft_error *err) {
  if (weft_is_text(v)) {
    if (check_text(v, to, err) != 0) return -1;
    *out = v;
    out->type = to->type;
    return 0;
  }
  if (to->type == WEFT_INTERVAL || v.type == WEFT_BOOL || v.type == WEFT_ARRAY)
    return refuse_type(to, v, err);
  struct weft_buf text;
  weft_buf_init(&text);
  weft_value_text(&text, v);
  *out = keep_text(arena, WEFT_TEXT, weft_buf_slice(&text));
  weft_buf_release(&text);
  return 0;
}

static int to_bytes(struct weft_value v, const struct weft_column_type *to, struct weft_value *out,
                    struct weft_error *err) {
  if (v.type != WEFT_BYTES && v.type != WEFT_TEXT) return refuse_type(to, v, err);
  *out = v;
  out->type = WEFT_BYTES;
  return 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c;
  if (c >= 'a' && c <= 'f') return c;
  return c >= 'A' && c <= 'F' ? c - 'A' + 'a' : -1;
}

/* 8-4-4-4-12 with all dashes or none, in braces or not. */
static bool parse_uuid(struct weft_slice s, char out[36]) {
  if (s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}') s = weft_slice(s.p + 1, s.n - 2);
  bool dashes = s.n == 36;
  if (!dashes && s.n != 32) return false;
  for (int i = 0; i < 36; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash && !dashes) {
      out[i] = '-';
      continue;
    }
    int c = dash ? *s.p == '-' ? '-' : -1 : hex_digit(*s.p);
    if (c < 0) return false;
    out[i] = (char)c;
    s.p++;
  }
  return true;
}

static int to_uuid(struct weft_arena *arena, struct weft_value v, const struct weft_column_type *to,
                   struct weft_value *out, struct weft_error *err) {
  char text[36];
  if (v.type != WEFT_UUID && v.type != WEFT_TEXT) return refuse_type(to, v, err);
  if (!parse_uuid(text_of(v), text)) return refuse(to, "text that is no uuid", err);
  if (v.n == 36 && memcmp(v.u.s, text, 36) == 0) {
    *out = v;
    out->type = WEFT_UUID;
  } else {
    *out = keep_text(arena, WEFT_UUID, weft_slice(text, 36));
  }
  return 0;
}

static bool valid_json(struct weft_slice text) {
  struct weft_json_reader r;
  weft_json_reader_init(&r, text);
  int event;
  while ((event = weft_json_read(&r, NULL)) > WEFT_JSON_END) {
  }
  weft_json_reader_release(&r);
  return event == WEFT_JSON_END;
}

static int to_json(struct weft_arena *arena, struct weft_value v, const struct weft_column_type *to,
                   struct weft_value *out, struct weft_error *err) {
  if (v.type == WEFT_JSON) return *out = v, 0;
  if (v.type == WEFT_TEXT) {
    if (!valid_json(text_of(v))) return refuse(to, "text that is no JSON", err);
    *out = v;
    out->type = WEFT_JSON;
    return 0;
  }
  bool number = v.type == WEFT_INT || v.type == WEFT_DECIMAL || v.type == WEFT_FLOAT;
  if (!number && v.type != WEFT_BOOL && v.type != WEFT_ARRAY) return refuse_type(to, v, err);
  if (v.type == WEFT_FLOAT && !isfinite(v.u.f))
    return refuse(to, "a float that is not finite", err);
  struct weft_buf text;
  weft_buf_init(&text);
  weft_json_value(&text, v);
  bool failed = weft_buf_failed(&text);
  if (!failed) *out = keep_text(arena, WEFT_JSON, weft_buf_slice(&text));
  weft_buf_release(&text);
  return failed ? refuse(to, "an array that is too long", err) : 0;
}

/* What a model shows as a number may be given as one. */
static int clock_time(struct weft_value v, const struct weft_column_type *to,
                      struct weft_value *out, struct weft_error *err) {
  const double least = -210866803200e6, most = 9224318016000e6; /* what PostgreSQL can hold */
  double us = v.type == WEFT_INT ? (double)v.u.i : v.u.f;
  us *= 1e6 / to->clock;
  if (!(us >= least && us < most)) return refuse(to, "a number out of range", err);
  if (v.type == WEFT_INT) out->u.i = v.u.i * (1000000 / to->clock);
  else out->u.i = llround(us);
  return 0;
}

static int to_time(struct weft_value v, const struct weft_column_type *to, struct weft_value *out,
                   struct weft_error *err) {
  const int64_t day = 86400000000;
  bool stamp = to->type == WEFT_TIMESTAMP || to->type == WEFT_TIMESTAMPTZ, zone = false;
  bool endless = v.u.i == WEFT_INFINITY || v.u.i == -WEFT_INFINITY;
  *out = v;
  out->type = to->type;
  if (v.type == to->type) return 0;
  if (stamp && to->clock && (v.type == WEFT_INT || v.type == WEFT_FLOAT))
    return clock_time(v, to, out, err);
  if (v.type == WEFT_TEXT) {
    if (weft_time_parse(text_of(v), to->type, &zone, out) != 0) {
      if (to->type == WEFT_TIME && to->size && weft_time_is_span(text_of(v))) return *out = v, 0;
      return weft_fail(err, WEFT_TYPE, "%s expected, got text that is no %s",
                       weft_type_name(to->type), weft_type_name(to->type));
    }
    if (zone && to->type == WEFT_TIMESTAMP && !to->zone_utc)
      return refuse(to, "text with a time zone", err);
    return 0;
  }
  if (v.type == WEFT_TIMESTAMP && to->type == WEFT_TIMESTAMPTZ) return 0; /* is UTC throughout */
  if (v.type == WEFT_TIMESTAMPTZ && to->type == WEFT_TIMESTAMP && to->zone_utc) return 0;
  if (v.type == WEFT_DATE && stamp) {
    if (!endless && __builtin_mul_overflow(v.u.i, day, &out->u.i))
      return weft_fail(err, WEFT_TYPE, "out of range for %s", weft_type_name(to->type));
    return 0;
  }
  if (v.type == WEFT_TIMESTAMP && to->type == WEFT_DATE && (endless || v.u.i % day == 0)) {
    if (!endless) out->u.i = v.u.i / day;
    return 0;
  }
  return refuse_type(to, v, err);
}

static struct weft_array *new_array(struct weft_arena *arena, uint32_t n, enum weft_type elem) {
  struct weft_array *a = weft_arena_alloc(arena, sizeof *a + (size_t)n * sizeof a->v[0]);
  a->n = n;
  a->elem = (uint8_t)elem;
  return a;
}

static int convert_each(struct weft_arena *arena, const struct weft_array *from,
                        const struct weft_column_type *to, enum weft_type elem,
                        const struct weft_array **out, struct weft_error *err) {
  struct weft_array *a = new_array(arena, from->n, elem);
  for (uint32_t i = 0; i < from->n; i++)
    if (weft_value_convert(arena, from->v[i], to, &a->v[i], err) != 0) return -1;
  *out = a;
  return 0;
}

/* What is in brackets at the reader, as an array of whatever the elements are. */
static int read_array(struct weft_arena *arena, struct weft_json_reader *r,
                      const struct weft_column_type *to, struct weft_value *out,
                      struct weft_error *err) {
  struct weft_buf items; /* of struct weft_value */
  weft_buf_init(&items);
  int event;
  while ((event = weft_json_read(r, err)) >= 0 && event != WEFT_JSON_ARRAY_END) {
    struct weft_value v = r->value;
    struct weft_decimal d;
    if (event == WEFT_JSON_ARRAY_BEGIN) {
      if (read_array(arena, r, to, &v, err) != 0) goto fail;
    } else if (event == WEFT_JSON_STRING) {
      v = keep_text(arena, WEFT_TEXT, r->text);
    } else if (event == WEFT_JSON_NUMBER && v.type == WEFT_NULL) {
      v = weft_decimal_parse(r->text, &d) == 0 ? keep_decimal(arena, &d)
                                               : keep_text(arena, WEFT_TEXT, r->text);
    } else if (event == WEFT_JSON_NULL) {
      v = weft_null();
    } else if (event == WEFT_JSON_OBJECT_BEGIN) {
      refuse(to, "json with an object", err);
      goto fail;
    }
    weft_buf_add(&items, &v, sizeof v);
  }
  if (event < 0 || weft_buf_failed(&items)) goto fail;
  struct weft_array *a =
      new_array(arena, (uint32_t)(items.n / sizeof(struct weft_value)), WEFT_ANY);
  if (items.n) memcpy(a->v, items.p, items.n);
  *out = (struct weft_value){.type = WEFT_ARRAY, .u.array = a};
  weft_buf_release(&items);
  return 0;
fail:
  weft_buf_release(&items);
  return -1;
}

static int array_of_json(struct weft_arena *arena, struct weft_value v,
                         const struct weft_column_type *to, struct weft_value *out,
                         struct weft_error *err) {
  struct weft_json_reader r;
  weft_json_reader_init(&r, text_of(v));
  int rc = weft_json_read(&r, err) == WEFT_JSON_ARRAY_BEGIN
               ? read_array(arena, &r, to, out, err)
               : refuse(to, "json that is no array", err);
  weft_json_reader_release(&r);
  return rc;
}

static int to_array(struct weft_arena *arena, struct weft_value v,
                    const struct weft_column_type *to, struct weft_value *out,
                    struct weft_error *err) {
  if (v.type == WEFT_JSON && array_of_json(arena, v, to, &v, err) != 0) return -1;
  if (v.type != WEFT_ARRAY && v.type != WEFT_LIST) return refuse_type(to, v, err);
  *out = v;
  out->type = WEFT_ARRAY;
  if (to->elem == WEFT_NULL || to->elem == WEFT_ANY) return 0;
  struct weft_column_type elem = *to;
  elem.type = to->elem;
  elem.oid = to->elem_oid ? to->elem_oid : to->oid;
  const struct weft_array *from = v.u.array;
  struct weft_array *a = new_array(arena, from->n, to->elem);
  for (uint32_t i = 0; i < from->n; i++) {
    bool nested = from->v[i].type == WEFT_ARRAY;
    if (nested) a->elem = WEFT_ARRAY;
    if (weft_value_convert(arena, from->v[i], nested ? to : &elem, &a->v[i], err) != 0) return -1;
  }
  out->u.array = a;
  return 0;
}

/* A list of arrays is compared with an array column; a list of anything else is such an array. */
static bool is_array_value(struct weft_value list) {
  const struct weft_array *a = list.u.array;
  for (uint32_t i = 0; i < a->n; i++)
    if (a->v[i].type != WEFT_NULL) return a->v[i].type != WEFT_ARRAY;
  return true;
}

int weft_value_convert(struct weft_arena *arena, struct weft_value v,
                       const struct weft_column_type *to, struct weft_value *out,
                       struct weft_error *err) {
  if (v.type == WEFT_NULL) return *out = v, 0;
  if (v.type == WEFT_LIST && !(to->type == WEFT_ARRAY && is_array_value(v))) {
    *out = v;
    if (to->type == WEFT_ANY && to->oid == 0) return 0;
    return convert_each(arena, v.u.array, to, to->type, &out->u.array, err);
  }
  switch (to->type) {
  case WEFT_BOOL: return to_bool(v, to, out, err);
  case WEFT_INT: return to_int(v, to, out, err);
  case WEFT_FLOAT: return to_float(v, to, out, err);
  case WEFT_DECIMAL: return to_decimal(arena, v, to, out, err);
  case WEFT_TEXT: return to_text(arena, v, to, out, err);
  case WEFT_INTERVAL:
    if (v.type != WEFT_TEXT && v.type != WEFT_INTERVAL) return refuse_type(to, v, err);
    return to_text(arena, v, to, out, err);
  case WEFT_BYTES: return to_bytes(v, to, out, err);
  case WEFT_JSON: return to_json(arena, v, to, out, err);
  case WEFT_UUID: return to_uuid(arena, v, to, out, err);
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ: return to_time(v, to, out, err);
  case WEFT_ARRAY: return to_array(arena, v, to, out, err);
  default: *out = v; return v.type == WEFT_TEXT ? check_text(v, to, err) : 0;
  }
}

void weft_value_text(struct weft_buf *out, struct weft_value v) {
  char text[WEFT_DECIMAL_TEXT];
  switch (v.type) {
  case WEFT_NULL: break;
  case WEFT_BOOL: weft_buf_str(out, v.u.i ? "true" : "false"); break;
  case WEFT_INT: weft_buf_int(out, v.u.i); break;
  case WEFT_FLOAT: weft_buf_add(out, text, weft_float_text(text, v.u.f)); break;
  case WEFT_DECIMAL: weft_buf_add(out, text, weft_decimal_text(text, v.u.dec)); break;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ: weft_buf_add(out, text, weft_time_text(text, v)); break;
  case WEFT_ARRAY:
  case WEFT_LIST: weft_json_value(out, v); break;
  default: weft_buf_add(out, v.u.s, v.n); break;
  }
}
