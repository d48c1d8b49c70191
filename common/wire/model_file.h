// SPDX-License-Identifier: Apache-2.0
/* model_file.h - the model file's bytes (proto/model.proto behind a header with magic, version and digest; docs/model-file.md).
 * Pure; any thread. Called by model.c only. */
#ifndef PRF_WIRE_MODEL_FILE_H
#define PRF_WIRE_MODEL_FILE_H

#include "model/parts.h"

enum { PRF_MODEL_VERSION = 4 /* the newest that is read; a model is written as the oldest that can say it */ };

/* Equal models give equal bytes. The caller frees *bytes. Errors: PRF_ENOMEM, PRF_EINVAL (larger than PRF_MODEL_MAX_BYTES). */
PRF_CHECKED prf_status_t prf_model_file_pack(const prf_model_t *model, void **bytes, size_t *len, prf_error_t *err);
/* Trusts nothing in the bytes. *out is untouched on failure.
 * Errors: PRF_EPARSE (no model file), PRF_EVERSION, PRF_ECORRUPT (digest, structure, values), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_model_file_unpack(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err);

#endif
