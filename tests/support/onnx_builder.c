// SPDX-License-Identifier: Apache-2.0
#include "onnx_builder.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { TYPE_FLOAT = 1, TYPE_INT64 = 7 };

static void varint(prf_text_t *to, uint64_t value)
{
    while (value > 0x7f) {
        uint8_t byte = (uint8_t)(value | 0x80);
        prf_text_append(to, &byte, 1);
        value >>= 7;
    }
    uint8_t byte = (uint8_t)value;
    prf_text_append(to, &byte, 1);
}

void onnx_put_varint(prf_text_t *to, unsigned field, uint64_t value)
{
    varint(to, field << 3 | WIRE_VARINT);
    varint(to, value);
}

void onnx_put_bytes(prf_text_t *to, unsigned field, const void *bytes, size_t len)
{
    varint(to, field << 3 | WIRE_BYTES);
    varint(to, len);
    prf_text_append(to, bytes, len);
}

void onnx_put_message(prf_text_t *to, unsigned field, prf_text_t *message)
{
    onnx_put_bytes(to, field, prf_text_get(message), message->len);
    prf_text_release(message);
}

static void put_text(prf_text_t *to, unsigned field, const char *text)
{
    onnx_put_bytes(to, field, text, strlen(text));
}

static void end_node(onnx_builder_t *b)
{
    if (b->node.len)
        onnx_put_message(&b->graph, 1, &b->node);
}

void onnx_begin(onnx_builder_t *b, int64_t opset)
{
    *b = (onnx_builder_t){.opset = opset};
}

static void put_dim(prf_text_t *shape, int64_t dim, const char *symbol)
{
    prf_text_t message = {0};
    if (symbol)
        put_text(&message, 2, symbol);
    else if (dim != -1)
        onnx_put_varint(&message, 1, (uint64_t)dim);
    onnx_put_message(shape, 1, &message);
}

static void put_value(onnx_builder_t *b, unsigned field, const char *name, prf_text_t *shape)
{
    prf_text_t tensor = {0}, type = {0}, value = {0};
    onnx_put_varint(&tensor, 1, TYPE_FLOAT);
    onnx_put_message(&tensor, 2, shape);
    onnx_put_message(&type, 1, &tensor);
    put_text(&value, 1, name);
    onnx_put_message(&value, 2, &type);
    onnx_put_message(&b->graph, field, &value);
}

static void put_dims(prf_text_t *shape, va_list args)
{
    for (int dim = va_arg(args, int); dim; dim = va_arg(args, int))
        put_dim(shape, dim, NULL);
}

void onnx_input(onnx_builder_t *b, const char *name, ...)
{
    prf_text_t shape = {0};
    va_list args;
    va_start(args, name);
    put_dims(&shape, args);
    va_end(args);
    put_value(b, 11, name, &shape);
}

void onnx_input_symbol(onnx_builder_t *b, const char *name, const char *symbol, ...)
{
    prf_text_t shape = {0};
    put_dim(&shape, 0, symbol);
    va_list args;
    va_start(args, symbol);
    put_dims(&shape, args);
    va_end(args);
    put_value(b, 11, name, &shape);
}

void onnx_output(onnx_builder_t *b, const char *name)
{
    prf_text_t value = {0};
    put_text(&value, 1, name);
    onnx_put_message(&b->graph, 12, &value);
}

void onnx_weight(onnx_builder_t *b, const char *name, ...)
{
    prf_text_t tensor = {0};
    va_list args;
    va_start(args, name);
    for (int dim = va_arg(args, int); dim; dim = va_arg(args, int))
        onnx_put_varint(&tensor, 1, (uint64_t)dim);
    va_end(args);
    onnx_put_varint(&tensor, 2, TYPE_FLOAT);
    put_text(&tensor, 8, name);
    onnx_put_message(&b->graph, 5, &tensor);
}

void onnx_ints(onnx_builder_t *b, const char *name, int count, ...)
{
    prf_text_t tensor = {0}, packed = {0};
    va_list args;
    va_start(args, count);
    for (int i = 0; i < count; i++)
        varint(&packed, (uint64_t)va_arg(args, int64_t));
    va_end(args);
    onnx_put_varint(&tensor, 1, (uint64_t)count);
    onnx_put_varint(&tensor, 2, TYPE_INT64);
    onnx_put_message(&tensor, 7, &packed);
    put_text(&tensor, 8, name);
    onnx_put_message(&b->graph, 5, &tensor);
}

void onnx_real(onnx_builder_t *b, const char *name, double value)
{
    prf_text_t tensor = {0};
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint8_t raw[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    onnx_put_varint(&tensor, 2, TYPE_FLOAT);
    put_text(&tensor, 8, name);
    onnx_put_bytes(&tensor, 9, raw, sizeof raw);
    onnx_put_message(&b->graph, 5, &tensor);
}

static void put_names(prf_text_t *to, unsigned field, const char *names)
{
    while (*names) {
        size_t len = strcspn(names, " ");
        bool none = len == 1 && *names == '-';
        onnx_put_bytes(to, field, names, none ? 0 : len);
        names += len + (names[len] == ' ');
    }
}

void onnx_node(onnx_builder_t *b, const char *op, const char *inputs, const char *outputs)
{
    end_node(b);
    put_names(&b->node, 1, inputs);
    put_names(&b->node, 2, outputs);
    put_text(&b->node, 4, op);
}

void onnx_attr(onnx_builder_t *b, const char *name, int64_t value)
{
    prf_text_t attribute = {0};
    put_text(&attribute, 1, name);
    onnx_put_varint(&attribute, 3, (uint64_t)value);
    onnx_put_message(&b->node, 5, &attribute);
}

void onnx_attr_ints(onnx_builder_t *b, const char *name, int count, ...)
{
    prf_text_t attribute = {0};
    put_text(&attribute, 1, name);
    va_list args;
    va_start(args, count);
    for (int i = 0; i < count; i++)
        onnx_put_varint(&attribute, 8, (uint64_t)va_arg(args, int));
    va_end(args);
    onnx_put_message(&b->node, 5, &attribute);
}

void onnx_attr_text(onnx_builder_t *b, const char *name, const char *value)
{
    prf_text_t attribute = {0};
    put_text(&attribute, 1, name);
    put_text(&attribute, 4, value);
    onnx_put_message(&b->node, 5, &attribute);
}

char *onnx_end(onnx_builder_t *b, size_t *len)
{
    end_node(b);
    prf_text_t model = {0}, opset = {0};
    onnx_put_varint(&model, 1, 8);
    onnx_put_message(&model, 7, &b->graph);
    onnx_put_varint(&opset, 2, (uint64_t)b->opset);
    onnx_put_message(&model, 8, &opset);
    *len = model.len;
    char *bytes = prf_text_take(&model);
    if (!bytes)
        abort();
    *b = (onnx_builder_t){0};
    return bytes;
}
