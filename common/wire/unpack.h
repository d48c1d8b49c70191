// SPDX-License-Identifier: Apache-2.0
/* unpack.h - from protobuf's structures to ours, checked. Private to this folder. */
#ifndef PRF_WIRE_UNPACK_H
#define PRF_WIRE_UNPACK_H

#include "wire.pb-c.h"
#include "wire/wire.h"

/* `out` is cleared by the caller; on failure it may hold parts, which prf_frame_release frees. Errors: PRF_EPEER, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_unpack_frame(prf_frame_t *out, const Prf__Wire__Frame *frame, prf_error_t *err);
void prf_unpack_sample(prf_sample_t *out, const Prf__Wire__Sample *sample);
/* Errors: PRF_EPEER. */
PRF_CHECKED prf_status_t prf_unpack_digest(prf_digest_t *out, const ProtobufCBinaryData *bytes, prf_error_t *err);
PRF_CHECKED prf_status_t prf_unpack_text(char *out, size_t cap, const char *what, const char *text, prf_error_t *err);
PRF_CHECKED prf_status_t prf_unpack_name(char out[PRF_NAME], const char *what, const char *text, prf_error_t *err);
PRF_CHECKED prf_status_t prf_unpack_status(prf_status_t *out, uint32_t code, prf_error_t *err);

#endif
