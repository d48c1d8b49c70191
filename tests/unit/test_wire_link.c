// SPDX-License-Identifier: Apache-2.0
/* Frames between relays: as they went in, and only those that make sense. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

static bool there_and_back(const prf_frame_t *frame, prf_frame_t *back)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_frame_encode(frame, &bytes, &len, &err), PRF_OK, "%s", err.text);
    prf_status_t status = prf_frame_decode(back, bytes, len, &err);
    free(bytes);
    cr_assert(status == PRF_OK || status == PRF_EPEER, "%s", err.text);
    return status == PRF_OK;
}

Test(wire_link, frames_between_relays_come_out_as_they_went_in)
{
    prf_frame_t back, frame = {.type = PRF_FRAME_LINK_OPEN, .u.link = {UINT64_MAX, 12, true}};
    cr_assert(there_and_back(&frame, &back));
    cr_expect(back.u.link.session == UINT64_MAX && back.u.link.received == 12 && back.u.link.resume);
    frame.type = PRF_FRAME_LINK_WELCOME;
    cr_assert(there_and_back(&frame, &back));
    cr_expect(back.u.link.session == UINT64_MAX && back.u.link.received == 12);
    frame = (prf_frame_t){.type = PRF_FRAME_LINK_BEAT, .u.beat = {7, true}};
    cr_assert(there_and_back(&frame, &back));
    cr_expect(back.u.beat.received == 7 && back.u.beat.farm);
    static uint8_t data[PRF_PART_BYTES];
    memset(data, 0x5a, sizeof data);
    frame = (prf_frame_t){.type = PRF_FRAME_LINK_PART, .u.part = {9, 3, PRF_PART_DATA, 0, data, sizeof data}};
    cr_assert(there_and_back(&frame, &back));
    cr_expect(back.u.part.number == 9 && back.u.part.stream == 3 && back.u.part.kind == PRF_PART_DATA);
    cr_expect(back.u.part.len == sizeof data && memcmp(back.u.part.data, data, sizeof data) == 0);
    prf_frame_release(&back);
}

Test(wire_link, what_makes_no_sense_is_refused)
{
    static uint8_t data[1];
    static const prf_part_t parts[] = {
        {0, 1, PRF_PART_END, 0, NULL, 0}, /* numbers begin at 1, */
        {1, 0, PRF_PART_END, 0, NULL, 0}, /* and so do connections */
        {1, 1, PRF_PART_KINDS, 0, NULL, 0},
        {1, 1, (prf_part_kind_t)0, 0, NULL, 0},             /* no such kind */
        {1, 1, PRF_PART_OPEN, PRF_PART_ENDPOINTS, NULL, 0}, /* no such endpoint */
        {1, 1, PRF_PART_OPEN, 0, data, 1},
        {1, 1, PRF_PART_DATA, 0, NULL, 0}, /* data where there is none, and none */
        {1, 1, PRF_PART_DATA, 1, data, 1},
        {1, 1, PRF_PART_ROOM, 0, NULL, 0},
        {1, 1, PRF_PART_END, 1, NULL, 0},
    };
    prf_frame_t back;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect_not(there_and_back(&(prf_frame_t){.type = PRF_FRAME_LINK_PART, .u.part = parts[i]}, &back), "part %zu", i);
    cr_expect_not(there_and_back(&(prf_frame_t){.type = PRF_FRAME_LINK_OPEN, .u.link = {.session = 0}}, &back));
    cr_expect_not(there_and_back(&(prf_frame_t){.type = PRF_FRAME_LINK_OPEN, .u.link = {.session = 1, .received = 1}}, &back));
    static uint8_t long_data[PRF_PART_BYTES + 1];
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    const prf_frame_t too_long = {.type = PRF_FRAME_LINK_PART, .u.part = {1, 1, PRF_PART_DATA, 0, long_data, sizeof long_data}};
    cr_expect_eq(prf_frame_encode(&too_long, &bytes, &len, &err), PRF_EINVAL);
}
