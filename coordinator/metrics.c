// SPDX-License-Identifier: Apache-2.0
/* metrics.c - one pass over the boards, then a block of lines for each metric.
 *
 * A label's values are few: boards are told apart by kind and state only, never by name, and beyond KINDS kinds, which no honest
 * farm has, the others are counted together. Names, units and `_total` follow Prometheus's conventions; `process_` metrics have
 * the names that its client libraries give them, so that ready-made dashboards find them. */
#include "metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

enum { KINDS = 100 };

enum { IDLE, BUSY, QUARANTINED, LOST, STATES };
static const char *const state_names[STATES] = {"idle", "busy", "quarantined", "lost"};

/* The boards of one kind. */
typedef struct {
    const char *kind; /* borrowed */
    uint64_t boards[STATES], done, failures[PRF_FAILURES];
    uint32_t current, newest; /* model versions; 0: none */
} row_t;

typedef struct {
    row_t rows[KINDS + 1]; /* the last: all kinds that have no row */
    size_t count;
    size_t queued, leased;
} tally_t;

static row_t *row_of(tally_t *tally, const char *kind)
{
    for (size_t i = 0; i < tally->count; i++)
        if (strcmp(tally->rows[i].kind, kind) == 0)
            return &tally->rows[i];
    if (tally->count > KINDS)
        return &tally->rows[KINDS];
    row_t *row = &tally->rows[tally->count++];
    *row = (row_t){.kind = tally->count > KINDS ? "(other)" : kind};
    return row;
}

static int state_of(const prf_queries_t *q, const prf_fleet_board_t *board)
{
    const char *name = prf_sessions_state(q->sessions, board);
    int state = IDLE;
    while (state < LOST && strcmp(state_names[state], name) != 0)
        state++;
    return state;
}

static void count_boards(tally_t *tally, const prf_queries_t *q)
{
    for (size_t i = 0; i < prf_fleet_count(q->hub->fleet); i++) {
        const prf_fleet_board_t *board = prf_fleet_at(q->hub->fleet, i);
        row_t *row = row_of(tally, board->facts.kind);
        row->boards[state_of(q, board)]++;
        row->done += board->done;
        for (int f = 0; f < PRF_FAILURES; f++)
            row->failures[f] += board->failures[f];
        tally->leased += prf_sched_leases(q->hub->sched, board->number);
    }
}

static void find_models(tally_t *tally, const prf_queries_t *q)
{
    prf_model_version_t model;
    prf_model_note_t note;
    for (size_t i = 0; prf_publisher_next(q->hub->publisher, &i, &model, &note); i++)
        if (tally->count < KINDS)
            row_of(tally, model.kind);
    for (size_t i = 0; i < tally->count; i++) {
        row_t *row = &tally->rows[i];
        if (prf_publisher_current(q->hub->publisher, row->kind, &model))
            row->current = model.version;
        if (prf_publisher_newest(q->hub->publisher, row->kind, &model))
            row->newest = model.version;
    }
}

