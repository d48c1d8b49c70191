// SPDX-License-Identifier: Apache-2.0
/* estimate.c - a network's latency as the sum of its blocks', and of what lies between them. The bounds add up too: the model's
 * errors on the blocks of one network are alike in direction more often than not, so their squares must not be added instead. */
#include <math.h>
#include <stdlib.h>

#include "network/network.h"

static void sum_up(prf_network_estimate_t *self)
{
    self->covered = 0;
    self->total_ns = self->low_ns = self->high_ns = 0;
    for (size_t i = 0; i < self->block_count; i++) {
        const prf_estimate_t *e = &self->blocks[i];
        if (isnan(e->latency_ns))
            continue;
        self->covered++;
        self->total_ns += e->latency_ns;
        self->low_ns += e->low_ns;
        self->high_ns += e->high_ns;
    }
    self->between_ns = prf_model_between(self->model, self->covered);
    self->total_ns += self->between_ns;
    self->low_ns += self->between_ns;
    self->high_ns += self->between_ns;
}

prf_status_t prf_network_estimate(prf_network_estimate_t *out, const prf_model_t *model, const prf_network_t *network,
                                  prf_error_t *err)
{
    prf_network_estimate_t sum = {.model = model, .block_count = network->block_count};
    sum.blocks = calloc(network->block_count + 1, sizeof *sum.blocks);
    if (!sum.blocks)
        return prf_fail(err, PRF_ENOMEM, "estimates of %zu blocks", network->block_count);
    for (size_t i = 0; i < network->block_count; i++) {
        prf_estimate_t *e = &sum.blocks[i];
        if (network->blocks[i].repeats) {
            *e = sum.blocks[network->blocks[i].repeats - 1];
            continue;
        }
        prf_status_t status = prf_model_estimate(model, &network->blocks[i].block, NULL, e, err);
        if (status == PRF_EUNSUPPORTED) {
            *e = (prf_estimate_t){.latency_ns = NAN, .low_ns = NAN, .high_ns = NAN};
        } else if (status) {
            free(sum.blocks);
            return prf_fail_prefix(err, status, "%s: '%s'", network->name, network->blocks[i].name);
        }
    }
    sum_up(&sum);
    *out = sum;
    return PRF_OK;
}

void prf_network_estimate_replace(prf_network_estimate_t *self, size_t block, double latency_ns)
{
    self->blocks[block] = (prf_estimate_t){.latency_ns = latency_ns, .low_ns = latency_ns, .high_ns = latency_ns};
    sum_up(self);
}

void prf_network_estimate_release(prf_network_estimate_t *self)
{
    if (!self)
        return;
    free(self->blocks);
    *self = (prf_network_estimate_t){0};
}
