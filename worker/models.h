// SPDX-License-Identifier: Apache-2.0
/* models.h - the latency model that this worker runs: taken over from a coordinator in chunks, kept in the state folder, swapped
 * in only when every byte is there and checked. Loop thread only; sends nothing itself, but says what is to be sent. */
#ifndef PRF_WORKER_MODELS_H
#define PRF_WORKER_MODELS_H

#include "model/model.h"
#include "wire/wire.h"

typedef struct prf_models prf_models_t;

/* What the caller is to do after an event. */
typedef enum {
    PRF_MODELS_NOTHING = 0,
    PRF_MODELS_FETCH, /* send the Fetch that prf_models_fetch gives */
    PRF_MODELS_ACK    /* acknowledge prf_models_current */
} prf_models_step_t;

/* Takes up what the folder holds from before; a damaged or foreign file is reported in *warning (text "" when there is none) and
 * counts as none, because the coordinator offers the model again. Makes the folder. Errors: PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_models_open(prf_models_t **out, const char *state_dir, const char *kind, prf_error_t *warning,
                                         prf_error_t *err);
void prf_models_close(prf_models_t **self); /* NULL-safe; clears *self */

/* version 0: none yet. Borrowed. */
const prf_model_version_t *prf_models_current(const prf_models_t *self);
const prf_model_t *prf_models_get(const prf_models_t *self); /* borrowed until the next chunk; NULL: none */

/* The coordinator offers a model. Offers of other kinds are nothing; the one that runs is acknowledged again; one that was found
 * bad is not fetched twice. Errors: PRF_EPEER (impossible size), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_models_offer(prf_models_t *self, const prf_model_version_t *offer, prf_models_step_t *step,
                                          prf_error_t *err);
/* A chunk has come. A chunk of something else is ignored. Errors: PRF_EPEER, PRF_ECORRUPT (digest or content), PRF_EVERSION,
 * PRF_EIO, PRF_ENOSPC: the offer is given up, and what ran before still runs. */
PRF_CHECKED prf_status_t prf_models_chunk(prf_models_t *self, const prf_digest_t *digest, uint64_t offset, uint64_t total,
                                          const uint8_t *data, size_t len, prf_models_step_t *step, prf_error_t *err);
/* False when nothing is being fetched. */
bool prf_models_fetch(const prf_models_t *self, prf_digest_t *digest, uint64_t *offset);

#endif
