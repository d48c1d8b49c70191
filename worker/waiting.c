// SPDX-License-Identifier: Apache-2.0
#include "waiting.h"

#include <stdlib.h>
#include <string.h>

bool prf_waiting_push(prf_waiting_t *self, prf_job_t *job)
{
    if (self->count == PRF_WAITING_CAP)
        return false;
    self->jobs[self->count++] = *job;
    job->blocks = NULL;
    job->block_count = job->edge_count = 0;
    return true;
}

bool prf_waiting_take(prf_waiting_t *self, prf_job_t *out)
{
    if (self->count == 0)
        return false;
    *out = self->jobs[0];
    memmove(self->jobs, self->jobs + 1, --self->count * sizeof *self->jobs);
    return true;
}

static bool listed(uint64_t id, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

bool prf_waiting_has(const prf_waiting_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->jobs[i].id == id)
            return true;
    return false;
}

/* Keeps what is neither listed nor of an epoch up to `last_epoch` (0: all epochs are kept). */
static size_t keep(prf_waiting_t *self, const uint64_t *ids, size_t count, uint64_t last_epoch)
{
    size_t kept = 0, before = self->count;
    for (size_t i = 0; i < before; i++) {
        if ((last_epoch > 0 && self->jobs[i].epoch <= last_epoch) || listed(self->jobs[i].id, ids, count))
            free(self->jobs[i].blocks);
        else
            self->jobs[kept++] = self->jobs[i];
    }
    self->count = kept;
    return before - kept;
}

size_t prf_waiting_drop(prf_waiting_t *self, const uint64_t *ids, size_t count)
{
    return keep(self, ids, count, 0);
}

size_t prf_waiting_drop_until(prf_waiting_t *self, uint64_t last_epoch)
{
    return keep(self, NULL, 0, last_epoch);
}

size_t prf_waiting_clear(prf_waiting_t *self)
{
    return keep(self, NULL, 0, UINT64_MAX);
}
