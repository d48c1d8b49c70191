// SPDX-License-Identifier: Apache-2.0
/* question_evaluation.c - the layers that a campaign judges by, with what they took and what the kind's present model says they
 * take. They are read from the plan and the index, so that it is the same for a campaign that runs and for one that is long over.
 *
 * A layer is measured several times, and each measurement is several passes, of which the fastest stands (engine_passes.c): an
 * attempt's number tells which it is. After a refresh that found everything outdated the newest generation is shown. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine_attempts.h"
#include "question.h"

enum { ROWS = 500 /* in an answer at most */ };

typedef struct {
    prf_block_t block;
    double measured_ns; /* the mean of: */
    double *repeats_ns; /* in the evaluation's list */
    uint32_t repeats;
} row_t;

typedef struct {
    prf_question_t question;
    row_t *rows; /* owned */
    size_t count;
    double *repeats_ns; /* owned */
    size_t next;        /* place in the plan; 0: that was all */
} evaluation_t;

static void release(prf_question_t *question)
{
    evaluation_t *self = (evaluation_t *)question;
    free(self->rows);
    free(self->repeats_ns);
    free(self);
}

/* The fastest pass of a measurement; NaN: none has a result. */
static double fastest(const prf_hub_t *hub, const prf_digest_t *point, uint32_t attempt, uint32_t passes)
{
    double best = (double)NAN;
    for (uint32_t pass = 0; pass < passes; pass++) {
        prf_known_t known;
        const prf_entry_t *entry = prf_ledger_find(hub->ledger, point, attempt + pass);
        if (prf_index_get(hub->index, entry, &known) && known.outcome == PRF_OK && !(best <= known.sample.latency_ns))
            best = known.sample.latency_ns;
    }
    return best;
}

/* Fills the row at `self->count`; false: nothing of it is measured. */
static bool fill_row(evaluation_t *self, const prf_hub_t *hub, const prf_campaign_t *campaign, const prf_entry_t *entry,
                     const prf_planned_t *planned)
{
    row_t *row = &self->rows[self->count];
    *row = (row_t){.repeats_ns = &self->repeats_ns[self->count * campaign->repeats]};
    double sum = 0;
    for (uint32_t m = 0; m < campaign->repeats; m++) {
        double ns = fastest(hub, &entry->point, entry->attempt + m * campaign->most_passes, campaign->most_passes);
        if (isnan(ns))
            continue;
        row->repeats_ns[row->repeats++] = ns;
        sum += ns;
    }
    row->measured_ns = sum / row->repeats;
    return row->repeats > 0 && prf_block_parse(&row->block, planned->blocks, NULL) == PRF_OK;
}

static uint32_t newest_generation(prf_entry_t *const *entries, size_t count)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < count; i++)
        newest = entries[i]->attempt / PRF_GENERATION_ATTEMPTS > newest ? entries[i]->attempt / PRF_GENERATION_ATTEMPTS : newest;
    return newest;
}

static prf_status_t collect(evaluation_t *self, const prf_hub_t *hub, const prf_campaign_t *campaign, const char *kind,
                            size_t after, size_t most, prf_error_t *err)
{
    size_t count, i = after;
    prf_entry_t *const *entries = prf_plan_validation(hub->plan, campaign->name, kind, &count);
    self->rows = calloc(most, sizeof *self->rows);
    self->repeats_ns = calloc(most * campaign->repeats, sizeof *self->repeats_ns);
    if (!self->rows || !self->repeats_ns)
        return prf_fail(err, PRF_ENOMEM, "an evaluation");
    uint32_t first = newest_generation(entries, count) * PRF_GENERATION_ATTEMPTS;
    for (; i < count && self->count < most; i++) {
        prf_planned_t planned;
        if (entries[i]->attempt == first && prf_plan_find(hub->plan, entries[i], campaign->name, &planned))
            self->count += fill_row(self, hub, campaign, entries[i], &planned);
    }
    self->next = i < count ? i : 0;
    return PRF_OK;
}

