// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* memfd_create */
#include "memory_file.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

void memory_file_open(memory_file_t *file, const void *bytes, size_t len)
{
    file->fd = memfd_create("fuzz", MFD_CLOEXEC);
    MUST(file->fd >= 0, "memfd_create");
    MUST(write(file->fd, bytes, len) == (ssize_t)len, "write");
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

void memory_file_close(memory_file_t *file)
{
    close(file->fd);
}
