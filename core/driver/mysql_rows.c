/* SPDX-License-Identifier: MIT */
/* From results to rows. What a cell becomes is decided once per prepared statement, by the field and, where
   MySQL tells less than its catalog (json, booleans, uuids), by what the plan knows of its table. */
#include <stdio.h>
#include <stdlib.h>

#include "../decimal.h"
#include "../json.h"
#include "mysql.h"

static const unsigned BINARY = 63; /* the character set of bytes */

/* ---- columns ---- */

static bool is_attribute(const MYSQL_FIELD *f, enum mariadb_field_attr_t which, const char *word) {
  MARIADB_CONST_STRING told;
  return mariadb_field_attr(&told, f, which) == 0 && told.length == strlen(word) &&
         memcmp(told.str, word, told.length) == 0;
}

static enum weft_type text_type(const MYSQL_FIELD *f) {
  if (is_attribute(f, MARIADB_FIELD_ATTR_FORMAT_NAME, "json")) return WEFT_JSON;
  if (is_attribute(f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "uuid")) return WEFT_UUID;
  if (is_attribute(f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "inet6") ||
      is_attribute(f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "inet4"))
    return WEFT_TEXT;
  return f->charsetnr == BINARY ? WEFT_BYTES : WEFT_TEXT;
}

/* The type of the cells, and how they are read. */
static enum weft_type field_type(const MYSQL_FIELD *f, uint8_t *read) {
  bool is_unsigned = f->flags & UNSIGNED_FLAG;
  switch (f->type) {
    case MYSQL_TYPE_TINY:
      if (f->length == 1 && !is_unsigned) return *read = WEFT_MY_BOOL, WEFT_BOOL;
      return *read = WEFT_MY_INT, WEFT_INT;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_YEAR: return *read = WEFT_MY_INT, WEFT_INT;
    case MYSQL_TYPE_LONGLONG:
      if (is_unsigned) return *read = WEFT_MY_UNSIGNED, WEFT_ANY;
      return *read = WEFT_MY_INT, WEFT_INT;
    case MYSQL_TYPE_BIT: return *read = WEFT_MY_BITS, f->length > 63 ? WEFT_ANY : WEFT_INT;
    case MYSQL_TYPE_FLOAT: return *read = WEFT_MY_SINGLE, WEFT_FLOAT;
    case MYSQL_TYPE_DOUBLE: return *read = WEFT_MY_DOUBLE, WEFT_FLOAT;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return *read = WEFT_MY_DECIMAL, WEFT_DECIMAL;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return *read = WEFT_MY_TIME, WEFT_DATE;
    case MYSQL_TYPE_TIME: return *read = WEFT_MY_TIME, WEFT_TIME;
    case MYSQL_TYPE_DATETIME: return *read = WEFT_MY_TIME, WEFT_TIMESTAMP;
    case MYSQL_TYPE_TIMESTAMP: return *read = WEFT_MY_TIME, WEFT_TIMESTAMPTZ;
    case MYSQL_TYPE_JSON: return *read = WEFT_MY_BYTES, WEFT_JSON;
    case MYSQL_TYPE_NULL: return *read = WEFT_MY_BYTES, WEFT_TEXT;
    default: return *read = WEFT_MY_BYTES, text_type(f);
  }
}

static void refine(const struct weft_shown *shown, uint32_t i, const MYSQL_FIELD *f,
                   struct weft_column *column, uint8_t *read) {
  struct weft_column_type t;
  if (weft_shown_aggregate(shown, i, &t)) return;
  /* A sum of integers is a decimal to MySQL. */
  if (*read == WEFT_MY_DECIMAL && f->decimals == 0 && !f->org_name_length) {
    *read = WEFT_MY_WHOLE;
    column->type = WEFT_ANY;
  }
  if (!weft_shown_column(shown, i, column->name, &t)) return;
  if (t.type == WEFT_BOOL && *read == WEFT_MY_INT) *read = WEFT_MY_BOOL, column->type = WEFT_BOOL;
  if ((t.type == WEFT_JSON || t.type == WEFT_UUID) && *read == WEFT_MY_BYTES) column->type = t.type;
}

