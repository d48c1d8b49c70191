// SPDX-License-Identifier: Apache-2.0
/* metrics.c - a tally of the boards, then a block of lines for each metric.
 *
 * A label's values are few: boards are told apart by kind and state only, never by name, and beyond so many kinds the others are
 * counted together (tally.h). Names, units and `_total` follow Prometheus's conventions; `process_` metrics have
 * the names that its client libraries give them, so that ready-made dashboards find them. */
#include "metrics.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "tally.h"

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

static void by_kind(prf_text_t *text, const char *name, const prf_tally_kind_t *row, const char *other, const char *value,
                    uint64_t count)
{
    prf_text_add(text, "%s{", name);
    label(text, "kind", row->kind);
    if (other) {
        prf_text_add(text, ",");
        label(text, other, value);
    }
    prf_text_add(text, "} %llu\n", (unsigned long long)count);
}

static void write_kinds(prf_text_t *text, const prf_tally_t *tally)
{
    head(text, "prfarm_workers", "gauge", "Boards that the farm knows.");
    for (size_t i = 0; i < tally->count; i++)
        for (int s = 0; s < PRF_BOARD_STATES; s++)
            by_kind(text, "prfarm_workers", &tally->kinds[i], "state", prf_board_state_name((prf_board_state_t)s),
                    tally->kinds[i].boards[s]);
    head(text, "prfarm_measurements_total", "counter", "Measurements that boards brought since the coordinator's start.");
    for (size_t i = 0; i < tally->count; i++) {
        by_kind(text, "prfarm_measurements_total", &tally->kinds[i], "outcome", "ok", tally->kinds[i].done);
        for (int f = 0; f < PRF_FAILURES; f++)
            by_kind(text, "prfarm_measurements_total", &tally->kinds[i], "outcome", prf_failure_name((prf_failure_t)f),
                    tally->kinds[i].failures[f]);
    }
    head(text, "prfarm_model_current_version", "gauge", "Version of the model that boards are to run; 0: none yet.");
    for (size_t i = 0; i < tally->count; i++)
        by_kind(text, "prfarm_model_current_version", &tally->kinds[i], NULL, "", tally->kinds[i].current);
    head(text, "prfarm_model_newest_version", "gauge", "Version of the newest model; 0: none yet.");
    for (size_t i = 0; i < tally->count; i++)
        by_kind(text, "prfarm_model_newest_version", &tally->kinds[i], NULL, "", tally->kinds[i].newest);
}

static void write_jobs(prf_text_t *text, const prf_tally_t *tally, const prf_sched_t *sched)
{
    size_t queued = prf_sched_queued_all(sched), held = prf_sched_count(sched) - queued - tally->leased;
    head(text, "prfarm_jobs", "gauge", "Jobs that wait for a board, that boards have, and whose outcome is being stored.");
    prf_text_add(text, "prfarm_jobs{state=\"queued\"} %zu\nprfarm_jobs{state=\"leased\"} %zu\nprfarm_jobs{state=\"held\"} %zu\n",
                 queued, tally->leased, held);
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

static void write_http(prf_text_t *text, const prf_metrics_http_t *http)
{
    one(text, "prfarm_http_connections", "gauge", "Connections to the HTTP server.", (double)http->connections);
    one(text, "prfarm_http_viewers", "gauge", "Those of them that are told live what changes.", (double)http->viewers);
    one(text, "prfarm_http_refused_connections_total", "counter", "Connections that were closed because their address had enough.",
        (double)http->refused);
}

void prf_metrics_write(prf_text_t *text, const prf_queries_t *queries, const prf_metrics_http_t *http)
{
    prf_tally_t tally;
    prf_error_t err = {0};
    if (prf_tally_take(&tally, queries->hub, queries->sessions, &err) == PRF_OK) {
        write_farm(text, queries);
        write_kinds(text, &tally);
        write_jobs(text, &tally, queries->hub->sched);
        write_http(text, http);
        write_process(text, queries->hub);
    } else {
        text->failed = true;
    }
    prf_tally_release(&tally);
}
