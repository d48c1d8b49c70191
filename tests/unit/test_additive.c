// SPDX-License-Identifier: Apache-2.0
/* Sums of terms: quantities of layers, least squares, and finding terms and widths of boards made up here. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/additive.h"
#include "model/select.h"
#include "model/train.h"

/* --- quantities ------------------------------------------------------------------------------------------------------ */

static prf_layer_t layer(const char *text)
{
    prf_block_t b;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&b, text, &err), PRF_OK, "%s: %s", text, err.text);
    return b.layers[0];
}

static double quantity(const char *text, size_t which)
{
    prf_layer_t l = layer(text);
    prf_recipe_t recipe = {.kind = l.kind, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = recipe.width[PRF_P_K] = 16;
    double q[PRF_QUANTITIES];
    prf_quantities_compute(&recipe, &l, NULL, q);
    for (size_t i = 0; i < PRF_QUANTITIES; i++)
        cr_assert(isfinite(q[i]), "%s: %s", text, prf_quantities_name(i));
    return q[which];
}

/* Counted one by one. */
static double used_taps(int in, int out, int kernel, int stride, int pad, int dilation)
{
    int used = 0;
    for (int o = 0; o < out; o++)
        for (int t = 0; t < kernel; t++) {
            int at = o * stride - pad + t * dilation;
            used += at >= 0 && at < in;
        }
    return used;
}

Test(additive, taps_on_the_padding_are_told_from_those_on_the_input)
{
    cr_assert_eq(quantity("conv1d c=3 k=5 w=101 f=9 stride=2 pad=4", PRF_Q_USED_TAPS), used_taps(101, 51, 9, 2, 4, 1));
    cr_assert_eq(quantity("conv1d c=3 k=5 w=4 f=9 stride=3 pad=8", PRF_Q_USED_TAPS), used_taps(4, 4, 9, 3, 8, 1));
    cr_assert_eq(quantity("conv2d n=2 c=3 k=5 h=9 w=14 r=3 s=5 stride=2 pad=2 dilation=2", PRF_Q_USED_TAPS),
                 2 * used_taps(9, 5, 3, 2, 2, 2) * used_taps(14, 5, 5, 2, 2, 2));
    cr_assert_eq(quantity("conv2d c=3 k=5 h=9 r=3", PRF_Q_USED_TAPS), 49 * 9, "without padding all of them");
}

Test(additive, quantities_of_a_layer_agree_with_hand_arithmetic)
{
    const char *conv = "conv2d n=2 c=20 k=33 h=10 w=12 r=3 s=3 stride=2 pad=1";
    cr_assert_eq(quantity(conv, PRF_Q_ROWS), 2 * 5 * 6);
    cr_assert_eq(quantity(conv, PRF_Q_TERMS), 20 * 9);
    cr_assert_eq(quantity(conv, PRF_Q_FILLED_WEIGHTS), 32 * 48 * 9);
    cr_assert_eq(quantity(conv, PRF_Q_FILLED_INPUTS), 2 * 32 * 10 * 12);
    cr_assert_eq(quantity(conv, PRF_Q_REST), (10 + 2 - 3) % 2 + (12 + 2 - 3) % 2);
    cr_assert_eq(quantity("matmul b=3 m=5 n=7 k=11", PRF_Q_ROWS), 15);
    cr_assert_eq(quantity("matmul b=3 m=5 n=7 k=11", PRF_Q_COLUMNS), 7);
    cr_assert_eq(quantity("matmul b=3 m=5 n=7 k=11", PRF_Q_CHANNELS), 11);
    cr_assert_eq(quantity("fc in=7 out=9", PRF_Q_ROWS), 1);
    cr_assert_eq(quantity("maxpool2d c=4 h=8 r=2", PRF_Q_TAPS), 4);
}

/* --- least squares --------------------------------------------------------------------------------------------------- */

Test(additive, nonnegative_least_squares_solves_a_case_worked_by_hand)
{
    /* Columns (1,0,0), (1,1,0), (0,0,1); target (1,-1,2). Unbounded the weights are 2, -1, 2; kept from falling below zero the
     * second column leaves, and the first is 1. */
    const double values[] = {1, 0, 0, 1, 1, 0, 0, 0, 1}, target[] = {1, -1, 2};
    prf_columns_t columns = {3, 3, values, target};
    prf_choice_t c;
    cr_assert_eq(prf_select_nonnegative(&c, &columns, 3, NULL), PRF_OK);
    double weight[3] = {0};
    for (uint32_t i = 0; i < c.count; i++)
        weight[c.column[i]] = c.weight[i];
    cr_assert_float_eq(weight[0], 1, 1e-12);
    cr_assert_eq(weight[1], 0);
    cr_assert_float_eq(weight[2], 2, 1e-12);
    cr_assert_float_eq(c.squares, 1, 1e-12);
    cr_assert_eq(prf_select_forward(&c, &columns, 3, NULL), PRF_OK);
    for (uint32_t i = 0; i < c.count; i++)
        cr_assert_float_eq(c.weight[i], ((double[]){2, -1, 2})[c.column[i]], 1e-12);
}

/* The Karush-Kuhn-Tucker conditions, which only the solution fulfils: no column left out points downhill. */
Test(additive, nonnegative_least_squares_ends_where_no_column_helps)
{
    enum { ROWS = 60, COLUMNS = 30 };
    double values[ROWS * COLUMNS], target[ROWS], rest[ROWS];
    prf_rng_t rng;
    prf_rng_init(&rng, 11, 0);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = prf_rng_double(&rng);
    for (size_t i = 0; i < ROWS; i++)
        target[i] = rest[i] = 2 * prf_rng_double(&rng);
    prf_columns_t columns = {ROWS, COLUMNS, values, target};
    prf_choice_t c;
    cr_assert_eq(prf_select_nonnegative(&c, &columns, PRF_CHOSEN, NULL), PRF_OK);
    cr_assert_gt(c.count, 3);
    for (uint32_t i = 0; i < c.count; i++) {
        cr_assert_gt(c.weight[i], 0);
        for (size_t k = 0; k < ROWS; k++)
            rest[k] -= c.weight[i] * values[c.column[i] * ROWS + k];
    }
    for (size_t j = 0; j < COLUMNS; j++) {
        double slope = 0;
        for (size_t k = 0; k < ROWS; k++)
            slope += values[j * ROWS + k] * rest[k];
        cr_assert_lt(slope, 1e-9, "column %zu would still help", j);
    }
}

Test(additive, pruning_gives_up_what_explains_noise_only)
{
    enum { ROWS = 200, COLUMNS = 20 };
    double values[ROWS * COLUMNS], target[ROWS];
    prf_rng_t rng;
    prf_rng_init(&rng, 12, 0);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = prf_rng_double(&rng);
    for (size_t i = 0; i < ROWS; i++)
        target[i] = 3 * values[4 * ROWS + i] - 2 * values[9 * ROWS + i] + 0.01 * prf_rng_normal(&rng);
    prf_columns_t columns = {ROWS, COLUMNS, values, target};
    prf_choice_t c;
    cr_assert_eq(prf_select_forward(&c, &columns, 12, NULL), PRF_OK);
    cr_assert_eq(c.count, 12);
    cr_assert_eq(prf_select_prune(&c, &columns, NULL), PRF_OK);
    cr_assert_eq(c.count, 2);
    cr_assert_eq(c.column[0] + c.column[1], 13);
}

/* --- boards ---------------------------------------------------------------------------------------------------------- */

enum { MOST = 400, UNSEEN = 200 };

typedef double (*board_fn)(const prf_layer_t *layer);

static prf_space_t conv_space(void)
{
    static const prf_dim_t channels = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 256, .log = true};
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = s.dims[PRF_P_K] = channels;
    s.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = 7, .hi = 60};
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 2}};
    s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    return s;
}

