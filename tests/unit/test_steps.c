// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "boards.h"
#include "pr/steps.h"

enum { TARGET = 150 };

static prf_dim_t range(int32_t lo, int32_t hi)
{
    return (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = lo, .hi = hi};
}

static prf_dim_t tied(prf_param_t source, int32_t divisor)
{
    return (prf_dim_t){.kind = PRF_DIM_TIED, .source = source, .divisor = divisor};
}

/* conv2d with pad: r/2; w: h, or free. */
static prf_space_t conv2d_space(bool square)
{
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_I8};
    s.dims[PRF_P_C] = range(1, 512);
    s.dims[PRF_P_K] = range(1, 512);
    s.dims[PRF_P_H] = range(7, 112);
    s.dims[PRF_P_W] = square ? tied(PRF_P_H, 1) : range(7, 112);
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 2}};
    s.dims[PRF_P_PAD] = tied(PRF_P_R, 2);
    return s;
}

static prf_space_t conv1d_space(void)
{
    prf_space_t s = {.kind = PRF_CONV1D, .dtype = PRF_I8};
    s.dims[PRF_P_C] = range(1, 128);
    s.dims[PRF_P_K] = range(1, 128);
    s.dims[PRF_P_W] = range(16, 128);
    s.dims[PRF_P_F] = range(1, 16);
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 2, 4}};
    s.dims[PRF_P_PAD] = tied(PRF_P_F, 2);
    return s;
}

static prf_space_t fc_space(int32_t largest)
{
    prf_space_t s = {.kind = PRF_FC, .dtype = PRF_I8};
    s.dims[PRF_P_IN] = range(1, largest);
    s.dims[PRF_P_OUT] = range(1, largest);
    return s;
}

static const prf_knowledge_t black = {.kind = PRF_BLACK};

typedef struct {
    prf_steps_t steps;
    size_t points, rounds;
} found_t;

enum { MOST = 4096 };
static prf_layer_t asked[MOST]; /* by the last sweep, in its order */

/* Share of the measurements that a slow state of the board stretches. */
static double slow_share;

/* Sweeps a board whose latencies have `noise` (relative, normal). Every layer asked for must be new and of the space. */
static found_t sweep(board_t board, const prf_space_t *space, const prf_knowledge_t *knowledge, uint32_t budget, double noise,
                     uint64_t seed)
{
    double latency[MOST];
    found_t found = {0};
    prf_sweep_t *self = NULL;
    prf_error_t err = {0};
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 1);
    cr_assert_eq(prf_sweep_new(&self, space, knowledge, budget, seed, &err), PRF_OK, "%s", err.text);
    for (;; found.rounds++) {
        const prf_layer_t *layers;
        size_t count;
        cr_assert_eq(prf_sweep_round(self, &layers, &count, &err), PRF_OK, "%s", err.text);
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++) {
            cr_assert(prf_space_contains(space, &layers[i]));
            for (size_t j = 0; j < found.points; j++)
                cr_assert_not(prf_layer_equal(&asked[j], &layers[i]), "asked for twice");
            cr_assert_lt(found.points, MOST);
            asked[found.points++] = layers[i];
            latency[i] = board(&layers[i]) * (1 + noise * prf_rng_normal(&rng));
            if (slow_share > 0 && prf_rng_double(&rng) < slow_share)
                latency[i] *= 1.2 + 0.25 * prf_rng_double(&rng);
        }
        cr_assert_eq(prf_sweep_feed(self, latency, count, &err), PRF_OK, "%s", err.text);
    }
    prf_sweep_steps(self, &found.steps);
    prf_sweep_destroy(&self);
    return found;
}

typedef struct {
    int32_t c, k, h, w, f, in, out; /* the board's widths; 0 or 1: no steps */
    prf_quantity_t of[2];           /* further steps that it has */
    int32_t further[2];             /* their widths; 0: none */
} expected_t;

enum { SEEDS = 8 };

