// SPDX-License-Identifier: Apache-2.0
/* redis.c - jobs and results are entries of two streams; the boards are a consumer group. A worker reads a handful of jobs, and
 * asks for as many again when it has done them; two handfuls are under way, which together are its credit. --batch results are
 * reported together: an XADD for each and one XACK of their jobs. All of it goes out without waiting for an answer. The append-only
 * file is synced before Redis answers (appendfsync always), once for all that has arrived meanwhile: its group commit. So a result
 * is durable when the answer to its XADD is here.
 *
 * Everything is in Redis' favour: a unix socket where prfarm has TCP, all jobs in their stream before the clock runs, no deadlines,
 * no checksums, nobody who looks at the results. */
#include "redis.h"

#include <stdio.h>

#ifdef PRF_HIREDIS

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "swarm.h"

enum { JOB = 80, HANDFULS = 2, CREDIT = 256, EVENTS = 64, READY_MS = 10000, STALL_MS = 60000, PIPELINE = 1000 };

typedef struct {
    redisContext *context;
    char name[16];
    bool stuck; /* the socket takes no more for now */
} worker_t;

typedef struct {
    worker_t *workers; /* owned */
    int epoll;
    size_t worker_count, handful, batch;
    uint64_t durable;
} crowd_t;

bool redis_here(void)
{
    const char *const argv[] = {"redis-server", "--version", NULL};
    prf_process_t process;
    if (prf_process_start(&process, argv, &(prf_process_options_t){.log = "/dev/null"}, NULL) == PRF_OK) {
        prf_process_stop(&process, 0);
        return true;
    }
    fprintf(stderr, "prfarm-bench: SKIPPED Redis: there is no redis-server here (apt-get install redis-server)\n");
    return false;
}

static redisContext *connected(redisContext *context)
{
    if (!context || context->err)
        die("Redis", context ? context->errstr : "out of memory");
    return context;
}

static void start(server_t *server, const char *scratch, char *socket, size_t cap)
{
    prf_error_t err = {0};
    char log[160];
    *server = (server_t){.what = SERVERS};
    snprintf(server->folder, sizeof server->folder, "%.100s/prfarm-bench-XXXXXX", scratch);
    if (!mkdtemp(server->folder))
        die(server->folder, "cannot be made");
    snprintf(socket, cap, "%s/redis", server->folder);
    snprintf(log, sizeof log, "%s/log", server->folder);
    const char *const argv[] = {"redis-server",
                                "--port",
                                "0",
                                "--unixsocket",
                                socket,
                                "--dir",
                                server->folder,
                                "--appendonly",
                                "yes",
                                "--appendfsync",
                                "always",
                                "--save",
                                "",
                                "--auto-aof-rewrite-percentage",
                                "0",
                                "--tcp-backlog",
                                "20000",
                                "--maxclients",
                                "20000",
                                "--daemonize",
                                "no",
                                NULL};
    if (prf_process_start(&server->process, argv, &(prf_process_options_t){.log = log}, &err))
        die("redis-server", err.text);
    uint64_t until = prf_clock_mono_ms() + READY_MS;
    while (access(socket, F_OK) != 0) {
        if (prf_process_ended(&server->process, NULL) || prf_clock_mono_ms() > until)
            die("redis-server", "it did not become ready");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* -- the stream of jobs -- */

static void add(redisContext *context, const char *stream)
{
    static const char entry[JOB];
    const char *argv[] = {"XADD", stream, "*", "j", entry};
    const size_t lengths[] = {4, strlen(stream), 1, 1, sizeof entry};
    redisAppendCommandArgv(context, 5, argv, lengths);
}

static void await_answer(redisContext *context)
{
    redisReply *reply;
    if (redisGetReply(context, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR)
        die("Redis", context->err ? context->errstr : reply->str);
    freeReplyObject(reply);
}

static void fill(const char *socket, size_t jobs)
{
    redisContext *context = connected(redisConnectUnix(socket));
    for (size_t done = 0; done < jobs; done += PIPELINE) {
        for (size_t i = 0; i < PIPELINE; i++)
            add(context, "jobs");
        for (size_t i = 0; i < PIPELINE; i++)
            await_answer(context);
    }
    redisAppendCommand(context, "XGROUP CREATE jobs boards 0");
    await_answer(context);
    redisFree(context);
}

/* -- the workers -- */

/* Sends what is there to be sent; what the socket does not take follows when it does. */
static void flush(const crowd_t *crowd, worker_t *worker)
{
    int done = 0;
    if (redisBufferWrite(worker->context, &done) != REDIS_OK)
        die("Redis", worker->context->errstr);
    if (worker->stuck != done)
        return;
    worker->stuck = !done;
    struct epoll_event event = {.events = EPOLLIN | (done ? 0 : EPOLLOUT), .data.ptr = worker};
    if (epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, worker->context->fd, &event) != 0)
        die("epoll", strerror(errno));
}

static void ask(const worker_t *worker, size_t jobs)
{
    redisAppendCommand(worker->context, "XREADGROUP GROUP boards %s COUNT %d STREAMS jobs >", worker->name, (int)jobs);
}

/* [[stream, [[id, [field, value]], ...]]] */
static void take_jobs(const crowd_t *crowd, const worker_t *worker, const redisReply *reply)
{
    const redisReply *entries = reply->element[0]->element[1];
    const char *argv[3 + CREDIT] = {"XACK", "jobs", "boards"};
    size_t lengths[3 + CREDIT] = {4, 4, 6}, reported = 0;
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *id = entries->element[i]->element[0];
        add(worker->context, "results");
        argv[3 + reported] = id->str;
        lengths[3 + reported++] = (size_t)id->len;
        if (reported == crowd->batch || i + 1 == entries->elements) {
            redisAppendCommandArgv(worker->context, 3 + (int)reported, argv, lengths);
            reported = 0;
        }
    }
    ask(worker, entries->elements);
}

/* The sort of an answer tells what it answers: XADD a string, XACK a number, XREADGROUP a list. */
static void hear(crowd_t *crowd, worker_t *worker)
{
    redisReply *reply;
    if (redisBufferRead(worker->context) != REDIS_OK)
        die("Redis", worker->context->errstr);
    while (redisGetReplyFromReader(worker->context, (void **)&reply) == REDIS_OK && reply) {
        if (reply->type == REDIS_REPLY_ERROR)
            die("Redis", reply->str);
        if (reply->type == REDIS_REPLY_STRING)
            crowd->durable++;
        if (reply->type == REDIS_REPLY_ARRAY)
            take_jobs(crowd, worker, reply);
        freeReplyObject(reply);
    }
}

static void play(crowd_t *crowd, uint64_t goal)
{
    struct epoll_event events[EVENTS];
    while (crowd->durable < goal) {
        int count = epoll_wait(crowd->epoll, events, EVENTS, STALL_MS);
        if (count <= 0)
            die("Redis", "it came to a stop");
        for (int i = 0; i < count; i++) {
            if (events[i].events & EPOLLIN)
                hear(crowd, events[i].data.ptr);
            flush(crowd, events[i].data.ptr);
        }
    }
}

static void connect_worker(crowd_t *crowd, size_t number, const char *socket)
{
    worker_t *worker = &crowd->workers[number];
    worker->context = connected(redisConnectUnixNonBlock(socket));
    snprintf(worker->name, sizeof worker->name, "w%zu", number);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, worker->context->fd, &event) != 0)
        die("epoll", strerror(errno));
    for (int i = 0; i < HANDFULS; i++)
        ask(worker, crowd->handful);
    flush(crowd, worker);
}

