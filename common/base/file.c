// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static prf_status_t read_all(int fd, const char *path, size_t limit, char **data, size_t *len, prf_error_t *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return prf_fail_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return prf_fail(err, PRF_EINVAL, "%s: not a regular file: name one", path);
    if ((unsigned long long)st.st_size > limit)
        return prf_fail(err, PRF_EINVAL, "%s: %lld bytes, more than the limit of %zu: is it the right file?", path,
                        (long long)st.st_size, limit);
    size_t size = (size_t)st.st_size, used = 0;
    char *buffer = malloc(size + 1);
    if (!buffer)
        return prf_fail(err, PRF_ENOMEM, "%s: %zu bytes", path, size);
    while (used < size) {
        ssize_t n = read(fd, buffer + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int e = errno;
            free(buffer);
            return prf_fail_sys(err, e, "%s", path);
        }
        if (n == 0)
            break;
        used += (size_t)n;
    }
    buffer[used] = '\0';
    *data = buffer;
    *len = used;
    return PRF_OK;
}

prf_status_t prf_file_read(const char *path, size_t limit, char **data, size_t *len, prf_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    prf_status_t status = read_all(fd, path, limit, data, len, err);
    close(fd);
    return status;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Some file systems refuse to sync a folder; the rename itself stands. */
    (void)!fsync(fd);
    close(fd);
}

prf_status_t prf_file_replaceable(const char *path, prf_error_t *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return prf_fail(err, PRF_EINVAL, "%s: is there and is no regular file: choose another name", path);
    return PRF_OK;
}

prf_status_t prf_file_write(const char *path, const void *data, size_t len, prf_error_t *err)
{
    char beside[PATH_MAX];
    prf_status_t status = prf_file_replaceable(path, err);
    if (status)
        return status;
    if (snprintf(beside, sizeof beside, "%s.tmp-%ld", path, (long)getpid()) >= (int)sizeof beside)
        return prf_fail(err, PRF_EINVAL, "%.300s...: path too long: use a shorter one", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    int e = write_all(fd, data, len);
    if (close(fd) != 0 && !e)
        e = errno;
    if (!e && rename(beside, path) != 0)
        e = errno;
    if (e) {
        unlink(beside);
        return prf_fail_sys(err, e, "%s", path);
    }
    sync_folder(path);
    return PRF_OK;
}

/* Room behind the end of a file, so that a full disk does not leave half of what is added; where the file system can do that. */
static int room_for(int fd, size_t len)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    bool full = fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, (off_t)len) != 0 && (errno == ENOSPC || errno == EDQUOT);
    return full ? errno : 0;
}

prf_status_t prf_file_append(const char *path, const void *data, size_t len, prf_error_t *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    int e = room_for(fd, len);
    if (!e)
        e = write_all(fd, data, len);
    if (close(fd) != 0 && !e)
        e = errno;
    return e ? prf_fail_sys(err, e, "%s", path) : PRF_OK;
}

prf_status_t prf_file_mkdirs(const char *path, unsigned mode, prf_error_t *err)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return prf_fail(err, PRF_EINVAL, "%.300s...: path too long: use a shorter one", path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, (mode_t)mode) != 0 && errno != EEXIST)
            return prf_fail_sys(err, errno, "%s", copy);
        if (kept == '\0')
            break;
        *p = kept;
    }
    struct stat st;
    if (stat(path, &st) != 0)
        return prf_fail_sys(err, errno, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return prf_fail(err, PRF_EIO, "%s: is a file, not a folder: choose another name", path);
    return PRF_OK;
}
