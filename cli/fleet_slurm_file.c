// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_file.c - one table a mapping: each key with what it may be and where it goes. What ends up in an #SBATCH line is
 * checked here, so that no value can become a line or an option of its own. */
#include "fleet_slurm_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"

typedef enum {
    NAME,    /* as boards and kinds have */
    SETTING, /* goes into an #SBATCH line */
    TEXT,    /* goes into the script, quoted */
    SCRIPT,  /* goes into it as it is */
    NUMBER   /* lo .. hi */
} form_t;

typedef struct {
    const char *key; /* NULL ends a table */
    form_t form;
    size_t offset; /* of the member: a const char *, or an int64_t for a NUMBER */
    bool required;
    int64_t lo, hi;
} field_t;

#define TOP(member) offsetof(prf_slurm_file_t, member)
static const field_t top_fields[] = {
    {"fleet", NAME, TOP(fleet), true, 0, 0},
    {"farm", TEXT, TOP(farm), true, 0, 0},
    {"key", TEXT, TOP(key), false, 0, 0},
    {"server", TEXT, TOP(server), false, 0, 0},
    {"worker", TEXT, TOP(worker), false, 0, 0},
    {"state", TEXT, TOP(state), false, 0, 0},
    {"log", SETTING, TOP(log), false, 0, 0},
    {"poll_seconds", NUMBER, TOP(poll_seconds), false, 1, 3600},
    {NULL, NAME, 0, false, 0, 0},
};

#define KIND(member) offsetof(prf_slurm_kind_t, member)
static const field_t kind_fields[] = {
    {"kind", NAME, KIND(kind), true, 0, 0},
    {"backend", NAME, KIND(backend), true, 0, 0},
    {"partition", SETTING, KIND(partition), false, 0, 0},
    {"gres", SETTING, KIND(gres), false, 0, 0},
    {"constraint", SETTING, KIND(constraint), false, 0, 0},
    {"account", SETTING, KIND(account), false, 0, 0},
    {"qos", SETTING, KIND(qos), false, 0, 0},
    {"memory", SETTING, KIND(memory), false, 0, 0},
    {"prologue", SCRIPT, KIND(prologue), false, 0, 0},
    {"cpus", NUMBER, KIND(cpus), false, 1, 4096},
    {"time_limit_minutes", NUMBER, KIND(time_limit_minutes), false, 1, 525600},
    {"signal_seconds", NUMBER, KIND(signal_seconds), false, 10, 3600},
    {"min", NUMBER, KIND(least), false, 0, PRF_SLURM_MAX},
    {"max", NUMBER, KIND(most), true, 1, PRF_SLURM_MAX},
    {"jobs_per_worker", NUMBER, KIND(jobs_per_worker), false, 1, 1000000},
    {"idle_seconds", NUMBER, KIND(idle_seconds), false, 1, 604800},
    {"credit", NUMBER, KIND(credit), false, 1, 256},
    {NULL, NAME, 0, false, 0, 0},
};

static prf_status_t check_text(const field_t *f, const prf_yaml_node_t *node, const char *text, prf_error_t *err)
{
    if (f->form == NAME && prf_name_check(f->key, text, err))
        return prf_yaml_fail_prefix(node, err, PRF_EINVAL);
    if (strlen(text) > (f->form == SCRIPT ? 8192u : 1000u))
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: longer than a script can hold: make it shorter", f->key);
    for (const char *c = text; *c && f->form != SCRIPT; c++)
        if ((unsigned char)*c < ' ' || (f->form == SETTING && strchr(" #'\"\\`$", *c)))
            return prf_yaml_fail(node, err, PRF_EINVAL, "%s '%.60s': use one word without blanks, quotes, '#', '$' and '\\'",
                                 f->key, text);
    return PRF_OK;
}

static prf_status_t read_fields(const field_t *fields, void *out, const prf_yaml_node_t *map, prf_error_t *err)
{
    for (const field_t *f = fields; f->key; f++) {
        const prf_yaml_node_t *node = prf_yaml_get(map, f->key);
        char *member = (char *)out + f->offset;
        if (!node && f->required)
            return prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is missing: give it, as deploy/slurm/fleet.yaml does", f->key);
        if (!node)
            continue;
        prf_status_t status;
        if (f->form == NUMBER) {
            int64_t number = 0;
            status = prf_yaml_int(node, f->key, f->lo, f->hi, &number, err);
            memcpy(member, &number, sizeof number);
        } else {
            const char *text = NULL;
            status = prf_yaml_text(node, f->key, &text, err);
            if (!status)
                status = check_text(f, node, text, err);
            memcpy(member, &text, sizeof text);
        }
        if (status)
            return status;
    }
    return PRF_OK;
}

/* The keys of a table, and those that are read otherwise. */
static prf_status_t only(const field_t *fields, const char *more, const prf_yaml_node_t *map, const char *what, prf_error_t *err)
{
    enum { KEYS = 32 };
    const char *known[KEYS] = {NULL};
    size_t count = 0;
    for (const field_t *f = fields; f->key && count + 2 < KEYS; f++)
        known[count++] = f->key;
    known[count] = more;
    return prf_yaml_only(map, what, known, err);
}

/* A list gives an option several times, as in campaign files. */
static prf_status_t add_option(prf_slurm_kind_t *kind, const char *key, const prf_yaml_node_t *node, prf_error_t *err)
{
    static const field_t option = {"options", TEXT, 0, false, 0, 0};
    const char *text = NULL;
    if (kind->option_count == PRF_SLURM_OPTIONS)
        return prf_yaml_fail(node, err, PRF_EINVAL, "options: use at most %d", (int)PRF_SLURM_OPTIONS);
    prf_status_t status = prf_yaml_text(node, key, &text, err);
    if (!status)
        status = check_text(&option, node, text, err);
    if (!status)
        kind->options[kind->option_count++] = (prf_slurm_option_t){key, text};
    return status;
}

