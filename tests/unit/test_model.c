// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/rng.h"
#include "model/train.h"
#include "wire/model_file.h"

/* For tests that take a minute under sanitizers and judge figures alone: others walk the same code there. */
#define ACCURACY_ONLY .disabled = PRF_SANITIZED

enum { HEADER = 32, DIGEST_AT = 16, MOST = 600 };

static const prf_dim_t to_256 = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 256, .log = true};

static prf_space_t fc_space(void)
{
    prf_space_t s = {.kind = PRF_FC, .dtype = PRF_I8};
    s.dims[PRF_P_IN] = s.dims[PRF_P_OUT] = to_256;
    return s;
}

/* A board with tiles of 8 x 8, an overhead and a bandwidth. */
static double staircase_ns(const prf_layer_t *l)
{
    double tiles = ceil(l->p[PRF_P_IN] / 8.0) * ceil(l->p[PRF_P_OUT] / 8.0);
    return 300 + 64 * tiles + 0.01 * l->p[PRF_P_IN] * l->p[PRF_P_OUT];
}

static void draw(prf_observation_t *out, size_t count, uint64_t seed, double noise)
{
    prf_space_t space = fc_space();
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = (prf_observation_t){.extras = {(double)(i % 2)}};
        cr_assert_eq(prf_space_draw(&space, &rng, &out[i].layer, NULL), PRF_OK);
        out[i].latency_ns = staircase_ns(&out[i].layer) * exp(noise * prf_rng_normal(&rng)) * (i % 2 ? 2 : 1);
    }
}

typedef struct {
    prf_observation_t train[MOST], validation[MOST];
    prf_train_layer_t layer;
    const char *names[1];
    prf_train_input_t input;
} board_t;

static board_t *board(size_t train, size_t validation, double noise)
{
    board_t *b = calloc(1, sizeof *b);
    draw(b->train, train, 1, noise);
    draw(b->validation, validation, 2, noise);
    b->layer = (prf_train_layer_t){
        .space = fc_space(), .train = b->train, .train_count = train, .validation = b->validation, .validation_count = validation};
    prf_steps_none(&b->layer.steps);
    b->names[0] = "doubled";
    b->input = (prf_train_input_t){.kind = "stairs",
                                   .layers = &b->layer,
                                   .layer_count = 1,
                                   .extra_names = b->names,
                                   .extra_count = 1,
                                   .seed = 5,
                                   .threads = 2};
    b->input.provenance = (prf_provenance_t){.campaign = "test",
                                             .fingerprint = "none",
                                             .seed = 5,
                                             .samples = (uint32_t)train,
                                             .repeatability_percent = NAN,
                                             .random_baseline_percent = NAN};
    return b;
}

static prf_model_t *train(const board_t *b)
{
    prf_model_t *model = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_train(&model, &b->input, &err), PRF_OK, "%s", err.text);
    return model;
}

static uint8_t *encode(const prf_model_t *model, size_t *len)
{
    void *bytes = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_encode(model, &bytes, len, &err), PRF_OK, "%s", err.text);
    return bytes;
}

static prf_block_t alone(const prf_layer_t *layer, prf_dtype_t dtype)
{
    return (prf_block_t){.dtype = dtype, .count = 1, .layers = {*layer}};
}

static prf_estimate_t estimate(const prf_model_t *model, const prf_observation_t *o)
{
    prf_block_t block = alone(&o->layer, PRF_I8);
    prf_estimate_t e;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_estimate(model, &block, o->extras, &e, &err), PRF_OK, "%s", err.text);
    return e;
}

