// SPDX-License-Identifier: Apache-2.0
/* engine_train.c - the training task: a snapshot of a kind's measurements that another thread turns into a model.
 *
 * Whether an estimate should first map the layer to its Performance Representative is not taken on faith: where layers were
 * swept, two models are trained on the sample alone, with and without mapping, and each layer kind keeps what predicts its swept
 * layers better. Without a sweep (white box) the widths are given and mapping is right by definition. The final model then learns
 * from the swept layers too: they were paid for. The random baseline is the same recipe, unmapped, on as many layers from the
 * original space.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine_internal.h"

typedef struct {
    prf_observation_t *items; /* owned */
    size_t count;
} observations_t;

typedef struct {
    prf_space_t space;
    prf_steps_t steps;
    observations_t sampled, swept, all, validation, random;
} snapshot_t;

struct prf_training {
    size_t board;
    char kind[PRF_NAME];
    uint64_t seed;
    snapshot_t *tracks; /* owned */
    size_t track_count;
    prf_provenance_t provenance;
    /* outcome */
    prf_status_t status;
    prf_error_t error;
    prf_model_t *model; /* owned */
    void *file;         /* owned */
    size_t file_len;
    double seconds;
};

static prf_status_t add(observations_t *to, const prf_layer_t *layer, double latency_ns, prf_error_t *err)
{
    prf_observation_t *items = realloc(to->items, (to->count + 1) * sizeof *items);
    if (!items)
        return prf_fail(err, PRF_ENOMEM, "training data");
    to->items = items;
    to->items[to->count++] = (prf_observation_t){.layer = *layer, .latency_ns = latency_ns};
    return PRF_OK;
}

