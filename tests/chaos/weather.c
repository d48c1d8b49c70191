// SPDX-License-Identifier: Apache-2.0
/* weather.c - deeds are done one after the other, in their order; what lasts is kept in a list until its time is over, while the
 * next deeds go on.
 *
 * A partition is judged twice: the workers beyond it must bring something meanwhile, so it is held until they have (a coordinator
 * that was killed or a slow machine may need longer than a brief partition lasts) or have long had the time to; and at the
 * campaign's end those that were cut off must have brought something since, if there was work enough for everyone. */
#include "weather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ballast.h"
#include "base/clock.h"
#include "base/rng.h"
#include "damage.h"
#include "hosts.h"

#define SPOOL_ENDING ".v1"
enum { LASTING = 64, ENOUGH_WORK = 20 /* measurements a worker */, PROLONGED_MS = 20000 };

typedef struct {
    const deed_t *deed;
    uint64_t until_ms;
    uint64_t cut_off;           /* a bit a worker */
    size_t acked[RACK_WORKERS]; /* of each, when it began */
} lasting_t;

/* Workers that were cut off, and what they had brought when that ended. */
typedef struct {
    uint64_t cut_off;
    size_t total, acked[RACK_WORKERS];
} healed_t;

struct weather {
    rack_t *rack;
    const schedule_t *schedule;
    size_t next;
    uint64_t armed_ms; /* when the next deed is to be done; 0: not due yet */
    lasting_t lasting[LASTING];
    size_t lasting_count;
    healed_t healed;
    size_t damages;
    char store[RACK_PATH + 16];
};

prf_status_t weather_new(weather_t **out, rack_t *rack, const schedule_t *schedule, prf_error_t *err)
{
    weather_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "weather");
    self->rack = rack;
    self->schedule = schedule;
    snprintf(self->store, sizeof self->store, "%s/store", rack_dir(rack));
    proxy_fault(rack_proxy(rack), &schedule->faults);
    *out = self;
    return PRF_OK;
}

void weather_destroy(weather_t **self)
{
    free(*self);
    *self = NULL;
}

static bool is_off(uint64_t set, size_t worker)
{
    return set >> worker & 1;
}

/* Half of the workers, by the deed's own seed. */
static uint64_t half(const weather_t *self, const deed_t *deed)
{
    size_t order[RACK_WORKERS], count = rack_workers(self->rack);
    prf_rng_t rng;
    uint64_t set = 0;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    prf_rng_init(&rng, deed->seed, 0);
    prf_rng_shuffle(&rng, order, count, sizeof *order);
    for (size_t i = 0; i < count / 2; i++)
        set |= (uint64_t)1 << order[i];
    return set;
}

static void count_acked(const weather_t *self, size_t acked[RACK_WORKERS])
{
    for (size_t i = 0; i < rack_workers(self->rack); i++)
        acked[i] = ledger_acked_by(rack_ledger(self->rack), i);
}

static prf_status_t set_partition(const weather_t *self, const lasting_t *l, bool whole, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    ledger_say(rack_ledger(self->rack), "%s %s directions=%u workers=%" PRIx64, whole ? "heal" : "begin",
               l->deed->kind == DEED_CUT ? "partition" : "cables pulled", l->deed->directions, l->cut_off);
    for (size_t i = 0; !status && i < rack_workers(self->rack); i++) {
        if (!is_off(l->cut_off, i))
            continue;
        if (l->deed->kind == DEED_CUT)
            proxy_cut(rack_proxy(self->rack), i, whole ? 0 : l->deed->directions);
        else
            status = hosts_cable(i, whole, (l->deed->seed >> i & 1) != 0, err);
    }
    return status;
}

static prf_status_t begin(weather_t *self, const deed_t *deed, prf_error_t *err)
{
    lasting_t *l = &self->lasting[self->lasting_count];
    *l = (lasting_t){.deed = deed, .until_ms = prf_clock_mono_ms() + deed->for_ms};
    self->lasting_count++;
    switch (deed->kind) {
    case DEED_FREEZE:
        rack_freeze(self->rack, deed->who);
        return PRF_OK;
    case DEED_FILL_DISK:
        ledger_say(rack_ledger(self->rack), "disk full");
        return ballast_fill(self->store, err);
    default:
        l->cut_off = half(self, deed);
        count_acked(self, l->acked);
        return set_partition(self, l, false, err);
    }
}

static size_t brought_by_others(const weather_t *self, const lasting_t *l)
{
    size_t others = 0;
    for (size_t i = 0; i < rack_workers(self->rack); i++)
        if (!is_off(l->cut_off, i))
            others += ledger_acked_by(rack_ledger(self->rack), i) - l->acked[i];
    return others;
}

