// SPDX-License-Identifier: Apache-2.0
/* signals.h - Ctrl-C and SIGTERM as a question that long work asks. Process-wide; main thread only. */
#ifndef PRF_CLI_SIGNALS_H
#define PRF_CLI_SIGNALS_H

#include <stdbool.h>

#include "base/status.h"

/* From now on SIGINT, SIGTERM and SIGHUP are remembered instead of ending the program; SIGPIPE is ignored. A third one ends it at
 * once, so that nobody is locked in. */
void prf_signals_catch(void);
bool prf_interrupted(void);
/* What is done before a third signal ends the program, to leave a terminal as it was; NULL: nothing. Only what is safe in a
 * signal's handler may be done there. */
void prf_signals_parting(void (*leave)(void));
/* Waits, or returns early when a signal comes or `fd` (-1: none) is readable. */
void prf_pause(int fd, unsigned ms);
/* PRF_ECANCELLED with a message when interrupted, else PRF_OK. */
PRF_CHECKED prf_status_t prf_check_interrupted(prf_error_t *err);

#endif
