// SPDX-License-Identifier: Apache-2.0
/* forest.c - our forest beside scikit-learn's, which the paper used: how long growing takes and how well it predicts rows that it
 * has not seen; and how fast the grown forest answers.
 *
 * Both see the same made-up rows: a smooth function of some features, tiles of others, noise, and features that do not matter.
 * scikit-learn runs in one python process (sklearn_peer.py) that loads everything before anything is timed, and times itself.
 * Rounds are taken in turn. Without python3 or scikit-learn only our own figures are told. */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/order.h"
#include "base/process.h"
#include "base/rng.h"
#include "bench.h"
#include "model/grow.h"
#include "swarm.h"

enum { HELD_OUT = 2000, OURS = 2, PEERS = 3, SINGLES = 50, PATH = 256, START_MS = 60000, ANSWER_MS = 600000, ANSWER_ROUNDS = 20 };

/* The paper's forest, as in common/model/regressor.c, and one that looks at all features for each split, as scikit-learn's does
 * unless it is told otherwise. */
static const prf_growth_t growths[OURS] = {
    {.members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1},
    {.members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 1, .min_leaf = 1}};
static const char *const titles[OURS] = {"prfarm, a third of the features", "prfarm, all features"};

/* Names in sklearn_peer.py, and for people. */
static const char *const peer_names[PEERS] = {"forest-third", "forest", "boosted"};
static const char *const peer_titles[PEERS] = {"RandomForest, max_features=0.34", "RandomForest", "HistGradientBoosting"};

typedef struct {
    size_t rows, features;
    float *table; /* owned, as is target: rows + HELD_OUT of them */
    double *target;
} data_t;

typedef struct {
    prf_process_t process; /* pid 0: there is no scikit-learn */
    char version[64];
} peer_process_t;

static double target_of(const float *x, size_t features, prf_rng_t *rng)
{
    double at[6];
    for (size_t i = 0; i < 6; i++)
        at[i] = (double)x[i % features];
    double smooth = 2 * sin(3 * at[0]) + at[1] * at[1] + at[2] * at[3];
    double tiles = 0.5 * ceil(8 * at[4]) * ceil(4 * at[5]);
    return smooth + tiles / 4 + 0.1 * prf_rng_normal(rng);
}

static void data_init(data_t *data, size_t rows, size_t features)
{
    size_t all = rows + HELD_OUT;
    prf_rng_t rng;
    prf_rng_init(&rng, 1, prf_rng_stream("forest bench"));
    *data = (data_t){rows, features, malloc(all * features * sizeof(float)), malloc(all * sizeof(double))};
    if (!data->table || !data->target)
        die("rows", "out of memory");
    for (size_t i = 0; i < all; i++) {
        float *row = data->table + i * features;
        for (size_t f = 0; f < features; f++)
            row[f] = (float)prf_rng_double(&rng);
        data->target[i] = target_of(row, features, &rng);
    }
}

static void data_release(data_t *data)
{
    free(data->table);
    free(data->target);
}

static const float *unseen(const data_t *data, size_t i)
{
    return data->table + (data->rows + i) * data->features;
}

static void data_write(const data_t *data, const char *path)
{
    size_t all = data->rows + HELD_OUT;
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(data->table, sizeof *data->table, all * data->features, out) != all * data->features ||
        fwrite(data->target, sizeof *data->target, all, out) != all || fclose(out))
        die(path, "cannot be written");
}

