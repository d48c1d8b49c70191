// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/yaml.h"

static prf_yaml_t *open_text(const char *text)
{
    prf_yaml_t *doc = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_yaml_open(&doc, text, strlen(text), "f.yaml", &err), PRF_OK, "%s", err.text);
    return doc;
}

static void expect_refusal(const char *text, size_t len, prf_status_t code, const char *begins, const char *holds)
{
    prf_yaml_t *doc = NULL;
    prf_error_t err = {0};
    cr_expect_eq(prf_yaml_open(&doc, text, len, "f.yaml", &err), code, "%.80s: %s", text, err.text);
    cr_expect_null(doc);
    cr_expect(strncmp(err.text, begins, strlen(begins)) == 0, "'%s' does not begin with '%s'", err.text, begins);
    cr_expect(strstr(err.text, holds) != NULL, "'%s' does not hold '%s'", err.text, holds);
    cr_expect_null(strchr(err.text, '\n'));
}

static void refused(const char *text, prf_status_t code, const char *begins, const char *holds)
{
    expect_refusal(text, strlen(text), code, begins, holds);
}

Test(yaml, every_node_knows_its_line_and_column)
{
    prf_yaml_t *doc = open_text("a: 1\n\nb:\n  - x\n  - {c: 2, d: [3, 4]}\n");
    const prf_yaml_node_t *root = prf_yaml_root(doc), *b = prf_yaml_get(root, "b");
    cr_expect_eq(prf_yaml_kind(root), PRF_YAML_MAP);
    cr_expect_eq(prf_yaml_count(root), 2);
    cr_expect_eq(prf_yaml_line(prf_yaml_get(root, "a")), 1);
    cr_expect_eq(prf_yaml_column(prf_yaml_get(root, "a")), 4);
    cr_assert_eq(prf_yaml_kind(b), PRF_YAML_LIST);
    const prf_yaml_node_t *second = prf_yaml_next(prf_yaml_first(b));
    cr_expect_eq(prf_yaml_line(second), 5);
    cr_expect_eq(prf_yaml_column(second), 5);
    const prf_yaml_node_t *four = prf_yaml_next(prf_yaml_first(prf_yaml_get(second, "d")));
    cr_expect_eq(prf_yaml_line(four), 5);
    cr_expect_eq(prf_yaml_column(four), 19);
    cr_expect_null(prf_yaml_next(four));
    cr_expect_str_eq(prf_yaml_key(prf_yaml_get(second, "d")), "d");
    cr_expect_null(prf_yaml_key(four));
    prf_yaml_destroy(&doc);
    cr_expect_null(doc);
}

Test(yaml, scalars_are_what_is_asked_for_or_a_clear_error)
{
    prf_yaml_t *doc = open_text("i: 12\nd: 1.5e3\nb: true\nt: \"a\\nb\"\nq: '7'\n");
    const prf_yaml_node_t *root = prf_yaml_root(doc);
    int64_t i = 0;
    double d = 0;
    bool b = false;
    const char *t = NULL;
    prf_error_t err;
    cr_expect_eq(prf_yaml_int(prf_yaml_get(root, "i"), "i", 0, 20, &i, &err), PRF_OK);
    cr_expect_eq(i, 12);
    cr_expect_eq(prf_yaml_double(prf_yaml_get(root, "d"), "d", 0, 1e4, &d, &err), PRF_OK);
    cr_expect_eq(d, 1500.0);
    cr_expect_eq(prf_yaml_bool(prf_yaml_get(root, "b"), "b", &b, &err), PRF_OK);
    cr_expect(b);
    cr_expect_eq(prf_yaml_text(prf_yaml_get(root, "t"), "t", &t, &err), PRF_OK);
    cr_expect_str_eq(t, "a\nb");
    cr_expect_eq(prf_yaml_int(prf_yaml_get(root, "i"), "budget.i", 13, 20, &i, &err), PRF_EINVAL);
    cr_expect_str_eq(err.text, "f.yaml:1: budget.i: '12': use a whole number from 13 to 20");
    cr_expect_eq(prf_yaml_int(prf_yaml_get(root, "d"), "d", 0, 9999, &i, &err), PRF_EINVAL);
    cr_expect_eq(prf_yaml_double(prf_yaml_get(root, "t"), "t", 0, 1, &d, &err), PRF_EINVAL);
    cr_expect_str_eq(err.text, "f.yaml:4: t: 'a?b': use a number from 0 to 1");
    cr_expect_eq(prf_yaml_bool(prf_yaml_get(root, "i"), "i", &b, &err), PRF_EINVAL);
    cr_expect_eq(prf_yaml_text(root, "the file", &t, &err), PRF_EINVAL);
    cr_expect_str_eq(err.text, "f.yaml:1: the file is a mapping: give a single value");
    cr_expect_eq(i, 12);
    prf_yaml_destroy(&doc);
}

Test(yaml, numbers_that_are_none_are_refused)
{
    prf_yaml_t *doc = open_text("[nan, inf, 1e999, '', 0x10, 12x, 99999999999999999999]");
    for (const prf_yaml_node_t *n = prf_yaml_first(prf_yaml_root(doc)); n; n = prf_yaml_next(n)) {
        int64_t i = 5;
        cr_expect_eq(prf_yaml_int(n, "v", INT64_MIN, INT64_MAX, &i, NULL), PRF_EINVAL, "column %u", prf_yaml_column(n));
        cr_expect_eq(i, 5);
    }
    double d = 5;
    const prf_yaml_node_t *n = prf_yaml_first(prf_yaml_root(doc));
    for (int k = 0; k < 4; k++, n = prf_yaml_next(n))
        cr_expect_eq(prf_yaml_double(n, "v", -1e308, 1e308, &d, NULL), PRF_EINVAL, "element %d", k);
    cr_expect_eq(d, 5);
    prf_yaml_destroy(&doc);
}