static bool has_further(const prf_steps_t *steps, prf_quantity_t of, int32_t width)
{
    for (uint32_t i = 0; i < steps->further_count; i++)
        if (steps->further[i].of == of && steps->further[i].width == width)
            return true;
    return false;
}

/* Every further step found must be one of the board's. Returns how many of those were found. */
static int check_further(const char *name, const prf_steps_t *steps, const expected_t *e, uint64_t seed)
{
    for (uint32_t i = 0; i < steps->further_count; i++) {
        const prf_further_step_t *f = &steps->further[i];
        bool right = false;
        for (size_t j = 0; j < 2; j++)
            right = right || (f->of == e->of[j] && f->width == e->further[j]);
        cr_assert(right, "%s, seed %d: found %d in %s (%.3f, share %.3f)", name, (int)seed, f->width, prf_quantity_name(f->of),
                  f->confidence, f->share);
    }
    return (int)steps->further_count;
}

/* Sweeps a board with several seeds. A parameter that has steps must show them (noise: or width 1), one that has none must show
 * none, nor may products of them. Returns how often true widths were found; --verbose prints the figures of docs/steps.md. */
static int expect(const char *name, board_t board, prf_space_t space, expected_t e, double noise)
{
    const struct {
        prf_param_t param;
        int32_t width;
    } each[] = {{PRF_P_C, e.c}, {PRF_P_K, e.k},   {PRF_P_H, e.h},    {PRF_P_W, e.w},
                {PRF_P_F, e.f}, {PRF_P_IN, e.in}, {PRF_P_OUT, e.out}};
    size_t points = 0, most = 0, steps = 0, others = 0;
    int hits = 0, further = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        found_t found = sweep(board, &space, &black, 0, noise, seed);
        points += found.points;
        most = found.points > most ? found.points : most;
        cr_assert_leq(found.points, TARGET, "%s, seed %d: %zu points", name, (int)seed, found.points);
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
            int32_t right = each[i].width > 1 ? each[i].width : 1, width = found.steps.width[each[i].param];
            cr_assert(width == right || (noise > 0 && width == 1), "%s, seed %d, noise %g: width of %s is %d, found %d (%.3f)",
                      name, (int)seed, noise, prf_param_name(each[i].param), right, width, found.steps.confidence[each[i].param]);
            steps += right > 1;
            hits += right > 1 && width == right;
        }
        further += check_further(name, &found.steps, &e, seed);
        others += (size_t)(e.further[0] > 0) + (size_t)(e.further[1] > 0);
    }
    cr_log_info("%s, noise %g: %zu layers on average, %zu at most; %d of %zu widths and %d of %zu further steps found", name, noise,
                points / SEEDS, most, hits, steps, further, others);
    return hits + further;
}

Test(boards, closed_forms_agree_with_published_check_values)
{
    prf_block_t b;
    cr_assert_eq(prf_block_parse(&b, "conv1d c=16 k=24 f=9 w=101 stride=2 pad=4", NULL), PRF_OK);
    cr_assert_eq(board_ultratrail(&b.layers[0]), 4 * 2683);
    cr_assert_eq(prf_block_parse(&b, "conv1d c=16 k=9 f=9 w=101 pad=4", NULL), PRF_OK);
    cr_assert_eq(board_ultratrail(&b.layers[0]), 4 * 3557);
    cr_assert_eq(prf_block_parse(&b, "conv2d c=32 k=65 h=30 r=3", NULL), PRF_OK);
    cr_assert_eq(board_systolic(&b.layers[0]), 26249);
    cr_assert_eq(prf_block_parse(&b, "conv2d c=65 k=64 h=56 r=3 pad=1", NULL), PRF_OK);
    cr_assert_eq(board_vta(&b.layers[0]), 10 * 626804);
    cr_assert_float_eq(board_ncs2(&b.layers[0]), 787464.12, 0.01);
    cr_assert_float_eq(board_zcu102(&b.layers[0]), 246285.66, 0.01);
    cr_assert_eq(prf_block_parse(&b, "conv2d c=512 k=512 h=7 r=3 pad=1", NULL), PRF_OK);
    cr_assert_eq(board_vta(&b.layers[0]), 10 * 2501236);
    cr_assert_eq(prf_block_parse(&b, "conv2d c=64 k=128 h=56 r=1 stride=2", NULL), PRF_OK);
    cr_assert_eq(board_vta(&b.layers[0]), 10 * 61092);
    cr_assert_eq(prf_block_parse(&b, "conv2d c=3 k=64 h=224 r=7 stride=2 pad=3", NULL), PRF_OK);
    cr_assert_eq(board_vta(&b.layers[0]), 10 * 2754804);
    cr_assert_eq(prf_block_parse(&b, "fc in=2048 out=1000", NULL), PRF_OK);
    cr_assert_eq(board_vta(&b.layers[0]), 10 * 265968);
}

