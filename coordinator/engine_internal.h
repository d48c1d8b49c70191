// SPDX-License-Identifier: Apache-2.0
/* engine_internal.h - what the engine's files share. engine.c: the interface and the book of probes. engine_passes.c: one
 * measurement, taken several times. engine_plan.c: what is asked for next. engine_train.c: the training task; engine_choose.c: what
 * it finds out about sampling. engine_fusion.c: what is measured for fusion rules. engine_between.c: what blocks add to a network.
 * engine_old.c: what a model to begin with saves. engine_decide.c: decisions, and the end of a time budget. engine_refresh.c:
 * whether a model still holds. engine_report.c: status and summary.
 *
 * Vocabulary: a *probe* is one measurement that the campaign wants (a point and an attempt); it exists once however many lists
 * name it (a sweep's layer may also be a training layer). With several *passes* a measurement is several probes, apart in time;
 * lists name the first. A *track* is one layer kind on one board kind. */
#ifndef PRF_ENGINE_INTERNAL_H
#define PRF_ENGINE_INTERNAL_H

#include "base/map.h"
#include "engine.h"
#include "engine_attempts.h"
#include "model/train.h"

typedef enum { PROBE_PENDING = 0, PROBE_OUT, PROBE_MEASURED, PROBE_POISONED, PROBE_SKIPPED } probe_state_t;
typedef enum {
    ROLE_SWEEP = 0,
    ROLE_REPRESENTATIVE,
    ROLE_VALIDATION,
    ROLE_RANDOM,
    ROLE_NETWORK,
    ROLE_REFRESH,
    ROLE_ACTIVE,
    ROLE_FUSION,
    ROLE_CHAIN,
    ROLES
} role_t;

/* What a track's sample is made of beside its sweep. */
typedef enum { SAMPLING_RANDOM = 0, SAMPLING_REPRESENTATIVES, SAMPLING_MIXED, SAMPLINGS } sampling_t;

/* What is looked at of measurements. */
typedef enum { TARGET_LATENCY = 0, TARGET_ENERGY } target_t;

/* What a training found out about a track's sampling. */
typedef struct {
    sampling_t sampling;
    bool mapped;                     /* the model asks for a layer's representative */
    size_t compared;                 /* layers of each sort that the comparison was about; 0: there was none yet */
    double error_percent[SAMPLINGS]; /* of models from equally many layers of each sort, on layers held back */
    prf_layer_t *picks;              /* owned: what promises most to be measured next */
    size_t pick_count;
} choice_t;

#define NO_CHAIN SIZE_MAX

typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    role_t role;  /* the first list that asked for it */
    size_t chain; /* index into the kind's chains, or NO_CHAIN */
    double order; /* pending ones are handed out by it, lowest first */
    probe_state_t state;
    bool reused;
    bool had;            /* its outcome, in an earlier run */
    bool disturbed;      /* the board was slow, busy or throttled meanwhile */
    uint8_t layer_count; /* of its block; 0: a chain */
    uint8_t dtype;       /* prf_dtype_t, likewise */
    uint32_t layer;      /* the first of them, index into the kind's layers */
    double latency_ns;
    double energy_nj; /* 0: not told */
    uint64_t busy_ns;
} probe_t;

/* A growing list of indices into the kind's probes. */
typedef struct {
    size_t *items; /* owned */
    size_t count, cap;
} list_t;

typedef struct {
    const prf_campaign_layer_t *layer; /* borrowed from the campaign */
    prf_sweep_t *sweep;                /* owned; NULL once the steps are known */
    prf_steps_t steps;
    bool sweeping;
    uint32_t budget, validation; /* layers */
    list_t round;                /* of the sweep, being measured; in the sweep's order */
    list_t swept, representatives, random, validated;
    list_t active;         /* layers that a model was least sure of */
    size_t random_trained; /* how many of `random`, from its front, are trained on; the baseline has them all */
    choice_t choice;       /* of the last training */
    bool put_off;          /* its sweep: what an old model knows may make it needless (engine_old.c) */
    bool old_won;          /* in the last training the track's part began with the old model */
} track_t;

/* A network, or layers of the sample one behind the other (engine_between.c). */
typedef struct {
    const prf_engine_network_t *network; /* borrowed from the engine; NULL: layers of the sample */
    prf_block_t *blocks;                 /* owned: those of the network that the campaign models on this board, or the layers */
    size_t count;
    const prf_edge_t *edges; /* borrowed from the network, where the board builds it as one; else NULL */
    size_t edge_count;
    list_t probes; /* one an attempt */
    list_t alone;  /* without a network: the layers by themselves */
} chain_t;

