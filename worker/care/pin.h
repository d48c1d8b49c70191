// SPDX-License-Identifier: Apache-2.0
/* pin.h - keeps a process, and all that it starts, on some of the machine's processors. */
#ifndef PRF_CARE_PIN_H
#define PRF_CARE_PIN_H

#include "base/status.h"

/* `list` as the kernel writes them: "2", "2-3", "0,4-7". Of the calling thread and those that it starts from now on.
 * Errors: PRF_EINVAL (no list; not processors that this process may use). */
PRF_CHECKED prf_status_t prf_pin(const char *list, prf_error_t *err);

#endif
