// SPDX-License-Identifier: Apache-2.0
/* failure.h - the ways in which measuring can fail, as people tell them apart. Pure. */
#ifndef PRF_FAILURE_H
#define PRF_FAILURE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

typedef enum {
    PRF_FAILURE_CRASH = 0,   /* the backend's process died */
    PRF_FAILURE_HANG,        /* it did not finish in time and was killed */
    PRF_FAILURE_IMPLAUSIBLE, /* it told a latency that cannot be, or that no second measurement confirmed */
    PRF_FAILURE_UNSUPPORTED, /* the board cannot run that layer */
    PRF_FAILURE_OTHER,
    PRF_FAILURES
} prf_failure_t;

prf_failure_t prf_failure_of(prf_status_t outcome);
const char *prf_failure_name(prf_failure_t failure); /* "crash" */
/* {"crash": 1, "hang": 0, ...}. New reference. */
json_t *prf_failure_counts(const uint64_t counts[PRF_FAILURES]);
uint64_t prf_failure_sum(const uint64_t counts[PRF_FAILURES]);

#endif
