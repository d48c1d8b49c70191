// SPDX-License-Identifier: Apache-2.0
/* estimate.c - a network's latency as the sum of its blocks', and of what lies between them. The bounds add up too: the model's
 * errors on the blocks of one network are alike in direction more often than not, so their squares must not be added instead. */
#include <math.h>
#include <stdlib.h>

#include "network/network.h"

enum { CHUNK = 96 /* blocks that are asked about together */ };

static void add(prf_network_sum_t *sum, const prf_estimate_t *e)
{
    if (isnan(e->latency_ns))
        return;
    sum->covered++;
    sum->outside += e->outside;
    sum->total_ns += e->latency_ns;
    sum->low_ns += e->low_ns;
    sum->high_ns += e->high_ns;
}

static void close_sum(prf_network_sum_t *sum, const prf_model_t *model)
{
    sum->between_ns = prf_model_between(model, sum->covered);
    sum->total_ns += sum->between_ns;
    sum->low_ns += sum->between_ns;
    sum->high_ns += sum->between_ns;
}

/* Of the blocks from `begin` on. One that repeats another of them is not asked about. */
static void ask(const prf_model_t *model, const prf_network_t *network, size_t begin, size_t count, prf_estimate_t out[])
{
    const prf_network_block_t *blocks = network->blocks + begin;
    const prf_block_t *asked[CHUNK];
    prf_estimate_t answers[CHUNK];
    size_t distinct = 0, next = 0;
    for (size_t i = 0; i < count; i++)
        if (blocks[i].repeats <= begin)
            asked[distinct++] = &blocks[i].block;
    prf_model_estimate_many(model, asked, distinct, answers);
    for (size_t i = 0; i < count; i++)
        out[i] = blocks[i].repeats <= begin ? answers[next++] : out[blocks[i].repeats - 1 - begin];
}

void prf_network_ask(const prf_model_t *model, const prf_network_t *network, prf_network_sum_t *sum, prf_network_taker_t *take,
                     void *arg)
{
    prf_estimate_t chunk[CHUNK];
    *sum = (prf_network_sum_t){0};
    for (size_t begin = 0, count; begin < network->block_count; begin += count) {
        count = network->block_count - begin < CHUNK ? network->block_count - begin : CHUNK;
        ask(model, network, begin, count, chunk);
        for (size_t i = 0; i < count; i++) {
            add(sum, &chunk[i]);
            if (take)
                take(arg, begin + i, &chunk[i]);
        }
    }
    close_sum(sum, model);
}

static void keep(void *arg, size_t block, const prf_estimate_t *estimate)
{
    ((prf_estimate_t *)arg)[block] = *estimate;
}

static void take_sum(prf_network_estimate_t *self, const prf_network_sum_t *sum)
{
    self->covered = sum->covered;
    self->between_ns = sum->between_ns;
    self->total_ns = sum->total_ns;
    self->low_ns = sum->low_ns;
    self->high_ns = sum->high_ns;
}

prf_status_t prf_network_estimate(prf_network_estimate_t *out, const prf_model_t *model, const prf_network_t *network,
                                  prf_error_t *err)
{
    prf_network_sum_t sum;
    prf_network_estimate_t self = {.model = model, .block_count = network->block_count};
    self.blocks = malloc((self.block_count + 1) * sizeof *self.blocks);
    if (!self.blocks)
        return prf_fail(err, PRF_ENOMEM, "%s: estimates of %zu blocks", network->name, self.block_count);
    prf_network_ask(model, network, &sum, keep, self.blocks);
    take_sum(&self, &sum);
    *out = self;
    return PRF_OK;
}

void prf_network_estimate_replace(prf_network_estimate_t *self, size_t block, double latency_ns)
{
    self->blocks[block] = (prf_estimate_t){.latency_ns = latency_ns, .low_ns = latency_ns, .high_ns = latency_ns};
    prf_network_sum_t sum = {0};
    for (size_t i = 0; i < self->block_count; i++)
        add(&sum, &self->blocks[i]);
    close_sum(&sum, self->model);
    take_sum(self, &sum);
}

void prf_network_estimate_release(prf_network_estimate_t *self)
{
    if (!self)
        return;
    free(self->blocks);
    *self = (prf_network_estimate_t){0};
}
