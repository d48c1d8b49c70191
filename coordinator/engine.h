// SPDX-License-Identifier: Apache-2.0
/* engine.h - one campaign's decisions: which points it wants measured next, when a stage is over, what is trained, and what the
 * outcome is. Pure: no sockets, no store, no clock. Loop thread only, except prf_training_run.
 *
 * The service around it (campaigns.c) hands in what is known - a kind's runtime fingerprint, results by point - and carries out
 * what is wanted. Everything follows from the campaign file, the fingerprints, the *set* of results (never their order) and the few
 * decisions that are written down (prf_engine_decision): a campaign that is killed and resumed asks the same questions again, finds
 * most of them answered in the store, and ends in the same bytes. The stages of each board kind are those of METHOD section 2:
 * sweep, steps, sample, measure, train, validate, publish; layer kinds advance side by side. */
#ifndef PRF_ENGINE_H
#define PRF_ENGINE_H

#include <jansson.h>

#include "campaign/campaign.h"
#include "model/model.h"
#include "wire/wire.h"

typedef struct prf_engine prf_engine_t;

/* A whole network to be estimated and measured, as the client folded it. */
typedef struct {
    char name[PRF_NAME];
    prf_block_t *blocks; /* owned */
    size_t block_count;
    prf_edge_t *edges; /* owned; what each block reads (prf_chain_t); NULL: the client did not tell */
    size_t edge_count;
} prf_engine_network_t;

/* NULL-safe. */
void prf_engine_networks_free(prf_engine_network_t *networks, size_t count);

typedef enum {
    PRF_STAGE_WAITING = 0, /* for a board of this kind */
    PRF_STAGE_SWEEP,
    PRF_STAGE_MEASURE,
    PRF_STAGE_TRAIN,
    PRF_STAGE_CHECK,   /* of a refresh: some of what the model was trained on is measured again */
    PRF_STAGE_PUBLISH, /* the model is offered; waiting for acknowledgements */
    PRF_STAGE_DONE,
    PRF_STAGE_FAILED,
    PRF_STAGES
} prf_stage_t;

/* A point the campaign wants to have measured. Blocks are borrowed from the engine until the next call. */
typedef struct {
    prf_digest_t point;
    uint32_t attempt;        /* 0, 1, ...: independent measurements of one point */
    size_t board;            /* index into the campaign's boards */
    prf_protocol_t protocol; /* chains are timed in the cache state that they leave themselves, layers in the campaign's */
    const prf_block_t *blocks;
    size_t block_count;
    const prf_edge_t *edges; /* borrowed likewise */
    size_t edge_count;       /* 0 unless the board is to build the blocks as one network */
    const char *role;        /* what it is for, for people: "sweep", "representative", "validation", "random", "active", "network",
                                "refresh", "fusion", "chain" */
} prf_want_t;

/* Takes the campaign and the networks over (also on failure). Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_engine_new(prf_engine_t **out, prf_campaign_t *campaign, prf_engine_network_t *networks,
                                        size_t network_count, prf_error_t *err);
/* The kind begins with a model of another board (`from` in the campaign file), which is taken over; before the kind is pinned. */
void prf_engine_begin_with(prf_engine_t *self, size_t board, prf_model_t *old);
void prf_engine_destroy(prf_engine_t **self);
const prf_campaign_t *prf_engine_campaign(const prf_engine_t *self);

/* A refresh is to be made: kinds whose last one has a lower number measure `points` trained layers again once they come to their
 * model, and decide (engine_refresh.c has the rule). Before the kinds are pinned. */
typedef struct {
    uint32_t number;      /* counts the campaign's refreshes, from 1; 0: none */
    uint32_t points;      /* a board kind */
    double limit_percent; /* 0: what the repeatability says */
} prf_refresh_t;
enum { PRF_REFRESHES = 1 << 20 /* of one campaign, at most */ };
void prf_engine_refresh(prf_engine_t *self, const prf_refresh_t *refresh);

/* Whether the farm has the outcome of a point and attempt. */
typedef bool (*prf_known_fn)(void *arg, const prf_digest_t *point, uint32_t attempt);
/* Points that the campaign had the outcome of in an earlier run are handed out before all others, so that it is where it was, and
 * what it spent is charged to its time, before anything new is measured. Before the kinds are pinned. */
void prf_engine_recall(prf_engine_t *self, prf_known_fn had, void *arg);

