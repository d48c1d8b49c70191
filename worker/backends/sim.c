// SPDX-License-Identifier: Apache-2.0
/* sim.c - presents a simulated board as a backend, and adds what real boards add: noise, slow states, crashes, hangs, nonsense.
 *
 * Without those a board is exact: same block, same latency. Noise is drawn from a stream that belongs to the block and to how
 * often this board has measured it, so that it does not depend on the order in which jobs arrive, yet a second measurement
 * differs from the first. Faults belong to the block, too, when a seed is given (the same layers fail each time); without one
 * they are drawn anew each time, as a flaky board would. Slow states belong to time: they last over many runs and cover
 * whatever is measured meanwhile. A board may also be faster or slower than its siblings, or become so (drift). Faults, pace, speed
 * and drift are no part of the fingerprint: a flaky or a throttled board of a kind is still one of the kind. */
#include "backends/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/backend.h"
#include "backends/options.h"
#include "base/clock.h"
#include "base/rng.h"

enum { BOARDS = 6, COMMON_OPTIONS = 16 };
static const prf_sim_board_t *const boards[BOARDS] = {&prf_sim_ultratrail, &prf_sim_systolic, &prf_sim_vta,
                                                      &prf_sim_ncs2,       &prf_sim_zcu102,   &prf_sim_ferry};

/* How often a block was measured: a table of fixed size, so that a long campaign cannot grow it. A block that is crowded out
 * starts anew: then its next measurement repeats the noise of its first. */
enum { SEEN = 1 << 14, SEEN_PROBES = 8 };
typedef struct {
    uint64_t block;
    uint32_t times;
} seen_t;

struct prf_board {
    const prf_sim_board_t *sim;
    double set[PRF_SIM_SETTINGS];
    double noise, slow, crash, hang, wrong;          /* shares of 1 */
    double speed, drift;                             /* times as long: always; after `drift_after` runs */
    double activation_ns, activation_ns_per_element; /* that an activation adds to the layer before it */
    double between_ns;                               /* that a block adds to a chain besides its own time */
    double pj_per_mac, static_w;                     /* energy: for each MAC, and while it runs; both 0: it tells none */
    int64_t drift_after;
    bool real_pace;
    uint64_t seed, fault_seed;
    prf_rng_t slow_rng;
    bool is_slow;
    double slow_factor;  /* while it is slow */
    uint32_t state_left; /* runs until that changes */
    int64_t runs;        /* so far */
    seen_t *seen;        /* owned; NULL on boards without noise */
};

struct prf_kernel {
    prf_board_t *board; /* borrowed */
    double latency_ns, macs;
    prf_rng_t noise, faults;
};

static const prf_sim_board_t *find_board(const char *name)
{
    for (size_t i = 0; i < BOARDS; i++)
        if (strcmp(name, boards[i]->name) == 0)
            return boards[i];
    return NULL;
}

