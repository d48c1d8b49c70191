// SPDX-License-Identifier: Apache-2.0
/* spool.c - an array of slots, one result each, written in place: <folder>/BOARD-KIND-DIGEST.v1.
 *
 * The outbox is bounded, so the file can be: it never needs compaction, a slot is freed by clearing its first word, and the disk
 * space is reserved when the file is made, so that a disk that fills up later takes nothing from it. Every slot says by itself what
 * it is (a magic word that is also the format, a checksum, whose result), so a torn write or a flipped bit costs the slot that it
 * hits, and the order in which the system writes pages back cannot matter. A result inside is a frame of the protocol: its codec
 * checks everything that a checksum does not.
 *
 * Board, kind and runtime are in the file's name (the runtime in the digest): what another one left is not found, never mixed
 * in, and taken up as soon as that one is back. The same holds for another format.
 *
 * Rejected: an append-only log, whose entries behind a damaged length are lost with it, and which must be rewritten when it is
 * full. Rejected, too: waiting for the disk at each result. On an SD card that takes longer than most measurements, wears the
 * card, and disturbs the board; results are normally committed and cleared before the system writes them back at all. */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* Offsets in a slot. Numbers are little-endian; the checksum is of all from LENGTH to the frame's end. */
enum { MAGIC = 0, CHECKSUM = 4, LENGTH = 8, SEQUENCE = 12, IDENTITY = 20, FRAME = IDENTITY + PRF_DIGEST_BYTES };
enum { FRAME_BYTES = PRF_SPOOL_SLOT - FRAME, MAGIC_BYTES = CHECKSUM - MAGIC, SHORT_DIGEST = 16 };

static const uint8_t magic[MAGIC_BYTES] = {'p', 'r', 's', '1'};

struct prf_spool {
    char folder[PATH_MAX], path[PATH_MAX];
    int fd; /* -1: the disk had no room for the file yet */
    prf_digest_t identity;
    uint64_t sequence; /* of the next result */
    bool unsynced;
    uint32_t slots, used_count;
    bool used[];
};

static void put_number(uint8_t *to, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t *from, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << (8 * i);
    return number;
}

prf_status_t prf_spool_encode(uint8_t slot[PRF_SPOOL_SLOT], const prf_digest_t *identity, uint64_t sequence,
                              const prf_result_t *result, prf_error_t *err)
{
    prf_frame_t frame = {.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = (prf_result_t *)result, .count = 1}};
    uint8_t *bytes = NULL;
    size_t len = 0;
    prf_status_t status = prf_frame_encode(&frame, &bytes, &len, err);
    if (!status && len > FRAME_BYTES)
        status = prf_fail(err, PRF_EINVAL, "a result of %zu bytes: a slot of the spool has %d", len, FRAME_BYTES);
    if (!status) {
        memset(slot, 0, PRF_SPOOL_SLOT);
        memcpy(slot + MAGIC, magic, MAGIC_BYTES);
        put_number(slot + LENGTH, len, SEQUENCE - LENGTH);
        put_number(slot + SEQUENCE, sequence, IDENTITY - SEQUENCE);
        memcpy(slot + IDENTITY, identity->bytes, PRF_DIGEST_BYTES);
        memcpy(slot + FRAME, bytes, len);
        put_number(slot + CHECKSUM, prf_crc32(slot + LENGTH, FRAME - LENGTH + len), LENGTH - CHECKSUM);
    }
    free(bytes);
    return status;
}

static bool take_result(prf_result_t *out, const uint8_t *bytes, size_t len)
{
    prf_frame_t frame;
    if (prf_frame_decode(&frame, bytes, len, NULL))
        return false;
    bool one = frame.type == PRF_FRAME_RESULT_BATCH && frame.u.results.count == 1;
    if (one)
        *out = frame.u.results.items[0];
    prf_frame_release(&frame);
    return one;
}

