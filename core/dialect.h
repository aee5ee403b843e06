/* SPDX-License-Identifier: MIT */
/* What one SQL differs in from another, as data. Nothing outside this table and its constants asks
   which database it is; a new dialect is a new const struct. */
#ifndef WEFT_DIALECT_H
#define WEFT_DIALECT_H

#include "query.h"

#pragma GCC visibility push(default)

struct weft_renderer;  /* render.h */
struct weft_semantics; /* semantics.h */
struct weft_schema_part; /* dialect_schema.h */

/* How a JSON path is wanted: as an operand (JSON null is NULL), or as a value of one JSON type, NULL
   when it has another. */
enum weft_path_as {
  WEFT_PATH_BARE,
  WEFT_PATH_NUMBER,
  WEFT_PATH_TEXT,
  WEFT_PATH_BOOL,
  WEFT_PATH_JSON, /* compared with json as a whole */
  WEFT_PATH_COUNT
};

/* One row of the catalog statement, as far as a column's type depends on it. */
struct weft_catalog_type {
  struct weft_slice declared;
  uint32_t oid, elem_oid;
  int32_t typmod;
  struct weft_slice kind;
};

struct weft_dialect {
  const char *name;      /* "postgres" "sqlite" "mysql" */
  char quote;            /* around identifiers, doubled inside */
  bool numbered;         /* $1 (PostgreSQL) rather than ? */
  /* Lexing of raw text. quotes: what begins a quoted run; escape_strings: E'it\'s';
     backslash_strings: every '...' has them. */
  const char *quotes;
  bool dollar_quotes, escape_strings, backslash_strings, nested_comments;
  bool named_parameters; /* ?1 :name @name $name are passed as they are (SQLite) */
  bool hash_comments;    /* # begins a comment, -- only before a blank; the inside of / *! is SQL (MySQL) */
  const char *const *controls; /* words that begin a control statement beside those that do everywhere, and NULL */
  const char *const *locals, *const *local_sets; /* control words whose work ends with the transaction; those behind set */
  /* What stands before and behind the columns that an insert hands back. A database that takes it for a
     comment hands back none: see db_again.c. */
  const char *returning[2];
  bool update_returning; /* an update hands back its rows, too */
  bool nulls_order, row_values;
  bool array_query;      /* x in (select ...) is better said as = any(array(select ...)): evaluated once, the keys
                            are then looked up as a list's are */
  bool row_locks;        /* select ... for update; without, a lock clause says nothing */
  bool row_by_row;       /* the condition of an update sees the rows that were written before (SQLite) */
  bool nulls_large;      /* NULL sorts as the largest value (PostgreSQL), else as the smallest */
  bool repeats_inserts;  /* many rows are one prepared insert run many times (WEFT_PLAN_REPEAT) */
  uint32_t max_params;   /* 65535, 32766 */
  uint32_t max_columns;
  const char *truth[2];  /* a condition that is false, true */
  const char *no_limit;  /* what an OFFSET without LIMIT needs before it, NULL: nothing */
  bool derives_limits;   /* a select inside IN has its LIMIT one select deeper */
  bool limits_writes;    /* update and delete take ORDER BY and LIMIT themselves */
  /* What update and delete have behind the table's name when a select in the condition is to be as good as a
     key; delete's is followed by the table once more. NULL: nothing. */
  const char *sub_update, *sub_delete;
  const char *no_columns; /* of an insert that names no column */
  /* Types of parameters that belong to no column: a number of rows, text, and beside a path. */
  struct weft_column_type count, text, path_types[WEFT_PATH_COUNT];
  /* Each writes one construct; see render.h. */
  void (*list)(struct weft_renderer *r, const struct weft_expr *e);  /* x IN (one list parameter) */
  void (*path)(struct weft_renderer *r, const struct weft_expr *e, enum weft_path_as as);
  void (*match)(struct weft_renderer *r, const struct weft_expr *e); /* LIKE .. CONTAINS */
  /* A column (e, c) beside a comparison, and the type that parameters take there. NULL: the column's
     name and its own type. */
  const struct weft_column_type *(*column)(struct weft_renderer *r, const struct weft_expr *e,
                                           const struct weft_table_column *c);
  /* What an upsert does with a row that is there: sets columns, an item without an expression to the value
     that was to be inserted. NULL: on conflict. */
  void (*conflict)(struct weft_renderer *r, const struct weft_slice *on, uint32_t non,
                   const struct weft_item *set, uint32_t n);
  void (*lock)(struct weft_renderer *r, struct weft_slice name); /* NULL: for NAME */
  void (*rows)(struct weft_renderer *r, const struct weft_query *verb); /* source of many inserted
                                      rows, NULL where inserts are repeated */
  /* Several statements are parted by a semicolon. */
  const char *begin[2][5]; /* [read_only][isolation: default, read committed, repeatable read, serializable, read uncommitted] */
  /* Columns and keys of one table, as rows in the table's order; parameters: schema ('' the search path
     finds it), table, and once more as often as there are marks. No row: no such table. The result's columns:
       1 name text      2 declared text   3 oid int        4 elem_oid int (0: no array)
       5 not_null       6 has_default     7 generated      (bool or 0/1)
       8 key_position int (place in the primary key, 0 none)
       9 unique_alone   10 collation text, for the function below
      11 typmod int (-1 none)   12 kind text ("enum", else PostgreSQL's typcategory; "" on SQLite)
     Domains are shown as their base type (oid, typmod, kind); declared is what the user wrote. */
  const char *catalog;
  /* Names of the tables and views of a schema ('' the search path), for "did you mean". */
  const char *tables;
  /* Tables that have foreign keys or are pointed at by some, one row each; no parameters. Two schemas are
     spelled '' where the search path finds the table. The lists are JSON, in the database's order:
       1 schema   2 table     3 columns [[name, not null]..]   4 primary [name..], [] without one
       5 uniques [[name..]..], the primary key may be among them; none that is partial or an expression
       6 keys [[number, name or null, column, schema, table, column there or null]..], a row per pair of
         columns, pairs of one number together
     No key of a partition or to a missing table. */
  const char *keys;
  /* Views, one row each: schema ('' where the search path finds it), name; no parameters. */
  const char *views;
  const struct weft_schema_part *schema; /* everything, see dialect_schema.h */
  /* What a row of catalog says about the column's type, and about its collation (result column 10;
     name: the column's). Never fail: WEFT_ANY and WEFT_COLLATE_UNKNOWN are always true. */
  void (*column_type)(const struct weft_catalog_type *t, struct weft_column_type *out);
  enum weft_collation (*collation)(struct weft_slice told, struct weft_slice name);
  const struct weft_semantics *semantics; /* what its operators answer in memory, see eval.h */
};

