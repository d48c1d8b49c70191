// SPDX-License-Identifier: Apache-2.0
/* publisher.h - the models that the farm has: numbered versions of each board kind, durable before they are offered, broadcast to
 * the fleet, handed out in chunks. Loop thread only.
 *
 * The fleet is to run a kind's *current* version: the newest one, unless a person rolled back to an earlier one. A roll-back holds
 * until a version appears that is newer than those that it turned away from. */
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

/* What is kept beside a version's bytes. */
typedef struct {
    char campaign[PRF_NAME]; /* that it comes from; "": unknown */
    double mape_percent;     /* NaN: unknown */
    uint64_t published_ms;   /* wall clock; 0: unknown */
} prf_model_note_t;

/* Stores a model file as the kind's next version, which becomes the current one, then offers it by broadcast and tells `fn`. Bytes
 * that the campaign's last version has keep that version's number: `fn` is called at once, and nothing changes, not even a
 * roll-back. Bytes are copied. Errors: PRF_EBUSY (the same bytes are just being stored), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_publish(prf_publisher_t *self, const char *kind, const void *bytes, size_t len,
                                               const prf_model_note_t *note, prf_published_fn fn, void *arg, prf_error_t *err);
/* Makes a version the current one and offers it; tells `fn` once that is durable.
 * Errors: PRF_ENOTFOUND (the text lists the versions that there are), PRF_ENOSPC, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_roll_back(prf_publisher_t *self, const char *kind, uint32_t version, prf_commits_fn fn,
                                                 void *arg, prf_error_t *err);
/* The current, the newest, or one version; false when there is none. */
bool prf_publisher_current(const prf_publisher_t *self, const char *kind, prf_model_version_t *out);
bool prf_publisher_newest(const prf_publisher_t *self, const char *kind, prf_model_version_t *out);
bool prf_publisher_version(const prf_publisher_t *self, const char *kind, uint32_t version, prf_model_version_t *out);
/* All versions of all kinds, by index; false behind the last one. Those that are not durable yet are passed over: *index is where
 * it was found, go on from the next. */
bool prf_publisher_next(const prf_publisher_t *self, size_t *index, prf_model_version_t *out, prf_model_note_t *note);
size_t prf_publisher_count(const prf_publisher_t *self);     /* versions of all kinds */
uint64_t prf_publisher_changes(const prf_publisher_t *self); /* since the start: versions published, roll-backs */
/* A version's file, from the store. Caller frees *bytes. Errors: PRF_ENOTFOUND, PRF_ECORRUPT, PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_file(const prf_publisher_t *self, const prf_model_version_t *version, void **bytes,
                                            size_t *len, prf_error_t *err);
/* Answer to a Fetch: a frame that may be sent to many; borrowed until the next call.
 * Errors: PRF_ENOTFOUND, PRF_EINVAL (offset), PRF_ECORRUPT, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_publisher_chunk(prf_publisher_t *self, const prf_digest_t *digest, uint64_t offset,
                                             prf_message_t **out, prf_error_t *err);

#endif
