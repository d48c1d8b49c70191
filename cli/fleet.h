// SPDX-License-Identifier: Apache-2.0
/* fleet.h - the commands of `prfarm fleet`, each in a file of its own, as those of cli.h. Main thread only. */
#ifndef PRF_CLI_FLEET_H
#define PRF_CLI_FLEET_H

int prf_cmd_fleet_slurm(int argc, char **argv);

#endif
