// SPDX-License-Identifier: Apache-2.0
/* fit.c - least squares on relative error for a few shapes of a curve.
 *
 * No step: a + t p, the same with a square (other parameters follow this one: w = h) or with a break (the bound changes from
 * memory to arithmetic, another kernel takes over). Steps of width s: the same plus b (ceil(p / s) s - p), the sawtooth by which a
 * staircase stands above its slope; b / t is the share of the growth that happens at the edges: 1 for level steps. A share below
 * PRF_FIT_SHARE is within what noise and curvature can fake. Unless it explains nearly everything it is held at that bound and must
 * bear the error that this brings. Steps within steps (16 within 64) are two sawteeth. Boards whose tiles cost different amounts (a
 * buffer that overflows) follow no formula from tile to tile, yet are level within each: for them every tile seen gets a height of
 * its own, and pays for it as a parameter.
 *
 * BIC = n log(mean squared relative error + FLOOR^2) + k log n. The floor keeps an exact fit from claiming infinite evidence.
 *
 * A board that is slow for a while (a busy host, a low clock) takes a fifth longer or more, which is no noise of a few percent: one
 * such point among ten hides any step. So a fit may set points aside that lie far above it, each at the price that a rare slow
 * measurement has in such a likelihood. Boards that have no noise have no slow states either: there, what lies above is to be
 * explained. */
#include "pr/fit.h"

#include <math.h>
#include <string.h>

#define PLACED 10.0     /* BIC by which tiles of free height must beat displaced ones */
#define MINOR_LEFT 0.05 /* squared error that steps of a minor share may leave of what there is without them */
#define NEST_LEFT 0.5   /* ... that a width may leave, for narrower steps to be looked for within it */
#define NESTED_LEFT 0.2 /* ... and that these may leave of that */

#define SLOW 0.13 /* a point that far above a fit, as a share of itself, may be a slow measurement */
/* Of one, as BIC: about 1 for being rare (one in twenty, anywhere in a range of a third), the rest for the choice. */
#define SLOW_PRICE 8.0
#define STANDS_OUT 8.0 /* times what the others leave: by so much it must lie above */
#define NOISE 5.0      /* times the floor: what noise leaves at least */

enum { SPARE = 2 /* points beyond the parameters without which a fit says nothing */, SLOW_PART = 8 /* of the points, at most */ };

typedef struct {
    double row[PRF_FIT_POINTS][PRF_FIT_TERMS];
    unsigned terms;
} design_t;

static double unit(int32_t at)
{
    return at / 64.0; /* near 1, so that squares stay comparable */
}

static double sawtooth(int32_t at, int32_t width)
{
    return unit(((at + width - 1) / width) * width - at);
}

/* Terms of a fit at `at`: 1, slope, then the sawtooth, then the square, or what changes beyond the break. */
static void terms_at(const prf_fit_t *fit, int32_t at, double row[PRF_FIT_TERMS])
{
    unsigned i = 0;
    double x = unit(at);
    row[i++] = 1;
    row[i++] = x;
    if (fit->width > 1)
        row[i++] = sawtooth(at, fit->width) * (fit->scaled ? x : 1);
    if (fit->inner > 0)
        row[i++] = sawtooth(at, fit->inner);
    if (fit->knee > 0) {
        row[i++] = at > fit->knee;
        row[i++] = at > fit->knee ? x : 0;
        row[i++] = x * x;
        row[i] = at > fit->knee ? x * x : 0;
    } else if (i < fit->terms)
        row[i] = x * x;
}

/* Least squares by modified Gram-Schmidt on rows already divided by y (so every target is 1). Returns the sum of squared
 * relative errors and fills coef. A dependent column gets 0. */
static double solve(const prf_curve_t *curve, design_t *design, double coef[PRF_FIT_TERMS])
{
    unsigned terms = design->terms;
    double r[PRF_FIT_TERMS][PRF_FIT_TERMS] = {{0}}, z[PRF_FIT_TERMS] = {0}, rest[PRF_FIT_POINTS];
    size_t n = curve->count;
    for (size_t i = 0; i < n; i++)
        rest[i] = 1;
    for (unsigned j = 0; j < terms; j++) {
        double before = 0, norm = 0, dot = 0;
        for (size_t i = 0; i < n; i++)
            before += design->row[i][j] * design->row[i][j];
        for (unsigned k = 0; k < j; k++) {
            double along = 0;
            for (size_t i = 0; i < n; i++)
                along += design->row[i][j] * design->row[i][k];
            for (size_t i = 0; i < n; i++)
                design->row[i][j] -= along * design->row[i][k];
            r[k][j] = along;
        }
        for (size_t i = 0; i < n; i++)
            norm += design->row[i][j] * design->row[i][j];
        bool dependent = norm <= 1e-20 * before;
        r[j][j] = dependent ? 0 : sqrt(norm);
        for (size_t i = 0; i < n; i++) {
            design->row[i][j] = dependent ? 0 : design->row[i][j] / r[j][j];
            dot += design->row[i][j] * rest[i];
        }
        for (size_t i = 0; i < n; i++)
            rest[i] -= dot * design->row[i][j];
        z[j] = dot;
    }
    double rss = 0;
    for (size_t i = 0; i < n; i++)
        rss += rest[i] * rest[i];
    for (unsigned j = terms; j-- > 0;) {
        double sum = z[j];
        for (unsigned k = j + 1; k < terms; k++)
            sum -= r[j][k] * coef[k];
        coef[j] = r[j][j] > 0 ? sum / r[j][j] : 0;
    }
    return rss;
}

