// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_file.c - a host begins as a copy of the defaults, so that what is not given has one place. */
#include "fleet_ssh_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"

#define EXAMPLE "docs/howto/ssh-fleet.md"

#define TOP(member) offsetof(prf_ssh_file_t, member)
static const prf_fleet_field_t top_fields[] = {
    {"fleet", PRF_FLEET_NAME, TOP(fleet), true, 0, 0},
    {"farm", PRF_FLEET_TEXT, TOP(farm), true, 0, 0},
    {"server", PRF_FLEET_PATH, TOP(server), false, 0, 0},
    {"keys", PRF_FLEET_TEXT, TOP(keys), false, 0, 0},
    {"allow", PRF_FLEET_TEXT, TOP(allow), false, 0, 0},
    {"from", PRF_FLEET_TEXT, TOP(from), true, 0, 0},
    {.key = NULL},
};
static const prf_fleet_table_t top_table = {"the file", EXAMPLE, top_fields, (const char *const[]){"defaults", "hosts", NULL}};

#define HOST(member) offsetof(prf_ssh_host_t, member)
static const prf_fleet_field_t host_fields[] = {
    {"host", PRF_FLEET_WORD, HOST(host), true, 0, 0},
    {"name", PRF_FLEET_NAME, HOST(name), false, 0, 0},
#define OF_DEFAULTS 2 /* from here on */
    {"user", PRF_FLEET_WORD, HOST(user), false, 0, 0},
    {"identity", PRF_FLEET_PATH, HOST(identity), false, 0, 0},
    {"known_hosts", PRF_FLEET_PATH, HOST(known_hosts), false, 0, 0},
    {"port", PRF_FLEET_NUMBER, HOST(port), false, 1, 65535},
    {"kind", PRF_FLEET_NAME, HOST(kind), false, 0, 0},
    {"backend", PRF_FLEET_NAME, HOST(backend), false, 0, 0},
    {"boards", PRF_FLEET_NUMBER, HOST(boards), false, 1, PRF_SSH_BOARDS},
    {.key = NULL},
};
static const char *const host_others[] = {"options", NULL};
static const prf_fleet_table_t host_table = {"hosts", EXAMPLE, host_fields, host_others};
static const prf_fleet_table_t defaults_table = {"defaults", EXAMPLE, host_fields + OF_DEFAULTS, host_others};

static prf_status_t read_host(prf_ssh_host_t *host, const prf_fleet_table_t *table, const prf_yaml_node_t *map, prf_error_t *err)
{
    prf_status_t status = prf_fleet_read(table, map, host, err);
    return status ? status : prf_fleet_read_options(&host->options, prf_yaml_get(map, "options"), err);
}

static bool has_board(const prf_ssh_host_t *host, const char *name)
{
    char board[PRF_NAME];
    bool has = false;
    if (strncmp(name, host->name, strlen(host->name)) != 0)
        return false;
    for (int64_t i = 0; i < host->boards && !has; i++) {
        prf_ssh_board(host, i, board);
        has = strcmp(board, name) == 0;
    }
    return has;
}

/* Whether two entries have a name in common, their own or a board's. Where both have several boards these differ if their own do.
 */
static bool clash(const prf_ssh_host_t *a, const prf_ssh_host_t *b)
{
    return strcmp(a->name, b->name) == 0 || (b->boards == 1 && has_board(a, b->name)) || (a->boards == 1 && has_board(b, a->name));
}

static prf_status_t add_host(prf_ssh_file_t *file, const prf_ssh_host_t *defaults, const prf_yaml_node_t *map, prf_error_t *err)
{
    prf_ssh_host_t *host = &file->hosts[file->count];
    *host = *defaults;
    prf_status_t status = read_host(host, &host_table, map, err);
    if (status)
        return status;
    const char *missing = !host->kind ? "kind" : !host->backend ? "backend" : NULL;
    if (missing)
        return prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is missing: give it here, or for all hosts in 'defaults'", missing);
    if (!host->name) {
        host->name = host->host;
        if (prf_name_check("name", host->name, err))
            return prf_yaml_fail_prefix(prf_yaml_get(map, "host"), err, PRF_EINVAL);
    }
    if (strlen(host->name) + 4 > PRF_NAME - 1)
        return prf_yaml_fail(map, err, PRF_EINVAL, "name '%.60s': give one of at most %d characters", host->name, PRF_NAME - 5);
    for (size_t i = 0; i < file->count; i++)
        if (clash(&file->hosts[i], host))
            return prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is there twice: give one of them a 'name' of its own",
                                 host->boards == 1 ? host->name : file->hosts[i].name);
    file->count++;
    return PRF_OK;
}

