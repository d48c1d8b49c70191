// SPDX-License-Identifier: Apache-2.0
/* infer_move.c - shapes of the operators that view or copy data. Where a shape depends on data that only exist when the network
 * runs, the output's shape stays unknown; that is no error. */
#include <math.h>
#include <string.h>

#include "network/ops.h"

static prf_status_t keep_type(graph_t *g, const node_t *n, const shape_t *shape, prf_error_t *err)
{
    value_t *out = prf_node_out(g, n, 0);
    if (out)
        out->type = prf_node_in(g, n, 0)->type;
    return prf_node_shape(g, n, 0, shape, err);
}

/* A list of whole numbers: the attribute, or since a later opset the input. */
typedef struct {
    bool given, known;
    size_t count;
    const int64_t *from_attribute;
    const prf_onnx_number_t *from_input;
} list_t;

static list_t list_of(const graph_t *g, const node_t *n, const char *name, uint32_t input)
{
    const prf_onnx_attribute_t *a = prf_node_attribute(n, name);
    const value_t *v = prf_node_in(g, n, input);
    if (v)
        return (list_t){true, v->values != NULL && prf_onnx_integral(v->type), v->count, NULL, v->values};
    if (a)
        return (list_t){true, true, a->int_count, a->ints, NULL};
    return (list_t){0};
}

static int64_t item(const list_t *list, size_t i)
{
    return list->from_input ? list->from_input[i].i : list->from_attribute[i];
}