/* What a fit is worth, and the error that it leaves. */
static void assess(prf_fit_t *fit, size_t points, double rss, double parameters)
{
    double n = (double)points;
    fit->spent = parameters;
    fit->bic = rss < INFINITY ? n * log(rss / n + PRF_FIT_FLOOR * PRF_FIT_FLOOR) + parameters * log(n) : INFINITY;
    fit->rms = rss < INFINITY ? sqrt(rss / fmax(1, n - parameters)) : INFINITY;
}

static double fit_terms(const prf_curve_t *curve, prf_fit_t *fit)
{
    design_t design = {.terms = fit->terms};
    for (size_t i = 0; i < curve->count; i++) {
        terms_at(fit, curve->at[i], design.row[i]);
        for (unsigned j = 0; j < fit->terms; j++)
            design.row[i][j] /= curve->y[i];
    }
    return solve(curve, &design, fit->coef);
}

/* Holds the share of the steps at its lower bound: slope and sawtooth become one term. */
static double fit_bound(const prf_curve_t *curve, prf_fit_t *fit)
{
    design_t design = {.terms = fit->terms - 1};
    for (size_t i = 0; i < curve->count; i++) {
        double row[PRF_FIT_TERMS] = {0};
        terms_at(fit, curve->at[i], row);
        design.row[i][0] = row[0] / curve->y[i];
        design.row[i][1] = (row[1] + PRF_FIT_SHARE * row[2]) / curve->y[i];
        if (fit->terms > 3)
            design.row[i][2] = row[3] / curve->y[i];
    }
    double coef[PRF_FIT_TERMS] = {0};
    double rss = solve(curve, &design, coef);
    fit->coef[0] = coef[0];
    fit->coef[1] = coef[1];
    fit->coef[2] = PRF_FIT_SHARE * coef[1];
    fit->coef[3] = fit->terms > 3 ? coef[2] : 0;
    return coef[1] > 0 ? rss : INFINITY;
}

static void keep_better(prf_fit_t *best, const prf_fit_t *fit)
{
    if (fit->bic < best->bic)
        *best = *fit;
}

/* Where a break lies is told as well as the gap behind it is narrow, and that was chosen: a choice among m costs 2 log m, here in
 * parameters. */
static double place_cost(const prf_curve_t *curve, size_t knee)
{
    int32_t first = curve->at[knee], last = first, next = INT32_MAX;
    for (size_t i = 0; i < curve->count; i++) {
        int32_t at = curve->at[i];
        first = at < first ? at : first;
        last = at > last ? at : last;
        next = at > curve->at[knee] && at < next ? at : next;
    }
    double gap = next == INT32_MAX ? 1 : next - curve->at[knee];
    return 2 * log(fmax(last - first, 1) / gap) / log((double)curve->count);
}

/* With `breaks` 0 or 1. */
static void fit_smooth(const prf_curve_t *curve, int32_t breaks, prf_fit_t *out)
{
    prf_fit_t best = {.bic = INFINITY, .rms = INFINITY, .width = 1, .terms = 2};
    size_t n = curve->count;
    for (unsigned terms = 2; terms <= 3 && n >= terms + SPARE; terms++) {
        prf_fit_t fit = {.width = 1, .terms = terms};
        assess(&fit, n, fit_terms(curve, &fit), terms);
        keep_better(&best, &fit);
    }
    /* Fewer than twice as many points as coefficients can be broken into anything. */
    for (unsigned terms = 4; breaks && terms <= 6 && n >= 2 * (terms + 1) && best.rms > PRF_FIT_FLOOR; terms += 2)
        for (size_t i = 0; i < n; i++) {
            prf_fit_t fit = {.width = 1, .terms = terms, .knee = curve->at[i]};
            assess(&fit, n, fit_terms(curve, &fit), terms + place_cost(curve, i));
            keep_better(&best, &fit);
        }
    *out = best;
}

