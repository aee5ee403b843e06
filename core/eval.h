/* SPDX-License-Identifier: MIT */
/* A condition evaluated in memory, with SQL's three-valued logic and a fourth answer: cannot know (text
   order under a collation that is not implemented here, raw text, json as a whole, types that only the
   database can compare). Then the database must filter, and the cache must evict. */
#ifndef WEFT_EVAL_H
#define WEFT_EVAL_H

#include "dialect.h"
#include "semantics.h"

#pragma GCC visibility push(default)

/* row: one value per column of table, in its order, as the dialect's driver decodes it. The dialect's
   semantics (semantics.h) decide what differs (SQLite's type affinity and LIKE). Parameters are
   first converted to their column's type, as a plan binds them; where that fails, the query would,
   and nothing is known. Any thread. */
enum weft_truth weft_eval(const struct weft_dialect *d, const struct weft_table *table,
                          const struct weft_expr *e, const struct weft_value *row);

#pragma GCC visibility pop

#endif
