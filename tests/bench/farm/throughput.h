// SPDX-License-Identifier: Apache-2.0
/* throughput.h - one server at one load, from its start to its end. */
#ifndef PRF_BENCH_THROUGHPUT_H
#define PRF_BENCH_THROUGHPUT_H

#include "bench.h"
#include "server.h"

/* All are doubles: medians are taken field by field. */
typedef struct {
    double rate, cpu_s, rss_mb;             /* results a second, CPU seconds of the server for 100,000, the most memory it held */
    double p10_ms, p50_ms, p99_ms, p999_ms; /* from a job's arrival to its acknowledgement; 0 unless they were timed */
} served_t;

void throughput_round(serve_t what, const bench_options_t *options, bool timing, served_t *out);

#endif
