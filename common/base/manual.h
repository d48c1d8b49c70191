// SPDX-License-Identifier: Apache-2.0
/* manual.h - what a program tells about itself, from the declaration that its command line is parsed by: the text of --help, a
 * manual page, a section of the manual in Markdown. Main thread only. */
#ifndef PRF_BASE_MANUAL_H
#define PRF_BASE_MANUAL_H

#include <stdio.h>

#include "base/options.h"

typedef enum { PRF_MANUAL_TEXT = 0, PRF_MANUAL_MAN, PRF_MANUAL_MARKDOWN } prf_manual_t;

/* "text", "man" or "markdown". Errors: PRF_EUSAGE. */
PRF_CHECKED prf_status_t prf_manual_parse(const char *name, prf_manual_t *out, prf_error_t *err);
void prf_manual_print(FILE *out, prf_manual_t form, const prf_usage_t *usage, const prf_option_t *options);

#endif
