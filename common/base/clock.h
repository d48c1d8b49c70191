// SPDX-License-Identifier: Apache-2.0
/* clock.h - the two clocks. Only the monotonic one decides anything; the wall clock is for people to read. Any thread. */
#ifndef PRF_BASE_CLOCK_H
#define PRF_BASE_CLOCK_H

#include <stdint.h>

uint64_t prf_clock_mono_ns(void); /* since an arbitrary moment of this boot */
uint64_t prf_clock_mono_ms(void);
uint64_t prf_clock_wall_ms(void); /* since 1970, UTC */

#endif
