// SPDX-License-Identifier: Apache-2.0
/* measure.c - one timing discipline for all backends.
 *
 *   prepare → warm up, which also tells how many iterations make a timing long enough for the clock → repeat → stamp
 *
 * A timing during which the system took the processor away is set aside; only when too few others remain do those count too,
 * and then the sample says so. Repeats end as soon as the median is known well enough, so that quiet boards are fast and noisy
 * ones careful. Wall clock, not processor time: the latter looks steadier on a shared machine and hides what waiting costs.
 *
 * Boards that tell their latency themselves are believed, and arrange their caches themselves. The state of this machine's
 * processors is stamped only where it is the board's too: where the worker takes the time, and on boards that say that they are
 * this host; these tell themselves which timings were interrupted. Exact ones are asked once. */
#include "measure/measure.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure/cold.h"
#include "measure/energy.h"
#include "measure/environment.h"
#include "measure/series.h"

enum { TIMING_NS = 20000, MAX_ITERATIONS = 100000, LOAD_WINDOW_MS = 200, LOAD_STALE_MS = 5000 };
enum { BATCH_US = 1000, SELF_TIMED_BATCH_US = 20000 /* while energy is read */ };
#define SHARED 1.25 /* times the latency: others had a part of the processor, and of its energy */

typedef struct {
    const prf_backend_t *backend;
    const prf_protocol_t *protocol;
    prf_kernel_t **kernels; /* owned, `count` of them */
    size_t count;           /* one a block, or one for the whole network */
    bool self_timed, exact;
    bool here; /* on this machine's processor */
    uint32_t iterations;
    prf_cold_t cold;
    prf_series_t clean, disturbed, energy;
    prf_reading_t sensors;        /* of a board's own: those of the last timing, and whether any was throttled */
    uint64_t begin_ns, timing_ns; /* when preparation and when timing began */
} run_t;

bool prf_measured_here(uint32_t flags)
{
    return !(flags & PRF_BOARD_SELF_TIMED) || ((flags & PRF_BOARD_HOST) && !(flags & PRF_BOARD_EXACT));
}

static void release(run_t *run)
{
    for (size_t i = 0; run->kernels && i < run->count; i++)
        if (run->kernels[i])
            run->backend->release(&run->kernels[i]);
    free(run->kernels);
    prf_cold_release(&run->cold);
    prf_series_release(&run->clean);
    prf_series_release(&run->disturbed);
    prf_series_release(&run->energy);
}

static prf_status_t prepare_network(run_t *run, prf_board_t *board, const prf_chain_t *chain, prf_error_t *err)
{
    if (!run->backend->prepare_network)
        return prf_fail(err, PRF_EUNSUPPORTED, "this board builds no networks: let a board measure it that does");
    prf_status_t status = run->backend->prepare_network(board, chain, run->protocol->cache, &run->kernels[0], err);
    return status ? prf_fail_prefix(err, status, "a network of %zu blocks", chain->count) : PRF_OK;
}

static prf_status_t prepare_blocks(run_t *run, prf_board_t *board, const prf_block_t *blocks, prf_error_t *err)
{
    for (size_t i = 0; i < run->count; i++) {
        const prf_place_t place = {.position = (uint32_t)i, .length = (uint32_t)run->count, .cache = run->protocol->cache};
        prf_status_t status = run->backend->prepare(board, &blocks[i], &place, &run->kernels[i], err);
        if (status) {
            char text[PRF_BLOCK_TEXT];
            prf_block_format(&blocks[i], text);
            return prf_fail_prefix(err, status, "%.300s", text);
        }
    }
    return PRF_OK;
}

