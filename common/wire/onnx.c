// SPDX-License-Identifier: Apache-2.0
/* onnx.c - protobuf-c decodes, then everything is copied into plain structs of one `file_t`, strings and bulk data staying
 * where protobuf-c put them.
 *
 * Two guards stand before anything else looks at the result. The messages of proto/onnx.proto do not contain themselves, so
 * depth is bounded. And protobuf-c gets its memory from an allocator with a budget in proportion to the file, because two bytes
 * of input (an empty node) become a hundred in memory. Rejected: a reader of our own that skips the weights' bytes; it would
 * save memory for large files, but the format would be known in two places. */
#include "wire/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "wire/budget.h"

typedef struct {
    prf_onnx_t view; /* first: the public face */
    Prf__Onnx__Model *model;
    prf_onnx_node_t *nodes;
    prf_onnx_attribute_t *attributes;
    prf_onnx_tensor_t *tensors; /* initialisers, then those of attributes */
    prf_onnx_number_t *numbers;
    prf_onnx_info_t *infos;
    size_t tensors_used, numbers_used, infos_used, attributes_used;
} file_t;

bool prf_onnx_integral(int32_t type)
{
    return (type >= 2 && type <= 7) || type == PRF_ONNX_BOOL || type == 12 || type == 13;
}

static prf_status_t unpack(Prf__Onnx__Model **out, const void *bytes, size_t len, prf_error_t *err)
{
    prf_budget_t budget = {.left = 4 * len + ((size_t)64 << 20)};
    ProtobufCAllocator allocator = prf_budget_allocator(&budget);
    Prf__Onnx__Model *model = prf__onnx__model__unpack(&allocator, len, bytes);
    if (!model && budget.exhausted)
        return prf_fail(err, PRF_EINVAL, "not a network: decoding %zu bytes would take more than %zu bytes of memory", len,
                        4 * len + ((size_t)64 << 20));
    if (!model)
        return prf_fail(err, PRF_EPARSE, "truncated, or not an ONNX file");
    /* free() is what the budget used too, so that the model can outlive it. */
    *out = model;
    return PRF_OK;
}

typedef struct {
    size_t nodes, attributes, tensors, numbers, infos;
} totals_t;

static size_t kept_values(const Prf__Onnx__Tensor *t)
{
    size_t most = t->n_float_data;
    most = t->n_int32_data > most ? t->n_int32_data : most;
    most = t->n_int64_data > most ? t->n_int64_data : most;
    most = t->n_double_data > most ? t->n_double_data : most;
    most = t->raw_data.len > most ? t->raw_data.len : most;
    return most < PRF_ONNX_VALUES ? most : PRF_ONNX_VALUES;
}

static prf_status_t count_items(const Prf__Onnx__Graph *g, totals_t *t, prf_error_t *err)
{
    *t = (totals_t){.nodes = g->n_node, .tensors = g->n_initializer, .infos = g->n_input + g->n_output + g->n_value_info};
    for (size_t i = 0; i < g->n_initializer; i++)
        t->numbers += kept_values(g->initializer[i]);
    size_t operands = 0;
    for (size_t i = 0; i < g->n_node; i++) {
        const Prf__Onnx__Node *n = g->node[i];
        t->attributes += n->n_attribute;
        operands += n->n_input + n->n_output;
        for (size_t j = 0; j < n->n_attribute; j++)
            if (n->attribute[j]->t) {
                t->tensors++;
                t->numbers += kept_values(n->attribute[j]->t);
            }
    }
    if (t->nodes > PRF_ONNX_ITEMS || t->attributes > PRF_ONNX_ITEMS || t->tensors > PRF_ONNX_ITEMS || t->infos > PRF_ONNX_ITEMS ||
        operands > 4 * (size_t)PRF_ONNX_ITEMS)
        return prf_fail(err, PRF_EINVAL, "a graph of %zu nodes, %zu tensors, %zu attributes, %zu operands: more than %d is refused",
                        t->nodes, t->tensors, t->attributes, operands, PRF_ONNX_ITEMS);
    return PRF_OK;
}

