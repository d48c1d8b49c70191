// SPDX-License-Identifier: Apache-2.0
/* onnx_strip.js - takes the weights out of an ONNX file, so that they never leave the reader's machine and a network of any size fits into a request:
 * an estimate needs shapes alone. An ONNX file is a protobuf message; its fields are walked, whatever is not needed is left out, and the lengths
 * around it are written anew. Field numbers are those of the public format; what prfarm reads of them is in proto/onnx.proto.
 *
 * Nothing is copied but the small pieces that stay, and the walk goes no deeper than the format's own levels. */

const KEPT_BYTES = 4096; /* a tensor's data up to here stays: shapes, axes, scalars that operators read */

export class OnnxError extends Error {}

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const utf8 = new TextDecoder();

/* A level of the format: which fields are kept (null: all), which are messages of another level, and which are a tensor's data. */
const TENSOR = {name: 'tensor', keep: null, inner: {}, data: new Set([4, 5, 6, 7, 9, 10, 11]), drop: new Set([12, 13, 14, 16])};
const ATTRIBUTE = {name: 'attribute', keep: new Set([1, 2, 3, 4, 5, 7, 8, 20]), inner: {5: TENSOR}};
const NODE = {name: 'node', keep: new Set([1, 2, 3, 4, 5, 7]), inner: {5: ATTRIBUTE}};
const GRAPH = {name: 'graph', keep: new Set([1, 2, 5, 11, 12, 13]), inner: {1: NODE, 5: TENSOR}};
const MODEL = {name: 'model', keep: new Set([1, 7, 8]), inner: {7: GRAPH}};

function broken(what, at) {
    return new OnnxError(`this is no ONNX file, or a damaged one: ${what} at byte ${at}`);
}

/* [value, next]: lengths of a file in a browser are far below 2^53. */
function readVarint(bytes, at, end) {
    let value = 0, scale = 1;
    for (let i = at; i < end && i < at + 10; i++) {
        value += (bytes[i] & 0x7f) * scale;
        scale *= 128;
        if (bytes[i] < 0x80) return [value, i + 1];
    }
    throw broken('a number that does not end', at);
}

function writeVarint(value) {
    const out = [];
    for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
    out.push(value);
    return Uint8Array.from(out);
}

/* [{number, type, from, body, to}] of the fields in bytes[at..end). */
function* fieldsOf(bytes, at, end, level) {
    while (at < end) {
        const [key, body] = readVarint(bytes, at, end), number = Math.floor(key / 8), type = key % 8;
        let to, start = body;
        if (number < 1) throw broken(`no field of a ${level.name}`, at);
        if (type === VARINT) [, to] = readVarint(bytes, body, end);
        else if (type === FIXED64) to = body + 8;
        else if (type === FIXED32) to = body + 4;
        else if (type === BYTES) {
            const [length, first] = readVarint(bytes, body, end);
            [start, to] = [first, first + length];
        } else throw broken(`no field of a ${level.name}`, at);
        if (to > end) throw broken(`a ${level.name} that is cut off`, at);
        yield {number, type, from: at, body: start, to};
        at = to;
    }
}

/* Whether a tensor's data is small enough to stay. */
function isSmall(bytes, at, end) {
    let size = 0;
    for (const field of fieldsOf(bytes, at, end, TENSOR)) if (TENSOR.data.has(field.number)) size += field.to - field.from;
    return size <= KEPT_BYTES;
}

/* The pieces of a message that stay, as parts of `bytes` and lengths written anew; their sizes add up to `size`. */
function strip(bytes, at, end, level, tally) {
    const parts = [];
    let size = 0;
    const put = (part) => {
        parts.push(part);
        size += part.length;
    };
    const whole = level !== TENSOR || isSmall(bytes, at, end);
    for (const field of fieldsOf(bytes, at, end, level)) {
        if (level.data?.has(field.number) && !whole) {
            tally.weights += field.to - field.from;
            continue;
        }
        if (level.drop?.has(field.number) || (level.keep && !level.keep.has(field.number))) continue;
        if (level === GRAPH && field.number === 1) tally.nodes++;
        const inner = level.inner[field.number];
        if (!inner || field.type !== BYTES) {
            put(bytes.subarray(field.from, field.to));
            continue;
        }
        const stripped = strip(bytes, field.body, field.to, inner, tally);
        put(writeVarint(field.number * 8 + BYTES));
        put(writeVarint(stripped.size));
        for (const part of stripped.parts) put(part);
    }
    return {parts, size};
}

/* What people drop by mistake, by how it begins. */
function guess(bytes) {
    const begin = utf8.decode(bytes.subarray(0, 64));
    if (begin.startsWith('PK')) return 'a zip archive, as PyTorch and Keras write them: export the network to ONNX first';
    if (begin.startsWith('\x89HDF')) return 'an HDF5 file, as Keras writes them: export the network to ONNX first';
    if (begin.startsWith('version https://git-lfs')) return 'a Git LFS pointer: "git lfs pull" fetches the file itself';
    if (begin.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite file: export the network to ONNX instead';
    if (/^\s*[{<[]/.test(begin)) return 'text: an ONNX file is binary';
    return null;
}

/* {bytes, weights, nodes}: the file without what an estimate does not need, how many bytes of weights were left out, and how many operators it has.
 * Throws OnnxError, whose message is for the reader. */
export function stripOnnx(file) {
    const bytes = new Uint8Array(file), other = guess(bytes), tally = {weights: 0, nodes: 0};
    if (bytes.length === 0) throw new OnnxError('the file is empty');
    if (other) throw new OnnxError(`this is no ONNX file but ${other}`);
    const {parts, size} = strip(bytes, 0, bytes.length, MODEL, tally);
    if (tally.nodes === 0) throw new OnnxError('this is no ONNX file, or one without a network in it: it has no operators');
    const out = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
        out.set(part, at);
        at += part.length;
    }
    return {bytes: out, ...tally};
}

/* As the operation "estimate" takes it. */
export function toBase64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
}