static prf_status_t prepare(run_t *run, prf_board_t *board, const prf_chain_t *chain, prf_error_t *err)
{
    run->count = chain->edge_count > 0 ? 1 : chain->count;
    run->kernels = calloc(run->count, sizeof(prf_kernel_t *));
    if (!run->kernels)
        return prf_fail(err, PRF_ENOMEM, "%zu kernels", run->count);
    prf_status_t status =
        chain->edge_count > 0 ? prepare_network(run, board, chain, err) : prepare_blocks(run, board, chain->blocks, err);
    size_t weights = 0;
    for (size_t i = 0; !status && run->backend->weight_bytes && i < run->count; i++)
        weights += run->backend->weight_bytes(run->kernels[i]);
    if (!status && run->protocol->cache == PRF_CACHE_SEMI_COLD && !run->self_timed)
        status = prf_cold_init(&run->cold, run->backend->flush_weights != NULL, weights, err);
    if (!status)
        status = prf_series_init(&run->clean, 2 * (size_t)run->protocol->max_repeats, err);
    if (!status)
        status = prf_series_init(&run->disturbed, run->protocol->max_repeats, err);
    if (!status)
        status = prf_series_init(&run->energy, run->protocol->energy_ms ? 2 * (size_t)run->protocol->max_repeats : 0, err);
    return status;
}

/* Runs everything `iterations` times; *sum gets what the board tells about it. */
static prf_status_t execute(const run_t *run, uint32_t iterations, prf_reading_t *sum, prf_error_t *err)
{
    const prf_run_t how = {.iterations = run->count > 1 ? 1 : iterations, .cache = run->protocol->cache};
    *sum = (prf_reading_t){0};
    for (uint32_t n = 0; n < (run->count > 1 ? iterations : 1); n++)
        for (size_t i = 0; i < run->count; i++) {
            prf_reading_t reading = {0};
            prf_status_t status = run->backend->run(run->kernels[i], &how, &reading, err);
            if (status)
                return status;
            sum->latency_ns += reading.latency_ns;
            sum->disturbed = sum->disturbed || reading.disturbed;
            sum->throttled = sum->throttled || reading.throttled;
            sum->temperature_mc = reading.temperature_mc;
            sum->clock_khz = reading.clock_khz;
            sum->energy_nj += reading.energy_nj > 0 ? reading.energy_nj : (double)NAN; /* of all kernels, or of none */
        }
    return PRF_OK;
}

/* The cache state of a network: full of other data, the weights out, the input in. */
static void cool(const run_t *run)
{
    for (size_t i = 0; run->backend->flush_weights && i < run->count; i++)
        run->backend->flush_weights(run->kernels[i]);
    prf_cold_stream(&run->cold);
    if (run->backend->touch_input)
        run->backend->touch_input(run->kernels[0]);
}

/* One timing: the time of one iteration, and whether something interrupted it. */
static prf_status_t timing(const run_t *run, uint32_t iterations, prf_reading_t *out, prf_error_t *err)
{
    if (run->cold.bytes)
        cool(run);
    uint64_t switches = run->self_timed ? 0 : prf_involuntary_switches();
    uint64_t begin = prf_clock_mono_ns();
    prf_status_t status = execute(run, iterations, out, err);
    uint64_t end = prf_clock_mono_ns();
    if (status)
        return status;
    if (!run->self_timed) {
        out->latency_ns = (double)(end > begin ? end - begin : 1) / iterations;
        out->disturbed = prf_involuntary_switches() != switches;
        return PRF_OK;
    }
    if (!isfinite(out->latency_ns) || out->latency_ns <= 0)
        return prf_fail(err, PRF_EIMPLAUSIBLE,
                        "the board reports a latency of %g ns, where one above 0 is possible: mend its backend", out->latency_ns);
    return PRF_OK;
}

static bool time_is_up(const run_t *run, uint32_t limit_ms)
{
    return prf_clock_mono_ns() - run->timing_ns >= (uint64_t)limit_ms * 1000000U;
}

