// SPDX-License-Identifier: Apache-2.0
/* engine_old.c - a kind that begins with the model of an old board (`from` in the campaign file).
 *
 * Boards of a family share tiles, and the old part brings its steps along, so that a new board that is like it needs no sweep. But
 * it may turn out not to be like it. So a track that the old model knows puts its sweep off and asks for a few layers spread over
 * the original space, which belong to its sample anyway. The training tells whether the old model wins on them (clearly, by
 * cross-validation: common/model/train.h). As long as it does there is no sweep; the first time it does not the sweep begins, with
 * what is left of the budget, and the track goes on as without an old model. Later trainings ask the old model again: it may still
 * help.
 *
 * Rejected: to sweep first and drop what was swept. Sweeps are what the old model saves. */
#include <string.h>

#include "engine_internal.h"

enum { TRIAL_LAYERS = 24 /* two dozen tell (docs/models.md, Transfer) */ };

static bool knows(const prf_model_t *old, const prf_space_t *space)
{
    const char *extras[PRF_MODEL_EXTRAS];
    prf_model_layer_t layer;
    return old && prf_model_extras(old, extras) == 0 && prf_model_layer_find(old, space->kind, space->dtype, &layer);
}

bool old_puts_off(const prf_engine_t *self, size_t board, const track_t *track)
{
    return track->layer->knowledge.kind != PRF_WHITE && knows(self->olds[board], &track->layer->space);
}

prf_status_t old_begin(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err)
{
    return plan_spread(self, board, track, TRIAL_LAYERS, err);
}

prf_status_t old_go_on(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err)
{
    size_t used = plan_helped(track);
    if (track->old_won)
        return plan_sample(self, board, track, err);
    track->put_off = false;
    return plan_sweep(self, track, track->budget > used ? track->budget - used : 0, err);
}

prf_status_t old_tried(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    kind->trial = false;
    kind->stage = PRF_STAGE_MEASURE;
    for (size_t i = 0; i < kind->track_count; i++) {
        prf_status_t status = kind->tracks[i].put_off ? old_go_on(self, board, &kind->tracks[i], err) : PRF_OK;
        if (status)
            return status;
    }
    return plan_advance(self, board, err);
}

json_t *old_json(const prf_engine_t *self, size_t board)
{
    const kind_t *kind = &self->kinds[board];
    const prf_model_t *old = self->olds[board];
    if (!old)
        return json_null();
    json_t *layers = json_object();
    for (size_t i = 0; i < kind->track_count; i++) {
        const track_t *track = &kind->tracks[i];
        const char *what = !knows(old, &track->layer->space) ? "unknown" : track->old_won ? "taken over" : "no help";
        json_object_set_new(layers, prf_layer_kind_name(track->layer->space.kind), json_string(what));
    }
    return json_pack("{s:s, s:o}", "kind", prf_model_kind(old), "layers", layers);
}
