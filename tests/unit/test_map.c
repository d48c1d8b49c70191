// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "base/map.h"

Test(map, keeps_a_hundred_thousand_keys_apart_by_digest_and_number)
{
    prf_map_t map;
    prf_map_init(&map);
    for (uint32_t i = 0; i < 100000; i++) {
        prf_digest_t d;
        uint32_t key = i / 2;
        prf_digest(&d, &key, sizeof key);
        cr_assert_eq(prf_map_put(&map, &d, i % 2, i, NULL), PRF_OK);
    }
    cr_assert_eq(map.count, 100000);
    for (uint32_t i = 0; i < 100000; i++) {
        prf_digest_t d;
        uint32_t key = i / 2;
        uint64_t value;
        prf_digest(&d, &key, sizeof key);
        cr_assert(prf_map_get(&map, &d, i % 2, &value));
        cr_assert_eq(value, i);
        cr_assert_not(prf_map_get(&map, &d, 2, &value));
    }
    prf_map_release(&map);
}

Test(map, removing_keys_loses_none_of_the_others)
{
    prf_map_t map;
    prf_map_init(&map);
    enum { KEYS = 20000 };
    for (uint32_t i = 0; i < KEYS; i++) {
        prf_digest_t d;
        prf_digest(&d, &i, sizeof i);
        cr_assert_eq(prf_map_put(&map, &d, 7, i, NULL), PRF_OK);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        prf_digest_t d;
        prf_digest(&d, &i, sizeof i);
        if (i % 3)
            prf_map_remove(&map, &d, 7);
        prf_map_remove(&map, &d, 8); /* never there */
    }
    cr_assert_eq(map.count, (KEYS + 2) / 3);
    for (uint32_t i = 0; i < KEYS; i++) {
        prf_digest_t d;
        uint64_t value = 0;
        prf_digest(&d, &i, sizeof i);
        cr_assert_eq(prf_map_get(&map, &d, 7, &value), i % 3 == 0, "key %u", i);
        cr_assert(i % 3 || value == i);
    }
    prf_map_release(&map);
}

Test(map, keeps_pointers)
{
    prf_map_t map;
    prf_map_init(&map);
    prf_digest_t d;
    int here;
    prf_digest(&d, "x", 1);
    cr_assert_null(prf_map_get_pointer(&map, &d, 0));
    cr_assert_eq(prf_map_put_pointer(&map, &d, 0, &here, NULL), PRF_OK);
    cr_assert_eq(prf_map_get_pointer(&map, &d, 0), &here);
    cr_assert_null(prf_map_get_pointer(&map, &d, 1));
    prf_map_release(&map);
}
