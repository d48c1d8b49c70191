// SPDX-License-Identifier: Apache-2.0
/* recorded_spec.h - what a training spec says, checked as far as that can be done without the data. Texts and nodes point into
 * the document, which stays open so that the data's reader can name lines of the spec. Filled by recorded_spec.c. */
#ifndef PRF_RECORDED_SPEC_H
#define PRF_RECORDED_SPEC_H

#include "campaign/recorded.h"
#include "campaign/yaml.h"

typedef enum {
    PRF_SOURCE_DEFAULT = 0, /* the parameter's own default */
    PRF_SOURCE_CONSTANT,
    PRF_SOURCE_COLUMN /* value / divisor, rounded down */
} prf_source_kind_t;

typedef struct {
    prf_source_kind_t kind;
    int32_t constant, divisor;
    char column[PRF_NAME];
    const prf_yaml_node_t *node; /* borrowed from doc */
} prf_source_t;

typedef struct {
    const char *column, *value; /* borrowed from doc */
    const prf_yaml_node_t *node;
} prf_condition_t;

struct prf_recorded_spec {
    prf_yaml_t *doc; /* owned */
    char board[PRF_NAME];
    prf_layer_kind_t kind;
    prf_dtype_t dtype;
    size_t where_count;
    prf_condition_t where[PRF_RECORDED_WHERE];
    prf_source_t params[PRF_PARAMS];
    const prf_yaml_node_t *params_node;
    prf_source_t latency; /* always a column */
    double unit_ns;
    size_t extra_count;
    prf_source_t extras[PRF_MODEL_EXTRAS]; /* columns */
    double test_share;
    uint64_t seed;
    uint32_t budget; /* 0: the whole training part */
};

#endif
