// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "worker/outbox.h"

static prf_outbox_t *box;

static void set_up(void)
{
    cr_assert_eq(prf_outbox_new(&box, NULL), PRF_OK);
}

static void tear_down(void)
{
    prf_outbox_destroy(&box);
}

TestSuite(outbox, .init = set_up, .fini = tear_down);

static void add(uint64_t id, double ns)
{
    prf_result_t result = {.id = id, .sample = {.latency_ns = ns}};
    cr_assert_eq(prf_outbox_add(box, &result, NULL), PRF_OK);
}

Test(outbox, results_are_due_once_until_they_have_waited_or_a_new_connection_comes)
{
    prf_result_t out[4];
    add(1, 10);
    add(2, 20);
    cr_assert_eq(prf_outbox_due(box, 0, 1000, out, 1), 1);
    cr_assert_eq(out[0].id, 1);
    cr_assert_eq(prf_outbox_due(box, 0, 1001, out, 4), 1);
    cr_assert_eq(out[0].id, 2);
    cr_assert_eq(prf_outbox_due(box, 1000, 1500, out, 4), 0, "sent again too early");
    cr_assert_eq(prf_outbox_due(box, 1001, 1600, out, 4), 1);
    cr_assert_eq(out[0].id, 1);
    prf_outbox_unsend(box);
    cr_assert_eq(prf_outbox_due(box, 0, 1700, out, 4), 2);
}

Test(outbox, what_is_committed_is_forgotten_and_nothing_else)
{
    prf_result_t out[4];
    for (uint64_t id = 1; id <= 4; id++)
        add(id, 1);
    prf_outbox_forget(box, (const uint64_t[]){3, 9, 1}, 3);
    cr_assert_eq(prf_outbox_count(box), 2);
    cr_assert_eq(prf_outbox_due(box, 0, 5, out, 4), 2);
    cr_assert(out[0].id == 2 && out[1].id == 4);
}

Test(outbox, a_second_result_of_a_job_takes_the_firsts_place)
{
    add(1, 10);
    add(2, 20);
    add(1, 30);
    cr_assert_eq(prf_outbox_count(box), 2);
    cr_assert_eq(prf_outbox_at(box, 0)->sample.latency_ns, 30);
}

Test(outbox, a_full_box_refuses_and_keeps_what_it_has)
{
    for (uint64_t id = 1; id <= PRF_OUTBOX_CAP; id++)
        add(id, 1);
    prf_error_t err;
    prf_result_t more = {.id = PRF_OUTBOX_CAP + 1};
    cr_assert_eq(prf_outbox_add(box, &more, &err), PRF_EBUSY);
    cr_assert_eq(prf_outbox_count(box), (size_t)PRF_OUTBOX_CAP);
    add(7, 70);
}
