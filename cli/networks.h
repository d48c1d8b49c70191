// SPDX-License-Identifier: Apache-2.0
/* networks.h - a campaign's networks, folded into blocks here because the coordinator reads no ONNX. */
#ifndef PRF_CLI_NETWORKS_H
#define PRF_CLI_NETWORKS_H

#include <jansson.h>

#include "base/text.h"
#include "campaign/campaign.h"
#include "network/network.h"

/* A file's name without folders and ending, made a name (point.h). */
void prf_network_file_name(const char *path, char name[PRF_NAME]);
/* The `networks` of a submit request: a new reference. `campaign_path` is where relative paths start. Networks are read with the
 * data type of the campaign's first layer, batch 1; operators that became no layer are told on standard error. Errors: those of
 * prf_network_load, PRF_EINVAL (two of the same name). */
PRF_CHECKED prf_status_t prf_networks_load(const prf_campaign_t *campaign, const char *campaign_path, json_t **out,
                                           prf_error_t *err);
/* A path as a campaign file writes it: relative ones start beside the file. Errors: PRF_EINVAL (too long). */
enum { PRF_BESIDE = 4096 };
PRF_CHECKED prf_status_t prf_path_beside(char out[PRF_BESIDE], const char *campaign_path, const char *written, prf_error_t *err);
/* The texts of a network's blocks: a new reference to [text, ...]. */
json_t *prf_network_texts(const prf_network_t *network);
/* What a table shows of a block: "conv2d+relu"; and of its leading layer the parameters that are not at their default, as --layer
 * takes them. */
void prf_network_kind(const prf_block_t *block, char *text, size_t cap);
void prf_network_params(const prf_layer_t *layer, char *text, size_t cap);
/* The operators that take time and became no layer: a new reference to [{op, name, treatment}, ...]. */
json_t *prf_network_left_out(const prf_network_t *network);
/* Adds "2 operators are in no layer and in no estimate: FancyGate, LRN", each name once; nothing if the list is empty. */
void prf_network_left_out_say(const json_t *left_out, prf_text_t *text);
/* The same of the network in this file, on standard error. */
void prf_network_left_out_warn(const prf_network_t *network, const char *path);

#endif
