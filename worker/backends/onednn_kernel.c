// SPDX-License-Identifier: Apache-2.0
/* onednn_kernel.c - a block made ready to run.
 *
 * A block becomes one primitive for its leading layer with the activation behind it fused in where the library can, and one
 * more for each further layer; they run one after the other. Each kernel owns its weights. A kernel alone owns its other
 * tensors too. The kernels of a chain instead hand on their activations through two arenas that they read and write in turn,
 * so that block i finds its input where block i-1 left it, in whatever cache that is; second operands (the other summand, the
 * second matrix) lie in a third. Neighbours in a chain need not agree about shapes or layouts: what is read is then a part or
 * a permutation of what was written, which takes the same time. Scratch memory is one arena for all kernels, as deployed
 * networks have it. */
#include "backends/onednn_kernel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/onednn.h"
#include "backends/onednn_fill.h"
#include "backends/onednn_op.h"

enum { STEPS = PRF_BLOCK_LAYERS * PRF_ONEDNN_TERMS, ARGS = 8 };
enum { LINE = 64, PAGE = 4096, STAGGER = 9 * LINE };
static const size_t kept_bytes = (size_t)64 << 20, reused_bytes = (size_t)1 << 20;
static const float activation_scale = 1.0F, operand_scale = 0.01F, bias_scale = 0.1F;

typedef struct {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[ARGS];
    int arg_count;
    prf_layer_kind_t kind;
    float weight_scale;
} step_t;

/* Where a tensor lies. */
typedef struct {
    prf_onednn_arena_t *arena; /* NULL: the step has no such tensor */
    size_t offset, bytes;
} slot_t;

struct prf_kernel {
    prf_board_t *board; /* borrowed */
    prf_place_t place;
    step_t steps[STEPS];
    size_t step_count;
    slot_t slots[STEPS][ARGS]; /* by the index of arguments[] */
    prf_onednn_arena_t own;
    size_t own_bytes, weight_bytes;
};

static const int arguments[ARGS] = {DNNL_ARG_SRC,   DNNL_ARG_SRC_1, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS,
                                    DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_DST,     DNNL_ARG_SCRATCHPAD};
enum { SRC, SRC_1, WEIGHTS, BIAS, SCALE, SHIFT, DST, SCRATCHPAD };

/* Between measurements only little memory is kept, and none that holds another type's numbers. */
static void tidy_arenas(prf_board_t *board, bool everything)
{
    size_t used = 0;
    for (int i = 0; i < PRF_ONEDNN_ARENAS; i++)
        used += board->arenas[i].used;
    for (int i = 0; i < PRF_ONEDNN_ARENAS && (everything || used > kept_bytes); i++)
        prf_onednn_arena_empty(&board->arenas[i]);
}

/* ---- a block's steps ---- */

static prf_status_t add_step(prf_kernel_t *kernel, const prf_layer_t *layer, prf_dtype_t dtype, const prf_onednn_term_t *terms,
                             size_t count, prf_error_t *err)
{
    step_t *step = &kernel->steps[kernel->step_count];
    prf_status_t status = prf_onednn_op_new(kernel->board->engine, layer, dtype, terms, count, &step->pd, err);
    if (status)
        return status;
    double depth = prf_layer_macs(layer) / prf_layer_outputs(layer);
    step->kind = layer->kind;
    step->weight_scale = depth > 1 ? (float)(1 / depth) : 1.0F; /* no sum exceeds its largest input */
    kernel->step_count++;
    return PRF_OK;
}

/* Adds the layer with the activation `next` fused in, if the library can do that better than by reference code. */
static bool add_fused(prf_kernel_t *kernel, const prf_layer_t *layer, prf_dtype_t dtype, const prf_layer_t *next)
{
    prf_onednn_term_t terms[PRF_ONEDNN_TERMS];
    if (layer->kind == PRF_ACTIVATION || next->kind != PRF_ACTIVATION)
        return false;
    size_t count = prf_onednn_terms((prf_activation_t)next->p[PRF_P_FN], terms);
    if (add_step(kernel, layer, dtype, terms, count, NULL) != PRF_OK)
        return false;
    step_t *step = &kernel->steps[kernel->step_count - 1];
    if (strncmp(prf_onednn_impl(step->pd), "ref", 3) != 0)
        return true;
    dnnl_primitive_desc_destroy(step->pd);
    *step = (step_t){0};
    kernel->step_count--;
    return false;
}

