// SPDX-License-Identifier: Apache-2.0
/* sim_systolic.c - an output-stationary systolic array of rows x cols: every layer is a matrix product of P x T by T x K whose
 * output is cut into tiles of the array's size (agrees with SCALE-Sim v2). With bytes_per_cycle above zero the board is bound
 * by its memory as well: every element is one byte and moves once. */
#include "backends/sim.h"

enum { ROWS, COLS, CYCLE_NS, BYTES_PER_CYCLE, SETTINGS };
static const prf_sim_setting_t settings[SETTINGS] = {
    [ROWS] = {"rows", 32, 1, 65536},
    [COLS] = {"cols", 32, 1, 65536},
    [CYCLE_NS] = {"cycle_ns", 1, 1e-3, 1e6},
    [BYTES_PER_CYCLE] = {"bytes_per_cycle", 0, 0, 1e6},
};

typedef struct {
    int64_t p, t, k, times;
} gemm_t;

static gemm_t as_gemm(const prf_layer_t *layer)
{
    const int32_t *v = layer->p;
    if (layer->kind == PRF_FC)
        return (gemm_t){.p = v[PRF_P_N], .t = v[PRF_P_IN], .k = v[PRF_P_OUT], .times = 1};
    if (layer->kind == PRF_MATMUL)
        return (gemm_t){.p = v[PRF_P_M], .t = v[PRF_P_K], .k = v[PRF_P_N], .times = v[PRF_P_B]};
    prf_shape_t out = prf_layer_out_shape(layer);
    int64_t taps = (int64_t)v[PRF_P_R] * v[PRF_P_S] * v[PRF_P_C];
    return (gemm_t){.p = out.n * out.h * out.w, .t = taps, .k = v[PRF_P_K], .times = 1};
}

static prf_status_t cost(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    (void)err;
    gemm_t g = as_gemm(layer);
    int64_t rows = (int64_t)set[ROWS], cols = (int64_t)set[COLS];
    double tiles = (double)prf_ceil_div(g.p, rows) * (double)prf_ceil_div(g.k, cols);
    double cycles = (double)g.times * (tiles * (double)(g.t + rows + cols - 2) - 1);
    if (set[BYTES_PER_CYCLE] > 0) {
        double memory = prf_layer_bytes(layer, PRF_I8) / set[BYTES_PER_CYCLE];
        cycles = memory > cycles ? memory : cycles;
    }
    /* An array of one cell and a product of one element would take no time at all. */
    *latency_ns = (cycles < 1 ? 1 : cycles) * set[CYCLE_NS];
    return PRF_OK;
}

const prf_sim_board_t prf_sim_systolic = {
    .name = "systolic",
    .kinds = 1u << PRF_CONV2D | 1u << PRF_FC | 1u << PRF_MATMUL,
    .settings = settings,
    .setting_count = SETTINGS,
    .cost = cost,
};
