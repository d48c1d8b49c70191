// SPDX-License-Identifier: Apache-2.0
/* The simulated boards against every check value of METHOD section 3, and what their options do. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/registry.h"

static const prf_backend_t *sim(void)
{
    const prf_backend_t *backend = prf_backend_find("sim");
    cr_assert(backend);
    return backend;
}

static prf_board_t *open_board(const char *const *options, size_t count)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(sim()->open(options, count, &board, &err), PRF_OK, "%s", err.text);
    return board;
}
#define OPEN(...) open_board((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static prf_status_t try_run(prf_board_t *board, const char *text, double *ns, prf_error_t *err)
{
    prf_block_t block;
    cr_assert_eq(prf_block_parse(&block, text, err), PRF_OK, "%s: %s", text, err->text);
    prf_kernel_t *kernel = NULL;
    prf_reading_t told = {.latency_ns = *ns};
    prf_status_t status = sim()->prepare(board, &block, &(prf_place_t){.length = 1}, &kernel, err);
    if (!status)
        status = sim()->run(kernel, &(prf_run_t){.iterations = 1}, &told, err);
    *ns = told.latency_ns;
    sim()->release(&kernel);
    return status;
}

static double run(prf_board_t *board, const char *text)
{
    double ns = 0;
    prf_error_t err = {0};
    cr_assert_eq(try_run(board, text, &ns, &err), PRF_OK, "%s: %s", text, err.text);
    return ns;
}

static void refuses(prf_board_t *board, const char *text, const char *because)
{
    double ns = 0;
    prf_error_t err = {0};
    cr_assert_eq(try_run(board, text, &ns, &err), PRF_EUNSUPPORTED, "%s was accepted", text);
    cr_assert(strstr(err.text, because), "%s: said '%s', not '%s'", text, err.text, because);
}

static void refuses_options(const char *option, const char *because)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    const char *options[] = {"board=ultratrail", option};
    cr_assert_eq(sim()->open(options, 2, &board, &err), PRF_EINVAL, "%s was accepted", option);
    cr_assert(strstr(err.text, because), "%s: said '%s', not '%s'", option, err.text, because);
    cr_assert_null(board);
}

Test(sim, without_a_board_the_word_that_may_have_meant_it_is_named)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    const char *misspelled[] = {"noise=2", "bus_bytes=8", "bord=vta"}, *missing[] = {"noise=2"};
    cr_assert_eq(sim()->open(misspelled, 3, &board, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "unknown option 'bord=vta': give board="), "%s", err.text);
    cr_assert_eq(sim()->open(missing, 1, &board, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "sim: give board=, one of"), "%s", err.text);
}

Test(sim, ultratrail_takes_the_published_cycles)
{
    prf_board_t *board = OPEN("board=ultratrail");
    cr_assert_eq(run(board, "conv1d c=16 k=24 f=9 w=101 stride=2 pad=4"), 4 * 2683.0);
    static const struct {
        int k;
        double cycles;
    } checks[] = {{8, 1779}, {9, 3557}, {16, 3557}, {17, 5335}, {24, 5335}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        char text[80];
        snprintf(text, sizeof text, "conv1d c=16 k=%d f=9 w=101 stride=1 pad=4", checks[i].k);
        cr_assert_eq(run(board, text), 4 * checks[i].cycles, "%s", text);
    }
    /* A fully connected layer is one product a tile; without padding every tap is counted. */
    cr_assert_eq(run(board, "fc in=64 out=12"), 4 * (1 + 8 * 2.0));
    cr_assert_eq(run(board, "conv1d c=16 k=24 f=9 w=101 stride=2 pad=0"), 4 * (1 + 2 * 3 * 47.0 * 9));
    sim()->close(&board);
}

