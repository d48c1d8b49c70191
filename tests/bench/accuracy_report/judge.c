// SPDX-License-Identifier: Apache-2.0
/* judge.c - what a campaign's model is worth: on layers of the original space that nothing was trained on, on whole networks, and
 * by the widths that were found. The truth is the board without noise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pr/sample.h"

/* Estimates of all test layers of a board, track after track. */
typedef struct {
    double exact[TEST_LAYERS + TRACKS_MOST], ours[TEST_LAYERS + TRACKS_MOST], paper[TEST_LAYERS + TRACKS_MOST],
        random[TEST_LAYERS + TRACKS_MOST];
    size_t count, covered;
} exam_t;

void score(const double *estimated, const double *exact, size_t count, score_t *out)
{
    prf_metrics_compute(estimated, exact, count, &out->metrics);
    out->coverage_percent = (double)NAN;
}

static const prf_campaign_layer_t *layer_of(const prf_campaign_t *campaign, prf_layer_kind_t kind)
{
    for (size_t i = 0; i < campaign->layer_count; i++)
        if (campaign->layers[i].space.kind == kind)
            return &campaign->layers[i];
    return NULL;
}

static size_t share_of(const prf_campaign_t *campaign, prf_layer_kind_t kind)
{
    size_t weights = 0;
    for (size_t i = 0; i < campaign->layer_count; i++)
        weights += campaign->layers[i].weight;
    return (size_t)TEST_LAYERS * layer_of(campaign, kind)->weight / weights;
}

/* What was asked of one layer kind. */
static size_t asked_of(const drive_t *drive, prf_layer_kind_t kind, const char *role, prf_layer_t *layers)
{
    size_t n = 0;
    for (size_t i = 0; i < drive->asked_count; i++)
        if (drive->asked[i].layers[0].kind == kind && (!role || strcmp(role, drive->roles[i]) == 0)) {
            if (layers)
                layers[n] = drive->asked[i].layers[0];
            n++;
        }
    return n;
}

/* Test layers and their exact latencies; layers that the board cannot run do not count. */
static size_t draw(const drive_t *drive, device_t *exact, const prf_space_t *space, size_t wanted, prf_layer_t *layers,
                   double *truth)
{
    prf_error_t err = {0};
    size_t got = 0, kept = 0, known = asked_of(drive, space->kind, NULL, NULL);
    prf_layer_t *taken = must(calloc(known + 1, sizeof *taken));
    asked_of(drive, space->kind, NULL, taken);
    uint64_t seed = drive->campaign->seed ^ prf_rng_stream("exam");
    if (prf_sample_random(space, seed, taken, known, wanted, layers, &got, &err))
        die(&err, "test layers");
    free(taken);
    for (size_t i = 0; i < got; i++) {
        prf_block_t block = {.dtype = space->dtype, .count = 1, .layers = {layers[i]}};
        layers[kept] = layers[i];
        kept += device_measure(exact, &block, &truth[kept]);
    }
    return kept;
}

/* Estimates by our model; returns how many intervals hold the truth, rounding aside. */
static size_t estimate(const prf_model_t *model, const prf_space_t *space, const prf_layer_t *layers, const double *truth,
                       size_t count, double *out)
{
    prf_error_t err = {0};
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        prf_block_t block = {.dtype = space->dtype, .count = 1, .layers = {layers[i]}};
        prf_estimate_t e;
        if (prf_model_estimate(model, &block, NULL, &e, &err))
            die(&err, "estimating");
        out[i] = e.latency_ns;
        held += truth[i] >= e.low_ns * (1 - 1e-9) && truth[i] <= e.high_ns * (1 + 1e-9);
    }
    return held;
}

static void judge_track(drive_t *drive, device_t *exact, const prf_model_layer_t *track, exam_t *exam, track_score_t *out)
{
    size_t wanted = share_of(drive->campaign, track->kind);
    prf_layer_t *layers = must(calloc(wanted + 1, sizeof *layers));
    double *truth = exam->exact + exam->count, *ours = exam->ours + exam->count, *paper = exam->paper + exam->count,
           *random = exam->random + exam->count;
    size_t count = draw(drive, exact, &track->space, wanted, layers, truth);
    *out = (track_score_t){.kind = track->kind, .steps = track->steps};
    snprintf(out->regressor, sizeof out->regressor, "%s", track->regressor);
    out->samples = asked_of(drive, track->kind, NULL, NULL);
    out->swept = asked_of(drive, track->kind, "sweep", NULL);
    out->given = layer_of(drive->campaign, track->kind)->knowledge.kind == PRF_WHITE;
    size_t held = estimate(drive->model, &track->space, layers, truth, count, ours);
    rival_paper(drive, track, out->samples, out->swept, drive->campaign->seed, layers, count, paper);
    rival_random(drive, track, out->samples, drive->campaign->seed, layers, count, random);
    score(ours, truth, count, &out->ours);
    score(paper, truth, count, &out->paper);
    score(random, truth, count, &out->random);
    out->ours.coverage_percent = 100 * (double)held / (double)(count ? count : 1);
    exam->count += count;
    exam->covered += held;
    free(layers);
}