static void crowd_init(crowd_t *crowd, const bench_options_t *o)
{
    *crowd = (crowd_t){.worker_count = o->workers, .handful = (o->credit + HANDFULS - 1) / HANDFULS, .batch = o->batch};
    crowd->workers = calloc(o->workers, sizeof *crowd->workers);
    crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!crowd->workers || crowd->epoll < 0)
        die("the load", "out of memory");
}

static void crowd_release(crowd_t *crowd)
{
    for (size_t i = 0; i < crowd->worker_count; i++)
        redisFree(crowd->workers[i].context);
    close(crowd->epoll);
    free(crowd->workers);
}

void redis_round(const bench_options_t *o, served_t *out)
{
    server_t server;
    usage_t usage;
    crowd_t crowd;
    char socket[160];
    start(&server, o->scratch, socket, sizeof socket);
    crowd_init(&crowd, o);
    fill(socket, o->jobs + o->jobs / 10 + 2 * o->workers * o->credit);
    for (size_t i = 0; i < o->workers; i++)
        connect_worker(&crowd, i, socket);
    play(&crowd, o->jobs / 10);
    uint64_t first = crowd.durable, began_cpu = process_ns(server.process.pid), began = prf_clock_mono_ns();
    play(&crowd, first + o->jobs);
    double seconds = (double)(prf_clock_mono_ns() - began) / 1e9, done = (double)(crowd.durable - first);
    double cpu_s = (double)(process_ns(server.process.pid) - began_cpu) / 1e9;
    server_usage(&server, &usage);
    *out = (served_t){.rate = done / seconds, .cpu_s = cpu_s * 1e5 / done, .rss_mb = usage.rss_mb};
    crowd_release(&crowd);
    server_stop(&server);
}

#else

bool redis_here(void)
{
    fprintf(stderr, "prfarm-bench: SKIPPED Redis: built without libhiredis (apt-get install libhiredis-dev)\n");
    return false;
}

void redis_round(const bench_options_t *o, served_t *out)
{
    (void)o;
    *out = (served_t){.rate = 0};
}

#endif