Test(model, learns_a_noisy_board_and_says_how_well, ACCURACY_ONLY)
{
    board_t *b = board(500, 300, 0.02);
    prf_model_t *m = train(b);
    size_t within = 0;
    for (size_t i = 0; i < 300; i++) {
        prf_estimate_t e = estimate(m, &b->validation[i]);
        cr_assert(e.low_ns <= e.latency_ns && e.latency_ns <= e.high_ns);
        cr_assert_not(e.outside);
        within += e.low_ns <= b->validation[i].latency_ns && b->validation[i].latency_ns <= e.high_ns;
    }
    prf_model_layer_t info;
    prf_model_layer(m, 0, &info);
    cr_assert_eq(info.validation.count, 300);
    cr_assert_lt(info.validation.mape_percent, 8, "MAPE %g by %s", info.validation.mape_percent, info.regressor);
    cr_assert_gt(info.validation.mape_percent, 1, "better than its own noise: %g", info.validation.mape_percent);
    cr_assert_gt(info.validation.spearman, 0.99);
    cr_assert_eq(prf_model_provenance(m)->validation.mape_percent, info.validation.mape_percent);
    cr_assert_eq(info.samples, 500);
    cr_assert(within >= 265 && within <= 285, "%zu of 300 within the 90 %% interval", within);
    prf_model_destroy(&m);
    free(b);
}

Test(model, known_steps_make_a_board_of_tiles_easy)
{
    board_t *b = board(200, 300, 0);
    prf_model_t *blind = train(b);
    b->layer.steps.width[PRF_P_IN] = b->layer.steps.width[PRF_P_OUT] = 8;
    prf_model_t *seeing = train(b);
    double without = prf_model_provenance(blind)->validation.mape_percent,
           with = prf_model_provenance(seeing)->validation.mape_percent;
    cr_assert_lt(with, 0.7 * without, "%g with steps, %g without", with, without);
    prf_model_destroy(&blind);
    prf_model_destroy(&seeing);
    free(b);
}

Test(model, noise_does_not_choose_a_larger_model_than_the_board_has, ACCURACY_ONLY)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        board_t *b = board(100, 0, 0.02);
        b->layer.steps.width[PRF_P_IN] = b->layer.steps.width[PRF_P_OUT] = 8;
        draw(b->train, 100, seed, 0.02);
        for (size_t i = 0; i < 100; i++)
            b->train[i].latency_ns /= i % 2 ? 2 : 1;
        prf_model_t *m = train(b);
        prf_model_layer_t info;
        prf_model_layer(m, 0, &info);
        cr_assert_str_eq(info.regressor, "terms", "seed %d: %s", (int)seed, info.regressor);
        prf_model_destroy(&m);
        free(b);
    }
}

Test(model, mapped_queries_answer_alike_within_a_tile)
{
    board_t *b = board(300, 50, 0);
    b->layer.steps.width[PRF_P_IN] = b->layer.steps.width[PRF_P_OUT] = 8;
    for (size_t i = 0; i < 300; i++) {
        prf_steps_map(&b->layer.steps, &b->layer.space, &b->train[i].layer);
        b->train[i].latency_ns = staircase_ns(&b->train[i].layer);
        b->train[i].extras[0] = 0;
    }
    b->layer.mapping = PRF_MAP_ALWAYS;
    prf_model_t *m = train(b);
    size_t len;
    uint8_t *bytes = encode(m, &len);
    prf_model_t *again = NULL;
    cr_assert_eq(prf_model_decode(&again, bytes, len, NULL), PRF_OK);
    prf_observation_t o = {.layer = {.kind = PRF_FC, .p = {[PRF_P_N] = 1, [PRF_P_IN] = 24, [PRF_P_OUT] = 40}}};
    double edge = estimate(m, &o).latency_ns;
    for (int32_t in = 17; in <= 24; in++) {
        o.layer.p[PRF_P_IN] = in;
        cr_assert_eq(estimate(m, &o).latency_ns, edge, "in = %d", in);
        cr_assert_eq(estimate(again, &o).latency_ns, edge, "in = %d, decoded", in);
    }
    o.layer.p[PRF_P_IN] = 25;
    cr_assert_neq(estimate(m, &o).latency_ns, edge);
    prf_model_destroy(&m);
    prf_model_destroy(&again);
    free(bytes);
    free(b);
}

