// SPDX-License-Identifier: Apache-2.0
/* engine_attempts.h - how attempts of a point are numbered. */
#ifndef PRF_ENGINE_ATTEMPTS_H
#define PRF_ENGINE_ATTEMPTS_H

/* Through all generations: those of one lie between two multiples of a number that no measurement of a point reaches (16 repeats of
 * 8 passes). Within a generation measurement by measurement, with room for the most passes in each. */
enum { PRF_GENERATION_ATTEMPTS = 128 };

#endif
