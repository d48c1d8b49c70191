// SPDX-License-Identifier: Apache-2.0
/* search.c - an architecture search in small: which widths of a five-stage CNN are fastest on a board, at a given number of MACs?
 *
 *   cc -std=c11 -O2 search.c $(pkg-config --cflags --libs prfarm) -lpthread -o search
 *   ./search zcu102.prfm 60e6
 *
 * Each thread evolves a population of its own; all of them ask the same model, without a lock. Whoever is within 3 % of the MACs
 * may join a population; of those, the fastest survive and have children with some widths changed. A generation is one call:
 * all layers of all candidates are rows of one matrix, so the model sees thousands of layers at once and nothing is allocated.
 * Candidates drawn at random, as many as the evolution asked about, tell what it was worth. Equal arguments give equal results. */
#include <math.h>
#include <prfarm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STAGES = 5,
    THREADS = 4,
    POPULATION = 64,
    SURVIVORS = 16,
    GENERATIONS = 40,
    NARROWEST = 16,
    WIDEST = 256,
    IMAGE = 64,
    TRIES = 200000
};

static const char pattern[] = "conv2d r=3 stride=2 pad=1 + relu";
static const char *const columns[] = {"c", "k", "h"};

typedef struct {
    int64_t width[STAGES];
    double latency_ns; /* INFINITY until it is known */
} candidate;

typedef struct {
    const prfarm_model *model; /* shared */
    double macs;               /* to have */
    uint64_t random;
    candidate fastest, fastest_at_random;
    int failed;
    char error[PRFARM_ERROR];
} island;

