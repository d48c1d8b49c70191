// SPDX-License-Identifier: Apache-2.0
/* figure.h - small SVG figures: panels with axes, lines, dots and words. Colours follow the reader's light or dark setting. */
#ifndef PRF_BENCH_FIGURE_H
#define PRF_BENCH_FIGURE_H

#include <stdbool.h>

#include "base/text.h"

typedef struct {
    double x, y, width, height; /* of the plotting area, in pixels */
    double x_low, x_high, y_low, y_high;
    bool x_log, y_log;
} panel_t;

/* CSS classes of what is drawn: "ours", "paper", "random", "truth". */
void figure_begin(prf_text_t *svg, int width, int height, const char *title);
void figure_end(prf_text_t *svg);
/* Frame, grid and numbers; decades where an axis is logarithmic. */
/* The next number above that four even steps from 0 reach in round numbers. */
double figure_ceiling(double value);
void panel_axes(prf_text_t *svg, const panel_t *panel, const char *title, const char *x_label, const char *y_label);
void panel_line(prf_text_t *svg, const panel_t *panel, const char *style, const double *x, const double *y, size_t count);
void panel_dot(prf_text_t *svg, const panel_t *panel, const char *style, double x, double y);
void panel_band(prf_text_t *svg, const panel_t *panel, double y_from, double y_to);
/* `anchor`: "start", "middle", "end". */
void figure_word(prf_text_t *svg, double x, double y, const char *anchor, const char *text);
/* A line of samples: "ours", ... with their names. */
void figure_legend(prf_text_t *svg, double x, double y, const char *const styles[], const char *const names[], size_t count);

#endif
