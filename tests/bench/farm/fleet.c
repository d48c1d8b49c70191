// SPDX-License-Identifier: Apache-2.0
/* fleet.c - a coordinator with as many workers as a farm may ever have: how long they take to connect, what it makes durable with
 * all of them at it (beside the floor with as many), how long until all have come back after all connections broke at once, how
 * long until all run a model that is published, and how much memory that takes.
 *
 * A model of some 5 MB comes into being without a training: the store gets two models before anybody connects, of which the large
 * one was turned away by a roll-back. Asking for it is what publishes it. The small one is fetched by every worker as it connects.
 * One connection of the load hears the broadcast for all workers: real ones take a second connection each.
 *
 * No worker has more than `credit` jobs and results under way, as with the floor.
 *
 * The campaign is submitted when all are connected, since the coordinator hears nobody while it plans so large a one.
 *
 * The load and the server need a descriptor a worker each. Where they are too few, there are fewer workers, and the heading says
 * so. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/order.h"
#include "bench.h"
#include "fill.h"
#include "server.h"
#include "support/made_model.h"
#include "swarm.h"

enum {
    CONNECT_MS = 120000,
    ROUND_MS = 300000,
    BROADCAST_MS = 600000,
    QUIET_MS = 500,         /* without an acknowledgement: nothing is on its way any more */
    SPARE_DESCRIPTORS = 200 /* of the load, beside those of its workers */
};
enum { SMALL_LAYERS = 40, LARGE_LAYERS = 38000 /* some 5 MB */ };
enum { SMALL = 1, LARGE = 2 /* versions */ };

/* All are doubles: medians are taken field by field. */
typedef struct {
    double connect_s, connected_mb, rate, rss_mb; /* of prfarm and of the floor; what follows is prfarm's only */
    double closed_s, back_s, refused, expelled, lost, twice, unanswered;
    double model_mb, adopted_s, broadcast_mb;
} figures_t;

static double seconds_since(uint64_t began_ns)
{
    return (double)(prf_clock_mono_ns() - began_ns) / 1e9;
}

static void must_play(swarm_t *swarm, const uint64_t *counter, uint64_t goal, unsigned ms, const char *what)
{
    if (!swarm_play(swarm, counter, goal, ms))
        die("the fleet", what);
}

/* -- two models in the store -- */

/* Each layer is a little off, so that no tree can be small. */
static double latency_of(const prf_layer_t *layer)
{
    unsigned in = (unsigned)layer->p[PRF_P_IN], out = (unsigned)layer->p[PRF_P_OUT];
    unsigned off = (in * 2654435761U ^ out * 2246822519U) >> 16 & 0xff;
    return (1000 + prf_layer_ops(layer) / 100) * (1 + off / 2550.0);
}

static void put_model(fill_t *fill, unsigned version, size_t layers)
{
    static const prf_dim_t wide = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 4096};
    static const made_sort_t *const forest = &made_sorts[2];
    prf_model_t *model = made_model("bench", 1);
    prf_space_t *space = &model->parts[0].space;
    *space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32};
    space->dims[PRF_P_IN] = space->dims[PRF_P_OUT] = wide;
    made_part(&model->parts[0], forest, latency_of, layers);
    void *bytes;
    size_t len;
    prf_error_t err = {0};
    prf_model_t *again = NULL;
    char key[PRF_NAME];
    if (prf_model_encode(model, &bytes, &len, &err) || prf_model_decode(&again, bytes, len, &err))
        die("a model", err.text);
    snprintf(key, sizeof key, "bench/%010u", version);
    fill_value(fill, PRF_TABLE_MODEL, key, bytes, len);
    fill_settle(fill);
    prf_model_destroy(&again);
    prf_model_destroy(&model);
    free(bytes);
}

