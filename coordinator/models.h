// SPDX-License-Identifier: Apache-2.0
/* models.h - models that people ask about, read from the store once and kept while there is room. A share of one goes with a task
 * to the side thread, which decodes it when it first needs it; all else is the loop thread's. */
#ifndef PRF_MODELS_H
#define PRF_MODELS_H

#include "model/model.h"
#include "publisher.h"

typedef struct prf_models prf_models_t;
typedef struct prf_model_share prf_model_share_t;

/* The publisher is borrowed. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_models_new(prf_models_t **out, const prf_publisher_t *publisher, prf_error_t *err);
void prf_models_destroy(prf_models_t **self); /* shares may outlive it; NULL-safe; clears *self */
/* A share of a version. Errors: those of prf_publisher_file. */
PRF_CHECKED prf_status_t prf_models_share(prf_models_t *self, const prf_model_version_t *version, prf_model_share_t **out,
                                          prf_error_t *err);
void prf_model_share_drop(prf_model_share_t **share); /* NULL-safe; clears *share */

/* Side thread only: the model, borrowed from the share. Errors: those of prf_model_decode. */
PRF_CHECKED prf_status_t prf_model_share_get(prf_model_share_t *share, const prf_model_t **out, prf_error_t *err);
const prf_model_version_t *prf_model_share_version(const prf_model_share_t *share); /* any thread */

#endif