/* One line of what the peer prints. False: there is none within the time. */
static bool peer_hear(peer_process_t *peer, char *line, size_t cap, int wait_ms)
{
    size_t len = 0;
    while (len + 1 < cap) {
        struct pollfd fd = {.fd = peer->process.out, .events = POLLIN};
        if (poll(&fd, 1, wait_ms) <= 0 || read(peer->process.out, line + len, 1) != 1)
            return false;
        if (line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
    return true;
}

/* The first interpreter that has scikit-learn. */
static void peer_start(peer_process_t *peer, const data_t *data, const char *file)
{
    static const char script[] = PRF_BENCH_DIR "/sklearn_peer.py";
    static const char *const interpreters[] = {"python3", "/usr/bin/python3"};
    char rows[32], held_out[32], features[32], line[128];
    snprintf(rows, sizeof rows, "%zu", data->rows);
    snprintf(held_out, sizeof held_out, "%d", HELD_OUT);
    snprintf(features, sizeof features, "%zu", data->features);
    for (size_t i = 0; i < sizeof interpreters / sizeof *interpreters; i++) {
        const char *const argv[] = {interpreters[i], script, file, rows, held_out, features, NULL};
        const prf_process_options_t options = {.pipes = true, .log = "/dev/null"};
        if (prf_process_start(&peer->process, argv, &options, NULL))
            continue;
        if (peer_hear(peer, line, sizeof line, START_MS) && sscanf(line, "ready %63s", peer->version) == 1)
            return;
        prf_process_stop(&peer->process, 0);
    }
    *peer = (peer_process_t){.process = {.pid = 0}};
    fprintf(stderr, "prfarm-bench: SKIPPED scikit-learn: no python3 here has it (apt-get install python3-sklearn)\n");
}

/* What growing a forest took: seconds on the clock and of the processors; and the error on rows held out. */
typedef struct {
    double seconds, busy, rmse;
} growing_t;

/* Seconds; and more of what "fit" tells. */
static double peer_ask(peer_process_t *peer, growing_t *out, const char *format, const char *name)
{
    char line[128];
    growing_t told;
    int len = snprintf(line, sizeof line, format, name);
    if (write(peer->process.in, line, (size_t)len) != len || !peer_hear(peer, line, sizeof line, ANSWER_MS) ||
        sscanf(line, "%lf %lf %lf", &told.seconds, &told.busy, &told.rmse) != 3)
        die("scikit-learn", "it has ended");
    if (out)
        *out = told;
    return told.seconds;
}

static double seconds_since(uint64_t began)
{
    return (double)(prf_clock_mono_ns() - began) / 1e9;
}

/* Of all threads of this process. */
static double busy_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void grow(prf_ensemble_t *out, const data_t *data, const prf_growth_t *growth, growing_t *took)
{
    prf_bins_t bins;
    prf_error_t err = {0};
    uint64_t began = prf_clock_mono_ns();
    double began_busy = busy_seconds();
    if (prf_bins_init(&bins, data->table, data->rows, data->features, &err) ||
        prf_ensemble_fit(out, &bins, data->table, data->features, data->target, growth, 1, 0, &err))
        die("our forest", err.text);
    prf_bins_release(&bins);
    took->seconds = seconds_since(began);
    took->busy = busy_seconds() - began_busy;
}

static double error_of(const prf_ensemble_t *forest, const data_t *data)
{
    double squares = 0, mean, spread;
    for (size_t i = 0; i < HELD_OUT; i++) {
        prf_ensemble_predict(forest, unseen(data, i), &mean, &spread);
        squares += (mean - data->target[data->rows + i]) * (mean - data->target[data->rows + i]);
    }
    return sqrt(squares / HELD_OUT);
}

/* The rows, and the python process that knows them. */
static void set_up(data_t *data, peer_process_t *peer, const bench_options_t *o)
{
    char file[PATH];
    data_init(data, o->rows, o->features);
    snprintf(file, sizeof file, "%.200s/prfarm-bench-rows-%d", o->scratch, (int)getpid());
    data_write(data, file);
    peer_start(peer, data, file);
    unlink(file);
}

static void tear_down(data_t *data, peer_process_t *peer)
{
    if (peer->process.pid)
        prf_process_stop(&peer->process, 0);
    data_release(data);
}

static json_t *report(const char *name, const bench_options_t *o, const peer_process_t *peer)
{
    printf("%s: %zu rows of %zu features, %d held out, medians of %zu rounds in turn; scikit-learn %s\n\n", name, o->rows,
           o->features, HELD_OUT, o->rounds, peer->process.pid ? peer->version : "is not here");
    return json_pack("{s:s, s:I, s:I, s:I, s:s}", "bench", name, "rows", (json_int_t)o->rows, "features", (json_int_t)o->features,
                     "rounds", (json_int_t)o->rounds, "sklearn", peer->version);
}

static void grow_and_judge(growing_t *out, const data_t *data, const prf_growth_t *growth)
{
    prf_ensemble_t forest;
    grow(&forest, data, growth, out);
    out->rmse = error_of(&forest, data);
    prf_ensemble_release(&forest);
}

static void median(growing_t *out, const growing_t *rounds, size_t count)
{
    double seconds[ROUNDS_MOST], busy[ROUNDS_MOST];
    for (size_t r = 0; r < count; r++) {
        seconds[r] = rounds[r].seconds;
        busy[r] = rounds[r].busy;
    }
    *out = (growing_t){prf_median(seconds, count), prf_median(busy, count), rounds[0].rmse};
}

/* `ours`: our forest that looks at as many features. */
static void put_growing(json_t *json, const char *title, const growing_t *g, const growing_t *ours)
{
    printf("%-32s %10.3f %10.3f %10.4f %12.2f %12.2f\n", title, g->seconds, g->busy, g->rmse, g->seconds / ours->seconds,
           g->busy / ours->busy);
    json_object_set_new(json, title,
                        json_pack("{s:f, s:f, s:f, s:f, s:f}", "seconds", g->seconds, "cpu_seconds", g->busy, "rmse", g->rmse,
                                  "seconds_of_ours", g->seconds / ours->seconds, "cpu_of_ours", g->busy / ours->busy));
}

json_t *bench_train(const bench_options_t *o)
{
    static growing_t ours[OURS][ROUNDS_MOST], theirs[PEERS][ROUNDS_MOST];
    growing_t our_median[OURS], their_median;
    data_t data;
    peer_process_t peer = {.process = {.pid = 0}};
    set_up(&data, &peer, o);
    for (size_t r = 0; r < o->rounds; r++) {
        for (size_t i = 0; i < OURS; i++)
            grow_and_judge(&ours[i][r], &data, &growths[i]);
        for (size_t p = 0; p < PEERS && peer.process.pid; p++)
            (void)peer_ask(&peer, &theirs[p][r], "fit %s\n", peer_names[p]);
    }
    json_t *json = report("train", o, &peer);
    printf("%-32s %10s %10s %10s %12s %12s   all cores\n", "", "seconds", "CPU s", "RMSE", "s of ours", "CPU of ours");
    for (size_t i = 0; i < OURS; i++) {
        median(&our_median[i], ours[i], o->rounds);
        put_growing(json, titles[i], &our_median[i], &our_median[i]);
    }
    for (size_t p = 0; p < PEERS && peer.process.pid; p++) {
        median(&their_median, theirs[p], o->rounds);
        put_growing(json, peer_titles[p], &their_median, &our_median[p < OURS ? p : 0]);
    }
    tear_down(&data, &peer);
    return json;
}

static volatile double kept; /* answers go here, so that none is left out */

/* Seconds for all rows held out, at once or row by row. */
static double answer(const prf_ensemble_t *forest, const data_t *data, bool one_by_one)
{
    static double means[HELD_OUT], spreads[HELD_OUT];
    const float *rows[HELD_OUT];
    for (size_t i = 0; i < HELD_OUT; i++)
        rows[i] = unseen(data, i);
    uint64_t began = thread_ns();
    for (size_t r = 0; r < ANSWER_ROUNDS; r++) {
        for (size_t i = 0; one_by_one && i < HELD_OUT; i++)
            prf_ensemble_predict(forest, rows[i], &means[i], &spreads[i]);
        if (!one_by_one)
            prf_ensemble_predict_many(forest, rows, HELD_OUT, means, spreads);
        kept = means[r];
    }
    return (double)(thread_ns() - began) / 1e9 / ANSWER_ROUNDS;
}

static void put_answers(json_t *json, const char *title, double batch, double single, double ours)
{
    double rate = HELD_OUT / batch;
    printf("%-32s %14.0f %14.2f %10.2f\n", title, rate, single * 1e6, ours / rate);
    json_object_set_new(json, title,
                        json_pack("{s:f, s:f, s:f}", "rows_per_second", rate, "single_us", single * 1e6, "slower", ours / rate));
}

json_t *bench_predict(const bench_options_t *o)
{
    static double our_batch[ROUNDS_MOST], our_single[ROUNDS_MOST], batch[PEERS][ROUNDS_MOST], single[PEERS][ROUNDS_MOST];
    data_t data;
    prf_ensemble_t forest;
    peer_process_t peer = {.process = {.pid = 0}};
    set_up(&data, &peer, o);
    growing_t ignored;
    grow(&forest, &data, &growths[0], &ignored);
    for (size_t p = 0; p < PEERS && peer.process.pid; p++)
        (void)peer_ask(&peer, NULL, "fit %s\n", peer_names[p]);
    for (size_t r = 0; r < o->rounds; r++) {
        our_batch[r] = answer(&forest, &data, false);
        our_single[r] = answer(&forest, &data, true) / HELD_OUT;
        for (size_t p = 0; p < PEERS && peer.process.pid; p++) {
            batch[p][r] = peer_ask(&peer, NULL, "batch %s\n", peer_names[p]);
            single[p][r] = peer_ask(&peer, NULL, "single %s 50\n", peer_names[p]) / SINGLES;
        }
    }
    json_t *json = report("predict", o, &peer);
    double seconds = prf_median(our_batch, o->rounds);
    printf("%-32s %14s %14s %10s   one core, its own time\n", "", "rows/s", "us, one row", "slower");
    put_answers(json, titles[0], seconds, prf_median(our_single, o->rounds), HELD_OUT / seconds);
    for (size_t p = 0; p < PEERS && peer.process.pid; p++)
        put_answers(json, peer_titles[p], prf_median(batch[p], o->rounds), prf_median(single[p], o->rounds), HELD_OUT / seconds);
    prf_ensemble_release(&forest);
    tear_down(&data, &peer);
    return json;
}
