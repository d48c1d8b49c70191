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
