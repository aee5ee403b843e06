/* SPDX-License-Identifier: MIT */
/* JSON text out (RFC 8259), and in by json_read.h: integers, decimals, null, empty arrays and objects
   come back as they went. */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include "json_read.h"
#include "rows.h"

#pragma GCC visibility push(default)

/* Strings that are not UTF-8 are written with U+FFFD for each wrong byte. */
void weft_json_string(struct weft_buf *out, struct weft_slice s);
/* One cell as JSON: decimals as numbers, json as its text, bytes as base64, times as strings, NaN and
   infinities as null, NULL as null. */
void weft_json_value(struct weft_buf *out, struct weft_value v);
/* {"a":1,...} of one row, columns in order, and the array of all rows. The presentation that columns
   ask for (as) is followed. */
void weft_json_row(struct weft_buf *out, const struct weft_rows *rows, uint32_t i);
void weft_json_rows(struct weft_buf *out, const struct weft_rows *rows);

/* For those who write more behind the columns. A name with what stands around it ({"a": or ,"b":), as
   the place where it was first written; zero: not yet. So it is escaped once. */
struct weft_json_name {
  size_t at, n;
};
enum { WEFT_JSON_NAMES = 64 }; /* columns of a row set whose names are remembered */
/* first: the object begins with it. */
void weft_json_name(struct weft_buf *out, struct weft_slice name, bool first,
                    struct weft_json_name *known);
/* One row without its closing brace. known: one per column of the row set, WEFT_JSON_NAMES at most,
   all zero before its first row. */
void weft_json_columns(struct weft_buf *out, const struct weft_rows *rows, uint32_t i,
                       struct weft_json_name *known);

#pragma GCC visibility pop

#endif
