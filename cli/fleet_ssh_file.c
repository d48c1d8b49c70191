// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_file.c - a host begins as a copy of the defaults, so that what is not given has one place. What ends up in a command
 * line of ssh may hold nothing that ssh would take for an option or a second word. */
#include "fleet_ssh_file.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"

#define WORD_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

typedef enum {
    NAME, /* as prf_name_check takes it */
    WORD, /* for ssh: letters, digits, '.', '_', '-'; and of addresses ':' and '%' */
    PATH, /* without blanks and control characters */
    TEXT  /* without control characters */
} form_t;

typedef struct {
    const char *key;
    form_t form;
    size_t offset; /* of a const char * */
} field_t;

#define TOP(member) offsetof(prf_ssh_file_t, member)
static const field_t top_fields[] = {
    {"fleet", NAME, TOP(fleet)},
    {"farm", TEXT, TOP(farm)},
    {"server", PATH, TOP(server)},
    {"keys", TEXT, TOP(keys)},
    {"allow", TEXT, TOP(allow)},
    {"from", TEXT, TOP(from)},
    {NULL, NAME, 0},
};

#define HOST(member) offsetof(prf_ssh_host_t, member)
static const field_t host_fields[] = {
    {"host", WORD, HOST(host)},
    {"name", NAME, HOST(name)},
    {"user", WORD, HOST(user)},
    {"identity", PATH, HOST(identity)},
    {"known_hosts", PATH, HOST(known_hosts)},
    {"kind", NAME, HOST(kind)},
    {"backend", NAME, HOST(backend)},
    {NULL, NAME, 0},
};

static const char *const top_keys[] = {"fleet", "farm", "server", "keys", "allow", "from", "defaults", "hosts", NULL};
static const char *const default_keys[] = {"user", "identity", "known_hosts", "port", "kind", "backend", "options", "boards", NULL};
static const char *const host_keys[] = {"host", "name",    "user",    "identity", "known_hosts", "port",
                                        "kind", "backend", "options", "boards",   NULL};

static prf_status_t check_text(const prf_yaml_node_t *node, const char *key, form_t form, const char *text, prf_error_t *err)
{
    if (form == NAME && prf_name_check(key, text, err))
        return prf_yaml_fail_prefix(node, err, PRF_EINVAL);
    if (strlen(text) > 1000 || !*text)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: use 1 to 1000 characters", key);
    if (form == WORD && (*text == '-' || text[strspn(text, WORD_CHARS ":%")]))
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s '%.60s': use letters, digits, '.', '_' and '-', and no '-' to begin with",
                             key, text);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || (form == PATH && strchr(" \"'", *c)))
            return prf_yaml_fail(node, err, PRF_EINVAL, "%s '%.60s': use a text without %scontrol characters", key, text,
                                 form == PATH ? "blanks, quotes and " : "");
    return PRF_OK;
}

static prf_status_t read_text(const prf_yaml_node_t *node, const char *key, form_t form, const char **out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_text(node, key, out, err);
    return status ? status : check_text(node, key, form, *out, err);
}

static prf_status_t read_fields(const field_t *fields, void *out, const prf_yaml_node_t *map, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (const field_t *f = fields; f->key && !status; f++) {
        const prf_yaml_node_t *node = prf_yaml_get(map, f->key);
        const char *text = NULL;
        if (!node)
            continue;
        status = read_text(node, f->key, f->form, &text, err);
        memcpy((char *)out + f->offset, &text, sizeof text);
    }
    return status;
}

