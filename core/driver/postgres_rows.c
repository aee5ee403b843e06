/* SPDX-License-Identifier: MIT */
/* From libpq's result to rows, in one pass; libpq's own memory is let go with its result. */
#include <stdlib.h>

#include "postgres.h"

/* "INSERT 0 5", "UPDATE 3"; the number of a SELECT is not one of rows touched. */
static int64_t affected(PGresult *res) {
  const char *tag = PQcmdStatus(res);
  if (strncmp(tag, "SELECT", 6) == 0 || strncmp(tag, "FETCH", 5) == 0) return -1;
  const char *n = PQcmdTuples(res);
  return *n ? strtoll(n, NULL, 10) : -1;
}

struct weft_rows *weft_pg_no_rows(PGresult *res) {
  struct weft_rows *r = weft_rows_new(NULL, 0);
  r->affected = affected(res);
  return r;
}

static int cannot_decode(const struct weft_pg_shape *s, uint32_t i, bool binary,
                         struct weft_error *err) {
  const struct weft_column *c = &s->columns->v[i];
  return weft_fail(err, WEFT_INTERNAL, "column '%.60s' (type %u) is not what its %s form says",
                   c->name.p, c->oid, binary ? "binary" : "text");
}

int weft_pg_rows(const struct weft_pg_shape *s, const PGresult *res, struct weft_rows **out,
                 struct weft_error *err) {
  uint32_t n = s->columns->n;
  int rows = PQntuples(res);
  bool binary = n && PQfformat(res, 0) == 1;
  if ((uint32_t)PQnfields(res) != n)
    return weft_fail(err, WEFT_INTERNAL, "the answer has other columns than its statement");
  if (binary && !s->binary) return 1;
  struct weft_rows *r = weft_rows_new(s->columns, (uint32_t)rows);
  for (int i = 0; i < rows; i++) {
    struct weft_value *row = weft_rows_add(r);
    if (!row) {
      weft_rows_unref(r);
      return weft_fail(err, WEFT_UNSUPPORTED, "the result has more than 2^31 cells");
    }
    for (uint32_t k = 0; k < n; k++) {
      int size = PQgetlength(res, i, (int)k);
      if (size == 0 && PQgetisnull(res, i, (int)k)) continue;
      const char *p = PQgetvalue(res, i, (int)k);
      if (weft_pg_cell(s->v[k], binary, &r->arena, p, (uint32_t)size, &row[k])) continue;
      weft_rows_unref(r);
      return cannot_decode(s, k, binary, err);
    }
  }
  r->affected = affected((PGresult *)res);
  *out = r;
  return 0;
}
