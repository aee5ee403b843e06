/* SPDX-License-Identifier: MIT */
/* JSON text in, exact: 64-bit integers stay integers, longer or fractional numbers keep their digits.
   RFC 8259; the reader refuses what it does not allow (NaN, trailing commas, lone surrogates, text after
   the value), nesting deeper than 200 and invalid UTF-8, and says where. */
#ifndef WEFT_JSON_READ_H
#define WEFT_JSON_READ_H

#include "value.h"

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

/* Where the run of characters that need no escape ends. */
const char *weft_json_plain(const char *p, const char *end);
/* Whole text is one JSON value. */
bool weft_json_valid(struct weft_slice text);

#pragma GCC visibility pop

#endif
