// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "pace.h"

enum { BEGIN_MS = 1000000 };

static void is_about(double is, double wanted)
{
    cr_assert(fabs(is - wanted) <= 0.05 * wanted, "%g instead of %g", is, wanted);
}

/* One job every `period_ms`, each of `busy_ms`; returns when the last came in. */
static uint64_t work(prf_pace_t *pace, uint64_t from_ms, unsigned jobs, unsigned period_ms, unsigned busy_ms)
{
    const prf_sample_t sample = {.busy_ns = (uint64_t)busy_ms * 1000000, .temperature_mc = 41500};
    for (unsigned i = 0; i < jobs; i++)
        prf_pace_note(pace, &sample, from_ms += period_ms);
    return from_ms;
}

Test(pace, a_board_that_did_nothing_has_none)
{
    prf_pace_t pace = {0};
    prf_pace_rate_t rate = prf_pace_rate(&pace, BEGIN_MS);
    cr_assert_eq(rate.jobs_per_second, 0);
    cr_assert_eq(rate.utilisation_percent, 0);
    cr_assert_not(pace.sampled);
}

Test(pace, a_steady_board_has_its_pace_soon_and_for_ever)
{
    prf_pace_t pace = {0};
    uint64_t now_ms = BEGIN_MS;
    for (int i = 0; i < 50; i++) {
        now_ms = work(&pace, now_ms, 100, 100, 40);
        prf_pace_rate_t rate = prf_pace_rate(&pace, now_ms);
        is_about(rate.jobs_per_second, 10);
        is_about(rate.utilisation_percent, 40);
    }
    cr_assert_eq(pace.temperature_mc, 41500);
    cr_assert(pace.sampled);
}

Test(pace, what_is_longer_ago_counts_less_and_then_not_at_all)
{
    prf_pace_t pace = {0};
    uint64_t now_ms = work(&pace, BEGIN_MS, 600, 100, 40);
    double before = prf_pace_rate(&pace, now_ms).jobs_per_second;
    for (unsigned later = 1; later <= 3; later++) {
        double now = prf_pace_rate(&pace, now_ms + later * PRF_PACE_MS / 2).jobs_per_second;
        cr_assert(now < before || before == 0, "%g after %g", now, before);
        before = now;
    }
    cr_assert_eq(prf_pace_rate(&pace, now_ms + 2 * PRF_PACE_MS).jobs_per_second, 0);
    now_ms = work(&pace, now_ms + 1000000000, 20, 1000, 500); /* and begins anew */
    is_about(prf_pace_rate(&pace, now_ms).jobs_per_second, 1);
}

Test(pace, long_jobs_and_failures_never_make_more_than_all_of_the_time)
{
    prf_pace_t pace = {0};
    uint64_t now_ms = work(&pace, BEGIN_MS, 20, 5000, 100000);
    cr_assert_eq(prf_pace_rate(&pace, now_ms).utilisation_percent, 100);
    prf_pace_t failing = {0};
    for (unsigned i = 1; i <= 300; i++)
        prf_pace_note(&failing, NULL, BEGIN_MS + 100 * i);
    is_about(prf_pace_rate(&failing, BEGIN_MS + 30000).jobs_per_second, 10);
    cr_assert_eq(prf_pace_rate(&failing, BEGIN_MS + 30000).utilisation_percent, 0);
    cr_assert_not(failing.sampled);
}
