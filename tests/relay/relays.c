// SPDX-License-Identifier: Apache-2.0
#include "relays.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"

enum { TICK_MS = 20, WORDS = 24, SLOT = 512, LOG_BYTES = 64 << 20, SPOOL_BYTES = 4 << 20 }; /* docs/spool.md */

const char *const relays_workers[RELAYS_WORKERS] = {"w0", "w1", "w2"};

static const char program[] = PRF_BIN_DIR "/prfarm-relay";

static const char list[] = "worker @w0 w0\nworker @w1 w1\nworker @w2 w2\noperator @operator operator\nrelay @site site\n";

static const char *in_dir(const relays_t *self, const char *name)
{
    static char paths[8][FARM_PATH + 64];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", self->farm.dir, name);
    return path;
}

void relays_start(relays_t *self, const char *address, const char *const *options)
{
    static const char *const names[] = {"coordinator", "operator", "w0", "w1", "w2", "relay", "site", "stranger"};
    memset(self, 0, sizeof *self);
    address = address ? address : "127.0.0.1";
    farm_make(&self->farm);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        farm_keygen(&self->farm, names[i], NULL);
    farm_allow(&self->farm, list);
    self->farm.keyed = self->farm.own_keys = true;
    snprintf(self->farm.name, sizeof self->farm.name, "tcp://127.0.0.1:*");
    snprintf(self->at, sizeof self->at, "tcp://%s:*", address);
    farm_start_coordinator(&self->farm, options);
    farm_connect_client(&self->farm, "operator");
    relays_start_accept(self);
}

static void start(relays_t *self, prf_process_t *process, const char *const *words, const char *log)
{
    prf_error_t err = {0};
    const prf_process_options_t options = {.pipes = true, .log = in_dir(self, log)};
    cr_assert_eq(prf_process_start(process, words, &options, &err), PRF_OK, "%s", err.text);
}

void relays_start_accept(relays_t *self)
{
    char ready[FARM_READY];
    const char *const words[] = {program,
                                 "--accept",
                                 self->at,
                                 "--farm",
                                 self->farm.name,
                                 "--key",
                                 in_dir(self, "relay.key"),
                                 "--allow",
                                 in_dir(self, "allow"),
                                 "--log",
                                 "debug",
                                 NULL};
    start(self, &self->accept, words, "accept.log");
    farm_ready(&self->accept, "ready accept=", "the accepting relay", ready);
    snprintf(self->at, sizeof self->at, "%s", ready);
}

void relays_start_site(relays_t *self, const char *address)
{
    char ready[FARM_READY];
    const char *words[WORDS];
    size_t count = 0;
    if (!self->door[0])
        snprintf(self->door, sizeof self->door, "tcp://%s:*", address ? address : "127.0.0.1");
    for (const char *const *word = self->host; word && *word; word++)
        words[count++] = *word;
    const char *const rest[] = {program,
                                "--link",
                                self->via ? self->via : self->at,
                                "--farm",
                                self->door,
                                "--key",
                                in_dir(self, "site.key"),
                                "--server",
                                in_dir(self, "relay.pub"),
                                NULL};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        words[count++] = rest[i];
    start(self, &self->site, words, "site.log");
    farm_ready(&self->site, "ready farm=", "the site's relay", ready);
    snprintf(self->door, sizeof self->door, "%s", ready);
    self->farm.dial = self->door;
    self->farm.host = self->host;
}

void relays_kill(prf_process_t *relay)
{
    prf_process_stop(relay, 0);
}

