// SPDX-License-Identifier: Apache-2.0
/* gauss.c - which features matter is a question of lengths: one for each feature, long where it does not matter. They maximise the
 * marginal likelihood by gradient ascent with Adam's steps (Kingma and Ba 2015), held back by a prior that expects features to
 * matter little; those that end up not mattering are left out. The ascent begins on a few layers, where a step costs little, and
 * ends on many: on a few alone it takes features for important that are not. Weights are then solved for with all layers. */
#include "model/gauss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/dot.h"

enum { OTHERS = 2 /* amplitude and noise, behind the lengths */, TOGETHER = 64 /* points that are predicted from at once */ };
#define USUAL_SCALE 0.03 /* expected of a feature whose standard deviation is 1; */
#define SCALE_SPREAD 1.2 /* standard deviation of its logarithm; */
#define USUAL_NOISE 0.1  /* of the target's standard deviation; */
#define NOISE_SPREAD 2.0 /* likewise */
#define LEAST_NOISE 1e-3
#define LEAST_SCALE 0.01 /* nothing changes over a feature's range */
#define ALIKE 0.9995     /* correlation of features that say the same */
#define RATE 0.2         /* of Adam's steps */
#define ROOT_5 2.23606797749978969

/* An ascent: steps on few layers, then on many. */
static const struct {
    size_t few, many;
    int steps_few, steps_many;
} efforts[] = {[PRF_GAUSS_BRIEF] = {128, 224, 60, 20}, [PRF_GAUSS_THOROUGH] = {160, 512, 100, 30}};

void prf_gauss_release(prf_gauss_t *self)
{
    if (!self)
        return;
    free(self->inputs);
    free(self->points);
    free(self->weights);
    *self = (prf_gauss_t){0};
}

prf_status_t prf_gauss_make_room(prf_gauss_t *self, prf_error_t *err)
{
    size_t points = self->point_count;
    self->inputs = malloc((self->input_count + 1) * sizeof *self->inputs);
    self->points = malloc((points * self->input_count + 1) * sizeof *self->points);
    self->weights = malloc((points + 1) * sizeof *self->weights);
    if (self->inputs && self->points && self->weights)
        return PRF_OK;
    prf_gauss_release(self);
    return prf_fail(err, PRF_ENOMEM, "a Gaussian process over %zu layers", points);
}

prf_status_t prf_gauss_copy(prf_gauss_t *out, const prf_gauss_t *from, prf_error_t *err)
{
    prf_gauss_t self = *from;
    prf_status_t status = prf_gauss_make_room(&self, err);
    if (status)
        return status;
    memcpy(self.inputs, from->inputs, from->input_count * sizeof *self.inputs);
    memcpy(self.points, from->points, (size_t)from->point_count * from->input_count * sizeof *self.points);
    memcpy(self.weights, from->weights, from->point_count * sizeof *self.weights);
    *out = self;
    return PRF_OK;
}

static double seen_by(const prf_gauss_input_t *input, const float *features)
{
    return (asinh((double)features[input->column]) - input->shift) * input->scale;
}

/* Of layers that are `squares` apart; 1 for the same layer. */
static double likeness(double squares)
{
    double r = ROOT_5 * sqrt(squares);
    return (1 + r + r * r / 3) * exp(-r);
}

/* Its derivative by the squared distance. */
static double likeness_slope(double squares)
{
    double r = ROOT_5 * sqrt(squares);
    return -5.0 / 6.0 * (1 + r) * exp(-r);
}

/* Squared distances from `at` of the points from `begin` to `end`. Input by input, so that many points are looked at together; each
 * sum is added in the order of the inputs. */
static void measure(const prf_gauss_t *self, const double *at, uint32_t begin, uint32_t end, double *squares)
{
    memset(squares, 0, (end - begin) * sizeof *squares);
    for (uint32_t i = 0; i < self->input_count; i++) {
        const float *points = self->points + (size_t)i * self->point_count + begin;
        double here = at[i];
        for (uint32_t p = 0; p < end - begin; p++)
            squares[p] += (here - (double)points[p]) * (here - (double)points[p]);
    }
}

