// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "pr/space.h"

static prf_dim_t range(int32_t lo, int32_t hi)
{
    return (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = lo, .hi = hi};
}

static prf_dim_t tied(prf_param_t source, int32_t divisor)
{
    return (prf_dim_t){.kind = PRF_DIM_TIED, .source = source, .divisor = divisor};
}

/* conv2d with w: h and pad: r/2. */
static prf_space_t conv_space(void)
{
    prf_space_t s = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = range(1, 512);
    s.dims[PRF_P_K] = range(1, 512);
    s.dims[PRF_P_H] = range(7, 224);
    s.dims[PRF_P_W] = tied(PRF_P_H, 1);
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 4, .values = {1, 3, 5, 7}};
    s.dims[PRF_P_PAD] = tied(PRF_P_R, 2);
    return s;
}

static void refuses(const prf_space_t *space, const char *because)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_space_check(space, &err), PRF_EINVAL, "accepted, expected '%s'", because);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
}

Test(space, ties_and_defaults_follow_the_free_parameters)
{
    prf_space_t s = conv_space();
    prf_error_t err = {0};
    cr_assert_eq(prf_space_check(&s, &err), PRF_OK, "%s", err.text);
    prf_layer_t l;
    prf_layer_init(&l, PRF_CONV2D);
    l.p[PRF_P_C] = 3, l.p[PRF_P_K] = 64, l.p[PRF_P_H] = 56, l.p[PRF_P_R] = 5;
    cr_assert_eq(prf_space_resolve(&s, &l, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(l.p[PRF_P_W], 56);
    cr_assert_eq(l.p[PRF_P_PAD], 2);
    cr_assert_eq(l.p[PRF_P_S], 5);
    cr_assert_eq(l.p[PRF_P_GROUPS], 1);
    cr_assert(prf_space_contains(&s, &l));
    l.p[PRF_P_W] = 55;
    cr_assert_not(prf_space_contains(&s, &l), "w is tied to h");
    l.p[PRF_P_W] = 56, l.p[PRF_P_C] = 513;
    cr_assert_not(prf_space_contains(&s, &l), "c is above its range");
}

Test(space, a_tie_may_lead_through_a_default_that_follows_another_parameter)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_PAD] = tied(PRF_P_S, 2); /* s is like r */
    prf_error_t err = {0};
    cr_assert_eq(prf_space_check(&s, &err), PRF_OK, "%s", err.text);
    prf_layer_t l;
    prf_layer_init(&l, PRF_CONV2D);
    l.p[PRF_P_C] = 3, l.p[PRF_P_K] = 64, l.p[PRF_P_H] = 56, l.p[PRF_P_R] = 7;
    cr_assert_eq(prf_space_resolve(&s, &l, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(l.p[PRF_P_PAD], 3);
}

Test(space, every_drawn_layer_lies_in_the_space_and_under_max_macs)
{
    prf_space_t s = conv_space();
    s.max_macs = 2e8;
    prf_rng_t rng;
    prf_rng_init(&rng, 5, 0);
    for (int i = 0; i < 2000; i++) {
        prf_layer_t l;
        cr_assert_eq(prf_space_draw(&s, &rng, &l, NULL), PRF_OK);
        cr_assert(prf_space_contains(&s, &l));
        cr_assert_leq(prf_layer_macs(&l), 2e8);
    }
}

Test(space, a_logarithmic_range_is_drawn_evenly_by_octave)
{
    prf_space_t s = {.kind = PRF_FC, .dtype = PRF_F32};
    s.dims[PRF_P_IN] = range(1, 1023);
    s.dims[PRF_P_IN].log = true;
    s.dims[PRF_P_OUT] = range(10, 10);
    prf_rng_t rng;
    prf_rng_init(&rng, 5, 0);
    int octave[10] = {0};
    for (int i = 0; i < 10000; i++) {
        prf_layer_t l;
        cr_assert_eq(prf_space_draw(&s, &rng, &l, NULL), PRF_OK);
        octave[ilogb(l.p[PRF_P_IN])]++;
        cr_assert_eq(l.p[PRF_P_OUT], 10, "fixed");
    }
    for (int i = 0; i < 10; i++)
        cr_assert(octave[i] > 850 && octave[i] < 1150, "octave %d: %d of 10000", i, octave[i]);
}

Test(space, free_parameters_are_those_with_a_choice_in_table_order)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_K] = range(64, 64);
    s.dims[PRF_P_STRIDE] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 1, .values = {2}};
    prf_param_t params[PRF_PARAMS];
    cr_assert_eq(prf_space_free(&s, params), 3);
    cr_assert_eq(params[0], PRF_P_C);
    cr_assert_eq(params[1], PRF_P_H);
    cr_assert_eq(params[2], PRF_P_R);
    int32_t lo, hi;
    prf_space_bounds(&s, PRF_P_R, &lo, &hi);
    cr_assert_eq(lo, 1);
    cr_assert_eq(hi, 7);
    prf_space_bounds(&s, PRF_P_H, &lo, &hi);
    cr_assert_eq(lo, 7);
    cr_assert_eq(hi, 224);
    prf_layer_t l;
    prf_layer_init(&l, PRF_CONV2D);
    l.p[PRF_P_C] = 8, l.p[PRF_P_H] = 32, l.p[PRF_P_R] = 3;
    cr_assert_eq(prf_space_resolve(&s, &l, NULL), PRF_OK);
    cr_assert_eq(l.p[PRF_P_K], 64);
    cr_assert_eq(l.p[PRF_P_STRIDE], 2);
}

