// SPDX-License-Identifier: Apache-2.0
/* engine_training.h - the training task's inside: a snapshot of a kind's measurements, and what the trainer's thread makes of it.
 * Shared by engine_train.c (the task, the model), engine_choose.c (sampling), engine_fusion.c (pairs) and
 * engine_between.c (chains). */
#ifndef PRF_ENGINE_TRAINING_H
#define PRF_ENGINE_TRAINING_H

#include "engine_internal.h"

typedef struct {
    prf_observation_t *items; /* owned */
    size_t count, cap;
} observations_t;

/* Measurements of one layer kind. In the snapshot of a task's energy, latency_ns of observations is nanojoules. */
typedef struct {
    prf_space_t space;
    prf_steps_t steps;
    observations_t swept, representatives, original; /* disjoint */
    observations_t all;                              /* these and the active ones: what the model is made of */
    observations_t validation, random;               /* random: the baseline's */
    size_t room;                                     /* layers of the next helping that may be picked */
    uint64_t seed;                                   /* of the picks */
    prf_layer_t *taken;                              /* owned: what must not be picked */
    size_t taken_count;
    choice_t choice; /* as it was, and the outcome */
    bool put_off;    /* the old model is on trial here */
    bool old_won;    /* outcome: the part began with the old model */
} snapshot_t;

struct prf_training {
    size_t board;
    char kind[PRF_NAME];
    uint64_t seed;
    snapshot_t *tracks; /* owned */
    size_t track_count;
    prf_train_fusion_t *fusions; /* owned */
    size_t fusion_count;
    prf_fused_t (*fused)[PRF_FUSION_MOST]; /* owned: their items */
    prf_between_t chains[BETWEEN_CHAINS];
    size_t chain_count;
    void *old_file; /* owned: the model to begin with; NULL: none */
    size_t old_len;
    bool trial;    /* only whether the old model wins is asked, of tracks whose sweep is put off */
    bool last;     /* no helping follows, whatever comes out */
    bool baseline; /* train one beside what may be the last model */
    bool timed;    /* time is what the campaign is short of */
    double target_mape;
    prf_provenance_t provenance;
    prf_training_t *energy; /* owned: the same measurements, their energy instead of latency; NULL: too few tell it */
    /* outcome */
    prf_status_t status;
    prf_error_t error;
    prf_model_t *model; /* owned; NULL without an error: there is not enough to train on yet */
    void *file;         /* owned */
    size_t file_len;
    double seconds;
};

/* Adds one. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t observe(observations_t *to, const prf_observation_t *one, prf_error_t *err);

/* One model from some of the data: for each track, what to learn from, what to be judged by (may be empty), whether layers are
 * seen by their representatives, and where to tell whether the old model won (NULL: it takes no part). */
typedef struct {
    const observations_t *learn, *judge; /* borrowed */
    prf_mapping_t mapping;
    bool *old_won;
} lesson_t;
PRF_CHECKED prf_status_t teach(const prf_training_t *t, const lesson_t *lessons, prf_model_t **out, prf_error_t *err);

/* engine_fusion.c */
/* Fills the task's fusions; they are released with it. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t fusion_snapshot(const prf_engine_t *self, const kind_t *kind, target_t target, prf_training_t *to,
                                         prf_error_t *err);

/* engine_between.c */
void between_snapshot(const prf_engine_t *self, const kind_t *kind, target_t target, prf_training_t *to);

/* engine_choose.c */
/* How a model sees layers of such a sample. */
prf_mapping_t mapping_of(sampling_t sampling);
/* Fills each track's choice but the picks and what the model will say. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t choose_sampling(prf_training_t *t, prf_error_t *err);
/* Fills the picks, by the model. Errors: PRF_ENOMEM, PRF_EINVAL. */
PRF_CHECKED prf_status_t choose_picks(prf_training_t *t, prf_error_t *err);

#endif
