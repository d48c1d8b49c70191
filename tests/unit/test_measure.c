// SPDX-License-Identifier: Apache-2.0
/* The timing discipline on a scripted board, the statistics by hand, and the environment from a folder that looks like /. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "measure/environment.h"
#include "measure/measure.h"
#include "measure/sentinel.h"
#include "measure/series.h"

/* ---- a scripted board ---- */

struct prf_board {
    uint32_t flags;
    double latencies[8]; /* told in turn, again and again */
    size_t latency_count;
    uint32_t fail_at; /* this position cannot be prepared; UINT32_MAX: all can */
    prf_status_t run_status;
    double disturbed_ns; /* 0: never; else it calls timings that took so long disturbed */
    size_t runs, iterations, most_iterations, touches, flushes, prepared, released;
    char order[64]; /* positions as they ran: "012012" */
    uint32_t length;
    size_t hot_at; /* the run that the board's own sensors call throttled; 0: it has none */
};

struct prf_kernel {
    prf_board_t *board;
    uint32_t position;
};

static void fake_describe(const prf_board_t *board, prf_board_facts_t *out)
{
    *out = (prf_board_facts_t){.flags = board->flags};
}

static prf_status_t fake_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                 prf_error_t *err)
{
    (void)block;
    if (place->position == board->fail_at)
        return prf_fail(err, PRF_EUNSUPPORTED, "not on this board");
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    cr_assert_not_null(kernel);
    *kernel = (prf_kernel_t){board, place->position};
    board->length = place->length;
    board->prepared++;
    *out = kernel;
    return PRF_OK;
}

static prf_status_t fake_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    prf_board_t *board = kernel->board;
    size_t used = strlen(board->order);
    if (used + 1 < sizeof board->order)
        board->order[used] = (char)('0' + kernel->position);
    if (board->latency_count)
        out->latency_ns = board->latencies[board->runs % board->latency_count];
    out->disturbed = out->latency_ns >= board->disturbed_ns && board->disturbed_ns > 0;
    board->runs++;
    if (board->hot_at) {
        out->clock_khz = (uint32_t)(1000 * board->runs);
        out->temperature_mc = 55000;
        out->throttled = board->runs == board->hot_at;
    }
    board->iterations += how->iterations;
    if (how->iterations > board->most_iterations)
        board->most_iterations = how->iterations;
    return board->run_status ? prf_fail(err, board->run_status, "the board broke") : PRF_OK;
}

static void fake_touch(prf_kernel_t *kernel)
{
    kernel->board->touches++;
}

static void fake_flush(prf_kernel_t *kernel)
{
    cr_expect_eq(kernel->board->touches, kernel->board->runs / kernel->board->length,
                 "weights are flushed after the input came in");
    kernel->board->flushes++;
}

static prf_status_t fake_network(prf_board_t *board, const prf_chain_t *network, prf_cache_t cache, prf_kernel_t **out,
                                 prf_error_t *err)
{
    cr_expect_eq(network->edges[network->edge_count - 1].from, 0);
    return fake_prepare(board, &network->blocks[0], &(prf_place_t){.length = 1, .cache = cache}, out, err);
}

static void fake_release(prf_kernel_t **kernel)
{
    (*kernel)->board->released++;
    free(*kernel);
    *kernel = NULL;
}

static const prf_backend_t fake = {.abi = PRF_BACKEND_ABI,
                                   .name = "fake",
                                   .describe = fake_describe,
                                   .prepare = fake_prepare,
                                   .run = fake_run,
                                   .touch_input = fake_touch,
                                   .release = fake_release};

static prf_board_t fresh(uint32_t flags)
{
    return (prf_board_t){.flags = flags, .fail_at = UINT32_MAX};
}

static prf_block_t some_block(void)
{
    prf_block_t block;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, "fc n=1 in=8 out=8 dtype=f32", &err), PRF_OK, "%s", err.text);
    return block;
}

static prf_status_t measure(prf_board_t *board, const prf_protocol_t *protocol, size_t count, prf_sample_t *out, prf_error_t *err)
{
    prf_block_t blocks[9];
    for (size_t i = 0; i < count; i++)
        blocks[i] = some_block();
    return prf_measure(&fake, board, protocol, &(prf_chain_t){.blocks = blocks, .count = count}, out, err);
}

