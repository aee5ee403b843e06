/* SPDX-License-Identifier: MIT */
/* Parameters. Each travels in the type that keeps it exact: decimals as decimals, times as text that MySQL
   reads (a zone is not among what it reads: sessions are in UTC). */
#include <math.h>

#include "../decimal.h"
#include "../json.h"
#include "mysql.h"

struct binding {
  const struct weft_op *op;
  struct weft_arena *arena;
  struct weft_error *err;
  uint32_t i; /* of the parameter, from 0 */
};

static int refuse(const struct binding *b, const char *what) {
  const struct weft_plan *p = b->op->plan;
  uint32_t slot = p->nslots ? b->i % p->nslots : 0;
  if (p->slots && slot < p->nslots && p->slots[slot].column.n)
    return weft_fail(b->err, WEFT_TYPE, "the value for column %.*s %s", (int)p->slots[slot].column.n,
                     p->slots[slot].column.p, what);
  return weft_fail(b->err, WEFT_TYPE, "parameter %u %s", (unsigned)b->i + 1, what);
}

static int bytes(MYSQL_BIND *out, enum enum_field_types type, const char *p, size_t n) {
  out->buffer_type = type;
  out->buffer = (void *)(uintptr_t)(n ? p : "");
  out->buffer_length = (unsigned long)n;
  return 0;
}

static int integer(const struct binding *b, MYSQL_BIND *out, int64_t i) {
  int64_t *own = weft_arena_alloc(b->arena, sizeof *own);
  *own = i;
  out->buffer_type = MYSQL_TYPE_LONGLONG;
  out->buffer = own;
  return 0;
}

/* A column of four bytes holds what it is given rounded: so must be what it is compared with. */
static int number(const struct binding *b, const struct weft_slot *slot, MYSQL_BIND *out, double f) {
  double *own = weft_arena_alloc(b->arena, sizeof *own);
  if (!isfinite(f)) return refuse(b, "is no finite number, and MySQL knows no other");
  *own = f;
  out->buffer_type = MYSQL_TYPE_DOUBLE;
  out->buffer = own;
  if (slot && slot->type.type == WEFT_FLOAT && slot->type.size == 4) {
    float single = (float)f;
    memcpy(own, &single, sizeof single);
    out->buffer_type = MYSQL_TYPE_FLOAT;
  }
  return 0;
}

static int decimal(const struct binding *b, MYSQL_BIND *out, const struct weft_decimal *d) {
  char *text = weft_arena_bytes(b->arena, WEFT_DECIMAL_TEXT);
  return bytes(out, MYSQL_TYPE_NEWDECIMAL, text, weft_decimal_text(text, d));
}

static int moment(const struct binding *b, MYSQL_BIND *out, struct weft_value v) {
  char *text = weft_arena_bytes(b->arena, 40), *t;
  if (v.type == WEFT_TIMESTAMPTZ) v.type = WEFT_TIMESTAMP;
  size_t n = weft_time_text(text, v);
  if (*text == 'i' || *text == '-' || *text == '+')
    return refuse(b, "is a time that MySQL cannot hold");
  if ((t = memchr(text, 'T', n))) *t = ' ';
  return bytes(out, MYSQL_TYPE_STRING, text, n);
}

static int json(const struct binding *b, MYSQL_BIND *out, struct weft_value v) {
  struct weft_buf text;
  weft_buf_init(&text);
  weft_json_value(&text, v);
  if (weft_buf_failed(&text)) {
    weft_buf_release(&text);
    return refuse(b, "is longer than MySQL can hold");
  }
  char *own = weft_arena_copy(b->arena, text.p, text.n);
  bytes(out, MYSQL_TYPE_STRING, own, text.n);
  weft_buf_release(&text);
  return 0;
}

/* A list is one parameter, whatever its length; in raw text it is what json_table takes. */
static int encoded(const struct binding *b, const struct weft_slot *slot, struct weft_value *v) {
  static const struct weft_slot raw = {.form = WEFT_SLOT_JSON_TEXT, .type = {.type = WEFT_ANY}};
  if (v->type != WEFT_LIST) return 0;
  bool plain = !slot || slot->form == WEFT_SLOT_VALUE;
  return weft_slot_encode(plain ? &raw : slot, *v, b->arena, v, b->err);
}

