// SPDX-License-Identifier: Apache-2.0
/* plots.c - the report's figures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "bench.h"
#include "figure.h"

enum { PANEL_W = 210, PANEL_H = 150, LEFT = 62, TOP = 44, GAP_X = 80, GAP_Y = 72, ACROSS = 3 };

static panel_t panel_at(size_t i)
{
    double column = (double)(i % ACROSS), row = (double)(i / ACROSS);
    return (panel_t){
        .x = LEFT + column * (PANEL_W + GAP_X), .y = TOP + row * (PANEL_H + GAP_Y), .width = PANEL_W, .height = PANEL_H};
}

static int sheet_height(size_t panels)
{
    return TOP + (int)((panels + ACROSS - 1) / ACROSS) * (PANEL_H + GAP_Y);
}

static const int sheet_width = LEFT + ACROSS * (PANEL_W + GAP_X);

static void save(const char *folder, const char *name, prf_text_t *svg)
{
    char path[512];
    prf_error_t err = {0};
    figure_end(svg);
    snprintf(path, sizeof path, "%s/accuracy/%s.svg", folder, name);
    size_t len = svg->len;
    char *text = must(prf_text_take(svg));
    if (prf_file_write(path, text, len, &err))
        die(&err, path);
    free(text);
}

static bool has(outcome_t *const *outcomes, size_t count, const case_t *which)
{
    for (size_t i = 0; i < count; i++)
        if (outcomes[i]->of == which)
            return true;
    return false;
}

/* MAPE over the budget, three curves a board. */
static void plot_errors(const char *folder, outcome_t *const *outcomes, size_t count)
{
    static const char *const styles[] = {"ours", "paper", "random"};
    static const char *const names[] = {"prfarm", "the paper's forest", "random layers"};
    double (*const numbers[])(const outcome_t *) = {ours_mape, paper_mape, random_mape};
    size_t panels = 0;
    for (size_t c = 0; c < CASES; c++)
        panels += !cases[c].noisy && has(outcomes, count, &cases[c]);
    prf_text_t svg;
    figure_begin(&svg, sheet_width, sheet_height(panels), "MAPE against measured layers");
    figure_legend(&svg, LEFT, 16, styles, names, 3);
    panels = 0;
    for (size_t c = 0; c < CASES; c++) {
        if (cases[c].noisy || !has(outcomes, count, &cases[c]))
            continue;
        panel_t p = panel_at(panels++);
        p.x_low = 80, p.x_high = 4000, p.y_low = 1e-5, p.y_high = 1000, p.x_log = p.y_log = true;
        panel_axes(&svg, &p, cases[c].name, "layers measured", "MAPE %");
        for (size_t k = 0; k < 3; k++) {
            double x[BUDGETS], y[BUDGETS];
            size_t n = 0;
            for (size_t b = 0; b < BUDGETS; b++) {
                y[n] = median_of(outcomes, count, &cases[c], budgets[b], numbers[k]);
                x[n] = budgets[b];
                if (isfinite(y[n]))
                    panel_dot(&svg, &p, styles[k], x[n], y[n]), n++;
            }
            panel_line(&svg, &p, styles[k], x, y, n);
        }
    }
    save(folder, "mape", &svg);
}