Test(sim, ultratrail_counts_taps_on_the_padding_as_a_direct_count_does)
{
    prf_board_t *board = OPEN("board=ultratrail", "cycle_ns=1");
    for (int f = 1; f <= 16; f++)
        for (int s = 1; s <= 5; s++)
            for (int x = f; x <= 40; x += 3) {
                int h = f / 2, outputs = (x + 2 * h - f) / s + 1, taps = 0;
                for (int o = 0; o < outputs; o++)
                    for (int t = 0; t < f; t++)
                        taps += o * s + t >= h && o * s + t < h + x;
                char text[80];
                snprintf(text, sizeof text, "conv1d c=1 k=1 f=%d w=%d stride=%d pad=%d", f, x, s, h);
                cr_assert_eq(run(board, text), 1 + taps, "%s: %g, not %d", text, run(board, text), 1 + taps);
            }
    sim()->close(&board);
}

Test(sim, ultratrail_refuses_what_its_memories_do_not_hold)
{
    prf_board_t *board = OPEN("board=ultratrail");
    refuses(board, "conv1d c=129 k=8 f=3 w=16", "at most 128");
    refuses(board, "conv1d c=8 k=8 f=17 w=32", "at most 128");
    refuses(board, "conv1d c=8 k=8 f=3 w=129", "widths of 128");
    refuses(board, "conv1d c=8 k=8 f=5 w=16 pad=1", "by 0 or 2, not 1");
    refuses(board, "conv1d n=2 c=8 k=8 f=3 w=16", "batch of 1");
    refuses(board, "conv2d c=8 k=8 h=8 r=3", "cannot run conv2d");
    sim()->close(&board);
}

Test(sim, systolic_agrees_with_scale_sim)
{
    prf_board_t *board = OPEN("board=systolic");
    cr_assert_eq(run(board, "conv2d c=32 k=64 h=30 r=3"), 17499);
    cr_assert_eq(run(board, "conv2d c=32 k=65 h=30 r=3"), 26249);
    cr_assert_eq(run(board, "conv2d c=32 k=96 h=30 r=3"), 26249);
    cr_assert_eq(run(board, "conv2d c=32 k=97 h=30 r=3"), 34999);
    cr_assert_eq(run(board, "matmul b=3 m=33 n=64 k=10"), 3 * (2 * 2 * 72.0 - 1));
    cr_assert_eq(run(board, "fc in=10 out=64"), 2 * 72.0 - 1);
    sim()->close(&board);
    board = OPEN("board=systolic", "bytes_per_cycle=0.5", "cycle_ns=2");
    cr_assert_eq(run(board, "fc in=1000 out=1000"), 2 * (1e6 + 2000) / 0.5);
    sim()->close(&board);
}

/* By hand, after the description in docs/backends.md. */
Test(sim, ferry_agrees_with_its_description)
{
    prf_board_t *board = OPEN("board=ferry", "cycle_ns=1");
    cr_expect_float_eq(run(board, "conv2d c=12 k=20 h=8 r=3 pad=1"), 900 + 9 * (64 + 32), 1e-9);
    cr_expect_float_eq(run(board, "conv2d c=13 k=21 h=30 r=1"), 900 + (13 * 21 * 3 + 11700 + 18900) / 6.0 + 30 * 3 * 2, 1e-9);
    cr_expect_float_eq(run(board, "conv2d c=64 k=200 h=56 r=3 pad=1"), 900 + 60 * 9 * (3136 + 7 * 32), 1e-9);
    cr_expect_float_eq(run(board, "conv2d c=64 k=81 h=56 r=1"), 900 + (64 * 81 * 7 + 2 * 200704 + 81 * 3136) / 6.0, 1e-9,
                       "two groups of filters read the input twice: it does not fit");
    cr_expect_float_eq(run(board, "dwconv2d c=40 h=10 r=3 pad=1"), 900 + 2 * 9 * (100 + 32) + 10 * 3 * 2, 1e-9);
    cr_expect_float_eq(run(board, "fc in=100 out=50"), 900 + 27 * 33 + 9, 1e-9);
    sim()->close(&board);
}

