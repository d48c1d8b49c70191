// SPDX-License-Identifier: Apache-2.0
/* utilisation.c - the share of the boards' time in which they measure. A played board takes the same time for each job and needs
 * none between two, so what is missing is time in which it had nothing to do.
 *
 * Two farms in turn. In the *steady* one a single campaign has layers for all, and the share is taken between the first tenth of
 * the jobs and the end. In the *whole* one ten small campaigns, one after the other, sweep, sample, train and publish a model,
 * which the boards fetch, and a large one takes what they leave; the share is taken from the first job on any board to the end of
 * the last small campaign. Campaigns take turns at the boards; the small ones wait paused for theirs, so that one comes
 * after the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/order.h"
#include "bench.h"
#include "server.h"
#include "swarm.h"

enum { ROUND_MS = 300000, SLICE_MS = 20, LOOK_MS = 20, SMALL_CAMPAIGNS = 10, SMALL_SAMPLES = 400, LARGE = 1600000 };

typedef struct {
    double steady, steady_rate;          /* share, jobs a second */
    double whole, whole_s, models, rate; /* share, time, versions published, jobs a second */
} figures_t;

static swarm_t *start(server_t *server, const bench_options_t *o)
{
    const load_t load = {
        .workers = o->boards, .credit = (uint32_t)o->credit, .batch = (uint32_t)o->batch, .job_ns = (uint64_t)o->job_us * 1000};
    swarm_t *swarm = swarm_new(server->workers, &load, &play_worker);
    swarm_tune_in(swarm, server->broadcast);
    return swarm;
}

static double share_of(const bench_options_t *o, uint64_t busy_ns, uint64_t elapsed_ns)
{
    return (double)busy_ns / ((double)o->boards * (double)elapsed_ns);
}

static void run_steady(const bench_options_t *o, figures_t *out)
{
    server_t server;
    server_start(&server, SERVE_PRFARM, o->scratch);
    server_order(&server, &(order_t){.name = "bench", .seed = 1, .samples = SMALL_SAMPLES, .validation = 2 * o->jobs});
    swarm_t *swarm = start(&server, o);
    const counts_t *counts = swarm_counts(swarm);
    if (!swarm_play(swarm, &counts->durable, o->jobs / 10, ROUND_MS))
        die("steady", "it does not get going");
    uint64_t busy = counts->busy_ns, done = counts->durable, began = prf_clock_mono_ns();
    if (!swarm_play(swarm, &counts->durable, o->jobs, ROUND_MS))
        die("steady", "it came to a stop");
    uint64_t elapsed = prf_clock_mono_ns() - began;
    out->steady = share_of(o, counts->busy_ns - busy, elapsed);
    out->steady_rate = (double)(counts->durable - done) * 1e9 / (double)elapsed;
    swarm_destroy(swarm);
    server_stop(&server);
}

/* -- whether the small campaigns are over, found out beside the load -- */

typedef struct {
    const server_t *server;
    atomic_bool over, stop;
    json_int_t models; /* versions published; once it is over */
} watch_t;

static size_t count_done(const server_t *server)
{
    json_t *status = server_call(server, "status", json_object()), *campaign;
    size_t i, done = 0;
    json_array_foreach(json_object_get(status, "campaigns"), i, campaign)
    {
        const char *state = json_string_value(json_object_get(campaign, "state"));
        const char *name = json_string_value(json_object_get(campaign, "name"));
        if (state && strcmp(state, "failed") == 0)
            die(name, "it failed");
        done += name && state && strncmp(name, "small", strlen("small")) == 0 && strcmp(state, "done") == 0;
        if (name && state && strcmp(name, "large") == 0 && strcmp(state, "running") != 0)
            die(name, "it was over before the small ones: fewer boards, or more time for a job");
    }
    json_decref(status);
    return done;
}

static json_int_t count_models(const server_t *server)
{
    json_t *models = server_call(server, "models", json_pack("{s:s, s:i}", "kind", "bench", "after", 0));
    json_int_t count = (json_int_t)json_array_size(json_object_get(models, "models"));
    json_decref(models);
    return count;
}