static prf_status_t read_options(prf_ssh_host_t *host, const prf_yaml_node_t *map, prf_error_t *err)
{
    if (!map)
        return PRF_OK;
    prf_status_t status = prf_yaml_expect(map, PRF_YAML_MAP, "options", err);
    host->option_count = 0;
    for (const prf_yaml_node_t *value = prf_yaml_first(map); !status && value; value = prf_yaml_next(value)) {
        bool list = prf_yaml_kind(value) == PRF_YAML_LIST;
        if (prf_name_check("an option's name", prf_yaml_key(value), err))
            return prf_yaml_fail_prefix(value, err, PRF_EINVAL);
        for (const prf_yaml_node_t *item = list ? prf_yaml_first(value) : value; !status && item;
             item = list ? prf_yaml_next(item) : NULL) {
            if (host->option_count == PRF_SSH_OPTIONS)
                return prf_yaml_fail(item, err, PRF_EINVAL, "options: use at most %d", (int)PRF_SSH_OPTIONS);
            prf_ssh_option_t *option = &host->options[host->option_count++];
            option->key = prf_yaml_key(value);
            status = read_text(item, option->key, TEXT, &option->value, err);
        }
    }
    return status;
}

/* What defaults and hosts have alike. */
static prf_status_t read_host(prf_ssh_host_t *host, const char *const *keys, const char *what, const prf_yaml_node_t *map,
                              prf_error_t *err)
{
    const prf_yaml_node_t *port = prf_yaml_get(map, "port"), *boards = prf_yaml_get(map, "boards");
    prf_status_t status = prf_yaml_expect(map, PRF_YAML_MAP, what, err);
    if (!status)
        status = prf_yaml_only(map, what, keys, err);
    if (!status)
        status = read_fields(host_fields, host, map, err);
    if (!status && port)
        status = prf_yaml_int(port, "port", 1, 65535, &host->port, err);
    if (!status && boards)
        status = prf_yaml_int(boards, "boards", 1, PRF_SSH_BOARDS, &host->boards, err);
    return status ? status : read_options(host, prf_yaml_get(map, "options"), err);
}

static prf_status_t add_host(prf_ssh_file_t *file, const prf_ssh_host_t *defaults, const prf_yaml_node_t *map, prf_error_t *err)
{
    prf_ssh_host_t *host = &file->hosts[file->count];
    *host = *defaults;
    prf_status_t status = read_host(host, host_keys, "hosts", map, err);
    if (status)
        return status;
    const char *missing = !host->host ? "host" : !host->kind ? "kind" : !host->backend ? "backend" : NULL;
    if (missing)
        return prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is missing: give it here%s", missing,
                             host->host ? ", or for all hosts in 'defaults'" : "");
    if (!host->name) {
        host->name = host->host;
        if (prf_name_check("name", host->name, err))
            return prf_yaml_fail_prefix(prf_yaml_get(map, "host"), err, PRF_EINVAL);
    }
    if (strlen(host->name) + 4 > PRF_NAME - 1)
        return prf_yaml_fail(map, err, PRF_EINVAL, "name '%.60s': give one of at most %d characters", host->name, PRF_NAME - 5);
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->hosts[i].name, host->name) == 0)
            return prf_yaml_fail(map, err, PRF_EINVAL, "'%s' is there twice: give one of them a 'name' of its own", host->name);
    file->count++;
    return PRF_OK;
}

static prf_status_t read_top(prf_ssh_file_t *file, const prf_yaml_node_t *root, prf_error_t *err)
{
    prf_endpoints_t endpoints;
    prf_status_t status = prf_yaml_expect(root, PRF_YAML_MAP, "the file", err);
    if (!status)
        status = prf_yaml_only(root, "the file", top_keys, err);
    if (!status)
        status = read_fields(top_fields, file, root, err);
    const char *missing = !file->fleet ? "fleet" : !file->farm ? "farm" : !file->from ? "from" : NULL;
    if (!status && (missing || !prf_yaml_get(root, "hosts")))
        status = prf_yaml_fail(root, err, PRF_EINVAL, "'%s' is missing: give it, as docs/howto/ssh-fleet.md does",
                               missing ? missing : "hosts");
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
        status = read_host(&defaults, default_keys, "defaults", common, err);
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
