// SPDX-License-Identifier: Apache-2.0
/* network.h - whole networks: from an ONNX file to named blocks, and the sum of their estimates. Pure apart from reading the
 * file; any thread. docs/networks.md lists the operators and what is done with each. */
#ifndef PRF_NETWORK_H
#define PRF_NETWORK_H

#include "model/model.h"
#include "point/point.h"

enum { PRF_NETWORK_NAME = 128, PRF_ONNX_MAX_BYTES = 1 << 30 };

typedef struct {
    char name[PRF_NETWORK_NAME]; /* of the leading node, or of its output */
    prf_block_t block;
    uint32_t repeats; /* 1 + index of an earlier block that is the same but for its name; 0: none is, or it is far away */
} prf_network_block_t;

/* An operator that became no block, or one that its block simplifies, and what was done about it. */
typedef struct {
    char op[PRF_NETWORK_NAME], name[PRF_NETWORK_NAME];
    char treatment[PRF_NETWORK_NAME]; /* "no cost: changes only the view", "unknown: left out of the total" */
    bool unknown;                     /* it takes time that no block stands for */
} prf_network_note_t;

typedef struct {
    char name[PRF_NETWORK_NAME];
    prf_network_block_t *blocks; /* owned, in execution order */
    size_t block_count;
    prf_edge_t *edges; /* owned; what each block reads (prf_chain_t); NULL: not known, or beyond what edges can say */
    size_t edge_count;
    prf_network_note_t *notes; /* owned */
    size_t note_count;
    double total_macs; /* of convolutions, fully connected and matmul layers, biases not counted */
} prf_network_t;

/* Reads an ONNX file: shape inference, constant folding where shapes need it, conv + bias + batch norm + activation folded into
 * blocks of data type `dtype`; dynamic batch dimensions become `batch`. On failure *out is untouched.
 * Errors: PRF_ENOTFOUND, PRF_EPARSE (not ONNX, truncated), PRF_EINVAL (a graph that contradicts itself: cycles, shapes that do not
 * fit, unknown inputs), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_network_load(prf_network_t *out, const char *path, prf_dtype_t dtype, uint32_t batch,
                                          prf_error_t *err);
PRF_CHECKED prf_status_t prf_network_decode(prf_network_t *out, const void *bytes, size_t len, const char *name, prf_dtype_t dtype,
                                            uint32_t batch, prf_error_t *err);
/* A network called "layers" of blocks "layer 1", ... written as text (layer.h). Errors: those of prf_block_parse, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_network_of_texts(prf_network_t *out, const char *const texts[], size_t count, prf_error_t *err);
void prf_network_release(prf_network_t *self); /* NULL-safe */

typedef struct {
    size_t covered, outside; /* blocks that the model knows; those of them that are outside of what it was trained on */
    double between_ns;       /* what the covered blocks take besides their own times */
    double total_ns;         /* of the covered blocks, and between them */
    double low_ns, high_ns;
} prf_network_sum_t;

/* Takes the estimates of the blocks, one after the other; latency_ns is NaN for a block that the model does not cover. */
typedef void prf_network_taker_t(void *arg, size_t block, const prf_estimate_t *estimate);

/* Estimates the network; allocates nothing. `take` may be NULL. */
void prf_network_ask(const prf_model_t *model, const prf_network_t *network, prf_network_sum_t *sum, prf_network_taker_t *take,
                     void *arg);

/* The same, kept: for those who look at it more than once. */
typedef struct {
    const prf_model_t *model; /* borrowed */
    prf_estimate_t *blocks;   /* owned; latency_ns NaN for a block that the model does not cover */
    size_t block_count, covered;
    double between_ns; /* what the covered blocks take besides their own times */
    double total_ns;   /* of the covered blocks, and between them */
    double low_ns, high_ns;
} prf_network_estimate_t;

PRF_CHECKED prf_status_t prf_network_estimate(prf_network_estimate_t *out, const prf_model_t *model, const prf_network_t *network,
                                              prf_error_t *err);
/* Puts a measured latency in the place of a block's estimate: covered, and without an interval. */
void prf_network_estimate_replace(prf_network_estimate_t *self, size_t block, double latency_ns);
void prf_network_estimate_release(prf_network_estimate_t *self);

#endif