/* The first `count` probes of a list, as far as they were measured. */
static prf_status_t collect(const prf_engine_t *self, const kind_t *kind, const list_t *list, size_t count, observations_t *to,
                            observations_t *also, prf_error_t *err)
{
    for (size_t i = 0; i < count && i < list->count; i++) {
        const prf_layer_t *layer = &kind->probes[list->items[i]].block.layers[0];
        double latency_ns;
        if (!probe_latency(self, kind, list->items[i], &latency_ns))
            continue;
        prf_status_t status = add(to, layer, latency_ns, err);
        if (!status && also)
            status = add(also, layer, latency_ns, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

/* A validation layer's truth is the mean of its independent measurements; their spread is the repeatability. */
static prf_status_t collect_validation(const prf_engine_t *self, const kind_t *kind, const track_t *track, observations_t *to,
                                       double *spread, size_t *pairs, prf_error_t *err)
{
    uint32_t repeats = self->campaign.repeats;
    for (size_t i = 0; i + repeats <= track->validated.count; i += repeats) {
        double sum = 0, first = 0, latency_ns;
        uint32_t n = 0;
        for (uint32_t a = 0; a < repeats; a++) {
            if (!probe_latency(self, kind, track->validated.items[i + a], &latency_ns))
                continue;
            if (n == 0)
                first = latency_ns;
            else {
                *spread += fabs(latency_ns - first) / first;
                (*pairs)++;
            }
            sum += latency_ns;
            n++;
        }
        prf_status_t status = n ? add(to, &kind->probes[track->validated.items[i]].block.layers[0], sum / n, err) : PRF_OK;
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t snapshot_track(const prf_engine_t *self, const kind_t *kind, const track_t *track, snapshot_t *to,
                                   double *spread, size_t *pairs, prf_error_t *err)
{
    to->space = track->layer->space;
    to->steps = track->steps;
    prf_status_t status = collect(self, kind, &track->representatives, SIZE_MAX, &to->sampled, &to->all, err);
    if (!status)
        status = collect(self, kind, &track->random, track->random_trained, &to->sampled, &to->all, err);
    if (!status)
        status = collect(self, kind, &track->swept, SIZE_MAX, &to->swept, &to->all, err);
    if (!status && self->campaign.baseline)
        status = collect(self, kind, &track->random, SIZE_MAX, &to->random, NULL, err);
    if (!status)
        status = collect_validation(self, kind, track, &to->validation, spread, pairs, err);
    return status;
}

void prf_training_destroy(prf_training_t **task)
{
    if (!task || !*task)
        return;
    prf_training_t *t = *task;
    for (size_t i = 0; i < t->track_count; i++) {
        snapshot_t *s = &t->tracks[i];
        free(s->sampled.items);
        free(s->swept.items);
        free(s->all.items);
        free(s->validation.items);
        free(s->random.items);
    }
    free(t->tracks);
    prf_model_destroy(&t->model);
    free(t->file);
    free(t);
    *task = NULL;
}

static prf_training_t *snapshot(const prf_engine_t *self, size_t board, prf_error_t *err)
{
    const kind_t *kind = &self->kinds[board];
    prf_training_t *t = calloc(1, sizeof *t);
    snapshot_t *tracks = calloc(kind->track_count, sizeof *tracks);
    if (!t || !tracks) {
        free(t);
        free(tracks);
        prf_fail(err, PRF_ENOMEM, "training data");
        return NULL;
    }
    t->board = board;
    t->tracks = tracks;
    t->track_count = kind->track_count;
    t->seed = self->campaign.seed;
    snprintf(t->kind, sizeof t->kind, "%s", self->campaign.boards[board].kind);
    double spread = 0;
    size_t pairs = 0;
    prf_provenance_t *from = &t->provenance;
    for (size_t i = 0; i < kind->track_count; i++) {
        if (snapshot_track(self, kind, &kind->tracks[i], &tracks[i], &spread, &pairs, err))
            prf_training_destroy(&t);
        if (!t)
            return NULL;
        from->sweep_samples += (uint32_t)tracks[i].swept.count;
        from->samples += (uint32_t)tracks[i].all.count;
    }
    memcpy(from->campaign, self->campaign.name, sizeof from->campaign);
    memcpy(from->fingerprint, kind->fingerprint, sizeof from->fingerprint);
    from->seed = self->campaign.seed;
    from->repeatability_percent = pairs ? 100 * spread / (double)pairs : (double)NAN;
    from->random_baseline_percent = (double)NAN;
    return t;
}

size_t prf_training_board(const prf_training_t *task)
{
    return task->board;
}

prf_training_t *prf_engine_training(prf_engine_t *self)
{
    for (size_t board = 0; board < self->campaign.board_count; board++) {
        kind_t *kind = &self->kinds[board];
        if (kind->stage != PRF_STAGE_TRAIN || kind->training)
            continue;
        prf_error_t err = {0};
        prf_training_t *task = snapshot(self, board, &err);
        if (task) {
            kind->training = true;
            return task;
        }
        kind_fail(kind, err.text);
    }
    return NULL;
}

typedef enum { ON_SAMPLED, ON_ALL, ON_RANDOM } diet_t;

static const observations_t *diet_of(const snapshot_t *s, diet_t diet)
{
    return diet == ON_ALL ? &s->all : diet == ON_RANDOM ? &s->random : &s->sampled;
}

/* Time may be up before there is anything to compare. */
static bool trainable(const prf_training_t *t, diet_t diet)
{
    for (size_t i = 0; i < t->track_count; i++)
        if (diet_of(&t->tracks[i], diet)->count >= PRF_TRAIN_LEAST)
            return true;
    return false;
}

/* Trains one model on one choice of the data; `mapped[i]` for each track. */
static prf_status_t train(const prf_training_t *t, diet_t diet, const bool *mapped, prf_model_t **out, prf_error_t *err)
{
    prf_train_layer_t *layers = calloc(t->track_count, sizeof *layers);
    if (!layers)
        return prf_fail(err, PRF_ENOMEM, "training data");
    for (size_t i = 0; i < t->track_count; i++) {
        const snapshot_t *s = &t->tracks[i];
        const observations_t *data = diet_of(s, diet);
        const observations_t *judge = diet == ON_SAMPLED ? &s->swept : &s->validation;
        layers[i] = (prf_train_layer_t){.space = s->space,
                                        .steps = s->steps,
                                        .train = data->items,
                                        .train_count = data->count,
                                        .validation = judge->items,
                                        .validation_count = judge->count,
                                        .map_queries = mapped[i]};
    }
    prf_train_input_t input = {
        .kind = t->kind, .layers = layers, .layer_count = t->track_count, .seed = t->seed, .provenance = t->provenance};
    prf_status_t status = prf_model_train(out, &input, err);
    free(layers);
    return status;
}

/* Error of a model on one track's judging layers; infinite where it has none. */
static double error_on(const prf_model_t *model, const snapshot_t *track)
{
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t layer;
        prf_model_layer(model, i, &layer);
        if (layer.kind == track->space.kind && layer.dtype == track->space.dtype && layer.validation.count > 0)
            return layer.validation.mape_percent;
    }
    return (double)INFINITY;
}

/* Fills mapped[]: see the head of this file. */
static prf_status_t choose_mapping(const prf_training_t *t, bool *mapped, prf_error_t *err)
{
    bool *never = calloc(t->track_count, sizeof *never);
    prf_model_t *with = NULL, *without = NULL;
    bool swept = false;
    for (size_t i = 0; i < t->track_count; i++) {
        mapped[i] = true;
        swept = swept || t->tracks[i].swept.count > 0;
    }
    prf_status_t status = never ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    bool comparable = trainable(t, ON_SAMPLED);
    if (!status && swept && comparable)
        status = train(t, ON_SAMPLED, mapped, &with, err);
    if (!status && swept && comparable)
        status = train(t, ON_SAMPLED, never, &without, err);
    for (size_t i = 0; !status && i < t->track_count; i++)
        if (t->tracks[i].swept.count > 0)
            mapped[i] = comparable && error_on(with, &t->tracks[i]) < error_on(without, &t->tracks[i]);
    prf_model_destroy(&with);
    prf_model_destroy(&without);
    free(never);
    return status;
}

static prf_status_t train_baseline(prf_training_t *t, bool *mapped, prf_error_t *err)
{
    if (!trainable(t, ON_RANDOM))
        return PRF_OK;
    memset(mapped, 0, t->track_count * sizeof *mapped);
    prf_model_t *model = NULL;
    prf_status_t status = train(t, ON_RANDOM, mapped, &model, err);
    if (!status)
        t->provenance.random_baseline_percent = prf_model_provenance(model)->validation.mape_percent;
    prf_model_destroy(&model);
    return status;
}

void prf_training_run(prf_training_t *t)
{
    uint64_t begin = prf_clock_mono_ns();
    bool *mapped = calloc(t->track_count, sizeof *mapped);
    t->status = mapped ? PRF_OK : prf_fail(&t->error, PRF_ENOMEM, "training data");
    if (!t->status)
        t->status = train_baseline(t, mapped, &t->error);
    if (!t->status)
        t->status = choose_mapping(t, mapped, &t->error);
    if (!t->status)
        t->status = train(t, ON_ALL, mapped, &t->model, &t->error);
    if (!t->status)
        t->status = prf_model_encode(t->model, &t->file, &t->file_len, &t->error);
    free(mapped);
    t->seconds = (double)(prf_clock_mono_ns() - begin) / 1e9;
}

/* Good enough, out of rounds, or out of time. */
static bool final(const prf_engine_t *self, const kind_t *kind, const prf_training_t *t)
{
    double mape = prf_model_provenance(t->model)->validation.mape_percent;
    return kind->round + 1 >= kind->rounds || plan_time_is_up(self, kind) || mape <= self->campaign.target_mape;
}

prf_status_t prf_engine_trained(prf_engine_t *self, prf_training_t *task, prf_error_t *err)
{
    size_t board = task->board;
    kind_t *kind = &self->kinds[board];
    prf_status_t status = PRF_OK;
    kind->training = false;
    kind->seconds_training += task->seconds;
    if (kind->stage != PRF_STAGE_TRAIN) {
        /* failed or cancelled while it was away */
    } else if (task->status) {
        kind_fail(kind, task->error.text);
    } else {
        kind->provenance = *prf_model_provenance(task->model);
        if (!final(self, kind, task)) {
            status = plan_round(self, board, err);
            if (status)
                kind_fail(kind, err ? err->text : prf_status_name(status));
        } else {
            kind->model = task->model;
            kind->file = task->file;
            kind->file_len = task->file_len;
            task->model = NULL;
            task->file = NULL;
            status = refresh_start(self, board, err);
            if (status)
                kind_fail(kind, err ? err->text : prf_status_name(status));
        }
    }
    prf_training_destroy(&task);
    return status;
}
