// SPDX-License-Identifier: Apache-2.0
/* layer.h - layers, blocks and what follows from their parameters. Pure; any thread; no allocation.
 *
 * A layer is a kind and one integer for each of the kind's parameters. One table (layer.c) tells each kind's parameters,
 * defaults and limits; adding a kind is one entry there plus its arithmetic (output shape, MACs, weights). A block is a
 * short sequence of layers that a board executes as one (conv2d + activation): the unit of measuring and of jobs. */
#ifndef PRF_LAYER_H
#define PRF_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum {
    PRF_CONV1D = 0,
    PRF_CONV2D,
    PRF_DWCONV2D,
    PRF_CONVTRANSPOSE2D,
    PRF_FC,
    PRF_MATMUL,
    PRF_MAXPOOL2D,
    PRF_AVGPOOL2D,
    PRF_ADD,
    PRF_ACTIVATION,
    PRF_SOFTMAX,
    PRF_LAYERNORM,
    PRF_LAYER_KINDS
} prf_layer_kind_t;

/* Every parameter of every kind; a kind uses some of them. Values are part of the wire format: append only. */
typedef enum {
    PRF_P_N = 0, /* batch; matmul: columns of the result */
    PRF_P_C,     /* input channels */
    PRF_P_K,     /* output channels (filters); matmul: inner dimension */
    PRF_P_H,     /* input height */
    PRF_P_W,     /* input width */
    PRF_P_R,     /* kernel height */
    PRF_P_S,     /* kernel width */
    PRF_P_STRIDE,
    PRF_P_PAD,      /* zeros on each side */
    PRF_P_DILATION, /* 1 = dense kernel */
    PRF_P_GROUPS,
    PRF_P_F,        /* conv1d kernel */
    PRF_P_IN,       /* fc input features */
    PRF_P_OUT,      /* fc output features */
    PRF_P_B,        /* matmul batch */
    PRF_P_M,        /* matmul rows of the result */
    PRF_P_FEATURES, /* softmax, layernorm: length of the normalised axis */
    PRF_P_FN,       /* activation function, see prf_activation_t */
    PRF_PARAMS
} prf_param_t;

typedef enum {
    PRF_FN_RELU = 0,
    PRF_FN_RELU6,
    PRF_FN_SIGMOID,
    PRF_FN_TANH,
    PRF_FN_GELU,
    PRF_FN_HARDSWISH,
    PRF_FN_SWISH,
    PRF_FN_HARDSIGMOID,
    PRF_FN_COUNT
} prf_activation_t;

typedef enum { PRF_F32 = 0, PRF_F16, PRF_BF16, PRF_I8, PRF_DTYPES } prf_dtype_t;

typedef struct {
    prf_layer_kind_t kind;
    int32_t p[PRF_PARAMS]; /* indexed by prf_param_t; 0 for those that the kind does not use */
} prf_layer_t;

enum { PRF_BLOCK_LAYERS = 4 };

typedef struct {
    prf_dtype_t dtype;
    uint32_t count; /* 1 .. PRF_BLOCK_LAYERS; layers[0] leads */
    prf_layer_t layers[PRF_BLOCK_LAYERS];
} prf_block_t;

/* Copies the layers that there are, not the room for more, which is most of a block. */
void prf_block_copy(prf_block_t *to, const prf_block_t *from);

/* A parameter's entry in its kind's table. */
typedef struct {
    prf_param_t param;
    int32_t min, max;
    int32_t fallback; /* default value; PRF_REQUIRED: must be given; PRF_LIKE(q): the value of parameter q */
} prf_param_info_t;

#define PRF_REQUIRED (-1)
#define PRF_LIKE(q) (-2 - (int32_t)(q)) /* its own inverse */

const char *prf_layer_kind_name(prf_layer_kind_t kind);
const char *prf_param_name(prf_param_t param);
const char *prf_dtype_name(prf_dtype_t dtype);
const char *prf_activation_name(prf_activation_t fn);
unsigned prf_dtype_bits(prf_dtype_t dtype);
/* Lookups by name. Errors: PRF_ENOTFOUND with the list of names that there are. */
PRF_CHECKED prf_status_t prf_layer_kind_parse(const char *name, prf_layer_kind_t *out, prf_error_t *err);
PRF_CHECKED prf_status_t prf_param_parse(prf_layer_kind_t kind, const char *name, prf_param_t *out, prf_error_t *err);
PRF_CHECKED prf_status_t prf_dtype_parse(const char *name, prf_dtype_t *out, prf_error_t *err);