static void head(prf_text_t *text, const char *name, const char *type, const char *help)
{
    prf_text_add(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(prf_text_t *text, const char *name, const char *type, const char *help, double value)
{
    head(text, name, type, help);
    prf_text_add(text, "%s %.17g\n", name, value);
}

/* Kinds are what boards say they are. */
static void label(prf_text_t *text, const char *name, const char *value)
{
    prf_text_add(text, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            prf_text_add(text, "\\n");
        else
            prf_text_add(text, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    }
    prf_text_add(text, "\"");
}

static void by_kind(prf_text_t *text, const char *name, const row_t *row, const char *other, const char *value, uint64_t count)
{
    prf_text_add(text, "%s{", name);
    label(text, "kind", row->kind);
    if (other) {
        prf_text_add(text, ",");
        label(text, other, value);
    }
    prf_text_add(text, "} %llu\n", (unsigned long long)count);
}

static void write_kinds(prf_text_t *text, const tally_t *tally)
{
    head(text, "prfarm_workers", "gauge", "Boards that the farm knows.");
    for (size_t i = 0; i < tally->count; i++)
        for (int s = 0; s < STATES; s++)
            by_kind(text, "prfarm_workers", &tally->rows[i], "state", state_names[s], tally->rows[i].boards[s]);
    head(text, "prfarm_measurements_total", "counter", "Measurements that boards brought since the coordinator's start.");
    for (size_t i = 0; i < tally->count; i++) {
        by_kind(text, "prfarm_measurements_total", &tally->rows[i], "outcome", "ok", tally->rows[i].done);
        for (int f = 0; f < PRF_FAILURES; f++)
            by_kind(text, "prfarm_measurements_total", &tally->rows[i], "outcome", prf_failure_name((prf_failure_t)f),
                    tally->rows[i].failures[f]);
    }
    head(text, "prfarm_model_current_version", "gauge", "Version of the model that boards are to run; 0: none yet.");
    for (size_t i = 0; i < tally->count; i++)
        by_kind(text, "prfarm_model_current_version", &tally->rows[i], NULL, "", tally->rows[i].current);
    head(text, "prfarm_model_newest_version", "gauge", "Version of the newest model; 0: none yet.");
    for (size_t i = 0; i < tally->count; i++)
        by_kind(text, "prfarm_model_newest_version", &tally->rows[i], NULL, "", tally->rows[i].newest);
}

static void write_jobs(prf_text_t *text, const tally_t *tally, size_t jobs)
{
    size_t held = jobs - tally->queued - tally->leased;
    head(text, "prfarm_jobs", "gauge", "Jobs that wait for a board, that boards have, and whose outcome is being stored.");
    prf_text_add(text, "prfarm_jobs{state=\"queued\"} %zu\nprfarm_jobs{state=\"leased\"} %zu\nprfarm_jobs{state=\"held\"} %zu\n",
                 tally->queued, tally->leased, held);
}

static void write_farm(prf_text_t *text, const prf_queries_t *q)
{
    const prf_hub_t *hub = q->hub;
    head(text, "prfarm_build_info", "gauge", "The coordinator's version.");
    prf_text_add(text, "prfarm_build_info{version=\"" PRF_VERSION "\"} 1\n");
    one(text, "prfarm_granting", "gauge", "1 while work is given out.", prf_hub_granting(hub, NULL));
    one(text, "prfarm_results", "gauge", "Points and attempts whose result or failure is stored.",
        (double)prf_index_count(hub->index));
    one(text, "prfarm_commits_pending", "gauge", "Writes that are on their way to the store.",
        (double)prf_commits_pending(hub->commits));
    one(text, "prfarm_store_damaged_values", "gauge", "Values that were damaged when the store was opened.",
        (double)prf_store_damaged(hub->store));
    if (hub->room.low_bytes > 0) /* it is looked at */
        one(text, "prfarm_store_free_bytes", "gauge", "Free space on the store's disk.", (double)hub->room.free_bytes);
    one(text, "prfarm_broken_frames_total", "counter", "Frames that could not be understood.",
        (double)(q->clients->faults + prf_sessions_broken(q->sessions)));
    one(text, "prfarm_ignored_frames_total", "counter", "Frames dropped unread, of peers that sent too many broken ones.",
        (double)(q->clients->ignored + prf_sessions_ignored(q->sessions)));
    one(text, "prfarm_refused_handshakes_total", "counter", "Connections of strangers that were refused.",
        (double)prf_auth_refused(hub->auth));
    one(text, "prfarm_uptime_seconds", "gauge", "Since the coordinator's start.",
        (double)(prf_clock_mono_ms() - hub->started_ms) / 1000);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Left out is what the system does not tell. */
static void write_process(prf_text_t *text, const prf_hub_t *hub)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        one(text, "process_cpu_seconds_total", "counter", "Processor time, user and system.",
            seconds(usage.ru_utime) + seconds(usage.ru_stime));
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    if (statm && fscanf(statm, "%*u %llu", &pages) == 1)
        one(text, "process_resident_memory_bytes", "gauge", "Memory in use.", (double)pages * (double)sysconf(_SC_PAGESIZE));
    if (statm)
        fclose(statm);
    one(text, "process_start_time_seconds", "gauge", "When the coordinator started, since 1970.",
        (double)hub->started_wall_ms / 1000);
}

void prf_metrics_write(prf_text_t *text, const prf_queries_t *queries)
{
    tally_t tally = {.count = 0};
    count_boards(&tally, queries);
    find_models(&tally, queries);
    tally.queued = prf_sched_queued_all(queries->hub->sched);
    write_farm(text, queries);
    write_kinds(text, &tally);
    write_jobs(text, &tally, prf_sched_count(queries->hub->sched));
    write_process(text, queries->hub);
}
