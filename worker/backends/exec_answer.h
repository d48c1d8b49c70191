// SPDX-License-Identifier: Apache-2.0
/* exec_answer.h - what a line that an exec program printed means (docs/backends.md). Pure: the program may be anybody's, so this is
 * where its words are judged, apart from the process and its pipes. */
#ifndef PRF_BACKENDS_EXEC_ANSWER_H
#define PRF_BACKENDS_EXEC_ANSWER_H

#include <jansson.h>

#include "backends/backend.h"

/* On success *out (the caller's reference) is an object with "ok": true. Errors: PRF_EPEER (no JSON object with "ok"; `err` says
 * why), and what the program itself answered: PRF_EUNSUPPORTED, PRF_EIO with its own words. */
PRF_CHECKED prf_status_t prf_exec_answer_read(json_t **out, const char *line, size_t len, prf_error_t *err);
/* The answer to "describe". *out is untouched on failure. Errors: PRF_EPEER, PRF_ENOTFOUND (a kind or data type unknown here). */
PRF_CHECKED prf_status_t prf_exec_answer_facts(prf_board_facts_t *out, const json_t *answer, prf_error_t *err);
/* The answer to "run". *out is untouched on failure. Errors: PRF_EPEER, PRF_EIMPLAUSIBLE (a number that cannot be a latency, or an
 * energy). */
PRF_CHECKED prf_status_t prf_exec_answer_reading(prf_reading_t *out, const json_t *answer, prf_error_t *err);

#endif
