// SPDX-License-Identifier: Apache-2.0
/* onednn_fill.h - contents for tensors. Internal to the onednn backend. One thread.
 *
 * Values are random, small and bounded: a chain of any length neither overflows nor decays into denormal numbers, which would
 * change its speed. */
#ifndef PRF_ONEDNN_FILL_H
#define PRF_ONEDNN_FILL_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#include "base/status.h"

/* Fills `bytes` of memory with numbers of `type` in (-scale, scale); 8-bit types get their whole range. */
void prf_onednn_fill(void *memory, size_t bytes, dnnl_data_type_t type, float scale);
/* Wraps `handle` (borrowed, large enough for *md) as the caller's *out and, when `scale` is above 0, fills it as above,
 * through a plain tensor where the layout holds more than the numbers.
 * Errors: PRF_ENOMEM, PRF_EUNSUPPORTED, PRF_EIO. */
PRF_CHECKED prf_status_t prf_onednn_tensor(dnnl_engine_t engine, const dnnl_memory_desc_t *md, void *handle, float scale,
                                           dnnl_memory_t *out, prf_error_t *err);
/* Copies `from` to `to`, which may differ in layout and type. Errors: PRF_ENOMEM, PRF_EUNSUPPORTED, PRF_EIO. */
PRF_CHECKED prf_status_t prf_onednn_reorder(dnnl_engine_t engine, dnnl_memory_t from, dnnl_memory_t to, prf_error_t *err);

#endif
