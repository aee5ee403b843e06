/* SPDX-License-Identifier: MIT */
/* The only place that asks the machine for the time; everything else takes it as an argument. */
#ifndef WEFT_CLOCK_H
#define WEFT_CLOCK_H

#include <stdint.h>

#pragma GCC visibility push(default)

int64_t weft_clock_ns(void);      /* monotonic, nanoseconds */
int64_t weft_clock_wall_us(void); /* microseconds since 1970-01-01 UTC */
uint64_t weft_clock_random(void); /* seeds jitter and hash tables; not for secrets */

#pragma GCC visibility pop

#endif
