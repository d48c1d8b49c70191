// SPDX-License-Identifier: Apache-2.0
/* ops.h - one table of the ONNX operators that prfarm knows: how the output's shape follows from the inputs, how small
 * constants are computed, and what part the operator plays in the network's time. Adding an operator is adding one entry.
 * Internal to common/network. */
#ifndef PRF_NETWORK_OPS_H
#define PRF_NETWORK_OPS_H

#include "layer/layer.h"
#include "network/graph.h"

/* What an operator is to the estimate. */
typedef enum {
    ROLE_VIEW,     /* another view of the same data: no time */
    ROLE_MOVE,     /* copies data: noted, no layer kind describes it */
    ROLE_PASS,     /* elementwise, changes nothing worth a pass of its own (Identity, Dropout, Cast) */
    ROLE_AFFINE,   /* elementwise: scale and shift by constants (batch norm) */
    ROLE_FUNCTION, /* elementwise function of one input */
    ROLE_BINARY,   /* elementwise, several inputs; a scale or a shift when all but one are constants */
    ROLE_COMBINE,  /* elementwise, several inputs; a function when all but one are constants */
    ROLE_CONV,
    ROLE_CONVTRANSPOSE,
    ROLE_GEMM,
    ROLE_MATMUL,
    ROLE_MAXPOOL,
    ROLE_AVGPOOL,
    ROLE_MAXREDUCE, /* global pools and reductions */
    ROLE_AVGREDUCE,
    ROLE_SOFTMAX,
    ROLE_LAYERNORM, /* over the last axes */
    ROLE_GROUPNORM, /* over the space of each channel or group of channels */
    ROLE_UNKNOWN    /* its shape is known, its cost is not */
} role_t;

typedef prf_status_t (*op_step_t)(graph_t *g, const node_t *n, prf_error_t *err);

typedef struct op {
    const char *name;
    role_t role;
    prf_activation_t fn; /* FUNCTION, COMBINE */
    bool exact;          /* fn is this very function, not the nearest one */
    uint32_t min_inputs;
    op_step_t infer; /* shapes of the outputs; called when the shapes of all inputs are known */
    op_step_t fold;  /* values of output 0, small and with all inputs' values known; may be NULL */
} op_t;

/* NULL for an unknown one. Only the default domain is known. */
const op_t *prf_onnx_op_find(const char *domain, const char *name);

/* Shapes of every value that can be known, values of small constants, and what is constant.
 * Errors: PRF_EINVAL (shapes that contradict each other), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_ops_infer(graph_t *g, prf_error_t *err);

/* The window of a convolution or a pool along one axis. */
typedef struct {
    int64_t in, out, kernel, stride, dilation, begin, end; /* begin, end: padding */
} window_t;
/* Windows over the spatial axes of input 0 (rank - 2 of them). Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_op_windows(const graph_t *g, const node_t *n, window_t *windows, uint32_t *count, prf_error_t *err);
/* Axes of a reduction: bit i for axis i. *known is false when they depend on data. */
PRF_CHECKED prf_status_t prf_op_axes(const graph_t *g, const node_t *n, uint32_t input, uint32_t *mask, bool *known,
                                     prf_error_t *err);
/* Rows, inner size, columns and batch of a Gemm or a MatMul. */
typedef struct {
    int64_t b, m, k, n;
} product_t;
PRF_CHECKED prf_status_t prf_op_product(const graph_t *g, const node_t *n, product_t *out, prf_error_t *err);

/* infer_nn.c: layers */
prf_status_t prf_infer_conv(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_convtranspose(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_pool(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_global(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_reduce(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_arg(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_product(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_same(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_norm(graph_t *g, const node_t *n, prf_error_t *err); /* like same; scale and shift must fit */
prf_status_t prf_infer_broadcast(graph_t *g, const node_t *n, prf_error_t *err);

/* infer_move.c: views and copies */
prf_status_t prf_infer_concat(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_split(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_reshape(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_transpose(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_flatten(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_squeeze(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_unsqueeze(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_slice(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_gather(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_expand(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_tile(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_pad(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_depth(graph_t *g, const node_t *n, prf_error_t *err); /* both directions */
prf_status_t prf_infer_resize(graph_t *g, const node_t *n, prf_error_t *err);
/* Where a slice along one axis begins, how it steps, how many it takes. */
typedef struct {
    uint32_t axis;
    int64_t start, step, count;
} cut_t;
PRF_CHECKED prf_status_t prf_op_cuts(const graph_t *g, const node_t *n, cut_t cuts[PRF_ONNX_RANK], uint32_t *count, bool *known,
                                     prf_error_t *err);

/* fold.c: constants */
prf_status_t prf_infer_constant(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_constant_of_shape(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_shape(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_size(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_infer_range(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_copy(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_cast(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_concat(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_gather(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_slice(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_unary(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_binary(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_where(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_reduce(graph_t *g, const node_t *n, prf_error_t *err);
prf_status_t prf_fold_expand(graph_t *g, const node_t *n, prf_error_t *err);

#endif