/* splitmix64 (Steele, Lea and Flood 2014) */
static uint64_t draw(island *self, uint64_t below)
{
    uint64_t z = self->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

/* Stage i halves the image: a convolution from the width before it to its own. */
static void to_rows(const candidate *c, int64_t rows[STAGES][3])
{
    int i;
    for (i = 0; i < STAGES; i++) {
        rows[i][0] = i ? c->width[i - 1] : 3;
        rows[i][1] = c->width[i];
        rows[i][2] = IMAGE >> i;
    }
}

static double macs_of(const candidate *c)
{
    int64_t rows[STAGES][3];
    double macs = 0;
    int i;
    to_rows(c, rows);
    for (i = 0; i < STAGES; i++) {
        double out = (double)(rows[i][2] / 2);
        macs += out * out * 9 * (double)rows[i][0] * (double)rows[i][1];
    }
    return macs;
}

static int has_the_macs(const island *self, const candidate *c)
{
    return fabs(macs_of(c) / self->macs - 1) <= 0.03;
}

static int64_t any_width(island *self)
{
    return NARROWEST + (int64_t)draw(self, WIDEST - NARROWEST + 1);
}

/* Another width, mostly near the old one. */
static int64_t mutate(island *self, int64_t width)
{
    int64_t near = width + (int64_t)draw(self, 33) - 16;
    if (draw(self, 4) == 0)
        return any_width(self);
    return near < NARROWEST ? NARROWEST : near > WIDEST ? WIDEST : near;
}

/* A candidate with the MACs: drawn at random, or (parent) with two widths changed. 0: none was found. */
static int make(island *self, const candidate *parent, candidate *out)
{
    int tries, i;
    for (tries = 0; tries < TRIES; tries++) {
        candidate c;
        if (parent)
            c = *parent;
        for (i = 0; i < STAGES && !parent; i++)
            c.width[i] = any_width(self);
        for (i = 0; i < 2 && parent; i++) {
            int64_t *width = &c.width[draw(self, STAGES)];
            *width = mutate(self, *width);
        }
        c.latency_ns = INFINITY;
        if (!has_the_macs(self, &c))
            continue;
        *out = c;
        return 1;
    }
    return 0;
}

/* All candidates in one call. */
static void estimate(island *self, candidate *all, size_t count)
{
    int64_t rows[POPULATION * STAGES][3];
    double latency_ns[POPULATION * STAGES];
    prfarm_matrix matrix = {rows[0], 3, 1, 0, 3, columns};
    prfarm_estimates out = {0};
    size_t i, covered = 0;

    matrix.rows = count * STAGES;
    out.latency_ns = latency_ns;
    for (i = 0; i < count; i++)
        to_rows(&all[i], rows + i * STAGES);
    self->failed = prfarm_estimate_matrix(self->model, pattern, &matrix, &out, &covered, self->error);
    if (!self->failed && covered < matrix.rows) {
        snprintf(self->error, sizeof self->error, "the model of '%s' knows no conv2d of f32", prfarm_model_board(self->model));
        self->failed = 6;
    }
    for (i = 0; !self->failed && i < count * STAGES; i++) {
        double *sum = &all[i / STAGES].latency_ns;
        *sum = i % STAGES ? *sum + latency_ns[i] : latency_ns[i];
    }
}

static int by_latency(const void *a, const void *b)
{
    double x = ((const candidate *)a)->latency_ns, y = ((const candidate *)b)->latency_ns;
    return (x > y) - (x < y);
}

static int fill(island *self, candidate *all, size_t from, int evolve)
{
    size_t i;
    for (i = from; i < POPULATION; i++)
        if (!make(self, evolve ? &all[draw(self, SURVIVORS)] : NULL, &all[i])) {
            snprintf(self->error, sizeof self->error, "no widths from %d to %d have %.3g MACs", NARROWEST, WIDEST, self->macs);
            self->failed = 3;
            return 0;
        }
    estimate(self, all + from, POPULATION - from);
    qsort(all, POPULATION, sizeof *all, by_latency);
    return !self->failed;
}

static void *live(void *arg)
{
    island *self = arg;
    candidate all[POPULATION], strangers[POPULATION];
    int generation;

    if (!fill(self, all, 0, 0))
        return NULL;
    self->fastest_at_random = all[0];
    for (generation = 1; generation < GENERATIONS; generation++) {
        if (!fill(self, all, SURVIVORS, 1) || !fill(self, strangers, 0, 0))
            return NULL;
        if (strangers[0].latency_ns < self->fastest_at_random.latency_ns)
            self->fastest_at_random = strangers[0];
    }
    self->fastest = all[0];
    return NULL;
}

static void print(const char *what, const candidate *c)
{
    int i;
    printf("%-9s %9.1f us, %5.1f million MACs, widths", what, c->latency_ns / 1000, macs_of(c) / 1e6);
    for (i = 0; i < STAGES; i++)
        printf(" %d", (int)c->width[i]);
    printf("\n");
}

static int search(island islands[THREADS])
{
    pthread_t threads[THREADS];
    candidate fastest, at_random;
    int i, started = 0, rc = 0;

    while (started < THREADS && pthread_create(&threads[started], NULL, live, &islands[started]) == 0)
        started++;
    for (i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < THREADS)
        return 7;
    fastest.latency_ns = at_random.latency_ns = INFINITY;
    for (i = 0; i < THREADS; i++) {
        if (islands[i].failed && !rc) {
            fprintf(stderr, "search: %s\n", islands[i].error);
            rc = islands[i].failed;
        }
        if (islands[i].fastest.latency_ns < fastest.latency_ns)
            fastest = islands[i].fastest;
        if (islands[i].fastest_at_random.latency_ns < at_random.latency_ns)
            at_random = islands[i].fastest_at_random;
    }
    if (!rc) {
        print("random", &at_random);
        print("evolved", &fastest);
    }
    return rc;
}

int main(int argc, char **argv)
{
    char error[PRFARM_ERROR];
    prfarm_model *model;
    island islands[THREADS];
    int i, rc;

    if (argc != 3 || !(atof(argv[2]) > 0)) {
        fprintf(stderr, "usage: search MODEL.prfm MACS\n");
        return 2;
    }
    rc = prfarm_model_load(&model, argv[1], error);
    if (rc) {
        fprintf(stderr, "search: %s\n", error);
        return rc;
    }
    memset(islands, 0, sizeof islands);
    for (i = 0; i < THREADS; i++) {
        islands[i].model = model;
        islands[i].macs = atof(argv[2]);
        islands[i].random = (uint64_t)i;
        islands[i].fastest.latency_ns = islands[i].fastest_at_random.latency_ns = INFINITY;
    }
    rc = search(islands);
    prfarm_model_free(model);
    return rc;
}
