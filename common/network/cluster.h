// SPDX-License-Identifier: Apache-2.0
/* cluster.h - which elementwise operators run as one pass. Internal to common/network. */
#ifndef PRF_NETWORK_CLUSTER_H
#define PRF_NETWORK_CLUSTER_H

#include "network/ops.h"

/* Everything that is computed value by value from one value, the root: batch norm and relu after a convolution, or the five
 * operators that some exporters write for GELU. */
typedef struct {
    uint32_t exits;      /* values that others use */
    uint32_t exit_node;  /* the last node that makes one */
    bool root_elsewhere; /* the root is used outside, so it must be written anyway */
    bool affine;         /* holds a scale or a shift */
    uint32_t functions;  /* operators that are more than that */
    prf_activation_t fn; /* what they amount to */
    bool exact;          /* they are that very function */
} cluster_t;

typedef enum { NODE_PLAIN = 0, NODE_ABSORBED, NODE_LAYERNORM } node_fate_t;

typedef struct {
    uint32_t *root;     /* by value: the root of its cluster; itself when it is in none */
    cluster_t *cluster; /* by root */
    uint8_t *fate;      /* by node: node_fate_t; NODE_LAYERNORM ends a layer norm written as single operators */
} clusters_t;

/* Shapes must have been inferred. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_clusters_init(clusters_t *out, const graph_t *g, prf_error_t *err);
void prf_clusters_release(clusters_t *self);
/* The node makes a value of a cluster. */
bool prf_clusters_has(const clusters_t *self, const node_t *n);
/* The value is used outside its cluster (or is an output of the network). */
bool prf_clusters_exit(const clusters_t *self, const graph_t *g, uint32_t value);

#endif
