// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"
#include "campaign/recorded.h"

static char folder[64], spec_path[96], data_path[96];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/prf-recorded-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(spec_path, sizeof spec_path, "%s/spec.yaml", folder);
    snprintf(data_path, sizeof data_path, "%s/data.csv", folder);
}

static void remove_folder(void)
{
    unlink(spec_path);
    unlink(data_path);
    rmdir(folder);
}

TestSuite(recorded, .init = make_folder, .fini = remove_folder);

static void put(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

static const char good_spec[] = "board: recorded\n"
                                "layer: conv2d\n"
                                "where: {type: Regular}\n"
                                "columns:\n"
                                "  c: cin\n"
                                "  k: cout\n"
                                "  h: size\n"
                                "  r: kernel\n"
                                "  pad: kernel / 2\n"
                                "latency: {column: lat, unit: us}\n"
                                "features: [fused]\n"
                                "split: {test: 0.25, seed: 3}\n";
static const char header[] = "type,cin,cout,size,kernel,fused,lat\n";

/* 48 different layers and one row of another type. */
static char *good_data(void)
{
    prf_text_t text;
    prf_text_init(&text);
    prf_text_add(&text, "%s", header);
    for (int i = 0; i < 48; i++)
        prf_text_add(&text, "Regular,%d,%d,%d,%d,%d,%d.5\n", 8 + i, 16, i % 2 ? 28 : 14, 1 + 2 * (i % 3), i % 2, 10 + i);
    prf_text_add(&text, "Other,1,1,1,1,0,not a number\n");
    return prf_text_take(&text);
}

static prf_status_t load(const char *spec_text, const void *data, size_t len, prf_recorded_t *out, prf_error_t *err)
{
    prf_recorded_spec_t *spec = NULL;
    put(spec_path, spec_text, strlen(spec_text));
    put(data_path, data, len);
    prf_status_t status = prf_recorded_spec_load(&spec, spec_path, err);
    if (!status)
        status = prf_recorded_load(out, spec, data_path, err);
    prf_recorded_spec_destroy(&spec);
    return status;
}

static prf_recorded_t loaded(const char *spec, const char *data)
{
    prf_recorded_t got = {0};
    prf_error_t err = {0};
    cr_assert_eq(load(spec, data, strlen(data), &got, &err), PRF_OK, "%s", err.text);
    return got;
}

Test(recorded, rows_become_layers_with_the_units_and_divisors_of_the_spec)
{
    char *data = good_data();
    prf_recorded_t r = loaded(good_spec, data);
    cr_assert_str_eq(r.board, "recorded");
    cr_assert_eq(r.rows, 49);
    cr_assert_eq(r.train_count, 36);
    cr_assert_eq(r.test_count, 12);
    cr_assert_eq(r.extra_count, 1);
    cr_assert_str_eq(r.extras[0], "fused");
    for (size_t i = 0; i < 48; i++) {
        const prf_observation_t *o = &r.observations[i];
        int32_t number = o->layer.p[PRF_P_C] - 8;
        cr_assert_eq(o->latency_ns, (10.5 + number) * 1000);
        cr_assert_eq(o->layer.p[PRF_P_PAD], o->layer.p[PRF_P_R] / 2);
        cr_assert_eq(o->layer.p[PRF_P_W], o->layer.p[PRF_P_H]);
        cr_assert_eq(o->extras[0], number % 2);
    }
    free(data);
    prf_recorded_release(&r);
}

Test(recorded, the_space_is_what_the_rows_show)
{
    char *data = good_data();
    prf_recorded_t r = loaded(good_spec, data);
    const prf_dim_t *d = r.layer.space.dims;
    cr_assert_eq(d[PRF_P_C].kind, PRF_DIM_RANGE);
    cr_assert_eq(d[PRF_P_C].lo, 8);
    cr_assert_eq(d[PRF_P_C].hi, 55);
    cr_assert_eq(d[PRF_P_H].kind, PRF_DIM_LIST);
    cr_assert_eq(d[PRF_P_H].value_count, 2);
    cr_assert_eq(d[PRF_P_W].kind, PRF_DIM_DEFAULT, "w follows h by default");
    cr_assert_eq(d[PRF_P_PAD].kind, PRF_DIM_TIED);
    cr_assert_eq(d[PRF_P_PAD].source, PRF_P_R);
    cr_assert_eq(d[PRF_P_PAD].divisor, 2);
    prf_error_t err = {0};
    cr_assert_eq(prf_space_check(&r.layer.space, &err), PRF_OK, "%s", err.text);
    free(data);
    prf_recorded_release(&r);
}

Test(recorded, a_layer_counts_once_and_its_first_row_stays)
{
    char *data = good_data(), *more = malloc(strlen(data) + 100);
    sprintf(more, "%sRegular,8,16,14,1,0,99\nRegular,8,16,14,1,1,98\n", data);
    prf_recorded_t r = loaded(good_spec, more);
    cr_assert_eq(r.duplicates, 1, "the extra column makes the second one another layer");
    cr_assert_eq(r.train_count + r.test_count, 49);
    for (size_t i = 0; i < 49; i++)
        cr_assert_neq(r.observations[i].latency_ns, 99000);
    free(data);
    free(more);
    prf_recorded_release(&r);
}

Test(recorded, the_split_depends_on_the_seed_and_nothing_else)
{
    char *data = good_data(), other[512];
    snprintf(other, sizeof other, "%.*sseed: 4}\n", (int)(strstr(good_spec, "seed: 3") - good_spec), good_spec);
    prf_recorded_t a = loaded(good_spec, data), b = loaded(good_spec, data), c = loaded(other, data);
    cr_assert_eq(memcmp(a.observations, b.observations, 48 * sizeof *a.observations), 0);
    cr_assert_neq(memcmp(a.observations, c.observations, 48 * sizeof *a.observations), 0);
    free(data);
    prf_recorded_release(&a);
    prf_recorded_release(&b);
    prf_recorded_release(&c);
}

Test(recorded, a_small_budget_takes_layers_that_lie_apart_from_the_training_part_only)
{
    char *data = good_data(), spec[512];
    snprintf(spec, sizeof spec, "%sbudget: 6\n", good_spec);
    prf_recorded_t all = loaded(good_spec, data), few = loaded(spec, data);
    cr_assert_eq(few.train_count, 6);
    cr_assert_eq(few.spare_count, 30);
    cr_assert_eq(few.test_count, 12);
    cr_assert_eq(memcmp(few.layer.validation, all.layer.validation, 12 * sizeof *all.layer.validation), 0);
    bool kernels[6] = {false}, sizes[2] = {false};
    for (size_t i = 0; i < 6; i++) {
        kernels[few.layer.train[i].layer.p[PRF_P_R]] = true;
        sizes[few.layer.train[i].layer.p[PRF_P_H] == 28] = true;
    }
    cr_assert(kernels[1] && kernels[3] && kernels[5] && sizes[0] && sizes[1], "the sample leaves out a kernel or size");
    free(data);
    prf_recorded_release(&all);
    prf_recorded_release(&few);
}

Test(recorded, a_larger_budget_takes_the_first_layers_of_the_training_part)
{
    prf_text_t text;
    prf_text_init(&text);
    prf_text_add(&text, "%s", header);
    for (int i = 0; i < 400; i++)
        prf_text_add(&text, "Regular,%d,16,14,3,0,%d\n", 8 + i, 10 + i);
    char *data = prf_text_take(&text), spec[512];
    snprintf(spec, sizeof spec, "%sbudget: 100\n", good_spec);
    prf_recorded_t all = loaded(good_spec, data), some = loaded(spec, data);
    cr_assert_eq(some.train_count, 100);
    cr_assert_eq(some.spare_count, 200);
    cr_assert_eq(memcmp(some.layer.train, all.layer.train, 100 * sizeof *all.layer.train), 0);
    cr_assert_eq(memcmp(some.layer.validation, all.layer.validation, 100 * sizeof *all.layer.validation), 0);
    free(data);
    prf_recorded_release(&all);
    prf_recorded_release(&some);
}

Test(recorded, gzip_is_read_directly_and_a_truncated_file_is_noticed)
{
    char *data = good_data();
    unsigned char packed[8192];
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)data;
    z.avail_in = (unsigned)strlen(data);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    prf_recorded_t r = {0};
    prf_error_t err = {0};
    cr_assert_eq(load(good_spec, packed, z.total_out, &r, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(r.train_count, 36);
    prf_recorded_release(&r);
    cr_assert_eq(load(good_spec, packed, z.total_out - 20, &r, &err), PRF_ECORRUPT);
    cr_assert(strstr(err.text, "data.csv"), "%s", err.text);
    free(data);
}

static void refuses(const char *spec, const char *data, const char *because)
{
    prf_recorded_t r = {0};
    prf_error_t err = {0};
    cr_assert_neq(load(spec, data, strlen(data), &r, &err), PRF_OK, "accepted; should say '%s'", because);
    cr_assert_null(r.observations);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
}

/* good_spec with its line `number` (from 1) replaced. */
static void refuses_line(int number, const char *line, const char *because)
{
    prf_text_t text;
    prf_text_init(&text);
    int at = 1;
    for (const char *from = good_spec; *from; at++) {
        size_t len = strcspn(from, "\n") + 1;
        if (at == number)
            prf_text_add(&text, "%s\n", line);
        else
            prf_text_append(&text, from, len);
        from += len;
    }
    char *data = good_data(), *spec = prf_text_take(&text);
    refuses(spec, data, because);
    free(spec);
    free(data);
}

Test(recorded, every_mistake_in_the_spec_is_named_with_its_line)
{
    refuses_line(1, "", "'board' is missing");
    refuses_line(1, "board: a b", "spec.yaml:1:");
    refuses_line(2, "layer: conv9d", "spec.yaml:2: unknown layer kind 'conv9d': use one of");
    refuses_line(2, "layer: conv2d\ndtype: f64", "spec.yaml:3: unknown data type");
    refuses_line(3, "where: [Regular]", "spec.yaml:3:");
    refuses_line(3, "where: {kind: Regular}", "no column 'kind'");
    refuses_line(3, "where: {type: Nothing}", "0 of 49 rows are left");
    refuses_line(5, "  cin: cin", "spec.yaml:5: conv2d has no parameter 'cin': use n, c, k");
    refuses_line(5, "", "parameter 'c' of conv2d is missing");
    refuses_line(5, "  c: nothing", "no column 'nothing'");
    refuses_line(5, "  c: -3", "spec.yaml:5:");
    refuses_line(9, "  pad: kernel / 0", "spec.yaml:9: pad: 'kernel / 0': use a column, a constant, or column / number");
    refuses_line(10, "latency: lat", "spec.yaml:10:");
    refuses_line(10, "latency: {column: lat}", "spec.yaml:10: latency: use {column: NAME, unit: ns, us, ms or s}");
    refuses_line(10, "latency: {column: lat, unit: min}", "latency.unit 'min': use ns, us, ms or s");
    refuses_line(11, "features: [fused, fused]", "'fused' is given twice");
    refuses_line(11, "features: [a, b, c, d, e, f, g, h, i]", "use at most 8 columns");
    refuses_line(12, "split: {test: 0.95}", "spec.yaml:12:");
    refuses_line(12, "split: {test: 0.2, sed: 1}", "spec.yaml:12:");
    refuses_line(12, "budget: 2", "spec.yaml:12:");
    refuses_line(12, "colour: blue", "colour");
    refuses_line(12, "\"", "spec.yaml:1");
    refuses("", header, "spec.yaml");
}

Test(recorded, every_mistake_in_the_data_is_named_with_its_line)
{
    char data[512];
    const char *rows[][2] = {
        {"Regular,8,16,14,1,0", "data.csv:2: "},
        {"Regular,8,16,14,1,0,1,1", "data.csv:2: "},
        {"Regular,eight,16,14,1,0,1", "data.csv:2: cin"},
        {"Regular,8.5,16,14,1,0,1", "data.csv:2: cin is 8.5: use a whole number"},
        {"Regular,8,16,14,1,0,", "data.csv:2: lat"},
        {"Regular,8,16,14,1,0,nan", "data.csv:2: lat"},
        {"Regular,8,16,14,1,0,0", "data.csv:2: lat is 0: use latencies above zero"},
        {"Regular,8,16,14,1,0,-1", "use latencies above zero"},
        {"Regular,0,16,14,1,0,1", "data.csv:2: conv2d.c = 0"},
        {"Regular,8,16,2,99,0,1\nRegular,8,16,2,9,0,x", "data.csv:3: lat"},
        {"Regular,8,16,14,1,0,1", "1 of 1 rows are left"},
        {"\"Regular,8,16,14,1,0,1", "data.csv:2: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(data, sizeof data, "%s%s\n", header, rows[i][0]);
        refuses(good_spec, data, rows[i][1]);
    }
    refuses(good_spec, "", "data.csv");
    refuses(good_spec,
            "\x7f"
            "ELF\2\1\1\n",
            "no column");
    char *endless = malloc(200001);
    memset(endless, 'x', 200000);
    endless[200000] = '\0';
    refuses(good_spec, endless, "data.csv:1: ");
    free(endless);
}

Test(recorded, values_are_compared_as_numbers_where_both_are)
{
    char *data = good_data(), spec[512];
    snprintf(spec, sizeof spec, "%s", good_spec);
    char *where = strstr(spec, "{type: Regular}");
    memcpy(where, "{fused: 1.00}  ", 15);
    data[strlen(data) - strlen("Other,1,1,1,1,0,not a number\n")] = '\0';
    prf_recorded_t r = loaded(spec, data);
    cr_assert_eq(r.train_count + r.test_count, 24);
    free(data);
    prf_recorded_release(&r);
}

/* Fewer layers than the 22,000, so that it is quick, and within the same 8 %. */
Test(recorded, the_example_spec_models_a_real_gpu_from_3000_of_its_layers)
{
    char data[512];
    const char *shared = getenv("PRF_SHARED");
    snprintf(data, sizeof data, "%s/data/v100_tensorrt_conv.csv.gz", shared ? shared : PRF_SOURCE_DIR "/../shared");
    if (access(data, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: there is no %s; set PRF_SHARED to the folder that has data/\n", data);
        cr_skip_test("no V100 data");
    }
    prf_recorded_spec_t *spec = NULL;
    prf_recorded_t r = {0};
    prf_error_t err = {0};
    cr_assert_eq(prf_recorded_spec_load(&spec, PRF_SOURCE_DIR "/docs/examples/train-v100.yaml", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_recorded_load(&r, spec, data, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(r.rows, 274970);
    cr_assert_eq(r.train_count, 22272);
    r.layer.train_count = 3000;
    const char *names[] = {r.extras[0]};
    prf_train_input_t input = {
        .kind = r.board, .layers = &r.layer, .layer_count = 1, .extra_names = names, .extra_count = 1, .seed = r.seed};
    prf_model_t *model = NULL;
    cr_assert_eq(prf_model_train(&model, &input, &err), PRF_OK, "%s", err.text);
    const prf_metrics_t *v = &prf_model_provenance(model)->validation;
    cr_assert_leq(v->mape_percent, 8, "MAPE %g %%", v->mape_percent);
    cr_assert_gt(v->spearman, 0.99);
    prf_model_destroy(&model);
    prf_recorded_release(&r);
    prf_recorded_spec_destroy(&spec);
}