/* The five boards. A noise-free sweep finds every width in every seed. */
static const expected_t ultratrail = {.c = 8, .k = 8}, ultratrail_fc = {.in = 8, .out = 8};
static const expected_t systolic = {.k = 32, .of = {PRF_Q_ROWS}, .further = {32}}, systolic_fc = {.out = 32};
static const expected_t vta = {.c = 16, .k = 16}, vta_fc = {.in = 16, .out = 16};
static const expected_t ncs2 = {.c = 32, .k = 32, .of = {PRF_Q_OUT_H}, .further = {63}};
static const expected_t zcu102 = {.c = 16, .k = 16, .h = 8, .of = {PRF_Q_OUT_H}, .further = {8}}, smooth = {0};

Test(steps, ultratrail_steps_by_8_in_c_and_k_and_in_nothing_else)
{
    cr_assert_eq(expect("ultratrail conv1d", board_ultratrail, conv1d_space(), ultratrail, 0), 2 * SEEDS);
    cr_assert_eq(expect("ultratrail fc", board_ultratrail, fc_space(128), ultratrail_fc, 0), 2 * SEEDS);
}

Test(steps, systolic_steps_by_32_in_k_and_in_output_positions)
{
    cr_assert_eq(expect("systolic conv2d", board_systolic, conv2d_space(true), systolic, 0), 2 * SEEDS);
    cr_assert_eq(expect("systolic conv2d, free w", board_systolic, conv2d_space(false), systolic, 0), 2 * SEEDS);
    cr_assert_eq(expect("systolic fc", board_systolic, fc_space(2048), systolic_fc, 0), SEEDS);
}

Test(steps, vta_steps_by_16_in_c_and_k_whatever_its_buffers_do)
{
    cr_assert_eq(expect("vta conv2d", board_vta, conv2d_space(true), vta, 0), 2 * SEEDS);
    cr_assert_eq(expect("vta fc", board_vta, fc_space(2048), vta_fc, 0), 2 * SEEDS);
}

Test(steps, ncs2_steps_by_32_in_c_and_k_and_once_at_an_output_height_of_63)
{
    cr_assert_eq(expect("ncs2 conv2d", board_ncs2, conv2d_space(true), ncs2, 0), 3 * SEEDS);
    cr_assert_eq(expect("ncs2 conv2d, free w", board_ncs2, conv2d_space(false), ncs2, 0), 3 * SEEDS);
}

Test(steps, zcu102_steps_by_16_in_c_and_k_and_by_8_in_output_height)
{
    cr_assert_eq(expect("zcu102 conv2d", board_zcu102, conv2d_space(true), zcu102, 0), 4 * SEEDS);
    cr_assert_eq(expect("zcu102 conv2d, free w", board_zcu102, conv2d_space(false), zcu102, 0), 4 * SEEDS);
}

Test(steps, a_roofline_without_tiles_shows_none)
{
    expect("ncs2 fc", board_ncs2, fc_space(2048), smooth, 0);
    expect("zcu102 fc", board_zcu102, fc_space(2048), smooth, 0);
}

