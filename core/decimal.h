/* SPDX-License-Identifier: MIT */
/* Exact decimal numbers: a 128-bit mantissa and a scale, up to 38 digits; what is longer stays text
   (WEFT_TEXT cells). value = (neg ? -1 : 1) * mantissa / 10^scale. The scale is kept: 1.10 prints
   "1.10" and equals 1.1. Special values (NaN, Infinity of PostgreSQL) stay text as well. */
#ifndef WEFT_DECIMAL_H
#define WEFT_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#pragma GCC visibility push(default)

enum { WEFT_DECIMAL_DIGITS = 38, WEFT_DECIMAL_TEXT = 80 };

struct weft_decimal {
  uint64_t lo, hi; /* mantissa < 10^38 */
  int16_t scale;   /* 0 .. 38 digits behind the point */
  bool neg;        /* never with a zero mantissa */
};

/* Digits with an optional sign, point and exponent; -1 when text is no number or has more than 38
   significant digits or a scale above 38. */
int weft_decimal_parse(struct weft_slice text, struct weft_decimal *out);
void weft_decimal_from_int(int64_t i, struct weft_decimal *out);
/* The shortest decimal that reads back as f; -1 for NaN and infinities or when it does not fit. */
int weft_decimal_from_float(double f, struct weft_decimal *out);
size_t weft_decimal_text(char out[WEFT_DECIMAL_TEXT], const struct weft_decimal *d);
double weft_decimal_to_float(const struct weft_decimal *d);
/* 0 and *out when d is a whole number within int64; -1 otherwise. */
int weft_decimal_to_int(const struct weft_decimal *d, int64_t *out);

int weft_decimal_compare(const struct weft_decimal *a, const struct weft_decimal *b);
/* Exact against doubles too (never through rounding). NaN sorts above all. */
int weft_decimal_compare_float(const struct weft_decimal *a, double f);
/* Equal values of different scale hash alike, and like the equal integer. */
uint64_t weft_decimal_hash(uint64_t seed, const struct weft_decimal *d);

/* Exact, or -1 when the result has more than 38 digits. */
int weft_decimal_add(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out);
int weft_decimal_sub(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out);
int weft_decimal_mul(const struct weft_decimal *a, const struct weft_decimal *b,
                     struct weft_decimal *out);
/* Half away from zero, as PostgreSQL rounds numeric. scale may grow (zeros are added): -1 when that
   passes 38 digits. *exact tells whether nothing was lost. */
int weft_decimal_round(const struct weft_decimal *d, int scale, struct weft_decimal *out,
                       bool *exact);

#pragma GCC visibility pop

#endif
