/* SPDX-License-Identifier: MIT */
/* 64-bit mixing (the folded multiply of wyhash and rapidhash). Not keyed against an attacker:
   whoever keys a table by outside data compares the keys as well. */
#ifndef WEFT_HASH_H
#define WEFT_HASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t weft_hash_mix(uint64_t a, uint64_t b) {
  unsigned __int128 m = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);
  return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t weft_hash_bytes(uint64_t seed, const void *data, size_t n) {
  const unsigned char *p = data;
  uint64_t h = weft_hash_mix(seed, n), w;
  for (; n >= 8; p += 8, n -= 8) {
    memcpy(&w, p, 8);
    h = weft_hash_mix(h, w);
  }
  for (w = 0; n > 0; n--) w = w << 8 | p[n - 1];
  return weft_hash_mix(h, w);
}

/* Whole numbers hash as their integer whatever their type, others as the nearest double: a decimal
   that equals a double hashes alike. */
static inline uint64_t weft_hash_number(uint64_t seed, double f) {
  if (f >= -9223372036854775808.0 && f < 9223372036854775808.0 && f == (double)(int64_t)f)
    return weft_hash_mix(seed, (uint64_t)(int64_t)f);
  uint64_t bits = 0x7ff8000000000000u; /* one NaN for all */
  if (f == f) memcpy(&bits, &f, sizeof bits);
  return weft_hash_mix(seed ^ 0x7ff8, bits);
}

#endif