static prf_sample_t must_measure(prf_board_t *board, const prf_protocol_t *protocol, size_t count)
{
    prf_sample_t sample = {0};
    prf_error_t err = {0};
    cr_assert_eq(measure(board, protocol, count, &sample, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(board->released, board->prepared, "%zu kernels made, %zu released", board->prepared, board->released);
    return sample;
}

static prf_protocol_t quick(prf_cache_t cache)
{
    prf_protocol_t protocol;
    prf_protocol_default(&protocol);
    protocol.cache = cache;
    protocol.limit_ms = 10000;
    return protocol;
}

/* ---- measuring ---- */

Test(measure, an_exact_board_is_asked_once)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT);
    board.latencies[0] = 10732;
    board.latency_count = 1;
    prf_protocol_t protocol = quick(PRF_CACHE_SEMI_COLD);
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    cr_expect_eq(board.runs, 1);
    cr_expect_eq(board.touches, 0, "a board with a clock of its own needs no cache arranged");
    cr_expect_eq(sample.latency_ns, 10732);
    cr_expect_eq(sample.min_ns, 10732);
    cr_expect_eq(sample.repeats, 1);
    cr_expect_eq(sample.taint, 0);
    cr_expect(prf_sample_plausible(&sample));
    cr_expect_gt(sample.wall_ms, 0);
    cr_expect_gt(sample.busy_ns, 0);
}

Test(measure, repeats_end_when_the_interval_is_narrow)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED);
    const double told[] = {500, 1000, 1001, 1002, 999, 1000, 998, 1001}; /* the first three are warm-up */
    memcpy(board.latencies, told, sizeof told);
    board.latency_count = 8;
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    cr_expect_lt(sample.repeats, 40);
    cr_expect_geq(sample.repeats, 6);
    cr_expect_eq(sample.taint, 0);
    cr_expect_leq(sample.ci_percent, 1.0);
    cr_expect_float_eq(sample.latency_ns, 1000, 1.01);
}

Test(measure, a_boards_own_sensors_stamp_the_sample_and_one_throttled_timing_taints_it)
{
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    for (size_t hot_at = 5; hot_at < 100; hot_at += 94) { /* the fifth is one of the repeats, the 99th never comes */
        prf_board_t board = fresh(PRF_BOARD_SELF_TIMED);
        board.latencies[0] = 1000;
        board.latency_count = 1;
        board.hot_at = hot_at;
        prf_sample_t sample = must_measure(&board, &protocol, 1);
        cr_expect_eq(sample.temperature_mc, 55000);
        cr_expect_eq(sample.clock_khz, 1000 * board.runs, "the last timing's");
        cr_expect_eq(sample.taint, hot_at == 5 ? PRF_TAINT_THROTTLED : 0U);
    }
}

Test(measure, a_board_that_never_settles_is_called_unsteady)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED);
    const double told[] = {1000, 2000, 1100, 1900, 1200, 1800, 1300, 1700};
    memcpy(board.latencies, told, sizeof told);
    board.latency_count = 8;
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    protocol.max_repeats = 40;
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    cr_expect_eq(sample.repeats, 40);
    cr_expect_eq(board.runs, 43);
    cr_expect_eq(sample.taint, PRF_TAINT_UNSTEADY);
    cr_expect_eq(sample.min_ns, 1000);
    cr_expect_gt(sample.ci_percent, 1.0);
}

Test(measure, short_layers_are_iterated_until_the_clock_is_negligible)
{
    prf_board_t board = fresh(0);
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    cr_expect_gt(board.most_iterations, 20, "a call of nanoseconds was timed %zu times at most in one go", board.most_iterations);
    cr_expect_gt(sample.latency_ns, 0);
    cr_expect_lt(sample.latency_ns, 20000);
}

Test(measure, semi_cold_layers_run_once_each_with_their_input_touched)
{
    prf_board_t board = fresh(0);
    prf_protocol_t protocol = quick(PRF_CACHE_SEMI_COLD);
    protocol.warmup_runs = 2;
    protocol.max_repeats = protocol.min_repeats = 7;
    must_measure(&board, &protocol, 1);
    cr_expect_eq(board.most_iterations, 1);
    cr_expect_eq(board.touches, board.runs);
    cr_expect_geq(board.runs, 9);
}

