// SPDX-License-Identifier: Apache-2.0
/* workload.c - boards that are exact, so that a model is decided by which points were measured and by nothing else, and that take
 * the time that they tell (`pace=real`), so that a storm meets jobs that run. They are slow versions of the simulated ones: 40 to
 * 70 ms a job on average, few above half a second.
 *
 * Most points are validation layers, measured twice: they cost the boards' time, but no training. A campaign that trained on 20,000
 * points would be a test of the trainer. White, grey and black boxes are all there, so that sweeps, decisions that rest on them,
 * and samples each meet the storm. */
#include "workload.h"

#include <stdio.h>

enum { LEAST_SAMPLES = 60, MOST_SAMPLES = 200 };

const workload_board_t workload_boards[WORKLOAD_KINDS] = {
    {"array", {"board=ultratrail", "cycle_ns=20000", "pace=real", NULL}},
    {"tiles", {"board=vta", "cycle_ns=1000", "pace=real", NULL}},
    {"fpga", {"board=zcu102", "gops=1.5", "gbps=0.02", "pace=real"}},
};

static const char form[] =
    "campaign: " WORKLOAD_NAME "\n"
    "seed: %u\n"
    "boards:\n"
    "  - {kind: array}\n"
    "  - {kind: tiles}\n"
    "  - {kind: fpga}\n"
    "layers:\n"
    "  - {kind: conv1d, boards: [array], weight: 3, params: {c: 16..64, k: 16..64, w: 16..64, f: [1, 3, 5], pad: f/2},\n"
    "     knowledge: white, steps: {c: 8, k: 8}}\n"
    "  - {kind: fc, boards: [array], params: {in: 1..128, out: 1..128}, knowledge: white, steps: {in: 8, out: 8}}\n"
    "  - {kind: conv2d, boards: [tiles], weight: 3, params: {c: 16..128, k: 16..128, h: [14, 28], w: h, r: [1, 3], s: r, pad: "
    "r/2},\n"
    "     knowledge: grey, candidates: {c: [8, 16, 32], k: [8, 16, 32]}}\n"
    "  - {kind: fc, boards: [tiles], params: {in: 64..1024, out: 64..1024}, knowledge: white, steps: {in: 16, out: 16}}\n"
    "  - {kind: conv2d, boards: [fpga], weight: 3, params: {c: 32..256, k: 32..256, h: [14, 28], w: h, r: [1, 3], s: r, pad: "
    "r/2}}\n"
    "  - {kind: maxpool2d, boards: [fpga], params: {c: 16..256, h: [14, 28, 56], r: 3, stride: 2, pad: 1}}\n"
    "  - {kind: add, boards: [fpga], params: {c: 32..512, h: [7, 14, 28, 56]}}\n"
    "budget: {samples: %zu}\n"
    "validation: {layers: %zu, repeats: 2}\n";

/* Of a kind's share a tenth is the sample, but no more than a trainer is done with in a few seconds, and as much the baseline; the
 * rest are validation layers, each measured twice. */
void workload_write(char text[WORKLOAD_TEXT], size_t points, unsigned seed)
{
    size_t share = points / WORKLOAD_KINDS, tenth = share / 10;
    size_t samples = tenth < LEAST_SAMPLES ? LEAST_SAMPLES : tenth > MOST_SAMPLES ? MOST_SAMPLES : tenth;
    size_t validation = share > 2 * samples + 20 ? (share - 2 * samples) / 2 : 10;
    snprintf(text, WORKLOAD_TEXT, form, seed, samples, validation);
}
