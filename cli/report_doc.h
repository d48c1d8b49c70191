// SPDX-License-Identifier: Apache-2.0
/* report_doc.h - everything that a report tells, asked of the coordinator: one JSON object for all its forms. Main thread only. */
#ifndef PRF_CLI_REPORT_DOC_H
#define PRF_CLI_REPORT_DOC_H

#include <jansson.h>

#include "farm.h"

/* What the campaign came to, docs/report.md has the members. `name` NULL: the only campaign that there is. *out, a new reference,
 * is untouched on failure. Errors: PRF_ENOTFOUND (no such campaign), PRF_EUSAGE (several), those of prf_farm_call. */
PRF_CHECKED prf_status_t prf_report_doc(prf_farm_t *farm, const char *name, json_t **out, prf_error_t *err);

#endif
