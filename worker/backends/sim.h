// SPDX-License-Identifier: Apache-2.0
/* sim.h - the simulated reference boards, apart from the backend that presents them: what each one runs, what can be set, and
 * what one layer costs. Pure: a cost is a function of the settings and the layer. Source: METHOD section 3, restated in
 * docs/backends.md. */
#ifndef PRF_SIM_H
#define PRF_SIM_H

#include "layer/layer.h"

enum { PRF_SIM_SETTINGS = 16 };

typedef struct {
    const char *key;
    double fallback, min, max;
} prf_sim_setting_t;

typedef struct {
    const char *name;
    uint32_t kinds; /* bit 1 << prf_layer_kind_t */
    const prf_sim_setting_t *settings;
    size_t setting_count;
    /* Nanoseconds of one layer of one of the kinds, groups = 1 (the backend runs groups one after the other). `set` holds a value
     * for each setting, in order. Errors: PRF_EUNSUPPORTED with what the board's limits are. */
    prf_status_t (*cost)(const double *set, const prf_layer_t *layer, double *latency_ns, prf_error_t *err);
} prf_sim_board_t;

extern const prf_sim_board_t prf_sim_ultratrail, prf_sim_systolic, prf_sim_vta, prf_sim_ncs2, prf_sim_zcu102, prf_sim_ferry;

/* Divisions as the formulas mean them, for divisors above zero. */
static inline int64_t prf_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t prf_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

#endif
