// SPDX-License-Identifier: Apache-2.0
/* Models that begin with another board's: boards of one family made up here, and boards that have nothing in common. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "cli.h"
#include "made_model.h"
#include "model/explain.h"
#include "model/export_c.h"
#include "model/train.h"

enum { OLD = 200, MOST = 300, UNSEEN = 200 };

/* Tiles of 12 channels and 24 filters; moves its data meanwhile. */
typedef struct {
    double tile, begin, byte, transfer; /* nanoseconds */
} machine_t;

static const machine_t old_board = {3, 900, 0.5, 300};

static double computing(const machine_t *m, const prf_layer_t *l)
{
    prf_shape_t out = prf_layer_out_shape(l);
    return m->begin + m->tile * ceil(l->p[PRF_P_C] / 12.0) * ceil(l->p[PRF_P_K] / 24.0) * (double)(out.h * out.w) * l->p[PRF_P_R] *
                          l->p[PRF_P_R];
}

static double moving(const machine_t *m, const prf_layer_t *l)
{
    return m->transfer + m->byte * prf_layer_bytes(l, PRF_F32);
}

static double one_after_another(const machine_t *m, const prf_layer_t *l)
{
    return computing(m, l) + moving(m, l);
}

static double overlapped(const machine_t *m, const prf_layer_t *l)
{
    return fmax(computing(m, l), moving(m, l));
}

/* Nothing that a sum of terms could say. */
static double odd(const machine_t *m, const prf_layer_t *l)
{
    return computing(m, l) * (l->p[PRF_P_C] > 20 && l->p[PRF_P_C] < 90 ? 1 : 8);
}

static double unrelated(const machine_t *m, const prf_layer_t *l)
{
    return 40 + m->byte * ceil(l->p[PRF_P_H] / 7.0) * l->p[PRF_P_K] * (l->p[PRF_P_C] + 30.0) * l->p[PRF_P_R];
}

typedef double (*kind_t)(const machine_t *, const prf_layer_t *);

static prf_space_t conv_space(void)
{
    static const prf_dim_t channels = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 256, .log = true};
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = s.dims[PRF_P_K] = channels;
    s.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = 7, .hi = 60};
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 3, .values = {1, 3, 5}};
    s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    return s;
}

typedef struct {
    prf_observation_t rows[MOST], unseen[UNSEEN];
    prf_train_layer_t layer;
    prf_train_input_t input;
} board_t;

/* `steps`: whether its tiles are known. */
static board_t *measure(kind_t kind, const machine_t *machine, size_t count, bool steps, uint64_t seed)
{
    board_t *b = calloc(1, sizeof *b);
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    b->layer = (prf_train_layer_t){
        .space = conv_space(), .train = b->rows, .train_count = count, .validation = b->unseen, .validation_count = UNSEEN};
    for (size_t i = 0; i < count + UNSEEN; i++) {
        prf_observation_t *o = i < count ? &b->rows[i] : &b->unseen[i - count];
        cr_assert_eq(prf_space_draw(&b->layer.space, &rng, &o->layer, NULL), PRF_OK);
        o->latency_ns = kind(machine, &o->layer);
    }
    prf_steps_none(&b->layer.steps);
    if (steps) {
        b->layer.steps.width[PRF_P_C] = 12;
        b->layer.steps.width[PRF_P_K] = 24;
    }
    b->input = (prf_train_input_t){.kind = "new", .layers = &b->layer, .layer_count = 1, .seed = 7, .threads = 2};
    b->input.provenance = (prf_provenance_t){.repeatability_percent = NAN, .random_baseline_percent = NAN};
    return b;
}

static prf_model_t *train(board_t *b, const prf_model_t *from)
{
    prf_model_t *model = NULL;
    prf_error_t err = {0};
    b->input.from = from;
    cr_assert_eq(prf_model_train(&model, &b->input, &err), PRF_OK, "%s", err.text);
    return model;
}

static prf_model_t *old_model(kind_t kind)
{
    board_t *b = measure(kind, &old_board, OLD, true, 1);
    b->input.kind = "old";
    prf_model_t *model = train(b, NULL);
    free(b);
    return model;
}

static double error_percent(const prf_model_t *model)
{
    return prf_model_provenance(model)->validation.mape_percent;
}

static const char *regressor(const prf_model_t *model)
{
    prf_model_layer_t layer;
    prf_model_layer(model, 0, &layer);
    return layer.regressor;
}

