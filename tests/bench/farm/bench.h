// SPDX-License-Identifier: Apache-2.0
/* bench.h - the subcommands of prfarm-bench, and what they share: options, rounds, tables. */
#ifndef PRF_BENCH_H
#define PRF_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ROUNDS_MOST = 99 };

typedef struct {
    size_t workers, credit, jobs, batch, rounds, boards, job_us, results, rows, features;
    uint32_t outbox;     /* jobs and results under way that a worker has at most; 0: as many as prfarm-worker */
    const char *scratch; /* folder for stores */
    const char *svg;     /* file for a figure; NULL: none is wanted */
    const char *model;   /* a model file; NULL: none is given */
    bool record;         /* what is seen is what later runs are compared with */
} bench_options_t;

/* Each prints its table and returns what --json prints, a new reference. */
json_t *bench_throughput(const bench_options_t *options);
json_t *bench_latency(const bench_options_t *options);
json_t *bench_fleet(const bench_options_t *options);
json_t *bench_utilisation(const bench_options_t *options);
json_t *bench_resume(const bench_options_t *options);
json_t *bench_train(const bench_options_t *options);
json_t *bench_predict(const bench_options_t *options);
json_t *bench_estimate(const bench_options_t *options);
json_t *bench_worker(const bench_options_t *options);
json_t *bench_dashboard(const bench_options_t *options);
json_t *bench_scale(const bench_options_t *options);
json_t *bench_smoke(const bench_options_t *options); /* with "passed" */

/* Where numbers are not given they are as `text` says, which reads as on the command line; where it says nothing, small. */
void options_init(bench_options_t *options, const char *text);

/* The median of each figure of a structure of nothing but doubles, field by field; *out is one, too. */
void medians(const double *rounds, size_t fields, size_t count, double *out);
#define MEDIANS(rounds, count, out) medians((const double *)(rounds), sizeof *(out) / sizeof(double), count, (double *)(out))
/* Of `count` values, which are sorted. 0 < share < 1. */
double quantile(double *values, size_t count, double share);
/* Of the processor, for this thread: what others take of a shared machine is not in it. */
uint64_t thread_ns(void);
uint64_t process_ns(pid_t pid); /* for all of its threads */

#endif
