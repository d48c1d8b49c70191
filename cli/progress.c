// SPDX-License-Identifier: Apache-2.0
/* progress.c - nothing here knows what a stage means; it shows what the coordinator tells. The live block is drawn by moving the
 * cursor up over the lines of the last one: no alternate screen, so that it stays readable when it is over. */
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { EVERY_MS = 10000, BAR = 20, STILL_MS = 5000 /* boards that are about to join are not missed */ };

void prf_progress_init(prf_progress_t *out, const char *dir)
{
    *out = (prf_progress_t){.begin_ms = prf_clock_mono_ms(), .dir = dir};
    prf_terminal_init(&out->terminal, stderr);
}

const json_t *prf_progress_find(const json_t *status, const char *campaign)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(status, "campaigns"), i, item)
    {
        if (strcmp(prf_json_text(item, "name", ""), campaign) == 0)
            return item;
    }
    return NULL;
}

bool prf_progress_goes_on(const json_t *campaign)
{
    const char *state = prf_json_text(campaign, "state", "");
    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
}

void prf_progress_bar(const prf_terminal_t *terminal, double share, int width, char *text, size_t cap)
{
    share = share > 0 ? share < 1 ? share : 1 : 0;
    int full = (int)floor(share * width);
    size_t used = 0;
    for (int i = 0; i < width && used + 4 < cap; i++)
        used +=
            (size_t)snprintf(text + used, cap - used, "%s", terminal->unicode ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
}

/* "212/330 measured (40 reused)  8.1/s  15s left  1/1 busy  MAPE 2.3 %  v1 on 1 of 1" */
void prf_progress_describe(const json_t *board, char *text, size_t cap)
{
    char time[PRF_HUMAN], mape[PRF_HUMAN];
    double planned = prf_json_number(board, "planned", 0), measured = prf_json_number(board, "measured", 0);
    double reused = prf_json_number(board, "reused", 0), poisoned = prf_json_number(board, "poisoned", 0);
    double rate = prf_json_number(board, "rate_per_second", NAN), left = prf_json_number(board, "seconds_left", NAN);
    size_t used = (size_t)snprintf(text, cap, "%.0f/%.0f", measured + reused, planned);
    if (reused > 0)
        used += (size_t)snprintf(text + used, cap - used, " (%.0f known)", reused);
    if (poisoned > 0)
        used += (size_t)snprintf(text + used, cap - used, ", %.0f failed", poisoned);
    if (rate > 0)
        used += (size_t)snprintf(text + used, cap - used, ", %.1f/s", rate);
    if (isfinite(left))
        used += (size_t)snprintf(text + used, cap - used, ", %s left", prf_human_seconds(left, time));
    used += (size_t)snprintf(text + used, cap - used, ", %.0f/%.0f busy", prf_json_number(board, "busy", 0),
                             prf_json_number(board, "workers", 0));
    double percent = prf_json_number(board, "mape_percent", NAN);
    if (isfinite(percent))
        used += (size_t)snprintf(text + used, cap - used, ", MAPE %s", prf_human_percent(percent, mape));
    double version = prf_json_number(board, "current_version", 0);
    if (version > 0)
        snprintf(text + used, cap - used, ", v%.0f on %.0f of %.0f", version, prf_json_number(board, "current_runs_on", 0),
                 prf_json_number(board, "boards_live", 0));
}

static bool is_over(const char *stage)
{
    return strcmp(stage, "done") == 0 || strcmp(stage, "failed") == 0;
}

/* A paused campaign's kinds stand still, whatever stage they had come to. */
const char *prf_progress_stage(const json_t *campaign, const json_t *board)
{
    const char *stage = prf_json_text(board, "stage", ""), *state = prf_json_text(campaign, "state", "");
    return strcmp(state, "paused") == 0 && !is_over(stage) ? state : stage;
}

double prf_progress_share(const json_t *board)
{
    double planned = prf_json_number(board, "planned", 0);
    const char *stage = prf_json_text(board, "stage", "");
    if (strcmp(stage, "done") == 0)
        return 1;
    return planned > 0 ? (prf_json_number(board, "measured", 0) + prf_json_number(board, "reused", 0)) / planned : 0;
}

/* Cuts a line to the terminal's width, whole characters only. */
static void put_line(const prf_terminal_t *t, const char *line)
{
    int columns = 0;
    size_t len = 0;
    while (line[len] && columns < t->columns - 1) {
        columns++;
        for (len++; ((unsigned char)line[len] & 0xc0) == 0x80; len++)
            continue;
    }
    fprintf(t->stream, "\r\033[K%.*s\n", (int)len, line);
}

void prf_progress_clear(prf_progress_t *self)
{
    if (self->drawn)
        fprintf(self->terminal.stream, "\033[%dA\r\033[J", self->drawn);
    self->drawn = 0;
    fflush(self->terminal.stream);
}

static void draw(prf_progress_t *self, const json_t *campaign)
{
    FILE *f = self->terminal.stream;
    char line[512], text[256], bar[4 * BAR + 1], time[PRF_HUMAN];
    if (self->drawn)
        fprintf(f, "\033[%dA", self->drawn);
    int lines = 1;
    snprintf(line, sizeof line, "%s  %s", prf_json_text(campaign, "name", ""),
             prf_human_seconds((double)(prf_clock_mono_ms() - self->begin_ms) / 1000, time));
    put_line(&self->terminal, line);
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(campaign, "boards"), i, board)
    {
        prf_progress_describe(board, text, sizeof text);
        prf_progress_bar(&self->terminal, prf_progress_share(board), BAR, bar, sizeof bar);
        snprintf(line, sizeof line, "  %-12.24s %-9s %s %s", prf_json_text(board, "kind", ""), prf_progress_stage(campaign, board),
                 bar, text);
        put_line(&self->terminal, line);
        lines++;
    }
    fputs("\033[J", f);
    fflush(f);
    self->drawn = lines;
}