typedef struct {
    prf_dataset_t data;
    prf_observation_t unseen[UNSEEN];
} trial_t;

/* `slow`: share of the measurements that a slow state of the board stretches by 40 %. */
static trial_t *measure_in(const prf_space_t *space, board_fn board, const prf_recipe_t *recipe, size_t count, double noise,
                           double slow)
{
    trial_t *t = calloc(1, sizeof *t);
    prf_rng_t rng;
    prf_layer_t l;
    prf_steps_t steps;
    prf_rng_init(&rng, 31, 0);
    prf_steps_none(&steps);
    cr_assert_eq(prf_dataset_init(&t->data, recipe, &steps, count, NULL), PRF_OK);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(prf_space_draw(space, &rng, &l, NULL), PRF_OK);
        double ns = board(&l) * exp(noise * prf_rng_normal(&rng)) * (prf_rng_double(&rng) < slow ? 1.4 : 1);
        prf_dataset_set(&t->data, i, &l, NULL, ns);
    }
    for (size_t i = 0; i < UNSEEN; i++) {
        cr_assert_eq(prf_space_draw(space, &rng, &t->unseen[i].layer, NULL), PRF_OK);
        t->unseen[i].latency_ns = board(&t->unseen[i].layer);
    }
    return t;
}

static trial_t *measure(board_fn board, const prf_recipe_t *recipe, size_t count, double noise, double slow)
{
    prf_space_t space = conv_space();
    return measure_in(&space, board, recipe, count, noise, slow);
}

