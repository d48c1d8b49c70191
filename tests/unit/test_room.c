// SPDX-License-Identifier: Apache-2.0
/* The watch over the room on the store's disk. */
#include <criterion/criterion.h>
#include <string.h>

#include "room.h"

enum { MIB = 1 << 20 };

Test(room, is_low_below_the_mark_and_over_only_a_quarter_above_it)
{
    prf_room_t room;
    prf_room_init(&room, "/farm", 64);
    prf_room_set(&room, (uint64_t)64 * MIB);
    cr_expect_not(room.low);
    cr_expect_str_empty(room.note);
    prf_room_set(&room, (uint64_t)64 * MIB - 1);
    cr_expect(room.low);
    cr_expect(strstr(room.note, "/farm") && strstr(room.note, "63 MiB") && strstr(room.note, "free some space"), "%s", room.note);
    prf_room_set(&room, (uint64_t)80 * MIB - 1);
    cr_expect(room.low);
    prf_room_set(&room, (uint64_t)80 * MIB);
    cr_expect_not(room.low);
    prf_room_set(&room, (uint64_t)65 * MIB);
    cr_expect_not(room.low);
}

Test(room, a_mark_of_0_is_never_reached)
{
    prf_room_t room;
    prf_room_init(&room, "/", 0);
    prf_room_set(&room, 0);
    cr_expect_not(room.low);
    prf_room_look(&room);
    cr_expect_not(room.low);
}
