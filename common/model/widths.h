// SPDX-License-Identifier: Apache-2.0
/* widths.h - tile widths and buffer sizes of a board: those that sweeps found, and those that only show in many layers together:
 * steps in products (output positions, the depth of sums), and sizes of buffers beyond which something is moved again. Pure. */
#ifndef PRF_MODEL_WIDTHS_H
#define PRF_MODEL_WIDTHS_H

#include "model/sums.h"

/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_widths_find(prf_widths_t *out, const prf_dataset_t *data, prf_error_t *err);

#endif