static double worst_error(const trial_t *t, const prf_terms_t *terms, double *mean)
{
    double worst = 0;
    *mean = 0;
    for (size_t i = 0; i < UNSEEN; i++) {
        double q[PRF_QUANTITIES];
        prf_quantities_compute(&t->data.recipe, &t->unseen[i].layer, NULL, q);
        double error = fabs(prf_terms_ns(terms, q) / t->unseen[i].latency_ns - 1);
        worst = fmax(worst, error);
        *mean += error / UNSEEN;
    }
    return worst;
}

static void release(trial_t *t, prf_terms_t terms[PRF_ADDITIVES])
{
    for (int i = 0; i < PRF_ADDITIVES; i++)
        prf_terms_release(&terms[i]);
    prf_dataset_release(&t->data);
    free(t);
}

static void fit(prf_terms_t terms[PRF_ADDITIVES], const trial_t *t)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_additive_fit(terms, &t->data, &err), PRF_OK, "%s", err.text);
}

static bool uses(const prf_terms_t *terms, prf_quantity_t quantity, double width)
{
    for (uint32_t i = 0; i < terms->count[0]; i++)
        for (uint32_t f = 0; f < terms->terms[i].factor_count; f++) {
            const prf_factor_t *factor = &terms->terms[i].factors[f];
            if (factor->quantity == quantity && factor->form == PRF_FACTOR_TILES && factor->argument == width)
                return true;
        }
    return false;
}

static double positions(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    return (double)(out.h * out.w);
}

/* Tiles of 12 channels and 24 filters; loads its weights once. */
static double tiled(const prf_layer_t *l)
{
    return 900 + 3 * ceil(l->p[PRF_P_C] / 12.0) * ceil(l->p[PRF_P_K] / 24.0) * positions(l) * l->p[PRF_P_R] * l->p[PRF_P_R] +
           0.25 * prf_layer_weights(l);
}

Test(additive, a_board_of_tiles_is_found_exactly_from_80_layers)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = 12;
    recipe.width[PRF_P_K] = 24;
    trial_t *t = measure(tiled, &recipe, 80, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    cr_assert_lt(worst_error(t, &terms[PRF_ADDITIVE_POSITIVE], &mean), 1e-9);
    cr_assert_eq(terms[PRF_ADDITIVE_POSITIVE].count[0], 3);
    release(t, terms);
}

