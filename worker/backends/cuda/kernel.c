// SPDX-License-Identifier: Apache-2.0
/* kernel.c - steps in the order in which they run, and the memory that they hand on to one another.
 *
 * A block alone is a network of one. Each step writes a buffer, which is used again once the last step that reads it is done, as
 * deployed networks do; so what is in the caches is what it would be there. Steps with several inputs that are neither summands nor
 * factors have them joined by copies. Layers need not agree about shapes where a network leaves out what only moves data: what is
 * read is then a part of what was written.
 *
 * The time is that between two events on the GPU. Warm, a layer runs so often between them that their resolution (half a
 * microsecond) and the first launch vanish. Semi-cold, twice the last cache is written over and the input read before; both are
 * asked for together with the layer, so that the GPU is still busy with them while the processor hands in its calls. */
#include "backends/cuda/kernel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { OUTSIDE = -1, NONE = -1, INPUT_BUFFER = 0, MOST_ITERATIONS = 1000 };
static const double timing_ns = 200e3, energy_ns = 500e6;
static const float activation_scale = 1.0F, operand_scale = 0.01F, bias_scale = 0.1F;

typedef struct {
    double bytes;
    void *at;
    size_t last_use; /* the node behind which it is free */
} buffer_t;

typedef struct {
    prf_cuda_step_t step;
    size_t first_source, source_count; /* in kernel->sources */
    size_t last_use;                   /* the last node that reads its output; itself when none does */
    int joined;                        /* the buffer in which its inputs are joined, NONE */
    int output;                        /* buffer */
} node_t;

struct prf_kernel {
    prf_board_t *board; /* borrowed */
    node_t *nodes;      /* owned, as are the next two */
    int *sources;       /* nodes, or OUTSIDE */
    buffer_t *buffers;
    size_t node_count, source_count, buffer_count;
    uint32_t iterations; /* in one warm timing */
    double energy_nj;
};

/* ---- nodes ---- */

static void add_source(prf_kernel_t *kernel, node_t *node, int source)
{
    kernel->sources[kernel->source_count++] = source;
    node->source_count++;
}

/* The nodes of a block, of which the first one has its sources already. */
static prf_status_t add_block(prf_kernel_t *kernel, const prf_block_t *block, prf_error_t *err)
{
    for (uint32_t i = 0; i < block->count; i++) {
        node_t *node = &kernel->nodes[kernel->node_count];
        bool took = false;
        prf_status_t status = prf_cuda_step_init(&node->step, kernel->board, &block->layers[i], block->dtype,
                                                 i + 1 < block->count ? &block->layers[i + 1] : NULL, &took, err);
        if (status)
            return status;
        node->joined = NONE;
        if (i > 0) {
            node->first_source = kernel->source_count;
            add_source(kernel, node, (int)kernel->node_count - 1);
        }
        kernel->node_count++;
        i += took;
    }
    return PRF_OK;
}

/* Sources of a network's block: the last nodes of the blocks before it that its edges name. */
static void connect(prf_kernel_t *kernel, node_t *node, const prf_chain_t *network, size_t block, size_t *edge, const int *last)
{
    node->first_source = kernel->source_count;
    if (!network->edges)
        add_source(kernel, node, block == 0 ? OUTSIDE : last[block - 1]);
    for (; *edge < network->edge_count && network->edges[*edge].to == (int32_t)block; ++*edge) {
        int32_t from = network->edges[*edge].from;
        add_source(kernel, node, from < 0 ? OUTSIDE : last[from]);
    }
}

static prf_status_t add_nodes(prf_kernel_t *kernel, const prf_chain_t *network, prf_error_t *err)
{
    int *last = calloc(network->count, sizeof *last);
    if (!last)
        return prf_fail(err, PRF_ENOMEM, "a network of %zu blocks", network->count);
    prf_status_t status = PRF_OK;
    size_t edge = 0;
    for (size_t b = 0; !status && b < network->count; b++) {
        connect(kernel, &kernel->nodes[kernel->node_count], network, b, &edge, last);
        status = add_block(kernel, &network->blocks[b], err);
        last[b] = (int)kernel->node_count - 1;
    }
    free(last);
    return status;
}

/* ---- buffers ---- */

/* How many inputs the step itself takes. */
static size_t inputs_of(const node_t *node)
{
    return node->step.tensors[PRF_CUDA_OPERAND].shape.n > 0 ? 2 : 1;
}

