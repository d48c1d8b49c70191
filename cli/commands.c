// SPDX-License-Identifier: Apache-2.0
/* commands.c - the table of subcommands. Adding one is a line here, a prototype in cli.h and a file of its name. */
#include "cli.h"

const prf_command_t prf_commands[] = {
    {"estimate", "estimate a network or single layers with a model", prf_cmd_estimate},
    {"model", "show what a model file knows and where it comes from", prf_cmd_model},
    {"doctor", "check this machine: can it measure, what would disturb it", prf_cmd_doctor},
    {"train", "make a model from recorded latencies, without a farm", prf_cmd_train},
    {NULL, NULL, NULL},
};