static prf_status_t read_options(prf_board_t *self, const char *const *options, size_t count, prf_error_t *err)
{
    const char *board = NULL, *pace = "off";
    int64_t seed = 0;
    prf_option_t table[PRF_SIM_SETTINGS + COMMON_OPTIONS] = {
        {"board", PRF_OPTION_TEXT, &board, 0, 0},
        {"noise", PRF_OPTION_NUMBER, &self->noise, 0, 50},
        {"slow", PRF_OPTION_NUMBER, &self->slow, 0, 90},
        {"pace", PRF_OPTION_TEXT, &pace, 0, 0},
        {"crash", PRF_OPTION_NUMBER, &self->crash, 0, 1},
        {"hang", PRF_OPTION_NUMBER, &self->hang, 0, 1},
        {"wrong", PRF_OPTION_NUMBER, &self->wrong, 0, 1},
        {"seed", PRF_OPTION_INTEGER, &seed, 0, 9007199254740992.0},
        {"speed", PRF_OPTION_NUMBER, &self->speed, 0.01, 100},
        {"drift", PRF_OPTION_NUMBER, &self->drift, 0, 1000},
        {"drift_after", PRF_OPTION_INTEGER, &self->drift_after, 0, 1e9},
        {"activation_ns", PRF_OPTION_NUMBER, &self->activation_ns, 0, 1e9},
        {"activation_ns_per_element", PRF_OPTION_NUMBER, &self->activation_ns_per_element, 0, 1e6},
        {"between_ns", PRF_OPTION_NUMBER, &self->between_ns, 0, 1e9},
        {"pj_per_mac", PRF_OPTION_NUMBER, &self->pj_per_mac, 0, 1e6},
        {"static_w", PRF_OPTION_NUMBER, &self->static_w, 0, 1e5},
    };
    size_t entries = COMMON_OPTIONS;
    for (size_t i = 0; i < self->sim->setting_count; i++) {
        const prf_sim_setting_t *s = &self->sim->settings[i];
        self->set[i] = s->fallback;
        table[entries++] = (prf_option_t){s->key, PRF_OPTION_NUMBER, &self->set[i], s->min, s->max};
    }
    prf_status_t status = prf_options_read("sim", options, count, table, entries, err);
    if (status)
        return status;
    if (strcmp(pace, "off") != 0 && strcmp(pace, "real") != 0)
        return prf_fail(err, PRF_EINVAL, "sim: pace=%.40s: use off or real", pace);
    self->real_pace = strcmp(pace, "real") == 0;
    self->noise /= 100;
    self->slow /= 100;
    self->drift = 1 + self->drift / 100;
    self->seed = (uint64_t)seed;
    self->fault_seed = seed ? self->seed : prf_clock_mono_ns() ^ (uint64_t)getpid();
    return PRF_OK;
}

/* Without a board nobody knows its settings, but a word that no board has may well be the board's, misspelled. */
static const char *unheard_of(const char *const *options, size_t count)
{
    static const char *const common[] = {"board", "noise", "slow",  "pace",  "crash",      "hang",
                                         "wrong", "seed",  "speed", "drift", "drift_after"};
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(options[i], "=");
        bool known = false;
        for (size_t k = 0; k < sizeof common / sizeof *common; k++)
            known = known || (strlen(common[k]) == len && strncmp(common[k], options[i], len) == 0);
        for (size_t b = 0; b < BOARDS; b++)
            for (size_t k = 0; k < boards[b]->setting_count; k++)
                known = known ||
                        (strlen(boards[b]->settings[k].key) == len && strncmp(boards[b]->settings[k].key, options[i], len) == 0);
        if (!known)
            return options[i];
    }
    return NULL;
}

static prf_status_t no_board(const char *name, const char *const *options, size_t count, prf_error_t *err)
{
    const char *odd = unheard_of(options, count);
    if (name)
        return prf_fail(err, PRF_EINVAL, "sim: board=%.40s: use ultratrail, systolic, vta, ncs2, zcu102 or ferry", name);
    if (odd)
        return prf_fail(err, PRF_EINVAL,
                        "sim: unknown option '%.60s': give board=, one of ultratrail, systolic, vta, ncs2, zcu102 or ferry", odd);
    return prf_fail(err, PRF_EINVAL, "sim: give board=, one of ultratrail, systolic, vta, ncs2, zcu102 or ferry");
}

static void sim_close(prf_board_t **board)
{
    if (!*board)
        return;
    free((*board)->seen);
    free(*board);
    *board = NULL;
}

static prf_status_t sim_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    size_t at = 0;
    const char *name = prf_option_next(options, count, "board", &at);
    const prf_sim_board_t *sim = name ? find_board(name) : NULL;
    if (!sim)
        return no_board(name, options, count, err);
    prf_board_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "sim: board");
    self->sim = sim;
    self->speed = 1;
    self->is_slow = true; /* so that the first change is to the normal state */
    prf_status_t status = read_options(self, options, count, err);
    if (!status && self->noise > 0 && !(self->seen = calloc(SEEN, sizeof *self->seen)))
        status = prf_fail(err, PRF_ENOMEM, "sim: board");
    if (status) {
        sim_close(&self);
        return status;
    }
    prf_rng_init(&self->slow_rng, self->seed, prf_rng_stream("slow"));
    *out = self;
    return PRF_OK;
}

