// SPDX-License-Identifier: Apache-2.0
/* The worker's simulated boards against closed forms that were written apart from them (tests/support/boards.c). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "backends/registry.h"
#include "boards.h"
#include "pr/space.h"

enum { LAYERS = 2000 };

static prf_dim_t range(int32_t lo, int32_t hi)
{
    return (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = lo, .hi = hi};
}

static prf_space_t space_of(prf_layer_kind_t kind, int32_t largest)
{
    prf_space_t s = {.kind = kind, .dtype = PRF_I8};
    if (kind == PRF_FC) {
        s.dims[PRF_P_IN] = s.dims[PRF_P_OUT] = range(1, largest);
        return s;
    }
    s.dims[PRF_P_C] = s.dims[PRF_P_K] = range(1, largest);
    s.dims[PRF_P_STRIDE] = range(1, 4);
    if (kind == PRF_CONV1D) {
        s.dims[PRF_P_W] = range(16, 128);
        s.dims[PRF_P_F] = range(1, 16);
        s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_F, .divisor = 2};
    } else {
        s.dims[PRF_P_H] = range(1, 112);
        s.dims[PRF_P_W] = range(1, 112);
        s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 4, .values = {1, 3, 5, 7}};
        s.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
    }
    return s;
}

static void agree(const char *name, board_t closed_form, prf_layer_kind_t kind, int32_t largest)
{
    const prf_backend_t *sim = prf_backend_find("sim");
    cr_assert_not_null(sim);
    char option[64];
    snprintf(option, sizeof option, "board=%s", name);
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(sim->open((const char *const[]){option}, 1, &board, &err), PRF_OK, "%s", err.text);
    prf_space_t space = space_of(kind, largest);
    prf_rng_t rng;
    prf_rng_init(&rng, 20, 0);
    prf_place_t alone = {.length = 1};
    for (int i = 0; i < LAYERS; i++) {
        prf_block_t block = {.dtype = PRF_I8, .count = 1};
        char text[PRF_BLOCK_TEXT];
        cr_assert_eq(prf_space_draw(&space, &rng, &block.layers[0], &err), PRF_OK, "%s", err.text);
        prf_block_format(&block, text);
        prf_kernel_t *kernel = NULL;
        prf_reading_t told = {.latency_ns = NAN};
        double expected = closed_form(&block.layers[0]);
        cr_assert_eq(sim->prepare(board, &block, &alone, &kernel, &err), PRF_OK, "%s %s: %s", name, text, err.text);
        cr_assert_eq(sim->run(kernel, &(prf_run_t){.iterations = 1}, &told, &err), PRF_OK, "%s", err.text);
        cr_assert(fabs(told.latency_ns - expected) <= 1e-9 * expected, "%s %s: %.3f ns, closed form %.3f", name, text,
                  told.latency_ns, expected);
        sim->release(&kernel);
    }
    sim->close(&board);
}

Test(boards, ultratrail_agrees_with_its_closed_form)
{
    agree("ultratrail", board_ultratrail, PRF_CONV1D, 128);
    agree("ultratrail", board_ultratrail, PRF_FC, 128);
}

Test(boards, vta_agrees_with_its_closed_form)
{
    agree("vta", board_vta, PRF_CONV2D, 512);
    agree("vta", board_vta, PRF_FC, 2048);
}

Test(boards, ncs2_and_zcu102_agree_with_their_closed_forms)
{
    agree("ncs2", board_ncs2, PRF_CONV2D, 512);
    agree("ncs2", board_ncs2, PRF_FC, 2048);
    agree("zcu102", board_zcu102, PRF_CONV2D, 512);
    agree("zcu102", board_zcu102, PRF_FC, 2048);
}

Test(boards, systolic_agrees_with_its_closed_form)
{
    agree("systolic", board_systolic, PRF_CONV2D, 512);
    agree("systolic", board_systolic, PRF_FC, 2048);
}
