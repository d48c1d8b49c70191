// SPDX-License-Identifier: Apache-2.0
/* allow_list.c - a list is taken as a whole or not at all: half a list would lock out those whose lines came after the mistake. */
#include "net/allow_list.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"

static const char *const role_names[PRF_ROLES] = {
    [PRF_ROLE_RELAY] = "relay", [PRF_ROLE_WORKER] = "worker", [PRF_ROLE_VIEWER] = "viewer", [PRF_ROLE_OPERATOR] = "operator"};

const char *prf_role_name(prf_role_t role)
{
    return role_names[role];
}

static void release_entry(prf_allow_t *entry)
{
    free(entry->kinds);
    entry->kinds = NULL;
}

void prf_allow_list_release(prf_allow_list_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        release_entry(&self->entries[i]);
    free(self->entries);
    *self = (prf_allow_list_t){.entries = NULL};
}

static prf_status_t take_kinds(prf_allow_t *entry, char *value, prf_error_t *err)
{
    if (entry->kinds)
        return prf_fail(err, PRF_EPARSE, "kinds= is given twice: put all kinds into one, separated by commas");
    entry->kinds = calloc(PRF_ALLOW_KINDS, sizeof *entry->kinds);
    if (!entry->kinds)
        return prf_fail(err, PRF_ENOMEM, "kinds");
    char *rest = value, *kind;
    while ((kind = strsep(&rest, ","))) {
        prf_error_t why = {0};
        if (prf_name_check("kinds=", kind, &why))
            return prf_fail(err, PRF_EPARSE, "%s", why.text);
        if (entry->kind_count == PRF_ALLOW_KINDS)
            return prf_fail(err, PRF_EPARSE, "more than %d kinds: use * or a second key", PRF_ALLOW_KINDS);
        memcpy(entry->kinds[entry->kind_count++], kind, strlen(kind) + 1);
    }
    return PRF_OK;
}

static prf_status_t take_sessions(prf_allow_t *entry, const char *value, prf_error_t *err)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || number < 1 || number > PRF_ALLOW_MAX_SESSIONS)
        return prf_fail(err, PRF_EPARSE, "sessions=%.20s: use a whole number from 1 to %d", value, PRF_ALLOW_MAX_SESSIONS);
    entry->sessions = (unsigned)number;
    return PRF_OK;
}

/* What stands between the key and the name. */
static prf_status_t take_setting(prf_allow_t *entry, char *word, prf_error_t *err)
{
    char *value = strchr(word, '=');
    if (!value)
        return prf_fail(err, PRF_EPARSE, "'%.40s' stands where kinds= or sessions= could: make the name one word, and put it last",
                        word);
    *value++ = '\0';
    if (entry->role != PRF_ROLE_WORKER)
        return prf_fail(err, PRF_EPARSE, "%.40s= is for workers only: leave it out", word);
    if (strcmp(word, "sessions") == 0)
        return take_sessions(entry, value, err);
    if (strcmp(word, "kinds") != 0)
        return prf_fail(err, PRF_EPARSE, "there is no '%.40s=': use kinds= or sessions=", word);
    return strcmp(value, "*") == 0 ? PRF_OK : take_kinds(entry, value, err);
}

static prf_status_t take_role(prf_allow_t *entry, const char *word, prf_error_t *err)
{
    for (int i = 0; i < PRF_ROLES; i++)
        if (strcmp(word, role_names[i]) == 0) {
            entry->role = (prf_role_t)i;
            return PRF_OK;
        }
    return prf_fail(err, PRF_EPARSE, "'%.40s' is no role: use worker, operator, viewer or relay", word);
}

