// SPDX-License-Identifier: Apache-2.0
/* damage.c - one damage hits one block of 4 KiB, as a sector that goes bad or a write that power cut short does. What it may cost
 * is known from that, without believing what the mended program says about itself: the records that fit in such a block. */
#include "damage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "tool.h"

enum { BLOCK = 4096, DAMAGED = 3 /* exit code of fsck */ };

static prf_status_t damage_at(int fd, uint64_t size, prf_rng_t *rng, char what[128], prf_error_t *err)
{
    uint64_t at = prf_rng_below(rng, size);
    uint8_t block[BLOCK] = {0};
    size_t len = 1;
    if (prf_rng_below(rng, 2) == 0) {
        unsigned bit = (unsigned)prf_rng_below(rng, 8);
        if (pread(fd, block, 1, (off_t)at) != 1)
            return prf_fail_sys(err, errno, "reading what is to be damaged");
        block[0] ^= (uint8_t)(1u << bit);
        snprintf(what, 128, "bit %u of byte %llu flipped", bit, (unsigned long long)at);
    } else {
        len = BLOCK - at % BLOCK;
        len = at + len > size ? size - at : len;
        snprintf(what, 128, "write torn: %zu zeros from byte %llu", len, (unsigned long long)at);
    }
    return pwrite(fd, block, len, (off_t)at) == (ssize_t)len ? PRF_OK : prf_fail_sys(err, errno, "damaging a file");
}

prf_status_t damage_file(const char *path, uint64_t seed, char what[128], prf_error_t *err)
{
    struct stat st;
    prf_rng_t rng;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    prf_rng_init(&rng, seed, prf_rng_stream("damage"));
    prf_status_t status = fstat(fd, &st) != 0 || st.st_size == 0 ? prf_fail(err, PRF_ENOTFOUND, "%s is empty", path)
                                                                 : damage_at(fd, (uint64_t)st.st_size, &rng, what, err);
    close(fd);
    return status;
}

prf_status_t damage_one_of(const char *dir, const char *ending, uint64_t seed, char what[128], prf_error_t *err)
{
    char path[PATH_MAX] = "";
    struct dirent *entry;
    DIR *folder = opendir(dir);
    while (folder && (entry = readdir(folder))) {
        size_t len = strlen(entry->d_name), wanted = strlen(ending);
        if (len > wanted && strcmp(entry->d_name + len - wanted, ending) == 0)
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
    }
    if (folder)
        closedir(folder);
    return path[0] ? damage_file(path, seed, what, err) : prf_fail(err, PRF_ENOTFOUND, "%s holds no file *%s", dir, ending);
}

prf_status_t damage_mend_store(const char *store, const char *log, prf_error_t *err)
{
    static unsigned times;
    char mended[PATH_MAX], damaged[PATH_MAX];
    int code = 0;
    const char *const check[] = {PRF_BIN_DIR "/prfarm", "fsck", store, NULL};
    prf_status_t status = tool_run(check, log, &code, err);
    if (status || code == 0)
        return status;
    snprintf(mended, sizeof mended, "%s.mended", store);
    snprintf(damaged, sizeof damaged, "%s.damaged-%u", store, ++times);
    const char *const salvage[] = {PRF_BIN_DIR "/prfarm", "fsck", store, "--salvage", mended, NULL};
    if (code == DAMAGED)
        status = tool_run(salvage, log, &code, err);
    if (status)
        return status;
    if (code != DAMAGED)
        return prf_fail(err, PRF_EINTERNAL, "prfarm fsck ended with %d: see %s", code, log);
    if (rename(store, damaged) != 0 || rename(mended, store) != 0)
        return prf_fail_sys(err, errno, "%s does not take the place of %s", mended, store);
    return PRF_OK;
}
