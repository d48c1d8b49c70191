// SPDX-License-Identifier: Apache-2.0
/* onednn_op.h - a layer in oneDNN's terms: the primitive descriptor that the onednn backend runs for it. Internal to that
 * backend. One thread. Nothing is executed or allocated for tensors here. */
#ifndef PRF_ONEDNN_OP_H
#define PRF_ONEDNN_OP_H

#include <oneapi/dnnl/dnnl.h>

#include "layer/layer.h"

/* An activation as oneDNN's elementwise functions, applied one after the other (hardsigmoid takes two). */
typedef struct {
    dnnl_alg_kind_t alg;
    float alpha, beta;
} prf_onednn_term_t;
enum { PRF_ONEDNN_TERMS = 2 };

/* Fills `terms` and returns how many there are. */
size_t prf_onednn_terms(prf_activation_t fn, prf_onednn_term_t terms[PRF_ONEDNN_TERMS]);

/* The best descriptor that the library has for `layer` followed by the `count` terms of a fused activation (0: none). Layouts
 * are the library's choice, except that one which it could only serve by its reference code gives way to a plain one. An
 * activation layer takes its own function from `terms`, exactly one of them. On success the caller owns *out
 * (dnnl_primitive_desc_destroy); on failure it is untouched.
 * Errors: PRF_EUNSUPPORTED (no implementation), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_onednn_op_new(dnnl_engine_t engine, const prf_layer_t *layer, prf_dtype_t dtype,
                                           const prf_onednn_term_t *terms, size_t count, dnnl_primitive_desc_t *out,
                                           prf_error_t *err);

/* The implementation's name, "jit:avx512_core"; borrowed from `pd`. */
const char *prf_onednn_impl(const_dnnl_primitive_desc_t pd);

/* oneDNN's status as ours. */
prf_status_t prf_onednn_fail(prf_error_t *err, dnnl_status_t status, const char *what);

#endif
