// SPDX-License-Identifier: Apache-2.0
/* real.c - the processor of this machine: real campaigns by the real programs, one a seed, and what their summaries say. There is
 * no exact truth here: estimates are judged by measurements, and stand beside how well these repeat. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/order.h"
#include "base/process.h"
#include "bench.h"

enum { FILE_MOST = 1 << 26, PATH_MOST = 512 };

/* The campaign with another seed, beside the original, since its networks are named relative to it. */
static void write_campaign(const char *path, size_t seed)
{
    prf_error_t err = {0};
    char *text;
    size_t len;
    if (prf_file_read(PRF_CAMPAIGNS "/cpu.yaml", FILE_MOST, &text, &len, &err))
        die(&err, "cpu.yaml");
    char *line = strstr(text, "\nseed: 1\n"), *networks = must(text);
    if (!line)
        die(NULL, "cpu.yaml has no line 'seed: 1'");
    prf_text_t out;
    prf_text_init(&out);
    prf_text_add(&out, "%.*s\nseed: %zu\n", (int)(line - text), text, seed);
    line += strlen("\nseed: 1\n");
    while ((networks = strstr(line, "../../../../docs/examples/networks")) != NULL) {
        prf_text_add(&out, "%.*s%s", (int)(networks - line), line, PRF_NETWORKS);
        line = networks + strlen("../../../../docs/examples/networks");
    }
    prf_text_add(&out, "%s", line);
    if (prf_file_write(path, prf_text_get(&out), strlen(prf_text_get(&out)), &err))
        die(&err, path);
    prf_text_release(&out);
    free(text);
}

static void run_campaign(const char *campaign, const char *out)
{
    prf_error_t err = {0};
    prf_process_t child;
    char program[PATH_MOST];
    int wait_status = 0;
    snprintf(program, sizeof program, "%s/prfarm", PRF_PROGRAMS);
    const char *const argv[] = {program, "run", campaign, "--out", out, NULL};
    if (prf_process_start(&child, argv, &(prf_process_options_t){.socket = false}, &err))
        die(&err, program);
    if (waitpid(child.pid, &wait_status, 0) < 0)
        die(NULL, strerror(errno));
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        die(NULL, "a campaign on the real processor did not end well");
}

