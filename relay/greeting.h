// SPDX-License-Identifier: Apache-2.0
/* greeting.h - the first 64 bytes that a program sends on a ZeroMQ connection (ZMTP 3, rfc.zeromq.org/spec/23), of which a relay
 * looks at as much as it takes to carry nothing but encrypted connections. Pure. */
#ifndef PRF_RELAY_GREETING_H
#define PRF_RELAY_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRF_GREETING_BYTES = 64, PRF_GREETING_SIGNATURE = 10 };

/* All zero is a fresh one. */
typedef struct {
    uint8_t bytes[PRF_GREETING_BYTES];
    uint8_t seen; /* how many of them */
} prf_greeting_t;

/* Takes what comes next; bytes behind the greeting are passed over. False: this is no ZeroMQ connection with CURVE. The other side
 * waits for the signature before it sends the rest, so a part of a greeting has to be passed on. */
bool prf_greeting_take(prf_greeting_t *self, const uint8_t *bytes, size_t len);
bool prf_greeting_signed(const prf_greeting_t *self); /* the signature is there */
bool prf_greeting_whole(const prf_greeting_t *self);

#endif