/* Steps in the output positions taken together, which no sweep of a parameter shows, and filters that nobody swept. */
static double joint(const prf_layer_t *l)
{
    return 50 + 7 * ceil(positions(l) / 40) * ceil(l->p[PRF_P_K] / 20.0) * (l->p[PRF_P_C] * l->p[PRF_P_R] * l->p[PRF_P_R] + 9.0);
}

Test(additive, widths_that_no_sweep_found_are_found_in_the_sample)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    trial_t *t = measure(joint, &recipe, 200, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    cr_assert_lt(worst_error(t, &terms[PRF_ADDITIVE_POSITIVE], &mean), 1e-9);
    cr_assert(uses(&terms[PRF_ADDITIVE_POSITIVE], PRF_Q_ROWS, 40));
    cr_assert(uses(&terms[PRF_ADDITIVE_POSITIVE], PRF_Q_COLUMNS, 20));
    release(t, terms);
}

static double overlapped(const prf_layer_t *l)
{
    return fmax(tiled(l), 2 * prf_layer_bytes(l, PRF_F32) / 4 + 300);
}

Test(additive, computing_or_moving_data_whichever_takes_longer)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = 12;
    recipe.width[PRF_P_K] = 24;
    trial_t *t = measure(overlapped, &recipe, 250, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean, with_one;
    fit(terms, t);
    worst_error(t, &terms[PRF_ADDITIVE_POSITIVE], &with_one);
    cr_assert_gt(with_one, 0.01, "one sum cannot be both: %g", with_one);
    worst_error(t, &terms[PRF_ADDITIVE_MAX_POSITIVE], &mean);
    cr_assert_lt(mean, 1e-9);
    release(t, terms);
}

/* Tiles of 16 by 6 that take nearly as long as their weights: which width a tile has shows in few layers. */
static double narrow_port(const prf_layer_t *l)
{
    double tiles = ceil(l->p[PRF_P_IN] / 16.0) * ceil(l->p[PRF_P_OUT] / 6.0);
    return 700 + 2 * fmax(13 * tiles, (double)prf_layer_bytes(l, PRF_I8) / 6);
}

Test(additive, widths_that_help_few_layers_each_are_found)
{
    static const prf_dim_t features = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 2048, .log = true};
    prf_space_t space = {.kind = PRF_FC, .dtype = PRF_I8};
    prf_recipe_t recipe = {.kind = PRF_FC, .dtype = PRF_I8};
    space.dims[PRF_P_IN] = space.dims[PRF_P_OUT] = features;
    trial_t *t = measure_in(&space, narrow_port, &recipe, 200, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    worst_error(t, &terms[PRF_ADDITIVE_MAX_POSITIVE], &mean);
    cr_assert_lt(mean, 1e-6, "%g", mean);
    release(t, terms);
}

Test(additive, where_there_are_too_few_layers_for_two_sums_one_stands_for_both)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    trial_t *t = measure(overlapped, &recipe, 12, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    fit(terms, t);
    for (int one = PRF_ADDITIVE_POSITIVE, both = PRF_ADDITIVE_MAX_POSITIVE; both < PRF_ADDITIVES; one++, both++) {
        double with_one, with_both;
        cr_assert_eq(terms[both].count[1], 0);
        worst_error(t, &terms[one], &with_one);
        worst_error(t, &terms[both], &with_both);
        cr_assert_eq(with_one, with_both, "a fold that is left out would make a candidate look better than it is");
    }
    release(t, terms);
}

/* Does nothing for taps on the padding: a sum needs to know them, or a negative term. */
static double skipping(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    int kernel = l->p[PRF_P_R], stride = l->p[PRF_P_STRIDE], pad = l->p[PRF_P_PAD];
    double rows = used_taps(l->p[PRF_P_H], (int)out.h, kernel, stride, pad, 1);
    return 2 * ceil(l->p[PRF_P_C] / 8.0) * ceil(l->p[PRF_P_K] / 8.0) * rows * rows - 1;
}