static char *next_word(char **rest)
{
    *rest += strspn(*rest, BLANKS);
    if (!**rest)
        return NULL;
    char *word = *rest;
    *rest += strcspn(*rest, BLANKS);
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static prf_status_t parse_entry(prf_allow_t *entry, char *line, prf_error_t *err)
{
    char *role = next_word(&line), *key = next_word(&line), *word = next_word(&line), *following;
    prf_status_t status = take_role(entry, role, err);
    if (status)
        return status;
    if (!key || !prf_key_parse(&entry->key, key))
        return prf_fail(err, PRF_EPARSE, "a public key of %d hexadecimal digits has to follow the role", PRF_KEY_TEXT - 1);
    for (; !status && word && (following = next_word(&line)); word = following)
        status = take_setting(entry, word, err);
    if (status)
        return status;
    if (!word || strchr(word, '='))
        return prf_fail(err, PRF_EPARSE, "a name has to end the line, for logs and messages");
    prf_error_t why = {0};
    if (prf_name_check("the name", word, &why))
        return prf_fail(err, PRF_EPARSE, "%s", why.text);
    memcpy(entry->name, word, strlen(word) + 1);
    return PRF_OK;
}

static prf_status_t add_line(prf_allow_list_t *list, size_t *room, char *line, prf_error_t *err)
{
    line[strcspn(line, "#")] = '\0';
    if (!line[strspn(line, BLANKS)])
        return PRF_OK;
    if (list->count == PRF_ALLOW_ENTRIES)
        return prf_fail(err, PRF_EPARSE, "more than %d keys: remove those of workers that are gone", PRF_ALLOW_ENTRIES);
    if (list->count == *room) {
        size_t more = *room ? 2 * *room : 16;
        prf_allow_t *grown = realloc(list->entries, more * sizeof *grown);
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "%zu keys", more);
        list->entries = grown;
        *room = more;
    }
    prf_allow_t *entry = &list->entries[list->count++];
    *entry = (prf_allow_t){.sessions = PRF_ALLOW_SESSIONS};
    return parse_entry(entry, line, err);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const prf_allow_t *)a)->key.bytes, ((const prf_allow_t *)b)->key.bytes, PRF_KEY_BYTES);
}

/* One key with two roles is a mistake of whoever wrote it, and which one holds would be chance. */
static prf_status_t sort(prf_allow_list_t *list, const char *file, prf_error_t *err)
{
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof *list->entries, by_key);
    for (size_t i = 1; i < list->count; i++)
        if (prf_key_same(&list->entries[i - 1].key, &list->entries[i].key))
            return prf_fail(err, PRF_EPARSE, "%s: '%s' and '%s' are the same key: leave one of the two lines", file,
                            list->entries[i - 1].name, list->entries[i].name);
    return PRF_OK;
}

prf_status_t prf_allow_list_parse(prf_allow_list_t *out, const char *file, const char *text, prf_error_t *err)
{
    char *copy = strdup(text);
    if (!copy)
        return prf_fail(err, PRF_ENOMEM, "%s", file);
    prf_allow_list_t list = {.entries = NULL};
    prf_status_t status = PRF_OK;
    size_t room = 0, number = 0;
    char *rest = copy, *line;
    while (!status && (line = strsep(&rest, "\n"))) {
        number++;
        status = add_line(&list, &room, line, err);
    }
    if (status)
        prf_fail_prefix(err, status, "%s:%zu", file, number);
    else
        status = sort(&list, file, err);
    free(copy);
    if (status)
        prf_allow_list_release(&list);
    else
        *out = list;
    return status;
}

const prf_allow_t *prf_allow_list_find(const prf_allow_list_t *self, const prf_key_t *key)
{
    const prf_allow_t wanted = {.key = *key};
    return self->count ? bsearch(&wanted, self->entries, self->count, sizeof wanted, by_key) : NULL;
}

bool prf_allow_serves(const prf_allow_t *entry, const char *kind)
{
    for (size_t i = 0; i < entry->kind_count; i++)
        if (strcmp(entry->kinds[i], kind) == 0)
            return entry->role == PRF_ROLE_WORKER;
    return entry->role == PRF_ROLE_WORKER && !entry->kinds;
}
