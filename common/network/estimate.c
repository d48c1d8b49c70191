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

/* Blocks that repeat none, all at once. `asked` and `answers`: room for as many as there are blocks. */
static prf_status_t ask(const prf_block_t **asked, prf_estimate_t *answers, const prf_model_t *model, const prf_network_t *network,
                        prf_error_t *err)
{
    size_t count = 0;
    for (size_t i = 0; i < network->block_count; i++)
        if (!network->blocks[i].repeats)
            asked[count++] = &network->blocks[i].block;
    return prf_model_estimate_many(model, asked, count, answers, err);
}

prf_status_t prf_network_estimate(prf_network_estimate_t *out, const prf_model_t *model, const prf_network_t *network,
                                  prf_error_t *err)
{
    size_t count = network->block_count, next = 0;
    prf_network_estimate_t sum = {.model = model, .block_count = count};
    sum.blocks = malloc((count + 1) * sizeof *sum.blocks);
    prf_estimate_t *answers = malloc((count + 1) * sizeof *answers);
    const prf_block_t **asked = malloc((count + 1) * sizeof *asked);
    prf_status_t status = sum.blocks && answers && asked ? ask(asked, answers, model, network, err)
                                                         : prf_fail(err, PRF_ENOMEM, "estimates of %zu blocks", count);
    for (size_t i = 0; !status && i < count; i++) {
        uint32_t repeats = network->blocks[i].repeats;
        sum.blocks[i] = repeats ? sum.blocks[repeats - 1] : answers[next++];
    }
    free(answers);
    free(asked);
    if (status) {
        free(sum.blocks);
        return prf_fail_prefix(err, status, "%s", network->name);
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
