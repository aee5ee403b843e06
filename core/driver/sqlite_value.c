/* SPDX-License-Identifier: MIT */
/* Values in and out of a statement. Nothing changes on the way: what SQLite would round or cut is
   refused, what it stores is handed out by its storage class, and the declared type of a column
   only adds what storage classes cannot say (booleans, decimals, json). */
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "../decimal.h"
#include "../json.h"
#include "sqlite.h"

enum { BIG = 1 << 20 }; /* bytes of a cell beyond which running out of memory is no accident */
static const int64_t MAX_EXACT = (int64_t)1 << 53; /* every integer up to it is a double */

/* ---- parameters ---- */

struct binding {
  sqlite3_stmt *stmt;
  const struct weft_plan *plan;
  struct weft_arena *scratch;
  struct weft_error *err;
  int i; /* from 1 */
};

static int bind_value(const struct binding *b, struct weft_value v);

static int refuse(const struct binding *b, const char *what) {
  const struct weft_plan *p = b->plan;
  uint32_t slot = (uint32_t)b->i - 1;
  if (p->nslots && (p->flags & WEFT_PLAN_REPEAT)) slot %= p->nslots;
  if (p->slots && slot < p->nslots && p->slots[slot].column.n)
    return weft_fail(b->err, WEFT_TYPE, "the value for column %.*s %s",
                     (int)p->slots[slot].column.n, p->slots[slot].column.p, what);
  return weft_fail(b->err, WEFT_TYPE, "parameter %d %s", b->i, what);
}

static int bound(const struct binding *b, int rc) {
  if (rc == SQLITE_OK) return 0;
  if (rc == SQLITE_TOOBIG) return refuse(b, "is longer than SQLite can hold");
  return weft_fail(b->err, WEFT_INTERNAL, "cannot bind parameter %d: %s", b->i, sqlite3_errstr(rc));
}

static int bind_text(const struct binding *b, const char *p, size_t n, void (*release)(void *)) {
  return bound(b, sqlite3_bind_text64(b->stmt, b->i, n ? p : "", n, n ? release : SQLITE_STATIC,
                                      SQLITE_UTF8));
}

/* The double that stands for d exactly: its shortest decimal is d. */
static bool exact_float(const struct weft_decimal *d, double *out) {
  struct weft_decimal back;
  *out = weft_decimal_to_float(d);
  return isfinite(*out) && weft_decimal_from_float(*out, &back) == 0 &&
         weft_decimal_compare(d, &back) == 0;
}

static int bind_decimal(const struct binding *b, const struct weft_decimal *d) {
  int64_t i;
  double f;
  if (weft_decimal_to_int(d, &i) == 0) return bound(b, sqlite3_bind_int64(b->stmt, b->i, i));
  /* 15 digits come back from any double. */
  bool few = d->hi == 0 && d->lo < 1000000000000000 && d->scale <= 15;
  if (few) f = weft_decimal_to_float(d);
  else if (!exact_float(d, &f)) return refuse(b, "would lose digits: SQLite keeps about 15 of them");
  return bound(b, sqlite3_bind_double(b->stmt, b->i, f));
}

/* A list is one parameter, whatever its length; in raw text it is what json_each takes. */
static int bind_list(const struct binding *b, struct weft_value list) {
  static const struct weft_slot raw = {.form = WEFT_SLOT_JSON, .type = {.type = WEFT_ANY}};
  const struct weft_slot *slot = &b->plan->slots[(uint32_t)(b->i - 1) % b->plan->nslots];
  struct weft_value v;
  if (weft_slot_encode(slot->form == WEFT_SLOT_VALUE ? &raw : slot, list, b->scratch, &v, b->err))
    return -1;
  return bind_value(b, v);
}

static int bind_array(const struct binding *b, struct weft_value v) {
  struct weft_buf out;
  weft_buf_init(&out);
  weft_json_value(&out, v);
  if (!weft_buf_failed(&out)) return bind_text(b, out.p, out.n, free);
  weft_buf_release(&out);
  return refuse(b, "is longer than SQLite can hold");
}

