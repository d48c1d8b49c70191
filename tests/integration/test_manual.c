// SPDX-License-Identifier: Apache-2.0
/* What prfarm tells about itself: help, manual pages, the manual and what shells complete come from one declaration, so they hold
 * the same; and slips of the pen are answered with what was meant. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/program.h"
#include "tests/support/screen.h"

enum { COMMANDS = 64 };

TestSuite(manual, .init = program_setup, .fini = program_teardown);

/* A page that prfarm has: of a command, or of one below it. Owned. */
typedef struct {
    char *above, *name; /* NULL, "run"; "fleet", "slurm" */
} page_t;

/* The names that `prfarm --complete ''` tells, and those below `fleet`. */
static size_t list_pages(page_t pages[COMMANDS])
{
    static const char *const asked[][5] = {{"prfarm", "--complete", ""}, {"prfarm", "--complete", "fleet", ""}};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        program_t p;
        program_run(&p, asked[i]);
        cr_assert_eq(p.code, 0);
        for (const char *line = prf_text_get(&p.out); *line; line += strcspn(line, "\n") + 1) {
            cr_assert(count < COMMANDS);
            pages[count] = (page_t){i ? strdup(asked[i][2]) : NULL, strndup(line, strcspn(line, "\t\n"))};
            cr_assert_not_null(pages[count++].name);
        }
        program_release(&p);
    }
    cr_assert(count > 20);
    return count;
}

static char *printed(const char *const *words)
{
    program_t p;
    program_run(&p, words);
    cr_assert_eq(p.code, 0, "%s", p.err);
    char *text = strdup(prf_text_get(&p.out));
    cr_assert_not_null(text);
    program_release(&p);
    return text;
}
/* What `prfarm COMMAND form` prints. */
static char *printed_page(const page_t *page, const char *form)
{
    const char *words[] = {"prfarm", page->above ? page->above : page->name, page->above ? page->name : form,
                           page->above ? form : NULL, NULL};
    return printed(words);
}

static void page_release(page_t *page)
{
    free(page->above);
    free(page->name);
}

#define PRINTED(...) printed((const char *const[]){__VA_ARGS__, NULL})