static prf_status_t allocate(file_t *self, const totals_t *t, prf_error_t *err)
{
    /* One more than needed, since calloc may answer 0 items with NULL. */
    self->nodes = calloc(t->nodes + 1, sizeof *self->nodes);
    self->attributes = calloc(t->attributes + 1, sizeof *self->attributes);
    self->tensors = calloc(t->tensors + 1, sizeof *self->tensors);
    self->numbers = calloc(t->numbers + 1, sizeof *self->numbers);
    self->infos = calloc(t->infos + 1, sizeof *self->infos);
    if (!self->nodes || !self->attributes || !self->tensors || !self->numbers || !self->infos)
        return prf_fail(err, PRF_ENOMEM, "a graph of %zu nodes", t->nodes);
    return PRF_OK;
}

static prf_status_t check_dims(const char *what, const char *name, const int64_t *dims, size_t rank, size_t *count,
                               prf_error_t *err)
{
    if (rank > PRF_ONNX_RANK)
        return prf_fail(err, PRF_EINVAL, "%s '%.80s' has %zu dimensions: at most %d are read", what, name, rank, PRF_ONNX_RANK);
    int64_t bound = 1; /* counts an empty axis as one, so that no product of some of the axes can overflow later */
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > PRF_ONNX_DIM_MAX)
            return prf_fail(err, PRF_EINVAL, "%s '%.80s': dimension %zu is %lld: use 0 to %d", what, name, i, (long long)dims[i],
                            PRF_ONNX_DIM_MAX);
        if (__builtin_mul_overflow(bound, dims[i] ? dims[i] : 1, &bound) || bound > PRF_ONNX_ELEMENTS_MAX)
            return prf_fail(err, PRF_EINVAL, "%s '%.80s' has more than 2^48 elements", what, name);
        empty |= dims[i] == 0;
    }
    *count = empty ? 0 : (size_t)bound;
    return PRF_OK;
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t v = 0;
    for (size_t i = size; i-- > 0;)
        v = v << 8 | bytes[i];
    return v;
}

static prf_onnx_number_t raw_number(int32_t type, const uint8_t *bytes, size_t size)
{
    uint64_t bits = little_endian(bytes, size);
    if (type == PRF_ONNX_FLOAT) {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return (prf_onnx_number_t){.f = (double)f};
    }
    if (type == PRF_ONNX_DOUBLE) {
        double f;
        memcpy(&f, &bits, sizeof f);
        return (prf_onnx_number_t){.f = f};
    }
    int64_t i;
    memcpy(&i, &bits, sizeof i);
    return (prf_onnx_number_t){.i = size == 4 ? (int32_t)(uint32_t)bits : i};
}

static size_t element_size(int32_t type)
{
    switch (type) {
    case PRF_ONNX_FLOAT:
    case PRF_ONNX_INT32:
        return 4;
    case PRF_ONNX_INT64:
    case PRF_ONNX_DOUBLE:
        return 8;
    case PRF_ONNX_BOOL:
        return 1;
    default:
        return 0;
    }
}

/* How many values the typed field that belongs to the tensor's type holds. */
static size_t typed_count(const Prf__Onnx__Tensor *t)
{
    switch (t->data_type) {
    case PRF_ONNX_FLOAT:
        return t->n_float_data;
    case PRF_ONNX_DOUBLE:
        return t->n_double_data;
    case PRF_ONNX_INT64:
        return t->n_int64_data;
    case PRF_ONNX_INT32:
    case PRF_ONNX_BOOL:
        return t->n_int32_data;
    default:
        return 0;
    }
}

static prf_onnx_number_t typed_number(const Prf__Onnx__Tensor *t, size_t i)
{
    switch (t->data_type) {
    case PRF_ONNX_FLOAT:
        return (prf_onnx_number_t){.f = (double)t->float_data[i]};
    case PRF_ONNX_DOUBLE:
        return (prf_onnx_number_t){.f = t->double_data[i]};
    case PRF_ONNX_INT64:
        return (prf_onnx_number_t){.i = t->int64_data[i]};
    default:
        return (prf_onnx_number_t){.i = t->int32_data[i]};
    }
}

