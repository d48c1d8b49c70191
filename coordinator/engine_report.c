// SPDX-License-Identifier: Apache-2.0
/* engine_report.c - what a campaign tells of itself: progress while it runs, the summary at its end. */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "engine_internal.h"
#include "model/model_json.h"

static size_t planned(const kind_t *kind)
{
    return kind->probe_count - kind->skipped;
}

prf_engine_count_t prf_engine_count(const prf_engine_t *self, size_t board)
{
    const kind_t *k = &self->kinds[board];
    return (prf_engine_count_t){.measured = k->measured, .open = k->pending.count + k->out};
}

static size_t measured_of(const kind_t *kind, const list_t *list, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count && i < most; i++)
        n += kind->probes[list->items[i]].state == PROBE_MEASURED;
    return n;
}

/* Layers for the model, as far as they are measured; the swept ones may be among the others. */
static size_t samples(const kind_t *kind)
{
    size_t n = 0;
    if (kind->model)
        return kind->provenance.samples;
    for (size_t i = 0; i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        n += measured_of(kind, &t->swept, SIZE_MAX) + measured_of(kind, &t->representatives, SIZE_MAX) +
             measured_of(kind, &t->random, t->random_trained) + measured_of(kind, &t->active, SIZE_MAX);
    }
    for (size_t i = 0; i < kind->pair_count; i++)
        n += measured_of(kind, &kind->pairs[i].both, SIZE_MAX) + measured_of(kind, &kind->pairs[i].alone, SIZE_MAX);
    return n;
}

/* The error as it fell, a model each helping. */
static json_t *history_json(const kind_t *kind)
{
    json_t *history = json_array();
    for (size_t i = 0; i < kind->history_count; i++)
        json_array_append_new(history, json_pack("{s:I, s:o}", "samples", (json_int_t)kind->history[i].samples, "mape_percent",
                                                 prf_json_real(kind->history[i].mape_percent)));
    return history;
}

json_t *prf_engine_status(const prf_engine_t *self)
{
    json_t *boards = json_array();
    for (size_t i = 0; i < self->campaign.board_count; i++) {
        const kind_t *k = &self->kinds[i];
        size_t open = k->pending.count + k->out;
        bool judged = k->provenance.validation.count > 0;
        json_array_append_new(
            boards,
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:s, s:I, s:I, s:o}", "kind", self->campaign.boards[i].kind,
                      "stage", prf_stage_name(k->stage), "planned", (json_int_t)planned(k), "measured", (json_int_t)k->measured,
                      "reused", (json_int_t)k->reused, "poisoned", (json_int_t)k->poisoned, "open", (json_int_t)open,
                      "mape_percent", judged ? prf_json_real(k->provenance.validation.mape_percent) : json_null(), "model_version",
                      (json_int_t)k->version, "error", k->error, "samples", (json_int_t)samples(k), "budget",
                      (json_int_t)self->campaign.samples, "history", history_json(k)));
    }
    return boards;
}

/* What layers are mapped by: what was swept for, or what an old model brought along. NULL: not known yet. */
static const prf_steps_t *steps_of(const kind_t *kind, const track_t *track, prf_model_layer_t *part)
{
    const prf_space_t *space = &track->layer->space;
    if (track->old_won && kind->model && prf_model_layer_find(kind->model, space->kind, space->dtype, part))
        return &part->steps;
    return track->sweeping || track->put_off ? NULL : &track->steps;
}

/* 1 stands for both in a kind's steps: that no step is there, and that nobody could tell, which is null. */
static json_t *width_json(const prf_steps_t *steps, prf_param_t param)
{
    bool known = steps && (steps->width[param] > 1 || steps->confidence[param] >= PRF_STEPS_SURE);
    return known ? json_integer(steps->width[param]) : json_null();
}

