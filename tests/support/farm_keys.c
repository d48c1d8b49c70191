// SPDX-License-Identifier: Apache-2.0
/* A farm with keys: its files are in the farm's folder, as prfarm's programs get them. */
#include "farm.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char *in_dir(const farm_t *farm, const char *name, const char *suffix, char path[FARM_PATH + 64])
{
    snprintf(path, FARM_PATH + 64, "%s/%.40s%s", farm->dir, name, suffix);
    return path;
}

void farm_keygen(const farm_t *farm, const char *name, char text[PRF_KEY_TEXT])
{
    char key_path[PATH_MAX], public_path[PATH_MAX];
    prf_keypair_t pair;
    prf_error_t err = {0};
    prf_keypair_new(&pair);
    cr_assert_eq(prf_keypair_write(&pair, farm->dir, name, key_path, public_path, &err), PRF_OK, "%s", err.text);
    if (text)
        prf_key_format(&pair.public_key, text);
    prf_keypair_wipe(&pair);
}

void farm_identity(const farm_t *farm, const char *name, prf_identity_t *out)
{
    char key[FARM_PATH + 64], server[FARM_PATH + 64];
    prf_error_t err = {0};
    in_dir(farm, name, ".key", key);
    in_dir(farm, "coordinator", ".pub", server);
    cr_assert_eq(prf_identity_load(out, key, server, &err), PRF_OK, "%s", err.text);
}

void farm_allow(const farm_t *farm, const char *list)
{
    char path[FARM_PATH + 64], text[8192];
    size_t used = 0;
    for (const char *p = list; *p;) {
        const char *at = strchr(p, '@'), *end = at ? at : p + strlen(p);
        cr_assert_lt((size_t)(end - p) + PRF_KEY_TEXT + used, sizeof text);
        memcpy(text + used, p, (size_t)(end - p));
        used += (size_t)(end - p);
        p = end;
        if (!at)
            break;
        char name[40];
        size_t len = strcspn(at + 1, " \n");
        snprintf(name, sizeof name, "%.*s", (int)len, at + 1);
        prf_key_t key;
        prf_error_t err = {0};
        cr_assert_eq(prf_key_load(&key, in_dir(farm, name, ".pub", path), &err), PRF_OK, "%s", err.text);
        prf_key_format(&key, text + used);
        used += PRF_KEY_TEXT - 1;
        p = at + 1 + len;
    }
    prf_error_t err = {0};
    cr_assert_eq(prf_file_write(in_dir(farm, "allow", "", path), text, used, &err), PRF_OK, "%s", err.text);
}

void farm_start_keyed(farm_t *farm, const char *list, const char *where)
{
    static const char *const names[] = {"coordinator", "worker", "operator", "viewer", "stranger"};
    farm_make(farm);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        farm_keygen(farm, names[i], NULL);
    farm_allow(farm, list ? list : "worker @worker worker\noperator @operator operator\nviewer @viewer viewer\n");
    farm->keyed = true;
    if (where)
        snprintf(farm->name, sizeof farm->name, "%s", where);
    farm_start_coordinator(farm, NULL);
    farm_connect_client(farm, "operator");
}
