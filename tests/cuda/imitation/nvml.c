// SPDX-License-Identifier: Apache-2.0
/* nvml.c - imitates NVML: a card of 1,500 MHz and 100 W at 55 degrees, which uses 50 W of them. PRF_IMITATION=hot has it throttled
 * by heat, "idle" by nothing to do, which is no throttling. */
#include <nvml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int wished(const char *what)
{
    const char *wish = getenv("PRF_IMITATION");
    return wish && strcmp(wish, what) == 0;
}

nvmlReturn_t nvmlInit(void)
{
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlShutdown(void)
{
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    snprintf(version, length, "575.51.03");
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *bus, nvmlDevice_t *device)
{
    *device = NULL;
    return strcmp(bus, "0000:01:00.0") == 0 ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *reasons)
{
    (void)device;
    *reasons = wished("hot")    ? (unsigned long long)nvmlClocksThrottleReasonHwThermalSlowdown
               : wished("idle") ? (unsigned long long)nvmlClocksThrottleReasonGpuIdle
                                : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz)
{
    (void)device;
    *mhz = 1410;
    return type == NVML_CLOCK_SM ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned *mhz)
{
    (void)device;
    *mhz = 1500;
    return type == NVML_CLOCK_SM ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    (void)device;
    *milliwatts = 100000;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned *degrees)
{
    (void)device;
    *degrees = 55;
    return sensor == NVML_TEMPERATURE_GPU ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

/* The account changes every fiftieth of a second, as real ones do every tenth. */
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *millijoules)
{
    struct timespec now;
    (void)device;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *millijoules = ((unsigned long long)now.tv_sec * 50 + (unsigned long long)now.tv_nsec / 20000000) * 1000;
    return NVML_SUCCESS;
}
