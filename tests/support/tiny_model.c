// SPDX-License-Identifier: Apache-2.0
#include "tiny_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/train.h"

enum { LAYERS = 40 };

void *tiny_model(const char *kind, uint64_t seed, size_t *len, prf_model_version_t *version)
{
    static const prf_dim_t to_64 = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 64};
    prf_space_t space = {.kind = PRF_FC, .dtype = PRF_F32};
    space.dims[PRF_P_IN] = space.dims[PRF_P_OUT] = to_64;
    prf_observation_t train[LAYERS] = {0};
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    prf_error_t err = {0};
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < LAYERS && !status; i++) {
        status = prf_space_draw(&space, &rng, &train[i].layer, &err);
        train[i].latency_ns = 100 + train[i].layer.p[PRF_P_IN] * train[i].layer.p[PRF_P_OUT];
    }
    prf_train_layer_t layer = {.space = space, .train = train, .train_count = LAYERS};
    prf_steps_none(&layer.steps);
    prf_train_input_t input = {.kind = kind, .layers = &layer, .layer_count = 1, .seed = seed, .threads = 1};
    input.provenance = (prf_provenance_t){.campaign = "test", .fingerprint = "none", .seed = seed, .samples = LAYERS};
    input.provenance.repeatability_percent = input.provenance.random_baseline_percent = NAN;
    prf_model_t *model = NULL;
    void *bytes = NULL;
    if (!status)
        status = prf_model_train(&model, &input, &err);
    if (!status)
        status = prf_model_encode(model, &bytes, len, &err);
    prf_model_destroy(&model);
    if (status) {
        fprintf(stderr, "tiny model: %s\n", err.text);
        abort();
    }
    if (version) {
        *version = (prf_model_version_t){.version = (uint32_t)seed, .bytes = *len};
        snprintf(version->kind, sizeof version->kind, "%s", kind);
        prf_digest(&version->digest, bytes, *len);
    }
    return bytes;
}
