// SPDX-License-Identifier: Apache-2.0
/* recorded.c - models of a recorded board (docs/examples/train-v100.yaml), in three data types, from a thousand layers and from
 * all: ours, and the paper's forest on the latency itself. The recordings are not part of the project; their path is given. */
#include "campaign/recorded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/order.h"
#include "bench.h"
#include "layer/features.h"
#include "model/bins.h"
#include "model/grow.h"

enum { PRECISIONS = 3, SIZES = 2, SPEC_MOST = 1 << 16 };

static const struct {
    const char *name;
    double goal[SIZES];
} precisions[PRECISIONS] = {{"fp32", {10, 3}}, {"fp16", {13, 4.5}}, {"int8", {8, 3}}};
static const unsigned sizes[SIZES] = {1000, 0}; /* layers; 0: all of the training part */

typedef struct {
    double ours, median, within_10, paper; /* MAPE and shares in percent */
    char regressor[64];
    size_t trained, judged;
} row_t;

/* The example's spec with another data type, budget and seed. */
static void load(prf_recorded_t *out, const char *data, const char *precision, unsigned budget, uint64_t seed)
{
    prf_error_t err = {0};
    prf_recorded_spec_t *spec;
    prf_text_t text;
    char path[] = "/tmp/prfarm-recorded-XXXXXX", *example, *at;
    size_t len;
    if (prf_file_read(PRF_NETWORKS "/../train-v100.yaml", SPEC_MOST, &example, &len, &err))
        die(&err, "train-v100.yaml");
    if (!(at = strstr(example, "precision: fp32")))
        die(NULL, "train-v100.yaml has no 'precision: fp32'");
    prf_text_init(&text);
    prf_text_add(&text, "%.*sprecision: %s%s", (int)(at - example), example, precision, at + strlen("precision: fp32"));
    char *spec_text = must(prf_text_take(&text));
    if (!(at = strstr(spec_text, "seed: 1")))
        die(NULL, "train-v100.yaml has no 'seed: 1'");
    prf_text_init(&text);
    prf_text_add(&text, "%.*sseed: %llu%s\n", (int)(at - spec_text), spec_text, (unsigned long long)seed, at + strlen("seed: 1"));
    if (budget)
        prf_text_add(&text, "budget: %u\n", budget);
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) || prf_file_write(path, prf_text_get(&text), strlen(prf_text_get(&text)), &err) ||
        prf_recorded_spec_load(&spec, path, &err) || prf_recorded_load(out, spec, data, &err))
        die(&err, data);
    unlink(path);
    prf_recorded_spec_destroy(&spec);
    prf_text_release(&text);
    free(spec_text);
    free(example);
}

static double train(const prf_recorded_t *data, row_t *row)
{
    prf_error_t err = {0};
    const char *names[PRF_MODEL_EXTRAS];
    prf_train_input_t input = prf_recorded_input(data, names);
    prf_model_t *model;
    if (prf_model_train(&model, &input, &err))
        die(&err, "a recorded board");
    const prf_metrics_t *m = &prf_model_provenance(model)->validation;
    double mape = m->mape_percent;
    if (row) {
        prf_model_layer_t layer;
        prf_model_layer(model, 0, &layer);
        row->median = m->median_percent;
        row->within_10 = m->within_10_percent;
        row->trained = data->train_count;
        row->judged = data->test_count;
        snprintf(row->regressor, sizeof row->regressor, "%s", layer.regressor);
    }
    prf_model_destroy(&model);
    return mape;
}

