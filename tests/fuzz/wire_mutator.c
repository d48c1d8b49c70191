// SPDX-License-Identifier: Apache-2.0
/* wire_mutator.c - changes protobuf messages field by field, for targets whose decoder is protobuf-c: Debian's is not
 * instrumented, so libFuzzer cannot see which bytes are lengths and would seldom get beyond its door.
 *
 * A message is taken as a row of fields, whatever they mean; one of them (at any depth: what parses as a message may be one) is
 * copied, dropped, swapped with its neighbour, given another number, or has its content changed by libFuzzer's own mutations.
 * Every length around it is written anew. The first PRF_WIRE_PREFIX bytes are left alone. Sometimes the bytes are mutated plainly,
 * because broken framing has to be tried as well. Rejected: libprotobuf-mutator, which would need C++ and the schema. */
#include <string.h>

#include "base/rng.h"
#include "fuzz.h"

enum { DEPTH = 6, FIELDS = 4096, VARINT = 10 };

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t cap);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t cap, unsigned seed);

typedef struct {
    size_t begin, tag_end, content, end; /* of the tag, behind it, of the content behind tag and length, behind it all */
    uint64_t tag;
} field_t;

static size_t get_varint(const uint8_t *at, size_t room, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < room && i < VARINT; i++) {
        *value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

static size_t put_varint(uint8_t *at, uint64_t value)
{
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        at[n++] = (uint8_t)(value | 0x80);
    at[n++] = (uint8_t)value;
    return n;
}

static bool get_field(const uint8_t *bytes, size_t len, size_t at, field_t *out)
{
    uint64_t size = 0;
    size_t n = get_varint(bytes + at, len - at, &out->tag);
    if (!n || out->tag < 8)
        return false;
    out->begin = at;
    out->content = out->tag_end = at + n;
    size_t room = len - out->content;
    switch (out->tag & 7) {
    case 0:
        size = get_varint(bytes + out->content, room, &(uint64_t){0});
        if (!size)
            return false;
        break;
    case 1:
        size = 8;
        break;
    case 2:
        n = get_varint(bytes + out->content, room, &size);
        if (!n)
            return false;
        out->content += n;
        room -= n;
        break;
    case 5:
        size = 4;
        break;
    default:
        return false;
    }
    out->end = out->content + size;
    return size <= room;
}

/* The fields of a message; 0 when the bytes are none. */
static size_t get_fields(const uint8_t *bytes, size_t len, field_t *fields)
{
    size_t count = 0;
    for (size_t at = 0; at < len; at = fields[count++].end)
        if (count == FIELDS || !get_field(bytes, len, at, &fields[count]))
            return 0;
    return count;
}

/* bytes[from..to) become `with`. Returns the new length, or the old one when there is no room. */
static size_t replace(uint8_t *bytes, size_t len, size_t cap, size_t from, size_t to, const uint8_t *with, size_t size)
{
    if (len - (to - from) + size > cap)
        return len;
    memmove(bytes + from + size, bytes + to, len - to);
    memcpy(bytes + from, with, size);
    return len - (to - from) + size;
}

static size_t mutate(uint8_t *bytes, size_t len, size_t cap, prf_rng_t *rng, int depth);

/* Another content for a field: a mutated message where it holds one, else mutated bytes; its length follows. */
static size_t change(uint8_t *bytes, size_t len, size_t cap, const field_t *f, prf_rng_t *rng, int depth)
{
    size_t size = f->end - f->content, room = size + 64, head = 0;
    uint8_t tag[2 * VARINT], *copy = malloc(room + sizeof tag);
    MUST(copy, "%zu bytes", room);
    memcpy(copy, bytes + f->content, size);
    switch (f->tag & 7) {
    case 0:
        head = put_varint(tag, f->tag);
        uint64_t value;
        get_varint(copy, size, &value);
        static const uint64_t edges[] = {0, 1, 2, 63, 64, 127, 128, 255, 256, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
        uint64_t choice = prf_rng_below(rng, 4);
        value = choice == 0   ? edges[prf_rng_below(rng, sizeof edges / sizeof *edges)]
                : choice == 1 ? value + 1
                : choice == 2 ? value - 1
                              : prf_rng_u64(rng) >> prf_rng_below(rng, 64);
        size = put_varint(copy, value);
        break;
    case 2:
        size = mutate(copy, size, room, rng, depth + 1);
        head = put_varint(tag, f->tag);
        head += put_varint(tag + head, size);
        break;
    default:
        head = put_varint(tag, f->tag);
        LLVMFuzzerMutate(copy, size, size);
        break;
    }
    memmove(copy + head, copy, size);
    memcpy(copy, tag, head);
    len = replace(bytes, len, cap, f->begin, f->end, copy, head + size);
    free(copy);
    return len;
}

static size_t copy_field(uint8_t *bytes, size_t len, size_t cap, const field_t *f, size_t to)
{
    size_t size = f->end - f->begin;
    uint8_t *copy = malloc(size + 1);
    MUST(copy, "%zu bytes", size);
    memcpy(copy, bytes + f->begin, size);
    len = replace(bytes, len, cap, to, to, copy, size);
    free(copy);
    return len;
}

static size_t mutate(uint8_t *bytes, size_t len, size_t cap, prf_rng_t *rng, int depth)
{
    field_t *fields = malloc(FIELDS * sizeof *fields);
    MUST(fields, "fields");
    size_t count = depth < DEPTH && prf_rng_below(rng, 16) ? get_fields(bytes, len, fields) : 0;
    if (count == 0) {
        free(fields);
        return LLVMFuzzerMutate(bytes, len, cap);
    }
    field_t f = fields[prf_rng_below(rng, count)], other = fields[prf_rng_below(rng, count)];
    uint8_t tag[VARINT];
    size_t size;
    free(fields);
    switch (prf_rng_below(rng, 8)) {
    case 0:
        return copy_field(bytes, len, cap, &f, other.begin);
    case 1:
        return replace(bytes, len, cap, f.begin, f.end, tag, 0);
    case 2: /* another number, of the same form */
        size = put_varint(tag, (1 + prf_rng_below(rng, 20)) << 3 | (f.tag & 7));
        return replace(bytes, len, cap, f.begin, f.tag_end, tag, size);
    default:
        return change(bytes, len, cap, &f, rng, depth);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t cap, unsigned seed)
{
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    if (len <= PRF_WIRE_PREFIX || cap <= PRF_WIRE_PREFIX)
        return LLVMFuzzerMutate(bytes, len, cap);
    return PRF_WIRE_PREFIX + mutate(bytes + PRF_WIRE_PREFIX, len - PRF_WIRE_PREFIX, cap - PRF_WIRE_PREFIX, &rng, 0);
}