static prf_status_t read_options(prf_slurm_kind_t *kind, const prf_yaml_node_t *map, prf_error_t *err)
{
    if (!map)
        return PRF_OK;
    prf_status_t status = prf_yaml_expect(map, PRF_YAML_MAP, "options", err);
    for (const prf_yaml_node_t *value = prf_yaml_first(map); !status && value; value = prf_yaml_next(value)) {
        const char *key = prf_yaml_key(value);
        if (prf_name_check("an option's name", key, err))
            return prf_yaml_fail_prefix(value, err, PRF_EINVAL);
        if (prf_yaml_kind(value) != PRF_YAML_LIST)
            status = add_option(kind, key, value, err);
        else
            for (const prf_yaml_node_t *item = prf_yaml_first(value); !status && item; item = prf_yaml_next(item))
                status = add_option(kind, key, item, err);
    }
    return status;
}

static prf_status_t read_kind(prf_slurm_file_t *file, const prf_yaml_node_t *map, prf_error_t *err)
{
    if (file->count == PRF_SLURM_KINDS)
        return prf_yaml_fail(map, err, PRF_EINVAL, "kinds: use at most %d", (int)PRF_SLURM_KINDS);
    prf_slurm_kind_t *kind = &file->kinds[file->count];
    *kind =
        (prf_slurm_kind_t){.cpus = 1, .time_limit_minutes = 60, .signal_seconds = 60, .jobs_per_worker = 50, .idle_seconds = 120};
    prf_status_t status = only(kind_fields, "options", map, "kinds", err);
    if (!status)
        status = read_fields(kind_fields, kind, map, err);
    if (!status)
        status = read_options(kind, prf_yaml_get(map, "options"), err);
    if (status)
        return status;
    if (kind->least > kind->most)
        return prf_yaml_fail(prf_yaml_get(map, "min"), err, PRF_EINVAL, "min: %lld is more than max: use at most %lld",
                             (long long)kind->least, (long long)kind->most);
    if (kind->signal_seconds >= 60 * kind->time_limit_minutes)
        return prf_yaml_fail(map, err, PRF_EINVAL,
                             "signal_seconds: %lld leaves no time of time_limit_minutes: use less than %lld, or a longer limit",
                             (long long)kind->signal_seconds, 60LL * kind->time_limit_minutes);
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->kinds[i].kind, kind->kind) == 0)
            return prf_yaml_fail(prf_yaml_get(map, "kind"), err, PRF_EINVAL,
                                 "kind: '%s' is given twice: keep one; a partition may be several, as in 'a,b'", kind->kind);
    file->count++;
    return PRF_OK;
}

static prf_status_t read_all(prf_slurm_file_t *file, prf_error_t *err)
{
    const prf_yaml_node_t *root = prf_yaml_root(file->document), *kinds = prf_yaml_get(root, "kinds");
    prf_endpoints_t endpoints;
    prf_status_t status = only(top_fields, "kinds", root, "the file", err);
    if (!status)
        status = read_fields(top_fields, file, root, err);
    if (!status && prf_endpoints_parse(&endpoints, file->farm, err))
        status = prf_yaml_fail_prefix(prf_yaml_get(root, "farm"), err, PRF_EINVAL);
    if (!status && !file->key != !file->server)
        status =
            prf_yaml_fail(root, err, PRF_EINVAL, "'key' and 'server' belong together: give both, or none for a farm without keys");
    if (!status && !kinds)
        status = prf_yaml_fail(root, err, PRF_EINVAL, "'kinds' is missing: list the kinds of boards that Slurm has");
    if (!status)
        status = prf_yaml_expect(kinds, PRF_YAML_LIST, "kinds", err);
    if (!status && prf_yaml_count(kinds) == 0)
        status = prf_yaml_fail(kinds, err, PRF_EINVAL, "kinds: nothing is in it: list the kinds of boards that Slurm has");
    const prf_yaml_node_t *map = status ? NULL : prf_yaml_first(kinds);
    for (; !status && map; map = prf_yaml_next(map))
        status = read_kind(file, map, err);
    return status;
}

/* Takes the document over. */
static prf_status_t take(prf_slurm_file_t *out, prf_yaml_t *document, prf_error_t *err)
{
    prf_slurm_file_t *file = calloc(1, sizeof *file);
    prf_status_t status = file ? PRF_OK : prf_fail(err, PRF_ENOMEM, "a fleet's file");
    if (!status) {
        *file = (prf_slurm_file_t){.document = document, .worker = "prfarm-worker", .state = "/var/tmp/prfarm", .poll_seconds = 10};
        status = read_all(file, err);
    }
    if (status)
        prf_yaml_destroy(&document);
    else
        *out = *file;
    free(file);
    return status;
}

prf_status_t prf_slurm_file_parse(prf_slurm_file_t *out, const char *text, const char *name, prf_error_t *err)
{
    prf_yaml_t *document;
    prf_status_t status = prf_yaml_open(&document, text, strlen(text), name, err);
    return status ? status : take(out, document, err);
}

prf_status_t prf_slurm_file_read(prf_slurm_file_t *out, const char *path, prf_error_t *err)
{
    prf_yaml_t *document;
    prf_status_t status = prf_yaml_open_file(&document, path, PRF_SLURM_FILE_BYTES, err);
    return status ? status : take(out, document, err);
}

void prf_slurm_file_release(prf_slurm_file_t *self)
{
    prf_yaml_destroy(&self->document);
}