static prf_status_t has_board(const prf_campaign_t *campaign, const char *kind, prf_error_t *err)
{
    for (size_t i = 0; i < campaign->board_count; i++)
        if (strcmp(campaign->boards[i].kind, kind) == 0)
            return PRF_OK;
    return prf_fail(err, PRF_ENOTFOUND,
                    "evaluation: campaign %s has no boards of kind '%.64s': 'prfarm status' lists those that it has",
                    campaign->name, kind);
}

static prf_status_t put_together(evaluation_t *self, const prf_queries_t *queries, const json_t *args, prf_error_t *err)
{
    const char *name = json_string_value(json_object_get(args, "campaign")),
               *kind = json_string_value(json_object_get(args, "kind"));
    json_int_t after = json_integer_value(json_object_get(args, "after")),
               limit = json_integer_value(json_object_get(args, "limit"));
    if (after < 0 || limit < 0)
        return prf_fail(err, PRF_EINVAL, "evaluation: \"after\" and \"limit\" are whole numbers of at least 0");
    prf_campaign_t campaign;
    prf_status_t status = prf_campaigns_spec(queries->campaigns, name ? name : "", &campaign, err);
    if (status)
        return status;
    status = has_board(&campaign, kind ? kind : "", err);
    if (!status)
        status = collect(self, queries->hub, &campaign, kind, (size_t)after, limit > 0 && limit < ROWS ? (size_t)limit : ROWS, err);
    prf_campaign_release(&campaign);
    prf_model_version_t current;
    if (!status && prf_publisher_current(queries->hub->publisher, kind, &current))
        status = prf_question_about(&self->question, queries->hub, &current, err);
    return status;
}

/* On the side thread. `model` NULL: there is none yet. */
static json_t *row_json(const row_t *row, const prf_model_t *model)
{
    prf_estimate_t e = {.latency_ns = (double)NAN, .low_ns = (double)NAN, .high_ns = (double)NAN};
    if (model && prf_model_estimate(model, &row->block, NULL, &e, NULL))
        e.outside = false;
    char text[PRF_BLOCK_TEXT];
    prf_block_format(&row->block, text);
    json_t *repeats = json_array();
    for (uint32_t i = 0; i < row->repeats; i++)
        json_array_append_new(repeats, json_real(row->repeats_ns[i]));
    return json_pack("{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:b}", "layer", text, "layer_kind",
                     prf_layer_kind_name(row->block.layers[0].kind), "measured_ns", row->measured_ns, "repeats_ns", repeats,
                     "estimated_ns", prf_json_real(e.latency_ns), "low_ns", prf_json_real(e.low_ns), "high_ns",
                     prf_json_real(e.high_ns), "outside", (int)e.outside);
}

static prf_status_t answer(prf_question_t *question, json_t **out, prf_error_t *err)
{
    const evaluation_t *self = (const evaluation_t *)question;
    const prf_model_t *model = NULL;
    prf_status_t status = question->share_count ? prf_model_share_get(question->shares[0], &model, err) : PRF_OK;
    if (status)
        return status;
    json_t *rows = json_array();
    for (size_t i = 0; i < self->count; i++)
        json_array_append_new(rows, row_json(&self->rows[i], model));
    uint32_t version = question->share_count ? prf_model_share_version(question->shares[0])->version : 0;
    *out = json_pack("{s:o, s:I, s:o}", "rows", rows, "version", (json_int_t)version, "next",
                     self->next ? json_integer((json_int_t)self->next) : json_null());
    return PRF_OK;
}

void prf_ask_evaluation(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    evaluation_t *self = calloc(1, sizeof *self);
    if (!self) {
        fn(arg, PRF_ENOMEM, NULL, prf_status_name(PRF_ENOMEM));
        return;
    }
    self->question = (prf_question_t){.answer = answer, .release = release};
    prf_status_t status = put_together(self, queries, args, &err);
    prf_question_put(&self->question, queries->hub, status, &err, fn, arg);
}
