// SPDX-License-Identifier: Apache-2.0
/* prfarm_inside.h - what the handles of prfarm.h are. Private to libprfarm. */
#ifndef PRFARM_INSIDE_H
#define PRFARM_INSIDE_H

#include "base/digest.h"
#include "network/network.h"
#include "prfarm.h"

/* One kind of layer of a model, and those of its parameters that varied in training. */
typedef struct {
    prfarm_model_layer facts;
    size_t parameter_count;
    prfarm_model_parameter parameters[PRF_PARAMS];
} prfarm_known_layer;

struct prfarm_model {
    prf_model_t *owned; /* NULL in a model's model of energy */
    const prf_model_t *model;
    prfarm_model *energy; /* owned; NULL: none */
    char digest[PRF_DIGEST_HEX];
    prfarm_model_facts facts; /* points into model and digest */
    size_t layer_count;
    prfarm_known_layer *layers; /* owned */
};

/* prfarm_facts.c: fills facts and layers of a model that is there. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prfarm_collect_facts(prfarm_model *self, prf_error_t *err);

/* prfarm.c: the return value for a status; the sentence goes to `error`, which may be NULL. */
int prfarm_outcome(prf_status_t status, const prf_error_t *err, char *error);
/* One entry of *to; pointers that are NULL are left out. */
void prfarm_put_estimate(const prfarm_estimates *to, size_t index, const prf_estimate_t *estimate);

#endif
