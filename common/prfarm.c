// SPDX-License-Identifier: Apache-2.0
/* prfarm.c - the public library: a narrow door to model/ and network/, so that their insides may change freely. Models and single
 * layers are here, many layers in prfarm_batch.c, networks in prfarm_network.c, what models and layers are in prfarm_facts.c. */
#include "prfarm.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "prfarm_inside.h"

_Static_assert(sizeof(prf_block_t) <= sizeof(prfarm_layer), "prfarm_layer must hold a block");
_Static_assert(PRFARM_ERROR >= sizeof((prf_error_t *)0)->text, "prfarm errors must hold a sentence");
/* What PRFARM_ABI promises. */
_Static_assert(PRFARM_ABI == PRFARM_SONAME && sizeof(prfarm_layer) == 512, "another ABI");
_Static_assert(sizeof(void *) != 8 ||
                   (sizeof(prfarm_estimate) == 48 && sizeof(prfarm_estimates) == 32 && sizeof(prfarm_matrix) == 48),
               "another ABI");

int prfarm_outcome(prf_status_t status, const prf_error_t *err, char *error)
{
    if (status && error)
        memcpy(error, err->text, sizeof err->text);
    return prf_exit_code(status);
}

void prfarm_put_estimate(const prfarm_estimates *to, size_t index, const prf_estimate_t *estimate)
{
    if (to->latency_ns)
        to->latency_ns[index] = estimate->latency_ns;
    if (to->low_ns)
        to->low_ns[index] = estimate->low_ns;
    if (to->high_ns)
        to->high_ns[index] = estimate->high_ns;
    if (to->outside)
        to->outside[index] = estimate->outside;
}

const char *prfarm_version(void)
{
    return PRF_VERSION;
}

int prfarm_abi(void)
{
    return PRFARM_ABI;
}

static prf_status_t collect(prfarm_model *self, prf_error_t *err)
{
    const prf_model_t *energy = prf_model_energy(self->model);
    prf_status_t status = prfarm_collect_facts(self, err);
    if (status || !energy)
        return status;
    self->energy = calloc(1, sizeof *self->energy);
    if (!self->energy)
        return prf_fail(err, PRF_ENOMEM, "model of energy");
    self->energy->model = energy;
    memcpy(self->energy->digest, self->digest, sizeof self->digest);
    return prfarm_collect_facts(self->energy, err);
}

static prf_status_t decode(prfarm_model **out, const void *bytes, size_t len, prf_error_t *err)
{
    prf_digest_t digest;
    prfarm_model *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "model");
    prf_status_t status = prf_model_decode(&self->owned, bytes, len, err);
    self->model = self->owned;
    if (!status) {
        prf_digest(&digest, bytes, len);
        prf_digest_hex(&digest, self->digest);
        status = collect(self, err);
    }
    if (status)
        prfarm_model_free(self);
    else
        *out = self;
    return status;
}

int prfarm_model_decode(prfarm_model **out, const void *bytes, size_t len, char *error)
{
    prf_error_t err = {0};
    prf_status_t status = decode(out, bytes, len, &err);
    return prfarm_outcome(status, &err, error);
}

int prfarm_model_load(prfarm_model **out, const char *path, char *error)
{
    prf_error_t err = {0};
    char *bytes;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &len, &err);
    if (status)
        return prfarm_outcome(status, &err, error);
    status = decode(out, bytes, len, &err);
    free(bytes);
    if (status)
        status = prf_fail_prefix(&err, status, "%s", path);
    return prfarm_outcome(status, &err, error);
}

void prfarm_model_free(prfarm_model *model)
{
    if (!model)
        return;
    prfarm_model_free(model->energy);
    prf_model_destroy(&model->owned);
    free(model->layers);
    free(model);
}

const prfarm_model *prfarm_model_energy(const prfarm_model *model)
{
    return model->energy;
}

int prfarm_layer_parse(prfarm_layer *out, const char *text, char *error)
{
    prf_error_t err = {0};
    prf_block_t block;
    prf_status_t status = prf_block_parse(&block, text, &err);
    if (!status)
        memcpy(out->opaque.bytes, &block, sizeof block);
    return prfarm_outcome(status, &err, error);
}

static prf_block_t block_of(const prfarm_layer *layer)
{
    prf_block_t block;
    memcpy(&block, layer->opaque.bytes, sizeof block);
    return block;
}

size_t prfarm_layer_format(const prfarm_layer *layer, char *text, size_t cap)
{
    char whole[PRF_BLOCK_TEXT];
    prf_block_t block = block_of(layer);
    size_t len = prf_block_format(&block, whole), kept = len < cap ? len : cap - 1;
    if (cap > 0) {
        memcpy(text, whole, kept);
        text[kept] = '\0';
    }
    return len;
}

double prfarm_layer_macs(const prfarm_layer *layer)
{
    prf_block_t block = block_of(layer);
    return prf_block_macs(&block);
}

int prfarm_estimate_layer(const prfarm_model *model, const prfarm_layer *layer, prfarm_estimate *out, char *error)
{
    prf_error_t err = {0};
    prf_estimate_t estimate;
    prf_block_t block = block_of(layer);
    prf_status_t status = prf_model_estimate(model->model, &block, NULL, &estimate, &err);
    if (!status)
        *out = (prfarm_estimate){.latency_ns = estimate.latency_ns,
                                 .low_ns = estimate.low_ns,
                                 .high_ns = estimate.high_ns,
                                 .outside = estimate.outside,
                                 .blocks = 1,
                                 .covered = 1};
    return prfarm_outcome(status, &err, error);
}
