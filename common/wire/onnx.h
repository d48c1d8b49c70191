// SPDX-License-Identifier: Apache-2.0
/* onnx.h - the border to ONNX files: from bytes to plain structs. Pure; any thread.
 *
 * Nothing in the file is trusted: counts, ranks, sizes and the memory that decoding takes are limited, and a tensor's data must
 * fit its shape. What the graph means (names, shapes, operators) is judged in common/network.
 * Field numbers and data type numbers: the public ONNX specification (onnx.proto, IR version 3 to 10). */
#ifndef PRF_WIRE_ONNX_H
#define PRF_WIRE_ONNX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum {
    PRF_ONNX_RANK = 8,       /* dimensions of a tensor at most */
    PRF_ONNX_VALUES = 64,    /* tensors up to this size keep their values: enough for every shape computation */
    PRF_ONNX_ITEMS = 1 << 18 /* nodes, tensors, value infos, attributes and operands of a graph: at most so many of each */
};
#define PRF_ONNX_DIM_MAX INT32_MAX
#define PRF_ONNX_ELEMENTS_MAX ((int64_t)1 << 48)

/* The ONNX data types that are told apart; every other one is only carried. */
enum { PRF_ONNX_FLOAT = 1, PRF_ONNX_INT32 = 6, PRF_ONNX_INT64 = 7, PRF_ONNX_BOOL = 9, PRF_ONNX_DOUBLE = 11 };
bool prf_onnx_integral(int32_t type); /* integers of any size, and bool */

typedef union {
    int64_t i; /* of integral tensors */
    double f;  /* of all others */
} prf_onnx_number_t;

/* A constant. `values` is NULL for tensors that are large, kept outside the file, or of a type whose values are never needed. */
typedef struct {
    const char *name;
    int32_t type;
    uint32_t rank;
    int64_t dims[PRF_ONNX_RANK];
    size_t count;                    /* elements */
    const prf_onnx_number_t *values; /* count of them */
} prf_onnx_tensor_t;

typedef struct {
    const char *name;
    float f;
    int64_t i;
    const char *text; /* of attribute `s`; not NUL-terminated */
    size_t text_len;
    const int64_t *ints;
    size_t int_count;
    const float *floats;
    size_t float_count;
    const prf_onnx_tensor_t *tensor; /* NULL: none */
} prf_onnx_attribute_t;

typedef struct {
    const char *op, *domain, *name;
    const char *const *inputs; /* "" stands for an optional one that is left out */
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
    const prf_onnx_attribute_t *attributes;
    size_t attribute_count;
} prf_onnx_node_t;

#define PRF_ONNX_DYNAMIC (-1)
/* The declared type of an input, an output or a value in between. */
typedef struct {
    const char *name;
    bool shaped; /* false: nothing is said about the shape */
    int32_t type;
    uint32_t rank;
    int64_t dims[PRF_ONNX_RANK]; /* PRF_ONNX_DYNAMIC: only known when the network runs */
    const char *first_symbol;    /* name of a dynamic first dimension ("batch"); "" when it has none */
    uint32_t same_as_first;      /* bit i: dimension i is dynamic and bears the first one's name */
} prf_onnx_info_t;

/* Everything in it is borrowed from the decoded file and lives until prf_onnx_destroy. */
typedef struct {
    int64_t opset; /* of the default operator domain */
    const char *graph_name;
    const prf_onnx_node_t *nodes;
    size_t node_count;
    const prf_onnx_tensor_t *initializers;
    size_t initializer_count;
    const prf_onnx_info_t *inputs, *outputs, *infos;
    size_t input_count, output_count, info_count;
} prf_onnx_t;

/* On success the caller owns *out; `bytes` may go. On failure *out is untouched.
 * Errors: PRF_EPARSE (truncated, not ONNX), PRF_EINVAL (over a limit, data that do not fit their shape), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_onnx_decode(prf_onnx_t **out, const void *bytes, size_t len, prf_error_t *err);
void prf_onnx_destroy(prf_onnx_t **self); /* NULL-safe; clears *self */

#endif