static int bind_value(const struct binding *b, struct weft_value v) {
  char text[40];
  switch ((enum weft_type)v.type) {
    case WEFT_NULL: return bound(b, sqlite3_bind_null(b->stmt, b->i));
    case WEFT_BOOL: return bound(b, sqlite3_bind_int64(b->stmt, b->i, v.u.i != 0));
    case WEFT_INT: return bound(b, sqlite3_bind_int64(b->stmt, b->i, v.u.i));
    case WEFT_FLOAT:
      if (isnan(v.u.f)) return refuse(b, "is NaN, which SQLite would store as NULL");
      return bound(b, sqlite3_bind_double(b->stmt, b->i, v.u.f));
    case WEFT_DECIMAL: return bind_decimal(b, v.u.dec);
    case WEFT_TEXT:
    case WEFT_JSON:
    case WEFT_UUID:
    case WEFT_INTERVAL: return bind_text(b, v.u.s, v.n, SQLITE_STATIC);
    case WEFT_BYTES:
      return bound(b, sqlite3_bind_blob64(b->stmt, b->i, v.n ? v.u.s : "", v.n, SQLITE_STATIC));
    case WEFT_DATE:
    case WEFT_TIME:
    case WEFT_TIMESTAMP:
    case WEFT_TIMESTAMPTZ: return bind_text(b, text, weft_time_text(text, v), SQLITE_TRANSIENT);
    case WEFT_LIST: return bind_list(b, v);
    case WEFT_ARRAY: return bind_array(b, v);
    default: return refuse(b, "is of a type that SQLite does not know");
  }
}

int weft_sqlite_bind(sqlite3_stmt *stmt, const struct weft_value *v, uint32_t n,
                     const struct weft_plan *plan, struct weft_arena *scratch,
                     struct weft_error *err) {
  struct binding b = {stmt, plan, scratch, err, 0};
  for (uint32_t i = 0; i < n; i++) {
    b.i = (int)i + 1;
    if (bind_value(&b, v[i])) return -1;
  }
  return 0;
}

/* ---- columns ---- */

static void describe_column(sqlite3_stmt *stmt, const struct weft_shown *shown, int i,
                            struct weft_column *column, struct sqlite_decoder *decoder) {
  const char *name = sqlite3_column_name(stmt, i), *declared = sqlite3_column_decltype(stmt, i);
  struct weft_column_type t = {.type = WEFT_ANY, .scale = -1};
  struct weft_catalog_type told = {.declared = weft_slice_of(declared), .typmod = -1};
  if (declared) weft_dialect_sqlite.column_type(&told, &t);
  else if (!weft_shown_aggregate(shown, (uint32_t)i, &t))
    t = (struct weft_column_type){.type = WEFT_ANY, .scale = -1};
  *column = (struct weft_column){.name = weft_slice_of(name ? name : ""), .type = t.type};
  decoder->scale = t.scale;
  switch (t.type) {
    case WEFT_BOOL: decoder->how = READ_BOOL; break;
    case WEFT_DECIMAL: decoder->how = READ_DECIMAL; break;
    case WEFT_JSON: decoder->how = READ_JSON; break;
    case WEFT_FLOAT: decoder->how = READ_FLOAT; break;
    default: decoder->how = READ_STORED;
  }
}

void weft_sqlite_columns(sqlite3_stmt *stmt, const struct weft_plan *plan,
                         struct weft_columns **out, struct sqlite_decoder **decoders) {
  uint32_t n = (uint32_t)sqlite3_column_count(stmt);
  *out = NULL;
  *decoders = NULL;
  if (n == 0) return;
  struct weft_column *v = weft_alloc(n * sizeof *v);
  *decoders = weft_alloc(n * sizeof **decoders);
  struct weft_shown shown;
  weft_shown_init(&shown, plan);
  for (uint32_t i = 0; i < n; i++)
    describe_column(stmt, &shown, (int)i, &v[i], &(*decoders)[i]);
  weft_shown_release(&shown);
  *out = weft_columns_new(v, n);
  free(v);
}

