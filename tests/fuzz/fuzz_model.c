// SPDX-License-Identifier: Apache-2.0
/* fuzz_model.c - a model file from a stranger: decoding, then estimates of layers inside and outside of the range that it claims,
 * as a worker or a program with libprfarm makes them. The digest in its header keeps out damage, not malice: each input is tried as
 * it is and with the digest that it should have. */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "model/model.h"
#include "tests/support/tiny_model.h"

enum { DIGEST_AT = 16, HEADER = DIGEST_AT + PRF_DIGEST_BYTES, DRAWS = 2 }; /* docs/model-file.md */

static void estimate(const prf_model_t *model, const prf_layer_t *layer, prf_dtype_t dtype)
{
    double extras[PRF_MODEL_EXTRAS] = {0, 1, -1, 1e300, -1e300, 1e-300, 7, 8};
    prf_block_t block = {.dtype = dtype, .count = 1, .layers = {*layer}};
    prf_estimate_t e;
    prf_error_t err;
    FUZZ_CHECK(prf_model_estimate(model, &block, extras, &e, &err) == PRF_OK, "%s", err.text);
    FUZZ_CHECK(!isnan(e.latency_ns) && e.latency_ns >= 0 && e.low_ns <= e.latency_ns && e.latency_ns <= e.high_ns, "%g: %g to %g",
               e.latency_ns, e.low_ns, e.high_ns);
}

static void use_layers(const prf_model_t *model)
{
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t known;
        prf_layer_t layer;
        prf_model_layer(model, i, &known);
        for (int k = 0; k < DRAWS; k++)
            if (prf_space_draw(&known.space, &rng, &layer, NULL) == PRF_OK)
                estimate(model, &layer, known.dtype);
        size_t count;
        const prf_param_info_t *params = prf_layer_params(known.kind, &count);
        prf_layer_init(&layer, known.kind);
        for (size_t p = 0; p < count; p++)
            layer.p[params[p].param] = params[p].min + 1;
        if (prf_layer_complete(&layer, NULL) == PRF_OK)
            estimate(model, &layer, known.dtype);
    }
}

static bool try_file(const uint8_t *bytes, size_t len)
{
    prf_model_t *model;
    prf_error_t err;
    if (prf_model_decode(&model, bytes, len, &err))
        return false;
    use_layers(model);
    void *again;
    size_t again_len;
    FUZZ_CHECK(prf_model_encode(model, &again, &again_len, &err) == PRF_OK, "%s", err.text);
    prf_model_t *copy;
    FUZZ_CHECK(prf_model_decode(&copy, again, again_len, &err) == PRF_OK, "%s", err.text);
    prf_model_destroy(&copy);
    free(again);
    prf_model_destroy(&model);
    return true;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    if (try_file(bytes, len))
        return true;
    if (len < HEADER)
        return false;
    uint8_t *file = malloc(len);
    FUZZ_CHECK(file, "%zu bytes", len);
    memcpy(file, bytes, len);
    prf_digest_t parts[2], digest;
    prf_digest(&parts[0], file, DIGEST_AT);
    prf_digest(&parts[1], file + HEADER, len - HEADER);
    prf_digest(&digest, parts, sizeof parts);
    memcpy(file + DIGEST_AT, digest.bytes, sizeof digest.bytes);
    bool ok = try_file(file, len);
    free(file);
    return ok;
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        size_t len;
        void *bytes = tiny_model("cpu", seed, &len, NULL);
        add(arg, bytes, len);
        free(bytes);
    }
}
