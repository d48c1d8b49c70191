// SPDX-License-Identifier: Apache-2.0
/* onednn_fill.c - a short random pattern is repeated over a tensor, in whatever order its layout has: any order of random
 * numbers is as random. Only layouts that hold more than the numbers (padding that must be zero, 8-bit compensation, packed
 * weights) are reordered from a plain tensor, which costs more. The pattern's length is prime, so that it lines up with no
 * dimension. */
#include "backends/onednn_fill.h"

#include <stdbool.h>
#include <string.h>

#include "backends/onednn_op.h"
#include "base/rng.h"

enum { PATTERN = 4093 };

void prf_onednn_fill(void *memory, size_t bytes, dnnl_data_type_t type, float scale)
{
    float floats[PATTERN];
    uint16_t halves[PATTERN];
    uint8_t octets[PATTERN];
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < PATTERN; i++) {
        floats[i] = scale * (2 * (float)prf_rng_double(&rng) - 1);
        uint32_t bits;
        memcpy(&bits, &floats[i], sizeof bits);
        halves[i] = (uint16_t)(bits >> 16); /* bf16: a float's upper half */
        octets[i] = (uint8_t)(bits >> 8);
    }
    const void *pattern = type == dnnl_f32 ? (void *)floats : type == dnnl_bf16 ? (void *)halves : (void *)octets;
    size_t period = type == dnnl_f32 ? sizeof floats : type == dnnl_bf16 ? sizeof halves : sizeof octets;
    for (size_t done = 0; done < bytes; done += period)
        memcpy((unsigned char *)memory + done, pattern, bytes - done < period ? bytes - done : period);
}

prf_status_t prf_onednn_reorder(dnnl_engine_t engine, dnnl_memory_t from, dnnl_memory_t to, prf_error_t *err)
{
    const dnnl_memory_desc_t *from_md, *to_md;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t s = dnnl_memory_get_memory_desc(from, &from_md);
    if (!s)
        s = dnnl_memory_get_memory_desc(to, &to_md);
    if (!s)
        s = dnnl_reorder_primitive_desc_create(&pd, from_md, engine, to_md, engine, NULL);
    if (!s)
        s = dnnl_primitive_create(&reorder, pd);
    if (!s)
        s = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (!s)
        s = dnnl_primitive_execute(reorder, stream, 2, args);
    if (!s)
        s = dnnl_stream_wait(stream);
    if (stream)
        dnnl_stream_destroy(stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return s ? prf_onednn_fail(err, s, "change of layout") : PRF_OK;
}

/* The same dimensions and type in plain order. */
static dnnl_status_t plain_of(dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *md)
{
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    if (md->ndims < 1 || md->ndims > 5)
        return dnnl_unimplemented;
    return dnnl_memory_desc_init_by_tag(plain, md->ndims, md->dims, md->data_type, tags[md->ndims]);
}

static prf_status_t fill_through_plain(dnnl_engine_t engine, dnnl_memory_t memory, const dnnl_memory_desc_t *md, float scale,
                                       prf_error_t *err)
{
    dnnl_memory_desc_t plain_md;
    dnnl_memory_t plain = NULL;
    void *handle = NULL;
    dnnl_status_t s = plain_of(&plain_md, md);
    if (!s)
        s = dnnl_memory_create(&plain, &plain_md, engine, DNNL_MEMORY_ALLOCATE);
    if (!s)
        s = dnnl_memory_get_data_handle(plain, &handle);
    prf_status_t status = s ? prf_onednn_fail(err, s, "plain copy of a tensor") : PRF_OK;
    if (!status) {
        prf_onednn_fill(handle, dnnl_memory_desc_get_size(&plain_md), md->data_type, scale);
        status = prf_onednn_reorder(engine, plain, memory, err);
    }
    if (plain)
        dnnl_memory_destroy(plain);
    return status;
}

static bool holds_only_numbers(const dnnl_memory_desc_t *md)
{
    return md->format_kind == dnnl_blocked && md->extra.flags == dnnl_memory_extra_flag_none &&
           memcmp(md->dims, md->padded_dims, (size_t)md->ndims * sizeof *md->dims) == 0;
}

prf_status_t prf_onednn_tensor(dnnl_engine_t engine, const dnnl_memory_desc_t *md, void *handle, float scale, dnnl_memory_t *out,
                               prf_error_t *err)
{
    bool only_numbers = holds_only_numbers(md);
    if (scale > 0 && only_numbers)
        prf_onednn_fill(handle, dnnl_memory_desc_get_size(md), md->data_type, scale);
    dnnl_memory_t memory = NULL;
    dnnl_status_t s = dnnl_memory_create(&memory, md, engine, handle);
    if (s)
        return prf_onednn_fail(err, s, "tensor");
    if (scale > 0 && !only_numbers) {
        prf_status_t status = fill_through_plain(engine, memory, md, scale, err);
        if (status) {
            dnnl_memory_destroy(memory);
            return status;
        }
    }
    *out = memory;
    return PRF_OK;
}