Test(steps, two_percent_of_noise_make_no_false_step_and_hide_few_true_ones)
{
    const double noise = 0.02;
    cr_assert_geq(expect("ultratrail conv1d", board_ultratrail, conv1d_space(), ultratrail, noise), 2 * SEEDS - 1);
    cr_assert_geq(expect("systolic conv2d", board_systolic, conv2d_space(true), systolic, noise), 2 * SEEDS - 1);
    cr_assert_geq(expect("vta conv2d", board_vta, conv2d_space(true), vta, noise), 2 * SEEDS - 1);
    cr_assert_geq(expect("ncs2 conv2d", board_ncs2, conv2d_space(true), ncs2, noise), 2 * SEEDS - 1);
    cr_assert_geq(expect("zcu102 conv2d", board_zcu102, conv2d_space(true), zcu102, noise), 4 * SEEDS - 2);
    cr_assert_geq(expect("vta fc", board_vta, fc_space(2048), vta_fc, noise), 2 * SEEDS - 1);
    cr_assert_geq(expect("systolic fc", board_systolic, fc_space(2048), systolic_fc, noise), SEEDS - 1);
    expect("zcu102 fc", board_zcu102, fc_space(2048), smooth, noise);
}

Test(steps, a_board_that_is_slow_now_and_then_keeps_most_of_its_steps)
{
    slow_share = 0.05;
    cr_assert_geq(expect("vta conv2d", board_vta, conv2d_space(true), vta, 0.02), 2 * SEEDS * 3 / 4);
    cr_assert_geq(expect("vta fc", board_vta, fc_space(2048), vta_fc, 0.02), 2 * SEEDS * 3 / 4);
    cr_assert_geq(expect("zcu102 conv2d", board_zcu102, conv2d_space(true), zcu102, 0.02), 4 * SEEDS * 3 / 4);
}

/* Boards of other kinds than the five: what a sweep looks for must not be what these happen to have. */

static double by_terms(const prf_layer_t *l)
{
    int64_t tiles = (prf_quantity_of(l, PRF_Q_TERMS) + 63) / 64, filters = (l->p[PRF_P_K] + 15) / 16;
    return 1000 + 0.7 * (double)(tiles * filters * prf_quantity_of(l, PRF_Q_ROWS));
}

Test(steps, the_terms_of_a_sum_can_step_where_channels_do_not)
{
    expect("64 terms", by_terms, conv2d_space(true), (expected_t){.k = 16, .of = {PRF_Q_TERMS}, .further = {64}}, 0);
}

static double nested(const prf_layer_t *l)
{
    int32_t in = (l->p[PRF_P_IN] + 7) / 8, out = l->p[PRF_P_OUT];
    return 300.0 + in * (3 * ((out + 15) / 16) + 8 * ((out + 63) / 64));
}

Test(steps, of_nested_widths_the_inner_one_maps_and_the_outer_one_is_told)
{
    expected_t e = {.in = 8, .out = 16, .of = {PRF_P_OUT}, .further = {64}};
    cr_assert_eq(expect("16 within 64", nested, fc_space(2048), e, 0), 3 * SEEDS);
}

static double by_output_rows(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    return 500 + 1e-3 * (double)((out.h + 7) / 8 * 8 * out.w * l->p[PRF_P_C] * l->p[PRF_P_K]);
}

Test(steps, without_padding_tiles_of_output_rows_are_told_and_map_nothing)
{
    prf_space_t s = conv2d_space(true);
    s.dims[PRF_P_R] = range(3, 3);
    s.dims[PRF_P_PAD] = range(0, 0);
    s.dims[PRF_P_STRIDE] = range(1, 1);
    expected_t e = {.of = {PRF_Q_OUT_H}, .further = {8}};
    cr_assert_eq(expect("8 output rows, no padding", by_output_rows, s, e, 0), SEEDS);
}

static double two_tiles(const prf_layer_t *l)
{
    return 700 + 96.0 * ((l->p[PRF_P_IN] + 31) / 32) * (l->p[PRF_P_OUT] + 3);
}