int relays_end(prf_process_t *relay)
{
    int status = 0;
    kill(relay->pid, SIGTERM);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!prf_process_ended(relay, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "a relay did not end");
        relays_pause(TICK_MS);
    }
    prf_process_stop(relay, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void print_logs(const relays_t *self)
{
    static const char *const names[] = {"site.log", "accept.log", "w0.log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text;
        size_t len;
        if (prf_file_read(in_dir(self, names[i]), LOG_BYTES, &text, &len, NULL))
            continue;
        fprintf(stderr, "--- %s\n%s", names[i], len > 6000 ? text + len - 6000 : text);
        free(text);
    }
}

void relays_stop(relays_t *self)
{
    if (!self->farm.dir[0])
        return;
    if (getenv("PRF_TEST_LOGS"))
        print_logs(self);
    int site = self->site.pid > 0 ? relays_end(&self->site) : 0, accept = self->accept.pid > 0 ? relays_end(&self->accept) : 0;
    farm_stop(&self->farm);
    if (site != 0 || accept != 0) { /* Criterion only warns of a teardown that fails; ctest looks for that warning */
        fprintf(stderr, "the relays ended with codes %d and %d\n", site, accept);
        abort();
    }
}

void relays_add_workers(relays_t *self, bool slow)
{
    self->farm.credit = "64"; /* so that an outage finds them with work in hand */
    for (size_t i = 0; i < RELAYS_WORKERS; i++)
        farm_add_worker(&self->farm, relays_workers[i], "site", "vta", slow ? "pace=real speed=4" : NULL);
}

void relays_submit(farm_t *farm, unsigned samples)
{
    char text[1024];
    snprintf(text, sizeof text,
             "campaign: site\n"
             "boards:\n"
             "  - {kind: site, backend: sim}\n"
             "layers:\n"
             "  - kind: conv2d\n"
             "    params: {c: 16..512, k: 16..512, h: 56, w: h, r: 3, pad: 1}\n"
             "    knowledge: white\n"
             "    steps: {c: 16, k: 16}\n"
             "budget: {samples: %u}\n"
             "validation: {layers: 10, repeats: 2}\n"
             "baseline: false\n",
             samples);
    json_decref(farm_submit(farm, text));
}

static json_int_t wanted;

static bool has_enough(json_t *status)
{
    const json_t *board = json_array_get(json_object_get(status, "boards"), 0);
    return farm_number(board, "measured") >= wanted;
}

void relays_wait_measured(farm_t *farm, json_int_t points)
{
    wanted = points;
    json_decref(farm_wait(farm, "site", has_enough));
}

json_t *relays_outcome(farm_t *farm, size_t *duplicates)
{
    json_t *over = farm_wait(farm, "site", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done");
    json_decref(over);
    json_t *rows = farm_rows(farm, "site"), *counted = farm_counted(farm, "site"), *row, *outcome = json_object();
    size_t i, twice = 0;
    json_array_foreach(rows, i, row)
    {
        char key[64];
        if (json_is_true(json_object_get(row, "duplicate"))) {
            twice++;
            continue;
        }
        snprintf(key, sizeof key, "%s.%lld", farm_text(row, "point"), (long long)farm_number(row, "attempt"));
        json_object_set(outcome, key, json_object_get(row, "latency_ns"));
    }
    cr_assert_eq(json_object_size(outcome), json_object_size(counted));
    json_decref(rows);
    json_decref(counted);
    if (duplicates)
        *duplicates = twice;
    return outcome;
}

size_t relays_spooled(const relays_t *self)
{
    glob_t files;
    size_t count = 0;
    if (glob(in_dir(self, "w?/spool/*.v1"), 0, NULL, &files) != 0)
        return 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *bytes;
        size_t len;
        if (prf_file_read(files.gl_pathv[i], SPOOL_BYTES, &bytes, &len, NULL))
            continue;
        for (size_t at = 0; at + SLOT <= len; at += SLOT)
            count += memcmp(bytes + at, "prs1", 4) == 0;
        free(bytes);
    }
    globfree(&files);
    return count;
}

size_t relays_said(const farm_t *farm, const char *name, const char *text)
{
    char path[FARM_PATH + 64], *log;
    size_t len, count = 0;
    snprintf(path, sizeof path, "%s/%s.log", farm->dir, name);
    if (prf_file_read(path, LOG_BYTES, &log, &len, NULL))
        return 0;
    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        count++;
    free(log);
    return count;
}

void relays_wait_said(const farm_t *farm, const char *name, const char *text, size_t times)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (relays_said(farm, name, text) < times) {
        cr_assert_lt(prf_clock_mono_ms(), until, "%s.log does not say '%s' %zu times", name, text, times);
        relays_pause(TICK_MS);
    }
}

void relays_pause(unsigned ms)
{
    poll(NULL, 0, (int)ms);
}
