// SPDX-License-Identifier: Apache-2.0
/* hooks_file.c - a list of mappings, key by key. Words are taken as they are: no shell sees them, so that a board's name, which
 * comes from a peer, can be nothing but text. */
#include "hooks_file.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "campaign/yaml.h"

enum { TIMEOUT_S = 60, PER_DAY = 4, DELAY_S = 30, DAY_S = 86400 };

static const char *const placeholders[] = {"{board}", "{kind}"};
enum { PLACEHOLDERS = sizeof placeholders / sizeof *placeholders };

void prf_hook_argv_free(char **argv)
{
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

void prf_hook_list_release(prf_hook_list_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        prf_hook_argv_free(self->items[i].command);
    free(self->items);
    *self = (prf_hook_list_t){.count = 0};
}

/* The placeholder that stands at `text`, or PLACEHOLDERS. */
static size_t placeholder_at(const char *text)
{
    size_t i = 0;
    while (i < PLACEHOLDERS && strncmp(text, placeholders[i], strlen(placeholders[i])) != 0)
        i++;
    return i;
}

static prf_status_t read_word(const prf_yaml_node_t *node, bool program, char **out, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, "a word of the command", &text, err);
    if (status)
        return status;
    if (strlen(text) >= PRF_HOOK_WORD)
        return prf_yaml_fail(node, err, PRF_EINVAL, "a word of the command: use at most %d characters", PRF_HOOK_WORD - 1);
    if (program && !*text)
        return prf_yaml_fail(node, err, PRF_EINVAL, "command: the first word is empty: name the program");
    for (const char *c = strchr(text, '{'); c; c = strchr(c + 1, '{'))
        if (placeholder_at(c) == PLACEHOLDERS)
            return prf_yaml_fail(node, err, PRF_EINVAL, "'%.60s': use {board} or {kind}, nothing else can be filled in", text);
    *out = strdup(text);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "hooks");
}

static prf_status_t read_command(const prf_yaml_node_t *node, prf_hook_t *hook, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_LIST, "command", err);
    if (status)
        return status;
    size_t count = prf_yaml_count(node);
    if (count < 1 || count > PRF_HOOK_WORDS)
        return prf_yaml_fail(node, err, PRF_EINVAL, "command: %zu words: use 1 to %d, the program first", count, PRF_HOOK_WORDS);
    hook->command = calloc(count + 1, sizeof *hook->command);
    if (!hook->command)
        return prf_fail(err, PRF_ENOMEM, "hooks");
    for (const prf_yaml_node_t *n = prf_yaml_first(node); n && !status; n = prf_yaml_next(n)) {
        status = read_word(n, hook->word_count == 0, &hook->command[hook->word_count], err);
        hook->word_count += !status;
    }
    return status;
}

static prf_status_t read_causes(const prf_yaml_node_t *node, prf_hook_t *hook, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_LIST, "on", err);
    hook->causes = 0;
    for (const prf_yaml_node_t *n = status ? NULL : prf_yaml_first(node); n && !status; n = prf_yaml_next(n)) {
        const char *text;
        status = prf_yaml_text(n, "on", &text, err);
        if (!status && strcmp(text, "quarantined") == 0)
            hook->causes |= PRF_HOOK_QUARANTINED;
        else if (!status && strcmp(text, "lost") == 0)
            hook->causes |= PRF_HOOK_LOST;
        else if (!status)
            status = prf_yaml_fail(n, err, PRF_EINVAL, "on: '%.40s': use quarantined, lost or both", text);
    }
    return status;
}

static prf_status_t read_number(const prf_yaml_node_t *map, const char *key, int64_t most, uint32_t *out, prf_error_t *err)
{
    const prf_yaml_node_t *node = prf_yaml_get(map, key);
    int64_t value = *out;
    prf_status_t status = node ? prf_yaml_int(node, key, 1, most, &value, err) : PRF_OK;
    if (!status)
        *out = (uint32_t)value;
    return status;
}

