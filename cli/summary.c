// SPDX-License-Identifier: Apache-2.0
/* summary.c - tables out of summary.json. */
#include "summary.h"

#include <math.h>
#include <string.h>

#include "staircase.h"

static void heading(const prf_terminal_t *t, const char *text)
{
    fprintf(t->stream, "\n%s%s%s\n", prf_bold(t), text, prf_plain(t));
}

static void percent_cell(prf_table_t *table, const json_t *object, const char *key)
{
    char text[PRF_HUMAN];
    prf_table_cell(table, "%s", prf_human_percent(prf_json_number(object, key, NAN), text));
}

static void print_boards(const json_t *boards, const prf_terminal_t *t)
{
    if (json_array_size(boards) == 0) {
        fprintf(t->stream, "nothing came of it\n");
        return;
    }
    prf_table_t *table = prf_table_new("board|samples>|sweeps>|reused>|MAPE>|repeatability>|random sampling>|model>|runs on>");
    size_t i;
    json_t *b;
    json_array_foreach(boards, i, b)
    {
        prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
        prf_table_cell(table, "%.0f", prf_json_number(b, "samples", 0));
        prf_table_cell(table, "%.0f", prf_json_number(b, "sweep_samples", 0));
        prf_table_cell(table, "%.0f", prf_json_number(b, "reused", 0));
        percent_cell(table, b, "mape_percent");
        percent_cell(table, b, "repeatability_percent");
        percent_cell(table, b, "random_baseline_mape_percent");
        double version = prf_json_number(b, "model_version", 0);
        if (version > 0)
            prf_table_cell(table, "v%.0f", version);
        else
            prf_table_cell(table, "none");
        prf_table_cell(table, "%.0f of %.0f", prf_json_number(b, "acknowledged", 0), prf_json_number(b, "workers", 0));
    }
    prf_table_print(&table, t);
}

/* One row a layer kind: "c = 16, k = 16, h: none, w: unknown". */
static void print_steps(const json_t *boards, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("board|layer|step widths");
    size_t i, rows = 0;
    json_t *b, *widths, *width;
    json_array_foreach(boards, i, b)
    {
        const char *layer, *param;
        json_object_foreach(json_object_get(b, "steps"), layer, widths)
        {
            char text[PRF_CELL] = "";
            size_t used = 0;
            json_object_foreach(widths, param, width)
            {
                double w = json_number_value(width);
                if (used < sizeof text - 24 && w > 1)
                    used += (size_t)snprintf(text + used, sizeof text - used, "%s%.12s = %.0f", used ? ", " : "", param, w);
                else if (used < sizeof text - 24)
                    used += (size_t)snprintf(text + used, sizeof text - used, "%s%.12s: %s", used ? ", " : "", param,
                                             json_is_null(width) ? "unknown" : "none");
            }
            prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
            prf_table_cell(table, "%s", layer);
            prf_table_cell(table, "%s", text);
            rows++;
        }
    }
    if (rows) {
        heading(t, "Staircase");
        prf_table_print(&table, t);
    }
    prf_table_destroy(&table);
}

/* What activations add to the layers before them. */
static void print_fusion(const json_t *boards, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("board|layer|followed by|rule|adds>");
    size_t i, k, rows = 0;
    json_t *b, *rule;
    json_array_foreach(boards, i, b)
    {
        json_array_foreach(json_object_get(b, "fusion"), k, rule)
        {
            prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
            prf_table_cell(table, "%s", prf_json_text(rule, "layer", "?"));
            prf_table_cell(table, "%s", prf_json_text(rule, "follower", "?"));
            prf_table_cell(table, "%s", prf_json_text(rule, "rule", "?"));
            percent_cell(table, rule, "added_percent");
            rows++;
        }
    }
    if (rows) {
        heading(t, "Fusion");
        prf_table_print(&table, t);
    }
    prf_table_destroy(&table);
}

/* What blocks add to a network besides their own times. */
static void print_between(const json_t *boards, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("board|a block after the first adds>|chains measured>");
    size_t i, rows = 0;
    json_t *b;
    json_array_foreach(boards, i, b)
    {
        char text[PRF_HUMAN];
        double ns = prf_json_number(b, "between_ns", 0);
        if (!(ns > 0))
            continue;
        prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
        prf_table_cell(table, "%s", prf_human_ns(ns, text));
        prf_table_cell(table, "%.0f", prf_json_number(b, "between_chains", 0));
        rows++;
    }
    if (rows) {
        heading(t, "Between blocks");
        prf_table_print(&table, t);
    }
    prf_table_destroy(&table);
}

static void print_networks(const json_t *networks, const prf_terminal_t *t)
{
    if (json_array_size(networks) == 0)
        return;
    heading(t, "Networks");
    prf_table_t *table = prf_table_new("network|board|estimated>|measured>|error>|blocks modelled>");
    size_t i;
    json_t *n;
    json_array_foreach(networks, i, n)
    {
        char text[PRF_HUMAN];
        prf_table_cell(table, "%s", prf_json_text(n, "name", "?"));
        prf_table_cell(table, "%s", prf_json_text(n, "kind", "?"));
        prf_table_cell(table, "%s", prf_human_ns(prf_json_number(n, "estimated_ns", NAN), text));
        prf_table_cell(table, "%s", prf_human_ns(prf_json_number(n, "measured_ns", NAN), text));
        percent_cell(table, n, "error_percent");
        prf_table_cell(table, "%.0f of %.0f", prf_json_number(n, "modelled_blocks", 0), prf_json_number(n, "blocks", 0));
    }
    prf_table_print(&table, t);
}