/* Warm timings repeat the layer until the clock's own cost and resolution vanish in them; semi-cold ones cannot. */
static prf_status_t warm_up(run_t *run, prf_error_t *err)
{
    run->iterations = 1;
    run->timing_ns = prf_clock_mono_ns();
    if (run->exact)
        return PRF_OK;
    bool calibrate = !run->self_timed && run->protocol->cache == PRF_CACHE_WARM;
    uint32_t runs = run->protocol->warmup_runs;
    double fastest = INFINITY;
    for (uint32_t i = 0; i < runs || (calibrate && i == 0); i++) {
        prf_reading_t told;
        prf_status_t status = timing(run, run->iterations, &told, err);
        if (status)
            return status;
        fastest = fmin(told.latency_ns, fastest);
        if (calibrate && fastest < TIMING_NS)
            run->iterations = (uint32_t)fmin(ceil(TIMING_NS / fastest), MAX_ITERATIONS);
        if (time_is_up(run, run->protocol->limit_ms / 2))
            break;
    }
    return PRF_OK;
}

static prf_status_t repeat(run_t *run, prf_error_t *err)
{
    const prf_protocol_t *p = run->protocol;
    for (;;) {
        prf_reading_t told;
        prf_status_t status = timing(run, run->iterations, &told, err);
        if (status)
            return status;
        prf_series_add(told.disturbed ? &run->disturbed : &run->clean, told.latency_ns);
        told.throttled = told.throttled || run->sensors.throttled;
        run->sensors = told;
        if (run->protocol->energy_ms && told.energy_nj > 0)
            prf_series_add(&run->energy, told.energy_nj);
        if (run->exact || (run->clean.count >= p->min_repeats && prf_series_ci_percent(&run->clean) <= p->ci_percent))
            return PRF_OK;
        if (run->clean.count >= p->max_repeats || run->disturbed.count >= p->max_repeats || time_is_up(run, p->limit_ms))
            return PRF_OK;
    }
}

/* Median, interval and what they are worth. */
static void conclude(run_t *run, prf_sample_t *out)
{
    bool scarce = run->clean.count < run->protocol->min_repeats;
    if (run->disturbed.count > 0 && (scarce || run->disturbed.count > run->clean.count))
        out->taint |= PRF_TAINT_SWITCHED;
    for (size_t i = 0; scarce && i < run->disturbed.count; i++)
        prf_series_add(&run->clean, run->disturbed.values[i]);
    out->latency_ns = prf_series_median(&run->clean);
    out->min_ns = run->clean.values[0];
    out->repeats = (uint32_t)run->clean.count;
    out->ci_percent = run->exact ? 0 : prf_series_ci_percent(&run->clean);
    if (!run->exact && out->ci_percent > run->protocol->ci_percent)
        out->taint |= PRF_TAINT_UNSTEADY;
    out->energy_nj = prf_series_median(&run->energy);
}

static prf_status_t step(void *arg, uint32_t iterations, prf_error_t *err)
{
    prf_reading_t any;
    return execute(arg, iterations, &any, err);
}

/* Of this machine's own processor, where it tells. Warm, since what empties the caches would be counted as the layer's; boards that
 * time themselves empty them on their own, and what else they do between timings must be little beside them. One process serves one
 * board on one thread, so its meter is kept here. */
static prf_status_t read_energy(run_t *run, prf_sample_t *out, prf_error_t *err)
{
    const prf_energy_loop_t loop = {step, run, prf_clock_mono_ns, run->protocol->energy_ms,
                                    run->self_timed ? SELF_TIMED_BATCH_US : BATCH_US};
    static prf_meter_t meter;
    static enum { UNKNOWN = 0, ABSENT, OPEN } state;
    if (state == UNKNOWN)
        state = prf_meter_open(&meter, "", NULL) ? ABSENT : OPEN;
    if (state == ABSENT || (run->self_timed && run->protocol->cache != PRF_CACHE_WARM))
        return PRF_OK;
    prf_energy_t told;
    prf_status_t status = prf_energy_measure(&meter, &loop, &told, err);
    if (status)
        return status;
    out->energy_nj = told.energy_nj;
    if (told.wall_ns > SHARED * out->latency_ns)
        out->taint |= PRF_TAINT_LOADED;
    return PRF_OK;
}

/* Load by others while measuring. The system's accounts are too coarse for one short measurement, so the window adds up
 * measurements, LOAD_WINDOW_MS of them at least. What happened between them is left out: other boards of this machine had their
 * turns then. One process serves one board on one thread, so the window is kept here. */
