// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "pr/fit.h"

static int32_t edge(int32_t at, int32_t width)
{
    return (at + width - 1) / width * width;
}

/* Values of a curve, chosen to fall on both sides of edges and between them. */
static const int32_t places[] = {32, 33, 40, 47, 48, 49, 70, 96, 97, 120, 200, 256, 257, 300};
enum { PLACES = sizeof places / sizeof *places };

static prf_curve_t curve_of(double (*latency)(int32_t at))
{
    prf_curve_t curve = {.count = PLACES};
    for (size_t i = 0; i < PLACES; i++) {
        curve.at[i] = places[i];
        curve.y[i] = latency(places[i]);
    }
    return curve;
}

static double gain(const prf_curve_t *curve, int32_t width)
{
    prf_fit_t smooth, steps;
    prf_fit_smooth(curve, &smooth);
    prf_fit_steps(curve, width, &steps);
    return smooth.bic - steps.bic;
}

static double level(int32_t at)
{
    return 100 + 3.0 * edge(at, 16);
}

static double sloped(int32_t at)
{
    return 100 + 0.8 * at + 0.2 * edge(at, 16);
}

static double straight(int32_t at)
{
    return 100 + 3.0 * at;
}

static double broken_line(int32_t at)
{
    return fmax(500, 4.0 * at);
}

static double square(int32_t at)
{
    return 5 + 2.0 * at + 0.3 * at * at;
}

/* Tiles of 16 that cost what a buffer makes them cost. */
static double uneven(int32_t at)
{
    int32_t tile = (at + 15) / 16;
    return 1000 + 90.0 * tile + (tile % 3 == 0 ? 400 : 0) + (tile > 7 ? 900 : 0);
}

Test(fit, the_right_width_wins_over_its_neighbours_divisors_and_multiples)
{
    double (*const stairs[])(int32_t) = {level, sloped};
    for (size_t i = 0; i < 2; i++) {
        prf_curve_t curve = curve_of(stairs[i]);
        cr_assert_gt(gain(&curve, 16), 40);
        for (int32_t width = 2; width <= 64; width++)
            cr_assert(width == 16 || gain(&curve, width) < gain(&curve, 16) - 10, "curve %zu: width %d", i, width);
    }
}

/* A sweep's first layers lie far apart, each in a tile of its own; tiles that are level to the last digit show in a few of them. */
Test(fit, a_few_exactly_level_tiles_tell_a_width_although_most_are_seen_once)
{
    static const int32_t far[] = {80, 111, 178, 285, 457, 733, 64, 65, 69, 73, 79, 81, 90};
    prf_curve_t curve = {.count = sizeof far / sizeof *far};
    for (size_t i = 0; i < curve.count; i++) {
        curve.at[i] = far[i];
        curve.y[i] = uneven(far[i]);
    }
    cr_assert_gt(gain(&curve, 16), 40);
    cr_assert_lt(gain(&curve, 12), 0);
    cr_assert_lt(gain(&curve, 32), 0);
    for (size_t i = 0; i < curve.count; i++)
        curve.y[i] *= 1 + 0.01 * ((int)(i * 7 % 5) - 2);
    cr_assert_gt(gain(&curve, 16), 10, "two per cent of noise");
    curve.count -= 4;
    cr_assert_lt(gain(&curve, 16), 10, "neighbours that are nearly alike prove little if there are few");
}

Test(fit, a_fit_expects_what_the_curve_does_where_it_was_not_measured)
{
    prf_curve_t curve = curve_of(sloped);
    prf_fit_t fit;
    prf_fit_steps(&curve, 16, &fit);
    for (int32_t at = 30; at < 300; at += 7)
        cr_assert_float_eq(prf_fit_predict(&fit, at), sloped(at), 1e-6 * sloped(at));
    curve = curve_of(square);
    prf_fit_smooth(&curve, &fit);
    for (int32_t at = 30; at < 300; at += 7)
        cr_assert_float_eq(prf_fit_predict(&fit, at), square(at), 1e-6 * square(at));
}

