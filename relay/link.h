// SPDX-License-Identifier: Apache-2.0
/* link.h - the parts that go over a link, each exactly once and in order, however often the connection under it breaks. Pure: no
 * I/O, no clock. One thread. */
#ifndef PRF_RELAY_LINK_H
#define PRF_RELAY_LINK_H

#include "wire/wire.h"

enum {
    PRF_LINK_IN_FLIGHT = 4 << 20, /* bytes sent and not confirmed, at most */
    PRF_LINK_FRAME = 64 << 10     /* bytes of the longest frame between relays */
};

typedef struct prf_link prf_link_t;
typedef enum { PRF_LINK_NEXT, PRF_LINK_KNOWN, PRF_LINK_GAP } prf_link_order_t;

/* `limit`: bytes kept, sent or not, above which it calls itself full. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_link_new(prf_link_t **out, size_t limit, prf_error_t *err);
void prf_link_destroy(prf_link_t **self);
void prf_link_clear(prf_link_t *self); /* a new session begins */

/* Takes a part's number, and keeps its frame until it is confirmed. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_link_queue(prf_link_t *self, const prf_part_t *part, prf_error_t *err);
/* The frame that is to be sent next, borrowed; NULL: none, or enough are in flight. */
const uint8_t *prf_link_next(const prf_link_t *self, size_t *len);
void prf_link_sent(prf_link_t *self);
/* The connection is another one: what is not confirmed is to be sent again. */
void prf_link_rewind(prf_link_t *self);
/* The peer has received the parts up to this number. Errors: PRF_EPEER (it cannot have). */
PRF_CHECKED prf_status_t prf_link_confirm(prf_link_t *self, uint64_t received, prf_error_t *err);
/* Notes a part that came: only PRF_LINK_NEXT is to be used. */
prf_link_order_t prf_link_take(prf_link_t *self, const prf_part_t *part);
uint64_t prf_link_received(prf_link_t *self); /* number of the last part; it is about to be told to the peer */
bool prf_link_owes(const prf_link_t *self);   /* so much came that it should be told soon */

size_t prf_link_bytes(const prf_link_t *self); /* of memory that is kept */
bool prf_link_full(const prf_link_t *self);

#endif
