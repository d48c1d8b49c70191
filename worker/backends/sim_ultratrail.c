// SPDX-License-Identifier: Apache-2.0
/* sim_ultratrail.c - the published analytic model of the UltraTrail accelerator, an array of n x n multipliers for
 * one-dimensional convolutions: it steps in input and output channels, and skips the kernel's taps that fall on the padding. */
#include "backends/sim.h"

enum { N, CYCLE_NS, SETTINGS };
static const prf_sim_setting_t settings[SETTINGS] = {[N] = {"n", 8, 1, 1024}, [CYCLE_NS] = {"cycle_ns", 4, 1e-3, 1e6}};

enum { MAX_CHANNELS = 128, MAX_KERNEL = 16, MAX_WIDTH = 128 };

/* Sum over i = 0 .. count-1 of (first - step * i); a count below zero means none. */
static int64_t falling_sum(int64_t count, int64_t first, int64_t step)
{
    return count <= 0 ? 0 : count * first - step * (count * (count - 1) / 2);
}

static int64_t cycles(int64_t n, int64_t c, int64_t k, int64_t f, int64_t x, int64_t s, int64_t p)
{
    int64_t h = f / 2;
    int64_t a = prf_floor_div(x + 2 * p * h - f, s) + 1;
    int64_t p_b = p * (prf_floor_div(h - 1, s) + 1);
    int64_t n_b = falling_sum(p_b, h, s);
    int64_t e = a * s + f - s - x - h;
    int64_t p_e = p * (prf_floor_div(e - 1, s) + 1);
    int64_t n_e = falling_sum(p_e, e, s);
    return 1 + prf_ceil_div(c, n) * prf_ceil_div(k, n) * (a * f - n_b - n_e);
}

static prf_status_t check(int64_t batch, int64_t c, int64_t k, int64_t f, int64_t x, prf_error_t *err)
{
    if (batch != 1)
        return prf_fail(err, PRF_EUNSUPPORTED, "ultratrail runs a batch of 1, not %lld: use n=1", (long long)batch);
    if (c > MAX_CHANNELS || k > MAX_CHANNELS || f > MAX_KERNEL || x > MAX_WIDTH)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "ultratrail takes at most %d input and output channels, kernels of %d and widths of %d", MAX_CHANNELS,
                        MAX_KERNEL, MAX_WIDTH);
    return PRF_OK;
}

static prf_status_t cost(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    const int32_t *v = layer->p;
    bool conv = layer->kind == PRF_CONV1D;
    int64_t c = conv ? v[PRF_P_C] : v[PRF_P_IN], k = conv ? v[PRF_P_K] : v[PRF_P_OUT];
    int64_t f = conv ? v[PRF_P_F] : 1, x = conv ? v[PRF_P_W] : 1, s = conv ? v[PRF_P_STRIDE] : 1, pad = conv ? v[PRF_P_PAD] : 0;
    prf_status_t status = check(v[PRF_P_N], c, k, f, x, err);
    if (status)
        return status;
    if (pad != 0 && pad != f / 2)
        return prf_fail(err, PRF_EUNSUPPORTED, "ultratrail pads a kernel of %lld by 0 or %lld, not %lld: use one of them",
                        (long long)f, (long long)(f / 2), (long long)pad);
    *latency_ns = (double)cycles((int64_t)set[N], c, k, f, x, s, pad != 0) * set[CYCLE_NS];
    return PRF_OK;
}

const prf_sim_board_t prf_sim_ultratrail = {
    .name = "ultratrail",
    .kinds = 1u << PRF_CONV1D | 1u << PRF_FC,
    .settings = settings,
    .setting_count = SETTINGS,
    .cost = cost,
};
