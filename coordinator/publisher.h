// SPDX-License-Identifier: Apache-2.0
/* publisher.h - the models that the farm has: numbered versions of each board kind, durable before they are offered, broadcast to
 * the fleet, handed out in chunks. Loop thread only. */
#ifndef PRF_PUBLISHER_H
#define PRF_PUBLISHER_H

#include "commits.h"
#include "net/net.h"

typedef struct prf_publisher prf_publisher_t;

/* `version` 0: it could not be stored (the coordinator ends). */
typedef void (*prf_published_fn)(void *arg, uint32_t version);

/* Finds the versions that the store has. Store, commits and the PUB socket are borrowed. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_publisher_new(prf_publisher_t **out, prf_store_t *store, prf_commits_t *commits,
                                           prf_socket_t *broadcast, prf_error_t *err);
void prf_publisher_destroy(prf_publisher_t **self);

/* Stores a model file as the kind's next version, then offers it by broadcast and tells `fn`. Bytes that some version of the kind
 * already has get that version's number, and `fn` is called at once. Bytes are copied.
 * Errors: PRF_EBUSY (the same bytes are just being stored), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_publish(prf_publisher_t *self, const char *kind, const void *bytes, size_t len,
                                               prf_published_fn fn, void *arg, prf_error_t *err);
/* The newest durable version, or the one asked for; false when there is none. */
bool prf_publisher_newest(const prf_publisher_t *self, const char *kind, prf_model_version_t *out);
bool prf_publisher_version(const prf_publisher_t *self, const char *kind, uint32_t version, prf_model_version_t *out);
/* Answer to a Fetch; release the frame after use. Errors: PRF_ENOTFOUND, PRF_EINVAL (offset), PRF_ECORRUPT, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_chunk(prf_publisher_t *self, const prf_digest_t *digest, uint64_t offset, prf_frame_t *out,
                                             prf_error_t *err);

#endif
