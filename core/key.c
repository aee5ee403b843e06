/* SPDX-License-Identifier: MIT */
/* Invariant: which normal form a value has depends on the form alone, never on its side; so equality is
   symmetric and transitive. Numbers become an integer when they are one, else the decimal that a float is
   written as, and are then equal by value. */
#include "key.h"

#include <math.h>

#include "decimal.h"

struct weft_key_side weft_key_side(const struct weft_table_column *c) {
  if (c) return (struct weft_key_side){c->type, c->collation};
  return (struct weft_key_side){{.type = WEFT_ANY, .precision = -1, .scale = -1},
                                WEFT_COLLATE_BINARY};
}

/* Fixed length, filled up with spaces that do not count: PostgreSQL's char(n). */
static bool padded(const struct weft_column_type *t) {
  enum { OID_BPCHAR = 1042 };
  return t->oid == OID_BPCHAR;
}

static int strength(uint8_t type) {
  switch (type) {
  case WEFT_INT:
  case WEFT_FLOAT:
  case WEFT_DECIMAL: return 5;
  case WEFT_BOOL: return 4;
  case WEFT_UUID: return 3;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ: return 2;
  case WEFT_ANY: return 1; /* what has no declaration may hold more than text */
  default: return 0;
  }
}

/* A time that is known to be UTC is one with a zone. */
static uint8_t declared(const struct weft_key_side *s) {
  return s->type.type == WEFT_TIMESTAMP && s->type.zone_utc ? WEFT_TIMESTAMPTZ : s->type.type;
}

void weft_key_form(const struct weft_key_side *a, const struct weft_key_side *b,
                   struct weft_key_form *out) {
  uint8_t x = declared(a), y = declared(b);
  int way = strength(x) - strength(y);
  out->type = way > 0 || (way == 0 && x > y) ? x : y;
  if (strength(out->type) == strength(WEFT_DECIMAL)) out->type = WEFT_DECIMAL;
  if (strength(out->type) == strength(WEFT_TEXT)) out->type = WEFT_TEXT;
  out->fold = a->collation == WEFT_COLLATE_NOCASE || b->collation == WEFT_COLLATE_NOCASE;
  out->trim = a->collation == WEFT_COLLATE_RTRIM || b->collation == WEFT_COLLATE_RTRIM ||
              padded(&a->type) || padded(&b->type);
}

/* ---- numbers ---- */

static struct weft_value whole(struct weft_value v) {
  int64_t i;
  return weft_decimal_to_int(v.u.dec, &i) == 0 ? weft_int(i) : v;
}

static void put_decimal(struct weft_arena *arena, const struct weft_decimal *d,
                        struct weft_value *out) {
  *out = whole((struct weft_value){.type = WEFT_DECIMAL, .u.dec = d});
  if (out->type == WEFT_DECIMAL) *out = weft_value_copy(arena, *out);
}

static bool normal_float(struct weft_arena *arena, double f, struct weft_value *out) {
  struct weft_decimal d;
  if (isnan(f)) return false;
  if (f == trunc(f) && f >= -0x1p63 && f < 0x1p63) *out = weft_int((int64_t)f);
  else if (weft_decimal_from_float(f, &d) == 0) put_decimal(arena, &d, out);
  else *out = weft_float(f);
  return true;
}

/* A number without the zeros at the end of its fraction. */
static struct weft_slice stripped(struct weft_slice s) {
  if (!memchr(s.p, '.', s.n) || memchr(s.p, 'e', s.n) || memchr(s.p, 'E', s.n)) return s;
  while (s.p[s.n - 1] == '0') s.n--;
  if (s.p[s.n - 1] == '.') s.n--;
  return s;
}

/* More digits than a decimal has stay text: two of them must not meet in one double. */
static bool number_of_text(struct weft_arena *arena, struct weft_slice s, struct weft_value *out) {
  struct weft_decimal d;
  double f;
  *out = weft_text(s.p, s.n);
  if (weft_decimal_parse(s, &d) == 0) return put_decimal(arena, &d, out), true;
  if (weft_float_parse(s, &f) != 0) return true;
  if (!isfinite(f)) return *out = weft_float(f), !isnan(f);
  s = stripped(s);
  if (weft_decimal_parse(s, &d) == 0) put_decimal(arena, &d, out);
  else *out = weft_text(s.p, s.n);
  return true;
}

