// SPDX-License-Identifier: Apache-2.0
/* bench.h - the subcommands of prfarm-bench, and what they share: options, rounds, tables. */
#ifndef PRF_BENCH_H
#define PRF_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { ROUNDS_MOST = 99 };

typedef struct {
    size_t workers, credit, jobs, batch, rounds, boards, job_us, results, rows, features;
    const char *scratch; /* folder for stores */
} bench_options_t;

/* Each prints its table and returns what --json prints, a new reference. */
json_t *bench_throughput(const bench_options_t *options);
json_t *bench_latency(const bench_options_t *options);
json_t *bench_fleet(const bench_options_t *options);
json_t *bench_utilisation(const bench_options_t *options);
json_t *bench_resume(const bench_options_t *options);

/* The median of each figure of a structure of nothing but doubles, field by field; *out is one, too. */
void medians(const double *rounds, size_t fields, size_t count, double *out);
#define MEDIANS(rounds, count, out) medians((const double *)(rounds), sizeof *(out) / sizeof(double), count, (double *)(out))

/* Of `count` values, which are sorted. 0 < share < 1. */
double quantile(double *values, size_t count, double share);

#endif