Test(additive, padding_that_is_skipped_and_negative_terms_are_found)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = recipe.width[PRF_P_K] = 8;
    trial_t *t = measure(skipping, &recipe, 100, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    cr_assert_lt(worst_error(t, &terms[PRF_ADDITIVE_SIGNED], &mean), 1e-9);
    release(t, terms);
}

Test(additive, slow_states_pull_the_estimate_little)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = 12;
    recipe.width[PRF_P_K] = 24;
    trial_t *t = measure(tiled, &recipe, MOST, 0.02, 0.05);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    worst_error(t, &terms[PRF_ADDITIVE_POSITIVE], &mean);
    cr_assert_lt(mean, 0.01, "off by %g from the board without noise", mean);
    release(t, terms);
}

Test(additive, a_blocking_cuts_a_layer_into_pieces_that_fit)
{
    prf_layer_t l = layer("conv2d c=60 k=100 h=16 r=3 pad=1");
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    recipe.width[PRF_P_C] = recipe.width[PRF_P_K] = 16;
    double q[PRF_QUANTITIES];
    prf_quantities_compute(&recipe, &l, NULL, q);
    /* A line of one channel needs 3 x 18 inputs: 3072 hold 48 of 64 channels, and of those 3 input lines, so one line of output.
     * Then 144 x 48 weights and 16 outputs a column: 16384 weights hold 37 columns, in steps of 16 32. */
    prf_blocking_t b = {PRF_ORDER_CHANNELS_FIRST, {3072, 16384, 4096}, 16, 16};
    prf_blocking_apply(&b, q);
    cr_assert_eq(q[PRF_Q_PIECES_OF_CHANNELS], 2);
    cr_assert_eq(q[PRF_Q_PIECES_OF_LINES], 16);
    cr_assert_eq(q[PRF_Q_PIECES_OF_COLUMNS], 4);
    cr_assert_eq(q[PRF_Q_LOADED_LINES], 48);
    /* 16 channels x 18 positions: 10 input lines, 8 of output; 16 channels fill what is left. */
    b.order = PRF_ORDER_LINES_FIRST;
    prf_blocking_apply(&b, q);
    cr_assert_eq(q[PRF_Q_PIECES_OF_CHANNELS], 4);
    cr_assert_eq(q[PRF_Q_PIECES_OF_LINES], 2);
    cr_assert_eq(q[PRF_Q_LOADED_LINES], 20);
    b = (prf_blocking_t){PRF_ORDER_LINES_FIRST, {INFINITY, INFINITY, INFINITY}, 16, 16};
    prf_blocking_apply(&b, q);
    cr_assert_eq(q[PRF_Q_PIECES_OF_CHANNELS] * q[PRF_Q_PIECES_OF_LINES] * q[PRF_Q_PIECES_OF_COLUMNS], 1);
}

/* Keeps whole lines of 1,024 inputs and reloads the weights for each piece of them; sets up each piece. */
static double scratchpad(const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    double span = (double)(out.w - 1) * l->p[PRF_P_STRIDE] + l->p[PRF_P_R];
    double input_lines = floor(1024 / span);
    double lines = fmin((double)out.h, fmax(floor((input_lines - l->p[PRF_P_R]) / l->p[PRF_P_STRIDE]) + 1, 1));
    double pieces = ceil((double)out.h / lines);
    return 400 + prf_layer_macs(l) / 64 + 0.5 * pieces * prf_layer_weights(l) + 90 * pieces;
}

Test(additive, buffers_that_are_too_small_for_a_layer_are_found)
{
    prf_recipe_t recipe = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    trial_t *t = measure(scratchpad, &recipe, 250, 0, 0);
    prf_terms_t terms[PRF_ADDITIVES];
    double mean;
    fit(terms, t);
    worst_error(t, &terms[PRF_ADDITIVE_POSITIVE], &mean);
    cr_assert_lt(mean, 1e-4, "%g", mean);
    cr_assert_eq(terms[PRF_ADDITIVE_POSITIVE].blocking.order, PRF_ORDER_LINES_FIRST);
    cr_assert_eq(terms[PRF_ADDITIVE_POSITIVE].blocking.elements[PRF_BUFFER_INPUTS], 1024);
    release(t, terms);
}