static bool same_bytes(const prf_model_t *a, const prf_model_t *b)
{
    void *x, *y;
    size_t x_len, y_len;
    cr_assert_eq(prf_model_encode(a, &x, &x_len, NULL), PRF_OK);
    cr_assert_eq(prf_model_encode(b, &y, &y_len, NULL), PRF_OK);
    bool same = x_len == y_len && memcmp(x, y, x_len) == 0;
    free(x);
    free(y);
    return same;
}

/* What `layers` of the new board come to, from scratch and with the old board's model. */
typedef struct {
    double scratch, with;
    char name[64];
} outcome_t;

static outcome_t compare(kind_t old, kind_t new, const machine_t *machine, size_t layers, uint64_t seed)
{
    prf_model_t *from = old_model(old);
    board_t *b = measure(new, machine, layers, true, seed);
    prf_model_t *scratch = train(b, NULL), *with = train(b, from);
    outcome_t o = {.scratch = error_percent(scratch), .with = error_percent(with)};
    snprintf(o.name, sizeof o.name, "%s", regressor(with));
    if (prf_model_provenance(with)->from[0])
        cr_assert_str_eq(prf_model_provenance(with)->from, "old");
    else
        cr_assert(same_bytes(scratch, with), "a model that nothing was taken over into is the one from scratch");
    prf_model_destroy(&from);
    prf_model_destroy(&scratch);
    prf_model_destroy(&with);
    free(b);
    return o;
}

Test(transfer, a_board_with_another_clock_is_exact_from_8_layers)
{
    const machine_t faster = {3 * 0.4, 900 * 0.4, 0.5 * 0.4, 300 * 0.4};
    outcome_t o = compare(overlapped, overlapped, &faster, 8, 21);
    cr_assert_lt(o.with, 1e-6, "%g %% by %s", o.with, o.name);
    cr_assert_gt(o.scratch, 0.5, "8 layers do not tell it: %g %%", o.scratch);
    cr_assert_eq(strncmp(o.name, "scaled/max-", 11), 0, "%s", o.name);
}

Test(transfer, a_board_with_another_clock_and_another_bus_is_exact_from_15_layers)
{
    const machine_t other = {3 * 0.4, 900 * 0.4, 0.5 * 1.5, 300 * 1.5};
    outcome_t o = compare(overlapped, overlapped, &other, 15, 22);
    cr_assert_lt(o.with, 1e-6, "%g %% by %s", o.with, o.name);
    cr_assert_gt(o.scratch, 2, "15 layers do not tell it: %g %%", o.scratch);
    cr_assert_eq(strncmp(o.name, "scaled-sums/max-", 16), 0, "%s", o.name);
}

Test(transfer, a_board_with_other_costs_throughout_needs_20_to_30_layers)
{
    const machine_t other = {1.1, 2000, 0.8, 50};
    outcome_t o = compare(one_after_another, one_after_another, &other, 20, 23);
    cr_assert_lt(o.with, 1e-3, "%g %% by %s", o.with, o.name);
    o = compare(overlapped, overlapped, &other, 30, 24);
    cr_assert_lt(o.with, 2, "%g %% by %s", o.with, o.name);
    cr_assert_lt(o.with, o.scratch / 5, "%g %% against %g %% from scratch", o.with, o.scratch);
}

static double odd_before(const prf_layer_t *l)
{
    return odd(&old_board, l);
}

/* A forest has nothing but one factor to be fitted by. */
Test(transfer, trees_come_along)
{
    enum { OF_FOREST = 2 };
    const machine_t slower = {3 * 5, 900 * 5, 0, 0};
    prf_model_t *from = made_model("old", 1);
    from->parts[0].space = conv_space();
    made_part(&from->parts[0], &made_sorts[OF_FOREST], odd_before, 1500);
    board_t *b = measure(odd, &slower, 12, true, 25);
    prf_model_t *scratch = train(b, NULL), *with = train(b, from);
    cr_assert_str_eq(regressor(with), "scaled/forest");
    cr_assert_lt(error_percent(with), 0.8 * error_percent(scratch));
    double first = NAN;
    for (size_t i = 0; i < UNSEEN; i++) {
        prf_block_t block = {.dtype = PRF_F32, .count = 1, .layers = {b->unseen[i].layer}};
        prf_estimate_t before, after;
        cr_assert_eq(prf_model_estimate(from, &block, NULL, &before, NULL), PRF_OK);
        cr_assert_eq(prf_model_estimate(with, &block, NULL, &after, NULL), PRF_OK);
        double ratio = after.latency_ns / before.latency_ns;
        first = i ? first : ratio;
        cr_assert_float_eq(ratio, first, 1e-9);
    }
    cr_assert(first > 4 && first < 6, "%g", first);
    prf_model_destroy(&from);
    prf_model_destroy(&scratch);
    prf_model_destroy(&with);
    free(b);
}

