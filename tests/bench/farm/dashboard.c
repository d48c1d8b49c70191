// SPDX-License-Identifier: Apache-2.0
/* dashboard.c - what people who watch cost the coordinator: its processor time on a farm at work, with none, one and ten viewers of
 * /api/v1/live, and what each of them is sent. What a farm without viewers costs is measured before and after those, so that it can
 * be told from what the farm does anyway. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "server.h"
#include "swarm.h"

enum { VIEWERS = 10, WINDOW_MS = 10000, SETTLE_MS = 2000, WAIT_MS = 300000, PIECE = 65536, LOOK_MS = 50 };

/* All are doubles: medians are taken field by field. Percent of one processor. */
typedef struct {
    double before, one, ten, after;
    double sent_kb; /* a second and viewer, of the ten */
    double updates; /* likewise, events */
    double connected_mb;
} figures_t;

/* -- viewers: a thread that reads what they are sent -- */

typedef struct {
    pthread_t thread;
    size_t count;
    struct pollfd items[VIEWERS];
    atomic_bool stop;
    atomic_size_t bytes, events;
} viewers_t;

static int view(const server_t *server)
{
    static const char request[] = "GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strrchr(server->http, ':') + 1))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        die("a viewer", "no connection");
    return fd;
}

static void *read_all(void *arg)
{
    viewers_t *v = arg;
    static char piece[PIECE + 1];
    while (!atomic_load(&v->stop)) {
        if (poll(v->items, v->count, LOOK_MS) <= 0)
            continue;
        for (size_t i = 0; i < v->count; i++) {
            ssize_t n = v->items[i].revents ? recv(v->items[i].fd, piece, PIECE, 0) : 0;
            if (v->items[i].revents && n <= 0)
                die("a viewer", "its stream ended");
            piece[n] = '\0';
            atomic_fetch_add(&v->bytes, (size_t)n);
            for (const char *at = piece; (at = strstr(at, "event: ")); at++)
                atomic_fetch_add(&v->events, 1);
        }
    }
    return NULL;
}

static void viewers_come(viewers_t *v, const server_t *server, size_t count)
{
    *v = (viewers_t){.count = count};
    for (size_t i = 0; i < count; i++)
        v->items[i] = (struct pollfd){.fd = view(server), .events = POLLIN};
    if (pthread_create(&v->thread, NULL, read_all, v) != 0)
        die("viewers", "no thread");
}

static void viewers_go(viewers_t *v)
{
    atomic_store(&v->stop, true);
    pthread_join(v->thread, NULL);
    for (size_t i = 0; i < v->count; i++)
        close(v->items[i].fd);
}

/* -- what is measured -- */

/* Percent of a processor that the coordinator takes while the farm plays on. */
static double cost(const server_t *server, swarm_t *swarm)
{
    swarm_play(swarm, NULL, 0, SETTLE_MS);
    uint64_t cpu = process_ns(server->process.pid), began = prf_clock_mono_ns();
    swarm_play(swarm, NULL, 0, WINDOW_MS);
    return 100 * (double)(process_ns(server->process.pid) - cpu) / (double)(prf_clock_mono_ns() - began);
}

static double cost_of_viewers(const server_t *server, swarm_t *swarm, size_t count, figures_t *out)
{
    viewers_t v;
    viewers_come(&v, server, count);
    swarm_play(swarm, NULL, 0, SETTLE_MS);
    size_t bytes = atomic_load(&v.bytes), events = atomic_load(&v.events);
    double percent = cost(server, swarm), seconds = (SETTLE_MS + WINDOW_MS) / 1e3;
    out->sent_kb = (double)(atomic_load(&v.bytes) - bytes) / 1e3 / seconds / (double)count;
    out->updates = (double)(atomic_load(&v.events) - events) / seconds / (double)count;
    viewers_go(&v);
    return percent;
}

static void run(const bench_options_t *o, figures_t *out)
{
    server_t server;
    usage_t usage;
    server_start_watched(&server, o->scratch);
    const load_t load = {
        .workers = o->workers, .credit = (uint32_t)o->credit, .batch = (uint32_t)o->batch, .job_ns = (uint64_t)o->job_us * 1000};
    swarm_t *swarm = swarm_new(server.workers, &load, &play_worker);
    const counts_t *counts = swarm_counts(swarm);
    if (!swarm_play(swarm, &counts->welcomed, o->workers, WAIT_MS))
        die("the fleet", "not all workers are welcomed");
    double seconds = 8.0 * (SETTLE_MS + WINDOW_MS) / 1e3, a_second = (double)o->workers * 1e6 / (double)o->job_us;
    server_order(&server, &(order_t){.name = "bench", .seed = 1, .samples = 400, .validation = (size_t)(seconds * a_second)});
    if (!swarm_play(swarm, &counts->durable, o->workers, WAIT_MS))
        die("the fleet", "it does not get going");
    out->before = cost(&server, swarm);
    out->one = cost_of_viewers(&server, swarm, 1, out);
    out->ten = cost_of_viewers(&server, swarm, VIEWERS, out);
    out->after = cost(&server, swarm);
    server_usage(&server, &usage);
    out->connected_mb = usage.rss_mb;
    swarm_destroy(swarm);
    server_stop(&server);
}

json_t *bench_dashboard(const bench_options_t *o)
{
    static figures_t rounds[ROUNDS_MOST];
    figures_t f;
    printf("dashboard: %zu boards, %zu us a job, medians of %zu rounds; percent of one processor that the coordinator takes\n\n",
           o->workers, o->job_us, o->rounds);
    fflush(stdout);
    for (size_t r = 0; r < o->rounds; r++)
        run(o, &rounds[r]);
    MEDIANS(rounds, o->rounds, &f);
    double alone = (f.before + f.after) / 2;
    printf("%-34s %9s %9s %9s\n", "", "CPU", "viewers'", "goal");
    printf("%-34s %8.2f%%\n", "nobody watches, before", f.before);
    printf("%-34s %8.2f%% %8.2f%%\n", "one viewer", f.one, f.one - alone);
    printf("%-34s %8.2f%% %8.2f%% %9s   %.1f kB/s and %.1f updates/s each\n", "ten viewers", f.ten, f.ten - alone, "<= 2%",
           f.sent_kb, f.updates);
    printf("%-34s %8.2f%%\n", "nobody watches, after", f.after);
    printf("%-34s %9.0f\n", "peak RSS, MB", f.connected_mb);
    return json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "bench", "dashboard", "boards",
                     (json_int_t)o->workers, "job_us", (json_int_t)o->job_us, "rounds", (json_int_t)o->rounds,
                     "without_viewers_before_percent", f.before, "one_viewer_percent", f.one, "ten_viewers_percent", f.ten,
                     "without_viewers_after_percent", f.after, "sent_kb_per_second", f.sent_kb, "updates_per_second", f.updates,
                     "rss_mb", f.connected_mb);
}
