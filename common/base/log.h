// SPDX-License-Identifier: Apache-2.0
/* log.h - what daemons write to stderr: one line an event, `time level program event key=value ...`, or `<N>event key=value ...`
 * where that is systemd's journal.
 * Libraries (everything under common/) return errors and never log. Thread-safe: one write(2) a line. */
#ifndef PRF_BASE_LOG_H
#define PRF_BASE_LOG_H

#include "base/status.h"

typedef enum {
    PRF_LOG_ERROR, /* an action failed */
    PRF_LOG_WARN,  /* carrying on; the line says how */
    PRF_LOG_INFO,  /* a change of state */
    PRF_LOG_DEBUG
} prf_log_level_t;

/* Once at start. `program` is borrowed and must outlive the process. */
void prf_log_init(const char *program, prf_log_level_t least);
/* `fmt` is "event key=value ...": prf_log(PRF_LOG_INFO, "lease_expired board=%s job=%llu", ...). Control characters in the
 * result are replaced, so that a peer's text cannot forge lines. */
void prf_log(prf_log_level_t level, const char *fmt, ...) PRF_PRINTF(2, 3);
PRF_CHECKED prf_status_t prf_log_level_parse(const char *name, prf_log_level_t *out, prf_error_t *err);

#endif
