// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_keys.c - pairs are made on this machine, because a host that is new has no program yet that could; what is secret goes
 * to its host in the encrypted connection and stays here in files that only their owner reads. A line of the allow-list is added
 * and never changed: what a person wrote there stands. */
#include "fleet_ssh_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "net/keys.h"

enum { KEY_FILE_BYTES = 4096, ALLOW_BYTES = 4 << 20 };

static prf_status_t key_path(const prf_ssh_file_t *file, const prf_ssh_host_t *host, char out[PATH_MAX], prf_error_t *err)
{
    char folder[PATH_MAX];
    prf_status_t status = prf_ssh_path(file, file->keys, folder, err);
    if (!status && snprintf(out, PATH_MAX, "%s/%s.key", folder, host->name) >= PATH_MAX)
        status = prf_fail(err, PRF_EINVAL, "%.200s...: path too long: use a shorter one", folder);
    return status;
}

static prf_status_t make_pair(const prf_ssh_file_t *file, const prf_ssh_host_t *host, prf_error_t *err)
{
    char folder[PATH_MAX], secret[PATH_MAX], public[PATH_MAX];
    prf_keypair_t pair;
    prf_status_t status = prf_ssh_path(file, file->keys, folder, err);
    if (!status)
        status = prf_file_mkdirs(folder, 0700, err);
    if (status)
        return status;
    prf_keypair_new(&pair);
    status = prf_keypair_write(&pair, folder, host->name, secret, public, err);
    prf_keypair_wipe(&pair);
    return status;
}

/* The pair, made where it is missing; loading it checks that nobody else can read it. */
static prf_status_t load_pair(const prf_ssh_file_t *file, const prf_ssh_host_t *host, char path[PATH_MAX], prf_key_t *public,
                              prf_error_t *err)
{
    prf_keypair_t pair;
    prf_status_t status = key_path(file, host, path, err);
    if (!status && access(path, F_OK) != 0)
        status = make_pair(file, host, err);
    if (!status)
        status = prf_keypair_load(&pair, path, err);
    if (status)
        return status;
    *public = pair.public_key;
    prf_keypair_wipe(&pair);
    return PRF_OK;
}

static prf_status_t load_server(const prf_ssh_file_t *file, char **text, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_key_t key;
    if (!prf_key_parse(&key, file->server)) {
        prf_status_t status = prf_ssh_path(file, file->server, path, err);
        if (!status)
            status = prf_key_load(&key, path, err);
        if (status)
            return status;
    }
    *text = calloc(1, PRF_KEY_TEXT);
    if (!*text)
        return prf_fail(err, PRF_ENOMEM, "the coordinator's key");
    prf_key_format(&key, *text);
    return PRF_OK;
}

prf_status_t prf_ssh_keys_load(prf_ssh_keys_t *out, const prf_ssh_file_t *file, const prf_ssh_host_t *host, prf_error_t *err)
{
    prf_ssh_keys_t keys = {NULL, NULL};
    char path[PATH_MAX];
    prf_key_t public;
    size_t len;
    prf_status_t status = PRF_OK;
    if (file->server) {
        status = load_pair(file, host, path, &public, err);
        if (!status)
            status = prf_file_read(path, KEY_FILE_BYTES, &keys.key, &len, err);
        if (!status)
            status = load_server(file, &keys.server, err);
    }
    if (status)
        prf_ssh_keys_release(&keys);
    else
        *out = keys;
    return status;
}

void prf_ssh_keys_release(prf_ssh_keys_t *self)
{
    if (self->key)
        explicit_bzero(self->key, strlen(self->key));
    free(self->key);
    free(self->server);
    self->key = self->server = NULL;
}

/* Lines for the wanted hosts whose key the list does not have. */
static prf_status_t missing_lines(const prf_ssh_file_t *file, const bool *wanted, const char *list, prf_text_t *lines,
                                  prf_error_t *err)
{
    for (size_t i = 0; i < file->count; i++) {
        char path[PATH_MAX], text[PRF_KEY_TEXT];
        prf_key_t public;
        if (!wanted[i])
            continue;
        prf_status_t status = load_pair(file, &file->hosts[i], path, &public, err);
        if (status)
            return status;
        prf_key_format(&public, text);
        if (!strstr(list, text))
            prf_text_add(lines, "worker %s kinds=%s sessions=%d %s\n", text, file->hosts[i].kind, (int)file->hosts[i].boards,
                         file->hosts[i].name);
    }
    return lines->failed ? prf_fail(err, PRF_ENOMEM, "lines of the allow-list") : PRF_OK;
}

static prf_status_t append(const char *path, const char *list, const prf_text_t *lines, prf_error_t *err)
{
    prf_text_t all;
    size_t len = strlen(list);
    prf_text_init(&all);
    prf_text_append(&all, list, len);
    if (len && list[len - 1] != '\n')
        prf_text_add(&all, "\n");
    prf_text_append(&all, prf_text_get(lines), lines->len);
    prf_status_t status = all.failed ? prf_fail(err, PRF_ENOMEM, "the allow-list") : prf_file_write(path, all.data, all.len, err);
    prf_text_release(&all);
    return status;
}

prf_status_t prf_ssh_keys_allow(const prf_ssh_file_t *file, const bool *wanted, prf_text_t *missing, prf_error_t *err)
{
    char path[PATH_MAX], *list = NULL;
    size_t len = 0;
    prf_status_t status = PRF_OK;
    if (!file->server)
        return PRF_OK;
    if (file->allow) {
        status = prf_ssh_path(file, file->allow, path, err);
        if (!status)
            status = prf_file_read(path, ALLOW_BYTES, &list, &len, err);
    }
    if (!status)
        status = missing_lines(file, wanted, list ? list : "", missing, err);
    if (!status && file->allow && missing->len) {
        status = append(path, list ? list : "", missing, err);
        prf_text_clear(missing);
    }
    free(list);
    return status;
}