Test(steps, a_single_edge_between_level_tiles_is_a_width_of_lower_confidence)
{
    prf_space_t s = fc_space(64);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        found_t found = sweep(two_tiles, &s, &black, 0, 0, seed);
        cr_assert_eq(found.steps.width[PRF_P_IN], 32, "seed %d: %d", (int)seed, found.steps.width[PRF_P_IN]);
        cr_assert_lt(found.steps.confidence[PRF_P_IN], 0.95);
        cr_assert_eq(found.steps.width[PRF_P_OUT], 1);
    }
}

static double other_kernel(const prf_layer_t *l)
{
    int32_t out = l->p[PRF_P_OUT];
    return 1500 + 3.0 * l->p[PRF_P_IN] * (out >= 200 ? 0.8 * out + 90 : out);
}

Test(steps, another_kernel_from_some_size_on_is_no_step)
{
    expect("another kernel", other_kernel, fc_space(2048), smooth, 0);
    prf_space_t s = fc_space(2048);
    for (uint64_t seed = 33; seed <= 38; seed++) { /* the first and the last look like steps of 199 but for the other edges */
        found_t found = sweep(other_kernel, &s, &black, 0, 0.05, seed);
        cr_assert_eq(found.steps.width[PRF_P_OUT], 1, "seed %d: %d", (int)seed, found.steps.width[PRF_P_OUT]);
    }
}

static double faster_at_64(const prf_layer_t *l)
{
    int32_t out = l->p[PRF_P_OUT];
    return 100 + l->p[PRF_P_IN] * ((out + 15) / 16 * 16) * (out % 64 == 0 ? 0.9 : 1);
}

Test(steps, sizes_that_are_faster_than_their_tile_do_not_hide_it)
{
    expected_t e = {.out = 16};
    cr_assert_eq(expect("multiples of 64 are faster", faster_at_64, fc_space(2048), e, 0), SEEDS);
    cr_assert_geq(expect("multiples of 64 are faster", faster_at_64, fc_space(2048), e, 0.02), SEEDS - 1);
}

static double noise_only(const prf_layer_t *layer)
{
    (void)layer;
    return 1000;
}

Test(steps, strong_noise_gives_width_1)
{
    prf_space_t s = conv2d_space(true);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        found_t found = sweep(noise_only, &s, &black, 0, 0.2, seed);
        for (int i = 0; i < PRF_PARAMS; i++)
            cr_assert_eq(found.steps.width[i], 1, "seed %d: %s", (int)seed, prf_param_name((prf_param_t)i));
        cr_assert_leq(found.points, TARGET);
    }
}

static double odd_tiles(const prf_layer_t *l)
{
    int32_t in_tiles = (l->p[PRF_P_IN] + 26) / 27, out_edge = (l->p[PRF_P_OUT] + 199) / 200 * 200;
    return 500 + 7.0 * in_tiles * (out_edge + l->p[PRF_P_OUT]);
}

Test(steps, any_width_up_to_256_is_found_not_only_powers_of_two)
{
    prf_space_t s = fc_space(4096);
    found_t found = sweep(odd_tiles, &s, &black, 0, 0, 3);
    cr_assert_eq(found.steps.width[PRF_P_IN], 27, "%d", found.steps.width[PRF_P_IN]);
    cr_assert_eq(found.steps.width[PRF_P_OUT], 200, "%d", found.steps.width[PRF_P_OUT]);
}

Test(steps, white_knowledge_is_the_answer_and_measures_nothing)
{
    prf_space_t s = conv1d_space();
    prf_knowledge_t white = {.kind = PRF_WHITE};
    white.width[PRF_P_C] = 8;
    white.width[PRF_P_STRIDE] = 2;
    found_t found = sweep(board_ultratrail, &s, &white, 0, 0, 1);
    cr_assert_eq(found.points, 0);
    cr_assert_eq(found.steps.width[PRF_P_C], 8);
    cr_assert_eq(found.steps.width[PRF_P_K], 1);
    cr_assert_eq(found.steps.width[PRF_P_STRIDE], 1, "a discrete parameter has no steps");
    cr_assert_eq(found.steps.confidence[PRF_P_C], 1);
}

