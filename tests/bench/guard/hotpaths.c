// SPDX-License-Identifier: Apache-2.0
/* hotpaths.c - what is done for every result and every estimate, one path after another, the same number of times on the same
 * made-up data in every run, so that callgrind counts the same instructions (tests/bench/guard/check).
 *
 *   prfarm-hotpaths            runs each path; under callgrind there is a dump of its name
 *   prfarm-hotpaths --tools    prints what the counts depend on beside the sources: compiler and libraries
 *
 * A path runs once before it is counted: what is done only once (binding names, taking memory that is kept) is not of interest.
 * It leaves everything as it found it. */
#include <gnu/libc-version.h>
#include <math.h>
#include <protobuf-c/protobuf-c.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "base/map.h"
#include "index.h"
#include "scheduler.h"
#include "store.h"
#include "store_value.h"
#include "support/made_model.h"
#include "support/must.h"

enum { FRAMES = 200, BATCH = 16, JOBS = 2000, RECORDS = 2000, KEYS = 10000, LAYERS = 256, FITTED = 200, OWNER = 0, BOARD = 1 };

static prf_digest_t point_of(uint64_t number)
{
    prf_digest_t point;
    prf_digest(&point, &number, sizeof number);
    return point;
}

static prf_block_t block_of(uint64_t number)
{
    prf_block_t block = {.count = 1, .dtype = PRF_F32, .layers = {{.kind = PRF_FC}}};
    block.layers[0].p[PRF_P_N] = 1;
    block.layers[0].p[PRF_P_IN] = 3 + (int32_t)(number * 61 % 4000);
    block.layers[0].p[PRF_P_OUT] = 3 + (int32_t)(number * 389 % 4000);
    return block;
}

static prf_sample_t sample_of(uint64_t number)
{
    double latency = 1000 + (double)(number * 7919 % 100000);
    return (prf_sample_t){.latency_ns = latency,
                          .min_ns = latency * 0.99,
                          .ci_percent = 0.5,
                          .repeats = 5 + (uint32_t)number % 40,
                          .temperature_mc = 45000,
                          .clock_khz = 1500000,
                          .wall_ms = 1700000000000U + number,
                          .busy_ns = (uint64_t)latency * 50};
}

/* -- frames -- */

static prf_job_t jobs[BATCH];
static prf_result_t results[BATCH];
static uint64_t ids[BATCH];
static prf_block_t blocks[BATCH];

static void make_frames(void)
{
    for (size_t i = 0; i < BATCH; i++) {
        ids[i] = 1000 + 2 * i;
        blocks[i] = block_of(i);
        jobs[i] = (prf_job_t){.id = ids[i],
                              .epoch = ids[i] + 1,
                              .point = point_of(i),
                              .attempt = 1,
                              .deadline_ms = 5000,
                              .blocks = &blocks[i],
                              .block_count = 1};
        prf_protocol_default(&jobs[i].protocol);
        results[i] = (prf_result_t){.id = ids[i], .epoch = ids[i] + 1, .point = point_of(i), .attempt = 1, .sample = sample_of(i)};
    }
}

static void encode(const prf_frame_t *frame)
{
    prf_error_t err = {0};
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t *bytes;
        size_t len;
        MUST(!prf_frame_encode(frame, &bytes, &len, &err), "%s", err.text);
        free(bytes);
    }
}

/* Only the decoding is counted. */
static uint8_t *frame_bytes;
static size_t frame_len;

static void make_results(size_t count)
{
    make_frames();
    free(frame_bytes);
    const prf_frame_t frame = {.type = PRF_FRAME_RESULT_BATCH, .u.results = {results, count}};
    MUST(!prf_frame_encode(&frame, &frame_bytes, &frame_len, NULL), "results");
}

static void make_one_result(void)
{
    make_results(1);
}

static void make_many_results(void)
{
    make_results(BATCH);
}

static void decode_results(void)
{
    for (size_t i = 0; i < FRAMES; i++) {
        prf_frame_t frame;
        MUST(!prf_frame_decode(&frame, frame_bytes, frame_len, NULL), "results");
        prf_frame_release(&frame);
    }
}

static void encode_jobs(void)
{
    encode(&(prf_frame_t){.type = PRF_FRAME_JOB_BATCH, .u.jobs = {jobs, BATCH}});
}

static void encode_committed(void)
{
    encode(&(prf_frame_t){.type = PRF_FRAME_COMMITTED, .u.ids = {.items = ids, .count = BATCH}});
}

/* -- the scheduler -- */

static prf_ledger_t *ledger;
static prf_entry_t *entries[JOBS];
static prf_sched_t *sched;
static uint32_t klass;

static void make_scheduler(void)
{
    MUST(!prf_ledger_new(&ledger, NULL), "ledger");
    for (size_t i = 0; i < JOBS; i++) {
        prf_digest_t point = point_of(i);
        MUST(!prf_ledger_reach(ledger, &point, 1, &entries[i], NULL), "ledger");
    }
    MUST(!prf_sched_new(&sched, 2 * JOBS, 100, NULL) && !prf_sched_class(sched, "bench", "made", &klass, NULL) &&
             !prf_sched_join(sched, BOARD, klass, NULL),
         "scheduler");
}