Test(measure, boards_that_can_flush_have_all_weights_flushed_before_each_semi_cold_run)
{
    prf_backend_t flushing = fake;
    flushing.flush_weights = fake_flush;
    const prf_block_t blocks[] = {some_block(), some_block()};
    const prf_chain_t chain = {.blocks = blocks, .count = 2};
    prf_protocol_t protocol = quick(PRF_CACHE_SEMI_COLD);
    prf_sample_t sample;
    prf_error_t err = {0};
    prf_board_t board = fresh(0);
    cr_assert_eq(prf_measure(&flushing, &board, &protocol, &chain, &sample, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(board.flushes, board.runs, "%zu flushes for %zu runs of a block", board.flushes, board.runs);
    cr_expect_eq(board.touches, board.runs / 2);
    board = fresh(0);
    protocol.cache = PRF_CACHE_WARM;
    cr_assert_eq(prf_measure(&flushing, &board, &protocol, &chain, &sample, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(board.flushes, 0);
    cr_expect_eq(board.touches, 0);
}

Test(measure, a_chain_runs_its_blocks_in_order_and_adds_up)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT);
    const double told[] = {100, 20, 3};
    memcpy(board.latencies, told, sizeof told);
    board.latency_count = 3;
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample = must_measure(&board, &protocol, 3);
    cr_expect_eq(sample.latency_ns, 123);
    cr_expect_str_eq(board.order, "012");
    cr_expect_eq(board.length, 3);
}

Test(measure, a_network_is_built_and_run_as_one_and_only_where_the_board_builds_networks)
{
    prf_backend_t building = fake;
    building.prepare_network = fake_network;
    const prf_block_t blocks[] = {some_block(), some_block(), some_block()};
    const prf_edge_t edges[] = {{0, -1}, {1, 0}, {2, 1}, {2, 0}};
    const prf_chain_t chain = {.blocks = blocks, .count = 3, .edges = edges, .edge_count = 4};
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample = {0};
    prf_error_t err = {0};
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT | PRF_BOARD_NETWORKS);
    board.latencies[0] = 77;
    board.latency_count = 1;
    cr_assert_eq(prf_measure(&building, &board, &protocol, &chain, &sample, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(sample.latency_ns, 77, "one kernel for all: %g", sample.latency_ns);
    cr_expect_eq(board.prepared, 1);
    cr_expect_eq(board.released, 1);
    cr_expect_eq(prf_measure(&fake, &board, &protocol, &chain, &sample, &err), PRF_EUNSUPPORTED);
    cr_expect(strstr(err.text, "builds no networks"), "%s", err.text);
    const prf_edge_t wrong[][3] = {
        {{0, -1}, {1, 0}, {1, 0}}, {{0, 0}, {1, 0}, {2, 1}}, {{0, -1}, {2, 1}, {1, 0}}, {{0, -1}, {1, -2}, {2, 0}}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const prf_chain_t bad = {.blocks = blocks, .count = 3, .edges = wrong[i], .edge_count = 3};
        cr_expect_eq(prf_measure(&building, &board, &protocol, &bad, &sample, &err), PRF_EINVAL, "edges %zu", i);
    }
}

Test(measure, a_board_of_this_host_is_stamped_and_tells_itself_which_timings_were_interrupted)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_HOST);
    const double told[] = {1000, 1000, 9000, 1000, 1000, 9000, 1000, 1000};
    memcpy(board.latencies, told, sizeof told);
    board.latency_count = 8;
    board.disturbed_ns = 5000;
    prf_protocol_t protocol = quick(PRF_CACHE_SEMI_COLD);
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    prf_environment_t here;
    prf_environment_read("", &here);
    cr_expect_eq(sample.latency_ns, 1000);
    cr_expect_eq(board.touches, 0, "it arranges its caches itself");
    cr_expect_eq(sample.taint & PRF_TAINT_SWITCHED, 0, "the others are enough");
    cr_expect_eq(sample.clock_khz > 0, here.clock_khz > 0);
    board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_HOST);
    board.latencies[0] = 9000;
    board.latency_count = 1;
    board.disturbed_ns = 5000;
    protocol.max_repeats = 20;
    sample = must_measure(&board, &protocol, 1);
    cr_expect(sample.taint & PRF_TAINT_SWITCHED, "all were interrupted");
    cr_expect_eq(sample.latency_ns, 9000);
}

