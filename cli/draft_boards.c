// SPDX-License-Identifier: Apache-2.0
/* draft_boards.c - what a person calls a board, and what the campaign file must say for it. What the simulated boards can run is
 * told in docs/backends.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "draft.h"
#include "networks.h"

static bool runs_1d(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    if (l->kind == PRF_FC)
        return p[PRF_P_N] == 1 && p[PRF_P_IN] <= 128 && p[PRF_P_OUT] <= 128;
    return l->kind == PRF_CONV1D && p[PRF_P_N] == 1 && p[PRF_P_C] <= 128 && p[PRF_P_K] <= 128 && p[PRF_P_F] <= 16 &&
           p[PRF_P_W] <= 128 && (p[PRF_P_PAD] == 0 || p[PRF_P_PAD] == p[PRF_P_F] / 2);
}

static bool runs_gemm(const prf_layer_t *l)
{
    return l->kind == PRF_CONV2D || l->kind == PRF_FC || l->kind == PRF_MATMUL;
}

static bool runs_vta(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    if (l->kind == PRF_FC)
        return p[PRF_P_N] == 1;
    return l->kind == PRF_CONV2D && p[PRF_P_N] == 1 && p[PRF_P_R] == p[PRF_P_S] && p[PRF_P_PAD] == p[PRF_P_R] / 2 &&
           p[PRF_P_DILATION] == 1;
}

static bool runs_ferry(const prf_layer_t *l)
{
    return l->kind == PRF_CONV2D || l->kind == PRF_DWCONV2D || l->kind == PRF_FC;
}

const char prf_draft_simulated[] = "ultratrail systolic vta ferry ncs2 zcu102";

static const struct {
    const char *name;
    prf_draft_runs_t runs;
} simulated[] = {{"ultratrail", runs_1d}, {"systolic", runs_gemm}, {"vta", runs_vta},
                 {"ferry", runs_ferry},   {"ncs2", NULL},          {"zcu102", NULL}};

static prf_status_t add_simulated(prf_draft_board_t *b, const char *name, prf_error_t *err)
{
    prf_near_t near = {.word = name};
    for (size_t i = 0; i < sizeof simulated / sizeof *simulated; i++) {
        prf_near_offer(&near, simulated[i].name);
        if (strcmp(name, simulated[i].name) != 0)
            continue;
        b->backend = "sim";
        b->runs = simulated[i].runs;
        b->simulated = true;
        snprintf(b->kind, sizeof b->kind, "%s", name);
        snprintf(b->options, sizeof b->options, "board: %s", name);
        return PRF_OK;
    }
    return prf_fail(err, PRF_EUSAGE, "there is no simulated board '%.40s'%s%s: use one of %s", name,
                    near.best ? ", did you mean " : "", near.best ? near.best : "", prf_draft_simulated);
}

static prf_status_t add_processor(prf_draft_board_t *b, const char *threads, prf_error_t *err)
{
    char *end;
    long count = *threads ? strtol(threads, &end, 10) : 1;
    if (*threads && (*end || count < 1 || count > 1024))
        return prf_fail(err, PRF_EUSAGE, "cpu:%.40s: use a number of threads from 1 to 1024, as in cpu:4", threads);
    b->backend = "onednn";
    b->note = "this machine's processor, through oneDNN";
    snprintf(b->kind, sizeof b->kind, count == 1 ? "cpu" : "cpu-%ld", count);
    snprintf(b->options, sizeof b->options, "threads: %ld", count);
    return PRF_OK;
}

void prf_draft_quote(const char *text, char *out, size_t cap)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    size_t len = strlen(text), used = 0;
    if (len && strspn(text, plain) == len && *text != '-' && *text != '.') {
        snprintf(out, cap, "%s", text);
        return;
    }
    used += (size_t)snprintf(out, cap, "\"");
    for (; *text && used + 3 < cap; text++)
        used += (size_t)snprintf(out + used, cap - used, "%s%c", strchr("\"\\", *text) ? "\\" : "", *text);
    snprintf(out + used, cap - used, "\"");
}

/* "python3 board.py --fast": the program, then each argument. */
static prf_status_t add_program(prf_draft_board_t *b, const char *line, prf_error_t *err)
{
    char words[PRF_DRAFT_WORDS], quoted[PRF_DRAFT_WORDS], *rest = NULL;
    if (snprintf(words, sizeof words, "%s", line) >= (int)sizeof words / 2)
        return prf_fail(err, PRF_EINVAL, "exec:%.40s...: that is too long: put it into a script", line);
    const char *word = strtok_r(words, " ", &rest);
    if (!word)
        return prf_fail(err, PRF_EUSAGE, "exec: which program? Name it, as in --board 'exec:python3 board.py'");
    if (strchr(word, '/') && access(word, X_OK) != 0)
        return prf_fail(err, PRF_ENOTFOUND, "exec:%.200s: there is no such program: name one that exists and is executable", word);
    prf_network_file_name(word, b->kind);
    prf_draft_quote(word, quoted, sizeof quoted);
    size_t used = (size_t)snprintf(b->options, sizeof b->options, "command: %s", quoted), arguments = 0;
    while ((word = strtok_r(NULL, " ", &rest)) && used < sizeof b->options) {
        if (arguments == 0 && word[0] != '-') /* an interpreter's script tells more about the board */
            prf_network_file_name(word, b->kind);
        prf_draft_quote(word, quoted, sizeof quoted);
        used += (size_t)snprintf(b->options + used, sizeof b->options - used, "%s%s", arguments++ ? ", " : ", arg: [", quoted);
    }
    if (arguments && used < sizeof b->options)
        used += (size_t)snprintf(b->options + used, sizeof b->options - used, "]");
    if (used >= sizeof b->options)
        return prf_fail(err, PRF_EINVAL, "exec:%.40s...: that is too long: put it into a script", line);
    b->backend = "exec";
    b->note = "a program that answers for the board: docs/backends.md";
    return PRF_OK;
}

