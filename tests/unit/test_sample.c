// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pr/sample.h"

enum { MANY = 512 };

static prf_dim_t range(int32_t lo, int32_t hi)
{
    return (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = lo, .hi = hi};
}

static prf_space_t conv_space(void)
{
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = range(1, 500);
    s.dims[PRF_P_K] = range(1, 512);
    s.dims[PRF_P_H] = range(7, 224);
    s.dims[PRF_P_W] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_H, .divisor = 1};
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 4, .values = {1, 3, 5, 7}};
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 2}};
    s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    return s;
}

static prf_steps_t conv_steps(void)
{
    prf_steps_t steps;
    prf_steps_none(&steps);
    steps.width[PRF_P_C] = 16;
    steps.width[PRF_P_K] = 32;
    return steps;
}

static size_t representatives(const prf_space_t *s, const prf_steps_t *steps, const prf_layer_t *taken, size_t taken_count,
                              size_t count, prf_layer_t *out)
{
    prf_error_t err = {0};
    size_t got = 0;
    cr_assert_eq(prf_sample_representatives(s, steps, 7, taken, taken_count, count, out, &got, &err), PRF_OK, "%s", err.text);
    return got;
}

static bool among(const prf_layer_t *layers, size_t count, const prf_layer_t *layer)
{
    for (size_t i = 0; i < count; i++)
        if (prf_layer_equal(&layers[i], layer))
            return true;
    return false;
}

Test(sample, representatives_stand_at_right_edges_inside_the_space_and_none_comes_twice)
{
    prf_space_t s = conv_space();
    prf_steps_t steps = conv_steps();
    prf_layer_t out[MANY];
    cr_assert_eq(representatives(&s, &steps, NULL, 0, MANY, out), MANY);
    for (size_t i = 0; i < MANY; i++) {
        cr_assert(prf_space_contains(&s, &out[i]));
        cr_assert(out[i].p[PRF_P_C] % 16 == 0 || out[i].p[PRF_P_C] == 500, "c = %d", out[i].p[PRF_P_C]);
        cr_assert_eq(out[i].p[PRF_P_K] % 32, 0);
        cr_assert_not(among(out, i, &out[i]), "twice");
    }
}

Test(sample, a_smaller_sample_is_the_beginning_of_a_larger_one)
{
    prf_space_t s = conv_space();
    prf_steps_t steps = conv_steps();
    prf_layer_t few[100], many[MANY], rest[MANY];
    cr_assert_eq(representatives(&s, &steps, NULL, 0, 100, few), 100);
    cr_assert_eq(representatives(&s, &steps, NULL, 0, MANY, many), MANY);
    for (size_t i = 0; i < 100; i++)
        cr_assert(prf_layer_equal(&few[i], &many[i]), "layer %zu differs", i);
    cr_assert_eq(representatives(&s, &steps, few, 100, MANY, rest), MANY);
    for (size_t i = 0; i < MANY; i++) {
        cr_assert_not(among(few, 100, &rest[i]), "a taken layer came again");
        cr_assert(i + 100 >= MANY || prf_layer_equal(&rest[i], &many[i + 100]), "the sample is not extended");
    }
}

Test(sample, discrete_combinations_share_the_sample_evenly)
{
    prf_space_t s = conv_space();
    prf_steps_t steps = conv_steps();
    prf_layer_t out[MANY];
    cr_assert_eq(representatives(&s, &steps, NULL, 0, MANY, out), MANY);
    int seen[8][3] = {{0}};
    for (size_t i = 0; i < MANY; i++)
        seen[out[i].p[PRF_P_R]][out[i].p[PRF_P_STRIDE]]++;
    for (int r = 1; r < 8; r += 2)
        for (int stride = 1; stride <= 2; stride++)
            cr_assert(seen[r][stride] >= 60 && seen[r][stride] <= 68, "r %d stride %d: %d of 512", r, stride, seen[r][stride]);
}

