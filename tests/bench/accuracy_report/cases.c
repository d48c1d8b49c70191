// SPDX-License-Identifier: Apache-2.0
/* cases.c - the boards that are judged, with the widths that they have and what is asked of their models. */
#include <string.h>

#include "bench.h"

const uint32_t budgets[BUDGETS] = {100, 300, 1000, 3000};

#define NETS_1D                                                                                                                    \
    {                                                                                                                              \
        "tcresnet8", "tcresnet14", "fcn1d", "kws-cnn"                                                                              \
    }
#define NETS_2D                                                                                                                    \
    {                                                                                                                              \
        "resnet18", "mobilenetv2", "vgg16-gap"                                                                                     \
    }
#define ARRAY                                                                                                                      \
    {                                                                                                                              \
        {PRF_CONV2D, PRF_P_K, 32},                                                                                                 \
        {                                                                                                                          \
            PRF_FC, PRF_P_OUT, 32                                                                                                  \
        }                                                                                                                          \
    }
#define VTA                                                                                                                        \
    {                                                                                                                              \
        {PRF_CONV2D, PRF_P_C, 16}, {PRF_CONV2D, PRF_P_K, 16}, {PRF_FC, PRF_P_IN, 16},                                              \
        {                                                                                                                          \
            PRF_FC, PRF_P_OUT, 16                                                                                                  \
        }                                                                                                                          \
    }
#define NCS2                                                                                                                       \
    {                                                                                                                              \
        {PRF_CONV2D, PRF_P_C, 32},                                                                                                 \
        {                                                                                                                          \
            PRF_CONV2D, PRF_P_K, 32                                                                                                \
        }                                                                                                                          \
    }
#define ZCU102                                                                                                                     \
    {                                                                                                                              \
        {PRF_CONV2D, PRF_P_C, 16},                                                                                                 \
        {                                                                                                                          \
            PRF_CONV2D, PRF_P_K, 16                                                                                                \
        }                                                                                                                          \
    }
#define FERRY                                                                                                                      \
    {                                                                                                                              \
        {PRF_CONV2D, PRF_P_C, 12}, {PRF_CONV2D, PRF_P_K, 20}, {PRF_DWCONV2D, PRF_P_C, 20}, {PRF_FC, PRF_P_IN, 12},                 \
        {                                                                                                                          \
            PRF_FC, PRF_P_OUT, 20                                                                                                  \
        }                                                                                                                          \
    }
#define NOISY                                                                                                                      \
    {                                                                                                                              \
        0, 0, 1, 0                                                                                                                 \
    }

const case_t cases[CASES] = {
    {"ultratrail", "ultratrail", false, NETS_1D, {{0}}, {0.5, 0.02, 0, 0}, {0, 0.05, 0, 0}},
    {"systolic", "systolic", false, NETS_2D, ARRAY, {0, 0.02, 0, 0}, {0, 0.1, 0, 0}},
    {"systolic-memory", "systolic-memory", false, NETS_2D, ARRAY, {0, 0.1, 0, 0}, {0, 0.1, 0, 0}},
    {"vta", "vta", false, NETS_2D, VTA, {0, 2, 0, 0.5}, {0, 0, 0, 0.5}},
    {"ncs2", "ncs2", false, NETS_2D, NCS2, {0, 0.1, 0, 0}, {0, 0.2, 0, 0}},
    {"zcu102", "zcu102", false, NETS_2D, ZCU102, {0, 0.1, 0, 0}, {0, 0.2, 0, 0}},
    {"ferry", "ferry", false, NETS_2D, FERRY, {0, 0, 1, 0}, {0}},
    {"ultratrail-noisy", "ultratrail", true, NETS_1D, {{0}}, NOISY, NOISY},
    {"systolic-noisy", "systolic", true, NETS_2D, ARRAY, NOISY, NOISY},
    {"systolic-memory-noisy", "systolic-memory", true, NETS_2D, ARRAY, NOISY, NOISY},
    {"vta-noisy", "vta", true, NETS_2D, VTA, NOISY, NOISY},
    {"ncs2-noisy", "ncs2", true, NETS_2D, NCS2, NOISY, NOISY},
    {"zcu102-noisy", "zcu102", true, NETS_2D, ZCU102, NOISY, NOISY},
};

const case_t *case_find(const char *name)
{
    for (size_t i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}