static prf_status_t add_steps(prf_kernel_t *kernel, const prf_block_t *block, prf_error_t *err)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const prf_layer_t *layer = &block->layers[i];
        if (i + 1 < block->count && add_fused(kernel, layer, block->dtype, &block->layers[i + 1])) {
            i++;
            continue;
        }
        prf_onednn_term_t terms[PRF_ONEDNN_TERMS];
        size_t count = layer->kind == PRF_ACTIVATION ? prf_onednn_terms((prf_activation_t)layer->p[PRF_P_FN], terms) : 0;
        prf_status_t status = count ? PRF_OK : add_step(kernel, layer, block->dtype, NULL, 0, err);
        for (size_t t = 0; !status && t < count; t++)
            status = add_step(kernel, layer, block->dtype, &terms[t], 1, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

/* ---- where its tensors lie ---- */

static const dnnl_memory_desc_t *tensor_md(const step_t *step, int arg)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(step->pd, dnnl_query_exec_arg_md, arguments[arg]);
    return md && md->ndims > 0 ? md : NULL;
}

static size_t tensor_bytes(const step_t *step, int arg)
{
    const dnnl_memory_desc_t *md = tensor_md(step, arg);
    return md ? dnnl_memory_desc_get_size(md) : 0;
}

static bool is_operand(const step_t *step, int arg)
{
    return arg == SRC_1 || (arg == WEIGHTS && step->kind == PRF_MATMUL);
}

static bool is_weight(const step_t *step, int arg)
{
    return arg >= WEIGHTS && arg <= SHIFT && !is_operand(step, arg);
}

static bool in_chain(const prf_kernel_t *kernel)
{
    return kernel->place.length > 1;
}

/* Room in the kernel's own memory. Tensors begin at different places within a page: equal ones would make the processor take
 * loads for aliases of stores that it has just done. */
static slot_t own_slot(prf_kernel_t *kernel, size_t bytes, size_t index)
{
    size_t offset = (kernel->own_bytes + PAGE - 1) / PAGE * PAGE + index % 7 * STAGGER;
    kernel->own_bytes = offset + bytes;
    return (slot_t){&kernel->own, offset, bytes};
}

static slot_t shared_slot(prf_kernel_t *kernel, size_t arena, size_t bytes)
{
    return (slot_t){&kernel->board->arenas[arena], arena * STAGGER, bytes};
}

static slot_t place_tensor(prf_kernel_t *kernel, size_t i, int arg, size_t bytes)
{
    const step_t *step = &kernel->steps[i];
    if (arg == SCRATCHPAD)
        return shared_slot(kernel, PRF_ONEDNN_SCRATCH, bytes);
    if (arg == SRC && i > 0)
        return (slot_t){kernel->slots[i - 1][DST].arena, kernel->slots[i - 1][DST].offset, bytes};
    if (arg == DST && i + 1 < kernel->step_count) {
        size_t next = tensor_bytes(&kernel->steps[i + 1], SRC);
        return own_slot(kernel, bytes > next ? bytes : next, i * ARGS + DST);
    }
    if (in_chain(kernel) && arg == SRC && kernel->place.position > 0)
        return shared_slot(kernel, kernel->place.position % 2 ? PRF_ONEDNN_PONG : PRF_ONEDNN_PING, bytes);
    if (in_chain(kernel) && arg == DST)
        return shared_slot(kernel, kernel->place.position % 2 ? PRF_ONEDNN_PING : PRF_ONEDNN_PONG, bytes);
    if (in_chain(kernel) && is_operand(step, arg))
        return shared_slot(kernel, PRF_ONEDNN_OPERAND, bytes);
    return own_slot(kernel, bytes, i * ARGS + (size_t)arg);
}

static void place_tensors(prf_kernel_t *kernel)
{
    for (size_t i = 0; i < kernel->step_count; i++)
        for (int arg = 0; arg < ARGS; arg++) {
            size_t bytes = tensor_bytes(&kernel->steps[i], arg);
            if (bytes > 0)
                kernel->slots[i][arg] = place_tensor(kernel, i, arg, bytes);
            if (is_weight(&kernel->steps[i], arg))
                kernel->weight_bytes += bytes;
        }
}