Test(steps, grey_knowledge_chooses_among_candidates_with_fewer_points)
{
    prf_space_t s = conv1d_space();
    prf_knowledge_t grey = {.kind = PRF_GREY};
    grey.width[PRF_P_C] = 8;
    grey.candidate_count[PRF_P_K] = 3;
    memcpy(grey.candidates[PRF_P_K], (int32_t[]){4, 8, 16}, 3 * sizeof(int32_t));
    grey.width[PRF_P_F] = 1;
    grey.candidate_count[PRF_P_W] = 2;
    memcpy(grey.candidates[PRF_P_W], (int32_t[]){16, 32}, 2 * sizeof(int32_t));
    found_t found = sweep(board_ultratrail, &s, &grey, 0, 0, 1), all = sweep(board_ultratrail, &s, &black, 0, 0, 1);
    cr_assert_eq(found.steps.width[PRF_P_C], 8);
    cr_assert_eq(found.steps.width[PRF_P_K], 8);
    cr_assert_eq(found.steps.width[PRF_P_W], 1, "none of the candidates");
    cr_assert_lt(found.points, 2 * all.points / 3);
}

Test(steps, the_same_latencies_lead_to_the_same_requests)
{
    static prf_layer_t first[MOST];
    prf_space_t s = conv2d_space(true);
    found_t one = sweep(board_ncs2, &s, &black, 0, 0.01, 4);
    memcpy(first, asked, sizeof first);
    found_t two = sweep(board_ncs2, &s, &black, 0, 0.01, 4);
    cr_assert_eq(one.points, two.points);
    for (size_t i = 0; i < one.points; i++)
        cr_assert(prf_layer_equal(&first[i], &asked[i]), "request %zu", i);
    for (int i = 0; i < PRF_PARAMS; i++) {
        cr_assert_eq(one.steps.width[i], two.steps.width[i]);
        cr_assert_eq(one.steps.confidence[i], two.steps.confidence[i]);
    }
}

Test(steps, a_budget_is_never_exceeded)
{
    prf_space_t s = conv2d_space(false);
    for (uint32_t budget = 1; budget < 120; budget += 7)
        cr_assert_leq(sweep(board_vta, &s, &black, budget, 0.01, 1).points, budget);
}

Test(steps, a_small_budget_finds_the_clear_widths_on_one_curve_each)
{
    prf_space_t s = conv2d_space(true);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        found_t found = sweep(board_zcu102, &s, &black, 30, 0, seed);
        cr_assert_eq(found.steps.width[PRF_P_C], 16, "%d", found.steps.width[PRF_P_C]);
        cr_assert_eq(found.steps.width[PRF_P_K], 16, "%d", found.steps.width[PRF_P_K]);
        cr_assert_eq(found.steps.width[PRF_P_H], 8, "%d", found.steps.width[PRF_P_H]);
        cr_assert_lt(found.steps.confidence[PRF_P_H], 0.98, "not confirmed");
        found = sweep(board_systolic, &s, &black, 30, 0, seed);
        cr_assert_eq(found.steps.width[PRF_P_K], 32, "%d", found.steps.width[PRF_P_K]);
        cr_assert(has_further(&found.steps, PRF_Q_ROWS, 32));
    }
}

Test(steps, what_a_budget_cannot_tell_is_not_begun)
{
    prf_space_t s = conv2d_space(true);
    found_t found = sweep(board_zcu102, &s, &black, 18, 0, 1);
    cr_assert_eq(found.steps.width[PRF_P_C], 16, "%d", found.steps.width[PRF_P_C]);
    cr_assert_eq(found.steps.width[PRF_P_H], 1);
    cr_assert_eq(found.steps.confidence[PRF_P_H], 0, "not looked at");
    cr_assert_eq(sweep(board_zcu102, &s, &black, 8, 0, 1).points, 0);
}