Test(measure, what_cannot_be_prepared_names_the_block_and_leaves_nothing_behind)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT);
    board.fail_at = 2;
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample = {.latency_ns = 42};
    prf_error_t err = {0};
    cr_assert_eq(measure(&board, &protocol, 4, &sample, &err), PRF_EUNSUPPORTED);
    cr_expect(strstr(err.text, "fc n=1 in=8 out=8"), "%s", err.text);
    cr_expect_eq(sample.latency_ns, 42, "the sample was touched on failure");
    cr_expect_eq(board.prepared, 2);
    cr_expect_eq(board.released, 2);
}

Test(measure, failures_and_impossible_answers_of_the_board_are_told)
{
    const double impossible[] = {NAN, INFINITY, 0, -5};
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_sample_t sample;
    prf_error_t err = {0};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        prf_board_t board = fresh(PRF_BOARD_SELF_TIMED);
        board.latencies[0] = impossible[i];
        board.latency_count = 1;
        cr_expect_eq(measure(&board, &protocol, 1, &sample, &err), PRF_EIMPLAUSIBLE, "%g is taken", impossible[i]);
        cr_expect_eq(board.released, 1);
    }
    prf_board_t board = fresh(0);
    board.run_status = PRF_EIO;
    cr_expect_eq(measure(&board, &protocol, 2, &sample, &err), PRF_EIO);
    cr_expect_eq(board.released, 2);
}

Test(measure, protocols_and_counts_are_checked)
{
    prf_board_t board = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT);
    prf_protocol_t protocol = quick(PRF_CACHE_WARM);
    prf_block_t block = some_block();
    prf_sample_t sample;
    prf_error_t err = {0};
    cr_expect_eq(prf_measure(&fake, &board, &protocol, &(prf_chain_t){.blocks = &block, .count = 0}, &sample, &err), PRF_EINVAL);
    cr_expect_eq(
        prf_measure(&fake, &board, &protocol, &(prf_chain_t){.blocks = &block, .count = PRF_CHAIN_BLOCKS + 1}, &sample, &err),
        PRF_EINVAL);
    protocol.max_repeats = 1;
    cr_expect_eq(prf_measure(&fake, &board, &protocol, &(prf_chain_t){.blocks = &block, .count = 1}, &sample, &err), PRF_EINVAL);
    cr_expect_eq(board.prepared, 0);
}

Test(measure, the_time_limit_holds)
{
    prf_board_t board = fresh(0);
    prf_protocol_t protocol = quick(PRF_CACHE_SEMI_COLD);
    protocol.limit_ms = 1;
    protocol.min_repeats = protocol.max_repeats = 100000;
    prf_sample_t sample = must_measure(&board, &protocol, 1);
    cr_expect_lt(sample.repeats, 100);
    cr_expect_geq(sample.repeats, 1);
    cr_expect(sample.taint & PRF_TAINT_UNSTEADY);
}

/* ---- the sentinel ---- */

Test(sentinel, a_slow_state_is_told_by_a_layer_that_was_faster_before)
{
    prf_sentinel_t sentinel = {.off = false};
    cr_expect_not(prf_sentinel_judge(&sentinel, 0, 1000), "nothing to compare with yet");
    cr_expect_not(prf_sentinel_judge(&sentinel, 0, 1050));
    cr_expect(prf_sentinel_judge(&sentinel, 0, 1200));
    cr_expect(prf_sentinel_judge(&sentinel, 0, 1200));
    cr_expect_not(prf_sentinel_judge(&sentinel, 0, 950));
    cr_expect_not(prf_sentinel_judge(&sentinel, 0, 1040), "it may have been luck");
    for (int i = 0; i < 30; i++)
        cr_expect_not(prf_sentinel_judge(&sentinel, 0, 950));
    cr_expect(prf_sentinel_judge(&sentinel, 0, 1040), "it was not");
    cr_expect_not(prf_sentinel_judge(&sentinel, 0, 800), "much faster: what was known so far was slow");
    cr_expect(prf_sentinel_judge(&sentinel, 0, 880));
    cr_expect_not(prf_sentinel_judge(&sentinel, 1, 5000), "each layer is compared with itself");
    cr_expect(prf_sentinel_judge(&sentinel, 1, 6000));
    int looks = 0;
    while (looks < 10000 && prf_sentinel_judge(&sentinel, 0, 880))
        looks++;
    cr_expect(looks > 20 && looks < 200, "a board that stays slower is believed in the end: %d looks", looks);
}

