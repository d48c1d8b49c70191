// SPDX-License-Identifier: Apache-2.0
/* engine_train.c - the training task: a snapshot of a kind's measurements that another thread turns into a model.
 *
 * The task first finds out how to sample and whether to map (engine_choose.c), then trains on everything that was measured to be
 * trained on: representatives, layers spread over the original space, what earlier models were least sure of, and the swept layers,
 * which were paid for. If another helping follows, the model says what is to be in it. Beside the last model stands the random
 * baseline: the same recipe, unmapped, on as many layers spread over the original space.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine_training.h"

prf_status_t observe(observations_t *to, const prf_observation_t *one, prf_error_t *err)
{
    if (to->count == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 64;
        prf_observation_t *items = realloc(to->items, cap * sizeof *items);
        if (!items)
            return prf_fail(err, PRF_ENOMEM, "training data");
        to->items = items;
        to->cap = cap;
    }
    to->items[to->count++] = *one;
    return PRF_OK;
}

/* A kind's measurements, looked at for their latency or their energy. */
typedef struct {
    const prf_engine_t *engine; /* borrowed, as the kind */
    const kind_t *kind;
    target_t target;
} view_t;

static bool see(const view_t *view, size_t probe, double *value)
{
    return passes_value(view->engine, view->kind, probe, view->target, value);
}

