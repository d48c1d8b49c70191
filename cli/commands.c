// SPDX-License-Identifier: Apache-2.0
/* commands.c - the table of subcommands. Adding one is a line here, a prototype in cli.h and a file of its name. */
#include "cli.h"

const prf_command_t prf_commands[] = {
    {"init", "write a campaign file after asking what boards and layers there are", prf_cmd_init},
    {"run", "carry out a campaign on this machine: measure, train, validate", prf_cmd_run},
    {"status", "how far campaigns are", prf_cmd_status},
    {"watch", "follow a campaign until it ends", prf_cmd_watch},
    {"estimate", "estimate a network or single layers with a model", prf_cmd_estimate},
    {"measure", "measure a network on a board, whole and block by block", prf_cmd_measure},
    {"model", "show what a model file knows and where it comes from", prf_cmd_model},
    {"train", "make a model from recorded measurements", prf_cmd_train},
    {"export", "write measurements as CSV or JSON lines", prf_cmd_export},
    {"submit", "hand a campaign to a running farm", prf_cmd_submit},
    {"boards", "list a farm's boards and the models they run", prf_cmd_boards},
    {"pause", "stop measuring for a campaign until it is resumed", prf_cmd_pause},
    {"resume", "set a paused campaign going again", prf_cmd_resume},
    {"poisoned", "points that failed wherever they were tried", prf_cmd_poisoned},
    {"retry", "measure a campaign's poisoned points again", prf_cmd_retry},
    {"events", "what happened to boards, points and campaigns", prf_cmd_events},
    {"quarantine", "give a board no more work", prf_cmd_quarantine},
    {"release", "give a board work again", prf_cmd_release},
    {"power-cycle", "run a board's power-cycle command", prf_cmd_power_cycle},
    {"cancel", "end a campaign", prf_cmd_cancel},
    {"keygen", "make a key pair for a coordinator, a worker or a person", prf_cmd_keygen},
    {"refresh", "check whether a campaign's model still holds, train anew if not", prf_cmd_refresh},
    {"rollback", "make an earlier model of a kind the current one", prf_cmd_rollback},
    {"backup", "copy a store, also while its coordinator works on it", prf_cmd_backup},
    {"fsck", "check a store; bring what is whole in a damaged one into a new one", prf_cmd_fsck},
    {"doctor", "check this machine: can it measure, what would disturb it", prf_cmd_doctor},
    {"completion", "print the script that completes prfarm in a shell", prf_cmd_completion},
    {NULL, NULL, NULL},
};