/* ---- cells ---- */

static struct weft_value decimal(struct weft_arena *arena, const struct weft_decimal *d,
                                 int scale) {
  struct weft_decimal *own = weft_arena_alloc(arena, sizeof *own);
  bool exact;
  if (scale < 0 || weft_decimal_round(d, scale, own, &exact) != 0) *own = *d;
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = own};
}

static struct weft_value integer(struct weft_arena *arena, int64_t i, struct sqlite_decoder how) {
  if (how.how == READ_BOOL && (i == 0 || i == 1)) return weft_bool(i != 0);
  /* RETURNING shows whole numbers of a REAL column as integers. */
  if (how.how == READ_FLOAT && i >= -MAX_EXACT && i <= MAX_EXACT) return weft_float((double)i);
  if (how.how != READ_DECIMAL) return weft_int(i);
  struct weft_decimal d;
  weft_decimal_from_int(i, &d);
  return decimal(arena, &d, how.scale);
}

static struct weft_value real(struct weft_arena *arena, double f, struct sqlite_decoder how) {
  struct weft_decimal d;
  if (how.how != READ_DECIMAL || weft_decimal_from_float(f, &d) != 0) return weft_float(f);
  return decimal(arena, &d, how.scale);
}

/* Also of blobs; SQLITE_NOMEM when there is no room for it. */
static int bytes(struct weft_arena *arena, const void *p, int n, struct weft_value *out) {
  char *own;
  if (n <= BIG) own = weft_arena_bytes(arena, (size_t)n);
  else own = weft_arena_try(arena, (size_t)n, INT_MAX);
  if (!own || (!p && n)) return SQLITE_NOMEM;
  if (n) memcpy(own, p, (size_t)n);
  out->u.s = own;
  out->n = (uint32_t)n;
  return SQLITE_OK;
}

static int text(struct weft_arena *arena, sqlite3_stmt *stmt, int i, struct sqlite_decoder how,
                struct weft_value *out) {
  const char *p = (const char *)sqlite3_column_text(stmt, i);
  int n = sqlite3_column_bytes(stmt, i);
  struct weft_decimal d;
  if (!p) return SQLITE_NOMEM;
  if (how.how == READ_DECIMAL && n > 0 && weft_decimal_parse(weft_slice(p, (size_t)n), &d) == 0) {
    *out = decimal(arena, &d, how.scale);
    return SQLITE_OK;
  }
  /* Nothing stops a json column from holding other text. */
  bool json = how.how == READ_JSON && weft_json_valid(weft_slice(p, (size_t)n));
  out->type = json ? WEFT_JSON : WEFT_TEXT;
  return bytes(arena, p, n, out);
}

int weft_sqlite_row(const struct sqlite_statement *st, struct weft_rows *rows,
                    struct weft_error *err) {
  sqlite3_stmt *stmt = st->stmt;
  struct weft_value *v = weft_rows_add(rows);
  if (!v) return weft_fail(err, WEFT_UNSUPPORTED, "the result has more than 2^31 cells");
  int rc = SQLITE_OK;
  for (int i = 0, n = (int)rows->ncols; i < n; i++, v++) {
    struct sqlite_decoder how = st->decoders[i];
    switch (sqlite3_column_type(stmt, i)) {
      case SQLITE_INTEGER: *v = integer(&rows->arena, sqlite3_column_int64(stmt, i), how); break;
      case SQLITE_FLOAT: *v = real(&rows->arena, sqlite3_column_double(stmt, i), how); break;
      case SQLITE_TEXT: rc |= text(&rows->arena, stmt, i, how, v); break;
      case SQLITE_BLOB:
        v->type = WEFT_BYTES;
        rc |= bytes(&rows->arena, sqlite3_column_blob(stmt, i), sqlite3_column_bytes(stmt, i), v);
        break;
      default: break; /* NULL already */
    }
  }
  if (rc != SQLITE_OK) return weft_fail(err, WEFT_INTERNAL, "no memory for a cell of this size");
  return 0;
}
