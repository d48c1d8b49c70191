// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/csv.h"

static char path[64];

static void make_path(void)
{
    snprintf(path, sizeof path, "/tmp/prf-csv-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_path(void)
{
    unlink(path);
}

TestSuite(csv, .init = make_path, .fini = remove_path);

static void write_bytes(const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
}

static void refuses(const void *bytes, size_t len, const char *because)
{
    write_bytes(bytes, len);
    prf_csv_t *csv = NULL;
    prf_error_t err = {0};
    bool more = true;
    prf_status_t status = prf_csv_open(&csv, path, &err);
    while (!status && more)
        status = prf_csv_next(csv, &more, &err);
    cr_assert(status, "accepted; expected '%s'", because);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
    prf_csv_close(&csv);
}

static void check_two_rows(void)
{
    prf_csv_t *csv = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_csv_open(&csv, path, &err), PRF_OK, "%s", err.text);
    size_t b = 0;
    double x = 0;
    bool more = false;
    cr_assert_eq(prf_csv_columns(csv), 3);
    cr_assert_eq(prf_csv_find(csv, "b c", &b, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_csv_find(csv, "d", &b, &err), PRF_ENOTFOUND);
    cr_assert(strstr(err.text, "no column 'd': use one of a, b c, e"), "%s", err.text);
    cr_assert_eq(prf_csv_next(csv, &more, &err), PRF_OK, "%s", err.text);
    cr_assert(more);
    cr_assert_str_eq(prf_csv_field(csv, b), "say \"1,5\"");
    cr_assert_eq(prf_csv_number(csv, 0, &x, &err), PRF_OK);
    cr_assert_eq(x, 1.5);
    cr_assert_eq(prf_csv_number(csv, b, &x, &err), PRF_EPARSE);
    cr_assert(strstr(err.text, ":2: b c: 'say \"1,5\"' is no number"), "%s", err.text);
    cr_assert_eq(prf_csv_next(csv, &more, &err), PRF_OK, "%s", err.text);
    cr_assert(more);
    cr_assert_str_eq(prf_csv_field(csv, 2), "");
    cr_assert_eq(prf_csv_next(csv, &more, &err), PRF_OK, "%s", err.text);
    cr_assert(!more);
    prf_csv_close(&csv);
}

static const char two_rows[] = "a,\"b c\",e\r\n1.5,\"say \"\"1,5\"\"\",x\n\n2,y,";

Test(csv, rows_are_read_with_quotes_blank_lines_and_without_a_last_newline)
{
    write_bytes(two_rows, sizeof two_rows - 1);
    check_two_rows();
}

Test(csv, gzipped_tables_read_the_same)
{
    gzFile f = gzopen(path, "wb");
    cr_assert(f && gzwrite(f, two_rows, sizeof two_rows - 1) > 0 && gzclose(f) == Z_OK);
    check_two_rows();
}

Test(csv, a_table_longer_than_the_buffer_keeps_every_row)
{
    FILE *f = fopen(path, "wb");
    fputs("i,text\n", f);
    enum { ROWS = 50000 };
    for (int i = 0; i < ROWS; i++)
        fprintf(f, "%d,%0*d\n", i, i % 40 + 1, 7);
    cr_assert_eq(fclose(f), 0);
    prf_csv_t *csv = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_csv_open(&csv, path, &err), PRF_OK);
    bool more = true;
    for (int i = 0; i < ROWS; i++) {
        double x = -1;
        cr_assert_eq(prf_csv_next(csv, &more, &err), PRF_OK, "%s", err.text);
        cr_assert(more && prf_csv_number(csv, 0, &x, &err) == PRF_OK && x == i);
        cr_assert_eq(strlen(prf_csv_field(csv, 1)), (size_t)(i % 40 + 1));
    }
    cr_assert(prf_csv_next(csv, &more, &err) == PRF_OK && !more);
    prf_csv_close(&csv);
}

Test(csv, damaged_tables_are_refused_with_file_and_line)
{
    refuses("", 0, "first line must name the columns");
    refuses("a,b\n1\n", 6, ":2: 1 fields, but the header names 2 columns");
    refuses("a,b\n1,2\n\n1,2,3\n", 15, ":4: 3 fields");
    refuses("a,a\n", 4, "two columns are called 'a'");
    refuses("a,b\n1,\"2\n", 9, "quote that is not closed");
    refuses("a,b\n1,\"2\"3\n", 11, "quote that is not closed");
    refuses("a\0,b\n", 5, "a zero byte");
    static char wide[PRF_CSV_LINE + 100];
    memset(wide, 'x', sizeof wide);
    refuses(wide, sizeof wide, "a line of more than");
    memset(wide, ',', 1000);
    refuses(wide, 1000, "more than 256 columns");
}

Test(csv, a_cut_off_gzip_stream_is_refused)
{
    gzFile f = gzopen(path, "wb");
    gzprintf(f, "a\n");
    for (int i = 0; i < 20000; i++)
        gzprintf(f, "%d\n", i * 7919 % 10007);
    gzclose(f);
    static char bytes[100000];
    FILE *in = fopen(path, "rb");
    size_t len = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    cr_assert_gt(len, 1000);
    refuses(bytes, len / 2, "cannot be read to its end");
}

Test(csv, a_missing_file_is_not_found)
{
    prf_csv_t *csv = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_csv_open(&csv, "/nowhere/at/all.csv", &err), PRF_ENOTFOUND);
    cr_assert_null(csv);
}