/* A layer kind and a function that follows it in the campaign's networks. */
typedef struct {
    size_t track; /* of the leading layers */
    prf_activation_t fn;
    size_t blocks;     /* of the networks that are such a pair */
    size_t layers;     /* that are paid for, with the function behind them */
    list_t lead, both; /* the layers alone, and with it: as many */
    list_t alone;      /* the function of the first of them as a block of its own; often none */
} pair_t;

/* What a training came to. */
typedef struct {
    uint32_t samples;
    double mape_percent; /* of the validation layers; NaN: there were none */
} helping_t;
enum { HELPINGS = 16 };

typedef struct {
    char fingerprint[PRF_FINGERPRINT];
    uint32_t kinds, dtypes; /* that the pinned board runs */
    bool builds;            /* networks as a whole */
    prf_stage_t stage;
    char error[240];
    char note[320];  /* layers that the board cannot run; else how many points were given up, and why the last one */
    track_t *tracks; /* owned */
    size_t track_count;
    chain_t *chains; /* owned */
    size_t chain_count;
    pair_t *pairs; /* owned; the most frequent first */
    size_t pair_count;
    bool fusion_asked;   /* it was decided which functions are measured alone */
    bool between_asked;  /* it was decided which layers are measured as chains, too */
    probe_t *probes;     /* owned */
    prf_layer_t *layers; /* owned; of all probes' blocks, one behind the other: a block has room for more than most need */
    size_t layer_count, layer_cap;
    size_t probe_count, probe_cap;
    list_t pending; /* falling order: the next one is last */
    size_t sorted;  /* of pending, from its front; the others came since */
    size_t out, measured, reused, poisoned, skipped;
    uint64_t busy_ns;
    uint32_t round, rounds; /* of sampling */
    bool cut;               /* the time is up, and it is decided what counts: */
    prf_map_t counted;      /* points and attempts; empty without a cut */
    uint32_t generation;    /* of all its measurements; 0, or the number of the refresh that found them outdated */
    uint32_t checked;       /* number of the last refresh that was decided */
    json_t *verdict;        /* owned: that decision; NULL: none yet */
    list_t stale, again;    /* of a refresh: what the model was trained on, and the same measured again */
    bool trial;             /* so far only the old model is tried, on tracks whose sweep is put off */
    bool training;          /* a task is outside */
    prf_model_t *model;     /* owned: final */
    void *file;             /* owned: its bytes */
    size_t file_len;
    uint32_t version, workers, acknowledged;
    prf_provenance_t provenance; /* of the last training */
    helping_t history[HELPINGS]; /* of the trainings that gave a model; the last of them, if there were more */
    size_t history_count;
    double seconds_training;
} kind_t;

struct prf_engine {
    prf_campaign_t campaign;
    prf_engine_network_t *networks; /* owned */
    size_t network_count;
    kind_t *kinds;      /* owned, one a board of the campaign */
    prf_model_t **olds; /* owned array, each too: models to begin with; NULL: none */
    prf_map_t index;    /* point, attempt -> board and probe */
    prf_block_t handed; /* the last block that was handed out */
    uint64_t *recent;   /* owned; board and probe of points handed out lately, by digest: most answers are about these */
    prf_refresh_t refresh;
    prf_known_fn had; /* in an earlier run; NULL: there was none */
    void *had_arg;
    size_t turn; /* the kind whose turn it is in prf_engine_next */
};

/* engine.c */
PRF_CHECKED prf_status_t list_add(list_t *list, size_t item, prf_error_t *err);
/* The probe for a block (or chain) and attempt, made pending when it is new. */
PRF_CHECKED prf_status_t probe_want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t attempt,
                                    role_t role, size_t *probe, prf_error_t *err);
/* The number of a generation's attempt among all of its point's (engine_attempts.h). */
uint32_t probe_attempt(uint32_t generation, uint32_t attempt);
void probe_skip(kind_t *kind, probe_t *probe);
void kind_release(kind_t *kind);
const char *role_name(role_t role);
void kind_fail(kind_t *kind, const char *why);

/* What a probe measures, unless it is a chain; the layers are valid until the next is wanted. */
const prf_layer_t *probe_layers(const kind_t *kind, size_t probe);
void probe_block(const kind_t *kind, size_t probe, prf_block_t *out);
/* The probe of a point and attempt of that kind; NULL: never wanted. Valid until the next is wanted. */
const probe_t *probe_known(const prf_engine_t *self, const kind_t *kind, const prf_digest_t *point, uint32_t attempt);

/* engine_passes.c */
/* Wants one measurement of a block or chain; *first is the probe that stands for it in lists. */
PRF_CHECKED prf_status_t passes_want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t generation,
                                     uint32_t measurement, role_t role, size_t *first, prf_error_t *err);