/* The first `count` probes of a list, as far as they were measured and not `seen`; NULL: whether seen or not. */
static prf_status_t collect(const view_t *view, const list_t *list, size_t count, bool *seen, observations_t *to,
                            observations_t *also, prf_error_t *err)
{
    for (size_t i = 0; i < count && i < list->count; i++) {
        size_t probe = list->items[i];
        prf_observation_t one = {.layer = *probe_layers(view->kind, probe)};
        if ((seen && seen[probe]) || !see(view, probe, &one.latency_ns))
            continue;
        if (seen)
            seen[probe] = true;
        prf_status_t status = to ? observe(to, &one, err) : PRF_OK;
        if (!status && also)
            status = observe(also, &one, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

double kind_repeatability(const prf_engine_t *self, const kind_t *kind, target_t target)
{
    uint32_t repeats = self->campaign.repeats;
    double spread = 0, first = 0, value;
    size_t pairs = 0;
    for (size_t t = 0; t < kind->track_count; t++) {
        const list_t *validated = &kind->tracks[t].validated;
        for (size_t i = 0; i + repeats <= validated->count; i += repeats) {
            uint32_t n = 0;
            for (uint32_t a = 0; a < repeats; a++) {
                if (!passes_value(self, kind, validated->items[i + a], target, &value))
                    continue;
                if (n++ == 0) {
                    first = value;
                    continue;
                }
                spread += fabs(value - first) / first;
                pairs++;
            }
        }
    }
    return pairs ? 100 * spread / (double)pairs : (double)NAN;
}

/* A validation layer's truth is the mean of its independent measurements. */
static prf_status_t collect_validation(const view_t *view, const track_t *track, observations_t *to, prf_error_t *err)
{
    uint32_t repeats = view->engine->campaign.repeats;
    for (size_t i = 0; i + repeats <= track->validated.count; i += repeats) {
        double sum = 0, value;
        uint32_t n = 0;
        for (uint32_t a = 0; a < repeats; a++) {
            if (!see(view, track->validated.items[i + a], &value))
                continue;
            sum += value;
            n++;
        }
        prf_observation_t one = {.layer = *probe_layers(view->kind, track->validated.items[i]), .latency_ns = n ? sum / n : 0};
        prf_status_t status = n ? observe(to, &one, err) : PRF_OK;
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t note_taken(const kind_t *kind, const list_t *list, size_t count, snapshot_t *to, prf_error_t *err)
{
    count = count < list->count ? count : list->count;
    prf_layer_t *taken = realloc(to->taken, (to->taken_count + count + 1) * sizeof *taken);
    if (!taken)
        return prf_fail(err, PRF_ENOMEM, "layers that are taken");
    to->taken = taken;
    for (size_t i = 0; i < count; i++)
        taken[to->taken_count++] = *probe_layers(kind, list->items[i]);
    return PRF_OK;
}

static prf_status_t snapshot_track(const view_t *view, const track_t *track, snapshot_t *to, prf_error_t *err)
{
    const prf_engine_t *self = view->engine;
    const kind_t *kind = view->kind;
    char use[32];
    snprintf(use, sizeof use, "pick %u", kind->round);
    to->space = track->layer->space;
    to->steps = track->steps;
    to->choice = track->choice;
    to->choice.picks = NULL;
    to->choice.pick_count = 0;
    to->room = plan_room(kind, track);
    to->seed = plan_stream(self, track, use);
    to->put_off = track->put_off;
    const struct {
        const list_t *list;
        size_t count;
        observations_t *to; /* beside `all` */
    } parts[] = {{&track->swept, SIZE_MAX, &to->swept},
                 {&track->representatives, SIZE_MAX, &to->representatives},
                 {&track->random, track->random_trained, &to->original},
                 {&track->active, SIZE_MAX, NULL}};
    bool *seen = calloc(kind->probe_count + 1, sizeof *seen);
    prf_status_t status = seen ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    for (size_t i = 0; !status && i < sizeof parts / sizeof *parts; i++) {
        status = collect(view, parts[i].list, parts[i].count, seen, parts[i].to, &to->all, err);
        if (!status)
            status = note_taken(kind, parts[i].list, parts[i].count, to, err);
    }
    free(seen);
    if (!status)
        status = note_taken(kind, &track->validated, SIZE_MAX, to, err);
    if (!status && self->campaign.baseline)
        status = collect(view, &track->random, SIZE_MAX, NULL, &to->random, NULL, err);
    if (!status)
        status = collect_validation(view, track, &to->validation, err);
    return status;
}

void prf_training_destroy(prf_training_t **task)
{
    if (!task || !*task)
        return;
    prf_training_t *t = *task;
    for (size_t i = 0; i < t->track_count; i++) {
        snapshot_t *s = &t->tracks[i];
        free(s->swept.items);
        free(s->representatives.items);
        free(s->original.items);
        free(s->all.items);
        free(s->validation.items);
        free(s->random.items);
        free(s->taken);
        free(s->choice.picks);
    }
    free(t->tracks);
    free(t->fusions);
    free(t->fused);
    prf_training_destroy(&t->energy);
    prf_model_destroy(&t->model);
    free(t->old_file);
    free(t->file);
    free(t);
    *task = NULL;
}

static void fill_in(const prf_engine_t *self, size_t board, prf_training_t *t)
{
    const kind_t *kind = &self->kinds[board];
    t->board = board;
    t->track_count = kind->track_count;
    t->seed = self->campaign.seed;
    bool over = plan_time_is_up(self, kind);
    t->trial = kind->trial && !over;
    t->last = over || (!t->trial && kind->round + 1 >= kind->rounds);
    t->baseline = self->campaign.baseline;
    t->timed = self->campaign.seconds > 0;
    t->target_mape = self->campaign.target_mape;
    snprintf(t->kind, sizeof t->kind, "%s", self->campaign.boards[board].kind);
    memcpy(t->provenance.campaign, self->campaign.name, sizeof t->provenance.campaign);
    memcpy(t->provenance.fingerprint, kind->fingerprint, sizeof t->provenance.fingerprint);
    t->provenance.seed = self->campaign.seed;
}

/* Half of a layer kind's measurements must tell its energy for it to be modelled. False: none does. */
static bool keep_told(prf_training_t *energy, const prf_training_t *all)
{
    bool any = false;
    for (size_t i = 0; i < all->track_count; i++) {
        observations_t *told = &energy->tracks[i].all;
        if (told->count < PRF_TRAIN_LEAST || 2 * told->count < all->tracks[i].all.count)
            told->count = 0;
        any = any || told->count > 0;
    }
    return any;
}

static prf_training_t *snapshot_target(const prf_engine_t *self, size_t board, target_t target, prf_error_t *err)
{
    const kind_t *kind = &self->kinds[board];
    const view_t view = {self, kind, target};
    prf_training_t *t = calloc(1, sizeof *t);
    snapshot_t *tracks = calloc(kind->track_count, sizeof *tracks);
    if (!t || !tracks) {
        free(t);
        free(tracks);
        prf_fail(err, PRF_ENOMEM, "training data");
        return NULL;
    }
    t->tracks = tracks;
    fill_in(self, board, t);
    /* A copy, since the engine may be gone before the task is done. */
    if (target == TARGET_LATENCY && self->olds[board] && prf_model_encode(self->olds[board], &t->old_file, &t->old_len, err)) {
        prf_training_destroy(&t);
        return NULL;
    }
    prf_provenance_t *from = &t->provenance;
    prf_status_t status = fusion_snapshot(self, kind, target, t, err);
    between_snapshot(self, kind, target, t);
    for (size_t i = 0; !status && i < kind->track_count; i++) {
        status = snapshot_track(&view, &kind->tracks[i], &tracks[i], err);
        from->sweep_samples += (uint32_t)tracks[i].swept.count;
        from->samples += (uint32_t)tracks[i].all.count;
    }
    if (status) {
        prf_training_destroy(&t);
        return NULL;
    }
    from->samples += (uint32_t)fusion_measured(self, kind);
    from->repeatability_percent = kind_repeatability(self, kind, target);
    from->random_baseline_percent = (double)NAN;
    return t;
}

static prf_training_t *snapshot(const prf_engine_t *self, size_t board, prf_error_t *err)
{
    prf_training_t *t = snapshot_target(self, board, TARGET_LATENCY, err);
    if (!t || !self->campaign.protocol.energy_ms || t->trial)
        return t;
    t->energy = snapshot_target(self, board, TARGET_ENERGY, err);
    if (!t->energy)
        prf_training_destroy(&t);
    else if (!keep_told(t->energy, t))
        prf_training_destroy(&t->energy);
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

/* The old model, where one of the lessons asks for it. */
static prf_status_t decode_old(const prf_training_t *t, const lesson_t *lessons, prf_model_t **out, prf_error_t *err)
{
    bool wanted = false;
    for (size_t i = 0; i < t->track_count; i++)
        wanted = wanted || lessons[i].old_won;
    return wanted && t->old_file ? prf_model_decode(out, t->old_file, t->old_len, err) : PRF_OK;
}

prf_status_t teach(const prf_training_t *t, const lesson_t *lessons, prf_model_t **out, prf_error_t *err)
{
    prf_train_layer_t *layers = calloc(t->track_count, sizeof *layers);
    bool *won = calloc(t->track_count, sizeof *won);
    prf_model_t *old = NULL;
    prf_status_t status = layers && won ? decode_old(t, lessons, &old, err) : prf_fail(err, PRF_ENOMEM, "training data");
    for (size_t i = 0; !status && i < t->track_count; i++) {
        const snapshot_t *s = &t->tracks[i];
        layers[i] = (prf_train_layer_t){.space = s->space,
                                        .steps = s->steps,
                                        .train = lessons[i].learn->items,
                                        .train_count = lessons[i].learn->count,
                                        .validation = lessons[i].judge->items,
                                        .validation_count = lessons[i].judge->count,
                                        .mapping = lessons[i].mapping};
    }
    prf_train_input_t input = {.kind = t->kind,
                               .layers = layers,
                               .layer_count = t->track_count,
                               .fusions = t->fusions,
                               .fusion_count = t->fusion_count,
                               .chains = t->chains,
                               .chain_count = t->chain_count,
                               .from = old,
                               .taken_over = won,
                               .seed = t->seed,
                               .provenance = t->provenance};
    if (!status)
        status = prf_model_train(out, &input, err);
    for (size_t i = 0; !status && i < t->track_count; i++)
        if (lessons[i].old_won)
            *lessons[i].old_won = won[i];
    prf_model_destroy(&old);
    free(layers);
    free(won);
    return status;
}

static lesson_t model_lesson(snapshot_t *s)
{
    return (lesson_t){&s->all, &s->validation, mapping_of(s->choice.sampling), &s->old_won};
}

static lesson_t baseline_lesson(snapshot_t *s)
{
    return (lesson_t){&s->random, &s->validation, PRF_MAP_NEVER, NULL};
}

static const observations_t nothing;

static lesson_t trial_lesson(snapshot_t *s)
{
    return (lesson_t){s->put_off ? &s->all : &nothing, &nothing, PRF_MAP_NEVER, &s->old_won};
}

/* One model of all tracks; none, without an error, where no track has enough to learn from. */
static prf_status_t train(prf_training_t *t, lesson_t (*lesson)(snapshot_t *), prf_model_t **out, prf_error_t *err)
{
    lesson_t *lessons = calloc(t->track_count, sizeof *lessons);
    if (!lessons)
        return prf_fail(err, PRF_ENOMEM, "training data");
    bool enough = false;
    for (size_t i = 0; i < t->track_count; i++) {
        lessons[i] = lesson(&t->tracks[i]);
        enough = enough || lessons[i].learn->count >= PRF_TRAIN_LEAST;
    }
    prf_status_t status = enough ? teach(t, lessons, out, err) : PRF_OK;
    free(lessons);
    return status;
}

/* Which tracks the old model won; the model itself is of no further use. */
static prf_status_t try_old(prf_training_t *t, prf_error_t *err)
{
    prf_model_t *model = NULL;
    prf_status_t status = train(t, trial_lesson, &model, err);
    prf_model_destroy(&model);
    return status;
}

/* Good enough, out of helpings, or out of time. */
static bool is_final(const prf_training_t *t)
{
    return t->last || (t->model && prf_model_provenance(t->model)->validation.mape_percent <= t->target_mape);
}

/* Its error goes into the model's own provenance, so it comes first, wherever the model may turn out to be the last one. */
static prf_status_t train_baseline(prf_training_t *t, prf_error_t *err)
{
    if (!t->baseline || !(t->last || t->target_mape > 0))
        return PRF_OK;
    prf_model_t *model = NULL;
    prf_status_t status = train(t, baseline_lesson, &model, err);
    if (model)
        t->provenance.random_baseline_percent = prf_model_provenance(model)->validation.mape_percent;
    prf_model_destroy(&model);
    return status;
}

static void note_mapping(prf_training_t *t)
{
    for (size_t i = 0; i < t->track_count; i++) {
        prf_model_layer_t layer;
        if (prf_model_layer_find(t->model, t->tracks[i].space.kind, t->tracks[i].space.dtype, &layer))
            t->tracks[i].choice.mapped = layer.mapped;
    }
}

/* The same training on another target. Which layers were measured follows from the latency, and so does how models see them. */
static prf_status_t train_energy(prf_training_t *t, prf_error_t *err)
{
    prf_training_t *energy = t->energy;
    if (!energy)
        return PRF_OK;
    for (size_t i = 0; i < t->track_count; i++)
        energy->tracks[i].choice.sampling = t->tracks[i].choice.sampling;
    prf_status_t status = train(energy, model_lesson, &energy->model, err);
    if (status)
        return prf_fail_prefix(err, status, "energy");
    prf_model_take_energy(t->model, &energy->model);
    return PRF_OK;
}

static prf_status_t finish(prf_training_t *t, prf_error_t *err)
{
    prf_status_t status = train_energy(t, err);
    return status ? status : prf_model_encode(t->model, &t->file, &t->file_len, err);
}

static prf_status_t train_helping(prf_training_t *t, prf_error_t *err)
{
    prf_status_t status = train_baseline(t, err);
    if (!status)
        status = choose_sampling(t, err);
    if (!status)
        status = train(t, model_lesson, &t->model, err);
    if (!status && t->model)
        note_mapping(t);
    if (!status && !t->model && t->last)
        status = prf_fail(err, PRF_EINVAL, "nothing to train on: measure at least %d layers of a kind", (int)PRF_TRAIN_LEAST);
    if (!status && t->model)
        status = is_final(t) ? finish(t, err) : choose_picks(t, err);
    return status;
}

void prf_training_run(prf_training_t *t)
{
    uint64_t begin = prf_clock_mono_ns();
    t->status = t->trial ? try_old(t, &t->error) : train_helping(t, &t->error);
    t->seconds = (double)(prf_clock_mono_ns() - begin) / 1e9;
}

/* Hands the outcome on to the tracks. */
static void learn_choices(kind_t *kind, prf_training_t *task)
{
    for (size_t i = 0; i < kind->track_count; i++) {
        free(kind->tracks[i].choice.picks);
        kind->tracks[i].choice = task->tracks[i].choice;
        kind->tracks[i].old_won = task->tracks[i].old_won;
        task->tracks[i].choice.picks = NULL;
    }
}

static void note_helping(kind_t *kind)
{
    if (kind->history_count == HELPINGS)
        memmove(kind->history, kind->history + 1, --kind->history_count * sizeof *kind->history);
    kind->history[kind->history_count++] = (helping_t){kind->provenance.samples, kind->provenance.validation.mape_percent};
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
        learn_choices(kind, task);
        if (task->model) {
            kind->provenance = *prf_model_provenance(task->model);
            note_helping(kind);
        }
        if (!is_final(task)) {
            status = task->trial ? old_tried(self, board, err) : plan_round(self, board, err);
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
