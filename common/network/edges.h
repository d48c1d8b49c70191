// SPDX-License-Identifier: Apache-2.0
/* edges.h - which blocks read which: gathered while a graph is lowered to blocks. Internal to common/network. */
#ifndef PRF_NETWORK_EDGES_H
#define PRF_NETWORK_EDGES_H

#include "network/cluster.h"
#include "network/network.h"

/* Where a value comes from: items first .. first + count - 1 of edges_t.sources. */
typedef struct {
    uint32_t first, count;
} origin_t;

typedef struct {
    const graph_t *g; /* borrowed, and the clusters */
    const clusters_t *clusters;
    origin_t *origin; /* owned; by value */
    int32_t *sources; /* owned; blocks, or -1: the network's input */
    size_t source_count, source_cap;
    prf_edge_t *edges; /* owned */
    size_t edge_count, edge_cap;
    bool untold; /* there are none for this network: too many, or they could not say it */
} edges_t;

/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_edges_init(edges_t *out, const graph_t *g, const clusters_t *clusters, prf_error_t *err);
void prf_edges_release(edges_t *self);
/* The node was lowered to the blocks first .. end - 1, or to none. In the order in which nodes run. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_edges_note(edges_t *self, const node_t *n, size_t first, size_t end, prf_error_t *err);
/* The network takes the edges. */
void prf_edges_give(edges_t *self, prf_network_t *out);

#endif