static int bind_value(const struct binding *b, struct weft_value v, MYSQL_BIND *out) {
  const struct weft_plan *p = b->op->plan;
  const struct weft_slot *slot = p->slots && p->nslots ? &p->slots[b->i % p->nslots] : NULL;
  if (encoded(b, slot, &v)) return -1;
  switch ((enum weft_type)v.type) {
    case WEFT_NULL: out->buffer_type = MYSQL_TYPE_NULL; return 0;
    case WEFT_BOOL: return integer(b, out, v.u.i != 0);
    case WEFT_INT: return integer(b, out, v.u.i);
    case WEFT_FLOAT: return number(b, slot, out, v.u.f);
    case WEFT_DECIMAL: return decimal(b, out, v.u.dec);
    case WEFT_BYTES: return bytes(out, MYSQL_TYPE_BLOB, v.u.s, v.n);
    case WEFT_DATE:
    case WEFT_TIME:
    case WEFT_TIMESTAMP:
    case WEFT_TIMESTAMPTZ: return moment(b, out, v);
    case WEFT_ARRAY: return json(b, out, v);
    default: break;
  }
  if (!weft_is_text(v)) return refuse(b, "is of a type that MySQL does not know");
  bool digits = slot && slot->form == WEFT_SLOT_VALUE && slot->type.type == WEFT_DECIMAL; /* more than a decimal has */
  return bytes(out, digits ? MYSQL_TYPE_NEWDECIMAL : MYSQL_TYPE_STRING, v.u.s, v.n);
}

int weft_my_bind(const struct weft_op *op, const struct weft_value *params, uint32_t n,
                 struct weft_arena *arena, MYSQL_BIND **out, struct weft_error *err) {
  struct binding b = {op, arena, err, 0};
  MYSQL_BIND *binds = weft_arena_alloc(arena, (n + 1) * sizeof *binds);
  memset(binds, 0, (n + 1) * sizeof *binds);
  for (; b.i < n; b.i++)
    if (bind_value(&b, params[b.i], &binds[b.i])) return -1;
  *out = binds;
  return 0;
}

/* ---- in bulk: a parameter's values as one array ---- */

static MYSQL_BIND *new_columns(struct weft_arena *arena, uint32_t n, uint32_t rows) {
  MYSQL_BIND *columns = weft_arena_alloc(arena, n * sizeof *columns);
  memset(columns, 0, n * sizeof *columns);
  for (uint32_t i = 0; i < n; i++) {
    columns[i].buffer_type = MYSQL_TYPE_NULL;
    columns[i].buffer = weft_arena_alloc(arena, rows * sizeof(int64_t));
    columns[i].length = weft_arena_alloc(arena, rows * sizeof *columns->length);
    columns[i].u.indicator = weft_arena_bytes(arena, rows);
  }
  return columns;
}

/* Numbers lie in the array, a pointer to all else. false: the value is of another type than those above it. */
static bool add_cell(MYSQL_BIND *column, uint32_t row, const MYSQL_BIND *cell) {
  enum enum_field_types type = cell->buffer_type;
  bool null = type == MYSQL_TYPE_NULL, single = type == MYSQL_TYPE_FLOAT;
  column->u.indicator[row] = null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
  if (null) return true;
  if (column->buffer_type == MYSQL_TYPE_NULL) column->buffer_type = type;
  bool number = single || type == MYSQL_TYPE_DOUBLE || type == MYSQL_TYPE_LONGLONG;
  size_t size = single ? sizeof(float) : sizeof(int64_t);
  memcpy((char *)column->buffer + row * size, number ? cell->buffer : &cell->buffer, size);
  column->length[row] = cell->buffer_length;
  return column->buffer_type == type;
}

int weft_my_bind_columns(const struct weft_op *op, const struct weft_value *params, uint32_t rows,
                         struct weft_arena *arena, MYSQL_BIND **out, struct weft_error *err) {
  struct binding b = {op, arena, err, 0};
  uint32_t n = op->plan->nslots;
  MYSQL_BIND *columns = new_columns(arena, n, rows);
  for (uint32_t row = 0; row < rows; row++)
    for (uint32_t i = 0; i < n; i++, b.i++) {
      MYSQL_BIND cell = {0};
      if (bind_value(&b, params[b.i], &cell)) return -1;
      if (!add_cell(&columns[i], row, &cell)) return 1;
    }
  *out = columns;
  return 0;
}
