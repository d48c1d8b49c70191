// SPDX-License-Identifier: Apache-2.0
/* costs.h - what the smoke compares: what the same work costs the floor and us, in the same minute. Each call is a round, in which
 * the two take turns. */
#ifndef PRF_BENCH_COSTS_H
#define PRF_BENCH_COSTS_H

#include "bench.h"

enum { COSTS_MOST = 2 /* of one round */ };

/* In any unit of time. */
typedef struct {
    double floor, ours;
} costs_t;

/* Time for a result; CPU time of the server for it. The floor is floor.c. */
void throughput_costs(const bench_options_t *options, costs_t costs[COSTS_MOST]);
/* The time from a job to its acknowledgement, the tenth percentile. The floor is floor.c. */
void latency_costs(const bench_options_t *options, costs_t costs[COSTS_MOST]);
/* CPU time to the first job. The floor reads as many values of that size with bare LMDB. */
void resume_costs(const bench_options_t *options, costs_t costs[COSTS_MOST]);
/* CPU time for fitting models, and for asking them. The floor is a plain loop. */
void model_costs(const bench_options_t *options, costs_t costs[COSTS_MOST]);

#endif