static char *read_source(const char *path)
{
    char full[PROGRAM_PATH], *text;
    size_t len;
    prf_error_t err;
    snprintf(full, sizeof full, "%s/%s", PRF_SOURCE_DIR, path);
    cr_assert_eq(prf_file_read(full, 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    return text;
}

/* docs/manual/prfarm.md has, word for word, what each command tells of itself; `docs/manual/update` brings it there. */
Test(manual, the_written_manual_says_what_the_commands_say)
{
    page_t pages[COMMANDS];
    char *manual = read_source("docs/manual/prfarm.md");
    size_t count = list_pages(pages), sections = 0;
    for (size_t i = 0; i < count; i++) {
        char *section = printed_page(&pages[i], "--help=markdown");
        cr_expect_not_null(strstr(manual, section), "docs/manual/prfarm.md lacks this; run docs/manual/update:\n%s", section);
        free(section);
        page_release(&pages[i]);
    }
    for (const char *at = manual; (at = strstr(at, "\n### prfarm ")); at++)
        sections++;
    cr_expect_eq(sections, count, "%zu sections for %zu commands", sections, count);
    free(manual);
}

Test(manual, exit_codes_are_those_of_the_document)
{
    char *document = read_source("docs/manual/exit-codes.md");
    for (prf_status_t s = PRF_OK; s < PRF_STATUS_COUNT; s++) {
        char row[32];
        snprintf(row, sizeof row, "\n| %d | ", prf_exit_code(s));
        const char *line = strstr(document, row);
        cr_assert_not_null(line, "exit code %d of '%s' is not in exit-codes.md", prf_exit_code(s), prf_status_name(s));
        char names[256];
        snprintf(names, sizeof names, "%.*s", (int)strcspn(line + strlen(row), "|"), line + strlen(row));
        cr_expect_not_null(strstr(names, prf_status_name(s)), "%s is not among '%s'", prf_status_name(s), names);
    }
    free(document);
}

static void check_page(const char *page)
{
    program_t p;
    static bool groff, mandoc, looked;
    if (!looked) {
        groff = program_there("groff", "groff");
        mandoc = program_there("mandoc", "mandoc");
        looked = true;
    }
    const char *file = program_file("page.1", page);
    if (groff) {
        RUN(&p, "groff", "-man", "-ww", "-z", "-Tutf8", file);
        cr_expect(p.code == 0 && !p.err[0], "%s\n%s", p.err, page);
        program_release(&p);
    }
    if (mandoc) {
        RUN(&p, "mandoc", "-Tlint", "-Wwarning", file);
        cr_expect(p.code == 0 && !*prf_text_get(&p.out), "%s\n%s", prf_text_get(&p.out), page);
        program_release(&p);
    }
}

/* Every option that --help shows is in the page, and nothing that roff complains about. */
Test(manual, manual_pages_are_clean_and_whole)
{
    page_t pages[COMMANDS];
    size_t count = list_pages(pages);
    static const char *const programs[] = {"prfarm", "prfarm-coordinator", "prfarm-worker", "prfarm-relay"};
    for (size_t i = 0; i < count; i++) {
        char *page = printed_page(&pages[i], "--help=man"), title[64];
        snprintf(title, sizeof title, ".TH PRFARM-%s%s%s 1 ", pages[i].above ? pages[i].above : "", pages[i].above ? "-" : "",
                 pages[i].name);
        for (char *c = title; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        cr_expect(strncmp(page, title, strlen(title)) == 0, "%s", page);
        check_page(page);
        free(page);
        page_release(&pages[i]);
    }
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char *page = PRINTED(programs[i], "--help=man"), *help = PRINTED(programs[i], "--help");
        check_page(page);
        cr_expect_not_null(strstr(page, ".SH EXIT STATUS"));
        for (const char *at = help; (at = strstr(at, "\n  --")); at++) {
            char option[64] = "\\fB\\-\\-";
            size_t used = strlen(option);
            for (const char *c = at + 5; isalnum((unsigned char)*c) || *c == '-'; c++)
                used += (size_t)snprintf(option + used, sizeof option - used, "%s%c", *c == '-' ? "\\" : "", *c);
            cr_expect_not_null(strstr(page, option), "%s: %s is not in the page", programs[i], option);
        }
        free(page);
        free(help);
    }
}

/* What the build installs is what the programs print. */
Test(manual, pages_are_built)
{
    char *page = PRINTED("prfarm", "run", "--help=man"), *built, path[PROGRAM_PATH];
    size_t len;
    prf_error_t err;
    snprintf(path, sizeof path, "%s/../man/prfarm-run.1", PRF_BIN_DIR);
    cr_assert_eq(prf_file_read(path, 1 << 20, &built, &len, &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(page, built);
    free(page);
    free(built);
}

Test(manual, slips_of_the_pen_are_answered_with_what_was_meant)
{
    FAILS(2, "did you mean 'prfarm status'?", "prfarm", "staus");
    FAILS(2, "did you mean 'prfarm estimate'?", "prfarm", "est");
    FAILS(2, "did you mean --json?", "prfarm", "status", "--jsno");
    FAILS(2, "did you mean --dir?", "prfarm", "status", "--dri", "x");
    FAILS(2, "options are written out, as in --out", "prfarm", "run", "-o", "x");
    FAILS(2, "options are written out, as in --json", "prfarm", "status", "-json");
    FAILS(2, "did you mean --backend?", "prfarm-worker", "--bakend", "sim");
    FAILS(2, "did you mean --store?", "prfarm-coordinator", "--stor", "x");
    FAILS(2, "did you mean --version?", "prfarm-worker", "--versoin");
    FAILS(2, "there is no command 'frobnicate'; the commands are", "prfarm", "frobnicate");
    FAILS(2, "did you mean 'model explain'?", "prfarm", "model", "explian", "x");
    FAILS(2, "did you mean 'prfarm fleet slurm'?", "prfarm", "fleet", "slrum");
    FAILS(2, "give it with --model, as in prfarm estimate --model a.prfm net.onnx", "prfarm", "estimate", "a.prfm", "net.onnx");
    FAILS(2, "one network at a time", "prfarm", "estimate", "a.onnx", "b.onnx", "--model", "m");
    FAILS(2, "use --help, --help=man", "prfarm", "run", "--help=html");
}

/* Colours are for terminals whose person wants them. */
Test(manual, errors_are_coloured_on_terminals_only)
{
    static const char *const words[] = {"prfarm", "staus", NULL};
    screen_t s;
    screen_start(&s, 24, 80, NULL, words);
    cr_expect_eq(screen_finish(&s), 2);
    cr_expect_not_null(strstr(s.log, "\033[1;31mprfarm:\033[0m there is no command"), "%s", s.log);
    screen_release(&s);
    screen_start(&s, 24, 80, (const char *const[]){"NO_COLOR=1", NULL}, words);
    cr_expect_eq(screen_finish(&s), 2);
    cr_expect_null(strchr(s.log, '\033'), "%s", s.log);
    screen_release(&s);
    FAILS(2, "prfarm: there is no command 'staus'", "prfarm", "staus");
}

static void expect_candidates(const char *wanted, const char *const *words)
{
    char *told = printed(words);
    cr_expect(strncmp(told, wanted, strlen(wanted)) == 0 && (*wanted || !*told), "'%s' is not '%s'", told, wanted);
    free(told);
}
#define CANDIDATES(wanted, ...) expect_candidates(wanted, (const char *const[]){__VA_ARGS__, NULL})

Test(manual, the_program_says_what_can_stand_where)
{
    CANDIDATES("estimate\testimate a network", "prfarm", "--complete", "est");
    CANDIDATES("status\thow far", "prfarm", "--complete", "help", "st");
    CANDIDATES("", "prfarm", "--complete", "nonsense", "");
    CANDIDATES(":file .yaml\n", "prfarm", "--complete", "run", "");
    CANDIDATES(":folder\n", "prfarm", "--complete", "run", "x.yaml", "--out", "");
    CANDIDATES("--json\tprint", "prfarm", "--complete", "status", "--json");
    CANDIDATES("", "prfarm", "--complete", "status", "--json", "--js");
    CANDIDATES("f16\n", "prfarm", "--complete", "estimate", "--dtype", "f1");
    CANDIDATES("--dtype=f16\n", "prfarm", "--complete", "estimate", "--dtype=f1");
    CANDIDATES("f16\n", "prfarm", "--complete", "estimate", "--dtype", "=", "f1");
    CANDIDATES(":file .prfm\n", "prfarm", "--complete", "estimate", "--model", "");
    CANDIDATES("show\nexplain\n", "prfarm", "--complete", "model", "");
    CANDIDATES(":file .prfm\n", "prfarm", "--complete", "model", "show", "");
    CANDIDATES("slurm\tkeep", "prfarm", "--complete", "fleet", "sl");
    CANDIDATES(":file .yaml\n", "prfarm", "--complete", "fleet", "slurm", "");
    CANDIDATES("--backend\thow", "prfarm-worker", "--complete", "--ba");
    CANDIDATES("onednn\nsim\n", "prfarm-worker", "--complete", "--backend", "");
    CANDIDATES("warn\n", "prfarm-coordinator", "--complete", "--log", "w");
}

/* The shells themselves, with the installed scripts: what a person gets who presses TAB. */
Test(manual, bash_completes)
{
    if (!program_there("bash", "bash"))
        cr_skip_test();
    program_file("one.yaml", "");
    program_file("two.onnx", "");
    const char *script = program_file(
        "try.bash",
        "set -u\nPATH=$1:$PATH\ncd \"$2\"\nsource <(prfarm completion bash)\n"
        "complete -p prfarm prfarm-worker\n"
        "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _prfarm \"$1\"; echo \"${COMPREPLY[*]}\"; }\n"
        "try prfarm est\ntry prfarm run ''\ntry prfarm estimate --dtype = f1\ntry prfarm status --js\n"
        "try prfarm run one.yaml --out ''\nmkdir folder\ntry prfarm run one.yaml --out f\ntry prfarm-worker --backend o\n");
    program_t p;
    RUN(&p, "bash", "--norc", script, PRF_BIN_DIR, program_dir);
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_str_eq(prf_text_get(&p.out),
                     "complete -F _prfarm prfarm\ncomplete -F _prfarm prfarm-worker\nestimate\none.yaml\nf16\n"
                     "--json\n\nfolder\nonednn\n");
    program_release(&p);
}

Test(manual, zsh_takes_its_script)
{
    if (!program_there("zsh", "zsh"))
        cr_skip_test();
    char *text = PRINTED("prfarm", "completion", "zsh");
    const char *script = program_file("prfarm.zsh", text);
    program_t p;
    RUN(&p, "zsh", "-f", "-n", script);
    cr_expect(p.code == 0 && !p.err[0], "%s", p.err);
    program_release(&p);
    const char *load = program_file("load.zsh", "autoload -Uz compinit && compinit -D -u\nsource $1\n"
                                                "[[ $_comps[prfarm] == _prfarm && $_comps[prfarm-worker] == _prfarm ]]\n");
    RUN(&p, "zsh", "-f", load, script);
    cr_expect(p.code == 0 && !p.err[0], "%d %s", p.code, p.err);
    program_release(&p);
    free(text);
}

Test(manual, fish_completes)
{
    if (!program_there("fish", "fish"))
        cr_skip_test();
    const char *script = program_file("try.fish", "set -x PATH $argv[1] $PATH\ncd $argv[2]\nprfarm completion fish | source\n"
                                                  "complete -C 'prfarm estim'\ncomplete -C 'prfarm-worker --backend o'\n"
                                                  "complete -C 'prfarm run o'\n");
    program_file("one.yaml", "");
    program_file("one.onnx", "");
    char home[PROGRAM_PATH + 8];
    snprintf(home, sizeof home, "HOME=%s", program_dir);
    program_t p;
    RUN(&p, "env", home, "fish", "--no-config", script, PRF_BIN_DIR, program_dir);
    cr_assert_eq(p.code, 0, "%s", p.err);
    const char *out = prf_text_get(&p.out);
    cr_expect_not_null(strstr(out, "estimate\testimate a network"), "%s", out);
    cr_expect_not_null(strstr(out, "onednn"), "%s", out);
    cr_expect_not_null(strstr(out, "one.yaml"), "%s", out);
    program_release(&p);
}
