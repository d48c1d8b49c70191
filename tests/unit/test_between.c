// SPDX-License-Identifier: Apache-2.0
/* What a block takes in a network besides its own time: from chains to a number, in the model's file, and in sums. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "made_model.h"
#include "model/between.h"
#include "model/parts.h"
#include "network/network.h"

Test(between, the_median_of_the_chains_stands)
{
    const prf_between_t chains[] = {{10, 1900, 1000}, {5, 1400, 1000}, {2, 1110, 1000}, {3, 9000, 1000}};
    cr_assert_float_eq(prf_between_learn(chains, 4, 1), 105, 1e-9);
}

Test(between, nothing_is_told_by_too_few_chains_by_noise_or_by_chains_that_take_less)
{
    const prf_between_t chains[] = {{10, 1900, 1000}, {5, 1400, 1000}, {2, 1110, 1000}},
                        faster[] = {{10, 900, 1000}, {5, 900, 1000}, {2, 900, 1000}};
    cr_assert(prf_between_learn(chains, 3, 1) > 0);
    cr_assert(prf_between_learn(chains, 2, 1) == 0, "two chains");
    cr_assert(prf_between_learn(chains, PRF_BETWEEN_MOST + 1, 1) == 0);
    cr_assert(prf_between_learn(chains, 3, 30) == 0, "28.6 %% of a chain is within the noise");
    cr_assert(prf_between_learn(faster, 3, 1) == 0);
}

static uint8_t *encode(const prf_model_t *model, size_t *len)
{
    void *bytes;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_encode(model, &bytes, len, &err), PRF_OK, "%s", err.text);
    return bytes;
}

static double latency_ns(const prf_layer_t *l)
{
    return 500 + 3.0 * l->p[PRF_P_IN] * l->p[PRF_P_OUT];
}

/* Of fc, with so much between blocks. */
static prf_model_t *model_with(double between_ns)
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 400};
    prf_model_t *model = made_model("toy", 1);
    prf_model_part_t *part = &model->parts[0];
    part->space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_I8};
    part->space.dims[PRF_P_IN] = part->space.dims[PRF_P_OUT] = size;
    made_part(part, &made_sorts[0], latency_ns, 60);
    model->between_ns = between_ns;
    return model;
}

Test(between, a_model_file_keeps_it_and_without_it_is_what_it_was)
{
    prf_model_t *model = model_with(123.25), *again = NULL;
    size_t len, len2;
    uint8_t *bytes = encode(model, &len);
    cr_assert_eq(bytes[8], 4, "a prfarm that would leave it out refuses the file");
    cr_assert_eq(prf_model_decode(&again, bytes, len, NULL), PRF_OK);
    cr_assert(prf_model_between_ns(again) == 123.25);
    model->between_ns = 0;
    uint8_t *bytes2 = encode(model, &len2);
    cr_assert_eq(bytes2[8], 2);
    cr_assert_eq(len - len2, 9, "nothing else is in the file: %zu", len - len2);
    free(bytes);
    free(bytes2);
    prf_model_destroy(&model);
    prf_model_destroy(&again);
}

Test(between, a_file_with_an_impossible_time_is_refused)
{
    const double times[] = {-1, NAN, INFINITY, 2 * PRF_BETWEEN_LIMIT_NS};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        prf_model_t *model = model_with(times[i]), *again = NULL;
        prf_error_t err = {0};
        size_t len;
        uint8_t *bytes = encode(model, &len);
        cr_assert_eq(prf_model_decode(&again, bytes, len, &err), PRF_ECORRUPT, "%g", times[i]);
        cr_assert(strstr(err.text, "a time between blocks that cannot be"), "%s", err.text);
        free(bytes);
        prf_model_destroy(&model);
    }
}

static void parse(prf_network_block_t *block, const char *text)
{
    cr_assert_eq(prf_block_parse(&block->block, text, NULL), PRF_OK);
}

/* Only what is in the total has something between it. */
Test(between, a_network_takes_its_blocks_and_what_lies_between_those_that_are_estimated)
{
    prf_network_block_t blocks[4] = {0};
    prf_network_t network = {.blocks = blocks, .block_count = 4};
    prf_model_t *model = model_with(100), *plain = model_with(0);
    prf_network_estimate_t with, without;
    parse(&blocks[0], "fc in=64 out=100 dtype=i8");
    parse(&blocks[1], "softmax features=100 dtype=i8");
    parse(&blocks[2], "fc in=100 out=30 dtype=i8");
    parse(&blocks[3], "fc in=30 out=10 dtype=i8");
    cr_assert_eq(prf_network_estimate(&with, model, &network, NULL), PRF_OK);
    cr_assert_eq(prf_network_estimate(&without, plain, &network, NULL), PRF_OK);
    cr_assert_eq(with.covered, 3);
    cr_assert_float_eq(with.between_ns, 200, 1e-9);
    cr_assert_float_eq(with.total_ns, without.total_ns + 200, 1e-6);
    cr_assert_float_eq(with.low_ns, without.low_ns + 200, 1e-6);
    cr_assert_float_eq(with.high_ns, without.high_ns + 200, 1e-6);
    prf_network_estimate_replace(&with, 1, 1000); /* measured: covered now */
    cr_assert_float_eq(with.total_ns, without.total_ns + 1000 + 300, 1e-6);
    prf_network_estimate_release(&with);
    prf_network_estimate_release(&without);
    prf_model_destroy(&model);
    prf_model_destroy(&plain);
}

Test(between, one_block_alone_has_nothing_before_it)
{
    prf_network_block_t block = {0};
    prf_network_t network = {.blocks = &block, .block_count = 1};
    prf_model_t *model = model_with(100);
    prf_network_estimate_t one;
    parse(&block, "fc in=64 out=100 dtype=i8");
    cr_assert_eq(prf_network_estimate(&one, model, &network, NULL), PRF_OK);
    cr_assert(one.between_ns == 0 && one.total_ns == one.blocks[0].latency_ns);
    prf_network_estimate_release(&one);
    prf_model_destroy(&model);
}
