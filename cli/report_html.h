// SPDX-License-Identifier: Apache-2.0
/* report_html.h - a report as one page that needs nothing beside it. Main thread only. */
#ifndef PRF_CLI_REPORT_HTML_H
#define PRF_CLI_REPORT_HTML_H

#include <jansson.h>

#include "base/text.h"

/* Errors: PRF_EUNSUPPORTED (this prfarm was built without the page), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_report_html(const json_t *doc, prf_text_t *out, prf_error_t *err);

#endif