Test(sentinel, it_is_timed_beside_a_measurement_unless_the_board_is_not_this_host)
{
    prf_board_t board = fresh(0), exact = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_EXACT), unable = fresh(0);
    prf_sentinel_t sentinel;
    prf_sentinel_init(&sentinel, &fake, &board);
    prf_sentinel_before(&sentinel);
    cr_expect_eq(board.prepared, PRF_SENTINELS);
    (void)prf_sentinel_after(&sentinel);
    size_t looks = board.prepared;
    cr_expect(looks >= 2 * PRF_SENTINELS && looks <= 4 * PRF_SENTINELS, "what looks slow is looked at three times: %zu", looks);
    cr_expect_eq(board.released, looks);
    prf_sentinel_before(&sentinel);
    cr_expect_eq(board.prepared, looks, "the last look was just now");
    prf_sentinel_init(&sentinel, &fake, &exact);
    prf_sentinel_before(&sentinel);
    cr_expect_not(prf_sentinel_after(&sentinel));
    cr_expect_eq(exact.prepared, 0);
    prf_board_t host = fresh(PRF_BOARD_SELF_TIMED | PRF_BOARD_HOST);
    host.latencies[0] = 1000;
    host.latency_count = 1;
    prf_sentinel_init(&sentinel, &fake, &host);
    prf_sentinel_before(&sentinel);
    cr_expect_eq(host.prepared, PRF_SENTINELS, "a program that drives this processor has one");
    host.latencies[0] = 1500;
    cr_expect(prf_sentinel_after(&sentinel));
    cr_expect_eq(host.prepared, 4 * PRF_SENTINELS, "what looks slow is looked at again before it is believed");
    unable.fail_at = 0;
    prf_sentinel_init(&sentinel, &fake, &unable);
    prf_sentinel_before(&sentinel);
    cr_expect_not(prf_sentinel_after(&sentinel));
}

/* ---- statistics ---- */

static prf_series_t series_of(size_t count)
{
    prf_series_t series;
    prf_error_t err = {0};
    cr_assert_eq(prf_series_init(&series, count, &err), PRF_OK, "%s", err.text);
    for (size_t i = 0; i < count; i++) /* 1 .. count in some other order */
        prf_series_add(&series, (double)((i * 7919) % count + 1));
    return series;
}

/* Ranks from tables of the binomial distribution: the interval of n values runs from the r-th to the (n + 1 - r)-th. */
Test(series, the_interval_is_that_of_the_binomial_tables)
{
    static const struct {
        size_t n, rank;
    } known[] = {{6, 1}, {8, 1}, {9, 2}, {10, 2}, {12, 3}, {15, 4}, {20, 6}, {25, 8}, {30, 10}, {50, 18}, {100, 40}, {200, 86}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = known[i].n, r = known[i].rank;
        prf_series_t series = series_of(n);
        double median = (double)(n + 1) / 2;
        cr_expect_float_eq(prf_series_median(&series), median, 1e-12);
        cr_expect_float_eq(prf_series_ci_percent(&series), 50 * (double)(n + 1 - 2 * r) / median, 1e-9, "n = %zu: %g", n,
                           prf_series_ci_percent(&series));
        prf_series_release(&series);
    }
}

Test(series, few_values_have_no_interval)
{
    for (size_t n = 1; n <= 5; n++) {
        prf_series_t series = series_of(n);
        cr_expect_eq(prf_series_ci_percent(&series), 100, "%zu values", n);
        prf_series_release(&series);
    }
}

Test(series, the_interval_holds_the_true_median_19_times_of_20)
{
    const uint64_t seed = 20260;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    int held = 0;
    const int rounds = 2000;
    for (int i = 0; i < rounds; i++) {
        prf_series_t series;
        cr_assert_eq(prf_series_init(&series, 30, NULL), PRF_OK);
        for (int v = 0; v < 30; v++)
            prf_series_add(&series, exp(prf_rng_normal(&rng))); /* skewed; its median is 1 */
        double low = series.values[9], high = series.values[20];
        cr_assert_float_eq(prf_series_ci_percent(&series), 50 * (high - low) / prf_series_median(&series), 1e-9);
        held += low <= 1 && 1 <= high;
        prf_series_release(&series);
    }
    cr_expect(held >= 0.94 * rounds, "seed %llu: %d of %d", (unsigned long long)seed, held, rounds);
}