Test(sim, vta_agrees_with_its_check_values)
{
    static const struct {
        const char *layer;
        double cycles;
    } checks[] = {
        {"conv2d c=64 k=64 h=56 r=3 stride=1 pad=1", 508084},
        {"conv2d c=65 k=64 h=56 r=3 stride=1 pad=1", 626804},
        {"conv2d c=64 k=65 h=56 r=3 stride=1 pad=1", 633524},
        {"conv2d c=512 k=512 h=7 r=3 stride=1 pad=1", 2501236},
        {"conv2d c=64 k=128 h=56 r=1 stride=2 pad=0", 61092},
        {"conv2d c=3 k=64 h=224 r=7 stride=2 pad=3", 2754804},
        {"fc in=2048 out=1000", 265968},
    };
    prf_board_t *board = OPEN("board=vta");
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        cr_assert_eq(run(board, checks[i].layer), 10 * checks[i].cycles, "%s", checks[i].layer);
    refuses(board, "conv2d c=64 k=64 h=56 r=3 pad=0", "needs r = s and pad=1");
    refuses(board, "conv2d c=64 k=64 h=56 r=3 s=1 pad=1", "needs r = s");
    refuses(board, "fc n=2 in=8 out=8", "batch of 1");
    sim()->close(&board);
}

/* The formula as METHOD writes it, piece by piece, against the counted one. */
static double vta_by_walking(int c, int k, int h, int r, int s)
{
    int tc = (c + 15) / 16, tk = (k + 15) / 16, oh = (h + 2 * (r / 2) - r) / s + 1, iw = (oh - 1) * s + r, ict = 0, rows = 0,
        oct = 0;
    for (int i = tc; i >= 1 && !ict; i--)
        for (int o = oh; o >= 1 && !ict; o--)
            if (i * 16 * ((o - 1) * s + r) * iw <= 16384) {
                ict = i;
                rows = o;
            }
    if (!ict)
        ict = rows = 1;
    for (int o = tk; o >= 1 && !oct; o--)
        if (o * ict * 256 * r * r <= 131072 && o * 64 * rows * oh <= 65536)
            oct = o;
    if (!oct)
        oct = 1;
    double sum = 500;
    for (int y = 0; y < oh; y += rows)
        for (int f = 0; f < tk; f += oct) {
            int hh = oh - y < rows ? oh - y : rows, kk = tk - f < oct ? tk - f : oct;
            for (int i = 0; i < tc; i += ict) {
                int cc = tc - i < ict ? tc - i : ict;
                double load = (cc * 16 * ((hh - 1) * s + r) * iw + kk * cc * 256 * r * r) / 8.0 + 128;
                double compute = cc * kk * hh * oh * r * r + 16 * r * r;
                sum += fmax(load, compute);
            }
            sum += kk * 16 * hh * oh / 8.0 + 64 + 2 * kk * hh * oh;
        }
    return round(sum);
}

Test(sim, vta_counts_pieces_as_walking_over_them_does)
{
    static const int channels[] = {1, 16, 17, 100, 333}, sizes[] = {1, 7, 30, 57, 130}, kernels[] = {1, 3, 7};
    prf_board_t *board = OPEN("board=vta", "cycle_ns=1");
    for (int i = 0; i < 5 * 5 * 5 * 3 * 2; i++) {
        int c = channels[i % 5], k = channels[i / 5 % 5], h = sizes[i / 25 % 5], r = kernels[i / 125 % 3], s = 1 + i / 375;
        char text[100];
        snprintf(text, sizeof text, "conv2d c=%d k=%d h=%d r=%d stride=%d pad=%d", c, k, h, r, s, r / 2);
        cr_assert_eq(run(board, text), vta_by_walking(c, k, h, r, s), "%s", text);
    }
    sim()->close(&board);
}

