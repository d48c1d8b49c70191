// SPDX-License-Identifier: Apache-2.0
#define _XOPEN_SOURCE 700 /* nftw */
#include "program.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

char program_dir[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info, (void)type, (void)where;
    return remove(path);
}

void program_setup(void)
{
    snprintf(program_dir, sizeof program_dir, "/tmp/prfarm-test-XXXXXX");
    cr_assert_not_null(mkdtemp(program_dir));
}

void program_teardown(void)
{
    nftw(program_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *program_path(const char *name)
{
    static char paths[64][PROGRAM_PATH];
    static size_t used;
    char path[PROGRAM_PATH];
    snprintf(path, sizeof path, "%s/%s", program_dir, name);
    for (size_t i = 0; i < used; i++)
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    cr_assert(used < sizeof paths / sizeof *paths);
    return memcpy(paths[used++], path, PROGRAM_PATH);
}

const char *program_file(const char *name, const char *text)
{
    const char *path = program_path(name);
    prf_error_t err;
    cr_assert_eq(prf_file_write(path, text, strlen(text), &err), PRF_OK, "%s", err.text);
    return path;
}

/* Ours are beside one another; anything else is the system's. */
static const char *locate(const char *name, char path[PROGRAM_PATH])
{
    if (strncmp(name, "prfarm", 6) != 0)
        return name;
    snprintf(path, PROGRAM_PATH, "%s/%s", PRF_BIN_DIR, name);
    return path;
}

void program_launch(program_t *p, const char *const *words)
{
    enum { WORDS = 64 };
    static int serial;
    const char *argv[WORDS];
    char path[PROGRAM_PATH];
    size_t count = 0;
    for (; words[count]; count++) {
        cr_assert(count + 1 < WORDS);
        argv[count] = words[count];
    }
    argv[0] = locate(words[0], path);
    argv[count] = NULL;
    *p = (program_t){.code = 0};
    prf_text_init(&p->out);
    snprintf(p->errors, sizeof p->errors, "%s/stderr-%d", program_dir, serial++);
    prf_error_t err;
    const prf_process_options_t options = {.pipes = true, .log = p->errors};
    cr_assert_eq(prf_process_start(&p->process, argv, &options, &err), PRF_OK, "%s", err.text);
}

void program_finish(program_t *p)
{
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    char piece[4096];
    ssize_t n;
    while ((n = read(p->process.out, piece, sizeof piece)) != 0) {
        if (n > 0)
            prf_text_append(&p->out, piece, (size_t)n);
        cr_assert(prf_clock_mono_ms() < deadline, "it did not end in time; standard error is in %s", p->errors);
    }
    int status = 0;
    while (!prf_process_ended(&p->process, &status)) {
        cr_assert(prf_clock_mono_ms() < deadline, "it did not end in time");
        poll(NULL, 0, 1);
    }
    prf_process_stop(&p->process, 0);
    p->code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    size_t len;
    cr_assert_eq(prf_file_read(p->errors, 1 << 20, &p->err, &len, NULL), PRF_OK);
}

void program_release(program_t *p)
{
    prf_text_release(&p->out);
    free(p->err);
}

void program_run(program_t *p, const char *const *words)
{
    program_launch(p, words);
    program_finish(p);
}

json_t *program_json(const char *const *words)
{
    program_t p;
    program_run(&p, words);
    cr_assert_eq(p.code, 0, "%s %s: exit code %d: %s", words[0], words[1], p.code, p.err);
    json_error_t error;
    json_t *json = json_loads(prf_text_get(&p.out), 0, &error);
    cr_assert_not_null(json, "%s: %s", error.text, prf_text_get(&p.out));
    program_release(&p);
    return json;
}

bool program_there(const char *name, const char *package)
{
    const char *path = getenv("PATH");
    char file[PROGRAM_PATH];
    for (path = path ? path : ""; *path;) {
        size_t len = strcspn(path, ":");
        snprintf(file, sizeof file, "%.*s/%s", (int)len, path, name);
        if (access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    fprintf(stderr, "SKIPPED: %s is not here (Debian: %s), so what needs it is not tested\n", name, package);
    return false;
}