static struct weft_columns *columns_of(MYSQL_RES *meta, const struct weft_plan *plan, uint8_t *read) {
  uint32_t n = mysql_num_fields(meta);
  const MYSQL_FIELD *f = mysql_fetch_fields(meta);
  struct weft_column *v = weft_zalloc((n + 1) * sizeof *v);
  struct weft_shown shown;
  weft_shown_init(&shown, plan);
  for (uint32_t i = 0; i < n; i++) {
    v[i].name = weft_slice(f[i].name, f[i].name_length);
    v[i].type = (uint8_t)field_type(&f[i], &read[i]);
    refine(&shown, i, &f[i], &v[i], &read[i]);
  }
  weft_shown_release(&shown);
  struct weft_columns *columns = weft_columns_new(v, n);
  free(v);
  return columns;
}

static const struct target {
  enum enum_field_types type;
  unsigned long length;
} targets[] = {
    [WEFT_MY_INT] = {MYSQL_TYPE_LONGLONG, sizeof(int64_t)},
    [WEFT_MY_UNSIGNED] = {MYSQL_TYPE_LONGLONG, sizeof(int64_t)},
    [WEFT_MY_BOOL] = {MYSQL_TYPE_LONGLONG, sizeof(int64_t)},
    [WEFT_MY_BITS] = {MYSQL_TYPE_BLOB, sizeof((struct weft_my_cell *)0)->u.bytes},
    [WEFT_MY_SINGLE] = {MYSQL_TYPE_FLOAT, sizeof(float)},
    [WEFT_MY_DOUBLE] = {MYSQL_TYPE_DOUBLE, sizeof(double)},
    [WEFT_MY_TIME] = {MYSQL_TYPE_DATETIME, sizeof(MYSQL_TIME)},
    [WEFT_MY_DECIMAL] = {MYSQL_TYPE_STRING, sizeof((struct weft_my_cell *)0)->u.bytes},
    [WEFT_MY_WHOLE] = {MYSQL_TYPE_STRING, sizeof((struct weft_my_cell *)0)->u.bytes},
    [WEFT_MY_BYTES] = {MYSQL_TYPE_STRING, sizeof((struct weft_my_cell *)0)->u.bytes},
};

struct weft_my_shape *weft_my_shape_new(MYSQL_RES *meta, const struct weft_plan *plan) {
  uint32_t n = mysql_num_fields(meta);
  const MYSQL_FIELD *f = mysql_fetch_fields(meta);
  struct weft_my_shape *s = weft_zalloc(sizeof *s);
  s->read = weft_zalloc(n + 1);
  s->types = weft_zalloc((n + 1) * sizeof *s->types);
  s->binds = weft_zalloc((n + 1) * sizeof *s->binds);
  s->cells = weft_zalloc((n + 1) * sizeof *s->cells);
  s->columns = columns_of(meta, plan, s->read);
  for (uint32_t i = 0; i < n; i++) {
    MYSQL_BIND *b = &s->binds[i];
    struct weft_my_cell *cell = &s->cells[i];
    b->buffer_type = s->read[i] == WEFT_MY_TIME ? f[i].type : targets[s->read[i]].type;
    b->buffer = &cell->u;
    s->types[i] = f[i].type;
    b->buffer_length = targets[s->read[i]].length;
    b->is_unsigned = s->read[i] == WEFT_MY_UNSIGNED;
    b->length = &cell->length;
    b->is_null = &cell->null;
    b->error = &cell->cut;
  }
  return s;
}

bool weft_my_shape_fits(const struct weft_my_shape *s, const MYSQL_STMT *stmt) {
  if (stmt->field_count != s->columns->n) return false;
  const MYSQL_FIELD *told = stmt->mysql->fields; /* Connector/C leaves the statement the names that it had */
  for (uint32_t i = 0; i < s->columns->n; i++) {
    if (stmt->fields[i].type != s->types[i]) return false;
    if (told && !weft_slice_equal(weft_slice(told[i].name, told[i].name_length), s->columns->v[i].name)) return false;
  }
  return true;
}

void weft_my_shape_free(struct weft_my_shape *s) {
  if (!s) return;
  free(s->types);
  weft_columns_unref(s->columns);
  free(s->read);
  free(s->binds);
  free(s->cells);
  free(s);
}

/* ---- cells ---- */

static struct weft_value decimal(struct weft_arena *a, struct weft_slice text) {
  struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
  if (weft_decimal_parse(text, d) == 0) return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
  text = weft_arena_slice(a, text); /* more digits than a decimal has */
  return weft_text(text.p, text.n);
}