/* Widths of the parameters that vary. */
static json_t *steps_json(const kind_t *kind)
{
    json_t *layers = json_object();
    for (size_t i = 0; i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        prf_model_layer_t part;
        const prf_steps_t *steps = steps_of(kind, t, &part);
        prf_param_t params[PRF_PARAMS];
        size_t count = prf_space_free(&t->layer->space, params);
        json_t *widths = json_object();
        for (size_t p = 0; p < count; p++)
            if (t->layer->space.dims[params[p]].kind == PRF_DIM_RANGE)
                json_object_set_new(widths, prf_param_name(params[p]), width_json(steps, params[p]));
        json_object_set_new(layers, prf_layer_kind_name(t->layer->space.kind), widths);
    }
    return layers;
}

/* How sure the search for steps was, of the parameters that it was about. */
static json_t *confidence_json(const kind_t *kind)
{
    json_t *layers = json_object();
    for (size_t i = 0; i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        prf_model_layer_t part;
        const prf_steps_t *steps = steps_of(kind, t, &part);
        prf_param_t params[PRF_PARAMS];
        size_t count = steps ? prf_space_free(&t->layer->space, params) : 0;
        json_t *confidence = json_object();
        for (size_t p = 0; p < count; p++)
            if (t->layer->space.dims[params[p]].kind == PRF_DIM_RANGE)
                json_object_set_new(confidence, prf_param_name(params[p]), prf_json_real(steps->confidence[params[p]]));
        json_object_set_new(layers, prf_layer_kind_name(t->layer->space.kind), confidence);
    }
    return layers;
}

/* Every swept layer with what it took, so that a reader can draw the staircase. */
static json_t *sweeps_json(const prf_engine_t *self, const kind_t *kind)
{
    json_t *sweeps = json_array();
    for (size_t i = 0; i < kind->track_count; i++) {
        const list_t *swept = &kind->tracks[i].swept;
        for (size_t s = 0; s < swept->count; s++) {
            char text[PRF_BLOCK_TEXT];
            prf_block_t block;
            probe_block(kind, swept->items[s], &block);
            prf_block_format(&block, text);
            double latency_ns;
            if (passes_latency(self, kind, swept->items[s], &latency_ns))
                json_array_append_new(sweeps, json_pack("{s:s, s:f}", "layer", text, "latency_ns", latency_ns));
        }
    }
    return sweeps;
}

/* Of the first `most` of a list whose entries come in groups of `stride` attempts. */
static size_t measured_in(const prf_engine_t *self, const kind_t *kind, const list_t *list, size_t most, size_t stride)
{
    size_t n = 0;
    double latency_ns;
    for (size_t i = 0; i < list->count && i < most; i += stride)
        n += passes_latency(self, kind, list->items[i], &latency_ns);
    return n;
}

/* What the sample of each layer kind is made of, and the comparison that decided it. */
static json_t *sampling_json(const prf_engine_t *self, const kind_t *kind)
{
    static const char *const names[SAMPLINGS] = {"random", "representatives", "mixed"};
    json_t *layers = json_object();
    for (size_t i = 0; i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        const choice_t *c = &t->choice;
        bool compared = c->compared > 0;
        json_t *entry = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "choice", names[c->sampling], "mapped", (int)c->mapped,
                                  "compared", (json_int_t)c->compared, "representatives",
                                  (json_int_t)measured_in(self, kind, &t->representatives, SIZE_MAX, 1), "random",
                                  (json_int_t)measured_in(self, kind, &t->random, t->random_trained, 1), "active",
                                  (json_int_t)measured_in(self, kind, &t->active, SIZE_MAX, 1));
        for (size_t s = 0; s < SAMPLINGS; s++) {
            char key[48];
            snprintf(key, sizeof key, "%s_error_percent", names[s]);
            json_object_set_new(entry, key, compared ? prf_json_real(c->error_percent[s]) : json_null());
        }
        json_object_set_new(layers, prf_layer_kind_name(t->layer->space.kind), entry);
    }
    return layers;
}

