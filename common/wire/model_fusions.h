// SPDX-License-Identifier: Apache-2.0
/* model_fusions.h - the fusion rules of a model file. Internal to model_pack.c and model_unpack.c. */
#ifndef PRF_WIRE_MODEL_FUSIONS_H
#define PRF_WIRE_MODEL_FUSIONS_H

#include "model.pb-c.h"
#include "model/parts.h"

typedef struct {
    Prf__Model__Fusion *items, **list; /* owned; list points to the items */
} packed_fusions_t;

/* False when memory runs out. Release it in either case. */
bool packed_fusions_init(packed_fusions_t *out, const prf_model_t *model);
void packed_fusions_release(packed_fusions_t *self);
/* Checks every one. False: too many, a pair twice, kinds that this version does not know, numbers that cannot be, no memory. */
bool unpack_fusions(prf_model_t *model, size_t count, Prf__Model__Fusion *const *from);

#endif
