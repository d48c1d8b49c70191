// SPDX-License-Identifier: Apache-2.0
/* diff_document.h - all that `prfarm diff` finds, as docs/manual/json.md has it. Main thread only. */
#ifndef PRF_CLI_DIFF_DOCUMENT_H
#define PRF_CLI_DIFF_DOCUMENT_H

#include "base/options.h"
#include "model_file.h"

/* Everything borrowed. */
typedef struct {
    const prf_model_file_t *a, *b;
    const prf_words_t *networks; /* files */
    size_t layers;               /* to compare of each kind */
    uint64_t seed;
    double limit; /* percent; NaN: none */
} prf_diff_request_t;

/* A new reference. Errors: those of prf_network_load, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_diff_document(const prf_diff_request_t *request, json_t **out, prf_error_t *err);

#endif
