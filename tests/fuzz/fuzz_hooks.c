// SPDX-License-Identifier: Apache-2.0
/* fuzz_hooks.c - the file that says how boards are power-cycled, and the commands that it gives for boards of any name. */
#include <string.h>

#include "coordinator/hooks_file.h"
#include "fuzz.h"

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    static const char *const boards[] = {"rack1-7", "a", "x.y_z-000000000000000000000000000000000000000000000000000000000"};
    prf_hook_list_t list;
    prf_error_t err;
    if (len > PRF_HOOKS_BYTES || prf_hook_list_parse(&list, (const char *)bytes, len, "hooks.yaml", &err))
        return false;
    for (size_t i = 0; i < sizeof boards / sizeof *boards; i++) {
        const prf_hook_t *hook = prf_hook_list_find(&list, boards[i]);
        char **argv = hook ? prf_hook_argv(hook, boards[i], "cpu") : NULL;
        MUST(!hook || (argv && argv[0] && argv[0][0]), "%s: no command", boards[i]);
        prf_hook_argv_free(argv);
    }
    prf_hook_list_release(&list);
    return true;
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const char *const texts[] = {
        "- boards: 'rack1-*'\n"
        "  command: [/usr/local/bin/pdu, --outlet, '{board}', '{kind}{board}', cycle]\n"
        "  on: [quarantined, lost]\n"
        "  timeout_s: 30\n"
        "  at_most_per_day: 3\n"
        "  delay_s: 45\n"
        "- boards: '?'\n"
        "  command: [ssh, 'root@{board}', reboot]\n",
        "[{boards: '*', command: [reboot]}]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(arg, texts[i], strlen(texts[i]));
}
