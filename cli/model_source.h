// SPDX-License-Identifier: Apache-2.0
/* model_source.h - a model as a command line names it: a file, or a kind of board, KIND or KIND@VERSION, whose model a farm or a
 * run has. Nobody is asked as long as all are files. Main thread only. */
#ifndef PRF_CLI_MODEL_SOURCE_H
#define PRF_CLI_MODEL_SOURCE_H

#include "access.h"
#include "model_file.h"

typedef struct {
    const prf_where_t *where; /* borrowed */
    prf_access_t access;
    bool open;
} prf_model_source_t;

/* `text` must outlive *out. Errors: those of prf_model_file_open, prf_access_open and prf_farm_model. */
PRF_CHECKED prf_status_t prf_model_source_take(prf_model_source_t *self, const char *text, prf_model_file_t *out, prf_error_t *err);
/* The kinds of which there is a current model: a new reference to ["cpu", ...]. Errors: those of prf_access_open and prf_farm_call.
 */
PRF_CHECKED prf_status_t prf_model_source_kinds(prf_model_source_t *self, json_t **kinds, prf_error_t *err);
void prf_model_source_close(prf_model_source_t *self);

#endif
