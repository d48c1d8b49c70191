// SPDX-License-Identifier: Apache-2.0
/* turns.c - numbers are locks on bytes of a file, which hold nothing.
 *
 * The file's first bytes are the last number that was taken; a lock on the byte before them guards that. Number n is the exclusive
 * lock on byte n behind them, taken before the guard is let go of. Its turn has come when all bytes below are free, which is asked
 * for as a shared lock on the whole range, so that the kernel does the waiting. Locks belong to the opened file and end with its
 * process, however that ends: one that is killed while it measures, or while it waits, holds up nobody. Turns come in the order of
 * numbers: with a mere lock on the file the kernel would wake all, and whoever just measured would often be the first again.
 *
 * Rejected: a daemon that hands out turns, which would have to be there; a semaphore, which a killed process would keep. */
#define _GNU_SOURCE /* F_OFD_SETLKW */
#include "turns.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GUARD = 0, LAST = 8 /* bytes 8 .. 15 */, NUMBERS = 16 /* number n is byte NUMBERS + n */ };
static const int64_t most = INT64_MAX / 2;

const char *prf_turns_place(void)
{
    struct stat at;
    bool everybodys = stat("/run/lock", &at) == 0 && S_ISDIR(at.st_mode) && (at.st_mode & S_IWOTH);
    return everybodys ? "/run/lock/prfarm-host" : "/tmp/prfarm-host";
}

/* In a folder for everybody, where kernels let nobody open another user's file as one to be made. */
static int open_shared(const char *path)
{
    for (int tries = 0; tries < 3; tries++) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0)
            (void)fchmod(fd, 0666); /* whatever the mask of this process */
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

prf_status_t prf_turns_open(prf_turns_t *out, const char *path, prf_error_t *err)
{
    int fd = open_shared(path);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    *out = (prf_turns_t){.fd = fd};
    return PRF_OK;
}

static int lock(int fd, int command, short type, int64_t first, int64_t count)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
    int done;
    do
        done = fcntl(fd, command, &range);
    while (done != 0 && errno == EINTR);
    return done;
}

/* A file that was tampered with, or that began anew, is none the worse for it: numbers only have to be above those that are held.
 */
static int64_t next_number(int fd)
{
    int64_t last = 0;
    ssize_t got = pread(fd, &last, sizeof last, LAST);
    return got == (ssize_t)sizeof last && last > 0 && last < most ? last + 1 : 1;
}

prf_status_t prf_turns_take(prf_turns_t *self, prf_error_t *err)
{
    if (self->fd < 0)
        return PRF_OK;
    if (lock(self->fd, F_OFD_SETLKW, F_WRLCK, GUARD, 1) != 0)
        return prf_fail_sys(err, errno, "taking turns");
    int64_t number = next_number(self->fd);
    bool ok = lock(self->fd, F_OFD_SETLKW, F_WRLCK, NUMBERS + number, 1) == 0 &&
              pwrite(self->fd, &number, sizeof number, LAST) == (ssize_t)sizeof number;
    int why = errno;
    (void)lock(self->fd, F_OFD_SETLK, F_UNLCK, GUARD, 1);
    if (ok) {
        ok = lock(self->fd, F_OFD_SETLKW, F_RDLCK, NUMBERS, number) == 0;
        why = errno;
        (void)lock(self->fd, F_OFD_SETLK, F_UNLCK, NUMBERS, number);
    }
    self->number = number;
    if (ok)
        return PRF_OK;
    prf_turns_give(self);
    return prf_fail_sys(err, why, "taking turns");
}

void prf_turns_give(prf_turns_t *self)
{
    if (self->fd >= 0 && self->number > 0)
        (void)lock(self->fd, F_OFD_SETLK, F_UNLCK, NUMBERS + self->number, 1);
    self->number = 0;
}

void prf_turns_close(prf_turns_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    *self = (prf_turns_t){.fd = -1};
}
