// SPDX-License-Identifier: Apache-2.0
/* between.h - what a block takes in a network besides its own time, out of chains of layers that were measured one by one, too.
 * Pure; any thread; no allocation.
 *
 * A chain of n blocks that takes t, its blocks alone t1 ... tn, leaves (t - (t1 + ... + tn)) / (n - 1) for each block after the
 * first. The median over the chains stands, unless what the chains take longer is within the noise, as a share of the chain. */
#ifndef PRF_MODEL_BETWEEN_H
#define PRF_MODEL_BETWEEN_H

#include <stddef.h>

enum { PRF_BETWEEN_LEAST = 3, PRF_BETWEEN_MOST = 16 /* chains */ };
#define PRF_BETWEEN_LIMIT_NS 1e9 /* no block takes longer besides its own time */

/* One chain. */
typedef struct {
    size_t blocks;           /* two at least */
    double chain_ns, sum_ns; /* above zero: back to back; its blocks one by one, added up */
} prf_between_t;

/* Nanoseconds a block after the first; 0: nothing that can be told from noise, or not between PRF_BETWEEN_LEAST and
 * PRF_BETWEEN_MOST chains. `noise_percent`: as prf_fusion_noise_percent gives it. */
double prf_between_learn(const prf_between_t *chains, size_t count, double noise_percent);

#endif
