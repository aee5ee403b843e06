/* SPDX-License-Identifier: MIT */
/* The meeting point: what every driver produces, joins combine, Lua and JSON read. Immutable once
   finished, reference-counted (the count is atomic: the cache hands row sets between threads).

   Cells are row-major; everything they point at lives in the row set's arena. The columns are an
   object of their own, shared by all results of one prepared statement, so that readers may cache
   what they derive from them by its address. */
#ifndef WEFT_ROWS_H
#define WEFT_ROWS_H

#include "value.h"

#pragma GCC visibility push(default)

struct weft_column {
  struct weft_slice name;
  uint8_t type; /* declared type of the cells, WEFT_ANY when each says for itself */
  uint8_t elem;
  uint32_t oid; /* driver's own, for its decoders */
  uint32_t as;  /* presentation asked for by a model (enum weft_as); 0 as it is */
};

struct weft_columns {
  int refs; /* atomic */
  bool presented; /* their as was set, see weft_plan_present */
  uint32_t n;
  struct weft_columns *first; /* what weft_rows_first made of them last; owned, atomic */
  struct weft_column v[];
};

/* Names are copied. */
struct weft_columns *weft_columns_new(const struct weft_column *v, uint32_t n);
struct weft_columns *weft_columns_ref(struct weft_columns *c);
void weft_columns_unref(struct weft_columns *c); /* NULL is fine */
/* Same names and types in the same order. */
bool weft_columns_equal(const struct weft_columns *a, const struct weft_columns *b);

struct weft_rows {
  int refs; /* atomic */
  uint32_t nrows, ncols, cap;
  struct weft_columns *columns; /* owned reference */
  struct weft_value *cells;     /* nrows * ncols */
  int64_t affected;             /* rows that a write touched, -1 when the database did not say */
  int64_t last_id;              /* SQLite and MySQL; 0 */
  uint32_t zero_dates;          /* MySQL: cells that are NULL here and a date with zeros in the database */
  struct weft_rows **parents;   /* row sets that the cells point into: owned, NULL behind the last */
  struct weft_arena arena;
};

/* Takes a reference on columns (NULL: no columns). expected is a hint of the number of rows; small
   results need one malloc. */
struct weft_rows *weft_rows_new(struct weft_columns *columns, uint32_t expected);
struct weft_rows *weft_rows_ref(struct weft_rows *r);
void weft_rows_unref(struct weft_rows *r); /* NULL is fine */

/* n of r's rows from first on, as a row set of its own that keeps r alive. */
struct weft_rows *weft_rows_view(struct weft_rows *r, uint32_t first, uint32_t n);

/* The rows of all n row sets (at least one; equal columns, which the first one's become) behind each
   other, and the columns given by number (in that order, under columns) of r's rows. Both are row sets
   of their own with their own cells, which keep alive what the cells point at; affected and last_id are
   the first's. concat gives NULL when the row set would pass 2^31 cells. */
struct weft_rows *weft_rows_concat(struct weft_rows *const *v, uint32_t n);
struct weft_rows *weft_rows_project(struct weft_rows *r, struct weft_columns *columns,
                                    const uint32_t *numbers);

/* r with its first n columns only. All that was asked of the same columns share theirs. */
struct weft_rows *weft_rows_first(struct weft_rows *r, uint32_t n);

/* While building: a new row whose cells are all NULL; the pointer is good until the next add.
   NULL when the row set would pass 2^31 cells. */
struct weft_value *weft_rows_add(struct weft_rows *r);

static inline const struct weft_value *weft_rows_row(const struct weft_rows *r, uint32_t i) {
  return r->cells + (size_t)i * r->ncols;
}

/* Memory that r takes, without its columns; for caches. A view takes no more than its share of the
   cells; what concat and project made takes all that it keeps alive as well. */
size_t weft_rows_bytes(const struct weft_rows *r);

/* How a model wants a column's values shown. */
enum weft_as {
  WEFT_AS_IS,
  WEFT_AS_STRING, /* decimals, integers and json as text */
  WEFT_AS_NUMBER, /* decimals as doubles */
  WEFT_AS_EPOCH,  /* times as seconds: an integer when whole, else a float; infinities stay text */
  WEFT_AS_US,     /* times as integer microseconds */
  WEFT_AS_JSON    /* text that holds valid JSON as JSON */
};
enum { WEFT_PRESENT_TEXT = 80 };
/* v as as asks, for Lua and JSON alike; v itself where as means nothing for its type. Text that the
   result needs is in scratch. */
struct weft_value weft_value_present(struct weft_value v, uint32_t as,
                                     char scratch[WEFT_PRESENT_TEXT]);

/* Row sets alive in the process (specs count them). */
long weft_rows_live(void);

#pragma GCC visibility pop

#endif
