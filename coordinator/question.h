// SPDX-License-Identifier: Apache-2.0
/* question.h - what is asked of models: the ops `estimate`, `evaluation` and `provenance` (docs/protocol.md). A question is put
 * together on the loop thread, answered on the side thread (side.h), and its answer handed on by the loop. */
#ifndef PRF_QUESTION_H
#define PRF_QUESTION_H

#include "models.h"
#include "queries.h"

enum { PRF_QUESTION_MODELS = 256 /* of one question */ };

/* The first member of each sort of question, which begins as {0} but for the two functions. */
typedef struct prf_question {
    /* Side thread: *out is a new reference. */
    prf_status_t (*answer)(struct prf_question *self, json_t **out, prf_error_t *err);
    void (*release)(struct prf_question *self); /* what the sort has of its own, and itself */
    prf_model_share_t *shares[PRF_QUESTION_MODELS];
    size_t share_count;
    prf_reply_fn fn; /* of who asks */
    void *arg;
    json_t *out; /* owned: the answer */
    prf_error_t err;
} prf_question_t;

/* Adds a version, or the current ones of all kinds (`kind` "") or one. Errors: PRF_ENOTFOUND (the kind has none), PRF_EBUSY (too
 * many), those of prf_models_share. */
PRF_CHECKED prf_status_t prf_question_about(prf_question_t *self, const prf_hub_t *hub, const prf_model_version_t *version,
                                            prf_error_t *err);
PRF_CHECKED prf_status_t prf_question_about_current(prf_question_t *self, const prf_hub_t *hub, const char *kind, prf_error_t *err);
/* Takes the question over and has it answered; `status` other than PRF_OK: it could not be put together, `err` says why. */
void prf_question_put(prf_question_t *self, const prf_hub_t *hub, prf_status_t status, const prf_error_t *err, prf_reply_fn fn,
                      void *arg);

/* The ops. `fn` is called once. */
typedef void (*prf_ask_fn)(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg);
void prf_ask_estimate(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg);
void prf_ask_evaluation(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg);
void prf_ask_provenance(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg);

#endif
