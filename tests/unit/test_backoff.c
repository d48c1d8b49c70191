// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "base/backoff.h"

Test(backoff, waits_grow_to_a_bound_and_begin_anew_after_success)
{
    prf_backoff_t backoff;
    prf_backoff_init(&backoff, 1, 500, 8000);
    uint32_t bound = 500;
    for (int i = 0; i < 1000; i++) {
        uint32_t wait = prf_backoff_next(&backoff);
        cr_assert(wait >= 1 && wait <= bound, "wait %d: %u of at most %u ms", i, wait, bound);
        bound = bound < 4000 ? 2 * bound : 8000;
    }
    cr_assert_eq(bound, 8000);
    prf_backoff_reset(&backoff);
    cr_assert_leq(prf_backoff_next(&backoff), 500);
}

/* Ten thousand that lost their coordinator at one moment: none of fifty parts of the time gets twice its share. */
Test(backoff, a_crowd_is_spread_over_the_whole_wait)
{
    enum { CROWD = 10000, PARTS = 50 };
    unsigned parts[PARTS] = {0};
    for (uint64_t i = 0; i < CROWD; i++) {
        prf_backoff_t backoff;
        prf_backoff_init(&backoff, i, 500, 8000);
        parts[(prf_backoff_next(&backoff) - 1) * PARTS / 500]++;
    }
    for (int i = 0; i < PARTS; i++)
        cr_assert(parts[i] > 0 && parts[i] < 2 * CROWD / PARTS, "part %d: %u", i, parts[i]);
}