static prf_status_t convert_tensor(file_t *self, const Prf__Onnx__Tensor *t, const prf_onnx_tensor_t **out, prf_error_t *err)
{
    prf_onnx_tensor_t *tensor = &self->tensors[self->tensors_used++];
    prf_status_t status = check_dims("tensor", t->name, t->dims, t->n_dims, &tensor->count, err);
    if (status)
        return status;
    tensor->name = t->name;
    tensor->type = t->data_type;
    tensor->rank = (uint32_t)t->n_dims;
    if (t->n_dims)
        memcpy(tensor->dims, t->dims, t->n_dims * sizeof *t->dims);
    *out = tensor;
    if (tensor->count == 0)
        tensor->values = self->numbers; /* none, but known */

    size_t size = element_size(t->data_type), typed = typed_count(t);
    bool raw = t->raw_data.len > 0;
    if (!size || (!raw && !typed))
        return PRF_OK; /* weights left out, kept in another file, or of a type whose values no shape depends on */
    if (raw ? t->raw_data.len != tensor->count * size : typed != tensor->count)
        return prf_fail(err, PRF_EINVAL, "tensor '%.80s' holds %zu values, but its shape has %zu", t->name,
                        raw ? t->raw_data.len / size : typed, tensor->count);
    if (tensor->count > PRF_ONNX_VALUES)
        return PRF_OK;
    prf_onnx_number_t *values = &self->numbers[self->numbers_used];
    self->numbers_used += tensor->count;
    for (size_t i = 0; i < tensor->count; i++)
        values[i] = raw ? raw_number(t->data_type, t->raw_data.data + i * size, size) : typed_number(t, i);
    tensor->values = values;
    return PRF_OK;
}

static prf_status_t convert_node(file_t *self, const Prf__Onnx__Node *n, prf_onnx_node_t *out, prf_error_t *err)
{
    *out = (prf_onnx_node_t){.op = n->op_type,
                             .domain = n->domain,
                             .name = n->name,
                             .inputs = (const char *const *)n->input,
                             .input_count = n->n_input,
                             .outputs = (const char *const *)n->output,
                             .output_count = n->n_output,
                             .attributes = &self->attributes[self->attributes_used],
                             .attribute_count = n->n_attribute};
    for (size_t i = 0; i < n->n_attribute; i++) {
        const Prf__Onnx__Attribute *a = n->attribute[i];
        prf_onnx_attribute_t *attribute = &self->attributes[self->attributes_used++];
        *attribute = (prf_onnx_attribute_t){.name = a->name,
                                            .f = a->f,
                                            .i = a->i,
                                            .text = a->s.len ? (const char *)a->s.data : "",
                                            .text_len = a->s.len,
                                            .ints = a->ints,
                                            .int_count = a->n_ints,
                                            .floats = a->floats,
                                            .float_count = a->n_floats};
        if (a->t) {
            prf_status_t status = convert_tensor(self, a->t, &attribute->tensor, err);
            if (status)
                return prf_fail_prefix(err, status, "node '%.80s' (%.40s)", n->name, n->op_type);
        }
    }
    return PRF_OK;
}

static prf_status_t convert_info(const Prf__Onnx__ValueInfo *v, prf_onnx_info_t *out, prf_error_t *err)
{
    const Prf__Onnx__TensorType *type = v->type ? v->type->tensor_type : NULL;
    *out = (prf_onnx_info_t){.name = v->name, .type = type ? type->elem_type : 0, .first_symbol = ""};
    if (!type || !type->shape)
        return PRF_OK;
    size_t rank = type->shape->n_dim;
    if (rank > PRF_ONNX_RANK)
        return prf_fail(err, PRF_EINVAL, "value '%.80s' has %zu dimensions: at most %d are read", v->name, rank, PRF_ONNX_RANK);
    out->shaped = true;
    out->rank = (uint32_t)rank;
    int64_t fixed[PRF_ONNX_RANK];
    for (size_t i = 0; i < rank; i++) {
        const Prf__Onnx__Dimension *dim = type->shape->dim[i];
        bool known = dim->value_case == PRF__ONNX__DIMENSION__VALUE_DIM_VALUE;
        const char *symbol = dim->value_case == PRF__ONNX__DIMENSION__VALUE_DIM_PARAM ? dim->dim_param : "";
        if (i == 0)
            out->first_symbol = symbol;
        if (!known && (i == 0 || (*symbol && strcmp(symbol, out->first_symbol) == 0)))
            out->same_as_first |= 1u << i;
        out->dims[i] = known ? dim->dim_value : PRF_ONNX_DYNAMIC;
        fixed[i] = known ? dim->dim_value : 1;
    }
    size_t count;
    return check_dims("value", v->name, fixed, rank, &count, err);
}

