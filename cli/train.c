// SPDX-License-Identifier: Apache-2.0
/* train.c - `prfarm train`: a model from latencies that were recorded elsewhere, without any farm. */
#include "model/train.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "campaign/recorded.h"
#include "cli.h"

static const prf_usage_t usage = {
    .name = "train",
    .synopsis = "DATA.csv --spec SPEC.yaml",
    .purpose = "Makes a model from a table of layers that were measured elsewhere.",
    .text = "DATA.csv (plain or gzip) has one measured layer a row; SPEC.yaml says what its columns\n"
            "mean. A share of the layers is held back to judge the model. The spec's format is in\n"
            "docs/model-file.md, an example in docs/examples/train-v100.yaml.\n\n"
            "  prfarm train measured.csv.gz --spec train.yaml --out board.prfm\n"
            "  prfarm estimate --model board.prfm network.onnx\n\n"
            "With --from the model of another board of the family is a beginning: what was found out\n"
            "about its tiles and buffers stays, and its numbers are fitted to a dozen layers. It is taken\n"
            "over only where it predicts layers better than a model from scratch.\n\n"
            "  prfarm train few.csv --spec train.yaml --from board.prfm --out newer.prfm\n",
    .complete = ".csv .gz",
    .least = 1,
    .most = 1,
};

typedef struct {
    const char *spec, *out, *from;
    bool json;
    uint64_t threads;
} train_options_t;

static json_t *to_json(const prf_recorded_t *data, const prf_model_t *model, double seconds)
{
    const prf_metrics_t *v = &prf_model_provenance(model)->validation;
    const char *from = prf_model_provenance(model)->from;
    prf_model_layer_t info;
    prf_model_layer(model, 0, &info);
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:s, s:I, s:I, s:o}", "train_rows",
                     (json_int_t)data->train_count, "test_rows", (json_int_t)data->test_count, "mape_percent",
                     prf_json_real(v->mape_percent), "rmspe_percent", prf_json_real(v->rmspe_percent), "spearman",
                     prf_json_real(v->spearman), "within_10_percent", prf_json_real(v->within_10_percent), "seconds", seconds,
                     "median_percent", prf_json_real(v->median_percent), "within_5_percent", prf_json_real(v->within_5_percent),
                     "regressor", info.regressor, "rows", (json_int_t)data->rows, "duplicates", (json_int_t)data->duplicates,
                     "from", from[0] ? json_string(from) : json_null());
}

static prf_status_t fit(const prf_recorded_t *data, const prf_model_t *from, unsigned threads, prf_model_t **model,
                        prf_error_t *err)
{
    const char *names[PRF_MODEL_EXTRAS];
    prf_train_input_t input = prf_recorded_input(data, names);
    input.from = from;
    input.threads = threads;
    return prf_model_train(model, &input, err);
}

static bool has_counterpart(const prf_recorded_t *data, const prf_model_t *from)
{
    const char *names[PRF_MODEL_EXTRAS];
    prf_train_input_t input = prf_recorded_input(data, names);
    input.from = from;
    return prf_train_has_counterpart(&input, 0);
}

static void print_origin(const prf_recorded_t *data, const prf_model_t *model, const prf_model_t *from)
{
    if (prf_model_provenance(model)->from[0])
        printf("began with the model of %s: that predicts better than these layers alone\n", prf_model_kind(from));
    else
        printf("the model of %s was no help (it %s): trained from scratch\n", prf_model_kind(from),
               has_counterpart(data, from) ? "predicts no better than these layers alone"
                                           : "knows no such layers of this data type with the same extra columns");
}

static void print_summary(const prf_recorded_t *data, const prf_model_t *model, const prf_model_t *from, double seconds,
                          const char *out)
{
    const prf_metrics_t *v = &prf_model_provenance(model)->validation;
    char took[PRF_HUMAN];
    prf_model_layer_t info;
    prf_model_layer(model, 0, &info);
    printf("%s: %zu layers trained on, %zu held back (%llu rows read, %llu repeated a layer and were left out)\n", data->board,
           data->train_count, data->test_count, (unsigned long long)data->rows, (unsigned long long)data->duplicates);
    if (v->count)
        printf("on the held-back layers: MAPE %.2f %%, median error %.2f %%, RMSPE %.2f %%, within 10 %%: %.1f %%, Spearman %.4f\n",
               v->mape_percent, v->median_percent, v->rmspe_percent, v->within_10_percent, v->spearman);
    if (from)
        print_origin(data, model, from);
    printf("regressor %s, %s%s%s\n", info.regressor, prf_human_seconds(seconds, took), out ? ", written to " : "", out ? out : "");
}

static prf_status_t save(const prf_model_t *model, const char *path, prf_error_t *err)
{
    void *bytes;
    size_t len;
    prf_status_t status = prf_model_encode(model, &bytes, &len, err);
    if (status)
        return status;
    status = prf_file_write(path, bytes, len, err);
    free(bytes);
    return status;
}

static prf_status_t load(const char *path, const train_options_t *options, prf_recorded_t *data, prf_error_t *err)
{
    prf_recorded_spec_t *spec;
    if (!options->spec)
        return prf_fail(err, PRF_EUSAGE, "--spec is missing: prfarm train %s", usage.synopsis);
    prf_status_t status = prf_recorded_spec_load(&spec, options->spec, err);
    if (status)
        return status;
    status = prf_recorded_load(data, spec, path, err);
    prf_recorded_spec_destroy(&spec);
    return status;
}

int prf_cmd_train(int argc, char **argv)
{
    train_options_t options = {0};
    const prf_option_t known[] = {
        {.name = "spec", .value = "SPEC.yaml", .help = "what the columns mean", .text = &options.spec},
        {.name = "out", .value = "FILE.prfm", .help = "write the model there (default: only judge it)", .text = &options.out},
        {.name = "from", .value = "OLD.prfm", .help = "begin with the model of another board of the family", .text = &options.from},
        {.name = "threads",
         .value = "N",
         .help = "threads (default: one a processor)",
         .number = &options.threads,
         .lo = 1,
         .hi = 64},
        {.name = "json", .help = "print JSON", .flag = &options.json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (!prf_options_parse(&usage, known, argc, argv, &words, &code))
        return code;
    uint64_t begin = prf_clock_mono_ns();
    prf_recorded_t data = {0};
    prf_model_t *model = NULL, *from = NULL;
    prf_error_t err = {0};
    prf_status_t status = options.from ? prf_model_load(&from, options.from, &err) : PRF_OK;
    if (!status)
        status = load(words.items[0], &options, &data, &err);
    if (!status)
        status = fit(&data, from, (unsigned)options.threads, &model, &err);
    if (!status && options.out)
        status = save(model, options.out, &err);
    double seconds = (double)(prf_clock_mono_ns() - begin) / 1e9;
    if (status)
        code = prf_report(&err);
    else if (options.json)
        code = prf_print_json(to_json(&data, model, seconds));
    else
        print_summary(&data, model, from, seconds, options.out);
    prf_model_destroy(&model);
    prf_model_destroy(&from);
    prf_recorded_release(&data);
    return code;
}
