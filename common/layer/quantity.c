// SPDX-License-Identifier: Apache-2.0
#include "layer/quantity.h"

bool prf_quantity_known(prf_quantity_t quantity)
{
    return quantity < PRF_PARAMS || (quantity >= PRF_Q_OUT_H && quantity < PRF_Q_END);
}

const char *prf_quantity_name(prf_quantity_t quantity)
{
    static const char *const names[] = {"out_h", "out_w", "rows", "terms"};
    if (!prf_quantity_known(quantity))
        return "?";
    return quantity < PRF_PARAMS ? prf_param_name((prf_param_t)quantity) : names[quantity - PRF_Q_OUT_H];
}

/* A matrix product's result is rows x columns, a convolution's positions x channels. */
static int64_t rows(const prf_layer_t *layer, prf_shape_t out)
{
    return layer->kind == PRF_MATMUL ? out.n * out.h : out.n * out.h * out.w;
}

int64_t prf_quantity_of(const prf_layer_t *layer, prf_quantity_t quantity)
{
    if (quantity < PRF_PARAMS)
        return layer->p[quantity];
    prf_shape_t out = prf_layer_out_shape(layer);
    switch (quantity) {
    case PRF_Q_OUT_H:
        return out.h;
    case PRF_Q_OUT_W:
        return out.w;
    case PRF_Q_ROWS:
        return rows(layer, out);
    case PRF_Q_TERMS:
        return (int64_t)(prf_layer_macs(layer) / prf_layer_outputs(layer));
    default:
        return 0;
    }
}
