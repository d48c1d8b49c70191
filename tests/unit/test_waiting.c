// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>

#include "worker/waiting.h"

static prf_waiting_t waiting;

static void tear_down(void)
{
    prf_waiting_clear(&waiting);
}

TestSuite(waiting, .fini = tear_down);

static void push(uint64_t id, uint64_t epoch)
{
    prf_job_t job = {.id = id, .epoch = epoch, .blocks = calloc(1, sizeof(prf_block_t)), .block_count = 1};
    cr_assert(prf_waiting_push(&waiting, &job));
    cr_assert_null(job.blocks, "the queue owns them now");
}

static uint64_t taken(void)
{
    prf_job_t job = {0};
    bool any = prf_waiting_take(&waiting, &job);
    free(job.blocks);
    return any ? job.id : 0;
}

Test(waiting, jobs_leave_in_the_order_in_which_they_came)
{
    for (uint64_t id = 1; id <= 3; id++)
        push(id, id);
    cr_assert(taken() == 1 && taken() == 2 && taken() == 3 && taken() == 0);
}

Test(waiting, what_is_revoked_or_of_an_old_coordinator_is_dropped_and_nothing_else)
{
    for (uint64_t id = 1; id <= 6; id++)
        push(id, 100 + id);
    cr_assert_eq(prf_waiting_drop(&waiting, (const uint64_t[]){5, 9}, 2), 1);
    cr_assert_eq(prf_waiting_drop_until(&waiting, 0), 0, "no epoch was told");
    cr_assert_eq(prf_waiting_drop_until(&waiting, 102), 2);
    cr_assert(prf_waiting_has(&waiting, 3) && !prf_waiting_has(&waiting, 2) && !prf_waiting_has(&waiting, 5));
    cr_assert(taken() == 3 && taken() == 4 && taken() == 6 && taken() == 0);
}

Test(waiting, a_full_queue_leaves_the_job_to_its_owner)
{
    for (uint64_t id = 1; id <= PRF_WAITING_CAP; id++)
        push(id, 1);
    prf_block_t block;
    prf_job_t more = {.id = 1000, .blocks = &block, .block_count = 1};
    cr_assert_not(prf_waiting_push(&waiting, &more));
    cr_assert_eq(more.blocks, &block);
}