/* Level tiles, each with a cost of its own. */
static double level_ns(const prf_layer_t *l)
{
    int in = (l->p[PRF_P_IN] + 31) / 32, out = (l->p[PRF_P_OUT] + 31) / 32;
    return 1000 + 400 * in * out * (1 + (7 * in + 3 * out) % 5);
}

/* Tiles of filters, and a slope within them. */
static double sloping_ns(const prf_layer_t *l)
{
    return 500 + 3.0 * l->p[PRF_P_IN] * l->p[PRF_P_OUT] * sqrt(l->p[PRF_P_OUT]) + 200 * ceil(l->p[PRF_P_OUT] / 32.0);
}

static bool chooses_to_map(double (*latency)(const prf_layer_t *))
{
    board_t *b = board(120, 0, 0);
    b->layer.steps.width[PRF_P_IN] = b->layer.steps.width[PRF_P_OUT] = 32;
    b->layer.mapping = PRF_MAP_IF_BETTER;
    for (size_t i = 0; i < 120; i++)
        b->train[i].latency_ns = latency(&b->train[i].layer);
    prf_model_t *m = train(b);
    prf_model_layer_t info;
    prf_model_layer(m, 0, &info);
    prf_model_destroy(&m);
    free(b);
    return info.mapped;
}

Test(model, layers_are_seen_by_their_representatives_where_that_errs_less, ACCURACY_ONLY)
{
    cr_assert(chooses_to_map(level_ns));
    cr_assert_not(chooses_to_map(sloping_ns));
}

Test(model, estimates_survive_the_file_bit_by_bit_and_so_do_its_bytes)
{
    board_t *b = board(120, 60, 0.01);
    b->layer.steps.further[b->layer.steps.further_count++] = (prf_further_step_t){PRF_Q_ROWS, 32, 0.75, 0.5};
    prf_model_t *m = train(b), *again = NULL;
    size_t len, len2;
    uint8_t *bytes = encode(m, &len);
    prf_error_t err = {0};
    cr_assert_eq(prf_model_decode(&again, bytes, len, &err), PRF_OK, "%s", err.text);
    uint8_t *bytes2 = encode(again, &len2);
    cr_assert_eq(len, len2);
    cr_assert_eq(memcmp(bytes, bytes2, len), 0);
    for (size_t i = 0; i < 60; i++) {
        prf_estimate_t e = estimate(m, &b->validation[i]), f = estimate(again, &b->validation[i]);
        cr_assert_eq(e.latency_ns, f.latency_ns);
        cr_assert_eq(e.low_ns, f.low_ns);
        cr_assert_eq(e.high_ns, f.high_ns);
    }
    const char *names[PRF_MODEL_EXTRAS];
    prf_model_layer_t info, info2;
    prf_model_layer(m, 0, &info);
    prf_model_layer(again, 0, &info2);
    cr_assert_str_eq(prf_model_kind(again), "stairs");
    cr_assert_str_eq(prf_model_provenance(again)->campaign, "test");
    cr_assert(isnan(prf_model_provenance(again)->repeatability_percent));
    cr_assert_eq(prf_model_extras(again, names), 1);
    cr_assert_str_eq(names[0], "doubled");
    cr_assert_str_eq(info.regressor, info2.regressor);
    cr_assert_eq(memcmp(&info.space, &info2.space, sizeof info.space), 0);
    cr_assert_eq(info.validation.rmspe_percent, info2.validation.rmspe_percent);
    cr_assert_eq(info2.steps.further_count, 1);
    cr_assert_eq(memcmp(&info.steps.further[0], &info2.steps.further[0], sizeof info.steps.further[0]), 0);
    free(bytes);
    free(bytes2);
    prf_model_destroy(&m);
    prf_model_destroy(&again);
    free(b);
}

/* A model whose energy was learned from the same layers, at 3 nJ each nanosecond. */
static prf_model_t *train_with_energy(board_t *b)
{
    prf_model_t *model = train(b);
    for (size_t i = 0; i < b->layer.train_count; i++)
        b->train[i].latency_ns *= 3;
    for (size_t i = 0; i < b->layer.validation_count; i++)
        b->validation[i].latency_ns *= 3;
    prf_model_t *energy = train(b);
    prf_model_take_energy(model, &energy);
    cr_assert_null(energy);
    return model;
}

