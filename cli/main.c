// SPDX-License-Identifier: Apache-2.0
/* main.c - what `prfarm` says of itself. Finding the subcommand is dispatch.c's, everything else the subcommand's. */
#include <string.h>

#include "cli.h"

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
    .environment = environment,
    .most = 1,
};

int main(int argc, char **argv)
{
    char flag[] = "--version";
    if (argc > 1 && (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "-V") == 0))
        argv[1] = flag;
    int code = prf_dispatch(&usage, prf_commands, argc, argv);
    return code ? code : prf_finish_stdout();
}