static size_t needed_of(const prf_kernel_t *kernel, const prf_onednn_arena_t *arena)
{
    size_t need = 0;
    for (size_t i = 0; i < kernel->step_count; i++)
        for (int arg = 0; arg < ARGS; arg++) {
            const slot_t *slot = &kernel->slots[i][arg];
            if (slot->arena == arena && slot->offset + slot->bytes > need)
                need = slot->offset + slot->bytes;
        }
    return need;
}

static prf_status_t check_memory(const prf_kernel_t *kernel, prf_error_t *err)
{
    const prf_board_t *board = kernel->board;
    double total = (double)board->own_bytes + (double)kernel->own_bytes;
    for (int i = 0; i < PRF_ONEDNN_ARENAS; i++) {
        size_t need = needed_of(kernel, &board->arenas[i]);
        total += (double)(need > board->arenas[i].used ? need : board->arenas[i].used);
    }
    if (total <= (double)board->limit)
        return PRF_OK;
    return prf_fail(err, PRF_EUNSUPPORTED,
                    "its tensors need %.1f GiB, the limit on this machine is %.1f GiB: leave it out, or use a larger machine",
                    total / (1 << 30), (double)board->limit / (1 << 30));
}

static prf_status_t grow_arenas(prf_kernel_t *kernel, prf_dtype_t dtype, prf_error_t *err)
{
    static const dnnl_data_type_t types[PRF_DTYPES] = {dnnl_f32, dnnl_f16, dnnl_bf16, dnnl_u8};
    for (int i = 0; i < PRF_ONEDNN_ARENAS; i++) {
        prf_onednn_arena_t *arena = &kernel->board->arenas[i];
        size_t before = arena->used;
        prf_status_t status = prf_onednn_arena_grow(arena, needed_of(kernel, arena), err);
        if (status)
            return status;
        prf_onednn_fill(arena->base + before, arena->used - before, types[dtype],
                        i == PRF_ONEDNN_OPERAND ? operand_scale : activation_scale);
    }
    prf_status_t status = prf_onednn_arena_init(&kernel->own, kernel->own_bytes, err);
    if (status)
        return status;
    kernel->board->own_bytes += kernel->own.limit;
    return prf_onednn_arena_grow(&kernel->own, kernel->own_bytes, err);
}

/* ---- its tensors and primitives ---- */

/* What to fill a tensor with; 0: it has its contents already or gets them by running. */
static float contents(const prf_kernel_t *kernel, size_t i, int arg)
{
    const step_t *step = &kernel->steps[i];
    if (kernel->slots[i][arg].arena != &kernel->own || arg == DST || (arg == SRC && i > 0))
        return 0;
    if (arg == SRC)
        return activation_scale;
    if (is_operand(step, arg))
        return operand_scale;
    return arg == WEIGHTS ? step->weight_scale : arg == SCALE ? activation_scale : bias_scale;
}

static prf_status_t bind_step(prf_kernel_t *kernel, size_t i, prf_error_t *err)
{
    step_t *step = &kernel->steps[i];
    for (int arg = 0; arg < ARGS; arg++) {
        const slot_t *slot = &kernel->slots[i][arg];
        if (!slot->arena)
            continue;
        dnnl_exec_arg_t *bound = &step->args[step->arg_count];
        prf_status_t status = prf_onednn_tensor(kernel->board->engine, tensor_md(step, arg), slot->arena->base + slot->offset,
                                                contents(kernel, i, arg), &bound->memory, err);
        if (status)
            return status;
        bound->arg = arguments[arg];
        step->arg_count++;
    }
    dnnl_status_t s = dnnl_primitive_create(&step->primitive, step->pd);
    return s ? prf_onednn_fail(err, s, prf_layer_kind_name(step->kind)) : PRF_OK;
}

