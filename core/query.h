/* SPDX-License-Identifier: MIT */
/* A query is an immutable list of clauses, newest first; a step adds one clause and shares the rest.
   Its shape, the hash of everything but parameter values, grows with each clause. Reference-counted;
   handed between threads only as a whole.

   The kind of statement is a clause too (the verb, always last): the default is a select of rows. */
#ifndef WEFT_QUERY_H
#define WEFT_QUERY_H

#include "expr.h"

#pragma GCC visibility push(default)

enum weft_clause {
  WEFT_C_FROM, /* the root: table */
  WEFT_C_WHERE,
  WEFT_C_SELECT,
  WEFT_C_ORDER,
  WEFT_C_LIMIT,
  WEFT_C_OFFSET,
  WEFT_C_DISTINCT,
  WEFT_C_GROUP,
  WEFT_C_HAVING,
  WEFT_C_JOIN,   /* name: how its columns are qualified ("variants", "variants.images"); on[0]: qualifier of
                    the side that it is joined to, empty or none: the query's table; association; number:
                    1 keeps rows without a match (left join) */
  WEFT_C_PER,    /* items: columns that part the rows; LIMIT and OFFSET hold for each part by itself */
  WEFT_C_DELETED, /* rows that a model counts as deleted (table->soft): number is an enum weft_deleted */
  WEFT_C_LOCK,   /* name: "update" "share" "update skip locked" ... checked against a fixed list */
  WEFT_C_NOTE,   /* an option that does not change the SQL: cache, batch (number: enum weft_note) */
  /* verbs */
  WEFT_C_COUNT,  /* select count: honours limit, offset, distinct, group */
  WEFT_C_AGGREGATE, /* items[0]: one aggregate over the rows */
  WEFT_C_EXISTS,
  WEFT_C_INSERT, /* items: columns; values: nrows * nitems; returning everything unless quiet */
  WEFT_C_UPSERT, /* the same; on: conflict columns; updates: assignments, or every inserted column */
  WEFT_C_UPDATE, /* items: name = expr; on: columns of the changed rows that come back, none: their number */
  WEFT_C_DELETE
};

enum weft_order_flags {
  WEFT_ORDER_DESC = 1,
  WEFT_NULLS_FIRST = 2,
  WEFT_NULLS_LAST = 4
};

enum weft_note {
  WEFT_NOTE_BATCH_OFF = 1,
  WEFT_NOTE_STRICT = 2,  /* nothing is loaded on touch */
  WEFT_NOTE_KEYED = 4,   /* included levels are asked for by keys, one after the other */
  WEFT_NOTE_TOGETHER = 8 /* or all in one round trip, where the database can */
};

enum weft_deleted { WEFT_DELETED_WITHOUT, WEFT_DELETED_WITH, WEFT_DELETED_ONLY };

/* What a clause's expressions point at, one reference each. */
struct weft_held {
  struct weft_held *next;
  struct weft_association *association;
  struct weft_query *query;
};

/* One selected column, one order, one assignment. */
struct weft_item {
  struct weft_slice name;       /* alias or assigned column; empty: the expression's own name */
  const struct weft_expr *expr; /* INSERT: of the only row; NULL, the cell comes from values */
  uint32_t flags;               /* enum weft_order_flags */
};

struct weft_query {
  int refs; /* atomic */
  uint8_t clause;
  bool all;          /* UPDATE, DELETE: { all = true } was said. ORDER: replaces those before it. JOIN: its rows lead to
                        those of the next one, no more */
  bool quiet;        /* INSERT: nothing is returned but the count */
  bool conditioned;  /* some WHERE is below */
  bool loose;        /* here or below a name waits to be looked up (WEFT_E_SOME without association, a path
                        whose column the table may not have): weft_query_map comes before rendering */
  uint32_t nitems, nrows, non, depth;
  uint64_t shape;
  struct weft_query *prev;      /* owned reference; NULL at the root */
  struct weft_table *table;     /* owned by the root, borrowed above */
  const struct weft_expr *expr; /* WHERE, HAVING. JOIN: what must hold beside the keys, over the association's table */
  const struct weft_item *items;
  const struct weft_value *values; /* INSERT; a WEFT_ANY cell means the column's default */
  const struct weft_slice *on;
  const struct weft_item *updates;
  uint32_t nupdates;
  int64_t number;               /* LIMIT, OFFSET, NOTE */
  uint32_t source;              /* of a plan's own query: place of OFFSET or of the first cell in the walk */
  struct weft_slice name;       /* LOCK, JOIN */
  struct weft_association *association; /* JOIN; borrowed from held */
  struct weft_held *held;       /* references of this clause, in arena */
  struct weft_arena arena;      /* what the clause points at */
};

struct weft_query *weft_query_from(struct weft_table *table); /* takes a reference */
struct weft_query *weft_query_ref(struct weft_query *q);
void weft_query_unref(struct weft_query *q); /* iterative: chains may be long */

/* A step in two halves, so that a caller builds expressions straight into the clause's own arena:
     struct weft_query *c = weft_query_begin(prev, WEFT_C_WHERE);   takes a reference on prev
     c->expr = weft_expr_...(&c->arena, ...);
     q = weft_query_end(c);                                          computes the shape; or weft_query_unref(c)
   weft_query_end checks nothing; weft_query_check does. */
