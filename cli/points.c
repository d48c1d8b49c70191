// SPDX-License-Identifier: Apache-2.0
#include "points.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "output.h"
#include "point/point.h"
#include "signals.h"
#include "standstill.h"

enum { POLL_MS = 100, JOIN_MS = 30000, LOOK_MS = 5000 /* at the boards, while nothing comes */ };

prf_status_t prf_points_open(prf_access_t *out, const prf_where_t *where, prf_error_t *err)
{
    prf_status_t status = prf_access_open(out, where, err);
    if (status || !out->own)
        return status;
    prf_access_close(out);
    return prf_fail(
        err, PRF_ENOTFOUND,
        "%.200s: no run is live there, so no board can be asked: ask while 'prfarm run' works there, or a farm (--farm)",
        where->dir);
}

/* How the boards of a kind are, from an answer to `boards`. */
static prf_standing_t standing_of(const json_t *answer, const char *kind)
{
    prf_standing_t standing = {.kind = kind};
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(answer, "boards"), i, board)
    {
        const char *state = prf_json_text(board, "state", "");
        if (strcmp(prf_json_text(board, "kind", ""), kind) != 0 || strcmp(state, "lost") == 0)
            continue;
        standing.live++;
        standing.quarantined += strcmp(state, "quarantined") == 0;
    }
    return standing;
}

/* Own boards take a moment to join; others are there or are not. */
static prf_status_t await_board(const prf_access_t *access, const char *kind, prf_error_t *err)
{
    uint64_t deadline = prf_clock_mono_ms() + (access->own ? JOIN_MS : 0);
    for (;;) {
        json_t *answer;
        prf_status_t status = prf_farm_call(access->farm, "boards", NULL, PRF_CALL_MS, &answer, err);
        if (status)
            return status;
        bool there = standing_of(answer, kind).live > 0;
        json_decref(answer);
        if (there)
            return PRF_OK;
        if (access->own && (status = prf_private_tend(access->own, err)))
            return status;
        if (prf_clock_mono_ms() >= deadline)
            return prf_fail(err, PRF_ENOTFOUND, "no board of kind '%s' is there: 'prfarm boards' lists them", kind);
        prf_pause(-1, POLL_MS);
        if ((status = prf_check_interrupted(err)))
            return status;
    }
}

static prf_status_t ask(const prf_access_t *access, const char *kind, const char *cache, json_t *items, json_t **points,
                        size_t *known, prf_error_t *err)
{
    size_t count = json_array_size(items);
    prf_protocol_t p;
    prf_protocol_default(&p);
    json_t *protocol = json_pack("{s:s, s:I, s:I, s:I, s:f, s:I}", "cache", cache, "warmup_runs", (json_int_t)p.warmup_runs,
                                 "min_repeats", (json_int_t)p.min_repeats, "max_repeats", (json_int_t)p.max_repeats, "ci_percent",
                                 p.ci_percent, "limit_ms", (json_int_t)p.limit_ms);
    json_t *in = json_pack("{s:s, s:O, s:o}", "kind", kind, "items", items, "protocol", protocol), *out;
    if (!in)
        return prf_fail(err, PRF_ENOMEM, "%zu points", count);
    prf_status_t status = prf_farm_call(access->farm, "measure", in, 3 * PRF_CALL_MS, &out, err);
    if (status)
        return status;
    *points = json_incref(json_object_get(out, "points"));
    if (known)
        *known = (size_t)prf_json_number(out, "known", 0);
    json_decref(out);
    if (json_array_size(*points) == count)
        return PRF_OK;
    json_decref(*points);
    return prf_fail(err, PRF_EPEER,
                    "the coordinator answered for another number of blocks than it was asked for: are both of the same version?");
}

/* What is waited for, and when something came last. */
typedef struct {
    const prf_access_t *access;
    const char *kind;
    size_t done;
    uint64_t looked_ms;
    char said[PRF_STANDSTILL];
} wait_t;

/* While nothing comes: why, if it is the boards; once, and again when that changes. */
static prf_status_t look_at_boards(wait_t *w, prf_error_t *err)
{
    char text[PRF_STANDSTILL];
    json_t *answer;
    prf_status_t status = prf_farm_call(w->access->farm, "boards", NULL, PRF_CALL_MS, &answer, err);
    if (status)
        return status;
    prf_standing_t standing = standing_of(answer, w->kind);
    prf_standstill(&standing, "", text);
    json_decref(answer);
    if (text[0] && strcmp(text, w->said) != 0)
        fprintf(stderr, "prfarm: %s\n", text);
    memcpy(w->said, text, sizeof text);
    return PRF_OK;
}

static prf_status_t wait_results(wait_t *w, json_t *points, json_t **results, prf_error_t *err)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stderr);
    w->looked_ms = prf_clock_mono_ms();
    for (;;) {
        json_t *out;
        prf_status_t status =
            prf_farm_call(w->access->farm, "results", json_pack("{s:O}", "points", points), PRF_CALL_MS, &out, err);
        if (status)
            return status;
        json_t *list = json_object_get(out, "results"), *item;
        size_t i, done = 0, count = json_array_size(points);
        json_array_foreach(list, i, item)
        {
            done += json_is_object(item);
        }
        if (terminal.live)
            fprintf(stderr, "\r\033[K%zu of %zu measured%s", done, count, done == count ? "\r\033[K" : "");
        if (json_array_size(list) != count) {
            json_decref(out);
            return prf_fail(
                err, PRF_EPEER,
                "the coordinator answered for another number of points than it was asked for: are both of the same version?");
        }
        if (done == count) {
            *results = json_incref(list);
            json_decref(out);
            return PRF_OK;
        }
        json_decref(out);
        uint64_t now = prf_clock_mono_ms();
        bool look = done == w->done && now - w->looked_ms >= LOOK_MS;
        if (look || done != w->done)
            w->looked_ms = now;
        w->done = done;
        if ((look && (status = look_at_boards(w, err))) || (w->access->own && (status = prf_private_tend(w->access->own, err))))
            return status;
        prf_pause(-1, POLL_MS);
        if ((status = prf_check_interrupted(err)))
            return status;
    }
}

prf_status_t prf_points_check_cache(const char *name, prf_error_t *err)
{
    prf_cache_t cache;
    prf_error_t why = {0};
    return prf_cache_parse(&cache, "--cache", name, &why) ? prf_fail(err, PRF_EUSAGE, "%s", why.text) : PRF_OK;
}

prf_status_t prf_points_measure(const prf_access_t *access, const char *kind, const char *cache, json_t *items, json_t **results,
                                size_t *known, prf_error_t *err)
{
    json_t *points;
    prf_status_t status = await_board(access, kind, err);
    if (!status && !(status = ask(access, kind, cache, items, &points, known, err))) {
        wait_t wait = {.access = access, .kind = kind};
        status = wait_results(&wait, points, results, err);
        json_decref(points);
    }
    json_decref(items);
    return status;
}

double prf_points_latency(const json_t *result)
{
    return strcmp(prf_json_text(result, "outcome", ""), "ok") == 0 ? prf_json_number(result, "latency_ns", NAN) : NAN;
}