void prf_gauss_predict(const prf_gauss_t *self, const float *features, double *mean, double *spread)
{
    double at[PRF_GAUSS_INPUTS], sum = 0, nearest = 0, r[TOGETHER], front[TOGETHER];
    for (uint32_t i = 0; i < self->input_count; i++)
        at[i] = seen_by(&self->inputs[i], features);
    for (uint32_t begin = 0; begin < self->point_count; begin += TOGETHER) {
        uint32_t n = self->point_count - begin < TOGETHER ? self->point_count - begin : TOGETHER;
        measure(self, at, begin, begin + n, r);
        for (uint32_t p = 0; p < n; p++) { /* likeness() */
            r[p] = ROOT_5 * sqrt(r[p]);
            front[p] = 1 + r[p] + r[p] * r[p] / 3;
        }
        for (uint32_t p = 0; p < n; p++) {
            double like = front[p] * exp(-r[p]);
            sum += self->weights[begin + p] * like;
            nearest = like > nearest ? like : nearest;
        }
    }
    *mean = self->mean + sum;
    *spread = self->amplitude * sqrt(fmax(0, 1 - nearest * nearest)); /* rounding takes likeness above 1 */
}

/* --- linear algebra --------------------------------------------------------------------------------------------------- */

/* a = L L', in its lower half. False: not positive. */
static bool cholesky(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row_i = a + i * n;
        for (size_t j = 0; j < i; j++) {
            const double *row_j = a + j * n;
            row_i[j] = (row_i[j] - prf_dot(row_i, row_j, j)) / row_j[j];
        }
        double pivot = row_i[i] - prf_dot(row_i, row_i, i);
        if (!(pivot > 0))
            return false;
        row_i[i] = sqrt(pivot);
    }
    return true;
}

/* x := (L L')^-1 x */
static void solve(const double *l, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - prf_dot(l + i * n, x, i)) / l[i * n + i];
    for (size_t i = n; i-- > 0;) {
        x[i] /= l[i * n + i];
        for (size_t k = 0; k < i; k++)
            x[k] -= l[i * n + k] * x[i];
    }
}

/* out := the transpose of L^-1, whose row i begins at its diagonal. */
static void invert(const double *l, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        double *row = out + i * n;
        row[i] = 1 / l[i * n + i];
        for (size_t k = i + 1; k < n; k++)
            row[k] = -prf_dot(l + k * n + i, row + i, k - i) / l[k * n + k];
    }
}

/* --- features as inputs ------------------------------------------------------------------------------------------------ */

static double correlation(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum / (double)n;
}

/* One feature of all rows, as an input of mean 0 and standard deviation 1. False: it never varies. */
static bool standardise(prf_gauss_input_t *input, double *z, const float *table, size_t rows, size_t features)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < rows; i++)
        mean += (z[i] = asinh((double)table[i * features + input->column])) / (double)rows;
    for (size_t i = 0; i < rows; i++)
        squares += (z[i] - mean) * (z[i] - mean) / (double)rows;
    if (!(squares > 1e-12))
        return false;
    input->shift = mean;
    input->scale = 1 / sqrt(squares);
    for (size_t i = 0; i < rows; i++)
        z[i] = (z[i] - mean) * input->scale;
    return true;
}

/* Features that vary, and not like one before; z receives them, one after another. */
static uint32_t find_inputs(prf_gauss_input_t *inputs, double *z, const float *table, size_t rows, size_t features)
{
    uint32_t count = 0;
    for (size_t f = 0; f < features && count < PRF_GAUSS_INPUTS; f++) {
        double *column = z + count * rows;
        inputs[count] = (prf_gauss_input_t){.column = (uint16_t)f};
        bool fresh = standardise(&inputs[count], column, table, rows, features);
        for (uint32_t i = 0; fresh && i < count; i++)
            fresh = fabs(correlation(z + i * rows, column, rows)) < ALIKE;
        count += fresh ? 1 : 0;
    }
    return count;
}

/* --- lengths ----------------------------------------------------------------------------------------------------------- */