Test(sim, rooflines_agree_with_their_check_values)
{
    static const struct {
        const char *layer;
        double ncs2, zcu102;
    } checks[] = {
        {"conv2d c=64 k=64 h=56 r=3 pad=1", 724940.29, 197028.53},
        {"conv2d c=65 k=64 h=56 r=3 pad=1", 787464.12, 246285.66},
        {"conv2d c=64 k=65 h=56 r=3 pad=1", 983717.91, 240804.27},
    };
    prf_board_t *ncs2 = OPEN("board=ncs2"), *zcu102 = OPEN("board=zcu102");
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        cr_assert_float_eq(run(ncs2, checks[i].layer), checks[i].ncs2, 0.005, "%s", checks[i].layer);
        cr_assert_float_eq(run(zcu102, checks[i].layer), checks[i].zcu102, 0.005, "%s", checks[i].layer);
    }
    /* The board's own width counts, whatever the block says; a long vector is bound by its bytes. */
    cr_assert_float_eq(run(ncs2, "add c=64 h=56 dtype=f32"), 3.0 * 64 * 56 * 56 * 2 / 5.679, 1e-6);
    cr_assert_float_eq(run(zcu102, "add c=64 h=56 dtype=f32"), 3.0 * 64 * 56 * 56 / 15.110, 1e-6);
    cr_assert_float_eq(run(ncs2, "maxpool2d c=64 h=56 r=2"), (1 + 0.25) * 64 * 56 * 56 * 2 / 0.579, 1e-6);
    sim()->close(&ncs2);
    sim()->close(&zcu102);
}

Test(sim, activations_behind_a_layer_are_free_and_other_layers_are_not)
{
    prf_board_t *board = OPEN("board=ncs2");
    double conv = run(board, "conv2d c=64 k=64 h=56 r=3 pad=1"), pool = run(board, "maxpool2d c=64 h=56 r=2");
    cr_assert_eq(run(board, "conv2d c=64 k=64 h=56 r=3 pad=1 + activation c=64 h=56"), conv);
    cr_assert_eq(run(board, "conv2d c=64 k=64 h=56 r=3 pad=1 + maxpool2d c=64 h=56 r=2"), conv + pool);
    cr_assert_gt(run(board, "activation c=64 h=56"), 0);
    sim()->close(&board);
}

Test(sim, an_activation_costs_what_was_set_and_that_is_another_kind_of_board)
{
    prf_board_facts_t facts;
    prf_board_t *board = OPEN("board=vta", "activation_ns=50", "activation_ns_per_element=0.02");
    double conv = run(board, "conv2d c=64 k=32 h=56 r=3 pad=1");
    cr_assert_float_eq(run(board, "conv2d c=64 k=32 h=56 r=3 pad=1 + activation c=32 h=56"), conv + 50 + 0.02 * 32 * 56 * 56, 1e-6);
    sim()->describe(board, &facts);
    cr_assert_str_eq(facts.fingerprint, "sim/vta activation_ns=50 activation_ns_per_element=0.02");
    cr_assert(facts.flags & PRF_BOARD_EXACT);
    sim()->close(&board);
}

static double prepared(prf_board_t *board, const char *text, prf_place_t place)
{
    prf_block_t block;
    prf_kernel_t *kernel;
    prf_reading_t told;
    cr_assert_eq(prf_block_parse(&block, text, NULL), PRF_OK);
    cr_assert_eq(sim()->prepare(board, &block, &place, &kernel, NULL), PRF_OK);
    cr_assert_eq(sim()->run(kernel, &(prf_run_t){.iterations = 1}, &told, NULL), PRF_OK);
    sim()->release(&kernel);
    return told.latency_ns;
}

Test(sim, a_block_behind_another_one_costs_what_was_set_besides)
{
    static const char text[] = "conv2d c=64 k=32 h=56 r=3 pad=1";
    prf_board_facts_t facts;
    prf_board_t *board = OPEN("board=vta", "between_ns=700");
    double alone = run(board, text);
    cr_assert_eq(prepared(board, text, (prf_place_t){.position = 0, .length = 3}), alone);
    cr_assert_float_eq(prepared(board, text, (prf_place_t){.position = 2, .length = 3}), alone + 700, 1e-6);
    sim()->describe(board, &facts);
    cr_assert_str_eq(facts.fingerprint, "sim/vta between_ns=700");
    cr_assert(facts.flags & PRF_BOARD_EXACT);
    sim()->close(&board);
}