/* Largest difference between the share of points with c <= x and k <= y and the area of that corner. */
static double discrepancy(const prf_layer_t *layers, size_t count)
{
    double worst = 0;
    for (int x = 32; x <= 512; x += 32)
        for (int y = 32; y <= 512; y += 32) {
            size_t inside = 0;
            for (size_t i = 0; i < count; i++)
                inside += layers[i].p[PRF_P_C] <= x && layers[i].p[PRF_P_K] <= y;
            worst = fmax(worst, fabs((double)inside / (double)count - x * y / (512.0 * 512.0)));
        }
    return worst;
}

Test(sample, representatives_fill_the_space_more_evenly_than_random_layers)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_C] = range(1, 512);
    prf_steps_t none;
    prf_steps_none(&none);
    prf_layer_t spread[128], random[128];
    size_t got;
    cr_assert_eq(representatives(&s, &none, NULL, 0, 128, spread), 128);
    cr_assert_eq(prf_sample_random(&s, 7, NULL, 0, 128, random, &got, NULL), PRF_OK);
    cr_assert_eq(got, 128);
    double even = discrepancy(spread, 128), uneven = discrepancy(random, 128);
    cr_assert_lt(even, 0.04);
    cr_assert_lt(even, 0.7 * uneven, "%g against %g", even, uneven);
}

Test(sample, the_whole_of_a_small_grid_is_found_and_no_more)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_H] = range(14, 14);
    s.dims[PRF_P_C] = range(20, 100); /* 32 48 64 80 96 100 */
    s.dims[PRF_P_K] = range(1, 96);   /* 32 64 96 */
    prf_steps_t steps = conv_steps();
    prf_layer_t out[MANY];
    cr_assert_eq(representatives(&s, &steps, NULL, 0, MANY, out), 6 * 3 * 8);
    cr_assert_eq(representatives(&s, &steps, out, 6 * 3 * 8, 10, out + 200), 0, "all were taken");
}

Test(sample, the_room_in_a_small_space_is_what_can_exist_in_it)
{
    prf_space_t s = {.kind = PRF_FC, .dtype = PRF_F32};
    s.dims[PRF_P_IN] = range(1, 10);
    s.dims[PRF_P_OUT] = range(1, 10);
    cr_expect_eq(prf_sample_room(&s, 1000), 100);
    cr_expect_eq(prf_sample_room(&s, 7), 7, "more is not asked for");
    s.max_macs = 10; /* 10 + 5 + 3 + 2 + 2 + 1 + 1 + 1 + 1 + 1 */
    cr_expect_eq(prf_sample_room(&s, 1000), 27);
    s = conv_space();
    cr_expect_eq(prf_sample_room(&s, 1000), 1000, "too large to go through");
}

Test(sample, a_limit_on_macs_holds_and_ends_the_search)
{
    prf_space_t s = conv_space();
    s.max_macs = 5e6;
    prf_steps_t steps = conv_steps();
    prf_layer_t out[MANY];
    size_t got = representatives(&s, &steps, NULL, 0, MANY, out);
    cr_assert_gt(got, 50);
    for (size_t i = 0; i < got; i++)
        cr_assert_leq(prf_layer_macs(&out[i]), 5e6);
}

Test(sample, a_logarithmic_range_gets_as_many_points_in_each_octave)
{
    prf_space_t s = {.kind = PRF_FC, .dtype = PRF_F32};
    s.dims[PRF_P_IN] = range(64, 4095);
    s.dims[PRF_P_IN].log = true;
    s.dims[PRF_P_OUT] = range(1, 4096);
    prf_steps_t none;
    prf_steps_none(&none);
    prf_layer_t out[300];
    cr_assert_eq(representatives(&s, &none, NULL, 0, 300, out), 300);
    int octave[12] = {0};
    for (size_t i = 0; i < 300; i++)
        octave[ilogb(out[i].p[PRF_P_IN])]++;
    for (int i = 6; i < 12; i++)
        cr_assert(octave[i] >= 40 && octave[i] <= 60, "octave %d: %d of 300", i, octave[i]);
}

