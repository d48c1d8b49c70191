// SPDX-License-Identifier: Apache-2.0
/* tally.c - boards of one kind mostly stand together, and mostly run the same version: so the place that was found last is looked
 * at first. */
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* NULL: out of memory. */
static prf_tally_kind_t *place_of(prf_tally_t *self, const char *kind, prf_tally_kind_t *last)
{
    if (last && strcmp(last->kind, kind) == 0)
        return last;
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->kinds[i].kind, kind) == 0)
            return &self->kinds[i];
    if (self->count > PRF_TALLY_KINDS)
        return &self->kinds[PRF_TALLY_KINDS];
    if ((self->count & (self->count - 1)) == 0) { /* full: rooms are powers of two */
        prf_tally_kind_t *kinds = realloc(self->kinds, (self->count ? 2 * self->count : 1) * sizeof *kinds);
        if (!kinds)
            return NULL;
        self->kinds = kinds;
    }
    prf_tally_kind_t *place = &self->kinds[self->count++];
    *place = (prf_tally_kind_t){.live = 0};
    snprintf(place->kind, sizeof place->kind, "%s", self->count > PRF_TALLY_KINDS ? "(other)" : kind);
    return place;
}

static bool count_run(prf_tally_kind_t *kind, uint32_t version)
{
    for (size_t i = 0; i < kind->run_count; i++)
        if (kind->runs[i].version == version) {
            kind->runs[i].boards++;
            return true;
        }
    prf_tally_runs_t *runs = realloc(kind->runs, (kind->run_count + 1) * sizeof *runs);
    if (!runs)
        return false;
    kind->runs = runs;
    runs[kind->run_count++] = (prf_tally_runs_t){version, 1};
    return true;
}

static bool count_live(prf_tally_kind_t *kind, const prf_fleet_board_t *board, uint64_t now_ms)
{
    prf_pace_rate_t rate = prf_pace_rate(&board->pace, now_ms);
    kind->live++;
    kind->jobs_per_second += rate.jobs_per_second;
    kind->utilisation_percent += rate.utilisation_percent;
    if (board->pace.temperature_mc > 0) {
        uint32_t degrees = (board->pace.temperature_mc + 500) / 1000;
        kind->degrees[degrees < PRF_TALLY_DEGREES ? degrees : PRF_TALLY_DEGREES - 1]++;
    }
    return board->model.version == 0 || count_run(kind, board->model.version);
}

static bool count_board(prf_tally_t *self, prf_tally_kind_t *kind, const prf_hub_t *hub, const prf_sessions_t *sessions,
                        const prf_fleet_board_t *board, uint64_t now_ms)
{
    kind->boards[prf_sessions_state(sessions, board)]++;
    kind->done += board->done;
    for (int f = 0; f < PRF_FAILURES; f++)
        kind->failures[f] += board->failures[f];
    self->leased += prf_sched_leases(hub->sched, board->number);
    return !board->live || count_live(kind, board, now_ms);
}

static bool count_boards(prf_tally_t *self, const prf_hub_t *hub, const prf_sessions_t *sessions)
{
    uint64_t now_ms = prf_clock_mono_ms();
    prf_tally_kind_t *kind = NULL;
    for (size_t i = 0; i < prf_fleet_count(hub->fleet); i++) {
        const prf_fleet_board_t *board = prf_fleet_at(hub->fleet, i);
        kind = place_of(self, board->facts.kind, kind);
        if (!kind || !count_board(self, kind, hub, sessions, board, now_ms))
            return false;
    }
    return true;
}

static bool find_models(prf_tally_t *self, const prf_publisher_t *publisher)
{
    prf_model_version_t model;
    prf_model_note_t note;
    for (size_t i = 0; prf_publisher_next(publisher, &i, &model, &note); i++)
        if (!place_of(self, model.kind, NULL))
            return false;
    for (size_t i = 0; i < self->count; i++) {
        prf_tally_kind_t *kind = &self->kinds[i];
        if (prf_publisher_current(publisher, kind->kind, &model))
            kind->current = model.version;
        if (prf_publisher_newest(publisher, kind->kind, &model))
            kind->newest = model.version;
    }
    return true;
}

prf_status_t prf_tally_take(prf_tally_t *out, const prf_hub_t *hub, const prf_sessions_t *sessions, prf_error_t *err)
{
    *out = (prf_tally_t){.count = 0};
    if (count_boards(out, hub, sessions) && find_models(out, hub->publisher))
        return PRF_OK;
    return prf_fail(err, PRF_ENOMEM, "a tally of %zu boards", prf_fleet_count(hub->fleet));
}

void prf_tally_release(prf_tally_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->kinds[i].runs);
    free(self->kinds);
    *self = (prf_tally_t){.count = 0};
}

const prf_tally_kind_t *prf_tally_find(const prf_tally_t *self, const char *kind)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->kinds[i].kind, kind) == 0)
            return &self->kinds[i];
    return self->count > PRF_TALLY_KINDS ? &self->kinds[PRF_TALLY_KINDS] : NULL;
}

uint32_t prf_tally_run_by(const prf_tally_kind_t *kind, uint32_t version)
{
    for (size_t i = 0; kind && i < kind->run_count; i++)
        if (kind->runs[i].version == version)
            return kind->runs[i].boards;
    return 0;
}