struct weft_query *weft_query_begin(struct weft_query *prev, enum weft_clause clause);
struct weft_query *weft_query_end(struct weft_query *c);
/* Takes the references that the tree e in clause c needs, and marks c loose when e is; before
   weft_query_end. For trees without WEFT_E_SOME and WEFT_E_QUERY it need not be called. */
void weft_query_hold(struct weft_query *c, const struct weft_expr *e);
/* The reference of c->association, taken. */
void weft_query_hold_join(struct weft_query *c, struct weft_association *a);

/* q on table with every expression e of its clauses replaced by what map makes of it (memory from
   clause->arena; e itself is fine: it is copied). NOT loose afterwards unless map left it so. -1 when map
   fails. *out is owned. */
typedef int weft_expr_map(void *ud, struct weft_query *clause, const struct weft_expr *e,
                          const struct weft_expr **out, struct weft_error *err);
/* What becomes of a JOIN that has no association: prev (whose reference is taken over) with the clauses in its
   place; NULL when it fails. */
typedef struct weft_query *weft_join_map(void *ud, struct weft_query *prev,
                                         const struct weft_query *join, struct weft_error *err);
int weft_query_map(const struct weft_query *q, struct weft_table *table, weft_expr_map *map,
                   weft_join_map *join, void *ud, struct weft_query **out, struct weft_error *err);

/* Fails with WEFT_USAGE (nearest valid name) when the newest clause names a column that the known
   table lacks; passes when the table is not known yet. weft_query_check_all walks every clause. */
int weft_query_check(const struct weft_query *q, struct weft_error *err);
int weft_query_check_all(const struct weft_query *q, struct weft_error *err);

/* The same clauses on another version of the table (schema just discovered or changed). */
struct weft_query *weft_query_rebase(const struct weft_query *q, struct weft_table *table);

bool weft_query_same_shape(const struct weft_query *a, const struct weft_query *b);

/* The clauses gathered for whoever renders, evaluates or compiles. Conditions of several WHEREs are
   ANDed, with what DELETED says of a table that marks deleted rows; the last LIMIT, OFFSET, SELECT,
   PER, DELETED, LOCK wins; ORDERs add up (a SELECT of aggregates too). */
struct weft_parts {
  const struct weft_table *table;
  const struct weft_query *verb; /* the verb clause, NULL: rows */
  const struct weft_expr *where, *having; /* NULL: none */
  const struct weft_item *select, *order, *group;
  uint32_t nselect, norder, ngroup;
  int64_t limit, offset; /* -1: none */
  bool distinct;
  struct weft_slice lock;
  const struct weft_query *const *joins; /* their clauses, in order, each name once */
  uint32_t njoins;
  const struct weft_item *per;
  uint32_t nper;
  uint32_t deleted;        /* enum weft_deleted */
  uint32_t notes;
  uint32_t offset_source; /* the OFFSET clause's source */
};
void weft_query_parts(const struct weft_query *q, struct weft_arena *arena, struct weft_parts *out);

/* What q says of its table's rows, beside what it says of deleted ones, as one condition; its nodes are q's.
   Order, limit and what is selected do not count. WEFT_UNSUPPORTED when q says more: joins, groups, DELETED. */
int weft_query_condition(const struct weft_query *q, struct weft_arena *arena,
                         const struct weft_expr **out, struct weft_error *err);

/* The join of this name by number; njoins: there is none. */
uint32_t weft_parts_join(const struct weft_parts *p, struct weft_slice name);
/* The column that e names, of the query's own table or of a joined one. NULL: it is not known, or e is no
   column. */
const struct weft_table_column *weft_parts_column(const struct weft_parts *p,
                                                  const struct weft_expr *e);

/* What a selected item is called: its alias, its column, the last text step of its path, its aggregate.
   Empty for raw text, which the database names. */
struct weft_slice weft_item_name(const struct weft_item *item);

/* The verb clause, or NULL: the newest clause that is no NOTE. */
const struct weft_query *weft_query_verb(const struct weft_query *q);

/* Every parameter value of q, in the one order that plans number them by ("sources"): clauses from
   the root to the newest; in a clause its condition, then its items' expressions, then the first
   row's cells that are not WEFT_ANY, then its updates; inside an expression depth first, kids in
   order, at a QUERY the walk of that query. An OFFSET is one value. e is the node that holds it (NULL
   for OFFSET and cells), c its clause. */
typedef void weft_query_visit(void *ud, const struct weft_query *c, const struct weft_expr *e,
                              struct weft_value v);
void weft_query_walk(const struct weft_query *q, weft_query_visit *visit, void *ud);

/* q without what its parameters hold: same shape, same walk. Clauses up to the first that holds a
   value are shared with q. Sources are numbered; *nsources is their number. Owned. */
struct weft_query *weft_query_skeleton(const struct weft_query *q, uint32_t *nsources);

/* The condition of a keyset page: rows that come after values[0 .. n-1] (one per order item, NULL
   allowed) in that order. nulls_large: the dialect's default place of NULL, used by items that do not
   say. The order must end in a unique key, else ties are lost. WEFT_USAGE for an order by a path. */
int weft_query_after(struct weft_arena *a, const struct weft_table *table, bool nulls_large,
                     const struct weft_item *order, uint32_t n, const struct weft_value *values,
                     const struct weft_expr **out, struct weft_error *err);

#pragma GCC visibility pop

#endif
