// SPDX-License-Identifier: Apache-2.0
/* verdict.c - the store is read as any client would read it, by `export`. What is judged, measurement by measurement:
 *
 *   acknowledged    => the store has exactly one good record of it: a measurement that is no labelled duplicate
 *   in the store    => at most one good record
 *   a good record   => is a result that a worker told, with its latency; and when that one was acknowledged, the measurement was
 * not handed out after that
 *
 * A late result, of a lease that is over, is acknowledged too, and kept as a labelled duplicate. It does not count, and its point
 * may be handed out again; that is why the good record decides whose acknowledgement is meant. One good record is what "counted
 * once" means on boards that never need a second look. */
#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "cli/output.h"
#include "model/model.h"
#include "workload.h"

enum { PAGE = 500, SHOWN = 10 };

typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    size_t good, duplicates, failures;
    size_t worker; /* this and what follows: of the good one */
    uint64_t wall_ms, busy_ns;
    double latency_ns;
} stored_t;

struct verdict {
    stored_t *stored;
    size_t count, cap, records, damaged;
    prf_map_t places;
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
    prf_map_release(&(*self)->places);
    free((*self)->stored);
    free(*self);
    *self = NULL;
}

static prf_status_t stored_of(verdict_t *self, const prf_digest_t *point, uint32_t attempt, stored_t **out, prf_error_t *err)
{
    uint64_t place;
    if (!prf_map_get(&self->places, point, attempt, &place)) {
        if (self->count == self->cap) {
            size_t cap = self->cap ? 2 * self->cap : 1024;
            stored_t *stored = realloc(self->stored, cap * sizeof *stored);
            if (!stored)
                return prf_fail(err, PRF_ENOMEM, "%zu records", cap);
            self->stored = stored;
            self->cap = cap;
        }
        place = self->count;
        prf_status_t status = prf_map_put(&self->places, point, attempt, place, err);
        if (status)
            return status;
        self->stored[self->count++] = (stored_t){.point = *point, .attempt = attempt};
    }
    *out = &self->stored[place];
    return PRF_OK;
}

static prf_status_t take_row(verdict_t *self, const json_t *row, prf_error_t *err)
{
    prf_digest_t point;
    stored_t *stored;
    if (!prf_digest_parse(&point, prf_json_text(row, "point", "")))
        return prf_fail(err, PRF_EPEER, "export: a row without a point");
    prf_status_t status = stored_of(self, &point, (uint32_t)json_integer_value(json_object_get(row, "attempt")), &stored, err);
    if (status)
        return status;
    self->records++;
    if (strcmp(prf_json_text(row, "outcome", ""), prf_status_name(PRF_OK)) != 0) {
        stored->failures++;
    } else if (json_is_true(json_object_get(row, "duplicate"))) {
        stored->duplicates++;
    } else {
        const char *number = strrchr(prf_json_text(row, "board", ""), '-'); /* "array-3" is worker 3 */
        stored->good++;
        stored->worker = number ? strtoul(number + 1, NULL, 10) : SIZE_MAX;
        stored->wall_ms = (uint64_t)json_integer_value(json_object_get(row, "wall_ms"));
        stored->busy_ns = (uint64_t)json_integer_value(json_object_get(row, "busy_ns"));
        stored->latency_ns = prf_json_number(row, "latency_ns", NAN);
    }
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

/* The first few breaches of a sort are shown, all are counted. */
static void show(size_t *count, const char *what, const prf_digest_t *point, uint32_t attempt, double more)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(point, hex);
    if ((*count)++ < SHOWN)
        fprintf(stderr, "BREACH %s: %s/%u (%.17g)\n", what, hex, attempt, more);
}

static bool same_latency(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

typedef struct {
    size_t missing, twice, strange, again;
} breaches_t;

/* The one good record of a measurement, and the result that it is of. */
static void judge_record(const ledger_t *ledger, const ledger_entry_t *e, const stored_t *stored, breaches_t *b)
{
    const ledger_result_t *result = ledger_result(ledger, e, stored->worker, stored->wall_ms, stored->busy_ns);
    if (!result || !same_latency(stored->latency_ns, result->latency_ns))
        show(&b->strange, "a record that no worker told like that; latency", &e->point, e->attempt, stored->latency_ns);
    else if (result->acked && e->granted > result->granted_then)
        show(&b->again, "handed out after it was acknowledged, at ms", &e->point, e->attempt, (double)result->acked_ms);
}

size_t verdict_of_results(const verdict_t *self, const ledger_t *ledger, size_t lost)
{
    breaches_t b = {0};
    for (size_t i = 0; i < ledger_count(ledger); i++) {
        const ledger_entry_t *e = ledger_at(ledger, i);
        uint64_t place;
        const stored_t *stored = prf_map_get(&self->places, &e->point, e->attempt, &place) ? &self->stored[place] : NULL;
        size_t good = stored ? stored->good : 0;
        if (e->acked && good == 0)
            show(&b.missing, "acknowledged, but not in the store; handed out times", &e->point, e->attempt, e->granted);
        if (good > 1)
            show(&b.twice, "counted more than once; records", &e->point, e->attempt, (double)good);
        if (good == 1)
            judge_record(ledger, e, stored, &b);
    }
    b.again = b.again > lost ? b.again - lost : 0;
    size_t sum = b.missing + b.twice + b.strange + b.again;
    printf("  acknowledged and lost: %zu; counted twice: %zu; not as told: %zu; measured again after it was acknowledged: %zu\n",
           b.missing, b.twice, b.strange, b.again);
    return sum;
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
    size_t acked = 0, granted = 0, duplicates = 0, failures = 0;
    for (size_t i = 0; i < ledger_count(ledger); i++) {
        acked += ledger_at(ledger, i)->acked;
        granted += ledger_at(ledger, i)->granted;
    }
    for (size_t i = 0; i < self->count; i++) {
        duplicates += self->stored[i].duplicates;
        failures += self->stored[i].failures;
    }
    printf("  measurements acknowledged: %zu; jobs handed out: %zu, results told: %zu; records: %zu, of them late duplicates %zu, "
           "failures %zu, damaged %zu\n",
           acked, granted, ledger_told(ledger), self->records, duplicates, failures, self->damaged);
}