static prf_status_t convert_infos(file_t *self, Prf__Onnx__ValueInfo *const *from, size_t count, const prf_onnx_info_t **out,
                                  prf_error_t *err)
{
    *out = &self->infos[self->infos_used];
    for (size_t i = 0; i < count; i++) {
        prf_status_t status = convert_info(from[i], &self->infos[self->infos_used++], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t convert(file_t *self, prf_error_t *err)
{
    const Prf__Onnx__Graph *g = self->model->graph;
    prf_onnx_t *view = &self->view;
    for (size_t i = 0; i < g->n_initializer; i++) {
        const prf_onnx_tensor_t *tensor;
        prf_status_t status = convert_tensor(self, g->initializer[i], &tensor, err);
        if (status)
            return status;
    }
    for (size_t i = 0; i < g->n_node; i++) {
        prf_status_t status = convert_node(self, g->node[i], &self->nodes[i], err);
        if (status)
            return status;
    }
    view->graph_name = g->name;
    view->nodes = self->nodes;
    view->node_count = g->n_node;
    view->initializers = self->tensors;
    view->initializer_count = g->n_initializer;
    view->input_count = g->n_input;
    view->output_count = g->n_output;
    view->info_count = g->n_value_info;
    prf_status_t status = convert_infos(self, g->input, g->n_input, &view->inputs, err);
    if (!status)
        status = convert_infos(self, g->output, g->n_output, &view->outputs, err);
    if (!status)
        status = convert_infos(self, g->value_info, g->n_value_info, &view->infos, err);
    return status;
}

static prf_status_t find_opset(file_t *self, prf_error_t *err)
{
    const Prf__Onnx__Model *m = self->model;
    /* Only the oldest files may leave it out; a file may also use none but other domains' operators. */
    self->view.opset = m->ir_version < 3 || m->n_opset_import > 0 ? 1 : 0;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = m->opset_import[i]->domain;
        if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
            self->view.opset = m->opset_import[i]->version;
    }
    if (self->view.opset < 1)
        return prf_fail(err, PRF_EPARSE, "truncated, or not an ONNX file: it does not say its operator set");
    return PRF_OK;
}

static prf_status_t decode(file_t *self, const void *bytes, size_t len, prf_error_t *err)
{
    prf_status_t status = unpack(&self->model, bytes, len, err);
    if (status)
        return status;
    if (!self->model->graph)
        return prf_fail(err, PRF_EPARSE, "truncated, or not an ONNX file: it has no graph");
    totals_t totals;
    status = find_opset(self, err);
    if (!status)
        status = count_items(self->model->graph, &totals, err);
    if (!status)
        status = allocate(self, &totals, err);
    return status ? status : convert(self, err);
}

prf_status_t prf_onnx_decode(prf_onnx_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    file_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "an ONNX file");
    prf_onnx_t *view = &self->view;
    prf_status_t status = decode(self, bytes, len, err);
    if (status)
        prf_onnx_destroy(&view);
    else
        *out = view;
    return status;
}

void prf_onnx_destroy(prf_onnx_t **view)
{
    if (!view || !*view)
        return;
    file_t *self = (file_t *)*view;
    prf__onnx__model__free_unpacked(self->model, NULL);
    free(self->nodes);
    free(self->attributes);
    free(self->tensors);
    free(self->numbers);
    free(self->infos);
    free(self);
    *view = NULL;
}
