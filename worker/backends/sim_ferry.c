// SPDX-License-Identifier: Apache-2.0
/* sim_ferry.c - a weight-stationary array of 12 channels by 20 filters with two levels of tiling, a made-up machine. It was written
 * when the models were finished, to see how they fare on a board that nobody had in mind (docs/accuracy.md).
 *
 * Filters are taken in groups of 80 that share one pass over the input; positions in pieces of 448, as many as there are
 * accumulators. For each piece, each 20 filters, each 12 channels and each tap the weights are shifted in (12 cycles), the piece
 * streams through, and the array drains (20 cycles). Meanwhile a port of 6 bytes a cycle moves the weights once a piece, the input
 * once a group unless it fits into the 96 KiB of on-chip memory, and the output once. The longer of the two counts, after 900
 * cycles of setting up. Its quirk: bursts of 4 outputs; each row of the output whose width is no multiple of 4 costs 3 cycles more
 * for each 20 filters. Depthwise layers use one row of the array only, 20 channels at a time. */
#include "backends/sim.h"

enum { CHANNELS, FILTERS, PIECE, GROUP, PORT_BYTES, CHIP_BYTES, CYCLE_NS, SETTINGS };
static const prf_sim_setting_t settings[SETTINGS] = {
    [CHANNELS] = {"channels", 12, 1, 65536},
    [FILTERS] = {"filters", 20, 1, 65536},
    [PIECE] = {"piece", 448, 1, 1e9},
    [GROUP] = {"group", 80, 1, 1e6},
    [PORT_BYTES] = {"port_bytes", 6, 1e-3, 1e6},
    [CHIP_BYTES] = {"chip_bytes", 98304, 0, 1e12},
    [CYCLE_NS] = {"cycle_ns", 2.5, 1e-3, 1e6},
};
enum { SETUP_CYCLES = 900, BURST = 4, PARTIAL_CYCLES = 3 };

/* As a product: positions, channels of each sum, filters, taps. */
typedef struct {
    int64_t positions, channels, filters, taps, rows, width;
    bool depthwise;
} work_t;

static work_t work_of(const prf_layer_t *layer)
{
    const int32_t *v = layer->p;
    if (layer->kind == PRF_FC)
        return (work_t){v[PRF_P_N], v[PRF_P_IN], v[PRF_P_OUT], 1, v[PRF_P_N], 1, false};
    prf_shape_t out = prf_layer_out_shape(layer);
    bool depthwise = layer->kind == PRF_DWCONV2D;
    return (work_t){out.n * out.h * out.w,
                    depthwise ? 1 : v[PRF_P_C],
                    depthwise ? v[PRF_P_C] : v[PRF_P_K],
                    (int64_t)v[PRF_P_R] * v[PRF_P_S],
                    out.n * out.h,
                    out.w,
                    depthwise};
}

static prf_status_t cost(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    (void)err;
    work_t w = work_of(layer);
    double pieces = (double)prf_ceil_div(w.positions, (int64_t)set[PIECE]);
    double filters = (double)prf_ceil_div(w.filters, (int64_t)set[FILTERS]);
    double channels = (double)prf_ceil_div(w.channels, (int64_t)set[CHANNELS]);
    double groups = w.depthwise ? 1 : (double)prf_ceil_div(w.filters, (int64_t)set[GROUP]);
    double fill = (double)((int64_t)set[CHANNELS] + (int64_t)set[FILTERS]);
    double compute = filters * channels * (double)w.taps * ((double)w.positions + pieces * fill);
    double input = prf_layer_inputs(layer), passes = input > set[CHIP_BYTES] ? groups : 1;
    double moved = prf_layer_weights(layer) * pieces + input * passes + prf_layer_outputs(layer);
    double memory = moved / set[PORT_BYTES];
    double partial = w.width % BURST ? (double)(w.rows * PARTIAL_CYCLES) * filters : 0;
    *latency_ns = (SETUP_CYCLES + (memory > compute ? memory : compute) + partial) * set[CYCLE_NS];
    return PRF_OK;
}

const prf_sim_board_t prf_sim_ferry = {
    .name = "ferry",
    .kinds = 1u << PRF_CONV2D | 1u << PRF_DWCONV2D | 1u << PRF_FC,
    .settings = settings,
    .setting_count = SETTINGS,
    .cost = cost,
};