Test(transfer, a_board_that_is_nothing_like_it_does_no_harm)
{
    static const size_t sizes[] = {12, 20, 40};
    double scratch = 0, with = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        outcome_t o = compare(overlapped, unrelated, &old_board, sizes[i], 30 + i);
        scratch += o.scratch;
        with += o.with;
        cr_assert_leq(o.with, 1.25 * o.scratch + 1e-6, "%zu layers: %g %% by %s, %g %% from scratch", sizes[i], o.with, o.name,
                      o.scratch);
    }
    cr_assert_leq(with, 1.02 * scratch, "%g against %g", with, scratch);
}

Test(transfer, the_tiles_of_the_old_board_come_along_when_its_sums_do)
{
    const machine_t faster = {3 * 0.4, 900 * 0.4, 0.5 * 0.4, 300 * 0.4};
    prf_model_t *from = old_model(overlapped);
    board_t *b = measure(overlapped, &faster, 10, false, 40);
    prf_model_t *with = train(b, from);
    prf_model_layer_t layer;
    prf_model_layer(with, 0, &layer);
    cr_assert_eq(layer.steps.width[PRF_P_C], 12);
    cr_assert_eq(layer.steps.width[PRF_P_K], 24);
    cr_assert_eq(layer.samples, 10);
    cr_assert_lt(error_percent(with), 1e-6);
    prf_model_destroy(&from);
    prf_model_destroy(&with);
    free(b);
}

Test(transfer, threads_make_no_difference)
{
    const machine_t other = {1.1, 2000, 0.8, 50};
    prf_model_t *from = old_model(overlapped);
    board_t *b = measure(overlapped, &other, 40, true, 41);
    b->input.threads = 1;
    prf_model_t *one = train(b, from);
    b->input.threads = 3;
    prf_model_t *three = train(b, from);
    cr_assert_str_eq(prf_model_provenance(one)->from, "old");
    cr_assert(same_bytes(one, three));
    prf_model_destroy(&from);
    prf_model_destroy(&one);
    prf_model_destroy(&three);
    free(b);
}

Test(transfer, what_comes_out_is_a_model_like_any_other)
{
    const machine_t other = {3 * 0.4, 900 * 0.4, 0.5 * 0.6, 300 * 0.6};
    prf_model_t *from = old_model(overlapped), *copy;
    board_t *b = measure(overlapped, &other, 20, true, 42);
    prf_model_t *with = train(b, from);
    void *bytes;
    char *source;
    size_t len;
    static prf_explanation_t why;
    cr_assert_eq(prf_model_encode(with, &bytes, &len, NULL), PRF_OK);
    cr_assert_eq(prf_model_decode(&copy, bytes, len, NULL), PRF_OK);
    cr_assert_str_eq(prf_model_provenance(copy)->from, "old", "%s, %g %%", regressor(with), error_percent(with));
    cr_assert(same_bytes(with, copy));
    cr_assert_eq(prf_model_export_c(with, "", &source, &len, NULL), PRF_OK);
    cr_assert_not_null(strstr(source, regressor(with)));
    cr_assert_eq(prf_model_explain(&why, with, 0, NULL), PRF_OK);
    cr_assert_eq(why.sum_count, 2);
    prf_model_t *again = train(b, with);
    cr_assert_eq(strncmp(regressor(again), "scaled/max-", 11), 0, "a transfer of a transfer: %s", regressor(again));
    free(source);
    free(bytes);
    prf_model_destroy(&again);
    prf_model_destroy(&copy);
    prf_model_destroy(&from);
    prf_model_destroy(&with);
    free(b);
}