/* The ascent on m layers. */
typedef struct {
    size_t m, count; /* layers, inputs */
    float *apart;    /* owned: for each pair i > j the squared distance in each input */
    double *target;  /* owned, as are all that follow, which lie behind it: m, */
    double *solved;  /* m, */
    double *like;    /* m x m: likeness, */
    double *squares; /* m x m: distances, */
    double *l;       /* m x m: Cholesky factor of the likeness with noise, */
    double *inverse; /* m x m: the transpose of its inverse */
    double *theta;   /* borrowed: logarithms of scales, amplitude, noise */
} ascent_t;

static void ascent_release(ascent_t *a)
{
    free(a->apart);
    free(a->target);
}

/* z holds the columns of the inputs; theta is set apart. */
static prf_status_t ascent_init(ascent_t *a, const double *z, size_t rows, uint32_t count, const double *target, size_t most,
                                prf_error_t *err)
{
    size_t m = rows < most ? rows : most;
    *a = (ascent_t){.m = m, .count = count};
    a->apart = malloc((m * (m - 1) / 2 * count + 1) * sizeof *a->apart);
    a->target = malloc((2 * m + 4 * m * m) * sizeof *a->target);
    if (!a->apart || !a->target) {
        ascent_release(a);
        return prf_fail(err, PRF_ENOMEM, "a Gaussian process over %zu layers", m);
    }
    a->solved = a->target + m;
    a->like = a->solved + m;
    a->squares = a->like + m * m;
    a->l = a->squares + m * m;
    a->inverse = a->l + m * m;
    float *apart = a->apart;
    for (size_t i = 0; i < m; i++) {
        size_t row = i * rows / m;
        a->target[i] = target[row];
        for (size_t j = 0; j < i; j++)
            for (uint32_t d = 0; d < count; d++) {
                double difference = z[d * rows + row] - z[d * rows + j * rows / m];
                *apart++ = (float)(difference * difference);
            }
    }
    return PRF_OK;
}

/* Likeness of all pairs with noise, factored. False: where it cannot be. */
static bool factor(ascent_t *a, const double *weight, double power, double noise)
{
    size_t m = a->m, n = a->count;
    const float *apart = a->apart;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < i; j++, apart += n) {
            double squares = 0;
            for (size_t d = 0; d < n; d++)
                squares += weight[d] * (double)apart[d];
            a->squares[i * m + j] = squares;
            a->like[i * m + j] = likeness(squares);
            a->l[i * m + j] = power * a->like[i * m + j];
        }
        a->l[i * m + i] = power + noise;
    }
    return cholesky(a->l, m);
}

/* Gradient of the logarithm of the posterior by theta. False: where it cannot be computed. */
static bool climb(ascent_t *a, double *gradient)
{
    size_t m = a->m, n = a->count;
    double weight[PRF_GAUSS_INPUTS], power = exp(2 * a->theta[n]), noise = exp(2 * a->theta[n + 1]);
    for (size_t d = 0; d < n; d++)
        weight[d] = exp(2 * a->theta[d]);
    if (!factor(a, weight, power, noise + LEAST_NOISE * LEAST_NOISE))
        return false;
    memcpy(a->solved, a->target, m * sizeof *a->solved);
    solve(a->l, m, a->solved);
    invert(a->l, m, a->inverse);
    double trace = 0, *slope = gradient;
    const float *pair = a->apart;
    memset(gradient, 0, (n + OTHERS) * sizeof *gradient);
    for (size_t i = 0; i < m; i++) {
        const double *row_i = a->inverse + i * m + i;
        trace += a->solved[i] * a->solved[i] - prf_dot(row_i, row_i, m - i);
        for (size_t j = 0; j < i; j++, pair += n) {
            /* d log likelihood / d K_ij = (solved_i solved_j - inverse_ij) / 2, and K is symmetric. */
            double by = a->solved[i] * a->solved[j] - prf_dot(row_i, a->inverse + j * m + i, m - i);
            slope[n] += by * 2 * power * a->like[i * m + j];
            double along = by * 2 * power * likeness_slope(a->squares[i * m + j]);
            for (size_t d = 0; d < n; d++)
                slope[d] += along * (double)pair[d];
        }
    }
    for (size_t d = 0; d < n; d++)
        slope[d] = slope[d] * weight[d] - (a->theta[d] - log(USUAL_SCALE)) / (SCALE_SPREAD * SCALE_SPREAD);
    slope[n] += trace * power;
    slope[n + 1] = trace * noise - (a->theta[n + 1] - log(USUAL_NOISE)) / (NOISE_SPREAD * NOISE_SPREAD);
    return true;
}

