// SPDX-License-Identifier: Apache-2.0
/* watch_view.c - from the top: the campaign's kinds of boards with their stages, progress and falling error; the farm's boards by
 * kind and state; the latest events in what room is left. What is unknown is left out, not guessed. */
#include "watch_view.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "progress.h"
#include "standstill.h"

enum { BAR = 16, SPARK = 12, EVENTS_LEAST = 4, KINDS_MOST = 12 };

void prf_watch_sparkline(const prf_terminal_t *terminal, const double *values, size_t count, size_t width, char *text)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = INFINITY, high = -INFINITY;
    size_t first = count > width ? count - width : 0, used = 0;
    text[0] = '\0';
    for (size_t i = first; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    for (size_t i = first; i < count; i++) {
        int level = high > low ? (int)floor((values[i] - low) / (high - low) * 7.999) : 0;
        if (terminal->unicode)
            used += (size_t)snprintf(text + used, 4 * width + 1 - used, "%s", bars[level]);
        else
            used += (size_t)snprintf(text + used, 4 * width + 1 - used, "%d", level + 1);
    }
}

/* "5.20 % > 2.31 %" with the sparkline of all helpings between. */
static void error_text(const prf_terminal_t *t, const json_t *board, char text[128])
{
    double values[PRF_SCREEN_COLUMNS];
    size_t count = 0, i;
    json_t *item;
    json_array_foreach(json_object_get(board, "history"), i, item)
    {
        double mape = prf_json_number(item, "mape_percent", NAN);
        if (isfinite(mape) && count < sizeof values / sizeof *values)
            values[count++] = mape;
    }
    text[0] = '\0';
    if (count == 0)
        return;
    char spark[4 * SPARK + 1], first[PRF_HUMAN], last[PRF_HUMAN];
    prf_watch_sparkline(t, values, count, SPARK, spark);
    if (count == 1)
        snprintf(text, 128, "error %s", prf_human_percent(values[0], last));
    else
        snprintf(text, 128, "error %s %s %s", prf_human_percent(values[0], first), spark,
                 prf_human_percent(values[count - 1], last));
}

static void draw_head(prf_screen_t *s, const prf_watch_view_t *v)
{
    char time[PRF_HUMAN];
    const json_t *coordinator = json_object_get(v->status, "coordinator");
    const char *note = prf_json_text(coordinator, "note", "");
    prf_screen_line(s, "%s%s%s  %s  %s  %s%.*s%s", prf_bold(&s->terminal), prf_json_text(v->campaign, "name", "?"),
                    prf_plain(&s->terminal), prf_json_text(v->campaign, "state", "?"), prf_human_seconds(v->seconds, time),
                    prf_dim(&s->terminal), (int)strcspn(v->farm, ","), v->farm, prf_plain(&s->terminal));
    if (note[0])
        prf_screen_line(s, "%s", note);
    prf_screen_line(s, "%s", "");
}

static void draw_campaign(prf_screen_t *s, const prf_watch_view_t *v)
{
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(v->campaign, "boards"), i, board)
    {
        char bar[4 * BAR + 1], numbers[256], error[128], still[PRF_STANDSTILL];
        if (prf_screen_left(s) < EVENTS_LEAST)
            break;
        prf_progress_bar(&s->terminal, prf_progress_share(board), BAR, bar, sizeof bar);
        prf_progress_describe(board, numbers, sizeof numbers);
        error_text(&s->terminal, board, error);
        prf_screen_line(s, "  %s%-12.24s%s %-9s %s %s%s%s", prf_bold(&s->terminal), prf_json_text(board, "kind", "?"),
                        prf_plain(&s->terminal), prf_progress_stage(v->campaign, board), bar, error, error[0] ? ", " : "", numbers);
        prf_standstill_of(v->campaign, board, "", still);
        if (still[0])
            prf_screen_line(s, "    %s", still);
    }
    prf_screen_line(s, "%s", "");
}

static void draw_kind(prf_screen_t *s, const json_t *k)
{
    char load[PRF_HUMAN], version[32] = "-", heat[24] = "";
    double current = prf_json_number(k, "current_version", 0),
           hottest = prf_json_number(json_object_get(k, "temperature_c"), "max", NAN);
    if (current > 0)
        snprintf(version, sizeof version, "v%.0f on %.0f", current, prf_json_number(k, "on_current", 0));
    if (isfinite(hottest))
        snprintf(heat, sizeof heat, "%.0f C", hottest);
    prf_screen_line(s, "  %-12.24s %6.0f %6.0f %6.0f %6.0f %6.0f %8.1f %8s  %-10s %s", prf_json_text(k, "kind", "?"),
                    prf_json_number(k, "live", 0), prf_json_number(k, "busy", 0), prf_json_number(k, "idle", 0),
                    prf_json_number(k, "quarantined", 0), prf_json_number(k, "lost", 0), prf_json_number(k, "jobs_per_second", 0),
                    prf_human_percent(prf_json_number(k, "utilisation_percent", NAN), load), version, heat);
}

static void draw_fleet(prf_screen_t *s, const prf_watch_view_t *v)
{
    const json_t *kinds = json_object_get(v->fleet, "kinds");
    size_t i, count = json_array_size(kinds);
    json_t *k;
    if (!count || prf_screen_left(s) < EVENTS_LEAST)
        return;
    prf_screen_line(s, "%s  %-12s %6s %6s %6s %6s %6s %8s %8s  %-10s%s", prf_bold(&s->terminal), "boards", "live", "busy", "idle",
                    "quar.", "lost", "jobs/s", "load", "model", prf_plain(&s->terminal));
    json_array_foreach(kinds, i, k)
    {
        if (i == KINDS_MOST || prf_screen_left(s) <= EVENTS_LEAST) {
            prf_screen_line(s, "  and %zu kinds more", count - i);
            break;
        }
        draw_kind(s, k);
    }
    prf_screen_line(s, "%s", "");
}

static void draw_events(prf_screen_t *s, const prf_watch_view_t *v)
{
    size_t count = json_array_size(v->events), room = prf_screen_left(s) > 1 ? (size_t)prf_screen_left(s) - 1 : 0;
    if (room == 0 || count == 0)
        return;
    prf_screen_line(s, "%s  latest events%s", prf_bold(&s->terminal), prf_plain(&s->terminal));
    for (size_t i = count > room ? count - room : 0; i < count; i++) {
        const json_t *e = json_array_get(v->events, i);
        char when[16] = "?";
        time_t seconds = (time_t)(prf_json_number(e, "wall_ms", 0) / 1000);
        struct tm local;
        if (localtime_r(&seconds, &local))
            strftime(when, sizeof when, "%H:%M:%S", &local);
        prf_screen_line(s, "  %s%s%s  %s %s: %s", prf_dim(&s->terminal), when, prf_plain(&s->terminal),
                        prf_json_text(e, "event", "?"), prf_json_text(e, "subject", ""), prf_json_text(e, "text", ""));
    }
}

void prf_watch_draw(prf_screen_t *screen, const prf_watch_view_t *view)
{
    prf_screen_begin(screen);
    draw_head(screen, view);
    draw_campaign(screen, view);
    draw_fleet(screen, view);
    draw_events(screen, view);
    prf_screen_end(screen);
}
