// SPDX-License-Identifier: Apache-2.0
/* model_file.h - a model file as `prfarm model` was given it, and what its subcommands print alike. Main thread only. */
#ifndef PRF_CLI_MODEL_FILE_H
#define PRF_CLI_MODEL_FILE_H

#include "base/digest.h"
#include "model/model_json.h"
#include "output.h"

typedef struct {
    const char *path;   /* borrowed */
    prf_model_t *model; /* owned */
    size_t bytes;
    char digest[PRF_DIGEST_HEX];
} prf_model_file_t;

/* Of a file's bytes, borrowed; the path is left to the caller. Errors: those of prf_model_decode. */
PRF_CHECKED prf_status_t prf_model_file_decode(prf_model_file_t *out, const void *bytes, size_t len, prf_error_t *err);
/* Errors: those of prf_file_read and prf_model_decode, with the path in front. */
PRF_CHECKED prf_status_t prf_model_file_open(prf_model_file_t *out, const char *path, prf_error_t *err);
void prf_model_file_release(prf_model_file_t *self);

/* "c=1..256 r=1..3" of the parameters that vary; cut to what fits. */
void prf_model_range_text(const prf_model_layer_t *layer, char *text, size_t cap);
/* The fusion rules of a leading layer's kind, or (PRF_LAYER_KINDS) all of them, as a table; nothing where there are none. */
void prf_model_print_fusions(const prf_model_t *model, prf_layer_kind_t lead, const prf_terminal_t *terminal);
/* What blocks of a network take besides their own times, as a sentence; nothing where that is nothing. */
void prf_model_print_between(const prf_model_t *model);
/* "Model of 'cpu', 1.2 MB, digest ..." */
void prf_model_print_head(const prf_model_file_t *file, const prf_terminal_t *terminal);

#endif
