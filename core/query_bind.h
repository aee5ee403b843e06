/* SPDX-License-Identifier: MIT */
/* What binding the names of associations does to trees, once it is known what they stand for. Three forms
   wait for that: a SOME without association, a PATH said by a dotted name whose first part is no column, a
   JOIN without association. Pure functions; memory from the arena that is given. */
#ifndef WEFT_QUERY_BIND_H
#define WEFT_QUERY_BIND_H

#include "association.h"
#include "query.h"
#include "rows.h"

#pragma GCC visibility push(default)

/* Does e hold names that may be those of associations of t? */
bool weft_expr_unbound(const struct weft_table *t, const struct weft_expr *e);

/* e, which is of t's rows, with conditions on dotted names turned into conditions on columns that are joined
   by joins or a clause below it (NULL: none is), or else on rows of associations: open SOMEs without one. */
const struct weft_expr *weft_expr_undot(struct weft_arena *a, const struct weft_table *t,
                                        const struct weft_query *joins, const struct weft_expr *e);

/* "The row's key of hop is one of those in rows", whose columns are the key's, in order; in each spelling
   that the columns may hold. Two-valued, as "there is such a row" is: a NULL in the key makes it false.
   WEFT_UNSUPPORTED for more than WEFT_BIND_PAIRS composite keys. */
enum { WEFT_BIND_PAIRS = 1000 };
int weft_hop_among(struct weft_arena *a, const struct weft_association *hop,
                   const struct weft_rows *rows, const struct weft_expr **out,
                   struct weft_error *err);

/* Is something joined to q under that name? */
bool weft_query_joins(const struct weft_query *q, struct weft_slice name);
/* prev, whose reference is taken over, joined by hop as join says: under name, to what is joined as parent.
   Not ended: it may get an expr first. */
struct weft_query *weft_query_join_hop(struct weft_query *prev, const struct weft_query *join,
                                       struct weft_slice name, struct weft_slice parent,
                                       struct weft_association *hop);

#pragma GCC visibility pop

#endif
