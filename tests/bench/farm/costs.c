// SPDX-License-Identifier: Apache-2.0
/* costs.c - floors of three sorts. A server has floor.c. A start on a full store has a bare LMDB that gives as many values of that
 * size and checks the sum of each. What only computes has a loop that looks things up in a table as large as a second-level cache,
 * multiplies, adds and divides: no machine is so much better at the one than at the other that it would look like a loss.
 *
 * Time is the processor's wherever nothing waits for a disk, since it hardly knows of neighbours. Of latencies the tenth percentile
 * counts: with two neighbours on two cores the median came to 13 times its value, the tenth percentile stayed. */
#include "costs.h"

#include <lmdb.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "support/made_model.h"
#include "swarm.h"
#include "throughput.h"

enum { FLOOR_JOBS = 4 /* times ours: it is that much faster */, VALUE = 121, SCANS = 10 };
enum { TABLE = 1 << 16, STEPS = 1 << 21, LAYERS = 64, FITTED = 300, CALLS = 20 };

static volatile double kept; /* answers go here, so that none is left out */

/* -- servers -- */

void throughput_costs(const bench_options_t *o, costs_t costs[COSTS_MOST])
{
    served_t floor, ours;
    bench_options_t more = *o;
    more.jobs *= FLOOR_JOBS;
    throughput_round(SERVE_FLOOR, &more, false, &floor);
    throughput_round(SERVE_PRFARM, o, false, &ours);
    costs[0] = (costs_t){1 / floor.rate, 1 / ours.rate};
    costs[1] = (costs_t){floor.cpu_s, ours.cpu_s};
}

void latency_costs(const bench_options_t *o, costs_t costs[COSTS_MOST])
{
    served_t floor, ours;
    throughput_round(SERVE_FLOOR, o, true, &floor);
    throughput_round(SERVE_PRFARM, o, true, &ours);
    costs[0] = (costs_t){floor.p10_ms, ours.p10_ms};
}

/* -- a store -- */

static void check(int rc, const char *what)
{
    if (rc)
        die(what, mdb_strerror(rc));
}

static void fill(MDB_env *env, MDB_dbi *table, size_t count)
{
    MDB_txn *txn;
    unsigned char key[8], bytes[VALUE] = {0};
    check(mdb_txn_begin(env, NULL, 0, &txn), "a bare store");
    check(mdb_dbi_open(txn, NULL, 0, table), "a bare store");
    for (size_t n = 0; n < count; n++) {
        for (int i = 0; i < 8; i++)
            key[i] = (unsigned char)(n >> (56 - 8 * i));
        memcpy(bytes, key, sizeof key);
        check(mdb_put(txn, *table, &(MDB_val){sizeof key, key}, &(MDB_val){sizeof bytes, bytes}, MDB_APPEND), "a bare store");
    }
    check(mdb_txn_commit(txn), "a bare store");
}

static void scan(MDB_env *env, MDB_dbi table)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    uLong sum = 0;
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "a bare store");
    check(mdb_cursor_open(txn, table, &cursor), "a bare store");
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
        sum = crc32(sum, value.mv_data, (uInt)value.mv_size);
    kept = (double)sum;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static double scan_seconds(const char *scratch, size_t count)
{
    MDB_env *env;
    MDB_dbi table;
    char path[256], lock[300];
    snprintf(path, sizeof path, "%.200s/prfarm-bench-bare-%d", scratch, (int)getpid());
    check(mdb_env_create(&env), path);
    check(mdb_env_set_mapsize(env, (size_t)8 << 30), path);
    check(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC, 0600), path);
    fill(env, &table, count);
    uint64_t began = thread_ns();
    for (int i = 0; i < SCANS; i++)
        scan(env, table);
    double seconds = (double)(thread_ns() - began) / 1e9 / SCANS;
    mdb_env_close(env);
    snprintf(lock, sizeof lock, "%s-lock", path);
    unlink(lock);
    unlink(path);
    return seconds;
}

void resume_costs(const bench_options_t *o, costs_t costs[COSTS_MOST])
{
    double floor = scan_seconds(o->scratch, o->results);
    json_t *ours = bench_resume(o);
    costs[0] = (costs_t){floor, json_real_value(json_object_get(ours, "cpu_seconds"))};
    json_decref(ours);
}

/* -- models -- */

static double plain_seconds(void)
{
    static double table[TABLE];
    uint64_t at = 1, began = thread_ns();
    double sum = 1;
    for (size_t i = 0; i < TABLE; i++)
        table[i] = 1 + (double)i / TABLE;
    for (size_t i = 0; i < STEPS; i++) {
        at = at * 6364136223846793005U + 1442695040888963407U;
        sum = (sum * 0.5 + table[at >> 48]) / (1 + sum * 1e-9);
    }
    kept = sum;
    return (double)(thread_ns() - began) / 1e9;
}

static double latency_of(const prf_layer_t *layer)
{
    return (2000 + prf_layer_ops(layer) / 100) * (1 + 0.05 * sin(layer->p[PRF_P_OUT] / 20.0));
}

static double fitting_seconds(prf_model_t *const models[MADE_SORTS])
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 3, .hi = 4096, .log = true};
    uint64_t began = thread_ns();
    for (size_t s = 0; s < MADE_SORTS; s++) {
        prf_space_t *space = &models[s]->parts[0].space;
        *space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32, .max_macs = 1e10};
        space->dims[PRF_P_IN] = space->dims[PRF_P_OUT] = size;
        made_part(&models[s]->parts[0], &made_sorts[s], latency_of, FITTED);
    }
    return (double)(thread_ns() - began) / 1e9;
}

static double asking_seconds(prf_model_t *const models[MADE_SORTS])
{
    prf_estimate_t e;
    prf_block_t block = {.count = 1, .dtype = PRF_F32, .layers = {{.kind = PRF_FC, .p[PRF_P_N] = 1}}};
    uint64_t began = thread_ns();
    for (size_t call = 0; call < (size_t)CALLS * LAYERS; call++) {
        block.layers[0].p[PRF_P_IN] = 3 + (int32_t)(call * 61 % 4000);
        block.layers[0].p[PRF_P_OUT] = 3 + (int32_t)(call * 389 % 4000);
        for (size_t s = 0; s < MADE_SORTS; s++) {
            if (prf_model_estimate(models[s], &block, NULL, &e, NULL))
                die(made_sorts[s].name, "it does not answer");
            kept = e.latency_ns;
        }
    }
    return (double)(thread_ns() - began) / 1e9;
}

void model_costs(const bench_options_t *o, costs_t costs[COSTS_MOST])
{
    (void)o;
    prf_model_t *models[MADE_SORTS];
    for (size_t s = 0; s < MADE_SORTS; s++)
        models[s] = made_model("bench", 1);
    double plain = plain_seconds();
    costs[0] = (costs_t){plain, fitting_seconds(models)};
    costs[1] = (costs_t){plain, asking_seconds(models)};
    for (size_t s = 0; s < MADE_SORTS; s++)
        prf_model_destroy(&models[s]);
}
