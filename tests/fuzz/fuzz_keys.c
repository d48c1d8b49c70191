// SPDX-License-Identifier: Apache-2.0
/* fuzz_keys.c - an allow-list, a public key, a secret key file: whatever was copied, mailed or edited by hand. Each input is tried
 * as all three. */
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "net/allow_list.h"
#include "tests/fuzz/memory_file.h"

static bool try_list(const char *text)
{
    prf_allow_list_t list;
    prf_error_t err;
    if (prf_allow_list_parse(&list, "allow", text, &err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const prf_allow_t *entry = &list.entries[i];
        MUST(prf_allow_list_find(&list, &entry->key) == entry, "entry %zu is not found", i);
        MUST((unsigned)entry->role < PRF_ROLES && entry->kind_count <= PRF_ALLOW_KINDS, "entry %zu", i);
        MUST(prf_name_check("name", entry->name, &err) == PRF_OK, "%s", err.text);
        prf_allow_serves(entry, "cpu");
    }
    bool some = list.count > 0;
    prf_allow_list_release(&list);
    return some;
}

static bool try_files(const uint8_t *bytes, size_t len)
{
    memory_file_t file;
    prf_key_t key;
    prf_keypair_t pair;
    prf_error_t err;
    memory_file_open(&file, bytes, len);
    bool public_key = prf_key_load(&key, file.path, &err) == PRF_OK;
    MUST(fchmod(file.fd, 0600) == 0, "fchmod");
    bool secret = prf_keypair_load(&pair, file.path, &err) == PRF_OK;
    memory_file_close(&file);
    return public_key || secret;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);
    MUST(text, "%zu bytes", len);
    memcpy(text, bytes, len);
    text[len] = '\0';
    bool list = try_list(text), file = try_files(bytes, len);
    free(text);
    return list || file;
}

/* Keys that anybody may know. */
#define ONE "2fe57da347cd62431528daac5fbb290730fff684afc4cfc2ed90995f58cb3b74"
#define TWO "0900000000000000000000000000000000000000000000000000000000000000"

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const char *const texts[] = {
        "# the lab\nworker " ONE " kinds=zcu102,vta sessions=2 rack-1 # the first rack\r\noperator " TWO " ada\n",
        "viewer " TWO " wall-display\n",
        ONE "\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(arg, texts[i], strlen(texts[i]));

    prf_key_t secret, key;
    char text[256], hex[PRF_KEY_TEXT];
    MUST(prf_key_parse(&secret, TWO) && crypto_scalarmult_base(key.bytes, secret.bytes) == 0, "a key");
    prf_key_format(&key, hex);
    int len = snprintf(text, sizeof text, "prfarm-key 1\npublic %s\nsecret " TWO "\n", hex);
    add(arg, text, (size_t)len);
}
