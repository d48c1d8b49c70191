// SPDX-License-Identifier: Apache-2.0
/* report_md.c - a section a function. Texts of boards and people are escaped, so that none of them becomes markup or ends a table's
 * row. */
#include "report_md.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "staircase.h"

/* A text from elsewhere. */
static void put_plain(prf_text_t *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|<>&*_`[]\\#", *text))
            prf_text_append(out, "\\", 1);
        if ((unsigned char)*text >= ' ')
            prf_text_append(out, text, 1);
        else
            prf_text_append(out, " ", 1);
    }
}

static void cell(prf_text_t *out, const char *fmt, ...) PRF_PRINTF(2, 3);
static void cell(prf_text_t *out, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    prf_text_append(out, " ", 1);
    put_plain(out, text);
    prf_text_append(out, " |", 2);
}

static void begin_row(prf_text_t *out)
{
    prf_text_append(out, "|", 1);
}

static void end_row(prf_text_t *out)
{
    prf_text_append(out, "\n", 1);
}

/* Titles as prf_table_new takes them: "board|samples>". */
static void head(prf_text_t *out, const char *titles)
{
    prf_text_t rule;
    prf_text_init(&rule);
    begin_row(out);
    while (*titles) {
        size_t len = strcspn(titles, "|");
        bool right = len && titles[len - 1] == '>';
        prf_text_add(out, " %.*s |", (int)(len - right), titles);
        prf_text_add(&rule, "%s|", right ? "---:" : "---");
        titles += len + (titles[len] == '|');
    }
    prf_text_add(out, "\n|%s\n", prf_text_get(&rule));
    prf_text_release(&rule);
}

static void percent_cell(prf_text_t *out, const json_t *object, const char *key)
{
    char text[PRF_HUMAN];
    cell(out, "%s", prf_human_percent(prf_json_number(object, key, NAN), text));
}

static void ns_cell(prf_text_t *out, const json_t *object, const char *key)
{
    char text[PRF_HUMAN];
    cell(out, "%s", prf_human_ns(prf_json_number(object, key, NAN), text));
}

static void count_cell(prf_text_t *out, const json_t *object, const char *key)
{
    double count = prf_json_number(object, key, NAN);
    if (isfinite(count))
        cell(out, "%.0f", count);
    else
        cell(out, "-");
}

/* "2026-11-27 13:05 UTC" */
static void date(double wall_ms, char text[PRF_HUMAN])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    if (!(wall_ms > 0) || !gmtime_r(&seconds, &utc) || strftime(text, PRF_HUMAN, "%Y-%m-%d %H:%M UTC", &utc) == 0)
        snprintf(text, PRF_HUMAN, "-");
}

static const json_t *boards_of(const json_t *doc)
{
    return json_object_get(json_object_get(doc, "summary"), "boards");
}

static const json_t *model_of(const json_t *doc, const json_t *board)
{
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(doc, "models"), i, model)
    {
        if (strcmp(prf_json_text(model, "kind", ""), prf_json_text(board, "kind", "?")) == 0 &&
            json_equal(json_object_get(model, "version"), json_object_get(board, "model_version")))
            return model;
    }
    return NULL;
}

static void put_opening(prf_text_t *out, const json_t *doc)
{
    char began[PRF_HUMAN], made[PRF_HUMAN], took[PRF_HUMAN];
    const json_t *summary = json_object_get(doc, "summary");
    date(prf_json_number(doc, "began_ms", 0), began);
    date(prf_json_number(doc, "made_ms", 0), made);
    prf_text_add(out, "# Campaign ");
    put_plain(out, prf_json_text(summary, "campaign", "?"));
    prf_text_add(out, "\n\nFirst measurement %s, %s of work, state: %s. Report of %s by prfarm %s.\n", began,
                 prf_human_seconds(prf_json_number(summary, "seconds", NAN), took),
                 prf_json_text(json_object_get(doc, "status"), "state", "?"), made, prf_json_text(doc, "version", "?"));
}

static void put_results(prf_text_t *out, const json_t *doc)
{
    size_t i;
    json_t *b;
    prf_text_add(out, "\n## What came of it\n\n");
    head(out, "board|samples>|MAPE>|repeatability>|random sampling>|within 10 %>|model>");
    json_array_foreach(boards_of(doc), i, b)
    {
        begin_row(out);
        cell(out, "%s", prf_json_text(b, "kind", "?"));
        count_cell(out, b, "samples");
        percent_cell(out, b, "mape_percent");
        percent_cell(out, b, "repeatability_percent");
        percent_cell(out, b, "random_baseline_mape_percent");
        percent_cell(out, json_object_get(b, "validation"), "within_10_percent");
        double version = prf_json_number(b, "model_version", 0);
        if (version > 0)
            cell(out, "v%.0f", version);
        else
            cell(out, "none");
        end_row(out);
    }
    prf_text_add(out,
                 "\nMAPE is the mean error on layers that the model never saw. Repeatability is the same between two measurements "
                 "of these layers: no model can be told to be better. Random sampling is the MAPE of the same kind of model made "
                 "of as many layers drawn at random.\n");
}

static void put_boards(prf_text_t *out, const json_t *doc)
{
    size_t i;
    json_t *b;
    prf_text_add(out, "\n## What was measured, on what\n\n");
    head(out, "kind|boards>|runtime|software|layers measured>|known before>|model published");
    json_array_foreach(boards_of(doc), i, b)
    {
        const char *kind = prf_json_text(b, "kind", "?");
        const json_t *answer = json_object_get(json_object_get(doc, "boards"), kind);
        const json_t *all = json_object_get(answer, "boards"), *first = json_array_get(all, 0);
        char published[PRF_HUMAN];
        date(prf_json_number(model_of(doc, b), "published_ms", 0), published);
        begin_row(out);
        cell(out, "%s", kind);
        cell(out, "%.0f", prf_json_number(answer, "total", (double)json_array_size(all)));
        cell(out, "%s", prf_json_text(first, "fingerprint", "-"));
        cell(out, "%s", prf_json_text(first, "software", "-"));
        count_cell(out, b, "measured");
        count_cell(out, b, "reused");
        cell(out, "%s", published);
        end_row(out);
    }
}

/* "16 (99.6 %)", "none", "unknown" */
static void width_cell(prf_text_t *out, const json_t *board, const char *layer, const char *param, const json_t *width)
{
    const json_t *confidences = json_object_get(json_object_get(board, "step_confidence"), layer);
    double w = json_number_value(width), confidence = prf_json_number(confidences, param, NAN);
    char words[32] = "unknown";
    if (!json_is_null(width))
        snprintf(words, sizeof words, w > 1 ? "%.0f" : "none", w);
    cell(out, "%s", words);
    if (isfinite(confidence) && !json_is_null(width))
        cell(out, confidence > 0.999 ? "> 99.9 %%" : "%.1f %%", 100 * confidence);
    else
        cell(out, "-");
}

static void put_pictures(prf_text_t *out, const json_t *board)
{
    char *picture = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&picture, &len);
    if (!stream) {
        out->failed = true;
        return;
    }
    const prf_terminal_t terminal = {.stream = stream, .columns = 80};
    prf_staircase_print_all(board, &terminal);
    if (fclose(stream) != 0)
        out->failed = true;
    else if (len > 0)
        prf_text_add(out, "\n```%s%s```\n", picture[0] == '\n' ? "" : "\n", picture);
    free(picture);
}

static void put_staircases(prf_text_t *out, const json_t *doc)
{
    size_t i;
    json_t *b, *widths, *width;
    prf_text_add(out, "\n## Staircases\n\n");
    head(out, "board|layer|parameter|step width>|confidence>");
    json_array_foreach(boards_of(doc), i, b)
    {
        const char *layer, *param;
        json_object_foreach(json_object_get(b, "steps"), layer, widths)
        {
            json_object_foreach(widths, param, width)
            {
                begin_row(out);
                cell(out, "%s", prf_json_text(b, "kind", "?"));
                cell(out, "%s", layer);
                cell(out, "%s", param);
                width_cell(out, b, layer, param, width);
                end_row(out);
            }
        }
    }
    json_array_foreach(boards_of(doc), i, b)
    {
        put_pictures(out, b);
    }
}

/* Share of a layer kind's validation layers that lie within their 90 % interval; NaN: none is known. */
static double coverage(const json_t *rows, const char *layer)
{
    size_t i, count = 0, inside = 0;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        double measured = prf_json_number(row, "measured_ns", NAN), low = prf_json_number(row, "low_ns", NAN),
               high = prf_json_number(row, "high_ns", NAN);
        if (strcmp(prf_json_text(row, "layer_kind", ""), layer) != 0 || !isfinite(measured + low + high))
            continue;
        count++;
        inside += measured >= low && measured <= high;
    }
    return count ? 100.0 * (double)inside / (double)count : NAN;
}

static void put_accuracy(prf_text_t *out, const json_t *doc)
{
    size_t i, k;
    json_t *b, *layer;
    prf_text_add(out, "\n## Accuracy by layer kind\n\n");
    head(out, "board|layer|regressor|trained on>|judged on>|MAPE>|median error>|within 10 %>|in the 90 % interval>");
    json_array_foreach(boards_of(doc), i, b)
    {
        const char *board = prf_json_text(b, "kind", "?");
        json_array_foreach(json_object_get(b, "layers"), k, layer)
        {
            const char *kind = prf_json_text(layer, "kind", "?");
            const json_t *validation = json_object_get(layer, "validation");
            char text[PRF_HUMAN];
            begin_row(out);
            cell(out, "%s", board);
            cell(out, "%s", kind);
            cell(out, "%s", prf_json_text(layer, "regressor", "?"));
            count_cell(out, layer, "samples");
            count_cell(out, validation, "count");
            percent_cell(out, validation, "mape_percent");
            percent_cell(out, validation, "median_percent");
            percent_cell(out, validation, "within_10_percent");
            cell(out, "%s", prf_human_percent(coverage(json_object_get(json_object_get(doc, "evaluation"), board), kind), text));
            end_row(out);
        }
    }
}

static void put_sampling(prf_text_t *out, const json_t *doc)
{
    size_t i;
    json_t *b, *s;
    prf_text_add(
        out, "\n## Representatives against random layers\n\nModels of equally many layers of each sort, judged on layers that none "
             "of them saw; the sample went on with the choice.\n\n");
    head(out, "board|layer|choice|layers of each sort>|representatives>|random>|half of each>");
    json_array_foreach(boards_of(doc), i, b)
    {
        const char *layer;
        json_object_foreach(json_object_get(b, "sampling"), layer, s)
        {
            begin_row(out);
            cell(out, "%s", prf_json_text(b, "kind", "?"));
            cell(out, "%s", layer);
            cell(out, "%s", prf_json_text(s, "choice", "?"));
            count_cell(out, s, "compared");
            percent_cell(out, s, "representatives_error_percent");
            percent_cell(out, s, "random_error_percent");
            percent_cell(out, s, "mixed_error_percent");
            end_row(out);
        }
    }
}

static void put_fusion(prf_text_t *out, const json_t *doc)
{
    size_t i, k, rows = 0;
    json_t *b, *rule;
    json_array_foreach(boards_of(doc), i, b)
    {
        json_array_foreach(json_object_get(b, "fusion"), k, rule)
        {
            if (rows++ == 0) {
                prf_text_add(out, "\n## Fusion rules\n\n");
                head(out, "board|layer|followed by|rule|measured>|adds>");
            }
            begin_row(out);
            cell(out, "%s", prf_json_text(b, "kind", "?"));
            cell(out, "%s", prf_json_text(rule, "layer", "?"));
            cell(out, "%s", prf_json_text(rule, "follower", "?"));
            cell(out, "%s", prf_json_text(rule, "rule", "?"));
            count_cell(out, rule, "measured");
            percent_cell(out, rule, "added_percent");
            end_row(out);
        }
    }
}

static void put_networks(prf_text_t *out, const json_t *doc)
{
    const json_t *networks = json_object_get(json_object_get(doc, "summary"), "networks");
    size_t i;
    json_t *n;
    if (json_array_size(networks) == 0)
        return;
    prf_text_add(out, "\n## Networks\n\n");
    head(out, "network|board|estimated>|measured>|error>|blocks modelled>");
    json_array_foreach(networks, i, n)
    {
        begin_row(out);
        cell(out, "%s", prf_json_text(n, "name", "?"));
        cell(out, "%s", prf_json_text(n, "kind", "?"));
        ns_cell(out, n, "estimated_ns");
        ns_cell(out, n, "measured_ns");
        percent_cell(out, n, "error_percent");
        cell(out, "%.0f of %.0f", prf_json_number(n, "modelled_blocks", 0), prf_json_number(n, "blocks", 0));
        end_row(out);
    }
}

static void nj_cell(prf_text_t *out, const json_t *object, const char *key)
{
    char text[PRF_HUMAN];
    cell(out, "%s", prf_human_nj(prf_json_number(object, key, NAN), text));
}

/* Only where the campaign asked for it. */
static void put_energy(prf_text_t *out, const json_t *doc)
{
    size_t i, rows = 0;
    json_t *b, *n;
    json_array_foreach(boards_of(doc), i, b)
    {
        const json_t *energy = json_object_get(b, "energy");
        if (!json_is_object(energy))
            continue;
        if (rows++ == 0) {
            prf_text_add(out, "\n## Energy\n\n");
            head(out, "board|measurements that tell it>|MAPE>|repeatability>");
        }
        begin_row(out);
        cell(out, "%s", prf_json_text(b, "kind", "?"));
        cell(out, "%.0f of %.0f", prf_json_number(energy, "told", 0), prf_json_number(energy, "of", 0));
        percent_cell(out, energy, "mape_percent");
        percent_cell(out, energy, "repeatability_percent");
        end_row(out);
    }
    const json_t *networks = json_object_get(json_object_get(doc, "summary"), "networks");
    if (rows == 0 || json_array_size(networks) == 0)
        return;
    prf_text_add(out, "\n");
    head(out, "network|board|energy estimated>|measured>|error>");
    json_array_foreach(networks, i, n)
    {
        begin_row(out);
        cell(out, "%s", prf_json_text(n, "name", "?"));
        cell(out, "%s", prf_json_text(n, "kind", "?"));
        nj_cell(out, n, "estimated_nj");
        nj_cell(out, n, "measured_nj");
        percent_cell(out, n, "energy_error_percent");
        end_row(out);
    }
}

static void put_costs(prf_text_t *out, const json_t *doc)
{
    static const char *const counts[] = {
        "samples",          "sweep_samples", "fusion_samples", "between_chains", "validation_samples",
        "baseline_samples", "measured",      "reused"};
    size_t i;
    json_t *b;
    prf_text_add(out, "\n## What it cost\n\n");
    head(out, "board|samples>|of them swept>|for fusion>|chains>|validation>|random baseline>|measured>|known before>|training>");
    json_array_foreach(boards_of(doc), i, b)
    {
        char text[PRF_HUMAN];
        begin_row(out);
        cell(out, "%s", prf_json_text(b, "kind", "?"));
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            count_cell(out, b, counts[k]);
        cell(out, "%s", prf_human_seconds(prf_json_number(b, "training_seconds", NAN), text));
        end_row(out);
    }
}

static void put_history(prf_text_t *out, const json_t *doc)
{
    size_t i, k, rows = 0;
    json_t *b, *h;
    json_array_foreach(boards_of(doc), i, b)
    {
        json_array_foreach(json_object_get(b, "history"), k, h)
        {
            if (rows++ == 0) {
                prf_text_add(out, "\n## Error against samples\n\n");
                head(out, "board|samples>|MAPE>");
            }
            begin_row(out);
            cell(out, "%s", prf_json_text(b, "kind", "?"));
            count_cell(out, h, "samples");
            percent_cell(out, h, "mape_percent");
            end_row(out);
        }
    }
}

static size_t put_notes(prf_text_t *out, const json_t *doc)
{
    static const char *const keys[] = {"error", "note"};
    size_t i, told = 0;
    json_t *b;
    json_array_foreach(boards_of(doc), i, b)
    {
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const char *text = prf_json_text(b, keys[k], "");
            if (!*text)
                continue;
            prf_text_add(out, "- ");
            put_plain(out, prf_json_text(b, "kind", "?"));
            prf_text_add(out, ": ");
            put_plain(out, text);
            prf_text_add(out, "\n");
            told++;
        }
    }
    return told;
}

static void put_failures(prf_text_t *out, const json_t *doc)
{
    const json_t *points = json_object_get(doc, "poisoned");
    size_t i;
    json_t *point;
    prf_text_add(out, "\n## What failed\n\n");
    size_t told = put_notes(out, doc);
    if (json_array_size(points) == 0) {
        prf_text_add(out, "%sNo layer was given up.\n", told ? "\n" : "");
        return;
    }
    prf_text_add(out, "%s%.0f layers were given up after three failures%s:\n\n", told ? "\n" : "",
                 prf_json_number(doc, "poisoned_count", 0),
                 prf_json_number(doc, "poisoned_count", 0) > (double)json_array_size(points) ? "; the first of them" : "");
    head(out, "board|layer|outcome|error");
    json_array_foreach(points, i, point)
    {
        const json_t *first = json_array_get(json_object_get(point, "errors"), 0);
        begin_row(out);
        cell(out, "%s", prf_json_text(point, "kind", "?"));
        cell(out, "%s", prf_json_text(point, "block", "?"));
        cell(out, "%s", prf_json_text(first, "outcome", "-"));
        cell(out, "%s", prf_json_text(first, "error", "-"));
        end_row(out);
    }
}

static void put_recipe(prf_text_t *out, const json_t *doc)
{
    const char *kind;
    json_t *model, *provenance = json_object_get(doc, "provenance");
    prf_text_add(out, "\n## How to reproduce it\n\nWith prfarm %s, the campaign file of ", prf_json_text(doc, "version", "?"));
    put_plain(out, prf_json_text(json_object_get(doc, "summary"), "campaign", "?"));
    prf_text_add(out,
                 " and the boards above:\n\n    prfarm run CAMPAIGN.yaml --out DIR\n    prfarm report DIR --out report.html\n");
    if (json_object_size(provenance) == 0)
        return;
    prf_text_add(out, "\n");
    head(out, "model|seed>|runtime|digest");
    json_object_foreach(provenance, kind, model)
    {
        begin_row(out);
        cell(out, "%s", kind);
        count_cell(out, model, "seed");
        cell(out, "%s", prf_json_text(model, "fingerprint", "-"));
        cell(out, "%s", prf_json_text(model, "digest", "-"));
        end_row(out);
    }
}

prf_status_t prf_report_md(const json_t *doc, prf_text_t *out, prf_error_t *err)
{
    put_opening(out, doc);
    put_results(out, doc);
    put_boards(out, doc);
    put_staircases(out, doc);
    put_accuracy(out, doc);
    put_sampling(out, doc);
    put_history(out, doc);
    put_fusion(out, doc);
    put_networks(out, doc);
    put_energy(out, doc);
    put_costs(out, doc);
    put_failures(out, doc);
    put_recipe(out, doc);
    return out->failed ? prf_fail(err, PRF_ENOMEM, "the report") : PRF_OK;
}
