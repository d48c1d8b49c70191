// SPDX-License-Identifier: Apache-2.0
/* record.c - fields at their defaults take no bytes, so a usual record has about 80. */
#include "wire/record.h"

#include "record.pb-c.h"
#include "wire/pack.h"
#include "wire/printable.h"
#include "wire/unpack.h"

/* Tags, lengths and varints: 18 for the point, 6 + 2 + 6 for numbers, both texts with 3 each, a sample of at most 99. */
_Static_assert(18 + 6 + 2 + 6 + PRF_ERROR_TEXT + 3 + PRF_NAME + 3 + 99 < PRF_RECORD_BYTES, "a record fits its bytes");

size_t prf_record_encode(const prf_record_t *record, uint8_t bytes[PRF_RECORD_BYTES])
{
    Prf__Record__Record packed = PRF__RECORD__RECORD__INIT;
    Prf__Wire__Sample sample;
    char error[PRF_ERROR_TEXT];
    packed.point = (ProtobufCBinaryData){.len = PRF_DIGEST_BYTES, .data = (uint8_t *)record->point.bytes};
    packed.attempt = record->attempt;
    packed.duplicate = record->duplicate;
    packed.outcome = (uint32_t)record->outcome;
    packed.board = (char *)record->board;
    if (record->outcome) {
        prf_printable_copy(error, sizeof error, record->error);
        packed.error = error;
    } else {
        prf_pack_sample(&sample, &record->sample);
        packed.ci_percent = (float)sample.ci_percent;
        sample.ci_percent = 0;
        packed.sample = &sample;
    }
    return prf__record__record__pack(&packed, bytes);
}

/* Records of before have the interval in the sample. */
static void unpack_sample(prf_sample_t *out, const Prf__Record__Record *record)
{
    prf_unpack_sample(out, record->sample);
    if (record->ci_percent != 0)
        out->ci_percent = (double)record->ci_percent;
}

static prf_status_t unpack(prf_record_t *out, const Prf__Record__Record *record, prf_error_t *err)
{
    out->attempt = record->attempt;
    out->duplicate = record->duplicate;
    prf_status_t status = prf_unpack_digest(&out->point, &record->point, err);
    if (!status)
        status = prf_unpack_status(&out->outcome, record->outcome, err);
    if (!status)
        status = prf_unpack_text(out->error, sizeof out->error, "error text", record->error, err);
    if (!status && record->board[0]) /* a point that several boards gave up on belongs to none */
        status = prf_unpack_name(out->board, "board", record->board, err);
    if (!status && record->sample)
        unpack_sample(&out->sample, record);
    else if (!status && out->outcome == PRF_OK)
        status = prf_fail(err, PRF_EPEER, "no sample");
    return status;
}

prf_status_t prf_record_decode(prf_record_t *out, const void *bytes, size_t len, prf_error_t *err)
{
    if (len > PRF_RECORD_BYTES)
        return prf_fail(err, PRF_ECORRUPT, "a record of %zu bytes: at most %d are allowed", len, PRF_RECORD_BYTES);
    Prf__Record__Record *packed = prf__record__record__unpack(NULL, len, bytes);
    if (!packed)
        return prf_fail(err, PRF_ECORRUPT, "%zu bytes that are no record", len);
    prf_record_t decoded = {0};
    prf_error_t why;
    prf_status_t status = unpack(&decoded, packed, &why);
    prf__record__record__free_unpacked(packed, NULL);
    if (status)
        return prf_fail(err, PRF_ECORRUPT, "record: %s", why.text);
    *out = decoded;
    return PRF_OK;
}