/* The text that an integer is written as: no sign but -, no zeros before it. */
static bool plain_int(struct weft_slice s, int64_t *out) {
  char text[WEFT_INT_TEXT];
  if (weft_int_parse(s, out) != 0) return false;
  return weft_slice_equal(s, weft_slice(text, weft_int_text(text, *out)));
}

/* ---- text ---- */

static struct weft_slice trimmed(struct weft_slice s) {
  while (s.n && s.p[s.n - 1] == ' ') s.n--;
  return s;
}

/* The shape that uuids are written in, 8-4-4-4-12. *upper: there are capitals in it. */
static bool uuid_shaped(struct weft_slice s, bool *upper) {
  enum { SMALL = 1, CAPITAL = 2 };
  static const unsigned char hex[256] = {
      ['0'] = SMALL,   ['1'] = SMALL,   ['2'] = SMALL,   ['3'] = SMALL,   ['4'] = SMALL,
      ['5'] = SMALL,   ['6'] = SMALL,   ['7'] = SMALL,   ['8'] = SMALL,   ['9'] = SMALL,
      ['a'] = SMALL,   ['b'] = SMALL,   ['c'] = SMALL,   ['d'] = SMALL,   ['e'] = SMALL,
      ['f'] = SMALL,   ['A'] = CAPITAL, ['B'] = CAPITAL, ['C'] = CAPITAL, ['D'] = CAPITAL,
      ['E'] = CAPITAL, ['F'] = CAPITAL};
  unsigned seen = 0;
  if (s.n != 36 || s.p[8] != '-' || s.p[13] != '-' || s.p[18] != '-' || s.p[23] != '-')
    return false;
  for (int i = 0; i < 36; i++) {
    if (i == 8 || i == 13 || i == 18 || i == 23) continue;
    unsigned c = hex[(unsigned char)s.p[i]];
    if (!c) return false;
    seen |= c;
  }
  *upper = seen & CAPITAL;
  return true;
}

static struct weft_slice lower(struct weft_arena *arena, struct weft_slice s) {
  size_t i = 0;
  while (i < s.n && !(s.p[i] >= 'A' && s.p[i] <= 'Z')) i++;
  if (i == s.n) return s;
  char *own = weft_arena_copy(arena, s.p, s.n);
  for (; i < s.n; i++)
    if (own[i] >= 'A' && own[i] <= 'Z') own[i] = (char)(own[i] + 32);
  return weft_slice(own, s.n);
}

static bool uuid_of_text(struct weft_arena *arena, struct weft_value v, struct weft_value *out) {
  static const struct weft_column_type uuid = {.type = WEFT_UUID};
  struct weft_error ignored;
  return weft_value_convert(arena, v, &uuid, out, &ignored) == 0;
}

static bool time_of_text(struct weft_slice s, uint8_t type, struct weft_value *out) {
  bool zone;
  struct weft_value v;
  if (weft_time_parse(s, (enum weft_type)type, &zone, &v) != 0) return false;
  if (zone && type == WEFT_TIMESTAMP) return false;
  *out = v;
  return true;
}

static bool normal_text(const struct weft_key_form *f, struct weft_arena *arena,
                        struct weft_value v, struct weft_value *out) {
  struct weft_slice s = weft_slice(v.u.s, v.n);
  bool upper;
  int64_t i;
  if (f->trim) s = trimmed(s);
  v = weft_text(s.p, s.n);
  switch (f->type) {
  case WEFT_BOOL:
    if (weft_slice_equal(s, WEFT_LIT("true"))) return *out = weft_int(1), true;
    if (weft_slice_equal(s, WEFT_LIT("false"))) return *out = weft_int(0), true;
    return number_of_text(arena, s, out);
  case WEFT_DECIMAL: return number_of_text(arena, s, out);
  case WEFT_UUID:
    if (uuid_of_text(arena, v, out)) return true;
    break;
  case WEFT_DATE:
  case WEFT_TIME:
  case WEFT_TIMESTAMP:
  case WEFT_TIMESTAMPTZ:
    if (time_of_text(s, f->type, out)) return true;
    break;
  case WEFT_ANY:
    if (plain_int(s, &i)) return *out = weft_int(i), true;
    break;
  default: break;
  }
  if (f->fold || (uuid_shaped(s, &upper) && upper)) s = lower(arena, s);
  *out = weft_text(s.p, s.n);
  return true;
}

