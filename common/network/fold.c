// SPDX-License-Identifier: Apache-2.0
/* fold.c - computes small constants: what exporters write to compute shapes (Shape, Gather, Mul, Concat, Reshape) with numbers
 * that are known before the network runs. A value that cannot be computed (overflow, division by zero) stays without values, and
 * what depends on it without a shape; that is no error here. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "network/ops.h"

static prf_status_t give_up(value_t *v)
{
    free(v->values);
    v->values = NULL;
    return PRF_OK;
}

static double real_of(const value_t *v, size_t i)
{
    return prf_onnx_integral(v->type) ? (double)v->values[i].i : v->values[i].f;
}

/* A real number as an integer, if it is near enough to one that fits. */
static bool to_integer(double f, int64_t *out)
{
    if (!(f > -9.0e18 && f < 9.0e18))
        return false;
    *out = (int64_t)f;
    return true;
}

prf_status_t prf_infer_constant(graph_t *g, const node_t *n, prf_error_t *err)
{
    value_t *out = prf_node_out(g, n, 0);
    const prf_onnx_attribute_t *a = n->onnx->attribute_count ? &n->onnx->attributes[0] : NULL;
    if (!out || !a)
        return PRF_OK;
    if (a->tensor)
        return prf_value_set_tensor(out, a->tensor, err);
    bool real = strcmp(a->name, "value_float") == 0 || strcmp(a->name, "value_floats") == 0;
    bool many = strcmp(a->name, "value_ints") == 0 || strcmp(a->name, "value_floats") == 0;
    if (!real && !many && strcmp(a->name, "value_int") != 0)
        return PRF_OK; /* strings and sparse tensors make no shape */
    size_t count = !many ? 1 : real ? a->float_count : a->int_count;
    shape_t shape = {.rank = many ? 1 : 0, .dims = {(int64_t)count}};
    out->type = real ? PRF_ONNX_FLOAT : PRF_ONNX_INT64;
    prf_status_t status = prf_node_shape(g, n, 0, &shape, err);
    if (!status)
        status = prf_value_reserve(out, err);
    for (size_t i = 0; !status && out->values && i < count; i++) {
        if (real)
            out->values[i].f = (double)(many ? a->floats[i] : a->f);
        else
            out->values[i].i = many ? a->ints[i] : a->i;
    }
    return status;
}

prf_status_t prf_infer_constant_of_shape(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    value_t *out = prf_node_out(g, n, 0);
    if (!x->values || !prf_onnx_integral(x->type) || !out)
        return PRF_OK;
    if (x->shape.rank != 1 || x->count > PRF_ONNX_RANK)
        return prf_node_fail(g, n, err, "a shape of %zu dimensions: at most %d are read", x->count, PRF_ONNX_RANK);
    shape_t shape = {.rank = (uint32_t)x->count};
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = x->values[i].i;
    const prf_onnx_attribute_t *a = prf_node_attribute(n, "value");
    const prf_onnx_tensor_t *fill = a ? a->tensor : NULL;
    out->type = fill ? fill->type : PRF_ONNX_FLOAT;
    prf_status_t status = prf_node_shape(g, n, 0, &shape, err);
    if (status || (fill && (fill->count != 1 || !fill->values)))
        return status;
    status = prf_value_reserve(out, err);
    for (size_t i = 0; !status && fill && out->values && i < out->count; i++)
        out->values[i] = fill->values[0];
    return status;
}

/* Both always integers, and constants: every shape is known before the network runs. */
static prf_status_t infer_integers(graph_t *g, const node_t *n, const shape_t *shape, const int64_t *values, prf_error_t *err)
{
    value_t *out = prf_node_out(g, n, 0);
    prf_status_t status = prf_node_shape(g, n, 0, shape, err);
    if (status || !out)
        return status;
    out->type = PRF_ONNX_INT64;
    status = prf_value_reserve(out, err);
    for (size_t i = 0; !status && out->values && i < out->count; i++)
        out->values[i].i = values[i];
    return status;
}

