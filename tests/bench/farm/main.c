// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-bench: how fast the farm is, beside the least that such a farm costs (floor.c), in the same run.
 *
 *   prfarm-bench SUBCOMMAND [--json] [--rounds N] [--dir FOLDER] [...]      see usage()
 *
 * Only ratios taken in one run say much: absolute figures are of this machine in this minute. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/order.h"
#include "bench.h"
#include "swarm.h"

typedef struct {
    const char *name, *options, *what;
    json_t *(*run)(const bench_options_t *options);
} bench_t;

static const bench_t benches[] = {
    {"throughput", "--workers 64 --credit 256 --jobs 100000 --batch 1", "results made durable a second", bench_throughput},
    {"latency", "--workers 1 --credit 1 --jobs 5000", "from a job's arrival at the board to its acknowledgement", bench_latency},
    {"fleet", "--workers 10000 --credit 16 --jobs 100000 --rounds 1", "what becomes of a coordinator with that many workers",
     bench_fleet},
    {"utilisation", "--boards 64 --job-us 1000 --credit 64 --jobs 300000 --rounds 3", "share of the boards' time that they measure",
     bench_utilisation},
    {"resume", "--results 1000000 --boards 64", "from the start of a coordinator on a full store to its first job", bench_resume},
    {"train", "--rows 10000 --features 20", "growing a forest, beside scikit-learn", bench_train},
    {"predict", "--rows 10000 --features 20", "asking that forest, beside scikit-learn", bench_predict},
    {"estimate", "", "a layer and a ResNet-50 through libprfarm; --model FILE: by that model only", bench_estimate},
    {"worker", "--rounds 1", "what a worker takes of its machine while it waits: memory, file, processor", bench_worker},
    {"dashboard", "--workers 1000 --credit 4 --job-us 1000000 --rounds 1", "what viewers of the dashboard cost the coordinator",
     bench_dashboard},
    {"scale", "--workers 4000 --results 1000000 --jobs 200000 --rounds 1",
     "throughput and resume from one worker and 1,000 results to that many; --svg FILE: a figure", bench_scale},
    {"--smoke", "", "shares of the floor, beside those in tests/bench/guard; --record: writes them there", bench_smoke},
};
enum { BENCHES = sizeof benches / sizeof *benches };

static const struct {
    const char *name;
    size_t least, most, offset;
} numbers[] = {
    {"--workers", 1, 20000, offsetof(bench_options_t, workers)},
    {"--credit", 1, 256, offsetof(bench_options_t, credit)},
    {"--jobs", 10, 2000000, offsetof(bench_options_t, jobs)},
    {"--batch", 1, 256, offsetof(bench_options_t, batch)},
    {"--rows", 100, 1000000, offsetof(bench_options_t, rows)},
    {"--features", 6, 128, offsetof(bench_options_t, features)},
    {"--rounds", 1, ROUNDS_MOST, offsetof(bench_options_t, rounds)},
    {"--boards", 1, 10000, offsetof(bench_options_t, boards)},
    {"--job-us", 1, 10000000, offsetof(bench_options_t, job_us)},
    {"--results", 1000, 20000000, offsetof(bench_options_t, results)},
};

double quantile(double *values, size_t count, double share)
{
    if (count == 0)
        return 0;
    size_t at = (size_t)(share * (double)count);
    return values[at < count ? at : count - 1];
}

void medians(const double *rounds, size_t fields, size_t count, double *out)
{
    double values[ROUNDS_MOST];
    for (size_t f = 0; f < fields; f++) {
        for (size_t r = 0; r < count; r++)
            values[r] = rounds[r * fields + f];
        out[f] = prf_median(values, count);
    }
}

uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t process_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        die("a process", "its time cannot be read");
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int usage(void)
{
    fprintf(stderr, "usage: prfarm-bench SUBCOMMAND [--json] [--rounds N] [--dir FOLDER] [its options]\n");
    for (size_t i = 0; i < BENCHES; i++)
        fprintf(stderr, "  %-12s %s\n  %12s default: %s\n", benches[i].name, benches[i].what, "", benches[i].options);
    return 2;
}

static bool set_number(bench_options_t *o, const char *name, const char *value)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0 && *end == '\0' && number >= numbers[i].least && number <= numbers[i].most) {
            *(size_t *)((char *)o + numbers[i].offset) = number;
            return true;
        }
    return false;
}

void options_init(bench_options_t *o, const char *given)
{
    char text[256], *save, *name;
    *o = (bench_options_t){.workers = 1, .credit = 1, .jobs = 1000, .batch = 1, .rounds = 5};
    o->scratch = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    snprintf(text, sizeof text, "%s", given);
    for (name = strtok_r(text, " ", &save); name; name = strtok_r(NULL, " ", &save))
        (void)set_number(o, name, strtok_r(NULL, " ", &save));
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    const bench_t *bench = NULL;
    for (size_t i = 0; i < BENCHES && argc > 1; i++)
        if (strcmp(argv[1], benches[i].name) == 0)
            bench = &benches[i];
    if (!bench)
        return usage();
    bench_options_t options;
    bool as_json = false;
    options_init(&options, bench->options);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            as_json = true;
        else if (strcmp(argv[i], "--record") == 0)
            options.record = true;
        else if (i + 1 < argc && strcmp(argv[i], "--dir") == 0)
            options.scratch = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--svg") == 0)
            options.svg = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--model") == 0)
            options.model = argv[++i];
        else if (i + 1 < argc && set_number(&options, argv[i], argv[i + 1]))
            i++;
        else
            return usage();
    }
    raise_descriptors();
    json_t *json = bench->run(&options);
    if (as_json) {
        json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("\n");
    }
    bool failed = json_is_false(json_object_get(json, "passed"));
    json_decref(json);
    return failed;
}