static void ascend(ascent_t *a, int steps)
{
    double gradient[PRF_GAUSS_INPUTS + OTHERS], first[PRF_GAUSS_INPUTS + OTHERS] = {0}, second[PRF_GAUSS_INPUTS + OTHERS] = {0};
    double forget_first = 1, forget_second = 1;
    for (int step = 0; step < steps && climb(a, gradient); step++) {
        forget_first *= 0.9;
        forget_second *= 0.99;
        for (size_t d = 0; d < a->count + OTHERS; d++) {
            first[d] = 0.9 * first[d] + 0.1 * gradient[d];
            second[d] = 0.99 * second[d] + 0.01 * gradient[d] * gradient[d];
            a->theta[d] += RATE * first[d] / (1 - forget_first) / (sqrt(second[d] / (1 - forget_second)) + 1e-8);
        }
    }
}

static double deviation(const double *target, size_t rows, double *mean)
{
    double squares = 0;
    *mean = 0;
    for (size_t i = 0; i < rows; i++)
        *mean += target[i] / (double)rows;
    for (size_t i = 0; i < rows; i++)
        squares += (target[i] - *mean) * (target[i] - *mean) / (double)rows;
    return sqrt(squares);
}

/* Takes over what was learned; inputs that do not matter are left out. */
static void conclude(prf_gauss_kernel_t *kernel, const double *theta, double deviation)
{
    uint32_t kept = 0, count = kernel->count;
    for (uint32_t d = 0; d < count; d++) {
        double scale = exp(theta[d]);
        if (scale < LEAST_SCALE)
            continue;
        kernel->inputs[kept] = kernel->inputs[d];
        kernel->inputs[kept++].scale *= scale;
    }
    kernel->count = kept;
    kernel->amplitude = deviation * exp(theta[count]);
    /* Not hypot(), of which the libraries of two processors answer with other last bits. */
    kernel->noise = deviation * sqrt(exp(2 * theta[count + 1]) + LEAST_NOISE * LEAST_NOISE);
}

static prf_status_t ascend_on(double *theta, const double *z, size_t rows, uint32_t count, const double *target, size_t most,
                              int steps, prf_error_t *err)
{
    ascent_t a;
    prf_status_t status = ascent_init(&a, z, rows, count, target, most, err);
    if (status)
        return status;
    a.theta = theta;
    ascend(&a, steps);
    ascent_release(&a);
    return PRF_OK;
}

/* On columns of mean 0 and standard deviation 1. */
static prf_status_t learn_lengths(double *theta, const double *z, size_t rows, uint32_t count, const double *target,
                                  prf_gauss_effort_t effort, prf_error_t *err)
{
    for (uint32_t d = 0; d < count; d++)
        theta[d] = log(USUAL_SCALE);
    theta[count] = 0;
    theta[count + 1] = log(USUAL_NOISE);
    size_t few = efforts[effort].few;
    prf_status_t status = ascend_on(theta, z, rows, count, target, few, efforts[effort].steps_few, err);
    if (status || rows <= few)
        return status;
    return ascend_on(theta, z, rows, count, target, efforts[effort].many, efforts[effort].steps_many, err);
}

