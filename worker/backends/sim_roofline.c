// SPDX-License-Identifier: Apache-2.0
/* sim_roofline.c - ncs2 and zcu102 as refined rooflines: a layer is bound by operations or by bytes, and a convolution reaches
 * only the share of the operations that its channels, filters and output height leave of the board's parallel units. One formula,
 * two tables; the numbers are those that the authors of ANNETTE fitted to the real devices. */
#include "backends/sim.h"

#include <math.h>

enum { GOPS, GBPS, BITS, PAR_C, ALPHA_C, PAR_K, ALPHA_K, PAR_H, ALPHA_H, POOL_GOPS, POOL_GBPS, SETTINGS };

#define BOARD(gops, gbps, bits, par_c, alpha_c, par_k, alpha_k, par_h, alpha_h, pool_gops, pool_gbps)                              \
    {                                                                                                                              \
        [GOPS] = {"gops", gops, 1e-6, 1e9}, [GBPS] = {"gbps", gbps, 1e-6, 1e9}, [BITS] = {"bits", bits, 1, 64},                    \
        [PAR_C] = {"par_c", par_c, 1, 65536}, [ALPHA_C] = {"alpha_c", alpha_c, 0, 1}, [PAR_K] = {"par_k", par_k, 1, 65536},        \
        [ALPHA_K] = {"alpha_k", alpha_k, 0, 1}, [PAR_H] = {"par_h", par_h, 1, 65536}, [ALPHA_H] = {"alpha_h", alpha_h, 0, 1},      \
        [POOL_GOPS] = {"pool_gops", pool_gops, 1e-6, 1e9}, [POOL_GBPS] = {"pool_gbps", pool_gbps, 1e-6, 1e9},                      \
    }
static const prf_sim_setting_t ncs2[SETTINGS] = BOARD(319.54, 5.679, 16, 32, 0.1458, 32, 0.7047, 63, 0.0151, 5.954, 0.579);
static const prf_sim_setting_t zcu102[SETTINGS] = BOARD(1173.49, 15.110, 8, 16, 1.0, 16, 0.8813, 8, 0.4859, 27.349, 15.110);

static double utilisation(double d, double par, double alpha)
{
    double efficiency = d / (ceil(d / par) * par);
    return 1 / ((1 - alpha) + alpha / efficiency);
}

static prf_status_t cost(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    (void)err;
    bool pool = layer->kind == PRF_MAXPOOL2D || layer->kind == PRF_AVGPOOL2D;
    double bytes = (prf_layer_inputs(layer) + prf_layer_weights(layer) + prf_layer_outputs(layer)) * set[BITS] / 8;
    double compute = prf_layer_ops(layer) / set[pool ? POOL_GOPS : GOPS]; /* a giga a second is one a nanosecond */
    double memory = bytes / set[pool ? POOL_GBPS : GBPS];
    if (layer->kind == PRF_CONV2D)
        compute /= utilisation(layer->p[PRF_P_C], set[PAR_C], set[ALPHA_C]) *
                   utilisation(layer->p[PRF_P_K], set[PAR_K], set[ALPHA_K]) *
                   utilisation((double)prf_layer_out_shape(layer).h, set[PAR_H], set[ALPHA_H]);
    *latency_ns = compute > memory ? compute : memory;
    return PRF_OK;
}

enum { ALL_KINDS = (1u << PRF_LAYER_KINDS) - 1 };

const prf_sim_board_t prf_sim_ncs2 = {
    .name = "ncs2", .kinds = ALL_KINDS, .settings = ncs2, .setting_count = SETTINGS, .cost = cost};
const prf_sim_board_t prf_sim_zcu102 = {
    .name = "zcu102", .kinds = ALL_KINDS, .settings = zcu102, .setting_count = SETTINGS, .cost = cost};