static void schedule(void)
{
    prf_job_t job = {.block_count = 1};
    prf_protocol_default(&job.protocol);
    for (size_t i = 0; i < JOBS; i++) {
        prf_block_t block = block_of(i);
        job.blocks = &block;
        MUST(!prf_sched_add(sched, klass, OWNER, entries[i], &job, NULL), "adding a job");
    }
    for (size_t i = 0; i < JOBS; i++) {
        MUST(prf_sched_next(sched, BOARD, i, 1000, &job), "leasing a job");
        prf_entry_t *entry = prf_ledger_find(ledger, &job.point, job.attempt);
        prf_sched_pace(sched, entry, 5000);
        prf_sched_hold(sched, entry);
        prf_sched_done(sched, entry);
    }
}

/* -- records -- */

static unsigned char values[RECORDS][PRF_VALUE_HEADER + PRF_RECORD_BYTES];
static size_t lengths[RECORDS];

static prf_record_t record_of(uint64_t number)
{
    return (prf_record_t){.point = point_of(number), .attempt = 1, .board = "bench-00001", .sample = sample_of(number)};
}

static void pack_records(void)
{
    unsigned char key[PRF_SEQUENCE];
    for (size_t i = 0; i < RECORDS; i++) {
        prf_record_t record = record_of(i);
        prf_sequence_put(key, i);
        lengths[i] = PRF_VALUE_HEADER + prf_record_encode(&record, values[i] + PRF_VALUE_HEADER);
        prf_value_seal(values[i], lengths[i], PRF_TABLE_RESULT, key, sizeof key, i + 1, false);
    }
}

static void unpack_records(void)
{
    unsigned char key[PRF_SEQUENCE];
    for (size_t i = 0; i < RECORDS; i++) {
        prf_record_t record;
        prf_value_t value;
        prf_sequence_put(key, i);
        MUST(prf_value_unseal(&value, PRF_TABLE_RESULT, key, sizeof key, values[i], lengths[i]) &&
                 !prf_record_decode(&record, value.payload, value.len, NULL),
             "a record");
    }
}

static void index_records(void)
{
    prf_ledger_t *fresh;
    prf_index_t *index;
    MUST(!prf_ledger_new(&fresh, NULL) && !prf_index_new(&index, NULL), "index");
    for (size_t i = 0; i < RECORDS; i++) {
        prf_record_t record = record_of(i);
        prf_entry_t *entry;
        MUST(!prf_ledger_reach(fresh, &record.point, record.attempt, &entry, NULL) && !prf_index_add(index, entry, &record, NULL),
             "index");
    }
    prf_index_destroy(&index);
    prf_ledger_destroy(&fresh);
}

/* -- maps -- */

static prf_digest_t keys[KEYS];

static void make_keys(void)
{
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = point_of(i);
}

static void use_map(void)
{
    prf_map_t map;
    uint64_t value;
    prf_map_init(&map);
    for (size_t i = 0; i < KEYS; i++)
        MUST(!prf_map_put(&map, &keys[i], 1, i, NULL), "map");
    for (size_t i = 0; i < KEYS; i++)
        MUST(prf_map_get(&map, &keys[i], 1, &value) && !prf_map_get(&map, &keys[i], 2, &value), "map");
    for (size_t i = 0; i < KEYS; i++)
        prf_map_remove(&map, &keys[i], 1);
    prf_map_release(&map);
}

/* -- models -- */

static prf_model_t *model;
static const made_sort_t *sort;

static double latency_of(const prf_layer_t *layer)
{
    return (2000 + prf_layer_ops(layer) / 100) * (1 + 0.05 * sin(layer->p[PRF_P_OUT] / 20.0));
}

static void fit_model(void)
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 3, .hi = 4096, .log = true};
    prf_model_destroy(&model);
    model = made_model("bench", 1);
    prf_space_t *space = &model->parts[0].space;
    *space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32, .max_macs = 1e10};
    space->dims[PRF_P_IN] = space->dims[PRF_P_OUT] = size;
    made_part(&model->parts[0], sort, latency_of, FITTED);
}

static void estimate(void)
{
    prf_estimate_t answer;
    for (size_t i = 0; i < LAYERS; i++) {
        prf_block_t block = block_of(i);
        MUST(!prf_model_estimate(model, &block, NULL, &answer, NULL), "%s", sort->name);
    }
}

/* -- all of them -- */

static void count(const char *name, void (*set_up)(void), void (*run)(void))
{
    if (set_up)
        set_up();
    run();
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    run();
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
}

static void count_models(void)
{
    char name[64];
    for (size_t s = 0; s < MADE_SORTS; s++) {
        sort = &made_sorts[s];
        snprintf(name, sizeof name, "fit-%s", sort->name);
        count(name, NULL, fit_model);
        snprintf(name, sizeof name, "estimate-%s", sort->name);
        count(name, NULL, estimate);
    }
    prf_model_destroy(&model);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--tools") == 0) {
        printf("compiler %s, glibc %s, libsodium %s, libprotobuf-c %s\n", __VERSION__, gnu_get_libc_version(),
               sodium_version_string(), protobuf_c_version());
        return 0;
    }
    count("decode-results-1", make_one_result, decode_results);
    count("decode-results-16", make_many_results, decode_results);
    count("encode-jobs-16", make_frames, encode_jobs);
    count("encode-committed-16", make_frames, encode_committed);
    count("schedule", make_scheduler, schedule);
    count("pack-records", NULL, pack_records);
    count("unpack-records", NULL, unpack_records);
    count("index-records", NULL, index_records);
    count("map", make_keys, use_map);
    count_models();
    prf_sched_destroy(&sched);
    prf_ledger_destroy(&ledger);
    free(frame_bytes);
    return 0;
}
