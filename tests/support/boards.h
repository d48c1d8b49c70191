// SPDX-License-Identifier: Apache-2.0
/* boards.h - latency of the simulated reference boards, for tests: closed forms written from their published descriptions and
 * apart from the worker's simulators, so that each can check the other. Pure. The layer is complete and of a kind that the
 * board knows (conv1d, conv2d, fc); nanoseconds, NaN for another kind. */
#ifndef PRF_TESTS_BOARDS_H
#define PRF_TESTS_BOARDS_H

#include "layer/layer.h"

typedef double (*board_t)(const prf_layer_t *layer);

double board_ultratrail(const prf_layer_t *layer); /* conv1d, fc; 4 ns a cycle */
double board_systolic(const prf_layer_t *layer);   /* conv2d, fc, 32 x 32; 1 ns a cycle */
double board_vta(const prf_layer_t *layer);        /* conv2d, fc; 10 ns a cycle */
double board_ncs2(const prf_layer_t *layer);       /* conv2d, fc */
double board_zcu102(const prf_layer_t *layer);     /* conv2d, fc */

#endif