static bool is_over(const weather_t *self, const lasting_t *l, uint64_t now)
{
    bool partition = l->deed->kind == DEED_CUT || l->deed->kind == DEED_UNPLUG;
    if (partition && l->until_ms + PROLONGED_MS > now && brought_by_others(self, l) == 0)
        return false;
    return l->until_ms <= now;
}

static prf_status_t end_partition(weather_t *self, const lasting_t *l, prf_error_t *err)
{
    prf_status_t status = set_partition(self, l, true, err);
    size_t others = brought_by_others(self, l);
    ledger_say(rack_ledger(self->rack), "the others brought %zu meanwhile", others);
    self->healed = (healed_t){.cut_off = l->cut_off, .total = ledger_acked(rack_ledger(self->rack))};
    count_acked(self, self->healed.acked);
    if (!status && others == 0)
        status = prf_fail(err, PRF_EINTERNAL, "a partition of %u ms stopped the workers beyond it for %u ms, too", l->deed->for_ms,
                          l->deed->for_ms + PROLONGED_MS);
    return status;
}

static prf_status_t end(weather_t *self, const lasting_t *l, prf_error_t *err)
{
    switch (l->deed->kind) {
    case DEED_FREEZE:
        rack_thaw(self->rack, l->deed->who);
        return PRF_OK;
    case DEED_FILL_DISK:
        ledger_say(rack_ledger(self->rack), "room on the disk again");
        ballast_free(self->store);
        return PRF_OK;
    default:
        return end_partition(self, l, err);
    }
}

static prf_status_t end_what_is_over(weather_t *self, prf_error_t *err)
{
    uint64_t now = prf_clock_mono_ms();
    size_t i = 0;
    while (i < self->lasting_count) {
        if (!is_over(self, &self->lasting[i], now)) {
            i++;
            continue;
        }
        lasting_t over = self->lasting[i];
        self->lasting[i] = self->lasting[--self->lasting_count];
        prf_status_t status = end(self, &over, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

/* The owner of the file is down. A spool that is not there holds nothing that could be damaged. */
static prf_status_t damage(weather_t *self, const deed_t *deed, prf_error_t *err)
{
    char dir[RACK_PATH + 80], log[RACK_PATH + 16], what[128] = "nothing to damage";
    if (deed->who == RACK_COORDINATOR) {
        snprintf(dir, sizeof dir, "%s/data.mdb", self->store);
        snprintf(log, sizeof log, "%s/fsck.log", rack_dir(self->rack));
        prf_status_t status = damage_file(dir, deed->seed, what, err);
        ledger_say(rack_ledger(self->rack), "store: %s", what);
        self->damages++;
        return status ? status : damage_mend_store(self->store, log, err);
    }
    rack_state(self->rack, deed->who, dir, sizeof dir);
    prf_status_t status = damage_one_of(dir, SPOOL_ENDING, deed->seed, what, err);
    ledger_say(rack_ledger(self->rack), "spool of worker %d: %s", deed->who, what);
    return status == PRF_ENOTFOUND ? PRF_OK : status;
}

static prf_status_t carry_out(weather_t *self, const deed_t *deed, prf_error_t *err)
{
    if (deed->kind != DEED_KILL && deed->kind != DEED_DAMAGE)
        return begin(self, deed, err);
    rack_kill(self->rack, deed->who);
    prf_status_t status = deed->kind == DEED_DAMAGE ? damage(self, deed, err) : PRF_OK;
    return status ? status : rack_start(self->rack, deed->who, err);
}

size_t weather_damages(const weather_t *self)
{
    return self->damages;
}

prf_status_t weather_step(weather_t *self, prf_error_t *err)
{
    prf_status_t status = end_what_is_over(self, err);
    while (!status && self->next < self->schedule->count && self->lasting_count < LASTING) {
        const deed_t *deed = &self->schedule->deeds[self->next];
        uint64_t now = prf_clock_mono_ms();
        if (self->armed_ms == 0 && ledger_measured(rack_ledger(self->rack)) >= deed->at)
            self->armed_ms = now + deed->after_ms;
        if (self->armed_ms == 0 || self->armed_ms > now)
            break;
        self->armed_ms = 0;
        self->next++;
        status = carry_out(self, deed, err);
    }
    return status;
}

bool weather_over(const weather_t *self)
{
    return self->next == self->schedule->count && self->lasting_count == 0;
}

prf_status_t weather_judge(const weather_t *self, prf_error_t *err)
{
    size_t since = ledger_acked(rack_ledger(self->rack)) - self->healed.total, count = rack_workers(self->rack);
    if (self->healed.cut_off == 0 || since < ENOUGH_WORK * count)
        return PRF_OK;
    for (size_t i = 0; i < count; i++)
        if (is_off(self->healed.cut_off, i) && ledger_acked_by(rack_ledger(self->rack), i) == self->healed.acked[i])
            return prf_fail(err, PRF_EINTERNAL, "worker %zu was cut off and never came back, though the farm brought %zu more", i,
                            since);
    return PRF_OK;
}
