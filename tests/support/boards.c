// SPDX-License-Identifier: Apache-2.0
/* boards.c - one function a board, a line for each line of its description. */
#include "boards.h"

#include <math.h>

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

double board_ultratrail(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    if (l->kind == PRF_FC)
        return 4.0 * (double)(1 + ceil_div(p[PRF_P_IN], 8) * ceil_div(p[PRF_P_OUT], 8));
    if (l->kind != PRF_CONV1D)
        return NAN;
    int64_t f = p[PRF_P_F], x = p[PRF_P_W], s = p[PRF_P_STRIDE], flag = p[PRF_P_PAD] > 0;
    int64_t h = f / 2, a = floor_div(x + 2 * flag * h - f, s) + 1;
    int64_t pb = flag * (floor_div(h - 1, s) + 1), nb = 0;
    for (int64_t i = 0; i < pb; i++)
        nb += h - s * i;
    int64_t e = a * s + f - s - x - h;
    int64_t pe = flag * (floor_div(e - 1, s) + 1), ne = 0;
    for (int64_t i = 0; i < pe; i++)
        ne += h - s * i - (h - e);
    return 4.0 * (double)(1 + ceil_div(p[PRF_P_C], 8) * ceil_div(p[PRF_P_K], 8) * (a * f - nb - ne));
}

double board_systolic(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    prf_shape_t out = prf_layer_out_shape(l);
    int64_t rows, terms, columns;
    if (l->kind == PRF_FC)
        rows = p[PRF_P_N], terms = p[PRF_P_IN], columns = p[PRF_P_OUT];
    else if (l->kind == PRF_CONV2D)
        rows = out.h * out.w, terms = (int64_t)p[PRF_P_R] * p[PRF_P_S] * p[PRF_P_C], columns = p[PRF_P_K];
    else
        return NAN;
    return (double)(ceil_div(rows, 32) * ceil_div(columns, 32) * (terms + 62) - 1);
}

/* Cost of one tile of the vta: `hh` output rows and `kk` blocks of filters, over all pieces of channels. */
static double vta_tile(int64_t hh, int64_t kk, int64_t ow, int64_t tc, int64_t ict, int64_t r, int64_t s)
{
    int64_t ih = (hh - 1) * s + r, iw = (ow - 1) * s + r;
    double sum = 0;
    for (int64_t left = tc; left > 0; left -= ict) {
        int64_t cc = left < ict ? left : ict;
        double load = (double)(cc * 16 * ih * iw + kk * cc * 256 * r * r) / 8 + 128;
        double compute = (double)(cc * kk * hh * ow * r * r + 16 * r * r);
        sum += fmax(load, compute);
    }
    return sum + (double)(kk * 16 * hh * ow) / 8 + 64 + (double)(2 * kk * hh * ow);
}

static double vta_cycles(int64_t c, int64_t k, int64_t h, int64_t w, int64_t r, int64_t s)
{
    int64_t tc = ceil_div(c, 16), tk = ceil_div(k, 16);
    int64_t oh = (h + 2 * (r / 2) - r) / s + 1, ow = (w + 2 * (r / 2) - r) / s + 1, iw = (ow - 1) * s + r;
    int64_t ict = 1, rows = 1, oct = 1;
    for (int64_t i = tc, found = 0; i >= 1 && !found; i--)
        for (int64_t o = oh; o >= 1 && !found; o--)
            if (i * 16 * ((o - 1) * s + r) * iw <= 16384)
                ict = i, rows = o, found = 1;
    for (int64_t o = tk; o >= 1; o--)
        if (o * ict * 256 * r * r <= 131072 && o * 64 * rows * ow <= 65536) {
            oct = o;
            break;
        }
    double sum = 500;
    for (int64_t left = oh; left > 0; left -= rows)
        for (int64_t filters = tk; filters > 0; filters -= oct)
            sum += vta_tile(left < rows ? left : rows, filters < oct ? filters : oct, ow, tc, ict, r, s);
    return round(sum);
}

double board_vta(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    if (l->kind == PRF_FC)
        return 10 * vta_cycles(p[PRF_P_IN], p[PRF_P_OUT], 1, 1, 1, 1);
    if (l->kind != PRF_CONV2D)
        return NAN;
    return 10 * vta_cycles(p[PRF_P_C], p[PRF_P_K], p[PRF_P_H], p[PRF_P_W], p[PRF_P_R], p[PRF_P_STRIDE]);
}

/* 1 / utilisation of one parallel dimension. */
static double slack(int64_t d, int64_t par, double alpha)
{
    return (1 - alpha) + alpha * (double)(ceil_div(d, par) * par) / (double)d;
}

double board_ncs2(const prf_layer_t *l)
{
    double ops = prf_layer_ops(l), bytes = prf_layer_bytes(l, PRF_F16), u = 1;
    if (l->kind == PRF_CONV2D)
        u = slack(l->p[PRF_P_C], 32, 0.1458) * slack(l->p[PRF_P_K], 32, 0.7047) * slack(prf_layer_out_shape(l).h, 63, 0.0151);
    return fmax(ops * u / 319.54, bytes / 5.679);
}

double board_zcu102(const prf_layer_t *l)
{
    double ops = prf_layer_ops(l), bytes = prf_layer_bytes(l, PRF_I8), u = 1;
    if (l->kind == PRF_CONV2D)
        u = slack(l->p[PRF_P_C], 16, 1.0) * slack(l->p[PRF_P_K], 16, 0.8813) * slack(prf_layer_out_shape(l).h, 8, 0.4859);
    return fmax(ops * u / 1173.49, bytes / 15.110);
}
