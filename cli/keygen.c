// SPDX-License-Identifier: Apache-2.0
/* keygen.c - `prfarm keygen`: a key pair for a coordinator, a worker or a person. */
#include <limits.h>

#include "cli.h"
#include "net/keys.h"

static const prf_usage_t usage = {
    .name = "keygen",
    .synopsis = "NAME [--out DIR]",
    .purpose = "Makes a key pair: NAME.key, which stays secret, and NAME.pub, which is shown to others.",
    .text = "One pair for the coordinator, one for each board or person. The coordinator lets in the\n"
            "public keys of its list (docs/security.md), and the others know it by its public key:\n\n"
            "  prfarm keygen coordinator\n"
            "  prfarm keygen board7\n"
            "  echo \"worker $(cat board7.pub) kinds=zcu102 board7\" >> allow.txt\n"
            "  prfarm-coordinator --farm tcp://0.0.0.0:7700 --key coordinator.key --allow allow.txt\n"
            "  prfarm-worker --farm tcp://HOST:7700 --key board7.key --server coordinator.pub ...\n",
    .least = 1,
    .most = 1,
};

static int print_json(const char *name, const char *public_key, const char *key_path, const char *public_path)
{
    return prf_print_json(
        json_pack("{s:s, s:s, s:s, s:s}", "name", name, "public", public_key, "key_file", key_path, "public_file", public_path));
}

int prf_cmd_keygen(int argc, char **argv)
{
    const char *folder = ".";
    bool json = false;
    const prf_option_t options[] = {
        {.name = "out", .value = "DIR", .help = "where to (default: here)", .text = &folder},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (!prf_options_parse(&usage, options, argc, argv, &words, &code))
        return code;
    char key_path[PATH_MAX], public_path[PATH_MAX], text[PRF_KEY_TEXT];
    prf_error_t err = {0};
    prf_keypair_t pair;
    prf_keypair_new(&pair);
    prf_key_format(&pair.public_key, text);
    prf_status_t failed = prf_keypair_write(&pair, folder, words.items[0], key_path, public_path, &err);
    prf_keypair_wipe(&pair);
    if (failed)
        return prf_report(&err);
    if (json)
        return print_json(words.items[0], text, key_path, public_path);
    printf("%s  secret: keep it on the machine that uses it\n%s  public: %s\n", key_path, public_path, text);
    return 0;
}
