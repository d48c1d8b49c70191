// SPDX-License-Identifier: Apache-2.0
/* room.h - watches the room on the store's disk: while there is little, no new work is granted, so that what is being measured can
 * still be stored. Loop thread only. */
#ifndef PRF_ROOM_H
#define PRF_ROOM_H

#include <stdbool.h>
#include <stdint.h>

enum { PRF_ROOM_NOTE = 400 };

typedef struct {
    const char *dir;     /* on the disk; borrowed */
    uint64_t low_bytes;  /* below it is little; 0: nothing is watched */
    uint64_t free_bytes; /* when it was looked at last */
    bool low;
    char note[PRF_ROOM_NOTE]; /* for people, while it is low */
} prf_room_t;

void prf_room_init(prf_room_t *self, const char *dir, uint64_t low_mb);
/* Asks the system, then prf_room_set; a change is logged. */
void prf_room_look(prf_room_t *self);
/* Decides. Once low it stays so until there is a quarter more than the mark, lest it flutter at it. Pure. */
void prf_room_set(prf_room_t *self, uint64_t free_bytes);

#endif