/* A forest on the latency itself. There are no steps, so all layers are representatives. */
static double paper(const prf_recorded_t *data, uint64_t seed)
{
    static const prf_growth_t growth = {
        .members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1};
    prf_error_t err = {0};
    prf_recipe_t recipe = {.kind = data->layer.space.kind, .dtype = data->layer.space.dtype, .extras = (uint32_t)data->extra_count};
    size_t width = prf_features_count(&recipe), rows = data->train_count;
    float *table = must(calloc(rows * width + 1, sizeof *table)), x[PRF_FEATURES];
    double *target = must(calloc(rows + 1, sizeof *target)), sum = 0, spread, mean;
    for (size_t i = 0; i < rows; i++) {
        prf_features_compute(&recipe, &data->layer.train[i].layer, data->layer.train[i].extras, x);
        memcpy(table + i * width, x, width * sizeof *x);
        target[i] = data->layer.train[i].latency_ns;
    }
    prf_bins_t bins;
    prf_ensemble_t forest;
    if (prf_bins_init(&bins, table, rows, width, &err) ||
        prf_ensemble_fit(&forest, &bins, table, width, target, &growth, seed, 0, &err))
        die(&err, "the paper's forest");
    for (size_t i = 0; i < data->test_count; i++) {
        prf_features_compute(&recipe, &data->layer.validation[i].layer, data->layer.validation[i].extras, x);
        prf_ensemble_predict(&forest, x, &mean, &spread);
        sum += fabs(mean / data->layer.validation[i].latency_ns - 1);
    }
    prf_ensemble_release(&forest);
    prf_bins_release(&bins);
    free(table);
    free(target);
    return 100 * sum / (double)data->test_count;
}

static void judge_recorded(const char *path, const char *precision, unsigned budget, uint64_t seed, row_t *out)
{
    prf_recorded_t data;
    *out = (row_t){.ours = (double)NAN};
    load(&data, path, precision, budget, seed);
    out->paper = paper(&data, seed);
    out->ours = train(&data, out);
    prf_recorded_release(&data);
    printf("%s %5zu seed %llu: MAPE %7.3f  median %7.3f  <10%% %5.1f | paper %7.3f | %s\n", precision, out->trained,
           (unsigned long long)seed, out->ours, out->median, out->within_10, out->paper, out->regressor);
    fflush(stdout);
}

static double middle(const row_t *rows, size_t count, size_t offset)
{
    double values[SEEDS_MOST];
    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&rows[i] + offset, sizeof values[i]);
    return prf_median(values, count);
}

static void add_rows(prf_text_t *md, const char *name, const row_t *rows, size_t count, double goal)
{
    double ours = middle(rows, count, offsetof(row_t, ours));
    double forest = middle(rows, count, offsetof(row_t, paper));
    prf_text_add(md, "| %s | %zu | %.3g | %g | %s | %.3g | %.1f | %.3g |", name, rows[0].trained, ours, goal,
                 ours <= goal ? "yes" : "**no**", middle(rows, count, offsetof(row_t, median)),
                 middle(rows, count, offsetof(row_t, within_10)), forest);
    prf_text_add(md, " %s |\n", rows[0].regressor);
}

void recorded_run(const char *data, size_t seeds, const char *report)
{
    row_t rows[SEEDS_MOST];
    prf_text_t md;
    prf_error_t err = {0};
    prf_text_init(&md);
    prf_text_add(
        &md,
        "<!-- Written by tests/bench/accuracy --recorded DATA --report docs. Do not edit. -->\n"
        "# How good the estimates are on a recorded GPU\n\n"
        "    tests/bench/accuracy --recorded v100_tensorrt_conv.csv.gz --report docs\n\n"
        "Convolutions that the authors of alibaba/lightweight-neural-architecture-search measured with TensorRT on an NVIDIA V100\n"
        "(batch 1, type Regular; not part of prfarm), by the spec `docs/examples/train-v100.yaml` in three data types. A fifth of\n"
        "the layers is held back and judges. 1,000 are drawn evenly from the others; the paper's forest gets the same. Medians of "
        "%zu seeds.\n\n"
        "| data type | layers | MAPE %% | goal | reached | median %% | within 10 %% | paper's forest | regressor |\n"
        "|---|---|---|---|---|---|---|---|---|\n",
        seeds);
    for (size_t p = 0; p < PRECISIONS; p++)
        for (size_t s = 0; s < SIZES; s++) {
            for (size_t i = 0; i < seeds; i++)
                judge_recorded(data, precisions[p].name, sizes[s], i + 1, &rows[i]);
            add_rows(&md, precisions[p].name, rows, seeds, precisions[p].goal[s]);
        }
    char path[512];
    snprintf(path, sizeof path, "%s/accuracy-recorded.md", report ? report : ".");
    if (report && prf_file_write(path, prf_text_get(&md), strlen(prf_text_get(&md)), &err))
        die(&err, path);
    prf_text_release(&md);
}