/* --- the form -------------------------------------------------------------------------------------------------------- */

Test(additive, terms_say_what_they_are)
{
    char text[128];
    prf_term_t term = {.factor_count = 3,
                       .factors = {{PRF_Q_CHANNELS, PRF_FACTOR_TILES, 8},
                                   {PRF_Q_COLUMNS, PRF_FACTOR_VALUE, 0},
                                   {PRF_P_STRIDE, PRF_FACTOR_EQUALS, 2}}};
    prf_term_format(&term, text, sizeof text);
    cr_assert_str_eq(text, "ceil(C/8) x K x [stride=2]");
    double q[PRF_QUANTITIES] = {[PRF_Q_CHANNELS] = 17, [PRF_Q_COLUMNS] = 5, [PRF_P_STRIDE] = 2};
    cr_assert_eq(prf_term_value(&term, q), 15);
    q[PRF_P_STRIDE] = 1;
    cr_assert_eq(prf_term_value(&term, q), 0);
}

static prf_status_t check(prf_term_t term, double least_ns)
{
    prf_terms_t terms = {.count = {1, 0}, .terms = &term, .least_ns = least_ns};
    return prf_terms_check(&terms, NULL);
}

Test(additive, terms_from_a_file_are_refused_unless_they_can_be)
{
    prf_term_t good = {.weight = -2, .factor_count = 1, .factors = {{PRF_Q_CHANNELS, PRF_FACTOR_TILES, 8}}}, bad = good;
    cr_assert_eq(check(good, 1), PRF_OK);
    cr_assert_eq(check(good, 0), PRF_ECORRUPT);
    cr_assert_eq(check(good, NAN), PRF_ECORRUPT);
    bad.weight = NAN;
    cr_assert_eq(check(bad, 1), PRF_ECORRUPT);
    bad = good;
    bad.factor_count = PRF_TERM_FACTORS + 1;
    cr_assert_eq(check(bad, 1), PRF_ECORRUPT);
    bad = good;
    bad.factors[0].quantity = 70;
    cr_assert_eq(check(bad, 1), PRF_ECORRUPT);
    bad = good;
    bad.factors[0].form = PRF_FACTOR_FORMS;
    cr_assert_eq(check(bad, 1), PRF_ECORRUPT);
    bad = good;
    bad.factors[0].argument = 0;
    cr_assert_eq(check(bad, 1), PRF_ECORRUPT, "tiles of no width");
    prf_terms_t blocked = {.count = {1, 0}, .terms = &good, .least_ns = 1};
    blocked.blocking = (prf_blocking_t){PRF_ORDER_LINES_FIRST, {16, INFINITY, 1}, 1, 1};
    cr_assert_eq(prf_terms_check(&blocked, NULL), PRF_OK);
    blocked.blocking.elements[2] = NAN;
    cr_assert_eq(prf_terms_check(&blocked, NULL), PRF_ECORRUPT, "a buffer of no size");
    blocked.blocking = (prf_blocking_t){PRF_ORDER_LINES_FIRST, {16, 16, 16}, 0, 1};
    cr_assert_eq(prf_terms_check(&blocked, NULL), PRF_ECORRUPT, "cut by no width");
    blocked.blocking = (prf_blocking_t){PRF_ORDER_LINES_FIRST, {16, 16, 16}, 1, NAN};
    cr_assert_eq(prf_terms_check(&blocked, NULL), PRF_ECORRUPT, "cut by no number");
    blocked.blocking = (prf_blocking_t){PRF_ORDERS, {16, 16, 16}, 1, 1};
    cr_assert_eq(prf_terms_check(&blocked, NULL), PRF_ECORRUPT, "an unknown order");
}
