// SPDX-License-Identifier: Apache-2.0
/* What `prfarm report` leaves behind: a page that needs nothing beside it and lets nobody's text become markup, and the same story
 * as Markdown. A simulated board gives staircases and a model; another one, a script, refuses some layers with a text that would
 * like to be a program. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/support/program.h"

static const char hostile[] = "</script><script>alert(1)</script> | <b>*x*</b>";

static const char backend[] =
    "#!/bin/sh\n"
    "while read -r line; do\n"
    "    case \"$line\" in\n"
    "        *describe*) echo '{\"ok\":true,\"fingerprint\":\"odd\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"],\"exact\":true}' ;;\n"
    "        *prepare*'\"in\":3,'*|*prepare*'\"in\": 3,'*) printf '%s\\n' "
    "'{\"ok\":false,\"error\":\"</script><script>alert(1)</script> | <b>*x*</b>\"}' ;;\n"
    "        *run*) echo '{\"ok\":true,\"latency_ns\":2000}' ;;\n"
    "        *) echo '{\"ok\":true}' ;;\n"
    "    esac\n"
    "done\n";

static const char campaign[] = "campaign: told\n"
                               "boards:\n"
                               "  - {kind: vta, backend: sim, options: {board: vta}}\n"
                               "  - {kind: odd, backend: exec, options: {command: %s}}\n"
                               "layers:\n"
                               "  - kind: fc\n"
                               "    boards: [vta]\n"
                               "    params: {in: 1..512, out: 1..512}\n"
                               "    knowledge: grey\n"
                               "    candidates: {in: [8, 16], out: [8, 16]}\n"
                               "  - kind: fc\n"
                               "    boards: [odd]\n"
                               "    params: {in: [1, 2, 3, 4, 5, 6, 7, 8], out: 1..64}\n"
                               "    knowledge: white\n"
                               "    steps: {out: 8}\n"
                               "budget: {samples: 100}\n"
                               "validation: {layers: 20, repeats: 2}\n";

TestSuite(report, .init = program_setup, .fini = program_teardown);

static const char *carry_out(void)
{
    const char *command = program_file("board", backend);
    char text[sizeof campaign + PROGRAM_PATH];
    program_t run;
    cr_assert_eq(chmod(command, 0755), 0);
    snprintf(text, sizeof text, campaign, command);
    RUN(&run, "prfarm", "run", program_file("told.yaml", text), "--out", program_path("told"));
    cr_assert_eq(run.code, 0, "%s", run.err);
    program_release(&run);
    return program_path("told");
}

static char *read_all(const char *path)
{
    char *text;
    size_t len;
    prf_error_t err;
    cr_assert_eq(prf_file_read(path, 64 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    return text;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        count++;
    return count;
}

/* The data as a browser's parser would cut it out. */
static json_t *data_of(const char *page)
{
    static const char begin[] = "<script type=\"application/json\" id=\"data\">";
    const char *from = strstr(page, begin), *to = from ? strstr(from, "</script>") : NULL;
    json_error_t why;
    cr_assert(from && to, "the page has no data");
    from += sizeof begin - 1;
    json_t *data = json_loadb(from, (size_t)(to - from), 0, &why);
    cr_assert(data, "the data does not parse: %s", why.text);
    return data;
}

static bool told_as_it_was(const json_t *data)
{
    size_t i, k;
    json_t *point, *error;
    json_array_foreach(json_object_get(data, "poisoned"), i, point)
    {
        json_array_foreach(json_object_get(point, "errors"), k, error)
        {
            if (strstr(json_string_value(json_object_get(error, "error")), hostile))
                return true;
        }
    }
    return false;
}

static void check_data(const json_t *data)
{
    const json_t *summary = json_object_get(data, "summary");
    cr_expect_str_eq(json_string_value(json_object_get(summary, "campaign")), "told");
    cr_expect_eq(json_array_size(json_object_get(summary, "boards")), 2);
    const json_t *rows = json_object_get(json_object_get(data, "evaluation"), "vta");
    cr_expect_eq(json_array_size(rows), 20, "%zu validation layers", json_array_size(rows));
    const json_t *model = json_object_get(json_object_get(data, "provenance"), "vta");
    cr_expect(json_is_string(json_object_get(model, "digest")));
    cr_expect_gt(json_number_value(json_object_get(data, "began_ms")), 1e12);
    cr_expect(told_as_it_was(data), "the backend's words are not among the errors");
}

static void check_page(const char *page)
{
    static const char *const loads[] = {"src=\"http", "src='http", "href=\"http", "url(http",
                                        "url(\"http", "@import",   " src=\"",     "url(/"};
    cr_expect_eq(strncmp(page, "<!doctype html>", 15), 0);
    cr_expect(strstr(page, "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-") != NULL);
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        cr_expect_eq(count_of(page, loads[i]), 0, "the page loads something: %s", loads[i]);
    cr_expect_eq(count_of(page, "</script"), 2, "a text ended its element");
    json_t *data = data_of(page);
    check_data(data);
    json_decref(data);
}

static void check_markdown(const char *text)
{
    static const char *const parts[] = {"# Campaign told\n",
                                        "\n## What came of it\n",
                                        "\n| board | samples | MAPE |",
                                        "\n| vta | 100 |",
                                        "\n| vta | fc | in | 16 |",
                                        "steps of 16 in in of fc",
                                        "\n## Accuracy by layer kind\n",
                                        "\n## What it cost\n",
                                        "layers were given up after three failures",
                                        "    prfarm run CAMPAIGN.yaml"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect(strstr(text, parts[i]) != NULL, "'%s' is not in %s", parts[i], text);
    cr_expect_eq(count_of(text, "<"), count_of(text, "\\<"), "a text became markup");
    cr_expect(strstr(text, "\\</script\\>\\<script\\>alert(1)\\</script\\> \\| \\<b\\>\\*x\\*\\</b\\>") != NULL, "%s", text);
}

Test(report, is_one_file_that_loads_nothing_and_keeps_peers_words_words)
{
    const char *dir = carry_out(), *page = program_path("page.html"), *notes = program_path("notes.md");
    program_t html, md;
    RUN(&md, "prfarm", "report", dir, "-o", notes);
    cr_assert_eq(md.code, 0, "%s", md.err);
    char *text = read_all(notes);
    check_markdown(text);
    free(text);
    RUN(&html, "prfarm", "report", "--dir", dir, "told", "--out", page);
    if (html.code == prf_exit_code(PRF_EUNSUPPORTED)) {
        cr_expect(strstr(html.err, "use --format md") != NULL, "%s", html.err);
        fprintf(stderr, "SKIPPED: the report's page: this prfarm was built without npm\n");
    } else {
        cr_assert_eq(html.code, 0, "%s", html.err);
        text = read_all(page);
        check_page(text);
        free(text);
    }
    FAILS(4, "no campaign is named 'another'", "prfarm", "report", dir, "another", "--format", "md");
    program_release(&md);
    program_release(&html);
}

Test(report, that_cannot_be_made_leaves_what_was_there)
{
    const char *kept = program_file("kept.md", "mine\n");
    FAILS(4, "nowhere", "prfarm", "report", program_path("nowhere"), "--out", kept);
    char *text = read_all(kept);
    cr_expect_str_eq(text, "mine\n");
    free(text);
    FAILS(2, "use html or md", "prfarm", "report", program_path("nowhere"), "--format", "pdf");
    FAILS(3, program_dir, "prfarm", "report", program_path("nowhere"), "--out", program_dir);
    FAILS(2, "alone where --farm or --dir is given", "prfarm", "report", "--dir", "a", "b", "c");
}
