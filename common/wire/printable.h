// SPDX-License-Identifier: Apache-2.0
/* printable.h - text that may stand in a log or a table: well-formed UTF-8 without control characters. Pure; any thread. */
#ifndef PRF_WIRE_PRINTABLE_H
#define PRF_WIRE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

bool prf_printable(const char *text);
/* Copies what fits in `cap` bytes (at least 1; NUL included, no character cut in two); what is not printable becomes '?'. */
void prf_printable_copy(char *out, size_t cap, const char *text);

#endif
