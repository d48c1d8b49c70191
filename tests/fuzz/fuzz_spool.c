// SPDX-License-Identifier: Apache-2.0
/* fuzz_spool.c - a worker's spool that may hold anything: each slot by itself, as it is and with the magic word, identity and
 * checksum that it should have; then the whole file, opened as a worker does that starts. A result that was handed over can be put
 * again. */
#define _GNU_SOURCE /* nftw */
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fuzz.h"
#include "worker/spool.h"

enum { SLOTS = 4, MAGIC = 4, CHECKSUM_AT = 4, LENGTH_AT = 8, IDENTITY_AT = 20, FRAME_AT = 36 }; /* docs/spool.md */

static const prf_hello_t who = {.board = "b1", .kind = "cpu", .fingerprint = "fuzz"};
static const prf_digest_t identity = {{1, 2, 3}};
static char folder[] = "/tmp/prfarm-fuzz-XXXXXX", path[256];

static int remove_one(const char *name, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(name);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int take_path(const char *name, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)at;
    if (type == FTW_F)
        snprintf(path, sizeof path, "%s", name);
    return 0;
}

static void ignore(void *arg, const prf_result_t *result, uint32_t slot)
{
    (void)arg, (void)result, (void)slot;
}

static prf_result_t some_result(uint64_t id)
{
    prf_result_t result = {.id = id, .epoch = 7, .sample = {.latency_ns = 1500, .min_ns = 1400, .repeats = 9}};
    prf_digest(&result.point, &id, sizeof id);
    return result;
}

/* The folder for this process, and the name that the file has in it. */
static void prepare(void)
{
    prf_spool_t *spool;
    prf_spool_found_t found;
    prf_error_t err;
    prf_result_t result = some_result(1);
    if (path[0])
        return;
    MUST(mkdtemp(folder), "%s", folder);
    atexit(remove_folder);
    MUST(prf_spool_open(&spool, folder, &who, SLOTS, ignore, NULL, &found, &err) == PRF_OK, "%s", err.text);
    MUST(prf_spool_put(spool, 0, &result, &err) == PRF_OK, "%s", err.text);
    prf_spool_close(&spool);
    nftw(folder, take_path, 8, FTW_PHYS);
    MUST(path[0], "%s: no spool", folder);
}

static prf_slot_t try_slot(const uint8_t slot[PRF_SPOOL_SLOT])
{
    uint8_t again[PRF_SPOOL_SLOT];
    uint64_t sequence;
    prf_result_t result;
    prf_error_t err;
    prf_slot_t state = prf_spool_decode(slot, &identity, &sequence, &result);
    if (state == PRF_SLOT_USED) {
        MUST(prf_spool_encode(again, &identity, sequence, &result, &err) == PRF_OK, "%s", err.text);
        MUST(prf_spool_decode(again, &identity, &sequence, &result) == PRF_SLOT_USED, "a slot that cannot be read again");
    }
    return state;
}

static prf_slot_t try_mended(const uint8_t slot[PRF_SPOOL_SLOT])
{
    uint8_t mended[PRF_SPOOL_SLOT];
    uint32_t len = 0;
    memcpy(mended, slot, sizeof mended);
    for (int i = 3; i >= 0; i--)
        len = len << 8 | mended[LENGTH_AT + i];
    memcpy(mended, "prs1", MAGIC);
    memcpy(mended + IDENTITY_AT, identity.bytes, sizeof identity.bytes);
    if (len <= PRF_SPOOL_SLOT - FRAME_AT) {
        uint32_t crc = prf_crc32(mended + LENGTH_AT, FRAME_AT - LENGTH_AT + len);
        for (int i = 0; i < 4; i++)
            mended[CHECKSUM_AT + i] = (uint8_t)(crc >> 8 * i);
    }
    return try_slot(mended);
}

static void count_result(void *arg, const prf_result_t *result, uint32_t slot)
{
    size_t *count = arg;
    MUST(slot < SLOTS && prf_status_name(result->outcome), "slot %u", slot);
    ++*count;
}

static void open_file(const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    MUST(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, "%s", path);
    prf_spool_t *spool;
    prf_spool_found_t found;
    prf_error_t err;
    size_t count = 0;
    MUST(prf_spool_open(&spool, folder, &who, SLOTS, count_result, &count, &found, &err) == PRF_OK, "%s", err.text);
    MUST(count == found.taken && found.taken + found.damaged <= SLOTS, "%zu, %zu, %zu", count, found.taken, found.damaged);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        prf_spool_clear(spool, slot);
    prf_spool_close(&spool); /* nothing is left, and so is no file: nothing waits for the disk */
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    bool used = false;
    for (size_t at = 0; at < len && at < (size_t)SLOTS * PRF_SPOOL_SLOT; at += PRF_SPOOL_SLOT) {
        uint8_t slot[PRF_SPOOL_SLOT] = {0};
        memcpy(slot, bytes + at, len - at < sizeof slot ? len - at : sizeof slot);
        used = (int)(try_slot(slot) == PRF_SLOT_USED) | (int)(try_mended(slot) == PRF_SLOT_USED) | (int)used;
    }
    prepare();
    open_file(bytes, len);
    return used;
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    uint8_t file[2 * PRF_SPOOL_SLOT];
    prf_result_t good = some_result(1), bad = some_result(2);
    bad.outcome = PRF_ECRASH;
    snprintf(bad.error, sizeof bad.error, "signal 11 (Segmentation fault)");
    prf_error_t err;
    MUST(prf_spool_encode(file, &identity, 1, &good, &err) == PRF_OK, "%s", err.text);
    MUST(prf_spool_encode(file + PRF_SPOOL_SLOT, &identity, 2, &bad, &err) == PRF_OK, "%s", err.text);
    add(arg, file, PRF_SPOOL_SLOT);
    add(arg, file, sizeof file);
    /* As a worker leaves it: with the identity that follows from its board. */
    char *bytes;
    size_t len;
    prf_spool_t *spool;
    prf_spool_found_t found;
    prepare();
    MUST(prf_spool_open(&spool, folder, &who, SLOTS, ignore, NULL, &found, &err) == PRF_OK, "%s", err.text);
    MUST(prf_spool_put(spool, 1, &bad, &err) == PRF_OK, "%s", err.text);
    prf_spool_close(&spool);
    MUST(prf_file_read(path, 1 << 20, &bytes, &len, &err) == PRF_OK, "%s", err.text);
    add(arg, bytes, len);
    free(bytes);
}
