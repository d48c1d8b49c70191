// SPDX-License-Identifier: Apache-2.0
/* monitor.h - what NVML tells about the card: its settings, whether something slows it down, the energy it has used. It only reads:
 * the card's settings are its owner's. Where NVML is missing, everything is "not told". Internal to the cuda backend. One thread.
 */
#ifndef PRF_CUDA_MONITOR_H
#define PRF_CUDA_MONITOR_H

#include "backends/cuda/libraries.h"

typedef struct {
    const prf_cuda_lib_t *lib; /* borrowed */
    bool open;
    nvmlDevice_t card;
} prf_cuda_monitor_t;

/* `bus` is the card's PCI address, as the CUDA runtime tells it. */
void prf_cuda_monitor_init(prf_cuda_monitor_t *out, const prf_cuda_lib_t *lib, const char *bus);
void prf_cuda_monitor_release(prf_cuda_monitor_t *self);
/* The driver, and what decides how fast two cards of one sort are: " driver 550.54 1980 MHz 700 W". Empty where it is not told. */
void prf_cuda_monitor_settings(const prf_cuda_monitor_t *self, char *text, size_t cap);

typedef struct {
    uint32_t clock_khz;      /* of the multiprocessors, now; 0: not told */
    uint32_t temperature_mc; /* thousandths of a degree Celsius; 0: not told */
    bool
        throttled; /* it runs slower than its settings would have it: too hot, at its power limit, or told so by its power supply */
} prf_cuda_look_t;
void prf_cuda_monitor_look(const prf_cuda_monitor_t *self, prf_cuda_look_t *out);
/* Energy since the driver was loaded, in millijoules. False: the card does not tell. */
bool prf_cuda_monitor_energy(const prf_cuda_monitor_t *self, unsigned long long *millijoules);

#endif