Test(model, energy_survives_the_file_and_leaves_the_latency_alone)
{
    board_t *b = board(60, 30, 0), *same = board(60, 30, 0);
    prf_model_t *plain = train(same), *m = train_with_energy(b), *again = NULL, *none = NULL;
    size_t len, len2, plain_len;
    uint8_t *bytes = encode(m, &len), *plain_bytes = encode(plain, &plain_len);
    prf_error_t err = {0};
    cr_assert_eq(prf_model_decode(&again, bytes, len, &err), PRF_OK, "%s", err.text);
    const prf_model_t *energy = prf_model_energy(again);
    cr_assert_not_null(energy);
    cr_assert_null(prf_model_energy(plain));
    cr_expect_str_eq(prf_model_kind(energy), "stairs");
    cr_expect_eq(prf_model_provenance(energy)->samples, 60);
    cr_expect_eq(prf_model_provenance(energy)->validation.mape_percent,
                 prf_model_provenance(prf_model_energy(m))->validation.mape_percent);
    for (size_t i = 0; i < 30; i++) {
        cr_expect_eq(estimate(energy, &b->validation[i]).latency_ns, estimate(prf_model_energy(m), &b->validation[i]).latency_ns);
        cr_expect_eq(estimate(again, &b->validation[i]).latency_ns, estimate(plain, &b->validation[i]).latency_ns);
        cr_expect_float_eq(estimate(energy, &b->validation[i]).latency_ns / estimate(again, &b->validation[i]).latency_ns, 3, 0.1);
    }
    uint8_t *bytes2 = encode(again, &len2);
    cr_expect(len == len2 && memcmp(bytes, bytes2, len) == 0);
    free(bytes2);
    prf_model_take_energy(again, &none);
    bytes2 = encode(again, &len2);
    cr_expect(plain_len == len2 && memcmp(plain_bytes, bytes2, plain_len) == 0, "without the energy it is the model of before");
    /* Readers of before skip the field, which is the last one. */
    cr_expect_eq(memcmp(bytes + HEADER, plain_bytes + HEADER, plain_len - HEADER), 0);
    cr_expect_eq(memcmp(bytes + 8, plain_bytes + 8, 4), 0, "the version stays");
    free(bytes);
    free(bytes2);
    free(plain_bytes);
    prf_model_destroy(&plain);
    prf_model_destroy(&m);
    prf_model_destroy(&again);
    free(same);
    free(b);
}

Test(model, training_again_with_other_threads_gives_the_same_bytes)
{
    board_t *b = board(150, 40, 0.01);
    size_t len, len2;
    prf_model_t *m = train(b);
    uint8_t *bytes = encode(m, &len);
    b->input.threads = 7;
    prf_model_t *again = train(b);
    uint8_t *bytes2 = encode(again, &len2);
    cr_assert_eq(len, len2);
    cr_assert_eq(memcmp(bytes, bytes2, len), 0);
    free(bytes);
    free(bytes2);
    prf_model_destroy(&m);
    prf_model_destroy(&again);
    free(b);
}

static void refuses(const uint8_t *bytes, size_t len, prf_status_t code, const char *what)
{
    prf_model_t *m = NULL;
    prf_error_t err = {0};
    prf_status_t status = prf_model_decode(&m, bytes, len, &err);
    cr_assert_eq(status, code, "%s: %s (%s)", what, prf_status_name(status), err.text);
    cr_assert_null(m);
    cr_assert_gt(strlen(err.text), 10);
}

