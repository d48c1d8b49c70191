// SPDX-License-Identifier: Apache-2.0
/* shelf.c - a fleet fetches the same file at the same time, and a farm of several kinds a few. Chunks begin at multiples of their
 * size only, as everybody asks for them who goes on where the last one ended: so there are no more frames than the file has bytes
 * for, whatever is asked. */
#include "shelf.h"

#include <stdlib.h>

#include "net/frames.h"

enum { SHELF_BYTES = 64 << 20 /* of all files together, beyond the newest */ };

struct prf_shelf_file {
    prf_shelf_file_t *next;
    prf_digest_t digest;
    size_t bytes, count;
    prf_message_t *chunks[]; /* owned; NULL: not cut yet */
};

static void drop(prf_shelf_file_t *files)
{
    for (prf_shelf_file_t *next; files; files = next) {
        next = files->next;
        for (size_t i = 0; i < files->count; i++)
            prf_message_destroy(&files->chunks[i]);
        free(files);
    }
}

void prf_shelf_release(prf_shelf_t *self)
{
    drop(self->files);
    self->files = NULL;
}

static void put_first(prf_shelf_t *self, prf_shelf_file_t *file)
{
    file->next = self->files;
    self->files = file;
}

prf_shelf_file_t *prf_shelf_find(prf_shelf_t *self, const prf_digest_t *digest)
{
    for (prf_shelf_file_t **at = &self->files, *file; (file = *at); at = &file->next) {
        if (prf_digest_compare(&file->digest, digest) != 0)
            continue;
        *at = file->next;
        put_first(self, file);
        return file;
    }
    return NULL;
}

static prf_status_t cut(prf_shelf_file_t *file, const uint8_t *bytes, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < file->count; i++) {
        size_t offset = i * PRF_CHUNK_BYTES, left = file->bytes - offset;
        prf_frame_t frame = {.type = PRF_FRAME_CHUNK, .u.chunk = {.digest = file->digest, .offset = offset, .total = file->bytes}};
        frame.u.chunk.data = (uint8_t *)bytes + offset;
        frame.u.chunk.len = left < PRF_CHUNK_BYTES ? left : PRF_CHUNK_BYTES;
        status = prf_frame_message(&file->chunks[i], &frame, err);
    }
    return status;
}

static void make_room(prf_shelf_t *self)
{
    size_t bytes = 0;
    for (prf_shelf_file_t *file = self->files; file; file = file->next) {
        bytes += file->next ? file->next->bytes : 0;
        if (bytes <= SHELF_BYTES)
            continue;
        drop(file->next);
        file->next = NULL;
    }
}

prf_status_t prf_shelf_put(prf_shelf_t *self, const prf_digest_t *digest, const void *bytes, size_t len, prf_shelf_file_t **out,
                           prf_error_t *err)
{
    size_t count = (len + PRF_CHUNK_BYTES - 1) / PRF_CHUNK_BYTES;
    prf_shelf_file_t *file = calloc(1, sizeof *file + count * sizeof *file->chunks);
    if (!file)
        return prf_fail(err, PRF_ENOMEM, "a model of %zu bytes", len);
    file->digest = *digest;
    file->bytes = len;
    file->count = count;
    prf_status_t status = cut(file, bytes, err);
    if (status) {
        drop(file);
        return status;
    }
    put_first(self, file);
    make_room(self);
    *out = file;
    return PRF_OK;
}

prf_status_t prf_shelf_chunk(const prf_shelf_file_t *file, uint64_t offset, prf_message_t **out, prf_error_t *err)
{
    if (offset % PRF_CHUNK_BYTES != 0 || offset >= file->bytes)
        return prf_fail(err, PRF_EINVAL, "no chunk begins at offset %llu: use a multiple of %d below the model's %zu bytes",
                        (unsigned long long)offset, PRF_CHUNK_BYTES, file->bytes);
    *out = file->chunks[offset / PRF_CHUNK_BYTES];
    return PRF_OK;
}
