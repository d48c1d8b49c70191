// SPDX-License-Identifier: Apache-2.0
/* point.h - what is measured, how, and what came out: the vocabulary that coordinator, worker and store share. Pure.
 *
 * A point is one block (or, for a whole network, a chain of blocks run back to back) measured by one protocol on one kind of
 * board with one runtime. Its identity is a digest of exactly that, so a point measured once is never measured again. */
#ifndef PRF_POINT_H
#define PRF_POINT_H

#include "base/digest.h"
#include "layer/layer.h"

enum {
    PRF_NAME = 64,           /* a board kind, a campaign, a board: [A-Za-z0-9._-], NUL included */
    PRF_FINGERPRINT = 192,   /* a runtime fingerprint: printable text, NUL included */
    PRF_CHAIN_BLOCKS = 1024, /* blocks of a network at most */
    PRF_CHAIN_EDGES = 16384  /* inputs of all its blocks at most */
};

/* Letters, digits, '.', '_', '-', 1 to PRF_NAME - 1 of them, not beginning with '.' or '-'. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_name_check(const char *what, const char *name, prf_error_t *err);

typedef enum {
    PRF_CACHE_WARM = 0,  /* run again and again */
    PRF_CACHE_SEMI_COLD, /* before each timing as inside a network: weights out of the caches, input in: docs/measuring.md */
    PRF_CACHES
} prf_cache_t;

enum { PRF_ENERGY_LEAST_MS = 20, PRF_ENERGY_MOST_MS = 60000 /* that a layer is run for its energy */ };

/* How a point is measured; part of its identity. Backends that know their latency themselves (simulators) ignore `cache`. */
typedef struct {
    prf_cache_t cache;
    uint32_t warmup_runs;
    uint32_t min_repeats, max_repeats;
    double ci_percent;  /* stop when the 95 % confidence interval of the median is within this share of it */
    uint32_t limit_ms;  /* or when this much time has gone by */
    uint32_t energy_ms; /* how long it is run again for its energy, where the worker reads that; 0: energy is not asked for */
} prf_protocol_t;

void prf_protocol_default(prf_protocol_t *out); /* warm, 3 runs, 5 .. 200 repeats, 1 %, 1000 ms, no energy */
PRF_CHECKED prf_status_t prf_protocol_check(const prf_protocol_t *protocol, prf_error_t *err);
const char *prf_cache_name(prf_cache_t cache); /* "warm", "semi-cold" */
/* `what` is the name's place, for the message. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_cache_parse(prf_cache_t *out, const char *what, const char *name, prf_error_t *err);

/* One input of a block in a network: what block `from` puts out; -1: what goes into the network. Positions count from 0. */
typedef struct {
    int32_t to, from; /* from < to */
} prf_edge_t;

/* What a point measures: one block, or the blocks of a network in an order in which they can run. All borrowed. */
typedef struct {
    const prf_block_t *blocks;
    size_t count;            /* 1 .. PRF_CHAIN_BLOCKS */
    const prf_edge_t *edges; /* ascending by `to`, each block's in the order of its inputs, one for each block at least */
    size_t edge_count;       /* at most PRF_CHAIN_EDGES; 0: not told, the blocks just run one after the other */
} prf_chain_t;

/* Counts and edges; the blocks are not looked at. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_chain_check(const prf_chain_t *chain, prf_error_t *err);

/* Identity of a point; energy is a part of it only where it is asked for. `kind` and `fingerprint` are those of the board. */
void prf_point_id(prf_digest_t *out, const char *kind, const char *fingerprint, const prf_protocol_t *protocol,
                  const prf_chain_t *chain);

/* What a board says about itself. Bits; the same in the C ABI of backends and on the wire. */
enum {
    PRF_BOARD_SELF_TIMED = 1 << 0, /* the board tells the latency; else the worker takes the time around its run */
    PRF_BOARD_EXACT = 1 << 1,      /* the same block always has the same latency: one repeat is enough */
    PRF_BOARD_NETWORKS = 1 << 2,   /* it builds and runs a whole network as one */
    PRF_BOARD_HOST = 1 << 3,       /* the board is this machine's own processor: its clock, temperature and load are this system's,
                                      and boards of one machine take turns */
    PRF_BOARD_ENERGY = 1 << 4,     /* it tells the energy too */
    PRF_BOARD_FLAGS = (1 << 5) - 1 /* all that there are */
};

/* Why a sample may be worth less; a tainted sample is measured again later. Bits. */
enum {
    PRF_TAINT_SWITCHED = 1 << 0,  /* involuntary context switches while timing */
    PRF_TAINT_THROTTLED = 1 << 1, /* the clock fell or the board said so */
    PRF_TAINT_UNSTEADY = 1 << 2,  /* the interval's target was not reached within limit_ms */
    PRF_TAINT_LOADED = 1 << 3,    /* others were busy on the board */
    PRF_TAINT_SLOW = 1 << 4,      /* a fixed layer took longer beside it than it had before */
    PRF_TAINT_HOT = 1 << 5        /* it was to be cooler before, and was not in time */
};

/* The outcome of measuring a point once. What the system does not tell is 0. */
typedef struct {
    double latency_ns; /* median of the repeats, one inference of the block or chain */
    double min_ns;
    double ci_percent; /* half width of the median's 95 % interval, reached */
    uint32_t repeats;
    uint32_t taint;          /* PRF_TAINT_* */
    uint32_t temperature_mc; /* thousandths of a degree Celsius */
    uint32_t clock_khz;
    uint32_t load_percent; /* of the whole board, by others, around the measurement */
    uint64_t wall_ms;      /* when it ended, for people */
    uint64_t busy_ns;      /* how long the board was kept busy, preparation included */
    double energy_nj;      /* nanojoules of one inference; 0: not told */
} prf_sample_t;

enum { PRF_CI_MOST = 1000000 /* percent */ };

/* A latency that can be one: finite and above zero, below an hour; an interval that can, which is also no NaN; and an energy: below
 * a megawatt for that time. */
bool prf_sample_plausible(const prf_sample_t *sample);

#endif