static void sim_describe(const prf_board_t *self, prf_board_facts_t *out)
{
    *out = (prf_board_facts_t){.kinds = self->sim->kinds, .dtypes = (1u << PRF_DTYPES) - 1, .flags = PRF_BOARD_SELF_TIMED};
    char *text = out->fingerprint;
    size_t cap = sizeof out->fingerprint, used = (size_t)snprintf(text, cap, "sim/%s", self->sim->name);
    for (size_t i = 0; i < self->sim->setting_count && used < cap; i++)
        if (self->set[i] != self->sim->settings[i].fallback)
            used += (size_t)snprintf(text + used, cap - used, " %s=%.9g", self->sim->settings[i].key, self->set[i]);
    if (self->activation_ns > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " activation_ns=%.9g", self->activation_ns);
    if (self->activation_ns_per_element > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " activation_ns_per_element=%.9g", self->activation_ns_per_element);
    if (self->between_ns > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " between_ns=%.9g", self->between_ns);
    if (self->pj_per_mac > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " pj_per_mac=%.9g", self->pj_per_mac);
    if (self->static_w > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " static_w=%.9g", self->static_w);
    if (self->pj_per_mac > 0 || self->static_w > 0)
        out->flags |= PRF_BOARD_ENERGY;
    if (self->noise > 0 && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " noise=%.9g", self->noise * 100);
    if (self->slow > 0 && used < cap)
        snprintf(text + used, cap - used, " slow=%.9g", self->slow * 100);
    if (self->noise == 0 && self->slow == 0)
        out->flags |= PRF_BOARD_EXACT;
}

static prf_status_t layer_cost(const prf_board_t *self, const prf_layer_t *layer, double *latency_ns, prf_error_t *err)
{
    if (!(self->sim->kinds & 1u << layer->kind))
        return prf_fail(err, PRF_EUNSUPPORTED, "%s cannot run %s: leave it out", self->sim->name, prf_layer_kind_name(layer->kind));
    prf_layer_t one = *layer;
    /* A grouped convolution runs its groups one after the other. A depthwise one is a kind of its own, with its own formula. */
    int32_t groups = layer->kind == PRF_CONV2D ? layer->p[PRF_P_GROUPS] : 1;
    if (groups > 1) {
        one.p[PRF_P_C] /= groups;
        one.p[PRF_P_K] /= groups;
        one.p[PRF_P_GROUPS] = 1;
    }
    prf_status_t status = self->sim->cost(self->set, &one, latency_ns, err);
    if (!status)
        *latency_ns *= groups;
    return status;
}

/* The leading layer and whatever follows it. Activations are applied on the way out, at the cost that was set: none, unless told.
 */
static prf_status_t block_cost(const prf_board_t *self, const prf_block_t *block, double *latency_ns, prf_error_t *err)
{
    double sum = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        double one = 0;
        if (i > 0 && block->layers[i].kind == PRF_ACTIVATION) {
            sum += self->activation_ns + self->activation_ns_per_element * prf_layer_outputs(&block->layers[i]);
            continue;
        }
        prf_status_t status = layer_cost(self, &block->layers[i], &one, err);
        if (status)
            return status;
        sum += one;
    }
    prf_sample_t sample = {.latency_ns = sum, .min_ns = sum};
    if (!prf_sample_plausible(&sample))
        return prf_fail(err, PRF_EUNSUPPORTED, "%s would take %.3g s for it: use a layer that takes less than an hour",
                        self->sim->name, sum / 1e9);
    *latency_ns = sum;
    return PRF_OK;
}

static uint32_t count_seen(prf_board_t *self, uint64_t block)
{
    if (!self->seen)
        return 0;
    seen_t *entry = NULL;
    for (size_t i = 0; i < SEEN_PROBES; i++) {
        entry = &self->seen[(block + i) % SEEN];
        if (entry->block == block || entry->times == 0)
            break;
    }
    if (entry->block != block)
        *entry = (seen_t){.block = block};
    return entry->times++;
}

