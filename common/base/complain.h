// SPDX-License-Identifier: Apache-2.0
/* complain.h - the one line on standard error that says what went wrong. Any thread. */
#ifndef PRF_BASE_COMPLAIN_H
#define PRF_BASE_COMPLAIN_H

#include <stdbool.h>
#include <stdio.h>

/* "prfarm: <text>". On a terminal the program's name stands out, unless NO_COLOR is set; for the journal it is an error. */
void prf_complain(const char *program, const char *text);
/* Whether it is systemd's journal, which takes a line's level from "<3>" before it and notes time and program by itself. */
bool prf_stream_is_journal(FILE *stream);
/* Whether escape sequences are understood there, and whether colours are wanted. */
bool prf_stream_is_live(FILE *stream);
bool prf_stream_has_color(FILE *stream);

#endif
