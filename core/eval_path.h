/* SPDX-License-Identifier: MIT */
/* What a json path finds in a cell, in memory: the databases' path operators where they agree with
   the plain reading of RFC 8259. */
#ifndef WEFT_EVAL_PATH_H
#define WEFT_EVAL_PATH_H

#include "dialect.h"

#pragma GCC visibility push(default)

/* e: a PATH; cell: of its column, not NULL. *out is what stands there in the form as, NULL for
   nothing, for JSON null and for another type; memory from arena. WEFT_PATH_BARE: only whether it
   is NULL counts. *digits: a number that the database reads from its digits. False when it cannot
   be known. */
bool weft_eval_path(const struct weft_dialect *d, const struct weft_expr *e, struct weft_value cell,
                    enum weft_path_as as, struct weft_arena *arena, struct weft_value *out,
                    bool *digits);

#pragma GCC visibility pop

#endif
