// SPDX-License-Identifier: Apache-2.0
/* engine_between.c - which layers are measured one behind the other, so that the training can tell what a block takes in a network
 * besides its own time: code and weights that the blocks before it drove out of the caches, the step from kernel to kernel.
 *
 * The networks themselves would tell, but they judge the estimates. So a few chains are made of layers of the first helping, which
 * are measured by themselves in any case; all that is paid for besides is the chains. In a network a block reads what the one
 * before it wrote, so the next layer is the one that reads most of that, and no more, where there is one. Only the faster half of
 * the layers takes part: what is sought does not grow with them, and the noise of slow ones would hide it. Campaigns without
 * networks ask for none of this, nor do boards that build whole networks: layers that they were handed one by one would tell
 * nothing of what their runtime makes of a network. */
#include <math.h>
#include <stdlib.h>

#include "engine_training.h"

enum { LENGTH = 10, LEAST_LENGTH = 4 /* layers of a chain */ };

typedef struct {
    const probe_t *probe; /* borrowed from the kind: valid until the next is wanted */
    size_t at;            /* of the kind's probes */
    double latency_ns;
    bool taken;
} member_t;

static int by_latency(const void *a, const void *b)
{
    const member_t *x = a, *y = b;
    if (x->latency_ns != y->latency_ns)
        return x->latency_ns < y->latency_ns ? -1 : 1;
    return prf_digest_compare(&x->probe->point, &y->probe->point);
}

/* As good as shuffled, and the same in every order of answers. */
static int by_point(const void *a, const void *b)
{
    const member_t *x = a, *y = b;
    return prf_digest_compare(&x->probe->point, &y->probe->point);
}

static void add_members(const prf_engine_t *self, const kind_t *kind, const list_t *list, size_t most, bool *seen, member_t *pool,
                        size_t *count)
{
    for (size_t i = 0; i < list->count && i < most; i++) {
        size_t at = list->items[i];
        member_t one = {.probe = &kind->probes[at], .at = at};
        if (seen[at] || !passes_latency(self, kind, at, &one.latency_ns))
            continue;
        seen[at] = true;
        pool[(*count)++] = one;
    }
}

/* The layers that chains are made of, each once. All blocks of a chain have the data type that networks run in. Caller frees. */
static member_t *pool_of(const prf_engine_t *self, const kind_t *kind, size_t *count)
{
    member_t *pool = calloc(kind->probe_count + 1, sizeof *pool);
    bool *seen = calloc(kind->probe_count + 1, sizeof *seen);
    size_t all = 0;
    for (size_t i = 0; pool && seen && i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        if (t->layer->space.dtype != kind->tracks[0].layer->space.dtype)
            continue;
        add_members(self, kind, &t->swept, SIZE_MAX, seen, pool, &all);
        add_members(self, kind, &t->representatives, SIZE_MAX, seen, pool, &all);
        add_members(self, kind, &t->random, t->random_trained, seen, pool, &all);
    }
    if (!seen) {
        free(pool);
        return NULL;
    }
    free(seen);
    if (!pool)
        return NULL;
    qsort(pool, all, sizeof *pool, by_latency);
    size_t fast = all / 2 > BETWEEN_CHAINS * LENGTH ? all / 2 : BETWEEN_CHAINS * LENGTH;
    *count = fast < all ? fast : all;
    qsort(pool, *count, sizeof *pool, by_point);
    return pool;
}

/* The layer to come behind one that wrote so many elements; one is left. */
static member_t *next_of(const kind_t *kind, member_t *pool, size_t count, double written)
{
    member_t *best = NULL;
    double least = INFINITY;
    for (size_t i = 0; i < count; i++) {
        double rest = written - prf_layer_inputs(probe_layers(kind, pool[i].at));
        rest = rest < 0 ? INFINITY : rest;
        if (pool[i].taken || (best && rest >= least))
            continue;
        best = &pool[i];
        least = rest;
    }
    return best;
}

static prf_status_t make_chain(const kind_t *kind, chain_t *chain, member_t *pool, size_t count, size_t length, prf_error_t *err)
{
    double written = INFINITY; /* the first one reads the network's input */
    chain->blocks = calloc(length, sizeof *chain->blocks);
    if (!chain->blocks)
        return prf_fail(err, PRF_ENOMEM, "a chain of layers");
    while (chain->count < length) {
        member_t *next = next_of(kind, pool, count, written);
        next->taken = true;
        written = prf_layer_outputs(probe_layers(kind, next->at));
        probe_block(kind, next->at, &chain->blocks[chain->count++]);
        prf_status_t status = list_add(&chain->alone, next->at, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

prf_status_t between_ask(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    if (self->network_count == 0 || kind->builds || kind->between_asked)
        return PRF_OK;
    kind->between_asked = true;
    size_t count = 0, first = kind->chain_count;
    member_t *pool = pool_of(self, kind, &count);
    if (!pool)
        return prf_fail(err, PRF_ENOMEM, "layers of chains");
    size_t length = count / BETWEEN_CHAINS < LENGTH ? count / BETWEEN_CHAINS : LENGTH;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && length >= LEAST_LENGTH && i < BETWEEN_CHAINS; i++)
        status = make_chain(kind, &kind->chains[kind->chain_count++], pool, count, length, err);
    free(pool);
    for (size_t at = first; !status && at < kind->chain_count; at++)
        status = want(self, board, NULL, at, 0, ROLE_CHAIN, &kind->chains[at].probes, err);
    return status;
}

/* False for a network, and where the chain or one of its layers lacks the target. */
static bool measured(const prf_engine_t *self, const kind_t *kind, const chain_t *chain, target_t target, prf_between_t *out)
{
    *out = (prf_between_t){.blocks = chain->count};
    if (chain->network || chain->probes.count == 0 || !passes_value(self, kind, chain->probes.items[0], target, &out->chain_ns))
        return false;
    for (size_t i = 0; i < chain->alone.count; i++) {
        double value;
        if (!passes_value(self, kind, chain->alone.items[i], target, &value))
            return false;
        out->sum_ns += value;
    }
    return true;
}

size_t between_measured(const prf_engine_t *self, const kind_t *kind)
{
    size_t n = 0;
    prf_between_t any;
    for (size_t i = 0; i < kind->chain_count; i++)
        n += measured(self, kind, &kind->chains[i], TARGET_LATENCY, &any);
    return n;
}

void between_snapshot(const prf_engine_t *self, const kind_t *kind, target_t target, prf_training_t *to)
{
    prf_between_t one;
    for (size_t i = 0; i < kind->chain_count; i++)
        if (measured(self, kind, &kind->chains[i], target, &one))
            to->chains[to->chain_count++] = one;
}
