// SPDX-License-Identifier: Apache-2.0
/* cold.h - puts the caches into the state in which a layer in the middle of a network finds them: full of other data. Not
 * shared between threads. */
#ifndef PRF_MEASURE_COLD_H
#define PRF_MEASURE_COLD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct {
    unsigned char *bytes; /* owned; NULL: nothing to stream */
    size_t size;
} prf_cold_t;

/* Data to stream over. Where the board can flush its weights, 4 MB, which takes the place of what the first caches hold; else
 * max(40 MB, weight_bytes), at most 256 MB, which pushes the weights out of the last one too. *cold is untouched on failure.
 * Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_cold_init(prf_cold_t *cold, bool flushes, size_t weight_bytes, prf_error_t *err);
void prf_cold_release(prf_cold_t *cold);
/* Reads all of it, a cache line at a time. */
void prf_cold_stream(const prf_cold_t *cold);

#endif
