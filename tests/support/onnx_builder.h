// SPDX-License-Identifier: Apache-2.0
/* onnx_builder.h - writes ONNX files for tests, valid ones and broken ones, straight in protobuf's wire format: the tests do not
 * use the decoder's own code to check the decoder. Aborts when memory runs out. */
#ifndef ONNX_BUILDER_H
#define ONNX_BUILDER_H

#include <stdarg.h>
#include <stdint.h>

#include "base/text.h"

typedef struct {
    int64_t opset;
    prf_text_t graph, node; /* node: the one that attributes are added to */
    int made;               /* for names of its own */
} onnx_builder_t;

void onnx_begin(onnx_builder_t *b, int64_t opset);
/* Dimensions end with 0; -1: dynamic and nameless. */
void onnx_input(onnx_builder_t *b, const char *name, ...);
void onnx_input_symbol(onnx_builder_t *b, const char *name, const char *symbol, ...); /* first dimension `symbol`, then the rest */
void onnx_output(onnx_builder_t *b, const char *name);
void onnx_weight(onnx_builder_t *b, const char *name, ...); /* a float initialiser with its values left out */
void onnx_ints(onnx_builder_t *b, const char *name, int count, ...);
void onnx_real(onnx_builder_t *b, const char *name, double value); /* a float scalar */
/* `inputs` and `outputs`: names with a space between; "-" is one that is left out. */
void onnx_node(onnx_builder_t *b, const char *op, const char *inputs, const char *outputs);
void onnx_attr(onnx_builder_t *b, const char *name, int64_t value);
void onnx_attr_ints(onnx_builder_t *b, const char *name, int count, ...);
void onnx_attr_text(onnx_builder_t *b, const char *name, const char *value);
/* The finished file; the caller frees it. The builder is empty afterwards. */
char *onnx_end(onnx_builder_t *b, size_t *len);

/* Raw wire format, for what the functions above would not write. */
void onnx_put_varint(prf_text_t *to, unsigned field, uint64_t value);
void onnx_put_bytes(prf_text_t *to, unsigned field, const void *bytes, size_t len);
void onnx_put_message(prf_text_t *to, unsigned field, prf_text_t *message); /* releases the message */

#endif
