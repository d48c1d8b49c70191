// SPDX-License-Identifier: Apache-2.0
/* race_trainer.c - two campaigns train their models in the trainer's thread, which itself uses all processors, while this thread
 * goes on asking the engines for their status, as the coordinator's loop does; and a trainer that ends in the middle of a training.
 */
#include <poll.h>
#include <string.h>

#include "coordinator/trainer.h"
#include "tests/support/must.h"
#include "tests/support/patience.h"

enum { ENGINES = 2 };

static prf_engine_t *campaign(const char *name)
{
    char text[512];
    prf_campaign_t parsed;
    prf_engine_t *engine;
    prf_error_t err;
    snprintf(text, sizeof text,
             "campaign: %s\nboards: [{kind: a}]\nbudget: {samples: 60}\nvalidation: {layers: 8, repeats: 1}\nbaseline: false\n"
             "layers:\n  - {kind: fc, knowledge: white, steps: {in: 8, out: 8}, params: {in: 1..64, out: 1..64}}\n",
             name);
    MUST(prf_campaign_parse(&parsed, text, strlen(text), name, &err) == PRF_OK, "%s", err.text);
    MUST(prf_engine_new(&engine, &parsed, NULL, 0, &err) == PRF_OK, "%s", err.text);
    MUST(prf_engine_pin(engine, 0, "race", UINT32_MAX, UINT32_MAX, 0, &err) == PRF_OK, "%s", err.text);
    return engine;
}

/* Answers all that the campaign wants to know for now. */
static void answer(prf_engine_t *engine)
{
    prf_want_t want;
    prf_error_t err;
    while (prf_engine_next(engine, &want)) {
        const prf_layer_t *layer = &want.blocks[0].layers[0];
        double ns = 100 + (double)layer->p[PRF_P_IN] * layer->p[PRF_P_OUT];
        prf_sample_t sample = {.latency_ns = ns, .min_ns = ns, .repeats = 1, .busy_ns = (uint64_t)ns};
        prf_digest_t point = want.point;
        MUST(prf_engine_answer(engine, &point, want.attempt, &sample, false, "", &err) == PRF_OK, "%s", err.text);
    }
}

static void advance(prf_trainer_t *trainer, prf_engine_t *engine, size_t owner)
{
    prf_error_t err;
    answer(engine);
    prf_training_t *task = prf_engine_training(engine);
    if (task)
        MUST(prf_trainer_put(trainer, owner, task, &err) == PRF_OK, "%s", err.text);
    json_decref(prf_engine_status(engine));
}

static void finish(prf_trainer_t *trainer, prf_engine_t **engines)
{
    size_t trained = 0;
    while (trained < ENGINES) {
        for (size_t i = 0; i < ENGINES; i++)
            advance(trainer, engines[i], i);
        struct pollfd fd = {.fd = prf_trainer_fd(trainer), .events = POLLIN};
        MUST(poll(&fd, 1, PATIENCE_MS) == 1, "no training came back");
        uint64_t owner;
        prf_training_t *task;
        prf_error_t err;
        while (prf_trainer_take(trainer, &owner, &task))
            MUST(prf_engine_trained(engines[owner], task, &err) == PRF_OK, "%s", err.text);
        trained = 0;
        for (size_t i = 0; i < ENGINES; i++)
            trained += prf_engine_model(engines[i], 0, &(size_t){0}, &(uint32_t){0}) != NULL;
    }
}

int main(void)
{
    prf_trainer_t *trainer;
    prf_engine_t *engines[ENGINES];
    prf_error_t err;
    MUST(prf_trainer_new(&trainer, &err) == PRF_OK, "%s", err.text);
    for (size_t i = 0; i < ENGINES; i++)
        engines[i] = campaign(i ? "second" : "first");
    finish(trainer, engines);
    for (size_t i = 0; i < ENGINES; i++)
        prf_engine_destroy(&engines[i]);

    engines[0] = campaign("third");
    advance(trainer, engines[0], 0);
    prf_trainer_destroy(&trainer, PATIENCE_MS);
    prf_engine_destroy(&engines[0]);
    return 0;
}