static void nj_cell(prf_table_t *table, const json_t *object, const char *key)
{
    char text[PRF_HUMAN];
    prf_table_cell(table, "%s", prf_human_nj(prf_json_number(object, key, NAN), text));
}

/* Where the campaign asked for energy: how good each model is at it, and that a board does not tell. */
static void print_energy(const json_t *boards, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("board|measurements that tell it>|MAPE>|repeatability>");
    size_t i, rows = 0;
    json_t *b;
    json_array_foreach(boards, i, b)
    {
        const json_t *energy = json_object_get(b, "energy");
        if (!json_is_object(energy))
            continue;
        prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
        prf_table_cell(table, "%.0f of %.0f", prf_json_number(energy, "told", 0), prf_json_number(energy, "of", 0));
        percent_cell(table, energy, "mape_percent");
        percent_cell(table, energy, "repeatability_percent");
        rows++;
    }
    if (rows) {
        heading(t, "Energy");
        prf_table_print(&table, t);
    }
    prf_table_destroy(&table);
}

static void print_network_energy(const json_t *networks, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("network|board|energy estimated>|measured>|error>");
    size_t i, rows = 0;
    json_t *n;
    json_array_foreach(networks, i, n)
    {
        if (!json_is_number(json_object_get(n, "estimated_nj")) && !json_is_number(json_object_get(n, "measured_nj")))
            continue;
        prf_table_cell(table, "%s", prf_json_text(n, "name", "?"));
        prf_table_cell(table, "%s", prf_json_text(n, "kind", "?"));
        nj_cell(table, n, "estimated_nj");
        nj_cell(table, n, "measured_nj");
        percent_cell(table, n, "energy_error_percent");
        rows++;
    }
    if (rows) {
        fputc('\n', t->stream);
        prf_table_print(&table, t);
    }
    prf_table_destroy(&table);
}

/* "zcu: 30 of 30 layers measured again take 1.20 of the time, spread 0.4 %: the model drifted, this is a new one" */
static void print_refresh(const char *kind, const json_t *refresh, const prf_terminal_t *t)
{
    if (!json_is_object(refresh))
        return;
    const char *verdict = prf_json_text(refresh, "verdict", "");
    const char *words = strcmp(verdict, "holds") == 0     ? "the model holds"
                        : strcmp(verdict, "drifted") == 0 ? "the old model no longer held, this one is new"
                                                          : "too few to decide, the model stays";
    fprintf(t->stream, "%s refreshed: %.0f of %.0f layers measured again take %.3f times what they took, spread %.1f %%: %s\n",
            kind, prf_json_number(refresh, "measured", 0), prf_json_number(refresh, "points", 0),
            prf_json_number(refresh, "median_ratio", NAN), prf_json_number(refresh, "spread_percent", NAN), words);
}

/* "npu2 began with the model of npu: conv2d taken over, fc no help" */
static void print_old(const char *kind, const json_t *old, const prf_terminal_t *t)
{
    const char *layer;
    json_t *what;
    bool first = true;
    if (!json_is_object(old))
        return;
    fprintf(t->stream, "%s began with the model of %s:", kind, prf_json_text(old, "kind", "?"));
    json_object_foreach(json_object_get(old, "layers"), layer, what)
    {
        fprintf(t->stream, "%s %s %s", first ? "" : ",", layer, json_string_value(what));
        first = false;
    }
    fputc('\n', t->stream);
}

static void print_notes(const json_t *boards, const prf_terminal_t *t)
{
    size_t i;
    json_t *b;
    json_array_foreach(boards, i, b)
    {
        const char *kind = prf_json_text(b, "kind", "?"), *error = prf_json_text(b, "error", ""),
                   *note = prf_json_text(b, "note", "");
        print_old(kind, json_object_get(b, "old_model"), t);
        print_refresh(kind, json_object_get(b, "refresh"), t);
        if (error[0])
            fprintf(t->stream, "%s failed: %s\n", kind, error);
        if (note[0])
            fprintf(t->stream, "%s: %s\n", kind, note);
    }
}

void prf_summary_print(const json_t *summary, const prf_terminal_t *terminal)
{
    char time[PRF_HUMAN];
    const json_t *boards = json_object_get(summary, "boards");
    fprintf(terminal->stream, "%sCampaign %s%s", prf_bold(terminal), prf_json_text(summary, "campaign", "?"), prf_plain(terminal));
    double seconds = prf_json_number(summary, "seconds", NAN);
    if (isfinite(seconds))
        fprintf(terminal->stream, ", %s", prf_human_seconds(seconds, time));
    fputs("\n\n", terminal->stream);
    print_boards(boards, terminal);
    print_notes(boards, terminal);
    print_steps(boards, terminal);
    prf_staircase_print(boards, terminal);
    print_fusion(boards, terminal);
    print_between(boards, terminal);
    print_networks(json_object_get(summary, "networks"), terminal);
    print_energy(boards, terminal);
    print_network_energy(json_object_get(summary, "networks"), terminal);
    fflush(terminal->stream);
}
