// SPDX-License-Identifier: Apache-2.0
/* resume.c - how long a coordinator takes from its start on a store that is full of results: until it is ready, and until the first
 * job is out at a board. The results are those of an earlier campaign, with the plan that tells what they are; the campaign that is
 * running needs none of them.
 *
 * The store is made once. A real coordinator begins it, gets the campaign and pins it to the boards' runtime; then it is halted,
 * the results are put beside that with the coordinator's own store library, and each round starts a coordinator on it and kills it.
 * The file is in the page cache. Boards take long for a job, so that no round adds results. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/order.h"
#include "base/rng.h"
#include "bench.h"
#include "fill.h"
#include "plan.h"
#include "server.h"
#include "swarm.h"

enum { JOB_MS = 120000, ROUNDS_JOB_NS = 2000000000, SAMPLES = 100000 };
#define OLD_CAMPAIGN "before"

typedef struct {
    double ready_s, job_s, rss_mb, cpu_s;
} figures_t;

typedef struct {
    double results, whole; /* bytes a result: the results alone, and with their plan */
} sizes_t;

static double file_bytes(const server_t *server)
{
    char folder[200], path[256];
    struct stat info;
    server_store(server, folder, sizeof folder);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    if (stat(path, &info) != 0)
        die(path, "cannot be looked at");
    return (double)info.st_size;
}

static prf_digest_t point_of(uint64_t number)
{
    prf_digest_t point;
    prf_digest(&point, &number, sizeof number);
    return point;
}

/* The layer that the old campaign asked for with this number. */
static prf_block_t block_of(uint64_t number)
{
    prf_block_t block = {.count = 1, .dtype = PRF_F32};
    prf_layer_t *layer = &block.layers[0];
    layer->kind = PRF_FC;
    layer->p[PRF_P_IN] = 1 + (int32_t)(number * 2654435761U % 4096);
    layer->p[PRF_P_OUT] = 1 + (int32_t)(number / 7 * 40503U % 4096);
    return block;
}

/* -- the store -- */

static void put_record(fill_t *fill, const bench_options_t *o, uint64_t number, prf_rng_t *rng)
{
    prf_block_t block = block_of(number);
    double latency = (1000 + prf_layer_ops(&block.layers[0]) / 100) * (1 + 0.01 * prf_rng_double(rng));
    prf_record_t record = {.point = point_of(number), .attempt = 1};
    snprintf(record.board, sizeof record.board, "bench-%05zu", (size_t)(number % o->boards));
    record.sample = (prf_sample_t){.latency_ns = latency,
                                   .min_ns = latency * 0.99,
                                   .ci_percent = 0.2 + prf_rng_double(rng),
                                   .repeats = 5 + (uint32_t)prf_rng_below(rng, 40),
                                   .temperature_mc = 45000 + (uint32_t)prf_rng_below(rng, 20000),
                                   .clock_khz = 1500000,
                                   .load_percent = (uint32_t)prf_rng_below(rng, 5),
                                   .wall_ms = prf_clock_wall_ms(),
                                   .busy_ns = (uint64_t)(latency * 50)};
    fill_record(fill, &record);
}

static void put_page(fill_t *fill, prf_plan_page_t *page)
{
    if (!prf_plan_page_whole(page))
        die("the plan", "out of memory");
    if (page->count > 0)
        fill_value(fill, PRF_TABLE_DECISION, page->key, prf_text_get(&page->value), page->value.len);
    prf_plan_page_clear(page);
}

/* As campaign.c writes it: whole pages, one behind the other. */
static void put_plan(fill_t *fill, size_t results)
{
    prf_plan_page_t page = {0};
    prf_text_t blocks = {0};
    for (uint64_t i = 0; i < results; i++) {
        prf_block_t block = block_of(i);
        const char *text = prf_plan_blocks(&blocks, &block, 1);
        if (!text)
            die("the plan", "out of memory");
        prf_plan_page_add(
            &page,
            &(prf_planned_t){
                .point = point_of(i), .attempt = 1, .campaign = OLD_CAMPAIGN, .kind = "bench", .role = "random", .blocks = text});
        if (page.value.len >= PRF_PLAN_PAGE_BYTES)
            put_page(fill, &page);
    }
    put_page(fill, &page);
    prf_plan_page_release(&page);
    prf_text_release(&blocks);
}

