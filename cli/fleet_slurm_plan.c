// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_plan.c - wanted is a quotient between two limits; the rest is about not asking for what is of no use: after a
 * refusal, after a worker that failed or that found nothing it could do, while workers run that the coordinator does not hear. */
#include "fleet_slurm_plan.h"

/* What fails together counts once: failures during a hold are those of jobs that were submitted before it. */
static void fail(prf_slurm_memory_t *memory, uint64_t now_ms)
{
    if (now_ms < memory->hold_until_ms)
        return;
    uint64_t hold = PRF_SLURM_FIRST_HOLD_MS;
    for (unsigned i = 0; i < memory->failures && hold < PRF_SLURM_LAST_HOLD_MS; i++)
        hold *= 2;
    memory->failures++;
    memory->hold_until_ms = now_ms + (hold < PRF_SLURM_LAST_HOLD_MS ? hold : PRF_SLURM_LAST_HOLD_MS);
}

void prf_slurm_note_refusal(prf_slurm_memory_t *memory, uint64_t now_ms)
{
    fail(memory, now_ms);
}

void prf_slurm_note_end(prf_slurm_memory_t *memory, prf_slurm_end_t end, uint64_t ran_ms, uint64_t now_ms)
{
    bool fruitless = end == PRF_SLURM_END_WELL && memory->progress_ms + ran_ms < now_ms;
    if (end == PRF_SLURM_END_FAILED || fruitless)
        fail(memory, now_ms);
}

void prf_slurm_note_done(prf_slurm_memory_t *memory, uint64_t done, uint64_t now_ms)
{
    if (done > memory->done) {
        memory->progress_ms = now_ms;
        memory->failures = 0;
        memory->hold_until_ms = 0;
    }
    memory->done = done; /* a coordinator that was started anew counts from 0 */
}

static size_t wanted(const prf_slurm_kind_t *kind, const prf_slurm_seen_t *seen)
{
    size_t each = (size_t)kind->jobs_per_worker, least = (size_t)kind->least, most = (size_t)kind->most;
    size_t count = seen->queued / each + (seen->queued % each > 0);
    if (count == 0 && seen->waits)
        count = 1;
    return count < least ? least : count > most ? most : count;
}

prf_slurm_plan_t prf_slurm_plan(const prf_slurm_kind_t *kind, const prf_slurm_seen_t *seen, const prf_slurm_memory_t *memory,
                                uint64_t now_ms)
{
    prf_slurm_plan_t plan = {.wanted = wanted(kind, seen)};
    size_t have = seen->pending + seen->running, least = (size_t)kind->least;
    if (now_ms < memory->hold_until_ms) {
        plan.verdict = PRF_SLURM_HOLD;
        plan.hold_ms = memory->hold_until_ms - now_ms;
    } else if (seen->settled > 0 && seen->live == 0) {
        plan.verdict = PRF_SLURM_UNJOINED;
    }
    if (have > plan.wanted) {
        size_t more = have - plan.wanted, idle_ones = seen->staying < have ? have - seen->staying : 0;
        plan.cancel = more < idle_ones ? more : idle_ones;
        plan.cancel = plan.cancel < seen->pending ? plan.cancel : seen->pending;
    } else if (plan.verdict == PRF_SLURM_GO) {
        size_t more = plan.wanted - have, stay = seen->staying < least ? least - seen->staying : 0;
        plan.submit = more < PRF_SLURM_BURST ? more : PRF_SLURM_BURST;
        plan.stay = stay < plan.submit ? stay : plan.submit;
    }
    return plan;
}
