// SPDX-License-Identifier: Apache-2.0
/* dispatch.c - everything but finding the command is the command's own, its page and its candidates too: so those questions are
 * handed down with the command's name in front. */
#include "dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "output.h"

enum { COMMANDS = 64 };

typedef struct {
    const prf_usage_t *usage;      /* borrowed, as is all here */
    const prf_command_t *commands; /* ends with a NULL name */
} table_t;

static const prf_command_t *find(const table_t *table, const char *name)
{
    const prf_command_t *c = table->commands;
    while (c->name && (!c->run || strcmp(c->name, name) != 0))
        c++;
    return c->name ? c : NULL;
}

static int refuse(const table_t *table, const char *word)
{
    prf_error_t err = {0};
    prf_near_t near = {.word = word ? word : ""};
    char above[PRF_USAGE_NAME];
    prf_usage_name(table->usage, above);
    for (const prf_command_t *c = table->commands; c->name && word; c++)
        if (c->run)
            prf_near_offer(&near, c->name);
    if (near.best)
        prf_fail(&err, PRF_EUSAGE, "there is no command '%.40s': did you mean '%s %s'?", word, above, near.best);
    else if (word)
        prf_fail(&err, PRF_EUSAGE, "there is no command '%.40s'; the commands are", word);
    else
        prf_fail(&err, PRF_EUSAGE, "a command is missing; the commands are");
    int code = prf_report(&err);
    for (const prf_command_t *c = table->commands; c->name && !near.best; c++)
        if (c->run)
            fprintf(stderr, "  %-12s %s\n", c->name, c->summary);
    fprintf(stderr, "'%s --help' tells more\n", above);
    return code;
}

/* What stands before any command: --help, --version, the beginning of a word that a shell completes. */
static int run_above(const table_t *table, int argc, char **argv)
{
    const prf_option_t none[] = {{.name = NULL}};
    prf_word_t listed[COMMANDS] = {{NULL, NULL}};
    for (size_t i = 0; table->commands[i].name && i + 1 < COMMANDS; i++)
        listed[i] = (prf_word_t){table->commands[i].name, table->commands[i].summary};
    prf_usage_t usage = *table->usage;
    usage.commands = listed;
    prf_words_t words;
    int code = 0;
    if (prf_options_parse(&usage, none, argc, argv, &words, &code))
        return refuse(table, words.count ? words.items[0] : NULL);
    return code;
}

/* "prfarm help run" is "prfarm run --help", "prfarm help fleet slurm" is "prfarm fleet slurm --help". */
static int help(const table_t *table, int argc, char **argv)
{
    char flag[] = "--help";
    const prf_command_t *command = argc < 3 ? NULL : find(table, argv[2]);
    if (argc >= 3 && !command)
        return refuse(table, argv[2]);
    char *words[] = {argc < 3 ? argv[0] : argv[2], argc > 3 ? argv[3] : flag, argc > 3 ? flag : NULL, NULL};
    return command ? command->run(argc > 3 ? 3 : 2, words) : run_above(table, 2, words);
}

/* `prfarm --complete run --o`: the command itself knows what it takes. */
static int complete(const table_t *table, int argc, char **argv)
{
    const prf_command_t *command = argc > 3 ? find(table, argv[2]) : NULL;
    if (argc <= 3 || (argc == 4 && strcmp(argv[2], "help") == 0)) {
        char *words[] = {argv[0], argv[1], argc > 2 ? argv[argc - 1] : NULL, NULL};
        return run_above(table, argc > 2 ? 3 : 2, words);
    }
    if (!command)
        return 0;
    char *name = argv[2];
    argv[2] = argv[1];
    argv[1] = name;
    return command->run(argc - 1, argv + 1);
}

int prf_dispatch(const prf_usage_t *usage, const prf_command_t *commands, int argc, char **argv)
{
    const table_t table = {usage, commands};
    if (argc < 2)
        return refuse(&table, NULL);
    if (strcmp(argv[1], "--complete") == 0)
        return complete(&table, argc, argv);
    if (strcmp(argv[1], "help") == 0)
        return help(&table, argc, argv);
    if (argv[1][0] == '-')
        return run_above(&table, argc, argv);
    const prf_command_t *command = find(&table, argv[1]);
    return command ? command->run(argc - 1, argv + 1) : refuse(&table, argv[1]);
}