prf_status_t prf_infer_shape(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    int64_t rank = x->rank, start = prf_node_int(n, "start", 0), end = prf_node_int(n, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    shape_t shape = {.rank = 1, .dims = {end - start}};
    return infer_integers(g, n, &shape, x->dims + start, err);
}

prf_status_t prf_infer_size(graph_t *g, const node_t *n, prf_error_t *err)
{
    int64_t count = (int64_t)prf_node_in(g, n, 0)->count;
    return infer_integers(g, n, &(shape_t){0}, &count, err);
}

prf_status_t prf_infer_range(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *part[3];
    for (uint32_t i = 0; i < 3; i++) {
        part[i] = prf_node_in(g, n, i);
        if (!part[i]->values || part[i]->count != 1)
            return PRF_OK;
    }
    double start = real_of(part[0], 0), limit = real_of(part[1], 0), delta = real_of(part[2], 0);
    double count = ceil((limit - start) / delta);
    if (delta == 0 || !(count <= PRF_ONNX_DIM_MAX))
        return prf_node_fail(g, n, err, "a range from %g to %g by %g", start, limit, delta);
    value_t *out = prf_node_out(g, n, 0);
    shape_t shape = {.rank = 1, .dims = {count > 0 ? (int64_t)count : 0}};
    prf_status_t status = prf_node_shape(g, n, 0, &shape, err);
    if (status || !out)
        return status;
    out->type = part[0]->type;
    status = prf_value_reserve(out, err);
    for (size_t i = 0; !status && out->values && i < out->count; i++) {
        double value = start + (double)i * delta;
        if (!prf_onnx_integral(out->type))
            out->values[i].f = value;
        else if (!to_integer(value, &out->values[i].i))
            return give_up(out);
    }
    return status;
}

prf_status_t prf_fold_copy(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    const value_t *x = prf_node_in(g, n, 0);
    value_t *out = prf_node_out(g, n, 0);
    out->type = x->type;
    if (x->count != out->count)
        return give_up(out);
    memcpy(out->values, x->values, x->count * sizeof *x->values);
    return PRF_OK;
}

prf_status_t prf_fold_cast(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    const value_t *x = prf_node_in(g, n, 0);
    value_t *out = prf_node_out(g, n, 0);
    int64_t to = prf_node_int(n, "to", 0);
    out->type = to > 0 && to < 64 ? (int32_t)to : 0;
    for (size_t i = 0; i < x->count; i++) {
        if (out->type == PRF_ONNX_BOOL)
            out->values[i].i = real_of(x, i) != 0;
        else if (!prf_onnx_integral(out->type))
            out->values[i].f = real_of(x, i);
        else if (prf_onnx_integral(x->type))
            out->values[i].i = x->values[i].i;
        else if (!to_integer(x->values[i].f, &out->values[i].i))
            return give_up(out);
    }
    return PRF_OK;
}

/* Vectors only: that is what shapes are made of. */
prf_status_t prf_fold_concat(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    value_t *out = prf_node_out(g, n, 0);
    if (out->shape.rank != 1)
        return give_up(out);
    size_t used = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        if (!v)
            continue;
        memcpy(out->values + used, v->values, v->count * sizeof *v->values);
        used += v->count;
    }
    return PRF_OK;
}

prf_status_t prf_fold_gather(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0), *index = prf_node_in(g, n, 1);
    value_t *out = prf_node_out(g, n, 0);
    if (x->shape.rank != 1 || !prf_onnx_integral(index->type))
        return give_up(out);
    for (size_t i = 0; i < out->count; i++) {
        int64_t at = index->values[i].i, count = (int64_t)x->count;
        if (at < -count || at >= count)
            return prf_node_fail(g, n, err, "index %lld is outside its %lld values", (long long)at, (long long)count);
        out->values[i] = x->values[at < 0 ? at + count : at];
    }
    return PRF_OK;
}