static double energy_of(prf_board_t *board, const char *text, uint32_t *flags)
{
    prf_block_t block;
    prf_kernel_t *kernel;
    prf_reading_t told = {0};
    prf_board_facts_t facts;
    sim()->describe(board, &facts);
    *flags = facts.flags;
    cr_assert_eq(prf_block_parse(&block, text, NULL), PRF_OK);
    cr_assert_eq(sim()->prepare(board, &block, &(prf_place_t){.length = 1}, &kernel, NULL), PRF_OK);
    cr_assert_eq(sim()->run(kernel, &(prf_run_t){.iterations = 1}, &told, NULL), PRF_OK);
    sim()->release(&kernel);
    return told.energy_nj;
}

Test(sim, energy_is_that_of_the_multiplications_and_of_the_time_where_it_was_set)
{
    static const char text[] = "conv2d c=64 k=32 h=56 r=3 pad=1";
    uint32_t flags;
    prf_board_facts_t facts;
    prf_board_t *plain = OPEN("board=vta"), *telling = OPEN("board=vta", "pj_per_mac=5", "static_w=2");
    double ns = run(plain, text);
    cr_expect_eq(energy_of(plain, text, &flags), 0);
    cr_expect_not(flags & PRF_BOARD_ENERGY);
    cr_expect_float_eq(energy_of(telling, text, &flags), 0.005 * 64 * 32 * 56 * 56 * 9 + 2 * ns, 1e-3);
    cr_expect(flags & PRF_BOARD_ENERGY);
    cr_expect_eq(run(telling, text), ns);
    sim()->describe(telling, &facts);
    cr_expect_str_eq(facts.fingerprint, "sim/vta pj_per_mac=5 static_w=2");
    sim()->close(&plain);
    sim()->close(&telling);
}

Test(sim, groups_run_one_after_the_other)
{
    prf_board_t *board = OPEN("board=vta");
    cr_assert_eq(run(board, "conv2d c=64 k=96 h=14 r=3 pad=1 groups=2"), 2 * run(board, "conv2d c=32 k=48 h=14 r=3 pad=1"));
    sim()->close(&board);
}

Test(sim, a_layer_of_hours_is_refused)
{
    prf_board_t *board = OPEN("board=systolic", "cycle_ns=1e6");
    refuses(board, "conv2d n=65536 c=1048576 k=1048576 h=1000 r=3", "less than an hour");
    sim()->close(&board);
}

Test(sim, options_that_cannot_be_are_refused_with_what_would_be_right)
{
    refuses_options(
        "rows=8", "unknown option 'rows=8': use KEY=VALUE with one of board, noise, slow, pace, crash, hang, wrong, "
                  "seed, speed, drift, drift_after, activation_ns, activation_ns_per_element, between_ns, pj_per_mac, static_w, n");
    refuses_options("noise", "unknown option 'noise'");
    refuses_options("noise=lots", "noise=lots: use a number from 0 to 50");
    refuses_options("noise=nan", "use a number from 0 to 50");
    refuses_options("n=0", "use a number from 1 to 1024");
    refuses_options("seed=1.5", "use a whole number");
    refuses_options("pace=fast", "use off or real");
    refuses_options("board=vta", "given twice");
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(sim()->open((const char *const[]){"board=tpu"}, 1, &board, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "use ultratrail, systolic, vta, ncs2, zcu102 or ferry"), "%s", err.text);
}

Test(sim, fingerprint_tells_what_changes_latency_and_nothing_else)
{
    prf_board_facts_t facts;
    prf_board_t *board = OPEN("board=ultratrail", "crash=0.5", "seed=7", "pace=off");
    sim()->describe(board, &facts);
    cr_assert_str_eq(facts.fingerprint, "sim/ultratrail");
    cr_assert(facts.flags & PRF_BOARD_EXACT);
    cr_assert_eq(facts.kinds, 1u << PRF_CONV1D | 1u << PRF_FC);
    sim()->close(&board);
    board = OPEN("board=ultratrail", "n=4", "noise=2");
    sim()->describe(board, &facts);
    cr_assert_str_eq(facts.fingerprint, "sim/ultratrail n=4 noise=2");
    cr_assert(!(facts.flags & PRF_BOARD_EXACT));
    sim()->close(&board);
}