static struct weft_value whole(struct weft_arena *a, struct weft_slice text) {
  int64_t i;
  return weft_int_parse(text, &i) == 0 ? weft_int(i) : decimal(a, text);
}

static struct weft_value large(struct weft_arena *a, uint64_t n) {
  if (n <= INT64_MAX) return weft_int((int64_t)n);
  struct weft_decimal *d = weft_arena_alloc(a, sizeof *d);
  *d = (struct weft_decimal){.lo = n};
  return (struct weft_value){.type = WEFT_DECIMAL, .u.dec = d};
}

static struct weft_value bits(struct weft_arena *a, const char *p, size_t n) {
  uint64_t out = 0;
  for (size_t i = 0; i < n; i++) out = out << 8 | (unsigned char)p[i];
  return large(a, out);
}

/* A date with a zero in it is none. */
static struct weft_value zero_date(struct weft_rows *rows) {
  rows->zero_dates++;
  return weft_null();
}

/* Text for a time beyond a day. */
static struct weft_value moment(struct weft_rows *rows, enum weft_type type, struct weft_slice text) {
  struct weft_value v;
  bool zone;
  enum weft_type read = type == WEFT_TIMESTAMPTZ ? WEFT_TIMESTAMP : type;
  if (weft_time_parse(text, read, &zone, &v) == 0) return v.type = (uint8_t)type, v;
  if (type != WEFT_TIME) return zero_date(rows);
  text = weft_arena_slice(&rows->arena, text);
  return weft_text(text.p, text.n);
}

static struct weft_value clock_time(struct weft_rows *rows, const MYSQL_TIME *t) {
  char text[64];
  int n = snprintf(text, sizeof text, "%s%02u:%02u:%02u", t->neg ? "-" : "", t->day * 24 + t->hour, t->minute,
                   t->second);
  if (t->second_part) n += snprintf(text + n, sizeof text - (size_t)n, ".%06lu", t->second_part);
  return moment(rows, WEFT_TIME, weft_slice(text, (size_t)n));
}

static struct weft_value day_time(struct weft_rows *rows, enum weft_type type, const MYSQL_TIME *t) {
  struct weft_value v;
  int64_t us = ((t->hour * 60 + t->minute) * 60 + t->second) * (int64_t)1000000 + (int64_t)t->second_part;
  return weft_time_of_day(t->year, t->month, t->day, type, us, &v) ? zero_date(rows) : v;
}

static struct weft_value bytes(struct weft_arena *a, enum weft_type type, struct weft_slice s) {
  if (type == WEFT_JSON && !weft_json_valid(s)) type = WEFT_TEXT;
  s = weft_arena_slice(a, s);
  return (struct weft_value){.type = (uint8_t)type, .n = (uint32_t)s.n, .u.s = s.p};
}

static struct weft_value of_bytes(struct weft_arena *a, uint8_t read, enum weft_type type,
                                  struct weft_slice s) {
  switch (read) {
    case WEFT_MY_BITS: return bits(a, s.p, s.n);
    case WEFT_MY_DECIMAL: return decimal(a, s);
    case WEFT_MY_WHOLE: return whole(a, s);
    default: return bytes(a, type, s);
  }
}

static struct weft_value read_cell(const struct weft_my_shape *s, uint32_t i, struct weft_rows *rows) {
  const struct weft_my_cell *c = &s->cells[i];
  struct weft_arena *a = &rows->arena;
  enum weft_type type = s->columns->v[i].type;
  switch (s->read[i]) {
    case WEFT_MY_BOOL: return c->u.i == 0 || c->u.i == 1 ? weft_bool(c->u.i) : weft_int(c->u.i);
    case WEFT_MY_INT: return weft_int(c->u.i);
    case WEFT_MY_UNSIGNED: return large(a, (uint64_t)c->u.i);
    case WEFT_MY_SINGLE: return weft_float(weft_float_of_single(c->u.single));
    case WEFT_MY_DOUBLE: return weft_float(c->u.number);
    case WEFT_MY_TIME: return type == WEFT_TIME ? clock_time(rows, &c->u.time) : day_time(rows, type, &c->u.time);
    default: return of_bytes(a, s->read[i], type, weft_slice(c->u.bytes, c->length));
  }
}