/* libfyaml would read the last one wrongly, and leak. */
Test(yaml, doubled_quotes_are_one_and_side_by_side_refused)
{
    prf_yaml_t *doc = open_text("['it''s', '''x''', '''']");
    const char *t = NULL, *expected[] = {"it's", "'x'", "'"};
    size_t i = 0;
    for (const prf_yaml_node_t *n = prf_yaml_first(prf_yaml_root(doc)); n; n = prf_yaml_next(n)) {
        cr_expect_eq(prf_yaml_text(n, "v", &t, NULL), PRF_OK);
        cr_expect_str_eq(t, expected[i++]);
    }
    cr_expect_eq(i, 3);
    prf_yaml_destroy(&doc);
    refused("a: 1\nb: 'x''''y'\n", PRF_EPARSE, "f.yaml:2: column 5", "double quotes");
}

Test(yaml, unknown_keys_name_the_known_ones_at_the_keys_line)
{
    static const char *const known[] = {"one", "two", NULL};
    prf_yaml_t *doc = open_text("one: 1\nthree:\n  - 1\n");
    prf_error_t err;
    cr_expect_eq(prf_yaml_only(prf_yaml_root(doc), "budget", known, &err), PRF_EINVAL);
    cr_expect_str_eq(err.text, "f.yaml:2: budget has no 'three': use one, two");
    prf_yaml_destroy(&doc);
}

Test(yaml, nothing_at_all_is_an_empty_root)
{
    static const char *const texts[] = {"", "\n\n", "# only words\n", "~\n", "---\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        prf_yaml_t *doc = open_text(texts[i]);
        cr_expect_eq(prf_yaml_kind(prf_yaml_root(doc)), PRF_YAML_EMPTY, "text %zu", i);
        prf_yaml_destroy(&doc);
    }
    prf_yaml_t *doc = open_text("a:\nb: ~\nc: null\n");
    cr_expect_null(prf_yaml_get(prf_yaml_root(doc), "a"));
    cr_expect_null(prf_yaml_get(prf_yaml_root(doc), "b"));
    cr_expect_null(prf_yaml_get(prf_yaml_root(doc), "c"));
    prf_yaml_destroy(&doc);
}

Test(yaml, faults_of_the_text_tell_their_place)
{
    refused("a: 1\nb: [1, 2\nc: 3\n", PRF_EPARSE, "f.yaml:", "not YAML");
    refused("a: 1\n  b: 2\n", PRF_EPARSE, "f.yaml:1: column 4", "not YAML");
    refused("a: 1\nb: 2\na: 3\n", PRF_EINVAL, "f.yaml:3: 'a' is given twice, first in line 1", "keep one");
    refused("a: &x [1]\nb: *x\n", PRF_EPARSE, "f.yaml:1: column", "anchors");
    refused("a: 1\nb: *x\n", PRF_EPARSE, "f.yaml:2: column", "aliases");
    refused("a: !!int 3\n", PRF_EPARSE, "f.yaml:1", "tags");
    refused("%YAML 1.2\n---\na: 1\n", PRF_EPARSE, "f.yaml:1", "directives");
    refused("\n%\xf0\x8c\x9a\x9a"
            "d:t",
            PRF_EPARSE, "f.yaml:2", "directives"); /* libfyaml would never come back */
    refused("a: 1\n---\nb: 2\n", PRF_EPARSE, "f.yaml:", "second document");
    refused("[1, 2]: 3\n", PRF_EPARSE, "f.yaml:1", "key");
    refused("{a: 1}: 3\n", PRF_EPARSE, "f.yaml:1", "key");
    refused("a: 1\nb: \xff\xfe\x80\x81", PRF_EPARSE, "f.yaml:2", "UTF-8");
    refused("\xff\xfe"
            "a: 1\n",
            PRF_EPARSE, "f.yaml:1", "UTF-8");
    expect_refusal("a: 1\0b", 6, PRF_EPARSE, "f.yaml:1", "right file");
}

Test(yaml, laughs_are_not_multiplied)
{
    refused("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", PRF_EPARSE, "f.yaml:1", "anchors");
}

Test(yaml, depth_and_number_of_values_are_limited)
{
    char deep[2001];
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    deep[2000] = '\0';
    refused(deep, PRF_EINVAL, "f.yaml:1: column 17", "16 levels");
    size_t lists = 20, each = 4000;
    char *many = malloc(lists * (each * 2 + 8));
    cr_assert_not_null(many);
    size_t used = 0;
    for (size_t i = 0; i < lists; i++) {
        many[used++] = '-';
        many[used++] = ' ';
        many[used++] = '[';
        for (size_t k = 0; k < each; k++) {
            many[used++] = '1';
            many[used++] = k + 1 < each ? ',' : ']';
        }
        many[used++] = '\n';
    }
    expect_refusal(many, used, PRF_EINVAL, "f.yaml:17", "65536");
    used = 1;
    many[0] = '[';
    for (size_t k = 0; k < 5000; k++) {
        many[used++] = '1';
        many[used++] = ',';
    }
    expect_refusal(many, used, PRF_EINVAL, "f.yaml:1", "4096");
    free(many);
}

Test(yaml, a_file_larger_than_its_limit_is_refused)
{
    prf_yaml_t *doc = NULL;
    prf_error_t err = {0};
    cr_expect_eq(prf_yaml_open_file(&doc, PRF_SOURCE_DIR "/CMakeLists.txt", 10, &err), PRF_EINVAL, "%s", err.text);
    cr_expect_eq(prf_yaml_open_file(&doc, "/nowhere/at/all.yaml", 10, &err), PRF_ENOTFOUND);
    cr_expect_null(doc);
}