Test(space, wrong_spaces_are_refused_with_what_would_be_right)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_C] = range(0, 512);
    refuses(&s, "conv2d.c: 0 is outside 1..");
    s.dims[PRF_P_C] = range(512, 1);
    refuses(&s, "conv2d.c: 512..1 is upside down: write 1..512");
    s = conv_space();
    s.dims[PRF_P_IN] = range(1, 2);
    refuses(&s, "conv2d has no parameter 'in'");
    s = conv_space();
    s.dims[PRF_P_K] = (prf_dim_t){0};
    refuses(&s, "conv2d.k is missing");
    s = conv_space();
    s.dims[PRF_P_R].value_count = PRF_SPACE_VALUES + 1;
    refuses(&s, "conv2d.r: 33 values");
    s.dims[PRF_P_R] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {3, 3}};
    refuses(&s, "conv2d.r: 3 after 3");
    s = conv_space();
    s.dims[PRF_P_W] = tied(PRF_P_PAD, 1);
    refuses(&s, "which is tied itself");
    s.dims[PRF_P_W] = tied(PRF_P_F, 1);
    refuses(&s, "tied to 'f', which conv2d does not have");
    s.dims[PRF_P_W] = tied((prf_param_t)99, 1);
    refuses(&s, "does not have");
    s.dims[PRF_P_W] = tied(PRF_P_H, 0);
    refuses(&s, "divisor 0");
    s = conv_space();
    s.dims[PRF_P_W].kind = (prf_dim_kind_t)17;
    refuses(&s, "kind of values 17");
    s = conv_space();
    s.dims[PRF_P_PAD] = range(0, 3);
    s.dims[PRF_P_PAD].log = true;
    refuses(&s, "logarithmic range starts at 1");
    s = conv_space();
    s.max_macs = NAN;
    refuses(&s, "max_macs");
    s.max_macs = 10;
    refuses(&s, "none of 1000 layers");
    s = conv_space();
    s.kind = (prf_layer_kind_t)99;
    refuses(&s, "layer kind 99");
    s = conv_space();
    s.dtype = (prf_dtype_t)99;
    refuses(&s, "data type 99");
}

Test(space, a_tie_in_a_circle_is_refused_and_does_not_hang)
{
    prf_space_t s = {.kind = PRF_MAXPOOL2D, .dtype = PRF_F32};
    s.dims[PRF_P_C] = range(1, 64);
    s.dims[PRF_P_H] = range(8, 64);
    s.dims[PRF_P_R] = tied(PRF_P_STRIDE, 1); /* stride is like r by default */
    refuses(&s, "circle");
}

Test(space, a_layer_that_cannot_exist_is_refused)
{
    prf_space_t s = conv_space();
    s.dims[PRF_P_H] = range(1, 224);
    s.dims[PRF_P_PAD] = (prf_dim_t){0};
    prf_layer_t l;
    prf_layer_init(&l, PRF_CONV2D);
    l.p[PRF_P_C] = 3, l.p[PRF_P_K] = 4, l.p[PRF_P_H] = 2, l.p[PRF_P_R] = 7;
    prf_layer_t before = l;
    cr_assert_eq(prf_space_resolve(&s, &l, NULL), PRF_EINVAL);
    cr_assert(memcmp(&before, &l, sizeof l) == 0, "untouched on failure");
    s.max_macs = 1e3;
    l.p[PRF_P_H] = 20;
    prf_error_t err = {0};
    cr_assert_eq(prf_space_resolve(&s, &l, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "max_macs"));
}
