// SPDX-License-Identifier: Apache-2.0
/* completion.c - `prfarm completion`: the script that makes a shell complete prfarm's command lines. The scripts know nothing of
 * prfarm: they ask the program (complete.h), so that they need no change when it gets a new option. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "completion_scripts.h"

static const prf_usage_t usage = {
    .name = "completion",
    .synopsis = "bash | zsh | fish",
    .purpose = "Prints the script that completes prfarm's commands and options in a shell.",
    .text = "Installed packages have it in place. By hand, in a shell's start-up file:\n\n"
            "  source <(prfarm completion bash)            # ~/.bashrc\n"
            "  source <(prfarm completion zsh)             # ~/.zshrc, behind compinit\n"
            "  prfarm completion fish | source             # ~/.config/fish/config.fish\n",
    .complete = "bash zsh fish",
    .least = 1,
    .most = 1,
};

int prf_cmd_completion(int argc, char **argv)
{
    const prf_option_t none[] = {{.name = NULL}};
    prf_words_t words;
    int code;
    if (!prf_options_parse(&usage, none, argc, argv, &words, &code))
        return code;
    for (size_t i = 0; i < PRF_COMPLETION_SCRIPTS; i++) {
        if (strcmp(words.items[0], prf_completion_scripts[i].shell) == 0) {
            fputs(prf_completion_scripts[i].text, stdout);
            return prf_finish_stdout();
        }
    }
    prf_error_t err = {0};
    prf_fail(&err, PRF_EUSAGE, "there is no script for '%.40s': use bash, zsh or fish", words.items[0]);
    return prf_report(&err);
}
