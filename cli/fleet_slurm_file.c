// SPDX-License-Identifier: Apache-2.0
#include "fleet_slurm_file.h"

#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"

#define EXAMPLE "deploy/slurm/fleet.yaml"

#define TOP(member) offsetof(prf_slurm_file_t, member)
static const prf_fleet_field_t top_fields[] = {
    {"fleet", PRF_FLEET_NAME, TOP(fleet), true, 0, 0},
    {"farm", PRF_FLEET_TEXT, TOP(farm), true, 0, 0},
    {"key", PRF_FLEET_TEXT, TOP(key), false, 0, 0},
    {"server", PRF_FLEET_TEXT, TOP(server), false, 0, 0},
    {"worker", PRF_FLEET_TEXT, TOP(worker), false, 0, 0},
    {"state", PRF_FLEET_TEXT, TOP(state), false, 0, 0},
    {"log", PRF_FLEET_SETTING, TOP(log), false, 0, 0},
    {"poll_seconds", PRF_FLEET_NUMBER, TOP(poll_seconds), false, 1, 3600},
    {.key = NULL},
};
static const prf_fleet_table_t top_table = {"the file", EXAMPLE, top_fields, (const char *const[]){"kinds", NULL}};

#define KIND(member) offsetof(prf_slurm_kind_t, member)
static const prf_fleet_field_t kind_fields[] = {
    {"kind", PRF_FLEET_NAME, KIND(kind), true, 0, 0},
    {"backend", PRF_FLEET_NAME, KIND(backend), true, 0, 0},
    {"partition", PRF_FLEET_SETTING, KIND(partition), false, 0, 0},
    {"gres", PRF_FLEET_SETTING, KIND(gres), false, 0, 0},
    {"constraint", PRF_FLEET_SETTING, KIND(constraint), false, 0, 0},
    {"account", PRF_FLEET_SETTING, KIND(account), false, 0, 0},
    {"qos", PRF_FLEET_SETTING, KIND(qos), false, 0, 0},
    {"memory", PRF_FLEET_SETTING, KIND(memory), false, 0, 0},
    {"prologue", PRF_FLEET_SCRIPT, KIND(prologue), false, 0, 0},
    {"cpus", PRF_FLEET_NUMBER, KIND(cpus), false, 1, 4096},
    {"time_limit_minutes", PRF_FLEET_NUMBER, KIND(time_limit_minutes), false, 1, 525600},
    {"signal_seconds", PRF_FLEET_NUMBER, KIND(signal_seconds), false, 10, 3600},
    {"min", PRF_FLEET_NUMBER, KIND(least), false, 0, PRF_SLURM_MAX},
    {"max", PRF_FLEET_NUMBER, KIND(most), true, 1, PRF_SLURM_MAX},
    {"jobs_per_worker", PRF_FLEET_NUMBER, KIND(jobs_per_worker), false, 1, 1000000},
    {"idle_seconds", PRF_FLEET_NUMBER, KIND(idle_seconds), false, 1, 604800},
    {"credit", PRF_FLEET_NUMBER, KIND(credit), false, 1, 256},
    {.key = NULL},
};
static const prf_fleet_table_t kind_table = {"kinds", EXAMPLE, kind_fields, (const char *const[]){"options", NULL}};

static prf_status_t read_kind(prf_slurm_file_t *file, const prf_yaml_node_t *map, prf_error_t *err)
{
    if (file->count == PRF_SLURM_KINDS)
        return prf_yaml_fail(map, err, PRF_EINVAL, "kinds: use at most %d", (int)PRF_SLURM_KINDS);
    prf_slurm_kind_t *kind = &file->kinds[file->count];
    *kind =
        (prf_slurm_kind_t){.cpus = 1, .time_limit_minutes = 60, .signal_seconds = 60, .jobs_per_worker = 50, .idle_seconds = 120};
    prf_status_t status = prf_fleet_read(&kind_table, map, kind, err);
    if (!status)
        status = prf_fleet_read_options(&kind->options, prf_yaml_get(map, "options"), err);
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
    prf_status_t status = prf_fleet_read(&top_table, root, file, err);
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
        *file = (prf_slurm_file_t){.document = document, .worker = "prfarm-worker", .poll_seconds = 10};
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
