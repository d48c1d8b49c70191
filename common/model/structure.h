// SPDX-License-Identifier: Apache-2.0
/* structure.h - what of a board is no coefficient: tile widths, those that sweeps found and those that only show in many layers
 * together (steps in products: output positions, the depth of sums), and how its buffers cut a layer into pieces. Pure. */
#ifndef PRF_MODEL_STRUCTURE_H
#define PRF_MODEL_STRUCTURE_H

#include "model/sums.h"

typedef struct {
    prf_widths_t widths;
    prf_blocking_t blocking;
} prf_structure_t;

/* `sums`: what the search ended with, from some hundred layers. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_structure_find(prf_structure_t *out, prf_sum_t sums[2], const prf_dataset_t *data, prf_error_t *err);
/* Every term that a structure makes, for rows that it was applied to (prf_rows_block). */
void prf_structure_terms(const prf_structure_t *self, prf_dictionary_t *dictionary);

#endif