Test(series, more_values_than_announced_are_dropped)
{
    prf_series_t series = series_of(3);
    prf_series_add(&series, 100);
    cr_expect_eq(series.count, 3);
    cr_expect_eq(series.values[2], 3);
    prf_series_release(&series);
}

/* ---- environment ---- */

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/prf-env-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static void put(const char *path, const char *content)
{
    char full[256];
    prf_error_t err = {0};
    snprintf(full, sizeof full, "%s/%s", root, path);
    *strrchr(full, '/') = '\0';
    cr_assert_eq(prf_file_mkdirs(full, 0755, &err), PRF_OK, "%s", err.text);
    snprintf(full, sizeof full, "%s/%s", root, path);
    cr_assert_eq(prf_file_write(full, content, strlen(content), &err), PRF_OK, "%s", err.text);
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(environment, .init = make_root, .fini = remove_root);

Test(environment, a_system_that_tells_nothing_reads_as_zero)
{
    prf_environment_t e;
    memset(&e, 0xff, sizeof e);
    prf_environment_read(root, &e);
    cr_expect_eq(e.temperature_mc, 0);
    cr_expect_eq(e.clock_khz, 0);
    cr_expect_eq(e.throttle_events, 0);
    cr_expect_str_eq(e.governor, "");
    prf_load_t load;
    prf_load_read(root, &load);
    cr_expect_eq(load.total, 0);
    cr_expect_eq(prf_load_percent(&load, &load), 0);
}

Test(environment, what_the_system_tells_is_read)
{
    put("sys/class/thermal/thermal_zone0/temp", "41000\n");
    put("sys/class/thermal/thermal_zone1/temp", "-5000\n");
    put("sys/class/hwmon/hwmon2/temp1_input", "67250\n");
    put("sys/class/hwmon/hwmon3/temp1_input", "nonsense\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "4\n");
    prf_environment_t e;
    prf_environment_read(root, &e);
    cr_expect_eq(e.temperature_mc, 67250);
    cr_expect_eq(e.clock_khz, 2400000);
    cr_expect_eq(e.throttle_events, 7);
    cr_expect_str_eq(e.governor, "schedutil");
}

Test(environment, without_a_frequency_driver_the_nominal_clock_counts)
{
    put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some\ncpu MHz\t\t: 2595.124\n");
    prf_environment_t e;
    prf_environment_read(root, &e);
    cr_expect_eq(e.clock_khz, 2595124);
}

Test(environment, throttling_is_an_event_or_a_clock_that_fell)
{
    const prf_environment_t before = {.clock_khz = 3000000, .throttle_events = 2};
    prf_environment_t after = before;
    cr_expect(!prf_environment_throttled(&before, &after));
    after.clock_khz = 2800000;
    cr_expect(!prf_environment_throttled(&before, &after));
    after.clock_khz = 2600000;
    cr_expect(prf_environment_throttled(&before, &after));
    after = before;
    after.throttle_events = 3;
    cr_expect(prf_environment_throttled(&before, &after));
}

Test(environment, load_is_what_others_used)
{
    prf_load_t before, after;
    put("proc/stat", "cpu  100 0 100 1000 50 0 0 10 0 0\ncpu0 1 2 3\n");
    prf_load_read(root, &before);
    put("proc/stat", "cpu  200 0 150 1240 50 0 0 20 0 0\ncpu0 1 2 3\n"); /* 400 more, 160 of them busy */
    prf_load_read(root, &after);
    cr_expect_eq(after.total - before.total, 400);
    after.own_ns = before.own_ns;
    cr_expect_eq(prf_load_percent(&before, &after), 40);
    after.own_ns = before.own_ns + 60 * after.tick_ns;
    cr_expect_eq(prf_load_percent(&before, &after), 25);
    after.own_ns = before.own_ns + 500 * after.tick_ns;
    cr_expect_eq(prf_load_percent(&before, &after), 0);
    cr_expect_eq(prf_load_percent(&after, &before), 0, "accounts that run backwards");
}

Test(environment, load_disturbs_when_little_room_is_left)
{
    cr_expect(!prf_load_disturbs(9, 1, 1));
    cr_expect(prf_load_disturbs(11, 1, 1));
    cr_expect(!prf_load_disturbs(25, 2, 1));
    cr_expect(prf_load_disturbs(26, 2, 1));
    cr_expect(prf_load_disturbs(11, 2, 4));
    cr_expect(!prf_load_disturbs(46, 64, 4));
}
