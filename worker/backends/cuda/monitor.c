// SPDX-License-Identifier: Apache-2.0
/* monitor.c - each question is one call of NVML; a card that does not answer one is asked no less about the others. */
#include "backends/cuda/monitor.h"

#include <stdio.h>

void prf_cuda_monitor_init(prf_cuda_monitor_t *out, const prf_cuda_lib_t *lib, const char *bus)
{
    *out = (prf_cuda_monitor_t){.lib = lib};
    if (!lib->has_nvml || lib->nvmlInit() != NVML_SUCCESS)
        return;
    out->open = lib->nvmlDeviceGetHandleByPciBusId(bus, &out->card) == NVML_SUCCESS;
    if (!out->open)
        (void)lib->nvmlShutdown();
}

void prf_cuda_monitor_release(prf_cuda_monitor_t *self)
{
    if (self->open)
        (void)self->lib->nvmlShutdown();
    *self = (prf_cuda_monitor_t){.open = false};
}

void prf_cuda_monitor_settings(const prf_cuda_monitor_t *self, char *text, size_t cap)
{
    char driver[NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE];
    unsigned mhz, milliwatts;
    size_t used = 0;
    text[0] = '\0';
    if (self->open && self->lib->nvmlSystemGetDriverVersion(driver, sizeof driver) == NVML_SUCCESS)
        used += (size_t)snprintf(text, cap, " driver %.20s", driver);
    if (self->open && self->lib->nvmlDeviceGetMaxClockInfo(self->card, NVML_CLOCK_SM, &mhz) == NVML_SUCCESS && used < cap)
        used += (size_t)snprintf(text + used, cap - used, " %u MHz", mhz);
    if (self->open && self->lib->nvmlDeviceGetEnforcedPowerLimit(self->card, &milliwatts) == NVML_SUCCESS && used < cap)
        snprintf(text + used, cap - used, " %u W", (milliwatts + 500) / 1000);
}

void prf_cuda_monitor_look(const prf_cuda_monitor_t *self, prf_cuda_look_t *out)
{
    static const unsigned long long slower = nvmlClocksThrottleReasonSwPowerCap | nvmlClocksThrottleReasonHwSlowdown |
                                             nvmlClocksThrottleReasonSwThermalSlowdown | nvmlClocksThrottleReasonHwThermalSlowdown |
                                             nvmlClocksThrottleReasonHwPowerBrakeSlowdown;
    unsigned long long reasons;
    unsigned value;
    *out = (prf_cuda_look_t){.throttled = false};
    if (!self->open)
        return;
    if (self->lib->nvmlDeviceGetCurrentClocksThrottleReasons(self->card, &reasons) == NVML_SUCCESS)
        out->throttled = (reasons & slower) != 0;
    if (self->lib->nvmlDeviceGetClockInfo(self->card, NVML_CLOCK_SM, &value) == NVML_SUCCESS)
        out->clock_khz = value * 1000;
    if (self->lib->nvmlDeviceGetTemperature(self->card, NVML_TEMPERATURE_GPU, &value) == NVML_SUCCESS)
        out->temperature_mc = value * 1000;
}

bool prf_cuda_monitor_energy(const prf_cuda_monitor_t *self, unsigned long long *millijoules)
{
    return self->open && self->lib->nvmlDeviceGetTotalEnergyConsumption(self->card, millijoules) == NVML_SUCCESS;
}