Test(steps, a_limit_on_macs_does_not_hide_the_steps)
{
    prf_space_t s = conv2d_space(true);
    s.max_macs = 2e8;
    cr_assert_eq(expect("zcu102 conv2d to 200 million MACs", board_zcu102, s, zcu102, 0), 4 * SEEDS);
    s.max_macs = 250e6; /* heights as a list: the largest would leave no room for channels */
    s.dims[PRF_P_C] = range(3, 1024);
    s.dims[PRF_P_K] = range(16, 1280);
    s.dims[PRF_P_C].log = s.dims[PRF_P_K].log = true;
    s.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 6, .values = {7, 14, 28, 56, 112, 224}};
    expect("zcu102 conv2d, heights listed", board_zcu102, s, (expected_t){.c = 16, .k = 16}, 0);
    expect("systolic conv2d, heights listed", board_systolic, s, (expected_t){.k = 32}, 0);
}

static double broken(const prf_layer_t *layer)
{
    return layer->p[PRF_P_C] % 3 == 0 ? NAN : layer->p[PRF_P_C] % 3 == 1 ? board_ultratrail(layer) : -1;
}

Test(steps, layers_that_could_not_be_measured_end_the_sweep_all_the_same)
{
    prf_space_t s = conv1d_space();
    found_t found = sweep(broken, &s, &black, 0, 0, 1);
    cr_assert_leq(found.points, TARGET);
    s.dims[PRF_P_C] = range(1, 20); /* a window that is soon used up */
    found = sweep(broken, &s, &black, 100000, 0, 1);
    cr_assert_lt(found.points, 1000);
}

Test(steps, rounds_and_feeds_out_of_order_and_wrong_knowledge_are_refused)
{
    prf_space_t s = conv1d_space();
    prf_sweep_t *self = NULL;
    prf_error_t err = {0};
    prf_knowledge_t bad = {.kind = PRF_GREY};
    bad.candidate_count[PRF_P_C] = PRF_STEP_CANDIDATES + 1;
    cr_assert_eq(prf_sweep_new(&self, &s, &bad, 0, 1, &err), PRF_EINVAL);
    bad.candidate_count[PRF_P_C] = 1;
    cr_assert_eq(prf_sweep_new(&self, &s, &bad, 0, 1, &err), PRF_EINVAL, "candidate 0");
    bad = (prf_knowledge_t){.kind = (prf_knowledge_kind_t)9};
    cr_assert_eq(prf_sweep_new(&self, &s, &bad, 0, 1, &err), PRF_EINVAL);
    cr_assert_eq(prf_sweep_new(&self, &s, &black, UINT32_MAX, 1, &err), PRF_EINVAL);
    cr_assert_null(self);
    cr_assert_eq(prf_sweep_new(&self, &s, &black, 0, 1, &err), PRF_OK);
    const prf_layer_t *layers;
    size_t count;
    double latency[1] = {1};
    cr_assert_eq(prf_sweep_feed(self, latency, 1, &err), PRF_EINVAL, "nothing was asked");
    cr_assert_eq(prf_sweep_round(self, &layers, &count, &err), PRF_OK);
    cr_assert_eq(prf_sweep_round(self, &layers, &count, &err), PRF_EINVAL, "not fed yet");
    cr_assert_eq(prf_sweep_feed(self, latency, 1, &err), PRF_EINVAL, "too few");
    prf_sweep_destroy(&self);
    cr_assert_null(self);
    prf_sweep_destroy(&self);
}

static prf_layer_t conv2d(int32_t c, int32_t k, int32_t h, int32_t r)
{
    prf_space_t s = conv2d_space(true);
    prf_layer_t l;
    prf_layer_init(&l, PRF_CONV2D);
    l.p[PRF_P_C] = c, l.p[PRF_P_K] = k, l.p[PRF_P_H] = h, l.p[PRF_P_R] = r, l.p[PRF_P_STRIDE] = 1;
    cr_assert_eq(prf_space_resolve(&s, &l, NULL), PRF_OK);
    return l;
}

