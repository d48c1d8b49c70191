// SPDX-License-Identifier: Apache-2.0
/* upkeep.c - `prfarm fsck` and `prfarm backup`: what they print and the code they end with are the coordinator's program's. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/process.h"
#include "cli.h"

enum { WORDS = 16 };

/* Becomes `prfarm-coordinator`, which alone knows LMDB, on the store (STORE, or DIR/store when `dir` is given) with these options,
 * which NULL ends. Returns, with the exit code, only when it cannot be started. */
static int become(const char *store, const char *dir, const char *const *options)
{
    char program[PATH_MAX], path[PATH_MAX];
    const char *argv[WORDS] = {program, "--store", store};
    size_t count = 3;
    prf_error_t err = {0};
    prf_process_sibling("prfarm-coordinator", program, sizeof program);
    if (dir) {
        if (snprintf(path, sizeof path, "%s/store", dir) >= (int)sizeof path) {
            prf_fail(&err, PRF_EINVAL, "%.100s...: the folder's path is too long: use a shorter one", dir);
            return prf_report(&err);
        }
        argv[2] = path;
    }
    while (*options && count + 1 < WORDS)
        argv[count++] = *options++;
    fflush(stdout);
    execvp(program, (char *const *)argv);
    prf_fail_sys(&err, errno, "install it beside prfarm: %s", program);
    return prf_report(&err);
}

/* STORE [REST] or --dir DIR [REST]: the words that are not the store. NULL: the store is missing or too much is there. */
static const char *const *rest_of(const prf_words_t *words, const char *dir, size_t wanted)
{
    size_t used = dir ? 0 : 1;
    return words->count == used + wanted ? words->items + used : NULL;
}

static const prf_usage_t fsck_usage = {
    .name = "fsck",
    .synopsis = "(STORE | --dir DIR) [--salvage NEW]",
    .purpose = "Checks a store: its pages, and the checksum of every value.",
    .text = "STORE is the folder that 'prfarm-coordinator --store' is given; no coordinator may work on\n"
            "it (check a backup meanwhile). What is damaged is told, with its place, its table and its\n"
            "key; then the exit code is 3. --salvage brings all that is whole into the new folder NEW,\n"
            "on which a coordinator starts and measures again what is missing. STORE is left as it is.\n\n"
            "  prfarm fsck prfarm-store\n"
            "  prfarm fsck prfarm-store --salvage mended\n",
    .complete = "/",
    .most = 1,
};

int prf_cmd_fsck(int argc, char **argv)
{
    const char *dir = NULL, *salvage = NULL;
    bool json = false;
    const prf_option_t table[] = {
        {.name = "dir", .value = "DIR", .help = "the folder of a 'prfarm run', in place of STORE", .text = &dir},
        {.name = "salvage", .value = "NEW", .help = "bring what is whole into this new folder", .complete = "/", .text = &salvage},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words = {0};
    prf_error_t err = {0};
    int code;
    if (!prf_options_parse(&fsck_usage, table, argc, argv, &words, &code))
        return code;
    if (!rest_of(&words, dir, 0)) {
        prf_fail(&err, PRF_EUSAGE, "name one store, as in 'prfarm fsck prfarm-store' or 'prfarm fsck --dir DIR'");
        return prf_report(&err);
    }
    const char *options[5] = {"--fsck"};
    size_t count = 1;
    if (json)
        options[count++] = "--json";
    if (salvage) {
        options[count++] = "--salvage";
        options[count++] = salvage;
    }
    options[count] = NULL;
    return become(words.items[0], dir, options);
}

static const prf_usage_t backup_usage = {
    .name = "backup",
    .synopsis = "(STORE | --dir DIR) OUT",
    .purpose = "Copies a store into the new folder OUT, also while its coordinator works on it.",
    .text = "The copy is what the last commit held: every result that was acknowledged before. It is\n"
            "checked before it gets its name, so a folder OUT is always a whole store. To restore,\n"
            "copy the folder to where the store was and start the coordinator on it.\n\n"
            "  prfarm backup prfarm-store backups/monday\n"
            "  prfarm backup --dir first backups/first\n",
    .complete = "/;/",
    .least = 1,
    .most = 2,
};

int prf_cmd_backup(int argc, char **argv)
{
    const char *dir = NULL;
    bool json = false;
    const prf_option_t table[] = {
        {.name = "dir", .value = "DIR", .help = "the folder of a 'prfarm run', in place of STORE", .text = &dir},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words = {0};
    prf_error_t err = {0};
    int code;
    if (!prf_options_parse(&backup_usage, table, argc, argv, &words, &code))
        return code;
    const char *const *rest = rest_of(&words, dir, 1);
    if (!rest) {
        prf_fail(&err, PRF_EUSAGE,
                 "name a store and a new folder, as in 'prfarm backup prfarm-store OUT' or 'prfarm backup --dir DIR OUT'");
        return prf_report(&err);
    }
    const char *const options[] = {"--backup", rest[0], json ? "--json" : NULL, NULL};
    return become(words.items[0], dir, options);
}