extern const struct weft_dialect weft_dialect_postgres;
extern const struct weft_dialect weft_dialect_sqlite;
extern const struct weft_dialect weft_dialect_mysql;

const struct weft_dialect *weft_dialect_find(const char *name); /* NULL when there is none */

void weft_dialect_identifier(const struct weft_dialect *d, struct weft_buf *out,
                             struct weft_slice name);

/* Raw SQL with ? marks becomes the dialect's placeholders; ?? becomes ?. Marks inside quotes,
   comments, dollar quotes are text. A text that uses the dialect's own placeholders ($1, ?1, :name)
   is passed as it is. WEFT_USAGE when marks and own placeholders are mixed. *count: the number of
   parameters that it takes. */
int weft_dialect_raw(const struct weft_dialect *d, struct weft_slice text, struct weft_buf *out,
                     uint32_t *count, struct weft_error *err);

/* What a raw statement is, by its first words: enough to route it. */
enum weft_statement_class {
  WEFT_S_READ,    /* select, values, show, explain without analyze, table; with ... that holds no write word */
  WEFT_S_WRITE,   /* everything else */
  WEFT_S_CONTROL, /* begin commit rollback savepoint set listen pragma-that-sets attach ...: refused outside session and script */
  WEFT_S_LOCAL,   /* set local, cursors: what ends with the transaction may stand in one, too */
  WEFT_S_EMPTY
};
enum weft_statement_class weft_dialect_classify(const struct weft_dialect *d,
                                                struct weft_slice text);

#pragma GCC visibility pop

#endif