prf_status_t prf_fold_slice(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    value_t *out = prf_node_out(g, n, 0);
    cut_t cuts[PRF_ONNX_RANK];
    uint32_t count;
    bool known;
    prf_status_t status = prf_op_cuts(g, n, cuts, &count, &known, err);
    if (status)
        return status;
    if (!known || count != 1 || x->shape.rank != 1)
        return give_up(out);
    for (size_t i = 0; i < out->count; i++)
        out->values[i] = x->values[cuts[0].start + (int64_t)i * cuts[0].step];
    return PRF_OK;
}

prf_status_t prf_fold_unary(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    static const struct {
        const char *name;
        double (*fn)(double);
    } functions[] = {{"Floor", floor}, {"Ceil", ceil}, {"Round", rint}, {"Sqrt", sqrt}, {"Abs", fabs}, {"Exp", exp}, {"Log", log}};
    const value_t *x = prf_node_in(g, n, 0);
    value_t *out = prf_node_out(g, n, 0);
    bool integral = prf_onnx_integral(x->type), negate = strcmp(n->onnx->op, "Neg") == 0, invert = strcmp(n->onnx->op, "Not") == 0;
    double (*fn)(double) = NULL;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(n->onnx->op, functions[i].name) == 0)
            fn = functions[i].fn;
    bool whole = integral && strcmp(n->onnx->op, "Abs") == 0;
    if ((integral && !negate && !invert && !whole) || (!integral && !negate && !fn))
        return give_up(out);
    for (size_t i = 0; i < out->count; i++) {
        int64_t v = x->values[i].i;
        if (integral && v == INT64_MIN)
            return give_up(out);
        if (integral)
            out->values[i].i = invert ? !v : negate || v < 0 ? -v : v;
        else
            out->values[i].f = negate ? -x->values[i].f : fn(x->values[i].f);
    }
    return PRF_OK;
}

typedef enum { ADD, SUB, MUL, DIV, MOD, MAX, MIN, POW, EQUAL, LESS, GREATER, LESS_EQUAL, GREATER_EQUAL, AND, OR, OPS } binary_t;
static const char *const binary_names[OPS] = {
    "Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Pow", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual",
    "And", "Or"};

static bool combine_integers(binary_t op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case ADD:
        return !__builtin_add_overflow(a, b, out);
    case SUB:
        return !__builtin_sub_overflow(a, b, out);
    case MUL:
        return !__builtin_mul_overflow(a, b, out);
    case DIV:
    case MOD:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *out = op == DIV ? a / b : a % b;
        if (op == MOD && *out != 0 && (*out < 0) != (b < 0))
            *out += b;
        return true;
    case MAX:
        *out = a > b ? a : b;
        return true;
    case MIN:
        *out = a < b ? a : b;
        return true;
    case POW:
        return to_integer(pow((double)a, (double)b), out);
    default:
        return false;
    }
}

static bool combine_reals(binary_t op, double a, double b, double *out)
{
    switch (op) {
    case ADD:
        *out = a + b;
        return true;
    case SUB:
        *out = a - b;
        return true;
    case MUL:
        *out = a * b;
        return true;
    case DIV:
        *out = a / b;
        return true;
    case MAX:
        *out = fmax(a, b);
        return true;
    case MIN:
        *out = fmin(a, b);
        return true;
    case POW:
        *out = pow(a, b);
        return true;
    default:
        return false;
    }
}

static bool compare(binary_t op, double a, double b)
{
    switch (op) {
    case EQUAL:
        return a == b;
    case LESS:
        return a < b;
    case GREATER:
        return a > b;
    case LESS_EQUAL:
        return a <= b;
    case GREATER_EQUAL:
        return a >= b;
    case AND:
        return a != 0 && b != 0;
    default:
        return a != 0 || b != 0;
    }
}

