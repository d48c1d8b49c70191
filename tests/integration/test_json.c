// SPDX-License-Identifier: Apache-2.0
/* docs/manual/json.md tells what every command prints with --json: each member of what they print here must stand there, with its
 * type, and each that stands there must come, unless it is said to be optional. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"
#include "tests/support/program.h"

#define NET PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx"

enum { ROWS = 1024, FIELD = 128 };

/* A row of the document: "boards[].kind" is text. */
typedef struct {
    char section[40], path[FIELD], type[64];
    bool seen;
} row_t;

static row_t rows[ROWS];
static size_t row_count;
static farm_t farm;

/* Cells of "| `a` | b | c |", without the blanks and backquotes around them. False: no such line. */
static bool cells(const char *line, char out[2][FIELD])
{
    if (strncmp(line, "| `", 3) != 0)
        return false;
    const char *end = strchr(line + 3, '`'), *type = end ? strchr(end, '|') : NULL;
    const char *last = type ? strchr(type + 1, '|') : NULL;
    if (!last)
        return false;
    snprintf(out[0], FIELD, "%.*s", (int)(end - line - 3), line + 3);
    snprintf(out[1], FIELD, "%.*s", (int)(last - type - 3), type + 2);
    return true;
}

static void read_document(void)
{
    char *text, *rest = NULL, section[40] = "";
    size_t len;
    prf_error_t err;
    cr_assert_eq(prf_file_read(PRF_SOURCE_DIR "/docs/manual/json.md", 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char cell[2][FIELD];
        if (strncmp(line, "## prfarm ", 10) == 0)
            snprintf(section, sizeof section, "%s", line + 10);
        else if (strncmp(line, "## ", 3) == 0)
            section[0] = '\0';
        else if (section[0] && cells(line, cell)) {
            cr_assert(row_count < ROWS);
            row_t *row = &rows[row_count++];
            memcpy(row->section, section, sizeof row->section);
            memcpy(row->path, cell[0], sizeof row->path);
            snprintf(row->type, sizeof row->type, "%s", cell[1]);
        }
    }
    free(text);
    cr_assert(row_count > 200, "only %zu fields are documented", row_count);
}

static row_t *find(const char *section, const char *path)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].path, path) == 0)
            return &rows[i];
    return NULL;
}

/* "list of text or null, optional": whether the value is of it. `end`: where the name of the type ends. */
static bool is_of(const json_t *value, const char *type)
{
    if (json_is_null(value))
        return strstr(type, "or null") != NULL;
    if (strncmp(type, "list of ", 8) == 0) {
        size_t i;
        json_t *item;
        json_array_foreach(value, i, item)
        {
            if (!is_of(item, type + 8))
                return false;
        }
        return json_is_array(value);
    }
    size_t len = strcspn(type, " ,");
    return (strncmp(type, "text", len) == 0 && json_is_string(value)) ||
           (strncmp(type, "integer", len) == 0 && json_is_integer(value)) ||
           (strncmp(type, "number", len) == 0 && json_is_number(value)) ||
           (strncmp(type, "boolean", len) == 0 && json_is_boolean(value)) ||
           (strncmp(type, "list", len) == 0 && json_is_array(value)) ||
           ((strncmp(type, "object", len) == 0 || strncmp(type, "map", len) == 0) && json_is_object(value));
}

static void check(const char *section, const char *path, const json_t *value);

static void check_member(const char *section, const char *at, const char *key, const json_t *value)
{
    char path[2 * FIELD];
    const char *dot = *at ? "." : "";
    snprintf(path, sizeof path, "%s%s%s", at, dot, key);
    row_t *row = find(section, path);
    if (!row) {
        snprintf(path, sizeof path, "%s%s*", at, dot);
        row = find(section, path);
    }
    cr_expect_not_null(row, "json.md, prfarm %s: '%s%s%s' is not documented", section, at, dot, key);
    if (!row)
        return;
    row->seen = true;
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    cr_expect(is_of(value, row->type), "json.md, prfarm %s: '%s' is '%s' there, and %.80s here", section, path, row->type, shown);
    free(shown);
    if (strncmp(row->type, "list of", 7) != 0)
        check(section, path, value);
}

