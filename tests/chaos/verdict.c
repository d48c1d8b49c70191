// SPDX-License-Identifier: Apache-2.0
/* verdict.c - the store is read as any client would read it, by `export`. What is judged:
 *
 *   a measurement of which a result was acknowledged has exactly one good record (one that is no failure and no labelled
 * duplicate): none is a loss, more count it twice; it is not handed out any more after that, to whomever; a good record is a result
 * that a worker told, with its latency.
 *
 * A result that was acknowledged, lost, and measured again shows by the second of these. One good record is what "counted once"
 * means on boards that never need a second look. */
#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/output.h"
#include "model/model.h"
#include "workload.h"

enum { PAGE = 500, SHOWN = 10 };

typedef enum { GOOD, DUPLICATE, FAILURE, SORTS } sort_t;

typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    sort_t sort;
    size_t worker;
    uint64_t wall_ms, busy_ns;
    double latency_ns;
} row_t;

struct verdict {
    row_t *rows;
    size_t count, cap, damaged;
    size_t sorts[SORTS];
};

prf_status_t verdict_new(verdict_t **out, prf_error_t *err)
{
    verdict_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "verdict");
    *out = self;
    return PRF_OK;
}

void verdict_destroy(verdict_t **self)
{
    if (!*self)
        return;
    free((*self)->rows);
    free(*self);
    *self = NULL;
}

static uint64_t whole(const json_t *row, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(row, key));
}

static prf_status_t take_row(verdict_t *self, const json_t *row, prf_error_t *err)
{
    if (self->count == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 1024;
        row_t *rows = realloc(self->rows, cap * sizeof *rows);
        if (!rows)
            return prf_fail(err, PRF_ENOMEM, "%zu records", cap);
        self->rows = rows;
        self->cap = cap;
    }
    const char *number = strrchr(prf_json_text(row, "board", ""), '-'); /* "array-3" is worker 3 */
    bool failed = strcmp(prf_json_text(row, "outcome", ""), prf_status_name(PRF_OK)) != 0;
    row_t *r = &self->rows[self->count];
    *r = (row_t){.attempt = (uint32_t)whole(row, "attempt"),
                 .sort = failed                                            ? FAILURE
                         : json_is_true(json_object_get(row, "duplicate")) ? DUPLICATE
                                                                           : GOOD,
                 .worker = number ? strtoul(number + 1, NULL, 10) : SIZE_MAX,
                 .wall_ms = whole(row, "wall_ms"),
                 .busy_ns = whole(row, "busy_ns"),
                 .latency_ns = prf_json_number(row, "latency_ns", NAN)};
    if (!prf_digest_parse(&r->point, prf_json_text(row, "point", "")))
        return prf_fail(err, PRF_EPEER, "export: a row without a point");
    self->sorts[r->sort]++;
    self->count++;
    return PRF_OK;
}

static prf_status_t take_rows(verdict_t *self, rack_t *rack, prf_error_t *err)
{
    json_int_t after = 0;
    for (bool more = true; more;) {
        json_t *page, *row;
        prf_status_t status = rack_ask(rack, "export", json_pack("{s:I, s:i}", "after", after, "limit", PAGE), &page, err);
        size_t i;
        if (status)
            return status;
        json_array_foreach(json_object_get(page, "rows"), i, row)
        {
            status = status ? status : take_row(self, row, err);
        }
        const json_t *next = json_object_get(page, "next");
        more = !status && json_is_integer(next);
        after = json_integer_value(next);
        self->damaged = (size_t)json_integer_value(json_object_get(page, "damaged"));
        json_decref(page);
        if (status)
            return status;
    }
    return PRF_OK;
}

static void model_path(char path[RACK_PATH + 96], const char *dir, const char *kind)
{
    snprintf(path, RACK_PATH + 96, "%s/models/%s.prfm", dir, kind);
}

prf_status_t verdict_collect(verdict_t *self, rack_t *rack, prf_error_t *err)
{
    char path[RACK_PATH + 96];
    snprintf(path, sizeof path, "%s/models", rack_dir(rack));
    prf_status_t status = prf_file_mkdirs(path, 0755, err);
    for (size_t i = 0; !status && i < WORKLOAD_KINDS; i++) {
        void *data;
        size_t len;
        status = rack_model(rack, workload_boards[i].kind, &data, &len, err);
        if (status)
            break;
        model_path(path, rack_dir(rack), workload_boards[i].kind);
        status = prf_file_write(path, data, len, err);
        free(data);
    }
    return status ? status : take_rows(self, rack, err);
}

