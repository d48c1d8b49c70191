// SPDX-License-Identifier: Apache-2.0
/* cli.h - the subcommands of `prfarm`. Each is a function in a file of its own that parses its arguments (argv[0] is its name),
 * does its work and returns the exit code; commands.c holds the table of all. Main thread only. */
#ifndef PRF_CLI_H
#define PRF_CLI_H

#include "dispatch.h"
#include "output.h"

/* In the order in which a newcomer meets them; a NULL name ends the table. */
extern const prf_command_t prf_commands[];

int prf_cmd_init(int argc, char **argv);
int prf_cmd_run(int argc, char **argv);
int prf_cmd_status(int argc, char **argv);
int prf_cmd_watch(int argc, char **argv);
int prf_cmd_measure(int argc, char **argv);
int prf_cmd_export(int argc, char **argv);
int prf_cmd_report(int argc, char **argv);
int prf_cmd_submit(int argc, char **argv);
int prf_cmd_boards(int argc, char **argv);
int prf_cmd_pause(int argc, char **argv);
int prf_cmd_resume(int argc, char **argv);
int prf_cmd_poisoned(int argc, char **argv);
int prf_cmd_retry(int argc, char **argv);
int prf_cmd_events(int argc, char **argv);
int prf_cmd_quarantine(int argc, char **argv);
int prf_cmd_release(int argc, char **argv);
int prf_cmd_power_cycle(int argc, char **argv);
int prf_cmd_fleet(int argc, char **argv);
int prf_cmd_cancel(int argc, char **argv);
int prf_cmd_keygen(int argc, char **argv);
int prf_cmd_refresh(int argc, char **argv);
int prf_cmd_rollback(int argc, char **argv);
int prf_cmd_backup(int argc, char **argv);
int prf_cmd_fsck(int argc, char **argv);
int prf_cmd_doctor(int argc, char **argv);
int prf_cmd_estimate(int argc, char **argv);
int prf_cmd_compare(int argc, char **argv);
int prf_cmd_diff(int argc, char **argv);
int prf_cmd_model(int argc, char **argv);
int prf_cmd_train(int argc, char **argv);
int prf_cmd_completion(int argc, char **argv);

#endif
