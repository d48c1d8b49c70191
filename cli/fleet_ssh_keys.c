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

prf_status_t prf_ssh_server_load(const prf_ssh_file_t *file, char text[PRF_KEY_TEXT], prf_error_t *err)
{
    char path[PATH_MAX];
    prf_key_t key;
    text[0] = '\0';
    if (!file->server)
        return PRF_OK;
    if (!prf_key_parse(&key, file->server)) {
        prf_status_t status = prf_ssh_path(file, file->server, path, err);
        if (!status)
            status = prf_key_load(&key, path, err);
        if (status)
            return status;
    }
    prf_key_format(&key, text);
    return PRF_OK;
}

/* Loading checks that nobody else can read it. */
prf_status_t prf_ssh_keys_load(prf_ssh_keys_t *out, const prf_ssh_file_t *file, const prf_ssh_host_t *host, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_keypair_t pair;
    size_t len;
    if (!file->server)
        return PRF_OK;
    prf_status_t status = key_path(file, host, path, err);
    if (!status && access(path, F_OK) != 0)
        status = make_pair(file, host, err);
    if (!status)
        status = prf_keypair_load(&pair, path, err);
    if (status)
        return status;
    prf_key_format(&pair.public_key, out->public);
    prf_keypair_wipe(&pair);
    return prf_file_read(path, KEY_FILE_BYTES, &out->secret, &len, err);
}

void prf_ssh_keys_release(prf_ssh_keys_t *self)
{
    if (self->secret)
        explicit_bzero(self->secret, strlen(self->secret));
    free(self->secret);
    *self = (prf_ssh_keys_t){.secret = NULL};
}

/* Lines for the hosts whose key the list does not have, behind an end for its last line where that has none. */
static void add_missing(const prf_ssh_file_t *file, const prf_ssh_keys_t *keys, const char *list, prf_text_t *lines)
{
    size_t len = strlen(list);
    for (size_t i = 0; i < file->count; i++) {
        if (!keys[i].secret || strstr(list, keys[i].public))
            continue;
        if (!lines->len && len && list[len - 1] != '\n')
            prf_text_add(lines, "\n");
        prf_text_add(lines, "worker %s kinds=%s sessions=%d %s\n", keys[i].public, file->hosts[i].kind, (int)file->hosts[i].boards,
                     file->hosts[i].name);
    }
}

prf_status_t prf_ssh_keys_allow(const prf_ssh_file_t *file, const prf_ssh_keys_t *keys, prf_text_t *missing, prf_error_t *err)
{
    char path[PATH_MAX], *list = NULL;
    size_t len = 0;
    prf_status_t status = PRF_OK;
    if (file->allow) {
        status = prf_ssh_path(file, file->allow, path, err);
        if (!status)
            status = prf_file_read(path, ALLOW_BYTES, &list, &len, err);
    }
    if (!status)
        add_missing(file, keys, list ? list : "", missing);
    free(list);
    if (missing->failed)
        status = prf_fail(err, PRF_ENOMEM, "lines of the allow-list");
    if (!status && file->allow && missing->len) {
        status = prf_file_append(path, missing->data, missing->len, err);
        prf_text_clear(missing);
    }
    return status;
}