/* The first few breaches of a sort are shown, all are counted. The first `allowed` of them are none. */
static void show(size_t *count, size_t allowed, const char *what, const prf_digest_t *point, uint32_t attempt, double more)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(point, hex);
    if ((*count)++ < allowed + SHOWN)
        fprintf(stderr, "%s %s: %s/%u (%.17g)\n", *count <= allowed ? "  after damage:" : "BREACH", what, hex, attempt, more);
}

static bool same_latency(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

typedef struct {
    const ledger_t *ledger; /* borrowed */
    uint32_t *good;         /* of each measurement: its good records */
    size_t damaged;         /* measurements that may have been handed out again */
    size_t lost, twice, strange, again;
} judgement_t;

static void judge_row(judgement_t *j, const row_t *row)
{
    size_t entry = ledger_find(j->ledger, &row->point, row->attempt), place = LEDGER_NONE;
    if (row->sort == FAILURE)
        return;
    if (entry != LEDGER_NONE)
        place = ledger_find_result(j->ledger, entry, row->worker, row->wall_ms, row->busy_ns);
    if (place == LEDGER_NONE || !same_latency(row->latency_ns, ledger_result(j->ledger, place)->latency_ns))
        show(&j->strange, 0, "a record that no worker told like that; latency", &row->point, row->attempt, row->latency_ns);
    else
        j->good[entry] += row->sort == GOOD;
}

static void judge_entry(judgement_t *j, size_t place)
{
    const ledger_entry_t *e = ledger_entry(j->ledger, place);
    if (e->acked && j->good[place] == 0)
        show(&j->lost, 0, "acknowledged, but not in the store; at ms", &e->point, e->attempt, (double)e->acked_ms);
    if (j->good[place] > 1)
        show(&j->twice, 0, "counted more than once; records", &e->point, e->attempt, j->good[place]);
    if (e->regrants > 0)
        show(&j->again, j->damaged, "handed out after it was acknowledged; at ms", &e->point, e->attempt, (double)e->acked_ms);
}

size_t verdict_of_results(const verdict_t *self, const ledger_t *ledger, size_t damaged)
{
    judgement_t j = {.ledger = ledger, .damaged = damaged, .good = calloc(ledger_entries(ledger) + 1, sizeof *j.good)};
    if (!j.good) {
        fprintf(stderr, "BREACH out of memory: nothing was judged\n");
        return 1;
    }
    for (size_t i = 0; i < self->count; i++)
        judge_row(&j, &self->rows[i]);
    for (size_t i = 0; i < ledger_entries(ledger); i++)
        judge_entry(&j, i);
    free(j.good);
    printf("  acknowledged and lost: %zu; counted twice: %zu; not as told: %zu; handed out after it was acknowledged: %zu\n",
           j.lost, j.twice, j.strange, j.again);
    return j.lost + j.twice + j.strange + (j.again > damaged ? j.again - damaged : 0);
}

/* Where two model files part. */
static bool same_file(const char *path, const char *reference)
{
    prf_error_t err = {0};
    char *a = NULL, *b = NULL;
    size_t a_len = 0, b_len = 0, i = 0;
    if (prf_file_read(path, PRF_MODEL_MAX_BYTES, &a, &a_len, &err) ||
        prf_file_read(reference, PRF_MODEL_MAX_BYTES, &b, &b_len, &err)) {
        fprintf(stderr, "BREACH %s\n", err.text);
        free(a);
        return false;
    }
    while (i < a_len && i < b_len && a[i] == b[i])
        i++;
    bool same = i == a_len && i == b_len;
    if (!same)
        fprintf(stderr, "BREACH another model: %s (%zu bytes) and %s (%zu bytes) part at byte %zu\n", path, a_len, reference, b_len,
                i);
    free(a);
    free(b);
    return same;
}

size_t verdict_of_models(const char *dir, const char *reference)
{
    char a[RACK_PATH + 96], b[RACK_PATH + 96];
    size_t breaches = 0;
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        model_path(a, dir, workload_boards[i].kind);
        model_path(b, reference, workload_boards[i].kind);
        breaches += !same_file(a, b);
    }
    return breaches;
}

void verdict_print(const verdict_t *self, const ledger_t *ledger)
{
    size_t acked = 0, granted = 0;
    for (size_t i = 0; i < ledger_entries(ledger); i++) {
        acked += ledger_entry(ledger, i)->acked;
        granted += ledger_entry(ledger, i)->granted;
    }
    printf("  measurements acknowledged: %zu; jobs handed out: %zu, results told: %zu; records: %zu, of them late duplicates %zu, "
           "failures %zu, damaged %zu\n",
           acked, granted, ledger_results(ledger), self->count, self->sorts[DUPLICATE], self->sorts[FAILURE], self->damaged);
}
