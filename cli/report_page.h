// SPDX-License-Identifier: Apache-2.0
/* report_page.h - the report's page, bundled and put into the program when it is built (report/): what stands before and behind its
 * data. Both are empty where there was no npm to bundle them with. Constant. */
#ifndef PRF_CLI_REPORT_PAGE_H
#define PRF_CLI_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char prf_report_page_head[], prf_report_page_tail[];
extern const size_t prf_report_page_head_len, prf_report_page_tail_len;

#endif
