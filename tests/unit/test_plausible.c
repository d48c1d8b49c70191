// SPDX-License-Identifier: Apache-2.0
/* Which latencies are believed at once, what boards told of a point, and which points are poisoned. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plausible.h"
#include "poison.h"
#include "trouble.h"

static prf_block_t fc(int in, int out)
{
    char text[80];
    prf_block_t block;
    snprintf(text, sizeof text, "fc in=%d out=%d", in, out);
    cr_assert_eq(prf_block_parse(&block, text, NULL), PRF_OK);
    return block;
}

/* A board with an overhead, a slope and steps of 8. */
static double latency(int in, int out)
{
    return 500 + 3.0 * (double)(((in + 7) / 8) * ((out + 7) / 8)) * 64;
}

static prf_plausible_t *memory(int step)
{
    prf_plausible_t *memory;
    cr_assert_eq(prf_plausible_new(&memory, NULL), PRF_OK);
    for (int in = 1; in <= 1024; in += step)
        for (int out = 1; out <= 1024; out += step * 3) {
            prf_block_t block = fc(in, out);
            prf_plausible_note(memory, 1, &block, latency(in, out));
        }
    return memory;
}

Test(plausible, a_hundred_times_off_is_odd_and_what_the_board_really_takes_is_not)
{
    prf_plausible_t *known = memory(97);
    for (int in = 70; in <= 1024; in += 61)
        for (int out = 62; out <= 1024; out += 53) {
            prf_block_t block = fc(in, out);
            double ns = latency(in, out);
            cr_expect_not(prf_plausible_odd(known, 1, &block, ns), "%d x %d", in, out);
            cr_expect_not(prf_plausible_odd(known, 1, &block, 4 * ns), "a step of 4: %d x %d", in, out);
            cr_expect(prf_plausible_odd(known, 1, &block, 100 * ns), "%d x %d", in, out);
            cr_expect(prf_plausible_odd(known, 1, &block, ns / 100), "%d x %d", in, out);
        }
    prf_plausible_destroy(&known);
}

Test(plausible, without_neighbours_everything_is_believed_and_others_are_no_neighbours)
{
    prf_plausible_t *known;
    cr_assert_eq(prf_plausible_new(&known, NULL), PRF_OK);
    prf_block_t block = fc(64, 64), other;
    for (int i = 0; i < PRF_PLAUSIBLE_NEIGHBOURS; i++) {
        cr_assert_not(prf_plausible_odd(known, 1, &block, 1e9));
        prf_plausible_note(known, 1, &block, 1000);
    }
    cr_assert(prf_plausible_odd(known, 1, &block, 1e9));
    cr_assert_not(prf_plausible_odd(known, 2, &block, 1e9), "another class");
    cr_assert_eq(prf_block_parse(&other, "matmul m=64 k=64 n=64", NULL), PRF_OK);
    cr_assert_not(prf_plausible_odd(known, 1, &other, 1e9), "another kind of layer");
    other = block;
    other.dtype = PRF_I8;
    cr_assert_not(prf_plausible_odd(known, 1, &other, 1e9), "another data type");
    prf_plausible_destroy(&known);
}

Test(plausible, a_cliff_that_is_believed_once_is_not_odd_any_more)
{
    prf_plausible_t *known = memory(61);
    prf_block_t block = fc(500, 500);
    double cliff = 1000 * latency(500, 500);
    cr_assert(prf_plausible_odd(known, 1, &block, cliff));
    prf_plausible_note(known, 1, &block, cliff);
    cr_assert_not(prf_plausible_odd(known, 1, &block, cliff));
    prf_plausible_destroy(&known);
}

Test(trouble, what_boards_told_of_a_point_is_kept_in_order_and_within_limits)
{
    prf_trouble_t *trouble;
    cr_assert_eq(prf_trouble_new(&trouble, NULL), PRF_OK);
    prf_result_t result = {.id = 1, .epoch = 10, .point = {{7}}, .outcome = PRF_ECRASH};
    size_t count;
    cr_assert_null(prf_trouble_of(trouble, &result.point, 0, &count));
    for (uint32_t board = 0; board < PRF_TROUBLE_SAID + 5; board++) {
        result.id++;
        prf_trouble_add(trouble, board, &result);
    }
    const prf_said_t *said = prf_trouble_of(trouble, &result.point, 0, &count);
    cr_assert_eq(count, PRF_TROUBLE_SAID);
    for (uint32_t board = 0; board < count; board++)
        cr_assert_eq(said[board].board, board);
    result.id = 2;
    cr_assert(prf_trouble_knows(trouble, 0, &result));
    cr_assert_not(prf_trouble_knows(trouble, 1, &result), "another board's");
    result.epoch++;
    cr_assert_not(prf_trouble_knows(trouble, 0, &result), "another lease's");
    for (uint32_t i = 0; i < PRF_TROUBLE_POINTS + 100; i++) {
        result.attempt = i;
        prf_trouble_add(trouble, 0, &result);
    }
    prf_trouble_of(trouble, &result.point, PRF_TROUBLE_POINTS + 50, &count);
    cr_assert_eq(count, 0);
    prf_trouble_forget(trouble, &result.point, 0);
    prf_trouble_of(trouble, &result.point, 0, &count);
    cr_assert_eq(count, 0);
    prf_trouble_destroy(&trouble);
}

static void add(prf_poison_t *poison, unsigned char point, prf_status_t outcome, const char *board)
{
    prf_record_t record = {.point = {{point}}, .outcome = outcome};
    snprintf(record.board, sizeof record.board, "%s", board);
    snprintf(record.error, sizeof record.error, "as %s says", board);
    cr_assert_eq(prf_poison_add(poison, &record, NULL), PRF_OK);
}

Test(poison, every_boards_error_is_kept_until_a_sample_or_a_person_clears_the_point)
{
    prf_poison_t *poison;
    cr_assert_eq(prf_poison_new(&poison, NULL), PRF_OK);
    for (unsigned char p = 0; p < 50; p++) {
        add(poison, p, PRF_ECRASH, "a");
        add(poison, p, PRF_EHANG, "b");
    }
    cr_assert_eq(prf_poison_count(poison), 50);
    const prf_poisoned_t *first = prf_poison_at(poison, 0);
    cr_assert_eq(first->count, 2);
    cr_assert_str_eq(first->errors[0].board, "a");
    cr_assert_eq(first->errors[1].outcome, PRF_EHANG);
    cr_assert_str_eq(first->errors[1].text, "as b says");
    for (unsigned char p = 0; p < 50; p += 2)
        add(poison, p, p % 4 ? PRF_OK : PRF_ECANCELLED, "");
    cr_assert_eq(prf_poison_count(poison), 25);
    for (size_t i = 0; i < 25; i++)
        cr_assert_eq(prf_poison_at(poison, i)->point.bytes[0] % 2, 1);
    cr_assert_null(prf_poison_at(poison, 25));
    add(poison, 0, PRF_EIMPLAUSIBLE, "c");
    cr_assert_eq(prf_poison_at(poison, 25)->count, 1, "it begins anew");
    prf_poison_destroy(&poison);
}
