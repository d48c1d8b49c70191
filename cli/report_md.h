// SPDX-License-Identifier: Apache-2.0
/* report_md.h - a report as Markdown: the story of the page (report/), in tables and pictures made of text. Main thread only. */
#ifndef PRF_CLI_REPORT_MD_H
#define PRF_CLI_REPORT_MD_H

#include <jansson.h>

#include "base/text.h"

/* `doc` as of prf_report_doc; borrowed. What is missing in it is shown as "-". Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_report_md(const json_t *doc, prf_text_t *out, prf_error_t *err);

#endif
