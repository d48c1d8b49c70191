// SPDX-License-Identifier: Apache-2.0
#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "rack.h"

enum {
    LATEST_PERCENT = 98, /* of the campaign, so that the last deed is done before it ends */
    AFTER_MS = 300,
    HASTY_PERCENT = 8, /* kills of what was started just before */
    HASTY_MS = 150,
    FREEZE_MS = 4000, /* heartbeats are given up after a second */
    FREEZE_COORDINATOR_PERCENT = 30,
    OTHERS = 8, /* deeds that do not depend on the number of kills */
    BRIEF = 4   /* a one-way cut lasts this part of a partition */
};

const scenario_t scenarios[] = {
    {.name = "kills", .help = "half of the kills hit the coordinator, half the workers", .kill_percent = 100},
    {.name = "freeze", .help = "SIGSTOP and SIGCONT", .freeze_percent = 25},
    {.name = "frames", .help = "messages lost, late, twice, out of order", .faults = true},
    {.name = "partition", .help = "half of the workers cut off: both ways, then one way only", .cuts = true},
    {.name = "hosts", .help = "workers on hosts of their own, half of the cables pulled (needs root)", .unplugs = true},
    {.name = "clock", .help = "wall clocks that jump, and a tenth of the kills", .clock_jumps = true, .kill_percent = 10},
    {.name = "disk", .help = "the disk of the store full for a while (needs root)", .fills = true},
    {.name = "flips",
     .help = "flipped bits and torn writes in store and spools, mended as the manual says",
     .damage_percent = 25,
     .cuts = true},
    {.name = "mixed",
     .help = "all of it at once, but damage (needs root)",
     .kill_percent = 50,
     .freeze_percent = 5,
     .cuts = true,
     .fills = true,
     .faults = true,
     .clock_jumps = true},
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

const scenario_t *scenario_find(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

typedef struct {
    schedule_t *out;
    const schedule_options_t *options;
    prf_rng_t rng;
} maker_t;

static deed_t *add(maker_t *m, deed_kind_t kind, size_t at)
{
    deed_t *deed = &m->out->deeds[m->out->count++];
    *deed = (deed_t){.at = at, .kind = kind, .after_ms = (unsigned)prf_rng_below(&m->rng, AFTER_MS), .seed = prf_rng_u64(&m->rng)};
    return deed;
}

static size_t any_time(maker_t *m)
{
    return (size_t)prf_rng_below(&m->rng, 1 + m->options->points * LATEST_PERCENT / 100);
}

static size_t at_percent(const maker_t *m, unsigned percent)
{
    return m->options->points * percent / 100;
}

static int any_worker(maker_t *m)
{
    return (int)prf_rng_below(&m->rng, m->options->workers);
}

/* Half of them hit the store, half a spool. */
static void add_damages(maker_t *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        add(m, DEED_DAMAGE, any_time(m))->who = i % 2 ? any_worker(m) : RACK_COORDINATOR;
}

/* A hasty kill follows another one closely, and so meets a program that has only just been started. */
static void add_kills(maker_t *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int who = i % 2 ? any_worker(m) : RACK_COORDINATOR;
        size_t at = any_time(m);
        bool hasty = i >= 2 && prf_rng_below(&m->rng, 100) < HASTY_PERCENT;
        if (hasty) {
            const deed_t *before = &m->out->deeds[m->out->count - 2];
            at = before->at;
            who = before->who;
        }
        deed_t *deed = add(m, DEED_KILL, at);
        deed->who = who;
        if (hasty)
            deed->after_ms %= HASTY_MS;
    }
    m->out->kills = count;
}

static void add_freezes(maker_t *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        deed_t *deed = add(m, DEED_FREEZE, any_time(m));
        deed->who = prf_rng_below(&m->rng, 100) < FREEZE_COORDINATOR_PERCENT ? RACK_COORDINATOR : any_worker(m);
        deed->for_ms = 100 + (unsigned)prf_rng_below(&m->rng, FREEZE_MS);
    }
}

static void add_partitions(maker_t *m, deed_kind_t kind)
{
    static const unsigned ways[] = {PROXY_UP | PROXY_DOWN, PROXY_UP, PROXY_DOWN};
    for (unsigned i = 0; i < (kind == DEED_CUT ? 3u : 1u); i++) {
        deed_t *deed = add(m, kind, at_percent(m, 15 + 25 * i));
        deed->directions = ways[i];
        deed->for_ms = i == 0 ? m->options->hold_ms : m->options->hold_ms / BRIEF;
    }
}

/* Stable, so that a hasty kill stays behind the one that it follows. */
static void sort(schedule_t *schedule)
{
    for (size_t i = 1; i < schedule->count; i++) {
        deed_t deed = schedule->deeds[i];
        size_t to = i;
        for (; to > 0 && schedule->deeds[to - 1].at > deed.at; to--)
            schedule->deeds[to] = schedule->deeds[to - 1];
        schedule->deeds[to] = deed;
    }
}

prf_status_t schedule_make(schedule_t *out, const schedule_options_t *options, prf_error_t *err)
{
    const scenario_t *scenario = options->scenario;
    unsigned kills = options->kills * scenario->kill_percent / 100;
    unsigned freezes = options->kills * scenario->freeze_percent / 100, damages = options->kills * scenario->damage_percent / 100;
    schedule_t schedule = {.deeds = calloc(kills + freezes + damages + OTHERS, sizeof *schedule.deeds)};
    maker_t m = {.out = &schedule, .options = options};
    if (!schedule.deeds)
        return prf_fail(err, PRF_ENOMEM, "schedule");
    prf_rng_init(&m.rng, options->seed, prf_rng_stream(scenario->name));
    add_kills(&m, kills);
    add_freezes(&m, freezes);
    add_damages(&m, damages);
    if (scenario->cuts)
        add_partitions(&m, DEED_CUT);
    if (scenario->unplugs)
        add_partitions(&m, DEED_UNPLUG);
    if (scenario->fills)
        add(&m, DEED_FILL_DISK, at_percent(&m, 30))->for_ms = options->hold_ms;
    if (scenario->faults)
        schedule.faults = (proxy_faults_t){.drop = 0.02, .duplicate = 0.02, .delay = 0.04, .reorder = 0.04, .delay_ms = 400};
    sort(&schedule);
    *out = schedule;
    return PRF_OK;
}

void schedule_release(schedule_t *self)
{
    free(self->deeds);
    *self = (schedule_t){0};
}