static prf_status_t read_hook(const prf_yaml_node_t *node, prf_hook_t *hook, prf_error_t *err)
{
    static const char *const known[] = {"boards", "command", "timeout_s", "at_most_per_day", "delay_s", "on", NULL};
    *hook = (prf_hook_t){.timeout_s = TIMEOUT_S, .at_most_per_day = PER_DAY, .delay_s = DELAY_S, .causes = PRF_HOOK_QUARANTINED};
    prf_status_t status = prf_yaml_only(node, "a hook", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *boards = prf_yaml_get(node, "boards"), *command = prf_yaml_get(node, "command");
    const prf_yaml_node_t *on = prf_yaml_get(node, "on");
    const char *pattern;
    if (!boards || !command)
        return prf_yaml_fail(node, err, PRF_EINVAL,
                             "a hook needs boards and command, as in boards: 'rack1-*', command: [pdu, {board}]");
    if ((status = prf_yaml_text(boards, "boards", &pattern, err)))
        return status;
    if (!*pattern || strlen(pattern) >= sizeof hook->boards)
        return prf_yaml_fail(boards, err, PRF_EINVAL, "boards: use a pattern of 1 to %zu characters", sizeof hook->boards - 1);
    snprintf(hook->boards, sizeof hook->boards, "%s", pattern);
    if ((status = read_command(command, hook, err)) || (on && (status = read_causes(on, hook, err))) ||
        (status = read_number(node, "timeout_s", 3600, &hook->timeout_s, err)) ||
        (status = read_number(node, "at_most_per_day", 1000, &hook->at_most_per_day, err)) ||
        (status = read_number(node, "delay_s", DAY_S, &hook->delay_s, err)))
        return status;
    hook->causes |= PRF_HOOK_BY_HAND;
    return PRF_OK;
}

static prf_status_t read_list(const prf_yaml_node_t *root, prf_hook_list_t *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(root, PRF_YAML_LIST, "a file of hooks", err);
    if (status)
        return status;
    size_t count = prf_yaml_count(root);
    if (count > PRF_HOOKS)
        return prf_yaml_fail(root, err, PRF_EINVAL, "%zu hooks: use at most %d, with patterns for several boards", count,
                             PRF_HOOKS);
    out->items = calloc(count ? count : 1, sizeof *out->items);
    if (!out->items)
        return prf_fail(err, PRF_ENOMEM, "hooks");
    for (const prf_yaml_node_t *n = prf_yaml_first(root); n && !status; n = prf_yaml_next(n))
        status = read_hook(n, &out->items[out->count++], err);
    return status;
}

prf_status_t prf_hook_list_parse(prf_hook_list_t *out, const char *text, size_t len, const char *name, prf_error_t *err)
{
    prf_yaml_t *doc;
    prf_status_t status = prf_yaml_open(&doc, text, len, name, err);
    if (status)
        return status;
    prf_hook_list_t list = {.count = 0};
    status = read_list(prf_yaml_root(doc), &list, err);
    prf_yaml_destroy(&doc);
    if (status)
        prf_hook_list_release(&list);
    else
        *out = list;
    return status;
}

prf_status_t prf_hook_list_load(prf_hook_list_t *out, const char *path, prf_error_t *err)
{
    char *text;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_HOOKS_BYTES, &text, &len, err);
    if (status)
        return status;
    status = prf_hook_list_parse(out, text, len, path, err);
    free(text);
    return status;
}

const prf_hook_t *prf_hook_list_find(const prf_hook_list_t *self, const char *board)
{
    for (size_t i = 0; i < self->count; i++)
        if (fnmatch(self->items[i].boards, board, 0) == 0)
            return &self->items[i];
    return NULL;
}

static char *fill_in(const char *word, const char *const values[PLACEHOLDERS])
{
    prf_text_t text;
    prf_text_init(&text);
    while (*word) {
        size_t which = placeholder_at(word);
        if (which < PLACEHOLDERS) {
            prf_text_add(&text, "%s", values[which]);
            word += strlen(placeholders[which]);
        } else {
            prf_text_append(&text, word++, 1);
        }
    }
    return prf_text_take(&text);
}

char **prf_hook_argv(const prf_hook_t *hook, const char *board, const char *kind)
{
    const char *const values[PLACEHOLDERS] = {board, kind};
    char **argv = calloc(hook->word_count + 1, sizeof *argv);
    for (size_t i = 0; argv && i < hook->word_count; i++)
        if (!(argv[i] = fill_in(hook->command[i], values))) {
            prf_hook_argv_free(argv);
            return NULL;
        }
    return argv;
}