/* The second summand or factor is the second source's output, also where the first one is joined of all. */
static bool takes_operand(const node_t *node)
{
    return inputs_of(node) == 2 && node->source_count >= 2;
}

static bool joins(const node_t *node)
{
    return node->source_count > inputs_of(node);
}

static int source_of(const prf_kernel_t *kernel, const node_t *node, size_t i)
{
    return kernel->sources[node->first_source + i];
}

static int buffer_of(const prf_kernel_t *kernel, int source)
{
    return source == OUTSIDE ? INPUT_BUFFER : kernel->nodes[source].output;
}

static void need(buffer_t *buffer, double bytes)
{
    buffer->bytes = fmax(buffer->bytes, bytes);
}

/* A buffer that nobody reads any more when node `now` writes it, else a new one. */
static int take_buffer(prf_kernel_t *kernel, size_t now, size_t last_use, double bytes)
{
    size_t i = INPUT_BUFFER + 1;
    while (i < kernel->buffer_count && kernel->buffers[i].last_use >= now)
        i++;
    if (i == kernel->buffer_count)
        kernel->buffer_count++;
    need(&kernel->buffers[i], bytes);
    kernel->buffers[i].last_use = last_use;
    return (int)i;
}

static void find_last_uses(prf_kernel_t *kernel)
{
    for (size_t i = 0; i < kernel->node_count; i++) {
        kernel->nodes[i].last_use = i;
        for (size_t s = 0; s < kernel->nodes[i].source_count; s++) {
            int source = source_of(kernel, &kernel->nodes[i], s);
            if (source != OUTSIDE)
                kernel->nodes[source].last_use = i;
        }
    }
}

/* An activation overwrites what nobody else reads. */
static bool in_place(const prf_kernel_t *kernel, size_t i)
{
    const node_t *node = &kernel->nodes[i];
    int source = node->source_count == 1 ? source_of(kernel, node, 0) : OUTSIDE;
    return node->step.layer.kind == PRF_ACTIVATION && source != OUTSIDE && kernel->nodes[source].last_use == i;
}

static void assign_buffers(prf_kernel_t *kernel)
{
    kernel->buffer_count = 1;
    kernel->buffers[INPUT_BUFFER].last_use = SIZE_MAX;
    find_last_uses(kernel);
    for (size_t i = 0; i < kernel->node_count; i++) {
        node_t *node = &kernel->nodes[i];
        double in = prf_cuda_tensor_bytes(&node->step.tensors[PRF_CUDA_INPUT]);
        double out = prf_cuda_tensor_bytes(&node->step.tensors[PRF_CUDA_OUTPUT]);
        if (joins(node))
            node->joined = take_buffer(kernel, i, i, in);
        else
            need(&kernel->buffers[buffer_of(kernel, source_of(kernel, node, 0))], in);
        if (takes_operand(node)) /* summands are of one size; of factors the second one may be larger */
            need(&kernel->buffers[buffer_of(kernel, source_of(kernel, node, 1))],
                 prf_cuda_tensor_bytes(&node->step.tensors[PRF_CUDA_OPERAND]));
        if (!in_place(kernel, i)) {
            node->output = take_buffer(kernel, i, node->last_use, out);
            continue;
        }
        node->output = buffer_of(kernel, source_of(kernel, node, 0));
        need(&kernel->buffers[node->output], out);
        kernel->buffers[node->output].last_use = node->last_use;
    }
}

/* ---- memory ---- */

/* The tensors that belong to one step alone. */
static bool is_own(const node_t *node, int role)
{
    return node->step.tensors[role].shape.n > 0 &&
           (role == PRF_CUDA_WEIGHTS || role == PRF_CUDA_BIAS || (role == PRF_CUDA_OPERAND && !takes_operand(node)));
}

static prf_status_t check_memory(const prf_kernel_t *kernel, prf_error_t *err)
{
    double bytes = 0;
    for (size_t i = 0; i < kernel->buffer_count; i++)
        bytes += kernel->buffers[i].bytes;
    for (size_t i = 0; i < kernel->node_count; i++)
        for (int role = 0; role < PRF_CUDA_TENSORS; role++)
            bytes += is_own(&kernel->nodes[i], role) ? prf_cuda_tensor_bytes(&kernel->nodes[i].step.tensors[role]) : 0;
    if (bytes <= kernel->board->limit)
        return PRF_OK;
    return prf_fail(err, PRF_EUNSUPPORTED,
                    "its tensors need %.1f GiB, the limit on this GPU is %.1f GiB: leave it out, or use a larger one",
                    bytes / (1 << 30), kernel->board->limit / (1 << 30));
}

