// SPDX-License-Identifier: Apache-2.0
/* A point's identity is what finds a measurement again in a store of years: it must never change for what was measured before. */
#include <criterion/criterion.h>
#include <math.h>

#include "point/point.h"

static void identity(const prf_protocol_t *protocol, char hex[PRF_DIGEST_HEX])
{
    prf_block_t block;
    prf_digest_t digest;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, "fc in=64 out=10", &err), PRF_OK, "%s", err.text);
    prf_point_id(&digest, "npu", "sim/x", protocol, &block, 1);
    prf_digest_hex(&digest, hex);
}

/* The digests are those of b2sum -l 128 over the canonical text. */
Test(point, identities_stay_and_energy_changes_them_only_where_it_is_asked_for)
{
    prf_protocol_t protocol;
    char hex[PRF_DIGEST_HEX];
    prf_protocol_default(&protocol);
    identity(&protocol, hex);
    cr_expect_str_eq(hex, "0141908c766d5f459b08fe2c5f3c0615");
    protocol.energy_ms = 100;
    identity(&protocol, hex);
    cr_expect_str_eq(hex, "9d707e90b50690c8ab068041703918de");
}

Test(point, a_protocol_that_asks_for_too_little_or_too_much_energy_is_refused)
{
    static const struct {
        uint32_t ms;
        prf_status_t status;
    } checks[] = {{0, PRF_OK}, {19, PRF_EINVAL}, {20, PRF_OK}, {60000, PRF_OK}, {60001, PRF_EINVAL}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        prf_protocol_t protocol;
        prf_protocol_default(&protocol);
        protocol.energy_ms = checks[i].ms;
        cr_expect_eq(prf_protocol_check(&protocol, NULL), checks[i].status, "%u", checks[i].ms);
    }
}

Test(point, an_energy_that_cannot_be_makes_a_sample_implausible)
{
    prf_sample_t sample = {.latency_ns = 1000, .min_ns = 1000};
    cr_expect(prf_sample_plausible(&sample), "not told");
    sample.energy_nj = 5000;
    cr_expect(prf_sample_plausible(&sample));
    sample.energy_nj = -1;
    cr_expect_not(prf_sample_plausible(&sample));
    sample.energy_nj = 1e12;
    cr_expect_not(prf_sample_plausible(&sample), "a gigawatt");
    sample.energy_nj = (double)NAN;
    cr_expect_not(prf_sample_plausible(&sample));
}