static struct {
    prf_load_t begin, spent;            /* when this measurement began; what the measurements of the window add up to */
    uint64_t begin_ms, end_ms, span_ms; /* of this measurement, of the last one; of the window */
    uint32_t percent;                   /* of the last full window */
} window;

static void load_begin(void)
{
    window.begin_ms = prf_clock_mono_ms();
    if (window.begin_ms - window.end_ms >= LOAD_STALE_MS) {
        window.spent = (prf_load_t){.busy = 0};
        window.span_ms = 0;
        window.percent = 0;
    }
    prf_load_read("", &window.begin);
}

static uint32_t load_end(void)
{
    static const prf_load_t zero;
    prf_load_t now;
    prf_load_read("", &now);
    window.end_ms = prf_clock_mono_ms();
    window.span_ms += window.end_ms - window.begin_ms;
    window.spent.busy += now.busy - window.begin.busy;
    window.spent.total += now.total - window.begin.total;
    window.spent.own_ns += now.own_ns > window.begin.own_ns ? now.own_ns - window.begin.own_ns : 0; /* a program may have ended */
    window.spent.tick_ns = now.tick_ns;
    if (window.span_ms >= LOAD_WINDOW_MS) {
        window.percent = prf_load_percent(&zero, &window.spent);
        window.spent = zero;
        window.span_ms = 0;
    }
    return window.percent;
}

static void stamp(const prf_environment_t *before, prf_sample_t *out)
{
    prf_environment_t after;
    prf_environment_read("", &after);
    out->temperature_mc = after.temperature_mc;
    out->clock_khz = after.clock_khz;
    out->load_percent = load_end();
    if (prf_environment_throttled(before, &after))
        out->taint |= PRF_TAINT_THROTTLED;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (prf_load_disturbs(out->load_percent, processors > 0 ? (unsigned)processors : 1, 1))
        out->taint |= PRF_TAINT_LOADED;
}

/* What a board with sensors of its own told. */
static void stamp_sensors(const prf_reading_t *told, prf_sample_t *out)
{
    out->temperature_mc = told->temperature_mc;
    out->clock_khz = told->clock_khz;
    if (told->throttled)
        out->taint |= PRF_TAINT_THROTTLED;
}

prf_status_t prf_measure(const prf_backend_t *backend, prf_board_t *board, const prf_protocol_t *protocol, const prf_chain_t *chain,
                         prf_sample_t *out, prf_error_t *err)
{
    prf_status_t status = prf_chain_check(chain, err);
    if (!status)
        status = prf_protocol_check(protocol, err);
    if (status)
        return status;
    prf_board_facts_t facts = {.flags = 0};
    backend->describe(board, &facts);
    run_t run = {.backend = backend, .protocol = protocol, .begin_ns = prf_clock_mono_ns()};
    run.self_timed = (facts.flags & PRF_BOARD_SELF_TIMED) != 0;
    run.exact = (facts.flags & PRF_BOARD_EXACT) != 0;
    run.here = prf_measured_here(facts.flags);
    prf_sample_t sample = {.taint = 0};
    prf_environment_t before = {0};
    if (run.here)
        load_begin();
    status = prepare(&run, board, chain, err);
    if (!status)
        status = warm_up(&run, err);
    if (!status && run.here)
        prf_environment_read("", &before);
    if (!status)
        status = repeat(&run, err);
    if (!status) {
        conclude(&run, &sample);
        if (run.here)
            stamp(&before, &sample);
        else
            stamp_sensors(&run.sensors, &sample);
    }
    if (!status && protocol->energy_ms && (facts.flags & PRF_BOARD_HOST) && !(facts.flags & PRF_BOARD_ENERGY))
        status = read_energy(&run, &sample, err);
    release(&run);
    if (status)
        return status;
    sample.busy_ns = prf_clock_mono_ns() - run.begin_ns;
    sample.wall_ms = prf_clock_wall_ms();
    *out = sample;
    return PRF_OK;
}
