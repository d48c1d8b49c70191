// SPDX-License-Identifier: Apache-2.0
/* Quarantine as a state machine, with a clock that the test turns. */
#include <criterion/criterion.h>
#include <string.h>

#include "trust.h"

enum { FIRST_MS = 100 };

static bool fail(prf_trust_t *trust, uint64_t now_ms)
{
    return prf_trust_failure(trust, "it crashed", FIRST_MS, now_ms, 777);
}

static prf_trust_t in_quarantine(uint64_t now_ms)
{
    prf_trust_t trust = {0};
    for (int i = 0; i < PRF_TRUST_STREAK; i++)
        cr_assert_eq(fail(&trust, now_ms), i + 1 == PRF_TRUST_STREAK);
    cr_assert_eq(trust.state, PRF_QUARANTINED);
    return trust;
}

Test(trust, failing_on_many_points_in_a_row_leads_into_quarantine)
{
    prf_trust_t trust = in_quarantine(1000);
    cr_assert_eq(trust.since_ms, 777);
    cr_assert(strstr(trust.why, "it crashed"), "%s", trust.why);
    cr_assert_not(prf_trust_probe_due(&trust, 1000 + FIRST_MS - 1));
    cr_assert(prf_trust_probe_due(&trust, 1000 + FIRST_MS));
}

Test(trust, a_success_in_between_and_points_that_failed_before_lead_nowhere)
{
    prf_trust_t trust = {0};
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i + 1 < PRF_TRUST_STREAK; i++)
            cr_assert_not(fail(&trust, 1));
        cr_assert_not(prf_trust_success(&trust, 1));
    }
    for (int i = 0; i + 1 < PRF_TRUST_STREAK; i++)
        cr_assert_not(fail(&trust, 1));
    for (int tries = 0; tries < 20; tries++)
        prf_trust_no_news(&trust, 1);
    cr_assert_eq(trust.state, PRF_TRUSTED);
    cr_assert(fail(&trust, 1), "they do not end the row either");
}

Test(trust, a_point_that_failed_before_neither_prolongs_a_quarantine_nor_ends_it)
{
    prf_trust_t trust = in_quarantine(1000);
    prf_trust_no_news(&trust, 1000 + FIRST_MS - 1);
    cr_assert(prf_trust_probe_due(&trust, 1000 + FIRST_MS), "a job from before the quarantine counts for nothing");
    prf_trust_no_news(&trust, 5000);
    cr_assert_eq(trust.state, PRF_QUARANTINED);
    cr_assert_not(prf_trust_probe_due(&trust, 5000 + FIRST_MS - 1));
    cr_assert(prf_trust_probe_due(&trust, 5000 + FIRST_MS));
}

Test(trust, the_delay_doubles_up_to_an_hour_and_a_success_ends_it)
{
    uint64_t now_ms = 5000, delay_ms = FIRST_MS;
    prf_trust_t trust = in_quarantine(now_ms);
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(trust.until_ms, now_ms + delay_ms, "try %d", i);
        cr_assert_not(fail(&trust, now_ms + delay_ms - 1), "a job from before the quarantine counts for nothing");
        now_ms += delay_ms;
        cr_assert(fail(&trust, now_ms));
        delay_ms = delay_ms * 2 < PRF_TRUST_LONGEST_MS ? delay_ms * 2 : PRF_TRUST_LONGEST_MS;
    }
    cr_assert_eq(delay_ms, PRF_TRUST_LONGEST_MS);
    cr_assert_not(prf_trust_success(&trust, now_ms), "it was not tried yet");
    cr_assert(prf_trust_success(&trust, now_ms + delay_ms));
    cr_assert_eq(trust.state, PRF_TRUSTED);
    for (int i = 0; i < PRF_TRUST_STREAK; i++)
        fail(&trust, now_ms);
    cr_assert_eq(trust.delay_ms, FIRST_MS, "the next quarantine begins anew");
}

Test(trust, what_a_person_did_only_a_person_undoes)
{
    prf_trust_t trust = {0};
    prf_trust_bar(&trust, "its fan is broken", 5);
    cr_assert_not(prf_trust_probe_due(&trust, UINT64_MAX));
    cr_assert_not(prf_trust_success(&trust, UINT64_MAX));
    cr_assert_not(fail(&trust, 1000));
    cr_assert_eq(trust.state, PRF_BARRED);
    cr_assert_str_eq(trust.why, "its fan is broken");
    prf_trust_bar(&trust, "", 6);
    cr_assert_str_eq(trust.why, "its fan is broken", "who gives no reason takes none away");
    prf_trust_release(&trust);
    cr_assert_eq(trust.state, PRF_TRUSTED);
    prf_trust_bar(&trust, "", 7);
    cr_assert_str_eq(trust.why, "no reason given");
}

Test(trust, after_a_restart_the_delay_begins_anew_and_a_hook_postpones_the_try)
{
    prf_trust_t trust = in_quarantine(1000);
    prf_trust_restart(&trust, 50);
    cr_assert_not(prf_trust_probe_due(&trust, 50 + FIRST_MS - 1));
    prf_trust_postpone(&trust, 9000);
    cr_assert_not(prf_trust_probe_due(&trust, 8999));
    cr_assert(prf_trust_probe_due(&trust, 9000));
    prf_trust_postpone(&trust, 10);
    cr_assert(prf_trust_probe_due(&trust, 9000), "a hook never brings it forward");
}
