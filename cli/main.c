// SPDX-License-Identifier: Apache-2.0
/* main.c - finds the subcommand. Everything else is the subcommand's. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const prf_command_t *find(const char *name)
{
    const prf_command_t *c = prf_commands;
    while (c->name && strcmp(c->name, name) != 0)
        c++;
    return c->name ? c : NULL;
}

static void print_commands(FILE *stream)
{
    for (const prf_command_t *c = prf_commands; c->name; c++)
        fprintf(stream, "  %-11s %s\n", c->name, c->summary);
}

static int print_help(void)
{
    printf("prfarm %s - benchmarks boards with Performance Representatives and makes latency models of them\n\n"
           "Usage: prfarm COMMAND [ARGUMENTS]\n\n"
           "A campaign file says which layers to measure on which boards. Running it ends in one\n"
           "model file a kind of board, which estimates the latency of layers and networks:\n\n"
           "  prfarm run docs/examples/quickstart.yaml --out first     measure, train, validate\n"
           "  prfarm estimate --model first/models/cpu.prfm net.onnx   ask the model\n\n"
           "Commands:\n",
           PRF_VERSION);
    print_commands(stdout);
    printf("\n'prfarm COMMAND --help' explains a command with an example. All that print results take --json.\n"
           "Exit codes: 0 done, 2 wrong usage, 3 a file or value is wrong, 4 not found, 5 in use, 130 interrupted;\n"
           "all of them are in docs/manual/exit-codes.md.\n");
    return 0;
}

static int refuse(const char *word)
{
    prf_error_t err = {0};
    if (word)
        prf_fail(&err, PRF_EUSAGE, "there is no command '%.40s'; the commands are", word);
    else
        prf_fail(&err, PRF_EUSAGE, "a command is missing; the commands are");
    int code = prf_report(&err);
    print_commands(stderr);
    fprintf(stderr, "'prfarm --help' tells more\n");
    return code;
}

/* "prfarm help run" is "prfarm run --help". */
static int help(int argc, char **argv)
{
    if (argc < 3)
        return print_help();
    const prf_command_t *command = find(argv[2]);
    if (!command)
        return refuse(argv[2]);
    char flag[] = "--help";
    char *words[] = {argv[2], flag, NULL};
    return command->run(2, words);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return refuse(NULL);
    if (strcmp(argv[1], "--version") == 0) {
        printf("prfarm %s\n", PRF_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "help") == 0)
        return help(argc, argv);
    const prf_command_t *command = find(argv[1]);
    if (!command)
        return refuse(argv[1]);
    int code = command->run(argc - 1, argv + 1);
    return code ? code : prf_finish_stdout();
}
