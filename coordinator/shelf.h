// SPDX-License-Identifier: Apache-2.0
/* shelf.h - model files that are being fetched, as the frames that carry their chunks: each is encoded once, however many workers
 * ask for it. Loop thread only. */
#ifndef PRF_SHELF_H
#define PRF_SHELF_H

#include "net/net.h"
#include "wire/wire.h"

typedef struct prf_shelf_file prf_shelf_file_t;

/* One that is all zeros is empty. */
typedef struct {
    prf_shelf_file_t *files; /* owned; the one that was asked for last comes first */
} prf_shelf_t;

void prf_shelf_release(prf_shelf_t *self);
/* A file that stands there, or NULL; borrowed until the next prf_shelf_put. */
prf_shelf_file_t *prf_shelf_find(prf_shelf_t *self, const prf_digest_t *digest);
/* Cuts a file into frames. Files that nobody has asked for lately make way. On success *out is borrowed as above.
 * Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_shelf_put(prf_shelf_t *self, const prf_digest_t *digest, const void *bytes, size_t len,
                                       prf_shelf_file_t **out, prf_error_t *err);
/* The frame of the chunk that begins there; borrowed likewise. Errors: PRF_EINVAL (none does). */
PRF_CHECKED prf_status_t prf_shelf_chunk(const prf_shelf_file_t *file, uint64_t offset, prf_message_t **out, prf_error_t *err);

#endif