static json_t *layers_json(const prf_model_t *model)
{
    json_t *layers = json_array();
    for (size_t i = 0; model && i < prf_model_layer_count(model); i++) {
        prf_model_layer_t layer;
        prf_model_layer(model, i, &layer);
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:s, s:I, s:o}", "kind", prf_layer_kind_name(layer.kind), "dtype",
                                        prf_dtype_name(layer.dtype), "regressor", layer.regressor, "samples",
                                        (json_int_t)layer.samples, "validation", prf_model_metrics_json(&layer.validation)));
    }
    return layers;
}

static const prf_model_t *energy_of(const kind_t *kind)
{
    return kind->model ? prf_model_energy(kind->model) : NULL;
}

/* Null unless the campaign asks for energy; without a model where the board does not tell, or of too few layers. */
static json_t *energy_json(const prf_engine_t *self, const kind_t *kind)
{
    size_t told = 0, measured = 0;
    if (!self->campaign.protocol.energy_ms)
        return json_null();
    for (size_t i = 0; i < kind->probe_count; i++) {
        measured += kind->probes[i].state == PROBE_MEASURED;
        told += kind->probes[i].state == PROBE_MEASURED && kind->probes[i].energy_nj > 0;
    }
    const prf_model_t *model = energy_of(kind);
    const prf_provenance_t *p = model ? prf_model_provenance(model) : NULL;
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "told", (json_int_t)told, "of", (json_int_t)measured, "mape_percent",
                     p ? prf_json_real(p->validation.mape_percent) : json_null(), "repeatability_percent",
                     p ? prf_json_real(p->repeatability_percent) : json_null(), "validation",
                     p ? prf_model_metrics_json(&p->validation) : json_null(), "layers", layers_json(model), "between_nj",
                     p ? prf_json_real(prf_model_between_ns(model)) : json_null());
}

static json_t *board_json(const prf_engine_t *self, size_t board)
{
    const kind_t *k = &self->kinds[board];
    const prf_provenance_t *p = &k->provenance;
    bool trained = k->model != NULL;
    size_t validation = 0, baseline = 0, representatives = 0, active = 0;
    for (size_t i = 0; i < k->track_count; i++) {
        validation += measured_in(self, k, &k->tracks[i].validated, SIZE_MAX, self->campaign.repeats);
        baseline += self->campaign.baseline ? measured_in(self, k, &k->tracks[i].random, SIZE_MAX, 1) : 0;
        representatives += measured_in(self, k, &k->tracks[i].representatives, SIZE_MAX, 1);
        active += measured_in(self, k, &k->tracks[i].active, SIZE_MAX, 1);
    }
    json_t *out =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", self->campaign.boards[board].kind, "stage",
                  prf_stage_name(k->stage), "samples", (json_int_t)p->samples, "sweep_samples", (json_int_t)p->sweep_samples,
                  "representative_samples", (json_int_t)representatives, "validation_samples", (json_int_t)validation,
                  "baseline_samples", (json_int_t)baseline, "planned", (json_int_t)planned(k), "measured", (json_int_t)k->measured,
                  "reused", (json_int_t)k->reused, "poisoned", (json_int_t)k->poisoned);
    json_object_set_new(out, "active_samples", json_integer((json_int_t)active));
    json_object_set_new(out, "fusion_samples", json_integer((json_int_t)fusion_measured(self, k)));
    json_object_set_new(out, "between_chains", json_integer((json_int_t)between_measured(self, k)));
    json_object_set_new(out, "mape_percent", trained ? prf_json_real(p->validation.mape_percent) : json_null());
    json_object_set_new(out, "repeatability_percent", trained ? prf_json_real(p->repeatability_percent) : json_null());
    json_object_set_new(out, "random_baseline_mape_percent", trained ? prf_json_real(p->random_baseline_percent) : json_null());
    json_object_set_new(out, "old_model", old_json(self, board));
    json_object_set_new(out, "history", history_json(k));
    json_object_set_new(out, "steps", steps_json(k));
    json_object_set_new(out, "step_confidence", confidence_json(k));
    json_object_set_new(out, "sampling", sampling_json(self, k));
    json_object_set_new(out, "model_version", json_integer(k->version));
    json_object_set_new(out, "workers", json_integer(k->workers));
    json_object_set_new(out, "acknowledged", json_integer(k->acknowledged));
    json_object_set_new(out, "validation", trained ? prf_model_metrics_json(&p->validation) : json_null());
    json_object_set_new(out, "layers", layers_json(k->model));
    json_object_set_new(out, "sweeps", sweeps_json(self, k));
    json_object_set_new(out, "fusion", k->model ? prf_model_fusions_json(k->model, PRF_LAYER_KINDS) : json_array());
    json_object_set_new(out, "between_ns", trained ? prf_json_real(prf_model_between_ns(k->model)) : json_null());
    json_object_set_new(out, "energy", energy_json(self, k));
    json_object_set_new(out, "training_seconds", json_real(k->seconds_training));
    bool refreshed = k->verdict && self->refresh.number == k->checked;
    json_object_set_new(out, "refresh", refreshed ? json_incref(k->verdict) : json_null());
    json_object_set_new(out, "error", json_string(k->error));
    json_object_set_new(out, "note", json_string(k->note));
    return out;
}