Test(model, damaged_truncated_foreign_and_newer_files_are_refused)
{
    board_t *b = board(40, 10, 0);
    prf_model_t *m = train(b);
    size_t len;
    uint8_t *bytes = encode(m, &len);
    refuses((const uint8_t *)"", 0, PRF_EPARSE, "empty");
    refuses((const uint8_t *)"PK\3\4 this is a zip file, not a model", 36, PRF_EPARSE, "foreign");
    for (size_t cut = 0; cut < len; cut += cut < 100 ? 1 : 97)
        refuses(bytes, cut, cut < HEADER ? PRF_EPARSE : PRF_ECORRUPT, "truncated");
    for (size_t at = DIGEST_AT; at < len; at += at < 100 ? 1 : 97) {
        bytes[at] ^= 0x10;
        refuses(bytes, len, PRF_ECORRUPT, "damaged");
        bytes[at] ^= 0x10;
    }
    bytes[8] = PRF_MODEL_VERSION + 1;
    refuses(bytes, len, PRF_EVERSION, "newer");
    free(bytes);
    prf_model_destroy(&m);
    free(b);
}

/* Makes the digest right again, as an attacker would. */
static void reseal(uint8_t *file, size_t len)
{
    prf_digest_t parts[2], whole;
    prf_digest(&parts[0], file, DIGEST_AT);
    prf_digest(&parts[1], file + HEADER, len - HEADER);
    prf_digest(&whole, parts, sizeof parts);
    memcpy(file + DIGEST_AT, whole.bytes, sizeof whole.bytes);
}

Test(model, a_forged_body_is_refused_or_answers_but_never_crashes)
{
    enum { ROUNDS = 3000 };
    board_t *b = board(20, 10, 0);
    prf_model_t *m = train_with_energy(b);
    size_t len, accepted = 0;
    uint8_t *bytes = encode(m, &len), *forged = malloc(len);
    uint64_t seed = 77;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(forged, bytes, len);
        /* Half of the rounds aim at the front, where the structure is. */
        size_t reach = round % 2 && len > HEADER + 800 ? 800 : len - HEADER;
        for (uint64_t i = 0, n = 1 + prf_rng_below(&rng, 4); i < n; i++)
            forged[HEADER + prf_rng_below(&rng, reach)] = (uint8_t)prf_rng_u64(&rng);
        size_t cut = round % 5 ? len : HEADER + prf_rng_below(&rng, len - HEADER);
        reseal(forged, cut);
        prf_model_t *got = NULL;
        if (prf_model_decode(&got, forged, cut, NULL) != PRF_OK)
            continue;
        accepted++;
        prf_block_t block = alone(&b->validation[0].layer, PRF_I8);
        prf_estimate_t e;
        (void)!prf_model_estimate(got, &block, NULL, &e, NULL);
        if (prf_model_energy(got))
            (void)!prf_model_estimate(prf_model_energy(got), &block, NULL, &e, NULL);
        prf_model_destroy(&got);
    }
    cr_assert_lt(accepted, ROUNDS, "seed %llu", (unsigned long long)seed);
    free(forged);
    free(bytes);
    prf_model_destroy(&m);
    free(b);
}

Test(model, layers_outside_the_trained_range_are_marked)
{
    board_t *b = board(50, 10, 0);
    prf_model_t *m = train(b);
    prf_observation_t o = {.layer = {.kind = PRF_FC, .p = {[PRF_P_N] = 1, [PRF_P_IN] = 256, [PRF_P_OUT] = 1}}};
    cr_assert_not(estimate(m, &o).outside);
    o.layer.p[PRF_P_IN] = 257;
    cr_assert(estimate(m, &o).outside);
    o.layer.p[PRF_P_IN] = 256;
    o.layer.p[PRF_P_N] = 2;
    cr_assert(estimate(m, &o).outside, "the batch was always 1");
    prf_model_destroy(&m);
    free(b);
}