static void fit_broken_at(const prf_curve_t *curve, int32_t place, prf_fit_t *out)
{
    prf_fit_t fit = {.width = 1, .terms = 4, .knee = place};
    assess(&fit, curve->count, curve->count >= 4 + SPARE ? fit_terms(curve, &fit) : INFINITY, 4);
    *out = fit;
}

/* Growth that the steps are a share of: the fastest on the curve, since true tiles keep their share wherever one looks. Where
 * both grow with the parameter, in multiples of it. */
static double growth_of(const prf_curve_t *curve, const prf_fit_t *fit)
{
    double square = fit->terms > 3 ? fit->coef[3] : 0, slope = fit->coef[1], fastest = -INFINITY;
    for (size_t i = 0; i < curve->count; i++) {
        double x = unit(curve->at[i]);
        double growth = fit->scaled ? slope / x + square : slope + 2 * square * x;
        if (growth > fastest) /* fmax here crashes gcc 12 for arm64 */
            fastest = growth;
    }
    return fastest;
}

/* Whether the sawtooth takes away nearly all of the error that there is without it. */
static bool explains(const prf_curve_t *curve, const prf_fit_t *fit, double rss)
{
    prf_fit_t without = {.width = 1, .terms = fit->terms - 1};
    return rss <= MINOR_LEFT * fit_terms(curve, &without);
}

static void fit_staircase(const prf_curve_t *curve, prf_fit_t *fit)
{
    double rss = fit_terms(curve, fit), growth = growth_of(curve, fit);
    fit->share = growth > 0 ? fmin(fit->coef[2] / growth, 1) : 1;
    if (fit->coef[2] < PRF_FIT_MINOR * growth || (fit->coef[2] < PRF_FIT_SHARE * growth && !explains(curve, fit, rss))) {
        rss = fit->scaled ? INFINITY : fit_bound(curve, fit);
        fit->share = PRF_FIT_SHARE;
    } else if (fit->coef[2] <= 0)
        rss = INFINITY;
    assess(fit, curve->count, rss, fit->terms);
}

/* Level tiles, each of its own height, displaced by `phase`. Returns how many there are. */
static size_t fit_tiles(const prf_curve_t *curve, int32_t width, int32_t phase, prf_fit_t *fit)
{
    double rss = 0;
    size_t tiles = 0;
    for (size_t i = 0; i < curve->count; i++) {
        int32_t tile = (curve->at[i] - 1 + phase) / width;
        double weight = 0, mean = 0;
        bool first = true;
        for (size_t j = 0; j < curve->count; j++) {
            if ((curve->at[j] - 1 + phase) / width != tile)
                continue;
            double w = 1 / (curve->y[j] * curve->y[j]);
            weight += w, mean += w * curve->y[j];
            first = first && j >= i;
        }
        double above = (curve->y[i] - mean / weight) / curve->y[i];
        tiles += first;
        rss += above * above;
    }
    assess(fit, curve->count, rss, (double)tiles);
    return tiles;
}

/* Neighbours are alike on any curve. What speaks for tiles is that they must lie where they do: displaced ones fit worse. And a
 * third as many points again as tiles must be there, or fitting them proves nothing; a few, where they are level to the last digit.
 */
static void fit_placed_tiles(const prf_curve_t *curve, prf_fit_t *best)
{
    prf_fit_t here = *best, displaced = {0};
    size_t tiles = fit_tiles(curve, best->width, 0, &here);
    size_t again = here.rms <= PRF_FIT_FLOOR ? 2 * SPARE : tiles / 3 + SPARE;
    if (curve->count < tiles + again || here.bic >= best->bic)
        return;
    for (int32_t quarter = 1; quarter <= 3; quarter++) {
        int32_t phase = best->width * quarter / 4;
        if (phase == 0)
            continue;
        fit_tiles(curve, best->width, phase, &displaced);
        if (displaced.bic < here.bic + PLACED)
            return;
    }
    here.tiled = true;
    here.share = 1;
    keep_better(best, &here);
}