static void put_models(server_t *server)
{
    char roll_back[64];
    fill_t fill;
    snprintf(roll_back, sizeof roll_back, "{\"version\":%d,\"instead_of\":%d}", SMALL, LARGE);
    server_halt(server);
    fill_begin(&fill, server);
    put_model(&fill, SMALL, SMALL_LAYERS);
    put_model(&fill, LARGE, LARGE_LAYERS);
    fill_value(&fill, PRF_TABLE_DECISION, "-/bench/current", roll_back, strlen(roll_back));
    fill_end(&fill);
    server_resume(server);
}

/* What the coordinator says of a version. */
static json_int_t model_fact(const server_t *server, json_int_t version, const char *fact)
{
    json_t *reply = server_call(server, "models", json_pack("{s:s, s:i}", "kind", "bench", "after", 0)), *model;
    json_int_t value = -1;
    size_t i;
    json_array_foreach(json_object_get(reply, "models"), i,
                       model) if (json_integer_value(json_object_get(model, "version")) == version) value =
        json_integer_value(json_object_get(model, fact));
    json_decref(reply);
    return value;
}

/* -- what is measured -- */

static swarm_t *connect_all(const server_t *server, const bench_options_t *o, figures_t *out)
{
    usage_t usage;
    const load_t load = {
        .workers = o->workers, .credit = (uint32_t)o->credit, .outbox = (uint32_t)o->credit, .batch = (uint32_t)o->batch};
    uint64_t began = prf_clock_mono_ns();
    swarm_t *swarm = swarm_new(server->workers, &load, server->what == SERVE_FLOOR ? &play_floor : &play_worker);
    must_play(swarm, &swarm_counts(swarm)->welcomed, o->workers, CONNECT_MS, "not all workers are welcomed");
    out->connect_s = seconds_since(began);
    server_usage(server, &usage);
    out->connected_mb = usage.rss_mb;
    return swarm;
}

static void measure_rate(const server_t *server, swarm_t *swarm, const bench_options_t *o, figures_t *out)
{
    usage_t usage;
    const counts_t *counts = swarm_counts(swarm);
    must_play(swarm, &counts->durable, counts->durable + o->jobs / 10, ROUND_MS, "it does not get going");
    uint64_t first = counts->durable, began = prf_clock_mono_ns();
    must_play(swarm, &counts->durable, first + o->jobs, ROUND_MS, "it came to a stop");
    out->rate = (double)(counts->durable - first) / seconds_since(began);
    server_usage(server, &usage);
    out->rss_mb = usage.rss_mb;
}

/* Goes on measuring for a while, so that it would show if anything were measured a second time. */
static void break_all(const server_t *server, swarm_t *swarm, const bench_options_t *o, figures_t *out)
{
    const counts_t *counts = swarm_counts(swarm);
    out->unanswered = (double)(counts->jobs - counts->durable);
    uint64_t began = prf_clock_mono_ns();
    swarm_reconnect(swarm);
    out->closed_s = seconds_since(began);
    must_play(swarm, &counts->welcomed, o->workers, CONNECT_MS, "not all workers are welcomed again");
    out->back_s = seconds_since(began);
    must_play(swarm, &counts->durable, counts->durable + o->jobs / 10, ROUND_MS, "it does not go on");
    json_decref(server_call(server, "cancel", json_pack("{s:s}", "campaign", "bench")));
    while (swarm_play(swarm, &counts->durable, counts->durable + 1, QUIET_MS))
        ;
}