static bool has_width(const case_t *which, prf_layer_kind_t kind, prf_param_t param, int32_t width)
{
    for (size_t i = 0; i < WIDTHS_MOST; i++)
        if (which->widths[i].width == width && which->widths[i].kind == kind && which->widths[i].param == param)
            return true;
    return false;
}

static void count_widths(const case_t *which, outcome_t *out)
{
    for (size_t i = 0; i < WIDTHS_MOST; i++)
        out->widths_true += which->widths[i].width > 0;
    for (size_t t = 0; t < out->track_count; t++)
        for (int p = 0; p < PRF_PARAMS && !out->tracks[t].given; p++) {
            int32_t width = out->tracks[t].steps.width[p];
            if (width <= 1)
                continue;
            if (has_width(which, out->tracks[t].kind, (prf_param_t)p, width))
                out->widths_found++;
            else
                out->widths_false++;
        }
}

static void judge_network(const drive_t *drive, device_t *exact, const char *name, network_score_t *out)
{
    size_t count;
    prf_block_t *blocks = network_blocks(name, drive->campaign->layers[0].space.dtype, &count);
    *out = (network_score_t){.name = name, .blocks = count};
    if (!blocks)
        die(NULL, name);
    for (size_t i = 0; i < count; i++) {
        prf_estimate_t e;
        double ns;
        if (!prf_model_covers(drive->model, &blocks[i]) || !device_measure(exact, &blocks[i], &ns) ||
            prf_model_estimate(drive->model, &blocks[i], NULL, &e, NULL))
            continue;
        out->modelled++;
        out->estimated_ns += e.latency_ns;
        out->exact_ns += ns;
    }
    free(blocks);
}

/* The curve with most measured layers, over the case's first width. */
static void draw_staircase(const drive_t *drive, device_t *exact, const case_t *which, staircase_t *out)
{
    const width_t *w = &which->widths[0];
    const prf_campaign_layer_t *layer = layer_of(drive->campaign, w->kind);
    if (w->width == 0 || !layer)
        return;
    *out = (staircase_t){.kind = w->kind, .param = w->param};
    prf_layer_t base = {.kind = w->kind};
    for (size_t i = 0; i < drive->asked_count; i++) {
        size_t alike = 0;
        double at[STAIRCASE_MOST], ns[STAIRCASE_MOST];
        for (size_t j = 0; j < drive->asked_count && strcmp(drive->roles[i], "sweep") == 0; j++) {
            prf_layer_t twin = drive->asked[j].layers[0];
            int32_t value = twin.p[w->param];
            twin.p[w->param] = drive->asked[i].layers[0].p[w->param];
            if (strcmp(drive->roles[j], "sweep") != 0 || !prf_layer_equal(&twin, &drive->asked[i].layers[0]) ||
                alike == STAIRCASE_MOST)
                continue;
            at[alike] = value;
            ns[alike++] = drive->latency_ns[j];
        }
        if (alike <= out->swept_count)
            continue;
        out->swept_count = alike;
        memcpy(out->swept_at, at, alike * sizeof *at);
        memcpy(out->swept_ns, ns, alike * sizeof *ns);
        base = drive->asked[i].layers[0];
    }
    for (int32_t v = 1; v <= STAIRCASE_MOST && v <= 8 * w->width && out->swept_count > 0; v++) {
        prf_block_t block = {.dtype = layer->space.dtype, .count = 1, .layers = {base}};
        prf_estimate_t e;
        block.layers[0].p[w->param] = v;
        if (!device_measure(exact, &block, &out->exact_ns[out->count]) || prf_model_estimate(drive->model, &block, NULL, &e, NULL))
            continue;
        out->estimated_ns[out->count] = e.latency_ns;
        out->at[out->count++] = v;
    }
}

void judge(drive_t *drive, const case_t *which, outcome_t *out)
{
    exam_t *exam = must(calloc(1, sizeof *exam));
    device_t exact;
    device_open(&exact, drive->campaign, false, 0);
    out->samples = drive->asked_count;
    for (size_t i = 0; i < prf_model_layer_count(drive->model) && i < TRACKS_MOST; i++) {
        prf_model_layer_t track;
        prf_model_layer(drive->model, i, &track);
        judge_track(drive, &exact, &track, exam, &out->tracks[i]);
        out->swept += out->tracks[i].swept;
        out->track_count++;
    }
    score(exam->ours, exam->exact, exam->count, &out->ours);
    score(exam->paper, exam->exact, exam->count, &out->paper);
    score(exam->random, exam->exact, exam->count, &out->random);
    out->ours.coverage_percent = 100 * (double)exam->covered / (double)exam->count;
    count_widths(which, out);
    for (size_t i = 0; i < NETWORKS_MOST && which->networks[i]; i++)
        judge_network(drive, &exact, which->networks[i], &out->networks[out->network_count++]);
    draw_staircase(drive, &exact, which, &out->staircase);
    device_close(&exact);
    free(exam);
}