static void say(prf_progress_t *self, const json_t *campaign)
{
    uint64_t now = prf_clock_mono_ms();
    bool due = now - self->said_ms >= EVERY_MS;
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(campaign, "boards"), i, board)
    {
        const char *stage = prf_progress_stage(campaign, board);
        if (i >= PRF_CAMPAIGN_BOARDS)
            break;
        bool changed = strcmp(stage, self->stage[i]) != 0;
        if (!changed && (!due || is_over(stage)))
            continue;
        char text[256], time[PRF_HUMAN];
        prf_progress_describe(board, text, sizeof text);
        fprintf(self->terminal.stream, "%6s  %s: %s, %s\n", prf_human_seconds((double)(now - self->begin_ms) / 1000, time),
                prf_json_text(board, "kind", ""), stage, text);
        snprintf(self->stage[i], sizeof self->stage[i], "%s", stage);
    }
    if (due)
        self->said_ms = now;
    fflush(self->terminal.stream);
}

/* What keeps the coordinator from giving out jobs; said when it changes. */
static void say_note(prf_progress_t *self, const json_t *status)
{
    const char *note = prf_json_text(json_object_get(status, "coordinator"), "note", "");
    char cut[sizeof self->note];
    snprintf(cut, sizeof cut, "%s", note);
    bool same = strcmp(cut, self->note) == 0;
    memcpy(self->note, cut, sizeof cut);
    if (same || !cut[0])
        return;
    prf_progress_clear(self);
    fprintf(self->terminal.stream, "prfarm: %s\n", self->note);
}

/* A kind of board that stands still is told about once, and again when the reason changes. */
static void say_still(prf_progress_t *self, const json_t *campaign)
{
    uint64_t now = prf_clock_mono_ms();
    char where[80] = "", text[PRF_STANDSTILL];
    size_t i;
    json_t *board;
    if (self->dir)
        snprintf(where, sizeof where, " --dir %.60s", self->dir);
    json_array_foreach(json_object_get(campaign, "boards"), i, board)
    {
        if (i >= PRF_CAMPAIGN_BOARDS)
            break;
        prf_standstill_of(campaign, board, where, text);
        if (self->dir && prf_json_number(board, "boards_live", 0) < 1)
            text[0] = '\0';
        if (strcmp(text, self->still[i].text) != 0) {
            memcpy(self->still[i].text, text, sizeof text);
            self->still[i].since_ms = now;
            self->still[i].said = false;
        }
        if (!text[0] || self->still[i].said || now - self->still[i].since_ms < STILL_MS)
            continue;
        self->still[i].said = true;
        prf_progress_clear(self);
        fprintf(self->terminal.stream, "prfarm: %s\n", text);
    }
}

prf_status_t prf_progress_verdict(const char *name, const char *state, const json_t *summary, const char *logs, prf_error_t *err)
{
    if (strcmp(state, "done") == 0)
        return PRF_OK;
    if (strcmp(state, "cancelled") == 0)
        return prf_fail(err, PRF_ECANCELLED, "campaign '%s' was cancelled; submitted again it goes on", name);
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(summary, "boards"), i, board)
    {
        const char *error = prf_json_text(board, "error", "");
        if (error[0])
            return prf_fail(err, PRF_EUNSUPPORTED, "board '%.63s' failed: %.300s", prf_json_text(board, "kind", ""), error);
    }
    return prf_fail(err, PRF_EUNSUPPORTED, "campaign '%s' failed: see %.200s", name, logs ? logs : "the coordinator's log");
}

void prf_progress_show(prf_progress_t *self, const json_t *status, const json_t *campaign)
{
    say_note(self, status);
    say_still(self, campaign);
    if (self->terminal.live)
        draw(self, campaign);
    else
        say(self, campaign);
}
