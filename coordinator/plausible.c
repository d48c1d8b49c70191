// SPDX-License-Identifier: Apache-2.0
/* plausible.c - a ring of believed latencies for each class, layer kind and data type. The nearest ones are found by looking at
 * all: a ring is short, and a latency is judged once a measurement. */
#include "plausible.h"

#include <math.h>
#include <stdlib.h>

enum { RING = 128, RINGS = 2048 };

typedef struct {
    double ops, bytes, ns; /* logarithms */
} sample_t;

/* A column each, so that distances are computed several at a time. */
typedef struct {
    uint32_t klass;
    prf_layer_kind_t kind;
    prf_dtype_t dtype;
    size_t count; /* ever noted */
    double ops[RING], bytes[RING], ns[RING];
} ring_t;

struct prf_plausible {
    ring_t *rings[RINGS]; /* owned */
    size_t count;
};

prf_status_t prf_plausible_new(prf_plausible_t **out, prf_error_t *err)
{
    prf_plausible_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "memory of latencies");
    *out = self;
    return PRF_OK;
}

void prf_plausible_destroy(prf_plausible_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        free((*self)->rings[i]);
    free(*self);
    *self = NULL;
}

static ring_t *find(const prf_plausible_t *self, uint32_t klass, const prf_block_t *block)
{
    for (size_t i = 0; i < self->count; i++) {
        ring_t *r = self->rings[i];
        if (r->klass == klass && r->kind == block->layers[0].kind && r->dtype == block->dtype)
            return r;
    }
    return NULL;
}

static sample_t sample_of(const prf_block_t *block, double latency_ns)
{
    double ops = 1, bytes = 1;
    for (uint32_t i = 0; i < block->count; i++) {
        ops += prf_layer_ops(&block->layers[i]);
        bytes += prf_layer_bytes(&block->layers[i], block->dtype);
    }
    return (sample_t){log(ops), log(bytes), log(latency_ns)};
}

void prf_plausible_note(prf_plausible_t *self, uint32_t klass, const prf_block_t *block, double latency_ns)
{
    ring_t *ring = find(self, klass, block);
    if (!ring && self->count < RINGS && (ring = calloc(1, sizeof *ring))) {
        ring->klass = klass;
        ring->kind = block->layers[0].kind;
        ring->dtype = block->dtype;
        self->rings[self->count++] = ring;
    }
    if (!ring)
        return;
    sample_t sample = sample_of(block, latency_ns);
    size_t at = ring->count++ % RING;
    ring->ops[at] = sample.ops;
    ring->bytes[at] = sample.bytes;
    ring->ns[at] = sample.ns;
}

static bool fits(const sample_t *told, const ring_t *ring, size_t neighbour)
{
    double work = (told->ops - ring->ops[neighbour] + told->bytes - ring->bytes[neighbour]) / 2;
    return fabs(told->ns - ring->ns[neighbour] - work / 2) <= log(PRF_PLAUSIBLE_TIMES);
}

static void measure(const ring_t *ring, size_t count, const sample_t *told, double distances[RING])
{
    for (size_t i = 0; i < count; i++)
        distances[i] = fabs(ring->ops[i] - told->ops) + fabs(ring->bytes[i] - told->bytes);
}

static size_t nearest_of(const double distances[RING], size_t count)
{
    size_t nearest = 0;
    for (size_t i = 1; i < count; i++)
        if (distances[i] < distances[nearest])
            nearest = i;
    return nearest;
}

/* The latency fits none of the few nearest. */
static bool fits_none(const ring_t *ring, size_t count, const sample_t *told, const double distances[RING])
{
    size_t nearest[PRF_PLAUSIBLE_NEIGHBOURS], found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = found;
        while (at > 0 && distances[i] < distances[nearest[at - 1]])
            at--;
        if (at == PRF_PLAUSIBLE_NEIGHBOURS)
            continue;
        found += found < PRF_PLAUSIBLE_NEIGHBOURS;
        for (size_t k = found - 1; k > at; k--)
            nearest[k] = nearest[k - 1];
        nearest[at] = i;
    }
    for (size_t i = 0; i < found; i++)
        if (fits(told, ring, nearest[i]))
            return false;
    return true;
}

/* Nearly always the very nearest one settles it. */
bool prf_plausible_odd(const prf_plausible_t *self, uint32_t klass, const prf_block_t *block, double latency_ns)
{
    const ring_t *ring = find(self, klass, block);
    if (!ring || ring->count < PRF_PLAUSIBLE_NEIGHBOURS)
        return false;
    sample_t told = sample_of(block, latency_ns);
    size_t count = ring->count < RING ? ring->count : RING;
    double distances[RING];
    measure(ring, count, &told, distances);
    return !fits(&told, ring, nearest_of(distances, count)) && fits_none(ring, count, &told, distances);
}

bool prf_plausible_agree(double a_ns, double b_ns)
{
    return a_ns <= 2 * b_ns && b_ns <= 2 * a_ns;
}
