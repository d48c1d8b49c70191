// SPDX-License-Identifier: Apache-2.0
/* recorded.h - measured layers from a CSV file and a spec (YAML) that says what its columns mean: the input of `prfarm train`.
 * docs/model-file.md describes the spec. Reads files, otherwise pure; one thread at a time.
 * Every error is `file:line: what is wrong and what would be right`, the file being the one that has to be changed. */
#ifndef PRF_RECORDED_H
#define PRF_RECORDED_H

#include "model/train.h"

enum { PRF_RECORDED_SPEC_BYTES = 64 << 10, PRF_RECORDED_WHERE = 16, PRF_RECORDED_ROWS = 50000000, PRF_RECORDED_LAYERS = 20000000 };

typedef struct prf_recorded_spec prf_recorded_spec_t;

/* Errors: PRF_ENOTFOUND, PRF_EPARSE, PRF_EINVAL, PRF_ENOMEM. On success the caller owns *out. */
PRF_CHECKED prf_status_t prf_recorded_spec_load(prf_recorded_spec_t **out, const char *path, prf_error_t *err);
void prf_recorded_spec_destroy(prf_recorded_spec_t **self); /* NULL-safe */

/* The layers that the spec picks, split and ready for prf_model_train. */
typedef struct {
    uint64_t rows;                   /* in the file */
    uint64_t duplicates;             /* rows whose layer had come before: the first one is kept */
    prf_observation_t *observations; /* owned: the training part, then the rest of it (over budget), then the test part */
    size_t train_count, spare_count, test_count;
    prf_train_layer_t layer; /* points into observations; no steps */
    char board[PRF_NAME];
    size_t extra_count;
    char extras[PRF_MODEL_EXTRAS][PRF_NAME];
    uint64_t seed;
} prf_recorded_t;

/* Errors: those of the CSV reader, PRF_EINVAL (a layer that cannot be, a latency not above zero, too few layers left). */
PRF_CHECKED prf_status_t prf_recorded_load(prf_recorded_t *out, const prf_recorded_spec_t *spec, const char *path,
                                           prf_error_t *err);
void prf_recorded_release(prf_recorded_t *self); /* NULL-safe */
/* The input of a training on the training part. `names` is room for the extra columns' names and outlives it. */
prf_train_input_t prf_recorded_input(const prf_recorded_t *self, const char *names[PRF_MODEL_EXTRAS]);

#endif