/* Before anything is asked of the library: products that could not be addressed, let alone held. */
static prf_status_t check_size(const prf_board_t *board, const prf_block_t *block, prf_error_t *err)
{
    prf_status_t status = prf_block_check(block, err);
    for (uint32_t i = 0; !status && i < block->count; i++) {
        double bytes = prf_layer_bytes(&block->layers[i], block->dtype);
        if (bytes > (double)board->limit)
            return prf_fail(err, PRF_EUNSUPPORTED,
                            "%s needs %.1f GiB, the limit on this machine is %.1f GiB: leave it out, or use a larger machine",
                            prf_layer_kind_name(block->layers[i].kind), bytes / (1 << 30), (double)board->limit / (1 << 30));
    }
    return status;
}

static prf_status_t check_place(const prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_error_t *err)
{
    if (place->length < 1 || place->position >= place->length)
        return prf_fail(err, PRF_EINVAL, "position %u in a chain of %u", place->position, place->length);
    if (!(board->facts.dtypes & 1U << block->dtype))
        return prf_fail(err, PRF_EUNSUPPORTED, "this processor has no %s in oneDNN: use f32, or another machine",
                        prf_dtype_name(block->dtype));
    if (board->kernels > 0 && board->dtype != block->dtype)
        return prf_fail(err, PRF_EUNSUPPORTED, "%s behind %s: all blocks of a chain need one data type",
                        prf_dtype_name(block->dtype), prf_dtype_name(board->dtype));
    return PRF_OK;
}

/* On failure what there is of the kernel is left to the caller. */
static prf_status_t build(prf_kernel_t *kernel, const prf_block_t *block, prf_error_t *err)
{
    prf_status_t status = add_steps(kernel, block, err);
    if (status)
        return status;
    place_tensors(kernel);
    status = check_memory(kernel, err);
    if (!status)
        status = grow_arenas(kernel, block->dtype, err);
    for (size_t i = 0; !status && i < kernel->step_count; i++)
        status = bind_step(kernel, i, err);
    return status;
}

static void destroy(prf_kernel_t *kernel)
{
    for (size_t i = 0; i < kernel->step_count; i++) {
        step_t *step = &kernel->steps[i];
        if (step->primitive)
            dnnl_primitive_destroy(step->primitive);
        for (int arg = 0; arg < step->arg_count; arg++)
            dnnl_memory_destroy(step->args[arg].memory);
        dnnl_primitive_desc_destroy(step->pd);
    }
    kernel->board->own_bytes -= kernel->own.limit;
    prf_onednn_arena_release(&kernel->own);
    free(kernel);
}

static prf_status_t kernel_new(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                               prf_error_t *err)
{
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return prf_fail(err, PRF_ENOMEM, "onednn kernel");
    kernel->board = board;
    kernel->place = *place;
    prf_status_t status = build(kernel, block, err);
    if (status) {
        destroy(kernel);
        return status;
    }
    *out = kernel;
    return PRF_OK;
}

prf_status_t prf_onednn_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                prf_error_t *err)
{
    prf_status_t status = check_size(board, block, err);
    if (!status)
        status = check_place(board, block, place, err);
    if (status)
        return status;
    if (board->dtype != block->dtype)
        tidy_arenas(board, true);
    board->dtype = block->dtype;
    status = kernel_new(board, block, place, out, err);
    if (!status)
        board->kernels++;
    return status;
}

void prf_onednn_release(prf_kernel_t **self)
{
    prf_kernel_t *kernel = self ? *self : NULL;
    if (!kernel)
        return;
    prf_board_t *board = kernel->board;
    destroy(kernel);
    if (--board->kernels == 0)
        tidy_arenas(board, false);
    *self = NULL;
}

prf_status_t prf_onednn_neighbour_new(prf_board_t *board, prf_error_t *err)
{
    const prf_place_t alone = {.position = 0, .length = 1};
    prf_block_t block;
    prf_status_t status = prf_block_parse(&block, "conv2d c=16 k=16 h=4 r=1 + activation c=16 h=4 dtype=f32", err);
    return status ? status : kernel_new(board, &block, &alone, &board->neighbour, err);
}

void prf_onednn_neighbour_destroy(prf_board_t *board)
{
    if (board->neighbour)
        destroy(board->neighbour);
    board->neighbour = NULL;
}

/* ---- running ---- */