Test(fit, no_width_explains_lines_breaks_or_squares_better_than_no_step)
{
    double (*const smooth[])(int32_t) = {straight, broken_line, square};
    for (size_t i = 0; i < 3; i++) {
        prf_curve_t curve = curve_of(smooth[i]);
        for (int32_t width = 2; width <= 128; width++)
            cr_assert_leq(gain(&curve, width), 0, "curve %zu: width %d gains %g", i, width, gain(&curve, width));
    }
}

Test(fit, tiles_of_uneven_cost_are_recognised_by_being_level)
{
    static const int32_t dense[PLACES] = {32, 33, 40, 48, 49, 60, 64, 65, 80, 97, 112, 128, 129, 144};
    prf_curve_t curve = {.count = PLACES};
    for (size_t i = 0; i < PLACES; i++) {
        curve.at[i] = dense[i];
        curve.y[i] = uneven(dense[i]);
    }
    cr_assert_gt(gain(&curve, 16), 20);
    for (int32_t width = 2; width <= 64; width++)
        cr_assert(width == 16 || gain(&curve, width) < gain(&curve, 16) - 10, "width %d", width);
}

static double nested(int32_t at)
{
    return 100 + 1.0 * edge(at, 16) + 2.0 * edge(at, 64);
}

Test(fit, steps_within_steps_are_told_apart)
{
    prf_curve_t curve = curve_of(nested);
    prf_fit_t fit;
    prf_fit_steps(&curve, 64, &fit);
    cr_assert_eq(fit.inner, 16, "%d", fit.inner);
    cr_assert(!fit.tiled);
    cr_assert_lt(fit.rms, 1e-9);
    for (int32_t at = 30; at < 300; at += 7)
        cr_assert_float_eq(prf_fit_predict(&fit, at), nested(at), 1e-6 * nested(at));
    curve = curve_of(level);
    prf_fit_steps(&curve, 16, &fit);
    cr_assert_eq(fit.inner, 0, "nothing within plain steps");
}

static double hundredth(int32_t at)
{
    return 100 + 2.97 * at + 0.03 * edge(at, 32);
}

Test(fit, a_share_of_a_hundredth_counts_where_it_explains_all_and_not_in_noise)
{
    prf_curve_t curve = curve_of(hundredth);
    prf_fit_t fit;
    prf_fit_steps(&curve, 32, &fit);
    cr_assert_float_eq(fit.share, 0.01, 1e-6);
    cr_assert_gt(gain(&curve, 32), 10);
    for (size_t i = 0; i < curve.count; i++)
        curve.y[i] *= i % 2 ? 1.005 : 0.995;
    prf_fit_steps(&curve, 32, &fit);
    cr_assert_eq(fit.share, PRF_FIT_SHARE, "held at the bound: %g", fit.share);
}

static double two_kernels(int32_t at)
{
    return at > 96 ? 300 + 1.0 * at : 100 + 2.0 * at;
}

Test(fit, a_break_costs_less_where_its_place_was_known)
{
    prf_curve_t curve = curve_of(two_kernels);
    prf_fit_t smooth, broken;
    prf_fit_smooth(&curve, &smooth);
    prf_fit_broken_at(&curve, 96, &broken);
    cr_assert_eq(smooth.knee, 96);
    cr_assert_lt(broken.rms, 1e-9);
    cr_assert_lt(broken.bic, smooth.bic - 5);
    prf_fit_broken_at(&curve, 48, &broken);
    cr_assert_gt(broken.bic, smooth.bic + 10);
}

Test(fit, too_few_points_claim_nothing)
{
    prf_curve_t curve = curve_of(level);
    prf_fit_t fit;
    for (curve.count = 0; curve.count < 4; curve.count++) {
        prf_fit_smooth(&curve, &fit);
        cr_assert(isinf(fit.bic));
        prf_fit_steps(&curve, 16, &fit);
        cr_assert(isinf(fit.bic));
    }
}
