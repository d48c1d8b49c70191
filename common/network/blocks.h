// SPDX-License-Identifier: Apache-2.0
/* blocks.h - from a graph with shapes to the blocks that a board executes. Internal to common/network. */
#ifndef PRF_NETWORK_BLOCKS_H
#define PRF_NETWORK_BLOCKS_H

#include "network/cluster.h"
#include "network/network.h"

/* Fills blocks, edges, notes and total_macs of *out, which the caller releases in every case. Errors: PRF_EINVAL, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_blocks_lower(prf_network_t *out, const graph_t *g, prf_dtype_t dtype, prf_error_t *err);

/* lower.c: one operator as one layer. `layer` comes back incomplete: prf_layer_complete judges it.
 * *remark says what the layer does not show exactly, "" when nothing. Errors: PRF_EUNSUPPORTED with the reason when no layer
 * kind describes it, PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_lower(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark, prf_error_t *err);
PRF_CHECKED prf_status_t prf_lower_layernorm(const graph_t *g, const node_t *n, prf_layer_t *layer, prf_error_t *err);
/* One value in, or (PRF_ADD) two, one out, of the shape of the node's first output. */
void prf_lower_elementwise(const graph_t *g, const node_t *n, prf_layer_kind_t kind, prf_layer_t *layer);

/* Names come from a file: what is not printable ASCII becomes '?', so that no name can steer a terminal or break JSON. */
void prf_name_clean(char *text);

#endif
