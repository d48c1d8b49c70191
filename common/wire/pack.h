// SPDX-License-Identifier: Apache-2.0
/* pack.h - from our C structures to protobuf's. Private to this folder. What is filled lives in the arena or borrows from the
 * source; both must outlive it. */
#ifndef PRF_WIRE_PACK_H
#define PRF_WIRE_PACK_H

#include "wire.pb-c.h"
#include "wire/arena.h"
#include "wire/wire.h"

/* Errors: PRF_EINVAL (a count above its limit), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_pack_frame(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err);
void prf_pack_sample(Prf__Wire__Sample *out, const prf_sample_t *sample);

#endif