Test(map, each_parameter_goes_to_its_right_edge_or_the_upper_bound_and_ties_follow)
{
    prf_space_t s = conv2d_space(true);
    s.dims[PRF_P_K] = range(1, 500);
    prf_steps_t steps;
    prf_steps_none(&steps);
    steps.width[PRF_P_C] = 16, steps.width[PRF_P_K] = 64, steps.width[PRF_P_H] = 8, steps.width[PRF_P_R] = 4;
    prf_layer_t l = conv2d(17, 450, 50, 3);
    prf_steps_map(&steps, &s, &l);
    cr_assert_eq(l.p[PRF_P_C], 32);
    cr_assert_eq(l.p[PRF_P_K], 500, "the upper bound");
    cr_assert_eq(l.p[PRF_P_H], 56);
    cr_assert_eq(l.p[PRF_P_W], 56, "tied to h");
    cr_assert_eq(l.p[PRF_P_R], 3, "discrete");
    cr_assert_eq(l.p[PRF_P_PAD], 1);
    prf_layer_t again = l;
    prf_steps_map(&steps, &s, &again);
    cr_assert(prf_layer_equal(&again, &l), "a representative maps to itself");
    prf_steps_none(&steps);
    l = again = conv2d(17, 33, 50, 3);
    prf_steps_map(&steps, &s, &l);
    cr_assert(prf_layer_equal(&again, &l));
}

Test(map, a_layer_stays_where_its_representative_cannot_exist)
{
    prf_space_t s = conv2d_space(true);
    prf_steps_t steps;
    prf_steps_none(&steps);
    steps.width[PRF_P_C] = 256;
    prf_layer_t l = conv2d(10, 10, 50, 3), before = l;
    s.max_macs = 2 * prf_layer_macs(&l);
    prf_steps_map(&steps, &s, &l);
    cr_assert(prf_layer_equal(&before, &l));
    l.kind = before.kind = PRF_FC;
    prf_steps_map(&steps, &s, &l);
    cr_assert(prf_layer_equal(&before, &l), "another kind");
}

Test(map, a_layer_of_a_network_keeps_what_does_not_follow_the_ties_of_the_space)
{
    prf_space_t s = conv2d_space(true);
    prf_steps_t steps;
    prf_steps_none(&steps);
    steps.width[PRF_P_C] = 16, steps.width[PRF_P_H] = 8;
    prf_layer_t l = conv2d(3, 64, 50, 3);
    l.p[PRF_P_W] = 37, l.p[PRF_P_PAD] = 0;
    prf_steps_map(&steps, &s, &l);
    cr_assert_eq(l.p[PRF_P_C], 16);
    cr_assert_eq(l.p[PRF_P_H], 56);
    cr_assert_eq(l.p[PRF_P_W], 37);
    cr_assert_eq(l.p[PRF_P_PAD], 0);
    l.p[PRF_P_C] = 1500;
    prf_steps_map(&steps, &s, &l);
    cr_assert_eq(l.p[PRF_P_C], 1504, "beyond the range, not pulled back to its bound");
}

Test(map, channels_of_a_depthwise_layer_move_together)
{
    prf_space_t s = {.kind = PRF_DWCONV2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = range(1, 512);
    s.dims[PRF_P_H] = range(7, 112);
    s.dims[PRF_P_R] = range(3, 3);
    prf_steps_t steps;
    prf_steps_none(&steps);
    steps.width[PRF_P_C] = 16;
    prf_layer_t l;
    prf_layer_init(&l, PRF_DWCONV2D);
    l.p[PRF_P_C] = 33, l.p[PRF_P_H] = 14;
    cr_assert_eq(prf_space_resolve(&s, &l, NULL), PRF_OK);
    prf_steps_map(&steps, &s, &l);
    cr_assert_eq(l.p[PRF_P_C], 48);
    cr_assert_eq(l.p[PRF_P_K], 48);
    cr_assert_eq(l.p[PRF_P_GROUPS], 48);
}
