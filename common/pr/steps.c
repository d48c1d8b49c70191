// SPDX-License-Identifier: Apache-2.0
/* steps.c - mapping layers to their representatives. How the widths are found: sweep.c. */
#include "pr/steps.h"

void prf_steps_none(prf_steps_t *out)
{
    *out = (prf_steps_t){0};
    for (int i = 0; i < PRF_PARAMS; i++) {
        out->width[i] = 1;
        out->confidence[i] = 1;
    }
}

bool prf_steps_any(const prf_steps_t *self)
{
    for (int i = 0; i < PRF_PARAMS; i++)
        if (self->width[i] > 1)
            return true;
    return false;
}

/* Right edge of the step that a value lies in. A value beyond the range (an estimate outside what was trained) is not held
 * back by the range's bound. */
static int32_t right_edge(const prf_dim_t *dim, int32_t value, int32_t width)
{
    if (width < 2 || value < 1)
        return value;
    int64_t edge = ((int64_t)value + width - 1) / width * width;
    if (value <= dim->hi && edge > dim->hi)
        edge = dim->hi;
    return edge > INT32_MAX ? value : (int32_t)edge;
}

void prf_steps_map(const prf_steps_t *steps, const prf_space_t *space, prf_layer_t *layer)
{
    if (layer->kind != space->kind)
        return;
    prf_space_t unlimited = *space;
    unlimited.max_macs = 0;
    prf_layer_t here = *layer, there = *layer, mapped = *layer;
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++)
        if (space->dims[params[i]].kind == PRF_DIM_RANGE)
            there.p[params[i]] = right_edge(&space->dims[params[i]], layer->p[params[i]], steps->width[params[i]]);
    if (prf_space_resolve(&unlimited, &here, NULL) || prf_space_resolve(&unlimited, &there, NULL))
        return;
    /* A layer of some network need not keep the space's ties (w: h): what did not follow does not follow now. */
    for (int i = 0; i < PRF_PARAMS; i++)
        if (layer->p[i] == here.p[i])
            mapped.p[i] = there.p[i];
    if (prf_layer_complete(&mapped, NULL))
        return;
    bool limited = space->max_macs > 0 && prf_layer_macs(layer) <= space->max_macs;
    if (!limited || prf_layer_macs(&mapped) <= space->max_macs)
        *layer = mapped;
}
