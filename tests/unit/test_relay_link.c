// SPDX-License-Identifier: Apache-2.0
/* A relay's link: parts in order and once, over connections that break; and the greeting that it looks for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "relay/greeting.h"
#include "relay/link.h"

static prf_link_t *new_link(size_t limit)
{
    prf_link_t *link;
    prf_error_t err = {0};
    cr_assert_eq(prf_link_new(&link, limit, &err), PRF_OK, "%s", err.text);
    return link;
}

static void queue(prf_link_t *link, uint32_t value)
{
    prf_error_t err = {0};
    prf_part_t part = {.stream = 1, .kind = PRF_PART_ROOM, .value = value};
    cr_assert_eq(prf_link_queue(link, &part, &err), PRF_OK, "%s", err.text);
}

/* Everything that may be sent now goes to `to`, of which some is lost once `lost` says so. Returns what arrived in turn. */
static void carry(prf_link_t *from, prf_link_t *to, prf_rng_t *rng, double loss, uint32_t *next)
{
    size_t len;
    const uint8_t *bytes;
    bool broken = false; /* what is behind a lost frame is lost, too: a connection keeps the order */
    while ((bytes = prf_link_next(from, &len))) {
        prf_frame_t frame;
        prf_error_t err = {0};
        cr_assert_eq(prf_frame_decode(&frame, bytes, len, &err), PRF_OK, "%s", err.text);
        prf_link_sent(from);
        broken = broken || prf_rng_double(rng) < loss;
        if (!broken && prf_link_take(to, &frame.u.part) == PRF_LINK_NEXT)
            cr_assert_eq(frame.u.part.value, (*next)++);
        prf_frame_release(&frame);
    }
}

Test(relay_link, parts_arrive_in_order_and_once_over_connections_that_break)
{
    prf_link_t *from = new_link(1 << 20), *to = new_link(1 << 20);
    prf_rng_t rng;
    prf_error_t err = {0};
    uint32_t queued = 1, next = 1;
    prf_rng_init(&rng, 11, 0);
    for (int round = 0; round < 400; round++) {
        for (uint64_t i = prf_rng_below(&rng, 20); i > 0; i--)
            queue(from, queued++);
        carry(from, to, &rng, 0.1, &next);
        if (prf_rng_below(&rng, 2)) /* the confirmation may be lost as well */
            cr_assert_eq(prf_link_confirm(from, prf_link_received(to), &err), PRF_OK, "%s", err.text);
        prf_link_rewind(from);
    }
    carry(from, to, &rng, 0, &next);
    cr_assert_eq(next, queued);
    cr_assert_eq(prf_link_confirm(from, prf_link_received(to), &err), PRF_OK);
    cr_assert_eq(prf_link_bytes(from), 0);
    prf_link_destroy(&from);
    prf_link_destroy(&to);
}

Test(relay_link, it_says_when_it_is_full_and_that_nothing_was_sent_cannot_be_confirmed)
{
    prf_link_t *link = new_link(100);
    prf_error_t err = {0};
    uint32_t count = 0;
    while (!prf_link_full(link))
        queue(link, ++count);
    cr_assert_geq(prf_link_bytes(link), 100);
    cr_assert_eq(prf_link_confirm(link, count + 1, &err), PRF_EPEER);
    cr_assert_eq(prf_link_confirm(link, count, &err), PRF_OK);
    cr_assert_eq(prf_link_confirm(link, 1, &err), PRF_OK); /* an old one is of no meaning */
    cr_assert_not(prf_link_full(link));
    cr_assert_eq(prf_link_take(link, &(prf_part_t){.number = 2}), PRF_LINK_GAP);
    cr_assert_eq(prf_link_take(link, &(prf_part_t){.number = 1}), PRF_LINK_NEXT);
    cr_assert_eq(prf_link_take(link, &(prf_part_t){.number = 1}), PRF_LINK_KNOWN);
    prf_link_destroy(&link);
}

Test(relay_link, no_more_than_a_few_megabytes_are_in_flight)
{
    static uint8_t data[PRF_PART_BYTES];
    prf_link_t *link = new_link((size_t)64 << 20);
    prf_error_t err = {0};
    prf_part_t part = {.stream = 1, .kind = PRF_PART_DATA, .data = data, .len = sizeof data};
    size_t len, sent = 0;
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(prf_link_queue(link, &part, &err), PRF_OK);
    while (prf_link_next(link, &len)) {
        cr_assert_leq(len, PRF_LINK_FRAME);
        sent += len;
        prf_link_sent(link);
    }
    cr_assert(sent >= PRF_LINK_IN_FLIGHT && sent < PRF_LINK_IN_FLIGHT + PRF_LINK_FRAME, "%zu", sent);
    cr_assert_eq(prf_link_confirm(link, 1, &err), PRF_OK);
    cr_assert_not_null(prf_link_next(link, &len));
    prf_link_destroy(&link);
}

/* What libzmq 4.3 sends first with CURVE, as a client. */
static const uint8_t curve[PRF_GREETING_BYTES] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";

Test(relay_link, only_the_greeting_of_a_connection_with_keys_is_taken)
{
    for (size_t piece = 1; piece <= sizeof curve; piece++) {
        prf_greeting_t greeting = {.seen = 0};
        for (size_t at = 0; at < sizeof curve; at += piece) {
            size_t len = sizeof curve - at < piece ? sizeof curve - at : piece;
            cr_assert(prf_greeting_take(&greeting, curve + at, len));
            cr_assert_eq(prf_greeting_signed(&greeting), at + len >= PRF_GREETING_SIGNATURE);
        }
        cr_assert(prf_greeting_whole(&greeting));
        cr_assert(prf_greeting_take(&greeting, (const uint8_t *)"anything", 8));
    }
    static const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {{0, 0}, {9, 0}, {10, 2}, {12, 'N'}, {16, 'X'}, {17, '2'}, {31, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        prf_greeting_t greeting = {.seen = 0};
        uint8_t bytes[sizeof curve];
        memcpy(bytes, curve, sizeof bytes);
        bytes[wrong[i].at] = wrong[i].byte;
        cr_assert_not(prf_greeting_take(&greeting, bytes, sizeof bytes), "byte %zu", wrong[i].at);
    }
}