Test(transfer, a_model_of_other_layers_or_columns_is_left_alone)
{
    prf_model_t *from = old_model(overlapped);
    board_t *b = measure(overlapped, &old_board, 20, true, 43);
    b->input.from = from;
    cr_assert(prf_train_has_counterpart(&b->input, 0));
    const char *names[] = {"fused"};
    b->input.extra_names = names;
    b->input.extra_count = 1;
    cr_assert_not(prf_train_has_counterpart(&b->input, 0));
    b->input.extra_count = 0;
    b->layer.space.dtype = PRF_F16;
    cr_assert_not(prf_train_has_counterpart(&b->input, 0));
    prf_model_t *scratch = train(b, NULL), *with = train(b, from);
    cr_assert(same_bytes(scratch, with));
    prf_model_destroy(&scratch);
    prf_model_destroy(&with);
    prf_model_destroy(&from);
    free(b);
}

/* --- prfarm train --from ---------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/prf-transfer-XXXXXX";

static char *in_folder(const char *name)
{
    static char paths[8][96];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *const files[] = {"old.csv", "new.csv", "spec.yaml", "old.prfm", "bad.prfm", "out", "err"};

static void put(const char *name, const char *text)
{
    cr_assert_eq(prf_file_write(in_folder(name), text, strlen(text), NULL), PRF_OK);
}

static void put_table(const char *name, const machine_t *machine, size_t count, uint64_t seed)
{
    board_t *b = measure(overlapped, machine, count, true, seed);
    prf_text_t text;
    prf_text_init(&text);
    prf_text_add(&text, "c,k,h,r,lat\n");
    for (size_t i = 0; i < count; i++) {
        const int32_t *p = b->rows[i].layer.p;
        prf_text_add(&text, "%d,%d,%d,%d,%.17g\n", p[PRF_P_C], p[PRF_P_K], p[PRF_P_H], p[PRF_P_R], b->rows[i].latency_ns);
    }
    put(name, text.data);
    prf_text_release(&text);
    free(b);
}

static void make_files(void)
{
    const machine_t other = {3 * 0.4, 900 * 0.4, 0.5 * 1.5, 300 * 1.5};
    cr_assert_not_null(mkdtemp(folder));
    put_table("old.csv", &old_board, OLD, 50);
    put_table("new.csv", &other, 25, 51);
    put("bad.prfm", "prfmodel, but not really");
    put("spec.yaml", "board: toy\nlayer: conv2d\ncolumns: {c: c, k: k, h: h, r: r, pad: r / 2}\nlatency: {column: lat, unit: ns}\n"
                     "split: {test: 0.2, seed: 1}\n");
}

static void remove_files(void)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(in_folder(files[i]));
    rmdir(folder);
}

TestSuite(transfer_cli, .init = make_files, .fini = remove_files);

static char *run(int expected, const char *name, char *option, char *value)
{
    char *argv[] = {"train", in_folder(name), "--spec", in_folder("spec.yaml"), option, value, NULL};
    cr_assert_not_null(freopen(in_folder("out"), "w", stdout));
    cr_assert_not_null(freopen(in_folder("err"), "w", stderr));
    cr_assert_eq(prf_cmd_train(6, argv), expected);
    fflush(stdout);
    fflush(stderr);
    char *text;
    size_t len;
    cr_assert_eq(prf_file_read(in_folder(expected ? "err" : "out"), 1 << 20, &text, &len, NULL), PRF_OK);
    return text;
}

Test(transfer_cli, train_says_whether_the_old_model_helped)
{
    free(run(0, "old.csv", "--out", in_folder("old.prfm")));
    char *text = run(0, "new.csv", "--from", in_folder("old.prfm"));
    cr_assert_not_null(strstr(text, "began with the model of toy"), "%s", text);
    cr_assert_not_null(strstr(text, "regressor scaled-sums/max-"), "%s", text);
    free(text);
    put("spec.yaml", "board: toy\nlayer: conv2d\ndtype: f16\ncolumns: {c: c, k: k, h: h, r: r, pad: r / 2}\n"
                     "latency: {column: lat, unit: ns}\n");
    text = run(0, "new.csv", "--from", in_folder("old.prfm"));
    cr_assert_not_null(strstr(text, "the model of toy was no help (it knows no such layers"), "%s", text);
    free(text);
}

Test(transfer_cli, an_old_model_that_is_none_is_an_error)
{
    char *text = run(3, "new.csv", "--from", in_folder("bad.prfm"));
    cr_assert_not_null(strstr(text, "bad.prfm"), "%s", text);
    free(text);
}