Test(model, a_following_activation_is_free_and_other_followers_are_added)
{
    board_t *b = board(50, 10, 0);
    prf_model_t *m = train(b);
    prf_block_t block = alone(&b->validation[0].layer, PRF_I8);
    prf_estimate_t one, with, two;
    cr_assert_eq(prf_model_estimate(m, &block, NULL, &one, NULL), PRF_OK);
    block.layers[block.count++] =
        (prf_layer_t){.kind = PRF_ACTIVATION, .p = {[PRF_P_N] = 1, [PRF_P_C] = 1, [PRF_P_H] = 1, [PRF_P_W] = 1}};
    cr_assert(prf_model_covers(m, &block));
    cr_assert_eq(prf_model_estimate(m, &block, NULL, &with, NULL), PRF_OK);
    cr_assert_eq(with.latency_ns, one.latency_ns);
    block.layers[block.count++] = block.layers[0];
    cr_assert_eq(prf_model_estimate(m, &block, NULL, &two, NULL), PRF_OK);
    cr_assert_float_eq(two.latency_ns, 2 * one.latency_ns, 1e-9 * one.latency_ns);
    prf_error_t err = {0};
    block.dtype = PRF_F32;
    cr_assert_not(prf_model_covers(m, &block));
    cr_assert_eq(prf_model_estimate(m, &block, NULL, &two, &err), PRF_EUNSUPPORTED);
    cr_assert(strstr(err.text, "knows no fc of data type f32"), "%s", err.text);
    prf_model_destroy(&m);
    free(b);
}

static void will_not_train(const board_t *b, const char *because)
{
    prf_model_t *m = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_train(&m, &b->input, &err), PRF_EINVAL, "%s", because);
    cr_assert_null(m);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
}

Test(model, impossible_training_data_is_refused)
{
    board_t *b = board(20, 5, 0);
    b->train[3].latency_ns = 0;
    will_not_train(b, "fc layer 3 has a latency of 0 ns");
    b->train[3].latency_ns = NAN;
    will_not_train(b, "use values above zero");
    b->train[3].latency_ns = 1;
    b->train[4].layer = (prf_layer_t){.kind = PRF_SOFTMAX, .p = {[PRF_P_N] = 1, [PRF_P_FEATURES] = 4}};
    will_not_train(b, "is a softmax");
    b->train[4] = b->train[3];
    b->input.extra_count = PRF_MODEL_EXTRAS + 1;
    will_not_train(b, "extra columns: use at most 8");
    b->input.extra_count = 1;
    b->layer.train_count = 3;
    will_not_train(b, "measure at least 4 layers of a kind");
    b->input.layer_count = 0;
    will_not_train(b, "nothing to train on");
    free(b);
}

Test(model, four_layers_are_enough_to_answer)
{
    board_t *b = board(4, 4, 0);
    prf_model_t *m = train(b);
    prf_estimate_t e = estimate(m, &b->train[0]);
    cr_assert(e.latency_ns > 0 && isfinite(e.latency_ns));
    prf_model_destroy(&m);
    free(b);
}

Test(metrics, agree_with_hand_arithmetic)
{
    const double estimated[] = {90, 208, 300, 480}, measured[] = {100, 200, 300, 400};
    prf_metrics_t m;
    prf_metrics_compute(estimated, measured, 4, &m);
    cr_assert_eq(m.count, 4);
    cr_assert_float_eq(m.mape_percent, (10 + 4 + 0 + 20) / 4.0, 1e-9);
    cr_assert_float_eq(m.rmspe_percent, sqrt((100 + 16 + 0 + 400) / 4.0), 1e-9);
    cr_assert_float_eq(m.median_percent, 7, 1e-9);
    cr_assert_float_eq(m.r2, 1 - (100 + 64 + 0 + 6400) / 50000.0, 1e-9);
    cr_assert_float_eq(m.spearman, 1, 1e-9);
    cr_assert_float_eq(m.within_5_percent, 50, 1e-9);
    cr_assert_float_eq(m.within_10_percent, 75, 1e-9);
    const double tied[] = {1, 1, 2, 3}, up[] = {1, 2, 3, 4};
    prf_metrics_compute(tied, up, 4, &m);
    cr_assert_float_eq(m.spearman, 4.5 / sqrt(4.5 * 5), 1e-9);
    prf_metrics_compute(up, up, 0, &m);
    cr_assert_eq(m.count, 0);
    cr_assert(isnan(m.mape_percent));
}
