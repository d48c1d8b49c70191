// SPDX-License-Identifier: Apache-2.0
/* dashboard.h - a private farm's dashboard in a person's browser: the token that it takes, where it is, and staying there until the
 * person has seen enough. Main thread only. */
#ifndef PRF_CLI_DASHBOARD_H
#define PRF_CLI_DASHBOARD_H

#include "private.h"

#define PRF_DASHBOARD_ADDRESS "127.0.0.1:*"

/* Makes a token and writes it to a file that only this user may read. Errors: those of prf_file_write. */
enum { PRF_DASHBOARD_TOKEN = 65 };
PRF_CHECKED prf_status_t prf_dashboard_token(const char *path, char token[PRF_DASHBOARD_TOKEN], prf_error_t *err);

/* Tells where the dashboard is and, when `open` and there is a desktop, has the desktop show it. `dir` is the private farm's. What
 * cannot be opened is no error: the address was printed. */
void prf_dashboard_show(const prf_private_t *farm, const char *dir, bool open);
/* Goes on until Ctrl-C. Errors: those of prf_private_tend. */
PRF_CHECKED prf_status_t prf_dashboard_stay(prf_private_t *farm, prf_error_t *err);

#endif
