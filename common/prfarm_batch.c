// SPDX-License-Identifier: Apache-2.0
/* prfarm_batch.c - many layers at once: parsed ones, and rows of a matrix. They are looked at CHUNK at a time, on the stack, so
 * that nothing is allocated however many there are. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "prfarm_inside.h"

enum { CHUNK = 96 };

static size_t estimate(const prfarm_model *model, const prf_block_t blocks[], size_t count, const prfarm_estimates *out,
                       size_t begin)
{
    const prf_block_t *asked[CHUNK];
    prf_estimate_t answers[CHUNK];
    size_t covered = 0;
    for (size_t i = 0; i < count; i++)
        asked[i] = &blocks[i];
    prf_model_estimate_many(model->model, asked, count, answers);
    for (size_t i = 0; i < count; i++) {
        covered += isnan(answers[i].latency_ns) ? 0 : 1;
        prfarm_put_estimate(out, begin + i, &answers[i]);
    }
    return covered;
}

size_t prfarm_estimate_layers(const prfarm_model *model, const prfarm_layer layers[], size_t count, const prfarm_estimates *out)
{
    prf_block_t blocks[CHUNK];
    size_t covered = 0;
    for (size_t begin = 0, n; begin < count; begin += n) {
        n = count - begin < CHUNK ? count - begin : CHUNK;
        for (size_t i = 0; i < n; i++)
            memcpy(&blocks[i], layers[begin + i].opaque.bytes, sizeof blocks[i]);
        covered += estimate(model, blocks, n, out, begin);
    }
    return covered;
}

/* Columns as parameters of the pattern's leading layer. */
typedef struct {
    prf_block_t pattern;
    prf_param_t params[PRF_PARAMS];
    const prfarm_matrix *matrix; /* borrowed */
} rows_t;

static prf_status_t rows_init(rows_t *self, const char *pattern, const prfarm_matrix *matrix, prf_error_t *err)
{
    self->matrix = matrix;
    prf_status_t status = prf_block_parse_pattern(&self->pattern, pattern, err);
    if (status)
        return status;
    prf_layer_t *lead = &self->pattern.layers[0];
    if (matrix->columns > PRF_PARAMS)
        return prf_fail(err, PRF_EINVAL, "%zu columns: a layer has at most %d parameters", matrix->columns, PRF_PARAMS);
    for (size_t j = 0; j < matrix->columns; j++) {
        status = prf_param_parse(lead->kind, matrix->names[j], &self->params[j], err);
        if (status)
            return prf_fail_prefix(err, status, "column %zu", j);
        if (lead->p[self->params[j]] != PRF_UNSET)
            return prf_fail(err, PRF_EINVAL, "column %zu, '%s', is in the pattern or in another column, too: leave one out", j,
                            matrix->names[j]);
        lead->p[self->params[j]] = 0; /* taken; every row has its own */
    }
    return PRF_OK;
}

static prf_status_t rows_get(const rows_t *self, size_t row, prf_block_t *out, prf_error_t *err)
{
    const prfarm_matrix *m = self->matrix;
    prf_block_copy(out, &self->pattern);
    for (size_t j = 0; j < m->columns; j++) {
        int64_t value = m->values[(ptrdiff_t)row * m->row_stride + (ptrdiff_t)j * m->column_stride];
        if (value <= INT32_MIN || value > INT32_MAX)
            return prf_fail(err, PRF_EINVAL, "row %zu: %s = %lld: no layer is that large: use smaller numbers", row, m->names[j],
                            (long long)value);
        out->layers[0].p[self->params[j]] = (int32_t)value;
    }
    prf_status_t status = prf_block_complete(out, err);
    return status ? prf_fail_prefix(err, status, "row %zu", row) : PRF_OK;
}

int prfarm_estimate_matrix(const prfarm_model *model, const char *pattern, const prfarm_matrix *matrix, const prfarm_estimates *out,
                           size_t *covered, char *error)
{
    prf_error_t err = {0};
    prf_block_t blocks[CHUNK];
    rows_t rows;
    size_t sum = 0;
    prf_status_t status = rows_init(&rows, pattern, matrix, &err);
    for (size_t begin = 0, n; !status && begin < matrix->rows; begin += n) {
        n = matrix->rows - begin < CHUNK ? matrix->rows - begin : CHUNK;
        for (size_t i = 0; i < n && !status; i++)
            status = rows_get(&rows, begin + i, &blocks[i], &err);
        if (!status)
            sum += estimate(model, blocks, n, out, begin);
    }
    if (!status && covered)
        *covered = sum;
    return prfarm_outcome(status, &err, error);
}

int prfarm_macs_matrix(const char *pattern, const prfarm_matrix *matrix, double macs[], char *error)
{
    prf_error_t err = {0};
    prf_block_t block;
    rows_t rows;
    prf_status_t status = rows_init(&rows, pattern, matrix, &err);
    for (size_t i = 0; !status && i < matrix->rows; i++) {
        status = rows_get(&rows, i, &block, &err);
        if (!status)
            macs[i] = prf_block_macs(&block);
    }
    return prfarm_outcome(status, &err, error);
}