/* Sum of the estimates of the blocks that were (to be) measured, and of what lies between them; NaN without a model that covers
 * them all. */
static double estimated(const prf_model_t *model, const chain_t *chain)
{
    double total = 0;
    for (size_t i = 0; i < chain->count; i++) {
        prf_estimate_t estimate;
        if (!model || prf_model_estimate(model, &chain->blocks[i], NULL, &estimate, NULL))
            return (double)NAN;
        total += estimate.latency_ns;
    }
    return total + prf_model_between(model, chain->count);
}

static double measured(const prf_engine_t *self, const kind_t *kind, const chain_t *chain, target_t target)
{
    double sum = 0, value;
    size_t n = 0;
    for (size_t i = 0; i < chain->probes.count; i++)
        if (passes_value(self, kind, chain->probes.items[i], target, &value)) {
            sum += value;
            n++;
        }
    return n ? sum / (double)n : (double)NAN;
}

/* A network, estimated and measured. */
static json_t *network_json(const prf_engine_t *self, const kind_t *kind, const chain_t *chain, const char *board)
{
    double ns = estimated(kind->model, chain), measured_ns = measured(self, kind, chain, TARGET_LATENCY);
    double nj = estimated(energy_of(kind), chain), measured_nj = measured(self, kind, chain, TARGET_ENERGY);
    return json_pack("{s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "name", chain->network->name, "kind", board,
                     "blocks", (json_int_t)chain->network->block_count, "modelled_blocks", (json_int_t)chain->count, "whole",
                     chain->edge_count > 0, "estimated_ns", prf_json_real(ns), "measured_ns", prf_json_real(measured_ns),
                     "error_percent", prf_json_real(100 * (ns - measured_ns) / measured_ns), "estimated_nj", prf_json_real(nj),
                     "measured_nj", prf_json_real(measured_nj), "energy_error_percent",
                     prf_json_real(100 * (nj - measured_nj) / measured_nj));
}

json_t *prf_engine_summary(const prf_engine_t *self)
{
    json_t *boards = json_array(), *networks = json_array();
    for (size_t i = 0; i < self->campaign.board_count; i++) {
        const kind_t *k = &self->kinds[i];
        json_array_append_new(boards, board_json(self, i));
        for (size_t c = 0; c < k->chain_count; c++) {
            const chain_t *chain = &k->chains[c];
            if (chain->network)
                json_array_append_new(networks, network_json(self, k, chain, self->campaign.boards[i].kind));
        }
    }
    return json_pack("{s:s, s:o, s:o}", "campaign", self->campaign.name, "boards", boards, "networks", networks);
}