prf_status_t prf_onednn_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    (void)out; /* the worker's clock tells */
    dnnl_stream_t stream = kernel->board->stream;
    dnnl_status_t s = dnnl_success;
    for (uint32_t n = 0; !s && n < how->iterations; n++)
        for (size_t i = 0; !s && i < kernel->step_count; i++)
            s = dnnl_primitive_execute(kernel->steps[i].primitive, stream, kernel->steps[i].arg_count, kernel->steps[i].args);
    if (!s)
        s = dnnl_stream_wait(stream);
    return s ? prf_onednn_fail(err, s, "run") : PRF_OK;
}

static void read_lines(const slot_t *slot, size_t most)
{
    if (!slot->arena)
        return;
    const volatile unsigned char *at = slot->arena->base + slot->offset;
    for (size_t i = 0; i < slot->bytes && i < most; i += LINE)
        (void)at[i];
}

/* In a network the output goes to memory that earlier layers used, as far as they needed as much; the input has just been
 * written; and the library's own code has just run for another layer. */
void prf_onednn_touch_input(prf_kernel_t *kernel)
{
    read_lines(&kernel->slots[kernel->step_count - 1][DST], reused_bytes);
    for (int arg = 0; arg <= WEIGHTS; arg++)
        if (arg == SRC || is_operand(&kernel->steps[0], arg))
            read_lines(&kernel->slots[0][arg], SIZE_MAX);
    prf_reading_t unused;
    (void)!prf_onednn_run(kernel->board->neighbour, &(prf_run_t){.iterations = 1}, &unused,
                          NULL); /* what it computes is of no interest */
}

static void flush_line(const unsigned char *line)
{
#if defined(__x86_64__)
    __builtin_ia32_clflush(line);
#elif defined(__aarch64__)
    __asm__ volatile("dc civac, %0" : : "r"(line) : "memory");
#endif
}

void prf_onednn_flush_weights(prf_kernel_t *kernel)
{
    for (size_t i = 0; i < kernel->step_count; i++)
        for (int arg = WEIGHTS; arg <= SHIFT; arg++) {
            const slot_t *slot = &kernel->slots[i][arg];
            if (!slot->arena || !is_weight(&kernel->steps[i], arg))
                continue;
            for (size_t at = 0; at < slot->bytes; at += LINE)
                flush_line(slot->arena->base + slot->offset + at);
        }
    __sync_synchronize();
}

size_t prf_onednn_weight_bytes(const prf_kernel_t *kernel)
{
    return kernel->weight_bytes;
}

/* ---- for tests ---- */

size_t prf_onednn_steps(const prf_kernel_t *kernel)
{
    return kernel->step_count;
}

const char *prf_onednn_step_impl(const prf_kernel_t *kernel, size_t step)
{
    return prf_onednn_impl(kernel->steps[step].pd);
}

static prf_status_t read_tensor(dnnl_engine_t engine, dnnl_memory_t memory, float *out, size_t count, prf_error_t *err)
{
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    const dnnl_memory_desc_t *md;
    dnnl_memory_desc_t plain;
    dnnl_status_t s = dnnl_memory_get_memory_desc(memory, &md);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&plain, md->ndims, md->dims, dnnl_f32, tags[md->ndims]);
    if (s)
        return prf_onednn_fail(err, s, "tensor");
    if (dnnl_memory_desc_get_size(&plain) != count * sizeof *out)
        return prf_fail(err, PRF_EINVAL, "room for %zu numbers: the tensor has %zu", count,
                        dnnl_memory_desc_get_size(&plain) / sizeof *out);
    dnnl_memory_t to = NULL;
    s = dnnl_memory_create(&to, &plain, engine, out);
    if (s)
        return prf_onednn_fail(err, s, "tensor");
    prf_status_t status = prf_onednn_reorder(engine, memory, to, err);
    dnnl_memory_destroy(to);
    return status;
}

prf_status_t prf_onednn_read(const prf_kernel_t *kernel, size_t step, prf_tensor_t tensor, float *out, size_t count,
                             prf_error_t *err)
{
    static const int wanted[] = {DNNL_ARG_SRC, DNNL_ARG_SRC_1, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST};
    const step_t *of = &kernel->steps[step];
    for (int i = 0; step < kernel->step_count && i < of->arg_count; i++)
        if (of->args[i].arg == wanted[tensor])
            return read_tensor(kernel->board->engine, of->args[i].memory, out, count, err);
    return prf_fail(err, PRF_ENOTFOUND, "step %zu has no such tensor", step);
}