/* The kind's parameters in their canonical order; borrowed, *count entries. */
const prf_param_info_t *prf_layer_params(prf_layer_kind_t kind, size_t *count);

/* A layer of `kind` with nothing given yet (every used parameter PRF_UNSET). */
#define PRF_UNSET INT32_MIN
void prf_layer_init(prf_layer_t *layer, prf_layer_kind_t kind);
/* Fills what is unset with the kind's defaults, then checks ranges and that the output is not empty.
 * Errors: PRF_EINVAL naming the parameter and what would be right. */
PRF_CHECKED prf_status_t prf_layer_complete(prf_layer_t *layer, prf_error_t *err);

/* What follows from a complete layer. Shapes are n x c x h x w; kinds without space have h = w = 1. */
typedef struct {
    int64_t n, c, h, w;
} prf_shape_t;
prf_shape_t prf_layer_in_shape(const prf_layer_t *layer);
prf_shape_t prf_layer_out_shape(const prf_layer_t *layer);
double prf_layer_macs(const prf_layer_t *layer);    /* multiply-accumulates; 0 for kinds that have none (pooling, add, ...) */
double prf_layer_ops(const prf_layer_t *layer);     /* 2 x MACs, or elementary operations of the kinds without MACs */
double prf_layer_weights(const prf_layer_t *layer); /* elements, biases not counted */
double prf_layer_inputs(const prf_layer_t *layer);  /* elements read, weights not counted (add: both operands) */
double prf_layer_outputs(const prf_layer_t *layer); /* elements written */
double prf_layer_bytes(const prf_layer_t *layer, prf_dtype_t dtype);     /* inputs + weights + outputs */
double prf_block_macs(const prf_block_t *block);                         /* of all of its layers */
double prf_layer_intensity(const prf_layer_t *layer, prf_dtype_t dtype); /* operations a byte */

/* Text form, the same in campaign files, --layer and specs: "conv2d n=1 c=64 k=64 ... dtype=f32"; the layers of a block are
 * joined by " + ", dtype stands once at the end. Parsing accepts any order and leaves defaults to prf_block_complete. An activation
 * may stand under its own name: "conv2d c=64 k=64 h=56 r=3 + relu".
 * Errors: PRF_EPARSE, PRF_EINVAL. */
enum { PRF_BLOCK_TEXT = 1024 };
PRF_CHECKED prf_status_t prf_block_parse(prf_block_t *out, const char *text, prf_error_t *err);
/* The same, with what the text leaves out still PRF_UNSET: a pattern of blocks, of which each is to be completed. */
PRF_CHECKED prf_status_t prf_block_parse_pattern(prf_block_t *out, const char *text, prf_error_t *err);
/* Completes layer by layer. A layer behind another one that is given no size (none of n, c, h, w) has that of the output before it.
 * Errors: those of prf_layer_complete. */
PRF_CHECKED prf_status_t prf_block_complete(prf_block_t *block, prf_error_t *err);
/* Canonical form: every parameter of each layer in table order; one block has one text. Returns its length. */
size_t prf_block_format(const prf_block_t *block, char text[PRF_BLOCK_TEXT]);
size_t prf_layer_format(const prf_layer_t *layer, char *text, size_t cap);
/* Puts an activation behind the block's first layer, as large as its output. False: the block is full, or there can be no such
 * layer. */
bool prf_block_activate(prf_block_t *block, prf_activation_t fn);
bool prf_layer_equal(const prf_layer_t *a, const prf_layer_t *b);
bool prf_block_equal(const prf_block_t *a, const prf_block_t *b);
/* Checks every layer and the count. Errors: PRF_EINVAL. For blocks that came from a peer or a file. */
PRF_CHECKED prf_status_t prf_block_check(const prf_block_t *block, prf_error_t *err);

#endif
