// SPDX-License-Identifier: Apache-2.0
/* energy.c - RAPL's counters move once a millisecond, a layer may take a thousandth of that. So a batch of iterations is run over
 * and over, and what lies between two moves of the counter is divided by the iterations in between: the error is a batch of
 * hundreds, or, where one iteration takes longer than the sensor's step, that step. */
#include "measure/energy.h"

#include <stdio.h>

#include "backends/backend.h"

enum { MOST_ITERATIONS = 1 << 20, PATIENCE = 4 /* times the time that was asked for */ };

void prf_energy_words(uint32_t flags, const char *root, char text[PRF_ENERGY_WORDS])
{
    prf_meter_t meter;
    prf_error_t err = {0};
    if (flags & PRF_BOARD_ENERGY)
        snprintf(text, PRF_ENERGY_WORDS, "the board");
    else if (!(flags & PRF_BOARD_HOST))
        snprintf(text, PRF_ENERGY_WORDS, "nobody: it does not tell, and it is not this machine's processor");
    else if (prf_meter_open(&meter, root, &err) == PRF_OK)
        snprintf(text, PRF_ENERGY_WORDS, "%s", meter.name);
    else
        snprintf(text, PRF_ENERGY_WORDS, "nobody: %.300s", err.text);
}

/* What the loop has come to. */
typedef struct {
    const prf_energy_loop_t *loop;
    prf_meter_t *meter;
    uint32_t batch;
    uint64_t iterations;
    uint64_t now_ns;
    double total_nj;
    bool news;
} progress_t;

static prf_status_t find_batch(progress_t *p, prf_error_t *err)
{
    uint64_t most_ns = (uint64_t)p->loop->batch_us * 1000;
    for (p->batch = 1; p->batch < MOST_ITERATIONS; p->batch *= 2) {
        uint64_t begin = p->loop->now_ns();
        prf_status_t status = p->loop->step(p->loop->arg, p->batch, err);
        if (status || 2 * (p->loop->now_ns() - begin) > most_ns)
            return status;
    }
    return PRF_OK;
}

/* On until the sensor has news, or until `until_ns`. */
static prf_status_t run_to_news(progress_t *p, uint64_t until_ns, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    do {
        status = p->loop->step(p->loop->arg, p->batch, err);
        p->iterations += p->batch;
        p->now_ns = p->loop->now_ns();
        if (!status)
            status = prf_meter_read(p->meter, p->now_ns, &p->total_nj, &p->news, err);
    } while (!status && !p->news && p->now_ns < until_ns);
    return status;
}

prf_status_t prf_energy_measure(prf_meter_t *meter, const prf_energy_loop_t *loop, prf_energy_t *out, prf_error_t *err)
{
    progress_t p = {.loop = loop, .meter = meter};
    uint64_t span_ns = (uint64_t)loop->ms * 1000000U;
    prf_status_t status = find_batch(&p, err);
    uint64_t until_ns = loop->now_ns() + PATIENCE * span_ns;
    if (!status) /* what is new since the last measurement is no news */
        status = prf_meter_read(meter, loop->now_ns(), &p.total_nj, &p.news, err);
    if (!status)
        status = run_to_news(&p, until_ns, err);
    progress_t first = p, last = p;
    while (!status && p.news && last.now_ns - first.now_ns < span_ns && p.now_ns < until_ns) {
        status = run_to_news(&p, until_ns, err);
        last = p.news ? p : last;
    }
    if (status)
        return status;
    bool enough = first.news && 2 * (last.now_ns - first.now_ns) >= span_ns;
    double iterations = (double)(last.iterations - first.iterations);
    *out = (prf_energy_t){0};
    if (enough)
        *out = (prf_energy_t){(last.total_nj - first.total_nj) / iterations, (double)(last.now_ns - first.now_ns) / iterations};
    return PRF_OK;
}
