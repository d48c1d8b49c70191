// SPDX-License-Identifier: Apache-2.0
/* main.c - finds the subcommand. Everything else is the subcommand's. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "cli.h"

enum { COMMANDS = 64 };

static prf_word_t commands[COMMANDS]; /* prf_commands, for the manual and for shells */

static const prf_word_t environment[] = {
    {"NO_COLOR", "set to anything: no colours on a terminal"},
    {"PRFARM_FARM", "stands for --farm where that is not given; 'prfarm run' and --dir pass over it"},
    {"PRFARM_KEY", "stands for --key: the file's name, never the key itself"},
    {"PRFARM_SERVER", "stands for --server"},
    {"LC_ALL, LC_CTYPE, LANG", "the first that is set tells whether UTF-8 may be drawn with"},
    {"TMPDIR", "where the sockets of a run are made; its path must be short (default /tmp)"},
    {NULL, NULL},
};

static const prf_usage_t usage = {
    .program = "prfarm",
    .synopsis = "COMMAND [ARGUMENTS]",
    .purpose = "Benchmarks boards with Performance Representatives and makes latency models of them.",
    .text = "A campaign file says which layers to measure on which boards. Running it ends in one\n"
            "model file a kind of board, which estimates the latency of layers and networks:\n\n"
            "  prfarm init first.yaml                                   write a campaign file\n"
            "  prfarm run first.yaml --out first                        measure, train, validate\n"
            "  prfarm estimate --model first/models/cpu.prfm net.onnx   ask the model\n\n"
            "'prfarm COMMAND --help' explains a command with an example. All that print results take --json.\n"
            "Exit codes: 0 done, 2 wrong usage, 3 a file or value is wrong, 4 not found, 5 in use, 130 interrupted;\n"
            "all of them are in docs/manual/exit-codes.md and in 'prfarm --help=man'.\n",
    .commands = commands,
    .environment = environment,
    .most = 1,
};

static const prf_command_t *find(const char *name)
{
    const prf_command_t *c = prf_commands;
    while (c->name && (!c->run || strcmp(c->name, name) != 0))
        c++;
    return c->name ? c : NULL;
}

static int refuse(const char *word)
{
    prf_error_t err = {0};
    prf_near_t near = {.word = word ? word : ""};
    for (const prf_command_t *c = prf_commands; c->name && word; c++)
        if (c->run)
            prf_near_offer(&near, c->name);
    if (near.best)
        prf_fail(&err, PRF_EUSAGE, "there is no command '%.40s': did you mean 'prfarm %s'?", word, near.best);
    else if (word)
        prf_fail(&err, PRF_EUSAGE, "there is no command '%.40s'; the commands are", word);
    else
        prf_fail(&err, PRF_EUSAGE, "a command is missing; the commands are");
    int code = prf_report(&err);
    for (const prf_command_t *c = prf_commands; c->name && !near.best; c++)
        if (c->run)
            fprintf(stderr, "  %-12s %s\n", c->name, c->summary);
    fprintf(stderr, "'prfarm --help' tells more\n");
    return code;
}

/* What stands before any command: --help, --version, the beginning of a word that a shell completes. */
static int run_program(int argc, char **argv)
{
    const prf_option_t none[] = {{.name = NULL}};
    prf_words_t words;
    int code = 0;
    if (prf_options_parse(&usage, none, argc, argv, &words, &code))
        return refuse(words.count ? words.items[0] : NULL);
    return code;
}

/* "prfarm help run" is "prfarm run --help". */
static int help(int argc, char **argv)
{
    char flag[] = "--help";
    if (argc < 3) {
        char *words[] = {argv[0], flag, NULL};
        return run_program(2, words);
    }
    const prf_command_t *command = find(argv[2]);
    if (!command)
        return refuse(argv[2]);
    char *words[] = {argv[2], flag, NULL};
    return command->run(2, words);
}

/* `prfarm --complete run --o`: the command itself knows what it takes. */
static int complete(int argc, char **argv)
{
    const prf_command_t *command = argc > 3 ? find(argv[2]) : NULL;
    if (argc <= 3 || (argc == 4 && strcmp(argv[2], "help") == 0)) {
        char *words[] = {argv[0], argv[1], argc > 2 ? argv[argc - 1] : NULL, NULL};
        return run_program(argc > 2 ? 3 : 2, words);
    }
    if (!command)
        return 0;
    char *name = argv[2];
    argv[2] = argv[1];
    argv[1] = name;
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; prf_commands[i].name && i + 1 < COMMANDS; i++)
        commands[i] = (prf_word_t){prf_commands[i].name, prf_commands[i].summary};
    if (argc < 2)
        return refuse(NULL);
    if (strcmp(argv[1], "--complete") == 0)
        return complete(argc, argv);
    if (strcmp(argv[1], "help") == 0)
        return help(argc, argv);
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "-V") == 0) {
        char flag[] = "--version";
        char *words[] = {argv[0], flag, NULL};
        return run_program(2, words);
    }
    if (argv[1][0] == '-')
        return run_program(argc, argv);
    const prf_command_t *command = find(argv[1]);
    if (!command)
        return refuse(argv[1]);
    int code = command->run(argc - 1, argv + 1);
    return code ? code : prf_finish_stdout();
}
