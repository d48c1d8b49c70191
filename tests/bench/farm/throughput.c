// SPDX-License-Identifier: Apache-2.0
/* throughput.c - results made durable a second, and how long one takes from the board's getting the job to its acknowledgement.
 *
 * All servers do the same work in turn, round by round, so that a slow minute of the machine meets all of them. What comes before
 * the first tenth of the jobs is durable (connecting, planning the campaign) is left out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/order.h"
#include "redis.h"
#include "swarm.h"

enum { ROUND_MS = 120000, SPARE = 3 /* a campaign asks for its first 40 % before it trains */ };
enum { REDIS = SERVERS, CONTESTANTS };

static void read_waits(const counts_t *counts, served_t *out)
{
    double *waits = malloc((counts->wait_count + 1) * sizeof *waits);
    if (!waits)
        die("latencies", "out of memory");
    for (size_t i = 0; i < counts->wait_count; i++)
        waits[i] = (double)counts->waits_ns[i] / 1e6;
    prf_sort(waits, counts->wait_count);
    out->p10_ms = quantile(waits, counts->wait_count, 0.1);
    out->p50_ms = quantile(waits, counts->wait_count, 0.5);
    out->p99_ms = quantile(waits, counts->wait_count, 0.99);
    out->p999_ms = quantile(waits, counts->wait_count, 0.999);
    free(waits);
}

void throughput_round(serve_t what, const bench_options_t *o, bool timing, served_t *out)
{
    server_t server;
    usage_t usage;
    server_start(&server, what, o->scratch);
    if (what != SERVE_FLOOR)
        server_submit(&server, SPARE * o->jobs + SPARE * o->jobs / 10);
    const load_t load = {.workers = o->workers, .credit = (uint32_t)o->credit, .outbox = o->outbox, .batch = (uint32_t)o->batch};
    swarm_t *swarm = swarm_new(server.workers, &load, what == SERVE_FLOOR ? &play_floor : &play_worker);
    counts_t *counts = swarm_counts(swarm);
    if (!swarm_play(swarm, &counts->durable, o->jobs / 10, ROUND_MS))
        die(server_name(what), "it does not get going");
    uint64_t first = counts->durable, began_cpu = process_ns(server.process.pid), began = prf_clock_mono_ns();
    counts->timing = timing;
    if (!swarm_play(swarm, &counts->durable, first + o->jobs, ROUND_MS))
        die(server_name(what), "it came to a stop");
    double seconds = (double)(prf_clock_mono_ns() - began) / 1e9, done = (double)(counts->durable - first);
    double cpu_s = (double)(process_ns(server.process.pid) - began_cpu) / 1e9;
    server_usage(&server, &usage);
    *out = (served_t){.rate = done / seconds, .cpu_s = cpu_s * 1e5 / done, .rss_mb = usage.rss_mb};
    if (timing)
        read_waits(counts, out);
    if (counts->refused)
        die(server_name(what), "it refused a worker");
    swarm_destroy(swarm);
    server_stop(&server);
}

/* Redis is the last where it takes part. */
static size_t measure(const bench_options_t *o, bool timing, bool with_redis, served_t out[CONTESTANTS])
{
    static served_t rounds[CONTESTANTS][ROUNDS_MOST];
    size_t count = with_redis ? CONTESTANTS : REDIS;
    for (size_t r = 0; r < o->rounds; r++) {
        for (serve_t what = 0; what < SERVERS; what++)
            throughput_round(what, o, timing, &rounds[what][r]);
        if (with_redis)
            redis_round(o, &rounds[REDIS][r]);
    }
    for (size_t i = 0; i < count; i++)
        MEDIANS(rounds[i], o->rounds, &out[i]);
    return count;
}

static json_t *report(const bench_options_t *o, const char *name)
{
    printf("%s: %zu workers, credit %zu, %zu a message, %zu jobs a round, medians of %zu rounds in turn\n\n", name, o->workers,
           o->credit, o->batch, o->jobs, o->rounds);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "bench", name, "workers", (json_int_t)o->workers, "credit",
                     (json_int_t)o->credit, "batch", (json_int_t)o->batch, "jobs", (json_int_t)o->jobs, "rounds",
                     (json_int_t)o->rounds);
}

static void put_quotient(json_t *json, const char *title, const char *key, double value)
{
    printf("%s: %.2f\n", title, value);
    json_object_set_new(json, key, json_real(value));
}

json_t *bench_throughput(const bench_options_t *o)
{
    served_t f[CONTESTANTS];
    size_t count = measure(o, false, redis_here(), f);
    json_t *json = report(o, "throughput");
    printf("%-24s %12s %9s %22s %12s\n", "", "results/s", "of floor", "server CPU s for 100k", "peak RSS MB");
    for (size_t i = 0; i < count; i++) {
        const char *name = i == REDIS ? "Redis, fsync always" : server_name((serve_t)i);
        double share = f[i].rate / f[SERVE_FLOOR].rate;
        printf("%-24s %12.0f %9.2f %22.3f %12.0f\n", name, f[i].rate, share, f[i].cpu_s, f[i].rss_mb);
        json_object_set_new(json, name,
                            json_pack("{s:f, s:f, s:f, s:f}", "results_per_second", f[i].rate, "of_floor", share,
                                      "cpu_seconds_per_100k", f[i].cpu_s, "rss_mb", f[i].rss_mb));
    }
    printf("\n");
    put_quotient(json, "durable / in memory", "durable_of_memory", f[SERVE_PRFARM].rate / f[SERVE_MEMORY].rate);
    if (count > REDIS)
        put_quotient(json, "prfarm / Redis", "prfarm_of_redis", f[SERVE_PRFARM].rate / f[REDIS].rate);
    return json;
}

json_t *bench_latency(const bench_options_t *o)
{
    served_t f[CONTESTANTS];
    (void)measure(o, true, false, f);
    json_t *json = report(o, "latency");
    printf("%-24s %9s %9s %9s %12s   ms from job to acknowledgement\n", "", "p50", "p99", "p99.9", "results/s");
    for (serve_t what = 0; what < SERVERS; what++) {
        printf("%-24s %9.2f %9.2f %9.2f %12.0f\n", server_name(what), f[what].p50_ms, f[what].p99_ms, f[what].p999_ms,
               f[what].rate);
        json_object_set_new(json, server_name(what),
                            json_pack("{s:f, s:f, s:f, s:f}", "p50_ms", f[what].p50_ms, "p99_ms", f[what].p99_ms, "p999_ms",
                                      f[what].p999_ms, "results_per_second", f[what].rate));
    }
    return json;
}