/* Narrower steps within a width that explains much, yet not all. Which of them is one more thing to be told. */
static void fit_nested(const prf_curve_t *curve, prf_fit_t *best)
{
    static const int32_t parts[] = {2, 3, 4, 8};
    enum { PARTS = sizeof parts / sizeof *parts, PARAMETERS = 5 };
    prf_fit_t line = {.width = 1, .terms = 2};
    if (curve->count < PRF_FIT_NESTED || best->rms <= 2 * PRF_FIT_FLOOR)
        return;
    assess(&line, curve->count, fit_terms(curve, &line), 2);
    if (best->rms * best->rms > NEST_LEFT * line.rms * line.rms)
        return;
    double plain = best->rms * best->rms;
    for (size_t i = 0; i < PARTS; i++) {
        prf_fit_t fit = {.width = best->width, .terms = 4, .inner = best->width / parts[i]};
        if (best->width % parts[i] || fit.inner < 2)
            continue;
        double rss = fit_terms(curve, &fit);
        assess(&fit, curve->count, rss, PARAMETERS);
        if (fmin(fit.coef[2], fit.coef[3]) < PRF_FIT_SHARE * fit.coef[1] || fit.rms * fit.rms > NESTED_LEFT * plain)
            continue;
        fit.share = fmin((fit.coef[2] + fit.coef[3]) / fit.coef[1], 1);
        keep_better(best, &fit);
    }
}

static void fit_steps(const prf_curve_t *curve, int32_t width, prf_fit_t *out)
{
    prf_fit_t best = {.bic = INFINITY, .width = width, .terms = 3};
    size_t n = curve->count;
    for (unsigned terms = 3; terms <= 4 && n >= terms + SPARE; terms++)
        for (int scaled = 0; scaled < (terms == 4 ? 2 : 1); scaled++) {
            prf_fit_t fit = {.width = width, .terms = terms, .scaled = scaled == 1};
            fit_staircase(curve, &fit);
            keep_better(&best, &fit);
        }
    if (best.bic < INFINITY) {
        fit_nested(curve, &best);
        fit_placed_tiles(curve, &best);
    }
    *out = best;
}

double prf_fit_predict(const prf_fit_t *fit, int32_t at)
{
    double row[PRF_FIT_TERMS] = {0}, sum = 0;
    terms_at(fit, at, row);
    for (unsigned i = 0; i < fit->terms; i++)
        sum += row[i] * fit->coef[i];
    return sum;
}

/* ---- slow measurements ---- */

/* The point that lies farthest above a fit; false: none does that might be a slow measurement. */
static bool slowest(const prf_curve_t *curve, const prf_fit_t *fit, size_t *at)
{
    double most = SLOW;
    bool found = false;
    for (size_t i = 0; i < curve->count; i++) {
        double above = 1 - prf_fit_predict(fit, curve->at[i]) / curve->y[i];
        if (above > most)
            most = above, *at = i, found = true;
    }
    return found;
}

static void set_aside(prf_curve_t *curve, size_t at)
{
    curve->count--;
    for (size_t i = at; i < curve->count; i++) {
        curve->at[i] = curve->at[i + 1];
        curve->y[i] = curve->y[i + 1];
    }
}

/* `argument`: the width of steps, the place of a break, or how many breaks a smooth curve may have. */
typedef void (*fitter_t)(const prf_curve_t *curve, int32_t argument, prf_fit_t *out);

/* One after the other, since the slowest hides the others. What is set aside must stand out from what the others leave: a wrong fit
 * has points far above it, too. */
static void fit_without_slow(fitter_t fitter, const prf_curve_t *curve, int32_t argument, prf_fit_t *out)
{
    prf_fit_t best, fit;
    fitter(curve, argument, &best);
    fit = best;
    prf_curve_t rest = *curve;
    size_t at, most = curve->count / SLOW_PART;
    while (curve->count - rest.count < most && fit.bic < INFINITY && slowest(&rest, &fit, &at)) {
        double aside = (double)(curve->count - rest.count + 1), y = rest.y[at];
        int32_t place = rest.at[at];
        set_aside(&rest, at);
        fitter(&rest, argument, &fit);
        if (fit.rms <= NOISE * PRF_FIT_FLOOR || 1 - prf_fit_predict(&fit, place) / y < STANDS_OUT * fit.rms)
            continue;
        prf_fit_t charged = fit;
        charged.bic += SLOW_PRICE * aside;
        charged.spent += aside;
        keep_better(&best, &charged);
    }
    *out = best;
}

void prf_fit_unbroken(const prf_curve_t *curve, prf_fit_t *out)
{
    fit_without_slow(fit_smooth, curve, 0, out);
}

void prf_fit_smooth(const prf_curve_t *curve, prf_fit_t *out)
{
    fit_without_slow(fit_smooth, curve, 1, out);
}

void prf_fit_broken_at(const prf_curve_t *curve, int32_t place, prf_fit_t *out)
{
    fit_without_slow(fit_broken_at, curve, place, out);
}

void prf_fit_steps(const prf_curve_t *curve, int32_t width, prf_fit_t *out)
{
    fit_without_slow(fit_steps, curve, width, out);
}