static swarm_t *boards(const server_t *server, const bench_options_t *o)
{
    const load_t load = {.workers = o->boards, .credit = 1, .batch = 1, .job_ns = ROUNDS_JOB_NS};
    return swarm_new(server->workers, &load, &play_worker);
}

static void make_store(server_t *server, const bench_options_t *o, sizes_t *sizes)
{
    fill_t fill;
    prf_rng_t rng;
    server_start(server, SERVE_PRFARM, o->scratch);
    server_submit(server, SAMPLES);
    swarm_t *swarm = boards(server, o);
    if (!swarm_play(swarm, &swarm_counts(swarm)->jobs, o->boards, JOB_MS))
        die("the store", "its campaign does not get going");
    swarm_destroy(swarm);
    server_halt(server);
    double empty = file_bytes(server);
    prf_rng_init(&rng, 1, 0);
    fill_begin(&fill, server);
    for (uint64_t i = 0; i < o->results; i++)
        put_record(&fill, o, i, &rng);
    fill_settle(&fill);
    sizes->results = (file_bytes(server) - empty) / (double)o->results;
    put_plan(&fill, o->results);
    fill_end(&fill);
    sizes->whole = (file_bytes(server) - empty) / (double)o->results;
}

/* -- a round -- */

static void check_results(const server_t *server, const bench_options_t *o)
{
    json_t *status = server_call(server, "status", json_object());
    json_int_t known = json_integer_value(json_object_get(json_object_get(status, "coordinator"), "results"));
    if (known < (json_int_t)o->results)
        die("the store", "the coordinator does not know all of its results");
    json_decref(status);
}

static void run(server_t *server, const bench_options_t *o, figures_t *out)
{
    usage_t usage;
    uint64_t began = prf_clock_mono_ns();
    server_resume(server);
    out->ready_s = (double)(prf_clock_mono_ns() - began) / 1e9;
    swarm_t *swarm = boards(server, o);
    if (!swarm_play(swarm, &swarm_counts(swarm)->jobs, 1, JOB_MS))
        die("resume", "no job comes");
    out->job_s = (double)(prf_clock_mono_ns() - began) / 1e9;
    server_usage(server, &usage);
    out->rss_mb = usage.rss_mb;
    out->cpu_s = usage.cpu_s;
    check_results(server, o);
    swarm_destroy(swarm);
    server_halt(server);
}

json_t *bench_resume(const bench_options_t *o)
{
    static figures_t rounds[ROUNDS_MOST];
    figures_t f;
    server_t server;
    sizes_t sizes;
    printf("resume: a store of %zu results of %zu boards, medians of %zu starts\n\n", o->results, o->boards, o->rounds);
    fflush(stdout);
    make_store(&server, o, &sizes);
    for (size_t r = 0; r < o->rounds; r++)
        run(&server, o, &rounds[r]);
    server_stop(&server);
    MEDIANS(rounds, o->rounds, &f);
    printf("%-34s %9.2f\n%-34s %9.2f\n%-34s %9.2f\n", "ready, s", f.ready_s, "first job at a board, s", f.job_s,
           "CPU until then, s", f.cpu_s);
    printf("%-34s %9.0f   (%.0f bytes a result)\n", "peak RSS, MB", f.rss_mb, f.rss_mb * (1 << 20) / (double)o->results);
    printf("%-34s %9.1f\n%-34s %9.1f\n", "data.mdb, bytes a result", sizes.results, "  with their plan", sizes.whole);
    return json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "bench", "resume", "results", (json_int_t)o->results,
                     "boards", (json_int_t)o->boards, "rounds", (json_int_t)o->rounds, "ready_seconds", f.ready_s,
                     "first_job_seconds", f.job_s, "cpu_seconds", f.cpu_s, "rss_mb", f.rss_mb, "bytes_a_result", sizes.results,
                     "bytes_a_result_with_plan", sizes.whole);
}
