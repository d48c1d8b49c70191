// SPDX-License-Identifier: Apache-2.0
/* scale.c - the curves of docs/scaling.md: what a coordinator does with ever more workers, beside the floor, and with ever more
 * results in its store. The series end at --workers and --results.
 *
 * No more than WINDOW jobs are under way in all, and no more than one worker may have: what waits in a coordinator that is busy is
 * what its answers take long by. Workers take two descriptors each, so that 20,000
 * of them are enough for 9,900 workers: that point is then taken in place of 10,000. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/file.h"
#include "bench/accuracy_report/figure.h"
#include "swarm.h"
#include "throughput.h"

enum { WINDOW = 40000, CREDIT_MOST = 256, SPARE_DESCRIPTORS = 200, POINTS = 8, BOARDS = 64 };
enum { PANEL_W = 210, PANEL_H = 150, LEFT = 70, TOP = 44, GAP_X = 84, GAP_Y = 72, ACROSS = 3, DOWN = 2 };

static const size_t workers_series[] = {1, 10, 64, 256, 1000, 4000, 10000};
static const size_t results_series[] = {1000, 10000, 100000, 1000000, 10000000};

/* All are doubles: the figure takes any of them as an axis. */
typedef struct {
    double workers, credit;
    served_t floor, ours;
} crowd_t;

typedef struct {
    double results, ready_s, job_s, rss_mb, bytes, bytes_with_plan;
} store_t;

typedef struct {
    crowd_t crowds[POINTS];
    store_t stores[POINTS];
    size_t crowd_count, store_count;
} curves_t;

/* -- the series -- */

/* As many of them as there are descriptors for. */
static size_t fitting(size_t workers)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= 2 * workers + SPARE_DESCRIPTORS)
        return workers;
    return (limit.rlim_cur - SPARE_DESCRIPTORS) / 2;
}

static void measure_crowd(const bench_options_t *options, size_t workers, crowd_t *out)
{
    static served_t floors[ROUNDS_MOST], ours[ROUNDS_MOST];
    bench_options_t o = *options;
    o.workers = workers;
    o.credit = WINDOW / workers < CREDIT_MOST ? WINDOW / workers : CREDIT_MOST;
    o.outbox = (uint32_t)o.credit;
    for (size_t r = 0; r < o.rounds; r++) {
        throughput_round(SERVE_FLOOR, &o, false, &floors[r]);
        throughput_round(SERVE_PRFARM, &o, false, &ours[r]);
    }
    *out = (crowd_t){.workers = (double)workers, .credit = (double)o.credit};
    MEDIANS(floors, o.rounds, &out->floor);
    MEDIANS(ours, o.rounds, &out->ours);
}

static void measure_crowds(const bench_options_t *o, curves_t *out)
{
    printf("%8s %7s %22s %9s %28s %24s\n%8s %7s %11s %10s %9s %14s %13s %12s %11s\n", "", "", "results/s", "of floor",
           "server CPU s for 100k", "peak RSS MB", "workers", "credit", "floor", "prfarm", "", "floor", "prfarm", "floor",
           "prfarm");
    for (size_t i = 0; i < sizeof workers_series / sizeof *workers_series && workers_series[i] <= o->workers; i++) {
        crowd_t *c = &out->crowds[out->crowd_count++];
        measure_crowd(o, fitting(workers_series[i]), c);
        printf("%8.0f %7.0f %11.0f %10.0f %9.2f %14.3f %13.3f %12.0f %11.0f\n", c->workers, c->credit, c->floor.rate, c->ours.rate,
               c->ours.rate / c->floor.rate, c->floor.cpu_s, c->ours.cpu_s, c->floor.rss_mb, c->ours.rss_mb);
        fflush(stdout);
    }
}

static double figure_of(const json_t *json, const char *name)
{
    return json_real_value(json_object_get(json, name));
}

static void measure_stores(const bench_options_t *options, curves_t *out)
{
    bench_options_t o = *options;
    o.boards = BOARDS;
    for (size_t i = 0; i < sizeof results_series / sizeof *results_series && results_series[i] <= options->results; i++) {
        o.results = results_series[i];
        printf("\n");
        json_t *json = bench_resume(&o);
        out->stores[out->store_count++] = (store_t){.results = (double)o.results,
                                                    .ready_s = figure_of(json, "ready_seconds"),
                                                    .job_s = figure_of(json, "first_job_seconds"),
                                                    .rss_mb = figure_of(json, "rss_mb"),
                                                    .bytes = figure_of(json, "bytes_a_result"),
                                                    .bytes_with_plan = figure_of(json, "bytes_a_result_with_plan")};
        json_decref(json);
    }
    printf("\n%10s %9s %12s %13s %16s %18s\n", "results", "ready s", "first job s", "peak RSS MB", "bytes a result",
           "with their plan");
    for (size_t i = 0; i < out->store_count; i++) {
        const store_t *s = &out->stores[i];
        printf("%10.0f %9.3f %12.3f %13.0f %16.1f %18.1f\n", s->results, s->ready_s, s->job_s, s->rss_mb, s->bytes,
               s->bytes_with_plan);
    }
}

/* -- the figure: decades both ways -- */

static panel_t panel_at(size_t column, size_t row, double y_low, double y_high)
{
    return (panel_t){.x = LEFT + (double)column * (PANEL_W + GAP_X),
                     .y = TOP + (double)row * (PANEL_H + GAP_Y),
                     .width = PANEL_W,
                     .height = PANEL_H,
                     .y_low = y_low,
                     .y_high = y_high,
                     .x_log = true,
                     .y_log = true};
}

