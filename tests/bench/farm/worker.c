// SPDX-License-Identifier: Apache-2.0
/* worker.c - what a real prfarm-worker takes of the machine that it serves a board on. It joins a coordinator, does a small
 * campaign, takes the model that comes of it, and then waits for work; all is of this state.
 *
 * A worker is two processes of one program, the daemon and the one that the board's backend lives in. So the second adds little but
 * what it does not share with the first. What a backend's own library takes is told apart: the simulated board uses none, but
 * the program is linked with oneDNN's where there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench.h"
#include "server.h"
#include "swarm.h"

enum { PATH = 512, IDLE_S = 30, SAMPLES = 400, END_MS = 60000, LOOK_MS = 100, MB = 1 << 20 };

/* All are doubles: medians are taken field by field. */
typedef struct {
    double rss_mb, library_mb, backend_mb, backend_own_mb, file_mb, idle_percent;
} figures_t;

static void wait_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void start_worker(prf_process_t *worker, const server_t *server)
{
    char program[PATH], state[PATH], log[PATH], board[128];
    prf_error_t err = {0};
    prf_process_sibling("prfarm-worker", program, sizeof program);
    snprintf(state, sizeof state, "%s/state", server->folder);
    snprintf(log, sizeof log, "%s/worker.log", server->folder);
    const char *const argv[] = {program,     "--farm", server->farm, "--kind",    "bench",   "--board", "bench-0",
                                "--backend", "sim",    "--option",   "board=vta", "--state", state,     NULL};
    if (prf_process_start(worker, argv, &(prf_process_options_t){.pipes = true, .log = log}, &err))
        die(program, err.text);
    await_line(worker, program, "ready board=%127s", board);
}

/* The model is run by the worker when it has told so. */
static bool has_worked(const server_t *server)
{
    json_t *status = server_call(server, "status", json_pack("{s:s}", "campaign", "bench"));
    const json_t *campaign = json_array_get(json_object_get(status, "campaigns"), 0);
    const json_t *board = json_array_get(json_object_get(campaign, "boards"), 0);
    const char *state = json_string_value(json_object_get(campaign, "state"));
    bool done = state && strcmp(state, "done") == 0 && json_integer_value(json_object_get(board, "current_runs_on")) == 1;
    json_decref(status);
    return done;
}

static void let_it_work(const server_t *server)
{
    server_order(server, &(order_t){.name = "bench", .seed = 1, .samples = SAMPLES, .validation = SAMPLES / 4});
    for (unsigned waited = 0; !has_worked(server); waited += LOOK_MS) {
        if (waited > END_MS)
            die("the worker", "its campaign does not end");
        wait_ms(LOOK_MS);
    }
}

static pid_t child_of(pid_t pid)
{
    char path[64];
    long child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *stream = fopen(path, "re");
    if (!stream || fscanf(stream, "%ld", &child) != 1)
        die(path, "the backend's process cannot be found");
    fclose(stream);
    return (pid_t)child;
}

/* Sums a line of all mappings whose file has one of two names in it ("" has every file, and memory without one). */
static double mapped_mb(pid_t pid, const char *line, const char *name, const char *other)
{
    char path[64], text[PATH];
    double kib = 0, value;
    bool wanted = false;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    FILE *stream = fopen(path, "re");
    if (!stream)
        die(path, "cannot be read");
    while (fgets(text, sizeof text, stream)) {
        unsigned long from, to;
        if (sscanf(text, "%lx-%lx ", &from, &to) == 2)
            wanted = strstr(text, name) || strstr(text, other);
        else if (wanted && strncmp(text, line, strlen(line)) == 0 && sscanf(text + strlen(line), "%lf", &value) == 1)
            kib += value;
    }
    fclose(stream);
    return kib / 1024;
}

static double stripped_mb(const server_t *server)
{
    char program[PATH], stripped[PATH];
    struct stat file;
    prf_process_t process;
    prf_error_t err = {0};
    prf_process_sibling("prfarm-worker", program, sizeof program);
    snprintf(stripped, sizeof stripped, "%s/stripped", server->folder);
    const char *const argv[] = {"strip", "-o", stripped, program, NULL};
    if (prf_process_start(&process, argv, &(prf_process_options_t){.log = NULL}, &err))
        die("strip", err.text);
    while (!prf_process_ended(&process, NULL))
        wait_ms(LOOK_MS);
    if (stat(stripped, &file) != 0)
        die("strip", "it did not write a program");
    return (double)file.st_size / MB;
}

static double cpu_of_both(pid_t worker, pid_t backend)
{
    usage_t a, b;
    process_usage(worker, &a);
    process_usage(backend, &b);
    return a.cpu_s + b.cpu_s;
}

static void run(const bench_options_t *o, figures_t *out)
{
    server_t server;
    prf_process_t worker;
    usage_t usage;
    server_start(&server, SERVE_PRFARM, o->scratch);
    start_worker(&worker, &server);
    let_it_work(&server);
    pid_t backend = child_of(worker.pid);
    double before = cpu_of_both(worker.pid, backend);
    wait_ms(IDLE_S * 1000);
    out->idle_percent = (cpu_of_both(worker.pid, backend) - before) * 100 / IDLE_S;
    process_usage(worker.pid, &usage);
    out->rss_mb = usage.rss_mb;
    process_usage(backend, &usage);
    out->backend_mb = usage.rss_mb;
    out->backend_own_mb = mapped_mb(backend, "Private_Dirty:", "", "") + mapped_mb(backend, "Private_Clean:", "", "");
    out->library_mb = mapped_mb(worker.pid, "Rss:", "libdnnl", "libgomp");
    out->file_mb = stripped_mb(&server);
    prf_process_stop(&worker, 0);
    server_stop(&server);
}

json_t *bench_worker(const bench_options_t *o)
{
    static figures_t rounds[ROUNDS_MOST];
    figures_t f;
    printf("worker: a simulated board, %d s without work, medians of %zu rounds\n\n", IDLE_S, o->rounds);
    fflush(stdout);
    for (size_t r = 0; r < o->rounds; r++)
        run(o, &rounds[r]);
    MEDIANS(rounds, o->rounds, &f);
    printf("%-34s %10s %9s\n", "", "measured", "goal");
    printf("%-34s %10.1f %9s   without oneDNN's libraries, which this board does not use\n", "peak RSS, MB",
           f.rss_mb + f.backend_own_mb - f.library_mb, "<= 12");
    printf("%-34s %10.1f %9s   %.1f of it oneDNN's libraries\n", "  of the daemon", f.rss_mb, "", f.library_mb);
    printf("%-34s %10.1f %9s   %.1f of it its own, the rest is the daemon's, too\n", "  of the backend's process", f.backend_mb, "",
           f.backend_own_mb);
    printf("%-34s %10.2f %9s\n", "program, stripped, MB", f.file_mb, "<= 1");
    printf("%-34s %10.2f %9s   both processes\n", "CPU without work, % of a core", f.idle_percent, "< 1");
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "bench", "worker", "rounds", (json_int_t)o->rounds, "rss_mb",
                     f.rss_mb, "rss_of_libraries_mb", f.library_mb, "backend_rss_mb", f.backend_mb, "backend_own_mb",
                     f.backend_own_mb, "stripped_mb", f.file_mb, "idle_percent", f.idle_percent);
}