static prf_status_t add_plugin(prf_draft_board_t *b, const char *path, prf_error_t *err)
{
    char full[PRF_DRAFT_WORDS - 32], quoted[PRF_DRAFT_WORDS - 16];
    if (!*path || access(path, R_OK) != 0)
        return prf_fail(err, PRF_ENOTFOUND, "plugin:%.200s: there is no such file: name a shared object, as in plugin:./board.so",
                        path);
    /* dlopen looks for a bare name among the system's libraries. */
    if (snprintf(full, sizeof full, "%s%s", strchr(path, '/') ? "" : "./", path) >= (int)sizeof full)
        return prf_fail(err, PRF_EINVAL, "plugin:%.40s...: the path is too long: move the file nearer", path);
    prf_draft_quote(full, quoted, sizeof quoted);
    prf_network_file_name(path, b->kind);
    snprintf(b->options, sizeof b->options, "path: %s", quoted);
    b->backend = "plugin";
    b->note = "a shared object: docs/backends.md";
    return PRF_OK;
}

/* A name's ending tells nothing about a board. */
static void strip_ending(char kind[PRF_NAME])
{
    static const char *const endings[] = {".py", ".sh", ".so"};
    size_t len = strlen(kind);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (len > 3 && strcmp(kind + len - 3, endings[i]) == 0)
            kind[len - 3] = '\0';
}

/* A second board of the same name is another kind. */
static void make_unique(const prf_draft_t *draft, char kind[PRF_NAME])
{
    char base[PRF_NAME];
    memcpy(base, kind, sizeof base);
    for (unsigned serial = 2;; serial++) {
        bool taken = false;
        for (size_t i = 0; i < draft->board_count; i++)
            taken = taken || strcmp(draft->boards[i].kind, kind) == 0;
        if (!taken)
            return;
        snprintf(kind, PRF_NAME, "%.50s-%u", base, serial);
    }
}

prf_status_t prf_draft_add_board(prf_draft_t *draft, const char *text, prf_error_t *err)
{
    static const struct {
        const char *name;
        prf_status_t (*add)(prf_draft_board_t *board, const char *rest, prf_error_t *err);
        bool alone;
    } sorts[] = {
        {"cpu", add_processor, true}, {"sim", add_simulated, false}, {"exec", add_program, false}, {"plugin", add_plugin, false}};
    size_t len = strcspn(text, ":");
    if (draft->board_count == PRF_CAMPAIGN_BOARDS)
        return prf_fail(err, PRF_EINVAL, "--board %.40s: a campaign has %d boards at most: write a second one", text,
                        (int)PRF_CAMPAIGN_BOARDS);
    for (size_t i = 0; i < sizeof sorts / sizeof *sorts; i++) {
        if (strlen(sorts[i].name) != len || strncmp(sorts[i].name, text, len) != 0 || (!text[len] && !sorts[i].alone))
            continue;
        prf_draft_board_t board = {.backend = NULL};
        prf_status_t status = sorts[i].add(&board, text + len + (text[len] == ':'), err);
        if (status)
            return status;
        strip_ending(board.kind);
        make_unique(draft, board.kind);
        draft->boards[draft->board_count++] = board;
        return PRF_OK;
    }
    return prf_fail(err, PRF_EUSAGE,
                    "'%.60s' is no board: use cpu, cpu:THREADS, sim:BOARD (%s), 'exec:PROGRAM ARGUMENT...' or plugin:FILE.so", text,
                    prf_draft_simulated);
}
