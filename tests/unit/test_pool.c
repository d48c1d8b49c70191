// SPDX-License-Identifier: Apache-2.0
/* test_pool.c - pieces are whole and apart whatever the order in which they come and go, and no more are kept than was said. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/pool.h"

Test(pool, pieces_are_apart_and_few_are_kept)
{
    enum { PIECES = 100, SIZE = 48, MOST = 10 };
    unsigned char *pieces[PIECES];
    prf_pool_t pool;
    prf_pool_init(&pool, SIZE, MOST);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PIECES; i++) {
            pieces[i] = prf_pool_take(&pool);
            cr_assert_not_null(pieces[i]);
            memset(pieces[i], i, SIZE);
        }
        for (int i = 0; i < PIECES; i++)
            for (int k = 0; k < SIZE; k++)
                cr_assert_eq(pieces[i][k], i);
        for (int i = 0; i < PIECES; i++)
            prf_pool_give(&pool, pieces[(i * 37) % PIECES]);
        cr_expect_leq(pool.kept, MOST);
    }
    prf_pool_give(&pool, NULL);
    prf_pool_release(&pool);
    cr_expect_eq(pool.kept, 0);
}