static float contents(const node_t *node, int role)
{
    if (role == PRF_CUDA_OPERAND)
        return operand_scale;
    if (role == PRF_CUDA_BIAS)
        return bias_scale;
    double depth = prf_layer_macs(&node->step.layer) / prf_layer_outputs(&node->step.layer);
    return (float)(1 / fmax(depth, 1)); /* no sum exceeds its largest input */
}

static prf_status_t allocate_own(prf_kernel_t *kernel, node_t *node, prf_error_t *err)
{
    prf_board_t *board = kernel->board;
    prf_status_t status = PRF_OK;
    for (int role = 0; !status && role < PRF_CUDA_TENSORS; role++) {
        prf_cuda_tensor_t *tensor = &node->step.tensors[role];
        if (!is_own(node, role))
            continue;
        status = prf_cuda_allocate(board, prf_cuda_tensor_bytes(tensor), "a layer's weights", &tensor->at, err);
        if (!status)
            status = prf_cuda_fill(&board->lib, board->stream, tensor, contents(node, role), err);
    }
    return status;
}

/* Every buffer has contents from the beginning: a part of one may be read that no step has written. */
static prf_status_t allocate_buffers(prf_kernel_t *kernel, prf_dtype_t dtype, prf_error_t *err)
{
    prf_board_t *board = kernel->board;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < kernel->buffer_count; i++) {
        buffer_t *buffer = &kernel->buffers[i];
        prf_cuda_tensor_t all = {.shape = {1, 1, 1, 1}, .dtype = dtype};
        all.shape.w = (int64_t)(buffer->bytes / prf_cuda_tensor_bytes(&all));
        status = prf_cuda_allocate(board, buffer->bytes, "activations", &buffer->at, err);
        all.at = buffer->at;
        if (!status)
            status = prf_cuda_fill(&board->lib, board->stream, &all, activation_scale, err);
    }
    return status;
}

static prf_status_t place_tensors(prf_kernel_t *kernel, prf_error_t *err)
{
    for (size_t i = 0; i < kernel->node_count; i++) {
        node_t *node = &kernel->nodes[i];
        prf_cuda_tensor_t *t = node->step.tensors;
        prf_status_t status = allocate_own(kernel, node, err);
        if (status)
            return status;
        int in = node->joined != NONE ? node->joined : buffer_of(kernel, source_of(kernel, node, 0));
        t[PRF_CUDA_INPUT].at = kernel->buffers[in].at;
        if (takes_operand(node))
            t[PRF_CUDA_OPERAND].at = kernel->buffers[buffer_of(kernel, source_of(kernel, node, 1))].at;
        t[PRF_CUDA_OUTPUT].at = kernel->buffers[node->output].at;
    }
    return PRF_OK;
}

/* ---- running ---- */

/* Copies what a node's sources put out side by side, row by row; a row is a picture where channels come first, else a pixel. */
static prf_status_t join(const prf_kernel_t *kernel, const node_t *node, prf_error_t *err)
{
    const prf_board_t *board = kernel->board;
    const prf_cuda_tensor_t *in = &node->step.tensors[PRF_CUDA_INPUT];
    size_t rows = (size_t)(in->nhwc ? in->shape.n * in->shape.h * in->shape.w : in->shape.n);
    size_t pitch = (size_t)prf_cuda_tensor_bytes(in) / rows, used = 0;
    for (size_t s = 0; s < node->source_count; s++) {
        int source = source_of(kernel, node, s);
        const buffer_t *from = &kernel->buffers[buffer_of(kernel, source)];
        double bytes =
            source == OUTSIDE ? from->bytes : prf_cuda_tensor_bytes(&kernel->nodes[source].step.tensors[PRF_CUDA_OUTPUT]);
        size_t row = (size_t)bytes / rows, width = row < pitch - used ? row : pitch - used;
        if (width == 0)
            continue;
        cudaError_t e = board->lib.cudaMemcpy2DAsync((char *)in->at + used, pitch, from->at, row, width, rows,
                                                     cudaMemcpyDeviceToDevice, board->stream);
        if (e)
            return prf_cuda_fail(&board->lib, e, "joining channels", err);
        used += width;
    }
    return PRF_OK;
}

