// SPDX-License-Identifier: Apache-2.0
/* query_boards.c - the boards, all together and one by one. `fleet` is as small for ten thousand boards as for one; `boards` goes
 * in pages, and filters here what a reader would have to fetch to filter. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "health.h"
#include "queries.h"
#include "tally.h"
#include "triage.h"

enum { BOARDS = 1000 /* in a reply at most */ };

/* What the system does not tell is 0. */
static json_t *told(uint32_t value, double unit)
{
    return value > 0 ? json_real(value / unit) : json_null();
}

static json_t *temperature_json(const prf_tally_kind_t *kind)
{
    size_t count = 0, seen = 0;
    int low = -1, median = -1, high = -1;
    for (int t = 0; t < PRF_TALLY_DEGREES; t++)
        count += kind->degrees[t];
    for (int t = 0; t < PRF_TALLY_DEGREES; t++) {
        if (kind->degrees[t] == 0)
            continue;
        seen += kind->degrees[t];
        low = low < 0 ? t : low;
        median = median < 0 && 2 * seen >= count ? t : median;
        high = t;
    }
    return count ? json_pack("{s:i, s:i, s:i}", "min", low, "median", median, "max", high) : json_null();
}

static double mean(double sum, uint64_t count)
{
    return count ? sum / (double)count : 0;
}

static json_t *kind_json(const prf_tally_kind_t *kind)
{
    uint64_t failed = 0;
    for (int f = 0; f < PRF_FAILURES; f++)
        failed += kind->failures[f];
    uint64_t boards = kind->live + kind->boards[PRF_BOARD_LOST];
    json_t *json =
        json_pack("{s:s, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:o}", "kind", kind->kind, "boards", (json_int_t)boards,
                  "live", (json_int_t)kind->live, "jobs_per_second", kind->jobs_per_second, "utilisation_percent",
                  mean(kind->utilisation_percent, kind->live), "done", (json_int_t)kind->done, "failed", (json_int_t)failed,
                  "newest_version", (json_int_t)kind->newest, "current_version", (json_int_t)kind->current, "on_current",
                  (json_int_t)(kind->current ? prf_tally_run_by(kind, kind->current) : 0), "temperature_c", temperature_json(kind));
    for (int s = 0; s < PRF_BOARD_STATES; s++)
        json_object_set_new(json, prf_board_state_name((prf_board_state_t)s), json_integer((json_int_t)kind->boards[s]));
    return json;
}

prf_status_t prf_query_fleet(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    (void)args;
    prf_tally_t tally;
    prf_status_t status = prf_tally_take(&tally, self->hub, self->sessions, err);
    json_t *kinds = json_array();
    double jobs_per_second = 0, utilisation_percent = 0;
    for (size_t i = 0; !status && i < tally.count; i++) {
        jobs_per_second += tally.kinds[i].jobs_per_second;
        utilisation_percent += tally.kinds[i].utilisation_percent;
        json_array_append_new(kinds, kind_json(&tally.kinds[i]));
    }
    prf_tally_release(&tally);
    if (status) {
        json_decref(kinds);
        return status;
    }
    size_t live = prf_fleet_live(self->hub->fleet);
    *out = json_pack("{s:I, s:I, s:f, s:f, s:o}", "boards", (json_int_t)prf_fleet_count(self->hub->fleet), "live", (json_int_t)live,
                     "jobs_per_second", jobs_per_second, "utilisation_percent", mean(utilisation_percent, live), "kinds", kinds);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "fleet");
}

static void note_of(const prf_queries_t *self, const prf_fleet_board_t *b, char *note, size_t cap)
{
    const char *excluding = b->live ? prf_campaigns_excluding(self->campaigns, b->facts.kind, b->facts.fingerprint) : NULL;
    prf_triage_note(self->hub->triage, b, note, cap);
    if (!*note)
        prf_health_note(self->hub->health, b, note, cap);
    if (excluding && !*note)
        snprintf(note, cap,
                 "gets no jobs of campaign %s, which began on boards of this kind with another runtime: submit it under another "
                 "name to use this one",
                 excluding);
}

/* How it is doing. */
static void add_pace(const prf_fleet_board_t *b, uint64_t now_ms, json_t *json)
{
    prf_pace_rate_t rate = prf_pace_rate(&b->pace, now_ms);
    json_object_set_new(json, "temperature_c", told(b->pace.temperature_mc, 1e3));
    json_object_set_new(json, "clock_mhz", told(b->pace.clock_khz, 1e3));
    json_object_set_new(json, "load_percent", b->pace.sampled ? json_integer(b->pace.load_percent) : json_null());
    json_object_set_new(json, "jobs_per_second", json_real(rate.jobs_per_second));
    json_object_set_new(json, "utilisation_percent", json_real(rate.utilisation_percent));
}

