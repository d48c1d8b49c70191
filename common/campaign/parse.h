// SPDX-License-Identifier: Apache-2.0
/* parse.h - what the campaign parser's files share. Private to common/campaign. */
#ifndef PRF_CAMPAIGN_PARSE_H
#define PRF_CAMPAIGN_PARSE_H

#include "campaign/campaign.h"
#include "campaign/yaml.h"

/* One entry of `layers:`, for a campaign whose boards are known. On failure *out may be partly filled; it owns nothing. */
PRF_CHECKED prf_status_t prf_campaign_layer(const prf_yaml_node_t *node, const prf_campaign_t *campaign, prf_campaign_layer_t *out,
                                            prf_error_t *err);

#endif
