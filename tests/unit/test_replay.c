// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "backends/registry.h"

static char path[64], file_option[80];

static void make_path(void)
{
    snprintf(path, sizeof path, "/tmp/prf-replay-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    snprintf(file_option, sizeof file_option, "file=%s", path);
}

static void remove_path(void)
{
    unlink(path);
}

TestSuite(replay, .init = make_path, .fini = remove_path);

static void table(const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static prf_status_t try_open(prf_board_t **board, prf_error_t *err, const char *const *options)
{
    const char *all[24] = {file_option};
    size_t count = 1;
    for (; *options; options++)
        all[count++] = *options;
    return prf_backend_find("replay")->open(all, count, board, err);
}

static prf_board_t *open_board(const char *const *options)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(try_open(&board, &err, options), PRF_OK, "%s", err.text);
    return board;
}
#define OPEN(...) open_board((const char *const[]){__VA_ARGS__, NULL})

static void refuses_table(const char *text, const char *because, const char *const *options)
{
    table(text);
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert(try_open(&board, &err, options), "accepted; expected '%s'", because);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
    cr_assert_null(board);
}
#define REFUSES(text, because, ...) refuses_table(text, because, (const char *const[]){__VA_ARGS__, NULL})

/* Latencies of `runs` runs of one prepared block; -1 when it is refused as not recorded. */
static double run_nth(prf_board_t *board, const char *text, int runs)
{
    const prf_backend_t *backend = prf_backend_find("replay");
    prf_block_t block;
    prf_kernel_t *kernel = NULL;
    prf_error_t err = {0};
    prf_reading_t told = {0};
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s: %s", text, err.text);
    prf_status_t status = backend->prepare(board, &block, &(prf_place_t){.length = 1}, &kernel, &err);
    if (status == PRF_EUNSUPPORTED && strstr(err.text, "not recorded"))
        return -1;
    cr_assert_eq(status, PRF_OK, "%s", err.text);
    while (runs-- > 0)
        cr_assert_eq(backend->run(kernel, &(prf_run_t){.iterations = 1}, &told, &err), PRF_OK, "%s", err.text);
    backend->release(&kernel);
    return told.latency_ns;
}

Test(replay, a_table_with_our_own_column_names_needs_no_options)
{
    table("layer,dtype,n,c,k,h,w,r,s,stride,pad,in,out,latency_ns\n"
          "conv2d,f32,1,3,8,10,10,3,3,1,1,,,1500\nconv2d,i8,1,3,8,10,10,3,3,1,1,,,700\nfc,f32,1,,,,,,,,,64,10,250.5\n");
    prf_board_t *board = OPEN(NULL);
    prf_board_facts_t facts;
    prf_backend_find("replay")->describe(board, &facts);
    cr_assert_eq(facts.kinds, 1u << PRF_CONV2D | 1u << PRF_FC);
    cr_assert_eq(facts.dtypes, 1u << PRF_F32 | 1u << PRF_I8);
    cr_assert(facts.flags & PRF_BOARD_EXACT);
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=3 pad=1", 1), 1500);
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=3 pad=1 + activation c=8 h=10", 1), 1500);
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=3 pad=1 dtype=i8", 1), 700);
    cr_assert_eq(run_nth(board, "fc in=64 out=10", 1), 250.5);
    cr_assert_eq(run_nth(board, "fc in=64 out=11", 1), -1);
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=3 pad=1 dtype=f16", 1), -1);
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=3 pad=1 + maxpool2d c=8 h=10 r=2", 1), -1);
    prf_backend_find("replay")->close(&board);
}

Test(replay, options_map_foreign_columns_units_and_constants)
{
    table("precision,cin,cout,size,k,lat\nfp32,3,8,10,5,1.5\nfp16,3,8,10,5,0.5\nfp32,4,8,10,3,2\n");
    prf_board_t *board = OPEN("layer=conv2d", "where.precision=fp16", "dtype=f16", "latency=lat", "unit=ms", "column.c=cin",
                              "column.k=cout", "column.h=size", "column.r=k", "column.stride=2", "column.pad=same");
    cr_assert_eq(run_nth(board, "conv2d c=3 k=8 h=10 r=5 stride=2 pad=2 dtype=f16", 1), 0.5e6);
    cr_assert_eq(run_nth(board, "conv2d c=4 k=8 h=10 r=3 stride=2 pad=1 dtype=f16", 1), -1, "the filter let another row through");
    prf_backend_find("replay")->close(&board);
}

Test(replay, a_layer_recorded_often_answers_with_each_measurement_in_turn)
{
    table("layer,in,out,latency_ns\nfc,8,8,30\nfc,9,8,5\nfc,8,8,10\nfc,8,8,20\n");
    prf_board_t *board = OPEN(NULL);
    prf_board_facts_t facts;
    prf_backend_find("replay")->describe(board, &facts);
    cr_assert(!(facts.flags & PRF_BOARD_EXACT));
    static const double expected[] = {10, 20, 30, 10};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(run_nth(board, "fc in=8 out=8", i + 1), expected[i]);
    prf_backend_find("replay")->close(&board);
}

Test(replay, the_fingerprint_is_that_of_the_data_not_of_the_file)
{
    prf_board_facts_t a, b, c;
    table("layer,in,out,latency_ns\nfc,8,8,30\nfc,9,8,5\n");
    prf_board_t *board = OPEN(NULL);
    prf_backend_find("replay")->describe(board, &a);
    prf_backend_find("replay")->close(&board);
    table("latency_ns,layer,in,out\n5,fc,9,8\n30,fc,8,8\n");
    board = OPEN(NULL);
    prf_backend_find("replay")->describe(board, &b);
    prf_backend_find("replay")->close(&board);
    table("layer,in,out,latency_ns\nfc,8,8,30\nfc,9,8,6\n");
    board = OPEN(NULL);
    prf_backend_find("replay")->describe(board, &c);
    prf_backend_find("replay")->close(&board);
    cr_assert_str_eq(a.fingerprint, b.fingerprint);
    cr_assert_str_neq(a.fingerprint, c.fingerprint);
}

Test(replay, wrong_tables_and_options_are_refused_with_the_place)
{
    REFUSES("in,out,latency_ns\n1,1,1\n", "say which kind it holds with layer=KIND", NULL);
    REFUSES("layer,in,out\nfc,1,1\n", "no column 'latency_ns': use one of layer, in, out", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,x,1,1\n", ":2: in: 'x' is no number", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1.5,1,1\n", ":2: in: 1.5 is not a whole number", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1e99,1,1\n", "not a whole number that fits", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1,1,1\nfc,0,1,1\n", ":3: fc.in = 0: use a value from 1", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1,1,-1\n", ":2: a latency of -1 ns", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1,1,nan\n", "is no number", NULL);
    REFUSES("layer,in,out,latency_ns\nconv3d,1,1,1\n", ":2: unknown layer kind 'conv3d'", NULL);
    REFUSES("layer,in,out,latency_ns,dtype\nfc,1,1,1,fp32\n", ":2: unknown data type 'fp32'", NULL);
    REFUSES("layer,in,out,latency_ns\nfc,1,1,1\n", "no row passes", "where.in=2");
    REFUSES("layer,in,out,latency_ns\nfc,1,1,1\n", "no column 'size'", "where.size=2");
    REFUSES("layer,in,out,latency_ns\nfc,1,1,1\n", "no layer kind has a parameter of that name", "column.size=2");
    REFUSES("layer,in,out,latency_ns\nfc,1,1,1\n", "use ns, us, ms or s", "unit=hours");
    REFUSES("layer,in,out,latency_ns\n", "no row passes", NULL);
    REFUSES("", "first line must name the columns", NULL);
}

/* A suite of its own: a test that skips does not reach its tear-down. */
Test(recorded, the_v100_table_answers_for_its_layers)
{
    const char *shared = getenv("PRF_SHARED");
    char option[4200];
    snprintf(option, sizeof option, "file=%s/data/v100_tensorrt_conv.csv.gz", shared ? shared : PRF_SOURCE_DIR "/../shared");
    if (access(option + strlen("file="), R_OK) != 0)
        cr_skip_test("the shared V100 table is not here: set PRF_SHARED to the folder that holds data/");
    const char *options[] = {option,        "layer=conv2d", "where.precision=fp32", "where.type=Regular", "where.elmt=1",
                             "latency=lat", "unit=ms",      "column.n=batch",       "column.c=cin",       "column.k=cout",
                             "column.r=k",  "column.s=k",   "column.pad=same",      "dtype=f32"};
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_backend_find("replay")->open(options, sizeof options / sizeof *options, &board, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(run_nth(board, "conv2d n=128 c=3 k=192 h=480 r=7 stride=2 pad=3", 1), 30.9881e6);
    cr_assert_eq(run_nth(board, "conv2d n=128 c=3 k=191 h=480 r=7 stride=2 pad=3", 1), -1);
    prf_backend_find("replay")->close(&board);
}
