// SPDX-License-Identifier: Apache-2.0
/* screen.h - a whole terminal that is drawn anew again and again, in place, on the alternate screen, so that what was there before
 * comes back. Plain ECMA-48 sequences, which every terminal of today knows. Main thread only. */
#ifndef PRF_CLI_SCREEN_H
#define PRF_CLI_SCREEN_H

#include "base/text.h"
#include "output.h"

enum { PRF_SCREEN_ROWS = 12, PRF_SCREEN_COLUMNS = 60 /* less is no room for a view */ };

typedef struct {
    prf_terminal_t terminal;
    prf_text_t frame;
    int rows, row;
    bool open;
} prf_screen_t;

/* False, and nothing happened: the stream is no terminal that can be drawn on, or too small a one. The screen is also left when a
 * third signal ends the program (signals.h), and while Ctrl-Z stops it. */
bool prf_screen_open(prf_screen_t *out, FILE *stream);
/* Leaves it as it was; may be called again. */
void prf_screen_close(prf_screen_t *self);

/* A frame: begun with the terminal's present size, filled line by line (what does not fit is cut), shown at once. */
void prf_screen_begin(prf_screen_t *self);
/* One line; escape sequences of prf_bold and the like take no room. */
void prf_screen_line(prf_screen_t *self, const char *fmt, ...) PRF_PRINTF(2, 3);
int prf_screen_left(const prf_screen_t *self); /* lines that are left */
void prf_screen_end(prf_screen_t *self);

#endif
