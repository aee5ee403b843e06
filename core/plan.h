/* SPDX-License-Identifier: MIT */
/* What a query shape becomes for one database: SQL text, parameter slots, what drivers remember of it.
   Found by shape in a cache (least recently used, by bytes), so that a repeated shape builds no text
   and allocates nothing but its parameters. One thread at a time; reference-counted because a plan in
   flight outlives its place in the cache. */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include "dialect.h"
#include "list.h"
#include "map.h"
#include "rows.h"

#pragma GCC visibility push(default)

enum weft_plan_flags {
  WEFT_PLAN_READ = 1,      /* changes nothing: may run twice */
  WEFT_PLAN_RAW = 2,       /* the text came from the user */
  WEFT_PLAN_KEY = 4,       /* at most one row, by a whole unique key: short before anything is measured */
  WEFT_PLAN_LOCKS = 8,     /* select ... for update: only in a transaction */
  WEFT_PLAN_CONTROL = 16,  /* changes session or transaction state */
  WEFT_PLAN_SCRIPT = 32,   /* many statements, no parameters, results dropped */
  WEFT_PLAN_VOLATILE = 64, /* never prepared: too long or used once */
  WEFT_PLAN_NOROWS = 128,  /* a write without RETURNING */
  WEFT_PLAN_LOCAL = 512,   /* CONTROL whose work ends with the transaction */
  WEFT_PLAN_REPEAT = 256   /* an insert of many rows: the statement runs once per row, see weft_plan_runs */
};

enum { WEFT_PLAN_LONG = 65536 }; /* bytes of SQL text that are VOLATILE */

/* How a slot's value travels. */
enum weft_slot_form {
  WEFT_SLOT_VALUE,
  WEFT_SLOT_ARRAY,      /* a LIST of slot.type, NULLs allowed: one PostgreSQL array parameter */
  WEFT_SLOT_ARRAY_TEXT, /* a LIST whose elements are arrays: a text[] of their array literals */
  /* A LIST as one parameter; weft_slot_encode makes the value that is bound. Of SQLite: */
  WEFT_SLOT_JSON,       /* a JSON array */
  WEFT_SLOT_JSON_REAL,  /* the same, other numbers in parts that SQL puts together exactly */
  WEFT_SLOT_JOINED,     /* byte strings joined to one blob */
  WEFT_SLOT_SPANS,      /* a JSON array of [first, length] into it */
  /* And of MySQL: */
  WEFT_SLOT_JSON_TEXT   /* a JSON array, numbers in all their digits, times without zone, bytes in
                           hexadecimal */
};

/* The source of a slot that takes the number of inserted rows. */
#define WEFT_SOURCE_ROWS UINT32_MAX

struct weft_slot {
  uint32_t source;              /* which value of the query's walk, see weft_plan_bind */
  uint8_t form;                 /* enum weft_slot_form */
  struct weft_column_type type; /* of the value, or of a list's elements. WEFT_ANY: the server infers,
                                   sent as text (with its oid when that is known) */
  struct weft_slice column;     /* for messages */
};

struct weft_plan {
  int refs;
  uint32_t flags;
  uint64_t id;             /* unique in the process: names prepared statements */
  struct weft_slice text;  /* raw: as the user wrote it */
  uint64_t shape;
  struct weft_slice sql;   /* zero-terminated too */
  const struct weft_slot *slots;
  uint32_t nslots, nsources;
  struct weft_query *query; /* of this shape, owned; NULL for raw text */
  struct weft_table *table; /* owned; NULL for raw text */
  const struct weft_dialect *dialect;
  /* What drivers learn, valid for all connections of one database: */
  struct weft_columns *columns; /* of the result, shared by its row sets; NULL until known */
  void *driver_data;            /* freed by driver_free */
  void (*driver_free)(void *);
  int64_t estimate_ns;          /* running mean of its time at the database, 0: never run */
  uint32_t runs;
  struct weft_list lru;
  size_t bytes;
  struct weft_arena arena;
};

/* An empty plan, for those below that fill one, and what it takes once it is full. */
struct weft_plan *weft_plan_new(const struct weft_dialect *d, uint32_t flags);
size_t weft_plan_bytes(const struct weft_plan *p);

struct weft_plan *weft_plan_ref(struct weft_plan *p);
void weft_plan_unref(struct weft_plan *p);