bool weft_key_normal(const struct weft_key_form *f, struct weft_arena *arena, struct weft_value v,
                     struct weft_value *out) {
  *out = v;
  switch (v.type) {
  case WEFT_NULL: return false;
  case WEFT_BOOL: *out = weft_int(v.u.i != 0); return true;
  case WEFT_FLOAT: return normal_float(arena, v.u.f, out);
  case WEFT_DECIMAL: *out = whole(v); return true;
  case WEFT_UUID: return f->type == WEFT_UUID || normal_text(f, arena, v, out);
  case WEFT_TEXT:
  case WEFT_JSON:
  case WEFT_INTERVAL: return normal_text(f, arena, v, out);
  case WEFT_TIMESTAMP:
    if (f->type == WEFT_TIMESTAMPTZ) out->type = WEFT_TIMESTAMPTZ;
    return true;
  default: return true;
  }
}

/* ---- spellings ---- */

struct spellings {
  const struct weft_column_type *type;
  struct weft_arena *arena;
  struct weft_value *out;
  uint32_t n;
};

/* v, unless the column cannot hold it or it is there already. */
static void add(struct spellings *s, struct weft_value v) {
  struct weft_error ignored;
  if (v.type == WEFT_TIMESTAMPTZ && s->type->type == WEFT_TIMESTAMP) v.type = WEFT_TIMESTAMP;
  if (v.type == WEFT_UUID && s->type->type == WEFT_ANY) v.type = WEFT_TEXT;
  if (s->n == WEFT_KEY_SPELLINGS || weft_value_convert(s->arena, v, s->type, &v, &ignored)) return;
  if (v.type == WEFT_FLOAT && isnan(v.u.f)) return;
  for (uint32_t i = 0; i < s->n; i++)
    if (s->out[i].type == v.type && weft_value_equal(s->out[i], v)) return;
  s->out[s->n++] = v;
}

static void add_text(struct spellings *s, struct weft_value v) {
  struct weft_buf text;
  weft_buf_init(&text);
  weft_value_text(&text, v);
  add(s, weft_text(weft_arena_copy(s->arena, text.p, text.n), text.n));
  weft_buf_release(&text);
}

static void add_upper(struct spellings *s, struct weft_value v) {
  char *own = weft_arena_copy(s->arena, v.u.s, v.n);
  for (uint32_t i = 0; i < v.n; i++)
    if (own[i] >= 'a' && own[i] <= 'z') own[i] = (char)(own[i] - 32);
  add(s, weft_text(own, v.n));
}

/* Bytes are no text and dates no points in time, although one converts to the other. */
static bool apart(uint8_t a, uint8_t b) {
  bool times = strength(a) == strength(WEFT_DATE) && strength(b) == strength(WEFT_DATE);
  return (a == WEFT_BYTES) != (b == WEFT_BYTES) || (times && (a == WEFT_DATE) != (b == WEFT_DATE));
}

uint32_t weft_key_spellings(const struct weft_key_side *column, struct weft_arena *arena,
                            struct weft_value v, struct weft_value out[WEFT_KEY_SPELLINGS]) {
  static const struct weft_key_form each = {.type = WEFT_ANY};
  struct spellings s = {&column->type, arena, out, 0};
  bool any = column->type.type == WEFT_ANY, text = column->type.type == WEFT_TEXT, upper;
  struct weft_value normal;
  if (!weft_key_normal(&each, arena, v, &normal)) return 0;
  if (!any && apart(v.type, column->type.type)) return 0;
  add(&s, any && v.type == WEFT_BOOL ? normal : v);
  if (any && column->type.oid) return s.n; /* a type that the database alone knows */
  if (normal.type != v.type || normal.u.i != v.u.i) add(&s, normal);
  if (text && v.type == WEFT_BOOL) add_text(&s, v);
  if (any && normal.type == WEFT_INT) add_text(&s, normal);
  if ((any || text) && normal.type == WEFT_TEXT &&
      uuid_shaped(weft_slice(normal.u.s, normal.n), &upper))
    add_upper(&s, normal);
  return s.n;
}