static void broadcast(const server_t *server, swarm_t *swarm, const bench_options_t *o, figures_t *out)
{
    const counts_t *counts = swarm_counts(swarm);
    out->model_mb = (double)model_fact(server, LARGE, "bytes") / 1e6;
    must_play(swarm, &counts->adopted, o->workers, BROADCAST_MS, "not all workers have the small model");
    uint64_t began = prf_clock_mono_ns();
    json_decref(server_call(server, "rollback", json_pack("{s:s, s:i}", "kind", "bench", "version", LARGE)));
    must_play(swarm, &counts->adopted, 2 * o->workers, BROADCAST_MS, "not all workers have the model");
    while (model_fact(server, LARGE, "runs_on") < (json_int_t)o->workers && seconds_since(began) * 1000 < BROADCAST_MS)
        swarm_play(swarm, NULL, 0, 10);
    out->adopted_s = seconds_since(began);
    if (model_fact(server, LARGE, "runs_on") < (json_int_t)o->workers)
        die("the fleet", "the coordinator does not know that all workers have the model");
    usage_t usage;
    server_usage(server, &usage);
    out->broadcast_mb = usage.rss_mb;
}

static bool count_record(void *arg, uint64_t sequence, const prf_record_t *record)
{
    (void)sequence;
    (void)record;
    ++*(size_t *)arg;
    return true;
}

/* What was acknowledged must be there, and each point once. A result whose acknowledgement was on its way when all connections
 * broke is there, too. */
static void audit(server_t *server, const counts_t *counts, figures_t *out)
{
    json_t *status = server_call(server, "status", json_object());
    double known = (double)json_integer_value(json_object_get(json_object_get(status, "coordinator"), "results"));
    double acknowledged = (double)counts->durable;
    fill_t fill;
    size_t records = 0;
    prf_error_t err = {0};
    json_decref(status);
    server_halt(server);
    fill_begin(&fill, server);
    if (prf_store_scan_records(fill.store, 0, count_record, &records, NULL, &err))
        die("the store", err.text);
    fill_end(&fill);
    out->lost = acknowledged > known ? acknowledged - known : 0;
    out->twice = (double)records - known;
    out->refused = (double)counts->refused;
    out->expelled = (double)counts->expelled;
    if (known - acknowledged > out->unanswered)
        printf("CAUTION: %.0f results were stored and never acknowledged, but only %.0f were open when the connections broke\n",
               known - acknowledged, out->unanswered);
}

static void run_floor(const bench_options_t *o, figures_t *out)
{
    server_t server;
    server_start(&server, SERVE_FLOOR, o->scratch);
    swarm_t *swarm = connect_all(&server, o, out);
    measure_rate(&server, swarm, o, out);
    swarm_destroy(swarm);
    server_stop(&server);
}

/* Every job that a worker holds is lost to it with its connection, so there must be enough for all that twice. */
static void run_prfarm(const bench_options_t *o, figures_t *out)
{
    server_t server;
    server_start(&server, SERVE_PRFARM, o->scratch);
    put_models(&server);
    const order_t order = {
        .name = "bench", .seed = 1, .samples = 400, .validation = 2 * (o->jobs + 2 * o->workers * o->credit) /* some to spare */};
    swarm_t *swarm = connect_all(&server, o, out);
    server_order(&server, &order);
    swarm_tune_in(swarm, server.broadcast);
    measure_rate(&server, swarm, o, out);
    break_all(&server, swarm, o, out);
    broadcast(&server, swarm, o, out);
    audit(&server, swarm_counts(swarm), out);
    swarm_destroy(swarm);
    server_stop(&server);
}

/* -- the table -- */

/* What fits into the load's descriptors. */
static size_t fitting(size_t workers)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return workers;
    size_t most = limit.rlim_cur > SPARE_DESCRIPTORS ? (size_t)(limit.rlim_cur - SPARE_DESCRIPTORS) : 1;
    if (workers <= most)
        return workers;
    printf("CAUTION: %zu WORKERS DO NOT FIT: this process may hold %llu descriptors. THERE ARE ONLY %zu WORKERS.\n\n", workers,
           (unsigned long long)limit.rlim_cur, most);
    return most;
}