static prf_status_t execute_node(const prf_kernel_t *kernel, const node_t *node, prf_error_t *err)
{
    prf_status_t status = node->joined != NONE ? join(kernel, node, err) : PRF_OK;
    return status ? status : node->step.ops->execute(&node->step, err);
}

static prf_status_t execute(const prf_kernel_t *kernel, uint32_t iterations, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (uint32_t n = 0; !status && n < iterations; n++)
        for (size_t i = 0; !status && i < kernel->node_count; i++)
            status = execute_node(kernel, &kernel->nodes[i], err);
    return status;
}

/* The caches of a network: full of other data, the input in. */
static prf_status_t cool(const prf_kernel_t *kernel, prf_error_t *err)
{
    const prf_board_t *board = kernel->board;
    const prf_cuda_tensor_t *second = &kernel->nodes[0].step.tensors[PRF_CUDA_OPERAND];
    const struct {
        const void *at;
        double bytes;
    } inputs[] = {{kernel->buffers[INPUT_BUFFER].at, kernel->buffers[INPUT_BUFFER].bytes},
                  {second->at, prf_cuda_tensor_bytes(second)}};
    cudaError_t e = board->lib.cudaMemsetAsync(board->sweep, 0, board->sweep_bytes, board->stream);
    for (size_t i = 0; !e && i < sizeof inputs / sizeof *inputs; i++) {
        size_t bytes = (size_t)fmin(inputs[i].bytes, (double)board->sweep_bytes);
        if (bytes > 0)
            e = board->lib.cudaMemcpyAsync(board->sweep, inputs[i].at, bytes, cudaMemcpyDeviceToDevice, board->stream);
    }
    return e ? prf_cuda_fail(&board->lib, e, "emptying the caches", err) : PRF_OK;
}

/* So many runs between the two events; the time of all. */
static prf_status_t timing(const prf_kernel_t *kernel, bool cold, uint32_t iterations, double *ns, prf_error_t *err)
{
    prf_board_t *board = kernel->board;
    prf_status_t status = cold ? cool(kernel, err) : PRF_OK;
    if (!status)
        status = prf_cuda_mark(board, board->begin, err);
    if (!status)
        status = execute(kernel, iterations, err);
    if (!status)
        status = prf_cuda_mark(board, board->end, err);
    return status ? status : prf_cuda_wait(board, ns, err);
}

prf_status_t prf_cuda_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    bool cold = how->cache == PRF_CACHE_SEMI_COLD;
    double sum = 0;
    for (uint32_t i = 0; i < how->iterations; i++) {
        double ns = 0;
        prf_status_t status = timing(kernel, cold, cold ? 1 : kernel->iterations, &ns, err);
        if (status)
            return status;
        sum += cold ? ns : ns / kernel->iterations;
    }
    prf_cuda_look_t look;
    prf_cuda_monitor_look(&kernel->board->monitor, &look);
    out->latency_ns = sum / how->iterations;
    out->energy_nj = kernel->energy_nj;
    out->throttled = look.throttled;
    out->temperature_mc = look.temperature_mc;
    out->clock_khz = look.clock_khz;
    return PRF_OK;
}

/* ---- making it ---- */

/* Runs between two changes of the card's account, which come every tenth of a second or so; what the card takes when idle is in it.
 */
static prf_status_t measure_energy(prf_kernel_t *kernel, prf_error_t *err)
{
    const prf_cuda_monitor_t *monitor = &kernel->board->monitor;
    unsigned long long first = 0, begin = 0, now = 0;
    double sum_ns = 0, since_ns = 0, runs = 0;
    if (!prf_cuda_monitor_energy(monitor, &first))
        return PRF_OK;
    for (now = first; sum_ns < 4 * energy_ns; now = first) { /* four times as long where the account stands still */
        double ns = 0;
        prf_status_t status = timing(kernel, false, kernel->iterations, &ns, err);
        if (status)
            return status;
        sum_ns += ns;
        runs += begin ? kernel->iterations : 0;
        if (!prf_cuda_monitor_energy(monitor, &now) || now == first)
            continue;
        first = now;
        if (!begin) {
            begin = now;
            since_ns = sum_ns;
        } else if (sum_ns - since_ns >= energy_ns) {
            kernel->energy_nj = (double)(now - begin) * 1e6 / runs;
            return PRF_OK;
        }
    }
    return PRF_OK;
}