static json_t *summary_of(const char *folder)
{
    json_error_t why;
    char path[PATH_MOST + 16];
    snprintf(path, sizeof path, "%s/summary.json", folder);
    json_t *summary = json_load_file(path, 0, &why);
    if (!summary)
        die(NULL, why.text);
    return summary;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const json_t *board_of(const json_t *summary)
{
    return json_array_get(json_object_get(summary, "boards"), 0);
}

static double validated(const json_t *summary, const char *key)
{
    return number(json_object_get(board_of(summary), "validation"), key);
}

/* A row of one number from each summary, and their median. */
static void add_row(prf_text_t *md, const char *name, json_t *const *summaries, size_t count,
                    double (*of)(const json_t *summary, const char *key), const char *key)
{
    double values[SEEDS_MOST];
    prf_text_add(md, "| %s |", name);
    for (size_t i = 0; i < count; i++)
        prf_text_add(md, " %.4g |", values[i] = of(summaries[i], key));
    prf_text_add(md, " %.4g |\n", prf_median(values, count));
}

static double of_board(const json_t *summary, const char *key)
{
    return number(board_of(summary), key);
}

static double of_network(const json_t *summary, const char *name)
{
    size_t i;
    const json_t *network;
    json_array_foreach(json_object_get(summary, "networks"), i, network)
    {
        if (strcmp(json_string_value(json_object_get(network, "name")), name) == 0)
            return number(network, "error_percent");
    }
    return (double)NAN;
}

/* Mean of the errors' sizes over the networks. */
static double of_networks(const json_t *summary, const char *key)
{
    const json_t *networks = json_object_get(summary, "networks"), *network;
    double sum = 0;
    size_t i;
    json_array_foreach(networks, i, network) sum += fabs(number(network, key)) / (double)json_array_size(networks);
    return sum;
}

static void add_head(prf_text_t *md, const char *first, size_t count)
{
    prf_text_add(md, "| %s |", first);
    for (size_t i = 0; i < count; i++)
        prf_text_add(md, " seed %zu |", i + 1);
    prf_text_add(md, " median |\n|---|");
    for (size_t i = 0; i <= count; i++)
        prf_text_add(md, "---|");
    prf_text_add(md, "\n");
}

static void add_kinds(prf_text_t *md, json_t *const *summaries, size_t count)
{
    prf_text_add(md,
                 "| seed | layer kind | layers | MAPE %% | median %% | regressor | step widths |\n|---|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < count; s++) {
        const json_t *board = board_of(summaries[s]), *layer;
        size_t i;
        json_array_foreach(json_object_get(board, "layers"), i, layer)
        {
            const char *kind = json_string_value(json_object_get(layer, "kind")), *param;
            const json_t *judged = json_object_get(layer, "validation");
            json_t *steps = json_object_get(json_object_get(board, "steps"), kind), *width;
            prf_text_add(md, "| %zu | %s | %.0f | %.3g | %.3g | %s |", s + 1, kind, number(layer, "samples"),
                         number(judged, "mape_percent"), number(judged, "median_percent"),
                         json_string_value(json_object_get(layer, "regressor")));
            json_object_foreach(steps, param, width)
            {
                if (json_integer_value(width) > 1)
                    prf_text_add(md, " %s = %lld", param, (long long)json_integer_value(width));
            }
            prf_text_add(md, " |\n");
        }
    }
}

static void write_markdown(const char *folder, json_t *const *summaries, size_t count)
{
    prf_text_t md;
    prf_error_t err = {0};
    char path[PATH_MOST];
    prf_text_init(&md);
    prf_text_add(
        &md, "<!-- Written by tests/bench/accuracy --real --report docs. Do not edit. -->\n"
             "# How good the estimates are on a real processor\n\n"
             "    tests/bench/accuracy --real --report docs\n\n"
             "runs the campaign `tests/bench/accuracy_report/campaigns/cpu.yaml` with real processes, once a seed: 1,000 layers\n"
             "(sweeps included) of three kinds, measured through oneDNN on one thread. 200 layers that nothing was trained on "
             "judge, each\n"
             "measured twice: *repeatability* is what these two measurements differ by, and no model can be told to be better than "
             "that.\n"
             "*Random layers* are the same candidates trained on as many layers spread over the original space. A network's error "
             "is that\n"
             "of the sum of its estimates against its modelled blocks measured as one chain.\n\n");
    add_head(&md, "%", count);
    add_row(&md, "MAPE", summaries, count, of_board, "mape_percent");
    add_row(&md, "repeatability, mean", summaries, count, of_board, "repeatability_percent");
    add_row(&md, "median error", summaries, count, validated, "median_percent");
    add_row(&md, "within 5 %", summaries, count, validated, "within_5_percent");
    add_row(&md, "within 10 %", summaries, count, validated, "within_10_percent");
    add_row(&md, "MAPE of random layers", summaries, count, of_board, "random_baseline_mape_percent");
    add_row(&md, "layers measured", summaries, count, of_board, "samples");
    add_row(&md, "of them swept", summaries, count, of_board, "sweep_samples");
    prf_text_add(&md, "\n## Whole networks\n\n");
    add_head(&md, "error %", count);
    const json_t *network;
    size_t i;
    json_array_foreach(json_object_get(summaries[0], "networks"), i, network)
    {
        const char *name = json_string_value(json_object_get(network, "name"));
        add_row(&md, name, summaries, count, of_network, name);
    }
    add_row(&md, "mean size", summaries, count, of_networks, "error_percent");
    prf_text_add(&md, "\n## Layer kinds\n\n");
    add_kinds(&md, summaries, count);
    snprintf(path, sizeof path, "%s/accuracy-real.md", folder);
    if (prf_file_write(path, prf_text_get(&md), strlen(prf_text_get(&md)), &err))
        die(&err, path);
    prf_text_release(&md);
}

void real_run(size_t seeds, const char *report)
{
    json_t *summaries[SEEDS_MOST];
    char folder[] = "/tmp/prfarm-real-XXXXXX", campaign[PATH_MOST], out[PATH_MOST];
    if (!mkdtemp(folder))
        die(NULL, strerror(errno));
    for (size_t s = 0; s < seeds; s++) {
        snprintf(campaign, sizeof campaign, "%s/cpu-%zu.yaml", folder, s + 1);
        snprintf(out, sizeof out, "%s/seed-%zu", folder, s + 1);
        write_campaign(campaign, s + 1);
        run_campaign(campaign, out);
        summaries[s] = summary_of(out);
        if (report)
            write_markdown(report, summaries, s + 1);
    }
    printf("campaigns, stores and models: %s\n", folder);
    for (size_t s = 0; s < seeds; s++)
        json_decref(summaries[s]);
}
