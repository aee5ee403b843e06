/* SPDX-License-Identifier: MIT */
/* What is known of a table: enough to name, type and compare its columns. Filled by discovery
   (core/schema), read by everything above. Reference-counted, immutable once published; a changed
   schema makes a new one. */
#ifndef WEFT_TABLE_H
#define WEFT_TABLE_H

#include "value.h"

#pragma GCC visibility push(default)

/* What eval may assume when it compares text of this column. */
enum weft_collation {
  WEFT_COLLATE_BINARY,  /* compares bytes; equality and order are both known */
  WEFT_COLLATE_NOCASE,  /* SQLite's: folds ASCII */
  WEFT_COLLATE_RTRIM,   /* SQLite's: ignores trailing spaces */
  WEFT_COLLATE_EQUAL,   /* deterministic: equality is bytes, order is the database's secret */
  WEFT_COLLATE_UNKNOWN  /* not even equality is known */
};

struct weft_table_column {
  struct weft_slice name;
  struct weft_slice declared;    /* the type as the database writes it */
  struct weft_column_type type;
  uint8_t collation;             /* enum weft_collation */
  bool nullable, has_default, generated;
  uint8_t key;                   /* place in the primary key from 1; 0: none */
  bool unique;                   /* alone, by a constraint or an index without predicate */
  bool lazy;                     /* a model fetches it on touch only */
  uint32_t as;                   /* enum weft_as (rows.h) */
};

struct weft_table {
  int refs; /* atomic */
  struct weft_slice name;        /* as the database knows it */
  struct weft_slice schema;      /* empty: the search path finds it */
  uint64_t id;                   /* of this version of the table, unique in the process */
  uint32_t ncolumns, nkey;
  struct weft_table_column *columns;
  uint32_t *key;                 /* column numbers of the primary key, in key order */
  int32_t soft;                  /* the column in which a model notes when, or that, a row was deleted; -1:
                                    none. Set before the table is published */
  bool known;                    /* false: only the name is known yet; columns is empty */
  struct weft_arena arena;
};

/* Copies everything. Columns whose .key > 0 make up the primary key. */
struct weft_table *weft_table_new(struct weft_slice schema, struct weft_slice name,
                                  const struct weft_table_column *columns, uint32_t n);
/* A table of which nothing but the name is known. */
struct weft_table *weft_table_unknown(struct weft_slice schema, struct weft_slice name);
struct weft_table *weft_table_ref(struct weft_table *t);
void weft_table_unref(struct weft_table *t);

/* Does the soft column say whether a row was deleted (a boolean, not true: it was not), rather than when (NULL)? */
static inline bool weft_table_flags_deleted(const struct weft_table *t) {
  return t->soft >= 0 && t->columns[t->soft].type.type == WEFT_BOOL;
}
/* The column's number, or -1. Exact bytes. */
int weft_table_column(const struct weft_table *t, struct weft_slice name);
/* Fails with WEFT_USAGE: unknown column 'titel' of products; did you mean 'title'? */
int weft_table_unknown_column(const struct weft_table *t, struct weft_slice name,
                              struct weft_error *err);

#pragma GCC visibility pop

#endif