prf_status_t prf_gauss_learn(prf_gauss_kernel_t *out, const float *table, size_t row_count, size_t feature_count,
                             const double *target, prf_gauss_effort_t effort, prf_error_t *err)
{
    double *z = malloc((PRF_GAUSS_INPUTS + 1) * (row_count + 1) * sizeof *z), mean, theta[PRF_GAUSS_INPUTS + OTHERS];
    if (!z)
        return prf_fail(err, PRF_ENOMEM, "a Gaussian process over %zu layers", row_count);
    *out = (prf_gauss_kernel_t){.count = 0};
    double spread = deviation(target, row_count, &mean), *scaled = z + PRF_GAUSS_INPUTS * row_count;
    out->count = spread > 0 ? find_inputs(out->inputs, z, table, row_count, feature_count) : 0;
    for (size_t i = 0; i < row_count; i++)
        scaled[i] = spread > 0 ? (target[i] - mean) / spread : 0;
    prf_status_t status = learn_lengths(theta, z, row_count, out->count, scaled, effort, err);
    free(z);
    if (!status)
        conclude(out, theta, spread);
    return status;
}

/* --- weights ----------------------------------------------------------------------------------------------------------- */

static prf_status_t place_points(prf_gauss_t *g, const prf_gauss_kernel_t *kernel, const float *table, size_t rows, size_t features,
                                 prf_error_t *err)
{
    size_t n = kernel->count;
    *g = (prf_gauss_t){.input_count = kernel->count, .point_count = (uint32_t)rows, .amplitude = kernel->amplitude};
    prf_status_t status = prf_gauss_make_room(g, err);
    if (status)
        return status;
    memcpy(g->inputs, kernel->inputs, n * sizeof *g->inputs);
    for (size_t i = 0; i < rows; i++)
        for (size_t d = 0; d < n; d++)
            g->points[d * rows + i] = (float)seen_by(&g->inputs[d], table + i * features);
    return PRF_OK;
}

/* Row i of the kernel's lower half. */
static void relate(const prf_gauss_t *g, double power, uint32_t i, double *row)
{
    double at[PRF_GAUSS_INPUTS];
    for (uint32_t d = 0; d < g->input_count; d++)
        at[d] = (double)g->points[(size_t)d * g->point_count + i];
    measure(g, at, 0, i, row);
    for (uint32_t j = 0; j < i; j++)
        row[j] = power * likeness(row[j]);
}

prf_status_t prf_gauss_fit(prf_gauss_t *out, const prf_gauss_kernel_t *kernel, const float *table, size_t row_count,
                           size_t feature_count, const double *target, prf_error_t *err)
{
    prf_gauss_t g;
    double power = kernel->amplitude * kernel->amplitude, noise = kernel->noise * kernel->noise;
    prf_status_t status = place_points(&g, kernel, table, row_count, feature_count, err);
    if (status)
        return status;
    double *k = malloc(row_count * row_count * sizeof *k);
    if (!k) {
        prf_gauss_release(&g);
        return prf_fail(err, PRF_ENOMEM, "a Gaussian process over %zu layers", row_count);
    }
    (void)deviation(target, row_count, &g.mean);
    for (size_t i = 0; i < row_count; i++) {
        relate(&g, power, (uint32_t)i, k + i * row_count);
        k[i * row_count + i] = power + noise;
        g.weights[i] = target[i] - g.mean;
    }
    if (power > 0 && cholesky(k, row_count))
        solve(k, row_count, g.weights);
    else
        memset(g.weights, 0, row_count * sizeof *g.weights); /* nothing varies, or not beyond rounding */
    for (size_t i = 0; i < row_count; i++)
        g.weights[i] *= power;
    free(k);
    *out = g;
    return PRF_OK;
}

static bool number(double v)
{
    return isfinite(v) && fabs(v) < 1e60;
}

prf_status_t prf_gauss_check(const prf_gauss_t *self, size_t feature_count, prf_error_t *err)
{
    bool ok = number(self->mean) && number(self->amplitude) && self->amplitude >= 0;
    for (uint32_t i = 0; ok && i < self->input_count; i++)
        ok = self->inputs[i].column < feature_count && number(self->inputs[i].shift) && number(self->inputs[i].scale);
    for (size_t i = 0; ok && i < (size_t)self->point_count * self->input_count; i++)
        ok = isfinite(self->points[i]) && fabsf(self->points[i]) < 1e12f;
    for (uint32_t i = 0; ok && i < self->point_count; i++)
        ok = number(self->weights[i]);
    return ok ? PRF_OK : prf_fail(err, PRF_ECORRUPT, "model file: a Gaussian process with a number that cannot be");
}