/* A cell that is longer than its place, fetched whole. */
static int long_cell(const struct weft_my_shape *s, MYSQL_STMT *stmt, uint32_t i, struct weft_arena *a,
                     struct weft_value *out, struct weft_error *err) {
  MYSQL_BIND b = s->binds[i];
  unsigned long n = s->cells[i].length;
  char *own = weft_arena_try(a, n + 1, UINT32_MAX);
  if (!own) return weft_fail(err, WEFT_INTERNAL, "no memory for a cell of this size");
  b.buffer = own;
  b.buffer_length = n;
  if (mysql_stmt_fetch_column(stmt, &b, i, 0))
    return weft_fail(err, WEFT_INTERNAL, "a cell could not be fetched");
  enum weft_type type = s->columns->v[i].type;
  if (type == WEFT_JSON && !weft_json_valid(weft_slice(own, n))) type = WEFT_TEXT;
  *out = (struct weft_value){.type = (uint8_t)type, .n = (uint32_t)n, .u.s = own};
  return 0;
}

static int read_row(const struct weft_my_shape *s, MYSQL_STMT *stmt, struct weft_rows *rows,
                    struct weft_error *err) {
  struct weft_value *v = weft_rows_add(rows);
  if (!v) return weft_fail(err, WEFT_UNSUPPORTED, "the result has more than 2^31 cells");
  for (uint32_t i = 0; i < rows->ncols; i++) {
    const struct weft_my_cell *c = &s->cells[i];
    if (c->null) continue;
    if (s->read[i] == WEFT_MY_BYTES && c->length > sizeof c->u.bytes) {
      if (long_cell(s, stmt, i, &rows->arena, &v[i], err)) return -1;
    } else {
      v[i] = read_cell(s, i, rows);
    }
  }
  return 0;
}

int weft_my_fetch(const struct weft_my_shape *s, MYSQL_STMT *stmt, struct weft_rows *rows,
                  struct weft_error *err) {
  int rc;
  if (mysql_stmt_bind_result(stmt, s->binds))
    return weft_fail(err, WEFT_INTERNAL, "the result cannot be read: %s", mysql_stmt_error(stmt));
  while ((rc = mysql_stmt_fetch(stmt)) == 0 || rc == MYSQL_DATA_TRUNCATED)
    if (read_row(s, stmt, rows, err)) return -1;
  return rc == MYSQL_NO_DATA ? 0 : weft_fail(err, WEFT_INTERNAL, "the result cannot be read");
}

/* ---- results in text ---- */

static struct weft_value of_text(struct weft_rows *rows, uint8_t read, enum weft_type type,
                                 struct weft_slice s) {
  struct weft_arena *a = &rows->arena;
  double f;
  switch (read) {
    case WEFT_MY_BOOL:
      if (s.n == 1 && (*s.p == '0' || *s.p == '1')) return weft_bool(*s.p == '1');
      return whole(a, s);
    case WEFT_MY_INT:
    case WEFT_MY_UNSIGNED: return whole(a, s);
    case WEFT_MY_SINGLE:
    case WEFT_MY_DOUBLE: return weft_float_parse(s, &f) == 0 ? weft_float(f) : weft_null();
    case WEFT_MY_TIME: return moment(rows, type, s);
    default: return of_bytes(a, read, type, s);
  }
}

int weft_my_text_rows(MYSQL_RES *result, const struct weft_plan *plan, struct weft_rows **out,
                      struct weft_error *err) {
  uint32_t n = mysql_num_fields(result);
  uint8_t *read = weft_zalloc(n + 1);
  struct weft_columns *columns = columns_of(result, plan, read);
  struct weft_rows *rows = weft_rows_new(columns, (uint32_t)mysql_num_rows(result));
  int status = 0;
  for (MYSQL_ROW row; status == 0 && (row = mysql_fetch_row(result));) {
    const unsigned long *lengths = mysql_fetch_lengths(result);
    struct weft_value *v = weft_rows_add(rows);
    if (!v) status = weft_fail(err, WEFT_UNSUPPORTED, "the result has more than 2^31 cells");
    for (uint32_t i = 0; v && i < n; i++)
      if (row[i]) v[i] = of_text(rows, read[i], columns->v[i].type, weft_slice(row[i], lengths[i]));
  }
  free(read);
  weft_columns_unref(columns);
  if (status == 0) *out = rows;
  else weft_rows_unref(rows);
  return status;
}
