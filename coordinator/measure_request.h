// SPDX-License-Identifier: Apache-2.0
/* measure_request.h - what a client's `measure` asks for (docs/protocol.md), checked whole before any of it is planned. Pure. */
#ifndef PRF_MEASURE_REQUEST_H
#define PRF_MEASURE_REQUEST_H

#include <jansson.h>

#include "wire/wire.h"

enum { PRF_REQUEST_ITEMS = 4096 /* points in a request at most */ };

typedef struct {
    const char *kind; /* of board; borrowed from the JSON */
    prf_job_t *jobs;  /* owned; their blocks and protocol are set */
    size_t count;     /* 1 .. PRF_REQUEST_ITEMS */
} prf_measure_request_t;

/* On failure *out is untouched. Errors: PRF_EINVAL, PRF_EPARSE, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_measure_request_parse(prf_measure_request_t *out, const json_t *args, prf_error_t *err);
void prf_measure_request_release(prf_measure_request_t *self);

#endif
