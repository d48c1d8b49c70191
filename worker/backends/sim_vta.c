// SPDX-License-Identifier: Apache-2.0
/* sim_vta.c - the Versatile Tensor Accelerator: a GEMM core of 1 x 16 x 16 with an input buffer of 32 KiB, a weight buffer of
 * 256 KiB and an accumulator of 128 KiB, each split in halves so that loading, computing and storing overlap. The sizes are
 * public; the cost model is prfarm's own. A layer is cut into pieces of rows, filters and channels that fit the halves; since
 * all pieces of one size cost the same, they are counted, not walked. */
#include "backends/sim.h"

#include <math.h>

enum { BUS_BYTES, TRANSFER_CYCLES, LAYER_CYCLES, CYCLE_NS, SETTINGS };
static const prf_sim_setting_t settings[SETTINGS] = {
    [BUS_BYTES] = {"bus_bytes", 8, 1, 65536},
    [TRANSFER_CYCLES] = {"transfer_cycles", 64, 0, 1e9},
    [LAYER_CYCLES] = {"layer_cycles", 500, 0, 1e9},
    [CYCLE_NS] = {"cycle_ns", 10, 1e-3, 1e6},
};

enum { BLOCK = 16, HALF_INPUT = 16384, HALF_WEIGHTS = 131072, HALF_ACCUMULATOR = 65536 };

typedef struct {
    int64_t tc, tk, oh, ow, iw, r, s; /* the layer: blocks of channels and filters, output, input width, kernel, stride */
    int64_t ict, ohh, oct;            /* the tile: blocks of channels, rows, blocks of filters */
    double bus, transfer;
} plan_t;

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

static int64_t input_rows(const plan_t *p, int64_t rows)
{
    return (rows - 1) * p->s + p->r;
}

static void choose_tile(plan_t *p)
{
    p->ict = at_most(p->tc, HALF_INPUT / (BLOCK * p->r * p->iw));
    p->ohh = 1;
    if (p->ict < 1)
        p->ict = 1;
    else
        p->ohh = at_most(p->oh, (HALF_INPUT / (p->ict * BLOCK * p->iw) - p->r) / p->s + 1);
    int64_t by_weights = HALF_WEIGHTS / (p->ict * BLOCK * BLOCK * p->r * p->r);
    int64_t by_accumulator = HALF_ACCUMULATOR / (BLOCK * 4 * p->ohh * p->ow);
    p->oct = at_most(p->tk, at_most(by_weights, by_accumulator));
    if (p->oct < 1)
        p->oct = 1;
}

/* Loading a piece's inputs and weights overlaps with computing the piece before it. */
static double channel_piece(const plan_t *p, int64_t hh, int64_t kk, int64_t cc)
{
    double bytes =
        (double)(cc * BLOCK) * (double)(input_rows(p, hh) * p->iw) + (double)(kk * cc) * BLOCK * BLOCK * (double)(p->r * p->r);
    double load = bytes / p->bus + 2 * p->transfer;
    double compute = (double)(cc * kk) * (double)(hh * p->ow) * (double)(p->r * p->r) + BLOCK * (double)(p->r * p->r);
    return load > compute ? load : compute;
}

static double pair(const plan_t *p, int64_t hh, int64_t kk)
{
    int64_t whole = p->tc / p->ict, rest = p->tc % p->ict;
    double sum = (double)whole * channel_piece(p, hh, kk, p->ict) + (rest ? channel_piece(p, hh, kk, rest) : 0);
    double outputs = (double)kk * (double)(hh * p->ow);
    return sum + outputs * BLOCK / p->bus + p->transfer + 2 * outputs;
}

static double filters(const plan_t *p, int64_t hh)
{
    int64_t whole = p->tk / p->oct, rest = p->tk % p->oct;
    return (double)whole * pair(p, hh, p->oct) + (rest ? pair(p, hh, rest) : 0);
}

static double cycles(plan_t *p, double per_layer)
{
    choose_tile(p);
    int64_t whole = p->oh / p->ohh, rest = p->oh % p->ohh;
    return round(per_layer + (double)whole * filters(p, p->ohh) + (rest ? filters(p, rest) : 0));
}

static prf_status_t check_conv(const int32_t *v, prf_error_t *err)
{
    if (v[PRF_P_R] != v[PRF_P_S] || v[PRF_P_PAD] != v[PRF_P_R] / 2 || v[PRF_P_DILATION] != 1)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "vta runs square kernels padded by half their size, without dilation: r=%d s=%d needs r = s and pad=%d",
                        v[PRF_P_R], v[PRF_P_S], v[PRF_P_R] / 2);
    return PRF_OK;
}

static prf_status_t cost(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    const int32_t *v = layer->p;
    if (v[PRF_P_N] != 1)
        return prf_fail(err, PRF_EUNSUPPORTED, "vta runs a batch of 1, not %d: use n=1", v[PRF_P_N]);
    plan_t plan = {.oh = 1, .ow = 1, .iw = 1, .r = 1, .s = 1, .bus = set[BUS_BYTES], .transfer = set[TRANSFER_CYCLES]};
    if (layer->kind == PRF_CONV2D) {
        prf_status_t status = check_conv(v, err);
        if (status)
            return status;
        prf_shape_t out = prf_layer_out_shape(layer);
        plan.oh = out.h;
        plan.ow = out.w;
        plan.r = v[PRF_P_R];
        plan.s = v[PRF_P_STRIDE];
        plan.iw = (out.w - 1) * plan.s + plan.r;
    }
    plan.tc = prf_ceil_div(layer->kind == PRF_FC ? v[PRF_P_IN] : v[PRF_P_C], BLOCK);
    plan.tk = prf_ceil_div(layer->kind == PRF_FC ? v[PRF_P_OUT] : v[PRF_P_K], BLOCK);
    *latency_ns = cycles(&plan, set[LAYER_CYCLES]) * set[CYCLE_NS];
    return PRF_OK;
}

const prf_sim_board_t prf_sim_vta = {
    .name = "vta",
    .kinds = 1u << PRF_CONV2D | 1u << PRF_FC,
    .settings = settings,
    .setting_count = SETTINGS,
    .cost = cost,
};
