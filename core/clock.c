/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <sys/random.h>
#include <time.h>

#include "hash.h"

int64_t weft_clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t weft_clock_wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t weft_clock_random(void) {
  uint64_t r = 0;
  if (getrandom(&r, sizeof r, GRND_NONBLOCK) == (ssize_t)sizeof r) return r;
  return weft_hash_mix((uint64_t)weft_clock_ns(), (uint64_t)(uintptr_t)&r);
}