prf_slot_t prf_spool_decode(const uint8_t slot[PRF_SPOOL_SLOT], const prf_digest_t *identity, uint64_t *sequence,
                            prf_result_t *result)
{
    static const uint8_t nothing[MAGIC_BYTES];
    if (memcmp(slot + MAGIC, nothing, MAGIC_BYTES) == 0)
        return PRF_SLOT_EMPTY;
    uint64_t len = get_number(slot + LENGTH, SEQUENCE - LENGTH);
    if (memcmp(slot + MAGIC, magic, MAGIC_BYTES) != 0 || len > FRAME_BYTES ||
        get_number(slot + CHECKSUM, LENGTH - CHECKSUM) != prf_crc32(slot + LENGTH, FRAME - LENGTH + len) ||
        memcmp(slot + IDENTITY, identity->bytes, PRF_DIGEST_BYTES) != 0 || !take_result(result, slot + FRAME, len))
        return PRF_SLOT_DAMAGED;
    *sequence = get_number(slot + SEQUENCE, IDENTITY - SEQUENCE);
    return PRF_SLOT_USED;
}

static void identify(prf_digest_t *out, const prf_hello_t *who)
{
    char text[2 * PRF_NAME + PRF_FINGERPRINT];
    int len = snprintf(text, sizeof text, "%s\n%s\n%s", who->board, who->kind, who->fingerprint);
    prf_digest(out, text, (size_t)len);
}

/* With the file's place on the disk where the system can reserve it; where it cannot, each put finds out. */
static prf_status_t open_file(prf_spool_t *self, prf_error_t *err)
{
    if (self->fd >= 0)
        return PRF_OK;
    prf_status_t status = prf_file_mkdirs(self->folder, 0755, err);
    if (status)
        return status;
    self->fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->fd < 0)
        return prf_fail_sys(err, errno, "%s", self->path);
    (void)!posix_fallocate(self->fd, 0, (off_t)self->slots * PRF_SPOOL_SLOT);
    return PRF_OK;
}

/* What the file has, up to its place; a file that was cut ends in zeros. Caller frees *out. */
static prf_status_t read_slots(const prf_spool_t *self, uint8_t **out, prf_error_t *err)
{
    size_t size = (size_t)self->slots * PRF_SPOOL_SLOT, have = 0;
    uint8_t *bytes = calloc(1, size);
    if (!bytes)
        return prf_fail(err, PRF_ENOMEM, "%s: %zu bytes", self->path, size);
    while (have < size) {
        ssize_t n = pread(self->fd, bytes + have, size - have, (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            prf_status_t status = prf_fail_sys(err, errno, "%s", self->path);
            free(bytes);
            return status;
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *out = bytes;
    return PRF_OK;
}

typedef struct {
    uint64_t sequence;
    uint32_t slot;
} place_t;

static int by_age(const void *a, const void *b)
{
    const place_t *left = a, *right = b;
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

/* Looks through all slots: which are used and how old they are. Damaged ones are free from now on. */
static size_t look_through(prf_spool_t *self, const uint8_t *bytes, place_t *places, size_t *damaged)
{
    prf_result_t result;
    size_t count = 0;
    for (uint32_t i = 0; i < self->slots; i++) {
        uint64_t sequence = 0;
        prf_slot_t state = prf_spool_decode(bytes + (size_t)i * PRF_SPOOL_SLOT, &self->identity, &sequence, &result);
        if (state == PRF_SLOT_DAMAGED) {
            ++*damaged;
            prf_spool_clear(self, i);
        }
        if (state != PRF_SLOT_USED)
            continue;
        self->used[i] = true;
        places[count++] = (place_t){sequence, i};
        if (self->sequence <= sequence)
            self->sequence = sequence + 1;
    }
    self->used_count = (uint32_t)count;
    qsort(places, count, sizeof *places, by_age);
    return count;
}

static prf_status_t load(prf_spool_t *self, prf_spool_fn fn, void *arg, prf_spool_found_t *found, prf_error_t *err)
{
    uint8_t *bytes;
    prf_status_t status = read_slots(self, &bytes, err);
    if (status)
        return status;
    place_t *places = calloc(self->slots, sizeof *places);
    if (!places) {
        free(bytes);
        return prf_fail(err, PRF_ENOMEM, "%s: %u results", self->path, self->slots);
    }
    found->taken = look_through(self, bytes, places, &found->damaged);
    for (size_t i = 0; i < found->taken; i++) {
        prf_result_t result;
        uint64_t sequence;
        prf_spool_decode(bytes + (size_t)places[i].slot * PRF_SPOOL_SLOT, &self->identity, &sequence, &result);
        fn(arg, &result, places[i].slot);
    }
    free(places);
    free(bytes);
    return PRF_OK;
}

static void look_around(const prf_spool_t *self, prf_spool_found_t *found)
{
    const char *own = self->path + strlen(self->folder) + 1;
    DIR *dir = opendir(self->folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, own) != 0) {
            snprintf(found->other, sizeof found->other, "%s", entry->d_name);
            found->others++;
        }
    if (dir)
        closedir(dir);
}

static prf_status_t name_files(prf_spool_t *self, const char *folder, const prf_hello_t *who, prf_error_t *err)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&self->identity, hex);
    bool fits = snprintf(self->folder, sizeof self->folder, "%s", folder) < (int)sizeof self->folder &&
                snprintf(self->path, sizeof self->path, "%s/%s-%s-%.*s.v1", folder, who->board, who->kind, SHORT_DIGEST, hex) <
                    (int)sizeof self->path;
    return fits ? PRF_OK : prf_fail(err, PRF_EINVAL, "%.200s...: path too long: use a shorter one", folder);
}

static void release(prf_spool_t **self)
{
    if ((*self)->fd >= 0)
        close((*self)->fd);
    free(*self);
    *self = NULL;
}

prf_status_t prf_spool_open(prf_spool_t **out, const char *folder, const prf_hello_t *who, uint32_t slots, prf_spool_fn fn,
                            void *arg, prf_spool_found_t *found, prf_error_t *err)
{
    prf_spool_t *self = calloc(1, sizeof *self + slots * sizeof *self->used);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "spool of %u results", slots);
    self->fd = -1;
    self->slots = slots;
    *found = (prf_spool_found_t){0};
    identify(&self->identity, who);
    prf_status_t status = name_files(self, folder, who, err);
    if (!status)
        status = open_file(self, err);
    if (!status)
        status = load(self, fn, arg, found, err);
    if (status && status != PRF_ENOSPC) {
        release(&self);
        return status;
    }
    look_around(self, found);
    *out = self;
    return PRF_OK;
}

