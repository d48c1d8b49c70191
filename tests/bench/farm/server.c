// SPDX-License-Identifier: Apache-2.0
#define _XOPEN_SOURCE 700 /* nftw */
#include "server.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "farm.h"
#include "swarm.h"

enum { READY_MS = 120000, CALL_MS = 120000, PATH = 256, PROC = 8192 };

static const char campaign[] = "campaign: %s\n"
                               "seed: %llu\n"
                               "boards:\n"
                               "  - {kind: bench, backend: sim}\n"
                               "layers:\n"
                               "  - kind: fc\n"
                               "    params: {in: 1..4096, out: 1..4096}\n"
                               "%s"
                               "budget: {samples: %zu}\n"
                               "validation: {layers: %zu, repeats: %zu}\n"
                               "baseline: false\n";
static const char given_steps[] = "    knowledge: white\n"
                                  "    steps: {in: 2, out: 2}\n";
enum { VALIDATION_LAYERS = 100000 /* that a campaign may have */ };

const char *server_name(serve_t what)
{
    static const char *const names[SERVERS] = {"floor", "prfarm", "prfarm, store in memory"};
    return names[what];
}

void await_line(prf_process_t *process, const char *what, const char *format, char *out)
{
    char text[4096] = "";
    size_t len = 0;
    uint64_t until = prf_clock_mono_ms() + READY_MS;
    while (!strchr(text, '\n') && prf_clock_mono_ms() < until && len < sizeof text - 1) {
        struct pollfd fd = {.fd = process->out, .events = POLLIN};
        ssize_t n = poll(&fd, 1, 100) > 0 ? read(process->out, text + len, sizeof text - 1 - len) : 0;
        if (n == 0 && prf_process_ended(process, NULL))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    if (sscanf(text, format, out) != 1)
        die(what, "it did not become ready: see its log");
}

static void start_program(server_t *server, const char *const argv[])
{
    char log[PATH];
    prf_error_t err = {0};
    snprintf(log, sizeof log, "%s/log", server->folder);
    if (prf_process_start(&server->process, argv, &(prf_process_options_t){.pipes = true, .log = log}, &err))
        die(argv[0], err.text);
}

static void start_coordinator(server_t *server)
{
    char program[PATH], store[PATH];
    prf_endpoints_t at;
    prf_error_t err = {0};
    server_store(server, store, sizeof store);
    prf_process_sibling("prfarm-coordinator", program, sizeof program);
    const char *const argv[] = {
        program,       "--farm", "tcp://127.0.0.1:*", "--store", store, "--sessions", "20000", server->watched ? "--http" : NULL,
        "127.0.0.1:*", NULL};
    char line[sizeof server->farm + sizeof server->http];
    start_program(server, argv);
    await_line(&server->process, server_name(server->what), "ready farm=%895[^\n]", line);
    if (sscanf(line, "%767s http=%127s", server->farm, server->http) != (server->watched ? 2 : 1))
        die(line, "it is ready in words that nobody expects");
    if (prf_endpoints_parse(&at, server->farm, &err))
        die(server->farm, err.text);
    memcpy(server->workers, at.workers, sizeof server->workers);
    memcpy(server->broadcast, at.broadcast, sizeof server->broadcast);
}

static void make_folder(server_t *server, const char *scratch)
{
    snprintf(server->folder, sizeof server->folder, "%.100s/prfarm-bench-XXXXXX", scratch);
    if (!mkdtemp(server->folder))
        die(server->folder, "cannot be made");
}

void server_start(server_t *server, serve_t what, const char *scratch)
{
    *server = (server_t){.what = what};
    make_folder(server, what == SERVE_MEMORY ? "/dev/shm" : scratch);
    if (what != SERVE_FLOOR) {
        start_coordinator(server);
        return;
    }
    char program[PATH];
    prf_process_sibling("prfarm-bench-floor", program, sizeof program);
    const char *const argv[] = {program, server->folder, NULL};
    start_program(server, argv);
    await_line(&server->process, server_name(server->what), "ready %255s", server->workers);
}

void server_start_watched(server_t *server, const char *scratch)
{
    *server = (server_t){.what = SERVE_PRFARM, .watched = true};
    make_folder(server, scratch);
    start_coordinator(server);
}

void server_store(const server_t *server, char *path, size_t cap)
{
    snprintf(path, cap, "%s/store", server->folder);
}

void server_halt(server_t *server)
{
    prf_process_stop(&server->process, 0);
}

void server_resume(server_t *server)
{
    start_coordinator(server);
}

json_t *server_call(const server_t *server, const char *op, json_t *in)
{
    prf_farm_t *farm;
    json_t *out;
    prf_error_t err = {0};
    if (prf_farm_connect(&farm, server->farm, NULL, &err) || prf_farm_call(farm, op, in, CALL_MS, &out, &err))
        die(op, err.text);
    prf_farm_destroy(&farm);
    return out;
}

void server_order(const server_t *server, const order_t *order)
{
    char text[sizeof campaign + sizeof given_steps + 256];
    size_t layers = order->validation < VALIDATION_LAYERS ? order->validation : VALIDATION_LAYERS;
    snprintf(text, sizeof text, campaign, order->name, (unsigned long long)order->seed, order->sweeps ? "" : given_steps,
             order->samples, layers, (order->validation + layers - 1) / layers);
    json_decref(server_call(server, "submit", json_pack("{s:s, s:s, s:[]}", "campaign", text, "file", "bench.yaml", "networks")));
}

void server_submit(const server_t *server, size_t samples)
{
    server_order(server, &(order_t){.name = "bench", .seed = 1, .samples = samples, .validation = 4});
}

/* A file of /proc has no size before it is read. */
static void read_proc(pid_t pid, const char *file, char text[PROC])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(path, "re");
    size_t len = stream ? fread(text, 1, PROC - 1, stream) : 0;
    if (len == 0)
        die(path, "cannot be read");
    text[len] = '\0';
    fclose(stream);
}

static double peak_mb(pid_t pid)
{
    static const char name[] = "VmHWM:"; /* in KiB */
    char text[PROC];
    read_proc(pid, "status", text);
    const char *at = strstr(text, name);
    return at ? strtod(at + strlen(name), NULL) / 1024 : 0;
}

/* utime and stime, the 14th and 15th field. */
static double cpu_seconds(pid_t pid)
{
    char text[PROC];
    unsigned long user = 0, system = 0;
    read_proc(pid, "stat", text);
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        die("/proc", "reads as nothing known");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void process_usage(pid_t pid, usage_t *out)
{
    out->cpu_s = cpu_seconds(pid);
    out->rss_mb = peak_mb(pid);
}

void server_usage(const server_t *server, usage_t *out)
{
    process_usage(server->process.pid, out);
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void server_stop(server_t *server)
{
    server_halt(server);
    nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