/* Renders. WEFT_USAGE for what the clauses cannot mean together, WEFT_UNSUPPORTED for what the dialect
   cannot do. The result is owned. */
int weft_plan_render(const struct weft_dialect *d, struct weft_query *q, struct weft_plan **out,
                     struct weft_error *err);
/* A plan of raw text (already with the dialect's placeholders). */
struct weft_plan *weft_plan_raw(const struct weft_dialect *d, struct weft_slice sql,
                                uint32_t nparams, uint32_t flags);

/* How often the statement runs for q: 1, or with WEFT_PLAN_REPEAT the number of q's rows. The shape
   does not depend on the number of rows (beyond one or many). */
uint32_t weft_plan_runs(const struct weft_plan *p, const struct weft_query *q);

/* Fills params[nslots * weft_plan_runs] with q's values, converted to the columns' types; each run's
   parameters are consecutive. Memory from arena, none for scalars that need no conversion. q has the
   plan's shape. WEFT_TYPE names the column. Rows of a many-row insert name the same columns: a
   WEFT_ANY cell in one row only is WEFT_USAGE (the caller groups rows by their columns). */
int weft_plan_bind(const struct weft_plan *p, const struct weft_query *q, struct weft_arena *arena,
                   struct weft_value *params, struct weft_error *err);

/* Tells columns of a result of p how its table presents them (weft_column.as), once. */
void weft_plan_present(const struct weft_plan *p, struct weft_columns *columns);

/* What the query of a plan says of its result's columns, for databases whose results tell less than their
   catalog. Lives on the stack, and not longer than the plan. */
struct weft_shown {
  const struct weft_plan *plan;
  struct weft_parts parts;
  struct weft_arena arena;
  char scratch[512];
};
void weft_shown_init(struct weft_shown *s, const struct weft_plan *p);
void weft_shown_release(struct weft_shown *s);

/* The type of column i where it is an aggregate of a decimal column; false for anything else. A mean has
   more digits than its column: its scale is -1. */
bool weft_shown_aggregate(const struct weft_shown *s, uint32_t i, struct weft_column_type *out);
/* The type of column i where it is a column of the table, or what a JSON path finds; false for anything
   else. */
bool weft_shown_column(const struct weft_shown *s, uint32_t i, struct weft_slice name,
                       struct weft_column_type *out);

void weft_plan_measured(struct weft_plan *p, int64_t ns);

/* The one value to bind for a slot of the JSON, JOINED and SPANS forms: TEXT or BYTES in arena.
   WEFT_TYPE for what cannot travel exactly (a zero byte or invalid UTF-8 in a list's text, NaN, floats
   beyond about 1e-40 .. 1e53, bytes in a list for a column without a type). */
int weft_slot_encode(const struct weft_slot *slot, struct weft_value list, struct weft_arena *arena,
                     struct weft_value *out, struct weft_error *err);

/* The cache. */
struct weft_plans {
  const struct weft_dialect *dialect;
  struct weft_map shapes; /* shape -> newest plan of that shape hash */
  struct weft_map texts;  /* raw text as the user wrote it -> plan */
  struct weft_list lru;
  size_t bytes, limit;
  uint64_t hits, misses, evictions;
};

void weft_plans_init(struct weft_plans *c, const struct weft_dialect *d, size_t limit);
void weft_plans_release(struct weft_plans *c);
/* The plan of q's shape, rendered if it is not there. Borrowed until the next call on the cache; take a
   reference to keep it. */
int weft_plans_get(struct weft_plans *c, struct weft_query *q, struct weft_plan **out,
                   struct weft_error *err);
/* Likewise for raw text with n parameters; refuses control statements but for the allowed:
   WEFT_PLAN_CONTROL all, WEFT_PLAN_LOCAL those, 0 none. */
int weft_plans_raw(struct weft_plans *c, struct weft_slice text, uint32_t n, uint32_t allowed,
                   struct weft_plan **out, struct weft_error *err);
/* A plan of a text that takes no parameters, whatever marks are in it: an owned one, which is not kept. */
int weft_plans_verbatim(const struct weft_plans *c, struct weft_slice text, uint32_t allowed,
                        struct weft_plan **out, struct weft_error *err);
void weft_plans_clear(struct weft_plans *c); /* after a schema change */

#pragma GCC visibility pop

#endif
