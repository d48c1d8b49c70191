// SPDX-License-Identifier: Apache-2.0
/* record.h - a measured result as the store keeps it, and its bytes (proto/record.proto). Pure; any thread. */
#ifndef PRF_WIRE_RECORD_H
#define PRF_WIRE_RECORD_H

#include "wire/wire.h"

typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    bool duplicate;       /* came with an old lease; never used for training */
    prf_status_t outcome; /* PRF_OK, or why the point could not be measured */
    char error[PRF_ERROR_TEXT];
    char board[PRF_NAME];
    prf_sample_t sample; /* holds when the outcome is PRF_OK; its ci_percent is kept as a float */
} prf_record_t;

enum { PRF_RECORD_BYTES = 512 }; /* a record at most */

/* Returns the length. */
size_t prf_record_encode(const prf_record_t *record, uint8_t bytes[PRF_RECORD_BYTES]);
/* On failure *out is untouched. Errors: PRF_ECORRUPT, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_record_decode(prf_record_t *out, const void *bytes, size_t len, prf_error_t *err);

#endif