/* The first board of a kind has joined (or a stored decision tells): from now on the kind stands for this runtime. Workers with
 * another fingerprint get no jobs of this campaign. `kinds`, `dtypes` as in backend.h; layers that the board cannot run fail the
 * kind with a message. Of `flags`, whether it builds networks counts. Errors: PRF_EUNSUPPORTED, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_engine_pin(prf_engine_t *self, size_t board, const char *fingerprint, uint32_t kinds, uint32_t dtypes,
                                        uint32_t flags, prf_error_t *err);
const char *prf_engine_fingerprint(const prf_engine_t *self, size_t board); /* "" until pinned */

/* Hands out the next point that was not handed out yet; false when there is none for now. The caller answers each one exactly once
 * through prf_engine_answer: at once when the store has it (reused), else when it is committed. */
bool prf_engine_next(prf_engine_t *self, prf_want_t *out);
/* The same for one of its boards, so that the service takes no more than the boards of that kind will soon need: what is still
 * with the engine can be skipped when the time budget is used up. */
bool prf_engine_next_on(prf_engine_t *self, size_t board, prf_want_t *out);
/* A point's outcome: a sample, or NULL when it is poisoned (failed on several boards). Unknown points are ignored.
 * Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_engine_answer(prf_engine_t *self, const prf_digest_t *point, uint32_t attempt,
                                           const prf_sample_t *sample, bool reused, const char *error, prf_error_t *err);

/* Of what it wants so far (the stages to come are not planned yet), how much is known and how much is not. */
void prf_engine_outlook(const prf_engine_t *self, prf_known_fn known, void *arg, size_t *have, size_t *lack);

/* Decisions: what does not follow from the file and the results, and must be durable before anything follows from it. Each has a
 * name and a text. The service stores a due one under its name and tells with prf_engine_decide when that is done; until then it
 * stays due, and nothing is handed out that hangs on it. Stored ones are handed in at the start, in the order of this list, before
 * the kind is pinned; what is damaged, or was decided about another file, has no effect. prf_engine_decision: caller frees; NULL:
 * none is due (or out of memory: ask again). */
enum { PRF_ENGINE_DECISIONS = 2 };
extern const char *const prf_engine_decisions[PRF_ENGINE_DECISIONS];
char *prf_engine_decision(const prf_engine_t *self, size_t board, prf_known_fn known, void *arg, const char **name);
/* Errors: PRF_ENOMEM; the kind has failed then. */
PRF_CHECKED prf_status_t prf_engine_decide(prf_engine_t *self, size_t board, const char *name, const char *text, prf_error_t *err);

/* Training, done elsewhere: take a task when there is one, run it on any thread, give it back. */
typedef struct prf_training prf_training_t;
prf_training_t *prf_engine_training(prf_engine_t *self); /* NULL: none now; ownership passes to the caller */
void prf_training_run(prf_training_t *task);             /* long; touches nothing but the task */
/* Back on the loop thread; destroys the task. When the kind's model is final, its file is available from prf_engine_model. */
PRF_CHECKED prf_status_t prf_engine_trained(prf_engine_t *self, prf_training_t *task, prf_error_t *err);
size_t prf_training_board(const prf_training_t *task);
void prf_training_destroy(prf_training_t **task);
/* The kind's final model file (borrowed), or NULL. `version` receives what prf_engine_published told, 0 before. */
const void *prf_engine_model(const prf_engine_t *self, size_t board, size_t *len, uint32_t *version);
double prf_engine_mape(const prf_engine_t *self, size_t board); /* its validation error, percent; NaN: unknown */
/* The service stored and offered the model as `version`; then tells how many of the kind's workers run it. The kind is done
 * when all connected ones do, or when they had time enough (`late`): the model is durable, and one board that cannot take it must
 * not hold a fleet. The summary's note then says how many do not. */
void prf_engine_published(prf_engine_t *self, size_t board, uint32_t version);
void prf_engine_acknowledged(prf_engine_t *self, size_t board, uint32_t workers, uint32_t acknowledged, bool late);
/* What the service could not do for a kind (train, publish) ends it with this reason. */
void prf_engine_fail(prf_engine_t *self, size_t board, const char *why);

prf_stage_t prf_engine_stage(const prf_engine_t *self, size_t board);
const char *prf_stage_name(prf_stage_t stage);
bool prf_engine_finished(const prf_engine_t *self); /* every kind done or failed */

typedef struct {
    size_t measured, open; /* points: with an outcome of this campaign; wanted, without one */
} prf_engine_count_t;
prf_engine_count_t prf_engine_count(const prf_engine_t *self, size_t board);
/* The "boards" of `status` in docs/protocol.md, as far as the engine knows. New reference. */
json_t *prf_engine_status(const prf_engine_t *self);
/* summary.json without "seconds". New reference; docs/summary.md. */
json_t *prf_engine_summary(const prf_engine_t *self);

#endif