static prf_status_t one_board(const prf_queries_t *self, const prf_fleet_board_t *b, uint64_t now_ms, json_t **out,
                              prf_error_t *err)
{
    prf_model_version_t newest = {0}, current = {0};
    prf_publisher_newest(self->hub->publisher, b->facts.kind, &newest);
    prf_publisher_current(self->hub->publisher, b->facts.kind, &current);
    char note[480];
    note_of(self, b, note, sizeof note);
    json_t *silent = b->heard_ms ? json_real((double)(now_ms - b->heard_ms) / 1000) : json_null();
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:s}", "board", b->facts.board, "kind",
                     b->facts.kind, "state", prf_board_state_name(prf_sessions_state(self->sessions, b)), "fingerprint",
                     b->facts.fingerprint, "software", b->facts.software, "model_version", (json_int_t)b->model.version,
                     "newest_version", (json_int_t)newest.version, "current_version", (json_int_t)current.version, "done",
                     (json_int_t)b->done, "failed", (json_int_t)prf_failure_sum(b->failures), "failures",
                     prf_failure_counts(b->failures), "running", (json_int_t)prf_sched_leases(self->hub->sched, b->number),
                     "seconds_silent", silent, "note", note);
    if (!*out)
        return prf_fail(err, PRF_ENOMEM, "list of boards");
    add_pace(b, now_ms, *out);
    return PRF_OK;
}

/* Which boards a reader wants; "" for all. Borrowed. */
typedef struct {
    const char *kind, *state, *search;
} filter_t;

static prf_status_t filter_text(const json_t *args, const char *key, const char **out, prf_error_t *err)
{
    const json_t *value = json_object_get(args, key);
    *out = json_is_string(value) ? json_string_value(value) : "";
    return !value || json_is_string(value) ? PRF_OK : prf_fail(err, PRF_EINVAL, "boards: \"%s\" is no text: give one", key);
}

static prf_status_t filter_of(const json_t *args, filter_t *out, prf_error_t *err)
{
    prf_status_t status = filter_text(args, "kind", &out->kind, err);
    if (!status)
        status = filter_text(args, "state", &out->state, err);
    if (!status)
        status = filter_text(args, "search", &out->search, err);
    bool known = status || !*out->state;
    for (int s = 0; s < PRF_BOARD_STATES; s++)
        known = known || strcmp(out->state, prf_board_state_name((prf_board_state_t)s)) == 0;
    return known ? status : prf_fail(err, PRF_EINVAL, "boards: \"state\" '%.20s': use idle, busy, quarantined or lost", out->state);
}

static bool contains(const char *text, const char *part)
{
    size_t len = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, len) == 0)
            return true;
    return false;
}

static bool passes(const prf_queries_t *self, const prf_fleet_board_t *b, const filter_t *filter)
{
    return (!*filter->kind || strcmp(filter->kind, b->facts.kind) == 0) &&
           (!*filter->state || strcmp(filter->state, prf_board_state_name(prf_sessions_state(self->sessions, b))) == 0) &&
           (!*filter->search || contains(b->facts.board, filter->search));
}

prf_status_t prf_query_boards(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    json_int_t after = json_integer_value(json_object_get(args, "after")),
               limit = json_integer_value(json_object_get(args, "limit"));
    filter_t filter;
    prf_status_t status = filter_of(args, &filter, err);
    if (!status && (after < 0 || limit < 0))
        status = prf_fail(err, PRF_EINVAL, "boards: \"after\" and \"limit\": use whole numbers of at least 0");
    if (status)
        return status;
    size_t count = prf_fleet_count(self->hub->fleet), most = limit > 0 && limit < BOARDS ? (size_t)limit : BOARDS, total = 0;
    uint64_t now_ms = prf_clock_mono_ms();
    json_t *boards = json_array(), *next = NULL;
    for (size_t i = 0; !status && i < count; i++) {
        const prf_fleet_board_t *b = prf_fleet_at(self->hub->fleet, i);
        if (!passes(self, b, &filter))
            continue;
        total++;
        if (i < (size_t)after || next)
            continue;
        json_t *board = NULL;
        if (json_array_size(boards) == most)
            next = json_integer((json_int_t)i);
        else if ((status = one_board(self, b, now_ms, &board, err)) == PRF_OK)
            json_array_append_new(boards, board);
    }
    if (status) {
        json_decref(boards);
        json_decref(next);
        return status;
    }
    *out = json_pack("{s:o, s:I, s:o}", "boards", boards, "total", (json_int_t)total, "next", next ? next : json_null());
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "list of boards");
}