/* A pass has its outcome: wants one more while that is worth it. */
PRF_CHECKED prf_status_t passes_answered(prf_engine_t *self, size_t board, size_t probe, prf_error_t *err);
/* A listed probe's latency: the fastest of its passes. False: none of them was measured. */
bool passes_latency(const prf_engine_t *self, const kind_t *kind, size_t first, double *latency_ns);
/* Its latency, or the energy of that pass, in nanojoules. False: nobody told. */
bool passes_value(const prf_engine_t *self, const kind_t *kind, size_t first, target_t target, double *value);

/* engine_plan.c */
/* The first questions to a kind that is pinned. */
PRF_CHECKED prf_status_t plan_begin(prf_engine_t *self, size_t board, prf_error_t *err);
/* Goes on as far as the answers allow: next sweep rounds, sampling, stage changes. */
PRF_CHECKED prf_status_t plan_advance(prf_engine_t *self, size_t board, prf_error_t *err);
/* Wants one measurement of a block or chain and lists it (`list` may be NULL). */
PRF_CHECKED prf_status_t want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t measurement,
                              role_t role, list_t *list, prf_error_t *err);
PRF_CHECKED prf_status_t plan_round(prf_engine_t *self, size_t board, prf_error_t *err);
bool plan_time_is_up(const prf_engine_t *self, const kind_t *kind);
/* Layers that the next round of sampling may still ask for. */
size_t plan_room(const kind_t *kind, const track_t *track);
/* Begins a track's sweep, which costs at most the share of its budget that sweeps may cost, and `most` layers. */
PRF_CHECKED prf_status_t plan_sweep(prf_engine_t *self, track_t *track, size_t most, prf_error_t *err);
/* A track's share of the sampling round that the kind is in. */
PRF_CHECKED prf_status_t plan_sample(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err);
/* Wants layers spread over the original space, so that the track has `wanted` of them to train on. */
PRF_CHECKED prf_status_t plan_spread(prf_engine_t *self, size_t board, track_t *track, size_t wanted, prf_error_t *err);
/* Layers that the track has to train on, beside the swept ones. */
size_t plan_helped(const track_t *track);
/* An independent stream of the campaign's seed. */
uint64_t plan_stream(const prf_engine_t *self, const track_t *track, const char *use);
void track_release(track_t *track);

/* engine_train.c */
/* Of the validation layers, percent; NaN: nothing was measured twice. */
double kind_repeatability(const prf_engine_t *self, const kind_t *kind, target_t target);

/* engine_fusion.c */
/* Which pairs there are, once the tracks are. */
PRF_CHECKED prf_status_t fusion_begin(prf_engine_t *self, size_t board, prf_error_t *err);
/* A track's first helping is planned: its pairs ask for their layers. */
PRF_CHECKED prf_status_t fusion_ask(prf_engine_t *self, size_t board, size_t track, prf_error_t *err);
/* All of the first helping is there: pairs may ask for more, once. */
PRF_CHECKED prf_status_t fusion_ask_more(prf_engine_t *self, size_t board, prf_error_t *err);
size_t fusion_cost(const kind_t *kind, size_t track); /* layers that are taken off the track's budget */
size_t fusion_measured(const prf_engine_t *self, const kind_t *kind);
void fusion_release(kind_t *kind);

/* engine_between.c */
enum { BETWEEN_CHAINS = 4 /* of layers of the sample, a board kind */ };
/* All of the first helping is there: layers of it are measured as chains, once. */
PRF_CHECKED prf_status_t between_ask(prf_engine_t *self, size_t board, prf_error_t *err);
size_t between_measured(const prf_engine_t *self, const kind_t *kind); /* chains */

/* engine_old.c */
/* Whether the track's sweep waits for what the old model can do. */
bool old_puts_off(const prf_engine_t *self, size_t board, const track_t *track);
/* The first questions to a track whose sweep is put off. */
PRF_CHECKED prf_status_t old_begin(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err);
/* After a training: on without a sweep as long as the old model wins, else the sweep begins now. */
PRF_CHECKED prf_status_t old_go_on(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err);
/* The trial is over: all its tracks go on. */
PRF_CHECKED prf_status_t old_tried(prf_engine_t *self, size_t board, prf_error_t *err);
/* For the summary: what came of it, or null. New reference. */
json_t *old_json(const prf_engine_t *self, size_t board);

/* engine_decide.c */
bool cut_is_due(const prf_engine_t *self, const kind_t *kind);
bool cut_leaves_out(const kind_t *kind, const probe_t *probe);

/* engine_refresh.c */
/* The kind has its model: on to the check if a refresh is to be made, else to publishing. */
PRF_CHECKED prf_status_t refresh_start(prf_engine_t *self, size_t board, prf_error_t *err);
bool refresh_is_due(const kind_t *kind);
char *refresh_text(const prf_engine_t *self, const kind_t *kind);
PRF_CHECKED prf_status_t refresh_decide(prf_engine_t *self, size_t board, const char *text, prf_error_t *err);

#endif