prf_status_t prf_infer_concat(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", 1), shape.rank, &axis, err);
    if (status)
        return status;
    for (uint32_t i = 1; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        if (!v)
            continue;
        for (uint32_t d = 0; d < shape.rank; d++)
            if (v->shape.rank != shape.rank || (d != axis && v->shape.dims[d] != shape.dims[d]))
                return prf_node_fail(g, n, err, "'%.80s' does not fit the first input: only axis %u may differ", v->name, axis);
        shape.dims[axis] += v->shape.dims[axis]; /* at most 2^20 operands of 2^31 each */
    }
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_split(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", 0), shape.rank, &axis, err);
    list_t sizes = list_of(g, n, "split", 1);
    if (status || (sizes.given && !sizes.known))
        return status;
    if (sizes.given && sizes.count != n->output_count)
        return prf_node_fail(g, n, err, "split has %zu sizes for %u outputs", sizes.count, n->output_count);
    int64_t total = shape.dims[axis], part = (total + n->output_count - 1) / n->output_count, taken = 0;
    for (uint32_t i = 0; i < n->output_count && !status; i++) {
        int64_t size = sizes.given ? item(&sizes, i) : (part < total - taken ? part : total - taken);
        if (size < 0 || size > total - taken)
            return prf_node_fail(g, n, err, "its parts add up to more than the %lld that there are", (long long)total);
        taken += size;
        shape.dims[axis] = size;
        status = prf_node_shape(g, n, i, &shape, err);
    }
    if (!status && taken != total)
        return prf_node_fail(g, n, err, "its parts add up to %lld of %lld", (long long)taken, (long long)total);
    return status;
}

prf_status_t prf_infer_reshape(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    list_t target = list_of(g, n, "shape", 1);
    if (!target.given)
        return prf_node_fail(g, n, err, "it names no target shape");
    if (!target.known)
        return PRF_OK;
    if (target.count > PRF_ONNX_RANK)
        return prf_node_fail(g, n, err, "a target of %zu dimensions: at most %d are read", target.count, PRF_ONNX_RANK);
    shape_t shape = {.rank = (uint32_t)target.count};
    bool zero_copies = !prf_node_int(n, "allowzero", 0);
    uint32_t rest = UINT32_MAX;
    for (uint32_t i = 0; i < shape.rank; i++) {
        int64_t d = item(&target, i);
        if (d < -1 || (d == -1 && rest != UINT32_MAX) || (d == 0 && zero_copies && i >= x->shape.rank))
            return prf_node_fail(g, n, err, "target dimension %u is %lld: use sizes, one -1 at most, 0 to copy", i, (long long)d);
        if (d == -1)
            rest = i;
        shape.dims[i] = d == -1 ? 1 : d == 0 && zero_copies ? x->shape.dims[i] : d;
    }
    int64_t count = prf_shape_count(&shape), have = (int64_t)x->count;
    if (rest != UINT32_MAX && count > 0 && have % count == 0) {
        shape.dims[rest] = have / count;
        count = have;
    }
    if (count != have)
        return prf_node_fail(g, n, err, "%lld values do not fit the target shape", (long long)have);
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_transpose(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    const prf_onnx_attribute_t *perm = prf_node_attribute(n, "perm");
    if (perm && perm->int_count != x->rank)
        return prf_node_fail(g, n, err, "perm has %zu axes for %u dimensions", perm->int_count, x->rank);
    shape_t shape = {.rank = x->rank};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t from = perm ? perm->ints[i] : (int64_t)x->rank - 1 - i;
        if (from < 0 || from >= (int64_t)x->rank || (seen >> from & 1))
            return prf_node_fail(g, n, err, "perm must hold each axis once");
        seen |= 1u << from;
        shape.dims[i] = x->dims[from];
    }
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_flatten(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    int64_t axis = prf_node_int(n, "axis", 1);
    if (axis < 0)
        axis += x->rank;
    if (axis < 0 || axis > (int64_t)x->rank)
        return prf_node_fail(g, n, err, "axis %lld is outside a tensor of %u dimensions", (long long)axis, x->rank);
    shape_t shape = {2, {1, 1}};
    for (uint32_t i = 0; i < x->rank; i++)
        shape.dims[i >= axis] *= x->dims[i];
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_squeeze(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    uint32_t mask;
    bool known, all = n->input_count < 2 && !prf_node_attribute(n, "axes");
    prf_status_t status = prf_op_axes(g, n, 1, &mask, &known, err);
    if (status || !known)
        return status;
    shape_t shape = {0};
    for (uint32_t i = 0; i < x->rank; i++) {
        bool gone = all ? x->dims[i] == 1 : mask >> i & 1;
        if (gone && x->dims[i] != 1)
            return prf_node_fail(g, n, err, "axis %u has size %lld: only axes of size 1 can go", i, (long long)x->dims[i]);
        if (!gone)
            shape.dims[shape.rank++] = x->dims[i];
    }
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_unsqueeze(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    list_t axes = list_of(g, n, "axes", 1);
    if (axes.given && !axes.known)
        return PRF_OK;
    if (x->rank + axes.count > PRF_ONNX_RANK)
        return prf_node_fail(g, n, err, "its output has %zu dimensions: at most %d are read", x->rank + axes.count, PRF_ONNX_RANK);
    shape_t shape = {.rank = x->rank + (uint32_t)axes.count};
    uint32_t mask = 0;
    for (size_t i = 0; i < axes.count; i++) {
        uint32_t axis;
        prf_status_t status = prf_node_axis(g, n, item(&axes, i), shape.rank, &axis, err);
        if (status)
            return status;
        if (mask >> axis & 1)
            return prf_node_fail(g, n, err, "axis %u is named twice", axis);
        mask |= 1u << axis;
    }
    for (uint32_t i = 0, from = 0; i < shape.rank; i++)
        shape.dims[i] = mask >> i & 1 ? 1 : x->dims[from++];
    return keep_type(g, n, &shape, err);
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* start and end as ONNX's Slice means them: negative ones count from the end, all are held to the axis. */
static void cut_axis(cut_t *cut, int64_t dim, int64_t start, int64_t end)
{
    start = start < 0 ? clamp(start, -dim, -1) + dim : start;
    end = end < 0 ? (end < -dim ? -1 : end + dim) : end;
    if (cut->step > 0) {
        cut->start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        cut->count = end > cut->start ? (end - cut->start + cut->step - 1) / cut->step : 0;
    } else {
        cut->start = clamp(start, 0, dim - 1);
        end = clamp(end, -1, dim - 1);
        cut->count = dim > 0 && cut->start > end ? (cut->start - end - cut->step - 1) / -cut->step : 0;
    }
}

prf_status_t prf_op_cuts(const graph_t *g, const node_t *n, cut_t cuts[PRF_ONNX_RANK], uint32_t *count, bool *known,
                         prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    list_t starts = list_of(g, n, "starts", 1), ends = list_of(g, n, "ends", 2), axes = list_of(g, n, "axes", 3),
           steps = list_of(g, n, "steps", 4);
    *count = (uint32_t)(starts.count < PRF_ONNX_RANK ? starts.count : PRF_ONNX_RANK);
    *known = starts.known && ends.known && (!axes.given || axes.known) && (!steps.given || steps.known);
    if (!*known)
        return PRF_OK;
    if (starts.count > x->rank || ends.count != starts.count || (axes.given && axes.count != starts.count) ||
        (steps.given && steps.count != starts.count))
        return prf_node_fail(g, n, err, "starts, ends, axes and steps differ in number, or are more than its %u dimensions",
                             x->rank);
    for (uint32_t i = 0; i < *count; i++) {
        prf_status_t status = prf_node_axis(g, n, axes.given ? item(&axes, i) : (int64_t)i, x->rank, &cuts[i].axis, err);
        if (status)
            return status;
        int64_t step = steps.given ? item(&steps, i) : 1;
        if (step == 0)
            return prf_node_fail(g, n, err, "a step of 0");
        cuts[i].step = clamp(step, -PRF_ONNX_DIM_MAX, PRF_ONNX_DIM_MAX);
        cut_axis(&cuts[i], x->dims[cuts[i].axis], item(&starts, i), item(&ends, i));
    }
    return PRF_OK;
}

prf_status_t prf_infer_slice(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    cut_t cuts[PRF_ONNX_RANK] = {0};
    uint32_t count;
    bool known;
    prf_status_t status = prf_op_cuts(g, n, cuts, &count, &known, err);
    if (status || !known)
        return status;
    for (uint32_t i = 0; i < count; i++)
        shape.dims[cuts[i].axis] = cuts[i].count;
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_gather(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape, *index = &prf_node_in(g, n, 1)->shape;
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", 0), x->rank, &axis, err);
    if (status)
        return status;
    if (x->rank + index->rank - 1 > PRF_ONNX_RANK)
        return prf_node_fail(g, n, err, "its output has %u dimensions: at most %d are read", x->rank + index->rank - 1,
                             PRF_ONNX_RANK);
    shape_t shape = {0};
    for (uint32_t i = 0; i < axis; i++)
        shape.dims[shape.rank++] = x->dims[i];
    for (uint32_t i = 0; i < index->rank; i++)
        shape.dims[shape.rank++] = index->dims[i];
    for (uint32_t i = axis + 1; i < x->rank; i++)
        shape.dims[shape.rank++] = x->dims[i];
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_expand(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    list_t target = list_of(g, n, "shape", 1);
    if (!target.known)
        return PRF_OK;
    if (target.count > PRF_ONNX_RANK)
        return prf_node_fail(g, n, err, "a target of %zu dimensions: at most %d are read", target.count, PRF_ONNX_RANK);
    shape_t shape = {.rank = x->rank > target.count ? x->rank : (uint32_t)target.count};
    for (uint32_t i = 0; i < shape.rank; i++) { /* from the last axis */
        int64_t a = i < x->rank ? x->dims[x->rank - 1 - i] : 1;
        int64_t b = i < target.count ? item(&target, target.count - 1 - i) : 1;
        if (a != b && a != 1 && b != 1)
            return prf_node_fail(g, n, err, "a size of %lld does not expand to %lld", (long long)a, (long long)b);
        shape.dims[shape.rank - 1 - i] = a == 1 ? b : a;
    }
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_tile(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    list_t repeats = list_of(g, n, "repeats", 1);
    if (!repeats.known)
        return PRF_OK;
    if (repeats.count != shape.rank)
        return prf_node_fail(g, n, err, "%zu repeats for %u dimensions", repeats.count, shape.rank);
    for (uint32_t i = 0; i < shape.rank; i++)
        if (__builtin_mul_overflow(shape.dims[i], item(&repeats, i), &shape.dims[i]))
            shape.dims[i] = -1;
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_pad(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    list_t pads = list_of(g, n, g->opset < 2 ? "paddings" : "pads", 1), axes = list_of(g, n, "axes", 3);
    if (!pads.known || (axes.given && !axes.known))
        return PRF_OK;
    size_t count = axes.given ? axes.count : shape.rank;
    if (pads.count != 2 * count)
        return prf_node_fail(g, n, err, "%zu pads: use %zu, two an axis", pads.count, 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis;
        prf_status_t status = prf_node_axis(g, n, axes.given ? item(&axes, i) : (int64_t)i, shape.rank, &axis, err);
        if (status)
            return status;
        int64_t begin = clamp(item(&pads, i), -PRF_ONNX_DIM_MAX - 1LL, PRF_ONNX_DIM_MAX + 1LL);
        int64_t end = clamp(item(&pads, count + i), -PRF_ONNX_DIM_MAX - 1LL, PRF_ONNX_DIM_MAX + 1LL);
        shape.dims[axis] += begin + end;
        if (shape.dims[axis] < 0)
            return prf_node_fail(g, n, err, "its negative pads take more than there is");
    }
    return keep_type(g, n, &shape, err);
}

prf_status_t prf_infer_depth(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    int64_t block = prf_node_int(n, "blocksize", 0);
    bool to_space = strcmp(n->onnx->op, "DepthToSpace") == 0;
    if (shape.rank != 4 || block < 1 || block > 1024)
        return prf_node_fail(g, n, err, "%u dimensions and a blocksize of %lld: use 4 and 1 to 1024", shape.rank, (long long)block);
    int64_t *c = &shape.dims[1], *h = &shape.dims[2], *w = &shape.dims[3];
    if (to_space ? *c % (block * block) != 0 : *h % block != 0 || *w % block != 0)
        return prf_node_fail(g, n, err, "a blocksize of %lld does not divide its input", (long long)block);
    *c = to_space ? *c / (block * block) : *c * block * block;
    *h = to_space ? *h * block : *h / block;
    *w = to_space ? *w * block : *w / block;
    return keep_type(g, n, &shape, err);
}

/* Which axis entry i of scales or sizes is for, since opset 18. */
static prf_status_t resize_axis(const graph_t *g, const node_t *n, size_t i, uint32_t rank, uint32_t *axis, prf_error_t *err)
{
    const prf_onnx_attribute_t *axes = prf_node_attribute(n, "axes");
    return prf_node_axis(g, n, axes && i < axes->int_count ? axes->ints[i] : (int64_t)i, rank, axis, err);
}

/* Sizes win over scales; scales were input 1 before opset 11, and an attribute of Upsample before opset 9. */
prf_status_t prf_infer_resize(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    list_t sizes = list_of(g, n, "sizes", 3);
    const value_t *scales = prf_node_in(g, n, n->input_count > 2 ? 2 : 1);
    const prf_onnx_attribute_t *early = prf_node_attribute(n, "scales");
    bool by_size = sizes.given && sizes.count > 0;
    size_t count = by_size ? sizes.count : scales ? scales->count : early ? early->float_count : 0;
    if (by_size ? !sizes.known : scales && (!scales->values || prf_onnx_integral(scales->type)))
        return PRF_OK;
    if (count == 0 || count > shape.rank)
        return prf_node_fail(g, n, err, "%zu sizes or scales for %u dimensions", count, shape.rank);
    for (size_t i = 0; i < count; i++) {
        uint32_t axis;
        prf_status_t status = resize_axis(g, n, i, shape.rank, &axis, err);
        if (status)
            return status;
        double scale = by_size ? 1 : scales ? scales->values[i].f : (double)early->floats[i];
        double size = by_size ? (double)item(&sizes, i) : floor((double)shape.dims[axis] * scale);
        if (!(size >= 0 && size <= PRF_ONNX_DIM_MAX))
            return prf_node_fail(g, n, err, "it resizes axis %u to %g", axis, size);
        shape.dims[axis] = (int64_t)size;
    }
    return keep_type(g, n, &shape, err);
}