Test(sim, noise_belongs_to_the_layer_and_differs_between_measurements)
{
    const char *a = "fc in=64 out=12", *b = "fc in=32 out=12";
    prf_board_t *one = OPEN("board=ultratrail", "noise=2", "seed=5"), *two = OPEN("board=ultratrail", "noise=2", "seed=5");
    double first = run(one, a), other = run(one, b), second = run(one, a);
    cr_assert_neq(first, second);
    cr_assert_eq(run(two, b), other, "the order of jobs changed the noise");
    cr_assert_eq(run(two, a), first);
    cr_assert_eq(run(two, a), second);
    sim()->close(&one);
    sim()->close(&two);
}

Test(sim, noise_has_the_asked_for_spread)
{
    prf_board_t *board = OPEN("board=systolic", "noise=3");
    double sum = 0, squares = 0, exact = 2 * 72.0 - 1;
    enum { RUNS = 4000 };
    for (int i = 0; i < RUNS; i++) {
        double x = log(run(board, "fc in=10 out=64") / exact);
        sum += x;
        squares += x * x;
    }
    cr_assert_float_eq(sum / RUNS, 0, 0.002);
    cr_assert_float_eq(sqrt(squares / RUNS), 0.03, 0.002);
    sim()->close(&board);
}

Test(sim, slow_states_last_and_take_their_share)
{
    prf_board_t *board = OPEN("board=systolic", "slow=20", "seed=3");
    int slow = 0, changes = 0, before = 0;
    enum { RUNS = 50000 };
    for (int i = 0; i < RUNS; i++) {
        double factor = run(board, "fc in=10 out=64") / (2 * 72.0 - 1);
        int now = factor > 1;
        cr_assert(factor == 1 || (factor >= 1.2 - 1e-9 && factor <= 1.45 + 1e-9), "%g", factor);
        slow += now;
        changes += now != before;
        before = now;
    }
    cr_assert_float_eq(slow / (double)RUNS, 0.2, 0.04, "%d of %d", slow, RUNS);
    cr_assert_lt(changes, RUNS / 50, "%d changes", changes);
    sim()->close(&board);
}

Test(sim, wrong_answers_come_as_often_as_asked_and_for_the_same_layers_under_a_seed)
{
    prf_board_t *board = OPEN("board=ultratrail", "wrong=0.3", "seed=9"), *again = OPEN("board=ultratrail", "wrong=0.3", "seed=9");
    prf_board_t *right = OPEN("board=ultratrail");
    int wrong = 0, total = 0;
    for (int in = 1; in <= 128; in++)
        for (int out = 1; out <= 8; out++) {
            char text[60];
            snprintf(text, sizeof text, "fc in=%d out=%d", in, out);
            int bad = run(board, text) != run(right, text);
            cr_assert_eq(bad, run(again, text) != run(right, text), "%s", text);
            wrong += bad;
            total++;
        }
    cr_assert_float_eq(wrong / (double)total, 0.3, 0.05);
    sim()->close(&board);
    sim()->close(&again);
    sim()->close(&right);
}

Test(sim, a_board_may_differ_from_its_siblings_or_begin_to_without_being_another_kind)
{
    prf_board_t *plain = OPEN("board=ultratrail"), *odd = OPEN("board=ultratrail", "speed=1.25"),
                *drifting = OPEN("board=ultratrail", "drift=10", "drift_after=3");
    const char *layer = "fc in=64 out=12";
    double normal = run(plain, layer);
    cr_assert_float_eq(run(odd, layer), 1.25 * normal, 1e-6);
    for (int i = 0; i < 6; i++) {
        double got = run(drifting, layer);
        cr_assert_float_eq(got, (i < 3 ? 1 : 1.1) * normal, 1e-6, "run %d: %g, normally %g", i, got, normal);
    }
    prf_board_facts_t facts[3];
    sim()->describe(plain, &facts[0]);
    sim()->describe(odd, &facts[1]);
    sim()->describe(drifting, &facts[2]);
    for (int i = 1; i < 3; i++) {
        cr_assert_str_eq(facts[i].fingerprint, facts[0].fingerprint);
        cr_assert_eq(facts[i].flags, facts[0].flags);
    }
    sim()->close(&plain);
    sim()->close(&odd);
    sim()->close(&drifting);
}
