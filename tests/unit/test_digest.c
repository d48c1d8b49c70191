// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "base/digest.h"

Test(digest, hexadecimal_reads_back_and_nothing_else_does)
{
    prf_digest_t digest, again, kept;
    char hex[PRF_DIGEST_HEX];
    prf_digest(&digest, "layer", 5);
    prf_digest_hex(&digest, hex);
    cr_assert(prf_digest_parse(&again, hex));
    cr_assert_eq(prf_digest_compare(&digest, &again), 0);
    kept = again;
    static const char *const wrong[] = {"",
                                        "00",
                                        "0123456789abcdef0123456789abcde",
                                        "0123456789abcdef0123456789abcdef0",
                                        "0123456789ABCDEF0123456789ABCDEF",
                                        "0123456789abcdef0123456789abcdeg"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(prf_digest_parse(&again, wrong[i]), "'%s' was accepted", wrong[i]);
    cr_assert_eq(prf_digest_compare(&kept, &again), 0, "a refused text changed the digest");
}
