// SPDX-License-Identifier: Apache-2.0
#include "room.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/log.h"

enum { MB_SHIFT = 20 };

void prf_room_init(prf_room_t *self, const char *dir, uint64_t low_mb)
{
    *self = (prf_room_t){.dir = dir, .low_bytes = low_mb << MB_SHIFT};
}

void prf_room_set(prf_room_t *self, uint64_t free_bytes)
{
    self->free_bytes = free_bytes;
    self->low = free_bytes < self->low_bytes + (self->low ? self->low_bytes / 4 : 0);
    self->note[0] = '\0';
    if (self->low)
        snprintf(self->note, sizeof self->note,
                 "the disk that holds %.200s has %" PRIu64 " MiB left, and no work is given out below %" PRIu64
                 " MiB: free some space; from %" PRIu64 " MiB on the campaign goes on by itself",
                 self->dir, free_bytes >> MB_SHIFT, self->low_bytes >> MB_SHIFT,
                 (self->low_bytes + self->low_bytes / 4) >> MB_SHIFT);
}

void prf_room_look(prf_room_t *self)
{
    struct statvfs fs;
    bool before = self->low;
    if (self->low_bytes == 0 || statvfs(self->dir, &fs) != 0)
        return;
    prf_room_set(self, (uint64_t)fs.f_bavail * fs.f_frsize);
    if (self->low && !before)
        prf_log(PRF_LOG_WARN, "space_low granting=false note=\"%s\"", self->note);
    if (!self->low && before)
        prf_log(PRF_LOG_INFO, "space_regained granting=true free_mb=%" PRIu64, self->free_bytes >> MB_SHIFT);
}