static void order_small(const server_t *server, const char *op, size_t number)
{
    char name[16];
    snprintf(name, sizeof name, "small-%zu", number);
    json_decref(server_call(server, op, json_pack("{s:s}", "campaign", name)));
}

static void *watch(void *arg)
{
    watch_t *w = arg;
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    size_t turn = 1, done = 0;
    for (; !atomic_load(&w->stop) && done < SMALL_CAMPAIGNS; done = count_done(w->server)) {
        if (done == turn)
            order_small(w->server, "resume", ++turn);
        nanosleep(&pause, NULL);
    }
    w->models = count_models(w->server);
    atomic_store(&w->over, true);
    return NULL;
}

static void submit_all(const server_t *server)
{
    for (unsigned i = 1; i <= SMALL_CAMPAIGNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "small-%u", i);
        server_order(
            server,
            &(order_t){.name = name, .seed = i, .samples = SMALL_SAMPLES, .validation = SMALL_SAMPLES / 10, .sweeps = true});
        if (i > 1)
            order_small(server, "pause", i);
    }
    server_order(server, &(order_t){.name = "large", .seed = SMALL_CAMPAIGNS + 1, .samples = SMALL_SAMPLES, .validation = LARGE});
}

static void run_whole(const bench_options_t *o, figures_t *out)
{
    server_t server;
    pthread_t thread;
    server_start(&server, SERVE_PRFARM, o->scratch);
    submit_all(&server);
    swarm_t *swarm = start(&server, o);
    const counts_t *counts = swarm_counts(swarm);
    if (!swarm_play(swarm, &counts->jobs, 1, ROUND_MS))
        die("whole", "it does not get going");
    uint64_t began = prf_clock_mono_ns(), elapsed = 0;
    watch_t w = {.server = &server};
    if (pthread_create(&thread, NULL, watch, &w) != 0)
        die("whole", "no thread");
    while (!atomic_load(&w.over) && elapsed < (uint64_t)ROUND_MS * 1000000) {
        swarm_play(swarm, NULL, 0, SLICE_MS);
        elapsed = prf_clock_mono_ns() - began;
    }
    bool over = atomic_load(&w.over);
    out->whole = share_of(o, counts->busy_ns, elapsed);
    out->whole_s = (double)elapsed / 1e9;
    out->rate = (double)counts->durable / out->whole_s;
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    out->models = (double)w.models;
    if (!over)
        die("whole", "the small campaigns come to no end");
    swarm_destroy(swarm);
    server_stop(&server);
}

json_t *bench_utilisation(const bench_options_t *o)
{
    static figures_t rounds[ROUNDS_MOST];
    figures_t f;
    printf("utilisation: %zu boards, %zu us a job, credit %zu, %zu a message, %zu jobs, medians of %zu rounds\n\n", o->boards,
           o->job_us, o->credit, o->batch, o->jobs, o->rounds);
    fflush(stdout);
    for (size_t r = 0; r < o->rounds; r++) {
        run_steady(o, &rounds[r]);
        run_whole(o, &rounds[r]);
    }
    MEDIANS(rounds, o->rounds, &f);
    double asked = (double)o->boards * 1e6 / (double)o->job_us;
    printf("%-34s %9s %9s %12s %14s %9s\n", "", "measuring", "goal", "results/s", "boards' pace", "seconds");
    printf("%-34s %8.2f%% %9s %12.0f %14.0f\n", "steady", 100 * f.steady, ">= 99%", f.steady_rate, asked);
    printf("%-34s %8.2f%% %9s %12.0f %14.0f %9.1f   %.0f models published\n", "with small campaigns' turns", 100 * f.whole,
           ">= 97%", f.rate, asked, f.whole_s, f.models);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "bench", "utilisation", "boards",
                     (json_int_t)o->boards, "job_us", (json_int_t)o->job_us, "credit", (json_int_t)o->credit, "jobs",
                     (json_int_t)o->jobs, "rounds", (json_int_t)o->rounds, "steady_share", f.steady, "whole_share", f.whole,
                     "steady_results_per_second", f.steady_rate, "whole_seconds", f.whole_s, "models", f.models);
}
