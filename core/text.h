/* SPDX-License-Identifier: MIT */
/* Numbers and UTF-8 as text, whatever the locale says. Pure functions. */
#ifndef WEFT_TEXT_H
#define WEFT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#pragma GCC visibility push(default)

/* Floats as the shortest text that reads back equal, with a point or an exponent (3.0, 1e+300);
   "inf" "-inf" "nan" otherwise. Returns the length; there is no zero byte. */
size_t weft_float_text(char out[40], double f);

/* The value of the shortest decimal that is this float of four bytes: 3.14, not 3.1400001049041748. */
double weft_float_of_single(float f);

/* Whole text is one number; -1 otherwise, or when it does not fit. Floats are the nearest. */
int weft_int_parse(struct weft_slice text, int64_t *out);
int weft_float_parse(struct weft_slice text, double *out);

bool weft_utf8_valid(const char *p, size_t n); /* false on surrogates and overlong forms, too */
/* Bytes of the valid sequence that text begins with, 1 to 4; 0 when there is none. */
size_t weft_utf8_sequence(const char *text, size_t n);

/* Base64 with padding (RFC 4648). Text: writes weft_base64_size(n) characters, no zero byte. Parse: out has room for
   text.n bytes; their number, or -1 when the text is none. */
static inline size_t weft_base64_size(size_t n) { return (n + 2) / 3 * 4; }
size_t weft_base64_text(char *out, const char *bytes, size_t n);
int64_t weft_base64_parse(struct weft_slice text, char *out);

#pragma GCC visibility pop

#endif
