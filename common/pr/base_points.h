// SPDX-License-Identifier: Apache-2.0
/* base_points.h - where the other parameters stand while one is swept. Internal to pr/. Pure; any thread; no allocation. */
#ifndef PRF_PR_BASE_POINTS_H
#define PRF_PR_BASE_POINTS_H

#include "pr/space.h"

enum { PRF_BASES = 3 };

/* Values of a RANGE parameter that a sweep may use; at most 1024. */
void prf_base_window(const prf_dim_t *dim, int32_t *from, int32_t *to);
/* The number-th (0 .. PRF_BASES - 1) base for sweeping `swept`: a layer of the space. False when none was found. */
bool prf_base_find(const prf_space_t *space, prf_param_t swept, size_t number, uint64_t seed, prf_layer_t *out);

#endif
