// SPDX-License-Identifier: Apache-2.0
#include "model/dataset.h"

#include <stdlib.h>
#include <string.h>

prf_status_t prf_dataset_init(prf_dataset_t *out, size_t count, size_t feature_count, prf_error_t *err)
{
    prf_dataset_t self = {.count = count, .feature_count = feature_count};
    size_t rows = count ? count : 1, width = feature_count ? feature_count : 1;
    if (rows <= SIZE_MAX / sizeof *self.table / width)
        self.table = calloc(rows * width, sizeof *self.table);
    self.log_latency = calloc(rows, sizeof *self.log_latency);
    self.work = calloc(rows, sizeof *self.work);
    if (!self.table || !self.log_latency || !self.work) {
        prf_dataset_release(&self);
        return prf_fail(err, PRF_ENOMEM, "%zu layers of %zu features", count, feature_count);
    }
    *out = self;
    return PRF_OK;
}

void prf_dataset_release(prf_dataset_t *self)
{
    if (!self)
        return;
    free(self->table);
    free(self->log_latency);
    free(self->work);
    *self = (prf_dataset_t){0};
}

prf_status_t prf_dataset_pick(prf_dataset_t *out, const prf_dataset_t *from, const uint32_t *rows, size_t count, prf_error_t *err)
{
    prf_status_t status = prf_dataset_init(out, count, from->feature_count, err);
    if (status)
        return status;
    size_t width = from->feature_count;
    for (size_t i = 0; i < count; i++) {
        memcpy(out->table + i * width, from->table + rows[i] * width, width * sizeof *out->table);
        out->log_latency[i] = from->log_latency[rows[i]];
        out->work[i] = from->work[rows[i]];
    }
    return PRF_OK;
}
