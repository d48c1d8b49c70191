// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

Test(map, keys_of_different_bytes_differ_and_spread)
{
    enum { NAMES = 20000 };
    prf_map_t map;
    prf_map_init(&map);
    char name[40];
    for (uint32_t i = 0; i < NAMES; i++) {
        prf_digest_t key;
        snprintf(name, sizeof name, i % 2 ? "b%u" : "a board with a long name %u", i);
        prf_map_key(&key, name, strlen(name));
        uint64_t before;
        cr_assert_not(prf_map_get(&map, &key, 0, &before), "%s", name);
        cr_assert_eq(prf_map_put(&map, &key, 0, i, NULL), PRF_OK);
    }
    size_t longest = 0;
    for (size_t i = 0, run = 0; i < map.cap; i++) {
        run = map.entries[i].used ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    cr_expect_lt(longest, 200, "%zu places in a row are taken", longest);
    /* What differs in length only, or in zero bytes only, is not the same. */
    static const struct {
        const char *bytes;
        size_t len;
    } short_ones[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"\0\1", 2}, {"\1\0", 2}, {"\1", 1}};
    prf_digest_t keys[6];
    for (size_t i = 0; i < 6; i++) {
        prf_map_key(&keys[i], short_ones[i].bytes, short_ones[i].len);
        for (size_t k = 0; k < i; k++)
            cr_expect_neq(prf_digest_compare(&keys[i], &keys[k]), 0, "%zu and %zu", i, k);
    }
    prf_map_release(&map);
}