static void check(const char *section, const char *path, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    char inside[2 * FIELD];
    snprintf(inside, sizeof inside, "%s[]", path);
    json_object_foreach((json_t *)value, key, item)
    {
        check_member(section, path, key, item);
    }
    json_array_foreach(value, i, item)
    {
        check(section, inside, item);
    }
}

/* Runs `prfarm WORD... --json`; what it prints is of that section. The exit code may be any: a verdict is an answer, too. */
static void told(const char *section, const char *const *words)
{
    const char *argv[40] = {"prfarm"};
    size_t count = 1;
    while (*words)
        argv[count++] = *words++;
    argv[count++] = "--json";
    program_t p;
    program_run(&p, argv);
    const char *out = prf_text_get(&p.out);
    cr_assert(*out, "prfarm %s printed nothing: %s", section, p.err);
    json_error_t error;
    for (size_t used = 0; out[used]; used += (size_t)error.position) { /* `export` prints one document a line */
        while (out[used] == '\n')
            used++;
        if (!out[used])
            break;
        json_t *document = json_loads(out + used, JSON_DISABLE_EOF_CHECK, &error);
        cr_assert_not_null(document, "prfarm %s: %s: %.200s", section, error.text, out);
        check(section, "", document);
        json_decref(document);
    }
    program_release(&p);
}
#define TOLD(section, ...) told(section, (const char *const[]){__VA_ARGS__, NULL})

static void setup(void)
{
    program_setup();
    read_document();
    const char *hooks = program_file("hooks.yaml", "- boards: '*'\n  command: [/bin/true]\n");
    farm_start(&farm, (const char *const[]){"--hooks", hooks, NULL});
}

static void teardown(void)
{
    farm_stop(&farm);
    program_teardown();
}

TestSuite(json, .init = setup, .fini = teardown);

static void without_a_farm(void)
{
    char text[1024];
    snprintf(text, sizeof text,
             "campaign: told\n"
             "boards:\n  - {kind: npu, backend: sim, options: {board: zcu102, activation_ns: 500, between_ns: 700}}\n"
             "layers:\n"
             "  - {kind: conv1d, params: {c: 16..48, k: 16..48, w: [13, 26, 51, 101], f: [1, 3, 9], stride: [1, 2], pad: f/2}}\n"
             "  - {kind: fc, params: {in: 16..64, out: 8..64}}\n"
             "budget: {samples: 200}\nvalidation: {layers: 20, repeats: 2}\nnetworks: [%s]\n",
             NET);
    const char *out = program_path("out"), *model = program_path("out/models/npu.prfm"), *csv = program_path("rows.csv");
    TOLD("init", "init", program_path("i.yaml"), "--board", "sim:zcu102", "--network", NET);
    TOLD("run", "run", program_file("told.yaml", text), "--out", out);
    TOLD("estimate", "estimate", "--model", model, NET);
    TOLD("measure", "measure", NET, "--board", "z", "--backend", "sim", "--option", "board=zcu102");
    TOLD("compare", "compare", NET, "--model", model, "--model", model);
    TOLD("diff", "diff", model, model, "--network", NET);
    TOLD("fleet ssh", "fleet", "ssh",
         program_file("boards.yaml", "fleet: lab\nfarm: tcp://10.0.0.1:7700\nfrom: .\n"
                                     "hosts: [{host: 127.0.0.1, port: 1, kind: npu, backend: sim}]\n"));
    TOLD("model show", "model", "show", model);
    TOLD("model explain", "model", "explain", model);
    TOLD("model list", "model", "list", "--dir", out);
    TOLD("export", "export", "--dir", out);
    program_t p;
    RUN(&p, "prfarm", "export", "--dir", out, "--out", csv);
    program_release(&p);
    TOLD("train", "train", csv, "--spec",
         program_file("spec.yaml", "board: t\nlayer: fc\ndtype: f32\nwhere: {layer: fc}\ncolumns: {n: n, in: in, out: out}\n"
                                   "latency: {column: latency_ns, unit: ns}\nsplit: {test: 0.2, seed: 1}\n"));
    TOLD("keygen", "keygen", "me", "--out", program_dir);
    TOLD("backup", "backup", "--dir", out, program_path("backup"));
    TOLD("fsck", "fsck", "--dir", out, "--salvage", program_path("salvaged"));
    TOLD("doctor", "doctor", "--dir", program_dir);
}