/* Chooses each step's algorithm in the order in which they run, so that it is tried on what the step before has written. */
static prf_status_t plan_steps(prf_kernel_t *kernel, prf_error_t *err)
{
    for (size_t i = 0; i < kernel->node_count; i++) {
        node_t *node = &kernel->nodes[i];
        prf_status_t status = node->joined != NONE ? join(kernel, node, err) : PRF_OK;
        if (!status)
            status = node->step.ops->plan(&node->step, err);
        if (status)
            return status;
    }
    double ns = 0;
    prf_status_t status = timing(kernel, false, 1, &ns, err);
    if (status)
        return status;
    kernel->iterations = (uint32_t)fmin(fmax(ceil(timing_ns / fmax(ns, 1)), 1), MOST_ITERATIONS);
    return kernel->board->energy ? measure_energy(kernel, err) : PRF_OK;
}

static prf_status_t build(prf_kernel_t *kernel, const prf_chain_t *network, prf_error_t *err)
{
    size_t nodes = network->count * PRF_BLOCK_LAYERS, edges = network->edges ? network->edge_count : network->count;
    kernel->nodes = calloc(nodes, sizeof *kernel->nodes);
    kernel->sources = calloc(nodes + edges, sizeof *kernel->sources);
    kernel->buffers = calloc(2 * nodes + 1, sizeof *kernel->buffers);
    if (!kernel->nodes || !kernel->sources || !kernel->buffers)
        return prf_fail(err, PRF_ENOMEM, "a network of %zu blocks", network->count);
    prf_status_t status = add_nodes(kernel, network, err);
    if (status)
        return status;
    assign_buffers(kernel);
    status = check_memory(kernel, err);
    if (!status)
        status = allocate_buffers(kernel, network->blocks[0].dtype, err);
    if (!status)
        status = place_tensors(kernel, err);
    return status ? status : plan_steps(kernel, err);
}

static void destroy(prf_kernel_t *kernel)
{
    const prf_cuda_lib_t *lib = &kernel->board->lib;
    for (size_t i = 0; i < kernel->node_count; i++) {
        node_t *node = &kernel->nodes[i];
        node->step.ops->release(&node->step);
        for (int role = 0; role < PRF_CUDA_TENSORS; role++)
            if (is_own(node, role))
                (void)lib->cudaFree(node->step.tensors[role].at);
    }
    for (size_t i = 0; i < kernel->buffer_count; i++)
        (void)lib->cudaFree(kernel->buffers[i].at);
    free(kernel->nodes);
    free(kernel->sources);
    free(kernel->buffers);
    free(kernel);
}

static prf_status_t check(const prf_chain_t *network, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < network->count; i++) {
        status = prf_block_check(&network->blocks[i], err);
        if (!status && network->blocks[i].dtype != network->blocks[0].dtype)
            return prf_fail(err, PRF_EUNSUPPORTED, "%s behind %s: all blocks of a network need one data type",
                            prf_dtype_name(network->blocks[i].dtype), prf_dtype_name(network->blocks[0].dtype));
    }
    return status;
}

prf_status_t prf_cuda_prepare_network(prf_board_t *board, const prf_chain_t *network, prf_cache_t cache, prf_kernel_t **out,
                                      prf_error_t *err)
{
    (void)cache; /* it is arranged when it runs */
    prf_status_t status = check(network, err);
    if (status)
        return status;
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return prf_fail(err, PRF_ENOMEM, "a kernel");
    kernel->board = board;
    status = build(kernel, network, err);
    if (status) {
        destroy(kernel);
        return status;
    }
    *out = kernel;
    return PRF_OK;
}

prf_status_t prf_cuda_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                              prf_error_t *err)
{
    const prf_chain_t alone = {.blocks = block, .count = 1};
    return prf_cuda_prepare_network(board, &alone, place->cache, out, err);
}

void prf_cuda_release(prf_kernel_t **self)
{
    if (self && *self) {
        destroy(*self);
        *self = NULL;
    }
}

size_t prf_cuda_steps(const prf_kernel_t *kernel)
{
    return kernel->node_count;
}

const prf_cuda_step_t *prf_cuda_step(const prf_kernel_t *kernel, size_t i)
{
    return &kernel->nodes[i].step;
}