static void print(const figures_t *prfarm, const figures_t *floor, size_t workers)
{
    printf("%-34s %12s %12s %9s\n", "", "prfarm", "floor", "of floor");
    printf("%-34s %12.2f %12.2f %9.2f\n", "all welcomed, s", prfarm->connect_s, floor->connect_s,
           prfarm->connect_s / floor->connect_s);
    printf("%-34s %12.0f %12.0f %9.2f\n", "results/s", prfarm->rate, floor->rate, prfarm->rate / floor->rate);
    printf("%-34s %12.0f %12.0f\n", "peak RSS when all are here, MB", prfarm->connected_mb, floor->connected_mb);
    printf("%-34s %12.0f %12.0f\n", "peak RSS with all at work, MB", prfarm->rss_mb, floor->rss_mb);
    printf("%-34s %12.2f   (%.2f of it: the load closes its connections)\n", "all back after a break, s", prfarm->back_s,
           prfarm->closed_s);
    printf("%-34s %12.0f   of those acknowledged\n", "results lost", prfarm->lost);
    printf("%-34s %12.0f   %.0f jobs were without an answer at the break\n", "results beyond one a point", prfarm->twice,
           prfarm->unanswered);
    printf("%-34s %12.0f   %.0f of them end a real worker: its name is taken\n", "refusals", prfarm->refused, prfarm->expelled);
    printf("%-34s %12.2f   (%.1f MB each, %.0f MB/s)\n", "all run a published model, s", prfarm->adopted_s, prfarm->model_mb,
           prfarm->model_mb * (double)workers / prfarm->adopted_s);
    printf("%-34s %12.0f\n", "peak RSS after it, MB", prfarm->broadcast_mb);
}

static json_t *to_json(const bench_options_t *o, size_t asked, const figures_t *prfarm, const figures_t *floor)
{
    json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "bench", "fleet", "workers_asked", (json_int_t)asked, "workers",
                             (json_int_t)o->workers, "credit", (json_int_t)o->credit, "jobs", (json_int_t)o->jobs, "rounds",
                             (json_int_t)o->rounds);
    json_t *ours =
        json_pack("{s:f, s:f, s:f, s:f, s:f}", "connect_seconds", prfarm->connect_s, "results_per_second", prfarm->rate, "of_floor",
                  prfarm->rate / floor->rate, "rss_connected_mb", prfarm->connected_mb, "rss_working_mb", prfarm->rss_mb);
    json_t *rest =
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "back_seconds", prfarm->back_s, "closing_seconds",
                  prfarm->closed_s, "lost", prfarm->lost, "beyond_one_a_point", prfarm->twice, "unanswered_at_break",
                  prfarm->unanswered, "refusals", prfarm->refused, "expelled", prfarm->expelled, "model_mb", prfarm->model_mb,
                  "adopted_seconds", prfarm->adopted_s, "rss_broadcast_mb", prfarm->broadcast_mb);
    json_object_update_missing(ours, rest);
    json_decref(rest);
    json_object_set_new(json, "prfarm", ours);
    json_object_set_new(json, "floor",
                        json_pack("{s:f, s:f, s:f, s:f}", "connect_seconds", floor->connect_s, "results_per_second", floor->rate,
                                  "rss_connected_mb", floor->connected_mb, "rss_working_mb", floor->rss_mb));
    return json;
}

json_t *bench_fleet(const bench_options_t *options)
{
    static figures_t prfarm[ROUNDS_MOST], floors[ROUNDS_MOST];
    figures_t ours, floor;
    bench_options_t o = *options;
    o.workers = fitting(options->workers);
    printf("fleet: %zu workers, credit %zu, %zu jobs, medians of %zu rounds in turn\n\n", o.workers, o.credit, o.jobs, o.rounds);
    fflush(stdout);
    for (size_t r = 0; r < o.rounds; r++) {
        run_floor(&o, &floors[r]);
        run_prfarm(&o, &prfarm[r]);
    }
    MEDIANS(prfarm, o.rounds, &ours);
    MEDIANS(floors, o.rounds, &floor);
    print(&ours, &floor, o.workers);
    return to_json(&o, options->workers, &ours, &floor);
}
