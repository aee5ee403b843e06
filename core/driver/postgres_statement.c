/* SPDX-License-Identifier: MIT */
/* What is remembered of statements: per plan the shape of its result, per connection which
   statements are prepared.

   A statement's name is never used twice in the life of a connection, and holds a number of the
   connection's own, so that behind a pooler that lends one session to many clients no name can ever
   mean somebody else's statement. */
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

struct weft_pg_shape *weft_pg_shape_ref(struct weft_pg_shape *s) {
  if (s) s->refs++;
  return s;
}

void weft_pg_shape_unref(struct weft_pg_shape *s) {
  if (!s || --s->refs > 0) return;
  weft_columns_unref(s->columns);
  free(s);
}

static bool same_shape(const struct weft_pg_shape *s, const PGresult *res, uint32_t n) {
  if (!s || s->columns->n != n) return false;
  for (uint32_t i = 0; i < n; i++) {
    const struct weft_column *c = &s->columns->v[i];
    if (c->oid != PQftype(res, (int)i) || strcmp(c->name.p, PQfname(res, (int)i)) != 0)
      return false;
  }
  return true;
}

/* An array of a type that is not known here, as of an enum, is one where the plan's table says so: its elements are
   read as text. Those whose text has another form stay whole. */
static struct weft_pg_column array_of_table(const struct weft_table *t, uint32_t oid) {
  enum { INT2VECTOR = 22, OIDVECTOR = 30, ARRAY_OF_BOX = 1020 };
  struct weft_pg_column none = {NULL, false};
  if (!t || oid == INT2VECTOR || oid == OIDVECTOR || oid == ARRAY_OF_BOX) return none;
  for (uint32_t i = 0; i < t->ncolumns; i++) {
    const struct weft_column_type *type = &t->columns[i].type;
    if (type->oid == oid && type->type == WEFT_ARRAY) return (struct weft_pg_column){weft_pg_column(PG_TEXT).type, true};
  }
  return none;
}

static struct weft_pg_shape *new_shape(const struct weft_plan *plan, const PGresult *res, uint32_t n) {
  struct weft_pg_shape *s = weft_zalloc(sizeof *s + n * sizeof s->v[0]);
  struct weft_column *v = weft_zalloc((n + 1) * sizeof *v);
  s->refs = 1;
  s->binary = true;
  for (uint32_t i = 0; i < n; i++) {
    s->v[i] = weft_pg_column(PQftype(res, (int)i));
    if (!s->v[i].type) {
      s->binary = false;
      s->v[i] = array_of_table(plan->table, PQftype(res, (int)i));
    }
    uint8_t type = s->v[i].type ? s->v[i].type->type : WEFT_TEXT;
    v[i] = (struct weft_column){.name = weft_slice_of(PQfname(res, (int)i)),
                                .type = s->v[i].array ? WEFT_ARRAY : type,
                                .elem = s->v[i].array ? type : 0,
                                .oid = PQftype(res, (int)i)};
  }
  s->columns = weft_columns_new(v, n);
  free(v);
  return s;
}

static void free_shape(void *shape) {
  weft_pg_shape_unref(shape);
}

/* A model's wishes for the presentation of columns are set by whoever owns the plan; a new shape of
   the same columns keeps them. */
static void teach(struct weft_plan *plan, struct weft_pg_shape *s) {
  if (plan->driver_data) plan->driver_free(plan->driver_data);
  plan->driver_data = weft_pg_shape_ref(s);
  plan->driver_free = free_shape;
  weft_columns_unref(plan->columns);
  plan->columns = weft_columns_ref(s->columns);
}

struct weft_pg_shape *weft_pg_learn(struct weft_plan *plan, const PGresult *res) {
  uint32_t n = (uint32_t)PQnfields(res);
  if (same_shape(plan->driver_data, res, n)) return weft_pg_shape_ref(plan->driver_data);
  struct weft_pg_shape *s = new_shape(plan, res, n);
  teach(plan, s);
  return s;
}

void weft_pg_name(const struct weft_pg_conn *c, uint32_t serial, char out[WEFT_PG_NAME]) {
  static const char hex[] = "0123456789abcdef";
  char digits[WEFT_INT_TEXT];
  size_t n = weft_int_text(digits, serial);
  out[0] = 'w';
  for (int i = 0; i < 8; i++) out[1 + i] = hex[c->nonce >> (28 - 4 * i) & 15];
  out[9] = '_';
  memcpy(out + 10, digits, n);
  out[10 + n] = 0;
}

struct weft_pg_statement *weft_pg_prepare(struct weft_pg_conn *c, uint64_t plan) {
  struct weft_pg_statement *st = weft_zalloc(sizeof *st);
  st->serial = ++c->serial;
  struct weft_statement *oldest = weft_statements_add(&c->statements, &st->base, plan);
  if (oldest) {
    struct weft_pg_statement *old = (struct weft_pg_statement *)oldest;
    weft_buf_add(&c->evicted, &old->serial, sizeof old->serial);
    weft_pg_shape_unref(old->shape);
    free(old);
  }
  return st;
}

struct weft_pg_statement *weft_pg_statement(struct weft_pg_conn *c, uint64_t plan,
                                            uint32_t serial) {
  struct weft_pg_statement *st =
      (struct weft_pg_statement *)weft_statements_get(&c->statements, plan);
  return st && st->serial == serial ? st : NULL;
}

void weft_pg_forget(struct weft_pg_conn *c, struct weft_pg_statement *st, bool deallocate) {
  if (!st) return;
  if (deallocate) weft_buf_add(&c->evicted, &st->serial, sizeof st->serial);
  weft_statements_remove(&c->statements, &st->base);
  weft_pg_shape_unref(st->shape);
  free(st);
}

void weft_pg_forget_all(struct weft_pg_conn *c) {
  while (!weft_list_empty(&c->statements.lru))
    weft_pg_forget(c, WEFT_CONTAINER(c->statements.lru.next, struct weft_pg_statement, base.link),
                   false);
  weft_buf_reset(&c->evicted);
}
