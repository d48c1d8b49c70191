// SPDX-License-Identifier: Apache-2.0
/* When a board drifts, when it is odd among its siblings, and that an honest noisy one is neither. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/rng.h"
#include "drift.h"

static void feed(prf_drift_t *drift, int count, double ns, double noise, prf_rng_t *rng)
{
    for (int i = 0; i < count; i++)
        prf_drift_add(drift, ns * exp(noise * prf_rng_normal(rng)));
}

static prf_rng_t rng_of(uint64_t seed)
{
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("drift"));
    return rng;
}

Test(drift, a_board_that_gets_slower_than_its_noise_explains_is_found_and_is_well_again_when_that_passes)
{
    const double noises[] = {0, 0.002, 0.01};
    for (int n = 0; n < 3; n++) {
        prf_rng_t rng = rng_of(1);
        prf_drift_t drift = {0};
        feed(&drift, PRF_DRIFT_BASELINE - 1, 1000, noises[n], &rng);
        cr_assert_not(prf_drift_ready(&drift));
        feed(&drift, 30, 1000, noises[n], &rng);
        cr_assert(prf_drift_ready(&drift));
        cr_assert_not(prf_drift_drifting(&drift), "noise %g", noises[n]);
        feed(&drift, PRF_DRIFT_RECENT, 1150, noises[n], &rng);
        cr_assert(prf_drift_drifting(&drift), "noise %g", noises[n]);
        cr_assert_float_eq(prf_drift_now(&drift), 1150, 1150 * 3 * noises[n] + 1e-6);
        cr_assert_float_eq(prf_drift_normal(&drift), 1000, 1000 * 3 * noises[n] + 1e-6);
        feed(&drift, PRF_DRIFT_RECENT, 1000, noises[n], &rng);
        cr_assert_not(prf_drift_drifting(&drift));
    }
}

Test(drift, less_than_two_percent_and_a_single_outlier_are_no_drift)
{
    prf_rng_t rng = rng_of(2);
    prf_drift_t drift = {0};
    feed(&drift, 20, 1000, 0, &rng);
    feed(&drift, 20, 1019, 0, &rng);
    cr_assert_not(prf_drift_drifting(&drift));
    feed(&drift, 2, 5000, 0, &rng);
    cr_assert_not(prf_drift_drifting(&drift));
    feed(&drift, PRF_DRIFT_RECENT, 1021, 0, &rng);
    cr_assert(prf_drift_drifting(&drift));
}

Test(drift, honest_noisy_boards_are_hardly_ever_flagged)
{
    unsigned flagged = 0, looks = 0;
    for (uint64_t board = 0; board < 200; board++) {
        prf_rng_t rng = rng_of(100 + board);
        prf_drift_t drift = {0};
        for (int i = 0; i < 200; i++, looks++) {
            feed(&drift, 1, 1000, 0.05, &rng);
            flagged += prf_drift_drifting(&drift);
        }
    }
    cr_assert_lt(flagged, looks / 500, "%u of %u looks", flagged, looks);
}

Test(drift, of_three_the_odd_one_is_named_of_two_both_and_of_noisy_ones_none)
{
    prf_rng_t rng = rng_of(3);
    prf_drift_t a = {0}, b = {0}, c = {0}, fresh = {0};
    feed(&a, 20, 1000, 0.002, &rng);
    feed(&b, 20, 1010, 0.002, &rng);
    feed(&c, 20, 1100, 0.002, &rng);
    feed(&fresh, 3, 9000, 0, &rng);
    bool odd[4];
    prf_drift_compare((const prf_drift_t *const[]){&a, &c, &b, &fresh}, 4, odd);
    cr_assert(!odd[0] && odd[1] && !odd[2] && !odd[3]);
    prf_drift_compare((const prf_drift_t *const[]){&a, &c}, 2, odd);
    cr_assert(odd[0] && odd[1]);
    prf_drift_compare((const prf_drift_t *const[]){&a, &b}, 2, odd);
    cr_assert(!odd[0] && !odd[1]);
    prf_drift_compare((const prf_drift_t *const[]){&c}, 1, odd);
    cr_assert_not(odd[0]);
    prf_drift_t noisy[3] = {0};
    for (int i = 0; i < 3; i++)
        feed(&noisy[i], 20, 1000 + 30 * i, 0.05, &rng);
    prf_drift_compare((const prf_drift_t *const[]){&noisy[0], &noisy[1], &noisy[2]}, 3, odd);
    cr_assert(!odd[0] && !odd[1] && !odd[2]);
}
