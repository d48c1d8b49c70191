// SPDX-License-Identifier: Apache-2.0
/* main.c - what a model of a board is worth to another board of its family: for each pair of simulated boards and number of
 * measured layers the error from scratch and with the old model, on layers drawn anew; medians over the seeds.
 *
 *   build/dev/tests/transfer [SEEDS [PAIR]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "base/order.h"
#include "measure/measure.h"
#include "model/train.h"

extern const prf_backend_t prf_backend_sim; /* registry.c has them all by name */

enum { OLD_LAYERS = 300, TEST_LAYERS = 500, MOST_OPTIONS = 8, SEEDS_MOST = 9, SIZES = 5 };
static const size_t sizes[SIZES] = {12, 20, 50, 100, 300};

typedef struct {
    const char *name;
    const char *old[MOST_OPTIONS], *new[MOST_OPTIONS]; /* options of the boards */
    int32_t channel_step, column_step;
} pair_t;

static const pair_t pairs[] = {
    {"systolic, other clock", {"board=systolic"}, {"board=systolic", "cycle_ns=0.7"}, 1, 32},
    {"systolic bound by memory, other clock and bus",
     {"board=systolic", "bytes_per_cycle=8"},
     {"board=systolic", "bytes_per_cycle=5", "cycle_ns=2.5"},
     1,
     32},
    {"ncs2, other rates", {"board=ncs2"}, {"board=ncs2", "gops=700", "gbps=9"}, 8, 1},
    {"vta, other clock", {"board=vta"}, {"board=vta", "cycle_ns=4"}, 16, 16},
    {"vta, other clock, bus and overheads",
     {"board=vta"},
     {"board=vta", "cycle_ns=4", "bus_bytes=16", "transfer_cycles=100", "layer_cycles=900"},
     16,
     16},
    {"the same, 2 % noise",
     {"board=vta", "noise=2", "seed=1"},
     {"board=vta", "cycle_ns=4", "bus_bytes=16", "transfer_cycles=100", "layer_cycles=900", "noise=2", "seed=2"},
     16,
     16},
    {"unrelated: ncs2 from systolic", {"board=systolic"}, {"board=ncs2"}, 8, 1},
};

static void die(const prf_error_t *err)
{
    fprintf(stderr, "transfer: %s\n", err->text);
    exit(1);
}

static prf_space_t convolutions(void)
{
    static const prf_dim_t channels = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 512, .log = true};
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_I8, .max_macs = 2e9};
    s.dims[PRF_P_C] = s.dims[PRF_P_K] = channels;
    s.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = 7, .hi = 112};
    s.dims[PRF_P_W] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_H, .divisor = 1};
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    s.dims[PRF_P_S] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 1};
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 2}};
    s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    return s;
}

static void measure(prf_observation_t *out, size_t count, const char *const *options, bool noisy, uint64_t seed)
{
    prf_space_t space = convolutions();
    prf_board_t *board;
    prf_error_t err = {0};
    prf_protocol_t protocol;
    prf_rng_t rng;
    size_t options_count = 0;
    const char *used[MOST_OPTIONS];
    for (size_t i = 0; i < MOST_OPTIONS && options[i]; i++)
        if (noisy || (strncmp(options[i], "noise=", 6) != 0 && strncmp(options[i], "seed=", 5) != 0))
            used[options_count++] = options[i];
    prf_protocol_default(&protocol);
    prf_rng_init(&rng, seed, prf_rng_stream("layers"));
    if (prf_backend_sim.open(used, options_count, &board, &err))
        die(&err);
    for (size_t i = 0; i < count; i++) {
        prf_block_t block = {.dtype = space.dtype, .count = 1};
        prf_sample_t sample;
        out[i] = (prf_observation_t){.latency_ns = 0};
        if (prf_space_draw(&space, &rng, &out[i].layer, &err))
            die(&err);
        block.layers[0] = out[i].layer;
        if (prf_measure(&prf_backend_sim, board, &protocol, &(prf_chain_t){.blocks = &block, .count = 1}, &sample, &err))
            die(&err);
        out[i].latency_ns = sample.latency_ns;
    }
    prf_backend_sim.close(&board);
}

static prf_model_t *train(const pair_t *pair, const prf_observation_t *rows, size_t count, const prf_observation_t *unseen,
                          const prf_model_t *from, uint64_t seed)
{
    prf_train_layer_t layer = {
        .space = convolutions(), .train = rows, .train_count = count, .validation = unseen, .validation_count = TEST_LAYERS};
    prf_train_input_t input = {.kind = "board", .layers = &layer, .layer_count = 1, .from = from, .seed = seed, .threads = 1};
    prf_model_t *model;
    prf_error_t err = {0};
    prf_steps_none(&layer.steps);
    layer.steps.width[PRF_P_C] = pair->channel_step;
    layer.steps.width[PRF_P_K] = pair->column_step;
    if (prf_model_train(&model, &input, &err))
        die(&err);
    return model;
}

static double error_of(const prf_model_t *model, char *regressor)
{
    prf_model_layer_t layer;
    prf_model_layer(model, 0, &layer);
    snprintf(regressor, PRF_NAME, "%s", layer.regressor);
    return layer.validation.mape_percent;
}

static void compare(const pair_t *pair, size_t seeds)
{
    static prf_observation_t old[OLD_LAYERS], rows[OLD_LAYERS], unseen[TEST_LAYERS];
    double scratch[SIZES][SEEDS_MOST], with[SIZES][SEEDS_MOST];
    char names[2][SIZES][PRF_NAME];
    for (size_t s = 0; s < seeds; s++) {
        measure(old, OLD_LAYERS, pair->old, true, 100 + s);
        measure(rows, OLD_LAYERS, pair->new, true, 200 + s);
        measure(unseen, TEST_LAYERS, pair->new, false, 300 + s);
        prf_model_t *from = train(pair, old, OLD_LAYERS, unseen, NULL, s);
        for (size_t n = 0; n < SIZES; n++) {
            prf_model_t *alone = train(pair, rows, sizes[n], unseen, NULL, s),
                        *helped = train(pair, rows, sizes[n], unseen, from, s);
            scratch[n][s] = error_of(alone, names[0][n]);
            with[n][s] = error_of(helped, names[1][n]);
            prf_model_destroy(&alone);
            prf_model_destroy(&helped);
        }
        prf_model_destroy(&from);
    }
    printf("%s\n", pair->name);
    for (size_t n = 0; n < SIZES; n++)
        printf("  %4zu layers: %9.4f %% from scratch (%s), %9.4f %% with the old model (%s)\n", sizes[n],
               prf_median(scratch[n], seeds), names[0][n], prf_median(with[n], seeds), names[1][n]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t seeds = argc > 1 ? (size_t)atoi(argv[1]) : 3;
    if (seeds < 1 || seeds > SEEDS_MOST)
        seeds = 3;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (argc < 3 || i == (size_t)atoi(argv[2]))
            compare(&pairs[i], seeds);
    return 0;
}