/* One field of each point over another. */
static void draw(prf_text_t *svg, const panel_t *panel, const char *style, const double *points, size_t fields, size_t count,
                 size_t x_field, size_t y_field)
{
    double x[POINTS], y[POINTS];
    for (size_t i = 0; i < count; i++) {
        x[i] = points[i * fields + x_field];
        y[i] = points[i * fields + y_field];
        panel_dot(svg, panel, style, x[i], y[i]);
    }
    panel_line(svg, panel, style, x, y, count);
}

#define FIELD(type, member) (offsetof(type, member) / sizeof(double))
#define FIELDS(type) (sizeof(type) / sizeof(double))

static void draw_crowds(prf_text_t *svg, const curves_t *curves)
{
    static const struct {
        const char *title, *unit;
        double low, high;
        size_t floor, ours;
    } panels[ACROSS] = {
        {"results a second", "", 1e4, 1e7, FIELD(crowd_t, floor.rate), FIELD(crowd_t, ours.rate)},
        {"server CPU for 100,000", "s", 0.01, 10, FIELD(crowd_t, floor.cpu_s), FIELD(crowd_t, ours.cpu_s)},
        {"peak RSS", "MB", 10, 10000, FIELD(crowd_t, floor.rss_mb), FIELD(crowd_t, ours.rss_mb)},
    };
    const double *points = (const double *)curves->crowds;
    for (size_t i = 0; i < ACROSS; i++) {
        panel_t panel = panel_at(i, 0, panels[i].low, panels[i].high);
        panel.x_low = 1, panel.x_high = 1e4;
        panel_axes(svg, &panel, panels[i].title, "workers", panels[i].unit);
        draw(svg, &panel, "paper", points, FIELDS(crowd_t), curves->crowd_count, FIELD(crowd_t, workers), panels[i].floor);
        draw(svg, &panel, "ours", points, FIELDS(crowd_t), curves->crowd_count, FIELD(crowd_t, workers), panels[i].ours);
    }
}

static void draw_stores(prf_text_t *svg, const curves_t *curves)
{
    static const struct {
        const char *title, *unit;
        double low, high;
        size_t field;
    } panels[ACROSS] = {
        {"start to first job", "s", 0.01, 100, FIELD(store_t, job_s)},
        {"peak RSS then", "MB", 10, 10000, FIELD(store_t, rss_mb)},
        {"store, with the plan", "bytes a result", 10, 1000, FIELD(store_t, bytes_with_plan)},
    };
    const double *points = (const double *)curves->stores;
    for (size_t i = 0; i < ACROSS; i++) {
        panel_t panel = panel_at(i, 1, panels[i].low, panels[i].high);
        panel.x_low = 1e3, panel.x_high = 1e7;
        panel_axes(svg, &panel, panels[i].title, "results", panels[i].unit);
        draw(svg, &panel, "ours", points, FIELDS(store_t), curves->store_count, FIELD(store_t, results), panels[i].field);
    }
}

static void write_figure(const char *path, const curves_t *curves)
{
    static const char *const styles[] = {"ours", "paper"};
    static const char *const names[] = {"prfarm", "the floor"};
    prf_text_t svg;
    prf_error_t err = {0};
    figure_begin(&svg, LEFT + ACROSS * (PANEL_W + GAP_X), TOP + DOWN * (PANEL_H + GAP_Y), "A coordinator over workers and results");
    figure_legend(&svg, LEFT, 16, styles, names, 2);
    draw_crowds(&svg, curves);
    draw_stores(&svg, curves);
    figure_end(&svg);
    if (prf_file_write(path, prf_text_get(&svg), svg.len, &err))
        die(path, err.text);
    prf_text_release(&svg);
}

/* -- all of it -- */

static json_t *to_json(const curves_t *curves)
{
    json_t *crowds = json_array(), *stores = json_array();
    for (size_t i = 0; i < curves->crowd_count; i++) {
        const crowd_t *c = &curves->crowds[i];
        json_array_append_new(crowds, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "workers", c->workers, "credit",
                                                c->credit, "floor_results_per_second", c->floor.rate, "results_per_second",
                                                c->ours.rate, "floor_cpu_seconds_per_100k", c->floor.cpu_s, "cpu_seconds_per_100k",
                                                c->ours.cpu_s, "floor_rss_mb", c->floor.rss_mb, "rss_mb", c->ours.rss_mb));
    }
    for (size_t i = 0; i < curves->store_count; i++) {
        const store_t *s = &curves->stores[i];
        json_array_append_new(stores, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "results", s->results, "ready_seconds",
                                                s->ready_s, "first_job_seconds", s->job_s, "rss_mb", s->rss_mb, "bytes_a_result",
                                                s->bytes, "bytes_a_result_with_plan", s->bytes_with_plan));
    }
    return json_pack("{s:s, s:o, s:o}", "bench", "scale", "workers", crowds, "results", stores);
}

json_t *bench_scale(const bench_options_t *o)
{
    curves_t curves = {.crowd_count = 0};
    printf("scale: 1 a message, %zu jobs a round, medians of %zu rounds in turn\n\n", o->jobs, o->rounds);
    measure_crowds(o, &curves);
    measure_stores(o, &curves);
    if (o->svg)
        write_figure(o->svg, &curves);
    return to_json(&curves);
}
