// SPDX-License-Identifier: Apache-2.0
/* drive.c - a whole campaign in this process: the coordinator's engine asks, the worker's measuring answers from the simulated
 * board, and no time is lost between them. What a farm would add (processes, a store, several boards) changes no outcome: that is
 * what the engine's tests promise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "engine.h"
#include "measure/measure.h"

extern const prf_backend_t prf_backend_sim;

void die(const prf_error_t *err, const char *what)
{
    fprintf(stderr, "accuracy: %s%s%s\n", what, err && err->text[0] ? ": " : "", err ? err->text : "");
    exit(1);
}

void *must(void *memory)
{
    if (!memory)
        die(NULL, "out of memory");
    return memory;
}

void device_open(device_t *self, const prf_campaign_t *campaign, bool noisy, uint64_t seed)
{
    prf_error_t err = {0};
    char number[32];
    const char *options[PRF_CAMPAIGN_OPTIONS + 3];
    size_t count = 0;
    for (; count < campaign->boards[0].option_count; count++)
        options[count] = campaign->boards[0].options[count];
    if (noisy) {
        snprintf(number, sizeof number, "seed=%llu", (unsigned long long)seed);
        options[count++] = "noise=2";
        options[count++] = "slow=5";
        options[count++] = number;
    }
    self->protocol = campaign->protocol;
    if (prf_backend_sim.open(options, count, &self->board, &err))
        die(&err, campaign->name);
}

void device_close(device_t *self)
{
    prf_backend_sim.close(&self->board);
}

static bool measure_all(device_t *self, const prf_block_t *blocks, size_t count, prf_sample_t *sample, prf_error_t *err)
{
    prf_status_t status =
        prf_measure(&prf_backend_sim, self->board, &self->protocol, &(prf_chain_t){.blocks = blocks, .count = count}, sample, err);
    if (status && status != PRF_EUNSUPPORTED)
        die(err, "measuring");
    return !status;
}

bool device_measure(device_t *self, const prf_block_t *block, double *latency_ns)
{
    prf_sample_t sample;
    if (!measure_all(self, block, 1, &sample, NULL))
        return false;
    *latency_ns = sample.latency_ns;
    return true;
}

/* Keeps what training may see; second measurements and validation are for the engine alone. */
static void keep(drive_t *self, const prf_want_t *want, double latency_ns)
{
    if (want->block_count != 1 || want->attempt > 0 || strcmp(want->role, "validation") == 0)
        return;
    if (self->asked_count == self->asked_cap) {
        self->asked_cap = self->asked_cap ? 2 * self->asked_cap : 256;
        self->asked = must(realloc(self->asked, self->asked_cap * sizeof *self->asked));
        self->latency_ns = must(realloc(self->latency_ns, self->asked_cap * sizeof *self->latency_ns));
        self->roles = must(realloc(self->roles, self->asked_cap * sizeof *self->roles));
    }
    self->asked[self->asked_count] = want->blocks[0];
    self->latency_ns[self->asked_count] = latency_ns;
    self->roles[self->asked_count++] = want->role;
}

static void answer(drive_t *self, const prf_want_t *want)
{
    prf_error_t err = {0};
    prf_sample_t sample;
    bool ok = measure_all(&self->device, want->blocks, want->block_count, &sample, &err);
    prf_digest_t point = want->point;
    if (ok)
        keep(self, want, sample.latency_ns);
    if (prf_engine_answer(self->engine, &point, want->attempt, ok ? &sample : NULL, false, ok ? NULL : err.text, &err))
        die(&err, "the engine");
}

/* Until the model is final. */
static void go(drive_t *self)
{
    prf_error_t err = {0};
    for (;;) {
        prf_want_t want;
        if (prf_engine_next(self->engine, &want)) {
            answer(self, &want);
            continue;
        }
        prf_training_t *task = prf_engine_training(self->engine);
        if (!task)
            break;
        uint64_t begin = prf_clock_mono_ns();
        prf_training_run(task);
        self->training_seconds += (double)(prf_clock_mono_ns() - begin) / 1e9;
        if (prf_engine_trained(self->engine, task, &err))
            die(&err, "training");
    }
}

static void begin(drive_t *self, const case_t *which, uint32_t budget, uint64_t seed)
{
    prf_error_t err = {0};
    char path[512];
    prf_campaign_t campaign;
    snprintf(path, sizeof path, "%s/%s.yaml", PRF_CAMPAIGNS, which->campaign);
    if (prf_campaign_load(&campaign, path, NULL, &err))
        die(&err, path);
    campaign.samples = budget;
    campaign.seed = seed;
    campaign.baseline = false; /* the report has rivals of its own */
    device_open(&self->device, &campaign, which->noisy, seed);
    prf_board_facts_t facts;
    prf_backend_sim.describe(self->device.board, &facts);
    if (prf_engine_new(&self->engine, &campaign, NULL, 0, &err) ||
        prf_engine_pin(self->engine, 0, facts.fingerprint, facts.kinds, facts.dtypes, facts.flags, &err))
        die(&err, path);
    self->campaign = prf_engine_campaign(self->engine);
}

void drive_run(drive_t *self, const case_t *which, uint32_t budget, uint64_t seed)
{
    prf_error_t err = {0};
    size_t len;
    uint32_t version;
    *self = (drive_t){.asked_count = 0};
    begin(self, which, budget, seed);
    go(self);
    const void *file = prf_engine_model(self->engine, 0, &len, &version);
    if (!file) {
        char *text = json_dumps(prf_engine_status(self->engine), 0);
        die(NULL, text ? text : "no model");
    }
    if (prf_model_decode(&self->model, file, len, &err))
        die(&err, "the model's file");
}

void drive_release(drive_t *self)
{
    prf_model_destroy(&self->model);
    prf_engine_destroy(&self->engine);
    device_close(&self->device);
    free(self->asked);
    free(self->latency_ns);
    free(self->roles);
}