static const char one[] = "campaign: one\nboards:\n  - {kind: npu}\nlayers:\n"
                          "  - {kind: fc, params: {in: 1..64, out: 1..64}, knowledge: white, steps: {in: 16}}\n"
                          "budget: {samples: 20}\nvalidation: {layers: 8, repeats: 1}\nbaseline: false\n";
static const char bad[] = "campaign: bad\nboards:\n  - {kind: bad}\nlayers:\n"
                          "  - {kind: fc, params: {in: 1..4, out: 1}, knowledge: white, steps: {in: 2}}\n"
                          "budget: {samples: 8}\nvalidation: {layers: 2, repeats: 1}\nbaseline: false\n";

/* The points of a campaign whose board always crashes are given up in the end. */
static void await_poisoned(const char *campaign)
{
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    size_t count = 0;
    while (!count && prf_clock_mono_ms() < deadline) {
        json_t *answer = farm_ask(&farm, "poisoned", json_pack("{s:s}", "campaign", campaign));
        count = json_array_size(json_object_get(answer, "points"));
        json_decref(answer);
    }
    cr_assert(count, "nothing was given up");
}

static void with_a_farm(void)
{
    const char *first = program_file("one.yaml", one), *second = program_file("bad.yaml", bad);
    TOLD("submit", "submit", first, "--farm", farm.name);
    TOLD("submit", "submit", first, "--update", "--farm", farm.name);
    TOLD("pause", "pause", "one", "--farm", farm.name);
    TOLD("resume", "resume", "one", "--farm", farm.name);
    farm_add_worker(&farm, "n1", "npu", "zcu102", NULL);
    TOLD("run", "watch", "one", "--farm", farm.name);
    TOLD("refresh", "refresh", "one", "--farm", farm.name);
    TOLD("run", "watch", "one", "--farm", farm.name);
    TOLD("status", "status", "--farm", farm.name);
    TOLD("rollback", "rollback", "npu", "1", "--farm", farm.name);
    TOLD("estimate", "estimate", "--board", "npu", "--layer", "fc in=9 out=9", "--farm", farm.name);
    TOLD("boards", "boards", "--farm", farm.name);
    TOLD("quarantine", "quarantine", "n1", "--why", "a test", "--farm", farm.name);
    TOLD("boards", "boards", "--farm", farm.name);
    TOLD("release", "release", "n1", "--farm", farm.name);
    farm_add_worker(&farm, "n2", "bad", "zcu102", "crash=1");
    TOLD("submit", "submit", second, "--farm", farm.name);
    await_poisoned("bad");
    TOLD("poisoned", "poisoned", "bad", "--farm", farm.name);
    TOLD("retry", "retry", "bad", "--farm", farm.name);
    TOLD("cancel", "cancel", "bad", "--farm", farm.name);
    TOLD("power-cycle", "power-cycle", "n2", "--farm", farm.name);
    TOLD("events", "events", "--farm", farm.name);
}

/* Whatever takes --json has a section. */
Test(json, every_command_that_prints_json_is_documented)
{
    program_t commands, help;
    RUN(&commands, "prfarm", "--complete", "");
    for (const char *line = prf_text_get(&commands.out); *line; line += strcspn(line, "\n") + 1) {
        char name[40];
        bool documented = false;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\t\n"), line);
        RUN(&help, "prfarm", name, "--help");
        for (size_t i = 0; i < row_count; i++)
            documented =
                documented || (strncmp(rows[i].section, name, strlen(name)) == 0 && strchr(" ", rows[i].section[strlen(name)]));
        bool prints = strstr(prf_text_get(&help.out), "--json") && strcmp(name, "watch") != 0; /* that is the summary, as of run */
        prints = prints || strcmp(name, "fleet") == 0;                                         /* those below it do */
        cr_expect_eq(documented, prints, "prfarm %s is %s in json.md", name, documented ? "needless" : "missing");
        program_release(&help);
    }
    program_release(&commands);
}

Test(json, every_command_prints_what_is_documented)
{
    without_a_farm();
    with_a_farm();
    for (size_t i = 0; i < row_count; i++)
        cr_expect(rows[i].seen || strstr(rows[i].type, "optional"), "json.md, prfarm %s: nobody prints '%s'", rows[i].section,
                  rows[i].path);
}