void prf_spool_close(prf_spool_t **self)
{
    if (!self || !*self)
        return;
    if ((*self)->used_count == 0)
        unlink((*self)->path);
    else
        (void)!prf_spool_sync(*self, NULL);
    release(self);
}

static prf_status_t write_at(const prf_spool_t *self, uint32_t slot, const uint8_t *bytes, size_t len, prf_error_t *err)
{
    ssize_t n;
    do
        n = pwrite(self->fd, bytes, len, (off_t)slot * PRF_SPOOL_SLOT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return prf_fail_sys(err, errno, "%s", self->path);
    /* Only a disk that has just become full writes less than it was given. */
    return (size_t)n == len ? PRF_OK : prf_fail_sys(err, ENOSPC, "%s", self->path);
}

prf_status_t prf_spool_put(prf_spool_t *self, uint32_t slot, const prf_result_t *result, prf_error_t *err)
{
    uint8_t bytes[PRF_SPOOL_SLOT];
    prf_status_t status = prf_spool_encode(bytes, &self->identity, self->sequence, result, err);
    if (!status)
        status = open_file(self, err);
    if (!status)
        status = write_at(self, slot, bytes, sizeof bytes, err);
    if (status)
        return status;
    self->sequence++;
    self->unsynced = true;
    self->used_count += !self->used[slot];
    self->used[slot] = true;
    return PRF_OK;
}

void prf_spool_clear(prf_spool_t *self, uint32_t slot)
{
    static const uint8_t nothing[MAGIC_BYTES];
    (void)!write_at(self, slot, nothing, sizeof nothing, NULL);
    self->used_count -= self->used[slot];
    self->used[slot] = false;
}

prf_status_t prf_spool_sync(prf_spool_t *self, prf_error_t *err)
{
    if (self->unsynced && fdatasync(self->fd) != 0)
        return prf_fail_sys(err, errno, "%s", self->path);
    self->unsynced = false;
    return PRF_OK;
}