static double highest(const double *values, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

static void plot_staircases(const char *folder, outcome_t *const *outcomes, size_t count)
{
    static const char *const styles[] = {"ours", "truth", "paper"};
    static const char *const names[] = {"prfarm's estimate", "the board", "swept layers (dots)"};
    prf_text_t svg;
    size_t panels = 0;
    figure_begin(&svg, sheet_width, sheet_height(6), "Staircases, found and true");
    figure_legend(&svg, LEFT, 16, styles, names, 3);
    for (size_t i = 0; i < count; i++) {
        const outcome_t *o = outcomes[i];
        const staircase_t *s = &o->staircase;
        if (o->seed != 1 || o->budget != 300 || o->of->noisy || s->count == 0 || panels == 6)
            continue;
        panel_t p = panel_at(panels++);
        char title[128];
        double exact_us[STAIRCASE_MOST], estimated_us[STAIRCASE_MOST];
        for (size_t k = 0; k < s->count; k++) {
            exact_us[k] = s->exact_ns[k] / 1000;
            estimated_us[k] = s->estimated_ns[k] / 1000;
        }
        p.x_high = s->at[s->count - 1];
        p.y_high = figure_ceiling(fmax(highest(exact_us, s->count), highest(estimated_us, s->count)));
        snprintf(title, sizeof title, "%s, %s", o->of->name, prf_layer_kind_name(s->kind));
        panel_axes(&svg, &p, title, prf_param_name(s->param), "µs");
        panel_line(&svg, &p, "ours", s->at, estimated_us, s->count);
        panel_line(&svg, &p, "truth", s->at, exact_us, s->count);
        for (size_t k = 0; k < s->swept_count; k++)
            if (s->swept_at[k] <= p.x_high)
                panel_dot(&svg, &p, "paper", s->swept_at[k], s->swept_ns[k] / 1000);
    }
    save(folder, "staircases", &svg);
}

/* Estimated against exact, every network and board at a budget of 300 (1,000 on noisy boards). */
static void plot_networks(const char *folder, outcome_t *const *outcomes, size_t count)
{
    static const char *const styles[] = {"ours", "paper", "truth"};
    static const char *const names[] = {"exact boards, 300", "noisy boards, 1,000", "estimate = truth"};
    prf_text_t svg;
    panel_t p = {.x = LEFT + 10, .y = TOP, .width = 420, .height = 360, .x_log = true, .y_log = true};
    p.x_low = p.y_low = 10, p.x_high = p.y_high = 1e6;
    figure_begin(&svg, 560, 460, "Whole networks, estimated and exact");
    figure_legend(&svg, LEFT, 16, styles, names, 3);
    panel_axes(&svg, &p, "", "exact µs", "estimated µs");
    panel_line(&svg, &p, "truth", (double[]){1, 1e6}, (double[]){1, 1e6}, 2);
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < outcomes[i]->network_count; n++) {
            const outcome_t *o = outcomes[i];
            if (o->budget == (o->of->noisy ? 1000u : 300u))
                panel_dot(&svg, &p, o->of->noisy ? "paper" : "ours", o->networks[n].exact_ns / 1000,
                          o->networks[n].estimated_ns / 1000);
        }
    save(folder, "networks", &svg);
}

/* Share of unseen layers in the 90 % interval, a dot an outcome. */
static void plot_coverage(const char *folder, outcome_t *const *outcomes, size_t count)
{
    prf_text_t svg;
    figure_begin(&svg, sheet_width, 330, "Layers within the 90 % interval");
    panel_t p = {.x = LEFT,
                 .y = TOP,
                 .width = sheet_width - LEFT - 30,
                 .height = 190,
                 .x_low = 0,
                 .x_high = CASES,
                 .y_low = 60,
                 .y_high = 100};
    panel_band(&svg, &p, 87, 93);
    prf_text_add(&svg, "<rect class=\"grid\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", p.x, p.y, p.width,
                 p.height);
    for (int percent = 60; percent <= 100; percent += 10) {
        char number[16];
        snprintf(number, sizeof number, "%d %%", percent);
        figure_word(&svg, p.x - 4, p.y + p.height * (100 - percent) / 40 + 4, "end", number);
    }
    figure_word(&svg, p.x, p.y - 10, "start",
                "layers within their 90 % interval; the band is 87 to 93 %, from left to right 100 to 3,000 layers");
    for (size_t c = 0; c < CASES; c++) {
        for (size_t i = 0; i < count; i++)
            if (outcomes[i]->of == &cases[c]) {
                double x = (double)c + 0.2 + 0.6 * log(outcomes[i]->budget / 100.0) / log(30);
                panel_dot(&svg, &p, "ours", x, outcomes[i]->ours.coverage_percent);
            }
        prf_text_add(&svg, "<text transform=\"translate(%.1f %.1f) rotate(-25)\" text-anchor=\"end\">%s</text>\n",
                     p.x + p.width * ((double)c + 0.6) / CASES, p.y + p.height + 14, cases[c].name);
    }
    save(folder, "coverage", &svg);
}

void write_figures(const char *folder, outcome_t *const *outcomes, size_t count)
{
    char path[512];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/accuracy", folder);
    if (prf_file_mkdirs(path, 0755, &err))
        die(&err, path);
    plot_errors(folder, outcomes, count);
    plot_staircases(folder, outcomes, count);
    plot_networks(folder, outcomes, count);
    plot_coverage(folder, outcomes, count);
}
