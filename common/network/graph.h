// SPDX-License-Identifier: Apache-2.0
/* graph.h - a network's graph: values (edges) that know who makes and who uses them, nodes in an order in which they can run,
 * and the shape of every value. Built from a decoded ONNX file, which must outlive it. Internal to common/network. */
#ifndef PRF_NETWORK_GRAPH_H
#define PRF_NETWORK_GRAPH_H

#include "wire/onnx.h"

#define VALUE_NONE UINT32_MAX /* an optional input that is left out */

typedef struct {
    uint32_t rank;
    int64_t dims[PRF_ONNX_RANK];
} shape_t;

typedef struct {
    const char *name;
    bool defined;  /* somebody makes it: an input of the graph, a constant, a node */
    bool known;    /* its shape is */
    bool constant; /* the same in every run: weights, and what is computed from them or from shapes alone */
    bool output;   /* of the graph */
    shape_t shape;
    int32_t type;                /* ONNX data type, 0: not known */
    size_t count;                /* elements, when known */
    prf_onnx_number_t *values;   /* owned; of small constants, else NULL */
    uint32_t first_use;          /* into graph_t.uses */
    uint32_t use_count;          /* a node that takes it twice counts twice */
    const prf_onnx_info_t *info; /* what the file declares about it, or NULL */
} value_t;

struct op;

typedef struct {
    const prf_onnx_node_t *onnx;
    const struct op *op;        /* NULL: unknown operator */
    uint32_t *inputs, *outputs; /* values, or VALUE_NONE; into graph_t.operands */
    uint32_t input_count, output_count;
} node_t;

typedef struct {
    int64_t opset;
    uint32_t batch; /* dynamic batch dimensions become this */
    value_t *values;
    uint32_t value_count;
    node_t *nodes; /* in an order in which they can run: the file's, where it is one */
    uint32_t node_count;
    uint32_t *operands;
    uint32_t *uses; /* nodes, grouped by the value that they use */
} graph_t;

/* Values, nodes and their order; shapes only of inputs and constants.
 * Errors: PRF_EINVAL (a cycle, a value that nobody makes or two make, dynamic dimensions other than the batch), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_graph_init(graph_t *out, const prf_onnx_t *onnx, uint32_t batch, prf_error_t *err);
void prf_graph_release(graph_t *self); /* NULL-safe */

/* Inputs and outputs by position; NULL when left out. */
value_t *prf_node_in(const graph_t *g, const node_t *n, uint32_t i);
value_t *prf_node_out(const graph_t *g, const node_t *n, uint32_t i);
/* Its name, or that of its first output. */
const char *prf_node_name(const graph_t *g, const node_t *n);
/* PRF_EINVAL with "node 'name' (Op): " before the text. */
prf_status_t prf_node_fail(const graph_t *g, const node_t *n, prf_error_t *err, const char *fmt, ...) PRF_PRINTF(4, 5);

/* Attributes by name, or the fallback. */
const prf_onnx_attribute_t *prf_node_attribute(const node_t *n, const char *name);
int64_t prf_node_int(const node_t *n, const char *name, int64_t fallback);
bool prf_node_text_is(const node_t *n, const char *name, const char *text);

/* Shape and, when small, values of a constant. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_value_set_tensor(value_t *v, const prf_onnx_tensor_t *t, prf_error_t *err);
/* The declared shape, with `batch` for the first dimension when that is dynamic; nothing happens when others are dynamic.
 * Errors: PRF_EINVAL when it is too large. */
PRF_CHECKED prf_status_t prf_value_set_declared(value_t *v, const prf_onnx_info_t *info, uint32_t batch, prf_error_t *err);
/* Room for the values of a small value; v->values stays NULL for a large one. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_value_reserve(value_t *v, prf_error_t *err);
/* Elements of a shape, or -1 when it is too large. */
int64_t prf_shape_count(const shape_t *shape);
/* Gives output `i` a shape. Errors: PRF_EINVAL when it is too large. */
PRF_CHECKED prf_status_t prf_node_shape(graph_t *g, const node_t *n, uint32_t i, const shape_t *shape, prf_error_t *err);
/* A negative axis counts from the end. Errors: PRF_EINVAL when it is outside -rank .. rank - 1. */
PRF_CHECKED prf_status_t prf_node_axis(const graph_t *g, const node_t *n, int64_t axis, uint32_t rank, uint32_t *out,
                                       prf_error_t *err);

#endif
