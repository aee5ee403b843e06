/* SPDX-License-Identifier: MIT */
/* When do keys of two columns mean the same? The columns may belong to different databases, be declared
   differently (integer and text, uuid and text, char(8) and varchar), or not at all (a Lua table's).
   Both sides are brought to one normal form, decided once per pair of columns; equal forms
   (weft_value_equal) are equal keys. Pure functions.

   The stronger declaration decides: a number on either side reads text as a number ("1", "01" and
   "1.0" are 1, " 1" is none), then a boolean, then a uuid (any case, dashes or not), then a time; text
   ignores what either side's collation or padding ignores. Where a side is not declared and the other
   says none of these, each value says for itself, and text that is an integer's plain form ("1",
   "-20") is that integer.

   Whatever the form, numbers are equal by value (a float is the decimal that it is written as), true
   is 1, text in the shape of a uuid is lower case, json is its text. A date is no point in time,
   bytes are no text, and a time without zone is UTC beside one with a zone. */
#ifndef WEFT_KEY_H
#define WEFT_KEY_H

#include "table.h"

#pragma GCC visibility push(default)

/* One side of a pair: a table's column, or nothing known (type WEFT_ANY, collation BINARY). */
struct weft_key_side {
  struct weft_column_type type;
  uint8_t collation; /* enum weft_collation */
};
struct weft_key_side weft_key_side(const struct weft_table_column *c); /* NULL: nothing known */

struct weft_key_form {
  uint8_t type; /* what text is read as: DECIMAL (any number), BOOL, UUID, a time; TEXT: nothing;
                   ANY: each value says for itself */
  bool fold;    /* ASCII case does not count (NOCASE on either side) */
  bool trim;    /* spaces at the end do not count (RTRIM, char(n)) */
};
void weft_key_form(const struct weft_key_side *a, const struct weft_key_side *b,
                   struct weft_key_form *out);

/* v's normal form, memory from arena where it needs any (v's own is borrowed otherwise). false: v
   equals nothing (NULL, NaN). A value that has no such form ("abc" beside an integer) keeps its own,
   which equals none of the other side's. An integer is its own normal form under every form. */
bool weft_key_normal(const struct weft_key_form *f, struct weft_arena *arena, struct weft_value v,
                     struct weft_value *out);

/* What to look for in a column to find the rows with the key v: the value as the column's type, distinct,
   and where the column holds text, or may, in each spelling that is written: a uuid in lower and upper
   case and as given, a number as given and as an integer's plain form, a time as Weft writes it. Memory
   from arena, v's own text is borrowed. Returns their number, 0 when no row of such a column can have
   that key. */
enum { WEFT_KEY_SPELLINGS = 3 };
uint32_t weft_key_spellings(const struct weft_key_side *column, struct weft_arena *arena,
                            struct weft_value v, struct weft_value out[WEFT_KEY_SPELLINGS]);

#pragma GCC visibility pop

#endif
