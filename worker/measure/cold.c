// SPDX-License-Identifier: Apache-2.0
/* cold.c - reading, not writing: what the layer before left behind is mostly clean too, and written lines would make the timed
 * layer pay for their eviction. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "measure/cold.h"

#include <string.h>
#include <sys/mman.h>

enum { FEW = 4 * 1000 * 1000, LEAST = 40 * 1000 * 1000, MOST = 256 * 1000 * 1000, LINE = 64 };

prf_status_t prf_cold_init(prf_cold_t *cold, bool flushes, size_t weight_bytes, prf_error_t *err)
{
    size_t size = flushes ? FEW : weight_bytes < LEAST ? LEAST : weight_bytes > MOST ? MOST : weight_bytes;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return prf_fail(err, PRF_ENOMEM, "%zu MB to stream over", size / 1000000);
    (void)madvise(map, size, MADV_HUGEPAGE); /* refused where the kernel has none */
    memset(map, 1, size);                    /* untouched pages would all be the one page of zeros */
    *cold = (prf_cold_t){.bytes = map, .size = size};
    return PRF_OK;
}

void prf_cold_release(prf_cold_t *cold)
{
    if (cold->bytes)
        (void)munmap(cold->bytes, cold->size);
    *cold = (prf_cold_t){0};
}

void prf_cold_stream(const prf_cold_t *cold)
{
    const volatile unsigned char *at = cold->bytes;
    for (size_t i = 0; i < cold->size; i += LINE)
        (void)at[i];
}