static prf_status_t sim_prepare(prf_board_t *self, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                prf_error_t *err)
{
    double latency_ns;
    prf_status_t status = block_cost(self, block, &latency_ns, err);
    if (status)
        return status;
    if (place->position > 0)
        latency_ns += self->between_ns;
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return prf_fail(err, PRF_ENOMEM, "sim: kernel");
    char text[PRF_BLOCK_TEXT];
    prf_block_format(block, text);
    uint64_t stream = prf_rng_stream(text);
    kernel->board = self;
    kernel->latency_ns = latency_ns;
    kernel->macs = prf_block_macs(block);
    prf_rng_init(&kernel->noise, self->seed, stream + count_seen(self, stream));
    self->fault_seed += self->seed == 0;
    prf_rng_init(&kernel->faults, self->fault_seed, stream);
    *out = kernel;
    return PRF_OK;
}

enum { SLOW_RUNS = 50 };

/* A slow state lasts SLOW_RUNS runs on average, a normal one so much longer that the share of slow runs is what was asked for. */
static double slowness(prf_board_t *self)
{
    if (self->slow <= 0)
        return 1;
    if (self->state_left == 0) {
        self->is_slow = !self->is_slow;
        self->slow_factor = 1.2 + 0.25 * prf_rng_double(&self->slow_rng);
        double mean = self->is_slow ? SLOW_RUNS : SLOW_RUNS * (1 - self->slow) / self->slow;
        self->state_left = 1 + (uint32_t)fmin(-mean * log(1 - prf_rng_double(&self->slow_rng)), 1e9);
    }
    self->state_left--;
    return self->is_slow ? self->slow_factor : 1;
}

static void sleep_ns(double ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1e9), .tv_nsec = (long)fmod(ns, 1e9)};
    while (nanosleep(&left, &left) != 0)
        ;
}

static double nonsense(prf_rng_t *rng, double latency_ns)
{
    const double answers[] = {NAN, -latency_ns, 0, 1e30, latency_ns * 100};
    return answers[prf_rng_below(rng, sizeof answers / sizeof *answers)];
}

static prf_status_t sim_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    (void)err;
    prf_board_t *board = kernel->board;
    prf_rng_t faults = kernel->faults; /* a copy: each run of one kernel meets the same fate */
    if (prf_rng_double(&faults) < board->crash)
        abort();
    if (prf_rng_double(&faults) < board->hang)
        for (;;)
            pause();
    double ns = kernel->latency_ns * board->speed * slowness(board);
    if (++board->runs > board->drift_after)
        ns *= board->drift;
    if (board->noise > 0)
        ns *= exp(board->noise * prf_rng_normal(&kernel->noise));
    if (board->real_pace)
        sleep_ns(ns * how->iterations);
    out->latency_ns = prf_rng_double(&faults) < board->wrong ? nonsense(&faults, ns) : ns;
    out->energy_nj = board->pj_per_mac / 1000 * kernel->macs + board->static_w * ns;
    return PRF_OK;
}

static void sim_release(prf_kernel_t **kernel)
{
    free(*kernel);
    *kernel = NULL;
}

const prf_backend_t prf_backend_sim = {
    .abi = PRF_BACKEND_ABI,
    .name = "sim",
    .options =
        "board=ultratrail|systolic|vta|ncs2|zcu102|ferry, the board's settings (docs/backends.md), noise=PERCENT slow=PERCENT "
        "pace=off|real crash=P hang=P wrong=P seed=N speed=FACTOR drift=PERCENT drift_after=RUNS "
        "activation_ns=NS activation_ns_per_element=NS between_ns=NS pj_per_mac=PJ static_w=W",
    .open = sim_open,
    .describe = sim_describe,
    .prepare = sim_prepare,
    .run = sim_run,
    .release = sim_release,
    .close = sim_close,
};
