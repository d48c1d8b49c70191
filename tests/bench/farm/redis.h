// SPDX-License-Identifier: Apache-2.0
/* redis.h - the same work done by Redis streams: what a farm would be built on otherwise. */
#ifndef PRF_BENCH_REDIS_H
#define PRF_BENCH_REDIS_H

#include "throughput.h"

/* False, with a word on standard error: there is no redis-server, or no libhiredis when prfarm-bench was built. */
bool redis_here(void);
/* A private server, from its start to its end. */
void redis_round(const bench_options_t *options, served_t *out);

#endif
