/* SPDX-License-Identifier: MIT */
/* JSON text in and out, exact: 64-bit integers stay integers, longer or fractional numbers keep
   their digits (decimals), null stays null, empty arrays and objects differ. RFC 8259; the reader
   refuses what it does not allow (NaN, trailing commas, lone surrogates, duplicate text after the
   value), nesting deeper than 200 and invalid UTF-8, and says where. */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include "rows.h"

#pragma GCC visibility push(default)

enum weft_json_event {
  WEFT_JSON_END, /* of the whole text */
  WEFT_JSON_NULL,
  WEFT_JSON_BOOL,    /* value: BOOL */
  WEFT_JSON_NUMBER,  /* value: INT when it has no point or exponent and fits; otherwise text holds its digits */
  WEFT_JSON_STRING,  /* text, unescaped; valid until the next call */
  WEFT_JSON_KEY,     /* text, likewise */
  WEFT_JSON_ARRAY_BEGIN,
  WEFT_JSON_ARRAY_END,
  WEFT_JSON_OBJECT_BEGIN,
  WEFT_JSON_OBJECT_END
};

/* A pull reader: no callbacks, no tree; the consumer builds what it likes. */
struct weft_json_reader {
  const char *start, *at, *end;
  struct weft_buf scratch; /* unescaped strings */
  uint8_t stack[200];      /* '[' or '{' */
  int depth, state;
  struct weft_value value;
  struct weft_slice text;
};

void weft_json_reader_init(struct weft_json_reader *r, struct weft_slice text);
void weft_json_reader_release(struct weft_json_reader *r);
/* The next event, or -1 with WEFT_TYPE and the offset in the message. */
int weft_json_read(struct weft_json_reader *r, struct weft_error *err);

/* Whole text is one JSON value. */
bool weft_json_valid(struct weft_slice text);

/* Writing. Strings that are not UTF-8 are written with U+FFFD for each wrong byte. */
void weft_json_string(struct weft_buf *out, struct weft_slice s);
/* One cell as JSON: decimals as numbers, json as its text, bytes as base64, times as strings, NaN and
   infinities as null, NULL as null. */
void weft_json_value(struct weft_buf *out, struct weft_value v);
/* {"a":1,...} of one row, columns in order, and the array of all rows. The presentation that columns
   ask for (as) is followed. */
void weft_json_row(struct weft_buf *out, const struct weft_rows *rows, uint32_t i);
void weft_json_rows(struct weft_buf *out, const struct weft_rows *rows);

#pragma GCC visibility pop

#endif
