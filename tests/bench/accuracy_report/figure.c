// SPDX-License-Identifier: Apache-2.0
/* figure.c - SVG by hand: no more of it than a few panels need. */
#include "figure.h"

#include <math.h>
#include <stdio.h>

static const char style[] =
    "<style>text{font:11px sans-serif;fill:#24292f}.title{font-weight:bold}.grid{stroke:#d0d7de;stroke-width:1;fill:none}"
    ".band{fill:#d0d7de;opacity:.6}path,polyline{fill:none;stroke-width:1.6}"
    ".ours{stroke:#0969da}.paper{stroke:#bc4c00}.random{stroke:#6e7781}.truth{stroke:#6e7781;stroke-dasharray:3 3}"
    "circle{stroke-width:1.2;fill:#fff;fill-opacity:.2}circle.ours{fill:#0969da;fill-opacity:.8}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}.band{fill:#3d444d}.ours{stroke:#4493f8}"
    "circle.ours{fill:#4493f8}.paper{stroke:#f0883e}.random,.truth{stroke:#9198a1}}</style>";

void figure_begin(prf_text_t *svg, int width, int height, const char *title)
{
    prf_text_init(svg);
    prf_text_add(svg,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n"
                 "<title>%s</title>\n%s\n",
                 width, height, width, height, title, style);
}

void figure_end(prf_text_t *svg)
{
    prf_text_add(svg, "</svg>\n");
}

static double place(double value, double low, double high, bool is_log)
{
    return is_log ? (log(value) - log(low)) / (log(high) - log(low)) : (value - low) / (high - low);
}

static double across(const panel_t *p, double x)
{
    return p->x + p->width * fmin(fmax(place(x, p->x_low, p->x_high, p->x_log), 0), 1);
}

static double up(const panel_t *p, double y)
{
    return p->y + p->height * (1 - fmin(fmax(place(y, p->y_low, p->y_high, p->y_log), 0), 1));
}

void figure_word(prf_text_t *svg, double x, double y, const char *anchor, const char *text)
{
    prf_text_add(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

/* Numbers on an axis: decades, or five steps. */
static size_t ticks(double low, double high, bool is_log, double out[16])
{
    size_t n = 0;
    if (!is_log) {
        for (; n < 5; n++)
            out[n] = low + (high - low) * (double)n / 4;
        return n;
    }
    int first = (int)ceil(log10(low) - 1e-9), last = (int)floor(log10(high) + 1e-9), step = (last - first) / 7 + 1;
    for (int e = first; e <= last && n < 16; e += step)
        out[n++] = pow(10, e);
    return n;
}

double figure_ceiling(double value)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(value / 4)));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (4 * steps[i] * power >= value)
            return 4 * steps[i] * power;
    return 40 * power;
}

void panel_axes(prf_text_t *svg, const panel_t *p, const char *title, const char *x_label, const char *y_label)
{
    double at[16];
    char number[32];
    prf_text_add(svg, "<rect class=\"grid\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", p->x, p->y, p->width,
                 p->height);
    size_t n = ticks(p->x_low, p->x_high, p->x_log, at);
    for (size_t i = 0; i < n; i++) {
        snprintf(number, sizeof number, "%g", at[i]);
        prf_text_add(svg, "<path class=\"grid\" d=\"M%.1f %.1fv%.1f\"/>\n", across(p, at[i]), p->y, p->height);
        figure_word(svg, across(p, at[i]), p->y + p->height + 14, "middle", number);
    }
    n = ticks(p->y_low, p->y_high, p->y_log, at);
    for (size_t i = 0; i < n; i++) {
        snprintf(number, sizeof number, "%g", at[i]);
        prf_text_add(svg, "<path class=\"grid\" d=\"M%.1f %.1fh%.1f\"/>\n", p->x, up(p, at[i]), p->width);
        figure_word(svg, p->x - 4, up(p, at[i]) + 4, "end", number);
    }
    prf_text_add(svg, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", p->x + p->width / 2,
                 p->y - 6, title);
    figure_word(svg, p->x + p->width / 2, p->y + p->height + 28, "middle", x_label);
    prf_text_add(svg, "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", p->x - 44,
                 p->y + p->height / 2, y_label);
}

void panel_line(prf_text_t *svg, const panel_t *p, const char *class, const double *x, const double *y, size_t count)
{
    prf_text_add(svg, "<polyline class=\"%s\" points=\"", class);
    for (size_t i = 0; i < count; i++)
        if (isfinite(y[i]))
            prf_text_add(svg, "%.1f,%.1f ", across(p, x[i]), up(p, y[i]));
    prf_text_add(svg, "\"/>\n");
}

void panel_dot(prf_text_t *svg, const panel_t *p, const char *class, double x, double y)
{
    if (isfinite(y))
        prf_text_add(svg, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", class, across(p, x), up(p, y));
}

void panel_band(prf_text_t *svg, const panel_t *p, double y_from, double y_to)
{
    prf_text_add(svg, "<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", p->x, up(p, y_to), p->width,
                 up(p, y_from) - up(p, y_to));
}

void figure_legend(prf_text_t *svg, double x, double y, const char *const styles[], const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++, x += 170) {
        prf_text_add(svg, "<path class=\"%s\" d=\"M%.1f %.1fh24\"/>\n", styles[i], x, y - 4);
        figure_word(svg, x + 30, y, "start", names[i]);
    }
}
