// SPDX-License-Identifier: Apache-2.0
/* A point's identity is for ever: stores of users are full of them. The digests are those of `b2sum -l 128` over the text that
 * point.c tells of. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "point/point.h"

static const char *const texts[] = {"conv2d n=1 c=64 k=64 h=56 w=56 r=3 s=3 stride=1 pad=1 dilation=1 groups=1 dtype=f32",
                                    "fc n=1 in=10 out=20 + activation n=1 c=20 h=1 w=1 fn=3 dtype=f32"};

static uint32_t energy_ms; /* that is asked for */

static void identity_is(const prf_edge_t *edges, size_t edge_count, size_t blocks, const char *wanted)
{
    prf_block_t parsed[2];
    prf_error_t err = {0};
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(prf_block_parse(&parsed[i], texts[i], &err), PRF_OK, "%s", err.text);
    prf_protocol_t protocol;
    prf_protocol_default(&protocol);
    protocol.cache = PRF_CACHE_SEMI_COLD;
    protocol.energy_ms = energy_ms;
    const prf_chain_t chain = {.blocks = parsed, .count = blocks, .edges = edges, .edge_count = edge_count};
    prf_digest_t point;
    char hex[PRF_DIGEST_HEX];
    prf_point_id(&point, "cpu", "onednn 2.6.3 x threads=1", &protocol, &chain);
    prf_digest_hex(&point, hex);
    cr_expect_str_eq(hex, wanted);
}

Test(point, a_block_and_a_chain_are_identified_as_in_all_versions_before)
{
    identity_is(NULL, 0, 1, "18627f194d7e0559231db59190e5ae8a");
    identity_is(NULL, 0, 2, "a01dc923efab4bf21c037f49a099a707");
}

Test(point, the_edges_of_a_network_that_a_board_builds_are_part_of_its_identity)
{
    const prf_edge_t edges[] = {{0, -1}, {1, 0}};
    identity_is(edges, 2, 2, "d2cc95d530f7585b0722f354f14b6d6f");
}

Test(point, energy_is_part_of_it_where_it_is_asked_for)
{
    energy_ms = 100;
    identity_is(NULL, 0, 1, "f4116e583d05dfb03f6ffed29befab8f");
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
    static const struct {
        double nj;
        bool plausible;
    } checks[] = {{0, true}, {5000, true}, {-1, false}, {1e12, false}, {(double)NAN, false}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        prf_sample_t sample = {.latency_ns = 1000, .min_ns = 1000, .energy_nj = checks[i].nj};
        cr_expect_eq(prf_sample_plausible(&sample), checks[i].plausible, "%g", checks[i].nj);
    }
}
