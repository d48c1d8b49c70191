// SPDX-License-Identifier: Apache-2.0
/* prfarm_network.c - networks: the blocks of an ONNX file, described once when it is read, and their estimates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prfarm_inside.h"

enum { KIND = 64 };

/* A block with everything that prfarm_block points to. */
typedef struct {
    prfarm_block shown;
    prfarm_layer layer;
    char kind[KIND];
    char *text; /* owned */
} described_t;

struct prfarm_network {
    prf_network_t network;
    described_t *blocks; /* owned */
    prfarm_note *notes;  /* owned */
};

static const char *short_name(const prf_layer_t *layer, uint32_t index)
{
    bool follows = index > 0 && layer->kind == PRF_ACTIVATION;
    return follows ? prf_activation_name((prf_activation_t)layer->p[PRF_P_FN]) : prf_layer_kind_name(layer->kind);
}

static prf_status_t describe(described_t *to, const prf_network_block_t *from, prf_error_t *err)
{
    char text[PRF_BLOCK_TEXT];
    size_t len = prf_block_format(&from->block, text), used = 0;
    to->text = malloc(len + 1);
    if (!to->text)
        return prf_fail(err, PRF_ENOMEM, "text of a block");
    memcpy(to->text, text, len + 1);
    for (uint32_t i = 0; i < from->block.count && used < KIND; i++)
        used += (size_t)snprintf(to->kind + used, KIND - used, "%s%s", i ? "+" : "", short_name(&from->block.layers[i], i));
    memcpy(to->layer.opaque.bytes, &from->block, sizeof from->block);
    to->shown = (prfarm_block){
        .name = from->name, .kind = to->kind, .text = to->text, .layer = &to->layer, .macs = prf_block_macs(&from->block)};
    return PRF_OK;
}

static prf_status_t describe_all(prfarm_network *self, prf_error_t *err)
{
    const prf_network_t *n = &self->network;
    self->blocks = calloc(n->block_count, sizeof *self->blocks);
    self->notes = calloc(n->note_count + 1, sizeof *self->notes);
    if (!self->blocks || !self->notes)
        return prf_fail(err, PRF_ENOMEM, "%zu blocks", n->block_count);
    for (size_t i = 0; i < n->block_count; i++) {
        prf_status_t status = describe(&self->blocks[i], &n->blocks[i], err);
        if (status)
            return status;
    }
    for (size_t i = 0; i < n->note_count; i++)
        self->notes[i] = (prfarm_note){n->notes[i].op, n->notes[i].name, n->notes[i].treatment, n->notes[i].unknown};
    return PRF_OK;
}

/* Where a network is read from: `bytes`, or the file at `name` where that is NULL. */
typedef struct {
    const void *bytes;
    size_t len;
    const char *name, *dtype;
    unsigned batch;
} source_t;

static prf_status_t read_network(prfarm_network *self, const source_t *from, prf_error_t *err)
{
    prf_dtype_t dtype;
    prf_status_t status = prf_dtype_parse(from->dtype, &dtype, err);
    if (status)
        return status;
    if (from->bytes)
        status = prf_network_decode(&self->network, from->bytes, from->len, from->name, dtype, from->batch, err);
    else
        status = prf_network_load(&self->network, from->name, dtype, from->batch, err);
    return status ? status : describe_all(self, err);
}

static int make(prfarm_network **out, const source_t *from, char *error)
{
    prf_error_t err = {0};
    prfarm_network *self = calloc(1, sizeof *self);
    prf_status_t status = self ? read_network(self, from, &err) : prf_fail(&err, PRF_ENOMEM, "network");
    if (status)
        prfarm_network_free(self);
    else
        *out = self;
    return prfarm_outcome(status, &err, error);
}

int prfarm_network_load(prfarm_network **out, const char *path, const char *dtype, unsigned batch, char *error)
{
    return make(out, &(source_t){.name = path, .dtype = dtype, .batch = batch}, error);
}

int prfarm_network_decode(prfarm_network **out, const void *bytes, size_t len, const char *name, const char *dtype, unsigned batch,
                          char *error)
{
    return make(out, &(source_t){bytes ? bytes : "", bytes ? len : 0, name, dtype, batch}, error);
}

void prfarm_network_free(prfarm_network *network)
{
    if (!network)
        return;
    for (size_t i = 0; network->blocks && i < network->network.block_count; i++)
        free(network->blocks[i].text);
    free(network->blocks);
    free(network->notes);
    prf_network_release(&network->network);
    free(network);
}

const char *prfarm_network_name(const prfarm_network *network)
{
    return network->network.name;
}

double prfarm_network_macs(const prfarm_network *network)
{
    return network->network.total_macs;
}

size_t prfarm_network_blocks(const prfarm_network *network)
{
    return network->network.block_count;
}

const prfarm_block *prfarm_network_get_block(const prfarm_network *network, size_t index)
{
    return index < network->network.block_count ? &network->blocks[index].shown : NULL;
}

const prfarm_note *prfarm_network_get_note(const prfarm_network *network, size_t index)
{
    return index < network->network.note_count ? &network->notes[index] : NULL;
}

static void put(void *arg, size_t block, const prf_estimate_t *estimate)
{
    prfarm_put_estimate(arg, block, estimate);
}

int prfarm_estimate_network_blocks(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out,
                                   const prfarm_estimates *blocks, char *error)
{
    prfarm_estimates to = blocks ? *blocks : (prfarm_estimates){0};
    prf_network_sum_t sum;
    (void)error; /* nothing can fail yet; callers need not change when something can */
    prf_network_ask(model->model, &network->network, &sum, put, &to);
    *out = (prfarm_estimate){.latency_ns = sum.total_ns,
                             .low_ns = sum.low_ns,
                             .high_ns = sum.high_ns,
                             .outside = (int)sum.outside,
                             .blocks = network->network.block_count,
                             .covered = sum.covered};
    return 0;
}

int prfarm_estimate_network(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out, char *error)
{
    return prfarm_estimate_network_blocks(model, network, out, NULL, error);
}