static prf_status_t read_top(prf_ssh_file_t *file, const prf_yaml_node_t *root, prf_error_t *err)
{
    prf_endpoints_t endpoints;
    prf_status_t status = prf_fleet_read(&top_table, root, file, err);
    if (!status && !prf_yaml_get(root, "hosts"))
        status = prf_yaml_fail(root, err, PRF_EINVAL, "'hosts' is missing: give it, as " EXAMPLE " does");
    if (!status && prf_endpoints_parse(&endpoints, file->farm, err))
        status = prf_yaml_fail_prefix(prf_yaml_get(root, "farm"), err, PRF_EINVAL);
    if (!status && file->allow && !file->server)
        status = prf_yaml_fail(prf_yaml_get(root, "allow"), err, PRF_EINVAL,
                               "allow: it is for a farm with keys: give 'server', the coordinator's public key, too");
    return status;
}

static prf_status_t read_all(prf_ssh_file_t *file, prf_error_t *err)
{
    const prf_yaml_node_t *root = prf_yaml_root(file->document), *hosts = prf_yaml_get(root, "hosts");
    const prf_yaml_node_t *common = prf_yaml_get(root, "defaults");
    prf_ssh_host_t defaults = {.boards = 1};
    prf_status_t status = read_top(file, root, err);
    if (!status && common)
        status = read_host(&defaults, &defaults_table, common, err);
    if (!status)
        status = prf_yaml_expect(hosts, PRF_YAML_LIST, "hosts", err);
    if (!status && (prf_yaml_count(hosts) == 0 || prf_yaml_count(hosts) > PRF_SSH_HOSTS))
        status = prf_yaml_fail(hosts, err, PRF_EINVAL, "hosts: list 1 to %d of them", (int)PRF_SSH_HOSTS);
    if (!status && !(file->hosts = calloc(prf_yaml_count(hosts), sizeof *file->hosts)))
        status = prf_fail(err, PRF_ENOMEM, "the list of hosts");
    for (const prf_yaml_node_t *map = status ? NULL : prf_yaml_first(hosts); !status && map; map = prf_yaml_next(map))
        status = add_host(file, &defaults, map, err);
    return status;
}

/* Takes the document over. */
static prf_status_t take(prf_ssh_file_t *out, prf_yaml_t *document, const char *path, prf_error_t *err)
{
    prf_ssh_file_t file = {.document = document, .path = path, .keys = "keys"};
    prf_status_t status = read_all(&file, err);
    if (status)
        prf_ssh_file_release(&file);
    else
        *out = file;
    return status;
}

prf_status_t prf_ssh_file_parse(prf_ssh_file_t *out, const char *text, const char *name, prf_error_t *err)
{
    prf_yaml_t *document;
    prf_status_t status = prf_yaml_open(&document, text, strlen(text), name, err);
    return status ? status : take(out, document, name, err);
}

prf_status_t prf_ssh_file_read(prf_ssh_file_t *out, const char *path, prf_error_t *err)
{
    prf_yaml_t *document;
    prf_status_t status = prf_yaml_open_file(&document, path, PRF_SSH_FILE_BYTES, err);
    return status ? status : take(out, document, path, err);
}

void prf_ssh_file_release(prf_ssh_file_t *self)
{
    free(self->hosts);
    self->hosts = NULL;
    self->count = 0;
    prf_yaml_destroy(&self->document);
}

prf_status_t prf_ssh_path(const prf_ssh_file_t *self, const char *path, char out[PATH_MAX], prf_error_t *err)
{
    const char *slash = strrchr(self->path, '/');
    int folder = slash && *path != '/' && *path != '~' ? (int)(slash - self->path + 1) : 0;
    if (snprintf(out, PATH_MAX, "%.*s%s", folder, self->path, path) >= PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "%.200s...: path too long: use a shorter one", path);
    return PRF_OK;
}

void prf_ssh_board(const prf_ssh_host_t *host, int64_t board, char out[PRF_NAME])
{
    if (host->boards == 1)
        snprintf(out, PRF_NAME, "%s", host->name);
    else
        snprintf(out, PRF_NAME, "%s-%d", host->name, (int)board + 1);
}
