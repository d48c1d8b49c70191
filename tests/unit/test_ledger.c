// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "ledger.h"

static prf_digest_t point(uint32_t number)
{
    prf_digest_t d;
    prf_digest(&d, &number, sizeof number);
    return d;
}

Test(ledger, an_entry_stays_where_it_is_and_is_its_points_alone)
{
    enum { POINTS = 30000, ATTEMPTS = 2 };
    static prf_entry_t *entries[POINTS][ATTEMPTS];
    prf_ledger_t *ledger;
    prf_error_t err;
    cr_assert_eq(prf_ledger_new(&ledger, &err), PRF_OK, "%s", err.text);
    for (uint32_t i = 0; i < POINTS; i++)
        for (uint32_t a = 0; a < ATTEMPTS; a++) {
            prf_digest_t d = point(i);
            cr_assert_null(prf_ledger_find(ledger, &d, a));
            cr_assert_eq(prf_ledger_reach(ledger, &d, a, &entries[i][a], &err), PRF_OK, "%s", err.text);
            cr_assert_eq(entries[i][a]->attempt, a);
            cr_assert_not(entries[i][a]->known);
        }
    for (uint32_t i = 0; i < POINTS; i++)
        for (uint32_t a = 0; a < ATTEMPTS; a++) {
            prf_digest_t d = point(i);
            prf_entry_t *again;
            cr_assert_eq(prf_ledger_find(ledger, &d, a), entries[i][a]);
            cr_assert_eq(prf_ledger_reach(ledger, &d, a, &again, &err), PRF_OK);
            cr_assert_eq(again, entries[i][a]);
            cr_assert_eq(prf_digest_compare(&again->point, &d), 0);
        }
    prf_ledger_destroy(&ledger);
}

/* Digests whose first bytes are the same share a hash, and are told apart all the same. */
Test(ledger, points_with_the_same_hash_are_told_apart)
{
    enum { POINTS = 100 };
    prf_ledger_t *ledger;
    prf_entry_t *entries[POINTS];
    cr_assert_eq(prf_ledger_new(&ledger, NULL), PRF_OK);
    for (uint8_t i = 0; i < POINTS; i++) {
        prf_digest_t d = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8, i}};
        cr_assert_eq(prf_ledger_reach(ledger, &d, 0, &entries[i], NULL), PRF_OK);
    }
    for (uint8_t i = 0; i < POINTS; i++) {
        prf_digest_t d = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8, i}};
        cr_assert_eq(prf_ledger_find(ledger, &d, 0), entries[i]);
    }
    prf_ledger_destroy(&ledger);
}
