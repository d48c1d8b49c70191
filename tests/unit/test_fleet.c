// SPDX-License-Identifier: Apache-2.0
/* test_fleet.c - lists of boards that something is to be done for: first in, first out, each board once, whatever the fleet's size.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "coordinator/fleet.h"

static prf_fleet_t *opened(void)
{
    prf_fleet_t *fleet;
    prf_error_t err;
    cr_assert_eq(prf_fleet_new(&fleet, 1000, &err), PRF_OK, "%s", err.text);
    return fleet;
}

static prf_fleet_board_t *add(prf_fleet_t *fleet, unsigned number)
{
    char name[16];
    prf_fleet_board_t *board;
    prf_error_t err;
    snprintf(name, sizeof name, "b%u", number);
    cr_assert_eq(prf_fleet_add(fleet, name, &board, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(board->number, number);
    return board;
}

/* The list is taken from while it grows, so that its beginning stands anywhere in the ring when the ring becomes larger. */
Test(fleet, a_list_keeps_its_order_while_the_fleet_grows)
{
    prf_fleet_t *fleet = opened();
    unsigned next = 0;
    for (unsigned i = 0; i < 500; i++) {
        prf_fleet_board_t *board = add(fleet, i);
        prf_fleet_list(fleet, PRF_FLEET_TOLD, board);
        prf_fleet_list(fleet, PRF_FLEET_TOLD, board);
        cr_expect_eq(prf_fleet_listed(fleet, PRF_FLEET_TOLD), i + 1 - next, "each board once");
        if (i % 3 == 2)
            cr_assert_eq(prf_fleet_next(fleet, PRF_FLEET_TOLD)->number, next++);
    }
    while (next < 500)
        cr_assert_eq(prf_fleet_next(fleet, PRF_FLEET_TOLD)->number, next++);
    cr_expect_null(prf_fleet_next(fleet, PRF_FLEET_TOLD));
    cr_expect_null(prf_fleet_next(fleet, PRF_FLEET_TAKING), "lists are apart");
    prf_fleet_list(fleet, PRF_FLEET_TOLD, prf_fleet_at(fleet, 7));
    cr_expect_eq(prf_fleet_next(fleet, PRF_FLEET_TOLD)->number, 7, "and a board that was taken out may come again");
    prf_fleet_destroy(&fleet);
}

Test(fleet, credit_is_summed_by_class_and_lists_its_board)
{
    prf_fleet_t *fleet = opened();
    prf_fleet_board_t *a = add(fleet, 0), *b = add(fleet, 1);
    a->klass = 0;
    b->klass = 3;
    cr_expect_eq(prf_fleet_credit(fleet, 3), 0);
    prf_fleet_set_credit(fleet, a, 5);
    prf_fleet_set_credit(fleet, b, 7);
    prf_fleet_set_credit(fleet, b, 2);
    cr_expect_eq(prf_fleet_credit(fleet, 0), 5);
    cr_expect_eq(prf_fleet_credit(fleet, 3), 2);
    cr_expect_eq(prf_fleet_listed(fleet, PRF_FLEET_TAKING), 2);
    prf_fleet_set_credit(fleet, a, 0);
    cr_expect_eq(prf_fleet_credit(fleet, 0), 0);
    a->klass = 3;
    prf_fleet_set_credit(fleet, a, 1);
    cr_expect_eq(prf_fleet_credit(fleet, 3), 3);
    prf_fleet_destroy(&fleet);
}