/* Which element of `in` belongs to element `i` of the broadcast `out`. */
static size_t broadcast_index(const shape_t *out, const shape_t *in, size_t i)
{
    size_t index = 0, step = 1;
    for (uint32_t d = 0; d < out->rank; d++) { /* from the last axis */
        size_t size = (size_t)out->dims[out->rank - 1 - d], at = i % size;
        i /= size;
        if (d >= in->rank)
            continue;
        size_t own = (size_t)in->dims[in->rank - 1 - d];
        index += own == 1 ? 0 : at * step;
        step *= own;
    }
    return index;
}

static bool combine(binary_t op, const value_t *a, prf_onnx_number_t left, const value_t *b, prf_onnx_number_t right,
                    prf_onnx_number_t *out)
{
    bool integral = prf_onnx_integral(a->type);
    if (integral != prf_onnx_integral(b->type))
        return false;
    if (op >= EQUAL) {
        out->i = integral ? compare(op, (double)left.i, (double)right.i) : compare(op, left.f, right.f);
        return true;
    }
    return integral ? combine_integers(op, left.i, right.i, &out->i) : combine_reals(op, left.f, right.f, &out->f);
}

prf_status_t prf_fold_binary(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    value_t *out = prf_node_out(g, n, 0);
    const value_t *a = prf_node_in(g, n, 0), *b = prf_node_in(g, n, 1);
    int op = 0;
    while (op < OPS && strcmp(n->onnx->op, binary_names[op]) != 0)
        op++;
    bool aligned = g->opset < 7 && prf_node_int(n, "broadcast", 0); /* by an axis that is not looked at here */
    if (op == OPS || n->input_count != 2 || !b || aligned)          /* Max and its like may leave one out */
        return give_up(out);
    for (size_t i = 0; i < out->count; i++) {
        prf_onnx_number_t left = a->values[broadcast_index(&out->shape, &a->shape, i)];
        prf_onnx_number_t right = b->values[broadcast_index(&out->shape, &b->shape, i)];
        if (!combine((binary_t)op, a, left, b, right, &out->values[i]))
            return give_up(out);
    }
    if (op >= EQUAL)
        out->type = PRF_ONNX_BOOL;
    return PRF_OK;
}

prf_status_t prf_fold_where(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    value_t *out = prf_node_out(g, n, 0);
    const value_t *test = prf_node_in(g, n, 0), *yes = prf_node_in(g, n, 1), *no = prf_node_in(g, n, 2);
    if (!prf_onnx_integral(test->type) || yes->type != no->type)
        return give_up(out);
    out->type = yes->type;
    for (size_t i = 0; i < out->count; i++) {
        const value_t *from = test->values[broadcast_index(&out->shape, &test->shape, i)].i ? yes : no;
        out->values[i] = from->values[broadcast_index(&out->shape, &from->shape, i)];
    }
    return PRF_OK;
}

/* To a single number only: the number of elements of a shape, its largest dimension. */
prf_status_t prf_fold_reduce(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    static const struct {
        const char *name;
        binary_t op;
    } known[] = {{"ReduceProd", MUL}, {"ReduceSum", ADD}, {"ReduceMax", MAX}, {"ReduceMin", MIN}};
    value_t *out = prf_node_out(g, n, 0);
    const value_t *x = prf_node_in(g, n, 0);
    if (out->count != 1 || x->count == 0)
        return give_up(out);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (strcmp(n->onnx->op, known[k].name) != 0)
            continue;
        out->values[0] = x->values[0];
        for (size_t i = 1; i < x->count; i++)
            if (!combine(known[k].op, x, out->values[0], x, x->values[i], &out->values[0]))
                return give_up(out);
        return PRF_OK;
    }
    return give_up(out);
}

prf_status_t prf_fold_expand(graph_t *g, const node_t *n, prf_error_t *err)
{
    (void)err;
    value_t *out = prf_node_out(g, n, 0);
    const value_t *x = prf_node_in(g, n, 0);
    for (size_t i = 0; i < out->count; i++)
        out->values[i] = x->values[broadcast_index(&out->shape, &x->shape, i)];
    return PRF_OK;
}