Test(sample, random_layers_are_distinct_repeatable_and_from_the_whole_space)
{
    prf_space_t s = conv_space();
    prf_layer_t a[MANY], b[MANY];
    size_t got, off_edge = 0;
    cr_assert_eq(prf_sample_random(&s, 3, NULL, 0, MANY, a, &got, NULL), PRF_OK);
    cr_assert_eq(got, MANY);
    cr_assert_eq(prf_sample_random(&s, 3, a, 100, MANY - 100, b, &got, NULL), PRF_OK);
    for (size_t i = 0; i < MANY; i++) {
        cr_assert(prf_space_contains(&s, &a[i]));
        cr_assert_not(among(a, i, &a[i]), "twice");
        off_edge += a[i].p[PRF_P_C] % 16 != 0;
        cr_assert(i + 100 >= MANY || prf_layer_equal(&b[i], &a[i + 100]));
    }
    cr_assert_gt(off_edge, MANY / 2);
    s.dims[PRF_P_C] = s.dims[PRF_P_K] = range(1, 2);
    s.dims[PRF_P_H] = range(14, 14);
    cr_assert_eq(prf_sample_random(&s, 3, NULL, 0, MANY, a, &got, NULL), PRF_OK);
    cr_assert_eq(got, 2 * 2 * 8, "a small space has no more");
}

Test(sample, an_impossible_space_or_size_is_refused)
{
    prf_space_t s = conv_space();
    prf_steps_t none;
    prf_steps_none(&none);
    prf_layer_t out[1];
    size_t got;
    prf_error_t err = {0};
    cr_assert_eq(prf_sample_representatives(&s, &none, 1, NULL, 0, SIZE_MAX / 2, out, &got, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "use at most"));
    s.max_macs = 1;
    cr_assert_eq(prf_sample_random(&s, 1, NULL, 0, 1, out, &got, &err), PRF_EINVAL);
    cr_assert_eq(prf_sample_representatives(&s, &none, 1, NULL, 0, 1, out, &got, &err), PRF_EINVAL);
}

static double prefers_many_channels(void *arg, const prf_layer_t *layer)
{
    size_t *asked = arg;
    (*asked)++;
    return layer->p[PRF_P_C] > 250 ? 9 : layer->p[PRF_P_C] > 16 ? 1 : 0;
}

Test(sample, promising_layers_are_drawn_in_proportion_to_their_promise_and_hopeless_ones_never)
{
    prf_space_t s = conv_space();
    prf_steps_t steps = conv_steps();
    prf_layer_t taken[64], out[MANY], again[MANY];
    size_t asked = 0, got = 0, many = 0;
    prf_error_t err = {0};
    cr_assert_eq(representatives(&s, &steps, NULL, 0, 64, taken), 64);
    for (int mapped = 0; mapped < 2; mapped++) {
        prf_status_t status =
            prf_sample_promising(&s, mapped ? &steps : NULL, 9, taken, 64, prefers_many_channels, &asked, MANY, out, &got, &err);
        cr_assert_eq(status, PRF_OK, "%s", err.text);
        cr_assert_eq(got, MANY);
        cr_assert_gt(asked, 4 * MANY);
        many = 0;
        for (size_t i = 0; i < got; i++) {
            cr_assert(prf_space_contains(&s, &out[i]));
            cr_assert_gt(out[i].p[PRF_P_C], 16);
            cr_assert(!mapped || out[i].p[PRF_P_C] % 16 == 0 || out[i].p[PRF_P_C] == 500);
            cr_assert_not(among(out, i, &out[i]) || among(taken, 64, &out[i]), "twice");
            many += out[i].p[PRF_P_C] > 250;
        }
        /* Half of the space promises nine times as much: nine in ten, a little less because none is drawn twice. */
        cr_assert(many > MANY * 8 / 10 && many < MANY * 95 / 100, "%zu of %d", many, MANY);
    }
    cr_assert_eq(prf_sample_promising(&s, &steps, 9, taken, 64, prefers_many_channels, &asked, MANY, again, &got, &err), PRF_OK);
    for (size_t i = 0; i < MANY; i++)
        cr_assert(prf_layer_equal(&again[i], &out[i]), "not the same again");
}
