// SPDX-License-Identifier: Apache-2.0
/* prfarm.c - the public library: a narrow door to model/ and network/, so that their insides may change freely. */
#include "prfarm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network/network.h"

struct prfarm_network {
    prf_network_t network;
};

_Static_assert(sizeof(prf_block_t) <= sizeof(prfarm_layer), "prfarm_layer must hold a block");
_Static_assert(PRFARM_ERROR >= sizeof((prf_error_t *)0)->text, "prfarm errors must hold a sentence");

/* struct prfarm_model is prf_model_t under its public name. */
static const prf_model_t *inside(const prfarm_model *model)
{
    return (const prf_model_t *)model;
}

static int outcome(prf_status_t status, const prf_error_t *err, char *error)
{
    if (status && error)
        memcpy(error, err->text, sizeof err->text);
    return prf_exit_code(status);
}

const char *prfarm_version(void)
{
    return PRF_VERSION;
}

int prfarm_model_load(prfarm_model **out, const char *path, char *error)
{
    prf_error_t err = {0};
    prf_model_t *model = NULL;
    prf_status_t status = prf_model_load(&model, path, &err);
    if (!status)
        *out = (prfarm_model *)model;
    return outcome(status, &err, error);
}

void prfarm_model_free(prfarm_model *model)
{
    prf_model_t *inner = (prf_model_t *)model;
    prf_model_destroy(&inner);
}

const char *prfarm_model_board(const prfarm_model *model)
{
    return prf_model_kind(inside(model));
}

int prfarm_layer_parse(prfarm_layer *out, const char *text, char *error)
{
    prf_error_t err = {0};
    prf_block_t block;
    prf_status_t status = prf_block_parse(&block, text, &err);
    if (!status)
        memcpy(out->opaque.bytes, &block, sizeof block);
    return outcome(status, &err, error);
}

int prfarm_estimate_layer(const prfarm_model *model, const prfarm_layer *layer, prfarm_estimate *out, char *error)
{
    prf_error_t err = {0};
    prf_estimate_t estimate;
    prf_block_t block;
    memcpy(&block, layer->opaque.bytes, sizeof block);
    prf_status_t status = prf_model_estimate(inside(model), &block, NULL, &estimate, &err);
    if (!status)
        *out = (prfarm_estimate){.latency_ns = estimate.latency_ns,
                                 .low_ns = estimate.low_ns,
                                 .high_ns = estimate.high_ns,
                                 .outside = estimate.outside,
                                 .blocks = 1,
                                 .covered = 1};
    return outcome(status, &err, error);
}

int prfarm_network_load(prfarm_network **out, const char *path, const char *dtype, unsigned batch, char *error)
{
    prf_error_t err = {0};
    prf_dtype_t type;
    prfarm_network *network = calloc(1, sizeof *network);
    prf_status_t status = network ? prf_dtype_parse(dtype, &type, &err) : prf_fail(&err, PRF_ENOMEM, "network");
    if (!status)
        status = prf_network_load(&network->network, path, type, batch, &err);
    if (status)
        free(network);
    else
        *out = network;
    return outcome(status, &err, error);
}

void prfarm_network_free(prfarm_network *network)
{
    if (network)
        prf_network_release(&network->network);
    free(network);
}

double prfarm_network_macs(const prfarm_network *network)
{
    return network->network.total_macs;
}

int prfarm_estimate_network(const prfarm_model *model, const prfarm_network *network, prfarm_estimate *out, char *error)
{
    prf_error_t err = {0};
    prf_network_estimate_t estimate;
    prf_status_t status = prf_network_estimate(&estimate, inside(model), &network->network, &err);
    if (status)
        return outcome(status, &err, error);
    *out = (prfarm_estimate){.latency_ns = estimate.total_ns,
                             .low_ns = estimate.low_ns,
                             .high_ns = estimate.high_ns,
                             .blocks = estimate.block_count,
                             .covered = estimate.covered};
    for (size_t i = 0; i < estimate.block_count; i++)
        out->outside += isfinite(estimate.blocks[i].latency_ns) && estimate.blocks[i].outside;
    prf_network_estimate_release(&estimate);
    return 0;
}
