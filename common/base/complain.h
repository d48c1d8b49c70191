// SPDX-License-Identifier: Apache-2.0
/* complain.h - the one line on standard error that says what went wrong. Any thread. */
#ifndef PRF_BASE_COMPLAIN_H
#define PRF_BASE_COMPLAIN_H

#include <stdbool.h>
#include <stdio.h>

/* "prfarm: <text>". On a terminal the program's name stands out, unless NO_COLOR is set. */
void prf_complain(const char *program, const char *text);
/* Whether escape sequences are understood there, and whether colours are wanted. */
bool prf_stream_is_live(FILE *stream);
bool prf_stream_has_color(FILE *stream);

#endif
